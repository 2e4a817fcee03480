package attributor_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/internal/attributor"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// dispute is a state of a dispute of deal 006A by globex, which was opened on the
// twelfth of March: about the sourcing, or about the credit of who it is against.
// What settles it are pairs of names and texts.
func dispute(account, id string, placement int64, against string, settled ...string) *avro.JourneyEvent {
	fields := map[string]string{
		"campaign": "ai-launch-tour", "deal": "acme/salesforce/opportunity/006A", "partner": "globex", "about": "sourcing",
		"opened_at": day(12).Format(time.RFC3339Nano), "opened_by": "partner desk", "opened_why": "our event",
	}
	if against != "" {
		fields["about"], fields["against"] = "credit", against
	}
	for pair := range slices.Chunk(settled, 2) {
		fields[pair[0]] = pair[1]
		fields["settled_at"], fields["settled_by"], fields["settled_why"] = day(25).Format(time.RFC3339Nano), "board", "the minutes say so"
	}
	return object(account, "dispute", "ai-launch-tour/"+id, placement, fields)
}

// bookingText is an entry without what a closing or a dispute has no part in.
func bookingText(e avro.CreditEntry) string {
	booked := "its day"
	if e.Booked != e.Day {
		booked = fmt.Sprintf("%s by closing %d", e.Booked, e.Closing)
	}
	escrow := ""
	if e.Escrow != "(none)" {
		escrow = " " + e.Escrow
	}
	return fmt.Sprintf("  %s %s: %s %s on %s, %s | %s%s: %+d = %d, certain %d\n",
		e.Cause, e.CauseEvent, e.Measure, e.Day, booked, e.Partner, e.Channel, escrow, e.Delta, e.Running, e.Confident)
}

// step is one of a scripted history.
type step struct {
	name   string
	events []*avro.JourneyEvent
}

// history tells the steps and what the ledger makes of each.
func (l *line) history(steps []step) string {
	l.t.Helper()
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "# %s\n", s.name)
		alerts, entries := len(l.alerts), len(l.entries)
		l.feed(s.events...)
		l.rest()
		l.check()
		for _, a := range l.alerts[alerts:] {
			fmt.Fprintf(&b, "  alert %s to %q, %s: %s\n", a.ID, a.Partner, a.State, a.Message)
		}
		for _, e := range l.entries[entries:] {
			b.WriteString(bookingText(e))
		}
	}
	return b.String()
}

