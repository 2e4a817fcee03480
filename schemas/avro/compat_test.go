package avro_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"tracksource/schemas/avro"
)

// TestCheckCompatible proves the checker that TestCompatibleWithLastRelease
// relies on: what breaks a reader fails under each policy that protects it.
func TestCheckCompatible(t *testing.T) {
	record := func(fields ...string) string {
		return `{"type":"record","name":"p.R","fields":[` + strings.Join(fields, ",") + `]}`
	}
	const (
		a        = `{"name":"a","type":"long"}`
		b        = `{"name":"b","type":"string"}`
		bDefault = `{"name":"b","type":"string","default":""}`
	)
	all := []avro.Compatibility{
		avro.Backward, avro.BackwardTransitive, avro.Forward, avro.ForwardTransitive, avro.Full, avro.FullTransitive,
	}
	cases := []struct {
		name   string
		older  []string
		newer  string
		breaks []avro.Compatibility // the others admit it
	}{
		{"the same", []string{record(a, b)}, record(a, b), nil},
		{"the first", nil, record(a), nil},
		{"doc and order of attributes", []string{record(a)}, record(`{"doc":"words","type":"long","name":"a"}`), nil},
		{"field added with a default", []string{record(a)}, record(a, bDefault), nil},
		{
			"field added without a default",
			[]string{record(a)},
			record(a, b),
			[]avro.Compatibility{avro.Backward, avro.BackwardTransitive, avro.Full, avro.FullTransitive},
		},
		{
			"field removed that had no default",
			[]string{record(a, b)},
			record(a),
			[]avro.Compatibility{avro.Forward, avro.ForwardTransitive, avro.Full, avro.FullTransitive},
		},
		{"field removed that had a default", []string{record(a, bDefault)}, record(a), nil},
		{"type changed", []string{record(a)}, record(`{"name":"a","type":"string"}`), all},
		{
			"type widened",
			[]string{record(`{"name":"a","type":"int"}`)},
			record(a),
			[]avro.Compatibility{avro.Forward, avro.ForwardTransitive, avro.Full, avro.FullTransitive},
		},
		{
			"field made optional",
			[]string{record(b)},
			record(`{"name":"b","type":["null","string"],"default":null}`),
			[]avro.Compatibility{avro.Forward, avro.ForwardTransitive, avro.Full, avro.FullTransitive},
		},
		{"field renamed", []string{record(a)}, record(`{"name":"z","type":"long"}`), all},
		{
			"enum symbol added",
			[]string{record(`{"name":"e","type":{"type":"enum","name":"E","symbols":["X"]}}`)},
			record(`{"name":"e","type":{"type":"enum","name":"E","symbols":["X","Y"]}}`),
			[]avro.Compatibility{avro.Forward, avro.ForwardTransitive, avro.Full, avro.FullTransitive},
		},
		{
			"broken against the last but one alone",
			[]string{record(), record(bDefault)},
			record(b),
			[]avro.Compatibility{avro.BackwardTransitive, avro.FullTransitive},
		},
	}
	for _, c := range cases {
		for _, level := range append(all, avro.None) {
			t.Run(c.name+" under "+string(level), func(t *testing.T) {
				wantBreak := false
				for _, l := range c.breaks {
					wantBreak = wantBreak || l == level
				}
				err := avro.CheckCompatible(level, c.older, c.newer)
				if wantBreak != errors.Is(err, avro.ErrIncompatible) || (err != nil) != wantBreak {
					t.Errorf("got %v, want a break: %v", err, wantBreak)
				}
			})
		}
	}
}

func TestCheckCompatibleErrors(t *testing.T) {
	if err := avro.CheckCompatible(avro.None, nil, "nonsense"); !errors.Is(err, avro.ErrSchema) {
		t.Error(err)
	}
	if err := avro.CheckCompatible("SOMETIMES", nil, `"int"`); !errors.Is(err, avro.ErrSchema) {
		t.Error(err)
	}
	if err := avro.CheckCompatible(avro.Full, []string{"nonsense"}, `"int"`); !errors.Is(err, avro.ErrSchema) {
		t.Error(err)
	}
}

// policies is what each record is held to between releases. It repeats what
// OpenCodecs sets, and TestOpenCodecsSetsPolicies pins: a slip in one place shows.
func policies() map[string]avro.Compatibility {
	return map[string]avro.Compatibility{
		avro.NameObservation:     avro.FullTransitive,
		avro.NameJourneyEvent:    avro.FullTransitive,
		avro.NameControl:         avro.FullTransitive,
		avro.NameContract:        avro.FullTransitive,
		avro.NameCreditEntry:     avro.FullTransitive,
		avro.NameContributionKey: avro.BackwardTransitive,
		avro.NameContributionRow: avro.BackwardTransitive,
		avro.NameAlert:           avro.BackwardTransitive,
		avro.NameDeadLetter:      avro.BackwardTransitive,
		avro.NameFactsKey:        avro.BackwardTransitive,
		avro.NameFacts:           avro.BackwardTransitive,
		avro.NameFeedKey:         avro.BackwardTransitive,
		avro.NameFeedRow:         avro.BackwardTransitive,
	}
}

