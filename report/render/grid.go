package render

import (
	"fmt"
	"math/big"
	"slices"

	"tracksource/report"
)

const (
	// rowsMax is how many rows of a table stand on a page: more are for the tables in
	// the other formats. dealsMax rows of each of twenty tables are a megabyte.
	rowsMax = 50
	// topMax is how many rows of a ranking are told in the story.
	topMax = 10
)

// grid is a table as it stands on a page.
type grid struct {
	Caption string
	Note    string
	Head    []head
	Rows    [][]cell
	More    string // what is left out
}

type head struct {
	Text string
	Num  bool
}

type cell struct {
	Text   string
	Num    bool
	Quiet  bool   // a word that stands for none
	Head   bool   // names the row
	Class  string // of a heatmap
	Word   string // good, bad or warn: a verdict
	Bar    part
	Barred bool
}

// tabled is how a table is laid out.
type tabled struct {
	rows int      // at most; rowsMax for zero
	bars []string // ids of the columns whose cells have a bar
	heat bool     // ratios are shaded
}

// gridOf lays out a table. People and companies are called by their names.
func gridOf(p *report.Package, t *report.Table, how tabled) *grid {
	if how.rows == 0 {
		how.rows = rowsMax
	}
	g := &grid{Caption: name(t.Title), Note: sentence(t.Note)}
	longest := make([]*big.Int, len(t.Columns))
	for i, c := range t.Columns {
		g.Head = append(g.Head, head{heading(p, c), c.Kind != report.TextColumn && c.Kind != report.DayColumn && c.Kind != report.TimeColumn})
		longest[i] = new(big.Int)
	}
	rows := t.Rows[:min(len(t.Rows), how.rows)]
	for _, row := range rows {
		for i := range t.Columns {
			if c := &t.Columns[i]; how.heat && c.Kind == report.RatioColumn || slices.Contains(how.bars, c.ID) {
				longest[i] = larger(longest[i], nanoOf(row[i]))
			}
		}
	}
	if how.heat { // all cells of a heatmap share one scale
		for _, n := range longest {
			longest[0] = larger(longest[0], n)
		}
	}
	for _, row := range rows {
		cells := make([]cell, len(row))
		for i := range row {
			c := &t.Columns[i]
			cells[i] = cellOf(p, c, row[i])
			cells[i].Num = g.Head[i].Num
			cells[i].Head = i == 0 && c.Kind != report.MoneyColumn
			switch {
			case row[i] == "":
			case how.heat && c.Kind == report.RatioColumn && longest[0].Sign() > 0:
				cells[i].Class = fmt.Sprintf("q%d", partOf(nanoOf(row[i]), longest[0])*9/wholePart)
			case slices.Contains(how.bars, c.ID) && longest[i].Sign() > 0:
				cells[i].Bar, cells[i].Barred = partOf(nanoOf(row[i]), longest[i]), true
			}
		}
		g.Rows = append(g.Rows, cells)
	}
	if all := len(t.Rows) + t.LeftOut; all > len(rows) {
		g.More = fmt.Sprintf("The first %s of %s rows.", count(int64(len(rows))), count(int64(all)))
		if len(t.Rows) > len(rows) {
			g.More += " More are in the table " + id(t.ID) + " of the package."
		}
		if t.LeftOut > 0 {
			g.More += fmt.Sprintf(" The last %s are in no file.", count(int64(t.LeftOut)))
		}
	}
	return g
}

// heading is a column's title with the unit of its values.
func heading(p *report.Package, c report.Column) string {
	text := name(c.Title)
	if text == "" {
		text = name(c.ID)
	}
	if c.Kind == report.MoneyColumn && c.Currency != "" && c.Currency != p.Currency {
		text += " (" + name(c.Currency) + ")"
	}
	return text
}

func cellOf(p *report.Package, c *report.Column, value string) cell {
	out := cell{Text: shown(c.Kind, value), Quiet: value == "" || value[0] == '('}
	switch c.ID {
	case "partner", "sourced", "by", "against":
		out.Text = partner(p, value)
	case "return", "coverage":
		out.Text = times(value)
	case "chance":
		out.Text = name(value)
	case "measure", "status", "projected_status", "verdict", "state", "light":
		out.Text = phrase(value)
	}
	if c.Kind != report.TextColumn {
		out.Quiet = value == ""
	}
	switch c.ID {
	case "status", "projected_status", "verdict", "state", "light":
		out.Word = verdict(value)
	}
	if value == "" {
		out.Text = "—"
	}
	return out
}

// phrase is a word of ours as people write it.
func phrase(value string) string {
	text := []rune(name(value))
	for i, r := range text {
		if r == '_' {
			text[i] = ' '
		}
	}
	return string(text)
}

// verdict is whether a word is welcome, empty for one that is neither.
func verdict(value string) string {
	switch value {
	case "ahead", "better", "green", "won", "taken", "fresh", "resolved", "accepted":
		return "good"
	case "behind", "worse", "red", "breached", "escalated", "stale":
		return "bad"
	case "amber", "at risk", "at_risk", "open", "warned", "pending":
		return "warn"
	}
	return ""
}
