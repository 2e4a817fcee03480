package answer_test

import (
	"errors"
	"fmt"
	"testing"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/internal/answer"
	"tracksource/internal/follow"
	"tracksource/money"
	"tracksource/report"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// fill publishes so many rows of a measure under the agreed model: a year of days,
// seven partners, channels, assets, regions, segments and sources.
func (r *rig) fill(measure, model string, n int) {
	r.t.Helper()
	m := attribution.MeasureNamed(measure)
	partners := []string{"acme", "globex", "initech", "umbrella", contract.None, contract.Held, report.Unattributed}
	today, _ := money.ParseDay("2026-05-20")
	var records []stream.Record
	for i := range n {
		row := avro.ContributionRow{
			Contract: campaign, Measure: measure, Model: model, Day: today.Add(-i % 365).String(), Partner: partners[i%7], Channel: fmt.Sprint("Channel ", i%11),
			Asset: fmt.Sprint("asset-", i%223), Region: fmt.Sprint("Region ", i%5), Segment: fmt.Sprint("Segment ", i%3), Source: fmt.Sprint("source-", i%1009),
			TouchCampaign: "this", Escrow: contract.None, Booked: today.Add(-i % 365).String(), Currency: "USD", Version: 1, UpdatedAt: now, AsOf: now,
		}
		exponent := 2
		if m.Count {
			row.Currency, exponent = "", attribution.CountExponent
		}
		if err := errors.Join(row.SetValue(int64(100+i), exponent), row.SetConfident(int64(90+i), exponent)); err != nil {
			r.t.Fatal(err)
		}
		k := keyOf(&row)
		key, err := r.codecs.ContributionKey.Append(nil, &k)
		if err != nil {
			r.t.Fatal(err)
		}
		value, err := r.codecs.ContributionRow.Append(nil, &row)
		if err != nil {
			r.t.Fatal(err)
		}
		records = append(records, stream.Record{Topic: r.spec.Contributions(), Offset: int64(i), Key: key, Value: value, Timestamp: now})
	}
	if err := r.follow.Take(r.spec.Contributions(), records...); err != nil {
		r.t.Fatal(err)
	}
}

// BenchmarkMillion asks about a million rows of a campaign under one model: the whole
// overview, where they are of ten measures, and one breakdown, where they are of one.
// cold is the first question, which reads the rows from disk.
func BenchmarkMillion(b *testing.B) {
	const rows = 1_000_000
	run := func(name string, q answer.Query, fill func(r *rig), ask func(r *rig, q answer.Query) error) {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, 0)
			r.agree()
			fill(r)
			for _, state := range []string{"cold", "warm"} {
				b.Run(state, func(b *testing.B) {
					if err := ask(r, q); err != nil {
						b.Fatal(err)
					}
					for b.Loop() {
						if state == "cold" {
							r.follow.Forget()
						}
						if err := ask(r, q); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
	breakdown := func(r *rig, q answer.Query) error {
		_, err := r.answers.Breakdown(ctx, operator, q)
		return err
	}
	overview := func(r *rig, q answer.Query) error {
		_, err := r.answers.Report(ctx, operator, q)
		return err
	}
	one := func(r *rig) { r.fill("revenue", "linear", rows) }
	run("Report", answer.Query{Window: "365d"}, func(r *rig) {
		for _, m := range []string{"revenue", "pipeline_created", "pipeline_open", "opportunities", "won", "lost", "inquiry", "MQL", "SAL", "SQL"} {
			r.fill(m, "linear", rows/10)
		}
	}, overview)
	run("Breakdown", answer.Query{Window: "365d", By: []string{"partner", "channel"}}, one, breakdown)
	run("BreakdownWide", answer.Query{Window: "90d", By: []string{"asset", "source", "day"}}, one, breakdown)
	run("Timeseries", answer.Query{Window: "365d", By: []string{"partner"}, Step: "week"}, one, func(r *rig, q answer.Query) error {
		_, err := r.answers.Timeseries(ctx, operator, q)
		return err
	})
	run("Contributions", answer.Query{Window: "30d", Limit: 5000}, one, func(r *rig, q answer.Query) error {
		_, err := r.answers.Contributions(ctx, operator, q)
		return err
	})
	run("HundredThousand", answer.Query{Window: "365d", By: []string{"partner"}}, func(r *rig) { r.fill("revenue", "linear", rows/10) }, breakdown)
}

// BenchmarkDeals asks about ten thousand deals, which are those of a small world again
// and again.
func BenchmarkDeals(b *testing.B) {
	const deals = 10_000
	r := newRig(b, 0)
	r.agree()
	r.world(7, 45)
	var known []avro.Facts
	if err := r.follow.Deals(campaign, func(d *follow.Deal) (bool, error) {
		parts, err := r.follow.Facts(campaign, d.Newest().Deal.String())
		known = append(known, parts...)
		return true, err
	}); err != nil {
		b.Fatal(err)
	}
	var records []stream.Record
	for i := range deals - len(known) {
		f := known[i%len(known)]
		f.Conversion = fmt.Sprintf("acme/salesforce/opportunity/X%d", i)
		k := avro.FactsKey{Contract: f.Contract, Conversion: f.Conversion, Account: f.Account, Revision: f.Revision, SourcePartition: f.SourcePartition}
		key, err := r.codecs.FactsKey.Append(nil, &k)
		if err != nil {
			b.Fatal(err)
		}
		value, err := r.codecs.Facts.Append(nil, &f)
		if err != nil {
			b.Fatal(err)
		}
		records = append(records, stream.Record{Topic: r.spec.Facts(), Offset: int64(i), Key: key, Value: value, Timestamp: now})
	}
	if err := r.follow.Take(r.spec.Facts(), records...); err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"deals", "cohorts", "models"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := r.ask(name, operator, answer.Query{Window: "all"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
