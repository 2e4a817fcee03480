package chaos_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tracksource/deploy/kafka"
	"tracksource/deploy/kafka/local"
	"tracksource/internal/check"
	"tracksource/internal/control"
	"tracksource/internal/demo"
	"tracksource/internal/line"
	"tracksource/internal/sample"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is not a number from 1 on", name, text)
	}
	return n
}

// field is a cluster with the services, what is sent to them, and who watches.
type field struct {
	t       *testing.T
	ctx     context.Context
	rng     *rand.Rand
	log     *slog.Logger
	cluster *local.Cluster
	conn    kafka.Conn
	spec    kafka.Spec
	codecs  *avro.Codecs
	fleet   *fleet
	reader  *reader
	world   sample.World
	feeding chan error
	began   time.Time
}

// options are what tests differ in.
type options struct {
	seed       uint64
	events     int
	nodes      int
	profile    string
	properties map[string]string
	limit      time.Duration
}

func newField(t *testing.T, o options) *field {
	t.Helper()
	if testing.Short() {
		t.Skip("a real Kafka and six processes take minutes")
	}
	local.SkipUnlessAvailable(t)
	t.Logf("CHAOS_SEED=%d", o.seed)
	ctx, cancel := context.WithTimeout(context.Background(), o.limit)
	t.Cleanup(cancel)
	properties := map[string]string{"group.min.session.timeout.ms": "1000"}
	for k, v := range o.properties {
		properties[k] = v
	}
	cluster, err := local.Start(ctx, local.Config{Dir: t.TempDir(), Nodes: o.nodes, Properties: properties})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Stop)
	f := &field{
		t: t, ctx: ctx, rng: rand.New(rand.NewPCG(o.seed, 1)), log: slog.New(slog.DiscardHandler), cluster: cluster, conn: cluster.Conn(),
		world: sample.Generate(sample.Config{Seed: o.seed, Events: o.events}), feeding: make(chan error, 1), began: time.Now(),
	}
	partitions := map[string]int32{kafka.KeyRaw: 2, kafka.KeyObservations: 4, kafka.KeyJourneys: 4, kafka.KeyCredits: 3, kafka.KeyContributions: 3}
	f.spec, err = kafka.Load(o.profile, kafka.Options{Feeds: demo.Feeds(), Partitions: partitions})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kafka.Apply(ctx, f.conn, f.spec); err != nil {
		t.Fatal(err)
	}
	memory := avro.NewMemory()
	registry := httptest.NewServer(avro.Handler(memory))
	t.Cleanup(registry.Close)
	if f.codecs, err = avro.OpenCodecs(ctx, memory, avro.Subjects(f.spec.Prefix())); err != nil {
		t.Fatal(err)
	}
	f.reader = follow(t, f.conn, f.spec, f.codecs)
	f.fleet = newFleet(t, f.conn, o.profile, partitions, registry.URL)
	return f
}

// messages are the raw events, each feed in the order in which it happened.
func (f *field) messages() []stream.Message {
	ms := make([]stream.Message, len(f.world.Events))
	for i, e := range f.world.Events {
		ms[i] = stream.Message{Topic: f.spec.RawTopic(e.Feed, e.Reporter), Key: e.Key, Value: e.Payload}
	}
	return ms
}

// rules sends the contract and the rates.
func (f *field) rules() {
	f.t.Helper()
	controls, err := demo.Controls(f.world)
	if err != nil {
		f.t.Fatal(err)
	}
	records, err := control.Messages(f.codecs, f.spec.Control(), controls...)
	if err != nil {
		f.t.Fatal(err)
	}
	f.produce(records)
}

func (f *field) produce(ms []stream.Message) {
	f.t.Helper()
	p, err := stream.NewProducer(line.StreamConn(f.conn), f.log)
	if err != nil {
		f.t.Fatal(err)
	}
	defer p.Close()
	for len(ms) > 0 {
		n := min(500, len(ms))
		if err := p.Send(f.ctx, ms[:n]...); err != nil {
			f.t.Fatal(err)
		}
		ms = ms[n:]
	}
}

