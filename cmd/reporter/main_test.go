package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"tracksource/internal/daemon"
)

// TestExitCodes: help is 0, what is wrong on the command line 2, a broker that
// is not there 1.
func TestExitCodes(t *testing.T) {
	tests := []struct {
		args string
		code int
		says string
	}{
		{"--help", 0, "--bootstrap-servers"},
		{"--nonsense", 2, "nonsense"},
		{"surplus", 2, "surplus"},
		{"", 2, "--bootstrap-servers is required"},
		{"--bootstrap-servers 127.0.0.1:1", 2, "--registry is required"},
		{"--bootstrap-servers 127.0.0.1:1 --registry http://127.0.0.1:2 --data-dir DIR", 1, "127.0.0.1:1"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			var out bytes.Buffer
			args := strings.Fields(strings.ReplaceAll(tt.args, "DIR", t.TempDir()))
			if code := daemon.Exec(context.Background(), command(), args, nil, &out, &out); code != tt.code || !strings.Contains(out.String(), tt.says) {
				t.Errorf("exit code %d, want %d with %q in\n%s", code, tt.code, tt.says, &out)
			}
		})
	}
}
