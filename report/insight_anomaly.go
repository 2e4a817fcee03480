package report

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"

	"tracksource/attribution"
	"tracksource/money"
)

// RuleAnomaly is the rule of days unlike those before them.
const RuleAnomaly = "anomaly"

// What the days of a series are held against. All are whole weeks, so that weekends weigh
// the same in each.
const (
	// AnomalyHistoryDays is how many days in front of the first one that is looked at a
	// series is to have; with fewer it is looked at as far as it goes.
	AnomalyHistoryDays = 7*seasonWeeks + errorDays
	// levelDays is how many days the level is of: enough for a mean that one day does not
	// make, and few enough to follow a campaign that grows.
	levelDays = 28
	// seasonWeeks is how many weeks the weekdays are told apart by, seasonWeeksMin the
	// fewest.
	seasonWeeks, seasonWeeksMin = 8, 4
	// errorDays is by how many days' errors it is judged how far off expectations are,
	// errorDaysMin the fewest.
	errorDays, errorDaysMin = 56, 28
)

// DailySeries is a measure of one thing, day by day.
type DailySeries struct {
	Measure, Currency string
	Places            int       // of the currency; 0 for counts
	About             []Subject // empty: all together
	Daily             Daily
}

// AnomalyQuestion is which days of which series are looked at.
type AnomalyQuestion struct {
	// Within is the days that are looked at; a day that is not over is not to be among
	// them, it would be low.
	Within Span
	Series []DailySeries // with AnomalyHistoryDays in front of Within, as far as there are
}

// anomaly is one day, or one run of days without anything, that is held against what was
// expected.
type anomaly struct {
	series   *DailySeries
	days     Span
	value    Value
	expected Value
	chance   tail
}

// Anomalies are the days of the series that are unlike those before them: far higher or
// lower than the same weekday at the level of the last four weeks, or nothing at all for
// days on end. The chance that any day of any series is named where nothing happened is at
// most 5 %; docs/insights.md says by which statistic. What several series show of one
// measure on the same days is told of the one that shows it best.
func Anomalies(q AnomalyQuestion) []Insight {
	var found []anomaly
	tests := 0
	for i := range q.Series {
		n, list := lookAt(&q.Series[i], q.Within)
		tests += n
		found = append(found, list...)
	}
	slices.SortStableFunc(found, func(a, b anomaly) int { return a.chance.cmp(b.chance) })
	chances := make([]tail, len(found))
	for i := range found {
		chances[i] = found[i].chance
	}
	var told []anomaly
	for i, adjusted := range stepDown(chances, tests) {
		found[i].chance = adjusted
		if !slices.ContainsFunc(told, found[i].same) {
			told = append(told, found[i])
		}
	}
	slices.SortFunc(told, func(a, b anomaly) int {
		return cmp.Or(cmp.Compare(b.days.To, a.days.To), cmp.Compare(a.days.From, b.days.From), cmp.Compare(a.series.Measure, b.series.Measure))
	})
	out := make([]Insight, len(told))
	for i := range told {
		out[i] = told[i].insight()
	}
	return out
}

// same reports whether another one is of the same measure, on days of this one, and in the
// same direction.
func (a *anomaly) same(b anomaly) bool {
	_, meet := a.days.Meet(b.days)
	return meet && a.series.Measure == b.series.Measure && a.high() == b.high()
}

func (a *anomaly) high() bool { return a.value.Cmp(a.expected) > 0 }

