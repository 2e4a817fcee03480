package sim_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tracksource/deploy/kafka"
	"tracksource/deploy/kafka/local"
	"tracksource/internal/attributor"
	"tracksource/internal/check"
	"tracksource/internal/demo"
	"tracksource/internal/ingest"
	"tracksource/internal/line"
	"tracksource/internal/reporter"
	"tracksource/internal/sample"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

const processEvents = 3000

// TestProcessesOnKafka runs the three binaries as processes on a real Apache
// Kafka, kills each of them once with kill -9 while events flow, starts it
// again, and holds the outcome against the Check.
func TestProcessesOnKafka(t *testing.T) {
	local.SkipUnlessAvailable(t)
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	cluster, err := local.Start(ctx, local.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Stop)
	conn := cluster.Conn()
	spec, err := kafka.Load(kafka.ProfileLocal, kafka.Options{Feeds: demo.Feeds()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kafka.Apply(ctx, conn, spec); err != nil {
		t.Fatal(err)
	}
	memory := avro.NewMemory()
	registry := httptest.NewServer(avro.Handler(memory))
	t.Cleanup(registry.Close)

	f := newFleet(t, conn, registry.URL)
	for _, name := range []string{"ingest", "attributor", "reporter"} {
		f.start(name)
	}
	codecs, err := avro.OpenCodecs(ctx, memory, avro.Subjects(spec.Prefix()))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	p, err := stream.NewProducer(line.StreamConn(conn), log)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	world := sample.Generate(sample.Config{Seed: 11, Events: processEvents})
	control, err := demo.ControlRecords(codecs, spec.Control(), world)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Send(ctx, control...); err != nil {
		t.Fatal(err)
	}
	kills := map[int]string{processEvents / 4: "ingest", processEvents / 2: "attributor", processEvents * 3 / 4: "reporter"}
	const chunk = 50
	for i := 0; i < len(world.Events); i += chunk {
		for _, e := range world.Events[i:min(i+chunk, len(world.Events))] {
			m := stream.Message{Topic: spec.RawTopic(e.Feed, e.Reporter), Key: e.Key, Value: e.Payload}
			if err := p.Send(ctx, m); err != nil {
				t.Fatal(err)
			}
		}
		for at, name := range kills {
			if i <= at && at < i+chunk {
				f.kill(name)
				f.start(name)
			}
		}
	}
	waitUntilThrough(ctx, t, conn, spec, log)
	report, err := check.Check(ctx, check.Config{
		Read: func(ctx context.Context, topic string, fn func(check.Record) error) error {
			return stream.ReadTopic(ctx, line.StreamConn(conn), log, topic, func(r stream.Record) error {
				return fn(check.Record{
					Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value,
					Header: func(key string) []byte {
						for _, h := range r.Headers {
							if h.Key == key {
								return h.Value
							}
						}
						return nil
					},
				})
			})
		}, Spec: spec, Codecs: codecs, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", report)
	if err := report.Err(); err != nil {
		t.Error(err)
	}
	if report.Raw != processEvents || report.Conversions == 0 || report.Rows == 0 {
		t.Errorf("the Check saw too little: %+v", report)
	}
	f.drain()
}

// waitUntilThrough waits until all groups have consumed everything and nothing
// has been written for a while: a process has work without input that no group
// shows.
func waitUntilThrough(ctx context.Context, t *testing.T, conn kafka.Conn, spec kafka.Spec, log *slog.Logger) {
	t.Helper()
	topics := map[string][]string{
		ingest.ConsumerControl: {spec.Control()}, ingest.ConsumerResolve: {spec.Observations()},
		attributor.Consumer: {spec.Journeys()}, reporter.Consumer: {spec.Credits()},
	}
	for _, fd := range spec.Feeds() {
		topics[fd.Kind] = append(topics[fd.Kind], spec.RawTopic(fd.Kind, fd.Partner))
	}
	last, calm := int64(-1), 0
	for calm < 6 {
		through := true
		for consumer, ts := range topics {
			ok, err := stream.CaughtUp(ctx, line.StreamConn(conn), log, spec.Prefix()+"."+consumer, ts...)
			if err != nil {
				t.Fatal(err)
			}
			through = through && ok
		}
		ends, err := kafka.EndOffsets(ctx, conn, spec.Observations(), spec.Journeys(), spec.Credits(), spec.Contributions(),
			spec.ResolveChangelog(), spec.AttributorChangelog(), spec.ReporterChangelog())
		if err != nil {
			t.Fatal(err)
		}
		if calm++; !through || ends.Total() != last {
			calm = 0
		}
		last = ends.Total()
		time.Sleep(300 * time.Millisecond)
	}
}

// fleet is the three services as processes.
type fleet struct {
	t     *testing.T
	dir   string
	args  map[string][]string
	procs map[string]*process
}

type process struct {
	cmd   *exec.Cmd
	log   *lockedBuffer
	ended chan error
}

func newFleet(t *testing.T, conn kafka.Conn, registry string) *fleet {
	t.Helper()
	f := &fleet{t: t, dir: t.TempDir(), args: map[string][]string{}, procs: map[string]*process{}}
	build := exec.Command("go", "build", "-o", f.dir, "tracksource/cmd/ingest", "tracksource/cmd/attributor", "tracksource/cmd/reporter")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	key := filepath.Join(f.dir, "key")
	if err := os.WriteFile(key, bytes.Repeat([]byte("k"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	var feeds []string
	for _, fd := range demo.Feeds() {
		feeds = append(feeds, fd.String())
	}
	for _, name := range []string{"ingest", "attributor", "reporter"} {
		f.args[name] = []string{
			"--bootstrap-servers", conn.String(), "--registry", registry, "--feeds", strings.Join(feeds, ","),
			"--data-dir", filepath.Join(f.dir, "data-"+name), "--log-level", "info",
		}
	}
	f.args["ingest"] = append(f.args["ingest"], "--pseudonym-key-file", key)
	f.args["reporter"] = append(f.args["reporter"], "--http", "127.0.0.1:0")
	t.Cleanup(func() {
		for name, p := range f.procs {
			_ = p.cmd.Process.Kill()
			err := <-p.ended
			if t.Failed() {
				t.Logf("%s ended with %v:\n%s", name, err, p.log.tail())
			}
		}
	})
	return f
}

// start starts a service and waits until it says that it is ready.
func (f *fleet) start(name string) {
	f.t.Helper()
	p := &process{cmd: exec.Command(filepath.Join(f.dir, name), f.args[name]...), log: &lockedBuffer{}, ended: make(chan error, 1)}
	p.cmd.Stderr = p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	f.procs[name] = p
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if addr := p.log.adminAddr(); addr != "" {
			resp, err := http.Get("http://" + addr + "/readyz")
			if err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					return
				}
			}
		}
		select {
		case err := <-p.ended:
			p.ended <- err
			f.t.Fatalf("%s ended while starting: %v\n%s", name, err, p.log.tail())
		default:
		}
	}
	f.t.Fatalf("%s did not become ready:\n%s", name, p.log.tail())
}

func (f *fleet) kill(name string) {
	f.t.Helper()
	p := f.procs[name]
	if err := p.cmd.Process.Kill(); err != nil {
		f.t.Fatal(err)
	}
	if err := <-p.ended; err == nil {
		f.t.Errorf("%s ended by itself before it was killed", name)
	}
	delete(f.procs, name)
}

// drain stops all services with SIGTERM; each must end with exit code 0.
func (f *fleet) drain() {
	f.t.Helper()
	for name, p := range f.procs {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			f.t.Fatal(err)
		}
		select {
		case err := <-p.ended:
			p.ended <- err
			if err != nil {
				f.t.Errorf("%s after SIGTERM: %v", name, err)
			}
		case <-time.After(60 * time.Second):
			f.t.Errorf("%s did not drain", name)
		}
	}
}

// lockedBuffer keeps a process's log.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.b.Bytes()
	return string(b[max(0, len(b)-6000):])
}

// adminAddr finds the address of the admin endpoints in the log.
func (l *lockedBuffer) adminAddr() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		if _, rest, ok := strings.Cut(line, "admin_addr="); ok {
			addr, _, _ := strings.Cut(rest, " ")
			return strings.TrimSpace(addr)
		}
	}
	return ""
}
