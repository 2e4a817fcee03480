package plan

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"tracksource/report"
)

// The measures of success.
const (
	metricConfidence = "attribution_confidence"
	metricSLA        = "sla_adherence"
	metricOpen       = "disputes_open"
	metricResolved   = "disputes_resolved"
	metricResolution = "time_to_resolve"
	metricSurvey     = "survey_score"
)

// The states of a metric.
const (
	statePending  = "pending"
	stateMet      = "met"
	stateMissed   = "missed"
	stateNoTarget = "no_target"
	stateNoData   = "no_data"
)

// confidenceTarget is that of contracts that say nothing else, of one.
const confidenceTarget = "0.8"

// kpiConfidence is the key figure of a package that tells the confidence in its credits.
const kpiConfidence = "confidence"

// Measured is the value of a metric of the whole campaign, empty without one.
func (p *Plan) Measured(metric string) string {
	for _, m := range p.TrackSource.SuccessMetrics {
		if m.Metric == metric && m.Subject == "" {
			return m.Value
		}
	}
	return ""
}

func pendingMetrics(last *Plan) []Metric {
	target := confidenceTarget
	if last != nil {
		for _, m := range last.TrackSource.SuccessMetrics {
			if m.Metric == metricConfidence && m.Target != "" {
				target = m.Target
			}
		}
	}
	return []Metric{
		{Metric: metricConfidence, Unit: "share", Target: target, State: statePending},
		{Metric: metricSLA, Unit: "share", Target: "1", State: statePending},
		{Metric: metricOpen, Unit: "count", Target: "0", State: statePending},
		{Metric: metricResolved, Unit: "count", State: statePending},
		{Metric: metricResolution, Unit: "hours", State: statePending},
		{Metric: metricSurvey, Unit: "score", State: statePending},
	}
}

func metricsOf(pkg *report.Package, g *Governance) []Metric {
	out := []Metric{confidenceOf(pkg), slaOf(pkg, g)}
	if g != nil {
		for _, s := range g.Satisfaction {
			out = append(out, satisfactionOf(s)...)
		}
		if len(g.Satisfaction) > 0 {
			return out
		}
	}
	return append(out, disputesOf(pkg)...)
}

// judged is a metric with its state: met is whether the value is on the target's good
// side.
func judged(m Metric, atMost bool) Metric {
	m.Value, m.Target = decimal(m.Value), decimal(m.Target)
	value, err := report.ParseValue(m.Value)
	target, bad := report.ParseValue(m.Target)
	switch {
	case err != nil:
		m.State = stateNoData
	case bad != nil:
		m.State = stateNoTarget
	case atMost && value.Cmp(target) <= 0, !atMost && value.Cmp(target) >= 0:
		m.State = stateMet
	default:
		m.State = stateMissed
	}
	return m
}

// confidenceOf is what the package's key figure says, with the contract's target.
func confidenceOf(pkg *report.Package) Metric {
	m := Metric{Metric: metricConfidence, Unit: "share", Target: confidenceTarget, Detail: "nothing in the window says how sure it is"}
	i := slices.IndexFunc(pkg.Spine, func(k report.KPI) bool { return k.ID == kpiConfidence })
	if i < 0 {
		return judged(m, false)
	}
	m.Target = cmp.Or(pkg.Spine[i].Target, m.Target)
	if m.Value = pkg.Spine[i].Value; m.Value != "" {
		m.Detail = "of what is attributed"
	}
	return judged(m, false)
}

func slaOf(pkg *report.Package, g *Governance) Metric {
	m := Metric{Metric: metricSLA, Unit: "share", Target: "1"}
	kept := 0
	for _, f := range pkg.Observed.Feeds {
		if f.Fresh && f.Complete {
			kept++
		}
	}
	n := len(pkg.Observed.Feeds)
	if n == 0 {
		m.Detail = "no feed was seen"
		return judged(m, false)
	}
	m.Value = share(kept, n)
	m.Detail = strconv.Itoa(kept) + " of " + strconv.Itoa(n) + " feeds are within their limits of freshness and completeness"
	if g != nil && g.SLA.FeedDays != "" && g.SLA.FeedDays != "0" {
		m.Detail += "; over days that have ended, " + clip(g.SLA.Kept) + " of " + clip(g.SLA.FeedDays) + " feed days were"
	}
	return judged(m, false)
}

// share is a part of a whole, of one, with four decimal places, rounded down so that
// only the whole is 1.
func share(part, whole int) string {
	const parts = 10_000
	digits := strconv.Itoa(part * parts / whole)
	if digits == strconv.Itoa(parts) {
		return "1"
	}
	for len(digits) < 4 {
		digits = "0" + digits
	}
	return "0." + digits
}

// satisfactionOf is how content one partner can be, as the reporter measures it.
func satisfactionOf(s Satisfaction) []Metric {
	m := []Metric{
		{Metric: metricOpen, Unit: "count", Target: "0", Value: s.Open},
		{Metric: metricResolved, Unit: "count", Value: s.Settled},
		{Metric: metricResolution, Unit: "hours", Detail: "no dispute was resolved"},
		{Metric: metricSurvey, Unit: "score", Detail: "no survey was answered"},
	}
	if s.Withdrawn != "" && s.Withdrawn != "0" {
		m[1].Detail = clip(s.Withdrawn) + " more withdrawn"
	}
	if s.MedianHours != nil {
		m[2].Value, m[2].Detail = *s.MedianHours, "median"
	}
	if s.Score != nil {
		m[3].Value, m[3].Detail = *s.Score, "of 10, on "+clip(s.ScoreDay)
	}
	for i := range m {
		m[i].Subject = clip(s.Partner)
		m[i] = judged(m[i], true)
	}
	return m
}

// disputesOf counts the disputes that the package tells of, where nobody could be asked
// who is content.
func disputesOf(pkg *report.Package) []Metric {
	const only = "of the disputes that the package tells of"
	m := []Metric{
		{Metric: metricOpen, Unit: "count", Target: "0", Detail: only},
		{Metric: metricResolved, Unit: "count", Detail: only},
		{Metric: metricResolution, Unit: "hours", Detail: "no dispute was resolved"},
		{Metric: metricSurvey, Unit: "score", Detail: "no survey is known"},
	}
	if t := pkg.Table("disputes"); t != nil {
		open, resolved := 0, 0
		var took []time.Duration
		for _, row := range t.Rows {
			switch cell(t, row, "state") {
			case "open":
				open++
			case "upheld", "rejected":
				resolved++
				from, err := time.Parse(time.RFC3339, cell(t, row, "opened_at"))
				to, bad := time.Parse(time.RFC3339, cell(t, row, "settled_at"))
				if err == nil && bad == nil && !to.Before(from) {
					took = append(took, to.Sub(from))
				}
			}
		}
		m[0].Value, m[1].Value = strconv.Itoa(open), strconv.Itoa(resolved)
		if len(took) > 0 {
			slices.Sort(took)
			m[2].Value = strconv.FormatInt(int64(took[(len(took)-1)/2]/time.Hour), 10)
			m[2].Detail = "median, in whole hours"
		}
	}
	for i := range m {
		m[i] = judged(m[i], true)
	}
	return m
}
