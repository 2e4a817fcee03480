package attributor

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tracksource/money"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// rules are the control keyspace, decoded.
type rules struct {
	campaigns []*campaign // the books, by id
	rates     money.Rates
	number    int64 // of the last broadcast
	horizon   string
	changes   int64 // posted so far, for their ids
	announced int64 // generation
	layout    string
	periods   map[string]period // by campaign
	books     int64             // attribution.Version that every account was computed by, or is by the sweep
	sweep     sweep
}

// find returns the book of that name, or where it would be.
func (r *rules) find(book string) (at int, found bool) {
	return slices.BinarySearchFunc(r.campaigns, book, func(have *campaign, id string) int {
		return strings.Compare(have.id, id)
	})
}

// load reads the rules unless they are cached.
func (p *Processor) load() error {
	if p.rules != nil {
		return nil
	}
	r := &rules{periods: map[string]period{}}
	from, to := spaceControl.Key().Range()
	err := p.kv.Scan(from, to, func(key, value []byte) (bool, error) {
		body, err := spaceControl.Body(value)
		if err == nil {
			err = r.read(key, body)
		}
		if err != nil {
			return false, fmt.Errorf("read control %x: %w", key, err)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(r.campaigns, func(a, b *campaign) int { return strings.Compare(a.id, b.id) })
	layout, err := p.layout()
	if err != nil {
		return err
	}
	// What another layout says cannot be read, and passing over it would make totals
	// wrong. Its changelog says the same, so a restore does not help.
	if r.announced != 0 && r.layout != layout {
		return fmt.Errorf("%w: the state of journeys partition %d was written by another version of this program (%q, this one writes %q): "+
			"delete the attributor's changelog and its group's offsets to rebuild the state from journeys", stream.ErrHalted, p.source, r.layout, layout)
	}
	p.rules = r
	return nil
}

// layout says how the state is written: the keyspaces with their versions, and the
// version of the events in them.
func (p *Processor) layout() (string, error) {
	spaces, err := Layout()
	if err != nil {
		return "", err
	}
	journey := p.cfg.Codecs.Journey.Schema()
	text := fmt.Sprintf("%s %d", journey.Name, journey.Version)
	for _, s := range spaces {
		text += fmt.Sprintf(", %s %d", s.Name, s.Version)
	}
	return text, nil
}

func (r *rules) read(key, body []byte) (err error) {
	parts := spaceControl.Parts(key)
	switch name := parts.String(); name {
	case controlContract:
		err = r.readRevision(parts.String(), int64(parts.Uint64()), body)
	case controlRate:
		base, quote, text := parts.String(), parts.String(), parts.String()
		day, err := money.ParseDay(text)
		if err != nil {
			return err
		}
		if err := r.rates.Set(base, quote, day, string(body)); err != nil {
			return err
		}
	case controlHorizon:
		r.horizon = string(body)
	case controlPeriod:
		err = r.readPeriod(parts.String(), int64(parts.Uint64()), body)
	case controlDisputed:
		err = r.readDisputed(parts.String(), body)
	case controlNumber:
		r.number, err = decodeNumber(body)
	case controlChanges:
		r.changes, err = decodeNumber(body)
	case controlGeneration:
		r.announced, err = decodeNumber(body)
	case controlLayout:
		r.layout = string(body)
	case controlBooks:
		r.books, err = decodeNumber(body)
	case controlSweep:
		r.sweep, err = decodeSweep(body)
	default:
		return fmt.Errorf("%w: unknown name %q", errValue, name)
	}
	if err != nil {
		return err
	}
	return parts.End()
}

// control takes a broadcast in. One that was taken in before is passed over.
func (f *fold) control(ctx context.Context, c *avro.Control, at time.Time) error {
	if c == nil {
		return fmt.Errorf("%w: broadcast without its record", errBroken)
	}
	if c.Number <= f.rules.number {
		return nil
	}
	var err error
	switch {
	case c.Kind == controlContract && c.Contract != nil:
		err = f.applyContract(ctx, c.Number, c.Contract, at)
	case c.Kind == controlRate && c.Rate != nil:
		err = f.applyRate(ctx, c.Rate, at)
	case c.Kind == controlHorizon && c.Horizon != nil:
		err = f.applyHorizon(c.Horizon)
	case c.Kind == controlPeriod && c.Period != nil:
		err = f.applyPeriod(ctx, c.Number, c.Period, at)
	default:
		err = fmt.Errorf("%w: broadcast %d of kind %q is unknown or has no record", errBroken, c.Number, c.Kind)
	}
	if err != nil {
		return err
	}
	f.rules.number = c.Number
	return f.kv.Put(controlKey(controlNumber), encodeNumber(c.Number))
}

// applyRate records a rate, or its correction.
func (f *fold) applyRate(ctx context.Context, r *avro.RateRecord, at time.Time) error {
	day, err := money.ParseDay(r.Day)
	if err != nil {
		return fmt.Errorf("%w: rate %s/%s: %w", errBroken, r.Base, r.Quote, err)
	}
	key := rateKey(r.Base, r.Quote, r.Day)
	value := spaceControl.Value([]byte(r.Rate))
	if was, err := f.kv.Get(key); err != nil || bytes.Equal(was, value) {
		return err
	}
	if err := f.rules.rates.Set(r.Base, r.Quote, day, r.Rate); err != nil {
		return fmt.Errorf("%w: rate: %w", errBroken, err)
	}
	if err := f.kv.Put(key, value); err != nil {
		return err
	}
	return f.restate(ctx, "rate/"+r.Base+"/"+r.Quote+"/"+r.Day, at)
}

// applyHorizon moves the horizon forward. Days in this form compare as text.
func (f *fold) applyHorizon(h *avro.HorizonRecord) error {
	if _, err := money.ParseDay(h.Day); err != nil {
		return fmt.Errorf("%w: horizon: %w", errBroken, err)
	}
	if h.Day <= f.rules.horizon {
		return nil
	}
	f.rules.horizon = h.Day
	return f.kv.Put(controlKey(controlHorizon), spaceControl.Value([]byte(h.Day)))
}
