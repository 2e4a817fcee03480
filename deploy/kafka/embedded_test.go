package kafka_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tracksource/deploy/kafka"
)

// childEnv makes the test binary run a broker instead of tests: it must be a
// process of its own to be killed.
const childEnv = "TRACKSOURCE_TEST_EMBEDDED_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		os.Exit(brokerChild(dir))
	}
	os.Exit(m.Run())
}

// brokerChild serves until its standard input closes, then closes cleanly.
func brokerChild(dir string) int {
	s, err := kafka.Load(kafka.ProfileLocal, acme())
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	e, err := kafka.StartEmbedded(context.Background(), kafka.EmbeddedConfig{Dir: dir, Spec: s})
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	_, _ = fmt.Fprintf(os.Stdout, "ready %s %t\n", e.Conn(), e.CleanStop())
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
	if err := e.Close(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// child is a broker in a process of its own.
type child struct {
	cmd   *exec.Cmd
	stdin interface{ Close() error }
	conn  kafka.Conn
	clean bool
}

func startChild(t *testing.T, dir string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	fields := strings.Fields(line)
	if err != nil || len(fields) != 3 || fields[0] != "ready" {
		t.Fatalf("broker process said %q: %v", line, err)
	}
	return &child{cmd: cmd, stdin: stdin, conn: kafka.Conn{Brokers: []string{fields[1]}}, clean: fields[2] == "true"}
}

func (c *child) kill(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = c.cmd.Wait()
}

func (c *child) close(t *testing.T) {
	t.Helper()
	if err := c.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Fatalf("broker process ended: %v", err)
	}
}

// record is what must survive: where, what, when.
type record struct {
	topic     string
	partition int32
	value     string
	at        int64
}

// readAll reads topics to their ends as read_committed sees them, in order.
func readAll(t *testing.T, conn kafka.Conn, topics ...string) map[string][]record {
	t.Helper()
	ctx := patient(t)
	ends, err := kafka.CommittedOffsets(ctx, conn, topics...)
	if err != nil {
		t.Fatal(err)
	}
	starts := make(map[string]map[int32]kgo.Offset)
	left := 0
	for topic, ps := range ends {
		starts[topic] = make(map[int32]kgo.Offset)
		for p, end := range ps {
			if end > 0 {
				starts[topic][p] = kgo.NewOffset().AtStart()
				left++
			}
		}
	}
	out := make(map[string][]record)
	if left == 0 {
		return out
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(conn.Brokers...), kgo.ConsumePartitions(starts), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for left > 0 {
		f := cl.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatalf("read %v: %v, %d partitions left", topics, err, left)
		}
		f.EachRecord(func(r *kgo.Record) {
			key := fmt.Sprintf("%s/%d", r.Topic, r.Partition)
			if !r.Attrs.IsControl() {
				out[key] = append(out[key], record{r.Topic, r.Partition, string(r.Value), r.Timestamp.UnixMilli()})
			}
			if r.Offset == ends[r.Topic][r.Partition]-1 {
				left--
			}
		})
	}
	return out
}

// produceUntilDead writes numbered records from several producers to the raw
// topic and control until the broker dies, and returns what was acknowledged,
// by partition, in the order of the partition. The other channel is closed once
// something was.
func produceUntilDead(ctx context.Context, t *testing.T, conn kafka.Conn, round int, topics ...string) (<-chan map[string][]record, <-chan struct{}) {
	t.Helper()
	out, begun := make(chan map[string][]record, 1), make(chan struct{})
	cl, err := kgo.NewClient(kgo.SeedBrokers(conn.Brokers...), kgo.RecordRetries(3), kgo.ProducerLinger(0), kgo.RecordDeliveryTimeout(2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		var mu sync.Mutex
		acked := make(map[string][]record)
		for n := 0; ctx.Err() == nil; n++ {
			topic := topics[n%len(topics)]
			r := &kgo.Record{Topic: topic, Key: fmt.Appendf(nil, "k%d", n%7), Value: fmt.Appendf(nil, "round %d record %d", round, n)}
			cl.Produce(ctx, r, func(r *kgo.Record, err error) {
				if err != nil {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if len(acked) == 0 {
					close(begun)
				}
				key := fmt.Sprintf("%s/%d", r.Topic, r.Partition)
				acked[key] = append(acked[key], record{r.Topic, r.Partition, string(r.Value), 0})
			})
			if n%100 == 99 {
				time.Sleep(time.Millisecond)
			}
		}
		// What is in flight has an unknown outcome and may not be given up by
		// an idempotent producer; closing fails it.
		cl.Close()
		mu.Lock()
		defer mu.Unlock()
		out <- acked
	}()
	return out, begun
}

// transactUntilDead holds transactions over journeys and control, so that the
// kill tears one open.
func transactUntilDead(ctx context.Context, t *testing.T, conn kafka.Conn, s kafka.Spec) <-chan struct{} {
	t.Helper()
	done := make(chan struct{})
	cl, err := kgo.NewClient(kgo.SeedBrokers(conn.Brokers...), kgo.TransactionalID("torn"), kgo.RecordDeliveryTimeout(2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(done)
		defer cl.Close()
		for n := 0; ctx.Err() == nil; n++ {
			if cl.BeginTransaction() != nil {
				return
			}
			outcome := "commit"
			if n%3 == 0 {
				outcome = "abort"
			}
			for i := range 5 {
				for _, topic := range []string{s.Journeys(), s.Control()} {
					cl.Produce(ctx, &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "txn %d %s %d", n, outcome, i)}, nil)
				}
			}
			if cl.Flush(ctx) != nil || cl.EndTransaction(ctx, kgo.TransactionEndTry(outcome == "commit")) != nil {
				return
			}
		}
	}()
	return done
}

func TestEmbeddedKill(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	s := mustLoad(t, kafka.ProfileLocal, acme())
	dir := t.TempDir()
	raw := s.RawTopic("crm", "acme")
	var before map[string][]record // What the last run had, with timestamps.
	for round := range 4 {
		b := startChild(t, dir)
		if b.clean != (round == 0) {
			t.Errorf("round %d: CleanStop is %t", round, b.clean)
		}
		after := readAll(t, b.conn, raw, s.Control())
		for key, want := range before {
			if got := after[key]; !slices.Equal(got, want) {
				t.Fatalf("round %d: %s has %d records after the kill, wanted the same %d", round, key, len(got), len(want))
			}
		}
		for _, topic := range []string{s.Observations(), s.Journeys(), s.ResolveChangelog(), s.Alerts()} {
			if ends, err := kafka.EndOffsets(patient(t), b.conn, topic); err != nil || ends.Total() != 0 {
				t.Errorf("round %d: %s was not emptied: %v, %v", round, topic, ends, err)
			}
		}
		ctx, cancel := context.WithCancel(patient(t))
		results, begun := produceUntilDead(ctx, t, b.conn, round, raw, s.Control())
		torn := transactUntilDead(ctx, t, b.conn, s)
		select {
		case <-begun: // else the round would show nothing
		case <-ctx.Done():
			t.Fatal("nothing is acknowledged")
		}
		time.Sleep(time.Duration(200+rng.IntN(600)) * time.Millisecond)
		b.kill(t)
		cancel()
		acked := <-results
		<-torn

		// The next start salvages; a look through a clean restart shows what
		// it kept, and is what the following round must still have.
		b = startChild(t, dir)
		if b.clean {
			t.Fatalf("round %d: a killed run counts as clean", round)
		}
		kept := readAll(t, b.conn, raw, s.Control())
		checkKept(t, round, kept, before, acked)
		b.close(t)
		b = startChild(t, dir)
		if !b.clean {
			t.Fatalf("round %d: a closed run counts as not clean", round)
		}
		before = readAll(t, b.conn, raw, s.Control())
		b.kill(t)
	}
}

// checkKept holds that all acknowledged records were kept, in order, nothing
// was made up, and no aborted transaction became visible.
func checkKept(t *testing.T, round int, kept, before, acked map[string][]record) {
	t.Helper()
	total := 0
	for key, want := range acked {
		if n := len(before[key]); len(kept[key]) < n || !slices.Equal(kept[key][:n], before[key]) {
			t.Fatalf("round %d: %s does not begin with the %d records it had before", round, key, n)
		}
		values := make(map[string]int)
		for i, r := range kept[key] {
			if _, dup := values[r.value]; dup && !strings.HasPrefix(r.value, "txn") {
				t.Errorf("round %d: %s holds %q twice though its producer never retried", round, key, r.value)
			}
			values[r.value] = i
		}
		last := -1
		for _, r := range want {
			at, ok := values[r.value]
			if !ok {
				t.Fatalf("round %d: acknowledged record %q of %s is lost", round, r.value, key)
			}
			if at < last {
				t.Fatalf("round %d: record %q of %s moved before its predecessor", round, r.value, key)
			}
			last = at
		}
		total += len(want)
	}
	if total == 0 {
		t.Fatalf("round %d: nothing was acknowledged, the round shows nothing", round)
	}
	for key, records := range kept {
		for _, r := range records {
			if strings.Contains(r.value, "abort") {
				t.Fatalf("round %d: aborted record %q became visible in %s", round, r.value, key)
			}
		}
	}
}

func TestEmbeddedKeepsPortAndState(t *testing.T) {
	t.Parallel()
	ctx, dir, s := patient(t), t.TempDir(), mustLoad(t, kafka.ProfileLocal, acme())
	cfg := kafka.EmbeddedConfig{Dir: dir, Spec: s}
	e, err := kafka.StartEmbedded(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kafka.StartEmbedded(ctx, cfg); err == nil || !strings.Contains(err.Error(), "taken") && !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second broker in the same directory: %v", err)
	}
	produce(t, e.Conn(), s.Journeys(), "before")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	again, err := kafka.StartEmbedded(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if !again.CleanStop() || again.Conn().String() != e.Conn().String() {
		t.Errorf("restart: clean %t at %s, want clean at %s", again.CleanStop(), again.Conn(), e.Conn())
	}
	if got := readAll(t, again.Conn(), s.Journeys()); countValues(got) != 1 {
		t.Errorf("journeys after a clean restart: %v", got)
	}
}

// TestListenLasting: ports that brokers keep over restarts are not those that the kernel
// hands out, and no two of them are the same.
func TestListenLasting(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for range 50 {
		l, err := kafka.ListenLasting(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		port := l.Addr().(*net.TCPAddr).Port
		if seen[port] || port >= 32_768 {
			t.Errorf("port %d, after %v", port, seen)
		}
		seen[port] = true
	}
}

func TestResetInternal(t *testing.T) {
	t.Parallel()
	ctx, s := patient(t), mustLoad(t, kafka.ProfileLocal, acme())
	e, err := kafka.StartEmbedded(ctx, kafka.EmbeddedConfig{Dir: t.TempDir(), Spec: s})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	raw := s.RawTopic("crm", "acme")
	for _, topic := range []string{raw, s.Control(), s.Journeys(), s.Alerts()} {
		produce(t, e.Conn(), topic, "one", "two")
	}
	want := readAll(t, e.Conn(), raw, s.Control())
	id := clusterID(t, e.Conn())
	if err := e.ResetInternal(ctx); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, e.Conn(), raw, s.Control()); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("after the reset raw and control are\n%v, want\n%v", got, want)
	}
	if got := readAll(t, e.Conn(), s.Journeys(), s.Alerts()); countValues(got) != 0 {
		t.Errorf("after the reset internal topics hold %v", got)
	}
	if clusterID(t, e.Conn()) == id {
		t.Error("the cluster id is the same: services would keep state that belongs to nothing")
	}
	if err := kafka.Verify(ctx, e.Conn(), s); err != nil {
		t.Error(err)
	}
}

// TestSalvageInterrupted stops between the renames of a swap.
func TestSalvageInterrupted(t *testing.T) {
	t.Parallel()
	ctx, s := patient(t), mustLoad(t, kafka.ProfileLocal, acme())
	tests := map[string]func(dir string) error{
		"copy incomplete": func(dir string) error {
			return os.MkdirAll(filepath.Join(dir, "data.salvage", "partitions"), 0o700)
		},
		"between the renames": func(dir string) error {
			if err := os.Rename(filepath.Join(dir, "data"), filepath.Join(dir, "data.salvage")); err != nil {
				return err
			}
			return os.MkdirAll(filepath.Join(dir, "data.retired"), 0o700)
		},
		"original not removed": func(dir string) error {
			return os.MkdirAll(filepath.Join(dir, "data.retired", "partitions"), 0o700)
		},
	}
	for name, interrupt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := kafka.EmbeddedConfig{Dir: t.TempDir(), Spec: s}
			e, err := kafka.StartEmbedded(ctx, cfg)
			if err != nil {
				t.Fatal(err)
			}
			produce(t, e.Conn(), s.Control(), "kept")
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(cfg.Dir, "running"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := interrupt(cfg.Dir); err != nil {
				t.Fatal(err)
			}
			e, err = kafka.StartEmbedded(ctx, cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if got := readAll(t, e.Conn(), s.Control()); countValues(got) != 1 {
				t.Errorf("control holds %v, want the one record", got)
			}
			left, err := filepath.Glob(filepath.Join(cfg.Dir, "data.*"))
			if err != nil || len(left) != 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

func produce(t *testing.T, conn kafka.Conn, topic string, values ...string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(conn.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for _, v := range values {
		if err := cl.ProduceSync(patient(t), &kgo.Record{Topic: topic, Value: []byte(v)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func countValues(m map[string][]record) int {
	n := 0
	for _, rs := range m {
		n += len(rs)
	}
	return n
}

func clusterID(t *testing.T, conn kafka.Conn) string {
	t.Helper()
	m, err := admin(t, conn).BrokerMetadata(patient(t))
	if err != nil {
		t.Fatal(err)
	}
	return m.Cluster
}
