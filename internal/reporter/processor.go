package reporter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/state"
	"tracksource/stream"
)

// Emitter is the part of a batch that stages outputs.
type Emitter interface {
	Emit(topic string, key, value []byte, headers ...stream.Header)
}

// The kinds of credit entries.
const (
	kindEntry      = "entry"
	kindGeneration = "generation"
)

const (
	// sliceKeysDefault is how many parts a slice of a retirement reads: enough to
	// retire a million in minutes, little beside a batch.
	sliceKeysDefault = 500
	// dimensionMax bounds a dimension of an entry, in bytes. Contracts cut theirs
	// at a hundred; the bound keeps ten of them inside one key of a store.
	dimensionMax = 1000
	// modelsMax bounds the models of an entry. Contracts list at most six, and an
	// entry names those of two revisions.
	modelsMax = 64
	// exponentMax is the scale of decimal(38,9).
	exponentMax = 9
)

// ThrottleDefault is how long a key is held after it was published: a page or a
// loader that follows rows gains nothing from more than four a second.
const ThrottleDefault = 250 * time.Millisecond

// Config describes a Processor. Codecs, Contributions, Alerts and Log are
// required.
type Config struct {
	Codecs        *avro.Codecs
	Contributions string            // topic of the rows
	Partners      map[string]string // topics of the rows that partners see, by partner
	Alerts        string            // topic of the alerts
	// Throttle is how long changes of a key are held after one was published, so
	// that the last of them is published once; 0: they are not. Milliseconds count.
	Throttle time.Duration
	// Policies returns what the contracts in force say, by campaign; nil while that
	// is not known, and as a function for contracts that are not. It is called by
	// every batch; what it returned is never changed.
	Policies  func() map[string]Policy
	SliceKeys int      // keys that one slice of work without input reads; 0: 500
	Stats     *Stats   // may be shared by all processors of a worker; may be nil
	Metrics   *Metrics // may be nil
	Log       *slog.Logger
}

// Stats counts what committed batches did. It is safe for concurrent use.
type Stats struct {
	Entries    atomic.Int64 // folded
	Replays    atomic.Int64 // ignored: seen before
	Stale      atomic.Int64 // ignored: of a retired generation
	Gaps       atomic.Int64 // sequences that jumped
	Mismatches atomic.Int64 // entries whose running does not follow from delta
	Unreadable atomic.Int64 // records that are no entry
	Retired    atomic.Int64 // parts of older generations taken back
	Rows       atomic.Int64 // rows published, soft deletes included
	Deletes    atomic.Int64 // soft deletes
	Partner    atomic.Int64 // records to the topics of partners, tombstones included
	Withdrawn  atomic.Int64 // rows deleted for a partner that must not see them any more
}

// counts are those of the batch in hand.
type counts struct {
	entries, replays, stale, gaps, mismatches, unreadable, retired, rows, deletes, partnerRecords, withdrawn int64
}

func (s *Stats) add(c counts) {
	s.Entries.Add(c.entries)
	s.Replays.Add(c.replays)
	s.Stale.Add(c.stale)
	s.Gaps.Add(c.gaps)
	s.Mismatches.Add(c.mismatches)
	s.Unreadable.Add(c.unreadable)
	s.Retired.Add(c.retired)
	s.Rows.Add(c.rows)
	s.Deletes.Add(c.deletes)
	s.Partner.Add(c.partnerRecords)
	s.Withdrawn.Add(c.withdrawn)
}

// Processor folds one partition of credits into contribution rows.
//
// The value of a row is the sum, over the sources, of the newest running total
// that each source gave. An entry read twice, or written again under a new
// generation, therefore changes nothing; that is what the numbers rest on. The
// sequences and the deltas are only checked.
type Processor struct {
	cfg       Config
	partition int32
	first     int64 // version of a key's first row
	kv        task.KV

	// What is cached of kv; stale after Aborted, and read again then.
	retiring map[int32]bool
	holds    holds
	books    map[string]*book // by contract
	names    names            // of models and currencies; no harm if it is too much
	written  bool             // whether the state says how it is written
	stale    bool
	batch    counts
}

