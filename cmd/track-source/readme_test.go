package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestREADME: the first command of the README prints what the README shows, line
// by line, but for addresses, which are new each time.
func TestREADME(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(readme), "```sh\ngo run ./cmd/track-source demo --once\n```\n\n```\n")
	shown, _, ok2 := strings.Cut(rest, "```")
	if !ok || !ok2 {
		t.Fatal("README.md does not show the demo and its output")
	}
	var out, errOut bytes.Buffer
	if code := run(t.Context(), []string{"demo", "--once", "--data-dir", t.TempDir()}, &out, &errOut); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, &errOut)
	}
	printed := strings.Split(out.String(), "\n")
	for line := range strings.Lines(shown) {
		line = strings.TrimRight(line, "\n")
		if line == "..." {
			continue
		}
		label, _, _ := strings.Cut(line, " ")
		if label == "brokers:" || label == "registry:" {
			if !strings.Contains(out.String(), label) {
				t.Errorf("%s is not printed", label)
			}
			continue
		}
		found := false
		for _, p := range printed {
			found = found || p == line
		}
		if !found {
			t.Errorf("README.md shows\n%s\nwhich is not printed", line)
		}
	}
	if t.Failed() {
		t.Logf("printed is\n%s", &out)
	}
}
