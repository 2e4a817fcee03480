package stream_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tracksource/stream"
)

// TestFollower: it hands on everything once and in order, Sync waits for what was
// there when it was called, and a record that fails comes again.
func TestFollower(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	conn := stream.Conn{Brokers: r.c.ListenAddrs()}
	var mu sync.Mutex
	got := map[int32][]string{}
	failures := 2
	f := stream.NewFollower(conn, quietLog(), changelog, func(rec stream.Record) error {
		mu.Lock()
		defer mu.Unlock()
		if string(rec.Value) == "7" && failures > 0 {
			failures--
			return errors.New("not now")
		}
		got[rec.Partition] = append(got[rec.Partition], string(rec.Value))
		return nil
	})
	early, cancelEarly := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancelEarly()
	if err := f.Sync(early); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Sync() before Run = %v", err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.c.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	send := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			rec := &kgo.Record{Topic: changelog, Partition: int32(i % inParts), Value: fmt.Append(nil, i)}
			if err := cl.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	send(0, 20)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	for _, to := range []int{20, 21, 60} {
		if to > 20 {
			send(map[int]int{21: 20, 60: 21}[to], to)
		}
		wait, done := context.WithTimeout(ctx, waitForLong)
		if err := f.Sync(wait); err != nil {
			t.Fatalf("Sync() = %v", err)
		}
		done()
		mu.Lock()
		n := 0
		for p, values := range got {
			n += len(values)
			for i, v := range values {
				if v != fmt.Sprint(i*inParts+int(p)) {
					t.Errorf("partition %d: %v", p, values)
				}
			}
		}
		mu.Unlock()
		if n != to {
			t.Errorf("%d records handed on after Sync, want %d", n, to)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run() = %v", err)
	}
}