// New makes the processor of an assigned partition over its restored state.
//
// The first version of a row is the generation of the state, which is a time in
// milliseconds, and each change adds one: so versions rise even over a state
// that was lost and folded anew, as no row changes a thousand times a second.
func New(cfg Config, a stream.Assignment, kv task.KV) (*Processor, error) {
	if cfg.Codecs == nil || cfg.Contributions == "" || cfg.Alerts == "" || cfg.Log == nil || kv == nil {
		return nil, errors.New("reporter: Config needs Codecs, Contributions, Alerts and Log, and New a KV")
	}
	if cfg.Policies == nil {
		cfg.Policies = func() map[string]Policy { return nil }
	}
	if cfg.SliceKeys <= 0 {
		cfg.SliceKeys = sliceKeysDefault
	}
	if cfg.Stats == nil {
		cfg.Stats = &Stats{}
	}
	cfg.Log = cfg.Log.With("credits_partition", a.Partition)
	p := &Processor{cfg: cfg, partition: a.Partition, first: max(1, a.Generation), kv: kv, names: names{}}
	return p, p.load()
}

// load reads what is cached of the state.
func (p *Processor) load() error {
	p.batch = counts{}
	for _, read := range []func() error{p.loadLayout, p.loadSources, p.loadHolds, p.loadBooks} {
		if err := read(); err != nil {
			return err
		}
	}
	p.stale = false
	return nil
}

// loadLayout halts the partition over a state that another layout was written by.
// Its changelog says the same, so that a restore does not help.
func (p *Processor) loadLayout() error {
	b, err := p.kv.Get(spaceLayout.Key())
	if err != nil {
		return fmt.Errorf("load layout: %w", err)
	}
	was := ""
	if b != nil {
		body, err := spaceLayout.Body(b)
		if err != nil {
			return fmt.Errorf("load layout: %w", err)
		}
		was = string(body)
	}
	if p.written = was == layout(); p.written {
		return nil
	}
	empty := true
	from, to := spaceSource.Key().Range()
	err = p.kv.Scan(from, to, func(_, _ []byte) (bool, error) {
		empty = false
		return false, nil
	})
	if err != nil || empty {
		return err
	}
	return fmt.Errorf("%w: the state of credits partition %d was written by another version of this program (%q, this one writes %q): "+
		"delete the reporter's changelog and its group's offsets to rebuild the state from credits", stream.ErrHalted, p.partition, was, layout())
}

