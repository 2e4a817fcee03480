package attribution_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tracksource/attribution"
	"tracksource/contract"
)

// TestMeasures is the table of measures, and what may be added of them.
func TestMeasures(t *testing.T) {
	var got []string
	for _, m := range attribution.Measures() {
		kind, over := "money", "all"
		if m.Count {
			kind = "count"
		}
		if !m.Additive() {
			over = strings.Join(m.Grain, "+") + " of " + m.Of
		}
		got = append(got, m.Name+" "+kind+" "+over)
		if m.Additive() != attribution.IsAdditive(m.Name) {
			t.Errorf("%s is additive: %t and %t", m.Name, m.Additive(), attribution.IsAdditive(m.Name))
		}
	}
	const grain = " partner+region+segment+escrow+day of "
	want := []string{
		"revenue money all", "revenue_sourced money all", "revenue_influenced money" + grain + "revenue", "revenue_co_sell money" + grain + "revenue",
		"pipeline_created money all", "pipeline_open money all", "pipeline_sourced money all",
		"pipeline_influenced money" + grain + "pipeline_created", "pipeline_co_sell money" + grain + "pipeline_created",
		"opportunities count all", "opportunities_influenced count" + grain + "opportunities", "won count all", "lost count all", "orders count all",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if m := attribution.MeasureNamed("MQL"); !m.Count || !m.Additive() || len(m.Grain) != 9 {
		t.Errorf("a milestone is %+v", m)
	}
	for _, tt := range []struct {
		measure, by string
		want        bool
	}{
		{"revenue", "", true},
		{"revenue", "partner channel day", true},
		{"revenue", "colour", false},
		{"revenue_influenced", "partner", true},
		{"revenue_influenced", "partner region day", true},
		{"revenue_influenced", "", false},
		{"revenue_influenced", "region", false},
		{"revenue_influenced", "partner channel", false},
	} {
		if got := attribution.MeasureNamed(tt.measure).Sums(strings.Fields(tt.by)...); got != tt.want {
			t.Errorf("%s by %q: %t", tt.measure, tt.by, got)
		}
	}
}

// TestMilestonesAreNoMeasures: a contract cannot give a milestone the name of a
// measure that every book has.
func TestMilestonesAreNoMeasures(t *testing.T) {
	base, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range attribution.Measures() {
		text := string(base) + "milestones: [" + m.Name + "]\n"
		if _, err := contract.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), "a measure that every book has") {
			t.Errorf("a milestone %s: %v", m.Name, err)
		}
	}
}

// TestInfluenceIsAsFactsSay: the measures at a grain have a line for each partner
// that the facts name with the measure that they follow, in the region and segment of
// the deal, and no others.
func TestInfluenceIsAsFactsSay(t *testing.T) {
	rates, some := someRates(t), contracts(t)
	seen := map[string]int{}
	one := func(t *rapid.T) {
		result := attribution.Book(some.Draw(t, "rules"), rates, journeys.Draw(t, "journey"))
		due := map[string]int64{}
		name := func(deal, measure, day, region, segment, partner string) string {
			return strings.Join([]string{deal, measure, day, region, segment, partner}, "|")
		}
		for _, f := range result.Facts {
			for _, m := range f.Measures {
				for _, follower := range attribution.Measures() {
					if follower.Of != m.Measure || !m.InScope || m.Held != "" || m.Value == 0 {
						continue
					}
					partners := m.Influenced
					if strings.HasSuffix(follower.Name, "_co_sell") {
						partners = m.CoSell
					}
					for _, p := range partners {
						due[name(f.Deal.String(), follower.Name, m.Day.String(), f.Region, f.Segment, p)] = m.Value
					}
				}
			}
		}
		for _, c := range result.Conversions {
			if attribution.IsAdditive(c.Measure) {
				continue
			}
			seen[c.Measure]++
			for n, line := range c.Lines {
				atGrain(t, c, n)
				key := name(c.ID, c.Measure, c.Day.String(), line.Region, line.Segment, line.Partner)
				if value, found := due[key]; !found || value != c.Value {
					t.Fatalf("%s is %d, facts say %d", key, c.Value, value)
				}
				delete(due, key)
			}
		}
		if len(due) > 0 {
			t.Fatalf("facts say %v, which is not booked:\n%s", due, render(result))
		}
	}
	drawUntil(t, 10, one, func() bool { return len(seen) == 5 }) // a hundred draws a time
	if len(seen) != 5 && !testing.Short() {                      // which draws too few to count on it
		t.Errorf("drawn were %v", seen)
	}
}
