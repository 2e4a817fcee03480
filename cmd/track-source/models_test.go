package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tracksource/contract"
	"tracksource/contract/example"
)

var update = flag.Bool("update", false, "rewrite what documents show of the tool's output")

const modelsPage = "../../docs/models.md"

// pageFiles writes the page's blocks of JSON where its commands find them, under the
// names that stand in front of them.
func pageFiles(t *testing.T, page string) string {
	t.Helper()
	dir := t.TempDir()
	blocks := regexp.MustCompile("(?s)`(\\w+\\.ndjson)`:.*?```json\n(.*?)```").FindAllStringSubmatch(page, -1)
	if len(blocks) != 2 {
		t.Fatalf("%s has %d files of journeys", modelsPage, len(blocks))
	}
	for _, b := range blocks {
		if err := os.WriteFile(filepath.Join(dir, b[1]), []byte(b[2]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func attribute(t *testing.T, args ...string) string {
	t.Helper()
	var out, errOut bytes.Buffer
	if code := run(t.Context(), append([]string{"attribute"}, args...), &out, &errOut); code != exitOK {
		t.Fatalf("%v: exit code %d\n%s", args, code, &errOut)
	}
	return out.String()
}

// TestModelsPageCommands: each command of the page prints what the page shows.
func TestModelsPageCommands(t *testing.T) {
	data, err := os.ReadFile(modelsPage)
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	dir := pageFiles(t, page)
	commands := 0
	rewritten := regexp.MustCompile("(?s)```sh\ntrack-source attribute (.*?)\n```\n\n```\n(.*?)```").ReplaceAllStringFunc(page, func(block string) string {
		commands++
		parts := strings.SplitN(block, "```", 5)
		args := strings.Fields(strings.TrimPrefix(strings.TrimSpace(parts[1]), "sh\ntrack-source attribute "))
		for i, a := range args {
			if strings.HasSuffix(a, ".ndjson") {
				args[i] = filepath.Join(dir, a)
			}
		}
		return strings.Join([]string{"", parts[1], parts[2], "\n" + attribute(t, args...), ""}, "```")
	})
	if commands != 3 {
		t.Errorf("%d commands with their output are found in %s", commands, modelsPage)
	}
	if *update {
		if err := os.WriteFile(modelsPage, []byte(rewritten), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if rewritten != page {
		t.Errorf("the commands of %s print\n%s", modelsPage, rewritten)
	}
}

// TestModelsPageTable: the weights of the one deal are those that the page shows.
func TestModelsPageTable(t *testing.T) {
	data, err := os.ReadFile(modelsPage)
	if err != nil {
		t.Fatal(err)
	}
	deal := filepath.Join(pageFiles(t, string(data)), "deal.ndjson")
	got := map[string]map[string]string{}
	for row := range strings.Lines(attribute(t, "--in", deal, "--models", "all", "--by", "touch", "--out", "csv", "--set", "custom.types.form=3", "--set", "custom.types.meeting=5")) {
		cells := strings.Split(strings.TrimSpace(row), ",")
		if got[cells[0]] == nil {
			got[cells[0]] = map[string]string{}
		}
		got[cells[0]][cells[1]] = cells[4]
	}
	_, table, _ := strings.Cut(string(data), "| weights |")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")
	touches := strings.Split(strings.Trim(rows[0], "| "), " | ")
	for _, row := range rows[2:] {
		cells := strings.Split(strings.Trim(row, "| "), " | ")
		for i, touch := range touches {
			weight := "0"
			if w := got[cells[0]][touch]; w != "" {
				weight = w
			}
			if cells[i+1] != weight {
				t.Errorf("%s gives %s %s; the page shows %s", cells[0], touch, weight, cells[i+1])
			}
		}
	}
	if len(rows) != 2+14 {
		t.Errorf("the page shows %d models", len(rows)-2)
	}
}

// TestModelsPageContract: a contract can have the models that the page shows.
func TestModelsPageContract(t *testing.T) {
	data, err := os.ReadFile(modelsPage)
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(data), "```yaml\n")
	block, _, _ = strings.Cut(block, "```")
	document := regexp.MustCompile(`models: \[.*\]\nmulti_touch: .*\n`).ReplaceAllString(string(example.AILaunchTour()), block)
	c, err := contract.Parse([]byte(document))
	if err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
	if got := strings.Join(c.Models, " "); got != "first-touch last-touch position-based time-decay custom decay-30d" || c.MultiTouch != "position-based" {
		t.Errorf("models %s, multi-touch %s", got, c.MultiTouch)
	}
}
