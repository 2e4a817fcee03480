package render

import (
	"fmt"
	"math/big"
	"slices"

	"tracksource/report"
)

// Charts are drawn in whole hundredths of a percent of their width and height: they
// fit every screen and paper without a script, their letters keep their size, and
// every machine writes the same digits.
const (
	wholePart  = 10_000
	seriesMax  = 8 // colours that can be told apart
	barsMax    = 12
	columnsMax = 120 // narrower ones cannot be seen on paper
	ticksMax   = 5
	datesMax   = 6
	linesMax   = 6
)

// part is a length in hundredths of a percent.
type part int

// String is the part as an attribute of SVG.
func (p part) String() string { return fmt.Sprintf("%d.%02d%%", p/100, p%100) }

// partOf is how much n is of a whole, which is above zero: 0 to the whole.
func partOf(n, whole *big.Int) part {
	if whole.Sign() <= 0 || n.Sign() <= 0 {
		return 0
	}
	p := divide(new(big.Int).Mul(n, big.NewInt(wholePart)), whole)
	if !p.IsInt64() || p.Int64() > wholePart {
		return wholePart
	}
	return part(p.Int64())
}

// meter is how far something is on its way to a target.
type meter struct {
	Fill, Mark, Ahead part // reached, expected by now, projected
	Low, High         part // the range of the projection
	Marked, Projected bool
	Ranged            bool
	Text              string // for who does not see it
}

// permille is a of b in thousandths, false where that says nothing.
func permille(a, b string) (*big.Int, bool) {
	w, err := report.ParseValue(b)
	if _, err2 := report.ParseValue(a); err != nil || err2 != nil || w.Sign() <= 0 {
		return nil, false
	}
	return divide(new(big.Int).Mul(nanoOf(a), big.NewInt(1000)), nano(w)), true
}

// bound is thousandths as a length of a bar, which ends at the whole.
func bound(n *big.Int) part { return partOf(n, big.NewInt(1000)) }

// percentOf is thousandths in percent.
func percentOf(n *big.Int) string {
	return percent(report.ValueOfUnits(new(big.Int).Mul(n, big.NewInt(1_000_000))).Text(0))
}

// segment is one colour of a bar or a column.
type segment struct {
	At, Size part
	Class    string
	Title    string
}

// key is one entry of a legend.
type key struct{ Class, Name string }

// palette gives each series of a package one colour, on every chart the same.
type palette struct{ names []string }

// class is the class of a series: its own while there are colours, and none for what
// belongs to nobody.
func (c *palette) class(series string) string {
	if series == "" || series[0] == '(' {
		return "sn"
	}
	i := slices.Index(c.names, series)
	if i < 0 {
		if len(c.names) == seriesMax {
			return "so"
		}
		i = len(c.names)
		c.names = append(c.names, series)
	}
	return fmt.Sprintf("s%d", i)
}

// bars is a chart of horizontal bars, each of one or more colours.
type bars struct {
	Title  string
	Rows   []bar
	Legend []key
	More   string // what has no bar
}

type bar struct {
	Name, Value string
	Segments    []segment
}

// layered is the segments of one bar: amounts of series one behind the other, the
// longest bar as long as the whole. What is not above zero has no length.
func layered(amounts []*big.Int, classes, titles []string, longest *big.Int) []segment {
	var out []segment
	sum := new(big.Int)
	for i, n := range amounts {
		if n.Sign() <= 0 {
			continue
		}
		from := partOf(sum, longest)
		sum.Add(sum, n)
		if to := partOf(sum, longest); to > from {
			out = append(out, segment{At: from, Size: to - from, Class: classes[i], Title: titles[i]})
		}
	}
	return out
}

// tick is a line of an axis.
type tick struct {
	At   part
	Text string
	Zero bool
}

// date is a label below a chart.
type date struct {
	At     part
	Text   string
	Anchor string // start, middle or end: the outer ones stay inside
}

// columns is a chart of columns over time, each of one or more colours. What is below
// zero hangs below it: in a sum it would hide.
type columns struct {
	Title, Desc string
	Titled      bool // what is above it says already what it is
	Columns     []column
	Ticks       []tick
	Dates       []date
	Legend      []key
	More        string
}

type column struct {
	Title    string
	At, Size part // from the left
	Segments []segment
}

