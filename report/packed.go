package report

import (
	"encoding/binary"
	"iter"
	"slices"
	"strings"
	"time"

	"tracksource/attribution"
	"tracksource/money"
)

// Deals are deals that can be gone through again and again, also by several at once. A
// *Deal is whose turn it is until the next one: the texts in it stay, whoever needs more
// of it takes a [Deal.Clone].
type Deals = iter.Seq[*Deal]

// Listed are the deals of a list. Of them a *Deal stays.
func Listed(list []Deal) Deals {
	return func(yield func(*Deal) bool) {
		for i := range list {
			if !yield(&list[i]) {
				return
			}
		}
	}
}

// Clone is a deal of its own, whatever becomes of d.
func (d *Deal) Clone() *Deal {
	out := &Deal{Account: d.Account, Parts: slices.Clone(d.Parts)}
	for i := range out.Parts {
		f := &out.Parts[i]
		f.Stages, f.Merged, f.Suspected, f.Disputes = slices.Clone(f.Stages), slices.Clone(f.Merged), slices.Clone(f.Suspected), slices.Clone(f.Disputes)
		f.Measures, f.Touches = slices.Clone(f.Measures), slices.Clone(f.Touches)
		for n := range f.Measures {
			m := &f.Measures[n]
			m.Path, m.Influenced, m.CoSell = slices.Clone(m.Path), slices.Clone(m.Influenced), slices.Clone(m.CoSell)
		}
		for n := range f.Touches {
			f.Touches[n].Evidence = slices.Clone(f.Touches[n].Evidence)
		}
	}
	return out
}

// Packed are many deals in little memory, a tenth of what they take as [Deal]: for who
// goes through all of them several times, as a package does. It has what sums, models,
// findings and lists look at. It leaves out what only explains: the basis of amounts, the
// rules, the people and the reports of touches, of which it keeps by whom they are, and
// the ids of stages' events. Instants come back in UTC.
//
// The zero value is empty. Once all are added it may be read by several at once.
type Packed struct {
	texts  map[string]uint64 // to their places in names
	names  []string          // what many deals have
	chunks []string          // whole deals one after the other
	open   []byte            // the chunk that is written
	record []byte            // the deal that is written, kept for the next
	n      int
	bytes  int64
}

const (
	// packedChunkBytes is how much is written before it is sealed: what is left free of a
	// chunk is little, and no growing list is ever copied.
	packedChunkBytes = 1 << 20
	// packedTextMax is how long a text may be that is kept once for all deals.
	packedTextMax = 256
	// packedTextsMax bounds them, as whoever writes a name for each deal would have a
	// table as large as the deals.
	packedTextsMax = 1 << 16
)

// Len is how many deals there are, Bytes what they take.
func (p *Packed) Len() int { return p.n }

// Bytes is what the deals take, without the names that many have.
func (p *Packed) Bytes() int64 { return p.bytes }

// Add packs a deal, which it does not keep.
func (p *Packed) Add(d *Deal) {
	w := packer{p: p, b: p.record[:0]}
	w.deal(d)
	if len(p.open)+len(w.b) > packedChunkBytes && len(p.open) > 0 {
		p.seal()
	}
	p.open = append(p.open, w.b...)
	p.record = w.b
	p.n++
	p.bytes += int64(len(w.b))
}

func (p *Packed) seal() {
	p.chunks = append(p.chunks, string(p.open))
	p.open = p.open[:0]
}

// Seal is called when all deals are added, before they are read. None is added then.
func (p *Packed) Seal() {
	p.seal()
	p.open, p.record, p.texts = nil, nil, nil
}

// All are the deals in the order in which they were added.
func (p *Packed) All() Deals {
	return func(yield func(*Deal) bool) {
		r := unpacker{p: p}
		for _, chunk := range p.chunks {
			for r.s = chunk; r.s != ""; {
				r.deal()
				if !yield(&r.to) {
					return
				}
			}
		}
	}
}

