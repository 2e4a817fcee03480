package feedfile_test

import (
	"fmt"
	"strings"
	"testing"

	"tracksource/internal/feedfile"
)

func read(t *testing.T, text string, o feedfile.Options) (string, error) {
	t.Helper()
	var all []string
	err := feedfile.Read(strings.NewReader(text), o, func(e feedfile.Event) error {
		all = append(all, fmt.Sprintf("%d %s %s", e.Line, e.Key, e.Value))
		return nil
	})
	return strings.Join(all, "\n"), err
}

func TestRead(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", 100_000) + `"}`
	tests := []struct {
		name, text string
		o          feedfile.Options
		want       string
	}{
		{"lines", "{\"a\":1}\n\n  {\"a\":2}\r\n3", feedfile.Options{Format: feedfile.NDJSON}, "1  {\"a\":1}\n3  {\"a\":2}\n4  3"},
		{"a long line", long + "\n{}", feedfile.Options{Format: feedfile.NDJSON}, "1  " + long + "\n2  {}"},
		{"byte order mark", "\ufeff{}\n", feedfile.Options{Format: feedfile.NDJSON}, "1  {}"},
		{"keys", `{"id":7}` + "\n" + `{"id":"x"}` + "\n" + `{"id":[]}` + "\n" + `[1]`, feedfile.Options{Format: feedfile.NDJSON, Key: "id"}, "1 7 {\"id\":7}\n2 x {\"id\":\"x\"}\n3  {\"id\":[]}\n4  [1]"},
		{"nothing", "", feedfile.Options{Format: feedfile.NDJSON}, ""},
		{"an array", " \n[{\"a\":1},\n{\"a\":2}\n]\n", feedfile.Options{Format: feedfile.JSON}, "2  {\"a\":1}\n3  {\"a\":2}"},
		{"an empty array", "[]", feedfile.Options{Format: feedfile.JSON}, ""},
		{"values", "{\"a\":1} {\"a\":2}\n{\"a\":3}", feedfile.Options{Format: feedfile.JSON}, "1  {\"a\":1}\n1  {\"a\":2}\n2  {\"a\":3}"},
		{"CSV", "who,\"what, else\"\n1,\"a\nb\"\n2\n", feedfile.Options{Format: feedfile.CSV}, "2  {\"what, else\":\"a\\nb\",\"who\":\"1\"}\n4  {\"who\":\"2\"}"},
		{"a CRM's export", "Id,StageName,LastModifiedDate\n006,Won,2026\n", feedfile.Options{Format: feedfile.CSV}, `2 006 {"Id":"006","LastModifiedDate":"2026","StageName":"Won","attributes":{"type":"Opportunity"}}`},
		{"said by its type", "Id,a\n1,2\n", feedfile.Options{Format: feedfile.CSV, Type: "Lead", Key: "a"}, `2 2 {"Id":"1","a":"2","attributes":{"type":"Lead"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := read(t, tt.text, tt.o)
			if err != nil || got != tt.want {
				t.Errorf("error %v, got\n%.300s\nwant\n%.300s", err, got, tt.want)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	tests := []struct {
		name, text string
		o          feedfile.Options
		want       string
	}{
		{"no JSON", "{}\n{\n", feedfile.Options{Format: feedfile.NDJSON}, "line 2 is not JSON"},
		{"too long", "\n" + strings.Repeat("x", 2<<20), feedfile.Options{Format: feedfile.NDJSON}, "line 2: longer than"},
		{"a cut off array", "[{},\n{}", feedfile.Options{Format: feedfile.JSON}, "line 2 is not JSON"},
		{"a bad value", "[{},\n\n{a}]", feedfile.Options{Format: feedfile.JSON}, "line 3 is not JSON"},
		{"too long a value", `["` + strings.Repeat("x", 2<<20) + `"]`, feedfile.Options{Format: feedfile.JSON}, "line 1: an event longer than"},
		{"no header", "", feedfile.Options{Format: feedfile.CSV}, "line 1 has no header"},
		{"a column twice", "a,a\n", feedfile.Options{Format: feedfile.CSV}, "line 1: column 2 has no name of its own"},
		{"too many columns", "a\n1\n1,2\n", feedfile.Options{Format: feedfile.CSV}, "line 3: 2 columns under a header of 1"},
		{"a broken quote", "a\n\"x\n", feedfile.Options{Format: feedfile.CSV}, "line 2"},
		{"no column for the key", "a\n", feedfile.Options{Format: feedfile.CSV, Key: "b"}, "there is no column \"b\""},
		{"another format", "", feedfile.Options{Format: "xml"}, "is none of ndjson, json, csv"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := read(t, tt.text, tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestFormatOf(t *testing.T) {
	for name, want := range map[string]string{"a.JSONL": feedfile.NDJSON, "a.ndjson": feedfile.NDJSON, "b.json": feedfile.JSON, "c.csv": feedfile.CSV, "d": "", "e.txt": ""} {
		if got := feedfile.FormatOf(name); got != want {
			t.Errorf("FormatOf(%q) = %q, want %q", name, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{"{}\n", "[{},1]", "a,b\n1,2\n", "Id,StageName,CreatedDate\n1,2,3"} {
		for i := range feedfile.Formats() {
			f.Add([]byte(seed), i)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, format int) {
		formats := feedfile.Formats()
		o := feedfile.Options{Format: formats[uint(format)%uint(len(formats))]}
		_ = feedfile.Read(strings.NewReader(string(data)), o, func(e feedfile.Event) error {
			if len(e.Value) == 0 || e.Line < 1 {
				t.Errorf("%+v", e)
			}
			return nil
		})
	})
}
