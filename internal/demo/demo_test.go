package demo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"tracksource/deploy/kafka"
	"tracksource/internal/demo"
	"tracksource/internal/line"
	"tracksource/internal/sample"
	"tracksource/money"
	"tracksource/stream"
)

const events = 900

// patience bounds each wait for the line, on a machine that has much else to do.
const patience = 5 * time.Minute

func config(dir string, out io.Writer) demo.Config {
	return demo.Config{
		DataDir: dir, HTTP: "127.0.0.1:0", Events: events, Seed: 1, Start: sample.Start(), Once: true, JSON: true, Out: out,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})), Clock: time.Now,
	}
}

func once(t *testing.T, cfg demo.Config) demo.Result {
	t.Helper()
	var out bytes.Buffer
	cfg.Out = &out
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := demo.Run(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	var r demo.Result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v in %s", err, out.Bytes())
	}
	return r
}

// TestOnce: the sample comes through as it was made, every model shares out the
// same total, and a second run on the same directory finds everything done.
func TestOnce(t *testing.T) {
	dir := t.TempDir()
	r := once(t, config(dir, nil))
	truth := sample.Generate(sample.Config{Seed: 1, Events: events}).Truth
	want := demo.Events{
		Raw: int64(truth.Raw), Duplicates: int64(truth.Duplicates), DeadLetters: int64(truth.DeadLetters),
		Accepted: int64(truth.Raw - truth.Duplicates - truth.DeadLetters), Unresolved: r.Events.Unresolved,
	}
	if r.Events != want {
		t.Errorf("events %+v, want %+v", r.Events, want)
	}
	totals := map[string]map[string]int64{}
	for _, c := range r.Contributions {
		if totals[c.Measure] == nil {
			totals[c.Measure] = map[string]int64{}
		}
		currency := c.Currency
		text := c.Value
		if currency == "" { // a count: six decimals, summed as whole millionths
			currency, text = "JPY", strings.Replace(c.Value, ".", "", 1)
		}
		a, err := money.Parse(text, currency)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		totals[c.Measure][c.Model] += a.Minor
	}
	if len(totals["pipeline_created"]) != 3 || len(totals["revenue"]) != 3 {
		t.Fatalf("totals %v", totals)
	}
	for measure, by := range totals {
		for model, v := range by {
			if v != by["linear"] || v <= 0 {
				t.Errorf("%s under %s is %d, under linear %d", measure, model, v, by["linear"])
			}
		}
	}
	if again := once(t, config(dir, nil)); !reflect.DeepEqual(again, r) {
		t.Error("a second run on the same directory printed something else")
	}
}

// TestSendsWhatIsMissing: a run that was killed has sent some of its chunk, and
// not the first part of it. The next one sends the rest, whichever it is.
func TestSendsWhatIsMissing(t *testing.T) {
	want := once(t, config(t.TempDir(), nil))
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	spec, err := kafka.Load(kafka.ProfileLocal, kafka.Options{Feeds: demo.Feeds()})
	if err != nil {
		t.Fatal(err)
	}
	broker, err := kafka.StartEmbedded(ctx, kafka.EmbeddedConfig{Dir: filepath.Join(dir, "broker"), Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	p, err := stream.NewProducer(line.StreamConn(broker.Conn()), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range sample.Generate(sample.Config{Seed: 1, Events: events}).Events {
		if i%3 == 1 {
			if err := p.Send(ctx, stream.Message{Topic: spec.RawTopic(e.Feed, e.Reporter), Key: e.Key, Value: e.Payload}); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.Close()
	if err := broker.Close(); err != nil {
		t.Fatal(err)
	}
	if got := once(t, config(dir, nil)); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v and %d contributions, want %+v and %d", got.Events, len(got.Contributions), want.Events, len(want.Contributions))
	}
}

// TestKilled kills a demo that is at work, twice, and starts it again: it
// reaches what a run that nobody disturbed reaches.
func TestKilled(t *testing.T) {
	if dir := os.Getenv("DEMO_TEST_VICTIM"); dir != "" {
		cfg := config(dir, os.Stdout)
		cfg.JSON = false
		if err := demo.Run(context.Background(), cfg); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := once(t, config(t.TempDir(), nil))
	dir := t.TempDir()
	for _, after := range []time.Duration{500 * time.Millisecond, 900 * time.Millisecond} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), "DEMO_TEST_VICTIM="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAtLeast(out, make([]byte, 16), 16); err != nil { // its broker is up
			t.Fatal(err)
		}
		time.Sleep(after)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	if _, err := os.Stat(filepath.Join(dir, "broker")); err != nil {
		t.Fatal(err)
	}
	got := once(t, config(dir, nil))
	if !reflect.DeepEqual(got.Contributions, want.Contributions) {
		t.Errorf("%d contributions after two kills, want the %d of an undisturbed run", len(got.Contributions), len(want.Contributions))
	}
	if got.Events.Accepted != want.Events.Accepted || got.Events.Unresolved != want.Events.Unresolved {
		t.Errorf("events %+v, want as many accepted and unresolved as %+v", got.Events, want.Events)
	}
	if got.Events.Raw != got.Events.Accepted+got.Events.Duplicates+got.Events.DeadLetters {
		t.Errorf("events do not sum: %+v", got.Events)
	}
}

// TestGoesOn: a live demo that is stopped drains, and goes on where it was.
func TestGoesOn(t *testing.T) {
	want := once(t, config(t.TempDir(), nil))
	dir := t.TempDir()
	var out syncBuffer
	cfg := config(dir, &out)
	cfg.Once, cfg.JSON = false, false
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- demo.Run(ctx, cfg) }()
	for end := time.Now().Add(patience); !strings.Contains(out.String(), "events of two partners"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the demo did not start:\n%s", out.String())
		}
	}
	time.Sleep(time.Second) // somewhere in the middle
	cancel()
	if err := <-ended; err != nil {
		t.Fatalf("drain: %v", err)
	}
	got := once(t, config(dir, nil))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v and %d contributions after going on, want %+v and %d", got.Events, len(got.Contributions), want.Events, len(want.Contributions))
	}
}

// syncBuffer is written by the demo while the test reads it.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
