package render

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"tracksource/report"
)

const (
	// rowsMax is how many rows of a table stand on a page: more are for the tables in
	// the other formats. dealsMax rows of each of twenty tables are a megabyte.
	rowsMax = 50
	// topMax is how many rows of a ranking are told in the story.
	topMax = 10
	// paperColumnsMax is how many columns paper has room for.
	paperColumnsMax = 11
	// acrossRowsMax is how few rows of a table that paper has no room for are told as
	// columns, its columns as rows.
	acrossRowsMax = 6
	// longMin is from how many bytes on a text wants a column that is wide.
	longMin = 48
)

// grid is a table as it stands on a page.
type grid struct {
	Caption string
	Unit    string // the currency of its money
	Titled  bool   // what is above it says already what it is
	Note    string
	Head    []head
	Rows    [][]cell
	More    string // what is left out
}

type head struct {
	Text string
	Num  bool
	Late bool
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
	Late   bool // of a column for which paper has no room
	Whole  bool // is not broken into lines
	Long   bool // a sentence
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
	columns := columnsOf(t)
	rows := t.Rows[:min(len(t.Rows), how.rows)]
	g := &grid{Caption: name(t.Title), Note: sentence(t.Note)}
	for at, i := range columns {
		c := &t.Columns[i]
		g.Head = append(g.Head, head{Text: heading(p, *c), Num: numeric(c.Kind), Late: at >= paperColumnsMax})
		if c.Kind == report.MoneyColumn && c.Currency == p.Currency {
			g.Unit = name(c.Currency)
		}
	}
	longest := longestOf(t, rows, how)
	for _, row := range rows {
		cells := make([]cell, len(columns))
		for at, i := range columns {
			c := &t.Columns[i]
			cells[at] = cellOf(p, t, row, i)
			cells[at].Num, cells[at].Late = g.Head[at].Num, g.Head[at].Late
			cells[at].Long = len(cells[at].Text) > longMin && !g.Head[at].Num
			cells[at].Head = at == 0 && !numeric(c.Kind)
			switch {
			case row[i] == "" || longest[i].Sign() <= 0:
			case how.heat && c.Kind == report.RatioColumn:
				cells[at].Class = fmt.Sprintf("q%d", partOf(nanoOf(row[i]), longest[i])*9/wholePart)
			case slices.Contains(how.bars, c.ID):
				cells[at].Bar, cells[at].Barred = partOf(nanoOf(row[i]), longest[i]), true
			}
		}
		g.Rows = append(g.Rows, cells)
	}
	g.More = leftOut(t, len(rows))
	if len(rows) > 0 && len(rows) <= acrossRowsMax && len(columns) > paperColumnsMax && numeric(t.Columns[columns[1]].Kind) {
		g.across()
	}
	return g
}

// leftOut says what of a table is not shown, nothing if all is.
func leftOut(t *report.Table, shown int) string {
	all := len(t.Rows) + t.LeftOut
	if all <= shown {
		return ""
	}
	text := fmt.Sprintf("The first %s of %s rows.", count(int64(shown)), count(int64(all)))
	if len(t.Rows) > shown {
		text += " More are in the table " + id(t.ID) + " of the package."
	}
	if t.LeftOut > 0 {
		text += fmt.Sprintf(" The last %s are in no file.", count(int64(t.LeftOut)))
	}
	return text
}

// columnsOf are the columns that are shown: what a partner or a model is called stands for
// its id, and a column without any value says nothing.
func columnsOf(t *report.Table) []int {
	named := t.Column("name") > 0
	var out []int
	for i, c := range t.Columns {
		switch {
		case named && (c.ID == "name" && t.Column("partner") >= 0 || c.ID == "model"):
		case len(t.Rows) == 0 || slices.ContainsFunc(t.Rows, func(r []string) bool { return r[i] != "" }):
			out = append(out, i)
		}
	}
	return out
}

func numeric(kind report.ColumnKind) bool {
	return kind != report.TextColumn && kind != report.DayColumn && kind != report.TimeColumn
}

