package answer

import (
	"maps"
	"slices"
	"time"

	"tracksource/attribution"
	"tracksource/report"
)

// figures are sums that the viewer may see.
type figures struct {
	Breakdown report.Breakdown // groups that it may see
	Currency  string
	// total, what is certain of it and unattributed are nil where they are withheld, or
	// are no sums.
	total, certain, unattributed *report.Value
}

func (f *figures) text(v *report.Value) *string {
	if v == nil {
		return nil
	}
	return ref(text(*v, f.Currency))
}

// confidence is that in the total, nil where there is none.
func (f *figures) confidence() *string {
	if f.total == nil || f.certain == nil {
		return nil
	}
	return confidence(*f.certain, *f.total)
}

// confidence is that in a value, nil where it is zero.
func confidence(certain, value report.Value) *string {
	c, ok := report.Certainty(certain, value)
	if !ok {
		return nil
	}
	return &c
}

// give lets the viewer have the total of a breakdown.
func (f *figures) give(b *report.Breakdown) {
	f.total, f.certain, f.unattributed = &b.Total, &b.Confident, &b.Unattributed
}

// attributed is what of the total is somebody's.
func (f *figures) attributed() *report.Value {
	if f.total == nil || f.unattributed == nil {
		return nil
	}
	return ref(f.total.Sub(*f.unattributed))
}

// askFor completes a question of rows with the window and the filter.
func (q *asked) askFor(dims ...report.Dimension) report.Ask {
	return report.Ask{View: q.view, Within: q.window.Span, Any: q.any, By: dims}
}

// figures adds up rows of a measure. A breakdown that would add what must not be
// added is refused.
func (q *asked) figures(m attribution.Measure, ask report.Ask) (*figures, error) {
	if err := grain(m, ask); err != nil {
		return nil, err
	}
	asks := []report.Ask{ask}
	if q.sight == report.SeesOwn {
		// The whole tells how many partners it is of, and nobody sees it.
		whole, own := ask, ask
		whole.By, whole.First = []report.Dimension{report.Partner}, 0
		own.Any = maps.Clone(ask.Any)
		if own.Any == nil {
			own.Any = map[report.Dimension][]string{}
		}
		own.Any[report.Partner] = []string{q.viewer.Partner}
		if asked, narrowed := ask.Any[report.Partner]; narrowed && !slices.Contains(asked, q.viewer.Partner) {
			own.Any[report.Partner] = nil
		}
		asks = []report.Ask{whole, own}
	}
	sums, err := q.sums(m.Name, asks...)
	if err != nil {
		return nil, err
	}
	q.noteAsOf(sums[0].AsOf)
	whole := sums[0].Breakdowns
	out := &figures{Currency: q.currency(m)}
	if len(whole) > 0 && !q.contractCurrency {
		out.Currency = whole[0].Currency
	}
	for _, other := range whole {
		if other.Currency != out.Currency && !slices.Contains(q.Restating, other.Currency) {
			q.Restating = append(q.Restating, other.Currency)
		}
	}
	of := func(list []report.Breakdown) report.Breakdown {
		if i := slices.IndexFunc(list, func(b report.Breakdown) bool { return b.Currency == out.Currency }); i >= 0 {
			return list[i]
		}
		return report.Breakdown{Dimensions: ask.By, Currency: out.Currency}
	}
	total := of(whole)
	out.Breakdown = of(sums[len(sums)-1].Breakdowns)
	if q.sight == report.SeesOwn {
		q.ownTotal(out, m, ask, total)
		return out, nil
	}
	if addable(m, ask) {
		out.give(&total)
	}
	return out, nil
}

// ownTotal gives a viewer of its own rows a total where it tells nothing of one of the
// others: it is of itself alone, or of enough partners.
func (q *asked) ownTotal(out *figures, m attribution.Measure, ask report.Ask, whole report.Breakdown) {
	partners, others := 0, false
	for _, g := range whole.Groups {
		if q.campaign.Contract.IsPartner(g.Key[0]) {
			partners++
		}
		others = others || g.Key[0] != q.viewer.Partner
	}
	if asked, narrowed := ask.Any[report.Partner]; narrowed && !slices.ContainsFunc(asked, func(p string) bool { return p != q.viewer.Partner }) {
		others = false
	}
	switch {
	case !addable(m, ask):
	case !others:
		out.give(&out.Breakdown)
	case partners >= report.PartnersMin:
		out.give(&whole)
	}
	q.Withheld = q.Withheld || others
}

func (q *asked) noteAsOf(at time.Time) {
	if !at.IsZero() && (q.AsOf == nil || at.After(*q.AsOf)) {
		q.AsOf = &at
	}
}

// currency is what a measure is in where there are no rows to say it.
func (q *asked) currency(m attribution.Measure) string {
	if m.Count {
		return ""
	}
	return q.campaign.Contract.Currency
}

// narrowed are the dimensions of which a question is about one value alone.
func narrowed(ask report.Ask) []string {
	var dims []string
	for d, values := range ask.Any {
		if len(values) == 1 {
			dims = append(dims, string(d))
		}
	}
	return dims
}

// addable reports whether the rows that a question is about add up to a total.
func addable(m attribution.Measure, ask report.Ask) bool {
	return m.Sums(append(narrowed(ask), wide(ask)...)...)
}

// wide are the dimensions that a question only narrows to several values, as far as
// they are not those over which a measure must not be added.
func wide(ask report.Ask) []string {
	var dims []string
	for d, values := range ask.Any {
		if len(values) != 1 && d != report.Partner {
			dims = append(dims, string(d))
		}
	}
	return dims
}

// grain refuses a breakdown whose groups are no sums of rows.
func grain(m attribution.Measure, ask report.Ask) error {
	dims := append(narrowed(ask), wide(ask)...)
	for _, d := range ask.By {
		dims = append(dims, string(d))
	}
	if m.Sums(dims...) {
		return nil
	}
	return &Error{
		Parameter: "by",
		Detail:    m.Name + " is whole for each partner, so that it is asked for by partner, or of one, and by nothing that its rows do not know; allowed lists what they know",
		Allowed:   m.Grain,
	}
}

// groupsOf writes groups.
func (f *figures) groups(list []report.Group) []Group {
	out := make([]Group, len(list))
	for i, g := range list {
		out[i] = Group{g.Key, text(g.Value, f.Currency), confidence(g.Confident, g.Value)}
	}
	return out
}

// keyed writes the groups of a breakdown by one dimension, at most so many; 0: all.
func (f *figures) keyed(most int) []KeyValue {
	out := []KeyValue{}
	for _, g := range f.Breakdown.Groups {
		if len(out) == most && most > 0 {
			break
		}
		out = append(out, KeyValue{g.Key[0], text(g.Value, f.Currency), confidence(g.Confident, g.Value)})
	}
	return out
}
