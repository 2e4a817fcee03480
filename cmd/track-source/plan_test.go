package main

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"tracksource/report/plan"
)

// TestPlanKnowsFlags: a plan tells flags that somebody wrote from defaults, so that its
// change log can say who asked for a change.
func TestPlanKnowsFlags(t *testing.T) {
	var out, errOut bytes.Buffer
	args := []string{"--campaign", "AI Launch Tour", "--window", "7d", "--attribution_model", "linear", "--plan-only", "--json", "--plan-dir", t.TempDir()}
	if code := run(t.Context(), args, &out, &errOut); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, &errOut)
	}
	var told struct {
		Plan string `json:"plan"`
	}
	if err := json.Unmarshal(out.Bytes(), &told); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(told.Plan)
	if err != nil {
		t.Fatal(err)
	}
	p, edited, err := plan.Decode(text)
	if err != nil || edited {
		t.Fatalf("edited %v, %v", edited, err)
	}
	q := p.TrackSource.Question
	slices.Sort(q.Given)
	if want := []string{"attribution-model", "campaign", "window"}; !slices.Equal(q.Given, want) || q.Detail != "full" {
		t.Errorf("given is %v of %+v, want %v", q.Given, q, want)
	}
}
