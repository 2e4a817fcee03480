package attributor_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"tracksource/internal/attributor"
	"tracksource/schemas/avro"
)

// from is an edit that has a revision account for the days from that one on.
func from(day string) []string {
	return []string{"\nwindow:", "\nrestate_from: " + day + "\nwindow:"}
}

// createdAt is a deal of another moment.
func createdAt(account, id, at string) *avro.JourneyEvent {
	d := deal(account, id, 1, "100", "USD", "Qualification")
	for i, f := range d.Object.Fields {
		if f.Name == "created_at" {
			d.Object.Fields[i].Value = &at
		}
	}
	return d
}

// TestRestateFrom: a revision accounts for the days from its restate_from on, in
// the contract's zone, and what it leaves alone has no entry of it.
func TestRestateFrom(t *testing.T) {
	l := testLine(t)
	l.feed(agreement(1, 1))
	l.feed(touch("a", "t1", 1, day(2), "globex", "email"), touch("a", "t2", 1, day(3), "acme", "social"))
	// In New York the tenth begins at four o'clock UTC, three days after the clocks
	// went forward.
	l.feed(createdAt("a", "before", "2026-03-11T03:59:59Z"), createdAt("a", "on", "2026-03-11T04:00:00Z"))
	l.rest()
	l.check()
	revised := func(entries []avro.CreditEntry) (deals []string, revisions []int64) {
		for _, e := range entries {
			deals, revisions = append(deals, e.Conversion[strings.LastIndex(e.Conversion, "/")+1:]), append(revisions, e.Revision)
		}
		slices.Sort(deals)
		slices.Sort(revisions)
		return slices.Compact(deals), slices.Compact(revisions)
	}
	for i, step := range []struct {
		name      string
		edits     []string
		deals     string
		revisions string
	}{
		{"shorter from the eleventh", append(from("2026-03-11"), "lookback: 90d", "lookback: 8d", "days: 30", "days: 8"), "[on]", "[2]"},
		{"as it was, from the twelfth", from("2026-03-12"), "[]", "[]"},
		{"as it was, from the tenth", from("2026-03-10"), "[on]", "[4]"},
		{"shorter for all days", []string{"lookback: 90d", "lookback: 8d", "days: 30", "days: 8"}, "[before on]", "[5]"},
		{"as it was, from the eleventh", from("2026-03-11"), "[on]", "[6]"},
		{"as it was", nil, "[before]", "[7]"},
	} {
		n := len(l.entries)
		l.feed(agreement(int64(i+2), int64(i+2), step.edits...))
		l.rest()
		l.check()
		deals, revisions := revised(l.entries[n:])
		if fmt.Sprint(deals) != step.deals || fmt.Sprint(revisions) != step.revisions {
			t.Errorf("%s: entries of deals %v by revisions %v, want %s by %s", step.name, deals, revisions, step.deals, step.revisions)
		}
		for _, e := range l.entries[n:] {
			if e.Cause != attributor.CauseContract || e.CauseEvent != fmt.Sprintf("contract/ai-launch-tour/%d", i+2) {
				t.Errorf("%s: cause %s by %s", step.name, e.Cause, e.CauseEvent)
			}
		}
	}
	// A late touch is booked by the revision that accounts for the day.
	l.feed(agreement(20, 8, from("2026-03-11")...))
	l.rest()
	n := len(l.entries)
	l.feed(touch("a", "t3", 1, day(4), "globex", "email"))
	l.check()
	if deals, revisions := revised(l.entries[n:]); fmt.Sprint(deals, revisions) != "[before on] [7 8]" {
		t.Errorf("a late touch changes deals %v by revisions %v", deals, revisions)
	}
}

// TestDayOfTwoRevisions: revisions may take different stages for the loss of a
// deal, and so each have a day for it that is theirs. Both count, each in full.
func TestDayOfTwoRevisions(t *testing.T) {
	l := testLine(t)
	lost := deal("a", "d", 1, "100", "USD", "Closed Lost")
	lost.Object.Stages = []avro.StageChange{
		{Stage: "On Hold", At: day(12), EventID: "e1"},
		{Stage: "Closed Lost", IsClosed: true, At: day(20), EventID: "e2"},
	}
	const hold = "\n  - {source: salesforce, stage: \"On Hold\", state: lost}\n"
	l.feed(agreement(1, 1, "\nstages:\n", "\nstages:"+hold))
	l.feed(touch("a", "t", 1, day(2), "globex", "email"), lost)
	l.rest()
	l.check()
	l.feed(agreement(2, 2, from("2026-03-15")...))
	l.rest()
	l.check()
	days := map[string]int64{}
	for _, e := range l.entries {
		if e.Measure == "lost" {
			days[e.Day] += e.Delta[0]
		}
	}
	if want := map[string]int64{"2026-03-12": 1_000_000, "2026-03-20": 1_000_000}; !maps.Equal(days, want) {
		t.Errorf("lost by day: %v, want %v", days, want)
	}
}

