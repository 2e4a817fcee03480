package faultnet_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tracksource/internal/faultnet"
)

func open(t *testing.T) (*kfake.Cluster, *faultnet.Network, *kgo.Client) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	n := &faultnet.Network{}
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(n.Dial), kgo.DefaultProduceTopic("t"), kgo.DisableIdempotentWrite(), kgo.RecordRetries(2))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	t.Cleanup(n.Cut) // first, so that nothing waits for a frozen network
	return c, n, cl
}

func produce(cl *kgo.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	return cl.ProduceSync(ctx, kgo.StringRecord("x")).FirstErr()
}

func end(c *kfake.Cluster) int64 { return c.PartitionInfo("t", 0).HighWatermark }

// TestLose: the broker appended, the client did not hear it and sent again.
func TestLose(t *testing.T) {
	c, n, cl := open(t)
	if err := produce(cl); err != nil || end(c) != 1 {
		t.Fatalf("undisturbed: %v, %d records", err, end(c))
	}
	n.Lose(kmsg.Produce.Int16(), 1)
	if err := produce(cl); err != nil {
		t.Fatal(err)
	}
	if n.Hits() != 1 || end(c) != 3 {
		t.Errorf("%d replies lost, %d records, want 1 and 3: one was sent twice", n.Hits(), end(c))
	}
}

func TestDelay(t *testing.T) {
	c, n, cl := open(t)
	const hold = 300 * time.Millisecond
	n.Delay(kmsg.Produce.Int16(), 1, hold)
	began := time.Now()
	if err := produce(cl); err != nil || end(c) != 1 || time.Since(began) < hold {
		t.Errorf("%v, %d records after %v", err, end(c), time.Since(began))
	}
	n.Delay(kmsg.Produce.Int16(), 1, time.Hour)
	n.Heal()
	if err := produce(cl); err != nil || n.Hits() != 1 {
		t.Errorf("healed: %v, %d hits", err, n.Hits())
	}
}

// TestCutWhileHeld: a reply that is held back does not outlive its network.
func TestCutWhileHeld(t *testing.T) {
	_, n, cl := open(t)
	n.Delay(kmsg.Produce.Int16(), 1, time.Hour)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = produce(cl) // it fails once the client gives up, or the connection breaks
	}()
	for n.Hits() == 0 {
		runtime.Gosched()
	}
	n.Cut()
	cl.Close()
	<-done
}

func TestFreeze(t *testing.T) {
	c, n, cl := open(t)
	if err := produce(cl); err != nil {
		t.Fatal(err)
	}
	n.Freeze()
	done := make(chan error, 1)
	go func() { done <- produce(cl) }()
	time.Sleep(200 * time.Millisecond)
	if end(c) != 1 {
		t.Error("a frozen network let a request through")
	}
	n.Thaw()
	if err := <-done; err != nil || end(c) != 2 {
		t.Errorf("thawed: %v, %d records", err, end(c))
	}
}

func TestCut(t *testing.T) {
	c, n, cl := open(t)
	if err := produce(cl); err != nil {
		t.Fatal(err)
	}
	n.Freeze()
	n.Cut() // wakes whoever waits
	if err := produce(cl); err == nil || end(c) != 1 {
		t.Errorf("%v, %d records over a cut network", err, end(c))
	}
	if _, err := n.Dial(context.Background(), "tcp", c.ListenAddrs()[0]); !errors.Is(err, faultnet.ErrCut) {
		t.Errorf("dial: %v", err)
	}
}
