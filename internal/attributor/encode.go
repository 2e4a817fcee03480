package attributor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"tracksource/attribution"
)

// errValue marks a value in state that this program cannot have written.
var errValue = errors.New("malformed value in state")

// reader reads from the front of rest; after the first failure it reads zeros.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail(reason string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", errValue, reason)
	}
	r.rest = nil
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail("number is cut off")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.fail("number is cut off")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// bytes shares the memory of the value.
func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.fail("text is cut off")
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) text() string { return string(r.bytes()) }

// count reads how many things of at least one byte follow.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.fail("count exceeds the bytes")
		return 0
	}
	return int(n)
}

func (r *reader) end() error {
	if r.err == nil && len(r.rest) > 0 {
		r.fail("bytes remain")
	}
	return r.err
}

func appendText[T string | []byte](dst []byte, text T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// object is a CRM object as it is kept: what a lower placement is told by stands
// in front, so that a duplicate is seen without decoding the event.
type object struct {
	placement int64
	removed   bool
	event     []byte // bare Avro
}

func (o object) encode() []byte {
	b := binary.AppendVarint(append(make([]byte, 0, len(o.event)+8), spaceItem.Version), o.placement)
	removed := byte(0)
	if o.removed {
		removed = 1
	}
	return append(append(b, removed), o.event...)
}

// itemBody refuses items of other versions, whose keys differ as well.
func itemBody(value []byte) ([]byte, error) {
	body, err := spaceItem.Body(value)
	if err == nil && value[0] != spaceItem.Version {
		err = fmt.Errorf("%w: an item of version %d", errValue, value[0])
	}
	return body, err
}

func decodeObject(value []byte) (object, error) {
	body, err := itemBody(value)
	if err != nil {
		return object{}, err
	}
	r := reader{rest: body}
	o := object{placement: r.varint()}
	switch {
	case r.err != nil:
	case len(r.rest) < 2 || r.rest[0] > 1:
		r.fail("object without its event")
	default:
		o.removed, o.event = r.rest[0] == 1, r.rest[1:]
	}
	return o, r.err
}

// touch is a touch as it is kept. Its event lies by time where it can count, and
// here where it cannot: that of a robot, or of another identity's touch of the same
// id that is newer.
type touch struct {
	placement int64
	removed   bool
	byTime    bool
	others    bool // the id has touches of other identities
	at        time.Time
	node      []byte
	event     []byte // bare Avro; empty where removed or byTime
}

const (
	touchRemoved = 1 << iota
	touchByTime
	touchOthers
)

func (t touch) encode() []byte {
	flags := byte(0)
	if t.removed {
		flags |= touchRemoved
	}
	if t.byTime {
		flags |= touchByTime
	}
	if t.others {
		flags |= touchOthers
	}
	b := append(make([]byte, 0, len(t.node)+len(t.event)+24), spaceItem.Version, flags)
	b = binary.AppendVarint(binary.AppendVarint(b, t.placement), t.at.UnixMicro())
	return append(appendText(b, t.node), t.event...)
}

func decodeTouch(value []byte) (touch, error) {
	body, err := itemBody(value)
	if err != nil {
		return touch{}, err
	}
	if len(body) == 0 || body[0] >= 2*touchOthers {
		return touch{}, fmt.Errorf("%w: unknown flags of a touch", errValue)
	}
	t := touch{removed: body[0]&touchRemoved != 0, byTime: body[0]&touchByTime != 0, others: body[0]&touchOthers != 0}
	r := reader{rest: body[1:]}
	t.placement, t.at, t.node = r.varint(), time.UnixMicro(r.varint()).UTC(), r.bytes()
	t.event = r.rest
	if r.err == nil && (t.removed && t.byTime || (t.removed || t.byTime) != (len(t.event) == 0)) {
		r.fail("a touch has its event in one place")
	}
	return t, r.err
}

func encodeReach(at time.Time) []byte {
	return binary.AppendVarint([]byte{spaceReach.Version}, at.UnixMicro())
}

func decodeReach(value []byte) (time.Time, error) {
	body, err := spaceReach.Body(value)
	if err != nil {
		return time.Time{}, err
	}
	r := reader{rest: body}
	at := time.UnixMicro(r.varint()).UTC()
	return at, r.end()
}

// booked is what the ledger holds for one account in one book.
type booked struct {
	version  int64 // of the rules that it was computed under, see campaign; 0 for nothing yet
	models   []string
	raised   []notice // what alerts were raised about, as they said it
	postings []attribution.Posting
}

// mark is what an alert was raised about, and why.
type mark struct{ subject, code string }

func (b booked) encode() []byte {
	v := binary.AppendVarint(nil, b.version)
	v = binary.AppendUvarint(v, uint64(len(b.models)))
	for _, m := range b.models {
		v = appendText(v, m)
	}
	v = binary.AppendUvarint(v, uint64(len(b.raised)))
	for _, n := range b.raised {
		for _, text := range []string{n.subject, n.code, n.kind, n.partner, n.message} {
			v = appendText(v, text)
		}
		v = binary.AppendUvarint(v, uint64(len(n.evidence)))
		for _, id := range n.evidence {
			v = appendText(v, id)
		}
	}
	return spaceBooked.Value(attribution.AppendPostings(v, b.postings))
}

func decodeBooked(value []byte) (booked, error) {
	body, err := spaceBooked.Body(value)
	if err != nil {
		return booked{}, err
	}
	r := reader{rest: body}
	b := booked{version: r.varint()}
	for range r.count() {
		b.models = append(b.models, r.text())
	}
	for range r.count() {
		n := notice{mark: mark{r.text(), r.text()}, kind: r.text(), partner: r.text(), message: r.text()}
		for range r.count() {
			n.evidence = append(n.evidence, r.text())
		}
		b.raised = append(b.raised, n)
	}
	if r.err != nil {
		return booked{}, r.err
	}
	if b.postings, err = attribution.DecodePostings(r.rest); err != nil {
		return booked{}, fmt.Errorf("%w: %w", errValue, err)
	}
	for i := range b.postings {
		if len(b.postings[i].Minor) != len(b.models) {
			return booked{}, fmt.Errorf("%w: a posting of %d values for %d models", errValue, len(b.postings[i].Minor), len(b.models))
		}
	}
	return b, nil
}

// running is the total of a key from this partition for each model of which it is not
// zero.
type running []modelTotal

// modelTotal has beside the sum of values that of what of them is certain.
type modelTotal struct {
	model            string
	minor, confident int64
}

func (t running) encode() []byte {
	v := binary.AppendUvarint(nil, uint64(len(t)))
	for _, m := range t {
		v = binary.AppendVarint(binary.AppendVarint(appendText(v, m.model), m.minor), m.confident)
	}
	return spaceRunning.Value(v)
}

func decodeRunning(value []byte) (running, error) {
	body, err := spaceRunning.Body(value)
	if err != nil {
		return nil, err
	}
	r := reader{rest: body}
	var t running
	for range r.count() {
		t = append(t, modelTotal{r.text(), r.varint(), r.varint()})
	}
	return t, r.end()
}

// sweep is a restatement in progress, see the package comment. cursor and stop
// are prefixes of item keys.
type sweep struct {
	active  bool
	cursor  []byte // last account visited; empty at the beginning of the keys
	stop    []byte // last account of the round; empty for the end of the keys
	wrapped bool   // the end of the keys was passed on the way to stop
	rule    string // newest rate or closing that the round is for, as cause_event
	asOf    time.Time
	// What it came to: when the first of its rules came, the accounts that it
	// visited, and the changes that it posted.
	since             time.Time
	accounts, changes int64
}

func (s sweep) encode() []byte {
	flags := byte(0)
	if s.active {
		flags |= 1
	}
	if s.wrapped {
		flags |= 2
	}
	v := appendText(appendText(appendText([]byte{flags}, s.cursor), s.stop), s.rule)
	v = binary.AppendVarint(binary.AppendVarint(v, s.asOf.UnixMicro()), s.since.UnixMicro())
	return spaceControl.Value(binary.AppendVarint(binary.AppendVarint(v, s.accounts), s.changes))
}

func decodeSweep(body []byte) (sweep, error) {
	r := reader{rest: body}
	flags := r.uvarint()
	if flags > 3 {
		r.fail("unknown flags of a sweep")
	}
	s := sweep{active: flags&1 != 0, wrapped: flags&2 != 0}
	s.cursor, s.stop, s.rule = []byte(r.text()), []byte(r.text()), r.text()
	s.asOf = time.UnixMicro(r.varint()).UTC()
	s.since, s.accounts, s.changes = time.UnixMicro(r.varint()).UTC(), r.varint(), r.varint()
	return s, r.end()
}

func encodeNumber(n int64) []byte { return spaceControl.Value(binary.AppendVarint(nil, n)) }

func decodeNumber(body []byte) (int64, error) {
	r := reader{rest: body}
	n := r.varint()
	return n, r.end()
}

// numbering is the last sequence number in one credits partition.
type numbering struct{ generation, last int64 }

func (n numbering) encode() []byte {
	return spaceSequence.Value(binary.AppendVarint(binary.AppendVarint(nil, n.generation), n.last))
}

func decodeNumbering(value []byte) (numbering, error) {
	body, err := spaceSequence.Body(value)
	if err != nil {
		return numbering{}, err
	}
	r := reader{rest: body}
	n := numbering{generation: r.varint(), last: r.varint()}
	return n, r.end()
}
