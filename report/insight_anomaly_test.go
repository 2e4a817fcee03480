package report_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"tracksource/money"
	"tracksource/report"
)

// wave draws the daily series of a campaign: conversions whose number swings with the
// weekday, grows, and varies more from day to day than chance alone makes it, each worth
// something between a thousand and some hundred thousand. Partners and channels share
// them out.
type wave struct {
	rng *rand.Rand
	// daily is how many a usual day brings in the beginning, and growth how many times as
	// many it brings in the end.
	daily, growth int
	// at changes how many a day brings, in percent; nil without anything planted.
	at func(i int) int
	// sizes are the conversions of each series, once they are drawn.
	sizes [][]report.Sized
}

// waveDays are those of a series: the history that findings want, and a month.
const waveDays = report.AnomalyHistoryDays + 30

// season is what weekdays bring of a usual day, in percent.
func season(i int) int { return [...]int{100, 115, 110, 100, 80, 15, 10}[i%7] }

// count draws how many conversions a day has: of ten chances for each that is expected one
// is taken, and what is expected is between a half and one and a half times the usual.
func (w *wave) count(i int) int {
	chances := w.daily * season(i) * (50 + w.rng.IntN(101)) / 100 * (100 + (w.growth-1)*100*i/waveDays) / 100
	if w.at != nil {
		chances = chances * w.at(i) / 100
	}
	n := 0
	for range (chances + w.rng.IntN(10)) / 10 {
		if w.rng.IntN(10) == 0 {
			n++
		}
	}
	return n
}

// waveSizes is how many sizes of conversions there are, each as likely.
const waveSizes = 64

// size is what a conversion is worth: six times more or less by half, which has the long
// tail of what deals are worth.
func size(of int) int64 {
	worth := int64(20_000)
	for bit := range 6 {
		if of>>bit&1 == 0 {
			worth = worth * 8 / 5
		} else {
			worth = worth * 5 / 8
		}
	}
	return worth
}

// series are revenue and won by all, by each of four partners and each of three channels.
func (w *wave) series() []report.DailySeries {
	names := []report.Subject{{}}
	for _, p := range []string{"acme", "globex", "initech", "umbrella"} {
		names = append(names, report.Subject{Dimension: "partner", Key: p})
	}
	for _, c := range []string{"Email", "Events", "Paid Social"} {
		names = append(names, report.Subject{Dimension: "channel", Key: c})
	}
	var list []report.DailySeries
	for _, n := range names {
		for _, measure := range []string{"revenue", "won"} {
			s := report.DailySeries{Measure: measure, Daily: report.Daily{From: 0, Values: make([]report.Value, waveDays)}}
			if measure == "revenue" {
				s.Currency, s.Places = "EUR", 2
			}
			if n.Dimension != "" {
				s.About = []report.Subject{n}
			}
			list = append(list, s)
		}
	}
	w.sizes = make([][]report.Sized, len(list))
	for i := range waveDays {
		for range w.count(i) {
			worth := report.ValueOf(size(w.rng.IntN(waveSizes)), 0)
			for _, at := range []int{0, 1 + w.rng.IntN(4), 5 + w.rng.IntN(3)} {
				w.sizes[2*at] = append(w.sizes[2*at], report.Sized{Day: money.Day(i), Value: worth})
				w.sizes[2*at+1] = append(w.sizes[2*at+1], report.Sized{Day: money.Day(i), Value: report.ValueOf(1, 0)})
				list[2*at].Daily.Values[i] = list[2*at].Daily.Values[i].Add(worth)
				list[2*at+1].Daily.Values[i] = list[2*at+1].Daily.Values[i].Add(report.ValueOf(1, 0))
			}
		}
	}
	return list
}

func oddDays(w *wave) []report.Insight {
	return report.Anomalies(report.AnomalyQuestion{
		Within: report.Span{From: report.AnomalyHistoryDays, To: waveDays - 1}, Series: w.series(),
	})
}

// draws is how many seeds a rate is measured over.
func draws() int {
	if testing.Short() {
		return 40
	}
	return 300
}

// atMostFive fails where more of the draws had a finding than one of twenty has, and than
// chance allows: of 300 with the chance of a twentieth 26 or more are one of 200 times.
func atMostFive(t *testing.T, found, of int) {
	t.Helper()
	most := map[int]int{40: 7, 300: 25}[of]
	t.Logf("%d of %d draws with nothing planted have a finding", found, of)
	if found > most {
		t.Errorf("%d of %d draws with nothing planted have a finding, at most one of twenty should", found, of)
	}
}

