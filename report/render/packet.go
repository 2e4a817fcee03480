package render

import "tracksource/report"

// cardRowsMax is how many rows a drill card has.
const cardRowsMax = 5

// card is one drill card of the packet's appendix.
type card struct {
	Title string
	Grids []*grid
}

// drillCards are channel, campaign and audience, each with what there is of it.
func drillCards(p *report.Package) []card {
	var out []card
	for _, c := range []struct {
		title  string
		tables []string
	}{
		{"Channel", []string{"ranking_channels", "funnel_channels"}},
		{"Campaign", []string{"totals", "targets", "targets_counts"}},
		{"Audience", []string{"ranking_segments", "funnel_segments"}},
	} {
		k := card{Title: c.title}
		for _, id := range c.tables {
			t := p.Table(id)
			if t == nil || len(t.Rows) == 0 {
				continue
			}
			g := gridOf(p, t, tabled{rows: cardRowsMax})
			if id == "targets" || id == "targets_counts" {
				g = goalsGrid(p, t)
			}
			g.Note = "" // the snapshot says how it is to be read
			k.Grids = append(k.Grids, g)
		}
		if len(k.Grids) > 0 {
			out = append(out, k)
		}
	}
	return out
}

// goalsGrid is what a table of targets comes to, for a card.
func goalsGrid(p *report.Package, t *report.Table) *grid {
	h := &hall{p: p}
	g := &grid{Caption: name(t.Title), Head: []head{
		{Text: "Measure"},
		{Text: "Of"},
		{Text: "Reached", Num: true},
		{Text: "Expected by now", Num: true},
		{Text: "Target", Num: true},
		{Text: "Projected", Num: true},
		{Text: "Status"},
	}}
	for _, row := range t.Rows[:min(len(t.Rows), cardRowsMax)] {
		o := h.goal(t, row)
		number := func(text string) cell { return cell{Text: text, Num: true} }
		g.Rows = append(g.Rows, []cell{
			{Text: o.Name, Head: true},
			{Text: o.Of},
			number(o.Reached),
			number(o.Expected),
			number(o.Target),
			number(o.Projected),
			{Text: o.Status, Word: o.Word},
		})
	}
	g.More = leftOut(t, len(g.Rows))
	return g
}
