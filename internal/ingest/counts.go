package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"

	"tracksource/dedupe"
	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/state"
	"tracksource/stream"
)

// FeedID names one partner's feed of one kind.
type FeedID struct {
	Feed     string `json:"feed"`
	Reporter string `json:"reporter"`
}

// Counts says what became of the native events of a feed.
type Counts struct {
	Accepted    int64 `json:"accepted"`    // distinct events taken in
	Duplicates  int64 `json:"duplicates"`  // the same event again
	Late        int64 `json:"late"`        // older than the horizon
	Collisions  int64 `json:"collisions"`  // another event under an id already seen; accepted, too
	Restated    int64 `json:"restated"`    // an accepted event said anew by its source or a mapping
	Superseded  int64 `json:"superseded"`  // older than what was said anew already
	Suppressed  int64 `json:"suppressed"`  // of people who were erased
	Unmatchable int64 `json:"unmatchable"` // accepted ones with a ready-hashed address without its domain or of another scheme
	Touches     int64 `json:"touches"`     // of accepted events, that stand now
	Unresolved  int64 `json:"unresolved"`  // touches whose account is provisional now
}

// Add returns the sum of c and o.
func (c Counts) Add(o Counts) Counts {
	return Counts{
		Accepted: c.Accepted + o.Accepted, Duplicates: c.Duplicates + o.Duplicates, Late: c.Late + o.Late,
		Collisions: c.Collisions + o.Collisions, Restated: c.Restated + o.Restated, Superseded: c.Superseded + o.Superseded,
		Suppressed: c.Suppressed + o.Suppressed, Unmatchable: c.Unmatchable + o.Unmatchable,
		Touches: c.Touches + o.Touches, Unresolved: c.Unresolved + o.Unresolved,
	}
}

// standing is what an item adds to the counts of its feed while it stands.
type standing struct{ touches, unresolved int64 }

func standingOf(ev *avro.JourneyEvent) standing {
	switch {
	case ev.Kind != kindTouch || ev.Removed:
		return standing{}
	case provisional(ev.Account):
		return standing{1, 1}
	}
	return standing{1, 0}
}

// turn changes the counts of a feed by what one of its items was and what it is.
func (c *Counts) turn(was, is standing) {
	c.Touches += is.touches - was.touches
	c.Unresolved += is.unresolved - was.unresolved
}

// Stats collects the committed counts of the partitions of one process.
type Stats struct {
	mu sync.Mutex
	by map[int32]map[FeedID]Counts // guarded by mu
}

// NewStats makes an empty collection.
func NewStats() *Stats { return &Stats{by: map[int32]map[FeedID]Counts{}} }

func (s *Stats) set(partition int32, counts map[FeedID]Counts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by[partition] = maps.Clone(counts)
}

// Feeds returns the counts of each feed over all partitions seen.
func (s *Stats) Feeds() map[FeedID]Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[FeedID]Counts{}
	for _, counts := range s.by {
		for feed, c := range counts {
			out[feed] = out[feed].Add(c)
		}
	}
	return out
}

// countsForm is the form of the stored counts that has touches. Those of an older one
// are counted anew from the items.
const countsForm = 1

// storedCounts is what is kept of one feed.
type storedCounts struct {
	Counts
	Form int `json:"form"`
	told
}

