package report

import (
	"slices"
	"strings"
	"time"

	"tracksource/attribution"
	"tracksource/attribution/model"
	"tracksource/contract"
	"tracksource/money"
)

// Deal is all that is known of a deal under one contract.
type Deal struct {
	Account string
	// Parts are the facts under each revision that accounts for some of its days, in
	// the order of revisions.
	Parts []attribution.Facts
}

// Newest is the facts that say where the deal is now.
func (d *Deal) Newest() *attribution.Facts { return &d.Parts[len(d.Parts)-1] }

// Measure returns the deal's measure of that name with the facts that it is part of,
// false where it is in no total: a measure is in at most one of the parts.
func (d *Deal) Measure(name string) (*attribution.Facts, *attribution.FactMeasure, bool) {
	for i := range d.Parts {
		f := &d.Parts[i]
		for n := range f.Measures {
			if m := &f.Measures[n]; m.Measure == name && Counts(m) {
				return f, m, true
			}
		}
	}
	return nil, nil, false
}

// Counts reports whether a measure is in the totals.
func Counts(m *attribution.FactMeasure) bool { return m.InScope && m.Held == "" && m.Value != 0 }

// Share is one partner's part of one touch in a measure of a deal.
type Share struct {
	Touch   int    // place in the facts' touches
	Partner string // who is credited
	Judged  string // whom the contract credits: another where disputes were upheld
	Weight  uint64 // of money.Whole
	Amount  int64  // of the measure's value
}

// SharesOf weighs the touches of a measure by a model of single paths, as the ledger
// does; nil where the model credits nobody. The amounts of an additive model sum to
// the value.
func SharesOf(f *attribution.Facts, m *attribution.FactMeasure, spec model.Spec) []Share {
	return sharesAlong(f, m, spec, PathOf(f, m))
}

// sharesAlong is SharesOf where the path is known already.
func sharesAlong(f *attribution.Facts, m *attribution.FactMeasure, spec model.Spec, path model.Path) []Share {
	weights := model.Weights(spec, path)
	if weights == nil {
		return nil
	}
	shares, split := make([]Share, 0, len(m.Path)), make([]uint64, 0, len(m.Path))
	for i, place := range m.Path {
		partners := PartnersOf(&f.Touches[place])
		n := uint64(len(partners))
		for p, partner := range partners {
			part := weights[i] / n
			if uint64(p) < weights[i]%n {
				part++
			}
			credited := f.Credited(partner, m.Day)
			shares, split = append(shares, Share{Touch: place, Partner: credited, Judged: partner, Weight: part}), append(split, part)
		}
	}
	if spec.Model.IsAdditive() {
		for i, amount := range money.Allocate(m.Value, split) {
			shares[i].Amount = amount
		}
	}
	return shares
}

// PartnersOf are those between whom the contract splits the credit of a touch.
func PartnersOf(t *attribution.FactTouch) []string { return strings.Split(t.Partner, "+") }

// PathOf is what models look at of a measure.
func PathOf(f *attribution.Facts, m *attribution.FactMeasure) model.Path {
	p := model.Path{Touches: make([]model.Touch, len(m.Path)), Lead: f.LeadAt, Opportunity: f.CreatedAt}
	p.At, p.Closed = instants(f, m)
	for i, place := range m.Path {
		t := &f.Touches[place]
		p.Touches[i] = model.Touch{
			ID: t.ID.String(), At: t.At, Channel: t.Channel, Partner: t.Partner, Campaign: t.Campaign, Asset: t.Asset, Type: t.Type,
		}
	}
	return p
}

// instants are when a measure came about, zero where only its day is known, and
// when the deal was closed before it.
func instants(f *attribution.Facts, m *attribution.FactMeasure) (at, closed time.Time) {
	is := func(state contract.State) func(attribution.FactStage) bool {
		return func(s attribution.FactStage) bool { return s.State == string(state) }
	}
	switch m.Measure {
	case attribution.MeasureRevenue, attribution.MeasureRevenueSourced:
		if f.Order {
			return m.At, f.CreatedAt
		}
		// Won for the last time, if the history ends so; else its day is the close date.
		won := len(f.Stages)
		for won > 0 && f.Stages[won-1].State == string(contract.StateWon) {
			won--
		}
		if won == len(f.Stages) {
			return time.Time{}, time.Time{}
		}
		return m.At, f.Stages[won].At
	case attribution.MeasureOrders:
		return m.At, f.CreatedAt
	case attribution.MeasureWon:
		if i := slices.IndexFunc(f.Stages, is(contract.StateWon)); i >= 0 {
			return m.At, f.Stages[i].At
		}
		return time.Time{}, time.Time{}
	case attribution.MeasureLost:
		if !slices.ContainsFunc(f.Stages, is(contract.StateLost)) {
			return time.Time{}, time.Time{}
		}
	}
	return m.At, time.Time{}
}

// dimension is the value of a dimension of one partner's part of a touch in a measure.
func dimension(f *attribution.Facts, m *attribution.FactMeasure, t *attribution.FactTouch, partner string, d Dimension) string {
	switch d {
	case Partner:
		return partner
	case Channel:
		return t.Channel
	case Asset:
		return t.Asset
	case TouchCampaign:
		return t.Campaign
	case Source:
		if t.Source != contract.Unknown {
			return t.Source
		}
	case Escrow:
		return f.Escrow(m.Measure, partner, m.Day)
	case Region, Segment, Day:
	}
	return ofDeal(f, d)
}

// ofDeal is the value of a dimension of what no touch is credited with.
func ofDeal(f *attribution.Facts, d Dimension) string {
	switch d {
	case Partner, Channel, Asset:
		return Unattributed
	case TouchCampaign:
		return contract.None
	case Escrow:
		return attribution.EscrowNone
	case Region:
		return f.Region
	case Segment:
		return f.Segment
	case Source:
		return contract.SourceName(f.LeadSource)
	case Day:
	}
	return ""
}
