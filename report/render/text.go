package render

import (
	"math/big"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tracksource/report"
)

const (
	// nameRunesMax and sentenceRunesMax bound what anybody may have written: a page
	// on which one name fills the paper cannot be read. The whole is in the JSON.
	nameRunesMax     = 120
	sentenceRunesMax = 1200
)

// name is text of at most a line: an id, a name, a cell.
func name(s string) string { return plain(s, nameRunesMax) }

// sentence is text of at most a paragraph.
func sentence(s string) string { return plain(s, sentenceRunesMax) }

// plain is text on one line, without what is not text: control characters, and those
// that turn the reading direction of what follows them, the neighbours' as well.
func plain(s string, runesMax int) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case unicode.IsControl(r), r >= '\u202A' && r <= '\u202E', r >= '\u2066' && r <= '\u2069', r == '\uFEFF':
			continue
		}
		if n >= runesMax-1 {
			b.WriteRune('…')
			break
		}
		if space {
			b.WriteByte(' ')
			n++
		}
		b.WriteRune(r)
		n, space = n+1, false
	}
	return b.String()
}

// shown is a value of a kind as people read it, without its currency. What is no such
// value is shown as it is.
func shown(kind report.ColumnKind, value string) string {
	if value == "" {
		return ""
	}
	switch kind {
	case report.MoneyColumn:
		return grouped(value)
	case report.CountColumn, report.DaysColumn:
		return grouped(rounded(value, 2))
	case report.RatioColumn:
		return percent(value)
	case report.TimeColumn:
		if t, err := time.Parse(time.RFC3339, value); err == nil {
			return instant(t)
		}
	case report.TextColumn, report.DayColumn:
	}
	return name(value)
}

// full is a value with its unit.
func full(kind report.ColumnKind, value, currency string) string {
	text := shown(kind, value)
	switch {
	case text == "":
		return ""
	case kind == report.MoneyColumn && currency != "":
		return name(currency) + " " + text
	case kind == report.RatioColumn:
		return strings.Replace(text, ".0%", "%", 1)
	case kind == report.DaysColumn && value == "1":
		return text + " day"
	case kind == report.DaysColumn:
		return text + " days"
	}
	return text
}

// grouped is decimal text with its thousands apart.
func grouped(value string) string {
	if _, err := report.ParseValue(value); err != nil {
		return name(value)
	}
	digits, negative := strings.CutPrefix(value, "-")
	whole, places, pointed := strings.Cut(digits, ".")
	var b strings.Builder
	if negative {
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

// rounded is decimal text with at most so many places, half away from zero, and
// without zeros at its end.
func rounded(value string, places int) string {
	v, err := report.ParseValue(value)
	if err != nil {
		return value
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(nanoPlaces-places)), nil)
	n := divide(nano(v), unit)
	return report.ValueOfUnits(n.Mul(n, unit)).Text(0)
}

// percent is a ratio in percent with one decimal place.
func percent(value string) string {
	v, err := report.ParseValue(value)
	if err != nil {
		return name(value)
	}
	n := divide(nano(v), big.NewInt(1_000_000)) // tenths of a percent
	return grouped(report.ValueOfUnits(n.Mul(n, big.NewInt(100_000_000))).Text(1)) + "%"
}

// times is a ratio as a multiple.
func times(value string) string {
	if _, err := report.ParseValue(value); err != nil {
		return name(value)
	}
	return grouped(rounded(value, 2)) + "x"
}

// change is how much more a value is than one before, in percent of that.
func change(value, before string) string {
	v, err := report.ParseValue(value)
	b, err2 := report.ParseValue(before)
	if err != nil || err2 != nil || b.Sign() <= 0 {
		return ""
	}
	n := nano(v.Sub(b))
	n = divide(n.Mul(n, big.NewInt(1000)), nano(b))
	text := grouped(report.ValueOfUnits(n.Mul(n, big.NewInt(100_000_000))).Text(1)) + "%"
	if v.Cmp(b) > 0 {
		text = "+" + text
	}
	return text
}

// compact is a round number of an axis: 1.5k, 20m.
func compact(v *big.Int) string {
	for _, u := range []struct {
		power int64
		name  string
	}{{18, "bn"}, {15, "m"}, {12, "k"}} {
		unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(u.power), nil)
		if new(big.Int).Abs(v).Cmp(unit) >= 0 {
			n := divide(new(big.Int).Mul(v, big.NewInt(1_000_000_000)), unit)
			return grouped(rounded(report.ValueOfUnits(n).Text(0), 2)) + u.name
		}
	}
	return grouped(rounded(report.ValueOfUnits(new(big.Int).Set(v)).Text(0), 2))
}

// nanoPlaces are the decimal places that values have at most.
const nanoPlaces = 9

// nano is a value in units of 10^-9. The zero of what is no value draws nothing.
func nano(v report.Value) *big.Int {
	n, _ := new(big.Int).SetString(strings.Replace(v.Text(nanoPlaces), ".", "", 1), 10)
	return n
}

// nanoOf is the value of a text, zero of what is none.
func nanoOf(value string) *big.Int {
	v, err := report.ParseValue(value)
	if err != nil {
		return new(big.Int)
	}
	return nano(v)
}

// divide rounds half away from zero; b is above zero.
func divide(a, b *big.Int) *big.Int {
	n := new(big.Int).Abs(a)
	n.Mul(n, big.NewInt(2)).Add(n, b)
	n.Quo(n, new(big.Int).Mul(b, big.NewInt(2)))
	if a.Sign() < 0 {
		n.Neg(n)
	}
	return n
}

// instant is a time of UTC: which other zones a machine knows is not of the package.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// long is a number of seconds in its two largest units.
func long(seconds int64) string {
	units := []struct {
		seconds int64
		name    string
	}{{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}}
	for i, u := range units {
		if seconds < u.seconds && u.seconds > 1 {
			continue
		}
		text := count(seconds/u.seconds) + " " + u.name
		if i+1 < len(units) {
			if rest := seconds % u.seconds / units[i+1].seconds; rest > 0 {
				text += " " + count(rest) + " " + units[i+1].name
			}
		}
		return text
	}
	return ""
}

// count is a whole number.
func count(n int64) string { return grouped(big.NewInt(n).String()) }

// id is text that may stand in an id of a page: lower case letters, digits and _.
func id(s string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (unicode.IsLower(r) || unicode.IsDigit(r) || r == '_') {
			return r
		}
		return -1
	}, s)
}
