package report

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/money"
)

// CohortKind says by what deals are put together. Whatever it is, a deal is in one
// cohort at most.
type CohortKind string

// The kinds of cohorts. Those of months have the deals that have such a day; the others
// have all deals.
const (
	CohortFirstTouch CohortKind = "first_touch"   // the month of the first touch that shares the deal
	LeadMonth        CohortKind = "lead_month"    // the first person of the account became a lead
	CreatedMonth     CohortKind = "created_month" // the deal was created
	WonMonth         CohortKind = "won_month"     // the deal was won
	CohortLeadSource CohortKind = "lead_source"   // as the CRM has it
	CohortSegment    CohortKind = "segment"       // of the account
	CohortPartner    CohortKind = "partner"       // who sourced the deal
)

// CohortKinds lists the kinds, the one that is meant where none is named first.
func CohortKinds() []CohortKind {
	return []CohortKind{CreatedMonth, CohortFirstTouch, LeadMonth, WonMonth, CohortLeadSource, CohortSegment, CohortPartner}
}

// IsMonth reports whether cohorts of the kind are months.
func (k CohortKind) IsMonth() bool {
	switch k {
	case CohortFirstTouch, LeadMonth, CreatedMonth, WonMonth:
		return true
	case CohortLeadSource, CohortSegment, CohortPartner:
	}
	return false
}

// CohortValue says what the cells of a cohort are of.
type CohortValue string

// The values of cohorts.
const (
	CohortWon      CohortValue = "won"
	CohortRevenue  CohortValue = "revenue"
	CohortPipeline CohortValue = "pipeline"
)

// CohortValues lists the values.
func CohortValues() []CohortValue {
	return []CohortValue{CohortWon, CohortRevenue, CohortPipeline}
}

// Measure is the measure that a value is made of.
func (v CohortValue) Measure() string {
	switch v {
	case CohortRevenue:
		return attribution.MeasureRevenue
	case CohortPipeline:
		return attribution.MeasurePipelineCreated
	case CohortWon:
	}
	return attribution.MeasureWon
}

// CohortBys lists what cohorts are told apart by besides their month.
func CohortBys() []string { return []string{"sourced", "region", "segment"} }

// CohortQuestion is how deals are put into cohorts.
type CohortQuestion struct {
	Kind  CohortKind
	By    string // one of CohortBys, or empty
	Value CohortValue
	// Within is of the day that decides the cohort, of kinds that are no months of the
	// day of creation; nil for all deals. A deal without such a day is in no span.
	Within *Span
	Today  money.Day
	// Contract has the zone and the currency: what deals still have in another one while
	// the book is restated is in no amount.
	Contract *contract.Contract
	// Targets are what coverage is held against; without them there is none.
	Targets []Target
}

// Cohort is the deals that began together.
type Cohort struct {
	Key   string // YYYY-MM of months
	Group string
	CohortMetrics
	// Cells are by age, from the month that the cohort or, where it is no month, each of
	// its deals began in. There are none of deals of which that is not known.
	Cells []CohortCell
}

// CohortCell is what had come about until the end of the month that is Age months
// after the first one.
type CohortCell struct {
	Age   int
	Of    int // deals that are as old as that
	Count int // deals to which it happened
	Value Value
	// Rate is the part of the deals to which it happens by that age, exactly.
	Rate *big.Rat
}

// cohortAgesMax bounds the months that a cohort is followed.
const cohortAgesMax = 60

// Cohorts puts the deals that are in the totals into cohorts: months in their order, the
// deals without one last, others by size, then by key; then by group. Orders of a shop
// are no deals here. A deal has a cell for each month until today's.
func Cohorts(deals Deals, q CohortQuestion) []Cohort {
	return cohortsOf(deals, []CohortQuestion{q})[0]
}

// cohortsOf answers many questions as [Cohorts] does each, going through the deals once.
func cohortsOf(deals Deals, asks []CohortQuestion) [][]Cohort {
	sums := make([]cohortSums, len(asks))
	for i := range asks {
		sums[i] = cohortSums{q: &asks[i], of: map[cohortPlace]*cohortSum{}, covered: map[string]Value{}}
	}
	for d := range deals {
		var t timed
		for i := range sums {
			sums[i].add(d, &t)
		}
	}
	out := make([][]Cohort, len(asks))
	for i := range sums {
		out[i] = sums[i].cohorts()
	}
	return out
}

// cohortSums are what is added up of the deals of a question, and where a cohort is one of
// them.
type cohortSums struct {
	q       *CohortQuestion
	of      map[cohortPlace]*cohortSum
	covered map[string]Value // the pipeline of the quarter by sourcing partner, of all deals
}

type cohortPlace struct{ key, group string }

// cohortSum is what is added up of the deals of one cohort.
type cohortSum struct {
	CohortMetrics
	closed closed
	ages   cohortAges
	days   Span // that the cohort's deals were created on, of months of creation
}

