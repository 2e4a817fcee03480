package plans

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"tracksource/report/plan"
)

const (
	// remainderAge is by how much a temporary file is older than the plan that was written
	// last, by the clock of the disk, before it is one that a run left which was killed.
	// Who writes one holds its lock from the moment after it was made.
	remainderAge = 10 * time.Minute
	// remaindersMax bounds what one run removes, and says.
	remaindersMax = 100

	temporaryPattern = ".plan-*.tmp"
	// planBegins is how the file of every plan begins.
	planBegins = "{\n  \"plan_id\": \"plan-"
)

// temporaryName is what os.CreateTemp makes of temporaryPattern.
var temporaryName = regexp.MustCompile(`^\.plan-[0-9]+\.tmp$`)

// temporary makes a file beside the plans, which is locked until it is closed: the lock
// of a process ends with it, however it ends.
func temporary(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, temporaryPattern)
	if err != nil {
		return nil, err
	}
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) // without locks nothing is swept either
	return f, nil
}

// sweep removes what runs left that were killed while they wrote a plan, and says so of
// each. Whatever is not surely such a file stays as it is. Written is a plan that just was.
func (d *Dir) sweep(written string) (said []string) {
	now, err := os.Stat(written)
	if err != nil {
		return nil
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		path := filepath.Join(d.path, e.Name())
		if !temporaryName.MatchString(e.Name()) || !isRemainder(path, now.ModTime()) {
			continue
		}
		if err := os.Remove(path); err == nil {
			said = append(said, fmt.Sprintf("%s is removed: a run was killed while it wrote a plan", path))
		}
		if len(said) == remaindersMax {
			break
		}
	}
	return said
}

// isRemainder reports whether the file is the beginning of a plan that nobody writes any
// more.
func isRemainder(path string, now time.Time) bool {
	named, err := os.Lstat(path)
	if err != nil || !named.Mode().IsRegular() || now.Sub(named.ModTime()) < remainderAge {
		return false
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	if opened, err := f.Stat(); err != nil || !os.SameFile(named, opened) {
		return false
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return false
	}
	begins := make([]byte, len(planBegins))
	n, err := io.ReadFull(f, begins)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	return named.Size() <= plan.BytesMax && strings.HasPrefix(planBegins, string(begins[:n]))
}
