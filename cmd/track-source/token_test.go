package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"tracksource/internal/api"
)

// TestToken: the line that is printed lets in the token that is printed, and is not
// the token.
func TestToken(t *testing.T) {
	tool := func(code int, args ...string) string {
		t.Helper()
		var out, errOut bytes.Buffer
		if got := run(t.Context(), append([]string{"token"}, args...), &out, &errOut); got != code {
			t.Fatalf("token %v ends with %d, want %d: %s", args, got, code, &errOut)
		}
		return out.String() + errOut.String()
	}
	var file strings.Builder
	for name, args := range map[string][]string{"ann": {"--operator"}, "acme-board": {"--partner", "acme"}} {
		lines := strings.Split(tool(exitOK, append(args, "--name", name)...), "\n")
		if len(lines) != 5 || !strings.HasPrefix(lines[1], "  tsk_") {
			t.Fatalf("printed is %q", lines)
		}
		token := strings.TrimSpace(lines[1])
		grants, err := api.ParseAccess([]byte(lines[3]))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(token))
		if g := grants[0]; g.Name != name || g.TokenSHA256 != hex.EncodeToString(sum[:]) || strings.Contains(lines[3], token) {
			t.Errorf("the line is %s", lines[3])
		}
		file.WriteString(lines[3] + "\n")
	}
	if grants, err := api.ParseAccess([]byte(file.String())); err != nil || len(grants) != 2 {
		t.Errorf("the lines make no file: %v", err)
	}
	for want, args := range map[string][]string{
		"--name says":         {"--operator"},
		"either --partner":    {"--name", "ann"},
		"or --operator":       {"--name", "ann", "--operator", "--partner", "acme"},
		"name must be":        {"--name", "Ann", "--operator"},
		"partner must be":     {"--name", "ann", "--partner", "Acme, Inc."},
		"unexpected argument": {"surplus"},
	} {
		if got := tool(exitUsage, args...); !strings.Contains(got, want) {
			t.Errorf("token %v says %s, want %s", args, got, want)
		}
	}
}
