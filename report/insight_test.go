package report_test

import (
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"tracksource/attribution"
	"tracksource/report"
)

// seeds is how many made-up campaigns a test looks at.
func seeds(full int) uint64 {
	if testing.Short() {
		return uint64(full / 5)
	}
	return uint64(full)
}

// falseMost is how many of so many campaigns may have a finding where there is none, if
// one in twenty does at most: more would come about in less than one of a thousand tries.
func falseMost(campaigns uint64) int {
	n := int64(campaigns)
	// The binomial distribution with 1/20, in units of 20^-n.
	term := new(big.Int).Exp(big.NewInt(19), big.NewInt(n), nil)
	limit := new(big.Int).Exp(big.NewInt(20), big.NewInt(n), nil)
	limit.Sub(limit, new(big.Int).Quo(limit, big.NewInt(1000)))
	sum := new(big.Int)
	for k := int64(0); ; k++ {
		if sum.Add(sum, term); sum.Cmp(limit) >= 0 {
			return int(k)
		}
		term.Quo(term.Mul(term, big.NewInt(n-k)), big.NewInt(19*(k+1)))
	}
}

// TestInsightsQuiet: of campaigns in which nothing is different, at most one in twenty
// has a drop-off, and at most one in twenty an outlier.
func TestInsightsQuiet(t *testing.T) {
	campaigns := seeds(300)
	dropped, outlying, agreed := 0, 0, tour(t)
	for seed := range campaigns {
		m := campaign(t, agreed, seed, 600)
		if _, found, _ := report.DropOffs(m.question(), m.people); len(found) > 0 {
			dropped++
		}
		if _, found := report.Outliers(m.question()); len(found) > 0 {
			outlying++
		}
	}
	most := falseMost(campaigns)
	t.Logf("of %d campaigns %d have a drop-off and %d an outlier, at most %d may", campaigns, dropped, outlying, most)
	if dropped > most || outlying > most {
		t.Errorf("of %d campaigns with nothing in them %d have a drop-off and %d an outlier; at most %d may", campaigns, dropped, outlying, most)
	}
}

// sought is a finding that has to be there.
type sought struct {
	planted planted
	rule    string
	tone    report.Tone
	// stage is that of a drop-off, and kind what the evidence of an outlier is of.
	stage string
	kind  string
}

func (s *sought) isIn(found []report.Insight) bool {
	return slices.ContainsFunc(found, func(in report.Insight) bool {
		return in.Rule == s.rule && in.Tone == s.tone && in.About[0] == report.Subject{Dimension: string(s.planted.dimension), Key: s.planted.key} &&
			(s.stage == "" || in.About[1] == report.Subject{Dimension: "stage", Key: s.stage}) &&
			(s.kind == "" || in.Evidence[2].Name == s.kind)
	})
}

// TestInsightsFound: what was planted in a campaign of 600 deals is found, each thing in
// at least 95 of a hundred campaigns, though several are in the same one.
func TestInsightsFound(t *testing.T) {
	drop := func(d report.Dimension, key, what string, percent int) sought {
		return sought{planted: planted{d, key, what, percent}, rule: report.RuleDropOff, tone: report.Bad, stage: what}
	}
	out := func(d report.Dimension, key, what string, percent int, tone report.Tone, kind string) sought {
		return sought{planted: planted{d, key, what, percent}, rule: report.RuleOutlier, tone: tone, kind: kind}
	}
	for _, c := range []struct {
		name string
		want []sought
	}{
		{"drop-offs", []sought{
			drop(report.Partner, "acme", "proposal", 50),
			drop(report.Partner, "acme", "MQL", 45),
			drop(report.Segment, "mid-market", "SQL", 60),
			drop(report.Channel, "paid-search", "SQL", 50),
		}},
		{"outliers", []sought{
			out(report.Asset, "webinar-1", "begun won", 20, report.Bad, "won"),
			out(report.Asset, "paid-search-1", "value", 250, report.Good, "median value"),
			out(report.Channel, "webinar", "days", 50, report.Good, "median days"),
			out(report.Segment, "mid-market", "value", 45, report.Neutral, "median value"),
		}},
		{"an asset that wins", []sought{out(report.Asset, "event-1", "begun every", 150, report.Good, "won")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			campaigns, agreed := seeds(60), tour(t)
			plants := make([]planted, len(c.want))
			for i, s := range c.want {
				plants[i] = s.planted
			}
			found := make([]int, len(c.want))
			for seed := range campaigns {
				m := campaign(t, agreed, seed, 600, plants...)
				_, all, _ := report.DropOffs(m.question(), m.people)
				_, more := report.Outliers(m.question())
				all = append(all, more...)
				for i := range c.want {
					if c.want[i].isIn(all) {
						found[i]++
					}
				}
			}
			for i, s := range c.want {
				t.Logf("%+v: %d of %d", s.planted, found[i], campaigns)
				if int(campaigns)-found[i] > max(1, int(campaigns)*5/100) { // a few seeds may miss one
					t.Errorf("%+v is found in %d of %d campaigns", s.planted, found[i], campaigns)
				}
			}
		})
	}
}

