package attribution_test

import (
	"os"
	"strings"
	"testing"

	"tracksource/attribution"
	"tracksource/attribution/model"
	"tracksource/contract"
	"tracksource/money"
)

// TestLookbackExample is the lookback example of Amplitude's documentation:
// google on the 1st, facebook on the 7th, tiktok and the conversion on the 10th.
func TestLookbackExample(t *testing.T) {
	cases := []struct{ lookback, model, want string }{
		{"30d", string(model.FirstTouch), "google=1.000000"},
		{"7d", string(model.FirstTouch), "facebook=1.000000"},
		{"7d", string(model.LastTouch), "tiktok=1.000000"},
		{"30d", string(model.Linear), "google=0.333334 facebook=0.333333 tiktok=0.333333"},
		{"7d", string(model.Linear), "facebook=0.500000 tiktok=0.500000"},
	}
	base, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var s script
	for _, line := range []string{
		"touch acme/ga4/1 2026-05-01T15:00:00Z type=visit utm_source=google utm_campaign=tour",
		"touch acme/ga4/2 2026-05-07T15:00:00Z type=visit utm_source=facebook utm_campaign=tour",
		"touch acme/ga4/3 2026-05-10T15:00:00Z type=visit utm_source=tiktok utm_campaign=tour",
		"deal 1 created_at=2026-05-10T16:00:00Z",
	} {
		s.add(t, line)
	}
	for _, example := range cases {
		t.Run(example.model+" "+example.lookback, func(t *testing.T) {
			text := strings.Replace(string(base), "lookback: 10d", "lookback: "+example.lookback, 1)
			c, err := contract.Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			model := -1
			for m, name := range c.Models {
				if name == example.model {
					model = m
				}
			}
			var got []string
			for _, line := range attribution.Book(under(c), nil, s.journey).Conversions[0].Lines {
				if line.Minor[model] != 0 {
					got = append(got, line.Source+"="+money.Format(line.Minor[model], attribution.CountExponent))
				}
			}
			if text := strings.Join(got, " "); text != example.want {
				t.Errorf("got %s, want %s", text, example.want)
			}
		})
	}
}
