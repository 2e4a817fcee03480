package reporter_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/internal/reporter"
	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// tokyo is nine hours ahead of UTC the whole year.
func tokyo(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// onDay moves an entry to a day and its contract.
func onDay(e avro.CreditEntry, book, day string) avro.CreditEntry {
	e.Contract, e.Day = book, day
	return e
}

// finals are the days of the rows that are final, by contract.
func (r *rig) finals() string {
	r.t.Helper()
	by := map[string][]string{}
	for _, e := range r.rows {
		if row := r.row(e); row.IsFinal {
			by[row.Contract+" "+row.Measure] = append(by[row.Contract+" "+row.Measure], row.Day[8:])
		}
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(by)) {
		slices.Sort(by[name])
		out = append(out, name+": "+strings.Join(by[name], ","))
	}
	return strings.Join(out, "; ")
}

// TestFinal: rows become final when the lateness of the contract in force has
// passed in its zone, by the clock alone, and what is republished are those rows.
func TestFinal(t *testing.T) {
	r := newRig(t, testCodecs(t), 3)
	r.now, r.step = time.Date(2026, 3, 10, 14, 59, 0, 0, time.UTC), 0 // 23:59 on the tenth in Tokyo
	entries := []avro.CreditEntry{generation(0, 1)}
	for _, book := range []string{"other", "summit", "summit~proposed"} {
		for _, measure := range []string{"revenue", "won"} {
			for day := 1; day <= 10; day++ {
				e := onDay(credit(0, 1, int64(len(entries)), "acme", 1, 1), book, fmt.Sprintf("2026-03-%02d", day))
				e.Measure = measure
				entries = append(entries, e)
			}
		}
	}
	r.fold(true, r.records(entries...))
	step := func(name, want string, rows int) {
		t.Helper()
		before := len(r.versions())
		r.settle()
		if got := r.finals(); got != want {
			t.Errorf("%s: final are %q, want %q", name, got, want)
		}
		if n := len(r.versions()) - before; n != rows {
			t.Errorf("%s: %d rows published again, want %d", name, n, rows)
		}
	}
	step("no contract is known", "", 0)
	tokyo := tokyo(t)
	r.policies = map[string]reporter.Policy{"summit": {Revision: 1, Zone: tokyo, LatenessDays: 3}}
	step("a contract", "summit revenue: 01,02,03,04,05,06; summit won: 01,02,03,04,05,06", 12)
	r.now = r.now.Add(time.Minute)
	step("midnight", "summit revenue: 01,02,03,04,05,06,07; summit won: 01,02,03,04,05,06,07", 2)
	r.now = r.now.Add(-time.Minute)
	r.open()
	step("the next owner's clock is a minute behind", "summit revenue: 01,02,03,04,05,06,07; summit won: 01,02,03,04,05,06,07", 0)
	r.now = r.now.Add(time.Minute)
	r.fold(true, r.records(onDay(credit(0, 1, 61, "acme", 1, 2), "summit", "2026-03-02")))
	step("a late change of a final day", "summit revenue: 01,02,03,04,05,06,07; summit won: 01,02,03,04,05,06,07", 0)
	r.policies = map[string]reporter.Policy{"summit": {Revision: 2, Zone: tokyo, LatenessDays: 8}}
	step("a longer lateness", "summit revenue: 01,02; summit won: 01,02", 10)
	r.policies = map[string]reporter.Policy{"summit": {Revision: 1, Zone: tokyo, LatenessDays: 3}}
	r.open()
	step("an instance that has not read the newest revision", "summit revenue: 01,02; summit won: 01,02", 0)
	r.policies = map[string]reporter.Policy{"summit": {Revision: 3, Zone: time.UTC, LatenessDays: 8}, "other": {Revision: 1, Zone: time.UTC, LatenessDays: 365}}
	step("another zone, in which it is the tenth", "summit revenue: 01; summit won: 01", 2)
	r.policies["summit"] = reporter.Policy{Revision: 4, Zone: tokyo, LatenessDays: 0}
	step("no lateness", "summit revenue: 01,02,03,04,05,06,07,08,09,10; summit won: 01,02,03,04,05,06,07,08,09,10", 18)
	r.now = r.now.AddDate(-1, 0, 0)
	step("a clock that was wrong", "", 20)
}

// TestFinalSlices: a sweep reads as many keys as a slice has, goes over days that
// it is not about, and goes on after a crash where it was.
func TestFinalSlices(t *testing.T) {
	r := newRig(t, testCodecs(t), 10)
	entries := []avro.CreditEntry{generation(0, 1)}
	for day := range 10 {
		for partner := range 30 {
			entries = append(entries, onDay(credit(0, 1, int64(len(entries)), fmt.Sprintf("p%02d", partner), 1, 1), "summit", fmt.Sprintf("2026-02-%02d", day+1)))
		}
	}
	r.fold(true, r.records(entries...))
	r.now = time.Date(2026, 2, 9, 0, 0, 0, 0, time.UTC)
	r.policies = map[string]reporter.Policy{"summit": {Revision: 1, Zone: time.UTC, LatenessDays: 2}}
	r.settle()
	before := len(r.versions())
	r.now = r.now.AddDate(0, 0, 1)
	r.fold(true, nil)
	r.fold(false, nil)
	r.open()
	if n := len(r.versions()) - before; n != 9 {
		t.Errorf("the first slice published %d rows, want 9: it reads 10 keys, one of them to find the day", n)
	}
	if n := r.settle(); n != 3 {
		t.Errorf("%d more slices, want 3: the cursor was lost", n)
	}
	if n := len(r.versions()) - before; n != 30 {
		t.Errorf("%d rows published again, want the 30 of the day", n)
	}
}

// TestSweepsJoin: what is asked for while a sweep is under way is done with what
// it has left.
func TestSweepsJoin(t *testing.T) {
	r := newRig(t, testCodecs(t), 2)
	entries := []avro.CreditEntry{generation(0, 1)}
	for day := range 9 {
		entries = append(entries, onDay(credit(0, 1, int64(day+1), "blue", 1, 1), "summit", fmt.Sprintf("2026-02-%02d", day+1)))
	}
	r.now, r.step = time.Date(2026, 2, 4, 0, 0, 0, 0, time.UTC), 0
	r.fold(true, r.records(entries...))
	for i, lateness := range []int{1, 0, 2} { // final are days before the 3rd, the 4th, the 2nd
		r.policies = map[string]reporter.Policy{"summit": {Revision: int64(i + 1), Zone: time.UTC, LatenessDays: lateness, Open: []string{"acme"}}}
		r.fold(true, nil)
	}
	r.settle()
	if got := r.finals(); got != "summit revenue: 01" {
		t.Errorf("final are %q, want the first", got)
	}
	if n := len(r.seen["acme"]); n != 9 {
		t.Errorf("acme sees %d rows, want all 9: a day's sweep took the place of everybody's", n)
	}
	since := r.now
	for _, late := range []int{-5, 1} { // days before the 9th, then before the 4th again
		r.now = since.Add(time.Hour)
		r.policies = map[string]reporter.Policy{"summit": {Revision: int64(10 + late), Zone: time.UTC, LatenessDays: late, Open: []string{"acme"}}}
		r.fold(true, nil)
	}
	r.settle()
	if got := r.finals(); got != "summit revenue: 01,02" {
		t.Errorf("final are %q, want the first two: days that one sweep had left were forgotten by the next", got)
	}
	for _, e := range r.rows {
		if row := r.row(e); row.Day == "2026-02-02" && !row.UpdatedAt.Equal(r.now) {
			t.Errorf("%s was updated at %v, want %v: a loader by time would not see that it became final", row.Day, row.UpdatedAt, r.now)
		}
	}
}

// audience lists what partners see, as partner: credited partners.
func (r *rig) audience() string {
	r.t.Helper()
	var out []string
	for _, partner := range slices.Sorted(maps.Keys(r.seen)) {
		var rows []string
		for key, e := range r.seen[partner] {
			row := r.row(e)
			if row.IsDeleted {
				r.t.Fatalf("a soft delete without its tombstone for %s: %+v", partner, row)
			}
			if main := r.rows[key]; !bytes.Equal(main.value, e.value) {
				r.t.Errorf("%s has %+v, contributions %+v", partner, row, r.row(main))
			}
			rows = append(rows, row.Partner)
		}
		if slices.Sort(rows); len(rows) > 0 {
			out = append(out, partner+": "+strings.Join(rows, ","))
		}
	}
	return strings.Join(out, "; ")
}

// TestAudience: each partner's topic has the rows that the contract in force lets
// it see, whatever it let it see before.
func TestAudience(t *testing.T) {
	r := newRig(t, testCodecs(t), 2)
	policy := func(revision int64, open, own string) {
		r.policies = map[string]reporter.Policy{"summit": {
			Revision: revision, Zone: time.UTC, LatenessDays: 365, Open: strings.Fields(open), Own: strings.Fields(own),
		}}
	}
	step := func(name, want string) {
		t.Helper()
		r.settle()
		if got := r.audience(); got != want {
			t.Errorf("%s: partners see %q, want %q", name, got, want)
		}
	}
	policy(1, "acme", "blue")
	r.fold(true, r.records(generation(0, 1), credit(0, 1, 1, "acme", 1, 1), credit(0, 1, 2, "blue", 2, 2),
		credit(0, 1, 3, "(unattributed)", 3, 3), onDay(credit(0, 1, 4, "blue", 4, 4), "other", "2026-02-28"),
		onDay(credit(0, 1, 5, "blue", 4, 4), "summit~proposed", "2026-02-28")))
	step("open and own", "acme: (unattributed),acme,blue,blue; blue: blue,blue")
	policy(2, "blue", "acme")
	step("turned round", "acme: acme; blue: (unattributed),acme,blue,blue")
	policy(3, "blue", "")
	step("one has left", "blue: (unattributed),acme,blue,blue")
	policy(4, "blue acme", "coda")
	r.fold(true, nil)
	r.open()
	step("it is back, after a crash on the way", "acme: (unattributed),acme,blue,blue; blue: (unattributed),acme,blue,blue")
	r.fold(true, r.records(credit(0, 1, 6, "coda", 5, 5), credit(0, 1, 7, "blue", -2, 0)))
	step("a row comes and one goes", "acme: (unattributed),acme,blue,coda; blue: (unattributed),acme,blue,coda; coda: coda")
	policy(3, "", "")
	r.open()
	step("an instance that has not read the newest revision", "acme: (unattributed),acme,blue,coda; blue: (unattributed),acme,blue,coda; coda: coda")
	r.policies = nil
	r.fold(true, r.records(credit(0, 1, 8, "acme", 1, 2)))
	step("one that has read none", "acme: (unattributed),acme,blue,coda; blue: (unattributed),acme,blue,coda; coda: coda")
	policy(5, "", "")
	step("nobody", "")
	rising(t, r)
	if n := r.stats.Withdrawn.Load(); n != 3+1+9 {
		t.Errorf("%d rows withdrawn, want 13", n)
	}
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// rising wants the versions of a key to rise in each topic.
func rising(t failer, r *rig) {
	t.Helper()
	last := map[string]int64{}
	for _, e := range r.log {
		if e.topic == alerts || len(e.value) == 0 {
			continue
		}
		row := r.row(e)
		place := e.topic + "\x00" + string(e.key)
		if row.Version <= last[place] {
			t.Fatalf("version %d after %d in %s: %+v", row.Version, last[place], e.topic, row)
		}
		last[place] = row.Version
	}
}

// TestBooksConverge draws changes, entries that come again, contracts, days, batches,
// crashes and clocks of several instances, and wants at rest what the ledger, the contract and the day
// say, in the topic of all and in those of partners.
func TestBooksConverge(t *testing.T) {
	codecs := testCodecs(t)
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, codecs, rapid.IntRange(1, 4).Draw(rt, "slice"))
		r.step = time.Duration(rapid.IntRange(0, 100).Draw(rt, "ms")) * time.Millisecond
		l := newLedger()
		history := r.records(l.begin(0, 10))
		r.fold(true, history)
		names := []string{"acme", "blue", "coda"}
		policy, known := reporter.Policy{Zone: time.UTC}, reporter.Policy{}
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			switch rapid.IntRange(0, 7).Draw(rt, "step") {
			case 0, 1, 2:
				partner := rapid.SampledFrom(append(names, "(none)")).Draw(rt, "partner")
				delta := rapid.Int64Range(-2, 2).Draw(rt, "delta")
				records := r.records(l.post(0, partner, delta, delta/2))
				history = append(history, records...)
				if rapid.Bool().Draw(rt, "abort first") {
					r.fold(false, records)
				}
				r.fold(true, records)
			case 3:
				policy.Revision++
				policy.LatenessDays = rapid.IntRange(0, 2).Draw(rt, "lateness")
				policy.Open, policy.Own = nil, nil
				for _, name := range names {
					switch rapid.IntRange(0, 2).Draw(rt, name) {
					case 1:
						policy.Open = append(policy.Open, name)
					case 2:
						policy.Own = append(policy.Own, name)
					}
				}
				if known = policy; rapid.Bool().Draw(rt, "known") {
					r.policies = map[string]reporter.Policy{"summit": policy}
				}
			case 4:
				r.now = r.now.Add(time.Duration(rapid.IntRange(-6, 24).Draw(rt, "hours")) * time.Hour)
			case 5:
				r.throttle = time.Duration(rapid.IntRange(0, 1).Draw(rt, "throttled")) * throttle
				r.open()
			case 6: // in the order in which they came, or one alone
				from := rapid.IntRange(0, len(history)-1).Draw(rt, "from")
				again := history[from:]
				if rapid.Bool().Draw(rt, "alone") {
					again = again[:1]
				}
				r.fold(true, again)
			case 7:
				r.fold(rapid.Bool().Draw(rt, "commit"), nil)
			}
		}
		if known.Revision > 0 {
			r.policies = map[string]reporter.Policy{"summit": known}
		}
		r.now = r.now.Add(48 * time.Hour) // beyond what a clock may be behind by
		r.settle()
		r.now = r.now.Add(throttle)
		r.settle()
		values, confident := l.want()
		if got := r.values(); !maps.Equal(got, values) {
			rt.Fatalf("totals are %v, want %v", got, values)
		}
		if got := r.confidents(); !maps.Equal(got, confident) {
			rt.Fatalf("confident are %v, want %v", got, confident)
		}
		rising(rt, r)
		final := known.Revision > 0 && "2026-02-28" < r.now.UTC().AddDate(0, 0, -known.LatenessDays).Format(time.DateOnly)
		for _, e := range r.rows {
			if row := r.row(e); row.IsFinal != final {
				rt.Fatalf("row is final: %v, want %v at %v under %+v", row.IsFinal, final, r.now, known)
			}
		}
		for _, name := range names {
			want := map[string]emitted{}
			for key, e := range r.rows {
				if slices.Contains(known.Open, name) || slices.Contains(known.Own, name) && r.row(e).Partner == name {
					want[key] = e
				}
			}
			same := func(a, b emitted) bool { return bytes.Equal(a.value, b.value) }
			if !maps.EqualFunc(r.seen[name], want, same) {
				rt.Fatalf("%s has %d rows under %+v, want %d of those of all", name, len(r.seen[name]), known, len(want))
			}
		}
	})
}

// TestLayout: a state that another layout was written by halts its partition and
// says what to do.
func TestLayout(t *testing.T) {
	r := newRig(t, testCodecs(t), 0)
	r.fold(true, r.records(generation(0, 1), credit(0, 1, 1, "acme", 1, 1)))
	r.open() // its own is read
	old := task.NewMemory()
	for _, b := range reporter.StateExamples()[:1] {
		if err := old.Put(reporter.SourceKey(0), b); err != nil {
			t.Fatal(err)
		}
	}
	_, err := reporter.New(reporter.Config{Codecs: r.codecs, Contributions: contributions, Alerts: alerts, Log: quiet()},
		stream.Assignment{Partition: 3}, old)
	if err == nil || !strings.Contains(err.Error(), "delete the reporter's changelog") || !strings.Contains(err.Error(), "halted") {
		t.Errorf("a state without a layout gives %v", err)
	}
}
