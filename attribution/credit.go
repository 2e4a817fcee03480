package attribution

import (
	"cmp"
	"slices"

	"tracksource/attribution/model"
	"tracksource/contract"
	"tracksource/money"
)

// Credit is the share of a conversion that one touch gets, or of a touch that is
// split one of its partners.
type Credit struct {
	// Touch is the touch; zero for unattributed value, and for a deal that a
	// registration or a decision sourced.
	Touch Touch
	// Class is what the contract made of it, Evidence the reports that it is made of.
	Class      contract.Classification
	Evidence   []ItemID
	Dimensions Dimensions
	// Minor has one value for each of the contract's models.
	Minor []int64
}

// weigh makes the shares of a moment and weighs them under every model.
func (b *booker) weigh(m moment, s *shared) {
	if s.weights != nil {
		return
	}
	base := b.accountDimensions(m.business)
	nobody := base
	nobody.Partner, nobody.Channel, nobody.Asset, nobody.TouchCampaign = Unattributed, Unattributed, Unattributed, contract.None
	s.dimensions = []Dimensions{nobody}
	all := make([]Dimensions, 0, len(s.path))
	s.shares = make([]share, 0, len(s.path))
	for _, i := range s.path {
		for _, partner := range b.steps[i].partners {
			partner = m.business.credited(partner, m.day)
			s.shares = append(s.shares, share{step: &b.steps[i], partner: partner})
			d := b.steps[i].dimensions(base, partner)
			d.Escrow = m.business.escrow(partner, m.day)
			all = append(all, d)
		}
	}
	places := make(map[Dimensions]int, len(all)+1)
	places[nobody] = 0
	for _, d := range all {
		if _, found := places[d]; !found {
			places[d] = 0
			s.dimensions = append(s.dimensions, d)
		}
	}
	slices.SortFunc(s.dimensions, Dimensions.Compare)
	for place, d := range s.dimensions {
		places[d] = place
	}
	s.nobody = places[nobody]
	for i, d := range all {
		s.shares[i].line = places[d]
	}
	path := b.modelPath(m, s.path)
	s.weights = make([][]uint64, len(b.contract.Specs))
	for n, spec := range b.contract.Specs {
		if weights := model.Weights(spec, path); weights != nil {
			s.weights[n] = b.split(weights, s.path)
		}
	}
}

// lines shares the value of an event among its dimensions under every model. Where
// a model finds nobody to credit, as it does in an empty path, nobody has the value;
// what goes to who sourced the deal is one line.
func (b *booker) lines(e event, o outcome) []Line {
	if IsSourced(e.measure) {
		c := b.sourcedCredit(e.business, o.Value)
		return []Line{{Dimensions: c.Dimensions, Minor: c.Minor}}
	}
	b.weigh(e.moment, o.shared)
	models := len(b.contract.Specs)
	lines := make([]Line, len(o.dimensions))
	vectors := make([]int64, models*len(lines))
	for i, d := range o.dimensions {
		lines[i] = Line{Dimensions: d, Minor: vectors[i*models : (i+1)*models : (i+1)*models]}
	}
	for m, weights := range o.weights {
		if weights == nil {
			lines[o.nobody].Minor[m] = o.Value
			continue
		}
		for i, part := range money.Allocate(o.Value, weights) {
			lines[o.shares[i].line].Minor[m] += part
		}
	}
	return slices.DeleteFunc(lines, func(l Line) bool { return isZero(l.Minor) })
}

// credits are the parts that lines sums: of every touch and partner, and a last one
// without a touch where a model credits nobody.
func (b *booker) credits(e event, o outcome) []Credit {
	if IsSourced(e.measure) {
		return []Credit{b.sourcedCredit(e.business, o.Value)}
	}
	b.weigh(e.moment, o.shared)
	models := len(b.contract.Specs)
	nobody := Credit{Dimensions: o.dimensions[o.nobody], Minor: make([]int64, models)}
	credits := make([]Credit, len(o.shares))
	for i, s := range o.shares {
		credits[i] = s.step.credit(o.dimensions[s.line], models)
	}
	for m, weights := range o.weights {
		if weights == nil {
			nobody.Minor[m] = o.Value
			continue
		}
		for i, part := range money.Allocate(o.Value, weights) {
			credits[i].Minor[m] = part
		}
	}
	if !isZero(nobody.Minor) {
		credits = append(credits, nobody)
	}
	return credits
}

// dimensions are those of the touch, credited to the partner.
func (s *step) dimensions(base Dimensions, partner string) Dimensions {
	d := base
	d.Partner, d.Channel, d.Asset, d.TouchCampaign = partner, s.class.Channel, s.class.Asset, s.class.Campaign
	if s.class.Source != contract.Unknown {
		d.Source = s.class.Source
	}
	return d
}

// credit is the touch's, of nothing yet.
func (s *step) credit(d Dimensions, models int) Credit {
	touch := *s.touch
	touch.At = s.at
	return Credit{Touch: touch, Class: s.class, Evidence: s.evidence, Dimensions: d, Minor: make([]int64, models)}
}

// sourcedCredit has all of the value, under every model.
func (b *booker) sourcedCredit(s *business, value int64) Credit {
	models := len(b.contract.Specs)
	d := b.accountDimensions(s)
	d.Channel, d.Asset, d.TouchCampaign = Unattributed, Unattributed, contract.None
	credit := Credit{Minor: make([]int64, models)}
	switch {
	case s.sourcing != nil:
		d = s.sourcing.dimensions(d, "")
		credit = s.sourcing.credit(d, models)
	case s.sourced.By == SourcedByRegistration, s.sourced.By == SourcedByDecision:
		d.Channel, d.Asset = contract.Unknown, contract.Unknown
	}
	d.Partner, d.Escrow = s.sourced.Partner, s.sourcingEscrow()
	credit.Dimensions = d
	for m := range credit.Minor {
		credit.Minor[m] = value
	}
	return credit
}

// split shares the weight of each touch among its partners equally; what cannot be
// shared goes to the first of them.
func (b *booker) split(weights []uint64, path []int) []uint64 {
	shared := make([]uint64, 0, len(weights))
	for i, place := range path {
		n := uint64(len(b.steps[place].partners))
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

// modelPath is what models look at of the touches before a moment.
func (b *booker) modelPath(m moment, steps []int) model.Path {
	p := model.Path{
		Touches: make([]model.Touch, len(steps)), At: m.cutoff.at,
		Lead: m.lead, Opportunity: m.created, Closed: m.closed,
	}
	for i, place := range steps {
		s := &b.steps[place]
		if s.name == "" {
			s.name = s.touch.ID.String() // each deal of the account would make it anew
		}
		p.Touches[i] = model.Touch{
			ID: s.name, At: s.at, Channel: s.class.Channel, Partner: s.class.Partner,
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
		Source: contract.SourceName(leadSource), Escrow: EscrowNone,
	}
}

func isZero(vector []int64) bool {
	for _, value := range vector {
		if value != 0 {
			return false
		}
	}
	return true
}
