package answer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tracksource/attribution"
	"tracksource/money"
	"tracksource/report"
)

// contributionMeasures are those whose values contributions of a package tell.
func contributionMeasures() []string {
	return []string{
		attribution.MeasurePipelineCreated, attribution.MeasurePipelineOpen, attribution.MeasureRevenue,
		attribution.MeasureOpportunities, attribution.MeasureWon, attribution.MeasureLost,
	}
}

// gathered are the values of one group, in the order of the measures asked.
type gathered struct {
	key       []string
	values    []report.Value
	confident []report.Value
}

// gather adds up measures by dimensions of a package: the groups of all of them in one
// list, in no order.
func (p *packaging) gather(measures []attribution.Measure, dims []packageDimension) ([]*gathered, []*figures, error) {
	rowDims := rowDimensions(dims)
	groups := map[string]*gathered{}
	sums := make([]*figures, len(measures))
	for i, m := range measures {
		f, err := p.figures(m, p.askFor(rowDims...))
		if err != nil {
			return nil, nil, err
		}
		sums[i] = f
		for _, g := range f.Breakdown.Groups {
			key, err := folded(g.Key, rowDims, dims)
			if err != nil {
				return nil, nil, err
			}
			id := fmt.Sprintf("%q", key)
			of := groups[id]
			if of == nil {
				of = &gathered{key: key, values: make([]report.Value, len(measures)), confident: make([]report.Value, len(measures))}
				groups[id] = of
			}
			of.values[i], of.confident[i] = of.values[i].Add(g.Value), of.confident[i].Add(g.Confident)
		}
	}
	list := make([]*gathered, 0, len(groups))
	for _, g := range groups {
		list = append(list, g)
	}
	return list, sums, nil
}

// gatherWhole is gather of a model of whole journeys, by the one dimension of the package.
// How certain its values are is not known.
func (p *packaging) gatherWhole(measures []attribution.Measure) ([]*gathered, error) {
	deals, err := p.allDeals(p.ctx)
	if err != nil {
		return nil, err
	}
	asks := make([]report.ModelAsk, len(measures))
	for i, m := range measures {
		asks[i] = p.modelAsk(p.modelQuestion(m.Name, p.dims[0].of), p.spec)
	}
	results, err := report.Models(deals, asks)
	if err != nil {
		return nil, err
	}
	groups := map[string]*gathered{}
	var list []*gathered
	for i, r := range results {
		if r.Note != "" {
			return nil, &Error{Parameter: "model", Detail: "the model cannot tell this: " + r.Note, Allowed: p.campaign.Contract.Models}
		}
		for _, g := range r.Groups {
			if p.sight == report.SeesOwn && g.Key[0] != p.viewer.Partner {
				p.Withheld = true
				continue
			}
			if groups[g.Key[0]] == nil {
				groups[g.Key[0]] = &gathered{key: g.Key, values: make([]report.Value, len(measures)), confident: make([]report.Value, len(measures))}
				list = append(list, groups[g.Key[0]])
			}
			groups[g.Key[0]].values[i] = g.Value
		}
	}
	return list, nil
}

// folded is the key of a group by the dimensions of rows as one by those of a package,
// in which days may be weeks or months.
func folded(key []string, of []report.Dimension, dims []packageDimension) ([]string, error) {
	out := make([]string, len(dims))
	for i, d := range dims {
		out[i] = key[slices.Index(of, d.of)]
		if d.step == "" || d.step == report.ByDay {
			continue
		}
		day, err := money.ParseDay(out[i])
		if err != nil {
			return nil, err
		}
		out[i] = d.step.Start(day).String()
	}
	return out, nil
}

// largestFirst orders groups by one of their values, then by all of them, then by key.
func largestFirst(groups []*gathered, by int) {
	slices.SortFunc(groups, func(a, b *gathered) int {
		if c := b.values[by].Cmp(a.values[by]); c != 0 {
			return c
		}
		for i := range a.values {
			if c := b.values[i].Cmp(a.values[i]); c != 0 {
				return c
			}
		}
		return slices.Compare(a.key, b.key)
	})
}

// cut puts the groups that do not fit together into a last one, so that the groups sum
// to the same as before.
func cut(groups []*gathered, most int, dims []packageDimension) ([]*gathered, int) {
	if len(groups) <= most {
		return groups, 0
	}
	kept, rest := groups[:most-1:most-1], groups[most-1:]
	last := &gathered{key: make([]string, len(dims)), values: make([]report.Value, len(rest[0].values)), confident: make([]report.Value, len(rest[0].values))}
	for i, d := range dims {
		if d.step == "" {
			last.key[i] = report.Other
		}
	}
	for _, g := range rest {
		for i := range g.values {
			last.values[i], last.confident[i] = last.values[i].Add(g.values[i]), last.confident[i].Add(g.confident[i])
		}
	}
	return append(kept, last), len(rest)
}

