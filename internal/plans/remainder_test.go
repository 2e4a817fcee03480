package plans_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tracksource/internal/plans"
	"tracksource/internal/victim"
)

// dies writes a plan and is killed while it does.
func dies(t *testing.T, path string) {
	d, err := plans.Open(plans.Config{Path: path, Now: (&clock{noon}).now})
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.DieBeyond(100); err != nil {
		t.Fatal(err)
	}
	_, err = d.Begin(question)
	t.Fatalf("lives on, error %v", err)
}

// killed is the temporary file of a process that was killed while it wrote a plan.
func killed(t *testing.T, dir string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestRemainder$")
	cmd.Env = append(os.Environ(), "PLANS_TEST_VICTIM="+dir)
	said, err := cmd.CombinedOutput()
	files, _ := filepath.Glob(filepath.Join(dir, ".plan-*.tmp"))
	if len(files) != 1 || cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("a process that writes a plan ends with %v and leaves %q: %s", err, files, said)
	}
	return files[0]
}

// TestRemainder: the next run removes what a run left that was killed while it wrote a
// plan, once that is old and nobody writes it, says so, and touches nothing else.
func TestRemainder(t *testing.T) {
	if path := os.Getenv("PLANS_TEST_VICTIM"); path != "" {
		dies(t, path)
	}
	_, c, path := open(t)
	left := killed(t, path)
	old := time.Now().Add(-time.Hour)
	others := map[string]string{
		".plan-12.tmp":      "{\n  \"plan\": \"of another tool\"\n}\n",
		".plan-13.tmp":      "# notes",
		".plan-mine.tmp":    "",
		"plan-1.tmp":        "",
		"plan-20261126.txt": "",
		".plan-14.tmp/file": "",
		"notes.md":          "read me",
	}
	for name, text := range others {
		file := filepath.Join(path, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.WriteFile(elsewhere, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(path, ".plan-15.tmp")); err != nil {
		t.Fatal(err)
	}
	written := filepath.Join(path, ".plan-16.tmp") // by somebody who is slow
	slow, err := os.Create(written)
	if err == nil {
		err = syscall.Flock(int(slow.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	begin := func() []string {
		t.Helper()
		d, err := plans.Open(plans.Config{Path: path, Now: c.now})
		if err != nil {
			t.Fatal(err)
		}
		run, err := d.Begin(question)
		if err != nil {
			t.Fatal(err)
		}
		return run.Warnings()
	}
	is := func(file string) bool {
		_, err := os.Lstat(file)
		return err == nil
	}

	young := time.Now().Add(-time.Minute)
	if err := os.Chtimes(left, young, young); err != nil {
		t.Fatal(err)
	}
	if said := begin(); len(said) > 0 || !is(left) {
		t.Errorf("of a young one is said %q, and it is there: %v", said, is(left))
	}
	for _, name := range append(slices.Collect(maps.Keys(others)), filepath.Base(left), filepath.Base(written)) {
		if err := os.Chtimes(filepath.Join(path, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	said := begin()
	if want := fmt.Sprintf("%s is removed: a run was killed while it wrote a plan", left); !slices.Equal(said, []string{want}) || is(left) {
		t.Errorf("said %q, want %q; it is there: %v", said, want, is(left))
	}
	for name, text := range others {
		if got, err := os.ReadFile(filepath.Join(path, name)); err != nil || string(got) != text {
			t.Errorf("%s is %q, error %v", name, got, err)
		}
	}
	for _, file := range []string{elsewhere, filepath.Join(path, ".plan-15.tmp"), written} {
		if !is(file) {
			t.Errorf("%s is gone", file)
		}
	}
	slow.Close()
	if said := strings.Join(begin(), "\n"); !strings.HasPrefix(said, written) {
		t.Errorf("once nobody writes it any more: %q", said)
	}
}
