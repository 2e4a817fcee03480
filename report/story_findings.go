package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/money"
)

// The rules of findings that are made of what is watched and said, not of the numbers.
const (
	RuleGuardrail = "guardrail"
	RuleTarget    = "target"
	RuleEscrow    = "escrow"
)

// The bounds of a story: what is more is in the sections and tables behind it.
const (
	driversMax  = 3 // as many as people remember of a meeting
	findingsMax = 8 // of the insights among the risks, and among the opportunities
	namesMax    = 3 // of those in a list in a sentence
)

// headline is one sentence: what of, when, how much, and against what.
func (t *teller) headline() string {
	p, q := t.p, &t.p.Question
	name := cmp.Or(p.Name, p.Campaign)
	when := "on all days up to " + t.in.Day.String()
	if q.From != "" {
		when = fmt.Sprintf("from %s to %s", q.From, q.To)
	}
	if q.From == q.To && q.From != "" {
		when = "on " + q.From
	}
	if p.Empty != "" {
		return fmt.Sprintf("%s has nothing to report %s: %s.", name, when, strings.TrimSuffix(p.Empty, "."))
	}
	m := t.main()
	if m == nil {
		if t.p.Withheld {
			return fmt.Sprintf("%s, %s: the totals are %s.", name, when, withheld)
		}
		return fmt.Sprintf("%s has no figures %s.", name, when)
	}
	what := measureName(m.Measure)
	if m.Measure == attribution.MeasurePipelineCreated {
		what = "pipeline"
	}
	text := fmt.Sprintf("%s brought %s of %s %s", name, t.amount(*m.Value, m.Currency), what, when)
	if m.Currency == "" {
		text = fmt.Sprintf("%s brought %s %s", name, t.counted(m), when)
	}
	switch {
	case m.Previous == nil:
	case m.Previous.Sign() == 0 && m.Value.Sign() > 0:
		text += ", after none in " + t.before()
	default:
		text += ", " + Delta(*m.Value, *m.Previous) + " on " + t.before()
	}
	if pace := t.pace(m.Measure); pace != nil {
		reached := t.amount(pace.Reached, pace.Currency)
		if part, ok := PercentOf(pace.Reached, pace.Expected); ok {
			reached = part
		}
		text += fmt.Sprintf("; toward the target of %s it stands at %s of the %s expected by now", pace.Goal.Period.To, reached, t.amount(pace.Expected, pace.Currency))
	}
	if red := t.reds(); red > 0 {
		text += fmt.Sprintf(", and %s red", Counted(red, "guardrail is", "guardrails are"))
	}
	return text + "."
}

// before is the days that the window is held against.
func (t *teller) before() string {
	from, err := money.ParseDay(t.p.Question.From)
	to, err2 := money.ParseDay(t.p.Question.To)
	if err != nil || err2 != nil {
		return "as many days before"
	}
	return daysBefore((Span{from, to}).Days())
}

// counted is a measure of things with how many.
func (t *teller) counted(m *StoryMeasure) string {
	n := Count(*m.Value)
	switch m.Measure {
	case attribution.MeasureOpportunities:
		if n == "1" {
			return "1 opportunity"
		}
	case attribution.MeasureWon:
		if n == "1" {
			return "1 deal won"
		}
	}
	return n + " " + measureName(m.Measure)
}

// main is the measure that the headline is about: the first of revenue, pipeline, deals and
// milestones, the latest first, of which there is some; where there is none of any, the
// first that is not withheld.
func (t *teller) main() *StoryMeasure {
	order := []string{attribution.MeasureRevenue, attribution.MeasurePipelineCreated, attribution.MeasureOpportunities}
	milestones := slices.Clone(t.in.Contract.Milestones)
	slices.Reverse(milestones)
	var first *StoryMeasure
	for _, name := range append(order, milestones...) {
		m := t.measure(name)
		if m == nil || m.Value == nil {
			continue
		}
		if m.Value.Sign() != 0 {
			return m
		}
		if first == nil {
			first = m
		}
	}
	return first
}

// reds is how many guardrails have a subject that is red.
func (t *teller) reds() int {
	names := map[string]bool{}
	for _, g := range t.in.Guarded {
		if g.Band == contract.BandRed {
			names[g.Guardrail] = true
		}
	}
	return len(names)
}

