package render

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tracksource/money"
	"tracksource/report"
)

// aboutSheet says what the workbook is of.
func aboutSheet(p *report.Package) report.Table {
	t := report.Table{ID: "about", Title: "About", Columns: texts("what", "value")}
	add := func(what, value string) {
		if value != "" {
			t.Rows = append(t.Rows, []string{what, value})
		}
	}
	add("Campaign", p.Name+" ("+p.Campaign+")")
	add("Title", p.Title)
	add("Headline", p.Headline)
	add("Nothing to report", p.Empty)
	window := p.Question.Window
	if p.Question.From != "" {
		window += ", " + p.Question.From + " to " + p.Question.To
	}
	add("Window", window)
	add("Zone", p.Zone)
	add("Attribution model", p.Question.ModelName+" ("+p.Question.Model+")")
	add("View", string(p.Question.View))
	add("Detail", string(p.Question.Detail))
	add("Dimensions", strings.Join(p.Question.Dimensions, ", "))
	add("Currency", p.Currency)
	var partners []string
	for _, n := range p.Partners {
		partners = append(partners, n.Name)
	}
	add("Signatories", strings.Join(partners, ", "))
	add("Contract", fmt.Sprintf("revision %d, %s", p.Revision, p.Contract))
	if p.Proposed {
		add("Proposed", "the contract is not agreed yet")
	}
	add("As known at", p.AsOf.Time.Format(time.RFC3339))
	if p.AsOf.Newest != nil {
		add("Newest input", p.AsOf.Newest.Format(time.RFC3339))
	}
	add("Made for", p.MadeFor)
	if p.Withheld {
		add("Left out", "what the contract shows to others only")
	}
	return t
}

// contents lists the sheets; their names follow.
func contents(tables []report.Table) report.Table {
	t := report.Table{ID: "contents", Title: "Contents", Columns: texts("sheet", "table", "rows", "left_out", "note")}
	t.Columns[2].Kind, t.Columns[3].Kind = report.CountColumn, report.CountColumn
	for i := range tables {
		of := &tables[i]
		rows := min(len(of.Rows), sheetRowsMax-1-sheetNotesMax)
		t.Rows = append(t.Rows, []string{"", of.Title, strconv.Itoa(rows), strconv.Itoa(of.LeftOut + len(of.Rows) - rows), of.Note})
	}
	return t
}

// sheetNames are the tables' ids as far as they fit, no two the same.
func sheetNames(tables []report.Table) []string {
	taken := map[string]bool{"history": true} // which the program keeps for itself
	names := make([]string, len(tables))
	for i := range tables {
		id := tables[i].ID
		name := id[:min(len(id), sheetNameMax)]
		for n := 2; taken[name]; n++ {
			suffix := "_" + strconv.Itoa(n)
			name = id[:min(len(id), sheetNameMax-len(suffix))] + suffix
		}
		taken[name], names[i] = true, name
	}
	return names
}

// formatOf is the number format of a column: of money the places of its currency, of
// the rest as many as its values have.
func formatOf(c *report.Column, rows [][]string, place int) string {
	switch c.Kind {
	case report.MoneyColumn:
		exponent, err := money.Exponent(c.Currency)
		if err != nil {
			return "#,##0.00"
		}
		return "#,##0" + decimals(exponent) + ` [$` + c.Currency + `]`
	case report.CountColumn, report.DaysColumn:
		places := 0
		for _, row := range rows {
			if place < len(row) {
				_, after, _ := strings.Cut(row[place], ".")
				places = max(places, min(len(after), 2))
			}
		}
		return "#,##0" + decimals(places)
	case report.RatioColumn:
		return "0.0%"
	case report.DayColumn:
		return "yyyy-mm-dd"
	case report.TextColumn, report.TimeColumn:
	}
	return textFormat
}

func decimals(n int) string {
	if n == 0 {
		return ""
	}
	return "." + strings.Repeat("0", n)
}

const (
	spreadsheetNS   = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
	relationshipsNS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	packageNS       = "http://schemas.openxmlformats.org/package/2006"
	contentType     = "application/vnd.openxmlformats-officedocument.spreadsheetml"
)

