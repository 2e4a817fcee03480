package plan_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tracksource/internal/foreign"
	"tracksource/internal/plans"
	"tracksource/report/plan"
)

// TestForeignValidator: a validator of other people (Python's jsonschema) takes every
// plan, refuses what ours refuses, and computes the same seals.
func TestForeignValidator(t *testing.T) {
	bin := foreign.Python(t)
	ours, err := plans.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	var want, what []string
	line := func(doc any, verdict, name string) {
		text, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(text, '\n'))
		want, what = append(want, verdict), append(what, name)
	}
	for name, p := range examples(t) {
		p.TrackSource.Question.Campaign = "Tür & <b>Tor</b> \u007f \U0001F680"
		text, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		line(doc, "valid sealed", name)
		if name != "completed" && name != "failed" {
			continue
		}
		n := 0
		everyField(doc, "", func(change string) {
			const each = 7 // of two thousand changes, for Python's sake
			if n++; n%each > 0 {
				return
			}
			text, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			verdict := "invalid"
			if ours.Check(text) == nil {
				verdict = "valid"
			}
			line(doc, verdict+" edited", name+" with "+change)
		})
	}
	schema := filepath.Join(t.TempDir(), "plan.schema.json")
	if err := os.WriteFile(schema, plan.Schema(), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), foreign.RunTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, "testdata/foreign/validate.py", schema)
	cmd.Stdin, cmd.Stderr = &lines, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(got) != len(want) || len(want) < 100 {
		t.Fatalf("%d plans were read of %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s is %s, want %s", what[i], got[i], want[i])
		}
	}
}
