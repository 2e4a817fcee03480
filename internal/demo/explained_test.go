package demo_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tracksource/deploy/kafka"
	"tracksource/internal/answer"
	"tracksource/internal/demo"
	"tracksource/internal/follow"
	"tracksource/internal/line"
	"tracksource/report"
	"tracksource/schemas/avro"
	"tracksource/state"
	"tracksource/stream"
)

// reopened starts the broker and the registry of a demo that has ended again; the
// broker is closed with the test.
func reopened(ctx context.Context, t *testing.T, dir string) (kafka.Spec, *kafka.Embedded, *avro.Memory) {
	t.Helper()
	spec, err := kafka.Load(kafka.ProfileLocal, kafka.Options{Feeds: demo.Feeds()})
	if err != nil {
		t.Fatal(err)
	}
	broker, err := kafka.StartEmbedded(ctx, kafka.EmbeddedConfig{Dir: filepath.Join(dir, "broker"), Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := broker.Close(); err != nil {
			t.Error(err)
		}
	})
	registry, err := avro.OpenFile(filepath.Join(dir, "registry.json"))
	if err != nil {
		t.Fatal(err)
	}
	return spec, broker, registry
}

// followed are the answers from all that a demo that has ended left in its topics.
func followed(t *testing.T, dir string) (*answer.Answers, *follow.Follow) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	log := slog.New(slog.DiscardHandler)
	spec, broker, registry := reopened(ctx, t, dir)
	codecs, err := avro.OpenCodecs(ctx, registry, avro.Subjects(spec.Prefix()))
	if err != nil {
		t.Fatal(err)
	}
	stores, err := state.OpenDir(state.Config{Path: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stores.Close(); err != nil {
			t.Error(err)
		}
	})
	f, err := follow.Offline(follow.Config{Codecs: codecs, Spec: spec, Log: log, Clock: time.Now}, stores)
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range follow.TopicsOf(spec) {
		var records []stream.Record
		err := stream.ReadTopic(ctx, line.StreamConn(broker.Conn()), log, topic, func(r stream.Record) error {
			records = append(records, r)
			return nil
		})
		if err == nil {
			err = f.Take(topic, records...)
		}
		if err != nil {
			t.Fatalf("%s: %v", topic, err)
		}
	}
	a, err := answer.New(answer.Config{Follow: f, Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return a, f
}

// TestExplained: of all that the line makes of the sample, what the facts of each deal
// come to is what the ledger has, the deals of each row sum to it, and an export of
// the CRM says the same as the book.
func TestExplained(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the whole line")
	}
	dir := t.TempDir()
	once(t, config(dir, nil))
	a, f := followed(t, dir)
	operator := report.Viewer{Operator: true}
	deals, err := a.Deals(t.Context(), operator, answer.Query{Limit: 5000})
	if err != nil {
		t.Fatal(err)
	}
	export := "Id,StageName,Amount,CurrencyIsoCode,CloseDate,CreatedDate\n"
	outside := map[string]int{} // deals without the measure: one may be in scope of revenue alone
	for _, d := range deals.Deals {
		x, err := a.Explain(t.Context(), operator, answer.Query{Opportunity: d.ID})
		if err != nil || !x.Agrees || len(x.Entries) == 0 && d.Excluded == "" {
			t.Errorf("%s: error %v, agrees %t with %d entries: %+v", d.ID, err, x.Agrees, len(x.Entries), x.Lines)
		}
		if id, found := strings.CutPrefix(d.ID, "acme/salesforce/opportunity/"); found && d.CreatedAt != nil {
			export += fmt.Sprintf("%s,%s,%s,%s,%s,%s\n", id, d.Stage, d.Amount, d.Currency, d.CloseDate, d.CreatedAt.Format(time.RFC3339))
			for _, measure := range report.ReconcileMeasures() {
				if !slices.ContainsFunc(d.Measures, func(m answer.DealMeasure) bool { return m.Measure == measure }) {
					outside[measure]++
				}
			}
		}
	}
	rows := 0
	err = f.Scan(func(row avro.ContributionRow) error {
		rows++
		key := avro.ContributionKey{
			Contract: row.Contract, Measure: row.Measure, Model: row.Model, Day: row.Day, Partner: row.Partner, Channel: row.Channel, Asset: row.Asset,
			Region: row.Region, Segment: row.Segment, Source: row.Source, TouchCampaign: row.TouchCampaign, Escrow: row.Escrow, Booked: row.Booked,
		}
		x, err := a.Explain(t.Context(), operator, answer.Query{Contribution: answer.KeyText(key)})
		if err != nil {
			return err
		}
		var sum report.Value
		for _, d := range x.Contribution.Deals {
			v, err := report.ParseValue(d.Amount)
			if err != nil {
				return err
			}
			sum = sum.Add(v)
		}
		if value, err := report.ParseValue(x.Contribution.Value); err != nil || !x.Agrees || sum.Cmp(value) != 0 {
			t.Errorf("%+v: the deals sum to %s, the entries to %s, error %v", key, sum.Text(2), x.Contribution.Sum, err)
		}
		return nil
	})
	if err != nil || rows == 0 || len(deals.Deals) == 0 {
		t.Fatalf("%d deals and %d rows, error %v", len(deals.Deals), rows, err)
	}
	for _, measure := range report.ReconcileMeasures() {
		r, err := a.Reconcile(t.Context(), operator, answer.Query{Measure: measure, Window: "all"}, []byte(export))
		if err != nil {
			t.Fatal(err)
		}
		for _, reason := range r.Reasons {
			if reason.Reason != string(report.ReasonOutOfScope) {
				t.Errorf("%s: %+v of %+v", measure, reason, r.Deals)
			}
		}
		if r.Matched == "0" || len(r.Deals) > outside[measure] || len(r.Unreadable) > 0 {
			t.Errorf("%s: %s deals match, %d of %d outside differ, %d rows are not read", measure, r.Matched, len(r.Deals), outside[measure], len(r.Unreadable))
		}
	}
	// A name that is not there is refused and not answered with another's.
	var refused *answer.Error
	if _, err := a.Explain(t.Context(), operator, answer.Query{Opportunity: "006"}); !errors.As(err, &refused) || len(refused.Allowed) == 0 {
		t.Errorf("error %v", err)
	}
}
