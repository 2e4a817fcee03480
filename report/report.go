// Package report sums contribution rows the way people ask for them: by partner,
// by channel, by day.
//
// It knows rows, dimensions, and which rows may be added to each other. It must
// not know where rows come from or how they are shown: no I/O, no clock, no
// float. A value is an exact decimal from end to end.
package report

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
)

// Dimension is what values can be broken down by.
type Dimension string

// The dimensions of a contribution.
const (
	Day           Dimension = "day"
	Partner       Dimension = "partner"
	Channel       Dimension = "channel"
	Asset         Dimension = "asset"
	Region        Dimension = "region"
	Segment       Dimension = "segment"
	Source        Dimension = "source"
	TouchCampaign Dimension = "touch_campaign"
	Escrow        Dimension = "escrow"
)

// Dimensions returns all dimensions in the order in which they are listed.
func Dimensions() []Dimension {
	return []Dimension{Partner, Channel, Asset, Region, Segment, Source, TouchCampaign, Escrow, Day}
}

// Unattributed is the partner of value that no eligible touch preceded.
const Unattributed = "(unattributed)"

// ErrMixed says that rows were to be added that measure different things.
var ErrMixed = errors.New("rows cannot be added")

// Row is one contribution.
type Row struct {
	Campaign, Measure, Model string
	Day, Booked              string // YYYY-MM-DD; Booked may be empty for Day
	Partner, Channel, Asset  string
	Region, Segment, Source  string
	TouchCampaign, Escrow    string
	Currency                 string // empty for counts
	Value                    Value
	Confident                Value // what of it is certain: of each conversion by the confidence in it
}

// Get returns the row's value of a dimension, and false for an unknown one.
func (r *Row) Get(d Dimension) (string, bool) {
	switch d {
	case Day:
		return r.Day, true
	case Partner:
		return r.Partner, true
	case Channel:
		return r.Channel, true
	case Asset:
		return r.Asset, true
	case Region:
		return r.Region, true
	case Segment:
		return r.Segment, true
	case Source:
		return r.Source, true
	case TouchCampaign:
		return r.TouchCampaign, true
	case Escrow:
		return r.Escrow, true
	}
	return "", false
}

// Rows is a set of contributions.
type Rows []Row

// Filter says which rows are meant; an empty field means any.
type Filter struct{ Campaign, Measure, Model string }

// Matches reports whether the filter lets r pass.
func (f Filter) Matches(r *Row) bool {
	return (f.Campaign == "" || f.Campaign == r.Campaign) &&
		(f.Measure == "" || f.Measure == r.Measure) && (f.Model == "" || f.Model == r.Model)
}

// Select returns the rows that the filter lets pass, in their order.
func (rs Rows) Select(f Filter) Rows {
	var out Rows
	for i := range rs {
		if f.Matches(&rs[i]) {
			out = append(out, rs[i])
		}
	}
	return out
}

// Group is the rows that share a value of each dimension of a breakdown.
type Group struct {
	Key       []string // in the order of the breakdown's dimensions
	Value     Value
	Confident Value // what of it is certain
}

// Breakdown is a total and the groups that it is made of. The groups sum to
// Total exactly.
type Breakdown struct {
	Dimensions   []Dimension
	Currency     string // empty for counts
	Total        Value
	Confident    Value // what of Total is certain
	Unattributed Value // part of Total
	Rows         int
	Groups       []Group // largest first, then by key
}

// GroupBy adds up rows of one campaign, measure, model and currency; others in
// between are [ErrMixed]: values of two models are two views of one thing.
func (rs Rows) GroupBy(dims ...Dimension) (Breakdown, error) {
	t, err := NewTally(dims...)
	if err != nil {
		return Breakdown{}, err
	}
	for i := range rs {
		first := &rs[0]
		if r := &rs[i]; r.Campaign != first.Campaign || r.Measure != first.Measure || r.Model != first.Model || r.Currency != first.Currency {
			return Breakdown{}, fmt.Errorf("%w: %s %s %s %s and %s %s %s %s", ErrMixed,
				first.Campaign, first.Measure, first.Model, first.Currency, r.Campaign, r.Measure, r.Model, r.Currency)
		}
		t.Add(&rs[i])
	}
	if len(rs) == 0 {
		return Breakdown{Dimensions: dims}, nil
	}
	return t.Breakdowns()[0], nil
}

// Margin breaks the total down by one dimension of b alone.
func (b Breakdown) Margin(d Dimension) (Breakdown, error) {
	at := slices.Index(b.Dimensions, d)
	if at < 0 {
		return Breakdown{}, fmt.Errorf("the breakdown is not by %s", d)
	}
	sums := map[string]Group{}
	for _, g := range b.Groups {
		sum := sums[g.Key[at]]
		sums[g.Key[at]] = Group{[]string{g.Key[at]}, sum.Value.Add(g.Value), sum.Confident.Add(g.Confident)}
	}
	m := b
	m.Dimensions, m.Groups = []Dimension{d}, slices.Collect(maps.Values(sums))
	sortGroups(m.Groups)
	return m, nil
}

// Tally adds up rows one by one, so that they need not be held. Rows of each
// currency are kept apart; that campaign, measure and model are the same is the
// caller's to see to, with a [Filter].
type Tally struct {
	dims  []Dimension
	books map[string]*book // by currency
}

