package report_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tracksource/attribution"
	"tracksource/report"
)

// rankingText is the rows of a ranking, and of each finding what it is about.
func rankingText(table report.Table, found []report.Insight) string {
	var out strings.Builder
	for _, row := range table.Rows {
		out.WriteString(strings.Join(row, " | ") + "\n")
	}
	for _, in := range found {
		keys := make([]string, len(in.About))
		for i, s := range in.About {
			keys[i] = s.Key
		}
		fmt.Fprintf(&out, "%s %s %s: %s\n", in.Rule, in.Tone, in.Stake, strings.Join(keys, ", "))
	}
	return out.String()
}

// TestRank: what has credit, spend or deals has a row; it has a place where there is
// enough to rank by, and names something.
func TestRank(t *testing.T) {
	segment := func(n int, closed, state, segment string) []report.Deal {
		return dealsOf(t, n, "2026-01-10", closed, state, "globex", segment)
	}
	for _, c := range []struct {
		name   string
		credit string // key=amount, and for what was spent key:amount
		deals  [][]report.Deal
		want   string
	}{
		{"nothing", "", nil, ""},
		{
			"one alone is neither first nor last", "a=5", nil,
			"a | 5.00 |  |  | 0 | 0 |  |  | 1 |  | \n",
		},
		{
			"what names nothing has no place", "(unknown)=9 a=5 b=3 (unattributed)=2", nil,
			`(unknown) | 9.00 |  |  | 0 | 0 |  |  |  |  | 
a | 5.00 |  |  | 0 | 0 |  |  | 1 |  | 
b | 3.00 |  |  | 0 | 0 |  |  | 2 |  | 
(unattributed) | 2.00 |  |  | 0 | 0 |  |  |  |  | 
top good 5.00: a
bottom neutral 3.00: b
`,
		},
		{
			"at most three from each end, none from both, equal ones by key", "a=5 c=4 b=4 d=3 e=2 f=1 g=0 h=-1", nil,
			`a | 5.00 |  |  | 0 | 0 |  |  | 1 |  | 
b | 4.00 |  |  | 0 | 0 |  |  | 2 |  | 
c | 4.00 |  |  | 0 | 0 |  |  | 3 |  | 
d | 3.00 |  |  | 0 | 0 |  |  | 4 |  | 
e | 2.00 |  |  | 0 | 0 |  |  | 5 |  | 
f | 1.00 |  |  | 0 | 0 |  |  | 6 |  | 
g | 0.00 |  |  | 0 | 0 |  |  |  |  | 
h | -1.00 |  |  | 0 | 0 |  |  |  |  | 
top good 13.00: a, b, c
bottom neutral 6.00: f, e, d
`,
		},
		{
			"spend without revenue is the lowest return, nothing spent is none", "a=6 b=6 b:3 c:2 a:0", nil,
			`a | 6.00 |  |  | 0 | 0 |  |  | 1 |  | 
b | 6.00 | 3.00 | 2 | 0 | 0 |  |  | 2 | 1 | 
c | 0.00 | 2.00 | 0 | 0 | 0 |  |  |  | 2 | 
top good 6.00: a
bottom neutral 6.00: b
top good 3.00: b
bottom bad 2.00: c
`,
		},
		{
			"spend without revenue is at no top", "a=6 a:2 b:3 c:4", nil,
			`a | 6.00 | 2.00 | 3 | 0 | 0 |  |  | 1 | 1 | 
b | 0.00 | 3.00 | 0 | 0 | 0 |  |  |  | 2 | 
c | 0.00 | 4.00 | 0 | 0 | 0 |  |  |  | 3 | 
top good 2.00: a
bottom bad 7.00: c, b
`,
		},
		{
			"velocity from five deals won on", "",
			[][]report.Deal{
				segment(5, "2026-01-20", "won", "a"), segment(3, "2026-01-20", "lost", "a"), segment(2, "", "open", "a"),
				segment(6, "2026-02-09", "won", "b"), segment(4, "2026-01-11", "won", "c"),
			},
			`a | 0.00 |  |  | 10 | 5 | 0.625 | 10 |  |  | 1
b | 0.00 |  |  | 6 | 6 | 1 | 30 |  |  | 2
c | 0.00 |  |  | 4 | 4 | 1 | 1 |  |  | 
top good : a
bottom bad : b
`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := report.RankQuestion{
				DealQuestion: report.DealQuestion{Contract: tour(t), Today: day(t, "2026-03-31")},
				Dimension:    report.Segment, Measure: attribution.MeasureRevenue, Spend: map[string]report.Value{},
			}
			for _, word := range strings.Fields(c.credit) {
				if key, amount, ok := strings.Cut(word, "="); ok {
					q.Credit.Groups = append(q.Credit.Groups, report.Group{Key: []string{key}, Value: value(t, amount)})
					continue
				}
				key, amount, _ := strings.Cut(word, ":")
				q.Spend[key] = value(t, amount)
			}
			q.Revenue = q.Credit
			q.Deals = report.Listed(slices.Concat(c.deals...))
			if got := rankingText(report.Rank(q)); got != c.want {
				t.Errorf("ranking\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}