// longestOf is for each column the value whose bar is the longest. All cells of a heatmap
// share one scale.
func longestOf(t *report.Table, rows [][]string, how tabled) []*big.Int {
	longest := make([]*big.Int, len(t.Columns))
	most := new(big.Int)
	for i, c := range t.Columns {
		longest[i] = new(big.Int)
		shaded := how.heat && c.Kind == report.RatioColumn
		if !shaded && !slices.Contains(how.bars, c.ID) {
			continue
		}
		for _, row := range rows {
			longest[i] = larger(longest[i], nanoOf(row[i]))
		}
		if shaded {
			most = larger(most, longest[i])
		}
	}
	for i, c := range t.Columns {
		if how.heat && c.Kind == report.RatioColumn {
			longest[i] = most
		}
	}
	return longest
}

// across turns rows into columns.
func (g *grid) across() {
	heads := []head{g.Head[0]}
	for _, row := range g.Rows {
		heads = append(heads, head{Text: row[0].Text, Num: true})
	}
	var rows [][]cell
	for i, h := range g.Head[1:] {
		cells := []cell{{Text: h.Text, Head: true}}
		for _, row := range g.Rows {
			c := row[i+1]
			c.Num, c.Late, c.Barred = true, false, false
			cells = append(cells, c)
		}
		rows = append(rows, cells)
	}
	g.Head, g.Rows = heads, rows
}

// heading is a column's title, with the unit of its values where it is not the page's. A
// column of what is a partner's has the partner's name.
func heading(p *report.Package, c report.Column) string {
	text := partner(p, c.Title)
	switch c.Title {
	case "":
		text = phrase(c.ID)
	case c.ID:
		text = phrase(text)
	}
	if strings.HasPrefix(c.ID, "share_") {
		text += ", share"
	}
	if c.Kind == report.MoneyColumn && c.Currency != "" && c.Currency != p.Currency {
		text += " (" + name(c.Currency) + ")"
	}
	return text
}

// cellOf is the cell of a row in column i.
func cellOf(p *report.Package, t *report.Table, row []string, i int) cell {
	c, value := &t.Columns[i], row[i]
	out := cell{Text: shown(c.Kind, value, c.Currency), Quiet: value == ""}
	switch c.Kind {
	case report.TextColumn:
		out.Quiet = value == "" || value[0] == '('
		switch c.ID {
		case "partner", "sourced", "by", "against":
			out.Text = partner(p, value)
		case "key", "subject":
			if d := t.Column("dimension"); d >= 0 && row[d] == "partner" {
				out.Text = partner(p, value)
			}
		case "measure", "stage", "kind", "from", "to", "name", "figure", "part", "about":
			out.Text = phrase(value)
		case "status", "projected_status", "verdict", "state", "light":
			out.Text, out.Word = phrase(value), verdict(value)
		}
	case report.RatioColumn:
		switch c.ID {
		case "return", "coverage":
			out.Text = times(value)
		case "chance":
			out.Text = name(value)
		}
	case report.CountColumn: // of money, where the row says of which
		if i := t.Column("currency"); i >= 0 && row[i] != "" && t.Columns[i].Kind == report.TextColumn {
			out.Text = shown(report.MoneyColumn, value, row[i])
		}
	case report.DayColumn:
		out.Whole = true
	case report.MoneyColumn, report.DaysColumn, report.TimeColumn:
	}
	if value == "" {
		out.Text = "—"
	}
	return out
}

// phrase is a word of ours as people write it.
func phrase(value string) string {
	switch value {
	case "mql", "sal", "sql":
		return strings.ToUpper(value)
	}
	return strings.ReplaceAll(name(value), "_", " ")
}

// verdict is whether a word is welcome, empty for one that is neither.
func verdict(value string) string {
	switch value {
	case "ahead", "on_track", "on track", "better", "green", "won", "taken", "fresh", "resolved", "accepted":
		return "good"
	case "behind", "worse", "red", "breached", "escalated", "stale":
		return "bad"
	case "amber", "at risk", "at_risk", "open", "warned", "pending":
		return "warn"
	}
	return ""
}
