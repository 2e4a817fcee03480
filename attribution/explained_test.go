package attribution_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/money"
	"tracksource/report"
)

// TestFactsExplainEachLine: what report computes from the facts of deals is each
// line of the book, under every model and revision, to the minor unit.
func TestFactsExplainEachLine(t *testing.T) {
	rates, some := someRates(t), contracts(t)
	measures := map[string]bool{}
	// A co-sell needs two partners and who sourced: it comes sooner with several journeys
	// a time.
	const journeysEach = 12
	one := func(rt *rapid.T) {
		for range journeysEach {
			explained(rt, rates, some.Draw(rt, "rules"), measures)
		}
	}
	drawUntil(t, 1, one, func() bool {
		return !slices.ContainsFunc(attribution.Measures(), func(m attribution.Measure) bool { return !measures[m.Name] })
	})
	for _, m := range attribution.Measures() {
		if !measures[m.Name] && !testing.Short() { // which draws too few to count on it
			t.Errorf("no conversion of %s was drawn", m.Name)
		}
	}
}

// explained draws a journey, and holds what its facts come to against its book.
func explained(rt *rapid.T, rates *money.Rates, rules attribution.Rules, measures map[string]bool) {
	result := attribution.Book(rules, rates, rapid.OneOf(someFacts, disputedFacts).Draw(rt, "facts").journey())
	ledger := report.Book{}
	for _, c := range result.Conversions {
		if strings.HasPrefix(c.ID, "person:") {
			continue // facts are of deals
		}
		measures[c.Measure] = true
		for _, l := range c.Lines {
			for m, minor := range l.Minor {
				ledger.Put(report.Line{Measure: c.Measure, Day: c.Day, Currency: c.Currency, Exponent: c.Exponent, Dimensions: l.Dimensions}, result.Models[m], minor)
			}
		}
	}
	computed := report.Book{}
	deals := map[attribution.ItemID]*report.Deal{}
	for _, f := range result.Facts {
		if deals[f.Deal] == nil {
			deals[f.Deal] = &report.Deal{}
		}
		deals[f.Deal].Parts = append(deals[f.Deal].Parts, f)
	}
	terms := func(revision int64) *contract.Contract {
		for _, r := range rules {
			if r.Number == revision {
				return r.Contract
			}
		}
		return nil
	}
	for _, d := range deals {
		for l, amounts := range report.Explained(d, terms) {
			for id, minor := range amounts {
				computed.Put(l, id, minor)
			}
		}
	}
	for _, l := range report.Lines(computed, ledger) {
		if !report.Same(l, computed, ledger) {
			rt.Fatalf("%+v: the facts come to %v, the book has %v\n%s", l, computed[l], ledger[l], render(result))
		}
	}
}
