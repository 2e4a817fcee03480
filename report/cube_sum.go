package report

import (
	"cmp"
	"fmt"
	"math/big"
	"math/bits"
	"slices"
	"strings"

	"tracksource/money"
)

// Sum adds up the rows that the question is about: one breakdown for each currency,
// the one with the most rows first, as [Tally.Breakdowns] gives them.
func (c *Cube) Sum(a Ask) ([]Breakdown, error) {
	if _, err := NewTally(a.By...); err != nil {
		return nil, err
	}
	if len(a.By) > CubeByMax {
		return nil, fmt.Errorf("a breakdown by %d dimensions, at most %d", len(a.By), CubeByMax)
	}
	s, err := c.plan(&a)
	if err != nil || s == nil {
		return nil, err
	}
	s.run()
	return s.breakdowns(a.By, a.First), nil
}

// summing is one pass over the columns.
type summing struct {
	*Cube
	day      []int32 // the days of the view
	moved    bool    // only rows that are booked on another day
	from, to int32
	filters  []cubeFilter
	by       []cubeColumn
	nobody   uint32 // the code of Unattributed, or one that no row has

	// One of these finds the group of a row: by its place in the product of the columns,
	// plus one, where that is small; by the place, where it is a number at all; else by
	// the codes.
	dense  []int32
	sparse map[uint64]int32
	vast   map[[CubeByMax + 1]uint32]int32
	groups []cubeGroup
	totals []cubeTotal // by currency
}

type cubeFilter struct {
	codes []uint32
	ok    []bool
}

// cubeColumn is a dimension of a breakdown; codes are nil for the day.
type cubeColumn struct {
	codes  []uint32
	names  []string
	values uint32
}

type cubeTotal struct{ all, nobody cubeSum }

type cubeGroup struct {
	at       uint32 // a row of it
	currency uint8
	sum      cubeSum
}

// cubeSum is the sum of rows, and beside it of those that are odd.
type cubeSum struct {
	minor, confident sum128
	rows             int
	odd              *oddRow
}

// sum128 is a sum in 128 bits, which four thousand million rows of 64 do not fill.
type sum128 struct {
	high int64
	low  uint64
}

func (s *sum128) add(minor int64) {
	low, carry := bits.Add64(s.low, uint64(minor), 0)
	s.low = low
	s.high += minor>>63 + int64(carry)
}

func (s *sum128) value(unit *big.Int) *big.Int {
	v := new(big.Int).Lsh(big.NewInt(s.high), 64)
	v.Add(v, new(big.Int).SetUint64(s.low))
	return v.Mul(v, unit)
}

func (s *cubeSum) add(minor, confident int64) {
	s.minor.add(minor)
	s.confident.add(confident)
	s.rows++
}

func (s *cubeSum) addOdd(r oddRow) {
	if s.odd == nil {
		s.odd = &oddRow{new(big.Int), new(big.Int)}
	}
	s.odd.value.Add(s.odd.value, r.value)
	s.odd.confident.Add(s.odd.confident, r.confident)
}

func (s *cubeSum) compare(other *cubeSum, unit *big.Int) int {
	if s.odd != nil || other.odd != nil {
		return s.value(unit).Cmp(other.value(unit))
	}
	return cmp.Or(cmp.Compare(s.minor.high, other.minor.high), cmp.Compare(s.minor.low, other.minor.low))
}

func (s *cubeSum) value(unit *big.Int) Value {
	v := s.minor.value(unit)
	if s.odd != nil {
		v.Add(v, s.odd.value)
	}
	return Value{v}
}

func (s *cubeSum) certain(unit *big.Int) Value {
	v := s.confident.value(unit)
	if s.odd != nil {
		v.Add(v, s.odd.confident)
	}
	return Value{v}
}

// denseMax bounds the product of the columns up to which groups are found by place.
const denseMax = 1 << 20

// plan is nil where no row can match.
func (c *Cube) plan(a *Ask) (*summing, error) {
	s := &summing{Cube: c, day: c.days, from: int32(money.DayMin), to: int32(money.DayMax), nobody: ^uint32(0), totals: make([]cubeTotal, len(c.currencies))}
	switch a.View {
	case "", Restated:
	case AsKnown, Adjustments:
		s.day, s.moved = c.booked, a.View == Adjustments
	default:
		return nil, fmt.Errorf("view %q is unknown", a.View)
	}
	if a.Within != nil {
		s.from, s.to = int32(a.Within.From), int32(a.Within.To)
	}
	if code, ok := c.dicts[0].code[Unattributed]; ok {
		s.nobody = code
	}
	for d, values := range a.Any {
		if d == Day {
			return nil, fmt.Errorf("days are not filtered by value, but by Within")
		}
		i := slices.Index(textDimensions[:], d)
		if i < 0 {
			return nil, fmt.Errorf("dimension %q is unknown", d)
		}
		f := cubeFilter{codes: c.codes[i], ok: make([]bool, len(c.dicts[i].names))}
		some := false
		for _, v := range values {
			if code, known := c.dicts[i].code[v]; known {
				f.ok[code], some = true, true
			}
		}
		if !some {
			return nil, nil
		}
		s.filters = append(s.filters, f)
	}
	if len(c.days) == 0 {
		return nil, nil
	}
	// Only the days that there are make groups.
	s.from, s.to = max(s.from, slices.Min(s.day)), min(s.to, slices.Max(s.day))
	if s.from > s.to {
		return nil, nil
	}
	product, over := uint64(len(c.currencies)), uint64(0)
	for _, d := range a.By {
		column := cubeColumn{values: uint32(s.to-s.from) + 1}
		if d != Day {
			i := slices.Index(textDimensions[:], d)
			column = cubeColumn{c.codes[i], c.dicts[i].names, uint32(len(c.dicts[i].names))}
		}
		s.by = append(s.by, column)
		if over == 0 {
			over, product = bits.Mul64(product, uint64(column.values))
		}
	}
	switch {
	case over > 0:
		s.vast = map[[CubeByMax + 1]uint32]int32{}
	case product <= denseMax:
		s.dense = make([]int32, product)
	default:
		s.sparse = map[uint64]int32{}
	}
	return s, nil
}

