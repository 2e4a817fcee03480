package stream

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The requests that the engine needs beside what kgo's consumer and producer
// send by themselves. Each is one round trip, retried by kgo on what is
// retriable.

// cluster identifies the topics that a store's state belongs to.
type cluster struct {
	id         string
	topicIDs   map[string]string
	partitions map[string]int32
	leaders    map[string]map[int32]leader
}

// leader is the broker that a partition is read from, and since which change of it.
type leader struct{ node, epoch int32 }

func fetchCluster(ctx context.Context, cl *kgo.Client, topics ...string) (cluster, error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, t := range topics {
		rt := kmsg.NewMetadataRequestTopic()
		rt.Topic = kmsg.StringPtr(t)
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return cluster{}, fmt.Errorf("fetch metadata: %w", err)
	}
	c := cluster{topicIDs: map[string]string{}, partitions: map[string]int32{}, leaders: map[string]map[int32]leader{}}
	if resp.ClusterID != nil {
		c.id = *resp.ClusterID
	}
	for _, t := range resp.Topics {
		name := "(unnamed)"
		if t.Topic != nil {
			name = *t.Topic
		}
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return cluster{}, fmt.Errorf("fetch metadata of topic %s: %w", name, err)
		}
		c.topicIDs[name] = hex.EncodeToString(t.TopicID[:])
		c.partitions[name] = int32(len(t.Partitions))
		c.leaders[name] = map[int32]leader{}
		for _, p := range t.Partitions {
			c.leaders[name][p.Partition] = leader{p.Leader, p.LeaderEpoch}
		}
	}
	return c, nil
}

const (
	logStart = -2 // ListOffsets timestamp for the first offset
	logEnd   = -1 // and for the high watermark, under read_uncommitted
)

// Isolation levels of a ListOffsets request.
const (
	readUncommitted int8 = 0
	readCommitted   int8 = 1
)

// listOffset returns the log start or the high watermark of a partition.
func listOffset(ctx context.Context, cl *kgo.Client, topic string, partition int32, at int64) (int64, error) {
	return listOffsetAs(ctx, cl, topic, partition, at, readUncommitted)
}

// decided reports whether no open transaction stands before end, so that a
// reader whom nothing more reaches has read everything below it.
func decided(ctx context.Context, cl *kgo.Client, topic string, partition int32, end int64) (bool, error) {
	stable, err := listOffsetAs(ctx, cl, topic, partition, logEnd, readCommitted)
	return stable >= end, err
}

func listOffsetAs(ctx context.Context, cl *kgo.Client, topic string, partition int32, at int64, isolation int8) (int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	req.IsolationLevel = isolation
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewListOffsetsRequestTopicPartition()
	rp.Partition = partition
	rp.Timestamp = at
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return 0, fmt.Errorf("list offsets of %s/%d: %w", topic, partition, err)
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if t.Topic != topic || p.Partition != partition {
				continue
			}
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return 0, fmt.Errorf("list offsets of %s/%d: %w", topic, partition, err)
			}
			return p.Offset, nil
		}
	}
	return 0, fmt.Errorf("list offsets of %s/%d: the broker did not answer for it", topic, partition)
}

// noOffset is the group offset of a partition that was never committed.
const noOffset = -1

// stablePause is how long to wait before asking again for an offset that an
// open transaction may still change.
const stablePause = 50 * time.Millisecond

// stableOffset returns the group's committed offset of a partition once no open
// transaction can change it, noOffset if there is none. kgo and kadm ask for
// whatever is committed now; here an undecided commit must be waited for.
func stableOffset(ctx context.Context, cl *kgo.Client, group, topic string, partition int32) (int64, error) {
	for {
		at, err := groupOffset(ctx, cl, group, topic, partition)
		if !errors.Is(err, kerr.UnstableOffsetCommit) {
			return at, err
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for a stable offset of %s/%d: %w", topic, partition, ctx.Err())
		case <-time.After(stablePause):
		}
	}
}

func groupOffset(ctx context.Context, cl *kgo.Client, group, topic string, partition int32) (int64, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = group
	req.RequireStable = true
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return 0, fmt.Errorf("fetch offsets of group %s: %w", group, err)
	}
	codes := []int16{resp.ErrorCode}
	for _, g := range resp.Groups {
		codes = append(codes, g.ErrorCode)
	}
	for _, code := range codes {
		switch err := kerr.ErrorForCode(code); {
		case errors.Is(err, kerr.GroupIDNotFound):
			return noOffset, nil
		case err != nil:
			return 0, fmt.Errorf("fetch offsets of group %s: %w", group, err)
		}
	}
	for _, g := range resp.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				if t.Topic == topic && p.Partition == partition {
					return p.Offset, kerr.ErrorForCode(p.ErrorCode)
				}
			}
		}
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if t.Topic == topic && p.Partition == partition {
				return p.Offset, kerr.ErrorForCode(p.ErrorCode)
			}
		}
	}
	return noOffset, nil
}
