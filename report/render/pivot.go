package render

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"tracksource/report"
)

// contributionBars has a bar for each value of the first dimension, of the second's
// colours. It shows the revenue, or what else there is of money.
func (h *hall) contributionBars(t *report.Table) *bars {
	dims := 0
	for dims < len(t.Columns) && (t.Columns[dims].Kind == report.TextColumn || t.Columns[dims].Kind == report.DayColumn) {
		dims++
	}
	measure := -1
	for _, id := range []string{"revenue", "pipeline_created", "pipeline_open"} {
		i := t.Column(id)
		if i >= dims && slices.ContainsFunc(t.Rows, func(r []string) bool { return nanoOf(r[i]).Sign() > 0 }) {
			measure = i
			break
		}
	}
	if dims == 0 || measure < 0 {
		return nil
	}
	return h.pivotBars(pivotOf(t, measure, min(1, dims-1)))
}

// pivot is a measure of a table by its first column and one of its columns.
type pivot struct {
	of          report.Column // the measure
	first       report.Column
	second      report.Column
	stacked     bool // first and second are two
	names       []string
	series      []string
	sums        map[string]report.Value
	cells       map[[2]string]report.Value
	longest     *big.Int // of what is above zero
	namesBefore int      // they were bounded
}

// pivotOf adds the rows up: the largest first, and not more than there are bars.
func pivotOf(t *report.Table, measure, second int) *pivot {
	v := &pivot{
		of: t.Columns[measure], first: t.Columns[0], second: t.Columns[second], stacked: second > 0,
		sums: map[string]report.Value{}, cells: map[[2]string]report.Value{}, longest: new(big.Int),
	}
	for _, row := range t.Rows {
		k := [2]string{row[0], row[second]}
		if _, ok := v.sums[k[0]]; !ok {
			v.names = append(v.names, k[0])
		}
		n, _ := report.ParseValue(row[measure]) // an empty one is none
		v.cells[k] = v.cells[k].Add(n)
		v.sums[k[0]] = v.sums[k[0]].Add(n)
	}
	slices.SortStableFunc(v.names, func(a, b string) int { return v.sums[b].Cmp(v.sums[a]) })
	v.namesBefore = len(v.names)
	v.names = v.names[:min(len(v.names), barsMax)]
	seen := map[string]bool{}
	for _, row := range t.Rows {
		k := [2]string{row[0], row[second]}
		if s := k[1]; !seen[s] && slices.Contains(v.names, k[0]) && v.cells[k].Sign() > 0 {
			v.series, seen[s] = append(v.series, s), true
		}
	}
	for _, n := range v.names {
		var up report.Value
		for _, s := range v.series {
			if c := v.cells[[2]string{n, s}]; c.Sign() > 0 {
				up = up.Add(c)
			}
		}
		v.longest = larger(v.longest, nano(up))
	}
	return v
}

func (h *hall) pivotBars(v *pivot) *bars {
	ch := &bars{Title: heading(h.p, v.of)}
	if v.of.Currency != "" {
		ch.Title += ", " + name(v.of.Currency)
	}
	if len(v.names) < v.namesBefore {
		ch.More = fmt.Sprintf("The %d largest of %s.", len(v.names), count(int64(v.namesBefore)))
	}
	colours := h.c
	if v.second.ID != "partner" {
		colours = &palette{} // those of partners are theirs
	}
	classes := map[string]string{}
	for _, s := range v.series {
		classes[s] = "s0"
		if v.stacked || v.second.ID == "partner" {
			classes[s] = colours.class(s)
		}
		if v.stacked {
			ch.Legend = legend(ch.Legend, key{classes[s], h.called(v.second, s)})
		}
	}
	for _, n := range v.names {
		b := bar{Name: h.called(v.first, n), Value: shown(v.of.Kind, v.sums[n].Text(0), v.of.Currency)}
		var amounts []*big.Int
		var of, titles []string
		for _, s := range v.series {
			if c := v.cells[[2]string{n, s}]; c.Sign() > 0 {
				amounts, of = append(amounts, nano(c)), append(of, classes[s])
				titles = append(titles, h.called(v.second, s)+" "+full(v.of.Kind, c.Text(0), v.of.Currency))
			}
		}
		b.Segments = layered(amounts, of, titles, v.longest)
		ch.Rows = append(ch.Rows, b)
	}
	return ch
}

// legend names a colour once; those that share one stand together.
func legend(keys []key, k key) []key {
	if k.Class == "so" {
		k.Name = "others"
	}
	i := slices.IndexFunc(keys, func(o key) bool { return o.Class == k.Class })
	switch {
	case i < 0:
		return append(keys, k)
	case k.Class == "sn" && !strings.Contains(keys[i].Name, k.Name):
		keys[i].Name += ", " + k.Name
	}
	return keys
}

// acrossStages is the worksheet with a row for each source and partner and a column for
// each stage, in the funnel's order: who came how far is read from left to right. Nil for a
// table that is none.
func acrossStages(t, funnel *report.Table) *report.Table {
	stage, deals, money := t.Column("stage"), t.Column("deals"), t.Column("pipeline")
	if stage != 2 || deals != stage+1 || money != deals+1 {
		return nil
	}
	out := &report.Table{ID: t.ID, Title: t.Title, LeftOut: t.LeftOut, Columns: slices.Clone(t.Columns[:stage])}
	var stages, there []string
	for _, row := range t.Rows {
		if len(there) <= barsMax && !slices.Contains(there, row[stage]) {
			there = append(there, row[stage])
		}
	}
	if funnel != nil && funnel.Column("stage") == 0 {
		for _, row := range funnel.Rows {
			if slices.Contains(there, row[0]) && !slices.Contains(stages, row[0]) {
				stages = append(stages, row[0])
			}
		}
	}
	for _, s := range there {
		if !slices.Contains(stages, s) {
			stages = append(stages, s)
		}
	}
	for _, s := range stages {
		out.Columns = append(out.Columns, report.Column{ID: s, Title: s, Kind: t.Columns[deals].Kind})
	}
	out.Columns = append(out.Columns, t.Columns[money:]...)
	places := map[[2]string]int{}
	for _, row := range t.Rows {
		of := [2]string(row)
		at, ok := places[of]
		if !ok {
			at = len(out.Rows)
			places[of] = at
			out.Rows = append(out.Rows, append(slices.Clone(row[:stage]), make([]string, len(out.Columns)-stage)...))
		}
		to := out.Rows[at]
		if i := slices.Index(stages, row[stage]); i >= 0 {
			to[stage+i] = row[deals]
		}
		for i := money; i < len(row); i++ {
			k := stage + len(stages) + i - money
			sum, _ := report.ParseValue(to[k]) // an empty one is none
			n, _ := report.ParseValue(row[i])
			to[k] = sum.Add(n).Text(0)
		}
	}
	return out
}
