package stream_test

import (
	"context"
	"maps"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tracksource/stream"
)

// TestCountRecords: records count, markers of transactions do not, and neither does
// what was aborted or is not committed yet.
func TestCountRecords(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.c.ListenAddrs()...), kgo.TransactionalID("w"), kgo.TransactionTimeout(openMax),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(outTopic))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx := context.Background()
	// write produces n records to partition 0 and one to partition 1.
	write := func(n int) {
		t.Helper()
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		rs := []*kgo.Record{{Partition: 1, Value: []byte("v")}}
		for range n {
			rs = append(rs, &kgo.Record{Value: []byte("v")})
		}
		if err := cl.ProduceSync(ctx, rs...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	end := func(how kgo.TransactionEndTry) {
		t.Helper()
		if err := cl.EndTransaction(ctx, how); err != nil {
			t.Fatal(err)
		}
	}
	count := func(spans map[int32]stream.Span, want map[int32]int64) {
		t.Helper()
		got, err := stream.CountRecords(ctx, stream.Conn{Brokers: r.c.ListenAddrs()}, quietLog(), map[string]map[int32]stream.Span{outTopic: spans})
		if err != nil || !maps.Equal(got[outTopic], want) {
			t.Errorf("CountRecords(%v) = %v, %v, want %v", spans, got, err, want)
		}
	}
	write(3) // places 0 to 2, and a marker at 3
	end(kgo.TryCommit)
	write(2) // 4 and 5, and a marker at 6
	end(kgo.TryAbort)
	write(1) // 7, and a marker at 8
	end(kgo.TryCommit)
	count(map[int32]stream.Span{0: {0, 9}, 1: {0, 6}}, map[int32]int64{0: 4, 1: 2})
	r.holdFetches(8)
	count(map[int32]stream.Span{0: {1, 9}}, map[int32]int64{0: 3})
	count(map[int32]stream.Span{0: {0, 2}}, map[int32]int64{0: 2})
	count(map[int32]stream.Span{0: {8, 9}, 1: {5, 6}}, map[int32]int64{0: 0, 1: 0})
	count(map[int32]stream.Span{0: {9, 9}}, map[int32]int64{0: 0})
	write(5) // open
	count(map[int32]stream.Span{0: {7, 14}, 1: {4, 7}}, map[int32]int64{0: 1, 1: 1})
	end(kgo.TryCommit)
	count(map[int32]stream.Span{0: {7, 15}}, map[int32]int64{0: 6})
}

// holdFetches lets no broker answer a fetch before it was looked so often for who leads:
// it has sent nothing yet, whatever there is.
func (r *rig) holdFetches(looks int) {
	answer := make(chan struct{})
	release := sync.OnceFunc(func() { close(answer) })
	r.t.Cleanup(release)
	r.c.ControlKey(int16(kmsg.Metadata), func(kmsg.Request) (kmsg.Response, error, bool) {
		r.c.KeepControl()
		if looks--; looks <= 0 {
			release()
		}
		return nil, nil, false
	})
	r.c.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		r.c.KeepControl()
		r.c.SleepControl(func() { <-answer })
		return nil, nil, false
	})
}
