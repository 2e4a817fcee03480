package bench_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"tracksource/deploy/kafka"
	"tracksource/deploy/kafka/local"
	"tracksource/identity"
	"tracksource/internal/api"
	"tracksource/internal/attributor"
	"tracksource/internal/control"
	"tracksource/internal/demo"
	"tracksource/internal/ingest"
	"tracksource/internal/line"
	"tracksource/internal/reporter"
	"tracksource/internal/sample"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// brokers are those that can be measured: kfake shares the process and its
// memory, Apache Kafka only the machine.
func brokers() []string {
	if local.Available() == nil {
		return []string{"kfake", "kafka"}
	}
	return []string{"kfake"}
}

// rig is a cluster with the topics of a line.
type rig struct {
	b        testing.TB
	ctx      context.Context
	broker   string
	conn     kafka.Conn
	spec     kafka.Spec
	registry avro.Registry
	codecs   *avro.Codecs
	log      *slog.Logger
	serves   bool // whether the reporter serves the page
}

func newRig(b testing.TB, broker string) *rig {
	b.Helper()
	r := &rig{b: b, ctx: context.Background(), broker: broker, registry: avro.NewMemory(), log: slog.New(slog.DiscardHandler)}
	if broker == "kafka" {
		c, err := local.Start(r.ctx, local.Config{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(c.Stop)
		r.conn = c.Conn()
	} else {
		m, err := kafka.StartMemory(kafka.MemoryConfig{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(m.Close)
		r.conn = m.Conn()
	}
	var err error
	if r.spec, err = kafka.Load(kafka.ProfileLocal, kafka.Options{Feeds: demo.Feeds()}); err != nil {
		b.Fatal(err)
	}
	if _, err := kafka.Apply(r.ctx, r.conn, r.spec); err != nil {
		b.Fatal(err)
	}
	if r.codecs, err = avro.OpenCodecs(r.ctx, r.registry, avro.Subjects(r.spec.Prefix())); err != nil {
		b.Fatal(err)
	}
	return r
}

// rules sends the demo's contract, and the rates of a world.
func (r *rig) rules(world sample.World) {
	r.b.Helper()
	controls, err := demo.Controls(world)
	if err != nil {
		r.b.Fatal(err)
	}
	ms, err := control.Messages(r.codecs, r.spec.Control(), controls...)
	if err != nil {
		r.b.Fatal(err)
	}
	r.send(ms...)
}

func (r *rig) send(ms ...stream.Message) {
	r.b.Helper()
	p, err := stream.NewProducer(line.StreamConn(r.conn), r.log)
	if err != nil {
		r.b.Fatal(err)
	}
	defer p.Close()
	for part := range slices.Chunk(ms, 5000) {
		if err := p.Send(r.ctx, part...); err != nil {
			r.b.Fatal(err)
		}
	}
}

// events sends a sample and returns how many bytes it has.
func (r *rig) events(world sample.World) {
	r.b.Helper()
	ms := make([]stream.Message, len(world.Events))
	for i, e := range world.Events {
		ms[i] = stream.Message{Topic: r.spec.RawTopic(e.Feed, e.Reporter), Key: e.Key, Value: e.Payload}
	}
	r.send(ms...)
}

// The tiers as they are measured: feeds and resolve are both cmd/ingest.
const (
	tierFeeds      = "feeds"
	tierResolve    = "resolve"
	tierAttributor = "attributor"
	tierReporter   = "reporter"
)

func tiers() []string { return []string{tierFeeds, tierResolve, tierAttributor, tierReporter} }

// groups are the consumer groups of a tier.
func (r *rig) groups(tier string) []kafka.Group {
	var out []kafka.Group
	for _, g := range r.spec.Groups() {
		var of string
		switch g.Name {
		case r.spec.Prefix() + ".attributor":
			of = tierAttributor
		case r.spec.Prefix() + ".reporter":
			of = tierReporter
		case r.spec.Prefix() + ".resolve", r.spec.Prefix() + ".control":
			of = tierResolve
		default:
			of = tierFeeds
		}
		if of == tier {
			out = append(out, g)
		}
	}
	return out
}

// running is a tier in this process.
type running struct {
	*line.Service
	r      *rig
	cancel context.CancelFunc
	ended  chan error
	page   string // URL, where the tier serves one
}

// start runs a tier on a data directory.
func (r *rig) start(tier, dir string) *running {
	r.b.Helper()
	l, err := line.Open(r.ctx, line.Config{Kafka: r.conn, Spec: r.spec, Registry: r.registry, DataDir: dir, Log: r.log, Clock: time.Now})
	if err != nil {
		r.b.Fatal(err)
	}
	x := &running{r: r, ended: make(chan error, 1)}
	switch tier {
	case tierAttributor:
		x.Service, err = attributor.Open(l)
	case tierReporter:
		x.Service, err = reporter.Open(r.ctx, l, reporter.Options{Throttle: reporter.ThrottleDefault})
		if err == nil && r.serves {
			x.page, err = api.Open(r.ctx, x.Service, api.Config{PerSecond: 1000}, "127.0.0.1:0")
		}
	default:
		consumers := ingest.Consumers()[:3]
		if tier == tierResolve {
			consumers = []string{ingest.ConsumerControl, ingest.ConsumerResolve}
		}
		var pseudonyms *identity.Pseudonymizer
		if pseudonyms, err = identity.NewPseudonymizer(bytes.Repeat([]byte("k"), 32)); err == nil {
			x.Service, err = ingest.Open(l, ingest.Config{Consumers: consumers, Pseudonymizer: pseudonyms})
		}
	}
	if err != nil {
		r.b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.ctx)
	x.cancel = cancel
	go func() { x.ended <- x.Run(ctx) }()
	return x
}

// caughtUp waits until the tier has consumed its input.
func (x *running) caughtUp(tier string) {
	x.r.b.Helper()
	for _, g := range x.r.groups(tier) {
		for {
			// A young broker has no coordinators at first.
			ok, err := stream.CaughtUp(x.r.ctx, line.StreamConn(x.r.conn), x.r.log, g.Name, g.Topics...)
			if ok && err == nil {
				break
			}
			select {
			case err := <-x.ended:
				x.r.b.Fatalf("%s ended: %v", tier, err)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
}

// ready waits until the tier's state is restored.
func (x *running) ready() {
	for x.Ready() != nil {
		time.Sleep(5 * time.Millisecond)
	}
}

func (x *running) stop() {
	x.r.b.Helper()
	x.cancel()
	if err := <-x.ended; err != nil {
		x.r.b.Fatal(err)
	}
	if err := x.Close(); err != nil {
		x.r.b.Fatal(err)
	}
}

// volume is the records and bytes of topics.
func (r *rig) volume(topics ...string) (records, size int64) {
	r.b.Helper()
	for _, topic := range topics {
		err := stream.ReadTopic(r.ctx, line.StreamConn(r.conn), r.log, topic, func(rec stream.Record) error {
			records++
			size += int64(len(rec.Key) + len(rec.Value))
			return nil
		})
		if err != nil {
			r.b.Fatal(err)
		}
	}
	return records, size
}

// diskSize is what a directory holds, in bytes on disk.
func diskSize(b testing.TB, dir string) (size int64) {
	b.Helper()
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += min(info.Size(), blocks(info))
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return size
}

// heap is what is in use after a collection.
func heap() runtime.MemStats {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // finalizers of the first run
	runtime.ReadMemStats(&m)
	return m
}

const mib = 1 << 20
