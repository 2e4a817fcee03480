package attribution_test

import (
	"os"
	"strings"
	"testing"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/money"
)

var allModels = []string{contract.ModelFirstTouch, contract.ModelLastTouch, contract.ModelLinear, contract.ModelPositionBased}

func TestWeightsSumToTheWhole(t *testing.T) {
	for _, model := range allModels {
		if got := attribution.Weights(model, 0); got != nil {
			t.Errorf("%s of no touch: %v", model, got)
		}
		for n := 1; n <= 1000; n++ {
			weights := attribution.Weights(model, n)
			var sum uint64
			for _, weight := range weights {
				sum += weight
			}
			if len(weights) != n || sum != money.Whole {
				t.Fatalf("%s of %d touches: %d weights that sum to %d", model, n, len(weights), sum)
			}
		}
	}
	if got := attribution.Weights("no such model", 3); got != nil {
		t.Errorf("an unknown model gives %v", got)
	}
}

// TestWorkedExamples recomputes what others print for the models that we share.
func TestWorkedExamples(t *testing.T) {
	data, err := os.ReadFile("testdata/worked-examples.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		cases++
		value, want := words[2], words[3:]
		total, err := money.Parse(value, "USD")
		if err != nil {
			t.Fatal(err)
		}
		parts := money.Allocate(total.Minor, attribution.Weights(words[1], len(want)))
		for i, text := range want {
			share, err := money.Parse(text, "USD")
			if err != nil {
				t.Fatal(err)
			}
			if parts[i] != share.Minor {
				t.Errorf("%s%d. touch gets %s", line, i+1, money.Format(parts[i], 2))
			}
		}
	}
	if cases < 10 {
		t.Fatalf("only %d cases were read", cases)
	}
}

// TestLookbackExample is the lookback example of Amplitude's documentation:
// google on the 1st, facebook on the 7th, tiktok and the conversion on the 10th.
func TestLookbackExample(t *testing.T) {
	cases := []struct{ lookback, model, want string }{
		{"30d", contract.ModelFirstTouch, "google=1.000000"},
		{"7d", contract.ModelFirstTouch, "facebook=1.000000"},
		{"7d", contract.ModelLastTouch, "tiktok=1.000000"},
		{"30d", contract.ModelLinear, "google=0.333334 facebook=0.333333 tiktok=0.333333"},
		{"7d", contract.ModelLinear, "facebook=0.500000 tiktok=0.500000"},
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
