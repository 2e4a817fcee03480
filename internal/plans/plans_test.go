package plans_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tracksource/internal/plans"
	"tracksource/report"
	"tracksource/report/plan"
)

// clock is a time that only moves when somebody waits.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func (c *clock) wait(ctx context.Context, d time.Duration) error {
	c.at = c.at.Add(d)
	return ctx.Err()
}

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func open(t *testing.T) (*plans.Dir, *clock, string) {
	t.Helper()
	c := &clock{noon}
	path := filepath.Join(t.TempDir(), "plans")
	d, err := plans.Open(plans.Config{Path: path, Now: c.now, Wait: c.wait})
	if err != nil {
		t.Fatal(err)
	}
	return d, c, path
}

var question = plan.Question{Campaign: "AI Launch Tour", Window: "30d", Dimensions: []string{"partner"}, Formats: []string{"html"}, Given: []string{"window"}}

func pkg() *report.Package {
	return &report.Package{
		Version: report.PackageVersion, Campaign: "ai-launch-tour", Name: "AI Launch Tour", Revision: 1, Contract: strings.Repeat("a", 64), Currency: "USD", Zone: "UTC",
		Partners: []report.Named{{ID: "acme", Name: "Acme"}, {ID: "globex", Name: "Globex"}},
		Question: report.PackageQuestion{Window: "30d", From: "2026-10-28", To: "2026-11-26", Detail: report.Full, Dimensions: []string{"partner"}, Model: "linear", View: "as_known"},
		AsOf:     report.AsOf{Time: noon},
		Observed: report.Observed{Feeds: []report.FeedQA{
			{Feed: "crm", Partner: "acme", Topic: "tracksource.raw.crm.acme", Offsets: []int64{7}, Records: 7, Newest: &noon, LimitSeconds: 86400, Fresh: true, Complete: true},
			{Feed: "map", Partner: "globex", Topic: "tracksource.raw.map.globex", Offsets: []int64{9}, Records: 9, AgeSeconds: -1, LimitSeconds: 86400},
		}},
	}
}

var done = plan.Done{Directory: "out", Manifest: strings.Repeat("b", 64), Files: []string{"package.json"}}

// TestRun: a plan is on the disk before the pull, and is completed in its place.
func TestRun(t *testing.T) {
	d, c, dir := open(t)
	run, err := d.Begin(question)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "plan-20261126-120000.json"); run.Path() != want {
		t.Fatalf("the plan is %s, want %s", run.Path(), want)
	}
	c.at = c.at.Add(time.Second)
	tries := 0
	err = run.Pull(t.Context(), func(context.Context, plan.Try) error {
		onDisk := read(t, run.Path())
		if want := [...]plan.Status{plan.Planned, plan.Running}[tries]; onDisk.Status != want {
			t.Errorf("try %d sees a plan that is %s, want %s", tries+1, onDisk.Status, want)
		}
		if tries++; tries == 1 {
			return &plan.Failure{Outcome: plan.Unreachable, Err: errors.New("connection refused")}
		}
		return nil
	})
	if err != nil || tries != 2 {
		t.Fatalf("%d tries end with %v", tries, err)
	}
	if err := run.Complete(pkg(), done); err != nil {
		t.Fatal(err)
	}
	p := read(t, run.Path())
	if p.Status != plan.Completed || len(p.TrackSource.Attempts) != 2 || p.Strategy != "diamond" {
		t.Errorf("the plan is %s by %s with %d attempts", p.Status, p.Strategy, len(p.TrackSource.Attempts))
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("the directory has %v, %v", files, err)
	}
}

func read(t *testing.T, path string) *plan.Plan {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, edited, err := plan.Decode(text)
	if err != nil || edited {
		t.Fatalf("%s: edited %v, %v\n%s", path, edited, err, text)
	}
	return p
}
