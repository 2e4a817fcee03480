package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tracksource/internal/plans"
	"tracksource/report"
	"tracksource/report/plan"
)

// packageOf is a small package that is right.
func packageOf() *report.Package {
	at := time.Date(2026, 3, 31, 18, 0, 0, 0, time.UTC)
	return &report.Package{
		Version: report.PackageVersion, Campaign: "ai-launch-tour", Name: "AI Launch Tour", Title: "AI Launch Tour, March", Revision: 3, Contract: strings.Repeat("ab", 32),
		Currency: "USD", Zone: "UTC", Partners: []report.Named{{ID: "acme", Name: "Acme"}, {ID: "globex", Name: "Globex"}},
		Question: report.PackageQuestion{
			Window: "30d", From: "2026-03-02", To: "2026-03-31", Detail: report.Full, Dimensions: []string{"partner"}, Model: "multi-touch", ModelName: "Multi-touch", View: report.AsKnown,
		},
		AsOf:     report.AsOf{Time: at, Positions: map[string][]int64{"tracksource.contributions": {12, 7}}, Newest: &at},
		Headline: "Partners brought 30.00 USD in March.",
		Spine: []report.KPI{
			{ID: "pipeline", Title: "Pipeline", Value: "30.00", Kind: report.MoneyColumn, Currency: "USD", Target: "40.00", Light: report.Amber, Why: "75 % of what was expected"},
			{ID: "win_rate", Title: "Win rate", Value: "0.0625", Kind: report.RatioColumn, Light: report.Grey, Why: "no band"},
		},
		Decisions: []report.Decision{{Text: "Move budget to Events", Owner: "Partner Marketer", Due: "2026-04-07", Why: "it returns more"}},
		Tables: []report.Table{
			{
				ID: "contributions", Title: "Contributions", Columns: []report.Column{
					{ID: "partner", Title: "Partner", Kind: report.TextColumn}, {ID: "pipeline_created", Title: "Pipeline created", Kind: report.MoneyColumn, Currency: "USD"},
				},
				Rows: [][]string{{"acme", "20.00"}, {"\x1b[31mglobex", "10.00"}},
			},
			{
				ID: "totals", Title: "Totals", Columns: []report.Column{
					{ID: "measure", Title: "Measure", Kind: report.TextColumn}, {ID: "total", Title: "Total", Kind: report.MoneyColumn, Currency: "USD"},
				},
				Rows: [][]string{{"pipeline_created", "30.00"}},
			},
		},
		Observed: report.Observed{BehindSeconds: 90, BehindWhy: "contributions: 3 records to read", Feeds: []report.FeedQA{
			{Feed: "crm", Partner: "acme", Topic: "tracksource.raw.crm.acme", Records: 9, AgeSeconds: -1, Complete: true, Counts: &report.FeedCounts{Accepted: 9, Touches: 3, Unmatched: 1}},
			{Feed: "map", Partner: "globex", Topic: "tracksource.raw.map.globex", AgeSeconds: -1, Complete: true},
		}},
	}
}

// stub is a reporter that gives its answers one after the other, the last one again and
// again, and keeps what it was asked.
type stub struct {
	mu      sync.Mutex
	answers []http.HandlerFunc // guarded by mu
	asked   []*http.Request    // guarded by mu
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/api/v1/governance" {
		says(http.StatusNotFound, `{"detail":"there is none"}`)(w, r)
		return
	}
	s.mu.Lock()
	answer := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	s.asked = append(s.asked, r)
	s.mu.Unlock()
	answer(w, r)
}

func (s *stub) times() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// says answers with a status and a text.
func says(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// gives answers with the package, changed.
func gives(change func(*report.Package)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		p := packageOf()
		if change != nil {
			change(p)
		}
		_ = json.NewEncoder(w).Encode(p)
	}
}

// packaging runs the tool in a directory of its own against such a reporter.
func packaging(t *testing.T, s *stub, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	server := httptest.NewServer(s)
	defer server.Close()
	var out, errOut bytes.Buffer
	code = impatient().run(t.Context(), append(args, "--reporter", server.URL), &out, &errOut)
	return code, out.String(), errOut.String()
}

