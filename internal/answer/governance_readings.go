package answer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/internal/control"
	"tracksource/money"
	"tracksource/report"
)

// Governed is one agreed campaign as what is evaluated day by day.
type Governed struct {
	Contract *contract.Contract
	Revision int64
	// From is the day on which there was a contract first.
	From money.Day
	// Evaluated is the last day of which all guardrails were evaluated, if AnyDay.
	Evaluated money.Day
	AnyDay    bool
}

// Governed returns the campaigns to evaluate. A day counts as evaluated once the last
// of the contract's guardrails is: they are written in their order.
func (a *Answers) Governed() ([]Governed, error) {
	all, err := a.follow.Campaigns()
	if err != nil {
		return nil, err
	}
	var out []Governed
	for _, c := range all {
		if c.Proposed {
			continue
		}
		g := Governed{Contract: c.Contract, Revision: c.Record.Revision, From: c.Contract.Day(c.Revisions[0].RecordedAt)}
		last := c.Contract.Guardrails[len(c.Contract.Guardrails)-1].Name
		if err := a.follow.Decided(func(b *control.Book) (err error) {
			list := b.Evaluations[c.Book]
			for i := len(list) - 1; i >= 0 && !g.AnyDay; i-- {
				if list[i].Guardrail == last {
					g.AnyDay = true
					g.Evaluated, err = money.ParseDay(list[i].Day)
				}
			}
			return err
		}); err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

// Readings are what one guardrail of a campaign is held against as a contract day has
// ended, one for each subject. It is for who evaluates, and shows everything.
func (a *Answers) Readings(ctx context.Context, campaign, guardrail string, day money.Day) ([]report.Reading, error) {
	q, err := a.ask(report.Viewer{Operator: true}, &Query{Campaign: campaign})
	if err != nil {
		return nil, err
	}
	within := report.Span{From: day.Add(1 - report.GuardrailDays), To: day}
	q.window = report.Window{Name: report.WindowCustom, Span: &within}
	switch guardrail {
	case contract.GuardAccuracy:
		return q.readAccuracy(ctx, within)
	case contract.GuardConfidence:
		return q.readConfidence(ctx, within)
	case contract.GuardFreshness:
		return q.readFreshness(ctx, day)
	case contract.GuardCompleteness, contract.GuardControlTotals:
		return q.readTotals(ctx, guardrail, day)
	case contract.GuardPacing:
		return q.readPacing(day)
	}
	deals, ask, err := q.kpiQuestion(ctx, day)
	if err != nil {
		return nil, err
	}
	for _, f := range report.KPIs(deals, ask.of("")) {
		if f.KPI == guardrail {
			return []report.Reading{f.Reading(q.campaign.Contract)}, nil
		}
	}
	return nil, fmt.Errorf("there is no guardrail %q", guardrail)
}

func (q *asked) readAccuracy(ctx context.Context, within report.Span) ([]report.Reading, error) {
	ask := report.AccuracyQuestion{Contract: q.campaign.Contract, Within: within, Rows: map[string]report.Value{}}
	deals, err := q.allDeals(ctx)
	if err != nil {
		return nil, err
	}
	for _, measure := range report.AccuracyMeasures() {
		if ask.Rows[measure], err = q.whole(attribution.MeasureNamed(measure), within); err != nil {
			return nil, err
		}
	}
	if ask.Rates, err = q.follow.Rates(); err != nil {
		return nil, err
	}
	return []report.Reading{report.Accuracy(deals, ask)}, nil
}

func (q *asked) readConfidence(ctx context.Context, within report.Span) ([]report.Reading, error) {
	c := q.campaign.Contract
	var attributed, confident report.Value
	for _, measure := range report.AccuracyMeasures() {
		b, err := q.sum(attribution.MeasureNamed(measure), report.Ask{Within: &within, By: []report.Dimension{report.Partner}})
		if err != nil {
			return nil, err
		}
		for _, g := range b.Groups {
			if g.Key[0] != report.Unattributed {
				attributed, confident = attributed.Add(g.Value), confident.Add(g.Confident)
			}
		}
	}
	var least *int64
	var feed string
	if q.cfg.Line != nil {
		readings, err := q.readTotals(ctx, contract.GuardCompleteness, within.To)
		if err != nil {
			return nil, err
		}
		for _, r := range readings {
			if r.Known && (least == nil || r.Value < *least) {
				least, feed = &r.Value, r.Subject
			}
		}
	}
	return []report.Reading{report.Confidence(c, attributed, confident, least, feed)}, nil
}

// feedsOf are the feeds of the signatories in order, with the newest event of each.
func (q *asked) feedsOf(ctx context.Context) ([]FeedState, error) {
	if q.cfg.Line == nil {
		return nil, nil
	}
	state, err := q.cfg.Line.State(ctx)
	if err != nil {
		return nil, fmt.Errorf("the brokers cannot be asked: %w", err)
	}
	var feeds []FeedState
	for _, f := range state.Feeds {
		if q.campaign.Contract.IsPartner(f.Partner) {
			feeds = append(feeds, f)
		}
	}
	slices.SortFunc(feeds, func(a, b FeedState) int { return cmp.Compare(a.String(), b.String()) })
	return feeds, nil
}

func (q *asked) readFreshness(ctx context.Context, day money.Day) ([]report.Reading, error) {
	feeds, err := q.feedsOf(ctx)
	if err != nil {
		return nil, err
	}
	c := q.campaign.Contract
	var out []report.Reading
	for _, f := range feeds {
		out = append(out, report.Freshness(c, f.String(), f.Newest, EndOfDay(day, c.Zone)))
	}
	return out, nil
}

// EndOfDay is the instant at which a day has ended in a zone, the first one of the next:
// where midnight does not exist it is when the clocks go on.
func EndOfDay(day money.Day, zone *time.Location) time.Time {
	at := time.Unix(int64(day.Add(1))*secondsPerDay, 0).UTC()
	end := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, zone)
	// Of a midnight that the clocks leave out Date gives an instant before it or behind.
	for money.DayOf(end, zone) <= day {
		end = end.Add(time.Minute)
	}
	return end
}

func (q *asked) readTotals(ctx context.Context, guardrail string, day money.Day) ([]report.Reading, error) {
	feeds, err := q.feedsOf(ctx)
	if err != nil {
		return nil, err
	}
	totals, err := q.controlTotals(ctx, day)
	if err != nil {
		return nil, err
	}
	var out []report.Reading
	for _, f := range feeds {
		var said []report.DayTotal
		if of := totals[f.String()]; of != nil {
			said = of.totals
		}
		complete, apart := report.Totals(q.campaign.Contract, f.String(), said)
		if guardrail == contract.GuardCompleteness {
			out = append(out, complete)
		} else {
			out = append(out, apart)
		}
	}
	return out, nil
}

// readPacing reads every measure with a target whose period the day is in, in all and
// for each partner that has one of its own.
func (q *asked) readPacing(day money.Day) ([]report.Reading, error) {
	targets, err := q.targets()
	if err != nil {
		return nil, err
	}
	c := q.campaign.Contract
	var out []report.Reading
	for _, m := range q.measures() {
		if !m.Additive() || !slices.ContainsFunc(targets, func(t report.Target) bool { return t.Measure == m.Name }) {
			continue
		}
		currency := q.currency(m)
		for _, partner := range append([]string{""}, signatoriesOf(c)...) {
			goal, ok := report.GoalOn(report.GoalsOf(targets, m.Name, currency, partner), day)
			if !ok {
				continue
			}
			reached, err := q.reached(m, partner, report.Span{From: goal.Period.From, To: day})
			if err != nil {
				return nil, err
			}
			out = append(out, report.Pacing(c, m.Name, partner, goal, day, reached, placesOf(currency)))
		}
	}
	slices.SortStableFunc(out, func(a, b report.Reading) int { return strings.Compare(a.Subject, b.Subject) })
	return out, nil
}

func signatoriesOf(c *contract.Contract) []string {
	ids := make([]string, len(c.Partners))
	for i, p := range c.Partners {
		ids[i] = p.ID
	}
	return ids
}

// reached is what a measure has on the days of a span under the agreed model, of one
// partner, or of all.
func (q *asked) reached(m attribution.Measure, partner string, within report.Span) (report.Value, error) {
	if partner == "" {
		return q.whole(m, within)
	}
	b, err := q.sum(m, report.Ask{Within: &within, Any: map[report.Dimension][]string{report.Partner: {partner}}})
	return b.Total, err
}

// whole is all of a measure that is added up, on the days of a span.
func (q *asked) whole(m attribution.Measure, within report.Span) (report.Value, error) {
	b, err := q.sum(m, report.Ask{Within: &within})
	return b.Total, err
}

// sum adds up a measure under the agreed model, in the contract's currency.
func (q *asked) sum(m attribution.Measure, ask report.Ask) (report.Breakdown, error) {
	sums, err := q.follow.Sum(q.campaign.Book, m.Name, q.campaign.Contract.MultiTouch, ask)
	if err != nil {
		return report.Breakdown{}, err
	}
	for _, b := range sums.Breakdowns {
		if b.Currency == q.currency(m) {
			return b, nil
		}
	}
	return report.Breakdown{}, nil
}
