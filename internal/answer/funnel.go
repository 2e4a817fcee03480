package answer

import (
	"context"
	"maps"
	"slices"

	"tracksource/attribution"
	"tracksource/report"
)

// funnelBasis says what a funnel counts.
const (
	funnelBasis    = "first arrivals on days of the window, each stage by its own day: no cohort is followed"
	funnelBasisOwn = "deals that you reported and that came to the stage on a day of the window, each stage by its own day: no cohort is followed"
)

// Funnel is how many came to each stage: the milestones in their order, then the deals
// that were created and won.
func (a *Answers) Funnel(ctx context.Context, v report.Viewer, q Query) (FunnelAnswer, error) {
	of, err := a.askRows(v, &q)
	if err != nil {
		return FunnelAnswer{}, err
	}
	name, err := one("by", first(q.By), []string{"", string(report.Partner), string(report.Channel), string(report.Region), string(report.Segment)})
	if err != nil || len(q.By) > 1 {
		return FunnelAnswer{}, &Error{Parameter: "by", Detail: "a funnel is told by one of these dimensions", Allowed: []string{"partner", "channel", "region", "segment"}}
	}
	out, err := of.funnel(ctx, report.Dimension(name))
	if err != nil {
		return FunnelAnswer{}, err
	}
	out.Envelope = of.Envelope
	return out, nil
}

// funnelMeasures are what the stages of a funnel count.
func (q *asked) funnelMeasures() []string {
	return append(slices.Clone(q.campaign.Contract.Milestones), attribution.MeasureOpportunities, attribution.MeasureWon)
}

// funnel is the stages, and with a dimension the counts of each of its values.
func (q *asked) funnel(ctx context.Context, d report.Dimension) (FunnelAnswer, error) {
	measures := q.funnelMeasures()
	out := FunnelAnswer{Basis: funnelBasis, Stages: []Stage{}, Groups: []FunnelGroup{}}
	counts := make([]map[string]report.Value, len(measures))
	var err error
	if q.sight == report.SeesOwn {
		// Counts of all partners are theirs alone: its own deals are counted.
		out.Basis, q.Withheld = funnelBasisOwn, true
		if counts, err = q.ownFunnel(ctx, measures, d); err != nil {
			return FunnelAnswer{}, err
		}
	} else {
		for i, m := range measures {
			if counts[i], err = q.counts(m, d); err != nil {
				return FunnelAnswer{}, err
			}
		}
	}
	keys := map[string]bool{}
	var before report.Value
	for i, m := range measures {
		var sum report.Value
		for key, n := range counts[i] {
			keys[key] = true
			sum = sum.Add(n)
		}
		s := Stage{Stage: m, Measure: m, Count: sum.Text(0)}
		if i > 0 {
			if from, ok := report.Ratio(sum, before); ok {
				s.FromPrevious = &from
				// Stages are no cohort: more may come to one than to the stage before.
				if drop, ok := report.Ratio(before.Sub(sum), before); ok && before.Cmp(sum) >= 0 {
					s.DropOff = &drop
				}
			}
		}
		before = sum
		out.Stages = append(out.Stages, s)
	}
	if d != "" {
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			g := FunnelGroup{Key: key, Counts: make([]string, len(measures))}
			for i := range measures {
				g.Counts[i] = counts[i][key].Text(0)
			}
			out.Groups = append(out.Groups, g)
		}
	}
	return out, nil
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// counts are those of a measure by a dimension, under an empty key without one.
func (q *asked) counts(measure string, d report.Dimension) (map[string]report.Value, error) {
	ask := q.askFor()
	if d != "" {
		ask = q.askFor(d)
	}
	f, err := q.figures(attribution.MeasureNamed(measure), ask)
	if err != nil {
		return nil, err
	}
	out := map[string]report.Value{}
	for _, g := range f.Breakdown.Groups {
		out[first(g.Key)] = g.Value
	}
	return out, nil
}

// sourcingChannel is the channel of the touch that sourced a deal.
func sourcingChannel(f *attribution.Facts) string {
	i := slices.IndexFunc(f.Touches, func(t attribution.FactTouch) bool { return f.Sourced.By != "" && t.ID == f.Sourced.Evidence })
	if i < 0 {
		return report.Unattributed
	}
	return f.Touches[i].Channel
}

// ownFunnel counts the deals that the viewer reported. They are whole: by partner or
// channel, they are counted under who sourced them and by which touch.
func (q *asked) ownFunnel(ctx context.Context, measures []string, d report.Dimension) ([]map[string]report.Value, error) {
	out := make([]map[string]report.Value, len(measures))
	for i := range out {
		out[i] = map[string]report.Value{}
	}
	err := q.deals(ctx, func(deal *report.Deal) error {
		f := deal.Newest()
		key := ""
		switch d {
		case report.Partner:
			key = f.Sourced.Partner
		case report.Region:
			key = f.Region
		case report.Segment:
			key = f.Segment
		case report.Channel:
			key = sourcingChannel(f)
		default:
		}
		for i, name := range measures {
			if _, m, ok := deal.Measure(name); ok && (q.window.Span == nil || q.window.Span.Holds(m.Day)) {
				out[i][key] = out[i][key].Add(report.ValueOf(m.Value, m.Exponent))
			}
		}
		return nil
	})
	return out, err
}
