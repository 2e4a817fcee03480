package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Span is the places of a partition from From to the one before End.
type Span struct{ From, End int64 }

// CountRecords counts the committed records in places of partitions, which it reads:
// markers of transactions have places too, as has what compaction took. What an open
// transaction holds back is no record yet. It answers for each partition that is asked
// for.
func CountRecords(ctx context.Context, conn Conn, log *slog.Logger, spans map[string]map[int32]Span) (map[string]map[int32]int64, error) {
	counts, from := map[string]map[int32]int64{}, map[string]map[int32]kgo.Offset{}
	left := map[string]map[int32]int64{}
	for topic, partitions := range spans {
		counts[topic] = map[int32]int64{}
		for p, s := range partitions {
			if counts[topic][p] = 0; s.From >= s.End {
				continue
			}
			if left[topic] == nil {
				left[topic], from[topic] = map[int32]int64{}, map[int32]kgo.Offset{}
			}
			left[topic][p], from[topic][p] = s.End, kgo.NewOffset().At(s.From)
		}
	}
	if len(left) == 0 {
		return counts, nil
	}
	cl, err := kgo.NewClient(append(conn.options(),
		kgo.ClientID("track-source-count"),
		kgo.WithLogger(logAdapter{log}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(countPoll),
	)...)
	if err != nil {
		return nil, fmt.Errorf("open client: %w", err)
	}
	defer cl.Close()
	cl.AddConsumePartitions(from)
	for quiet := 0; len(left) > 0 && quiet < countQuiet; quiet++ {
		pctx, cancel := context.WithTimeout(ctx, countPoll)
		fs := cl.PollFetches(pctx)
		cancel()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, e := range fs.Errors() {
			if !errors.Is(e.Err, context.DeadlineExceeded) {
				return nil, fmt.Errorf("read %s/%d: %w", e.Topic, e.Partition, e.Err)
			}
		}
		for it := fs.RecordIter(); !it.Done(); {
			r := it.Next()
			end, ok := left[r.Topic][r.Partition]
			if !ok {
				continue
			}
			quiet = -1
			if !r.Attrs.IsControl() && r.Offset < end {
				counts[r.Topic][r.Partition]++
			}
			if r.Offset+1 < end {
				continue
			}
			if delete(left[r.Topic], r.Partition); len(left[r.Topic]) == 0 {
				delete(left, r.Topic)
			}
		}
	}
	return counts, nil
}

const (
	// countPoll and countQuiet are how long nothing has to come for the rest to be
	// taken for places without a record, or for those of an open transaction.
	countPoll  = 100 * time.Millisecond
	countQuiet = 5
)
