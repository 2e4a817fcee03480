package mapping

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"tracksource/normalize"
)

// kind is what a target takes.
type kind int

const (
	kindText kind = iota
	kindTime
	kindBool
	kindInteger
	kindAmount
	kindCurrency
	kindDay
)

func (k kind) String() string {
	return [...]string{"text", "a time", "true or false", "a whole number", "an amount", "a currency", "a day"}[k]
}

// value says where a part of an event is.
type value struct {
	field string // where it stands in the document
	kind  kind

	path      []step // nil for a constant or an expression
	constant  *string
	program   *program
	lookup    map[string]string // nil: none
	otherwise *string           // where there is nothing, or lookup knows it not
	layout    string            // of a time: one of the names, or a Go layout
	zone      *time.Location    // of a time that names none
	lower     bool
}

// step is a member of an object or an element of an array.
type step struct {
	name  string
	index int // of an array, where name is empty
}

// parsePath reads a.b[0].c. A name that has dots or brackets stands in quotes, as
// in "@odata.type" or a."b.c".
func parsePath(text string) ([]step, bool) {
	var steps []step
	for rest := text; rest != ""; {
		switch rest[0] {
		case '"':
			end := strings.IndexByte(rest[1:], '"')
			if end < 1 {
				return nil, false
			}
			steps, rest = append(steps, step{name: rest[1 : end+1]}), rest[end+2:]
		case '[':
			digits, after, ok := strings.Cut(rest[1:], "]")
			n, err := strconv.ParseUint(digits, 10, 16)
			if !ok || err != nil || len(steps) == 0 {
				return nil, false
			}
			steps, rest = append(steps, step{index: int(n)}), after
		default:
			end := strings.IndexAny(rest, ".[\"")
			if end == 0 {
				return nil, false
			}
			if end < 0 {
				end = len(rest)
			}
			steps, rest = append(steps, step{name: rest[:end]}), rest[end:]
		}
		if rest == "" {
			break
		}
		if rest[0] == '.' {
			if rest = rest[1:]; rest == "" {
				return nil, false
			}
		} else if rest[0] != '[' {
			return nil, false
		}
	}
	return steps, len(steps) > 0
}

// at follows a path; there is false where it ends before its end.
func at(event any, path []step) (v any, there bool) {
	v = event
	for _, s := range path {
		switch node := v.(type) {
		case map[string]any:
			if s.name == "" {
				return nil, false
			}
			if v, there = node[s.name]; !there {
				return nil, false
			}
		case []any:
			if s.name != "" || s.index >= len(node) {
				return nil, false
			}
			v = node[s.index]
		default:
			return nil, false
		}
	}
	return v, true
}

// found is what an event has for a value.
type found struct {
	there bool    // false: it says nothing of it
	text  *string // nil: it says that it is empty
	time  time.Time
}

// find evaluates the value on an event. currency is that of amounts, if it is
// known.
func (v *value) find(e *event, currency string) (found, error) {
	raw, there, err := v.raw(e)
	if err != nil {
		return found{}, err
	}
	text := textOf(raw)
	if !there || text == "" && !composite(raw) {
		if v.otherwise == nil {
			return found{there: there}, nil
		}
		raw = *v.otherwise
	} else if v.lookup != nil {
		to, known := v.lookup[text]
		switch {
		case known:
			raw = to
		case v.otherwise != nil:
			raw = *v.otherwise
		default:
			return found{}, nil // what nobody has named is not said
		}
	}
	f, err := v.convert(raw, currency)
	if err != nil {
		return found{}, err
	}
	f.there = true
	return f, nil
}

// raw returns the value before it is looked up and converted.
func (v *value) raw(e *event) (raw any, there bool, err error) {
	switch {
	case v.constant != nil:
		return *v.constant, true, nil
	case v.program != nil:
		raw, err = v.program.run(e, v.field)
		return raw, err == nil && raw != nil, err
	}
	raw, there = at(e.body, v.path)
	return raw, there, nil
}

// textOf reads what an event or an expression gives as text.
func textOf(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return normalize.Text(v)
}

