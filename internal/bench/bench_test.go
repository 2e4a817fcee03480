package bench_test

import (
	"encoding/json"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tracksource/internal/sample"
	"tracksource/stream"
)

// events is the sample of most benchmarks.
const events = 40_000

// BenchmarkTier measures each tier alone: its input is complete before it starts,
// and it is timed until it has consumed it. Records are those of its input. Then
// its disk is lost, and it is timed until it has its state again.
func BenchmarkTier(b *testing.B) {
	for _, broker := range brokers() {
		b.Run(broker, func(b *testing.B) {
			for b.Loop() {
				r := newRig(b, broker)
				world := sample.Generate(sample.Config{Events: events})
				r.rules(world)
				r.events(world)
				for _, tier := range tiers() {
					r.tier(tier)
				}
			}
		})
	}
}

func (r *rig) tier(tier string) {
	r.b.Helper()
	dir := r.b.TempDir()
	before := heap()
	began := time.Now()
	x := r.start(tier, dir)
	x.caughtUp(tier)
	took := time.Since(began)
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	x.stop()
	var topics []string
	for _, g := range r.groups(tier) {
		topics = append(topics, g.Topics...)
	}
	records, size := r.volume(topics...)
	found.add(result{What: tier, Broker: r.broker, Records: records, Seconds: took.Seconds(), Figures: map[string]float64{
		"records/s": float64(records) / took.Seconds(), "bytes/record": float64(size) / float64(records),
		"heap bytes/record": float64(after.TotalAlloc-before.TotalAlloc) / float64(records),
		"allocs/record":     float64(after.Mallocs-before.Mallocs) / float64(records),
	}})
	if tier != tierFeeds {
		r.restore(tier, dir)
	}
}

// restore loses the tier's disk and waits until it has its state again.
func (r *rig) restore(tier, dir string) {
	r.b.Helper()
	if err := os.RemoveAll(dir); err != nil {
		r.b.Fatal(err)
	}
	began := time.Now()
	x := r.start(tier, dir)
	x.ready()
	took := time.Since(began)
	x.stop()
	var changelogs []string
	for _, g := range r.groups(tier) {
		if g.Changelog != "" {
			changelogs = append(changelogs, g.Changelog)
		}
	}
	records, size := r.volume(changelogs...)
	found.add(result{What: "restore " + tier, Broker: r.broker, Records: records, Seconds: took.Seconds(), Figures: map[string]float64{
		"records/s": float64(records) / took.Seconds(), "MiB/s": float64(size) / mib / took.Seconds(), "bytes/record": float64(size) / float64(records),
	}})
}

// BenchmarkLine measures the whole line: from the first raw event sent to the
// last contribution written, all tiers at once in this process.
func BenchmarkLine(b *testing.B) {
	for _, broker := range brokers() {
		b.Run(broker, func(b *testing.B) {
			for b.Loop() {
				r := newRig(b, broker)
				world := sample.Generate(sample.Config{Events: events})
				before := heap()
				began := time.Now()
				all := r.startAll()
				r.rules(world)
				r.events(world)
				r.rest(all)
				took := time.Since(began)
				var after runtime.MemStats
				runtime.ReadMemStats(&after)
				for _, x := range all {
					x.stop()
				}
				found.add(result{What: "whole line", Broker: broker, Records: events, Seconds: took.Seconds(), Figures: map[string]float64{
					"records/s": events / took.Seconds(), "heap bytes/record": float64(after.TotalAlloc-before.TotalAlloc) / events,
					"allocs/record": float64(after.Mallocs-before.Mallocs) / events,
				}})
			}
		})
	}
}

func (r *rig) startAll() map[string]*running {
	all := map[string]*running{}
	for _, tier := range tiers() {
		all[tier] = r.start(tier, r.b.TempDir())
	}
	return all
}

// rest waits until all tiers have consumed everything.
func (r *rig) rest(all map[string]*running) {
	for _, tier := range tiers() {
		all[tier].caughtUp(tier)
	}
}

// BenchmarkLatency measures from a raw event produced to its contribution seen by
// a read_committed consumer, for touches whose account is known: one at a time on
// an idle line, and beside 500 other events a second.
func BenchmarkLatency(b *testing.B) {
	for _, broker := range brokers() {
		b.Run(broker, func(b *testing.B) {
			for b.Loop() {
				r := newRig(b, broker)
				world := sample.Generate(sample.Config{Events: events})
				r.rules(world)
				all := r.startAll()
				r.send(r.probeAccount()...)
				r.rest(all)
				r.latency("latency, idle", 0, 100, nil)
				r.latency("latency, 500/s", 100, 300, world.Events)
				for _, x := range all {
					x.stop()
				}
			}
		})
	}
}

