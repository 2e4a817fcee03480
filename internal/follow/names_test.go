package follow_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"tracksource/internal/follow"
	"tracksource/report"
	"tracksource/schemas/avro"
)

// TestDealsShare: deals that are read together have the lists of partners and the paths
// that are equal in memory once, and no room behind their touches.
func TestDealsShare(t *testing.T) {
	r := newRig(t, 0)
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for i := range 3 {
		f := avro.Facts{
			Kind: "facts", Contract: "tour", Revision: 1, Account: []byte("a"), Conversion: fmt.Sprint("acme/salesforce/opportunity/", i), AsOf: at, Rules: []string{"rule"},
			Measures: []avro.FactsMeasure{{Measure: "revenue", Day: "2026-05-01", Value: 100, Currency: "USD", Exponent: 2, InScope: true, Path: []int32{0, 1}, Influenced: []string{"acme", "globex"}}},
			Touches:  []avro.FactsTouch{{ID: avro.FactsItem{Reporter: "globex", Source: "ga4", Item: "1"}, At: at, Channel: "Email"}, {ID: avro.FactsItem{Reporter: "globex", Source: "ga4", Item: "2"}, At: at, Channel: "Email"}},
		}
		k := avro.FactsKey{Contract: f.Contract, Conversion: f.Conversion, Account: f.Account, Revision: f.Revision}
		r.send(r.spec.Facts(), 0, encode(t, r.codecs.FactsKey, k), encode(t, r.codecs.Facts, f))
	}
	var deals []report.Deal
	if err := r.f.Deals("tour", func(d *follow.Deal) (bool, error) {
		deals = append(deals, d.Deal)
		return true, nil
	}); err != nil || len(deals) != 3 {
		t.Fatalf("%d deals: %v", len(deals), err)
	}
	first := &deals[0].Parts[0]
	for i := range deals {
		d := &deals[i].Parts[0]
		for name, lists := range map[string][2]any{
			"paths": {d.Measures[0].Path, first.Measures[0].Path}, "partners": {d.Measures[0].Influenced, first.Measures[0].Influenced},
		} {
			if reflect.ValueOf(lists[0]).Pointer() != reflect.ValueOf(lists[1]).Pointer() {
				t.Errorf("deal %d has %s of its own", i, name)
			}
		}
		if got := fmt.Sprint(d.Measures[0].Path, d.Measures[0].Influenced, cap(d.Touches), d.Deal.Item); got != fmt.Sprintf("[0 1] [acme globex] 2opportunity/%d", i) {
			t.Errorf("deal %d: %s", i, got)
		}
	}
}

// sendMixed has deals followed that differ in all that a deal has lists of, some of them
// under two revisions and some moved from another account.
func sendMixed(t *testing.T, r *rig, n int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(7, 1))
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	partners := []string{"acme", "globex", "initech"}
	item := func() avro.FactsItem {
		return avro.FactsItem{Reporter: partners[rng.IntN(3)], Source: "ga4", Item: fmt.Sprint(rng.IntN(1000))}
	}
	for i := range n {
		for part := range 1 + rng.IntN(2) {
			f := avro.Facts{
				Kind: "facts", Contract: "tour", Revision: int64(1 + part), Account: []byte(fmt.Sprint("a", rng.IntN(8)/7)), Conversion: fmt.Sprint("acme/salesforce/opportunity/", i),
				Amount: fmt.Sprint(rng.IntN(9000)), AsOf: at.Add(time.Duration(i) * time.Minute), Rules: []string{"rule"},
			}
			if rng.IntN(2) == 0 {
				f.CreatedAt, f.Sourced.Evidence = &at, new(item())
			}
			for range rng.IntN(3) {
				f.Stages = append(f.Stages, avro.FactsStage{Stage: fmt.Sprint(rng.IntN(9)), At: at, EventID: fmt.Sprint(rng.IntN(999))})
			}
			for range rng.IntN(4) {
				touch := avro.FactsTouch{ID: item(), At: at, Channel: fmt.Sprint("Channel ", rng.IntN(9)), Person: fmt.Sprint(rng.IntN(999))}
				for range rng.IntN(3) {
					touch.Evidence = append(touch.Evidence, item())
				}
				f.Touches = append(f.Touches, touch)
			}
			for range rng.IntN(3) {
				m := avro.FactsMeasure{Measure: fmt.Sprint(rng.IntN(9)), Day: "2026-05-01", Value: rng.Int64N(900), OriginalAmount: fmt.Sprint(rng.IntN(900)), InScope: true, Influenced: partners[:rng.IntN(4)], CoSell: partners[:rng.IntN(2)]}
				for place := range f.Touches {
					if rng.IntN(2) == 0 {
						m.Path = append(m.Path, int32(place))
					}
				}
				f.Measures = append(f.Measures, m)
			}
			for range rng.IntN(2) {
				f.Merged = append(f.Merged, item())
				f.Disputes = append(f.Disputes, avro.FactsDispute{ID: fmt.Sprint(rng.IntN(99)), OpenedAt: at})
			}
			k := avro.FactsKey{Contract: f.Contract, Conversion: f.Conversion, Account: f.Account, Revision: f.Revision}
			r.send(r.spec.Facts(), 0, encode(t, r.codecs.FactsKey, k), encode(t, r.codecs.Facts, f))
		}
	}
}

// TestPassingDeals: a deal that is its reader's for one turn is the same as one that stays,
// whatever the deal before it was, and each deal that stays is what it was.
func TestPassingDeals(t *testing.T) {
	r := newRig(t, 0)
	sendMixed(t, r, 200)
	var passing, stay []string
	var kept []*follow.Deal
	if err := r.f.ScanDeals("tour", func(d *follow.Deal) (bool, error) {
		passing = append(passing, fmt.Sprintf("%+v", d))
		return true, nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := r.f.Deals("tour", func(d *follow.Deal) (bool, error) {
		kept = append(kept, d)
		return true, nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, d := range kept {
		stay = append(stay, fmt.Sprintf("%+v", d))
	}
	slices.Sort(passing)
	slices.Sort(stay)
	if len(stay) != 200 || !slices.Equal(passing, stay) {
		t.Errorf("%d deals pass and %d stay, and they differ:\n%.2000s\n%.2000s", len(passing), len(stay), passing, stay)
	}
}

// TestPassingGarbage: of a deal that passes there is nothing left but the texts of its
// record, and a few lists: a campaign has a hundred thousand.
func TestPassingGarbage(t *testing.T) {
	const deals, most = 200, 10
	r := newRig(t, 0)
	sendMixed(t, r, deals)
	got := testing.AllocsPerRun(5, func() {
		if err := r.f.ScanDeals("tour", func(*follow.Deal) (bool, error) { return true, nil }); err != nil {
			t.Fatal(err)
		}
	})
	if got /= deals; got > most {
		t.Errorf("a deal that passes is read in %.1f allocations, want %d at most", got, most)
	}
}