func composite(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

// convert checks what was found for what the target takes.
func (v *value) convert(raw any, currency string) (found, error) {
	if composite(raw) {
		return found{}, normalize.Refuse(normalize.BadField, "%s: an object or a list, want %v", v.field, v.kind)
	}
	var text string
	var err error
	switch v.kind {
	case kindTime:
		return v.convertTime(raw)
	case kindBool:
		text, err = normalize.Boolean(raw)
	case kindInteger:
		text = textOf(raw)
		if _, bad := strconv.ParseInt(text, 10, 64); bad != nil {
			err = normalize.Refuse(normalize.BadField, "not a whole number")
		}
	case kindAmount:
		if _, inexact := raw.(float64); inexact {
			return found{}, normalize.Refuse(normalize.BadAmount, "%s: an amount that was computed is not exact: name its path", v.field)
		}
		text, err = normalize.Amount(raw, currency)
	case kindCurrency:
		text, err = normalize.Currency(raw)
	case kindDay:
		text, err = normalize.CalendarDay(raw)
	default:
		if text = textOf(raw); v.lower {
			text = strings.ToLower(text)
		}
	}
	if err != nil {
		return found{}, within(v.field, err)
	}
	return found{text: &text}, nil
}

// within says in which field of the mapping a problem lies.
func within(field string, err error) error {
	p := failed(err).Problem
	return &normalize.Problem{Code: p.Code, Message: field + ": " + p.Message}
}

// The names of time formats.
const (
	formatRFC3339 = "rfc3339"
	formatUnix    = "unix"
	formatMillis  = "unix-ms"
	formatMicros  = "unix-us"
)

// layoutOf turns a format of people, such as DD.MM.YYYY hh:mm, into one of Go.
func layoutOf(format string) (string, bool) {
	switch format {
	case formatRFC3339, formatUnix, formatMillis, formatMicros:
		return format, true
	}
	layout := strings.NewReplacer("YYYY", "2006", "MM", "01", "DD", "02", "hh", "15", "mm", "04", "ss", "05", ".fff", ".000", "ZZ", "-0700").Replace(format)
	if !strings.Contains(layout, "2006") || !strings.Contains(layout, "01") || !strings.Contains(layout, "02") {
		return "", false
	}
	// A layout reads what it writes, or it has something that is no token.
	sample := time.Date(2021, 11, 23, 17, 35, 49, 0, time.UTC)
	back, err := time.Parse(layout, sample.Format(layout))
	return layout, err == nil && back.Year() == 2021 && back.Month() == 11 && back.Day() == 23
}

func (v *value) convertTime(raw any) (found, error) {
	text := normalize.Text(raw)
	bad := normalize.Refuse(normalize.BadTime, "%s: not a time of its format", v.field)
	var when time.Time
	switch v.layout {
	case formatUnix, formatMillis, formatMicros:
		n, err := strconv.ParseInt(text, 10, 64)
		perSecond := map[string]int64{formatUnix: 1, formatMillis: 1000, formatMicros: 1_000_000}[v.layout]
		const lastSecond = 253_402_300_799 // 9999-12-31T23:59:59Z
		if err != nil || n < 0 || n/perSecond > lastSecond {
			return found{}, bad
		}
		when = time.Unix(n/perSecond, n%perSecond*(1_000_000_000/perSecond)).UTC()
	default:
		var err error
		if when, err = v.parseTime(text); err != nil {
			return found{}, bad
		}
	}
	text = when.UTC().Format(time.RFC3339Nano)
	return found{text: &text, time: when}, nil
}

func (v *value) parseTime(text string) (at time.Time, err error) {
	layouts := []string{v.layout}
	if v.layout == formatRFC3339 {
		layouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", time.DateOnly}
	}
	for _, layout := range layouts {
		if at, err = time.ParseInLocation(layout, text, v.zone); err == nil {
			return at, nil
		}
	}
	return at, err
}

// plain turns an event into what expressions work on: whole numbers are integers,
// others are doubles, which amounts refuse.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			out[name] = plain(member)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, member := range v {
			out[i] = plain(member)
		}
		return out
	}
	return v
}
