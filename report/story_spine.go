package report

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"tracksource/attribution"
	"tracksource/contract"
)

// The tiles of the spine that are no guardrails.
const (
	TileAwareness    = "awareness"
	TileDemand       = "demand"
	TilePipeline     = "pipeline"
	TileRevenue      = "revenue"
	TileEfficiency   = "efficiency"
	TileSatisfaction = "satisfaction"
	TileSLA          = "sla_adherence"
)

// Why a tile has no value: somebody else may see it, or nobody can.
const (
	withheld = "withheld by the contract's visibility"
	noData   = "no data"
)

// spine are the key figures with their lights. Awareness is who came to the contract's
// first milestone, and demand who came to its second one, else the deals.
func (t *teller) spine() []KPI {
	awareness, demand := "", attribution.MeasureOpportunities
	if m := t.in.Contract.Milestones; len(m) > 0 {
		awareness = m[0]
		if len(m) > 1 {
			demand = m[1]
		}
	}
	var list []KPI
	if awareness != "" {
		list = append(list, t.measured(TileAwareness, "Awareness", awareness, contract.GuardReach))
	}
	list = append(list,
		t.measured(TileDemand, "Demand", demand, ""),
		t.measured(TilePipeline, "Pipeline", attribution.MeasurePipelineCreated, contract.GuardPipelineCoverage),
		t.measured(TileRevenue, "Revenue", attribution.MeasureRevenue, ""),
		t.figure(TileEfficiency, "CAC payback, months", KPICACPayback),
		t.figure(contract.GuardWinRate, "Win rate", KPIWinRate),
		t.confidence(), t.accuracy(), t.satisfaction(), t.adherence(),
	)
	for i := range list {
		list[i].Why = capital(list[i].Why)
	}
	return list
}

// measured is the tile of a measure over the window. Its light is the worse one of how it
// comes on toward its target, and of the guardrail that is named.
func (t *teller) measured(id, title, measure, guardrail string) KPI {
	k := KPI{ID: id, Title: title, Kind: CountColumn, Light: Grey, Why: "no target"}
	if id == TileAwareness || id == TileDemand {
		k.Title += ": " + measureName(measure) // whatever the contract calls it
	}
	m := t.measure(measure)
	if m == nil || m.Value == nil {
		k.Why = t.lacking()
		return k
	}
	places := 0
	if k.Currency = m.Currency; k.Currency != "" {
		k.Kind, places = MoneyColumn, t.in.Contract.Exponent
	}
	k.Value = m.Value.Text(places)
	if m.Previous != nil {
		k.Previous = m.Previous.Text(places)
	}
	if m.Target != nil && m.Expected != nil {
		k.Target, k.Expected = m.Target.Text(places), m.Expected.Text(places)
	}
	switch p := t.pace(measure); {
	case p != nil:
		k.Light, k.Why = lightOf(p.Status), t.paceText(p)
	case m.Target != nil && m.Expected != nil: // no period of the target is of today, but the window has its part of it
		k.Light = lightOf(StatusOf(*m.Value, *m.Expected))
		k.Why = "of its target on the window's days"
		if share, ok := PercentOf(*m.Value, *m.Expected); ok {
			k.Why = share + " of what its target expects on the window's days so far"
		}
	}
	if light, why := t.guarded(guardrail, ""); light.worse(k.Light) {
		k.Light, k.Why = light, why
	}
	return k
}

// lacking is why there is no number.
func (t *teller) lacking() string {
	if t.p.Withheld {
		return withheld
	}
	return noData
}

// worse reports whether a light is one to be told of before another one.
func (l Light) worse(than Light) bool {
	order := []Light{Grey, Green, Amber, Red}
	return slices.Index(order, l) > slices.Index(order, than)
}

func lightOf(s Status) Light {
	switch s {
	case Ahead:
		return Green
	case OnTrack:
		return Amber
	case Behind:
		return Red
	case NoGoal:
	}
	return Grey
}

func (t *teller) measure(name string) *StoryMeasure {
	i := slices.IndexFunc(t.in.Measures, func(m StoryMeasure) bool { return m.Measure == name })
	if i < 0 {
		return nil
	}
	return &t.in.Measures[i]
}

