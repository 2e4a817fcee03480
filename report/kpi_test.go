package report_test

import (
	"encoding/csv"
	"math/big"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/contract/example"
	"tracksource/money"
	"tracksource/report"
)

func tour(t testing.TB) *contract.Contract {
	t.Helper()
	c, err := contract.Parse(example.AILaunchTour())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// course is a deal of the example contract in US dollars, closed is empty for one that
// is open.
func course(t testing.TB, created, closed, state, sourced, amount string) report.Deal {
	t.Helper()
	minor, err := money.Parse(amount, "USD")
	if err != nil {
		t.Fatal(err)
	}
	f := attribution.Facts{State: state, Amount: amount, Currency: "USD", Sourced: attribution.Sourced{Partner: sourced}, CloseDate: closed}
	add := func(name, day string, value int64, currency string, exponent int) {
		d := money.Day(0)
		if day != "" {
			d = parsedDay(t, day)
		}
		f.Measures = append(f.Measures, attribution.FactMeasure{Measure: name, Day: d, Value: value, Currency: currency, Exponent: exponent, InScope: true})
	}
	if created != "" {
		f.CreatedAt = instant(t, created)
		add(attribution.MeasurePipelineCreated, created, minor.Minor, "USD", 2)
	}
	switch state {
	case "won":
		add(attribution.MeasureWon, closed, 1_000_000, "", 6)
		add(attribution.MeasureRevenue, closed, minor.Minor, "USD", 2)
	case "lost":
		add(attribution.MeasureLost, closed, 1_000_000, "", 6)
	}
	return report.Deal{Parts: []attribution.Facts{f}}
}

// parsedDay is day where a day is at hand.
func parsedDay(t testing.TB, text string) money.Day { t.Helper(); return day(t, text) }

// instant is noon of a day in the zone of the example contract, or near it.
func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text+"T17:00:00Z")
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func figuresText(figures []report.Figure) string {
	var out strings.Builder
	for _, f := range figures {
		out.WriteString(f.KPI)
		if f.Ratio == nil {
			out.WriteString(" no data: " + f.Missing)
		} else {
			out.WriteString(" " + f.Text(2) + " = " + f.Detail)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// TestKPIsDocumented: the example of docs/kpis.md is what the figures are.
func TestKPIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/kpis.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(?:csv|text)\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 3 {
		t.Fatalf("%d blocks, want the deals, the figures and those of a partner", len(blocks))
	}
	rows, err := csv.NewReader(strings.NewReader(blocks[0][1])).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var deals []report.Deal
	for _, r := range rows[1:] {
		deals = append(deals, course(t, r[0], r[1], r[2], r[3], r[4]))
	}
	end := day(t, "2026-03-31")
	target := func(measure, partner, currency, amount string) report.Target {
		return report.Target{Day: end, Measure: measure, Partner: partner, Currency: currency, Amount: value(t, amount)}
	}
	spend, cost, reached := value(t, "14000.00"), value(t, "24000.00"), value(t, "380")
	q := report.KPIQuestion{
		Contract: tour(t), Within: &report.Span{From: day(t, "2026-01-01"), To: end}, Day: end,
		Targets: []report.Target{target("quota", "", "USD", "30000"), target("quota", "globex", "USD", "12000"), target("reach", "", "", "400")},
		Spend:   &spend, Cost: &cost, Reached: &reached,
	}
	if got := figuresText(report.KPIs(report.Listed(deals), q)); got != blocks[1][1] {
		t.Errorf("figures are\n%s\ndocs/kpis.md has\n%s", got, blocks[1][1])
	}
	q.Partner, q.Spend, q.Cost = "globex", nil, nil
	if got := figuresText(report.KPIs(report.Listed(deals), q)); got != blocks[2][1] {
		t.Errorf("figures of globex are\n%s\ndocs/kpis.md has\n%s", got, blocks[2][1])
	}
}

// TestKPIsWithout: each figure without its inputs names them; what is no deal of the
// book is in none.
func TestKPIsWithout(t *testing.T) {
	q := report.KPIQuestion{Contract: tour(t), Day: day(t, "2026-02-14"), Unvalued: []string{"JPY"}}
	const nothing = `win_rate no data: a deal that was closed
average_contract_value no data: a deal with revenue
velocity_median no data: a deal won of which it is known when it was created
velocity_mean no data: a deal won of which it is known when it was created
pipeline_coverage no data: a quota for the quarter
cac_payback no data: spend, costs, a deal with revenue, a rate for JPY
reach no data: a planned reach whose period the day is in
`
	won := course(t, "2026-01-05", "2026-01-25", "won", "globex", "12000.00")
	out := func(change func(*attribution.Facts)) report.Deal {
		f := won.Parts[0]
		f.Measures = append([]attribution.FactMeasure{}, f.Measures...)
		change(&f)
		return report.Deal{Parts: []attribution.Facts{f}}
	}
	none := []report.Deal{
		out(func(f *attribution.Facts) { f.Excluded = attribution.ExcludedScope }),
		out(func(f *attribution.Facts) { f.Order = true }),
		out(func(f *attribution.Facts) {
			for i := range f.Measures {
				f.Measures[i].Held = attribution.HeldRateMissing
			}
		}),
	}
	if got := figuresText(report.KPIs(report.Listed(none), q)); got != nothing {
		t.Errorf("of deals that are in no total:\n%s\nwant\n%s", got, nothing)
	}
	apart := []report.Deal{out(func(f *attribution.Facts) {
		for i := range f.Measures {
			if f.Measures[i].Currency != "" {
				f.Measures[i].Currency = "EUR"
			}
		}
	})}
	if got := figuresText(report.KPIs(report.Listed(apart), q)); !strings.Contains(got, "average_contract_value no data") || !strings.Contains(got, "win_rate 100 = 1 won, 0 lost") {
		t.Errorf("a deal in another currency is won and has no value yet:\n%s", got)
	}
}

// TestPaybackNever: what never pays back is the worst there is, and not unknown.
func TestPaybackNever(t *testing.T) {
	deals := []report.Deal{course(t, "2026-01-05", "2026-01-25", "won", "globex", "100.00")}
	c := tour(t)
	for _, tt := range []struct {
		spend, cost, want string
		band              contract.Band
	}{
		{"100.00", "100.00", "1200", contract.BandRed},
		{"100.00", "150.00", "1200", contract.BandRed},
		{"100.00", "99.99", "1200", contract.BandRed},
		{"0.00", "10.00", "0", contract.BandGreen},
		{"116.67", "0.00", "14.0004", contract.BandAmber},
		{"116.66", "0.00", "13.9992", contract.BandGreen},
	} {
		spend, cost := value(t, tt.spend), value(t, tt.cost)
		for _, f := range report.KPIs(report.Listed(deals), report.KPIQuestion{Contract: c, Day: day(t, "2026-02-01"), Spend: &spend, Cost: &cost}) {
			if f.KPI != report.KPICACPayback {
				continue
			}
			r := f.Reading(c)
			if got := f.Text(2); got != tt.want || r.Text(c) != tt.want || c.Guardrail(f.KPI).Judge(r.Value) != tt.band {
				t.Errorf("spend %s, costs %s: %s months, %s %s", tt.spend, tt.cost, got, r.Text(c), c.Guardrail(f.KPI).Judge(r.Value))
			}
		}
	}
}

// TestFiguresRoundAgainst: a figure that misses its target by less than it is written
// with misses it.
func TestFiguresRoundAgainst(t *testing.T) {
	c := tour(t)
	for _, tt := range []struct {
		kpi  string
		unit string
		r    *big.Rat
		text string
		band contract.Band
	}{
		{report.KPIWinRate, "%", big.NewRat(249_999_999, 1_000_000_000), "24.9999", contract.BandAmber},
		{report.KPIWinRate, "%", big.NewRat(1, 4), "25", contract.BandGreen},
		{report.KPIPipelineCoverage, "x", big.NewRat(2_999_999_999, 1_000_000_000), "2.999999", contract.BandAmber},
		{report.KPIReach, "%", big.NewRat(80_000_001, 1_000_000_000), "8.0001", contract.BandAmber},
		{report.KPICACPayback, "mo", big.NewRat(16_000_000_001, 1_000_000_000), "16.000001", contract.BandRed},
		{report.KPIPipelineCoverage, "x", new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(40), nil)), "999999999", contract.BandGreen},
	} {
		f := report.Figure{KPI: tt.kpi, Unit: tt.unit, Ratio: tt.r}
		r := f.Reading(c)
		if f.Text(2) != tt.text || r.Text(c) != tt.text || c.Guardrail(tt.kpi).Judge(r.Value) != tt.band {
			t.Errorf("%s of %s is %s, %s, %s; want %s, %s", tt.kpi, tt.r, f.Text(2), r.Text(c), c.Guardrail(tt.kpi).Judge(r.Value), tt.text, tt.band)
		}
	}
}

