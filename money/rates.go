package money

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// RateAgeMax is for how many days a rate is carried forward when none was
// published for the day itself: the longest run of closed markets at the
// European Central Bank is five days, over Christmas.
const RateAgeMax = 7

// rateDigits is the number of decimals that an inverse or cross rate is rounded
// to, half-even. A value is computed with the rounded rate, so that amount
// times the rate shown is the value shown, digit for digit.
const rateDigits = 18

// rateIntegerMax bounds a rate on either side of one, so that no product grows
// without limit: no two currencies are further apart than this.
const rateIntegerMax = 1_000_000_000_000

// How a rate was found, as Conversion.Via says it.
const (
	ViaSame    = "same"
	ViaDirect  = "direct"
	ViaInverse = "inverse"
	// ViaCross is followed by the currency in the middle, such as "cross EUR".
	ViaCross = "cross "
)

// Rate is one published rate: one unit of Base is worth Text units of Quote on
// Day.
type Rate struct {
	Base, Quote string
	Day         Day
	Text        string
}

// Conversion tells how an amount was converted.
type Conversion struct {
	// Rate is the decimal text of the rate that was applied: one unit of the
	// original currency in units of the target.
	Rate string
	// RateDay is the day of the published rate, at most RateAgeMax days before
	// the day that was asked for.
	RateDay Day
	// Via is one of the Via constants.
	Via string
}

// Rates is a set of published exchange rates. What Convert answers depends on
// the set alone and not on the order of Set, except that a second Set for the
// same pair and day replaces the first. The zero Rates is empty and ready. It
// is not safe for concurrent use while Set may run.
type Rates struct {
	byKey map[rateKey]rate
	// pivots are all currencies that occur, sorted.
	pivots []string
}

type rateKey struct {
	base, quote string
	day         Day
}

type rate struct {
	text  string
	value decimal.Decimal
}

// Set records that one unit of base was worth rate units of quote on the day.
// Setting a pair and day again replaces it: that is how a correction arrives.
func (r *Rates) Set(base, quote string, day Day, rateText string) error {
	for _, code := range [...]string{base, quote} {
		if _, err := Exponent(code); err != nil {
			return err
		}
	}
	if base == quote {
		return fmt.Errorf("%w: %s against itself is always 1", ErrRate, base)
	}
	if day < DayMin || day > DayMax {
		return fmt.Errorf("%w: day out of bounds", ErrRate)
	}
	value, err := parseDecimal(rateText)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRate, err)
	}
	limit := decimal.New(rateIntegerMax, 0)
	if value.Sign() <= 0 || value.Cmp(limit) > 0 || value.Mul(limit).Cmp(decimal.New(1, 0)) < 0 {
		return fmt.Errorf("%w: %s/%s %s is not between %s", ErrRate, base, quote, cut(rateText), "10^-12 and 10^12")
	}
	if r.byKey == nil {
		r.byKey = make(map[rateKey]rate)
	}
	r.byKey[rateKey{base, quote, day}] = rate{text: rateText, value: value}
	for _, code := range [...]string{base, quote} {
		if at, found := slices.BinarySearch(r.pivots, code); !found {
			r.pivots = slices.Insert(r.pivots, at, code)
		}
	}
	return nil
}

// Entries returns every rate that was set, ordered by pair and day.
func (r *Rates) Entries() []Rate {
	if r == nil {
		return nil
	}
	entries := make([]Rate, 0, len(r.byKey))
	for key, value := range r.byKey {
		entries = append(entries, Rate{Base: key.base, Quote: key.quote, Day: key.day, Text: value.text})
	}
	slices.SortFunc(entries, func(a, b Rate) int {
		return cmp.Or(strings.Compare(a.Base, b.Base), strings.Compare(a.Quote, b.Quote), cmp.Compare(a.Day, b.Day))
	})
	return entries
}