// impatient is the tool that waits for nothing.
func impatient() tool {
	return tool{packageBytes: 1 << 16, wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
}

// planOf is the only plan of a directory.
func planOf(t *testing.T, dir string) *plan.Plan {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "plan-*.json"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%s has the plans %v, %v", dir, paths, err)
	}
	p, edited, err := plan.Decode([]byte(readText(t, paths[0])))
	if err != nil || edited {
		t.Fatalf("%s: %v, edited %v", paths[0], err, edited)
	}
	return p
}

// TestPackage: a package is written whole, private, with a manifest that holds, told on
// the terminal, and written again to the same place only if it is the same.
func TestPackage(t *testing.T) {
	dir := t.TempDir()
	march, plans := filepath.Join(dir, "march"), filepath.Join(dir, "plans")
	s := &stub{answers: []http.HandlerFunc{gives(nil)}}
	args := []string{"--campaign", "AI Launch Tour", "--window", "30d", "--dimensions", "partner", "--attribution_model", "multi-touch", "--format", "json", "--out", march, "--plan-dir", plans}
	code, out, errOut := packaging(t, s, args...)
	if code != exitOK || errOut != "" {
		t.Fatalf("ends with %d: %s", code, errOut)
	}
	if got, want := s.asked[0].URL.RequestURI(), "/api/v1/package?by=partner&campaign=AI+Launch+Tour&detail=full&model=multi-touch&view=as_known&window=30d"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	m, hash, err := report.ReadManifest(os.DirFS(march))
	if err != nil || m.Made == nil || m.Made.Positions["tracksource.contributions"][1] != 7 || !slices.Equal(m.Made.Formats, []string{"json"}) {
		t.Fatalf("manifest %+v, %v", m, err)
	}
	golden(t, "package.txt", regexp.MustCompile(`plan-[0-9-]+\.json`).ReplaceAllString(strings.NewReplacer(hash, "HASH", dir, "DIR").Replace(out), "PLAN"))
	if p := planOf(t, plans); p.Status != plan.Completed || p.TrackSource.Package.Manifest != hash || p.TrackSource.Question.Campaign != "AI Launch Tour" || p.TrackSource.Campaign.ID != "ai-launch-tour" {
		t.Errorf("the plan is %s: %+v", p.Status, p.TrackSource)
	}
	for path, mode := range map[string]os.FileMode{"": 0o700, "package.json": 0o600, "manifest.json": 0o600} {
		if info, err := os.Stat(filepath.Join(march, path)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v, want %v", path, info.Mode(), err, mode)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".track-source-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	code, out, errOut = packaging(t, s, append(args, "--json")...)
	var told toldPackage
	if err := json.Unmarshal([]byte(out), &told); code != exitOK || err != nil || !told.There || told.Manifest != hash || told.Status != "completed" || !slices.Equal(told.Files, []string{"package.json"}) {
		t.Errorf("the same package again ends with %d: %s%s (%v)", code, out, errOut, err)
	}
	none := &stub{answers: []http.HandlerFunc{gives(func(p *report.Package) { p.Empty, p.Tables = "there is something from 2026-01-01 on", nil })}}
	code, out, errOut = packaging(t, none, "--campaign", "c", "--format", "json", "--out", filepath.Join(dir, "none"), "--plan-dir", plans)
	if code != exitOK || !strings.Contains(out, "\nnothing to report: there is something from 2026-01-01 on\n") || !strings.HasSuffix(out, "\nnext: ask for other days, such as --window campaign\n") {
		t.Errorf("nothing to report ends with %d: %s%s", code, out, errOut)
	}
	other := &stub{answers: []http.HandlerFunc{gives(func(p *report.Package) { p.Headline = "another" })}}
	if code, _, errOut = packaging(t, other, args...); code != exitFail || !strings.Contains(errOut, "march holds another package: name another directory by --out") {
		t.Errorf("another package to the same place ends with %d: %s", code, errOut)
	}
	if err := os.WriteFile(filepath.Join(march, "package.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errOut = packaging(t, s, args...); code != exitFail || !strings.Contains(errOut, "holds another package") {
		t.Errorf("onto a changed package ends with %d: %s", code, errOut)
	}
	if _, after, err := report.ReadManifest(os.DirFS(march)); err == nil {
		t.Errorf("the changed package was replaced: %s", after)
	}
}

// TestPackageAgain: the question, the moment and what was observed come from the
// manifest, and files that come out otherwise are no package.
func TestPackageAgain(t *testing.T) {
	t.Chdir(t.TempDir())
	first := &stub{answers: []http.HandlerFunc{gives(nil)}}
	if code, _, errOut := packaging(t, first, "report", "--campaign", "ai-launch-tour", "--dimensions", "partner", "--format", "json", "--out", "first"); code != exitOK {
		t.Fatalf("ends with %d: %s", code, errOut)
	}
	later := &stub{answers: []http.HandlerFunc{gives(func(p *report.Package) { p.Observed = report.Observed{} })}}
	code, _, errOut := packaging(t, later, "--again", "first/manifest.json", "--out", "again")
	if code != exitOK {
		t.Fatalf("ends with %d: %s", code, errOut)
	}
	for _, name := range []string{"manifest.json", "package.json"} {
		if readText(t, "first/"+name) != readText(t, "again/"+name) {
			t.Errorf("%s is another", name)
		}
	}
	want := "/api/v1/package?as_of=2026-03-31T18%3A00%3A00Z&by=partner&campaign=ai-launch-tour&detail=full&model=multi-touch" +
		"&positions=tracksource.contributions%3A12%2C7&view=as_known&window=30d"
	if got := later.asked[0].URL.RequestURI(); got != want {
		t.Errorf("asked\n%s, want\n%s", got, want)
	}
	wrong := &stub{answers: []http.HandlerFunc{gives(func(p *report.Package) { p.Headline = "another" })}}
	if code, _, errOut := packaging(t, wrong, "--again", "first", "--out", "third"); code != exitFail || !strings.Contains(errOut, "is not the one of the manifest: package.json") {
		t.Errorf("another package ends with %d: %s", code, errOut)
	}
	eyes := &stub{answers: []http.HandlerFunc{gives(func(p *report.Package) { p.MadeFor = "globex" })}}
	if code, _, errOut := packaging(t, eyes, "--again", "first", "--out", "third"); code != exitFail || !strings.Contains(errOut, "give the --token-file of the operator") || eyes.times() != 1 {
		t.Errorf("under other eyes ends with %d: %s", code, errOut)
	}
	if _, err := os.Stat("third"); err == nil {
		t.Error("and is there")
	}
}

// TestPackageRetries: what may pass is tried again, three times in all, and nothing else.
func TestPackageRetries(t *testing.T) {
	busy := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "0")
		says(http.StatusServiceUnavailable, `{"detail":"another package is being made"}`)(w, r)
	}
	broken := gives(func(p *report.Package) { p.Tables[0].Rows[0] = []string{"acme"} })
	for _, tt := range []struct {
		name    string
		answers []http.HandlerFunc
		code    int
		times   int // that the package was asked for
		want    string
		outcome plan.Outcome
	}{
		{"busy, then right", []http.HandlerFunc{busy, gives(nil)}, exitOK, 2, "", plan.Pulled},
		{"twice wrong, then right", []http.HandlerFunc{broken, broken, gives(nil)}, exitOK, 3, "", plan.Pulled},
		{"always busy", []http.HandlerFunc{busy}, exitFail, 3, "another package is being made; tried 3 times", plan.Busy},
		{"always wrong", []http.HandlerFunc{broken}, exitFail, 3, "contradicts itself: table contributions: row 0 has 1 values for 2 columns", plan.Mismatch},
		{"a cent too much", []http.HandlerFunc{gives(func(p *report.Package) { p.Tables[0].Rows[0][1] = "20.01" })}, exitFail, 3, "pipeline_created is 30.00, and pipeline_created of the table contributions sums to 30.01; tried 3 times", plan.Mismatch},
		{
			"a name that a terminal would obey",
			[]http.HandlerFunc{gives(func(p *report.Package) { p.Tables[0].ID = "\x1b[2J"; p.Tables[0].Rows[0] = nil })},
			exitFail, 3, "contradicts itself: table [2J: row 0", plan.Mismatch,
		},
		{"an internal error", []http.HandlerFunc{says(http.StatusInternalServerError, `{"detail":"it is broken"}`)}, exitFail, 3, "it is broken; tried 3 times", plan.Unreachable},
		{"no JSON", []http.HandlerFunc{says(http.StatusOK, "<html>")}, exitFail, 3, "no package that this program knows", plan.Unreachable},
		{"half an answer", []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
		}, gives(nil)}, exitOK, 2, "", plan.Pulled},
		{"too long", []http.HandlerFunc{says(http.StatusOK, strings.Repeat(" ", 1<<16+1))}, exitFail, 1, "is longer than 65536 bytes", plan.Refused},
		{"another version", []http.HandlerFunc{gives(func(p *report.Package) { p.Version = 99 })}, exitFail, 1, "version 99", plan.Refused},
		{"a stranger", []http.HandlerFunc{says(http.StatusUnauthorized, `{"detail":"sign in"}`)}, exitFail, 1, "sign in; give --token-file", plan.Refused},
		{"forbidden", []http.HandlerFunc{says(http.StatusForbidden, `{"detail":"not yours"}`)}, exitFail, 1, "not yours", plan.Refused},
		{
			"an unknown model",
			[]http.HandlerFunc{says(http.StatusBadRequest, `{"detail":"there is no model \"u\"; allowed lists those there are","parameter":"model","allowed":["first-touch","linear"]}`)},
			exitUsage, 1, "there is no model \"u\"\nthere is: first-touch, linear", plan.Refused,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			s := &stub{answers: tt.answers}
			code, out, errOut := packaging(t, s, "--campaign", "ai-launch-tour", "--format", "json", "--out", "out")
			if code != tt.code || s.times() != tt.times || !strings.Contains(errOut, tt.want) || code != exitOK && out != "" {
				t.Errorf("ends with %d after %d questions, prints %q and says %q; want %d, %d and %q", code, s.times(), out, errOut, tt.code, tt.times, tt.want)
			}
			p := planOf(t, plans.DirDefault)
			if want := map[bool]plan.Status{true: plan.Completed, false: plan.Failed}[code == exitOK]; p.Status != want || len(p.TrackSource.Attempts) != tt.times || p.Escalated() != (tt.code == exitFail && tt.times == 3) {
				t.Errorf("the plan is %s after %+v, escalated %v", p.Status, p.TrackSource.Attempts, p.Escalated())
			}
			if last := p.TrackSource.Attempts[tt.times-1].Outcome; tt.outcome != "" && last != tt.outcome {
				t.Errorf("the last attempt is %s, want %s", last, tt.outcome)
			}
			if _, err := os.Stat("out"); (err == nil) != (code == exitOK) {
				t.Errorf("ends with %d, and of the package there is %v", code, err)
			}
		})
	}
}

