package reporter_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
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

var update = flag.Bool("update", false, "rewrite the golden files")

const (
	contributions = "tracksource.contributions"
	alerts        = "tracksource.alerts"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func testCodecs(t testing.TB) *avro.Codecs {
	t.Helper()
	c, err := avro.OpenCodecs(context.Background(), avro.NewMemory(), "tracksource")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// overlay is a KV over another whose writes can be dropped, as the engine does.
type overlay struct {
	base   *task.Memory
	staged map[string][]byte // nil: deleted
}

func (o *overlay) Get(key []byte) ([]byte, error) {
	if v, ok := o.staged[string(key)]; ok {
		return v, nil
	}
	return o.base.Get(key)
}

func (o *overlay) Put(key, value []byte) error {
	if len(value) == 0 {
		return fmt.Errorf("empty value under %x", key)
	}
	o.staged[string(key)] = bytes.Clone(value)
	return nil
}

func (o *overlay) PutNew(key, value []byte) error { return o.Put(key, value) }

func (o *overlay) Delete(key []byte) error {
	o.staged[string(key)] = nil
	return nil
}

func (o *overlay) Scan(from, to []byte, fn func(key, value []byte) (bool, error)) error {
	merged, err := o.merged(from, to)
	if err != nil {
		return err
	}
	return merged.Scan(from, to, fn)
}

func (o *overlay) ScanBack(from, to []byte, fn func(key, value []byte) (bool, error)) error {
	merged, err := o.merged(from, to)
	if err != nil {
		return err
	}
	return merged.ScanBack(from, to, fn)
}

func (o *overlay) merged(from, to []byte) (*task.Memory, error) {
	merged := task.NewMemory()
	err := o.base.Scan(from, to, func(k, v []byte) (bool, error) { return true, merged.Put(k, v) })
	if err != nil {
		return nil, err
	}
	for k, v := range o.staged {
		if v == nil {
			err = merged.Delete([]byte(k))
		} else {
			err = merged.Put([]byte(k), v)
		}
		if err != nil {
			return nil, err
		}
	}
	return merged, nil
}

func (o *overlay) commit() error {
	for k, v := range o.staged {
		var err error
		if v == nil {
			err = o.base.Delete([]byte(k))
		} else {
			err = o.base.Put([]byte(k), v)
		}
		if err != nil {
			return err
		}
	}
	clear(o.staged)
	return nil
}

// emitted is one output.
type emitted struct {
	topic      string
	key, value []byte
}

type collector struct{ out []emitted }

func (c *collector) Emit(topic string, key, value []byte, _ ...stream.Header) {
	c.out = append(c.out, emitted{topic, bytes.Clone(key), bytes.Clone(value)})
}

// rig is a processor with what its transactions committed.
type rig struct {
	t      testing.TB
	codecs *avro.Codecs
	kv     *overlay
	p      *reporter.Processor
	stats  reporter.Stats
	slice  int

	step     time.Duration // of the clock, for each record
	throttle time.Duration
	policies map[string]reporter.Policy

	offset int64
	log    []emitted                     // committed outputs
	rows   map[string]emitted            // newest by key; tombstones remove
	seen   map[string]map[string]emitted // the same of the topics of partners, by partner
	now    time.Time
}

// partners have topics of contributions.
func partners() map[string]string {
	return map[string]string{"acme": contributions + ".acme", "blue": contributions + ".blue", "coda": contributions + ".coda"}
}

func newRig(t testing.TB, codecs *avro.Codecs, slice int) *rig {
	r := &rig{
		t: t, codecs: codecs, slice: slice, rows: map[string]emitted{}, seen: map[string]map[string]emitted{}, now: start, step: time.Second,
		kv: &overlay{base: task.NewMemory(), staged: map[string][]byte{}},
	}
	r.open()
	return r
}

// open makes the processor anew over what is committed, as after a restart.
func (r *rig) open() {
	r.t.Helper()
	clear(r.kv.staged)
	p, err := reporter.New(reporter.Config{
		Codecs: r.codecs, Contributions: contributions, Alerts: alerts, SliceKeys: r.slice,
		Partners: partners(), Throttle: r.throttle, Policies: func() map[string]reporter.Policy { return r.policies },
		Stats: &r.stats, Log: quiet(),
	}, stream.Assignment{Topic: "tracksource.credits", Partition: 3, Generation: 1000}, r.kv)
	if err != nil {
		r.t.Fatal(err)
	}
	r.p = p
}

// records gives entries offsets and times, as a broker does.
func (r *rig) records(entries ...avro.CreditEntry) []stream.Record {
	r.t.Helper()
	var out []stream.Record
	for i := range entries {
		value, err := r.codecs.Credit.Append(nil, &entries[i])
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, stream.Record{Partition: 3, Offset: r.offset, Value: value, Timestamp: r.now})
		r.offset++
		r.now = r.now.Add(r.step)
	}
	return out
}

// fold folds records in one transaction, committed or aborted.
func (r *rig) fold(commit bool, records []stream.Record) []emitted {
	r.t.Helper()
	var c collector
	if err := r.p.Fold(context.Background(), records, r.now, &c); err != nil {
		r.t.Fatalf("fold: %v", err)
	}
	if !commit {
		clear(r.kv.staged)
		r.p.Aborted()
		return c.out
	}
	if err := r.kv.commit(); err != nil {
		r.t.Fatal(err)
	}
	r.p.Committed()
	r.log = append(r.log, c.out...)
	for _, e := range c.out {
		rows := r.rows
		if partner, ok := strings.CutPrefix(e.topic, contributions+"."); ok {
			if rows = r.seen[partner]; rows == nil {
				rows = map[string]emitted{}
				r.seen[partner] = rows
			}
		} else if e.topic != contributions {
			continue
		}
		if len(e.value) == 0 {
			delete(rows, string(e.key))
		} else {
			rows[string(e.key)] = e
		}
	}
	return c.out
}

// settle runs Ticks until nothing is pending and returns how many. What is held
// is not pending before it is due.
func (r *rig) settle() int {
	r.t.Helper()
	ticks := 0
	for r.p.Pending(r.now) {
		if ticks++; ticks > 10000 {
			r.t.Fatal("pending for ever")
		}
		r.fold(true, nil)
	}
	return ticks
}

func (r *rig) row(e emitted) avro.ContributionRow {
	r.t.Helper()
	var row avro.ContributionRow
	if err := r.codecs.ContributionRow.Decode(e.value, &row); err != nil {
		r.t.Fatal(err)
	}
	return row
}

// values returns the live rows as "partner/model" to decimal text.
func (r *rig) values() map[string]string {
	r.t.Helper()
	out := map[string]string{}
	for _, e := range r.rows {
		row := r.row(e)
		if row.IsDeleted {
			r.t.Fatalf("a soft delete without its tombstone: %+v", row)
		}
		text, err := row.ValueText(2)
		if err != nil {
			r.t.Fatal(err)
		}
		out[row.Partner+"/"+row.Model] = text
	}
	return out
}

// confident is the confident value of a row.
func (r *rig) confident(row *avro.ContributionRow) string {
	r.t.Helper()
	text, err := (&avro.ContributionRow{Value: row.ConfidentValue}).ValueText(2)
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

// confidents is values of the confident ones.
func (r *rig) confidents() map[string]string {
	r.t.Helper()
	out := map[string]string{}
	for _, e := range r.rows {
		row := r.row(e)
		out[row.Partner+"/"+row.Model] = r.confident(&row)
	}
	return out
}

func (r *rig) text(out []emitted) string {
	r.t.Helper()
	var b strings.Builder
	for _, e := range out {
		switch e.topic {
		case alerts:
			var a avro.Alert
			if err := r.codecs.Alert.Decode(e.value, &a); err != nil {
				r.t.Fatal(err)
			}
			fmt.Fprintf(&b, "  alert %s %s %q\n        %s\n", a.ID, a.Severity, a.Message, strings.Join(a.Evidence, " "))
		default:
			var k avro.ContributionKey
			if err := r.codecs.ContributionKey.Decode(e.key, &k); err != nil {
				r.t.Fatal(err)
			}
			if partner, ok := strings.CutPrefix(e.topic, contributions+"."); ok {
				fmt.Fprintf(&b, "  to %s:", partner)
			}
			fmt.Fprintf(&b, "  %s %s %s %s/%s", k.Contract, k.Measure, k.Day, k.Partner, k.Model)
			if k.Escrow != "(none)" {
				b.WriteString(" in escrow " + k.Escrow)
			}
			if k.Booked != k.Day {
				b.WriteString(" booked " + k.Booked)
			}
			if len(e.value) == 0 {
				fmt.Fprintf(&b, " tombstone\n")
				continue
			}
			row := r.row(e)
			value, err := row.ValueText(2)
			if err != nil {
				r.t.Fatal(err)
			}
			fmt.Fprintf(&b, " = %s %s v%d at %d/%d as_of %s updated %s", value, row.Currency, row.Version,
				row.CreditsPartition, row.CreditsOffset, row.AsOf.Format("15:04:05"), row.UpdatedAt.Format("15:04:05"))
			if confident := r.confident(&row); confident != "0.00" {
				b.WriteString(" confident " + confident)
			}
			if row.IsFinal {
				b.WriteString(" final")
			}
			if row.IsDeleted {
				b.WriteString(" deleted")
			}
			b.WriteString("\n")
		}
	}
	if b.Len() == 0 {
		return "  nothing\n"
	}
	return b.String()
}

// credit is an entry of one model.
func credit(source int32, generation, sequence int64, partner string, delta, running int64) avro.CreditEntry {
	return avro.CreditEntry{
		Kind: "entry", Contract: "summit", Revision: 1, Account: []byte("a"), Conversion: "c", Measure: "revenue",
		Day: "2026-02-28", Partner: partner, Channel: "Email", Asset: "(unknown)", Region: "EMEA",
		Segment: "(unknown)", Source: "newsletter", TouchCampaign: "summit", Escrow: "(none)", Currency: "EUR", Exponent: 2,
		Models: []string{"linear"}, Delta: []int64{delta}, Running: []int64{running},
		Generation: generation, SourcePartition: source, Sequence: sequence, ChangeID: "x",
		AsOf: start.Add(-time.Minute + time.Duration(sequence)*time.Second),
	}
}

func generation(source int32, number int64) avro.CreditEntry {
	return avro.CreditEntry{Kind: "generation", SourcePartition: source, Generation: number, AsOf: start}
}

func TestRowsGolden(t *testing.T) {
	r := newRig(t, testCodecs(t), 2)
	usd := func(e avro.CreditEntry, minor int64) avro.CreditEntry {
		e.Currency, e.Delta[0], e.Running[0] = "USD", minor, minor
		return e
	}
	steps := []struct {
		name    string
		entries []avro.CreditEntry
	}{
		{"a source begins and credits two partners", []avro.CreditEntry{
			generation(0, 10), credit(0, 10, 1, "acme", 1000, 1000), credit(0, 10, 2, "blue", 250, 250),
		}},
		{"two entries of one key are one row", []avro.CreditEntry{
			credit(0, 10, 3, "acme", 500, 1500), credit(0, 10, 4, "acme", -200, 1300),
		}},
		{"a change that is taken back in the batch is no row", []avro.CreditEntry{
			credit(0, 10, 5, "acme", 500, 1800), credit(0, 10, 6, "acme", -500, 1300),
		}},
		{"a replay is nothing", []avro.CreditEntry{credit(0, 10, 5, "acme", 500, 1800)}},
		{"a second source adds to the first", []avro.CreditEntry{
			generation(1, 20), credit(1, 20, 1, "acme", -1300, -1300),
		}},
		{"zero of no source is a soft delete and a tombstone", []avro.CreditEntry{
			credit(0, 10, 7, "blue", -250, 0),
		}},
		{"the key comes back under a higher version", []avro.CreditEntry{credit(0, 10, 8, "blue", 1, 1)}},
		{"missing entries raise an alert, the newest total counts", []avro.CreditEntry{
			credit(0, 10, 11, "blue", 5, 99),
		}},
		{"a running total that does not follow raises an alert", []avro.CreditEntry{
			credit(0, 10, 12, "blue", 5, 100),
		}},
		{"another currency of the contract replaces the first", []avro.CreditEntry{
			usd(credit(1, 20, 2, "acme", 0, 0), 777), credit(1, 20, 3, "acme", 1300, 0),
		}},
		{"a new generation replaces and retires the older one", []avro.CreditEntry{
			generation(0, 30), credit(0, 30, 1, "blue", 40, 40), credit(0, 10, 13, "blue", 5, 105),
		}},
		{"a tick goes on with the retirement", nil},
	}
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "%s\n%s", s.name, r.text(r.fold(true, r.records(s.entries...))))
	}
	r.settle()
	bad := r.records(credit(0, 30, 2, "blue", 1, 41))
	bad[0].Value = bad[0].Value[:9]
	fmt.Fprintf(&b, "a damaged record raises an alert\n%s", r.text(r.fold(true, bad)))
	golden(t, "rows.txt", b.String())
	if n := r.stats.Gaps.Load(); n != 1 {
		t.Errorf("%d gaps counted, want 1", n)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; if that is meant, run go test -update\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// TestEscrowGolden: what is disputed and what is booked on another day are rows of
// their own, a change of confidence alone is a change, and a row ends when nothing is
// left of its value and of what is confident.
func TestEscrowGolden(t *testing.T) {
	r := newRig(t, testCodecs(t), 2)
	of := func(e avro.CreditEntry, escrow, booked string, confident int64) avro.CreditEntry {
		e.Escrow, e.Booked, e.Confident = escrow, booked, []int64{confident}
		return e
	}
	const day, none = "2026-02-28", "(none)"
	steps := []struct {
		name    string
		entries []avro.CreditEntry
	}{
		{"an entry of before there was confidence", []avro.CreditEntry{generation(0, 10), credit(0, 10, 1, "acme", 1000, 1000)}},
		{"one that names its day as the day it is booked on is of the same row", []avro.CreditEntry{of(credit(0, 10, 2, "acme", 500, 1500), none, day, 900)}},
		{"confidence alone changes", []avro.CreditEntry{of(credit(0, 10, 3, "acme", 0, 1500), none, day, 1200)}},
		{"a dispute takes it into escrow", []avro.CreditEntry{
			of(credit(0, 10, 4, "acme", -1500, 0), none, day, 0), of(credit(0, 10, 5, "acme", 1500, 1500), "disputed", day, 1200),
		}},
		{"and another day, as its own is closed", []avro.CreditEntry{
			of(credit(0, 10, 6, "acme", -300, -300), "disputed", "2026-03-01", -240),
		}},
		{"credits of both signs are zero and not nothing", []avro.CreditEntry{of(credit(0, 10, 7, "acme", 300, 0), "disputed", "2026-03-01", 10)}},
		{"until what is confident is zero as well", []avro.CreditEntry{of(credit(0, 10, 8, "acme", 0, 0), "disputed", "2026-03-01", 0)}},
	}
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "%s\n%s", s.name, r.text(r.fold(true, r.records(s.entries...))))
	}
	golden(t, "escrow.txt", b.String())
	if n := r.stats.Mismatches.Load() + r.stats.Unreadable.Load() + r.stats.Gaps.Load(); n != 0 {
		t.Errorf("%d alerts over a sound ledger", n)
	}
}

