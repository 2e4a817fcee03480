package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"tracksource/report/render"
)

const (
	// workshopPattern names the directory beside --out in which a package is written, its
	// files in workshopPackage. workshopLock is locked for as long as that goes on.
	workshopPattern = ".track-source-*"
	workshopPackage = "package"
	workshopLock    = "lock"
	// workshopText is what the lock says to who finds it, and by what a workshop is known.
	workshopText = "track-source writes a package here, and removes this directory.\n"

	// remainderAge is by how much a workshop is older than the newest, by the clock of the
	// disk, before it is one that a run left which was killed. Who writes in one holds its
	// lock from the moment after it was made.
	remainderAge = 10 * time.Minute
	// remaindersMax bounds what one run removes, and says.
	remaindersMax = 100
)

// workshopName is what os.MkdirTemp makes of workshopPattern.
var workshopName = regexp.MustCompile(`^\.track-source-[0-9]+$`)

// workshop is a directory in which a package is written. The lock of a process ends with
// it, however it ends.
type workshop struct {
	dir  string
	lock *os.File
}

func openWorkshop(parent string) (*workshop, error) {
	dir, err := os.MkdirTemp(parent, workshopPattern)
	if err != nil {
		return nil, err
	}
	w := &workshop{dir: dir}
	w.lock, err = os.OpenFile(filepath.Join(dir, workshopLock), os.O_WRONLY|os.O_CREATE|os.O_EXCL, packageFileMode)
	if err == nil {
		_ = syscall.Flock(int(w.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) // without locks no remainder is removed either
		_, err = w.lock.WriteString(workshopText)
	}
	if err == nil {
		err = os.Mkdir(w.files(), packageDirMode)
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// files is where the files of the package go.
func (w *workshop) files() string { return filepath.Join(w.dir, workshopPackage) }

// Close removes the directory, with what of the package was not put in its place.
func (w *workshop) Close() error {
	err := removeWorkshop(w.dir)
	if w.lock != nil {
		err = errors.Join(err, w.lock.Close())
	}
	return err
}

// removeWorkshop removes the lock last: without it the rest would be known for nothing.
func removeWorkshop(dir string) error {
	return errors.Join(os.RemoveAll(filepath.Join(dir, workshopPackage)), os.RemoveAll(dir))
}

// sweep removes the directories that runs left beside the workshop which were killed while
// they wrote a package, and says so of each. Whatever is not surely one stays as it is.
func (w *workshop) sweep() (said []string) {
	now, err := w.lock.Stat()
	if err != nil {
		return nil
	}
	parent := filepath.Dir(w.dir)
	entries, err := os.ReadDir(parent)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		dir := filepath.Join(parent, e.Name())
		if !workshopName.MatchString(e.Name()) || !sweepWorkshop(dir, now.ModTime()) {
			continue
		}
		said = append(said, fmt.Sprintf("%s is removed: a run was killed while it wrote a package", dir))
		if len(said) == remaindersMax {
			break
		}
	}
	return said
}

// sweepWorkshop removes a directory if nobody writes in it any more and it holds nothing
// but what a package is written with.
func sweepWorkshop(dir string, now time.Time) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	file := filepath.Join(dir, workshopLock)
	named, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		// A run that was killed at once left an empty one: no other is removed by this.
		return now.Sub(info.ModTime()) >= remainderAge && os.Remove(dir) == nil
	}
	if err != nil || !named.Mode().IsRegular() || now.Sub(named.ModTime()) < remainderAge {
		return false
	}
	lock, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer lock.Close()
	text := make([]byte, len(workshopText)+1)
	n, _ := lock.Read(text)
	if !strings.HasPrefix(workshopText, string(text[:n])) || syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil || !holdsPackage(dir) {
		return false
	}
	return removeWorkshop(dir) == nil
}

// holdsPackage reports whether all that is in the directory may be of a package.
func holdsPackage(dir string) bool {
	var endings []string
	for _, f := range render.Formats() {
		endings = append(endings, "."+string(f))
	}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == "." || name == workshopLock || e.IsDir() && (name == workshopPackage || strings.HasPrefix(name, workshopPackage+"/")):
			return nil
		case !e.Type().IsRegular() || !strings.HasPrefix(name, workshopPackage+"/") || !slices.Contains(endings, path.Ext(name)):
			return fmt.Errorf("%s is no file of a package", name)
		}
		return nil
	})
	return err == nil
}
