package plans_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tracksource/internal/plans"
	"tracksource/report"
	"tracksource/report/plan"
)

// completed runs a question to its end.
func completed(t *testing.T, d *plans.Dir, q plan.Question, p *report.Package) *plans.Run {
	t.Helper()
	run, err := d.Begin(q)
	if err == nil {
		err = run.Pull(t.Context(), func(context.Context, plan.Try) error { return nil })
	}
	if err == nil {
		err = run.Complete(p, done)
	}
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// log is what the plan says changed with it, a line each.
func log(p *plan.Plan) string {
	var b strings.Builder
	for _, c := range p.TrackSource.ChangeLog {
		if c.PlanID == p.PlanID {
			fmt.Fprintf(&b, "%s %s: %q -> %q\n", c.Subject, c.Key, c.Before, c.After)
		}
	}
	return b.String()
}

// TestHistory: two runs make one history, whose second plan says what changed since the
// first, and asks for a campaign by name or id.
func TestHistory(t *testing.T) {
	d, c, _ := open(t)
	first := completed(t, d, question, pkg())
	c.at = c.at.AddDate(0, 0, 7)
	q, p := question, pkg()
	q.Campaign, q.Window = "ai-launch-tour", "7d"
	p.Question.Window, p.Question.Model, p.Revision, p.Contract = "7d", "w-shaped", 2, strings.Repeat("c", 64)
	p.Observed.Feeds[1].Fresh, p.Observed.Feeds[1].Complete = true, true
	p.Observed.Feeds = append(p.Observed.Feeds, report.FeedQA{Feed: "analytics", Partner: "acme", Topic: "tracksource.raw.analytics.acme"})

	run, err := d.Begin(q)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := log(run.Plan()), "window : \"30d\" -> \"7d\"\ncadence : \"first\" -> \"weekly\"\n"; got != want {
		t.Errorf("before the pull it says\n%swant\n%s", got, want)
	}
	if s := run.Plan().TrackSource.DataSources; len(s) != 2 || s[0].Source != first.Plan().PlanID {
		t.Errorf("before the pull its sources are %v", s)
	}
	if err := run.Pull(t.Context(), func(context.Context, plan.Try) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := run.Complete(p, done); err != nil {
		t.Fatal(err)
	}
	want := "model : \"linear\" -> \"w-shaped\"\nwindow : \"30d\" -> \"7d\"\n" +
		"contract : \"revision 1 " + strings.Repeat("a", 64) + "\" -> \"revision 2 " + strings.Repeat("c", 64) + "\"\n" +
		"data_source map.globex: \"neither fresh nor complete\" -> \"fresh and complete\"\n" +
		"data_source analytics.acme: \"\" -> \"tracksource.raw.analytics.acme\"\ncadence : \"first\" -> \"weekly\"\n"
	if got := log(read(t, run.Path())); got != want {
		t.Errorf("the change log is\n%swant\n%s", got, want)
	}
	if n := len(run.Plan().TrackSource.ChangeLog); n != 7 || run.Plan().TrackSource.Previous != first.Plan().PlanID {
		t.Errorf("%d changes are logged since %s", n, run.Plan().TrackSource.Previous)
	}

	// The same again, made from a manifest, is no news to whoever comes after.
	again := q
	again.Again = strings.Repeat("b", 64)
	completed(t, d, again, pkg())
	c.at = c.at.AddDate(0, 0, 7)
	if got := log(completed(t, d, q, p).Plan()); got != "" {
		t.Errorf("nothing changed, and it says\n%s", got)
	}
}

// TestEdited: what somebody changed by hand stays as it is; the run goes on beside it,
// and the next one says so.
func TestEdited(t *testing.T) {
	d, c, dir := open(t)
	first := completed(t, d, question, pkg())
	edit(t, first.Path(), `"attribution_model": "linear"`, `"attribution_model": "position-based"`)

	c.at = c.at.AddDate(0, 0, 1)
	run, err := d.Begin(question)
	if err != nil {
		t.Fatal(err)
	}
	if got := log(run.Plan()); !strings.Contains(got, "history plan-20261126-120000: \"\" -> \"edited_by_hand\"") {
		t.Errorf("the change log is\n%s", got)
	}
	was := run.Path()
	mine := edit(t, was, `"max_concurrent": 2`, `"max_concurrent": 1`)
	if err := run.Pull(t.Context(), func(context.Context, plan.Try) error { return nil }); err != nil {
		t.Fatal(err)
	}
	beside := filepath.Join(dir, "plan-20261127-120000-2.json")
	if run.Path() != beside || len(run.Warnings()) != 1 || !strings.Contains(run.Warnings()[0], was) {
		t.Errorf("the run goes on in %s, %q", run.Path(), run.Warnings())
	}
	if err := run.Complete(pkg(), done); err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadFile(was); err != nil || !bytes.Equal(now, mine) {
		t.Errorf("what was changed by hand is now\n%s\n%v", now, err)
	}
	got := log(read(t, beside))
	if n := strings.Count(got, "edited_by_hand"); n != 2 || !strings.Contains(got, "model : \"position-based\" -> \"linear\"") {
		t.Errorf("the change log is\n%s", got)
	}
	if strings.Contains(got, "interrupted") {
		t.Errorf("its own plan is called interrupted:\n%s", got)
	}

	// One that is changed into what is no plan is not built on.
	edit(t, beside, `"status": "completed"`, `"status": "Completed"`)
	c.at = c.at.AddDate(0, 0, 1)
	if run, err = d.Begin(question); err != nil || run.Plan().TrackSource.Previous != first.Plan().PlanID {
		t.Errorf("it is built on %s, %v", run.Plan().TrackSource.Previous, err)
	}

	// A layout is nobody's decision.
	if err := os.WriteFile(run.Path(), bytes.ReplaceAll(mustRead(t, run.Path()), []byte("  "), nil), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run.Fail(errors.New("no")); err != nil || len(run.Warnings()) > 0 || read(t, run.Path()).Status != plan.Failed {
		t.Errorf("%v %q", err, run.Warnings())
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func edit(t *testing.T, path, old, with string) []byte {
	t.Helper()
	text := bytes.Replace(mustRead(t, path), []byte(old), []byte(with), 1)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return text
}

// TestRemoved: a plan that was removed while its run was on is written again.
func TestRemoved(t *testing.T) {
	d, _, _ := open(t)
	run, err := d.Begin(question)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(run.Path()); err != nil {
		t.Fatal(err)
	}
	if err := run.Fail(errors.New("no")); err != nil || len(run.Warnings()) != 1 || read(t, run.Path()).Status != plan.Failed {
		t.Errorf("%v %q", err, run.Warnings())
	}
}

// TestStrangeDirectory: whatever else lies there is left alone, and what of it might
// have been a plan is said.
func TestStrangeDirectory(t *testing.T) {
	d, c, dir := open(t)
	first := completed(t, d, question, pkg())
	newer := bytes.Replace(mustRead(t, first.Path()), []byte(`"version": 1,`), []byte(`"version": 2,`), 1)
	others := map[string]string{
		"plan-20261126-130000.json":   `{"plan_id": "plan-20261126-130000", "objective": "of another tool"}`,
		"plan-20261126-140000.json":   "{",
		"plan-20261126-150000.json":   "",
		"plan-20261126-160000.json":   string(newer),
		"plan-20261126-170000.json":   strings.Repeat(" ", plan.BytesMax+1),
		"notes.md":                    "# plan",
		"plan-20261126-180000.json~":  "{",
		"plan-tomorrow.json":          "{",
		".plan-123.tmp":               "{",
		"plan-20261126-120000-x.json": "{",
	}
	for name, text := range others {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.WriteFile(elsewhere, mustRead(t, first.Path()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(dir, "plan-20261126-190000.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "plan-20261126-200000.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.at = c.at.AddDate(0, 0, 1)
	p := completed(t, d, question, pkg()).Plan()
	want := `history plan-20261126-200000: "" -> "unreadable"
history plan-20261126-190000: "" -> "unreadable"
history plan-20261126-170000: "" -> "unreadable"
history plan-20261126-160000: "" -> "newer_version"
history plan-20261126-150000: "" -> "interrupted"
history plan-20261126-140000: "" -> "unreadable"
cadence : "first" -> "daily"
`
	if got := log(p); got != want || p.TrackSource.Previous != first.Plan().PlanID {
		t.Errorf("since %s it says\n%swant\n%s", p.TrackSource.Previous, got, want)
	}
	for name, text := range others {
		if got := mustRead(t, filepath.Join(dir, name)); string(got) != text {
			t.Errorf("%s is now %q", name, got)
		}
	}

	// A link that took the place of a run's plan is not written through.
	run, err := d.Begin(question)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(run.Path()), os.Symlink(elsewhere, run.Path())); err != nil {
		t.Fatal(err)
	}
	before := mustRead(t, elsewhere)
	if err := run.Fail(errors.New("no")); err != nil || len(run.Warnings()) != 1 || !bytes.Equal(before, mustRead(t, elsewhere)) {
		t.Errorf("%v %q", err, run.Warnings())
	}
}

// TestCannotWrite: no plan, no run.
func TestCannotWrite(t *testing.T) {
	c := &clock{noon}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	closed := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(closed, 0o500); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below"), closed, filepath.Join(closed, "below")} {
		if os.Geteuid() == 0 && strings.HasPrefix(path, closed) {
			continue // nothing is closed to root
		}
		d, err := plans.Open(plans.Config{Path: path, Now: c.now, Wait: c.wait})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Begin(question); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestSameSecond: plans that are begun at once have names of their own, and nobody else
// may read them.
func TestSameSecond(t *testing.T) {
	d, _, dir := open(t)
	var all sync.WaitGroup
	const runs = 8
	errs := make([]error, runs)
	for i := range runs {
		all.Go(func() {
			run, err := d.Begin(question)
			if err == nil {
				err = run.Fail(errors.New("no"))
			}
			errs[i] = err
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != runs {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if p := read(t, filepath.Join(dir, f.Name())); p.PlanID+".json" != f.Name() || p.Status != plan.Failed {
			t.Errorf("%s is %s, %s", f.Name(), p.PlanID, p.Status)
		}
		if is, err := f.Info(); err != nil || is.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v, %v", f.Name(), is.Mode(), err)
		}
	}
	if is, err := os.Stat(dir); err != nil || is.Mode().Perm() != 0o700 {
		t.Errorf("the directory is %v, %v", is.Mode(), err)
	}
}

// TestMany: of a directory with thousands of plans the newest are looked through, and
// what is left out is said.
func TestMany(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of files")
	}
	d, c, dir := open(t)
	completed(t, d, question, pkg())
	for n := range 2000 {
		id := plan.ID(noon.Add(time.Duration(n+1)*time.Second), 1)
		if err := os.WriteFile(filepath.Join(dir, id+".json"), []byte(`{"objective": "of another tool"}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.at = c.at.Add(time.Hour)
	run, err := d.Begin(question)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := log(run.Plan()), "history : \"\" -> \"left_out\"\nhistory plan-20261126-130000: \"\" -> \"first_plan\"\n"; got != want {
		t.Errorf("it says\n%swant\n%s", got, want)
	}
}

// TestPull: what is tried again, with what, and what the plan says of it.
func TestPull(t *testing.T) {
	fail := func(o plan.Outcome, text string) error { return &plan.Failure{Outcome: o, Err: errors.New(text)} }
	mismatch := fail(plan.Mismatch, "revenue differs")
	for _, c := range []struct {
		name    string
		errs    []error // of the tries, those behind it work
		asOf    string
		want    string
		waited  time.Duration
		escalat bool
	}{
		{"at once", nil, "", "1 60s answered", 0, false},
		{"refused", []error{fail(plan.Refused, "unknown model")}, "", "1 60s refused unknown model", 0, true},
		{"broken", []error{errors.New("disk full")}, "", "1 60s broken disk full", 0, true},
		{"once away", []error{fail(plan.Unreachable, "refused")}, "", "1 60s unreachable refused|2 180s answered up to 180 s instead of 60 s", 2 * time.Second, false},
		{"busy", []error{&plan.Failure{Outcome: plan.Busy, RetryAfter: 10 * time.Second, Err: errors.New("busy")}}, "", "1 60s busy busy|2 180s answered up to 180 s instead of 60 s", 10 * time.Second, false},
		{"busy for long", []error{&plan.Failure{Outcome: plan.Busy, RetryAfter: time.Hour, Err: errors.New("busy")}}, "", "1 60s busy busy|2 180s answered up to 180 s instead of 60 s", time.Minute, false},
		{
			"contradicts itself",
			[]error{mismatch, mismatch, mismatch},
			"",
			"1 60s mismatch revenue differs|2 180s mismatch up to 180 s instead of 60 s revenue differs|3 540s mismatch up to 540 s instead of 180 s, as of 2026-11-26T11:59:02Z revenue differs", 8 * time.Second, true,
		},
		{
			"contradicts itself as of then",
			[]error{mismatch, mismatch, mismatch},
			"2026-11-01",
			"1 60s mismatch revenue differs|2 180s mismatch up to 180 s instead of 60 s revenue differs|3 540s mismatch up to 540 s instead of 180 s revenue differs", 8 * time.Second, true,
		},
	} {
		d, at, _ := open(t)
		q := question
		q.AsOf = c.asOf
		run, err := d.Begin(q)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		err = run.Pull(t.Context(), func(ctx context.Context, try plan.Try) error {
			if n++; n != try.Number {
				t.Errorf("%s: try %d is called %d", c.name, n, try.Number)
			}
			if _, bounded := ctx.Deadline(); !bounded {
				t.Errorf("%s: try %d may take for ever", c.name, n)
			}
			if n <= len(c.errs) {
				return c.errs[n-1]
			}
			return nil
		})
		if (err != nil) != c.escalat {
			t.Errorf("%s: it ends with %v", c.name, err)
		}
		var got []string
		for _, a := range run.Plan().TrackSource.Attempts {
			got = append(got, strings.Join(strings.Fields(fmt.Sprint(a.Number, " ", a.TimeoutSeconds, "s ", a.Outcome, " ", a.Changed, " ", a.Error)), " "))
		}
		if s := strings.Join(got, "|"); s != c.want || at.at.Sub(noon) != c.waited {
			t.Errorf("%s: after %v\n%s\nwant\n%s", c.name, at.at.Sub(noon), s, c.want)
		}
		if err == nil {
			continue
		}
		if err := run.Fail(err); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if strings.Contains(c.want, "refused unknown") {
			if b := read(t, run.Path()).TrackSource; len(b.Escalations) > 0 || b.Failure.Outcome != plan.Refused || b.Failure.Reason != "unknown model" {
				t.Errorf("%s: it fails with %v and is escalated to %v", c.name, b.Failure, b.Escalations)
			}
			continue
		}
		if e := read(t, run.Path()).TrackSource.Escalations; len(e) != 1 || e[0].Rung != "Co-marketing Analytics Lead" || e[0].Fallback != "Partner Marketer" || !e[0].Deadline.Equal(at.at.Add(24*time.Hour)) {
			t.Errorf("%s: it is escalated to %v", c.name, e)
		}
	}
}

// TestPullEnds: a try whose time is up has timed out, and is cancelled where whoever
// asked has gone.
func TestPullEnds(t *testing.T) {
	d, _, _ := open(t)
	run, err := d.Begin(question)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = run.Pull(ctx, func(in context.Context, try plan.Try) error {
		cancel()
		<-in.Done()
		return in.Err()
	})
	if f := (*plan.Failure)(nil); !errors.As(err, &f) || f.Outcome != plan.Cancelled {
		t.Errorf("it ends with %v", err)
	}
	if err := run.Fail(err); err != nil || run.Plan().Escalated() {
		t.Errorf("%v, escalated %v", err, run.Plan().Escalated())
	}
}

// TestLadder: each plan that fails after another goes a rung higher, one that is killed
// is told of, and a completed one begins at the first again.
func TestLadder(t *testing.T) {
	d, c, _ := open(t)
	fails := func() string {
		t.Helper()
		c.at = c.at.Add(time.Hour)
		run, err := d.Begin(question)
		if err == nil {
			err = run.Fail(&plan.Failure{Outcome: plan.Unreachable, Err: errors.New("away")})
		}
		if err != nil {
			t.Fatal(err)
		}
		return run.Plan().TrackSource.Escalations[0].Rung
	}
	for _, want := range []string{"Co-marketing Analytics Lead", "RevOps/Finance partners", "Exec sponsors", "Exec sponsors"} {
		if got := fails(); got != want {
			t.Errorf("it goes to %s, want %s", got, want)
		}
	}
	c.at = c.at.Add(time.Hour)
	review := question
	review.PlanOnly = true
	if _, err := d.Begin(review); err != nil {
		t.Fatal(err)
	}
	killed, err := d.Begin(question)
	if err != nil {
		t.Fatal(err)
	}
	c.at = c.at.Add(time.Hour)
	p := completed(t, d, question, pkg()).Plan()
	if got := log(p); !strings.HasPrefix(got, "history "+killed.Plan().PlanID+": \"\" -> \"interrupted\"\n") || strings.Count(got, "\n") != 2 || p.TrackSource.FailedBefore != 4 {
		t.Errorf("%d failed before, and it says\n%s", p.TrackSource.FailedBefore, got)
	}
	if got := fails(); got != "Co-marketing Analytics Lead" {
		t.Errorf("after a completed one it goes to %s", got)
	}
}

// TestWhole: whoever reads while plans are written sees each plan whole, the old or the
// new; before its first there may be an empty file.
func TestWhole(t *testing.T) {
	d, c, dir := open(t)
	stop, read := make(chan struct{}), make(chan error, 1)
	go func() {
		written := map[string]bool{}
		for {
			select {
			case <-stop:
				read <- nil
				return
			default:
			}
			names, err := filepath.Glob(filepath.Join(dir, "plan-*.json"))
			for _, name := range names[max(0, len(names)-2):] {
				var text []byte
				if text, err = os.ReadFile(name); err != nil || len(text) == 0 && !written[name] {
					continue
				}
				written[name] = true
				if _, edited, bad := plan.Decode(text); bad != nil || edited {
					read <- fmt.Errorf("%s of %d bytes: edited %v, %w", name, len(text), edited, bad)
					return
				}
			}
			if err != nil {
				read <- err
				return
			}
		}
	}()
	for range 4 {
		c.at = c.at.Add(time.Second)
		completed(t, d, question, pkg())
	}
	close(stop)
	if err := <-read; err != nil {
		t.Error(err)
	}
}
