package task

import (
	"errors"
	"fmt"
	"iter"

	"tracksource/state"
	"tracksource/stream"
)

// Stores gives the engine the stores of one tier's partitions in a data
// directory, named after the tier and the partition.
func Stores(dir *state.Dir, tier string) stream.Stores { return stores{dir, tier} }

type stores struct {
	dir  *state.Dir
	tier string
}

func (s stores) name(partition int32) string { return fmt.Sprintf("%s-%03d", s.tier, partition) }

// Open implements stream.Stores.
func (s stores) Open(partition int32) (stream.Store, error) {
	st, err := s.dir.Open(s.name(partition))
	if err != nil {
		return nil, err
	}
	return &Store{st: st, Overlay: state.NewOverlay(st)}, nil
}

// SetAside implements stream.Stores.
func (s stores) SetAside(partition int32, reason string) error {
	return s.dir.SetAside(s.name(partition), reason)
}

// Store is a partition's store under the engine and its overlay under the
// tier's logic: Staged, Digest, Commit, Discard and the methods of KV are the
// overlay's.
type Store struct {
	*state.Overlay
	st *state.Store
}

var (
	_ stream.Store = (*Store)(nil)
	_ KV           = (*Store)(nil)
)

// Of returns the KV of a store that the engine has opened by way of Stores.
func Of(s stream.Store) (KV, error) {
	st, ok := s.(*Store)
	if !ok {
		return nil, fmt.Errorf("task: %T is not a store of this package", s)
	}
	return st, nil
}

// Disk returns the store without its overlay: what is committed, readable by
// any goroutine.
func (s *Store) Disk() *state.Store { return s.st }

// Meta implements stream.Store.
func (s *Store) Meta() ([]byte, error) { return s.st.Meta() }

// Apply implements stream.Store.
func (s *Store) Apply(changes iter.Seq2[[]byte, []byte], meta []byte) error {
	defer s.Discard() // the overlay starts from what is stored now
	return tooBig(s.st.Apply(changes, meta))
}

// ApplyChunk implements stream.Store.
func (s *Store) ApplyChunk(changes iter.Seq2[[]byte, []byte]) error {
	defer s.Discard()
	return s.st.ApplyChunk(changes)
}

// Commit implements stream.Store.
func (s *Store) Commit(meta []byte) error { return tooBig(s.Overlay.Commit(meta)) }

// Fits implements stream.Store.
func (s *Store) Fits() error { return tooBig(s.Overlay.Fits()) }

// Recompute implements stream.Store.
func (s *Store) Recompute() ([16]byte, int64, error) { return s.st.Recompute() }

// Close implements stream.Store.
func (s *Store) Close() error {
	s.Discard()
	return s.st.Close()
}

func tooBig(err error) error {
	if errors.Is(err, state.ErrTooBig) {
		return fmt.Errorf("%w: %w", stream.ErrTooBig, err)
	}
	return err
}