func (s *cohortSums) add(d *Deal, t *timed) {
	q := s.q
	k := q.kpi()
	if len(q.Targets) > 0 && q.Kind == CohortPartner && k.of(d) {
		if v, ok := k.covers(d, Quarter(q.Today)); ok {
			partner := d.Newest().Sourced.Partner
			s.covered[partner] = s.covered[partner].Add(v)
		}
	}
	if !q.isMember(d) {
		return
	}
	at := cohortPlace{q.key(d), q.group(d)}
	c := s.of[at]
	if c == nil {
		c = &cohortSum{}
		s.of[at] = c
		if began, known := q.began(d); known {
			first := ByMonth.Start(began)
			c.days = Span{first, min(ByMonth.Next(first).Add(-1), q.Today)}
		}
	}
	q.addMetrics(c, d, t)
	c.ages.add(q, d)
}

func (s *cohortSums) cohorts() []Cohort {
	q, sizes := s.q, map[string]int{}
	cohorts := make([]Cohort, 0, len(s.of))
	for at, c := range s.of {
		sizes[at.key] += c.Size
		cohorts = append(cohorts, Cohort{Key: at.key, Group: at.group, CohortMetrics: s.metrics(at, c), Cells: c.ages.cells()})
	}
	last := func(key string) int {
		if key == contract.None {
			return 1
		}
		return 0
	}
	slices.SortFunc(cohorts, func(a, b Cohort) int {
		if q.Kind.IsMonth() {
			return cmp.Or(cmp.Compare(last(a.Key), last(b.Key)), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Group, b.Group))
		}
		return cmp.Or(cmp.Compare(sizes[b.Key], sizes[a.Key]), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Group, b.Group))
	})
	return cohorts
}

// isMember reports whether a deal is in a cohort.
func (q *CohortQuestion) isMember(d *Deal) bool {
	f := d.Newest()
	if f.Excluded != "" || f.Order {
		return false
	}
	day, known := q.began(d)
	switch {
	case known:
		return q.Within == nil || q.Within.Holds(day)
	case q.Kind.IsMonth() && q.Kind != CohortFirstTouch:
		return false
	}
	return q.Within == nil
}

// began is the day from which a deal's age is counted, false where it is not known.
func (q *CohortQuestion) began(d *Deal) (money.Day, bool) {
	f := d.Newest()
	at := f.CreatedAt
	switch q.Kind {
	case WonMonth:
		_, m, ok := d.Measure(attribution.MeasureWon)
		if !ok {
			return 0, false
		}
		return m.Day, true
	case LeadMonth:
		at = f.LeadAt
	case CohortFirstTouch:
		at = d.firstTouch()
	case CreatedMonth, CohortLeadSource, CohortSegment, CohortPartner:
	}
	if at.IsZero() {
		return 0, false
	}
	return money.DayOf(at, q.Contract.Zone), true
}

// firstTouch is the instant of the first touch that shares any measure of the deal, zero
// for a deal without touches.
func (d *Deal) firstTouch() time.Time {
	var first time.Time
	for i := range d.Parts {
		for n := range d.Parts[i].Touches { // in order of time, but of each part
			if at := d.Parts[i].Touches[n].At; first.IsZero() || at.Before(first) {
				first = at
			}
		}
	}
	return first
}

func (q *CohortQuestion) key(d *Deal) string {
	f := d.Newest()
	switch q.Kind {
	case CohortLeadSource:
		return contract.SourceName(f.LeadSource)
	case CohortSegment:
		return cmp.Or(f.Segment, contract.Unknown)
	case CohortPartner:
		return cmp.Or(f.Sourced.Partner, contract.Unsourced)
	case CohortFirstTouch, LeadMonth, CreatedMonth, WonMonth:
	}
	day, known := q.began(d)
	if !known {
		return contract.None
	}
	return monthText(day)
}

func (q *CohortQuestion) group(d *Deal) string {
	switch f := d.Newest(); q.By {
	case "sourced":
		return f.Sourced.Partner
	case "region":
		return f.Region
	case "segment":
		return f.Segment
	}
	return ""
}

// cells follow the deals of a cohort. Not all of them are old enough for each cell, so
// the rate is the product-limit estimate (Kaplan and Meier, 1958): of the deals that are
// as old and to which nothing had happened yet, the part to which it did happen. It never
// falls, young deals do not weigh it down, and where all are equally old, as in a month,
// it is the count over the size.
func (a *cohortAges) cells() []CohortCell {
	if len(*a) == 0 {
		return nil
	}
	ages := (*a)[:len(*a)-1]
	cells := make([]CohortCell, len(ages))
	left, atRisk := big.NewRat(1, 1), 0
	for age := range cells {
		c, at := &cells[age], &ages[age]
		c.Age, c.Of, c.Count, c.Value = age, at.old, at.came, at.value
		if age > 0 {
			c.Of, c.Count, c.Value = c.Of+cells[age-1].Of, c.Count+cells[age-1].Count, c.Value.Add(cells[age-1].Value)
		}
		if atRisk += at.risk; atRisk > 0 {
			left.Mul(left, big.NewRat(int64(atRisk-at.came), int64(atRisk)))
		}
		c.Rate = new(big.Rat).Sub(big.NewRat(1, 1), left)
	}
	return cells
}

