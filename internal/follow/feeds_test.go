package follow_test

import (
	"context"
	"log/slog"
	"maps"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tracksource/deploy/kafka"
	"tracksource/internal/follow"
	"tracksource/internal/line"
	"tracksource/report"
	"tracksource/schemas/avro"
)

// TestFeedCounts: a feed has the sum of what its partitions told last.
func TestFeedCounts(t *testing.T) {
	r := newRig(t, 0)
	tell := func(feed, reporter string, partition int32, row avro.FeedRow) {
		row.Feed, row.Reporter, row.Partition = feed, reporter, partition
		r.send(r.spec.FeedCounts(), 0, encode(t, r.codecs.FeedKey, avro.FeedKey{Feed: feed, Reporter: reporter, Partition: partition}), encode(t, r.codecs.FeedRow, row))
	}
	want := func(what string, want map[kafka.Feed]report.FeedCounts) {
		t.Helper()
		got, err := r.f.FeedCounts()
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", what, got, err, want)
		}
	}
	crm, web := kafka.Feed{Kind: "crm", Partner: "acme"}, kafka.Feed{Kind: "analytics", Partner: "globex"}
	want("nothing was told", map[kafka.Feed]report.FeedCounts{})
	tell("crm", "acme", 0, avro.FeedRow{Accepted: 9, Touches: 9, Unmatched: 9})
	tell("crm", "acme", 0, avro.FeedRow{Accepted: 1, Duplicates: 2, Late: 3, Suppressed: 4, Unmatchable: 5, Touches: 6, Unmatched: 7})
	tell("crm", "acme", 11, avro.FeedRow{Accepted: 10, Duplicates: 20, Late: 30, Suppressed: 40, Unmatchable: 50, Touches: 60, Unmatched: 70})
	tell("analytics", "globex", 3, avro.FeedRow{Accepted: 5})
	sum := report.FeedCounts{Accepted: 11, Duplicates: 22, Late: 33, Suppressed: 44, Unmatchable: 55, Touches: 66, Unmatched: 77}
	want("of two feeds", map[kafka.Feed]report.FeedCounts{crm: sum, web: {Accepted: 5}})
	r.send(r.spec.FeedCounts(), 0, []byte("of no schema"), []byte("left out"))
	tell("analytics", "globex", 3, avro.FeedRow{IsDeleted: true})
	want("one is gone", map[kafka.Feed]report.FeedCounts{crm: sum})
	r.send(r.spec.FeedCounts(), 0, encode(t, r.codecs.FeedKey, avro.FeedKey{Feed: "crm", Reporter: "acme", Partition: 11}), nil)
	want("a partition's is gone", map[kafka.Feed]report.FeedCounts{crm: {Accepted: 1, Duplicates: 2, Late: 3, Suppressed: 4, Unmatchable: 5, Touches: 6, Unmatched: 7}})
}

// TestWithoutFeeds: on a cluster of before there was a topic of feeds everything else is
// followed, and nothing is said of them.
func TestWithoutFeeds(t *testing.T) {
	m, err := kafka.StartMemory(kafka.MemoryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	ctx, spec := t.Context(), newRig(t, 0).spec
	if _, err := kafka.Apply(ctx, m.Conn(), spec); err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(m.Conn().Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	if _, err := kadm.NewClient(cl).DeleteTopic(ctx, spec.FeedCounts()); err != nil {
		t.Fatal(err)
	}
	l, err := line.Open(ctx, line.Config{Kafka: m.Conn(), Spec: spec, Registry: avro.NewMemory(), DataDir: t.TempDir(), Log: slog.New(slog.DiscardHandler), Clock: time.Now}, follow.TopicsOf(spec)...)
	if err != nil {
		t.Fatal(err)
	}
	f, err := follow.Open(l, 0)
	if err != nil {
		t.Fatal(err)
	}
	svc := &line.Service{Line: l, Tables: f.Tables()}
	run, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- svc.Run(run) }()
	for svc.Ready() != nil {
		select {
		case err := <-done:
			t.Fatalf("it ended: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	if got, err := f.FeedCounts(); err != nil || got != nil {
		t.Errorf("counts %v, %v", got, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := svc.Close(); err != nil {
		t.Error(err)
	}
}
