package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Offsets are positions by topic and partition.
type Offsets map[string]map[int32]int64

// Total adds up all positions. Positions count control records too, so a
// total of ends less a total of starts is at least the number of records.
func (o Offsets) Total() int64 {
	var sum int64
	for _, partitions := range o {
		for _, at := range partitions {
			sum += at
		}
	}
	return sum
}

// Of are the positions of one topic in the order of its partitions.
func (o Offsets) Of(topic string) []int64 {
	out := make([]int64, 0, len(o[topic]))
	for _, p := range slices.Sorted(maps.Keys(o[topic])) {
		out = append(out, o[topic][p])
	}
	return out
}

// EndOffsets are the positions behind the last record of each partition,
// including records of open transactions.
func EndOffsets(ctx context.Context, conn Conn, topics ...string) (Offsets, error) {
	return listOffsets(ctx, conn, (*kadm.Client).ListEndOffsets, topics)
}

// CommittedOffsets are the positions up to which a read_committed consumer can
// read now. Equal to EndOffsets where no transaction is open.
func CommittedOffsets(ctx context.Context, conn Conn, topics ...string) (Offsets, error) {
	return listOffsets(ctx, conn, (*kadm.Client).ListCommittedOffsets, topics)
}

// StartOffsets are the positions of the oldest record of each partition.
func StartOffsets(ctx context.Context, conn Conn, topics ...string) (Offsets, error) {
	return listOffsets(ctx, conn, (*kadm.Client).ListStartOffsets, topics)
}

// OffsetsAt are the positions behind what topics held at a time: in front of the first
// record of each partition that is stamped later. They are exact, and the same whenever
// they are asked for, where the broker stamps records and the time is past; elsewhere a
// record that a slow clock stamped may lie behind one of a fast clock.
func OffsetsAt(ctx context.Context, conn Conn, at time.Time, topics ...string) (Offsets, error) {
	// What is written between the two questions is later than the time: a partition that
	// has nothing later ends where it ended before.
	ends, err := EndOffsets(ctx, conn, topics...)
	if err != nil {
		return nil, err
	}
	after, err := listOffsets(ctx, conn, func(cl *kadm.Client, ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
		return cl.ListOffsetsAfterMilli(ctx, at.UnixMilli()+1, topics...)
	}, topics)
	if err != nil {
		return nil, err
	}
	for topic, partitions := range after {
		for p, offset := range partitions {
			partitions[p] = min(offset, ends[topic][p])
		}
	}
	return after, nil
}

// KeptForever is what Kept says of a topic that is never compacted.
const KeptForever = time.Duration(math.MaxInt64)

// Kept says for how long each topic keeps every version of a key, by its settings on the
// cluster.
func Kept(ctx context.Context, conn Conn, topics ...string) (map[string]time.Duration, error) {
	out := map[string]time.Duration{}
	if len(topics) == 0 {
		return out, nil
	}
	cl, err := conn.open()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	configs, err := cl.DescribeTopicConfigs(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("read topic settings: %w", conn.explain(err))
	}
	for _, rc := range configs {
		if rc.Err != nil {
			return nil, fmt.Errorf("read settings of topic %s: %w", rc.Name, rc.Err)
		}
		out[rc.Name] = KeptForever
		config := map[string]string{}
		for _, c := range rc.Configs {
			config[c.Key] = c.MaybeValue()
		}
		if !strings.Contains(config["cleanup.policy"], "compact") {
			continue
		}
		lag, err := strconv.ParseInt(config["min.compaction.lag.ms"], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("min.compaction.lag.ms of topic %s is %q", rc.Name, config["min.compaction.lag.ms"])
		}
		out[rc.Name] = time.Duration(min(lag, int64(KeptForever/time.Millisecond))) * time.Millisecond
	}
	return out, nil
}

// NewestTimes are the times of the newest records of topics, by their timestamps; a
// topic without records has none.
func NewestTimes(ctx context.Context, conn Conn, topics ...string) (map[string]time.Time, error) {
	return times(ctx, conn, (*kadm.Client).ListMaxTimestampOffsets, time.Time.After, topics)
}