// TestPackageTooSlow: a try that has no answer in its time is over, and the next one is made.
func TestPackageTooSlow(t *testing.T) {
	t.Parallel() // waits
	dir := t.TempDir()
	out, plans := filepath.Join(dir, "out"), filepath.Join(dir, "plans")
	s := &stub{answers: []http.HandlerFunc{func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, gives(nil)}}
	// The time is that of the next try as well, which a busy machine must be able to keep.
	code, _, errOut := packaging(t, s, "--campaign", "c", "--format", "json", "--out", out, "--plan-dir", plans, "--timeout", "10s")
	if code != exitOK || s.times() != 2 {
		t.Errorf("ends with %d after %d questions: %s", code, s.times(), errOut)
	}
	if p := planOf(t, plans); p.Status != plan.Completed || len(p.TrackSource.Attempts) != 2 || p.TrackSource.Attempts[0].Outcome != plan.TimedOut || p.TrackSource.Attempts[1].Outcome != plan.Pulled {
		t.Errorf("the plan is %s after %+v", p.Status, p.TrackSource.Attempts)
	}
	if _, err := os.Stat(out); err != nil {
		t.Error(err)
	}
}

// TestPackageOfThePast: a reporter that reads an earlier moment is asked until it is there,
// in one try, and who looks is told how far it is. A --timeout bounds that too.
func TestPackageOfThePast(t *testing.T) {
	reading := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "5")
		says(http.StatusServiceUnavailable, `{"detail":"what was known then is being read (1200 of at most 5000 records)","reading":{"records":"1200","at_most":"5000"}}`)(w, r)
	}
	for _, tt := range []struct {
		name     string
		answers  []http.HandlerFunc
		args     []string
		code     int
		times    int
		attempts int
	}{
		{"longer than three tries", []http.HandlerFunc{reading, reading, reading, reading, reading, gives(nil)}, nil, exitOK, 6, 1},
		{"and away in between", []http.HandlerFunc{reading, says(http.StatusInternalServerError, `{"detail":"it is broken"}`), reading, gives(nil)}, nil, exitOK, 4, 2},
		{"longer than anybody wants", []http.HandlerFunc{reading}, []string{"--timeout", "4s"}, exitFail, 3, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			s := &stub{answers: tt.answers}
			code, _, errOut := packaging(t, s, append([]string{"--campaign", "c", "--as-of", "2026-03-31T18:00:00Z", "--format", "json", "--out", "out", "--progress"}, tt.args...)...)
			if told := strings.Count(errOut, "being read (1200 of at most 5000 records)"); code != tt.code || s.times() != tt.times || told == 0 {
				t.Errorf("ends with %d after %d questions, want %d and %d, and says %d times how far it is:\n%s", code, s.times(), tt.code, tt.times, told, errOut)
			}
			if got := planOf(t, plans.DirDefault).TrackSource.Attempts; len(got) != tt.attempts {
				t.Errorf("the plan has the attempts %+v, want %d", got, tt.attempts)
			}
		})
	}
}

