package dashboard_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tracksource/internal/foreign"
)

const (
	// browserTimeout bounds the whole suite; it takes about a minute.
	browserTimeout = 8 * time.Minute
	// stopTimeout is what the demo has to drain before it is killed.
	stopTimeout = 20 * time.Second
)

// TestBrowser runs e2e/dashboard.test.mjs in a headless Chromium against a demo
// of its own. Pictures of every view go to DASHBOARD_SHOTS, if that is set.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser and a whole line take a minute")
	}
	foreign.NeedBrowser(t, "e2e")
	ctx, cancel := context.WithTimeout(t.Context(), browserTimeout)
	defer cancel()
	dir := t.TempDir()
	tool := filepath.Join(dir, "track-source")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", tool, "tracksource/cmd/track-source").CombinedOutput(); err != nil {
		t.Fatalf("build track-source: %v\n%s", err, out)
	}
	page, brokers := startDemo(ctx, t, tool, filepath.Join(dir, "data"))
	env := []string{"DASHBOARD_URL=" + page, "DASHBOARD_SEND=" + lateDeal(ctx, t, tool, dir, brokers)}
	foreign.Browse(ctx, t, "e2e", env, "num.test.mjs", "dashboard.test.mjs")
}

// startDemo starts the demo and returns the URL of its page and its brokers. It
// is stopped with the test.
func startDemo(ctx context.Context, t *testing.T, tool, dir string) (page, brokers string) {
	t.Helper()
	// A demo with a page lets its sample trickle in; what is there already is at rest.
	if out, err := exec.CommandContext(ctx, tool, "demo", "--once", "--data-dir", dir).CombinedOutput(); err != nil {
		t.Fatalf("feed the sample: %v\n%s", err, out)
	}
	demo := exec.Command(tool, "demo", "--http", "127.0.0.1:0", "--data-dir", dir)
	stdout, err := demo.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	demo.Stderr = &stderr
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	found := make(chan [2]string, 1)
	read := make(chan struct{})
	go func() { // ends with the demo's output
		defer close(read)
		said := regexp.MustCompile(`^(page|brokers): +(\S+)`)
		values := map[string]string{}
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if m := said.FindStringSubmatch(lines.Text()); m != nil {
				values[m[1]] = m[2]
				if m[1] == "page" {
					found <- [2]string{m[2], values["brokers"]}
				}
			}
		}
	}()
	t.Cleanup(func() {
		_ = demo.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(stopTimeout, func() { _ = demo.Process.Kill() })
		defer kill.Stop()
		<-read
		if err := demo.Wait(); err != nil {
			t.Errorf("the demo ended with %v\n%s", err, &stderr)
		}
	})
	select {
	case f := <-found:
		return f[0], f[1]
	case <-read:
		t.Fatalf("the demo ended before it served a page\n%s", &stderr)
	case <-ctx.Done():
		t.Fatal("the demo served no page in time")
	}
	return "", ""
}

// lateDeal sends an account and its touch, and returns the command that sends
// their deal, as a JSON list.
func lateDeal(ctx context.Context, t *testing.T, tool, dir, brokers string) string {
	t.Helper()
	command := func(feed, name, text string) []string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{tool, "send", path, "--feed", feed, "--bootstrap-servers", brokers}
	}
	for _, c := range [][]string{
		command("crm.acme", "accounts.csv", "Id,Name,Website,BillingCountry,LastModifiedDate\n001000000000001AAA,Late Prospect,late-prospect.com,DE,2026-03-01T00:00:00.000+0000\n"),
		command("map.globex", "touches.ndjson", `{"type":"page","messageId":"late-1","userId":"late","timestamp":"2026-03-02T12:00:00Z","context":{"traits":{"email":"buyer@late-prospect.com"},"campaign":{"source":"globex","medium":"email","name":"ai-launch-tour"}}}`+"\n"),
	} {
		if out, err := exec.CommandContext(ctx, c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(c[1:], " "), err, out)
		}
	}
	b, err := json.Marshal(command("crm.acme", "opps.csv", "Id,AccountId,StageName,Amount,CurrencyIsoCode,CreatedDate,LastModifiedDate\n"+
		"006000000000001AAA,001000000000001AAA,Qualification,4321.00,USD,2026-03-20T00:00:00.000+0000,2026-03-21T00:00:00.000+0000\n"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
