package answer

import (
	"slices"
	"strings"

	"tracksource/attribution"
	"tracksource/money"
	"tracksource/report"
)

// packageSeriesMax is how many series are told apart over time: more colours nobody
// tells apart.
const packageSeriesMax = 8

// packageStep is how a window is cut for a series: into not more steps than a page has
// room for.
func packageStep(span report.Span) report.Step {
	const dayMost, weekMost = 45, 270
	switch n := span.Days(); {
	case n <= dayMost:
		return report.ByDay
	case n <= weekMost:
		return report.ByWeek
	}
	return report.ByMonth
}

// overTime is the main measure over time, by partner and by channel.
func (p *packaging) overTime() error {
	if err := p.series("timeseries", report.Partner); err != nil || p.p.Question.Detail == report.Summary {
		return err
	}
	return p.series("timeseries_channels", report.Channel)
}

func (p *packaging) series(id string, d report.Dimension) error {
	f, err := p.figures(p.main, p.askFor(report.Day, d))
	if err != nil {
		return err
	}
	span := p.spanOfRows(f)
	step := packageStep(span)
	line, err := report.NewTimeline(f.Breakdown, span, step, packageSeriesMax)
	if err != nil {
		return err
	}
	total, err := p.asked.totals(f, p.main.Name, span, step)
	if err != nil {
		return err
	}
	t := report.Table{ID: id, Title: titleOf(p.main.Name) + " by " + string(d), Note: "A line for each " + string(step) + "."}
	var keys []string
	for _, s := range line.Series {
		keys = append(keys, s.Key)
	}
	one := p.measured(p.main)[0]
	one.ID, one.Title = "total", "Total"
	t.Columns = slices.Concat(days("start"), []report.Column{one}, p.named("", p.main, keys))
	for i, start := range line.Starts {
		row := []string{start.String(), ""}
		if total != nil {
			row[1] = total[i]
		}
		for _, s := range line.Series {
			row = append(row, p.valueText(s.Values[i], p.main))
		}
		t.Rows = append(t.Rows, row)
	}
	p.add(t)
	return nil
}

// spanOfRows is the window, or where it is all days, those of the rows, and today.
func (p *packaging) spanOfRows(f *figures) report.Span {
	if p.window.Span != nil {
		return *p.window.Span
	}
	span := report.Span{From: p.today, To: p.today}
	for _, g := range f.Breakdown.Groups {
		if day, err := money.ParseDay(g.Key[0]); err == nil {
			span.From, span.To = min(span.From, day), max(span.To, day)
		}
	}
	return span
}

// agreed has fn ask of the agreed model where the one asked is none of the ledger's: what
// people reach is known of the ledger's models alone.
func (p *packaging) agreed(fn func() error) error {
	model, computed := p.Model, p.computed
	if computed != nil {
		p.Model, p.computed = p.campaign.Contract.MultiTouch, nil
	}
	defer func() { p.Model, p.computed = model, computed }()
	return fn()
}

// funnels are the stages in all, and by partner, channel and segment.
func (p *packaging) funnels() error {
	return p.agreed(func() error {
		whole, err := p.funnel(p.ctx, "")
		if err != nil {
			return err
		}
		p.stages(whole)
		if p.p.Question.Detail == report.Summary {
			return nil
		}
		for _, d := range []report.Dimension{report.Partner, report.Channel, report.Segment} {
			of, err := p.funnel(p.ctx, d)
			if err != nil {
				return err
			}
			p.funnelBy(of, d)
		}
		return nil
	})
}

func (p *packaging) stages(f FunnelAnswer) {
	t := report.Table{ID: "funnel", Title: "Funnel", Note: strings.ToUpper(f.Basis[:1]) + f.Basis[1:] + "."}
	t.Columns = slices.Concat(texts("stage"), counts("count"), ratios("from_previous", "drop_off"))
	for _, s := range f.Stages {
		t.Rows = append(t.Rows, []string{s.Stage, s.Count, or(s.FromPrevious), or(s.DropOff)})
	}
	p.add(t)
}

func (p *packaging) funnelBy(f FunnelAnswer, d report.Dimension) {
	t := report.Table{ID: "funnel_" + string(d) + "s", Title: "Funnel by " + string(d)}
	t.Columns = slices.Concat(texts(string(d)), p.named("", attribution.MeasureNamed(attribution.MeasureWon), p.funnelMeasures()))
	for _, g := range f.Groups {
		t.Rows = append(t.Rows, append([]string{g.Key}, g.Counts...))
	}
	p.add(t)
}
