package attribution_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/attribution"
	"tracksource/money"
)

func someRates(t *testing.T) *money.Rates {
	t.Helper()
	rates := &money.Rates{}
	for day := range money.Day(8) {
		// Before and after these days a rate is missing.
		if err := rates.Set("EUR", "USD", money.DayOf(start, time.UTC)+day, fmt.Sprintf("1.0%d", day+1)); err != nil {
			t.Fatal(err)
		}
	}
	return rates
}

func TestConservation(t *testing.T) {
	rates, some := someRates(t), contracts(t)
	conversions := 0
	rapid.Check(t, func(t *rapid.T) {
		rules := some.Draw(t, "rules")
		result := attribution.Book(rules, rates, journeys.Draw(t, "journey"))
		conserves(t, result)
		conversions += len(result.Conversions)
		seen := make(map[[2]string]bool)
		for _, conversion := range result.Conversions {
			key := [2]string{conversion.ID, conversion.Measure}
			if seen[key] {
				t.Fatalf("%v is there twice", key)
			}
			seen[key] = true
		}
		for _, held := range result.Held {
			if seen[[2]string{held.Conversion, held.Measure}] {
				t.Fatalf("%+v is held and booked", held)
			}
		}
	})
	if conversions == 0 && !testing.Short() { // which draws too few to count on it
		t.Fatal("no conversion was drawn")
	}
}

func TestOrderAndDuplicatesDoNotMatter(t *testing.T) {
	rates, some := someRates(t), contracts(t)
	rapid.Check(t, func(t *rapid.T) {
		rules := some.Draw(t, "rules")
		given := disputedFacts.Draw(t, "facts")
		want := attribution.Book(rules, rates, given.journey())
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		shuffled := facts{touches: again(random, given.touches), objects: again(random, given.objects)}
		for i := range shuffled.objects {
			stages := slices.Clone(shuffled.objects[i].Stages)
			random.Shuffle(len(stages), func(a, b int) { stages[a], stages[b] = stages[b], stages[a] })
			shuffled.objects[i].Stages = stages
		}
		if got := attribution.Book(rules, rates, shuffled.journey()); !reflect.DeepEqual(got, want) {
			t.Fatalf("got:\n%s\nwant:\n%s", render(got), render(want))
		}
	})
}

