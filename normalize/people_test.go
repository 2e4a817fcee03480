package normalize_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tracksource/normalize"
)

// TestNoAddressLeaves puts an address into every text of every example, one at
// a time, and looks for it in all that comes out.
func TestNoAddressLeaves(t *testing.T) {
	const marker = "mark.er+1@secret-mail.example"
	inputs, err := filepath.Glob("testdata/*.json")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	src := source(t)
	for _, in := range inputs {
		payload, err := os.ReadFile(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{marker, "/unsubscribe/" + marker + "?utm_source=" + marker, "https://a.com/x?utm_term=mark.er%2B1%40secret-mail.example", "utm_source=" + strings.ReplaceAll(marker, "@", "%40")} {
			n := 0
			var v any
			if err := json.Unmarshal(payload, &v); err != nil {
				t.Fatal(err)
			}
			eachText(v, func(x any) { v = x }, func(set func(any), old any) {
				set(text)
				changed, err := json.Marshal(v)
				set(old)
				if err != nil {
					t.Fatal(err)
				}
				n++
				if out := render(normalize.Decode(src, changed)); strings.Contains(out, "secret-mail") || strings.Contains(out, "mark.er") {
					t.Fatalf("%s: an address came out of\n%s\nas\n%s", in, changed, out)
				}
			})
			if n == 0 {
				t.Fatalf("%s: no text", in)
			}
		}
	}
}

// eachText calls f for each text in v; set puts another value in its place.
func eachText(v any, set func(any), f func(set func(any), old any)) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			eachText(e, func(x any) { v[k] = x }, f)
		}
	case []any:
		for i, e := range v {
			eachText(e, func(x any) { v[i] = x }, f)
		}
	case string:
		f(set, v)
	}
}
