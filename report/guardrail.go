package report

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/money"
)

// Reading is what a guardrail is held against.
type Reading struct {
	Guardrail string
	// Subject is a feed as crm.acme, or a measure, with /partner behind it for one
	// partner's; empty where there is one alone.
	Subject string
	// Value is in the guardrail's unit; without meaning where it is not Known.
	Value int64
	Known bool
	// Detail is what the value is made of, or what is missing.
	Detail   string
	Evidence []string
}

// Text is the value as records have it, empty without one.
func (r *Reading) Text(c *contract.Contract) string {
	if !r.Known {
		return ""
	}
	return c.Guardrail(r.Guardrail).Unit.Text(r.Value)
}

// GuardrailDays is how many days, the evaluated one included, accuracy, confidence and
// key figures look at, and TotalDays how many control totals are remembered for.
const (
	GuardrailDays = 90
	TotalDays     = 30
)

// held is a ratio in the parts that a guardrail's values are held in, rounded against
// whoever is judged by it: no rounding brings a value into a better band. It stays
// within what records take, which no bound is near.
func held(r *big.Rat, unit contract.Unit, atMost bool) int64 {
	const wholeMax = 999_999_999 // what a record takes in front of the point
	parts, most := big.NewInt(contract.RatioWhole), int64(wholeMax*contract.RatioWhole)
	switch unit {
	case contract.UnitHours:
		parts, most = big.NewInt(1), wholeMax
	case contract.UnitPercent:
		most /= 100
	case contract.UnitTimes, contract.UnitMonths:
	}
	n := new(big.Int).Mul(r.Num(), parts)
	if atMost {
		n.Neg(n)
	}
	q := new(big.Int).Div(n, r.Denom()) // Euclidean over a positive denominator: the floor
	if atMost {
		q.Neg(q)
	}
	if !q.IsInt64() || q.Int64() > most || q.Int64() < -most {
		return int64(q.Sign()) * most
	}
	return q.Int64()
}

func reading(g contract.Guardrail, subject string, r *big.Rat, detail string) Reading {
	return Reading{Guardrail: g.Name, Subject: subject, Value: held(r, g.Unit, g.AtMost), Known: true, Detail: detail}
}

// AccuracyQuestion is what the book's accuracy is asked of.
type AccuracyQuestion struct {
	Contract *contract.Contract
	Within   Span
	// Rows are what the rows of the agreed model sum to in Within, in the contract's
	// currency, by measure.
	Rows  map[string]Value
	Rates *money.Rates
}

// AccuracyMeasures lists the measures that accuracy is of.
func AccuracyMeasures() []string {
	return []string{attribution.MeasurePipelineCreated, attribution.MeasureRevenue}
}

// Accuracy is the reconciled value over the system of record's.
//
// Of each of AccuracyMeasures the system of record's value is that of the deals in the
// book, and of those that are in no total because they are held, or may be a deal of
// another CRM, at the CRM's own amount, valued at the rate of their day; what has no
// day is taken on the last one. What cannot be valued is named and in neither value.
// The reconciled value is that of the deals in the book, less by how much the rows that
// were published differ from the facts of the same days, in whichever direction.
func Accuracy(deals Deals, q AccuracyQuestion) Reading {
	a := accuracy{q: q, lacks: map[string]int{}}
	for d := range deals {
		for _, measure := range AccuracyMeasures() {
			a.deal(d, measure)
		}
	}
	reconciled := a.deals
	for _, measure := range AccuracyMeasures() {
		apart := a.facts[measure].Sub(q.Rows[measure])
		if apart.Sign() > 0 {
			apart = Value{}.Sub(apart)
		}
		reconciled = reconciled.Add(apart)
	}
	if reconciled.Sign() < 0 {
		reconciled = Value{}
	}
	whole := a.deals.Add(a.apart)
	g := q.Contract.Guardrail(contract.GuardAccuracy)
	text := func(v Value) string { return Money(v, q.Contract.Currency) }
	detail := fmt.Sprintf("%s reconciled of %s, %s to %s", text(reconciled), text(whole), q.Within.From, q.Within.To)
	if a.apart.Sign() != 0 {
		detail += fmt.Sprintf("; %s of %d measures held or suspected", text(a.apart), a.aparts)
	}
	for _, why := range slices.Sorted(maps.Keys(a.lacks)) {
		detail += fmt.Sprintf("; %d without a value: %s", a.lacks[why], strings.ReplaceAll(why, "_", " "))
	}
	if whole.Sign() <= 0 {
		return Reading{Guardrail: g.Name, Detail: "no data: " + detail}
	}
	return reading(g, "", new(big.Rat).Quo(reconciled.rat(), whole.rat()), detail)
}

