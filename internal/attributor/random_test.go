package attributor_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/internal/attributor"
	"tracksource/schemas/avro"
	"tracksource/state"
)

// drawUntil checks a property, and again up to a few hundred times until what is rare has
// come: how rare it is does not decide whether the test shows something. The few draws of
// -short promise nothing.
func drawUntil(t *testing.T, property func(*rapid.T), came func() bool) {
	t.Helper()
	const most = 200
	for n := 0; n < 1 || n < most && !testing.Short() && !came(); n++ {
		rapid.Check(t, property)
	}
}

// history draws what one source of journeys could have emitted: items that
// change, move between accounts and come back, and the rules that apply.
type history struct {
	items [][]*avro.JourneyEvent // each in the order of its placements
	rules []*avro.JourneyEvent   // in the order of their numbers
}

func drawHistory(t *rapid.T) history {
	account := rapid.SampledFrom([]string{"a", "a", "a", "ab", "b"}) // one has more than the rest
	var h history
	for i := range rapid.IntRange(1, 12).Draw(t, "touches") {
		id := fmt.Sprintf("t%d", i%9) // some of one id, of different identities
		at := day(1 + i%4*5)
		h.items = append(h.items, drawMoves(t, account, func(a string, p int64) *avro.JourneyEvent {
			if rapid.IntRange(0, 3).Draw(t, "restated") == 0 {
				at = day(1 + rapid.IntRange(0, 20).Draw(t, "day"))
			}
			ev := touch(a, id, p, at, []string{"globex", "acme", "news"}[i%3], []string{"email", "cpc"}[i%2])
			ev.Node = fmt.Appendf(nil, "node-%d", i)
			ev.Touch.Bot = rapid.IntRange(0, 5).Draw(t, "bot") == 0
			return ev
		}))
	}
	stages := rapid.SampledFrom([]string{"Qualification", "Closed Won", "Closed Lost"})
	for i := range rapid.IntRange(1, 3).Draw(t, "deals") {
		id := fmt.Sprintf("d%d", i)
		h.items = append(h.items, drawMoves(t, account, func(a string, p int64) *avro.JourneyEvent {
			d := deal(a, id, p, rapid.SampledFrom([]string{"100", "99.99", "0", "", "12x"}).Draw(t, "amount"),
				rapid.SampledFrom([]string{"USD", "EUR", "JPY"}).Draw(t, "currency"), stages.Draw(t, "stage"))
			d.Object.Deleted = rapid.IntRange(0, 9).Draw(t, "deleted") == 0
			return d
		}))
	}
	h.items = append(h.items, drawMoves(t, account, func(a string, p int64) *avro.JourneyEvent {
		return object(a, "account", "001", p, map[string]string{"country": rapid.SampledFrom([]string{"DE", "US"}).Draw(t, "country"), "employees": "2000"})
	}))
	for i := range rapid.IntRange(0, 3).Draw(t, "disputes") {
		h.items = append(h.items, drawDispute(t, account, fmt.Sprintf("q%d", i)))
	}
	h.drawRules(t)
	return h
}

// drawDispute draws a dispute, of a deal that there may be, as it is opened, settled
// and moved.
func drawDispute(t *rapid.T, account *rapid.Generator[string], id string) []*avro.JourneyEvent {
	partners := rapid.SampledFrom([]string{"acme", "globex"})
	instant := func(name string) string {
		return day(9 + rapid.IntRange(0, 12).Draw(t, name)).UTC().Format(time.RFC3339Nano)
	}
	fields := map[string]string{
		"campaign": "ai-launch-tour", "deal": fmt.Sprintf("acme/salesforce/opportunity/d%d", rapid.IntRange(0, 2).Draw(t, "deal")),
		"partner": rapid.SampledFrom([]string{"acme", "globex", "globex", "stranger"}).Draw(t, "partner"), "about": "sourcing",
		"opened_at": instant("opened"), "opened_by": "partner desk", "opened_why": "our event",
	}
	if rapid.Bool().Draw(t, "of credit") {
		fields["about"], fields["against"] = "credit", partners.Draw(t, "against")
	}
	return drawMoves(t, account, func(a string, p int64) *avro.JourneyEvent {
		if state := rapid.SampledFrom([]string{"", "withdrawn", "rejected", "upheld"}).Draw(t, "state"); state != "" && fields["state"] == "" {
			fields["state"], fields["settled_at"], fields["settled_by"], fields["settled_why"] = state, instant("settled"), "board", "the minutes say so"
			if state == "upheld" {
				fields["to"] = partners.Draw(t, "to")
			}
		}
		return object(a, "dispute", "ai-launch-tour/"+id, p, fields)
	})
}

