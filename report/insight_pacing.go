package report

import (
	"fmt"
	"math/big"

	"tracksource/contract"
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
// target is what the campaign brings in the mean is at most 5 %. The contract says what
// partners are called.
func Pacings(c *contract.Contract, paces []Pace) []Insight {
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
			out = append(out, found[i].missed(c, chance))
		}
	}
	return byStake(out)
}

// missed is the finding that a target is missed or passed.
func (p *Pace) missed(c *contract.Contract, chance *big.Rat) Insight {
	of := capital(measureName(p.Measure))
	if p.Partner != "" {
		of += " of " + partnerName(c, p.Partner)
	}
	by, than := p.apartBy(), "more"
	if p.Reached.Cmp(p.Expected) < 0 {
		than = "less"
	}
	part, _ := PercentOf(by, p.Expected)
	in := p.insight(RulePacing)
	in.Chance = chanceText(chance)
	in.Text = fmt.Sprintf("%s reached %s by %s, %s %s than the %s that the target expects by then.%s",
		of, p.amount(p.Reached), min(p.Day, p.Goal.Period.To), part, than, p.amount(p.Expected), p.ends())
	return in
}

// insight is what there is to say of how a measure stands toward its target, but for the
// sentence.
func (p *Pace) insight(rule string) Insight {
	kind := CountColumn
	if p.Currency != "" {
		kind = MoneyColumn
	}
	in := Insight{Rule: rule, Tone: Good, About: []Subject{{"measure", p.Measure}}}
	if p.Partner != "" {
		in.About = []Subject{{string(Partner), p.Partner}, {"measure", p.Measure}}
	}
	if p.Reached.Cmp(p.Expected) < 0 {
		in.Tone = Bad
	}
	for _, e := range []struct {
		name  string
		value Value
	}{{"reached", p.Reached}, {"expected by now", p.Expected}, {"target", p.Goal.Amount}, {"projected", p.Projected}} {
		in.Evidence = append(in.Evidence, Evidence{Name: e.name, Value: e.value.Text(p.places), Kind: kind, Currency: p.Currency})
	}
	if p.Currency != "" {
		in.Stake = p.apartBy().Text(p.places)
	}
	return in
}

// apartBy is by how much what is reached and what is expected differ.
func (p *Pace) apartBy() Value {
	return most(p.Reached.Sub(p.Expected), p.Expected.Sub(p.Reached))
}

func (p *Pace) amount(v Value) string {
	if p.Currency == "" {
		return Count(v)
	}
	return Money(v, p.Currency)
}

// ends says where the measure ends at its pace, as a sentence behind another one; empty
// where no day is left.
func (p *Pace) ends() string {
	low, high := about(p.Low, p.Currency), about(p.High, p.Currency)
	switch {
	case p.Left == 0:
		return ""
	case low == high:
		return fmt.Sprintf(" At this pace it ends on %s at %s of %s.", p.Goal.Period.To, low, p.amount(p.Goal.Amount))
	}
	return fmt.Sprintf(" At this pace it ends on %s between %s and %s of %s.", p.Goal.Period.To, low, high, p.amount(p.Goal.Amount))
}

// about is a projected value.
func about(v Value, currency string) string {
	if currency == "" {
		return Count(v.round(0))
	}
	return MoneyAbout(v, currency)
}
