// Package sample makes the native events of two partners of one campaign, as
// their systems would send them: Acme, the host, with Salesforce, Marketo and
// GA4; Globex, the partner, with Salesforce, Marketo and Segment. Events come
// twice, late and shuffled, deals are in two currencies, and a few records
// cannot be used. It knows native shapes and nothing of what becomes of them.
package sample

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config says what to make. The zero value makes the demo's sample.
type Config struct {
	Seed   uint64    // 0 is 1
	Events int       // native events, duplicates and bad ones included; 0 is 2000
	Start  time.Time // first day; zero is Start()
}

// Event is one native event as it lies in a raw feed.
type Event struct {
	Feed     string // crm, map or analytics
	Reporter string
	Key      []byte
	Payload  []byte
	At       time.Time // when it is sent
}

// Rate is the exchange rate of one day.
type Rate struct{ Base, Quote, Day, Rate string }

// Truth is what is known of the events from having made them.
type Truth struct {
	Raw         int
	Duplicates  int
	DeadLetters int
}

// World is a sample. The same Config gives the same bytes.
type World struct {
	Start  time.Time
	Events []Event
	Rates  []Rate
	// Amounts are what the partners spend and aim at.
	Amounts []Amount
	Truth   Truth
}

// Amount is money beside the contract.
type Amount struct {
	Kind                             string // spend, target or cost
	Day                              string // YYYY-MM-DD
	Partner, Payer, Channel, Measure string
	Text, Currency                   string // decimal text; no currency for counts
}

const (
	days            = 75 // of the campaign
	eventsPerAcct   = 16 // roughly, to know how many accounts are wanted
	duplicatePerMil = 30
	latePerMil      = 40
	badPerMil       = 6
)

// generator makes one world.
type generator struct {
	cfg    Config
	rng    *rand.Rand
	serial int
	events []made
}

// made is an event with what is known of it.
type made struct {
	Event
	serial int
	bad    bool
}

// Start is the first day of a sample that is not told another.
func Start() time.Time { return time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC) }

// Generate makes a sample.
func Generate(cfg Config) World {
	if cfg.Seed == 0 {
		cfg.Seed = 1
	}
	if cfg.Events == 0 {
		cfg.Events = 2000
	}
	if cfg.Start.IsZero() {
		cfg.Start = Start()
	}
	g := &generator{cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 0x7472_6163_6b73))}
	for i := range cfg.Events/eventsPerAcct + 3 {
		g.company(i)
	}
	g.disturb()
	slices.SortStableFunc(g.events, func(a, b made) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.serial, b.serial)) })
	w := World{Start: cfg.Start, Rates: g.rates(), Amounts: amounts(cfg)}
	seen := map[int]bool{}
	for _, e := range g.events[:min(len(g.events), cfg.Events)] {
		w.Events = append(w.Events, e.Event)
		w.Truth.Raw++
		switch {
		case e.bad:
			w.Truth.DeadLetters++
		case seen[e.serial]:
			w.Truth.Duplicates++
		}
		seen[e.serial] = true
	}
	return w
}

const (
	targetDays = 90 // that the campaign has to reach its targets
	spendWeeks = 5  // the ones that a sample has events of
)

