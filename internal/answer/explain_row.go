package answer

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"tracksource/attribution"
	"tracksource/internal/follow"
	"tracksource/report"
)

// rowSums are what conversions have of a row, under the row's model.
type rowSums struct {
	model string
	of    map[string]report.Value
	all   report.Value
}

func (s *rowSums) add(e *follow.Entry) {
	if m := slices.Index(e.Models, s.model); m >= 0 {
		delta := report.ValueOf(e.Delta[m], e.Exponent)
		s.of[e.Conversion], s.all = s.of[e.Conversion].Add(delta), s.all.Add(delta)
	}
}

// deals are the conversions that have something of the row, the largest first.
func (s *rowSums) deals() []string {
	var ids []string
	for id, v := range s.of {
		if v.Sign() != 0 {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Or(s.of[b].Cmp(s.of[a]), strings.Compare(a, b)) })
	return ids
}

// explainedDealsMax is how many deals of a row are told; the others are summed.
const explainedDealsMax = 1000

// contribution explains a row by the conversions that it is made of.
func (x *chain) contribution(ctx context.Context, text string) error {
	key, err := ParseKey(text)
	if err != nil {
		return err
	}
	gone := &Error{Parameter: "contribution", Detail: "there is no such row in the book of this campaign, or no more: ask contributions", Allowed: []string{}, Unknown: true}
	row, found, err := x.follow.Row(&key)
	switch {
	case err != nil:
		return err
	case !found || key.Contract != x.campaign.Book || x.sight == report.SeesOwn && key.Partner != x.viewer.Partner:
		return gone
	}
	line, err := lineOf(&row)
	if err != nil {
		return err
	}
	sums := rowSums{model: key.Model, of: map[string]report.Value{}}
	err = x.follow.EntriesOf(&key, func(e *follow.Entry) (bool, error) {
		sums.add(e)
		x.entries = append(x.entries, *e)
		if len(x.entries) >= 2*explainedEntriesMax { // only the newest are told
			sortEntries(x.entries)
			x.entries = slices.Delete(x.entries, 0, len(x.entries)-explainedEntriesMax)
		}
		return ctx.Err() == nil, ctx.Err()
	})
	if err != nil {
		return err
	}
	x.out.Subject = Subject{Kind: "contribution", ID: line.Key}
	x.noteAsOf(row.AsOf)
	return x.row(line, &sums)
}

// row writes what conversions have of a row, those that the viewer is told of.
func (x *chain) row(line ContributionLine, sums *rowSums) error {
	value, err := report.ParseValue(line.Value)
	if err != nil {
		return err
	}
	out := &ExplainedRow{ContributionLine: line, Sum: text(sums.all, line.Currency), Deals: []DealSum{}}
	var others, withheld report.Value
	more, known := 0, map[string]bool{}
	for _, id := range sums.deals() {
		switch told, err := x.told(id); {
		case err != nil:
			return err
		case !told:
			x.withhold()
			withheld = withheld.Add(sums.of[id])
		case len(out.Deals) == explainedDealsMax:
			known[id] = true
			more++
			others = others.Add(sums.of[id])
		default:
			known[id] = true
			out.Deals = append(out.Deals, DealSum{ID: id, Amount: text(sums.of[id], line.Currency)})
		}
	}
	out.Others, out.OtherDeals, out.WithheldSum = text(others, line.Currency), strconv.Itoa(more), text(withheld, line.Currency)
	x.out.Contribution, x.out.Agrees = out, sums.all.Cmp(value) == 0
	if !x.viewer.Operator {
		x.entries = slices.DeleteFunc(x.entries, func(e follow.Entry) bool { return !known[e.Conversion] })
	}
	x.tell()
	return nil
}

// told reports whether the viewer is told of a conversion. A person's is nobody's but
// the operator's.
func (x *chain) told(conversion string) (bool, error) {
	if x.viewer.Operator {
		return true, nil
	}
	if strings.HasPrefix(conversion, attribution.PersonID("")) {
		return false, nil
	}
	d, found, err := x.follow.Deal(x.campaign.Book, conversion)
	return found && x.viewer.Sees(x.sight, &d.Deal), err
}
