package stream

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TableConfig describes a Table. Conn, Topic, Stores, Log and Clock are required.
type TableConfig struct {
	Conn   Conn
	Topic  string // written by transactions of others
	Stores Stores // Open(0) is the table's store
	Log    *slog.Logger
	Clock  func() time.Time

	// Project says what the store holds of a record: nothing, or rows under any keys,
	// of which a later one replaces an earlier one and a nil value deletes. It must
	// depend on the record alone. Nil: the record's own key and value. An error stops
	// the table at the record until it is gone, as one of the registry is.
	Project func(r Record, put func(key, value []byte)) error
	// Layout names the form of what Project puts. A store of another layout is set
	// aside, and the topic read from its start.
	Layout string

	// Changed is told the records of each poll once the store holds them, Emptied
	// that the store was replaced by an empty one.
	Changed func([]Record)
	Emptied func()

	// Changing is held from before the store changes until Changed or Emptied has
	// returned: who holds it sees the table stand still. Nil: nobody does.
	Changing sync.Locker
}

// Table is a whole topic in a local store: every instance reads it to its end
// before it is ready, and follows it from then on.
type Table struct {
	cfg     TableConfig
	mu      sync.Mutex
	store   Store     // guarded by mu
	ready   bool      // guarded by mu
	lastErr error     // guarded by mu
	current time.Time // guarded by mu; when the table last was seen to hold all there is
	next    []int64   // guarded by mu; what the store has been told of, see Positions
}

// tableMeta is what the store keeps beside the rows.
type tableMeta struct {
	Format  int             `json:"format"`
	Layout  string          `json:"layout,omitempty"`
	Cluster string          `json:"cluster"`
	TopicID string          `json:"topic_id"`
	Next    map[int32]int64 `json:"next"`
}

const (
	tablePoll = 200 * time.Millisecond
	// tableQuiet is after how many empty polls in a row a reader asks whether the
	// end can still be met: compaction may have removed the marker that would have
	// shown it.
	tableQuiet = 10
	tablePause = time.Second
	// tableProbe is how often the end of the topic is asked for, and tableProbeWait
	// how long for an answer: no more than that after it has gone, a broker is known
	// to be unreachable, which a client does not say of its own accord.
	tableProbe     = 2 * time.Second
	tableProbeWait = 5 * time.Second
)

// NewTable opens the table's store. Close it after Run has returned.
func NewTable(cfg TableConfig) (*Table, error) {
	if cfg.Topic == "" || cfg.Stores == nil || cfg.Log == nil || cfg.Clock == nil {
		return nil, errors.New("stream: TableConfig needs Topic, Stores, Log and Clock")
	}
	if cfg.Changed == nil {
		cfg.Changed = func([]Record) {}
	}
	if cfg.Emptied == nil {
		cfg.Emptied = func() {}
	}
	if cfg.Changing == nil {
		cfg.Changing = new(sync.Mutex)
	}
	if cfg.Project == nil {
		cfg.Project = func(r Record, put func(key, value []byte)) error {
			put(r.Key, r.Value)
			return nil
		}
	}
	cfg.Log = cfg.Log.With("table", cfg.Topic)
	store, err := cfg.Stores.Open(0)
	if err != nil {
		return nil, fmt.Errorf("open store of table %s: %w", cfg.Topic, err)
	}
	t := &Table{cfg: cfg, store: store}
	t.recall()
	return t, nil
}

// recall takes the positions of a store that an earlier life left: it is answered from
// before a broker is reached. What is wrong with it is for Run to say.
func (t *Table) recall() {
	var m tableMeta
	b, err := t.store.Meta()
	if err == nil && b != nil && strictJSON(b, &m) == nil && m.Format <= formatVersion && m.Layout == t.cfg.Layout {
		t.next = listed(m.Next)
	}
}

// Positions returns for each partition of the topic the offset behind what the store
// has been told of; nil while that is not known. Who wants it to be of one moment with
// what the store holds has Changing.
func (t *Table) Positions() []int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.next)
}

func (t *Table) at(next map[int32]int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next = listed(next)
}

// listed puts positions in the order of partitions, which are numbered without a gap.
func listed(next map[int32]int64) []int64 {
	out := make([]int64, len(next))
	for p, at := range next {
		if int(p) >= len(out) {
			return nil // no topic has such partitions
		}
		out[p] = at
	}
	return out
}

// Store returns the store, for reading. It stays the same from the moment that
// Ready first returns nil.
func (t *Table) Store() Store {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.store
}

// Close closes the store.
func (t *Table) Close() error { return t.Store().Close() }

// Ready returns nil once the table has been read to the end that it had when
// Run began.
func (t *Table) Ready() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.ready:
		return nil
	case t.lastErr != nil:
		return fmt.Errorf("table %s: %w", t.cfg.Topic, t.lastErr)
	}
	return fmt.Errorf("table %s is still being read", t.cfg.Topic)
}

