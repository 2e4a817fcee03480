package report_test

import (
	"slices"
	"testing"
	"time"

	"tracksource/report"
)

// TestObserve: what is observed is in the package and in its table, whatever was there,
// and what nobody told is empty there and no zero.
func TestObserve(t *testing.T) {
	at := time.Date(2026, 3, 31, 18, 0, 0, 5, time.FixedZone("", 7200))
	p := &report.Package{Tables: []report.Table{{ID: "feeds", Rows: [][]string{{"old"}}}, {ID: "deals"}}}
	o := report.Observed{BehindSeconds: 3, Feeds: []report.FeedQA{
		{Feed: "crm", Partner: "acme", Topic: "raw", Records: 9, Offsets: []int64{4, 5}, Newest: &at, AgeSeconds: 60, LimitSeconds: 3600, Fresh: true, Completeness: "0.9", Counts: &report.FeedCounts{Accepted: 8, Duplicates: 1, Late: 2, Suppressed: 3, Unmatchable: 4, Touches: 6, Unmatched: 2}},
		{Feed: "map", Partner: "acme", AgeSeconds: -1, Complete: true, DeadLetters: 2},
		{Feed: "analytics", Partner: "acme", AgeSeconds: -1, Complete: true, Counts: new(report.FeedCounts)},
	}}
	p.Observe(o)
	want := [][]string{
		{"crm", "acme", "raw", "9", "4 5", "2026-03-31T16:00:00Z", "60", "3600", "yes", "0.9", "no", "0.6667", "6", "2", "8", "1", "2", "3", "4", "0"},
		{"map", "acme", "", "0", "", "", "", "0", "no", "", "yes", "", "", "", "", "", "", "", "", "2"},
		{"analytics", "acme", "", "0", "", "", "", "0", "no", "", "yes", "", "0", "0", "0", "0", "0", "0", "0", "0"},
	}
	if got := p.Table("feeds").Rows; !slices.EqualFunc(got, want, slices.Equal) || p.Tables[1].ID != "deals" || p.Observed.BehindSeconds != 3 {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	p.Tables = nil
	if p.Observe(o); len(p.Tables) != 1 {
		t.Errorf("%d tables", len(p.Tables))
	}
}
