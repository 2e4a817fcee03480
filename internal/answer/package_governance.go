package answer

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/internal/control"
	"tracksource/internal/follow"
	"tracksource/internal/governance"
	"tracksource/report"
	"tracksource/schemas/avro"
)

// governed reads what signatories said of the campaign; nothing is said of a proposal's
// book.
func (p *packaging) governed() error {
	if p.said = (&decided{}); p.Proposed {
		return nil
	}
	var err error
	if p.said, err = p.decided(p.Campaign); err != nil {
		return err
	}
	return nil
}

// keyFigureTable is the key figures, in all and of the deals that each partner sourced.
func (p *packaging) keyFigureTable() error {
	var err error
	if p.figuresInAll, p.figuresOf, err = p.keyFigures(p.ctx); err != nil {
		return err
	}
	t := report.Table{ID: "kpis", Title: "Key figures", Note: "Of a partner they are of the deals that it sourced."}
	t.Columns = slices.Concat(texts("figure", "partner"), counts("value"), texts("unit", "currency"), counts("target", "limit"), texts("state", "detail"))
	put := func(partner string, figures []report.Figure) {
		for _, l := range p.kpis(figures) {
			t.Rows = append(t.Rows, []string{l.KPI, partner, or(l.Value), l.Unit, l.Currency, number(or(l.Target)), number(or(l.Limit)), l.Band, missing(l)})
		}
	}
	put("(all)", p.figuresInAll)
	for _, of := range p.figuresOf {
		put(of.partner, of.figures)
	}
	p.add(t)
	return nil
}

// number is a bound without its unit.
func number(text string) string { return strings.TrimRight(text, "%xhmo") }

func missing(l KPILine) string {
	if l.Missing != "" {
		return "no data for want of " + l.Missing
	}
	return l.Detail
}

// guardrailTable is what is watched, as it was last evaluated.
func (p *packaging) guardrailTable() error {
	t := report.Table{ID: "guardrails", Title: "Guardrails", Note: "As of the last contract day that was evaluated."}
	t.Columns = slices.Concat(texts("name", "subject"), days("day"), counts("value"), texts("unit"), counts("target", "limit"), texts("state", "detail"))
	for _, g := range p.guardrails(p.said.evaluations) {
		t.Rows = append(t.Rows, []string{
			g.Guardrail, g.Subject, dayOr(g.Day), number(or(g.Value)), g.Unit, number(g.Target), number(g.Limit), g.Band, g.Detail,
		})
	}
	p.add(t)
	return nil
}

// confidenceTable is what the confidence in the main measure is made of.
func (p *packaging) confidenceTable() error {
	t := report.Table{ID: "confidence", Title: "Confidence", Note: "The mean over the deals of " + strings.ReplaceAll(p.main.Name, "_", " ") + ", weighted by their value: overall, and what that is the mean of."}
	t.Columns = slices.Concat(texts("part"), ratios("value"))
	list, err := p.certainties(p.ctx, p.main, p.currency(p.main))
	if err != nil {
		return err
	}
	if parts := weighed(list); parts != nil {
		t.Rows = [][]string{
			{"overall", parts.Overall},
			{"identity", parts.Identity},
			{"taxonomy", parts.Taxonomy},
			{"currency", parts.Currency},
			{"agreement", parts.Agreement},
			{"spread", parts.Spread},
		}
	}
	p.add(t)
	return nil
}

// disputeTable is the disputes that the viewer is told of, the newest first.
func (p *packaging) disputeTable() error {
	t := report.Table{ID: "disputes", Title: "Disputes", Note: "Amount is what is in escrow of revenue, else of the pipeline."}
	t.Columns = slices.Concat(texts("id", "deal", "by", "against", "about", "state"), times("opened_at", "settled_at"), p.moneys("amount"), texts("why"))
	if !p.Proposed {
		lines, err := p.disputes(p.ctx, &Query{})
		if err != nil {
			return err
		}
		p.disputed = lines
	}
	for i := range p.disputed {
		d := &p.disputed[i]
		t.Rows = append(t.Rows, []string{
			d.ID, d.Deal, d.Partner, d.Against, d.About, d.State, timeText(&d.OpenedAt), timeText(d.SettledAt), p.escrowOf(d), d.Why,
		})
	}
	p.add(t)
	return nil
}

