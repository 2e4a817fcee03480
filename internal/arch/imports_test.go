package arch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// node is a package of this module with its direct imports, tests left out.
type node struct {
	ImportPath string
	Imports    []string
}

func TestImports(t *testing.T) {
	graph := loadGraph(t)
	if len(graph) < 5 {
		t.Fatalf("go list found only %d packages: the test looks in the wrong place", len(graph))
	}
	for _, broken := range checkImports(graph) {
		t.Error(broken)
	}
}

// loadGraph asks the go command. With -e it also answers when a package does not
// build, which is for the build to report. The test also reads every source file, in
// TestSources, so the test cache notices when an import changes.
func loadGraph(t *testing.T) []node {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-test=false", "-json=ImportPath,Imports", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var graph []node
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var n node
		if err := dec.Decode(&n); errors.Is(err, io.EOF) {
			return graph
		} else if err != nil {
			t.Fatal(err)
		}
		graph = append(graph, n)
	}
}

// checkImports returns a line for each import that breaks a rule, in the order
// of graph.
func checkImports(graph []node) []string {
	var broken []string
	for _, n := range graph {
		pkg := strings.TrimPrefix(n.ImportPath, module+"/")
		for _, imp := range n.Imports {
			if why := judge(pkg, imp); why != "" {
				broken = append(broken, fmt.Sprintf("%s imports %s: %s", pkg, imp, why))
			}
		}
	}
	return broken
}

// judge says why pkg may not import imp, or "".
func judge(pkg, imp string) string {
	if dep, ours := strings.CutPrefix(imp, module+"/"); ours {
		return judgeOurs(pkg, dep)
	}
	if within(pkg, "cmd") {
		return ""
	}
	first, _, _ := strings.Cut(imp, "/")
	if !strings.Contains(first, ".") {
		if isPure(pkg) && isImpure(imp) && !slices.Contains(tolerated[pkg], imp) {
			return "a pure package does no I/O, reads no clock and draws no lots"
		}
		return ""
	}
	names, owned := ownersOf(imp)
	switch {
	case slices.Contains(names, pkg):
		return ""
	case owned && len(names) == 0:
		return "only commands may"
	case owned:
		return "only " + strings.Join(names, " and ") + " may, see owners in internal/arch/rules_test.go"
	case isPure(pkg):
		return "a pure package imports only libraries that are its own, see owners in internal/arch/rules_test.go"
	}
	return ""
}

func judgeOurs(pkg, dep string) string {
	if within(dep, "cmd") {
		return "nothing imports a command"
	}
	if within(pkg, "cmd") {
		return ""
	}
	row, known := mayImport[pkg]
	switch {
	case !known:
		return fmt.Sprintf("%s has no row yet: add what it may import to mayImport in internal/arch/rules_test.go, and its place to ARCHITECTURE.md", pkg)
	case isPure(pkg) && !isPure(dep):
		return "a pure package imports only pure packages"
	case slices.Contains(row, anything), slices.Contains(row, dep):
		return ""
	}
	return "this breaks a wall of ARCHITECTURE.md; mayImport in internal/arch/rules_test.go has what it may import"
}

// within reports whether path is dir or below it.
func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func isPure(pkg string) bool {
	return slices.ContainsFunc(pure, func(p string) bool { return within(pkg, p) })
}

func isImpure(imp string) bool {
	return !slices.Contains(purified, imp) &&
		slices.ContainsFunc(impure, func(p string) bool { return within(imp, p) })
}

// ownersOf returns the row of the longest library that holds imp.
func ownersOf(imp string) (names []string, owned bool) {
	longest := ""
	for lib, row := range owners {
		if within(imp, lib) && len(lib) > len(longest) {
			longest, names, owned = lib, row, true
		}
	}
	return names, owned
}

