package report_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/contract/example"
	"tracksource/money"
	"tracksource/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func agreed(t testing.TB) *contract.Contract {
	t.Helper()
	c, err := contract.Parse(example.AILaunchTour())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func dayOf(t testing.TB, text string) money.Day {
	t.Helper()
	d, err := money.ParseDay(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func march(d money.Day) bool {
	text := d.String()
	return text >= "2026-03-01" && text <= "2026-03-31"
}

// won is a deal of acme's CRM that was won for so many dollars in March.
func won(t testing.TB, id, amount string) attribution.Facts {
	t.Helper()
	a, err := money.Parse(amount, "USD")
	if err != nil {
		t.Fatal(err)
	}
	return attribution.Facts{
		Contract: "ai-launch-tour", Revision: 1, Deal: attribution.ItemID{Reporter: "acme", Source: "salesforce", Item: "opportunity/" + id},
		State: "won", Stage: "Closed Won", Amount: amount, Currency: "USD", CloseDate: "2026-03-10",
		Stages: []attribution.FactStage{{Stage: "Closed Won", State: "won"}, {Stage: "Signed", State: "won"}, {Stage: "Talks", State: "open"}},
		Measures: []attribution.FactMeasure{{
			Measure: attribution.MeasureRevenue, Day: dayOf(t, "2026-03-10"), Value: a.Minor, Currency: "USD", Exponent: 2, InScope: true, Revision: 1,
			Basis: attribution.Basis{Amount: amount, Currency: "USD", Rate: "1", Via: money.ViaSame},
		}},
	}
}

// reconciled is one deal of each kind, here and in the export.
func reconciled(t testing.TB) ([]attribution.Facts, string) {
	t.Helper()
	change := func(f attribution.Facts, how func(f *attribution.Facts, m *attribution.FactMeasure)) attribution.Facts {
		how(&f, &f.Measures[0])
		return f
	}
	other := func(id string) attribution.ItemID {
		return attribution.ItemID{Reporter: "globex", Source: "hubspot", Item: "opportunity/" + id}
	}
	euros := func(m *attribution.FactMeasure, value int64, amount string) {
		m.Value, m.Basis = value, attribution.Basis{Amount: amount, Currency: "EUR", Rate: "1.1", RateDay: dayOf(t, "2026-03-10"), Via: money.ViaDirect}
	}
	facts := []attribution.Facts{
		won(t, "same", "100.00"),
		won(t, "0065g00000AbCdEAAV", "7.00"),
		won(t, "gone", "200.00"),
		change(won(t, "held", "0.00"), func(_ *attribution.Facts, m *attribution.FactMeasure) {
			m.Held, m.Basis = attribution.HeldRateMissing, attribution.Basis{Amount: "30.00", Currency: "JPY"}
		}),
		change(won(t, "elsewhere", "40.00"), func(f *attribution.Facts, m *attribution.FactMeasure) {
			f.Excluded, m.InScope = attribution.ExcludedScope, false
		}),
		change(won(t, "suspected", "50.00"), func(f *attribution.Facts, _ *attribution.FactMeasure) {
			f.Excluded, f.Measures, f.Suspected = attribution.ExcludedSuspected, nil, []attribution.ItemID{other("77")}
		}),
		change(won(t, "sister", "60.00"), func(f *attribution.Facts, _ *attribution.FactMeasure) {
			f.Deal, f.Merged = other("78"), []attribution.ItemID{{Reporter: "acme", Source: "salesforce", Item: "opportunity/merged"}}
		}),
		change(won(t, "open", "0.00"), func(f *attribution.Facts, _ *attribution.FactMeasure) {
			f.State, f.Stage, f.Measures = "open", "Talks", nil
		}),
		change(won(t, "april", "80.00"), func(_ *attribution.Facts, m *attribution.FactMeasure) { m.Day = dayOf(t, "2026-04-01") }),
		change(won(t, "rate", "0.00"), func(_ *attribution.Facts, m *attribution.FactMeasure) { euros(m, 11000, "100.00") }),
		change(won(t, "dollars", "0.00"), func(_ *attribution.Facts, m *attribution.FactMeasure) { euros(m, 11000, "100.00") }),
		won(t, "less", "90.00"),
		won(t, "broken", "5.00"),
		won(t, "undated", "6.00"),
		change(won(t, "shop", "11.00"), func(f *attribution.Facts, _ *attribution.FactMeasure) {
			f.Order, f.Deal.Source, f.Deal.Item = true, "ga4", "order/1"
		}),
	}
	return facts, `Id,Name,Stage,Amount,Currency,Close Date
same,Same,Signed,100,USD,2026-03-11
0065G00000ABCDEAAV,Case,Closed Won,7,USD,2026-03-10
new,New,Closed Won,10.5,USD,2026-03-12
held,Held,Closed Won,30,JPY,2026-03-10
elsewhere,Else,Closed Won,40,USD,2026-03-10
suspected,Susp,Closed Won,50,USD,2026-03-10
merged,Merged,Closed Won,60,USD,2026-03-10
open,Open,Closed Won,70,USD,2026-03-10
april,April,Closed Won,80,USD,2026-03-31
rate,Rate,Closed Won,100,EUR,2026-03-11
dollars,Dollars,Closed Won,112,USD,2026-03-10
less,Less,Closed Won,95,USD,2026-03-10
broken,Broken,Closed Won,five,USD,2026-03-10
undated,Undated,Closed Won,6,USD,
lost,Lost,Closed Lost,1000,USD,2026-03-10
Total,,,,,
`
}

func reconcile(t testing.TB, facts []attribution.Facts, text string) report.Reconciliation {
	t.Helper()
	e, err := report.ReadExport([]byte(text), report.ExportOptions{Measure: attribution.MeasureRevenue, Currency: "USD"})
	if err != nil {
		t.Fatal(err)
	}
	rates := new(money.Rates)
	for day, rate := range map[string]string{"2026-03-10": "1.1", "2026-03-11": "1.2"} {
		if err := rates.Set("EUR", "USD", dayOf(t, day), rate); err != nil {
			t.Fatal(err)
		}
	}
	return report.Reconcile(&e, facts, report.Scope{Contract: agreed(t), Measure: attribution.MeasureRevenue, Reporter: "acme", In: march, Rates: rates})
}

// TestReconcile: one deal of each kind has its reason, and nothing is lost.
func TestReconcile(t *testing.T) {
	facts, text := reconciled(t)
	got := reconcile(t, facts, text)
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ours %s, theirs %s, difference %s %s; %d matched\n", got.Measure, got.Ours.Text(2), got.Theirs.Text(2), got.Difference.Text(2), got.Currency, got.Matched)
	for _, r := range got.Reasons {
		fmt.Fprintf(&b, "%-13s %d %9s\n", r.Reason, r.Deals, r.Amount.Text(2))
	}
	for _, d := range got.Deals {
		fmt.Fprintf(&b, "\n%s %q line %d: %s here, %s there, %s\n  %s: %s\n", d.ID, d.Name, d.Line, d.Ours.Text(2), d.Theirs.Text(2), d.Difference.Text(2), d.Reason, d.Detail)
		if d.Other.Item != "" {
			fmt.Fprintf(&b, "  %s\n", d.Other)
		}
	}
	b.WriteString("\n")
	for _, u := range got.Unreadable {
		fmt.Fprintf(&b, "line %d %s: %s\n", u.Line, u.ID, u.Why)
	}
	for _, s := range got.UnreadableSums {
		fmt.Fprintf(&b, "unreadable %d rows of %s %q\n", s.Rows, s.Total.Text(2), s.Currency)
	}
	for _, s := range got.Unconverted {
		fmt.Fprintf(&b, "unconverted %d rows of %s %s\n", s.Rows, s.Total.Text(0), s.Currency)
	}
	for _, s := range got.Elsewhere {
		fmt.Fprintf(&b, "elsewhere %s: %d of %s\n", s.What, s.Deals, s.Amount.Text(2))
	}
	const file = "testdata/reconcile.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	var seen []report.Reason
	for _, r := range got.Reasons {
		seen = append(seen, r.Reason)
	}
	if !slices.Equal(seen, report.Reasons()) {
		t.Errorf("reasons %v, want each: %v", seen, report.Reasons())
	}
}

// TestReconcileSums draws facts and exports of the same few deals and wants the
// reasons, and the deals, to sum to the difference between the two sides, each of
// which is added up here from what it was made of.
func TestReconcileSums(t *testing.T) {
	reasons := map[report.Reason]bool{}
	property := func(rt *rapid.T) {
		var facts []attribution.Facts
		ours := report.Value{}
		ids := []string{"a", "b", "c", "d", "0065g00000AbCdEAAV", "e"}
		amount := rapid.SampledFrom([]string{"0.00", "1.00", "12.34", "100.00", "99999999999.99"})
		days := rapid.SampledFrom([]string{"2026-03-10", "2026-03-11", "2026-04-01"})
		plain := map[string]money.Day{} // deals that an export can differ from by the amount alone
		for _, id := range ids {
			for revision := range rapid.Int64Range(0, 2).Draw(rt, "revisions") {
				f := won(t, id, amount.Draw(rt, "amount"))
				m := &f.Measures[0]
				f.Revision, m.Revision, m.Day = revision+1, revision+1, dayOf(t, days.Draw(rt, "day"))
				switch rapid.IntRange(0, 8).Draw(rt, "kind") {
				case 0:
					m.Held, m.Value = attribution.HeldRateMissing, 0
				case 1:
					f.Excluded, m.InScope = attribution.ExcludedScope, false
				case 2:
					f.Excluded, f.Measures = rapid.SampledFrom([]string{attribution.ExcludedEvidence, attribution.ExcludedSuspected}).Draw(rt, "excluded"), nil
				case 3:
					f.State, f.Measures = "open", nil
				case 4:
					m.Currency = "EUR"
				case 5:
					f.Deal, f.Merged = attribution.ItemID{Reporter: "globex", Source: "hubspot", Item: "opportunity/" + id}, []attribution.ItemID{f.Deal}
				case 6:
					m.Basis = attribution.Basis{Amount: "5.00", Currency: "EUR", Rate: "1.1", RateDay: m.Day, Via: money.ViaDirect}
				default:
					plain[id] = m.Day
				}
				facts = append(facts, f)
				if len(f.Measures) == 1 && m.Held == "" && m.InScope && m.Currency == "USD" && march(m.Day) && f.Deal.Reporter == "acme" {
					ours = ours.Add(value(t, money.Format(m.Value, 2)))
				}
			}
		}
		text := "id,stage,amount,currency,close date\n"
		theirs := report.Value{}
		for _, id := range append(ids, "f") {
			if !rapid.Bool().Draw(rt, "there") {
				continue
			}
			stage := rapid.SampledFrom([]string{"Closed Won", "Signed", "Talks"}).Draw(rt, "stage")
			a, currency := amount.Draw(rt, "amount"), rapid.SampledFrom([]string{"USD", "USD", "EUR", "JPY"}).Draw(rt, "currency")
			day := rapid.SampledFrom([]string{"2026-03-10", "2026-03-11", "2026-04-01", "", "x"}).Draw(rt, "day")
			if on, ok := plain[id]; ok && rapid.Bool().Draw(rt, "alike") {
				stage, currency, day = "Closed Won", "USD", on.String()
			}
			if rapid.IntRange(0, 9).Draw(rt, "bad") == 0 {
				a = "?"
			}
			text += strings.Join([]string{id, stage, a, currency, day}, ",") + "\n"
			if a == "?" || len(day) < 2 || !march(dayOf(t, day)) || stage == "Talks" || stage == "Signed" && !slices.ContainsFunc(facts, func(f attribution.Facts) bool { return f.Deal.Reporter == "acme" }) {
				continue
			}
			rate := map[string]string{"USD": "1", "EUR": map[string]string{"2026-03-10": "1.1", "2026-03-11": "1.2"}[day]}[currency]
			if rate == "" {
				continue
			}
			theirs = theirs.Add(times(t, a, rate))
		}
		got := reconcile(t, facts, text)
		if got.Ours.Cmp(ours) != 0 || got.Theirs.Cmp(theirs) != 0 || got.Difference.Cmp(ours.Sub(theirs)) != 0 {
			rt.Fatalf("ours %s, theirs %s, difference %s, want %s and %s\n%s\n%+v", got.Ours.Text(2), got.Theirs.Text(2), got.Difference.Text(2), ours.Text(2), theirs.Text(2), text, facts)
		}
		byReason, byDeal := report.Value{}, report.Value{}
		for _, r := range got.Reasons {
			byReason = byReason.Add(r.Amount)
		}
		seen := map[string]bool{}
		for _, d := range got.Deals {
			byDeal = byDeal.Add(d.Difference)
			if seen[d.ID] || !slices.Contains(report.Reasons(), d.Reason) || d.Detail == "" {
				rt.Fatalf("deal %+v", d)
			}
			seen[d.ID], reasons[d.Reason] = true, true
		}
		if byReason.Cmp(got.Difference) != 0 || byDeal.Cmp(got.Difference) != 0 {
			rt.Fatalf("difference %s, by reasons %s, by deals %s", got.Difference.Text(2), byReason.Text(2), byDeal.Text(2))
		}
		slices.Reverse(facts)
		if again := reconcile(t, facts, text); again.Difference.Cmp(got.Difference) != 0 || len(again.Deals) != len(got.Deals) {
			rt.Fatalf("in another order %s of %d deals, was %s of %d", again.Difference.Text(2), len(again.Deals), got.Difference.Text(2), len(got.Deals))
		}
	}
	rapid.Check(t, property)
	// The rarest reason is in one of eighteen draws: all of a hundred leave one of them out
	// once in a few hundred runs, and of a thousand once in 10^24.
	const rounds = 10
	for range rounds {
		if len(reasons) < len(report.Reasons()) && !testing.Short() && !t.Failed() {
			rapid.Check(t, property)
		}
	}
	for _, r := range report.Reasons() {
		if !reasons[r] && !testing.Short() {
			t.Errorf("no deal was drawn with reason %s", r)
		}
	}
}

// times is an amount at a rate of one decimal, rounded half-even to cents.
func times(t testing.TB, amount, rate string) report.Value {
	t.Helper()
	a, err := money.Parse(amount, "USD")
	if err != nil {
		t.Fatal(err)
	}
	tenths := map[string]int64{"1": 10, "1.1": 11, "1.2": 12}[rate] * a.Minor
	cents, rest := tenths/10, tenths%10
	if rest > 5 || rest == 5 && cents%2 == 1 {
		cents++
	}
	return value(t, money.Format(cents, 2))
}
