// Package dedupe marks ids as seen, exactly, and forgets them by event time.
// It knows ids, days and hashes; it knows nothing of what they stand for nor
// of how the marks are kept.
//
// A mark lives in the same state as its effect and is staged in the same
// batch, so that there is never one without the other.
package dedupe

import (
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

// Outcome says what a mark found.
type Outcome int

// The outcomes of a mark.
const (
	New       Outcome = iota // the id was not seen before, it is now
	Duplicate                // the id was seen with the same content
	Collision                // the id was seen with other content; that mark stays
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

const (
	version    = 1
	contentLen = 16
	idMax      = 1 << 12
)

// ErrID says that an id cannot be marked.
var ErrID = errors.New("id is empty or too long")

// Mark notes id, which happened on day (days since 1970-01-01, event time),
// with a hash of its content.
func (m Marks) Mark(id []byte, day uint32, content [contentLen]byte) (Outcome, error) {
	if len(id) == 0 || len(id) > idMax {
		return 0, fmt.Errorf("%w: %d bytes", ErrID, len(id))
	}
	key := append([]byte{m.ByID}, id...)
	old, err := m.KV.Get(key)
	if err != nil {
		return 0, fmt.Errorf("read mark: %w", err)
	}
	if old != nil {
		if len(old) != 1+contentLen || old[0] != version {
			return 0, fmt.Errorf("mark of %d bytes and version %d is not readable", len(old), old[0])
		}
		if [contentLen]byte(old[1:]) == content {
			return Duplicate, nil
		}
		return Collision, nil
	}
	if err := m.KV.Put(key, append([]byte{version}, content[:]...)); err != nil {
		return 0, fmt.Errorf("write mark: %w", err)
	}
	if err := m.KV.Put(m.dayKey(day, id), []byte{version}); err != nil {
		return 0, fmt.Errorf("write mark: %w", err)
	}
	return New, nil
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
	const head = 1 + 4
	for _, key := range keys {
		err := errors.Join(m.KV.Delete(append([]byte{m.ByID}, key[head:]...)), m.KV.Delete(key))
		if err != nil {
			return n, more, fmt.Errorf("forget mark: %w", err)
		}
		n++
	}
	return n, more, nil
}
