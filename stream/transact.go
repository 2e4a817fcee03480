package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// each runs f for every unit on its task's goroutine and waits for all.
func each(units []unit, f func(u unit) error) error {
	outs := make([]<-chan error, len(units))
	for i, u := range units {
		outs[i] = u.t.do(func() error { return f(u) })
	}
	var errs []error
	for _, out := range outs {
		if err := <-out; err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// transact turns the gathered batches into one transaction and then into the
// stores. Its steps, and what a crash between them means, are in the package
// comment. An error ends the session.
func (s *session) transact(ctx context.Context, units []unit) error {
	began := s.cfg.Clock()
	if err := s.at(AfterPoll, units); err != nil {
		return err
	}
	if err := s.gts.Begin(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	// Not the caller's context: a stop waits for the batch in hand.
	ctx = context.WithoutCancel(ctx)
	foldCtx, cancel := context.WithTimeout(ctx, s.cfg.TransactionTimeout/3)
	err := each(units, func(u unit) error { return u.t.fold(foldCtx, u.b) })
	if err == nil {
		err = foldCtx.Err()
	}
	cancel()
	if err != nil {
		return s.foldFailed(ctx, units, err)
	}

	var produced firstError
	cl := s.gts.Client()
	_ = each(units, func(u unit) error { u.t.produce(ctx, cl, u.b, produced.set); return nil })
	if err := s.at(AfterProduce, units); err != nil {
		return err
	}
	flushCtx, cancel := context.WithTimeout(ctx, s.cfg.TransactionTimeout)
	err = cl.Flush(flushCtx)
	cancel()
	if err != nil {
		s.drop(units)
		return fmt.Errorf("flush: %w", err)
	}
	if err := s.at(AfterFlush, units); err != nil {
		return err
	}
	if err := produced.get(); err != nil {
		if errors.Is(err, kerr.MessageTooLarge) {
			s.drop(units)
			return fatal(fmt.Errorf("an output is larger than the broker takes, raise max.message.bytes of its topic: %w", err))
		}
		if s.cfg.refusal(err) != "" {
			s.drop(units)
			return fmt.Errorf("produce: %w", err)
		}
		return s.abort(ctx, units, fmt.Errorf("produce: %w", err))
	}
	return s.end(ctx, units, began)
}

// end commits in Kafka and, only then, in the stores.
func (s *session) end(ctx context.Context, units []unit, began time.Time) error {
	endCtx, cancel := context.WithTimeout(ctx, s.cfg.TransactionTimeout)
	defer cancel()
	committed, err := s.gts.End(kgo.PreTxnCommitFnContext(endCtx, s.commitOffsets(units)), kgo.TryCommit)
	if err != nil {
		// Unknown, not no: the broker may have committed. Going on with this client
		// would poll the same records again and count them twice.
		s.metrics.transactions.WithLabelValues("unknown").Inc()
		s.drop(units)
		return fmt.Errorf("end transaction, outcome unknown: %w", err)
	}
	if !committed {
		return s.aborted(ctx, units)
	}
	if err := s.at(AfterEnd, units); err != nil {
		return err
	}
	now := s.cfg.Clock()
	err = each(units, func(u unit) error {
		if err := u.t.commit(now); err != nil {
			return err
		}
		return s.cfg.hook(MidStore, u.t.partition)
	})
	if err != nil {
		// Kafka has it, the store may not: the next session restores the rest.
		return fmt.Errorf("commit stores: %w", err)
	}
	s.committed(units, began)
	return s.at(AfterStore, units)
}

func (s *session) committed(units []unit, began time.Time) {
	records := 0
	for _, u := range units {
		records += len(u.b.Records)
		s.metrics.records.WithLabelValues(u.t.in.Topic).Add(float64(len(u.b.Records)))
		u.t.setLag(max(u.t.endSeen, u.t.meta.Checkpoint.Next))
	}
	s.metrics.committed(records, s.cfg.Clock().Sub(began))
	s.commits++
	s.late = 0
	if s.limit < s.cfg.BatchRecords {
		s.limit = min(s.cfg.BatchRecords, s.limit+max(1, s.limit/8))
	}
}

// foldFailed aborts a batch that could not be folded and decides what is next:
// a smaller batch, the same one after a pause, or the end of the worker.
func (s *session) foldFailed(ctx context.Context, units []unit, err error) error {
	records := 0
	for _, u := range units {
		records += len(u.b.Records)
	}
	switch {
	case errors.Is(err, ErrTransient):
		s.cfg.Log.WarnContext(ctx, "batch failed for now, trying again", "err", err)
		defer time.Sleep(transientPause)
		return s.abort(ctx, units, err)
	case errors.Is(err, ErrTooBig), errors.Is(err, context.DeadlineExceeded):
		// A process that was stopped for a while is as late as one that is too slow:
		// only a record that is late again and again is.
		if s.late++; records <= 1 && (errors.Is(err, ErrTooBig) || s.late > lateMax) {
			s.drop(units)
			return fatal(fmt.Errorf("a single record does not fit into a transaction: %w", err))
		}
		s.limit = max(1, min(s.limit, records)/2)
		s.cfg.Log.WarnContext(ctx, "batch too big or too slow, trying smaller ones", "records", records, "limit", s.limit, "err", err)
		return s.abort(ctx, units, err)
	}
	s.drop(units)
	var f *fatalError
	if errors.As(err, &f) {
		return err
	}
	return fatal(err)
}

// abort gives the transaction up and lets the client go back to the committed
// offsets.
func (s *session) abort(ctx context.Context, units []unit, cause error) error {
	endCtx, cancel := context.WithTimeout(ctx, s.cfg.TransactionTimeout)
	defer cancel()
	if _, err := s.gts.End(endCtx, kgo.TryAbort); err != nil {
		s.drop(units)
		return fmt.Errorf("abort transaction after %w: %w", cause, err)
	}
	s.cfg.Log.DebugContext(ctx, "transaction aborted", "err", cause)
	return s.aborted(ctx, units)
}

// aborted drops what was staged after a clean abort and makes sure that it was
// one: the group must stand where the tasks stand.
func (s *session) aborted(ctx context.Context, units []unit) error {
	s.metrics.transactions.WithLabelValues("aborted").Inc()
	s.drop(units)
	for _, u := range units {
		askCtx, cancel := context.WithTimeout(ctx, s.cfg.TransactionTimeout)
		group, err := stableOffset(askCtx, s.gts.Client(), s.cfg.Group, u.t.in.Topic, u.t.partition)
		cancel()
		if err != nil {
			return fmt.Errorf("compare offsets after an abort: %w", err)
		}
		next := u.t.meta.Checkpoint.Next
		known := group < next && (u.t.skipping || u.t.meta.Checkpoint.Sequence == 0)
		if group != next && !known {
			return fmt.Errorf("after an abort the group stands at %d of %s/%d and the task at %d", group, u.t.in.Topic, u.t.partition, next)
		}
	}
	return nil
}

// drop discards what the units have staged.
func (s *session) drop(units []unit) {
	_ = each(units, func(u unit) error { u.t.abort(); return nil })
}

func (s *session) at(p Point, units []unit) error {
	return s.cfg.hook(p, units[0].t.partition)
}
