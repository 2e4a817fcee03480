// Package bench measures the line: what each tier takes in a second and what
// that costs, how long an event takes to be seen, how fast state is restored,
// and how memory grows with accounts. "make bench" runs it.
package bench_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
)

// result is one line of the table, and one object of the JSON.
type result struct {
	What    string             `json:"what"`
	Broker  string             `json:"broker"`
	Records int64              `json:"records,omitempty"`
	Seconds float64            `json:"seconds,omitempty"`
	Figures map[string]float64 `json:"figures"`
}

// results collects what the benchmarks of this process found.
type results struct {
	mu   sync.Mutex
	list []result // guarded by mu
}

func (r *results) add(x result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, x)
}

// found is filled by the benchmarks and printed by TestMain: a benchmark can
// return nothing.
var found results

// units gives the order of the columns and how their figures read.
var units = []struct{ name, format string }{
	{"records/s", "%.0f"},
	{"MiB/s", "%.1f"},
	{"bytes/record", "%.0f"},
	{"heap bytes/record", "%.0f"},
	{"allocs/record", "%.1f"},
	{"p50 ms", "%.0f"},
	{"p99 ms", "%.0f"},
	{"heap MiB", "%.1f"},
	{"disk MiB", "%.1f"},
	{"keys", "%.0f"},
}

func (r *results) table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprint(w, "what\tbroker\trecords\t")
	for _, u := range units {
		_, _ = fmt.Fprintf(w, "%s\t", u.name)
	}
	_, _ = fmt.Fprintln(w)
	for _, x := range r.list {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t", x.What, x.Broker, x.Records)
		for _, u := range units {
			if v, ok := x.Figures[u.name]; ok {
				_, _ = fmt.Fprintf(w, u.format+"\t", v)
			} else {
				_, _ = fmt.Fprint(w, "\t")
			}
		}
		_, _ = fmt.Fprintln(w)
	}
	_ = w.Flush()
	return b.String()
}

// write keeps the results as JSON at path.
func (r *results) write(path string) error {
	b, err := json.MarshalIndent(map[string]any{"go": runtime.Version(), "cpus": runtime.NumCPU(), "results": r.list}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o600)
}

func TestMain(m *testing.M) {
	code := m.Run()
	if len(found.list) > 0 {
		fmt.Printf("\n%s\n", found.table())
		if path := os.Getenv("BENCH_JSON"); path != "" {
			if err := found.write(path); err != nil {
				fmt.Println(err)
				code = 1
			}
		}
	}
	os.Exit(code)
}
