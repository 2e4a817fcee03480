package state

import (
	"bytes"
	"fmt"
	"iter"

	badger "github.com/dgraph-io/badger/v4"
)

// Overlay stages the changes of one batch over a store: reads see them, the
// store does not until Commit. One goroutine uses it.
type Overlay struct {
	store  *Store
	staged map[string]change
	order  order // of the keys of staged
	digest Digest
	keys   int64
	size   int

	// read is one Badger transaction for all reads of a batch: beginning one for
	// each read costs more than the read. Nothing but Commit writes the store, so
	// it sees what is there. nil until the first read.
	read *badger.Txn
	// known is what the store held under the keys that were read: what is read is
	// mostly written next, and the digest then needs the value that is replaced.
	known     map[string][]byte
	knownSize int
	// hot is what the store holds under some keys, over batches. Commit follows
	// every change; Discard drops it, for it does not know what was behind it.
	hot *hot
}

// knownMax bounds the bytes of known; what is beyond is read again.
const knownMax = 16 << 20

// change is a staged value, nil to delete, and what the store holds.
type change struct {
	value  []byte
	stored []byte // nil when the store has no such key
}

// NewOverlay makes an empty overlay over s.
func NewOverlay(s *Store) *Overlay {
	o := &Overlay{store: s, staged: map[string]change{}, known: map[string][]byte{}, hot: newHot(s.dir.share.hot)}
	o.reset()
	return o
}

func (o *Overlay) reset() {
	if o.read != nil {
		o.read.Discard()
		o.read = nil
	}
	// A batch is mostly as large as the one before it.
	clear(o.staged)
	clear(o.known)
	o.order.clear()
	o.size, o.knownSize = 0, 0
	o.digest, o.keys = o.store.digest, o.store.keys
}

// Get returns the value of key, staged or stored, nil when there is none. The
// caller must not change the slice.
func (o *Overlay) Get(key []byte) ([]byte, error) {
	if c, ok := o.staged[string(key)]; ok {
		return c.value, nil
	}
	return o.stored(key)
}

// transaction returns the batch's transaction for reads.
func (o *Overlay) transaction() *badger.Txn {
	if o.read == nil {
		o.read = o.store.db.NewTransaction(false)
	}
	return o.read
}

// stored returns what the store holds under key.
func (o *Overlay) stored(key []byte) ([]byte, error) {
	if v, ok := o.known[string(key)]; ok {
		return v, nil
	}
	if v, ok := o.hot.get(key); ok {
		return v, nil
	}
	v, found, err := lookup(o.transaction(), stateKey(key))
	if err != nil {
		return nil, fmt.Errorf("read store %s: %w", o.store.name, err)
	}
	if found {
		o.hot.keep(key, v)
		return v, nil
	}
	if o.knownSize < knownMax {
		o.known[string(key)] = v
		o.knownSize += len(key) + len(v)
	}
	return v, nil
}

// Put stages value, which must not be empty, under key. Both slices belong to
// the overlay from then on.
func (o *Overlay) Put(key, value []byte) error {
	if len(value) == 0 {
		return fmt.Errorf("put %x: a value is never empty: in a changelog nothing would tell it from a delete", key)
	}
	return o.stage(key, value)
}

// PutNew is Put under a key that Get finds nothing under. It is not looked up: if
// the store has a value there, the digest is wrong from then on.
func (o *Overlay) PutNew(key, value []byte) error {
	if _, staged := o.staged[string(key)]; !staged {
		o.known[string(key)] = nil
	}
	return o.Put(key, value)
}

// Delete stages the removal of key.
func (o *Overlay) Delete(key []byte) error { return o.stage(key, nil) }

func (o *Overlay) stage(key, value []byte) error {
	c, staged := o.staged[string(key)]
	if !staged {
		stored, err := o.stored(key)
		if err != nil {
			return err
		}
		c = change{value: stored, stored: stored}
	}
	if c.value != nil {
		o.digest.remove(key, c.value)
		o.keys--
	}
	if value != nil {
		o.digest.add(key, value)
		o.keys++
	}
	if staged {
		o.size -= len(key) + len(c.value)
	}
	c.value = value
	if bytes.Equal(c.value, c.stored) && (c.value == nil) == (c.stored == nil) {
		if staged {
			delete(o.staged, string(key)) // back to what is stored: no change
			o.order.remove(string(key))
		}
		return nil
	}
	k := string(key)
	if !staged {
		o.order.insert(k)
	}
	o.staged[k] = c
	o.size += len(key) + len(value)
	return nil
}