// ledger writes entries as an attributor does: running totals and contiguous
// sequences for each source.
type ledger struct {
	generation, sequence map[int32]int64
	running, confident   map[int32]map[string]int64
}

func newLedger() *ledger {
	return &ledger{map[int32]int64{}, map[int32]int64{}, map[int32]map[string]int64{}, map[int32]map[string]int64{}}
}

func (l *ledger) begin(source int32, number int64) avro.CreditEntry {
	l.generation[source], l.sequence[source] = number, 0
	l.running[source], l.confident[source] = map[string]int64{}, map[string]int64{}
	return generation(source, number)
}

func (l *ledger) post(source int32, partner string, delta, confident int64) avro.CreditEntry {
	l.sequence[source]++
	l.running[source][partner] += delta
	l.confident[source][partner] += confident
	e := credit(source, l.generation[source], l.sequence[source], partner, delta, l.running[source][partner])
	e.Confident = []int64{l.confident[source][partner]}
	return e
}

// want are the values of the rows that there are to be, and what is confident of them.
func (l *ledger) want() (values, confident map[string]string) {
	live := map[string]bool{}
	for source, partners := range l.running {
		for p, v := range partners {
			live[p] = live[p] || v != 0 || l.confident[source][p] != 0
		}
	}
	of := func(by map[int32]map[string]int64) map[string]string {
		out := map[string]string{}
		for p := range live {
			total := int64(0)
			for _, partners := range by {
				total += partners[p]
			}
			var row avro.ContributionRow
			if err := row.SetValue(total, 2); err != nil {
				panic(err)
			}
			text, err := row.ValueText(2)
			if err != nil {
				panic(err)
			}
			if live[p] {
				out[p+"/linear"] = text
			}
		}
		return out
	}
	return of(l.running), of(l.confident)
}