// feed sends all events over about the given time, beside what happens.
func (f *field) feed(over time.Duration) {
	f.t.Helper()
	p, err := stream.NewProducer(line.StreamConn(f.conn), f.log)
	if err != nil {
		f.t.Fatal(err)
	}
	ms := f.messages()
	const beat = 50 * time.Millisecond
	chunk := max(1, int(int64(len(ms))*int64(beat)/int64(max(over, beat))))
	go func() {
		defer p.Close()
		tick := time.NewTicker(beat)
		defer tick.Stop()
		for len(ms) > 0 {
			n := min(chunk, len(ms))
			if err := p.Send(f.ctx, ms[:n]...); err != nil {
				f.feeding <- err
				return
			}
			ms = ms[n:]
			<-tick.C
		}
		f.feeding <- nil
	}()
}

func (f *field) fed() {
	f.t.Helper()
	if err := <-f.feeding; err != nil {
		f.t.Fatalf("the feed stopped: %v", err)
	}
}

// settle waits until all groups have consumed everything and nothing has been
// written for a while: a process has work without input that no group shows.
func (f *field) settle() {
	f.t.Helper()
	last, calm := int64(-1), 0
	for calm < 6 {
		if f.ctx.Err() != nil {
			f.t.Fatal("the line did not come to rest")
		}
		moving, err := check.Moving(f.ctx, f.judging())
		through := moving == "" && err == nil // a coordinator may be moving
		ends, err := kafka.EndOffsets(f.ctx, f.conn, f.spec.Observations(), f.spec.Journeys(), f.spec.Credits(), f.spec.Contributions(),
			f.spec.ResolveChangelog(), f.spec.AttributorChangelog(), f.spec.ReporterChangelog())
		if calm++; !through || err != nil || ends.Total() != last {
			calm = 0
		}
		if err == nil {
			last = ends.Total()
		}
		for _, list := range f.fleet.running {
			for _, p := range list {
				f.fleet.alive(p)
			}
		}
		time.Sleep(300 * time.Millisecond)
	}
}

func (f *field) judging() check.Config {
	return check.Config{Kafka: f.conn, Spec: f.spec, Codecs: f.codecs, Log: f.log}
}

// judge is the end of each run: the Check, and each row that the reader saw.
func (f *field) judge(what string) {
	f.t.Helper()
	report, err := check.Check(f.ctx, f.judging())
	if err != nil {
		f.t.Fatal(err)
	}
	if err := report.Err(); err != nil {
		f.t.Error(err)
	}
	truth := f.world.Truth
	if want := truth.Raw - truth.Duplicates - truth.DeadLetters; report.Accepted != want || report.Conversions == 0 || report.Rows == 0 {
		f.t.Errorf("%d events accepted, want %d: %s", report.Accepted, want, report)
	}
	// It follows beside the line, and may be behind it.
	for _, topic := range []string{f.spec.Credits(), f.spec.Contributions()} {
		for ends := f.held(topic, nil).ends; !f.reader.isAt(topic, ends); time.Sleep(100 * time.Millisecond) {
			if f.ctx.Err() != nil {
				f.t.Fatalf("the reader of %s does not come to %v", topic, ends)
			}
		}
	}
	rows := f.reader.verify(f.t)
	if rows < report.Rows {
		f.t.Errorf("the reader saw %d rows, %d stand", rows, report.Rows)
	}
	f.t.Logf("%s; %s; %d rows seen on the way equal the fold that they name; %.0f s", what, report, rows, time.Since(f.began).Seconds())
}

// tally counts what was done.
type tally struct{ kills, disks, pauses, joins, leaves int }

func (n tally) String() string {
	return fmt.Sprintf("%d kill -9 (%d with their disk), %d pauses, %d joined, %d left", n.kills, n.disks, n.pauses, n.joins, n.leaves)
}

