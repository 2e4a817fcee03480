package reporter

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tracksource/schemas/avro"
	"tracksource/stream"
)

// stamp is what a change leaves on the rows it reaches.
type stamp struct {
	asOf    int64 // microseconds; 0 when the change brings no newer input
	updated int64 // milliseconds
	offset  int64
}

// move is one source's change of one unit of a key.
type move struct {
	unit
	from, to int64
}

// entry replaces what its source said of its key before.
func (f *fold) entry(ctx context.Context, e *avro.CreditEntry, s *sourceState, r *stream.Record) error {
	d := dimsOf(e)
	key := partKey(e.SourcePartition, &d)
	old, err := f.part(key)
	if err != nil {
		return err
	}
	next := &part{generation: e.Generation}
	var moves []move
	if old.generation == e.Generation {
		next.shares = slices.Clone(old.shares)
	} else {
		for _, o := range old.shares {
			moves = append(moves, move{o.unit, o.value, 0})
		}
	}
	for i, name := range e.Models {
		u := unit{name, e.Currency, e.Exponent}
		previous := int64(0)
		judged := s.gap == 0
		if o := next.find(u); o != nil {
			previous = o.value
			judged = o.sequence >= s.gap
			o.value, o.sequence = e.Running[i], e.Sequence
		} else {
			next.shares = append(next.shares, share{u, e.Running[i], e.Sequence})
		}
		// An entry behind a gap need not follow from what was read before it.
		if sum, ok := addExact(previous, e.Delta[i]); judged && (!ok || sum != e.Running[i]) {
			if err := f.mismatch(ctx, e, i, previous, r); err != nil {
				return err
			}
		}
		moves = setMove(moves, u, previous, e.Running[i])
	}
	t, err := f.total(&d)
	if err != nil {
		return err
	}
	if fault := t.check(moves); fault != "" {
		return f.unreadable(ctx, r, fault)
	}
	t.apply(moves, stamp{e.AsOf.UnixMicro(), r.Timestamp.UnixMilli(), r.Offset})
	next.shares = slices.DeleteFunc(next.shares, func(s share) bool { return s.value == 0 })
	f.p.batch.entries++
	if len(next.shares) == 0 {
		return f.p.kv.Delete(key)
	}
	return f.p.kv.Put(key, next.encode())
}

// setMove adds a move, or gives the move away from an older generation its end.
func setMove(moves []move, u unit, from, to int64) []move {
	for i := range moves {
		if moves[i].unit == u {
			moves[i].to = to
			return moves
		}
	}
	return append(moves, move{u, from, to})
}

func (f *fold) part(key []byte) (*part, error) {
	b, err := f.p.kv.Get(key)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return &part{generation: -1}, nil
	}
	return decodePart(b)
}

// total returns the total of a key, to be published at the end of the batch.
func (f *fold) total(d *dims) (*dirty, error) {
	key := totalKey(d)
	if t, ok := f.totals[string(key)]; ok {
		return t, nil
	}
	t := &dirty{dims: *d}
	b, err := f.p.kv.Get(key)
	if err != nil {
		return nil, err
	}
	if b != nil {
		stored, err := decodeTotal(b)
		if err != nil {
			return nil, fmt.Errorf("total: %w", err)
		}
		t.total = *stored
	}
	f.totals[string(key)] = t
	return t, nil
}

// check returns why the moves cannot be applied, or nothing. The units of moves
// differ from each other.
func (t *total) check(moves []move) string {
	for _, m := range moves {
		held := int64(0)
		if s := t.sum(m.unit); s != nil {
			held = s.value
		}
		if _, ok := shift(held, m); !ok {
			return fmt.Sprintf("the total of model %s overflows: %d - %d + %d", m.model, held, m.from, m.to)
		}
	}
	return ""
}

func (t *total) sum(u unit) *sum {
	for i := range t.models {
		if t.models[i].name != u.model {
			continue
		}
		for j := range t.models[i].sums {
			s := &t.models[i].sums[j]
			if s.currency == u.currency && s.exponent == u.exponent {
				return s
			}
		}
	}
	return nil
}

