package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Message is a record to send outside of a transaction.
type Message struct {
	Topic string
	// Partition is used when Pinned, else the key's hash decides.
	Partition int32
	Pinned    bool
	Key       []byte
	Value     []byte
	Headers   []Header
}

// Producer sends records as partners and operators do: idempotent, in no
// transaction.
type Producer struct{ cl *kgo.Client }

// NewProducer makes a Producer. It connects with the first Send.
func NewProducer(conn Conn, log *slog.Logger) (*Producer, error) {
	cl, err := kgo.NewClient(append(conn.options(),
		kgo.ClientID("track-source-producer"),
		kgo.WithLogger(logAdapter{log}),
		kgo.RecordPartitioner(partitioner()),
		kgo.RecordDeliveryTimeout(30*time.Second),
		kgo.ProducerBatchCompression(kgo.ZstdCompression(), kgo.SnappyCompression(), kgo.NoCompression()),
	)...)
	if err != nil {
		return nil, fmt.Errorf("open producer: %w", err)
	}
	return &Producer{cl}, nil
}

// Send sends ms and returns when all of them are acknowledged by all in-sync
// replicas. After an error some may have been written.
func (p *Producer) Send(ctx context.Context, ms ...Message) error {
	rs := make([]*kgo.Record, len(ms))
	for i, m := range ms {
		r := &kgo.Record{Topic: m.Topic, Partition: partitionByKey, Key: m.Key, Value: m.Value}
		if m.Pinned {
			r.Partition = m.Partition
		}
		for _, h := range m.Headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		rs[i] = r
	}
	if err := p.cl.ProduceSync(ctx, rs...).FirstErr(); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// Close closes the connections.
func (p *Producer) Close() { p.cl.Close() }

// ReadTopic calls fn for every committed record of a topic, from its start to
// the end that it has now, partition by partition in offset order. It waits
// for open transactions on the way. An error from fn ends it.
func ReadTopic(ctx context.Context, conn Conn, log *slog.Logger, topic string, fn func(Record) error) error {
	return ReadTail(ctx, conn, log, topic, math.MaxInt64, fn)
}

// ReadTail is ReadTopic of the last places of each partition alone, so many at most.
// Markers of transactions have places too, so that it may hand over fewer records.
func ReadTail(ctx context.Context, conn Conn, log *slog.Logger, topic string, most int64, fn func(Record) error) error {
	cl, err := kgo.NewClient(append(conn.options(),
		kgo.ClientID("track-source-reader"),
		kgo.WithLogger(logAdapter{log}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(100*time.Millisecond),
	)...)
	if err != nil {
		return fmt.Errorf("open reader: %w", err)
	}
	defer cl.Close()
	c, err := fetchCluster(ctx, cl, topic)
	if err != nil {
		return err
	}
	from, left := map[int32]kgo.Offset{}, map[int32]int64{}
	for p := range c.partitions[topic] {
		start, err := listOffset(ctx, cl, topic, p, logStart)
		if err != nil {
			return err
		}
		end, err := listOffset(ctx, cl, topic, p, logEnd)
		if err != nil {
			return err
		}
		if start = max(start, end-most); start < end {
			from[p], left[p] = kgo.NewOffset().At(start), end
		}
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: from})
	for quiet := 1; len(left) > 0; quiet++ {
		if quiet%tableQuiet == 0 {
			if err := dropDecided(ctx, cl, topic, left); err != nil {
				return err
			}
		}
		pctx, cancel := context.WithTimeout(ctx, tablePoll)
		fs := cl.PollFetches(pctx)
		cancel()
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		for _, e := range fs.Errors() {
			if !errors.Is(e.Err, context.DeadlineExceeded) {
				return fmt.Errorf("read %s/%d: %w", e.Topic, e.Partition, e.Err)
			}
		}
		for it := fs.RecordIter(); !it.Done(); {
			r := it.Next()
			quiet = 0
			if !r.Attrs.IsControl() && r.Offset < left[r.Partition] {
				rec := Record{
					Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
					Key: r.Key, Value: r.Value, Headers: headers(r.Headers), Timestamp: r.Timestamp,
				}
				if err := fn(rec); err != nil {
					return err
				}
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		}
	}
	return nil
}

// dropDecided removes the partitions whose end cannot be met by a record,
// because compaction has removed what stood there.
func dropDecided(ctx context.Context, cl *kgo.Client, topic string, left map[int32]int64) error {
	for p, end := range left {
		ok, err := decided(ctx, cl, topic, p, end)
		if err != nil {
			return err
		}
		if ok {
			delete(left, p)
		}
	}
	return nil
}
