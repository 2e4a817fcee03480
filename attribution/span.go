package attribution

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"tracksource/money"
)

// Span is a stretch of an account's time whose touches a book looks at: the
// newest Max of them, the first of them, and for each pin the last one up to it.
// Robots are no touches here.
type Span struct {
	// From and To are both included.
	From, To time.Time
	Max      int
	Pins     []time.Time
}

// Spans returns the stretches that the book over the account
// looks at, in order of From, then To. They depend on everything but
// j.Touches, so whoever keeps journeys reads the rest first and then only the
// touches that matter: a book over [Select] of these is the book over all.
// An account without anything to credit has no span.
func Spans(rules Rules, j Journey) []Span { return spansOf(newBookers(rules, nil, j)) }

func spansOf(bookers []*booker) []Span {
	var spans []Span
	for _, b := range bookers {
		seen := make(map[moment]bool)
		for _, e := range b.events {
			// Most events share their moment with others.
			if e.held != nil || !seen[e.moment] {
				seen[e.moment] = e.held == nil
				spans = append(spans, b.span(e))
			}
		}
	}
	slices.SortFunc(spans, func(a, b Span) int { return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To)) })
	return spans
}

// Reach is the latest To of the spans: a touch behind it changes no book. It is
// zero without spans.
func Reach(spans []Span) time.Time {
	var reach time.Time
	for _, s := range spans {
		if s.To.After(reach) {
			reach = s.To
		}
	}
	return reach
}

// Select returns the touches that the spans look at, in order of time, of equal
// times by id, each once. Selecting from what was selected changes nothing, and
// so does what else is selected beside it: the newest of a span are the newest of
// it among any that have them all. A book over the selection is therefore the
// book over all.
func Select(touches []Touch, spans []Span) []Touch {
	var selected []Touch
	for _, t := range selectTouches(pointers(touches), spans) {
		selected = append(selected, *t)
	}
	return selected
}

func pointers(touches []Touch) []*Touch {
	list := make([]*Touch, len(touches))
	for i := range touches {
		list[i] = &touches[i]
	}
	return list
}

// selectTouches is Select over touches that stay where they are; the list is
// changed.
func selectTouches(touches []*Touch, spans []Span) []*Touch {
	touches = uniqueTouches(touches)
	slices.SortFunc(touches, func(a, b *Touch) int {
		return cmp.Or(a.At.Compare(b.At), a.ID.Compare(b.ID))
	})
	keep := make([]bool, len(touches))
	for _, span := range spans {
		span.mark(touches, keep)
	}
	selected := touches[:0]
	for i, kept := range keep {
		if kept {
			selected = append(selected, touches[i])
		}
	}
	return selected
}

// uniqueTouches keeps the newest touch of each id. Hardly ever is one there twice, so
// they are not sorted for it.
func uniqueTouches(touches []*Touch) []*Touch {
	places := make(map[ItemID]int, len(touches))
	list := touches[:0]
	for _, t := range touches {
		i, again := places[t.ID]
		if !again {
			places[t.ID] = len(list)
			list = append(list, t)
			continue
		}
		if Newer(*t, *list[i]) {
			list[i] = t
		}
	}
	return list
}

// mark sets keep for the touches, in order of time, that the span looks at.
func (s Span) mark(touches []*Touch, keep []bool) {
	pins := slices.SortedFunc(slices.Values(s.Pins), time.Time.Compare)
	left, first := s.Max, -1
	end, _ := slices.BinarySearchFunc(touches, s.To, func(t *Touch, to time.Time) int {
		if t.At.After(to) {
			return 1
		}
		return -1
	})
	for i := end - 1; i >= 0 && !touches[i].At.Before(s.From); i-- {
		t := touches[i]
		if t.Facts.Bot {
			continue
		}
		first = i
		pinned := false
		for len(pins) > 0 && !t.At.After(pins[len(pins)-1]) {
			pins, pinned = pins[:len(pins)-1], true
		}
		if left > 0 || pinned {
			keep[i] = true
		}
		left--
	}
	if first >= 0 {
		keep[first] = true
	}
}

// milestones are those that came before the moment.
func (m moment) milestones() []time.Time {
	return slices.DeleteFunc([]time.Time{m.lead, m.created, m.closed}, time.Time.IsZero)
}

// span is what one event looks at. An event that is held back has no day to count
// from, and looks at all there is.
func (b *booker) span(e event) Span {
	if e.held != nil {
		return Span{From: earliest, To: latest, Max: b.contract.Journey.Touches + 1, Pins: e.milestones()}
	}
	return b.spanOf(e.moment)
}

func (b *booker) spanOf(m moment) Span {
	// One more than may share it tells that there are more.
	s := Span{
		From: b.dayStart(m.day.Add(1 - b.contract.Window.LookbackDays)),
		To:   m.cutoff.at, Max: b.contract.Journey.Touches + 1, Pins: m.milestones(),
	}
	if m.cutoff.byDay {
		s.To = b.dayStart(m.cutoff.day.Add(1)).Add(-time.Microsecond)
	}
	return s
}

// earliest and latest are around all touches that can be.
var (
	earliest = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
)

func (b *booker) dayStart(day money.Day) time.Time {
	at, known := b.starts[day]
	if !known {
		at = dayStart(day, b.contract.Zone)
		b.starts[day] = at
	}
	return at
}

// dayStart returns the first instant, to the microsecond, at which clocks in the
// zone show the day or a later one. It is searched for, because some zones have no
// such midnight on some days, and some have it twice.
func dayStart(day money.Day, zone *time.Location) time.Time {
	midnight := time.Unix(int64(day)*24*60*60, 0).UTC()
	const around = 26 * time.Hour // no zone is further from UTC than 14 hours
	after := sort.Search(int(2*around/time.Microsecond), func(i int) bool {
		return money.DayOf(midnight.Add(time.Duration(i)*time.Microsecond-around), zone) >= day
	})
	return midnight.Add(time.Duration(after)*time.Microsecond - around)
}
