package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// phase is where a task stands.
type phase string

const (
	phaseRestoring phase = "restoring"
	phaseReady     phase = "ready"
	phaseHalted    phase = "halted"
)

// task is one assigned input partition. Its goroutine owns store and proc:
// restore runs on it, and afterwards the session hands it one function at a
// time. The session reads the other fields only while no function is handed
// over, so the channel orders all access.
type task struct {
	cfg       Config
	in        Input
	partition int32
	member    string // of the group, to which the partition was assigned
	log       *slog.Logger
	metrics   *metrics

	cancel context.CancelFunc
	work   chan func()
	done   chan struct{} // closed when the goroutine has ended and the store is closed

	phase phase // owned by the session
	err   error // why it is halted

	store     Store // nil for a stateless input
	proc      Processor
	meta      meta  // of the last commit; Checkpoint.Next is where the task stands
	restored  bool  // whether the changelog holds a checkpoint
	behind    bool  // nothing was delivered yet from the checkpoint on: skip what comes again
	mustStart int64 // first offset of an aborted batch, which must come again; -1 if none

	staged    checkpoint
	ckOffset  int64 // offset of the staged checkpoint, set by its promise
	skipping  bool  // the batch in flight had records below the checkpoint
	firstSeen int64 // first offset of the batch in flight, -1 for a Tick
	endSeen   int64 // high watermark seen with the last records
}

// taskReady is what a task's goroutine tells the session after restore.
type taskReady struct {
	t   *task
	err error
}

func startTask(parent context.Context, cfg Config, in Input, a assignment, sem chan struct{}, cl *kgo.Client, m *metrics, ready chan<- taskReady) *task {
	ctx, cancel := context.WithCancel(parent)
	t := &task{
		cfg: cfg, in: in, partition: a.partition, member: a.member, metrics: m, cancel: cancel,
		log:  cfg.Log.With("topic", in.Topic, "partition", a.partition),
		work: make(chan func()), done: make(chan struct{}), phase: phaseRestoring, mustStart: -1, firstSeen: -1,
	}
	go t.run(ctx, sem, cl, ready)
	return t
}

func (t *task) run(ctx context.Context, sem chan struct{}, cl *kgo.Client, ready chan<- taskReady) {
	defer close(t.done)
	err := t.open(ctx, sem, cl)
	defer func() {
		if t.store == nil {
			return
		}
		if err := t.store.Close(); err != nil {
			t.log.WarnContext(ctx, "close store", "err", err)
		}
	}()
	select {
	case ready <- taskReady{t, err}:
	case <-ctx.Done():
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-t.work:
			f()
		}
	}
}

// open restores the store, makes the Processor and learns where to go on.
func (t *task) open(ctx context.Context, sem chan struct{}, cl *kgo.Client) error {
	if t.in.Changelog != "" {
		select {
		case sem <- struct{}{}:
			defer func() { <-sem }()
		case <-ctx.Done():
			return ctx.Err()
		}
		out, err := restoreStore(ctx, t.cfg, t.in, t.partition, t.log, t.metrics)
		if err != nil {
			return err
		}
		t.store, t.meta, t.restored = out.store, out.meta, out.checkpoint
	}
	group, err := stableOffset(ctx, cl, t.cfg.Group, t.in.Topic, t.partition)
	if err != nil {
		return err
	}
	if err := t.reconcile(ctx, group, cl); err != nil {
		return err
	}
	// The client asked for the group's offset earlier than this task, and a
	// transaction may have been decided between: it may begin below.
	t.behind = true
	a := Assignment{Topic: t.in.Topic, Partition: t.partition, Generation: t.meta.Checkpoint.Generation}
	if t.proc, err = t.in.New(a, t.store); err != nil {
		return fatal(fmt.Errorf("open processor of %s/%d: %w", t.in.Topic, t.partition, err))
	}
	return nil
}

// reconcile holds the changelog's checkpoint against the group's offset. The
// checkpoint wins over a lower or missing offset. A higher one means that
// inputs were consumed whose effect is not in the state: going on would lose
// them for ever.
func (t *task) reconcile(ctx context.Context, group int64, cl *kgo.Client) error {
	if t.in.Changelog == "" || !t.restored {
		if group > 0 && t.in.Changelog != "" {
			start, err := listOffset(ctx, cl, t.in.Topic, t.partition, logStart)
			if err != nil {
				return err
			}
			if group > start {
				return fmt.Errorf("%w: group %s stands at %d of %s/%d but changelog %s holds no state: "+
					"the changelog was deleted; restore it, or reset the group to rebuild the state from zero",
					ErrHalted, t.cfg.Group, group, t.in.Topic, t.partition, t.in.Changelog)
			}
		}
		next := group
		if group == noOffset {
			start, err := listOffset(ctx, cl, t.in.Topic, t.partition, logStart)
			if err != nil {
				return err
			}
			next = start
		}
		t.meta.Checkpoint.Next = next
		return nil
	}
	next := t.meta.Checkpoint.Next
	switch {
	case group == next:
	case group > next:
		return fmt.Errorf("%w: group %s stands at %d of %s/%d, the state only at %d: somebody moved the group forward; "+
			"set it back to %d or lower", ErrHalted, t.cfg.Group, group, t.in.Topic, t.partition, next, next)
	default:
		t.log.WarnContext(ctx, "group offset is behind the checkpoint, the checkpoint wins", "group_offset", group, "checkpoint", next)
	}
	return nil
}

