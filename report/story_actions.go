package report

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
)

// The rules of actions.
const (
	ActionShift = "shift_spend"
	ActionLeak  = "drop_off"
	ActionAlert = "alert"
)

// What actions promise, and of how many there are lines.
const (
	// shiftPart is which part of the spend of the weakest is moved: one of so many.
	shiftPart = 5
	// promisedPart is which part of what follows from the numbers is promised, one of so
	// many: the next euro spent returns less than those before it, and what others do
	// better is not all within reach.
	promisedPart = 2
	// shiftDealsMin is how many deals the two of a shift have to have together.
	shiftDealsMin = 10
	// alertsMax bounds the lines of alerts; the table of escalations has all.
	alertsMax = 50
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
	for i := range t.in.Leaks {
		if a, ok := t.leak(&t.in.Leaks[i]); ok {
			found = append(found, a)
		}
	}
	slices.SortStableFunc(found, func(a, b optimisation) int { return cmp.Or(b.worth.Cmp(a.worth), cmp.Compare(a.ID, b.ID)) })
	list := []Action{}
	for _, a := range found {
		a.Owner, a.Due, a.Status = answers(t.rung(0)), meeting(t.in.Day).Add(7).String(), StatusOpen
		list = append(list, a.Action)
	}
	return append(list, t.register()...)
}

// shift moves spend from the channel, or the asset, that returns least to the one that
// returns most, where the deals that each brought for its spend are too far apart for
// chance.
func (t *teller) shift(d Dimension) (optimisation, bool) {
	var list []Yield
	for _, y := range t.in.Yields {
		if y.Dimension == string(d) && y.Spend != nil && y.Spend.Sign() > 0 {
			list = append(list, y)
		}
	}
	if len(list) < 2 {
		return optimisation{}, false
	}
	returns := func(y *Yield) *big.Rat { return new(big.Rat).Quo(y.Credit.rat(), y.Spend.rat()) }
	slices.SortFunc(list, func(a, b Yield) int { return cmp.Or(returns(&b).Cmp(returns(&a)), cmp.Compare(a.Key, b.Key)) })
	best, worst := &list[0], &list[len(list)-1]
	deals := best.Deals + worst.Deals
	if deals < shiftDealsMin || !better(best, worst, len(list)) {
		return optimisation{}, false
	}
	c := t.in.Contract
	moved := Value{new(big.Int).Quo(worst.Spend.int(), big.NewInt(shiftPart))}.round(0)
	gain := new(big.Rat).Sub(returns(best), returns(worst))
	gain.Mul(gain, moved.rat()).Quo(gain, rat(promisedPart))
	worth, err := ParseValue(gain.FloatString(0))
	if err != nil || worth.Sign() <= 0 {
		return optimisation{}, false
	}
	money := func(name string, v Value) Evidence {
		return Evidence{Name: name, Value: v.Text(c.Exponent), Kind: MoneyColumn, Currency: c.Currency}
	}
	a := Action{
		ID: fmt.Sprintf("%s/%s/%s/%s", ActionShift, d, worst.Key, best.Key), Rule: ActionShift, About: []Subject{best.Subject, worst.Subject},
		Text: fmt.Sprintf("Move %s, a fifth of the spend, from %s to %s", MoneyAbout(moved, c.Currency), named(worst.Subject), named(best.Subject)),
		Evidence: []Evidence{
			money(best.Key+", spend", *best.Spend), money(best.Key+", revenue credited", best.Credit), {Name: best.Key + ", return", Value: Times(returns(best)), Kind: TextColumn},
			money(worst.Key+", spend", *worst.Spend), money(worst.Key+", revenue credited", worst.Credit), {Name: worst.Key + ", return", Value: Times(returns(worst)), Kind: TextColumn},
		},
		Effect: fmt.Sprintf("%s more revenue over as many days, which is half of what the returns of %s and %s would give: money that is added returns less",
			MoneyAbout(worth, c.Currency), Times(returns(best)), Times(returns(worst))),
	}
	return optimisation{a, worth}, true
}

