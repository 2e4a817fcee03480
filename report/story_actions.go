package report

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"

	"tracksource/attribution"
	"tracksource/contract"
)

// The rules of actions.
const (
	ActionShift     = "shift_spend"
	ActionTrial     = "trial_spend"
	ActionUntouched = "unattributed"
	ActionLeak      = RuleDropOff
	ActionOutlier   = RuleOutlier
	ActionAlert     = "alert"
)

// What actions promise, and of how many there are lines.
const (
	// shiftPart is which part of the spend of the weakest is moved, and trialPart which one
	// where chance may have made it the weakest: one of so many.
	shiftPart, trialPart = 5, 10
	// untouchedPart is from which part on what no touch precedes is looked for, one of so
	// many.
	untouchedPart = 5
	// promisedPart is which part of what follows from the numbers is promised, one of so
	// many: the next euro spent returns less than those before it, and what others do
	// better is not all within reach.
	promisedPart = 2
	// shiftWonMin is how many deals the two of a shift have to have won together.
	shiftWonMin = 10
	// reachPart is which part of the other deals an asset is brought to, one of so many.
	reachPart = 10
	// optimisationsMax is how many are proposed: more than a team takes on in a week.
	optimisationsMax = 8
	// alertsMax bounds the lines of alerts; the table of escalations has all.
	alertsMax = 50
	// alikeMax is how many alerts of one kind have a line each.
	alikeMax = 3
)

// The states of an action.
const (
	StatusOpen      = "open"
	StatusTaken     = "taken"
	StatusEscalated = "escalated"
)

// optimisation is an action with what it is worth, for the order.
type optimisation struct {
	Action
	worth Value
}

// actions are what would better the campaign, the one that is worth most first, and the
// alerts that are open. What is proposed is due a week after the meeting that hears of it.
func (t *teller) actions() []Action {
	var found []optimisation
	for _, d := range []Dimension{Channel, Asset} {
		if a, ok := t.shift(d); ok {
			found = append(found, a)
		}
	}
	found = append(append(found, t.leaks()...), t.outliers()...)
	if a, ok := t.untouched(); ok {
		found = append(found, a)
	}
	slices.SortStableFunc(found, func(a, b optimisation) int { return cmp.Or(b.worth.Cmp(a.worth), cmp.Compare(a.ID, b.ID)) })
	list := []Action{}
	for _, a := range found[:min(len(found), optimisationsMax)] {
		a.Owner, a.Due, a.Status = answers(t.rung(0)), meeting(t.in.Day).Add(7).String(), StatusOpen
		list = append(list, a.Action)
	}
	return append(list, t.register()...)
}

// worth is a gain in the contract's currency, in whole units; zero where there is none.
func worth(gain *big.Rat) Value {
	v, err := ParseValue(gain.FloatString(0))
	if err != nil || v.Sign() < 0 {
		return Value{}
	}
	return v
}

