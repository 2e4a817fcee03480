package attribution_test

import (
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/attribution"
	"tracksource/money"
)

// TestConfidenceOf holds it against exact arithmetic.
func TestConfidenceOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minor, confidence := rapid.Int64().Draw(t, "minor"), rapid.IntRange(0, attribution.ConfidenceWhole).Draw(t, "confidence")
		want := new(big.Int).Mul(big.NewInt(minor), big.NewInt(int64(confidence)))
		want.Quo(want, big.NewInt(attribution.ConfidenceWhole)) // truncates
		if got := certain(minor, confidence); !want.IsInt64() || got != want.Int64() {
			t.Fatalf("got %d, want %s", got, want)
		}
	})
	for _, minor := range []int64{math.MinInt64, -1, 0, 1, math.MaxInt64} {
		if got := certain(minor, attribution.ConfidenceWhole); got != minor {
			t.Errorf("of %d certain for sure are %d", minor, got)
		}
	}
}

func certain(minor int64, confidence int) int64 {
	return attribution.Confidence{Overall: confidence}.Of(minor)
}

// bookings is a ledger as whoever keeps it by the days that entries are booked on.
type bookings map[booking]*vectors

type booking struct {
	attribution.PostingKey
	booked money.Day
}

type vectors struct{ minor, confident []int64 }

func (v *vectors) add(minor, confident []int64) {
	for len(v.minor) < len(minor) {
		v.minor, v.confident = append(v.minor, 0), append(v.confident, 0)
	}
	for m := range minor {
		v.minor[m] += minor[m]
		v.confident[m] += confident[m]
	}
}

// restated sums over the days that entries are booked on.
func (b bookings) restated() map[attribution.PostingKey]*vectors {
	sums := map[attribution.PostingKey]*vectors{}
	for k, v := range b {
		if sums[k.PostingKey] == nil {
			sums[k.PostingKey] = new(vectors)
		}
		sums[k.PostingKey].add(v.minor, v.confident)
	}
	return sums
}

func (b bookings) closedBy(day money.Day) map[booking]vectors {
	closed := map[booking]vectors{}
	for k, v := range b {
		if k.booked < day {
			closed[k] = vectors{slices.Clone(v.minor), slices.Clone(v.confident)}
		}
	}
	return closed
}

// sure gives each conversion some confidence.
func sure(t *rapid.T, postings []attribution.Posting) []attribution.Posting {
	of := map[[2]string]int{}
	for i := range postings {
		key := [2]string{postings[i].Conversion, postings[i].Measure}
		if _, drawn := of[key]; !drawn {
			of[key] = rapid.SampledFrom([]int{0, 1, 333_333, 999_999, 1_000_000}).Draw(t, "confidence")
		}
		postings[i].Confidence = of[key]
	}
	return postings
}

// TestBookings: whatever is closed and opened again while a book changes, the sums
// over the days that changes are booked on are what is due, and what is booked on a
// closed day stays as it is.
func TestBookings(t *testing.T) {
	rates, some := someRates(t), contracts(t)
	adjusted, onlySurer := 0, 0
	one := func(t *rapid.T) {
		rules := some.Draw(t, "rules")
		ledger := bookings{}
		var before []attribution.Posting
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			open := money.DayMin
			if rapid.Bool().Draw(t, "closed") {
				open = money.DayOf(start, time.UTC).Add(rapid.IntRange(0, 18).Draw(t, "open"))
			}
			after := before
			if rapid.IntRange(0, 3).Draw(t, "new") > 0 {
				after = attribution.Book(rules, rates, journeys.Draw(t, "journey")).Postings()
			}
			after = sure(t, slices.Clone(after))
			closed := ledger.closedBy(open)
			for _, c := range attribution.Diff(before, after, open) {
				if c.Booked != max(c.Day, open) {
					t.Fatalf("open from %s on, booked on %s: %+v", open, c.Booked, c)
				}
				moves := func(v []int64) bool { return slices.ContainsFunc(v, func(v int64) bool { return v != 0 }) }
				if !moves(c.Delta) && !moves(c.Confident) {
					t.Fatalf("a change of nothing: %+v", c)
				}
				if !moves(c.Delta) {
					onlySurer++
				}
				if c.Booked != c.Day {
					adjusted++
				}
				k := booking{c.PostingKey, c.Booked}
				if ledger[k] == nil {
					ledger[k] = new(vectors)
				}
				ledger[k].add(c.Delta, c.Confident)
			}
			for k, v := range closed {
				if !slices.Equal(ledger[k].minor, v.minor) || !slices.Equal(ledger[k].confident, v.confident) {
					t.Fatalf("open from %s on: %+v went from %v to %v", open, k, v, *ledger[k])
				}
			}
			due := map[attribution.PostingKey]vectors{}
			for _, p := range after {
				confident := make([]int64, len(p.Minor))
				for m, minor := range p.Minor {
					confident[m] = certain(minor, p.Confidence)
				}
				due[p.PostingKey] = vectors{p.Minor, confident}
			}
			for key, sum := range ledger.restated() {
				want, found := due[key]
				if !found {
					want = vectors{make([]int64, len(sum.minor)), make([]int64, len(sum.minor))}
				}
				if delete(due, key); !slices.Equal(sum.minor, want.minor) || !slices.Equal(sum.confident, want.confident) {
					t.Fatalf("%+v sums to %v, due is %v", key, *sum, want)
				}
			}
			if len(due) > 0 {
				t.Fatalf("not booked: %+v", due)
			}
			if again := attribution.Diff(after, after, open); len(again) > 0 {
				t.Fatalf("once more it posts %+v", again)
			}
			before = after
		}
	}
	drawUntil(t, 1, one, func() bool { return adjusted > 0 && onlySurer > 0 })
	if (adjusted == 0 || onlySurer == 0) && !testing.Short() { // which draws too few to count on it
		t.Errorf("%d changes were booked on another day, %d of confidence alone", adjusted, onlySurer)
	}
}

// TestDiffTellsTheConfidence: it is that of the conversion as it is now.
func TestDiffTellsTheConfidence(t *testing.T) {
	key := func(partner string) attribution.PostingKey {
		return attribution.PostingKey{Conversion: "c", Measure: "revenue", Dimensions: attribution.Dimensions{Partner: partner}}
	}
	before := []attribution.Posting{
		{PostingKey: key("gone"), Confidence: 500_000, Minor: []int64{100}},
		{PostingKey: key("kept"), Confidence: 500_000, Minor: []int64{100}},
	}
	after := []attribution.Posting{{PostingKey: key("kept"), Confidence: 900_000, Minor: []int64{200}}}
	for _, tt := range []struct {
		after      []attribution.Posting
		confidence int
		confident  []int64 // of gone, then of kept
	}{{after, 900_000, []int64{-50, 130}}, {nil, 0, []int64{-50, -50}}} {
		var confident []int64
		for _, c := range attribution.Diff(before, tt.after, money.DayMin) {
			if confident = append(confident, c.Confident...); c.Confidence != tt.confidence {
				t.Errorf("%s has the confidence %d, want %d", c.Partner, c.Confidence, tt.confidence)
			}
		}
		if !slices.Equal(confident, tt.confident) {
			t.Errorf("certain change by %d, want %d", confident, tt.confident)
		}
	}
}