// apply applies moves that check let pass.
func (t *total) apply(moves []move, at stamp) {
	for _, m := range moves {
		md := t.model(m.model)
		md.asOf, md.updated, md.offset = max(md.asOf, at.asOf), max(md.updated, at.updated), max(md.offset, at.offset)
		s := t.sum(m.unit)
		if s == nil {
			md.sums = append(md.sums, sum{currency: m.currency, exponent: m.exponent})
			s = &md.sums[len(md.sums)-1]
		}
		value, ok := shift(s.value, m)
		if !ok {
			panic(fmt.Sprintf("reporter: total of %+v overflows at %d, although it was checked", m, s.value))
		}
		s.value = value
		if m.to != 0 {
			if s.live == 0 {
				s.born = at.offset
			}
			s.live++
		}
		if m.from != 0 {
			s.live--
		}
	}
}

// model returns the model of a name, added in the order of names.
func (t *total) model(name string) *model {
	i, found := slices.BinarySearchFunc(t.models, name, func(m model, name string) int {
		switch {
		case m.name < name:
			return -1
		case m.name > name:
			return 1
		}
		return 0
	})
	if !found {
		t.models = slices.Insert(t.models, i, model{name: name})
	}
	return &t.models[i]
}

// shift returns held - from + to, or false when it overflows.
func shift(held int64, m move) (int64, bool) {
	change := m.to - m.from
	if (m.to >= 0) != (m.from >= 0) && (change >= 0) != (m.to >= 0) {
		return 0, false
	}
	return addExact(held, change)
}

// addExact returns a + b, or false when it overflows.
func addExact(a, b int64) (int64, bool) {
	c := a + b
	return c, (c > a) == (b > 0)
}

// publish emits the rows of a key whose value really changed, and stages its
// total.
func (f *fold) publish(key []byte, t *dirty) error {
	for i := range t.models {
		if err := f.row(&t.dims, &t.models[i]); err != nil {
			return err
		}
	}
	t.models = slices.DeleteFunc(t.models, func(m model) bool {
		return m.shown.state == shownNone && len(m.sums) == 0
	})
	if len(t.models) == 0 {
		return f.p.kv.Delete(key)
	}
	return f.p.kv.Put(key, t.encode())
}

// row publishes one model of a key if it must. Sums that no source takes part
// in are dropped.
func (f *fold) row(d *dims, m *model) error {
	var newest *sum
	for i := range m.sums {
		s := &m.sums[i]
		if s.live == 0 && s.value != 0 {
			return fmt.Errorf("model %s of %v: no source takes part in a total of %d", m.name, *d, s.value)
		}
		// A row has one currency. While a contract that changed its own is being
		// restated two are live; the one that appeared last is where it ends.
		if s.live > 0 && (newest == nil || s.born > newest.born) {
			newest = s
		}
	}
	if newest == nil {
		m.sums = nil
		if m.shown.state != shownRow {
			return nil
		}
		m.shown = shown{shownDeleted, 0, m.shown.currency, m.shown.exponent}
		return f.emitRow(d, m)
	}
	want := shown{shownRow, newest.value, newest.currency, newest.exponent}
	m.sums = slices.DeleteFunc(m.sums, func(s sum) bool { return s.live == 0 })
	if m.shown == want {
		return nil
	}
	m.shown = want
	return f.emitRow(d, m)
}

// emitRow emits what is shown under the next version; a soft delete is followed
// by its tombstone.
func (f *fold) emitRow(d *dims, m *model) error {
	if m.version++; m.version < f.p.first {
		m.version = f.p.first
	}
	k := avro.ContributionKey(*d)
	k.Model = m.name
	key, err := f.p.cfg.Codecs.ContributionKey.Append(nil, &k)
	if err != nil {
		return err
	}
	row := avro.ContributionRow{
		Contract: k.Contract, Measure: k.Measure, Model: k.Model, Day: k.Day, Partner: k.Partner,
		Channel: k.Channel, Asset: k.Asset, Region: k.Region, Segment: k.Segment, Source: k.Source,
		TouchCampaign: k.TouchCampaign, Currency: m.shown.currency, Version: m.version,
		IsDeleted: m.shown.state == shownDeleted,
		UpdatedAt: time.UnixMilli(m.updated).UTC(), AsOf: time.UnixMicro(m.asOf).UTC(),
		CreditsPartition: f.p.partition, CreditsOffset: m.offset,
	}
	if err := row.SetValue(m.shown.value, m.shown.exponent); err != nil {
		return err
	}
	value, err := f.p.cfg.Codecs.ContributionRow.Append(nil, &row)
	if err != nil {
		return err
	}
	f.out.Emit(f.p.cfg.Contributions, key, value)
	f.p.batch.rows++
	if row.IsDeleted {
		f.p.batch.deletes++
		f.out.Emit(f.p.cfg.Contributions, key, nil)
	}
	return nil
}