// accuracy is what is added up of it.
type accuracy struct {
	q            AccuracyQuestion
	facts        map[string]Value // of all that is in the book, orders and other CRMs as well
	deals, apart Value            // of the deals in the book, and of those in no total
	aparts       int
	lacks        map[string]int // how many cannot be valued, by why
}

func (a *accuracy) deal(d *Deal, measure string) {
	if a.facts == nil {
		a.facts = map[string]Value{}
	}
	f := d.Newest()
	if _, m, ok := d.Measure(measure); ok {
		if m.Currency == a.q.Contract.Currency && a.q.Within.Holds(m.Day) {
			v := ValueOf(m.Value, m.Exponent)
			a.facts[measure] = a.facts[measure].Add(v)
			if !f.Order {
				a.deals = a.deals.Add(v)
			}
		}
		return
	}
	if f.Order {
		return
	}
	if f.Excluded == attribution.ExcludedSuspected {
		if measure == attribution.MeasurePipelineCreated || f.State == string(contract.StateWon) {
			a.value(f, suspectedDay(f, measure, a.q.Contract.Zone), attribution.ExcludedSuspected)
		}
		return
	}
	for i := range d.Parts {
		for n := range d.Parts[i].Measures {
			if m := &d.Parts[i].Measures[n]; m.Measure == measure && m.Held != "" && m.InScope {
				a.value(f, m.Day, m.Held)
				return
			}
		}
	}
}

// suspectedDay is the day that a measure of a deal would have, 0 where nobody says it.
func suspectedDay(f *attribution.Facts, measure string, zone *time.Location) money.Day {
	if measure == attribution.MeasurePipelineCreated {
		if f.CreatedAt.IsZero() {
			return 0
		}
		return money.DayOf(f.CreatedAt, zone)
	}
	day, err := money.ParseDay(f.CloseDate)
	if err != nil {
		return 0
	}
	return day
}

// value adds the CRM's amount of a deal that is in no total.
func (a *accuracy) value(f *attribution.Facts, day money.Day, why string) {
	if day == 0 {
		day = a.q.Within.To
	}
	if !a.q.Within.Holds(day) {
		return
	}
	c := a.q.Contract
	amount, err := money.Parse(f.Amount, f.Currency)
	if err == nil {
		amount, _, err = a.q.Rates.Convert(amount, c.Currency, day, c.RateAgeDays)
	}
	switch {
	case errors.Is(err, money.ErrNoRate):
		a.lacks["no rate for "+f.Currency]++
	case err != nil:
		a.lacks[why]++
	default:
		a.aparts++
		a.apart = a.apart.Add(ValueOf(amount.Minor, c.Exponent))
	}
}

// Accuracy is the accuracy that a reconciliation with an export shows, as the value of
// the guardrail: the value of the deals that are worth the same on both sides over that
// of the export; false where the export has no value.
func (r *Reconciliation) Accuracy() (string, bool) {
	if r.Theirs.Sign() <= 0 {
		return "", false
	}
	matched := r.Theirs
	for i := range r.Deals {
		matched = matched.Sub(r.Deals[i].Theirs)
	}
	if matched.Sign() < 0 {
		matched = Value{}
	}
	return contract.UnitPercent.Text(held(new(big.Rat).Quo(matched.rat(), r.Theirs.rat()), contract.UnitPercent, false)), true
}

// Confidence is the confident part of what is attributed, times the completeness of
// the least complete feed as far as one is known; feed names it.
func Confidence(c *contract.Contract, attributed, confident Value, completeness *int64, feed string) Reading {
	g := c.Guardrail(contract.GuardConfidence)
	if attributed.Sign() <= 0 {
		return Reading{Guardrail: g.Name, Detail: "no data: an attributed value is missing"}
	}
	r := new(big.Rat).Quo(confident.rat(), attributed.rat())
	detail := fmt.Sprintf("%s of %s attributed", Money(confident, c.Currency), Money(attributed, c.Currency))
	if completeness == nil {
		detail += ", completeness of no feed is known"
	} else {
		r.Mul(r, big.NewRat(*completeness, contract.RatioWhole))
		detail += fmt.Sprintf(", times the %s%% that came of %s", contract.UnitPercent.Text(*completeness), feed)
	}
	return reading(g, "", r, detail)
}

