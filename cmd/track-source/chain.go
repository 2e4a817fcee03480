package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tracksource/attribution"
	"tracksource/internal/answer"
)

func explainCommand(stdout io.Writer) *cobra.Command {
	var f reporterFlags
	var opportunity, contribution, campaign, model string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "explain", Short: "Why a number is what it is, down to the events that made it", Args: noArgs,
		Long: "explain asks a running reporter for the chain behind a deal's figures: what it counts for and at which\n" +
			"rate, the touches that share it with their weight and amount under each model, the rule that decided\n" +
			"each touch and the reports that it is made of, and the ledger's entries with the event that caused them.\n" +
			"The amounts are computed anew from the facts and held against the ledger. Of a contribution it lists the\n" +
			"deals that it is made of.\n" +
			"A deal is named by its id in the CRM, or by partner/system/type/id; a contribution by its key, as the API\n" +
			"and the dashboard give it.",
		Example: "  track-source explain --opportunity 0065g00000AbCdE --reporter http://127.0.0.1:8080\n" +
			"  track-source explain --opportunity 0065g00000AbCdE --campaign ai-launch-tour --model linear --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (opportunity == "") == (contribution == "") {
				return usageError{errors.New("name what to explain: --opportunity ID or --contribution KEY")}
			}
			query := url.Values{}
			for name, text := range map[string]string{"opportunity": opportunity, "contribution": contribution, "campaign": campaign, "model": model} {
				if text != "" {
					query.Set(name, text)
				}
			}
			data, err := f.ask(cmd.Context(), "api/v1/explain", query, nil)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(stdout, data)
			}
			var a answer.ExplainAnswer
			if err := json.Unmarshal(data, &a); err != nil {
				return fmt.Errorf("the answer is not one that this program knows: %w", err)
			}
			_, err = io.WriteString(stdout, chainText(&a, model))
			return err
		},
	}
	f.bind(cmd)
	cmd.Flags().StringVar(&opportunity, "opportunity", "", "id of a deal")
	cmd.Flags().StringVar(&contribution, "contribution", "", "key of a contribution")
	cmd.Flags().StringVar(&campaign, "campaign", "", "campaign whose book is asked (the first agreed one)")
	cmd.Flags().StringVar(&model, "model", "", "show this model alone (all of the ledger)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the whole chain as JSON")
	return cmd
}

// chainText is the chain for people.
func chainText(a *answer.ExplainAnswer, only string) string {
	c := chain{a: a}
	for _, m := range a.Measures {
		for id := range m.Credits {
			if !slices.Contains(c.models, id) && (only == "" || id == a.Model || id == only) {
				c.models = append(c.models, id)
			}
		}
	}
	slices.Sort(c.models)
	c.b.WriteString(staleness(a.Envelope))
	switch {
	case a.Contribution != nil:
		c.row()
	case a.Deal == nil:
		c.say("%s, in the book of %s", a.Subject.ID, a.Campaign)
		c.entries()
	default:
		c.deal()
		c.measures()
		c.certain()
		c.touches()
		c.credits()
		c.ledger()
	}
	c.revisions()
	return c.b.String()
}

type chain struct {
	a      *answer.ExplainAnswer
	models []string
	b      strings.Builder
}

func (c *chain) say(format string, args ...any) {
	c.b.WriteString(printable(strings.TrimRight(fmt.Sprintf(format, args...), " ")) + "\n")
}

// part begins a part of the chain, behind an empty line.
func (c *chain) part(format string, args ...any) {
	c.b.WriteString("\n")
	c.say(format, args...)
}

// at is an instant to the second; all are in UTC.
func at(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// touched is the time of a touch, of one that is withheld its day.
func touched(text string) string {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at(t)
	}
	return text
}

func item(l answer.ItemLine) string { return l.Reporter + "/" + l.Source + "/" + l.Item }

func items(list []answer.ItemLine) string {
	var texts []string
	for _, l := range list {
		texts = append(texts, item(l))
	}
	return strings.Join(texts, ", ")
}

