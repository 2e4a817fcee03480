package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
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
	d := serveDemo(t, "--data-dir", t.TempDir(), "--http", "127.0.0.1:0", "--events", "300")
	crm := filepath.Join(t.TempDir(), "crm.csv")
	// The line is at work: what it has not done yet, or is changing, is asked for again.
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		said, ok := d.explained(t, crm)
		if ok {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no deal is explained and reconciled: %s", said)
		}
	}
}

// explained asks for a deal that there is, what it is made of, and why an export that has
// another amount of it has so. It says what is not so, if anything.
func (d demoing) explained(t *testing.T, crm string) (said string, ok bool) {
	t.Helper()
	ask := func(args ...string) (int, string, string) {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), append(args, "--reporter-url", d.page), &stdout, &stderr)
		return code, stdout.String(), stderr.String()
	}
	_, _, said = ask("explain", "--opportunity", "006A")
	id := regexp.MustCompile(`acme/salesforce/opportunity/\w+`).FindString(said)
	if id == "" {
		return said, false
	}
	var x answer.ExplainAnswer
	code, text, stderr := ask("explain", "--opportunity", id, "--json")
	if code != exitOK || json.Unmarshal([]byte(text), &x) != nil || !x.Agrees || len(x.Entries) == 0 || x.Deal.CreatedAt == nil {
		return fmt.Sprintf("explain --json ends with %d: %s%s", code, text, stderr), false
	}
	local := x.Deal.ID[strings.LastIndex(x.Deal.ID, "/")+1:]
	code, text, stderr = ask("explain", "--opportunity", local)
	if code != exitOK || !strings.HasPrefix(text, x.Deal.ID) || !strings.Contains(text, "the ledger has the same") {
		return fmt.Sprintf("explain ends with %d: %s%s", code, text, stderr), false
	}
	write(t, crm, fmt.Sprintf("Id,StageName,Amount,CurrencyIsoCode,CreatedDate\n%s,%s,1%s,%s,%s\n", local, x.Deal.Stage, x.Deal.Amount, x.Deal.Currency, x.Deal.CreatedAt.Format(time.RFC3339)))
	code, text, stderr = ask("reconcile", "--crm", crm, "--measure", "pipeline_created", "--window", "all", "--json", "--deals", "5000")
	var r answer.ReconcileAnswer
	if code != exitOK || json.Unmarshal([]byte(text), &r) != nil {
		return fmt.Sprintf("reconcile ends with %d: %s%s", code, text, stderr), false
	}
	return fmt.Sprintf("%s has no other amount: %+v", local, r.Deals), slices.ContainsFunc(r.Deals, func(d answer.ReconciledDeal) bool {
		return d.ID == local && d.Reason == "amount"
	})
}
