package report_test

import (
	"cmp"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/money"
	"tracksource/report"
)

// cohortDeals are deals with a lead source, a segment and touches.
func cohortDeals(t testing.TB) []report.Deal {
	t.Helper()
	with := func(d report.Deal, source, segment string, touches ...string) report.Deal {
		f := &d.Parts[0]
		f.LeadSource, f.Segment = source, segment
		for _, at := range touches {
			f.Touches = append(f.Touches, attribution.FactTouch{At: instant(t, at)})
		}
		return d
	}
	list := []report.Deal{
		with(course(t, "2026-01-05", "2026-01-25", "won", "globex", "12000.00"), "Web Form", "enterprise", "2025-12-20", "2026-01-02"),
		with(course(t, "2026-01-12", "2026-03-03", "won", "acme", "30000.00"), "web-form", "enterprise", "2026-01-10"),
		with(course(t, "2026-02-02", "2026-02-20", "lost", "globex", "8000.00"), "", "", "2026-01-31"),
		with(course(t, "2026-02-10", "2026-03-20", "won", "globex", "18000.00"), "event", "midmarket", "2026-02-09"),
		with(course(t, "2026-02-16", "", "open", "acme", "40000.00"), "event", "midmarket", "2026-02-01"),
		with(course(t, "2025-12-20", "2026-01-15", "lost", contract.Unsourced, "5000.00"), "event", "midmarket"),
	}
	// What is open has its amount as open pipeline; a second part of a deal begins earlier.
	open := &list[4].Parts[0]
	m := open.Measures[0]
	m.Measure = attribution.MeasurePipelineOpen
	open.Measures = append(open.Measures, m)
	earlier := attribution.Facts{Touches: []attribution.FactTouch{{At: instant(t, "2025-11-30")}}}
	list[1].Parts = append([]attribution.Facts{earlier}, list[1].Parts...)
	// What is in no total, and orders of a shop, are in no cohort.
	excluded, order := course(t, "2026-01-06", "2026-01-07", "won", "acme", "1.00"), course(t, "2026-01-06", "2026-01-07", "won", "acme", "1.00")
	excluded.Parts[0].Excluded, order.Parts[0].Order = attribution.ExcludedScope, true
	return append(list, excluded, order)
}

func cohortQuestion(t testing.TB) report.CohortQuestion {
	t.Helper()
	end := day(t, "2026-03-31")
	return report.CohortQuestion{
		Contract: tour(t), Today: end, Value: report.CohortWon,
		Targets: []report.Target{
			{Day: end, Measure: "quota", Currency: "USD", Amount: value(t, "30000")},
			{Day: end, Measure: "quota", Partner: "globex", Currency: "USD", Amount: value(t, "12000")},
		},
	}
}

func tablesText(tables []report.Table) string {
	var out strings.Builder
	for _, t := range tables {
		fmt.Fprintf(&out, "%s\n", t.ID)
		for _, c := range t.Columns {
			fmt.Fprintf(&out, "%s ", c.ID)
		}
		for _, row := range t.Rows {
			out.WriteString("\n" + strings.Join(row, " | "))
		}
		out.WriteString("\n\n")
	}
	return out.String()
}

// TestCohortTables: the tables of the deals of docs/kpis.md are as reckoned by hand.
func TestCohortTables(t *testing.T) {
	q := cohortQuestion(t)
	q.Kind, q.By, q.Value = report.WonMonth, "region", report.CohortRevenue // which are not looked at
	tables := report.CohortTables(report.Listed(cohortDeals(t)), q)
	got := tablesText(tables)
	const file = "testdata/cohorts.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || got != string(want) {
		t.Errorf("%s, %v: got\n%s\nwant\n%s", file, err, got, want)
	}
	p := report.Package{Tables: tables}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
}

func TestCohortsWithin(t *testing.T) {
	q := cohortQuestion(t)
	for _, tt := range []struct {
		kind report.CohortKind
		span string
		want string
	}{
		{report.CohortFirstTouch, "", "2025-11 1, 2025-12 1, 2026-01 1, 2026-02 2, (none) 1"},
		{report.CohortFirstTouch, "2026-01-01 2026-01-31", "2026-01 1"},
		{report.CohortLeadSource, "", "event 3, (unknown) 1, web form 1, web-form 1"},
		{report.CohortLeadSource, "2026-02-01 2026-02-28", "event 2, (unknown) 1"},
		{report.CohortSegment, "", "midmarket 3, enterprise 2, (unknown) 1"},
		{report.CohortPartner, "", "globex 3, acme 2, unsourced 1"},
		{report.WonMonth, "", "2026-01 1, 2026-03 2"},
		{report.LeadMonth, "", ""},
	} {
		q.Kind, q.Within = tt.kind, nil
		if from, to, ok := strings.Cut(tt.span, " "); ok {
			q.Within = &report.Span{From: day(t, from), To: day(t, to)}
		}
		var got []string
		for _, c := range report.Cohorts(report.Listed(cohortDeals(t)), q) {
			got = append(got, fmt.Sprintf("%s %d", c.Key, c.Size))
		}
		if got := strings.Join(got, ", "); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.kind, tt.span, got, tt.want)
		}
	}
}