// TestTotalsConverge draws sources, batches, aborts, restarts, replays and new
// generations, and wants the sum of the newest running totals, whatever came.
func TestTotalsConverge(t *testing.T) {
	codecs := testCodecs(t)
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, codecs, rapid.IntRange(1, 3).Draw(rt, "slice"))
		l := newLedger()
		var history []stream.Record
		push := func(e ...avro.CreditEntry) []stream.Record {
			records := r.records(e...)
			history = append(history, records...)
			return records
		}
		for s := range int32(3) {
			r.fold(true, push(l.begin(s, 10)))
		}
		steps := rapid.IntRange(1, 25).Draw(rt, "steps")
		for range steps {
			source := rapid.Int32Range(0, 2).Draw(rt, "source")
			partner := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(rt, "partner")
			switch rapid.IntRange(0, 5).Draw(rt, "step") {
			case 0, 1:
				delta := rapid.Int64Range(-3, 3)
				records := push(l.post(source, partner, delta.Draw(rt, "delta"), delta.Draw(rt, "confident")), l.post(source, partner, 1, 0))
				if rapid.Bool().Draw(rt, "abort first") {
					first := r.fold(false, records)
					if again := r.fold(true, records); !slices.EqualFunc(first, again, sameOutput) {
						rt.Fatalf("after an abort:\n%swant:\n%s", r.text(again), r.text(first))
					}
					continue
				}
				r.fold(true, records)
			case 2: // take a partner's credit back
				r.fold(true, push(l.post(source, partner, -l.running[source][partner], -l.confident[source][partner])))
			case 3: // replay what was read
				from := rapid.IntRange(0, len(history)-1).Draw(rt, "from")
				before := r.values()
				retiring := r.p.Pending(r.now)
				r.fold(true, history[from:])
				if after := r.values(); !retiring && !maps.Equal(before, after) {
					rt.Fatalf("a replay changed %v to %v", before, after)
				}
			case 4: // the source loses its state and writes all of it again
				old, confident := l.running[source], l.confident[source]
				r.fold(true, push(l.begin(source, l.generation[source]+1)))
				for _, p := range slices.Sorted(maps.Keys(old)) {
					if (old[p] != 0 || confident[p] != 0) && rapid.IntRange(0, 3).Draw(rt, "kept") > 0 {
						r.fold(true, push(l.post(source, p, old[p], confident[p])))
					}
				}
			case 5:
				if rapid.Bool().Draw(rt, "abort a tick") {
					r.fold(false, nil)
				}
				r.open()
			}
		}
		r.settle()
		values, confident := l.want()
		if got := r.values(); !maps.Equal(got, values) {
			rt.Fatalf("totals are %v, want %v", got, values)
		}
		if got := r.confidents(); !maps.Equal(got, confident) {
			rt.Fatalf("confident are %v, want %v", got, confident)
		}
		if n := r.stats.Gaps.Load() + r.stats.Mismatches.Load() + r.stats.Unreadable.Load(); n != 0 {
			rt.Fatalf("%d alerts over a sound ledger", n)
		}
		checkVersions(rt, r)
	})
}

