package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Subscription describes a [Subscriber]. All fields are required.
type Subscription struct {
	Conn         Conn
	Group, Topic string
	Log          *slog.Logger

	// Since is from when on records are handed over where the group has no place
	// yet, or has lost it. It is asked at each connection.
	Since func() time.Time

	// Handle acts on a record, outside of Kafka. Its context ends when the
	// partition is given up, and then nothing more is to be done for it. acted says
	// that something was done which should not be done twice. A record that it
	// returns an error for is handed over again, after a pause; [ErrUnsubscribe]
	// ends the Subscriber in front of it.
	Handle func(ctx context.Context, r Record) (acted bool, err error)
}

// ErrUnsubscribe is returned by Handle to leave the group.
var ErrUnsubscribe = errors.New("unsubscribed")

// Subscriber hands the committed records of a topic to a function that acts outside
// of Kafka: each one at least once, those of a partition one after the other in the
// order of their offsets. The instances of a group share the partitions, and the
// group keeps the places. A record is done with once Handle has returned, so that it
// comes again after a crash, and from another instance after a rebalance. An instance
// that the group gave up without its knowing may still be acting when the next owner
// begins; the offsets say which record is the newer.
type Subscriber struct {
	s  Subscription
	mu sync.Mutex

	owned map[int32]tenure // guarded by mu
}

// tenure is the time for which a partition is ours.
type tenure struct {
	ctx context.Context
	end context.CancelFunc
	// since is from when on records are acted on where the group had no place; else zero.
	since time.Time
}

// subscribeBatch is how many records are taken at once: those behind the one that
// is acted on wait in memory.
const subscribeBatch = 100

// NewSubscriber makes a Subscriber; Run makes it act.
func NewSubscriber(s Subscription) *Subscriber { return &Subscriber{s: s, owned: map[int32]tenure{}} }

// Run acts until ctx ends or Handle unsubscribes; it returns nil then. What fails is
// tried again.
func (s *Subscriber) Run(ctx context.Context) error {
	for {
		err := s.session(ctx)
		if ctx.Err() != nil || errors.Is(err, ErrUnsubscribe) {
			return nil
		}
		s.s.Log.WarnContext(ctx, "interrupted, going on", "group", s.s.Group, "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followPause):
		}
	}
}

func (s *Subscriber) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // and with it each tenure
	s.mu.Lock()
	clear(s.owned)
	s.mu.Unlock()
	since := s.s.Since().Truncate(time.Millisecond) // as the records' own
	cl, err := kgo.NewClient(append(s.s.Conn.options(),
		kgo.ClientID("track-source-subscriber"),
		kgo.WithLogger(logAdapter{s.s.Log}),
		kgo.ConsumerGroup(s.s.Group),
		kgo.ConsumeTopics(s.s.Topic),
		// From the first record on, of which the older ones are passed over. To begin
		// behind them the client asks for the first that is not older and for the end at
		// once, so that one which comes between the two answers would never be seen.
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.AdjustFetchOffsetsFn(func(_ context.Context, places map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
			s.begin(places[s.s.Topic], since)
			return places, nil
		}),
		kgo.ConsumeResetOffset(kgo.NewOffset().AfterMilli(max(0, since.UnixMilli()))),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(250*time.Millisecond),
		kgo.DisableAutoCommit(),
		// Held off from the poll until the tenures of what it brought are known, and
		// no longer: acting may take hours.
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, ps map[string][]int32) { s.take(ctx, ps[s.s.Topic]) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, ps map[string][]int32) { s.giveUp(ps[s.s.Topic]) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, ps map[string][]int32) { s.giveUp(ps[s.s.Topic]) }),
	)...)
	if err != nil {
		return fmt.Errorf("open subscriber: %w", err)
	}
	defer cl.CloseAllowingRebalance()
	for ctx.Err() == nil {
		fs := cl.PollRecords(ctx, subscribeBatch)
		tenures := s.tenures()
		cl.AllowRebalance()
		for _, e := range fs.Errors() {
			if !errors.Is(e.Err, context.Canceled) {
				return fmt.Errorf("subscribe to %s/%d: %w", e.Topic, e.Partition, e.Err)
			}
		}
		var failed error
		fs.EachPartition(func(p kgo.FetchTopicPartition) {
			t, ours := tenures[p.Partition]
			if failed == nil && ours {
				failed = s.act(t, cl, p.Records)
			}
		})
		if failed != nil {
			return failed
		}
	}
	return ctx.Err()
}

// act hands the records of one partition over and commits behind them. It ends
// early, without an error, when the partition is given up.
func (s *Subscriber) act(of tenure, cl *kgo.Client, records []*kgo.Record) error {
	ctx := of.ctx
	var done *kgo.Record
	commit := func() error {
		if done == nil || ctx.Err() != nil {
			return nil
		}
		// A commit that fails is unknown, and the record comes again at worst.
		if err := cl.CommitRecords(ctx, done); err != nil && ctx.Err() == nil {
			return fmt.Errorf("commit %s/%d@%d: %w", done.Topic, done.Partition, done.Offset, err)
		}
		done = nil
		return nil
	}
	for _, r := range records {
		if ctx.Err() != nil {
			return nil
		}
		if r.Timestamp.Before(of.since) {
			done = r
			continue
		}
		acted, err := s.s.Handle(ctx, Record{
			Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
			Key: r.Key, Value: r.Value, Headers: headers(r.Headers), Timestamp: r.Timestamp,
		})
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return errors.Join(fmt.Errorf("act on %s/%d@%d: %w", r.Topic, r.Partition, r.Offset, err), commit())
		}
		if done = r; !acted {
			continue
		}
		if err := commit(); err != nil {
			return err
		}
	}
	return commit()
}

func (s *Subscriber) take(ctx context.Context, partitions []int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range partitions {
		var t tenure
		t.ctx, t.end = context.WithCancel(ctx)
		s.owned[p] = t
	}
}

// begin notes of which partitions the group has no place.
func (s *Subscriber) begin(places map[int32]kgo.Offset, since time.Time) {
	const start = -2 // what the client is to begin at, and no place
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, place := range places {
		if t, ours := s.owned[p]; ours && place.EpochOffset().Offset == start {
			t.since = since
			s.owned[p] = t
		}
	}
}

func (s *Subscriber) giveUp(partitions []int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range partitions {
		if t, ours := s.owned[p]; ours {
			t.end()
			delete(s.owned, p)
		}
	}
}

func (s *Subscriber) tenures() map[int32]tenure {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.owned)
}
