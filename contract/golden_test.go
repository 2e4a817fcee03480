package contract_test

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// block is one case of a golden file: a name, input lines, a rule, output.
type block struct {
	name   string
	input  []string
	output string
}

// fields reads input lines "key: value".
func (b block) fields(t *testing.T) map[string]string {
	t.Helper()
	fields := make(map[string]string)
	for _, line := range b.input {
		key, text, found := strings.Cut(line, ":")
		if !found {
			t.Fatalf("%s: %q is not key: value", b.name, line)
		}
		fields[key] = strings.TrimSpace(text)
	}
	return fields
}

// golden runs every block of the file and compares the outputs.
func golden(t *testing.T, file string, run func(t *testing.T, b block) string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rewritten []string
	blocks := parseBlocks(t, string(data))
	if len(blocks) == 0 {
		t.Fatalf("%s has no case", file)
	}
	for _, b := range blocks {
		t.Run(b.name, func(t *testing.T) {
			got := strings.TrimSpace(run(t, b))
			if got != b.output && !*update {
				t.Errorf("input:\n%s\ngot:\n%s\nwant:\n%s", strings.Join(b.input, "\n"), got, b.output)
			}
			rewritten = append(rewritten, b.name+"\n"+strings.Join(b.input, "\n")+"\n----\n"+got+"\n")
		})
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(rewritten, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// parseBlocks reads blocks that blank lines part.
func parseBlocks(t *testing.T, text string) []block {
	t.Helper()
	var blocks []block
	for part := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		head, output, found := strings.Cut(strings.TrimSpace(part)+"\n", "\n----\n")
		if !found {
			t.Fatalf("no rule of dashes in:\n%s", part)
		}
		lines := strings.Split(head, "\n")
		blocks = append(blocks, block{name: lines[0], input: lines[1:], output: strings.TrimSpace(output)})
	}
	return blocks
}
