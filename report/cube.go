package report

import (
	"cmp"
	"fmt"
	"math/big"
	"math/bits"
	"slices"
	"strings"

	"tracksource/attribution"
	"tracksource/money"
)

// Cube holds the rows of one campaign, measure and model column by column, each
// text as a number, so that a million rows are summed in the time that a screen
// needs to redraw. It answers what a [Tally] over the same rows would. It is not
// safe for concurrent use; any number may read while nobody writes.
type Cube struct {
	dicts      [texts]dictionary
	currencies []cubeCurrency

	// The columns. A row that is deleted keeps its place, so that what is older than
	// its deletion is known to be.
	days      []int32
	booked    []int32
	codes     [texts][]uint32
	currency  []uint8
	state     []uint8
	minor     []int64
	confident []int64
	versions  []int64
	// odd are the rows of which a value is no whole number of minor units within 64
	// bits; they have neither in the columns.
	odd map[uint32]oddRow

	// index finds a row by its key: open addressing, a place plus one, zero for none.
	index []uint32
	dead  int
}

// texts is how many dimensions of a row are text.
const texts = 8

// textDimensions are the dimensions of the columns of codes, in their order.
var textDimensions = [...]Dimension{Partner, Channel, Asset, Region, Segment, Source, TouchCampaign, Escrow}

const (
	rowDead uint8 = iota
	rowLive
	rowOdd // and live
)

// oddRow is the values of a row in 10^-9.
type oddRow struct{ value, confident *big.Int }

type dictionary struct {
	code  map[string]uint32
	names []string
	bytes int
}

func (d *dictionary) of(name string) uint32 {
	if c, ok := d.code[name]; ok {
		return c
	}
	if d.code == nil {
		d.code = map[string]uint32{}
	}
	name = strings.Clone(name) // not to keep whatever it was cut out of
	c := uint32(len(d.names))
	d.code[name] = c
	d.names = append(d.names, name)
	d.bytes += len(name)
	return c
}

type cubeCurrency struct {
	name     string
	exponent int
	unit     *big.Int // 10^(9-exponent): how many 10^-9 a minor unit is
}

// NewCube makes a cube without rows.
func NewCube() *Cube { return &Cube{odd: map[uint32]oddRow{}} }

// Rows returns how many rows there are.
func (c *Cube) Rows() int { return len(c.days) - c.dead }

// Bytes returns about how much memory the cube takes.
func (c *Cube) Bytes() int64 {
	const perRow = 4 + 4 + 4*texts + 1 + 1 + 8 + 8 + 8
	const perName, perOdd = 64, 160
	n := int64(cap(c.days))*perRow + int64(len(c.index))*4 + int64(len(c.odd))*perOdd
	for i := range c.dicts {
		n += int64(c.dicts[i].bytes) + int64(len(c.dicts[i].names))*perName
	}
	return n
}

// cubeKey is a row's key in codes.
type cubeKey struct {
	day, booked int32
	codes       [texts]uint32
}

func (k *cubeKey) hash() uint64 {
	h := (uint64(uint32(k.day)) | uint64(uint32(k.booked-k.day))<<32) + 0x9e3779b97f4a7c15
	for _, c := range k.codes {
		h = (h ^ uint64(c)) * 0xff51afd7ed558ccd
		h ^= h >> 32
	}
	return h
}

func (c *Cube) keyOf(r *Row) (cubeKey, error) {
	day, err := money.ParseDay(r.Day)
	if err != nil {
		return cubeKey{}, err
	}
	k := cubeKey{day: int32(day), booked: int32(day)}
	if r.Booked != "" && r.Booked != r.Day {
		booked, err := money.ParseDay(r.Booked)
		if err != nil {
			return cubeKey{}, err
		}
		k.booked = int32(booked)
	}
	for i, name := range [texts]string{r.Partner, r.Channel, r.Asset, r.Region, r.Segment, r.Source, r.TouchCampaign, r.Escrow} {
		k.codes[i] = c.dicts[i].of(name)
	}
	return k, nil
}

func (c *Cube) is(at uint32, k *cubeKey) bool {
	if c.days[at] != k.day || c.booked[at] != k.booked {
		return false
	}
	for i := range c.codes {
		if c.codes[i][at] != k.codes[i] {
			return false
		}
	}
	return true
}

// find returns the place of the key, or where in the index it would be.
func (c *Cube) find(k *cubeKey) (place uint32, slot uint64, found bool) {
	mask := uint64(len(c.index) - 1)
	for slot = k.hash() & mask; c.index[slot] != 0; slot = (slot + 1) & mask {
		if at := c.index[slot] - 1; c.is(at, k) {
			return at, slot, true
		}
	}
	return 0, slot, false
}

