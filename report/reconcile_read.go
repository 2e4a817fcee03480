package report

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tracksource/attribution"
	"tracksource/identity"
	"tracksource/money"
)

// ExportField is what a column of a CRM's export is read as.
type ExportField string

// The fields of an export.
const (
	ExportID        ExportField = "id"
	ExportName      ExportField = "name"
	ExportAmount    ExportField = "amount"
	ExportCurrency  ExportField = "currency"
	ExportStage     ExportField = "stage"
	ExportCloseDate ExportField = "close_date"
	ExportCreated   ExportField = "created"
	ExportClosed    ExportField = "is_closed"
	ExportWon       ExportField = "is_won"
)

// ExportFields lists them.
func ExportFields() []ExportField {
	return []ExportField{ExportID, ExportName, ExportAmount, ExportCurrency, ExportStage, ExportCloseDate, ExportCreated, ExportClosed, ExportWon}
}

// names are what Salesforce's reports and API and HubSpot's exports and API call the
// field, as foldHeader leaves them; the first that a file has is taken.
func (f ExportField) names() []string {
	switch f {
	case ExportID:
		return []string{"id", "opportunityid", "opportunityid18", "casesafeid", "casesafeopportunityid", "18digitid", "18characterid", "dealid", "recordid", "recordiddeal", "hsobjectid"}
	case ExportName:
		return []string{"name", "opportunityname", "dealname"}
	case ExportAmount:
		return []string{"amount", "dealamount", "opportunityamount", "amountconverted", "amountincompanycurrency"}
	case ExportCurrency:
		return []string{"currency", "currencyisocode", "amountcurrency", "opportunitycurrency", "dealcurrency", "dealcurrencycode"}
	case ExportStage:
		return []string{"stage", "stagename", "dealstage", "opportunitystage"}
	case ExportCloseDate:
		return []string{"closedate", "closeddate", "dealclosedate"}
	case ExportCreated:
		return []string{"created", "createdat", "createddate", "createdate", "datecreated"}
	case ExportClosed:
		return []string{"isclosed", "closed", "hsisclosed", "isdealclosed"}
	case ExportWon:
		return []string{"iswon", "won", "isclosedwon", "hsisclosedwon"}
	}
	return nil
}

// foldHeader makes the names of columns comparable.
func foldHeader(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r > utf8.RuneSelf:
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return -1
	}, name)
}

// Limits of an export.
const (
	// ExportBytesMax is that of an export.
	ExportBytesMax = 32 << 20
	// exportRowsMax bounds what rows cost in memory, which is more than their bytes.
	exportRowsMax = 250_000
	// exportNameMax bounds a deal's id and name, in bytes.
	exportNameMax = 255
)

// ReconcileMeasures are the measures that a CRM has numbers of.
func ReconcileMeasures() []string {
	return []string{attribution.MeasureRevenue, attribution.MeasurePipelineCreated, attribution.MeasurePipelineOpen}
}

// ExportOptions say how an export is read.
type ExportOptions struct {
	// Columns names the columns of fields; of the others the usual names are taken.
	Columns map[ExportField]string
	// Measure is one of [ReconcileMeasures]: revenue is by the stage and the close
	// date, open pipeline by the stage and the day of creation.
	Measure string
	// Currency is that of amounts of which the export does not say it.
	Currency string
	// Zone is where the day of the creation is looked up. A close date has no zone: an
	// instant is that of its midnight in UTC, as the feeds read it.
	Zone *time.Location
	// Undated is whether deals are wanted of whatever day, so that the export may say
	// none.
	Undated bool
}

func (o *ExportOptions) dayField() ExportField {
	if o.Measure == attribution.MeasureRevenue {
		return ExportCloseDate
	}
	return ExportCreated
}

func (o *ExportOptions) zone() *time.Location {
	if o.dayField() == ExportCreated && o.Zone != nil {
		return o.Zone
	}
	return time.UTC
}

func (o *ExportOptions) byStage() bool { return o.Measure != attribution.MeasurePipelineCreated }

