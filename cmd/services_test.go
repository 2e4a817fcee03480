// Package cmd_test runs the services as a shell does.
package cmd_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestExitCodes: help is 0, what is wrong on the command line 2, a broker that
// is not there 1.
func TestExitCodes(t *testing.T) {
	bin := t.TempDir()
	services := []string{"ingest", "attributor", "reporter"}
	args := []string{"build", "-o", bin}
	for _, name := range services {
		args = append(args, "./"+name)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	type test struct {
		args string
		code int
		says string
	}
	tests := []test{
		{"--help", 0, "--bootstrap-servers"},
		{"--nonsense", 2, "nonsense"},
		{"surplus", 2, "surplus"},
		{"", 2, "--bootstrap-servers is required"},
		{"--bootstrap-servers 127.0.0.1:1", 2, "--registry is required"},
		{"--bootstrap-servers 127.0.0.1:1 --registry http://127.0.0.1:2 --data-dir DIR", 1, "127.0.0.1:1"},
	}
	const line = "--bootstrap-servers 127.0.0.1:1 --registry http://127.0.0.1:2 "
	own := map[string][]test{"reporter": {
		{line + "--http 0.0.0.0:8080", 2, "--access-file"},
		{line + "--http nowhere", 2, "--http must be host:port"},
		{line + "--tls-cert cert.pem", 2, "--tls-cert and --tls-key belong together"},
		{line + "--throttle -1s", 2, "--throttle"},
		{line + "--webhooks nowhere.yaml", 2, "--webhooks: read receivers"},
	}}
	for _, name := range services {
		for _, tt := range append(slices.Clone(tests), own[name]...) {
			t.Run(name+" "+tt.args, func(t *testing.T) {
				args := strings.Fields(strings.ReplaceAll(tt.args, "DIR", t.TempDir()))
				out, err := exec.Command(filepath.Join(bin, name), args...).CombinedOutput()
				code := 0
				if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
					code = exit.ExitCode()
				} else if err != nil {
					t.Fatal(err)
				}
				if code != tt.code || !strings.Contains(string(out), tt.says) {
					t.Errorf("exit code %d, want %d with %q in\n%s", code, tt.code, tt.says, out)
				}
			})
		}
	}
}