// drawRules draws revisions of the contract for all days and for some, proposals,
// withdrawals, rates and closings, as the control task would let them pass, and some
// that it would not.
func (h *history) drawRules(t *rapid.T) {
	const from = "\nrestate_from: 2026-03-15\nwindow:"
	books := [][]string{ // what totals are made of
		{},
		{"models: [first-touch, last-touch, linear]", "models: [linear, position-based]"},
		{"\ncurrency: USD", "\ncurrency: EUR"},
		{"zone: America/New_York", "zone: Asia/Tokyo"},
		{"\ncurrency: USD", "\njourney: {touches: 3}\ncurrency: USD"},
		{"\ncurrency: USD", "\njourney: {touches: 1}\ncurrency: USD", "lookback: 90d", "lookback: 10d", "days: 30", "days: 6"},
	}
	parts := [][]string{{}, {"lookback: 90d", "lookback: 6d", "days: 30", "days: 6"}}
	agreed, revision, proposed := 0, int64(0), false
	for n := range rapid.IntRange(1, 9).Draw(t, "rules") {
		number := int64(n + 1)
		kind := rapid.SampledFrom([]string{"contract", "contract", "proposal", "withdrawal", "rate", "period", "period"}).Draw(t, "kind")
		if n == 0 {
			kind = "contract"
		}
		of, edits := rapid.IntRange(0, len(books)-1).Draw(t, "book"), slices.Clone(rapid.SampledFrom(parts).Draw(t, "edit"))
		if revision > 0 && rapid.Bool().Draw(t, "some days") {
			of, edits = agreed, append(edits, "\nwindow:", strings.ReplaceAll(from, "15", rapid.SampledFrom([]string{"10", "11", "20", "21"}).Draw(t, "from")))
		}
		edits = append(edits, books[of]...)
		switch {
		case kind == "contract":
			revision++
			agreed = of
			h.rules = append(h.rules, agreement(number, revision, edits...))
		case kind == "proposal":
			h.rules = append(h.rules, proposal(number, revision+1, edits...))
			proposed = true
		case kind == "withdrawal" && proposed:
			h.rules = append(h.rules, withdrawal(number))
			proposed = false
		case kind == "period":
			// What is closed depends on the order alone, what may be disputed on its own time.
			h.rules = append(h.rules, period(number, rapid.SampledFrom([]string{"close", "close", "reopen"}).Draw(t, "action"),
				rapid.SampledFrom([]string{"2026-03-09", "2026-03-10", "2026-03-15", "2026-03-20", "2026-03-31"}).Draw(t, "until"), day(9+rapid.IntRange(0, 12).Draw(t, "at"))))
		default:
			h.rules = append(h.rules, rate(number, rapid.SampledFrom([]string{"EUR", "JPY"}).Draw(t, "base"), "USD",
				rapid.SampledFrom([]string{"2026-03-10", "2026-03-20"}).Draw(t, "day"), rapid.SampledFrom([]string{"1.1", "0.9", "0.007"}).Draw(t, "rate")))
		}
	}
}

func drawMoves(t *rapid.T, account *rapid.Generator[string], state func(account string, placement int64) *avro.JourneyEvent) []*avro.JourneyEvent {
	var events []*avro.JourneyEvent
	for p := int64(1); len(events) < rapid.IntRange(1, 4).Draw(t, "emissions"); p++ {
		to := account.Draw(t, "account")
		if n := len(events); n > 0 && string(events[n-1].Account) != to {
			events = append(events, gone(events[n-1], p))
			p++
		}
		events = append(events, state(to, p))
	}
	return events
}

// deliver is one order in which the partition could see the history: items and
// rules interleaved, repeated, and, where shuffled says so, out of order.
func (h history) deliver(random *rand.Rand, shuffled bool) []*avro.JourneyEvent {
	queues := append(slices.Clone(h.items), h.rules)
	var out []*avro.JourneyEvent
	for {
		queues = slices.DeleteFunc(queues, func(q []*avro.JourneyEvent) bool { return len(q) == 0 })
		if len(queues) == 0 {
			break
		}
		i := random.IntN(len(queues))
		out = append(out, queues[i][0])
		queues[i] = queues[i][1:]
		if random.IntN(4) == 0 {
			out = append(out, out[random.IntN(len(out))]) // delivered again
		}
	}
	if shuffled {
		// Rules stay in the order of the log, which numbers them.
		var items []int
		for i, ev := range out {
			if ev.Control == nil {
				items = append(items, i)
			}
		}
		random.Shuffle(len(items), func(a, b int) { out[items[a]], out[items[b]] = out[items[b]], out[items[a]] })
	}
	return out
}

// run feeds the events in batches of any size, some of them aborted first, with
// crashes and Ticks in between, to the end of the last sweep.
func (l *line) run(random *rand.Rand, events []*avro.JourneyEvent) {
	l.cfg.SliceAccounts = 1 + random.IntN(3)
	l.open()
	for len(events) > 0 {
		n := min(len(events), 1+random.IntN(6))
		batch := events[:n]
		switch random.IntN(6) {
		case 0:
			l.abort(batch...)
		case 1:
			l.abort(batch...)
			l.open()
		case 2:
			l.feed()
			l.abort()
		}
		l.feed(batch...)
		events = events[n:]
	}
	l.rest()
	l.check()
}