func sameOutput(a, b emitted) bool {
	return a.topic == b.topic && bytes.Equal(a.key, b.key) && bytes.Equal(a.value, b.value)
}

// checkVersions wants versions of each key to rise, no row that repeats the one
// before it, and a tombstone behind each soft delete and nowhere else.
func checkVersions(rt *rapid.T, r *rig) {
	last := map[string]avro.ContributionRow{}
	for i, e := range r.log {
		if e.topic != contributions {
			continue
		}
		before, seen := last[string(e.key)]
		if len(e.value) == 0 {
			if i == 0 || !before.IsDeleted || !bytes.Equal(r.log[i-1].key, e.key) {
				rt.Fatalf("tombstone %d without a soft delete before it", i)
			}
			continue
		}
		row := r.row(e)
		if seen && row.Version != before.Version+1 || !seen && row.Version != 1000 {
			rt.Fatalf("version %d after %d of %s", row.Version, before.Version, row.Partner)
		}
		if seen && bytes.Equal(row.Value, before.Value) && bytes.Equal(row.ConfidentValue, before.ConfidentValue) && row.IsDeleted == before.IsDeleted {
			rt.Fatalf("row of %s repeats itself", row.Partner)
		}
		if row.IsDeleted && (i+1 == len(r.log) || len(r.log[i+1].value) != 0) {
			rt.Fatalf("soft delete %d has no tombstone behind it", i)
		}
		last[string(e.key)] = row
	}
}

