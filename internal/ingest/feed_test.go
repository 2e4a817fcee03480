package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tracksource/contract/example"
	"tracksource/identity"
	"tracksource/internal/control"
	"tracksource/internal/ingest"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// sent is what a feed emitted.
type sent struct {
	topic   string
	key     []byte
	value   []byte
	headers map[string]string
}

type outbox struct{ all []sent }

func (o *outbox) Emit(topic string, key, value []byte, headers ...stream.Header) {
	s := sent{topic, key, value, map[string]string{}}
	for _, h := range headers {
		s.headers[h.Key] = string(h.Value)
	}
	o.all = append(o.all, s)
}

func (o *outbox) EmitTo(topic string, _ int32, key, value []byte, headers ...stream.Header) {
	o.Emit(topic, key, value, headers...)
}

func newFeed(t *testing.T, registry avro.Registry) *ingest.Feed {
	t.Helper()
	p, err := identity.NewPseudonymizer(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := avro.NewForeign(avro.ForeignConfig{Registry: registry})
	if err != nil {
		t.Fatal(err)
	}
	return &ingest.Feed{
		Codecs: codecs(t), Foreign: foreign, Pseudonymizer: p, ID: ingest.FeedID{Feed: "analytics", Reporter: "acme"},
		Observations: "observations", DeadLetters: "dead", Control: "control",
	}
}

const page = `{"type":"page","messageId":"m1","anonymousId":"a","timestamp":"2026-03-01T12:00:00Z","context":{"campaign":{"source":"globex"}},"properties":{"url":"https://acme.com/x"}}`

// TestFeedDeadLetters: what cannot be used is kept with its key, its place and a
// code, for people and for tools, and the events around it go on.
func TestFeedDeadLetters(t *testing.T) {
	f := newFeed(t, avro.NewMemory())
	for _, bad := range [][]byte{[]byte("{cut off"), nil, {0, 0}} {
		var out outbox
		rec := func(offset int64, value []byte) stream.Record {
			return stream.Record{Topic: "raw", Partition: 3, Offset: offset, Key: []byte("k"), Value: value, Timestamp: start}
		}
		if err := f.Fold(context.Background(), []stream.Record{rec(1, []byte(page)), rec(2, bad), rec(3, []byte(page))}, &out); err != nil {
			t.Fatal(err)
		}
		if len(out.all) != 3 || out.all[0].topic != "observations" || out.all[2].topic != "observations" {
			t.Fatalf("%d outputs, want an observation on both sides of the dead letter", len(out.all))
		}
		d := out.all[1]
		if d.topic != "dead" || d.headers["tracksource.code"] != "undecodable" || d.value == nil || !bytes.Equal(d.value, bad) || string(d.key) != "k" {
			t.Errorf("dead letter on %s with code %q; bytes kept: %t", d.topic, d.headers["tracksource.code"], bytes.Equal(d.value, bad))
		}
		if d.headers["__connect.errors.topic"] != "raw" || d.headers["__connect.errors.partition"] != "3" || d.headers["__connect.errors.offset"] != "2" {
			t.Errorf("headers %v", d.headers)
		}
		var envelope avro.DeadLetter
		if err := f.Codecs.DeadLetter.Decode([]byte(d.headers["tracksource.deadletter"]), &envelope); err != nil || envelope.Code != "undecodable" || envelope.RawOffset != 2 {
			t.Errorf("envelope %+v, %v", envelope, err)
		}
	}
}

// TestFeedOfABatch: one bad event in an array spoils nothing of the others.
func TestFeedOfABatch(t *testing.T) {
	var out outbox
	value := []byte("[" + page + `,{"hello":1},` + strings.Replace(page, "m1", "m2", 1) + "]")
	if err := newFeed(t, avro.NewMemory()).Fold(context.Background(), []stream.Record{{Value: value, Timestamp: start}}, &out); err != nil {
		t.Fatal(err)
	}
	var topics []string
	for _, s := range out.all {
		topics = append(topics, s.topic)
	}
	if got := strings.Join(topics, " "); got != "observations observations dead" {
		t.Errorf("outputs %q", got)
	}
}

// TestFeedWithoutRegistry: a registry that is away is waited for, and no event
// is called bad for it.
func TestFeedWithoutRegistry(t *testing.T) {
	away, err := avro.NewHTTP(avro.HTTPConfig{URL: "http://127.0.0.1:1", Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	var out outbox
	err = newFeed(t, away).Fold(context.Background(), []stream.Record{{Value: []byte{0, 0, 0, 0, 1, 2}, Timestamp: start}}, &out)
	if !errors.Is(err, stream.ErrTransient) || len(out.all) != 0 {
		t.Errorf("Fold() = %v with %d outputs, want ErrTransient and none", err, len(out.all))
	}
}

// TestFeedRestatements: what a source says anew has a revision, and what it says
// is one thing names the others.
func TestFeedRestatements(t *testing.T) {
	f := newFeed(t, avro.NewMemory())
	events := []string{
		`{"event_name":"page_view","event_timestamp":"1768606339000000","user_pseudo_id":"1.2","event_params":[]}`,
		`{"ChangeEventHeader":{"entityName":"Account","recordIds":["001000000000000AAA"],"changeType":"DELETE","transactionKey":"k","sequenceNumber":1,"commitNumber":7,"commitTimestamp":1768606339000},"MasterRecordId":"001000000000001AAA"}`,
	}
	var got []avro.Observation
	for i, e := range events {
		var out outbox
		rec := stream.Record{Topic: "raw", Offset: int64(i), Value: []byte(e), Timestamp: start}
		if err := f.Fold(context.Background(), []stream.Record{rec}, &out); err != nil {
			t.Fatal(err)
		}
		var obs avro.Observation
		if err := f.Codecs.Observation.Decode(out.all[0].value, &obs); err != nil {
			t.Fatal(err)
		}
		got = append(got, obs)
	}
	if got[0].Revision != start.UnixMicro() {
		t.Errorf("revision %d, want the time of arrival %d", got[0].Revision, start.UnixMicro())
	}
	other, err := identity.NewNode(identity.CRMAccount, "acme", "001000000000001AAA")
	if err != nil {
		t.Fatal(err)
	}
	if len(got[1].Same) != 1 || !bytes.Equal(got[1].Same[0], other.Bytes()) {
		t.Errorf("the same as %q, want %v", got[1].Same, other)
	}
}

// TestFeedSentAgain: a record that is sent again has its first time of arrival,
// and no header moves it ahead.
func TestFeedSentAgain(t *testing.T) {
	f := newFeed(t, avro.NewMemory())
	row := `{"event_name":"page_view","event_timestamp":"1768606339000000","user_pseudo_id":"1.2","event_params":[]}`
	for _, tt := range []struct {
		header string
		want   int64
	}{
		{"", start.UnixMicro()},
		{"1768700000000000", 1768700000000000},
		{strconv.FormatInt(start.Add(time.Hour).UnixMicro(), 10), start.UnixMicro()},
		{"yesterday", start.UnixMicro()},
		{"-9000000000000000000", start.UnixMicro()}, // before there were years
	} {
		var out outbox
		rec := stream.Record{Topic: "raw", Value: []byte(row), Timestamp: start, Headers: []stream.Header{{Key: ingest.HeaderReceived, Value: []byte(tt.header)}}}
		if err := f.Fold(context.Background(), []stream.Record{rec}, &out); err != nil {
			t.Fatal(err)
		}
		var obs avro.Observation
		if err := f.Codecs.Observation.Decode(out.all[0].value, &obs); err != nil {
			t.Fatal(err)
		}
		if obs.Revision != tt.want {
			t.Errorf("header %q: received at %d, want %d", tt.header, obs.Revision, tt.want)
		}
	}
}

const mappedFeed = `
mapping: {partner: acme, feed: analytics, source: own}
rules:
  - name: form
    when: {path: kind, equals: form}
    id: id
    time: at
    identities: {user: WHO}
    touch: {type: {const: form}, asset: page}
`

// TestFeedRemapped: a record that is read again by a newer mapping says the new
// thing, and what older ones said of somebody else is taken back.
func TestFeedRemapped(t *testing.T) {
	f := newFeed(t, avro.NewMemory())
	f.Mappings = ingest.NewMappings()
	book := control.NewBook()
	revise := func(document string) {
		t.Helper()
		last, _ := book.NewestMapping("acme", "analytics")
		c := control.Remap("acme", "analytics", []byte(document), last.Revision, start)
		b, err := f.Codecs.Control.Append(nil, &c)
		if err != nil {
			t.Fatal(err)
		}
		if err := book.Add(f.Codecs, b); err != nil || book.Refused > 0 {
			t.Fatalf("%v, %d refused", err, book.Refused)
		}
		if err := f.Mappings.Set(book); err != nil {
			t.Fatal(err)
		}
	}
	fold := func(value string, headers ...stream.Header) []string {
		t.Helper()
		var out outbox
		rec := stream.Record{Topic: "raw", Value: []byte(value), Timestamp: start, Headers: headers}
		if err := f.Fold(context.Background(), []stream.Record{rec}, &out); err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, s := range out.all {
			if s.topic == "dead" {
				all = append(all, "dead letter "+s.headers["tracksource.code"])
				continue
			}
			var obs avro.Observation
			if err := f.Codecs.Observation.Decode(s.value, &obs); err != nil {
				t.Fatal(err)
			}
			n, err := identity.Parse(obs.Node)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprintf("%v %s %s revision %d retracted %t touch %t", n.Level, obs.Source, obs.EventID, obs.MappingRevision, obs.Retracted, obs.Touch != nil))
		}
		return all
	}
	want := func(got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	again := stream.Header{Key: ingest.HeaderRemapped, Value: []byte("1")}
	event := `{"kind":"form","id":"1","at":"2026-02-01T00:00:00Z","who":"u","browser":"b","page":"/a"}`
	revise(strings.Replace(mappedFeed, "WHO", "who", 1))
	want(fold(event), "person own form/1 revision 1 retracted false touch true")
	want(fold(page), "anonymous segment m1 revision 1 retracted false touch true") // no rule takes it
	want(fold(`{"hello":1}`), "dead letter unknown_shape")
	revise(strings.Replace(mappedFeed, "user: WHO", "anonymous: browser", 1))
	want(fold(event), "anonymous own form/1 revision 2 retracted false touch true")
	want(fold(event, again),
		"anonymous own form/1 revision 2 retracted false touch true",
		"person own form/1 revision 2 retracted true touch false")
	want(fold(page, again), "anonymous segment m1 revision 2 retracted false touch true")
	revise("")
	want(fold(event, again), "dead letter unknown_shape",
		"anonymous own form/1 revision 3 retracted true touch false",
		"person own form/1 revision 3 retracted true touch false")
	revise(strings.Replace(mappedFeed, "WHO", "who", 1))
	want(fold(event, again),
		"person own form/1 revision 4 retracted false touch true",
		"anonymous own form/1 revision 4 retracted true touch false")
}

// TestFeedGap: an object that its source has lost changes of is told of, and the
// event is kept.
func TestFeedGap(t *testing.T) {
	f := newFeed(t, avro.NewMemory())
	f.Alerts = "alerts"
	gap := `{"ChangeEventHeader":{"entityName":"Opportunity","recordIds":["006000000000001AAA"],"changeType":"GAP_UPDATE","transactionKey":"k","sequenceNumber":1,"commitNumber":7,"commitTimestamp":1768606339000}}`
	var out outbox
	if err := f.Fold(context.Background(), []stream.Record{{Topic: "raw", Offset: 4, Value: []byte(gap), Timestamp: start}}, &out); err != nil {
		t.Fatal(err)
	}
	if len(out.all) != 2 || out.all[0].headers["tracksource.code"] != "data_gap" || out.all[1].topic != "alerts" {
		t.Fatalf("%+v, want a dead letter and an alert", out.all)
	}
	var a avro.Alert
	if err := f.Codecs.Alert.Decode(out.all[1].value, &a); err != nil {
		t.Fatal(err)
	}
	if a.Kind != "data_gap" || !strings.Contains(a.Message, "006000000000001AAA") || !slices.Equal(a.Evidence, []string{"raw/0@4"}) || string(out.all[1].key) != a.ID {
		t.Errorf("%+v", a)
	}
}

// TestFeedClaims: an event that says another reports it stays the feed owner's,
// and people are told, once a batch for each name; tags never are such a claim.
func TestFeedClaims(t *testing.T) {
	f := newFeed(t, avro.NewMemory())
	f.Alerts = "alerts"
	event := func(id, more string) string {
		return `{"type":"page","messageId":"` + id + `","anonymousId":"a","timestamp":"2026-03-01T12:00:00Z","context":{"campaign":{"source":"globex"}},"properties":{"url":"https://acme.com/x"}` + more + `}`
	}
	header := []stream.Header{{Key: ingest.HeaderReporter, Value: []byte("initech")}}
	tests := []struct {
		name    string
		records []stream.Record
		want    []string
	}{
		{"its own name, and a tag", []stream.Record{{Value: []byte(event("1", `,"reporter":" Acme "`))}}, nil},
		{"another's, twice", []stream.Record{{Value: []byte(event("1", `,"reporter":"globex"`))}, {Value: []byte(event("2", `,"Reporter_ID":"globex"`))}}, []string{"globex reports"}},
		{"in an array", []stream.Record{{Value: []byte("[" + event("1", "") + "," + event("2", `,"reporterId":"globex"`) + "]")}}, []string{"globex reports"}},
		{"by a header", []stream.Record{{Value: []byte(event("1", "")), Headers: header}}, []string{"initech reports"}},
		{"a person", []stream.Record{{Value: []byte(event("1", `,"reporter":"jane.roe@example.com"`))}}, []string{"somebody else reports"}},
		{"no text", []stream.Record{{Value: []byte(event("1", `,"reporter":{"id":"globex"}`))}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for i := range tt.records {
				tt.records[i].Topic, tt.records[i].Timestamp = "raw", start
			}
			var out outbox
			if err := f.Fold(context.Background(), tt.records, &out); err != nil {
				t.Fatal(err)
			}
			var alerts []string
			for _, m := range out.all {
				switch m.topic {
				case "observations":
					var o avro.Observation
					if err := f.Codecs.Observation.Decode(m.value, &o); err != nil || o.Reporter != "acme" {
						t.Errorf("an observation of %q, %v", o.Reporter, err)
					}
				case "alerts":
					var a avro.Alert
					if err := f.Codecs.Alert.Decode(m.value, &a); err != nil || a.Kind != "reporter_claim" || len(a.Evidence) != 1 {
						t.Errorf("%+v, %v", a, err)
					}
					alerts = append(alerts, a.Message)
				default:
					t.Errorf("a record for %s", m.topic)
				}
			}
			if len(alerts) != len(tt.want) {
				t.Fatalf("alerts %q, want %q", alerts, tt.want)
			}
			for i, want := range tt.want {
				if !strings.Contains(alerts[i], want) {
					t.Errorf("alert %q, want %q", alerts[i], want)
				}
			}
		})
	}
}

// TestFeedPlainAddresses: addresses that come plain although hashes were agreed are
// hashed, counted, told of, and never repeated.
func TestFeedPlainAddresses(t *testing.T) {
	book := control.NewBook()
	document := strings.Replace(string(example.AILaunchTour()), "role: host, currency: USD", "role: host, currency: USD, addresses: hashed", 1)
	book.Contracts["ai-launch-tour"] = []avro.ContractRecord{{Campaign: "ai-launch-tour", Revision: 1, Document: document}}
	mappings := ingest.NewMappings()
	if err := mappings.Set(book); err != nil {
		t.Fatal(err)
	}
	identify := func(id, traits string) stream.Record {
		return stream.Record{Topic: "raw", Timestamp: start, Value: []byte(`{"type":"identify","messageId":"` + id + `","userId":"u","timestamp":"2026-03-01T12:00:00Z","traits":{` + traits + `}}`)}
	}
	plain := []stream.Record{identify("1", `"email":"jane.roe@bigco.com"`), identify("2", `"email":"JOHN@bigco.com"`)}
	hashed := []stream.Record{identify("3", `"email_sha256":"`+strings.Repeat("ab", 32)+`","email_domain":"bigco.com"`)}
	for _, tt := range []struct {
		name, reporter, want string
		records              []stream.Record
	}{
		{"hashed", "acme", "", hashed},
		{"nothing agreed", "globex", "", plain},
		{"plain", "acme", "2 addresses of people came unhashed in one batch, and the contract of ai-launch-tour has acme send hashes", append(hashed, plain...)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFeed(t, avro.NewMemory())
			f.Alerts, f.Mappings, f.ID.Reporter = "alerts", mappings, tt.reporter
			var out outbox
			if err := f.Fold(context.Background(), tt.records, &out); err != nil {
				t.Fatal(err)
			}
			got, recorded := "", false
			for _, m := range out.all {
				if strings.Contains(strings.ToLower(string(m.value)), "jane.roe") || strings.Contains(strings.ToLower(string(m.value)), "john@") {
					t.Errorf("%s has an address", m.topic)
				}
				if m.topic != "alerts" {
					var obs avro.Observation
					if err := f.Codecs.Observation.Decode(m.value, &obs); err != nil {
						t.Fatal(err)
					}
					recorded = recorded || obs.HashScheme == identity.HashScheme
					continue
				}
				var a avro.Alert
				if err := f.Codecs.Alert.Decode(m.value, &a); err != nil {
					t.Fatal(err)
				}
				got += a.Message
			}
			if !recorded {
				t.Error("no observation says how the addresses were hashed")
			}
			if !strings.HasPrefix(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("alerts %q, want %q", got, tt.want)
			}
		})
	}
}

// TestFeedDisputes: a step of a dispute in a feed goes to control, as the owner of the
// feed's and as of its arrival, whatever the event says; what cannot be one is a dead
// letter that keeps the bytes, and nothing of it is anywhere else.
func TestFeedDisputes(t *testing.T) {
	const said = `"type": "tracksource.dispute", "campaign": "ai-launch-tour", "by": "Partner Operations", "why": "ours"`
	const open = `{` + said + `, "action": "open", "id": "d1", "deal": "globex/salesforce/0065g00000XyZab", "about": "credit", "against": "globex"`
	for _, tt := range []struct{ name, event, code string }{
		{"opened", open + `}`, ""},
		{"in another's name", open + `, "partner": "globex", "at": "2026-02-01T00:00:00Z"}`, ""},
		{"withdrawn", `{` + said + `, "action": "withdraw", "id": "d1"}`, ""},
		{"resolved", `{` + said + `, "action": "resolve", "id": "d1"}`, "bad_field"},
		{"of no deal", `{` + said + `, "action": "open", "id": "d1", "about": "sourcing"}`, "missing_field"},
		{"of a deal that is none", `{` + said + `, "action": "open", "id": "d1", "deal": "secret", "about": "sourcing"}`, "bad_field"},
		{"by a person", strings.Replace(open, "Partner Operations", "secret@acme.com", 1) + `}`, "bad_field"},
		{"from the future", open + `, "at": "2027-01-01T00:00:00Z"}`, "time_future"},
		{"in a list", `[` + open + `}]`, "unknown_shape"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFeed(t, avro.NewMemory())
			var out outbox
			rec := stream.Record{Topic: "raw", Partition: 3, Offset: 7, Value: []byte(tt.event), Timestamp: start}
			rec.Headers = []stream.Header{{Key: ingest.HeaderReceived, Value: fmt.Append(nil, start.Add(-time.Hour).UnixMicro())}}
			if err := f.Fold(context.Background(), []stream.Record{rec}, &out); err != nil {
				t.Fatal(err)
			}
			if len(out.all) != 1 {
				t.Fatalf("%d outputs, want one", len(out.all))
			}
			got := out.all[0]
			if tt.code != "" {
				if got.topic != "dead" || got.headers["tracksource.code"] != tt.code || strings.Contains(fmt.Sprint(got.headers), "secret") || string(got.value) != tt.event {
					t.Errorf("on %s with %v", got.topic, got.headers)
				}
				return
			}
			var c avro.Control
			if err := f.Codecs.Control.Decode(got.value, &c); err != nil || got.topic != "control" || c.Dispute == nil {
				t.Fatalf("on %s: %+v, %v", got.topic, c, err)
			}
			if d := c.Dispute; d.Partner != "acme" || !d.At.Equal(start) || d.Origin != "raw/3@7" || d.ID != "d1" || d.Action == "open" && d.Deal.ID != "0065g00000XyZabAAF" {
				t.Errorf("%+v", d)
			}
		})
	}
}

// TestDocumentedDispute: the events that docs/governance.md shows are taken in, by the
// feed and by who owns control, and the second one withdraws what the first one opens.
func TestDocumentedDispute(t *testing.T) {
	text, err := os.ReadFile("../../docs/governance.md")
	if err != nil {
		t.Fatal(err)
	}
	f := newFeed(t, avro.NewMemory())
	f.ID = ingest.FeedID{Feed: "crm", Reporter: "globex"}
	g := newGoverned(t, f.Codecs)
	agreed, err := control.Revise(example.AILaunchTour(), 0, start)
	if err != nil {
		t.Fatal(err)
	}
	g.take(agreed)
	states := []string{"open", "settled"}
	blocks := strings.Split(string(text), "```json\n")[1:]
	if len(blocks) != len(states) {
		t.Fatalf("%d events are shown", len(blocks))
	}
	for i, block := range blocks {
		event, _, _ := strings.Cut(block, "```")
		var out outbox
		if err := f.Fold(context.Background(), []stream.Record{{Topic: "raw", Offset: int64(i), Value: []byte(event), Timestamp: start}}, &out); err != nil {
			t.Fatal(err)
		}
		var c avro.Control
		if err := f.Codecs.Control.Decode(out.all[0].value, &c); err != nil || out.all[0].topic != "control" {
			t.Fatalf("event %d: on %s with %v", i, out.all[0].topic, out.all[0].headers)
		}
		if got := g.take(c); len(got.alerts) != 1 || got.alerts[0].State != states[i] || got.alerts[0].Kind != "dispute" {
			t.Errorf("event %d, %s: %+v, want the dispute %s", i, c.Dispute.ID, got.alerts, states[i])
		}
	}
}
