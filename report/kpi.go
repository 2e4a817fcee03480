package report

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/money"
)

// The key figures, in the order in which they are listed.
const (
	KPIWinRate          = "win_rate"
	KPIContractValue    = "average_contract_value"
	KPIVelocityMedian   = "velocity_median"
	KPIVelocityMean     = "velocity_mean"
	KPIPipelineCoverage = "pipeline_coverage"
	KPICACPayback       = "cac_payback"
	KPIReach            = "reach"
)

// The units of key figures that guardrails do not have.
const (
	UnitMoney = "money"
	UnitDays  = "days"
)

// Figure is one key figure.
type Figure struct {
	KPI  string
	Unit string // % x mo days or money
	// Ratio is the exact figure, of [contract.UnitPercent] one for all of it; nil
	// without data.
	Ratio *big.Rat
	// Missing is what there is no data of, where there is none, and Detail what the
	// figure is made of.
	Missing, Detail string
}

// KPIQuestion is what key figures are asked of.
type KPIQuestion struct {
	Contract *contract.Contract
	// Within is the days on which deals were closed, nil for all. Spend and Cost are
	// of it.
	Within *Span
	// Day is the last one of what is by quarter, or by the period of a target.
	Day     money.Day
	Targets []Target
	// Partner is whose sourced deals are looked at; empty for all.
	Partner string
	// Spend and Cost are in the contract's currency, nil where none was recorded.
	// Unvalued are other currencies of them, for which there is no rate.
	Spend, Cost *Value
	Unvalued    []string
	// Reached is how many people came to the first milestone in the period up to Day
	// of the target in force, nil where that is not known.
	Reached *Value
}

// closed is what became of the deals that were closed, and the pipeline that coverage is
// of.
type closed struct {
	pipeline  Value // created in the quarter of the question
	won, lost int
	deals     int // with revenue
	revenue   Value
	days      []int // from creation to won, in order
}

// KPIs computes the key figures of deals that are in the totals; orders of a shop are
// no deals here. docs/kpis.md defines each, with an example.
func KPIs(deals Deals, q KPIQuestion) []Figure { return KPIsOf(deals, []KPIQuestion{q})[0] }

// KPIsOf answers many questions under one contract as [KPIs] does each, going through the
// deals once.
func KPIsOf(deals Deals, asks []KPIQuestion) [][]Figure {
	sums := make([]closed, len(asks))
	for d := range deals {
		var t timed
		for i := range asks {
			asks[i].add(&sums[i], d, &t)
		}
	}
	out := make([][]Figure, len(asks))
	for i := range asks {
		slices.Sort(sums[i].days)
		out[i] = asks[i].figures(&sums[i])
	}
	return out
}

func (q *KPIQuestion) figures(c *closed) []Figure {
	won := fmt.Sprintf("%d won, %d lost", c.won, c.lost)
	list := []Figure{
		q.figure(KPIWinRate, string(contract.UnitPercent), won, "a deal that was closed", rat(c.won), rat(c.won+c.lost)),
		q.figure(KPIContractValue, UnitMoney, q.amount(c.revenue)+" of "+Counted(c.deals, "deal", "deals"), "a deal with revenue", c.revenue.rat(), rat(c.deals)),
		q.median(c),
		q.mean(c),
		q.coverage(c.pipeline),
		q.payback(c),
	}
	if q.Partner == "" {
		list = append(list, q.reach()) // whom people are sourced by is nowhere
	}
	return list
}

func rat(n int) *big.Rat { return new(big.Rat).SetInt64(int64(n)) }

func (v Value) rat() *big.Rat {
	return new(big.Rat).SetFrac(v.int(), new(big.Int).Exp(big.NewInt(10), big.NewInt(scale), nil))
}

// figure is a ratio, or names what is missing where its whole is nothing.
func (q *KPIQuestion) figure(kpi, unit, detail, missing string, part, whole *big.Rat) Figure {
	if whole.Sign() == 0 {
		return Figure{KPI: kpi, Unit: unit, Missing: missing}
	}
	return Figure{KPI: kpi, Unit: unit, Ratio: new(big.Rat).Quo(part, whole), Detail: detail}
}

func (q *KPIQuestion) amount(v Value) string {
	return Money(v, q.Contract.Currency)
}

// of reports whether a deal is one that the question looks at.
func (q *KPIQuestion) of(d *Deal) bool {
	f := d.Newest()
	return f.Excluded == "" && !f.Order && (q.Partner == "" || f.Sourced.Partner == q.Partner)
}

