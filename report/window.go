package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tracksource/money"
)

// Window is the days that a question is about.
type Window struct {
	// Name is Nd, all, or custom for days from one to another.
	Name string
	// Span is nil for all days.
	Span *Span
}

// The names of windows that are not Nd.
const (
	WindowAll    = "all"
	WindowCustom = "custom"
	// WindowDefault is what is meant where none is named.
	WindowDefault = "90d"
)

// WindowDaysMax bounds a window, in days: ten years and a little.
const WindowDaysMax = 3660

// Windows lists the windows that people are offered; every other Nd works as well.
func Windows() []string { return []string{"7d", "30d", "90d", "365d", WindowAll} }

// ParseWindow reads Nd, which is the last N calendar days with today, or all.
func ParseWindow(name string, today money.Day) (Window, error) {
	if name == WindowAll {
		return Window{Name: name}, nil
	}
	digits, isDays := strings.CutSuffix(name, "d")
	n, err := strconv.Atoi(digits)
	if !isDays || err != nil || n < 1 || n > WindowDaysMax || digits != strconv.Itoa(n) {
		return Window{}, fmt.Errorf("a window is all, or days from 1d to %dd", WindowDaysMax)
	}
	return Window{Name: name, Span: &Span{From: today.Add(1 - n), To: today}}, nil
}

// ParseSpan reads a window from one day to another, both included.
func ParseSpan(from, to string) (Window, error) {
	first, err := money.ParseDay(from)
	if err != nil {
		return Window{}, fmt.Errorf("from: write YYYY-MM-DD")
	}
	last, err := money.ParseDay(to)
	if err != nil {
		return Window{}, fmt.Errorf("to: write YYYY-MM-DD")
	}
	if last < first || last-first >= WindowDaysMax {
		return Window{}, fmt.Errorf("to is not before from, and at most %d days are asked for", WindowDaysMax)
	}
	return Window{Name: WindowCustom, Span: &Span{first, last}}, nil
}

// Days is how many days the span has.
func (s Span) Days() int { return int(s.To-s.From) + 1 }

// Holds reports whether the day is in the span.
func (s Span) Holds(d money.Day) bool { return d >= s.From && d <= s.To }

// Meet is the days of both, false if there is none.
func (s Span) Meet(other Span) (Span, bool) {
	both := Span{max(s.From, other.From), min(s.To, other.To)}
	return both, both.From <= both.To
}

// Previous is as many days right before, false for all days.
func (w Window) Previous() (Span, bool) {
	if w.Span == nil {
		return Span{}, false
	}
	n := w.Span.Days()
	return Span{w.Span.From.Add(-n), w.Span.From.Add(-1)}, true
}

// Step is how a span is cut for a series.
type Step string

// The steps. Weeks begin on Monday.
const (
	ByDay   Step = "day"
	ByWeek  Step = "week"
	ByMonth Step = "month"
)

// Steps lists the steps.
func Steps() []Step { return []Step{ByDay, ByWeek, ByMonth} }

// date is the day as a calendar date.
func date(d money.Day) time.Time {
	const secondsPerDay = 24 * 60 * 60
	return time.Unix(int64(d)*secondsPerDay, 0).UTC()
}

func dayOf(at time.Time) money.Day { return money.DayOf(at, time.UTC) }

// Start is the first day of the step that the day is in.
func (s Step) Start(d money.Day) money.Day {
	at := date(d)
	switch s {
	case ByWeek:
		return d.Add(-(int(at.Weekday()) + 6) % 7)
	case ByMonth:
		return d.Add(1 - at.Day())
	case ByDay:
	}
	return d
}

// Next is the first day of the step after the one that begins on start.
func (s Step) Next(start money.Day) money.Day {
	switch s {
	case ByWeek:
		return start.Add(7)
	case ByMonth:
		return dayOf(date(start).AddDate(0, 1, 0))
	case ByDay:
	}
	return start.Add(1)
}

// Cut cuts a span into steps: their first days, of which the first may lie before
// the span.
func (s Step) Cut(span Span) []money.Day {
	var starts []money.Day
	for d := s.Start(span.From); d <= span.To; d = s.Next(d) {
		starts = append(starts, d)
	}
	return starts
}