// packer writes one deal. What is written and what is read in the same order are the
// methods of the same names of packer and unpacker.
type packer struct {
	p *Packed
	b []byte
}

func (w *packer) uint(n uint64) { w.b = binary.AppendUvarint(w.b, n) }
func (w *packer) int(n int64)   { w.b = binary.AppendVarint(w.b, n) }

func (w *packer) flags(of ...bool) {
	n := byte(0)
	for i, is := range of {
		if is {
			n |= 1 << i
		}
	}
	w.b = append(w.b, n)
}

// text is one that few deals have.
func (w *packer) text(s string) {
	w.uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

// name is a text that many deals have: its place among names from one on, or zero and the
// text where it is too long or the names are too many.
func (w *packer) name(s string) {
	p := w.p
	at, known := p.texts[s]
	if !known && len(s) <= packedTextMax && len(p.names) < packedTextsMax {
		if p.texts == nil {
			p.texts = map[string]uint64{}
		}
		s = strings.Clone(s)
		p.names = append(p.names, s)
		at, known = uint64(len(p.names)), true
		p.texts[s] = at
	}
	w.uint(at)
	if !known {
		w.text(s)
	}
}

func (w *packer) list(of []string) {
	w.uint(uint64(len(of)))
	for _, s := range of {
		w.name(s)
	}
}

// instant is written as what it is after another one: those of a deal are near each other.
func (w *packer) instant(at, after time.Time) {
	w.int(at.Unix() - after.Unix())
	w.uint(uint64(at.Nanosecond()))
}

func (w *packer) item(id attribution.ItemID) {
	w.name(id.Reporter)
	w.name(id.Source)
	w.text(id.Item)
}

func (w *packer) items(of []attribution.ItemID) {
	w.uint(uint64(len(of)))
	for _, id := range of {
		w.item(id)
	}
}

func (w *packer) deal(d *Deal) {
	w.text(d.Account)
	w.uint(uint64(len(d.Parts)))
	for i := range d.Parts {
		w.facts(&d.Parts[i])
	}
}

func (w *packer) facts(f *attribution.Facts) {
	w.name(f.Contract)
	w.int(f.Revision)
	w.item(f.Deal)
	w.flags(f.Order, f.Truncated)
	for _, s := range [...]string{
		f.Excluded, f.State, f.Stage, f.Milestone, f.CloseDate, f.Currency, f.LeadSource, f.CampaignID, f.Region, f.Segment, f.Sourced.Partner, f.Sourced.By,
	} {
		w.name(s)
	}
	w.item(f.Sourced.Evidence)
	w.text(f.Amount)
	w.instant(f.CreatedAt, time.Time{})
	w.instant(f.LeadAt, f.CreatedAt)
	w.items(f.Merged)
	w.items(f.Suspected)
	w.uint(uint64(len(f.Stages)))
	for i := range f.Stages {
		s := &f.Stages[i]
		w.name(s.Stage)
		w.name(s.State)
		w.name(s.Milestone)
		w.instant(s.At, f.CreatedAt)
	}
	w.uint(uint64(len(f.Touches)))
	before := f.CreatedAt
	for i := range f.Touches {
		w.touch(&f.Touches[i], before)
		before = f.Touches[i].At
	}
	w.uint(uint64(len(f.Measures)))
	for i := range f.Measures {
		w.measure(&f.Measures[i], f.CreatedAt)
	}
	w.uint(uint64(len(f.Disputes)))
	for i := range f.Disputes {
		w.dispute(&f.Disputes[i])
	}
}

func (w *packer) touch(t *attribution.FactTouch, before time.Time) {
	w.item(t.ID)
	w.instant(t.At, before)
	for _, s := range [...]string{t.Type, t.Channel, t.Partner, t.Asset, t.Source, t.Campaign} {
		w.name(s)
	}
	var others []string // by whom it was reported besides
	for _, id := range t.Evidence {
		if id.Reporter != t.ID.Reporter && !slices.Contains(others, id.Reporter) {
			others = append(others, id.Reporter)
		}
	}
	w.list(others)
}

func (w *packer) measure(m *attribution.FactMeasure, created time.Time) {
	w.name(m.Measure)
	w.int(int64(m.Day))
	w.instant(m.At, created)
	w.int(m.Value)
	w.name(m.Currency)
	w.int(int64(m.Exponent))
	w.name(m.Held)
	w.int(m.Revision)
	first := true // its touches are the first ones of all, as those of most are
	for i, place := range m.Path {
		first = first && place == i
	}
	w.flags(m.InScope, first)
	w.uint(uint64(len(m.Path)))
	if !first {
		for _, place := range m.Path {
			w.uint(uint64(place))
		}
	}
	w.list(m.Influenced)
	w.list(m.CoSell)
	c := &m.Confidence
	for _, n := range [...]int{c.Identity, c.Taxonomy, c.Currency, c.Agreement, c.Spread, c.Overall} {
		w.int(int64(n))
	}
}

func (w *packer) dispute(d *attribution.FactDispute) {
	for _, s := range [...]string{d.ID, d.Partner, d.About, d.Against, d.State, d.To, d.By, d.Why, d.SettledBy, d.SettledWhy} {
		w.text(s)
	}
	w.instant(d.OpenedAt, time.Time{})
	w.instant(d.SettledAt, time.Time{})
	w.int(int64(d.From))
}

// unpacker reads deals one after the other into one, whose lists are used again.
type unpacker struct {
	p  *Packed
	s  string // what is left of the chunk
	to Deal

	firsts []int // 0, 1, 2 and so on; never changed but at its end
	// paths, partners and items are what lists of the deal are parts of, emptied for each.
	paths    []int
	partners []string
	reports  []attribution.ItemID
}

func (r *unpacker) uint() uint64 {
	var n uint64
	for i, shift := 0, 0; ; i, shift = i+1, shift+7 {
		c := r.s[i]
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			r.s = r.s[i+1:]
			return n
		}
	}
}