// readMain finds the measure that the package is told by: revenue, and where there is none
// the pipeline that was created.
func (p *packaging) readMain() error {
	p.main = attribution.MeasureNamed(attribution.MeasureRevenue)
	f, err := p.figures(p.main, p.askFor(report.Partner))
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(f.Breakdown.Groups, func(g report.Group) bool { return g.Value.Sign() != 0 }) {
		p.main = attribution.MeasureNamed(attribution.MeasurePipelineCreated)
	}
	return nil
}

// contributions are what there is by the dimensions asked, the largest first.
func (p *packaging) contributions() error {
	measures := measuresNamed(contributionMeasures())
	groups, sums, err := p.gather(measures, p.dims)
	if err == nil && p.isWhole() {
		groups, err = p.gatherWhole(measures)
	}
	if err != nil {
		return err
	}
	by := slices.IndexFunc(measures, func(m attribution.Measure) bool { return m.Name == p.main.Name })
	largestFirst(groups, by)
	t := report.Table{ID: "contributions", Title: "Contributions", Note: "The rows sum to the totals. Share and confidence are of " + strings.ReplaceAll(p.main.Name, "_", " ") + "."}
	for _, d := range p.dims {
		kind := report.TextColumn
		if d.step != "" {
			kind = report.DayColumn
		}
		t.Columns = append(t.Columns, column(kind, d.name)...)
	}
	for _, m := range measures {
		t.Columns = append(t.Columns, p.measured(m)...)
	}
	t.Columns = append(t.Columns, ratios("share", "confidence")...)
	alone := len(p.dims) == 1 && p.dims[0].of == report.Partner
	if alone {
		t.Columns = slices.Concat(t.Columns, p.moneys("target"), ratios("progress"))
	}
	groups, t.LeftOut = cut(groups, packageCellsMax/len(t.Columns), p.dims)
	if t.LeftOut > 0 {
		t.Note += " The smallest are together in the last row."
	}
	attributed := sums[by].attributed()
	for _, g := range groups {
		row := slices.Clone(g.key)
		for i, m := range measures {
			row = append(row, p.valueText(g.values[i], m))
		}
		confidence := ""
		if !p.isWhole() {
			confidence = optional(report.Certainty(g.confident[by], g.values[by]))
		}
		row = append(row, p.shareOf(g, by, attributed), confidence)
		if alone {
			target, progress, err := p.targetOf(g.key[0])
			if err != nil {
				return err
			}
			row = append(row, target, progress)
		}
		t.Rows = append(t.Rows, row)
	}
	p.add(t)
	return nil
}

// shareOf is what a group has of all that is attributed; what nobody is credited with is
// no share of it.
func (p *packaging) shareOf(g *gathered, by int, attributed *report.Value) string {
	at := slices.IndexFunc(p.dims, func(d packageDimension) bool { return d.of == report.Partner })
	if attributed == nil || at >= 0 && g.key[at] == report.Unattributed {
		return ""
	}
	return optional(report.Ratio(g.values[by], *attributed))
}

// targetOf is a partner's target of the main measure whose period the window ends in, and
// how much of it is reached.
func (p *packaging) targetOf(partner string) (target, progress string, err error) {
	targets, err := p.targets()
	if err != nil {
		return "", "", err
	}
	day := min(p.today, p.lastDay())
	goal, ok := report.GoalOn(report.GoalsOf(targets, p.main.Name, p.currency(p.main), partner), day)
	if !ok || !p.campaign.Contract.IsPartner(partner) {
		return "", "", nil
	}
	ask := p.askFor()
	ask.Within, ask.Any = &report.Span{From: goal.Period.From, To: day}, map[report.Dimension][]string{report.Partner: {partner}}
	f, err := p.figures(p.main, ask)
	if err != nil || f.total == nil {
		return "", "", err
	}
	return p.valueText(goal.Amount, p.main), optional(report.Ratio(*f.total, goal.Amount)), nil
}

// totals are the measures in all.
func (p *packaging) totals() error {
	tiles, err := p.tiles()
	if err != nil {
		return err
	}
	t := report.Table{ID: "totals", Title: "Totals", Note: "Previous is of as many days before."}
	t.Columns = slices.Concat(texts("measure", "kind", "currency"), counts("total", "attributed", "unattributed"), ratios("confidence"), counts("previous"))
	for i := range tiles {
		tile := &tiles[i]
		t.Rows = append(t.Rows, []string{
			tile.Measure, tile.Kind, tile.Currency, or(tile.Total), or(tile.Attributed), or(tile.Unattributed), or(tile.Confidence), or(tile.Previous),
		})
	}
	p.add(t)
	return nil
}

