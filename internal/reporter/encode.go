package reporter

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"tracksource/schemas/avro"
	"tracksource/state"
)

// The keyspaces of the store of one credits partition; docs/state-layout.md.
var (
	spaceSource = state.Keyspace{ID: 0x40, Version: 1, Name: "source"}
	spaceTotal  = state.Keyspace{ID: 0x42, Version: 3, Name: "total"}
	spaceHeld   = state.Keyspace{ID: 0x43, Version: 2, Name: "held"}
	spaceBook   = state.Keyspace{ID: 0x44, Version: 1, Name: "book"}
	spaceLayout = state.Keyspace{ID: 0x45, Version: 1, Name: "layout"}
)

// Keyspaces returns the keyspaces of the reporter's stores, for state.NewLayout.
func Keyspaces() []state.Keyspace {
	return []state.Keyspace{spaceSource, spaceTotal, spaceHeld, spaceBook, spaceLayout}
}

// layout says how the state is written: the keyspaces with their versions.
func layout() string {
	var names []string
	for _, s := range Keyspaces() {
		names = append(names, fmt.Sprintf("%s %d", s.Name, s.Version))
	}
	return strings.Join(names, ", ")
}

// listMax bounds a list inside a value, so that damaged bytes cannot ask for
// much. Models are few, and currencies of one key fewer.
const listMax = 4096

func sourceKey(source int32) []byte { return spaceSource.Key().Uint32(uint32(source)) }

func heldKey(list uint64) []byte { return spaceHeld.Key().Uint64(list) }

// readHeld reads a list of held keys, which are those of totals.
func readHeld(key, value []byte) (list uint64, keys []string, err error) {
	p := spaceHeld.Parts(key)
	list = p.Uint64()
	if err := p.End(); err != nil {
		return 0, nil, err
	}
	p, err = valueParts(spaceHeld, value)
	if err != nil {
		return 0, nil, err
	}
	n, err := length(p, spaceHeld)
	if err != nil {
		return 0, nil, err
	}
	for range n {
		keys = append(keys, p.String())
	}
	return list, keys, p.End()
}

func bookKey(contract string) []byte { return spaceBook.Key().String(contract) }

// dims is a contribution key without its model.
type dims avro.ContributionKey

// dimsOf is where an entry belongs. One that does not say on which day it is booked
// is booked on its own, as those are that say so.
func dimsOf(e *avro.CreditEntry) dims {
	return dims{
		Contract: e.Contract, Measure: e.Measure, Day: e.Day, Partner: e.Partner, Channel: e.Channel,
		Asset: e.Asset, Region: e.Region, Segment: e.Segment, Source: e.Source, TouchCampaign: e.TouchCampaign,
		Escrow: e.Escrow, Booked: cmp.Or(e.Booked, e.Day),
	}
}

// parts are the fields in the order of state keys.
func (d *dims) parts() [12]*string {
	return [12]*string{
		&d.Contract, &d.Measure, &d.Day, &d.Partner, &d.Channel,
		&d.Asset, &d.Region, &d.Segment, &d.Source, &d.TouchCampaign, &d.Escrow, &d.Booked,
	}
}

func (d *dims) append(k state.Key) state.Key {
	for _, part := range d.parts() {
		k = k.String(*part)
	}
	return k
}

// readDims reads the dimensions of the key of a total. They share its memory.
func readDims(key string) (d dims, err error) {
	p, at := spaceTotal.Parts([]byte(key)), 1
	for _, part := range d.parts() {
		n := len(p.Bytes())
		at += partHead
		if at+n > len(key) {
			break // the parts say so as well
		}
		*part = key[at : at+n]
		at += n
	}
	return d, p.End()
}

// partHead is what state.Key.String writes in front of a text.
const partHead = 2

// sourceState is what is known of one source: a partition of journeys, whose
// attributor numbers its entries for this partition of credits.
type sourceState struct {
	generation int64
	last       int64 // sequence of the newest entry
	gap        int64 // sequence of the entry behind the newest gap; 0 when there was none
	retiring   bool  // parts of older generations may be left
	cursor     []byte
	retiredAt  int64 // broker time of the record that retired them, milliseconds
	retiredBy  int64 // its offset
}

func (s *sourceState) encode() []byte {
	retiring := uint32(0)
	if s.retiring {
		retiring = 1
	}
	return spaceSource.Value(state.Key{}.Uint64(uint64(s.generation)).Uint64(uint64(s.last)).
		Uint64(uint64(s.gap)).Uint32(retiring).Bytes(s.cursor).
		Uint64(uint64(s.retiredAt)).Uint64(uint64(s.retiredBy)))
}

