package report_test

import (
	"testing"

	"tracksource/report"
)

// TestSpineOfPastWindow: a window of another time than the periods of its targets has a
// light by its own part of them.
func TestSpineOfPastWindow(t *testing.T) {
	for _, c := range []struct {
		name, reached, expected string
		want                    report.Light
		why                     string
	}{
		{"ahead", "1000.00", "900.00", report.Green, "111.1% of what its target expects on the window's days so far"},
		{"nearly", "900.00", "1000.00", report.Amber, "90% of what its target expects on the window's days so far"},
		{"behind", "500.00", "1000.00", report.Red, "50% of what its target expects on the window's days so far"},
		{"none", "500.00", "", report.Grey, "No target"},
	} {
		t.Run(c.name, func(t *testing.T) {
			reached := value(t, c.reached)
			m := report.StoryMeasure{Measure: "revenue", Currency: "USD", Value: &reached}
			if c.expected != "" {
				target, expected := value(t, "2000.00"), value(t, c.expected)
				m.Target, m.Expected = &target, &expected
			}
			p := &report.Package{Question: report.PackageQuestion{From: "2026-01-01", To: "2026-02-28"}}
			report.Tell(p, report.StoryInput{Contract: newStoryteller(t).contract, Day: day(t, "2026-03-30"), Measures: []report.StoryMeasure{m}})
			for _, k := range p.Spine {
				if k.ID == report.TileRevenue && (k.Light != c.want || k.Why != c.why) {
					t.Errorf("revenue is %s: %s; want %s: %s", k.Light, k.Why, c.want, c.why)
				}
			}
		})
	}
}
