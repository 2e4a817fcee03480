package arch_test

import (
	"bytes"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// sourceMaxBytes is the size from which on a file is taken for data.
const sourceMaxBytes = 1 << 20

// source is a text file of the repository.
type source struct {
	path string // from the module's root, with slashes
	text string
}

// loadSources reads every text file below the module's root. It walks the tree
// instead of asking git, so that it also works where there is no repository.
func loadSources(t *testing.T) []source {
	t.Helper()
	root := os.DirFS("../..")
	var sources []source
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{".git", ".cache", "bin"}, name) || d.Name() == "node_modules" {
				return fs.SkipDir
			}
			return nil
		}
		if name == ".git" { // a file in a linked work tree
			return nil
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() > sourceMaxBytes {
			return err
		}
		b, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		if !bytes.ContainsRune(b, 0) {
			sources = append(sources, source{name, string(b)})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(sources, func(s source) bool { return s.path == "go.mod" }) {
		t.Fatal("go.mod is not among the files read: the test looks in the wrong place")
	}
	return sources
}

func TestSources(t *testing.T) {
	sources := loadSources(t)
	for _, broken := range slices.Concat(checkLines(sources), checkThin(sources), checkDocs(sources)) {
		t.Error(broken)
	}
}

func anyFile(string) bool { return true }

// notTest leaves out tests and what they read.
func notTest(name string) bool {
	return !strings.HasSuffix(name, "_test.go") && !strings.Contains("/"+name, "/testdata/")
}

func pureSource(name string) bool {
	return strings.HasSuffix(name, ".go") && notTest(name) && isPure(path.Dir(name))
}

// checkLines returns a report for each line that breaks one of lineRules.
func checkLines(sources []source) []string {
	var broken []string
	for _, s := range sources {
		for _, rule := range lineRules {
			if !rule.in(s.path) {
				continue
			}
			n := 0
			for line := range strings.Lines(s.text) {
				n++
				if found := rule.breaks.FindString(line); found != "" {
					broken = append(broken, fmt.Sprintf("%s:%d: %s: %q: %s", s.path, n, rule.name, strings.TrimSpace(found), rule.mend))
				}
			}
		}
	}
	return broken
}

// checkThin returns a report for each of thinCommands that has grown.
func checkThin(sources []source) []string {
	lines := make(map[string]int)
	for _, s := range sources {
		if strings.HasSuffix(s.path, ".go") && notTest(s.path) {
			lines[path.Dir(s.path)] += strings.Count(s.text, "\n")
		}
	}
	var broken []string
	for _, dir := range thinCommands {
		if lines[dir] > thinLines {
			broken = append(broken, fmt.Sprintf("%s has %d lines, more than %d: a command holds flags and wiring; what it does belongs in internal/", dir, lines[dir], thinLines))
		}
	}
	return broken
}

// checkDocs returns a report for each package without exactly one comment that
// says what it is for.
func checkDocs(sources []source) []string {
	docs, names := make(map[string][]string), make(map[string]string)
	var broken []string
	for _, s := range sources {
		if !strings.HasSuffix(s.path, ".go") || !notTest(s.path) {
			continue
		}
		dir := path.Dir(s.path)
		file, err := parser.ParseFile(token.NewFileSet(), s.path, s.text, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			broken = append(broken, fmt.Sprintf("%s: %v", s.path, err))
			continue
		}
		names[dir] = file.Name.Name
		if file.Doc == nil {
			continue
		}
		docs[dir] = append(docs[dir], s.path)
		if want := "Package " + names[dir] + " "; names[dir] != "main" && !strings.HasPrefix(file.Doc.Text(), want) {
			broken = append(broken, fmt.Sprintf("%s: the package comment does not begin with %q", s.path, want))
		}
	}
	for dir := range names {
		switch n := len(docs[dir]); {
		case n == 0:
			broken = append(broken, dir+" has no package comment: say what it knows and what it must not know")
		case n > 1:
			broken = append(broken, fmt.Sprintf("%s has more than one package comment: %s", dir, strings.Join(docs[dir], ", ")))
		}
	}
	slices.Sort(broken)
	return broken
}

// TestCheckLines holds each rule against lines made up for it.
func TestCheckLines(t *testing.T) {
	const later = "TO" + "DO"
	tests := []struct {
		path, text string
		want       string // part of the report; "" if the text is allowed
	}{
		{"money/money.go", "// " + later + ": round\n", "money/money.go:1: nothing is left for later"},
		{"money/money_test.go", "a\nb // FIX" + "ME\n", "money/money_test.go:2: nothing is left for later"},
		{"docs/x.md", later + "S are gone\n", ""},
		{"docs/x.md", "Methodology\n", ""},

		{"Makefile", "OUT = /tm" + "p/out\n", "no paths of one machine"},
		{"docs/x.md", "see `/ro" + "ot/x`\n", "no paths of one machine"},
		{"docs/x.md", "cd /home/jane" + "/src\n", "no paths of one machine"},
		{"state/state_test.go", `dir := "/tm` + `p/x"`, ""},
		{"state/testdata/x.txt", "/tm" + "p/x\n", ""},
		{"docs/x.md", "https://example.com/work/hours and .cache/tmp/x\n", ""},
		{".ci/run", "dir=$(mktemp -d)\n", ""},

		{".ci/run", "export GOPROXY=https://proxy." + "golang.org\n", "no hosts of package registries"},
		{"deploy/kafka/local/pom.xml", "<url>https://repo.maven." + "apache.org/maven2</url>\n", "no hosts of package registries"},
		{"deploy/kafka/local/pom.xml", `<project xmlns="http://maven.apache.org/POM/4.0.0">`, ""},

		{"attribution/journey.go", "\tnow := time.Now()\n", "the pure packages have no clock"},
		{"attribution/journey.go", "\tat := time.UnixMicro(n)\n", ""},
		{"attribution/journey_test.go", "\tnow := time.Now()\n", ""},
		{"stream/stream.go", "\tnow := time.Now()\n", ""},
		{"report/render/html.go", "x := 1\n\tgo func() {\n", "report/render/html.go:2: the pure packages start nothing"},
		{"report/render/html.go", "// Letting it go (slowly) is fine.\n\tgot := f()\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.path+": "+strings.TrimSpace(tt.text), func(t *testing.T) {
			got := checkLines([]source{{"contract/contract.go", "package contract\n"}, {tt.path, tt.text}})
			switch {
			case tt.want == "" && len(got) > 0:
				t.Errorf("got %q, want nothing reported", got)
			case tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)):
				t.Errorf("got %q, want one report with %q", got, tt.want)
			}
		})
	}
}

