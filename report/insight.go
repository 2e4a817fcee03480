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

// course is what findings look at of a deal. Days are calendar days of the contract's
// zone.
type course struct {
	segment, region, sourced string
	// steps are the first days of what it came to: of each of the steps of the funnel.
	steps         []reached
	created, won  money.Day
	isWon, isLost bool
	// size is what the deal is worth in the contract's currency, in minor units.
	isSized  bool
	size     int64
	exponent int
	// channel is that of the first touch, channels and assets are of all touches up to its
	// creation, each once, in order.
	channel          string
	channels, assets []string
}

// amount is what the deal is worth, nothing where that is not known.
func (c *course) amount() Value { return ValueOf(c.size, c.exponent) }

// milestones are the steps of the funnel of deals, those that none comes to among them.
func (q *DealQuestion) milestones() []string {
	return append(append([]string{stepCreated}, q.Contract.Milestones...), string(contract.StateWon))
}

// courses are of the deals that are asked about and in the totals, of which it is known
// when they were created. Orders of a shop are no deals here.
func (q *DealQuestion) courses() []*course {
	if q.isKnown || q.Deals == nil {
		return q.found
	}
	var list []*course
	days, names := CohortQuestion{Contract: q.Contract}, q.milestones()
	for d := range q.Deals {
		f := d.Newest()
		if f.Excluded != "" || f.Order || f.CreatedAt.IsZero() {
			continue
		}
		steps := days.steps(d)
		c := &course{segment: ofDeal(f, Segment), region: ofDeal(f, Region), sourced: f.Sourced.Partner, created: steps[stepCreated]}
		if c.created > q.Today || q.Within != nil && !q.Within.Holds(c.created) {
			continue
		}
		c.steps = make([]reached, len(names))
		for i, name := range names {
			c.steps[i].day, c.steps[i].ok = steps[name]
		}
		c.won, c.isWon = steps[string(contract.StateWon)]
		_, _, c.isLost = d.Measure(attribution.MeasureLost)
		if _, m, ok := d.Measure(attribution.MeasurePipelineCreated); ok && m.Currency == q.Contract.Currency && m.Exponent == q.Contract.Exponent {
			c.size, c.exponent, c.isSized = m.Value, m.Exponent, true
		}
		c.beginWith(d)
		list = append(list, c)
	}
	return list
}

// beginWith notes the touches that the deal's creation is credited to. Later ones are left
// out wherever deals are compared: a deal that takes longer meets more of them, so that
// what they go with follows from how it went.
func (c *course) beginWith(d *Deal) {
	c.channel = Unattributed
	for _, name := range [...]string{attribution.MeasurePipelineCreated, attribution.MeasureOpportunities} {
		f, m, ok := d.Measure(name)
		if !ok {
			continue
		}
		if len(m.Path) > 0 {
			c.channel = f.Touches[m.Path[0]].Channel
		}
		c.channels = touchedBy(f, m, func(t *attribution.FactTouch) string { return t.Channel })
		c.assets = touchedBy(f, m, func(t *attribution.FactTouch) string { return t.Asset })
		return
	}
}

// touchedBy are values of the touches of a measure, each once, in order.
func touchedBy(f *attribution.Facts, m *attribution.FactMeasure, value func(*attribution.FactTouch) string) []string {
	list := make([]string, len(m.Path))
	for i, place := range m.Path {
		list[i] = value(&f.Touches[place])
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// keys are the values of a dimension that a deal has by what it began with: one of
// segment, of asset and channel each once, in order. They are not to be changed.
func (c *course) keys(d Dimension) []string {
	switch d {
	case Segment:
		return []string{c.segment}
	case Region:
		return []string{c.region}
	case Partner:
		return []string{c.sourced}
	case Asset:
		return c.assets
	case Channel:
		return c.channels
	default:
	}
	return nil
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
