package ingest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"tracksource/identity"
	"tracksource/internal/control"
	"tracksource/normalize"
	"tracksource/normalize/mapping"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// Feed is the processor of one partner's feed: native events in, observations
// or dead letters out. It keeps no state, so one serves all partitions.
type Feed struct {
	Codecs        *avro.Codecs
	Foreign       *avro.Foreign
	Pseudonymizer *identity.Pseudonymizer
	Mappings      *Mappings // nil: native shapes only
	ID            FeedID
	Observations  string // topic
	DeadLetters   string // topic
	Alerts        string // topic; empty: none
	Control       string // topic, to which disputes go
}

// Pending implements stream.Processor.
func (f *Feed) Pending(time.Time) bool { return false }

// Committed implements stream.Processor.
func (f *Feed) Committed() {}

// Aborted implements stream.Processor.
func (f *Feed) Aborted() {}

// stagedMax is how many bytes a batch of several records may come to: one record
// may speak of thousands of others, and a batch may hold hundreds of such.
const stagedMax = 64 << 20

// Process implements stream.Processor.
func (f *Feed) Process(ctx context.Context, b *stream.Batch) error {
	return f.Fold(ctx, b.Records, b)
}

// staged returns how many bytes out has been given, 0 where it does not count.
func staged(out Emitter) int {
	if counts, ok := out.(interface{ Emitted() (records, bytes int) }); ok {
		_, bytes := counts.Emitted()
		return bytes
	}
	return 0
}

// Fold is Process with the outputs apart.
func (f *Feed) Fold(ctx context.Context, records []stream.Record, out Emitter) error {
	var revisions []*mapping.Mapping
	if f.Mappings != nil {
		var err error
		if revisions, err = f.Mappings.of(ctx, f.ID); err != nil {
			return err
		}
	}
	var reader normalize.Reader
	told := map[string]bool{}
	plain := 0
	for i := range records {
		if i > 0 && staged(out) > stagedMax {
			return fmt.Errorf("%d of %d records come to more than %d bytes: %w", i, len(records), stagedMax, stream.ErrTooBig)
		}
		if err := f.one(ctx, &reader, &records[i], revisions, told, &plain, out); err != nil {
			return err
		}
	}
	if plain > 0 {
		return f.unhashed(&records[len(records)-1], plain, out)
	}
	return nil
}

// one reads one record by the newest revision of the feed's mapping. Told holds
// the claims that this batch has told of; plain is raised by addresses that came
// unhashed.
func (f *Feed) one(ctx context.Context, reader *normalize.Reader, rec *stream.Record, revisions []*mapping.Mapping, told map[string]bool, plain *int, out Emitter) error {
	src := normalize.Source{Feed: f.ID.Feed, Reporter: f.ID.Reporter, Received: received(rec), Pseudonyms: f.Pseudonymizer, PlainAddresses: plain}
	payload, err := f.payload(ctx, reader, rec)
	var bad *normalize.Problem
	if errors.As(err, &bad) {
		return f.refuse(rec, []*normalize.Problem{bad}, 0, out)
	} else if err != nil {
		return err
	}
	if err := f.claims(rec, payload, told, out); err != nil {
		return err
	}
	total, err := normalize.ReadControlTotal(payload)
	if errors.As(err, &bad) {
		return f.refuse(rec, []*normalize.Problem{bad}, 0, out)
	} else if err != nil {
		return err
	}
	if total != nil {
		return f.total(rec, total, out)
	}
	step, err := normalize.ReadDispute(src, payload)
	if err == nil && step != nil {
		err = f.dispute(rec, step, out)
	}
	if errors.As(err, &bad) {
		return f.refuse(rec, []*normalize.Problem{bad}, 0, out)
	} else if err != nil || step != nil {
		return err
	}
	var newest *mapping.Mapping
	if len(revisions) > 0 {
		newest = revisions[len(revisions)-1]
	}
	events := read(src, newest, payload)
	revision := int64(len(revisions))
	var refused []*normalize.Problem
	var said map[string]bool
	if len(events) > 1 {
		said = map[string]bool{} // a record that says a thing twice has said it
	}
	for _, ev := range events {
		if ev.Problem != nil {
			refused = append(refused, ev.Problem)
		} else if err := f.observe(rec, ev, revision, said, out); err != nil {
			return err
		}
	}
	if err := f.refuse(rec, refused, revision, out); err != nil {
		return err
	}
	if rec.Header(HeaderRemapped) == nil {
		return nil
	}
	return f.retract(rec, src, payload, events, revisions, out)
}

