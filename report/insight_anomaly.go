package report

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"

	"tracksource/attribution"
	"tracksource/contract"
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
	// unitsMin is how many times the unit in which a series varies it is to have brought in
	// the days that say so: of a series of a few large deals each next one is odd.
	unitsMin = 30
	// unitsMax is how many units what is expected is counted in at most.
	unitsMax = 8192
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
	Contract *contract.Contract // says what partners are called; nil: by their ids
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
	chance   *big.Rat
}

// Anomalies are the days of the series that are unlike those before them: far higher or
// lower than the same weekday at the level of the last four weeks, or nothing at all for
// days on end. The chance that any day of any series is named where nothing happened is at
// most 5 %; docs/insights.md says by which statistic. What several series show of one
// measure on the same days is told of the one that shows it best.
func Anomalies(q AnomalyQuestion) []Insight {
	var found []anomaly
	tests := 0
	wholes := map[string]*expecting{} // of all together, by measure and currency
	for _, whole := range []bool{true, false} {
		for i := range q.Series {
			s := &q.Series[i]
			if whole != (len(s.About) == 0) {
				continue
			}
			d := newExpecting(s)
			if of := s.Measure + " " + s.Currency; whole {
				wholes[of] = d
			} else if s.Currency != "" {
				d.whole = wholes[of]
			}
			n, list := d.lookAt(s, q.Within)
			tests += n
			found = append(found, list...)
		}
	}
	chances := make([]*big.Rat, len(found))
	for i := range found {
		chances[i] = found[i].chance
	}
	for i, chance := range corrected(chances, tests) {
		found[i].chance = chance
	}
	slices.SortStableFunc(found, func(a, b anomaly) int { return a.chance.Cmp(b.chance) })
	var told []anomaly
	for i := range found {
		if found[i].chance.Cmp(insightLevel()) <= 0 && !slices.ContainsFunc(told, found[i].same) {
			told = append(told, found[i])
		}
	}
	slices.SortFunc(told, func(a, b anomaly) int {
		return cmp.Or(cmp.Compare(b.days.To, a.days.To), cmp.Compare(a.days.From, b.days.From), cmp.Compare(a.series.Measure, b.series.Measure))
	})
	out := make([]Insight, len(told))
	for i := range told {
		out[i] = told[i].insight(q.Contract)
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
func (d *expecting) lookAt(s *DailySeries, within Span) (tests int, found []anomaly) {
	quiet := -1 // where the run of nothing began that goes on
	for i, v := range d.values {
		day := s.Daily.From.Add(i)
		if day > within.To {
			break
		}
		expected, apart := d.on(i, i), d.apart(i)
		if v.Sign() != 0 {
			quiet = -1
		} else if quiet < 0 {
			quiet = i
		}
		if expected == nil || apart == nil || day < within.From {
			d.learn(v, expected)
			continue
		}
		tests += 3 // higher, lower, and nothing from here on
		chance, odd := oddness(v, expected, apart)
		if odd {
			found = append(found, anomaly{s, Span{day, day}, Value{v}, Value{expected}, chance})
		}
		if last := i+1 == len(d.values) || day == within.To || d.values[i+1].Sign() != 0; last && quiet >= 0 && quiet < i {
			if sum, apart := d.run(quiet, i); apart != nil {
				found = append(found, anomaly{s, Span{s.Daily.From.Add(quiet), day}, Value{}, Value{sum}, nothing(sum, apart, i-quiet+1)})
			}
		}
		if odd && chance.Cmp(big.NewRat(1, surpriseMin)) < 0 {
			v = expected
		}
		d.learn(v, expected)
	}
	return tests, found
}

// surpriseMin is below which chance, as one of so many, a day is no part of what later ones
// are held against: what was odd once must not make the usual look odd.
const surpriseMin = 1000

// expecting is what is expected of each day of a series by the days before it, in units of
// 10^-9.
type expecting struct {
	from   money.Day
	values []*big.Int
	least  *big.Int // of what apart returns; nil without one
	// whole is the series of all together, for a part of money: of how large a conversion
	// can be, the few of a part say less than all of them do. nil for others.
	whole *expecting

	// What was learned of the days so far. Each list has what the days before a place sum
	// to, so that the sum over any of them is one difference.
	sums     []*big.Int // of the values
	squares  []*big.Int // of the squared errors of what was expected
	foretold []*big.Int // of what was expected
	days     []int      // of which something was expected
	// same has for each day the sum of its own value and those of the same weekday before.
	same []*big.Int
}

func newExpecting(s *DailySeries) *expecting {
	d := &expecting{from: s.Daily.From, values: make([]*big.Int, len(s.Daily.Values)), days: []int{0}}
	for _, list := range []*[]*big.Int{&d.sums, &d.squares, &d.foretold} {
		*list = []*big.Int{new(big.Int)}
	}
	for i, v := range s.Daily.Values {
		d.values[i] = most(v, Value{}).int() // what was taken back makes no day less than empty
	}
	if s.Currency == "" {
		d.least = ValueOf(1, 0).int()
	}
	return d
}

// learn takes in the next day: its value, and what was expected of it, nil for nothing.
func (d *expecting) learn(value, expected *big.Int) {
	i := len(d.same)
	same := value
	if i >= 7 {
		same = new(big.Int).Add(d.same[i-7], value)
	}
	d.same, d.sums = append(d.same, same), append(d.sums, new(big.Int).Add(d.sums[i], value))
	squares, foretold, days := d.squares[i], d.foretold[i], d.days[i]
	if expected != nil {
		e := new(big.Int).Sub(value, expected)
		squares, foretold, days = e.Add(e.Mul(e, e), squares), new(big.Int).Add(foretold, expected), days+1
	}
	d.squares, d.foretold, d.days = append(d.squares, squares), append(d.foretold, foretold), append(d.days, days)
}

// on is what is expected of day i by the days before another one: the mean of the last four
// weeks, times what the weekday has of a mean day. A weekday's part is taken together with
// one day of the mean, so that it is never nothing. nil where there is too little to say
// it by.
func (d *expecting) on(i, before int) *big.Int {
	weeks := min(before/7, seasonWeeks)
	if weeks < seasonWeeksMin {
		return nil
	}
	level := new(big.Int).Sub(d.sums[before], d.sums[before-levelDays])
	if level.Sign() == 0 {
		return nil
	}
	all := new(big.Int).Sub(d.sums[before], d.sums[before-7*weeks])
	last := before - 1 - (before-1-i%7+7)%7 // the last one before of i's weekday
	same := new(big.Int).Set(d.same[last])
	if first := last - 7*weeks; first >= 0 {
		same.Sub(same, d.same[first])
	}
	n := same.Mul(same, big.NewInt(int64(7*weeks)))
	n.Mul(n.Add(n, all), level)
	return n.Quo(n, all.Mul(all, big.NewInt(int64(levelDays*(weeks+1)))))
}

// apart is the unit in which the series varies by the days before i, see farFrom; nil
// where there is too little to say it by. It is the sum of the squared errors of what was
// expected over the sum of it, and a quarter more because so few days say it with an error
// of their own. What varies by more than chance, and how well it could be foretold at all,
// is in it.
func (d *expecting) apart(i int) *big.Int {
	from := max(0, i-errorDays)
	sum := new(big.Int).Sub(d.foretold[i], d.foretold[from])
	if d.days[i]-d.days[from] < errorDaysMin || sum.Sign() == 0 {
		return nil
	}
	unit := new(big.Int).Sub(d.squares[i], d.squares[from])
	unit.Quo(unit.Mul(unit, big.NewInt(5)), new(big.Int).Lsh(sum, 2))
	if d.least != nil && unit.Cmp(d.least) < 0 {
		unit.Set(d.least)
	}
	if d.whole != nil {
		if all := d.whole.apartOn(d.from.Add(i)); all != nil && all.Cmp(unit) > 0 {
			unit = all
		}
	}
	// Where every day was foretold to the unit, nothing is known of chance.
	if unit.Sign() == 0 || new(big.Int).Mul(unit, big.NewInt(unitsMin)).Cmp(sum) > 0 {
		return nil
	}
	return unit
}

// apartOn is apart by the days before one of the calendar.
func (d *expecting) apartOn(day money.Day) *big.Int {
	if i := int(day - d.from); i >= 0 && i < len(d.days) {
		return d.apart(i)
	}
	return nil
}

// run is what is expected of the days from one to another by those before the first, and
// in which unit that varies.
func (d *expecting) run(from, to int) (sum, apart *big.Int) {
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

// doubt is how much more or less than what is expected of a number of days may have been
// usual: two units in the days of the level, as the level was counted with an error as
// well.
func doubt(apart *big.Int, days int) *big.Int {
	n := new(big.Int).Mul(apart, big.NewInt(int64(2*days)))
	return n.Quo(n, big.NewInt(levelDays))
}

// oddness is farFrom of a day whose usual value was counted with an error as well.
func oddness(value, expected, apart *big.Int) (*big.Rat, bool) {
	usual := doubt(apart, 1)
	if value.Cmp(expected) > 0 {
		usual.Add(expected, usual)
	} else if usual.Sub(expected, usual).Sign() <= 0 {
		return nil, false
	}
	return farFrom(value, usual, apart)
}

// farFrom is the chance of a value as far from what was expected, to its side, false for
// one that is within two standard errors of it, which no number of tests leaves standing.
//
// Of values whose variance is apart times their mean, half of apart is taken as the unit:
// in such units the variance is twice the mean, and a negative binomial count of that
// variance is what it is held against. Its tail falls by half a unit, more slowly than
// that of a Poisson count in units of apart, and than that of sums of exponential sizes.
// A unit is no finer than unitsMax of what was expected: so no tail takes long to sum, and
// what differs by less than a few percent is not odd, however even it usually is.
func farFrom(value, expected, apart *big.Int) (*big.Rat, bool) {
	if coarse := new(big.Int).Quo(expected, big.NewInt(unitsMax)); apart.Cmp(coarse) < 0 {
		apart = coarse
	}
	e := new(big.Int).Sub(value, expected)
	if e.Mul(e, e).Cmp(new(big.Int).Lsh(new(big.Int).Mul(expected, apart), 2)) <= 0 {
		return nil, false
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

// nothing is the chance that nothing comes on a number of days where a sum was expected of
// them: of the distribution that farFrom takes, two to the minus mean.
func nothing(expected, apart *big.Int, days int) *big.Rat {
	usual := doubt(apart, days)
	usual.Sub(expected, usual)
	if usual.Sign() <= 0 {
		return halved(new(big.Int))
	}
	return halved(inHalves(usual, apart, 0))
}

func (a *anomaly) insight(c *contract.Contract) Insight {
	s := a.series
	kind := MoneyColumn
	expected := MoneyAbout(a.expected, s.Currency)
	if s.Currency == "" {
		kind, expected = CountColumn, plain(a.expected.rat(), 1)
	}
	value := a.value.Text(s.Places)
	of := capital(measureName(s.Measure))
	for _, about := range s.About {
		of += " of " + named(c, about)
	}
	in := Insight{
		Rule: RuleAnomaly, Tone: Bad, About: slices.Clone(s.About), Chance: chanceText(a.chance),
		Evidence: []Evidence{
			{Name: "first day", Value: a.days.From.String(), Kind: DayColumn},
			{Name: "last day", Value: a.days.To.String(), Kind: DayColumn},
			{Name: "value", Value: value, Kind: kind, Currency: s.Currency},
			{Name: "expected", Value: a.expected.round(max(s.Places, 1)).Text(s.Places), Kind: kind, Currency: s.Currency},
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
