package report

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"

	"tracksource/contract"
)

// RuleChange is the rule of what moved the measure that a package is told by.
const RuleChange = "change"

const (
	// changePart is by which part of what all together have, now or before, whichever is
	// more, a value has changed at least, one of so many: a twentieth.
	changePart = 20
	// contributorsTold is of how many partners it is told how they stand toward their
	// targets, where there is nothing before to hold the measure against.
	contributorsTold = 3
)

// ChangeQuestion is a measure over the days of a window and over as many days before.
type ChangeQuestion struct {
	Contract          *contract.Contract
	Measure, Currency string // Currency is empty for counts
	Places            int
	Days              int // of the window
	Sides             []ChangeSides
	// Paces are those that the largest partners are told by where there is nothing before.
	Paces []Pace
}

// ChangeSides are what the values of one dimension have in the window and before it.
type ChangeSides struct {
	Now, Before Breakdown // by the one dimension
	// Own is the partner that they are of alone, where others are not to be seen; empty for
	// those of all together.
	Own string
}

// change is one value of a dimension in the window and before it.
type change struct {
	about       Subject
	now, before Value
	apart       Value // now without before
	all         Value // how much more all together have
	own         string
}

// Changes are what moved the measure: of each dimension the value that gained most and the
// one that lost most on as many days before, if that is a twentieth of everything or more.
// The largest comes first. Without anything before, they are the largest partners with how
// they stand toward their targets. The numbers are certain and no test is made.
func Changes(q ChangeQuestion) []Insight {
	var list []change
	isAny := false
	for i := range q.Sides {
		s := &q.Sides[i]
		isAny = isAny || slices.ContainsFunc(s.Before.Groups, func(g Group) bool { return g.Value.Sign() != 0 })
		list = append(list, s.changes()...)
	}
	if !isAny {
		return q.contributors()
	}
	slices.SortStableFunc(list, func(a, b change) int { return b.apart.abs().Cmp(a.apart.abs()) })
	out := make([]Insight, len(list))
	for i := range list {
		out[i] = q.moved(&list[i])
	}
	return out
}

// abs is a value without its sign.
func (v Value) abs() Value { return most(v, Value{}.Sub(v)) }

// changes are the largest gain and the largest loss of a dimension's values.
func (s *ChangeSides) changes() []change {
	values := map[string][2]Value{}
	for side, b := range [...]*Breakdown{&s.Now, &s.Before} {
		for _, g := range b.Groups {
			of := values[g.Key[0]]
			of[side] = of[side].Add(g.Value)
			values[g.Key[0]] = of
		}
	}
	all := s.Now.Total.Sub(s.Before.Total)
	least := new(big.Rat).Quo(most(s.Now.Total.abs(), s.Before.Total.abs()).rat(), rat(changePart))
	var list []change
	for key, v := range values {
		c := change{about: Subject{string(s.Now.Dimensions[0]), key}, now: v[0], before: v[1], apart: v[0].Sub(v[1]), all: all, own: s.Own}
		if isNamed(key) && c.apart.Sign() != 0 && c.apart.abs().rat().Cmp(least) >= 0 {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b change) int { return cmp.Or(b.apart.Cmp(a.apart), cmp.Compare(a.about.Key, b.about.Key)) })
	var told []change
	if n := len(list); n > 0 && list[0].apart.Sign() > 0 {
		told = append(told, list[0])
	}
	if n := len(list); n > 0 && list[n-1].apart.Sign() < 0 {
		told = append(told, list[n-1])
	}
	return told
}

// moved is the finding that a value changed.
func (q *ChangeQuestion) moved(c *change) Insight {
	in := Insight{Rule: RuleChange, Tone: Good, About: []Subject{c.about}}
	if c.apart.Sign() < 0 {
		in.Tone = Bad
	}
	before, who := daysBefore(q.Days), named(q.Contract, c.about)
	if c.own != "" && c.about.Dimension != string(Partner) {
		who += " of " + partnerName(q.Contract, c.own)
	}
	in.Text = fmt.Sprintf("%s is credited with %s of %s", capital(who), q.amount(c.now), measureName(q.Measure))
	switch {
	case c.before.Sign() == 0:
		in.Text += ", after none in " + before
	case c.before.Sign() > 0:
		in.Text += fmt.Sprintf(", %s than in %s (%s)", q.more(c.apart), before, Delta(c.now, c.before))
	default: // corrections can make it less than nothing
		in.Text += fmt.Sprintf(", %s than in %s", q.more(c.apart), before)
	}
	if c.own == "" && c.all.Sign() != 0 {
		verb := "rose"
		if c.all.Sign() < 0 {
			verb = "fell"
		}
		in.Text += fmt.Sprintf("; the total %s by %s", verb, q.amount(c.all.abs()))
	}
	in.Text += "."
	kind := MoneyColumn
	if q.Currency == "" {
		kind = CountColumn
	}
	for _, e := range []struct {
		name  string
		value Value
	}{{"credit", c.now}, {"credit before", c.before}, {"change", c.apart}} {
		in.Evidence = append(in.Evidence, Evidence{Name: e.name, Value: e.value.Text(q.Places), Kind: kind, Currency: q.Currency})
	}
	if q.Currency != "" {
		in.Stake = c.apart.abs().Text(q.Places)
	}
	return in
}

// contributors are the partners that reached most of the measure, with what their targets
// expect of it: over the whole campaign where there is such a pace, else in the last period.
func (q *ChangeQuestion) contributors() []Insight {
	var list []*Pace
	for i := range q.Paces {
		p := &q.Paces[i]
		if p.Measure != q.Measure || p.Partner == "" || p.Expected.Sign() <= 0 || p.Reached.Sign() == 0 {
			continue
		}
		at := slices.IndexFunc(list, func(of *Pace) bool { return of.Partner == p.Partner })
		switch {
		case at < 0:
			list = append(list, p)
		case list[at].Over != OverCampaign && (p.Over == OverCampaign || p.Goal.Period.From > list[at].Goal.Period.From):
			list[at] = p
		}
	}
	slices.SortFunc(list, func(a, b *Pace) int { return cmp.Or(b.Reached.Cmp(a.Reached), cmp.Compare(a.Partner, b.Partner)) })
	var out []Insight
	for _, p := range list[:min(len(list), contributorsTold)] {
		part, _ := PercentOf(p.Reached, p.Expected)
		in := p.insight(RuleChange)
		in.About = []Subject{{string(Partner), p.Partner}}
		in.Text = fmt.Sprintf("%s reached %s of %s by %s, %s of the %s that its target expects by then.%s",
			capital(partnerName(q.Contract, p.Partner)), p.amount(p.Reached), measureName(p.Measure), min(p.Day, p.Goal.Period.To), part, p.amount(p.Expected), p.ends())
		out = append(out, in)
	}
	return out
}

func (q *ChangeQuestion) amount(v Value) string {
	if q.Currency == "" {
		return Count(v)
	}
	return Money(v, q.Currency)
}

// more is how much more or less something is.
func (q *ChangeQuestion) more(v Value) string {
	if v.Sign() < 0 {
		return q.amount(v.abs()) + " less"
	}
	return q.amount(v) + " more"
}

// daysBefore is the days that a window of so many days is held against.
func daysBefore(days int) string {
	if days == 1 {
		return "the day before"
	}
	return "the " + Number(days) + " days before"
}