func TestCheckThin(t *testing.T) {
	half := strings.Repeat("x\n", thinLines/2)
	fits := []source{
		{"cmd/ingest/main.go", half},
		{"cmd/ingest/flags.go", half},
		{"cmd/ingest/main_test.go", half},
		{"cmd/track-source/main.go", half + half + half},
	}
	if got := checkThin(fits); len(got) > 0 {
		t.Errorf("got %q, want nothing reported", got)
	}
	got := checkThin(append(fits, source{"cmd/ingest/more.go", "x\n"}))
	if len(got) != 1 || !strings.HasPrefix(got[0], "cmd/ingest has 81 lines") {
		t.Errorf("got %q, want cmd/ingest reported with 81 lines", got)
	}
}

func TestCheckDocs(t *testing.T) {
	got := checkDocs([]source{
		{"a/a.go", "// Package a is fine.\npackage a\n"},
		{"a/b.go", "// Copyright notice.\n\npackage a\n"},
		{"a/a_test.go", "// Package a_test may say so too.\npackage a_test\n"},
		{"bare/bare.go", "package bare\n"},
		{"cmd/c/main.go", "// Command c is fine.\npackage main\n"},
		{"other/other.go", "// This package is described wrongly.\npackage other\n"},
		{"twice/a.go", "// Package twice is here.\npackage twice\n"},
		{"twice/b.go", "// Package twice is there.\npackage twice\n"},
		{"testonly/a_test.go", "package testonly_test\n"},
	})
	want := []string{
		"bare has no package comment: say what it knows and what it must not know",
		`other/other.go: the package comment does not begin with "Package other "`,
		"twice has more than one package comment: twice/a.go, twice/b.go",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
