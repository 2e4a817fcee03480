package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
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
	answers := quiet{fetches: &fetches{n: map[int32]int64{}}}
	cl, err := kgo.NewClient(append(conn.options(),
		kgo.ClientID("track-source-count"),
		kgo.WithLogger(logAdapter{log}),
		kgo.WithHooks(answers.fetches),
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
	for done := false; len(left) > 0 && !done; {
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
		if fs.NumRecords() == 0 {
			if done, err = answers.enough(ctx, cl, left); err != nil {
				return nil, err
			}
			continue
		}
		answers.begin()
		for it := fs.RecordIter(); !it.Done(); {
			r := it.Next()
			end, ok := left[r.Topic][r.Partition]
			if !ok {
				continue
			}
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
	// countPoll is how long a broker holds a fetch for which it has nothing.
	countPoll = 100 * time.Millisecond
	// countAnswers is how often each leader has to answer with nothing for the rest to be
	// taken for places without a record, or for those of an open transaction. A leader is
	// asked again when what came before was taken, so that behind the third answer the
	// first two had nothing, and the second was asked for all partitions.
	countAnswers = 3
)

// quiet knows how often leaders have answered since something came. Time says nothing: a
// broker that is slow has sent nothing either.
type quiet struct {
	fetches *fetches
	leaders map[string]map[int32]leader // when last asked for
	since   map[int32]int64             // answers by node when something came last
}

// begin notes that something came.
func (q *quiet) begin() { q.since = q.fetches.all() }

// enough says whether nothing comes any more of what is left.
func (q *quiet) enough(ctx context.Context, cl *kgo.Client, left map[string]map[int32]int64) (bool, error) {
	c, err := fetchCluster(ctx, cl, slices.Collect(maps.Keys(left))...)
	if err != nil {
		return false, err
	}
	answered := true
	for topic, partitions := range left {
		for p := range partitions {
			now := c.leaders[topic][p]
			if before, seen := q.leaders[topic][p]; seen && before != now {
				q.begin() // the new one has not been asked yet
			}
			answered = answered && q.fetches.of(now.node) >= q.since[now.node]+countAnswers
		}
	}
	q.leaders = c.leaders
	return answered, nil
}
