package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"tracksource/internal/answer"
)

// lockedBuffer is written by a command while the test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (s *lockedBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *lockedBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestAskDemo asks a running demo, as its users do: an unknown deal is answered with
// known ones, one of these is explained, and an export with another amount has that
// as the reason.
func TestAskDemo(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs the whole line")
	}
	ctx, cancel := context.WithCancel(t.Context())
	var out lockedBuffer
	dir := t.TempDir()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"demo", "--data-dir", dir, "--http", "127.0.0.1:0", "--events", "300"}, &out, os.Stderr)
	}()
	defer func() {
		cancel()
		<-ended
	}()
	ask := func(args ...string) (int, string, string) {
		var stdout, stderr bytes.Buffer
		at := regexp.MustCompile(`http://127\.0\.0\.1:\d+\n`).FindAllString(out.String(), -1)
		if len(at) == 0 {
			return exitFail, "", "the demo does not serve yet"
		}
		code := run(t.Context(), append(args, "--reporter-url", strings.TrimSpace(at[len(at)-1])), &stdout, &stderr)
		return code, stdout.String(), stderr.String()
	}
	// The line is at work: what it has not done yet is asked for again.
	var x answer.ExplainAnswer
	known := regexp.MustCompile(`acme/salesforce/opportunity/\w+`)
	var last string
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no deal with revenue or pipeline is explained: %s\n%s", last, out.String())
		}
		_, _, last = ask("explain", "--opportunity", "006A")
		id := known.FindString(last)
		if id == "" {
			continue
		}
		code, text, stderr := ask("explain", "--opportunity", id, "--json")
		if last = stderr; code == exitOK && json.Unmarshal([]byte(text), &x) == nil && x.Agrees && len(x.Entries) > 0 && x.Deal.CreatedAt != nil {
			break
		}
	}
	local := x.Deal.ID[strings.LastIndex(x.Deal.ID, "/")+1:]
	code, text, stderr := ask("explain", "--opportunity", local)
	if code != exitOK || !strings.HasPrefix(text, x.Deal.ID) || !strings.Contains(text, "the ledger has the same") {
		t.Errorf("explain ends with %d: %s%s", code, text, stderr)
	}
	crm := filepath.Join(t.TempDir(), "crm.csv")
	row := fmt.Sprintf("Id,StageName,Amount,CurrencyIsoCode,CreatedDate\n%s,%s,1%s,%s,%s\n", local, x.Deal.Stage, x.Deal.Amount, x.Deal.Currency, x.Deal.CreatedAt.Format(time.RFC3339))
	if err := os.WriteFile(crm, []byte(row), 0o600); err != nil {
		t.Fatal(err)
	}
	code, text, stderr = ask("reconcile", "--crm", crm, "--measure", "pipeline_created", "--window", "all", "--json", "--deals", "5000")
	var r answer.ReconcileAnswer
	if code != exitOK || json.Unmarshal([]byte(text), &r) != nil {
		t.Fatalf("reconcile ends with %d: %s%s", code, text, stderr)
	}
	found := false
	for _, d := range r.Deals {
		found = found || d.ID == local && d.Reason == "amount"
	}
	if !found {
		t.Errorf("%s has no other amount: %+v", local, r.Deals)
	}
}