// TestPackageInterrupted: who stops a run finds that in the plan, and no half of a package.
func TestPackageInterrupted(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	var out, errOut bytes.Buffer
	code := impatient().run(ctx, []string{"--campaign", "c", "--reporter", server.URL, "--out", "out"}, &out, &errOut)
	p := planOf(t, plans.DirDefault)
	if code != exitFail || p.Status != plan.Failed || p.TrackSource.Attempts[0].Outcome != plan.Cancelled || p.Escalated() {
		t.Errorf("ends with %d (%s), and the plan is %s after %+v", code, &errOut, p.Status, p.TrackSource.Attempts)
	}
	if _, err := os.Stat("out"); err == nil {
		t.Error("there is a package")
	}
}

// TestPackageOpens: the page is opened by the system's own program, which gets its path as
// it is, whatever a shell would make of it.
func TestPackageOpens(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("puts a program of its own in the place of xdg-open")
	}
	bin, dir := t.TempDir(), t.TempDir()
	opened := filepath.Join(bin, "opened")
	script := "#!/bin/sh\nprintf %s \"$1\" > " + opened + ".part && mv " + opened + ".part " + opened + "\n"
	if err := os.WriteFile(filepath.Join(bin, "xdg-open"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	s := &stub{answers: []http.HandlerFunc{gives(nil)}}
	out := filepath.Join(dir, "a b; touch $(id)")
	if code, _, errOut := packaging(t, s, "--campaign", "c", "--open", "--out", out, "--plan-dir", filepath.Join(dir, "plans")); code != exitOK {
		t.Fatalf("ends with %d: %s", code, errOut)
	}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if path, err := os.ReadFile(opened); err == nil {
			if string(path) != filepath.Join(out, "snapshot.html") {
				t.Errorf("opened %s", path)
			}
			break
		}
		if time.Now().After(end) {
			t.Fatal("nothing is opened")
		}
	}
	if name, args := opener("windows"); name != "rundll32" || len(args) != 1 {
		t.Errorf("on Windows %s %q opens", name, args)
	}
}

