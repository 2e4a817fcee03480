package stream_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"tracksource/internal/faultnet"
	"tracksource/internal/ghost"
	"tracksource/stream"
)

const (
	inTopic     = "in"
	outTopic    = "out"
	deltaTopic  = "delta"
	changelog   = "in-changelog"
	group       = "g"
	inParts     = 4
	waitForLong = 4 * time.Minute // on a machine that does much else; what is waited for ends it
)

// openMax is how long a transaction that a test leaves open may stay so: the broker must
// not end it before the test does.
const openMax = 10 * time.Minute

var errKilled = errors.New("killed by the test")

// disk is the stores of one instance; it outlives the instance's workers.
type disk struct {
	mu    sync.Mutex
	parts map[int32]*memStore
	aside []string
	takes int // of each store
}

func newDisk() *disk { return &disk{parts: map[int32]*memStore{}} }

func (d *disk) Open(p int32) (stream.Store, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.parts[p]
	if s == nil || s.restoring {
		if s != nil {
			d.aside = append(d.aside, "restoring")
		}
		s = &memStore{data: map[string]string{}, staged: map[string]*string{}, takes: d.takes}
		d.parts[p] = s
	}
	if s.open {
		return nil, fmt.Errorf("store %d is open already", p)
	}
	s.open = true
	return s, nil
}

func (d *disk) SetAside(p int32, reason string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.parts, p)
	d.aside = append(d.aside, reason)
	return nil
}

func (d *disk) asides() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.aside)
}

// memStore is a Store in memory that asserts the order of the calls it gets.
type memStore struct {
	data      map[string]string
	staged    map[string]*string
	meta      []byte
	open      bool
	restoring bool
	takes     int // at once, 0 for any number
}

func (s *memStore) Meta() ([]byte, error) { return s.meta, nil }

func (s *memStore) put(changes iter.Seq2[[]byte, []byte]) {
	if len(s.staged) > 0 {
		panic("restore writes under a staged batch")
	}
	for k, v := range changes {
		if v == nil {
			delete(s.data, string(k))
		} else {
			s.data[string(k)] = string(v)
		}
	}
}

func (s *memStore) Apply(changes iter.Seq2[[]byte, []byte], meta []byte) error {
	n := 0
	for range changes {
		n++
	}
	if s.takes > 0 && n > s.takes {
		return fmt.Errorf("%d changes: %w", n, stream.ErrTooBig)
	}
	s.put(changes)
	s.meta, s.restoring = meta, false
	return nil
}

func (s *memStore) ApplyChunk(changes iter.Seq2[[]byte, []byte]) error {
	s.put(changes)
	s.restoring = true
	return nil
}

func digest(m map[string]string) (sum [16]byte, keys int64) {
	for k, v := range m {
		h := sha256.Sum256([]byte(fmt.Sprintf("%d:%s=%s", len(k), k, v)))
		for i := range sum {
			sum[i] ^= h[i]
		}
	}
	return sum, int64(len(m))
}

func (s *memStore) Recompute() ([16]byte, int64, error) {
	sum, n := digest(s.data)
	return sum, n, nil
}

func (s *memStore) get(k string) string {
	if v, ok := s.staged[k]; ok {
		return *v
	}
	return s.data[k]
}

func (s *memStore) Staged() iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		for _, k := range slices.Sorted(maps.Keys(s.staged)) {
			if !yield([]byte(k), []byte(*s.staged[k])) {
				return
			}
		}
	}
}

func (s *memStore) Digest() ([16]byte, int64) {
	all := maps.Clone(s.data)
	for k, v := range s.staged {
		all[k] = *v
	}
	return digest(all)
}

func (s *memStore) Fits() error { return nil }

func (s *memStore) Commit(meta []byte) error {
	for k, v := range s.staged {
		s.data[k] = *v
	}
	clear(s.staged)
	s.meta = meta
	return nil
}

func (s *memStore) Discard() { clear(s.staged) }

func (s *memStore) Close() error {
	if !s.open {
		return errors.New("closed twice")
	}
	s.open = false
	clear(s.staged)
	return nil
}

// counter is the processor under test: it counts records per key, sends the
// count to out and a one to delta.
type counter struct {
	s        *memStore
	p        int32
	pending  *atomic.Int64 // ticks still wanted
	maxBatch int           // more records than this are too big
	slow     time.Duration // per record
	nap      *atomic.Bool  // taken once, until the transaction is over
}

