package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tracksource/internal/control"
	"tracksource/normalize"
	"tracksource/normalize/mapping"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// Mappings are the mappings of all feeds, in each of their revisions. Safe for
// concurrent use.
type Mappings struct {
	ready chan struct{} // closed when the control topic was read to its end once
	once  sync.Once

	mu sync.Mutex
	by map[control.Versioned][]*mapping.Mapping // guarded by mu; index 0 is revision 1, nil for one that ended
}

// NewMappings makes an empty set that is not ready.
func NewMappings() *Mappings {
	return &Mappings{ready: make(chan struct{}), by: map[control.Versioned][]*mapping.Mapping{}}
}

// Set puts the mappings of a book in force. From the first time on they are ready.
func (m *Mappings) Set(b *control.Book) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for of, records := range b.Mappings {
		for len(m.by[of]) < len(records) {
			doc := records[len(m.by[of])].Document
			var compiled *mapping.Mapping
			if doc != "" {
				var err error
				if compiled, err = mapping.Parse([]byte(doc)); err != nil {
					return fmt.Errorf("mapping of %s: %w", of.Name, err) // judged before
				}
			}
			m.by[of] = append(m.by[of], compiled)
		}
	}
	m.once.Do(func() { close(m.ready) })
	return nil
}

// mappingsWait is how long a batch waits for the mappings; it is tried again.
const mappingsWait = 5 * time.Second

// of returns the revisions of a feed's mapping, oldest first, once they are known.
func (m *Mappings) of(ctx context.Context, feed FeedID) ([]*mapping.Mapping, error) {
	select {
	case <-m.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(mappingsWait):
		return nil, fmt.Errorf("%w: the control topic, which has the mappings, is not read yet", stream.ErrTransient)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.by[control.OfMapping(feed.Reporter, feed.Feed)], nil
}

// Follow reads the control topic and keeps the mappings, until ctx ends. What
// fails is tried again: mappings are old for as long, never wrong.
func (m *Mappings) Follow(ctx context.Context, conn stream.Conn, topic string, codecs *avro.Codecs, log *slog.Logger) error {
	for {
		book, ended := control.NewBook(), false
		err := stream.Follow(ctx, conn, log, topic, func(r stream.Record) error {
			if err := book.Add(codecs, r.Value); err != nil || !ended {
				return err
			}
			return m.Set(book)
		}, func() {
			ended = true
			if err := m.Set(book); err != nil {
				log.ErrorContext(ctx, "mappings", "err", err)
			}
		})
		if ctx.Err() != nil {
			return nil
		}
		log.WarnContext(ctx, "control topic interrupted, reading it again", "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// read reads a payload by the newest of the mappings, and what none of its rules
// takes as a native shape.
func read(src normalize.Source, newest *mapping.Mapping, payload any) []normalize.Event {
	if newest == nil {
		return normalize.DecodeValue(src, payload)
	}
	list, ok := payload.([]any)
	if !ok || len(list) == 0 {
		return readOne(src, newest, payload)
	}
	var all []normalize.Event
	for _, e := range list {
		all = append(all, readOne(src, newest, e)...)
	}
	return all
}

func readOne(src normalize.Source, newest *mapping.Mapping, payload any) []normalize.Event {
	if events, taken := newest.Take(src, payload); taken {
		return events
	}
	return normalize.DecodeValue(src, payload)
}
