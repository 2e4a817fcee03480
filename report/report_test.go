package report_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tracksource/money"
	"tracksource/report"
)

func value(t testing.TB, text string) report.Value {
	t.Helper()
	v, err := report.ParseValue(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestGroupBy(t *testing.T) {
	row := func(partner, channel, text string) report.Row {
		return report.Row{Campaign: "c", Measure: "revenue", Model: "linear", Currency: "EUR", Partner: partner, Channel: channel, Value: value(t, text)}
	}
	rows := report.Rows{
		row("acme", "Email", "10.25"), row("acme", "Social", "0.1"), row("blue", "Email", "0.2"),
		row(report.Unattributed, "(none)", "4"), row("acme", "Email", "-0.25"),
	}
	b, err := rows.GroupBy(report.Partner, report.Channel)
	if err != nil {
		t.Fatal(err)
	}
	lines := func(b report.Breakdown) string {
		var out []string
		for _, g := range b.Groups {
			out = append(out, strings.Join(g.Key, "/")+"="+g.Value.Text(2))
		}
		return strings.Join(out, " ")
	}
	if got, want := lines(b), "acme/Email=10.00 (unattributed)/(none)=4.00 blue/Email=0.20 acme/Social=0.10"; got != want {
		t.Errorf("groups are %s, want %s", got, want)
	}
	if b.Total.Text(2) != "14.30" || b.Unattributed.Text(2) != "4.00" || b.Rows != 5 || b.Currency != "EUR" {
		t.Errorf("total %s, unattributed %s, rows %d, currency %s", b.Total.Text(2), b.Unattributed.Text(2), b.Rows, b.Currency)
	}
	m, err := b.Margin(report.Partner)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := lines(m), "acme=10.10 (unattributed)=4.00 blue=0.20"; got != want {
		t.Errorf("margin is %s, want %s", got, want)
	}
	if _, err := b.Margin(report.Day); err == nil {
		t.Error("a margin over a dimension that the breakdown does not have")
	}
	other := rows[0]
	other.Model = "last-touch"
	if _, err := append(rows, other).GroupBy(report.Partner); !errors.Is(err, report.ErrMixed) {
		t.Errorf("rows of two models: error %v, want ErrMixed", err)
	}
	if n := len(append(rows, other).Select(report.Filter{Model: "last-touch"})); n != 1 {
		t.Errorf("%d rows selected, want 1", n)
	}
	for _, dims := range [][]report.Dimension{{"colour"}, {report.Day, report.Day}} {
		if _, err := rows.GroupBy(dims...); err == nil {
			t.Errorf("dimensions %v are not refused", dims)
		}
	}
}

// TestBreakdownsSumToTotal draws rows of any size and wants every breakdown and
// every margin to sum to the same total, which money adds up independently.
func TestBreakdownsSumToTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rows report.Rows
		var sum, unattributed int64
		name := rapid.SampledFrom([]string{"a", "b", "1:a", "", report.Unattributed})
		for range rapid.IntRange(0, 30).Draw(t, "rows") {
			minor := rapid.Int64Range(-money.MinorMax, money.MinorMax).Draw(t, "minor")
			v, err := report.ParseValue(money.Format(minor, 2))
			if err != nil {
				t.Fatal(err)
			}
			r := report.Row{Partner: name.Draw(t, "partner"), Channel: name.Draw(t, "channel"), Day: name.Draw(t, "day"), Value: v}
			if sum += minor; r.Partner == report.Unattributed {
				unattributed += minor
			}
			rows = append(rows, r)
		}
		dims := rapid.SliceOfNDistinct(rapid.SampledFrom(report.Dimensions()), 0, 4, rapid.ID[report.Dimension]).Draw(t, "by")
		b, err := rows.GroupBy(dims...)
		if err != nil {
			t.Fatal(err)
		}
		check := func(b report.Breakdown) {
			var groups report.Value
			for _, g := range b.Groups {
				groups = groups.Add(g.Value)
			}
			if want := money.Format(sum, 2); groups.Text(2) != want || b.Total.Text(2) != want {
				t.Fatalf("groups sum to %s, total is %s, want %s", groups.Text(2), b.Total.Text(2), want)
			}
			if want := money.Format(unattributed, 2); b.Unattributed.Text(2) != want {
				t.Fatalf("unattributed is %s, want %s", b.Unattributed.Text(2), want)
			}
		}
		check(b)
		for _, d := range dims {
			m, err := b.Margin(d)
			if err != nil {
				t.Fatal(err)
			}
			check(m)
		}
	})
}

func FuzzParseValue(f *testing.F) {
	for _, s := range []string{"0", "-0.5", "12.345678901", "1e3", "--1", "1.", ".5", "+1", strings.Repeat("9", 38), "-" + strings.Repeat("9", 29) + ".999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := report.ParseValue(text)
		if err != nil {
			if !errors.Is(err, report.ErrValue) {
				t.Fatalf("%q: error %v is not ErrValue", text, err)
			}
			return
		}
		again, err := report.ParseValue(v.Text(0))
		if err != nil || again.Cmp(v) != 0 {
			t.Fatalf("%q is written as %s, which reads as %s, %v", text, v.Text(0), again.Text(0), err)
		}
	})
}
