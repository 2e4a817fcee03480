package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ReadTopic calls fn for every committed record of a topic, from its start to
// the end that it has now, partition by partition in offset order. It waits
// for open transactions on the way. An error from fn ends it.
func ReadTopic(ctx context.Context, conn Conn, log *slog.Logger, topic string, fn func(Record) error) error {
	return ReadTail(ctx, conn, log, topic, math.MaxInt64, fn)
}

// ReadTail is ReadTopic of the last places of each partition alone, so many at most.
// Markers of transactions have places too, so that it may hand over fewer records.
func ReadTail(ctx context.Context, conn Conn, log *slog.Logger, topic string, most int64, fn func(Record) error) error {
	r, err := openReader(ctx, conn, log, topic)
	if err != nil {
		return err
	}
	defer r.cl.Close()
	spans := map[int32]Span{}
	for p := range r.leaders {
		start, err := listOffset(ctx, r.cl, topic, p, logStart)
		if err != nil {
			return err
		}
		end, err := listOffset(ctx, r.cl, topic, p, logEnd)
		if err != nil {
			return err
		}
		spans[p] = Span{max(start, end-most), end}
	}
	return r.read(ctx, spans, func(records []Record) error {
		for i := range records {
			if err := fn(records[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// ReadSpans calls fn for the committed records in places of a topic's partitions, some
// of one partition at a time, in offset order. It returns when all of them were handed
// over, and waits for transactions that are open in front of an end; the error of a
// context that ends meanwhile says so. What lies behind an end is not handed over, also
// where it is of a transaction that began in front of it. An error from fn ends it.
func ReadSpans(ctx context.Context, conn Conn, log *slog.Logger, topic string, spans map[int32]Span, fn func([]Record) error) error {
	r, err := openReader(ctx, conn, log, topic)
	if err != nil {
		return err
	}
	defer r.cl.Close()
	for p := range spans {
		if _, ok := r.leaders[p]; !ok {
			return fmt.Errorf("read %s: there is no partition %d", topic, p)
		}
	}
	return r.read(ctx, spans, fn)
}

// reader reads places of a topic.
type reader struct {
	cl    *kgo.Client
	topic string
	left  map[int32]int64 // the ends that were not reached
	drained
}

// drained knows of which partitions nothing more can come in front of an end. A record or
// a marker at the end says so itself, but compaction may have removed both.
type drained struct {
	leaders map[int32]leader
	fetches *fetches
	// still holds, for a partition in front of whose end no transaction is open, how
	// often its leader had answered when that was seen. Two answers later, the second of
	// which was asked for behind it, a partition of which nothing came has no record left.
	still map[placeOf]int64
}

// placeOf is a place of a partition.
type placeOf struct {
	partition int32
	offset    int64
}

func newDrained() drained {
	return drained{fetches: &fetches{n: map[int32]int64{}}, still: map[placeOf]int64{}}
}

// came notes that something came of a partition.
func (d *drained) came(p int32) {
	maps.DeleteFunc(d.still, func(at placeOf, _ int64) bool { return at.partition == p })
}

// drop removes from left, which holds ends by partition, those in front of which nothing
// more can come. It is called again and again while nothing does. A partition whose leader
// is another than it was stays: who answered was not who has it.
func (d *drained) drop(ctx context.Context, cl *kgo.Client, topic string, left map[int32]int64) (moved []int32, err error) {
	var done []int32
	for p, end := range left {
		if n, seen := d.still[placeOf{p, end}]; seen {
			if d.fetches.of(d.leaders[p].node) >= n+2 {
				done = append(done, p)
			}
			continue
		}
		switch ok, err := decided(ctx, cl, topic, p, end); {
		case err != nil:
			return nil, err
		case ok:
			d.still[placeOf{p, end}] = d.fetches.of(d.leaders[p].node)
		}
	}
	if len(done) == 0 {
		return nil, nil
	}
	c, err := fetchCluster(ctx, cl, topic)
	if err != nil {
		return nil, err
	}
	for _, p := range done {
		if now := c.leaders[topic][p]; now != d.leaders[p] {
			d.leaders[p] = now
			d.came(p)
			moved = append(moved, p)
			continue
		}
		delete(left, p)
	}
	return moved, nil
}

// fetches counts the answers to fetches by broker.
type fetches struct {
	mu sync.Mutex
	n  map[int32]int64 // guarded by mu
}

// fetchKey is the number of the fetch request in Kafka's protocol.
const fetchKey = 1

// OnBrokerRead implements kgo.HookBrokerRead.
func (f *fetches) OnBrokerRead(meta kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if key == fetchKey && err == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.n[meta.NodeID]++
	}
}

func (f *fetches) of(node int32) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n[node]
}

func (f *fetches) all() map[int32]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.n)
}

// readWait is how long a broker holds a fetch for which it has nothing.
const readWait = 100 * time.Millisecond

func openReader(ctx context.Context, conn Conn, log *slog.Logger, topic string) (*reader, error) {
	r := &reader{topic: topic, left: map[int32]int64{}, drained: newDrained()}
	var err error
	r.cl, err = kgo.NewClient(append(conn.options(),
		kgo.ClientID("track-source-reader"),
		kgo.WithLogger(logAdapter{log}),
		kgo.WithHooks(r.fetches),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the last offset of the log is usually a marker
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(readWait),
	)...)
	if err != nil {
		return nil, fmt.Errorf("open reader: %w", err)
	}
	c, err := fetchCluster(ctx, r.cl, topic)
	if err != nil {
		r.cl.Close()
		return nil, err
	}
	r.leaders = c.leaders[topic]
	return r, nil
}

func (r *reader) read(ctx context.Context, spans map[int32]Span, fn func([]Record) error) error {
	from := map[int32]kgo.Offset{}
	for p, s := range spans {
		if s.From < s.End {
			from[p], r.left[p] = kgo.NewOffset().At(s.From), s.End
		}
	}
	if len(from) == 0 {
		return nil
	}
	r.cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{r.topic: from})
	for len(r.left) > 0 {
		pctx, cancel := context.WithTimeout(ctx, tablePoll)
		fs := r.cl.PollFetches(pctx)
		cancel()
		if err := ctx.Err(); err != nil {
			return r.interrupted(err)
		}
		for _, e := range fs.Errors() {
			if !errors.Is(e.Err, context.DeadlineExceeded) {
				return fmt.Errorf("read %s/%d: %w", e.Topic, e.Partition, e.Err)
			}
		}
		var failed error
		fs.EachPartition(func(p kgo.FetchTopicPartition) {
			if failed == nil && len(p.Records) > 0 {
				failed = r.take(p.Partition, p.Records, fn)
			}
		})
		if failed != nil {
			return failed
		}
		if fs.NumRecords() == 0 {
			moved, err := r.drop(ctx, r.cl, r.topic, r.left)
			if err != nil && ctx.Err() != nil {
				return r.interrupted(ctx.Err())
			}
			if err != nil {
				return err
			}
			if len(moved) > 0 {
				return fmt.Errorf("read %s/%d: its leader changed meanwhile: try again", r.topic, moved[0])
			}
		}
	}
	return nil
}

// interrupted says what was waited for.
func (r *reader) interrupted(err error) error {
	for _, p := range slices.Sorted(maps.Keys(r.left)) {
		if _, ok := r.still[placeOf{p, r.left[p]}]; !ok && r.fetches.of(r.leaders[p].node) > 0 {
			return fmt.Errorf("read %s/%d: waiting for offset %d, or for a transaction that is open in front of it: %w", r.topic, p, r.left[p], err)
		}
	}
	return fmt.Errorf("read %s: %w", r.topic, err)
}

func (r *reader) take(p int32, records []*kgo.Record, fn func([]Record) error) error {
	end, ok := r.left[p]
	if !ok {
		return nil
	}
	r.came(p)
	out := make([]Record, 0, len(records))
	for _, rec := range records {
		if !rec.Attrs.IsControl() && rec.Offset < end {
			out = append(out, Record{
				Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset,
				Key: rec.Key, Value: rec.Value, Headers: headers(rec.Headers), Timestamp: rec.Timestamp,
			})
		}
	}
	if len(out) > 0 {
		if err := fn(out); err != nil {
			return err
		}
	}
	if records[len(records)-1].Offset+1 >= end {
		delete(r.left, p)
	}
	return nil
}
