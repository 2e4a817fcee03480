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
			if t := p.Table(id); t != nil && len(t.Rows) > 0 {
				k.Grids = append(k.Grids, gridOf(p, t, tabled{rows: cardRowsMax}))
			}
		}
		if len(k.Grids) > 0 {
			out = append(out, k)
		}
	}
	return out
}