// probeAccount is an account with an open deal, in front of which probes touch.
func (r *rig) probeAccount() []stream.Message {
	topic := r.spec.RawTopic("crm", "acme")
	return []stream.Message{
		cdc(topic, "001PROBE", "Account", `"Website":"probe.example.com","BillingCountry":"DE","NumberOfEmployees":500`),
		cdc(topic, "006PROBE", "Opportunity", `"AccountId":"001PROBE","StageName":"Qualification","Amount":100000,"CurrencyIsoCode":"USD","CreatedDate":1774000000000`),
		r.probe("known"),
	}
}

// probe is a page view of a known person under a source of its own, so that its
// contribution can be told from all others.
func (r *rig) probe(source string) stream.Message {
	return r.touch("probe-"+source, "probe", source, "probe.example.com")
}

// touch is a page view of a person of a company, by a source.
func (r *rig) touch(id, person, source, site string) stream.Message {
	v, err := json.Marshal(map[string]any{
		"messageId": id, "type": "page", "anonymousId": person, "userId": person, "timestamp": "2026-03-19T12:00:00Z",
		"context":    map[string]any{"traits": map[string]any{"email": "probe@" + site}, "campaign": map[string]any{"source": source, "medium": "email", "name": "ai-launch-tour"}},
		"properties": map[string]any{"url": "https://acme.example/"},
	})
	if err != nil {
		r.b.Fatal(err)
	}
	return stream.Message{Topic: r.spec.RawTopic("map", "acme"), Key: []byte(person), Value: v}
}

// latency sends probes numbered from up to to, and takes the time of each. Beside
// them the others are sent, 500 a second, as long as there are any.
func (r *rig) latency(what string, from, to int, others []sample.Event) {
	r.b.Helper()
	seen := make(chan string, 1024)
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.conn.Brokers...), kgo.ConsumeTopics(r.spec.Contributions()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		r.b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			fs := cl.PollFetches(r.ctx)
			if fs.IsClientClosed() {
				return
			}
			fs.EachRecord(func(rec *kgo.Record) {
				if key, err := decode(r.codecs.ContributionKey, rec.Key); err == nil {
					seen <- key.Source
				}
			})
		}
	}()
	defer func() {
		cl.Close()
		for {
			select {
			case <-seen:
			case <-done:
				return
			}
		}
	}()
	time.Sleep(time.Second) // the consumer stands at the end
	p, err := stream.NewProducer(stream.Conn{Brokers: r.conn.Brokers}, r.log)
	if err != nil {
		r.b.Fatal(err)
	}
	defer p.Close()
	stop := r.beside(p, others)
	defer stop()
	var took []time.Duration
	for i := from; i < to; i++ {
		source := "probe-" + strconv.Itoa(i)
		m := r.probe(source)
		began := time.Now()
		if err := p.Send(r.ctx, m); err != nil {
			r.b.Fatal(err)
		}
		for limit := time.After(30 * time.Second); ; {
			select {
			case got := <-seen:
				if got != source {
					continue
				}
			case <-limit:
				r.b.Fatalf("%s: probe %d was not seen in 30 s", what, i)
			}
			break
		}
		took = append(took, time.Since(began))
		time.Sleep(time.Duration(i%7) * 5 * time.Millisecond) // not in step with the commits
	}
	found.add(result{What: what, Broker: r.broker, Records: int64(len(took)), Figures: map[string]float64{"p50 ms": quantile(took, 0.5), "p99 ms": quantile(took, 0.99)}})
}

// beside sends events at 500 a second until it is stopped.
func (r *rig) beside(p *stream.Producer, others []sample.Event) (stop func()) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for len(others) > 0 {
			select {
			case <-quit:
				return
			case <-tick.C:
			}
			for range min(10, len(others)) {
				e := others[0]
				others = others[1:]
				if err := p.Send(r.ctx, stream.Message{Topic: r.spec.RawTopic(e.Feed, e.Reporter), Key: e.Key, Value: e.Payload}); err != nil {
					return
				}
			}
		}
	}()
	return func() { close(quit); <-ended }
}