// lookAt holds each day of a series against what was expected of it, and returns how many
// tests that are and those that are not plainly by chance.
func lookAt(s *DailySeries, within Span) (tests int, found []anomaly) {
	d := &expecting{values: make([]*big.Int, len(s.Daily.Values))}
	for i, v := range s.Daily.Values {
		d.values[i] = most(v, Value{}).int()
	}
	if s.Currency == "" {
		d.least = ValueOf(1, 0).int()
	}
	quiet := -1 // where the run of nothing began that goes on
	for i := range d.values {
		day := s.Daily.From.Add(i)
		if day > within.To {
			break
		}
		expected, apart := d.expect(i)
		d.seen = append(d.seen, expected)
		if d.values[i].Sign() != 0 {
			quiet = -1
		} else if quiet < 0 {
			quiet = i
		}
		if expected == nil || apart == nil || day < within.From {
			continue
		}
		tests += 3 // higher, lower, and nothing from here on
		if chance, odd := oddness(d.values[i], expected, apart); odd {
			found = append(found, anomaly{s, Span{day, day}, Value{d.values[i]}, Value{expected}, chance})
			if chance.below(surpriseMin) {
				d.values[i] = expected
			}
		}
		if last := i+1 == len(d.values) || day == within.To || d.values[i+1].Sign() != 0; last && quiet >= 0 && quiet < i {
			if sum, apart := d.expectRun(quiet, i); apart != nil {
				found = append(found, anomaly{s, Span{s.Daily.From.Add(quiet), day}, Value{}, Value{sum}, nothing(sum, apart)})
			}
		}
	}
	return tests, found
}

// surpriseMin is below which chance, as one of so many, a day is no part of what later ones
// are held against: what was odd once must not make the usual look odd.
const surpriseMin = 1000

// expecting is what is expected of each day of a series by the days before it, in units of
// 10^-9.
type expecting struct {
	values []*big.Int
	least  *big.Int   // of the unit that apart returns; nil without one
	seen   []*big.Int // what was expected of the days so far, nil where nothing was
}

// expect is what is expected of day i, and in which unit it varies, see [oddness]; nil
// where there is too little to say it by.
func (d *expecting) expect(i int) (expected, apart *big.Int) {
	return d.on(i, i), d.apart(i)
}

// on is what is expected of day i by the days before another one: the mean of the last four
// weeks, times what the weekday has of a mean day. A weekday's part is taken together with
// one day of the mean, so that it is never nothing.
func (d *expecting) on(i, before int) *big.Int {
	weeks := min(before/7, seasonWeeks)
	if weeks < seasonWeeksMin {
		return nil
	}
	level, all, same := new(big.Int), new(big.Int), new(big.Int)
	for at := before - 7*weeks; at < before; at++ {
		if at >= before-levelDays {
			level.Add(level, d.values[at])
		}
		all.Add(all, d.values[at])
		if (i-at)%7 == 0 {
			same.Add(same, d.values[at])
		}
	}
	if level.Sign() == 0 {
		return nil
	}
	n := same.Mul(same, big.NewInt(int64(7*weeks)))
	n.Mul(n.Add(n, all), level)
	return n.Quo(n, all.Mul(all, big.NewInt(int64(levelDays*(weeks+1)))))
}

// apart is what expectations were off by in the days before i: the sum of the squared
// errors over the sum of what was expected, and a quarter more because so few days say it
// with an error of their own. What varies more than by chance, and how well it could be
// foretold at all, is in it.
func (d *expecting) apart(i int) *big.Int {
	squares, sum, days := new(big.Int), new(big.Int), 0
	for at := max(0, i-errorDays); at < i; at++ {
		if d.seen[at] == nil {
			continue
		}
		days++
		e := new(big.Int).Sub(d.values[at], d.seen[at])
		squares.Add(squares, e.Mul(e, e))
		sum.Add(sum, d.seen[at])
	}
	if days < errorDaysMin || sum.Sign() == 0 {
		return nil
	}
	n := squares.Mul(squares, big.NewInt(5))
	n.Quo(n, sum.Mul(sum, big.NewInt(4)))
	if d.least != nil && n.Cmp(d.least) < 0 {
		return d.least
	}
	if n.Sign() == 0 {
		return nil // every day was foretold to the unit: nothing is known of chance
	}
	return n
}

