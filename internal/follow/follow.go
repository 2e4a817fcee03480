package follow

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"tracksource/deploy/kafka"
	"tracksource/internal/line"
	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/state"
	"tracksource/stream"
)

// Config says what is followed. Codecs, Spec, Log and Clock are required.
type Config struct {
	Codecs *avro.Codecs
	Spec   kafka.Spec
	Log    *slog.Logger
	Clock  func() time.Time

	// CubeBytes bounds the memory in which rows are kept to be summed; 0 is
	// CubeBytesDefault. What does not fit is summed from disk.
	CubeBytes int64
	// DealBytes bounds the memory in which the deals of each book are kept; 0 is
	// DealBytesDefault. A book that does not fit is read from disk for every question.
	DealBytes int64
	// Past is whether it is of an earlier moment. What is counted of feeds is of now, and
	// not followed: what a package showed of it is in its manifest.
	Past bool
}

const (
	// CubeBytesDefault holds about two and a half million rows.
	CubeBytesDefault = 256 << 20
	// DealBytesDefault holds some tens of thousands of deals of a dozen touches.
	DealBytesDefault = 128 << 20
)

// TopicsOf returns the topics that are followed. What a cluster lacks of them, see
// line.Line.Has, is not.
func TopicsOf(s kafka.Spec) []string {
	return []string{s.Contributions(), s.Facts(), s.Control(), s.Alerts(), s.Credits(), s.FeedCounts()}
}

// Follow is what the topics say, as far as they are read. It is safe for concurrent
// use.
type Follow struct {
	cfg    Config
	rows   *table
	facts  *table
	book   *table
	alerts *table
	ledger *table
	feeds  *table
	all    []*table
	cubes  *cubes

	dealBooks   dealBooks
	factsLives  lives
	ledgerLives lives
	decisions   decisions

	mu      sync.Mutex
	version uint64        // guarded by mu; counts changes
	changed chan struct{} // guarded by mu; closed by the next change
}

// table is one topic and the store that it is followed into.
type table struct {
	name, topic string
	project     func(r *stream.Record, put func(key, value []byte)) error
	changed     func([]stream.Record) error
	emptied     func()

	// One of these is there: followed for a topic, disk for records that are handed in. A
	// topic that the cluster lacks has neither.
	followed *stream.Table
	disk     *state.Store
	next     []int64 // of records that are handed in; written under changing

	// changing is held while the store changes and what is in memory of it is made to
	// follow. Who reads holds it shared where the tables must stand still, see Still.
	changing sync.RWMutex
}

// reader is a store as it is read.
type reader interface {
	Get(key []byte) ([]byte, error)
	Scan(from, to []byte, fn func(key, value []byte) (bool, error)) error
}

func (t *table) store() (reader, error) {
	if t.followed == nil {
		return t.disk, nil
	}
	st, ok := t.followed.Store().(*task.Store)
	if !ok {
		return nil, fmt.Errorf("store of table %s is a %T", t.name, t.followed.Store())
	}
	return st.Disk(), nil
}

func (t *table) scan(from, to []byte, fn func(key, value []byte) (bool, error)) error {
	st, err := t.store()
	if err != nil {
		return err
	}
	return st.Scan(from, to, fn)
}

// get returns the value of a key, nil without one.
func (t *table) get(key []byte) ([]byte, error) {
	st, err := t.store()
	if err != nil {
		return nil, err
	}
	return st.Get(key)
}

