package answer

import (
	"context"
	"strconv"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/report"
)

// Cohorts is what became of the deals of each cohort, and how long it took. The window
// is of the day that puts a deal into its cohort.
func (a *Answers) Cohorts(ctx context.Context, v report.Viewer, q Query) (CohortsAnswer, error) {
	of, err := a.ask(v, &q)
	if err != nil {
		return CohortsAnswer{}, err
	}
	if q.Window == "" && q.From == "" && q.To == "" {
		q.Window = report.WindowAll // few months say nothing of what becomes of deals
	}
	if err := of.readWindow(&q); err != nil {
		return CohortsAnswer{}, err
	}
	ask, err := of.cohortQuestion(&q)
	if err != nil {
		return CohortsAnswer{}, err
	}
	deals := []report.Deal{}
	if err := of.deals(ctx, func(d *report.Deal) error {
		deals = append(deals, *d)
		return nil
	}); err != nil {
		return CohortsAnswer{}, err
	}
	if ask.Targets, err = of.cohortTargets(&ask); err != nil {
		return CohortsAnswer{}, err
	}
	c := of.campaign.Contract
	out := CohortsAnswer{Kind: string(ask.Kind), Months: ask.Kind.IsMonth(), Cohorts: []Cohort{}, Velocity: []Velocity{}, AmountsCurrency: c.Currency}
	if m := attribution.MeasureNamed(ask.Value.Measure()); !m.Count {
		out.Currency = c.Currency
	}
	list := report.Cohorts(report.Listed(deals), ask)
	if over := len(list) - cohortsMax; over > 0 {
		out.LeftOut = over
		if ask.Kind.IsMonth() {
			list = list[over:] // the oldest go
		}
		list = list[:cohortsMax]
	}
	for i := range list {
		out.Cohorts = append(out.Cohorts, cohort(&list[i], out.Currency, c))
	}
	for _, s := range report.Velocities(report.Listed(deals), ask, of.campaign.Contract.Milestones) {
		line := Velocity{From: s.From, To: s.To, Count: strconv.Itoa(s.Count)}
		if s.Count > 0 {
			line.MedianDays, line.P90Days = ref(strconv.Itoa(s.Median)), ref(strconv.Itoa(s.P90))
		}
		out.Velocity = append(out.Velocity, line)
	}
	out.Envelope = of.Envelope
	return out, nil
}

// cohortsMax bounds an answer: lead sources are whatever people write.
const cohortsMax = 1000

// cohort is one line of the answer, its cells' values in a currency, empty for counts.
func cohort(c *report.Cohort, currency string, of *contract.Contract) Cohort {
	known := func(text string, ok bool) *string {
		if !ok {
			return nil
		}
		return &text
	}
	line := Cohort{
		Cohort: c.Key, Group: c.Group, Size: strconv.Itoa(c.Size), Decided: strconv.Itoa(c.Decided()), Won: strconv.Itoa(c.Won), Lost: strconv.Itoa(c.Lost),
		WinRate: known(c.WinRate()), ContractValue: known(c.ContractValue(of.Exponent)), Coverage: known(c.Coverage()),
		Revenue: c.Revenue.Text(of.Exponent), Pipeline: c.Pipeline.Text(of.Exponent), PipelineOpen: c.Open.Text(of.Exponent), Cells: []CohortCell{},
	}
	if c.Timed > 0 {
		line.MedianDays, line.P90Days = ref(strconv.Itoa(c.Median)), ref(strconv.Itoa(c.P90))
	}
	for i := range c.Cells {
		cell := &c.Cells[i]
		line.Cells = append(line.Cells, CohortCell{cell.Age, strconv.Itoa(cell.Of), strconv.Itoa(cell.Count), text(cell.Value, currency), cell.RateText()})
	}
	return line
}

// cohortTargets are those that coverage is held against. Who sees its own rows has no
// deals to hold against the quota of all.
func (q *asked) cohortTargets(of *report.CohortQuestion) ([]report.Target, error) {
	if q.sight == report.SeesOwn && of.Kind != report.CohortPartner && of.By != "sourced" {
		return nil, nil
	}
	return q.targets()
}

func (q *asked) cohortQuestion(of *Query) (report.CohortQuestion, error) {
	out := report.CohortQuestion{
		Within: q.window.Span, Today: q.today, Contract: q.campaign.Contract,
	}
	var kinds, values []string
	for _, k := range report.CohortKinds() {
		kinds = append(kinds, string(k))
	}
	for _, v := range report.CohortValues() {
		values = append(values, string(v))
	}
	kind, err := one("cohort", of.Cohort, kinds)
	if err != nil {
		return out, err
	}
	value, err := one("value", of.Value, values)
	if err != nil {
		return out, err
	}
	if _, err := one("by", first(of.By), append([]string{""}, report.CohortBys()...)); err != nil || len(of.By) > 1 {
		return out, &Error{Parameter: "by", Detail: "cohorts are told apart by one of these", Allowed: report.CohortBys()}
	}
	out.Kind, out.Value, out.By = report.CohortKind(kind), report.CohortValue(value), first(of.By)
	return out, nil
}