// TestHistories are scripted histories of closings and disputes and what the ledger
// did.
func TestHistories(t *testing.T) {
	one := agreement(1, 1, "[first-touch, last-touch, linear]", "[linear]")
	first, second := touch("bigco", "t1", 1, day(2), "globex", "email"), touch("bigco", "t2", 1, day(5), "acme", "social")
	opp, won := deal("bigco", "006A", 1, "1000.00", "EUR", "Qualification"), deal("bigco", "006A", 2, "1000.00", "EUR", "Closed Won")
	won.Object.Stages = []avro.StageChange{{Stage: "Closed Won", IsClosed: true, IsWon: true, At: day(20), EventID: "006A#2"}}
	begin := step{"a deal of EUR 1000 with a touch of each partner", []*avro.JourneyEvent{
		one, rate(2, "EUR", "USD", "2026-03-10", "1.1"), rate(3, "EUR", "USD", "2026-03-20", "1.2"), first, second, opp,
	}}
	late := touch("bigco", "t3", 1, day(6), "globex", "email")
	for name, steps := range map[string][]step{
		"closed": {
			begin,
			{"closed until the day of its creation", []*avro.JourneyEvent{period(4, "close", "2026-03-10", day(11))}},
			{"won on a day that is open", []*avro.JourneyEvent{won}},
			{"a touch that comes late", []*avro.JourneyEvent{late}},
			{"closed until the end of March", []*avro.JourneyEvent{period(5, "close", "2026-03-31", day(31).AddDate(0, 0, 3))}},
			{"the late touch is taken back", []*avro.JourneyEvent{removed(late, 2, "retraction")}},
			{"the rate of the creation is corrected", []*avro.JourneyEvent{rate(6, "EUR", "USD", "2026-03-10", "1.15")}},
			{"opened again from the eleventh on", []*avro.JourneyEvent{period(7, "reopen", "2026-03-11", day(31).AddDate(0, 0, 5))}},
			{"the rate of the close date is corrected", []*avro.JourneyEvent{rate(8, "EUR", "USD", "2026-03-20", "1.25")}},
			{"closed again, and the deal is gone", []*avro.JourneyEvent{period(9, "close", "2026-04-05", day(31).AddDate(0, 0, 9)), removed(won, 3, "retraction")}},
		},
		"proposed": {
			begin,
			{"closed until the day of its creation", []*avro.JourneyEvent{period(4, "close", "2026-03-10", day(11))}},
			{"a proposal of last touch", []*avro.JourneyEvent{proposal(5, 2, "[first-touch, last-touch, linear]", "[last-touch]", "multi_touch: linear\n", "")}},
			{"it is withdrawn", []*avro.JourneyEvent{withdrawal(6)}},
		},
		"disputed": {
			begin,
			{"globex disputes the sourcing", []*avro.JourneyEvent{dispute("bigco", "d1", 1, "")}},
			{"won", []*avro.JourneyEvent{won}},
			{"the board upholds it for acme", []*avro.JourneyEvent{dispute("bigco", "d1", 2, "", "state", "upheld", "to", "acme")}},
			{"globex disputes the credit of acme, while a dispute of it is open no longer", []*avro.JourneyEvent{disputedAgain("d2", 1)}},
			{"and once more", []*avro.JourneyEvent{disputedAgain("d3", 1)}},
			{"the board rejects the second", []*avro.JourneyEvent{disputedAgain("d2", 2, "state", "rejected")}},
			{"and upholds the third for globex", []*avro.JourneyEvent{disputedAgain("d3", 2, "state", "upheld", "to", "globex")}},
			{"a dispute of a deal that nobody knows", []*avro.JourneyEvent{ofDeal(dispute("bigco", "d4", 1, ""), "006X")}},
			{"which is withdrawn", []*avro.JourneyEvent{ofDeal(dispute("bigco", "d4", 2, "", "state", "withdrawn"), "006X")}},
		},
		"disputed-late": {
			begin,
			{"closed until the day of its creation", []*avro.JourneyEvent{period(4, "close", "2026-03-10", day(11))}},
			{"disputed then", []*avro.JourneyEvent{dispute("bigco", "d1", 1, "acme")}},
			{"won on a day that is open", []*avro.JourneyEvent{won}},
			{"upheld for globex", []*avro.JourneyEvent{dispute("bigco", "d1", 2, "acme", "state", "upheld", "to", "globex")}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := testLine(t).history(steps)
			path := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("differs from %s, run with -update and read the difference:\n%s", path, got)
			}
		})
	}
}

// disputedAgain is a dispute of acme's credit that was opened on the 26th.
func disputedAgain(id string, placement int64, settled ...string) *avro.JourneyEvent {
	d := dispute("bigco", id, placement, "acme", settled...)
	setField(d, "opened_at", day(26).Format(time.RFC3339Nano))
	if len(settled) > 0 {
		setField(d, "settled_at", day(28).Format(time.RFC3339Nano))
	}
	return d
}

func ofDeal(d *avro.JourneyEvent, id string) *avro.JourneyEvent {
	setField(d, "deal", "acme/salesforce/opportunity/"+id)
	return d
}

func setField(ev *avro.JourneyEvent, name, text string) {
	i := slices.IndexFunc(ev.Object.Fields, func(f avro.Field) bool { return f.Name == name })
	ev.Object.Fields[i].Value = &text
}

