package dashboard_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tracksource/contract/example"
	"tracksource/internal/api"
	"tracksource/internal/foreign"
)

const (
	// browserTimeout bounds the whole suite; it takes about a minute.
	browserTimeout = 8 * time.Minute
	// stopTimeout is what the demo has to drain before it is killed.
	stopTimeout = 2 * time.Minute
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
	access, tokens := accessFile(t, dir)
	d := startDemo(ctx, t, tool, filepath.Join(dir, "data"), access)
	env := []string{
		"DASHBOARD_URL=" + d["page"], "DASHBOARD_TOKENS=" + list(t, tokens),
		"DASHBOARD_SEND=" + lateDeal(ctx, t, tool, dir, d["brokers"]), "DASHBOARD_CONTRACTS=" + revisions(t, tool, dir, d),
	}
	// In this order: what is decided changes what is shown.
	foreign.Browse(ctx, t, "e2e", env, "num.test.mjs", "dashboard.test.mjs", "decisions.test.mjs")
}

// accessFile lets in the operator and a partner, and returns the token of each.
func accessFile(t *testing.T, dir string) (path string, tokens map[string]string) {
	t.Helper()
	tokens = map[string]string{}
	var lines string
	for name, partner := range map[string]string{"operator": "", "globex": "globex"} {
		token, grant, err := api.NewToken(rand.Reader, name, partner)
		if err != nil {
			t.Fatal(err)
		}
		tokens[name] = token
		lines += grant.Line() + "\n"
	}
	path = filepath.Join(dir, "access.yaml")
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, tokens
}

// startDemo starts the demo and returns where its page, its brokers and its registry
// are. It is stopped with the test.
func startDemo(ctx context.Context, t *testing.T, tool, dir, access string) map[string]string {
	t.Helper()
	// A demo with a page lets its sample trickle in; what is there already is at rest.
	if out, err := exec.CommandContext(ctx, tool, "demo", "--once", "--data-dir", dir).CombinedOutput(); err != nil {
		t.Fatalf("feed the sample: %v\n%s", err, out)
	}
	demo := exec.Command(tool, "demo", "--http", "127.0.0.1:0", "--data-dir", dir, "--access-file", access)
	stdout, err := demo.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	demo.Stderr = &stderr
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	found := make(chan map[string]string, 1)
	read := make(chan struct{})
	go func() { // ends with the demo's output
		defer close(read)
		said := regexp.MustCompile(`^(page|brokers|registry): +(\S+)`)
		values := map[string]string{}
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if m := said.FindStringSubmatch(lines.Text()); m != nil {
				values[m[1]] = m[2]
				if m[1] == "page" {
					found <- maps.Clone(values)
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
		return f
	case <-read:
		t.Fatalf("the demo ended before it served a page\n%s", &stderr)
	case <-ctx.Done():
		t.Fatal("the demo served no page in time")
	}
	return nil
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
	return list(t, command("crm.acme", "opps.csv", "Id,AccountId,StageName,Amount,CurrencyIsoCode,CreatedDate,LastModifiedDate\n"+
		"006000000000001AAA,001000000000001AAA,Qualification,4321.00,USD,2026-03-20T00:00:00.000+0000,2026-03-21T00:00:00.000+0000\n"))
}

// revisions returns the commands, as a JSON list, that propose a revision of the sample's
// contract, propose another in its place, and put that in force.
func revisions(t *testing.T, tool, dir string, demo map[string]string) string {
	t.Helper()
	command := func(verb, name, text string) []string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, append(example.AILaunchTour(), text...), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{tool, "contract", verb, path, "--previous", "1", "--by", "Legal", "--why", "Partners approve what changes.", "--bootstrap-servers", demo["brokers"], "--registry", demo["registry"]}
	}
	const approved = "\napprovals: {revision: [globex], reopen: [globex]}\n"
	return list(t, [][]string{
		command("propose", "first.yaml", approved+"# first draft\n"),
		command("propose", "second.yaml", approved),
		command("apply", "second.yaml", approved),
	})
}

// list writes what the browser tests read of their environment.
func list(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