// tableFresh is how long ago a table may have been seen to hold all there is and
// still counts as current: two probes and what they take.
const tableFresh = 2*tableProbe + time.Second

// Behind returns since when the table may lack records of its topic, and why. The
// time is zero for one that never held all there was; why is empty for a table that
// is current.
func (t *Table) Behind() (since time.Time, why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.lastErr != nil:
		return t.current, "the broker cannot be read from: " + t.lastErr.Error()
	case !t.ready:
		return t.current, "the topic is still being read"
	case t.cfg.Clock().Sub(t.current) > tableFresh:
		return t.current, "the topic is longer than what is read of it"
	}
	return t.current, ""
}

// Run reads and follows the topic until ctx ends; it returns nil then. Errors
// are retried: a table is behind for as long as they last, never wrong.
func (t *Table) Run(ctx context.Context) error {
	for {
		err := t.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		t.mu.Lock()
		t.lastErr = err
		t.mu.Unlock()
		t.cfg.Log.WarnContext(ctx, "table interrupted, reading on", "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(tablePause):
		}
	}
}

func (t *Table) follow(ctx context.Context) error {
	quietly := newDrained()
	cl, err := kgo.NewClient(append(t.cfg.Conn.options(),
		kgo.ClientID("table-"+t.cfg.Topic),
		kgo.WithLogger(logAdapter{t.cfg.Log}),
		kgo.WithHooks(quietly.fetches),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the last offset of the log is usually a marker
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(tablePoll),
	)...)
	if err != nil {
		return fmt.Errorf("open client: %w", err)
	}
	defer cl.Close()
	meta, ends, err := t.positions(ctx, cl)
	if err != nil {
		return err
	}
	c, err := fetchCluster(ctx, cl, t.cfg.Topic)
	if err != nil {
		return err
	}
	quietly.leaders = c.leaders[t.cfg.Topic]
	t.at(meta.Next)
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{t.cfg.Topic: offsetsAt(meta.Next)})
	first := &probe{left: ends}
	var open *probe
	var probed time.Time
	for quiet := 1; ; quiet++ {
		if now := t.cfg.Clock(); open == nil && now.Sub(probed) >= tableProbe {
			probed = now
			if open, err = t.ask(ctx, cl, meta.Next); err != nil {
				return err
			}
		} else if now.Sub(probed) >= tableProbeWait {
			// The end does not come nearer: is there a broker at all?
			probed = now
			if _, err := t.ask(ctx, cl, meta.Next); err != nil {
				return err
			}
		}
		pctx, cancel := context.WithTimeout(ctx, tablePoll)
		fs := cl.PollRecords(pctx, restoreChunkRecords)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, e := range fs.Errors() {
			if !errors.Is(e.Err, context.DeadlineExceeded) {
				return fmt.Errorf("poll %s/%d: %w", e.Topic, e.Partition, e.Err)
			}
		}
		if err := t.apply(fs.Records(), &meta); err != nil {
			return err
		}
		for it := fs.RecordIter(); !it.Done(); quiet = 0 {
			quietly.came(it.Next().Partition)
		}
		if quiet > 0 && quiet%tableQuiet == 0 {
			if err := t.drop(ctx, cl, &quietly, first, open); err != nil {
				return err
			}
		}
		t.arrived(ctx, first.reached(meta.Next))
		if open != nil && open.reached(meta.Next) {
			t.mu.Lock()
			t.current, open = open.at, nil
			t.mu.Unlock()
		}
	}
}

func offsetsAt(next map[int32]int64) map[int32]kgo.Offset {
	from := map[int32]kgo.Offset{}
	for p, at := range next {
		from[p] = kgo.NewOffset().At(at)
	}
	return from
}

// drop removes from probes the ends that cannot be met, because compaction has removed
// what stood there.
func (t *Table) drop(ctx context.Context, cl *kgo.Client, quietly *drained, probes ...*probe) error {
	for _, p := range probes {
		if p == nil {
			continue
		}
		if _, err := quietly.drop(ctx, cl, t.cfg.Topic, p.left); err != nil {
			return err
		}
	}
	return nil
}

// probe is the ends that a table had at one moment, and which it has not reached.
type probe struct {
	at   time.Time
	left map[int32]int64
}

// ask asks where the topic ends.
func (t *Table) ask(ctx context.Context, cl *kgo.Client, partitions map[int32]int64) (*probe, error) {
	ctx, cancel := context.WithTimeout(ctx, tableProbeWait)
	defer cancel()
	p := &probe{at: t.cfg.Clock(), left: map[int32]int64{}}
	for n := range partitions {
		end, err := listOffset(ctx, cl, t.cfg.Topic, n, logEnd)
		if err != nil {
			return nil, err
		}
		p.left[n] = end
	}
	return p, nil
}

// reached removes what was read to its end, and reports whether that is all.
func (p *probe) reached(next map[int32]int64) bool {
	for n, end := range p.left {
		if next[n] >= end {
			delete(p.left, n)
		}
	}
	return len(p.left) == 0
}

