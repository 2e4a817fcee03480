package report

import (
	"regexp"
	"strings"
	"time"

	"tracksource/money"
)

// Cells of an export are written the way of the country of whoever made it:
// 1,234 is one thousand and more in one and a little over one in another, and
// 04/05 two different days. A cell that can be read in one way only also says how
// the others of its column are meant; where no cell of the column says it, or two
// contradict each other, what has two meanings is not read at all.

// way is one of the two ways in which a column can be written.
type way int

const (
	// english has the point before decimals, and the month before the day.
	english way = iota
	// continental has the comma before decimals, and the day before the month.
	continental
	ways
)

// readings are what a cell means in each way; nil for nothing.
type readings[T comparable] [ways]*T

// only returns the way if the cell can be read in no other.
func (r readings[T]) only() (way, bool) {
	switch {
	case r[english] != nil && r[continental] == nil:
		return english, true
	case r[english] == nil && r[continental] != nil:
		return continental, true
	}
	return 0, false
}

// column is what the cells of a column say of the way in which it is written.
type column struct{ seen [ways]bool }

func learn[T comparable](c *column, r readings[T]) {
	if w, ok := r.only(); ok {
		c.seen[w] = true
	}
}

// cellProblem is why a cell cannot be used; empty where it can.
type cellProblem int

const (
	cellForeign   cellProblem = iota + 1 // it is nothing of the kind
	cellAmbiguous                        // it can be read in two ways
)

// meant picks the reading that the column asks for.
func meant[T comparable](c column, r readings[T]) (value T, problem cellProblem) {
	switch {
	case r[english] == nil && r[continental] == nil:
		return value, cellForeign
	case r[english] == nil:
		return *r[continental], 0
	case r[continental] == nil || *r[english] == *r[continental]:
		return *r[english], 0
	case c.seen[english] && !c.seen[continental]:
		return *r[english], 0
	case c.seen[continental] && !c.seen[english]:
		return *r[continental], 0
	}
	return value, cellAmbiguous
}

// number is decimal text and the currency that stood beside it, empty for none.
type number struct{ text, currency string }

var (
	amountParts     = regexp.MustCompile(`^(\()? ?(-)? ?([A-Z]{3}|[$€£¥])? ?(-)? ?([0-9][0-9.,'’ ]*?) ?([A-Z]{3}|[$€£¥])? ?(\))?$`)
	englishNumber   = regexp.MustCompile(`^(?:[0-9]+|[1-9][0-9]{0,2}(?:(?:,[0-9]{3})+|(?:['’][0-9]{3})+|(?: [0-9]{3})+))(?:\.[0-9]+)?$`)
	continentNumber = regexp.MustCompile(`^(?:[0-9]+|[1-9][0-9]{0,2}(?:(?:\.[0-9]{3})+|(?:['’][0-9]{3})+|(?: [0-9]{3})+))(?:,[0-9]+)?$`)
)

// digits leaves of a number its digits and the one separator that is meant.
func digits(text string, point rune) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == point:
			return '.'
		case r >= '0' && r <= '9':
			return r
		}
		return -1
	}, text)
}

// readNumber reads an amount with thousands separators, in brackets or with a sign
// if it is negative, and with its currency in front of it or behind it.
func readNumber(cell string) readings[number] {
	var r readings[number]
	m := amountParts.FindStringSubmatch(cell)
	if len(m) == 0 || (m[1] == "") != (m[7] == "") || m[3] != "" && m[6] != "" {
		return r
	}
	minus := 0
	for _, sign := range []string{m[1], m[2], m[4]} {
		if sign != "" {
			minus++
		}
	}
	if minus > 1 {
		return r
	}
	currency := m[3] + m[6]
	// The dollar and the yen sign are those of many currencies.
	switch currency {
	case "€":
		currency = "EUR"
	case "£":
		currency = "GBP"
	case "$", "¥":
		currency = ""
	}
	put := func(w way, text string) {
		if minus > 0 {
			text = "-" + text
		}
		r[w] = &number{text, currency}
	}
	if englishNumber.MatchString(m[5]) {
		put(english, digits(m[5], '.'))
	}
	if continentNumber.MatchString(m[5]) {
		put(continental, digits(m[5], ','))
	}
	return r
}

var (
	numericDay = regexp.MustCompile(`^([0-9]{1,2})([/.\-])([0-9]{1,2})([/.\-])([0-9]{4})(?:[ ,T].*)?$`)
	yearFirst  = regexp.MustCompile(`^([0-9]{4})[/.]([0-9]{1,2})[/.]([0-9]{1,2})(?:[ ,T].*)?$`)
	epoch      = regexp.MustCompile(`^[0-9]{12,13}$`)
	spoilt     = regexp.MustCompile(`^[0-9](?:[.,][0-9]+)?[eE]\+?[0-9]+$`)
)

// readDay reads a day, or the day of an instant in the zone. A time of which no
// zone is said was a time where the export was made, and its day is as it stands.
func readDay(cell string, zone *time.Location) readings[money.Day] {
	both := func(d money.Day) readings[money.Day] { return readings[money.Day]{&d, &d} }
	if epoch.MatchString(cell) {
		var millis int64
		for _, digit := range cell {
			millis = millis*10 + int64(digit-'0')
		}
		return both(money.DayOf(time.UnixMilli(millis), zone))
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05Z07:00"} {
		if at, err := time.Parse(layout, cell); err == nil {
			return both(money.DayOf(at, zone))
		}
	}
	if len(cell) >= len(time.DateOnly) {
		day, err := money.ParseDay(cell[:len(time.DateOnly)])
		if rest := cell[len(time.DateOnly):]; err == nil && (rest == "" || strings.ContainsAny(rest[:1], " ,T")) {
			return both(day)
		}
	}
	if m := yearFirst.FindStringSubmatch(cell); m != nil {
		if day := civil(m[1], m[2], m[3]); day != nil {
			return both(*day)
		}
	}
	var r readings[money.Day]
	m := numericDay.FindStringSubmatch(cell)
	if len(m) == 0 || m[2] != m[4] {
		return r
	}
	r[continental] = civil(m[5], m[3], m[1])
	if m[2] != "." { // nobody has the month first before a point
		r[english] = civil(m[5], m[1], m[3])
	}
	return r
}

// civil is the day of digits that were matched; nil if there is no such day.
func civil(year, month, day string) *money.Day {
	two := func(text string) string { return strings.Repeat("0", 2-len(text)) + text }
	d, err := money.ParseDay(year + "-" + two(month) + "-" + two(day))
	if err != nil {
		return nil
	}
	return &d
}
