package answer

import (
	"cmp"
	"slices"

	"tracksource/attribution"
	"tracksource/money"
	"tracksource/report"
)

// readPaces asks how each measure with a target comes on, in all and of each partner that
// has one.
func (p *packaging) readPaces() error {
	targets, err := p.targets()
	if err != nil {
		return err
	}
	for _, m := range p.measures() {
		if !m.Additive() || !slices.ContainsFunc(targets, func(t report.Target) bool { return t.Measure == m.Name }) {
			continue
		}
		for _, partner := range append([]string{""}, signatoriesOf(p.campaign.Contract)...) {
			if goals := report.GoalsOf(targets, m.Name, p.currency(m), partner); len(goals) > 0 {
				if err := p.readPace(m, partner, goals); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (p *packaging) readPace(m attribution.Measure, partner string, goals []report.Goal) error {
	if p.sight == report.SeesOwn && partner != p.viewer.Partner {
		return nil // how far all have come would tell how far the others have
	}
	q := report.PaceQuestion{
		Measure: m.Name, Partner: partner, Currency: p.currency(m), Places: placesOf(p.currency(m)), Goals: goals,
		Day: min(p.today, p.lastDay()), Within: p.window.Span, Campaign: p.wholeCampaign(),
	}
	span := report.Span{From: goals[0].Period.From, To: q.Day}
	for _, g := range goals {
		span.From = min(span.From, g.Period.From)
	}
	if q.Campaign != nil {
		span.From = min(span.From, q.Campaign.From)
	}
	if span.From > span.To {
		span.From = span.To
	}
	ask := p.askFor(report.Day)
	ask.Within = &span
	if partner != "" {
		ask.Any = map[report.Dimension][]string{report.Partner: {partner}}
	}
	f, err := p.figures(m, ask)
	if err != nil {
		return err
	}
	if q.Daily, err = report.DailyOf(f.Breakdown, span); err != nil {
		return err
	}
	p.paces = append(p.paces, q)
	return nil
}

// wholeCampaign is the days of the campaign, nil where the contract does not say both.
func (p *packaging) wholeCampaign() *report.Span {
	c := p.campaign.Contract
	if !c.HasStarts || !c.HasEnds {
		return nil
	}
	return &report.Span{From: c.Starts, To: c.Ends}
}

// pacing works the paces out.
func (p *packaging) pacing() error {
	var list []report.Pace
	sizes := p.sizes()
	for i := range p.paces {
		q := &p.paces[i]
		q.Sizes = sizes[sizedOf{q.Measure, q.Partner}]
		if q.Sizes == nil && q.Currency == "" && q.Partner == "" {
			q.Sizes = ones(q.Daily)
		}
		list = append(list, report.PacesOf(*q)...)
	}
	p.story.Paces = list
	for _, t := range report.PaceTables(list, p.p.Currency, p.campaign.Contract.Exponent) {
		p.add(t)
	}
	p.found(report.Pacings(p.campaign.Contract, list))
	return nil
}

// sizedOf is what conversions are sized of: of one partner, or of all.
type sizedOf struct{ measure, partner string }

// sizes are the conversions behind the paces, as far as the viewer is told of all deals:
// how they vary would else tell of deals that it does not see.
func (p *packaging) sizes() map[sizedOf][]report.Sized {
	out := map[sizedOf][]report.Sized{}
	if p.held.hidden > 0 || p.sight == report.SeesOwn {
		return out
	}
	asked, partners := map[string]bool{}, false
	for i := range p.paces {
		if slices.Contains(report.ModelMeasures(), p.paces[i].Measure) {
			asked[p.paces[i].Measure] = true
			partners = partners || p.paces[i].Partner != ""
		}
	}
	specOf := p.specOf(p.rowSpec())
	for d := range p.toldDeals() {
		for _, measure := range report.ModelMeasures() {
			f, m, ok := d.Measure(measure)
			if !ok || !asked[measure] || m.Currency != p.currency(attribution.MeasureNamed(measure)) {
				continue
			}
			whole := sizedOf{measure, ""}
			out[whole] = append(out[whole], report.Sized{Day: m.Day, Value: report.ValueOf(m.Value, m.Exponent)})
			if !partners {
				continue
			}
			parts := map[string]int64{}
			for _, s := range report.SharesOf(f, m, specOf(f.Revision)) {
				parts[s.Partner] += s.Amount
			}
			for partner, minor := range parts {
				of := sizedOf{measure, partner}
				out[of] = append(out[of], report.Sized{Day: m.Day, Value: report.ValueOf(minor, m.Exponent)})
			}
		}
	}
	return out
}

// onesMax bounds the people that a pace is judged by: of more their number alone says how
// little chance does.
const onesMax = 100_000

// ones are conversions of one each, as many as each day has.
func ones(d report.Daily) []report.Sized {
	one, list := report.ValueOf(1, 0), []report.Sized{}
	for i, v := range d.Values {
		for left := v; left.Cmp(one) >= 0; left = left.Sub(one) {
			if len(list) == onesMax {
				return nil
			}
			list = append(list, report.Sized{Day: d.From.Add(i), Value: one})
		}
	}
	return list
}

// anomalyDays is how many of the last days are looked at where a package is of all days.
const anomalyDays = 90

// readSeries reads the days that anomalies are looked for in: of all together, of each
// partner and of the largest channels. They are told by the days that they are of,
// whatever the package is: what is booked of a closed period would be an odd day.
func (p *packaging) readSeries() error {
	within := report.Span{From: p.today.Add(-anomalyDays), To: p.today.Add(-1)}
	if s := p.window.Span; s != nil {
		within = report.Span{From: s.From, To: min(s.To, within.To)}
	}
	if within.From > within.To {
		return nil
	}
	p.anomalous.Contract, p.anomalous.Within = p.campaign.Contract, within
	first, last, err := p.rowsBetween()
	if err != nil {
		return err
	}
	span := report.Span{From: max(within.From.Add(-report.AnomalyHistoryDays), first), To: min(within.To, last)}
	if span.From > span.To {
		return nil
	}
	return p.agreed(func() error {
		for _, name := range p.anomalyMeasures() {
			m := attribution.MeasureNamed(name)
			for _, d := range []report.Dimension{"", report.Partner, report.Channel} {
				if d == "" && p.sight == report.SeesOwn {
					continue // its own alone are told by partner
				}
				if err := p.readSeriesBy(m, d, span); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// rowsBetween are the days that the viewer sees rows on; none where the last is before the
// first.
func (p *packaging) rowsBetween() (first, last money.Day, err error) {
	days, known, err := p.daysWithRows()
	if err != nil || !known {
		return 1, 0, err
	}
	return days.From, max(days.To, p.today), nil
}

// anomalyMeasures are those whose days are looked at: where nothing is closed yet, odd
// days are of people and of deals that are created.
func (p *packaging) anomalyMeasures() []string {
	return append(slices.Clone(p.campaign.Contract.Milestones), attribution.MeasureOpportunities, attribution.MeasurePipelineCreated, attribution.MeasureRevenue)
}

func (p *packaging) readSeriesBy(m attribution.Measure, d report.Dimension, span report.Span) error {
	dims := []report.Dimension{report.Day}
	if d != "" {
		dims = append(dims, d)
	}
	ask := p.askFor(dims...)
	ask.Within, ask.View = &span, report.Restated
	f, err := p.figures(m, ask)
	if err != nil {
		return err
	}
	groups, sums := map[string][]report.Group{}, map[string]report.Value{}
	for _, g := range f.Breakdown.Groups {
		key := ""
		if d != "" {
			key = g.Key[1]
		}
		groups[key], sums[key] = append(groups[key], g), sums[key].Add(g.Value)
	}
	var keys []string
	for key := range groups {
		if key != report.Unattributed {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(sums[b].Cmp(sums[a]), cmp.Compare(a, b)) })
	for _, key := range keys[:min(len(keys), packageSeriesMax)] {
		one := report.DailySeries{Measure: m.Name, Currency: p.currency(m), Places: placesOf(p.currency(m))}
		if d != "" {
			one.About = []report.Subject{{Dimension: string(d), Key: key}}
		}
		if one.Daily, err = report.DailyOf(report.Breakdown{Groups: groups[key]}, span); err != nil {
			return err
		}
		p.anomalous.Series = append(p.anomalous.Series, one)
	}
	return nil
}