// TestOrderDoesNotMatter: whatever the order, the repetitions, the batches and
// the crashes, the ledger's sum is the books of what is true in the end.
func TestOrderDoesNotMatter(t *testing.T) {
	c := codecs(t)
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t)
		var first map[string]int64
		for i := range 3 {
			random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
			l := newLine(t, c)
			l.run(random, h.deliver(random, i > 0))
			if first == nil {
				first = l.sums()
			}
			if !maps.Equal(first, l.sums()) {
				t.Fatalf("delivery %d:\n%s\nfirst:\n%s", i, sumText(l.sums()), sumText(first))
			}
		}
	})
}

func TestContributionKey(t *testing.T) {
	text := rapid.StringN(0, 6, -1)
	rapid.Check(t, func(t *rapid.T) {
		draw := func() avro.CreditEntry {
			return avro.CreditEntry{
				Contract: text.Draw(t, "contract"), Measure: text.Draw(t, "measure"), Day: text.Draw(t, "day"), Partner: text.Draw(t, "partner"),
				Channel: text.Draw(t, "channel"), Asset: text.Draw(t, "asset"), Region: text.Draw(t, "region"), Segment: text.Draw(t, "segment"),
				Source: text.Draw(t, "source"), TouchCampaign: text.Draw(t, "touch_campaign"), Currency: "USD", Models: []string{"linear"},
				Escrow: rapid.SampledFrom([]string{"", "(none)", "disputed"}).Draw(t, "escrow"), Booked: text.Draw(t, "booked"),
			}
		}
		e := draw()
		got, err := attributor.ParseContributionKey(attributor.ContributionKeyBytes(&e))
		want := avro.ContributionKey{
			Contract: e.Contract, Measure: e.Measure, Day: e.Day, Partner: e.Partner, Channel: e.Channel, Asset: e.Asset,
			Region: e.Region, Segment: e.Segment, Source: e.Source, TouchCampaign: e.TouchCampaign,
			Escrow: cmp.Or(e.Escrow, "(none)"), Booked: cmp.Or(e.Booked, e.Day),
		}
		if err != nil || got != want {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
	})
}

func FuzzParseContributionKey(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte{1, 0, 1, 'a'})
	f.Add(attributor.ContributionKeyBytes(&avro.CreditEntry{Contract: "c", Measure: "revenue", Day: "2026-03-10", Partner: "acme"}))
	f.Fuzz(func(t *testing.T, key []byte) {
		k, err := attributor.ParseContributionKey(key)
		if err != nil {
			return
		}
		again := attributor.ContributionKeyBytes(&avro.CreditEntry{
			Contract: k.Contract, Measure: k.Measure, Day: k.Day, Partner: k.Partner, Channel: k.Channel, Asset: k.Asset,
			Region: k.Region, Segment: k.Segment, Source: k.Source, TouchCampaign: k.TouchCampaign, Escrow: k.Escrow, Booked: k.Booked,
		})
		if string(again) != string(key) {
			t.Fatalf("%x reads as %+v, which is written %x", key, k, again)
		}
	})
}

// FuzzDecodeState: any bytes in state give a value or an error, and a value is
// written again as one that reads the same.
func FuzzDecodeState(f *testing.F) {
	l := newLine(f, codecs(f))
	l.cfg.SliceAccounts = 1
	l.open()
	l.feed(agreement(1, 1), touch("a", "t", 1, day(2), "globex", "email"), deal("a", "d", 1, "100", "EUR", "Closed Won"), deal("b", "e", 1, "100", "USD", "Qualification"))
	l.feed(rate(2, "EUR", "USD", "2026-03-10", "1.1"))
	l.feed(period(3, "close", "2026-03-10", day(11)), dispute("a", "q", 1, "globex"))
	l.tell("a", day(1), known("d", 1))
	for _, v := range l.kv.base {
		if len(v) < 2000 {
			f.Add(v)
		}
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		for _, once := range attributor.DecodeState(value) {
			if !slices.ContainsFunc(attributor.DecodeState(once), func(twice []byte) bool { return string(twice) == string(once) }) {
				t.Fatalf("%x is written as %x, which does not read as the same", value, once)
			}
		}
	})
}

func TestLayout(t *testing.T) {
	layout, err := attributor.Layout()
	if err != nil {
		t.Fatal(err)
	}
	l := testLine(t)
	l.feed(agreement(1, 1), touch("a", "t", 1, day(2), "globex", "email"), deal("a", "d", 1, "100", "USD", "Qualification"))
	l.tell("a", day(1), known("d", 1))
	seen := map[byte]bool{}
	for k, v := range l.kv.base {
		i := slices.IndexFunc(layout, func(s state.Keyspace) bool { return s.ID == k[0] })
		if i < 0 {
			t.Fatalf("key %x is in no keyspace", k)
		}
		if _, err := layout[i].Body(v); err != nil {
			t.Errorf("key %x: %v", k, err)
		}
		seen[k[0]] = true
	}
	if len(seen) != len(layout) {
		t.Errorf("%d of %d keyspaces were written: %v", len(seen), len(layout), seen)
	}
}
