package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	// ErrInUse says that another process has the directory.
	ErrInUse = errors.New("data directory is in use")

	// ErrNewerVersion says that a newer program wrote the directory.
	ErrNewerVersion = errors.New("data directory was written by a newer version")

	// ErrForeign says that the directory holds something else.
	ErrForeign = errors.New("not a data directory of this program")
)

// layoutVersion is the version of the directory's own layout.
const layoutVersion = 1

// asidesMax is how many stores are kept aside, the newest ones. Each is for a
// post-mortem; keeping all would fill the disk of a machine in trouble.
const asidesMax = 3

const (
	versionFile = "VERSION"
	lockFile    = "LOCK"
	probeFile   = "PROBE" // written to see whether the directory can be
	asideDir    = "aside"
	cleanMark   = "CLEAN"
	openingMark = "OPENING"
)

// openingMax is how many times a store may have taken the process down while
// it was being opened before it is set aside: Badger panics in goroutines of
// its own on some corruption, where nobody can recover. It is more than one
// because a process may also be killed in that moment by chance.
const openingMax = 2

// Config describes a Dir. Path and Log are required.
type Config struct {
	Path         string
	MemoryBudget int64 // bytes for all stores together, 512 MiB
	MaxOpen      int   // most stores open at once, by which the budget is divided, 24
	Log          *slog.Logger
	Registerer   prometheus.Registerer // nil: no metrics are exported
	BootID       string                // of this start of the machine; read from the kernel when empty

	// Reserve is the space that must be free to open the directory, 256 MiB; below
	// half of it Watch ends. Free asks for it; nil asks the file system.
	Reserve int64
	Free    func(path string) (int64, error)
}

// Dir is the data directory of one instance.
type Dir struct {
	cfg      Config
	share    share
	lock     *os.File
	setAside *prometheus.CounterVec
	size     *prometheus.GaugeVec
	keys     *prometheus.GaugeVec

	mu   sync.Mutex
	open map[string]*Store // guarded by mu
}

// version is the content of the VERSION file.
type version struct {
	Program string `json:"program"`
	Layout  int    `json:"layout"`
}

// OpenDir opens or makes the directory and takes its lock. The errors that an
// operator can mend say how.
func OpenDir(cfg Config) (*Dir, error) {
	if cfg.Path == "" || cfg.Log == nil {
		return nil, errors.New("state: Config needs Path and Log")
	}
	if cfg.MemoryBudget == 0 {
		cfg.MemoryBudget = budgetDefault
	}
	if cfg.MaxOpen == 0 {
		cfg.MaxOpen = maxOpenDefault
	}
	if cfg.Reserve == 0 {
		cfg.Reserve = reserveDefault
	}
	if cfg.Free == nil {
		cfg.Free = freeSpace
	}
	sh, err := shareOf(cfg.MemoryBudget, cfg.MaxOpen)
	if err != nil {
		return nil, err
	}
	if cfg.BootID == "" {
		b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
		if err != nil {
			return nil, fmt.Errorf("read the machine's boot id: %w", err)
		}
		cfg.BootID = strings.TrimSpace(string(b))
	}
	if err := os.MkdirAll(filepath.Join(cfg.Path, asideDir), 0o700); err != nil {
		return nil, fmt.Errorf("make data directory %s: %w: give one that this user may write with --data-dir", cfg.Path, err)
	}
	lock, err := takeLock(cfg.Path)
	if err != nil {
		return nil, err
	}
	if err := checkVersion(cfg.Path); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	d := &Dir{cfg: cfg, share: sh, lock: lock, open: map[string]*Store{}}
	if err := d.room(cfg.Reserve); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	d.setAside = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tracksource_state_set_aside_total", Help: "Stores put aside because they may not be used, by reason.",
	}, []string{"reason"})
	d.size = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "tracksource_state_bytes", Help: "Bytes on disk of an open store.",
	}, []string{"store"})
	d.keys = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "tracksource_state_keys", Help: "Keys in an open store.",
	}, []string{"store"})
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(d.setAside, d.size, d.keys)
	}
	return d, nil
}

// takeLock locks the directory for as long as the process lives.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(path, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w: give one that this user may write with --data-dir", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		b, _ := os.ReadFile(f.Name()) // only for the message
		return nil, errors.Join(fmt.Errorf("%w: %s, by process %s: stop it, or give another --data-dir",
			ErrInUse, path, strings.TrimSpace(string(b))), f.Close())
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock data directory: %w", err), f.Close())
	}
	return f, nil
}

func checkVersion(path string) error {
	file := filepath.Join(path, versionFile)
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		entries, err := os.ReadDir(path)
		if err != nil {
			return fmt.Errorf("read data directory: %w", err)
		}
		for _, e := range entries {
			if e.Name() != lockFile && e.Name() != asideDir {
				return fmt.Errorf("%w: %s holds %s and no %s file: give an empty or a new --data-dir", ErrForeign, path, e.Name(), versionFile)
			}
		}
		b, err = json.Marshal(version{Program: "track-source", Layout: layoutVersion})
		if err != nil {
			return fmt.Errorf("encode version: %w", err)
		}
		if err := os.WriteFile(file, b, 0o600); err != nil {
			return fmt.Errorf("write data directory: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read data directory: %w", err)
	}
	var v version
	if err := json.Unmarshal(b, &v); err != nil || v.Program != "track-source" {
		return fmt.Errorf("%w: %s: give an empty or a new --data-dir", ErrForeign, file)
	}
	if v.Layout > layoutVersion {
		return fmt.Errorf("%w: %s has layout %d, this program knows %d: run the newer program, or give another --data-dir and let it be rebuilt",
			ErrNewerVersion, path, v.Layout, layoutVersion)
	}
	return nil
}

