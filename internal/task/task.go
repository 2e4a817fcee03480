// Package task binds state to stream, once for the three stateful tiers: it
// gives the engine its stores and the tiers' logic a view of keys and values.
// It knows nothing of what they mean.
package task

// KV is the state of one partition as a tier's logic sees it: reads see what
// the batch in hand has staged, writes are staged until the engine commits.
// One goroutine at a time uses it.
type KV interface {
	Reader

	// Put stages a value, which must not be empty; Delete stages its removal. The
	// slices belong to the KV from then on.
	Put(key, value []byte) error
	Delete(key []byte) error

	// PutNew is Put under a key that the caller knows Get to find nothing under, so
	// that none is looked up. If there is a value, the digest of the state is wrong
	// from then on.
	PutNew(key, value []byte) error
}

// Reader is the part of a KV that changes nothing.
type Reader interface {
	// Get returns the value of key, nil when there is none. The caller must not
	// change the slice.
	Get(key []byte) ([]byte, error)

	// Scan calls fn for the keys in [from, to) in order until it returns false. fn
	// must not write; slices are valid until it returns.
	Scan(from, to []byte, fn func(key, value []byte) (bool, error)) error

	// ScanBack is Scan from the last key to the first.
	ScanBack(from, to []byte, fn func(key, value []byte) (bool, error)) error
}
