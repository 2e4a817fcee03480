package report

import (
	"fmt"
	"math/big"
)

// RulePacing is the rule of targets that are missed or passed by more than chance.
const RulePacing = "pacing"

// What it takes to say that a miss is more than chance.
const (
	// pacingSizesMin is how many conversions say how large they are.
	pacingSizesMin = 20
	// pacingWeeks is how many weeks say how much they differ, pacingWeeksMin the fewest.
	pacingWeeks, pacingWeeksMin = 13, 4
	// pacingApart is by which part of what is expected it is missed or passed at least,
	// one of so many: less would be on track.
	pacingApart = 10
)

// apart is the unit in which the measure varies up to the day, a quarter more because the
// conversions and weeks that say so are few; nil where they are too few. It is the larger
// of two: the sum of the squares of the conversions over their sum, which is what
// conversions that come independently of each other make, and the variance of the weeks
// over their mean, by what each differs from the one before it, so that growth is not
// taken for chance.
func (q *PaceQuestion) apart() *big.Int {
	sum, squares, n := new(big.Int), new(big.Int), 0
	for _, s := range q.Sizes {
		if s.Day <= q.Day && s.Value.Sign() > 0 {
			n++
			sum.Add(sum, s.Value.int())
			squares.Add(squares, new(big.Int).Mul(s.Value.int(), s.Value.int()))
		}
	}
	if n < pacingSizesMin {
		return nil
	}
	unit := squares.Quo(squares, sum)
	var weeks []Value
	for to := q.Day; len(weeks) < pacingWeeks && to.Add(-6) >= q.Daily.From; to = to.Add(-7) {
		weeks = append(weeks, q.Daily.In(Span{to.Add(-6), to}))
	}
	if len(weeks) < pacingWeeksMin {
		return nil
	}
	all, steps := new(big.Int), new(big.Int)
	for i, w := range weeks {
		all.Add(all, w.int())
		if i > 0 {
			d := w.Sub(weeks[i-1]).int()
			steps.Add(steps, new(big.Int).Mul(d, d))
		}
	}
	if all.Sign() > 0 {
		// Half the mean squared step, over the mean week.
		steps.Mul(steps, big.NewInt(int64(len(weeks))))
		steps.Quo(steps, all.Mul(all, big.NewInt(int64(2*(len(weeks)-1)))))
		if steps.Cmp(unit) > 0 {
			unit = steps
		}
	}
	return unit.Quo(unit.Mul(unit, big.NewInt(5)), big.NewInt(4))
}

// Pacings are the targets that are missed or passed by a tenth of what is expected or
// more, and by more than chance. The chance that any of the paces is named where each
// target is what the campaign brings in the mean is at most 5 %.
func Pacings(paces []Pace) []Insight {
	var found []*Pace
	var chances []*big.Rat
	tests := 0
	for i := range paces {
		p := &paces[i]
		if p.apart == nil || p.Expected.Sign() <= 0 || p.Over != OverPeriod {
			continue
		}
		tests += 2 // less, and more
		apart := p.Reached.Sub(p.Expected).int()
		if apart = new(big.Int).Mul(apart, big.NewInt(pacingApart)); apart.CmpAbs(p.Expected.int()) < 0 {
			continue
		}
		if chance, odd := farFrom(most(p.Reached, Value{}).int(), p.Expected.int(), p.apart); odd {
			found, chances = append(found, p), append(chances, chance)
		}
	}
	var out []Insight
	for i, chance := range corrected(chances, tests) {
		if chance.Cmp(insightLevel()) <= 0 {
			out = append(out, found[i].insight(chance))
		}
	}
	return byStake(out)
}

func (p *Pace) insight(chance *big.Rat) Insight {
	kind := CountColumn
	amount := Count
	if p.Currency != "" {
		kind = MoneyColumn
		amount = func(v Value) string { return Money(v, p.Currency) }
	}
	text := func(v Value) string { return v.Text(p.places) }
	of := capital(measureName(p.Measure))
	in := Insight{Rule: RulePacing, Tone: Good, About: []Subject{{"measure", p.Measure}}, Chance: chanceText(chance)}
	if p.Partner != "" {
		of += " of " + p.Partner
		in.About = []Subject{{string(Partner), p.Partner}, {"measure", p.Measure}}
	}
	by, than := p.Reached.Sub(p.Expected), "more"
	if by.Sign() < 0 {
		in.Tone, by, than = Bad, p.Expected.Sub(p.Reached), "less"
	}
	part, _ := PercentOf(by, p.Expected)
	end := ""
	if p.Left > 0 {
		low, high := about(p.Low, p.Currency), about(p.High, p.Currency)
		end = fmt.Sprintf(" At this pace it ends on %s between %s and %s of %s.", p.Goal.Period.To, low, high, amount(p.Goal.Amount))
		if low == high {
			end = fmt.Sprintf(" At this pace it ends on %s at %s of %s.", p.Goal.Period.To, low, amount(p.Goal.Amount))
		}
	}
	in.Text = fmt.Sprintf("%s reached %s by %s, %s %s than the %s that the target expects by then.%s",
		of, amount(p.Reached), min(p.Day, p.Goal.Period.To), part, than, amount(p.Expected), end)
	in.Evidence = []Evidence{
		{Name: "Reached", Value: text(p.Reached), Kind: kind, Currency: p.Currency},
		{Name: "Expected by now", Value: text(p.Expected), Kind: kind, Currency: p.Currency},
		{Name: "Target", Value: text(p.Goal.Amount), Kind: kind, Currency: p.Currency},
		{Name: "Projected", Value: text(p.Projected), Kind: kind, Currency: p.Currency},
	}
	if p.Currency != "" {
		in.Stake = text(by)
	}
	return in
}

// about is a projected value.
func about(v Value, currency string) string {
	if currency == "" {
		return Count(v.round(0))
	}
	return MoneyAbout(v, currency)
}
