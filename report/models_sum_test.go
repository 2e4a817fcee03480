package report_test

import (
	"math"
	"testing"

	"tracksource/attribution"
	"tracksource/attribution/model"
	"tracksource/report"
)

// TestModelSumsAreWhole: what deals are worth together may be more than an integer of the
// machine holds, above and below zero.
func TestModelSumsAreWhole(t *testing.T) {
	deals := func(n int, value int64) []report.Deal {
		var list []report.Deal
		for range n {
			m := attribution.FactMeasure{Measure: attribution.MeasureRevenue, Value: value, Currency: "USD", Exponent: 2, InScope: true}
			list = append(list, report.Deal{Parts: []attribution.Facts{{Revision: 1, Measures: []attribution.FactMeasure{m}}}})
		}
		return list
	}
	for _, c := range []struct {
		deals []report.Deal
		want  string
	}{
		{deals(1, math.MaxInt64), "92233720368547758.07"},
		{deals(3, math.MaxInt64), "276701161105643274.21"},
		{deals(3, math.MinInt64), "-276701161105643274.24"},
		{append(deals(3, math.MaxInt64), deals(3, math.MinInt64)...), "-0.03"},
	} {
		q := report.ModelQuestion{Measure: attribution.MeasureRevenue, Currency: "USD", Exponent: 2, By: report.Partner}
		r, err := report.Model(report.Listed(c.deals), q, func(int64) model.Spec { return model.Spec{Model: model.FirstTouch} })
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Total.Text(2); got != c.want || r.Unattributed.Text(2) != c.want || len(r.Groups) != 1 {
			t.Errorf("%d deals: %s of which unattributed %s in %d groups, want %s in one", len(c.deals), got, r.Unattributed.Text(2), len(r.Groups), c.want)
		}
	}
}