// TestAnomaliesOfNothing: campaigns in which nothing happened, of every size, half of them
// growing threefold, show an odd day in one of twenty cases at most.
func TestAnomaliesOfNothing(t *testing.T) {
	alarms := 0
	for seed := range draws() {
		rng := rand.New(rand.NewPCG(uint64(seed), 8))
		w := &wave{rng: rng, daily: []int{1, 3, 7, 20}[seed%4], growth: 1 + 2*(seed/4%2)}
		if found := oddDays(w); len(found) > 0 {
			alarms++
			t.Logf("seed %d: %s", seed, found[0].Text)
		}
	}
	atMostFive(t, alarms, draws())
}

// TestAnomaliesFound: a working day that brings five times the usual is named in four of
// five campaigns with twenty conversions a day, and a week without any in nineteen of
// twenty with seven.
func TestAnomaliesFound(t *testing.T) {
	const spike, quiet = waveDays - 14, waveDays - 12 // a Wednesday and a Friday of the wave
	for _, c := range []struct {
		name         string
		daily        int
		at           func(i int) int
		from, to     money.Day
		tone         report.Tone
		ofTwentyMost int // that may miss it
	}{
		{"spike", 20, func(i int) int {
			if i == spike {
				return 500
			}
			return 100
		}, spike, spike, report.Good, 4},
		{"silence", 7, func(i int) int {
			if i >= quiet && i < quiet+7 {
				return 0
			}
			return 100
		}, quiet, quiet + 6, report.Bad, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, n := 0, draws()/3
			for seed := range n {
				w := &wave{rng: rand.New(rand.NewPCG(uint64(seed), 9)), daily: c.daily, growth: 1, at: c.at}
				if slices.ContainsFunc(oddDays(w), func(in report.Insight) bool {
					// A silence may have begun on a day that had nothing anyway.
					return in.Tone == c.tone && in.Evidence[0].Value <= c.from.String() && in.Evidence[1].Value >= c.to.String()
				}) {
					found++
				}
			}
			t.Logf("found in %d of %d", found, n)
			if 20*(n-found) > c.ofTwentyMost*n {
				t.Errorf("found in %d of %d, at most %d of 20 may miss it", found, n, c.ofTwentyMost)
			}
		})
	}
}

// TestPacings: where each target is what the campaign brings in the mean, a miss
// is named in one of twenty cases at most, and where it brings half of it, in nineteen of
// twenty with seven conversions a day.
func TestPacings(t *testing.T) {
	for _, c := range []struct {
		name    string
		percent int // of what is brought, that the targets ask for
		daily   []int
	}{
		{"nothing planted", 100, []int{1, 3, 7, 20}},
		{"half of the target", 200, []int{7}},
	} {
		t.Run(c.name, func(t *testing.T) {
			named, n := 0, draws()
			if c.percent != 100 {
				n /= 3
			}
			for seed := range n {
				w := &wave{rng: rand.New(rand.NewPCG(uint64(seed), 10)), daily: c.daily[seed%len(c.daily)], growth: 1}
				if found := report.Pacings(nil, w.paces(c.percent)); len(found) > 0 {
					if named++; c.percent == 100 {
						t.Logf("seed %d: %s", seed, found[0].Text)
					}
				}
			}
			if c.percent == 100 {
				atMostFive(t, named, n)
			} else if 20*named < 19*n {
				t.Errorf("half of the target is reached, and named in %d of %d", named, n)
			}
		})
	}
}

// paces are those of the wave's series after two thirds of a quarter that ends with a
// third of it to come, against a target of so many percent of what a wave brings in the
// mean.
func (w *wave) paces(percent int) []report.Pace {
	sum := int64(0)
	for of := range waveSizes {
		sum += size(of)
	}
	mean := report.ValueOf(sum*1_000_000/waveSizes, 6)
	const begins, days = waveDays - 61, 91 // thirteen weeks, each with the same season
	worth := func(v report.Value, part int) report.Value {
		week := 0
		for i := range 7 {
			week += season(i)
		}
		// Of 91 days, over the number of those who share.
		total := v.Times(report.ValueOf(int64(w.daily*week*13), 2))
		return total.Times(report.ValueOf(int64(percent*10_000_000/(100*part)), 7))
	}
	var list []report.Pace
	for i, s := range w.series() {
		part, unit := 1, mean
		if i >= 2 && i < 10 {
			part = 4
		} else if i >= 10 {
			continue // of channels there are no targets
		}
		if s.Currency == "" {
			unit = report.ValueOf(1, 0)
		}
		q := report.PaceQuestion{Measure: s.Measure, Currency: s.Currency, Places: s.Places, Day: waveDays - 1, Daily: s.Daily, Sizes: w.sizes[i]}
		if len(s.About) > 0 {
			q.Partner = s.About[0].Key
		}
		goal := report.Goal{Period: report.Span{From: begins, To: begins + days - 1}, Amount: worth(unit, part)}
		list = append(list, report.PaceOf(q, goal, report.OverPeriod))
	}
	return list
}

