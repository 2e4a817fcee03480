package attribution

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tracksource/money"
)

// PostingKey is what a ledger entry is the net change of, within one contract
// and one account. The currency is part of it: values of a contract that came
// to report in another currency are never added to the older ones.
type PostingKey struct {
	Conversion, Measure string
	Day                 money.Day
	Currency            string
	Exponent            int
	Dimensions
}

// Compare orders keys field by field.
func (k PostingKey) Compare(other PostingKey) int {
	return cmp.Or(
		strings.Compare(k.Conversion, other.Conversion), strings.Compare(k.Measure, other.Measure),
		cmp.Compare(k.Day, other.Day), strings.Compare(k.Currency, other.Currency),
		cmp.Compare(k.Exponent, other.Exponent), k.Dimensions.Compare(other.Dimensions),
	)
}

// Posting is what is now on the ledger under one key: what the attributor keeps
// for each account, to post only the difference when something changes.
type Posting struct {
	PostingKey
	Basis Basis
	// Minor has one value for each model; which, the keeper knows.
	Minor []int64
}

// Change is a difference to post.
type Change struct {
	PostingKey
	// Basis is that of the new posting; where the key is gone, of the
	// conversion as it is now, or as it was if that is gone as well.
	Basis Basis
	Delta []int64
}

// Postings flattens the result, in the order of the keys.
func (r Result) Postings() []Posting {
	var postings []Posting
	for _, c := range r.Conversions {
		for _, line := range c.Lines {
			postings = append(postings, Posting{
				PostingKey: PostingKey{
					Conversion: c.ID, Measure: c.Measure, Day: c.Day,
					Currency: c.Currency, Exponent: c.Exponent, Dimensions: line.Dimensions,
				},
				Basis: c.Basis, Minor: line.Minor,
			})
		}
	}
	slices.SortFunc(postings, func(a, b Posting) int { return a.PostingKey.Compare(b.PostingKey) })
	return postings
}

// Diff returns what turns the old postings into the new ones: the difference
// under each key, none that is zero, in the order of the keys. All vectors must
// have the same models (see Realign); Diff panics if their lengths differ.
func Diff(before, after []Posting) []Change {
	changes := make(map[PostingKey]*Change, len(before)+len(after))
	basis := make(map[[2]string]Basis)
	change := func(p Posting) *Change {
		c, found := changes[p.PostingKey]
		if !found {
			c = &Change{PostingKey: p.PostingKey, Delta: make([]int64, len(p.Minor))}
			changes[p.PostingKey] = c
		}
		if len(c.Delta) != len(p.Minor) {
			panic(fmt.Sprintf("attribution: postings of %d and %d models under %+v", len(c.Delta), len(p.Minor), p.PostingKey))
		}
		return c
	}
	for _, p := range after {
		c := change(p)
		for m, minor := range p.Minor {
			c.Delta[m] += minor
		}
		c.Basis = p.Basis
		basis[[2]string{p.Conversion, p.Measure}] = p.Basis
	}
	for _, p := range before {
		_, kept := changes[p.PostingKey]
		c := change(p)
		for m, minor := range p.Minor {
			c.Delta[m] -= minor
		}
		if kept {
			continue
		}
		if now, found := basis[[2]string{p.Conversion, p.Measure}]; found {
			c.Basis = now
		} else {
			c.Basis = p.Basis
		}
	}
	var list []Change
	for _, key := range slices.SortedFunc(maps.Keys(changes), PostingKey.Compare) {
		if c := changes[key]; !isZero(c.Delta) {
			list = append(list, *c)
		}
	}
	return list
}

// UnionModels returns the models of a change from the old ones to the new ones:
// the new in their order, then the old that are gone. Where the two are equal
// it is they.
func UnionModels(before, after []string) []string {
	union := slices.Clone(after)
	for _, model := range before {
		if !slices.Contains(union, model) {
			union = append(union, model)
		}
	}
	return union
}

// Realign rewrites postings of some models as postings of others: a model that
// was not there is zero, one that is not wanted is dropped. A contract whose
// models change is posted as Diff(Realign(before, from, union),
// Realign(after, to, union)), so that the values of a dropped model are taken back.
func Realign(postings []Posting, from, to []string) []Posting {
	if slices.Equal(from, to) {
		return postings
	}
	realigned := make([]Posting, len(postings))
	for i, p := range postings {
		realigned[i] = p
		realigned[i].Minor = make([]int64, len(to))
		for m, model := range to {
			if at := slices.Index(from, model); at >= 0 && at < len(p.Minor) {
				realigned[i].Minor[m] = p.Minor[at]
			}
		}
	}
	return realigned
}
