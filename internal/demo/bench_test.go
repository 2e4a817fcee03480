package demo_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"tracksource/deploy/kafka"
	"tracksource/identity"
	"tracksource/internal/attributor"
	"tracksource/internal/demo"
	"tracksource/internal/ingest"
	"tracksource/internal/line"
	"tracksource/internal/reporter"
	"tracksource/internal/sample"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

const benchEvents = 40_000

// BenchmarkTiers measures each tier alone on kfake: its input is complete
// before it starts, and it is timed until it has consumed it. Records are those
// of its input. kfake and the tier share the machine.
func BenchmarkTiers(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		r := newBenchRig(b)
		b.StartTimer()
		r.run("feeds", ingest.Consumers()[:3], nil)
		r.run("resolve", []string{ingest.ConsumerControl, ingest.ConsumerResolve}, nil)
		r.run("attributor", nil, attributor.Open)
		r.run("reporter", nil, func(l *line.Line) (*line.Service, error) {
			running, err := reporter.Open(context.Background(), l)
			if err != nil {
				return nil, err
			}
			return running.Service, nil
		})
	}
}

// BenchmarkLine measures the whole line on kfake: from the first raw event sent
// to the last contribution written, all tiers at once.
func BenchmarkLine(b *testing.B) {
	for b.Loop() {
		cfg := config(b.TempDir(), io.Discard)
		cfg.Events = benchEvents
		if err := demo.Run(context.Background(), cfg); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*benchEvents/b.Elapsed().Seconds(), "events/s")
}

type benchRig struct {
	b        *testing.B
	conn     kafka.Conn
	spec     kafka.Spec
	registry avro.Registry
	log      *slog.Logger
}

func newBenchRig(b *testing.B) *benchRig {
	m, err := kafka.StartMemory(kafka.MemoryConfig{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(m.Close)
	r := &benchRig{b: b, conn: m.Conn(), registry: avro.NewMemory(), log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	ctx := context.Background()
	if r.spec, err = kafka.Load(kafka.ProfileLocal, kafka.Options{Feeds: demo.Feeds()}); err != nil {
		b.Fatal(err)
	}
	if _, err := kafka.Apply(ctx, r.conn, r.spec); err != nil {
		b.Fatal(err)
	}
	codecs, err := avro.OpenCodecs(ctx, r.registry, avro.Subjects(r.spec.Prefix()))
	if err != nil {
		b.Fatal(err)
	}
	world := sample.Generate(sample.Config{Events: benchEvents})
	p, err := stream.NewProducer(line.StreamConn(r.conn), r.log)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	ms, err := demo.ControlRecords(codecs, r.spec.Control(), world)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range world.Events {
		ms = append(ms, stream.Message{Topic: r.spec.RawTopic(e.Feed, e.Reporter), Key: e.Key, Value: e.Payload})
	}
	if err := p.Send(ctx, ms...); err != nil {
		b.Fatal(err)
	}
	return r
}

// run runs consumers of ingest, or what open makes, until they have consumed
// their input, and reports records per second under name.
func (r *benchRig) run(name string, consumers []string, open func(*line.Line) (*line.Service, error)) {
	l, err := line.Open(context.Background(), line.Config{
		Kafka: r.conn, Spec: r.spec, Registry: r.registry, DataDir: r.b.TempDir(), Log: r.log, Clock: time.Now,
	})
	if err != nil {
		r.b.Fatal(err)
	}
	topics := map[string][]string{}
	if open == nil {
		pseudonyms, err := identity.NewPseudonymizer(bytes.Repeat([]byte("k"), 32))
		if err != nil {
			r.b.Fatal(err)
		}
		open = func(l *line.Line) (*line.Service, error) {
			return ingest.Open(l, ingest.Config{Consumers: consumers, Pseudonymizer: pseudonyms})
		}
	}
	for _, f := range r.spec.Feeds() {
		topics[f.Kind] = append(topics[f.Kind], r.spec.RawTopic(f.Kind, f.Partner))
	}
	topics[ingest.ConsumerControl] = []string{r.spec.Control()}
	topics[ingest.ConsumerResolve] = []string{r.spec.Observations()}
	topics[attributor.Consumer] = []string{r.spec.Journeys()}
	topics[reporter.Consumer] = []string{r.spec.Credits()}
	if len(consumers) == 0 {
		consumers = []string{name}
	}
	svc, err := open(l)
	if err != nil {
		r.b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	began := time.Now()
	go func() { done <- svc.Run(ctx) }()
	for _, c := range consumers {
		for {
			ok, err := stream.CaughtUp(ctx, line.StreamConn(r.conn), r.log, l.Group(c), topics[c]...)
			if err != nil {
				r.b.Fatal(err)
			}
			if ok {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	took := time.Since(began)
	cancel()
	if err := <-done; err != nil {
		r.b.Fatal(err)
	}
	n := int64(0)
	for _, st := range svc.Status() {
		for _, p := range st.Partitions {
			n += p.Next
		}
	}
	if n == 0 { // the workers have given their partitions up: ask the broker
		for _, c := range consumers {
			ends, err := kafka.EndOffsets(context.Background(), r.conn, topics[c]...)
			if err != nil {
				r.b.Fatal(err)
			}
			n += ends.Total()
		}
	}
	if err := svc.Close(); err != nil {
		r.b.Fatal(err)
	}
	r.b.ReportMetric(float64(n)/took.Seconds(), name+"-records/s")
}
