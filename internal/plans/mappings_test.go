package plans_test

import (
	"strings"
	"testing"

	"tracksource/report"
)

// TestHistoryOfMappings: of two runs with a new revision of a feed's mapping between them
// the second says on the disk which one it was and why, and the one behind it says no more.
func TestHistoryOfMappings(t *testing.T) {
	d, c, _ := open(t)
	read1, read2 := strings.Repeat("1", 64), strings.Repeat("2", 64)
	mapped := func(rows ...[]string) *report.Package {
		p := pkg()
		p.Tables = append(p.Tables, report.Table{
			ID: "mappings", Columns: []report.Column{{ID: "feed"}, {ID: "revision", Kind: report.CountColumn}, {ID: "hash"}, {ID: "by"}, {ID: "why"}}, Rows: rows,
		})
		return p
	}
	one := []string{"crm.acme", "1", read1, "", ""}
	two := []string{"crm.acme", "2", read2, "Marketing Operations", "the CRM's stages were renamed"}
	completed(t, d, question, mapped(one))
	c.at = c.at.AddDate(0, 0, 7)
	second := read(t, completed(t, d, question, mapped(two, one)).Path())
	want := "data_source crm.acme: \"mapping revision 1 " + read1 + "\" -> \"mapping revision 2 " + read2 + "\"\ncadence : \"first\" -> \"weekly\"\n"
	if got := log(second); got != want {
		t.Errorf("the change log is\n%swant\n%s", got, want)
	}
	if why := second.TrackSource.ChangeLog[0].Why; why != "Marketing Operations: the CRM's stages were renamed" {
		t.Errorf("it is because of %q", why)
	}
	if m := second.TrackSource.DataSources[0].Mapping; m == nil || m.Revision != 2 || m.Hash != read2 {
		t.Errorf("crm.acme is read by %+v", m)
	}
	c.at = c.at.AddDate(0, 0, 7)
	if got := log(completed(t, d, question, mapped(two, one)).Plan()); got != "" {
		t.Errorf("nothing changed, and it says\n%s", got)
	}
}
