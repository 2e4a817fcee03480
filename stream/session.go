package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// idlePoll is how long a poll waits when there is nothing to do: the bound on
	// how late timed work without input is noticed.
	idlePoll = 100 * time.Millisecond
	// lingerPoll is how long a poll waits for more records once there are some. A
	// batch is closed when nothing comes within it, so that an idle line answers
	// at once and a busy one fills its batches up to Config.CommitInterval.
	lingerPoll = 3 * time.Millisecond
	// transientPause is the pause before a batch that failed transiently is tried
	// again.
	transientPause = time.Second
	// lateMax is how many batches in a row may be late before a record that is late
	// on its own ends the worker. Halving takes the largest batch to one record in
	// about as many.
	lateMax = 20
	// restorePoll is how long a poll waits while a restore may end.
	restorePoll = 10 * time.Millisecond
)

// topicPartition names an input partition.
type topicPartition struct {
	topic     string
	partition int32
}

// assignment is a partition that the group has given to a membership.
type assignment struct {
	topicPartition
	member string
}

// session is one life of a client in the group. After an End whose outcome is
// unknown there is no going on with it: it is closed, and the next one
// restores. Its goroutine is the only one that touches tasks.
type session struct {
	cfg     Config
	metrics *metrics
	publish func(Status)

	gts   *kgo.GroupTransactSession
	tasks map[topicPartition]*task
	ready chan taskReady
	sem   chan struct{} // bounds concurrent restores

	limit   int // records of a batch, halved when one is too big or too slow
	commits int
	late    int // batches in a row that did not fit, or not in time

	mu       sync.Mutex
	assigned []assignment            // guarded by mu; what the callbacks have queued
	revoked  []topicPartition        // guarded by mu
	held     map[topicPartition]bool // guarded by mu; assigned and not revoked
	joined   bool                    // guarded by mu
}

func newSession(cfg Config, m *metrics, publish func(Status)) *session {
	return &session{
		cfg: cfg, metrics: m, publish: publish,
		tasks: map[topicPartition]*task{},
		held:  map[topicPartition]bool{},
		ready: make(chan taskReady),
		sem:   make(chan struct{}, cfg.Restores),
		limit: cfg.BatchRecords,
	}
}

// unit is one partition's share of a transaction.
type unit struct {
	t *task
	b *Batch
}

// run joins the group and works until ctx ends or the session fails.
func (s *session) run(ctx context.Context) (err error) {
	opts := append(s.cfg.groupOptions(s.metrics),
		kgo.Balancers(claims{kgo.CooperativeStickyBalancer(), s.onJoin}),
		kgo.OnPartitionsAssigned(s.onAssigned),
		kgo.OnPartitionsRevoked(s.onRevoked),
		kgo.OnPartitionsLost(s.onRevoked),
	)
	if s.gts, err = kgo.NewGroupTransactSession(opts...); err != nil {
		return fmt.Errorf("open session: %w", err)
	}
	tasksCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		cancel()
		for _, t := range s.tasks {
			t.stop()
		}
		s.gts.CloseAllowingRebalance()
	}()
	for ctx.Err() == nil {
		if err := s.turn(ctx, tasksCtx); err != nil {
			return err
		}
	}
	return nil
}

// turn is one round of the loop: take note of the group, gather, transact.
func (s *session) turn(ctx, tasksCtx context.Context) error {
	s.reassign(tasksCtx)
	if err := s.sameMember(); err != nil {
		return err
	}
	if err := s.promote(ctx); err != nil {
		return err
	}
	defer s.gts.AllowRebalance()
	units, blocked, err := s.gather(ctx)
	if err != nil || !blocked || len(units) == 0 {
		return err
	}
	return s.transact(ctx, units)
}

// onAssigned and onRevoked run on kgo's goroutines and hold up the rebalance,
// so they only queue. kgo calls them while no batch is in hand.
func (s *session) onAssigned(_ context.Context, cl *kgo.Client, m map[string][]int32) {
	cl.PauseFetchPartitions(m)
	member, _ := cl.GroupMetadata()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined = true
	for topic, ps := range m {
		for _, p := range ps {
			tp := topicPartition{topic, p}
			s.held[tp] = true
			s.assigned = append(s.assigned, assignment{tp, member})
		}
	}
}