// escrowOf is what of a dispute is in escrow, of revenue where there is some.
func (p *packaging) escrowOf(d *DisputeLine) string {
	for _, of := range []string{attribution.MeasureRevenue, attribution.MeasureRevenueSourced, attribution.MeasurePipelineCreated, attribution.MeasurePipelineSourced} {
		for _, e := range d.Escrow {
			if e.Measure == of && e.Currency == p.p.Currency {
				return e.Value
			}
		}
	}
	return ""
}

// escalations are the open alerts, the newest first.
func (p *packaging) escalations() error {
	t := report.Table{ID: "escalations", Title: "Escalations", Note: "Open alerts, the newest first."}
	t.Columns = slices.Concat(texts("kind", "severity", "subject", "message", "rung", "owner", "fallback"), days("since", "deadline"), texts("state", "taken_by"), times("raised_at"))
	taken, err := p.acknowledged()
	if err != nil {
		return err
	}
	err = p.follow.Alerts(nil, func(a *avro.Alert, _ follow.AlertPlace) (bool, error) {
		if !p.seesAlert(a) || stateOf(a) != governance.AlertOpen {
			return true, p.ctx.Err()
		}
		if len(p.open) == packageAlertsMax {
			t.LeftOut++
			return true, p.ctx.Err()
		}
		p.open = append(p.open, p.alertLine(a, taken[a.ID]))
		return true, nil
	})
	if err != nil {
		return err
	}
	for i := range p.open {
		a := &p.open[i]
		t.Rows = append(t.Rows, []string{
			a.Kind, a.Severity, a.Subject, a.Message, a.Rung, a.Owner, a.Fallback, dayOr(a.Since), dayOr(a.Deadline), a.State, takenBy(a), timeText(&a.RaisedAt),
		})
	}
	p.add(t)
	return nil
}

// takenBy is who has taken an alert on, empty for nobody.
func takenBy(a *AlertLine) string {
	if a.Acknowledged == nil {
		return ""
	}
	return cmp.Or(a.Acknowledged.By, a.Acknowledged.Partner, "operator")
}

// signatureTable is what partners said to the packages before this one, the newest first.
func (p *packaging) signatureTable() error {
	t := report.Table{ID: "signatures", Title: "Signatures", Note: "What partners said to packages of this campaign before this one."}
	t.Columns = slices.Concat(texts("partner", "decision", "title", "hash"), times("at"), texts("by", "why"))
	for _, s := range p.signatures(p.said.signatures) {
		t.Rows = append(t.Rows, []string{s.Partner, s.Decision, s.Title, s.Hash, timeText(&s.At), s.By, s.Why})
	}
	p.add(t)
	return nil
}

// revisionTable is the rules that the numbers were made by, the newest first, with who put
// them forward, why, and in what they differ from the ones before. Of revisions that the
// viewer was no signatory of it has none.
func (p *packaging) revisionTable() error {
	t := report.Table{ID: "revisions", Title: "Revisions", Note: "Revisions of the contract, the newest first, and what of it each changed."}
	t.Columns = slices.Concat(counts("revision"), texts("hash"), times("at"), texts("by", "why", "changes"))
	list := history(p.campaign)
	t.LeftOut = max(0, len(list)-packageRevisionsMax)
	list = list[t.LeftOut:]
	before := "" // document; empty for none that the viewer is told of
	for i := range list {
		r := revisionOf(p.viewer, p.campaign, &list[i])
		if r.Withheld {
			p.Withheld, before = true, ""
			continue
		}
		changes, err := changedFields(before, list[i].Document)
		if err != nil {
			return err
		}
		before = list[i].Document
		t.Rows = append(t.Rows, []string{strconv.FormatInt(r.Revision, 10), r.Hash, timeText(&r.RecordedAt), r.By, r.Why, changes})
	}
	slices.Reverse(t.Rows)
	p.add(t)
	return nil
}