// byStake orders findings by what is at stake, the largest first, then by how unlikely
// they are by chance, then as they were found.
func byStake(list []Insight) []Insight {
	at := func(text string, none Value) Value {
		if v, err := ParseValue(text); err == nil {
			return v
		}
		return none
	}
	sorted := slices.Clone(list)
	one := ValueOf(1, 0)
	slices.SortStableFunc(sorted, func(a, b Insight) int {
		return cmp.Or(at(b.Stake, Value{}).Cmp(at(a.Stake, Value{})), at(a.Chance, one).Cmp(at(b.Chance, one)))
	})
	return sorted
}

// drives is how near a finding is to why the numbers are what they are, the nearest first:
// what deviates from what was to be expected, what changed, what differs, and last who is
// first, as somebody always is; false for what says nothing of it.
func (t *teller) drives(in *Insight) (int, bool) {
	switch in.Rule {
	case RulePacing, RuleAnomaly, RuleDropOff:
		return 0, true
	case RuleChange:
		return 1, true
	case RuleOutlier:
		return 2, true
	case RuleTop: // who is first moved nothing, where it is known what did
		return 3, !slices.ContainsFunc(t.p.Insights, func(in Insight) bool { return in.Rule == RuleChange })
	}
	return 0, false
}

// drivers are the findings that say most of why the numbers are what they are: welcome or
// not, of distinct subjects, the nearest first, of these the ones with the most at stake.
func (t *teller) drivers() []Insight {
	out := []Insight{}
	seen := map[Subject]bool{}
	list := slices.DeleteFunc(byStake(t.p.Insights), func(in Insight) bool {
		_, drives := t.drives(&in)
		return !drives
	})
	slices.SortStableFunc(list, func(a, b Insight) int {
		first, _ := t.drives(&a)
		second, _ := t.drives(&b)
		return cmp.Compare(first, second)
	})
	for _, in := range list {
		if len(out) == driversMax {
			break
		}
		if in.Tone == Neutral || slices.ContainsFunc(in.About, func(s Subject) bool { return seen[s] }) {
			continue
		}
		for _, s := range in.About {
			seen[s] = true
		}
		out = append(out, in)
	}
	return out
}

// risks are guardrails that are not kept, the red ones first, targets that are behind,
// what is in escrow, the findings that are not welcome, and feeds that cannot be relied on.
func (t *teller) risks() []Insight {
	out := append(append([]Insight{}, t.breaches()...), t.behind()...)
	if in, ok := t.escrow(); ok {
		out = append(out, in)
	}
	return append(out, t.toned(Bad)...)
}

// behind are the targets of all together that are behind what they expect by now, and that
// no finding tells: of few deals a miss may be chance, and is one all the same.
func (t *teller) behind() []Insight {
	var out []Insight
	for i := range t.in.Paces {
		p := &t.in.Paces[i]
		if p.Partner != "" || p.Status != Behind || t.pace(p.Measure) != p || p.Over != OverPeriod {
			continue
		}
		about := Subject{"measure", p.Measure}
		if slices.ContainsFunc(t.p.Insights, func(in Insight) bool {
			return in.Rule == RulePacing && len(in.About) == 1 && in.About[0] == about
		}) {
			continue
		}
		in := p.insight(RuleTarget)
		in.Text = fmt.Sprintf("The target of %s is behind: %s of the %s expected by now.%s",
			measureName(p.Measure), t.amount(p.Reached, p.Currency), t.amount(p.Expected, p.Currency), p.ends())
		out = append(out, in)
	}
	slices.SortFunc(out, func(a, b Insight) int { return cmp.Compare(a.About[0].Key, b.About[0].Key) })
	return byStake(out)
}

func (t *teller) opportunities() []Insight { return append([]Insight{}, t.toned(Good)...) }

func (t *teller) toned(tone Tone) []Insight {
	// What changed is told as a driver; what it makes likely is for the others to say.
	list := slices.DeleteFunc(byStake(t.p.Insights), func(in Insight) bool { return in.Tone != tone || in.Rule == RuleChange })
	return list[:min(len(list), findingsMax)]
}

// breaches has one finding for each guardrail that is not kept, of all its subjects.
func (t *teller) breaches() []Insight {
	var out []Insight
	for _, band := range []contract.Band{contract.BandRed, contract.BandAmber} {
		byName := map[string][]*Guarded{}
		var names []string
		for i := range t.in.Guarded {
			g := &t.in.Guarded[i]
			if g.Band != band {
				continue
			}
			if byName[g.Guardrail] == nil {
				names = append(names, g.Guardrail)
			}
			byName[g.Guardrail] = append(byName[g.Guardrail], g)
		}
		slices.Sort(names)
		for _, name := range names {
			out = append(out, t.breach(band, byName[name]))
		}
	}
	return out
}

