package daemon_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"tracksource/internal/daemon"
)

// noLeaks fails the test if something it started still runs, once that has had the time
// to end that it may need on a machine that does much else.
func noLeaks(t *testing.T) {
	t.Helper()
	err := goleak.Find()
	for end := time.Now().Add(time.Minute); err != nil && time.Now().Before(end); {
		err = goleak.Find()
	}
	if err != nil {
		t.Error(err)
	}
}

// get asks the admin port of env for path.
func get(t *testing.T, env *daemon.Env, path string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+env.AdminAddr+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// wantGet asks for path and compares the status and a part of the answer.
func wantGet(t *testing.T, env *daemon.Env, path string, status int, part string) {
	t.Helper()
	gotStatus, body := get(t, env, path)
	if gotStatus != status || !strings.Contains(body, part) {
		t.Errorf("GET %s: got %d, want %d with %q in:\n%.2000s", path, gotStatus, status, part, body)
	}
}

func TestEndpoints(t *testing.T) {
	defer noLeaks(t)
	code, log := run(t, t.Context(), func(_ context.Context, env *daemon.Env) error {
		if host, _, err := net.SplitHostPort(env.AdminAddr); err != nil || host != "127.0.0.1" {
			t.Errorf("the admin port is open on %s, want 127.0.0.1 unless told otherwise", env.AdminAddr)
		}
		env.Metrics.MustRegister(prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Name: "own_gauge", Help: "Of the command."}, func() float64 { return 7 }))
		env.Admin.HandleFunc("GET /debug/partitions", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "partition 3 is running")
		})

		wantGet(t, env, "/livez", http.StatusOK, "ok")
		wantGet(t, env, "/metrics", http.StatusOK, "own_gauge 7")
		wantGet(t, env, "/metrics", http.StatusOK, "go_goroutines ")
		wantGet(t, env, "/metrics", http.StatusOK, "process_open_fds ")
		wantGet(t, env, "/metrics", http.StatusOK, "tracksource_ready 0")
		wantGet(t, env, "/debug/partitions", http.StatusOK, "partition 3 is running")
		wantGet(t, env, "/debug/pprof/", http.StatusOK, "goroutine")
		wantGet(t, env, "/debug/pprof/goroutine?debug=1", http.StatusOK, "TestEndpoints")
		wantGet(t, env, "/debug/pprof/trace?seconds=0.01", http.StatusOK, "go 1.")
		wantGet(t, env, "/elsewhere", http.StatusNotFound, "")
		return nil
	})
	if code != 0 || !strings.Contains(log, "admin_addr=127.0.0.1:") {
		t.Errorf("got exit code %d, want 0 and the admin port in the log:\n%s", code, log)
	}
}

func TestOneRegistryPerCommand(t *testing.T) {
	for range 2 { // A global registry would refuse the second.
		code, log := run(t, t.Context(), func(_ context.Context, env *daemon.Env) error {
			env.Metrics.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "own_total", Help: "Of the command."}))
			return nil
		})
		if code != 0 {
			t.Errorf("got exit code %d, want 0:\n%s", code, log)
		}
	}
}

func TestReadiness(t *testing.T) {
	defer noLeaks(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	code, log := run(t, ctx, func(ctx context.Context, env *daemon.Env) error {
		wantGet(t, env, "/readyz", http.StatusServiceUnavailable, "process: starting")

		assigned, restored := env.Condition("partitions assigned"), env.Condition("state restored")
		wantGet(t, env, "/readyz", http.StatusServiceUnavailable, "not ready\npartitions assigned: not yet\nstate restored: not yet\n")

		assigned.Met()
		restored.Missing("3 of 12 partitions are behind")
		wantGet(t, env, "/readyz", http.StatusServiceUnavailable, "not ready\nstate restored: 3 of 12 partitions are behind\n")

		restored.Met()
		wantGet(t, env, "/readyz", http.StatusOK, "ok\n")
		wantGet(t, env, "/metrics", http.StatusOK, "tracksource_ready 1")

		assigned.Missing("")
		wantGet(t, env, "/readyz", http.StatusServiceUnavailable, "not ready\npartitions assigned: no reason given\n")
		assigned.Met()
		wantGet(t, env, "/readyz", http.StatusOK, "ok\n")

		// From the stop on the process is not ready, while its port still
		// answers. Run learns of the stop when the daemon does, so it asks until
		// the daemon has acted on it.
		cancel()
		<-ctx.Done()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); {
			status, body := get(t, env, "/readyz")
			if status == http.StatusServiceUnavailable {
				if body != "not ready\nprocess: stopping\n" {
					t.Errorf("got %q while stopping", body)
				}
				return nil
			}
		}
		t.Error("the process is still ready although it is stopping")
		return nil
	})
	if code != 0 {
		t.Errorf("got exit code %d, want 0:\n%s", code, log)
	}
}
