package report_test

import (
	"strings"
	"testing"

	"tracksource/report"
)

// changeOf is the question of what changed in revenue, of rows of a dimension, a value, what
// it had before and what it has now.
func changeOf(t *testing.T, rows [][]string) report.ChangeQuestion {
	t.Helper()
	q := report.ChangeQuestion{Contract: tour(t), Measure: "revenue", Currency: "USD", Places: 2, Days: 31}
	for _, r := range rows {
		d := report.Dimension(r[0])
		if n := len(q.Sides); n == 0 || q.Sides[n-1].Now.Dimensions[0] != d {
			dims := []report.Dimension{d}
			q.Sides = append(q.Sides, report.ChangeSides{Now: report.Breakdown{Dimensions: dims}, Before: report.Breakdown{Dimensions: dims}})
		}
		side := &q.Sides[len(q.Sides)-1]
		for b, text := range map[*report.Breakdown]string{&side.Before: r[2], &side.Now: r[3]} {
			if text != "" {
				v := value(t, text)
				b.Groups = append(b.Groups, report.Group{Key: []string{r[1]}, Value: v})
				b.Total = b.Total.Add(v)
			}
		}
	}
	return q
}

// TestChanges: what gained and lost most is told, the largest first, what changed by less
// than a twentieth of everything is not, and neither is what names nothing.
func TestChanges(t *testing.T) {
	s := newStoryteller(t)
	for _, c := range []struct {
		name string
		rows [][]string
		own  string
		days int
		want []string
	}{
		{"nothing", nil, "", 31, nil},
		{"unchanged", [][]string{{"channel", "Events", "10", "10"}}, "", 31, nil},
		{"a twentieth", [][]string{{"channel", "Events", "95", "100"}}, "", 31, []string{"change, good: Channel Events is credited with USD 100.00 of revenue, USD 5.00 more than in the 31 days before (up 5.3%); the total rose by USD 5.00."}},
		{"less than a twentieth", [][]string{{"channel", "Events", "95.01", "100"}}, "", 31, nil},
		{"none before and none now", [][]string{{"channel", "Email", "60", ""}, {"channel", "Events", "", "60"}}, "", 1, []string{
			"change, good: Channel Events is credited with USD 60.00 of revenue, after none in the day before.",
			"change, bad: Channel Email is credited with USD 0.00 of revenue, USD 60.00 less than in the day before (down 100%).",
		}},
		{"taken back", [][]string{{"partner", "acme", "-20", "40"}}, "", 31, []string{"change, good: Acme is credited with USD 40.00 of revenue, USD 60.00 more than in the 31 days before; the total rose by USD 60.00."}},
		{"of nobody", [][]string{{"partner", report.Unattributed, "10", "90"}}, "", 31, nil},
		{"own", [][]string{{"partner", "globex", "40", "80"}, {"asset", "keynote", "20", "50"}}, "globex", 31, []string{
			"change, good: Globex is credited with USD 80.00 of revenue, USD 40.00 more than in the 31 days before (up 100%).",
			"change, good: Asset keynote of Globex is credited with USD 50.00 of revenue, USD 30.00 more than in the 31 days before (up 150%).",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := changeOf(t, c.rows)
			q.Days = c.days
			for i := range q.Sides {
				q.Sides[i].Own = c.own
			}
			want := ""
			if len(c.want) > 0 {
				want = strings.Join(c.want, "\n") + "\n"
			}
			if got := insightsText(report.Changes(q)); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
	t.Run("nothing before", func(t *testing.T) {
		q := changeOf(t, [][]string{{"partner", "acme", "", "10"}})
		q.Paces = []report.Pace{
			s.pace("revenue", "", "USD", "810000", "9500"), s.pace("revenue", "acme", "USD", "400000", "4000"), s.pace("revenue", "globex", "USD", "405000", "5000"),
			s.pace("pipeline_created", "acme", "USD", "400000", "4000"),
		}
		const want = `change, good: Globex reached USD 445,000.00 of revenue by 2026-03-30, 111.1% of the USD 400,500.00 that its target expects by then. At this pace it ends on 2026-03-31 at USD 450,000 of USD 405,000.00.
change, bad: Acme reached USD 356,000.00 of revenue by 2026-03-30, 90% of the USD 395,555.55 that its target expects by then. At this pace it ends on 2026-03-31 at USD 360,000 of USD 400,000.00.
`
		if got := insightsText(report.Changes(q)); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}
