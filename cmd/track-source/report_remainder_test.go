package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tracksource/report"
)

// victimBytes is the size of a file at which track-source-victim is killed: more than a plan
// has, and less than a package of the victim's.
const victimBytes = 64 << 10

// killedPackage is the directory that a run left beside its package which was killed while
// it wrote that.
func killedPackage(t *testing.T, out, plans string) string {
	t.Helper()
	server := httptest.NewServer(&stub{answers: []http.HandlerFunc{gives(func(p *report.Package) {
		p.Headline = strings.Repeat("Partners brought 30.00 USD in March. ", victimBytes/8)
	})}})
	defer server.Close()
	cmd := exec.Command("track-source-victim", "--campaign", "c", "--out", out, "--plan-dir", plans, "--reporter", server.URL)
	said, err := cmd.CombinedOutput()
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), ".track-source-*"))
	if len(left) != 1 || cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("a process that writes a package ends with %v and leaves %q: %s", err, left, said)
	}
	if files, err := os.ReadDir(filepath.Join(left[0], "package")); err != nil || len(files) == 0 {
		t.Fatalf("it has written %v, %v", files, err)
	}
	return left[0]
}

// TestPackageRemainder: the next run removes what a run left that was killed while it wrote
// a package, once that is old and nobody writes there, says so, and touches nothing else.
func TestPackageRemainder(t *testing.T) {
	dir := t.TempDir()
	out, plans := filepath.Join(dir, "march"), filepath.Join(dir, "plans")
	left := killedPackage(t, out, plans)
	if _, err := os.Lstat(out); err == nil {
		t.Error("half a package is in its place")
	}
	file := func(name, text string) {
		t.Helper()
		at := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(at), 0o700)
		if err == nil {
			err = os.WriteFile(at, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	file(".track-source-12/notes.md", "mine")                 // no lock
	file(".track-source-13/lock", workshopText)               // something else is beside it
	file(".track-source-13/package/tables/holiday.jpg", "me") //
	file(".track-source-14/lock", "by another tool")
	file(".track-source-mine/lock", workshopText)
	file(".track-source-15", "a file")
	file(".track-source-16/lock", workshopText) // somebody is slow
	file("elsewhere/lock", workshopText)
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), filepath.Join(dir, ".track-source-17")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, ".track-source-18"), 0o700); err != nil { // killed at once
		t.Fatal(err)
	}
	slow, err := os.Open(filepath.Join(dir, ".track-source-16", "lock"))
	if err == nil {
		err = syscall.Flock(int(slow.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	there := func() []string {
		names, err := filepath.Glob(filepath.Join(dir, ".track-source-*"))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	makes := func(name string) string {
		t.Helper()
		s := &stub{answers: []http.HandlerFunc{gives(nil)}}
		code, _, errOut := packaging(t, s, "--campaign", "c", "--format", "json", "--out", filepath.Join(dir, name), "--plan-dir", plans)
		if code != exitOK {
			t.Fatalf("ends with %d: %s", code, errOut)
		}
		return errOut
	}

	all := there()
	if said := makes("young"); said != "" || !slices.Equal(there(), all) {
		t.Errorf("of young ones is said %q, and of %q there are %q", said, all, there())
	}
	old := time.Now().Add(-time.Hour)
	for _, name := range all {
		if filepath.Base(name) == ".track-source-17" {
			continue
		}
		for _, at := range []string{filepath.Join(name, "lock"), name} {
			if err := os.Chtimes(at, old, old); err != nil && at == name {
				t.Fatal(err)
			}
		}
	}
	want := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return name == left || strings.HasSuffix(name, "-18") })
	said := makes("old")
	if !strings.Contains(said, left+" is removed: a run was killed while it wrote a package\n") || strings.Count(said, "\n") != 2 || !slices.Equal(there(), want) {
		t.Errorf("said %q, there are %q, want %q", said, there(), want)
	}
	for _, name := range []string{"elsewhere/lock", ".track-source-12/notes.md", ".track-source-13/package/tables/holiday.jpg"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	slow.Close()
	if said := makes("last"); !strings.Contains(said, ".track-source-16 is removed") {
		t.Errorf("once nobody writes there: %q", said)
	}
}
