package attributor

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"tracksource/attribution"
	"tracksource/identity"
	"tracksource/schemas/avro"
)

// due returns the accounts of the batch whose books can have changed. A touch
// behind all that the account has to credit changes none, which the account's
// reach tells without its journey. A sweep may be the sign that reaches are out of
// date.
func (f *fold) due() ([]*account, error) {
	if f.rules.sweep.active {
		return f.order, nil
	}
	var due []*account
	for _, a := range f.order {
		if !a.objects {
			if !a.touches {
				continue
			}
			value, err := f.kv.Get(reachKey(a.id))
			if err != nil {
				return nil, fmt.Errorf("reach of account %x: %w", a.id, err)
			}
			if value == nil {
				continue
			}
			reach, err := decodeReach(value)
			if err != nil {
				return nil, fmt.Errorf("reach of account %x: %w", a.id, err)
			}
			if a.from.After(reach) {
				continue
			}
		}
		due = append(due, a)
	}
	return due, nil
}

// keepReach keeps the last instant at which a touch can matter to the account;
// zero for none.
func (f *fold) keepReach(account []byte, reach time.Time) error {
	key := reachKey(account)
	value, err := f.kv.Get(key)
	if err != nil {
		return err
	}
	if reach.IsZero() {
		if value == nil {
			return nil
		}
		return f.kv.Delete(key)
	}
	if encoded := encodeReach(reach); !bytes.Equal(encoded, value) {
		return f.kv.Put(key, encoded)
	}
	return nil
}

// journey reads what the books of the account look at: its objects, and of its
// touches those of the spans that follow from them. It also returns the reach of
// these.
func (f *fold) journey(id []byte) (attribution.Journey, time.Time, error) {
	j := attribution.Journey{Account: string(id)}
	if node, err := identity.Parse(id); err == nil {
		j.Name = node.AccountName()
	}
	from, to := accountObjects(id).Range()
	err := f.kv.Scan(from, to, func(_, value []byte) (bool, error) {
		o, err := decodeObject(value)
		if err != nil || o.removed {
			return err == nil, err
		}
		var ev avro.JourneyEvent
		if err := f.cfg.Codecs.Journey.DecodeBare(o.event, &ev); err != nil {
			return false, err
		}
		addItem(&j, &ev)
		return true, nil
	})
	if err != nil {
		return j, time.Time{}, err
	}
	var spans []attribution.Span
	for _, c := range f.rules.campaigns {
		spans = append(spans, attribution.Spans(c.rules, j)...)
	}
	return j, attribution.Reach(spans), f.addTouches(&j, spans)
}

// stretch is a span that is being read, from its end.
type stretch struct {
	attribution.Span
	left int       // touches to be read yet
	done bool      // read to its beginning, or as far as it is looked at
	cut  bool      // not read to its beginning
	at   time.Time // and the last one read, where it is cut
}

// addTouches reads the touches that the spans look at: from the end of each as
// many as it wants, and where that is not all of it the first and those of the
// pins. What two spans look at is read once, and what lies between spans is not
// read at all.
func (f *fold) addTouches(j *attribution.Journey, spans []attribution.Span) error {
	var open []*stretch
	for _, s := range spans {
		if i := slices.IndexFunc(open, func(have *stretch) bool { return have.From.Equal(s.From) && have.To.Equal(s.To) }); i >= 0 {
			open[i].left, open[i].Pins = max(open[i].left, s.Max), append(slices.Clone(open[i].Pins), s.Pins...)
			continue
		}
		open = append(open, &stretch{Span: s, left: s.Max})
	}
	account := []byte(j.Account)
	all := slices.Clone(open)
	for len(open) > 0 {
		if err := f.readBack(j, account, open); err != nil {
			return err
		}
		open = slices.DeleteFunc(open, func(s *stretch) bool { return s.done })
	}
	for _, s := range all {
		if !s.cut {
			continue
		}
		begin, end := accountTouches(account).Time(s.From), accountTouches(account).Time(s.To.Add(time.Microsecond))
		if err := f.kv.Scan(begin, end, f.addOne(j)); err != nil {
			return err
		}
		for _, pin := range s.Pins {
			if !pin.Before(s.at) || pin.Before(s.From) {
				continue // its touch was read, or is not there
			}
			if err := f.kv.ScanBack(begin, accountTouches(account).Time(pin.Add(time.Microsecond)), f.addOne(j)); err != nil {
				return err
			}
		}
	}
	return nil
}

// readBack reads touches from the last end of the open stretches to where none of
// them wants more. A stretch that is open then ends in front of what was read.
func (f *fold) readBack(j *attribution.Journey, account []byte, open []*stretch) error {
	from, to := open[0].From, open[0].To
	for _, s := range open[1:] {
		if s.From.Before(from) {
			from = s.From
		}
		if s.To.After(to) {
			to = s.To
		}
	}
	add := f.addOne(j)
	stopped := false
	begin, end := accountTouches(account).Time(from), accountTouches(account).Time(to.Add(time.Microsecond))
	err := f.kv.ScanBack(begin, end, func(key, value []byte) (bool, error) {
		at, err := touchTime(key)
		if err != nil {
			return false, err
		}
		wanted, more := wantedBy(open, at)
		if stopped = !wanted || !more; wanted {
			_, err = add(key, value)
		}
		return !stopped, err
	})
	for _, s := range open {
		s.done = s.done || !stopped // there is nothing in front
	}
	return err
}

// wantedBy reports whether a stretch wants the touch of this instant, and whether
// one may want those in front of it.
func wantedBy(stretches []*stretch, at time.Time) (wanted, more bool) {
	for _, s := range stretches {
		switch {
		case s.done:
		case at.After(s.To):
			more = true
		case at.Before(s.From):
			s.done = true
		default:
			wanted = true
			if s.left--; s.left == 0 {
				s.done, s.cut, s.at = true, true, at
			} else {
				more = true
			}
		}
	}
	return wanted, more
}

// addOne returns what adds one touch to the journey.
func (f *fold) addOne(j *attribution.Journey) func(key, value []byte) (bool, error) {
	return func(_, value []byte) (bool, error) {
		bare, err := spaceTime.Body(value)
		if err != nil {
			return false, err
		}
		var ev avro.JourneyEvent
		if err := f.cfg.Codecs.Journey.DecodeBare(bare, &ev); err != nil {
			return false, err
		}
		addItem(j, &ev)
		return false, nil
	}
}

func touchTime(key []byte) (time.Time, error) {
	parts := spaceTime.Parts(key)
	parts.Bytes()
	at := parts.Time()
	parts.Ordered()
	parts.Ordered()
	parts.Ordered()
	return at, parts.End()
}
