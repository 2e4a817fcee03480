package webhook_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tracksource/deploy/kafka"
	"tracksource/internal/line"
	"tracksource/internal/webhook"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// soon is how long something that ends at once may take on a machine that does much else.
const soon = 3 * time.Minute

const secretText = "0123456789abcdef0123456789abcdef"

// got is what a receiver was sent.
type got struct {
	delivery, timestamp, signature string
	body                           []byte
}

func (g got) id() string {
	var a struct{ ID string }
	if err := json.Unmarshal(g.body, &a); err != nil {
		return err.Error()
	}
	return a.ID
}

// receiver is a server on this machine that notes what it gets and then does what
// answer says.
type receiver struct {
	server *httptest.Server
	mu     sync.Mutex
	all    []got // guarded by mu
	news   chan got
}

func newReceiver(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	x := &receiver{news: make(chan got, 1000)}
	x.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read body: %v", err)
		}
		g := got{r.Header.Get("Tracksource-Delivery"), r.Header.Get("Tracksource-Timestamp"), r.Header.Get("Tracksource-Signature"), body}
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("User-Agent") != "track-source" {
			t.Errorf("%s with %v", r.Method, r.Header)
		}
		mac := hmac.New(sha256.New, []byte(secretText))
		fmt.Fprintf(mac, "%s.%s", g.timestamp, body)
		if want := "v1=" + hex.EncodeToString(mac.Sum(nil)); g.signature != want {
			t.Errorf("signature %s, want %s", g.signature, want)
		}
		x.mu.Lock()
		x.all = append(x.all, g)
		n := len(x.all)
		x.mu.Unlock()
		x.news <- g
		answer(n, w, r)
	}))
	t.Cleanup(x.server.Close)
	return x
}

func (x *receiver) list() []got {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.all)
}

// next returns the next delivery that is of an alert.
func (x *receiver) next(t *testing.T, id string) got {
	t.Helper()
	late := time.NewTimer(soon)
	defer late.Stop()
	select {
	case g := <-x.news:
		if g.id() != id {
			t.Errorf("got %s, want %s", g.id(), id)
		}
		return g
	case <-late.C:
		t.Fatalf("%s has not come", id)
		return got{}
	}
}