// act does one thing to the services.
func (f *field) act(n *tally) {
	f.t.Helper()
	tier := tiers()[f.rng.IntN(3)]
	list := f.fleet.running[tier]
	i := f.rng.IntN(len(list))
	switch k := f.rng.IntN(10); {
	case k < 4:
		n.kills++
		dir := f.fleet.kill(tier, i)
		if f.rng.IntN(4) == 0 {
			n.disks++
			dir = ""
		}
		f.fleet.start(tier, dir)
	case k < 7:
		n.pauses++
		f.fleet.pause(list[i], sessionTimeout*5/4)
	case k == 7 && len(list) > 1:
		// Both are killed and come back on each other's stores.
		n.kills += 2
		a, b := f.fleet.kill(tier, 1), f.fleet.kill(tier, 0)
		f.swap(a, b)
		f.fleet.start(tier, a)
		f.fleet.start(tier, b)
	case len(list) > 1:
		n.leaves++
		f.fleet.leave(tier, i)
	default:
		n.joins++
		f.fleet.start(tier, "")
	}
}

// swap gives two instances each other's stores.
func (f *field) swap(a, b string) {
	f.t.Helper()
	aside := f.t.TempDir()
	move := func(from, to string) {
		entries, err := os.ReadDir(from)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, e := range entries {
			if e.IsDir() && e.Name() != "aside" {
				if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
					f.t.Fatal(err)
				}
			}
		}
	}
	move(a, aside)
	move(b, a)
	move(aside, b)
}

// TestOneBroker: two instances of each service on one broker, which is killed
// twice while they are. A lone broker is never closed in order (see
// local.Cluster.Restart); TestThreeBrokers does that.
func TestOneBroker(t *testing.T) {
	acts := number(t, "CHAOS_ACTS", 28)
	events := number(t, "CHAOS_EVENTS", 5000)
	f := newField(t, options{
		seed: uint64(number(t, "CHAOS_SEED", 1)), events: events, nodes: 1, profile: kafka.ProfileLocal,
		limit: 3*time.Minute + time.Duration(acts)*10*time.Second,
	})
	for _, tier := range tiers() {
		for range 2 {
			f.fleet.start(tier, "")
		}
	}
	for _, tier := range tiers() {
		f.fleet.ready(f.fleet.running[tier][0])
	}
	f.rules()
	f.feed(time.Duration(acts) * 4 * time.Second)
	var n tally
	for i := range acts {
		switch i {
		case acts / 3, acts * 2 / 3:
			if err := f.cluster.Kill(1); err != nil {
				t.Fatal(err)
			}
			if err := f.cluster.Restart(f.ctx, 1); err != nil {
				t.Fatal(err)
			}
		}
		f.act(&n)
		time.Sleep(time.Duration(200+f.rng.IntN(1500)) * time.Millisecond)
	}
	if acts >= 28 && n.kills+n.pauses < 20 {
		t.Errorf("too little happened: %s", n)
	}
	f.fed()
	f.settle()
	f.judge(fmt.Sprintf("%s, two kill -9 of the broker", n))
	f.fleet.drain()
}

// TestThreeBrokers: three brokers with min.insync.replicas 2. Under load one is
// closed in order and started again, another is killed and comes back.
func TestThreeBrokers(t *testing.T) {
	f := newField(t, options{seed: 2, events: number(t, "CHAOS_EVENTS", 3000), nodes: 3, profile: kafka.ProfileProduction, limit: 8 * time.Minute})
	for _, tier := range tiers() {
		f.fleet.start(tier, "")
	}
	for _, tier := range tiers() {
		f.fleet.ready(f.fleet.running[tier][0])
	}
	f.rules()
	f.feed(40 * time.Second)
	time.Sleep(5 * time.Second)
	victim := 1 + f.rng.IntN(3)
	next := victim%3 + 1
	if err := f.cluster.Restart(f.ctx, next); err != nil {
		t.Fatal(err)
	}
	if err := f.cluster.Kill(victim); err != nil {
		t.Fatal(err)
	}
	f.fed()
	f.settle() // on two of three
	if err := f.cluster.Restart(f.ctx, victim); err != nil {
		t.Fatal(err)
	}
	f.settle()
	f.judge(fmt.Sprintf("broker %d closed and started again under load, broker %d killed with kill -9, back later", next, victim))
	f.fleet.drain()
}

