package attributor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// errBroken marks input that our own pipeline must not produce.
var errBroken = errors.New("broken journey record")

// Processor attributes one partition of journeys. Its durability and its
// goroutine are the engine's, see stream.Processor.
type Processor struct {
	cfg        Config
	source     int32 // partition of journeys
	generation int64
	kv         *counting
	rules      *rules // cache of the control keyspace; nil when it must be read
	swept      sweep  // as the batch leaves it, under way or not
	scratch    []byte // for encoding facts, which are large and mostly change
}

var (
	_ stream.Processor = (*Processor)(nil)
	_ stream.Closer    = (*Processor)(nil)
)

// New makes the Processor of a partition whose store is restored. The
// assignment must have a generation.
func New(cfg Config, a stream.Assignment, kv task.KV) (*Processor, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if a.Generation <= 0 || kv == nil {
		return nil, fmt.Errorf("attributor: partition %d has no state: give its input a changelog", a.Partition)
	}
	if cfg.SliceAccounts == 0 {
		cfg.SliceAccounts = sliceAccountsDefault
	}
	p := &Processor{cfg: cfg, source: a.Partition, generation: a.Generation, kv: &counting{KV: kv}}
	if err := p.load(); err != nil {
		return nil, err
	}
	p.swept = p.rules.sweep
	cfg.Metrics.show(p.source, p.swept)
	return p, nil
}

// Process implements stream.Processor.
func (p *Processor) Process(ctx context.Context, b *stream.Batch) error {
	return p.Fold(ctx, b.Records, b)
}

// Pending implements stream.Processor: a sweep is under way, or the generation
// is not announced yet.
func (p *Processor) Pending(time.Time) bool {
	// A state that cannot be read is Process's error to report.
	return p.load() != nil || p.rules.sweep.active || p.rules.announced != p.generation
}

// Committed implements stream.Processor.
func (p *Processor) Committed() { p.cfg.Metrics.show(p.source, p.swept) }

// Aborted implements stream.Processor.
func (p *Processor) Aborted() { p.rules, p.swept = nil, sweep{} }

// Close implements stream.Closer.
func (p *Processor) Close() { p.cfg.Metrics.forget(p.source) }

// Fold is Process with the outputs apart: it takes the records in, posts what
// they change, and takes a sweep that is under way a slice further.
func (p *Processor) Fold(ctx context.Context, records []stream.Record, out Emitter) error {
	if err := p.load(); err != nil {
		return err
	}
	p.kv.staged = 0
	f := &fold{Processor: p, out: out, dirty: map[string]*account{}}
	if err := f.announce(); err != nil {
		return err
	}
	if err := f.renew(ctx, records); err != nil {
		return err
	}
	for i := range records {
		if err := f.take(ctx, &records[i]); err != nil {
			return fmt.Errorf("journey record %s/%d@%d: %w", records[i].Topic, records[i].Partition, records[i].Offset, err)
		}
	}
	due, err := f.due()
	if err != nil {
		return err
	}
	if err := f.settle(ctx, due, nil); err != nil {
		return err
	}
	return f.sweepSlice(ctx)
}

// fold is one batch on its way through a Processor.
type fold struct {
	*Processor
	out   Emitter
	dirty map[string]*account
	order []*account // dirty, in the order in which they came
}

// account is one account of a batch with what the batch changed in it.
type account struct {
	id      []byte
	changes []change
	byKey   map[string]int // item key to index in changes
	events  int            // taken so far
	asOf    time.Time      // newest Kafka time of them

	objects bool      // an object changed
	touches bool      // so did a touch that can count; earliest of them
	from    time.Time // where the first of these was or is

	facts []attribution.Facts // of the book in hand
}

// moved notes that a touch appeared or disappeared at an instant.
func (a *account) moved(at time.Time) {
	if !a.touches || at.Before(a.from) {
		a.touches, a.from = true, at
	}
}

// change is what a batch did to one item: the first state that it found and the
// last that it left.
type change struct {
	was       presence
	before    *avro.ObjectState // of an object that was there
	after     *avro.JourneyEvent
	placement int64 // of the first event of the batch
	order     int   // number of the last event, of those that changed the account
}

// presence is whether an account has an item.
type presence byte

const (
	absent presence = iota
	left            // it had
	there
)

