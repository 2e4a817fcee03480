package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/identity"
	"tracksource/internal/control"
	"tracksource/internal/ingest"
	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

const partitions = 12

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func codecs(t testing.TB) *avro.Codecs {
	t.Helper()
	c, err := avro.OpenCodecs(context.Background(), avro.NewMemory(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// line is twelve partitions of observations with their resolvers, and what
// journeys holds, without a broker.
type line struct {
	t         fatal
	codecs    *avro.Codecs
	resolvers []*ingest.Resolver
	stores    []task.KV
	queues    [partitions][]stream.Record
	offsets   [partitions]int64
	stats     *ingest.Stats
	items     map[string]avro.JourneyEvent // by account, reporter, source and item
	written   int
	dead      []string
	alerts    map[string]bool // ids
	messages  []string        // of alerts that are open
	totals    []avro.Alert    // about control totals
	feeds     map[avro.FeedKey]avro.FeedRow
	told      []string // rows of feeds, in the order in which they came
	now       time.Time
}

type fatal interface {
	Fatalf(format string, args ...any)
}

func newLine(t fatal, c *avro.Codecs) *line {
	l := &line{t: t, codecs: c, stats: ingest.NewStats(), items: map[string]avro.JourneyEvent{}, alerts: map[string]bool{}, feeds: map[avro.FeedKey]avro.FeedRow{}, now: start}
	for p := range int32(partitions) {
		kv := task.NewMemory()
		l.stores = append(l.stores, kv)
		l.resolvers = append(l.resolvers, l.resolver(p))
	}
	return l
}

// resolver makes the resolver of a partition, as its owner does.
func (l *line) resolver(p int32) *ingest.Resolver {
	r, err := ingest.NewResolver(ingest.ResolveConfig{
		Codecs: l.codecs, Observations: "observations", Partitions: partitions, Journeys: "journeys", Alerts: "alerts", Feeds: "feeds", Stats: l.stats, Log: quiet(), ShiftItems: 2,
		DeadLetter: func(feed, reporter string) string { return "deadletter." + feed + "." + reporter },
	}, stream.Assignment{Partition: p}, l.stores[p])
	if err != nil {
		l.t.Fatalf("%v", err)
	}
	return r
}

// Emit implements ingest.Emitter as the topics would.
func (l *line) Emit(topic string, key, value []byte, headers ...stream.Header) {
	switch topic {
	case "observations":
		l.EmitTo(topic, stream.PartitionOf(key, partitions), key, value)
	case "journeys":
		var ev avro.JourneyEvent
		if err := l.codecs.Journey.Decode(value, &ev); err != nil {
			l.t.Fatalf("journey event: %v", err)
		}
		if string(ev.Account) != string(key) {
			l.t.Fatalf("journey event of account %q has key %q", ev.Account, key)
		}
		l.written++
		id := strings.Join([]string{string(ev.Account), ev.Reporter, ev.Source, ev.Item}, "|")
		if old, ok := l.items[id]; !ok || ev.Placement > old.Placement {
			l.items[id] = ev
		}
	case "alerts":
		l.alerts[string(key)] = true
		var a avro.Alert
		if err := l.codecs.Alert.Decode(value, &a); err != nil {
			l.t.Fatalf("alert: %v", err)
		}
		if a.Kind == control.AlertControlTotal {
			l.totals = append(l.totals, a)
		}
		if a.State == "settled" {
			break
		}
		l.messages = append(l.messages, fmt.Sprintf("%s %s %s %s %s: %s", a.Kind, a.Rung, a.Campaign, a.Partner, a.Subject, a.Message))
	case "feeds":
		var k avro.FeedKey
		var row avro.FeedRow
		if err := errors.Join(l.codecs.FeedKey.Decode(key, &k), l.codecs.FeedRow.Decode(value, &row)); err != nil {
			l.t.Fatalf("row of a feed: %v", err)
		}
		if k != (avro.FeedKey{Feed: row.Feed, Reporter: row.Reporter, Partition: row.Partition}) || row.Version <= l.feeds[k].Version {
			l.t.Fatalf("row %+v of %+v behind %+v", row, k, l.feeds[k])
		}
		l.feeds[k] = row
		l.told = append(l.told, fmt.Sprintf("%s.%s v%d: %d touches, %d unmatched", row.Feed, row.Reporter, row.Version, row.Touches, row.Unmatched))
	default:
		for _, h := range headers {
			if h.Key == "tracksource.code" {
				l.dead = append(l.dead, topic+" "+string(h.Value))
			}
		}
	}
}

func (l *line) EmitTo(topic string, p int32, key, value []byte, _ ...stream.Header) {
	l.queues[p] = append(l.queues[p], stream.Record{Topic: topic, Partition: p, Offset: l.offsets[p], Key: key, Value: value})
	l.offsets[p]++
}

func (l *line) send(obs avro.Observation) {
	b, err := l.codecs.Observation.Append(nil, &obs)
	if err != nil {
		l.t.Fatalf("%v", err)
	}
	l.Emit("observations", obs.Node, b)
}

// work lets partitions take batches, as choose says, until all is at rest.
func (l *line) work(choose func(n int) int) {
	for {
		var busy []int
		for p := range l.queues {
			if len(l.queues[p]) > 0 || l.resolvers[p].Pending(l.now) {
				busy = append(busy, p)
			}
		}
		if len(busy) == 0 {
			return
		}
		p := busy[choose(len(busy))]
		n := 0 // a Tick
		if some := len(l.queues[p]); some > 0 {
			n = 1 + choose(some)
		}
		batch := l.queues[p][:n:n]
		l.queues[p] = l.queues[p][n:]
		if err := l.resolvers[p].Fold(context.Background(), batch, l.now, l); err != nil {
			l.t.Fatalf("partition %d: %v", p, err)
		}
		l.resolvers[p].Committed()
	}
}

// placed lists what the journeys hold, one line an item.
func (l *line) placed() []string {
	var out []string
	for _, ev := range l.items {
		if !ev.Removed {
			n, err := identity.Parse(ev.Account)
			if err != nil {
				l.t.Fatalf("%v", err)
			}
			out = append(out, fmt.Sprintf("%s: %s/%s", n, ev.Reporter, ev.Item))
		}
	}
	slices.Sort(out)
	return out
}

// owned lists whom the items on the journeys belong to, one line an item.
func (l *line) owned() []string {
	var out []string
	for _, ev := range l.items {
		switch {
		case ev.Removed && len(ev.Person) > 0:
			l.t.Fatalf("%s was removed and still belongs to somebody", ev.Item)
		case ev.Removed:
		case len(ev.Person) == 0:
			out = append(out, ev.Item+" of nobody")
		default:
			n, err := identity.Parse(ev.Person)
			if err != nil {
				l.t.Fatalf("%v", err)
			}
			out = append(out, fmt.Sprintf("%s of %s", ev.Item, n))
		}
	}
	slices.Sort(out)
	return out
}

func node(level identity.Level, scope, id string) identity.Node {
	n, err := identity.NewNode(level, scope, id)
	if err != nil {
		panic(err)
	}
	return n
}

// graph is a small world of identities on nine levels.
var graph = []identity.Node{
	node(identity.Order, "acme", "n1"), node(identity.Member, "acme", "r1"),
	node(identity.Anonymous, "acme", "a1"), node(identity.Anonymous, "acme", "a2"), node(identity.Anonymous, "globex", "a1"),
	node(identity.Person, "acme", "p1"), node(identity.Person, "acme", "p2"), node(identity.Person, "globex", "p1"),
	node(identity.Email, "", "e1"), node(identity.Email, "", "e2"),
	node(identity.Contact, "acme", "k1"), node(identity.Contact, "acme", "k2"), node(identity.Contact, "globex", "k1"),
	node(identity.Object, "acme", "o1"), node(identity.Object, "globex", "o1"),
	node(identity.CRMAccount, "acme", "c1"), node(identity.CRMAccount, "acme", "c2"), node(identity.CRMAccount, "globex", "c1"),
	node(identity.Domain, "", "one.com"), node(identity.Domain, "", "two.com"),
	node(identity.Imported, "", "m1"),
}

// evidence is what a whole set of events says of identities.
type evidence struct {
	links  map[identity.Node][]identity.Link
	same   map[identity.Node][]identity.Node
	erased map[identity.Node]bool
}

// one is all that are the same as the node, itself included.
func (e evidence) one(n identity.Node) map[identity.Node]bool {
	all := map[identity.Node]bool{n: true}
	for grew := true; grew; {
		grew = false
		for m := range all {
			for _, o := range e.same[m] {
				grew = grew || !all[o]
				all[o] = true
			}
		}
	}
	return all
}

// top follows the best links up, each of the greatest of those that are one, and ends
// at who was erased.
func (e evidence) top(n identity.Node, best func(identity.Node, []identity.Link) (identity.Link, bool)) identity.Node {
	for !e.erased[n] {
		var links []identity.Link
		for m := range e.one(n) {
			links = append(links, e.links[m]...)
			if bytes.Compare(m.Bytes(), n.Bytes()) > 0 {
				n = m
			}
		}
		l, ok := best(n, links)
		if !ok {
			break
		}
		n = l.Parent
	}
	return n
}

// root is the account of a node, as a batch over all evidence computes it.
func (e evidence) root(n identity.Node) identity.Node { return e.top(n, identity.Best) }

// person is whom a node belongs to, computed in the same way.
func (e evidence) person(n identity.Node) string {
	if n.Level >= identity.Object {
		return "nobody"
	}
	if n = e.top(n, identity.BestPerson); e.erased[n] {
		return "nobody"
	}
	return n.String()
}

// someEvents draws events about the graph, and what all of them say together.
func someEvents(t *rapid.T) ([]avro.Observation, evidence) {
	var events []avro.Observation
	all := evidence{links: map[identity.Node][]identity.Link{}, same: map[identity.Node][]identity.Node{}}
	for i := range rapid.IntRange(1, 40).Draw(t, "events") {
		child := rapid.SampledFrom(graph).Draw(t, "node")
		obs := avro.Observation{
			Kind: "fact", Node: child.Bytes(), Reporter: "acme", Feed: "map", Source: "test",
			EventID: fmt.Sprint("e", i), OccurredAt: start.Add(time.Duration(i) * time.Second),
		}
		if rapid.Bool().Draw(t, "touch") {
			obs.Touch = &avro.TouchFacts{Type: "form"}
		}
		for range rapid.IntRange(0, 2).Draw(t, "links") {
			parent := rapid.SampledFrom(graph).Draw(t, "parent")
			if parent.Level <= child.Level {
				continue
			}
			l := identity.Link{
				Parent: parent, Evidence: rapid.SampledFrom([]identity.Evidence{identity.Inferred, identity.Address, identity.Record}).Draw(t, "evidence"),
				At: start.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "at")) * time.Hour),
			}
			all.links[child] = append(all.links[child], l)
			obs.Links = append(obs.Links, avro.Link{Parent: parent.Bytes(), Evidence: int(l.Evidence), At: l.At})
		}
		if other := rapid.SampledFrom(graph).Draw(t, "other"); other.Level == child.Level && rapid.Bool().Draw(t, "merge") {
			obs.Same = [][]byte{other.Bytes()}
			all.same[child], all.same[other] = append(all.same[child], other), append(all.same[other], child)
		}
		events = append(events, obs)
	}
	return events, all
}

