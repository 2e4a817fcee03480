package attribution

import (
	"slices"
	"strings"

	"tracksource/contract"
)

// influence lists the partners of the touches that share a moment of a deal, and of
// those who did not source the deal though somebody did; both in order. All events of
// the moment have the same lists, which nobody may change.
func (b *booker) influence(of *business, s *shared) (influenced, coSell []string) {
	if s.judged {
		return s.influenced, s.coSell
	}
	s.judged = true
	for _, i := range s.path {
		for _, partner := range b.steps[i].partners {
			partner = of.credited(partner, s.day)
			if partner != contract.None && partner != contract.Held && !slices.Contains(s.influenced, partner) {
				s.influenced = append(s.influenced, partner)
			}
		}
	}
	slices.SortFunc(s.influenced, strings.Compare)
	if of.sourced.Partner != contract.Unsourced {
		for _, partner := range s.influenced {
			if b.sourcingName(partner) != of.sourced.Partner {
				s.coSell = append(s.coSell, partner)
			}
		}
	}
	return s.influenced, s.coSell
}

// following are the conversions of the measures that follow the event's, which is
// weighed: the whole value for each partner, under every model. Where there is no
// partner there is none.
func (b *booker) following(e event, o outcome) []Conversion {
	var list []Conversion
	for i, measure := range followers(e.measure) {
		if measure == "" {
			continue
		}
		influenced, coSell := b.influence(e.business, o.shared)
		partners := [2][]string{influenced, coSell}[i]
		if len(partners) == 0 {
			continue
		}
		c := o.Conversion
		c.Measure, c.Lines = measure, make([]Line, len(partners))
		models := len(b.contract.Specs)
		vectors := slices.Repeat([]int64{o.Value}, models*len(partners))
		for n, partner := range partners {
			c.Lines[n] = Line{Dimensions: o.atGrain(e.business, partner), Minor: vectors[n*models : (n+1)*models : (n+1)*models]}
		}
		list = append(list, c)
	}
	return list
}

// atGrain are the dimensions of what a partner influenced, once the moment is weighed.
func (s *shared) atGrain(of *business, partner string) Dimensions {
	account := s.dimensions[s.nobody]
	return Dimensions{
		Partner: partner, Channel: All, Asset: All, Region: account.Region, Segment: account.Segment, Source: All, TouchCampaign: All,
		Escrow: of.escrow(partner, s.day),
	}
}

// influences are the credits of a conversion that following made: each partner's by
// the first of its touches.
func (b *booker) influences(c Conversion, of *business, s *shared) []Credit {
	credits := make([]Credit, len(c.Lines))
	for n, line := range c.Lines {
		first := s.path[slices.IndexFunc(s.path, func(i int) bool {
			return slices.ContainsFunc(b.steps[i].partners, func(partner string) bool { return of.credited(partner, s.day) == line.Partner })
		})]
		credits[n] = b.steps[first].credit(line.Dimensions, len(line.Minor))
		copy(credits[n].Minor, line.Minor)
	}
	return credits
}