// steady is a series of ten a working day and none on weekends, of so many days.
func steady(days int) report.DailySeries {
	s := report.DailySeries{Measure: "MQL", Daily: report.Daily{Values: make([]report.Value, days)}}
	for i := range s.Daily.Values {
		if i%7 < 5 {
			s.Daily.Values[i] = report.ValueOf(int64(10+i%3), 0) // as even as it gets, and not quite
		}
	}
	return s
}

// TestAnomalyTexts: what is said of a day that is high, of one that is low, of days without
// anything, and of a loss, of which more is not welcome; and that weekends are no silence.
func TestAnomalyTexts(t *testing.T) {
	const days = report.AnomalyHistoryDays + 21
	within := report.Span{From: report.AnomalyHistoryDays, To: days - 1}
	for _, c := range []struct {
		name    string
		change  func(s *report.DailySeries)
		want    string
		tone    report.Tone
		subject string
	}{
		{"usual", func(*report.DailySeries) {}, "", "", ""},
		{
			"high", func(s *report.DailySeries) { s.Daily.Values[report.AnomalyHistoryDays] = report.ValueOf(60, 0) },
			"MQL: 60 on Thursday 1970-04-23, where 10.6 would be usual.", report.Good, "MQL",
		},
		{"high loss", func(s *report.DailySeries) {
			s.Measure = "lost"
			s.Daily.Values[report.AnomalyHistoryDays] = report.ValueOf(60, 0)
		}, "Deals lost: 60 on Thursday 1970-04-23, where 10.6 would be usual.", report.Bad, "lost"},
		{"silence", func(s *report.DailySeries) {
			s.About = []report.Subject{{Dimension: "channel", Key: "Email"}}
			for i := report.AnomalyHistoryDays; i < report.AnomalyHistoryDays+7; i++ {
				s.Daily.Values[i] = report.Value{}
			}
		}, "MQL of channel Email: nothing from Tuesday 1970-04-21 to Wednesday 1970-04-29, 9 days, where 56.5 would be usual.", report.Bad, "Email"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := steady(days)
			c.change(&s)
			found := report.Anomalies(report.AnomalyQuestion{Within: within, Series: []report.DailySeries{s}})
			if c.want == "" {
				if len(found) > 0 {
					t.Fatalf("found %q where all is as usual", found[0].Text)
				}
				return
			}
			if len(found) != 1 || found[0].Text != c.want || found[0].Tone != c.tone || found[0].About[0].Key != c.subject {
				t.Errorf("found %+v, want %q", found, c.want)
			}
		})
	}
}

// TestAnomaliesWantHistory: of a campaign of seven weeks nothing can be said, whatever it
// brings, and a series of a few large deals is never odd.
func TestAnomaliesWantHistory(t *testing.T) {
	young := steady(49)
	young.Daily.Values[42] = report.ValueOf(1000, 0)
	sparse := report.DailySeries{Measure: "revenue", Currency: "EUR", Places: 2, Daily: report.Daily{Values: make([]report.Value, waveDays)}}
	for i := range waveDays {
		if i%11 == 0 {
			sparse.Daily.Values[i] = report.ValueOf(50_000, 0)
		}
	}
	sparse.Daily.Values[waveDays-5] = report.ValueOf(900_000, 0)
	for name, s := range map[string]report.DailySeries{"young": young, "sparse": sparse, "empty": {Measure: "won"}} {
		last := s.Daily.From.Add(len(s.Daily.Values) - 1)
		if found := report.Anomalies(report.AnomalyQuestion{Within: report.Span{From: 0, To: last}, Series: []report.DailySeries{s}}); len(found) > 0 {
			t.Errorf("%s: found %q", name, found[0].Text)
		}
	}
}

// TestAnomaliesOfMillions: of a measure that brings a million a day and varies by
// hundreds, a day with half a percent more is not news, and one with a tenth more is; and
// neither takes long.
func TestAnomaliesOfMillions(t *testing.T) {
	days := func(last int64) report.DailySeries {
		s := report.DailySeries{Measure: "inquiry", Daily: report.Daily{Values: make([]report.Value, report.AnomalyHistoryDays+1)}}
		for i := range s.Daily.Values {
			s.Daily.Values[i] = report.ValueOf(1_000_000+int64(i*7919%601), 0)
		}
		s.Daily.Values[report.AnomalyHistoryDays] = report.ValueOf(last, 0)
		return s
	}
	within := report.Span{From: report.AnomalyHistoryDays, To: report.AnomalyHistoryDays}
	for last, want := range map[int64]int{1_005_000: 0, 995_000: 0, 1_100_000: 1, 900_000: 1, 0: 1} {
		found := report.Anomalies(report.AnomalyQuestion{Within: within, Series: []report.DailySeries{days(last)}})
		if len(found) != want {
			t.Errorf("%d after a million a day: %+v", last, found)
		}
	}
}