// take folds one record.
func (f *fold) take(ctx context.Context, rec *stream.Record) error {
	ev := new(avro.JourneyEvent)
	if err := f.cfg.Codecs.Journey.Decode(rec.Value, ev); err != nil {
		if errors.Is(err, avro.ErrRegistry) {
			return fmt.Errorf("%w: %w", stream.ErrTransient, err)
		}
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	switch ev.Kind {
	case kindControl:
		return f.control(ctx, ev.Control, rec.Timestamp)
	case kindTouch, kindObject:
		// A tombstone has no facts.
		if (ev.Kind == kindTouch && !ev.Removed) != (ev.Touch != nil) || (ev.Kind == kindObject && !ev.Removed) != (ev.Object != nil) {
			return fmt.Errorf("%w: a %s without its facts", errBroken, ev.Kind)
		}
		if len(ev.Account) == 0 || !bytes.Equal(rec.Key, ev.Account) {
			return fmt.Errorf("%w: an item of account %x under key %x", errBroken, ev.Account, rec.Key)
		}
		if ev.Kind == kindTouch {
			return f.takeTouch(ev, rec)
		}
		return f.takeObject(ev, rec)
	}
	// To pass over what a newer ingest says would make totals wrong for good.
	return fmt.Errorf("%w: kind %q is unknown: upgrade the attributor before ingest", errBroken, ev.Kind)
}

// takeObject keeps an object unless its placement is not above the one that is
// kept.
func (f *fold) takeObject(ev *avro.JourneyEvent, rec *stream.Record) error {
	key := objectKey(ev)
	value, err := f.kv.Get(key)
	if err != nil {
		return fmt.Errorf("read object: %w", err)
	}
	c := change{after: ev, placement: ev.Placement}
	if value != nil {
		before, err := decodeObject(value)
		if err != nil {
			return fmt.Errorf("read object: %w", err)
		}
		if ev.Placement <= before.placement {
			return nil
		}
		if c.was = left; !before.removed {
			c.was = there
			if c.before, err = f.stateOf(before.event); err != nil {
				return err
			}
		}
	}
	if ev.Object != nil && ev.Object.Type == contract.ObjectDispute {
		if err := f.noteDispute(ev.Object); err != nil {
			return err
		}
	}
	bare, err := f.bare(ev, rec)
	if err != nil {
		return err
	}
	if err := f.kv.Put(key, object{ev.Placement, ev.Removed, bare}.encode()); err != nil {
		return fmt.Errorf("keep object: %w", err)
	}
	if ev.Removed && c.was != there {
		return nil // a tombstone in place of nothing
	}
	f.touch(ev.Account, rec.Timestamp).note(key, c)
	f.dirty[string(ev.Account)].objects = true
	return nil
}

// bare is the event of a record as it is kept.
func (f *fold) bare(ev *avro.JourneyEvent, rec *stream.Record) ([]byte, error) {
	codec := f.cfg.Codecs.Journey
	if id, _, err := avro.ParseHeader(rec.Value); err != nil || id != codec.ID() {
		return codec.AppendBare(nil, ev) // written under another schema
	}
	return codec.Bare(rec.Value), nil
}

func (f *fold) stateOf(bare []byte) (*avro.ObjectState, error) {
	var ev avro.JourneyEvent
	if err := f.cfg.Codecs.Journey.DecodeBare(bare, &ev); err != nil {
		return nil, fmt.Errorf("stored object: %w", err)
	}
	return ev.Object, nil
}

// note adds what the newest event of the account did to the item of this key.
func (a *account) note(key []byte, c change) {
	c.order = a.events
	if i, again := a.byKey[string(key)]; again {
		a.changes[i].after, a.changes[i].order = c.after, c.order
		return
	}
	a.byKey[string(key)] = len(a.changes)
	a.changes = append(a.changes, c)
}

// touch marks an account as changed by a record of this Kafka time.
func (f *fold) touch(id []byte, at time.Time) *account {
	a := f.dirty[string(id)]
	if a == nil {
		a = &account{id: id, byKey: map[string]int{}}
		f.dirty[string(id)] = a
		f.order = append(f.order, a)
	}
	if a.events++; at.After(a.asOf) {
		a.asOf = at
	}
	return a
}

// counting is a KV that counts the bytes that a batch stages.
type counting struct {
	task.KV
	staged int
}

// Put implements task.KV.
func (c *counting) Put(key, value []byte) error {
	c.staged += len(key) + len(value)
	return c.KV.Put(key, value)
}

// PutNew implements task.KV.
func (c *counting) PutNew(key, value []byte) error {
	c.staged += len(key) + len(value)
	return c.KV.PutNew(key, value)
}

// Delete implements task.KV.
func (c *counting) Delete(key []byte) error {
	c.staged += len(key)
	return c.KV.Delete(key)
}
