package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tracksource/attribution"
)

// CohortMetrics is what became of the deals of a cohort, each metric as the key figure
// of its name is defined: docs/kpis.md.
type CohortMetrics struct {
	Size      int
	Won, Lost int
	Priced    int // deals with revenue
	Revenue   Value
	// Pipeline is what the deals created, Open the part of it that is not closed.
	Pipeline, Open Value
	// Timed is of how many deals won it is known when they were created, Median and P90
	// the days that these took from then, by nearest rank; without meaning for none.
	Timed, Median, P90 int
	// Covered and Quota are what coverage is made of: the pipeline and the quota of the
	// same days. A Quota of zero is none.
	Covered, Quota Value
}

// Decided is how many deals were won or lost.
func (m *CohortMetrics) Decided() int { return m.Won + m.Lost }

// WinRate is won over decided as decimal text, false where nothing is decided.
func (m *CohortMetrics) WinRate() (string, bool) {
	return Ratio(ValueOf(int64(m.Won), 0), ValueOf(int64(m.Decided()), 0))
}

// ContractValue is revenue over deals with revenue as a currency's text, rounded half
// away from zero; false without any.
func (m *CohortMetrics) ContractValue(exponent int) (string, bool) {
	if m.Priced == 0 {
		return "", false
	}
	r := m.Revenue.rat()
	return r.Quo(r, rat(m.Priced)).FloatString(exponent), true
}

// Coverage is the pipeline over the quota of its days as decimal text, false without a
// quota.
func (m *CohortMetrics) Coverage() (string, bool) { return Ratio(m.Covered, m.Quota) }

// kpi is the question of the key figures that metrics are defined as.
func (q *CohortQuestion) kpi() KPIQuestion {
	return KPIQuestion{Contract: q.Contract, Day: q.Today, Targets: q.Targets}
}

// addMetrics counts one member of a cohort.
func (q *CohortQuestion) addMetrics(c *cohortSum, d *Deal, t *timed) {
	k := q.kpi()
	c.Size++
	k.close(&c.closed, d, t)
	m, ok := k.value(d, attribution.MeasurePipelineCreated)
	if ok {
		v := ValueOf(m.Value, m.Exponent)
		c.Pipeline = c.Pipeline.Add(v)
		if q.isCoveredByMonth() && c.days.Holds(m.Day) {
			c.Covered = c.Covered.Add(v)
		}
	}
	if m, ok = k.value(d, attribution.MeasurePipelineOpen); ok {
		c.Open = c.Open.Add(ValueOf(m.Value, m.Exponent))
	}
}

// isCoveredByMonth reports whether what is created in a month is held against its quota. A
// quota is of a partner, or of all together: of nothing else there is coverage.
func (q *CohortQuestion) isCoveredByMonth() bool {
	return len(q.Targets) > 0 && q.Kind == CreatedMonth && (q.By == "" || q.By == "sourced")
}

// metrics are those of one cohort.
func (s *cohortSums) metrics(at cohortPlace, c *cohortSum) CohortMetrics {
	q, k, m := s.q, s.q.kpi(), c.CohortMetrics
	m.Won, m.Lost, m.Priced, m.Revenue, m.Timed = c.closed.won, c.closed.lost, c.closed.deals, c.closed.revenue, len(c.closed.days)
	if slices.Sort(c.closed.days); m.Timed > 0 {
		m.Median, m.P90 = nearestRank(c.closed.days, 50), nearestRank(c.closed.days, 90)
	}
	switch {
	case len(q.Targets) > 0 && q.Kind == CohortPartner && q.By == "":
		k.Partner = at.key
		m.Covered, m.Quota = s.covered[at.key], k.quota(Quarter(q.Today))
	case q.isCoveredByMonth():
		k.Partner = at.group
		m.Quota = k.quota(c.days)
	}
	return m
}

// cohortRowsMax bounds the rows of a table of cohorts: lead sources are whatever people
// write, and nobody reads a thousand.
const cohortRowsMax = 1000

// CohortTables are two tables for each kind of CohortKinds: cohorts_<kind> with the
// metrics of each cohort, curves_<kind> with the part of its deals that was won by each
// age. What the question has of kind, group and value is not looked at.
func CohortTables(deals Deals, q CohortQuestion) []Table {
	var asks []CohortQuestion
	for _, kind := range CohortKinds() {
		q.Kind, q.By, q.Value = kind, "", CohortWon
		asks = append(asks, q)
	}
	var tables []Table
	for i, list := range cohortsOf(deals, asks) {
		q := &asks[i]
		kind := q.Kind
		left := max(len(list)-cohortRowsMax, 0)
		if left > 0 && kind.IsMonth() {
			list = list[left:] // the oldest months go
		}
		list = list[:min(len(list), cohortRowsMax)]
		tables = append(tables, q.metricsTable(list, left), q.curvesTable(list, left))
	}
	return tables
}

