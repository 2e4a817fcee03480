package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"tracksource/contract"
	"tracksource/internal/control"
	"tracksource/normalize"
	"tracksource/normalize/mapping"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// Mappings are the mappings of all feeds, in each of their revisions. Safe for
// concurrent use.
type Mappings struct {
	// sync returns when all is known that control held when it was called; nil: what
	// was Set is all.
	sync func(context.Context) error

	mu sync.Mutex
	by map[control.Versioned][]*mapping.Mapping // guarded by mu; index 0 is revision 1, nil for one that ended
	// hashed are partners that agreed to send addresses hashed, by campaign; guarded
	// by mu.
	hashed map[string]agreement
}

// agreement is what a revision of a contract says of addresses.
type agreement struct {
	revision int64
	partners []string
}

// NewMappings makes an empty set.
func NewMappings() *Mappings {
	return &Mappings{by: map[control.Versioned][]*mapping.Mapping{}, hashed: map[string]agreement{}}
}

// agreed returns the first campaign for which a partner sends addresses hashed,
// empty for none.
func (m *Mappings) agreed(partner string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, campaign := range slices.Sorted(maps.Keys(m.hashed)) {
		if slices.Contains(m.hashed[campaign].partners, partner) {
			return campaign
		}
	}
	return ""
}

// Set puts the mappings of a book in force.
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
	for campaign := range b.Contracts {
		newest, _ := b.Newest(campaign)
		if m.hashed[campaign].revision == newest.Revision {
			continue
		}
		c, err := contract.Parse([]byte(newest.Document))
		if err != nil {
			return fmt.Errorf("contract of %s: %w", campaign, err) // judged before
		}
		now := agreement{revision: newest.Revision}
		for _, p := range c.Partners {
			if p.Hashed {
				now.partners = append(now.partners, p.ID)
			}
		}
		m.hashed[campaign] = now
	}
	return nil
}

// Follow keeps the mappings as the control topic has them. The function that it
// returns runs until its context ends.
func (m *Mappings) Follow(conn stream.Conn, topic string, codecs *avro.Codecs, log *slog.Logger) (run func(context.Context) error) {
	book := control.NewBook()
	f := stream.NewFollower(conn, log, topic, func(r stream.Record) error {
		if err := book.Add(codecs, r.Value); err != nil {
			return err
		}
		return m.Set(book)
	})
	m.sync = f.Sync
	return f.Run
}

// syncWait is how long a batch waits for the control topic; it is tried again.
const syncWait = 5 * time.Second

// of returns the revisions of a feed's mapping, oldest first, and none less than
// the control topic has now: a record that came behind a revision is never read
// without it, and those in front of it are sent again.
func (m *Mappings) of(ctx context.Context, feed FeedID) ([]*mapping.Mapping, error) {
	if m.sync != nil {
		wait, cancel := context.WithTimeout(ctx, syncWait)
		err := m.sync(wait)
		cancel()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err != nil {
			return nil, fmt.Errorf("%w: the control topic, which has the mappings: %w", stream.ErrTransient, err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.by[control.OfMapping(feed.Reporter, feed.Feed)], nil
}

// read reads a payload by the newest of the mappings, and what none of its rules
// takes as a native shape.
func read(src normalize.Source, newest *mapping.Mapping, payload normalize.Value) []normalize.Event {
	if newest == nil {
		return normalize.DecodeValue(src, payload)
	}
	src.Cost = new(uint64)
	list, ok := payload.List()
	if !ok || len(list) == 0 {
		return readOne(src, newest, payload)
	}
	var all []normalize.Event
	for _, e := range list {
		all = append(all, readOne(src, newest, e)...)
	}
	return all
}

func readOne(src normalize.Source, newest *mapping.Mapping, payload normalize.Value) []normalize.Event {
	if events, taken := newest.Take(src, payload.Native()); taken {
		return events
	}
	return normalize.DecodeValue(src, payload)
}