// Convert values the amount in another currency at the rate of the day. The
// newest day that has a rate is taken, back to maxAge days before, of which there
// are at most RateAgeMax; on one
// day a direct rate goes before an inverse and an inverse before a cross of two
// rates of that same day through a third currency, the alphabetically first
// that has both. The result is rounded half-even to the minor unit of the
// target. A missing rate is ErrNoRate, and the message says what to supply; a
// result over MinorMax is ErrAmount. A nil Rates knows only equal currencies.
func (r *Rates) Convert(amount Amount, to string, day Day, maxAge int) (Amount, Conversion, error) {
	fromExponent, err := Exponent(amount.Currency)
	if err != nil {
		return Amount{}, Conversion{}, err
	}
	toExponent, err := Exponent(to)
	if err != nil {
		return Amount{}, Conversion{}, err
	}
	if amount.Currency == to {
		return amount, Conversion{Rate: "1", RateDay: day, Via: ViaSame}, nil
	}
	maxAge = min(maxAge, RateAgeMax)
	value, how, found := r.find(amount.Currency, to, day, maxAge)
	if !found {
		return Amount{}, Conversion{}, fmt.Errorf(
			"%w: %s to %s for %s: supply %s/%s, or both against one base such as EUR, for that day or one of the %d days before",
			ErrNoRate, amount.Currency, to, day, amount.Currency, to, maxAge)
	}
	minor := decimal.New(amount.Minor, 0).Mul(value).Shift(int32(toExponent - fromExponent)).RoundBank(0).BigInt()
	if !minor.IsInt64() || magnitude(minor.Int64()) > uint64(MinorMax) {
		return Amount{}, Conversion{}, fmt.Errorf("%w: %s is more than %s %s", ErrAmount, amount, Format(MinorMax, toExponent), to)
	}
	return Amount{Minor: minor.Int64(), Currency: to}, how, nil
}

// find returns the rate from one currency to another as of the day.
func (r *Rates) find(from, to string, day Day, maxAge int) (decimal.Decimal, Conversion, bool) {
	if r == nil {
		return decimal.Decimal{}, Conversion{}, false
	}
	for age := range maxAge + 1 {
		on := day.Add(-age)
		if value, via, found := r.between(from, to, on); found {
			return value, Conversion{Rate: value.String(), RateDay: on, Via: via}, true
		}
		for _, pivot := range r.pivots {
			if pivot == from || pivot == to {
				continue
			}
			if value, found := r.cross(from, pivot, to, on); found {
				return value, Conversion{Rate: value.String(), RateDay: on, Via: ViaCross + pivot}, true
			}
		}
	}
	return decimal.Decimal{}, Conversion{}, false
}

// between returns the direct or else the inverse rate of exactly the day.
func (r *Rates) between(from, to string, on Day) (value decimal.Decimal, via string, found bool) {
	if direct, ok := r.byKey[rateKey{from, to, on}]; ok {
		return direct.value, ViaDirect, true
	}
	if inverse, ok := r.byKey[rateKey{to, from, on}]; ok {
		value = quotient(decimal.New(1, 0), inverse.value)
		return value, ViaInverse, value.Sign() > 0
	}
	return decimal.Decimal{}, "", false
}

// cross returns the rate through the pivot, rounded once, when both legs were
// published on exactly the day. A cross of two days is a rate that nobody saw.
func (r *Rates) cross(from, pivot, to string, on Day) (decimal.Decimal, bool) {
	above, below, found := r.leg(from, pivot, on)
	if !found {
		return decimal.Decimal{}, false
	}
	above2, below2, found := r.leg(pivot, to, on)
	if !found {
		return decimal.Decimal{}, false
	}
	value := quotient(above.Mul(above2), below.Mul(below2))
	return value, value.Sign() > 0
}

// leg returns one leg of a cross as a fraction, so that it is not rounded twice.
func (r *Rates) leg(from, to string, on Day) (above, below decimal.Decimal, found bool) {
	one := decimal.New(1, 0)
	if direct, ok := r.byKey[rateKey{from, to, on}]; ok {
		return direct.value, one, true
	}
	if inverse, ok := r.byKey[rateKey{to, from, on}]; ok {
		return one, inverse.value, true
	}
	return one, one, false
}

// quotient divides positive numbers and rounds half-even to rateDigits.
func quotient(above, below decimal.Decimal) decimal.Decimal {
	result, rest := above.QuoRem(below, rateDigits)
	unit := decimal.New(1, -rateDigits)
	switch rest.Add(rest).Cmp(below.Mul(unit)) {
	case 1:
		return result.Add(unit)
	case 0:
		if result.Shift(rateDigits).BigInt().Bit(0) == 1 {
			return result.Add(unit)
		}
	}
	return result
}
