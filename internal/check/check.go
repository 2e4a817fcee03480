// Package check judges a whole system at rest: whether what it published
// follows from what it was given, to the minor unit, and whether what it wrote
// on the way is what an exactly-once line may write.
//
// It reads topics and what brokers say of them and nothing else, so that it holds
// for any broker and any instance. It must not know how the tiers work: books are computed again here
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
	"strings"
	"time"

	"tracksource/deploy/kafka"
	"tracksource/internal/line"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// Config says what to check. Kafka, Spec, Codecs and Log are required.
type Config struct {
	Kafka    kafka.Conn
	Spec     kafka.Spec
	Codecs   *avro.Codecs
	Log      *slog.Logger
	Progress func(topic string, records int) // told of each topic that was read; may be nil
}

// Check reads the topics and verifies them. The error is about reading; what is
// wrong with the content is in the Report.
//
// The books begin with the accepted facts, as observations and the raw feeds
// hold them. Where retention has cut one of these they begin with the held
// journeys, and the way from the feeds to them is not checked. Control, journeys
// and credits must be whole.
func Check(ctx context.Context, cfg Config) (Report, error) {
	if len(cfg.Kafka.Brokers) == 0 || cfg.Codecs == nil || cfg.Log == nil || len(cfg.Spec.Topics()) == 0 {
		return Report{}, errors.New("check: Config needs Kafka, Spec, Codecs and Log")
	}
	cut, err := cutTopics(ctx, cfg, cfg.Spec.Control(), cfg.Spec.Journeys(), cfg.Spec.Credits())
	if err != nil {
		return Report{}, err
	}
	if len(cut) > 0 {
		return Report{}, fmt.Errorf("retention has taken the beginning of %s: the books can be computed again only from whole journeys and by a whole control topic, and compared only with whole credits; "+
			"all three are kept for the audit term by `track-source topics apply`", strings.Join(cut, " and "))
	}
	if cut, err = cutTopics(ctx, cfg, append(cfg.Spec.RawTopics(), cfg.Spec.Observations())...); err != nil {
		return Report{}, err
	}
	alertsCut, err := cutTopics(ctx, cfg, cfg.Spec.Alerts())
	if err != nil {
		return Report{}, err
	}
	l := &loader{cfg: cfg, in: Input{
		ObservationPartitions: cfg.Spec.Partitions(kafka.KeyObservations),
		JourneyPartitions:     cfg.Spec.Partitions(kafka.KeyJourneys),
		Cut:                   cut, AlertsCut: len(alertsCut) > 0,
	}}
	if err := l.load(ctx); err != nil {
		return Report{}, err
	}
	report := Verify(l.in)
	cfg.Log.InfoContext(ctx, "checked", "base", report.Base, "facts", report.Accepted, "entries", report.Entries, "rows", report.Rows, "problems", report.ProblemCount)
	return report, nil
}

// cutTopics are those of the topics that no longer hold their beginning.
func cutTopics(ctx context.Context, cfg Config, topics ...string) ([]string, error) {
	starts, err := kafka.StartOffsets(ctx, cfg.Kafka, topics...)
	if err != nil {
		return nil, err
	}
	var cut []string
	for _, topic := range topics {
		for _, at := range starts[topic] {
			if at > 0 {
				cut = append(cut, topic)
				break
			}
		}
	}
	return cut, nil
}

// loader decodes topics into an Input.
type loader struct {
	cfg Config
	in  Input
}

// load reads from the last topic to the first: what moves meanwhile is then seen
// as a cause without its effect and never the other way round.
func (l *loader) load(ctx context.Context) (err error) {
	spec := l.cfg.Spec
	type step struct {
		topics []string
		take   func(*stream.Record) error
	}
	steps := []step{
		{[]string{spec.Contributions()}, l.row},
		{[]string{spec.Facts()}, l.fact},
		{[]string{spec.Credits()}, l.credit},
		{[]string{spec.Journeys()}, l.journey},
		{[]string{spec.Observations()}, l.observation},
		{spec.DeadLetterTopics(), l.deadLetter},
		{spec.RawTopics(), l.raw},
	}
	if l.in.Transactions, err = positions(ctx, l.cfg); err != nil || open(l.in.Transactions) {
		return err // a reader would wait at an open transaction: it is the one thing to report
	}
	if l.in.Chains, err = chains(ctx, l.cfg, l.in.Transactions); err != nil {
		return err
	}
	if len(l.in.Cut) > 0 {
		steps = steps[:4]
	}
	steps = append(steps, step{[]string{spec.Control()}, l.control})
	steps = append([]step{{[]string{spec.Alerts()}, l.alert}}, steps...)
	// What partners see is in the transactions of the rows of all.
	l.in.PartnerRows = map[string][]At[Row]{}
	for partner, topic := range spec.PartnerContributions() {
		l.in.PartnerRows[partner] = nil
		steps = append([]step{{[]string{topic}, l.partnerRow(partner)}}, steps...)
	}
	for _, s := range steps {
		for _, topic := range s.topics {
			n := 0
			err := stream.ReadTopic(ctx, line.StreamConn(l.cfg.Kafka), l.cfg.Log, topic, func(r stream.Record) error {
				n++
				return s.take(&r)
			})
			if err != nil {
				return fmt.Errorf("check %s: %w", topic, err)
			}
			if l.cfg.Progress != nil {
				l.cfg.Progress(topic, n)
			}
		}
	}
	return nil
}