// TestCohortsYoung: a deal of yesterday does not make a source look as if its deals were
// not won in their third month.
func TestCohortsYoung(t *testing.T) {
	q := cohortQuestion(t)
	q.Kind = report.CohortPartner
	deals := []report.Deal{course(t, "2026-01-02", "2026-03-02", "won", "acme", "1.00"), course(t, "2026-03-30", "", "open", "acme", "1.00"), course(t, "", "2026-03-02", "won", "acme", "1.00")}
	var got []string
	list := report.Cohorts(report.Listed(deals), q)
	for _, cell := range list[0].Cells {
		got = append(got, fmt.Sprintf("%d of %d %s", cell.Count, cell.Of, cell.RateText()))
	}
	if got, want := strings.Join(got, ", "), "0 of 2 0.0000, 0 of 1 0.0000, 1 of 1 1.0000"; got != want || list[0].Size != 3 || list[0].Won != 2 || list[0].Timed != 1 {
		t.Errorf("got %s, want %s; %+v", got, want, list[0].CohortMetrics)
	}
}

// TestCohortsExclusive: by whatever deals are put together, each one that is asked about
// is in exactly one cohort, and what became of the cohorts is what became of all.
func TestCohortsExclusive(t *testing.T) {
	c := tour(t)
	rapid.Check(t, func(t *rapid.T) {
		deals := rapid.SliceOfN(rapid.Custom(drawCohortDeal), 0, 40).Draw(t, "deals")
		for i := range deals {
			deals[i].Account = fmt.Sprint("account ", i) // no two have the same
		}
		q := report.CohortQuestion{
			Contract: c, Today: 20_540, Kind: rapid.SampledFrom(report.CohortKinds()).Draw(t, "kind"),
			By: rapid.SampledFrom(append(report.CohortBys(), "")).Draw(t, "by"), Value: rapid.SampledFrom(report.CohortValues()).Draw(t, "value"),
		}
		asked := map[string]bool{}
		for i := range deals {
			d := &deals[i]
			f := d.Newest()
			_, _, won := d.Measure(attribution.MeasureWon)
			if has := map[report.CohortKind]bool{report.LeadMonth: !f.LeadAt.IsZero(), report.CreatedMonth: !f.CreatedAt.IsZero(), report.WonMonth: won}; f.Excluded == "" && !f.Order {
				if is, month := has[q.Kind]; is || !month {
					asked[d.Account] = true
				}
			}
		}
		var whole, sum report.CohortMetrics
		places := map[string]string{}
		for i := range deals {
			d := deals[i]
			if !asked[d.Account] {
				continue
			}
			one := report.Cohorts(report.Listed([]report.Deal{d}), q)
			if len(one) != 1 || one[0].Size != 1 {
				t.Fatalf("%s is in %d cohorts", d.Account, len(one))
			}
			places[d.Account] = one[0].Key + "/" + one[0].Group
			add(&whole, &one[0].CohortMetrics)
		}
		list := report.Cohorts(report.Listed(deals), q)
		for i := range list {
			add(&sum, &list[i].CohortMetrics)
			var alone int
			for _, at := range places {
				if at == list[i].Key+"/"+list[i].Group {
					alone++
				}
			}
			if alone != list[i].Size {
				t.Fatalf("%s/%s has %d deals, %d belong there", list[i].Key, list[i].Group, list[i].Size, alone)
			}
			checkCells(t, &list[i], q.Kind.IsMonth())
		}
		if whole.Size != len(asked) || fmt.Sprint(sums(&sum)) != fmt.Sprint(sums(&whole)) {
			t.Fatalf("cohorts sum to %v, the deals to %v", sums(&sum), sums(&whole))
		}
		if q.Kind.IsMonth() {
			for i := 1; i < len(list); i++ {
				if a, b := &list[i-1], &list[i]; a.Key != contract.None && b.Key != contract.None && cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Group, b.Group)) >= 0 {
					t.Fatalf("%s/%s stands before %s/%s", a.Key, a.Group, b.Key, b.Group)
				}
			}
		}
	})
}

func add(sum, m *report.CohortMetrics) {
	sum.Size, sum.Won, sum.Lost, sum.Priced, sum.Timed = sum.Size+m.Size, sum.Won+m.Won, sum.Lost+m.Lost, sum.Priced+m.Priced, sum.Timed+m.Timed
	sum.Revenue, sum.Pipeline, sum.Open = sum.Revenue.Add(m.Revenue), sum.Pipeline.Add(m.Pipeline), sum.Open.Add(m.Open)
}

