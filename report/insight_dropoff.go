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

// StageCount is how many people of one value of a dimension came to a stage in the
// window: whole people, so that a touch model with one credited touch counts them.
type StageCount struct {
	Dimension Dimension // Partner, Channel or Segment
	Key       string
	Stage     string // a milestone of the contract, or opportunities
	Count     int64
}

// dropOffApartMin is by how much the rates must differ to be worth telling: by five
// points of a hundred.
func dropOffApartMin() *big.Rat { return big.NewRat(5, 100) }

// dropOffPercent is the part of the deals that make a step which have made it when the
// time for it is over.
const dropOffPercent = 90

// stepTest is one value held against the rest at one step.
type stepTest struct {
	from, to  string
	dimension Dimension
	key       string
	entered   int64
	passed    int64
	// restEntered and restPassed are of all others.
	restEntered, restPassed int64
	// days is the time that deals had for the step; -1 for people, who are counted as
	// they come.
	days   int
	amount Value // of the deals that entered
	// onward is how many of one deal that passed are won, nil where that is not known.
	onward *big.Rat
	chance *big.Rat
}

// DropOffs holds the part of the deals that make each step of the funnel, from created
// over the contract's milestones to won, against that of the rest: for each sourcing
// partner, each channel of a first touch and each segment; and of people the numbers
// that come to each stage for those that come to the one before. The table has every
// value at every step, findings are those that differ by five points or more and are
// significant with all that were tested.
//
// Only deals that came to a step as long ago as nine in ten of those that make it take
// are looked at, and they pass if they made it in that time. So a deal of yesterday
// has not dropped off, and one that is old has had no longer to make it.
//
// The leaks are the findings that are not welcome, with what they are worth.
func DropOffs(q DealQuestion, people []StageCount) (Table, []Insight, []Leak) {
	tests := append(peopleSteps(q.Contract, people), q.dealSteps()...)
	var tested []*stepTest
	var chances []*big.Rat
	for i := range tests {
		if t := &tests[i]; t.isEnough() {
			tested = append(tested, t)
			chances = append(chances, Fisher(t.counts()))
		}
	}
	for i, p := range Holm(chances) {
		tested[i].chance = p
	}
	var insights []Insight
	var leaks []Leak
	for _, t := range tested {
		if !t.isFinding() {
			continue
		}
		in := t.insight(q.Contract)
		insights = append(insights, in)
		if in.Tone == Bad {
			leaks = append(leaks, Leak{
				Subject: in.About[0], From: t.from, To: t.to, Entered: int(t.entered), Passed: int(t.passed), Baseline: t.baseline(), Onward: t.onward,
			})
		}
	}
	return dropOffTable(tests), insights, leaks
}

// dealSteps are the tests of deals, in the order of the funnel, of dimensions, of keys.
func (q *DealQuestion) dealSteps() []stepTest {
	courses := q.courses()
	names, days := q.funnel(courses)
	var tests []stepTest
	onward := rat(1)
	for step := len(names) - 2; step >= 0; step-- { // backwards, for what becomes of those that pass
		var took []int
		for i := range courses {
			if days[i][step+1].ok {
				took = append(took, int(days[i][step+1].day-days[i][step].day))
			}
		}
		if len(took) == 0 {
			onward = nil // what nobody has made says nothing of those before it
			continue
		}
		slices.Sort(took)
		limit := nearestRank(took, dropOffPercent)
		var entered []int // places of the deals that have had the time
		var passed []bool
		made := 0
		for i := range courses {
			if from, to := days[i][step], days[i][step+1]; from.ok && from.day.Add(limit) <= q.Today {
				entered = append(entered, i)
				passed = append(passed, to.ok && to.day <= from.day.Add(limit))
				if passed[len(passed)-1] {
					made++
				}
			}
		}
		var here []stepTest
		for _, d := range [...]Dimension{Partner, Channel, Segment} {
			like := stepTest{from: names[step], to: names[step+1], dimension: d, days: limit, onward: onward}
			here = append(here, stepTests(courses, entered, passed, like)...)
		}
		tests = append(here, tests...)
		if len(entered) > 0 && onward != nil {
			onward = new(big.Rat).Mul(onward, big.NewRat(int64(made), int64(len(entered))))
		}
	}
	return tests
}

// stepTests are those of one dimension at one step.
func stepTests(courses []*course, entered []int, passed []bool, like stepTest) []stepTest {
	all := map[string]*stepTest{}
	total := int64(0)
	for n, i := range entered {
		c := courses[i]
		key := c.first(like.dimension)
		t := all[key]
		if t == nil {
			t = new(stepTest)
			*t = like
			t.key = key
			all[key] = t
		}
		t.entered++
		t.amount = t.amount.Add(c.amount())
		if passed[n] {
			t.passed++
			total++
		}
	}
	var list []stepTest
	for _, t := range all {
		t.restEntered, t.restPassed = int64(len(entered))-t.entered, total-t.passed
		list = append(list, *t)
	}
	slices.SortFunc(list, func(a, b stepTest) int { return cmp.Compare(a.key, b.key) })
	return list
}

