package report_test

import (
	"fmt"
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

func day(t testing.TB, text string) money.Day {
	t.Helper()
	d, err := money.ParseDay(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestParseWindow(t *testing.T) {
	today := day(t, "2026-03-02")
	for name, want := range map[string]string{
		"1d": "2026-03-02 2026-03-02, before 2026-03-01 2026-03-01", "7d": "2026-02-24 2026-03-02, before 2026-02-17 2026-02-23",
		"3660d": "2016-02-24 2026-03-02, before 2006-02-16 2016-02-23", "all": "all",
	} {
		w, err := report.ParseWindow(name, today)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := "all"
		if before, ok := w.Previous(); ok {
			got = fmt.Sprintf("%s %s, before %s %s", w.Span.From, w.Span.To, before.From, before.To)
		}
		if got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	for _, name := range []string{"", "0d", "-1d", "07d", "+7d", "7", "d", "7D", "3661d", "7 d", "ALL", "99999999999999999999d"} {
		if w, err := report.ParseWindow(name, today); err == nil {
			t.Errorf("%q is %+v", name, w)
		}
	}
	if w, err := report.ParseSpan("2026-01-01", "2026-01-31"); err != nil || w.Span.Days() != 31 {
		t.Errorf("January is %+v, %v", w, err)
	}
	for _, s := range [][2]string{{"2026-02-01", "2026-01-31"}, {"", "2026-01-01"}, {"2026-01-01", ""}, {"2026-02-30", "2026-03-01"}, {"2000-01-01", "2026-01-01"}} {
		if w, err := report.ParseSpan(s[0], s[1]); err == nil {
			t.Errorf("%v is %+v", s, w)
		}
	}
}

// TestSteps: steps cover a span without gap or overlap, weeks begin on Monday and
// months on their first.
func TestSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := money.Day(rapid.IntRange(-40000, 40000).Draw(t, "from"))
		span := report.Span{From: from, To: from.Add(rapid.IntRange(0, 500).Draw(t, "days"))}
		for _, step := range report.Steps() {
			starts := step.Cut(span)
			if starts[0] > span.From || step.Next(starts[0]) <= span.From || starts[len(starts)-1] > span.To || step.Next(starts[len(starts)-1]) <= span.To {
				t.Fatalf("%s cuts %v into %v", step, span, starts)
			}
			for i, d := range starts {
				if i > 0 && step.Next(starts[i-1]) != d || step.Start(d) != d {
					t.Fatalf("%s: %s follows %s", step, d, starts[i-1])
				}
				at, err := time.Parse(time.DateOnly, d.String())
				if err != nil || step == report.ByWeek && at.Weekday() != time.Monday || step == report.ByMonth && at.Day() != 1 {
					t.Fatalf("a %s begins on %s, %v", step, at, err)
				}
			}
		}
	})
}

func TestTimeline(t *testing.T) {
	rows := report.Rows{}
	add := func(d, partner, text string) {
		rows = append(rows, report.Row{Day: d, Partner: partner, Value: value(t, text)})
	}
	add("2026-02-27", "a", "1")
	add("2026-03-01", "a", "2")
	add("2026-03-02", "b", "4")
	add("2026-03-08", "c", "3")
	b, err := rows.GroupBy(report.Day, report.Partner)
	if err != nil {
		t.Fatal(err)
	}
	line, err := report.NewTimeline(b, report.Span{From: day(t, "2026-02-26"), To: day(t, "2026-03-09")}, report.ByWeek, 2)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(line.Starts)
	for _, s := range append([]report.Series{{Key: "total", Values: line.Total}}, line.Series...) {
		text += " " + s.Key
		for _, v := range s.Values {
			text += "/" + v.Text(0)
		}
	}
	if want := "[2026-02-23 2026-03-02 2026-03-09] total/3/7/0 b/0/4/0 a/3/0/0 (other)/0/3/0"; text != want {
		t.Errorf("timeline %s\nwant     %s", text, want)
	}
	if _, err := report.NewTimeline(b, report.Span{From: day(t, "2026-03-02"), To: day(t, "2026-03-09")}, report.ByWeek, 2); err == nil {
		t.Error("a day outside of the span is not refused")
	}
}

// TestGoals: a goal's parts of spans that follow each other sum to it to the cent.
func TestGoals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var targets []report.Target
		last := money.Day(20000)
		for range rapid.IntRange(1, 4).Draw(t, "targets") {
			last = last.Add(rapid.IntRange(1, 100).Draw(t, "period"))
			v, err := report.ParseValue(money.Format(rapid.Int64Range(0, 1e12).Draw(t, "amount"), 2))
			if err != nil {
				t.Fatal(err)
			}
			targets = append(targets, report.Target{Day: last, Measure: "revenue", Currency: "EUR", Amount: v})
		}
		goals := report.GoalsOf(targets, "revenue", "EUR", "")
		var want, sum report.Value
		for i, g := range goals {
			if want = want.Add(g.Amount); i > 0 && goals[i-1].Period.To.Add(1) != g.Period.From {
				t.Fatalf("goals %+v", goals)
			}
		}
		from := goals[0].Period.From.Add(-3)
		for from <= last {
			to := from.Add(rapid.IntRange(0, 60).Draw(t, "days"))
			sum = sum.Add(report.In(goals, report.Span{From: from, To: to}, 2))
			from = to.Add(1)
		}
		if sum.Cmp(want) != 0 {
			t.Fatalf("parts sum to %s of %s", sum.Text(2), want.Text(2))
		}
	})
	one := func(d, partner, amount string) report.Target {
		return report.Target{Day: day(t, d), Measure: "won", Partner: partner, Amount: value(t, amount)}
	}
	text := func(goals []report.Goal) string {
		var out []string
		for _, g := range goals {
			out = append(out, fmt.Sprintf("%s-%s %s", g.Period.From, g.Period.To, g.Amount.Text(0)))
		}
		return strings.Join(out, ", ")
	}
	parts := []report.Target{one("2026-06-30", "a", "1"), one("2026-06-30", "b", "2"), one("2026-08-15", "a", "4")}
	if got, want := text(report.GoalsOf(parts, "won", "", "")), "2026-04-01-2026-06-30 3, 2026-07-01-2026-08-15 4"; got != want {
		t.Errorf("goals of partners are %s, want %s", got, want)
	}
	if got, want := text(report.GoalsOf(append(parts, one("2026-08-31", "", "9")), "won", "", "")), "2026-07-01-2026-08-31 9"; got != want {
		t.Errorf("with one for all together they are %s, want %s", got, want)
	}
	if got, want := text(report.GoalsOf(parts, "won", "", "b")), "2026-04-01-2026-06-30 2"; got != want {
		t.Errorf("goals of one partner are %s, want %s", got, want)
	}
}

