package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/money"
)

// CohortKind says by what month deals are put together.
type CohortKind string

// The kinds of cohorts.
const (
	LeadMonth    CohortKind = "lead_month"    // the first person of the account became a lead
	CreatedMonth CohortKind = "created_month" // the deal was created
	WonMonth     CohortKind = "won_month"     // the deal was won
)

// CohortKinds lists the kinds.
func CohortKinds() []CohortKind { return []CohortKind{CreatedMonth, LeadMonth, WonMonth} }

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
	Kind   CohortKind
	By     string // one of CohortBys, or empty
	Value  CohortValue
	Within *Span // of the day that decides the cohort
	Zone   *time.Location
	Today  money.Day
	// Currency is the contract's: what deals still have in another one while the book
	// is restated is in no cell.
	Currency string
}

// Cohort is the deals of one month.
type Cohort struct {
	Month money.Day // its first day
	Group string
	Size  int
	Cells []CohortCell
}

// CohortCell is what had come about until the end of the month that is Age months
// after the cohort's.
type CohortCell struct {
	Age   int
	Count int // of deals
	Value Value
}

// cohortAgesMax bounds the months that a cohort is followed.
const cohortAgesMax = 60

// Cohorts puts the deals that are in the totals into cohorts, in the order of months,
// then groups. Orders of a shop are no deals here. A cohort has a cell for each month
// until today's.
func Cohorts(deals []Deal, q CohortQuestion) []Cohort {
	type place struct {
		month money.Day
		group string
	}
	members := map[place][]*Deal{}
	for i := range deals {
		d := &deals[i]
		day, ok := q.day(d)
		if !ok {
			continue
		}
		at := place{ByMonth.Start(day), q.group(d)}
		members[at] = append(members[at], d)
	}
	cohorts := make([]Cohort, 0, len(members))
	for at, list := range members {
		cohorts = append(cohorts, Cohort{Month: at.month, Group: at.group, Size: len(list), Cells: q.cells(at.month, list)})
	}
	slices.SortFunc(cohorts, func(a, b Cohort) int {
		return cmp.Or(cmp.Compare(a.Month, b.Month), cmp.Compare(a.Group, b.Group))
	})
	return cohorts
}

// day is the day that decides the cohort of a deal, false for a deal of none.
func (q *CohortQuestion) day(d *Deal) (money.Day, bool) {
	f := d.Newest()
	if f.Excluded != "" || f.Order {
		return 0, false
	}
	var day money.Day
	switch q.Kind {
	case WonMonth:
		_, m, ok := d.Measure(attribution.MeasureWon)
		if !ok {
			return 0, false
		}
		day = m.Day
	case LeadMonth, CreatedMonth:
		at := f.CreatedAt
		if q.Kind == LeadMonth {
			at = f.LeadAt
		}
		if at.IsZero() {
			return 0, false
		}
		day = money.DayOf(at, q.Zone)
	}
	return day, q.Within == nil || q.Within.Holds(day)
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

func (q *CohortQuestion) cells(month money.Day, deals []*Deal) []CohortCell {
	ages := min(max(monthsBetween(month, q.Today), 0), cohortAgesMax)
	cells := make([]CohortCell, ages+1)
	for _, d := range deals {
		_, m, ok := d.Measure(q.Value.Measure())
		if !ok || m.Currency != "" && m.Currency != q.Currency {
			continue
		}
		// What is dated before its cohort, a close date say, was there from the start.
		age := max(monthsBetween(month, m.Day), 0)
		if age > ages {
			continue
		}
		cells[age].Count++
		cells[age].Value = cells[age].Value.Add(ValueOf(m.Value, m.Exponent))
	}
	for age := range cells {
		cells[age].Age = age
		if age > 0 {
			cells[age].Count += cells[age-1].Count
			cells[age].Value = cells[age].Value.Add(cells[age-1].Value)
		}
	}
	return cells
}

func monthsBetween(from, to money.Day) int {
	a, b := date(from), date(to)
	return 12*(b.Year()-a.Year()) + int(b.Month()) - int(a.Month())
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
func Velocities(deals []Deal, q CohortQuestion, milestones []string) []Velocity {
	list := []Velocity{{From: stepLead, To: stepCreated}}
	for _, m := range milestones {
		list = append(list, Velocity{From: stepCreated, To: m})
	}
	list = append(list, Velocity{From: stepCreated, To: string(contract.StateWon)}, Velocity{From: stepCreated, To: string(contract.StateLost)})
	days := make([][]int, len(list))
	for i := range deals {
		d := &deals[i]
		if _, ok := q.day(d); !ok {
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
		first(stepLead, money.DayOf(f.LeadAt, q.Zone))
	}
	if !f.CreatedAt.IsZero() {
		first(stepCreated, money.DayOf(f.CreatedAt, q.Zone))
	}
	for _, s := range f.Stages {
		first(s.Milestone, money.DayOf(s.At, q.Zone))
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

// Text is the cohort's month as YYYY-MM.
func (c *Cohort) Text() string {
	at := date(c.Month)
	return fmt.Sprintf("%04d-%02d", at.Year(), int(at.Month()))
}
