package reporter

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"tracksource/report"
)

// Query is a question for contributions.
type Query struct {
	Campaign, Measure, Model string
	By                       []report.Dimension
}

func (q Query) key() string {
	key := fmt.Sprintf("%q %q %q", q.Campaign, q.Measure, q.Model)
	for _, d := range q.By {
		key += " " + string(d)
	}
	return key
}

const (
	// queryMax bounds a query string, in bytes.
	queryMax = 2048
	// byMax bounds the dimensions of one breakdown: groups multiply.
	byMax = 3
)

// QueryError says what is wrong with a question and what could be asked
// instead. It never repeats what was asked.
type QueryError struct {
	Parameter string   // at fault; empty when it is the whole
	Detail    string   // for people
	Allowed   []string // what there is
}

func (e *QueryError) Error() string { return e.Detail }

var parameters = [...]string{"campaign", "measure", "model", "by"}

// ParseQuery reads a raw query string strictly: an unknown or repeated
// parameter and an unknown value are errors of type *QueryError. What is not
// given is the first of the choices. Dimensions are given as by=partner,channel.
func ParseQuery(raw string, choices Choices) (Query, error) {
	values, err := parseParameters(raw, parameters[:])
	if err != nil {
		return Query{}, err
	}
	var q Query
	if q.Campaign, err = pick(values, "campaign", choices.Campaigns); err != nil {
		return Query{}, err
	}
	choices = choices.forCampaign(q.Campaign)
	if q.Measure, err = pick(values, "measure", choices.Measures); err != nil {
		return Query{}, err
	}
	if q.Model, err = pick(values, "model", choices.Models); err != nil {
		return Query{}, err
	}
	q.By = []report.Dimension{report.Partner, report.Channel}
	by, given := values["by"]
	if !given {
		return q, nil
	}
	q.By = nil
	for name := range strings.SplitSeq(by, ",") {
		d := report.Dimension(name)
		switch {
		case !slices.Contains(report.Dimensions(), d):
			return Query{}, &QueryError{"by", "by names a dimension that does not exist; write those of allowed with commas between them", choices.Dimensions}
		case slices.Contains(q.By, d):
			return Query{}, &QueryError{"by", "by names a dimension twice", choices.Dimensions}
		case len(q.By) == byMax:
			return Query{}, &QueryError{"by", fmt.Sprintf("by names more than %d dimensions", byMax), choices.Dimensions}
		}
		q.By = append(q.By, d)
	}
	return q, nil
}

// parseParameters reads a query string whose parameters are among allowed and
// not repeated.
func parseParameters(raw string, allowed []string) (map[string]string, error) {
	if len(raw) > queryMax {
		return nil, &QueryError{"", fmt.Sprintf("the query has more than %d bytes", queryMax), allowed}
	}
	parsed, err := url.ParseQuery(raw)
	if err != nil {
		return nil, &QueryError{"", "the query is not well formed: write name=value&name=value, percent-encoded", allowed}
	}
	values := map[string]string{}
	for name, vs := range parsed {
		switch {
		case !slices.Contains(allowed, name):
			return nil, &QueryError{"", "the query has a parameter that does not exist; those of allowed do", allowed}
		case len(vs) != 1:
			return nil, &QueryError{name, name + " is given more than once", allowed}
		}
		values[name] = vs[0]
	}
	return values, nil
}

// pick returns the value of a parameter, the first choice when it is not given.
func pick(values map[string]string, name string, choices []string) (string, error) {
	v, given := values[name]
	switch {
	case given && !slices.Contains(choices, v):
		return "", &QueryError{name, "there is no such " + name + "; allowed lists those there are", choices}
	case given:
		return v, nil
	case len(choices) == 0:
		return "", nil
	}
	return choices[0], nil
}
