package attributor

import (
	"bytes"
	"fmt"
	"slices"

	"tracksource/attribution"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// takeTouch keeps a touch unless its placement is not above the one that is kept.
//
// Of the touches of one id that several identities of an account may have, books
// count the newest, so that one alone lies by time. A robot's touch never counts
// and does not lie there, but can be the newest of its id.
func (f *fold) takeTouch(ev *avro.JourneyEvent, rec *stream.Record) error {
	key := touchKey(ev)
	first, err := f.touchAt(key)
	if err != nil {
		return err
	}
	was := first
	if first != nil && !bytes.Equal(first.node, ev.Node) {
		if was = nil; first.others {
			if was, err = f.touchAt(otherKey(ev, ev.Node)); err != nil {
				return err
			}
		}
	}
	c := change{after: ev, placement: ev.Placement}
	if was != nil {
		if ev.Placement <= was.placement {
			return nil
		}
		if c.was = left; !was.removed {
			c.was = there
		}
	}
	now := touch{placement: ev.Placement, removed: ev.Removed, at: ev.OccurredAt, node: ev.Node}
	if !ev.Removed {
		if now.event, err = f.bare(ev, rec); err != nil {
			return err
		}
	}
	a := new(account) // a tombstone in place of nothing is no change of the account
	if !ev.Removed || c.was == there {
		a = f.touch(ev.Account, rec.Timestamp)
	}
	if first == nil || !first.others && bytes.Equal(first.node, ev.Node) {
		err = f.placeTouch(a, ev, key, first, now)
	} else {
		err = f.electTouch(a, ev, key, *first, now)
	}
	if err != nil {
		return fmt.Errorf("keep touch: %w", err)
	}
	if a.id != nil {
		a.note(slices.Concat(key, ev.Node), c)
	}
	return nil
}

// touchAt reads a touch, nil where there is none.
func (f *fold) touchAt(key []byte) (*touch, error) {
	value, err := f.kv.Get(key)
	if err != nil || value == nil {
		return nil, err
	}
	t, err := decodeTouch(value)
	if err != nil {
		return nil, fmt.Errorf("read touch: %w", err)
	}
	return &t, nil
}

// placeTouch makes now, which has its event, the one that counts of its id, in
// place of was; nil for none.
func (f *fold) placeTouch(a *account, ev *avro.JourneyEvent, key []byte, was *touch, now touch) error {
	bot := false
	if !now.removed {
		var err error
		if bot, err = f.isBot(ev, now); err != nil {
			return err
		}
	}
	if was != nil && was.byTime {
		a.moved(was.at)
		if now.removed || bot || !was.at.Equal(now.at) {
			if err := f.kv.Delete(timeKey(ev, was.at)); err != nil {
				return err
			}
		}
	}
	if !now.removed && !bot {
		a.moved(now.at)
		put := f.kv.PutNew // of the touches of this id one alone lies by time
		if was != nil && was.byTime && was.at.Equal(now.at) {
			put = f.kv.Put
		}
		if err := put(timeKey(ev, now.at), slices.Concat([]byte{spaceTime.Version}, now.event)); err != nil {
			return err
		}
		now.byTime, now.event = true, nil
	}
	return f.kv.Put(key, now.encode())
}

// isBot reports whether a touch is a robot's. Mostly it is the one of the event
// in hand.
func (f *fold) isBot(ev *avro.JourneyEvent, t touch) (bool, error) {
	if ev.Touch != nil && bytes.Equal(t.node, ev.Node) {
		return ev.Touch.Bot, nil
	}
	var of avro.JourneyEvent
	if err := f.cfg.Codecs.Journey.DecodeBare(t.event, &of); err != nil {
		return false, err
	}
	return of.Touch != nil && of.Touch.Bot, nil
}

// electTouch puts now beside the touches that other identities have of its id. One
// that is not above the first goes to the others; if the first itself changes, the
// best of the others may take its place.
func (f *fold) electTouch(a *account, ev *avro.JourneyEvent, key []byte, first, now touch) error {
	if !bytes.Equal(first.node, now.node) {
		whole, err := f.withEvent(ev, first)
		if err != nil {
			return err
		}
		better, err := f.better(now, whole)
		if err != nil {
			return err
		}
		if !better {
			whole, now = now, whole
		}
		// whole is the one beside it now.
		return f.swapTouch(a, ev, key, first, now, whole)
	}
	best := now
	from, to := otherKeys(ev).Range()
	err := f.kv.Scan(from, to, func(_, value []byte) (bool, error) {
		t, err := decodeTouch(value)
		if err != nil {
			return false, err
		}
		better, err := f.better(t, best)
		if better {
			best = t.clone()
		}
		return true, err
	})
	if err != nil {
		return err
	}
	if bytes.Equal(best.node, now.node) {
		now.others = true
		return f.placeTouch(a, ev, key, &first, now)
	}
	return f.swapTouch(a, ev, key, first, best, now)
}

// swapTouch makes one touch the first of its id and another one of the others;
// both have their events.
func (f *fold) swapTouch(a *account, ev *avro.JourneyEvent, key []byte, was, first, other touch) error {
	if err := f.kv.Put(otherKey(ev, other.node), other.encode()); err != nil {
		return err
	}
	if err := f.kv.Delete(otherKey(ev, first.node)); err != nil {
		return err
	}
	first.others, first.byTime = true, false
	return f.placeTouch(a, ev, key, &was, first)
}

// withEvent is the touch as it would lie among the others.
func (f *fold) withEvent(ev *avro.JourneyEvent, t touch) (touch, error) {
	if t.byTime {
		value, err := f.kv.Get(timeKey(ev, t.at))
		if err != nil {
			return t, err
		}
		if t.event, err = spaceTime.Body(value); err != nil {
			return t, err
		}
	}
	t.byTime, t.others = false, false
	return t, nil
}

func (t touch) clone() touch {
	t.node, t.event = bytes.Clone(t.node), bytes.Clone(t.event)
	return t
}

// better reports whether of two touches of one id the first counts.
func (f *fold) better(a, b touch) (bool, error) {
	switch {
	case a.removed || b.removed:
		return !a.removed, nil
	case !a.at.Equal(b.at):
		return a.at.After(b.at), nil
	}
	var first, second avro.JourneyEvent
	if err := f.cfg.Codecs.Journey.DecodeBare(a.event, &first); err != nil {
		return false, err
	}
	if err := f.cfg.Codecs.Journey.DecodeBare(b.event, &second); err != nil {
		return false, err
	}
	return attribution.Newer(touchOf(&first), touchOf(&second)), nil
}
