package answer_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"tracksource/attribution"
	"tracksource/deploy/kafka"
	"tracksource/internal/answer"
	"tracksource/internal/control"
	"tracksource/internal/follow"
	"tracksource/money"
	"tracksource/report"
	"tracksource/schemas/avro"
	"tracksource/state"
	"tracksource/stream"
)

// booked is a Follow that is handed what the line would have written of deals.
type booked struct {
	t      testing.TB
	codecs *avro.Codecs
	spec   kafka.Spec
	f      *follow.Follow
	next   int64
}

func newBooked(t testing.TB, document []byte) *booked {
	t.Helper()
	codecs, err := avro.OpenCodecs(context.Background(), avro.NewMemory(), "tracksource")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := kafka.Load(kafka.ProfileLocal, kafka.Options{})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	dir, err := state.OpenDir(state.Config{Path: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dir.Close(); err != nil {
			t.Error(err)
		}
	})
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	f, err := follow.Offline(follow.Config{Codecs: codecs, Spec: spec, Log: log, Clock: func() time.Time { return now }}, dir)
	if err != nil {
		t.Fatal(err)
	}
	b := &booked{t: t, codecs: codecs, spec: spec, f: f}
	agreed, err := control.Revise(document, 0, now)
	if err != nil {
		t.Fatal(err)
	}
	agreed.Contract.By, agreed.Contract.Why = "Alliance Management", "as signed"
	b.decide(agreed)
	for _, day := range []string{"2026-03-05", "2026-03-20"} {
		b.decide(avro.Control{Kind: control.Rate, Rate: &avro.RateRecord{Base: "EUR", Quote: "USD", Day: day, Rate: "1.1", Source: "test"}})
	}
	return b
}

func (b *booked) decide(c avro.Control) {
	b.t.Helper()
	b.send(b.spec.Control(), nil, encoded(b.t, b.codecs.Control, c))
}

func (b *booked) send(topic string, key, value []byte) {
	b.t.Helper()
	if err := b.f.Take(topic, stream.Record{Topic: topic, Offset: b.next, Key: key, Value: value, Timestamp: time.Unix(0, 0)}); err != nil {
		b.t.Fatal(err)
	}
	b.next++
}

func (b *booked) answers() *answer.Answers {
	b.t.Helper()
	a, err := answer.New(answer.Config{Follow: b.f, Clock: func() time.Time { return time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC) }})
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

