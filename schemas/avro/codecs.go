package avro

import (
	"context"
	"errors"
	"fmt"
)

// Subjects names the registry subjects under TopicNameStrategy for a topic
// prefix, such as "tracksource".
type Subjects string

// Observation is the subject of the values of the observations topic.
func (s Subjects) Observation() string { return string(s) + ".observations-value" }

// Journey is the subject of the values of the journeys topic.
func (s Subjects) Journey() string { return string(s) + ".journeys-value" }

// Control is the subject of the values of the control topic.
func (s Subjects) Control() string { return string(s) + ".control-value" }

// Credit is the subject of the values of the credits topic.
func (s Subjects) Credit() string { return string(s) + ".credits-value" }

// FactsKey is the subject of the keys of the facts topic.
func (s Subjects) FactsKey() string { return string(s) + ".facts-key" }

// Facts is the subject of the values of the facts topic.
func (s Subjects) Facts() string { return string(s) + ".facts-value" }

// ContributionKey is the subject of the keys of the contributions topic.
func (s Subjects) ContributionKey() string { return string(s) + ".contributions-key" }

// ContributionRow is the subject of the values of the contributions topic.
func (s Subjects) ContributionRow() string { return string(s) + ".contributions-value" }

// FeedKey is the subject of the keys of the feeds topic.
func (s Subjects) FeedKey() string { return string(s) + ".feeds-key" }

// FeedRow is the subject of the values of the feeds topic.
func (s Subjects) FeedRow() string { return string(s) + ".feeds-value" }

// Alert is the subject of the values of the alerts topic.
func (s Subjects) Alert() string { return string(s) + ".alerts-value" }

// DeadLetter is the subject of the envelope that dead letters carry in a header.
func (s Subjects) DeadLetter() string { return string(s) + ".deadletter-envelope" }

// Raw is the subject of the values of one partner's feed. Its schemas are the
// partner's own, under the policy [FullTransitive].
func (s Subjects) Raw(feed, partner string) string {
	return string(s) + ".raw." + feed + "." + partner + "-value"
}

// Codecs are the codecs of all our records.
type Codecs struct {
	Observation     *Codec[Observation]
	Journey         *Codec[JourneyEvent]
	Control         *Codec[Control]
	Credit          *Codec[CreditEntry]
	FactsKey        *Codec[FactsKey]
	Facts           *Codec[Facts]
	ContributionKey *Codec[ContributionKey]
	ContributionRow *Codec[ContributionRow]
	FeedKey         *Codec[FeedKey]
	FeedRow         *Codec[FeedRow]
	Alert           *Codec[Alert]
	DeadLetter      *Codec[DeadLetter]
}

// OpenCodecs gives the codecs with the ids that the registry has for our
// schemas. One that is not registered yet is registered, under its policy; in
// the steady state nothing is written, so that read access is enough.
func OpenCodecs(ctx context.Context, registry Registry, subjects Subjects) (*Codecs, error) {
	c := new(Codecs)
	// What our services hand to each other must be read in both directions while
	// they restart in any order; outputs only have to stay readable.
	opens := []func() error{
		open(ctx, registry, &c.Observation, NameObservation, subjects.Observation(), FullTransitive),
		open(ctx, registry, &c.Journey, NameJourneyEvent, subjects.Journey(), FullTransitive),
		open(ctx, registry, &c.Control, NameControl, subjects.Control(), FullTransitive),
		open(ctx, registry, &c.Credit, NameCreditEntry, subjects.Credit(), FullTransitive),
		open(ctx, registry, &c.FactsKey, NameFactsKey, subjects.FactsKey(), BackwardTransitive),
		open(ctx, registry, &c.Facts, NameFacts, subjects.Facts(), BackwardTransitive),
		open(ctx, registry, &c.ContributionKey, NameContributionKey, subjects.ContributionKey(), BackwardTransitive),
		open(ctx, registry, &c.ContributionRow, NameContributionRow, subjects.ContributionRow(), BackwardTransitive),
		open(ctx, registry, &c.FeedKey, NameFeedKey, subjects.FeedKey(), BackwardTransitive),
		open(ctx, registry, &c.FeedRow, NameFeedRow, subjects.FeedRow(), BackwardTransitive),
		open(ctx, registry, &c.Alert, NameAlert, subjects.Alert(), BackwardTransitive),
		open(ctx, registry, &c.DeadLetter, NameDeadLetter, subjects.DeadLetter(), BackwardTransitive),
	}
	for _, one := range opens {
		if err := one(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// ClaimContributions has the registry know the schemas of contributions under the
// subjects of other topics that hold the same records, as tools that go by
// TopicNameStrategy ask for them. Records there have the ids of the codecs.
func ClaimContributions(ctx context.Context, registry Registry, topics ...string) error {
	for _, topic := range topics {
		for suffix, name := range map[string]string{"-key": NameContributionKey, "-value": NameContributionRow} {
			schema, err := Load(name)
			if err != nil {
				return err
			}
			if _, err := claim(ctx, registry, topic+suffix, schema.Text, BackwardTransitive); err != nil {
				return fmt.Errorf("claim subject %s%s: %w", topic, suffix, err)
			}
		}
	}
	return nil
}

func open[T any](ctx context.Context, registry Registry, to **Codec[T], name, subject string, level Compatibility) func() error {
	return func() error {
		schema, err := Load(name)
		if err != nil {
			return err
		}
		id, err := claim(ctx, registry, subject, schema.Text, level)
		if err != nil {
			return fmt.Errorf("open codec of %s: %w", subject, err)
		}
		codec, err := NewCodec[T](schema, id)
		if err != nil {
			return err
		}
		codec.writers = newLookups(registry, resolver(schema.parsed))
		*to = codec
		return nil
	}
}

// claim gives the id of a schema. The policy is set before the first version,
// so that no schema is ever registered outside it.
func claim(ctx context.Context, registry Registry, subject, text string, level Compatibility) (int, error) {
	id, err := registry.Lookup(ctx, subject, text)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return id, err
	}
	if err := registry.SetCompatibility(ctx, subject, level); err != nil {
		return 0, err
	}
	return registry.Register(ctx, subject, text)
}