// timeseries draws a table whose first column is the time and whose others, but total,
// are series.
func timeseries(p *report.Package, t *report.Table, c *palette) *columns {
	series := seriesOf(t)
	if len(series) == 0 || len(t.Rows) == 0 {
		return nil
	}
	rows, ch := t.Rows, &columns{Title: name(t.Title)}
	if len(rows) > columnsMax {
		ch.More = fmt.Sprintf("The last %d of %s.", columnsMax, count(int64(len(rows))))
		rows = rows[len(rows)-columnsMax:]
	}
	top, bottom := new(big.Int), new(big.Int)
	for _, row := range rows {
		up, down := new(big.Int), new(big.Int)
		for _, s := range series {
			if n := nanoOf(row[s]); n.Sign() > 0 {
				up.Add(up, n)
			} else {
				down.Add(down, n)
			}
		}
		top, bottom = larger(top, up), smaller(bottom, down)
	}
	if top.Cmp(bottom) == 0 {
		return nil
	}
	axis := axisOf(bottom, top)
	ch.Ticks = axis.ticks(compact)
	for _, s := range series {
		ch.Legend = append(ch.Legend, key{c.class(t.Columns[s].Title), heading(p, t.Columns[s])})
	}
	for i, row := range rows {
		ch.Columns = append(ch.Columns, columnOf(t, row, series, ch.Legend, axis, i, len(rows)))
	}
	ch.Dates = dates(rows)
	ch.Desc = fmt.Sprintf("%s to %s, %d columns, from %s to %s.", name(rows[0][0]), name(rows[len(rows)-1][0]), len(rows), compact(bottom), compact(top))
	return ch
}

// seriesOf are the columns that can be stacked: all that are numbers, but the total of
// the others, or the total where it is alone.
func seriesOf(t *report.Table) []int {
	var out []int
	total := -1
	for i, c := range t.Columns {
		switch {
		case i == 0 || c.Kind != report.MoneyColumn && c.Kind != report.CountColumn:
		case c.ID == "total":
			total = i
		default:
			out = append(out, i)
		}
	}
	if len(out) == 0 && total > 0 {
		return []int{total}
	}
	return out[:min(len(out), seriesMax+1)]
}

func columnOf(t *report.Table, row []string, series []int, legend []key, a axis, at, of int) column {
	left, right := part(wholePart*at/of), part(wholePart*(at+1)/of)
	gap := (right - left) / 6
	col := column{At: left + gap, Size: right - left - 2*gap, Title: name(row[0])}
	up, down := new(big.Int), new(big.Int)
	for i, s := range series {
		n := nanoOf(row[s])
		if n.Sign() == 0 {
			continue
		}
		col.Title += ", " + legend[i].Name + " " + full(t.Columns[s].Kind, row[s], t.Columns[s].Currency)
		sum := up
		if n.Sign() < 0 {
			sum = down
		}
		from := a.at(sum)
		sum.Add(sum, n)
		to := a.at(sum)
		if from < to {
			from, to = to, from
		}
		if from > to {
			col.Segments = append(col.Segments, segment{At: to, Size: from - to, Class: legend[i].Class})
		}
	}
	return col
}

// dates are labels below equal columns, each below its own and not more than have room.
func dates(rows [][]string) []date {
	n := len(rows)
	every := (n + datesMax - 1) / datesMax
	var out []date
	for i := 0; i < n; i += every {
		d := date{At: part(wholePart * (2*i + 1) / (2 * n)), Text: name(rows[i][0]), Anchor: "middle"}
		switch {
		case d.At < wholePart/16:
			d.At, d.Anchor = 0, "start"
		case d.At > wholePart-wholePart/16:
			d.At, d.Anchor = wholePart, "end"
		}
		out = append(out, d)
	}
	return out
}

// axis goes from a lowest value, zero or below, to a highest one. It has lines at equal
// steps from zero; the lowest value needs none.
type axis struct{ lowest, highest, step *big.Int }

