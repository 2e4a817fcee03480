package answer

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"tracksource/attribution"
	"tracksource/internal/control"
	"tracksource/money"
	"tracksource/report"
	"tracksource/schemas/avro"
)

// topMax is how many of the largest groups an overview names.
const topMax = 10

// Report is the overview of a campaign: its measures against their targets and the
// window before, its partners, what was spent, and what brings most of the measure
// asked.
func (a *Answers) Report(_ context.Context, v report.Viewer, q Query) (ReportAnswer, error) {
	of, err := a.askRows(v, &q)
	if err != nil {
		return ReportAnswer{}, err
	}
	m, err := of.measure(q.Measure)
	if err != nil {
		return ReportAnswer{}, err
	}
	if m.Count || !m.Additive() {
		return ReportAnswer{}, &Error{Parameter: "measure", Detail: "the overview is of a measure of money that can be added up", Allowed: namesOf(of.moneyMeasures())}
	}
	out := ReportAnswer{Tiles: []Tile{}}
	if out.Tiles, err = of.tiles(); err != nil {
		return ReportAnswer{}, err
	}
	spent, err := of.spend()
	if err != nil {
		return ReportAnswer{}, err
	}
	out.Spend = spent.answer(of.campaign.Contract.Currency)
	if out.Partners, err = of.partners(spent); err != nil {
		return ReportAnswer{}, err
	}
	for _, top := range []struct {
		by report.Dimension
		to *[]KeyValue
	}{
		{report.Asset, &out.Top.Assets},
		{report.Channel, &out.Top.Channels},
		{report.Segment, &out.Top.Segments},
		{report.Region, &out.Top.Regions},
		{report.Source, &out.Top.Sources},
	} {
		f, err := of.figures(m, of.askFor(top.by))
		if err != nil {
			return ReportAnswer{}, err
		}
		*top.to = f.keyed(topMax)
	}
	if out.Escrow, err = of.inEscrow(); err != nil {
		return ReportAnswer{}, err
	}
	out.Envelope = of.Envelope
	return out, nil
}

// inEscrow is what of each measure of money is disputed.
func (q *asked) inEscrow() ([]EscrowLine, error) {
	lines := []EscrowLine{}
	for _, m := range q.moneyMeasures() {
		ask := q.askFor(report.Partner)
		ask.Any = maps.Clone(ask.Any)
		if ask.Any == nil {
			ask.Any = map[report.Dimension][]string{}
		}
		if asked, narrowed := ask.Any[report.Escrow]; !narrowed || slices.Contains(asked, attribution.EscrowDisputed) {
			ask.Any[report.Escrow] = []string{attribution.EscrowDisputed}
		} else {
			ask.Any[report.Escrow] = nil
		}
		f, err := q.figures(m, ask)
		if err != nil {
			return nil, err
		}
		lines = append(lines, EscrowLine{Measure: m.Name, Currency: f.Currency, Total: f.text(f.total), Partners: f.keyed(0)})
	}
	return lines, nil
}

// moneyMeasures are the measures of money that can be added up.
func (q *asked) moneyMeasures() []attribution.Measure {
	return slices.DeleteFunc(q.measures(), func(m attribution.Measure) bool { return m.Count || !m.Additive() })
}

// tiles are of every measure that can be added up.
func (q *asked) tiles() ([]Tile, error) {
	targets, err := q.targets()
	if err != nil {
		return nil, err
	}
	tiles := []Tile{}
	for _, m := range q.measures() {
		if !m.Additive() {
			continue
		}
		t, err := q.tile(m, targets)
		if err != nil {
			return nil, err
		}
		tiles = append(tiles, t)
	}
	return tiles, nil
}

func (q *asked) tile(m attribution.Measure, targets []report.Target) (Tile, error) {
	f, err := q.figures(m, q.askFor())
	if err != nil {
		return Tile{}, err
	}
	t := Tile{
		Measure: m.Name, Kind: kindOf(m), Currency: f.Currency, Status: string(report.NoGoal),
		Total: f.text(f.total), Attributed: f.text(f.attributed()), Unattributed: f.text(f.unattributed), Confidence: f.confidence(),
	}
	if span, ok := q.window.Previous(); ok {
		before := q.askFor()
		before.Within = &span
		p, err := q.figures(m, before)
		if err != nil {
			return Tile{}, err
		}
		if p.Currency == f.Currency {
			t.Previous = p.text(p.total)
		}
	}
	partner, ok := q.targetsOf()
	if !ok {
		return t, nil
	}
	day := q.today
	if s := q.window.Span; s != nil {
		day = min(day, s.To)
	}
	goal, ok := report.GoalOn(report.GoalsOf(targets, m.Name, f.Currency, partner), day)
	if !ok {
		return t, nil
	}
	return t, q.judge(&t, m, goal, day)
}