// mappingTable is how the feeds of the signatories are read: the revisions of their
// mappings, of each feed the newest first, with who put them forward and why. A partner is
// told of its own feeds, as of all that is observed of feeds.
func (p *packaging) mappingTable() error {
	t := report.Table{ID: "mappings", Title: "Mappings", Note: "How feeds are read: revisions of their mappings, of each feed the newest first. A feed without one, or whose mapping has ended, is read by the native shapes alone."}
	if !p.viewer.Operator {
		t.Note += " Of other partners' feeds nothing is told."
	}
	t.Columns = slices.Concat(texts("feed", "partner"), counts("revision"), texts("hash"), times("at"), texts("ended", "by", "why"))
	nothing := control.Hash(nil) // the document of a revision that ends a mapping
	err := p.follow.Decided(func(b *control.Book) error {
		for _, of := range slices.SortedFunc(maps.Keys(b.Mappings), func(x, y control.Versioned) int { return cmp.Compare(x.Name, y.Name) }) {
			list := b.Mappings[of]
			switch partner := list[0].Partner; {
			case !p.campaign.Contract.IsPartner(partner):
				continue
			case !p.viewer.Operator && partner != p.viewer.Partner:
				p.Withheld = true
				continue
			}
			left := max(0, len(list)-packageRevisionsMax)
			t.LeftOut += left
			for i := range slices.Backward(list[left:]) {
				r := &list[left+i]
				ended := ""
				if r.Hash == nothing {
					ended = "yes"
				}
				t.Rows = append(t.Rows, []string{of.Name, r.Partner, strconv.FormatInt(r.Revision, 10), r.Hash, timeText(&r.RecordedAt), ended, r.By, r.Why})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.add(t)
	return nil
}

// changedFieldsMax bounds how many fields are named that a revision changed: contract diff
// has them all.
const changedFieldsMax = 12

// changedFields names in what a document differs from the one before.
func changedFields(before, document string) (string, error) {
	if before == "" {
		return "", nil
	}
	changes, err := contract.Diff([]byte(before), []byte(document))
	if err != nil {
		return "", err
	}
	if len(changes) == 0 {
		return "no rule", nil // comments and their order alone
	}
	var names []string
	for _, c := range changes[:min(len(changes), changedFieldsMax)] {
		names = append(names, c.Field)
	}
	text := strings.Join(names, ", ")
	if more := len(changes) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text, nil
}

// paidFor is for whom and on what something was spent.
type paidFor struct{ partner, channel, asset, currency string }

// spendTable is what was spent in the window.
func (p *packaging) spendTable() error {
	sums := map[paidFor]report.Value{}
	err := p.eachPaid(control.Spend, func(r *avro.AmountRecord, partner string, amount report.Value, currency string) {
		of := paidFor{partner, r.Channel, r.Asset, currency}
		sums[of] = sums[of].Add(amount)
	})
	if err != nil {
		return err
	}
	t := report.Table{ID: "spend", Title: "Spend", Note: "In the contract's currency at the rate of its day; without a rate in its own."}
	t.Columns = slices.Concat(texts("partner", "channel", "asset"), counts("amount"), texts("currency"))
	for of, v := range sums {
		t.Rows = append(t.Rows, []string{of.partner, of.channel, of.asset, text(v, of.currency), of.currency})
	}
	slices.SortFunc(t.Rows, func(a, b []string) int { return cmp.Or(slices.Compare(a[:3], b[:3]), cmp.Compare(a[4], b[4])) })
	p.add(t)
	p.spent = sums
	return nil
}

// spentOn is what was spent in the contract's currency on the values of channel or asset.
func (p *packaging) spentOn(d report.Dimension) map[string]report.Value {
	out := map[string]report.Value{}
	for _, of := range slices.SortedFunc(maps.Keys(p.spent), func(a, b paidFor) int {
		return cmp.Or(cmp.Compare(a.partner, b.partner), cmp.Compare(a.channel, b.channel), cmp.Compare(a.asset, b.asset), cmp.Compare(a.currency, b.currency))
	}) {
		key := of.channel
		if d == report.Asset {
			key = of.asset
		}
		if key != "" && of.currency == p.p.Currency {
			out[key] = out[key].Add(p.spent[of])
		}
	}
	return out
}
