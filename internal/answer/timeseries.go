package answer

import (
	"context"
	"fmt"
	"slices"

	"tracksource/money"
	"tracksource/report"
)

// The series of a timeline beside which there is (other).
const (
	topDefault     = 8
	topSeries      = 50
	stepsMax       = report.WindowDaysMax
	parameterSteps = "step"
)

// Timeseries is a measure over time.
func (a *Answers) Timeseries(_ context.Context, v report.Viewer, q Query) (TimeseriesAnswer, error) {
	of, err := a.askRows(v, &q)
	if err != nil {
		return TimeseriesAnswer{}, err
	}
	m, err := of.measure(q.Measure)
	if err != nil {
		return TimeseriesAnswer{}, err
	}
	dims, err := by(q.By, 1, false)
	if err != nil {
		return TimeseriesAnswer{}, err
	}
	var steps []string
	for _, s := range report.Steps() {
		steps = append(steps, string(s))
	}
	step, err := one(parameterSteps, q.Step, steps)
	if err != nil {
		return TimeseriesAnswer{}, err
	}
	top := q.Top
	if top == 0 {
		top = topDefault
	}
	if top < 0 || top > topSeries {
		return TimeseriesAnswer{}, &Error{Parameter: "top", Detail: fmt.Sprintf("top is from 1 to %d", topSeries), Allowed: []string{}}
	}
	f, err := of.figures(m, of.askFor(append([]report.Dimension{report.Day}, dims...)...))
	if err != nil {
		return TimeseriesAnswer{}, err
	}
	span, err := of.spanOf(f, report.Step(step))
	if err != nil {
		return TimeseriesAnswer{}, err
	}
	line, err := report.NewTimeline(f.Breakdown, span, report.Step(step), top)
	if err != nil {
		return TimeseriesAnswer{}, err
	}
	out := TimeseriesAnswer{Measure: m.Name, Currency: f.Currency, Step: step, Starts: []string{}, Series: []Series{}}
	for _, d := range line.Starts {
		out.Starts = append(out.Starts, d.String())
	}
	if out.Total, err = of.totals(f, m.Name, span, report.Step(step)); err != nil {
		return TimeseriesAnswer{}, err
	}
	for _, s := range line.Series {
		// What a measure that is whole for each partner has for the others is no sum.
		if s.Key != report.Other || m.Additive() {
			out.Series = append(out.Series, Series{s.Key, f.list(s.Values)})
		}
	}
	if out.Target, err = of.targetSteps(m.Name, f.Currency, line.Starts, span, report.Step(step)); err != nil {
		return TimeseriesAnswer{}, err
	}
	out.Envelope = of.Envelope
	return out, nil
}

func (f *figures) list(values []report.Value) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = text(v, f.Currency)
	}
	return out
}

// spanOf is the days of a timeline: the window, or where it is all days those that
// have a value, and today.
func (q *asked) spanOf(f *figures, step report.Step) (report.Span, error) {
	if q.window.Span != nil {
		return *q.window.Span, nil
	}
	span := report.Span{From: q.today, To: q.today}
	for _, g := range f.Breakdown.Groups {
		day, err := money.ParseDay(g.Key[0])
		if err != nil {
			return span, err
		}
		span.From, span.To = min(span.From, day), max(span.To, day)
	}
	if len(step.Cut(span)) > stepsMax {
		return span, &Error{Parameter: parameterSteps, Detail: "there are too many days for steps of that length: ask for a window, or for longer steps", Allowed: []string{}}
	}
	return span, nil
}

// totals are the steps of the total, where there is one that the viewer may see.
func (q *asked) totals(f *figures, measure string, span report.Span, step report.Step) ([]string, error) {
	if f.total == nil {
		return nil, nil
	}
	m, err := q.measure(measure)
	if err != nil {
		return nil, err
	}
	b := f.Breakdown
	if q.sight == report.SeesOwn {
		// The groups are its own, and the total may be of all: it is given for each step
		// only where each has enough partners.
		return q.ownTotals(f, m.Name, span, step)
	}
	line, err := report.NewTimeline(b, span, step, topSeries)
	if err != nil {
		return nil, err
	}
	return f.list(line.Total), nil
}

// ownTotals are given to a viewer of its own rows if every step with a value that is
// not its own is of enough partners.
func (q *asked) ownTotals(f *figures, measure string, span report.Span, step report.Step) ([]string, error) {
	ask := q.askFor(report.Day, report.Partner)
	ask.Within = &span // of all days those that have a step: others may have rows on more
	sums, err := q.sums(measure, ask)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(sums[0].Breakdowns, func(b report.Breakdown) bool { return b.Currency == f.Currency })
	if i < 0 {
		return f.list(make([]report.Value, len(step.Cut(span)))), nil
	}
	line, err := report.NewTimeline(sums[0].Breakdowns[i], span, step, len(sums[0].Breakdowns[i].Groups))
	if err != nil {
		return nil, err
	}
	for at := range line.Starts {
		partners, others := 0, false
		for _, s := range line.Series {
			if s.Values[at].Sign() == 0 {
				continue
			}
			others = others || s.Key != q.viewer.Partner
			if q.campaign.Contract.IsPartner(s.Key) {
				partners++
			}
		}
		if others && partners < report.PartnersMin {
			q.Withheld = true
			return nil, nil
		}
	}
	return f.list(line.Total), nil
}

// targetSteps is what each step has of the targets, nil without one.
func (q *asked) targetSteps(measure, currency string, starts []money.Day, span report.Span, step report.Step) ([]string, error) {
	partner, ok := q.targetsOf()
	if !ok {
		return nil, nil
	}
	targets, err := q.targets()
	if err != nil {
		return nil, err
	}
	goals := report.GoalsOf(targets, measure, currency, partner)
	if len(goals) == 0 {
		return nil, nil
	}
	out := make([]string, len(starts))
	for i, start := range starts {
		days := report.Span{From: max(start, span.From), To: min(step.Next(start).Add(-1), span.To)}
		out[i] = text(report.In(goals, days, placesOf(currency)), currency)
	}
	return out, nil
}
