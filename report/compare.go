package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tracksource/attribution"
)

// Side is one of two books that are held against each other.
type Side struct {
	Models   []string
	Currency string
	Rows     Rows
}

// has reports whether the book accounts for values of a model in a currency, empty
// for counts.
func (s *Side) has(model, currency string) bool {
	return slices.Contains(s.Models, model) && (currency == "" || currency == s.Currency)
}

// Difference is one number in two books.
type Difference struct {
	Measure, Model, Currency string
	// By and Key say what part of the measure it is of; both are empty for all of
	// it.
	By  Dimension
	Key string
	// Agreed and Proposed are nil where the book has no such model or currency.
	Agreed, Proposed *Value
}

// Change is how far the proposed number is from the agreed one; false where one of
// them is none.
func (d *Difference) Change() (Value, bool) {
	if d.Agreed == nil || d.Proposed == nil {
		return Value{}, false
	}
	return d.Proposed.Sub(*d.Agreed), true
}

// Compare holds a proposed book against the agreed one: for each measure, model
// and currency the whole, and the parts by each of the dimensions, in the order of
// these names. It never adds the two, and nothing over a dimension over which values
// of a measure must not be added: of what each partner has whole there are the parts
// by partner alone.
func Compare(agreed, proposed Side, dims ...Dimension) ([]Difference, error) {
	for i, d := range dims {
		if _, ok := new(Row).Get(d); !ok || slices.Contains(dims[:i], d) {
			return nil, fmt.Errorf("dimension %q is unknown or repeated", d)
		}
	}
	type place struct {
		measure, model, currency string
		by                       int // place of the dimension, from 1; 0: the whole
		key                      string
	}
	sums := map[place]*[2]Value{}
	sumsBy := map[string][]bool{} // by measure: the whole, and by each dimension, whether these are sums
	add := func(p place, side int, v Value) {
		if sums[p] == nil {
			sums[p] = new([2]Value)
		}
		sums[p][side] = sums[p][side].Add(v)
	}
	for side, s := range []*Side{&agreed, &proposed} {
		for i := range s.Rows {
			r := &s.Rows[i]
			p := place{measure: r.Measure, model: r.Model, currency: r.Currency}
			if sumsBy[r.Measure] == nil {
				m := attribution.MeasureNamed(r.Measure)
				sumsBy[r.Measure] = []bool{m.Sums()}
				for _, d := range dims {
					sumsBy[r.Measure] = append(sumsBy[r.Measure], m.Sums(string(d)))
				}
			}
			for by, is := range sumsBy[r.Measure] {
				if !is {
					continue
				}
				if p.by = by; by > 0 {
					p.key, _ = r.Get(dims[by-1])
				}
				add(p, side, r.Value)
			}
		}
	}
	var list []Difference
	for p, v := range sums {
		d := Difference{Measure: p.measure, Model: p.model, Currency: p.currency, Key: p.key}
		if p.by > 0 {
			d.By = dims[p.by-1]
		}
		// A book that is being restated may have values of what it has no more.
		if agreed.has(p.model, p.currency) || v[0].Cmp(Value{}) != 0 {
			d.Agreed = &v[0]
		}
		if proposed.has(p.model, p.currency) || v[1].Cmp(Value{}) != 0 {
			d.Proposed = &v[1]
		}
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b Difference) int {
		return cmp.Or(strings.Compare(a.Measure, b.Measure), strings.Compare(a.Model, b.Model), strings.Compare(a.Currency, b.Currency),
			cmp.Compare(slices.Index(dims, a.By), slices.Index(dims, b.By)), strings.Compare(a.Key, b.Key))
	})
	return list, nil
}
