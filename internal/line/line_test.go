package line_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"tracksource/deploy/kafka"
	"tracksource/internal/line"
	"tracksource/schemas/avro"
	"tracksource/state"
)

func spec(t *testing.T) kafka.Spec {
	t.Helper()
	s, err := kafka.Load(kafka.ProfileLocal, kafka.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func memory(t *testing.T, opts ...kfake.Opt) kafka.Conn {
	t.Helper()
	m, err := kafka.StartMemory(kafka.MemoryConfig{Options: opts})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m.Conn()
}

// patiently does something with brokers that are there, and again while they do not
// answer in time: services wait for them no longer than people do, and a busy machine
// may take longer.
func patiently(do func() error) error {
	const most = 100
	for n := 1; ; n++ {
		err := do()
		var late interface{ Timeout() bool }
		if n == most || !errors.As(err, &late) || !late.Timeout() {
			return err
		}
	}
}

// open is line.Open, patiently.
func open(cfg line.Config, need ...string) (l *line.Line, err error) {
	err = patiently(func() (err error) {
		l, err = line.Open(context.Background(), cfg, need...)
		return err
	})
	return l, err
}

func apply(t *testing.T, conn kafka.Conn, s kafka.Spec) {
	t.Helper()
	if err := patiently(func() error {
		_, err := kafka.Apply(context.Background(), conn, s)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestOpenErrors: what is wrong around a service is said within seconds, with
// what to do.
func TestOpenErrors(t *testing.T) {
	good := memory(t)
	apply(t, good, spec(t))
	away, err := avro.NewHTTP(avro.HTTPConfig{URL: "http://127.0.0.1:1", Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	newer := t.TempDir()
	if err := os.WriteFile(filepath.Join(newer, "VERSION"), []byte(`{"program":"track-source","layout":99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	locked := memory(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "admin", "right"))
	locked.SASL = &kafka.SASL{Mechanism: kafka.Plain, User: "admin", Password: "wr0ng-secret"}
	tests := []struct {
		name string
		cfg  line.Config
		says []string
	}{
		{"unreachable broker", line.Config{Kafka: kafka.Conn{Brokers: []string{"127.0.0.1:1"}}}, []string{"127.0.0.1:1"}},
		{"wrong password", line.Config{Kafka: locked}, []string{"check user, password"}},
		{"missing topics", line.Config{Kafka: memory(t)}, []string{"tracksource.credits", "track-source topics apply"}},
		{"unreachable registry", line.Config{Kafka: good, Registry: away}, []string{"registry", "127.0.0.1:1"}},
		{"newer data directory", line.Config{Kafka: good, DataDir: newer}, []string{"newer", "--data-dir"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Spec, tt.cfg.Log, tt.cfg.Clock = spec(t), slog.New(slog.NewTextHandler(io.Discard, nil)), time.Now
			if tt.cfg.Registry == nil {
				tt.cfg.Registry = avro.NewMemory()
			}
			if tt.cfg.DataDir == "" {
				tt.cfg.DataDir = t.TempDir()
			}
			var took time.Duration
			err := patiently(func() error {
				began := time.Now()
				_, err := line.Open(context.Background(), tt.cfg, tt.cfg.Spec.Credits())
				took = time.Since(began)
				return err
			})
			if err == nil {
				t.Fatal("Open succeeded")
			}
			for _, want := range tt.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Open() = %v\nwant it to say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "wr0ng-secret") {
				t.Errorf("the password is in %v", err)
			}
			if took > time.Minute { // four times what Open gives it
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestOpenWithout: a cluster whose topics are of an older version is gone on with, and
// what to do is said.
func TestOpenWithout(t *testing.T) {
	conn, s := memory(t), spec(t)
	apply(t, conn, s)
	cl, err := kgo.NewClient(kgo.SeedBrokers(conn.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).DeleteTopic(context.Background(), s.FeedCounts()); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	begin := func(need ...string) (*line.Line, error) {
		return open(line.Config{
			Kafka: conn, Spec: s, Registry: avro.NewMemory(), DataDir: t.TempDir(), Log: slog.New(slog.NewTextHandler(&log, nil)), Clock: time.Now,
		}, need...)
	}
	l, err := begin(s.Journeys(), s.FeedCounts())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Dir.Close()
	if l.Has(s.FeedCounts()) || !l.Has(s.Journeys()) || !strings.Contains(log.String(), "track-source topics apply") {
		t.Errorf("it has the topic: %v, log %s", l.Has(s.FeedCounts()), log.String())
	}
	apply(t, conn, s)
	again, err := begin(s.Journeys(), s.FeedCounts())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Dir.Close()
	if !again.Has(s.FeedCounts()) {
		t.Error("it has not the topic that was made")
	}
}

// TestInstance: an instance keeps its identity, and nobody else gets its
// directory while it runs.
func TestInstance(t *testing.T) {
	conn := memory(t)
	apply(t, conn, spec(t))
	cfg := line.Config{
		Kafka: conn, Spec: spec(t), Registry: avro.NewMemory(), DataDir: t.TempDir(),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Clock: time.Now,
	}
	a, err := open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(cfg); !errors.Is(err, state.ErrInUse) {
		t.Errorf("a second instance on the same directory: %v, want ErrInUse", err)
	}
	if err := a.Dir.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Dir.Close()
	if a.Instance != b.Instance || a.Instance == "" {
		t.Errorf("instance %q became %q", a.Instance, b.Instance)
	}
}
