package attributor

import (
	"slices"
	"time"

	"tracksource/attribution"
	"tracksource/state"
)

// Tell brings the facts topic to these facts of an account under a contract in
// force.
func (p *Processor) Tell(campaign string, of []byte, asOf time.Time, facts []attribution.Facts, out Emitter) error {
	f := &fold{Processor: p, out: out}
	for _, c := range p.rules.campaigns {
		if c.id == campaign {
			return f.tell(c, &account{id: of, asOf: asOf}, facts)
		}
	}
	return nil
}

// Older makes of an entry of state what a program without the measures that are kept
// at a grain would have there; nil for nothing.
func Older(key string, value []byte) ([]byte, error) {
	parts := state.Keyspace{ID: key[0]}.Parts([]byte(key))
	switch key[0] {
	case spaceControl.ID:
		if parts.String() == controlBooks {
			return nil, nil
		}
	case spaceRunning.ID:
		k, err := ParseContributionKey(parts.Bytes())
		if err != nil || !attribution.IsAdditive(k.Measure) {
			return nil, err
		}
	case spaceBooked.ID:
		b, err := decodeBooked(value)
		b.postings = slices.DeleteFunc(b.postings, func(p attribution.Posting) bool { return !attribution.IsAdditive(p.Measure) })
		return b.encode(), err
	}
	return value, nil
}

// DecodeState runs every decoder of state over the bytes, and returns what those
// that accept them encode again.
func DecodeState(value []byte) [][]byte {
	var out [][]byte
	if v, err := decodeObject(value); err == nil {
		out = append(out, v.encode())
	}
	if v, err := decodeTouch(value); err == nil {
		out = append(out, v.encode())
	}
	if v, err := decodeTold(value); err == nil {
		out = append(out, v.encode())
	}
	if v, err := decodeReach(value); err == nil {
		out = append(out, encodeReach(v))
	}
	if v, err := decodeBooked(value); err == nil {
		out = append(out, v.encode())
	}
	if v, err := decodeRunning(value); err == nil {
		out = append(out, v.encode())
	}
	if v, err := decodeNumbering(value); err == nil {
		out = append(out, v.encode())
	}
	if body, err := spaceControl.Body(value); err == nil {
		if v, err := decodeSweep(body); err == nil {
			out = append(out, v.encode())
		}
		if v, err := decodeNumber(body); err == nil {
			out = append(out, encodeNumber(v))
		}
		if v, err := decodeClosing(body); err == nil {
			out = append(out, encodeClosing(v))
		}
	}
	return out
}
