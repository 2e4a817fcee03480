package follow_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"tracksource/contract/example"
	"tracksource/deploy/kafka"
	"tracksource/internal/control"
	"tracksource/internal/follow"
	"tracksource/internal/line"
	"tracksource/money"
	"tracksource/report"
	"tracksource/schemas/avro"
	"tracksource/state"
	"tracksource/stream"
)

var (
	quiet = slog.New(slog.DiscardHandler)
	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// rig is a Follow that a test hands records to.
type rig struct {
	t       testing.TB
	codecs  *avro.Codecs
	spec    kafka.Spec
	f       *follow.Follow
	offsets map[string]int64
}

func newRig(t testing.TB, room int64) *rig {
	t.Helper()
	codecs, err := avro.OpenCodecs(context.Background(), avro.NewMemory(), "tracksource")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := kafka.Load(kafka.ProfileLocal, kafka.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := state.OpenDir(state.Config{Path: t.TempDir(), Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dir.Close(); err != nil {
			t.Error(err)
		}
	})
	f, err := follow.Offline(follow.Config{Codecs: codecs, Spec: spec, Log: quiet, Clock: func() time.Time { return start }, CubeBytes: room, DealBytes: room}, dir)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, codecs: codecs, spec: spec, f: f, offsets: map[string]int64{}}
}

// send takes a record in; a nil value is a tombstone.
func (r *rig) send(topic string, partition int32, key, value []byte) {
	r.t.Helper()
	place := fmt.Sprint(topic, partition)
	err := r.f.Take(topic, stream.Record{Topic: topic, Partition: partition, Offset: r.offsets[place], Key: key, Value: value, Timestamp: start})
	if err != nil {
		r.t.Fatal(err)
	}
	r.offsets[place]++
}

func encode[T any](t testing.TB, c *avro.Codec[T], v T) []byte {
	t.Helper()
	b, err := c.Append(nil, &v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func row(partner, asset string, minor, version int64) avro.ContributionRow {
	r := avro.ContributionRow{
		Contract: "tour", Measure: "revenue", Model: "linear", Day: "2026-02-01", Partner: partner, Channel: "Email", Asset: asset,
		Currency: "EUR", Version: version, AsOf: start.Add(time.Duration(version) * time.Second), UpdatedAt: start,
	}
	if err := errors.Join(r.SetValue(minor, 2), r.SetConfident(minor/2, 2)); err != nil {
		panic(err)
	}
	return r
}

func keyOf(r *avro.ContributionRow) avro.ContributionKey {
	return avro.ContributionKey{
		Contract: r.Contract, Measure: r.Measure, Model: r.Model, Day: r.Day, Partner: r.Partner, Channel: r.Channel, Asset: r.Asset,
		Region: r.Region, Segment: r.Segment, Source: r.Source, TouchCampaign: r.TouchCampaign, Escrow: r.Escrow, Booked: r.Booked,
	}
}

func (r *rig) row(row avro.ContributionRow) {
	r.t.Helper()
	r.send(r.spec.Contributions(), 0, encode(r.t, r.codecs.ContributionKey, keyOf(&row)), encode(r.t, r.codecs.ContributionRow, row))
}

// TestRows draws changes of rows and wants sums and lists to follow them, whether
// cubes fit, are forgotten all the time, or never fit.
func TestRows(t *testing.T) {
	id := func(r *avro.ContributionRow) string {
		return r.Model + r.Partner + r.Asset + r.Day + r.Escrow + r.Booked
	}
	for _, room := range []int64{0, 2000, 1} {
		r := newRig(t, room)
		rapid.Check(t, func(t *rapid.T) {
			campaign := "tour"
			rows := map[string]avro.ContributionRow{}
			if err := r.f.Scan(func(row avro.ContributionRow) error {
				rows[id(&row)] = row
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			for range rapid.IntRange(1, 10).Draw(t, "changes") {
				one := row(rapid.SampledFrom([]string{"acme", "globex", report.Unattributed}).Draw(t, "partner"),
					rapid.SampledFrom([]string{"a", "b\x00", "b", ""}).Draw(t, "asset"), rapid.Int64Range(-1000, 1000).Draw(t, "minor"), 0)
				one.Model = rapid.SampledFrom([]string{"linear", "last-touch"}).Draw(t, "model")
				one.Day = money.Day(20000 + rapid.IntRange(0, 2).Draw(t, "day")).String()
				one.Booked = money.Day(20000 + rapid.IntRange(0, 2).Draw(t, "booked")).String()
				one.Escrow = rapid.SampledFrom([]string{"(none)", "disputed"}).Draw(t, "escrow")
				id := id(&one)
				one.Version = r.offsets[r.spec.Contributions()+"0"] + 1
				if _, held := rows[id]; held && rapid.Bool().Draw(t, "delete") {
					delete(rows, id)
					one.IsDeleted = true
					if soft := rapid.Bool().Draw(t, "soft delete left"); soft {
						r.row(one)
					}
					r.send(r.spec.Contributions(), 0, encode(r.t, r.codecs.ContributionKey, keyOf(&one)), nil)
					continue
				}
				rows[id] = one
				r.row(one)
			}
			for _, model := range []string{"linear", "last-touch"} {
				ask := report.Ask{View: rapid.SampledFrom(report.Views()).Draw(t, "view"), By: []report.Dimension{report.Day, report.Partner, report.Escrow}, Within: &report.Span{From: 20000, To: 20001}}
				tally, _ := report.NewTally(ask.By...)
				var days []string
				for _, one := range rows {
					plain, err := follow.RowOf(&one)
					if err != nil {
						t.Fatal(err)
					}
					if seen, ok := ask.Take(&plain); one.Model == model && ok {
						tally.Add(&seen)
						days = append(days, one.Day)
					}
				}
				got, err := r.f.Sum(campaign, "revenue", model, ask)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := all(got.Breakdowns), all(tally.Breakdowns()); got != want {
					t.Fatalf("room %d, %s: got %s\nwant %s", room, model, got, want)
				}
				slices.Sort(days)
				var listed []string
				var place follow.RowPlace
				for {
					more := false
					if err := r.f.Rows(campaign, "revenue", model, ask.View, ask.Within, place, func(row *avro.ContributionRow, at follow.RowPlace) (bool, error) {
						listed, place, more = append(listed, row.Day), at, true
						return false, nil
					}); err != nil {
						t.Fatal(err)
					}
					if !more {
						break
					}
				}
				if !slices.Equal(listed, days) {
					t.Fatalf("listed one by one: %v, want %v", listed, days)
				}
			}
			if room > 0 && r.f.HeldBytes() > room {
				t.Fatalf("cubes take %d bytes of %d", r.f.HeldBytes(), room)
			}
		})
	}
}

// all is texts, and of each what is certain.
func all(list []report.Breakdown) string {
	text := fmt.Sprint(texts(list))
	for _, b := range list {
		text += " certain " + b.Confident.Text(2)
		for _, g := range b.Groups {
			text += " " + g.Confident.Text(2)
		}
	}
	return text
}

func texts(list []report.Breakdown) []string {
	var out []string
	for _, b := range list {
		text := b.Currency + b.Total.Text(2) + "/" + b.Unattributed.Text(2)
		for _, g := range b.Groups {
			text += fmt.Sprintf(" %q=%s", g.Key, g.Value.Text(2))
		}
		out = append(out, text)
	}
	return out
}

// TestChangesWhileLoading: what changes while a cube is read from disk is in it,
// whether the reading saw it or not, and what the reading saw and is old by then is
// not.
func TestChangesWhileLoading(t *testing.T) {
	deleted := func(r avro.ContributionRow) avro.ContributionRow { r.IsDeleted = true; return r }
	asked := make(chan struct{})
	var cubes follow.Cubes
	change := func(r avro.ContributionRow) {
		if err := cubes.Change(r); err != nil {
			t.Error(err)
		}
	}
	cubes = follow.NewCubes(1<<20, func(_ string, fn func(row *avro.ContributionRow) error) error {
		close(asked)
		change(row("new", "a", 100, 9))     // the reading does not see it
		change(row("changed", "a", 200, 5)) // it sees the older
		change(row("seen", "a", 1, 3))      // it sees a newer one still
		change(deleted(row("gone", "a", 0, 4)))
		change(row("gone and back", "a", 1, 4))
		change(deleted(row("gone and back", "a", 0, 5)))
		change(row("gone and back", "a", 50, 6))
		for _, r := range []avro.ContributionRow{row("changed", "a", 20, 4), row("seen", "a", 3, 4), row("gone", "a", 7, 3), row("still", "a", 1000, 1)} {
			if err := fn(&r); err != nil {
				return err
			}
		}
		return nil
	})
	other := make(chan string)
	go func() {
		<-asked // the cube is being loaded by somebody else
		s, err := cubes.Sum("tour", report.Ask{By: []report.Dimension{report.Partner}})
		other <- fmt.Sprint(texts(s.Breakdowns), err)
	}()
	s, err := cubes.Sum("tour", report.Ask{By: []report.Dimension{report.Partner}})
	const want = `[EUR1353.00/0.00 ["still"]=1000.00 ["changed"]=200.00 ["new"]=100.00 ["gone and back"]=50.00 ["seen"]=3.00] <nil>`
	scaled := strings.NewReplacer("1353.00", "13.53", "1000.00", "10.00", "200.00", "2.00", "100.00", "1.00", "50.00", "0.50", "3.00", "0.03").Replace(want)
	if got := fmt.Sprint(texts(s.Breakdowns), err); got != scaled {
		t.Errorf("got  %s\nwant %s", got, scaled)
	}
	if got := <-other; got != scaled {
		t.Errorf("another that asked meanwhile got %s\nwant %s", got, scaled)
	}
	if !s.AsOf.Equal(start.Add(9 * time.Second)) {
		t.Errorf("as of %v, want the newest change", s.AsOf)
	}
}

// TestRoom: the cube that was not asked for longest makes room.
func TestRoom(t *testing.T) {
	loads := map[string]int{}
	cubes := follow.NewCubes(10_500, func(campaign string, fn func(row *avro.ContributionRow) error) error {
		loads[campaign]++
		for i := range 20 {
			r := row("p", fmt.Sprint(i), 1, 1)
			if err := fn(&r); err != nil {
				return err
			}
		}
		return nil
	})
	ask := func(campaign string) {
		t.Helper()
		if s, err := cubes.Sum(campaign, report.Ask{}); err != nil || texts(s.Breakdowns)[0] != "EUR0.20/0.00 []=0.20" {
			t.Fatalf("%v, %v", texts(s.Breakdowns), err)
		}
	}
	for _, campaign := range []string{"a", "b", "a", "c", "a", "b"} {
		ask(campaign)
	}
	if loads["a"] != 1 || loads["b"] != 2 || loads["c"] != 1 || cubes.Held() != 2 {
		t.Errorf("loads %v, %d held; want a kept, b forgotten for c and loaded again", loads, cubes.Held())
	}
}

func (r *rig) facts(partition int32, account, conversion string, source int32, generation, revision int64, asOf int, state string) {
	r.t.Helper()
	k := avro.FactsKey{Contract: "tour", Conversion: conversion, Account: []byte(account), Revision: revision, SourcePartition: source}
	v := avro.Facts{
		Kind: "facts", Generation: generation, SourcePartition: source, Contract: "tour", Revision: revision, Account: []byte(account),
		Conversion: conversion, State: state, AsOf: start.Add(time.Duration(asOf) * time.Second),
	}
	r.send(r.spec.Facts(), partition, encode(r.t, r.codecs.FactsKey, k), encode(r.t, r.codecs.Facts, v))
}

func (r *rig) deals() string {
	r.t.Helper()
	var out []string
	err := r.f.Deals("tour", func(d *follow.Deal) (bool, error) {
		text := d.Newest().Deal.String() + "@" + d.Account
		for i := range d.Parts {
			text += fmt.Sprintf(" %d:%s", d.Parts[i].Revision, d.Parts[i].State)
		}
		out = append(out, text)
		one, ok, err := r.f.Deal("tour", d.Newest().Deal.String())
		if err != nil || !ok || one.Account != d.Account || len(one.Parts) != len(d.Parts) {
			r.t.Errorf("asked for alone, %s is %+v, %v, %v", text, one, ok, err)
		}
		return true, nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// TestFacts: the last record of a key counts, moved deals are told once, and a
// source's new life ends what it said in the older one, whatever the order of
// partitions.
func TestFacts(t *testing.T) {
	for _, room := range []int64{0, 1} { // in memory, and from disk
		t.Run(fmt.Sprint(room), func(t *testing.T) { facts(t, newRig(t, room)) })
	}
}

func facts(t *testing.T, r *rig) {
	t.Helper()
	want := func(want string) {
		t.Helper()
		if got := r.deals(); got != want {
			t.Errorf("deals %s\nwant  %s", got, want)
		}
	}
	const one, two = "acme/salesforce/opportunity/1", "acme/salesforce/opportunity/2"
	r.facts(0, "a", one, 3, 100, 1, 1, "open")
	r.facts(0, "a", one, 3, 100, 2, 1, "open")
	r.facts(1, "b", two, 4, 100, 1, 1, "open")
	r.facts(0, "a", one, 3, 100, 2, 2, "won")
	want(one + "@a 1:open 2:won; " + two + "@b 1:open")

	// The deal moves to an account of another partition; both say so, in either order.
	r.facts(0, "c", one, 4, 100, 2, 3, "won")
	want(one + "@c 2:won; " + two + "@b 1:open")
	k := avro.FactsKey{Contract: "tour", Conversion: one, Account: []byte("a"), Revision: 2, SourcePartition: 3}
	r.send(r.spec.Facts(), 0, encode(t, r.codecs.FactsKey, k), nil)
	want(one + "@c 2:won; " + two + "@b 1:open")

	life := func(partition, source int32, generation int64) {
		r.send(r.spec.Facts(), partition, encode(t, r.codecs.FactsKey, avro.FactsKey{SourcePartition: source}),
			encode(t, r.codecs.Facts, avro.Facts{Kind: "generation", Generation: generation, SourcePartition: source, AsOf: start}))
	}
	life(1, 4, 200)
	want(one + "@a 1:open") // what the other source has not withdrawn yet
	r.facts(1, "b", two, 4, 200, 1, 4, "lost")
	r.facts(0, "c", one, 4, 200, 1, 4, "won")
	life(0, 4, 200)
	want(one + "@c 1:won; " + two + "@b 1:lost")
}

// TestLedger: entries are found by conversion and by row, those of a life that is over
// are not.
func TestLedger(t *testing.T) {
	r := newRig(t, 0)
	entry := func(partition int32, conversion, partner string, generation int64, delta int64) {
		r.send(r.spec.Credits(), partition, nil, encode(t, r.codecs.Credit, avro.CreditEntry{
			Kind: "entry", Contract: "tour", Conversion: conversion, Measure: "revenue", Day: "2026-02-01", Partner: partner,
			Models: []string{"linear"}, Delta: []int64{delta}, Running: []int64{delta}, Generation: generation, SourcePartition: 2, AsOf: start,
		}))
	}
	entry(0, "one", "acme", 100, 1)
	entry(1, "one", "globex", 100, 2)
	entry(0, "two", "acme", 100, 4)
	read := func(each func(fn func(*follow.Entry) (bool, error)) error) string {
		var out []string
		if err := each(func(e *follow.Entry) (bool, error) {
			out = append(out, fmt.Sprintf("%d@%d %s/%s %d", e.Partition, e.Offset, e.Conversion, e.Partner, e.Delta[0]))
			return true, nil
		}); err != nil {
			t.Fatal(err)
		}
		return strings.Join(out, "; ")
	}
	byDeal := func() string {
		return read(func(fn func(*follow.Entry) (bool, error)) error { return r.f.Entries("tour", "one", fn) })
	}
	byRow := func() string {
		k := avro.ContributionKey{Contract: "tour", Measure: "revenue", Model: "whatever", Day: "2026-02-01", Partner: "acme"}
		return read(func(fn func(*follow.Entry) (bool, error)) error { return r.f.EntriesOf(&k, fn) })
	}
	if got, want := byDeal(), "0@0 one/acme 1; 1@0 one/globex 2"; got != want {
		t.Errorf("by conversion: %s, want %s", got, want)
	}
	if got, want := byRow(), "0@0 one/acme 1; 0@1 two/acme 4"; got != want {
		t.Errorf("by row: %s, want %s", got, want)
	}
	r.send(r.spec.Credits(), 0, nil, encode(t, r.codecs.Credit, avro.CreditEntry{Kind: "generation", Generation: 200, SourcePartition: 2, AsOf: start}))
	entry(0, "one", "acme", 200, 8)
	if got, want := byDeal(), "0@3 one/acme 8"; got != want {
		t.Errorf("by conversion in a new life: %s, want %s", got, want)
	}
	if got, want := byRow(), "0@3 one/acme 8"; got != want {
		t.Errorf("by row in a new life: %s, want %s", got, want)
	}
}

// TestDecisions: contracts, proposals and amounts as the service judges them.
func TestDecisions(t *testing.T) {
	r := newRig(t, 0)
	document := example.AILaunchTour()
	send := func(c avro.Control, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		r.send(r.spec.Control(), 0, []byte("k"), encode(t, r.codecs.Control, c))
	}
	campaigns := func() string {
		list, err := r.f.Campaigns()
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, c := range list {
			out = append(out, fmt.Sprintf("%s %d of %d %v", c.Book, c.Record.Revision, len(c.Revisions), c.Proposed))
		}
		return strings.Join(out, "; ")
	}
	if got := campaigns(); got != "" {
		t.Errorf("at first there is %s", got)
	}
	send(control.Revise(document, 0, start))
	if got, want := campaigns(), "ai-launch-tour 1 of 1 false"; got != want {
		t.Errorf("campaigns %s, want %s", got, want)
	}
	changed := []byte(strings.Replace(string(document), "\n", "\n# another\n", 1))
	send(control.Propose(changed, 1, start))
	send(control.Revise(document, 0, start)) // stale
	if got, want := campaigns(), "ai-launch-tour 1 of 1 false; ai-launch-tour~proposed 2 of 1 true"; got != want {
		t.Errorf("campaigns %s, want %s", got, want)
	}
	send(control.Revise(changed, 1, start))
	if got, want := campaigns(), "ai-launch-tour 2 of 2 false"; got != want {
		t.Errorf("campaigns %s, want %s", got, want)
	}
	spend := avro.AmountRecord{Campaign: "ai-launch-tour", Day: "2026-02-01", Payer: "acme", Amount: "10", Currency: "EUR", RecordedAt: start}
	send(avro.Control{Kind: control.Spend, Amount: &spend}, nil)
	corrected := spend
	corrected.Amount = "12"
	send(avro.Control{Kind: control.Spend, Amount: &corrected}, nil)
	back := spend
	back.Day, back.Amount = "2026-02-02", ""
	send(avro.Control{Kind: control.Spend, Amount: &back}, nil)
	list, err := r.f.Amounts(control.Spend, "ai-launch-tour")
	if err != nil || len(list) != 1 || list[0].Amount != "12" {
		t.Errorf("spend %+v, %v; want the correction alone", list, err)
	}
	// What is kept of the rates is what was decided last, and never changes under who
	// reads it.
	rate := func(text string) *money.Rates {
		t.Helper()
		send(avro.Control{Kind: control.Rate, Rate: &avro.RateRecord{Base: "EUR", Quote: "USD", Day: "2026-02-01", Rate: text, Source: "test"}}, nil)
		rates, err := r.f.Rates()
		if err != nil {
			t.Fatal(err)
		}
		return rates
	}
	first, then := rate("1.1"), rate("1.2")
	if again, err := r.f.Rates(); err != nil || again != then {
		t.Errorf("rates are read again without another decision, error %v", err)
	}
	for want, rates := range map[string]*money.Rates{"1.1": first, "1.2": then} {
		if list := rates.Entries(); len(list) != 1 || list[0].Text != want {
			t.Errorf("rates %+v, want %s", list, want)
		}
	}
}

// TestMappings: of the revisions of mappings that were taken in there is all but their
// documents, in their order, also when they are followed one by one.
func TestMappings(t *testing.T) {
	r := newRig(t, 0)
	document := []byte("mapping: {partner: acme, feed: crm, source: own}\nrules:\n  - {name: form, when: {path: kind, equals: form}, id: id, time: at, identities: {email: mail}, touch: {type: {const: form}}}\n")
	remap := func(document []byte, previous int64, by, why string) {
		c := control.Remap("acme", "crm", document, previous, start)
		c.Mapping.By, c.Mapping.Why = by, why
		r.send(r.spec.Control(), 0, []byte("k"), encode(t, r.codecs.Control, c))
	}
	told := func() []string {
		var out []string
		if err := r.f.Decided(func(b *control.Book) error {
			for _, m := range b.Mappings[control.OfMapping("acme", "crm")] {
				if m.Document != "" {
					t.Errorf("the document of revision %d is kept", m.Revision)
				}
				out = append(out, fmt.Sprintf("%d %.4s %s: %s", m.Revision, m.Hash, m.By, m.Why))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	remap(document, 0, "", "")
	want := []string{fmt.Sprintf("1 %.4s : ", control.Hash(document))}
	if got := told(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	remap(append(document, '\n'), 0, "Revenue Operations", "did not know of the first") // stale
	remap([]byte("rules: 1"), 1, "Revenue Operations", "no mapping")
	remap(nil, 1, "Marketing Operations", "the native shapes do")
	want = append(want, fmt.Sprintf("2 %.4s Marketing Operations: the native shapes do", control.Hash(nil)))
	if got := told(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestAlerts: the newest first, the same alert once, where it was raised last.
// TestVerdict: whoever wrote a record learns what became of it, as soon as it is read;
// of the same record twice the first tells, and of many the newest alone.
func TestVerdict(t *testing.T) {
	r := newRig(t, 0)
	said := func(score string, at int) *avro.Control {
		return &avro.Control{Kind: control.Survey, Survey: &avro.SurveyRecord{
			Campaign: example.Campaign, Partner: "globex", Day: "2026-02-27", Score: score, By: "RevOps", Why: "asked", At: start.Add(time.Duration(at) * time.Second),
		}}
	}
	write := func(list ...*avro.Control) {
		t.Helper()
		var records []stream.Record
		for _, c := range list {
			records = append(records, stream.Record{Topic: r.spec.Control(), Offset: r.offsets["control"], Key: []byte("k"), Value: encode(t, r.codecs.Control, *c), Timestamp: start})
			r.offsets["control"]++
		}
		if err := r.f.Take(r.spec.Control(), records...); err != nil {
			t.Fatal(err)
		}
	}
	verdict := func(c *avro.Control) string {
		t.Helper()
		refused, known, err := r.f.Verdict(c)
		if err != nil {
			t.Fatal(err)
		}
		if refused == nil {
			return fmt.Sprint(known)
		}
		return refused.Error()
	}
	early, good, bad := said("8", 0), said("8", 1), said("11", 2)
	first, err := control.Revise(example.AILaunchTour(), 0, start)
	if err != nil {
		t.Fatal(err)
	}
	write(early, &first, good, bad, early)
	for c, want := range map[*avro.Control]string{early: "has no contract", good: "true", bad: "a score of", said("8", 3): "false"} {
		if got := verdict(c); !strings.Contains(got, want) {
			t.Errorf("the verdict on a score of %s at %s is %q, want %q", c.Survey.Score, c.Survey.At, got, want)
		}
	}
	var many []*avro.Control
	for i := range follow.VerdictsMax {
		many = append(many, said("7", 10+i))
	}
	write(many...)
	if got, newest := verdict(good), verdict(many[len(many)-1]); got != "false" || newest != "true" {
		t.Errorf("after many the first verdict is %q and the newest %q", got, newest)
	}
}

func TestAlerts(t *testing.T) {
	r := newRig(t, 0)
	raise := func(id string, at int) {
		r.send(r.spec.Alerts(), 0, []byte(id), encode(t, r.codecs.Alert, avro.Alert{ID: id, RaisedAt: start.Add(time.Duration(at) * time.Hour)}))
	}
	raise("a", 1)
	raise("b", 2)
	raise("c", 3)
	raise("a", 4)
	r.send(r.spec.Alerts(), 0, []byte("b"), nil)
	var got []string
	var place follow.AlertPlace
	for more := true; more; {
		more = false
		if err := r.f.Alerts(place, func(a *avro.Alert, at follow.AlertPlace) (bool, error) {
			got, place, more = append(got, a.ID), at, true
			return false, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"a", "c"}; !slices.Equal(got, want) {
		t.Errorf("alerts %v, want %v", got, want)
	}
}

// TestOpen follows a real broker's topics over a restart.
func TestOpen(t *testing.T) {
	r := newRig(t, 0)
	m, err := kafka.StartMemory(kafka.MemoryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	ctx := context.Background()
	if _, err := kafka.Apply(ctx, m.Conn(), r.spec); err != nil {
		t.Fatal(err)
	}
	p, err := stream.NewProducer(line.StreamConn(m.Conn()), quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	cfg := line.Config{Kafka: m.Conn(), Spec: r.spec, Registry: avro.NewMemory(), DataDir: t.TempDir(), Log: quiet, Clock: time.Now}
	for i, want := range []string{"EUR1.00/0.00 []=1.00", "EUR3.00/0.00 []=3.00"} {
		l, err := line.Open(ctx, cfg, follow.TopicsOf(r.spec)...)
		if err != nil {
			t.Fatal(err)
		}
		one := row("acme", fmt.Sprint(i), int64(100*(i+1)), 1)
		if err := p.Send(ctx, stream.Message{
			Topic: r.spec.Contributions(), Key: encode(t, l.Codecs.ContributionKey, keyOf(&one)), Value: encode(t, l.Codecs.ContributionRow, one),
		}); err != nil {
			t.Fatal(err)
		}
		f, err := follow.Open(l, 0)
		if err != nil {
			t.Fatal(err)
		}
		if age, why := f.Behind(); age >= 0 || why == "" {
			t.Errorf("before it is read it is behind by %v: %q", age, why)
		}
		svc := &line.Service{Line: l, Tables: f.Tables()}
		run, cancel := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- svc.Run(run) }()
		for {
			_, changed := f.Version()
			if s, err := f.Sum("tour", "revenue", "linear", report.Ask{}); err != nil {
				t.Fatal(err)
			} else if len(s.Breakdowns) > 0 && texts(s.Breakdowns)[0] == want {
				break
			}
			<-changed
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := svc.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestBehindAtRest: topics that end in markers of transactions, committed and aborted
// ones, are read to their ends, and go on being so as time passes.
func TestBehindAtRest(t *testing.T) {
	m, err := kafka.StartMemory(kafka.MemoryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	ctx := t.Context()
	spec := newRig(t, 0).spec
	if _, err := kafka.Apply(ctx, m.Conn(), spec); err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(m.Conn().Brokers...), kgo.TransactionalID("w"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	ends, err := kafka.EndOffsets(ctx, m.Conn(), follow.TopicsOf(spec)...)
	if err != nil {
		t.Fatal(err)
	}
	write := func(end kgo.TransactionEndTry) {
		t.Helper()
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for topic, partitions := range ends {
			for p := range partitions {
				r := &kgo.Record{Topic: topic, Partition: p, Key: []byte("k"), Value: []byte("of no schema, so that it is left out")}
				if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cl.EndTransaction(ctx, end); err != nil {
			t.Fatal(err)
		}
	}
	write(kgo.TryCommit)
	var passed atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }
	l, err := line.Open(ctx, line.Config{Kafka: m.Conn(), Spec: spec, Registry: avro.NewMemory(), DataDir: t.TempDir(), Log: quiet, Clock: clock}, follow.TopicsOf(spec)...)
	if err != nil {
		t.Fatal(err)
	}
	f, err := follow.Open(l, 0)
	if err != nil {
		t.Fatal(err)
	}
	svc := &line.Service{Line: l, Tables: f.Tables()}
	run, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- svc.Run(run) }()
	rest := func(when string) {
		t.Helper()
		limit := time.After(5 * time.Minute)
		for age, why := f.Behind(); age != 0 || why != ""; age, why = f.Behind() {
			select {
			case <-limit:
				t.Fatalf("%s it is behind by %v: %q", when, age, why)
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	rest("once everything is read")
	for when, how := range map[string]kgo.TransactionEndTry{"behind a commit": kgo.TryCommit, "behind an abort": kgo.TryAbort} {
		write(how)
		passed.Add(int64(time.Hour)) // so that it has to look again where the topics end
		rest(when)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := svc.Close(); err != nil {
		t.Error(err)
	}
}