// expectRun is what is expected of the days from one to another by those before the first.
func (d *expecting) expectRun(from, to int) (sum, apart *big.Int) {
	sum = new(big.Int)
	for i := from; i <= to; i++ {
		expected := d.on(i, from)
		if expected == nil {
			return nil, nil
		}
		sum.Add(sum, expected)
	}
	return sum, d.apart(from)
}

// oddness is the chance of a value as far from what was expected, to its side, false for
// one that is within two standard errors of it, which no number of tests leaves standing.
//
// Of values whose variance is apart times their mean, half of apart is taken as the unit:
// in such units the variance is twice the mean, and a negative binomial count of that
// variance is what it is held against. Its tail falls by half a unit, more slowly than
// that of a Poisson count in units of apart, and than that of sums of exponential sizes.
func oddness(value, expected, apart *big.Int) (tail, bool) {
	e := new(big.Int).Sub(value, expected)
	e.Mul(e, e)
	if bound := new(big.Int).Mul(expected, apart); e.Cmp(bound.Lsh(bound, 2)) <= 0 {
		return tail{}, false
	}
	mean := inHalves(expected, apart, countBits)
	if value.Cmp(expected) > 0 {
		return binomialTail(mean, inHalves(value, apart, 0), true), true
	}
	// What begins a half counts as one.
	number, rest := new(big.Int).QuoRem(new(big.Int).Lsh(value, 1), apart, new(big.Int))
	if rest.Sign() > 0 {
		number.Add(number, big.NewInt(1))
	}
	return binomialTail(mean, number, false), true
}

// inHalves is a value in halves of apart, in units of 2^-bits, rounded down.
func inHalves(value, apart *big.Int, bits uint) *big.Int {
	n := new(big.Int).Lsh(value, bits+1)
	return n.Quo(n, apart)
}

// nothing is the chance that nothing comes where a sum was expected: of the distribution
// that oddness takes, two to the minus mean.
func nothing(expected, apart *big.Int) tail {
	return halved(inHalves(expected, apart, 0))
}

func (a *anomaly) insight() Insight {
	s := a.series
	kind := MoneyColumn
	expected := MoneyAbout(a.expected, s.Currency)
	if s.Currency == "" {
		kind, expected = CountColumn, plain(a.expected.rat(), 1)
	}
	value := a.value.Text(s.Places)
	of := capital(measureName(s.Measure))
	for _, about := range s.About {
		of += " of " + named(about)
	}
	in := Insight{
		Rule: RuleAnomaly, Tone: Bad, About: slices.Clone(s.About), Chance: a.chance.text(),
		Evidence: []Evidence{
			{Name: "First day", Value: a.days.From.String(), Kind: DayColumn},
			{Name: "Last day", Value: a.days.To.String(), Kind: DayColumn},
			{Name: "Value", Value: value, Kind: kind, Currency: s.Currency},
			{Name: "Expected", Value: a.expected.round(max(s.Places, 1)).Text(s.Places), Kind: kind, Currency: s.Currency},
		},
	}
	if len(in.About) == 0 {
		in.About = []Subject{{"measure", s.Measure}}
	}
	if a.high() != (s.Measure == attribution.MeasureLost) {
		in.Tone = Good
	}
	if s.Currency != "" {
		in.Stake = most(a.value.Sub(a.expected), a.expected.Sub(a.value)).round(s.Places).Text(s.Places)
	}
	switch {
	case a.days.Days() > 1:
		in.Text = fmt.Sprintf("%s: nothing from %s to %s, %s, where %s would be usual.",
			of, weekday(a.days.From), weekday(a.days.To), Counted(a.days.Days(), "day", "days"), expected)
	default:
		in.Text = fmt.Sprintf("%s: %s on %s, where %s would be usual.", of, Shown(kind, value, s.Currency), weekday(a.days.To), expected)
	}
	return in
}

// weekday is a day with the name that people know it by.
func weekday(d money.Day) string { return date(d).Weekday().String() + " " + d.String() }
