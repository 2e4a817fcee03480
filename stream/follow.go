package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Follow calls fn for every committed record of a topic that is never compacted,
// from its start on, partition by partition in offset order, until ctx ends or fn
// or the topic fails. atEnd is called once, when the end is reached that the topic
// had at first. It keeps no position: whoever calls it again meets all of it again.
func Follow(ctx context.Context, conn Conn, log *slog.Logger, topic string, fn func(Record) error, atEnd func()) error {
	cl, err := kgo.NewClient(append(conn.options(),
		kgo.ClientID("track-source-follower"),
		kgo.WithLogger(logAdapter{log}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(tablePoll),
	)...)
	if err != nil {
		return fmt.Errorf("open follower: %w", err)
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
		from[p] = kgo.NewOffset().At(start)
		if start < end {
			left[p] = end
		}
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: from})
	for waiting := true; ctx.Err() == nil; {
		if waiting && len(left) == 0 {
			waiting = false
			atEnd()
		}
		pctx, cancel := context.WithTimeout(ctx, time.Second)
		fs := cl.PollFetches(pctx)
		cancel()
		for _, e := range fs.Errors() {
			if !errors.Is(e.Err, context.DeadlineExceeded) && !errors.Is(e.Err, context.Canceled) {
				return fmt.Errorf("follow %s/%d: %w", e.Topic, e.Partition, e.Err)
			}
		}
		for it := fs.RecordIter(); !it.Done(); {
			r := it.Next()
			if !r.Attrs.IsControl() {
				rec := Record{
					Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
					Key: r.Key, Value: r.Value, Headers: headers(r.Headers), Timestamp: r.Timestamp,
				}
				if err := fn(rec); err != nil {
					return err
				}
			}
			if end, ok := left[r.Partition]; ok && r.Offset+1 >= end {
				delete(left, r.Partition)
			}
		}
	}
	return nil
}
