package answer

import (
	"context"
	"slices"

	"tracksource/attribution"
	"tracksource/attribution/model"
	"tracksource/internal/control"
	"tracksource/internal/governance"
	"tracksource/report"
)

// Disputes lists disputes, the newest first: for a partner those that it opened, and
// those of deals that it is told of.
func (a *Answers) Disputes(ctx context.Context, v report.Viewer, q Query) (DisputesAnswer, error) {
	of, err := a.ask(v, &q)
	if err != nil {
		return DisputesAnswer{}, err
	}
	if _, err := one("state", q.State, []string{"", governance.DisputeOpen, governance.DisputeWithdrawn, governance.DisputeUpheld, governance.DisputeRejected}); err != nil {
		return DisputesAnswer{}, err
	}
	lines := []DisputeLine{}
	if !of.Proposed { // of a proposal's book nothing is disputed
		if lines, err = of.disputes(ctx, &q); err != nil {
			return DisputesAnswer{}, err
		}
	}
	listed, next, err := part(lines, &q)
	if err != nil {
		return DisputesAnswer{}, err
	}
	return DisputesAnswer{Envelope: of.Envelope, Disputes: append([]DisputeLine{}, listed...), Next: next}, nil
}

func (q *asked) disputes(ctx context.Context, of *Query) ([]DisputeLine, error) {
	said, err := q.decided(q.Campaign)
	if err != nil || len(said.disputes) == 0 {
		return []DisputeLine{}, err
	}
	all, err := q.allDeals(ctx)
	if err != nil {
		return nil, err
	}
	deals := map[attribution.ItemID]*report.Deal{} // businesses that disputes are of, by all their deals
	for i := range said.disputes {
		deals[disputedDeal(&said.disputes[i])] = nil
	}
	for d := range all {
		f := d.Newest()
		for _, id := range append([]attribution.ItemID{f.Deal}, f.Merged...) {
			if _, of := deals[id]; of {
				deals[id] = d.Clone()
			}
		}
	}
	lines := []DisputeLine{}
	for i := range slices.Backward(said.disputes) {
		d := &said.disputes[i]
		deal := deals[disputedDeal(d)]
		sees := deal != nil && q.viewer.Sees(q.sight, deal)
		switch {
		case !sees && q.sight != report.SeesAll && d.Partner != q.viewer.Partner:
			q.Withheld = true
		case of.State != "" && d.State != of.State, of.Partner != "" && d.Partner != of.Partner && d.Against != of.Partner:
		default:
			line := q.disputeLine(d, sees)
			if sees && d.IsOpen() {
				line.Escrow = q.disputed(d, deal)
			}
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// disputedDeal is the deal of a dispute.
func disputedDeal(d *governance.Dispute) attribution.ItemID {
	return attribution.ItemID{Reporter: d.Deal.Reporter, Source: d.Deal.Source, Item: "opportunity/" + d.Deal.ID}
}

// disputeLine writes a dispute. Who sees its own rows alone is not told who else
// disputes, whom it is about or what they say.
func (q *asked) disputeLine(d *governance.Dispute, sees bool) DisputeLine {
	line := DisputeLine{
		ID: d.ID, Partner: d.Partner, Deal: control.DealText(d.Deal), About: d.About, Against: d.Against, State: d.State, To: d.To,
		OpenedAt: d.OpenedAt, OpenedBy: d.OpenedBy, Why: d.OpenedWhy, Origin: d.Origin, Escrow: []Escrow{}, DealVisible: sees,
	}
	if !d.IsOpen() {
		line.SettledAt, line.SettledBy, line.SettledWhy = ref(d.SettledAt), d.SettledBy, d.SettledWhy
	}
	if q.sight != report.SeesOwn || d.Partner == q.viewer.Partner {
		return line
	}
	q.Withheld = true
	line.ID, line.OpenedBy, line.Why, line.SettledBy, line.SettledWhy, line.Origin = "", "", "", "", "", ""
	for _, name := range []*string{&line.Partner, &line.Against, &line.To} {
		if *name != "" && *name != q.viewer.Partner {
			*name = report.Other
		}
	}
	return line
}

// disputed is what of a deal's measures of money is in escrow by an open dispute, under
// the agreed model. What was closed when it was opened is not.
func (q *asked) disputed(d *governance.Dispute, deal *report.Deal) []Escrow {
	list := []Escrow{}
	if q.sight == report.SeesOwn && d.About == governance.AboutCredit && d.Against != q.viewer.Partner {
		return list // it would tell what another is credited with
	}
	for _, m := range q.moneyMeasures() {
		f, fact, ok := deal.Measure(m.Name)
		if !ok || attribution.IsSourced(m.Name) != (d.About == governance.AboutSourcing) {
			continue
		}
		at := slices.IndexFunc(f.Disputes, func(of attribution.FactDispute) bool { return of.ID == d.ID && fact.Day >= of.From })
		if at < 0 {
			continue
		}
		minor := fact.Value
		if d.About == governance.AboutCredit {
			minor = q.creditOf(f, fact, d.Against)
		}
		if minor != 0 {
			list = append(list, Escrow{m.Name, text(report.ValueOf(minor, fact.Exponent), fact.Currency), fact.Currency})
		}
	}
	return list
}

// creditOf is what a partner is credited with of a measure under the agreed model.
func (q *asked) creditOf(f *attribution.Facts, m *attribution.FactMeasure, partner string) (minor int64) {
	c := q.campaign.At(m.Revision)
	i := slices.Index(c.Models, c.MultiTouch)
	var spec model.Spec
	if i >= 0 {
		spec = c.Specs[i]
	}
	for _, share := range report.SharesOf(f, m, spec) {
		if share.Partner == partner {
			minor += share.Amount
		}
	}
	return minor
}
