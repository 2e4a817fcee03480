package render

import (
	"archive/zip"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tracksource/money"
	"tracksource/report"
)

// What a sheet can hold (Microsoft, Excel specifications and limits).
const (
	sheetRowsMax    = 1_048_576
	sheetColumnsMax = 16_384
	sheetNameMax    = 31
	cellTextMax     = 32_767 // UTF-16 units
	// cellDigitsMax is how many significant digits a spreadsheet keeps of a number: it
	// calculates in binary floating point, which has 15 decimal digits for certain.
	cellDigitsMax = 15
	// sheetNotesMax is how many rows below a table say how it is to be read.
	sheetNotesMax = 6
)

// writeXLSX writes one workbook with a sheet for each table (ECMA-376, transitional).
//
// It is written here and not by a library: those that there are take a number as a
// float64 only and stamp the machine's clock. A number is written as the decimal text
// that the table has, so nothing rounds on the way to the file; what a spreadsheet would
// round when it opens it is written as text instead. Texts are inline strings of the
// format for text, so that none becomes a formula, not even when its cell is edited.
// Sheets are written row by row and never held.
func writeXLSX(w io.Writer, p *report.Package) error {
	tables, err := tablesOf(p)
	if err != nil {
		return err
	}
	b := &workbook{zip: zip.NewWriter(w), styles: []string{"", textFormat, headerFormat, longFormat}}
	if p.Table(spineID) == nil {
		b.spine = p.Spine
	}
	sheets := []report.Table{aboutSheet(p), contents(tables)}
	sheets = append(sheets, tables...)
	names := sheetNames(sheets)
	for i, name := range names[2:] {
		sheets[1].Rows[i][0] = name
	}
	for i := range sheets {
		if err := b.part(fmt.Sprintf("xl/worksheets/sheet%d.xml", i+1), func(w io.Writer) error { return b.sheet(w, &sheets[i], i == 0) }); err != nil {
			return fmt.Errorf("table %s: %w", sheets[i].ID, err)
		}
	}
	for _, part := range [][2]string{
		{"xl/styles.xml", b.styleSheet()},
		{"xl/workbook.xml", bookXML(names)},
		{"xl/_rels/workbook.xml.rels", bookRelations(len(names))},
		{"docProps/core.xml", coreXML(p)},
		{"_rels/.rels", packageRelations},
		{"[Content_Types].xml", contentTypes(len(names))},
	} {
		if err := b.part(part[0], func(w io.Writer) error { _, err := io.WriteString(w, xml.Header+part[1]); return err }); err != nil {
			return err
		}
	}
	return b.zip.Close()
}

// workbook is one file while it is written.
type workbook struct {
	zip *zip.Writer
	// styles are the number formats of the cells' styles, by their number. The first is
	// of nothing in particular, the next are those of the constants.
	styles []string
	// spine are the figures of the table of that name, whose rows are of different kinds.
	spine []report.KPI
}

const (
	styleText   = 1
	styleHeader = 2
	styleLong   = 3
	// textFormat is the format of cells that stay texts. headerFormat stands for it above
	// a column, longFormat in cells whose text goes on in further lines: what flows over
	// the next cells is not printed with them.
	textFormat   = "@"
	headerFormat = "@header"
	longFormat   = "@long"
)

// part writes one file of the archive. All of them are of the first day that an archive
// can tell: when it was written is not said.
func (b *workbook) part(name string, write func(io.Writer) error) error {
	w, err := b.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		return err
	}
	return write(w)
}

// style is the number of the style with a format.
func (b *workbook) style(format string) int {
	for i, f := range b.styles {
		if f == format {
			return i
		}
	}
	b.styles = append(b.styles, format)
	return len(b.styles) - 1
}

// sheet writes a table: its header in the first row, which stays where it is when the
// rest is scrolled, below it the rows, and below those what is to be said of them.
func (b *workbook) sheet(w io.Writer, t *report.Table, selected bool) error {
	columns := t.Columns[:min(len(t.Columns), sheetColumnsMax)]
	rows := t.Rows[:min(len(t.Rows), sheetRowsMax-1-sheetNotesMax)]
	s := sheetWriter{w: w, buf: make([]byte, 0, chunkBytes)}
	s.head(columns, rows, t.ID == spineID, selected)
	s.row(1, 1, len(columns), func(i int) { s.text(styleHeader, header(&columns[i])) })
	styles := make([]int, len(columns))
	for i := range columns {
		styles[i] = b.style(formatOf(&columns[i], rows, i))
	}
	figures := b.spine
	if t.ID != spineID {
		figures = nil
	}
	for n, row := range rows {
		s.row(n+2, linesOf(columns, row), min(len(row), len(columns)), func(i int) {
			kind, style := columns[i].Kind, styles[i]
			if n < len(figures) && isFigure(columns[i].ID) {
				kind = figures[n].Kind
				style = b.style(formatOf(&report.Column{Kind: kind, Currency: figures[n].Currency}, rows[n:n+1], i))
			}
			s.cell(kind, style, row[i])
		})
		if s.err != nil {
			return s.err
		}
	}
	last := len(rows) + 1
	for n, note := range s.notes(t, len(t.Rows)-len(rows), len(t.Columns)-len(columns)) {
		s.row(last+2+n, 1, 1, func(int) { s.text(styleText, note) })
	}
	s.add(`</sheetData>`)
	if len(columns) > 0 {
		s.add(`<autoFilter ref="A1:` + columnName(len(columns)-1) + strconv.Itoa(last) + `"/>`)
	}
	s.add(`<pageMargins left="0.5" right="0.5" top="0.5" bottom="0.5" header="0.3" footer="0.3"/><pageSetup orientation="landscape" fitToHeight="0"/></worksheet>`)
	return s.flush()
}

