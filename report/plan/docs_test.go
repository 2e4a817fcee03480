package plan_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocsPlan: what docs/plan.md shows of plans is in the golden files.
func TestDocsPlan(t *testing.T) {
	doc, err := os.ReadFile("../../docs/plan.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/foreign/validate.py")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`text = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=False)`, `seal == hashlib.sha256(text.encode()).hexdigest()`} {
		if !strings.Contains(string(doc), line) || !strings.Contains(string(script), line) {
			t.Errorf("document and script do not both compute the seal by %s", line)
		}
	}
	var golden []any
	for _, name := range []string{"completed", "failed"} {
		text, err := os.ReadFile("testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var p struct {
			TrackSource any `json:"track_source"`
		}
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatal(err)
		}
		golden = append(golden, p.TrackSource)
	}
	shown := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(doc, -1)
	if len(shown) < 2 {
		t.Fatalf("%d pieces of plans are shown", len(shown))
	}
	for _, m := range shown {
		text := "{" + strings.ReplaceAll(string(m[1]), "\n]\n\"", "\n],\n\"") + "}"
		var piece any
		if err := json.Unmarshal([]byte(text), &piece); err != nil {
			t.Errorf("%v in\n%s", err, text)
			continue
		}
		if !slices.ContainsFunc(golden, func(all any) bool { return within(piece, all) }) {
			t.Errorf("in no golden file is\n%s", text)
		}
	}
}

// within is whether a value shows nothing but what the whole has: fields of objects and
// items of lists may be left out.
func within(piece, all any) bool {
	switch p := piece.(type) {
	case map[string]any:
		whole, ok := all.(map[string]any)
		for name, v := range p {
			ok = ok && within(v, whole[name])
		}
		return ok
	case []any:
		whole, ok := all.([]any)
		for _, v := range p {
			ok = ok && slices.ContainsFunc(whole, func(w any) bool { return within(v, w) })
		}
		return ok
	}
	return piece == all
}
