package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"tracksource/deploy/kafka"
	"tracksource/internal/demo"
	"tracksource/internal/line"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

const pageSchema = `{"type":"record","name":"Page","fields":[
	{"name":"type","type":"string"},{"name":"messageId","type":"string"},{"name":"userId","type":"string"},{"name":"timestamp","type":"string"},
	{"name":"context","type":{"type":"record","name":"Context","fields":[
		{"name":"traits","type":{"type":"record","name":"Traits","fields":[{"name":"email","type":"string"}]}},
		{"name":"campaign","type":{"type":"record","name":"Campaign","fields":[{"name":"source","type":"string"},{"name":"medium","type":"string"},{"name":"name","type":"string"}]}}]}}]}`

// world is a line, the feeds of which hold a deal and touches of its account: in
// JSON, and in Avro under a schema that the registry may not know yet.
type world struct {
	t        *testing.T
	conn     kafka.Conn
	registry string
	known    atomic.Bool // whether the registry tells of the schema
	data     string
}

func newWorld(t *testing.T, known bool) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("the whole line in one process takes seconds; internal/sim and internal/demo have it in short runs too")
	}
	broker, err := kafka.StartMemory(kafka.MemoryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	w := &world{t: t, conn: broker.Conn(), data: t.TempDir()}
	w.known.Store(known)
	memory := avro.NewMemory()
	schema, err := memory.Register(t.Context(), "partner-page", pageSchema)
	if err != nil {
		t.Fatal(err)
	}
	all := avro.Handler(memory)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !w.known.Load() && r.URL.Path == fmt.Sprintf("/schemas/ids/%d", schema) {
			rw.WriteHeader(http.StatusNotFound)
			_, _ = rw.Write([]byte(`{"error_code":40403,"message":"Schema not found"}`))
			return
		}
		all.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	w.registry = server.URL
	w.send(schema)
	return w
}

func (w *world) tool(code int, args ...string) string {
	w.t.Helper()
	out, _ := w.both(code, args...)
	return out
}

func (w *world) both(code int, args ...string) (stdout, stderr string) {
	w.t.Helper()
	var out, errOut bytes.Buffer
	if got := run(context.Background(), args, &out, &errOut); got != code {
		w.t.Fatalf("%v ended with exit code %d, want %d\n%s\n%s", args, got, code, &out, &errOut)
	}
	return out.String(), errOut.String()
}

func (w *world) flags(args ...string) []string {
	args = append(args, "--bootstrap-servers", w.conn.String(), "--registry", w.registry)
	for _, fd := range demo.Feeds() {
		args = append(args, "--feed", fd.String())
	}
	return args
}

// settle runs the line until it is at rest, and returns its contributions.
func (w *world) settle() any {
	w.t.Helper()
	out := w.tool(exitOK, "demo", "--once", "--json", "--events", "300", "--data-dir", w.data, "--http", "127.0.0.1:0",
		"--registry", w.registry, "--bootstrap-servers", w.conn.String())
	var doc map[string]any
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		w.t.Fatalf("%v in %s", err, out)
	}
	return doc["contributions"]
}

func (w *world) send(schema int) {
	w.t.Helper()
	spec, err := kafka.Load(kafka.ProfileLocal, kafka.Options{Feeds: demo.Feeds()})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := kafka.Apply(w.t.Context(), w.conn, spec); err != nil {
		w.t.Fatal(err)
	}
	codec, err := goavro.NewCodec(pageSchema)
	if err != nil {
		w.t.Fatal(err)
	}
	touch := func(n int) map[string]any {
		return map[string]any{
			"type": "page", "messageId": fmt.Sprint("m", n), "userId": "u", "timestamp": fmt.Sprintf("2026-03-%02dT12:00:00Z", n),
			"context": map[string]any{
				"traits":   map[string]any{"email": "buyer@large-prospect.com"},
				"campaign": map[string]any{"source": [...]string{"globex", "acme"}[n%2], "medium": "email", "name": "ai-launch-tour"},
			},
		}
	}
	avroBytes := func(v map[string]any) []byte {
		b := binary.BigEndian.AppendUint32([]byte{0}, uint32(schema))
		if b, err = codec.BinaryFromNative(b, v); err != nil {
			w.t.Fatal(err)
		}
		return b
	}
	change := func(id, entity, fields string) []byte {
		return []byte(`{"ChangeEventHeader":{"entityName":"` + entity + `","recordIds":["` + id + `"],"changeType":"CREATE","transactionKey":"t` + id +
			`","sequenceNumber":1,"commitTimestamp":1774000000000,"commitNumber":1},` + fields + `}`)
	}
	crm, analytics := spec.RawTopic("crm", "acme"), spec.RawTopic("analytics", "acme")
	// Two of a list cannot be used, now or later.
	json1, err := json.Marshal([]any{touch(1), map[string]any{"hello": 1}, map[string]any{"hello": 2}})
	if err != nil {
		w.t.Fatal(err)
	}
	messages := []stream.Message{
		{Topic: crm, Value: change("001000000000001AAA", "Account", `"Website":"large-prospect.com","BillingCountry":"DE"`)},
		{Topic: crm, Value: change("006000000000001AAA", "Opportunity", `"AccountId":"001000000000001AAA","StageName":"Qualification","Amount":1000.01,"CurrencyIsoCode":"USD","CreatedDate":1774000000000`)},
		{Topic: analytics, Value: json1},
		{Topic: analytics, Value: avroBytes(touch(2))},
		{Topic: analytics, Value: avroBytes(touch(3))},
	}
	p, err := stream.NewProducer(line.StreamConn(w.conn), slog.New(slog.DiscardHandler))
	if err != nil {
		w.t.Fatal(err)
	}
	defer p.Close()
	for i := range messages {
		messages[i].Key = []byte("k")
	}
	if err := p.Send(w.t.Context(), messages...); err != nil {
		w.t.Fatal(err)
	}
	w.sendHuge(crm)
}