// TestPackagePlanOnly: a plan for review needs no reporter, and says that nothing was
// pulled.
func TestPackagePlanOnly(t *testing.T) {
	t.Chdir(t.TempDir())
	s := &stub{}
	code, out, errOut := packaging(t, s, "--campaign", "AI Launch Tour", "--window", "2026-03-01..2026-03-31", "--plan-only")
	if code != exitOK || s.times() != 0 || !strings.Contains(out, "no data was pulled") {
		t.Errorf("ends with %d after %d questions: %s%s", code, s.times(), out, errOut)
	}
	p := planOf(t, plans.DirDefault)
	if q := p.TrackSource.Question; p.Status != plan.Planned || !q.PlanOnly || q.Window != "2026-03-01..2026-03-31" || q.View != "as_known" || len(q.Formats) != 5 {
		t.Errorf("the plan is %s of %+v", p.Status, q)
	}
	code, out, errOut = packaging(t, s, "--campaign", "AI Launch Tour", "--plan-only", "--json")
	var told toldPackage
	if err := json.Unmarshal([]byte(out), &told); code != exitOK || err != nil || told.Status != "planned" || !strings.HasPrefix(told.Plan, ".claude/plans/plan-") {
		t.Errorf("--json ends with %d: %s%s (%v)", code, out, errOut, err)
	}
	if code, out, _ = packaging(t, s, "--campaign", "c", "--plan-only", "--plan-dir", filepath.Join(told.Plan, "below")); code != exitFail || out != "" {
		t.Errorf("with a directory that cannot be ends with %d: %s", code, out)
	}
}

