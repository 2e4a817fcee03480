package plan_test

import (
	"slices"
	"strings"
	"testing"

	"tracksource/report"
	"tracksource/report/plan"
)

// TestContractChanges: each revision that came since the last plan is a line with its own
// reason, and what follows from the contract names the revisions that it is by, as far as
// the package tells of them.
func TestContractChanges(t *testing.T) {
	row := func(number, by, why, changes string) []string {
		return []string{number, strings.Repeat(number+"a", 32), "2026-11-24T09:00:00Z", by, why, changes}
	}
	four := row("4", "Finance", "the host reports in euros", "currency")
	five := row("5", "Revenue Operations", "deals take longer", "window.lookback")
	six := row("6", "Alliance Management", "a new agreement", "models, multi_touch, window.lookback")
	const untold = "the package does not tell why it was put in force"
	for _, tt := range []struct {
		name     string
		revision int64
		rows     [][]string
		change   func(q *plan.Question, pkg *report.Package, last *plan.Plan)
		want     []string
	}{
		{"none", 3, nil, nil, nil},
		{"one", 4, [][]string{four}, nil, []string{"contract 3 -> 4: Finance: the host reports in euros (it changed currency)"}},
		{"from before there were reasons", 4, [][]string{row("4", "", "", "")}, nil, []string{"contract 3 -> 4: no reason was given"}},
		{"comments alone", 4, [][]string{row("4", "Legal", "typing errors", "no rule")}, nil, []string{"contract 3 -> 4: Legal: typing errors (it changed no rule)"}},
		{"older ones are no news", 4, [][]string{four, row("3", "Legal", "x", "zone"), row("2", "Legal", "x", "zone")}, nil, []string{"contract 3 -> 4: Finance: the host reports in euros (it changed currency)"}},
		{"several, and one of them changed the currency", 6, [][]string{six, five, four}, currency, []string{
			"contract 5 -> 6: Alliance Management: a new agreement (it changed models, multi_touch, window.lookback)",
			"contract 4 -> 5: Revenue Operations: deals take longer (it changed window.lookback)",
			"contract 3 -> 4: Finance: the host reports in euros (it changed currency)",
			"currency USD -> EUR: by the contract's revision 4 (Finance: the host reports in euros)",
		}},
		{"several that changed the same", 5, [][]string{row("5", "Legal", "x", "partners[acme].name, currency"), four}, currency, []string{
			"contract 4 -> 5: Legal: x (it changed partners[acme].name, currency)", "contract 3 -> 4: Finance: the host reports in euros (it changed currency)",
			"currency USD -> EUR: by the contract's revisions 4, 5",
		}},
		{"more changed than is named", 5, [][]string{row("5", "Legal", "x", "zone and 3 more"), four}, currency, []string{
			"contract 4 -> 5: Legal: x (it changed zone and 3 more)", "contract 3 -> 4: Finance: the host reports in euros (it changed currency)",
			"currency USD -> EUR: by the contract's revisions 4 to 5",
		}},
		{"one is not told", 5, [][]string{row("5", "Legal", "x", "")}, currency, []string{
			"contract 4 -> 5: Legal: x", "contract 3 -> 4: " + untold, "currency USD -> EUR: by the contract's revisions 4 to 5",
		}},
		{"nothing is told", 6, nil, currency, []string{
			"contract 3 -> 6: 3 revisions were put in force, and the package does not tell why", "currency USD -> EUR: by the contract's revisions 4 to 6",
		}},
		{"nothing is told of one", 4, nil, currency, []string{"contract 3 -> 4: " + untold, "currency USD -> EUR: by the contract's revision 4"}},
		{"as of before", 2, [][]string{row("2", "Legal", "x", "zone")}, func(q *plan.Question, pkg *report.Package, _ *plan.Plan) {
			q.AsOf, pkg.Currency = "2026-10-01", "EUR"
		}, []string{"contract 3 -> 2: asked for by --as-of", "currency USD -> EUR: by another contract: asked for by --as-of"}},
		{"another line", 3, nil, func(_ *plan.Question, pkg *report.Package, _ *plan.Plan) { pkg.Contract = strings.Repeat("99", 32) }, []string{
			"contract 3 -> 3: the reporter has it in force, and it is no later revision of the one before",
		}},
		{"the agreed model", 6, [][]string{six, five, four}, func(q *plan.Question, pkg *report.Package, _ *plan.Plan) {
			q.Model, pkg.Question.Model = "", "w-shaped"
		}, []string{
			"model position-based -> w-shaped: the agreed model by the contract's revision 6 (Alliance Management: a new agreement)",
			"contract 5 -> 6: Alliance Management: a new agreement (it changed models, multi_touch, window.lookback)",
			"contract 4 -> 5: Revenue Operations: deals take longer (it changed window.lookback)",
			"contract 3 -> 4: Finance: the host reports in euros (it changed currency)",
		}},
		{"a model that nobody asks for any more", 4, [][]string{four}, func(q *plan.Question, pkg *report.Package, last *plan.Plan) {
			q.Model, q.Given, pkg.Question.Model = "", nil, "w-shaped"
			last.TrackSource.Question.Model, last.TrackSource.Answered.Model = "linear", "linear"
		}, []string{
			"model linear -> w-shaped: the default: no flag asks for anything else", "contract 3 -> 4: Finance: the host reports in euros (it changed currency)",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			last, q, pkg := first(t), asked, answer()
			if pkg.Revision = tt.revision; tt.revision != 3 {
				pkg.Contract = strings.Repeat(string(rune('0'+tt.revision))+"a", 32)
			}
			pkg.Tables = append(pkg.Tables, revisions(tt.rows...))
			if tt.change != nil {
				tt.change(&q, pkg, last)
			}
			_, news := next(t, last, q, pkg, noon.AddDate(0, 0, 7))
			var got []string
			for _, c := range news {
				if c.Subject == "cadence" {
					continue
				}
				line := c.Subject + " " + short(c.Before) + " -> " + short(c.After) + ": " + c.Why
				got = append(got, line)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func currency(_ *plan.Question, pkg *report.Package, _ *plan.Plan) { pkg.Currency = "EUR" }

// short is the number of a revision, and all of anything else.
func short(text string) string {
	number, _, _ := strings.Cut(strings.TrimPrefix(text, "revision "), " ")
	return number
}