// ExportDeal is a row of an export.
type ExportDeal struct {
	Line int
	// ID is the deal's id in the CRM as it is written; [DealID] makes it comparable.
	ID, Name, Stage string
	IsClosed, IsWon bool
	// Flagged is whether the export says of deals whether they are won.
	Flagged bool
	Amount  money.Amount
	// Day is that of the measure, if Dated; else DayProblem is why not.
	Day        money.Day
	Dated      bool
	DayProblem string
}

// UnreadableRow is a row of an export that cannot be used.
type UnreadableRow struct {
	Line int
	ID   string // empty where that is what is missing
	Why  string
	// Amount is what the row is about, if Valued.
	Amount money.Amount
	Valued bool
}

// Export is what the file of a CRM says: each of its rows that is not blank is in
// one of the two lists, in the order of the file.
type Export struct {
	Deals      []ExportDeal
	Unreadable []UnreadableRow
	// Columns are what the fields are read from.
	Columns map[ExportField]string
}

// ErrExport says that a file is no export that can be held against the book.
var ErrExport = errors.New("the export cannot be read")

// ReadExport reads a CRM's export of deals: CSV with a header, after RFC 4180 or
// with semicolons or tabs instead of commas. What is wrong with the file as such is
// an error, which wraps [ErrExport] and names the line; what is wrong with a row is
// said in Unreadable. No text quotes what is in a cell.
func ReadExport(data []byte, o ExportOptions) (Export, error) {
	if len(data) > ExportBytesMax {
		return Export{}, fmt.Errorf("%w: %d bytes, at most %d are read: export fewer columns or a shorter time", ErrExport, len(data), ExportBytesMax)
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return Export{}, fmt.Errorf("%w: it is in UTF-16: save it as CSV in UTF-8", ErrExport)
	}
	x := exportReader{o: o}
	if err := x.table(bytes.TrimPrefix(data, []byte("\ufeff"))); err != nil {
		return Export{}, err
	}
	x.learn()
	seen := map[string]int{}
	for i := range x.rows {
		x.row(&x.rows[i], seen)
	}
	slices.SortStableFunc(x.out.Unreadable, func(a, b UnreadableRow) int { return a.Line - b.Line })
	return x.out, nil
}

type exportRow struct {
	line  int
	cells []string
}

type exportReader struct {
	o             ExportOptions
	header        []string
	at            map[ExportField]int
	rows          []exportRow
	amounts, days column
	out           Export
}

// table reads the file into cells and finds the columns.
func (x *exportReader) table(data []byte) error {
	in := csv.NewReader(bytes.NewReader(data))
	in.FieldsPerRecord = -1
	in.Comma = separator(data)
	for {
		cells, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if bad := (*csv.ParseError)(nil); errors.As(err, &bad) {
			// A quote that does not end in its line takes in others, nobody knows how many.
			if x.header == nil || bad.StartLine != bad.Line {
				return fmt.Errorf("%w: line %d: %w", ErrExport, bad.StartLine, bad.Err)
			}
			x.out.Unreadable = append(x.out.Unreadable, UnreadableRow{Line: bad.StartLine, Why: "a quote inside of a cell is not written twice"})
			continue
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrExport, err)
		}
		blank := true
		for i, cell := range cells {
			cells[i] = tidy(cell)
			blank = blank && cells[i] == ""
		}
		line, _ := in.FieldPos(0)
		switch {
		case blank:
		case x.header == nil && strings.HasPrefix(cells[0], separatorMark):
		case x.header == nil:
			if err := x.columns(cells); err != nil {
				return fmt.Errorf("%w: line %d: %w", ErrExport, line, err)
			}
		case len(x.rows) == exportRowsMax:
			return fmt.Errorf("%w: line %d: more than %d rows", ErrExport, line, exportRowsMax)
		default:
			x.rows = append(x.rows, exportRow{line, cells})
		}
	}
	if x.header == nil {
		return fmt.Errorf("%w: it is empty", ErrExport)
	}
	return nil
}

// separatorMark begins a first line in which a spreadsheet says the separator.
const separatorMark = "sep="