// shift moves spend from the channel, or the asset, that returns least to the one that
// returns most, where the deals that each won for its spend are too far apart for chance.
// Where they are not, it proposes to try it with less.
func (t *teller) shift(d Dimension) (optimisation, bool) {
	list := slices.DeleteFunc(slices.Clone(t.in.Yields), func(y Yield) bool { return y.Dimension != string(d) || y.Spend.Sign() <= 0 })
	if len(list) < 2 {
		return optimisation{}, false
	}
	returns := func(y *Yield) *big.Rat { return new(big.Rat).Quo(y.Revenue.rat(), y.Spend.rat()) }
	slices.SortFunc(list, func(a, b Yield) int { return cmp.Or(returns(&b).Cmp(returns(&a)), cmp.Compare(a.Key, b.Key)) })
	best, worst := &list[0], &list[len(list)-1]
	c := t.in.Contract
	move := func(part int64) (moved, gain Value) {
		moved = Value{new(big.Int).Quo(worst.Spend.int(), big.NewInt(part))}.round(0)
		more := new(big.Rat).Sub(returns(best), returns(worst))
		return moved, worth(more.Mul(more, moved.rat()).Quo(more, rat(promisedPart)))
	}
	var gain, moved Value
	a := Action{About: []Subject{best.Subject, worst.Subject}}
	if best.Won+worst.Won >= shiftWonMin && better(best, worst, len(list)) {
		moved, gain = move(shiftPart)
		a.Rule = ActionShift
		a.Text = fmt.Sprintf("Move %s, a fifth of the spend, from %s to %s", MoneyAbout(moved, c.Currency), t.named(worst.Subject), t.named(best.Subject))
		a.Effect = fmt.Sprintf("%s more revenue in as many days: half of what the returns of %s and %s come to, as money that is added returns less",
			MoneyAbout(gain, c.Currency), Times(returns(best)), Times(returns(worst)))
	} else {
		moved, gain = move(trialPart)
		a.Rule = ActionTrial
		a.Text = fmt.Sprintf("Try with %s, a tenth of the spend on %s, whether %s returns more", MoneyAbout(moved, c.Currency), t.named(worst.Subject), t.named(best.Subject))
		a.Effect = fmt.Sprintf("%s more revenue in as many days, half of what the returns of %s and %s come to, if they are more than chance: the deals won so far do not show it",
			MoneyAbout(gain, c.Currency), Times(returns(best)), Times(returns(worst)))
	}
	a.ID = fmt.Sprintf("%s/%s/%s/%s", a.Rule, d, worst.Key, best.Key)
	for _, y := range []*Yield{best, worst} {
		a.Evidence = append(a.Evidence,
			moneyEvidence("spend on "+y.Key, c, y.Spend), moneyEvidence("revenue of "+y.Key, c, y.Revenue),
			countEvidence("won deals that began with "+y.Key, int64(y.Won)), Evidence{Name: "return of " + y.Key, Value: Times(returns(y)), Kind: TextColumn})
	}
	return optimisation{a, gain}, gain.Sign() > 0
}

// untouched is what of a measure no touch precedes, where that is a fifth of it or more:
// nobody is credited with it, and no channel or asset is seen to have brought it.
func (t *teller) untouched() (optimisation, bool) {
	for _, measure := range []string{attribution.MeasureRevenue, attribution.MeasurePipelineCreated} {
		for _, r := range t.rows("totals") {
			total, lacks := r.number("total"), r.number("unattributed")
			if r.text("measure") != measure || total.Sign() <= 0 {
				continue
			}
			part := new(big.Rat).Quo(lacks, total)
			if part.Cmp(big.NewRat(1, untouchedPart)) < 0 {
				return optimisation{}, false
			}
			c := t.in.Contract
			gain := worth(new(big.Rat).Quo(lacks, rat(promisedPart)))
			of := measureName(measure)
			return optimisation{Action{
				ID: ActionUntouched + "/" + measure, Rule: ActionUntouched, About: []Subject{{string(Channel), Unattributed}, {"measure", measure}},
				Text:   fmt.Sprintf("Find the touches that are missing: no channel or asset precedes %s of %s", Percent(part), of),
				Effect: fmt.Sprintf("%s of %s is credited to who brought it, half of what nobody is: it adds no money, and says where to spend it", MoneyAbout(gain, c.Currency), of),
				Evidence: []Evidence{
					{Name: of, Value: r.text("total"), Kind: MoneyColumn, Currency: c.Currency},
					{Name: "without a touch", Value: r.text("unattributed"), Kind: MoneyColumn, Currency: c.Currency},
				},
			}, Value{}}, true
		}
	}
	return optimisation{}, false
}

// better reports whether one won more deals for its spend than another one, by more than
// chance, of so many that the best and the worst were picked from. Were both equally
// good, each deal would be the better one's with the chance of its part of the spend, so
// that its deals are a binomial count.
func better(best, worst *Yield, of int) bool {
	all := best.Spend.Add(worst.Spend)
	chance := atLeastOf(best.Won+worst.Won, best.Won, new(big.Rat).Quo(best.Spend.rat(), all.rat()))
	chance.Mul(chance, rat(of*(of-1)))
	return chance.Cmp(insightLevel()) <= 0
}