func TestStatusAndRatio(t *testing.T) {
	for _, tt := range []struct{ reached, expected, want string }{
		{"100", "100", "ahead"}, {"99.99", "100", "on_track"}, {"90", "100", "on_track"}, {"89.99", "100", "behind"}, {"0", "0", "ahead"}, {"-1", "0", "behind"},
	} {
		if got := report.StatusOf(value(t, tt.reached), value(t, tt.expected)); string(got) != tt.want {
			t.Errorf("%s of %s is %s, want %s", tt.reached, tt.expected, got, tt.want)
		}
	}
	for _, tt := range []struct{ part, whole, want string }{
		{"1", "3", "0.3333"}, {"2", "3", "0.6667"}, {"1", "20000", "0.0001"}, {"1", "20001", "0.0000"}, {"-1", "20000", "-0.0001"}, {"7", "2", "3.5000"}, {"1", "-3", "-0.3333"},
	} {
		if got, ok := report.Ratio(value(t, tt.part), value(t, tt.whole)); !ok || got != tt.want {
			t.Errorf("%s of %s is %s, want %s", tt.part, tt.whole, got, tt.want)
		}
	}
	if got, ok := report.Ratio(value(t, "1"), report.Value{}); ok {
		t.Errorf("a part of nothing is %s", got)
	}
}

// deal is a won deal with its days, of which empty ones did not come about.
func deal(t testing.TB, lead, created, won, region string, minor int64) report.Deal {
	t.Helper()
	f := attribution.Facts{Region: region, Sourced: attribution.Sourced{Partner: "acme"}}
	instant := func(text string) time.Time {
		if text == "" {
			return time.Time{}
		}
		return time.Date(1970, 1, 1, 18, 0, 0, 0, time.UTC).AddDate(0, 0, int(day(t, text)))
	}
	f.LeadAt, f.CreatedAt = instant(lead), instant(created)
	if won != "" {
		f.Measures = []attribution.FactMeasure{
			{Measure: "won", Day: day(t, won), Value: attribution.CountUnit, Exponent: attribution.CountExponent, InScope: true},
			{Measure: "revenue", Day: day(t, won), Value: minor, Currency: "EUR", Exponent: 2, InScope: true},
		}
	}
	return report.Deal{Parts: []attribution.Facts{f}}
}