func decodeSource(b []byte) (*sourceState, error) {
	p, err := valueParts(spaceSource, b)
	if err != nil {
		return nil, err
	}
	s := &sourceState{
		generation: int64(p.Uint64()), last: int64(p.Uint64()), gap: int64(p.Uint64()),
		retiring: p.Uint32() == 1, cursor: slices.Clone(p.Bytes()),
		retiredAt: int64(p.Uint64()), retiredBy: int64(p.Uint64()),
	}
	return s, p.End()
}

// unit is what values are added within: one model in one currency.
type unit struct {
	model, currency string
	exponent        int
}

// amount is a total in minor units, and of it what is certain: the credit of each
// conversion weighted by the confidence in it. Either may be zero without the other,
// where credits of both signs meet.
type amount struct{ value, confident int64 }

// share is what one source says the total of a key is, in one unit.
type share struct {
	unit
	amount
	sequence int64 // of the entry that said so
}

// part is all shares of one source in one key. A share of zero is not kept, and
// neither is a part without shares.
type part struct {
	source     int32
	generation int64
	shares     []share
}

// find returns the share in a unit, or nil.
func find(shares []share, u unit) *share {
	for i := range shares {
		if shares[i].unit == u {
			return &shares[i]
		}
	}
	return nil
}

// sum is the total of one unit over all sources.
type sum struct {
	currency string
	exponent int
	amount
	live int   // sources whose share is not zero
	born int64 // offset at which it last came to have a source
}

// shown is what the contributions topic holds for a model.
type shown struct {
	state int // shownNone, shownRow or shownDeleted
	amount
	currency string
	exponent int
	final    bool
}

const (
	shownNone = iota
	shownRow
	shownDeleted
)

// model is the state of one contribution row. It outlives the row, so that the
// version of a key never goes back.
type model struct {
	name    string
	version int64
	shown   shown
	until   int64 // no change is published before, milliseconds
	asOf    int64 // microseconds
	updated int64 // milliseconds
	offset  int64
	sums    []sum
}

// total is the rows of one key, and what each source said of it: an entry is then
// one look-up and one write.
type total struct {
	audience uint32 // of the book, under which the rows were published last
	held     int64  // when the key is due, milliseconds; 0 while no change is held
	models   []model
	parts    []part // by source
}

// part returns the place of a source's part and whether it is there.
func (t *total) part(source int32) (at int, found bool) {
	return slices.BinarySearchFunc(t.parts, source, func(p part, source int32) int { return cmp.Compare(p.source, source) })
}

// append writes numbers as varints and a share's unit as the places of its model
// and its sum: whatever a source has a share in has a sum.
func (t *total) append(b []byte) []byte {
	b = append(b, spaceTotal.Version)
	b = appendNumbers(b, int64(t.audience), t.held, int64(len(t.models)))
	for i := range t.models {
		m := &t.models[i]
		b = appendNumbers(appendText(b, m.name), m.version, int64(m.shown.state), m.shown.value, m.shown.confident)
		b = appendNumbers(appendText(b, m.shown.currency), int64(m.shown.exponent), int64(flag(m.shown.final)), m.until, m.asOf, m.updated, m.offset, int64(len(m.sums)))
		for _, s := range m.sums {
			b = appendNumbers(appendText(b, s.currency), int64(s.exponent), s.value, s.confident, int64(s.live), s.born)
		}
	}
	b = appendNumbers(b, int64(len(t.parts)))
	for i := range t.parts {
		p := &t.parts[i]
		b = appendNumbers(b, int64(p.source), p.generation, int64(len(p.shares)))
		for j := range p.shares {
			s := &p.shares[j]
			b = appendNumbers(t.appendUnit(b, s.unit), s.value, s.confident, s.sequence)
		}
	}
	return b
}

