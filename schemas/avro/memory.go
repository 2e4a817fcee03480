package avro

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
)

const (
	// memorySchemasMax bounds what a registry in process holds: it is for one
	// machine's demo and for tests, not for a company.
	memorySchemasMax = 4096
	// schemaBytesMax bounds one schema, and so one request to [Handler].
	schemaBytesMax = 1 << 20
	// subjectBytesMax bounds the name of a subject: a topic has at most 249
	// characters, and the strategy adds a suffix.
	subjectBytesMax = 512
)

// Memory is a registry in process, the embedded default. Its ids are derived
// from the text of the schema, not counted: the same schemas have the same ids in
// every run and in whatever order services start, so that even a lost file
// leaves the records of our own schemas readable.
//
// It is safe for concurrent use. Schemas are never deleted.
type Memory struct {
	path string // empty when nothing is kept on disk

	mu       sync.RWMutex
	schemas  map[int]string      // guarded by mu; by id, compact JSON
	ids      map[string]int      // guarded by mu; the inverse of schemas
	subjects map[string]*subject // guarded by mu
	global   Compatibility       // guarded by mu
}

// subject holds the versions of one subject; version n is at n-1.
type subject struct {
	versions []int         // schema ids
	level    Compatibility // empty: the global one
}

var _ Registry = (*Memory)(nil)

// NewMemory gives an empty registry that ends with the process.
func NewMemory() *Memory {
	return &Memory{
		schemas:  make(map[int]string),
		ids:      make(map[string]int),
		subjects: make(map[string]*subject),
		// The default of the Confluent registry.
		global: Backward,
	}
}

// Schema gives the text of a schema by id, or [ErrUnknownSchema].
func (m *Memory) Schema(_ context.Context, id int) (string, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	text, ok := m.schemas[id]
	if !ok {
		return "", fmt.Errorf("%w: %d", ErrUnknownSchema, id)
	}
	return text, nil
}

// Lookup gives the id of a schema in a subject, or [ErrNotFound].
func (m *Memory) Lookup(_ context.Context, name, text string) (int, error) {
	text, err := compact(text)
	if err != nil {
		return 0, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	s, ok := m.subjects[name]
	id, known := m.ids[text]
	if !ok || !known || !slices.Contains(s.versions, id) {
		return 0, fmt.Errorf("schema in subject %q: %w", name, ErrNotFound)
	}
	return id, nil
}

// Register gives the id of a schema in a subject, adding it as a new version
// when it is not there. Under [OpenFile] it is on disk when Register returns; on
// an error nothing has changed.
func (m *Memory) Register(_ context.Context, name, text string) (int, error) {
	text, err := compact(text)
	if err != nil {
		return 0, err
	}
	if name == "" || len(name) > subjectBytesMax {
		return 0, fmt.Errorf("%w: a subject name has 1 to %d bytes", ErrSchema, subjectBytesMax)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.subjects[name]
	if s == nil {
		s = new(subject)
	}
	if id, ok := m.ids[text]; ok && slices.Contains(s.versions, id) {
		return id, nil
	}
	if err := CheckCompatible(m.levelOf(s), m.texts(s), text); err != nil {
		return 0, fmt.Errorf("register in subject %q: %w", name, err)
	}
	id, isNew := m.idFor(text)
	if isNew && len(m.schemas) >= memorySchemasMax {
		return 0, fmt.Errorf("%w: the registry in process holds at most %d schemas", ErrTooLarge, memorySchemasMax)
	}
	err = m.change(func(next *Memory) {
		next.schemas[id], next.ids[text] = text, id
		next.subjects[name] = &subject{versions: append(slices.Clone(s.versions), id), level: s.level}
	})
	if err != nil {
		return 0, err
	}
	return id, nil
}

// SetCompatibility sets the policy of a subject; the empty name is the global
// one. Under [OpenFile] it is on disk when the call returns.
func (m *Memory) SetCompatibility(_ context.Context, name string, level Compatibility) error {
	if _, _, _, err := level.directions(); err != nil {
		return err
	}
	if len(name) > subjectBytesMax {
		return fmt.Errorf("%w: a subject name has at most %d bytes", ErrSchema, subjectBytesMax)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.subjects[name]; !ok && len(m.subjects) >= memorySchemasMax {
		return fmt.Errorf("%w: the registry in process holds at most %d subjects", ErrTooLarge, memorySchemasMax)
	}
	return m.change(func(next *Memory) {
		if name == "" {
			next.global = level
			return
		}
		s := subject{level: level}
		if old := next.subjects[name]; old != nil {
			s.versions = old.versions
		}
		next.subjects[name] = &s
	})
}

// change applies edit to a copy, saves the copy, and only then makes it what
// readers see. The caller holds mu.
func (m *Memory) change(edit func(*Memory)) error {
	next := &Memory{
		path:     m.path,
		schemas:  maps.Clone(m.schemas),
		ids:      maps.Clone(m.ids),
		subjects: maps.Clone(m.subjects),
		global:   m.global,
	}
	edit(next)
	if err := next.save(); err != nil {
		return err
	}
	m.schemas, m.ids, m.subjects, m.global = next.schemas, next.ids, next.subjects, next.global
	return nil
}

// idFor gives the id of a text: 31 bits of its SHA-256, the next free one when
// another text holds it. The caller holds mu.
func (m *Memory) idFor(text string) (id int, isNew bool) {
	if id, ok := m.ids[text]; ok {
		return id, false
	}
	sum := sha256.Sum256([]byte(text))
	id = int(binary.BigEndian.Uint32(sum[:]) & math.MaxInt32)
	for {
		// Some clients take 0 for "no id".
		if id == 0 || id > math.MaxInt32 {
			id = 1
		}
		if _, taken := m.schemas[id]; !taken {
			return id, true
		}
		id++
	}
}

// levelOf gives the policy in force. The caller holds mu.
func (m *Memory) levelOf(s *subject) Compatibility {
	if s.level != "" {
		return s.level
	}
	return m.global
}

// texts gives the versions of a subject, the oldest first. The caller holds mu.
func (m *Memory) texts(s *subject) []string {
	texts := make([]string, 0, len(s.versions))
	for _, id := range s.versions {
		texts = append(texts, m.schemas[id])
	}
	return texts
}

// compact gives one text for the spellings of a schema that differ in white
// space alone.
func compact(text string) (string, error) {
	if len(text) > schemaBytesMax {
		return "", fmt.Errorf("%w: a schema has at most %d bytes", ErrTooLarge, schemaBytesMax)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(strings.TrimSpace(text))); err != nil {
		return "", fmt.Errorf("%w: %w", ErrSchema, err)
	}
	return b.String(), nil
}

// snapshot gives all versions, sorted by subject and version.
func (m *Memory) snapshot() fileContent {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.content()
}

// level gives the policy in force for a subject, known or not; that of the empty
// name is the global one.
func (m *Memory) level(name string) Compatibility {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if s := m.subjects[name]; s != nil {
		return m.levelOf(s)
	}
	return m.global
}
