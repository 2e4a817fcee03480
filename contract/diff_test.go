package contract_test

import (
	"strings"
	"testing"

	"tracksource/contract"
	"tracksource/contract/example"
)

func TestDiff(t *testing.T) {
	old := string(example.AILaunchTour())
	replaced := strings.NewReplacer(
		"name: AI Launch Tour", "name: AI Tour",
		"ends: 2026-05-02", "ends: 2026-05-31",
		"lookback: 90d", "lookback: 30d",
		"  - {id: globex, name: Globex, role: partner, currency: EUR, visibility: open}", "  - {id: globex, name: Globex, role: partner, currency: EUR, visibility: own}",
		"models: [first-touch, last-touch, linear]", "models: [first-touch,   linear]",
		"stages:\n", "# first of all\nstages:\n  - {partner: acme, source: salesforce, stage: Discovery, state: open, milestone: SAL}\n",
		"  SG: APAC\n", "",
	).Replace(old)
	changes, err := contract.Diff([]byte(old), []byte(replaced))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range changes {
		lines = append(lines, c.String())
	}
	want := strings.Join([]string{
		"campaign.ends: 2026-05-02 -> 2026-05-31; restates nothing; which days reports of the whole campaign look at",
		"campaign.name: AI Launch Tour -> AI Tour; shown only",
		"models: first-touch, last-touch, linear -> first-touch, linear; restates every number",
		"partners[globex].visibility: open -> own; who sees what",
		"regions.SG: APAC -> (nothing); restates the breakdown by region",
		"stages[acme/salesforce/Discovery].milestone: (nothing) -> SAL; restates when deals are opened, won and lost, and what people reach",
		"stages[acme/salesforce/Discovery].partner: (nothing) -> acme; restates when deals are opened, won and lost, and what people reach",
		"stages[acme/salesforce/Discovery].source: (nothing) -> salesforce; restates when deals are opened, won and lost, and what people reach",
		"stages[acme/salesforce/Discovery].stage: (nothing) -> Discovery; restates when deals are opened, won and lost, and what people reach",
		"stages[acme/salesforce/Discovery].state: (nothing) -> open; restates when deals are opened, won and lost, and what people reach",
		"window.lookback: 90d -> 30d; restates every number",
	}, "\n")
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if same, err := contract.Diff([]byte(old), []byte("# a comment\n"+old)); err != nil || len(same) != 0 {
		t.Errorf("a comment changes %v, %v", same, err)
	}
	if _, err := contract.Diff([]byte(old), []byte("campaign: 1")); err == nil || !strings.Contains(err.Error(), "the newer document") {
		t.Errorf("error %v", err)
	}
}

// TestDiffOfModels: models are one list, whether with settings or without.
func TestDiffOfModels(t *testing.T) {
	old := string(example.AILaunchTour())
	replaced := strings.Replace(old, "models: [first-touch, last-touch, linear]",
		"models: [first-touch, linear, {model: custom, types: {form: 3, visit: 1}, exclude: {channel: [Direct]}}]", 1)
	changes, err := contract.Diff([]byte(old), []byte(replaced))
	if err != nil || len(changes) != 1 {
		t.Fatalf("%v, %v", changes, err)
	}
	want := "models: first-touch, last-touch, linear -> first-touch, linear, custom exclude.channel=Direct types.form=3 types.visit=1; restates every number"
	if got := changes[0].String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
