package answer

import (
	"cmp"
	"slices"
	"time"

	"tracksource/attribution"
	"tracksource/report"
)

// readDeals notes which deals the viewer is told of, as it is told of them, and how new
// the newest input of all is. That of rows is not looked at: a row that was deleted since
// leaves none behind, and would be missed when the package is made again.
func (p *packaging) readDeals() error {
	if err := p.hold(p.ctx); err != nil {
		return err
	}
	if p.held.packed.Len() > 0 {
		p.p.AsOf.Newest = ref(p.held.newest.UTC())
	}
	p.Withheld = p.Withheld || p.held.hidden > 0 || p.held.masked
	return nil
}

// inWindow reports whether a deal was created on a day of the window, or a measure of it
// is of one.
func (p *packaging) inWindow(d *report.Deal) bool {
	span := p.window.Span
	if span == nil {
		return true
	}
	if f := d.Newest(); !f.CreatedAt.IsZero() && span.Holds(p.campaign.Contract.Day(f.CreatedAt)) {
		return true
	}
	for i := range d.Parts {
		for n := range d.Parts[i].Measures {
			if m := &d.Parts[i].Measures[n]; report.Counts(m) && span.Holds(m.Day) {
				return true
			}
		}
	}
	return false
}

// dealTable lists the deals of the window that the viewer is told of, the newest first.
func (p *packaging) dealTable() error {
	type line struct {
		created time.Time
		deal    attribution.ItemID
		place   int // among those that the viewer is told of
	}
	var list []line
	told := 0
	for d := range p.toldDeals() {
		if p.inWindow(d) {
			list = append(list, line{d.Newest().CreatedAt, d.Newest().Deal, told})
		}
		told++
	}
	slices.SortFunc(list, func(a, b line) int {
		return cmp.Or(b.created.Compare(a.created), a.deal.Compare(b.deal))
	})
	t := report.Table{ID: "deals", Title: "Deals", Note: "Created, or counted, in these days; the newest first. What is excluded is in no total, and says why."}
	t.Columns = slices.Concat(texts("id", "account", "state", "stage"), days("created", "closed"), texts("sourced"), p.moneys("pipeline", "revenue"), texts("excluded"))
	if len(list) > packageDealsMax {
		t.LeftOut = len(list) - packageDealsMax
		list = list[:packageDealsMax]
	}
	// Rows take more than packed deals do: only those that are listed are written.
	rows := make([]int, told) // of each place, from one on
	for i := range list {
		rows[list[i].place] = 1 + i
	}
	t.Rows = make([][]string, len(list))
	told = 0
	for d := range p.toldDeals() {
		row := rows[told]
		if told++; row > 0 {
			f := d.Newest()
			t.Rows[row-1] = []string{
				f.Deal.String(), accountText(d.Account), f.State, f.Stage, dayText(f.CreatedAt, p.campaign.Contract), dayOr(f.CloseDate), f.Sourced.Partner,
				p.worth(d, attribution.MeasurePipelineCreated), p.worth(d, attribution.MeasureRevenue), f.Excluded,
			}
		}
	}
	p.add(t)
	return nil
}

// worth is what a deal has of a measure of money; nothing in another currency than the
// contract's, which it still has while the book is restated.
func (p *packaging) worth(d *report.Deal, measure string) string {
	_, m, ok := d.Measure(measure)
	if !ok || m.Currency != p.p.Currency {
		return ""
	}
	return text(report.ValueOf(m.Value, m.Exponent), m.Currency)
}
