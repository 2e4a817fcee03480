package stream

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What the client tells of ownership is not enough for a transaction to rest on:
//
//   - kgo's transact session hands on one revocation between two transactions and
//     swallows the next ones. An idle member would keep the tasks of partitions
//     that others own, and their Ticks would pass the group's fence, because a
//     fence knows members and not partitions.
//   - A member that the group has given up, and that learns of it only when it
//     joins again, keeps its partitions and its positions in them without being
//     told that it had lost them, whatever others have done there meanwhile.
//
// So the session looks for itself. Whenever the client joins, it tells the broker
// what it owns, and what is no longer among that is revoked. And a task belongs to
// the membership under which it was assigned: when the client has another, the
// session ends. Both are looked at again with the request in hand that commits.

// claims is a balancer that reports what the client claims to own when it joins.
type claims struct {
	kgo.GroupBalancer
	joins func(owned map[string][]int32)
}

// JoinGroupMetadata implements kgo.GroupBalancer.
func (c claims) JoinGroupMetadata(topics []string, owned map[string][]int32, generation int32) []byte {
	c.joins(owned)
	return c.GroupBalancer.JoinGroupMetadata(topics, owned, generation)
}

// onJoin takes note of what the client has given up without a word.
func (s *session) onJoin(owned map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for tp := range s.held {
		if !slices.Contains(owned[tp.topic], tp.partition) {
			s.release(tp)
		}
	}
}

// release queues a revocation. The caller holds mu.
func (s *session) release(tp topicPartition) {
	s.revoked = append(s.revoked, tp)
	s.assigned = slices.DeleteFunc(s.assigned, func(a assignment) bool { return a.topicPartition == tp })
	delete(s.held, tp)
}

// sameMember returns an error when a task was assigned to a membership that is
// over.
func (s *session) sameMember() error {
	member, _ := s.gts.Client().GroupMetadata()
	for tp, t := range s.tasks {
		if t.member != member {
			return fmt.Errorf("%s/%d: the group had given this member up", tp.topic, tp.partition)
		}
	}
	return nil
}

// commitOffsets makes the transaction commit the offset of every partition it
// writes for, unchanged ones too: a transaction that commits none is not
// fenced by the group, and a zombie's Tick could go through.
func (s *session) commitOffsets(units []unit) func(*kmsg.TxnOffsetCommitRequest) error {
	return func(req *kmsg.TxnOffsetCommitRequest) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, u := range units {
			tp := topicPartition{u.t.in.Topic, u.t.partition}
			if u.t.member != req.MemberID || slices.Contains(s.revoked, tp) {
				return fmt.Errorf("%s/%d is no longer ours", tp.topic, tp.partition)
			}
			if err := setOffset(req, tp, u.t.staged.Next, u.t.skipping); err != nil {
				return err
			}
		}
		return nil
	}
}

func setOffset(req *kmsg.TxnOffsetCommitRequest, tp topicPartition, next int64, skipping bool) error {
	i := slices.IndexFunc(req.Topics, func(t kmsg.TxnOffsetCommitRequestTopic) bool { return t.Topic == tp.topic })
	if i < 0 {
		rt := kmsg.NewTxnOffsetCommitRequestTopic()
		rt.Topic = tp.topic
		req.Topics = append(req.Topics, rt)
		i = len(req.Topics) - 1
	}
	rt := &req.Topics[i]
	for j := range rt.Partitions {
		if p := &rt.Partitions[j]; p.Partition == tp.partition {
			if p.Offset != next && !skipping {
				return fmt.Errorf("client would commit offset %d of %s/%d, the checkpoint says %d", p.Offset, tp.topic, tp.partition, next)
			}
			p.Offset = next
			return nil
		}
	}
	rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	rp.Partition = tp.partition
	rp.Offset = next
	rt.Partitions = append(rt.Partitions, rp)
	return nil
}
