package ingest

import (
	"bytes"
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
	kindFact    = "fact"
	kindLink    = "link" // evidence of an event for another identity than its own
	kindAttach  = "attach"
	kindDetach  = "detach"
	kindPlace   = "place"
	kindControl = "control"
	kindTouch   = "touch"
	kindObject  = "object"
)

// ResolveConfig describes a resolve processor. All fields are required.
type ResolveConfig struct {
	Codecs       *avro.Codecs
	Observations string // topic of messages between identities
	Journeys     string
	DeadLetter   func(feed, reporter string) string // topic of a feed's dead letters
	Stats        *Stats
	Log          *slog.Logger
}

// expireSlice is how many marks a Tick forgets.
const expireSlice = 2000

// Resolver is the processor of one partition of observations.
type Resolver struct {
	cfg       ResolveConfig
	partition int32
	kv        task.KV
	marks     dedupe.Marks

	// What is cached of kv; dropped with the staged state by Aborted.
	counts   map[FeedID]Counts
	changed  map[FeedID]bool
	horizon  uint32 // day before which events are refused
	expired  uint32 // day before which marks are forgotten
	expiring bool
}

// NewResolver makes the processor of a partition.
func NewResolver(cfg ResolveConfig, a stream.Assignment, kv task.KV) (*Resolver, error) {
	r := &Resolver{
		cfg: cfg, partition: a.Partition, kv: kv,
		marks: dedupe.Marks{KV: kv, ByID: prefixMark, ByDay: prefixMarkDay},
	}
	if err := r.load(); err != nil {
		return nil, err
	}
	cfg.Stats.set(r.partition, r.counts)
	return r, nil
}

// load reads the cached part of the state.
func (r *Resolver) load() error {
	var err error
	r.changed = map[FeedID]bool{}
	if r.counts, err = loadCounts(r.kv); err != nil {
		return err
	}
	if r.horizon, r.expired, err = loadHorizon(r.kv); err != nil {
		return err
	}
	r.expiring = r.expired < r.horizon
	return nil
}

// Pending implements stream.Processor: marks before the horizon are forgotten
// in slices.
func (r *Resolver) Pending(time.Time) bool { return r.expiring }

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
	return r.Fold(ctx, b.Records, b)
}

// Fold is Process with the outputs apart.
func (r *Resolver) Fold(ctx context.Context, records []stream.Record, out Emitter) error {
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
		if err := r.observe(&obs, out); err != nil {
			return fmt.Errorf("observation at offset %d: %w", rec.Offset, err)
		}
	}
	if r.expiring {
		if err := r.expire(); err != nil {
			return err
		}
	}
	return r.storeCounts()
}

func (r *Resolver) observe(obs *avro.Observation, out Emitter) error {
	switch obs.Kind {
	case kindFact:
		return r.fact(obs, out)
	case kindLink:
		return r.evidence(obs, out)
	case kindAttach, kindDetach:
		return r.child(obs, out)
	case kindPlace:
		return r.place(obs, out)
	case kindControl:
		return r.control(obs.Control)
	}
	return fmt.Errorf("%w: kind %q", errBroken, obs.Kind)
}

// contentHash is what tells two events with one id apart. Where the event was
// found, and by which revision of a mapping it was read, are no part of it.
func (r *Resolver) contentHash(obs *avro.Observation) ([16]byte, error) {
	c := *obs
	c.Origin, c.MappingRevision = nil, 0
	b, err := r.cfg.Codecs.Observation.AppendBare(nil, &c)
	if err != nil {
		return [16]byte{}, err
	}
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16]), nil
}

const day = 24 * time.Hour

func dayOf(t time.Time) uint32 {
	d := t.Unix() / int64(day/time.Second)
	return uint32(max(0, d))
}

// fact takes in one native event: once, on its identity's account.
func (r *Resolver) fact(obs *avro.Observation, out Emitter) error {
	feed := FeedID{Feed: obs.Feed, Reporter: obs.Reporter}
	c := r.counts[feed]
	defer func() { r.counts[feed], r.changed[feed] = c, true }()
	if dayOf(obs.OccurredAt) < r.horizon {
		c.Late++
		return r.late(obs, out)
	}
	content, err := r.contentHash(obs)
	if err != nil {
		return err
	}
	outcome, err := r.marks.Mark(markID(obs.Reporter, obs.Source, obs.EventID), dayOf(obs.OccurredAt), content)
	if err != nil {
		return err
	}
	switch outcome {
	case dedupe.Duplicate:
		c.Duplicates++
		return nil
	case dedupe.Collision:
		// Two events under one id: both are kept, the later one under an id that
		// its content decides.
		obs.EventID = fmt.Sprintf("%s#%x", obs.EventID, content[:6])
		outcome, err := r.marks.Mark(markID(obs.Reporter, obs.Source, obs.EventID), dayOf(obs.OccurredAt), content)
		if err != nil {
			return err
		}
		if outcome != dedupe.New {
			c.Duplicates++
			return nil
		}
		c.Collisions++
	case dedupe.New:
	}
	c.Accepted++
	n, err := r.node(obs.Node)
	if err != nil {
		return err
	}
	if err := r.link(obs, &n, out); err != nil {
		return err
	}
	moved, err := r.item(obs, n, out)
	if err != nil {
		return err
	}
	c.Unresolved += moved
	return r.putNode(obs.Node, n)
}