// pace is that of all partners toward the goal in whose period the day is, of several the
// one that ends first; nil without one.
func (t *teller) pace(measure string) *Pace {
	var found *Pace
	for i := range t.in.Paces {
		p := &t.in.Paces[i]
		if p.Measure != measure || p.Partner != "" || p.Over != OverPeriod || p.Status == NoGoal || !p.Goal.Period.Holds(t.in.Day) {
			continue
		}
		if found == nil || p.Goal.Period.To < found.Goal.Period.To {
			found = p
		}
	}
	return found
}

func (t *teller) paceText(p *Pace) string {
	return fmt.Sprintf("%s reached since %s, %s expected by now of the %s by %s",
		t.amount(p.Reached, p.Currency), p.Goal.Period.From, t.amount(p.Expected, p.Currency), t.amount(p.Goal.Amount, p.Currency), p.Goal.Period.To)
}

func (t *teller) amount(v Value, currency string) string {
	if currency == "" {
		return Count(v)
	}
	return Money(v, currency)
}

// guarded is the light of a guardrail and why.
func (t *teller) guarded(guardrail, subject string) (Light, string) {
	i := slices.IndexFunc(t.in.Guarded, func(g Guarded) bool { return g.Guardrail == guardrail && g.Subject == subject })
	if guardrail == "" || i < 0 {
		return Grey, ""
	}
	g := &t.in.Guarded[i]
	switch g.Band {
	case contract.BandGreen:
		return Green, t.bandText(g)
	case contract.BandAmber:
		return Amber, t.bandText(g)
	case contract.BandRed:
		return Red, t.bandText(g)
	}
	return Grey, g.Detail
}

// bandText says how a guardrail stands against its bounds.
func (t *teller) bandText(g *Guarded) string {
	rail := t.in.Contract.Guardrail(g.Guardrail)
	name := railName(g.Guardrail)
	if g.Subject != "" {
		name += " of " + t.subjectText(g.Subject)
	}
	text := fmt.Sprintf("%s is %s (%s)", name, unitText(rail.Unit, g.Value), boundsText(rail))
	if g.Band != contract.BandGreen && g.Since != 0 {
		text += fmt.Sprintf("; it has been %s since %s", g.Band, g.Since)
	}
	return text
}

// boundsText is what a guardrail asks for.
func boundsText(rail contract.Guardrail) string {
	return rail.Bounds(unitText(rail.Unit, rail.Target), unitText(rail.Unit, rail.Limit))
}

// railName is a guardrail in the middle of a sentence.
func railName(name string) string {
	switch name {
	case contract.GuardCACPayback:
		return "CAC payback"
	case contract.GuardReach:
		return "the difference from the planned reach"
	}
	return strings.ReplaceAll(name, "_", " ")
}

// unitText is a value of a guardrail with its unit.
func unitText(u contract.Unit, value int64) string {
	switch u {
	case contract.UnitHours:
		return Counted(int(value), "hour", "hours")
	case contract.UnitMonths:
		text := plain(big.NewRat(value, contract.RatioWhole), 1)
		if text == "1" {
			return "1 month"
		}
		return text + " months"
	case contract.UnitTimes:
		return Times(big.NewRat(value, contract.RatioWhole))
	case contract.UnitPercent:
	}
	return plain(big.NewRat(100*value, contract.RatioWhole), 2) + "%"
}

// figure is the tile of a key figure with its guardrail.
func (t *teller) figure(id, title, kpi string) KPI {
	k := KPI{ID: id, Title: title, Kind: CountColumn, Light: Grey, Why: noData}
	i := slices.IndexFunc(t.in.Figures, func(f Figure) bool { return f.KPI == kpi })
	if i < 0 {
		k.Why = t.lacking()
		return k
	}
	f := &t.in.Figures[i]
	if f.Unit == string(contract.UnitPercent) {
		k.Kind = RatioColumn
	}
	if f.Ratio == nil {
		k.Why = "no data for want of " + f.Missing
		return k
	}
	k.Value, k.Why = ratioText(f.Ratio), f.Detail
	if k.Kind == CountColumn {
		k.Value = f.Text(t.in.Contract.Exponent)
	}
	if f.Guarded(t.in.Contract) {
		rail := t.in.Contract.Guardrail(kpi)
		reading := f.Reading(t.in.Contract)
		g := Guarded{Reading: reading, Band: rail.Judge(reading.Value)}
		k.Light = Light(g.Band)
		k.Why = t.bandText(&g) + ": " + f.Detail
		if !rail.AtMost { // of what is to stay below it, how much of it is reached says nothing
			k.Target = ratioText(big.NewRat(rail.Target, contract.RatioWhole))
		}
	}
	return k
}

