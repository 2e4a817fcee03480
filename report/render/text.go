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

// shown is a value of a kind as people read it in a column that says its unit. What is
// no such value is shown as it is.
func shown(kind report.ColumnKind, value, currency string) string {
	text := full(kind, value, currency)
	switch kind {
	case report.MoneyColumn:
		text = strings.TrimPrefix(text, name(currency)+" ")
	case report.DaysColumn:
		text, _, _ = strings.Cut(text, " day")
	case report.RatioColumn: // with the point below the point
		if digits, ok := strings.CutSuffix(text, "%"); ok && !strings.Contains(digits, ".") {
			text = digits + ".0%"
		}
	case report.TextColumn, report.CountColumn, report.DayColumn, report.TimeColumn:
	}
	return text
}

// full is a value with its unit.
func full(kind report.ColumnKind, value, currency string) string {
	if t, err := time.Parse(time.RFC3339, value); err == nil && kind == report.TimeColumn {
		return instant(t)
	}
	return name(report.Shown(kind, value, name(currency)))
}

// percent is a ratio in percent.
func percent(value string) string { return full(report.RatioColumn, value, "") }

// times is a ratio as a multiple.
func times(value string) string {
	v, err := report.ParseValue(value)
	if err != nil {
		return name(value)
	}
	return report.Times(new(big.Rat).SetFrac(nano(v), big.NewInt(1_000_000_000)))
}

// change is how much more a value is than one before, in percent of that.
func change(value, before string) string {
	v, err := report.ParseValue(value)
	b, err2 := report.ParseValue(before)
	if err != nil || err2 != nil || b.Sign() <= 0 {
		return ""
	}
	text, _ := report.PercentOf(v.Sub(b), b)
	if v.Cmp(b) > 0 {
		text = "+" + text
	}
	return name(text)
}

// compact is a round number of an axis: 1.5k, 20m.
func compact(v *big.Int) string {
	for _, u := range []struct {
		power int64
		name  string
	}{{18, "bn"}, {15, "m"}, {12, "k"}} {
		unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(u.power), nil)
		if new(big.Int).Abs(v).Cmp(unit) >= 0 {
			return report.Count(report.ValueOfUnits(divide(new(big.Int).Mul(v, big.NewInt(1_000_000_000)), unit))) + u.name
		}
	}
	return report.Count(report.ValueOfUnits(v))
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

// day is a day of the calendar in a sentence.
func day(text string) string {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return name(text)
	}
	return t.Format("2 Jan 2006")
}

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
func count(n int64) string { return report.Count(report.ValueOf(n, 0)) }

// id is text that may stand in an id of a page: lower case letters, digits and _.
func id(s string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (unicode.IsLower(r) || unicode.IsDigit(r) || r == '_') {
			return r
		}
		return -1
	}, s)
}