// agreed is what entries say of the agreed book, and shadow what they say of the
// proposed one, without what numbers entries among each other.
func agreed(entries []avro.CreditEntry) []avro.CreditEntry { return book(entries, "ai-launch-tour") }

func shadow(entries []avro.CreditEntry) []avro.CreditEntry {
	return book(entries, "ai-launch-tour~proposed")
}

func book(entries []avro.CreditEntry, id string) []avro.CreditEntry {
	var list []avro.CreditEntry
	for _, e := range entries {
		if e.Contract == id {
			e.ChangeID, e.Sequence = "", 0
			list = append(list, e)
		}
	}
	return list
}

// story is what a line with and without a proposal sees; the numbers of the
// broadcasts leave room for it.
func story() [][]*avro.JourneyEvent {
	held := deal("b", "b2", 1, "10", "JPY", "Qualification")
	won := deal("a", "a1", 2, "150", "EUR", "Closed Won")
	return [][]*avro.JourneyEvent{
		{agreement(10, 1), rate(11, "EUR", "USD", "2026-03-10", "1.1")},
		{touch("a", "t1", 1, day(2), "globex", "email"), touch("a", "t2", 1, day(8), "acme", "social"), deal("a", "a1", 1, "100", "EUR", "Qualification")},
		{touch("b", "t3", 1, day(3), "globex", "email"), deal("b", "b1", 1, "99.99", "USD", "Qualification"), held},
		{rate(40, "EUR", "USD", "2026-03-20", "1.2"), won},
		{agreement(50, 2, "lookback: 90d", "lookback: 8d", "days: 30", "days: 8")},
		{touch("a", "t4", 1, day(9), "globex", "email")},
	}
}

// TestShadow: a proposal has a book of its own, and the agreed one is to the byte
// what it is without.
func TestShadow(t *testing.T) {
	c := codecs(t)
	proposals := map[int]*avro.JourneyEvent{
		1: proposal(20, 2, "models: [first-touch, last-touch, linear]", "models: [linear, position-based]", "\ncurrency: USD", "\ncurrency: EUR"),
		3: proposal(45, 2, from("2026-03-15")...),
	}
	alone, beside := newLine(t, c), newLine(t, c)
	for i, events := range story() {
		for _, l := range []*line{alone, beside} {
			l.feed(events...)
			l.rest()
		}
		if p := proposals[i]; p != nil {
			beside.feed(p)
			beside.rest()
			alone.offset = beside.offset // so that all have the same times
		}
		beside.check()
	}
	got, want := agreed(beside.entries), agreed(alone.entries)
	if len(got) != len(want) {
		t.Fatalf("with a proposal the agreed book has %d entries, without %d", len(got), len(want))
	}
	for i := range got {
		if g, w := fmt.Sprintf("%+v", got[i]), fmt.Sprintf("%+v", want[i]); g != w {
			t.Fatalf("entry %d of the agreed book is\n%s\nwithout a proposal\n%s", i, g, w)
		}
	}
	if g, w := fmt.Sprintf("%+v", beside.alerts), fmt.Sprintf("%+v", alone.alerts); g != w {
		t.Errorf("alerts\n%s\nwithout a proposal\n%s", g, w)
	}
	if len(shadow(beside.entries)) == 0 || len(shadow(beside.entries))+len(agreed(beside.entries)) != len(beside.entries) {
		t.Errorf("%d entries of the proposal, %d of what is agreed, of %d", len(shadow(beside.entries)), len(agreed(beside.entries)), len(beside.entries))
	}
	shadows := 0
	for key, f := range beside.facts {
		if f.Contract == "ai-launch-tour~proposed" {
			shadows++
		} else if !reflect.DeepEqual(f, alone.facts[key]) {
			t.Errorf("facts of %s are\n%+v\nwithout a proposal\n%+v", key, f, alone.facts[key])
		}
	}
	if shadows == 0 || len(beside.facts) != len(alone.facts)+shadows {
		t.Errorf("%d facts, %d of them of the proposal, and %d without it", len(beside.facts), shadows, len(alone.facts))
	}
	euros := false
	for _, e := range shadow(beside.entries) {
		euros = euros || e.Currency == "EUR"
		if e.Currency == "EUR" && !slices.Contains(e.Models, "position-based") {
			t.Errorf("an entry of the first proposal has the models %v", e.Models)
		}
	}
	if !euros {
		t.Error("no entry is in the currency of the first proposal")
	}
}

