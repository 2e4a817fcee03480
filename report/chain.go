package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/money"
)

// Line is the part of a deal's measure that falls on one set of dimensions, as a row
// of contributions is one for all deals.
type Line struct {
	Measure  string
	Day      money.Day
	Currency string // empty for counts
	Exponent int
	attribution.Dimensions
}

// Compare orders lines by measure, day and dimensions.
func (l Line) Compare(other Line) int {
	return cmp.Or(
		strings.Compare(l.Measure, other.Measure), cmp.Compare(l.Day, other.Day), l.Dimensions.Compare(other.Dimensions),
		strings.Compare(l.Currency, other.Currency), cmp.Compare(l.Exponent, other.Exponent),
	)
}

// Whole is the line that it is held against the ledger by. Who sourced a deal is
// known from facts, and not always the touch that did, so that such a line is told
// by its partner and whether it is in escrow.
func (l Line) Whole() Line {
	if attribution.IsSourced(l.Measure) {
		l.Dimensions = attribution.Dimensions{Partner: l.Partner, Escrow: l.Escrow}
	}
	return l
}

// Amounts are minor units of a line by model.
type Amounts map[string]int64

// Book is what lines have; it never holds one that is nothing under every model.
type Book map[Line]Amounts

// Put adds to a line's amount under a model.
func (b Book) Put(l Line, model string, minor int64) {
	l = l.Whole()
	if b[l] == nil {
		b[l] = Amounts{}
	}
	b[l][model] += minor
}

// Explained computes the lines of a deal from its facts, each revision's by the
// contract that it was, which terms gives; nil for one that is not known, whose lines
// are missing then.
func Explained(d *Deal, terms func(revision int64) *contract.Contract) Book {
	b := Book{}
	for i := range d.Parts {
		f := &d.Parts[i]
		if c := terms(f.Revision); c != nil {
			for n := range f.Measures {
				if m := &f.Measures[n]; Counts(m) {
					b.explain(f, m, c)
				}
			}
		}
	}
	return b
}

func (b Book) explain(f *attribution.Facts, m *attribution.FactMeasure, c *contract.Contract) {
	line := Line{Measure: m.Measure, Day: m.Day, Currency: m.Currency, Exponent: m.Exponent}
	if attribution.IsSourced(m.Measure) {
		line.Partner, line.Escrow = f.Sourced.Partner, f.Escrow(m.Measure, f.Sourced.Partner, m.Day)
		for _, id := range c.Models {
			b.Put(line, id, m.Value)
		}
		return
	}
	for i, id := range c.Models {
		shares := SharesOf(f, m, c.Specs[i])
		if shares == nil {
			line.Dimensions = lineOf(f, m, nil, "")
			b.Put(line, id, m.Value)
		}
		for _, s := range shares {
			line.Dimensions = lineOf(f, m, &f.Touches[s.Touch], s.Partner)
			b.Put(line, id, s.Amount)
		}
	}
	for _, follower := range attribution.Measures() {
		if follower.Of != m.Measure {
			continue
		}
		partners := m.Influenced
		if follower.Name == attribution.MeasurePipelineCoSell || follower.Name == attribution.MeasureRevenueCoSell {
			partners = m.CoSell
		}
		line.Measure = follower.Name
		for _, partner := range partners {
			line.Dimensions = attribution.Dimensions{
				Partner: partner, Channel: attribution.All, Asset: attribution.All, Region: f.Region, Segment: f.Segment,
				Source: attribution.All, TouchCampaign: attribution.All, Escrow: f.Escrow(follower.Name, partner, m.Day),
			}
			for _, id := range c.Models {
				b.Put(line, id, m.Value)
			}
		}
	}
}

// lineOf are the dimensions of one partner's part of a touch, and for a nil touch of
// what nobody is credited with.
func lineOf(f *attribution.Facts, m *attribution.FactMeasure, t *attribution.FactTouch, partner string) attribution.Dimensions {
	of := func(d Dimension) string {
		if t == nil {
			return ofDeal(f, d)
		}
		return dimension(f, m, t, partner, d)
	}
	return attribution.Dimensions{
		Partner: of(Partner), Channel: of(Channel), Asset: of(Asset), Region: of(Region), Segment: of(Segment),
		Source: of(Source), TouchCampaign: of(TouchCampaign), Escrow: of(Escrow),
	}
}

// Lines are those of both books that are not nothing in both, in order.
func Lines(a, b Book) []Line {
	all := map[Line]bool{}
	for _, book := range []Book{a, b} {
		for line, amounts := range book {
			for _, minor := range amounts {
				if minor != 0 {
					all[line] = true
				}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(all), Line.Compare)
}

// Same reports whether a line has the same in both books under every model.
func Same(l Line, a, b Book) bool {
	for _, amounts := range []Amounts{a[l], b[l]} {
		for id := range amounts {
			if a[l][id] != b[l][id] {
				return false
			}
		}
	}
	return true
}
