package line_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

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

// TestOpenErrors: what is wrong around a service is said within seconds, with
// what to do.
func TestOpenErrors(t *testing.T) {
	good := memory(t)
	if _, err := kafka.Apply(context.Background(), good, spec(t)); err != nil {
		t.Fatal(err)
	}
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
			began := time.Now()
			_, err := line.Open(context.Background(), tt.cfg, tt.cfg.Spec.Credits())
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
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestInstance: an instance keeps its identity, and nobody else gets its
// directory while it runs.
func TestInstance(t *testing.T) {
	conn := memory(t)
	if _, err := kafka.Apply(context.Background(), conn, spec(t)); err != nil {
		t.Fatal(err)
	}
	cfg := line.Config{
		Kafka: conn, Spec: spec(t), Registry: avro.NewMemory(), DataDir: t.TempDir(),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Clock: time.Now,
	}
	a, err := line.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := line.Open(context.Background(), cfg); !errors.Is(err, state.ErrInUse) {
		t.Errorf("a second instance on the same directory: %v, want ErrInUse", err)
	}
	if err := a.Dir.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := line.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Dir.Close()
	if a.Instance != b.Instance || a.Instance == "" {
		t.Errorf("instance %q became %q", a.Instance, b.Instance)
	}
}