// loadSources reads which sources have parts of older generations left.
func (p *Processor) loadSources() error {
	p.retiring = map[int32]bool{}
	from, to := spaceSource.Key().Range()
	err := p.kv.Scan(from, to, func(key, value []byte) (bool, error) {
		parts := spaceSource.Parts(key)
		source := int32(parts.Uint32())
		if err := parts.End(); err != nil {
			return false, err
		}
		s, err := decodeSource(value)
		if err != nil {
			return false, err
		}
		if s.retiring {
			p.retiring[source] = true
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("load sources: %w", err)
	}
	return nil
}

func (p *Processor) loadBooks() error {
	p.books = map[string]*book{}
	from, to := spaceBook.Key().Range()
	err := p.kv.Scan(from, to, func(key, value []byte) (bool, error) {
		parts := spaceBook.Parts(key)
		name := parts.String()
		if err := parts.End(); err != nil {
			return false, err
		}
		b, err := decodeBook(name, value)
		if err != nil {
			return false, fmt.Errorf("book of %s: %w", name, err)
		}
		p.books[name] = b
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("load books: %w", err)
	}
	return nil
}

var (
	_ stream.Processor = (*Processor)(nil)
	_ stream.Closer    = (*Processor)(nil)
	_ stream.Waiter    = (*Processor)(nil)
)

// Process implements stream.Processor.
func (p *Processor) Process(ctx context.Context, b *stream.Batch) error {
	return p.Fold(ctx, b.Records, b.Now, b)
}

// Fold folds records into the state and stages rows and alerts with out: what
// Process does, for tests that have no Kafka. now decides what is held, and which
// days are final. Each call also does one slice of all work that needs no input,
// so that a busy partition does not put it off.
func (p *Processor) Fold(ctx context.Context, records []stream.Record, now time.Time, out Emitter) error {
	if p.stale {
		if err := p.load(); err != nil {
			return err
		}
	}
	f := &fold{p: p, out: out, now: now, policies: p.cfg.Policies(), sources: map[int32]*sourceState{}, totals: map[string]*dirty{}}
	f.adopt()
	for i := range records {
		if err := f.record(ctx, &records[i]); err != nil {
			return fmt.Errorf("fold credits %d at offset %d: %w", p.partition, records[i].Offset, err)
		}
	}
	if err := f.retire(); err != nil {
		return fmt.Errorf("retire older generation: %w", err)
	}
	if err := f.release(len(records)); err != nil {
		return fmt.Errorf("release held keys: %w", err)
	}
	if err := f.sweepSlice(); err != nil {
		return fmt.Errorf("publish again: %w", err)
	}
	return f.finish()
}

// Pending implements stream.Processor: there is work while an older generation
// is being retired, when a held key is due, and when rows do not say yet what the
// contract in force and the day make of them.
func (p *Processor) Pending(now time.Time) bool {
	if p.stale || len(p.retiring) > 0 || p.holds.due(now, p.cfg.Throttle) {
		return true
	}
	policies := p.cfg.Policies()
	for name, b := range p.books {
		if _, behind := b.behind(policyOf(policies, name), now); behind || b.sweep.active {
			return true
		}
	}
	return false
}

// Waiting implements stream.Waiter: keys are held.
func (p *Processor) Waiting() bool { return len(p.holds.of) > 0 }

// Committed implements stream.Processor.
func (p *Processor) Committed() {
	p.cfg.Stats.add(p.batch)
	p.batch = counts{}
	sweeping := 0
	for _, b := range p.books {
		if b.sweep.active {
			sweeping++
		}
	}
	p.cfg.Metrics.show(p.partition, len(p.holds.of), sweeping)
}

// Aborted implements stream.Processor.
func (p *Processor) Aborted() { p.stale = true }

// Close implements stream.Closer.
func (p *Processor) Close() { p.cfg.Metrics.forget(p.partition) }

// fold is the work of one batch.
type fold struct {
	p        *Processor
	out      Emitter
	now      time.Time
	policies map[string]Policy
	sources  map[int32]*sourceState
	totals   map[string]*dirty // by state key

	// Memory that is used again.
	entered avro.CreditEntry
	key     state.Key
	value   []byte
	moves   []move
	shares  []share
	form    encoded
	// Memory of the batch, from which pieces are cut; never overwritten.
	rows    []byte // rows behind each other
	dirties slab[dirty]
	memory  memory
}

// encoded is what a row is encoded from. On the stack of a function it would be
// moved to the heap, row by row, since it is handed to an encoder of any type.
type encoded struct {
	key              avro.ContributionKey
	row              avro.ContributionRow
	value, confident [16]byte
}

// dirty is a total that the batch may have changed.
type dirty struct {
	dims   dims
	book   *book
	stored []byte // what the state has under its key; nil for nothing
	total
}

func (f *fold) record(ctx context.Context, r *stream.Record) error {
	e := &f.entered
	if err := f.p.cfg.Codecs.Credit.DecodeOver(r.Value, e); err != nil {
		switch {
		case errors.Is(err, avro.ErrRegistry):
			return fmt.Errorf("%w: %w", stream.ErrTransient, err)
		case errors.Is(err, avro.ErrRegistryRefused):
			return err
		}
		return f.unreadable(ctx, r, err.Error())
	}
	if fault := faultOf(e); fault != "" {
		return f.unreadable(ctx, r, fault)
	}
	s, err := f.source(e.SourcePartition)
	if err != nil {
		return err
	}
	switch {
	case s.generation < 0 || e.Generation > s.generation:
		s.renew(e, r)
		if s.retiring {
			f.p.retiring[e.SourcePartition] = true
		}
		if e.Kind == kindGeneration {
			s.last = e.Sequence
			f.p.cfg.Log.InfoContext(ctx, "source has a new generation", "source_partition", e.SourcePartition, "generation", e.Generation)
			return nil
		}
	case e.Generation < s.generation:
		f.p.batch.stale++
		return nil
	}
	if e.Sequence <= s.last {
		f.p.batch.replays++
		return nil
	}
	if e.Sequence != s.last+1 {
		if err := f.gap(ctx, e, s.last, r); err != nil {
			return err
		}
		s.gap = e.Sequence
	}
	s.last = e.Sequence
	if e.Kind == kindGeneration {
		return nil
	}
	return f.entry(ctx, e, s, r)
}

// faultOf says why an entry cannot be folded, or nothing.
func faultOf(e *avro.CreditEntry) string {
	if e.SourcePartition < 0 || e.Generation < 0 || e.Sequence < 0 {
		return fmt.Sprintf("source partition %d, generation %d or sequence %d is negative", e.SourcePartition, e.Generation, e.Sequence)
	}
	switch e.Kind {
	case kindGeneration:
		return ""
	case kindEntry:
	default:
		return "unknown kind of entry"
	}
	d := dimsOf(e)
	for _, part := range d.parts() {
		if len(*part) > dimensionMax {
			return fmt.Sprintf("a dimension of %d bytes, at most %d are kept", len(*part), dimensionMax)
		}
	}
	n := len(e.Models)
	if n == 0 || n > modelsMax || len(e.Delta) != n || len(e.Running) != n || len(e.Confident) != n && len(e.Confident) > 0 {
		return fmt.Sprintf("%d models, %d deltas, %d running totals and %d confident ones", n, len(e.Delta), len(e.Running), len(e.Confident))
	}
	for i, m := range e.Models {
		if len(m) > dimensionMax || slices.Contains(e.Models[:i], m) {
			return "a model is named twice or too long"
		}
	}
	if e.Exponent < 0 || e.Exponent > exponentMax || len(e.Currency) > dimensionMax {
		return fmt.Sprintf("exponent %d, or a currency of %d bytes", e.Exponent, len(e.Currency))
	}
	return ""
}

// source returns the state of a source, with generation -1 for a new one.
func (f *fold) source(id int32) (*sourceState, error) {
	if s, ok := f.sources[id]; ok {
		return s, nil
	}
	b, err := f.p.kv.Get(sourceKey(id))
	if err != nil {
		return nil, err
	}
	s := &sourceState{generation: -1}
	if b != nil {
		if s, err = decodeSource(b); err != nil {
			return nil, fmt.Errorf("source %d: %w", id, err)
		}
	}
	f.sources[id] = s
	return s, nil
}

// renew begins a generation. What the older ones said stands until it is
// replaced or retired, so that a rebuilt attributor does not show as a dip to
// zero for longer than it needs.
func (s *sourceState) renew(e *avro.CreditEntry, r *stream.Record) {
	known := s.generation >= 0
	*s = sourceState{generation: e.Generation}
	if known {
		s.retiring, s.retiredAt, s.retiredBy = true, r.Timestamp.UnixMilli(), r.Offset
	}
}

// finish publishes what changed and stages the state.
func (f *fold) finish() error {
	for _, key := range slices.Sorted(maps.Keys(f.totals)) {
		if err := f.publish(key, f.totals[key]); err != nil {
			return fmt.Errorf("publish contributions: %w", err)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(f.sources)) {
		if f.sources[id].generation < 0 {
			continue
		}
		if err := f.p.kv.Put(sourceKey(id), f.sources[id].encode()); err != nil {
			return err
		}
	}
	if err := f.saveHolds(); err != nil {
		return err
	}
	if err := f.saveBooks(); err != nil || f.p.written {
		return err
	}
	f.p.written = true
	return f.p.kv.Put(spaceLayout.Key(), spaceLayout.Value([]byte(layout())))
}
