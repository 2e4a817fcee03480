package contract_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"tracksource/contract"
	"tracksource/contract/example"
)

type grouped struct{ Source, Medium, Campaign, Channel string }

// ga4Table is Google's table, in its order: what each rule names, written out, so
// that a rule that is left out or comes too early shows.
func ga4Table() []grouped {
	all := []grouped{
		{"(direct)", "(none)", "", "Direct"},
		{"(direct)", "(not set)", "", "Direct"},
		{"", "", "", "Direct"},
		{"google", "cpc", "x-cross-network-y", "Cross-network"},
		{"facebook", "social", "cross-network", "Cross-network"},
	}
	paid := []string{"cpc", "cpm", "xcpx", "ppc", "retargeting", "paid", "paid-anything"}
	for _, medium := range paid {
		other := "Paid Other"
		if medium == "cpm" {
			other = "Display"
		}
		all = append(all,
			grouped{"amazon", medium, "", "Paid Shopping"}, grouped{"somewhere", medium, "the shop", "Paid Shopping"}, grouped{"somewhere", medium, "shopping", "Paid Shopping"},
			grouped{"bing", medium, "", "Paid Search"}, grouped{"facebook", medium, "", "Paid Social"}, grouped{"youtube", medium, "", "Paid Video"},
			grouped{"somewhere", medium, "", other},
		)
	}
	for _, medium := range []string{"display", "banner", "expandable", "interstitial"} {
		for _, source := range []string{"somewhere", "amazon", "bing", "facebook", "youtube"} {
			all = append(all, grouped{source, medium, "", "Display"})
		}
	}
	all = append(all,
		grouped{"amazon", "", "", "Organic Shopping"}, grouped{"somewhere", "", "shop", "Organic Shopping"}, grouped{"amazon", "referral", "", "Organic Shopping"},
		grouped{"facebook", "", "", "Organic Social"}, grouped{"facebook", "referral", "", "Organic Social"},
		grouped{"youtube", "", "", "Organic Video"}, grouped{"youtube", "referral", "", "Organic Video"}, grouped{"somewhere", "my-video-ad", "", "Organic Video"},
		grouped{"bing", "", "", "Organic Search"}, grouped{"somewhere", "organic", "", "Organic Search"},
	)
	for _, medium := range []string{"social", "social-network", "social-media", "sm", "social network", "social media"} {
		all = append(all, grouped{"somewhere", medium, "", "Organic Social"}, grouped{"youtube", medium, "", "Organic Social"}, grouped{"amazon", medium, "", "Organic Shopping"})
	}
	for _, medium := range []string{"referral", "app", "link"} {
		all = append(all, grouped{"somewhere", medium, "", "Referral"})
	}
	for _, name := range []string{"email", "e-mail", "e_mail", "e mail"} {
		all = append(all, grouped{"somewhere", name, "", "Email"}, grouped{name, "somehow", "", "Email"})
	}
	return append(all,
		grouped{"somewhere", "affiliate", "", "Affiliates"}, grouped{"somewhere", "audio", "", "Audio"},
		grouped{"somewhere", "sms", "", "SMS"}, grouped{"sms", "somehow", "", "SMS"},
		grouped{"somewhere", "app-push", "", "Mobile Push Notifications"}, grouped{"somewhere", "mobile-x", "", "Mobile Push Notifications"},
		grouped{"somewhere", "a-notification", "", "Mobile Push Notifications"}, grouped{"firebase", "somehow", "", "Mobile Push Notifications"},
		grouped{"somewhere", "somehow", "", "Unassigned"},
	)
}

// TestGA4Channels: the built-in rules group as Google does, on the cases that are
// published and on one or more that each rule takes and just misses.
func TestGA4Channels(t *testing.T) {
	var cases []grouped
	data, err := os.ReadFile("testdata/ga4_cases.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) < 15 {
		t.Fatal(err, len(cases))
	}
	cases = append(cases, ga4Table()...)
	cases = append(cases,
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
