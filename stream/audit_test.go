package stream_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestAuditChangelog: a sound changelog has no problem, and whatever somebody
// appends to it is found.
func TestAuditChangelog(t *testing.T) {
	r := newRig(t)
	a := r.start("a", newDisk())
	r.send(100)
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
