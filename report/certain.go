package report

import (
	"cmp"
	"math/big"
	"slices"

	"tracksource/attribution"
	"tracksource/attribution/model"
	"tracksource/money"
)

// Certain is what a deal has of a measure, as far as a question is about it, and how
// sure that is.
type Certain struct {
	ID         attribution.ItemID // of the deal
	Day        money.Day
	Minor      int64
	Confidence attribution.Confidence
}

// Doubt is what of the amount is not certain.
func (c *Certain) Doubt() int64 { return c.Minor - c.Confidence.Of(c.Minor) }

// Certainties are those of the deals that a question is about, under a model of single
// paths that specOf gives for each revision, the one with the most doubt first. By is
// not looked at.
func Certainties(deals Deals, q ModelQuestion, specOf func(revision int64) model.Spec) []Certain {
	var list []Certain
	for d := range deals {
		f, m, ok := d.Measure(q.Measure)
		if !ok || m.Currency != q.Currency || m.Exponent != q.Exponent || !q.within(m) {
			continue
		}
		if minor := q.part(f, m, specOf(f.Revision)); minor != 0 {
			list = append(list, Certain{d.Newest().Deal, m.Day, minor, m.Confidence})
		}
	}
	slices.SortFunc(list, func(a, b Certain) int {
		return cmp.Or(cmp.Compare(b.Doubt(), a.Doubt()), a.ID.Compare(b.ID))
	})
	return list
}

// part is what of a measure the filter lets pass.
func (q *ModelQuestion) part(f *attribution.Facts, m *attribution.FactMeasure, spec model.Spec) int64 {
	if len(q.Any) == 0 {
		return m.Value
	}
	shares := SharesOf(f, m, spec)
	if shares == nil && q.passes(f, m, nil, "") {
		return m.Value
	}
	minor := int64(0)
	for _, s := range shares {
		if q.passes(f, m, &f.Touches[s.Touch], s.Partner) {
			minor += s.Amount
		}
	}
	return minor
}

// CertainParts is a confidence with what it is the mean of, as decimal text of one.
type CertainParts struct {
	Overall, Identity, Taxonomy, Currency, Agreement, Spread string
}

// WeighParts is the mean confidence of a list, weighted by what each has; false where
// they have nothing together.
func WeighParts(list []Certain) (CertainParts, bool) {
	of := func(part func(c *attribution.Confidence) int) (string, bool) {
		sum, weighed := new(big.Int), new(big.Int)
		for i := range list {
			minor := big.NewInt(list[i].Minor)
			sum.Add(sum, new(big.Int).Mul(minor, big.NewInt(attribution.ConfidenceWhole)))
			weighed.Add(weighed, minor.Mul(minor, big.NewInt(int64(part(&list[i].Confidence)))))
		}
		return Certainty(Value{weighed}, Value{sum})
	}
	var p CertainParts
	known := true
	for _, one := range []struct {
		to   *string
		part func(c *attribution.Confidence) int
	}{
		{&p.Overall, func(c *attribution.Confidence) int { return c.Overall }},
		{&p.Identity, func(c *attribution.Confidence) int { return c.Identity }},
		{&p.Taxonomy, func(c *attribution.Confidence) int { return c.Taxonomy }},
		{&p.Currency, func(c *attribution.Confidence) int { return c.Currency }},
		{&p.Agreement, func(c *attribution.Confidence) int { return c.Agreement }},
		{&p.Spread, func(c *attribution.Confidence) int { return c.Spread }},
	} {
		*one.to, known = of(one.part)
	}
	return p, known
}
