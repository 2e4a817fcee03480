package report_test

import (
	"testing"

	"tracksource/report"
)

func TestMatchRate(t *testing.T) {
	for _, c := range []struct {
		name               string
		touches, unmatched int64
		want               string
	}{
		{"no touches", 0, 0, ""},
		{"none is matched", 3, 3, "0.0000"},
		{"a third is not", 3, 1, "0.6667"},
		{"all are matched", 1 << 62, 0, "1.0000"},
	} {
		got, ok := report.FeedCounts{Touches: c.touches, Unmatched: c.unmatched}.MatchRate()
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, %v; want %q", c.name, got, ok, c.want)
		}
	}
	sum := report.FeedCounts{1, 2, 3, 4, 5, 6, 7}.Add(report.FeedCounts{10, 20, 30, 40, 50, 60, 70})
	if want := (report.FeedCounts{11, 22, 33, 44, 55, 66, 77}); sum != want {
		t.Errorf("sum %+v, want %+v", sum, want)
	}
}
