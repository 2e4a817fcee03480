package answer

import (
	"context"

	"tracksource/report"
)

// Breakdown is a measure by up to three dimensions.
func (a *Answers) Breakdown(_ context.Context, v report.Viewer, q Query) (BreakdownAnswer, error) {
	of, err := a.askRows(v, &q)
	if err != nil {
		return BreakdownAnswer{}, err
	}
	m, err := of.measure(q.Measure)
	if err != nil {
		return BreakdownAnswer{}, err
	}
	dims, err := by(q.By, report.ByMax, true)
	if err != nil {
		return BreakdownAnswer{}, err
	}
	n, err := limit(&q)
	if err != nil {
		return BreakdownAnswer{}, err
	}
	from, err := offset(&q)
	if err != nil {
		return BreakdownAnswer{}, err
	}
	ask := of.askFor(dims...)
	ask.First = from + n + 1 // one more says whether there are more
	f, err := of.figures(m, ask)
	if err != nil {
		return BreakdownAnswer{}, err
	}
	out := BreakdownAnswer{
		Measure: m.Name, Kind: kindOf(m), Currency: f.Currency, Rows: f.Breakdown.Rows, By: []string{}, Margins: []Margin{},
		Total: f.text(f.total), Attributed: f.text(f.attributed()), Unattributed: f.text(f.unattributed), Confidence: f.confidence(),
	}
	groups, next, err := part(f.Breakdown.Groups, &q)
	if err != nil {
		return BreakdownAnswer{}, err
	}
	out.Groups, out.Next = f.groups(groups), next
	for _, d := range dims {
		out.By = append(out.By, string(d))
		// A margin leaves the other dimensions out, over which it may not be added.
		if alone := of.askFor(d); len(dims) > 1 && grain(m, alone) == nil {
			margin, err := f.Breakdown.Margin(d)
			if len(f.Breakdown.Groups) == ask.First { // not all of them: the rows are summed again
				var again *figures
				if again, err = of.figures(m, alone); err == nil {
					margin = again.Breakdown
				}
			}
			if err != nil {
				return BreakdownAnswer{}, err
			}
			out.Margins = append(out.Margins, Margin{string(d), f.groups(margin.Groups)})
		}
	}
	out.Envelope = of.Envelope
	return out, nil
}
