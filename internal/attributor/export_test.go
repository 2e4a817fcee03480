package attributor

import (
	"time"

	"tracksource/attribution"
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
	}
	return out
}
