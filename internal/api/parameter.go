package api

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// queryBytesMax bounds a query string, valueBytesMax one value of it and
	// repeatMax how often a parameter may be given that may be given again.
	queryBytesMax = 8 << 10
	valueBytesMax = 512
	repeatMax     = 50
)

// kind is what the values of a parameter are made of.
type kind int

const (
	text   kind = iota // any printable text
	day                // YYYY-MM-DD
	number             // from 1 to the parameter's max
	list               // names with commas between them
	choice             // one of the parameter's choices
)

// parameter is one that a route takes.
type parameter struct {
	name    string
	about   string // for the document
	kind    kind
	many    bool     // may be given again: any of the values
	max     int      // of a number; of text its bytes, if it may have more than valueBytesMax
	choices []string // of a choice
	must    bool
}

// values are the checked parameters of one request.
type values map[string][]string

// text returns the value of a parameter, empty when it is not given.
func (v values) text(name string) string {
	if len(v[name]) == 0 {
		return ""
	}
	return v[name][0]
}

// list returns the names of a list, nil when it is not given.
func (v values) list(name string) []string {
	if t := v.text(name); t != "" {
		return strings.Split(t, ",")
	}
	return nil
}

// number returns a number, 0 when it is not given.
func (v values) number(name string) int {
	n, _ := strconv.Atoi(v.text(name)) // checked when it was read
	return n
}

// parseQuery reads a query string strictly: every parameter is among those that
// there are, once unless it may come again, and of its kind. What is wrong is
// said without repeating it.
func parseQuery(raw string, parameters []parameter) (values, *Problem) {
	names := make([]string, len(parameters))
	for i := range parameters {
		names[i] = parameters[i].name
	}
	if len(raw) > queryBytesMax {
		return nil, badParameter("", fmt.Sprintf("the query has more than %d bytes", queryBytesMax), names)
	}
	parsed, err := url.ParseQuery(raw)
	if err != nil {
		return nil, badParameter("", "the query is not well formed: write name=value&name=value, percent-encoded", names)
	}
	for name := range parsed {
		if !slices.Contains(names, name) {
			return nil, badParameter("", "the query has a parameter that this endpoint does not take; allowed lists those it takes", names)
		}
	}
	out := values{}
	for i := range parameters { // in the table's order, so that of two faults the same one is told
		p := &parameters[i]
		given := parsed[p.name]
		switch {
		case len(given) == 0 && p.must:
			return nil, badParameter(p.name, p.name+" is missing", nil)
		case len(given) == 0:
			continue
		case len(given) > 1 && !p.many:
			return nil, badParameter(p.name, p.name+" is given more than once", nil)
		case len(given) > repeatMax:
			return nil, badParameter(p.name, fmt.Sprintf("%s is given more than %d times", p.name, repeatMax), nil)
		}
		for _, v := range given {
			if problem := p.check(v); problem != nil {
				return nil, problem
			}
		}
		out[p.name] = given
	}
	return out, nil
}

// check judges one value.
func (p *parameter) check(v string) *Problem {
	bytesMax := valueBytesMax
	if p.kind == text && p.max > 0 {
		bytesMax = p.max
	}
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	switch {
	case v == "":
		return badParameter(p.name, p.name+" is empty; leave it out instead", p.choices)
	case len(v) > bytesMax:
		return badParameter(p.name, fmt.Sprintf("%s has more than %d bytes", p.name, bytesMax), p.choices)
	case !utf8.ValidString(v) || strings.ContainsFunc(v, unprintable):
		return badParameter(p.name, p.name+" is not printable text", p.choices)
	}
	switch p.kind {
	case text:
	case day:
		if _, err := time.Parse(time.DateOnly, v); err != nil {
			return badParameter(p.name, p.name+" is not a day as YYYY-MM-DD", nil)
		}
	case number:
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > p.max || strconv.Itoa(n) != v {
			return badParameter(p.name, fmt.Sprintf("%s is not a whole number from 1 to %d", p.name, p.max), nil)
		}
	case list:
		names := strings.Split(v, ",")
		slices.Sort(names)
		if slices.Contains(names, "") || len(slices.Compact(slices.Clone(names))) != len(names) {
			return badParameter(p.name, p.name+" is not a list of different names with commas between them", p.choices)
		}
	case choice:
		if !slices.Contains(p.choices, v) {
			return badParameter(p.name, "there is no such "+p.name+"; allowed lists those there are", p.choices)
		}
	}
	return nil
}
