package stream

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TableConfig describes a Table. All fields but Changed and Registerer are
// required.
type TableConfig struct {
	Conn   Conn
	Topic  string // compacted, written by transactions of others
	Stores Stores // Open(0) is the table's store
	Log    *slog.Logger
	Clock  func() time.Time

	// Changed is told the records of each poll once the store holds them.
	Changed func([]Record)
}

// Table is a whole topic in a local store: every instance reads it to its end
// before it is ready, and follows it from then on. The store's keys and values
// are the records' own.
type Table struct {
	cfg     TableConfig
	mu      sync.Mutex
	store   Store // guarded by mu
	ready   bool  // guarded by mu
	lastErr error // guarded by mu
}

// tableMeta is what the store keeps beside the rows.
type tableMeta struct {
	Format  int             `json:"format"`
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
)

// NewTable opens the table's store. Close it after Run has returned.
func NewTable(cfg TableConfig) (*Table, error) {
	if cfg.Topic == "" || cfg.Stores == nil || cfg.Log == nil || cfg.Clock == nil {
		return nil, errors.New("stream: TableConfig needs Topic, Stores, Log and Clock")
	}
	if cfg.Changed == nil {
		cfg.Changed = func([]Record) {}
	}
	cfg.Log = cfg.Log.With("table", cfg.Topic)
	store, err := cfg.Stores.Open(0)
	if err != nil {
		return nil, fmt.Errorf("open store of table %s: %w", cfg.Topic, err)
	}
	return &Table{cfg: cfg, store: store}, nil
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
	cl, err := kgo.NewClient(append(t.cfg.Conn.options(),
		kgo.ClientID("table-"+t.cfg.Topic),
		kgo.WithLogger(logAdapter{t.cfg.Log}),
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
	from := map[int32]kgo.Offset{}
	for p, at := range meta.Next {
		from[p] = kgo.NewOffset().At(at)
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{t.cfg.Topic: from})
	quiet := 0
	for {
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
		if err := t.apply(fs, &meta); err != nil {
			return err
		}
		for p, end := range ends {
			if meta.Next[p] >= end {
				delete(ends, p)
			}
		}
		if quiet++; fs.NumRecords() > 0 {
			quiet = 0
		} else if quiet%tableQuiet == 0 {
			if err := dropDecided(ctx, cl, t.cfg.Topic, ends); err != nil {
				return err
			}
		}
		t.arrived(ctx, len(ends) == 0)
	}
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
	fresh := tableMeta{Format: formatVersion, Cluster: c.id, TopicID: c.topicIDs[t.cfg.Topic], Next: starts}
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
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ready = false
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

// apply writes the rows of one poll and the positions behind them.
func (t *Table) apply(fs kgo.Fetches, m *tableMeta) error {
	rows := map[string][]byte{}
	var changed []Record
	for it := fs.RecordIter(); !it.Done(); {
		r := it.Next()
		m.Next[r.Partition] = r.Offset + 1
		if r.Attrs.IsControl() {
			continue
		}
		rows[string(r.Key)] = r.Value
		changed = append(changed, Record{
			Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
			Key: r.Key, Value: r.Value, Headers: headers(r.Headers), Timestamp: r.Timestamp,
		})
	}
	if fs.NumRecords() == 0 {
		return nil
	}
	if err := t.store.Apply(eachRow(rows), encode(m)); err != nil {
		return fmt.Errorf("apply table rows: %w", err)
	}
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