// sheetWriter writes one sheet. The first error stays, and nothing is written behind it.
type sheetWriter struct {
	w   io.Writer
	buf []byte
	err error
	// place is the cell that is written now.
	line, column int
	// long, far and cut count the numbers that are texts, the days that are, and the
	// texts that are shorter than they were.
	long, far, cut int
}

func (s *sheetWriter) add(text string) { s.buf = append(s.buf, text...) }

func (s *sheetWriter) flush() error {
	if s.err == nil {
		_, s.err = s.w.Write(s.buf)
	}
	s.buf = s.buf[:0]
	return s.err
}

const (
	widthMin, widthMax = 9, 60
	// widthRowsMax is how many rows are looked at for the widths of columns.
	widthRowsMax = 1000
	// lineHeight is the height of a line in points, rowLinesMax how many a row has at most.
	lineHeight, rowLinesMax = 15, 20
)

// linesOf is how many lines the longest text of a row takes in the widest column, words
// that go to the next line whole among them.
func linesOf(columns []report.Column, row []string) int {
	const filled = widthMax * 9 / 10
	lines := 1
	for i := range columns[:min(len(row), len(columns))] {
		if isLong(row[i]) {
			lines = max(lines, (utf8.RuneCountInString(row[i])+filled-1)/filled)
		}
	}
	return min(lines, rowLinesMax)
}

// isLong reports whether a text goes on behind the widest column.
func isLong(text string) bool {
	return len(text) > widthMax && utf8.RuneCountInString(text) > widthMax // most are shorter, in bytes already
}

func (s *sheetWriter) head(columns []report.Column, rows [][]string, figures, selected bool) {
	s.add(xml.Header + `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetPr><pageSetUpPr fitToPage="1"/></sheetPr><sheetViews><sheetView`)
	if selected {
		s.add(` tabSelected="1"`)
	}
	s.add(` workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetFormatPr defaultRowHeight="` + strconv.Itoa(lineHeight) + `"/>`)
	if len(columns) > 0 {
		s.add(`<cols>`)
		for i := range columns {
			width, extra := utf8.RuneCountInString(header(&columns[i]))+3, 1 // the filter's arrow
			if columns[i].Kind == report.MoneyColumn || figures && isFigure(columns[i].ID) {
				extra = 7 // separators, the currency
			}
			for _, row := range rows[:min(len(rows), widthRowsMax)] {
				if i < len(row) {
					width = max(width, utf8.RuneCountInString(row[i])+extra)
				}
			}
			s.add(fmt.Sprintf(`<col min="%d" max="%d" width="%d" customWidth="1"/>`, i+1, i+1, min(max(width, widthMin), widthMax)))
		}
		s.add(`</cols>`)
	}
	s.add(`<sheetData>`)
}

// row writes a row of so many lines of text. Its height is said, as not every program
// finds it by itself.
func (s *sheetWriter) row(line, lines, cells int, cell func(i int)) {
	s.line = line
	s.add(`<row r="`)
	s.buf = strconv.AppendInt(s.buf, int64(line), 10)
	if lines > 1 {
		s.add(fmt.Sprintf(`" ht="%d" customHeight="1`, lines*lineHeight))
	}
	s.add(`">`)
	for s.column = range cells {
		cell(s.column)
	}
	s.add(`</row>`)
	if len(s.buf) >= chunkBytes {
		_ = s.flush() // the error stays
	}
}

// open begins a cell.
func (s *sheetWriter) open(style int) {
	s.add(`<c r="`)
	s.buf = appendColumn(s.buf, s.column)
	s.buf = strconv.AppendInt(s.buf, int64(s.line), 10)
	s.add(`" s="`)
	s.buf = strconv.AppendInt(s.buf, int64(style), 10)
}

