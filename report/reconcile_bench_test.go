package report_test

import (
	"fmt"
	"strings"
	"testing"

	"tracksource/attribution"
	"tracksource/report"
)

// BenchmarkReconcile reads and compares an export of a hundred thousand deals.
func BenchmarkReconcile(b *testing.B) {
	const deals = 100_000
	var facts []attribution.Facts
	var text strings.Builder
	text.WriteString("Opportunity ID,Opportunity Name,Stage,Amount Currency,Amount,Close Date\n")
	for i := range deals {
		facts = append(facts, won(b, fmt.Sprint(i), "1234.50"))
		fmt.Fprintf(&text, "%d,Deal %d,Closed Won,USD,\"1,234.%02d\",3/15/2026\n", i, i, i%100)
	}
	c := agreed(b)
	for b.Loop() {
		e, err := report.ReadExport([]byte(text.String()), report.ExportOptions{Measure: attribution.MeasureRevenue, Currency: "USD"})
		if err != nil || len(e.Deals) != deals {
			b.Fatal(err, len(e.Deals))
		}
		report.Reconcile(&e, facts, report.Scope{Contract: c, Measure: attribution.MeasureRevenue, Reporter: "acme"})
	}
}