// again repeats some items and shuffles all.
func again[T any](random *rand.Rand, items []T) []T {
	out := slices.Clone(items)
	for range items {
		if random.IntN(2) == 0 {
			out = append(out, items[random.IntN(len(items))])
		}
	}
	random.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// TestTiesGoByTouchID has more touches than a small sort would keep in order by
// chance, a third of them at each of three instants.
func TestTiesGoByTouchID(t *testing.T) {
	c := parseContract(t, "testdata/contract.yaml")
	var s script
	var want []string
	for hour := range 3 {
		for i := hour; i < 100; i += 3 {
			s.add(t, fmt.Sprintf("touch acme/ga4/%02d 2026-03-04T1%d:00:00Z type=visit utm_campaign=tour", i, hour))
			want = append(want, fmt.Sprintf("%02d", i))
		}
	}
	s.add(t, "deal 1 amount=10 created_at=2026-03-05T15:00:00Z")
	_, credits, _ := attribution.Explain(under(c), nil, s.journey, "acme/salesforce/opportunity/1", attribution.MeasureOpportunities)
	var got []string
	for _, credit := range credits {
		got = append(got, credit.Touch.ID.Item)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func TestBookDoesNotWriteItsInput(t *testing.T) {
	rates, some := someRates(t), contracts(t)
	rapid.Check(t, func(t *rapid.T) {
		rules := some.Draw(t, "rules")
		j := journeys.Draw(t, "journey")
		before := fmt.Sprintf("%#v", j)
		attribution.Book(rules, rates, j)
		if after := fmt.Sprintf("%#v", j); after != before {
			t.Fatalf("before:\n%s\nafter:\n%s", before, after)
		}
	})
}

// ledger adds changes up, as whoever reads the ledger does: each key's values and
// behind them what of them is certain.
type ledger map[attribution.PostingKey][]int64

func (l ledger) post(changes []attribution.Change) {
	for _, change := range changes {
		sum := slices.Clone(l[change.PostingKey])
		for i, delta := range slices.Concat(change.Delta, change.Confident) {
			if i == len(sum) {
				sum = append(sum, 0)
			}
			sum[i] += delta
		}
		l[change.PostingKey] = sum
		if !slices.ContainsFunc(sum, isNot0) {
			delete(l, change.PostingKey)
		}
	}
}

func (l ledger) equal(postings []attribution.Posting) error {
	if len(l) != len(postings) {
		return fmt.Errorf("the ledger has %d keys, the postings %d", len(l), len(postings))
	}
	for _, p := range postings {
		want := slices.Clone(p.Minor)
		for _, minor := range p.Minor {
			want = append(want, certain(minor, p.Confidence))
		}
		if !slices.Equal(l[p.PostingKey], want) {
			return fmt.Errorf("%+v: the ledger has %v, the posting %v", p.PostingKey, l[p.PostingKey], want)
		}
	}
	return nil
}

func isNot0(v int64) bool { return v != 0 }

func TestDiffBringsTheLedgerToEachState(t *testing.T) {
	rates, some := someRates(t), contracts(t)
	posted := 0
	rapid.Check(t, func(t *rapid.T) {
		rules := some.Draw(t, "rules")
		l := make(ledger)
		var before []attribution.Posting
		for range 4 {
			after := attribution.Book(rules, rates, journeys.Draw(t, "journey")).Postings()
			changes := attribution.Diff(before, after, money.DayMin)
			if !slices.IsSortedFunc(changes, func(a, b attribution.Change) int { return a.PostingKey.Compare(b.PostingKey) }) {
				t.Fatalf("changes are not in order: %+v", changes)
			}
			for _, change := range changes {
				if !slices.ContainsFunc(slices.Concat(change.Delta, change.Confident), isNot0) {
					t.Fatalf("a change of nothing: %+v", change)
				}
			}
			l.post(changes)
			if err := l.equal(after); err != nil {
				t.Fatal(err)
			}
			posted += len(changes)
			before = after
		}
		l.post(attribution.Diff(before, nil, money.DayMin))
		if len(l) != 0 {
			t.Fatalf("taking everything back leaves %v", l)
		}
	})
	if posted == 0 && !testing.Short() { // which draws too few to count on it
		t.Fatal("nothing was ever posted")
	}
}

func TestTouchesRemovedAndAddedAgainRestore(t *testing.T) {
	rates, some := someRates(t), contracts(t)
	rapid.Check(t, func(t *rapid.T) {
		rules := some.Draw(t, "rules")
		j := journeys.Draw(t, "journey")
		full := attribution.Book(rules, rates, j).Postings()
		less := j
		less.Touches = j.Touches[rapid.IntRange(0, len(j.Touches)).Draw(t, "removed"):]
		l := make(ledger)
		l.post(attribution.Diff(nil, full, money.DayMin))
		without := attribution.Book(rules, rates, less).Postings()
		l.post(attribution.Diff(full, without, money.DayMin))
		l.post(attribution.Diff(without, attribution.Book(rules, rates, j).Postings(), money.DayMin))
		if err := l.equal(full); err != nil {
			t.Fatal(err)
		}
		if changes := attribution.Diff(full, full, money.DayMin); len(changes) != 0 {
			t.Fatalf("no difference posts %+v", changes)
		}
	})
}

// TestSpansAreAllThatABookLooksAt: whoever reads only what the spans ask for, or
// anything more, has the same book.
func TestSpansAreAllThatABookLooksAt(t *testing.T) {
	rates, some := someRates(t), contracts(t)
	left := 0
	rapid.Check(t, func(t *rapid.T) {
		rules := some.Draw(t, "rules")
		j := journeys.Draw(t, "journey")
		want := attribution.Book(rules, rates, j)
		less := j
		less.Touches = nil
		spans := attribution.Spans(rules, less)
		less.Touches = attribution.Select(j.Touches, spans)
		left += len(j.Touches) - len(less.Touches)
		for _, touch := range j.Touches {
			// Of one that is there twice, who keeps journeys has the newest.
			older := slices.ContainsFunc(j.Touches, func(x attribution.Touch) bool { return x.ID == touch.ID && attribution.Newer(x, touch) })
			if !older && rapid.IntRange(0, 3).Draw(t, "read too") == 0 {
				less.Touches = append(less.Touches, touch)
			}
		}
		if got := attribution.Book(rules, rates, less); !reflect.DeepEqual(got, want) {
			t.Fatalf("spans %+v\ngot:\n%s\nwant:\n%s", spans, render(got), render(want))
		}
		behind := drawTouch(t)
		behind.At = attribution.Reach(spans).Add(time.Microsecond)
		j.Touches = append(slices.DeleteFunc(slices.Clone(j.Touches), func(x attribution.Touch) bool { return x.ID == behind.ID }), behind)
		without := j
		without.Touches = j.Touches[:len(j.Touches)-1]
		if got, want := attribution.Book(rules, rates, j), attribution.Book(rules, rates, without); !reflect.DeepEqual(got, want) {
			t.Fatalf("a touch behind the reach made:\n%s\nof:\n%s", render(got), render(want))
		}
	})
	if left == 0 && !testing.Short() { // which draws too few to count on it
		t.Fatal("nothing was ever left out")
	}
}

func TestExplainAddsUpToTheBook(t *testing.T) {
	rates, some := someRates(t), contracts(t)
	rapid.Check(t, func(t *rapid.T) {
		rules := some.Draw(t, "rules")
		j := journeys.Draw(t, "journey")
		for _, want := range attribution.Book(rules, rates, j).Conversions {
			got, credits, ok := attribution.Explain(rules, rates, j, want.ID, want.Measure)
			if !ok || !reflect.DeepEqual(got, want) {
				t.Fatalf("explained %+v, booked %+v", got, want)
			}
			sums, due := make([]int64, len(want.Lines[0].Minor)), want.Value
			if !attribution.IsAdditive(want.Measure) {
				due *= int64(len(want.Lines))
			}
			for _, credit := range credits {
				for m, minor := range credit.Minor {
					sums[m] += minor
				}
			}
			for _, sum := range sums {
				if sum != due {
					t.Fatalf("credits of %s %s sum to %v, the value is %d", want.ID, want.Measure, sums, want.Value)
				}
			}
		}
	})
}

func TestModelsChange(t *testing.T) {
	before := []string{"first-touch", "linear"}
	after := []string{"linear", "last-touch"}
	union := attribution.UnionModels(before, after)
	if !slices.Equal(union, []string{"linear", "last-touch", "first-touch"}) {
		t.Fatalf("union %v", union)
	}
	key := attribution.PostingKey{Conversion: "c", Measure: "revenue", Currency: "USD", Exponent: 2}
	changes := attribution.Diff(
		attribution.Realign([]attribution.Posting{{PostingKey: key, Minor: []int64{100, 40}}}, before, union),
		attribution.Realign([]attribution.Posting{{PostingKey: key, Minor: []int64{40, 7}}}, after, union), money.DayMin,
	)
	if len(changes) != 1 || !slices.Equal(changes[0].Delta, []int64{0, 7, -100}) {
		t.Fatalf("changes %+v", changes)
	}
}

func TestDiffTellsTheBasis(t *testing.T) {
	key := func(partner string) attribution.PostingKey {
		return attribution.PostingKey{Conversion: "c", Measure: "revenue", Dimensions: attribution.Dimensions{Partner: partner}}
	}
	before := []attribution.Posting{
		{PostingKey: key("gone"), Basis: attribution.Basis{Amount: "1.00"}, Minor: []int64{100}},
		{PostingKey: key("kept"), Basis: attribution.Basis{Amount: "1.00"}, Minor: []int64{100}},
	}
	after := []attribution.Posting{{PostingKey: key("kept"), Basis: attribution.Basis{Amount: "2.00"}, Minor: []int64{200}}}
	for _, change := range attribution.Diff(before, after, money.DayMin) {
		if change.Basis.Amount != "2.00" {
			t.Errorf("%s has the basis %+v", change.Partner, change.Basis)
		}
	}
	for _, change := range attribution.Diff(before, nil, money.DayMin) {
		if change.Basis.Amount != "1.00" {
			t.Errorf("%s has the basis %+v", change.Partner, change.Basis)
		}
	}
}

func TestPostingsEncode(t *testing.T) {
	rates, some := someRates(t), contracts(t)
	rapid.Check(t, func(t *rapid.T) {
		rules := some.Draw(t, "rules")
		postings := attribution.Book(rules, rates, journeys.Draw(t, "journey")).Postings()
		data := attribution.AppendPostings([]byte("kept"), postings)
		got, err := attribution.DecodePostings(data[len("kept"):])
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(postings) || (len(got) > 0 && !reflect.DeepEqual(got, postings)) {
			t.Fatalf("got %+v, want %+v", got, postings)
		}
		for cut := len("kept"); cut < len(data); cut++ {
			if _, err := attribution.DecodePostings(data[len("kept"):cut]); !errors.Is(err, attribution.ErrEncoding) {
				t.Fatalf("cut off at %d of %d: %v", cut, len(data), err)
			}
		}
	})
}

func FuzzDecodePostings(f *testing.F) {
	c := parseContract(f, "testdata/contract.yaml")
	var s script
	s.add(f, "touch acme/ga4/1 2026-03-02T15:00:00Z type=visit utm_campaign=tour")
	s.add(f, "deal 1 amount=1.00 created_at=2026-03-05T15:00:00Z")
	f.Add(attribution.AppendPostings(nil, attribution.Book(under(c), nil, s.journey).Postings()))
	f.Add(attribution.AppendPostings(nil, nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		postings, err := attribution.DecodePostings(data)
		if err != nil {
			if !errors.Is(err, attribution.ErrEncoding) {
				t.Fatalf("%v does not wrap ErrEncoding", err)
			}
			return
		}
		again, err := attribution.DecodePostings(attribution.AppendPostings(nil, postings))
		if err != nil || len(again) != len(postings) || (len(again) > 0 && !reflect.DeepEqual(again, postings)) {
			t.Fatalf("%v: %+v, then %+v", err, postings, again)
		}
	})
}
