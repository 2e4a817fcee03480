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

// Config describes a Processor. Codecs, Contributions, Alerts and Log are
// required.
type Config struct {
	Codecs        *avro.Codecs
	Contributions string // topic of the rows
	Alerts        string // topic of the alerts
	SliceKeys     int    // parts that one slice of a retirement reads; 0: 500
	Stats         *Stats // may be shared by all processors of a worker; may be nil
	Log           *slog.Logger
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
}

// counts are those of the batch in hand.
type counts struct {
	entries, replays, stale, gaps, mismatches, unreadable, retired, rows, deletes int64
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
	if cfg.SliceKeys <= 0 {
		cfg.SliceKeys = sliceKeysDefault
	}
	if cfg.Stats == nil {
		cfg.Stats = &Stats{}
	}
	cfg.Log = cfg.Log.With("credits_partition", a.Partition)
	p := &Processor{cfg: cfg, partition: a.Partition, first: max(1, a.Generation), kv: kv}
	return p, p.load()
}

// load reads which sources have parts of older generations left.
func (p *Processor) load() error {
	p.retiring, p.batch = map[int32]bool{}, counts{}
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
	p.stale = false
	return nil
}

var _ stream.Processor = (*Processor)(nil)

// Process implements stream.Processor.
func (p *Processor) Process(ctx context.Context, b *stream.Batch) error {
	return p.Fold(ctx, b.Records, b)
}

// Fold folds records into the state and stages rows and alerts with out: what
// Process does, for tests that have no Kafka. Each call also does one slice of
// a pending retirement, so that a busy partition does not put it off.
func (p *Processor) Fold(ctx context.Context, records []stream.Record, out Emitter) error {
	if p.stale {
		if err := p.load(); err != nil {
			return err
		}
	}
	f := &fold{p: p, out: out, sources: map[int32]*sourceState{}, totals: map[string]*dirty{}}
	for i := range records {
		if err := f.record(ctx, &records[i]); err != nil {
			return fmt.Errorf("fold credits %d at offset %d: %w", p.partition, records[i].Offset, err)
		}
	}
	if err := f.retire(); err != nil {
		return fmt.Errorf("retire older generation: %w", err)
	}
	return f.finish()
}

// Pending implements stream.Processor: there is work while an older generation
// is being retired.
func (p *Processor) Pending(time.Time) bool { return p.stale || len(p.retiring) > 0 }

// Committed implements stream.Processor.
func (p *Processor) Committed() {
	p.cfg.Stats.add(p.batch)
	p.batch = counts{}
}

// Aborted implements stream.Processor.
func (p *Processor) Aborted() { p.stale = true }

// fold is the work of one batch.
type fold struct {
	p       *Processor
	out     Emitter
	sources map[int32]*sourceState
	totals  map[string]*dirty // by state key
}

// dirty is a total that the batch may have changed.
type dirty struct {
	dims dims
	total
}

func (f *fold) record(ctx context.Context, r *stream.Record) error {
	var e avro.CreditEntry
	if err := f.p.cfg.Codecs.Credit.Decode(r.Value, &e); err != nil {
		switch {
		case errors.Is(err, avro.ErrRegistry):
			return fmt.Errorf("%w: %w", stream.ErrTransient, err)
		case errors.Is(err, avro.ErrRegistryRefused):
			return err
		}
		return f.unreadable(ctx, r, err.Error())
	}
	if fault := faultOf(&e); fault != "" {
		return f.unreadable(ctx, r, fault)
	}
	s, err := f.source(e.SourcePartition)
	if err != nil {
		return err
	}
	switch {
	case s.generation < 0 || e.Generation > s.generation:
		s.renew(&e, r)
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
		if err := f.gap(ctx, &e, s.last, r); err != nil {
			return err
		}
		s.gap = e.Sequence
	}
	s.last = e.Sequence
	if e.Kind == kindGeneration {
		return nil
	}
	return f.entry(ctx, &e, s, r)
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
	if n == 0 || n > modelsMax || len(e.Delta) != n || len(e.Running) != n {
		return fmt.Sprintf("%d models, %d deltas and %d running totals", n, len(e.Delta), len(e.Running))
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
		if err := f.publish([]byte(key), f.totals[key]); err != nil {
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
	return nil
}
