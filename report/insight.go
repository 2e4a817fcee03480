package report

import (
	"fmt"
	"math/big"

	"tracksource/contract"
	"tracksource/money"
)

// The rules of this file's neighbours, each a section of docs/insights.md.
const (
	RuleTop     = "top"
	RuleBottom  = "bottom"
	RuleDropOff = "drop_off"
	RuleOutlier = "outlier"
)

// The ids of the tables of tests.
const (
	TableDropOffs = "drop_offs"
	TableOutliers = "outliers"
)

// insightSampleMin is of how many a group and the rest must be each, before they are
// held against each other. With fewer, a test could tell only differences that nobody
// needs a test for.
const insightSampleMin = 20

// DealQuestion is which deals findings are looked for in.
type DealQuestion struct {
	Contract *contract.Contract
	// Today is the day in the contract's zone up to which everything is known.
	Today money.Day
	// Within is the days on which the deals were created, nil for all. Findings need
	// deals that have had their time, so that the whole campaign shows more than its
	// last days.
	Within *Span
	Deals  Deals

	found   []*course // if isKnown
	isKnown bool
}

// Known is the question with what findings look at of the deals worked out, once for all
// that are made of it. The deals are not gone through again.
func (q DealQuestion) Known() DealQuestion {
	q.found, q.isKnown = q.courses(), true
	return q
}

// isNamed reports whether a value of a dimension names something that could be changed:
// of what nobody knows there is no finding, though it is part of what others are held
// against.
func isNamed(key string) bool {
	switch key {
	case "", contract.Unknown, contract.None, Unattributed, contract.Unsourced:
		return false
	}
	return true
}

// plural is what several values of a dimension are called, in texts and ids of tables.
func plural(d Dimension) string { return string(d) + "s" }

func countEvidence(name string, n int64) Evidence {
	return Evidence{Name: name, Value: fmt.Sprint(n), Kind: CountColumn}
}

func ratioEvidence(name string, r *big.Rat) Evidence {
	return Evidence{Name: name, Value: ratioText(r), Kind: RatioColumn}
}

func daysEvidence(name string, n int) Evidence {
	return Evidence{Name: name, Value: fmt.Sprint(n), Kind: DaysColumn}
}

func moneyEvidence(name string, c *contract.Contract, v Value) Evidence {
	return Evidence{Name: name, Value: v.Text(c.Exponent), Kind: MoneyColumn, Currency: c.Currency}
}
