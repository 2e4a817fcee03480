package report

import (
	"fmt"
	"slices"

	"tracksource/money"
)

// Other is the series of all that is not among the top.
const Other = "(other)"

// Series is the values of one thing over the steps of a span.
type Series struct {
	Key    string
	Values []Value
}

// Timeline is a measure over time. Every list has one value for each of Starts, and
// the series sum to Total step by step.
type Timeline struct {
	Starts []money.Day
	Total  []Value
	Series []Series // the largest first, of equal ones by key; Other last
}

// NewTimeline spreads a breakdown by day, or by day and one more dimension, over the
// steps of a span, in which all its days must be. Of the values of the second
// dimension the top ones have a series of their own.
func NewTimeline(b Breakdown, span Span, step Step, top int) (Timeline, error) {
	if len(b.Dimensions) == 0 || b.Dimensions[0] != Day || len(b.Dimensions) > 2 {
		return Timeline{}, fmt.Errorf("a timeline is made of a breakdown by day and one more dimension, not by %v", b.Dimensions)
	}
	t := Timeline{Starts: step.Cut(span)}
	t.Total = make([]Value, len(t.Starts))
	lines, rank := map[string][]Value{}, map[string]Value{}
	for _, g := range b.Groups {
		day, err := money.ParseDay(g.Key[0])
		if err != nil {
			return Timeline{}, err
		}
		at, found := slices.BinarySearch(t.Starts, step.Start(day))
		if !found {
			return Timeline{}, fmt.Errorf("day %s is not in the span", day)
		}
		t.Total[at] = t.Total[at].Add(g.Value)
		if len(g.Key) == 1 {
			continue
		}
		line := lines[g.Key[1]]
		if line == nil {
			line = make([]Value, len(t.Starts))
			lines[g.Key[1]] = line
		}
		line[at] = line[at].Add(g.Value)
		rank[g.Key[1]] = rank[g.Key[1]].Add(g.Value)
	}
	var order []Group
	for key, v := range rank {
		order = append(order, Group{Key: []string{key}, Value: v})
	}
	sortGroups(order)
	rest := make([]Value, len(t.Starts))
	for i, g := range order {
		line := lines[g.Key[0]]
		if i < top {
			t.Series = append(t.Series, Series{g.Key[0], line})
			continue
		}
		for at, v := range line {
			rest[at] = rest[at].Add(v)
		}
	}
	if len(order) > top {
		t.Series = append(t.Series, Series{Other, rest})
	}
	return t, nil
}
