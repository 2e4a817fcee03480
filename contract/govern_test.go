package contract_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"tracksource/contract"
	"tracksource/contract/example"
)

func TestGovernance(t *testing.T) {
	c := parseFile(t)
	if e := c.Escalation; len(e.Ladder) != 2 || e.Ladder[0] != (contract.Rung{Name: "Analytics", Owner: "analytics@host", Fallback: "RevOps"}) ||
		e.Board.Name != "Board" || e.Retries != 1 || e.ClimbDays != 7 {
		t.Errorf("escalation %+v", e)
	}
	if a := c.Approvals; !slices.Equal(a.Revision, []string{"host", "ally"}) || !slices.Equal(a.Package, []string{"host", "ally", "quiet"}) || !slices.Equal(a.Reopen, []string{"host"}) {
		t.Errorf("approvals %+v", a)
	}
	if c.RateAgeDays != 3 {
		t.Errorf("rates are carried for %d days", c.RateAgeDays)
	}
	plain, err := contract.Parse(example.AILaunchTour())
	if err != nil {
		t.Fatal(err)
	}
	if e := plain.Escalation; len(e.Ladder) != 3 || e.Ladder[0].Name != "Co-marketing Analytics Lead" || e.Retries != 2 || e.ClimbDays != 14 {
		t.Errorf("escalation by default %+v", e)
	}
	for i, g := range plain.Guardrails {
		if i > 0 && g.Name <= plain.Guardrails[i-1].Name {
			t.Errorf("guardrails are out of order at %s", g.Name)
		}
	}
	if g := plain.Guardrail(contract.GuardReach); g.Target != 80_000 || g.Limit != 120_000 || !g.AtMost {
		t.Errorf("reach %+v", g)
	}
}

// TestJudge: on a bound is within it, and less is better where it is.
func TestJudge(t *testing.T) {
	c := parseFile(t)
	for _, want := range []struct {
		guardrail string
		value     int64
		band      contract.Band
	}{
		{contract.GuardAccuracy, 995_000, contract.BandGreen},
		{contract.GuardAccuracy, 994_999, contract.BandAmber},
		{contract.GuardAccuracy, 970_000, contract.BandAmber},
		{contract.GuardAccuracy, 969_999, contract.BandRed},
		{contract.GuardFreshness, 6, contract.BandGreen},
		{contract.GuardFreshness, 12, contract.BandAmber},
		{contract.GuardFreshness, 13, contract.BandRed},
		{contract.GuardPipelineCoverage, 2_500_000, contract.BandAmber},
		{contract.GuardCACPayback, 16_000_001, contract.BandRed},
	} {
		if got := c.Guardrail(want.guardrail).Judge(want.value); got != want.band {
			t.Errorf("%s of %d is %s, want %s", want.guardrail, want.value, got, want.band)
		}
	}
}

// TestPrecedence: the list, then the system of record, then the partners as listed.
func TestPrecedence(t *testing.T) {
	c := parseFile(t)
	var got []int
	for _, crm := range [][2]string{{"ally", "hubspot"}, {"host", "salesforce"}, {"host", "hubspot"}, {"ally", "salesforce"}, {"quiet", "hubspot"}, {"stranger", "x"}} {
		got = append(got, c.Precedence(crm[0], crm[1]))
	}
	if want := []int{0, 1, 1, 4, 5, 6}; !slices.Equal(got, want) {
		t.Errorf("precedence %v, want %v", got, want)
	}
	plain, err := contract.Parse(bytes.Replace(example.AILaunchTour(), []byte("precedence:"), []byte("#"), 1))
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(plain.Precedence("acme", "salesforce"), plain.Precedence("acme", "hubspot"), plain.Precedence("globex", "hubspot")); text != "0 1 2" {
		t.Errorf("precedence by default %s", text)
	}
}

func TestPartnerNamed(t *testing.T) {
	c := parseFile(t)
	for text, want := range map[string]string{"ally": "ally", " ALLY ": "ally", "host": "host", "stranger": "", "": ""} {
		if got, found := c.PartnerNamed(text); got != want || found != (want != "") {
			t.Errorf("%q is %q, %t; want %q", text, got, found, want)
		}
	}
}

// TestUnitText: values of guardrails are written one way and read back from that alone.
func TestUnitText(t *testing.T) {
	for _, tt := range []struct {
		unit  contract.Unit
		value int64
		text  string
	}{
		{contract.UnitPercent, 985_000, "98.5"},
		{contract.UnitPercent, 1_000_000, "100"},
		{contract.UnitPercent, 1, "0.0001"},
		{contract.UnitPercent, 0, "0"},
		{contract.UnitPercent, -25_000, "-2.5"},
		{contract.UnitTimes, 3_250_000, "3.25"},
		{contract.UnitMonths, 14_000_001, "14.000001"},
		{contract.UnitHours, 26, "26"},
		{contract.UnitHours, 0, "0"},
	} {
		if got := tt.unit.Text(tt.value); got != tt.text {
			t.Errorf("%d of %s is written %q, want %q", tt.value, tt.unit, got, tt.text)
		}
		if got, ok := tt.unit.ParseValue(tt.text); !ok || got != tt.value {
			t.Errorf("%q of %s is read as %d, %t, want %d", tt.text, tt.unit, got, ok, tt.value)
		}
	}
	for _, text := range []string{"", "-", ".5", "5.", "98.50", "098", "98%", "1e3", "+1", "-0", "0.00001", "1234567890123456", " 1"} {
		if got, ok := contract.UnitPercent.ParseValue(text); ok {
			t.Errorf("%q is read as %d", text, got)
		}
	}
	if got, ok := contract.UnitHours.ParseValue("1.5"); ok {
		t.Errorf("one and a half hours are read as %d", got)
	}
}