func (s *session) onRevoked(_ context.Context, _ *kgo.Client, m map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, ps := range m {
		for _, p := range ps {
			s.release(topicPartition{topic, p})
		}
	}
}

// reassign stops the tasks of revoked partitions and starts those of assigned
// ones.
func (s *session) reassign(ctx context.Context) {
	s.mu.Lock()
	revoked, assigned := s.revoked, s.assigned
	s.revoked, s.assigned = nil, nil
	s.mu.Unlock()
	stop := func(tp topicPartition) {
		if t := s.tasks[tp]; t != nil {
			t.stop()
			delete(s.tasks, tp)
		}
	}
	for _, tp := range revoked {
		stop(tp)
	}
	for _, a := range assigned {
		i := slices.IndexFunc(s.cfg.Inputs, func(in Input) bool { return in.Topic == a.topic })
		if i < 0 {
			continue
		}
		stop(a.topicPartition) // given again, so it was away meanwhile
		s.tasks[a.topicPartition] = startTask(ctx, s.cfg, s.cfg.Inputs[i], a, s.sem, s.gts.Client(), s.metrics, s.ready)
	}
	if len(revoked)+len(assigned) > 0 {
		s.report()
	}
}

// promote takes in the tasks whose restore has ended.
func (s *session) promote(ctx context.Context) error {
	for {
		select {
		case r := <-s.ready:
			if err := s.admit(ctx, r); err != nil {
				return err
			}
			s.report()
		default:
			s.mu.Lock()
			joined := s.joined
			s.mu.Unlock()
			if joined {
				s.report()
			}
			return nil
		}
	}
}

func (s *session) admit(ctx context.Context, r taskReady) error {
	tp := topicPartition{r.t.in.Topic, r.t.partition}
	var killed *killedError
	switch {
	case errors.As(r.err, &killed):
		return r.err
	case s.tasks[tp] != r.t:
		return nil // revoked meanwhile
	case errors.Is(r.err, ErrHalted):
		s.halt(ctx, r.t, r.err)
		return nil
	case r.err != nil:
		return fmt.Errorf("restore %s/%d: %w", tp.topic, tp.partition, r.err)
	}
	r.t.phase = phaseReady
	s.gts.Client().ResumeFetchPartitions(map[string][]int32{tp.topic: {tp.partition}})
	return nil
}

// halt leaves a partition paused until an operator has looked at it. The
// others go on.
func (s *session) halt(ctx context.Context, t *task, err error) {
	t.phase, t.err = phaseHalted, err
	s.gts.Client().PauseFetchPartitions(map[string][]int32{t.in.Topic: {t.partition}})
	s.metrics.halted.WithLabelValues(t.in.Topic, strconv.Itoa(int(t.partition))).Set(1)
	t.log.ErrorContext(ctx, "partition halted", "err", err)
}

// gather polls until the batch is full, the commit interval has passed, or the
// line is quiet. blocked says that rebalances are held off until
// AllowRebalance, without which nothing may be transacted.
func (s *session) gather(ctx context.Context) (units []unit, blocked bool, err error) {
	wait := idlePoll
	now := s.cfg.Clock()
	for _, t := range s.tasks {
		if t.phase == phaseReady && t.proc.Pending(now) {
			wait = time.Millisecond
		} else if t.phase == phaseRestoring {
			wait = min(wait, restorePoll)
		}
	}
	batches := map[*task]*Batch{}
	records, bytes := 0, 0
	var deadline time.Time
	for records < s.limit && bytes < s.cfg.BatchBytes {
		pctx, cancel := context.WithTimeout(ctx, wait)
		fs := s.gts.PollRecords(pctx, s.limit-records)
		cancel()
		if len(fs) == 0 {
			break // a rebalance came between; nothing is blocked
		}
		blocked = true
		if err := s.pollErrors(ctx, fs); err != nil {
			return nil, blocked, err
		}
		n := 0
		fs.EachPartition(func(fp kgo.FetchTopicPartition) {
			n += len(fp.Records)
			bytes += s.take(batches, fp, now)
		})
		if n == 0 {
			break
		}
		if records += n; deadline.IsZero() {
			deadline = time.Now().Add(s.cfg.CommitInterval) //nolint:forbidigo // a real wait, not business time
		}
		if wait = min(lingerPoll, time.Until(deadline)); wait <= 0 { //nolint:forbidigo // the rest of the same wait
			break
		}
	}
	if ctx.Err() != nil && records == 0 {
		return nil, blocked, nil
	}
	for _, t := range s.tasks {
		if b := batches[t]; b != nil {
			units = append(units, unit{t, b})
		} else if t.phase == phaseReady && t.proc.Pending(now) {
			units = append(units, unit{t, &Batch{Topic: t.in.Topic, Partition: t.partition, Now: now}})
		}
	}
	if records > 0 && len(batches) == 0 {
		return nil, blocked, errors.New("records came for no ready task")
	}
	return units, blocked, nil
}

