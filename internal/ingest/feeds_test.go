package ingest_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tracksource/internal/ingest"
	"tracksource/internal/sample"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// native is a record of a feed.
type native struct {
	feed ingest.FeedID
	rec  stream.Record
}

// world is a line with the feeds before it.
type world struct {
	*line
	feeds map[ingest.FeedID]*ingest.Feed
}

// newWorld makes one for the feeds of the records, each like the feed.
func newWorld(t fatal, like *ingest.Feed, sent []native) *world {
	w := &world{line: newLine(t, like.Codecs), feeds: map[ingest.FeedID]*ingest.Feed{}}
	for _, n := range sent {
		if w.feeds[n.feed] == nil {
			f := *like
			f.ID, f.DeadLetters, f.Alerts = n.feed, "deadletter."+n.feed.Feed+"."+n.feed.Reporter, "alerts"
			w.feeds[n.feed] = &f
		}
	}
	return w
}

// take lets the feeds take the records, and partitions work in between.
func (w *world) take(sent []native, choose func(n int) int) {
	for _, n := range sent {
		if err := w.feeds[n.feed].Fold(context.Background(), []stream.Record{n.rec}, w); err != nil {
			w.t.Fatalf("%v", err)
		}
		if choose(4) == 0 {
			w.work(choose)
		}
	}
	w.work(choose)
}

// said lists what the journeys hold of a feed, everything but the account.
func (w *world) said(feed ingest.FeedID) []string {
	var out []string
	for _, ev := range w.items {
		if !ev.Removed && ev.Feed == feed.Feed && ev.Reporter == feed.Reporter {
			out = append(out, facts(&ev))
		}
	}
	slices.Sort(out)
	return out
}

func facts(ev *avro.JourneyEvent) string {
	text := fmt.Sprintf("%s %s %s", ev.Source, ev.Item, ev.OccurredAt.UTC())
	if ev.Touch != nil {
		return text + fmt.Sprintf(" %+v", *ev.Touch)
	}
	text = fmt.Sprintf("%s %s deleted=%t modified=%s", ev.Source, ev.Item, ev.Object.Deleted, ev.Object.ModifiedAt.UTC())
	for _, f := range ev.Object.Fields {
		if f.Value == nil {
			text += " " + f.Name + " cleared"
		} else {
			text += " " + f.Name + "=" + *f.Value
		}
	}
	for _, s := range ev.Object.Stages {
		text += fmt.Sprintf(" [%s %t %t %s]", s.Stage, s.IsClosed, s.IsWon, s.At.UTC())
	}
	return text
}

// whole lists all that the journeys hold, with accounts.
func (w *world) whole() []string {
	var out []string
	for _, ev := range w.items {
		if !ev.Removed {
			out = append(out, fmt.Sprintf("%q %s %s", ev.Account, ev.Reporter, facts(&ev)))
		}
	}
	slices.Sort(out)
	return out
}

func sampled(seed uint64, events int) []native {
	var all []native
	for i, e := range sample.Generate(sample.Config{Seed: seed, Events: events}).Events {
		all = append(all, native{
			ingest.FeedID{Feed: e.Feed, Reporter: e.Reporter},
			stream.Record{Topic: "raw", Offset: int64(i), Key: e.Key, Value: e.Payload, Timestamp: e.At},
		})
	}
	return all
}

func difference(got, want []string) string {
	var b strings.Builder
	for _, l := range got {
		if !slices.Contains(want, l) {
			b.WriteString("got  " + l + "\n")
		}
	}
	for _, l := range want {
		if !slices.Contains(got, l) {
			b.WriteString("want " + l + "\n")
		}
	}
	return b.String()
}

// TestAnyOrderOfNativeEvents: the native events of six feeds give the same
// journeys at rest in any order and with any of them repeated.
func TestAnyOrderOfNativeEvents(t *testing.T) {
	like := newFeed(t, avro.NewMemory())
	rapid.Check(t, func(rt *rapid.T) {
		events := sampled(rapid.Uint64Range(1, 1000).Draw(rt, "seed"), 80)
		choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "choose") }
		first := newWorld(rt, like, events)
		first.take(events, func(int) int { return 0 })
		again := rapid.SliceOfN(rapid.SampledFrom(events), 0, 20).Draw(rt, "again")
		other := newWorld(rt, like, events)
		other.take(rapid.Permutation(slices.Concat(events, again)).Draw(rt, "order"), choose)
		want, got := first.whole(), other.whole()
		if len(want) < 20 || !slices.Equal(got, want) {
			rt.Fatalf("of %d items\n%s", len(want), difference(got, want))
		}
	})
}

