package report

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"
)

// outlierWonMin is by how much the parts that are won must differ to be worth telling:
// by ten points of a hundred.
func outlierWonMin() *big.Rat { return big.NewRat(10, 100) }

// outlierMedianMin is by what part of the rest's median a median must differ.
func outlierMedianMin() *big.Rat { return big.NewRat(25, 100) }

// outlierOf is what a value is an outlier in.
type outlierOf string

const (
	outlierWon  outlierOf = "won"         // the part of its deals that is won in time
	outlierSize outlierOf = "value"       // what they are worth
	outlierDays outlierOf = "days to win" // of those won in time
)

// outlierTest is the deals of one value held against the rest in one thing.
type outlierTest struct {
	dimension   Dimension
	key         string
	of          outlierOf
	deals, rest int64
	won         int64 // of deals, where of is outlierWon
	// figure and base are of the deals and of the rest: parts that are won, or medians in
	// minor units or days.
	figure, base *big.Rat
	stake        string
	chance       *big.Rat
}

// Outliers finds the assets, channels and segments whose deals are won more or less
// often, are larger or smaller, or are won faster or slower than all other deals. A
// deal is of the assets and channels that touched it up to its creation. The table has
// what was tested, findings are what differs by enough and is significant with all that
// was tested.
//
// Won is held against deals that had the time in which nine in ten of those won were,
// and so are the days: what was begun lately could have been won by now only if it was
// fast.
func Outliers(q DealQuestion) (Table, []Insight) {
	var tests []outlierTest
	courses := q.courses()
	seasoned, limit := q.seasoned(courses)
	for _, d := range [...]Dimension{Asset, Channel, Segment} {
		tests = append(tests, q.wonTests(d, seasoned, limit)...)
		tests = append(tests, q.sizeTests(d, courses)...)
		tests = append(tests, q.daysTests(d, seasoned, limit)...)
	}
	chances := make([]*big.Rat, len(tests))
	for i := range tests {
		chances[i] = tests[i].chance
	}
	var insights []Insight
	for i, p := range Holm(chances) {
		t := &tests[i]
		if t.chance = p; t.isFinding() {
			insights = append(insights, t.insight(&q, limit))
		}
	}
	return q.outlierTable(tests), insights
}

// seasoned are the deals that had the days in which nine in ten of those won were.
func (q *DealQuestion) seasoned(courses []*course) ([]*course, int) {
	var took []int
	for i := range courses {
		if c := courses[i]; c.isWon {
			took = append(took, c.daysToWin())
		}
	}
	if len(took) == 0 {
		return nil, 0
	}
	slices.Sort(took)
	limit := nearestRank(took, dropOffPercent)
	var list []*course
	for i := range courses {
		if courses[i].created.Add(limit) <= q.Today {
			list = append(list, courses[i])
		}
	}
	return list, limit
}

// daysToWin are the days that a deal took, none for one that was won before it was
// created.
func (c *course) daysToWin() int { return int(max(c.won-c.created, 0)) }

func (c *course) isWonWithin(days int) bool { return c.isWon && c.daysToWin() <= days }

// members are the places of the deals of each value of a dimension, of those with
// enough of them and enough others, in the order of keys.
func members(d Dimension, courses []*course) ([]string, map[string][]int) {
	places := map[string][]int{}
	for i := range courses {
		for key := range courses[i].keys(d) {
			if isNamed(key) {
				places[key] = append(places[key], i)
			}
		}
	}
	maps.DeleteFunc(places, func(_ string, list []int) bool {
		return len(list) < insightSampleMin || len(courses)-len(list) < insightSampleMin
	})
	return slices.Sorted(maps.Keys(places)), places
}

func (q *DealQuestion) wonTests(d Dimension, seasoned []*course, limit int) []outlierTest {
	all := int64(0)
	for i := range seasoned {
		if seasoned[i].isWonWithin(limit) {
			all++
		}
	}
	var tests []outlierTest
	keys, places := members(d, seasoned)
	for _, key := range keys {
		n := int64(len(places[key]))
		t := outlierTest{dimension: d, key: key, of: outlierWon, deals: n, rest: int64(len(seasoned)) - n}
		var amount Value
		for _, i := range places[key] {
			c := seasoned[i]
			if c.isWonWithin(limit) {
				t.won++
			}
			amount = amount.Add(c.amount())
		}
		t.figure, t.base = big.NewRat(t.won, n), big.NewRat(all-t.won, t.rest)
		t.chance = Fisher(t.won, n-t.won, all-t.won, t.rest-all+t.won)
		t.stake = stakeOf(q.Contract, amount, t.figure, t.base)
		tests = append(tests, t)
	}
	return tests
}

