package stream_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tracksource/stream"
)

// TestAuditChangelog: a sound changelog has no problem, and whatever somebody
// appends to it is found.
func TestAuditChangelog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.start("a", newDisk())
	r.send(300) // so many that each partition has some
	r.check()
	a.drain()
	var sequence, next int64
	for _, c := range r.audit() {
		if !c.Started || c.Next == 0 || c.Sequence == 0 {
			t.Errorf("partition %d: %+v", c.Partition, c)
		}
		if c.Partition == 0 {
			sequence, next = c.Sequence, c.Next
		}
	}
	checkpoint := func(next, sequence int64) string {
		return fmt.Sprintf(`{"format":1,"next":%d,"sequence":%d,"generation":1,"owner":"x","digest":"00","keys":9}`, next, sequence)
	}
	for _, tt := range []struct{ key, value, want string }{
		{"\x01kx", "1", "changes without a checkpoint behind them"},
		{"\x00C", checkpoint(next, sequence+1), "folds to"},
		{"\x00C", checkpoint(next-1, sequence+2), "takes the input back"},
		{"\x00C", checkpoint(next, sequence+2), fmt.Sprintf("transaction %d follows %d", sequence+2, sequence+2)},
		{"\x00C", checkpoint(next, sequence+9), fmt.Sprintf("transaction %d follows %d", sequence+9, sequence+2)},
		{"\x00C", "{", "decode checkpoint"},
		{"\x00X", "", "unknown engine record"},
		{"", "v", "a record without a key"},
	} {
		rec := &kgo.Record{Topic: changelog, Key: []byte(tt.key), Value: []byte(tt.value)}
		cl, err := kgo.NewClient(kgo.SeedBrokers(r.c.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(context.Background(), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
		cl.Close()
		if all := fmt.Sprint(r.audit()[0].Problems); !strings.Contains(all, tt.want) {
			t.Errorf("after %q = %q the audit says %s, want %q", tt.key, tt.value, all, tt.want)
		}
	}
	for _, c := range r.audit()[1:] {
		if len(c.Problems) > 0 {
			t.Errorf("partition %d: %v", c.Partition, c.Problems)
		}
	}
}

// TestAuditCompacted: compaction takes checkpoints in front of the first that is
// left, so that changes in front of a barrier may have lost theirs; not if that
// checkpoint is the first of all, and not behind it.
func TestAuditCompacted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.c.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	const torn = "changes in front of a barrier, without a checkpoint behind them"
	checkpoint := func(sequence int) string {
		return fmt.Sprintf(`{"format":1,"next":%d,"sequence":%d,"generation":1,"owner":"x","digest":"00","keys":9}`, sequence, sequence)
	}
	for i, tt := range []struct {
		name    string
		records []string // key and value in turn
		torn    bool
	}{
		{"its checkpoint was removed", []string{"\x01ka", "1", "\x00B", "x", "\x01kb", "1", "\x00C", checkpoint(7)}, false},
		{"there was none", []string{"\x01ka", "1", "\x00B", "x", "\x01kb", "1", "\x00C", checkpoint(1)}, true},
		{"behind a checkpoint nothing is removed", []string{"\x01ka", "1", "\x00C", checkpoint(7), "\x01ka", "1", "\x00B", "x", "\x01kb", "1", "\x00C", checkpoint(8)}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			topic := fmt.Sprint("compacted-", i)
			if _, err := kadm.NewClient(cl).CreateTopic(t.Context(), 1, 1, nil, topic); err != nil {
				t.Fatal(err)
			}
			for k := 0; k < len(tt.records); k += 2 {
				rec := &kgo.Record{Topic: topic, Key: []byte(tt.records[k]), Value: []byte(tt.records[k+1])}
				if err := cl.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			chains, err := stream.AuditChangelog(t.Context(), stream.Conn{Brokers: r.c.ListenAddrs()}, quietLog(), topic, 1,
				func(iter.Seq2[[]byte, []byte]) (sum [16]byte, keys int64) { return sum, keys })
			if err != nil {
				t.Fatal(err)
			}
			if all := fmt.Sprint(chains[0].Problems); strings.Contains(all, torn) != tt.torn {
				t.Errorf("the audit says %s", all)
			}
		})
	}
}
