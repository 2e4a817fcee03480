package render

import (
	"math/big"
	"slices"
	"strings"
	"unicode"

	"tracksource/report"
)

// exhibit is one part of the snapshot behind the story.
type exhibit struct {
	ID, Title, Note string
	Goals           []goal
	Bars            *bars
	Columns         *columns
	Lines           *lines
	Groups          []group
	Grids           []*grid
	Folded          []*grid // the same numbers once more, behind a word
	Texts           []pair
}

// group is the findings of one rule.
type group struct {
	Title    string
	Findings []finding
}

// goal is how far a measure is on its way.
type goal struct {
	Name, Of, Reached, Target, Expected, Projected, Between, Status, Word string
	Meter                                                                 meter
}

// hall collects the exhibits and remembers which tables are told.
type hall struct {
	p     *report.Package
	c     *palette
	told  []string
	shown []*exhibit
}

// newHall is a hall in which each signatory has a colour.
func newHall(p *report.Package) *hall {
	h := &hall{p: p, c: &palette{}}
	for _, n := range p.Partners[:min(len(p.Partners), seriesMax)] {
		h.c.class(n.ID)
	}
	return h
}

// exhibits are all parts of a package behind its story, in the order of reading, but the
// tables that are the rest.
func (h *hall) exhibits() []*exhibit {
	h.targets()
	h.contributions()
	h.overTime()
	h.funnel()
	h.insights()
	h.rankings()
	h.cohorts()
	h.models()
	h.worksheet()
	h.governance()
	h.feeds()
	h.method()
	return h.shown
}

// rest are the tables that no exhibit tells, and what those are called that are empty.
func (h *hall) rest() (list []*grid, empty string) {
	var none []string
	for i := range h.p.Tables {
		switch t := &h.p.Tables[i]; {
		case len(t.Rows) == 0:
			none = append(none, name(t.Title))
		case !slices.Contains(h.told, t.ID):
			list = append(list, gridOf(h.p, t, tabled{}))
		}
	}
	return list, strings.Join(none, ", ")
}

// table takes a table out of the rest; nil for one that is not there or has no rows.
func (h *hall) table(id string) *report.Table {
	t := h.p.Table(id)
	if t == nil || len(t.Rows) == 0 {
		return nil
	}
	h.told = append(h.told, id)
	return t
}

func (h *hall) show(e *exhibit) {
	if len(e.Goals) > 0 || e.Bars != nil || e.Columns != nil || e.Lines != nil || len(e.Groups) > 0 || len(e.Grids) > 0 || len(e.Folded) > 0 || len(e.Texts) > 0 {
		for _, g := range e.Grids {
			g.Titled = g.Caption == e.Title
		}
		if e.Columns != nil && e.Columns.Title == e.Title {
			e.Columns.Titled = true
		}
		h.shown = append(h.shown, e)
	}
}

func (h *hall) targets() {
	e := &exhibit{ID: "targets", Title: "Contribution against targets"}
	for _, id := range []string{"targets", "targets_counts"} {
		t := h.table(id)
		if t == nil {
			continue
		}
		e.Note = sentence(t.Note)
		for _, row := range t.Rows[:min(len(t.Rows), rowsMax)] {
			e.Goals = append(e.Goals, h.goal(t, row))
		}
		e.Folded = append(e.Folded, gridOf(h.p, t, tabled{}))
	}
	h.show(e)
}

func (h *hall) goal(t *report.Table, row []string) goal {
	at := func(id string) string {
		if i := t.Column(id); i >= 0 {
			return row[i]
		}
		return ""
	}
	text := func(id string) string {
		if i := t.Column(id); i >= 0 {
			return shown(t.Columns[i].Kind, row[i], t.Columns[i].Currency)
		}
		return ""
	}
	g := goal{
		Name: phrase(at("measure")), Of: partner(h.p, at("partner")), Reached: text("reached"), Target: text("target"),
		Expected: text("expected"), Projected: text("projected"), Status: phrase(at("status")), Word: verdict(at("status")),
	}
	if g.Of == "(all)" {
		g.Of = "all partners"
	}
	if i := t.Column("target"); i >= 0 && t.Columns[i].Currency != "" {
		g.Of += ", " + name(t.Columns[i].Currency)
	}
	if t.Column("to") >= 0 && at("to") != "" {
		g.Of += ", " + name(at("from")) + " to " + name(at("to"))
	}
	if share, ok := permille(at("reached"), at("target")); ok {
		g.Meter.Fill, g.Meter.Text = bound(share), percentOf(share)+" of the target"
	}
	if share, ok := permille(at("expected"), at("target")); ok {
		g.Meter.Mark, g.Meter.Marked = bound(share), true
	}
	if share, ok := permille(at("projected"), at("target")); ok {
		g.Meter.Ahead, g.Meter.Projected = bound(share), true
		g.Projected += " (" + percentOf(share) + ")"
	}
	low, ok := permille(at("projected_low"), at("target"))
	if high, ok2 := permille(at("projected_high"), at("target")); ok && ok2 && low.Cmp(high) < 0 {
		g.Meter.Low, g.Meter.High, g.Meter.Ranged = bound(low), bound(high), true
		g.Between = text("projected_low") + " to " + text("projected_high")
	}
	return g
}

