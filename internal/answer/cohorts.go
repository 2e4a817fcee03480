package answer

import (
	"context"
	"strconv"

	"tracksource/attribution"
	"tracksource/report"
)

// Cohorts is what became of the deals of each month, and how long it took. The window
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
	out := CohortsAnswer{Cohorts: []Cohort{}, Velocity: []Velocity{}}
	if m := attribution.MeasureNamed(ask.Value.Measure()); !m.Count {
		out.Currency = of.campaign.Contract.Currency
	}
	for _, c := range report.Cohorts(deals, ask) {
		line := Cohort{Cohort: c.Text(), Group: c.Group, Size: strconv.Itoa(c.Size), Cells: []CohortCell{}}
		for _, cell := range c.Cells {
			rate, _ := report.Ratio(report.ValueOf(int64(cell.Count), 0), report.ValueOf(int64(c.Size), 0))
			line.Cells = append(line.Cells, CohortCell{cell.Age, strconv.Itoa(cell.Count), text(cell.Value, out.Currency), rate})
		}
		out.Cohorts = append(out.Cohorts, line)
	}
	for _, s := range report.Velocities(deals, ask, of.campaign.Contract.Milestones) {
		line := Velocity{From: s.From, To: s.To, Count: strconv.Itoa(s.Count)}
		if s.Count > 0 {
			line.MedianDays, line.P90Days = ref(strconv.Itoa(s.Median)), ref(strconv.Itoa(s.P90))
		}
		out.Velocity = append(out.Velocity, line)
	}
	out.Envelope = of.Envelope
	return out, nil
}

func (q *asked) cohortQuestion(of *Query) (report.CohortQuestion, error) {
	out := report.CohortQuestion{
		Within: q.window.Span, Zone: q.campaign.Contract.Zone, Today: q.today, Currency: q.campaign.Contract.Currency,
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