// partnerTable is who brought what.
func (p *packaging) partnerTable() error {
	spent, err := p.spend()
	if err != nil {
		return err
	}
	lines, err := p.partners(spent)
	if err != nil {
		return err
	}
	pipeline, revenue, deals, won := attribution.MeasurePipelineCreated, attribution.MeasureRevenue, attribution.MeasureOpportunities, attribution.MeasureWon
	t := report.Table{ID: "partners", Title: "Partners", Note: "Influenced and co-sold values are whole for each partner, so that they are not added."}
	t.Columns = slices.Concat(texts("partner", "name"), p.moneys("pipeline_created", "revenue"), counts("opportunities", "won"),
		p.moneys("pipeline_sourced", "revenue_sourced", "pipeline_influenced", "revenue_influenced", "pipeline_co_sell", "revenue_co_sell"),
		counts("opportunities_influenced"), p.moneys("spend"), ratios("return", "pipeline_share", "revenue_share", "pipeline_confidence", "revenue_confidence"))
	for _, l := range lines {
		t.Rows = append(t.Rows, []string{
			l.Partner, l.Name, l.Credited[pipeline], l.Credited[revenue], l.Credited[deals], l.Credited[won],
			l.Sourced[pipeline], l.Sourced[revenue], l.Influenced[pipeline], l.Influenced[revenue], l.CoSell[pipeline], l.CoSell[revenue],
			l.Influenced[deals], l.Spend, or(l.Return), l.Share[pipeline], l.Share[revenue], l.Confidence[pipeline], l.Confidence[revenue],
		})
	}
	p.add(t)
	return nil
}

// adjustments are what was booked in the window of days that had been closed.
func (p *packaging) adjustments() error {
	t := report.Table{ID: "adjustments", Title: "Adjustments", Note: "What was booked in these days of days that had been closed."}
	t.Columns = slices.Concat(days("booked"), texts("measure", "partner"), p.moneys("value"))
	for _, m := range p.moneyMeasures() {
		ask := p.askFor(report.Day, report.Partner)
		ask.View = report.Adjustments
		f, err := p.figures(m, ask)
		if err != nil {
			return err
		}
		for _, g := range f.Breakdown.Groups {
			if g.Value.Sign() != 0 {
				t.Rows = append(t.Rows, []string{g.Key[0], m.Name, g.Key[1], p.valueText(g.Value, m)})
			}
		}
	}
	slices.SortFunc(t.Rows, func(a, b []string) int {
		return cmp.Or(strings.Compare(b[0], a[0]), slices.Compare(a[1:], b[1:]))
	})
	p.add(t)
	return nil
}

// worksheet is the way from the source of touches to revenue: for each source and partner
// what came to each stage, and what money that was.
func (p *packaging) worksheet() error {
	stages := p.funnelMeasures()
	if p.computed != nil { // people's milestones are credited by the models of the ledger alone
		stages = []string{attribution.MeasureOpportunities, attribution.MeasureWon}
	}
	measures := measuresNamed(append(slices.Clone(stages), attribution.MeasurePipelineCreated, attribution.MeasureRevenue))
	dims := []packageDimension{{name: "source", of: report.Source}, {name: "partner", of: report.Partner}}
	groups, _, err := p.gather(measures, dims)
	if err != nil {
		return err
	}
	pipeline, revenue := len(stages), len(stages)+1
	largestFirst(groups, revenue)
	t := report.Table{ID: "worksheet", Title: "Attribution worksheet", Note: "From the source of touches by partner and stage to revenue: the pipeline of deals that were created, the revenue of those won. Each column sums to its total."}
	t.Columns = slices.Concat(texts("source", "partner", "stage"), counts("deals"), p.moneys("pipeline", "revenue"))
	groups, t.LeftOut = cut(groups, packageCellsMax/len(t.Columns)/len(stages), dims)
	for _, g := range groups {
		for i, stage := range stages {
			var of, won report.Value
			switch stage {
			case attribution.MeasureOpportunities:
				of = g.values[pipeline]
			case attribution.MeasureWon:
				won = g.values[revenue]
			}
			if g.values[i].Sign() != 0 || of.Sign() != 0 || won.Sign() != 0 {
				t.Rows = append(t.Rows, []string{g.key[0], g.key[1], stage, text(g.values[i], ""), text(of, p.p.Currency), text(won, p.p.Currency)})
			}
		}
	}
	p.add(t)
	return nil
}
