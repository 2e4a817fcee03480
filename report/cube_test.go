package report_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tracksource/money"
	"tracksource/report"
)

// drawRow draws a row of few names, so that keys meet.
func drawRow(t *rapid.T) report.Row {
	name := rapid.SampledFrom([]string{"a", "b", "1:a", "", report.Unattributed})
	r := report.Row{
		Partner: name.Draw(t, "partner"), Channel: name.Draw(t, "channel"), Asset: name.Draw(t, "asset"),
		Region: name.Draw(t, "region"), Segment: name.Draw(t, "segment"),
		Escrow:   rapid.SampledFrom([]string{"(none)", "(none)", "disputed"}).Draw(t, "escrow"),
		Day:      money.Day(20000 + rapid.IntRange(0, 3).Draw(t, "day")).String(),
		Currency: rapid.SampledFrom([]string{"EUR", "EUR", "JPY", "", "XXX"}).Draw(t, "currency"),
	}
	if rapid.Bool().Draw(t, "says where it is booked") {
		r.Booked = money.Day(20000 + rapid.IntRange(0, 3).Draw(t, "booked")).String()
	}
	for i, to := range []*report.Value{&r.Value, &r.Confident} {
		name := []string{"value", "confident"}[i]
		text := money.Format(rapid.Int64().Draw(t, name), 2)
		if rapid.IntRange(0, 5).Draw(t, name+" is odd") == 0 {
			text = "1234567890123456789012345678.123456789"
		}
		v, err := report.ParseValue(text)
		if err != nil {
			t.Fatal(err)
		}
		*to = v
	}
	return r
}

func key(r *report.Row) string {
	return fmt.Sprintf("%q", []string{r.Day, cmp.Or(r.Booked, r.Day), r.Escrow, r.Partner, r.Channel, r.Asset, r.Region, r.Segment, r.Source, r.TouchCampaign})
}

func lines(b report.Breakdown) string {
	var out []string
	for _, g := range b.Groups {
		out = append(out, fmt.Sprintf("%q=%s of which %s", g.Key, g.Value.Text(0), g.Confident.Text(0)))
	}
	return fmt.Sprintf("%s total %s of which %s unattributed %s rows %d: %s", b.Currency, b.Total.Text(0), b.Confident.Text(0), b.Unattributed.Text(0), b.Rows, strings.Join(out, " "))
}

// TestCubeIsTally sets and deletes rows, newer and older ones, and wants every
// question answered as the plain tally over the rows that are left answers it.
func TestCubeIsTally(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cube := report.NewCube()
		type held struct {
			row     report.Row
			version int64
			deleted bool
		}
		rows := map[string]held{}
		for range rapid.IntRange(0, 40).Draw(t, "changes") {
			r := drawRow(t)
			h := held{r, rapid.Int64Range(0, 5).Draw(t, "version"), rapid.IntRange(0, 3).Draw(t, "delete") == 0}
			var err error
			if h.deleted {
				err = cube.Delete(&r, h.version)
			} else {
				err = cube.Upsert(&r, h.version)
			}
			if err != nil {
				t.Fatal(err)
			}
			if was, ok := rows[key(&r)]; !ok || h.version >= was.version {
				rows[key(&r)] = h
			}
		}
		ask := report.Ask{View: rapid.SampledFrom(append(report.Views(), "")).Draw(t, "view"), Any: map[report.Dimension][]string{}}
		if rapid.Bool().Draw(t, "within") {
			from := rapid.IntRange(-1, 4).Draw(t, "from")
			ask.Within = &report.Span{From: money.Day(20000 + from), To: money.Day(20000 + from + rapid.IntRange(0, 3).Draw(t, "days"))}
		}
		text := rapid.SampledFrom([]report.Dimension{report.Partner, report.Channel, report.Asset, report.Region, report.Source, report.Escrow})
		for range rapid.IntRange(0, 2).Draw(t, "filters") {
			ask.Any[text.Draw(t, "filter")] = rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "", "disputed", "nobody"}), 0, 2).Draw(t, "values")
		}
		ask.By = rapid.SliceOfNDistinct(rapid.SampledFrom(report.Dimensions()), 0, report.CubeByMax, rapid.ID[report.Dimension]).Draw(t, "by")
		tally, err := report.NewTally(ask.By...)
		if err != nil {
			t.Fatal(err)
		}
		live := 0
		for _, h := range rows {
			if h.deleted {
				continue
			}
			live++
			if seen, ok := ask.Take(&h.row); ok {
				tally.Add(&seen)
			}
		}
		got, err := cube.Sum(ask)
		if err != nil {
			t.Fatal(err)
		}
		want := tally.Breakdowns()
		if cube.Rows() != live || !slices.EqualFunc(got, want, func(a, b report.Breakdown) bool { return lines(a) == lines(b) }) {
			t.Fatalf("%+v of %d rows (want %d):\ngot  %v\nwant %v", ask, cube.Rows(), live, got, want)
		}
	})
}

