package answer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/money"
	"tracksource/report"
)

const (
	// packageCellsMax bounds the cells of one table: more than a sheet that people scroll
	// in, and few enough that all tables fit into memory at once.
	packageCellsMax = 1_000_000
	// packageDealsMax bounds the deals that are listed, packageAlertsMax the open alerts.
	packageDealsMax  = 100_000
	packageAlertsMax = 1000
	// packageRevisionsMax bounds the revisions that are listed of the contract, each held
	// against the one before, and of each feed's mapping.
	packageRevisionsMax = 50
)

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
func times(ids ...string) []report.Column  { return column(report.TimeColumn, ids...) }

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

// named are columns of one kind, one for each value that there is. Ids are of few
// letters, whatever the values are made of; their titles are the values.
func (p *packaging) named(prefix string, m attribution.Measure, values []string) []report.Column {
	out := make([]report.Column, 0, len(values))
	for _, v := range values {
		one := p.measured(m)[0]
		one.ID, one.Title = prefix+columnID(v), v
		taken := func(c report.Column) bool { return c.ID == one.ID }
		for n := 2; slices.ContainsFunc(out, taken); n++ {
			one.ID = fmt.Sprintf("%s%s_%d", prefix, columnID(v), n)
		}
		out = append(out, one)
	}
	return out
}

// columnID turns a value into the id of a column: what is no letter, digit or dash is
// left out at the ends and else an underscore.
func columnID(value string) string {
	id := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '_'
	}, value)
	return cmp.Or(strings.Trim(id, "_-"), "value")
}

// add puts a table into the package, as far as it is not too large.
func (p *packaging) add(t report.Table) {
	if t.Rows == nil {
		t.Rows = [][]string{}
	}
	if most := packageCellsMax / max(len(t.Columns), 1); len(t.Rows) > most {
		t.LeftOut += len(t.Rows) - most
		t.Rows = t.Rows[:most]
	}
	p.p.Tables = append(p.p.Tables, t)
}

func (p *packaging) note(title, text string) {
	p.p.Method = append(p.p.Method, report.Note{Title: title, Text: text})
}

func (p *packaging) valueText(v report.Value, m attribution.Measure) string {
	return text(v, p.currency(m))
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

func dayText(at time.Time, c *contract.Contract) string {
	if at.IsZero() {
		return ""
	}
	return c.Day(at).String()
}

func timeText(at *time.Time) string {
	if at == nil || at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// dayOr is text as far as it is a day.
func dayOr(text string) string {
	if _, err := money.ParseDay(text); err != nil {
		return ""
	}
	return text
}

func measuresNamed(names []string) []attribution.Measure {
	out := make([]attribution.Measure, len(names))
	for i, name := range names {
		out[i] = attribution.MeasureNamed(name)
	}
	return out
}
