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
	"tracksource/contract"
	"tracksource/money"
)

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// drawTouch draws from few values, so that ties, equal dimensions and both
// sides of every bound occur often.
func drawTouch(t *rapid.T) attribution.Touch {
	reporter := rapid.SampledFrom([]string{"acme", "globex", "stranger"}).Draw(t, "reporter")
	source := rapid.SampledFrom([]string{"ga4", "marketo"}).Draw(t, "source")
	return attribution.Touch{
		ID: attribution.ItemID{Reporter: reporter, Source: source, Item: rapid.StringMatching(`[a-f][0-9]`).Draw(t, "item")},
		At: start.Add(time.Duration(rapid.IntRange(0, 16*4).Draw(t, "at")) * 6 * time.Hour),
		Facts: contract.TouchInput{
			Reporter: reporter, Source: source, Feed: "map",
			Type:        rapid.SampledFrom([]string{"visit", "email_click", "form", "email_open"}).Draw(t, "type"),
			UTMSource:   rapid.SampledFrom([]string{"", "globex", "google"}).Draw(t, "utm_source"),
			UTMCampaign: rapid.SampledFrom([]string{"", "tour", "other"}).Draw(t, "utm_campaign"),
			Asset:       rapid.SampledFrom([]string{"", "webinar", "else"}).Draw(t, "asset"),
			Bot:         rapid.IntRange(0, 9).Draw(t, "bot") == 0,
		},
	}
}

func drawDeal(t *rapid.T) attribution.Deal {
	when := func(name string) time.Time {
		return start.Add(time.Duration(rapid.IntRange(0, 16*4).Draw(t, name)) * 6 * time.Hour)
	}
	fields := map[string]string{
		"amount":      rapid.SampledFrom([]string{"", "0", "1", "100.01", "-33.33", "9999999.99", "broken"}).Draw(t, "amount"),
		"currency":    rapid.SampledFrom([]string{"", "USD", "EUR", "JPY"}).Draw(t, "currency"),
		"created_at":  when("created").Format(time.RFC3339),
		"close_date":  when("closed").Format(time.DateOnly),
		"campaign_id": rapid.SampledFrom([]string{"", "701tour"}).Draw(t, "campaign"),
		"is_closed":   rapid.SampledFrom([]string{"true", "false"}).Draw(t, "is closed"),
	}
	if fields["is_closed"] == "true" {
		fields["is_won"] = rapid.SampledFrom([]string{"true", "false"}).Draw(t, "is won")
	}
	var stages []attribution.StageChange
	for i := range rapid.IntRange(0, 4).Draw(t, "stages") {
		closed := rapid.Bool().Draw(t, "stage closed")
		stages = append(stages, attribution.StageChange{
			Stage: "s", IsClosed: closed, IsWon: closed && rapid.Bool().Draw(t, "stage won"), At: when("stage at"), EventID: fmt.Sprint(i),
		})
	}
	id := attribution.ItemID{
		Reporter: rapid.SampledFrom([]string{"acme", "acme", "acme", "globex"}).Draw(t, "owner"),
		Source:   "salesforce", Item: "opportunity/" + rapid.StringMatching(`[0-3]`).Draw(t, "deal"),
	}
	return attribution.NewDeal(id, when("modified"), fields, stages, rapid.IntRange(0, 9).Draw(t, "deleted") == 0)
}

func drawAccount(t *rapid.T) attribution.Account {
	return attribution.NewAccount(
		attribution.ItemID{
			Reporter: rapid.SampledFrom([]string{"acme", "globex"}).Draw(t, "reporter"), Source: "salesforce",
			Item: "account/" + rapid.StringMatching(`[0-3]`).Draw(t, "account"),
		},
		start.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "modified"))*time.Hour),
		map[string]string{
			"country":   rapid.SampledFrom([]string{"", "DE", "US", "FR"}).Draw(t, "country"),
			"employees": rapid.SampledFrom([]string{"", "10", "5000"}).Draw(t, "employees"),
		}, rapid.IntRange(0, 9).Draw(t, "deleted") == 0)
}

