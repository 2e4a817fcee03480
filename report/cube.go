package report

import (
	"fmt"
	"math/big"
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
