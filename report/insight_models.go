package report

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"

	"tracksource/contract"
)

// The bounds of what is told of models that disagree.
const (
	// disagreementMin is by how many parts of RatioWhole the shares of a value differ at
	// least between two models before it is told: a tenth of everything.
	disagreementMin = contract.RatioWhole / 10
	// disagreementsTold is of how many values it is told; the table has all.
	disagreementsTold = 3
)

// ModelShares is what one model gives to whom.
type ModelShares struct {
	Model string // the id
	Name  string
	ModelResult
}

// DisagreementQuestion is which models are held against each other over the values of a
// dimension.
type DisagreementQuestion struct {
	Measure, Currency string
	Places            int
	Dimension         Dimension
	Agreed            string // the contract's model
	Models            []ModelShares
}

// Disagreement is how far the models are apart about one value of a dimension.
type Disagreement struct {
	Measure, Currency string
	Places            int
	Subject           Subject
	Lowest, Highest   ModelShares // without groups
	Low, High         Value       // what these give
	Agreed            Value       // what the contract's model gives
	Total             Value
}

// Spread is how far they are apart.
func (d *Disagreement) Spread() Value { return d.High.Sub(d.Low) }

// Disagreements holds the additive models that have a result against each other, for each
// value that one of them credits. The largest spread comes first, then by key. Of models
// with another total than the agreed one's, or the first one's without it, nothing is
// said: they answer another question.
func Disagreements(q DisagreementQuestion) []Disagreement {
	var models []ModelShares
	for _, m := range q.Models {
		if m.Additive && m.Note == "" && m.Total.Sign() > 0 {
			models = append(models, m)
		}
	}
	if len(models) < 2 {
		return nil
	}
	total := models[0].Total
	if i := slices.IndexFunc(models, func(m ModelShares) bool { return m.Model == q.Agreed }); i >= 0 {
		total = models[i].Total
	}
	found := map[string]*Disagreement{}
	given := make([]map[string]Value, len(models))
	for i, m := range models {
		given[i] = map[string]Value{}
		if m.Total.Cmp(total) != 0 {
			continue
		}
		for _, g := range m.Groups {
			given[i][g.Key[0]] = g.Value
			if found[g.Key[0]] == nil {
				found[g.Key[0]] = &Disagreement{
					Measure: q.Measure, Currency: q.Currency, Places: q.Places, Subject: Subject{string(q.Dimension), g.Key[0]}, Total: total,
				}
			}
		}
	}
	var list []Disagreement
	for key, d := range found {
		first := true
		for i, m := range models {
			if m.Total.Cmp(total) != 0 {
				continue
			}
			v := given[i][key]
			m.Groups = nil
			if first || v.Cmp(d.Low) < 0 {
				d.Lowest, d.Low = m, v
			}
			if first || v.Cmp(d.High) > 0 {
				d.Highest, d.High = m, v
			}
			if m.Model == q.Agreed {
				d.Agreed = v
			}
			first = false
		}
		if d.Spread().Sign() > 0 {
			list = append(list, *d)
		}
	}
	slices.SortFunc(list, func(a, b Disagreement) int {
		return cmp.Or(b.Spread().Cmp(a.Spread()), cmp.Compare(a.Subject.Key, b.Subject.Key))
	})
	return list
}

// RuleDisagreement is the rule of what models say differently.
const RuleDisagreement = "model_disagreement"

// The names of evidence that decisions look at.
const (
	evidenceSpread = "spread"
	evidenceTotal  = "total"
)

// TellDisagreements are the findings about disagreements, of the largest few where the
// models are at least a tenth of everything apart. They are no test: the numbers are
// certain, and what they say is how much hangs on the choice of a model. The contract says
// what partners are called.
func TellDisagreements(c *contract.Contract, list []Disagreement) []Insight {
	var out []Insight
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b Disagreement) int { return b.Spread().Cmp(a.Spread()) })
	for i := range sorted {
		d := &sorted[i]
		part := new(big.Rat).Quo(d.Spread().rat(), d.Total.rat())
		if len(out) == disagreementsTold || part.Cmp(big.NewRat(disagreementMin, contract.RatioWhole)) < 0 {
			break
		}
		share := func(v Value) string {
			text, _ := PercentOf(v, d.Total)
			return text
		}
		kind := MoneyColumn
		if d.Currency == "" {
			kind = CountColumn
		}
		spread, low, high := d.Spread().Text(d.Places), d.Low.Text(d.Places), d.High.Text(d.Places)
		in := Insight{
			Rule: RuleDisagreement, Tone: Neutral, About: []Subject{d.Subject},
			Text: fmt.Sprintf("%s gets %s of %s by %s and %s by %s: the choice of a model moves %s.",
				capital(named(c, d.Subject)), share(d.Low), measureName(d.Measure), d.Lowest.Name, share(d.High), d.Highest.Name, Shown(kind, spread, d.Currency)),
			Evidence: []Evidence{
				{Name: d.Lowest.Name, Value: low, Kind: kind, Currency: d.Currency},
				{Name: d.Highest.Name, Value: high, Kind: kind, Currency: d.Currency},
				{Name: "agreed model", Value: d.Agreed.Text(d.Places), Kind: kind, Currency: d.Currency},
				{Name: evidenceSpread, Value: spread, Kind: kind, Currency: d.Currency},
				{Name: evidenceTotal, Value: d.Total.Text(d.Places), Kind: kind, Currency: d.Currency},
			},
		}
		if d.Currency != "" {
			in.Stake = spread
		}
		out = append(out, in)
	}
	return out
}

// TableDisagreement is the id of the table of disagreements.
const TableDisagreement = "model_disagreement"

// DisagreementTable is the table of all disagreements, as they are handed in: of one
// measure, which the title names.
func DisagreementTable(list []Disagreement, measure, currency string) Table {
	kind := MoneyColumn
	if currency == "" {
		kind = CountColumn
	}
	t := Table{
		ID: TableDisagreement, Title: "Where models disagree on " + measureName(measure),
		Note: "Of the additive models the one that gives least to each value, and the one that gives most. Spread is the difference, share its part of the total.",
		Columns: []Column{
			{ID: "dimension", Title: "Dimension", Kind: TextColumn},
			{ID: "key", Title: "Value", Kind: TextColumn},
			{ID: "lowest_model", Title: "Lowest by", Kind: TextColumn},
			{ID: "lowest", Title: "Lowest", Kind: kind, Currency: currency},
			{ID: "highest_model", Title: "Highest by", Kind: TextColumn},
			{ID: "highest", Title: "Highest", Kind: kind, Currency: currency},
			{ID: "spread", Title: "Spread", Kind: kind, Currency: currency},
			{ID: "share", Title: "Share", Kind: RatioColumn},
		},
		Rows: [][]string{},
	}
	for i := range list {
		d := &list[i]
		share, _ := Ratio(d.Spread(), d.Total)
		t.Rows = append(t.Rows, []string{
			d.Subject.Dimension, d.Subject.Key, d.Lowest.Model, d.Low.Text(d.Places), d.Highest.Model, d.High.Text(d.Places), d.Spread().Text(d.Places), share,
		})
	}
	return t
}