func at[T any](r *stream.Record, v T) At[T] {
	return At[T]{Partition: r.Partition, Offset: r.Offset, Value: v}
}

// decoded decodes a record. One that cannot be read is a problem of the system,
// but a registry that cannot be asked is one of this reading.
func decoded[T any](l *loader, c *avro.Codec[T], r *stream.Record, value []byte) (v T, ok bool, err error) {
	if err := c.Decode(value, &v); err != nil {
		if errors.Is(err, avro.ErrRegistry) {
			return v, false, err
		}
		l.in.Unreadable = append(l.in.Unreadable, fmt.Sprintf("%s/%d@%d: %v", r.Topic, r.Partition, r.Offset, err))
		return v, false, nil
	}
	return v, true, nil
}

func (l *loader) row(r *stream.Record) error { return l.rowInto(&l.in.Rows, r) }

func (l *loader) partnerRow(partner string) func(*stream.Record) error {
	return func(r *stream.Record) error {
		rows := l.in.PartnerRows[partner]
		err := l.rowInto(&rows, r)
		l.in.PartnerRows[partner] = rows
		return err
	}
}

func (l *loader) rowInto(rows *[]At[Row], r *stream.Record) error {
	key, ok, err := decoded(l, l.cfg.Codecs.ContributionKey, r, r.Key)
	if err != nil || !ok {
		return err
	}
	if r.Value == nil {
		*rows = append(*rows, at(r, Row{Key: key}))
		return nil
	}
	row, ok, err := decoded(l, l.cfg.Codecs.ContributionRow, r, r.Value)
	if ok {
		*rows = append(*rows, at(r, Row{Key: key, Row: &row}))
	}
	return err
}

func (l *loader) credit(r *stream.Record) error {
	e, ok, err := decoded(l, l.cfg.Codecs.Credit, r, r.Value)
	if ok {
		l.in.Credits = append(l.in.Credits, at(r, e))
	}
	return err
}

func (l *loader) fact(r *stream.Record) error {
	key, ok, err := decoded(l, l.cfg.Codecs.FactsKey, r, r.Key)
	if err != nil || !ok {
		return err
	}
	if r.Value == nil {
		l.in.Facts = append(l.in.Facts, at(r, Fact{Key: key}))
		return nil
	}
	f, ok, err := decoded(l, l.cfg.Codecs.Facts, r, r.Value)
	if ok {
		l.in.Facts = append(l.in.Facts, at(r, Fact{Key: key, Facts: &f}))
	}
	return err
}

func (l *loader) journey(r *stream.Record) error {
	ev, ok, err := decoded(l, l.cfg.Codecs.Journey, r, r.Value)
	if ok {
		l.in.Journeys = append(l.in.Journeys, at(r, ev))
	}
	return err
}

func (l *loader) observation(r *stream.Record) error {
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

// headerReplayed is on a note that a dead letter was sent again.
const headerReplayed = "tracksource.replayed"

func (l *loader) deadLetter(r *stream.Record) error {
	if r.Header(headerReplayed) != nil {
		return nil
	}
	d, ok, err := decoded(l, l.cfg.Codecs.DeadLetter, r, r.Header(headerDeadLetter))
	if ok {
		l.in.DeadLetters = append(l.in.DeadLetters, d)
	}
	return err
}

func (l *loader) raw(r *stream.Record) error {
	l.in.Raw = append(l.in.Raw, Position{r.Topic, r.Partition, r.Offset})
	return nil
}

func (l *loader) alert(r *stream.Record) error {
	a, ok, err := decoded(l, l.cfg.Codecs.Alert, r, r.Value)
	if ok {
		l.in.Alerts = append(l.in.Alerts, at(r, a))
	}
	return err
}

// control takes in a record of control. One that cannot be read is refused like others
// that nobody can use, and changes nothing.
func (l *loader) control(r *stream.Record) error {
	var c avro.Control
	switch err := l.cfg.Codecs.Control.Decode(r.Value, &c); {
	case errors.Is(err, avro.ErrRegistry):
		return err
	case err != nil:
		l.in.Spoilt = append(l.in.Spoilt, r.Offset)
	default:
		l.in.Control = append(l.in.Control, at(r, c))
	}
	return nil
}

// Content is the hash by which two events of one id are told apart: of the bare
// encoding without the place where the event was found, the revision by which
// it was read and whether that can match it, in the form of observations of version 11,
// which had not the last of these at their end.
func Content(codecs *avro.Codecs, obs avro.Observation) ([16]byte, error) {
	obs.Origin, obs.MappingRevision, obs.Revision, obs.Unmatchable = nil, 0, 0, false
	b, err := codecs.Observation.AppendBare(nil, &obs)
	if err != nil {
		return [16]byte{}, fmt.Errorf("encode observation: %w", err)
	}
	b[0] = 11
	sum := sha256.Sum256(b[:len(b)-1])
	return [16]byte(sum[:16]), nil
}

// day is the calendar day of an instant in UTC, as text that sorts.
func day(at time.Time) string { return at.UTC().Format(time.DateOnly) }
