// Package plans keeps the plans of reporting packages as files in a directory, which
// other tools and people write to as well.
//
// It knows files: how one is made so that a crash leaves the old or the new, and how
// somebody else's hand is noticed. It must not know what a plan says.
package plans

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"tracksource/report/plan"
)

// DirDefault is where campaign teams' tools look for plans.
const DirDefault = ".claude/plans"

const (
	// readMax is how many plans are looked through for the last of a campaign, the
	// newest first. Years of weekly plans of a hundred campaigns are fewer.
	readMax = 2000
	// notesMax bounds what is said of plans that nothing is learnt from.
	notesMax = 20
	// secondMax is how many plans may be begun in one second.
	secondMax = 1000

	fileMode = 0o600 // a plan tells what partners agreed among themselves
	dirMode  = 0o700
)

// errEmpty is of a name that a run has taken and written nothing to.
var errEmpty = errors.New("the plan is empty: its run was killed before it was written, or is about to write it")

// Config is what a Dir is made of.
type Config struct {
	Path string // of the directory; DirDefault if empty
	// Now tells the time.
	Now func() time.Time
	// Timeout bounds each try of a pull; 0 has the plan's own bounds.
	Timeout time.Duration
	// Wait waits, until the context ends; nil waits by the clock.
	Wait func(context.Context, time.Duration) error
}

// Dir is a directory of plans. It is made when the first plan is begun.
type Dir struct {
	path   string
	schema *Schema
	now    func() time.Time
	wait   func(context.Context, time.Duration) error
	most   time.Duration // of a try; 0: the plan's
}

// Open returns the directory, which need not exist.
func Open(cfg Config) (*Dir, error) {
	if cfg.Now == nil {
		return nil, errors.New("plans: Now is missing")
	}
	schema, err := NewSchema()
	if err != nil {
		return nil, err
	}
	d := &Dir{path: cmp.Or(cfg.Path, DirDefault), schema: schema, now: cfg.Now, wait: cfg.Wait, most: cfg.Timeout}
	if d.wait == nil {
		d.wait = wait
	}
	return d, nil
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Entry is one plan of a directory.
type Entry struct {
	Path   string
	Plan   *plan.Plan // nil for a file that cannot be read
	Edited bool       // somebody changed it after it was written
	Err    error      // why it cannot be read
}

// List returns the plans of track-source, the newest first; those of other tools are
// passed over. Left is how many older files were not looked at.
func (d *Dir) List() (entries []Entry, left int, err error) {
	names, err := d.names()
	if err != nil {
		return nil, 0, err
	}
	for i, name := range names {
		if i == readMax {
			return entries, len(names) - i, nil
		}
		e := Entry{Path: filepath.Join(d.path, name)}
		var text []byte
		if text, e.Err = Read(e.Path); e.Err == nil {
			e.Plan, e.Edited, e.Err = plan.Decode(text)
		}
		if !errors.Is(e.Err, plan.ErrNoPlan) && !errors.Is(e.Err, fs.ErrNotExist) {
			entries = append(entries, e)
		}
	}
	return entries, 0, nil
}

var fileName = regexp.MustCompile(`^plan-([0-9]{8}-[0-9]{6})(?:-([0-9]{1,9}))?\.json$`)

// names lists the files that are called as plans are, the newest first.
func (d *Dir) names() ([]string, error) {
	files, err := os.ReadDir(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read plans: %w", err)
	}
	type named struct {
		name, second string
		n            int
	}
	var found []named
	for _, f := range files {
		if m := fileName.FindStringSubmatch(f.Name()); m != nil {
			n, _ := strconv.Atoi(m[2]) // empty is the first
			found = append(found, named{f.Name(), m[1], n})
		}
	}
	slices.SortFunc(found, func(a, b named) int {
		return cmp.Or(cmp.Compare(b.second, a.second), cmp.Compare(b.n, a.n), cmp.Compare(b.name, a.name))
	})
	names := make([]string, len(found))
	for i, f := range found {
		names[i] = f.name
	}
	return names, nil
}

// Read reads the file of a plan: a plain one, not where a link leads.
func Read(path string) ([]byte, error) {
	switch is, err := os.Lstat(path); {
	case err != nil:
		return nil, err
	case !is.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no plain file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, plan.BytesMax+1))
	if err == nil && len(text) == 0 {
		err = fmt.Errorf("%s: %w", path, errEmpty)
	}
	return text, err
}

// create makes a file that was not there.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	return f.Close()
}

// replace puts the text in the place of the file: after a crash it is the old or the
// new. When it returns, it is on the disk.
func replace(path string, text []byte) (err error) {
	f, err := temporary(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
		_ = f.Close() // it is synced, and locked until it has its name
	}()
	if _, err := f.Write(text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	_ = dir.Sync() // not every system has it for directories
	return nil
}