// place returns the place of the key, a new one if need be.
func (c *Cube) place(k *cubeKey) uint32 {
	const indexMin = 16
	if 4*(len(c.days)+1) > 3*len(c.index) {
		c.index = make([]uint32, max(indexMin, 2*len(c.index)))
		mask := uint64(len(c.index) - 1)
		for at := range c.days {
			have := c.keyAt(at)
			slot := have.hash() & mask
			for c.index[slot] != 0 {
				slot = (slot + 1) & mask
			}
			c.index[slot] = uint32(at) + 1
		}
	}
	at, slot, found := c.find(k)
	if found {
		return at
	}
	at = uint32(len(c.days))
	c.index[slot] = at + 1
	c.days, c.booked = append(c.days, k.day), append(c.booked, k.booked)
	for i := range c.codes {
		c.codes[i] = append(c.codes[i], k.codes[i])
	}
	c.currency, c.state = append(c.currency, 0), append(c.state, rowDead)
	c.minor, c.confident, c.versions = append(c.minor, 0), append(c.confident, 0), append(c.versions, versionNone)
	c.dead++
	return at
}

// versionNone is below every version.
const versionNone = -1 << 63

func (c *Cube) keyAt(at int) cubeKey {
	k := cubeKey{day: c.days[at], booked: c.booked[at]}
	for i := range c.codes {
		k.codes[i] = c.codes[i][at]
	}
	return k
}

// Upsert sets the row of r's key, unless a newer version of it was set or deleted.
// Its campaign, measure and model are the caller's to see to. The error is about
// the row's day, or more currencies than a row can name.
func (c *Cube) Upsert(r *Row, version int64) error {
	k, err := c.keyOf(r)
	if err != nil {
		return err
	}
	currency, err := c.currencyOf(r.Currency)
	if err != nil {
		return err
	}
	at := c.place(&k)
	if version < c.versions[at] {
		return nil
	}
	if c.state[at] == rowDead {
		c.dead--
	}
	delete(c.odd, at)
	c.versions[at], c.currency[at], c.state[at] = version, currency, rowLive
	unit := c.currencies[currency].unit
	minor, whole := minorOf(r.Value.int(), unit)
	confident, alike := minorOf(r.Confident.int(), unit)
	if whole && alike {
		c.minor[at], c.confident[at] = minor, confident
		return nil
	}
	c.minor[at], c.confident[at], c.state[at] = 0, 0, rowOdd
	c.odd[at] = oddRow{new(big.Int).Set(r.Value.int()), new(big.Int).Set(r.Confident.int())}
	return nil
}

// minorOf is units as a number of minor ones, false where it is none within 64 bits.
func minorOf(units, unit *big.Int) (int64, bool) {
	if n := unit.Int64(); units.IsInt64() && units.Int64()%n == 0 {
		return units.Int64() / n, true
	}
	minor, rest := new(big.Int).QuoRem(units, unit, new(big.Int))
	if rest.Sign() != 0 || !minor.IsInt64() {
		return 0, false
	}
	return minor.Int64(), true
}

// Delete deletes the row of r's key, unless a newer version of it was set.
func (c *Cube) Delete(r *Row, version int64) error {
	k, err := c.keyOf(r)
	if err != nil {
		return err
	}
	at := c.place(&k)
	if version < c.versions[at] {
		return nil
	}
	if c.state[at] != rowDead {
		c.dead++
	}
	delete(c.odd, at)
	c.versions[at], c.minor[at], c.confident[at], c.state[at] = version, 0, 0, rowDead
	return nil
}

// Drop deletes the row of r's key, of which no more than that is known.
func (c *Cube) Drop(r *Row) error {
	k, err := c.keyOf(r)
	if err != nil {
		return err
	}
	return c.Delete(r, c.versions[c.place(&k)])
}

// Compact forgets deleted rows where they are most, and with them what is older.
func (c *Cube) Compact() {
	const deadMin = 1024
	if c.dead < deadMin || 2*c.dead < len(c.days) {
		return
	}
	next := &Cube{dicts: c.dicts, currencies: c.currencies, odd: map[uint32]oddRow{}}
	for at := range c.days {
		if c.state[at] == rowDead {
			continue
		}
		k := c.keyAt(at)
		to := next.place(&k)
		next.currency[to], next.state[to], next.versions[to] = c.currency[at], c.state[at], c.versions[at]
		next.minor[to], next.confident[to] = c.minor[at], c.confident[at]
		if v, ok := c.odd[uint32(at)]; ok {
			next.odd[to] = v
		}
		next.dead--
	}
	*c = *next
}

