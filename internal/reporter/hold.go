package reporter

import (
	"fmt"
	"math"
	"time"
)

// A key whose rows were published a moment ago is held: what changes meanwhile is
// published with its last value once the interval is over. Which keys are held,
// and until when, is state, so that who takes the partition over publishes them.

// holds is what is cached of the held keys.
type holds struct {
	keys     int   // how many there are
	min, max int64 // none is due before min or behind max, milliseconds
}

func noHolds() holds { return holds{min: math.MaxInt64, max: math.MinInt64} }

// ripe reports whether a key may be due. One that is due later than an interval
// from now was held by a clock that was ahead of this one.
func (h *holds) ripe(now time.Time, throttle time.Duration) bool {
	at := now.UnixMilli()
	return h.keys > 0 && (h.min <= at || h.max > at+throttle.Milliseconds())
}

// open reports whether a row that is held until a time may be published now.
func (f *fold) open(until int64) bool {
	now := f.now.UnixMilli()
	return until <= now || until > now+f.p.cfg.Throttle.Milliseconds()
}

// release has the totals of keys that are due looked at when the batch is
// finished: as many as its records can hold again, so that they never pile up.
func (f *fold) release(records int) error {
	h := &f.p.holds
	if !h.ripe(f.now, f.p.cfg.Throttle) {
		return nil
	}
	now, left := f.now.UnixMilli(), max(f.p.cfg.SliceKeys, records)
	from, to := spaceHeld.Key().Range()
	h.min = math.MaxInt64
	err := f.releaseRange(from, to, &left, func(due int64) bool {
		if due > now {
			h.min = due
		}
		return due <= now
	})
	ahead := now + f.p.cfg.Throttle.Milliseconds()
	if err != nil || h.max <= ahead {
		return err
	}
	h.max = math.MinInt64
	err = f.releaseRange(heldRange(ahead+1), to, &left, func(due int64) bool {
		h.max = max(h.max, due)
		return true
	})
	h.max = max(h.max, ahead)
	return err
}

// releaseRange looks at held keys in the order of their time until take refuses
// one or none is left to take.
func (f *fold) releaseRange(from, to []byte, left *int, take func(due int64) bool) error {
	var found []dims
	err := f.p.kv.Scan(from, to, func(key, _ []byte) (bool, error) {
		due, d, err := readHeld(key)
		if err != nil {
			return false, err
		}
		if !take(due) {
			return false, nil
		}
		if *left == 0 {
			f.p.holds.min = min(f.p.holds.min, due)
			return false, nil
		}
		*left--
		found = append(found, d)
		return true, nil
	})
	if err != nil {
		return err
	}
	for i := range found {
		t, err := f.total(&found[i])
		if err != nil {
			return err
		}
		if t.held == 0 {
			return fmt.Errorf("%v is held and its total says that it is not", found[i])
		}
	}
	return nil
}

// hold notes until when the key of a total is held, 0 for not.
func (f *fold) hold(t *dirty, until int64) error {
	if t.held == until {
		return nil
	}
	h := &f.p.holds
	if t.held != 0 {
		if h.keys--; h.keys == 0 {
			*h = noHolds()
		}
		if err := f.p.kv.Delete(heldKey(t.held, &t.dims)); err != nil {
			return err
		}
	}
	t.held = until
	if until == 0 {
		return nil
	}
	h.keys++
	h.min, h.max = min(h.min, until), max(h.max, until)
	return f.p.kv.Put(heldKey(until, &t.dims), spaceHeld.Value(nil))
}

// loadHolds reads how many keys are held.
func (p *Processor) loadHolds() error {
	p.holds = noHolds()
	from, to := spaceHeld.Key().Range()
	err := p.kv.Scan(from, to, func(key, _ []byte) (bool, error) {
		due, _, err := readHeld(key)
		if err != nil {
			return false, err
		}
		p.holds.keys++
		p.holds.min, p.holds.max = min(p.holds.min, due), max(p.holds.max, due)
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("load held keys: %w", err)
	}
	return nil
}
