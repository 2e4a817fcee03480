package ingest_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"tracksource/identity"
	"tracksource/internal/ingest"
	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// TestContentHashStays: what tells events apart is what it was before observations had
// whether somebody in them can be matched, or else what comes again after a new program
// has begun would be another event under the same id.
func TestContentHashStays(t *testing.T) {
	l := newLine(t, codecs(t))
	l.send(avro.Observation{
		Kind: "fact", Node: node(identity.Anonymous, "acme", "a").Bytes(), Reporter: "acme", Feed: "analytics", Source: "ga4", EventID: "e", OccurredAt: start,
		Touch: &avro.TouchFacts{Type: "visit", Asset: "/"}, HashScheme: identity.HashScheme,
	})
	l.work(func(int) int { return 0 })
	var kept []string
	for _, kv := range l.stores {
		if err := kv.Scan([]byte{0x14}, []byte{0x15}, func(_, value []byte) (bool, error) {
			kept = append(kept, hex.EncodeToString(value[1:17]))
			return true, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	const want = "6b60f6cb49edd835850d928ca30326a7"
	if len(kept) != 1 || kept[0] != want {
		t.Errorf("content hashes %q, want %s", kept, want)
	}
}

// rest lets the line rest for as long as the last counts are told behind, and holds
// what is told against what was counted.
func (l *line) rest() {
	l.tick(l.now.Add(ingest.TellRestDefault))
	got := map[ingest.FeedID]ingest.Counts{}
	for k, row := range l.feeds {
		feed := ingest.FeedID{Feed: k.Feed, Reporter: k.Reporter}
		got[feed] = got[feed].Add(ingest.Counts{
			Accepted: row.Accepted, Duplicates: row.Duplicates, Late: row.Late, Collisions: row.Collisions, Restated: row.Restated, Superseded: row.Superseded,
			Suppressed: row.Suppressed, Unmatchable: row.Unmatchable, Touches: row.Touches, Unresolved: row.Unmatched,
		})
	}
	if want := l.stats.Feeds(); !maps.Equal(got, want) {
		l.t.Fatalf("told at rest %+v, counted %+v", got, want)
	}
	for _, r := range l.resolvers {
		if r.Waiting() || r.Pending(l.now.Add(time.Hour)) {
			l.t.Fatalf("something is left to be told at rest")
		}
	}
}

func visit(id string, n identity.Node, links ...avro.Link) avro.Observation {
	return avro.Observation{
		Kind: "fact", Node: n.Bytes(), Reporter: "acme", Feed: "analytics", Source: "test", EventID: id, OccurredAt: start,
		Touch: &avro.TouchFacts{Type: "visit"}, Links: links,
	}
}

// TestMatched: touches are unmatched while their account only stands in for one, and
// are none any more once they are taken back or their person is erased.
func TestMatched(t *testing.T) {
	l := newLine(t, codecs(t))
	visitor, person := node(identity.Anonymous, "acme", "v"), node(identity.Person, "acme", "p")
	company, err := identity.DomainNode("bigco.com")
	if err != nil {
		t.Fatal(err)
	}
	work := func(what string, want ingest.Counts, events ...avro.Observation) {
		t.Helper()
		for _, e := range events {
			l.send(e)
		}
		l.work(func(int) int { return 0 })
		l.rest()
		if got := l.stats.Feeds()[ingest.FeedID{Feed: "analytics", Reporter: "acme"}]; got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	work("anonymous", ingest.Counts{Accepted: 2, Touches: 2, Unresolved: 2}, visit("1", visitor), visit("2", visitor))
	work("of a person", ingest.Counts{Accepted: 3, Touches: 3, Unresolved: 3}, visit("3", visitor, avro.Link{Parent: person.Bytes(), Evidence: int(identity.Login), At: start}))
	link := avro.Observation{Kind: "link", Node: person.Bytes(), Reporter: "acme", Feed: "crm", Source: "test", OccurredAt: start, Links: []avro.Link{{Parent: company.Bytes(), Evidence: int(identity.Record), At: start}}}
	work("of a company", ingest.Counts{Accepted: 3, Touches: 3}, link)
	back := visit("2", visitor)
	back.Retracted, back.Touch, back.MappingRevision = true, nil, 1
	work("taken back", ingest.Counts{Accepted: 3, Restated: 1, Touches: 2}, back)
	work("another, and a duplicate", ingest.Counts{Accepted: 4, Duplicates: 1, Restated: 1, Touches: 3}, visit("4", visitor), visit("4", visitor))
	work("erased", ingest.Counts{Accepted: 4, Duplicates: 1, Restated: 1}, avro.Observation{Kind: "erase", Node: visitor.Bytes()})
	work("suppressed", ingest.Counts{Accepted: 4, Duplicates: 1, Restated: 1, Suppressed: 1}, visit("5", visitor))
}

// TestUnmatchableCounts: an event is unmatchable by what is said of it last.
func TestUnmatchableCounts(t *testing.T) {
	l := newLine(t, codecs(t))
	n := node(identity.Person, "acme", "p")
	for _, s := range []struct {
		revision           int64
		asset              string
		unmatchable, taken bool
		want               int64
	}{
		{0, "a", true, false, 1},
		{0, "a", true, false, 1},  // a duplicate
		{1, "a", false, false, 0}, // a mapping that brings the domain
		{2, "b", true, false, 1},  // said anew
		{1, "a", false, false, 1}, // older than that
		{3, "", false, true, 0},   // taken back
		{4, "c", true, false, 1},  // and said again
		{4, "d", true, false, 2},  // another under the same id
	} {
		obs := visit("e", n)
		obs.Touch.Asset, obs.MappingRevision, obs.Unmatchable = s.asset, s.revision, s.unmatchable
		if s.taken {
			obs.Touch, obs.Retracted = nil, true
		}
		l.send(obs)
		l.work(func(int) int { return 0 })
		if got := l.stats.Feeds()[ingest.FeedID{Feed: "analytics", Reporter: "acme"}]; got.Unmatchable != s.want {
			t.Errorf("behind %+v: %+v", s, got)
		}
	}
	l.rest()
}

// TestTold: a busy partition tells a feed's counts at once and then once in a while, and
// the last of them when it has come to rest; who takes it over tells what was held back.
func TestTold(t *testing.T) {
	l := newLine(t, codecs(t))
	n := node(identity.Person, "acme", "p")
	p := stream.PartitionOf(n.Bytes(), partitions)
	visits := 0
	step := func(what string, after time.Duration, events int, want ...string) {
		t.Helper()
		l.now, l.told = l.now.Add(after), nil
		for range events {
			visits++
			l.send(visit(fmt.Sprint(visits), n))
		}
		l.work(func(n int) int { return n - 1 })
		if !slices.Equal(l.told, want) {
			t.Errorf("%s: told %q, want %q", what, l.told, want)
		}
	}
	const half = ingest.TellRestDefault / 2
	step("the first", 0, 1, "analytics.acme v1: 1 touches, 1 unmatched")
	for range ingest.TellEveryDefault/half - 1 {
		step("busy", half, 1)
	}
	step("busy, and a while later", half, 1, "analytics.acme v2: 31 touches, 31 unmatched")
	step("nothing new", ingest.TellRestDefault, 0)
	step("at rest for a while, the first again", half, 1)
	if !l.resolvers[p].Waiting() {
		t.Error("it does not say that something is held back")
	}
	step("not yet at rest", half, 0)
	step("at rest", half, 0, "analytics.acme v3: 32 touches, 32 unmatched")
	step("held back", half, 1)
	l.resolvers[p] = l.resolver(p)
	step("by the next owner", 0, 0, "analytics.acme v4: 33 touches, 33 unmatched")
	step("by a clock that is behind", -time.Hour, 1, "analytics.acme v5: 34 touches, 34 unmatched")
	l.rest()
}

// TestToldAborted: what was told in a transaction that did not come to be is told again.
func TestToldAborted(t *testing.T) {
	l := newLine(t, codecs(t))
	n := node(identity.Person, "acme", "p")
	p := stream.PartitionOf(n.Bytes(), partitions)
	l.send(visit("0", n))
	l.work(func(int) int { return 0 })
	before := task.NewMemory()
	if err := l.stores[p].Scan([]byte{0}, []byte{255}, func(k, v []byte) (bool, error) { return true, before.Put(k, v) }); err != nil {
		t.Fatal(err)
	}
	again := visit("1", n)
	b, err := l.codecs.Observation.Append(nil, &again)
	if err != nil {
		t.Fatal(err)
	}
	var lost outbox
	l.now = l.now.Add(time.Hour)
	if err := l.resolvers[p].Fold(context.Background(), []stream.Record{{Offset: 1, Key: n.Bytes(), Value: b}}, l.now, &lost); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(lost.all, func(m sent) bool { return m.topic == "feeds" }) {
		t.Fatal("nothing was told")
	}
	l.stores[p] = before
	l.resolvers[p] = l.resolver(p)
	l.send(again)
	l.work(func(int) int { return 0 })
	l.rest()
}

// TestCountsOfOlderState: a state whose counts have no touches has them counted from its
// items, and told without another event.
func TestCountsOfOlderState(t *testing.T) {
	l := newLine(t, codecs(t))
	visitor := node(identity.Anonymous, "acme", "v")
	company, err := identity.DomainNode("bigco.com")
	if err != nil {
		t.Fatal(err)
	}
	l.send(visit("1", visitor))
	l.send(visit("2", node(identity.Person, "acme", "p"), avro.Link{Parent: company.Bytes(), Evidence: int(identity.Record), At: start}))
	l.work(func(int) int { return 0 })
	want := l.stats.Feeds()
	for p, kv := range l.stores {
		var keys [][]byte
		if err := kv.Scan([]byte{0x16}, []byte{0x17}, func(key, _ []byte) (bool, error) {
			keys = append(keys, bytes.Clone(key))
			return true, nil
		}); err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			if err := kv.Put(key, []byte("\x01"+`{"accepted":1,"unresolved":7}`)); err != nil {
				t.Fatal(err)
			}
		}
		l.resolvers[p] = l.resolver(int32(p))
	}
	clear(l.feeds)
	l.work(func(int) int { return 0 })
	l.rest()
	if got := l.stats.Feeds(); !maps.Equal(got, want) || got[ingest.FeedID{Feed: "analytics", Reporter: "acme"}].Touches != 2 {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}