func TestRetirementGoesOnAfterAbortAndRestart(t *testing.T) {
	r := newRig(t, testCodecs(t), 10)
	entries := []avro.CreditEntry{generation(0, 1)}
	for i := range 95 {
		entries = append(entries, credit(0, 1, int64(i+1), fmt.Sprintf("p%02d", i), 7, 7))
	}
	r.fold(true, r.records(entries...))
	if n := len(r.rows); n != 95 {
		t.Fatalf("%d rows, want 95", n)
	}
	r.fold(true, r.records(generation(0, 2)))
	if n := len(r.rows); n != 85 {
		t.Fatalf("%d rows after the first slice, want 85: a slice reads 10", n)
	}
	r.fold(false, nil)
	if n := len(r.rows); n != 85 || !r.p.Pending(r.now) {
		t.Fatalf("%d rows after an aborted slice, pending %v", n, r.p.Pending(r.now))
	}
	r.fold(true, nil)
	r.open()
	r.fold(true, r.records(credit(0, 2, 1, "p90", 9, 9)))
	if ticks := r.settle(); ticks != 7 {
		t.Errorf("%d more slices, want 7: the cursor was lost", ticks)
	}
	if got := r.values(); !maps.Equal(got, map[string]string{"p90/linear": "0.09"}) {
		t.Errorf("rows %v, want only what the new generation said", got)
	}
	if n := r.stats.Retired.Load(); n != 94 {
		t.Errorf("%d parts retired, want 94", n)
	}
	if n := r.kv.base.Len(); n == 0 || r.p.Pending(r.now) {
		t.Errorf("%d keys, pending %v", n, r.p.Pending(r.now))
	}
}