func (r *unpacker) int() int64 {
	n := r.uint()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *unpacker) len() int { return int(r.uint()) }

func (r *unpacker) flags() (first, second bool) {
	n := r.s[0]
	r.s = r.s[1:]
	return n&1 != 0, n&2 != 0
}

func (r *unpacker) text() string {
	n := r.len()
	s := r.s[:n]
	r.s = r.s[n:]
	return s
}

func (r *unpacker) name() string {
	if at := r.uint(); at > 0 {
		return r.p.names[at-1]
	}
	return r.text()
}

// list is nil for none, as the lists of facts are.
func (r *unpacker) list() []string {
	n := r.len()
	if n == 0 {
		return nil
	}
	from := len(r.partners)
	for range n {
		r.partners = append(r.partners, r.name())
	}
	return r.partners[from:len(r.partners):len(r.partners)]
}

func (r *unpacker) instant(after time.Time) time.Time {
	seconds := r.int() + after.Unix()
	return time.Unix(seconds, int64(r.uint())).UTC()
}

func (r *unpacker) item() attribution.ItemID {
	return attribution.ItemID{Reporter: r.name(), Source: r.name(), Item: r.text()}
}

func (r *unpacker) items() []attribution.ItemID {
	n := r.len()
	if n == 0 {
		return nil
	}
	from := len(r.reports)
	for range n {
		r.reports = append(r.reports, r.item())
	}
	return r.reports[from:len(r.reports):len(r.reports)]
}

func (r *unpacker) deal() {
	r.paths, r.partners, r.reports = r.paths[:0], r.partners[:0], r.reports[:0]
	r.to.Account = r.text()
	n := r.len()
	r.to.Parts = slices.Grow(r.to.Parts[:0], n)[:n]
	for i := range r.to.Parts {
		r.facts(&r.to.Parts[i])
	}
}