// TestRoundingNeverFlatters: whatever a figure is, the value that is written of it is in
// no better band than the figure itself.
func TestRoundingNeverFlatters(t *testing.T) {
	c := tour(t)
	rapid.Check(t, func(t *rapid.T) {
		f := report.Figure{KPI: report.KPIReach, Unit: "%"}
		atMost := rapid.Bool().Draw(t, "at most")
		if !atMost {
			f.KPI = report.KPIWinRate
		}
		g := c.Guardrail(f.KPI)
		bound := rapid.SampledFrom([]int64{g.Target, g.Limit}).Draw(t, "bound")
		off := big.NewRat(rapid.Int64Range(-3_000, 3_000).Draw(t, "off"), 1_000_000_000)
		f.Ratio = off.Add(off, big.NewRat(bound, contract.RatioWhole))
		exact := func(bound int64) int { return f.Ratio.Cmp(big.NewRat(bound, contract.RatioWhole)) }
		better := func(bound int64) bool { return exact(bound) == 0 || (exact(bound) < 0) == atMost }
		want := contract.BandRed
		switch {
		case better(g.Target):
			want = contract.BandGreen
		case better(g.Limit):
			want = contract.BandAmber
		}
		if r := f.Reading(c); g.Judge(r.Value) != want {
			t.Fatalf("%s of %s is written %s, which is %s and not %s", f.KPI, f.Ratio, r.Text(c), g.Judge(r.Value), want)
		}
	})
}

func TestParseQuarter(t *testing.T) {
	for text, want := range map[string]string{
		"2026-Q1": "2026-01-01 2026-03-31", "2024-Q1": "2024-01-01 2024-03-31", "2026-Q2": "2026-04-01 2026-06-30", "2026-Q4": "2026-10-01 2026-12-31",
	} {
		s, ok := report.ParseQuarter(text)
		if got := s.From.String() + " " + s.To.String(); !ok || got != want {
			t.Errorf("%s is %s, %t, want %s", text, got, ok, want)
		}
		if q := report.Quarter(s.To); q != s {
			t.Errorf("the quarter of the last day of %s is %v", text, q)
		}
	}
	for _, text := range []string{"", "2026", "2026-Q0", "2026-Q5", "2026-Q", "2026-Q11", "26-Q1", "2026-q1", "2026Q1", "-Q1", "02026-Q1"} {
		if s, ok := report.ParseQuarter(text); ok {
			t.Errorf("%q is %v", text, s)
		}
	}
}