// TestCheckImports holds the checker against edges made up for it, both ways:
// what breaks a wall is reported, what does not is not.
func TestCheckImports(t *testing.T) {
	ours := func(s string) string { return module + "/" + s }
	tests := []struct {
		pkg, imp string
		want     string // part of the report; "" if the edge is allowed
	}{
		{"attribution", ours("money"), ""},
		{"attribution", ours("schemas/avro"), "a pure package imports only pure packages"},
		{"money", ours("attribution"), "this breaks a wall"},
		{"stream", ours("state"), "this breaks a wall"},
		{"internal/daemon", ours("stream"), "this breaks a wall"},
		{"internal/ingest", ours("stream"), ""},
		{"internal/ingest", ours("internal/reporter"), "this breaks a wall"},
		{"internal/sim", ours("internal/reporter"), ""},
		{"internal/sim", ours("cmd/ingest"), "nothing imports a command"},
		{"cmd/ingest", ours("internal/ingest"), ""},
		{"cmd/ingest", ours("cmd/reporter"), "nothing imports a command"},
		{"internal/newcomer", ours("money"), "internal/newcomer has no row yet: add what it may import to mayImport in internal/arch/rules_test.go"},
		{"internal/newcomer", "strings", ""},
		{"report/html", ours("report"), "report/html has no row yet"},

		{"stream", "github.com/twmb/franz-go/pkg/kgo", ""},
		{"stream", "github.com/twmb/franz-go/plugin/kprom", ""},
		{"deploy/kafka", "github.com/twmb/franz-go/pkg/kgo", ""},
		{"deploy/kafka", "github.com/twmb/franz-go/pkg/kmsg", "only stream and internal/ghost may"},
		{"stream", "github.com/twmb/franz-go/pkg/kadm", "only deploy/kafka and internal/ghost may"},
		{"internal/ingest", "github.com/twmb/franz-go/pkg/kgo", "only stream and deploy/kafka and internal/ghost may"},
		{"schemas/avro", "github.com/twmb/franz-go/pkg/sr/srfake", ""},
		{"stream", "github.com/twmb/franz-go/pkg/sr", "only schemas/avro may"},
		{"internal/attributor", "github.com/linkedin/goavro/v2", "only schemas/avro may"},
		{"schemas/avro", "github.com/twmb/avro", ""},
		{"dedupe", "github.com/dgraph-io/badger/v4", "only state may"},
		{"state", "github.com/dgraph-io/badger/v4/options", ""},
		{"report", "github.com/shopspring/decimal", "only money may"},
		{"internal/demo", "github.com/spf13/cobra", "only commands may"},
		{"cmd/track-source", "github.com/spf13/cobra", ""},
		{"cmd/track-source", "github.com/twmb/franz-go/pkg/kadm", ""},
		{"internal/line", "golang.org/x/sync/errgroup", ""},
		{"attribution", "golang.org/x/sync/errgroup", "a pure package imports only libraries that are its own"},
		{"identity", "golang.org/x/net/publicsuffix", ""},
		{"contract", "golang.org/x/net/publicsuffix", "only identity may"},

		{"contract", "strings", ""},
		{"contract", "time/tzdata", ""},
		{"contract", "os", "does no I/O"},
		{"contract/example", "os", "does no I/O"},
		{"contract", "os/exec", "does no I/O"},
		{"normalize", "net/url", ""},
		{"normalize", "net/http", "does no I/O"},
		{"attribution", "math/rand/v2", "draws no lots"},
		{"money", "math/big", ""},
		{"identity", "log/slog", ""},
		{"report/render", "log/slog", "does no I/O"},
		{"state", "os", ""},
	}
	for _, tt := range tests {
		t.Run(tt.pkg+" imports "+tt.imp, func(t *testing.T) {
			// The edge is one of three, so that a checker which stops early, or
			// reports every package, is caught.
			graph := []node{
				{ImportPath: ours("state"), Imports: []string{"bytes", "os"}},
				{ImportPath: ours(tt.pkg), Imports: []string{"errors", tt.imp}},
				{ImportPath: ours("money"), Imports: []string{"errors"}},
			}
			got := checkImports(graph)
			if tt.want == "" {
				if len(got) > 0 {
					t.Errorf("got %q, want nothing reported", got)
				}
				return
			}
			if len(got) != 1 || !strings.HasPrefix(got[0], tt.pkg+" imports "+tt.imp+": ") || !strings.Contains(got[0], tt.want) {
				t.Errorf("got %q, want one report of %s with %q", got, tt.imp, tt.want)
			}
		})
	}
}

// TestTables holds the tables to themselves: a misspelt name in one of them
// would allow or forbid nothing.
func TestTables(t *testing.T) {
	known := func(pkg string) bool {
		_, ok := mayImport[pkg]
		return ok || isPure(pkg)
	}
	for pkg, row := range mayImport {
		for _, dep := range row {
			if dep != anything && !known(dep) {
				t.Errorf("mayImport lets %s import %s, which has no row", pkg, dep)
			}
			if isPure(pkg) && !isPure(dep) {
				t.Errorf("mayImport lets the pure package %s import %s, which is not", pkg, dep)
			}
		}
	}
	for lib, row := range owners {
		for _, pkg := range row {
			if !known(pkg) {
				t.Errorf("owners gives %s to %s, which has no row in mayImport", lib, pkg)
			}
		}
	}
	for _, pkg := range pure {
		if _, ok := mayImport[pkg]; !ok {
			t.Errorf("pure has %s, which has no row in mayImport", pkg)
		}
	}
	for pkg, imps := range tolerated {
		for _, imp := range imps {
			if !isPure(pkg) || !isImpure(imp) {
				t.Errorf("tolerated has %s for %s, which needs no leave", imp, pkg)
			}
		}
	}
}
