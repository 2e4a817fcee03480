package report_test

import (
	"strings"
	"testing"

	"tracksource/report"
)

func modelShares(t *testing.T, id, name string, additive bool, given ...string) report.ModelShares {
	m := report.ModelShares{Model: id, Name: name, ModelResult: report.ModelResult{Additive: additive}}
	for _, g := range given {
		key, text, _ := strings.Cut(g, " ")
		v := value(t, text)
		m.Groups = append(m.Groups, report.Group{Key: []string{key}, Value: v})
		m.Total = m.Total.Add(v)
	}
	return m
}

// TestDisagreements: whom a model gives nothing has nothing there; participation, which
// sums to more than there is, a model of another total and one that could not be computed
// are no party to it.
func TestDisagreements(t *testing.T) {
	failed := modelShares(t, "markov", "Markov chain", true, "acme 100")
	failed.Note = "there are too many values"
	list := report.Disagreements(report.DisagreementQuestion{
		Measure: "revenue", Currency: "EUR", Places: 2, Dimension: report.Partner, Agreed: "linear",
		Models: []report.ModelShares{
			modelShares(t, "first-touch", "First touch", true, "acme 80.00", "globex 20.00"),
			modelShares(t, "last-touch", "Last touch", true, "globex 95.50", "initech 4.50"),
			modelShares(t, "linear", "Linear", true, "acme 50.00", "globex 46.00", "initech 4.00"),
			modelShares(t, "participation", "Participation", false, "acme 100.00", "globex 100.00"),
			modelShares(t, "short", "Of another total", true, "acme 99.00"),
			failed,
		},
	})
	table := report.DisagreementTable(list, "revenue", "EUR")
	var got []string
	for _, row := range table.Rows {
		got = append(got, strings.Join(row, " "))
	}
	want := `partner acme last-touch 0.00 first-touch 80.00 80.00 0.8000
partner globex first-touch 20.00 last-touch 95.50 75.50 0.7550
partner initech first-touch 0.00 last-touch 4.50 4.50 0.0450`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	told := report.TellDisagreements(tour(t), list)
	if len(told) != 2 {
		t.Fatalf("%d are told, want those of acme and globex: initech's is a twentieth", len(told))
	}
	const sentence = "Acme gets 0% of revenue by Last touch and 80% by First touch: the choice of a model moves EUR 80.00."
	if told[0].Text != sentence || told[0].Stake != "80.00" {
		t.Errorf("%q with %s at stake, want %q", told[0].Text, told[0].Stake, sentence)
	}
	if list := report.Disagreements(report.DisagreementQuestion{Models: []report.ModelShares{modelShares(t, "linear", "Linear", true, "acme 1")}}); list != nil {
		t.Errorf("one model disagrees with itself: %+v", list)
	}
}
