package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Worker is one member of a consumer group: it restores and works off the
// partitions that the group assigns to it until its context ends.
type Worker struct {
	cfg     Config
	metrics *metrics

	mu     sync.Mutex
	status Status // guarded by mu; written by the session
}

// Status is a snapshot of a worker for readiness and debugging.
type Status struct {
	Group      string            `json:"group"`
	Member     string            `json:"member,omitempty"` // id in the group, as the broker's tools show it
	Joined     bool              `json:"joined"`           // the group has assigned us something, or nothing
	LastError  string            `json:"last_error,omitempty"`
	Partitions []PartitionStatus `json:"partitions"`
}

// PartitionStatus is a snapshot of one assigned partition.
type PartitionStatus struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Phase     string `json:"phase"` // restoring, ready, halted
	Next      int64  `json:"next"`  // next input offset
	End       int64  `json:"end"`   // high watermark when last polled
	Sequence  int64  `json:"sequence"`
	Keys      int64  `json:"keys"`
	Pending   bool   `json:"pending"` // there is work without input, now or later
	Error     string `json:"error,omitempty"`
}

// New checks cfg and makes a Worker. It does not connect.
func New(cfg Config) (*Worker, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	cfg.Log = cfg.Log.With("group", cfg.Group)
	return &Worker{cfg: cfg, metrics: newMetrics(cfg.Registerer, cfg.Group), status: Status{Group: cfg.Group}}, nil
}

// Status returns a snapshot; the caller owns it.
func (w *Worker) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.status
	s.Partitions = append([]PartitionStatus(nil), s.Partitions...)
	return s
}

// Ready returns nil once the group has assigned partitions and all of them are
// restored, and otherwise what is missing.
func (w *Worker) Ready() error {
	s := w.Status()
	if !s.Joined {
		if s.LastError != "" {
			return fmt.Errorf("group %s: not joined: %s", s.Group, s.LastError)
		}
		return fmt.Errorf("group %s: not joined yet", s.Group)
	}
	for _, p := range s.Partitions {
		if p.Phase != string(phaseReady) {
			return fmt.Errorf("%s/%d is %s %s", p.Topic, p.Partition, p.Phase, p.Error)
		}
	}
	return nil
}

// Pauses between sessions, so that a broker that is away is not hammered and a
// passing error costs little.
const (
	sessionPauseMin = 100 * time.Millisecond
	sessionPauseMax = 5 * time.Second
	// fencedMax is how many sessions may be fenced within fencedWithin before the
	// worker gives up: once is a zombie of its own, again and again is a second
	// instance that runs under the same identity.
	fencedMax    = 5
	fencedWithin = time.Minute
)

// Run works until ctx ends, then finishes the batch in hand, leaves the group
// and closes the stores. It returns nil after such a stop, and an error when
// it cannot go on.
func (w *Worker) Run(ctx context.Context) error {
	pause := sessionPauseMin
	var fenced []time.Time
	refused := 0
	for {
		s := newSession(w.cfg, w.metrics, w.publish)
		err := s.run(ctx)
		if killed := new(killedError); errors.As(err, &killed) {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if fe := new(fatalError); errors.As(err, &fe) {
			return fe.err
		}
		reason := "error"
		hint := w.cfg.refusal(err)
		if hint == "" || s.commits > 0 {
			refused = 0
		}
		switch {
		case hint != "":
			reason = "refused"
			if refused++; refused >= refusedMax {
				return fmt.Errorf("%w: %s: %w", ErrRefused, hint, err)
			}
		case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch), errors.Is(err, kerr.FencedInstanceID):
			reason = "fenced"
			now := w.cfg.Clock()
			fenced = append(fenced, now)
			if n := len(fenced); n >= fencedMax && now.Sub(fenced[n-fencedMax]) < fencedWithin {
				return fmt.Errorf("%w: %s: give each instance a data directory of its own: %w", ErrFenced, w.cfg.TransactionalID, err)
			}
		}
		if s.commits > 0 {
			pause = sessionPauseMin
		}
		w.metrics.sessions.WithLabelValues(reason).Inc()
		w.publish(Status{Group: w.cfg.Group, LastError: err.Error()})
		w.cfg.Log.WarnContext(ctx, "session ended, rejoining", "err", err, "pause", pause.String())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, sessionPauseMax)
	}
}

func (w *Worker) publish(s Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = s
}

// fatalError ends the worker; any other error ends only the session.
type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }

func fatal(err error) error { return &fatalError{err} }

// killedError is an error of Config.At: the worker stops as if it were killed.
type killedError struct{ err error }

func (e *killedError) Error() string { return "killed: " + e.err.Error() }
func (e *killedError) Unwrap() error { return e.err }