func (q *KPIQuestion) in(day money.Day) bool { return q.Within == nil || q.Within.Holds(day) }

// value is what a deal has of a measure of money, false in another currency: what is
// still to be restated is in no figure.
func (q *KPIQuestion) value(d *Deal, measure string) (*attribution.FactMeasure, bool) {
	_, m, ok := d.Measure(measure)
	return m, ok && m.Currency == q.Contract.Currency
}

// add counts a deal, if the question looks at it.
func (q *KPIQuestion) add(c *closed, d *Deal, t *timed) {
	if !q.of(d) {
		return
	}
	if of, ok := q.covers(d, Quarter(q.Day)); ok {
		c.pipeline = c.pipeline.Add(of)
	}
	q.close(c, d, t)
}

// close counts what became of a deal. The days are in no order.
func (q *KPIQuestion) close(c *closed, d *Deal, t *timed) {
	if _, m, ok := d.Measure(attribution.MeasureLost); ok && q.in(m.Day) {
		c.lost++
	}
	if m, ok := q.value(d, attribution.MeasureRevenue); ok && q.in(m.Day) {
		c.deals++
		c.revenue = c.revenue.Add(ValueOf(m.Value, m.Exponent))
	}
	if _, m, ok := d.Measure(attribution.MeasureWon); !ok || !q.in(m.Day) {
		return
	}
	c.won++
	if days, known := t.of(d, q.Contract); known {
		c.days = append(c.days, days)
	}
}

// timed is how long a deal took to be won, worked out for the first who asks.
type timed struct {
	asked, known bool
	days         int
}

func (t *timed) of(d *Deal, c *contract.Contract) (days int, known bool) {
	if !t.asked {
		t.asked = true
		steps := (&CohortQuestion{Contract: c}).steps(d)
		created, ok := steps[stepCreated]
		if won := steps[string(contract.StateWon)]; ok && created <= won {
			t.days, t.known = int(won-created), true
		}
	}
	return t.days, t.known
}

// dealsTimed says of how many deals a velocity is.
func (c *closed) dealsTimed() string {
	return fmt.Sprintf("%s of %s won say when they were created", Number(len(c.days)), Counted(c.won, "deal", "deals"))
}

const missingTimed = "a deal won of which it is known when it was created"

func (q *KPIQuestion) median(c *closed) Figure {
	if len(c.days) == 0 {
		return Figure{KPI: KPIVelocityMedian, Unit: UnitDays, Missing: missingTimed}
	}
	return Figure{KPI: KPIVelocityMedian, Unit: UnitDays, Ratio: rat(nearestRank(c.days, 50)), Detail: c.dealsTimed()}
}

func (q *KPIQuestion) mean(c *closed) Figure {
	sum := 0
	for _, n := range c.days {
		sum += n
	}
	return q.figure(KPIVelocityMean, UnitDays, c.dealsTimed(), missingTimed, rat(sum), rat(len(c.days)))
}

// Quarter is the calendar quarter of a day, up to that day.
func Quarter(day money.Day) Span { return Span{quarterStart(day), day} }

// ParseQuarter reads a calendar quarter such as 2026-Q1: all of its days.
func ParseQuarter(text string) (Span, bool) {
	year, quarter, found := strings.Cut(text, "-Q")
	if !found || len(quarter) != 1 || quarter < "1" || quarter > "4" {
		return Span{}, false
	}
	first, err := money.ParseDay(fmt.Sprintf("%s-%02d-01", year, 3*int(quarter[0]-'1')+1))
	if err != nil {
		return Span{}, false
	}
	next := first
	for range 3 {
		next = ByMonth.Next(next)
	}
	return Span{first, next.Add(-1)}, true
}

// coverage is the pipeline of the quarter over its quota, both up to the day: on the
// last day of the quarter the quota is all of it.
func (q *KPIQuestion) coverage(pipeline Value) Figure {
	quarter := Quarter(q.Day)
	quota := q.quota(quarter)
	detail := fmt.Sprintf("%s created, quota %s, %s to %s", q.amount(pipeline), q.amount(quota), quarter.From, quarter.To)
	return q.figure(KPIPipelineCoverage, string(contract.UnitTimes), detail, "a quota for the quarter", pipeline.rat(), quota.rat())
}

// covers is the pipeline that a deal created on the days of a span.
func (q *KPIQuestion) covers(d *Deal, span Span) (Value, bool) {
	m, ok := q.value(d, attribution.MeasurePipelineCreated)
	if !ok || !span.Holds(m.Day) {
		return Value{}, false
	}
	return ValueOf(m.Value, m.Exponent), true
}

