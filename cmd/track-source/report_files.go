package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"tracksource/report"
	"tracksource/report/render"
)

// A package is confidential: its owner alone reads it, and decides who else does.
const (
	packageFileMode = 0o600
	packageDirMode  = 0o700
)

// packageTitleBytes is how much of a title a manifest has room for.
const packageTitleBytes = 200

// madePackage is a package in its directory.
type madePackage struct {
	dir   string
	hash  string // of the manifest
	files []report.ManifestFile
	// there says that the directory held this very package already.
	there bool
	// differ are files that came out otherwise than in the manifest that was made again.
	differ []string
	// swept says what was removed beside the directory.
	swept []string
}

// defaultTarget is a directory of its own for each campaign and moment. The answer of a
// reporter names nothing outside of it.
func defaultTarget(p *report.Package) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, p.Campaign)
	return filepath.Join(defaultOut, name+"-"+p.AsOf.Time.UTC().Format("20060102T150405Z"))
}

// checkTarget says whether a package may go to a directory: a new one, an empty one, or
// one that holds a package, which is compared when the new one is made.
func checkTarget(dir string) error {
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a link, which is not followed: name the directory", dir)
	case !info.IsDir():
		return fmt.Errorf("%s is no directory", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	isManifest := func(e fs.DirEntry) bool { return e.Name() == report.ManifestName }
	if len(entries) > 0 && !slices.ContainsFunc(entries, isManifest) {
		return fmt.Errorf("%s is not empty and holds no package: name another directory by --out", dir)
	}
	return nil
}

// writePackage writes the files of a package and its manifest beside the directory, and
// puts them in its place when all of them are on disk: a directory holds a whole package
// or none.
func writePackage(p *report.Package, a *asked, dir string) (*madePackage, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, packageDirMode); err != nil {
		return nil, err
	}
	w, err := openWorkshop(parent)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	made := &madePackage{dir: dir, swept: w.sweep()}
	if err := made.write(p, a, w.files()); err != nil {
		return made, err
	}
	return made, made.place(w.files())
}

// write fills a directory.
func (m *madePackage) write(p *report.Package, a *asked, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	err = render.Files(p, a.formats, func(name string) (io.WriteCloser, error) { return createFile(root, name) })
	if err != nil {
		return err
	}
	manifest, err := report.NewManifest(aboutPackage(p, a.formats), root.FS())
	if err != nil {
		return err
	}
	if m.files = manifest.Files; a.again != nil {
		if m.differ, err = madeOtherwise(a.again.Files, m.files); err != nil {
			return err
		}
	}
	text, err := manifest.Encode()
	if err != nil {
		return err
	}
	w, err := createFile(root, report.ManifestName)
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		_ = w.Close()
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_, m.hash, err = report.ReadManifest(root.FS()) // as whoever signs it will
	return err
}

func aboutPackage(p *report.Package, formats []render.Format) report.Manifest {
	title := p.Title
	for len(title) > packageTitleBytes {
		_, size := utf8.DecodeLastRuneInString(title)
		title = title[:len(title)-size]
	}
	window := p.Question.Window
	if p.Question.From != "" {
		window += " (" + p.Question.From + ".." + p.Question.To + ")"
	}
	made := report.Made{Question: p.Question, Positions: p.AsOf.Positions, MadeFor: p.MadeFor, Observed: p.Observed}
	for _, f := range formats {
		made.Formats = append(made.Formats, string(f))
	}
	return report.Manifest{
		Campaign: p.Campaign, Title: title, Window: window, AsOf: p.AsOf.Time, Revision: p.Revision, Contract: p.Contract, Made: &made,
	}
}

// madeOtherwise compares the files of a package that was made again with those of the
// first. They are the same bytes, but for workbooks, of which it is the content that is.
func madeOtherwise(first, again []report.ManifestFile) (workbooks []string, err error) {
	var differ []string
	names := map[string]report.ManifestFile{}
	for _, f := range first {
		names[f.Name] = f
	}
	for _, f := range again {
		was, known := names[f.Name]
		delete(names, f.Name)
		switch {
		case known && was == f:
		case known && path.Ext(f.Name) == ".xlsx":
			workbooks = append(workbooks, f.Name)
		default:
			differ = append(differ, f.Name)
		}
	}
	for name := range names {
		differ = append(differ, name)
	}
	if len(differ) > 0 {
		slices.Sort(differ)
		return nil, fmt.Errorf("the package made again is not the one of the manifest: %s came out otherwise; another release of track-source made it, or the data that it was made from is no longer there", strings.Join(differ[:min(len(differ), 5)], ", "))
	}
	return workbooks, nil
}

// createFile makes a file below the root, and directories on the way. It is on disk when
// it is closed without an error.
func createFile(root *os.Root, name string) (io.WriteCloser, error) {
	if dir := path.Dir(name); dir != "." {
		if err := root.MkdirAll(filepath.FromSlash(dir), packageDirMode); err != nil {
			return nil, err
		}
	}
	file, err := root.OpenFile(filepath.FromSlash(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, packageFileMode)
	if err != nil {
		return nil, err
	}
	return &packageFile{file, bufio.NewWriterSize(file, 1<<16)}, nil
}

// packageFile is a file that is synced when it is closed.
type packageFile struct {
	file *os.File
	*bufio.Writer
}

// Close implements io.Closer.
func (f *packageFile) Close() error {
	err := f.Flush()
	if err == nil {
		err = f.file.Sync()
	}
	return errors.Join(err, f.file.Close())
}

// place puts the written directory where the package is wanted.
func (m *madePackage) place(written string) error {
	if err := checkTarget(m.dir); err != nil {
		return err
	}
	if _, err := os.Lstat(m.dir); err == nil {
		entries, err := os.ReadDir(m.dir)
		if err != nil {
			return err
		}
		if len(entries) > 0 {
			if m.there = m.same(); m.there {
				return nil
			}
			return fmt.Errorf("%s holds another package: name another directory by --out", m.dir)
		}
		if err := os.Remove(m.dir); err != nil {
			return err
		}
	}
	if err := syncDirs(written); err != nil {
		return err
	}
	if err := os.Rename(written, m.dir); err != nil {
		return err
	}
	return syncDir(filepath.Dir(m.dir))
}

// same reports whether the package's directory holds the same package, untouched.
func (m *madePackage) same() bool {
	_, hash, err := report.ReadManifest(os.DirFS(m.dir))
	return err == nil && hash == m.hash
}

func syncDirs(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		return syncDir(path)
	})
}

// syncDir makes names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