func (c *chain) deal() {
	d := c.a.Deal
	c.say("%s: %s, stage %q, in the book of %s", d.ID, d.State, d.Stage, c.a.Campaign)
	g := grid{}
	if d.Excluded != "" {
		g.row("excluded", strings.ReplaceAll(d.Excluded, "_", " ")+": it is in no total")
	}
	g.row("amount", strings.TrimSpace(d.Amount+" "+d.Currency)+", close date "+cmp.Or(d.CloseDate, "unknown"))
	created := "unknown"
	if d.CreatedAt != nil {
		created = at(*d.CreatedAt) + " UTC"
	}
	if d.LeadAt != nil {
		created += ", the first person of the account known since " + at(*d.LeadAt)
	}
	g.row("created", created)
	g.row("account", d.Account)
	sourced := d.Sourced
	if d.SourcedBy != "" {
		sourced += ", by a " + d.SourcedBy
	}
	if d.SourcedEvidence != nil {
		sourced += ": " + item(*d.SourcedEvidence)
	}
	if slices.ContainsFunc(d.Disputes, func(x answer.DisputedLine) bool {
		return x.About == attribution.DisputeSourcing && x.State == attribution.DisputeOpen
	}) {
		sourced += "; in escrow"
	}
	g.row("sourced", sourced)
	if len(d.Merged) > 0 {
		g.row("one with", items(d.Merged))
	}
	if len(d.Suspected) > 0 {
		g.row("maybe one with", items(d.Suspected))
	}
	g.write(&c.b)
	c.part("stages (UTC)")
	g = grid{}
	for _, s := range d.Stages {
		milestone := ""
		if s.Milestone != "" {
			milestone = "milestone " + s.Milestone
		}
		g.row(at(s.At), s.Stage, s.State, milestone, s.EventID)
	}
	g.write(&c.b)
	c.disputes()
}

func (c *chain) disputes() {
	if len(c.a.Deal.Disputes) == 0 {
		return
	}
	c.part("disputes (UTC)")
	for _, d := range c.a.Deal.Disputes {
		what := "who sourced it"
		if d.Against != "" {
			what = "the credit of " + d.Against
		}
		c.say("  %s  %s by %s about %s: %s", at(d.OpenedAt), cmp.Or(d.ID, "(withheld)"), d.Partner, what, cmp.Or(d.Why, "(withheld)"))
		if d.From != "" {
			c.say("      of days from %s on: those before were closed", d.From)
		}
		if d.SettledAt == nil {
			c.say("      open")
			continue
		}
		how := d.State
		if d.To != "" {
			how += ", it goes to " + d.To
		}
		c.say("  %s  %s: %s", at(*d.SettledAt), how, cmp.Or(d.SettledWhy, "(withheld)"))
	}
}

// certain is the confidence in each measure with what it is the mean of. Measures of
// the same are shown once.
func (c *chain) certain() {
	var order []answer.ConfidenceParts
	names := map[answer.ConfidenceParts][]string{}
	for _, m := range c.a.Measures {
		if m.Confidence == nil {
			continue
		}
		if names[*m.Confidence] == nil {
			order = append(order, *m.Confidence)
		}
		names[*m.Confidence] = append(names[*m.Confidence], m.Measure)
	}
	if len(order) == 0 {
		return
	}
	c.part("how sure it is, of one")
	g := grid{right: map[int]bool{0: true, 1: true, 2: true, 3: true, 4: true, 5: true}}
	g.row("overall", "identity", "taxonomy", "currency", "agreement", "spread", "")
	for _, p := range order {
		g.row(p.Overall, p.Identity, p.Taxonomy, p.Currency, p.Agreement, p.Spread, strings.Join(names[p], ", "))
	}
	g.write(&c.b)
}