// loadCounts reads the counts, and what was told of them.
func (r *Resolver) loadCounts() error {
	r.counts, r.told, r.changed = map[FeedID]Counts{}, map[FeedID]told{}, map[FeedID]bool{}
	from, to := spaceCounts.Key().Range()
	older := false
	err := r.kv.Scan(from, to, func(key, value []byte) (bool, error) {
		p := spaceCounts.Parts(key)
		feed := FeedID{Feed: p.String(), Reporter: p.String()}
		body, err := spaceCounts.Body(value)
		if err := errors.Join(p.End(), err); err != nil {
			return false, err
		}
		var c storedCounts
		if err := json.Unmarshal(body, &c); err != nil {
			return false, err
		}
		c.Behind = c.Behind || c.Version == 0 // by a program that told nobody
		r.counts[feed], r.told[feed] = c.Counts, c.told
		older = older || c.Form < countsForm
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("read counts: %w", err)
	}
	if older {
		return r.countTouches()
	}
	return nil
}

// countTouches counts the touches that stand, of all feeds.
func (r *Resolver) countTouches() error {
	for feed, c := range r.counts {
		c.Touches, c.Unresolved = 0, 0
		r.counts[feed], r.changed[feed] = c, true
	}
	from, to := spaceItem.Key().Range()
	err := r.kv.Scan(from, to, func(_, value []byte) (bool, error) {
		var ev avro.JourneyEvent
		if err := r.cfg.Codecs.Journey.DecodeBare(value, &ev); err != nil {
			return false, fmt.Errorf("stored item: %w", err)
		}
		if is := standingOf(&ev); is != (standing{}) {
			feed := FeedID{Feed: ev.Feed, Reporter: ev.Reporter}
			c := r.counts[feed]
			c.turn(standing{}, is)
			r.counts[feed], r.changed[feed] = c, true
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("count touches: %w", err)
	}
	return nil
}

func (r *Resolver) storeCounts() error {
	for feed := range r.changed {
		b, err := json.Marshal(storedCounts{r.counts[feed], countsForm, r.told[feed]})
		if err != nil {
			return fmt.Errorf("encode counts: %w", err)
		}
		if err := r.kv.Put(countsKey(feed), spaceCounts.Value(b)); err != nil {
			return err
		}
	}
	clear(r.changed)
	return nil
}

// late sends an event that is older than the horizon to its feed's dead
// letters: its place in the raw feed, from where it can be replayed.
func (r *Resolver) late(obs *avro.Observation, out Emitter) error {
	d := avro.DeadLetter{
		Code: CodeLate, Message: "older than the horizon of the contracts: let a contract hold it back with history_from, then replay",
		Feed: obs.Feed, Reporter: obs.Reporter, MappingRevision: obs.MappingRevision, FailedAt: obs.OccurredAt,
	}
	if o := obs.Origin; o != nil {
		d.RawTopic, d.RawPartition, d.RawOffset = o.Topic, o.Partition, o.Offset
	}
	headers, err := deadLetterHeaders(r.cfg.Codecs, &d)
	if err != nil {
		return err
	}
	out.Emit(r.cfg.DeadLetter(obs.Feed, obs.Reporter), obs.Node, []byte{}, headers...)
	return nil
}

// The horizon and how far marks are forgotten, as days.
var horizonKey = []byte(spaceControl.Key().String("horizon"))

func loadHorizon(kv task.KV) (horizon, expired uint32, err error) {
	b, err := kv.Get(horizonKey)
	if err != nil || b == nil {
		return 0, 0, err
	}
	body, err := spaceControl.Body(b)
	if err != nil {
		return 0, 0, err
	}
	p := state.Keyspace{}.Parts(append([]byte{0}, body...))
	horizon, expired = p.Uint32(), p.Uint32()
	return horizon, expired, p.End()
}

func (r *Resolver) putHorizon() error {
	return r.kv.Put(horizonKey, spaceControl.Value(state.Key{}.Uint32(r.horizon).Uint32(r.expired)))
}

// expire looks at a slice of the marks for those before the horizon. A horizon that
// moves meanwhile begins the pass anew.
func (r *Resolver) expire() error {
	if r.pass.Before != r.horizon {
		r.pass = dedupe.Pass{Before: r.horizon}
	}
	_, more, err := r.marks.Expire(&r.pass, expireSlice)
	if err != nil || more {
		return err
	}
	r.expired, r.expiring = r.horizon, false
	return r.putHorizon()
}

var _ stream.Processor = (*Resolver)(nil)