// reached is the day on which a deal came to a step, if it did.
type reached struct {
	day money.Day
	ok  bool
}

// funnel is the steps that deals take, and when each deal came to each. Milestones that
// fewer deals than a sample come to are no steps of deals; whoever comes to a later step
// has come to those before it, at the latest then.
func (q *DealQuestion) funnel(courses []*course) ([]string, [][]reached) {
	all := q.milestones()
	came := make([]int, len(all))
	for i := range courses {
		for step := range all {
			if courses[i].step(step).ok {
				came[step]++
			}
		}
	}
	var names []string
	var of []int // their places among all
	for n, step := range all {
		if came[n] >= insightSampleMin || step == stepCreated || step == string(contract.StateWon) {
			names, of = append(names, step), append(of, n)
		}
	}
	days, each := make([][]reached, len(courses)), make([]reached, len(courses)*len(names))
	for i := range courses {
		days[i], each = each[:len(names):len(names)], each[len(names):]
		var later reached
		for n := len(names) - 1; n >= 0; n-- {
			at := courses[i].step(of[n])
			if day := max(at.day, courses[i].created); at.ok && (!later.ok || day < later.day) {
				later = reached{day, true}
			}
			days[i][n] = later
		}
		days[i][0] = reached{courses[i].created, true}
	}
	return names, days
}

// peopleSteps are the tests of people. A stage of one window is not come to by those
// alone who came to the one before it in the same window, so that the numbers are held
// against each other as they are: of four independent counts, the chance that the two
// ratios are equal, given the sums, is that of Fisher's test. It is cautious where they
// are the same people.
func peopleSteps(c *contract.Contract, people []StageCount) []stepTest {
	type place struct {
		dimension Dimension
		key       string
	}
	counts, totals := map[place]map[string]int64{}, map[Dimension]map[string]int64{}
	var places []place
	for _, n := range people {
		at := place{n.Dimension, n.Key}
		if counts[at] == nil {
			counts[at] = map[string]int64{}
			places = append(places, at)
		}
		if totals[n.Dimension] == nil {
			totals[n.Dimension] = map[string]int64{}
		}
		counts[at][n.Stage] += n.Count
		totals[n.Dimension][n.Stage] += n.Count
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(slices.Index(Dimensions(), a.dimension), slices.Index(Dimensions(), b.dimension)), cmp.Compare(a.key, b.key))
	})
	stages := append(slices.Clone(c.Milestones), attribution.MeasureOpportunities)
	var tests []stepTest
	for n := range len(stages) - 1 {
		from, to := stages[n], stages[n+1]
		for _, at := range places {
			mine, all := counts[at], totals[at.dimension]
			if all[from] == 0 || all[to] == 0 {
				continue
			}
			tests = append(tests, stepTest{
				from: from, to: to, dimension: at.dimension, key: at.key, days: -1,
				entered: mine[from], passed: mine[to], restEntered: all[from] - mine[from], restPassed: all[to] - mine[to],
			})
		}
	}
	return tests
}

// isEnough reports whether a value is held against the rest at all.
func (t *stepTest) isEnough() bool {
	return isNamed(t.key) && t.entered >= insightSampleMin && t.restEntered >= insightSampleMin && t.passed+t.restPassed > 0
}

// counts are the table that is tested.
func (t *stepTest) counts() (yes, no, restYes, restNo int64) {
	if t.days < 0 {
		return t.passed, t.entered, t.restPassed, t.restEntered
	}
	return t.passed, t.entered - t.passed, t.restPassed, t.restEntered - t.restPassed
}

func (t *stepTest) rate() *big.Rat     { return big.NewRat(t.passed, max(t.entered, 1)) }
func (t *stepTest) baseline() *big.Rat { return big.NewRat(t.restPassed, max(t.restEntered, 1)) }

// isFinding reports whether the rates differ by enough, and by more than chance.
func (t *stepTest) isFinding() bool {
	apart := new(big.Rat).Sub(t.rate(), t.baseline())
	return apart.Abs(apart).Cmp(dropOffApartMin()) >= 0 && t.chance.Cmp(insightLevel()) <= 0
}

// The verdicts on a step.
const (
	verdictWorse  = "worse"
	verdictBetter = "better"
	verdictAs     = "as baseline"
	verdictFew    = "too few"
)