// cohortAges are what is added up for the cells of a cohort, up to the age behind that of
// its oldest deal.
type cohortAges []struct {
	came  int
	value Value // of what came
	// old is how many deals are as old, and risk to how many of these nothing had happened,
	// both as differences from the age before.
	old, risk int
}

func (a *cohortAges) add(q *CohortQuestion, d *Deal) {
	began, known := q.began(d)
	if !known {
		return
	}
	ages := min(max(monthsBetween(began, q.Today), 0), cohortAgesMax)
	if more := ages + 2 - len(*a); more > 0 {
		*a = append(*a, make(cohortAges, more)...)
	}
	list := *a
	list[0].old++
	list[ages+1].old--
	list[0].risk++
	_, m, ok := d.Measure(q.Value.Measure())
	ok = ok && (m.Currency == "" || m.Currency == q.Contract.Currency)
	age := ages
	if ok {
		// What is dated before its cohort, a close date say, was there from the start.
		age = max(monthsBetween(began, m.Day), 0)
		ok = age <= ages
		age = min(age, ages)
	}
	list[age+1].risk--
	if ok {
		list[age].came++
		list[age].value = list[age].value.Add(ValueOf(m.Value, m.Exponent))
	}
}

func monthsBetween(from, to money.Day) int {
	a, b := date(from), date(to)
	return 12*(b.Year()-a.Year()) + int(b.Month()) - int(a.Month())
}

func monthText(day money.Day) string {
	at := date(day)
	return fmt.Sprintf("%04d-%02d", at.Year(), int(at.Month()))
}

// The steps of a deal that are no milestones and no states.
const (
	stepLead    = "lead"
	stepCreated = "created"
)

// Velocity is how many calendar days deals took from one step to another.
type Velocity struct {
	From, To    string
	Count       int
	Median, P90 int // by nearest rank; without meaning where Count is zero
}

// Velocities are of the deals that the question puts into cohorts: from lead to
// created, and from created to each milestone, to won and to lost. A step that came
// before the one it is counted from is left out.
func Velocities(deals Deals, q CohortQuestion, milestones []string) []Velocity {
	list := []Velocity{{From: stepLead, To: stepCreated}}
	for _, m := range milestones {
		list = append(list, Velocity{From: stepCreated, To: m})
	}
	list = append(list, Velocity{From: stepCreated, To: string(contract.StateWon)}, Velocity{From: stepCreated, To: string(contract.StateLost)})
	days := make([][]int, len(list))
	for d := range deals {
		if !q.isMember(d) {
			continue
		}
		at := q.steps(d)
		for n, v := range list {
			from, ok := at[v.From]
			to, ok2 := at[v.To]
			if ok && ok2 && from <= to {
				days[n] = append(days[n], int(to-from))
			}
		}
	}
	for n := range list {
		slices.Sort(days[n])
		if list[n].Count = len(days[n]); list[n].Count > 0 {
			list[n].Median, list[n].P90 = nearestRank(days[n], 50), nearestRank(days[n], 90)
		}
	}
	return list
}

// steps are the first days of what a deal came to.
func (q *CohortQuestion) steps(d *Deal) map[string]money.Day {
	f := d.Newest()
	at := map[string]money.Day{}
	first := func(step string, day money.Day) {
		if was, ok := at[step]; step != "" && (!ok || day < was) {
			at[step] = day
		}
	}
	if !f.LeadAt.IsZero() {
		first(stepLead, money.DayOf(f.LeadAt, q.Contract.Zone))
	}
	if !f.CreatedAt.IsZero() {
		first(stepCreated, money.DayOf(f.CreatedAt, q.Contract.Zone))
	}
	for _, s := range f.Stages {
		first(s.Milestone, money.DayOf(s.At, q.Contract.Zone))
	}
	for _, name := range [...]string{attribution.MeasureWon, attribution.MeasureLost} {
		if _, m, ok := d.Measure(name); ok {
			at[name] = m.Day
		}
	}
	return at
}

// nearestRank is the smallest number that percent of all are not above. It is one of
// them and not between two: days are not split.
func nearestRank(sorted []int, percent int) int {
	return sorted[nearestRankPlace(len(sorted), percent)]
}

func nearestRankPlace(n, percent int) int { return max((n*percent+99)/100, 1) - 1 }
