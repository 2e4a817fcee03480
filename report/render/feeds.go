package render

import "tracksource/report"

func (h *hall) feeds() {
	e := &exhibit{ID: "feeds", Title: "Feeds", Note: "How far the data could be relied on when the package was made."}
	_ = h.table("feeds") // the same, from what was observed
	if len(h.p.Observed.Feeds) > 0 {
		g := &grid{Caption: "Quality of the feeds", Head: []head{
			{Text: "Feed"},
			{Text: "Partner"},
			{Text: "Records", Num: true},
			{Text: "Newest"},
			{Text: "Age", Num: true},
			{Text: "Allowed", Num: true},
			{Text: "Complete", Num: true},
			{Text: "Matched", Num: true},
			{Text: "Refused", Num: true},
			{Text: "State"},
		}}
		for i := range h.p.Observed.Feeds {
			g.Rows = append(g.Rows, h.feed(&h.p.Observed.Feeds[i]))
		}
		e.Grids = append(e.Grids, g)
		if g := h.feedCounts(); g != nil {
			e.Grids = append(e.Grids, g)
		}
	}
	h.show(e)
}

// feedCounts is what became of the events of those feeds of which it is told, nil without
// any.
func (h *hall) feedCounts() *grid {
	g := &grid{
		Caption: "What became of their events",
		Note:    "Matched is the part of the touches that are on a known account. A touch that is not is credited on an account that stands in for one, and moves once a link says whose it is. A feed that is not listed has not told.",
		Head:    []head{{Text: "Feed"}, {Text: "Partner"}},
	}
	for _, text := range []string{"Accepted", "Duplicates", "Late", "Of erased people", "Unmatchable", "Touches", "Unmatched", "Matched"} {
		g.Head = append(g.Head, head{Text: text, Num: true})
	}
	for i := range h.p.Observed.Feeds {
		f := &h.p.Observed.Feeds[i]
		c := f.Counts
		if c == nil {
			continue
		}
		row := []cell{{Text: name(f.Feed), Head: true}, {Text: partner(h.p, f.Partner)}}
		for _, n := range []int64{c.Accepted, c.Duplicates, c.Late, c.Suppressed, c.Unmatchable, c.Touches, c.Unmatched} {
			row = append(row, number(count(n)))
		}
		g.Rows = append(g.Rows, append(row, number(matched(f))))
	}
	if len(g.Rows) == 0 {
		return nil
	}
	return g
}

// matched is the match rate of a feed, empty where it is not known.
func matched(f *report.FeedQA) string {
	rate, _ := f.MatchRate()
	return shown(report.RatioColumn, rate, "")
}

// number is a cell of a number, a dash for none.
func number(text string) cell {
	if text == "" {
		return cell{Text: "—", Num: true, Quiet: true}
	}
	return cell{Text: text, Num: true}
}

func (h *hall) feed(f *report.FeedQA) []cell {
	newest, age := cell{Text: "—", Quiet: true}, number("")
	if f.Newest != nil {
		newest = cell{Text: instant(*f.Newest)}
	}
	if f.AgeSeconds >= 0 {
		age = number(long(f.AgeSeconds))
	}
	state := cell{Text: "within its limits", Word: "good"}
	if !f.Fresh || !f.Complete {
		state = cell{Text: "stale", Word: "bad"}
		if f.Fresh {
			state.Text = "incomplete"
		}
	}
	return []cell{
		{Text: name(f.Feed), Head: true},
		{Text: partner(h.p, f.Partner)},
		number(count(f.Records)),
		newest, age,
		number(long(f.LimitSeconds)),
		number(shown(report.RatioColumn, f.Completeness, "")), number(matched(f)), number(count(f.DeadLetters)), state,
	}
}
