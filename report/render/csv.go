package render

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"tracksource/report"
)

// chunkBytes is how much is put together before it is written: what writes may be a
// file without a buffer of its own.
const chunkBytes = 64 << 10

// writeCSVs writes a file for each table.
func writeCSVs(p *report.Package, create Create) error {
	tables, err := tablesOf(p)
	if err != nil {
		return err
	}
	for i := range tables {
		t := &tables[i]
		if err := file(create, "tables/"+t.ID+".csv", func(w io.Writer) error { return writeCSV(w, t) }); err != nil {
			return err
		}
	}
	return nil
}

// writeCSV writes a table by RFC 4180: UTF-8 without a mark, lines that end with CR LF,
// the columns' ids as the header. Numbers and days stay as they are, texts are made
// harmless by [CSVText].
func writeCSV(w io.Writer, t *report.Table) error {
	buf := make([]byte, 0, chunkBytes)
	for i, c := range t.Columns {
		buf = appendField(buf, i, CSVText(c.ID))
	}
	buf = append(buf, "\r\n"...)
	for _, row := range t.Rows {
		for i, v := range row {
			if i >= len(t.Columns) || !isPlain(t.Columns[i].Kind, v) {
				v = CSVText(v)
			}
			buf = appendField(buf, i, v)
		}
		buf = append(buf, "\r\n"...)
		if len(buf) >= chunkBytes {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	_, err := w.Write(buf)
	return err
}

func appendField(buf []byte, place int, v string) []byte {
	v = strings.ToValidUTF8(v, string(utf8.RuneError))
	if place > 0 {
		buf = append(buf, ',')
	}
	// A semicolon and a tab need no quotes by the RFC; to who splits by them they say
	// that the field is one.
	if v == "" || !strings.ContainsAny(v, ",;\"\t\r\n") && v[0] != ' ' {
		return append(buf, v...)
	}
	buf = append(buf, '"')
	buf = append(buf, strings.ReplaceAll(v, `"`, `""`)...)
	return append(buf, '"')
}

// isPlain reports whether a value is a number, a day or an instant as its column
// promises. What claims to be one and is not is treated as the text that it is.
func isPlain(kind report.ColumnKind, v string) bool {
	switch kind {
	case report.MoneyColumn, report.CountColumn, report.RatioColumn, report.DaysColumn:
		return isNumber(v)
	case report.DayColumn, report.TimeColumn:
		return v != "" && v[0] >= '0' && v[0] <= '9' && strings.Trim(v, "0123456789-:.TZ+") == ""
	case report.TextColumn:
	}
	return false
}

// isNumber reports whether a text is a number as packages write them: digits, a point
// and digits.
func isNumber(v string) bool {
	v = strings.TrimPrefix(v, "-")
	point := -1
	for i := range len(v) {
		switch c := v[i]; {
		case c == '.' && point < 0:
			point = i
		case c < '0' || c > '9':
			return false
		}
	}
	return v != "" && point != 0 && point != len(v)-1
}

// CSVText makes a text harmless in spreadsheets, which take for a formula what begins
// with = + - or @, also in full width, and to some with a tab or a line's end before it
// (OWASP, CSV Injection). Such a text gets an apostrophe in front. So does what stands
// behind a tab, a semicolon or a line's end: whoever opens the file with another
// separator splits there. Numbers stay numbers, also in columns of text.
//
// One apostrophe more goes in front of apostrophes before such a sign, so that what
// CSVText has added can be taken away again without a doubt: [CSVOriginal] does.
func CSVText(text string) string {
	out := bySegment(text, func(s string) string {
		if isFormula(s) {
			return "'" + s
		}
		return s
	})
	if isControl(text) {
		return "'" + out
	}
	return out
}

// CSVOriginal is the text that CSVText was given.
func CSVOriginal(text string) string {
	if strings.HasPrefix(text, "'") && isControl(text) {
		text = text[1:]
	}
	return bySegment(text, func(s string) string {
		if strings.HasPrefix(s, "'") && isFormula(s) {
			return s[1:]
		}
		return s
	})
}

// bySegment changes each part of a text that a spreadsheet could take for a cell.
func bySegment(text string, change func(segment string) string) string {
	var out strings.Builder
	for {
		i := strings.IndexAny(text, ";\t\r\n")
		if i < 0 {
			if out.Len() == 0 {
				return change(text)
			}
			return out.String() + change(text)
		}
		out.WriteString(change(text[:i]))
		out.WriteByte(text[i])
		text = text[i+1:]
	}
}

// isFormula reports whether a segment, behind its apostrophes, could be taken for a
// formula: blanks and what nobody sees do not hold a spreadsheet up.
func isFormula(s string) bool {
	s = strings.TrimLeftFunc(strings.TrimLeft(s, "'"), func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
	sign, _ := utf8.DecodeRuneInString(s)
	return s != "" && strings.ContainsRune("=+-@＝＋－＠", sign) && !isNumber(s)
}

// isControl reports whether a text, behind its apostrophes, begins with a character that
// makes some spreadsheets look at the next one.
func isControl(s string) bool {
	s = strings.TrimLeft(s, "'")
	return s != "" && strings.IndexByte("\t\r\n\x00", s[0]) >= 0
}

// tablesOf are the tables of a package for formats that have nothing but tables: what
// the package says outside of tables comes first. Their ids are names of files.
func tablesOf(p *report.Package) ([]report.Table, error) {
	var tables []report.Table
	for _, t := range []report.Table{spine(p), insights(p), decisions(p), actions(p)} {
		if len(t.Rows) > 0 && p.Table(t.ID) == nil {
			tables = append(tables, t)
		}
	}
	tables = append(tables, p.Tables...)
	var ids []string
	for i := range tables {
		id := tables[i].ID
		if id == "" || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			return nil, fmt.Errorf("a table's id is of lower case letters, digits and _: %.60q", id)
		}
		if slices.Contains(ids, id) {
			return nil, fmt.Errorf("there are two tables %s", id)
		}
		ids = append(ids, id)
	}
	return tables, nil
}

func texts(ids ...string) []report.Column {
	columns := make([]report.Column, len(ids))
	for i, id := range ids {
		title := strings.ReplaceAll(id, "_", " ")
		columns[i] = report.Column{ID: id, Title: strings.ToUpper(title[:1]) + title[1:], Kind: report.TextColumn}
	}
	return columns
}

const spineID = "spine"

// isFigure reports whether a column of the spine has numbers of the row's kind.
func isFigure(column string) bool {
	return slices.Contains([]string{"value", "target", "expected", "previous"}, column)
}

func spine(p *report.Package) report.Table {
	t := report.Table{
		ID: spineID, Title: "Key figures", Columns: texts("kpi", "title", "value", "unit", "currency", "target", "expected", "previous", "light", "why"),
		Note: "Each row is of its own unit.",
	}
	for _, k := range p.Spine {
		t.Rows = append(t.Rows, []string{k.ID, k.Title, k.Value, string(k.Kind), k.Currency, k.Target, k.Expected, k.Previous, string(k.Light), k.Why})
	}
	return t
}

func insights(p *report.Package) report.Table {
	t := report.Table{ID: "insights", Title: "Insights", Columns: texts("rule", "tone", "about", "text", "evidence", "stake", "chance")}
	t.Columns[5].Kind, t.Columns[5].Currency, t.Columns[6].Kind = report.MoneyColumn, p.Currency, report.RatioColumn
	for _, i := range p.Insights {
		t.Rows = append(t.Rows, []string{i.Rule, string(i.Tone), subjectsCell(i.About), i.Text, evidenceCell(i.Evidence), i.Stake, i.Chance})
	}
	return t
}

func decisions(p *report.Package) report.Table {
	t := report.Table{ID: "decisions", Title: "Decisions", Columns: texts("text", "owner", "due", "why")}
	t.Columns[2].Kind = report.DayColumn
	for _, d := range p.Decisions {
		t.Rows = append(t.Rows, []string{d.Text, d.Owner, d.Due, d.Why})
	}
	return t
}

func actions(p *report.Package) report.Table {
	t := report.Table{ID: "actions", Title: "Actions", Columns: texts("id", "text", "about", "rule", "evidence", "effect", "owner", "due", "status")}
	t.Columns[7].Kind = report.DayColumn
	for _, a := range p.Actions {
		t.Rows = append(t.Rows, []string{a.ID, a.Text, subjectsCell(a.About), a.Rule, evidenceCell(a.Evidence), a.Effect, a.Owner, a.Due, a.Status})
	}
	return t
}

func subjectsCell(list []report.Subject) string {
	parts := make([]string, len(list))
	for i, s := range list {
		parts[i] = s.Dimension + " " + s.Key
	}
	return strings.Join(parts, ", ")
}

func evidenceCell(list []report.Evidence) string {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = strings.TrimSpace(e.Name + " " + e.Value + " " + e.Currency)
	}
	return strings.Join(parts, ", ")
}
