package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentedCommands: each command of the tool that a document shows exists
// and takes the flags that are shown. What commands do is the matter of their
// own tests.
func TestDocumentedCommands(t *testing.T) {
	documents, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	documents = append(documents, "../../README.md", "../../deploy/kafka/README.md")
	shown := 0
	for _, path := range documents {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range regexp.MustCompile(`(?m)^ {0,4}(go run \./cmd/)?track-source .*$`).FindAllString(string(text), -1) {
			shown++
			_, line, _ = strings.Cut(line, "track-source ")
			args := words(line)
			var out, errOut bytes.Buffer
			if code := run(t.Context(), append(args, "--help"), &out, &errOut); code != exitOK {
				t.Errorf("%s: %s\nends with %d: %s", path, line, code, &errOut)
			}
			usage := regexp.MustCompile(`Usage:\n  track-source((?: [a-z]+)*?)(?: \[|\n| [A-Z])`).FindStringSubmatch(out.String())
			if usage == nil || (usage[1] == "") != strings.HasPrefix(args[0], "-") || !strings.HasPrefix(" "+strings.Join(args, " "), usage[1]) {
				t.Errorf("%s: %s\nis no command: %q", path, line, usage)
			}
		}
	}
	if shown < 10 {
		t.Fatalf("%d commands are found in the documents", shown)
	}
}

// words splits a command line at blanks that are not quoted.
func words(line string) []string {
	var out []string
	for i, part := range regexp.MustCompile(`["']`).Split(line, -1) {
		if i%2 == 1 {
			out = append(out, part)
		} else {
			out = append(out, strings.Fields(part)...)
		}
	}
	return out
}
