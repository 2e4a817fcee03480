package attribution_test

import (
	"fmt"
	"testing"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/contract/example"
	"tracksource/money"
)

// benchJourney has touches all over three months and deals created behind them.
func benchJourney(touches, deals int) attribution.Journey {
	var j attribution.Journey
	for i := range touches {
		id := attribution.ItemID{Reporter: "globex", Source: "ga4", Item: fmt.Sprintf("event-%06d", i)}
		j.Touches = append(j.Touches, attribution.Touch{
			ID: id, At: start.Add(time.Duration(i) * 80 * 24 * time.Hour / time.Duration(touches)),
			Facts: contract.TouchInput{
				Reporter: id.Reporter, Source: id.Source, Feed: "analytics", Type: "visit", Asset: "/webinars/ai-readiness",
				UTMSource: "google", UTMMedium: "cpc", UTMCampaign: "ai-launch-tour", Referrer: "google.com",
			},
		})
	}
	for i := range deals {
		j.Add(attribution.Object{
			ID: attribution.ItemID{Reporter: "acme", Source: "salesforce", Item: fmt.Sprintf("opportunity/%03d", i)}, Type: "opportunity",
			Fields: map[string]string{"amount": "12345.67", "currency": "USD", "created_at": start.Add(80 * 24 * time.Hour).Format(time.RFC3339), "stage": "Qualification"},
		})
	}
	return j
}

// BenchmarkBook is a whole recompute of one account.
func BenchmarkBook(b *testing.B) {
	c, err := contract.Parse(example.AILaunchTour())
	if err != nil {
		b.Fatal(err)
	}
	for _, touches := range []int{10, 100, 1000} {
		for _, deals := range []int{0, 1, 10} {
			b.Run(fmt.Sprintf("touches=%d/deals=%d", touches, deals), func(b *testing.B) {
				j := benchJourney(touches, deals)
				var rates money.Rates
				b.ReportAllocs()
				for b.Loop() {
					attribution.Book(under(c), &rates, j)
				}
			})
		}
	}
}
