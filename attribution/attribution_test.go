package attribution_test

import (
	"testing"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/contract/example"
)

func TestBookOfTheExample(t *testing.T) {
	c, err := contract.Parse(example.AILaunchTour())
	if err != nil {
		t.Fatal(err)
	}
	deal := attribution.ItemID{Reporter: "acme", Source: "salesforce", Item: "opportunity/1"}
	j := attribution.Journey{
		Touches: []attribution.Touch{{
			ID: attribution.ItemID{Reporter: "globex", Source: "ga4", Item: "t1"},
			At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
			Facts: contract.TouchInput{
				Reporter: "globex", Feed: "analytics", Source: "ga4", Type: "visit",
				UTMCampaign: "ai-launch-tour-emea", UTMSource: "globex", UTMMedium: "email",
			},
		}},
		Deals: []attribution.Deal{attribution.NewDeal(deal, time.Time{}, map[string]string{
			"amount": "100.00", "currency": "USD", "stage": "Qualification", "created_at": "2026-03-02T00:00:00Z",
		}, nil, false)},
	}
	got := attribution.Book(c, 1, nil, j)
	if len(got.Conversions) != 3 || got.Conversions[1].Value != 10000 || got.Conversions[1].Lines[0].Partner != "globex" {
		t.Fatalf("%+v", got)
	}
}