// TestCompactedWhileAway: while an instance is away, another changes and deletes
// state, and the broker compacts the changelogs and drops the tombstones. Back on
// its old disk, the instance must see that it cannot simply roll forward.
func TestCompactedWhileAway(t *testing.T) {
	f := newField(t, options{
		seed: 3, events: 3000, nodes: 1, profile: kafka.ProfileLocal, limit: 6 * time.Minute,
		properties: map[string]string{"log.cleaner.backoff.ms": "200", "log.cleaner.min.cleanable.ratio": "0.01", "log.initial.task.delay.ms": "100", "log.retention.check.interval.ms": "500"},
	})
	away, old := map[string]string{}, map[string]place{}
	ms := f.messages()
	third := len(ms) / 3
	for _, tier := range tiers() {
		f.fleet.ready(f.fleet.start(tier, ""))
	}
	f.rules()
	f.produce(ms[:third])
	f.settle()
	for _, tier := range tiers() {
		away[tier] = f.fleet.leave(tier, 0)
		f.fleet.ready(f.fleet.start(tier, ""))
	}
	for _, topic := range f.changelogs() {
		old[topic] = f.held(topic, nil)
	}
	f.hasten() // after the start: services refuse such topics
	f.produce(ms[third : 2*third])
	f.settle()
	time.Sleep(2 * time.Second) // the segment is old enough to roll
	f.produce(ms[2*third : 2*third+50])
	f.settle()
	f.compacted(old)
	if _, err := kafka.Apply(f.ctx, f.conn, f.spec); err != nil {
		t.Fatal(err)
	}
	for _, tier := range tiers() {
		f.fleet.leave(tier, 0)
		f.fleet.ready(f.fleet.start(tier, away[tier]))
	}
	f.produce(ms[2*third+50:])
	f.settle()
	f.judge("changelogs compacted while each instance was away")
	f.fleet.drain()
}

// changelogs are those of the tiers with state.
func (f *field) changelogs() []string {
	return []string{f.spec.ResolveChangelog(), f.spec.AttributorChangelog(), f.spec.ReporterChangelog()}
}

func (f *field) admin() *kadm.Client {
	f.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(f.conn.Brokers...))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(cl.Close)
	return kadm.NewClient(cl)
}

// hasten makes the broker compact the changelogs, and forget tombstones, within
// seconds.
func (f *field) hasten() {
	f.t.Helper()
	var configs []kadm.AlterConfig
	for k, v := range map[string]string{"segment.ms": "1000", "delete.retention.ms": "100", "min.cleanable.dirty.ratio": "0.01", "min.compaction.lag.ms": "0", "max.compaction.lag.ms": "1000"} {
		configs = append(configs, kadm.AlterConfig{Op: kadm.SetConfig, Name: k, Value: &v})
	}
	out, err := f.admin().AlterTopicConfigs(f.ctx, configs, f.changelogs()...)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, r := range out {
		if r.Err != nil {
			f.t.Fatalf("%s: %v", r.Name, r.Err)
		}
	}
}

// place is how much a topic holds and where it ends.
type place struct {
	records int
	ends    map[int32]int64
}

// held reads a topic, up to the given ends if there are any.
func (f *field) held(topic string, ends map[int32]int64) place {
	f.t.Helper()
	p := place{ends: map[int32]int64{}}
	err := stream.ReadTopic(f.ctx, line.StreamConn(f.conn), f.log, topic, func(r stream.Record) error {
		if ends == nil || r.Offset < ends[r.Partition] {
			p.records++
			p.ends[r.Partition] = r.Offset + 1
		}
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

// compacted waits until each changelog has lost records of the old part.
func (f *field) compacted(old map[string]place) {
	f.t.Helper()
	for _, topic := range f.changelogs() {
		for ; ; time.Sleep(500 * time.Millisecond) {
			now := f.held(topic, old[topic].ends)
			if now.records < old[topic].records {
				f.t.Logf("%s holds %d of its %d old records", topic, now.records, old[topic].records)
				break
			}
			if f.ctx.Err() != nil {
				f.t.Fatalf("%s is not compacted: %d old records", topic, now.records)
			}
		}
	}
}
