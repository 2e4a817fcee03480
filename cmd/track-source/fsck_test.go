package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"tracksource/deploy/kafka"
	"tracksource/internal/check"
	"tracksource/internal/demo"
	"tracksource/internal/line"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// TestFsck: the books of a line hold, and do not when somebody has added one
// record.
func TestFsck(t *testing.T) {
	broker, err := kafka.StartMemory(kafka.MemoryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	registry := httptest.NewServer(avro.Handler(avro.NewMemory()))
	t.Cleanup(registry.Close)
	tool := func(code int, args ...string) string {
		t.Helper()
		var out, errOut bytes.Buffer
		if got := run(context.Background(), args, &out, &errOut); got != code {
			t.Fatalf("%v ended with exit code %d, want %d\n%s\n%s", args, got, code, &out, &errOut)
		}
		return out.String() + errOut.String()
	}
	conn := []string{"--bootstrap-servers", broker.Conn().String()}
	fsck := append([]string{"fsck"}, conn...)
	for _, fd := range demo.Feeds() {
		fsck = append(fsck, "--feed", fd.String())
	}
	tool(exitUsage, fsck...) // no registry
	fsck = append(fsck, "--registry", registry.URL)
	if out := tool(exitFail, fsck...); !strings.Contains(out, "track-source topics apply") {
		t.Errorf("without topics it says:\n%s", out)
	}
	tool(exitOK, append([]string{"demo", "--once", "--events", "300", "--data-dir", t.TempDir(), "--http", "127.0.0.1:0", "--registry", registry.URL}, conn...)...)
	if out := tool(exitOK, fsck...); !strings.Contains(out, "agree") || !strings.Contains(out, "300 raw") {
		t.Errorf("it says:\n%s", out)
	}
	var report check.Report
	out := tool(exitOK, append(fsck, "--json")...)
	if err := json.Unmarshal([]byte(out[strings.Index(out, "{"):strings.LastIndex(out, "}")+1]), &report); err != nil || report.Raw != 300 || report.Rows == 0 {
		t.Errorf("%v in %s", err, out)
	}
	spec, err := kafka.Load(kafka.ProfileLocal, kafka.Options{Feeds: demo.Feeds()})
	if err != nil {
		t.Fatal(err)
	}
	p, err := stream.NewProducer(line.StreamConn(broker.Conn()), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Send(context.Background(), stream.Message{Topic: spec.RawTopics()[0], Key: []byte("k"), Value: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	if out := tool(exitFail, fsck...); !strings.Contains(out, "became neither a fact nor a dead letter") {
		t.Errorf("with a record that nobody took it says:\n%s", out)
	}
}
