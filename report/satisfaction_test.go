package report_test

import (
	"math/big"
	"testing"
	"time"

	"tracksource/contract"
	"tracksource/report"
)

func TestSatisfaction(t *testing.T) {
	const hour = time.Hour
	courses := []report.DisputeCourse{
		{Partner: "globex"},
		{Partner: "acme", Settled: report.SettledUpheld, Took: 1000 * hour},
		{Partner: "globex", Settled: report.SettledWithdrawn, Took: 500 * hour},
		{Partner: "globex", Settled: report.SettledUpheld, Took: 10 * hour},
		{Partner: "globex", Settled: report.SettledRejected, Took: 40 * hour},
		{Partner: "globex", Settled: report.SettledUpheld, Took: 20 * hour},
		{Partner: "globex", Settled: report.SettledRejected, Took: 31 * hour},
	}
	surveys := []report.SurveyScore{
		{Day: day(t, "2026-03-01"), Score: value(t, "9")},
		{Day: day(t, "2026-03-02"), Score: value(t, "6.5")},
		{Day: day(t, "2026-03-02"), Score: value(t, "7.5")},
		{Day: day(t, "2026-02-01"), Score: value(t, "4")},
	}
	days := []report.FeedDay{
		{Feed: "crm.globex", Fresh: contract.BandGreen},
		{Feed: "crm.globex", Fresh: contract.BandAmber, Complete: contract.BandGreen},
		{Feed: "map.globex", Fresh: contract.BandRed, Complete: contract.BandGreen},
		{Feed: "map.globex", Fresh: contract.BandGreen, Complete: contract.BandRed},
		{Feed: "map.globex"},
		{Feed: "map.globex", Complete: contract.BandGreen},
	}
	s := report.SatisfactionOf("globex", courses, surveys, days)
	if s.Open != 1 || s.Settled != 4 || s.Withdrawn != 1 || s.Median != 20*hour || s.Mean != 101*hour/4 || s.Upheld.Cmp(big.NewRat(1, 2)) != 0 {
		t.Errorf("disputes: %+v", s)
	}
	if s.Fresh != (report.Adherence{Days: 5, Kept: 3}) || s.Fresh.Share().Cmp(big.NewRat(3, 5)) != 0 {
		t.Errorf("adherence: %+v", s.Fresh)
	}
	if s.Surveys != 4 || s.Newest.Score.Text(1) != "7.5" || s.MeanMark.Cmp(big.NewRat(27, 4)) != 0 {
		t.Errorf("surveys: %+v", s)
	}
	none := report.SatisfactionOf("acme", nil, nil, nil)
	if none.Upheld != nil || none.MeanMark != nil || none.Fresh.Share() != nil || none.Settled+none.Open+none.Surveys != 0 {
		t.Errorf("of a partner that said nothing: %+v", none)
	}
}
