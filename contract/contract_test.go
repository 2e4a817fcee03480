package contract_test

import (
	"testing"

	"tracksource/contract"
	"tracksource/contract/example"
)

func TestExampleParses(t *testing.T) {
	c, err := contract.Parse(example.AILaunchTour())
	if err != nil {
		t.Fatal(err)
	}
	if c.Campaign != "ai-launch-tour" || c.Currency != "USD" || c.Exponent != 2 || c.Zone.String() != "America/New_York" || len(c.Models) != 3 {
		t.Fatalf("%+v", c)
	}
}
