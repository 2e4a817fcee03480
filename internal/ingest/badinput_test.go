package ingest_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// The schemas of the partner that sends Avro, and a mapping of its own.
const (
	bombSchema   = `{"type":"record","name":"Bomb","fields":[{"name":"items","type":{"type":"array","items":"long"}}]}`
	doubleSchema = `{"type":"record","name":"Amount","fields":[{"name":"value","type":"double"}]}`
	nestedSchema = `{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"]}]}`
	textSchema   = `{"type":"record","name":"T","fields":[{"name":"text","type":"string"}]}`

	costlyMapping = `
mapping: {partner: acme, feed: analytics, source: own}
rules:
  - name: costly
    when: {path: kind, equals: costly}
    id: {cel: 'event.list.filter(a, event.list.exists(b, event.list.exists(c, c == a + b))).size() > 0 ? "x" : "y"'}
    time: at
    identities: {user: who}
    touch: {type: {const: form}}
  - name: broken
    when: {path: kind, equals: broken}
    id: {cel: 'event.id.upperAscii()'}
    time: at
    identities: {user: who}
    touch: {type: {const: form}}
`
)

// badInput is what a hostile or careless partner sends, and what becomes of it.
type badInput struct {
	name    string
	value   []byte
	headers []stream.Header
	dead    []string // codes of dead letters, in their order
	alerts  []string // kinds
	items   int      // touches and objects that are taken in nevertheless
}

// avroRecord is a body in the wire format, under a schema.
func avroRecord(t *testing.T, registry *avro.Memory, schema string, body []byte) []byte {
	t.Helper()
	id, err := registry.Register(context.Background(), fmt.Sprintf("partner-%d", len(schema)), schema)
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(id)), body...)
}

// deal is a change of a deal with one member in another form.
func deal(old, replacement string) []byte {
	const text = `{"ChangeEventHeader":{"entityName":"Opportunity","recordIds":["006A"],"changeType":"UPDATE","transactionKey":"t","sequenceNumber":1,"commitNumber":7,"commitTimestamp":1772366400000},"StageName":"Open","Amount":1,"CurrencyIsoCode":"USD"}`
	return []byte(strings.Replace(text, old, replacement, 1))
}

