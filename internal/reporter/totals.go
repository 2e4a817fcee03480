package reporter

import (
	"bytes"
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
	from, to amount
}

// entry replaces what its source said of its key before.
func (f *fold) entry(ctx context.Context, e *avro.CreditEntry, s *sourceState, r *stream.Record) error {
	t, err := f.total(dimsOf(e))
	if err != nil {
		return err
	}
	moves, shares := f.moves[:0], f.shares[:0]
	at, found := t.part(e.SourcePartition)
	switch {
	case !found:
	case t.parts[at].generation == e.Generation:
		shares = append(shares, t.parts[at].shares...)
	default:
		for _, o := range t.parts[at].shares {
			moves = append(moves, move{o.unit, o.amount, amount{}})
		}
	}
	for i, name := range e.Models {
		u := unit{name, e.Currency, e.Exponent}
		said, previous := saidOf(e, i), amount{}
		judged := s.gap == 0
		if o := find(shares, u); o != nil {
			previous = o.amount
			judged = o.sequence >= s.gap
			o.amount, o.sequence = said, e.Sequence
		} else {
			shares = append(shares, share{u, said, e.Sequence})
		}
		// An entry behind a gap need not follow from what was read before it.
		if sum, ok := addExact(previous.value, e.Delta[i]); judged && (!ok || sum != e.Running[i]) {
			if err := f.mismatch(ctx, e, i, previous.value, r); err != nil {
				return err
			}
		}
		moves = setMove(moves, u, previous, said)
	}
	f.moves, f.shares = moves, shares
	if fault := t.check(moves); fault != "" {
		return f.unreadable(ctx, r, fault)
	}
	t.apply(moves, stamp{e.AsOf.UnixMicro(), r.Timestamp.UnixMilli(), r.Offset})
	t.setPart(at, found, e.SourcePartition, e.Generation, shares)
	f.p.batch.entries++
	return nil
}

// saidOf is what an entry says the total of its i-th model is. One of before there
// was confidence says nothing of it.
func saidOf(e *avro.CreditEntry, i int) amount {
	said := amount{value: e.Running[i]}
	if len(e.Confident) > 0 {
		said.confident = e.Confident[i]
	}
	return said
}

// setPart sets the part of a source at its place, without shares of zero; shares
// stay the caller's.
func (t *total) setPart(at int, found bool, source int32, generation int64, shares []share) {
	shares = slices.DeleteFunc(shares, func(s share) bool { return s.amount == amount{} })
	switch {
	case len(shares) == 0 && found:
		t.parts = slices.Delete(t.parts, at, at+1)
	case len(shares) == 0:
	case found:
		p := &t.parts[at]
		p.generation, p.shares = generation, append(p.shares[:0], shares...)
	default:
		t.parts = slices.Insert(t.parts, at, part{source, generation, slices.Clone(shares)})
	}
}

// setMove adds a move, or gives the move away from an older generation its end.
func setMove(moves []move, u unit, from, to amount) []move {
	for i := range moves {
		if moves[i].unit == u {
			moves[i].to = to
			return moves
		}
	}
	return append(moves, move{u, from, to})
}

// total returns the total of a key, to be published at the end of the batch.
func (f *fold) total(d dims) (*dirty, error) {
	f.key = d.append(append(f.key[:0], spaceTotal.ID))
	if t, ok := f.totals[string(f.key)]; ok {
		return t, nil
	}
	t := &f.dirties.take(1)[0]
	t.dims, t.book = d, f.book(d.Contract)
	t.audience = t.book.audience().number
	b, err := f.p.kv.Get(f.key)
	if err != nil {
		return nil, err
	}
	if b != nil {
		if err := t.decode(b, f.p.names, &f.memory); err != nil {
			return nil, fmt.Errorf("total: %w", err)
		}
		t.stored = b
	}
	f.totals[string(f.key)] = t
	return t, nil
}

