package api_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tracksource/internal/api"
)

func TestTokenLine(t *testing.T) {
	for _, c := range []struct{ name, partner, want string }{
		{"ann", "", "- {name: ann, role: operator, token_sha256: "},
		{"acme-board", "acme", "- {name: acme-board, role: partner, partner: acme, token_sha256: "},
	} {
		token, g, err := api.NewToken(rand.Reader, c.name, c.partner)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(token, "tsk_") || len(token) != 4+43 {
			t.Errorf("the token has %d characters", len(token))
		}
		line := g.Line()
		if !strings.HasPrefix(line, c.want) || strings.Contains(line, token) {
			t.Errorf("the line is %s, want %s", line, c.want)
		}
		grants, err := api.ParseAccess([]byte(line))
		if err != nil || len(grants) != 1 || grants[0] != g {
			t.Errorf("the line is read as %+v, %v", grants, err)
		}
	}
	for _, name := range []string{"", "Ann", "a b", "a}", strings.Repeat("a", 64)} {
		if _, _, err := api.NewToken(rand.Reader, name, ""); err == nil {
			t.Errorf("the name %q is taken", name)
		}
	}
	if _, _, err := api.NewToken(rand.Reader, "ann", "Acme, Inc."); err == nil {
		t.Error("a partner that is no id is taken")
	}
	if _, _, err := api.NewToken(bytes.NewReader(nil), "ann", ""); err == nil {
		t.Error("a token is drawn of nothing")
	}
}

func TestParseAccess(t *testing.T) {
	a, b := strings.Repeat("0a", 32), strings.Repeat("0b", 32)
	for name, c := range map[string]struct{ text, err string }{
		"YAML":             {"# who\n- name: ann\n  role: operator\n  token_sha256: " + a, ""},
		"JSON":             {`[{"name":"ann","role":"partner","partner":"acme","token_sha256":"` + a + `"}]`, ""},
		"empty":            {"# nobody yet\n", "is not a list"},
		"empty list":       {"[]", "lets nobody in"},
		"a mapping":        {"tokens: []", "is not a list"},
		"two documents":    {"[]\n---\n[]", "is not a list"},
		"unknown member":   {`[{"name":"ann","role":"operator","token_sha256":"` + a + `","admin":true}]`, "is not a list"},
		"member twice":     {`[{"name":"ann","name":"bob","role":"operator","token_sha256":"` + a + `"}]`, "is not a list"},
		"role":             {"- {name: ann, role: root, token_sha256: " + a + "}", "entry 1 of the access file: role must be"},
		"no role":          {"- {name: ann, token_sha256: " + a + "}", "role must be"},
		"partner missing":  {"- {name: ann, role: partner, token_sha256: " + a + "}", "partner must be"},
		"operator of one":  {"- {name: ann, role: operator, partner: acme, token_sha256: " + a + "}", "an operator has no partner"},
		"name":             {"- {name: Ann, role: operator, token_sha256: " + a + "}", "name must be"},
		"short hash":       {"- {name: ann, role: operator, token_sha256: 0a0a}", "64 lower-case"},
		"upper-case hash":  {"- {name: ann, role: operator, token_sha256: " + strings.ToUpper(a) + "}", "64 lower-case"},
		"the token itself": {"- {name: ann, role: operator, token_sha256: tsk_secret}", "64 lower-case"},
		"name twice":       {"- {name: ann, role: operator, token_sha256: " + a + "}\n- {name: ann, role: operator, token_sha256: " + b + "}", "entry 2 of the access file has the name of entry 1"},
		"token twice":      {"- {name: ann, role: operator, token_sha256: " + a + "}\n- {name: bob, role: operator, token_sha256: " + a + "}", "entry 2 of the access file has the token of entry 1"},
		"too large":        {strings.Repeat("#", 1<<20+1), "more than"},
		"too many":         {strings.Repeat("- {}\n", 1001), "more than 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := api.ParseAccess([]byte(c.text))
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("%v, want %q", err, c.err)
			}
			if err != nil && strings.Contains(err.Error(), "tsk_secret") {
				t.Errorf("the error has the token: %v", err)
			}
		})
	}
}

func FuzzParseAccess(f *testing.F) {
	sum := strings.Repeat("0a", 32)
	for _, s := range []string{"", "[]", "- {name: ann, role: operator, token_sha256: " + sum + "}", `[{"name":"a","role":"partner","partner":"acme","token_sha256":"` + sum + `"}]`, "- &a {name: x}\n- *a", "a: b"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		grants, err := api.ParseAccess(text)
		if err != nil {
			if grants != nil {
				t.Fatalf("%q: grants beside %v", text, err)
			}
			return
		}
		var lines []string
		for _, g := range grants {
			lines = append(lines, g.Line())
		}
		again, err := api.ParseAccess([]byte(strings.Join(lines, "\n")))
		if err != nil || len(again) != len(grants) {
			t.Fatalf("%q is written as %q, which is %v", text, lines, err)
		}
		for i := range again {
			if again[i] != grants[i] {
				t.Fatalf("%q is written as %q", text, lines)
			}
		}
	})
}

// accessFile writes an access file and returns its path and the tokens of its
// names.
func accessFile(t testing.TB, holders ...[2]string) (path string, tokens map[string]string) {
	t.Helper()
	tokens = map[string]string{}
	var text strings.Builder
	for _, h := range holders {
		token, g, err := api.NewToken(rand.Reader, h[0], h[1])
		if err != nil {
			t.Fatal(err)
		}
		tokens[h[0]] = token
		text.WriteString(g.Line() + "\n")
	}
	path = filepath.Join(t.TempDir(), "access.yaml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, tokens
}

func TestAccessFileThatIsNotThere(t *testing.T) {
	_, err := api.Made(config(func(c *api.Config) { c.AccessFile = filepath.Join(t.TempDir(), "none") }), &tide{})
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "--access-file") {
		t.Errorf("error %v", err)
	}
}