// OldestTimes are those of the oldest records, as NewestTimes: of each partition that of
// the first that is left.
func OldestTimes(ctx context.Context, conn Conn, topics ...string) (map[string]time.Time, error) {
	return times(ctx, conn, func(cl *kadm.Client, ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
		return cl.ListOffsetsAfterMilli(ctx, 0, topics...)
	}, time.Time.Before, topics)
}

// times asks for offsets with the times of their records, and returns of each topic the
// time that comes before all others.
func times(ctx context.Context, conn Conn, ask asking, before func(a, b time.Time) bool, topics []string) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	if len(topics) == 0 {
		return out, nil
	}
	cl, err := conn.open()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	listed, err := ask(cl, ctx, topics...)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list times: %w", conn.explain(err))
	}
	listed.Each(func(o kadm.ListedOffset) {
		at, known := out[o.Topic]
		if o.Timestamp < 0 {
			return // without a record
		}
		if this := time.UnixMilli(o.Timestamp).UTC(); !known || before(this, at) {
			out[o.Topic] = this
		}
	})
	return out, nil
}

// asking is a question of kadm about offsets.
type asking func(*kadm.Client, context.Context, ...string) (kadm.ListedOffsets, error)

func listOffsets(ctx context.Context, conn Conn, ask asking, topics []string) (Offsets, error) {
	out := make(Offsets)
	if len(topics) == 0 {
		return out, nil // Kafka would read no names as all topics.
	}
	cl, err := conn.open()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	listed, err := ask(cl, ctx, topics...)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list offsets: %w", conn.explain(err))
	}
	listed.Each(func(o kadm.ListedOffset) {
		if out[o.Topic] == nil {
			out[o.Topic] = make(map[int32]int64)
		}
		out[o.Topic][o.Partition] = o.Offset
	})
	return out, nil
}

// GroupOffsets are the positions that a group has committed. A group that does
// not exist or committed nothing has none.
func GroupOffsets(ctx context.Context, conn Conn, group string) (Offsets, error) {
	cl, err := conn.open()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	fetched, err := cl.FetchOffsets(ctx, group)
	if err == nil {
		err = fetched.Error()
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("read offsets of group %s: %w", group, conn.explain(err))
	}
	out := make(Offsets)
	fetched.Each(func(o kadm.OffsetResponse) {
		if out[o.Topic] == nil {
			out[o.Topic] = make(map[int32]int64)
		}
		out[o.Topic][o.Partition] = o.At
	})
	return out, nil
}

// DeleteTopics deletes topics with all their records. A topic that does not
// exist is no error.
func DeleteTopics(ctx context.Context, conn Conn, topics ...string) error {
	if len(topics) == 0 {
		return nil
	}
	cl, err := conn.open()
	if err != nil {
		return err
	}
	defer cl.Close()
	responses, err := cl.DeleteTopics(ctx, topics...)
	if err != nil {
		return fmt.Errorf("delete topics: %w", conn.explain(err))
	}
	for _, r := range responses.Sorted() {
		if r.Err != nil && !errors.Is(r.Err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("delete topic %s: %w", r.Topic, r.Err)
		}
	}
	return nil
}

// DeleteGroups deletes groups with their committed positions. A group that
// does not exist is no error; one with members is.
func DeleteGroups(ctx context.Context, conn Conn, groups ...string) error {
	if len(groups) == 0 {
		return nil
	}
	cl, err := conn.open()
	if err != nil {
		return err
	}
	defer cl.Close()
	responses, err := cl.DeleteGroups(ctx, groups...)
	if err != nil {
		return fmt.Errorf("delete groups: %w", conn.explain(err))
	}
	for _, r := range responses.Sorted() {
		if r.Err != nil && !errors.Is(r.Err, kerr.GroupIDNotFound) {
			return fmt.Errorf("delete group %s: %w", r.Group, r.Err)
		}
	}
	return nil
}