// separator is the one that the file says, or of the three that the header has most of.
func separator(data []byte) rune {
	header, _, _ := bytes.Cut(bytes.TrimLeft(data, "\r\n"), []byte("\n"))
	best := ','
	for _, r := range ";\t" {
		if said := separatorMark + string(r); bytes.HasPrefix(header, []byte(said)) || bytes.Count(header, []byte(string(r))) > bytes.Count(header, []byte(string(best))) {
			best = r
		}
	}
	return best
}

// tidy makes spaces of a cell plain, and leaves none around it.
func tidy(cell string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\u00a0' || r == '\u202f' || r == '\u2009' || r == '\t' || r == '\n' || r == '\r':
			return ' '
		case r < ' ' || r == 0x7f:
			return -1
		}
		return r
	}, strings.ToValidUTF8(cell, "?")))
}

// columns finds the fields in the header.
func (x *exportReader) columns(header []string) error {
	x.header, x.at, x.out.Columns = header, map[ExportField]int{}, map[ExportField]string{}
	place := func(field ExportField, name string) error {
		for i, h := range header {
			if foldHeader(h) != name {
				continue
			}
			if first, twice := x.at[field]; twice {
				return fmt.Errorf("columns %d and %d are both %s: leave one out, or name it, such as --columns %s=NAME", first+1, i+1, field, field)
			}
			x.at[field], x.out.Columns[field] = i, h
		}
		return nil
	}
	for _, field := range ExportFields() {
		if named, ok := x.o.Columns[field]; ok {
			if err := place(field, foldHeader(named)); err != nil {
				return err
			}
			if _, found := x.at[field]; !found {
				return fmt.Errorf("no column has the name that is given for %s; there are %s", field, x.listed())
			}
			continue
		}
		for _, name := range x.names(field) {
			if err := place(field, name); err != nil {
				return err
			}
			if _, found := x.at[field]; found {
				break
			}
		}
	}
	return x.required()
}

// names are those of a field in this file: an amount that the CRM has converted is
// in the currency that it was converted to, whatever the deal's own is.
func (x *exportReader) names(field ExportField) []string {
	if at, found := x.at[ExportAmount]; found && field == ExportCurrency {
		switch foldHeader(x.header[at]) {
		case "amountconverted":
			return []string{"amountconvertedcurrency"}
		case "amountincompanycurrency":
			return nil
		}
	}
	return field.names()
}

