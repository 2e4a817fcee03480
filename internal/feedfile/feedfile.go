// Package feedfile reads a partner's events from a file, one native event after
// the other: JSON lines, a JSON array, or CSV. It knows formats of files and
// nothing of what an event means, but for the name of the object that the rows of
// a CRM's export are.
package feedfile

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// The formats.
const (
	NDJSON = "ndjson" // a JSON value a line
	JSON   = "json"   // one JSON array, or JSON values one after the other
	CSV    = "csv"    // with a header
)

// Formats lists them.
func Formats() []string { return []string{NDJSON, JSON, CSV} }

// FormatOf tells the format by a file's name; empty when it does not say.
func FormatOf(name string) string {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".ndjson", ".jsonl":
		return NDJSON
	case ".json":
		return JSON
	case ".csv":
		return CSV
	}
	return ""
}

// Options say how a file is read.
type Options struct {
	Format string // one of Formats
	// Type is the Salesforce object that the rows of a CSV file are, such as
	// Opportunity; empty: by the columns.
	Type string
	// Key is the member or column whose value is an event's key: events of one key
	// stay in their order. Empty: Id where rows have it, else none.
	Key string
}

// Event is one event of a file.
type Event struct {
	Line  int
	Key   []byte // nil: none
	Value []byte // JSON
}

// EventBytesMax bounds one event, as feeds do.
const EventBytesMax = 1 << 20

// Read calls fn for each event. Its errors name the line. An error of fn ends it.
func Read(r io.Reader, o Options, fn func(Event) error) error {
	in := bufio.NewReaderSize(r, 1<<16)
	if mark, err := in.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = in.Discard(3) // it has been peeked at
	}
	switch o.Format {
	case NDJSON:
		return readLines(in, o, fn)
	case JSON:
		return readJSON(in, o, fn)
	case CSV:
		return readCSV(in, o, fn)
	}
	return fmt.Errorf("format %q is none of %s", o.Format, strings.Join(Formats(), ", "))
}

func readLines(in *bufio.Reader, o Options, fn func(Event) error) error {
	for line := 1; ; line++ {
		text, err := readLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("line %d: %w", line, err)
		}
		end := err != nil
		if text = bytes.TrimSpace(text); len(text) > 0 {
			if !json.Valid(text) {
				return fmt.Errorf("line %d is not JSON", line)
			}
			if err := fn(Event{Line: line, Key: keyOf(text, o.Key), Value: text}); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
	}
}

// readLine reads up to the end of a line.
func readLine(in *bufio.Reader) ([]byte, error) {
	var text []byte
	for {
		part, err := in.ReadSlice('\n')
		if text = append(text, part...); len(text) > EventBytesMax {
			return nil, fmt.Errorf("longer than %d bytes", EventBytesMax)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text, err
		}
	}
}

func readJSON(in *bufio.Reader, o Options, fn func(Event) error) error {
	counted := &lineCounter{in: in}
	dec := json.NewDecoder(counted)
	skipped := int64(0)
	bad := func(err error) error {
		at := dec.InputOffset()
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			at = max(at, syntax.Offset)
		}
		return fmt.Errorf("line %d is not JSON: %w", counted.lineAt(skipped+at), err)
	}
	first, err := in.Peek(1)
	for err == nil && bytes.ContainsAny(first, " \t\r\n") {
		_, _ = counted.Read(make([]byte, 1)) // it has been peeked at
		skipped++
		first, err = in.Peek(1)
	}
	array := err == nil && first[0] == '['
	if array {
		if _, err := dec.Token(); err != nil {
			return bad(err)
		}
	}
	for {
		if array && !dec.More() {
			_, err := dec.Token()
			if err != nil {
				return bad(err)
			}
			return nil
		}
		var v json.RawMessage
		if err := dec.Decode(&v); errors.Is(err, io.EOF) && !array {
			return nil
		} else if err != nil {
			return bad(err)
		}
		line := counted.lineAt(skipped + dec.InputOffset())
		if len(v) > EventBytesMax {
			return fmt.Errorf("line %d: an event longer than %d bytes", line, EventBytesMax)
		}
		if err := fn(Event{Line: line, Key: keyOf(v, o.Key), Value: bytes.Clone(v)}); err != nil {
			return err
		}
	}
}

// lineCounter knows in which line an offset is.
type lineCounter struct {
	in     io.Reader
	read   int64
	before int     // lines that end before what is in breaks
	breaks []int64 // offsets of the line ends that may still be asked for
}

// Read implements io.Reader.
func (c *lineCounter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	for i, b := range p[:n] {
		if b == '\n' {
			c.breaks = append(c.breaks, c.read+int64(i))
		}
	}
	c.read += int64(n)
	return n, err
}

// lineAt returns the line of an offset; those before it are never asked for again.
func (c *lineCounter) lineAt(offset int64) int {
	i, _ := slices.BinarySearch(c.breaks, offset)
	c.before += i
	c.breaks = c.breaks[i:]
	return c.before + 1
}

// keyOf returns the member of an event that is its key.
func keyOf(value []byte, member string) []byte {
	if member == "" {
		return nil
	}
	var o map[string]any
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	if dec.Decode(&o) != nil {
		return nil
	}
	switch v := o[member].(type) {
	case string:
		return []byte(v)
	case json.Number:
		return []byte(v.String())
	}
	return nil
}

func readCSV(in io.Reader, o Options, fn func(Event) error) error {
	rows := csv.NewReader(in)
	rows.FieldsPerRecord = -1
	rows.ReuseRecord = true
	first, err := rows.Read()
	if err != nil {
		return errors.New("line 1 has no header")
	}
	header := make([]string, len(first))
	for i, name := range first {
		header[i] = strings.TrimSpace(name)
		if header[i] == "" || slices.Contains(header[:i], header[i]) {
			return fmt.Errorf("line 1: column %d has no name of its own", i+1)
		}
	}
	typ := o.Type
	if typ == "" {
		typ = exportType(header)
	}
	key := o.Key
	if key == "" {
		key = "Id"
	} else if !slices.Contains(header, key) {
		return fmt.Errorf("line 1: there is no column %q for the key", key)
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err // it names the line
		}
		line, _ := rows.FieldPos(0)
		if len(row) > len(header) {
			return fmt.Errorf("line %d: %d columns under a header of %d", line, len(row), len(header))
		}
		event := map[string]any{}
		for i, text := range row {
			event[header[i]] = text
		}
		if typ != "" {
			event["attributes"] = map[string]any{"type": typ}
		}
		value, err := json.Marshal(event)
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		ev := Event{Line: line, Value: value}
		if id, ok := event[key].(string); ok && id != "" {
			ev.Key = []byte(id)
		}
		if err := fn(ev); err != nil {
			return err
		}
	}
}

// exportType tells by its columns which Salesforce object a row is; empty for what
// is no export of one.
func exportType(header []string) string {
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(n string) bool { return !slices.Contains(header, n) })
	}
	switch {
	case !has("Id") || !has("SystemModstamp") && !has("LastModifiedDate") && !has("CreatedDate"):
		return ""
	case has("OpportunityId", "StageName"):
		return "OpportunityHistory"
	case has("OpportunityId", "ContactId"):
		return "OpportunityContactRole"
	case has("CampaignId", "ContactId"), has("CampaignId", "LeadId"):
		return "CampaignMember"
	case has("StageName"):
		return "Opportunity"
	case has("IsConverted"), has("Email", "Status"):
		return "Lead"
	case has("Email"):
		return "Contact"
	case has("Website"), has("NumberOfEmployees"), has("BillingCountry"):
		return "Account"
	}
	return ""
}