// styleSheet is what the styles look like: formats of numbers, and the header's.
func (b *workbook) styleSheet() string {
	const firstFormat = 164 // those below are the program's own
	var formats, cells strings.Builder
	count := 0
	for i, f := range b.styles {
		id := 0
		switch {
		case f == textFormat || f == headerFormat || f == longFormat:
			id = 49
		case f != "":
			id = firstFormat + count
			count++
			fmt.Fprintf(&formats, `<numFmt numFmtId="%d" formatCode="%s"/>`, id, appendText(nil, f))
		}
		if i == styleHeader {
			fmt.Fprintf(&cells, `<xf numFmtId="%d" fontId="1" fillId="2" borderId="1" xfId="0" applyNumberFormat="1" applyFont="1" applyFill="1" applyBorder="1"/>`, id)
			continue
		}
		wrap := ""
		if i == styleLong {
			wrap = ` wrapText="1"`
		}
		fmt.Fprintf(&cells, `<xf numFmtId="%d" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyAlignment="1"><alignment vertical="top"%s/></xf>`, id, wrap)
	}
	var numFmts string
	if count > 0 {
		numFmts = fmt.Sprintf(`<numFmts count="%d">%s</numFmts>`, count, &formats)
	}
	return `<styleSheet xmlns="` + spreadsheetNS + `">` + numFmts +
		`<fonts count="2"><font><sz val="11"/><name val="Calibri"/><family val="2"/></font><font><b/><sz val="11"/><name val="Calibri"/><family val="2"/></font></fonts>` +
		`<fills count="3"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>` +
		`<fill><patternFill patternType="solid"><fgColor rgb="FFE8ECF1"/><bgColor indexed="64"/></patternFill></fill></fills>` +
		`<borders count="2"><border><left/><right/><top/><bottom/><diagonal/></border>` +
		`<border><left/><right/><top/><bottom style="thin"><color rgb="FF8A94A3"/></bottom><diagonal/></border></borders>` +
		`<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>` +
		fmt.Sprintf(`<cellXfs count="%d">%s</cellXfs>`, len(b.styles), &cells) +
		`<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>`
}

func bookXML(names []string) string {
	var sheets strings.Builder
	for i, name := range names {
		fmt.Fprintf(&sheets, `<sheet name="%s" sheetId="%d" r:id="rId%d"/>`, name, i+1, i+1)
	}
	return `<workbook xmlns="` + spreadsheetNS + `" xmlns:r="` + relationshipsNS + `"><bookViews><workbookView/></bookViews><sheets>` + sheets.String() + `</sheets></workbook>`
}

func bookRelations(sheets int) string {
	var list strings.Builder
	for i := range sheets {
		fmt.Fprintf(&list, `<Relationship Id="rId%d" Type="%s/worksheet" Target="worksheets/sheet%d.xml"/>`, i+1, relationshipsNS, i+1)
	}
	fmt.Fprintf(&list, `<Relationship Id="rId%d" Type="%s/styles" Target="styles.xml"/>`, sheets+1, relationshipsNS)
	return `<Relationships xmlns="` + packageNS + `/relationships">` + list.String() + `</Relationships>`
}

const packageRelations = `<Relationships xmlns="` + packageNS + `/relationships">` +
	`<Relationship Id="rId1" Type="` + relationshipsNS + `/officeDocument" Target="xl/workbook.xml"/>` +
	`<Relationship Id="rId2" Type="` + packageNS + `/relationships/metadata/core-properties" Target="docProps/core.xml"/></Relationships>`

func contentTypes(sheets int) string {
	var list strings.Builder
	for i := range sheets {
		fmt.Fprintf(&list, `<Override PartName="/xl/worksheets/sheet%d.xml" ContentType="%s.worksheet+xml"/>`, i+1, contentType)
	}
	return `<Types xmlns="` + packageNS + `/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
		`<Default Extension="xml" ContentType="application/xml"/>` +
		`<Override PartName="/xl/workbook.xml" ContentType="` + contentType + `.sheet.main+xml"/>` + list.String() +
		`<Override PartName="/xl/styles.xml" ContentType="` + contentType + `.styles+xml"/>` +
		`<Override PartName="/docProps/core.xml" ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>`
}

// coreXML says who made it and of when it is: of what was known, not of the machine's
// clock.
func coreXML(p *report.Package) string {
	at := p.AsOf.Time.UTC().Format(time.RFC3339)
	title := string(appendText(nil, p.Title))
	return `<cp:coreProperties xmlns:cp="` + packageNS + `/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/"` +
		` xmlns:dcterms="http://purl.org/dc/terms/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
		`<dc:title>` + title + `</dc:title><dc:creator>Track Source</dc:creator>` +
		`<dcterms:created xsi:type="dcterms:W3CDTF">` + at + `</dcterms:created><dcterms:modified xsi:type="dcterms:W3CDTF">` + at + `</dcterms:modified></cp:coreProperties>`
}