// ratioText is a ratio with the places that tables have, four, rounded half away from
// zero and without those that are zero.
func ratioText(r *big.Rat) string {
	v, err := ParseValue(r.FloatString(4))
	if err != nil {
		return ""
	}
	return v.Text(0)
}

func (t *teller) confidence() KPI {
	k := KPI{ID: contract.GuardConfidence, Title: "Attribution confidence", Kind: RatioColumn, Light: Grey, Why: "no data: nothing is attributed"}
	rail := t.in.Contract.Guardrail(contract.GuardConfidence)
	k.Target = ratioText(big.NewRat(rail.Target, contract.RatioWhole))
	if t.in.Confidence == nil {
		return k
	}
	k.Value = ratioText(t.in.Confidence)
	g := Guarded{Reading: reading(rail, "", t.in.Confidence, "")}
	g.Band = rail.Judge(g.Value)
	k.Light, k.Why = Light(g.Band), t.bandText(&g)
	return k
}

func (t *teller) accuracy() KPI {
	k := KPI{ID: contract.GuardAccuracy, Title: "Accuracy", Kind: RatioColumn, Light: Grey, Why: "no day was evaluated yet"}
	rail := t.in.Contract.Guardrail(contract.GuardAccuracy)
	k.Target = ratioText(big.NewRat(rail.Target, contract.RatioWhole))
	i := slices.IndexFunc(t.in.Guarded, func(g Guarded) bool { return g.Guardrail == contract.GuardAccuracy })
	if i < 0 {
		return k
	}
	if g := &t.in.Guarded[i]; g.Known {
		k.Value = ratioText(big.NewRat(g.Value, contract.RatioWhole))
	}
	k.Light, k.Why = t.guarded(contract.GuardAccuracy, "")
	return k
}

// satisfaction has the mean of each partner's newest score. There is no guardrail of it:
// its light is green where there are scores and no dispute is open, else of the disputes, red of one that nobody resolved for as long
// as a breach stays on a rung of the ladder.
func (t *teller) satisfaction() KPI {
	k := KPI{ID: TileSatisfaction, Title: "Partner satisfaction, of 10", Kind: CountColumn, Light: Grey}
	var sum Value
	scores := 0
	for _, s := range t.in.Satisfaction {
		if s.Surveys > 0 {
			sum = sum.Add(s.Newest.Score)
			scores++
		}
	}
	why := []string{"nobody has answered a survey"}
	if scores > 0 {
		k.Value, k.Light = sum.over(scores).round(1).Text(0), Green
		why[0] = fmt.Sprintf("the newest scores of %s", Counted(scores, "partner", "partners"))
	}
	oldest := t.in.Day
	for _, d := range t.in.Disputes {
		oldest = min(oldest, d.Opened)
	}
	switch open := len(t.in.Disputes); open {
	case 0:
		why = append(why, "no dispute is open")
	case 1:
		k.Light = Amber
		why = append(why, "1 dispute is open, since "+oldest.String())
	default:
		k.Light = Amber
		why = append(why, Counted(open, "dispute is open", "disputes are open")+", the oldest since "+oldest.String())
	}
	if k.Light == Amber && int(t.in.Day-oldest) > t.in.Contract.Escalation.ClimbDays {
		k.Light = Red
	}
	k.Why = strings.Join(why, "; ")
	return k
}

// adherence is how much of the time feeds were as new and as complete as agreed, with the
// worst light of the feeds as they are.
func (t *teller) adherence() KPI {
	k := KPI{ID: TileSLA, Title: "SLA adherence", Kind: RatioColumn, Light: Grey, Why: "no feed was evaluated yet"}
	if share := t.in.Adherence.Share(); share != nil {
		k.Value = ratioText(share)
		k.Why = fmt.Sprintf("feeds were as agreed on %s of %s", Number(t.in.Adherence.Kept), Counted(t.in.Adherence.Days, "feed day", "feed days"))
	}
	for _, g := range t.in.Guarded {
		if g.Guardrail != contract.GuardFreshness && g.Guardrail != contract.GuardCompleteness {
			continue
		}
		if light, why := t.guarded(g.Guardrail, g.Subject); light.worse(k.Light) {
			k.Light = light
			if light != Green {
				k.Why = why
			}
		}
	}
	return k
}