// dealsOf are so many deals alike.
func dealsOf(t testing.TB, n int, created, closed, state, sourced, segment string) []report.Deal {
	t.Helper()
	var list []report.Deal
	for range n {
		d := course(t, created, closed, state, sourced, "1000.00")
		d.Parts[0].Segment = segment
		list = append(list, d)
	}
	return list
}

// TestInsightsYoung: deals that have not had their time are held against nothing, how
// well or badly they stand so far; what was won later than that is not won in time.
func TestInsightsYoung(t *testing.T) {
	for _, c := range []struct {
		name string
		won  int // of the young ones, in two days
	}{{"none of the young is won", 0}, {"most of the young are won", 45}} {
		t.Run(c.name, func(t *testing.T) {
			deals := slices.Concat(
				dealsOf(t, 100, "2026-01-10", "2026-01-20", "won", "globex", "old"),
				dealsOf(t, 6, "2026-01-10", "2026-02-20", "won", "globex", "old"),
				dealsOf(t, 94, "2026-01-10", "", "open", "globex", "old"),
				dealsOf(t, c.won, "2026-03-28", "2026-03-30", "won", "acme", "young"),
				dealsOf(t, 60-c.won, "2026-03-28", "", "open", "acme", "young"),
			)
			q := report.DealQuestion{Contract: tour(t), Today: day(t, "2026-03-31"), Deals: report.Listed(deals)}
			table, found, _ := report.DropOffs(q, nil)
			want := [][]string{
				{"created", "won", "deals", "partner", "globex", "10", "200", "100", "0.5", "", "", "too few"},
				{"created", "won", "deals", "channel", "(unattributed)", "10", "200", "100", "0.5", "", "", "too few"},
				{"created", "won", "deals", "segment", "old", "10", "200", "100", "0.5", "", "", "too few"},
			}
			if fmt.Sprint(table.Rows) != fmt.Sprint(want) || len(found) != 0 {
				t.Errorf("rows\n%v\nand findings %v, want\n%v\nand none", table.Rows, found, want)
			}
			table, found = report.Outliers(q)
			for _, row := range table.Rows {
				if row[2] != "value" {
					t.Errorf("tested %v", row)
				}
			}
			if len(found) != 0 {
				t.Errorf("findings %v", found)
			}
		})
	}
}

// TestInsightsFew: below a sample nothing is told, however clear it looks; with one more
// deal it is.
func TestInsightsFew(t *testing.T) {
	for _, c := range []struct{ deals, found int }{{19, 0}, {20, 2}} { // of the partner and of the segment
		deals := slices.Concat(
			dealsOf(t, 100, "2026-01-10", "2026-01-20", "won", "globex", "enterprise"),
			dealsOf(t, c.deals, "2026-01-10", "2026-01-20", "lost", "acme", "public"),
		)
		q := report.DealQuestion{Contract: tour(t), Today: day(t, "2026-03-31"), Deals: report.Listed(deals)}
		bad := 0
		_, found, _ := report.DropOffs(q, nil)
		for _, in := range found {
			if in.Tone == report.Bad {
				bad++
			}
		}
		if bad != c.found {
			t.Errorf("with %d deals %d drop-offs, want %d: %v", c.deals, bad, c.found, found)
		}
	}
}

