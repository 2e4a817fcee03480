package report

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// ManifestName is the file of a package that says what is in it.
const ManifestName = "manifest.json"

const (
	// manifestVersion is that of a manifest that says how its package was made,
	// manifestUnmade that of one which only says what is in it: it can be signed, and
	// nobody can make the package again.
	manifestVersion = 2
	manifestUnmade  = 1
	// ManifestBytesMax is what is read of a manifest at most: anybody may have made it.
	ManifestBytesMax = 4 << 20
	manifestFilesMax = 10_000
	manifestTextMax  = 200 // bytes of a title or a window
	manifestNamesMax = 5   // of each kind in a ManifestError
)

// Manifest says what a reporting package is of and what is in it. Partners sign its
// hash: with it they have signed every byte of the package.
type Manifest struct {
	Version  int       `json:"version"`
	Campaign string    `json:"campaign"`
	Title    string    `json:"title"`
	Window   string    `json:"window"` // as reports name it
	AsOf     time.Time `json:"as_of"`  // whatever came later is not in it
	// Revision and Contract are the number and the hash of the contract that the
	// package was made by.
	Revision int64          `json:"revision"`
	Contract string         `json:"contract"`
	Made     *Made          `json:"made,omitempty"`
	Files    []ManifestFile `json:"files"` // in the order of names, without the manifest
}

// Made is how a package was made: all that it takes to make the same one again.
type Made struct {
	Question PackageQuestion `json:"question"`
	// Positions are those of [AsOf], without which nobody can make it again. MadeFor is
	// that of [Package].
	Positions map[string][]int64 `json:"positions"`
	MadeFor   string             `json:"made_for"`
	Formats   []string           `json:"formats"`
	// Observed cannot be seen again, so that it is kept.
	Observed Observed `json:"observed"`
}

// ManifestFile is one file of a package.
type ManifestFile struct {
	Name   string `json:"name"`   // with slashes, from the package's directory
	SHA256 string `json:"sha256"` // lower-case hexadecimal
	Bytes  int64  `json:"bytes"`
}

// ManifestError is how a package differs from its manifest.
type ManifestError struct {
	Changed, Missing, Added []string // names, in order
}

// Error implements error.
func (e *ManifestError) Error() string {
	var parts []string
	for _, p := range []struct {
		what  string
		names []string
	}{{"changed", e.Changed}, {"missing", e.Missing}, {"not in the manifest", e.Added}} {
		if len(p.names) == 0 {
			continue
		}
		shown := strings.Join(p.names[:min(len(p.names), manifestNamesMax)], ", ")
		if more := len(p.names) - manifestNamesMax; more > 0 {
			shown += fmt.Sprintf(" and %d more", more)
		}
		parts = append(parts, p.what+": "+shown)
	}
	return "the package is not what its manifest says; " + strings.Join(parts, "; ")
}

// NewManifest is the manifest of the files of a package, which about says the rest of.
func NewManifest(about Manifest, pkg fs.FS) (Manifest, error) {
	files, err := packageFiles(pkg)
	if err != nil {
		return Manifest{}, err
	}
	about.Version, about.Files, about.AsOf = manifestVersion, files, about.AsOf.UTC()
	if about.Made == nil {
		about.Version = manifestUnmade
	}
	return about, about.check()
}

// Encode is the manifest as the bytes of its file. The same manifest has the same.
func (m *Manifest) Encode() ([]byte, error) {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write manifest: %w", err)
	}
	return append(b, '\n'), nil
}

