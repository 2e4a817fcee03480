package attributor_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tracksource/identity"
	"tracksource/internal/attributor"
	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/state"
	"tracksource/stream"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func entryText(e avro.CreditEntry) string {
	rate := ""
	if e.Rate != "" {
		rate = fmt.Sprintf(" %s %s at %s of %s, %s", e.OriginalAmount, e.OriginalCurrency, e.Rate, e.RateDay, e.RateVia)
	}
	booked := ""
	if e.Booked != e.Day {
		booked = fmt.Sprintf(" booked on %s by closing %d", e.Booked, e.Closing)
	}
	return fmt.Sprintf("  %s by %s, change %s, %d entries: %s %s %s%s%s\n    %s | %s | %s | %s | %s | %s | %s | %s\n    %v %+d = %d, certain %d by %d\n",
		e.Cause, e.CauseEvent, e.ChangeID, e.EntryCount, e.Measure, e.Day, e.Currency, rate, booked,
		e.Partner, e.Channel, e.Asset, e.Region, e.Segment, e.Source, e.TouchCampaign, e.Escrow, e.Models, e.Delta, e.Running, e.Confident, e.Confidence)
}

// TestGolden walks one account through its life and shows the ledger.
func TestGolden(t *testing.T) {
	l := testLine(t)
	first := touch("bigco", "t1", 1, day(2), "globex", "email")
	second := touch("bigco", "t2", 1, day(5), "acme", "social")
	opp := deal("bigco", "006A", 1, "1000.00", "EUR", "Qualification")
	more := deal("bigco", "006A", 2, "1500.00", "EUR", "Qualification")
	won := deal("bigco", "006A", 3, "1500.00", "EUR", "Closed Won")
	won.Object.Stages = []avro.StageChange{{Stage: "Closed Won", IsClosed: true, IsWon: true, At: day(20), EventID: "006A#3"}}
	deleted := deal("newco", "006A", 6, "1500.00", "EUR", "Closed Won")
	deleted.Object.Deleted = true
	moved := *won
	moved.Account, moved.Placement, moved.EventID = []byte("newco"), 5, "006A#5"
	steps := []struct {
		name   string
		events []*avro.JourneyEvent
	}{
		{"the contract", []*avro.JourneyEvent{agreement(1, 1)}},
		{"a touch", []*avro.JourneyEvent{first}},
		{"a deal without a rate", []*avro.JourneyEvent{opp}},
		{"the rate", []*avro.JourneyEvent{rate(2, "EUR", "USD", "2026-03-10", "1.1")}},
		{"a late touch", []*avro.JourneyEvent{second}},
		{"the touch again, and an older state of it", []*avro.JourneyEvent{second, first}},
		{"a larger amount", []*avro.JourneyEvent{more}},
		{"the account's country", []*avro.JourneyEvent{object("bigco", "account", "001", 1, map[string]string{"country": "DE"})}},
		{"won", []*avro.JourneyEvent{won}},
		{"the rate of the close date", []*avro.JourneyEvent{rate(3, "EUR", "USD", "2026-03-20", "1.25")}},
		{"a second revision with other models", []*avro.JourneyEvent{agreement(4, 2, "[first-touch, last-touch, linear]", "[linear, last-touch]")}},
		{"the deal moves to another account", []*avro.JourneyEvent{gone(won, 4), &moved}},
		{"the deal is deleted", []*avro.JourneyEvent{deleted}},
	}
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "# %s\n", s.name)
		alerts, entries := len(l.alerts), len(l.entries)
		l.feed(s.events...)
		l.rest()
		l.check()
		for _, a := range l.alerts[alerts:] {
			fmt.Fprintf(&b, "  alert %s, %s: %s\n", a.ID, a.State, a.Message)
		}
		for _, e := range l.entries[entries:] {
			b.WriteString(entryText(e))
		}
	}
	path := filepath.Join("testdata", "life.txt")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("differs from %s, run with -update and read the difference:\n%s", path, b.String())
	}
	if len(l.sums()) != 0 {
		t.Errorf("the ledger is not empty after the deletion:\n%s", sumText(l.sums()))
	}
}

