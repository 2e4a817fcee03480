package sim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"tracksource/deploy/kafka"
	"tracksource/identity"
	"tracksource/internal/attributor"
	"tracksource/internal/check"
	"tracksource/internal/demo"
	"tracksource/internal/faultnet"
	"tracksource/internal/ghost"
	"tracksource/internal/ingest"
	"tracksource/internal/line"
	"tracksource/internal/reporter"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// errKilled is what kills an instance.
var errKilled = errors.New("killed by the simulation")

// Timeouts of the engine in a run: short, so that a fault costs seconds.
const (
	sessionTimeout     = 1500 * time.Millisecond
	transactionTimeout = 1500 * time.Millisecond
	rebalanceTimeout   = 4 * time.Second
)

// bullet is what happens to an instance when any of its workers passes a point,
// after n others have.
type bullet struct {
	point stream.Point
	n     atomic.Int32
	hit   func(*instance) error
	fired atomic.Bool
}

// kill is kill -9: nothing is sent or stored any more.
func kill(i *instance) error {
	i.net.Cut()
	// The error ends one worker, the context the others, which nothing may wake
	// any more. Over a cut network a stop in order can send nothing.
	i.cancel()
	return errKilled
}

// doze is SIGSTOP for longer than the group waits, and SIGCONT: a zombie.
func doze(i *instance) error {
	i.net.Freeze()
	time.Sleep(sessionTimeout * 3 / 2)
	i.net.Thaw()
	return nil
}

// stall keeps a transaction open for longer than the broker lets it, while the
// heartbeats go on.
func stall(*instance) error {
	time.Sleep(transactionTimeout * 6 / 5)
	return nil
}

// instance is one running process of a tier, as far as others can tell.
type instance struct {
	tier   string
	dir    string
	net    *faultnet.Network
	mu     sync.Mutex
	armed  *bullet                      // guarded by mu
	struck sync.WaitGroup               // of what a bullet is doing
	died   atomic.Pointer[stream.Point] // where it was killed
	svc    *line.Service
	cancel context.CancelFunc
	done   chan struct{}
	err    error // valid when done is closed
}

// at is stream.Config.At of every worker of the instance.
func (i *instance) at(p stream.Point, _ int32) error {
	i.net.Pause() // a frozen process does nothing
	if i.net.IsCut() {
		return errKilled
	}
	b := i.fire(p)
	if b == nil {
		return nil
	}
	defer i.struck.Done()
	err := b.hit(i)
	if err != nil {
		i.died.Store(&p)
	}
	return err
}

// fire returns the bullet whose turn it is at a point. Who takes it says when it is done.
func (i *instance) fire(p stream.Point) *bullet {
	i.mu.Lock()
	defer i.mu.Unlock()
	b := i.armed
	if b == nil || b.point != p || b.n.Add(-1) != -1 {
		return nil
	}
	i.struck.Add(1)
	b.fired.Store(true)
	return b
}

// arm puts a bullet in the place of the last one; nil is none.
func (i *instance) arm(b *bullet) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.armed = b
}

// isArmed reports whether a bullet has yet to hit.
func (i *instance) isArmed() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.armed != nil && !i.armed.fired.Load()
}

// disarm takes the bullet back. One that has hit does what it does before it returns, so
// that nothing happens to the instance behind it.
func (i *instance) disarm() {
	i.arm(nil)
	i.struck.Wait()
}

func (i *instance) dead() bool {
	select {
	case <-i.done:
		return true
	default:
		return false
	}
}

// awayRegistry is a schema registry that can be out of reach.
type awayRegistry struct {
	avro.Registry
	away atomic.Bool
	hits atomic.Int64
}

// Schema asks for a schema that a partner's record names.
func (r *awayRegistry) Schema(ctx context.Context, id int) (string, error) {
	if r.away.Load() {
		r.hits.Add(1)
		return "", fmt.Errorf("%w: it is away", avro.ErrRegistry)
	}
	return r.Registry.Schema(ctx, id)
}

// rig is a cluster and the instances on it.
type rig struct {
	t        *testing.T
	ctx      context.Context
	rng      *rand.Rand
	cluster  *kfake.Cluster  // nil when it is on disk
	embedded *kafka.Embedded // nil when it is in memory
	batch    int             // records of a transaction; 0: drawn
	conn     kafka.Conn
	spec     kafka.Spec
	registry *awayRegistry
	codecs   *avro.Codecs
	producer *stream.Producer
	root     string
	logs     *logs
	log      *slog.Logger
	dirs     int
	running  map[string][]*instance // by tier
	kills    map[stream.Point]int
	moving   time.Time // since when the line has not been at rest, or was looked at
	looks    int       // at a line that did not come to rest
	ghosts   ghost.Hunt
	skew     atomic.Int64 // of all clocks, nanoseconds
}

