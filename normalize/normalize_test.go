package normalize_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tracksource/identity"
	"tracksource/internal/sample"
	"tracksource/normalize"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func source(t testing.TB) normalize.Source {
	t.Helper()
	p, err := identity.NewPseudonymizer(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		t.Fatal(err)
	}
	return normalize.Source{Feed: "test", Reporter: "acme", Received: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), Pseudonyms: p}
}

// render writes events as text that a reviewer can read.
func render(events []normalize.Event) string {
	var b strings.Builder
	for i, e := range events {
		fmt.Fprintf(&b, "event %d\n", i)
		if e.Problem != nil {
			fmt.Fprintf(&b, "  problem %s\n", e.Problem)
		}
		for _, o := range e.Observations {
			fmt.Fprintf(&b, "  %s %s id=%q at=%s\n", o.Shape, o.Node, o.EventID, o.OccurredAt.Format(time.RFC3339Nano))
			if o.HashScheme != "" {
				fmt.Fprintf(&b, "    hashed by %s\n", o.HashScheme)
			}
			if o.Unmatchable {
				b.WriteString("    unmatchable\n")
			}
			if o.Touch != nil {
				fmt.Fprintf(&b, "    touch %+v\n", *o.Touch)
			}
			if ob := o.Object; ob != nil {
				fmt.Fprintf(&b, "    %s %s order=%d.%d deleted=%t\n", ob.Type, ob.ID, ob.Order, ob.SubOrder, ob.Deleted)
				for _, f := range ob.Fields {
					v := "(cleared)"
					if f.Value != nil {
						v = *f.Value
					}
					fmt.Fprintf(&b, "      %s = %s\n", f.Name, v)
				}
			}
			for _, n := range o.Merged {
				fmt.Fprintf(&b, "    the same as %s\n", n)
			}
			for _, l := range o.Links {
				fmt.Fprintf(&b, "    link to %s, evidence %d\n", l.Parent, l.Evidence)
			}
		}
	}
	return b.String()
}

// TestGolden normalises each example of a native shape and holds the result
// against its golden text.
func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.json")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, in := range inputs {
		t.Run(filepath.Base(in), func(t *testing.T) {
			payload, err := os.ReadFile(in)
			if err != nil {
				t.Fatal(err)
			}
			got := render(normalize.Decode(source(t), payload))
			golden := strings.TrimSuffix(in, ".json") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

const opportunity = `{"payload":{"ChangeEventHeader":{"entityName":"Opportunity","recordIds":["006A"],"changeType":"UPDATE",
"transactionKey":"t","sequenceNumber":1,"commitTimestamp":%s,"commitNumber":7,"nulledFields":[]},"Amount":%s,"CurrencyIsoCode":%s}}`

// many is n numbers of a JSON list.
func many(n int) string {
	var all []string
	for i := range n {
		all = append(all, strconv.Itoa(i))
	}
	return strings.Join(all, ",")
}

// TestProblems: everything careless or hostile gets its code.
func TestProblems(t *testing.T) {
	deal := func(at, amount, currency string) string { return fmt.Sprintf(opportunity, at, amount, currency) }
	const at = "1767225600000"
	tests := []struct {
		name, payload string
		code          normalize.Code
	}{
		{"empty", "", normalize.Undecodable},
		{"cut off", `{"a":`, normalize.Undecodable},
		{"two values", `{} {}`, normalize.Undecodable},
		{"not UTF-8", "\"\xff\"", normalize.Undecodable},
		{"large", `"` + strings.Repeat("x", normalize.BytesMax) + `"`, normalize.TooLarge},
		{"deep", strings.Repeat("[", 100), normalize.TooDeep},
		{"text", `"hello"`, normalize.UnknownShape},
		{"empty array", `[]`, normalize.UnknownShape},
		{"unknown object", `{"hello":"world"}`, normalize.UnknownShape},
		{"huge amount", deal(at, "1e400", `"USD"`), normalize.BadAmount},
		{"amount over the bound", deal(at, "99999999999999999999", `"USD"`), normalize.BadAmount},
		{"amount that is none", deal(at, `"NaN"`, `"USD"`), normalize.BadAmount},
		{"amount of objects", deal(at, `{"a":1}`, `"USD"`), normalize.BadAmount},
		{"currency", deal(at, "1", `"ZZZ"`), normalize.BadCurrency},
		{"negative time", deal("-5", "1", `"USD"`), normalize.BadTime},
		{"seconds for milliseconds", deal("1767225600", "1", `"USD"`), normalize.BadTime},
		{"future", deal("4767225600000", "1", `"USD"`), normalize.TimeFuture},
		{"endless time", deal("9223372036854775807", "1", `"USD"`), normalize.BadTime},
		{"gap", strings.Replace(deal(at, "1", `"USD"`), "UPDATE", "GAP_UPDATE", 1), normalize.DataGap},
		{"no record", strings.Replace(deal(at, "1", `"USD"`), `["006A"]`, `[]`, 1), normalize.MissingField},
		{"more records than one transaction has", strings.Replace(deal(at, "1", `"USD"`), `["006A"]`, "["+strings.Repeat(`"006A",`, 10_000)+`"006A"]`, 1), normalize.TooLarge},
		{"more merged leads than a person has", `{"activityTypeId":32,"leadId":1,"id":1,"activityDate":"2026-01-01T00:00:00Z","attributes":[{"name":"Merge IDs","value":[` + strings.Repeat("7,", 1000) + `7]}]}`, normalize.TooLarge},
		{"more merged objects than one", `{"subscriptionType":"contact.merge","occurredAt":1767225600000,"primaryObjectId":1,"mergedObjectIds":[` + many(2000) + `]}`, normalize.TooLarge},
		{"Marketo without a lead", `{"activityTypeId":2,"id":1}`, normalize.MissingField},
		{"Segment without anybody", `{"type":"page","messageId":"m","timestamp":"2026-01-01T00:00:00Z"}`, normalize.MissingField},
		{"Segment with a bad time", `{"type":"page","messageId":"m","anonymousId":"a","timestamp":"yesterday"}`, normalize.BadTime},
		{"GA4 without a user", `{"event_name":"x","event_timestamp":"1"}`, normalize.MissingField},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events := normalize.Decode(source(t), []byte(tt.payload))
			if len(events) != 1 || events[0].Problem == nil || events[0].Problem.Code != tt.code {
				t.Errorf("Decode = %s, want one problem %s", render(events), tt.code)
			}
		})
	}
}

