package ingest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tracksource/dedupe"
	"tracksource/identity"
	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// Emitter is the part of a batch that stages outputs.
type Emitter interface {
	Emit(topic string, key, value []byte, headers ...stream.Header)
	EmitTo(topic string, partition int32, key, value []byte, headers ...stream.Header)
}

// The kinds of observations.
const (
	kindFact     = "fact"
	kindLink     = "link" // evidence of an event for another identity than its own
	kindAttach   = "attach"
	kindDetach   = "detach"
	kindPlace    = "place"
	kindErase    = "erase"
	kindTotal    = "total"
	kindDecision = "decision" // of an operator, about one deal
	kindControl  = "control"
	kindTouch    = "touch"
	kindObject   = "object"
)

// Why an item is removed from a journey, where it does not move to another one.
const (
	reasonErasure    = "erasure"    // of whom it is about
	reasonRetraction = "retraction" // its source says it no more
)

// ResolveConfig describes a resolve processor. All fields but Alerts and those from
// Feeds on are required.
type ResolveConfig struct {
	Codecs       *avro.Codecs
	Observations string // topic of messages between identities
	Partitions   int32  // of it
	Journeys     string
	DeadLetter   func(feed, reporter string) string // topic of a feed's dead letters
	Alerts       string                             // topic; empty: none
	Stats        *Stats
	Log          *slog.Logger

	Feeds string // topic of the counts of feeds; empty: none
	// TellEvery is how often the counts of a feed are told while events come, TellEveryDefault,
	// and TellRest for how long none may have come for the last state to be told, TellRestDefault.
	TellEvery, TellRest time.Duration
	// ShiftItems is how many items of a node move in one step, 64.
	ShiftItems int
}

// expireSlice is how many marks a Tick looks at, and may have to forget.
const expireSlice = 4000

// Resolver is the processor of one partition of observations.
type Resolver struct {
	cfg       ResolveConfig
	partition int32
	kv        task.KV
	marks     dedupe.Marks

	// What is cached of kv; dropped with the staged state by Aborted.
	counts   map[FeedID]Counts
	changed  map[FeedID]bool
	told     map[FeedID]told
	totals   totals
	horizon  uint32 // day before which events are refused
	expired  uint32 // day before which marks are forgotten
	expiring bool
	shifting bool        // items are left of moves that were too large for one transaction
	pass     dedupe.Pass // over the marks, while expiring

	first   int64     // version that rows of feeds are at least of
	input   time.Time // when records came last; zero in a new life
	scratch []byte    // of contentHash
}

// NewResolver makes the processor of a partition.
func NewResolver(cfg ResolveConfig, a stream.Assignment, kv task.KV) (*Resolver, error) {
	r := &Resolver{
		cfg: cfg, partition: a.Partition, kv: kv, first: max(1, a.Generation),
		marks: dedupe.Marks{KV: kv, ByID: prefixMark, ByDay: prefixMarkDay},
	}
	r.cfg.ShiftItems = cmp.Or(cfg.ShiftItems, shiftItemsDefault)
	r.cfg.TellEvery, r.cfg.TellRest = cmp.Or(cfg.TellEvery, TellEveryDefault), cmp.Or(cfg.TellRest, TellRestDefault)
	if err := r.load(); err != nil {
		return nil, err
	}
	cfg.Stats.set(r.partition, r.counts)
	return r, nil
}

// load reads the cached part of the state.
func (r *Resolver) load() error {
	err := r.loadCounts()
	if err != nil {
		return err
	}
	if r.horizon, r.expired, err = loadHorizon(r.kv); err != nil {
		return err
	}
	r.expiring, r.pass = r.expired < r.horizon, dedupe.Pass{}
	node, _, err := r.left()
	if err != nil {
		return err
	}
	r.shifting = node != nil
	r.totals, err = loadTotals(r.kv)
	return err
}

// Pending implements stream.Processor: marks before the horizon are forgotten and
// items moved in slices, control totals asked for again, and counts told.
func (r *Resolver) Pending(now time.Time) bool {
	return r.expiring || r.shifting || r.totals.due(now) || r.tellDue(now)
}

// Committed implements stream.Processor.
func (r *Resolver) Committed() { r.cfg.Stats.set(r.partition, r.counts) }

// Aborted implements stream.Processor.
func (r *Resolver) Aborted() {
	if err := r.load(); err != nil {
		// The store was readable when the batch began; a broken disk shows at the
		// next batch, which reads it again.
		r.cfg.Log.Warn("reload resolve state", "err", err)
	}
}

// Process implements stream.Processor.
func (r *Resolver) Process(ctx context.Context, b *stream.Batch) error {
	return r.Fold(ctx, b.Records, b.Now, b)
}

