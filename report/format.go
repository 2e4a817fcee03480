package report

import (
	"math/big"
	"strconv"
	"strings"

	"tracksource/money"
)

// How numbers are written for people. Sentences, pages and tables all write them by
// these functions, so that the same number looks the same everywhere. Files for machines
// keep the plain decimal text.

// Money is an amount with its currency and all its places: EUR 1,234,567.80.
func Money(v Value, currency string) string {
	places, err := money.Exponent(currency)
	if err != nil {
		places = 0 // a currency that this build does not know has the places that it has
	}
	return currency + " " + thousands(v.Text(places))
}

// MoneyAbout is an amount of which nobody knows the cents, such as a projection: rounded
// half away from zero to whole units.
func MoneyAbout(v Value, currency string) string {
	return currency + " " + thousands(v.round(0).Text(0))
}

// Count is a count, of which a credited part may be less than one: at most two places,
// rounded half away from zero.
func Count(v Value) string { return thousands(v.round(2).Text(0)) }

// Number is a whole number with thousands apart.
func Number(n int) string { return thousands(strconv.Itoa(n)) }

// Counted is a number of things: 1 deal, 2,000 deals.
func Counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Number(n) + " " + many
}

// Percent is a part of one as a percentage with at most one place, rounded half away
// from zero.
func Percent(r *big.Rat) string {
	return thousands(strings.TrimSuffix(new(big.Rat).Mul(r, rat(100)).FloatString(1), ".0")) + "%"
}

// PercentOf is Percent of a part of a whole, false for a whole of zero.
func PercentOf(part, whole Value) (string, bool) {
	if whole.Sign() == 0 {
		return "", false
	}
	return Percent(new(big.Rat).Quo(part.rat(), whole.rat())), true
}

// Times is a ratio as a factor with at most two places: 3x, 2.75x.
func Times(r *big.Rat) string { return plain(r, 2) + "x" }

// Days is a number of days with at most one place: 1 day, 12.5 days.
func Days(r *big.Rat) string {
	if text := plain(r, 1); text != "1" {
		return text + " days"
	}
	return "1 day"
}

// Delta is how a value changed from another one: up 12.5%, down 3%, unchanged; without
// a positive one to start from, no percentage says it.
func Delta(now, before Value) string {
	change := now.Sub(before)
	switch {
	case change.Sign() == 0:
		return "unchanged"
	case before.Sign() <= 0 && change.Sign() > 0:
		return "up from " + Count(before)
	case before.Sign() <= 0:
		return "down from " + Count(before)
	case change.Sign() > 0:
		return "up " + Percent(new(big.Rat).Quo(change.rat(), before.rat()))
	}
	return "down " + Percent(new(big.Rat).Quo(Value{}.Sub(change).rat(), before.rat()))
}

// Shown writes the text of a value of a table, of evidence or of a tile for people. What
// is no number of its kind is shown as it stands, and what is empty stays so.
func Shown(kind ColumnKind, text, currency string) string {
	v, err := ParseValue(text)
	if err != nil {
		return text
	}
	switch kind {
	case MoneyColumn:
		return Money(v, currency)
	case CountColumn:
		return Count(v)
	case RatioColumn:
		return Percent(v.rat())
	case DaysColumn:
		return Days(v.rat())
	case TextColumn, DayColumn, TimeColumn:
	}
	return text
}

// plain is a number without places that are zero.
func plain(r *big.Rat, places int) string {
	text := r.FloatString(places)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return thousands(text)
}

// thousands sets the digits in front of the point in groups of three.
func thousands(text string) string {
	digits, negative := strings.CutPrefix(text, "-")
	whole, places, pointed := strings.Cut(digits, ".")
	var b strings.Builder
	if negative && strings.Trim(digits, "0.") != "" { // what rounds to zero has no sign
		b.WriteByte('-')
	}
	for i, r := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	if pointed {
		b.WriteString("." + places)
	}
	return b.String()
}

// round rounds half away from zero to a number of places, 0 to 9.
func (v Value) round(places int) Value {
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale-places)), nil)
	half := new(big.Int).Quo(unit, big.NewInt(2))
	if v.Sign() < 0 {
		half.Neg(half)
	}
	n := new(big.Int).Add(v.int(), half)
	return Value{n.Mul(n.Quo(n, unit), unit)}
}
