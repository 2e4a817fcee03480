package mapping_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"tracksource/normalize"
	"tracksource/normalize/mapping"
)

const head = "mapping: {partner: acme, feed: crm, source: own}\n"

// rules is a document of one rule with a touch.
func rules(extra string) string {
	return head + "rules:\n  - name: a\n    id: id\n    time: at\n    identities: {user: who}\n    touch: {type: {const: form}}\n" + extra
}

// TestParseRefuses: what is wrong with a mapping is said with its line and field,
// all of it at once.
func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, doc, want string }{
		{"nothing", "", "the document is empty"},
		{"no YAML", "a: [", "line 2"},
		{"too long", "#" + strings.Repeat("x", 300<<10), "at most"},
		{"an alias", head + "rules: &x []\n", "line 2: YAML anchors"},
		{"no head", "rules: []\n", "mapping: is missing"},
		{"a head without parts", "mapping: {partner: acme}\nrules: [{}]\n", "line 1: mapping.feed: is missing"},
		{"a name that is none", strings.Replace(rules(""), "acme", "Acme Inc", 1), `line 1: mapping.partner: "Acme Inc" is not`},
		{"a built-in source", strings.Replace(rules(""), "own", "salesforce", 1), "line 1: mapping.source: \"salesforce\" is the name of a built-in shape"},
		{"no rules", head, "rules: want a list"},
		{"an unknown key", rules("    whom: x\n"), "line 8: rules[0].whom: is unknown; there are name, when"},
		{"a key twice", rules("    id: x\n"), "line 8: rules[0].id: comes twice"},
		{"two rules of one name", rules("  - {name: a, id: i, time: t, identities: {user: u}}\n"), "line 8: rules[1].name: \"a\" comes twice"},
		{"no id", head + "rules: [{name: a, time: t, identities: {user: u}}]\n", "line 2: rules[0].id: is missing"},
		{"nobody", head + "rules: [{name: a, id: i, time: t, touch: {type: {const: form}}}]\n", "rules[0].identities: is missing"},
		{"a touch without a type", head + "rules: [{name: a, id: i, time: t, identities: {user: u}, touch: {asset: a}}]\n", "rules[0].touch.type: is missing"},
		{"both", rules("    object: {type: order, id: o}\n"), "rules[0]: a rule is about a touch or about an object"},
		{"an object of no type", head + "rules: [{name: a, id: i, time: t, object: {type: invoice, id: o}}]\n", `rules[0].object.type: "invoice" is none of`},
		{"an object without an id", head + "rules: [{name: a, id: i, time: t, object: {type: order}}]\n", "rules[0].object.id: is missing"},
		{"a registration of no deal", head + "rules: [{name: a, id: i, time: t, identities: {contact: c}, object: {type: deal_registration, id: o}}]\n", "rules[0].identities.opportunity: is missing"},
		{"a bad path", rules("    split: a..b\n"), `line 8: rules[0].split: "a..b" is not a path`},
		{"another bad path", rules("    when: {path: 'a[', equals: x}\n"), "line 8: rules[0].when.path"},
		{"two sources", strings.Replace(rules(""), "id: id", "id: {path: a, const: b}", 1), "line 4: rules[0].id: want one of path, const and cel"},
		{"no source", strings.Replace(rules(""), "id: id", "id: {lower: true}", 1), "line 4: rules[0].id: want one of path, const and cel"},
		{"a format that is none", strings.Replace(rules(""), "time: at", "time: {path: at, format: soon}", 1), `line 5: rules[0].time.format: "soon" is none of`},
		{"a zone that is none", strings.Replace(rules(""), "time: at", "time: {path: at, zone: Berlin}", 1), `line 5: rules[0].time.zone: "Berlin" is not`},
		{"a format of a text", strings.Replace(rules(""), "id: id", "id: {path: a, format: unix}", 1), "line 4: rules[0].id.format: only a time has it"},
		{"a constant that is none", head + "rules: [{name: a, id: i, time: t, object: {type: order, id: o, fields: {currency: {const: EURO}}}}]\n", `rules[0].object.fields.currency: "EURO" is not a currency`},
		{"a lookup that never fits", head + "rules: [{name: a, id: i, time: t, object: {type: order, id: o, fields: {is_won: {path: x, lookup: {a: maybe}}}}}]\n", `"maybe" is not true or false`},
		{"an expression that does not compile", strings.Replace(rules(""), "id: id", "id: {cel: 'event.'}", 1), "line 4: rules[0].id.cel: "},
		{"an expression of an unknown name", strings.Replace(rules(""), "id: id", "id: {cel: 'now()'}", 1), "undeclared reference to 'now'"},
		{"an expression of another type", strings.Replace(rules(""), "id: id", "id: {cel: '[1]'}", 1), "the expression gives list(int), want text"},
		{"a double for an amount", head + "rules: [{name: a, id: i, time: t, object: {type: order, id: o, fields: {amount: {cel: '1.5'}}}}]\n", "the expression gives double, want an amount"},
		{"a condition that is none", rules("    when: '\"yes\"'\n"), "line 8: rules[0].when: the expression gives string, want true or false"},
		{"a domain without a hash", strings.Replace(rules(""), "{user: who}", "{user: who, email_domain: d}", 1), "rules[0].identities.email_domain: belongs to email_sha256"},
		{"a list for text", strings.Replace(rules(""), "name: a", "name: [a]", 1), "line 3: rules[0].name: want text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := mapping.Parse([]byte(tt.doc))
			var bad *mapping.Error
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	_, err := mapping.Parse([]byte(head + "rules:\n  - {name: a}\n  - {name: b, whom: x}\n"))
	var bad *mapping.Error
	if !errors.As(err, &bad) || len(bad.Problems) < 6 {
		t.Errorf("%v, want every problem at once", err)
	}
}

// TestCosts: an expression that grows with the event is stopped, under its code.
func TestCosts(t *testing.T) {
	m := parse(t, strings.Replace(rules(""), "id: id", "id: {cel: 'event.list.filter(a, event.list.exists(b, event.list.exists(c, c == a + b))).size() > 0 ? \"x\" : \"y\"'}", 1))
	var list []string
	for i := range 400 {
		list = append(list, fmt.Sprint(i*i))
	}
	events := m.Apply(source(t), decode(t, []byte(`{"id":"1","at":"2026-03-01T00:00:00Z","who":"u","list":[`+strings.Join(list, ",")+`]}`)))
	if len(events) != 1 || events[0].Problem == nil || events[0].Problem.Code != mapping.Cost {
		t.Errorf("%s, want code %s", show(events), mapping.Cost)
	}
}

// TestRecordCosts: all events of a record together may cost no more than some of
// them at their most: the others are refused unread.
func TestRecordCosts(t *testing.T) {
	m := parse(t, strings.Replace(rules(""), "id: id", "id: {cel: 'event.list.filter(a, event.list.exists(b, event.list.exists(c, c == a + b))).size() > 0 ? \"x\" : \"y\"'}", 1))
	costly := `{"id":"1","at":"2026-03-01T00:00:00Z","who":"u","list":[` + strings.TrimSuffix(strings.Repeat("1,1001,", 60), ",") + `]}`
	cheap := strings.Replace(costly, "1,1001,", "", 59)
	events := m.Apply(source(t), decode(t, []byte("["+cheap+","+strings.Repeat(costly+",", 100)+cheap+"]")))
	var onEvent, onRecord int
	for _, e := range events[1:] {
		switch {
		case e.Problem == nil || e.Problem.Code != mapping.Cost:
			t.Fatalf("%s, want code %s", show([]normalize.Event{e}), mapping.Cost)
		case strings.Contains(e.Problem.Message, "on this record"):
			onRecord++
		default:
			onEvent++
		}
	}
	if events[0].Problem != nil || onEvent < 10 || onEvent > 25 || onRecord != 101-onEvent {
		t.Errorf("the first is %s, %d cost too much by themselves and %d were not tried", show(events[:1]), onEvent, onRecord)
	}
}

// TestSplitIsLinear: the elements of a list share the event that they came in.
func TestSplitIsLinear(t *testing.T) {
	m := parse(t, head+`rules:
  - name: item
    split: items
    id: {cel: 'string(event.value) + event.parent.id'}
    time: parent.at
    identities: {user: parent.who}
    touch: {type: {const: form}}
`)
	event := decode(t, []byte(`{"id":"-1","at":"2026-03-01T00:00:00Z","who":"u","big":[`+strings.Repeat("1,", 20_000)+`1],"items":[`+strings.Repeat("1,", 1000)+`{"value":2,"parent":"its own"}]}`))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	events := m.Apply(source(t), event)
	runtime.ReadMemStats(&after)
	if len(events) != 1001 || events[0].Problem != nil || events[0].Observations[0].EventID != "item/1-1" || events[1000].Observations[0].EventID != "item/2-1" {
		t.Errorf("%d events, the first %s, the last %s", len(events), show(events[:1]), show(events[1000:]))
	}
	if grew := after.TotalAlloc - before.TotalAlloc; grew > 100<<20 {
		t.Errorf("%d bytes for %d elements of a long event", grew, len(events))
	}
}

// TestSameEachTime: an event that is read again becomes the same: of several parts that
// fail the same one is named, at the same cost, and expressions see the members of an
// object in one order.
func TestSameEachTime(t *testing.T) {
	object := head + "rules: [{name: a, id: id, time: at, identities: {account: who, opportunity: o}, object: {type: order, id: id, order: x, sub_order: y}}]\n"
	costly := `{cel: 'event.l.exists(a, event.l.exists(b, event.l.exists(c, c == a + b + 9000))) ? "x" : "y"'}`
	expression := func(text string) string {
		return strings.Replace(rules(""), "id: id", `id: {cel: '`+text+`'}`, 1)
	}
	const event = `{"id":"1","at":"2026-03-01T00:00:00Z","who":"w","o":"o","x":"first","y":"second","l":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16],` +
		`"m":{"g":1,"c":2,"a":3,"f":4,"b":5,"e":6,"d":7},"n":[{"m":{"z":1,"y":2,"x":3,"w":4}}]}`
	long := `"` + strings.Repeat("x", 300) + `"`
	for _, tt := range []struct{ name, doc, event, want string }{
		{"numbers that are none", object, event, "rules[0].object.order: not a whole number"},
		{"records that are none", object, strings.NewReplacer(`"who":"w"`, `"who":`+long, `"o":"o"`, `"o":`+long).Replace(event), "rules[0].identities.account: what it names is none"},
		{
			"identities that fail", strings.Replace(rules(""), "{user: who}", "{user: "+costly+", anonymous: {cel: 'event.none'}, lead: {cel: 'event.none'}, contact: {cel: 'event.none'}}", 1),
			event, "rules[0].identities.anonymous: the expression fails",
		},
		{"members", expression(`event.m.map(k, k).join("")`), event, `id="a/abcdefg"`},
		{"members of an object in a list", expression(`event.n[0].m.map(k, k).join("")`), event, `id="a/wxyz"`},
		{"the first of them", expression(`event.m.filter(k, k > "a")[0]`), event, `id="a/b"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, src, spent := parse(t, tt.doc), source(t), uint64(0)
			for n := range 100 {
				src.Cost = new(uint64)
				got := show(m.Apply(src, decode(t, []byte(tt.event))))
				if n == 0 {
					spent = *src.Cost
				}
				if !strings.Contains(got, tt.want) || *src.Cost != spent {
					t.Fatalf("time %d, at a cost of %d and not %d:\n%s\nwant %s", n, *src.Cost, spent, got, tt.want)
				}
			}
		})
	}
}

// TestSilent: what fails on an event does not repeat what the event holds.
func TestSilent(t *testing.T) {
	const secret = "ann@secret-mail.example"
	docs := []string{
		rules(""), strings.Replace(rules(""), "id: id", "id: {cel: 'event.id.upperAscii()'}", 1),
		strings.Replace(rules(""), "time: at", "time: {path: at, format: unix}", 1),
		head + "rules: [{name: a, id: id, time: at, object: {type: order, id: o, fields: {amount: who, currency: who, is_won: who, close_date: who}}}]\n",
	}
	payloads := []string{
		`{"id":"` + secret + `","at":"2026-03-01T00:00:00Z","who":"` + secret + `","o":"` + secret + `"}`,
		`{"id":{"a":"` + secret + `"},"at":"` + secret + `","who":["` + secret + `"],"o":"1"}`,
		`{"id":1,"at":"` + secret + `","who":"` + secret + `"}`, `"` + secret + `"`, `["` + secret + `"]`,
	}
	for _, doc := range docs {
		for _, p := range payloads {
			if got := show(parse(t, doc).Apply(source(t), decode(t, []byte(p)))); strings.Contains(got, "secret-mail") {
				t.Errorf("%s\nof %s gives\n%s", doc, p, got)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	names, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		doc, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(doc)
	}
	f.Add([]byte(rules("")))
	f.Fuzz(func(t *testing.T, doc []byte) {
		m, err := mapping.Parse(doc)
		if err != nil {
			return
		}
		again, err := mapping.Parse(doc)
		if err != nil || again.Hash != m.Hash {
			t.Error("the same document is read otherwise")
		}
		m.Apply(source(t), map[string]any{"id": "1"})
	})
}

func FuzzApply(f *testing.F) {
	var all []*mapping.Mapping
	names, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		doc, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, parse(f, string(doc)))
		input, err := os.ReadFile(strings.TrimSuffix(name, ".yaml") + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(input)
	}
	src := source(f)
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, m := range all {
			events := m.Decode(src, payload)
			if len(events) == 0 {
				t.Error("an event became nothing")
			}
			if show(m.Decode(src, payload)) != show(events) {
				t.Error("the same bytes give other events")
			}
		}
	})
}

func BenchmarkApply(b *testing.B) {
	for _, name := range []string{"dynamics", "webinar", "pardot"} {
		b.Run(name, func(b *testing.B) {
			doc, err := os.ReadFile("testdata/" + name + ".yaml")
			if err != nil {
				b.Fatal(err)
			}
			input, err := os.ReadFile("testdata/" + name + ".json")
			if err != nil {
				b.Fatal(err)
			}
			m, src := parse(b, string(doc)), source(b)
			b.SetBytes(int64(len(input)))
			events := len(m.Decode(src, input))
			for b.Loop() {
				m.Decode(src, input)
			}
			b.ReportMetric(float64(b.N)*float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