func TestCohorts(t *testing.T) {
	deals := []report.Deal{
		deal(t, "2026-01-05", "2026-01-10", "2026-01-20", "EMEA", 100),
		deal(t, "2025-12-31", "2026-01-31", "2026-03-01", "EMEA", 250),
		deal(t, "", "2026-01-15", "", "APAC", 0),
		deal(t, "2026-02-01", "2026-02-02", "2026-05-30", "APAC", 999), // after today's month
	}
	excluded := deal(t, "", "2026-01-15", "2026-01-16", "EMEA", 1)
	excluded.Parts[0].Excluded = attribution.ExcludedScope
	deals = append(deals, excluded)
	q := report.CohortQuestion{Kind: report.CreatedMonth, Value: report.CohortRevenue, Today: day(t, "2026-03-31"), Contract: &contract.Contract{Zone: time.UTC, Currency: "EUR", Exponent: 2}}
	text := func(list []report.Cohort) string {
		var out []string
		for _, c := range list {
			line := fmt.Sprintf("%s %s %d:", c.Key, c.Group, c.Size)
			for _, cell := range c.Cells {
				line += fmt.Sprintf(" %d=%d/%s", cell.Age, cell.Count, cell.Value.Text(2))
			}
			out = append(out, line)
		}
		return strings.Join(out, "; ")
	}
	if got, want := text(report.Cohorts(report.Listed(deals), q)), "2026-01  3: 0=1/1.00 1=1/1.00 2=2/3.50; 2026-02  1: 0=0/0.00 1=0/0.00"; got != want {
		t.Errorf("created: %s\nwant     %s", got, want)
	}
	q.By, q.Value = "region", report.CohortWon
	q.Within = &report.Span{From: day(t, "2026-01-01"), To: day(t, "2026-01-31")}
	if got, want := text(report.Cohorts(report.Listed(deals), q)), "2026-01 APAC 1: 0=0/0.00 1=0/0.00 2=0/0.00; 2026-01 EMEA 2: 0=1/1.00 1=1/1.00 2=2/2.00"; got != want {
		t.Errorf("by region: %s\nwant       %s", got, want)
	}
	q.Kind, q.By, q.Within = report.LeadMonth, "", nil
	if got, want := text(report.Cohorts(report.Listed(deals), q)), "2025-12  1: 0=0/0.00 1=0/0.00 2=0/0.00 3=1/1.00; 2026-01  1: 0=1/1.00 1=1/1.00 2=1/1.00; 2026-02  1: 0=0/0.00 1=0/0.00"; got != want {
		t.Errorf("by lead: %s\nwant     %s", got, want)
	}
	q.Kind = report.CreatedMonth
	list := report.Velocities(report.Listed(deals), q, []string{"SQL"})
	var got []string
	for _, v := range list {
		got = append(got, fmt.Sprintf("%s-%s %d:%d/%d", v.From, v.To, v.Count, v.Median, v.P90))
	}
	if want := []string{"lead-created 3:5/31", "created-SQL 0:0/0", "created-won 3:29/117", "created-lost 0:0/0"}; !slices.Equal(got, want) {
		t.Errorf("velocities %v, want %v", got, want)
	}
}

// TestSees: who is told of a deal, and of which touches in it.
func TestSees(t *testing.T) {
	c := &contract.Contract{Partners: []contract.Partner{{ID: "open", Visibility: contract.VisibilityOpen}, {ID: "own", Visibility: contract.VisibilityOwn}}}
	id := func(reporter string) attribution.ItemID {
		return attribution.ItemID{Reporter: reporter, Source: "s", Item: "opportunity/1"}
	}
	d := &report.Deal{Parts: []attribution.Facts{{
		Deal: id("host"), Merged: []attribution.ItemID{id("merged")},
		Touches: []attribution.FactTouch{{ID: id("toucher"), Evidence: []attribution.ItemID{id("toucher"), id("witness")}}},
	}}}
	for _, tt := range []struct {
		viewer      report.Viewer
		sight       report.Sight
		deal, touch bool
	}{
		{report.Viewer{Operator: true}, report.SeesAll, true, true},
		{report.Viewer{Partner: "host"}, report.SeesPartners, true, false},
		{report.Viewer{Partner: "host"}, report.SeesOwn, true, false},
		{report.Viewer{Partner: "host"}, report.SeesNothing, false, false},
		{report.Viewer{Partner: "merged"}, report.SeesOwn, true, false},
		{report.Viewer{Partner: "toucher"}, report.SeesPartners, true, true},
		{report.Viewer{Partner: "toucher"}, report.SeesOwn, false, true},
		{report.Viewer{Partner: "witness"}, report.SeesPartners, true, true},
		{report.Viewer{Partner: "nobody"}, report.SeesPartners, false, false},
		{report.Viewer{}, report.SeesPartners, false, false},
	} {
		if got := tt.viewer.Sees(tt.sight, d); got != tt.deal {
			t.Errorf("%+v with sight %d sees the deal: %v", tt.viewer, tt.sight, got)
		}
		if got := tt.viewer.SeesTouch(&d.Parts[0].Touches[0]); got != tt.touch {
			t.Errorf("%+v sees the touch: %v", tt.viewer, got)
		}
	}
	for v, want := range map[report.Viewer]report.Sight{
		{Operator: true}: report.SeesAll, {Partner: "open"}: report.SeesPartners, {Partner: "own"}: report.SeesOwn, {Partner: "else"}: report.SeesNothing, {}: report.SeesNothing,
	} {
		if got := v.Of(c); got != want {
			t.Errorf("%+v has sight %d, want %d", v, got, want)
		}
	}
}