func (c *Cube) currencyOf(name string) (uint8, error) {
	for i := range c.currencies {
		if c.currencies[i].name == name {
			return uint8(i), nil
		}
	}
	const currenciesMax = 255
	if len(c.currencies) == currenciesMax {
		return 0, fmt.Errorf("rows of more than %d currencies", currenciesMax)
	}
	exponent := attribution.CountExponent
	if name != "" {
		var err error
		if exponent, err = money.Exponent(name); err != nil {
			exponent = scale // a currency that this build does not know is still exact
		}
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale-exponent)), nil)
	c.currencies = append(c.currencies, cubeCurrency{strings.Clone(name), exponent, unit})
	return uint8(len(c.currencies) - 1), nil
}

// Span is days from the first to the last, both included.
type Span struct{ From, To money.Day }

// View is by which day rows are told. A row is of the day of its conversions, and is
// booked on that or, where it was closed when the value changed, on a later one.
type View string

// The views.
const (
	// Restated tells rows by the day that they are of, whenever they came to be known.
	Restated View = "restated"
	// AsKnown tells them by the day that they are booked on, so that a closed period
	// stays as it was closed.
	AsKnown View = "as_known"
	// Adjustments is AsKnown of the rows alone that are of another day than they are
	// booked on.
	Adjustments View = "adjustments"
)

// Views returns the views, the one that is meant where none is named first.
func Views() []View { return []View{Restated, AsKnown, Adjustments} }

// Row is a row as the view has it, by its day; false for one that it does not have.
func (v View) Row(r Row) (Row, bool) {
	booked := cmp.Or(r.Booked, r.Day)
	switch v {
	case AsKnown:
		r.Day = booked
	case Adjustments:
		if booked == r.Day {
			return Row{}, false
		}
		r.Day = booked
	case Restated:
	}
	return r, true
}

// ByMax bounds the dimensions of one breakdown: groups multiply.
const ByMax = 3

// Ask is a question to a Cube.
type Ask struct {
	View   View                   // whose days are meant; empty: Restated
	Within *Span                  // nil: all days
	Any    map[Dimension][]string // rows have one of the values in each of these
	By     []Dimension
	// First is how many of the groups are wanted, the first ones; 0: all. A tally gives
	// all of them.
	First int
}

// Take returns the row as the question's view has it, and whether the question is
// about it.
func (a *Ask) Take(r *Row) (Row, bool) {
	row, ok := a.View.Row(*r)
	return row, ok && a.matches(&row)
}

func (a *Ask) matches(r *Row) bool {
	if a.Within != nil {
		day, err := money.ParseDay(r.Day)
		if err != nil || day < a.Within.From || day > a.Within.To {
			return false
		}
	}
	for d, values := range a.Any {
		if v, ok := r.Get(d); !ok || !slices.Contains(values, v) {
			return false
		}
	}
	return true
}

// Sum adds up the rows that the question is about: one breakdown for each currency,
// the one with the most rows first, as [Tally.Breakdowns] gives them.
func (c *Cube) Sum(a Ask) ([]Breakdown, error) {
	if _, err := NewTally(a.By...); err != nil {
		return nil, err
	}
	if len(a.By) > ByMax {
		return nil, fmt.Errorf("a breakdown by %d dimensions, at most %d", len(a.By), ByMax)
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

	dense  []int32 // group by place in the product of the columns, plus one; or
	sparse map[[4]uint32]int32
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
	product := uint64(len(c.currencies))
	for _, d := range a.By {
		column := cubeColumn{values: uint32(s.to-s.from) + 1}
		if d != Day {
			i := slices.Index(textDimensions[:], d)
			column = cubeColumn{c.codes[i], c.dicts[i].names, uint32(len(c.dicts[i].names))}
		}
		s.by = append(s.by, column)
		product = min(product, denseMax+1) * uint64(column.values)
	}
	if product <= denseMax {
		s.dense = make([]int32, product)
	} else {
		s.sparse = map[[4]uint32]int32{}
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
	key := [4]uint32{ByMax: uint32(currency)}
	place := uint64(currency)
	for i := range s.by {
		b := &s.by[i]
		code := uint32(s.day[at] - s.from)
		if b.codes != nil {
			code = b.codes[at]
		}
		if s.dense != nil {
			place = place*uint64(b.values) + uint64(code)
		} else {
			key[i] = code
		}
	}
	if s.dense != nil {
		if s.dense[place] == 0 {
			s.groups = append(s.groups, cubeGroup{at: uint32(at), currency: currency})
			s.dense[place] = int32(len(s.groups))
		}
		return s.dense[place] - 1
	}
	group, ok := s.sparse[key]
	if !ok {
		group = int32(len(s.groups))
		s.groups = append(s.groups, cubeGroup{at: uint32(at), currency: currency})
		s.sparse[key] = group
	}
	return group
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
