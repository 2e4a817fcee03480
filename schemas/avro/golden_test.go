package avro_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"
	twmb "github.com/twmb/avro"

	"tracksource/schemas/avro"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a file, or writes it under -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; if that is meant, run go test -update\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// hexLines writes bytes as lines of 32, so that a change shows where it is.
func hexLines(b []byte) []byte {
	var out strings.Builder
	for len(b) > 0 {
		n := min(32, len(b))
		fmt.Fprintln(&out, hex.EncodeToString(b[:n]))
		b = b[n:]
	}
	return []byte(out.String())
}

func indented(t *testing.T, v any) []byte {
	t.Helper()
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

// TestGoldenBytes pins the bytes of a record with every field set, and that they
// decode into the record beside them: what was written yesterday is read today.
func TestGoldenBytes(t *testing.T) {
	for _, s := range subjects(t) {
		t.Run(s.name, func(t *testing.T) {
			b, err := s.encode(nil, s.sample)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, s.name+".hex", hexLines(b))
			written, err := os.ReadFile(filepath.Join("testdata", "golden", s.name+".hex"))
			if err != nil {
				t.Fatal(err)
			}
			old, err := hex.DecodeString(strings.ReplaceAll(string(written), "\n", ""))
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.decode(old)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, s.name+".json", indented(t, got))
		})
	}
}

// TestForeignReader reads our bytes with a library that is not ours, by the
// schema as it is registered, and writes them back to the same bytes.
func TestForeignReader(t *testing.T) {
	for _, s := range subjects(t) {
		t.Run(s.name, func(t *testing.T) {
			schema, err := avro.Load(s.name)
			if err != nil {
				t.Fatal(err)
			}
			reader, err := goavro.NewCodec(schema.Text)
			if err != nil {
				t.Fatalf("goavro does not parse the schema: %v", err)
			}
			b, err := s.encode(nil, s.sample)
			if err != nil {
				t.Fatal(err)
			}
			_, body, err := avro.ParseHeader(b)
			if err != nil {
				t.Fatal(err)
			}
			native, rest, err := reader.NativeFromBinary(body)
			if err != nil || len(rest) != 0 {
				t.Fatalf("%v, %d bytes remain", err, len(rest))
			}
			back, err := reader.BinaryFromNative(nil, native)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(back, body) {
				t.Errorf("goavro wrote\n%s\nwe wrote\n%s", hexLines(back), hexLines(body))
			}
			fields := native.(map[string]any)
			if s.name == avro.NameContributionRow && fmt.Sprint(fields["value"]) != "-30864/25" {
				t.Errorf("value is %v, want -1234.56", fields["value"])
			}
		})
	}
}

// TestStateVersions holds the version byte of values kept in state to the
// schema: whoever changes the one must raise the other, or a store written
// before the change would be read wrong.
func TestStateVersions(t *testing.T) {
	path := filepath.Join("testdata", "golden", "versions.txt")
	pinned := map[string]string{} // "name version" to fingerprint
	if raw, err := os.ReadFile(path); err == nil {
		for line := range strings.Lines(string(raw)) {
			if f := strings.Fields(line); len(f) == 3 {
				pinned[f[0]+" "+f[1]] = f[2]
			}
		}
	}
	var lines strings.Builder
	for _, name := range avro.Names() {
		schema, err := avro.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := twmb.Parse(schema.Text)
		if err != nil {
			t.Fatal(err)
		}
		sum := hex.EncodeToString(parsed.Fingerprint(sha256.New()))
		if schema.Version == 0 {
			t.Errorf("schema %s has no version", name)
		}
		key := fmt.Sprintf("%s %d", name, schema.Version)
		if old, ok := pinned[key]; ok && old != sum {
			t.Errorf("schema %s changed and its version did not: raise it in versions()", name)
		}
		fmt.Fprintf(&lines, "%s %s\n", key, sum)
	}
	if t.Failed() {
		return // so that -update cannot hide it
	}
	golden(t, "versions.txt", []byte(lines.String()))
}

// TestSchemasAreDocumented asks for words on every record and field, and that
// outputs for BI hold nothing that a connector cannot take.
func TestSchemasAreDocumented(t *testing.T) {
	for _, name := range avro.Names() {
		schema, err := avro.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := twmb.Parse(schema.Text)
		if err != nil {
			t.Fatal(err)
		}
		root := parsed.Root()
		if root.Namespace != "tracksource.v1" {
			t.Errorf("%s: namespace %q", name, root.Namespace)
		}
		undocumented(t, name, root)
		switch name {
		case avro.NameContributionKey, avro.NameContributionRow, avro.NameFeedKey, avro.NameFeedRow:
			flat(t, name, root)
		}
	}
}

func undocumented(t *testing.T, path string, n *twmb.SchemaNode) {
	t.Helper()
	if n.Type == "record" && n.Doc == "" {
		t.Errorf("%s: record %s has no doc", path, n.Name)
	}
	for _, f := range n.Fields {
		if f.Doc == "" {
			t.Errorf("%s.%s has no doc", path, f.Name)
		}
		if f.Type.Type == "union" && !f.HasDefault {
			t.Errorf("%s.%s: an optional field needs its default", path, f.Name)
		}
		undocumented(t, path+"."+f.Name, &f.Type)
	}
	for i := range n.Branches {
		undocumented(t, path, &n.Branches[i])
	}
	if n.Items != nil {
		undocumented(t, path, n.Items)
	}
}

func flat(t *testing.T, name string, root *twmb.SchemaNode) {
	t.Helper()
	for _, f := range root.Fields {
		switch f.Type.Type {
		case "string", "bytes", "long", "int", "boolean":
		default:
			t.Errorf("%s.%s is %s: BI rows are flat", name, f.Name, f.Type.Type)
		}
		if strings.HasPrefix(f.Type.LogicalType, "timestamp-") && f.Type.LogicalType != "timestamp-millis" {
			t.Errorf("%s.%s is %s: Connect turns all but milliseconds into plain integers", name, f.Name, f.Type.LogicalType)
		}
	}
}

func TestLoadUnknown(t *testing.T) {
	for _, name := range []string{"no_such", "", "field"} {
		if _, err := avro.Load(name); err == nil {
			t.Errorf("%q loaded", name)
		}
	}
}
