package api

import (
	"context"
	"path/filepath"

	"tracksource/internal/answer"
	"tracksource/internal/control"
	"tracksource/internal/dashboard"
	"tracksource/internal/evaluate"
	"tracksource/internal/follow"
	"tracksource/internal/line"
	"tracksource/internal/past"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// Open makes a service follow what answers are made of and serve the page and the
// API at addr (host:port, port 0 for a free one) while it runs, and evaluate guardrails
// day by day beside. It returns the page's URL. Of cfg it takes who is let in, the
// limits and how garbage is collected. An error leaves nothing open that the service does
// not close.
func Open(ctx context.Context, svc *line.Service, cfg Config, addr string) (url string, err error) {
	l := svc.Line
	f, err := follow.Open(l, 0)
	if err != nil {
		return "", err
	}
	svc.Tables = append(svc.Tables, f.Tables()...)
	pasts, err := past.New(past.Config{Kafka: l.Kafka, Spec: l.Spec, Codecs: l.Codecs, Log: l.Log, Clock: l.Clock, Dir: filepath.Join(l.Dir.Path(), "past")})
	if err != nil {
		return "", err
	}
	to := control.Config{Kafka: l.Kafka, Spec: l.Spec, Codecs: l.Codecs, Log: l.Log}
	a, err := answer.New(answer.Config{
		Follow: f, Clock: l.Clock, Line: answer.NewBroker(l.Kafka, l.Spec, l.Log, l.Clock), Decide: answer.Decider(to),
		Past: pasts,
	})
	if err != nil {
		return "", err
	}
	e, err := evaluate.New(evaluate.Config{
		Books: a, Owns: func() bool { return ownsFirst(svc.Status(), l.Spec.Credits()) }, Clock: l.Clock, Log: l.Log,
		Send: func(ctx context.Context, records []avro.Control) error { return control.Send(ctx, to, records, nil) },
	})
	if err != nil {
		return "", err
	}
	cfg.Changes, cfg.Page, cfg.Log, cfg.Clock = f, dashboard.Assets(), l.Log, l.Clock
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(l.Metrics)
	}
	s, err := New(cfg, a)
	if err != nil {
		return "", err
	}
	ln, err := s.Listen(ctx, addr)
	if err != nil {
		return "", err
	}
	svc.Parts = append(svc.Parts, ln.Serve, e.Run, pasts.Run)
	return ln.URL(), nil
}

// ownsFirst reports whether one of the workers has the first partition of the ledger
// and is through with restoring it, as one instance of all has at a time: it evaluates
// guardrails.
func ownsFirst(workers []stream.Status, ledger string) bool {
	for _, w := range workers {
		for _, p := range w.Partitions {
			if p.Topic == ledger && p.Partition == 0 && p.Phase == "ready" {
				return true
			}
		}
	}
	return false
}
