package ingest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"tracksource/identity"
	"tracksource/normalize"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// Feed is the processor of one partner's feed: native events in, observations
// or dead letters out. It keeps no state, so one serves all partitions.
type Feed struct {
	Codecs        *avro.Codecs
	Foreign       *avro.Foreign
	Pseudonymizer *identity.Pseudonymizer
	ID            FeedID
	Observations  string // topic
	DeadLetters   string // topic
}

// Pending implements stream.Processor.
func (f *Feed) Pending(time.Time) bool { return false }

// Committed implements stream.Processor.
func (f *Feed) Committed() {}

// Aborted implements stream.Processor.
func (f *Feed) Aborted() {}

// Process implements stream.Processor.
func (f *Feed) Process(ctx context.Context, b *stream.Batch) error {
	return f.Fold(ctx, b.Records, b)
}

// Fold is Process with the outputs apart.
func (f *Feed) Fold(ctx context.Context, records []stream.Record, out Emitter) error {
	for i := range records {
		rec := &records[i]
		events, err := f.decode(ctx, rec)
		if err != nil {
			return err
		}
		for _, ev := range events {
			if ev.Problem != nil {
				err = f.deadLetter(rec, ev.Problem, out)
			} else {
				err = f.observe(rec, ev, out)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// HeaderReceived is on a record that is sent again: when it first arrived, in
// microseconds since 1970. Brokers stamp raw feeds themselves.
const HeaderReceived = "tracksource.received"

// received is when a record first arrived. A header can only say earlier: nobody
// moves the bound of times that lie ahead.
func received(rec *stream.Record) time.Time {
	if micros, err := strconv.ParseInt(string(rec.Header(HeaderReceived)), 10, 64); err == nil {
		if first := time.UnixMicro(micros); first.Before(rec.Timestamp) {
			return first
		}
	}
	return rec.Timestamp
}

// magicByte begins a payload in the Confluent wire format; no JSON begins so.
const magicByte = 0

// decode reads a record as what it looks like: Avro by registry id, or JSON.
func (f *Feed) decode(ctx context.Context, rec *stream.Record) ([]normalize.Event, error) {
	src := normalize.Source{Feed: f.ID.Feed, Reporter: f.ID.Reporter, Received: received(rec), Pseudonyms: f.Pseudonymizer}
	if len(rec.Value) == 0 || rec.Value[0] != magicByte {
		return normalize.Decode(src, rec.Value), nil
	}
	native, _, err := f.Foreign.DecodeForeign(ctx, rec.Value)
	switch {
	case err == nil:
		return normalize.DecodeValue(src, native), nil
	case errors.Is(err, avro.ErrRegistry):
		return nil, fmt.Errorf("%w: %w", stream.ErrTransient, err)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return []normalize.Event{{Problem: &normalize.Problem{Code: foreignCode(err), Message: err.Error()}}}, nil
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

// observe sends what one event says.
func (f *Feed) observe(rec *stream.Record, ev normalize.Event, out Emitter) error {
	for i, o := range ev.Observations {
		obs := avro.Observation{
			Kind: kindLink, Node: o.Node.Bytes(), Reporter: f.ID.Reporter, Feed: f.ID.Feed, Source: o.Shape,
			OccurredAt: o.OccurredAt, Revision: o.Revision, Touch: wireTouch(o.Touch), Object: wireObject(o.Object),
		}
		if i == 0 {
			obs.Kind, obs.EventID = kindFact, o.EventID
			obs.Origin = &avro.Origin{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}
		}
		for _, l := range o.Links {
			obs.Links = append(obs.Links, avro.Link{Parent: l.Parent.Bytes(), Evidence: int(l.Evidence), At: l.At})
		}
		for _, n := range o.Merged {
			obs.Same = append(obs.Same, n.Bytes())
		}
		b, err := f.Codecs.Observation.Append(nil, &obs)
		if err != nil {
			return err
		}
		out.Emit(f.Observations, obs.Node, b)
	}
	return nil
}

// deadLetter keeps the bytes of a record that holds an event which cannot be
// used, with the reason.
func (f *Feed) deadLetter(rec *stream.Record, p *normalize.Problem, out Emitter) error {
	headers, err := deadLetterHeaders(f.Codecs, &avro.DeadLetter{
		Code: string(p.Code), Message: p.Message, Feed: f.ID.Feed, Reporter: f.ID.Reporter,
		RawTopic: rec.Topic, RawPartition: rec.Partition, RawOffset: rec.Offset, FailedAt: received(rec),
	})
	if err != nil {
		return err
	}
	value := rec.Value
	if value == nil {
		value = []byte{}
	}
	out.Emit(f.DeadLetters, rec.Key, value, headers...)
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