// TestClosingWithinABatch: where a batch ends does not decide by which closing
// something is booked.
func TestClosingWithinABatch(t *testing.T) {
	events := func() []*avro.JourneyEvent {
		opp := deal("a", "d", 1, "100", "USD", "Qualification")
		return []*avro.JourneyEvent{
			touch("a", "t1", 1, day(2), "globex", "email"), opp, deal("b", "e", 1, "50", "USD", "Qualification"),
			rate(2, "EUR", "USD", "2026-03-10", "1.3"),
			period(3, "close", "2026-03-31", day(31)),
			touch("a", "t2", 1, day(3), "acme", "social"), deal("c", "f", 1, "70", "USD", "Qualification"),
			period(4, "reopen", "2026-03-01", day(31)), deal("b", "e", 2, "60", "USD", "Qualification"),
		}
	}
	texts := func(batches ...[]*avro.JourneyEvent) string {
		l := testLine(t)
		l.feed(agreement(1, 1), deal("z", "held", 1, "40", "EUR", "Qualification"))
		l.rest()
		for _, batch := range batches {
			l.feed(batch...)
		}
		l.rest()
		l.check()
		if l.adjusted == 0 {
			t.Error("nothing is booked on another day, so the test shows nothing")
		}
		var b strings.Builder
		for _, e := range l.entries {
			b.WriteString(entryText(e))
		}
		return b.String()
	}
	all := events()
	whole := texts(all)
	for cut := 1; cut < len(all); cut++ {
		parts := texts(all[:cut], all[cut:])
		// What the events of one account come to is one change of a batch; on the two sides
		// of a closing it is two, whatever the batches.
		if beside := all[cut-1].Control != nil || all[cut].Control != nil; beside && parts != whole {
			t.Errorf("cut before %d:\n%s\nwhole:\n%s", cut, parts, whole)
		}
	}
}

// TestClosingRestatesNothing: the sum over the days that something is booked on does not
// know what was closed when.
func TestClosingRestatesNothing(t *testing.T) {
	c := codecs(t)
	adjusted := 0
	one := func(t *rapid.T) {
		h := drawHistory(t)
		// What may be disputed does hang on it.
		h.items = slices.DeleteFunc(h.items, func(events []*avro.JourneyEvent) bool {
			return events[0].Object != nil && events[0].Object.Type == "dispute"
		})
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		events := h.deliver(random, true)
		l, open := newLine(t, c), newLine(t, c)
		l.run(random, events)
		open.run(random, slices.DeleteFunc(events, func(ev *avro.JourneyEvent) bool { return ev.Control != nil && ev.Control.Period != nil }))
		if !maps.Equal(l.sums(), open.sums()) {
			t.Fatalf("with closings:\n%s\nwithout:\n%s", sumText(l.sums()), sumText(open.sums()))
		}
		if adjusted += l.adjusted; open.adjusted > 0 {
			t.Fatalf("%d entries adjust what never closed", open.adjusted)
		}
	}
	drawUntil(t, one, func() bool { return adjusted > 0 })
	if adjusted == 0 && !testing.Short() { // which draws too few to count on it
		t.Error("nothing was booked on another day, so the test shows nothing")
	}
}

// closedBookings is what is booked on days that are closed now, and what of it is
// certain.
func (l *line) closedBookings() map[string]int64 {
	open := money.DayMin
	if closings := l.closings["ai-launch-tour"]; len(closings) > 0 {
		last := closings[len(closings)-1]
		if open = last.Day; last.Close {
			open++
		}
	}
	sums := map[string]int64{}
	for key, day := range l.days {
		if day < open.String() {
			sums[key], sums["certain "+key] = l.totals[key], l.certain[key]
		}
	}
	return sums
}