func TestContractThereAndBack(t *testing.T) {
	l := testLine(t)
	l.feed(agreement(1, 1), rate(2, "EUR", "USD", "2026-03-10", "1.1"), rate(3, "EUR", "GBP", "2026-03-10", "0.8"), rate(4, "USD", "GBP", "2026-03-10", "0.7"))
	for i := range 5 {
		a := fmt.Sprintf("account-%d", i)
		l.feed(touch(a, a+"-t1", 1, day(2+i), "globex", "email"), touch(a, a+"-t2", 1, day(4), "acme", "social"), deal(a, a+"-d", 1, "999.99", "EUR", "Qualification"))
	}
	l.rest()
	l.check()
	v1 := l.sums()
	l.feed(agreement(5, 2, "[first-touch, last-touch, linear]", "[position-based, linear]", "\ncurrency: USD", "\ncurrency: GBP", "lookback: 90d", "lookback: 7d", "days: 30", "days: 7"))
	l.rest()
	l.check()
	if maps.Equal(v1, l.sums()) {
		t.Fatal("the second revision changes nothing, so the test shows nothing")
	}
	l.feed(agreement(6, 3))
	l.rest()
	l.check()
	if !maps.Equal(v1, l.sums()) {
		t.Errorf("got:\n%s\nwant:\n%s", sumText(l.sums()), sumText(v1))
	}
	n := len(l.entries)
	l.feed(agreement(7, 2, "lookback: 90d", "lookback: 7d", "days: 30", "days: 7"), agreement(6, 9, "lookback: 90d", "lookback: 7d", "days: 30", "days: 7"))
	if l.rest(); len(l.entries) != n {
		t.Errorf("a revision or broadcast that is not above the last one made %d entries", len(l.entries)-n)
	}
}

func TestLateRate(t *testing.T) {
	l := testLine(t)
	l.feed(agreement(1, 1))
	l.rest()
	held := deal("a", "d", 1, "100", "EUR", "Qualification")
	l.feed(touch("a", "t", 1, day(2), "globex", "email"), held)
	l.feed(touch("a", "t2", 1, day(3), "globex", "email"))
	if len(l.alerts) != 1 || l.alerts[0].Campaign != "ai-launch-tour" || !strings.Contains(l.alerts[0].Message, "EUR/USD") {
		t.Fatalf("alerts %+v, want one that asks for EUR/USD", l.alerts)
	}
	l.check()
	n := len(l.entries)
	l.feed(rate(2, "EUR", "USD", "2026-03-09", "1.2"))
	l.rest()
	l.check()
	got := l.entries[n:]
	if len(got) != 4 || got[0].Cause != attributor.CauseFX || got[0].CauseEvent != "rate/EUR/USD/2026-03-09" || got[0].Delta[0] != 12000 || got[0].RateDay != "2026-03-09" {
		t.Errorf("entries %+v, want pipeline_created, influenced, open and sourced of 120.00 by the rate", got)
	}
	l.feed(rate(3, "EUR", "USD", "2026-03-10", "1.5"))
	l.rest()
	l.check()
	n = len(l.entries)
	l.feed(rate(4, "EUR", "USD", "2026-03-10", "1.5"))
	if l.p.Pending(day(1)) || len(l.entries) != n {
		t.Error("a rate that is known already restates")
	}
	// What is held again after it was resolved is worth a new alert.
	l.feed(deal("a", "d", 2, "100", "JPY", "Qualification"))
	if len(l.alerts) != 3 || l.alerts[1].State != "settled" || l.alerts[1].ID != l.alerts[0].ID || l.alerts[2].State != "open" {
		t.Errorf("alerts %+v, want that of EUR settled and one for JPY", l.alerts)
	}
	l.check()
}

func TestSweepSurvivesCrashes(t *testing.T) {
	c := codecs(t)
	for crashes := range 4 {
		l := newLine(t, c)
		l.cfg.SliceAccounts = 3
		l.open()
		l.feed(agreement(1, 1))
		l.rest()
		for i := range 20 {
			a := strings.Repeat("x", i%4) + fmt.Sprint(i)
			l.feed(touch(a, a+"t", 1, day(2), "globex", "email"), deal(a, a+"d", 1, "100", "USD", "Qualification"))
		}
		l.feed(agreement(2, 2, "models: [first-touch, last-touch, linear]", "models: [linear]"))
		for range crashes {
			l.abort()
			l.open()
			l.feed()
			l.feed(touch("x1", "x1t", int64(10+crashes), day(3), "acme", "social"))
			l.open()
		}
		if !l.p.Pending(day(1)) && crashes < 3 {
			t.Fatalf("%d crashes: the sweep is over, so the test shows nothing", crashes)
		}
		l.rest()
		l.check()
	}
}