// evidence takes in links alone. They are a set, so a repetition changes
// nothing and nothing is counted.
func (r *Resolver) evidence(obs *avro.Observation, out Emitter) error {
	n, err := r.node(obs.Node)
	if err != nil {
		return err
	}
	if err := r.link(obs, &n, out); err != nil {
		return err
	}
	return r.putNode(obs.Node, n)
}

func (r *Resolver) node(node []byte) (nodeState, error) {
	b, err := r.kv.Get(nodeKey(node))
	if err != nil {
		return nodeState{}, fmt.Errorf("read node: %w", err)
	}
	if b == nil {
		return newNodeState(bytes.Clone(node)), nil
	}
	return decodeNodeState(b)
}

func (r *Resolver) putNode(node []byte, n nodeState) error {
	return r.kv.Put(nodeKey(node), n.encode())
}

// link takes the evidence of a fact into the node. A change of parent is told
// to both; where the node then belongs comes back as a place message.
func (r *Resolver) link(obs *avro.Observation, n *nodeState, out Emitter) error {
	if len(obs.Links) == 0 {
		return nil
	}
	child, err := identity.Parse(obs.Node)
	if err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	var links []identity.Link
	if l, ok, err := n.link(); err != nil {
		return err
	} else if ok {
		links = append(links, l)
	}
	for _, l := range obs.Links {
		parent, err := identity.Parse(l.Parent)
		if err != nil {
			return fmt.Errorf("%w: link: %w", errBroken, err)
		}
		links = append(links, identity.Link{Parent: parent, Evidence: identity.Evidence(l.Evidence), At: l.At})
	}
	best, ok := identity.Best(child, links)
	if !ok {
		return nil
	}
	parent := best.Parent.Bytes()
	n.evidence, n.at = int32(best.Evidence), best.At.UnixMicro()
	if bytes.Equal(parent, n.parent) {
		return nil
	}
	if n.parent != nil {
		n.attached++
		if err := r.tell(out, n.parent, &avro.Observation{Kind: kindDetach, Attach: &avro.Attach{Child: obs.Node, Number: int64(n.attached)}}); err != nil {
			return err
		}
	}
	n.parent, n.placed = parent, 0
	n.attached++
	return r.tell(out, parent, &avro.Observation{Kind: kindAttach, Attach: &avro.Attach{Child: obs.Node, Number: int64(n.attached)}})
}

// tell sends a message to an identity.
func (r *Resolver) tell(out Emitter, to []byte, msg *avro.Observation) error {
	msg.Node = to
	b, err := r.cfg.Codecs.Observation.Append(nil, msg)
	if err != nil {
		return err
	}
	out.Emit(r.cfg.Observations, bytes.Clone(to), b)
	return nil
}

// item makes a fact part of the journey of the account that its node belongs
// to now. It returns by how much the number of unresolved touches changed.
func (r *Resolver) item(obs *avro.Observation, n nodeState, out Emitter) (int64, error) {
	ev := avro.JourneyEvent{
		Account: n.root, Node: bytes.Clone(obs.Node), Reporter: obs.Reporter, Feed: obs.Feed, Source: obs.Source,
		OccurredAt: obs.OccurredAt, EventID: obs.EventID,
	}
	switch {
	case obs.Touch != nil:
		ev.Kind, ev.Item, ev.Touch = kindTouch, obs.EventID, obs.Touch
	case obs.Object != nil:
		ev.Kind, ev.Item = kindObject, obs.Object.Type+"/"+obs.Object.ID
		o, err := r.foldObject(obs, ev.Item)
		if err != nil {
			return 0, err
		}
		ev.Object = o
	default:
		return 0, nil // evidence only
	}
	key := itemKey(obs.Node, ev.Reporter, ev.Source, ev.Item)
	old, err := r.kv.Get(key)
	if err != nil {
		return 0, fmt.Errorf("read item: %w", err)
	}
	if old != nil {
		var was avro.JourneyEvent
		if err := r.cfg.Codecs.Journey.DecodeBare(old, &was); err != nil {
			return 0, fmt.Errorf("stored item: %w", err)
		}
		ev.Placement = was.Placement
	}
	if err := r.emit(key, &ev, out); err != nil {
		return 0, err
	}
	if old == nil && ev.Kind == kindTouch && provisional(n.root) {
		return 1, nil
	}
	return 0, nil
}

