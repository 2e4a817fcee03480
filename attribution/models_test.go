package attribution_test

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

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

// ledgerModels are lists of models that one ledger can have, which together are
// every additive model, and settings.
func ledgerModels() []string {
	return []string{
		"[last-non-direct, j-shaped, inverse-j, time-decay, u-milestones, w-shaped]",
		`[full-path, {model: custom, types: {form: 3, visit: 1}}, {model: linear, id: even, exclude: {partner: [globex]}},
  {model: position-based, first: 30%, last: 30%, variant: amplitude}, {model: time-decay, half_life: 5h, transforms: [exposure, trim=3]},
  {model: custom, id: ends, first: 33.3333%, middle: 33.3334%, last: 33.3333%, conversion_touch: exclude}]`,
	}
}

// withModels is the contract of the tests with other models.
func withModels(t *testing.T, models string) *contract.Contract {
	t.Helper()
	base, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(base), "models: [first-touch, last-touch, linear, position-based]\nmulti_touch: linear", "models: "+models, 1)
	c, err := contract.Parse([]byte(text))
	if err != nil || text == string(base) {
		t.Fatal(err, text)
	}
	return c
}

// TestEveryLedgerModel: a ledger of any models conserves each of its conversions,
// whatever a model excludes, and explains itself touch by touch.
func TestEveryLedgerModel(t *testing.T) {
	rates := someRates(t)
	for _, models := range ledgerModels() {
		c := withModels(t, models)
		rapid.Check(t, func(t *rapid.T) {
			j := journeys.Draw(t, "journey")
			result := attribution.Book(under(c), rates, j)
			conserves(t, result)
			for _, want := range result.Conversions {
				got, credits, ok := attribution.Explain(under(c), rates, j, want.ID, want.Measure)
				if !ok || !reflect.DeepEqual(got, want) {
					t.Fatalf("%s of %s is explained as %+v, booked as %+v", want.Measure, want.ID, got, want)
				}
				for m := range c.Models {
					sum := int64(0)
					for _, credit := range credits {
						sum += credit.Minor[m]
					}
					due := want.Value
					if !attribution.IsAdditive(want.Measure) {
						due *= int64(len(want.Lines))
					}
					if sum != due {
						t.Fatalf("%s: the touches get %d of %d", c.Models[m], sum, due)
					}
				}
			}
		})
	}
}

// TestNobodyToCredit: value that one model gives to nobody is unattributed under
// that model alone.
func TestNobodyToCredit(t *testing.T) {
	c := withModels(t, "[linear, {model: custom, types: {form: 1}}]")
	var s script
	for _, line := range []string{
		"touch acme/ga4/1 2026-05-09T15:00:00Z type=visit utm_source=google utm_campaign=tour",
		"deal 1 created_at=2026-05-10T16:00:00Z",
	} {
		s.add(t, line)
	}
	var got []string
	for _, line := range attribution.Book(under(c), nil, s.journey).Conversions[0].Lines {
		got = append(got, fmt.Sprint(line.Partner, line.Minor))
	}
	if text := strings.Join(got, " "); text != "(unattributed)[0 1000000] acme[1000000 0]" {
		t.Errorf("got %s", text)
	}
}