// Fold is Process with the outputs apart.
func (r *Resolver) Fold(ctx context.Context, records []stream.Record, now time.Time, out Emitter) error {
	var obs avro.Observation
	for i := range records {
		rec := &records[i]
		if err := r.cfg.Codecs.Observation.Decode(rec.Value, &obs); err != nil {
			if errors.Is(err, avro.ErrRegistry) {
				return fmt.Errorf("%w: %w", stream.ErrTransient, err)
			}
			return fmt.Errorf("observation at offset %d: %w: %w", rec.Offset, errBroken, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.observe(&obs, now, out); err != nil {
			return fmt.Errorf("observation at offset %d: %w", rec.Offset, err)
		}
	}
	if r.expiring {
		if err := r.expire(); err != nil {
			return err
		}
	}
	if r.shifting {
		if err := r.shiftLeft(out); err != nil {
			return err
		}
	}
	if err := r.recheck(now, out); err != nil {
		return err
	}
	if err := r.totals.store(); err != nil {
		return err
	}
	if len(records) > 0 {
		r.input = now
	}
	if err := r.tellFeeds(now, out); err != nil {
		return err
	}
	return r.storeCounts()
}

func (r *Resolver) observe(obs *avro.Observation, now time.Time, out Emitter) error {
	switch obs.Kind {
	case kindFact:
		return r.fact(obs, out)
	case kindLink:
		return r.evidence(obs, out)
	case kindAttach, kindDetach:
		return r.child(obs, out)
	case kindPlace:
		return r.place(obs, out)
	case kindErase:
		return r.erase(obs.Node, out)
	case kindTotal:
		return r.total(obs, now, out)
	case kindDecision:
		return r.decision(obs, out)
	case kindControl:
		return r.control(obs.Control)
	}
	return fmt.Errorf("%w: kind %q", errBroken, obs.Kind)
}

// contentForm is the version of the observations that marks are hashes of. What they
// have had since is at their end, and no part of it: else an event that comes again to
// a newer program would be another one under the same id.
const contentForm = 11

// contentHash is what tells two events with one id apart. Where the event was
// found, by which revision it was read and whether that one can match it are no part
// of it.
func (r *Resolver) contentHash(obs *avro.Observation) ([16]byte, error) {
	c := *obs
	c.Origin, c.MappingRevision, c.Revision, c.Unmatchable = nil, 0, 0, false
	b, err := r.cfg.Codecs.Observation.AppendBare(r.scratch[:0], &c)
	if err != nil {
		return [16]byte{}, err
	}
	r.scratch = b
	const unmatchableBytes = 1
	b[0], b = contentForm, b[:len(b)-unmatchableBytes]
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16]), nil
}

const day = 24 * time.Hour

func dayOf(t time.Time) uint32 {
	d := t.Unix() / int64(day/time.Second)
	return uint32(max(0, d))
}

// mark notes the event, and counts those that are unmatchable.
func (r *Resolver) mark(obs *avro.Observation, content [16]byte, c *Counts) (dedupe.Outcome, error) {
	revision := dedupe.Revision{Mapping: obs.MappingRevision, Source: obs.Revision}
	outcome, flagged, err := r.marks.Mark(markID(obs.Node, obs.Reporter, obs.Source, obs.EventID), dayOf(obs.OccurredAt), content, revision, obs.Unmatchable)
	c.Unmatchable += flagged
	return outcome, err
}

// fact takes in one native event: once, on its identity's account. One that is
// said anew under a higher revision replaces what it said before; its links
// stay, because evidence is never taken back.
//
// BUG(resolve): of events under one id that a newer mapping reads otherwise, what
// the older one said of all but the first stays.
func (r *Resolver) fact(obs *avro.Observation, out Emitter) error {
	feed := FeedID{Feed: obs.Feed, Reporter: obs.Reporter}
	c := r.counts[feed]
	defer func() { r.counts[feed], r.changed[feed] = c, true }()
	if dayOf(obs.OccurredAt) < r.horizon {
		c.Late++
		return r.late(obs, out)
	}
	n, err := r.node(obs.Node)
	if err != nil {
		return err
	}
	if n.erased {
		c.Suppressed++
		return r.eraseAll(obs.Same, out)
	}
	content, err := r.contentHash(obs)
	if err != nil {
		return err
	}
	outcome, err := r.mark(obs, content, &c)
	if err != nil {
		return err
	}
	if outcome == dedupe.Collision {
		// Two events under one id: both are kept, the later one under an id that
		// its content decides.
		id := obs.EventID
		obs.EventID = fmt.Sprintf("%s#%x", id, content[:6])
		if outcome, err = r.mark(obs, content, &c); err != nil {
			return err
		}
		if outcome == dedupe.New {
			c.Collisions++
			if err := r.collision(obs, id, out); err != nil {
				return err
			}
		}
	}
	switch {
	case outcome == dedupe.Superseded:
		c.Superseded++
		return nil
	case outcome == dedupe.Restated, outcome == dedupe.New && obs.Retracted:
		c.Restated++
	case outcome == dedupe.New:
		c.Accepted++
	default:
		c.Duplicates++
		return nil
	}
	if err := r.tally(obs, outcome); err != nil {
		return err
	}
	if err := r.link(obs, &n, out); err != nil {
		return err
	}
	n.items = n.items || obs.Touch != nil || obs.Object != nil
	was, is, err := r.item(obs, n, out)
	if err != nil {
		return err
	}
	c.turn(was, is)
	return r.putNode(obs.Node, n)
}