func sums(m *report.CohortMetrics) []any {
	return []any{m.Size, m.Won, m.Lost, m.Priced, m.Timed, m.Revenue.Text(9), m.Pipeline.Text(9), m.Open.Text(9)}
}

// checkCells: with age fewer deals are as old and to more of them it has happened; of
// deals that are equally old the rate is what was counted.
func checkCells(t *rapid.T, c *report.Cohort, month bool) {
	of, count, rate := c.Size, 0, new(big.Rat)
	for age, cell := range c.Cells {
		if cell.Age != age || cell.Of > of || cell.Of < 1 || cell.Count < count || cell.Count > c.Size || cell.Rate.Cmp(rate) < 0 || cell.Rate.Cmp(big.NewRat(1, 1)) > 0 {
			t.Fatalf("%s/%s: cell %d is %+v behind %d of %d", c.Key, c.Group, age, cell, count, of)
		}
		if want := big.NewRat(int64(cell.Count), int64(c.Size)); month && cell.Rate.Cmp(want) != 0 {
			t.Fatalf("%s/%s: the rate of cell %d is %s, %d of %d came", c.Key, c.Group, age, cell.Rate, cell.Count, c.Size)
		}
		of, count, rate = cell.Of, cell.Count, cell.Rate
	}
}

func drawCohortDeal(t *rapid.T) report.Deal {
	at := func(name string) time.Time {
		if rapid.IntRange(0, 4).Draw(t, name+" is known") == 0 {
			return time.Time{}
		}
		return time.Unix(rapid.Int64Range(20_300, 20_540).Draw(t, name)*86_400+43_200, 0).UTC()
	}
	text := func(name string, choices ...string) string { return rapid.SampledFrom(choices).Draw(t, name) }
	f := attribution.Facts{
		CreatedAt: at("created"), LeadAt: at("lead"), LeadSource: text("lead source", "", "Web", "web", "event"), Segment: text("segment", "", "midmarket", contract.Unknown),
		Region: text("region", "EMEA", "APAC"), Sourced: attribution.Sourced{Partner: text("sourced", "acme", "globex", contract.Unsourced, contract.MarketingSourced)},
		Order: rapid.IntRange(0, 9).Draw(t, "order") == 0, Excluded: text("excluded", "", "", "", attribution.ExcludedScope),
	}
	for range rapid.IntRange(0, 3).Draw(t, "touches") {
		f.Touches = append(f.Touches, attribution.FactTouch{At: time.Unix(rapid.Int64Range(20_300, 20_540).Draw(t, "touch")*86_400, 0).UTC()})
	}
	slices.SortFunc(f.Touches, func(a, b attribution.FactTouch) int { return a.At.Compare(b.At) })
	for _, name := range []string{attribution.MeasurePipelineCreated, attribution.MeasurePipelineOpen, attribution.MeasureRevenue, attribution.MeasureWon, attribution.MeasureLost} {
		if !rapid.Bool().Draw(t, name) {
			continue
		}
		m := attribution.FactMeasure{Measure: name, Day: money.Day(20_454).Add(rapid.IntRange(-90, 120).Draw(t, "day")), InScope: rapid.IntRange(0, 9).Draw(t, "in scope") > 0}
		if attribution.MeasureNamed(name).Count {
			m.Value, m.Exponent = 1_000_000, 6
		} else {
			m.Value, m.Exponent, m.Currency = rapid.Int64Range(1, 1_000_000).Draw(t, "value"), 2, text("currency", "USD", "USD", "EUR")
		}
		f.Measures = append(f.Measures, m)
	}
	return report.Deal{Parts: []attribution.Facts{f}}
}

// TestCohortRows: the tables are bounded and say what they leave out.
func TestCohortRows(t *testing.T) {
	var deals []report.Deal
	for n := range 1010 {
		d := course(t, "2026-01-05", "", "open", "acme", "1.00")
		d.Parts[0].LeadSource = fmt.Sprintf("source %d", n)
		deals = append(deals, d)
	}
	p := report.Package{Tables: report.CohortTables(report.Listed(deals), cohortQuestion(t))}
	for _, id := range []string{"cohorts_lead_source", "curves_lead_source"} {
		if table := p.Table(id); len(table.Rows) != 1000 || table.LeftOut != 10 {
			t.Errorf("%s: %d rows, %d left out", id, len(table.Rows), table.LeftOut)
		}
	}
}

func BenchmarkCohortTables(b *testing.B) {
	some := cohortDeals(b)
	deals := make([]report.Deal, 0, 100_000)
	for n := range cap(deals) {
		deals = append(deals, some[n%len(some)])
	}
	q := cohortQuestion(b)
	b.ReportAllocs()
	for b.Loop() {
		report.CohortTables(report.Listed(deals), q)
	}
}