// retract takes back what older revisions of the mapping, and the native shapes
// without one, said of a record that is read again and that is no more said.
func (f *Feed) retract(rec *stream.Record, src normalize.Source, payload normalize.Value, now []normalize.Event, revisions []*mapping.Mapping, out Emitter) error {
	type fact struct{ node, source, event string }
	src.PlainAddresses = nil // counted already
	known := map[fact]bool{}
	of := func(o *normalize.Observation) fact { return fact{string(o.Node.Bytes()), o.Shape, o.EventID} }
	for _, ev := range now {
		if len(ev.Observations) > 0 {
			known[of(&ev.Observations[0])] = true
		}
	}
	for i := len(revisions) - 1; i >= 0; i-- {
		var older *mapping.Mapping
		if i > 0 {
			older = revisions[i-1]
		}
		for _, ev := range read(src, older, payload) {
			if len(ev.Observations) == 0 || known[of(&ev.Observations[0])] {
				continue
			}
			o := ev.Observations[0]
			known[of(&o)] = true
			obs := f.wire(&o, int64(len(revisions)))
			obs.Kind, obs.EventID, obs.Retracted = kindFact, o.EventID, true
			obs.Origin = &avro.Origin{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}
			obs.Touch, obs.Links, obs.Same, obs.Unmatchable = nil, nil, nil, false
			if obs.Object != nil {
				obs.Object.Fields = nil
			}
			if err := f.emit(&obs, out); err != nil {
				return err
			}
		}
	}
	return nil
}

// HeaderReceived is on a record that is sent again: when it first arrived, in
// microseconds since 1970. Brokers stamp raw feeds themselves.
const HeaderReceived = "tracksource.received"

// HeaderRemapped is on a record that is sent again for a new revision of its
// feed's mapping: what older ones said of it is taken back.
const HeaderRemapped = "tracksource.remapped"

// HeaderOrigin is on a record that is sent again: where it was first, as
// topic/partition@offset.
const HeaderOrigin = "tracksource.origin"

// received is when a record first arrived. A header can only say earlier, so that
// nobody moves the bound of times that lie ahead, and not before there was Kafka.
func received(rec *stream.Record) time.Time {
	if micros, err := strconv.ParseInt(string(rec.Header(HeaderReceived)), 10, 64); err == nil {
		if first := time.UnixMicro(micros); first.Before(rec.Timestamp) && first.Year() >= 2011 {
			return first
		}
	}
	return rec.Timestamp
}

// magicByte begins a payload in the Confluent wire format; no JSON begins so.
const magicByte = 0

// payload decodes a record as what it looks like: Avro by registry id, or JSON.
// What is wrong with it is a normalize.Problem.
func (f *Feed) payload(ctx context.Context, reader *normalize.Reader, rec *stream.Record) (v normalize.Value, err error) {
	if len(rec.Value) == 0 || rec.Value[0] != magicByte {
		return reader.Read(rec.Value)
	}
	native, _, err := f.Foreign.DecodeForeign(ctx, rec.Value)
	switch {
	case err == nil:
		return normalize.ValueOf(native), nil
	case errors.Is(err, avro.ErrRegistry):
		return v, fmt.Errorf("%w: %w", stream.ErrTransient, err)
	case ctx.Err() != nil:
		return v, ctx.Err()
	}
	return v, &normalize.Problem{Code: foreignCode(err), Message: err.Error()}
}

func foreignCode(err error) normalize.Code {
	switch {
	case errors.Is(err, avro.ErrUnknownSchema), errors.Is(err, avro.ErrSchema):
		return CodeUnknownSchema
	case errors.Is(err, avro.ErrTooLarge):
		return normalize.TooLarge
	}
	return normalize.Undecodable
}

// observe sends what one event says, unless it is among what was said.
func (f *Feed) observe(rec *stream.Record, ev normalize.Event, revision int64, said map[string]bool, out Emitter) error {
	for i := range ev.Observations {
		o := &ev.Observations[i]
		obs := f.wire(o, revision)
		if i == 0 {
			obs.Kind, obs.EventID = kindFact, o.EventID
			obs.Origin = &avro.Origin{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}
		}
		b, err := f.Codecs.Observation.Append(nil, &obs)
		if err != nil {
			return err
		}
		if said[string(b)] {
			continue
		}
		if said != nil {
			said[string(b)] = true
		}
		out.Emit(f.Observations, obs.Node, b)
	}
	return nil
}

// dispute puts a step of a dispute on control, in the transaction of the event that
// says it. It is of the partner whose feed it is, and was said when the broker took
// the event in, which no partner can set.
func (f *Feed) dispute(rec *stream.Record, step *normalize.DisputeStep, out Emitter) error {
	c := avro.Control{Kind: control.Dispute, Dispute: &avro.DisputeRecord{
		ID: step.ID, Campaign: step.Campaign, Partner: f.ID.Reporter, Action: step.Action, About: step.About, Against: step.Against,
		Origin: fmt.Sprintf("%s/%d@%d", rec.Topic, rec.Partition, rec.Offset), By: step.By, Why: step.Why, At: rec.Timestamp,
	}}
	if step.Deal != "" {
		var err error
		if c.Dispute.Deal, err = control.ParseDeal(step.Deal); err != nil {
			return &normalize.Problem{Code: normalize.BadField, Message: "deal of a dispute is not written as reporter/source/id"}
		}
	}
	m, err := control.Messages(f.Codecs, f.Control, c)
	if err != nil {
		return err
	}
	out.EmitTo(f.Control, m[0].Partition, m[0].Key, m[0].Value)
	return nil
}

