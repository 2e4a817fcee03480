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
	store *Store
	// records are what is known of the keys that the batch has read or staged, and
	// places where: what is read is mostly written next, and the digest then needs
	// the value that is replaced.
	records []record
	places  map[string]int
	staged  order // the records that are changes
	read    int   // bytes of the records that Get has made
	digest  Digest
	keys    int64
	size    int

	// view is one Badger transaction for all reads of a batch: beginning one for
	// each read costs more than the read. Nothing but Commit writes the store, so
	// it sees what is there. nil until the first read.
	view *badger.Txn
	seek []byte // memory of the key that is looked up, used again
	// hot is what the store holds under some keys, over batches. Commit follows
	// every change; Discard drops it, for it does not know what was behind it.
	hot *hot
}

const (
	// readMax bounds the bytes of what is read; what is beyond is read again.
	readMax = 4 << 20
	// recordOverhead is what a record costs beside its bytes, its place included.
	recordOverhead = 160
)

// record is what is known of a key.
type record struct {
	key    string
	value  []byte // nil when there is none, or it is to be deleted
	stored []byte // nil when the store has no such key
	staged bool   // value is not what is stored
}

// NewOverlay makes an empty overlay over s.
func NewOverlay(s *Store) *Overlay {
	o := &Overlay{store: s, places: map[string]int{}, hot: newHot(s.dir.share.hot)}
	o.reset()
	return o
}

func (o *Overlay) reset() {
	if o.view != nil {
		o.view.Discard()
		o.view = nil
	}
	// A batch is mostly as large as the one before it.
	clear(o.records)
	o.records = o.records[:0]
	clear(o.places)
	o.staged.clear()
	o.size, o.read = 0, 0
	o.digest, o.keys = o.store.digest, o.store.keys
}

// Get returns the value of key, staged or stored, nil when there is none. The
// caller must not change the slice.
func (o *Overlay) Get(key []byte) ([]byte, error) {
	if at, ok := o.places[string(key)]; ok {
		return o.records[at].value, nil
	}
	k, v, err := o.stored(key)
	if cost := len(key) + len(v) + recordOverhead; err == nil && o.read+cost <= readMax {
		o.read += cost
		o.note(k, v)
	}
	return v, err
}

// transaction returns the batch's transaction for reads.
func (o *Overlay) transaction() *badger.Txn {
	if o.view == nil {
		o.view = o.store.db.NewTransaction(false)
	}
	return o.view
}

// stored returns what the store holds under a key, and the key as text.
func (o *Overlay) stored(key []byte) (string, []byte, error) {
	if h, ok := o.hot.get(key); ok {
		return h.key, h.value, nil
	}
	o.seek = append(append(o.seek[:0], prefixState), key...)
	v, found, err := lookup(o.transaction(), o.seek)
	if err != nil {
		return "", nil, fmt.Errorf("read store %s: %w", o.store.name, err)
	}
	k := string(key)
	if found {
		o.hot.keep(pair{k, v})
	}
	return k, v, nil
}

// note makes the record of a key that has none and returns its place.
func (o *Overlay) note(key string, stored []byte) int {
	at := len(o.records)
	o.records = append(o.records, record{key: key, value: stored, stored: stored})
	o.places[key] = at
	return at
}

// place returns the place of a key's record, made from the store if there is none.
func (o *Overlay) place(key []byte) (int, error) {
	if at, ok := o.places[string(key)]; ok {
		return at, nil
	}
	k, stored, err := o.stored(key)
	if err != nil {
		return 0, err
	}
	return o.note(k, stored), nil
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
	if _, ok := o.places[string(key)]; !ok {
		o.note(string(key), nil)
	}
	return o.Put(key, value)
}

// Delete stages the removal of key.
func (o *Overlay) Delete(key []byte) error { return o.stage(key, nil) }

func (o *Overlay) stage(key, value []byte) error {
	at, err := o.place(key)
	if err != nil {
		return err
	}
	r := &o.records[at]
	if r.value != nil {
		o.digest.remove(key, r.value)
		o.keys--
	}
	if value != nil {
		o.digest.add(key, value)
		o.keys++
	}
	if r.staged {
		o.size -= len(key) + len(r.value)
	}
	was := r.staged
	r.value = value
	r.staged = !bytes.Equal(value, r.stored) || (value == nil) != (r.stored == nil)
	switch {
	case r.staged && !was:
		o.staged.insert(placed{r.key, at})
	case was && !r.staged:
		o.staged.remove(r.key) // back to what is stored: no change
	}
	if r.staged {
		o.size += len(key) + len(value)
	}
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
	m := merge{records: o.records, keys: o.staged.between(string(from), string(to), back), back: back, fn: fn}
	if err := scan(o.transaction(), from, to, back, m.stored); err != nil {
		return fmt.Errorf("scan store %s: %w", o.store.name, err)
	}
	return m.upTo(nil)
}

// merge hands fn staged keys and stored ones in one order.
type merge struct {
	records []record
	keys    run  // staged keys of the range that are still to come
	back    bool // from the last to the first
	fn      func(key, value []byte) (bool, error)
	ended   bool // fn wants no more
}

// upTo visits the staged keys whose turn is before the limit's; nil is behind all.
func (m *merge) upTo(limit []byte) error {
	for !m.ended {
		next, left := m.keys.peek()
		if !left || limit != nil && (next.key == string(limit) || (next.key > string(limit)) != m.back) {
			return nil
		}
		m.keys.drop()
		value := m.records[next.at].value
		if value == nil {
			continue
		}
		more, err := m.fn([]byte(next.key), value)
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
	if staged, left := m.keys.peek(); left && staged.key == string(key) {
		m.keys.drop()
		if value = m.records[staged.at].value; value == nil {
			return true, nil
		}
	}
	more, err := m.fn(key, value)
	m.ended = !more
	return more, err
}

// Staged yields the changes in the order of their keys; a nil value deletes. A
// key that was put back to its stored value is no change. The key is valid until
// the next one is yielded.
func (o *Overlay) Staged() iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		var key []byte
		for p := range o.staged.all() {
			key = append(key[:0], p.key...)
			if !yield(key, o.records[p.at].value) {
				return
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
	entries := int64(o.staged.size + ownEntries)
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
	if err := o.store.commit(o.Staged(), o.staged.size, meta, o.digest, o.keys); err != nil {
		return err
	}
	for p := range o.staged.all() {
		o.hot.changed(p.key, o.records[p.at].value)
	}
	o.reset()
	return nil
}

// Discard drops the staged changes.
func (o *Overlay) Discard() {
	o.hot.drop()
	o.reset()
}
