// Package check judges a whole system at rest: whether what it published
// follows from what it was given, to the minor unit, and whether what it wrote
// on the way is what an exactly-once line may write.
//
// It reads topics and nothing else, so that it holds for any broker and any
// instance. It must not know how the tiers work: books are computed again here
// in the most naive way, with big integers over everything at once, and share no
// code with the tiers. What it takes from others are definitions: what a
// contract says of one fact, what an amount is worth on a day, which of two
// links is preferred, how a record is encoded.
//
// A system is at rest when all groups have consumed everything and no partition
// has work of its own; asked earlier, Check reports what is still on its way.
package check

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tracksource/deploy/kafka"
	"tracksource/schemas/avro"
)

// Record is one committed record of a topic.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       []byte
	Value     []byte // nil: a tombstone
	Header    func(key string) []byte
}

// Reader calls fn for every committed record of a topic up to its present end,
// each partition in the order of offsets. Records of aborted transactions are
// left out. An error from fn ends it.
type Reader func(ctx context.Context, topic string, fn func(Record) error) error

// Config says what to check. Read, Spec, Codecs and Log are required.
type Config struct {
	Read   Reader
	Spec   kafka.Spec
	Codecs *avro.Codecs
	Log    *slog.Logger
}

// Check reads the topics and verifies them. The error is about reading; what is
// wrong with the content is in the Report.
func Check(ctx context.Context, cfg Config) (Report, error) {
	if cfg.Read == nil || cfg.Codecs == nil || cfg.Log == nil || len(cfg.Spec.Topics()) == 0 {
		return Report{}, errors.New("check: Config needs Read, Spec, Codecs and Log")
	}
	l := &loader{cfg: cfg, in: Input{
		ObservationPartitions: cfg.Spec.Partitions(kafka.KeyObservations),
		JourneyPartitions:     cfg.Spec.Partitions(kafka.KeyJourneys),
	}}
	// From the last topic to the first: what moves while it is read is then seen
	// as a cause without its effect and never the other way round.
	steps := []struct {
		topics []string
		take   func(Record) error
	}{
		{[]string{cfg.Spec.Contributions()}, l.row},
		{[]string{cfg.Spec.Credits()}, l.credit},
		{[]string{cfg.Spec.Journeys()}, l.journey},
		{[]string{cfg.Spec.Observations()}, l.observation},
		{cfg.Spec.DeadLetterTopics(), l.deadLetter},
		{cfg.Spec.RawTopics(), l.raw},
	}
	for _, s := range steps {
		for _, topic := range s.topics {
			if err := cfg.Read(ctx, topic, s.take); err != nil {
				return Report{}, fmt.Errorf("check %s: %w", topic, err)
			}
		}
	}
	report := Verify(l.in)
	cfg.Log.InfoContext(ctx, "checked", "facts", report.Accepted, "entries", report.Entries, "rows", report.Rows, "problems", report.ProblemCount)
	return report, nil
}

// loader decodes topics into an Input.
type loader struct {
	cfg Config
	in  Input
}

func at[T any](r Record, v T) At[T] { return At[T]{Partition: r.Partition, Offset: r.Offset, Value: v} }

// decoded decodes a record. One that cannot be read is a problem of the system,
// but a registry that cannot be asked is one of this reading.
func decoded[T any](l *loader, c *avro.Codec[T], r Record, value []byte) (v T, ok bool, err error) {
	if err := c.Decode(value, &v); err != nil {
		if errors.Is(err, avro.ErrRegistry) {
			return v, false, err
		}
		l.in.Unreadable = append(l.in.Unreadable, fmt.Sprintf("%s/%d@%d: %v", r.Topic, r.Partition, r.Offset, err))
		return v, false, nil
	}
	return v, true, nil
}

func (l *loader) row(r Record) error {
	key, ok, err := decoded(l, l.cfg.Codecs.ContributionKey, r, r.Key)
	if err != nil || !ok {
		return err
	}
	if r.Value == nil {
		l.in.Rows = append(l.in.Rows, at(r, Row{Key: key}))
		return nil
	}
	row, ok, err := decoded(l, l.cfg.Codecs.ContributionRow, r, r.Value)
	if ok {
		l.in.Rows = append(l.in.Rows, at(r, Row{Key: key, Row: &row}))
	}
	return err
}

func (l *loader) credit(r Record) error {
	e, ok, err := decoded(l, l.cfg.Codecs.Credit, r, r.Value)
	if ok {
		l.in.Credits = append(l.in.Credits, at(r, e))
	}
	return err
}

func (l *loader) journey(r Record) error {
	ev, ok, err := decoded(l, l.cfg.Codecs.Journey, r, r.Value)
	if ok {
		l.in.Journeys = append(l.in.Journeys, at(r, ev))
	}
	return err
}

func (l *loader) observation(r Record) error {
	obs, ok, err := decoded(l, l.cfg.Codecs.Observation, r, r.Value)
	if err != nil || !ok {
		return err
	}
	content, err := Content(l.cfg.Codecs, obs)
	if err != nil {
		return err
	}
	l.in.Observations = append(l.in.Observations, at(r, Observation{Observation: obs, Content: content}))
	return nil
}

// headerDeadLetter is the header that carries the envelope of a dead letter.
const headerDeadLetter = "tracksource.deadletter"

func (l *loader) deadLetter(r Record) error {
	var envelope []byte
	if r.Header != nil {
		envelope = r.Header(headerDeadLetter)
	}
	d, ok, err := decoded(l, l.cfg.Codecs.DeadLetter, r, envelope)
	if ok {
		l.in.DeadLetters = append(l.in.DeadLetters, d)
	}
	return err
}

func (l *loader) raw(r Record) error {
	l.in.Raw = append(l.in.Raw, Position{r.Topic, r.Partition, r.Offset})
	return nil
}

// Content is the hash by which two events of one id are told apart: of the bare
// encoding without the place where the event was found and the revision by which
// it was read.
func Content(codecs *avro.Codecs, obs avro.Observation) ([16]byte, error) {
	obs.Origin, obs.MappingRevision = nil, 0
	b, err := codecs.Observation.AppendBare(nil, &obs)
	if err != nil {
		return [16]byte{}, fmt.Errorf("encode observation: %w", err)
	}
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16]), nil
}

// day is the calendar day of an instant in UTC, as text that sorts.
func day(at time.Time) string { return at.UTC().Format(time.DateOnly) }