// TestPackageFailsForMachines: a failure is told as JSON and in words, with to whom it is
// escalated.
func TestPackageFailsForMachines(t *testing.T) {
	t.Chdir(t.TempDir())
	s := &stub{answers: []http.HandlerFunc{says(http.StatusInternalServerError, `{"detail":"it is broken"}`)}}
	code, out, errOut := packaging(t, s, "--campaign", "c", "--json")
	var told toldPackage
	if err := json.Unmarshal([]byte(out), &told); code != exitFail || err != nil || told.Status != "failed" || !strings.HasPrefix(told.Error, "it is broken") {
		t.Errorf("ends with %d: %s (%v)", code, out, err)
	}
	if want := regexp.MustCompile(`^track-source: it is broken; tried 3 times\nthe plan is \.claude/plans/plan-[0-9-]+\.json, which escalates this to Co-marketing Analytics Lead until .*Z\n$`); !want.MatchString(errOut) {
		t.Errorf("says %q", errOut)
	}
}

// TestPackageUsage: what the command line has wrong is said before anybody is asked.
func TestPackageUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("full", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("full/notes.txt", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), "link"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string
		want string
	}{
		{"--window 30d", "--campaign is required"},
		{"--windo 30d", "unknown flag: --windo"},
		{"--campaign c surplus", `unknown command "surplus"`},
		{"report --campaign c surplus", `unexpected argument "surplus"`},
		{"--campaign c --window 30", `"30" is none: write 30d or any Nd`},
		{"--campaign c --window 2026-03-31..2026-03-01", "--window: to is not before from"},
		{"--campaign c --detail some", "neither summary nor full"},
		{"--campaign c --dimensions partner,color", `there is no "color"; there is: partner, channel`},
		{"--campaign c --dimensions partner,partner", "partner is named twice"},
		{"--campaign c --format pdf", `there is no "pdf"; there is: html, md`},
		{"--campaign c --as-of yesterday", "neither an instant such as"},
		{"--campaign c --progress --quiet", "exclude each other"},
		{"--campaign c --format json --open", "the package has no page: add html to --format"},
		{"--campaign c --timeout -1s", "--timeout is not negative"},
		{"--campaign c --out file", "file is no directory"},
		{"--campaign c --out full", "full is not empty and holds no package: name another directory by --out"},
		{"--campaign c --out link", "link is a link, which is not followed"},
		{"--again m --window 30d", "--again has the question of its manifest: leave --window out"},
		{"--again nowhere", "no such file"},
		{"--again file", "the manifest cannot be read"},
	} {
		var out, errOut bytes.Buffer
		code := run(t.Context(), append(strings.Fields(tt.args), "--reporter", "http://127.0.0.1:1"), &out, &errOut)
		if code != exitUsage || !strings.Contains(errOut.String(), tt.want) || out.Len() > 0 {
			t.Errorf("%s: ends with %d and says %q, want %d and %q", tt.args, code, &errOut, exitUsage, tt.want)
		}
	}
	var out, errOut bytes.Buffer
	if code := impatient().run(t.Context(), []string{"--campaign", "c", "--reporter", "http://127.0.0.1:1"}, &out, &errOut); code != exitFail || !strings.Contains(errOut.String(), "no reporter answers at http://127.0.0.1:1") || !strings.Contains(errOut.String(), "track-source demo") {
		t.Errorf("without a reporter: ends with %d and says %q", code, &errOut)
	}
}

