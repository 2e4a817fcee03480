package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	badger "github.com/dgraph-io/badger/v4"
)

// ErrTooBig says that the changes do not fit into one atomic write. Nothing of
// them is written.
var ErrTooBig = errors.New("changes do not fit into one atomic write")

// The first byte of a key inside Badger keeps the store's own two records
// apart from the state.
const (
	prefixOwn   = 0x00
	prefixState = 0x01
)

var (
	metaKey    = []byte{prefixOwn, 'M'} // the caller's meta
	summaryKey = []byte{prefixOwn, 'S'} // digest, number of keys, restoring mark
)

// summaryBytes is digest (16), number of keys (8) and the restoring mark (1).
const summaryBytes = 16 + 8 + 1

// Store is the state of one partition. One goroutine writes it; Get and Scan
// may also be called by others.
type Store struct {
	dir  *Dir
	name string
	path string
	db   *badger.DB

	digest    Digest
	keys      int64
	restoring bool // chunks without a checkpoint are in the store
	writes    int  // since the last measurement
}

func (d *Dir) openStore(name, path string) (s *Store, err error) {
	defer func() {
		// Badger panics on some kinds of corruption; a store is a cache and must
		// not take the process down.
		if p := recover(); p != nil {
			s, err = nil, fmt.Errorf("badger: %v", p)
		}
	}()
	if err := beginOpening(path); err != nil {
		return nil, err
	}
	db, err := badger.Open(badgerOptions(path, d.share, d.cfg.Log.With("store", name)))
	if err != nil {
		return nil, fmt.Errorf("open badger: %w", err)
	}
	s = &Store{dir: d, name: name, path: path, db: db}
	if err := s.loadSummary(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := errors.Join(os.WriteFile(filepath.Join(path, cleanMark), []byte(d.cfg.BootID), 0o600), endOpening(path)); err != nil {
		return nil, errors.Join(fmt.Errorf("mark store as open: %w", err), db.Close())
	}
	return s, nil
}

func (s *Store) loadSummary() error {
	b, err := s.own(summaryKey)
	if err != nil || b == nil {
		return err
	}
	if len(b) != summaryBytes {
		return fmt.Errorf("summary of store %s has %d bytes, want %d", s.name, len(b), summaryBytes)
	}
	s.digest = digestFrom(b)
	s.keys = int64(binary.BigEndian.Uint64(b[16:24]))
	s.restoring = b[24] == 1
	return nil
}

func (s *Store) summary() []byte {
	sum := s.digest.Bytes()
	b := append(make([]byte, 0, summaryBytes), sum[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(s.keys))
	if s.restoring {
		return append(b, 1)
	}
	return append(b, 0)
}

func (s *Store) own(key []byte) ([]byte, error) {
	var out []byte
	err := s.db.View(func(tx *badger.Txn) error {
		it, err := tx.Get(key)
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		out, err = it.ValueCopy(nil)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read store %s: %w", s.name, err)
	}
	return out, nil
}

// Meta returns the meta of the last Apply, nil for a new store.
func (s *Store) Meta() ([]byte, error) { return s.own(metaKey) }

// Digest returns the digest and the number of keys of what is stored.
func (s *Store) Digest() ([16]byte, int64) { return s.digest.Bytes(), s.keys }

// Get returns a copy of the value of key, nil when there is none.
func (s *Store) Get(key []byte) ([]byte, error) { return s.own(stateKey(key)) }

// Scan calls fn for the keys in [from, to) in order until it returns false. The
// slices are valid until fn returns. It sees one state of the store, however
// long it takes.
func (s *Store) Scan(from, to []byte, fn func(key, value []byte) (bool, error)) error {
	if err := s.db.View(func(tx *badger.Txn) error { return scan(tx, from, to, false, fn) }); err != nil {
		return fmt.Errorf("scan store %s: %w", s.name, err)
	}
	return nil
}

// scan visits the keys in [from, to), back from the last to the first.
func scan(tx *badger.Txn, from, to []byte, back bool, fn func(key, value []byte) (bool, error)) error {
	begin, end := stateKey(from), stateKey(to)
	opts := badger.DefaultIteratorOptions
	// Most ranges are a handful of keys: reading ahead would fetch a hundred
	// values of other ranges. Tables outside of the shared prefix are not opened.
	opts.PrefetchValues = false
	opts.Prefix = begin[:commonPrefix(begin, end)]
	opts.Reverse = back
	it := tx.NewIterator(opts)
	defer it.Close()
	start := begin
	if back {
		start = end // itself not in the range, and skipped where it is a key
	}
	for it.Seek(start); it.Valid(); it.Next() {
		item := it.Item()
		below, above := bytes.Compare(item.Key(), begin) < 0, bytes.Compare(item.Key(), end) >= 0
		if back && above {
			continue
		}
		if below || above {
			return nil
		}
		var more bool
		err := item.Value(func(v []byte) (err error) {
			more, err = fn(item.Key()[1:], v)
			return err
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}

func commonPrefix(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// Recompute returns the digest and the number of keys by a full scan.
func (s *Store) Recompute() ([16]byte, int64, error) {
	var d Digest
	n := int64(0)
	err := s.db.View(func(tx *badger.Txn) error {
		opts := badger.DefaultIteratorOptions
		opts.Prefix = []byte{prefixState}
		it := tx.NewIterator(opts)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			n++
			if err := it.Item().Value(func(v []byte) error {
				d.add(it.Item().Key()[1:], v)
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return [16]byte{}, 0, fmt.Errorf("recompute digest of store %s: %w", s.name, err)
	}
	return d.Bytes(), n, nil
}

// Apply writes the changes (a nil value deletes), the digest that follows from
// them and meta in one Badger transaction: a killed process finds all of it or
// nothing. ErrTooBig leaves the store as it was.
func (s *Store) Apply(changes iter.Seq2[[]byte, []byte], meta []byte) error {
	tx := s.db.NewTransaction(true)
	defer tx.Discard()
	before := *s
	err := s.stage(tx, changes)
	if err == nil {
		s.restoring = false
		err = errors.Join(tx.Set(metaKey, meta), tx.Set(summaryKey, s.summary()))
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		s.digest, s.keys, s.restoring = before.digest, before.keys, before.restoring
		return s.writeError(err)
	}
	if s.writes++; s.writes%measureEvery == 0 {
		s.measure()
	}
	return nil
}

// commit is Apply with a digest and a number of keys that the caller knows. A
// thousand keys and entries of a batch are a few pieces of memory.
func (s *Store) commit(changes iter.Seq2[[]byte, []byte], count int, meta []byte, digest Digest, keys int64) error {
	tx := s.db.NewTransaction(true)
	defer tx.Discard()
	before := *s
	s.digest, s.keys, s.restoring = digest, keys, false
	err := errors.Join(tx.Set(metaKey, meta), tx.Set(summaryKey, s.summary()))
	entries, memory := make([]badger.Entry, 0, count), make(slab, 0, min(slabBytes, count*slabKey))
	for k, v := range changes {
		if err != nil {
			break
		}
		key := memory.stateKey(k)
		if v == nil {
			err = tx.Delete(key)
			continue
		}
		entries = append(entries, badger.Entry{Key: key, Value: v})
		err = tx.SetEntry(&entries[len(entries)-1])
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		s.digest, s.keys, s.restoring = before.digest, before.keys, before.restoring
		return s.writeError(err)
	}
	if s.writes++; s.writes%measureEvery == 0 {
		s.measure()
	}
	return nil
}

// slab is memory that keys are cut from.
type slab []byte

const (
	slabBytes = 32 << 10 // how much memory keys get at once
	slabKey   = 160      // what a key has at most, mostly
)

func (s *slab) stateKey(key []byte) []byte {
	if free := cap(*s) - len(*s); free < 1+len(key) {
		*s = make(slab, 0, max(slabBytes, 1+len(key)))
	}
	from := len(*s)
	*s = append(append(*s, prefixState), key...)
	return (*s)[from:len(*s):len(*s)]
}

// ApplyChunk writes changes whose checkpoint is still to come. A store that is
// opened before the Apply that ends them is set aside. Large chunks are split
// into several transactions.
func (s *Store) ApplyChunk(changes iter.Seq2[[]byte, []byte]) error {
	tx := s.db.NewTransaction(true)
	defer func() { tx.Discard() }()
	s.restoring = true
	for k, v := range changes {
		one := func(yield func(k, v []byte) bool) { yield(k, v) }
		err := s.stage(tx, one)
		if errors.Is(err, badger.ErrTxnTooBig) {
			if err := errors.Join(tx.Set(summaryKey, s.summary()), tx.Commit()); err != nil {
				return s.writeError(err)
			}
			tx = s.db.NewTransaction(true)
			err = s.stage(tx, one)
		}
		if err != nil {
			return s.writeError(err)
		}
	}
	if err := errors.Join(tx.Set(summaryKey, s.summary()), tx.Commit()); err != nil {
		return s.writeError(err)
	}
	return nil
}

// stage puts changes into tx and follows them with digest and keys. A change
// that fails has no part in the digest.
func (s *Store) stage(tx *badger.Txn, changes iter.Seq2[[]byte, []byte]) error {
	for k, v := range changes {
		key := stateKey(k)
		old, had, err := lookup(tx, key)
		if err != nil {
			return err
		}
		if v == nil {
			err = tx.Delete(key)
		} else {
			err = tx.Set(key, v)
		}
		if err != nil {
			return err
		}
		if had {
			s.digest.remove(k, old)
			s.keys--
		}
		if v != nil {
			s.digest.add(k, v)
			s.keys++
		}
	}
	return nil
}

func lookup(tx *badger.Txn, key []byte) (value []byte, ok bool, err error) {
	it, err := tx.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	value, err = it.ValueCopy(nil)
	return value, true, err
}

func (s *Store) writeError(err error) error {
	if errors.Is(err, badger.ErrTxnTooBig) {
		return fmt.Errorf("write store %s: %w", s.name, ErrTooBig)
	}
	return fmt.Errorf("write store %s: %w", s.name, err)
}

// measureEvery is how many writes pass between two looks at the store's size.
const measureEvery = 256

func (s *Store) measure() {
	lsm, vlog := s.db.Size()
	s.dir.size.WithLabelValues(s.name).Set(float64(lsm + vlog))
	s.dir.keys.WithLabelValues(s.name).Set(float64(s.keys))
}

// Close closes the store and marks it as cleanly closed. An overlay over it
// must have been committed or discarded.
func (s *Store) Close() error {
	s.dir.mu.Lock()
	defer s.dir.mu.Unlock()
	if s.dir.open[s.name] != s {
		return nil
	}
	delete(s.dir.open, s.name)
	s.dir.size.DeleteLabelValues(s.name)
	s.dir.keys.DeleteLabelValues(s.name)
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close store %s: %w", s.name, err)
	}
	if err := os.WriteFile(filepath.Join(s.path, cleanMark), []byte("clean"), 0o600); err != nil {
		return fmt.Errorf("mark store %s as closed: %w", s.name, err)
	}
	return nil
}

func stateKey(key []byte) []byte {
	b := make([]byte, 1+len(key))
	b[0] = prefixState
	copy(b[1:], key)
	return b
}