// take adds the records of one partition to its task's batch and returns their
// bytes.
func (s *session) take(batches map[*task]*Batch, fp kgo.FetchTopicPartition, now time.Time) int {
	t := s.tasks[topicPartition{fp.Topic, fp.Partition}]
	if len(fp.Records) == 0 || t == nil || t.phase != phaseReady {
		return 0
	}
	b := batches[t]
	if b == nil {
		b = &Batch{Topic: fp.Topic, Partition: fp.Partition, Now: now}
		batches[t] = b
	}
	bytes := 0
	b.Records = slices.Grow(b.Records, len(fp.Records))
	for _, r := range fp.Records {
		b.Records = append(b.Records, Record{
			Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
			Key: r.Key, Value: r.Value, Headers: headers(r.Headers), Timestamp: r.Timestamp,
		})
		bytes += len(r.Key) + len(r.Value)
	}
	t.setLag(fp.HighWatermark)
	return bytes
}

func headers(hs []kgo.RecordHeader) []Header {
	if len(hs) == 0 {
		return nil
	}
	out := make([]Header, len(hs))
	for i, h := range hs {
		out[i] = Header{Key: h.Key, Value: h.Value}
	}
	return out
}

// pollErrors halts the partitions whose input cannot be read on and returns
// what ends the session.
func (s *session) pollErrors(ctx context.Context, fs kgo.Fetches) error {
	for _, e := range fs.Errors() {
		t := s.tasks[topicPartition{e.Topic, e.Partition}]
		switch {
		case errors.Is(e.Err, context.DeadlineExceeded), errors.Is(e.Err, context.Canceled):
		case t != nil && (errors.Is(e.Err, kerr.OffsetOutOfRange) || errors.Is(e.Err, kerr.UnknownTopicID)):
			s.halt(ctx, t, fmt.Errorf("%w: %s/%d cannot be read on from %d: records were deleted or the topic was recreated: %w",
				ErrHalted, e.Topic, e.Partition, t.meta.Checkpoint.Next, e.Err))
		default:
			return fmt.Errorf("poll %s/%d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	return nil
}

// report publishes the status.
func (s *session) report() {
	s.mu.Lock()
	member, _ := s.gts.Client().GroupMetadata()
	st := Status{Group: s.cfg.Group, Member: member, Joined: s.joined && len(s.assigned) == 0}
	s.mu.Unlock()
	now := s.cfg.Clock()
	for tp, t := range s.tasks {
		ps := PartitionStatus{Topic: tp.topic, Partition: tp.partition, Phase: string(t.phase)}
		if t.phase == phaseReady { // else the task's goroutine may be writing these
			ps.Next, ps.Sequence, ps.Keys, ps.End = t.meta.Checkpoint.Next, t.meta.Checkpoint.Sequence, t.meta.Checkpoint.Keys, t.endSeen
			w, ok := t.proc.(Waiter)
			ps.Pending = ok && w.Waiting() || t.proc.Pending(now)
		}
		if t.err != nil {
			ps.Error = t.err.Error()
		}
		st.Partitions = append(st.Partitions, ps)
	}
	slices.SortFunc(st.Partitions, func(a, b PartitionStatus) int {
		if a.Topic != b.Topic {
			if a.Topic < b.Topic {
				return -1
			}
			return 1
		}
		return int(a.Partition - b.Partition)
	})
	s.publish(st)
}
