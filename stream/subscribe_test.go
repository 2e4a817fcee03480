package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tracksource/stream"
)

// heard is what the instances of a group were handed, by partition.
type heard struct {
	mu   sync.Mutex
	all  map[int32][]int64 // guarded by mu
	news chan struct{}
}

func newHeard() *heard { return &heard{all: map[int32][]int64{}, news: make(chan struct{}, 1000)} }

func (h *heard) note(r stream.Record) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all[r.Partition] = append(h.all[r.Partition], r.Offset)
	h.news <- struct{}{}
	n := 0
	for _, list := range h.all {
		n += len(list)
	}
	return n
}

// wait returns once n more records have been handed over.
func (h *heard) wait(t *testing.T, n int) {
	t.Helper()
	late := time.NewTimer(waitForLong)
	defer late.Stop()
	for range n {
		select {
		case <-h.news:
		case <-late.C:
			t.Fatalf("still waiting for one of %d records", n)
		}
	}
}

// subscriber runs one instance; the function ends it.
func (r *rig) subscriber(group string, since time.Time, handle func(ctx context.Context, rec stream.Record) (bool, error)) (end func() error) {
	s := stream.NewSubscriber(stream.Subscription{
		Conn: stream.Conn{Brokers: r.c.ListenAddrs()}, Group: group, Topic: inTopic, Log: quietLog(),
		Since: func() time.Time { return since }, Handle: handle,
	})
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return func() error { cancel(); return <-ended }
}

func (r *rig) sendTo(p int32, n int) {
	r.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.c.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	for i := range n {
		if err := cl.ProduceSync(r.t.Context(), &kgo.Record{Topic: inTopic, Partition: p, Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			r.t.Fatal(err)
		}
	}
}

// TestSubscriber: what was acted on does not come again after a restart, what was in
// hand or failed does, in order.
func TestSubscriber(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.sendTo(0, 10)
	h := newHeard()
	failures := 1
	end := r.subscriber("hooks", time.Time{}, func(ctx context.Context, rec stream.Record) (bool, error) {
		if rec.Offset == 3 && failures > 0 {
			failures--
			return false, errors.New("not now")
		}
		h.note(rec)
		if rec.Offset == 5 {
			<-ctx.Done() // in hand when the instance ends
		}
		return true, nil
	})
	h.wait(t, 6)
	if err := end(); err != nil {
		t.Errorf("Run() = %v", err)
	}
	if want := []int64{0, 1, 2, 3, 4, 5}; !slices.Equal(h.all[0], want) {
		t.Errorf("handed over %v, want %v", h.all[0], want)
	}

	again := newHeard()
	end = r.subscriber("hooks", time.Time{}, func(_ context.Context, rec stream.Record) (bool, error) {
		again.note(rec)
		return false, nil
	})
	again.wait(t, 5)
	if want := []int64{5, 6, 7, 8, 9}; !slices.Equal(again.all[0], want) {
		t.Errorf("after a restart handed over %v, want %v", again.all[0], want)
	}
	if err := end(); err != nil {
		t.Errorf("Run() = %v", err)
	}
}

// TestSubscriberHandsOver: what an instance has in memory of partitions that it gave
// up in the middle of acting is left to their next owner, and nothing is handed to
// both.
func TestSubscriberHandsOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for p := range int32(inParts) {
		r.sendTo(p, 1)
	}
	first, second := newHeard(), newHeard()
	inHand, release := make(chan struct{}, 10), make(chan struct{})
	end := r.subscriber("hooks", time.Time{}, func(ctx context.Context, rec stream.Record) (bool, error) {
		inHand <- struct{}{}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-release:
			first.note(rec)
			return true, nil
		}
	})
	<-inHand
	end2 := r.subscriber("hooks", time.Time{}, func(_ context.Context, rec stream.Record) (bool, error) {
		second.note(rec)
		return true, nil
	})
	second.wait(t, 2) // of four partitions two
	close(release)
	for p := range int32(inParts) {
		r.sendTo(p, 1)
	}
	second.wait(t, 2)
	// Both of those behind are handed over after all that was in memory.
	first.wait(t, 4)
	for _, f := range []func() error{end, end2} {
		if err := f(); err != nil {
			t.Errorf("Run() = %v", err)
		}
	}
	for p := range int32(inParts) {
		a, b := first.list(p), second.list(p)
		if len(a) > 0 && len(b) > 0 || !slices.Equal(slices.Concat(a, b), []int64{0, 1}) {
			t.Errorf("partition %d: the first was handed %v, the second %v", p, a, b)
		}
	}
}

func (h *heard) list(p int32) []int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.all[p])
}

// TestSubscriberBegins: a new group begins where it is told to, and who unsubscribes
// leaves the record to the next start.
func TestSubscriberBegins(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.sendTo(1, 5)
	since := time.Now().Add(time.Millisecond)
	for !time.Now().After(since.Add(time.Millisecond)) { // the broker's times have milliseconds
		continue
	}
	r.sendTo(1, 1)
	late := newHeard()
	end := r.subscriber("late", since, func(_ context.Context, rec stream.Record) (bool, error) {
		late.note(rec)
		return true, nil
	})
	late.wait(t, 1)
	if err := end(); err != nil || !slices.Equal(late.all[1], []int64{5}) {
		t.Errorf("a group that begins later was handed %v, want the last record alone: %v", late.all[1], err)
	}
	h := newHeard()
	end = r.subscriber("hooks", time.Time{}, func(_ context.Context, rec stream.Record) (bool, error) {
		if rec.Offset == 2 {
			h.note(rec)
			return false, stream.ErrUnsubscribe
		}
		return true, nil
	})
	h.wait(t, 1)
	if err := end(); err != nil {
		t.Errorf("Run() = %v", err)
	}
	end = r.subscriber("hooks", time.Time{}, func(_ context.Context, rec stream.Record) (bool, error) {
		h.note(rec)
		return true, nil
	})
	h.wait(t, 4)
	if err := end(); err != nil {
		t.Errorf("Run() = %v", err)
	}
	if want := []int64{2, 2, 3, 4, 5}; !slices.Equal(h.all[1], want) {
		t.Errorf("handed over %v, want %v", h.all[1], want)
	}
}

// TestSubscriberMissesNothing: what is written while a new group asks where to begin is
// handed over, though no answer has it.
func TestSubscriberMissesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	byTime, written := make(chan struct{}), make(chan struct{})
	var once, send sync.Once
	r.c.ControlKey(kmsg.ListOffsets.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		r.c.KeepControl()
		if at := req.(*kmsg.ListOffsetsRequest).Topics[0].Partitions[0].Timestamp; at >= 0 {
			// There is nothing yet. The client asks for the end as well, at once.
			once.Do(func() { close(byTime) })
			return nil, nil, false
		} else if at == -1 {
			r.c.SleepControl(func() { <-byTime })
		}
		send.Do(func() {
			r.c.SleepControl(func() {
				r.sendTo(0, 1)
				close(written)
			})
		})
		return nil, nil, false
	})
	h := newHeard()
	end := r.subscriber("hooks", time.Now().Add(-time.Hour), func(_ context.Context, rec stream.Record) (bool, error) {
		h.note(rec)
		return true, nil
	})
	<-written
	r.sendTo(0, 1)
	h.wait(t, 1)
	if err := end(); err != nil || h.all[0][0] != 0 {
		t.Errorf("handed over %v, want the first record: %v", h.all[0], err)
	}
}
