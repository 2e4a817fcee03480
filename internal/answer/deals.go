package answer

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/identity"
	"tracksource/internal/follow"
	"tracksource/report"
)

// deals calls fn for each deal that the viewer is told of. Held ones are fn's until it
// returns.
func (q *asked) deals(ctx context.Context, fn func(d *report.Deal) error) error {
	if q.held != nil {
		return q.heldDeals(ctx, fn)
	}
	return q.follow.Deals(q.campaign.Book, func(d *follow.Deal) (bool, error) {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		q.noteAsOf(d.AsOf)
		if !q.viewer.Sees(q.sight, &d.Deal) {
			q.Withheld = true
			return true, nil
		}
		seen := &d.Deal
		if q.sight == report.SeesOwn {
			seen = &report.Deal{Account: d.Account, Parts: slices.Clone(d.Parts)}
			q.Withheld = q.mask(seen) || q.Withheld
		}
		err := fn(seen)
		return err == nil, err
	})
}

func (q *asked) heldDeals(ctx context.Context, fn func(d *report.Deal) error) error {
	q.Withheld = q.Withheld || q.held.hidden > 0
	for d := range q.toldDeals() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fn(d); err != nil {
			return err
		}
	}
	return nil
}

// Deals lists deals, the newest first.
func (a *Answers) Deals(ctx context.Context, v report.Viewer, q Query) (DealsAnswer, error) {
	of, err := a.ask(v, &q)
	if err != nil {
		return DealsAnswer{}, err
	}
	if _, err := one("state", q.State, []string{"", string(contract.StateOpen), string(contract.StateWon), string(contract.StateLost)}); err != nil {
		return DealsAnswer{}, err
	}
	partner := q.Partner
	if partner == "" && len(q.Filter[string(report.Partner)]) == 1 {
		partner = q.Filter[string(report.Partner)][0]
	}
	list := []*report.Deal{}
	if err := of.deals(ctx, func(d *report.Deal) error {
		f := d.Newest()
		if (q.State == "" || f.State == q.State) && hasPrefix(f, q.Prefix) && (partner == "" || takesPart(d, partner)) {
			list = append(list, d)
		}
		return nil
	}); err != nil {
		return DealsAnswer{}, err
	}
	slices.SortFunc(list, func(a, b *report.Deal) int {
		x, y := a.Newest(), b.Newest()
		return cmp.Or(y.CreatedAt.Compare(x.CreatedAt), x.Deal.Compare(y.Deal))
	})
	listed, next, err := part(list, &q)
	if err != nil {
		return DealsAnswer{}, err
	}
	out := DealsAnswer{Deals: []Deal{}, Next: next}
	for _, d := range listed {
		out.Deals = append(out.Deals, dealOf(d))
	}
	out.Envelope = of.Envelope
	return out, nil
}

// hasPrefix reports whether a deal's id, whole or as its CRM has it, begins so; case
// does not matter.
func hasPrefix(f *attribution.Facts, prefix string) bool {
	whole := f.Deal.String()
	for _, id := range []string{whole, whole[strings.LastIndexByte(whole, '/')+1:]} {
		if len(id) >= len(prefix) && strings.EqualFold(id[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}

// takesPart reports whether a partner sourced or reported a deal, disputes it, or is
// credited with a touch of it.
func takesPart(d *report.Deal, partner string) bool {
	f := d.Newest()
	if f.Sourced.Partner == partner || (report.Viewer{Partner: partner}).Reported(d) {
		return true
	}
	for i := range f.Disputes {
		if x := &f.Disputes[i]; x.Partner == partner || x.State == attribution.DisputeUpheld && x.To == partner {
			return true
		}
	}
	for i := range d.Parts {
		for n := range d.Parts[i].Touches {
			if slices.Contains(report.PartnersOf(&d.Parts[i].Touches[n]), partner) {
				return true
			}
		}
	}
	return false
}

// dealOf writes a deal. Its account is a name of ours for a company, as text.
func dealOf(d *report.Deal) Deal {
	f := d.Newest()
	out := Deal{
		ID: f.Deal.String(), Account: accountText(d.Account), State: f.State, Stage: f.Stage, CloseDate: f.CloseDate,
		Amount: f.Amount, Currency: f.Currency, Sourced: f.Sourced.Partner, Excluded: f.Excluded, Measures: []DealMeasure{},
	}
	if !f.CreatedAt.IsZero() {
		out.CreatedAt = ref(f.CreatedAt)
	}
	touches := map[attribution.ItemID]bool{}
	for i := range d.Parts {
		for n := range d.Parts[i].Touches {
			touches[d.Parts[i].Touches[n].ID] = true
		}
		for n := range d.Parts[i].Measures {
			if m := &d.Parts[i].Measures[n]; report.Counts(m) {
				value := report.ValueOf(m.Value, m.Exponent)
				out.Measures = append(out.Measures, DealMeasure{m.Measure, m.Day.String(), text(value, m.Currency), m.Currency})
			}
		}
	}
	out.Touches = len(touches)
	for i := range f.Disputes {
		if f.Disputes[i].State == attribution.DisputeOpen {
			out.OpenDisputes++
		}
	}
	return out
}

// accountText is the name of an account: that of people who are no company's yet says
// nothing to anybody.
func accountText(account string) string {
	node, err := identity.Parse([]byte(account))
	if err != nil || node.Provisional() {
		return "(provisional)"
	}
	return node.String()
}
