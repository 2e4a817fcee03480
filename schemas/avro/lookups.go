package avro

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// LookupTimeout bounds how long a decode waits for the registry. It is far
	// under the session timeout of a Kafka group, so that a registry which is
	// down delays a partition but never loses it.
	LookupTimeout = 2 * time.Second
	// lookupsMax bounds the schemas kept for one reader: records can name any id.
	// A topic sees one schema for each release that wrote to it.
	lookupsMax = 1024
	// missesMax is how many decodes an id that the registry does not know is
	// refused without asking again: a flood of bad records must not become a
	// flood of requests, and an id that is registered late must still be found.
	missesMax = 1000
)

// lookups finds the schemas that records were written with and keeps what a
// reader made of them. It is safe for concurrent use.
type lookups[V any] struct {
	registry Registry
	// prepare makes of a schema's text what the reader needs. Its errors are kept:
	// they are of the schema, not of the moment.
	prepare func(text string) (V, error)

	mu    sync.Mutex
	known map[int]*answer[V] // guarded by mu
}

// answer is what became of one id: a value or the error that it gives.
type answer[V any] struct {
	value  V
	err    error
	misses int // guarded by lookups.mu; refusals left while err is ErrUnknownSchema
}

func newLookups[V any](registry Registry, prepare func(string) (V, error)) *lookups[V] {
	return &lookups[V]{registry: registry, prepare: prepare, known: make(map[int]*answer[V])}
}

// find gives what prepare made of the schema with the id. Two goroutines that
// meet a new id at once both ask; their answers are equal. A nil lookups knows no id.
func (l *lookups[V]) find(ctx context.Context, id int) (V, error) {
	var none V
	if l == nil {
		return none, ErrUnknownSchema
	}
	if found, ok := l.kept(id); ok {
		return found.value, found.err
	}
	ctx, cancel := context.WithTimeout(ctx, LookupTimeout)
	defer cancel()
	text, err := l.registry.Schema(ctx, id)
	if err != nil && !lasting(err) {
		return none, transient(err)
	}
	found := &answer[V]{err: err, misses: missesMax}
	if err == nil {
		found.value, found.err = l.prepare(text)
	}
	l.keep(id, found)
	return found.value, found.err
}

func (l *lookups[V]) kept(id int) (*answer[V], bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found, ok := l.known[id]
	if !ok || !errors.Is(found.err, ErrUnknownSchema) {
		return found, ok
	}
	if found.misses == 0 {
		delete(l.known, id)
		return nil, false
	}
	found.misses--
	return found, true
}

func (l *lookups[V]) keep(id int, found *answer[V]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.known) >= lookupsMax {
		// Rare enough that the cost of asking again does not matter, and simpler
		// than an order of use.
		clear(l.known)
	}
	l.known[id] = found
}

// lasting tells the answers of a registry about an id from failures to ask.
func lasting(err error) bool {
	return errors.Is(err, ErrUnknownSchema) || errors.Is(err, ErrSchema) || errors.Is(err, ErrTooLarge)
}

// transient makes sure that a failure to ask has a type: what a registry could
// not answer in time is ErrRegistry, whatever it called it.
func transient(err error) error {
	if errors.Is(err, ErrRegistry) || errors.Is(err, ErrRegistryRefused) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrRegistry, err)
}