type book struct {
	rows                           int
	total, confident, unattributed Value
	groups                         map[string]Group
}

// NewTally begins a tally by dimensions, none of which may repeat.
func NewTally(dims ...Dimension) (*Tally, error) {
	for i, d := range dims {
		if _, ok := new(Row).Get(d); !ok || slices.Contains(dims[:i], d) {
			return nil, fmt.Errorf("dimension %q is unknown or repeated", d)
		}
	}
	return &Tally{dims: slices.Clone(dims), books: map[string]*book{}}, nil
}

// Add adds a row.
func (t *Tally) Add(r *Row) {
	b := t.books[r.Currency]
	if b == nil {
		b = &book{groups: map[string]Group{}}
		t.books[r.Currency] = b
	}
	b.rows++
	b.total, b.confident = b.total.Add(r.Value), b.confident.Add(r.Confident)
	if r.Partner == Unattributed {
		b.unattributed = b.unattributed.Add(r.Value)
	}
	key := make([]string, len(t.dims))
	var id strings.Builder
	for i, d := range t.dims {
		key[i], _ = r.Get(d)
		fmt.Fprintf(&id, "%d:%s", len(key[i]), key[i])
	}
	g, ok := b.groups[id.String()]
	if !ok {
		g.Key = key
	}
	g.Value, g.Confident = g.Value.Add(r.Value), g.Confident.Add(r.Confident)
	b.groups[id.String()] = g
}

// Breakdowns returns one breakdown for each currency, the one with the most
// rows first.
func (t *Tally) Breakdowns() []Breakdown {
	var out []Breakdown
	for currency, b := range t.books {
		d := Breakdown{
			Dimensions: t.dims, Currency: currency, Total: b.total, Confident: b.confident, Unattributed: b.unattributed, Rows: b.rows,
		}
		for _, g := range b.groups {
			d.Groups = append(d.Groups, g)
		}
		sortGroups(d.Groups)
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Breakdown) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), strings.Compare(a.Currency, b.Currency))
	})
	return out
}

func sortGroups(groups []Group) {
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(b.Value.Cmp(a.Value), slices.Compare(a.Key, b.Key))
	})
}

// Value is an exact decimal with at most nine places. The zero Value is zero;
// Values are never changed.
type Value struct{ units *big.Int } // in 10^-9; nil is zero

// scale is that of the rows' decimal(38,9), digitsMax its precision.
const (
	scale     = 9
	digitsMax = 38
)

// ErrValue says that text is not a decimal of at most 38 digits, nine of them
// behind the point.
var ErrValue = errors.New("not a decimal value")

// ParseValue reads plain decimal text such as "-12.50".
func ParseValue(text string) (Value, error) {
	digits, negative := strings.CutPrefix(text, "-")
	whole, places, pointed := strings.Cut(digits, ".")
	if whole == "" || pointed && places == "" || len(places) > scale || len(whole) > digitsMax-scale {
		return Value{}, fmt.Errorf("%w: %.60q", ErrValue, text)
	}
	all := whole + places + strings.Repeat("0", scale-len(places))
	if strings.Trim(all, "0123456789") != "" {
		return Value{}, fmt.Errorf("%w: %.60q", ErrValue, text)
	}
	units, ok := new(big.Int).SetString(all, 10)
	if !ok {
		return Value{}, fmt.Errorf("%w: %.60q", ErrValue, text)
	}
	if negative {
		units.Neg(units)
	}
	return Value{units}, nil
}

// ValueOf is minor units of 10^-exponent, 0 to 9.
func ValueOf(minor int64, exponent int) Value {
	unit := int64(1)
	for range scale - exponent {
		unit *= 10
	}
	v := big.NewInt(unit)
	return Value{v.Mul(v, big.NewInt(minor))}
}

// ValueOfUnits is units of 10^-9; the Value keeps them.
func ValueOfUnits(units *big.Int) Value { return Value{units} }

// Sign is -1, 0 or 1.
func (v Value) Sign() int { return v.int().Sign() }

func (v Value) int() *big.Int {
	if v.units == nil {
		return new(big.Int)
	}
	return v.units
}

// Add returns v + w.
func (v Value) Add(w Value) Value { return Value{new(big.Int).Add(v.int(), w.int())} }

// Times returns v x w, rounded toward zero to nine places.
func (v Value) Times(w Value) Value {
	n := new(big.Int).Mul(v.int(), w.int())
	return Value{n.Quo(n, big.NewInt(1_000_000_000))}
}

// Sub returns v - w.
func (v Value) Sub(w Value) Value { return Value{new(big.Int).Sub(v.int(), w.int())} }

// Cmp compares as big.Int.Cmp does.
func (v Value) Cmp(w Value) int { return v.int().Cmp(w.int()) }

// Text writes v with at least placesMin decimal places, 0 to 9; more are
// written while they are not zero.
func (v Value) Text(placesMin int) string {
	digits := new(big.Int).Abs(v.int()).String()
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	whole, places := digits[:len(digits)-scale], digits[len(digits)-scale:]
	for len(places) > max(0, placesMin) && places[len(places)-1] == '0' {
		places = places[:len(places)-1]
	}
	text := whole
	if places != "" {
		text += "." + places
	}
	if v.int().Sign() < 0 {
		text = "-" + text
	}
	return text
}
