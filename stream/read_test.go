package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tracksource/stream"
)

// TestReadSpans: exactly what is committed in the places is read: nothing of an aborted
// transaction, of one that is open what is in front of the end once it is decided, and
// nothing behind the end.
func TestReadSpans(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	conn := stream.Conn{Brokers: r.c.ListenAddrs()}
	writer := func(id string) *kgo.Client {
		cl, err := kgo.NewClient(kgo.SeedBrokers(r.c.ListenAddrs()...), kgo.TransactionalID(id), kgo.TransactionTimeout(openMax), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cl.Close)
		return cl
	}
	a, b := writer("a"), writer("b")
	begin := func(cl *kgo.Client, values ...string) {
		t.Helper()
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			if err := cl.ProduceSync(ctx, &kgo.Record{Topic: outTopic, Partition: 1, Value: []byte(v)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	end := func(cl *kgo.Client, how kgo.TransactionEndTry) {
		t.Helper()
		if err := cl.EndTransaction(ctx, how); err != nil {
			t.Fatal(err)
		}
	}
	var came func(got []string)
	read := func(ctx context.Context, from, to int64) (got []string, err error) {
		err = stream.ReadSpans(ctx, conn, quietLog(), outTopic, map[int32]stream.Span{1: {From: from, End: to}, 0: {}}, func(records []stream.Record) error {
			for _, rec := range records {
				if rec.Partition != 1 {
					return fmt.Errorf("partition %d is read", rec.Partition)
				}
				got = append(got, string(rec.Value))
			}
			if came != nil {
				came(got)
			}
			return nil
		})
		return got, err
	}
	want := func(from, to int64, want ...string) {
		t.Helper()
		if got, err := read(ctx, from, to); err != nil || !slices.Equal(got, want) {
			t.Errorf("from %d to %d it reads %q, error %v, want %q", from, to, got, err, want)
		}
	}
	begin(a, "0", "1")
	end(a, kgo.TryCommit) // 2
	begin(a, "3", "4")
	end(a, kgo.TryAbort) // 5
	begin(a, "6", "7")
	want(0, 6, "0", "1")
	want(0, 1, "0")
	want(1, 3, "1")
	want(3, 5)
	want(4, 6)
	want(2, 2)

	short, cancel := context.WithCancel(ctx)
	defer cancel()
	came = func(got []string) {
		if len(got) == 2 {
			time.AfterFunc(700*time.Millisecond, cancel) // it would have ended in less
		}
	}
	if got, err := read(short, 0, 7); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "transaction that is open") || !slices.Equal(got, []string{"0", "1"}) {
		t.Errorf("with an open transaction it reads %q, error %v", got, err)
	}
	came = nil
	// What another transaction commits behind it is not read before it is decided, and
	// what is committed while the reader waits is read to the last.
	begin(b, "8", "9")
	end(b, kgo.TryCommit) // 10
	type result struct {
		got []string
		err error
	}
	done := make(chan result, 1)
	waiting := make(chan struct{})
	go func() {
		var got []string
		err := stream.ReadSpans(ctx, conn, quietLog(), outTopic, map[int32]stream.Span{1: {From: 0, End: 9}}, func(records []stream.Record) error {
			for _, rec := range records {
				if len(got) == 0 {
					close(waiting)
				}
				got = append(got, string(rec.Value))
			}
			return nil
		})
		done <- result{got, err}
	}()
	<-waiting
	end(a, kgo.TryCommit) // 11
	if res := <-done; res.err != nil || !slices.Equal(res.got, []string{"0", "1", "6", "7", "8"}) {
		t.Errorf("it reads %q, error %v", res.got, res.err)
	}
	want(7, 9, "7", "8")
	want(10, 12)

	if err := stream.ReadSpans(ctx, conn, quietLog(), outTopic, map[int32]stream.Span{7: {End: 1}}, nil); err == nil || !strings.Contains(err.Error(), "no partition 7") {
		t.Errorf("of a partition that is not there it says %v", err)
	}
}

// TestReadCompacted: where nothing stands at the end any more, as where compaction took
// it, everything in front of it is read all the same, and the reader ends.
func TestReadCompacted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const behind = 50
	p, err := stream.NewProducer(stream.Conn{Brokers: r.c.ListenAddrs()}, quietLog())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for range 3 {
		if err := p.Send(t.Context(), stream.Message{Topic: changelog, Pinned: true, Key: []byte("k"), Value: []byte("v")}); err != nil {
			t.Fatal(err)
		}
	}
	r.c.ControlKey(int16(kmsg.ListOffsets), func(req kmsg.Request) (kmsg.Response, error, bool) {
		r.c.KeepControl()
		asked, ok := req.(*kmsg.ListOffsetsRequest)
		if !ok {
			return nil, nil, false
		}
		resp, _ := asked.ResponseKind().(*kmsg.ListOffsetsResponse)
		for _, topic := range asked.Topics {
			of := kmsg.NewListOffsetsResponseTopic()
			of.Topic = topic.Topic
			for _, p := range topic.Partitions {
				one := kmsg.NewListOffsetsResponseTopicPartition()
				one.Partition, one.Offset = p.Partition, behind
				of.Partitions = append(of.Partitions, one)
			}
			resp.Topics = append(resp.Topics, of)
		}
		return resp, nil, true
	})
	n := 0
	err = stream.ReadSpans(t.Context(), stream.Conn{Brokers: r.c.ListenAddrs()}, quietLog(), changelog, map[int32]stream.Span{0: {End: behind}}, func(records []stream.Record) error {
		n += len(records)
		return nil
	})
	if err != nil || n != 3 {
		t.Errorf("it reads %d records, error %v", n, err)
	}
}

// TestTableUnanswered: a table that no broker has answered yet is not taken for one that
// is read to its end, whatever the ends of the topic are.
func TestTableUnanswered(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for what a slow broker is waited for")
	}
	r := newRig(t)
	p, err := stream.NewProducer(stream.Conn{Brokers: r.c.ListenAddrs()}, quietLog())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Send(t.Context(), stream.Message{Topic: outTopic, Pinned: true, Key: []byte("k"), Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	answer, asked := make(chan struct{}), make(chan struct{})
	r.c.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		r.c.KeepControl()
		r.c.SleepControl(func() { <-answer })
		return nil, nil, false
	})
	seen := map[int32]bool{}
	again := sync.OnceFunc(func() { close(asked) })
	r.c.ControlKey(int16(kmsg.ListOffsets), func(req kmsg.Request) (kmsg.Response, error, bool) {
		r.c.KeepControl()
		of, ok := req.(*kmsg.ListOffsetsRequest)
		if !ok {
			return nil, nil, false
		}
		// It looks at each partition without an answer of it, and goes on.
		if of.IsolationLevel == 1 {
			seen[of.Topics[0].Partitions[0].Partition] = true
		} else if len(seen) > 0 {
			again()
		}
		return nil, nil, false
	})
	d := newDisk()
	tb, stop := r.startTable(d)
	<-asked
	if err := tb.Ready(); err == nil {
		t.Error("it is ready without an answer")
	}
	close(answer)
	until(t, "the table is ready", func() bool { return tb.Ready() == nil })
	stop()
	if got := tb.Store().(*memStore).data["k"]; got != "v" {
		t.Errorf("it was ready with %q", got)
	}
}
