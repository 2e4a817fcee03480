package ingest_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/identity"
	"tracksource/schemas/avro"
)

// bounded fails when one batch or Tick writes more than so many records to journeys.
type bounded struct {
	*line
	most int
}

// TestManyItemsMove: who did thousands of things and turns out to belong elsewhere, or
// is erased, moves in slices, and what is said of it meanwhile moves with it. In the
// end all is where a batch has it.
func TestManyItemsMove(t *testing.T) {
	c := codecs(t)
	user, company, domain := node(identity.Person, "acme", "u"), node(identity.CRMAccount, "acme", "1"), node(identity.Domain, "", "bigco.com")
	const things = 60
	said := func(i int, at time.Time, revision int64) avro.Observation {
		return avro.Observation{
			Kind: "fact", Node: user.Bytes(), Reporter: "acme", Feed: "analytics", Source: "segment", EventID: fmt.Sprintf("e%02d", i),
			OccurredAt: at, Revision: revision, Touch: &avro.TouchFacts{Type: "visit", Asset: fmt.Sprint(revision)},
		}
	}
	belongs := func(to identity.Node, at time.Time) avro.Observation {
		return avro.Observation{Kind: "link", Node: user.Bytes(), Links: []avro.Link{{Parent: to.Bytes(), Evidence: int(identity.Record), At: at}}}
	}
	rapid.Check(t, func(t *rapid.T) {
		l := bounded{newLine(t, c), 0}
		for i := range things {
			l.send(said(i, start, 1))
		}
		choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choose") }
		l.work(choose)
		l.send(belongs(company, start))
		l.rest(rapid.IntRange(0, 9).Draw(t, "batches"))
		changed := rapid.SliceOfDistinct(rapid.IntRange(0, things-1), rapid.ID[int]).Draw(t, "changed")
		for _, i := range changed {
			l.send(said(i, start, 2))
		}
		l.send(belongs(domain, start.Add(time.Hour)))
		l.rest(rapid.IntRange(0, 9).Draw(t, "batches"))
		erased := rapid.Bool().Draw(t, "erased")
		if erased {
			l.send(avro.Observation{Kind: "erase", Node: user.Bytes()})
		}
		l.work(choose)
		if l.most > 24 { // a record and four slices of two items, each with its tombstone
			t.Fatalf("a batch wrote %d records", l.most)
		}
		on := map[string]int{}
		for _, ev := range l.items {
			if ev.Removed {
				continue
			}
			on[string(ev.Account)]++
			var i int
			if _, err := fmt.Sscanf(ev.Item, "e%d", &i); err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprint(1 + len(slices.DeleteFunc(slices.Clone(changed), func(x int) bool { return x != i }))); ev.Touch.Asset != want {
				t.Errorf("%s is revision %s, want %s", ev.Item, ev.Touch.Asset, want)
			}
		}
		if want := things; !erased && (len(on) != 1 || on[string(domain.Bytes())] != want) || erased && len(on) > 0 {
			t.Fatalf("erased %t, and items are on %v", erased, on)
		}
	})
}

// rest takes some batches of one record each, and Ticks.
func (l *bounded) rest(batches int) {
	for range batches {
		for p := range l.queues {
			n := min(len(l.queues[p]), 1)
			batch := l.queues[p][:n:n]
			l.queues[p] = l.queues[p][n:]
			before := l.written
			if err := l.resolvers[p].Fold(context.Background(), batch, l.now, l.line); err != nil {
				l.t.Fatalf("partition %d: %v", p, err)
			}
			l.resolvers[p].Committed()
			l.most = max(l.most, l.written-before)
		}
	}
}
