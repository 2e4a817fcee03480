package stream

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log/slog"
)

// Chain is what one partition of a changelog says of itself, as of its end.
type Chain struct {
	Partition int32
	Started   bool  // It has a checkpoint. Without one only Partition is set.
	Next      int64 // next input offset
	Sequence  int64 // transactions so far
	Problems  []string
}

// AuditChangelog folds a whole changelog and holds it against itself: the
// checkpoints of a partition count up by one and never go back in their input,
// every change has a checkpoint behind it, and the last checkpoint's digest is
// that of the folded state. sum digests a state as the stores do. The state is
// held in memory. An error is about reading; what is wrong is in Problems.
//
// Compaction removes superseded checkpoints, but only below the last one that it
// reached, so that those which are left have no gap.
func AuditChangelog(ctx context.Context, conn Conn, log *slog.Logger, topic string, partitions int32, sum func(iter.Seq2[[]byte, []byte]) ([16]byte, int64)) ([]Chain, error) {
	audits := make([]audit, partitions)
	for p := range audits {
		audits[p] = audit{chain: Chain{Partition: int32(p)}, state: map[string][]byte{}}
	}
	err := ReadTopic(ctx, conn, log, topic, func(r Record) error {
		if int(r.Partition) >= len(audits) {
			return fmt.Errorf("%s has a partition %d, want %d partitions", topic, r.Partition, partitions)
		}
		audits[r.Partition].take(&r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("audit changelog: %w", err)
	}
	chains := make([]Chain, len(audits))
	for p := range audits {
		audits[p].end(topic, sum)
		chains[p] = audits[p].chain
	}
	return chains, nil
}

// audit is the fold of one partition.
type audit struct {
	chain Chain
	last  checkpoint
	state map[string][]byte
	loose int64 // offset of a change without a checkpoint behind it, plus one

	// torn is a barrier with such changes in front of it, in front of the first
	// checkpoint that is left: theirs may have been removed.
	torn *Record
}

func (a *audit) problem(r *Record, format string, args ...any) {
	a.chain.Problems = append(a.chain.Problems, fmt.Sprintf("%s/%d@%d: ", r.Topic, r.Partition, r.Offset)+fmt.Sprintf(format, args...))
}

func (a *audit) take(r *Record) {
	switch {
	case len(r.Key) == 0:
		a.problem(r, "a record without a key")
	case r.Key[0] == keyState:
		a.loose = r.Offset + 1
		if r.Value == nil {
			delete(a.state, string(r.Key[1:]))
		} else {
			a.state[string(r.Key[1:])] = r.Value
		}
	case bytes.Equal(r.Key, barrierKey):
		switch {
		case a.loose != 0 && a.chain.Started:
			a.tear(r)
		case a.loose != 0:
			a.torn = r
		}
	case bytes.Equal(r.Key, checkpointKey):
		a.checkpoint(r)
	default:
		a.problem(r, "an unknown engine record %q", r.Key)
	}
}

func (a *audit) tear(r *Record) {
	a.problem(r, "changes in front of a barrier, without a checkpoint behind them")
}

func (a *audit) checkpoint(r *Record) {
	c, err := decodeCheckpoint(r.Value)
	if err != nil {
		a.problem(r, "%v", err)
		return
	}
	a.loose = 0
	if !a.chain.Started && a.torn != nil && c.Sequence == 1 {
		a.tear(a.torn) // none was removed
	}
	if a.chain.Started && c.Sequence != a.last.Sequence+1 {
		a.problem(r, "transaction %d follows %d", c.Sequence, a.last.Sequence)
	}
	if c.Next < a.last.Next {
		a.problem(r, "transaction %d takes the input back from %d to %d", c.Sequence, a.last.Next, c.Next)
	}
	a.chain.Started, a.last = true, c
}

func (a *audit) end(topic string, sum func(iter.Seq2[[]byte, []byte]) ([16]byte, int64)) {
	at := &Record{Topic: topic, Partition: a.chain.Partition, Offset: a.loose - 1}
	if a.loose != 0 {
		a.problem(at, "changes without a checkpoint behind them")
	}
	if !a.chain.Started {
		return
	}
	a.chain.Next, a.chain.Sequence = a.last.Next, a.last.Sequence
	digest, keys := sum(func(yield func(k, v []byte) bool) {
		for k, v := range a.state {
			if !yield([]byte(k), v) {
				return
			}
		}
	})
	if digestText(digest) != a.last.Digest || keys != a.last.Keys {
		a.chain.Problems = append(a.chain.Problems, fmt.Sprintf("%s/%d: folds to %d keys and digest %s, its transaction %d says %d and %s",
			topic, a.chain.Partition, keys, digestText(digest), a.last.Sequence, a.last.Keys, a.last.Digest))
	}
}
