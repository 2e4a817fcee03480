package report_test

import (
	"encoding/csv"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tracksource/attribution"
	"tracksource/report"
)

// insightsText is one line for each finding.
func insightsText(found []report.Insight) string {
	var out strings.Builder
	for _, in := range found {
		out.WriteString(in.Rule + ", " + string(in.Tone) + ": " + in.Text)
		if in.Chance != "" {
			out.WriteString(" chance " + in.Chance)
		}
		out.WriteString("\n")
	}
	return out.String()
}

// TestInsightsDocumented: the examples of docs/insights.md are what the rules find.
func TestInsightsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/insights.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, ok := strings.Cut(string(text), "## An example of deals\n")
	if !ok {
		t.Fatal("docs/insights.md has no example of deals")
	}
	example, _, _ = strings.Cut(example, "\n## ")
	blocks := regexp.MustCompile("(?s)```(?:csv|text)\n(.*?)```").FindAllStringSubmatch(example, -1)
	if len(blocks) != 5 {
		t.Fatalf("%d blocks, want deals, drop-offs, outliers, money and rankings", len(blocks))
	}
	read := func(block int) [][]string {
		rows, err := csv.NewReader(strings.NewReader(blocks[block][1])).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rows[1:]
	}
	q := report.DealQuestion{Contract: tour(t), Today: day(t, "2026-03-31")}
	var deals []report.Deal
	for _, r := range read(0) {
		n, err := strconv.Atoi(r[0])
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			d := course(t, r[3], r[4], r[5], r[1], r[6])
			f := &d.Parts[0]
			f.Touches = []attribution.FactTouch{{Asset: r[2], At: f.CreatedAt}}
			for i := range f.Measures {
				f.Measures[i].Path = []int{0}
			}
			deals = append(deals, d)
		}
	}
	q.Deals = report.Listed(deals)
	check := func(block int, found []report.Insight) {
		t.Helper()
		if got := insightsText(found); got != blocks[block][1] {
			t.Errorf("findings are\n%s\ndocs/insights.md has\n%s", got, blocks[block][1])
		}
	}
	_, found, _ := report.DropOffs(q, nil)
	check(1, found)
	_, found = report.Outliers(q)
	check(2, found)
	rank := report.RankQuestion{DealQuestion: q, Dimension: report.Asset, Measure: attribution.MeasureRevenue, Spend: map[string]report.Value{}}
	rank.Credit.Dimensions = []report.Dimension{report.Asset}
	for _, r := range read(3) {
		rank.Credit.Groups = append(rank.Credit.Groups, report.Group{Key: r[:1], Value: value(t, r[1])})
		rank.Credit.Total = rank.Credit.Total.Add(value(t, r[1]))
		rank.Spend[r[0]] = value(t, r[2])
	}
	slices.Reverse(rank.Credit.Groups) // whatever order they come in
	rank.Revenue = rank.Credit
	_, found = report.Rank(rank)
	check(4, found)
}