// TestInsightsFirst: what was found is in the first rows of its table.
func TestInsightsFirst(t *testing.T) {
	m := campaign(t, tour(t), 3, 600, planted{report.Segment, "mid-market", "SQL", 40}, planted{report.Asset, "webinar-1", "value", 300})
	drops, found, leaks := report.DropOffs(m.question(), m.people)
	outliers, more := report.Outliers(m.question())
	if len(found) == 0 || len(more) == 0 || len(leaks) == 0 {
		t.Fatalf("%d drop-offs, %d outliers, %d leaks", len(found), len(more), len(leaks))
	}
	for _, c := range []struct {
		table report.Table
		found int
	}{{drops, len(found)}, {outliers, len(more)}} {
		for i, row := range c.table.Rows {
			if verdict := row[len(row)-1]; (verdict == "worse" || verdict == "better") != (i < c.found) {
				t.Errorf("%s: row %d of %d found is %v", c.table.ID, i, c.found, row)
			}
		}
	}
	for _, l := range leaks {
		if rate := big.NewRat(int64(l.Passed), int64(l.Entered)); l.Key != "mid-market" || rate.Cmp(l.Baseline) >= 0 || l.Onward == nil || l.Onward.Sign() <= 0 || l.Onward.Cmp(big.NewRat(1, 1)) >= 0 {
			t.Errorf("leak %+v", l)
		}
	}
}

// TestInsightsPlaces: the order of deals, what is no deal of the book and a campaign
// without deals change nothing; every table is one that a package may have.
func TestInsightsPlaces(t *testing.T) {
	m := campaign(t, tour(t), 7, 300, planted{report.Segment, "mid-market", "SQL", 40})
	told := func(deals []report.Deal) string {
		q := m.question()
		q.Deals = report.Listed(deals)
		drops, found, leaks := report.DropOffs(q, m.people)
		outliers, more := report.Outliers(q)
		ranking, most := report.Rank(report.RankQuestion{DealQuestion: q, Dimension: report.Asset, Measure: "revenue"})
		p := report.Package{Tables: []report.Table{drops, outliers, ranking}}
		if err := p.Check(); err != nil {
			t.Error(err)
		}
		return fmt.Sprint(drops, found, leaks, outliers, more, ranking, most)
	}
	want := told(m.deals)
	reversed := slices.Clone(m.deals)
	slices.Reverse(reversed)
	excluded := m.deals[0].Parts[0]
	excluded.Excluded = attribution.ExcludedScope
	order := m.deals[1].Parts[0]
	order.Order = true
	undated := m.deals[2].Parts[0]
	undated.CreatedAt = time.Time{}
	for _, f := range []attribution.Facts{excluded, order, undated} {
		reversed = append(reversed, report.Deal{Account: "other", Parts: []attribution.Facts{f}})
	}
	if got := told(reversed); got != want {
		t.Errorf("told\n%s\nwant\n%s", got, want)
	}
	told(nil)
}

// BenchmarkInsights looks for everything in 100,000 deals.
func BenchmarkInsights(b *testing.B) {
	m := campaign(b, tour(b), 1, 100_000)
	q := m.question()
	b.ReportAllocs()
	for b.Loop() {
		report.DropOffs(q, m.people)
		report.Outliers(q)
		for _, d := range []report.Dimension{report.Asset, report.Channel, report.Segment} {
			report.Rank(report.RankQuestion{DealQuestion: q, Dimension: d, Measure: attribution.MeasureRevenue})
		}
	}
}