// breaks compares the schemas of this build with those of another.
func breaks(t *testing.T, released fs.FS) (broken []string) {
	t.Helper()
	for _, name := range avro.Names() {
		old, err := avro.LoadFrom(released, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a record that the release did not have
		}
		if err != nil {
			t.Fatalf("schema %s of the release: %v", name, err)
		}
		now, err := avro.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := avro.CheckCompatible(policies()[name], []string{old.Text}, now.Text); err != nil {
			broken = append(broken, name+": "+err.Error())
		}
	}
	return broken
}

// TestCompatibleWithLastRelease fails on an edit that breaks a reader of the
// last tagged release, or that this build cannot read. Before the first tag
// schemas may change freely.
func TestCompatibleWithLastRelease(t *testing.T) {
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), "git", args...).Output()
		return strings.TrimSpace(string(out)), err
	}
	if _, err := git("rev-parse", "--git-dir"); err != nil {
		t.Skip("nothing to compare with: this is not a git checkout, so the last release is not known")
	}
	tag, err := git("describe", "--tags", "--abbrev=0")
	if err != nil {
		t.Skip("nothing to compare with yet: no release is tagged")
	}
	released := fstest.MapFS{}
	for path := range schemasOf(t, git, tag) {
		text, err := git("show", tag+":./"+path)
		if err != nil {
			t.Fatalf("read %s of %s: %v", path, tag, err)
		}
		released[path] = &fstest.MapFile{Data: []byte(text)}
	}
	if len(released) == 0 {
		t.Skipf("nothing to compare with: release %s has no schemas", tag)
	}
	for _, one := range breaks(t, released) {
		t.Errorf("breaks release %s: %s", tag, one)
	}
}

// schemasOf lists the .avsc files of a tag in this directory.
func schemasOf(t *testing.T, git func(...string) (string, error), tag string) map[string]bool {
	t.Helper()
	out, err := git("ls-tree", "--name-only", tag, "./")
	if err != nil {
		t.Fatalf("list the schemas of %s: %v", tag, err)
	}
	found := map[string]bool{}
	for _, path := range strings.Fields(out) {
		if strings.HasSuffix(path, ".avsc") {
			found[path] = true
		}
	}
	return found
}

// TestReleaseCheckSeesABreak edits the schemas as if the released ones had been
// different: the comparison must see a break and let a safe edit pass.
func TestReleaseCheckSeesABreak(t *testing.T) {
	cases := []struct {
		name, file, old, new string
		broken               int
	}{
		{"nothing changed", "alert.avsc", "", "", 0},
		{"a field of an output went, which had no default", "alert.avsc", `"fields": [`, `"fields": [{"name":"went","type":"string","doc":"d"},`, 0},
		{"a field of a hand-over went, which had no default", "credit_entry.avsc", `"fields": [`, `"fields": [{"name":"went","type":"string","doc":"d"},`, 1},
		{"a field of a hand-over went, which had a default", "credit_entry.avsc", `"fields": [`, `"fields": [{"name":"went","type":"string","default":"","doc":"d"},`, 0},
		{"a field came without a default", "dead_letter.avsc", `{"name": "message", "type": "string", "doc": "What is wrong and what would mend it, without personal data."},`, ``, 1},
		{"a type changed", "alert.avsc", `{"name": "id", "type": "string"`, `{"name": "id", "type": "long"`, 1},
		// The control record is part of three others and itself.
		{"a part changed", "contract.avsc", `{"name": "revision", "type": "long"`, `{"name": "revision", "type": "string"`, 4},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			released := fstest.MapFS{}
			for _, file := range schemaFiles(t) {
				text := readFile(t, file)
				if file == c.file {
					edited := strings.Replace(text, c.old, c.new, 1)
					if edited == text && c.old != c.new {
						t.Fatal("the edit did not apply")
					}
					text = edited
				}
				released[file] = &fstest.MapFile{Data: []byte(text)}
			}
			if broken := breaks(t, released); len(broken) != c.broken {
				t.Errorf("%d records break, want %d: %q", len(broken), c.broken, broken)
			}
		})
	}
}

func schemaFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.avsc")
	if err != nil || len(files) == 0 {
		t.Fatalf("files %v, %v", files, err)
	}
	return files
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
