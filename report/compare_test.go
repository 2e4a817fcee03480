package report_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tracksource/report"
)

// TestCompareOfWhatCannotBeAdded: each partner has the whole of what it influenced, so
// there is no total of it, nor one by anything but partner.
func TestCompareOfWhatCannotBeAdded(t *testing.T) {
	row := func(partner, region, text string) report.Row {
		return report.Row{Measure: "pipeline_influenced", Model: "linear", Partner: partner, Region: region, Currency: "USD", Value: value(t, text)}
	}
	agreed := report.Side{Models: []string{"linear"}, Currency: "USD", Rows: report.Rows{
		row("acme", "EMEA", "10"), row("globex", "EMEA", "10"), row("globex", "AMER", "5"),
	}}
	proposed := agreed
	proposed.Rows = agreed.Rows[:2]
	list, err := report.Compare(agreed, proposed, report.Region, report.Partner, report.Channel)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range list {
		got = append(got, fmt.Sprintf("%s %s: %s, %s", d.By, d.Key, d.Agreed.Text(0), d.Proposed.Text(0)))
	}
	if want := "partner acme: 10, 10; partner globex: 15, 10"; strings.Join(got, "; ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "; "), want)
	}
}

func TestCompare(t *testing.T) {
	row := func(model, partner, channel, currency, text string) report.Row {
		return report.Row{Measure: "revenue", Model: model, Partner: partner, Channel: channel, Currency: currency, Value: value(t, text)}
	}
	agreed := report.Side{Models: []string{"linear", "last-touch"}, Currency: "USD", Rows: report.Rows{
		row("linear", "acme", "Email", "USD", "10.01"), row("linear", "globex", "Email", "USD", "5"), row("linear", "globex", "Social", "USD", "0.5"),
		row("last-touch", "acme", "Email", "USD", "15.51"),
	}}
	proposed := report.Side{Models: []string{"linear", "first-touch"}, Currency: "USD", Rows: report.Rows{
		row("linear", "acme", "Email", "USD", "15.51"), row("first-touch", "acme", "Email", "USD", "15.51"), row("linear", "acme", "Email", "EUR", "0.01"),
	}}
	list, err := report.Compare(agreed, proposed, report.Partner, report.Channel)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range list {
		text := func(v *report.Value) string {
			if v == nil {
				return "none"
			}
			return v.Text(2)
		}
		change := "?"
		if c, ok := d.Change(); ok {
			change = c.Text(2)
		}
		got = append(got, fmt.Sprintf("%s %s %s %s: %s, %s: %s", d.Model, d.Currency, d.By, d.Key, text(d.Agreed), text(d.Proposed), change))
	}
	want := []string{
		"first-touch USD  : none, 15.51: ?",
		"first-touch USD partner acme: none, 15.51: ?",
		"first-touch USD channel Email: none, 15.51: ?",
		"last-touch USD  : 15.51, none: ?",
		"last-touch USD partner acme: 15.51, none: ?",
		"last-touch USD channel Email: 15.51, none: ?",
		"linear EUR  : none, 0.01: ?",
		"linear EUR partner acme: none, 0.01: ?",
		"linear EUR channel Email: none, 0.01: ?",
		"linear USD  : 15.51, 15.51: 0.00",
		"linear USD partner acme: 10.01, 15.51: 5.50",
		"linear USD partner globex: 5.50, 0.00: -5.50",
		"linear USD channel Email: 15.01, 15.51: 0.50",
		"linear USD channel Social: 0.50, 0.00: -0.50",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if _, err := report.Compare(agreed, proposed, report.Partner, report.Partner); err == nil {
		t.Error("a dimension twice is no error")
	}
	if _, err := report.Compare(agreed, proposed, "moon"); err == nil {
		t.Error("an unknown dimension is no error")
	}
}

// TestCompareSums: by each dimension the changes sum to the change of the whole,
// and turning the books around turns the sign.
func TestCompareSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) report.Side {
			s := report.Side{Models: []string{"linear"}, Currency: "USD"}
			for range rapid.IntRange(0, 8).Draw(t, label) {
				v, err := report.ParseValue(fmt.Sprintf("%d.%02d", rapid.IntRange(-50, 50).Draw(t, "units"), rapid.IntRange(0, 99).Draw(t, "cents")))
				if err != nil {
					t.Fatal(err)
				}
				s.Rows = append(s.Rows, report.Row{
					Measure: "revenue", Model: "linear", Currency: "USD", Value: v,
					Partner: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "partner"), Channel: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "channel"),
				})
			}
			return s
		}
		agreed, proposed := draw("agreed"), draw("proposed")
		there, err := report.Compare(agreed, proposed, report.Partner, report.Channel)
		if err != nil {
			t.Fatal(err)
		}
		back, err := report.Compare(proposed, agreed, report.Partner, report.Channel)
		if err != nil || len(back) != len(there) {
			t.Fatalf("%d numbers one way, %d the other, %v", len(there), len(back), err)
		}
		by := map[report.Dimension]report.Value{}
		for i, d := range there {
			change, ok := d.Change()
			reverse, ok2 := back[i].Change()
			if !ok || !ok2 || change.Add(reverse).Text(0) != "0" {
				t.Fatalf("%+v changes by %s, and %s the other way", d, change.Text(2), reverse.Text(2))
			}
			by[d.By] = by[d.By].Add(change)
		}
		if whole := by[""]; whole.Cmp(by[report.Partner]) != 0 || whole.Cmp(by[report.Channel]) != 0 {
			t.Fatalf("the whole changes by %s, by partner %s, by channel %s", whole.Text(2), by[report.Partner].Text(2), by[report.Channel].Text(2))
		}
	})
}
