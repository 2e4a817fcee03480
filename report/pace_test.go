package report_test

import (
	"strings"
	"testing"

	"tracksource/report"
)

// flat is the same value on each day of a span.
func flat(span report.Span, v report.Value) report.Daily {
	d := report.Daily{From: span.From, Values: make([]report.Value, span.Days())}
	for i := range d.Values {
		d.Values[i] = v
	}
	return d
}

// TestPace: a quarter of 90 days with 10 a day for 62 days and 20 a day since, asked
// before it begins, on its first day, within it, on its last day, and after it.
func TestPace(t *testing.T) {
	quarter := report.Span{From: day(t, "2026-01-01"), To: day(t, "2026-03-31")}
	goal := report.Goal{Period: quarter, Amount: value(t, "900")}
	daily := flat(quarter, value(t, "10"))
	for d := day(t, "2026-03-04"); d <= quarter.To; d++ {
		daily.Values[d-quarter.From] = value(t, "20")
	}
	for on, want := range map[string]string{
		"2025-12-31": "(all) 900    none       none",
		"2026-01-01": "(all) 900 10 10 0.0111 ahead 10 10 900 900 900 1.0000 ahead",
		"2026-01-31": "(all) 900 310 310 0.3444 ahead 10 10 900 900 900 1.0000 ahead",
		"2026-03-17": "(all) 900 760 900 1.0000 ahead 11.84 15 1066 1066 1110 1.1844 ahead",
		"2026-03-31": "(all) 900 900 1180 1.3111 ahead 13.11 20 1180 1180 1180 1.3111 ahead",
		"2026-07-01": "(all) 900 900 1180 1.3111 ahead 13.11 20 1180 1180 1180 1.3111 ahead",
	} {
		q := report.PaceQuestion{Measure: "MQL", Goals: []report.Goal{goal}, Day: day(t, on), Daily: daily}
		p := report.PaceOf(q, goal, report.OverPeriod)
		row := report.PaceTables([]report.Pace{p}, "USD", 2)[1].Rows[0]
		if got := strings.Join(append(row[1:2], row[5:]...), " "); got != want {
			t.Errorf("on %s: %s, want %s", on, got, want)
		}
	}
}

// TestPaceOfCampaign: a campaign that ends in the middle of its second quarter has what
// both quarters expect of its days.
func TestPaceOfCampaign(t *testing.T) {
	first := report.Goal{Period: report.Span{From: day(t, "2026-01-01"), To: day(t, "2026-03-31")}, Amount: value(t, "900")}
	second := report.Goal{Period: report.Span{From: day(t, "2026-04-01"), To: day(t, "2026-06-30")}, Amount: value(t, "1820")}
	campaign := report.Span{From: day(t, "2026-03-02"), To: day(t, "2026-05-10")}
	q := report.PaceQuestion{
		Measure: "revenue", Currency: "USD", Places: 2, Goals: []report.Goal{first, second}, Day: day(t, "2026-04-10"),
		Campaign: &campaign, Daily: flat(report.Span{From: first.Period.From, To: day(t, "2026-04-10")}, value(t, "10.01")),
		Within: &report.Span{From: day(t, "2026-04-01"), To: day(t, "2026-04-10")},
	}
	list := report.PacesOf(q)
	if len(list) != 2 || list[0].Over != report.OverPeriod || list[1].Over != report.OverCampaign {
		t.Fatalf("paces are %+v, want one of the second quarter and one of the campaign", list)
	}
	// 30 of 90 days of 900 and 40 of 91 days of 1820; of that by 10 April 300 and 200.
	p := list[1]
	if got, want := p.Goal.Amount.Text(2)+" "+p.Expected.Text(2)+" "+p.Reached.Text(2)+" "+p.Projected.Text(2), "1100.00 500.00 400.40 700.70"; got != want {
		t.Errorf("the campaign has %s, want %s", got, want)
	}
	if p.Status != report.Behind || p.ProjectedStatus != report.Behind || p.Left != 30 {
		t.Errorf("it is %s and %s with %d days left", p.Status, p.ProjectedStatus, p.Left)
	}
}