func (t *teller) breach(band contract.Band, of []*Guarded) Insight {
	slices.SortFunc(of, func(a, b *Guarded) int {
		return cmp.Or(cmp.Compare(a.Since, b.Since), cmp.Compare(a.Subject, b.Subject))
	})
	first := of[0]
	rail := t.in.Contract.Guardrail(first.Guardrail)
	in := Insight{Rule: RuleGuardrail, Tone: Bad}
	for _, g := range of {
		subject := Subject{"guardrail", g.Guardrail}
		if g.Subject != "" {
			subject = Subject{subjectOf(g.Guardrail), g.Subject}
		}
		in.About = append(in.About, subject)
		in.Evidence = append(in.Evidence, Evidence{
			Name: cmp.Or(g.Subject, railName(g.Guardrail)), Value: unitText(rail.Unit, g.Value), Kind: TextColumn,
		})
	}
	value, bounds := unitText(rail.Unit, first.Value), boundsText(rail)
	switch {
	case len(of) > 1:
		var names []string
		for _, g := range of {
			names = append(names, fmt.Sprintf("%s at %s", t.subjectText(g.Subject), unitText(rail.Unit, g.Value)))
		}
		in.Text = fmt.Sprintf("%s is %s for %d %ss: %s (%s).", capital(railName(first.Guardrail)), band, len(of), subjectOf(first.Guardrail), inWords(names), bounds)
	case first.Subject != "":
		in.Text = fmt.Sprintf("%s of %s %s: %s (%s).", capital(railName(first.Guardrail)), t.subjectText(first.Subject), stands(first), value, bounds)
	default:
		in.Text = fmt.Sprintf("%s %s: %s (%s).", capital(railName(first.Guardrail)), stands(first), value, bounds)
	}
	return in
}

// stands is the band of a guardrail, and since when.
func stands(g *Guarded) string {
	if g.Since == 0 {
		return "is " + string(g.Band)
	}
	return fmt.Sprintf("has been %s since %s", g.Band, g.Since)
}

// subjectOf is the dimension of a guardrail's subjects.
func subjectOf(guardrail string) string {
	switch guardrail {
	case contract.GuardFreshness, contract.GuardCompleteness, contract.GuardControlTotals:
		return "feed"
	}
	return "measure"
}

// subjectText is the subject of a guardrail: a feed as it is called, or a measure, of one
// partner behind a slash.
func (t *teller) subjectText(subject string) string {
	if strings.Contains(subject, ".") {
		return subject
	}
	measure, partner, one := strings.Cut(subject, "/")
	if one {
		return measureName(measure) + " of " + partnerName(t.in.Contract, partner)
	}
	return measureName(measure)
}

// inWords are names in a sentence, of many the first few and how many more.
func inWords(names []string) string {
	switch n := len(names); {
	case n == 0:
		return ""
	case n == 1:
		return names[0]
	case n > namesMax:
		return strings.Join(names[:namesMax], ", ") + fmt.Sprintf(" and %d more", n-namesMax)
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// escrow is what disputes hold.
func (t *teller) escrow() (Insight, bool) {
	n := len(t.in.Disputes)
	if n == 0 {
		return Insight{}, false
	}
	in := Insight{Rule: RuleEscrow, Tone: Bad}
	var sum Value
	known := false
	var partners []string
	for _, d := range t.in.Disputes {
		in.About = append(in.About, Subject{"dispute", d.ID})
		partners = append(partners, d.Partner)
		if d.Escrow != nil {
			known, sum = true, sum.Add(*d.Escrow)
			in.Evidence = append(in.Evidence, Evidence{Name: d.ID, Value: d.Escrow.Text(t.in.Contract.Exponent), Kind: MoneyColumn, Currency: t.in.Contract.Currency})
		}
	}
	slices.Sort(partners)
	partners = slices.Compact(partners)
	in.Text = fmt.Sprintf("%s open, of %s", Counted(n, "dispute is", "disputes are"), t.names(partners))
	if known {
		in.Stake = sum.Text(t.in.Contract.Exponent)
		verb := "hold"
		if n == 1 {
			verb = "holds"
		}
		in.Text = fmt.Sprintf("%s of %s %s %s in escrow", Counted(n, "open dispute", "open disputes"), t.names(partners), verb, Money(sum, t.in.Contract.Currency))
	}
	in.Text += "."
	return in, true
}