// title is what cohorts of a kind are called.
func (k CohortKind) title() string {
	switch k {
	case CohortFirstTouch:
		return "month of first touch"
	case LeadMonth:
		return "month of first lead"
	case CreatedMonth:
		return "month of creation"
	case WonMonth:
		return "month won"
	case CohortLeadSource:
		return "lead source"
	case CohortSegment:
		return "segment"
	case CohortPartner:
		return "sourcing partner"
	}
	return string(k)
}

func (q *CohortQuestion) metricsTable(list []Cohort, left int) Table {
	column := func(id string, kind ColumnKind) Column {
		c := Column{ID: id, Title: strings.ToUpper(id[:1]) + strings.ReplaceAll(id[1:], "_", " "), Kind: kind}
		if kind == MoneyColumn {
			c.Currency = q.Contract.Currency
		}
		return c
	}
	t := Table{
		ID: "cohorts_" + string(q.Kind), Title: "Cohorts by " + q.Kind.title(), LeftOut: left, Rows: [][]string{},
		Note: "Each deal is in one cohort. Win rate is won over decided, contract value revenue over deals with revenue, days are from creation to won." + q.coverageNote(),
		Columns: []Column{
			column("cohort", TextColumn), column("size", CountColumn), column("decided", CountColumn), column("won", CountColumn), column("lost", CountColumn),
			column("win_rate", RatioColumn), column("contract_value", MoneyColumn), column("revenue", MoneyColumn), column("median_days", DaysColumn), column("p90_days", DaysColumn),
			column("pipeline", MoneyColumn), column("pipeline_open", MoneyColumn), column("coverage", RatioColumn),
		},
	}
	places := q.Contract.Exponent
	for i := range list {
		c := &list[i]
		rate, _ := c.WinRate()
		value, _ := c.ContractValue(places)
		coverage, _ := c.Coverage()
		var median, p90 string
		if c.Timed > 0 {
			median, p90 = strconv.Itoa(c.Median), strconv.Itoa(c.P90)
		}
		t.Rows = append(t.Rows, []string{
			c.Key, strconv.Itoa(c.Size), strconv.Itoa(c.Decided()), strconv.Itoa(c.Won), strconv.Itoa(c.Lost),
			rate, value, c.Revenue.Text(places), median, p90, c.Pipeline.Text(places), c.Open.Text(places), coverage,
		})
	}
	return t
}

func (q *CohortQuestion) coverageNote() string {
	switch q.Kind {
	case CohortPartner:
		return " Coverage is the pipeline created in this quarter over the part of the partner's quota that its days so far have."
	case CreatedMonth:
		return " Coverage is the pipeline over the part of the quota that the month's days so far have."
	case CohortFirstTouch, LeadMonth, WonMonth, CohortLeadSource, CohortSegment:
	}
	return " There are no quotas by what these cohorts are told by, so that there is no coverage."
}

func (q *CohortQuestion) curvesTable(list []Cohort, left int) Table {
	t := Table{
		ID: "curves_" + string(q.Kind), Title: "Won by age, cohorts by " + q.Kind.title(), LeftOut: left, Rows: [][]string{},
		Note:    "The part of the deals that was won by the end of that many months after the cohort's.",
		Columns: []Column{{ID: "cohort", Title: "Cohort", Kind: TextColumn}},
	}
	if !q.Kind.IsMonth() {
		t.Note = "The part of the deals that is won by the end of that many months after their month of creation. Deals that are not as old yet count as long as they have been followed."
	}
	ages := 0
	for i := range list {
		ages = max(ages, len(list[i].Cells))
	}
	for age := range ages {
		t.Columns = append(t.Columns, Column{ID: fmt.Sprintf("m%d", age), Title: fmt.Sprintf("Month %d", age), Kind: RatioColumn})
	}
	for i := range list {
		row := slices.Repeat([]string{""}, 1+ages)
		row[0] = list[i].Key
		for _, cell := range list[i].Cells {
			row[1+cell.Age] = cell.RateText()
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// RateText is the rate as decimal text, rounded half away from zero.
func (c *CohortCell) RateText() string { return c.Rate.FloatString(4) }
