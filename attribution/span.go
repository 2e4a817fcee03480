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
func Spans(rules Rules, j Journey) []Span {
	var spans []Span
	for _, r := range rules {
		b := newBooker(r, nil, j)
		for _, e := range b.events {
			spans = append(spans, b.span(e))
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
	sorted := unique(touches, func(t *Touch) ItemID { return t.ID }, func(t *Touch) time.Time { return t.At })
	slices.SortFunc(sorted, compareTouches)
	keep := make([]bool, len(sorted))
	for _, span := range spans {
		span.mark(sorted, keep)
	}
	var selected []Touch
	for i, kept := range keep {
		if kept {
			selected = append(selected, sorted[i])
		}
	}
	return selected
}

func compareTouches(a, b Touch) int {
	return cmp.Or(a.At.Compare(b.At), a.ID.Compare(b.ID))
}

// mark sets keep for the touches, in order of time, that the span looks at.
func (s Span) mark(touches []Touch, keep []bool) {
	pins := slices.Clone(s.Pins)
	slices.SortFunc(pins, time.Time.Compare)
	left := s.Max
	first := -1
	for i, t := range slices.Backward(touches) {
		if t.Facts.Bot || t.At.After(s.To) {
			continue
		}
		if t.At.Before(s.From) {
			break
		}
		first = i
		pinned := len(pins) > 0 && !t.At.After(pins[len(pins)-1])
		for len(pins) > 0 && !t.At.After(pins[len(pins)-1]) {
			pins = pins[:len(pins)-1]
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

// milestones are those that came before the event.
func (e event) milestones() []time.Time {
	return slices.DeleteFunc([]time.Time{e.lead, e.created, e.closed}, time.Time.IsZero)
}

// span is what one event looks at. An event that is held back has no day
// to count from, and looks at all there is.
func (b *booker) span(e event) Span {
	// One more than may share it tells that there are more.
	s := Span{From: earliest, To: latest, Max: b.contract.Journey.Touches + 1, Pins: e.milestones()}
	if e.held != nil {
		return s
	}
	s.From = dayStart(e.day.Add(1-b.contract.Window.LookbackDays), b.contract.Zone)
	if s.To = e.cutoff.at; e.cutoff.byDay {
		s.To = dayStart(e.cutoff.day.Add(1), b.contract.Zone).Add(-time.Microsecond)
	}
	return s
}

// earliest and latest are around all touches that can be.
var (
	earliest = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
)

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