// required refuses a file without the columns that the measure is made of.
func (x *exportReader) required() error {
	needed := []ExportField{ExportID, ExportAmount}
	_, won := x.at[ExportWon]
	_, closed := x.at[ExportClosed]
	flagged := won && closed || won && x.o.Measure == attribution.MeasureRevenue || closed && x.o.Measure == attribution.MeasurePipelineOpen
	if x.o.byStage() && !flagged {
		needed = append(needed, ExportStage)
	}
	if !x.o.Undated {
		needed = append(needed, x.o.dayField())
	}
	var missing []string
	for _, field := range needed {
		if _, found := x.at[field]; !found {
			missing = append(missing, string(field))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("no column is known to be %s, which %s needs: name it, such as --columns %s=NAME; there are %s",
		strings.Join(missing, " or "), x.o.Measure, missing[0], x.listed())
}

func (x *exportReader) listed() string {
	const shown = 40
	names := slices.Clone(x.header)
	more := ""
	if len(names) > shown {
		names, more = names[:shown], " and more"
	}
	for i, n := range names {
		names[i] = fmt.Sprintf("%q", shortened(n))
	}
	return strings.Join(names, ", ") + more
}

// learn looks through the columns for how they are written.
func (x *exportReader) learn() {
	for i := range x.rows {
		learn(&x.amounts, readNumber(x.cell(&x.rows[i], ExportAmount)))
		learn(&x.days, readDay(x.cell(&x.rows[i], x.o.dayField()), x.o.zone()))
	}
}

func (x *exportReader) cell(r *exportRow, field ExportField) string {
	i, found := x.at[field]
	if !found || i >= len(r.cells) {
		return ""
	}
	return r.cells[i]
}

// row puts a row into one of the lists; seen are the lines of deals so far.
func (x *exportReader) row(r *exportRow, seen map[string]int) {
	d := ExportDeal{
		Line: r.line, ID: x.cell(r, ExportID), Name: boundedName(x.cell(r, ExportName)), Stage: x.cell(r, ExportStage),
		IsClosed: truth(x.cell(r, ExportClosed)), IsWon: truth(x.cell(r, ExportWon)),
	}
	_, d.Flagged = x.at[ExportWon]
	amount, valued, why := x.amount(r)
	d.Amount = amount
	first, again := seen[DealID(d.ID)]
	switch {
	case len(r.cells) > len(x.header):
		why = fmt.Sprintf("%d columns under a header of %d", len(r.cells), len(x.header))
	case d.ID == "":
		why = "no id of a deal"
	case len(x.header) > 1 && filled(r.cells) == 1:
		d.ID, why = "", "one cell alone is filled in: a line of text, or a deal of nothing"
	case len(d.ID) > exportNameMax:
		d.ID, why = "", fmt.Sprintf("the id is longer than %d bytes", exportNameMax)
	case spoilt.MatchString(d.ID):
		d.ID, why = "", "a spreadsheet has made a rounded number of the id: export it again, and do not open it in between"
	case again:
		why = fmt.Sprintf("the deal of line %d again", first)
	}
	if d.ID != "" && !again {
		seen[DealID(d.ID)] = r.line
	}
	if why != "" {
		x.out.Unreadable = append(x.out.Unreadable, UnreadableRow{Line: r.line, ID: d.ID, Why: why, Amount: amount, Valued: valued})
		return
	}
	x.date(r, &d)
	x.out.Deals = append(x.out.Deals, d)
}

// amount reads a row's amount; an empty one is nothing.
func (x *exportReader) amount(r *exportRow) (a money.Amount, valued bool, why string) {
	n := number{text: "0"}
	if cell := x.cell(r, ExportAmount); cell != "" {
		var problem cellProblem
		n, problem = meant(x.amounts, readNumber(cell))
		switch problem {
		case 0:
		case cellForeign:
			return a, false, "the amount is no number"
		case cellAmbiguous:
			return a, false, "the amount can be read in two ways: export amounts without separators of thousands"
		}
	}
	currency := strings.ToUpper(x.cell(r, ExportCurrency))
	switch {
	case currency != "" && n.currency != "" && currency != n.currency:
		return a, false, "the amount says another currency than its column"
	case currency == "":
		if currency = n.currency; currency == "" {
			currency = x.o.Currency
		}
	}
	a, err := money.Parse(n.text, currency)
	switch {
	case errors.Is(err, money.ErrCurrency):
		return a, false, "the currency is not of ISO 4217"
	case err != nil:
		return a, false, "the amount is out of bounds"
	}
	return a, true, ""
}

func (x *exportReader) date(r *exportRow, d *ExportDeal) {
	field := x.o.dayField()
	cell := x.cell(r, field)
	if cell == "" {
		d.DayProblem = fmt.Sprintf("no %s", field)
		return
	}
	day, problem := meant(x.days, readDay(cell, x.o.zone()))
	switch problem {
	case 0:
		d.Day, d.Dated = day, true
	case cellAmbiguous:
		d.DayProblem = fmt.Sprintf("%s can be read in two ways: export days as YYYY-MM-DD", field)
	case cellForeign:
		d.DayProblem = fmt.Sprintf("%s is no day", field)
	}
}

// DealID is a deal's id as files and facts are matched by: of Salesforce the form of
// 18 characters, whatever became of the case of its letters.
func DealID(id string) string { return identity.SalesforceID(identity.RestoreSalesforceID(id)) }

func filled(cells []string) int {
	n := 0
	for _, cell := range cells {
		if cell != "" {
			n++
		}
	}
	return n
}

func truth(cell string) bool {
	switch strings.ToLower(cell) {
	case "1", "true", "yes", "y", "checked":
		return true
	}
	return false
}

// boundedName cuts a name before the rune that would pass the bound.
func boundedName(s string) string {
	if len(s) > exportNameMax {
		s = strings.ToValidUTF8(s[:exportNameMax], "")
	}
	return s
}

// shortened cuts foreign text for an error message.
func shortened(text string) string {
	const shown = 40
	if r := []rune(text); len(r) > shown {
		return string(r[:shown]) + "..."
	}
	return text
}
