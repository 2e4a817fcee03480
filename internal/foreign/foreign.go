// Package foreign finds programs of other people for tests that hold ours against them:
// a browser, and Python with the packages that a test names.
//
// A developer's machine may lack them, and the test is skipped there; CI has all.
package foreign

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const (
	// installTimeout bounds the installation of Python's packages: they come over a network
	// that others use as well. go test gives all of a package ten minutes.
	installTimeout = 6 * time.Minute
	// installTries is how often what the network has broken off is begun again.
	installTries = 3
	// RunTimeout bounds a program that runs for seconds where nothing else does.
	RunTimeout = 3 * time.Minute
)

// Python makes an environment with the packages of testdata/foreign/requirements.txt and
// returns its interpreter. They come from the network, so that it is only made in CI, and
// for who asks with FOREIGN_CLIENT.
func Python(t *testing.T) string {
	t.Helper()
	if testing.Short() || !ci() && os.Getenv("FOREIGN_CLIENT") == "" {
		t.Skip("Python's packages are installed for this test in CI, and with FOREIGN_CLIENT=1, not under -short")
	}
	dir := filepath.Join(t.TempDir(), "venv")
	bin := filepath.Join(dir, "bin", "python")
	ctx, cancel := context.WithTimeout(t.Context(), installTimeout)
	defer cancel()
	for _, args := range [][]string{
		{"python3", "-m", "venv", dir},
		{bin, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "-r", "testdata/foreign/requirements.txt"},
	} {
		for try := 1; ; try++ {
			out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
			if err == nil {
				break
			}
			if try == installTries || ctx.Err() != nil {
				t.Fatalf("%v: %v\n%s", args, err, out)
			}
			t.Logf("%v: %v\n%s", args, err, out)
		}
	}
	return bin
}

// Browse runs test files of e2e, a directory whose packages npm has installed, by Node with
// a headless Chromium, and puts env beside the environment. What they print is logged.
func Browse(ctx context.Context, t *testing.T, e2e string, env []string, files ...string) {
	t.Helper()
	suite := exec.CommandContext(ctx, command(t, "node"), append([]string{"--test", "--test-reporter=spec"}, files...)...)
	suite.Dir = e2e
	suite.Env = append(append(os.Environ(), "CHROMIUM="+command(t, "chromium")), env...)
	out, err := suite.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("the browser tests failed: %v", err)
	}
}

// NeedBrowser skips a test that Browse could not run; in CI it fails.
func NeedBrowser(t *testing.T, e2e string) {
	t.Helper()
	command(t, "chromium")
	command(t, "node")
	if _, err := os.Stat(filepath.Join(e2e, "node_modules")); err != nil {
		missing(t, "the browser tests need: npm ci --prefix internal/dashboard/e2e")
	}
}

func command(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name+" is not on the PATH")
	}
	return path
}

func missing(t *testing.T, why string) {
	t.Helper()
	if ci() {
		t.Fatal(why)
	}
	t.Skip(why)
}

func ci() bool { return os.Getenv("CI") == "true" }
