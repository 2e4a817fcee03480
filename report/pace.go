package report

import (
	"cmp"
	"math/big"
	"slices"

	"tracksource/attribution"
	"tracksource/money"
)

// Daily is the value of each day from From on, without a gap.
type Daily struct {
	From   money.Day
	Values []Value
}

// DailyOf is a breakdown that begins with the day, day by day over a span; groups outside
// of it are left out.
func DailyOf(b Breakdown, span Span) (Daily, error) {
	d := Daily{span.From, make([]Value, span.Days())}
	for _, g := range b.Groups {
		day, err := money.ParseDay(g.Key[0])
		if err != nil {
			return Daily{}, err
		}
		if span.Holds(day) {
			d.Values[day-span.From] = d.Values[day-span.From].Add(g.Value)
		}
	}
	return d, nil
}

// On is the value of a day, zero outside of the days that there are.
func (d Daily) On(day money.Day) Value {
	if day < d.From || int(day-d.From) >= len(d.Values) {
		return Value{}
	}
	return d.Values[day-d.From]
}

// In is the sum over a span.
func (d Daily) In(span Span) Value {
	var sum Value
	for day := max(span.From, d.From); day <= span.To && int(day-d.From) < len(d.Values); day++ {
		sum = sum.Add(d.Values[day-d.From])
	}
	return sum
}

// Sized is one conversion of a measure: what it is worth, and its day.
type Sized struct {
	Day   money.Day
	Value Value
}

// PaceQuestion is how one measure comes on.
type PaceQuestion struct {
	Measure, Partner string // Partner is empty for all together
	Currency         string // empty for counts
	Places           int    // of what is projected
	Goals            []Goal // of [GoalsOf]
	// Day is the last day that counts. As everywhere, a target expects all of it.
	Day money.Day
	// Within is the days of interest, nil for all: goals that end before or begin after
	// them are left out.
	Within *Span
	// Campaign is the days of the whole campaign, nil where the contract does not say.
	Campaign *Span
	Daily    Daily // from the first day of the goals and of the campaign at the latest
	// Sizes are the conversions behind Daily, those before the goals too; nil where they
	// are not known, or not to be seen: then nobody can say whether a miss is more than
	// chance.
	Sizes []Sized
}

// PaceOver is whose days a pace is over.
type PaceOver string

// What a pace is over.
const (
	OverPeriod   PaceOver = "target period"
	OverCampaign PaceOver = "campaign"
)

// Pace is how a measure comes on toward one goal.
type Pace struct {
	Measure, Partner, Currency string
	Over                       PaceOver
	Goal                       Goal
	Day                        money.Day
	Reached, Expected          Value
	Status                     Status // of Reached against Expected
	// Begun is whether the goal's period has begun; before it there is no pace. Over is
	// in the past when Left, the days that come after Day, is zero.
	Begun bool
	Left  int
	// PerDay is what was reached a day since the period began, and Recent what was in the
	// last PaceDays of these days, both rounded toward zero to nine places.
	PerDay, Recent Value
	// Projected is what is reached at the end if the days that are left bring PerDay
	// each, and Low and High the range between PerDay and Recent, rounded half away from
	// zero to the question's places.
	Projected, Low, High Value
	ProjectedStatus      Status // of Projected against the whole goal
	// apart is the unit in which what is reached varies, see farFrom; nil where there is
	// too little to say it by.
	apart  *big.Int
	places int
}

// PaceDays is how many days the recent pace looks at: whole weeks, so that weekends weigh
// the same, and four of them, so that one good deal is not a pace.
const PaceDays = 28

// PacesOf is the pace toward each goal of the question whose period meets Within and has
// begun, in the order of the goals, and after them the one over the whole campaign where
// that is other days and has goals.
func PacesOf(q PaceQuestion) []Pace {
	var list []Pace
	for _, g := range q.Goals {
		if q.Within != nil {
			if _, meets := g.Period.Meet(*q.Within); !meets {
				continue
			}
		}
		if g.Period.From <= q.Day {
			list = append(list, PaceOf(q, g, OverPeriod))
		}
	}
	if q.Campaign == nil || len(q.Goals) == 0 || slices.ContainsFunc(list, func(p Pace) bool { return p.Goal.Period == *q.Campaign }) {
		return list
	}
	whole := Goal{*q.Campaign, In(q.Goals, *q.Campaign, q.Places)}
	if whole.Amount.Sign() <= 0 {
		return list
	}
	return append(list, PaceOf(q, whole, OverCampaign))
}