// tested is a row of a table of tests, by the ids of its columns.
type tested struct {
	table *Table
	row   []string
}

func (r tested) text(column string) string {
	if i := r.table.Column(column); i >= 0 {
		return r.row[i]
	}
	return ""
}

func (r tested) number(column string) *big.Rat {
	v, err := ParseValue(r.text(column))
	if err != nil {
		return new(big.Rat)
	}
	return v.rat()
}

func (t *teller) rows(table string) []tested {
	in := t.p.Table(table)
	if in == nil {
		return nil
	}
	list := make([]tested, len(in.Rows))
	for i, row := range in.Rows {
		list[i] = tested{in, row}
	}
	return list
}

// dealValue is the average contract value, false without one.
func (t *teller) dealValue() (*big.Rat, bool) {
	i := slices.IndexFunc(t.in.Figures, func(f Figure) bool { return f.KPI == KPIContractValue && f.Ratio != nil })
	if i < 0 {
		return nil, false
	}
	return t.in.Figures[i].Ratio, true
}

// valued tells what a number of deals more at a step are worth, of which a part is won, at
// the average contract value; of as many deals alone where one of the two is not known.
// Next is of which deals they are.
func (t *teller) valued(a *Action, deals, onward *big.Rat, step, next string) optimisation {
	what, by := measureName(step), "at the part of them that is won and the average contract value"
	if step == string(contract.StateWon) {
		what, by = "deals won", "at the average contract value"
	}
	a.Effect = fmt.Sprintf("%s more %s of %s, half of the way to the others", plain(deals, 1), what, next)
	value, priced := t.dealValue()
	if onward == nil || !priced {
		return optimisation{Action: *a}
	}
	c := t.in.Contract
	gain := worth(new(big.Rat).Mul(new(big.Rat).Mul(deals, onward), value))
	if step != string(contract.StateWon) {
		a.Evidence = append(a.Evidence, ratioEvidence("won of those at "+step, onward))
	}
	a.Evidence = append(a.Evidence, Evidence{Name: "average contract value", Value: value.FloatString(c.Exponent), Kind: MoneyColumn, Currency: c.Currency})
	a.Effect = fmt.Sprintf("%s more revenue: %s, %s", MoneyAbout(gain, c.Currency), a.Effect, by)
	return optimisation{*a, gain}
}

// leaks bring the steps on which more deals are lost than on those of the others halfway
// to these.
func (t *teller) leaks() []optimisation {
	var list []optimisation
	for i := range t.in.Leaks {
		l := &t.in.Leaks[i]
		lost := new(big.Rat).Mul(l.Baseline, rat(l.Entered))
		lost.Sub(lost, rat(l.Passed)).Quo(lost, rat(promisedPart))
		if l.Entered == 0 || lost.Sign() <= 0 {
			continue
		}
		rate := big.NewRat(int64(l.Passed), int64(l.Entered))
		list = append(list, t.valued(&Action{
			ID: fmt.Sprintf("%s/%s/%s/%s", ActionLeak, l.Dimension, l.Key, l.To), Rule: ActionLeak, About: []Subject{l.Subject},
			Text: fmt.Sprintf("Find out why %s loses more between %s and %s: %s go on, of the others %s",
				t.named(l.Subject), stageName(l.From), stageName(l.To), Percent(rate), Percent(l.Baseline)),
			Evidence: []Evidence{
				countEvidence("came to "+l.From, int64(l.Entered)), countEvidence("went on to "+l.To, int64(l.Passed)),
				ratioEvidence("rate", rate), ratioEvidence("rate of the rest", l.Baseline),
			},
		}, lost, l.Onward, l.To, "the next "+Number(l.Entered)))
	}
	return list
}