// TestNobodyLeavesByName: no address and no person's number is in what comes
// out, in problems neither.
func TestNobodyLeavesByName(t *testing.T) {
	src := source(t)
	for _, e := range sample.Generate(sample.Config{Seed: 3, Events: 3000}).Events {
		src.Received = e.At.Add(time.Hour)
		out := render(normalize.Decode(src, e.Payload))
		for _, canary := range []string{"@", "person.", "anon-", ":u-"} {
			if strings.Contains(out, canary) {
				t.Fatalf("%q came out of\n%s\nas\n%s", canary, e.Payload, out)
			}
		}
	}
}

// TestSampleIsRead: the sample's events are read but for those that it knows
// to be bad.
func TestSampleIsRead(t *testing.T) {
	src := source(t)
	w := sample.Generate(sample.Config{})
	bad, touches := 0, 0
	for _, e := range w.Events {
		src.Feed, src.Reporter, src.Received = e.Feed, e.Reporter, e.At
		events := normalize.Decode(src, e.Payload)
		if len(events) != 1 {
			t.Fatalf("%d events in %s", len(events), e.Payload)
		}
		if events[0].Problem != nil {
			bad++
		} else if events[0].Observations[0].Touch != nil {
			touches++
		}
	}
	if bad != w.Truth.DeadLetters {
		t.Errorf("%d bad events, the sample has %d", bad, w.Truth.DeadLetters)
	}
	if touches < len(w.Events)/5 {
		t.Errorf("only %d touches in %d events", touches, len(w.Events))
	}
}

func FuzzDecode(f *testing.F) {
	for _, e := range sample.Generate(sample.Config{Events: 60}).Events {
		f.Add(e.Payload)
	}
	names, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names { // each shape with its traps
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`[{"result":[1]},{"requestId":1,"result":[{"activityTypeId":1}]}]`))
	src := source(f)
	f.Add([]byte(`{"attributes":{"type":"DealRegistration"},"Id":"1","OpportunityId":"2","Status":"Approved","ExpirationDate":"2026-06-30","SystemModstamp":"2025-12-30T08:00:00Z"}`))
	f.Add([]byte(`{"control_total": {"source": "ga4", "day": "2026-03-02", "count": 1, "sums": {"EUR": "1.5"}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r normalize.Reader
		if v, err := r.Read(b); err == nil {
			if total, err := normalize.ReadControlTotal(v); err == nil && total != nil && total.Count < 0 {
				t.Fatalf("control total %+v", total)
			}
		}
		for _, e := range normalize.Decode(src, b) {
			if (e.Problem == nil) == (len(e.Observations) == 0) {
				t.Fatalf("neither problem nor observations: %+v", e)
			}
			for i, o := range e.Observations {
				o.Node.Bytes() // panics on an identity that is none
				if i == 0 && o.EventID == "" {
					t.Fatal("an event without an id")
				}
				for _, n := range o.Merged {
					if n.Level != o.Node.Level || n == o.Node {
						t.Fatalf("merge of %s with %s", o.Node, n)
					}
				}
				for _, l := range o.Links {
					if !l.ValidFor(o.Node) {
						t.Fatalf("link from %s to %s", o.Node, l.Parent)
					}
				}
			}
		}
		if json.Valid(b) && len(normalize.Decode(src, b)) == 0 {
			t.Fatal("no event")
		}
	})
}

// BenchmarkDecode reads one event of each shape, as often as it can, as a feed does:
// from bytes to observations with their pseudonyms.
func BenchmarkDecode(b *testing.B) {
	names, err := filepath.Glob("testdata/*.json")
	if err != nil {
		b.Fatal(err)
	}
	src := source(b)
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(strings.TrimSuffix(filepath.Base(name), ".json"), func(b *testing.B) {
			events := len(normalize.Decode(src, data))
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			var r normalize.Reader
			for b.Loop() {
				v, err := r.Read(data)
				if err != nil {
					b.Fatal(err)
				}
				normalize.DecodeValue(src, v)
			}
			b.ReportMetric(float64(b.N)*float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
