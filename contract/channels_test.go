package contract_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"tracksource/contract"
	"tracksource/contract/example"
)

// TestGA4Channels: the built-in rules group as Google does, on the cases that are
// published and on one or more that each rule takes and just misses.
func TestGA4Channels(t *testing.T) {
	type grouped struct{ Source, Medium, Campaign, Channel string }
	var cases []grouped
	data, err := os.ReadFile("testdata/ga4_cases.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) < 15 {
		t.Fatal(err, len(cases))
	}
	cases = append(cases,
		grouped{"(direct)", "(not set)", "", "Direct"},
		grouped{"(direct)", "partner-x", "", "Unassigned"},
		grouped{"google", "cpc", "Cross-Network 1", "Cross-network"},
		grouped{"Amazon.com", "cpc", "", "Paid Shopping"},
		grouped{"somewhere", "paid", "my eshop", "Paid Shopping"},
		grouped{"somewhere", "paid", "workshop", "Paid Other"},
		grouped{"somewhere", "paid", "workshop shop", "Paid Shopping"},
		grouped{"Google", "CPC", "", "Paid Search"},
		grouped{"google.co.uk", "ppc", "", "Paid Search"},
		grouped{"googles", "ppc", "", "Paid Other"},
		grouped{"linkedin.com", "paidsocial", "", "Paid Social"},
		grouped{"youtube", "cpv", "", "Paid Video"},
		grouped{"youtube", "retargeting", "", "Paid Video"},
		grouped{"somewhere", "cpm", "", "Display"},
		grouped{"google", "cpm", "", "Paid Search"},
		grouped{"somewhere", "interstitial", "", "Display"},
		grouped{"somewhere", "retargeting", "", "Paid Other"},
		grouped{"somewhere", "unpaid", "", "Unassigned"},
		grouped{"etsy", "", "", "Organic Shopping"},
		grouped{"somewhere", "social", "spring-shop", "Organic Shopping"},
		grouped{"somewhere", "social media", "", "Organic Social"},
		grouped{"somewhere", "socials", "", "Unassigned"},
		grouped{"somewhere", "webvideo", "", "Organic Video"},
		grouped{"somewhere", "organic", "", "Organic Search"},
		grouped{"duckduckgo.com", "referral", "", "Organic Search"},
		grouped{"somewhere", "link", "", "Referral"},
		grouped{"E-Mail blast", "x", "", "Email"},
		grouped{"somewhere", "newsletter", "", "Email"},
		grouped{"somewhere", "affiliate", "", "Affiliates"},
		grouped{"somewhere", "affiliates", "", "Unassigned"},
		grouped{"sms", "x", "", "SMS"},
		grouped{"firebase", "x", "", "Mobile Push Notifications"},
		grouped{"somewhere", "web-push", "", "Mobile Push Notifications"},
		grouped{"somewhere", "pushing", "", "Unassigned"},
		grouped{"somewhere", "webinar", "", "Events"},
		grouped{"somewhere", "partner", "", "Partner"},
	)
	_, rest, ok := strings.Cut(string(example.AILaunchTour()), "channels:\n")
	_, rest, ok2 := strings.Cut(rest, "\n\n")
	if !ok || !ok2 {
		t.Fatal("the example has no channel rules")
	}
	head, _, _ := strings.Cut(string(example.AILaunchTour()), "channels:\n")
	c, err := contract.Parse([]byte(head + rest))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range cases {
		class := c.Classify(contract.TouchInput{
			Reporter: "acme", Feed: contract.FeedAnalytics, Type: contract.TypeVisit,
			UTMSource: tt.Source, UTMMedium: tt.Medium, UTMCampaign: tt.Campaign,
		})
		if class.Channel != tt.Channel {
			t.Errorf("source %q, medium %q, campaign %q: channel %s, want %s", tt.Source, tt.Medium, tt.Campaign, class.Channel, tt.Channel)
		}
	}
}