func (c *counter) Process(ctx context.Context, b *stream.Batch) error {
	if c.maxBatch > 0 && len(b.Records) > c.maxBatch {
		return fmt.Errorf("%d records: %w", len(b.Records), stream.ErrTooBig)
	}
	if c.nap != nil && len(b.Records) > 0 && c.nap.CompareAndSwap(true, false) {
		<-ctx.Done()
		return ctx.Err()
	}
	for _, r := range b.Records {
		k := string(r.Key)
		n, _ := strconv.Atoi(c.s.get(k))
		v := strconv.Itoa(n + 1)
		c.s.staged[k] = &v
		b.Emit(outTopic, r.Key, []byte(v))
		b.Emit(deltaTopic, r.Key, []byte("1"))
		if c.slow > 0 {
			select {
			case <-time.After(c.slow):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	if len(b.Records) == 0 && c.pending != nil {
		c.pending.Add(-1)
		v := b.Now.String()
		c.s.staged[fmt.Sprintf("tick-%d", c.p)] = &v
	}
	return nil
}

func (c *counter) Pending(time.Time) bool { return c.pending != nil && c.pending.Load() > 0 }
func (c *counter) Committed()             {}
func (c *counter) Aborted()               {}

// rig is a broker with the topics, and what was sent.
type rig struct {
	t     *testing.T
	c     *kfake.Cluster
	cl    *kgo.Client
	truth map[string]int
	rng   *rand.Rand

	running []*instance // all that were started
	ghosts  ghost.Hunt
}

func newRig(t *testing.T) *rig {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	stamp := map[string]string{"message.timestamp.type": "LogAppendTime"}
	for topic, n := range map[string]int32{inTopic: inParts, outTopic: 3, deltaTopic: 3, changelog: inParts} {
		if err := c.CreateTopic(topic, n, stamp); err != nil {
			t.Fatal(err)
		}
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return &rig{t: t, c: c, cl: cl, truth: map[string]int{}, rng: rand.New(rand.NewPCG(seed, 1))}
}

func (r *rig) send(n int) {
	r.t.Helper()
	var rs []*kgo.Record
	for range n {
		k := "k" + strconv.Itoa(r.rng.IntN(50))
		r.truth[k]++
		rs = append(rs, &kgo.Record{Topic: inTopic, Key: []byte(k), Value: []byte("x")})
	}
	if err := r.cl.ProduceSync(context.Background(), rs...).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
}

// instance is one worker with its disk and network.
type instance struct {
	r    *rig
	w    *stream.Worker
	net  *faultnet.Network
	stop context.CancelFunc
	err  chan error
}

type option func(*stream.Config, *counter, *faultnet.Network)

// mortal is an instance whose end the group notices without being told: its timeouts are
// as short as a machine that does much else can keep up with.
func mortal(c *stream.Config, _ *counter, _ *faultnet.Network) {
	c.TransactionTimeout, c.SessionTimeout, c.RebalanceTimeout = 4*time.Second, 4*time.Second, 6*time.Second
}

// transactions bounds those of an instance, and with them a third of it the fold of a batch.
func transactions(timeout time.Duration) option {
	return func(c *stream.Config, _ *counter, _ *faultnet.Network) { c.TransactionTimeout = timeout }
}

func (r *rig) start(id string, d *disk, opts ...option) *instance {
	r.t.Helper()
	n := &faultnet.Network{}
	proto := counter{}
	level := slog.LevelError + 10
	if os.Getenv("STREAM_TEST_LOG") != "" {
		level = slog.LevelDebug
	}
	cfg := stream.Config{
		Conn: stream.Conn{Brokers: r.c.ListenAddrs(), Dial: n.Dial}, Group: group, TransactionalID: "tx-" + id,
		Log:   slog.New(slog.NewTextHandler(logTo(), &slog.HandlerOptions{Level: level})).With("instance", id),
		Clock: time.Now, BatchRecords: 20, CommitInterval: 20 * time.Millisecond,
		// As long as a machine that does much else may stand still.
		TransactionTimeout: time.Minute, SessionTimeout: time.Minute, RebalanceTimeout: time.Minute, HeartbeatInterval: 50 * time.Millisecond,
	}
	for _, o := range opts {
		o(&cfg, &proto, n)
	}
	cfg.Inputs = []stream.Input{{
		Topic: inTopic, Changelog: changelog, Stores: d,
		New: func(a stream.Assignment, s stream.Store) (stream.Processor, error) {
			if a.Generation == 0 {
				return nil, errors.New("a stateful partition without a generation")
			}
			c := proto
			c.s, c.p = s.(*memStore), a.Partition
			return &c, nil
		},
	}}
	w, err := stream.New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	i := &instance{r: r, w: w, net: n, stop: cancel, err: make(chan error, 1)}
	go func() { i.err <- w.Run(ctx) }()
	r.t.Cleanup(func() { cancel(); n.Cut() })
	r.running = append(r.running, i)
	return i
}

func logTo() io.Writer { return os.Stderr }

// drain stops the worker gracefully.
func (i *instance) drain() {
	i.r.t.Helper()
	i.stop()
	if err := i.wait(); err != nil {
		i.r.t.Fatalf("drain: %v", err)
	}
}

func (i *instance) wait() error {
	i.r.t.Helper()
	select {
	case err := <-i.err:
		i.err <- err
		return err
	case <-time.After(waitForLong):
		i.r.t.Fatal("worker did not stop")
		return nil
	}
}

// until waits for a condition that other goroutines bring about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(waitForLong); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("timed out waiting until %s", what)
}

func (r *rig) committed() int64 {
	of, err := kadm.NewClient(r.cl).FetchOffsets(context.Background(), group)
	if err != nil {
		return 0
	}
	n := int64(0)
	of.Each(func(o kadm.OffsetResponse) {
		if o.Topic == inTopic && o.At > 0 {
			n += o.At
		}
	})
	return n
}

// settle waits until the group has consumed everything that was sent.
func (r *rig) settle() {
	r.t.Helper()
	r.hunting("the group has consumed everything", func() bool { return r.committed() >= r.sent() })
}

// hunting waits until something is done, and looks for ghosts while it is not.
func (r *rig) hunting(what string, done func() bool) {
	r.t.Helper()
	stuck := time.Now().Add(stuckAfter)
	until(r.t, what, func() bool {
		if time.Now().After(stuck) {
			r.evictGhosts()
			stuck = time.Now().Add(stuckAfter)
		}
		return done()
	})
}

// stuckAfter is when a group that consumes nothing more is looked at.
const stuckAfter = 6 * time.Second

// evictGhosts removes members of the group that are no instance any more.
func (r *rig) evictGhosts() {
	living := map[string]bool{}
	for _, i := range r.running {
		if len(i.err) == 0 {
			living[i.w.Status().Member] = true
		}
	}
	gone, err := r.ghosts.Evict(context.Background(), r.cl, living, group)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, m := range gone {
		r.t.Logf("member %s is of no instance: evicted", m)
	}
}

// vacate waits until nobody is in the group any more. What a member sends when it leaves
// may be lost, and a group that has members lets nobody else set its offsets.
func (r *rig) vacate() {
	r.t.Helper()
	r.hunting("the group is empty", func() bool {
		info := r.c.GroupInfo(group)
		return info == nil || len(info.Members) == 0
	})
}

func (r *rig) sent() int64 {
	n := 0
	for _, k := range r.truth {
		n += k
	}
	return int64(n)
}

// read returns the committed records of a topic.
func (r *rig) read(topic string) []*kgo.Record {
	r.t.Helper()
	ctx := context.Background()
	ends, err := kadm.NewClient(r.cl).ListEndOffsets(ctx, topic)
	if err != nil {
		r.t.Fatal(err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.c.ListenAddrs()...), kgo.ConsumeTopics(topic), kgo.FetchMaxWait(50*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	var out []*kgo.Record
	ctx, cancel := context.WithTimeout(ctx, waitForLong)
	defer cancel()
	for len(left) > 0 {
		fs := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			r.t.Fatalf("read %s: still waiting for %v", topic, left)
		}
		fs.EachRecord(func(rec *kgo.Record) {
			if !rec.Attrs.IsControl() {
				out = append(out, rec)
			}
			if rec.Offset+1 >= left[rec.Partition] {
				delete(left, rec.Partition)
			}
		})
	}
	return out
}

// audit is what the changelog says of itself.
func (r *rig) audit() []stream.Chain {
	r.t.Helper()
	chains, err := stream.AuditChangelog(context.Background(), stream.Conn{Brokers: r.c.ListenAddrs()}, quietLog(), changelog, inParts,
		func(pairs iter.Seq2[[]byte, []byte]) ([16]byte, int64) {
			m := map[string]string{}
			for k, v := range pairs {
				m[string(k)] = string(v)
			}
			return digest(m)
		})
	if err != nil {
		r.t.Fatal(err)
	}
	return chains
}

// check holds the outputs, the deltas and the changelog against what was sent.
func (r *rig) check() {
	r.t.Helper()
	r.settle()
	out, delta, state := map[string]int{}, map[string]int{}, map[string]int{}
	for _, rec := range r.read(outTopic) {
		n, _ := strconv.Atoi(string(rec.Value))
		if n != out[string(rec.Key)]+1 {
			r.t.Errorf("out: key %s went from %d to %d", rec.Key, out[string(rec.Key)], n)
		}
		out[string(rec.Key)] = n
	}
	for _, rec := range r.read(deltaTopic) {
		delta[string(rec.Key)]++
	}
	for _, rec := range r.read(changelog) {
		if rec.Key[0] == 1 && rec.Key[1] == 'k' {
			n, _ := strconv.Atoi(string(rec.Value))
			state[string(rec.Key[1:])] = n
		}
	}
	chains := r.audit()
	for _, c := range chains {
		for _, p := range c.Problems {
			r.t.Errorf("audit: %s", p)
		}
	}
	for name, got := range map[string]map[string]int{"out": out, "delta": delta, "changelog": state} {
		if !maps.Equal(got, r.truth) {
			r.t.Errorf("%s = %v\nwant %v", name, got, r.truth)
		}
	}
}
