package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"tracksource/report"
)

const (
	// BytesMax bounds a plan's file: what is read of a directory that others write to.
	BytesMax = 4 << 20
	// textMax bounds one text of a plan, in bytes. What is longer belongs into a package.
	textMax = 1000
)

// ErrNoPlan is of a file that is no plan of ours: other tools keep theirs beside them.
var ErrNoPlan = errors.New("this is no plan of track-source")

// VersionError is of a plan that a newer version wrote.
type VersionError struct{ Version int }

// Error implements error.
func (e *VersionError) Error() string {
	return fmt.Sprintf("the plan is of version %d, and %d is the newest that is known here", e.Version, Version)
}

// Encode is the plan as the bytes of its file, sealed. The same plan has the same.
//
// The seal is the SHA-256, in lower-case hexadecimal, of the plan as JSON without the
// seal, with the names of each object in order and no white space.
func (p *Plan) Encode() ([]byte, error) {
	p.Seal = ""
	text, err := encode(p, "")
	if err != nil {
		return nil, fmt.Errorf("write plan: %w", err)
	}
	if p.Seal, err = sealOf(text); err != nil {
		return nil, fmt.Errorf("write plan: %w", err)
	}
	text, err = encode(p, "  ")
	switch {
	case err != nil:
		return nil, fmt.Errorf("write plan: %w", err)
	case len(text) > BytesMax:
		return nil, fmt.Errorf("the plan would have %d bytes, and %d are the most", len(text), BytesMax)
	}
	return text, nil
}

// Decode reads a plan. Edited is whether somebody changed it after it was sealed. The
// error is [ErrNoPlan] for what never was one, and a [VersionError] for a newer one.
func Decode(text []byte) (p *Plan, edited bool, err error) {
	if len(text) > BytesMax {
		return nil, false, fmt.Errorf("a plan has at most %d bytes", BytesMax)
	}
	var is struct {
		TrackSource *struct {
			Version int `json:"version"`
		} `json:"track_source"`
	}
	switch err := json.Unmarshal(text, &is); {
	case err != nil && !json.Valid(text):
		return nil, false, fmt.Errorf("the plan cannot be read: %w", err)
	case err != nil || is.TrackSource == nil:
		return nil, false, ErrNoPlan
	case is.TrackSource.Version > Version:
		return nil, false, &VersionError{is.TrackSource.Version}
	}
	p = new(Plan)
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, false, fmt.Errorf("the plan cannot be read: %w", err)
	}
	seal, err := sealOf(text)
	if err != nil {
		return nil, false, fmt.Errorf("the plan cannot be read: %w", err)
	}
	return p, seal != p.Seal, nil
}

// encode writes JSON with texts as they are: no browser reads a plan as a page.
func encode(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	err := e.Encode(v)
	return b.Bytes(), err
}

// sealOf is the seal that a plan's JSON should have. It is of what the JSON says, not of
// how it is laid out, and of every field, known or not.
func sealOf(text []byte) (string, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var all map[string]any
	if err := d.Decode(&all); err != nil {
		return "", err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", errors.New("something is behind it")
	}
	delete(all, "seal")
	canonical, err := encode(all, "")
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(bytes.TrimSuffix(canonical, []byte("\n")))
	return hex.EncodeToString(sum[:]), nil
}

// clip makes a text of others fit for a plan: valid, on one line, and not endless.
func clip(s string) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\uFFFD"), func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' }), " ")
	if len(s) <= textMax {
		return s
	}
	const more = " …"
	cut := textMax - len(more)
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + more
}

// instant is a time as plans have it: in UTC, to the second.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// The texts of others that have a form are kept where they have it: a plan says nothing
// rather than what its schema refuses.

// decimal is exact decimal text.
func decimal(s string) string {
	if _, err := report.ParseValue(s); err != nil {
		return ""
	}
	return s
}

// day is a day as YYYY-MM-DD.
func day(s string) string {
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return ""
	}
	return s
}

// hash is a SHA-256 in lower-case hexadecimal.
func hash(s string) string {
	if len(s) != hex.EncodedLen(sha256.Size) || strings.Trim(s, "0123456789abcdef") != "" {
		return ""
	}
	return s
}
