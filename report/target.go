package report

import (
	"cmp"
	"math/big"
	"slices"

	"tracksource/money"
)

// Target is what a measure is to reach in a period, which ends on Day.
type Target struct {
	Day                              money.Day
	Measure, Partner, Channel, Asset string // empty: all together
	Currency                         string // empty for counts
	Amount                           Value
}

// Goal is a target with its period.
type Goal struct {
	Period Span
	Amount Value
}

// GoalsOf returns the goals of one measure, in the order of their periods. Those for
// all together count where partner is empty, and where there is none of them the sum
// of those that name a partner and nothing else; with a partner, those that name it.
//
// A period begins on the day after the last one of the same names ended, and the
// first one of all with the calendar quarter in which it ends.
func GoalsOf(targets []Target, measure, currency, partner string) []Goal {
	whole, parts := map[string][]Target{}, map[string][]Target{}
	for _, t := range targets {
		switch {
		case t.Measure != measure || t.Currency != currency || t.Channel != "" || t.Asset != "":
		case t.Partner == partner:
			whole[t.Partner] = append(whole[t.Partner], t)
		case partner == "":
			parts[t.Partner] = append(parts[t.Partner], t)
		}
	}
	if len(whole) == 0 {
		whole = parts
	}
	sums := map[Span]Value{}
	for _, list := range whole {
		slices.SortFunc(list, func(a, b Target) int { return cmp.Compare(a.Day, b.Day) })
		for i, t := range list {
			period := Span{quarterStart(t.Day), t.Day}
			if i > 0 {
				period.From = list[i-1].Day.Add(1)
			}
			sums[period] = sums[period].Add(t.Amount)
		}
	}
	goals := make([]Goal, 0, len(sums))
	for period, amount := range sums {
		goals = append(goals, Goal{period, amount})
	}
	slices.SortFunc(goals, func(a, b Goal) int {
		return cmp.Or(cmp.Compare(a.Period.To, b.Period.To), cmp.Compare(a.Period.From, b.Period.From))
	})
	return goals
}

func quarterStart(d money.Day) money.Day {
	first := ByMonth.Start(d)
	for range (int(date(first).Month()) - 1) % 3 {
		first = ByMonth.Start(first.Add(-1))
	}
	return first
}

// GoalOn returns the goal whose period the day is in; of several, those that
// overlap, the one that ends first.
func GoalOn(goals []Goal, day money.Day) (Goal, bool) {
	i := slices.IndexFunc(goals, func(g Goal) bool { return g.Period.Holds(day) })
	if i < 0 {
		return Goal{}, false
	}
	return goals[i], true
}

// Until is the part of the goal that its days up to the day have, pro rata and
// rounded down to a whole number of 10^-places, so that it is all of it on the last
// day, and the parts of spans that follow each other sum to the whole.
func (g Goal) Until(day money.Day, places int) Value {
	switch {
	case day < g.Period.From:
		return Value{}
	case day >= g.Period.To:
		return g.Amount
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale-places)), nil)
	n := new(big.Int).Mul(g.Amount.int(), big.NewInt(int64(day-g.Period.From)+1))
	n.Quo(n, unit.Mul(unit, big.NewInt(int64(g.Period.Days()))))
	return Value{n.Mul(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale-places)), nil))}
}

// In is the part of all goals that falls on the days of a span.
func In(goals []Goal, span Span, places int) Value {
	var sum Value
	for _, g := range goals {
		sum = sum.Add(g.Until(span.To, places)).Sub(g.Until(span.From.Add(-1), places))
	}
	return sum
}

// Status is how a measure stands against what is expected of it by now.
type Status string

// The statuses. There is none without a target.
const (
	Ahead   Status = "ahead"    // at least what is expected
	OnTrack Status = "on_track" // at least nine tenths of it
	Behind  Status = "behind"
	NoGoal  Status = "none"
)

// StatusOf judges what was reached.
func StatusOf(reached, expected Value) Status {
	ten, nine := big.NewInt(10), big.NewInt(9)
	switch {
	case reached.Cmp(expected) >= 0:
		return Ahead
	case new(big.Int).Mul(reached.int(), ten).Cmp(new(big.Int).Mul(expected.int(), nine)) >= 0:
		return OnTrack
	}
	return Behind
}

// Ratio is a part of a whole as decimal text with four places, rounded half away from
// zero; false for a whole of zero.
func Ratio(part, whole Value) (string, bool) { return ratio(part, whole, 4) }

// Certainty is what is certain of a value, as a part of it with six places, rounded as
// Ratio does; false for a value of zero.
func Certainty(certain, value Value) (string, bool) { return ratio(certain, value, 6) }

func ratio(part, whole Value, places int) (string, bool) {
	if whole.int().Sign() == 0 {
		return "", false
	}
	unit := int64(1)
	for range places {
		unit *= 10
	}
	n := new(big.Int).Mul(part.int(), big.NewInt(2*unit))
	negative := n.Sign()*whole.int().Sign() < 0
	n.Abs(n)
	w := new(big.Int).Abs(whole.int())
	n.Quo(n.Add(n, w), w.Mul(w, big.NewInt(2)))
	if negative {
		n.Neg(n)
	}
	v := Value{n.Mul(n, big.NewInt(1_000_000_000/unit))} // in 10^-9
	return v.Text(places), true
}