// Freshness is how many hours old the newest event of a feed is at the end of a day,
// each begun hour counted; zero time for a feed of which nothing came yet.
func Freshness(c *contract.Contract, feed string, newest, end time.Time) Reading {
	g := c.Guardrail(contract.GuardFreshness)
	if newest.IsZero() {
		return Reading{Guardrail: g.Name, Subject: feed, Detail: "no data: nothing came yet"}
	}
	age := max(end.Sub(newest), 0)
	return Reading{
		Guardrail: g.Name, Subject: feed, Value: int64((age + time.Hour - 1) / time.Hour), Known: true,
		Detail: "newest event " + newest.UTC().Format(time.RFC3339),
	}
}

// DayTotal is what a partner said that it sent of one source on one day, and what
// came, as counts and as sums by currency.
type DayTotal struct {
	Feed, Source string
	Day          money.Day
	Count        SaidCame
	Sums         map[string]SaidCame
}

// SaidCame is one number as it was said and as it came.
type SaidCame struct{ Said, Came Value }

// apart is by how much what came differs, as a part of what was said.
func (s SaidCame) apart() *big.Rat {
	d := s.Said.Sub(s.Came).rat()
	d.Abs(d)
	switch said := s.Said.rat(); {
	case d.Sign() == 0:
		return d
	case said.Sign() == 0:
		return rat(1)
	default:
		return d.Quo(d, said.Abs(said))
	}
}

// Totals holds what came of a feed against what was said of it: by how much of what was
// said of events came, of no day more than was said, and by how much the number that
// differs most does.
func Totals(c *contract.Contract, feed string, totals []DayTotal) (completeness, apart Reading) {
	complete, control := c.Guardrail(contract.GuardCompleteness), c.Guardrail(contract.GuardControlTotals)
	var said, came Value
	worst, worstOf, days := new(big.Rat), "", 0
	list := slices.Clone(totals)
	slices.SortFunc(list, func(a, b DayTotal) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Source, b.Source)) })
	for _, t := range list {
		if t.Feed != feed {
			continue
		}
		days++
		said = said.Add(t.Count.Said)
		came = came.Add(least(t.Count.Came, t.Count.Said))
		note := func(s SaidCame, of string) {
			if d := s.apart(); d.Cmp(worst) > 0 {
				worst, worstOf = d, fmt.Sprintf("%s of %s: %s%s said, %s came", t.Source, t.Day, of, s.Said.Text(0), s.Came.Text(0))
			}
		}
		note(t.Count, "")
		for _, currency := range slices.Sorted(maps.Keys(t.Sums)) {
			note(t.Sums[currency], cmp.Or(currency, "without a currency")+" ")
		}
	}
	if days == 0 {
		const none = "no data: a control total of the feed is missing"
		return Reading{Guardrail: complete.Name, Subject: feed, Detail: none}, Reading{Guardrail: control.Name, Subject: feed, Detail: none}
	}
	all := fmt.Sprintf("%d control totals agree", days)
	if worstOf != "" {
		all = worstOf
	}
	apart = reading(control, feed, worst, all)
	if said.Sign() <= 0 {
		return Reading{Guardrail: complete.Name, Subject: feed, Detail: "no data: nothing was said to be sent"}, apart
	}
	detail := fmt.Sprintf("%s of %s events in %d control totals", came.Text(0), said.Text(0), days)
	return reading(complete, feed, new(big.Rat).Quo(came.rat(), said.rat()), detail), apart
}

func least(a, b Value) Value {
	if a.Cmp(b) < 0 {
		return a
	}
	return b
}

// Pacing is what a measure reached over what is expected of it by the day, in the
// period of the goal; partner is whose it is, empty for all.
func Pacing(c *contract.Contract, measure, partner string, goal Goal, day money.Day, reached Value, places int) Reading {
	g := c.Guardrail(contract.GuardPacing)
	subject := measure
	if partner != "" {
		subject += "/" + partner
	}
	expected := goal.Until(day, places)
	detail := fmt.Sprintf("%s reached, %s expected of %s, %s to %s", reached.Text(places), expected.Text(places), goal.Amount.Text(places), goal.Period.From, day)
	if expected.Sign() <= 0 {
		return Reading{Guardrail: g.Name, Subject: subject, Detail: "no data: nothing is expected yet"}
	}
	return reading(g, subject, new(big.Rat).Quo(reached.rat(), expected.rat()), detail)
}
