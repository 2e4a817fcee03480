package avro

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	twmb "github.com/twmb/avro"
)

const (
	// LookupTimeout bounds how long a decode waits for the registry. It is far
	// under the session timeout of a Kafka group, so that a registry which is
	// down delays a partition but never loses it.
	LookupTimeout = 2 * time.Second
	// writersMax bounds the schemas kept for one reader: records can name any id.
	// A topic sees one schema for each release that wrote to it.
	writersMax = 1024
	// missesMax is how many decodes an id that the registry does not know is
	// refused without asking again: a flood of bad records must not become a
	// flood of requests, and an id that is registered late must still be found.
	missesMax = 1000
)

// writers finds the schemas that records were written with and resolves them
// into the one schema of a reader. It is safe for concurrent use.
type writers struct {
	registry Registry
	reader   *twmb.Schema

	mu    sync.RWMutex
	known map[int]*writer // guarded by mu
}

// writer is the answer for one id: a schema or the error that it gives.
type writer struct {
	schema *twmb.Schema
	err    error
	misses int // guarded by writers.mu; counts down while err is ErrUnknownSchema
}

func newWriters(registry Registry, reader *twmb.Schema) *writers {
	return &writers{registry: registry, reader: reader, known: make(map[int]*writer)}
}

// resolve gives the schema that decodes data of a writer's id into the reader.
// Two goroutines that meet a new id at once both ask; the answers are equal.
func (w *writers) resolve(id int) (*twmb.Schema, error) {
	if w == nil {
		return nil, ErrUnknownSchema
	}
	if found, ok := w.cached(id); ok {
		return found.schema, found.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), LookupTimeout)
	defer cancel()
	text, err := w.registry.Schema(ctx, id)
	if err != nil && !errors.Is(err, ErrUnknownSchema) {
		return nil, transient(err)
	}
	found := &writer{err: err, misses: missesMax}
	if err == nil {
		found.schema, found.err = w.prepare(text)
	}
	w.keep(id, found)
	return found.schema, found.err
}

func (w *writers) prepare(text string) (*twmb.Schema, error) {
	parsed, err := twmb.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	resolved, err := twmb.Resolve(parsed, w.reader)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	return resolved, nil
}

func (w *writers) cached(id int) (*writer, bool) {
	w.mu.RLock()
	found, ok := w.known[id]
	w.mu.RUnlock()
	if !ok || !errors.Is(found.err, ErrUnknownSchema) {
		return found, ok
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	found.misses--
	if found.misses < 0 {
		delete(w.known, id)
		return nil, false
	}
	return found, true
}

func (w *writers) keep(id int, found *writer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.known) >= writersMax {
		clear(w.known)
	}
	w.known[id] = found
}

// transient makes sure that a failure to ask has a type: what a registry could
// not answer in time is ErrRegistry, whatever it called it.
func transient(err error) error {
	if errors.Is(err, ErrRegistry) || errors.Is(err, ErrRegistryRefused) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrRegistry, err)
}