func TestRulesDuringASweep(t *testing.T) {
	l := testLine(t)
	l.cfg.SliceAccounts = 5
	l.open()
	l.feed(agreement(1, 1))
	l.rest()
	for i := range 30 {
		a := fmt.Sprintf("a%02d", i)
		l.feed(touch(a, a+"t", 1, day(2), "globex", "email"), deal(a, a+"d", 1, "100", "EUR", "Qualification"))
	}
	var burst []*avro.JourneyEvent
	for i := range 20 {
		burst = append(burst, rate(int64(2+i), "EUR", "USD", fmt.Sprintf("2026-03-%02d", i+1), fmt.Sprintf("1.%02d", i+1)))
	}
	l.feed(burst...) // and the first five accounts
	if n := l.rest(); n > 6 {
		t.Errorf("%d ticks after a burst, want one round of 30 accounts", n)
	}
	l.check()
	l.feed(rate(30, "EUR", "USD", "2026-03-10", "2"))
	l.feed()
	l.feed()
	l.feed(rate(31, "EUR", "USD", "2026-03-10", "3")) // half-way round
	if n := l.rest(); n > 7 {
		t.Errorf("%d ticks after a rate in the middle of a sweep, want one round more", n)
	}
	l.check()
	// Rules that never end do not hold the sweep at its beginning.
	for i := range 12 {
		l.feed(rate(int64(40+i), "EUR", "USD", "2026-03-10", fmt.Sprintf("4.%02d", i)))
	}
	moved := map[string]bool{}
	for _, e := range l.entries {
		if e.Rate != "" && strings.HasPrefix(e.Rate, "4.") {
			moved[string(e.Account)] = true
		}
	}
	if len(moved) != 30 {
		t.Errorf("under a stream of rates %d of 30 accounts were restated", len(moved))
	}
	l.rest()
	l.check()
}

// TestNewGeneration is a state rebuilt from zero: every partition hears of it,
// and the numbering begins again.
func TestNewGeneration(t *testing.T) {
	l := testLine(t)
	events := []*avro.JourneyEvent{agreement(1, 1), touch("a", "t", 1, day(2), "globex", "email"), deal("a", "d", 1, "100", "USD", "Qualification")}
	l.feed(events...)
	l.rest()
	l.check()
	if len(l.announced) != creditsPartitions {
		t.Errorf("announced to %v, want all %d partitions", l.announced, creditsPartitions)
	}
	sums := l.sums()
	l.kv.base, l.totals, l.gen = map[string][]byte{}, map[string]int64{}, l.gen+1
	l.open()
	if !l.p.Pending(day(1)) {
		t.Error("a generation that is not announced is not pending")
	}
	l.feed()
	if got := slices.Collect(maps.Values(l.announced)); slices.Min(got) != l.gen {
		t.Errorf("announced %v, want %d everywhere before any input", l.announced, l.gen)
	}
	l.feed(events...)
	l.rest()
	if !maps.Equal(sums, l.sums()) {
		t.Errorf("after the rebuild:\n%s\nbefore:\n%s", sumText(l.sums()), sumText(sums))
	}
	l.gen++
	l.open()
	if err := l.p.Fold(context.Background(), nil, new(outputs)); err == nil || !strings.Contains(err.Error(), "generation") {
		t.Errorf("a state of another generation: %v", err)
	}
}