// do runs f on the task's goroutine and delivers its error.
func (t *task) do(f func() error) <-chan error {
	out := make(chan error, 1)
	select {
	case t.work <- func() { out <- f() }:
	case <-t.done:
		out <- errors.New("task is gone")
	}
	return out
}

// fold hands b to the Processor and stages the next checkpoint. Nothing is
// produced yet, so a slow batch holds no transaction open.
func (t *task) fold(ctx context.Context, b *Batch) error {
	next := t.meta.Checkpoint.Next
	t.firstSeen, t.skipping = -1, t.behind
	for t.behind && len(b.Records) > 0 && b.Records[0].Offset < next {
		b.Records = b.Records[1:]
	}
	if len(b.Records) > 0 {
		t.behind = false
		t.firstSeen = b.Records[0].Offset
		if t.firstSeen < next {
			return fmt.Errorf("%s/%d delivered offset %d below the checkpoint %d", t.in.Topic, t.partition, t.firstSeen, next)
		}
		if t.mustStart >= 0 && t.firstSeen != t.mustStart {
			return fmt.Errorf("%s/%d went on at %d after an abort instead of %d", t.in.Topic, t.partition, t.firstSeen, t.mustStart)
		}
		next = b.Records[len(b.Records)-1].Offset + 1
	}
	if err := t.proc.Process(ctx, b); err != nil {
		return fmt.Errorf("process %s/%d: %w", t.in.Topic, t.partition, err)
	}
	if t.store != nil {
		if err := t.store.Fits(); err != nil {
			return fmt.Errorf("process %s/%d: %w", t.in.Topic, t.partition, err)
		}
	}
	t.staged = t.meta.Checkpoint
	t.staged.Format = formatVersion
	t.staged.Next = next
	t.staged.Sequence++
	t.staged.Owner = t.cfg.TransactionalID
	return nil
}

// produce sends the outputs, the changed state and, last, the checkpoint.
func (t *task) produce(ctx context.Context, cl *kgo.Client, b *Batch, failed func(error)) {
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			failed(err)
		}
	}
	for _, r := range b.out {
		cl.Produce(ctx, r, promise)
	}
	if t.store == nil {
		return
	}
	var keys []byte // behind each other; what a record has is never overwritten
	for k, v := range t.store.Staged() {
		if cap(keys)-len(keys) < 1+len(k) {
			keys = make([]byte, 0, max(min(2*cap(keys), keysMax), keysMin, 1+len(k)))
		}
		from := len(keys)
		keys = append(append(keys, keyState), k...)
		r := b.memory.take()
		*r = kgo.Record{Topic: t.in.Changelog, Partition: t.partition, Key: keys[from:len(keys):len(keys)], Value: v}
		cl.Produce(ctx, r, promise)
	}
	sum, count := t.store.Digest()
	t.staged.Digest, t.staged.Keys = digestText(sum), count
	rec := &kgo.Record{Topic: t.in.Changelog, Partition: t.partition, Key: checkpointKey, Value: encode(t.staged)}
	cl.Produce(ctx, rec, func(r *kgo.Record, err error) {
		if err != nil {
			failed(err)
			return
		}
		t.ckOffset = r.Offset // read by commit, after Flush has waited for this promise
	})
}

// keysMin and keysMax are how much memory is asked for at once for keys of a changelog.
const keysMin, keysMax = 512, 32 << 10

// commit applies what Kafka has committed.
func (t *task) commit(now time.Time) error {
	t.meta.Checkpoint = t.staged
	t.mustStart = -1
	if t.store != nil {
		t.meta.Position = t.ckOffset + 1
		t.meta.CommittedAt = now.UnixMilli()
		if err := t.store.Commit(encode(t.meta)); err != nil {
			return fmt.Errorf("commit store of %s/%d: %w", t.in.Topic, t.partition, err)
		}
	}
	t.proc.Committed()
	return nil
}

// abort drops what was staged; the records of the batch must come again.
func (t *task) abort() {
	if t.store != nil {
		t.store.Discard()
	}
	if t.proc != nil {
		t.proc.Aborted()
	}
	if t.firstSeen >= 0 {
		t.mustStart = t.firstSeen
	}
}

func (t *task) stop() {
	t.cancel()
	<-t.done
	t.metrics.forget(t.in.Topic, t.partition)
	if c, ok := t.proc.(Closer); ok {
		c.Close()
	}
}

func (t *task) setLag(end int64) {
	t.endSeen = end
	t.metrics.lag.WithLabelValues(t.in.Topic, strconv.Itoa(int(t.partition))).Set(float64(max(0, end-t.meta.Checkpoint.Next)))
}

// firstError keeps the first error of concurrent promises.
type firstError struct {
	mu  sync.Mutex
	err error // guarded by mu
}

func (f *firstError) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *firstError) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