// TestFeedsNeverInterfere: what the journeys hold of a feed, how its events are
// counted and which are refused, is the same whether other feeds are there or
// not, though they send garbage and the very same bytes. Only on which account a
// touch lies is what feeds say together.
func TestFeedsNeverInterfere(t *testing.T) {
	like := newFeed(t, avro.NewMemory())
	rapid.Check(t, func(rt *rapid.T) {
		events := sampled(rapid.Uint64Range(1, 1000).Draw(rt, "seed"), 60)
		choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "choose") }
		feeds := map[ingest.FeedID][]native{}
		for _, n := range events {
			feeds[n.feed] = append(feeds[n.feed], n)
		}
		ids := slices.SortedFunc(maps.Keys(feeds), func(a, b ingest.FeedID) int {
			return strings.Compare(a.Reporter+a.Feed, b.Reporter+b.Feed)
		})
		mine := rapid.SampledFrom(ids).Draw(rt, "feed")
		all := slices.Clone(events)
		for range rapid.IntRange(0, 20).Draw(rt, "noise") {
			n := rapid.SampledFrom(events).Draw(rt, "whose")
			n.feed = rapid.SampledFrom(ids).Draw(rt, "copied to")
			if rapid.Bool().Draw(rt, "cut off") {
				n.rec.Value = n.rec.Value[:choose(len(n.rec.Value))]
			}
			// The partner's own feeds of other kinds share its numbering: what they say
			// of its objects is no noise.
			if n.feed.Reporter != mine.Reporter {
				all = append(all, n)
			}
		}
		alone := newWorld(rt, like, events)
		alone.take(feeds[mine], choose)
		together := newWorld(rt, like, events)
		together.take(rapid.Permutation(all).Draw(rt, "order"), choose)
		if got, want := together.said(mine), alone.said(mine); !slices.Equal(got, want) {
			rt.Fatalf("of %v beside others\n%s", mine, difference(got, want))
		}
		got, want := together.stats.Feeds()[mine], alone.stats.Feeds()[mine]
		got.Unresolved, want.Unresolved = 0, 0
		topic := "deadletter." + mine.Feed + "." + mine.Reporter + " "
		refused := func(w *world) (n int) {
			for _, d := range w.dead {
				if strings.HasPrefix(d, topic) {
					n++
				}
			}
			return n
		}
		if got != want || refused(together) != refused(alone) {
			rt.Fatalf("%v beside others: %+v and %d refused, alone %+v and %d", mine, got, refused(together), want, refused(alone))
		}
	})
}

// TestExportHeals: rows of an export fill in what change events have lost, and
// never overwrite what is newer, in whatever order and however often they come.
func TestExportHeals(t *testing.T) {
	change := func(kind, at string, commit int, fields string) string {
		millis := map[string]string{"10:00:00": "1772359200000", "10:05:00": "1772359500000", "10:10:00": "1772359800000"}[at]
		return fmt.Sprintf(`{"ChangeEventHeader":{"entityName":"Opportunity","recordIds":["006000000000001AAA"],"changeType":"%s","transactionKey":"t%d","sequenceNumber":1,"commitNumber":%d,"commitTimestamp":%s},"LastModifiedDate":%s%s}`,
			kind, commit, commit, millis, millis, fields)
	}
	row := func(at, fields string) string {
		return fmt.Sprintf(`{"attributes":{"type":"Opportunity"},"Id":"006000000000001","SystemModstamp":"2026-03-01T%s.000+0000"%s}`, at, fields)
	}
	payloads := []string{
		change("CREATE", "10:00:00", 7, `,"StageName":"Open","Amount":100,"CurrencyIsoCode":"USD","LeadSource":"Web"`),
		change("GAP_UPDATE", "10:05:00", 8, ""), // the stage was changed, the lead source cleared
		change("UPDATE", "10:10:00", 10, `,"Amount":150`),
		change("UPDATE", "10:10:00", 9, `,"Amount":140`), // of the same second, an earlier commit
		row("10:00:00", `,"StageName":"Open","Amount":100,"CurrencyIsoCode":"USD","LeadSource":"Web"`),
		row("10:05:00", `,"StageName":"Negotiation","Amount":100,"CurrencyIsoCode":"USD","LeadSource":null`),
		row("10:10:00", `,"StageName":"Negotiation","Amount":100,"CurrencyIsoCode":"USD","LeadSource":null`), // read a moment before the change of its second
	}
	var events []native
	for i, p := range payloads {
		events = append(events, native{ingest.FeedID{Feed: "crm", Reporter: "acme"}, stream.Record{Topic: "raw", Offset: int64(i), Value: []byte(p), Timestamp: start}})
	}
	like := newFeed(t, avro.NewMemory())
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt, like, events)
		again := rapid.SliceOfN(rapid.SampledFrom(events), 0, 6).Draw(rt, "again")
		w.take(rapid.Permutation(slices.Concat(events, again)).Draw(rt, "order"), func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "choose") })
		got := strings.Join(w.said(ingest.FeedID{Feed: "crm", Reporter: "acme"}), "\n")
		const want = "salesforce opportunity/006000000000001AAA deleted=false modified=2026-03-01 10:10:00 +0000 UTC amount=150 created_at=2026-03-01T10:00:00Z currency=USD lead_source cleared stage=Negotiation" +
			" [Open false false 2026-03-01 10:00:00 +0000 UTC] [Negotiation false false 2026-03-01 10:05:00 +0000 UTC]"
		if got != want {
			rt.Fatalf("it is\n%s\nwant\n%s", got, want)
		}
	})
}