// better reports whether one brought more deals for its spend than another one, by more
// than chance, of so many that the best and the worst were picked from. Were both equally
// good, each deal would be the better one's with the chance of its part of the spend, so
// that its deals are a binomial count.
func better(best, worst *Yield, of int) bool {
	all := best.Spend.Add(*worst.Spend)
	chance := atLeastOf(best.Deals+worst.Deals, best.Deals, new(big.Rat).Quo(best.Spend.rat(), all.rat()))
	chance.Mul(chance, rat(of*(of-1)))
	return chance.Cmp(insightLevel()) <= 0
}

// leak brings a step halfway to where the others are.
func (t *teller) leak(l *Leak) (optimisation, bool) {
	lacks := new(big.Rat).Mul(l.Baseline, rat(l.Entered))
	lacks.Sub(lacks, rat(l.Passed)).Quo(lacks, rat(promisedPart))
	if l.Entered == 0 || lacks.Sign() <= 0 {
		return optimisation{}, false
	}
	c := t.in.Contract
	rate := big.NewRat(int64(l.Passed), int64(l.Entered))
	a := Action{
		ID: fmt.Sprintf("%s/%s/%s/%s", ActionLeak, l.Dimension, l.Key, l.To), Rule: ActionLeak, About: []Subject{l.Subject},
		Text: fmt.Sprintf("Find out why those of %s are lost between %s and %s, and bring them halfway to the others", named(l.Subject), measureName(l.From), measureName(l.To)),
		Evidence: []Evidence{
			{Name: "At " + measureName(l.From), Value: Number(l.Entered), Kind: TextColumn}, {Name: "On to " + measureName(l.To), Value: Number(l.Passed), Kind: TextColumn},
			{Name: "Rate", Value: ratioText(rate), Kind: RatioColumn}, {Name: "Rate of the others", Value: ratioText(l.Baseline), Kind: RatioColumn},
		},
		Effect: fmt.Sprintf("%s more at %s of as many as were looked at", plain(lacks, 1), measureName(l.To)),
	}
	if l.Onward == nil || t.in.DealValue == nil {
		return optimisation{Action: a}, true
	}
	gain := new(big.Rat).Mul(lacks, l.Onward)
	worth, err := ParseValue(gain.Mul(gain, t.in.DealValue.rat()).FloatString(0))
	if err != nil {
		return optimisation{Action: a}, true
	}
	a.Evidence = append(a.Evidence,
		Evidence{Name: "Won of those at " + measureName(l.To), Value: ratioText(l.Onward), Kind: RatioColumn},
		Evidence{Name: "Average contract value", Value: t.in.DealValue.Text(c.Exponent), Kind: MoneyColumn, Currency: c.Currency})
	a.Effect += fmt.Sprintf(", worth %s at the part of them that is won and the average contract value", MoneyAbout(worth, c.Currency))
	return optimisation{a, worth}, true
}

// register are the alerts that are open, the most severe first, then those that climb
// first.
func (t *teller) register() []Action {
	alerts := slices.Clone(t.in.Alerts)
	severities := []string{"critical", "error", "warning", "info"}
	last := func(d int) int { // without a deadline, behind those with one
		if d == 0 {
			return int(^uint32(0) >> 1)
		}
		return d
	}
	slices.SortFunc(alerts, func(a, b StoryAlert) int {
		return cmp.Or(
			cmp.Compare(slices.Index(severities, a.Severity), slices.Index(severities, b.Severity)),
			cmp.Compare(last(int(a.Deadline)), last(int(b.Deadline))), cmp.Compare(a.ID, b.ID),
		)
	})
	var list []Action
	for i, al := range alerts {
		if i == alertsMax {
			list = append(list, Action{
				ID: ActionAlert + "/more", Rule: ActionAlert, Status: StatusOpen,
				Text: "Look at " + Counted(len(alerts)-i, "more alert", "more alerts") + ", which the table of escalations lists",
			})
			break
		}
		a := Action{ID: al.ID, Text: sentence(al.Message), Rule: ActionAlert, Owner: cmp.Or(al.Owner, al.Rung, al.Fallback), Status: StatusOpen}
		if al.Subject != "" {
			a.About = []Subject{{al.Kind, al.Subject}}
		}
		if al.Deadline != 0 {
			a.Due = al.Deadline.String()
		}
		first := t.in.Contract.Escalation.Ladder[0].Name
		switch {
		case al.Board || al.Rung != "" && al.Rung != first:
			a.Status = StatusEscalated
		case al.Taken != "":
			a.Status = StatusTaken
		}
		list = append(list, a)
	}
	return list
}
