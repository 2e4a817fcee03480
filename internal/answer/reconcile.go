package answer

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/internal/follow"
	"tracksource/report"
)

// exportColumns reads FIELD=NAME,... as the question has it.
func exportColumns(text string) (map[report.ExportField]string, error) {
	columns := map[report.ExportField]string{}
	if text == "" {
		return columns, nil
	}
	var allowed []string
	for _, f := range report.ExportFields() {
		allowed = append(allowed, string(f))
	}
	for pair := range strings.SplitSeq(text, ",") {
		field, name, ok := strings.Cut(pair, "=")
		if !ok || name == "" || !slices.Contains(allowed, field) || columns[report.ExportField(field)] != "" {
			return nil, &Error{Parameter: "columns", Detail: "write FIELD=NAME with commas between, each field once", Allowed: allowed}
		}
		columns[report.ExportField(field)] = name
	}
	return columns, nil
}

// exportScope is whose CRM is compared: a partner's own, and by default that of the
// system of record.
func exportScope(v report.Viewer, c *contract.Contract, reporter string) (who, source string, err error) {
	var allowed []string
	for _, p := range c.Partners {
		if v.Operator || p.ID == v.Partner {
			allowed = append(allowed, p.ID)
		}
	}
	if who = reporter; who == "" {
		if who = c.SystemOfRecord.Partner; !v.Operator {
			who = v.Partner
		}
	}
	if !slices.Contains(allowed, who) {
		detail := "there is no such partner"
		if !v.Operator {
			detail = "a partner compares its own CRM"
		}
		return "", "", &Error{Parameter: "reporter", Detail: detail, Allowed: allowed}
	}
	if who == c.SystemOfRecord.Partner {
		source = c.SystemOfRecord.Source
	}
	return who, source, nil
}

// readExport reads the export that came with a question.
func readExport(data []byte, o report.ExportOptions) (report.Export, error) {
	e, err := report.ReadExport(data, o)
	if errors.Is(err, report.ErrExport) {
		return e, &Error{Detail: err.Error()}
	}
	return e, err
}

// bookOf is what a book says of its deals, without the touches, which a
// reconciliation does not look at.
func bookOf(ctx context.Context, f *follow.Follow, c *follow.Campaign) (facts []attribution.Facts, asOf time.Time, err error) {
	err = f.Deals(c.Book, func(d *follow.Deal) (bool, error) {
		for _, part := range d.Parts {
			part.Touches = nil
			facts = append(facts, part)
		}
		if d.AsOf.After(asOf) {
			asOf = d.AsOf
		}
		return ctx.Err() == nil, ctx.Err()
	})
	return facts, asOf, err
}

// Reconcile holds an export of a CRM against the book: data is the file. Without a
// reporter it is that of the system of record, and for a partner its own.
func (a *Answers) Reconcile(ctx context.Context, v report.Viewer, q Query, data []byte) (ReconcileAnswer, error) {
	of, err := a.ask(v, &q)
	if err == nil {
		err = of.readWindow(&q)
	}
	if err != nil {
		return ReconcileAnswer{}, err
	}
	measure, err := one("measure", q.Measure, report.ReconcileMeasures())
	if err != nil {
		return ReconcileAnswer{}, err
	}
	c := of.campaign.Contract
	reporter, source, err := exportScope(v, c, q.Reporter)
	if err != nil {
		return ReconcileAnswer{}, err
	}
	columns, err := exportColumns(q.Columns)
	if err != nil {
		return ReconcileAnswer{}, err
	}
	within := of.window.Span
	e, err := readExport(data, report.ExportOptions{
		Columns: columns, Measure: measure, Currency: cmp.Or(c.PartnerCurrency(reporter), c.Currency), Zone: c.Zone, Undated: within == nil,
	})
	if err != nil {
		return ReconcileAnswer{}, err
	}
	rates, err := a.follow.Rates()
	if err != nil {
		return ReconcileAnswer{}, err
	}
	facts, asOf, err := bookOf(ctx, a.follow, of.campaign)
	if err != nil {
		return ReconcileAnswer{}, err
	}
	of.noteAsOf(asOf)
	scope := report.Scope{Contract: c, Measure: measure, Reporter: reporter, Source: source, Rates: rates}
	if within != nil {
		scope.In = within.Holds
	}
	r := report.Reconcile(&e, facts, scope)
	out := of.reconciled(&r)
	out.Reporter, out.Columns = reporter, map[string]string{}
	for field, name := range e.Columns {
		out.Columns[string(field)] = name
	}
	out.Deals, out.Next, err = part(out.Deals, &q)
	return out, err
}

// unreadableMax is how many rows that could not be used are told; all are counted.
const unreadableMax = 1000

// reconciled writes a reconciliation as its viewer may see it.
func (q *asked) reconciled(r *report.Reconciliation) ReconcileAnswer {
	places := placesOf(r.Currency)
	out := ReconcileAnswer{
		Measure: r.Measure, Currency: r.Currency, Ours: r.Ours.Text(places), Theirs: r.Theirs.Text(places), Difference: r.Difference.Text(places),
		Reasons: []ReasonLine{}, Deals: []ReconciledDeal{}, Matched: strconv.Itoa(r.Matched), Unreadable: []UnreadableLine{},
		UnreadableRows: strconv.Itoa(len(r.Unreadable)), UnreadableSums: currencyTotals(r.UnreadableSums), Unconverted: currencyTotals(r.Unconverted),
		Elsewhere: []ElsewhereLine{},
	}
	for _, s := range r.Reasons {
		out.Reasons = append(out.Reasons, ReasonLine{string(s.Reason), strconv.Itoa(s.Deals), s.Amount.Text(places)})
	}
	for _, d := range r.Deals {
		line := ReconciledDeal{
			ID: d.ID, Name: d.Name, Line: d.Line, Ours: d.Ours.Text(places), Theirs: d.Theirs.Text(places), Difference: d.Difference.Text(places),
			Reason: string(d.Reason), Detail: d.Detail,
		}
		switch {
		case d.Other == attribution.ItemID{}:
		case q.viewer.Operator || d.Other.Reporter == q.viewer.Partner:
			line.Other = d.Other.String()
		default:
			q.Withheld = true
		}
		out.Deals = append(out.Deals, line)
	}
	for _, u := range r.Unreadable[:min(len(r.Unreadable), unreadableMax)] {
		line := UnreadableLine{Line: u.Line, ID: u.ID, Why: u.Why}
		if u.Valued {
			line.Amount = u.Amount.String()
		}
		out.Unreadable = append(out.Unreadable, line)
	}
	for _, e := range r.Elsewhere {
		if q.sight == report.SeesOwn {
			q.Withheld = true
			break
		}
		out.Elsewhere = append(out.Elsewhere, ElsewhereLine{e.What, strconv.Itoa(e.Deals), e.Amount.Text(places)})
	}
	if accuracy, ok := r.Accuracy(); ok {
		out.Accuracy = &accuracy
	}
	out.Envelope = q.Envelope
	return out
}

func currencyTotals(sums []report.CurrencySum) []CurrencyTotal {
	list := []CurrencyTotal{}
	for _, s := range sums {
		list = append(list, CurrencyTotal{s.Currency, s.Total.Text(placesOf(s.Currency))})
	}
	return list
}