func TestRefused(t *testing.T) {
	l := testLine(t)
	good := touch("a", "t", 1, day(2), "globex", "email")
	encode := func(edit func(ev *avro.JourneyEvent)) []byte {
		ev := *good
		edit(&ev)
		return l.records([]*avro.JourneyEvent{&ev})[0].Value
	}
	for name, value := range map[string][]byte{
		"garbage":           {1, 2, 3},
		"tombstone":         nil,
		"another account":   encode(func(ev *avro.JourneyEvent) { ev.Account = []byte("b") }),
		"unknown kind":      encode(func(ev *avro.JourneyEvent) { ev.Kind = "wish" }),
		"without facts":     encode(func(ev *avro.JourneyEvent) { ev.Touch = nil }),
		"without a control": encode(func(ev *avro.JourneyEvent) { ev.Kind, ev.Touch = "control", nil }),
		"unreadable rules":  encode(func(ev *avro.JourneyEvent) { *ev = *agreement(1, 1, "campaign:", "campain:") }),
		"rules of another":  encode(func(ev *avro.JourneyEvent) { *ev = *agreement(1, 1, "id: ai-launch-tour", "id: other") }),
		"impossible rate":   encode(func(ev *avro.JourneyEvent) { *ev = *rate(1, "EUR", "USD", "2026-03-10", "-1") }),
		"impossible day":    encode(func(ev *avro.JourneyEvent) { *ev = *rate(1, "EUR", "USD", "2026-02-30", "1") }),
		"unknown schema id": append([]byte{0, 0, 0, 9, 9}, encode(func(*avro.JourneyEvent) {})[5:]...),
		"broadcast of wishes": encode(func(ev *avro.JourneyEvent) {
			*ev = avro.JourneyEvent{Kind: "control", Control: &avro.Control{Kind: "wish", Number: 1}}
		}),
	} {
		err := l.p.Fold(context.Background(), []stream.Record{{Topic: "journeys", Key: []byte("a"), Value: value}}, new(outputs))
		if err == nil || errors.Is(err, stream.ErrTransient) || errors.Is(err, stream.ErrTooBig) {
			t.Errorf("%s: got %v, want an error that stops the worker", name, err)
		}
		l.kv.discard()
		l.p.Aborted()
	}
	if l.feed(good); len(l.entries) != 0 {
		t.Errorf("entries without a contract: %+v", l.entries)
	}
}

