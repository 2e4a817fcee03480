package demo

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"tracksource/contract"
	"tracksource/contract/example"
	"tracksource/deploy/kafka"
	"tracksource/internal/check"
	"tracksource/internal/control"
	"tracksource/internal/feedfile"
	"tracksource/internal/line"
	"tracksource/internal/sample"
	"tracksource/money"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

const (
	// sendChunk is how many sample events are sent at once.
	sendChunk = 200
	// liveHistory is the share of the sample that a live demo sends at once, so
	// that the page has something to show; the rest trickles.
	liveHistoryPercent = 60
	liveEvery          = 250 * time.Millisecond
	liveChunk          = 3

	restEvery = 250 * time.Millisecond
)

// Own is what a demo runs on instead of the sample.
type Own struct {
	Contract []byte // YAML
	Rates    []money.Rate
	Files    []File
}

// File is the events of one file of a feed.
type File struct {
	Feed   kafka.Feed
	Events []feedfile.Event
}

// Feeds are the feeds of the files, each once.
func (o Own) Feeds() []kafka.Feed {
	var feeds []kafka.Feed
	for _, f := range o.Files {
		if !slices.Contains(feeds, f.Feed) {
			feeds = append(feeds, f.Feed)
		}
	}
	return feeds
}

// input is what a demo sends.
type input struct {
	contract []byte
	renew    bool // whether it replaces another contract of its campaign
	at       time.Time
	rates    []avro.RateRecord
	events   []stream.Message
	about    string
}

func (d *demo) input() input {
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
		return in
	}
	world := sample.Generate(sample.Config{Seed: d.cfg.Seed, Events: d.cfg.Events})
	in := input{contract: example.AILaunchTour(), at: world.Start, events: messages(d.spec, world.Events)}
	for _, r := range world.Rates {
		in.rates = append(in.rates, avro.RateRecord{Base: r.Base, Quote: r.Quote, Day: r.Day, Rate: r.Rate, Source: "sample"})
	}
	in.about = fmt.Sprintf("%d events of two partners", len(in.events))
	return in
}

// feed sends what the topics do not hold yet: the contract and the rates, then
// the events from where the last run stopped.
func (d *demo) feed(ctx context.Context) error {
	p, err := stream.NewProducer(line.StreamConn(d.conn), d.cfg.Log)
	if err != nil {
		return err
	}
	defer p.Close()
	in := d.input()
	if err := d.sendControl(ctx, in); err != nil {
		return err
	}
	missing, err := d.missing(ctx, in.events)
	if err != nil {
		return err
	}
	done := len(in.events) - len(missing)
	if done > 0 {
		d.say("feeds:    going on behind %d of %d events\n", done, len(in.events))
	} else {
		d.say("feeds:    %s\n", in.about)
	}
	atOnce := len(in.events)
	if !d.cfg.Once {
		atOnce = atOnce * liveHistoryPercent / 100
	}
	for len(missing) > 0 {
		n := sendChunk
		if done >= atOnce {
			n = liveChunk
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(liveEvery):
			}
		}
		n = min(n, len(missing))
		if err := p.Send(ctx, missing[:n]...); err != nil {
			return err
		}
		done, missing = done+n, missing[n:]
	}
	return nil
}

// missing returns the messages that the raw topics do not hold. A run that was
// killed has sent some topics' part of a chunk and not the others', so nothing
// short of looking tells; what is there more than once in the sample is counted.
func (d *demo) missing(ctx context.Context, sample []stream.Message) ([]stream.Message, error) {
	digest := func(topic string, payload []byte) [sha256.Size]byte {
		return sha256.Sum256(append([]byte(topic+"\x00"), payload...))
	}
	held := map[[sha256.Size]byte]int{}
	for _, topic := range d.spec.RawTopics() {
		err := stream.ReadTopic(ctx, line.StreamConn(d.conn), d.cfg.Log, topic, func(r stream.Record) error {
			held[digest(topic, r.Value)]++
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var missing []stream.Message
	for _, m := range sample {
		sum := digest(m.Topic, m.Value)
		if held[sum] > 0 {
			held[sum]--
			continue
		}
		missing = append(missing, m)
	}
	return missing, nil
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
	codecs, err := avro.OpenCodecs(ctx, d.registry, avro.Subjects(d.spec.Prefix()))
	if err != nil {
		return err
	}
	cfg := control.Config{Kafka: d.conn, Spec: d.spec, Codecs: codecs, Log: d.cfg.Log}
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
	return control.Send(ctx, cfg, controls, nil)
}

// Controls are the example contract and the sample's rates, as what the control
// topic is told.
func Controls(world sample.World) ([]avro.Control, error) {
	first, err := control.Revise(example.AILaunchTour(), 0, world.Start)
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

// rest waits until every group has consumed everything and no partition has
// work of its own left.
func (d *demo) rest(ctx context.Context) error {
	calm := 0
	for {
		ok, err := AtRest(ctx, d.conn, d.spec, d.services, d.cfg)
		if err != nil {
			return err
		}
		if calm++; !ok {
			calm = 0
		}
		if calm == 2 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(restEvery):
		}
	}
}

// AtRest reports whether all services are ready without work of their own and
// all groups have consumed everything.
func AtRest(ctx context.Context, conn kafka.Conn, spec kafka.Spec, services []*line.Service, cfg Config) (bool, error) {
	for _, s := range services {
		if s.Ready() != nil {
			return false, nil
		}
		for _, st := range s.Status() {
			for _, p := range st.Partitions {
				if p.Pending {
					return false, nil
				}
			}
		}
	}
	moving, err := check.Moving(ctx, check.Config{Kafka: conn, Spec: spec, Log: cfg.Log})
	return moving == "" && err == nil, err
}