func (s *summing) run() {
	for at, state := range s.state {
		if state == rowDead || s.day[at] < s.from || s.day[at] > s.to || s.moved && s.days[at] == s.booked[at] {
			continue
		}
		if !s.passes(at) {
			continue
		}
		currency := s.currency[at]
		group := &s.groups[s.group(at, currency)]
		total := &s.totals[currency]
		nobody := s.codes[0][at] == s.nobody
		minor, confident := s.minor[at], s.confident[at]
		group.sum.add(minor, confident)
		total.all.add(minor, confident)
		if nobody {
			total.nobody.add(minor, confident)
		}
		if state == rowOdd {
			odd := s.odd[uint32(at)]
			group.sum.addOdd(odd)
			total.all.addOdd(odd)
			if nobody {
				total.nobody.addOdd(odd)
			}
		}
	}
}

func (s *summing) passes(at int) bool {
	for i := range s.filters {
		if f := &s.filters[i]; !f.ok[f.codes[at]] {
			return false
		}
	}
	return true
}

// group returns the place of the row's group, which is a new one for its first row.
func (s *summing) group(at int, currency uint8) int32 {
	var key [CubeByMax + 1]uint32
	place := uint64(currency)
	for i := range s.by {
		b := &s.by[i]
		code := uint32(s.day[at] - s.from)
		if b.codes != nil {
			code = b.codes[at]
		}
		if s.vast != nil {
			key[i] = code
		} else {
			place = place*uint64(b.values) + uint64(code)
		}
	}
	switch {
	case s.dense != nil:
		if s.dense[place] == 0 {
			s.dense[place] = s.open(at, currency) + 1
		}
		return s.dense[place] - 1
	case s.vast != nil:
		key[CubeByMax] = uint32(currency)
		group, ok := s.vast[key]
		if !ok {
			group = s.open(at, currency)
			s.vast[key] = group
		}
		return group
	}
	group, ok := s.sparse[place]
	if !ok {
		group = s.open(at, currency)
		s.sparse[place] = group
	}
	return group
}

// open begins a group and returns its place.
func (s *summing) open(at int, currency uint8) int32 {
	s.groups = append(s.groups, cubeGroup{at: uint32(at), currency: currency})
	return int32(len(s.groups)) - 1
}

func (s *summing) breakdowns(by []Dimension, first int) []Breakdown {
	groups := make([][]*cubeGroup, len(s.totals))
	for n := range s.groups {
		g := &s.groups[n]
		groups[g.currency] = append(groups[g.currency], g)
	}
	var out []Breakdown
	for i, t := range s.totals {
		if t.all.rows == 0 {
			continue
		}
		unit := s.currencies[i].unit
		b := Breakdown{
			Dimensions: slices.Clone(by), Currency: s.currencies[i].name, Rows: t.all.rows,
			Total: t.all.value(unit), Confident: t.all.certain(unit), Unattributed: t.nobody.value(unit),
		}
		// Sums are compared as they are, and only what is wanted is written out: groups
		// may be as many as rows.
		slices.SortFunc(groups[i], func(x, y *cubeGroup) int { return cmp.Or(y.sum.compare(&x.sum, unit), s.compareKeys(x.at, y.at)) })
		wanted := groups[i]
		if first > 0 {
			wanted = wanted[:min(first, len(wanted))]
		}
		b.Groups = make([]Group, len(wanted))
		for n, g := range wanted {
			b.Groups[n] = Group{s.key(g.at, by), g.sum.value(unit), g.sum.certain(unit)}
		}
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b Breakdown) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), strings.Compare(a.Currency, b.Currency))
	})
	return out
}

// compareKeys orders two rows by the dimensions of the breakdown.
func (s *summing) compareKeys(x, y uint32) int {
	for i := range s.by {
		b := &s.by[i]
		if b.codes == nil {
			if c := cmp.Compare(s.day[x], s.day[y]); c != 0 {
				return c
			}
			continue
		}
		if a, b := b.codes[x], b.codes[y]; a != b {
			return strings.Compare(s.by[i].names[a], s.by[i].names[b])
		}
	}
	return 0
}

func (s *summing) key(at uint32, by []Dimension) []string {
	key := make([]string, len(by))
	for i, d := range by {
		if d == Day {
			key[i] = money.Day(s.day[at]).String()
			continue
		}
		column := slices.Index(textDimensions[:], d)
		key[i] = s.dicts[column].names[s.codes[column][at]]
	}
	return key
}