func TestRefusedEntriesDoNotStopTheLine(t *testing.T) {
	huge := credit(1, 1, 1, "acme", 1<<62, 1<<62)
	more := credit(2, 1, 1, "acme", 1<<62, 1<<62)
	long := credit(0, 1, 2, strings.Repeat("x", 1001), 1, 1)
	uneven := credit(0, 1, 2, "acme", 1, 1)
	uneven.Running = nil
	twice := credit(0, 1, 2, "acme", 1, 1)
	twice.Models, twice.Delta, twice.Running = []string{"m", "m"}, []int64{1, 1}, []int64{1, 1}
	unsure := credit(0, 1, 2, "acme", 1, 1)
	unsure.Confident = []int64{1, 1}
	scale := credit(0, 1, 2, "acme", 1, 1)
	scale.Exponent = 10
	kind := credit(0, 1, 2, "acme", 1, 1)
	kind.Kind = "later"
	for name, entries := range map[string][]avro.CreditEntry{
		"overflow":        {huge, more},
		"long dimension":  {long},
		"uneven lists":    {uneven},
		"too confident":   {unsure},
		"model twice":     {twice},
		"exponent":        {scale},
		"unknown kind":    {kind},
		"negative source": {credit(-1, 1, 1, "acme", 1, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, testCodecs(t), 0)
			r.fold(true, r.records(append([]avro.CreditEntry{generation(0, 1)}, entries...)...))
			if n := r.stats.Unreadable.Load(); n != 1 {
				t.Errorf("%d records left out, want 1:\n%s", n, r.text(r.log))
			}
			r.fold(true, r.records(credit(0, 1, 1, "blue", 3, 3)))
			if got := r.values()["blue/linear"]; got != "0.03" {
				t.Errorf("the entry behind it gives %q, want 0.03", got)
			}
		})
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	_, err := reporter.New(reporter.Config{}, stream.Assignment{}, task.NewMemory())
	if err == nil || !strings.Contains(err.Error(), "Contributions") {
		t.Errorf("error %v does not name the fields", err)
	}
}
