package line_test

import (
	"io"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tracksource/internal/api"
	"tracksource/internal/attributor"
	"tracksource/internal/reporter"
	"tracksource/internal/webhook"
	"tracksource/state"
	"tracksource/stream"
)

// TestMetricsAreDocumented: docs/operations.md lists the metrics that there
// are, and no others.
func TestMetricsAreDocumented(t *testing.T) {
	reg := prometheus.NewRegistry()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	dir, err := state.OpenDir(state.Config{Path: t.TempDir(), Log: log, Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if _, err := stream.New(stream.Config{
		Conn: stream.Conn{Brokers: []string{"127.0.0.1:1"}}, Group: "g", TransactionalID: "t", Log: log, Clock: time.Now, Registerer: reg,
		Inputs: []stream.Input{{Topic: "t", New: func(stream.Assignment, stream.Store) (stream.Processor, error) { return nil, nil }}},
	}); err != nil {
		t.Fatal(err)
	}
	attributor.NewMetrics(reg)
	api.NewMetrics(reg)
	reporter.NewMetrics(reg, &reporter.Stats{})
	webhook.NewMetrics(reg)
	descs := make(chan *prometheus.Desc, 1000)
	reg.Describe(descs)
	close(descs)
	name := regexp.MustCompile(`fqName: "([^"]+)"`)
	var there []string
	for d := range descs {
		if m := name.FindStringSubmatch(d.String()); m != nil && !strings.HasPrefix(m[1], "tracksource_kafka_") {
			there = append(there, m[1])
		}
	}
	doc, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(tracksource_[a-z_]+)`").FindAllStringSubmatch(string(doc), -1) {
		told = append(told, m[1])
	}
	slices.Sort(there)
	slices.Sort(told)
	if there = slices.Compact(there); !slices.Equal(there, told) {
		t.Errorf("metrics\n%v\nin docs/operations.md\n%v", there, told)
	}
}
