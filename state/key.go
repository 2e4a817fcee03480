package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Keyspace is the first byte of the keys of one kind of state, and the version
// of its values, which are led by that version as their first byte. Each tier
// names its keyspaces in one place.
type Keyspace struct {
	ID      byte
	Version byte
	Name    string
}

// Layout is the keyspaces of one store.
type Layout []Keyspace

// NewLayout checks that no two keyspaces share an id or a name.
func NewLayout(spaces ...Keyspace) (Layout, error) {
	ids, names := map[byte]string{}, map[string]bool{}
	for _, s := range spaces {
		if other, ok := ids[s.ID]; ok {
			return nil, fmt.Errorf("keyspaces %s and %s share the id %#x", other, s.Name, s.ID)
		}
		if names[s.Name] || s.Name == "" {
			return nil, fmt.Errorf("keyspace %#x: its name %q is empty or taken", s.ID, s.Name)
		}
		ids[s.ID], names[s.Name] = s.Name, true
	}
	return spaces, nil
}

// ErrKey says that bytes are not a key of the keyspace.
var ErrKey = errors.New("malformed key")

// ErrVersion says that a value has a version that this program does not know.
var ErrVersion = errors.New("value has an unknown version")

// partMax bounds a string or byte part of a key, so that its length fits.
const partMax = 1<<16 - 1

// Key builds a key from parts of fixed width or with their length in front, so
// that ("a","b-c") and ("a-b","c") differ and a prefix of parts is a prefix of
// bytes. Integers sort by value; strings do not sort by their text but stay
// together.
type Key []byte

// Key starts a key of the keyspace.
func (s Keyspace) Key() Key { return append(make(Key, 0, keyBytes), s.ID) }

// keyBytes is what most keys have room in, so that they are not moved part by part.
const keyBytes = 96

// String appends a string with its length.
func (k Key) String(s string) Key { return k.Bytes([]byte(s)) }

// Bytes appends bytes with their length. It panics on more than 65535 bytes:
// what becomes a key is bounded where it enters the system.
func (k Key) Bytes(b []byte) Key {
	if len(b) > partMax {
		panic(fmt.Sprintf("state: key part of %d bytes", len(b)))
	}
	k = binary.BigEndian.AppendUint16(k, uint16(len(b)))
	return append(k, b...)
}

// Uint32 appends a number, big-endian.
func (k Key) Uint32(v uint32) Key { return binary.BigEndian.AppendUint32(k, v) }

// Uint64 appends a number, big-endian.
func (k Key) Uint64(v uint64) Key { return binary.BigEndian.AppendUint64(k, v) }

// Byte appends one byte, such as the kind of what follows.
func (k Key) Byte(v byte) Key { return append(k, v) }

// Time appends an instant, to the microsecond, so that keys sort by it.
func (k Key) Time(at time.Time) Key { return k.Uint64(uint64(at.UnixMicro()) ^ 1<<63) }

// Ordered appends a string so that keys sort as their strings do, which those of
// String do not: a byte of zero is written with 0xff behind it, and the end as a
// zero with a one behind it.
func (k Key) Ordered(s string) Key {
	for i := range len(s) {
		if k = append(k, s[i]); s[i] == 0 {
			k = append(k, 0xff)
		}
	}
	return append(k, 0, 1)
}

// Range returns the half-open range of all keys that begin with k.
func (k Key) Range() (from, to []byte) {
	to = append([]byte(nil), k...)
	for i := len(to) - 1; i >= 0; i-- {
		if to[i]++; to[i] != 0 {
			return k, to[:i+1]
		}
	}
	panic("state: a key of 0xff bytes only has no range")
}

// Parts reads the parts of a key back. The first failure sticks.
type Parts struct {
	rest []byte
	err  error
}

// Parts begins to read key, which must belong to the keyspace.
func (s Keyspace) Parts(key []byte) *Parts {
	if len(key) == 0 || key[0] != s.ID {
		return &Parts{err: fmt.Errorf("%w of keyspace %s", ErrKey, s.Name)}
	}
	return &Parts{rest: key[1:]}
}

func (p *Parts) take(n int) []byte {
	if p.err == nil && len(p.rest) < n {
		p.err = fmt.Errorf("%w: cut short", ErrKey)
	}
	if p.err != nil {
		return make([]byte, n)
	}
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

// Bytes reads a part written by Key.Bytes. The slice shares the key's memory.
func (p *Parts) Bytes() []byte {
	n := int(binary.BigEndian.Uint16(p.take(2)))
	if p.err != nil {
		return nil
	}
	return p.take(n)
}

// String reads a part written by Key.String.
func (p *Parts) String() string { return string(p.Bytes()) }

// Uint32 reads a number.
func (p *Parts) Uint32() uint32 { return binary.BigEndian.Uint32(p.take(4)) }

// Uint64 reads a number.
func (p *Parts) Uint64() uint64 { return binary.BigEndian.Uint64(p.take(8)) }

// Byte reads one byte.
func (p *Parts) Byte() byte { return p.take(1)[0] }

// Time reads an instant, in UTC.
func (p *Parts) Time() time.Time { return time.UnixMicro(int64(p.Uint64() ^ 1<<63)).UTC() }

// Ordered reads a part written by Key.Ordered.
func (p *Parts) Ordered() string {
	var s []byte
	for p.err == nil {
		b := p.take(1)[0]
		if b != 0 {
			s = append(s, b)
			continue
		}
		switch p.take(1)[0] {
		case 0xff:
			s = append(s, 0)
		case 1:
			return string(s)
		default:
			if p.err == nil {
				p.err = fmt.Errorf("%w: a zero that is neither escaped nor an end", ErrKey)
			}
		}
	}
	return ""
}

// End returns an error if a part was malformed or bytes are left.
func (p *Parts) End() error {
	if p.err == nil && len(p.rest) > 0 {
		p.err = fmt.Errorf("%w: %d bytes too many", ErrKey, len(p.rest))
	}
	return p.err
}

// Value leads body with the keyspace's version.
func (s Keyspace) Value(body []byte) []byte {
	return append([]byte{s.Version}, body...)
}

// Body returns what Value was given. A newer version is an error: an older
// program must not guess at a newer one's values.
func (s Keyspace) Body(value []byte) ([]byte, error) {
	if len(value) == 0 || value[0] == 0 || value[0] > s.Version {
		return nil, fmt.Errorf("%w: keyspace %s", ErrVersion, s.Name)
	}
	return value[1:], nil
}