func (t *total) appendUnit(b []byte, u unit) []byte {
	for i := range t.models {
		if t.models[i].name != u.model {
			continue
		}
		for j, s := range t.models[i].sums {
			if s.currency == u.currency && s.exponent == u.exponent {
				return appendNumbers(b, int64(i), int64(j))
			}
		}
	}
	panic(fmt.Sprintf("reporter: a share in %+v without a sum", u))
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendNumbers(b []byte, numbers ...int64) []byte {
	for _, n := range numbers {
		b = binary.AppendVarint(b, n)
	}
	return b
}

// reader reads what appendText and appendNumbers wrote. The first failure sticks.
type reader struct {
	rest   []byte
	names  names
	memory *memory
	err    error
}

// memory is what the lists of totals are cut from that are all forgotten at once.
type memory struct {
	models slab[model]
	sums   slab[sum]
	parts  slab[part]
	shares slab[share]
}

// slab is memory of many short lists.
type slab[T any] struct {
	free []T
	size int // of what it was cut from last
}

// slabMin and slabMax are how many items are asked for at once: few for a batch of
// one entry, and twice as many each time.
const slabMin, slabMax = 8, 256

// take returns a list of n zeros.
func (s *slab[T]) take(n int) []T {
	if len(s.free) < n {
		s.size = min(max(2*s.size, slabMin), slabMax)
		s.free = make([]T, max(n, s.size))
	}
	out := s.free[:n:n]
	s.free = s.free[n:]
	return out
}

// names gives each text that is read the same memory: models and currencies are
// few and are read with every key. nil gives each its own.
type names map[string]string

// namesMax bounds names; contracts have some dozens.
const namesMax = 4096

func (n names) of(b []byte) string {
	if s, ok := n[string(b)]; ok {
		return s
	}
	s := string(b)
	if n != nil && len(n) < namesMax {
		n[s] = s
	}
	return s
}

func (r *reader) fail() {
	r.rest, r.err = nil, fmt.Errorf("%w: a value of keyspace %s is cut short or no number", state.ErrKey, spaceTotal.Name)
}

func (r *reader) number() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) amount() amount { return amount{r.number(), r.number()} }

// within reads a number that is at least 0 and below a bound.
func (r *reader) within(bound int64) int {
	n := r.number()
	if n < 0 || n >= bound {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) text() string {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(len(r.rest)-size) {
		r.fail()
		return ""
	}
	b := r.rest[size : size+int(n)]
	r.rest = r.rest[size+int(n):]
	return r.names.of(b)
}

// decode reads what append wrote. The lists are cut from memory.
func (t *total) decode(value []byte, known names, from *memory) error {
	body, err := spaceTotal.Body(value)
	if err != nil {
		return err
	}
	r := &reader{rest: body, names: known, memory: from}
	t.audience, t.held = uint32(r.within(math.MaxUint32)), r.number()
	t.models = from.models.take(r.within(listMax))
	for i := range t.models {
		m := &t.models[i]
		m.name, m.version = r.text(), r.number()
		m.shown = shown{r.within(shownDeleted + 1), r.amount(), r.text(), r.within(exponentMax + 1), r.within(2) == 1}
		m.until, m.asOf, m.updated, m.offset = r.number(), r.number(), r.number(), r.number()
		if n := r.within(listMax); r.err == nil {
			m.sums = from.sums.take(n)
		}
		for j := range m.sums {
			m.sums[j] = sum{r.text(), r.within(exponentMax + 1), r.amount(), r.within(math.MaxInt32), r.number()}
		}
		if r.err != nil {
			return r.err
		}
	}
	if t.parts, err = r.parts(t); err != nil {
		return err
	}
	if len(r.rest) > 0 {
		return fmt.Errorf("%w: %d bytes too many in keyspace %s", state.ErrKey, len(r.rest), spaceTotal.Name)
	}
	return nil
}

func (r *reader) parts(t *total) ([]part, error) {
	parts := r.memory.parts.take(r.within(listMax))
	for i := range parts {
		p := &parts[i]
		p.source, p.generation = int32(r.within(math.MaxInt32)), r.number()
		if n := r.within(listMax); r.err == nil {
			p.shares = r.memory.shares.take(n)
		}
		for j := range p.shares {
			i, k := r.within(int64(len(t.models))), 0
			if r.err == nil {
				k = r.within(int64(len(t.models[i].sums)))
			}
			if r.err != nil {
				return nil, r.err
			}
			s := &t.models[i].sums[k]
			p.shares[j] = share{unit{t.models[i].name, s.currency, s.exponent}, r.amount(), r.number()}
		}
		if r.err != nil {
			return nil, r.err
		}
	}
	return parts, r.err
}

func valueParts(space state.Keyspace, b []byte) (*state.Parts, error) {
	body, err := space.Body(b)
	if err != nil {
		return nil, err
	}
	return state.Keyspace{}.Parts(append([]byte{0}, body...)), nil
}

func length(p *state.Parts, space state.Keyspace) (uint32, error) {
	n := p.Uint32()
	if n > listMax {
		return 0, fmt.Errorf("%w: a list of %d in keyspace %s", state.ErrKey, n, space.Name)
	}
	return n, nil
}