// cell writes a value; an empty one is no cell.
func (s *sheetWriter) cell(kind report.ColumnKind, style int, v string) {
	number := ""
	switch {
	case v == "":
		return
	case kind == report.DayColumn:
		if number = serial(v); number == "" {
			s.far++
		}
	case kind != report.TextColumn && kind != report.TimeColumn && isNumber(v):
		if number = v; digits(v) > cellDigitsMax {
			number = ""
			s.long++
		}
	}
	switch {
	case number == "" && isLong(v):
		s.text(styleLong, v)
		return
	case number == "":
		s.text(styleText, v)
		return
	}
	s.open(style)
	s.add(`"><v>`)
	s.add(number)
	s.add(`</v></c>`)
}

func (s *sheetWriter) text(style int, v string) {
	v = strings.ToValidUTF8(v, string(utf8.RuneError))
	if short := cutText(v); len(short) < len(v) {
		s.cut++
		v = short
	}
	s.open(style)
	s.add(`" t="inlineStr"><is><t xml:space="preserve">`)
	s.buf = appendText(s.buf, v)
	s.add(`</t></is></c>`)
}

// notes are what is to be said below a table, sheetNotesMax of them with the empty row
// before them at most.
func (s *sheetWriter) notes(t *report.Table, rows, columns int) []string {
	var notes []string
	if t.Note != "" {
		notes = append(notes, t.Note)
	}
	if n := t.LeftOut + rows; n > 0 {
		notes = append(notes, fmt.Sprintf("%d more rows are left out.", n))
	}
	if columns > 0 {
		notes = append(notes, fmt.Sprintf("%d more columns are left out.", columns))
	}
	if s.long+s.far > 0 {
		notes = append(notes, fmt.Sprintf("%d numbers of more than %d digits, and %d days that spreadsheets cannot count, are written as text: the sheet's sums are without them.", s.long, cellDigitsMax, s.far))
	}
	if s.cut > 0 {
		notes = append(notes, fmt.Sprintf("%d texts are cut at %d characters.", s.cut, cellTextMax))
	}
	return notes
}

// header is what stands above a column. A currency that its title does not name is in
// the format of its cells.
func header(c *report.Column) string {
	if c.Title == "" {
		return c.ID
	}
	return c.Title
}

// digits is how many significant digits a decimal number has.
func digits(number string) int {
	number = strings.TrimLeft(number, "-0.")
	if whole, places, pointed := strings.Cut(number, "."); pointed {
		number = whole + strings.TrimRight(places, "0")
	}
	return len(strings.TrimRight(number, "0"))
}

// serial is a day as spreadsheets count them, empty for one before March 1900: until
// then their calendar has a day too many.
func serial(text string) string {
	day, err := money.ParseDay(text)
	if err != nil {
		return ""
	}
	const (
		epoch = -25_569 // 1899-12-30, in days since 1970
		first = -25_508 // 1900-03-01
	)
	if int(day) < first {
		return ""
	}
	return strconv.Itoa(int(day) - epoch)
}

// cutText is as much of a text as a cell can hold.
func cutText(v string) string {
	if len(v) <= cellTextMax {
		return v
	}
	units := 0
	for i, r := range v {
		if units++; r > 0xFFFF {
			units++
		}
		if units > cellTextMax {
			return v[:i]
		}
	}
	return v
}

// appendText escapes a text. What XML cannot carry becomes U+FFFD; what looks like the
// format's own escape of a character (ST_Xstring) has its underscore escaped, so that it
// stays what it is.
func appendText(buf []byte, v string) []byte {
	for i, r := range v {
		switch {
		case r == '&':
			buf = append(buf, "&amp;"...)
		case r == '<':
			buf = append(buf, "&lt;"...)
		case r == '>':
			buf = append(buf, "&gt;"...)
		case r == '\r':
			buf = append(buf, "&#13;"...) // a bare one is read as a line feed
		case r == '_' && isEscape(v[i:]):
			buf = append(buf, "_x005F_"...)
		case r < ' ' && r != '\t' && r != '\n', r == 0xFFFE, r == 0xFFFF:
			buf = utf8.AppendRune(buf, utf8.RuneError)
		default:
			buf = utf8.AppendRune(buf, r)
		}
	}
	return buf
}

func isEscape(v string) bool {
	const length = len("_x005F_")
	return len(v) >= length && v[1] == 'x' && v[length-1] == '_' && strings.Trim(v[2:length-1], "0123456789abcdefABCDEF") == ""
}

// columnName is what a sheet calls its column: A, Z, AA.
func columnName(i int) string { return string(appendColumn(nil, i)) }

func appendColumn(buf []byte, i int) []byte {
	if i >= 26 {
		buf = appendColumn(buf, i/26-1)
	}
	return append(buf, byte('A'+i%26))
}
