package contract

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Term is one value that partners write in tags or in their CRM, and what it
// means under the contract.
type Term struct {
	Kind    string // where it is written, such as utm_source
	Value   string
	Meaning string
}

// Taxonomy lists the values that a document gives a meaning, for the people who
// set tags and fill in CRMs. The error is that of Parse.
func Taxonomy(text []byte) ([]Term, error) {
	if _, err := Parse(text); err != nil {
		return nil, err
	}
	var doc document
	if err := yaml.Load(text, &doc); err != nil {
		return nil, yamlProblems(err)
	}
	var terms []Term
	add := func(kind, value, meaning string, args ...any) {
		terms = append(terms, Term{kind, value, fmt.Sprintf(meaning, args...)})
	}
	for _, p := range doc.Match.UTMCampaign {
		add("utm_campaign", p, "belongs to this campaign")
	}
	for _, id := range doc.Match.CRMCampaigns {
		add("crm campaign", id, "belongs to this campaign")
	}
	for _, source := range slices.Sorted(maps.Keys(doc.Credit.UTMSource)) {
		add("utm_source", source, "credited to %s", doc.Credit.UTMSource[source])
	}
	for _, p := range doc.Partners {
		if _, said := doc.Credit.UTMSource[p.ID]; !said {
			add("utm_source", p.ID, "credited to %s", p.ID)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(doc.Credit.CRMCampaigns)) {
		add("crm campaign", id, "credited to %s", doc.Credit.CRMCampaigns[id])
	}
	for i, c := range doc.Channels {
		for _, medium := range c.UTMMedium {
			add("utm_medium", medium, "channel %s%s", c.Channel, alsoNeeded(c, i))
		}
	}
	for _, a := range doc.Assets {
		meaning := "asset"
		if slices.Contains(doc.Match.Assets, a.ID) {
			meaning += " of this campaign alone"
		}
		if a.Owner != "" {
			meaning += ", of " + a.Owner
		}
		if a.Expires != "" {
			meaning += ", until " + a.Expires
		}
		add("asset", a.ID, "%s", meaning)
		for _, alias := range a.Aliases {
			add("asset", alias, "the same as %s", a.ID)
		}
	}
	for _, s := range doc.Statuses {
		meaning := "touch " + s.Type
		if s.Type == typeNone {
			meaning = "no touch"
		}
		add(strings.Join(strings.Fields("campaign member status of "+s.Partner+" "+s.Source), " "), s.Status, "%s", meaning)
	}
	for _, s := range doc.Stages {
		meaning := s.State
		if s.Milestone != "" {
			meaning = strings.TrimPrefix(meaning+", reaches "+s.Milestone, ", ")
		}
		kind := "stage"
		if s.Object != "" && s.Object != ObjectOpportunity {
			kind = s.Object + " stage"
		}
		add(strings.Join(strings.Fields(kind+" of "+s.Partner+" "+s.Source), " "), s.Stage, "%s", meaning)
	}
	return terms, nil
}

// alsoNeeded says that a rule of channels has other conditions, too.
func alsoNeeded(c documentChannel, place int) string {
	for _, other := range [][]string{c.Reporter, c.Feed, c.Type, c.Asset, c.UTMSource, c.UTMCampaign, c.Referrer, c.ClickID} {
		if len(other) > 0 {
			return fmt.Sprintf(", where the rest of rule %d holds", place+1)
		}
	}
	return ""
}

// TaxonomyMarkdown is the taxonomy as a table.
func TaxonomyMarkdown(terms []Term) string {
	var b strings.Builder
	b.WriteString("| where | value | meaning |\n|---|---|---|\n")
	cell := strings.NewReplacer("|", "\\|", "\n", " ")
	for _, t := range terms {
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", cell.Replace(t.Kind), cell.Replace(t.Value), cell.Replace(t.Meaning))
	}
	return b.String()
}

// TaxonomyCSV is the taxonomy as CSV with a header. A value that a spreadsheet
// would take for a formula is quoted as text.
func TaxonomyCSV(terms []Term) (string, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{{"where", "value", "meaning"}}
	for _, t := range terms {
		value := t.Value
		if value != "" && strings.ContainsRune("=+-@\t", rune(value[0])) {
			value = "'" + value
		}
		rows = append(rows, []string{t.Kind, value, t.Meaning})
	}
	if err := w.WriteAll(rows); err != nil {
		return "", fmt.Errorf("write CSV: %w", err)
	}
	return b.String(), nil
}
