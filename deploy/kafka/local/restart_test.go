package local_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tracksource/deploy/kafka"
	"tracksource/deploy/kafka/local"
)

// TestRestartEndsTransactions: whatever many writers are doing while a lone node
// is stopped and started again, every transaction has an end afterwards. One without
// would hold up every read_committed reader of its partition, for ever.
func TestRestartEndsTransactions(t *testing.T) {
	t.Parallel()
	restarts := 2
	if n, err := strconv.Atoi(os.Getenv("LOCAL_RESTARTS")); err == nil {
		restarts = n
	}
	ctx, c := start(t, local.Config{Properties: map[string]string{"transaction.abort.timed.out.transaction.cleanup.interval.ms": "500"}})
	s := spec(t, kafka.ProfileLocal)
	applied(ctx, t, c, s)
	topics := []string{s.Observations(), s.Journeys(), s.Credits(), s.AttributorChangelog()}
	const timeout = 3 * time.Second
	wctx, cancel := context.WithCancel(ctx)
	var writers sync.WaitGroup
	defer writers.Wait()
	defer cancel()
	var committed atomic.Int64
	for w := range 24 {
		writers.Go(func() {
			for wctx.Err() == nil { // any error ends the client; the next one fences it
				writeUntilError(wctx, c, fmt.Sprintf("writer-%d", w), timeout, topics, &committed)
			}
		})
	}
	// busy returns when the writers have been at work for a while.
	busy := func() {
		t.Helper()
		for since := committed.Load(); committed.Load() < since+24; time.Sleep(50 * time.Millisecond) {
			if ctx.Err() != nil {
				t.Fatal("nothing is written any more")
			}
		}
		time.Sleep(2 * time.Second)
	}
	for range restarts {
		busy()
		if err := c.Restart(ctx, 1); err != nil {
			t.Error(err)
		}
	}
	busy()
	cancel()
	writers.Wait()
	noneOpen(ctx, t, c, topics)
}

// writeUntilError commits small transactions until one of them fails.
func writeUntilError(ctx context.Context, c *local.Cluster, id string, timeout time.Duration, topics []string, committed *atomic.Int64) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Bootstrap()...), kgo.TransactionalID(id), kgo.TransactionTimeout(timeout))
	if err != nil {
		return
	}
	defer cl.Close()
	for ctx.Err() == nil {
		if transact(ctx, cl, kgo.TryCommit, id, topics...) != nil {
			return
		}
		committed.Add(1)
	}
}

// endMax is long for a broker that has much else to do; one that has forgotten a
// transaction never ends it.
const endMax = 2 * time.Minute

// noneOpen waits until no producer has a transaction open on the topics.
func noneOpen(ctx context.Context, t *testing.T, c *local.Cluster, topics []string) {
	t.Helper()
	adm := kadm.NewClient(client(t, c))
	details, err := adm.ListTopics(ctx, topics...)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for end := time.Now().Add(endMax); ; time.Sleep(200 * time.Millisecond) {
		described, err := adm.DescribeProducers(ctx, details.TopicsSet())
		if err != nil {
			t.Fatal(err)
		}
		var open []kadm.DescribedProducer
		seen = 0
		described.EachProducer(func(p kadm.DescribedProducer) {
			seen++
			if p.CurrentTxnStartOffset >= 0 {
				open = append(open, p)
			}
		})
		if len(open) == 0 {
			break
		}
		if time.Now().After(end) {
			// What the coordinators believe tells a broker that is slow from one that
			// has forgotten.
			believed, err := adm.DescribeTransactions(ctx)
			for _, b := range believed.Sorted() {
				for _, p := range open {
					if b.ProducerID == p.ProducerID {
						t.Logf("%s/%d: %+v: the coordinator says %+v", p.Topic, p.Partition, p, b)
					}
				}
			}
			t.Fatalf("%d transactions have no end; %v", len(open), err)
		}
	}
	if seen == 0 {
		t.Fatal("the broker knows no producer: nothing was written")
	}
}
