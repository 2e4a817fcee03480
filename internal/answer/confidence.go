package answer

import (
	"context"
	"maps"
	"slices"
	"time"

	"tracksource/attribution"
	"tracksource/deploy/kafka"
	"tracksource/money"
	"tracksource/report"
)

// Confidence is how sure a measure is: in total and by partner, as its rows say, what
// that is made of, as the facts of its deals say, and which deals are doubted most.
func (a *Answers) Confidence(ctx context.Context, v report.Viewer, q Query) (ConfidenceAnswer, error) {
	q.View = "" // facts are of the days that they are of
	of, err := a.askRows(v, &q)
	if err != nil {
		return ConfidenceAnswer{}, err
	}
	name, err := one("measure", q.Measure, report.ModelMeasures())
	if err != nil {
		return ConfidenceAnswer{}, err
	}
	m := attribution.MeasureNamed(name)
	f, err := of.figures(m, of.askFor(report.Partner))
	if err != nil {
		return ConfidenceAnswer{}, err
	}
	out := ConfidenceAnswer{
		Measure: name, Kind: kindOf(m), Currency: f.Currency, Total: f.text(f.total), ConfidentValue: f.text(f.certain), Confidence: f.confidence(),
		Partners: f.keyed(0), Deals: []DoubtedDeal{},
	}
	list, err := of.certainties(ctx, m, f.Currency)
	if err != nil {
		return ConfidenceAnswer{}, err
	}
	out.Parts = weighed(list)
	if err := of.doubted(ctx, &q, list, exponentOf(m, f.Currency), &out); err != nil {
		return ConfidenceAnswer{}, err
	}
	if out.Feeds, err = of.completeness(ctx); err != nil {
		return ConfidenceAnswer{}, err
	}
	out.Joined = joined(f, out.Feeds, of.Withheld)
	out.Envelope = of.Envelope
	return out, nil
}

// certainties are what deals have of a measure and how sure that is. Who sees its own rows
// alone is told of what of each deal is its own.
func (q *asked) certainties(ctx context.Context, m attribution.Measure, currency string) ([]report.Certain, error) {
	deals, err := q.allDeals(ctx)
	if err != nil {
		return nil, err
	}
	ask := report.ModelQuestion{Measure: m.Name, Currency: currency, Exponent: exponentOf(m, currency), Within: q.window.Span, Any: q.any}
	if q.sight == report.SeesOwn {
		ask.Any = maps.Clone(q.any)
		if ask.Any == nil {
			ask.Any = map[report.Dimension][]string{}
		}
		only := []string{q.viewer.Partner}
		if asked, narrowed := q.any[report.Partner]; narrowed && !slices.Contains(asked, q.viewer.Partner) {
			only = nil
		}
		ask.Any[report.Partner] = only
	}
	specs := report.Specs(q.campaign.Contract)
	asked := specs[slices.IndexFunc(specs, func(s report.NamedSpec) bool { return s.ID == q.Model })]
	return report.Certainties(deals, ask, q.specOf(asked)), nil
}

// exponentOf is that of the minor units of a measure in a currency.
func exponentOf(m attribution.Measure, currency string) int {
	if m.Count {
		return attribution.CountExponent
	}
	return placesOf(currency)
}

// weighed is what a confidence is made of, nil where there is nothing.
func weighed(list []report.Certain) *ConfidenceParts {
	parts, known := report.WeighParts(list)
	if !known {
		return nil
	}
	return ref(ConfidenceParts(parts))
}

// doubted lists the deals behind a confidence, as far as the viewer is told of them.
func (q *asked) doubted(ctx context.Context, of *Query, list []report.Certain, exponent int, out *ConfidenceAnswer) error {
	deals, err := q.allDeals(ctx)
	if err != nil {
		return err
	}
	seen := map[attribution.ItemID]bool{}
	for d := range deals {
		seen[d.Newest().Deal] = q.viewer.Sees(q.sight, d)
	}
	list = slices.DeleteFunc(list, func(c report.Certain) bool {
		q.Withheld = q.Withheld || !seen[c.ID]
		return !seen[c.ID]
	})
	listed, next, err := part(list, of)
	if err != nil {
		return err
	}
	found := map[attribution.ItemID]Deal{}
	for i := range listed {
		found[listed[i].ID] = Deal{}
	}
	for d := range deals {
		if id := d.Newest().Deal; seen[id] {
			if _, is := found[id]; is {
				found[id] = dealOf(d)
			}
		}
	}
	for i := range listed {
		out.Deals = append(out.Deals, doubtedDeal(&listed[i], found[listed[i].ID], out.Currency, exponent))
	}
	out.Next = next
	return nil
}

func doubtedDeal(c *report.Certain, d Deal, currency string, exponent int) DoubtedDeal {
	return DoubtedDeal{
		ID: d.ID, Account: d.Account, Day: c.Day.String(), Value: amountText(c.Minor, currency, exponent),
		Doubt: amountText(c.Doubt(), currency, exponent), Confidence: partsOf(&c.Confidence), OpenDisputes: d.OpenDisputes,
	}
}

// completeness is that of the feeds of the campaign's partners, of its own for a
// partner.
func (q *asked) completeness(ctx context.Context) ([]FeedCompleteness, error) {
	totals, err := q.Answers.controlTotals(ctx, money.DayOf(q.cfg.Clock(), time.UTC))
	if err != nil {
		return nil, err
	}
	list := []FeedCompleteness{}
	for _, name := range slices.Sorted(maps.Keys(totals)) {
		feed, err := kafka.ParseFeed(name)
		switch {
		case err != nil || !q.campaign.Contract.IsPartner(feed.Partner):
		case !q.viewer.Operator && feed.Partner != q.viewer.Partner:
			q.Withheld = true
		default:
			list = append(list, FeedCompleteness{feed.Kind, feed.Partner, totals[name].completeness()})
		}
	}
	return list, nil
}

// joined is the confidence times the completeness of the least complete feed. Where
// something is withheld it is not known of all feeds, and is told to nobody.
func joined(f *figures, feeds []FeedCompleteness, withheld bool) *string {
	if withheld || f.total == nil || f.certain == nil {
		return nil
	}
	least := report.ValueOf(1, 0)
	for _, feed := range feeds {
		if feed.Completeness.Share == nil {
			continue
		}
		if share, err := report.ParseValue(*feed.Completeness.Share); err == nil && share.Cmp(least) < 0 {
			least = share
		}
	}
	return confidence(f.certain.Times(least), *f.total)
}
