// Package deadletter works on what feeds refused: it lists dead letters, says
// what each would be today, and sends the records behind them again. It knows
// the topics of dead letters and how a feed reads a record; it decides nothing of
// what an event means.
package deadletter

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"tracksource/deploy/kafka"
	"tracksource/identity"
	"tracksource/internal/control"
	"tracksource/internal/ingest"
	"tracksource/internal/line"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// Config says where the dead letters are. All fields are required.
type Config struct {
	Kafka    kafka.Conn
	Spec     kafka.Spec // with the feeds that are meant
	Registry avro.Registry
	Log      *slog.Logger
}

// ID is where a dead letter lies. Its text is feed.partner/partition@offset.
type ID struct {
	Feed      kafka.Feed
	Partition int32
	Offset    int64
}

// String is the form that ParseID reads.
func (id ID) String() string { return fmt.Sprintf("%v/%d@%d", id.Feed, id.Partition, id.Offset) }

// ParseID reads the text of an ID.
func ParseID(text string) (ID, error) {
	bad := fmt.Errorf("dead letter %q is not feed.partner/partition@offset, such as crm.acme/0@17", text)
	feed, place, ok := strings.Cut(text, "/")
	partition, offset, ok2 := strings.Cut(place, "@")
	if !ok || !ok2 {
		return ID{}, bad
	}
	p, err := strconv.ParseInt(partition, 10, 32)
	if err != nil || p < 0 {
		return ID{}, bad
	}
	o, err := strconv.ParseInt(offset, 10, 64)
	if err != nil || o < 0 {
		return ID{}, bad
	}
	f, err := kafka.ParseFeed(feed)
	if err != nil {
		return ID{}, err
	}
	return ID{f, int32(p), o}, nil
}

// Letter is one event that was refused.
type Letter struct {
	ID         ID
	Reason     avro.DeadLetter
	Key, Value []byte // of the raw record that holds the event; no Value where it is not Kept
	Replayed   bool   // its raw record was sent again
}

// Late reports whether the event came too late: sending its record again would
// change nothing.
func (l *Letter) Late() bool { return l.Reason.Code == ingest.CodeLate }

// Kept reports whether the bytes of the record are there. They are not for events
// that came too late and for records beyond the bounds of one, of which only the
// place in the raw feed is known.
func (l *Letter) Kept() bool {
	return len(l.Value) > 0 || !l.Late() && l.Reason.Code != ingest.CodeTooLarge
}

// raw is where the record of a letter lies.
type raw struct {
	topic     string
	partition int32
	offset    int64
}

// String is topic/partition@offset.
func (r raw) String() string { return fmt.Sprintf("%s/%d@%d", r.topic, r.partition, r.offset) }

func (l *Letter) raw() raw {
	return raw{l.Reason.RawTopic, l.Reason.RawPartition, l.Reason.RawOffset}
}

// headerReplayed is on a note behind a letter in its partition: the record of the
// letter at that offset was sent again.
const headerReplayed = "tracksource.replayed"

// Box is the dead letters of the feeds of a Config.
type Box struct {
	cfg     Config
	codecs  *avro.Codecs
	feeds   map[kafka.Feed]*ingest.Feed
	Letters []Letter // by feed, partition and offset
}