func (q *DealQuestion) sizeTests(d Dimension, courses []*course) []outlierTest {
	sized := slices.DeleteFunc(slices.Clone(courses), func(c *course) bool { return !c.isSized })
	tests := rankTests(d, outlierSize, sized, func(c *course) int64 { return c.size })
	for i := range tests {
		// What the deals are worth more or less than as many of the others.
		t := &tests[i]
		apart := new(big.Rat).Sub(t.figure, t.base)
		minor := new(big.Int).Quo(apart.Abs(apart).Num(), apart.Denom())
		minor.Mul(minor, big.NewInt(t.deals))
		t.stake = ValueOfUnits(minor.Mul(minor, ValueOf(1, q.Contract.Exponent).int())).Text(q.Contract.Exponent)
	}
	return tests
}

func (q *DealQuestion) daysTests(d Dimension, seasoned []*course, limit int) []outlierTest {
	won := slices.DeleteFunc(slices.Clone(seasoned), func(c *course) bool { return !c.isWonWithin(limit) })
	return rankTests(d, outlierDays, won, func(c *course) int64 { return int64(c.daysToWin()) })
}

// rankTests hold what each value's deals have against what all others have.
func rankTests(d Dimension, of outlierOf, courses []*course, value func(*course) int64) []outlierTest {
	values := make([]int64, len(courses))
	for i := range courses {
		values[i] = value(courses[i])
	}
	ranks := rankValues(values)
	order := make([]int, len(values)) // the places from the smallest value up
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	spot := make([]int, len(values)) // where in the order a place is
	for at, place := range order {
		spot[place] = at
	}
	var tests []outlierTest
	keys, places := members(d, courses)
	for _, key := range keys {
		list := places[key]
		spots := make([]int, len(list))
		for n, place := range list {
			spots[n] = spot[place]
		}
		slices.Sort(spots)
		mine := order[spots[nearestRankPlace(len(list), 50)]]
		rest := restAt(order, spots, nearestRankPlace(len(values)-len(list), 50))
		tests = append(tests, outlierTest{
			dimension: d, key: key, of: of, deals: int64(len(list)), rest: int64(len(values) - len(list)),
			figure: big.NewRat(values[mine], 1), base: big.NewRat(values[rest], 1),
			chance: ranks.chance(list),
		})
	}
	return tests
}

// restAt is which place comes at n, from zero, of those in order that are not among the
// ones at the spots of the order, which ascend.
func restAt(order, spots []int, n int) int {
	for _, spot := range spots {
		if spot > n {
			break
		}
		n++
	}
	return order[n]
}

// isFinding reports whether the figures differ by enough, and by more than chance.
func (t *outlierTest) isFinding() bool {
	apart := new(big.Rat).Sub(t.figure, t.base)
	least := outlierWonMin()
	if t.of != outlierWon {
		least = new(big.Rat).Mul(outlierMedianMin(), t.base)
	}
	return apart.Sign() != 0 && apart.Abs(apart).Cmp(least) >= 0 && t.chance.Cmp(insightLevel()) <= 0
}

// tone is good for what is won more often, is larger or is faster. What the deals of a
// segment are worth is neither: larger firms buy more.
func (t *outlierTest) tone() Tone {
	if t.dimension == Segment && t.of == outlierSize {
		return Neutral
	}
	return t.direction()
}

// direction is the tone of the difference, whoever it is of.
func (t *outlierTest) direction() Tone {
	if more := t.figure.Cmp(t.base) > 0; more == (t.of != outlierDays) {
		return Good
	}
	return Bad
}