func (h *hall) contributions() {
	e := &exhibit{ID: "contribution", Title: "Contribution"}
	if t := h.table("contributions"); t != nil {
		e.Title, e.Note = contributionBy(h.p), sentence(t.Note)
		e.Bars = h.contributionBars(t)
		e.Grids = append(e.Grids, gridOf(h.p, t, tabled{rows: topMax * 2, bars: []string{"share"}}))
		e.Grids[0].Note, e.Grids[0].Caption = "", e.Title
	}
	for _, id := range []string{"totals", "totals_counts", "partners", "adjustments"} {
		if t := h.table(id); t != nil {
			e.Grids = append(e.Grids, gridOf(h.p, t, tabled{}))
		}
	}
	h.show(e)
}

// contributionBy is what contributions are told by.
func contributionBy(p *report.Package) string {
	d := p.Question.Dimensions
	switch len(d) {
	case 0:
		return "Contribution"
	case 1:
		return "Contribution by " + phrase(d[0])
	}
	var words []string
	for _, one := range d {
		words = append(words, phrase(one))
	}
	last := len(words) - 1
	return "Contribution by " + strings.Join(words[:last], ", ") + " and " + words[last]
}

// called is what a value of a column is called.
func (h *hall) called(c report.Column, value string) string {
	if c.ID == "partner" {
		return partner(h.p, value)
	}
	if value == "" {
		return "(none)"
	}
	return name(value)
}

func (h *hall) overTime() {
	e := &exhibit{ID: "time", Title: "Over time"}
	if t := h.table("timeseries"); t != nil {
		e.Title, e.Note = name(t.Title), sentence(t.Note)
		e.Columns = timeseries(h.p, t, h.c)
		e.Folded = append(e.Folded, gridOf(h.p, t, tabled{rows: columnsMax}))
	}
	for i := range h.p.Tables {
		if t := &h.p.Tables[i]; strings.HasPrefix(t.ID, "timeseries_") && h.table(t.ID) != nil {
			e.Folded = append(e.Folded, gridOf(h.p, t, tabled{}))
		}
	}
	h.show(e)
}

func (h *hall) funnel() {
	e := &exhibit{ID: "funnel", Title: "Funnel"}
	if t := h.table("funnel"); t != nil {
		e.Grids = append(e.Grids, gridOf(h.p, t, tabled{bars: []string{"count"}}))
	}
	for _, id := range []string{"drop_offs", "funnel_partners", "funnel_channels", "funnel_segments"} {
		if t := h.table(id); t != nil {
			g := gridOf(h.p, t, tabled{})
			if news := found(h.p, t); news != nil {
				e.Grids, g.Caption = append(e.Grids, news), g.Caption+", all that was tested"
			}
			e.Folded = append(e.Folded, g)
		}
	}
	h.show(e)
}

// found are the rows of a table of tests in which something was found: what is as it is
// elsewhere, or too little to tell, is no news.
func found(p *report.Package, t *report.Table) *grid {
	verdicts := t.Column("verdict")
	if verdicts < 0 {
		return nil
	}
	news := *t
	news.LeftOut = 0
	news.Rows = slices.DeleteFunc(slices.Clone(t.Rows), func(r []string) bool { return verdict(r[verdicts]) == "" })
	if len(news.Rows) == 0 {
		return nil
	}
	return gridOf(p, &news, tabled{rows: topMax * 2})
}

// insights are grouped by the rules that found them, in the order of their first.
func (h *hall) insights() {
	e := &exhibit{ID: "insights", Title: "Insights"}
	for _, f := range findings(h.p.Insights) {
		title := ruleTitle(f.Rule)
		i := slices.IndexFunc(e.Groups, func(g group) bool { return g.Title == title })
		if i < 0 {
			i, e.Groups = len(e.Groups), append(e.Groups, group{Title: title})
		}
		e.Groups[i].Findings = append(e.Groups[i].Findings, f)
	}
	if t := h.table("outliers"); t != nil {
		e.Folded = append(e.Folded, gridOf(h.p, t, tabled{}))
	}
	h.show(e)
}