// TestJourneysAtRest: whatever the order of events, of merges, of deliveries
// between partitions and of repetitions, at rest every touch is once on the
// account that the whole of the evidence gives, and belongs to whom it gives, as a
// batch over it computes.
func TestJourneysAtRest(t *testing.T) {
	c := codecs(t)
	rapid.Check(t, func(t *rapid.T) {
		events, all := someEvents(t)
		l := newLine(t, c)
		sent := slices.Concat(events, rapid.SliceOfN(rapid.SampledFrom(events), 0, 10).Draw(t, "again"))
		choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choose") }
		for _, obs := range rapid.Permutation(sent).Draw(t, "order") {
			l.send(obs)
			if rapid.IntRange(0, 3).Draw(t, "work now") == 0 {
				l.work(choose)
			}
		}
		l.work(choose)

		var want, owned []string
		touches, unresolved := int64(0), int64(0)
		for _, obs := range events {
			if obs.Touch == nil {
				continue
			}
			n, err := identity.Parse(obs.Node)
			if err != nil {
				t.Fatal(err)
			}
			r := all.root(n)
			want = append(want, fmt.Sprintf("%s: acme/%s", r, obs.EventID))
			owned = append(owned, obs.EventID+" of "+all.person(n))
			touches++
			if r.Provisional() {
				unresolved++
			}
		}
		slices.Sort(want)
		if got := l.placed(); !slices.Equal(got, want) {
			t.Fatalf("at rest:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		slices.Sort(owned)
		if got := l.owned(); !slices.Equal(got, owned) {
			t.Fatalf("at rest:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(owned, "\n"))
		}
		got := l.stats.Feeds()[ingest.FeedID{Feed: "map", Reporter: "acme"}]
		wantCounts := ingest.Counts{Accepted: int64(len(events)), Duplicates: int64(len(sent) - len(events)), Touches: touches, Unresolved: unresolved}
		if got != wantCounts {
			t.Fatalf("counts %+v, want %+v", got, wantCounts)
		}
		l.rest()
	})
}

// TestErasedAtRest: with people erased somewhere between the events, at rest nothing is
// left of them and of whoever is the same, and what belongs below them belongs to nobody,
// in whatever order all of it comes.
func TestErasedAtRest(t *testing.T) {
	c := codecs(t)
	people := slices.DeleteFunc(slices.Clone(graph), func(n identity.Node) bool { return !control.Personal(n) })
	rapid.Check(t, func(t *rapid.T) {
		events, all := someEvents(t)
		all.erased = map[identity.Node]bool{}
		sent := slices.Clone(events)
		for range rapid.IntRange(1, 3).Draw(t, "erasures") {
			gone := rapid.SampledFrom(people).Draw(t, "gone")
			sent = append(sent, avro.Observation{Kind: "erase", Node: gone.Bytes()})
			for n := range all.one(gone) {
				all.erased[n] = true
			}
		}
		l := newLine(t, c)
		choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choose") }
		for _, obs := range rapid.Permutation(sent).Draw(t, "order") {
			l.send(obs)
			if rapid.IntRange(0, 3).Draw(t, "work now") == 0 {
				l.work(choose)
			}
		}
		l.work(choose)
		var want, owned []string
		for _, obs := range events {
			n, err := identity.Parse(obs.Node)
			if err != nil {
				t.Fatal(err)
			}
			if obs.Touch == nil || all.erased[n] {
				continue
			}
			want = append(want, fmt.Sprintf("%s: acme/%s", all.root(n), obs.EventID))
			owned = append(owned, obs.EventID+" of "+all.person(n))
		}
		slices.Sort(want)
		slices.Sort(owned)
		if got := l.placed(); !slices.Equal(got, want) {
			t.Fatalf("at rest:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if got := l.owned(); !slices.Equal(got, owned) {
			t.Fatalf("at rest:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(owned, "\n"))
		}
		l.rest()
	})
}

// TestMerges: chains of merges of accounts, each with its own deals and its own
// website, in every order over twelve partitions.
func TestMerges(t *testing.T) {
	c := codecs(t)
	account := func(id string) identity.Node { return node(identity.CRMAccount, "acme", id) }
	ev := func(n identity.Node, id string, to *identity.Link, same ...identity.Node) avro.Observation {
		obs := avro.Observation{Kind: "fact", Node: n.Bytes(), Reporter: "acme", Feed: "crm", Source: "test", EventID: id, OccurredAt: start, Touch: &avro.TouchFacts{Type: "form"}}
		if to != nil {
			obs.Links = []avro.Link{{Parent: to.Parent.Bytes(), Evidence: int(to.Evidence), At: to.At}}
		}
		for _, s := range same {
			obs.Same = append(obs.Same, s.Bytes())
		}
		return obs
	}
	under := func(parent identity.Node, hour int) *identity.Link {
		return &identity.Link{Parent: parent, Evidence: identity.Record, At: start.Add(time.Duration(hour) * time.Hour)}
	}
	one, two := node(identity.Domain, "", "one.com"), node(identity.Domain, "", "two.com")
	events := []avro.Observation{
		ev(node(identity.Object, "acme", "deal-a"), "1", under(account("a"), 0)),
		ev(node(identity.Object, "acme", "deal-b"), "2", under(account("b"), 0)),
		ev(node(identity.Object, "acme", "deal-c"), "3", under(account("c"), 0)),
		ev(account("a"), "4", under(one, 1)),
		ev(account("b"), "5", under(two, 2)), // believed: it is the latest
		ev(account("a"), "6", nil, account("b")),
		ev(account("c"), "7", nil, account("a")),
	}
	want := []string{"two.com: acme/1", "two.com: acme/2", "two.com: acme/3", "two.com: acme/4", "two.com: acme/5", "two.com: acme/6", "two.com: acme/7"}
	rapid.Check(t, func(t *rapid.T) {
		l := newLine(t, c)
		choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choose") }
		for _, obs := range rapid.Permutation(events).Draw(t, "order") {
			l.send(obs)
			if rapid.Bool().Draw(t, "work now") {
				l.work(choose)
			}
		}
		l.work(choose)
		if got := l.placed(); !slices.Equal(got, want) {
			t.Fatalf("at rest:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// TestPerson: people whose address leads to their company are known as the contact
// of their CRM, and so is whoever has a role on a deal, also when that contact was
// merged into another; in every order over twelve partitions.
func TestPerson(t *testing.T) {
	c := codecs(t)
	browser, user, email, older := node(identity.Anonymous, "acme", "v"), node(identity.Person, "acme", "u"), node(identity.Email, "", "e2"), node(identity.Email, "", "e1")
	contact, survivor, role := node(identity.Contact, "acme", "c1"), node(identity.Contact, "acme", "c2"), node(identity.Member, "acme", "role")
	member, order := node(identity.Member, "acme", "member"), node(identity.Order, "acme", "T-1")
	deal, company, domain := node(identity.Object, "acme", "006"), node(identity.CRMAccount, "acme", "1"), node(identity.Domain, "", "one.com")
	ev := func(n identity.Node, id string, parents ...identity.Node) avro.Observation {
		obs := avro.Observation{
			Kind: "fact", Node: n.Bytes(), Reporter: "acme", Feed: "crm", Source: "test", EventID: id, OccurredAt: start, Touch: &avro.TouchFacts{Type: "form", Asset: id},
		}
		for _, p := range parents {
			obs.Links = append(obs.Links, avro.Link{Parent: p.Bytes(), Evidence: int(identity.Record), At: start})
		}
		return obs
	}
	object := func(n identity.Node, typ, id string, parents ...identity.Node) avro.Observation {
		obs := ev(n, typ, parents...)
		obs.Touch, obs.Object = nil, &avro.ObjectFacts{Type: typ, ID: id, ModifiedAt: start, Fields: []avro.Field{{Name: "contact", Value: text(contact.String())}}}
		return obs
	}
	merged, renamed := ev(contact, "merge"), ev(older, "rename")
	merged.Same, renamed.Same = [][]byte{survivor.Bytes()}, [][]byte{email.Bytes()}
	events := []avro.Observation{
		ev(browser, "visit", user), ev(user, "login", email), ev(email, "form", domain), ev(older, "older", domain), ev(older, "whose", contact), ev(contact, "call", company),
		object(role, "contact_role", "role", deal, contact), object(member, "campaign_member", "member", contact), object(order, "order", "T-1", browser),
		object(deal, "opportunity", "006", company), ev(company, "note", domain), merged, renamed,
	}
	const of = " of provisional:contact/acme/c2"
	want := []string{
		"call" + of, "campaign_member/member" + of, "contact_role/role" + of, "form" + of, "login" + of, "merge" + of,
		"note of nobody", "older" + of, "opportunity/006 of nobody", "order/T-1" + of, "rename" + of, "visit" + of, "whose" + of,
	}
	rapid.Check(t, func(t *rapid.T) {
		l := newLine(t, c)
		choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choose") }
		for _, obs := range rapid.Permutation(events).Draw(t, "order") {
			l.send(obs)
			if rapid.Bool().Draw(t, "work now") {
				l.work(choose)
			}
		}
		l.work(choose)
		if got := l.owned(); !slices.Equal(got, want) {
			t.Fatalf("at rest:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for _, line := range l.placed() {
			if !strings.HasPrefix(line, "one.com: ") {
				t.Fatalf("%s, want all on the account of one.com", line)
			}
		}
	})
}

// TestPersonAlone: where the person of an item changes and its account does not, the
// item is said anew where it is, and no tombstone with it.
func TestPersonAlone(t *testing.T) {
	c := codecs(t)
	email, contact, domain := node(identity.Email, "", "e"), node(identity.Contact, "acme", "c"), node(identity.Domain, "", "one.com")
	l := newLine(t, c)
	link := func(n, parent identity.Node, kind string) avro.Observation {
		return avro.Observation{
			Kind: kind, Node: n.Bytes(), Reporter: "acme", Feed: "crm", Source: "test", EventID: "form", OccurredAt: start,
			Links: []avro.Link{{Parent: parent.Bytes(), Evidence: int(identity.Record), At: start}},
		}
	}
	form := link(email, domain, "fact")
	form.Touch = &avro.TouchFacts{Type: "form"}
	l.send(form)
	l.work(func(int) int { return 0 })
	before := l.written
	l.send(link(email, contact, "link"))
	l.work(func(int) int { return 0 })
	if l.written != before+1 {
		t.Errorf("%d records for a new person, want one", l.written-before)
	}
	if got, want := l.owned(), []string{"form of provisional:contact/acme/c"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := l.placed(), []string{"one.com: acme/form"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestErased: of people who are erased nothing is on any account, whether they did
// it before or after, and whoever is below them belongs to nobody; deals stay.
func TestErased(t *testing.T) {
	c := codecs(t)
	visitor, user, email := node(identity.Anonymous, "acme", "v"), node(identity.Person, "acme", "u"), node(identity.Email, "", "e")
	contact, company, deal := node(identity.Contact, "acme", "c"), node(identity.CRMAccount, "acme", "1"), node(identity.Object, "acme", "006")
	ev := func(n identity.Node, id string, parent identity.Node) avro.Observation {
		return avro.Observation{
			Kind: "fact", Node: n.Bytes(), Reporter: "acme", Feed: "crm", Source: "test", EventID: id, OccurredAt: start, Touch: &avro.TouchFacts{Type: "form", Asset: id},
			Links: []avro.Link{{Parent: parent.Bytes(), Evidence: int(identity.Record), At: start}},
		}
	}
	update := ev(contact, "contact", company)
	update.Touch, update.Object = nil, &avro.ObjectFacts{Type: "contact", ID: "c", ModifiedAt: start}
	dealUpdate := ev(deal, "deal", company)
	dealUpdate.Touch, dealUpdate.Object = nil, &avro.ObjectFacts{Type: "opportunity", ID: "006", ModifiedAt: start}
	events := []avro.Observation{
		ev(visitor, "visit", user), ev(user, "login", email), ev(email, "form", contact), update, dealUpdate,
		{Kind: "link", Node: user.Bytes(), Links: []avro.Link{{Parent: company.Bytes(), Evidence: int(identity.Record), At: start}}},
		{Kind: "erase", Node: user.Bytes()},
		{Kind: "erase", Node: email.Bytes()},
		{Kind: "erase", Node: contact.Bytes()},
	}
	want := []string{"acme/1: acme/opportunity/006", "provisional:person/acme/u: acme/visit"}
	owned := []string{"opportunity/006 of nobody", "visit of nobody"}
	rapid.Check(t, func(t *rapid.T) {
		l := newLine(t, c)
		choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choose") }
		order := rapid.Permutation(events).Draw(t, "order")
		for _, obs := range append(order, order...) { // and all of it once more
			l.send(obs)
			if rapid.Bool().Draw(t, "work now") {
				l.work(choose)
			}
		}
		l.work(choose)
		if got := l.placed(); !slices.Equal(got, want) {
			t.Fatalf("at rest:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if got := l.owned(); !slices.Equal(got, owned) {
			t.Fatalf("at rest:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(owned, "\n"))
		}
		sum := ingest.Counts{}
		for _, counts := range l.stats.Feeds() {
			sum = sum.Add(counts)
		}
		if sum.Suppressed < 3 || sum.Accepted+sum.Duplicates+sum.Suppressed != 10 || sum.Unresolved != 1 {
			t.Fatalf("%+v, want the visit unresolved and each of ten events counted once", sum)
		}
	})
}

// TestErasureIsSaid: a journey tells an item that is forgotten from one that moves.
func TestErasureIsSaid(t *testing.T) {
	l := newLine(t, codecs(t))
	first := func(int) int { return 0 }
	email, contact := node(identity.Email, "", "e"), node(identity.Contact, "acme", "c")
	form := avro.Observation{
		Kind: "fact", Node: email.Bytes(), Reporter: "acme", Feed: "crm", Source: "test", EventID: "form", OccurredAt: start,
		Touch: &avro.TouchFacts{Type: "form"},
	}
	for i, step := range []struct {
		obs  avro.Observation
		want []string
	}{
		{form, []string{"false  form"}},
		{avro.Observation{Kind: "link", Node: email.Bytes(), Links: []avro.Link{{Parent: contact.Bytes(), Evidence: int(identity.Record), At: start}}}, []string{"false  form", "true  form"}},
		{avro.Observation{Kind: "erase", Node: email.Bytes()}, []string{"true  form", "true erasure erasure"}},
	} {
		l.send(step.obs)
		l.work(first)
		var got []string
		for _, ev := range l.items {
			got = append(got, fmt.Sprintln(ev.Removed, ev.Reason, ev.EventID))
		}
		slices.Sort(got)
		for n := range step.want {
			step.want[n] += "\n"
		}
		if !slices.Equal(got, step.want) {
			t.Errorf("step %d: got %q, want %q", i, got, step.want)
		}
	}
}

// TestRestated: of versions of one event the highest revision stands, whatever
// the order: replaced, not added, and gone when it was taken back.
func TestRestated(t *testing.T) {
	c := codecs(t)
	visitor, deal := node(identity.Anonymous, "acme", "a1"), node(identity.Object, "acme", "006A")
	touch := func(id, asset string, mapping, revision int64) avro.Observation {
		return avro.Observation{
			Kind: "fact", Node: visitor.Bytes(), Reporter: "acme", Feed: "analytics", Source: "ga4", EventID: id, OccurredAt: start,
			MappingRevision: mapping, Revision: revision, Touch: &avro.TouchFacts{Type: "form", Asset: asset},
		}
	}
	update := func(id string, order, mapping int64, fields ...avro.Field) avro.Observation {
		return avro.Observation{
			Kind: "fact", Node: deal.Bytes(), Reporter: "acme", Feed: "crm", Source: "own", EventID: id, OccurredAt: start, MappingRevision: mapping,
			Object: &avro.ObjectFacts{Type: "opportunity", ID: "006A", Order: order, ModifiedAt: start, Fields: fields},
		}
	}
	retracted := touch("t3", "", 1, 0)
	retracted.Retracted, retracted.Touch = true, nil
	events := []avro.Observation{
		touch("t1", "first", 0, 1), touch("t1", "second", 0, 2), touch("t1", "third", 1, 0),
		touch("t2", "only", 0, 7),
		touch("t3", "wrong", 0, 0), retracted,
		update("u1", 1, 0, avro.Field{Name: "amount", Value: text("100")}),
		update("u2", 2, 0, avro.Field{Name: "amount", Value: text("200")}, avro.Field{Name: "stage", Value: text("Won")}),
		update("u2", 2, 1, avro.Field{Name: "stage", Value: text("Open")}),
	}
	want := []string{
		"own opportunity/006A amount=100 stage=Open stages=[Open]",
		"ga4 t1 third", "ga4 t2 only",
	}
	slices.Sort(want)
	rapid.Check(t, func(t *rapid.T) {
		l := newLine(t, c)
		for _, obs := range rapid.Permutation(slices.Concat(events, events[:3])).Draw(t, "order") {
			l.send(obs)
		}
		l.work(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choose") })
		var got []string
		for _, ev := range l.items {
			switch {
			case ev.Removed && ev.Reason != "retraction":
				t.Fatalf("%s %s is removed for %q", ev.Source, ev.Item, ev.Reason)
			case ev.Removed:
			case ev.Touch != nil:
				got = append(got, ev.Source+" "+ev.Item+" "+ev.Touch.Asset)
			default:
				line := ev.Source + " " + ev.Item
				for _, f := range ev.Object.Fields {
					line += " " + f.Name + "=" + *f.Value
				}
				var stages []string
				for _, s := range ev.Object.Stages {
					stages = append(stages, s.Stage)
				}
				got = append(got, fmt.Sprint(line, " stages=", stages))
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("at rest:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		counts := l.stats.Feeds()[ingest.FeedID{Feed: "analytics", Reporter: "acme"}]
		if counts.Unresolved != 2 || counts.Accepted+counts.Duplicates+counts.Restated+counts.Superseded != 9 {
			t.Fatalf("counts %+v: want 2 unresolved and 9 events in all", counts)
		}
	})
}

func text(s string) *string { return &s }

// TestObjectsFold: partial updates of a deal give the same whole in any order.
func TestObjectsFold(t *testing.T) {
	c := codecs(t)
	deal := node(identity.Object, "acme", "006A")
	update := func(order int64, event string, deleted bool, fields ...avro.Field) avro.Observation {
		at := start.Add(time.Duration(order) * time.Hour)
		return avro.Observation{
			Kind: "fact", Node: deal.Bytes(), Reporter: "acme", Feed: "crm", Source: "salesforce", EventID: event, OccurredAt: at,
			Object: &avro.ObjectFacts{Type: "opportunity", ID: "006A", Order: order, ModifiedAt: at, Deleted: deleted, Fields: fields},
		}
	}
	updates := []avro.Observation{
		update(1, "u1", false, avro.Field{Name: "amount", Value: text("100.00")}, avro.Field{Name: "stage", Value: text("Open")}),
		update(2, "u2", false, avro.Field{Name: "stage", Value: text("Won")}, avro.Field{Name: "is_won", Value: text("true")}),
		update(3, "u3", false, avro.Field{Name: "amount", Value: text("120.00")}),
		update(4, "u4", false, avro.Field{Name: "lead_source", Value: nil}),
		update(5, "u5", true),
		update(6, "u6", false, avro.Field{Name: "stage", Value: text("Open")}, avro.Field{Name: "is_won", Value: text("false")}),
	}
	rapid.Check(t, func(t *rapid.T) {
		l := newLine(t, c)
		for _, u := range rapid.Permutation(slices.Concat(updates, updates[:2])).Draw(t, "order") {
			l.send(u)
		}
		l.work(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choose") })
		if len(l.items) != 1 {
			t.Fatalf("%d items", len(l.items))
		}
		got := slices.Collect(maps.Values(l.items))[0]
		if got.Placement != int64(len(updates)) {
			t.Fatalf("placement %d after %d distinct updates", got.Placement, len(updates))
		}
		var lines []string
		for _, f := range got.Object.Fields {
			v := "(cleared)"
			if f.Value != nil {
				v = *f.Value
			}
			lines = append(lines, f.Name+"="+v)
		}
		for _, s := range got.Object.Stages {
			lines = append(lines, fmt.Sprintf("%s won=%t by %s", s.Stage, s.IsWon, s.EventID))
		}
		lines = append(lines, fmt.Sprint("deleted=", got.Object.Deleted))
		const whole = "amount=120.00 is_won=false lead_source=(cleared) stage=Open Open won=false by u1 Won won=true by u2 Open won=false by u6 deleted=false"
		if s := strings.Join(lines, " "); s != whole {
			t.Fatalf("folded to\n%s\nwant\n%s", s, whole)
		}
	})
}

// TestRefundsAreBounded: of an order that is refunded without end the newest refunds
// are kept, with all else that is known of it, in whatever order they come.
func TestRefundsAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("megabytes through one goroutine take seconds, and half a minute under the race detector")
	}
	c := codecs(t)
	order := node(identity.Order, "acme", "T-1")
	var updates []avro.Observation
	for i := range 400 {
		name := fmt.Sprintf("refund:r%04d", i)
		if i == 0 {
			name = "amount"
		}
		id, at := fmt.Sprintf("r%04d", i), start.Add(time.Duration(i)*time.Second)
		updates = append(updates, avro.Observation{
			Kind: "fact", Node: order.Bytes(), Reporter: "acme", Feed: "analytics", Source: "segment", EventID: id, OccurredAt: at,
			Object: &avro.ObjectFacts{Type: "order", ID: "T-1", Order: int64(i), ModifiedAt: at, Fields: []avro.Field{{Name: name, Value: text("1")}}},
		})
	}
	for _, seed := range []uint64{1, 2} {
		rng := rand.New(rand.NewPCG(seed, 1))
		rng.Shuffle(len(updates), func(i, j int) { updates[i], updates[j] = updates[j], updates[i] })
		l := newLine(t, c)
		for _, u := range updates {
			l.send(u)
		}
		l.work(func(n int) int { return n - 1 })
		got := slices.Collect(maps.Values(l.items))[0].Object.Fields
		if len(got) != 201 || got[0].Name != "amount" || got[1].Name != "refund:r0200" || got[200].Name != "refund:r0399" {
			t.Errorf("%d fields, from %s, %s to %s", len(got), got[0].Name, got[1].Name, got[len(got)-1].Name)
		}
	}
}

// TestCollision: two events under one id are both kept, in either order, and also
// when a mapping is applied to their feed and it is read again.
func TestCollision(t *testing.T) {
	c := codecs(t)
	n := node(identity.Person, "acme", "p1")
	ev := func(asset string) avro.Observation {
		return avro.Observation{
			Kind: "fact", Node: n.Bytes(), Reporter: "acme", Feed: "map", Source: "test", EventID: "same", OccurredAt: start,
			Touch: &avro.TouchFacts{Type: "form", Asset: asset},
		}
	}
	for _, order := range [][]avro.Observation{{ev("x"), ev("y"), ev("x"), ev("y")}, {ev("y"), ev("x"), ev("x"), ev("y")}} {
		l := newLine(t, c)
		for _, obs := range order {
			l.send(obs)
		}
		l.work(func(int) int { return 0 })
		if len(l.items) != 2 {
			t.Errorf("%d items, want both", len(l.items))
		}
		got := l.stats.Feeds()[ingest.FeedID{Feed: "map", Reporter: "acme"}]
		if want := (ingest.Counts{Accepted: 2, Duplicates: 2, Collisions: 1, Touches: 2, Unresolved: 2}); got != want {
			t.Errorf("counts %+v, want %+v", got, want)
		}
		if len(l.alerts) != 1 {
			t.Errorf("alerts %v, want one", l.alerts)
		}
		for _, obs := range order[:2] {
			obs.MappingRevision = 1
			l.send(obs)
		}
		l.work(func(int) int { return 0 })
		assets := map[string]bool{}
		for _, ev := range l.items {
			if !ev.Removed && ev.Touch != nil {
				assets[ev.Touch.Asset] = true
			}
		}
		if len(l.items) != 2 || !assets["x"] || !assets["y"] {
			t.Errorf("read again by a mapping, %d items are of %v, want one of each", len(l.items), assets)
		}
	}
}

// TestHorizon: behind the broadcast of a horizon, what is older is a dead
// letter with a code, and what is not is still known as a duplicate.
func TestHorizon(t *testing.T) {
	c := codecs(t)
	n := node(identity.Person, "acme", "p1")
	ev := func(id string, at time.Time) avro.Observation {
		return avro.Observation{
			Kind: "fact", Node: n.Bytes(), Reporter: "acme", Feed: "map", Source: "test", EventID: id, OccurredAt: at,
			Touch: &avro.TouchFacts{Type: "form"}, Origin: &avro.Origin{Topic: "raw", Partition: 1, Offset: 2},
		}
	}
	l := newLine(t, c)
	l.send(ev("old", start))
	l.send(ev("young", start.AddDate(0, 0, 2)))
	l.work(func(int) int { return 0 })
	b, err := c.Observation.Append(nil, &avro.Observation{Kind: "control", Control: &avro.Control{Kind: "horizon", Number: 1, Horizon: &avro.HorizonRecord{Day: start.AddDate(0, 0, 1).Format(time.DateOnly)}}})
	if err != nil {
		t.Fatal(err)
	}
	for p := range int32(partitions) {
		l.EmitTo("observations", p, nil, b)
	}
	l.send(ev("older", start))
	l.send(ev("young", start.AddDate(0, 0, 2)))
	l.work(func(int) int { return 0 })
	if want := []string{"deadletter.map.acme too_late"}; !slices.Equal(l.dead, want) {
		t.Errorf("dead letters %v, want %v", l.dead, want)
	}
	got := l.stats.Feeds()[ingest.FeedID{Feed: "map", Reporter: "acme"}]
	if want := (ingest.Counts{Accepted: 2, Duplicates: 1, Late: 1, Touches: 2, Unresolved: 2}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}

// TestTurned: a mapping turns an event from one person to another; whatever
// partitions they lie in and in whatever order the news comes, it is with the
// second and not with the first.
func TestTurned(t *testing.T) {
	c := codecs(t)
	rapid.Check(t, func(t *rapid.T) {
		ev := func(user int, mapping int64, retracted bool) avro.Observation {
			obs := avro.Observation{
				Kind: "fact", Node: node(identity.Person, "acme", fmt.Sprint("u", user)).Bytes(), Reporter: "acme", Feed: "crm", Source: "own",
				EventID: "e", OccurredAt: start, MappingRevision: mapping, Retracted: retracted,
			}
			if !retracted {
				obs.Touch = &avro.TouchFacts{Type: "form"}
			}
			return obs
		}
		was := rapid.IntRange(0, 40).Draw(t, "was")
		is := rapid.IntRange(41, 80).Draw(t, "is")
		l := newLine(t, c)
		choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choose") }
		for _, obs := range rapid.Permutation([]avro.Observation{ev(was, 1, false), ev(is, 2, false), ev(was, 2, true), ev(is, 2, false)}).Draw(t, "order") {
			l.send(obs)
			if rapid.Bool().Draw(t, "work now") {
				l.work(choose)
			}
		}
		l.work(choose)
		want := []string{fmt.Sprintf("provisional:person/acme/u%d: acme/e", is)}
		if got := l.placed(); !slices.Equal(got, want) {
			t.Fatalf("at rest: %v, want %v", got, want)
		}
	})
}

// TestErasedTogether: whoever a source says is the same person as somebody who was
// erased is erased, too, whatever is said first; a browser of theirs stays where it
// was seen.
func TestErasedTogether(t *testing.T) {
	c := codecs(t)
	fact := func(n identity.Node, id string, parent identity.Node, same ...identity.Node) avro.Observation {
		obs := avro.Observation{
			Kind: "fact", Node: n.Bytes(), Reporter: "acme", Feed: "crm", Source: "test", EventID: id, OccurredAt: start, Touch: &avro.TouchFacts{Type: "form", Asset: id},
			Links: []avro.Link{{Parent: parent.Bytes(), Evidence: int(identity.Record), At: start}},
		}
		for _, s := range same {
			obs.Same = append(obs.Same, s.Bytes())
		}
		return obs
	}
	person := func(id string) identity.Node { return node(identity.Person, "acme", id) }
	company, browser := node(identity.CRMAccount, "acme", "1"), node(identity.Anonymous, "acme", "v")
	rapid.Check(t, func(t *rapid.T) {
		gone := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "erased")
		events := []avro.Observation{
			fact(person("a"), "1", company, person("c")), fact(person("d"), "2", company, person("c")), fact(person("b"), "3", company, person("d")),
			fact(person("c"), "4", company), fact(person("z"), "5", company), fact(browser, "6", person("b")),
			{Kind: "erase", Node: person(gone).Bytes()},
		}
		l := newLine(t, c)
		choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choose") }
		order := rapid.Permutation(events).Draw(t, "order")
		for _, obs := range append(order, order...) {
			l.send(obs)
			if rapid.Bool().Draw(t, "work now") {
				l.work(choose)
			}
		}
		l.work(choose)
		want := []string{"acme/1: acme/5", "provisional:person/acme/b: acme/6"}
		if got := l.placed(); !slices.Equal(got, want) {
			t.Fatalf("at rest:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}
