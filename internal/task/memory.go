package task

import (
	"bytes"
	"maps"
	"slices"
)

// Memory is a KV that keeps everything in memory and forgets nothing: for the
// tests of the tiers' logic and for offline tools.
type Memory struct{ m map[string][]byte }

// NewMemory makes an empty Memory.
func NewMemory() *Memory { return &Memory{m: map[string][]byte{}} }

// Get implements KV.
func (m *Memory) Get(key []byte) ([]byte, error) { return m.m[string(key)], nil }

// Put implements KV.
func (m *Memory) Put(key, value []byte) error {
	m.m[string(key)] = bytes.Clone(value)
	return nil
}

// PutNew implements KV.
func (m *Memory) PutNew(key, value []byte) error { return m.Put(key, value) }

// Delete implements KV.
func (m *Memory) Delete(key []byte) error {
	delete(m.m, string(key))
	return nil
}

// Scan implements KV.
func (m *Memory) Scan(from, to []byte, fn func(key, value []byte) (bool, error)) error {
	return m.visit(slices.Sorted(maps.Keys(m.m)), from, to, fn)
}

// ScanBack implements KV.
func (m *Memory) ScanBack(from, to []byte, fn func(key, value []byte) (bool, error)) error {
	keys := slices.Sorted(maps.Keys(m.m))
	slices.Reverse(keys)
	return m.visit(keys, from, to, fn)
}

func (m *Memory) visit(keys []string, from, to []byte, fn func(key, value []byte) (bool, error)) error {
	for _, k := range keys {
		if k < string(from) || k >= string(to) {
			continue
		}
		more, err := fn([]byte(k), m.m[k])
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// Len returns the number of keys.
func (m *Memory) Len() int { return len(m.m) }