func (r *unpacker) facts(f *attribution.Facts) {
	f.Contract, f.Revision, f.Deal = r.name(), r.int(), r.item()
	f.Order, f.Truncated = r.flags()
	for _, s := range [...]*string{
		&f.Excluded, &f.State, &f.Stage, &f.Milestone, &f.CloseDate, &f.Currency, &f.LeadSource, &f.CampaignID, &f.Region, &f.Segment, &f.Sourced.Partner, &f.Sourced.By,
	} {
		*s = r.name()
	}
	f.Sourced.Evidence, f.Amount = r.item(), r.text()
	f.CreatedAt = r.instant(time.Time{})
	f.LeadAt = r.instant(f.CreatedAt)
	f.Merged, f.Suspected = r.items(), r.items()
	n := r.len()
	f.Stages = slices.Grow(f.Stages[:0], n)[:n]
	for i := range f.Stages {
		f.Stages[i] = attribution.FactStage{Stage: r.name(), State: r.name(), Milestone: r.name(), At: r.instant(f.CreatedAt)}
	}
	n = r.len()
	f.Touches = slices.Grow(f.Touches[:0], n)[:n]
	before := f.CreatedAt
	for i := range f.Touches {
		r.touch(&f.Touches[i], before)
		before = f.Touches[i].At
	}
	n = r.len()
	f.Measures = slices.Grow(f.Measures[:0], n)[:n]
	for i := range f.Measures {
		r.measure(&f.Measures[i], f.CreatedAt)
	}
	n = r.len()
	f.Disputes = slices.Grow(f.Disputes[:0], n)[:n]
	for i := range f.Disputes {
		r.dispute(&f.Disputes[i])
	}
}

func (r *unpacker) touch(t *attribution.FactTouch, before time.Time) {
	t.ID, t.At = r.item(), r.instant(before)
	for _, s := range [...]*string{&t.Type, &t.Channel, &t.Partner, &t.Asset, &t.Source, &t.Campaign} {
		*s = r.name()
	}
	from := len(r.reports)
	r.reports = append(r.reports, t.ID)
	for range r.len() {
		r.reports = append(r.reports, attribution.ItemID{Reporter: r.name()})
	}
	t.Evidence = r.reports[from:len(r.reports):len(r.reports)]
}

func (r *unpacker) measure(m *attribution.FactMeasure, created time.Time) {
	m.Measure, m.Day, m.At = r.name(), money.Day(r.int()), r.instant(created)
	m.Value, m.Currency, m.Exponent = r.int(), r.name(), int(r.int())
	m.Held, m.Revision = r.name(), r.int()
	var first bool
	m.InScope, first = r.flags()
	m.Path = r.path(r.len(), first)
	m.Influenced, m.CoSell = r.list(), r.list()
	c := &m.Confidence
	for _, n := range [...]*int{&c.Identity, &c.Taxonomy, &c.Currency, &c.Agreement, &c.Spread, &c.Overall} {
		*n = int(r.int())
	}
}

func (r *unpacker) path(n int, first bool) []int {
	switch {
	case n == 0:
		return nil
	case first:
		for len(r.firsts) < n {
			r.firsts = append(r.firsts, len(r.firsts))
		}
		return r.firsts[:n:n]
	}
	from := len(r.paths)
	for range n {
		r.paths = append(r.paths, r.len())
	}
	return r.paths[from:len(r.paths):len(r.paths)]
}

func (r *unpacker) dispute(d *attribution.FactDispute) {
	for _, s := range [...]*string{&d.ID, &d.Partner, &d.About, &d.Against, &d.State, &d.To, &d.By, &d.Why, &d.SettledBy, &d.SettledWhy} {
		*s = r.text()
	}
	d.OpenedAt, d.SettledAt = r.instant(time.Time{}), r.instant(time.Time{})
	d.From = money.Day(r.int())
}
