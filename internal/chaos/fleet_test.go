package chaos_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tracksource/deploy/kafka"
	"tracksource/internal/demo"
)

func tiers() []string { return []string{"ingest", "attributor", "reporter"} }

// Timeouts of the services: short, so that a run has time for many faults.
const (
	sessionTimeout     = 4 * time.Second
	transactionTimeout = 4 * time.Second
)

// Bounds of waits that end with what they wait for: a machine may have much else to do.
const (
	startWithin = 4 * time.Minute
	drainWithin = 3 * time.Minute
	grace       = drainWithin - 30*time.Second // of the services
)

// binaries builds the services once for all tests.
var binaries = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "tracksource-chaos-")
	if err != nil {
		return "", err
	}
	args := []string{"build", "-o", dir}
	for _, tier := range tiers() {
		args = append(args, "tracksource/cmd/"+tier)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return dir, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := binaries(); dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// fleet is the services as processes.
type fleet struct {
	t    *testing.T
	bin  string
	root string
	args map[string][]string
	made int

	running map[string][]*process // by tier
}

// process is one instance.
type process struct {
	tier  string
	dir   string
	cmd   *exec.Cmd
	log   *lockedBuffer
	ended chan error // holds the outcome once it is there
}

func newFleet(t *testing.T, conn kafka.Conn, profile string, partitions map[string]int32, registry string) *fleet {
	t.Helper()
	bin, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, bin: bin, root: t.TempDir(), args: map[string][]string{}, running: map[string][]*process{}}
	key := filepath.Join(f.root, "key")
	if err := os.WriteFile(key, bytes.Repeat([]byte("k"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	var feeds []string
	for _, fd := range demo.Feeds() {
		feeds = append(feeds, fd.String())
	}
	var counts []string
	for key, n := range partitions {
		counts = append(counts, fmt.Sprintf("%s=%d", key, n))
	}
	for _, tier := range tiers() {
		f.args[tier] = []string{
			"--bootstrap-servers", conn.String(), "--registry", registry, "--feeds", strings.Join(feeds, ","), "--profile", profile, "--partitions", strings.Join(counts, ","),
			"--session-timeout", sessionTimeout.String(), "--transaction-timeout", transactionTimeout.String(), "--memory-budget", fmt.Sprint(176 << 20),
			"--shutdown-grace", grace.String(),
		}
	}
	f.args["ingest"] = append(f.args["ingest"], "--pseudonym-key-file", key)
	f.args["reporter"] = append(f.args["reporter"], "--http", "127.0.0.1:0")
	t.Cleanup(func() {
		for _, list := range f.running {
			for _, p := range list {
				_ = p.cmd.Process.Kill()
				err := p.wait()
				if t.Failed() {
					t.Logf("%s ended with %v:\n%s", filepath.Base(p.dir), err, p.log.tail())
				}
			}
		}
	})
	return f
}

// start starts an instance of a tier on a data directory; empty is a new one.
func (f *fleet) start(tier, dir string) *process {
	f.t.Helper()
	if dir == "" {
		f.made++
		dir = filepath.Join(f.root, fmt.Sprintf("%s-%d", tier, f.made))
	}
	p := &process{tier: tier, dir: dir, log: &lockedBuffer{}, ended: make(chan error, 1)}
	p.cmd = exec.Command(filepath.Join(f.bin, tier), append(f.args[tier], "--data-dir", dir)...)
	p.cmd.Stderr = p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	f.running[tier] = append(f.running[tier], p)
	return p
}

// ready waits until an instance says that it is.
func (f *fleet) ready(p *process) {
	f.t.Helper()
	for end := time.Now().Add(startWithin); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if p.isReady() {
			return
		}
		f.alive(p)
	}
	f.t.Fatalf("%s did not become ready:\n%s", filepath.Base(p.dir), p.log.tail())
}

func (p *process) isReady() bool {
	addr := p.log.adminAddr()
	if addr == "" {
		return false
	}
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get("http://" + addr + "/readyz")
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// wait returns how the process ended.
func (p *process) wait() error {
	err := <-p.ended
	p.ended <- err
	return err
}

// alive fails the test when a process has ended by itself.
func (f *fleet) alive(p *process) {
	f.t.Helper()
	select {
	case err := <-p.ended:
		p.ended <- err
		f.t.Fatalf("%s ended by itself: %v\n%s", filepath.Base(p.dir), err, p.log.tail())
	default:
	}
}

// take takes one instance of a tier off the list.
func (f *fleet) take(tier string, n int) *process {
	list := f.running[tier]
	p := list[n]
	f.running[tier] = append(list[:n:n], list[n+1:]...)
	f.alive(p)
	return p
}

// kill ends an instance with kill -9 and returns its data directory.
func (f *fleet) kill(tier string, n int) string {
	f.t.Helper()
	p := f.take(tier, n)
	if err := p.cmd.Process.Kill(); err != nil {
		f.t.Fatal(err)
	}
	_ = p.wait()
	return p.dir
}

// leave ends an instance with SIGTERM and returns its data directory.
func (f *fleet) leave(tier string, n int) string {
	f.t.Helper()
	p := f.take(tier, n)
	f.term(p)
	return p.dir
}

// term sends SIGTERM; the process must drain and end with exit code 0. One that has only
// just been started does not catch it yet: its log begins behind that.
func (f *fleet) term(p *process) {
	f.t.Helper()
	for end := time.Now().Add(startWithin); p.log.adminAddr() == ""; time.Sleep(20 * time.Millisecond) {
		if f.alive(p); time.Now().After(end) {
			f.t.Fatalf("%s did not begin:\n%s", filepath.Base(p.dir), p.log.tail())
		}
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		f.t.Fatal(err)
	}
	select {
	case err := <-p.ended:
		p.ended <- err
		if err != nil {
			f.t.Errorf("%s after SIGTERM: %v\n%s", filepath.Base(p.dir), err, p.log.tail())
		}
	case <-time.After(drainWithin):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // it prints its goroutines
		_ = p.wait()
		f.t.Fatalf("%s did not drain:\n%s", filepath.Base(p.dir), p.log.tail())
	}
}

// pause stops an instance for a while, as a machine that swaps does.
func (f *fleet) pause(p *process, d time.Duration) {
	f.t.Helper()
	f.alive(p)
	for _, sig := range []os.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		if err := p.cmd.Process.Signal(sig); err != nil {
			f.t.Fatal(err)
		}
		if sig == syscall.SIGSTOP {
			time.Sleep(d)
		}
	}
}

// drain stops all services in order.
func (f *fleet) drain() {
	f.t.Helper()
	for _, tier := range tiers() {
		for len(f.running[tier]) > 0 {
			f.leave(tier, 0)
		}
	}
}

// lockedBuffer keeps a process's log.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.b.Bytes()
	return string(b[max(0, len(b)-6000):])
}

// adminAddr finds the address of the admin endpoints in the log.
func (l *lockedBuffer) adminAddr() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		if _, rest, ok := strings.Cut(line, "admin_addr="); ok {
			addr, _, _ := strings.Cut(rest, " ")
			return strings.TrimSpace(addr)
		}
	}
	return ""
}