// Open reads all dead letters that there are now.
func Open(ctx context.Context, cfg Config) (*Box, error) {
	codecs, err := avro.OpenCodecs(ctx, cfg.Registry, avro.Subjects(cfg.Spec.Prefix()))
	if err != nil {
		return nil, fmt.Errorf("open schemas: %w", err)
	}
	b := &Box{cfg: cfg, codecs: codecs, feeds: map[kafka.Feed]*ingest.Feed{}}
	book, err := control.Read(ctx, control.Config{Kafka: cfg.Kafka, Spec: cfg.Spec, Codecs: codecs, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	mappings := ingest.NewMappings()
	if err := mappings.Set(book); err != nil {
		return nil, err
	}
	for _, f := range cfg.Spec.Feeds() {
		if b.feeds[f], err = reader(cfg, codecs, mappings, f); err != nil {
			return nil, err
		}
		if err := b.read(ctx, f); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// reader is the feed as a service reads it. Its pseudonyms are thrown away, so
// that it needs no secret.
func reader(cfg Config, codecs *avro.Codecs, mappings *ingest.Mappings, f kafka.Feed) (*ingest.Feed, error) {
	foreign, err := avro.NewForeign(avro.ForeignConfig{Registry: cfg.Registry})
	if err != nil {
		return nil, err
	}
	throwaway, err := identity.NewPseudonymizer(bytes.Repeat([]byte("-"), 32))
	if err != nil {
		return nil, err
	}
	return &ingest.Feed{
		Codecs: codecs, Foreign: foreign, Pseudonymizer: throwaway, Mappings: mappings, ID: ingest.FeedID{Feed: f.Kind, Reporter: f.Partner},
		Observations: cfg.Spec.Observations(), DeadLetters: cfg.Spec.DeadLetterTopic(f.Kind, f.Partner), Control: cfg.Spec.Control(),
	}, nil
}

func (b *Box) read(ctx context.Context, f kafka.Feed) error {
	topic := b.cfg.Spec.DeadLetterTopic(f.Kind, f.Partner)
	var letters []Letter
	replayed := map[ID]bool{}
	err := stream.ReadTopic(ctx, line.StreamConn(b.cfg.Kafka), b.cfg.Log, topic, func(r stream.Record) error {
		id := ID{f, r.Partition, r.Offset}
		if note := r.Header(headerReplayed); note != nil {
			offset, err := strconv.ParseInt(string(note), 10, 64)
			if err == nil {
				replayed[ID{f, r.Partition, offset}] = true
			}
			return nil
		}
		l := Letter{ID: id, Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)}
		if err := b.codecs.DeadLetter.Decode(r.Header(ingest.HeaderEnvelope), &l.Reason); err != nil {
			return fmt.Errorf("dead letter %v: %w", id, err)
		}
		letters = append(letters, l)
		return nil
	})
	if err != nil {
		return err
	}
	// The first letter of a record keeps its bytes for those of the other events.
	values := map[raw][]byte{}
	for i := range letters {
		if l := &letters[i]; len(l.Value) > 0 {
			values[l.raw()] = l.Value
		}
	}
	for i := range letters {
		l := &letters[i]
		l.Value, l.Replayed = values[l.raw()], replayed[l.ID]
	}
	slices.SortFunc(letters, func(x, y Letter) int {
		return cmp.Or(cmp.Compare(x.ID.Partition, y.ID.Partition), cmp.Compare(x.ID.Offset, y.ID.Offset))
	})
	b.Letters = append(b.Letters, letters...)
	return nil
}

// ErrNoLetter says that there is no dead letter where one was looked for.
var ErrNoLetter = errors.New("no such dead letter")

// Find returns a letter.
func (b *Box) Find(id ID) (*Letter, error) {
	for i := range b.Letters {
		if b.Letters[i].ID == id {
			return &b.Letters[i], nil
		}
	}
	return nil, fmt.Errorf("%w: %v; track-source deadletter list --each names those that there are", ErrNoLetter, id)
}

// Trial is what the record of a letter would be today.
type Trial struct {
	Facts    []avro.Observation // events that can be used; their identities are stand-ins
	Problems []avro.DeadLetter
}

// Try reads the record of a letter as a feed would today. The error is about the
// registry or the context; what is wrong with the record is in the Trial.
func (b *Box) Try(ctx context.Context, l *Letter) (Trial, error) {
	if !l.Kept() {
		return Trial{Problems: []avro.DeadLetter{l.Reason}}, nil
	}
	t := trial{box: b}
	rec := stream.Record{
		Topic: l.Reason.RawTopic, Partition: l.Reason.RawPartition, Offset: l.Reason.RawOffset,
		Key: l.Key, Value: l.Value, Timestamp: l.Reason.FailedAt,
	}
	if err := b.feeds[l.ID.Feed].Fold(ctx, []stream.Record{rec}, &t); err != nil {
		return Trial{}, fmt.Errorf("dead letter %v: %w", l.ID, err)
	}
	return t.Trial, t.err
}

// trial takes what a feed emits.
type trial struct {
	Trial
	box *Box
	err error
}

// Emit implements ingest.Emitter.
func (t *trial) Emit(topic string, _, value []byte, headers ...stream.Header) {
	if topic == t.box.cfg.Spec.Observations() {
		var obs avro.Observation
		if err := t.box.codecs.Observation.Decode(value, &obs); err != nil {
			t.err = errors.Join(t.err, err)
		}
		if obs.Origin != nil { // else evidence that came with an event
			t.Facts = append(t.Facts, obs)
		}
		return
	}
	for _, h := range headers {
		if h.Key != ingest.HeaderEnvelope {
			continue
		}
		var p avro.DeadLetter
		if err := t.box.codecs.DeadLetter.Decode(h.Value, &p); err != nil {
			t.err = errors.Join(t.err, err)
		}
		t.Problems = append(t.Problems, p)
	}
}

// EmitTo implements ingest.Emitter.
func (t *trial) EmitTo(topic string, _ int32, key, value []byte, headers ...stream.Header) {
	t.Emit(topic, key, value, headers...)
}
