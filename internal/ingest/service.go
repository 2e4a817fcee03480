package ingest

import (
	"fmt"
	"slices"
	"time"

	"tracksource/deploy/kafka"
	"tracksource/identity"
	"tracksource/internal/line"
	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// The consumers that cmd/ingest hosts. Each has its own group, lag and scale.
const (
	ConsumerCRM       = "crm"
	ConsumerMAP       = "map"
	ConsumerAnalytics = "analytics"
	ConsumerResolve   = "resolve"
	ConsumerControl   = "control"
)

// Consumers lists every consumer.
func Consumers() []string {
	return []string{ConsumerCRM, ConsumerMAP, ConsumerAnalytics, ConsumerResolve, ConsumerControl}
}

// Config says what of ingest a process runs.
type Config struct {
	Consumers     []string                // some of Consumers
	Pseudonymizer *identity.Pseudonymizer // required by the feed consumers
	Stats         *Stats                  // what resolve counts; nil: nobody looks
	TellRest      time.Duration           // as in ResolveConfig
}

// Topics returns the topics that the consumers need.
func Topics(s kafka.Spec, consumers []string) []string {
	need := []string{s.Observations()}
	if slices.ContainsFunc(consumers, isFeed) {
		need = append(need, s.Control(), s.Alerts()) // control has the mappings
	}
	for _, f := range s.Feeds() {
		if slices.Contains(consumers, f.Kind) {
			need = append(need, s.RawTopic(f.Kind, f.Partner), s.DeadLetterTopic(f.Kind, f.Partner))
		}
	}
	if slices.Contains(consumers, ConsumerResolve) {
		need = append(need, s.Journeys(), s.ResolveChangelog(), s.Alerts(), s.FeedCounts())
	}
	if slices.Contains(consumers, ConsumerControl) {
		need = append(need, s.Control(), s.ControlChangelog(), s.Journeys(), s.Alerts())
	}
	slices.Sort(need)
	return slices.Compact(need)
}

// Open makes the service of the consumers. A feed consumer without a feed is
// an error: it would wait for ever.
func Open(l *line.Line, cfg Config) (*line.Service, error) {
	if cfg.Stats == nil {
		cfg.Stats = NewStats()
	}
	svc := &line.Service{Line: l}
	mappings := NewMappings()
	if slices.ContainsFunc(cfg.Consumers, isFeed) {
		svc.Parts = append(svc.Parts, mappings.Follow(l.Stream(), l.Spec.Control(), l.Codecs, l.Log))
	}
	for _, name := range cfg.Consumers {
		inputs, err := inputs(l, cfg, mappings, name)
		if err != nil {
			return nil, err
		}
		w, err := l.Worker(name, inputs...)
		if err != nil {
			return nil, err
		}
		svc.Workers = append(svc.Workers, w)
	}
	return svc, nil
}

func isFeed(consumer string) bool {
	return consumer == ConsumerCRM || consumer == ConsumerMAP || consumer == ConsumerAnalytics
}

func inputs(l *line.Line, cfg Config, mappings *Mappings, name string) ([]stream.Input, error) {
	switch name {
	case ConsumerCRM, ConsumerMAP, ConsumerAnalytics:
		return feedInputs(l, cfg, mappings, name)
	case ConsumerResolve:
		feeds := l.Spec.FeedCounts()
		if !l.Has(feeds) {
			feeds = ""
		}
		return []stream.Input{l.Stateful("resolve", l.Spec.Observations(), l.Spec.ResolveChangelog(), func(a stream.Assignment, kv task.KV) (stream.Processor, error) {
			return NewResolver(ResolveConfig{
				Codecs: l.Codecs, Observations: l.Spec.Observations(), Partitions: l.Spec.Partitions(kafka.KeyObservations), Journeys: l.Spec.Journeys(),
				DeadLetter: l.Spec.DeadLetterTopic, Alerts: l.Spec.Alerts(), Feeds: feeds, TellRest: cfg.TellRest, Stats: cfg.Stats, Log: l.Log,
			}, a, kv)
		})}, nil
	case ConsumerControl:
		return []stream.Input{l.Stateful("control", l.Spec.Control(), l.Spec.ControlChangelog(), func(_ stream.Assignment, kv task.KV) (stream.Processor, error) {
			return NewController(ControlConfig{
				Codecs:       l.Codecs,
				Observations: Broadcast{l.Spec.Observations(), l.Spec.Partitions(kafka.KeyObservations)},
				Journeys:     Broadcast{l.Spec.Journeys(), l.Spec.Partitions(kafka.KeyJourneys)},
				Alerts:       l.Spec.Alerts(), Log: l.Log,
			}, kv), nil
		})}, nil
	}
	return nil, fmt.Errorf("unknown consumer %q: there are %v", name, Consumers())
}

func feedInputs(l *line.Line, cfg Config, mappings *Mappings, name string) ([]stream.Input, error) {
	if cfg.Pseudonymizer == nil {
		return nil, fmt.Errorf("consumer %s needs the pseudonym key", name)
	}
	foreign, err := avro.NewForeign(avro.ForeignConfig{Registry: l.Registry})
	if err != nil {
		return nil, err
	}
	var inputs []stream.Input
	for _, f := range l.Spec.Feeds() {
		if f.Kind != name {
			continue
		}
		feed := &Feed{
			Codecs: l.Codecs, Foreign: foreign, Pseudonymizer: cfg.Pseudonymizer, Mappings: mappings,
			ID:           FeedID{Feed: f.Kind, Reporter: f.Partner},
			Observations: l.Spec.Observations(), DeadLetters: l.Spec.DeadLetterTopic(f.Kind, f.Partner), Alerts: l.Spec.Alerts(), Control: l.Spec.Control(),
		}
		inputs = append(inputs, stream.Input{
			Topic: l.Spec.RawTopic(f.Kind, f.Partner),
			New:   func(stream.Assignment, stream.Store) (stream.Processor, error) { return feed, nil },
		})
	}
	if len(inputs) == 0 {
		return nil, fmt.Errorf("consumer %s has no feed: name one with --feeds, such as %s.acme, or leave it out with --run", name, name)
	}
	return inputs, nil
}