func (c *chain) measures() {
	c.part("what it counts for")
	g := grid{right: map[int]bool{2: true}}
	for _, m := range c.a.Measures {
		how := ""
		switch {
		case m.Held != "":
			how = "held: " + strings.ReplaceAll(m.Held, "_", " ")
		case m.Rate != "":
			how = fmt.Sprintf("%s %s at %s (%s), the rate of %s", m.OriginalAmount, m.OriginalCurrency, m.Rate, m.RateVia, m.RateDay)
		}
		var more []string
		if !m.InScope {
			more = append(more, "out of scope")
		}
		if m.Truncated {
			more = append(more, "more touches than may share it")
		}
		shared := len(m.Credits) > 0 && m.Currency != "" && !isSourced(m.Measure)
		if shared && len(m.Influenced) > 0 {
			more = append(more, "influenced by "+strings.Join(m.Influenced, ", "))
		}
		if shared && len(m.CoSell) > 0 {
			more = append(more, "co-sold by "+strings.Join(m.CoSell, ", "))
		}
		if how != "" {
			more = append([]string{how}, more...)
		}
		g.row(m.Measure, cmp.Or(m.Day, "no day"), m.Value, m.Currency, strings.Join(more, "; "))
	}
	g.write(&c.b)
}

func (c *chain) touches() {
	if len(c.a.Touches) == 0 {
		c.part("no touch shares any of it")
		return
	}
	c.part("touches (UTC)")
	g := grid{right: map[int]bool{0: true}}
	for _, t := range c.a.Touches {
		if t.Withheld {
			g.row(fmt.Sprint(t.N), touched(t.At), "(withheld)", t.Channel, t.Partner)
			continue
		}
		g.row(fmt.Sprint(t.N), touched(t.At), t.Type, t.Channel, t.Partner, "asset "+t.Asset, "source "+t.Source, "campaign "+t.Campaign)
	}
	lines := strings.Builder{}
	g.write(&lines)
	for i, line := range strings.Split(strings.TrimSuffix(lines.String(), "\n"), "\n") {
		c.b.WriteString(line + "\n")
		if t := c.a.Touches[i]; !t.Withheld {
			c.say("      %s", t.Rule)
			c.say("      %s", items(t.Evidence))
		}
	}
}

// isSourced reports whether a measure is whole of one name, which the head says.
func isSourced(measure string) bool {
	return measure == attribution.MeasurePipelineSourced || measure == attribution.MeasureRevenueSourced
}

// credits are the shares of each measure that is money; counts have the same weights.
// Measures of one value with the same shares are shown once.
func (c *chain) credits() {
	var shown []string
	for _, m := range c.a.Measures {
		if m.Currency == "" || len(m.Credits) == 0 || isSourced(m.Measure) {
			continue
		}
		table := c.shares(&m)
		if slices.Contains(shown, table) {
			continue
		}
		shown = append(shown, table)
		names := []string{m.Measure}
		for _, other := range c.a.Measures {
			if other.Measure != m.Measure && other.Currency == m.Currency && !isSourced(other.Measure) && c.shares(&other) == table {
				names = append(names, other.Measure)
			}
		}
		c.part("credit of %s, %s %s on %s", strings.Join(names, " and "), m.Value, m.Currency, m.Day)
		c.b.WriteString(table)
	}
}

// shares is a line for each partner's part of each touch.
func (c *chain) shares(m *answer.ExplainedMeasure) string {
	g := grid{right: map[int]bool{}}
	head := []string{"touch", "partner"}
	for i, id := range c.models {
		head = append(head, id)
		g.right[2+i] = true
	}
	g.row(head...)
	type part struct {
		touch                   int
		partner, judged, escrow string
	}
	cells := map[part]map[string]string{}
	for id, credits := range m.Credits {
		for _, credit := range credits {
			p := part{credit.Touch, credit.Partner, credit.Judged, credit.Escrow}
			if cells[p] == nil {
				cells[p] = map[string]string{}
			}
			cells[p][id] = credit.Amount + " (" + credit.Weight + ")"
		}
	}
	for _, p := range slices.SortedFunc(maps.Keys(cells), func(a, b part) int {
		return cmp.Or(cmp.Compare(a.touch, b.touch), strings.Compare(a.partner, b.partner), strings.Compare(a.judged, b.judged))
	}) {
		row := []string{"-", p.partner}
		if p.judged != "" {
			row[1] += ", from " + p.judged
		}
		if p.escrow == attribution.EscrowDisputed {
			row[1] += ", in escrow"
		}
		if p.touch > 0 {
			row[0] = fmt.Sprint(p.touch)
		}
		for _, id := range c.models {
			row = append(row, cells[p][id])
		}
		g.row(row...)
	}
	var b strings.Builder
	g.write(&b)
	return b.String()
}

