package attributor

import (
	"tracksource/deploy/kafka"
	"tracksource/internal/line"
	"tracksource/internal/task"
	"tracksource/stream"
)

// Consumer is the name of the tier's consumer and of its stores.
const Consumer = "attributor"

// TopicsOf returns the topics that the tier needs.
func TopicsOf(s kafka.Spec) []string {
	return []string{s.Journeys(), s.Credits(), s.Facts(), s.Alerts(), s.AttributorChangelog()}
}

// Open makes the service of the tier.
func Open(l *line.Line) (*line.Service, error) {
	cfg := Config{
		Codecs: l.Codecs, Topics: Topics{Credits: l.Spec.Credits(), Facts: l.Spec.Facts(), Alerts: l.Spec.Alerts()},
		CreditsPartitions: l.Spec.Partitions(kafka.KeyCredits), FactsPartitions: l.Spec.Partitions(kafka.KeyFacts), Metrics: NewMetrics(l.Metrics), Log: l.Log,
	}
	w, err := l.Worker(Consumer, l.Stateful(Consumer, l.Spec.Journeys(), l.Spec.AttributorChangelog(), func(a stream.Assignment, kv task.KV) (stream.Processor, error) {
		return New(cfg, a, kv)
	}))
	if err != nil {
		return nil, err
	}
	return &line.Service{Line: l, Workers: []*stream.Worker{w}}, nil
}
