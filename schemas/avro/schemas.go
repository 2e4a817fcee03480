package avro

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"

	twmb "github.com/twmb/avro"
)

//go:embed *.avsc
var files embed.FS

// Schema is one of our own record schemas: self-contained, every type it refers
// to written out where it is first used.
type Schema struct {
	// Name is the name of its file without .avsc, such as "observation".
	Name string
	// Version is the first byte of values kept in state, see [Codec.AppendBare].
	// It rises with every change of the schema.
	Version byte
	// Text is compact JSON: what is registered.
	Text string

	parsed *twmb.Schema
	// plain reads the same bytes without a look at what decimals are worth: for a Go
	// value they are bytes, and the library would make a big.Rat of each before it hands
	// the bytes on. What another schema wrote is resolved with parsed, which knows scales.
	plain *twmb.Schema
}

// The names of our record schemas, as [Load] takes them.
const (
	NameObservation     = "observation"
	NameJourneyEvent    = "journey_event"
	NameControl         = "control"
	NameContract        = "contract"
	NameCreditEntry     = "credit_entry"
	NameContributionKey = "contribution_key"
	NameContributionRow = "contribution_row"
	NameAlert           = "alert"
	NameDeadLetter      = "dead_letter"
	NameFactsKey        = "facts_key"
	NameFacts           = "facts"
	NameFeedKey         = "feed_key"
	NameFeedRow         = "feed_row"
)

// versions gives each record, in a fixed order, the schema version of its
// values in state. A test holds it to the schema: whoever changes an .avsc raises
// the number of each record that contains it.
func versions() []struct {
	name   string
	number byte
} {
	return []struct {
		name   string
		number byte
	}{
		{NameObservation, 12},
		{NameJourneyEvent, 10},
		{NameControl, 9},
		{NameContract, 3},
		{NameCreditEntry, 4},
		{NameContributionKey, 2},
		{NameContributionRow, 2},
		{NameAlert, 2},
		{NameDeadLetter, 1},
		{NameFactsKey, 1},
		{NameFacts, 4},
		{NameFeedKey, 1},
		{NameFeedRow, 1},
	}
}

// Names lists our record schemas in a fixed order.
func Names() []string {
	var names []string
	for _, v := range versions() {
		names = append(names, v.name)
	}
	return names
}

// parts are the files that others refer to by the full name of their record.
// Each may refer only to the ones after it, so that one pass resolves all.
func parts() [][2]string {
	return [][2]string{
		{"tracksource.v1.Control", "control.avsc"},
		{"tracksource.v1.ContractRecord", "contract.avsc"},
		{"tracksource.v1.TouchFacts", "touch_facts.avsc"},
		{"tracksource.v1.Field", "field.avsc"},
	}
}

// Load gives one of our schemas by its name. It fails only for a name that is
// not in [Names].
func Load(name string) (Schema, error) {
	return LoadFrom(files, name)
}

// LoadFrom is [Load] for the .avsc files of another build, such as a released one.
func LoadFrom(fsys fs.FS, name string) (Schema, error) {
	text, err := assemble(fsys, name+".avsc")
	if err != nil {
		return Schema{}, fmt.Errorf("load schema %s: %w", name, err)
	}
	parsed, err := twmb.Parse(text)
	if err != nil {
		return Schema{}, fmt.Errorf("load schema %s: %w: %w", name, ErrSchema, err)
	}
	plain, err := twmb.Parse(strings.ReplaceAll(text, `"logicalType":"decimal",`, ""))
	if err != nil {
		return Schema{}, fmt.Errorf("load schema %s: %w: %w", name, ErrSchema, err)
	}
	for _, v := range versions() {
		if v.name == name {
			return Schema{Name: name, Version: v.number, Text: text, parsed: parsed, plain: plain}, nil
		}
	}
	return Schema{}, fmt.Errorf("load schema %s: %w: it is a part of others, see Names", name, ErrSchema)
}

// assemble writes each referred type out at its first use and makes the JSON
// compact. It works on the text, not on a parsed tree, because the order of
// attributes must stay the same for ever: registries tell schemas apart by it.
func assemble(fsys fs.FS, file string) (string, error) {
	raw, err := fs.ReadFile(fsys, file)
	if err != nil {
		return "", fmt.Errorf("read: %w", err)
	}
	text := string(raw)
	for _, part := range parts() {
		name, file := part[0], part[1]
		reference := `"` + name + `"`
		if !strings.Contains(text, reference) {
			continue
		}
		raw, err := fs.ReadFile(fsys, file)
		if err != nil {
			return "", fmt.Errorf("read %s: %w", name, err)
		}
		text = strings.Replace(text, reference, string(raw), 1)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(text)); err != nil {
		return "", fmt.Errorf("%w: %w", ErrSchema, err)
	}
	return compact.String(), nil
}