// logs counts the messages of all instances on their way to the log.
type logs struct {
	to   io.Writer
	mu   sync.Mutex
	seen map[string]int // guarded by mu
}

var message = regexp.MustCompile(`msg="([^"]*)"`)

func (l *logs) Write(b []byte) (int, error) {
	if m := message.FindSubmatch(b); m != nil {
		l.mu.Lock()
		l.seen[string(m[1])]++
		l.mu.Unlock()
	}
	return l.to.Write(b)
}

// logged is how often a message that begins so was logged.
func (r *rig) logged(start string) int {
	r.logs.mu.Lock()
	defer r.logs.mu.Unlock()
	n := 0
	for text, times := range r.logs.seen {
		if strings.HasPrefix(text, start) {
			n += times
		}
	}
	return n
}

const brokers = 3

func newRig(ctx context.Context, t *testing.T, rng *rand.Rand, p plan) *rig {
	t.Helper()
	out := io.Discard
	if os.Getenv("SIM_LOG") != "" {
		out = os.Stderr
	}
	r := &rig{
		t: t, ctx: ctx, rng: rng, batch: p.batch, registry: &awayRegistry{Registry: avro.NewMemory()}, root: t.TempDir(),
		logs:    &logs{to: out, seen: map[string]int{}},
		running: map[string][]*instance{}, kills: map[stream.Point]int{},
	}
	level := slog.LevelInfo
	if os.Getenv("SIM_LOG") == "debug" {
		level = slog.LevelDebug
	}
	r.log = slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: level}))
	var err error
	r.spec, err = kafka.Load(kafka.ProfileLocal, kafka.Options{Feeds: demo.Feeds(), Partitions: map[string]int32{
		kafka.KeyRaw: int32(1 + rng.IntN(2)), kafka.KeyObservations: int32(2 + rng.IntN(3)), kafka.KeyJourneys: int32(1 + rng.IntN(3)), kafka.KeyCredits: int32(1 + rng.IntN(3)),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if p.disk {
		r.restartBroker()
	} else {
		m, err := kafka.StartMemory(kafka.MemoryConfig{Brokers: brokers, Options: []kfake.Opt{kfake.GroupMinSessionTimeout(100 * time.Millisecond)}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		r.cluster, r.conn = m.Cluster, m.Conn()
	}
	r.apply()
	if r.codecs, err = avro.OpenCodecs(ctx, r.registry, avro.Subjects(r.spec.Prefix())); err != nil {
		t.Fatal(err)
	}
	if r.producer, err = stream.NewProducer(line.StreamConn(r.conn), r.log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.producer.Close)
	t.Cleanup(func() {
		for _, list := range r.running {
			for _, i := range list {
				i.cancel()
				i.net.Cut()
				r.ended(i)
			}
		}
	})
	return r
}

// apply makes the topics that are missing.
func (r *rig) apply() {
	r.t.Helper()
	if _, err := kafka.Apply(r.ctx, r.conn, r.spec); err != nil {
		r.t.Fatal(err)
	}
}

// restartBroker closes the broker that keeps its records on disk, if it runs,
// and starts it at the same address.
func (r *rig) restartBroker() {
	r.t.Helper()
	if r.embedded != nil {
		if err := r.embedded.Close(); err != nil {
			r.t.Fatal(err)
		}
	}
	e, err := kafka.StartEmbedded(r.ctx, kafka.EmbeddedConfig{Dir: filepath.Join(r.root, "broker"), Spec: r.spec, Log: r.log})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = e.Close() })
	if !e.CleanStop() && r.embedded != nil {
		r.t.Fatal("the broker's stop was not clean")
	}
	r.embedded, r.conn = e, e.Conn()
}

// open makes the service of a tier on an open line.
func open(ctx context.Context, tier string, l *line.Line) (*line.Service, error) {
	switch tier {
	case "ingest":
		p, err := identity.NewPseudonymizer(pseudonymKey())
		if err != nil {
			return nil, err
		}
		return ingest.Open(l, ingest.Config{Consumers: ingest.Consumers(), Pseudonymizer: p, TellRest: tellRest})
	case "attributor":
		return attributor.Open(l)
	}
	return reporter.Open(ctx, l, reporter.Options{Throttle: reporter.ThrottleDefault})
}

func tiers() []string { return []string{"ingest", "attributor", "reporter"} }

// start starts an instance of a tier on a data directory; empty is a new one.
// armed, if any, is in place before the first worker runs.
func (r *rig) start(tier, dir string, armed *bullet) *instance {
	r.t.Helper()
	if dir == "" {
		r.dirs++
		dir = filepath.Join(r.root, fmt.Sprintf("%s-%d", tier, r.dirs))
	}
	i := &instance{tier: tier, dir: dir, net: &faultnet.Network{}, done: make(chan struct{})}
	i.arm(armed)
	r.registry.away.Store(false) // a process does not start without it
	session := sessionTimeout
	if r.embedded != nil {
		session = 6 * time.Second // it takes no shorter one
	}
	records := 5 + r.rng.IntN(60)
	if r.batch > 0 {
		records = r.batch
	}
	cfg := line.Config{
		Kafka: r.conn, Spec: r.spec, Registry: r.registry, DataDir: dir, MemoryBudget: 168 << 20,
		Log: r.log.With("dir", filepath.Base(dir)), Clock: func() time.Time { return time.Now().Add(time.Duration(r.skew.Load())) },
		Tune: func(c *stream.Config) {
			c.Conn.Dial, c.At = i.net.Dial, i.at
			c.BatchRecords, c.CommitInterval = records, 20*time.Millisecond
			c.TransactionTimeout, c.SessionTimeout, c.RebalanceTimeout = transactionTimeout, session, session+rebalanceTimeout-sessionTimeout
			c.HeartbeatInterval = 100 * time.Millisecond
		},
	}
	l, err := line.Open(r.ctx, cfg)
	// A process that finds no broker in its time ends and is started again.
	for end := time.Now().Add(patience()); err != nil && time.Now().Before(end); {
		r.log.Info("open again", "tier", tier, "err", err)
		time.Sleep(100 * time.Millisecond)
		l, err = line.Open(r.ctx, cfg)
	}
	if err != nil {
		r.t.Fatalf("open %s: %v", tier, err)
	}
	if i.svc, err = open(r.ctx, tier, l); err != nil {
		r.t.Fatalf("open %s: %v", tier, err)
	}
	ctx, cancel := context.WithCancel(r.ctx)
	i.cancel = cancel
	go func() {
		defer close(i.done)
		i.err = errors.Join(i.svc.Run(ctx), i.svc.Close())
	}()
	r.running[tier] = append(r.running[tier], i)
	return i
}

// bury takes the dead instances away and returns them. One that died of
// anything but the simulation fails the test.
func (r *rig) bury() []*instance {
	r.t.Helper()
	var dead []*instance
	for _, tier := range tiers() {
		var alive []*instance
		for _, i := range r.running[tier] {
			if !i.dead() {
				alive = append(alive, i)
				continue
			}
			if !i.net.IsCut() {
				r.t.Fatalf("%s ended: %v", filepath.Base(i.dir), i.err)
			}
			if p := i.died.Load(); p != nil {
				r.kills[*p]++
			}
			dead = append(dead, i)
		}
		r.running[tier] = alive
	}
	return dead
}

// patience bounds the waits for what comes within seconds, on a machine that has other
// things to do: where it ends, something hangs. An engine with a mistake in it does.
func patience() time.Duration {
	if isMistaken() {
		return 30 * time.Second
	}
	return 3 * time.Minute
}

// ended waits until an instance that was killed, or told to stop, has ended. A stop in
// order may wait for other members that join, up to the rebalance timeout, and then for its
// session; one that was killed has only its goroutines to leave.
func (r *rig) ended(i *instance) {
	r.t.Helper()
	select {
	case <-i.done:
	case <-time.After(patience()):
		r.t.Fatalf("%s does not end, killed %t: %+v\n%s", filepath.Base(i.dir), i.net.IsCut(), i.svc.Status(), r.state())
	}
}

// stop ends an instance in order and returns its directory.
func (r *rig) stop(tier string, n int) string {
	r.t.Helper()
	i := r.running[tier][n]
	r.running[tier] = slices.Delete(r.running[tier], n, n+1)
	i.arm(nil)
	i.cancel()
	r.ended(i)
	if i.err != nil && !i.net.IsCut() {
		r.t.Fatalf("%s did not stop in order: %v", filepath.Base(i.dir), i.err)
	}
	return i.dir
}

func pseudonymKey() []byte { return bytes.Repeat([]byte("k"), 32) }

func pseudonyms(t *testing.T) *identity.Pseudonymizer {
	t.Helper()
	p, err := identity.NewPseudonymizer(pseudonymKey())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// tellRest is for how long a partition has no events before its counts are told: rigs come
// to rest many times.
const tellRest = 50 * time.Millisecond

// stuckAfter is when a line that does not come to rest is looked at, and again after that.
// Each time it takes longer: on a slow machine members have only just joined.
const stuckAfter = 3 * time.Second

// settle waits until the line is at rest, with one live instance of each tier at
// least.
func (r *rig) settle() {
	r.t.Helper()
	calm, last := 0, int64(-1)
	r.moving = time.Now()
	for calm < 3 {
		if err := r.ctx.Err(); err != nil {
			r.t.Fatalf("not at rest: %v\n%s", err, r.state())
		}
		if dead := r.bury(); len(dead) > 0 {
			r.t.Fatalf("%s was killed although no fault was left", filepath.Base(dead[0].dir))
		}
		for _, list := range r.running {
			for _, i := range list {
				for _, st := range i.svc.Status() {
					for _, p := range st.Partitions {
						if p.Phase == "halted" {
							r.t.Fatalf("%s: %s/%d is halted: %s", filepath.Base(i.dir), p.Topic, p.Partition, p.Error)
						}
					}
				}
			}
		}
		ok := r.resting()
		ends, err := kafka.EndOffsets(r.ctx, r.conn, r.topics()...)
		if err != nil {
			ok = false
		} else if n := ends.Total(); n != last {
			ok, last = false, n
		}
		if calm++; !ok {
			calm = 0
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// resting reports whether the line is at rest now. When it has not been for a while, it
// looks for ghosts.
func (r *rig) resting() bool {
	var services []*line.Service
	for _, list := range r.running {
		for _, i := range list {
			services = append(services, i.svc)
		}
	}
	ok, err := demo.AtRest(r.ctx, r.conn, r.spec, services, demo.Config{Log: r.log})
	if err != nil {
		r.log.Info("look again", "err", err) // a leader is moving
		ok = false
	}
	switch {
	case ok || r.moving.IsZero():
		r.moving = time.Now()
	case time.Since(r.moving) > stuckAfter+stuckAfter*time.Duration(r.looks/4):
		r.evictGhosts()
		r.moving = time.Now()
		r.looks++
	}
	return ok
}

// topics are those that the tiers write.
func (r *rig) topics() []string {
	return append(r.spec.DeadLetterTopics(), r.spec.Observations(), r.spec.Journeys(), r.spec.Credits(), r.spec.Contributions())
}

// state is what a test that does not come to rest says.
func (r *rig) state() string {
	var b bytes.Buffer
	for _, list := range r.running {
		for _, i := range list {
			fmt.Fprintf(&b, "%s: ready %v, %+v\n", filepath.Base(i.dir), i.svc.Ready(), i.svc.Status())
		}
	}
	for _, g := range r.groups() {
		fmt.Fprintf(&b, "%s: %s, members", g.Group, g.State)
		for _, m := range g.Members {
			fmt.Fprintf(&b, " %s", m.MemberID)
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}

// groups is what the broker believes of the groups, nothing when it does not say.
func (r *rig) groups() []kadm.DescribedGroup {
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.conn.Brokers...))
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	groups, err := kadm.NewClient(cl).DescribeGroups(ctx)
	if err != nil {
		r.log.Info("groups are not described", "err", err)
	}
	return groups.Sorted()
}

// evictGhosts removes members of groups that are no process any more.
func (r *rig) evictGhosts() {
	living := map[string]bool{}
	for _, list := range r.running {
		for _, i := range list {
			for _, st := range i.svc.Status() {
				living[st.Member] = true
			}
		}
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.conn.Brokers...))
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(r.ctx, 10*time.Second)
	defer cancel()
	gone, err := r.ghosts.Evict(ctx, cl, living)
	if err != nil {
		r.log.Info("groups are not looked through", "err", err)
	}
	for _, m := range gone {
		r.t.Logf("member %s is of no process: evicted", m)
	}
}

func (r *rig) judge() (check.Report, error) {
	return check.Check(r.ctx, check.Config{Kafka: r.conn, Spec: r.spec, Codecs: r.codecs, Log: r.log})
}

// check is the end of every test.
func (r *rig) check() check.Report {
	r.t.Helper()
	report, err := r.judge()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := report.Err(); err != nil {
		r.t.Errorf("%s\n%v", report, err)
	}
	r.feeds(report.Feeds)
	return report
}
