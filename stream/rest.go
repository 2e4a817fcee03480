package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// restFetchBytes bounds what is read to see whether records are left. A broker
// sends a larger batch all the same.
const restFetchBytes = 16 << 10

// CaughtUp reports whether a group has consumed every committed record of the
// topics. A group's lag cannot tell: the marker that ends a transaction has an
// offset, and no consumer ever commits behind it. An open transaction counts as
// not caught up.
func CaughtUp(ctx context.Context, conn Conn, log *slog.Logger, group string, topics ...string) (bool, error) {
	cl, err := kgo.NewClient(append(conn.options(),
		kgo.ClientID("track-source-rest"),
		kgo.WithLogger(logAdapter{log}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(tablePoll),
		// One record that is no marker is an answer: a backlog is not read.
		kgo.FetchMaxBytes(restFetchBytes),
		kgo.FetchMaxPartitionBytes(restFetchBytes),
	)...)
	if err != nil {
		return false, fmt.Errorf("open client: %w", err)
	}
	defer cl.Close()
	from, left, n, err := unconsumed(ctx, cl, group, topics)
	if err != nil || n < 0 {
		return false, err
	}
	if n == 0 {
		return true, nil
	}
	cl.AddConsumePartitions(from)
	for quiet := 0; n > 0; quiet++ {
		if quiet == tableQuiet {
			return false, nil // an open transaction, or a marker that compaction took
		}
		pctx, cancel := context.WithTimeout(ctx, tablePoll)
		fs := cl.PollFetches(pctx)
		cancel()
		if err := ctx.Err(); err != nil {
			return false, err
		}
		for _, e := range fs.Errors() {
			if !errors.Is(e.Err, context.DeadlineExceeded) {
				return false, fmt.Errorf("read %s/%d: %w", e.Topic, e.Partition, e.Err)
			}
		}
		for it := fs.RecordIter(); !it.Done(); {
			r := it.Next()
			end, ok := left[r.Topic][r.Partition]
			if !ok {
				continue
			}
			if !r.Attrs.IsControl() {
				return false, nil
			}
			if r.Offset+1 >= end {
				delete(left[r.Topic], r.Partition)
				n--
			}
		}
	}
	return true, nil
}

// unconsumed lists the n partitions with offsets between the group's and the
// end, with both; n is -1 when an open transaction may still move an offset. All
// offsets of the group are asked for in front of all ends: a group may write to what it
// reads, and what one partition hands to another that was looked at before would else
// be missed.
func unconsumed(ctx context.Context, cl *kgo.Client, group string, topics []string) (from map[string]map[int32]kgo.Offset, left map[string]map[int32]int64, n int, err error) {
	c, err := fetchCluster(ctx, cl, topics...)
	if err != nil {
		return nil, nil, 0, err
	}
	committed := map[string][]int64{}
	for _, topic := range topics {
		for p := range c.partitions[topic] {
			at, err := groupOffset(ctx, cl, group, topic, p)
			if errors.Is(err, kerr.UnstableOffsetCommit) {
				return nil, nil, -1, nil
			}
			if err != nil {
				return nil, nil, 0, err
			}
			committed[topic] = append(committed[topic], at)
		}
	}
	from, left = map[string]map[int32]kgo.Offset{}, map[string]map[int32]int64{}
	for _, topic := range topics {
		from[topic], left[topic] = map[int32]kgo.Offset{}, map[int32]int64{}
		for p := range c.partitions[topic] {
			at := committed[topic][p]
			start, err := listOffset(ctx, cl, topic, p, logStart)
			if err != nil {
				return nil, nil, 0, err
			}
			end, err := listOffset(ctx, cl, topic, p, logEnd)
			if err != nil {
				return nil, nil, 0, err
			}
			if at = max(at, start); at < end {
				from[topic][p], left[topic][p] = kgo.NewOffset().At(at), end
				n++
			}
		}
	}
	return from, left, n, nil
}