func build(cfg Config) (*Follow, error) {
	if cfg.Codecs == nil || cfg.Log == nil || cfg.Clock == nil {
		return nil, errors.New("follow: Config needs Codecs, Spec, Log and Clock")
	}
	if cfg.CubeBytes == 0 {
		cfg.CubeBytes = CubeBytesDefault
	}
	if cfg.DealBytes == 0 {
		cfg.DealBytes = DealBytesDefault
	}
	f := &Follow{cfg: cfg, changed: make(chan struct{})}
	f.rows = &table{name: "rows", topic: cfg.Spec.Contributions(), project: f.projectRow, changed: f.rowsChanged, emptied: func() { f.cubes.empty() }}
	f.facts = &table{name: "facts", topic: cfg.Spec.Facts(), project: f.projectFacts, changed: f.factsChanged, emptied: f.factsLost}
	f.book = &table{name: "decisions", topic: cfg.Spec.Control(), project: f.projectDecision, changed: f.decisionsChanged, emptied: f.decisions.empty}
	f.alerts = &table{name: "alerts", topic: cfg.Spec.Alerts(), project: f.projectAlert}
	f.ledger = &table{name: "ledger", topic: cfg.Spec.Credits(), project: f.projectEntry, emptied: f.ledgerLives.empty}
	f.feeds = &table{name: "feeds", topic: cfg.Spec.FeedCounts(), project: f.projectFeed}
	f.all = []*table{f.rows, f.facts, f.book, f.alerts, f.ledger}
	if !cfg.Past {
		f.all = append(f.all, f.feeds)
	}
	f.dealBooks.max = cfg.DealBytes
	f.cubes = &cubes{max: cfg.CubeBytes, entries: map[cubeName]*cubeEntry{}, load: f.loadCube}
	return f, nil
}

// Open makes the tables of all topics in the data directory of l. The caller runs
// and closes them, see Tables.
func Open(l *line.Line, cubeBytes int64) (*Follow, error) {
	f, err := build(Config{Codecs: l.Codecs, Spec: l.Spec, Log: l.Log, Clock: l.Clock, CubeBytes: cubeBytes})
	if err != nil {
		return nil, err
	}
	for _, t := range f.all {
		if !l.Has(t.topic) {
			continue
		}
		t.followed, err = stream.NewTable(stream.TableConfig{
			Conn: l.Stream(), Topic: t.topic, Stores: task.Stores(l.Dir, "follow-"+t.name), Log: l.Log, Clock: l.Clock, Layout: layout,
			Project: func(r stream.Record, put func(key, value []byte)) error { return f.projected(t, &r, put) },
			Changed: func(records []stream.Record) { f.took(t, records) },
			Emptied: func() { f.lost(t) }, Changing: &t.changing,
		})
		if err != nil {
			return nil, errors.Join(err, f.closeTables())
		}
	}
	if err := f.recall(); err != nil {
		return nil, errors.Join(err, f.closeTables())
	}
	return f, nil
}

func (f *Follow) closeTables() error {
	var errs []error
	for _, t := range f.all {
		if t.followed != nil {
			errs = append(errs, t.followed.Close())
		}
	}
	return errors.Join(errs...)
}

// Offline makes a Follow that takes records from its caller in the place of Kafka,
// for tests and tools. Its stores are in dir, which the caller closes.
func Offline(cfg Config, dir *state.Dir) (*Follow, error) {
	f, err := build(cfg)
	if err != nil {
		return nil, err
	}
	for _, t := range f.all {
		if t.disk, err = dir.Open("follow-" + t.name); err != nil {
			return nil, err
		}
	}
	return f, f.recall()
}