// sendHuge sends a record that no topic could hold were it not compressed.
func (w *world) sendHuge(topic string) {
	w.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.conn.Brokers...), kgo.ProducerBatchMaxBytes(16<<20))
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	huge := &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte(`{"a":"` + strings.Repeat("x", 10<<20) + `"}`)}
	if err := cl.ProduceSync(w.t.Context(), huge).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// TestReplay: what was refused for a schema that the registry did not know is
// sent again once it does, and the totals are those of a line where all was right
// at first.
func TestReplay(t *testing.T) {
	t.Parallel()
	right := newWorld(t, true)
	want := right.settle()
	w := newWorld(t, false)
	if reflect.DeepEqual(w.settle(), want) {
		t.Fatal("the touches that were refused change nothing: the test sees nothing")
	}
	list := w.tool(exitOK, w.flags("deadletter", "list", "--code", "unknown_schema")...)
	if !strings.Contains(list, "analytics.acme  unknown_schema  2") {
		t.Errorf("it lists:\n%s", list)
	}
	var letters, other []letterSummary
	if err := json.Unmarshal([]byte(w.tool(exitOK, w.flags("deadletter", "list", "--json", "--code", "unknown_schema")...)), &letters); err != nil {
		t.Fatal(err)
	}
	// The sample has records of its own that name no schema.
	letters = slices.DeleteFunc(letters, func(l letterSummary) bool { return !strings.Contains(l.Raw, "analytics.acme") })
	if len(letters) != 2 {
		t.Fatalf("%d letters", len(letters))
	}
	explain := func(want string) {
		t.Helper()
		if out := w.tool(exitOK, w.flags("deadletter", "explain", letters[0].ID)...); !strings.Contains(out, want) || strings.Contains(out, "buyer@") {
			t.Errorf("it explains:\n%s\nwant %q and no address", out, want)
		}
	}
	explain("would be refused:\n          unknown_schema")
	all := w.tool(exitOK, w.flags("deadletter", "list", "--each")...)
	if strings.Count(all, "unknown_shape") != 2 {
		t.Errorf("of two events of a list that are refused it lists:\n%s", all)
	}
	for code, want := range map[string]string{"unknown_shape": "1 events that would be taken in and 2 that would be refused", "too_large": "too long to be kept"} {
		if err := json.Unmarshal([]byte(w.tool(exitOK, w.flags("deadletter", "list", "--json", "--code", code)...)), &other); err != nil || len(other) == 0 {
			t.Fatalf("%v, no letter of %s", err, code)
		}
		if out := w.tool(exitOK, w.flags("deadletter", "explain", other[len(other)-1].ID)...); !strings.Contains(out, want) {
			t.Errorf("of %s it explains:\n%s\nwant %q", code, out, want)
		}
	}
	if out := w.tool(exitOK, w.flags("deadletter", "replay")...); !strings.Contains(out, "0 records with 0 mended") || !strings.Contains(out, "3 would be refused again: unknown_schema") { // one is the sample's
		t.Errorf("before the schema is known it says:\n%s", out)
	}

	w.known.Store(true)
	explain("taken in, 1 events")
	dry := w.tool(exitOK, w.flags("deadletter", "replay", "--dry-run")...)
	if !strings.Contains(dry, "2 records with 2 mended events would be sent again") || !strings.Contains(dry, "unknown_shape") {
		t.Errorf("a dry run says:\n%s", dry)
	}
	w.says(exitOK, "sent 2 of 2 records", w.flags("deadletter", "replay")...)
	if out := w.tool(exitOK, w.flags("deadletter", "replay")...); !strings.Contains(out, "0 records") || !strings.Contains(out, "2 were sent again before") {
		t.Errorf("a second replay says:\n%s", out)
	}
	if got := w.settle(); !reflect.DeepEqual(got, want) {
		t.Errorf("contributions after the replay\n%v\nwant those of a line where all was right\n%v", got, want)
	}
	w.tool(exitOK, w.flags("fsck")...)

	// Records that hold events of both kinds are sent with force; nothing counts twice.
	if out := w.tool(exitOK, w.flags("deadletter", "replay", "--force")...); strings.Contains(out, " 0 records") || !strings.Contains(out, "1 would be refused again: too_large") {
		t.Errorf("with force it says:\n%s", out)
	}
	if got := w.settle(); !reflect.DeepEqual(got, want) {
		t.Error("contributions change when records that were taken in come again")
	}
	w.tool(exitOK, w.flags("fsck")...)
}

// TestDeadletterUsage: a slip on the command line says what to write.
func TestDeadletterUsage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"deadletter", "list"}, "--bootstrap-servers is required"},
		{[]string{"deadletter", "list", "--bootstrap-servers", "127.0.0.1:1"}, "--registry is required"},
		{[]string{"deadletter", "list", "--bootstrap-servers", "127.0.0.1:1", "--registry", "http://127.0.0.1:1"}, "--feed is required"},
		{[]string{"deadletter", "explain", "--bootstrap-servers", "127.0.0.1:1"}, "name one letter"},
		{[]string{"deadletter", "explain", "crm.acme/x@1"}, "is not feed.partner/partition@offset"},
		{[]string{"deadletter", "explain", "crm.acme/0@-1"}, "is not feed.partner/partition@offset"},
	} {
		var out, errOut bytes.Buffer
		if code := run(t.Context(), tt.args, &out, &errOut); code != exitUsage || !strings.Contains(errOut.String(), tt.want) {
			t.Errorf("%v: exit code %d, says %q, want %q", tt.args, code, errOut.String(), tt.want)
		}
	}
}