// total sends on what the partner says that it sent.
func (f *Feed) total(rec *stream.Record, said *normalize.ControlTotal, out Emitter) error {
	id := totalID{f.ID.Feed, f.ID.Reporter, said.Source, said.Day}
	m := &avro.Total{Step: stepSaid, Day: said.Day, Count: said.Count}
	for _, s := range said.Sums {
		m.Sums = append(m.Sums, avro.CurrencySum(s))
	}
	return f.emit(&avro.Observation{
		Kind: kindTotal, Node: id.name(), Feed: id.feed, Reporter: id.reporter, Source: id.source, OccurredAt: received(rec),
		Origin: &avro.Origin{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}, Total: m,
	}, out)
}

// wire is an observation as it is sent, as evidence only.
func (f *Feed) wire(o *normalize.Observation, revision int64) avro.Observation {
	obs := avro.Observation{
		Kind: kindLink, Node: o.Node.Bytes(), Reporter: f.ID.Reporter, Feed: f.ID.Feed, Source: o.Shape,
		OccurredAt: o.OccurredAt, MappingRevision: revision, Revision: o.Revision, HashScheme: o.HashScheme, Unmatchable: o.Unmatchable,
		Touch: wireTouch(o.Touch), Object: wireObject(o.Object),
	}
	for _, l := range o.Links {
		obs.Links = append(obs.Links, avro.Link{Parent: l.Parent.Bytes(), Evidence: int(l.Evidence), At: l.At})
	}
	for _, n := range o.Merged {
		obs.Same = append(obs.Same, n.Bytes())
	}
	return obs
}

func (f *Feed) emit(obs *avro.Observation, out Emitter) error {
	b, err := f.Codecs.Observation.Append(nil, obs)
	if err != nil {
		return err
	}
	out.Emit(f.Observations, obs.Node, b)
	return nil
}

// lettersMax is how many events of one record have dead letters of their own: a
// list of nothing but commas and zeros would make half a million.
const lettersMax = 100

// keptMax is how long a record may be whose bytes a dead letter keeps. A longer one
// is refused for its length in any case, and a producer that compresses may send
// one that no letter could hold; its place in the raw feed is kept.
const keptMax = normalize.BytesMax

// refuse makes dead letters of the events of a record that cannot be used, with
// the reason. The first keeps the bytes of the record, for all of them.
func (f *Feed) refuse(rec *stream.Record, problems []*normalize.Problem, revision int64, out Emitter) error {
	key, value := rec.Key, rec.Value
	if len(key)+len(value) > keptMax {
		key, value = key[:min(len(key), letterKeyMax)], nil
	}
	for i, p := range problems {
		if i < lettersMax {
			if i > 0 || value == nil {
				value = []byte{} // nil would be a tombstone
			}
			message := cut(p.Message)
			if left := len(problems) - lettersMax; left > 0 && i == lettersMax-1 {
				message += fmt.Sprintf("; %d more events of the record have no letter", left)
			}
			headers, err := deadLetterHeaders(f.Codecs, &avro.DeadLetter{
				Code: string(p.Code), Message: message, Feed: f.ID.Feed, Reporter: f.ID.Reporter, MappingRevision: revision,
				RawTopic: rec.Topic, RawPartition: rec.Partition, RawOffset: rec.Offset, FailedAt: received(rec),
			})
			if err != nil {
				return err
			}
			out.Emit(f.DeadLetters, key, value, headers...)
		}
		if p.Code == normalize.DataGap && f.Alerts != "" {
			if err := f.gap(rec, p, out); err != nil {
				return err
			}
		}
	}
	return nil
}

func wireTouch(t *normalize.Touch) *avro.TouchFacts {
	if t == nil {
		return nil
	}
	return &avro.TouchFacts{
		Type: t.Type, Asset: t.Asset, UTMSource: t.UTMSource, UTMMedium: t.UTMMedium, UTMCampaign: t.UTMCampaign,
		UTMTerm: t.UTMTerm, UTMContent: t.UTMContent, ClickID: t.ClickID, Referrer: t.Referrer,
		CRMCampaign: t.CRMCampaign, Status: t.Status, Session: t.Session, Bot: t.Bot,
	}
}

func wireObject(o *normalize.Object) *avro.ObjectFacts {
	if o == nil {
		return nil
	}
	w := &avro.ObjectFacts{Type: o.Type, ID: o.ID, Order: o.Order, SubOrder: o.SubOrder, ModifiedAt: o.ModifiedAt, Deleted: o.Deleted}
	for _, fl := range o.Fields {
		w.Fields = append(w.Fields, avro.Field(fl))
	}
	return w
}

var _ stream.Processor = (*Feed)(nil)
