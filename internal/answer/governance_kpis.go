package answer

import (
	"context"
	"maps"
	"slices"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/internal/control"
	"tracksource/money"
	"tracksource/report"
)

// KPIs are the key figures of a campaign, and of each partner of the deals that it
// sourced: for who sees its own rows its own alone.
func (a *Answers) KPIs(ctx context.Context, v report.Viewer, q Query) (KPIsAnswer, error) {
	of, err := a.ask(v, &q)
	if err == nil {
		err = of.readQuarter(&q)
	}
	if err == nil {
		err = of.readWindow(&q)
	}
	if err != nil {
		return KPIsAnswer{}, err
	}
	all, partners, err := of.keyFigures(ctx)
	if err != nil {
		return KPIsAnswer{}, err
	}
	quarter := report.Quarter(of.lastDay())
	out := KPIsAnswer{KPIs: of.kpis(all), Partners: []KPIPartner{}, Quarter: Window{Name: report.WindowCustom, From: quarter.From.String(), To: quarter.To.String()}}
	for _, p := range partners {
		out.Partners = append(out.Partners, KPIPartner{p.partner, of.kpis(p.figures)})
	}
	out.Envelope = of.Envelope
	return out, nil
}

// lastDay is the last day of the window.
func (q *asked) lastDay() money.Day {
	if q.window.Span != nil {
		return q.window.Span.To
	}
	return q.today
}

// partnerFigures are the key figures of the deals that a partner sourced.
type partnerFigures struct {
	partner string
	figures []report.Figure
}

// keyFigures are those in all, none for who does not see them, and of each partner.
func (q *asked) keyFigures(ctx context.Context) (all []report.Figure, partners []partnerFigures, err error) {
	deals, ask, err := q.kpiQuestion(ctx, q.lastDay())
	if err != nil {
		return nil, nil, err
	}
	names := report.SourcedBy(deals, q.campaign.Contract)
	if q.sight == report.SeesOwn {
		q.Withheld = true
		names = []string{q.viewer.Partner}
	}
	asks := []report.KPIQuestion{ask.of("")}
	for _, partner := range names {
		asks = append(asks, ask.of(partner))
	}
	figures := report.KPIsOf(deals, asks)
	if q.sight != report.SeesOwn {
		all = figures[0]
	}
	for i, partner := range names {
		partners = append(partners, partnerFigures{partner, figures[1+i]})
	}
	return all, partners, nil
}

// readQuarter turns a quarter into the days from its first to its last, or to today.
func (q *asked) readQuarter(of *Query) error {
	if of.Quarter == "" {
		return nil
	}
	wrong := func(detail string) error {
		return &Error{Parameter: "quarter", Detail: detail, Allowed: []string{}}
	}
	if of.Window != "" || of.From != "" || of.To != "" {
		return wrong("give either a window or a quarter")
	}
	span, ok := report.ParseQuarter(of.Quarter)
	switch {
	case !ok:
		return wrong("write a quarter as 2026-Q1")
	case span.From > q.today:
		return wrong("the quarter is to come")
	}
	of.From, of.To = span.From.String(), min(span.To, q.today).String()
	return nil
}

func (q *asked) kpis(figures []report.Figure) []KPILine {
	c := q.campaign.Contract
	lines := make([]KPILine, 0, len(figures))
	for i := range figures {
		f := &figures[i]
		line := KPILine{KPI: f.KPI, Unit: f.Unit, Missing: f.Missing, Detail: f.Detail}
		if f.Unit == report.UnitMoney {
			line.Currency = c.Currency
		}
		if f.Ratio != nil {
			line.Value = ref(f.Text(c.Exponent))
		}
		if f.Guarded(c) {
			g := c.Guardrail(f.KPI)
			line.Target, line.Limit = ref(g.Unit.Text(g.Target)), ref(g.Unit.Text(g.Limit))
			if r := f.Reading(c); r.Known {
				line.Band = string(g.Judge(r.Value))
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// kpiInputs are what key figures are made of besides deals.
type kpiInputs struct {
	report.KPIQuestion
	currency    string
	spend, cost *spending
}

// kpiQuestion reads what key figures are made of, with a day as the last one.
func (q *asked) kpiQuestion(ctx context.Context, day money.Day) (report.Deals, *kpiInputs, error) {
	c := q.campaign.Contract
	deals, err := q.allDeals(ctx)
	if err != nil {
		return nil, nil, err
	}
	out := &kpiInputs{KPIQuestion: report.KPIQuestion{Contract: c, Within: q.window.Span, Day: day}, currency: c.Currency}
	if out.Targets, err = q.targets(); err != nil {
		return nil, nil, err
	}
	if out.spend, err = q.paid(control.Spend); err != nil {
		return nil, nil, err
	}
	if out.cost, err = q.paid(control.Cost); err != nil {
		return nil, nil, err
	}
	goal, planned := report.GoalOn(report.GoalsOf(out.Targets, contract.TargetReach, "", ""), day)
	if planned && len(c.Milestones) > 0 && q.sight != report.SeesOwn {
		reached, err := q.whole(attribution.MeasureNamed(c.Milestones[0]), report.Span{From: goal.Period.From, To: day})
		if err != nil {
			return nil, nil, err
		}
		out.Reached = &reached
	}
	return deals, out, nil
}

// of is the question about one partner, empty for all.
func (k *kpiInputs) of(partner string) report.KPIQuestion {
	out := k.KPIQuestion
	out.Partner = partner
	unvalued := map[string]bool{}
	amount := func(s *spending) *report.Value {
		sums := s.total
		if partner != "" {
			sums = s.by[partner]
		}
		for currency := range sums {
			if currency != k.currency {
				unvalued[currency] = true
			}
		}
		if v, ok := sums[k.currency]; ok {
			return &v
		}
		return nil
	}
	out.Spend, out.Cost = amount(k.spend), amount(k.cost)
	out.Unvalued = slices.Sorted(maps.Keys(unvalued))
	return out
}