// TestViews: a row is told by its own day or by the one that it is booked on, and an
// adjustment is what the two do not share.
func TestViews(t *testing.T) {
	cube := report.NewCube()
	for _, r := range []report.Row{
		{Day: "2026-01-31", Value: value(t, "100"), Confident: value(t, "90")},
		{Day: "2026-01-31", Booked: "2026-01-31", Partner: "blue", Value: value(t, "10")},
		{Day: "2026-01-31", Booked: "2026-02-01", Value: value(t, "-30"), Confident: value(t, "-27")},
		{Day: "2026-02-01", Booked: "2026-02-01", Value: value(t, "5"), Confident: value(t, "5")},
	} {
		if err := cube.Upsert(&r, 1); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		view   report.View
		within *report.Span
		want   string
	}{
		{"", nil, `total 85 of which 68 unattributed 0 rows 4: ["2026-01-31"]=80 of which 63 ["2026-02-01"]=5 of which 5`},
		{report.Restated, nil, `total 85 of which 68 unattributed 0 rows 4: ["2026-01-31"]=80 of which 63 ["2026-02-01"]=5 of which 5`},
		{report.AsKnown, nil, `total 85 of which 68 unattributed 0 rows 4: ["2026-01-31"]=110 of which 90 ["2026-02-01"]=-25 of which -22`},
		{report.Adjustments, nil, `total -30 of which -27 unattributed 0 rows 1: ["2026-02-01"]=-30 of which -27`},
		{report.AsKnown, &report.Span{From: 20484, To: 20484}, `total 110 of which 90 unattributed 0 rows 2: ["2026-01-31"]=110 of which 90`},
		{report.Adjustments, &report.Span{From: 20484, To: 20484}, ``},
	} {
		got, err := cube.Sum(report.Ask{View: c.view, Within: c.within, By: []report.Dimension{report.Day}})
		text := ""
		for _, b := range got {
			text += strings.TrimSpace(lines(b))
		}
		if err != nil || text != c.want {
			t.Errorf("%q within %v: got %s, %v; want %s", c.view, c.within, text, err, c.want)
		}
	}
	if _, err := cube.Sum(report.Ask{View: "later"}); err == nil {
		t.Error("an unknown view is not refused")
	}
}

// TestCubeForgets deletes most of many rows, and asks what is left.
func TestCubeForgets(t *testing.T) {
	cube := report.NewCube()
	for i := range 5000 {
		r := report.Row{Day: money.Day(20000 + i%50).String(), Partner: "p", Asset: fmt.Sprint(i), Currency: "EUR", Value: value(t, "1.01")}
		if err := cube.Upsert(&r, 1); err != nil {
			t.Fatal(err)
		}
		if i%5 != 0 {
			if err := cube.Delete(&r, 2); err != nil {
				t.Fatal(err)
			}
		}
	}
	before := cube.Bytes()
	cube.Compact()
	got, err := cube.Sum(report.Ask{By: []report.Dimension{report.Partner}})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Total.Text(2) != "1010.00" || got[0].Rows != 1000 || cube.Rows() != 1000 {
		t.Errorf("after forgetting: %+v of %d rows, want 1010.00 of 1000", got, cube.Rows())
	}
	if after := cube.Bytes(); after >= before {
		t.Errorf("%d bytes before forgetting, %d after", before, after)
	}
	again := report.Row{Day: money.Day(20000).String(), Partner: "p", Asset: "0", Currency: "EUR", Value: value(t, "2")}
	if err := cube.Upsert(&again, 3); err != nil {
		t.Fatal(err)
	}
	if got, _ := cube.Sum(report.Ask{}); got[0].Total.Text(2) != "1010.99" {
		t.Errorf("a row that is set again makes %s, want 1010.99", got[0].Total.Text(2))
	}
}

// TestCubeWide asks for more groups than are found by place, and than places have
// numbers: the names of six dimensions are more than 2^64 together.
func TestCubeWide(t *testing.T) {
	for _, by := range [][]report.Dimension{
		{report.Asset, report.Source, report.Day},
		{report.Partner, report.Channel, report.Asset, report.Region, report.Source, report.Day},
	} {
		cube := report.NewCube()
		tally, err := report.NewTally(by...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4000 {
			r := report.Row{
				Day: money.Day(20000 + i%700).String(), Asset: fmt.Sprint(i % 3500), Source: fmt.Sprint(i % 2100), Partner: fmt.Sprint(i % 3900),
				Channel: fmt.Sprint(i % 3800), Region: fmt.Sprint(i % 3700), Currency: []string{"EUR", "USD"}[i%2], Value: value(t, fmt.Sprint(i)),
			}
			tally.Add(&r)
			if err := cube.Upsert(&r, 1); err != nil {
				t.Fatal(err)
			}
		}
		got, err := cube.Sum(report.Ask{By: by})
		if err != nil {
			t.Fatal(err)
		}
		if want := tally.Breakdowns(); !slices.EqualFunc(got, want, func(a, b report.Breakdown) bool { return lines(a) == lines(b) }) {
			t.Errorf("a breakdown by %v differs from the tally", by)
		}
		if _, err := cube.Sum(report.Ask{By: report.Dimensions()[:report.CubeByMax+1]}); err == nil {
			t.Error("seven dimensions are not refused")
		}
	}
}

func BenchmarkCubeSum(b *testing.B) {
	cube := report.NewCube()
	one, err := report.ParseValue("12.34")
	if err != nil {
		b.Fatal(err)
	}
	for i := range 1_000_000 {
		r := report.Row{
			Day: money.Day(20000 + i%365).String(), Partner: fmt.Sprint("p", i%7), Channel: fmt.Sprint("c", i%11), Asset: fmt.Sprint("a", i%211),
			Region: fmt.Sprint("r", i%5), Segment: fmt.Sprint("s", i%3), Source: fmt.Sprint("u", i%1009), Currency: "EUR", Value: one,
		}
		if err := cube.Upsert(&r, 1); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("%d rows, %d bytes", cube.Rows(), cube.Bytes())
	for _, by := range [][]report.Dimension{{}, {report.Partner, report.Channel}, {report.Asset, report.Source, report.Day}} {
		b.Run(fmt.Sprint(by), func(b *testing.B) {
			for b.Loop() {
				if _, err := cube.Sum(report.Ask{By: by}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