// quota is the part of the quota that the days of a span have.
func (q *KPIQuestion) quota(span Span) Value {
	return In(GoalsOf(q.Targets, contract.TargetQuota, q.Contract.Currency, q.Partner), span, q.Contract.Exponent)
}

// PaybackMonthsMax stands for a payback that never comes, or takes longer.
const PaybackMonthsMax = 1200

// payback is the months until the gross margin of the customers won has paid what was
// spent to win them. Spend over customers, over revenue over customers over twelve
// times the margin: customers cancel.
func (q *KPIQuestion) payback(c *closed) Figure {
	f := Figure{KPI: KPICACPayback, Unit: string(contract.UnitMonths)}
	var missing []string
	if q.Spend == nil {
		missing = append(missing, "spend")
	}
	if q.Cost == nil {
		missing = append(missing, "costs")
	}
	if c.revenue.Sign() <= 0 {
		missing = append(missing, "a deal with revenue")
	}
	for _, currency := range q.Unvalued {
		missing = append(missing, "a rate for "+currency)
	}
	if len(missing) > 0 {
		f.Missing = strings.Join(missing, ", ")
		return f
	}
	f.Detail = fmt.Sprintf("spend %s, revenue %s, costs %s", q.amount(*q.Spend), q.amount(c.revenue), q.amount(*q.Cost))
	margin, most := c.revenue.Sub(*q.Cost), rat(PaybackMonthsMax)
	if margin.Sign() > 0 {
		f.Ratio = new(big.Rat).Quo(new(big.Rat).Mul(rat(12), q.Spend.rat()), margin.rat())
	}
	if f.Ratio == nil || f.Ratio.Cmp(most) > 0 {
		f.Ratio = most
		f.Detail += fmt.Sprintf("; %d months stand for never", PaybackMonthsMax)
	}
	return f
}

// reach is by how much of the plan those who came differ from it, up to the day.
func (q *KPIQuestion) reach() Figure {
	f := Figure{KPI: KPIReach, Unit: string(contract.UnitPercent)}
	goal, ok := GoalOn(GoalsOf(q.Targets, contract.TargetReach, "", ""), q.Day)
	planned := goal.Until(q.Day, 0)
	switch {
	case !ok || planned.Sign() <= 0:
		f.Missing = "a planned reach whose period the day is in"
	case q.Reached == nil || len(q.Contract.Milestones) == 0:
		f.Missing = "a first milestone of people"
	default:
		apart := new(big.Rat).Sub(q.Reached.rat(), planned.rat())
		f.Ratio = apart.Quo(apart.Abs(apart), planned.rat())
		f.Detail = fmt.Sprintf("%s came to %s, %s were planned, %s to %s", q.Reached.Text(0), q.Contract.Milestones[0], planned.Text(0), goal.Period.From, q.Day)
	}
	return f
}

// Text writes the figure: of money as its currency has it, of days with one decimal
// where it needs one, both rounded half away from zero; else as the guardrail's value.
func (f *Figure) Text(exponent int) string {
	switch f.Unit {
	case UnitMoney:
		return f.Ratio.FloatString(exponent)
	case UnitDays:
		return strings.TrimSuffix(f.Ratio.FloatString(1), ".0")
	}
	return contract.Unit(f.Unit).Text(held(f.Ratio, contract.Unit(f.Unit), f.KPI == KPICACPayback || f.KPI == KPIReach))
}

// Reading is the figure as the value of the guardrail of its name.
func (f *Figure) Reading(c *contract.Contract) Reading {
	g := c.Guardrail(f.KPI)
	if f.Ratio == nil {
		return Reading{Guardrail: g.Name, Detail: "no data for want of " + f.Missing}
	}
	return reading(g, "", f.Ratio, f.Detail)
}

// Guarded reports whether a contract has a guardrail of the figure.
func (f *Figure) Guarded(c *contract.Contract) bool {
	return slices.ContainsFunc(c.Guardrails, func(g contract.Guardrail) bool { return g.Name == f.KPI })
}

// SourcedBy lists whom the deals were sourced by, in order, of the contract's partners.
func SourcedBy(deals Deals, c *contract.Contract) []string {
	found := map[string]bool{}
	for d := range deals {
		if p := d.Newest().Sourced.Partner; c.IsPartner(p) {
			found[p] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}
