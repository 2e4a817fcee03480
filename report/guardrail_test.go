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

// rowsOf sums what the book's rows of the deals would be.
func rowsOf(deals []report.Deal, within report.Span) map[string]report.Value {
	rows := map[string]report.Value{}
	for i := range deals {
		for _, measure := range report.AccuracyMeasures() {
			if _, m, ok := deals[i].Measure(measure); ok && m.Currency == "USD" && within.Holds(m.Day) {
				rows[measure] = rows[measure].Add(report.ValueOf(m.Value, m.Exponent))
			}
		}
	}
	return rows
}

// heldCourse is a deal of which one measure is held.
func heldCourse(t testing.TB, measure, why, currency string) report.Deal {
	t.Helper()
	d := course(t, "2026-01-05", "2026-01-25", "won", "globex", "100.00")
	d.Parts[0].Currency = currency
	for i := range d.Parts[0].Measures {
		if m := &d.Parts[0].Measures[i]; m.Measure == measure {
			m.Held, m.Value = why, 0
			if why != attribution.HeldRateMissing {
				m.Day = 0
			}
		}
	}
	return d
}

func TestAccuracy(t *testing.T) {
	within := report.Span{From: day(t, "2026-01-01"), To: day(t, "2026-03-31")}
	rates := &money.Rates{}
	if err := rates.Set("EUR", "USD", day(t, "2026-03-31"), "1.10"); err != nil {
		t.Fatal(err)
	}
	plain := course(t, "2026-01-05", "2026-01-25", "won", "globex", "100.00")
	suspected := course(t, "2026-01-05", "2026-01-25", "won", "globex", "50.00")
	suspected.Parts[0].Excluded, suspected.Parts[0].Measures = attribution.ExcludedSuspected, nil
	order := course(t, "2026-01-05", "2026-01-25", "won", "globex", "70.00")
	order.Parts[0].Order = true
	evidence := course(t, "2026-01-05", "2026-01-25", "won", "globex", "33.00")
	evidence.Parts[0].Excluded, evidence.Parts[0].Measures = attribution.ExcludedEvidence, nil
	outside := course(t, "2025-01-05", "2025-01-25", "won", "globex", "100.00")
	for _, tt := range []struct {
		name  string
		deals []report.Deal
		rows  string // of revenue, beyond what the facts say
		want  string
	}{
		{"nothing", nil, "0", "no data: USD 0.00 reconciled of USD 0.00"},
		{"all in the book", []report.Deal{plain, outside, evidence}, "0", "100: USD 200.00 reconciled of USD 200.00"},
		{"rows too many", []report.Deal{plain}, "0.01", "99.995: USD 199.99 reconciled of USD 200.00"},
		{"rows too few", []report.Deal{plain}, "-0.01", "99.995: USD 199.99 reconciled of USD 200.00"},
		{"rows of another world", []report.Deal{plain}, "1000", "0: USD 0.00 reconciled of USD 200.00"},
		{"orders are in the rows and no deals", []report.Deal{plain, order}, "0", "100: USD 200.00 reconciled of USD 200.00"},
		{
			"held without a day",
			[]report.Deal{plain, heldCourse(t, "revenue", attribution.HeldCloseDateMissing, "EUR")},
			"0",
			"73.1707: USD 300.00 reconciled of USD 410.00, 2026-01-01 to 2026-03-31; USD 110.00 of 1 measures held or suspected",
		},
		{
			"held without a rate",
			[]report.Deal{plain, heldCourse(t, "revenue", attribution.HeldRateMissing, "JPY")},
			"0",
			"100: USD 300.00 reconciled of USD 300.00, 2026-01-01 to 2026-03-31; 1 without a value: no rate for JPY",
		},
		{"suspected", []report.Deal{plain, suspected}, "0", "66.6666: USD 200.00 reconciled of USD 300.00, 2026-01-01 to 2026-03-31; USD 100.00 of 2 measures held or suspected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rows := rowsOf(tt.deals, within)
			rows[attribution.MeasureRevenue] = rows[attribution.MeasureRevenue].Add(value(t, tt.rows))
			c := tour(t)
			r := report.Accuracy(report.Listed(tt.deals), report.AccuracyQuestion{Contract: c, Within: within, Rows: rows, Rates: rates})
			got := r.Detail
			if r.Known {
				got = r.Text(c) + ": " + r.Detail
			}
			if r.Guardrail != contract.GuardAccuracy || !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestAccuracyNeverFlatters: whatever the rows say, accuracy is not over one, and it is
// one only where nothing is held and the rows are those of the facts.
func TestAccuracyNeverFlatters(t *testing.T) {
	c := tour(t)
	within := report.Span{From: day(t, "2026-01-01"), To: day(t, "2026-03-31")}
	rapid.Check(t, func(rt *rapid.T) {
		var deals []report.Deal
		held := false
		for range rapid.IntRange(1, 5).Draw(rt, "deals") {
			if rapid.Bool().Draw(rt, "held") {
				held = true
				deals = append(deals, heldCourse(t, "revenue", attribution.HeldCloseDateMissing, "USD"))
				continue
			}
			deals = append(deals, course(t, "2026-01-05", "2026-01-25", "won", "globex", fmt.Sprintf("%d.00", rapid.IntRange(1, 900).Draw(rt, "amount"))))
		}
		rows := rowsOf(deals, within)
		off := rapid.Int64Range(-3, 3).Draw(rt, "off")
		rows[attribution.MeasureRevenue] = rows[attribution.MeasureRevenue].Add(report.ValueOf(off, 2))
		r := report.Accuracy(report.Listed(deals), report.AccuracyQuestion{Contract: c, Within: within, Rows: rows})
		if !r.Known || r.Value > contract.RatioWhole || r.Value < 0 || (r.Value == contract.RatioWhole) != (off == 0 && !held) {
			rt.Fatalf("accuracy %+v, rows off by %d, held %t", r, off, held)
		}
	})
}

func TestReconciled(t *testing.T) {
	r := report.Reconciliation{Theirs: value(t, "300"), Deals: []report.DealDifference{
		{Ours: value(t, "90"), Theirs: value(t, "100")}, {Ours: value(t, "50")}, // of which the second is not in the export
	}}
	if got, ok := r.Accuracy(); !ok || got != "66.6666" {
		t.Errorf("200 of 300 are reconciled: %s, %t", got, ok)
	}
	if got, ok := (&report.Reconciliation{}).Accuracy(); ok {
		t.Errorf("an export of nothing is reconciled by %s", got)
	}
}

func TestReadings(t *testing.T) {
	c := tour(t)
	end := time.Date(2026, 3, 2, 5, 0, 0, 0, time.UTC) // midnight in New York
	ninety := int64(900_000)
	said := func(said, came string) report.SaidCame {
		return report.SaidCame{Said: value(t, said), Came: value(t, came)}
	}
	totals := []report.DayTotal{
		{Feed: "crm.acme", Source: "salesforce", Day: day(t, "2026-03-01"), Count: said("100", "99"), Sums: map[string]report.SaidCame{"USD": said("200", "201")}},
		{Feed: "crm.acme", Source: "salesforce", Day: day(t, "2026-02-28"), Count: said("100", "150"), Sums: map[string]report.SaidCame{"": said("0", "0")}},
		{Feed: "map.acme", Source: "hubspot", Day: day(t, "2026-02-28"), Count: said("0", "0")},
		{Feed: "crm.blue", Source: "salesforce", Day: day(t, "2026-02-28"), Count: said("10", "10"), Sums: map[string]report.SaidCame{"EUR": said("0", "5")}},
	}
	both := func(feed string) []report.Reading {
		a, b := report.Totals(c, feed, totals)
		return []report.Reading{a, b}
	}
	goal := report.Goal{Period: report.Span{From: day(t, "2026-01-01"), To: day(t, "2026-03-31")}, Amount: value(t, "90")}
	var got []string
	for _, r := range slices.Concat(
		[]report.Reading{
			report.Confidence(c, value(t, "200"), value(t, "170"), nil, ""),
			report.Confidence(c, value(t, "200"), value(t, "170"), &ninety, "crm.acme"),
			report.Confidence(c, report.Value{}, report.Value{}, nil, ""),
			report.Freshness(c, "crm.acme", end.Add(-24*time.Hour), end),
			report.Freshness(c, "crm.acme", end.Add(-24*time.Hour-time.Nanosecond), end),
			report.Freshness(c, "crm.acme", end.Add(time.Hour), end),
			report.Freshness(c, "crm.acme", time.Time{}, end),
		},
		both("crm.acme"), both("map.acme"), both("crm.blue"), both("analytics.acme"),
		[]report.Reading{
			report.Pacing(c, "revenue", "", goal, day(t, "2026-01-30"), value(t, "27"), 2),
			report.Pacing(c, "revenue", "globex", goal, day(t, "2026-03-31"), value(t, "89.99"), 2),
			report.Pacing(c, "won", "", goal, day(t, "2025-12-31"), value(t, "1"), 0),
		},
	) {
		text := "no data"
		if r.Known {
			text = r.Text(c) + string(c.Guardrail(r.Guardrail).Unit) + " " + string(c.Guardrail(r.Guardrail).Judge(r.Value))
		}
		got = append(got, fmt.Sprintf("%s %s %s: %s", r.Guardrail, r.Subject, text, r.Detail))
	}
	want := []string{
		"confidence  85% green: USD 170.00 of USD 200.00 attributed, completeness of no feed is known",
		"confidence  76.5% amber: USD 170.00 of USD 200.00 attributed, times the 90% that came of crm.acme",
		"confidence  no data: no data: an attributed value is missing",
		"freshness crm.acme 24h green: newest event 2026-03-01T05:00:00Z",
		"freshness crm.acme 25h amber: newest event 2026-03-01T04:59:59Z",
		"freshness crm.acme 0h green: newest event 2026-03-02T06:00:00Z",
		"freshness crm.acme no data: no data: nothing came yet",
		"completeness crm.acme 99.5% green: 199 of 200 events in 2 control totals",
		"control_totals crm.acme 50% red: salesforce of 2026-02-28: 100 said, 150 came",
		"completeness map.acme no data: no data: nothing was said to be sent",
		"control_totals map.acme 0% green: 1 control totals agree",
		"completeness crm.blue 100% green: 10 of 10 events in 1 control totals",
		"control_totals crm.blue 100% red: salesforce of 2026-02-28: EUR 0 said, 5 came",
		"completeness analytics.acme no data: no data: a control total of the feed is missing",
		"control_totals analytics.acme no data: no data: a control total of the feed is missing",
		"pacing revenue 90% amber: 27.00 reached, 30.00 expected of 90.00, 2026-01-01 to 2026-01-30",
		"pacing revenue/globex 99.9888% amber: 89.99 reached, 90.00 expected of 90.00, 2026-01-01 to 2026-03-31",
		"pacing won no data: no data: nothing is expected yet",
	}
	if !slices.Equal(got, want) {
		t.Errorf("readings are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