// amounts are targets that a sample of any size is in part ahead of and in part
// behind, and what was spent on it and what it cost otherwise each week.
func amounts(cfg Config) []Amount {
	const target = "target"
	day := func(d int) string { return cfg.Start.AddDate(0, 0, d).Format(time.DateOnly) }
	var list []Amount
	for _, goal := range []struct {
		measure, currency string
		amount            int // for two thousand events
	}{{"pipeline_created", "USD", 4_500_000}, {"revenue", "USD", 400_000}, {"opportunities", "", 126}, {"won", "", 8}, {"reach", "", 100}} {
		// The target of nothing ends the period before, so that this one begins with
		// the campaign.
		for d, amount := range map[int]int{-1: 0, targetDays - 1: max(1, goal.amount*cfg.Events/2000)} {
			list = append(list, Amount{Kind: target, Day: day(d), Measure: goal.measure, Text: strconv.Itoa(amount), Currency: goal.currency})
		}
	}
	for _, at := range []time.Time{cfg.Start, cfg.Start.AddDate(0, 0, targetDays/2)} {
		// A quota is of a quarter, and the campaign begins in one and may end in another.
		end := time.Date(at.Year(), (at.Month()-1)/3*3+4, 0, 0, 0, 0, 0, time.UTC)
		// The host's sellers have that of all together, and Globex one of its own, so that
		// what it sources is covered as well.
		for partner, amount := range map[string]int{"": 1_100_000, "globex": 650_000} {
			quota := Amount{Kind: target, Day: end.Format(time.DateOnly), Partner: partner, Measure: "quota", Text: strconv.Itoa(max(1, amount*cfg.Events/2000)), Currency: "USD"}
			if !slices.Contains(list, quota) {
				list = append(list, quota)
			}
		}
	}
	for week := range spendWeeks {
		for _, s := range []struct {
			payer, channel, currency string
			amount                   int
		}{{"acme", "Paid Search", "USD", 1850}, {"acme", "Events", "USD", 2400}, {"globex", "Partner", "EUR", 1600}} {
			list = append(list, Amount{Kind: "spend", Day: day(7 * week), Payer: s.payer, Channel: s.channel, Text: strconv.Itoa(s.amount + 25*week), Currency: s.currency})
		}
		list = append(list, Amount{Kind: "cost", Day: day(7 * week), Payer: "acme", Text: strconv.Itoa(max(1, 14_000*cfg.Events/2000)), Currency: "USD"})
	}
	slices.SortFunc(list, func(a, b Amount) int {
		return cmp.Or(strings.Compare(a.Day, b.Day), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Partner, b.Partner), strings.Compare(a.Payer, b.Payer), strings.Compare(a.Channel, b.Channel), strings.Compare(a.Measure, b.Measure))
	})
	return list
}

// chance is true n times in a thousand.
func (g *generator) chance(n int) bool { return g.rng.IntN(1000) < n }

func (g *generator) pick(list ...string) string { return list[g.rng.IntN(len(list))] }

// moment is an instant of the campaign's day d, in office hours mostly.
func (g *generator) moment(d int) time.Time {
	return g.cfg.Start.AddDate(0, 0, d).Add(7*time.Hour + time.Duration(g.rng.IntN(12*3600_000))*time.Millisecond)
}

// emit adds an event that happened at.
func (g *generator) emit(feed, reporter, key string, at time.Time, payload []byte) {
	g.serial++
	sent := at.Add(time.Duration(1+g.rng.IntN(90)) * time.Second)
	if g.chance(latePerMil) {
		sent = at.Add(time.Duration(1+g.rng.IntN(9*24)) * time.Hour)
	}
	g.events = append(g.events, made{
		Event:  Event{Feed: feed, Reporter: reporter, Key: []byte(key), Payload: payload, At: sent},
		serial: g.serial,
	})
}

// disturb sends some events again and adds some that cannot be used.
func (g *generator) disturb() {
	for _, e := range slices.Clone(g.events) {
		if g.chance(duplicatePerMil) {
			again := e
			again.At = e.At.Add(time.Duration(1+g.rng.IntN(48*3600)) * time.Second)
			g.events = append(g.events, again)
		}
		if g.chance(badPerMil) {
			g.serial++
			g.events = append(g.events, made{
				Event:  Event{Feed: e.Feed, Reporter: e.Reporter, Key: e.Key, Payload: g.badPayload(e.Event), At: e.At.Add(time.Second)},
				serial: g.serial, bad: true,
			})
		}
	}
}

// rates are the dollars for a euro, day by day, as a walk around 1.09.
func (g *generator) rates() []Rate {
	var out []Rate
	rate := 10900
	for d := range days + 10 {
		rate += g.rng.IntN(61) - 30
		rate = min(max(rate, 10400), 11400)
		day := g.cfg.Start.AddDate(0, 0, d-5)
		if w := day.Weekday(); w == time.Saturday || w == time.Sunday {
			continue // no rate is published; the last one is carried forward
		}
		out = append(out, Rate{Base: "EUR", Quote: "USD", Day: day.Format(time.DateOnly), Rate: fmt.Sprintf("%d.%04d", rate/10000, rate%10000)})
	}
	return out
}
