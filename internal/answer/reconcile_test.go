package answer_test

import (
	"errors"
	"strings"
	"testing"

	"tracksource/internal/answer"
	"tracksource/report"
)

const crmExport = `Opportunity ID,Opportunity Name,Stage,Amount Currency,Amount,Close Date,Created Date
1,One,Closed Won,EUR,100.01,2026-03-20,2026-03-05
2,Two,Closed Won,EUR,90.01,2026-03-20,2026-03-05
4,Four,Closed Won,USD,7,2026-03-20,2026-03-05
5,Five,Closed Won,JPY,500,2026-03-20,2026-03-05
6,Six,Closed Won,USD,a lot,2026-03-20,2026-03-05
7,Seven,Qualification,USD,1000,2026-04-20,2026-03-05
`

// TestReconcile: an export is held against the followed book, by the rates that were
// decided.
func TestReconcile(t *testing.T) {
	b := several(t, "open", "1", "2", "3")
	got, err := b.answers().Reconcile(t.Context(), report.Viewer{Operator: true}, answer.Query{}, []byte(crmExport))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "reconcile.json", indented(t, got))
	// A page at a time is the same deals.
	var ids []string
	cursor := ""
	for {
		page, err := b.answers().Reconcile(t.Context(), report.Viewer{Operator: true}, answer.Query{Limit: 1, Cursor: cursor}, []byte(crmExport))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Deals {
			ids = append(ids, d.ID)
		}
		if page.Next == nil {
			break
		}
		cursor = *page.Next
	}
	var want []string
	for _, d := range got.Deals {
		want = append(want, d.ID)
	}
	if strings.Join(ids, " ") != strings.Join(want, " ") {
		t.Errorf("by pages %v, at once %v", ids, want)
	}
	// Another CRM's partner has none of these deals, and is told no other's.
	other, err := b.answers().Reconcile(t.Context(), report.Viewer{Partner: "globex"}, answer.Query{}, []byte(crmExport))
	if err != nil || other.Reporter != "globex" || other.Ours != "0.00" || other.Reasons[0].Reason != "missing_here" {
		t.Errorf("error %v, %+v", err, other)
	}
}

func TestReconcileRefuses(t *testing.T) {
	b := several(t, "open", "1")
	for _, tt := range []struct {
		name, parameter string
		v               report.Viewer
		q               answer.Query
		data, want      string
	}{
		{"another's CRM", "reporter", report.Viewer{Partner: "globex"}, answer.Query{Reporter: "acme"}, crmExport, "a partner compares its own CRM"},
		{"nobody's CRM", "reporter", report.Viewer{Operator: true}, answer.Query{Reporter: "nobody"}, crmExport, "there is no such partner"},
		{"a measure that no CRM has", "measure", report.Viewer{Operator: true}, answer.Query{Measure: "won"}, crmExport, "there is no such measure"},
		{"columns", "columns", report.Viewer{Operator: true}, answer.Query{Columns: "id"}, crmExport, "FIELD=NAME"},
		{"columns twice", "columns", report.Viewer{Operator: true}, answer.Query{Columns: "id=a,id=b"}, crmExport, "each field once"},
		{"a cursor", "cursor", report.Viewer{Operator: true}, answer.Query{Cursor: "LTE"}, crmExport, "give what an answer had as next"},
		{"no CSV", "", report.Viewer{Operator: true}, answer.Query{}, "", "it is empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := b.answers().Reconcile(t.Context(), tt.v, tt.q, []byte(tt.data))
			if refused := (*answer.Error)(nil); !errors.As(err, &refused) || refused.Parameter != tt.parameter || !strings.Contains(refused.Detail, tt.want) {
				t.Errorf("error %+v, want %s: %s", err, tt.parameter, tt.want)
			}
		})
	}
}
