package report

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

const feedsNote = "As they stood when the package was first made. Limits are the contract's. The match rate is the part of the touches that are on a known account, those that are not are unmatched. What is empty is not known."

// Observe puts what was observed into the package, and into its table of feeds: nothing
// else of a package follows from it.
func (p *Package) Observe(o Observed) {
	p.Observed = o
	t := Table{ID: "feeds", Title: "Feeds", Note: feedsNote, Rows: [][]string{}}
	for _, c := range []struct {
		kind ColumnKind
		ids  string
	}{
		{TextColumn, "feed partner topic"},
		{CountColumn, "records"},
		{TextColumn, "offsets"},
		{TimeColumn, "newest"},
		{CountColumn, "age_seconds limit_seconds"},
		{TextColumn, "fresh"},
		{RatioColumn, "completeness"},
		{TextColumn, "complete"},
		{RatioColumn, "match_rate"},
		{CountColumn, "touches unmatched accepted duplicates late suppressed unmatchable dead_letters"},
	} {
		for _, id := range strings.Fields(c.ids) {
			title := strings.ToUpper(id[:1]) + strings.ReplaceAll(id[1:], "_", " ")
			t.Columns = append(t.Columns, Column{ID: id, Title: title, Kind: c.kind})
		}
	}
	for i := range o.Feeds {
		t.Rows = append(t.Rows, o.Feeds[i].row())
	}
	if at := slices.IndexFunc(p.Tables, func(t Table) bool { return t.ID == "feeds" }); at >= 0 {
		p.Tables[at] = t
	} else {
		p.Tables = append(p.Tables, t)
	}
}

func (f *FeedQA) row() []string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	yes := map[bool]string{true: "yes", false: "no"}
	newest, age := "", ""
	if f.Newest != nil {
		newest = f.Newest.UTC().Format(time.RFC3339)
	}
	if f.AgeSeconds >= 0 {
		age = number(f.AgeSeconds)
	}
	offsets := make([]string, len(f.Offsets))
	for i, n := range f.Offsets {
		offsets[i] = number(n)
	}
	rate, _ := f.MatchRate()
	row := []string{
		f.Feed, f.Partner, f.Topic, number(f.Records), strings.Join(offsets, " "), newest, age, number(f.LimitSeconds), yes[f.Fresh],
		f.Completeness, yes[f.Complete], rate,
	}
	var counts [7]string
	if c := f.Counts; c != nil {
		for i, n := range [...]int64{c.Touches, c.Unmatched, c.Accepted, c.Duplicates, c.Late, c.Suppressed, c.Unmatchable} {
			counts[i] = number(n)
		}
	}
	return append(append(row, counts[:]...), number(f.DeadLetters))
}