// axisOf is the axis with at most so many ticks whose step is 1, 2, 2.5 or 5 of a power
// of ten.
func axisOf(lowest, highest *big.Int) axis {
	for power := int64(0); ; power++ {
		for _, quarter := range []int64{4, 8, 10, 20} {
			step := new(big.Int).Exp(big.NewInt(10), big.NewInt(power), nil)
			step.Mul(step, big.NewInt(quarter)).Quo(step, big.NewInt(4))
			if step.Sign() == 0 {
				continue
			}
			// The step is above zero, so floor is what Div rounds to.
			down := new(big.Int).Div(lowest, step)
			up := new(big.Int).Neg(new(big.Int).Div(new(big.Int).Neg(highest), step))
			if n := new(big.Int).Sub(up, down); n.Cmp(big.NewInt(ticksMax)) <= 0 {
				return axis{lowest, up.Mul(up, step), step}
			}
		}
	}
}

// at is where a value is, from the top.
func (a axis) at(n *big.Int) part {
	return partOf(new(big.Int).Sub(a.highest, n), new(big.Int).Sub(a.highest, a.lowest))
}

func (a axis) ticks(text func(*big.Int) string) []tick {
	var out []tick
	first := new(big.Int).Quo(a.lowest, a.step) // toward zero
	for n := first.Mul(first, a.step); n.Cmp(a.highest) <= 0; n = new(big.Int).Add(n, a.step) {
		out = append(out, tick{a.at(n), text(n), n.Sign() == 0})
	}
	return out
}

// lines is a chart of curves over equal steps.
type lines struct {
	Title, Desc string
	Curves      []curve
	Ticks       []tick
	Dates       []date
	Legend      []key
	More        string
}

type curve struct {
	Class, Title string
	Strokes      []stroke
	Points       []point
}

type stroke struct{ X1, Y1, X2, Y2 part }

type point struct{ X, Y part }

// curves draws a table whose rows are series and whose columns, but the first, are
// steps. A curve ends where its values do.
func curves(t *report.Table) *lines {
	var steps []int
	for i, c := range t.Columns {
		if i > 0 && c.Kind == report.RatioColumn {
			steps = append(steps, i)
		}
	}
	if len(steps) < 2 {
		return nil
	}
	rows, ch := t.Rows, &lines{Title: name(t.Title)}
	rows = slices.DeleteFunc(slices.Clone(rows), func(r []string) bool { return r[steps[0]] == "" })
	if len(rows) > linesMax {
		ch.More = fmt.Sprintf("The last %d of %s; the others are in the table.", linesMax, count(int64(len(rows))))
		rows = rows[len(rows)-linesMax:]
	}
	top := new(big.Int)
	for _, row := range rows {
		for _, s := range steps {
			top = larger(top, nanoOf(row[s]))
		}
	}
	if top.Sign() == 0 {
		return nil
	}
	a := axisOf(new(big.Int), top)
	ch.Ticks = a.ticks(func(n *big.Int) string { return percent(report.ValueOfUnits(n).Text(0)) })
	for i, row := range rows {
		c := curve{Class: fmt.Sprintf("s%d", i), Title: name(row[0])}
		for k, s := range steps {
			if row[s] == "" {
				break
			}
			at := point{part(wholePart * k / (len(steps) - 1)), a.at(nanoOf(row[s]))}
			if k > 0 {
				last := c.Points[k-1]
				c.Strokes = append(c.Strokes, stroke{last.X, last.Y, at.X, at.Y})
			}
			c.Points = append(c.Points, at)
		}
		ch.Curves = append(ch.Curves, c)
		ch.Legend = append(ch.Legend, key{c.Class, c.Title})
	}
	ch.Desc = fmt.Sprintf("%d curves of %d steps.", len(ch.Curves), len(steps))
	ch.Dates = stepLabels(t, steps)
	return ch
}

// stepLabels names at most so many of the steps, in equal distances, where the points are.
func stepLabels(t *report.Table, steps []int) []date {
	every := (len(steps) + datesMax - 1) / datesMax
	var out []date
	for i := 0; i < len(steps); i += every {
		d := date{part(wholePart * i / (len(steps) - 1)), name(t.Columns[steps[i]].Title), "middle"}
		switch i {
		case 0:
			d.Anchor = "start"
		case len(steps) - 1:
			d.Anchor = "end"
		}
		out = append(out, d)
	}
	return out
}

func larger(a, b *big.Int) *big.Int {
	if a.Cmp(b) >= 0 {
		return a
	}
	return b
}

func smaller(a, b *big.Int) *big.Int {
	if a.Cmp(b) <= 0 {
		return a
	}
	return b
}