func (b *booked) explain(v report.Viewer, q answer.Query) answer.ExplainAnswer {
	b.t.Helper()
	got, err := b.answers().Explain(b.t.Context(), v, q)
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

func encoded[T any](t testing.TB, c *avro.Codec[T], v T) []byte {
	t.Helper()
	b, err := c.Append(nil, &v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// deal sends the facts of a deal, its entries, and the rows that have them.
func (b *booked) deal(d *report.Deal, entries []follow.Entry) {
	b.t.Helper()
	for i := range d.Parts {
		f := avroFacts(&d.Parts[i])
		f.Kind, f.Account, f.AsOf = "facts", []byte(d.Account), entries[0].AsOf
		key := avro.FactsKey{Contract: f.Contract, Conversion: f.Conversion, Account: f.Account, Revision: f.Revision}
		b.send(b.spec.Facts(), encoded(b.t, b.codecs.FactsKey, key), encoded(b.t, b.codecs.Facts, f))
	}
	for i := range entries {
		e := entries[i].CreditEntry
		b.send(b.spec.Credits(), nil, encoded(b.t, b.codecs.Credit, e))
		for m, model := range e.Models {
			if e.Running[m] == 0 {
				continue
			}
			row := avro.ContributionRow{
				Contract: e.Contract, Measure: e.Measure, Model: model, Day: e.Day, Partner: e.Partner, Channel: e.Channel, Asset: e.Asset,
				Region: e.Region, Segment: e.Segment, Source: e.Source, TouchCampaign: e.TouchCampaign, Escrow: e.Escrow, Booked: e.Booked, Currency: e.Currency, Version: b.next, AsOf: e.AsOf, UpdatedAt: e.AsOf,
			}
			if err := errors.Join(row.SetValue(e.Running[m], e.Exponent), row.SetConfident(attribution.Confidence{Overall: e.Confidence}.Of(e.Running[m]), e.Exponent)); err != nil {
				b.t.Fatal(err)
			}
			b.send(b.spec.Contributions(), encoded(b.t, b.codecs.ContributionKey, rowKey(&row)), encoded(b.t, b.codecs.ContributionRow, row))
		}
	}
}

func rowKey(r *avro.ContributionRow) avro.ContributionKey {
	return avro.ContributionKey{
		Contract: r.Contract, Measure: r.Measure, Model: r.Model, Day: r.Day, Partner: r.Partner, Channel: r.Channel, Asset: r.Asset,
		Region: r.Region, Segment: r.Segment, Source: r.Source, TouchCampaign: r.TouchCampaign, Escrow: r.Escrow, Booked: r.Booked,
	}
}

// avroFacts are facts as the topic has them.
func avroFacts(f *attribution.Facts) avro.Facts {
	instant := func(at time.Time) *time.Time {
		if at.IsZero() {
			return nil
		}
		return &at
	}
	items := func(ids []attribution.ItemID) []avro.FactsItem {
		var out []avro.FactsItem
		for _, id := range ids {
			out = append(out, avro.FactsItem(id))
		}
		return out
	}
	r := avro.Facts{
		Contract: f.Contract, Revision: f.Revision, Conversion: f.Deal.String(), Excluded: f.Excluded, Order: f.Order, State: f.State, Stage: f.Stage,
		Milestone: f.Milestone, CreatedAt: instant(f.CreatedAt), LeadAt: instant(f.LeadAt), CloseDate: f.CloseDate, Amount: f.Amount, Currency: f.Currency,
		LeadSource: f.LeadSource, CampaignID: f.CampaignID, Region: f.Region, Segment: f.Segment,
		Sourced: avro.FactsSourced{Partner: f.Sourced.Partner, By: f.Sourced.By}, Merged: items(f.Merged), Suspected: items(f.Suspected), Truncated: f.Truncated,
	}
	if f.Sourced.By != "" {
		evidence := avro.FactsItem(f.Sourced.Evidence)
		r.Sourced.Evidence = &evidence
	}
	for _, s := range f.Stages {
		r.Stages = append(r.Stages, avro.FactsStage{Stage: s.Stage, State: s.State, Milestone: s.Milestone, At: s.At, EventID: s.EventID})
	}
	for _, m := range f.Measures {
		out := avro.FactsMeasure{
			Measure: m.Measure, Day: m.Day.String(), At: instant(m.At), Value: m.Value, Currency: m.Currency, Exponent: m.Exponent,
			OriginalAmount: m.Basis.Amount, OriginalCurrency: m.Basis.Currency, RateVia: m.Basis.Via, Held: m.Held, InScope: m.InScope,
			Influenced: m.Influenced, CoSell: m.CoSell, Confidence: avro.FactsConfidence(m.Confidence),
		}
		if m.Basis.Rate != "" && m.Basis.Via != money.ViaSame {
			out.Rate, out.RateDay = m.Basis.Rate, m.Basis.RateDay.String()
		}
		for _, place := range m.Path {
			out.Path = append(out.Path, int32(place))
		}
		r.Measures = append(r.Measures, out)
	}
	for _, d := range f.Disputes {
		out := avro.FactsDispute{
			ID: d.ID, Partner: d.Partner, About: d.About, Against: d.Against, State: d.State, To: d.To, By: d.By, Why: d.Why,
			OpenedAt: d.OpenedAt, SettledBy: d.SettledBy, SettledWhy: d.SettledWhy, SettledAt: instant(d.SettledAt),
		}
		if d.From > money.DayMin {
			out.From = d.From.String()
		}
		r.Disputes = append(r.Disputes, out)
	}
	for i, t := range f.Touches {
		var others []attribution.ItemID
		for _, id := range t.Evidence {
			if id != t.ID {
				others = append(others, id)
			}
		}
		r.Rules = append(r.Rules, t.Rule)
		r.Touches = append(r.Touches, avro.FactsTouch{
			ID: avro.FactsItem(t.ID), At: t.At, Type: t.Type, Channel: t.Channel, Partner: t.Partner, Asset: t.Asset, Source: t.Source,
			Campaign: t.Campaign, Rule: int32(i), Person: t.Person, Evidence: items(others),
		})
	}
	return r
}