// outliers use the assets and channels more whose deals are won more often, and rework
// those whose are won less often.
func (t *teller) outliers() []optimisation {
	var list []optimisation
	for _, r := range t.rows(TableOutliers) {
		about := Subject{r.text("dimension"), r.text("key")}
		verdict := r.text("verdict")
		if r.text("of") != string(outlierWon) || about.Dimension == string(Segment) || verdict != verdictBetter && verdict != verdictWorse {
			continue
		}
		apart := new(big.Rat).Sub(r.number("won"), r.number("rest_won"))
		a := Action{
			ID: fmt.Sprintf("%s/%s/%s", ActionOutlier, about.Dimension, about.Key), Rule: ActionOutlier, About: []Subject{about},
			Evidence: []Evidence{
				{Name: "deals", Value: r.text("deals"), Kind: CountColumn},
				{Name: "won", Value: r.text("won"), Kind: RatioColumn},
				{Name: "other deals", Value: r.text("rest_deals"), Kind: CountColumn},
				{Name: "won of the rest", Value: r.text("rest_won"), Kind: RatioColumn},
			},
		}
		deals := r.number("deals")
		if verdict == verdictBetter {
			// As many of the others as a part of them, not all: who an asset is for is not everybody.
			deals = new(big.Rat).Quo(r.number("rest_deals"), rat(reachPart))
			a.Text = fmt.Sprintf("Bring %s to a tenth of the deals that begin without it: %s of those that began with it are won, of the others %s",
				t.named(about), Percent(r.number("won")), Percent(r.number("rest_won")))
		} else {
			a.Text = fmt.Sprintf("Rework or replace %s: %s of the deals that began with it are won, of the others %s",
				t.named(about), Percent(r.number("won")), Percent(r.number("rest_won")))
		}
		next := "the next " + plain(deals, 0)
		deals = new(big.Rat).Mul(deals, apart.Abs(apart))
		list = append(list, t.valued(&a, deals.Quo(deals, rat(promisedPart)), rat(1), string(contract.StateWon), next))
	}
	return list
}

// register are the lines of open alerts, the most severe first, then those that climb
// first. Alerts of one kind on one rung
// that are many, such as deals that lack a rate, are one line.
func (t *teller) register() []Action {
	type sort struct{ kind, severity, rung, owner, taken string }
	of := func(al *StoryAlert) sort { return sort{al.Kind, al.Severity, al.Rung, al.Owner, al.Taken} }
	count, told := map[sort]int{}, map[sort]bool{}
	for i := range t.in.Alerts {
		count[of(&t.in.Alerts[i])]++
	}
	var list []Action
	listed := 0
	for i := range t.in.Alerts {
		al := &t.in.Alerts[i]
		s := of(al)
		many := count[s] > alikeMax
		switch {
		case told[s]:
			continue
		case len(list) == alertsMax:
			return append(list, Action{
				ID: ActionAlert + "/more", Rule: ActionAlert, Status: StatusOpen,
				Text: "Look at " + Counted(len(t.in.Alerts)-listed, "more alert", "more alerts") + ", which the table of escalations lists",
			})
		case many:
			told[s] = true
			listed += count[s]
		default:
			listed++
		}
		a := t.alert(al)
		if many {
			a.ID, a.About = ActionAlert+"/"+al.Kind+"/"+al.ID, nil
			a.Text = fmt.Sprintf("Look at %s such as this, which the table of escalations lists: %s", Counted(count[s], "alert", "alerts"), a.Text)
		}
		list = append(list, a)
	}
	return list
}

// alert is the line of one alert. What does not climb is heard of at the next meeting.
func (t *teller) alert(al *StoryAlert) Action {
	a := Action{ID: al.ID, Text: capital(t.message(al)), Rule: ActionAlert, Owner: cmp.Or(al.Owner, al.Rung, al.Taken), Due: meeting(t.in.Day).String(), Status: StatusOpen}
	if al.Subject != "" {
		a.About = []Subject{{al.Kind, al.Subject}}
	}
	if al.Deadline != 0 {
		a.Due = al.Deadline.String()
	}
	switch {
	case al.Board || al.Rung != "" && al.Rung != t.in.Contract.Escalation.Ladder[0].Name:
		a.Status = StatusEscalated
	case al.Taken != "":
		a.Status = StatusTaken
	}
	return a
}
