package plan_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tracksource/internal/plans"
	"tracksource/report"
	"tracksource/report/plan"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var noon = time.Date(2026, 11, 19, 12, 0, 0, 0, time.UTC)

// asked is the question of the tests.
var asked = plan.Question{
	Campaign: "AI Launch Tour", Window: "30d", Detail: "full", Dimensions: []string{"partner", "channel"}, Model: "multi-touch",
	Formats: []string{"html", "md"}, Given: []string{"campaign", "window", "attribution-model"}, Reporter: "http://127.0.0.1:8087",
}

func feed(kind, partner string, fresh, complete bool) report.FeedQA {
	newest := noon.Add(-time.Hour)
	return report.FeedQA{
		Feed: kind, Partner: partner, Topic: "tracksource.raw." + kind + "." + partner, Records: 1200, Offsets: []int64{700, 500}, Newest: &newest,
		AgeSeconds: 3600, LimitSeconds: 86400, Fresh: fresh, Completeness: "0.998", Complete: complete, DeadLetters: 3,
		Counts: &report.FeedCounts{Accepted: 1150, Duplicates: 30, Late: 7, Suppressed: 2, Unmatchable: 5, Touches: 800, Unmatched: 120},
	}
}

// answer is the package of the tests.
func answer() *report.Package {
	return &report.Package{
		Version: report.PackageVersion, Campaign: "ai-launch-tour", Name: "AI Launch Tour", Revision: 3, Contract: strings.Repeat("3c", 32),
		Currency: "USD", Zone: "America/New_York", Partners: []report.Named{{ID: "acme", Name: "Acme"}, {ID: "globex", Name: "Globex"}, {ID: "initech", Name: "Initech"}},
		Question: report.PackageQuestion{
			Window: "30d", From: "2026-10-21", To: "2026-11-19", Detail: report.Full, Dimensions: []string{"partner", "channel"},
			Model: "position-based", ModelName: "Position based", View: report.AsKnown,
		},
		AsOf:     report.AsOf{Time: noon.Add(-time.Second)},
		Spine:    []report.KPI{{ID: "revenue", Value: "1200000", Kind: report.MoneyColumn}, {ID: "confidence", Value: "0.86", Target: "0.85", Kind: report.RatioColumn}},
		Headline: "Pipeline of 1.2 million is 8 % ahead of its target.",
		Tables: []report.Table{
			{
				ID: "disputes", Columns: []report.Column{{ID: "state"}, {ID: "opened_at", Kind: report.TimeColumn}, {ID: "settled_at", Kind: report.TimeColumn}},
				Rows: [][]string{{"open", "2026-11-01T00:00:00Z", ""}, {"upheld", "2026-11-01T00:00:00Z", "2026-11-03T12:00:00Z"}, {"withdrawn", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"}},
			},
			{
				ID: "escalations", LeftOut: 2, Columns: []report.Column{{ID: "kind"}, {ID: "severity"}, {ID: "subject"}, {ID: "message"}, {ID: "rung"}, {ID: "owner"}, {ID: "fallback"}, {ID: "since"}, {ID: "deadline"}, {ID: "taken_by"}},
				Rows: [][]string{{"dispute", "critical", "D-7", "globex disputes who sourced D-7", "Board", "", "Chair", "2026-11-01", "2026-11-15", "RevOps"}},
			},
			{
				ID: "signatures", Columns: []report.Column{{ID: "partner"}, {ID: "decision"}, {ID: "by"}, {ID: "at", Kind: report.TimeColumn}, {ID: "title"}, {ID: "hash"}, {ID: "why"}},
				Rows: [][]string{{"globex", "approved", "Partner Operations", "2026-11-12T15:00:00Z", "Week 45", strings.Repeat("e7", 32), "as agreed"}},
			},
			mappings(mapped("map.acme", 1, "", "")),
		},
		Observed: report.Observed{BehindSeconds: 2, Feeds: []report.FeedQA{feed("crm", "acme", true, true), feed("map", "acme", true, true), feed("analytics", "globex", false, true)}},
	}
}

func done(at time.Time) plan.Done {
	return plan.Done{At: at, Directory: "track-source-report/ai-launch-tour-20261119T115959Z", Manifest: strings.Repeat("b1", 32), Files: []string{"snapshot.html", "summary.md"}}
}

// try is the n-th try of a plan, which takes a second.
func try(t *testing.T, p *plan.Plan, at time.Time, last, err error) {
	t.Helper()
	again, ok := p.Next(last, 0, at)
	if !ok {
		t.Fatalf("there is no try after %d", len(p.TrackSource.Attempts))
	}
	p.Attempt(again, at, at.Add(time.Second), err)
}

// first is a plan that was completed at the first try.
func first(t *testing.T) *plan.Plan {
	t.Helper()
	p := plan.New(plan.ID(noon, 1), asked, plan.Past{}, noon)
	try(t, p, noon, nil, nil)
	p.Complete(answer(), done(noon.Add(2*time.Second)), plan.Past{})
	return p
}

// next is the plan after the last one, completed at the first try, with what is new in its
// change log.
func next(t *testing.T, last *plan.Plan, q plan.Question, pkg *report.Package, at time.Time) (*plan.Plan, []plan.Change) {
	t.Helper()
	past := plan.Past{Last: last}
	p := plan.New(plan.ID(at, 1), q, past, at)
	try(t, p, at, nil, nil)
	p.Complete(pkg, done(at), past)
	return p, slices.DeleteFunc(slices.Clone(p.TrackSource.ChangeLog), func(c plan.Change) bool { return c.PlanID != p.PlanID })
}

// second is the question and the package of a week later, when the contract has another
// agreed model and revision, a feed is read in another way, and a partner has another feed.
func second() (plan.Question, *report.Package) {
	q, pkg := asked, answer()
	q.Window, q.Model = "7d", ""
	pkg.Question.Window, pkg.Question.From, pkg.Question.Model = "7d", "2026-11-20", "w-shaped"
	pkg.Question.To, pkg.AsOf.Time = "2026-11-26", noon.AddDate(0, 0, 7)
	pkg.Revision, pkg.Contract = 5, strings.Repeat("5e", 32)
	pkg.Tables = append(pkg.Tables, revisions(
		[]string{"5", strings.Repeat("5e", 32), "2026-11-24T09:00:00Z", "Governance board", "=1+1 <b>the agreed model</b> is w-shaped", "models, multi_touch"},
		[]string{"4", strings.Repeat("4d", 32), "2026-11-23T09:00:00Z", "Revenue Operations", "deals take longer than 90 days", "window.lookback"},
		[]string{"3", strings.Repeat("3c", 32), "2026-10-01T09:00:00Z", "", "", ""},
	))
	*pkg.Table("mappings") = mappings(
		mapped("crm.globex", 1, "", ""),
		mapped("map.acme", 3, "Marketing Operations", "the CRM's stages were renamed"), mapped("map.acme", 2, "Web Operations", "forms have a field <more>"), mapped("map.acme", 1, "", ""),
	)
	pkg.Observed.Feeds[2].Fresh = true
	pkg.Observed.Feeds = append(pkg.Observed.Feeds, feed("crm", "globex", true, true))
	return q, pkg
}

// revisions is the table of a package that tells of the contract's revisions.
func revisions(rows ...[]string) report.Table {
	return report.Table{
		ID:      "revisions",
		Columns: []report.Column{{ID: "revision", Kind: report.CountColumn}, {ID: "hash"}, {ID: "at", Kind: report.TimeColumn}, {ID: "by"}, {ID: "why"}, {ID: "changes"}},
		Rows:    rows,
	}
}

// mappings is the table of a package that tells how feeds are read.
func mappings(rows ...[]string) report.Table {
	return report.Table{
		ID: "mappings",
		Columns: []report.Column{
			{ID: "feed"}, {ID: "partner"}, {ID: "revision", Kind: report.CountColumn}, {ID: "hash"}, {ID: "at", Kind: report.TimeColumn}, {ID: "ended"}, {ID: "by"}, {ID: "why"},
		},
		Rows: rows,
	}
}

// mapped is a row of it.
func mapped(feed string, revision int, by, why string) []string {
	_, partner, _ := strings.Cut(feed, ".")
	return []string{feed, partner, strconv.Itoa(revision), mappingHash(revision), "2026-11-20T09:00:00Z", "", by, why}
}

func mappingHash(revision int) string { return strings.Repeat(strconv.Itoa(revision%10)+"f", 32) }

// unmapped is a row of a revision that ended a mapping.
func unmapped(feed string, revision int, by, why string) []string {
	row := mapped(feed, revision, by, why)
	row[5] = "yes"
	return row
}

var errReset = &plan.Failure{Outcome: plan.Unreachable, Err: errors.New("read tcp 127.0.0.1:8087: connection reset by peer")}

// examples are plans in each status, by the name of their golden file.
func examples(t *testing.T) map[string]*plan.Plan {
	t.Helper()
	week := noon.AddDate(0, 0, 7)
	past := plan.Past{Last: first(t)}

	failed := plan.New(plan.ID(week, 1), asked, past, week)
	try(t, failed, week, nil, errReset)
	try(t, failed, week.Add(4*time.Second), errReset, &plan.Failure{Outcome: plan.Mismatch, Err: errors.New("revenue: contributions are 10.00 USD, the total is 10.01 USD")})
	try(t, failed, week.Add(8*time.Second), nil, &plan.Failure{Outcome: plan.Mismatch, Err: errors.New("revenue: contributions are 10.00 USD, the total is 10.02 USD")})
	failed.Fail(&plan.Failure{Outcome: plan.Mismatch, Err: errors.New("revenue: contributions are 10.00 USD, the total is 10.02 USD")}, week.Add(9*time.Second))

	q, pkg := second()
	changed := plan.New(plan.ID(week, 2), q, plan.Past{Last: past.Last, Failed: 1}, week)
	try(t, changed, week, nil, nil)
	governed := done(week.Add(2 * time.Second))
	governed.Governance = governance()
	changed.Complete(pkg, governed, plan.Past{Last: past.Last, Failed: 1})

	edited := plan.Past{Last: first(t), Edited: true, Notes: []plan.Note{{PlanID: plan.ID(week.Add(-time.Hour), 1), What: "interrupted", Why: "it is running and has no outcome: its run was killed, or is under way"}}}
	edited.Last.TrackSource.Answered.Model = "linear"
	after := plan.New(plan.ID(week, 3), asked, edited, week)
	try(t, after, week, nil, nil)
	after.Complete(answer(), done(week.Add(2*time.Second)), edited)

	return map[string]*plan.Plan{
		"planned_first": plan.New(plan.ID(noon, 1), asked, plan.Past{}, noon), "completed_first": first(t),
		"planned": plan.New(plan.ID(week, 1), asked, past, week), "failed": failed, "completed": changed, "after_an_edit": after,
	}
}

func governance() *plan.Governance {
	hours, score := "60", "8.5"
	g := &plan.Governance{SLA: plan.Adherence{FeedDays: "21", Kept: "20"}}
	g.Satisfaction = append(g.Satisfaction,
		plan.Satisfaction{Partner: "acme", Open: "0", Settled: "1", Withdrawn: "1", MedianHours: &hours, Score: &score, ScoreDay: "2026-11-20"},
		plan.Satisfaction{Partner: "globex", Open: "1", Settled: "0", Withdrawn: "0"})
	g.Signatures = append(g.Signatures, plan.Signature{Partner: "acme", Hash: strings.Repeat("b1", 32), Title: "Week 46", Decision: "disputed", By: "RevOps", Why: "the webinar was ours", At: noon.AddDate(0, 0, 1)})
	g.Escalation.Ladder = []plan.GovernanceRung{{Name: "Analytics", Owner: "analytics@host", Fallback: "Partner Marketer"}, {Name: "Finance"}}
	g.Escalation.Board = plan.GovernanceRung{Name: "Board"}
	return g
}

// TestGolden: what plans say, in each status.
func TestGolden(t *testing.T) {
	schema, err := plans.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range examples(t) {
		path := filepath.Join("testdata", name+".json")
		text, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Check(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if *update {
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, want) {
			t.Errorf("%s is\n%s\nwant\n%s", name, text, want)
		}
		again, edited, err := plan.Decode(text)
		if err != nil || edited {
			t.Fatalf("%s: read again it is edited %v, %v", name, edited, err)
		}
		if second, err := again.Encode(); err != nil || !bytes.Equal(second, text) {
			t.Errorf("%s: written again it is\n%s\n%v", name, second, err)
		}
	}
}
