package attributor_test

import (
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/schemas/avro"
)

// fold adds entries up that were known at a time, as whoever asks for the figures of
// then does.
func fold(entries []avro.CreditEntry, asOf time.Time) map[string]int64 {
	sums := map[string]int64{}
	for _, e := range entries {
		for m, model := range e.Models {
			if !e.AsOf.After(asOf) {
				sums[totalKey(&e, model)] += e.Delta[m]
			}
		}
	}
	maps.DeleteFunc(sums, func(_ string, v int64) bool { return v == 0 })
	return sums
}

// TestAsKnown: the ledger folded to the Kafka time of an event is what the books
// were with the facts up to it, whatever came later; folded whole it is what they
// are now. What is booked on closed days stays as it is while they are closed.
func TestAsKnown(t *testing.T) {
	c := codecs(t)
	restated, adjusted := 0, 0
	one := func(t *rapid.T) {
		h := drawHistory(t)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		l := newLine(t, c)
		l.cfg.SliceAccounts = 1
		l.open()
		var then []map[string]int64
		var frozen map[string]int64
		for _, ev := range h.deliver(random, true) {
			l.feed(ev)
			l.rest()
			then = append(then, l.bookings())
			now := l.closedBookings()
			if (ev.Control == nil || ev.Control.Period == nil) && !maps.Equal(now, frozen) {
				t.Fatalf("booked on closed days:\n%s\nafter %s %s:\n%s", sumText(frozen), ev.Kind, ev.EventID, sumText(now))
			}
			frozen = now
		}
		l.check()
		adjusted += l.adjusted
		for n, want := range then {
			at := time.Date(2026, 6, 1, 0, 0, n, 0, time.UTC)
			if got := fold(l.entries, at); !maps.Equal(got, want) {
				t.Fatalf("as known after event %d:\n%s\nit was:\n%s", n, sumText(got), sumText(want))
			}
			if !maps.Equal(want, l.bookings()) {
				restated++
			}
		}
	}
	drawUntil(t, one, func() bool { return restated > 0 && adjusted > 0 })
	if (restated == 0 || adjusted == 0) && !testing.Short() { // which draws too few to count on it
		t.Errorf("%d figures changed later, %d entries adjusted a closed day", restated, adjusted)
	}
}
