package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/contract/example"
	"tracksource/deploy/kafka"
	"tracksource/internal/control"
	"tracksource/internal/sample"
	"tracksource/money"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// input is what a demo sends.
type input struct {
	contract []byte
	renew    bool // whether it replaces another contract of its campaign
	at       time.Time
	rates    []avro.RateRecord
	amounts  []avro.Control // spend, targets and costs
	events   []stream.Message
	about    string
	start    time.Time // of the sample; zero: what the partners decide is their own matter
}

func (d *demo) input() (input, error) {
	if d.cfg.Own != nil {
		in := input{contract: d.cfg.Own.Contract, renew: true, at: d.cfg.Clock()}
		for _, r := range d.cfg.Own.Rates {
			in.rates = append(in.rates, avro.RateRecord{Base: r.Base, Quote: r.Quote, Day: r.Day.String(), Rate: r.Text, Source: "file"})
		}
		for _, f := range d.cfg.Own.Files {
			for _, e := range f.Events {
				in.events = append(in.events, stream.Message{Topic: d.spec.RawTopic(f.Feed.Kind, f.Feed.Partner), Key: e.Key, Value: e.Value})
			}
		}
		in.about = fmt.Sprintf("%d events of %d files", len(in.events), len(d.cfg.Own.Files))
		return in, nil
	}
	start, err := d.start()
	if err != nil {
		return input{}, err
	}
	world := sample.Generate(sample.Config{Seed: d.cfg.Seed, Events: d.cfg.Events, Start: start})
	in := input{contract: example.Starting(world.Start), at: world.Start, start: world.Start, events: messages(d.spec, world.Events)}
	for _, r := range world.Rates {
		in.rates = append(in.rates, avro.RateRecord{Base: r.Base, Quote: r.Quote, Day: r.Day, Rate: r.Rate, Source: "sample"})
	}
	in.about = fmt.Sprintf("%d events of two partners", len(in.events))
	if d.cfg.Once {
		return in, nil // nobody would see the amounts
	}
	for _, a := range world.Amounts {
		in.amounts = append(in.amounts, avro.Control{Kind: a.Kind, Amount: &avro.AmountRecord{
			Campaign: example.Campaign, Day: a.Day, Partner: a.Partner, Payer: a.Payer, Channel: a.Channel, Measure: a.Measure,
			Amount: a.Text, Currency: a.Currency, RecordedAt: world.Start,
		}})
	}
	return in, nil
}

const (
	startFile = "sample-start"
	// sampleDays is how long before today the sample of a live demo begins: its last
	// event is of yesterday or the day before.
	sampleDays = 40
)

// start is the first day of the sample. That of a demo that prints is always the
// same; one that is watched is about the last weeks. The data directory keeps it, so
// that the next run on it goes on with the same events.
func (d *demo) start() (time.Time, error) {
	path := filepath.Join(d.cfg.DataDir, startFile)
	b, err := os.ReadFile(path)
	switch {
	case err == nil:
		start, err := time.Parse(time.DateOnly, strings.TrimSpace(string(b)))
		if err != nil {
			return time.Time{}, fmt.Errorf("first day of the sample: %w: remove %s and what is beside it to begin anew", err, path)
		}
		return start, nil
	case !errors.Is(err, fs.ErrNotExist):
		return time.Time{}, fmt.Errorf("first day of the sample: %w", err)
	}
	start := d.cfg.Start
	switch {
	case !start.IsZero():
	case d.cfg.Once:
		start = sample.Start()
	default:
		start = d.cfg.Clock().UTC().Truncate(24*time.Hour).AddDate(0, 0, -sampleDays)
	}
	if err := os.WriteFile(path, []byte(start.Format(time.DateOnly)+"\n"), 0o600); err != nil {
		return time.Time{}, fmt.Errorf("first day of the sample: %w", err)
	}
	return start, nil
}

func messages(spec kafka.Spec, events []sample.Event) []stream.Message {
	ms := make([]stream.Message, len(events))
	for i, e := range events {
		ms[i] = stream.Message{Topic: spec.RawTopic(e.Feed, e.Reporter), Key: e.Key, Value: e.Payload}
	}
	return ms
}

// sendControl appends the contract and the rates unless control holds them.
func (d *demo) sendControl(ctx context.Context, in input) error {
	cfg := control.Config{Kafka: d.conn, Spec: d.spec, Codecs: d.codecs, Log: d.cfg.Log}
	book, err := control.Read(ctx, cfg)
	if err != nil {
		return err
	}
	terms, err := contract.Parse(in.contract)
	if err != nil {
		return fmt.Errorf("contract: %w", err)
	}
	var controls []avro.Control
	if last, exists := book.Newest(terms.Campaign); !exists || in.renew && last.Hash != control.Hash(in.contract) {
		c, err := control.Revise(in.contract, last.Revision, in.at)
		if err != nil {
			return fmt.Errorf("contract: %w", err)
		}
		if c.Contract.By, c.Contract.Why = "Alliance Management", "the campaign's first agreement"; in.renew {
			c.Contract.By, c.Contract.Why = "The demo", "the file that it was given"
		}
		controls = append(controls, c)
	}
	for i := range in.rates {
		r := &in.rates[i]
		day, err := money.ParseDay(r.Day)
		if err != nil {
			return err
		}
		if _, known := book.Rates[control.Pair{Base: r.Base, Quote: r.Quote, Day: day}]; !known || in.renew {
			controls = append(controls, avro.Control{Kind: control.Rate, Rate: r})
		}
	}
	for _, c := range in.amounts {
		if _, known := book.Amounts[control.KeyOfAmount(c.Kind, c.Amount)]; !known {
			controls = append(controls, c)
		}
	}
	return control.Send(ctx, cfg, controls, nil)
}

// Controls are the example contract and the sample's rates, as what the control
// topic is told.
func Controls(world sample.World) ([]avro.Control, error) {
	first, err := control.Revise(example.Starting(world.Start), 0, world.Start)
	if err != nil {
		return nil, fmt.Errorf("example contract: %w", err)
	}
	controls := []avro.Control{first}
	for _, r := range world.Rates {
		controls = append(controls, avro.Control{Kind: control.Rate, Rate: &avro.RateRecord{
			Base: r.Base, Quote: r.Quote, Day: r.Day, Rate: r.Rate, Source: "sample",
		}})
	}
	return controls, nil
}
