package report_test

import (
	"encoding/csv"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"tracksource/report"
)

// TestDaysDocumented: the examples of days, of a target, of models and of a change in docs/insights.md
// are what the rules find.
func TestDaysDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/insights.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, ok := strings.Cut(string(text), "## An example of days\n")
	if !ok {
		t.Fatal("docs/insights.md has no example of days")
	}
	example, _, _ = strings.Cut(example, "\n## ")
	blocks := regexp.MustCompile("(?s)```(?:csv|text)\n(.*?)```").FindAllStringSubmatch(example, -1)
	if len(blocks) != 8 {
		t.Fatalf("%d blocks, want days, deals, models and a change with what is found of each", len(blocks))
	}
	read := func(block int) (header []string, rows [][]string) {
		all, err := csv.NewReader(strings.NewReader(blocks[block][1])).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return all[0], all[1:]
	}
	check := func(block int, found []report.Insight) {
		t.Helper()
		if got := insightsText(found); got != blocks[block][1] {
			t.Errorf("findings are\n%s\ndocs/insights.md has\n%s", got, blocks[block][1])
		}
	}

	_, weeks := read(0)
	mqls := report.DailySeries{Measure: "MQL", Daily: report.Daily{From: day(t, "2025-12-01")}}
	for _, w := range weeks {
		n, err := strconv.Atoi(w[0])
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			for _, v := range w[1:] {
				mqls.Daily.Values = append(mqls.Daily.Values, value(t, v))
			}
		}
	}
	within := report.Span{From: day(t, "2026-03-23"), To: day(t, "2026-04-05")}
	check(1, report.Anomalies(report.AnomalyQuestion{Contract: tour(t), Within: within, Series: []report.DailySeries{mqls}}))

	goal := report.Goal{Period: report.Span{From: day(t, "2026-01-01"), To: day(t, "2026-03-31")}, Amount: value(t, "270000")}
	q := report.PaceQuestion{Measure: "revenue", Currency: "USD", Places: 2, Goals: []report.Goal{goal}, Day: day(t, "2026-03-08")}
	q.Daily = flat(report.Span{From: goal.Period.From, To: q.Day}, report.Value{})
	_, deals := read(2)
	for _, d := range deals {
		n, err := strconv.Atoi(d[1])
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			s := report.Sized{Day: day(t, d[0]), Value: value(t, d[2])}
			q.Sizes = append(q.Sizes, s)
			at := s.Day - q.Daily.From
			q.Daily.Values[at] = q.Daily.Values[at].Add(s.Value)
		}
	}
	check(3, report.Pacings(tour(t), report.PacesOf(q)))

	header, partners := read(4)
	ask := report.DisagreementQuestion{Measure: "revenue", Currency: "USD", Places: 2, Dimension: report.Partner, Agreed: "linear"}
	for i, name := range header[1:] {
		var given []string
		for _, row := range partners {
			given = append(given, row[0]+" "+row[1+i])
		}
		ask.Models = append(ask.Models, modelShares(t, name, name, true, given...))
	}
	check(5, report.TellDisagreements(tour(t), report.Disagreements(ask)))

	_, values := read(6)
	check(7, report.Changes(changeOf(t, values)))
}
