package render_test

import (
	"regexp"
	"strings"
	"testing"

	"tracksource/report"
	"tracksource/report/render"
)

// TestMappingsShown: by which mappings feeds are read stands beside the guardrails, with
// the reasons as text, and not among the tables that nothing is told about.
func TestMappingsShown(t *testing.T) {
	p := sample(t)
	p.Tables = append(p.Tables, report.Table{
		ID: "mappings", Title: "Mappings", Note: "How feeds are read.",
		Columns: []report.Column{{ID: "feed", Title: "Feed", Kind: report.TextColumn}, {ID: "revision", Title: "Revision", Kind: report.CountColumn}, {ID: "why", Title: "Why", Kind: report.TextColumn}},
		Rows:    [][]string{{"crm.acme", "2", "<b>stages</b> were renamed"}},
	})
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	page := written(t, p, render.HTML)["snapshot.html"]
	section := regexp.MustCompile(`(?s)<section[^>]* id="governance".*?</section>`).FindString(page)
	if section == "" {
		t.Fatal("the page has no section of governance")
	}
	for _, want := range []string{"Mappings", "How feeds are read.", "crm.acme", "&lt;b&gt;stages&lt;/b&gt; were renamed"} {
		if !strings.Contains(section, want) {
			t.Errorf("%q is not in\n%s", want, section)
		}
	}
	if n := strings.Count(page, "How feeds are read."); n != 1 {
		t.Errorf("the table stands %d times in the page", n)
	}
}