// PaceOf is the pace toward one goal. Over a campaign of several goals what is expected is
// what each of them expects by then.
func PaceOf(q PaceQuestion, goal Goal, over PaceOver) Pace {
	p := Pace{Measure: q.Measure, Partner: q.Partner, Currency: q.Currency, Over: over, Goal: goal, Day: q.Day, Status: NoGoal, ProjectedStatus: NoGoal, places: q.Places}
	p.Left = int(goal.Period.To - max(q.Day, goal.Period.From.Add(-1)))
	p.Left = max(p.Left, 0)
	so := Span{goal.Period.From, min(q.Day, goal.Period.To)}
	if p.Begun = so.From <= so.To; !p.Begun {
		return p
	}
	p.Reached, p.Expected = q.Daily.In(so), goal.Until(q.Day, q.Places)
	if over == OverCampaign {
		p.Expected = In(q.Goals, so, q.Places)
	}
	last := Span{max(so.From, so.To.Add(1-PaceDays)), so.To}
	p.PerDay, p.Recent = p.Reached.over(so.Days()), q.Daily.In(last).over(last.Days())
	// Projected from the exact quotients: a pace rounded first would be off by its
	// rounding times the days that are left.
	at := func(sum Value, days int) Value {
		n := new(big.Int).Mul(sum.int(), big.NewInt(int64(p.Left)))
		return p.Reached.Add(Value{n.Quo(n, big.NewInt(int64(days)))}).round(q.Places)
	}
	p.Projected = at(p.Reached, so.Days())
	recent := at(q.Daily.In(last), last.Days())
	p.Low, p.High = least(p.Projected, recent), most(p.Projected, recent)
	if goal.Amount.Sign() > 0 {
		p.Status, p.ProjectedStatus = StatusOf(p.Reached, p.Expected), StatusOf(p.Projected, goal.Amount)
	}
	p.apart = q.apart()
	return p
}

// over is v over a number of days, toward zero.
func (v Value) over(days int) Value {
	return Value{new(big.Int).Quo(v.int(), big.NewInt(int64(days)))}
}

func most(a, b Value) Value {
	if a.Cmp(b) > 0 {
		return a
	}
	return b
}

// Progress is what is reached of the whole goal, as [Ratio] has it.
func (p *Pace) Progress() (string, bool) { return Ratio(p.Reached, p.Goal.Amount) }

// The ids of the tables of paces.
const (
	TableTargets      = "targets"
	TableTargetCounts = "targets_counts"
)

// PaceTables are the tables of paces, those of money and those of counts, in the order in
// which the paces are handed in; places are those of a currency.
func PaceTables(list []Pace, currency string, places int) []Table {
	money, counts := paceTable(TableTargets, "Targets", MoneyColumn, currency), paceTable(TableTargetCounts, "Targets of counts", CountColumn, "")
	for i := range list {
		if p := &list[i]; p.Currency != "" {
			money.Rows = append(money.Rows, p.row(places))
		} else {
			counts.Rows = append(counts.Rows, p.row(0))
		}
	}
	return []Table{money, counts}
}

func paceTable(id, title string, kind ColumnKind, currency string) Table {
	value := func(id, title string) Column { return Column{ID: id, Title: title, Kind: kind, Currency: currency} }
	return Table{
		ID: id, Title: title,
		Note: "Expected is the target pro rata by days. Projected is what is reached plus, for each day that is left, what a day of the period has brought; the range is between that pace and the pace of the last four weeks.",
		Columns: []Column{
			{ID: "measure", Title: "Measure", Kind: TextColumn},
			{ID: "partner", Title: "Partner", Kind: TextColumn},
			{ID: "over", Title: "Over", Kind: TextColumn},
			{ID: "from", Title: "From", Kind: DayColumn},
			{ID: "to", Title: "To", Kind: DayColumn},
			value("target", "Target"), value("expected", "Expected by now"), value("reached", "Reached"),
			{ID: "progress", Title: "Reached of target", Kind: RatioColumn},
			{ID: "status", Title: "Status", Kind: TextColumn},
			value("pace_per_day", "A day so far"), value("pace_recent", "A day in four weeks"),
			value("projected", "Projected"), value("projected_low", "Projected, low"), value("projected_high", "Projected, high"),
			{ID: "projected_share", Title: "Projected of target", Kind: RatioColumn},
			{ID: "projected_status", Title: "Projected status", Kind: TextColumn},
		},
		Rows: [][]string{},
	}
}

func (p *Pace) row(places int) []string {
	text := func(v Value) string {
		if !p.Begun {
			return ""
		}
		return v.Text(places)
	}
	progress, share := "", ""
	if p.Begun {
		progress, _ = p.Progress()
		share, _ = Ratio(p.Projected, p.Goal.Amount)
	}
	return []string{
		p.Measure, cmp.Or(p.Partner, attribution.All), string(p.Over), p.Goal.Period.From.String(), p.Goal.Period.To.String(),
		p.Goal.Amount.Text(places), text(p.Expected), text(p.Reached), progress, string(p.Status),
		text(p.PerDay.round(max(places, 2))), text(p.Recent.round(max(places, 2))), text(p.Projected), text(p.Low), text(p.High), share, string(p.ProjectedStatus),
	}
}