// receiverOf is a receiver as its file has it, with more lines of it.
func receiverOf(t *testing.T, name, url, more string) webhook.Receiver {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf("receivers:\n  - name: %s\n    url: %s\n    secret_file: secret\n", name, url)
	for line := range strings.Lines(more) {
		text += "    " + line
	}
	for file, content := range map[string]string{"hooks.yaml": text, "secret": secretText + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := webhook.Load(filepath.Join(dir, "hooks.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

// world is a clock that only pauses move, and a log.
type world struct {
	mu     sync.Mutex
	now    time.Time       // guarded by mu
	pauses []time.Duration // guarded by mu
	log    bytes.Buffer    // guarded by mu
}

func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func (w *world) config(t *testing.T) webhook.Config {
	t.Helper()
	codecs, err := avro.OpenCodecs(t.Context(), avro.NewMemory(), avro.Subjects("tracksource"))
	if err != nil {
		t.Fatal(err)
	}
	w.now = time.Date(2026, 3, 3, 6, 0, 1, 0, time.UTC)
	return webhook.Config{
		Codecs: codecs, Log: slog.New(slog.NewTextHandler(w, nil)), Metrics: webhook.NewMetrics(nil), Attempt: soon,
		Clock: func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now },
		Draw:  func() float64 { return 0.5 },
		Pause: func(_ context.Context, d time.Duration) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.pauses, w.now = append(w.pauses, d), w.now.Add(d)
		},
	}
}

func sample() avro.Alert {
	return avro.Alert{
		ID: "guardrail/ai-launch-tour/freshness/crm.acme", Kind: "guardrail", Severity: "error", State: "open", Rung: "Co-marketing Analytics Lead",
		Fallback: "Partner Marketer", Campaign: "ai-launch-tour", Partner: "acme", Subject: "crm.acme", Message: "freshness of crm.acme is 31 h, more than 24 h",
		Evidence: []string{"day=2026-03-02"}, RaisedAt: time.Date(2026, 3, 3, 6, 0, 0, 250_000_000, time.UTC), Since: "2026-03-02", Deadline: "2026-03-16",
	}
}

func record(t *testing.T, cfg webhook.Config, a avro.Alert, at time.Time) stream.Record {
	t.Helper()
	value, err := cfg.Codecs.Alert.Append(nil, &a)
	if err != nil {
		t.Fatal(err)
	}
	return stream.Record{Topic: "tracksource.alerts", Partition: 2, Offset: 7, Key: []byte(a.ID), Value: value, Timestamp: at}
}

func status(codes ...int) func(int, http.ResponseWriter, *http.Request) {
	return func(n int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(codes[min(n, len(codes))-1]) }
}

// TestDeliver: what each answer leads to, how often it is tried and what is said.
func TestDeliver(t *testing.T) {
	elsewhere := newReceiver(t, func(int, http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") })
	seconds := func(s ...float64) (out []time.Duration) {
		for _, x := range s {
			out = append(out, time.Duration(x*float64(time.Second)))
		}
		return out
	}
	tests := []struct {
		name   string
		more   string // of the receiver
		answer func(n int, w http.ResponseWriter, r *http.Request)
		tries  int
		stalls bool            // an attempt is short, so that a slow machine may need more of them
		pauses []time.Duration // nil: not looked at
		err    error
		acted  bool
		says   string // in the log
	}{
		{name: "taken", answer: status(200), tries: 1, acted: true},
		{name: "taken without an answer's body", answer: status(204), tries: 1, acted: true},
		{name: "fails, then takes it", answer: status(500, 503, 502, 200), tries: 4, pauses: seconds(0.75, 1.5, 3), acted: true, says: "not delivered yet"},
		{name: "stalls", answer: func(n int, _ http.ResponseWriter, r *http.Request) {
			if n == 1 {
				<-r.Context().Done()
			}
		}, tries: 2, stalls: true, acted: true, says: "no answer in time"},
		{name: "dies in the middle of its answer", answer: func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				w.Header().Set("Content-Length", "100")
				_, _ = w.Write([]byte("half"))
			}
		}, tries: 2, acted: true, says: "breaks off"},
		{name: "dies without an answer", answer: func(n int, _ http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				panic(http.ErrAbortHandler)
			}
		}, tries: 2, acted: true},
		{name: "asks to be left alone", answer: func(n int, w http.ResponseWriter, _ *http.Request) {
			if n < 3 {
				w.Header().Set("Retry-After", []string{"20", "86400"}[n-1])
				w.WriteHeader(http.StatusTooManyRequests)
			}
		}, tries: 3, pauses: seconds(20, 60), acted: true},
		{name: "redirects", answer: func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.server.URL, http.StatusTemporaryRedirect)
		}, tries: 3, acted: true, says: "refuses an alert"},
		{name: "does not want it", answer: status(401), tries: 3, pauses: seconds(0.75, 1.5), acted: true, says: "status 401"},
		{name: "refuses and then takes it", answer: status(404, 404, 200), tries: 3, acted: true},
		{name: "is gone", answer: status(410), tries: 1, err: stream.ErrUnsubscribe, says: "answers 410"},
		{name: "never recovers", more: "patience: 2m\n", answer: status(500), tries: 9, pauses: seconds(0.75, 1.5, 3, 6, 12, 24, 45, 45), acted: true, says: "was not delivered and is passed over"},
		{name: "another campaign", more: "campaigns: [another]\n", answer: status(200)},
		{name: "another severity", more: "severities: [critical]\n", answer: status(200)},
		{name: "another kind", more: "kinds: [dispute]\n", answer: status(200)},
		{name: "what it wants", more: "kinds: [dispute, guardrail]\nseverities: [error]\ncampaigns: [ai-launch-tour]\n", answer: status(200), tries: 1, acted: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := newReceiver(t, tt.answer)
			w := &world{}
			cfg := w.config(t)
			if tt.stalls {
				cfg.Attempt = 200 * time.Millisecond
			}
			s := webhook.NewSender(cfg, receiverOf(t, "board", x.server.URL+"/hook-token-zq4711", tt.more))
			acted, err := s.Handle(t.Context(), record(t, cfg, sample(), w.now))
			if acted != tt.acted || !errors.Is(err, tt.err) || (err != nil) != (tt.err != nil) {
				t.Errorf("Handle() = %v, %v, want %v, %v", acted, err, tt.acted, tt.err)
			}
			all := x.list()
			if len(all) != tt.tries && (!tt.stalls || len(all) < tt.tries) {
				t.Fatalf("sent %d times, want %d", len(all), tt.tries)
			}
			for _, g := range all {
				if g.delivery != "tracksource.alerts/2@7" || !bytes.Equal(g.body, all[0].body) {
					t.Errorf("sent %s, %s", g.delivery, g.body)
				}
			}
			if tt.pauses != nil && !slices.Equal(w.pauses, tt.pauses) {
				t.Errorf("pauses %v, want %v", w.pauses, tt.pauses)
			}
			log := w.log.String()
			if !strings.Contains(log, tt.says) || (tt.says == "" && tt.tries < 2 && log != "") {
				t.Errorf("log says\n%s\nwant %q", log, tt.says)
			}
			if strings.Contains(log, "zq4711") || strings.Contains(log, secretText) {
				t.Errorf("a secret is in the log:\n%s", log)
			}
		})
	}
}