// Take takes the next records of a topic in, for a Follow that is Offline.
func (f *Follow) Take(topic string, records ...stream.Record) error {
	const most = 2000 // as many as a table takes at once
	for _, t := range f.all {
		if t.topic != topic {
			continue
		}
		for part := range slices.Chunk(records, most) {
			t.changing.Lock()
			err := f.take(t, part)
			t.changing.Unlock()
			if err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("topic %s is not followed", topic)
}

// take takes in records, in parts where they do not fit one write. The caller has the
// table's changing.
func (f *Follow) take(t *table, records []stream.Record) error {
	rows := map[string][]byte{}
	for i := range records {
		if err := f.projected(t, &records[i], func(key, value []byte) { rows[string(key)] = value }); err != nil {
			return err
		}
	}
	err := t.disk.Apply(each(rows), []byte("{}"))
	if half := len(records) / 2; errors.Is(err, state.ErrTooBig) && half > 0 {
		if err := f.take(t, records[:half]); err != nil {
			return err
		}
		return f.take(t, records[half:])
	}
	if err != nil {
		return err
	}
	for i := range records {
		p := int(records[i].Partition)
		t.next = append(t.next, make([]int64, max(p+1-len(t.next), 0))...)
		t.next[p] = records[i].Offset + 1
	}
	f.took(t, records)
	return nil
}

func each(rows map[string][]byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		for k, v := range rows {
			if !yield([]byte(k), v) {
				return
			}
		}
	}
}

// recall loads what is kept in memory of the stores beside cubes.
func (f *Follow) recall() error {
	return errors.Join(f.factsLives.load(f.facts, spaceFactsLife), f.ledgerLives.load(f.ledger, spaceLedgerLife))
}

// projected is what a table makes of a record. One that cannot be read is left out: no
// record of our own topics is, and one that is must not stop all others.
func (f *Follow) projected(t *table, r *stream.Record, put func(key, value []byte)) error {
	err := t.project(r, put)
	if err == nil || errors.Is(err, avro.ErrRegistry) {
		return err
	}
	f.cfg.Log.ErrorContext(context.Background(), "record left out", "table", t.name, "partition", r.Partition, "offset", r.Offset, "err", err)
	return nil
}

// took notes records that are in the store.
func (f *Follow) took(t *table, records []stream.Record) {
	if t.changed != nil {
		if err := t.changed(records); err != nil {
			// What is in memory may lack something from here on: it is loaded again.
			f.cfg.Log.ErrorContext(context.Background(), "changes not followed, loading again", "table", t.name, "err", err)
			t.emptied()
			if err := f.recall(); err != nil {
				f.cfg.Log.ErrorContext(context.Background(), "lives not loaded", "err", err)
			}
		}
	}
	f.bump()
}

func (f *Follow) lost(t *table) {
	if t.emptied != nil {
		t.emptied()
	}
	f.bump()
}

func (f *Follow) bump() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.version++
	close(f.changed)
	f.changed = make(chan struct{})
}

// Version returns how often something changed, and a channel that is closed when
// it does again.
func (f *Follow) Version() (uint64, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.version, f.changed
}

// Forget forgets the sums and deals that are kept in memory: what is asked next is read from
// disk.
func (f *Follow) Forget() {
	f.cubes.empty()
	f.dealBooks.empty()
}

func (f *Follow) factsLost() {
	f.factsLives.empty()
	f.dealBooks.empty()
}

// Tables are the tables to run and to close; none for a Follow that is Offline.
func (f *Follow) Tables() []*stream.Table {
	var out []*stream.Table
	for _, t := range f.all {
		if t.followed != nil {
			out = append(out, t.followed)
		}
	}
	return out
}

// Behind is for how long something may be missing from what is followed, and why:
// zero and nothing where all is there. A topic that was never read to its end counts
// from the beginning of time, as -1.
func (f *Follow) Behind() (age time.Duration, why string) {
	now := f.cfg.Clock()
	for _, t := range f.Tables() {
		since, reason := t.Behind()
		switch {
		case reason == "" || age < 0:
		case since.IsZero():
			age, why = -1, reason
		case why == "" || now.Sub(since) > age:
			age, why = now.Sub(since), reason
		}
	}
	return age, why
}

// lives are the generations of the sources of a topic: what a source said in an older
// life than its newest counts no longer.
type lives struct {
	mu     sync.RWMutex
	newest map[int32]int64 // guarded by mu
}

func (l *lives) empty() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.newest = nil
}

func (l *lives) note(source int32, generation int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.newest == nil {
		l.newest = map[int32]int64{}
	}
	l.newest[source] = max(l.newest[source], generation)
}

// over reports whether a generation of a source counts no longer.
func (l *lives) over(source int32, generation int64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return generation < l.newest[source]
}

func lifeKey(space state.Keyspace, source, partition int32) state.Key {
	return space.Key().Uint32(uint32(source)).Uint32(uint32(partition))
}

func lifeValue(space state.Keyspace, generation int64) []byte {
	return space.Value(binary.BigEndian.AppendUint64(nil, uint64(generation)))
}

func (l *lives) load(t *table, space state.Keyspace) error {
	from, to := space.Key().Range()
	return t.scan(from, to, func(key, value []byte) (bool, error) {
		p := space.Parts(key)
		source := int32(p.Uint32())
		body, err := space.Body(value)
		if err != nil {
			return false, err
		}
		if len(body) != 8 {
			return false, fmt.Errorf("generation of %d bytes", len(body))
		}
		l.note(source, int64(binary.BigEndian.Uint64(body)))
		return true, nil
	})
}