func badInputs(t *testing.T, registry *avro.Memory) []badInput {
	changed := func(old, replacement string) []byte { return []byte(strings.Replace(page, old, replacement, 1)) }
	form := func(id, more string) string {
		return `{"type":"track","event":"Form Submitted","messageId":"` + id + `","userId":"u","timestamp":"2026-03-01T12:00:00Z"` + more + `}`
	}
	numbers := make([]int, 400)
	for i := range numbers {
		numbers[i] = i * i
	}
	list, err := json.Marshal(numbers)
	if err != nil {
		t.Fatal(err)
	}
	refund := `{"type":"track","event":"Order Refunded","messageId":"r","userId":"u","timestamp":"2026-03-01T12:00:00Z","properties":{"order_id":"o","currency":"USD","total":-5}}`
	return []badInput{
		{name: "10 MB", value: []byte(`"` + strings.Repeat("x", 10<<20) + `"`), dead: []string{"too_large"}},
		{name: "deep nesting", value: []byte(strings.Repeat(`[{"a":`, 200)), dead: []string{"too_deep"}},
		{name: "half a million events of nothing", value: []byte("[" + strings.Repeat("0,", 1<<18) + "0]"), dead: slices.Repeat([]string{"unknown_shape"}, 100)},
		{name: "one record that speaks of many", value: deal(`["006A"]`, `["`+strings.Repeat(`006A","`, 20_000)+`006A"]`), dead: []string{"too_large"}},
		{name: "an array bomb in Avro", value: avroRecord(t, registry, bombSchema, []byte{0xfe, 0xff, 0xff, 0xff, 0x0f}), dead: []string{"too_large"}},
		{name: "deep nesting in Avro", value: avroRecord(t, registry, nestedSchema, bytes.Repeat([]byte{2}, 5000)), dead: []string{"too_large"}},
		{name: "a schema that nobody knows", value: []byte{0, 0, 0, 3, 0xe7, 2}, dead: []string{"unknown_schema"}},
		{name: "NaN in Avro", value: avroRecord(t, registry, doubleSchema, binary.LittleEndian.AppendUint64(nil, math.Float64bits(math.NaN()))), dead: []string{"undecodable"}},
		{name: "NaN in JSON", value: deal(`"Amount":1,`, `"Amount":NaN,`), dead: []string{"undecodable"}},
		{name: "NaN as text", value: deal(`"Amount":1,`, `"Amount":"NaN",`), dead: []string{"bad_amount"}},
		{name: "1e400", value: deal(`"Amount":1,`, `"Amount":1e400,`), dead: []string{"bad_amount"}},
		{name: "an exponent that fills the memory", value: deal(`"Amount":1,`, `"Amount":1e2000000000,`), dead: []string{"bad_amount"}},
		{name: "a negative refund", value: []byte(refund), dead: []string{"bad_amount"}},
		{name: "a negative deal, which is a credit note", value: deal(`"Amount":1,`, `"Amount":-250.00,`), items: 1},
		{name: "an unknown currency", value: deal(`USD`, `ZZZ`), dead: []string{"bad_currency"}},
		{name: "an unknown stage, which contracts judge", value: deal(`Open`, `Beyond the Moon`), items: 1},
		{name: "a field of another type", value: deal(`"sequenceNumber":1`, `"sequenceNumber":"first"`), dead: []string{"bad_field"}},
		{name: "nobody", value: changed(`"anonymousId":"a",`, ``), dead: []string{"missing_field"}},
		{name: "the future", value: changed("2026-03-01", "2026-03-03"), dead: []string{"time_future"}},
		{name: "before 2000", value: changed("2026-03-01", "1999-03-01"), dead: []string{"bad_time"}},
		{name: "too old", value: changed("2026-03-01", "2026-02-01"), dead: []string{"too_late"}},
		{name: "UTF-8 garbage", value: changed("globex", "\xff\xfe\x00"), dead: []string{"undecodable"}},
		{name: "UTF-8 garbage in Avro", value: avroRecord(t, registry, textSchema, []byte{2, 0xff}), dead: []string{"undecodable"}},
		{name: "half a character, which is replaced", value: changed(`"messageId":"m1"`, `"messageId":"\ud800"`), items: 1},
		{name: "an id of four kilobytes", value: []byte(`{"event_name":"submit_form","collector_tstamp":"2026-03-01T12:00:00Z","domain_userid":"d","event_id":"` + strings.Repeat("e", 5000) + `","event_fingerprint":"` + strings.Repeat("f", 5000) + `"}`), items: 1},
		{name: "one id for two events", value: []byte("[" + form("same", "") + "," + form("same", `,"properties":{"asset":"guide"}`) + "]"), alerts: []string{"id_collision"}, items: 2},
		{name: "a claim to be another reporter", value: []byte(form("claim", `,"reporter":"globex"`)), alerts: []string{"reporter_claim"}, items: 1},
		{name: "the same by a header", value: []byte(form("header", "")), headers: []stream.Header{{Key: ingest.HeaderReporter, Value: []byte("globex")}}, alerts: []string{"reporter_claim"}, items: 1},
		{name: "claims by the thousand", value: []byte("[" + strings.Join(claims(1000), ",") + "]"), dead: slices.Repeat([]string{"unknown_shape"}, 100), alerts: slices.Repeat([]string{"reporter_claim"}, 8)},
		{name: "a mapping that costs too much", value: []byte(`{"kind":"costly","at":"2026-03-01T12:00:00Z","who":"u","list":` + string(list) + `}`), dead: []string{"mapping_cost"}},
		{name: "a mapping that fails", value: []byte(`{"kind":"broken","at":"2026-03-01T12:00:00Z","who":"u","id":7}`), dead: []string{"mapping_failed"}},
		{name: "raw addresses where hashes were agreed", value: []byte(form("raw", `,"context":{"traits":{"email":"jane.roe@bigco.com"}}`)), alerts: []string{"plain_address"}, items: 1},
		{name: "a gap", value: deal("UPDATE", "GAP_UPDATE"), dead: []string{"data_gap"}, alerts: []string{"data_gap"}},
		{name: "a control total that is none", value: []byte(`{"control_total":{"source":"ga4","day":"2026-03-01","count":-1}}`), dead: []string{"bad_field"}},
		{name: "a control total of NaN", value: []byte(`{"control_total":{"source":"ga4","day":"2026-03-01","count":1,"sums":{"EUR":"NaN"}}}`), dead: []string{"bad_amount"}},
	}
}

