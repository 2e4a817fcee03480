package attribution

import (
	"cmp"
	"maps"
	"slices"

	"tracksource/attribution/model"
	"tracksource/contract"
	"tracksource/money"
)

// Credit is the share of a conversion that one touch gets, or of a touch that is
// split one of its partners.
type Credit struct {
	// Touch is the touch; zero for unattributed value, and for a deal that a
	// registration sourced.
	Touch Touch
	// Class is what the contract made of it, Evidence the reports that it is made of.
	Class      contract.Classification
	Evidence   []ItemID
	Dimensions Dimensions
	// Minor has one value for each of the contract's models.
	Minor []int64
}

// credits shares the value among the path under every model, or gives it to who
// sourced the deal. Where a model finds nobody to credit, as it does in an empty
// path, a last credit without a touch has the value.
func (b *booker) credits(e event, o outcome) []Credit {
	base := b.accountDimensions(e.business)
	nobody := Credit{Dimensions: base, Minor: make([]int64, len(b.contract.Specs))}
	nobody.Dimensions.Partner, nobody.Dimensions.Channel, nobody.Dimensions.Asset = Unattributed, Unattributed, Unattributed
	nobody.Dimensions.TouchCampaign = contract.None
	if e.measure == MeasurePipelineSourced || e.measure == MeasureRevenueSourced {
		return []Credit{b.sourcedCredit(e.business, base, nobody, o.Value)}
	}
	credits := make([]Credit, 0, len(o.path))
	for _, s := range o.path {
		for _, partner := range s.partners {
			credits = append(credits, s.credit(base, partner, len(b.contract.Specs)))
		}
	}
	path := b.modelPath(e, o.path)
	for m, spec := range b.contract.Specs {
		weights := model.Weights(spec, path)
		if weights == nil {
			nobody.Minor[m] = o.Value
			continue
		}
		for i, part := range money.Allocate(o.Value, split(weights, o.path)) {
			credits[i].Minor[m] = part
		}
	}
	if !isZero(nobody.Minor) {
		credits = append(credits, nobody)
	}
	return credits
}

// credit is the touch's, of nothing yet.
func (s *step) credit(base Dimensions, partner string, models int) Credit {
	d := base
	d.Partner, d.Channel, d.Asset, d.TouchCampaign = partner, s.class.Channel, s.class.Asset, s.class.Campaign
	if s.class.Source != contract.Unknown {
		d.Source = s.class.Source
	}
	return Credit{Touch: s.touch, Class: s.class, Evidence: s.evidence, Dimensions: d, Minor: make([]int64, models)}
}

// sourcedCredit has all of the value, under every model.
func (b *booker) sourcedCredit(s *business, base Dimensions, nobody Credit, value int64) Credit {
	credit := nobody
	switch {
	case s.sourcing != nil:
		credit = s.sourcing.credit(base, s.sourced.Partner, len(b.contract.Specs))
	case s.sourced.By == SourcedByRegistration:
		credit.Dimensions.Channel, credit.Dimensions.Asset = contract.Unknown, contract.Unknown
	}
	credit.Dimensions.Partner = s.sourced.Partner
	for m := range credit.Minor {
		credit.Minor[m] = value
	}
	return credit
}

// split shares the weight of each touch among its partners equally; what cannot be
// shared goes to the first of them.
func split(weights []uint64, path []*step) []uint64 {
	shared := make([]uint64, 0, len(weights))
	for i, s := range path {
		n := uint64(len(s.partners))
		for p := range n {
			part := weights[i] / n
			if p < weights[i]%n {
				part++
			}
			shared = append(shared, part)
		}
	}
	return shared
}

// modelPath is what models look at of the touches before an event.
func (b *booker) modelPath(e event, steps []*step) model.Path {
	p := model.Path{
		Touches: make([]model.Touch, len(steps)), At: e.cutoff.at,
		Lead: e.lead, Opportunity: e.created, Closed: e.closed,
	}
	for i, s := range steps {
		p.Touches[i] = model.Touch{
			ID: s.touch.ID.String(), At: s.touch.At, Channel: s.class.Channel, Partner: s.class.Partner,
			Campaign: s.class.Campaign, Asset: s.class.Asset, Type: s.class.Type,
		}
	}
	return p
}

// accountDimensions returns the dimensions that do not depend on a touch.
// Country, industry and size are each taken from the first account that has
// them, by the contract's precedence of CRMs, and within a CRM the deal's own
// account first. The business is nil for an event of a person.
func (b *booker) accountDimensions(s *business) Dimensions {
	var own ItemID
	leadSource := ""
	if s != nil {
		leadSource = s.LeadSource
		if s.AccountID != "" {
			own = ItemID{s.ID.Reporter, s.ID.Source, "account/" + s.AccountID}
		}
	}
	others := func(a Account) int {
		if a.ID == own {
			return 0
		}
		return 1
	}
	ordered := slices.Clone(b.accounts)
	slices.SortStableFunc(ordered, func(x, y Account) int {
		return cmp.Or(
			cmp.Compare(b.contract.Precedence(x.ID.Reporter, x.ID.Source), b.contract.Precedence(y.ID.Reporter, y.ID.Source)),
			cmp.Compare(others(x), others(y)))
	})
	var country, industry, employees string
	for _, a := range ordered {
		if a.Deleted {
			continue
		}
		country = cmp.Or(country, a.Country)
		industry = cmp.Or(industry, a.Industry)
		employees = cmp.Or(employees, a.Employees)
	}
	return Dimensions{
		Region: b.contract.Region(country), Segment: b.contract.Segment(industry, employees),
		Source: contract.SourceName(leadSource),
	}
}

// sumLines adds up credits of equal dimensions and drops lines of nothing.
func sumLines(credits []Credit) []Line {
	sums := make(map[Dimensions][]int64, len(credits))
	for _, credit := range credits {
		sum, found := sums[credit.Dimensions]
		if !found {
			sum = make([]int64, len(credit.Minor))
			sums[credit.Dimensions] = sum
		}
		for m, minor := range credit.Minor {
			sum[m] += minor
		}
	}
	lines := make([]Line, 0, len(sums))
	for _, d := range slices.SortedFunc(maps.Keys(sums), Dimensions.Compare) {
		if !isZero(sums[d]) {
			lines = append(lines, Line{Dimensions: d, Minor: sums[d]})
		}
	}
	return lines
}

func isZero(vector []int64) bool {
	for _, value := range vector {
		if value != 0 {
			return false
		}
	}
	return true
}
