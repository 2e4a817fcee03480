package contract_test

import (
	"os"
	"testing"

	"tracksource/contract"
	"tracksource/contract/example"
)

func TestTaxonomy(t *testing.T) {
	terms, err := contract.Taxonomy(example.AILaunchTour())
	if err != nil {
		t.Fatal(err)
	}
	asCSV, err := contract.TaxonomyCSV(append(terms, contract.Term{Kind: "utm_source", Value: "=HYPERLINK(1)", Meaning: "a trap"}))
	if err != nil {
		t.Fatal(err)
	}
	got := contract.TaxonomyMarkdown(append(terms, contract.Term{Kind: "utm_source", Value: "a|b", Meaning: "a trap"})) + "\n" + asCSV
	const path = "testdata/taxonomy.txt"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil || got != string(want) {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
	}
}