// positions returns where to read on and the ends that make the table ready.
// A store of another topic, or one that stands outside of the log, is set
// aside and the topic is read from its start.
func (t *Table) positions(ctx context.Context, cl *kgo.Client) (tableMeta, map[int32]int64, error) {
	c, err := fetchCluster(ctx, cl, t.cfg.Topic)
	if err != nil {
		return tableMeta{}, nil, err
	}
	starts, ends := map[int32]int64{}, map[int32]int64{}
	for p := range c.partitions[t.cfg.Topic] {
		if starts[p], err = listOffset(ctx, cl, t.cfg.Topic, p, logStart); err != nil {
			return tableMeta{}, nil, err
		}
		if ends[p], err = listOffset(ctx, cl, t.cfg.Topic, p, logEnd); err != nil {
			return tableMeta{}, nil, err
		}
	}
	fresh := tableMeta{Format: formatVersion, Layout: t.cfg.Layout, Cluster: c.id, TopicID: c.topicIDs[t.cfg.Topic], Next: starts}
	b, err := t.store.Meta()
	if err != nil {
		return tableMeta{}, nil, fmt.Errorf("read store meta: %w", err)
	}
	if b == nil {
		return fresh, ends, nil
	}
	var m tableMeta
	reason := ""
	switch err := strictJSON(b, &m); {
	case err != nil:
		reason = "unreadable"
	case m.Format > formatVersion:
		return tableMeta{}, nil, fmt.Errorf("store of table %s: %w", t.cfg.Topic, errNewer)
	case m.Layout != fresh.Layout:
		reason = "layout"
	case m.Cluster != fresh.Cluster || m.TopicID != fresh.TopicID:
		reason = "foreign"
	}
	for p, end := range ends {
		if at, ok := m.Next[p]; reason == "" && (!ok || at > end || at < starts[p]) {
			reason = "out_of_range"
		}
	}
	if reason == "" {
		return m, ends, nil
	}
	t.cfg.Log.WarnContext(ctx, "table store set aside, reading the topic again", "reason", reason)
	if err := t.renew(reason); err != nil {
		return tableMeta{}, nil, err
	}
	return fresh, ends, nil
}

// renew replaces a store that may not be used.
func (t *Table) renew(reason string) error {
	t.cfg.Changing.Lock()
	defer t.cfg.Changing.Unlock()
	defer t.cfg.Emptied()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ready, t.next = false, nil
	if err := t.store.Close(); err != nil {
		return fmt.Errorf("close table store: %w", err)
	}
	if err := t.cfg.Stores.SetAside(0, reason); err != nil {
		return fmt.Errorf("set table store aside: %w", err)
	}
	store, err := t.cfg.Stores.Open(0)
	if err != nil {
		return fmt.Errorf("open table store: %w", err)
	}
	t.store = store
	return nil
}

// apply writes the rows of one poll and the positions behind them. What is too much
// for one transaction of the store is written in parts, each with its own positions.
func (t *Table) apply(records []*kgo.Record, m *tableMeta) error {
	if len(records) == 0 {
		return nil
	}
	t.cfg.Changing.Lock()
	defer t.cfg.Changing.Unlock()
	return t.applyLocked(records, m)
}

func (t *Table) applyLocked(records []*kgo.Record, m *tableMeta) error {
	rows := map[string][]byte{}
	put := func(key, value []byte) { rows[string(key)] = value }
	after := *m
	after.Next = maps.Clone(m.Next)
	var changed []Record
	for _, r := range records {
		after.Next[r.Partition] = r.Offset + 1
		if r.Attrs.IsControl() {
			continue
		}
		rec := Record{
			Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
			Key: r.Key, Value: r.Value, Headers: headers(r.Headers), Timestamp: r.Timestamp,
		}
		if err := t.cfg.Project(rec, put); err != nil {
			return fmt.Errorf("record %d of %s/%d: %w", r.Offset, r.Topic, r.Partition, err)
		}
		changed = append(changed, rec)
	}
	err := t.store.Apply(eachRow(rows), encode(&after))
	if errors.Is(err, ErrTooBig) && len(records) > 1 {
		half := len(records) / 2
		if err := t.applyLocked(records[:half], m); err != nil {
			return err
		}
		return t.applyLocked(records[half:], m)
	}
	if err != nil {
		return fmt.Errorf("apply table rows: %w", err)
	}
	*m = after
	t.at(after.Next)
	if len(changed) > 0 {
		t.cfg.Changed(changed)
	}
	return nil
}

func eachRow(rows map[string][]byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		for k, v := range rows {
			if !yield([]byte(k), v) {
				return
			}
		}
	}
}

// arrived notes that the topic is being read, and makes the table ready for
// good once it was read to its end.
func (t *Table) arrived(ctx context.Context, atEnd bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastErr = nil
	if atEnd && !t.ready {
		t.ready = true
		t.cfg.Log.InfoContext(ctx, "table read to its end")
	}
}
