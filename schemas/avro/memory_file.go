package avro

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// fileFormat is the version of the registry's file. A file of a higher one is
// refused, never overwritten.
const fileFormat = 1

type fileContent struct {
	Format        int           `json:"format"`
	Compatibility Compatibility `json:"compatibility"`
	Versions      []fileVersion `json:"versions"`
	Policies      []filePolicy  `json:"policies"`
}

type fileVersion struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
	ID      int    `json:"id"`
	Schema  string `json:"schema"`
}

type filePolicy struct {
	Subject       string        `json:"subject"`
	Compatibility Compatibility `json:"compatibility"`
}

// OpenFile gives a registry kept in one JSON file, which need not exist yet; its
// directory must. Each change is on disk, synced, before the call that made it
// returns. A file that does not hold together is an error and is left as it is.
// One process at a time may have the file open.
func OpenFile(path string) (*Memory, error) {
	m := NewMemory()
	m.path = path
	raw, err := os.ReadFile(path) //nolint:gosec // the path is the operator's data directory
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open registry file: %w", err)
	}
	if err := m.restore(raw); err != nil {
		return nil, fmt.Errorf("registry file %s is not usable: %w; restore it from a copy, "+
			"or move it away to have the schemas registered anew", path, err)
	}
	return m, nil
}

func (m *Memory) restore(raw []byte) error {
	var content fileContent
	if err := json.Unmarshal(raw, &content); err != nil {
		return fmt.Errorf("parse: %w", err)
	}
	if content.Format != fileFormat {
		return fmt.Errorf("format %d, this build reads %d", content.Format, fileFormat)
	}
	if _, _, _, err := content.Compatibility.directions(); err != nil {
		return err
	}
	m.global = content.Compatibility
	for _, v := range content.Versions {
		if err := m.restoreVersion(v); err != nil {
			return fmt.Errorf("subject %q version %d: %w", v.Subject, v.Version, err)
		}
	}
	for _, p := range content.Policies {
		if _, _, _, err := p.Compatibility.directions(); err != nil {
			return fmt.Errorf("subject %q: %w", p.Subject, err)
		}
		m.subject(p.Subject).level = p.Compatibility
	}
	return nil
}

func (m *Memory) restoreVersion(v fileVersion) error {
	if err := CheckCompatible(None, nil, v.Schema); err != nil {
		return err
	}
	text, err := compact(v.Schema)
	if err != nil {
		return err
	}
	if v.ID <= 0 || v.ID > math.MaxInt32 {
		return fmt.Errorf("id %d is not within 1 and %d", v.ID, math.MaxInt32)
	}
	if old, ok := m.schemas[v.ID]; ok && old != text {
		return fmt.Errorf("id %d is given to two schemas", v.ID)
	}
	if old, ok := m.ids[text]; ok && old != v.ID {
		return fmt.Errorf("one schema has the ids %d and %d", old, v.ID)
	}
	s := m.subject(v.Subject)
	if v.Version != len(s.versions)+1 {
		return fmt.Errorf("version %d was expected next", len(s.versions)+1)
	}
	m.schemas[v.ID], m.ids[text] = text, v.ID
	s.versions = append(s.versions, v.ID)
	return nil
}

// subject gives the subject of a name, new if need be. It is for restore, which
// has the registry to itself.
func (m *Memory) subject(name string) *subject {
	s := m.subjects[name]
	if s == nil {
		s = new(subject)
		m.subjects[name] = s
	}
	return s
}

// save writes the registry to a new file beside the old one, syncs it, puts it
// in the old one's place and syncs the directory: a crash leaves the one or the
// other, whole.
func (m *Memory) save() error {
	if m.path == "" {
		return nil
	}
	raw, err := json.MarshalIndent(m.content(), "", "  ")
	if err != nil {
		return fmt.Errorf("save registry: %w", err)
	}
	if err := replaceFile(m.path, append(raw, '\n')); err != nil {
		return fmt.Errorf("save registry: %w", err)
	}
	return nil
}

// content gives the registry in a stable order, so that equal registries have
// equal files.
func (m *Memory) content() fileContent {
	content := fileContent{Format: fileFormat, Compatibility: m.global, Versions: []fileVersion{}, Policies: []filePolicy{}}
	for _, name := range m.sortedSubjects() {
		s := m.subjects[name]
		for i, id := range s.versions {
			content.Versions = append(content.Versions, fileVersion{Subject: name, Version: i + 1, ID: id, Schema: m.schemas[id]})
		}
		if s.level != "" {
			content.Policies = append(content.Policies, filePolicy{Subject: name, Compatibility: s.level})
		}
	}
	return content
}

func (m *Memory) sortedSubjects() []string {
	names := make([]string, 0, len(m.subjects))
	for name := range m.subjects {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func replaceFile(path string, content []byte) error {
	dir := filepath.Dir(path)
	file, err := os.CreateTemp(dir, filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return syncDir(dir)
}

func syncDir(path string) error {
	dir, err := os.Open(path) //nolint:gosec // the operator's data directory
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
