package normalize

import (
	"cmp"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"tracksource/money"
)

// ControlTotal is what a partner says that it sent: a record of its own in the
// feed, {"control_total": {"source": "salesforce", "day": "2026-03-02",
// "count": 120, "sums": {"USD": "1234.56"}}}.
type ControlTotal struct {
	Source string // native shape, such as salesforce
	Day    string // of the events' own times in UTC, YYYY-MM-DD
	Count  int64  // distinct events
	Sums   []Sum  // of the amounts that the events carry, in the order of currencies
}

// Sum is a sum in minor units; the currency is empty for amounts that come without
// one.
type Sum struct {
	Currency string
	Minor    int64
}

// AmountScale is the currency by whose minor units amounts without a currency are
// summed.
const AmountScale = "USD"

const totalMember = "control_total"

var sourceName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// ReadControlTotal reads a payload that is a control total; nil for any other. Its
// errors are Problems.
func ReadControlTotal(payload Value) (*ControlTotal, error) {
	o := object{v: payload}.object(totalMember)
	if o.v.isNull() {
		return nil, nil //nolint:nilnil // most payloads are none, which is no error
	}
	if o.v.kind() != kindObject {
		return nil, problem(BadField, "control_total is not an object")
	}
	t := &ControlTotal{Source: o.text("source"), Day: o.text("day")}
	if !sourceName.MatchString(t.Source) {
		return nil, problem(BadField, "control_total: source is no name of a source, such as salesforce")
	}
	if _, err := money.ParseDay(t.Day); err != nil {
		return nil, problem(BadTime, "control_total: day is not YYYY-MM-DD")
	}
	var err error
	if t.Count, err = strconv.ParseInt(o.text("count"), 10, 64); err != nil || t.Count < 0 {
		return nil, problem(BadField, "control_total: count is not a whole number")
	}
	if o.has("sums") && o.at("sums").kind() != kindObject {
		return nil, problem(BadField, "control_total: sums is not an object of currencies")
	}
	sums := maps.Collect(o.at("sums").Members())
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		minor, err := sumOf(name, sums[name])
		if err != nil {
			return nil, err
		}
		t.Sums = append(t.Sums, Sum{name, minor})
	}
	return t, nil
}

func sumOf(currency string, v Value) (int64, error) {
	text, err := amountText(v, currency)
	if err == nil {
		var sum money.Amount
		if sum, err = money.Parse(text, cmp.Or(currency, AmountScale)); err == nil {
			return sum.Minor, nil
		}
	}
	code := BadAmount
	var p *Problem
	if errors.As(err, &p) {
		code = p.Code
	}
	return 0, problem(code, "control_total: a sum is no amount in the currency that it is under")
}
