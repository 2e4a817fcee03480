package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Follower hands every committed record of a topic that is never compacted to a
// function, from the topic's start on, partition by partition in offset order, and
// can say that it is not behind. It keeps its place in memory only.
type Follower struct {
	conn  Conn
	log   *slog.Logger
	topic string
	fn    func(Record) error

	mu      sync.Mutex
	cl      *kgo.Client     // guarded by mu; nil while there is no connection
	next    map[int32]int64 // guarded by mu; the next offset of each partition, nil before the first connection
	changed chan struct{}   // guarded by mu; closed when something of the above changes
}

// NewFollower makes a Follower; Run makes it follow. An error of fn is one of the
// topic: the record is handed to it again.
func NewFollower(conn Conn, log *slog.Logger, topic string, fn func(Record) error) *Follower {
	return &Follower{conn: conn, log: log.With("follows", topic), topic: topic, fn: fn, changed: make(chan struct{})}
}

// followPause is the pause before a follower whose topic failed goes on.
const followPause = time.Second

// Run follows until ctx ends; it returns nil then. What fails is tried again.
func (f *Follower) Run(ctx context.Context) error {
	for {
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		f.log.WarnContext(ctx, "interrupted, going on", "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followPause):
		}
	}
}

// Sync returns when all that was in the topic when it was called has been handed
// on. Its error is ctx's, or about the topic.
func (f *Follower) Sync(ctx context.Context) error {
	var ends map[int32]int64
	for {
		f.mu.Lock()
		cl, next, changed := f.cl, f.next, f.changed
		behind := ends == nil
		for p, end := range ends {
			behind = behind || next[p] < end
		}
		f.mu.Unlock()
		if !behind {
			return nil
		}
		if ends == nil && cl != nil {
			var err error
			if ends, err = f.ends(ctx, cl, next); err != nil {
				if f.gone(cl) {
					continue // the next connection is asked
				}
				return fmt.Errorf("end of %s: %w", f.topic, err)
			}
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("follow %s: %w", f.topic, ctx.Err())
		}
	}
}

// gone reports whether a connection was given up.
func (f *Follower) gone(cl *kgo.Client) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cl != cl
}

func (f *Follower) ends(ctx context.Context, cl *kgo.Client, partitions map[int32]int64) (map[int32]int64, error) {
	ends := map[int32]int64{}
	for p := range partitions {
		end, err := listOffset(ctx, cl, f.topic, p, logEnd)
		if err != nil {
			return nil, err
		}
		ends[p] = end
	}
	return ends, nil
}

// set changes what Sync looks at.
func (f *Follower) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *Follower) follow(ctx context.Context) error {
	cl, err := kgo.NewClient(append(f.conn.options(),
		kgo.ClientID("track-source-follower"),
		kgo.WithLogger(logAdapter{f.log}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(tablePoll),
	)...)
	if err != nil {
		return fmt.Errorf("open follower: %w", err)
	}
	defer cl.Close()
	from, err := f.places(ctx, cl)
	if err != nil {
		return err
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{f.topic: from})
	f.set(func() { f.cl = cl })
	defer f.set(func() { f.cl = nil })
	for ctx.Err() == nil {
		pctx, cancel := context.WithTimeout(ctx, time.Second)
		fs := cl.PollFetches(pctx)
		cancel()
		for _, e := range fs.Errors() {
			if !errors.Is(e.Err, context.DeadlineExceeded) && !errors.Is(e.Err, context.Canceled) {
				return fmt.Errorf("follow %s/%d: %w", e.Topic, e.Partition, e.Err)
			}
		}
		for it := fs.RecordIter(); !it.Done(); {
			if err := f.take(it.Next()); err != nil {
				return err
			}
		}
	}
	return nil
}

// places are where to go on: where the last connection ended, at first the start.
func (f *Follower) places(ctx context.Context, cl *kgo.Client) (map[int32]kgo.Offset, error) {
	c, err := fetchCluster(ctx, cl, f.topic)
	if err != nil {
		return nil, err
	}
	next := map[int32]int64{}
	for p := range c.partitions[f.topic] {
		if next[p], err = listOffset(ctx, cl, f.topic, p, logStart); err != nil {
			return nil, err
		}
	}
	from := map[int32]kgo.Offset{}
	f.set(func() {
		for p, start := range next {
			next[p] = max(start, f.next[p])
			from[p] = kgo.NewOffset().At(next[p])
		}
		f.next = next
	})
	return from, nil
}

func (f *Follower) take(r *kgo.Record) error {
	if !r.Attrs.IsControl() {
		rec := Record{
			Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
			Key: r.Key, Value: r.Value, Headers: headers(r.Headers), Timestamp: r.Timestamp,
		}
		if err := f.fn(rec); err != nil {
			return fmt.Errorf("record %d of %s/%d: %w", r.Offset, r.Topic, r.Partition, err)
		}
	}
	f.set(func() {
		f.next = maps.Clone(f.next) // Sync may be looking at the old one
		f.next[r.Partition] = r.Offset + 1
	})
	return nil
}
