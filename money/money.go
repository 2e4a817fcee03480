// Package money holds exact amounts, the currencies they are in, the exchange
// rates between them and the one way a whole is split into parts.
//
// It knows integers of minor units, civil days and decimal text. It must not
// know what an amount is paid for: nothing of campaigns, deals or touches, and
// nothing of where rates come from. No float touches a value here. The decimal
// library is used at the edge only, to read text.
package money

import (
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// MinorMax bounds the magnitude of every Amount, in minor units: 10^15 is ten
// trillion dollars, far over any deal, and it leaves sums of thousands of
// amounts inside an int64.
const MinorMax int64 = 1_000_000_000_000_000

const (
	// textMax bounds decimal text. An amount of MinorMax needs 17 characters;
	// the rest is room for sources that write long fractions.
	textMax = 64
	// scaleMax bounds the decimal exponent of an input in either direction, so
	// that "1e400" never makes a number of 400 digits.
	scaleMax = 64
)

// Errors that callers branch on. Every error of this package wraps one of them.
var (
	// ErrAmount marks text that is not a decimal number within bounds.
	ErrAmount = errors.New("not an amount")
	// ErrCurrency marks a code that is not in the ISO 4217 table.
	ErrCurrency = errors.New("unknown currency")
	// ErrNoRate marks a conversion for which no usable rate is known.
	ErrNoRate = errors.New("no exchange rate")
	// ErrRate marks a rate that is refused.
	ErrRate = errors.New("not an exchange rate")
	// ErrDay marks text that is not a calendar day.
	ErrDay = errors.New("not a day")
)

// Amount is a value in minor units (cents for USD, yen for JPY) of a currency.
// The zero Amount is zero of no currency.
type Amount struct {
	Minor    int64
	Currency string
}

// String gives the amount with its currency, such as "12.30 EUR".
func (a Amount) String() string {
	exponent, err := Exponent(a.Currency)
	if err != nil {
		return strconv.FormatInt(a.Minor, 10) + " minor units of " + strconv.Quote(a.Currency)
	}
	return Format(a.Minor, exponent) + " " + a.Currency
}

// Sub returns the amount less another one of the same currency. Its error wraps
// ErrAmount where the difference exceeds MinorMax, ErrCurrency where the
// currencies differ.
func (a Amount) Sub(b Amount) (Amount, error) {
	if a.Currency != b.Currency {
		return Amount{}, fmt.Errorf("%w: %s less %s", ErrCurrency, a, b)
	}
	// Both are within MinorMax, so the difference fits.
	if d := a.Minor - b.Minor; d <= MinorMax && d >= -MinorMax {
		return Amount{Minor: d, Currency: a.Currency}, nil
	}
	return Amount{}, fmt.Errorf("%w: %s less %s", ErrAmount, a, b)
}

// Parse reads a decimal amount such as "1250.50", "-3" or "1.25e6" in the
// given ISO 4217 currency. Digits past the currency's minor unit are rounded
// half-even (banker's rounding). Text that is not a plain decimal, that is too
// long or whose value exceeds MinorMax is refused with ErrAmount, an unknown
// code with ErrCurrency. Surrounding space is not accepted.
func Parse(text, currency string) (Amount, error) {
	exponent, err := Exponent(currency)
	if err != nil {
		return Amount{}, err
	}
	number, err := parseDecimal(text)
	if err != nil {
		return Amount{}, fmt.Errorf("%w: %w", ErrAmount, err)
	}
	minor := number.Shift(int32(exponent)).RoundBank(0).BigInt()
	if !minor.IsInt64() || minor.Int64() > MinorMax || minor.Int64() < -MinorMax {
		return Amount{}, fmt.Errorf("%w: more than %s %s", ErrAmount, Format(MinorMax, exponent), currency)
	}
	return Amount{Minor: minor.Int64(), Currency: currency}, nil
}

// Format writes minor units as decimal text with exactly exponent digits after
// the point, such as Format(-5, 2) = "-0.05".
func Format(minor int64, exponent int) string {
	digits := strconv.FormatUint(magnitude(minor), 10)
	if exponent > 0 {
		if missing := exponent + 1 - len(digits); missing > 0 {
			digits = strings.Repeat("0", missing) + digits
		}
		point := len(digits) - exponent
		digits = digits[:point] + "." + digits[point:]
	}
	if minor < 0 {
		return "-" + digits
	}
	return digits
}

// isoTable has one line of exactly isoLine bytes for each code, sorted, so
// that it is searched in place and nothing is built at start. It holds the
// active codes of ISO 4217 with a minor unit and those withdrawn since 2021,
// which deals of the past still carry. Codes without a minor unit (metals,
// testing, XDR) are left out: nothing is invoiced in them.
//
//go:embed iso4217.txt
var isoTable string

// isoLine is the length of "USD 2\n".
const isoLine = 6

// Exponent returns how many decimal digits the minor unit of an ISO 4217 code
// has: 0, 2, 3 or 4. Codes are upper case.
func Exponent(currency string) (int, error) {
	if len(currency) != 3 {
		return 0, unknownCurrency(currency)
	}
	low, high := 0, len(isoTable)/isoLine
	for low < high {
		middle := int(uint(low+high) >> 1)
		line := isoTable[middle*isoLine : (middle+1)*isoLine]
		switch strings.Compare(currency, line[:3]) {
		case 0:
			return int(line[4] - '0'), nil
		case -1:
			high = middle
		default:
			low = middle + 1
		}
	}
	return 0, unknownCurrency(currency)
}

// unknownCurrency quotes at most a few bytes: the code may come from anyone.
func unknownCurrency(currency string) error {
	return fmt.Errorf("%w: %q is not an ISO 4217 code; write three capital letters such as USD", ErrCurrency, cut(currency))
}

// parseDecimal reads decimal text within textMax and scaleMax. It holds the
// text to its own grammar first, so that what is accepted does not follow the
// library's version.
func parseDecimal(text string) (decimal.Decimal, error) {
	if len(text) > textMax {
		return decimal.Decimal{}, fmt.Errorf("a number of %d characters, at most %d are read", len(text), textMax)
	}
	if !isDecimal(text) {
		return decimal.Decimal{}, fmt.Errorf("%q is not a decimal number", cut(text))
	}
	number, err := decimal.NewFromString(text)
	if err != nil {
		return decimal.Decimal{}, fmt.Errorf("%q is not a decimal number", cut(text))
	}
	if number.Exponent() > scaleMax || number.Exponent() < -scaleMax {
		return decimal.Decimal{}, fmt.Errorf("%q has an exponent out of bounds", cut(text))
	}
	return number, nil
}

// isDecimal reports whether text is [+-] digits [. digits] [e [+-] digits],
// with a digit before the point and after it.
func isDecimal(text string) bool {
	rest := strings.TrimLeft(text, "+-")
	if len(text)-len(rest) > 1 {
		return false
	}
	rest, ok := skipDigits(rest)
	if !ok {
		return false
	}
	if after, found := strings.CutPrefix(rest, "."); found {
		if rest, ok = skipDigits(after); !ok {
			return false
		}
	}
	if rest == "" {
		return true
	}
	if rest[0] != 'e' && rest[0] != 'E' {
		return false
	}
	rest = rest[1:]
	if rest != "" && (rest[0] == '+' || rest[0] == '-') {
		rest = rest[1:]
	}
	// Three digits are past scaleMax already; more could overflow the library.
	digits := len(rest)
	rest, ok = skipDigits(rest)
	return ok && rest == "" && digits <= 3
}

// skipDigits drops leading ASCII digits and reports whether there was one.
func skipDigits(text string) (string, bool) {
	rest := strings.TrimLeft(text, "0123456789")
	return rest, len(rest) < len(text)
}

// magnitude is |minor| without overflow at the least int64.
func magnitude(minor int64) uint64 {
	if minor < 0 {
		return -uint64(minor)
	}
	return uint64(minor)
}

// cut shortens foreign text for an error message.
func cut(text string) string {
	const shown = 24
	if len(text) <= shown {
		return text
	}
	return text[:shown] + "..."
}