// Path returns the path of the directory.
func (d *Dir) Path() string { return d.cfg.Path }

// storeName is what a store may be called: it becomes a directory's name.
var storeName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,99}$`)

// Open opens or creates the store called name, such as "attributor-007". A
// store that Badger cannot open, that was left in the middle of a restore, or
// that was not closed before the machine went down, is set aside and replaced
// by an empty one.
func (d *Dir) Open(name string) (*Store, error) {
	if !storeName.MatchString(name) || name == asideDir {
		return nil, fmt.Errorf("open store: %q is no name for one", name)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open[name] != nil {
		return nil, fmt.Errorf("open store %s: it is open already", name)
	}
	path := filepath.Join(d.cfg.Path, name)
	if reason, err := d.unclean(path); err != nil {
		return nil, err
	} else if reason != "" {
		if err := d.putAside(name, reason); err != nil {
			return nil, err
		}
	}
	s, err := d.openStore(name, path)
	if err != nil {
		d.cfg.Log.WarnContext(context.Background(), "store cannot be opened", "store", name, "err", err)
		if err := d.putAside(name, "corrupt"); err != nil {
			return nil, err
		}
		if s, err = d.openStore(name, path); err != nil {
			return nil, fmt.Errorf("open store %s: %w", name, err)
		}
	}
	if s.restoring {
		if err := errors.Join(s.db.Close(), d.putAside(name, "restoring")); err != nil {
			return nil, err
		}
		if s, err = d.openStore(name, path); err != nil {
			return nil, fmt.Errorf("open store %s: %w", name, err)
		}
	}
	d.open[name] = s
	s.measure()
	return s, nil
}

// unclean says why a store that was not closed may not be used: pages written
// through mmap survive the process, not the machine.
func (d *Dir) unclean(path string) (reason string, err error) {
	if _, err := os.Stat(filepath.Join(path, "MANIFEST")); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if opened, err := openings(path); err != nil || opened >= openingMax {
		return "corrupt", err
	}
	b, err := os.ReadFile(filepath.Join(path, cleanMark))
	switch {
	case err == nil && string(b) == "clean":
		return "", nil
	case err == nil && string(b) == d.cfg.BootID:
		return "", nil // the process was killed, the machine stayed up
	case err == nil || errors.Is(err, fs.ErrNotExist):
		return "host-crash", nil
	}
	return "", fmt.Errorf("read clean mark: %w", err)
}

// openings returns how often an opening of the store began and did not end.
func openings(path string) (int, error) {
	b, err := os.ReadFile(filepath.Join(path, openingMark))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read opening mark: %w", err)
	}
	return len(b), nil
}

// beginOpening adds to the count of openings, endOpening clears it.
func beginOpening(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make store directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(path, openingMark), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write opening mark: %w", err)
	}
	_, err = f.WriteString("x")
	return errors.Join(err, f.Close())
}

func endOpening(path string) error { return os.Remove(filepath.Join(path, openingMark)) }

// SetAside moves the closed store called name out of the way, counts it under
// reason and keeps it for a post-mortem.
func (d *Dir) SetAside(name, reason string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open[name] != nil {
		return fmt.Errorf("set store %s aside: it is open", name)
	}
	return d.putAside(name, reason)
}

// putAside is SetAside under the lock.
func (d *Dir) putAside(name, reason string) error {
	asides, err := os.ReadDir(filepath.Join(d.cfg.Path, asideDir))
	if err != nil {
		return fmt.Errorf("read aside directory: %w", err)
	}
	var numbers []int
	for _, e := range asides {
		if n, err := strconv.Atoi(asideNumber(e.Name())); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	next := 1
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	for _, e := range asides {
		if n, err := strconv.Atoi(asideNumber(e.Name())); err == nil && n <= next-asidesMax {
			if err := os.RemoveAll(filepath.Join(d.cfg.Path, asideDir, e.Name())); err != nil {
				return fmt.Errorf("remove an old aside: %w", err)
			}
		}
	}
	to := filepath.Join(d.cfg.Path, asideDir, fmt.Sprintf("%s~%s~%d", name, reason, next))
	if err := os.Rename(filepath.Join(d.cfg.Path, name), to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("set store %s aside: %w", name, err)
	}
	d.setAside.WithLabelValues(reason).Inc()
	d.cfg.Log.WarnContext(context.Background(), "store set aside", "store", name, "reason", reason, "kept_as", to)
	return nil
}

// asideNumber returns the last part of the name of a store that was set aside.
func asideNumber(name string) string { return name[strings.LastIndex(name, "~")+1:] }

// Close closes the stores that are still open and gives the lock up.
func (d *Dir) Close() error {
	d.mu.Lock()
	open := make([]*Store, 0, len(d.open))
	for _, s := range d.open {
		open = append(open, s)
	}
	d.mu.Unlock()
	var errs []error
	for _, s := range open {
		errs = append(errs, s.Close())
	}
	if d.cfg.Registerer != nil {
		d.cfg.Registerer.Unregister(d.setAside)
		d.cfg.Registerer.Unregister(d.size)
		d.cfg.Registerer.Unregister(d.keys)
	}
	return errors.Join(append(errs, d.lock.Close())...)
}