func (c *chain) ledger() {
	switch {
	case c.a.Agrees && len(c.a.Lines) == 0 && !c.a.Withheld:
		c.part("the ledger has nothing of it, as it should")
	case c.a.Agrees:
		c.part("the ledger has the same, in %s and every model", many(fmt.Sprint(len(c.a.Lines)), "line"))
	default:
		c.part("the ledger differs")
		g := grid{right: map[int]bool{5: true, 6: true}}
		g.row("measure", "day", "partner", "channel", "model", "computed", "ledger")
		for _, l := range c.a.Lines {
			models := maps.Clone(l.Computed)
			maps.Copy(models, l.Ledger)
			for _, id := range slices.Sorted(maps.Keys(models)) {
				if l.Computed[id] != l.Ledger[id] {
					g.row(l.Measure, l.Day, l.Partner, l.Channel, id, cmp.Or(l.Computed[id], "none"), cmp.Or(l.Ledger[id], "none"))
				}
			}
		}
		g.write(&c.b)
	}
	c.entries()
}

// entries are told by the change that made them, a line for each.
func (c *chain) entries() {
	if len(c.a.Entries) == 0 {
		return
	}
	c.part("entries of the ledger, by what caused them (UTC)")
	g := grid{right: map[int]bool{4: true}}
	for i := 0; i < len(c.a.Entries); {
		first, n, moved := c.a.Entries[i], 0, 0
		for ; i < len(c.a.Entries) && c.a.Entries[i].ChangeID == first.ChangeID; i++ {
			n++
			if c.a.Entries[i].Booked != c.a.Entries[i].Day {
				moved++
			}
		}
		booked := ""
		if moved > 0 {
			booked = fmt.Sprintf("%d of them booked on a later day, as their own was closed", moved)
		}
		g.row(at(first.AsOf), first.Cause, "by "+cmp.Or(first.CauseEvent, "(withheld)"), fmt.Sprintf("revision %d", first.Revision), many(fmt.Sprint(n), "line"),
			fmt.Sprintf("from %d@%d of credits on", first.CreditsPartition, first.CreditsOffset), booked)
	}
	g.write(&c.b)
}

// revisions are those that the measures and the entries are under.
func (c *chain) revisions() {
	if len(c.a.Revisions) == 0 {
		return
	}
	c.part("by these revisions of the contract")
	g := grid{}
	for _, r := range c.a.Revisions {
		why := said(r.By, r.Why)
		if r.Withheld {
			why = "(withheld)"
		}
		g.row(fmt.Sprintf("revision %d", r.Revision), fmt.Sprintf("contract %.12s", r.Hash), "since "+at(r.RecordedAt), why)
	}
	g.write(&c.b)
}

// row explains a contribution by the deals that it is made of.
func (c *chain) row() {
	r := c.a.Contribution
	c.say("%s of %s on %s under %s: %s", strings.TrimSpace(r.Value+" "+r.Currency), r.Measure, r.Day, r.Model, r.Partner)
	g := grid{}
	g.row("channel", r.Channel, "asset", r.Asset)
	g.row("region", r.Region, "segment", r.Segment)
	g.row("source", r.Source, "campaign", r.TouchCampaign)
	g.row("escrow", r.Escrow, "booked", r.Booked)
	g.row("certain", r.ConfidentValue)
	g.write(&c.b)
	if !c.a.Agrees {
		c.part("its entries come to %s: the row has not caught up, ask again", r.Sum)
	}
	c.part("it is made of")
	g = grid{right: map[int]bool{1: true}}
	for _, d := range r.Deals {
		g.row(d.ID, d.Amount)
	}
	if r.OtherDeals != "0" {
		g.row("and "+r.OtherDeals+" more", r.Others)
	}
	if strings.Trim(r.WithheldSum, "0.-") != "" {
		g.row("deals that are withheld", r.WithheldSum)
	}
	g.row("sum", r.Sum)
	g.write(&c.b)
	c.entries()
}