// check returns why the moves cannot be applied, or nothing. The units of moves
// differ from each other.
func (t *total) check(moves []move) string {
	for _, m := range moves {
		held := amount{}
		if s := t.sum(m.unit); s != nil {
			held = s.amount
		}
		if _, ok := held.shift(m); !ok {
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
		shifted, ok := s.shift(m)
		if !ok {
			panic(fmt.Sprintf("reporter: total of %+v overflows at %d, although it was checked", m, s.amount))
		}
		s.amount = shifted
		if m.to != (amount{}) {
			if s.live == 0 {
				s.born = at.offset
			}
			s.live++
		}
		if m.from != (amount{}) {
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

// shift returns a - from + to, or false when it overflows.
func (a amount) shift(m move) (amount, bool) {
	value, ok := shift(a.value, m.from.value, m.to.value)
	confident, alike := shift(a.confident, m.from.confident, m.to.confident)
	return amount{value, confident}, ok && alike
}

func shift(held, from, to int64) (int64, bool) {
	change := to - from
	if (to >= 0) != (from >= 0) && (change >= 0) != (to >= 0) {
		return 0, false
	}
	return addExact(held, change)
}

// addExact returns a + b, or false when it overflows.
func addExact(a, b int64) (int64, bool) {
	c := a + b
	return c, (c > a) == (b > 0)
}

// publish emits the rows of a key whose value really changed and that are not
// held, and stages its total.
func (f *fold) publish(key string, t *dirty) error {
	grown, err := f.follow(t)
	if err != nil {
		return err
	}
	until := int64(0)
	for i := range t.models {
		m := &t.models[i]
		held, err := f.row(t, m, grown)
		if err != nil {
			return err
		}
		if held && (until == 0 || m.until < until) {
			until = m.until
		}
	}
	t.models = slices.DeleteFunc(t.models, func(m model) bool {
		return m.shown.state == shownNone && len(m.sums) == 0
	})
	f.hold(key, t, until)
	if len(t.models) == 0 {
		return f.p.kv.Delete([]byte(key))
	}
	if f.value = t.append(f.value[:0]); bytes.Equal(f.value, t.stored) {
		return nil
	}
	return f.p.kv.Put([]byte(key), bytes.Clone(f.value))
}

// row publishes one model of a key if it must, and reports whether a change is
// held. Sums that no source takes part in are dropped. A row that somebody comes
// to see is published as it is, to all, so that a version says one thing
// everywhere.
func (f *fold) row(t *dirty, m *model, grown bool) (held bool, err error) {
	want, err := t.wanted(m)
	if err != nil {
		return false, err
	}
	if want == m.shown && (!grown || m.shown.state != shownRow) {
		return false, nil
	}
	if !grown && !f.open(m.until) {
		return true, nil
	}
	if want.final != m.shown.final || want == m.shown {
		m.updated = max(m.updated, t.book.since)
	}
	m.shown, m.until = want, 0
	if f.p.cfg.Throttle > 0 {
		m.until = f.now.Add(f.p.cfg.Throttle).UnixMilli()
	}
	return false, f.emitRow(&t.dims, m, t.book.audience())
}

// wanted is what is to be shown of a model.
func (t *dirty) wanted(m *model) (shown, error) {
	var newest *sum
	for i := range m.sums {
		s := &m.sums[i]
		if s.live == 0 && s.amount != (amount{}) {
			return shown{}, fmt.Errorf("model %s of %v: no source takes part in a total of %d", m.name, t.dims, s.value)
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
			return m.shown, nil
		}
		return shown{shownDeleted, amount{}, m.shown.currency, m.shown.exponent, m.shown.final}, nil
	}
	want := shown{shownRow, newest.amount, newest.currency, newest.exponent, t.book.isFinal(t.dims.Day)}
	m.sums = slices.DeleteFunc(m.sums, func(s sum) bool { return s.live == 0 })
	return want, nil
}

// follow brings the rows of a key from the audience under which they were
// published to the one in force: it withdraws them from those who do not see them
// any more, and reports whether others have come to see them.
func (f *fold) follow(t *dirty) (grown bool, err error) {
	now := t.book.audience()
	if t.audience == now.number {
		return false, nil
	}
	number := t.audience
	t.audience = now.number
	if !slices.ContainsFunc(t.models, func(m model) bool { return m.shown.state == shownRow }) {
		return false, nil
	}
	i := slices.IndexFunc(t.book.audiences, func(a audience) bool { return a.number == number })
	if i < 0 {
		return false, fmt.Errorf("rows of %v were published to audience %d, which %s does not know", t.dims, number, t.book.name)
	}
	was := &t.book.audiences[i]
	now.sees(t.dims.Partner, func(partner string) {
		grown = grown || !was.includes(partner, t.dims.Partner)
	})
	gone := audience{}
	was.sees(t.dims.Partner, func(partner string) {
		if !now.includes(partner, t.dims.Partner) {
			gone.open = append(gone.open, partner)
		}
	})
	if len(gone.open) == 0 {
		return grown, nil
	}
	for i := range t.models {
		if m := &t.models[i]; m.shown.state == shownRow {
			if err := f.withdraw(t, m, &gone); err != nil {
				return false, err
			}
		}
	}
	return grown, nil
}

// withdraw deletes a row for partners that must not see it any more. For all
// others it stays as it is; the version that says so is not used again, so that
// versions rise for those who come to see it once more.
func (f *fold) withdraw(t *dirty, m *model, from *audience) error {
	key, value, err := f.encodeRow(&t.dims, m, true, max(m.updated, t.book.since))
	if err != nil {
		return err
	}
	from.sees("", func(partner string) {
		f.toPartner(partner, key, value)
		f.toPartner(partner, key, nil)
		f.p.batch.withdrawn++
	})
	return nil
}

// emitRow emits what is shown under the next version; a soft delete is followed
// by its tombstone.
func (f *fold) emitRow(d *dims, m *model, to *audience) error {
	deleted := m.shown.state == shownDeleted
	key, value, err := f.encodeRow(d, m, deleted, m.updated)
	if err != nil {
		return err
	}
	send := func(value []byte) {
		f.out.Emit(f.p.cfg.Contributions, key, value)
		to.sees(d.Partner, func(partner string) { f.toPartner(partner, key, value) })
	}
	send(value)
	f.p.batch.rows++
	if deleted {
		f.p.batch.deletes++
		send(nil)
	}
	return nil
}

// toPartner emits to the topic of a partner. One that the deployment no longer
// has a topic for is passed over: what is there cannot be reached.
func (f *fold) toPartner(partner string, key, value []byte) {
	if topic := f.p.cfg.Partners[partner]; topic != "" {
		f.out.Emit(topic, key, value)
		f.p.batch.partnerRecords++
	}
}

// encodeRow encodes the row of a model under its next version.
func (f *fold) encodeRow(d *dims, m *model, deleted bool, updated int64) (key, value []byte, err error) {
	if m.version++; m.version < f.p.first {
		m.version = f.p.first
	}
	k, row := &f.form.key, &f.form.row
	*k = avro.ContributionKey(*d)
	k.Model = m.name
	room := 2*len(m.name) + rowBytes
	for _, part := range d.parts() {
		room += 2 * len(*part)
	}
	if cap(f.rows)-len(f.rows) < room {
		f.rows = make([]byte, 0, max(rowsBytes, room))
	}
	start := len(f.rows)
	if f.rows, err = f.p.cfg.Codecs.ContributionKey.Append(f.rows, k); err != nil {
		return nil, nil, err
	}
	key, start = f.rows[start:len(f.rows):len(f.rows)], len(f.rows)
	*row = avro.ContributionRow{
		Contract: k.Contract, Measure: k.Measure, Model: k.Model, Day: k.Day, Partner: k.Partner,
		Channel: k.Channel, Asset: k.Asset, Region: k.Region, Segment: k.Segment, Source: k.Source,
		TouchCampaign: k.TouchCampaign, Escrow: k.Escrow, Booked: k.Booked, Currency: m.shown.currency, Version: m.version,
		IsFinal: m.shown.final, IsDeleted: deleted,
		UpdatedAt: time.UnixMilli(updated).UTC(), AsOf: time.UnixMicro(m.asOf).UTC(),
		CreditsPartition: f.p.partition, CreditsOffset: m.offset,
	}
	held := m.shown.amount
	if deleted {
		held = amount{}
	}
	if row.Value, err = avro.AppendDecimal(f.form.value[:0], held.value, m.shown.exponent); err != nil {
		return nil, nil, err
	}
	if row.ConfidentValue, err = avro.AppendDecimal(f.form.confident[:0], held.confident, m.shown.exponent); err != nil {
		return nil, nil, err
	}
	if f.rows, err = f.p.cfg.Codecs.ContributionRow.Append(f.rows, row); err != nil {
		return nil, nil, err
	}
	return key, f.rows[start:len(f.rows):len(f.rows)], nil
}

const (
	// rowBytes is what a row and its key have at most beside their dimensions:
	// lengths, numbers and a currency.
	rowBytes = 224
	// rowsBytes is how much memory rows get at once; a batch keeps them until its
	// transaction ends.
	rowsBytes = 64 << 10
)
