package local_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tracksource/deploy/kafka"
	"tracksource/deploy/kafka/local"
)

const (
	// patience is just below what go test gives a package.
	patience = 9 * time.Minute
	// openMax is how long a transaction may stay open: longer than a broker that is
	// killed is away, also on a machine that does much else.
	openMax = 3 * time.Minute
)

func start(t *testing.T, cfg local.Config) (context.Context, *local.Cluster) {
	t.Helper()
	local.SkipUnlessAvailable(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	cfg.Dir = t.TempDir()
	c, err := local.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	return ctx, c
}

func spec(t *testing.T, profile string) kafka.Spec {
	t.Helper()
	s, err := kafka.Load(profile, kafka.Options{
		Feeds:      []kafka.Feed{{Kind: "crm", Partner: "acme"}},
		Partitions: map[string]int32{kafka.KeyObservations: 3, kafka.KeyJourneys: 3, kafka.KeyCredits: 3, kafka.KeyFacts: 3, kafka.KeyContributions: 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// applied brings the cluster to the Spec and holds that a second time finds
// nothing to do: every setting reads back as it was written.
func applied(ctx context.Context, t *testing.T, c *local.Cluster, s kafka.Spec) {
	t.Helper()
	if steps, err := kafka.Apply(ctx, c.Conn(), s); err != nil || len(steps) != len(s.Topics()) {
		t.Fatalf("Apply: %d steps, want %d: %v", len(steps), len(s.Topics()), err)
	}
	steps, err := kafka.Plan(ctx, c.Conn(), s)
	if err != nil || len(steps) != 0 {
		t.Fatalf("Plan after Apply: %+v, %v", steps, err)
	}
	if err := kafka.Verify(ctx, c.Conn(), s); err != nil {
		t.Fatal(err)
	}
}

func client(t *testing.T, c *local.Cluster, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.Bootstrap()...)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// transact writes records to two topics in one transaction.
func transact(ctx context.Context, cl *kgo.Client, end kgo.TransactionEndTry, value string, topics ...string) error {
	if err := cl.BeginTransaction(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	for _, topic := range topics {
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte(value)}).FirstErr(); err != nil {
			return fmt.Errorf("produce: %w", err)
		}
	}
	if err := cl.EndTransaction(ctx, end); err != nil {
		return fmt.Errorf("end: %w", err)
	}
	return nil
}

// committed reads what a read_committed consumer of the topic sees, up to a
// marker record that is written last.
func committed(ctx context.Context, t *testing.T, c *local.Cluster, topic string) []string {
	t.Helper()
	const marker = "that is all"
	cl := client(t, c, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte(marker)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	ends, err := kafka.EndOffsets(ctx, c.Conn(), topic)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for last := false; !last; {
		f := cl.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatalf("read %s, has %v: %v", topic, out, err)
		}
		f.EachRecord(func(r *kgo.Record) {
			if string(r.Value) != marker {
				out = append(out, string(r.Value))
			}
			last = last || r.Offset == ends[topic][r.Partition]-1
		})
	}
	cl.Close()
	return out
}

func TestOneNode(t *testing.T) {
	t.Parallel()
	ctx, c := start(t, local.Config{})
	features, err := kafka.Features(ctx, c.Conn())
	if err != nil || features["transaction.version"] != 2 {
		t.Fatalf("features %v, %v: want transaction.version 2", features, err)
	}
	if err := kafka.CheckBroker(ctx, c.Conn()); err != nil {
		t.Fatal(err)
	}
	s := spec(t, kafka.ProfileLocal)
	applied(ctx, t, c, s)

	cl := client(t, c, kgo.TransactionalID("one"), kgo.TransactionTimeout(openMax), kgo.RetryTimeout(openMax))
	write := func(value string, end kgo.TransactionEndTry) {
		t.Helper()
		if err := transact(ctx, cl, end, value, s.Journeys(), s.AttributorChangelog()); err != nil {
			t.Fatal(err)
		}
	}
	write("first", kgo.TryCommit)
	write("aborted", kgo.TryAbort)
	write("second", kgo.TryCommit)
	want := []string{"first", "second"}
	check := func(when string) {
		t.Helper()
		for _, topic := range []string{s.Journeys(), s.AttributorChangelog()} {
			if got := committed(ctx, t, c, topic); !slices.Equal(got, want) {
				t.Errorf("%s: %s holds %q, want %q", when, topic, got, want)
			}
		}
	}
	check("before")

	if err := c.Restart(ctx, 1); err != nil {
		t.Fatal(err)
	}
	check("after a restart")

	// Killed with a transaction open: its records must never appear.
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: s.Journeys(), Key: []byte("k"), Value: []byte("torn")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := c.Kill(1); err != nil {
		t.Fatal(err)
	}
	if err := c.Kill(1); err == nil {
		t.Error("a killed node was killed again")
	}
	if err := c.Restart(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(ctx, kgo.TryAbort); err != nil {
		t.Logf("abort after the kill: %v", err)
	}
	cl.Close()
	cl = client(t, c, kgo.TransactionalID("one"), kgo.TransactionTimeout(openMax), kgo.RetryTimeout(openMax))
	write("third", kgo.TryCommit)
	want = append(want, "third")
	check("after kill -9")
	if err := kafka.Verify(ctx, c.Conn(), s); err != nil {
		t.Error(err)
	}
}

// TestThreeNodes holds that one node of three may be killed under
// transactions: what was committed stays, and work goes on meanwhile.
func TestThreeNodes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("three JVMs are not short")
	}
	ctx, c := start(t, local.Config{Nodes: 3})
	s := spec(t, kafka.ProfileProduction)
	applied(ctx, t, c, s)
	var want []string
	cl := client(t, c, kgo.TransactionalID("three"), kgo.TransactionTimeout(openMax), kgo.RetryTimeout(openMax))
	write := func(value string) {
		t.Helper()
		// An unknown outcome would make the expectation unknown too: this
		// client retries within the transaction, and a failure ends the test.
		if err := transact(ctx, cl, kgo.TryCommit, value, s.Journeys(), s.AttributorChangelog()); err != nil {
			t.Fatalf("%s: %v", value, err)
		}
		want = append(want, value)
	}
	for round, victim := range []int{1, 3} {
		write(fmt.Sprintf("round %d before", round))
		if err := c.Kill(victim); err != nil {
			t.Fatal(err)
		}
		write(fmt.Sprintf("round %d with two of three", round))
		if err := c.Restart(ctx, victim); err != nil {
			t.Fatal(err)
		}
		waitInSync(ctx, t, c, s.Journeys())
	}
	for _, topic := range []string{s.Journeys(), s.AttributorChangelog()} {
		if got := committed(ctx, t, c, topic); !slices.Equal(got, want) {
			t.Errorf("%s holds %q, want %q", topic, got, want)
		}
	}
	if err := kafka.Verify(ctx, c.Conn(), s); err != nil {
		t.Error(err)
	}
}

// waitInSync waits until every partition has three replicas in sync.
func waitInSync(ctx context.Context, t *testing.T, c *local.Cluster, topic string) {
	t.Helper()
	adm := kadm.NewClient(client(t, c))
	for {
		details, err := adm.ListTopics(ctx, topic)
		if err == nil {
			all := len(details[topic].Partitions) > 0
			for _, p := range details[topic].Partitions {
				all = all && len(p.ISR) == 3
			}
			if all {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s did not come back in sync: %v %v", topic, details, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func TestStartRefuses(t *testing.T) {
	for name, cfg := range map[string]local.Config{"no directory": {}, "two nodes": {Dir: t.TempDir(), Nodes: 2}} {
		if c, err := local.Start(context.Background(), cfg); err == nil {
			c.Stop()
			t.Errorf("%s: Start succeeded", name)
		}
	}
}