// emit writes the item to journeys under the next placement number, and keeps it.
func (r *Resolver) emit(key []byte, ev *avro.JourneyEvent, out Emitter) error {
	ev.Placement++
	b, err := r.cfg.Codecs.Journey.Append(nil, ev)
	if err != nil {
		return err
	}
	out.Emit(r.cfg.Journeys, bytes.Clone(ev.Account), b)
	bare, err := r.cfg.Codecs.Journey.AppendBare(nil, ev)
	if err != nil {
		return err
	}
	return r.kv.Put(key, bare)
}

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

// child takes note of a child that came or left. One that came is told where
// it belongs.
func (r *Resolver) child(obs *avro.Observation, out Emitter) error {
	m := obs.Attach
	if m == nil {
		return fmt.Errorf("%w: %s without its message", errBroken, obs.Kind)
	}
	key := childKey(obs.Node, m.Child)
	b, err := r.kv.Get(key)
	if err != nil {
		return fmt.Errorf("read child: %w", err)
	}
	var c childState
	if b != nil {
		if c, err = decodeChildState(b); err != nil {
			return err
		}
	}
	if uint64(m.Number) <= c.number {
		return nil
	}
	c = childState{number: uint64(m.Number), attached: obs.Kind == kindAttach}
	if err := r.kv.Put(key, c.encode()); err != nil {
		return err
	}
	if !c.attached {
		return nil
	}
	n, err := r.node(obs.Node)
	if err != nil {
		return err
	}
	n.places++
	if err := r.tellPlace(obs.Node, bytes.Clone(m.Child), n, out); err != nil {
		return err
	}
	return r.putNode(obs.Node, n)
}

func (r *Resolver) tellPlace(parent, child []byte, n nodeState, out Emitter) error {
	return r.tell(out, child, &avro.Observation{
		Kind:  kindPlace,
		Place: &avro.Place{Parent: parent, Root: n.root, Number: int64(n.places)},
	})
}

// place takes note of where the node belongs, moves its items there and relays
// it to its children, if it is news and comes from the parent of now.
func (r *Resolver) place(obs *avro.Observation, out Emitter) error {
	m := obs.Place
	if m == nil {
		return fmt.Errorf("%w: place without its message", errBroken)
	}
	n, err := r.node(obs.Node)
	if err != nil {
		return err
	}
	if !bytes.Equal(m.Parent, n.parent) || uint64(m.Number) <= n.placed {
		return nil
	}
	n.placed = uint64(m.Number)
	if bytes.Equal(m.Root, n.root) {
		return r.putNode(obs.Node, n)
	}
	n.root = bytes.Clone(m.Root)
	if err := r.move(obs.Node, n.root, out); err != nil {
		return err
	}
	if err := r.relay(obs.Node, &n, out); err != nil {
		return err
	}
	return r.putNode(obs.Node, n)
}

// move puts the node's items under another account: a tombstone under the old
// one and the item under the new one, in the same transaction.
func (r *Resolver) move(node, root []byte, out Emitter) error {
	type item struct {
		key []byte
		ev  avro.JourneyEvent
	}
	var items []item
	from, to := spaceItem.Key().Bytes(node).Range()
	err := r.kv.Scan(from, to, func(key, value []byte) (bool, error) {
		it := item{key: bytes.Clone(key)}
		if err := r.cfg.Codecs.Journey.DecodeBare(value, &it.ev); err != nil {
			return false, fmt.Errorf("stored item: %w", err)
		}
		items = append(items, it)
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("scan items: %w", err)
	}
	for i := range items {
		ev := items[i].ev
		if ev.Kind == kindTouch {
			feed := FeedID{Feed: ev.Feed, Reporter: ev.Reporter}
			c := r.counts[feed]
			c.Unresolved += unresolved(root) - unresolved(ev.Account)
			r.counts[feed], r.changed[feed] = c, true
		}
		gone := ev
		gone.Placement++
		gone.Removed, gone.Touch, gone.Object = true, nil, nil
		b, err := r.cfg.Codecs.Journey.Append(nil, &gone)
		if err != nil {
			return err
		}
		out.Emit(r.cfg.Journeys, bytes.Clone(gone.Account), b)
		ev.Placement, ev.Account = gone.Placement, root
		if err := r.emit(items[i].key, &ev, out); err != nil {
			return err
		}
	}
	return nil
}

func unresolved(root []byte) int64 {
	if provisional(root) {
		return 1
	}
	return 0
}

// relay tells the attached children where they now belong.
func (r *Resolver) relay(node []byte, n *nodeState, out Emitter) error {
	var children [][]byte
	from, to := spaceChild.Key().Bytes(node).Range()
	err := r.kv.Scan(from, to, func(key, value []byte) (bool, error) {
		c, err := decodeChildState(value)
		if err != nil {
			return false, err
		}
		p := spaceChild.Parts(key)
		p.Bytes() // the node itself
		child := bytes.Clone(p.Bytes())
		if c.attached {
			children = append(children, child)
		}
		return true, p.End()
	})
	if err != nil {
		return fmt.Errorf("scan children: %w", err)
	}
	for _, child := range children {
		n.places++
		if err := r.tellPlace(node, child, *n, out); err != nil {
			return err
		}
	}
	return nil
}
