package attribution

import (
	"cmp"
	"fmt"
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
// for each account, to post only the difference when something changes. On which
// days it is booked is not part of it: whatever is booked where, the sum is this.
type Posting struct {
	PostingKey
	Basis Basis
	// Confidence is the Overall of the conversion's.
	Confidence int
	// Minor has one value for each model; which, the keeper knows.
	Minor []int64
}

// certain is what of a value is certain.
func (p *Posting) certain(minor int64) int64 { return Confidence{Overall: p.Confidence}.Of(minor) }

// Change is a difference to post.
type Change struct {
	PostingKey
	// Booked is the day that it is booked on: the key's own, or where that is
	// closed the first open one.
	Booked money.Day
	// Basis is that of the new posting; where the key is gone, of the
	// conversion as it is now, or as it was if that is gone as well.
	Basis Basis
	// Confidence is that in the conversion as it is now, 0 if that is gone.
	Confidence int
	// Delta is the difference of the values, Confident that of what of them is
	// certain. Not both are zero.
	Delta, Confident []int64
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
				Basis: c.Basis, Confidence: c.Confidence.Overall, Minor: line.Minor,
			})
		}
	}
	slices.SortFunc(postings, func(a, b Posting) int { return a.PostingKey.Compare(b.PostingKey) })
	return postings
}

// Diff returns what turns the old postings into the new ones: the difference
// under each key, none that is zero, in the order of the keys, booked on days from
// the first open one on, which is money.DayMin while nothing is closed. Both lists have
// to be in that order, each key once, as [Result.Postings] returns them, and all
// vectors have the same models (see Realign); Diff panics where they do not.
func Diff(before, after []Posting, open money.Day) []Change {
	var list []Change
	for old, now := before, after; len(old)+len(now) > 0; {
		var was, is *Posting
		side := -1
		if len(old) == 0 {
			side = 1
		} else if len(now) > 0 {
			side = old[0].Compare(now[0].PostingKey)
		}
		if side <= 0 {
			was, old = next(old)
		}
		if side >= 0 {
			is, now = next(now)
		}
		c := difference(was, is)
		if isZero(c.Delta) && isZero(c.Confident) {
			continue
		}
		if is == nil {
			c.Basis, c.Confidence = conversionNow(after, was)
		}
		c.Booked = max(c.Day, open)
		list = append(list, c)
	}
	return list
}

// next takes the first of the postings.
func next(postings []Posting) (first *Posting, rest []Posting) {
	first, rest = &postings[0], postings[1:]
	if len(rest) > 0 && first.Compare(rest[0].PostingKey) >= 0 {
		panic(fmt.Sprintf("attribution: a posting under %+v in front of one under %+v", first.PostingKey, rest[0].PostingKey))
	}
	return first, rest
}

// difference is what turns one posting into another under the same key; one of them
// may be nil for nothing.
func difference(was, is *Posting) Change {
	switch {
	case was == nil:
		was = &Posting{Minor: make([]int64, len(is.Minor))}
	case is == nil:
		is = &Posting{PostingKey: was.PostingKey, Minor: make([]int64, len(was.Minor))}
	case len(was.Minor) != len(is.Minor):
		panic(fmt.Sprintf("attribution: postings of %d and %d models under %+v", len(was.Minor), len(is.Minor), is.PostingKey))
	case was.Confidence == is.Confidence && slices.Equal(was.Minor, is.Minor):
		return Change{} // as most are
	}
	vectors := make([]int64, 2*len(is.Minor))
	delta, confident := vectors[:len(is.Minor):len(is.Minor)], vectors[len(is.Minor):]
	for m, minor := range is.Minor {
		delta[m] = minor - was.Minor[m]
		confident[m] = is.certain(minor) - was.certain(was.Minor[m])
	}
	return Change{PostingKey: is.PostingKey, Basis: is.Basis, Confidence: is.Confidence, Delta: delta, Confident: confident}
}

// conversionNow is the basis of the conversion that a posting was of and the
// confidence in it, as they are now; if it is gone, the basis as it was.
func conversionNow(after []Posting, was *Posting) (Basis, int) {
	behind, _ := slices.BinarySearchFunc(after, was, func(p Posting, was *Posting) int {
		if cmp.Or(strings.Compare(p.Conversion, was.Conversion), strings.Compare(p.Measure, was.Measure)) <= 0 {
			return -1
		}
		return 1
	})
	if behind > 0 && after[behind-1].Conversion == was.Conversion && after[behind-1].Measure == was.Measure {
		return after[behind-1].Basis, after[behind-1].Confidence
	}
	return was.Basis, 0
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