// judge holds a measure against the goal whose period the day is in: what the period
// has so far against what is expected of it by the end of the day. Neither is cut to
// the window, since a target is of its period.
func (q *asked) judge(t *Tile, m attribution.Measure, goal report.Goal, day money.Day) error {
	ask := q.askFor()
	ask.Within = &report.Span{From: goal.Period.From, To: day}
	f, err := q.figures(m, ask)
	if err != nil {
		return err
	}
	t.Target = ref(text(goal.Amount, t.Currency))
	t.TargetFrom, t.TargetTo = goal.Period.From.String(), goal.Period.To.String()
	if f.Currency != t.Currency || f.total == nil {
		return nil
	}
	expected := goal.Until(day, placesOf(t.Currency))
	t.Expected, t.Reached = ref(text(expected, t.Currency)), f.text(f.total)
	if progress, ok := report.Ratio(*f.total, goal.Amount); ok {
		t.Progress = &progress
	}
	t.Status = string(report.StatusOf(*f.total, expected))
	return nil
}

// targetsOf is whose targets a question is held against: empty for all together; false
// where it is narrowed by more than one partner, and where only adjustments are asked
// for, which no target is of.
func (q *asked) targetsOf() (partner string, ok bool) {
	switch values := q.any[report.Partner]; {
	case q.view == report.Adjustments:
		return "", false
	case len(q.any) == 0:
		return "", true
	case len(q.any) == 1 && len(values) == 1:
		return values[0], true
	}
	return "", false
}

// targets are those that the viewer may see: one that sees its own rows sees its own.
func (q *asked) targets() ([]report.Target, error) {
	records, err := q.follow.Amounts(control.Target, q.campaign.Contract.Campaign)
	if err != nil {
		return nil, err
	}
	var list []report.Target
	for i := range records {
		r := &records[i]
		day, err := money.ParseDay(r.Day)
		if err != nil {
			return nil, err
		}
		amount, err := report.ParseValue(r.Amount)
		if err != nil {
			return nil, err
		}
		if q.sight == report.SeesOwn && r.Partner != "" && r.Partner != q.viewer.Partner {
			continue
		}
		list = append(list, report.Target{
			Day: day, Measure: r.Measure, Partner: r.Partner, Channel: r.Channel, Asset: r.Asset, Currency: r.Currency, Amount: amount,
		})
	}
	return list, nil
}

// spending is what was spent, by currency and by partner.
type spending struct {
	total map[string]report.Value
	by    map[string]map[string]report.Value
}

// spend adds up what was spent in the window: by whom it was paid, unless it says for
// whom. It is known by partner, channel and asset alone: a question that is narrowed by
// something else has no spend. What was paid in another currency than the contract's is
// valued at the rate of its day, as deals are, and where there is none stays what it is.
func (q *asked) spend() (*spending, error) { return q.paid(control.Spend) }

// paid is spend of a kind of amount that has a payer.
func (q *asked) paid(kind string) (*spending, error) {
	out := &spending{map[string]report.Value{}, map[string]map[string]report.Value{}}
	err := q.eachPaid(kind, func(_ *avro.AmountRecord, partner string, amount report.Value, currency string) {
		if out.by[partner] == nil {
			out.by[partner] = map[string]report.Value{}
		}
		out.total[currency] = out.total[currency].Add(amount)
		out.by[partner][currency] = out.by[partner][currency].Add(amount)
	})
	return out, err
}

// eachPaid calls fn for each amount of a kind that was paid in the window, in the order of
// days and names: for whom it was, and what it is worth.
func (q *asked) eachPaid(kind string, fn func(r *avro.AmountRecord, partner string, amount report.Value, currency string)) error {
	records, err := q.follow.Amounts(kind, q.campaign.Contract.Campaign)
	if err != nil {
		return err
	}
	var rates *money.Rates // read if need be
	for i := range records {
		r := &records[i]
		partner := cmp.Or(r.Partner, r.Payer)
		if q.sight == report.SeesOwn && partner != q.viewer.Partner && r.Payer != q.viewer.Partner {
			q.Withheld = true
			continue
		}
		day, err := money.ParseDay(r.Day)
		if err != nil {
			return err
		}
		if q.window.Span != nil && !q.window.Span.Holds(day) || !q.spendPasses(r, partner) {
			continue
		}
		if rates == nil && r.Currency != q.campaign.Contract.Currency {
			if rates, err = q.follow.Rates(); err != nil {
				return err
			}
		}
		text, currency, err := q.valued(rates, r, day)
		if err != nil {
			return err
		}
		amount, err := report.ParseValue(text)
		if err != nil {
			return err
		}
		fn(r, partner, amount, currency)
	}
	return nil
}