func (t *stepTest) verdict() string {
	switch {
	case t.chance == nil:
		return verdictFew
	case !t.isFinding():
		return verdictAs
	case t.rate().Cmp(t.baseline()) < 0:
		return verdictWorse
	}
	return verdictBetter
}

// byVerdict puts the rows of a table whose last column is a verdict in its order, those
// of the same one as they are: who reads only the first rows sees what was found.
func byVerdict(rows [][]string) {
	order := []string{verdictWorse, verdictBetter, verdictAs, verdictFew}
	slices.SortStableFunc(rows, func(a, b []string) int {
		return cmp.Compare(slices.Index(order, a[len(a)-1]), slices.Index(order, b[len(b)-1]))
	})
}

func dropOffTable(tests []stepTest) Table {
	table := Table{
		ID: TableDropOffs, Title: "Drop-offs between stages",
		Note: "Deals are counted by their sourcing partner, the channel of their first touch and their segment, once they have had the time in which nine in ten of those that make a step do, and pass if they made it in that time; people as they come to stages. The baseline is all others, the chance that of so much of a difference in any of the tests where there is none.",
		Columns: []Column{
			{ID: "from", Title: "From", Kind: TextColumn},
			{ID: "to", Title: "To", Kind: TextColumn},
			{ID: "of", Title: "Of", Kind: TextColumn},
			{ID: "dimension", Title: "Dimension", Kind: TextColumn},
			{ID: "key", Title: "Value", Kind: TextColumn},
			{ID: "days", Title: "Time for it", Kind: DaysColumn},
			{ID: "entered", Title: "Entered", Kind: CountColumn},
			{ID: "passed", Title: "Passed", Kind: CountColumn},
			{ID: "rate", Title: "Rate", Kind: RatioColumn},
			{ID: "baseline", Title: "Baseline", Kind: RatioColumn},
			{ID: "chance", Title: "Chance", Kind: RatioColumn},
			{ID: "verdict", Title: "Verdict", Kind: TextColumn},
		},
	}
	for i := range tests {
		t := &tests[i]
		of, days, rate, baseline, chance := "deals", fmt.Sprint(t.days), "", "", ""
		if t.days < 0 {
			of, days = "people", ""
		}
		if t.entered > 0 {
			rate = ratioText(t.rate())
		}
		if t.restEntered > 0 {
			baseline = ratioText(t.baseline())
		}
		if t.chance != nil {
			chance = chanceText(t.chance)
		}
		table.Rows = append(table.Rows, []string{
			t.from, t.to, of, string(t.dimension), t.key, days, fmt.Sprint(t.entered), fmt.Sprint(t.passed), rate, baseline, chance, t.verdict(),
		})
	}
	byVerdict(table.Rows)
	return table
}

func (t *stepTest) insight(c *contract.Contract) Insight {
	about := Subject{string(t.dimension), t.key}
	in := Insight{
		Rule: RuleDropOff, Tone: Bad, Chance: chanceText(t.chance),
		About: []Subject{about, {"stage", t.to}},
		Evidence: []Evidence{
			countEvidence(t.from, t.entered), countEvidence(t.to, t.passed),
			ratioEvidence("rate", t.rate()), ratioEvidence("rate of the rest", t.baseline()),
		},
	}
	if t.verdict() == verdictBetter {
		in.Tone = Good
	}
	if t.days < 0 {
		in.Text = fmt.Sprintf("Of the people of %s, %s came to %s and %s to %s (%s), of the rest %s.",
			named(c, about), Number(int(t.entered)), t.from, Number(int(t.passed)), t.to, Percent(t.rate()), Percent(t.baseline()))
		return in
	}
	in.Text = fmt.Sprintf("Of %s of %s, %s (%s) went from %s to %s within %s, of the rest %s.",
		Counted(int(t.entered), "deal", "deals"), named(c, about), Number(int(t.passed)), Percent(t.rate()), t.from, t.to, Days(rat(t.days)), Percent(t.baseline()))
	in.Evidence = append(in.Evidence, daysEvidence("time for it", t.days))
	in.Stake = stakeOf(c, t.amount, t.rate(), t.baseline())
	return in
}

// stakeOf is the part of an amount by which two rates differ, cut to a minor unit.
func stakeOf(c *contract.Contract, amount Value, rate, baseline *big.Rat) string {
	part := new(big.Rat).Sub(rate, baseline)
	part.Mul(part.Abs(part), new(big.Rat).SetFrac(amount.int(), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale-c.Exponent)), nil)))
	minor := new(big.Int).Quo(part.Num(), part.Denom())
	return ValueOfUnits(minor.Mul(minor, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale-c.Exponent)), nil))).Text(c.Exponent)
}
