package state_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"tracksource/state"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func config(path string) state.Config {
	return state.Config{Path: path, MemoryBudget: 64 << 20, MaxOpen: 4, Log: quiet(), BootID: "boot-1"}
}

func openDir(t testing.TB, cfg state.Config) *state.Dir {
	t.Helper()
	d, err := state.OpenDir(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func open(t testing.TB, d *state.Dir, name string) *state.Store {
	t.Helper()
	s, err := d.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func pairs(kv ...string) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		for i := 0; i < len(kv); i += 2 {
			v := []byte(kv[i+1])
			if kv[i+1] == "" {
				v = nil
			}
			if !yield([]byte(kv[i]), v) {
				return
			}
		}
	}
}

// content reads a whole store and holds its digest against a full scan.
func content(t testing.TB, s *state.Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	if err := s.Scan([]byte{0}, []byte{0xff, 0xff}, func(k, v []byte) (bool, error) {
		out[string(k)] = string(v)
		return true, nil
	}); err != nil {
		t.Fatal(err)
	}
	sum, n := s.Digest()
	again, m, err := s.Recompute()
	if err != nil {
		t.Fatal(err)
	}
	if sum != again || n != m || int(n) != len(out) {
		t.Errorf("digest %x of %d keys, recomputed %x of %d, scanned %d", sum, n, again, m, len(out))
	}
	return out
}

// noLeaks fails the test if something it started still runs, once that has had the time
// to end that it may need on a machine that does much else.
func noLeaks(t *testing.T) {
	t.Helper()
	glog := goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon")
	err := goleak.Find(glog)
	for end := time.Now().Add(time.Minute); err != nil && time.Now().Before(end); {
		err = goleak.Find(glog)
	}
	if err != nil {
		t.Error(err)
	}
}

func TestApplyIsKeptWithItsMeta(t *testing.T) {
	defer noLeaks(t)
	cfg := config(t.TempDir())
	d := openDir(t, cfg)
	s := open(t, d, "a-000")
	if err := s.Apply(pairs("k1", "v1", "k2", "v2", "k1", "v3", "k2", ""), []byte("meta 1")); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = openDir(t, cfg)
	defer d.Close()
	s = open(t, d, "a-000")
	if m, err := s.Meta(); err != nil || string(m) != "meta 1" {
		t.Errorf("Meta() = %q, %v", m, err)
	}
	if got, want := content(t, s), map[string]string{"k1": "v3"}; !maps.Equal(got, want) {
		t.Errorf("content = %v, want %v", got, want)
	}
}

func TestTooBigLeavesNothing(t *testing.T) {
	d := openDir(t, config(t.TempDir()))
	defer d.Close()
	s := open(t, d, "a-000")
	if err := s.Apply(pairs("k", "v"), []byte("1")); err != nil {
		t.Fatal(err)
	}
	o := state.NewOverlay(s)
	big := bytes.Repeat([]byte("x"), 10_000)
	for i := range 1000 {
		if err := o.Put([]byte(fmt.Sprint("big", i)), big); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Fits(); !errors.Is(err, state.ErrTooBig) {
		t.Errorf("Fits() = %v, want ErrTooBig", err)
	}
	if err := o.Commit([]byte("2")); !errors.Is(err, state.ErrTooBig) {
		t.Errorf("Commit() = %v, want ErrTooBig", err)
	}
	o.Discard()
	if got := content(t, s); len(got) != 1 {
		t.Errorf("%d keys after a write that was too big", len(got))
	}
	if m, _ := s.Meta(); string(m) != "1" {
		t.Errorf("Meta() = %q", m)
	}
}

// TestFitsPromisesCommit: whatever Fits lets through, Commit takes.
func TestFitsPromisesCommit(t *testing.T) {
	d := openDir(t, config(t.TempDir()))
	defer d.Close()
	s := open(t, d, "a-000")
	for _, size := range []int{1, 20, 100, 1000, 20_000} {
		o := state.NewOverlay(s)
		n := 0
		for ; o.Fits() == nil; n++ {
			if err := o.Put([]byte(fmt.Sprintf("%d-%d", size, n)), bytes.Repeat([]byte("x"), size)); err != nil {
				t.Fatal(err)
			}
		}
		if err := o.Delete([]byte(fmt.Sprintf("%d-%d", size, n-1))); err != nil {
			t.Fatal(err)
		}
		if err := o.Fits(); err != nil {
			t.Fatal(err)
		}
		if err := o.Commit([]byte("m")); err != nil {
			t.Errorf("values of %d bytes: Commit() of %d changes that fit = %v", size, n-1, err)
		}
	}
	content(t, s)
}

// TestOverlay compares an overlay over a store with a map, operation by
// operation.
func TestOverlay(t *testing.T) {
	d := openDir(t, config(t.TempDir()))
	defer d.Close()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		name := fmt.Sprintf("o-%d", run)
		s, err := d.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		o := state.NewOverlay(s)
		stored, seen := map[string]string{}, map[string]string{}
		key := rapid.StringMatching(`[a-c]{1,3}`)
		for range rapid.IntRange(1, 40).Draw(t, "operations") {
			switch rapid.IntRange(0, 6).Draw(t, "operation") {
			case 0, 1, 2:
				k, v := key.Draw(t, "key"), rapid.StringMatching(`[x-z]{1,2}`).Draw(t, "value")
				put := o.Put
				if _, found := seen[k]; !found && rapid.Bool().Draw(t, "known to be new") {
					put = o.PutNew
				}
				seen[k] = v
				if err := put([]byte(k), []byte(v)); err != nil {
					t.Fatal(err)
				}
			case 3:
				k := key.Draw(t, "key")
				delete(seen, k)
				if err := o.Delete([]byte(k)); err != nil {
					t.Fatal(err)
				}
			case 4:
				stored = maps.Clone(seen)
				if err := o.Commit([]byte("m")); err != nil {
					t.Fatal(err)
				}
			case 5:
				seen = maps.Clone(stored)
				o.Discard()
			case 6:
				from, to := key.Draw(t, "from"), key.Draw(t, "to")
				checkScan(t, o, seen, from, to, rapid.IntRange(1, 5).Draw(t, "stop after"))
			}
		}
		checkScan(t, o, seen, "", "zzzz", 1000)
		for k := range o.Staged() {
			if stored[string(k)] == seen[string(k)] {
				t.Fatalf("%q is staged although nothing changed", k)
			}
		}
		if err := o.Commit([]byte("m")); err != nil {
			t.Fatal(err)
		}
		sum, n := s.Digest()
		again, m, err := s.Recompute()
		if err != nil || sum != again || n != m || int(n) != len(seen) {
			t.Fatalf("digest %x of %d, recomputed %x of %d, want %d keys, %v", sum, n, again, m, len(seen), err)
		}
	})
}

