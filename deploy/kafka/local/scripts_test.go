package local_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tracksource/deploy/kafka"
	"tracksource/deploy/kafka/local"
)

// TestScripts holds that up.sh prints an address that works, continues a
// directory on it, and that down.sh leaves no process.
func TestScripts(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("four JVMs are not short")
	}
	local.SkipUnlessAvailable(t)
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel) // behind down.sh, which is registered later
	run := func(script string, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, script, args...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err
	}
	t.Cleanup(func() { _, _ = run("./down.sh", dir) })
	var first string
	for round := range 2 {
		addr, err := run("./up.sh", dir, "29092")
		if err != nil {
			t.Fatalf("up.sh: %v", err)
		}
		if round == 0 {
			first = addr
		} else if addr != first {
			t.Errorf("restarted at %s, was at %s", addr, first)
		}
		conn := kafka.Conn{Brokers: []string{addr}}
		for errors.Is(kafka.Ping(ctx, conn), context.DeadlineExceeded) && ctx.Err() == nil { // its first answers are slow
			continue
		}
		if err := kafka.CheckBroker(ctx, conn); err != nil {
			t.Fatal(err)
		}
		steps, err := kafka.Apply(ctx, conn, spec(t, kafka.ProfileLocal))
		if err != nil || (round == 1) != (len(steps) == 0) {
			t.Errorf("round %d: Apply took %d steps: %v", round, len(steps), err)
		}
		if _, err := run("./down.sh", dir); err != nil {
			t.Fatalf("down.sh: %v", err)
		}
		if _, err := os.Stat(filepath.Join(dir, "pid")); err == nil {
			t.Error("down.sh left the pid file")
		}
		if err := kafka.Ping(ctx, conn); err == nil {
			t.Error("the broker still answers after down.sh")
		}
	}
}