func claims(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`{"reporter":"somebody-%d"}`, i))
	}
	return all
}

// badFeed is a feed whose contract wants hashed addresses and whose mapping costs.
func badFeed(t *testing.T, registry avro.Registry) *ingest.Feed {
	t.Helper()
	f := newFeed(t, registry)
	f.Alerts, f.Mappings = "alerts", ingest.NewMappings()
	book := control.NewBook()
	document := strings.Replace(string(example.AILaunchTour()), "role: host, currency: USD", "role: host, currency: USD, addresses: hashed", 1)
	book.Contracts["ai-launch-tour"] = []avro.ContractRecord{{Campaign: "ai-launch-tour", Revision: 1, Document: document}}
	c := control.Remap("acme", "analytics", []byte(costlyMapping), 0, start)
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
	return f
}

// spy keeps what goes through a line.
type spy struct {
	*line
	bytes   int
	largest int
	letters []sent
	said    strings.Builder // all but what letters keep
}

func (s *spy) Emit(topic string, key, value []byte, headers ...stream.Header) {
	s.bytes += len(key) + len(value)
	s.largest = max(s.largest, len(key)+len(value))
	if topic == "dead" {
		var o outbox
		o.Emit(topic, key, value, headers...)
		s.letters = append(s.letters, o.all...)
	} else {
		s.said.Write(value)
	}
	s.line.Emit(topic, key, value, headers...)
}

// TestBadInput sends what hostile and careless partners send through feed and
// resolve: it gets its code or its alert, nothing of people is in what is said
// about it, it asks for no more than a few times its size, and the events around
// it are taken in.
func TestBadInput(t *testing.T) {
	registry := avro.NewMemory()
	shown := map[string]bool{}
	for _, tt := range badInputs(t, registry) {
		for _, code := range tt.dead {
			shown[code] = true
		}
		t.Run(tt.name, func(t *testing.T) { tt.check(t, badFeed(t, registry)) })
	}
	documented := documentedCodes(t)
	for _, code := range documented {
		if !shown[code] {
			t.Errorf("docs/operations.md has the code %s, and no input here gets it", code)
		}
	}
}

func (tt *badInput) check(t *testing.T, f *ingest.Feed) {
	l := &spy{line: newLine(t, f.Codecs)}
	horizon, err := l.codecs.Observation.Append(nil, &avro.Observation{Kind: "control", Control: &avro.Control{Kind: "horizon", Number: 1, Horizon: &avro.HorizonRecord{Day: start.AddDate(0, 0, -7).Format(time.DateOnly)}}})
	if err != nil {
		t.Fatal(err)
	}
	for p := range int32(partitions) {
		l.EmitTo("observations", p, nil, horizon)
	}
	before, after := []byte(page), []byte(strings.Replace(page, `"m1"`, `"m2"`, 1))
	records := []stream.Record{{Offset: 1, Value: before}, {Offset: 2, Key: []byte("k"), Value: tt.value, Headers: tt.headers}, {Offset: 3, Value: after}}
	for i := range records {
		records[i].Topic, records[i].Timestamp = "raw", start
	}
	if err := f.Fold(context.Background(), records, l); err != nil {
		t.Fatal(err)
	}
	l.work(func(int) int { return 0 })

	var dead []string
	for _, d := range l.dead {
		dead = append(dead, d[strings.LastIndexByte(d, ' ')+1:])
	}
	if !slices.Equal(dead, tt.dead) {
		t.Errorf("dead letters %v, want %v", dead, tt.dead)
	}
	var alerts []string
	for _, m := range l.messages {
		kind, _, _ := strings.Cut(m, " ")
		alerts = append(alerts, kind)
	}
	if !slices.Equal(alerts, tt.alerts) {
		t.Errorf("alerts %v, want %v", alerts, tt.alerts)
	}
	if got := len(l.placed()); got != tt.items+2 {
		t.Errorf("%d items, want %d and the two around it:\n%s", got, tt.items, strings.Join(l.placed(), "\n"))
	}
	for i, d := range l.letters {
		kept := tt.value
		if i > 0 || len(tt.value) > 1<<20 {
			kept = []byte{}
		}
		if d.value == nil || !bytes.Equal(d.value, kept) || string(d.key) != "k" {
			t.Errorf("letter %d keeps %d bytes, want %d", i, len(d.value), len(kept))
		}
	}
	if most := 3*len(tt.value) + 1<<16; l.bytes > most {
		t.Errorf("%d bytes became %d", len(tt.value), l.bytes)
	}
	if strings.Contains(l.said.String(), "jane.roe") {
		t.Error("an address came through")
	}
}