// ReadManifest reads the manifest of a package and holds every file of the package
// against it: a difference is a [ManifestError]. The hash is what partners sign, the
// SHA-256 of the manifest's bytes in lower-case hexadecimal.
func ReadManifest(pkg fs.FS) (m Manifest, hash string, err error) {
	f, err := pkg.Open(ManifestName)
	if err != nil {
		return Manifest{}, "", fmt.Errorf("read manifest: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, ManifestBytesMax+1))
	switch {
	case err != nil:
		return Manifest{}, "", fmt.Errorf("read manifest: %w", err)
	case len(text) > ManifestBytesMax:
		return Manifest{}, "", fmt.Errorf("the manifest has more than %d bytes", ManifestBytesMax)
	}
	if m, hash, err = ParseManifest(text); err != nil {
		return Manifest{}, "", err
	}
	there, err := packageFiles(pkg)
	if err != nil {
		return Manifest{}, "", err
	}
	if e := manifestDifference(m.Files, there); e != nil {
		return Manifest{}, "", e
	}
	return m, hash, nil
}

// ParseManifest reads the bytes of a manifest, without the files that it is about.
func ParseManifest(text []byte) (m Manifest, hash string, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields() // what nobody looks at must not be signed
	if err := d.Decode(&m); err != nil {
		return Manifest{}, "", fmt.Errorf("the manifest cannot be read: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Manifest{}, "", errors.New("the manifest cannot be read: something is behind it")
	}
	if err := m.check(); err != nil {
		return Manifest{}, "", fmt.Errorf("manifest: %w", err)
	}
	sum := sha256.Sum256(text)
	return m, hex.EncodeToString(sum[:]), nil
}

func (m *Manifest) check() error {
	switch {
	case m.Version != manifestVersion && m.Version != manifestUnmade:
		return fmt.Errorf("version %d is not known, %d and %d are", m.Version, manifestUnmade, manifestVersion)
	case (m.Version == manifestVersion) != (m.Made != nil):
		return fmt.Errorf("made says how the package was made, which a manifest of version %d does and one of version %d does not", manifestVersion, manifestUnmade)
	case m.Campaign == "" || m.Title == "" || m.AsOf.IsZero():
		return errors.New("campaign, title and as_of say what the package is of")
	case len(m.Title) > manifestTextMax || len(m.Window) > manifestTextMax:
		return fmt.Errorf("title and window have at most %d bytes", manifestTextMax)
	case len(m.Files) == 0 || len(m.Files) > manifestFilesMax:
		return fmt.Errorf("a package has 1 to %d files", manifestFilesMax)
	}
	for i, f := range m.Files {
		sum, err := hex.DecodeString(f.SHA256)
		switch {
		case !fs.ValidPath(f.Name) || f.Name == "." || f.Name == ManifestName:
			return fmt.Errorf("%.100q is no file of a package", f.Name)
		case i > 0 && m.Files[i-1].Name >= f.Name:
			return fmt.Errorf("files are not in the order of their names, each once: %.100q", f.Name)
		case err != nil || len(sum) != sha256.Size || strings.ToLower(f.SHA256) != f.SHA256 || f.Bytes < 0:
			return fmt.Errorf("%.100q has no hash and size", f.Name)
		}
	}
	if m.Made != nil {
		return m.Made.check()
	}
	return nil
}

func (m *Made) check() error {
	q := &m.Question
	switch {
	case q.Window == "" || q.Model == "" || q.View == "" || !slices.Contains(Details(), q.Detail) || len(q.Dimensions) == 0:
		return errors.New("made: the question has no window, model, view, detail or dimensions")
	case (q.Window == WindowCustom) && (q.From == "" || q.To == ""):
		return errors.New("made: the question has no days")
	case len(m.Formats) == 0:
		return errors.New("made: there are no formats")
	}
	for topic, offsets := range m.Positions {
		if topic == "" || len(offsets) == 0 || slices.Min(offsets) < 0 {
			return fmt.Errorf("made: %.100q has no positions", topic)
		}
	}
	return nil
}

// packageFiles reads all files of a package but its manifest.
func packageFiles(pkg fs.FS) ([]ManifestFile, error) {
	var files []ManifestFile
	err := fs.WalkDir(pkg, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() || name == ManifestName:
			return nil
		case !e.Type().IsRegular():
			return fmt.Errorf("%s is no plain file: a link may lead elsewhere tomorrow", name)
		case len(files) == manifestFilesMax:
			return fmt.Errorf("there are more than %d files", manifestFilesMax)
		}
		f, err := hashFile(pkg, name)
		files = append(files, f)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read package: %w", err)
	}
	slices.SortFunc(files, func(a, b ManifestFile) int { return cmp.Compare(a.Name, b.Name) })
	return files, nil
}

func hashFile(pkg fs.FS, name string) (ManifestFile, error) {
	f, err := pkg.Open(name)
	if err != nil {
		return ManifestFile{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return ManifestFile{Name: name, SHA256: hex.EncodeToString(h.Sum(nil)), Bytes: n}, err
}

// manifestDifference is nil for the same files. Both are in the order of names.
func manifestDifference(want, there []ManifestFile) *ManifestError {
	var e ManifestError
	for len(want) > 0 || len(there) > 0 {
		switch {
		case len(there) == 0 || len(want) > 0 && want[0].Name < there[0].Name:
			e.Missing, want = append(e.Missing, want[0].Name), want[1:]
		case len(want) == 0 || there[0].Name < want[0].Name:
			e.Added, there = append(e.Added, there[0].Name), there[1:]
		default:
			if want[0] != there[0] {
				e.Changed = append(e.Changed, want[0].Name)
			}
			want, there = want[1:], there[1:]
		}
	}
	if len(e.Changed)+len(e.Missing)+len(e.Added) == 0 {
		return nil
	}
	return &e
}