// TestPackageFlags: the reporter of the environment is asked where no flag names another,
// and flags have their older and their other spellings.
func TestPackageFlags(t *testing.T) {
	t.Chdir(t.TempDir())
	s := &stub{answers: []http.HandlerFunc{gives(nil)}}
	server := httptest.NewServer(s)
	defer server.Close()
	t.Setenv(reporterVariable, server.URL)
	var out, errOut bytes.Buffer
	if code := run(t.Context(), []string{"--campaign", "c", "--format", "json", "--quiet", "--as-of", "2026-03-31"}, &out, &errOut); code != exitOK {
		t.Fatalf("ends with %d: %s", code, &errOut)
	}
	if _, err := os.Stat("track-source-report/ai-launch-tour-20260331T180000Z/manifest.json"); err != nil {
		t.Error(err)
	}
	if got := s.asked[0].URL.Query().Get("as_of"); got != "2026-03-31" {
		t.Errorf("as of %s", got)
	}
	t.Setenv(reporterVariable, "http://127.0.0.1:1")
	errOut.Reset()
	if code := run(t.Context(), []string{"report", "--campaign", "c", "--format", "json", "--reporter-url", server.URL, "--progress"}, &out, &errOut); code != exitOK || !strings.Contains(errOut.String(), "\nasking "+server.URL+"\nwriting ") {
		t.Errorf("ends with %d: %s", code, &errOut)
	}
}

// TestPackageNames: nothing that a reporter says names a place outside.
func TestPackageNames(t *testing.T) {
	p := packageOf()
	p.Campaign = "../../etc/Ä\x00"
	if got, want := defaultTarget(p), filepath.Join("track-source-report", "------etc----20260331T180000Z"); got != want {
		t.Errorf("defaultTarget() = %q, want %q", got, want)
	}
}

// TestCompletion: the shell offers what there is.
func TestCompletion(t *testing.T) {
	s := &answering{status: http.StatusOK, body: `{"contracts":[{"campaign":"ai-launch-tour","name":"AI Launch Tour"}]}`}
	server := httptest.NewServer(s)
	defer server.Close()
	patient := tool{completing: time.Minute}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--campaign", ""}, "ai-launch-tour\tAI Launch Tour\n"},
		{[]string{"report", "--reporter", "http://127.0.0.1:1", "--campaign", ""}, ""},
		{[]string{"--dimensions", "partner,a"}, "partner,asset\n"},
		{[]string{"--attribution-model", "lin"}, "linear\n"},
		{[]string{"--format", "html,"}, "html,md\n"},
		{[]string{"--window", "c"}, "campaign\n"},
		{[]string{"rep"}, "report\t"},
	} {
		t.Setenv(reporterVariable, server.URL)
		var out, errOut bytes.Buffer
		if code := patient.run(t.Context(), append([]string{"__complete"}, tt.args...), &out, &errOut); code != exitOK || !strings.Contains(out.String(), tt.want) || tt.want == "" && !strings.HasPrefix(out.String(), ":") {
			t.Errorf("%q: ends with %d and offers %q, want %q", tt.args, code, &out, tt.want)
		}
	}
}
