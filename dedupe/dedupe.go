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
	Collision                 // the id was seen with other content by the same rules, and the source restates neither; that mark stays
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

// Marks keeps marks under a key prefix of a KV. Older states also have entries by
// day under another one, for expiry: what they say is in the marks themselves now,
// since a second key cost every event a look-up and a write that the few marks
// which expire did not pay back. The prefixes are one byte each and belong to it
// alone.
type Marks struct {
	KV    KV
	ByID  byte
	ByDay byte
}

// A mark is a version byte, the content's hash, both parts of its revision if it
// has one, and the day. Those of version 1, which had neither, have an entry by
// day each. One that is flagged has a version of its own.
const (
	versionBare    = 1
	versionRevised = 2
	versionPlain   = 3

	versionRevisedFlagged = 4
	versionPlainFlagged   = 5

	contentLen = 16
	plainLen   = 1 + contentLen + 4
	revisedLen = 1 + contentLen + 8 + 8 + 4
	idMax      = 1 << 12
)

// mark is one that is kept.
type mark struct {
	content  [contentLen]byte
	revision Revision
	day      uint32
	bare     bool // of version 1: day is not known
	flagged  bool
}

func (m mark) encode() []byte {
	if m.revision == (Revision{}) {
		b := append(make([]byte, 0, plainLen), either(m.flagged, versionPlainFlagged, versionPlain))
		return binary.BigEndian.AppendUint32(append(b, m.content[:]...), m.day)
	}
	b := append(make([]byte, 0, revisedLen), either(m.flagged, versionRevisedFlagged, versionRevised))
	b = append(b, m.content[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(m.revision.Mapping))
	b = binary.BigEndian.AppendUint64(b, uint64(m.revision.Source))
	return binary.BigEndian.AppendUint32(b, m.day)
}

func either(first bool, a, b byte) byte {
	if first {
		return a
	}
	return b
}

func decode(b []byte) (m mark, err error) {
	switch {
	case len(b) == 1+contentLen && b[0] == versionBare:
		return mark{content: [contentLen]byte(b[1:]), bare: true}, nil
	case len(b) == plainLen && (b[0] == versionPlain || b[0] == versionPlainFlagged):
		return mark{content: [contentLen]byte(b[1:]), day: binary.BigEndian.Uint32(b[1+contentLen:]), flagged: b[0] == versionPlainFlagged}, nil
	case len(b) == revisedLen && (b[0] == versionRevised || b[0] == versionRevisedFlagged):
		rest := b[1+contentLen:]
		return mark{
			content:  [contentLen]byte(b[1:]),
			revision: Revision{int64(binary.BigEndian.Uint64(rest)), int64(binary.BigEndian.Uint64(rest[8:]))},
			day:      binary.BigEndian.Uint32(rest[16:]),
			flagged:  b[0] == versionRevisedFlagged,
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
// of the source that is not zero the one with the greater hash stays, so that the
// outcome of a set of events does not depend on their order. A mark may carry a flag,
// which tells no events apart: flagged is by how much the number of marks that have it
// changed.
func (m Marks) Mark(id []byte, day uint32, content [contentLen]byte, revision Revision, flag bool) (outcome Outcome, flagged int64, err error) {
	if len(id) == 0 || len(id) > idMax {
		return 0, 0, fmt.Errorf("%w: %d bytes", ErrID, len(id))
	}
	key := append([]byte{m.ByID}, id...)
	stored, err := m.KV.Get(key)
	if err != nil {
		return 0, 0, fmt.Errorf("read mark: %w", err)
	}
	if flag {
		flagged = 1
	}
	if stored != nil {
		old, err := decode(stored)
		if err != nil {
			return 0, 0, err
		}
		if old.flagged {
			flagged--
		}
		order := cmp.Or(revision.Compare(old.revision), bytes.Compare(content[:], old.content[:]))
		switch {
		case content == old.content && order <= 0:
			return Duplicate, 0, nil
		case revision == old.revision && revision.Source == 0:
			return Collision, 0, nil
		case order < 0:
			return Superseded, 0, nil
		case content == old.content:
			outcome = Duplicate // said again by newer rules: the mark takes their revision
		default:
			outcome = Restated
		}
	}
	if err := m.KV.Put(key, mark{content: content, revision: revision, day: day, flagged: flag}.encode()); err != nil {
		return 0, 0, fmt.Errorf("write mark: %w", err)
	}
	return outcome, flagged, nil
}

func (m Marks) dayKey(day uint32, id []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{m.ByDay}, day), id...)
}

// Pass is one pass over all marks, which forgets those of days before Before. One
// that begins anew in its middle loses nothing but the time: it is not kept.
type Pass struct {
	Before uint32
	next   []byte // key that the pass has come to; nil: its beginning
}

// Expire goes on with a pass: it looks at up to limit marks, at least two, forgets
// those whose day is over and reports how many and whether there is more to look
// at. Only what was marked while the pass went on may stay. What a replay forgets is
// the same, whenever it runs.
func (m Marks) Expire(p *Pass, limit int) (n int, more bool, err error) {
	if n, err := m.expireByDay(p.Before, limit/2); err != nil || n > 0 {
		return n, true, err
	}
	if p.next == nil {
		p.next = []byte{m.ByID}
	}
	var over [][]byte
	looked := 0
	err = m.KV.Scan(p.next, []byte{m.ByID + 1}, func(key, value []byte) (bool, error) {
		if looked == limit {
			p.next, more = bytes.Clone(key), true
			return false, nil
		}
		looked++
		kept, err := decode(value)
		if err == nil && !kept.bare && kept.day < p.Before {
			over = append(over, bytes.Clone(key))
		}
		return true, err
	})
	if err != nil {
		return 0, false, fmt.Errorf("scan marks: %w", err)
	}
	for _, key := range over {
		if err := m.KV.Delete(key); err != nil {
			return n, more, fmt.Errorf("forget mark: %w", err)
		}
		n++
	}
	return n, more, nil
}

// expireByDay forgets up to limit of the entries by day, with their marks.
func (m Marks) expireByDay(day uint32, limit int) (n int, err error) {
	var keys [][]byte
	err = m.KV.Scan([]byte{m.ByDay}, m.dayKey(day, nil), func(key, _ []byte) (bool, error) {
		keys = append(keys, bytes.Clone(key))
		return len(keys) < limit, nil
	})
	if err != nil {
		return 0, fmt.Errorf("scan marks: %w", err)
	}
	for _, key := range keys {
		if err := m.forget(key, day); err != nil {
			return n, fmt.Errorf("forget mark: %w", err)
		}
		n++
	}
	return n, nil
}

// forget removes one entry by day and its mark, unless that is of a day that is
// not over.
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
		if !kept.bare && kept.day >= day {
			return m.KV.Delete(key)
		}
	}
	return errors.Join(m.KV.Delete(id), m.KV.Delete(key))
}