// ruleTitle is what the findings of a rule are called together.
func ruleTitle(rule string) string {
	switch rule {
	case "top", "bottom":
		return "Top and bottom"
	case "drop_off":
		return "Drop-offs between stages"
	case "outlier":
		return "Outliers"
	case "anomaly":
		return "Anomalies in the series"
	case "pacing":
		return "Pace against targets"
	case "change":
		return "What changed"
	case "model_disagreement":
		return "Where models disagree"
	}
	text := []rune(phrase(rule))
	if len(text) > 0 {
		text[0] = unicode.ToUpper(text[0])
	}
	return string(text)
}

func (h *hall) rankings() {
	e := &exhibit{ID: "rankings", Title: "Assets, channels and segments"}
	for i := range h.p.Tables {
		if t := &h.p.Tables[i]; strings.HasPrefix(t.ID, "ranking_") && h.table(t.ID) != nil {
			e.Grids = append(e.Grids, gridOf(h.p, t, tabled{rows: topMax, bars: []string{"credit"}}))
		}
	}
	h.show(e)
}

// cohorts are shown by what they are told by first; the others are folded.
func (h *hall) cohorts() {
	e := &exhibit{ID: "cohorts", Title: "Cohorts"}
	first := ""
	for i := range h.p.Tables {
		t := &h.p.Tables[i]
		kind, isCurves := strings.CutPrefix(t.ID, "curves_")
		of, isCohorts := strings.CutPrefix(t.ID, "cohorts_")
		if !isCurves && !isCohorts || h.table(t.ID) == nil {
			continue
		}
		if !isCurves {
			kind = of
		}
		if first == "" {
			first = kind
		}
		g := gridOf(h.p, t, tabled{rows: topMax * 2, heat: isCurves})
		if kind != first {
			e.Folded = append(e.Folded, g)
			continue
		}
		e.Grids = append(e.Grids, g)
		if isCurves {
			e.Lines = curves(t)
		}
	}
	h.show(e)
}

func (h *hall) models() {
	e := &exhibit{ID: "models", Title: "What other models say"}
	if t := h.table("models"); t != nil {
		e.Title, e.Note = name(t.Title), sentence(t.Note)
		e.Bars = h.shares(t)
		g := gridOf(h.p, t, tabled{})
		g.Note = ""
		e.Folded = append(e.Folded, g)
	}
	if t := h.table("model_disagreement"); t != nil {
		e.Grids = append(e.Grids, gridOf(h.p, t, tabled{rows: topMax}))
	}
	h.show(e)
}

// shares has a bar for each row, of the colours of its columns of ratios.
func (h *hall) shares(t *report.Table) *bars {
	ch := &bars{Title: "Shares"}
	var of []int
	var classes []string
	for i, c := range t.Columns {
		some := func(r []string) bool { return nanoOf(r[i]).Sign() > 0 }
		if i > 0 && c.Kind == report.RatioColumn && len(of) <= seriesMax && slices.ContainsFunc(t.Rows, some) {
			of = append(of, i)
			classes = append(classes, h.c.class(c.Title))
			ch.Legend = legend(ch.Legend, key{classes[len(classes)-1], partner(h.p, c.Title)})
		}
	}
	if len(of) < 2 {
		return nil
	}
	for _, row := range t.Rows[:min(len(t.Rows), barsMax*2)] {
		b := bar{Name: name(row[max(0, t.Column("name"))])}
		var amounts []*big.Int
		var titles []string
		for _, i := range of {
			amounts = append(amounts, nanoOf(row[i]))
			titles = append(titles, partner(h.p, t.Columns[i].Title)+" "+percent(row[i]))
		}
		b.Segments = layered(amounts, classes, titles, big.NewInt(1_000_000_000))
		if len(b.Segments) > 0 { // a model that is not additive has no shares
			ch.Rows = append(ch.Rows, b)
		}
	}
	return ch
}

func (h *hall) worksheet() {
	e := &exhibit{ID: "worksheet", Title: "Attribution worksheet"}
	if t := h.table("worksheet"); t != nil {
		e.Title, e.Note = name(t.Title), sentence(t.Note)
		wide := acrossStages(t, h.p.Table("funnel"))
		if wide == nil {
			wide = t
		}
		g := gridOf(h.p, wide, tabled{rows: topMax * 2})
		g.Note = ""
		e.Grids = append(e.Grids, g)
	}
	h.show(e)
}

func (h *hall) governance() {
	e := &exhibit{ID: "governance", Title: "Guardrails, disputes and signatures"}
	for _, id := range []string{"guardrails", "disputes", "escalations", "signatures", "revisions", "mappings", "confidence"} {
		if t := h.table(id); t != nil {
			e.Grids = append(e.Grids, gridOf(h.p, t, tabled{rows: topMax * 2}))
		}
	}
	h.show(e)
}

func (h *hall) method() {
	h.show(&exhibit{ID: "method", Title: "How it was worked out", Texts: tell(h.p).Method})
}
