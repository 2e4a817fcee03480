package reporter

import (
	"fmt"
	"slices"
	"strings"

	"tracksource/schemas/avro"
	"tracksource/state"
)

// The keyspaces of the store of one credits partition; docs/state-layout.md.
var (
	spaceSource = state.Keyspace{ID: 0x40, Version: 1, Name: "source"}
	spacePart   = state.Keyspace{ID: 0x41, Version: 1, Name: "part"}
	spaceTotal  = state.Keyspace{ID: 0x42, Version: 2, Name: "total"}
	spaceHeld   = state.Keyspace{ID: 0x43, Version: 1, Name: "held"}
	spaceBook   = state.Keyspace{ID: 0x44, Version: 1, Name: "book"}
	spaceLayout = state.Keyspace{ID: 0x45, Version: 1, Name: "layout"}
)

// Keyspaces returns the keyspaces of the reporter's stores, for state.NewLayout.
func Keyspaces() []state.Keyspace {
	return []state.Keyspace{spaceSource, spacePart, spaceTotal, spaceHeld, spaceBook, spaceLayout}
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

// partRange starts the keys of all parts of one source.
func partRange(source int32) state.Key { return spacePart.Key().Uint32(uint32(source)) }

func partKey(source int32, d *dims) []byte { return d.append(partRange(source)) }

func totalKey(d *dims) []byte { return d.append(spaceTotal.Key()) }

func heldKey(d *dims) []byte { return d.append(spaceHeld.Key()) }

func bookKey(contract string) []byte { return spaceBook.Key().String(contract) }

// dims is a contribution key without its model.
type dims avro.ContributionKey

func dimsOf(e *avro.CreditEntry) dims {
	return dims{
		Contract: e.Contract, Measure: e.Measure, Day: e.Day, Partner: e.Partner, Channel: e.Channel,
		Asset: e.Asset, Region: e.Region, Segment: e.Segment, Source: e.Source, TouchCampaign: e.TouchCampaign,
	}
}

// parts are the fields in the order of state keys.
func (d *dims) parts() [10]*string {
	return [10]*string{
		&d.Contract, &d.Measure, &d.Day, &d.Partner, &d.Channel,
		&d.Asset, &d.Region, &d.Segment, &d.Source, &d.TouchCampaign,
	}
}

func (d *dims) append(k state.Key) state.Key {
	for _, part := range d.parts() {
		k = k.String(*part)
	}
	return k
}

// readDims reads what append wrote at the end of a key.
func readDims(p *state.Parts) (d dims, err error) {
	for _, part := range d.parts() {
		*part = p.String()
	}
	return d, p.End()
}

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

// share is what one source says the total of a key is, in one unit.
type share struct {
	unit
	value    int64
	sequence int64 // of the entry that said so
}

// part is all shares of one source in one key. A share of zero is not kept, and
// neither is a part without shares.
type part struct {
	generation int64
	shares     []share
}

func (t *part) find(u unit) *share {
	for i := range t.shares {
		if t.shares[i].unit == u {
			return &t.shares[i]
		}
	}
	return nil
}

func (t *part) encode() []byte {
	k := state.Key{}.Uint64(uint64(t.generation)).Uint32(uint32(len(t.shares)))
	for _, s := range t.shares {
		k = k.String(s.model).String(s.currency).Uint32(uint32(s.exponent)).
			Uint64(uint64(s.value)).Uint64(uint64(s.sequence))
	}
	return spacePart.Value(k)
}

func decodePart(b []byte) (*part, error) {
	p, err := valueParts(spacePart, b)
	if err != nil {
		return nil, err
	}
	t := &part{generation: int64(p.Uint64())}
	n, err := length(p, spacePart)
	if err != nil {
		return nil, err
	}
	for range n {
		t.shares = append(t.shares, share{
			unit:  unit{p.String(), p.String(), int(p.Uint32())},
			value: int64(p.Uint64()), sequence: int64(p.Uint64()),
		})
	}
	return t, p.End()
}

// sum is the total of one unit over all sources.
type sum struct {
	currency string
	exponent int
	value    int64
	live     uint32 // sources whose share is not zero
	born     int64  // offset at which it last came to have a source
}

// shown is what the contributions topic holds for a model.
type shown struct {
	state    uint32 // shownNone, shownRow or shownDeleted
	value    int64
	currency string
	exponent int
	final    bool
}

const (
	shownNone uint32 = iota
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

// total is the rows of one key.
type total struct {
	audience uint32 // of the book, under which the rows were published last
	held     int64  // when the key is due, milliseconds; 0 while no change is held
	models   []model
}

func (t *total) encode() []byte {
	k := state.Key{}.Uint32(t.audience).Uint64(uint64(t.held)).Uint32(uint32(len(t.models)))
	for _, m := range t.models {
		k = k.String(m.name).Uint64(uint64(m.version)).
			Uint32(m.shown.state).Uint64(uint64(m.shown.value)).String(m.shown.currency).Uint32(uint32(m.shown.exponent)).
			Byte(flag(m.shown.final)).Uint64(uint64(m.until)).
			Uint64(uint64(m.asOf)).Uint64(uint64(m.updated)).Uint64(uint64(m.offset)).Uint32(uint32(len(m.sums)))
		for _, s := range m.sums {
			k = k.String(s.currency).Uint32(uint32(s.exponent)).Uint64(uint64(s.value)).
				Uint32(s.live).Uint64(uint64(s.born))
		}
	}
	return spaceTotal.Value(k)
}

func decodeTotal(b []byte) (*total, error) {
	p, err := valueParts(spaceTotal, b)
	if err != nil {
		return nil, err
	}
	t := &total{audience: p.Uint32(), held: int64(p.Uint64())}
	n, err := length(p, spaceTotal)
	if err != nil {
		return nil, err
	}
	for range n {
		m := model{
			name: p.String(), version: int64(p.Uint64()),
			shown: shown{p.Uint32(), int64(p.Uint64()), p.String(), int(p.Uint32()), p.Byte() == 1},
			until: int64(p.Uint64()),
			asOf:  int64(p.Uint64()), updated: int64(p.Uint64()), offset: int64(p.Uint64()),
		}
		sums, err := length(p, spaceTotal)
		if err != nil {
			return nil, err
		}
		for range sums {
			m.sums = append(m.sums, sum{p.String(), int(p.Uint32()), int64(p.Uint64()), p.Uint32(), int64(p.Uint64())})
		}
		t.models = append(t.models, m)
	}
	return t, p.End()
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