// documentedCodes are the codes of dead letters that docs/operations.md explains.
func documentedCodes(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "| code | what it says |")
	if !ok {
		t.Fatal("docs/operations.md has no table of codes")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	return namesIn(table)
}

// namesIn are the names in the first column of a table.
func namesIn(table string) []string {
	var names []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\|").FindAllStringSubmatch(table, -1) {
		for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[1], -1) {
			names = append(names, name[1])
		}
	}
	return names
}

// TestCodesAreDocumented: docs/operations.md lists the codes of dead letters and
// the kinds of alerts that there are, and no others.
func TestCodesAreDocumented(t *testing.T) {
	inSource := func(pattern string, files ...string) []string {
		found := map[string]bool{}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
				found[m[1]] = true
			}
		}
		return slices.Sorted(maps.Keys(found))
	}
	codes := inSource(`(?m)^\s*\w+\s+(?:normalize\.)?Code\s+= "([a-z_]+)"`, "../../normalize/normalize.go", "../../normalize/mapping/mapping.go")
	codes = append(codes, inSource(`(?m)^\s*Code\w+\s+= "([a-z_]+)"`, "deadletter.go")...)
	slices.Sort(codes)
	documented := documentedCodes(t)
	slices.Sort(documented)
	if !slices.Equal(codes, documented) || len(codes) < 15 {
		t.Errorf("codes of dead letters\n%v\nin docs/operations.md\n%v", codes, documented)
	}
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "| kind | what was found |")
	table, _, _ = strings.Cut(table, "\n\n")
	kinds := append(inSource(`Kind: "([a-z_]+)", Severity`, "alerts.go", "control.go"), inSource(`Alert\w+ = "([a-z_]+)"`, "../control/total.go")...)
	if listed := namesIn(table); !ok || len(kinds) < 6 || slices.ContainsFunc(kinds, func(k string) bool { return !slices.Contains(listed, k) }) {
		t.Errorf("kinds of alerts %v, docs/operations.md lists %v", kinds, listed)
	}
}

// TestFeedHasABound: records that speak of thousands of others are worked off few
// at a time.
func TestFeedHasABound(t *testing.T) {
	if testing.Short() {
		t.Skip("megabytes through one goroutine take seconds, and half a minute under the race detector")
	}
	f := newFeed(t, avro.NewMemory())
	var ids []string
	for i := range 10_000 {
		ids = append(ids, fmt.Sprintf(`"006%d"`, i))
	}
	long := strings.Repeat("x", 512)
	value := deal(`["006A"]`, "["+strings.Join(ids, ",")+"]")
	value = bytes.Replace(value, []byte(`"StageName":"Open"`), []byte(`"StageName":"`+long+`","LeadSource":"`+long+`","CampaignId":"`+long+`","AccountId":"001"`), 1)
	record := stream.Record{Topic: "raw", Value: value, Timestamp: start}
	one := &stream.Batch{Records: []stream.Record{record}}
	if err := f.Process(context.Background(), one); err != nil {
		t.Fatal(err)
	}
	n, size := one.Emitted()
	if n != 10_000 {
		t.Errorf("%d observations, want 10000", n)
	}
	many := &stream.Batch{Records: slices.Repeat([]stream.Record{record}, 100)}
	err := f.Process(context.Background(), many)
	if _, staged := many.Emitted(); !errors.Is(err, stream.ErrTooBig) || staged > 64<<20+size {
		t.Errorf("a hundred of them give %v and stage %d bytes", err, staged)
	}
}

