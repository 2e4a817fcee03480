package report_test

import (
	"testing"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/contract/example"
	"tracksource/money"
	"tracksource/report"
)

// TestDisputable: who sourced a deal goes by the day of its creation in the contract's
// zone, credits by the days that money of it is booked on, in whichever revision.
func TestDisputable(t *testing.T) {
	c, err := contract.Parse(example.AILaunchTour()) // in New York
	if err != nil {
		t.Fatal(err)
	}
	day := func(text string) money.Day {
		d, err := money.ParseDay(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	measure := func(on, currency string, inScope bool) attribution.Facts {
		return attribution.Facts{Measures: []attribution.FactMeasure{{Measure: "revenue", Day: day(on), Value: 1, Currency: currency, InScope: inScope}}}
	}
	created := func(at time.Time) attribution.Facts { return attribution.Facts{CreatedAt: at} }
	tests := []struct {
		name    string
		parts   []attribution.Facts
		sourced bool
		want    bool
	}{
		{"created on the last closed day there", []attribution.Facts{created(time.Date(2026, 4, 1, 3, 59, 0, 0, time.UTC))}, true, false},
		{"created on the first open one", []attribution.Facts{created(time.Date(2026, 4, 1, 4, 0, 0, 0, time.UTC))}, true, true},
		{"created nobody knows when", []attribution.Facts{created(time.Time{})}, true, true},
		{"booked when it is closed", []attribution.Facts{measure("2026-03-31", "USD", true)}, false, false},
		{"booked when it is open", []attribution.Facts{measure("2026-04-01", "USD", true)}, false, true},
		{"by one of two revisions", []attribution.Facts{measure("2026-04-01", "USD", true), measure("2026-03-31", "USD", true)}, false, true},
		{"counted and no money", []attribution.Facts{measure("2026-04-01", "", true)}, false, false},
		{"in no total", []attribution.Facts{measure("2026-04-01", "USD", false)}, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := report.Disputable(&report.Deal{Parts: tt.parts}, c, tt.sourced, day("2026-03-31")); got != tt.want {
				t.Errorf("Disputable() = %v, want %v", got, tt.want)
			}
		})
	}
}
