package reporter

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"tracksource/deploy/kafka"
	"tracksource/internal/line"
	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// Consumer is the name of the tier's consumer and of its stores.
const Consumer = "reporter"

// TopicsOf returns the topics that the tier needs.
func TopicsOf(s kafka.Spec) []string {
	partners := slices.Sorted(maps.Values(s.PartnerContributions()))
	return append([]string{s.Control(), s.Credits(), s.Contributions(), s.Alerts(), s.ReporterChangelog()}, partners...)
}

// Options are what the tier's process chooses.
type Options struct {
	Throttle time.Duration // as in Config; ThrottleDefault is meant for people and loaders
}

// Open makes the service of the tier: the fold of credits, and what control says of
// it.
func Open(ctx context.Context, l *line.Line, o Options) (*line.Service, error) {
	partners := l.Spec.PartnerContributions()
	if err := avro.ClaimContributions(ctx, l.Registry, slices.Sorted(maps.Values(partners))...); err != nil {
		return nil, fmt.Errorf("open schemas of partners: %w", err)
	}
	policies, stats := NewPolicies(l.Codecs, partners, l.Log), &Stats{}
	contracts := stream.NewFollower(l.Stream(), l.Log, l.Spec.Control(), policies.Add)
	cfg := Config{
		Codecs: l.Codecs, Contributions: l.Spec.Contributions(), Partners: partners, Alerts: l.Spec.Alerts(),
		Throttle: o.Throttle, Policies: policies.Get, Stats: stats, Metrics: NewMetrics(l.Metrics, stats), Log: l.Log,
	}
	w, err := l.Worker(Consumer, l.Stateful(Consumer, l.Spec.Credits(), l.Spec.ReporterChangelog(), func(a stream.Assignment, kv task.KV) (stream.Processor, error) {
		return New(cfg, a, kv)
	}))
	if err != nil {
		return nil, err
	}
	return &line.Service{
		Line: l, Workers: []*stream.Worker{w},
		Parts: []func(context.Context) error{contracts.Run, func(ctx context.Context) error { return policies.Follow(ctx, contracts) }},
	}, nil
}