// valued is an amount in the contract's currency, where a rate is known.
func (q *asked) valued(rates *money.Rates, r *avro.AmountRecord, day money.Day) (text, currency string, err error) {
	c := q.campaign.Contract
	paid, err := money.Parse(r.Amount, r.Currency)
	if err != nil {
		return "", "", err
	}
	if got, _, err := rates.Convert(paid, c.Currency, day, c.RateAgeDays); err == nil {
		return money.Format(got.Minor, c.Exponent), c.Currency, nil
	} else if !errors.Is(err, money.ErrNoRate) && !errors.Is(err, money.ErrAmount) {
		return "", "", err
	}
	return r.Amount, r.Currency, nil
}

func (q *asked) spendPasses(r *avro.AmountRecord, partner string) bool {
	of := map[report.Dimension]string{report.Partner: partner, report.Channel: r.Channel, report.Asset: r.Asset}
	for d, values := range q.any {
		if v, known := of[d]; !known || !slices.Contains(values, v) {
			return false
		}
	}
	return true
}

func (s *spending) answer(currency string) Spend {
	out := Spend{Total: text(s.total[currency], currency), Currency: currency, Others: []CurrencyTotal{}}
	for _, c := range slices.Sorted(maps.Keys(s.total)) {
		if c != currency {
			out.Others = append(out.Others, CurrencyTotal{c, text(s.total[c], c)})
		}
	}
	return out
}

// partners are the signatories that the viewer sees, in the contract's order, and
// whoever else is credited.
func (q *asked) partners(spent *spending) ([]PartnerLine, error) {
	c := q.campaign.Contract
	lines, order := map[string]*PartnerLine{}, []string{}
	line := func(partner string) *PartnerLine {
		if lines[partner] == nil {
			lines[partner] = &PartnerLine{
				Partner: partner, Name: partner, Credited: map[string]string{}, Sourced: map[string]string{},
				Influenced: map[string]string{}, CoSell: map[string]string{}, Share: map[string]string{}, Confidence: map[string]string{}, Spend: text(report.Value{}, c.Currency),
			}
			order = append(order, partner)
		}
		return lines[partner]
	}
	for _, p := range c.Partners {
		if asked, narrowed := q.any[report.Partner]; narrowed && !slices.Contains(asked, p.ID) {
			continue
		}
		if q.sight != report.SeesOwn || p.ID == q.viewer.Partner {
			line(p.ID).Name = p.Name
		}
	}
	for _, m := range q.measures() {
		ask := q.askFor(report.Partner)
		if grain(m, ask) != nil {
			continue // narrowed by what its rows do not know
		}
		f, err := q.figures(m, ask)
		if err != nil {
			return nil, err
		}
		for _, g := range f.Breakdown.Groups {
			if partner := g.Key[0]; partner != report.Unattributed {
				q.give(line(partner), m, f, g)
			}
		}
	}
	out := make([]PartnerLine, 0, len(order))
	for _, partner := range order {
		l := lines[partner]
		if paid := spent.by[partner][c.Currency]; paid.Sign() != 0 {
			l.Spend = text(paid, c.Currency)
			l.Return = q.returned(l, paid)
		}
		out = append(out, *l)
	}
	return out, nil
}

// give puts what a partner has of a measure under the name of the measure whose deals
// and values these are.
func (q *asked) give(l *PartnerLine, m attribution.Measure, f *figures, g report.Group) {
	v := g.Value
	switch m.Name {
	case attribution.MeasurePipelineSourced:
		l.Sourced[attribution.MeasurePipelineCreated] = text(v, f.Currency)
	case attribution.MeasureRevenueSourced:
		l.Sourced[attribution.MeasureRevenue] = text(v, f.Currency)
	case attribution.MeasurePipelineInfluenced, attribution.MeasureRevenueInfluenced, attribution.MeasureOpportunitiesInfluenced:
		l.Influenced[m.Of] = text(v, f.Currency)
	case attribution.MeasurePipelineCoSell, attribution.MeasureRevenueCoSell:
		l.CoSell[m.Of] = text(v, f.Currency)
	default:
		l.Credited[m.Name] = text(v, f.Currency)
		if c, ok := report.Certainty(g.Confident, v); ok {
			l.Confidence[m.Name] = c
		}
		if whole := f.attributed(); whole != nil {
			if share, ok := report.Ratio(v, *whole); ok {
				l.Share[m.Name] = share
			}
		}
	}
}

// returned is credited revenue over spend, in the contract's currency.
func (q *asked) returned(l *PartnerLine, paid report.Value) *string {
	credited, err := report.ParseValue(cmp.Or(l.Credited[attribution.MeasureRevenue], "0"))
	if err != nil {
		return nil
	}
	ratio, ok := report.Ratio(credited, paid)
	if !ok || len(q.Restating) > 0 {
		return nil
	}
	return &ratio
}
