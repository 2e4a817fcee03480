package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

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
	t.Parallel()
	if testing.Short() {
		t.Skip("the whole line in one process takes seconds; internal/sim and internal/demo have it in short runs too")
	}
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
	demoLine := append([]string{"demo", "--once", "--events", "300", "--data-dir", t.TempDir(), "--http", "127.0.0.1:0", "--registry", registry.URL}, conn...)
	tool(exitOK, demoLine...)
	if out := tool(exitOK, fsck...); !strings.Contains(out, "agree") || !strings.Contains(out, "300 raw") {
		t.Errorf("it says:\n%s", out)
	}
	if !strings.Contains(tool(exitOK, fsck...), "tracksource.raw.crm.acme: ") {
		t.Error("it does not say what became of each feed")
	}
	var report check.Report
	out := tool(exitOK, append(fsck, "--json")...)
	if err := json.Unmarshal([]byte(out[strings.Index(out, "{"):strings.LastIndex(out, "}")+1]), &report); err != nil || report.Raw != 300 || report.Rows == 0 || report.PartnerRows == 0 {
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
	send := func(m stream.Message) {
		t.Helper()
		if err := p.Send(context.Background(), m); err != nil {
			t.Fatal(err)
		}
	}
	send(stream.Message{Topic: spec.RawTopics()[0], Key: []byte("k"), Value: []byte("{}")})
	if out := tool(exitFail, append(fsck, "--wait", "1s")...); !strings.Contains(out, "the line is not at rest: group tracksource.") || !strings.Contains(out, "--wait 5m") {
		t.Errorf("with a record that nobody took it says:\n%s", out)
	}
	tool(exitOK, demoLine...)
	tool(exitOK, fsck...)

	// Retention takes the beginning of a feed: the base is journeys.
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker.Conn().Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	if _, err := adm.DeleteRecords(context.Background(), kadm.Offsets{spec.RawTopics()[0]: {0: {Topic: spec.RawTopics()[0], At: 1}}}); err != nil {
		t.Fatal(err)
	}
	if out := tool(exitOK, fsck...); !strings.Contains(out, "recomputed from the held journeys: retention has taken the beginning of "+spec.RawTopics()[0]) {
		t.Errorf("with a feed cut off it says:\n%s", out)
	}

	// A row that somebody wrote by hand, and a changelog.
	send(stream.Message{Topic: spec.AttributorChangelog(), Key: []byte("\x01k"), Value: []byte("v")})
	if out := tool(exitFail, fsck...); !strings.Contains(out, "changes without a checkpoint behind them") {
		t.Errorf("with a changelog that somebody wrote to it says:\n%s", out)
	}
}