// TestOldAlert: what is too old already is sent once, so that what came while a
// receiver was away does not hold up what comes.
func TestOldAlert(t *testing.T) {
	x := newReceiver(t, status(500))
	w := &world{}
	cfg := w.config(t)
	s := webhook.NewSender(cfg, receiverOf(t, "board", x.server.URL, "patience: 1h\n"))
	acted, err := s.Handle(t.Context(), record(t, cfg, sample(), w.now.Add(-time.Hour)))
	if !acted || err != nil || len(x.list()) != 1 {
		t.Errorf("Handle() = %v, %v after %d attempts, want one", acted, err, len(x.list()))
	}
	if got, want := s.Since(), w.now.Add(-time.Hour); !got.Equal(want) {
		t.Errorf("Since() = %v, want %v", got, want)
	}
	// What is no alert stops nobody, and a tombstone is nothing to send.
	for _, value := range [][]byte{nil, []byte("no alert")} {
		if acted, err := s.Handle(t.Context(), stream.Record{Value: value}); acted || err != nil {
			t.Errorf("Handle(%q) = %v, %v", value, acted, err)
		}
	}
}

// TestDocumentedBody: docs/webhooks.md shows the body as it is sent, and what it
// shows of Python verifies it and nothing else.
func TestDocumentedBody(t *testing.T) {
	doc, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(language string) string {
		m := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(doc)
		if m == nil {
			t.Fatalf("docs/webhooks.md shows no %s", language)
		}
		return string(m[1])
	}
	x := newReceiver(t, status(200))
	w := &world{}
	cfg := w.config(t)
	if _, err := webhook.NewSender(cfg, receiverOf(t, "board", x.server.URL, "")).Handle(t.Context(), record(t, cfg, sample(), w.now)); err != nil {
		t.Fatal(err)
	}
	g := x.list()[0]
	var indented bytes.Buffer
	if err := json.Indent(&indented, g.body, "", "  "); err != nil {
		t.Fatal(err)
	}
	if shown := block("json"); indented.String()+"\n" != shown {
		t.Errorf("docs/webhooks.md shows\n%s\nsent is\n%s", shown, &indented)
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine")
	}
	script := block("python") + `
import json, sys
given = json.load(sys.stdin)
headers = {"Tracksource-Timestamp": given["timestamp"], "Tracksource-Signature": given["signature"]}
secret, body, now = given["secret"].encode(), given["body"].encode(), int(given["timestamp"])
print(verify(secret, headers, body, now), verify(secret, headers, body + b" ", now), verify(secret, headers, body, now + 301), verify(secret[1:], headers, body, now))
`
	in, err := json.Marshal(map[string]string{"timestamp": g.timestamp, "signature": g.signature, "secret": secretText, "body": string(g.body)})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", script)
	cmd.Stdin = bytes.NewReader(in)
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "True False False False\n" {
		t.Errorf("python says %s, %v", out, err)
	}
}

// cluster has an alerts topic.
type cluster struct {
	line *line.Line
	t    *testing.T
}

