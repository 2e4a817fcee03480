package answer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/internal/follow"
	"tracksource/report"
)

// held are the deals of a book for who goes through them many times, and which of them the
// viewer is told of. It is made once and then only read, also by several at once.
type held struct {
	packed report.Packed
	told   []bool // of each, in order
	hidden int    // how many the viewer is not told of
	masked bool   // whether something is left out of those that it is told of
	newest time.Time
}

// hold reads the deals of the book for all who look at them.
func (q *asked) hold(ctx context.Context) error {
	of := &held{}
	err := q.follow.ScanDeals(q.campaign.Book, func(d *follow.Deal) (bool, error) {
		q.noteAsOf(d.AsOf)
		if d.AsOf.After(of.newest) {
			of.newest = d.AsOf
		}
		told := q.viewer.Sees(q.sight, &d.Deal)
		of.told = append(of.told, told)
		if !told {
			of.hidden++
		}
		of.masked = of.masked || told && q.sight == report.SeesOwn && slices.ContainsFunc(d.Parts, q.isMasked)
		if of.packed.Add(&d.Deal); of.packed.Bytes() > q.cfg.DealBytes {
			return false, &Error{Parameter: "campaign", Allowed: []string{}, Detail: fmt.Sprintf(
				"a package has %d MiB for its deals, and the first %s take more: of so many ask for cohorts, models and lists one at a time", q.cfg.DealBytes>>20, report.Counted(of.packed.Len(), "deal", "deals"),
			)}
		}
		return true, ctx.Err()
	})
	of.packed.Seal()
	q.held = of
	return err
}

// toldDeals are the deals that the viewer is told of, as it is told of them. They are the
// held ones.
func (q *asked) toldDeals() report.Deals {
	return func(yield func(*report.Deal) bool) {
		at := -1
		for d := range q.held.packed.All() {
			if at++; !q.held.told[at] {
				continue
			}
			if q.sight == report.SeesOwn {
				q.mask(d)
			}
			if !yield(d) {
				return
			}
		}
	}
}

// mask makes of a deal what who sees its own rows is told of it: that another sourced it,
// and not who.
func (q *asked) mask(d *report.Deal) (masked bool) {
	for i := range d.Parts {
		if q.isMasked(d.Parts[i]) {
			d.Parts[i].Sourced, masked = attribution.Sourced{Partner: report.Other}, true
		}
	}
	return masked
}

// isMasked reports whether another sourced a deal.
func (q *asked) isMasked(f attribution.Facts) bool {
	return f.Sourced.Partner != q.viewer.Partner && f.Sourced.Partner != contract.Unsourced
}