// TestOverlayBeyondItsBounds is TestOverlay with more keys than one list of them
// takes, and with more bytes than are kept over batches.
func TestOverlayBeyondItsBounds(t *testing.T) {
	d := openDir(t, config(t.TempDir()))
	defer d.Close()
	for seed := range uint64(4) {
		s := open(t, d, fmt.Sprint("o-", seed))
		o := state.NewOverlay(s)
		stored, seen := map[string]string{}, map[string]string{}
		random := rand.New(rand.NewPCG(seed, 0))
		key := func() string { return fmt.Sprint("key", random.IntN(400)) }
		for range 30 {
			var err error
			for range 160 {
				k := key()
				if v, err := o.Get([]byte(k)); err != nil || string(v) != seen[k] {
					t.Fatalf("seed %d: Get(%q) gives %d bytes, %v, want %d", seed, k, len(v), err, len(seen[k]))
				}
				switch k = key(); random.IntN(4) {
				case 0:
					delete(seen, k)
					err = o.Delete([]byte(k))
				case 1:
					seen[k] = strings.Repeat(string(rune('a'+random.IntN(20))), 5000+random.IntN(5000))
					err = o.Put([]byte(k), []byte(seen[k]))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if random.IntN(8) == 0 {
				seen = maps.Clone(stored)
				o.Discard()
				continue
			}
			stored = maps.Clone(seen)
			if err := o.Commit([]byte("m")); err != nil {
				t.Fatal(err)
			}
		}
		if got := content(t, s); !maps.Equal(got, seen) {
			t.Errorf("seed %d: the store has %d keys, want %d", seed, len(got), len(seen))
		}
	}
}

func checkScan(t *rapid.T, o *state.Overlay, seen map[string]string, from, to string, limit int) {
	var got, want []string
	if err := o.Scan([]byte(from), []byte(to), func(k, v []byte) (bool, error) {
		got = append(got, string(k)+"="+string(v))
		return len(got) < limit, nil
	}); err != nil {
		t.Fatal(err)
	}
	keys := slices.Sorted(maps.Keys(seen))
	for _, k := range keys {
		if k >= from && k < to && len(want) < limit {
			want = append(want, k+"="+seen[k])
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("Scan(%q, %q) = %v, want %v", from, to, got, want)
	}
	got, want = nil, nil
	if err := o.ScanBack([]byte(from), []byte(to), func(k, v []byte) (bool, error) {
		got = append(got, string(k)+"="+string(v))
		return len(got) < limit, nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, k := range slices.Backward(keys) {
		if k >= from && k < to && len(want) < limit {
			want = append(want, k+"="+seen[k])
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("ScanBack(%q, %q) = %v, want %v", from, to, got, want)
	}
	for k := range seen {
		if v, err := o.Get([]byte(k)); err != nil || string(v) != seen[k] {
			t.Fatalf("Get(%q) = %q, %v, want %q", k, v, err, seen[k])
		}
	}
}

// asides lists what was set aside, with its reasons.
func asides(t *testing.T, path string) string {
	t.Helper()
	es, err := os.ReadDir(filepath.Join(path, "aside"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range es {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestSetAside(t *testing.T) {
	tests := []struct {
		name, reason string
		spoil        func(t *testing.T, cfg *state.Config, store string)
	}{
		{"corrupt manifest", "corrupt", func(t *testing.T, _ *state.Config, store string) {
			if err := os.WriteFile(filepath.Join(store, "MANIFEST"), []byte("garbage"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"twice dead on opening", "corrupt", func(t *testing.T, _ *state.Config, store string) {
			if err := os.WriteFile(filepath.Join(store, "OPENING"), []byte("xx"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"host crash", "host-crash", func(t *testing.T, cfg *state.Config, store string) {
			if err := os.WriteFile(filepath.Join(store, "CLEAN"), []byte(cfg.BootID), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg.BootID = "boot-2"
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(t.TempDir())
			d := openDir(t, cfg)
			if err := open(t, d, "a-000").Apply(pairs("k", "v"), []byte("m")); err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			tt.spoil(t, &cfg, filepath.Join(cfg.Path, "a-000"))
			d = openDir(t, cfg)
			defer d.Close()
			s := open(t, d, "a-000")
			if m, err := s.Meta(); m != nil || err != nil {
				t.Errorf("Meta() of the new store = %q, %v", m, err)
			}
			if got := asides(t, cfg.Path); !strings.Contains(got, "~"+tt.reason+"~") {
				t.Errorf("set aside: %q, want reason %s", got, tt.reason)
			}
		})
	}
}

// TestHalfRestored: chunks whose checkpoint never came are not taken for state.
func TestHalfRestored(t *testing.T) {
	cfg := config(t.TempDir())
	d := openDir(t, cfg)
	s := open(t, d, "a-000")
	if err := s.ApplyChunk(pairs("k", "v")); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = openDir(t, cfg)
	defer d.Close()
	if got := content(t, open(t, d, "a-000")); len(got) != 0 {
		t.Errorf("content = %v, want none", got)
	}
	if got := asides(t, cfg.Path); !strings.Contains(got, "~restoring~") {
		t.Errorf("set aside: %q", got)
	}
	s = open(t, d, "b-000")
	if err := errors.Join(s.ApplyChunk(pairs("k", "v")), s.Apply(pairs("l", "w"), []byte("m")), s.Close()); err != nil {
		t.Fatal(err)
	}
	if got := content(t, open(t, d, "b-000")); len(got) != 2 {
		t.Errorf("content of the whole restore = %v", got)
	}
}

func TestAsidesAreBounded(t *testing.T) {
	cfg := config(t.TempDir())
	d := openDir(t, cfg)
	defer d.Close()
	for range 12 {
		if err := errors.Join(open(t, d, "a-000").Close(), d.SetAside("a-000", "test")); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Fields(asides(t, cfg.Path)); len(got) != 3 || !slices.Contains(got, "a-000~test~12") {
		t.Errorf("kept aside: %v, want the newest three", got)
	}
}

func TestDirErrors(t *testing.T) {
	used := config(t.TempDir())
	d := openDir(t, used)
	defer d.Close()
	newer := config(t.TempDir())
	if err := os.WriteFile(filepath.Join(newer.Path, "VERSION"), []byte(`{"program":"track-source","layout":99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := config(t.TempDir())
	if err := os.WriteFile(filepath.Join(foreign.Path, "photo.jpg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	small := config(t.TempDir())
	small.MemoryBudget = 1 << 20
	file := config(filepath.Join(foreign.Path, "photo.jpg"))
	full := config(t.TempDir())
	full.Free = func(string) (int64, error) { return 200 << 20, nil }
	tests := []struct {
		name string
		cfg  state.Config
		is   error
		text string
	}{
		{"in use", used, state.ErrInUse, fmt.Sprintf("by process %d", os.Getpid())},
		{"newer", newer, state.ErrNewerVersion, "run the newer program"},
		{"foreign", foreign, state.ErrForeign, "photo.jpg"},
		{"small budget", small, nil, "give at least"},
		{"not a directory", file, nil, "--data-dir"},
		{"full disk", full, state.ErrNoSpace, "has 200 MiB free and needs 256"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := state.OpenDir(tt.cfg)
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("OpenDir() = %v, want %v with %q", err, tt.is, tt.text)
			}
		})
	}
}

// TestWatch: a disk that fills up, or that can no longer be written, ends the
// watch in time, and what was written before is there when there is room again.
func TestWatch(t *testing.T) {
	cfg := config(t.TempDir())
	free := make(chan int64, 100)
	cfg.Reserve = 1 << 20
	left := int64(1 << 20)
	cfg.Free = func(string) (int64, error) {
		select {
		case left = <-free:
		default:
		}
		return left, nil
	}
	d := openDir(t, cfg)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- d.Watch(ctx) }()
	select {
	case err := <-ended:
		t.Fatalf("it ended with the whole reserve free: %v", err)
	case <-time.After(time.Second):
	}
	free <- 1<<19 - 1
	if err := <-ended; !errors.Is(err, state.ErrNoSpace) || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("Watch() = %v, want ErrNoSpace", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.Free = nil
	d = openDir(t, cfg)
	defer d.Close()
	if err := os.RemoveAll(cfg.Path); err != nil { // as good as a disk that went away
		t.Fatal(err)
	}
	if err := d.Watch(ctx); err == nil || errors.Is(err, state.ErrNoSpace) {
		t.Errorf("Watch() = %v on a directory that cannot be written", err)
	}
}

// TestKilled applies in a process of its own, kills it at random, and looks at
// what is left: state and meta agree, and the digest is that of the state.
func TestKilled(t *testing.T) {
	if path := os.Getenv("STATE_TEST_VICTIM"); path != "" {
		victim(t, path)
		return
	}
	cfg := config(t.TempDir())
	last := 0
	for round := range 6 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), "STATE_TEST_VICTIM="+cfg.Path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil { // it has written once
			t.Fatal(err)
		}
		time.Sleep(time.Duration(30+round*17) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()

		d := openDir(t, cfg)
		s := open(t, d, "a-000")
		got := content(t, s)
		m, err := s.Meta()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		if _, err := fmt.Sscanf(string(m), "%d", &n); err != nil {
			t.Fatalf("meta %q: %v", m, err)
		}
		if n <= last || len(got) != min(n, 500) {
			t.Errorf("round %d: meta says %d writes (before: %d), the store has %d keys", round, n, last, len(got))
		}
		for k, v := range got {
			i := 0
			if _, err := fmt.Sscanf(v, "%d", &i); err != nil || i > n || fmt.Sprint("k", i%500) != k || n-i >= 500 {
				t.Errorf("round %d: %s = %s after %d writes", round, k, v, n)
			}
		}
		last = n
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func victim(t *testing.T, path string) {
	d := openDir(t, config(path))
	s := open(t, d, "a-000")
	m, err := s.Meta()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	_, _ = fmt.Sscanf(string(m), "%d", &n)
	for first := true; ; first = false {
		n++
		if err := s.Apply(pairs(fmt.Sprint("k", n%500), fmt.Sprint(n)), []byte(fmt.Sprint(n))); err != nil {
			t.Fatal(err)
		}
		if first {
			os.Stdout.WriteString("x")
		}
	}
}

func BenchmarkApply1000(b *testing.B) {
	d := openDir(b, state.Config{Path: b.TempDir(), Log: quiet(), BootID: "b"})
	defer d.Close()
	s := open(b, d, "a-000")
	value := bytes.Repeat([]byte("x"), 100)
	n := 0
	for b.Loop() {
		o := state.NewOverlay(s)
		for range 1000 {
			n++
			if err := o.Put([]byte(fmt.Sprintf("key-%09d", n*7919%200_000)), append([]byte(fmt.Sprint(n)), value...)); err != nil {
				b.Fatal(err)
			}
		}
		if err := o.Commit([]byte("m")); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "changes/s")
}

// BenchmarkReadModifyWrite1000 is what a fold does: it reads a key and writes it.
func BenchmarkReadModifyWrite1000(b *testing.B) {
	d := openDir(b, state.Config{Path: b.TempDir(), Log: quiet(), BootID: "b"})
	defer d.Close()
	s := open(b, d, "a-000")
	value := bytes.Repeat([]byte("x"), 100)
	n := 0
	for b.Loop() {
		o := state.NewOverlay(s)
		for range 1000 {
			n++
			key := fmt.Appendf(nil, "key-%09d", n*7919%200_000)
			if _, err := o.Get(key); err != nil {
				b.Fatal(err)
			}
			if err := o.Put(key, append([]byte(fmt.Sprint(n)), value...)); err != nil {
				b.Fatal(err)
			}
		}
		if err := o.Commit([]byte("m")); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "changes/s")
}