var journeys = rapid.Custom(func(t *rapid.T) attribution.Journey {
	return attribution.Journey{
		Touches:  rapid.SliceOfN(rapid.Custom(drawTouch), 0, 12).Draw(t, "touches"),
		Deals:    rapid.SliceOfN(rapid.Custom(drawDeal), 0, 4).Draw(t, "deals"),
		Accounts: rapid.SliceOfN(rapid.Custom(drawAccount), 0, 3).Draw(t, "accounts"),
	}
})

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
	c, rates := parseContract(t, "testdata/contract.yaml"), someRates(t)
	conversions := 0
	rapid.Check(t, func(t *rapid.T) {
		result := attribution.Book(under(c), rates, journeys.Draw(t, "journey"))
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
	if conversions == 0 {
		t.Fatal("no conversion was drawn")
	}
}

func TestOrderAndDuplicatesDoNotMatter(t *testing.T) {
	c, rates := parseContract(t, "testdata/contract.yaml"), someRates(t)
	rapid.Check(t, func(t *rapid.T) {
		j := journeys.Draw(t, "journey")
		want := attribution.Book(under(c), rates, j)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		shuffled := attribution.Journey{
			Touches: again(random, j.Touches), Deals: again(random, j.Deals), Accounts: again(random, j.Accounts),
		}
		for i := range shuffled.Deals {
			shuffled.Deals[i].Stages = slices.Clone(shuffled.Deals[i].Stages)
			random.Shuffle(len(shuffled.Deals[i].Stages), func(a, b int) {
				s := shuffled.Deals[i].Stages
				s[a], s[b] = s[b], s[a]
			})
		}
		if got := attribution.Book(under(c), rates, shuffled); !reflect.DeepEqual(got, want) {
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
	c, rates := parseContract(t, "testdata/contract.yaml"), someRates(t)
	rapid.Check(t, func(t *rapid.T) {
		j := journeys.Draw(t, "journey")
		before := fmt.Sprintf("%#v", j)
		attribution.Book(under(c), rates, j)
		if after := fmt.Sprintf("%#v", j); after != before {
			t.Fatalf("before:\n%s\nafter:\n%s", before, after)
		}
	})
}

// ledger adds changes up, as whoever reads the ledger does.
type ledger map[attribution.PostingKey][]int64

func (l ledger) post(changes []attribution.Change) {
	for _, change := range changes {
		sum := append([]int64(nil), l[change.PostingKey]...)
		for len(sum) < len(change.Delta) {
			sum = append(sum, 0)
		}
		for m, delta := range change.Delta {
			sum[m] += delta
		}
		l[change.PostingKey] = sum
		if !slices.ContainsFunc(sum, func(v int64) bool { return v != 0 }) {
			delete(l, change.PostingKey)
		}
	}
}

func (l ledger) equal(postings []attribution.Posting) error {
	if len(l) != len(postings) {
		return fmt.Errorf("the ledger has %d keys, the postings %d", len(l), len(postings))
	}
	for _, p := range postings {
		if !slices.Equal(l[p.PostingKey], p.Minor) {
			return fmt.Errorf("%+v: the ledger has %v, the posting %v", p.PostingKey, l[p.PostingKey], p.Minor)
		}
	}
	return nil
}

func TestDiffBringsTheLedgerToEachState(t *testing.T) {
	c, rates := parseContract(t, "testdata/contract.yaml"), someRates(t)
	posted := 0
	rapid.Check(t, func(t *rapid.T) {
		l := make(ledger)
		var before []attribution.Posting
		for range 4 {
			after := attribution.Book(under(c), rates, journeys.Draw(t, "journey")).Postings()
			changes := attribution.Diff(before, after)
			if !slices.IsSortedFunc(changes, func(a, b attribution.Change) int { return a.PostingKey.Compare(b.PostingKey) }) {
				t.Fatalf("changes are not in order: %+v", changes)
			}
			for _, change := range changes {
				if !slices.ContainsFunc(change.Delta, func(v int64) bool { return v != 0 }) {
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
		l.post(attribution.Diff(before, nil))
		if len(l) != 0 {
			t.Fatalf("taking everything back leaves %v", l)
		}
	})
	if posted == 0 {
		t.Fatal("nothing was ever posted")
	}
}

func TestTouchesRemovedAndAddedAgainRestore(t *testing.T) {
	c, rates := parseContract(t, "testdata/contract.yaml"), someRates(t)
	rapid.Check(t, func(t *rapid.T) {
		j := journeys.Draw(t, "journey")
		full := attribution.Book(under(c), rates, j).Postings()
		less := j
		less.Touches = j.Touches[rapid.IntRange(0, len(j.Touches)).Draw(t, "removed"):]
		l := make(ledger)
		l.post(attribution.Diff(nil, full))
		without := attribution.Book(under(c), rates, less).Postings()
		l.post(attribution.Diff(full, without))
		l.post(attribution.Diff(without, attribution.Book(under(c), rates, j).Postings()))
		if err := l.equal(full); err != nil {
			t.Fatal(err)
		}
		if changes := attribution.Diff(full, full); len(changes) != 0 {
			t.Fatalf("no difference posts %+v", changes)
		}
	})
}

func TestExplainAddsUpToTheBook(t *testing.T) {
	c, rates := parseContract(t, "testdata/contract.yaml"), someRates(t)
	rapid.Check(t, func(t *rapid.T) {
		j := journeys.Draw(t, "journey")
		for _, want := range attribution.Book(under(c), rates, j).Conversions {
			got, credits, ok := attribution.Explain(under(c), rates, j, want.ID, want.Measure)
			if !ok || !reflect.DeepEqual(got, want) {
				t.Fatalf("explained %+v, booked %+v", got, want)
			}
			sums := make([]int64, len(c.Models))
			for _, credit := range credits {
				for m, minor := range credit.Minor {
					sums[m] += minor
				}
			}
			for _, sum := range sums {
				if sum != want.Value {
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
		attribution.Realign([]attribution.Posting{{PostingKey: key, Minor: []int64{40, 7}}}, after, union),
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
	for _, change := range attribution.Diff(before, after) {
		if change.Basis.Amount != "2.00" {
			t.Errorf("%s has the basis %+v", change.Partner, change.Basis)
		}
	}
	for _, change := range attribution.Diff(before, nil) {
		if change.Basis.Amount != "1.00" {
			t.Errorf("%s has the basis %+v", change.Partner, change.Basis)
		}
	}
}

func TestPostingsEncode(t *testing.T) {
	c, rates := parseContract(t, "testdata/contract.yaml"), someRates(t)
	rapid.Check(t, func(t *rapid.T) {
		postings := attribution.Book(under(c), rates, journeys.Draw(t, "journey")).Postings()
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