// decision makes what an operator decided about a deal an object of the deal's
// account. It comes of no feed and is counted for none, and no horizon refuses it.
func (r *Resolver) decision(obs *avro.Observation, out Emitter) error {
	if obs.Object == nil {
		return fmt.Errorf("%w: decision without its object", errBroken)
	}
	n, err := r.node(obs.Node)
	if err != nil {
		return err
	}
	n.items = true
	if _, _, err := r.item(obs, n, out); err != nil {
		return err
	}
	return r.putNode(obs.Node, n)
}

// item makes a fact part of the journey of the account that its node belongs
// to now, or takes it off when it says nothing any more. It returns what the item was
// to the counts of its feed and what it is.
func (r *Resolver) item(obs *avro.Observation, n nodeState, out Emitter) (was, is standing, err error) {
	ev := avro.JourneyEvent{
		Kind: kindTouch, Account: n.root, Node: bytes.Clone(obs.Node), Reporter: obs.Reporter, Feed: obs.Feed, Source: obs.Source,
		Item: obs.EventID, OccurredAt: obs.OccurredAt, EventID: obs.EventID, Person: n.person,
	}
	if obs.Object != nil {
		ev.Kind, ev.Item = kindObject, obs.Object.Type+"/"+obs.Object.ID
		if ev.Object, err = r.foldObject(obs, ev.Item); err != nil {
			return was, is, err
		}
	} else if !obs.Retracted {
		ev.Touch = obs.Touch
	}
	key := itemKey(obs.Node, ev.Reporter, ev.Source, ev.Item)
	old, err := r.kv.Get(key)
	if err != nil {
		return was, is, fmt.Errorf("read item: %w", err)
	}
	before := avro.JourneyEvent{Removed: true}
	if old != nil {
		if err := r.cfg.Codecs.Journey.DecodeBare(old, &before); err != nil {
			return was, is, fmt.Errorf("stored item: %w", err)
		}
	}
	ev.Placement = before.Placement
	if ev.Removed = ev.Touch == nil && ev.Object == nil; ev.Removed {
		if before.Removed {
			return was, is, nil // evidence only
		}
		ev.Account, ev.Person, ev.Reason = before.Account, nil, reasonRetraction
	} else if !before.Removed && !bytes.Equal(before.Account, ev.Account) {
		// The node moved, and this item not yet.
		if err := r.leave(&before, out); err != nil {
			return was, is, err
		}
		ev.Placement = before.Placement
	}
	return standingOf(&before), standingOf(&ev), r.emit(key, &ev, out)
}

// emit writes the item to journeys under the next placement number, and keeps it.
func (r *Resolver) emit(key []byte, ev *avro.JourneyEvent, out Emitter) error {
	ev.Placement++
	b, err := r.cfg.Codecs.Journey.Append(nil, ev)
	if err != nil {
		return err
	}
	out.Emit(r.cfg.Journeys, bytes.Clone(ev.Account), b)
	return r.kv.Put(key, r.cfg.Codecs.Journey.Bare(b))
}

// foldObject folds an update and returns the whole object, nil if every update of
// it was retracted.
func (r *Resolver) foldObject(obs *avro.Observation, item string) (*avro.ObjectState, error) {
	key := objectKey(obs.Node, obs.Reporter, obs.Source, item)
	b, err := r.kv.Get(key)
	if err != nil {
		return nil, fmt.Errorf("read object: %w", err)
	}
	o := &object{}
	if b != nil {
		if o, err = decodeObject(b); err != nil {
			return nil, err
		}
	}
	o.fold(obs)
	if b, err = o.encode(); err != nil {
		return nil, err
	}
	return o.state(), r.kv.Put(key, b)
}

// provisional reports whether an account only stands in for one.
func provisional(root []byte) bool {
	n, err := identity.Parse(root)
	return err != nil || n.Provisional()
}
