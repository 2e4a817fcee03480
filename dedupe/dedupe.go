// Package dedupe marks ids as seen, exactly, and forgets them by event time.
// It knows ids, days and hashes; it knows nothing of what they stand for nor
// of how the marks are kept.
//
// A mark lives in the same state as its effect and is staged in the same
// batch, so that there is never one without the other.
package dedupe

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
)

// KV is the small store that marks are kept in. Reads see what was written.
type KV interface {
	Get(key []byte) ([]byte, error)
	Put(key, value []byte) error
	Delete(key []byte) error
	Scan(from, to []byte, fn func(key, value []byte) (bool, error)) error
}

// Revision ranks what is said under one id: the rules by which an event was read,
// then the source's own restatement of it. The zero Revision is an event that is
// never said anew.
type Revision struct{ Mapping, Source int64 }

// Compare is negative when r is older than o.
func (r Revision) Compare(o Revision) int {
	return cmp.Or(cmp.Compare(r.Mapping, o.Mapping), cmp.Compare(r.Source, o.Source))
}

// Outcome says what a mark found.
type Outcome int

// The outcomes of a mark.
const (
	New        Outcome = iota // the id was not seen before, it is now
	Duplicate                 // the id was seen with the same content
	Collision                 // the id was seen with other content and neither has a revision; that mark stays
	Restated                  // the id was seen with other content of a lower revision; the mark is now of this one
	Superseded                // the id was seen with other content of a higher revision; that mark stays
)

// String names the outcome.
func (o Outcome) String() string {
	switch o {
	case New:
		return "new"
	case Duplicate:
		return "duplicate"
	case Collision:
		return "collision"
	case Restated:
		return "restated"
	case Superseded:
		return "superseded"
	}
	return fmt.Sprintf("outcome-%d", int(o))
}

// Marks keeps marks under two key prefixes of a KV: one by id and one by day,
// for expiry. The prefixes are one byte each and belong to it alone.
type Marks struct {
	KV    KV
	ByID  byte
	ByDay byte
}

// A mark is a version byte and the content's hash; one that has a revision, of
// version 2, goes on with both of its parts and the day.
const (
	versionPlain   = 1
	versionRevised = 2
	contentLen     = 16
	revisedLen     = 1 + contentLen + 8 + 8 + 4
	idMax          = 1 << 12
)

// mark is one that is kept.
type mark struct {
	content  [contentLen]byte
	revision Revision
	day      uint32 // of one with a revision
}

func (m mark) encode() []byte {
	if m.revision == (Revision{}) {
		return append([]byte{versionPlain}, m.content[:]...)
	}
	b := append(make([]byte, 0, revisedLen), versionRevised)
	b = append(b, m.content[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(m.revision.Mapping))
	b = binary.BigEndian.AppendUint64(b, uint64(m.revision.Source))
	return binary.BigEndian.AppendUint32(b, m.day)
}

func decode(b []byte) (m mark, err error) {
	switch {
	case len(b) == 1+contentLen && b[0] == versionPlain:
		return mark{content: [contentLen]byte(b[1:])}, nil
	case len(b) == revisedLen && b[0] == versionRevised:
		rest := b[1+contentLen:]
		return mark{
			content:  [contentLen]byte(b[1:]),
			revision: Revision{int64(binary.BigEndian.Uint64(rest)), int64(binary.BigEndian.Uint64(rest[8:]))},
			day:      binary.BigEndian.Uint32(rest[16:]),
		}, nil
	case len(b) == 0:
		return m, errors.New("mark is empty")
	}
	return m, fmt.Errorf("mark of %d bytes and version %d is not readable", len(b), b[0])
}

// ErrID says that an id cannot be marked.
var ErrID = errors.New("id is empty or too long")

// Mark notes id, which happened on day (days since 1970-01-01, event time),
// with a hash of its content and its revision. Of two contents with one revision
// that is not zero the one with the greater hash stays, so that the outcome of a
// set of events does not depend on their order.
func (m Marks) Mark(id []byte, day uint32, content [contentLen]byte, revision Revision) (Outcome, error) {
	if len(id) == 0 || len(id) > idMax {
		return 0, fmt.Errorf("%w: %d bytes", ErrID, len(id))
	}
	key := append([]byte{m.ByID}, id...)
	stored, err := m.KV.Get(key)
	if err != nil {
		return 0, fmt.Errorf("read mark: %w", err)
	}
	outcome := New
	if stored != nil {
		old, err := decode(stored)
		if err != nil {
			return 0, err
		}
		order := cmp.Or(revision.Compare(old.revision), bytes.Compare(content[:], old.content[:]))
		switch {
		case content == old.content && order <= 0:
			return Duplicate, nil
		case revision == (Revision{}) && old.revision == (Revision{}):
			return Collision, nil
		case order < 0:
			return Superseded, nil
		case content == old.content:
			outcome = Duplicate // said again by newer rules: the mark takes their revision
		default:
			outcome = Restated
		}
	}
	if err := m.KV.Put(key, mark{content, revision, day}.encode()); err != nil {
		return 0, fmt.Errorf("write mark: %w", err)
	}
	if err := m.KV.Put(m.dayKey(day, id), []byte{versionPlain}); err != nil {
		return 0, fmt.Errorf("write mark: %w", err)
	}
	return outcome, nil
}

func (m Marks) dayKey(day uint32, id []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{m.ByDay}, day), id...)
}

// Expire forgets up to limit marks of days before day, the oldest first, and
// reports how many and whether more are left. What a replay forgets is the
// same, whenever it runs.
func (m Marks) Expire(day uint32, limit int) (n int, more bool, err error) {
	var keys [][]byte
	err = m.KV.Scan([]byte{m.ByDay}, m.dayKey(day, nil), func(key, _ []byte) (bool, error) {
		if len(keys) == limit {
			more = true
			return false, nil
		}
		keys = append(keys, append([]byte(nil), key...))
		return true, nil
	})
	if err != nil {
		return 0, false, fmt.Errorf("scan marks: %w", err)
	}
	for _, key := range keys {
		if err := m.forget(key, day); err != nil {
			return n, more, fmt.Errorf("forget mark: %w", err)
		}
		n++
	}
	return n, more, nil
}

// forget removes one entry by day and its mark, unless that has been restated to
// a day that is not over.
func (m Marks) forget(key []byte, day uint32) error {
	id := append([]byte{m.ByID}, key[1+4:]...)
	stored, err := m.KV.Get(id)
	if err != nil {
		return err
	}
	if stored != nil {
		kept, err := decode(stored)
		if err != nil {
			return err
		}
		if kept.revision != (Revision{}) && kept.day >= day {
			return m.KV.Delete(key)
		}
	}
	return errors.Join(m.KV.Delete(id), m.KV.Delete(key))
}
