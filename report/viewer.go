package report

import (
	"slices"

	"tracksource/attribution"
	"tracksource/contract"
)

// Viewer is who asks: the operator, or a partner.
type Viewer struct {
	Operator bool
	Partner  string // empty for the operator
}

// Sight is how much of a campaign somebody sees.
type Sight int

// The sights, the least first.
const (
	// SeesNothing is of who is no signatory: the campaign does not exist for it.
	SeesNothing Sight = iota
	// SeesOwn is of a signatory with the visibility own: what is credited to it, totals
	// where at least PartnersMin partners are credited, and the deals that it reported.
	SeesOwn
	// SeesPartners is of a signatory with the visibility open: all that is told by
	// partner, and the deals that it has a part in.
	SeesPartners
	// SeesAll is the operator's.
	SeesAll
)

// PartnersMin is from how many credited partners on a total tells nothing of one.
const PartnersMin = 3

// Of is how much the viewer sees of a contract's campaign.
func (v Viewer) Of(c *contract.Contract) Sight {
	if v.Operator {
		return SeesAll
	}
	i := slices.IndexFunc(c.Partners, func(p contract.Partner) bool { return p.ID == v.Partner })
	switch {
	case v.Partner == "" || i < 0:
		return SeesNothing
	case c.Partners[i].Visibility == contract.VisibilityOpen:
		return SeesPartners
	}
	return SeesOwn
}

// Reported reports whether the viewer reported the deal, or one that is the same
// business.
func (v Viewer) Reported(d *Deal) bool {
	if v.Operator {
		return true
	}
	f := d.Newest()
	is := func(id attribution.ItemID) bool { return v.Partner != "" && id.Reporter == v.Partner }
	return is(f.Deal) || slices.ContainsFunc(f.Merged, is)
}

// Sees reports whether a viewer of that sight is told of the deal.
func (v Viewer) Sees(s Sight, d *Deal) bool {
	switch {
	case s == SeesAll || s != SeesNothing && v.Reported(d):
		return true
	case s != SeesPartners:
		return false
	}
	for i := range d.Parts {
		if slices.ContainsFunc(d.Parts[i].Touches, func(t attribution.FactTouch) bool { return v.SeesTouch(&t) }) {
			return true
		}
	}
	return false
}

// SeesTouch reports whether the viewer reported the touch. Of the others in a deal
// that it sees it is told who is credited, the channel and the day.
func (v Viewer) SeesTouch(t *attribution.FactTouch) bool {
	return v.Operator || v.Partner != "" && (t.ID.Reporter == v.Partner ||
		slices.ContainsFunc(t.Evidence, func(id attribution.ItemID) bool { return id.Reporter == v.Partner }))
}