// Scan calls fn for the keys in [from, to), staged and stored ones in one
// order, until it returns false. fn must not stage; slices are valid until it
// returns.
func (o *Overlay) Scan(from, to []byte, fn func(key, value []byte) (bool, error)) error {
	return o.scan(from, to, false, fn)
}

// ScanBack is Scan from the last key to the first.
func (o *Overlay) ScanBack(from, to []byte, fn func(key, value []byte) (bool, error)) error {
	return o.scan(from, to, true, fn)
}

func (o *Overlay) scan(from, to []byte, back bool, fn func(key, value []byte) (bool, error)) error {
	m := merge{staged: o.staged, keys: o.order.between(string(from), string(to), back), back: back, fn: fn}
	if err := scan(o.transaction(), from, to, back, m.stored); err != nil {
		return fmt.Errorf("scan store %s: %w", o.store.name, err)
	}
	return m.upTo(nil)
}

// merge hands fn staged keys and stored ones in one order.
type merge struct {
	staged map[string]change
	keys   run  // staged keys of the range that are still to come
	back   bool // from the last to the first
	fn     func(key, value []byte) (bool, error)
	ended  bool // fn wants no more
}

// upTo visits the staged keys whose turn is before the limit's; nil is behind all.
func (m *merge) upTo(limit []byte) error {
	for !m.ended {
		key, left := m.keys.peek()
		if !left || limit != nil && (key == string(limit) || (key > string(limit)) != m.back) {
			return nil
		}
		m.keys.drop()
		value := m.staged[key].value
		if value == nil {
			continue
		}
		more, err := m.fn([]byte(key), value)
		if err != nil {
			return err
		}
		m.ended = !more
	}
	return nil
}

// stored visits what is in front of a stored key, and then it or what is staged
// in its place.
func (m *merge) stored(key, value []byte) (bool, error) {
	if err := m.upTo(key); err != nil || m.ended {
		return false, err
	}
	if staged, left := m.keys.peek(); left && staged == string(key) {
		m.keys.drop()
		if value = m.staged[staged].value; value == nil {
			return true, nil
		}
	}
	more, err := m.fn(key, value)
	m.ended = !more
	return more, err
}

// Staged yields the changes in the order of their keys; a nil value deletes. A
// key that was put back to its stored value is no change.
func (o *Overlay) Staged() iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		for _, part := range o.order.parts {
			for _, k := range part {
				if !yield([]byte(k), o.staged[k].value) {
					return
				}
			}
		}
	}
}

// Size returns the bytes of the staged keys and values.
func (o *Overlay) Size() int { return o.size }

// Badger's bookkeeping of one entry in a transaction, rounded up, and the
// entries that Apply adds to those staged.
const (
	entryOverhead = 64
	ownEntries    = 4
)

// Fits returns ErrTooBig when the staged changes would not fit into one atomic
// write. Its bound is a little below Badger's own.
func (o *Overlay) Fits() error {
	entries := int64(len(o.staged) + ownEntries)
	bytes := int64(o.size) + entries*entryOverhead
	if maxBytes, maxEntries := o.store.db.MaxBatchSize(), o.store.db.MaxBatchCount(); bytes >= maxBytes || entries >= maxEntries {
		return fmt.Errorf("%w: %d changes of %d bytes, the store takes %d of %d", ErrTooBig, entries, bytes, maxEntries, maxBytes)
	}
	return nil
}

// Digest returns the digest and the number of keys with the staged changes.
func (o *Overlay) Digest() ([16]byte, int64) { return o.digest.Bytes(), o.keys }

// Commit applies the staged changes and meta in one atomic write, see
// Store.Apply. The overlay has read what each change replaces, so it has
// followed the digest already.
func (o *Overlay) Commit(meta []byte) error {
	if err := o.store.commit(o.Staged(), meta, o.digest, o.keys); err != nil {
		return err
	}
	for k, v := range o.Staged() {
		o.hot.changed(k, v)
	}
	o.reset()
	return nil
}

// Discard drops the staged changes.
func (o *Overlay) Discard() {
	o.hot.drop()
	o.reset()
}
