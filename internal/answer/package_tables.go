package answer

import (
	"cmp"
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

// titleOf is what a measure, a stage or a column is called in front of people.
func titleOf(id string) string {
	if id == "" {
		return ""
	}
	return strings.ToUpper(id[:1]) + strings.ReplaceAll(id[1:], "_", " ")
}

func column(kind report.ColumnKind, ids ...string) []report.Column {
	var out []report.Column
	for _, id := range ids {
		out = append(out, report.Column{ID: id, Title: titleOf(id), Kind: kind})
	}
	return out
}

func texts(ids ...string) []report.Column  { return column(report.TextColumn, ids...) }
func counts(ids ...string) []report.Column { return column(report.CountColumn, ids...) }
func ratios(ids ...string) []report.Column { return column(report.RatioColumn, ids...) }
func days(ids ...string) []report.Column   { return column(report.DayColumn, ids...) }

func (p *packaging) moneys(ids ...string) []report.Column {
	out := column(report.MoneyColumn, ids...)
	for i := range out {
		out[i].Currency = p.p.Currency
	}
	return out
}

// measured is the column of a measure.
func (p *packaging) measured(m attribution.Measure) []report.Column {
	if m.Count {
		return counts(m.Name)
	}
	return p.moneys(m.Name)
}

func (p *packaging) add(t report.Table) {
	if t.Rows == nil {
		t.Rows = [][]string{}
	}
	p.p.Tables = append(p.p.Tables, t)
}

// gathered are the values of one group, by measure in the order that was asked.
type gathered struct {
	key       []string
	values    []report.Value
	confident []report.Value
}

// gather adds up measures by the dimensions of the package: groups of each in one list.
// What is in another currency than the contract's is in none.
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
			id := strings.Join(key, "\x00")
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

func measuresNamed(names []string) []attribution.Measure {
	out := make([]attribution.Measure, len(names))
	for i, name := range names {
		out[i] = attribution.MeasureNamed(name)
	}
	return out
}

// main is the place of the measure that groups are ranked by: revenue, and where there is
// none the pipeline that was created.
func mainMeasure(measures []attribution.Measure, sums []*figures) int {
	place := func(name string) int {
		return slices.IndexFunc(measures, func(m attribution.Measure) bool { return m.Name == name })
	}
	revenue := place(attribution.MeasureRevenue)
	for _, g := range sums[revenue].Breakdown.Groups {
		if g.Value.Sign() != 0 {
			return revenue
		}
	}
	return place(attribution.MeasurePipelineCreated)
}

// contributions are what there is by the dimensions asked, the largest first.
func (p *packaging) contributions() error {
	measures := measuresNamed(contributionMeasures())
	groups, sums, err := p.gather(measures, p.dims)
	if err != nil {
		return err
	}
	by := mainMeasure(measures, sums)
	slices.SortFunc(groups, func(a, b *gathered) int {
		return cmp.Or(b.values[by].Cmp(a.values[by]), compareValues(b.values, a.values), slices.Compare(a.key, b.key))
	})
	t := report.Table{ID: "contributions", Title: "Contributions", Note: "share and confidence are of " + measures[by].Name}
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
	attributed := sums[by].attributed()
	for _, g := range groups {
		row := slices.Clone(g.key)
		for i, m := range measures {
			row = append(row, p.valueText(g.values[i], m))
		}
		t.Rows = append(t.Rows, append(row, p.shareOf(g, by, attributed), optional(report.Certainty(g.confident[by], g.values[by]))))
	}
	p.add(t)
	return nil
}

func (p *packaging) valueText(v report.Value, m attribution.Measure) string {
	return text(v, p.currency(m))
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

func compareValues(a, b []report.Value) int {
	for i := range a {
		if c := a[i].Cmp(b[i]); c != 0 {
			return c
		}
	}
	return 0
}

func optional(text string, ok bool) string {
	if !ok {
		return ""
	}
	return text
}

func or(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// totals are the measures in all: those of money in one table and counts in another,
// since a column is of one kind.
func (p *packaging) totals() error {
	tiles, err := p.tiles()
	if err != nil {
		return err
	}
	names := []string{"total", "attributed", "unattributed", "previous", "target", "expected", "reached"}
	moneys := report.Table{ID: "totals", Title: "Totals", Note: "previous is of as many days before; target, expected and reached are of the target's period"}
	moneys.Columns = slices.Concat(texts("measure"), p.moneys(names...), ratios("progress", "confidence"), texts("status"))
	numbers := report.Table{ID: "totals_counts", Title: "Totals of counts", Note: moneys.Note}
	numbers.Columns = slices.Concat(texts("measure"), counts(names...), ratios("progress", "confidence"), texts("status"))
	for _, tile := range tiles {
		row := []string{
			tile.Measure, or(tile.Total), or(tile.Attributed), or(tile.Unattributed), or(tile.Previous), or(tile.Target), or(tile.Expected), or(tile.Reached),
			or(tile.Progress), or(tile.Confidence), tile.Status,
		}
		if tile.Currency == "" {
			numbers.Rows = append(numbers.Rows, row)
		} else {
			moneys.Rows = append(moneys.Rows, row)
		}
	}
	p.add(moneys)
	p.add(numbers)
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
	t := report.Table{ID: "partners", Title: "Partners", Note: "influenced and co-sold values are whole for each partner, so that they are not added"}
	t.Columns = slices.Concat(texts("partner", "name"),
		p.moneys("pipeline_credited", "pipeline_sourced", "pipeline_influenced", "pipeline_co_sell", "revenue_credited", "revenue_sourced", "revenue_influenced", "revenue_co_sell"),
		counts("opportunities_credited", "opportunities_influenced", "won_credited"), p.moneys("spend"), ratios("return", "pipeline_share", "revenue_share", "pipeline_confidence", "revenue_confidence"))
	for _, l := range lines {
		t.Rows = append(t.Rows, []string{
			l.Partner, l.Name, l.Credited[pipeline], l.Sourced[pipeline], l.Influenced[pipeline], l.CoSell[pipeline],
			l.Credited[revenue], l.Sourced[revenue], l.Influenced[revenue], l.CoSell[revenue], l.Credited[deals], l.Influenced[deals], l.Credited[won],
			l.Spend, or(l.Return), l.Share[pipeline], l.Share[revenue], l.Confidence[pipeline], l.Confidence[revenue],
		})
	}
	p.add(t)
	return nil
}