// TestFeedSaysOnce: a list that has an event twice says it once, as the books
// count what a record became.
func TestFeedSaysOnce(t *testing.T) {
	var out outbox
	value := "[" + page + "," + page + "," + strings.Replace(page, "m1", "m2", 1) + "]"
	if err := newFeed(t, avro.NewMemory()).Fold(context.Background(), []stream.Record{{Topic: "raw", Value: []byte(value), Timestamp: start}}, &out); err != nil {
		t.Fatal(err)
	}
	if len(out.all) != 2 {
		t.Errorf("%d observations, want two", len(out.all))
	}
}

// FuzzFeed: no bytes stop a feed or resolve behind it, each becomes something, and
// no record of it is longer than a topic takes.
func FuzzFeed(f *testing.F) {
	p, err := identity.NewPseudonymizer(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		f.Fatal(err)
	}
	foreign, err := avro.NewForeign(avro.ForeignConfig{Registry: avro.NewMemory()})
	if err != nil {
		f.Fatal(err)
	}
	feed := &ingest.Feed{
		Codecs: codecs(f), Foreign: foreign, Pseudonymizer: p, ID: ingest.FeedID{Feed: "analytics", Reporter: "acme"},
		Observations: "observations", DeadLetters: "dead", Alerts: "alerts",
	}
	for _, seed := range []string{page, "[" + page + ",0,{}]", thirty, "\x00\x00\x00\x00\x01\x02", string(deal("UPDATE", "GAP_UPDATE"))} {
		f.Add([]byte(seed))
	}
	shapes, err := filepath.Glob("../../normalize/testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range shapes {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		s := &spy{line: newLine(t, feed.Codecs)}
		if err := feed.Fold(context.Background(), []stream.Record{{Topic: "raw", Key: []byte("k"), Value: value, Timestamp: start}}, s); err != nil {
			t.Fatal(err)
		}
		if s.bytes == 0 {
			t.Error("a record became nothing")
		}
		s.work(func(int) int { return 0 })
		if s.largest > 1<<20+1<<16 {
			t.Errorf("a record of %d bytes", s.largest)
		}
	})
}

// TestObjectsHaveABound: whatever a partner puts into the updates of one object,
// what is kept of it fits into a record.
func TestObjectsHaveABound(t *testing.T) {
	if testing.Short() {
		t.Skip("megabytes through one goroutine take seconds, and half a minute under the race detector")
	}
	f := newFeed(t, avro.NewMemory())
	f.ID.Feed = "crm"
	long := strings.Repeat("<", 4000) // which takes six bytes in JSON
	s := &spy{line: newLine(t, f.Codecs)}
	var records []stream.Record
	for i := range 265 {
		lead := fmt.Sprintf(`{"ChangeEventHeader":{"entityName":"Lead","recordIds":["00Q1"],"changeType":"UPDATE","transactionKey":"%d%s","sequenceNumber":1,"commitNumber":%d,"commitTimestamp":1772366400000},"Status":"%d%s","LeadSource":"%s","Industry":"%s","Country":"%s","ConvertedAccountId":"%s","ConvertedOpportunityId":"%s"}`,
			i, long, i, i, long, long, long, long, long, long)
		records = append(records, stream.Record{Topic: "raw", Offset: int64(i), Value: []byte(lead), Timestamp: start})
	}
	if err := f.Fold(context.Background(), records, s); err != nil {
		t.Fatal(err)
	}
	s.work(func(n int) int { return n - 1 })
	if len(s.items) != 1 || s.largest > 1<<20 {
		t.Errorf("%d items, and a record of %d bytes", len(s.items), s.largest)
	}
	for _, kv := range s.stores {
		err := kv.Scan(nil, []byte{0xff, 0xff}, func(key, value []byte) (bool, error) {
			if len(value) > 3<<19 {
				t.Errorf("a value of %d bytes under %q", len(value), key[:1])
			}
			return true, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