// TestWithdrawn: what a proposal left is taken back, also through crashes, and its
// rules are gone when that is done. So is a proposal that is agreed.
func TestWithdrawn(t *testing.T) {
	for name, end := range map[string]*avro.JourneyEvent{
		"withdrawn": withdrawal(60),
		"agreed":    agreement(60, 3, "lookback: 90d", "lookback: 3d", "days: 30", "days: 3"),
	} {
		t.Run(name, func(t *testing.T) {
			l := testLine(t)
			for _, events := range story() {
				l.feed(events...)
			}
			l.feed(proposal(55, 3, "lookback: 90d", "lookback: 3d", "days: 30", "days: 3"))
			l.rest()
			if n := len(shadow(l.entries)); n == 0 {
				t.Fatal("the proposal has no entries, so the test shows nothing")
			}
			l.cfg.SliceAccounts = 1
			l.open()
			n := len(l.entries)
			l.feed(end)
			l.feed(touch("b", "t5", 1, day(9), "acme", "social"))
			l.abort()
			l.open()
			l.rest()
			l.check()
			for _, e := range shadow(l.entries[n:]) {
				if e.Cause != attributor.CauseContract || e.CauseEvent != "contract/ai-launch-tour~proposed/3" {
					t.Errorf("cause %s by %s", e.Cause, e.CauseEvent)
				}
			}
			for key, sum := range l.sums() {
				if strings.Contains(key, "~proposed") {
					t.Errorf("%d is left of %s", sum, key)
				}
			}
			for key := range l.facts {
				if strings.Contains(key, "~proposed") {
					t.Errorf("facts of %s are left", key)
				}
			}
			for key := range l.kv.base {
				if strings.Contains(key, "~proposed") {
					t.Errorf("%q is left in state", key)
				}
			}
			n = len(l.entries)
			l.feed(withdrawal(61))
			if l.rest(); len(l.entries) != n {
				t.Errorf("a second withdrawal makes %d entries", len(l.entries)-n)
			}
		})
	}
}

// TestSweepProgress: metrics and the log say how far a restatement is, also when
// the process is killed in the middle of it.
func TestSweepProgress(t *testing.T) {
	l := testLine(t)
	reg := prometheus.NewRegistry()
	var log bytes.Buffer
	l.cfg.Metrics, l.cfg.Log, l.cfg.SliceAccounts = attributor.NewMetrics(reg), slog.New(slog.NewTextHandler(&log, nil)), 3
	l.open()
	gauge := func(name string) float64 {
		t.Helper()
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "tracksource_sweep_"+name {
				return f.GetMetric()[0].GetGauge().GetValue()
			}
		}
		return -1
	}
	if got := gauge("active"); got != -1 {
		t.Errorf("sweep_active is %v before there was any", got)
	}
	l.feed(agreement(1, 1))
	l.rest()
	for i := range 10 {
		a := fmt.Sprint("account", i)
		l.feed(touch(a, a+"t", 1, day(2), "globex", "email"), touch(a, a+"u", 1, day(3), "acme", "email"), deal(a, a+"d", 1, "100", "USD", "Qualification"))
	}
	log.Reset()
	l.feed(agreement(2, 2, "lookback: 90d", "lookback: 8d", "days: 30", "days: 8"))
	if active, accounts, since := gauge("active"), gauge("accounts"), gauge("started_seconds"); active != 1 || accounts != 3 || since < 1.7e9 {
		t.Errorf("after a slice: active %v, accounts %v, since %v", active, accounts, since)
	}
	l.abort()
	l.open()
	if got := gauge("accounts"); got != 3 {
		t.Errorf("after a crash: %v accounts, want the 3 of the slice that was committed", got)
	}
	l.rest()
	l.check()
	if active, accounts, changes := gauge("active"), gauge("accounts"), gauge("changes"); active != 0 || accounts != 10 || changes != 10 {
		t.Errorf("at the end: active %v, accounts %v, changes %v", active, accounts, changes)
	}
	if text := log.String(); strings.Count(text, "restatement ends") != 1 || !strings.Contains(text, "accounts=10 changes=10") {
		t.Errorf("the log says\n%s", text)
	}
	l.p.Close()
	if got := gauge("active"); got != -1 {
		t.Errorf("sweep_active is %v of a partition that was given up", got)
	}
}