// TestDisputesSumToNothing: while a dispute is open the ledger is what it was but for
// the escrow, and without a settlement it is what it was in all.
func TestDisputesSumToNothing(t *testing.T) {
	c := codecs(t)
	disputed := 0
	one := func(t *rapid.T) {
		h := drawHistory(t)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		l := newLine(t, c)
		l.run(random, h.deliver(random, true))
		before, free := l.sums(), l.withoutEscrow()
		against := rapid.SampledFrom([]string{"", "acme", "globex"}).Draw(t, "against")
		settled := rapid.SampledFrom([]string{"withdrawn", "rejected"}).Draw(t, "settled")
		account := rapid.SampledFrom([]string{"a", "ab", "b"}).Draw(t, "account")
		of := rapid.SampledFrom([]string{"d0", "d1", "d2"}).Draw(t, "deal")
		n := len(l.entries)
		opened := ofDeal(dispute(account, "new", 1, against), of)
		setField(opened, "opened_at", day(28).Format(time.RFC3339Nano))
		l.run(random, []*avro.JourneyEvent{opened})
		if now := l.withoutEscrow(); !maps.Equal(now, free) {
			t.Fatalf("disputed:\n%s\nbefore:\n%s", sumText(now), sumText(free))
		}
		for _, e := range l.entries[n:] {
			if e.Cause != attributor.CauseDispute || e.CauseEvent != opened.EventID {
				t.Fatalf("an entry by %s %s: %+v", e.Cause, e.CauseEvent, e)
			}
			disputed++
		}
		closed := ofDeal(dispute(account, "new", 2, against, "state", settled), of)
		setField(closed, "opened_at", day(28).Format(time.RFC3339Nano))
		l.run(random, []*avro.JourneyEvent{closed})
		if now := l.sums(); !maps.Equal(now, before) {
			t.Fatalf("%s:\n%s\nbefore:\n%s", settled, sumText(now), sumText(before))
		}
	}
	drawUntil(t, one, func() bool { return disputed > 0 })
	if disputed == 0 && !testing.Short() { // which draws too few to count on it
		t.Error("nothing was in escrow, so the test shows nothing")
	}
}

// withoutEscrow is the ledger as it is restated, whatever is in escrow.
func (l *line) withoutEscrow() map[string]int64 {
	sums := map[string]int64{}
	for key, v := range l.totals {
		sums[l.free[key]] += v
		sums["certain "+l.free[key]] += l.certain[key]
	}
	maps.DeleteFunc(sums, func(_ string, v int64) bool { return v == 0 })
	return sums
}

// TestClosingBehindADispute: a closing decides about a dispute that was opened behind it
// by their own times, though it came first.
func TestClosingBehindADispute(t *testing.T) {
	for _, tt := range []struct {
		name   string
		at     time.Time
		escrow bool
	}{{"closed before it was opened", day(12), false}, {"closed behind it", day(12).Add(time.Microsecond), true}} {
		t.Run(tt.name, func(t *testing.T) {
			l := testLine(t)
			l.feed(agreement(1, 1), touch("a", "t1", 1, day(2), "acme", "email"), deal("a", "006A", 1, "100", "USD", "Qualification"))
			l.feed(dispute("a", "d1", 1, "acme"))
			l.rest()
			disputed := func() bool {
				for key := range l.sums() {
					if strings.Contains(key, "disputed") {
						return true
					}
				}
				return false
			}
			if !disputed() {
				t.Fatal("nothing is in escrow")
			}
			l.open()
			n := len(l.entries)
			l.feed(period(2, "close", "2026-03-10", tt.at))
			l.rest()
			l.check()
			if disputed() != tt.escrow {
				t.Errorf("in escrow %t, want %t", disputed(), tt.escrow)
			}
			for _, e := range l.entries[n:] {
				if e.Cause != attributor.CauseDispute || e.CauseEvent != "period/ai-launch-tour/2" {
					t.Errorf("an entry by %s %s", e.Cause, e.CauseEvent)
				}
			}
			if tt.escrow == (len(l.entries) > n) {
				t.Errorf("%d entries", len(l.entries)-n)
			}
		})
	}
}

// TestPeriodsRefused: what control would never say stops the partition.
func TestPeriodsRefused(t *testing.T) {
	l := testLine(t)
	for name, ev := range map[string]*avro.JourneyEvent{
		"no day":       period(1, "close", "", day(1)),
		"another word": period(1, "shut", "2026-03-10", day(1)),
		"for ever":     period(1, "close", "9999-12-31", day(1)),
		"without its record": {Kind: "control", Control: &avro.Control{
			Kind: "period", Number: 1,
		}},
	} {
		if err := l.p.Fold(context.Background(), l.records([]*avro.JourneyEvent{ev}), new(outputs)); err == nil || !strings.Contains(err.Error(), "broken journey record") {
			t.Errorf("%s: %v", name, err)
		}
		l.kv.discard()
		l.p.Aborted()
	}
}