func TestNewRefuses(t *testing.T) {
	l := testLine(t)
	for name, edit := range map[string]func(*attributor.Config, *stream.Assignment){
		"codecs":     func(c *attributor.Config, _ *stream.Assignment) { c.Codecs = nil },
		"topics":     func(c *attributor.Config, _ *stream.Assignment) { c.Topics.Alerts = "" },
		"partitions": func(c *attributor.Config, _ *stream.Assignment) { c.CreditsPartitions = 0 },
		"facts":      func(c *attributor.Config, _ *stream.Assignment) { c.FactsPartitions = 0 },
		"log":        func(c *attributor.Config, _ *stream.Assignment) { c.Log = nil },
		"generation": func(_ *attributor.Config, a *stream.Assignment) { a.Generation = 0 },
	} {
		cfg, a := l.cfg, stream.Assignment{Partition: 1, Generation: 1}
		edit(&cfg, &a)
		if _, err := attributor.New(cfg, a, l.kv); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestAnotherLayout: a state of another version is neither read nor forgotten: its
// partition halts and says how to rebuild it.
func TestAnotherLayout(t *testing.T) {
	l := testLine(t)
	l.feed(agreement(1, 1), touch("a", "t", 1, day(2), "globex", "email"))
	for name, change := range map[string]func(layout []byte) []byte{
		"older":            func(layout []byte) []byte { return bytes.Replace(layout, []byte("item 2"), []byte("item 1"), 1) },
		"without closings": func(layout []byte) []byte { return bytes.Replace(layout, []byte("booked 2"), []byte("booked 1"), 1) },
		"none":             func([]byte) []byte { return nil },
	} {
		kv := newOverlay()
		for key, value := range l.kv.base {
			if _, after, found := bytes.Cut([]byte(key), []byte("layout")); found && len(after) == 0 {
				if value = change(value); value == nil {
					continue
				}
			}
			if err := kv.Put([]byte(key), value); err != nil {
				t.Fatal(err)
			}
		}
		_, err := attributor.New(l.cfg, stream.Assignment{Partition: 7, Generation: l.gen}, kv)
		if !errors.Is(err, stream.ErrHalted) || !strings.Contains(err.Error(), "another version") {
			t.Errorf("%s: got %v, want a halt that says so", name, err)
		}
	}
}

// away is a registry that cannot be asked about schemas.
type away struct{ *avro.Memory }

func (away) Schema(context.Context, int) (string, error) { return "", avro.ErrRegistry }

func TestRegistryAway(t *testing.T) {
	c, err := avro.OpenCodecs(context.Background(), away{avro.NewMemory()}, "tracksource")
	if err != nil {
		t.Fatal(err)
	}
	l := newLine(t, c)
	value := append([]byte{0, 0, 0, 9, 9}, l.records([]*avro.JourneyEvent{touch("a", "t", 1, day(2), "", "")})[0].Value[5:]...)
	err = l.p.Fold(context.Background(), []stream.Record{{Key: []byte("a"), Value: value}}, new(outputs))
	if !errors.Is(err, stream.ErrTransient) {
		t.Errorf("got %v, want an error that has the batch tried again", err)
	}
}

// TestOnDisk runs a sweep over a store of the smallest size and a journey that is
// long: what a slice stages must fit into one write.
func TestOnDisk(t *testing.T) {
	dir, err := state.OpenDir(state.Config{Path: t.TempDir(), MemoryBudget: 16 << 20, MaxOpen: 1, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := dir.Close(); err != nil {
			t.Error(err)
		}
	}()
	st, err := task.Stores(dir, "attributor").Open(7)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := task.Of(st)
	if err != nil {
		t.Fatal(err)
	}
	l := testLine(t)
	p, err := attributor.New(l.cfg, stream.Assignment{Partition: 7, Generation: l.gen}, kv)
	if err != nil {
		t.Fatal(err)
	}
	feed := func(events ...*avro.JourneyEvent) {
		t.Helper()
		out := new(outputs)
		if err := p.Fold(context.Background(), l.records(events), out); err != nil {
			t.Fatal(err)
		}
		if err := st.Fits(); err != nil {
			t.Fatal(err)
		}
		if err := st.Commit([]byte("meta")); err != nil {
			t.Fatal(err)
		}
		p.Committed()
		for _, ev := range events {
			l.know(ev)
		}
		for _, o := range out.records {
			l.collect(o)
		}
	}
	rest := func() (ticks int) {
		for ; p.Pending(day(1)); ticks++ {
			feed()
		}
		return ticks
	}
	for i := range 120 {
		a := fmt.Sprintf("account-%03d", i)
		batch := []*avro.JourneyEvent{deal(a, a+"d", 1, "100", "USD", "Qualification"), deal(a, a+"e", 1, "99.99", "EUR", "Closed Won")}
		for n := range 20 {
			batch = append(batch, touch(a, fmt.Sprint(a, "t", n), 1, day(1+n%9), fmt.Sprint("source", n), "email"))
		}
		feed(batch...)
	}
	feed(agreement(1, 1))
	if n := rest(); n < 2 {
		t.Errorf("the sweep of 120 accounts took %d ticks: it does not mind its bounds", n)
	}
	feed(rate(2, "EUR", "USD", "2026-03-10", "1.1"))
	rest()
	l.check()
}

// TestPerson: who arrived somewhere is named by the person, where one is known, and
// by the CRM's object where not.
func TestPerson(t *testing.T) {
	somebody := identity.Node{Level: identity.Email, ID: "pseudonym"}
	browser := identity.Node{Level: identity.Anonymous, Scope: "acme", ID: "pseudonym"}
	for _, tt := range []struct{ name, person, want string }{
		{"nobody", "", "person:acme/salesforce/lead/1"},
		{"a browser", string(browser.Bytes()), "person:acme/salesforce/lead/1"},
		{"a person", string(somebody.Bytes()), "person:" + somebody.String()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := testLine(t)
			lead := object("a", "lead", "1", 1, map[string]string{"created_at": "2026-03-10T12:00:00Z"})
			lead.Object.Stages = []avro.StageChange{{Stage: "Open - Not Contacted", At: day(10), EventID: "1#1"}}
			lead.Person = []byte(tt.person)
			l.feed(agreement(1, 1), touch("a", "t", 1, day(2), "globex", "email"), lead)
			l.rest()
			if len(l.entries) == 0 || l.entries[0].Conversion != tt.want {
				t.Errorf("entries %+v, want those of %s", l.entries, tt.want)
			}
		})
	}
}
