package follow_test

import (
	"fmt"
	"reflect"
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
