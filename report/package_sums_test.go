package report_test

import (
	"strings"
	"testing"

	"tracksource/report"
)

// TestCheckSums: what does not sum to its total is found, to the last place, and what
// cannot sum is not asked to.
func TestCheckSums(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*report.Package)
		says   string
	}{
		{"right", func(*report.Package) {}, ""},
		{"a cent too much", func(p *report.Package) { p.Tables[0].Rows[0][1] = "20.01" }, "revenue is 30.00, and revenue of the table contributions sums to 30.01"},
		{"a part of a deal", func(p *report.Package) { p.Tables[0].Rows[0][2] = "0.500000001" }, "won is 1, and won of the table contributions sums to 1.000000001"},
		{"a row less", func(p *report.Package) { p.Tables[0].Rows = p.Tables[0].Rows[1:] }, "sums to 10"},
		{"parts of the total", func(p *report.Package) { p.Tables[1].Rows[0][3] = "9.99" }, "of which 20.00 are attributed and 9.99 are not"},
		{"no parts", func(p *report.Package) { p.Tables[1].Rows[0][3] = "" }, ""},
		{"no total", func(p *report.Package) {
			p.Tables[1].Rows[0] = []string{"revenue", "", "", ""}
			p.Tables[0].Rows[0][1] = "1"
		}, ""},
		{"worksheet", func(p *report.Package) { p.Tables[3].Rows[1][0] = "9" }, "revenue of the table worksheet sums to 29"},
		{"left out", func(p *report.Package) { p.Tables[0].Rows, p.Tables[0].LeftOut = p.Tables[0].Rows[1:], 1 }, ""},
		{"withheld", func(p *report.Package) { p.Tables[0].Rows, p.Withheld = p.Tables[0].Rows[1:], true }, ""},
		{"withheld, and parts of the total", func(p *report.Package) { p.Tables[1].Rows[0][3], p.Withheld = "9", true }, "are attributed"},
		{"no tables", func(p *report.Package) { p.Tables = nil }, ""},
		{"no number", func(p *report.Package) { p.Tables[0].Rows[0][1] = "x" }, "not a decimal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			money := func(id string) report.Column { return report.Column{ID: id, Kind: report.MoneyColumn} }
			p := &report.Package{Tables: []report.Table{
				{ID: "contributions", Columns: []report.Column{{ID: "partner"}, money("revenue"), {ID: "won", Kind: report.CountColumn}}, Rows: [][]string{{"acme", "20.00", "0.5"}, {"globex", "10.00", "0.5"}}},
				{ID: "totals", Columns: []report.Column{{ID: "measure"}, money("total"), money("attributed"), money("unattributed")}, Rows: [][]string{{"revenue", "30.00", "20.00", "10.00"}}},
				{ID: "totals_counts", Columns: []report.Column{{ID: "measure"}, {ID: "total", Kind: report.CountColumn}}, Rows: [][]string{{"won", "1"}}},
				{ID: "worksheet", Columns: []report.Column{money("revenue")}, Rows: [][]string{{"20.00"}, {"10.00"}, {""}}},
			}}
			tt.change(p)
			err := p.CheckSums()
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("CheckSums() = %v, want %q", err, tt.says)
			}
		})
	}
}
