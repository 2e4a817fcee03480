package report_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tracksource/attribution"
	"tracksource/report"
)

func readExport(t testing.TB, text string, o report.ExportOptions) (report.Export, error) {
	t.Helper()
	if o.Measure == "" {
		o.Measure = attribution.MeasurePipelineCreated
	}
	if o.Currency == "" {
		o.Currency = "USD"
	}
	return report.ReadExport([]byte(text), o)
}

// rendered is a line for each row of an export, in the order of the file's lists.
func rendered(e report.Export) string {
	var b strings.Builder
	for _, d := range e.Deals {
		fmt.Fprintf(&b, "%d %s %q %s %s", d.Line, d.ID, d.Name, d.Stage, d.Amount)
		if d.Dated {
			fmt.Fprintf(&b, " %s", d.Day)
		}
		if d.DayProblem != "" {
			fmt.Fprintf(&b, " (%s)", d.DayProblem)
		}
		b.WriteString("\n")
	}
	for _, u := range e.Unreadable {
		fmt.Fprintf(&b, "! %d %s: %s", u.Line, u.ID, u.Why)
		if u.Valued {
			fmt.Fprintf(&b, ", %s", u.Amount)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestReadExport(t *testing.T) {
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, text string
		o          report.ExportOptions
		want       string
	}{
		{
			"a report of Salesforce",
			"\ufeff\"Opportunity ID\",\"Opportunity Name\",\"Stage\",\"Amount Currency\",\"Amount\",\"Close Date\",\"Created Date\"\r\n" +
				"\"0065g00000AbCdE\",\"Big, \"\"new\"\"\",\"Closed Won\",\"EUR\",\"1,234.50\",\"3/15/2026\",\"1/31/2026\"\r\n" +
				"\r\n" +
				"\"Confidential Information - Do Not Distribute\"\r\n",
			report.ExportOptions{},
			"2 0065g00000AbCdE \"Big, \\\"new\\\"\" Closed Won 1234.50 EUR 2026-01-31\n! 4 : one cell alone is filled in: a line of text, or a deal of nothing, 0.00 USD\n",
		},
		{
			"an export of HubSpot",
			"Record ID,Deal Name,Deal Stage,Close Date,Amount,Create Date\n9001,Deal,Closed won,2026-03-05 14:22,99.9,2026-02-01 08:00\n",
			report.ExportOptions{Measure: attribution.MeasureRevenue, Currency: "EUR"},
			"2 9001 \"Deal\" Closed won 99.90 EUR 2026-03-05\n",
		},
		{
			"rows of an API, an instant in the contract's zone",
			"Id,Name,StageName,Amount,CurrencyIsoCode,CreatedDate\n0065G00000ABCDEAAV,n,s,10,usd,2026-03-05T02:00:00.000+0000\n",
			report.ExportOptions{Zone: newYork},
			"2 0065G00000ABCDEAAV \"n\" s 10.00 USD 2026-03-04\n",
		},
		{
			"semicolons, decimal commas, points in days",
			"id;amount;created\na;1.234,5;05.03.2026\nb;1.234;6.3.2026\nc;;7.3.2026\n",
			report.ExportOptions{},
			"2 a \"\"  1234.50 USD 2026-03-05\n3 b \"\"  1234.00 USD 2026-03-06\n4 c \"\"  0.00 USD 2026-03-07\n",
		},
		{
			"a spreadsheet's own first line, and a quote that is not written twice",
			"sep=;\nid;amount;created\na;5\" pipe;2026-01-01\nb;6;2026-01-01\nc;\"7\";2026-01-01\n;8;\n",
			report.ExportOptions{},
			"4 b \"\"  6.00 USD 2026-01-01\n5 c \"\"  7.00 USD 2026-01-01\n! 3 : a quote inside of a cell is not written twice\n! 6 : no id of a deal, 8.00 USD\n",
		},
		{
			"named columns, which may be called anything",
			"A,B,C\nx,5,2026-01-01\n",
			report.ExportOptions{Columns: map[report.ExportField]string{report.ExportID: "a", report.ExportAmount: "B", report.ExportCreated: "c"}},
			"2 x \"\"  5.00 USD 2026-01-01\n",
		},
		{
			"an amount that the CRM converted has no other currency than its own",
			"id,amount (converted),amount (converted) currency,currency,created\na,5,EUR,JPY,2026-01-01\n",
			report.ExportOptions{},
			"2 a \"\"  5.00 EUR 2026-01-01\n",
		},
		{
			"what has two meanings and nothing to tell them is not read",
			"id,amount,created\na,\"1,234\",03/04/2026\nb,5,03/03/2026\n",
			report.ExportOptions{},
			"3 b \"\"  5.00 USD 2026-03-03\n! 2 a: the amount can be read in two ways: export amounts without separators of thousands\n",
		},
		{
			"one that has one meaning tells the others",
			"id,amount,created\na,\"1,234\",03/04/2026\nb,0.5,13/03/2026\n",
			report.ExportOptions{},
			"2 a \"\"  1234.00 USD 2026-04-03\n3 b \"\"  0.50 USD 2026-03-13\n",
		},
		{
			"two that contradict each other tell nothing",
			"id,amount,created\na,\"1,234\",03/04/2026\nb,0.5,13/03/2026\nc,\"0,5\",03/13/2026\n",
			report.ExportOptions{},
			"3 b \"\"  0.50 USD 2026-03-13\n4 c \"\"  0.50 USD 2026-03-13\n! 2 a: the amount can be read in two ways: export amounts without separators of thousands\n",
		},
		{
			"bad rows, each by its line",
			"id,amount,currency,created\n" +
				",7,USD,2026-01-01\n" +
				"a,x,USD,2026-01-01\n" +
				"b,1,EURO,2026-01-01\n" +
				"c,€ 1,USD,2026-01-01\n" +
				"d,1,USD,soon\n" +
				"e,1,USD,2026-01-01,\n" +
				"f,1,USD,2026-01-01\n" +
				"f,2,USD,2026-01-01\n" +
				"1.23E+11,3,USD,2026-01-01\n" +
				"g,1e9,USD,2026-01-01\n" +
				"h,99999999999999999999,USD,\n",
			report.ExportOptions{},
			"6 d \"\"  1.00 USD (created is no day)\n8 f \"\"  1.00 USD 2026-01-01\n" +
				"! 2 : no id of a deal, 7.00 USD\n! 3 a: the amount is no number\n! 4 b: the currency is not of ISO 4217\n" +
				"! 5 c: the amount says another currency than its column\n! 7 e: 5 columns under a header of 4, 1.00 USD\n" +
				"! 9 f: the deal of line 8 again, 2.00 USD\n" +
				"! 10 : a spreadsheet has made a rounded number of the id: export it again, and do not open it in between, 3.00 USD\n" +
				"! 11 g: the amount is no number\n! 12 h: the amount is out of bounds\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := readExport(t, tt.text, tt.o)
			if got := rendered(e); err != nil || got != tt.want {
				t.Errorf("error %v, got\n%swant\n%s", err, got, tt.want)
			}
		})
	}
}

func TestExportAmounts(t *testing.T) {
	for cell, want := range map[string]string{
		"1": "1.00 USD", "-1.5": "-1.50 USD", "(1,234.50)": "-1234.50 USD", "$1,234,567": "1234567.00 USD", "1.234.567": "1234567.00 USD",
		"EUR 1.234,56": "1234.56 EUR", "1 234 567,8": "1234567.80 USD", "1\u00a0234,80 €": "1234.80 EUR", "1'234.50 CHF": "1234.50 CHF",
		"- £5": "-5.00 GBP", "£-5": "-5.00 GBP", "0,125": "0.12 USD", "1234.567": "1234.57 USD", "0.125": "0.12 USD",
		"1,23,456": "", "--1": "", "-(1)": "", "(1": "", "1)": "", "1.2.3": "", "USD 1 EUR": "", "one": "", "1,234,56": "", "0,123,456": "", ".5": "", "5.": "",
	} {
		e, err := readExport(t, "id;amount;created\na;"+cell+";2026-01-01\n", report.ExportOptions{})
		got := ""
		if len(e.Deals) == 1 {
			got = e.Deals[0].Amount.String()
		}
		if err != nil || got != want {
			t.Errorf("%q is read as %q, want %q (error %v)", cell, got, want, err)
		}
	}
}

func TestExportDays(t *testing.T) {
	for cell, want := range map[string]string{
		"2026-03-05": "2026-03-05", "2026-03-05 23:59": "2026-03-05", "2026/3/5": "2026-03-05", "31/12/2025": "2025-12-31",
		"12/31/2025, 2:05 PM": "2025-12-31", "5.3.2026": "2026-03-05", "31-12-2025": "2025-12-31", "2026-03-05T23:30:00Z": "2026-03-05",
		"1772668800000": "2026-03-05", "2/2/2026": "2026-02-02",
		"3/4/2026": "", "30/2/2026": "", "31/12/25": "", "2026-02-30": "", "5.13.2026": "", "2026-03-05x": "", "1/2-2026": "",
	} {
		e, err := readExport(t, "id;amount;created\na;1;"+cell+"\n", report.ExportOptions{Zone: time.UTC})
		got := ""
		if len(e.Deals) == 1 && e.Deals[0].Dated {
			got = e.Deals[0].Day.String()
		}
		if err != nil || got != want {
			t.Errorf("%q is read as %q, want %q (error %v)", cell, got, want, err)
		}
	}
}

func TestReadExportRefuses(t *testing.T) {
	revenue := report.ExportOptions{Measure: attribution.MeasureRevenue}
	tests := []struct {
		name, text string
		o          report.ExportOptions
		want       string
	}{
		{"nothing", "\n", report.ExportOptions{}, "it is empty"},
		{"UTF-16", "\xff\xfei\x00d\x00", report.ExportOptions{}, "save it as CSV in UTF-8"},
		{"too long", strings.Repeat("x", report.ExportBytesMax+1), report.ExportOptions{}, "at most 33554432 are read"},
		{"a quote without an end", "id,amount,created\na,\"1,x\nb,2,2026-01-01\n", report.ExportOptions{}, "line 2:"},
		{"no amount and no day", "id,name\n", report.ExportOptions{}, `no column is known to be amount or created, which pipeline_created needs: name it, such as --columns amount=NAME; there are "id", "name"`},
		{"no stage", "id,amount,close date\n", revenue, "known to be stage, which revenue needs"},
		{"two ids", "ID,id,amount,created\n", report.ExportOptions{}, "columns 1 and 2 are both id"},
		{"a name of no column", "id,amount,created\n", report.ExportOptions{Columns: map[report.ExportField]string{report.ExportID: "key"}}, `no column has the name that is given for id; there are "id", "amount", "created"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := readExport(t, tt.text, tt.o); !errors.Is(err, report.ErrExport) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	// Won as a flag is as good as a stage, and every day needs none.
	revenue.Undated = true
	if _, err := readExport(t, "id,amount,is won\n", revenue); err != nil {
		t.Error(err)
	}
}

func FuzzReadExport(f *testing.F) {
	for _, seed := range []string{"id,amount,created\na,1,2026-01-01\n", "id;amount;created\na;1.234,5;1.2.2026\n\"", "\ufeffId\tAmount\tCreated Date\n1\t(2)\t3/4/2026"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := readExport(t, text, report.ExportOptions{})
		if err != nil && !errors.Is(err, report.ErrExport) {
			t.Errorf("error %v wraps no ErrExport", err)
		}
		seen := map[string]bool{}
		for _, d := range e.Deals {
			if key := report.DealID(d.ID); seen[key] || key == "" || d.Line < 2 {
				t.Errorf("deal %+v", d)
			}
			seen[report.DealID(d.ID)] = true
		}
	})
}