func (q *DealQuestion) outlierTable(tests []outlierTest) Table {
	table := Table{
		ID: TableOutliers, Title: "Outliers",
		Note: "What was held against all other deals: the part won in time, the median value, the median days to win. The chance is that of so much of a difference in any of the tests where there is none.",
		Columns: []Column{
			{ID: "dimension", Title: "Dimension", Kind: TextColumn},
			{ID: "key", Title: "Value", Kind: TextColumn},
			{ID: "of", Title: "Of", Kind: TextColumn},
			{ID: "deals", Title: "Deals", Kind: CountColumn},
			{ID: "rest_deals", Title: "Other deals", Kind: CountColumn},
			{ID: "won", Title: "Won", Kind: RatioColumn},
			{ID: "rest_won", Title: "Others won", Kind: RatioColumn},
			{ID: "value", Title: "Median value", Kind: MoneyColumn, Currency: q.Contract.Currency},
			{ID: "rest_value", Title: "Others' median value", Kind: MoneyColumn, Currency: q.Contract.Currency},
			{ID: "days", Title: "Median days", Kind: DaysColumn},
			{ID: "rest_days", Title: "Others' median days", Kind: DaysColumn},
			{ID: "chance", Title: "Chance", Kind: RatioColumn},
			{ID: "verdict", Title: "Verdict", Kind: TextColumn},
		},
	}
	first := map[outlierOf]int{outlierWon: 5, outlierSize: 7, outlierDays: 9}
	for i := range tests {
		t := &tests[i]
		row := make([]string, len(table.Columns))
		row[0], row[1], row[2], row[3], row[4] = string(t.dimension), t.key, string(t.of), fmt.Sprint(t.deals), fmt.Sprint(t.rest)
		row[first[t.of]], row[first[t.of]+1] = t.figureText(q, t.figure), t.figureText(q, t.base)
		row[11], row[12] = chanceText(t.chance), t.verdict()
		table.Rows = append(table.Rows, row)
	}
	byVerdict(table.Rows)
	return table
}

func (t *outlierTest) verdict() string {
	switch {
	case !t.isFinding():
		return verdictAs
	case t.direction() == Good:
		return verdictBetter
	}
	return verdictWorse
}

// figureText is a figure as tables have it.
func (t *outlierTest) figureText(q *DealQuestion, r *big.Rat) string {
	switch t.of {
	case outlierSize:
		return ValueOf(r.Num().Int64(), q.Contract.Exponent).Text(q.Contract.Exponent)
	case outlierDays:
		return r.Num().String()
	case outlierWon:
	}
	return ratioText(r)
}

func (t *outlierTest) insight(q *DealQuestion, limit int) Insight {
	about := Subject{string(t.dimension), t.key}
	in := Insight{
		Rule: RuleOutlier, Tone: t.tone(), Chance: chanceText(t.chance), Stake: t.stake,
		About:    []Subject{about},
		Evidence: []Evidence{countEvidence("deals", t.deals), countEvidence("other deals", t.rest)},
	}
	name := Counted(int(t.deals), "deal", "deals") + " that began with " + named(q.Contract, about)
	if t.dimension == Segment {
		name = Counted(int(t.deals), "deal", "deals") + " of " + named(q.Contract, about)
	}
	both := func(name string, kind ColumnKind, currency string) {
		in.Evidence = append(in.Evidence,
			Evidence{Name: name, Value: t.figureText(q, t.figure), Kind: kind, Currency: currency},
			Evidence{Name: name + " of the rest", Value: t.figureText(q, t.base), Kind: kind, Currency: currency})
	}
	switch t.of {
	case outlierWon:
		both("won", RatioColumn, "")
		in.Text = fmt.Sprintf("Of %s, %s (%s) were won within %s, of the rest %s.",
			name, Number(int(t.won)), Percent(t.figure), Days(rat(limit)), Percent(t.base))
	case outlierSize:
		both("median value", MoneyColumn, q.Contract.Currency)
		size := func(r *big.Rat) string {
			return Money(ValueOf(r.Num().Int64(), q.Contract.Exponent), q.Contract.Currency)
		}
		in.Text = fmt.Sprintf("The %s have a median value of %s, the rest of %s.", name, size(t.figure), size(t.base))
	case outlierDays:
		both("median days", DaysColumn, "")
		in.Text = fmt.Sprintf("The %s took a median of %s to be won, the rest %s.", name, Days(t.figure), Days(t.base))
	}
	return in
}