func newCluster(t *testing.T, w *world) (*cluster, webhook.Config) {
	t.Helper()
	broker, err := kafka.StartMemory(kafka.MemoryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	spec, err := kafka.Load(kafka.ProfileLocal, kafka.Options{Partitions: map[string]int32{"alerts": 2}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kafka.Apply(t.Context(), broker.Conn(), spec); err != nil {
		t.Fatal(err)
	}
	cfg := w.config(t)
	w.now = time.Now()
	return &cluster{t: t, line: &line.Line{Config: line.Config{Kafka: broker.Conn(), Spec: spec, Log: slog.New(slog.DiscardHandler)}, Codecs: cfg.Codecs}}, cfg
}

func (c *cluster) raise(alerts ...avro.Alert) {
	c.t.Helper()
	p, err := stream.NewProducer(c.line.Stream(), c.line.Log)
	if err != nil {
		c.t.Fatal(err)
	}
	defer p.Close()
	for i := range alerts {
		value, err := c.line.Codecs.Alert.Append(nil, &alerts[i])
		if err != nil {
			c.t.Fatal(err)
		}
		if err := p.Send(c.t.Context(), stream.Message{Topic: c.line.Spec.Alerts(), Key: []byte(alerts[i].ID), Value: value}); err != nil {
			c.t.Fatal(err)
		}
	}
}

// run delivers until the function that it returns is called.
func (c *cluster) run(cfg webhook.Config, rs ...webhook.Receiver) (end func()) {
	ctx, cancel := context.WithCancel(c.t.Context())
	var wg sync.WaitGroup
	for _, part := range webhook.Parts(cfg, c.line, rs) {
		wg.Go(func() {
			if err := part(ctx); err != nil {
				c.t.Errorf("a part ends with %v", err)
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

func alert(id, message string) avro.Alert {
	a := sample()
	a.ID, a.Message = id, message
	return a
}

// TestRestart: an alert that the receiver took without saying so, and that the
// instance was stopped over, comes again under the same name, and what is behind it in
// its order; what was taken does not come again, and a receiver that never answers
// holds up nobody else.
func TestRestart(t *testing.T) {
	w := &world{}
	c, cfg := newCluster(t, w)
	// "b" is taken, and the answer never comes: the process ends over it.
	x := newReceiver(t, func(n int, _ http.ResponseWriter, r *http.Request) {
		if n == 2 {
			<-r.Context().Done()
		}
	})
	dead := newReceiver(t, func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	board, other := receiverOf(t, "board", x.server.URL, ""), receiverOf(t, "dead", dead.server.URL, "")
	end := c.run(cfg, board, other)
	c.raise(alert("a", "1"))
	x.next(t, "a")
	dead.next(t, "a")
	c.raise(alert("b", "1"))
	first := x.next(t, "b")
	end()
	c.raise(alert("b", "2"), alert("b", "3"))

	end = c.run(cfg, board, other)
	again := x.next(t, "b")
	if again.delivery != first.delivery || !bytes.Equal(again.body, first.body) {
		t.Errorf("after a restart comes %s, want %s again", again.delivery, first.delivery)
	}
	for _, message := range []string{"2", "3"} {
		if g := x.next(t, "b"); !strings.Contains(string(g.body), `"message":"`+message+`"`) || g.delivery == first.delivery {
			t.Errorf("got %s, %s, want message %s", g.delivery, g.body, message)
		}
	}
	dead.next(t, "a") // which is still the first
	end()
	for _, g := range dead.list() {
		if g.id() != "a" {
			t.Errorf("%s has overtaken a", g.id())
		}
	}
}

// TestFlags: a service that is started with --webhooks delivers, and counts what it
// does.
func TestFlags(t *testing.T) {
	c, _ := newCluster(t, &world{})
	registry := prometheus.NewPedanticRegistry()
	c.line.Metrics, c.line.Clock = registry, time.Now
	x := newReceiver(t, status(500, 200))
	dir := t.TempDir()
	for file, content := range map[string]string{
		"hooks.yaml": "receivers: [{name: board, url: '" + x.server.URL + "', secret_file: secret}]\n", "secret": secretText,
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var f webhook.Flags
	fs := flag.NewFlagSet("reporter", flag.ContinueOnError)
	f.Bind(fs)
	if err := errors.Join(f.Check(), fs.Parse(nil), f.Check()); err != nil || f.Parts(c.line) != nil {
		t.Fatalf("without the flag: %v", err)
	}
	if err := errors.Join(fs.Parse([]string{"--webhooks", filepath.Join(dir, "hooks.yaml")}), f.Check()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Parts(c.line)[0](ctx) }()
	c.raise(alert("a", "1"), alert("a", "2"))
	for range 2 { // the first one is sent twice
		x.next(t, "a")
	}
	x.next(t, "a")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			counts[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	if counts["tracksource_webhook_attempts_total failed board"] != 1 || counts["tracksource_webhook_alerts_total delivered board"] < 1 {
		t.Errorf("metrics say %v", counts)
	}
}

// TestGone: a receiver that is gone is left alone, and gets what it has not taken
// after the next start.
func TestGone(t *testing.T) {
	w := &world{}
	c, cfg := newCluster(t, w)
	x := newReceiver(t, status(410, 200))
	board := receiverOf(t, "board", x.server.URL, "")
	end := c.run(cfg, board)
	c.raise(alert("a", "1"), alert("a", "2"))
	x.next(t, "a")
	end()
	if n := len(x.list()); n != 1 {
		t.Errorf("%d attempts at a receiver that is gone", n)
	}
	end = c.run(cfg, board)
	defer end()
	for _, message := range []string{"1", "2"} {
		if g := x.next(t, "a"); !strings.Contains(string(g.body), `"message":"`+message+`"`) {
			t.Errorf("got %s, want message %s", g.body, message)
		}
	}
}

// TestLoadErrors: what is wrong with a file is said, without what is secret of it.
func TestLoadErrors(t *testing.T) {
	const good = "receivers:\n  - name: board\n    url: https://hooks.example.com/token-zq4711\n    secret_file: secret\n"
	tests := []struct{ name, text, says string }{
		{"good", good + "    severities: [error, critical]\n    patience: 1h\n", ""},
		{"on this machine", strings.Replace(good, "https://hooks.example.com", "http://127.0.0.1:9000", 1), ""},
		{"plain", strings.Replace(good, "https", "http", 1), "must begin with https://"},
		{"no machine", strings.Replace(good, "https://hooks.example.com", "https://", 1), "url must be such as"},
		{"user", strings.Replace(good, "https://", "https://me:pass-zq4711@", 1), "has a user"},
		{"fragment", strings.Replace(good, "token-zq4711", "x#token-zq4711", 1), "fragment"},
		{"empty", "", "is not receivers"},
		{"nobody", "receivers: []\n", "name 1 to 50 receivers"},
		{"no yaml", "receivers: {", "is not receivers"},
		{"unknown member", good + "    partner: acme\n", "is not receivers"},
		{"name", strings.Replace(good, "board", "the.board", 1), "a-z, 0-9 and dash"},
		{"twice", good + strings.TrimPrefix(good, "receivers:\n"), `receiver 2, "board": another one has that name`},
		{"severity", good + "    severities: [loud]\n", `severity "loud"`},
		{"kind", good + "    kinds: ['Kind of']\n", "no kind of alert"},
		{"patience", good + "    patience: tomorrow\n", "such as 12h"},
		{"no patience", good + "    patience: 1s\n", "want 1m <="},
		{"no secret", strings.Replace(good, "    secret_file: secret\n", "", 1), "secret_file is missing"},
		{"secret away", strings.Replace(good, ": secret", ": elsewhere", 1), "elsewhere"},
		{"short secret", strings.Replace(good, ": secret", ": short", 1), "less than 16 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range map[string]string{"hooks.yaml": tt.text, "secret": secretText, "short": "zq4711"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			all, err := webhook.Load(filepath.Join(dir, "hooks.yaml"))
			if tt.says == "" {
				if err != nil || len(all) != 1 || strings.Contains(fmt.Sprintf("%+v", all[0].Secret), secretText) {
					t.Errorf("Load() = %+v, %v", all, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Load() = %v, want %q", err, tt.says)
			} else if strings.Contains(err.Error(), "zq4711") {
				t.Errorf("a secret is in %v", err)
			}
		})
	}
}
