package report

import (
	"fmt"
	"math/big"
	"slices"

	"tracksource/attribution"
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
	Deals  []Deal
}

// course is what findings look at of a deal. Days are calendar days of the contract's
// zone.
type course struct {
	deal    *Deal
	steps   map[string]money.Day // the first days of what it came to
	created money.Day
	won     money.Day
	isWon   bool
	// size is what the deal is worth in the contract's currency, in minor units, and
	// amount the same.
	size    int64
	amount  Value
	isSized bool
	begun   []*attribution.FactTouch // those up to its creation, in order of time
}

// courses are of the deals that are asked about and in the totals, of which it is known
// when they were created. Orders of a shop are no deals here.
func (q *DealQuestion) courses() []course {
	var list []course
	days := CohortQuestion{Contract: q.Contract}
	for i := range q.Deals {
		d := &q.Deals[i]
		f := d.Newest()
		if f.Excluded != "" || f.Order || f.CreatedAt.IsZero() {
			continue
		}
		c := course{deal: d, steps: days.steps(d)}
		c.created = c.steps[stepCreated]
		if c.created > q.Today || q.Within != nil && !q.Within.Holds(c.created) {
			continue
		}
		c.won, c.isWon = c.steps[string(contract.StateWon)]
		if _, m, ok := d.Measure(attribution.MeasurePipelineCreated); ok && m.Currency == q.Contract.Currency && m.Exponent == q.Contract.Exponent {
			c.size, c.amount, c.isSized = m.Value, ValueOf(m.Value, m.Exponent), true
		}
		c.begun = begunWith(d)
		list = append(list, c)
	}
	return list
}

// begunWith are the touches that a deal's creation is credited to. Later ones are left
// out wherever deals are compared: a deal that takes longer meets more of them, so that
// what they go with follows from how it went.
func begunWith(d *Deal) []*attribution.FactTouch {
	for _, name := range [...]string{attribution.MeasurePipelineCreated, attribution.MeasureOpportunities} {
		f, m, ok := d.Measure(name)
		if !ok {
			continue
		}
		list := make([]*attribution.FactTouch, len(m.Path))
		for i, place := range m.Path {
			list[i] = &f.Touches[place]
		}
		return list
	}
	return nil
}

// keys are the values of a dimension that a deal has by what it began with: one of
// segment, of asset and channel each once, in order.
func (c *course) keys(d Dimension) []string {
	var keys []string
	switch d {
	case Segment, Region:
		return []string{ofDeal(c.deal.Newest(), d)}
	case Partner:
		return []string{c.deal.Newest().Sourced.Partner}
	case Asset, Channel:
		for _, t := range c.begun {
			key := t.Channel
			if d == Asset {
				key = t.Asset
			}
			keys = append(keys, key)
		}
	default:
	}
	slices.Sort(keys)
	return slices.Compact(keys)
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
