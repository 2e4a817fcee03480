package twin_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/attribution/model"
	"tracksource/attribution/twin"
	"tracksource/money"
)

const (
	good = `{"id":"j1","touches":[{"id":"t1","at":"2026-01-05T10:00:00Z","channel":"Paid Search"},{"id":"t2","at":"2026-01-06T10:00:00Z","channel":"Email"}],` +
		`"conversions":[{"id":"c1","at":"2026-01-09T00:00:00Z","value":"100.00","currency":"USD"}]}`
	// all names every field.
	all = `{"id":"j1","touches":[{"id":"t1","at":"2026-01-05T10:00:00Z","channel":"Paid Search","partner":"acme","campaign":"c","asset":"a","region":"r","type":"click"}],` +
		`"conversions":[{"id":"c1","at":"2026-01-09T00:00:00Z","value":"100.00","currency":"USD","lead_at":null,"opportunity_at":null,"closed_at":null}]}`
)

// everything has each model once, and what all of them can be asked.
func everything(by model.Key) twin.Config {
	c := twin.Config{By: by, Credits: true}
	for _, n := range model.Names() {
		s := model.Spec{Model: n}
		if n == model.Custom {
			s.Types = []model.TypeWeight{{Type: "form", Weight: 3}, {Type: "visit", Weight: 2}}
		}
		c.Models = append(c.Models, twin.Model{Name: string(n), Spec: s})
	}
	return c
}

func run(t interface{ Fatal(...any) }, c twin.Config, format string, lines ...string) string {
	w, err := twin.New(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if err := w.Add([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	if err := w.Write(&out, format); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func linear() twin.Config {
	return twin.Config{Credits: true, Models: []twin.Model{{Name: "linear", Spec: model.Spec{Model: model.Linear}}}}
}

// TestJSON: the form of the output, to the letter.
func TestJSON(t *testing.T) {
	for _, c := range []struct{ name, line, want string }{
		{
			"one touch of every field", all,
			`{"models":{"linear":{"by":{"Paid Search":{"value":"100.00","conversions":"1"}},"total":{"value":"100.00","conversions":"1"},` +
				`"conversions":[{"id":"c1","credits":[{"touch":"t1","weight":"1","value":"100.00"}]}]}}}`,
		},
		{
			"two touches", good,
			`{"models":{"linear":{"by":{"Email":{"value":"50.00","conversions":"0.5"},"Paid Search":{"value":"50.00","conversions":"0.5"}},"total":{"value":"100.00","conversions":"1"},` +
				`"conversions":[{"id":"c1","credits":[{"touch":"t1","weight":"0.5","value":"50.00"},{"touch":"t2","weight":"0.5","value":"50.00"}]}]}}}`,
		},
		{
			"no touch", `{"id":"j","conversions":[{"id":"c","at":"2026-01-09T00:00:00+02:00","value":-7,"currency":"JPY"}]}`,
			`{"models":{"linear":{"by":{"(unattributed)":{"value":"-7","conversions":"1"}},"total":{"value":"-7","conversions":"1"},` +
				`"conversions":[{"id":"c","credits":[{"touch":"(unattributed)","weight":"1","value":"-7"}]}]}}}`,
		},
		{"nothing", " ", `{"models":{"linear":{"by":{},"total":{"value":"0","conversions":"0"},"conversions":[]}}}`},
		{
			"marks that JSON escapes", `{"id":"j","touches":[{"id":"<\"","at":"2026-01-08T00:00:00Z"}],"conversions":[{"id":"c\n","at":"2026-01-09T00:00:00Z","value":"0.001","currency":"BHD"}]}`,
			`{"models":{"linear":{"by":{"(unknown)":{"value":"0.001","conversions":"1"}},"total":{"value":"0.001","conversions":"1"},` +
				`"conversions":[{"id":"c\n","credits":[{"touch":"<\"","weight":"1","value":"0.001"}]}]}}}`,
		},
	} {
		if got := run(t, linear(), "json", c.line); got != c.want+"\n" {
			t.Errorf("%s: got\n%swant\n%s", c.name, got, c.want)
		}
	}
}

// TestWindow is the lookback example of Amplitude's documentation: google on the
// 1st, facebook on the 7th, tiktok and the conversion on the 10th.
func TestWindow(t *testing.T) {
	line := `{"id":"j","touches":[{"id":"3","at":"2022-05-10T00:00:00Z","channel":"tiktok"},{"id":"1","at":"2022-05-01T00:00:00Z","channel":"google"},` +
		`{"id":"2","at":"2022-05-07T00:00:00Z","channel":"facebook"},{"id":"4","at":"2022-05-10T00:00:01Z","channel":"later"}],` +
		`"conversions":[{"id":"c","at":"2022-05-10T00:00:00Z","value":"1.00","currency":"USD"}]}`
	j := model.Spec{Model: model.JShaped, Variant: model.VariantAmplitude}
	for _, c := range []struct {
		days int
		spec model.Spec
		want string
	}{
		{30, model.Spec{Model: model.FirstTouch}, "google 1"},
		{7, model.Spec{Model: model.FirstTouch}, "facebook 1"},
		{7, model.Spec{Model: model.LastTouch}, "tiktok 1"},
		{30, model.Spec{Model: model.Linear}, "facebook 0.333333333333, google 0.333333333333, tiktok 0.333333333333"},
		{7, model.Spec{Model: model.Linear}, "facebook 0.5, tiktok 0.5"},
		{30, j, "facebook 0.2, google 0.2, tiktok 0.6"},
		{7, j, "facebook 0.3, tiktok 0.7"},
		// Both bounds are included, and nothing beyond them.
		{9, model.Spec{Model: model.FirstTouch}, "google 1"},
		{8, model.Spec{Model: model.FirstTouch}, "facebook 1"},
	} {
		out := run(t, twin.Config{Lookback: time.Duration(c.days) * 24 * time.Hour, Models: []twin.Model{{Name: "m", Spec: c.spec}}}, "csv", line)
		var got []string
		for row := range strings.Lines(out) {
			if cells := strings.Split(strings.TrimSpace(row), ","); cells[0] == "m" {
				got = append(got, cells[1]+" "+cells[4])
			}
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s, %d days: got %s, want %s", c.spec.Model, c.days, text, c.want)
		}
	}
}

// TestFaults: what is wrong with a line is named with the line and the field.
func TestFaults(t *testing.T) {
	edit := func(old, replacement string) string {
		if !strings.Contains(all, old) {
			t.Fatalf("the line has no %s", old)
		}
		return strings.Replace(all, old, replacement, 1)
	}
	for line, want := range map[string]string{
		`{`:                           "is not JSON: it ends too early",
		`{"id":"j1"`:                  "is not JSON: it ends too early",
		`[]`:                          "is not an object",
		`{"id":"a"]`:                  "is not JSON: invalid character ']' after object key:value pair",
		good + good:                   "something follows the journey; write one on a line",
		good + "\n[":                  "something follows the journey; write one on a line",
		"{\"id\":\"\xff\"}":           "is not UTF-8",
		`{}`:                          "id: is missing",
		`{"id":7}`:                    "id: is not a text",
		`{"id":"a","id":"b"}`:         "id: is there twice",
		`{"id":"a","touches":{}}`:     "touches: is not a list",
		`{"id":"a","touches":[null]}`: "touches[0]: is not an object",
		`{"id":"a","Touches":[]}`:     "Touches: there is no such field",
		edit(`"at":"2026-01-05T10:00:00Z"`, `"at":"yesterday"`):                            `touches[0].at: "yesterday" is not an RFC 3339 instant, such as 2026-01-05T10:00:00Z`,
		edit(`"at":"2026-01-05T10:00:00Z",`, ``):                                           "touches[0].at: is missing",
		edit(`"id":"t1",`, ``):                                                             "touches[0].id: is missing",
		edit(`"type":"click"`, `"kind":"click"`):                                           "touches[0].kind: there is no such field",
		edit(`"type":"click"}`, `"type":"click"},{"id":"t1","at":"2026-01-05T10:00:00Z"}`): `touches[1].id: "t1" is there twice`,
		edit(`Paid Search`, `(unattributed)`):                                              "touches[0].channel: (unattributed) stands for what no touch preceded; choose another name",
		edit(`Paid Search`, strings.Repeat("a", 1001)):                                     "touches[0].channel: has 1001 bytes; at most 1000",
		edit(`"value":"100.00",`, ``):                                                      "conversions[0].value: is missing",
		edit(`"100.00"`, `null`):                                                           "conversions[0].value: is not a number",
		edit(`"100.00"`, `"much"`):                                                         `conversions[0].value: not an amount: "much" is not a decimal number`,
		edit(`"100.00"`, `"100.001"`):                                                      `conversions[0].value: "100.001"; write a plain number with at most 2 decimals, which USD has`,
		edit(`"100.00"`, `1e2`):                                                            `conversions[0].value: "1e2"; write a plain number with at most 2 decimals, which USD has`,
		edit(`"100.00"`, `"1e17"`):                                                         `conversions[0].value: not an amount: more than 10000000000000.00 USD`,
		edit(`"USD"`, `"usd"`):                                                             `conversions[0].currency: "usd", and line 1 is in USD; a file is in one currency`,
		edit(`,"currency":"USD"`, ``):                                                      "conversions[0].currency: is missing",
		edit(`"USD"`, `"EUR"`):                                                             `conversions[0].currency: "EUR", and line 1 is in USD; a file is in one currency`,
		edit(`"lead_at":null`, `"lead_at":12`):                                             "conversions[0].lead_at: is not a text",
		edit(`"closed_at":null`, `"closed_at":"2026-13-01T00:00:00Z"`):                     `conversions[0].closed_at: "2026-13-01T00:00:00Z" is not an RFC 3339 instant, such as 2026-01-05T10:00:00Z`,
		edit(`"id":"c1",`, ``):                                                             "conversions[0].id: is missing",
	} {
		w, err := twin.New(linear())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add([]byte(good)); err != nil {
			t.Fatal(err)
		}
		if err := w.Add([]byte("  ")); err != nil {
			t.Fatal(err)
		}
		err = w.Add([]byte(line))
		if err == nil || err.Error() != "line 3: "+want {
			t.Errorf("%s\ngot  %v\nwant line 3: %s", line, err, want)
		}
	}
}

func TestConfig(t *testing.T) {
	spec := twin.Model{Name: "m", Spec: model.Spec{Model: model.Linear}}
	for _, c := range []struct {
		config twin.Config
		want   string
	}{
		{twin.Config{}, "no model is named"},
		{twin.Config{Models: []twin.Model{spec, spec}}, "m is named twice"},
		{twin.Config{Models: []twin.Model{{Name: "x"}}}, "x: model: "},
		{twin.Config{Models: []twin.Model{spec}, By: "color"}, `"color" is not a field`},
		{twin.Config{Models: []twin.Model{spec}, Lookback: -1}, "a lookback of -1ns"},
	} {
		if _, err := twin.New(c.config); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %s", c.config, err, c.want)
		}
	}
}

// TestThirds: numbers of conversions are rounded when they are shown, and not before
// they are added up.
func TestThirds(t *testing.T) {
	var lines []string
	for i := range 3 {
		lines = append(lines, fmt.Sprintf(`{"id":"j%d","touches":[{"id":"1","at":"2026-01-01T00:00:00Z","channel":"A"},{"id":"2","at":"2026-01-02T00:00:00Z","channel":"B"},`+
			`{"id":"3","at":"2026-01-03T00:00:00Z","channel":"C"}],"conversions":[{"id":"c","at":"2026-01-09T00:00:00Z","value":"1.00","currency":"USD"}]}`, i))
	}
	want := "model,channel,value,currency,conversions\nlinear,A,1.02,USD,1\nlinear,B,0.99,USD,1\nlinear,C,0.99,USD,1\n"
	if got := run(t, linear(), "csv", lines...); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := run(t, linear(), "csv", lines[0]); !strings.Contains(got, "B,0.33,USD,0.333333333333\n") {
		t.Errorf("one third is shown as\n%s", got)
	}
	two := run(t, linear(), "csv", lines[:2]...)
	if !strings.Contains(two, "B,0.66,USD,0.666666666667\n") {
		t.Errorf("two thirds are shown as\n%s", two)
	}
}

// TestSumIsBounded: what cannot be counted is refused and not wrapped around.
func TestSumIsBounded(t *testing.T) {
	for _, sign := range []string{"", "-"} {
		w, err := twin.New(linear())
		if err != nil {
			t.Fatal(err)
		}
		var conversions []string
		for i := range 9_224 {
			conversions = append(conversions, fmt.Sprintf(`{"id":"%d","at":"2026-01-09T00:00:00Z","value":"%s10000000000000","currency":"USD"}`, i, sign))
		}
		err = w.Add([]byte(`{"id":"j","conversions":[` + strings.Join(conversions, ",") + `]}`))
		if want := "line 1: conversions[9223].value: the sum of the values is beyond what can be counted"; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestTooManyForMarkov: the bound is an error and not a run without end.
func TestTooManyForMarkov(t *testing.T) {
	w, err := twin.New(twin.Config{Models: []twin.Model{{Name: "markov", Spec: model.Spec{Model: model.MarkovChain}}}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range model.PlayersMax + 1 {
		err = w.Add(fmt.Appendf(nil, `{"id":"j","touches":[{"id":"t","at":"2026-01-05T10:00:00Z","channel":"%d"}]}`, i))
	}
	if err == nil || !strings.Contains(err.Error(), "line 101: markov looks at no more than 100 values") {
		t.Error(err)
	}
}

// drawn is a journey as its writer has it.
type drawn struct {
	ID          string              `json:"id"`
	Touches     []map[string]string `json:"touches"`
	Conversions []map[string]string `json:"conversions"`
}

func drawJourneys(t *rapid.T, currency string, exponent int) []drawn {
	instant := func(name string) string {
		return time.Date(2026, 3, 1, rapid.IntRange(0, 24*120).Draw(t, name), 0, 0, 0, time.UTC).Format(time.RFC3339)
	}
	var list []drawn
	for j := range rapid.IntRange(0, 6).Draw(t, "journeys") {
		d := drawn{ID: fmt.Sprint("j", j)}
		for i := range rapid.IntRange(0, 6).Draw(t, "touches") {
			d.Touches = append(d.Touches, map[string]string{
				"id": fmt.Sprint("t", i), "at": instant("at"), "channel": rapid.SampledFrom([]string{"", "Direct", "Search", "Email"}).Draw(t, "channel"),
				"type": rapid.SampledFrom([]string{"form", "visit", "click"}).Draw(t, "type"),
			})
		}
		for i := range rapid.IntRange(0, 2).Draw(t, "conversions") {
			minor := rapid.OneOf(rapid.Int64Range(-100, 100), rapid.Int64Range(-money.MinorMax, money.MinorMax)).Draw(t, "minor")
			d.Conversions = append(d.Conversions, map[string]string{
				"id": fmt.Sprint("c", i), "at": instant("converted"), "value": money.Format(minor, exponent), "currency": currency,
				"lead_at": instant("lead"), "opportunity_at": instant("opportunity"),
			})
		}
		list = append(list, d)
	}
	return list
}

func lines(t *rapid.T, list []drawn) []string {
	var texts []string
	for _, d := range list {
		b, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(b))
	}
	return texts
}

// output is the JSON form, read back.
type output struct {
	Models map[string]struct {
		By          map[string]shown `json:"by"`
		Total       shown            `json:"total"`
		Conversions []struct {
			ID      string                                  `json:"id"`
			Credits []struct{ Touch, Weight, Value string } `json:"credits"`
		} `json:"conversions"`
	} `json:"models"`
}

type shown struct{ Value, Conversions string }

// TestTotals: under every additive model and every model of many journeys, what
// values get sums to the total to the minor unit, and so do the credits of each
// conversion; the order of lines and touches shows nowhere.
func TestTotals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		currency := rapid.SampledFrom([]string{"JPY", "USD", "BHD", "CLF"}).Draw(t, "currency")
		exponent, err := money.Exponent(currency)
		if err != nil {
			t.Fatal(err)
		}
		minor := func(text string) int64 {
			n, err := strconv.ParseInt(strings.Replace(text, ".", "", 1), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		journeys := drawJourneys(t, currency, exponent)
		var want int64
		var values []int64
		for _, d := range journeys {
			for _, c := range d.Conversions {
				values = append(values, minor(c["value"]))
				want += minor(c["value"])
			}
		}
		config := everything(rapid.SampledFrom([]model.Key{model.KeyChannel, model.KeyTouch, model.KeyType}).Draw(t, "by"))
		var out output
		if err := json.Unmarshal([]byte(run(t, config, "json", lines(t, journeys)...)), &out); err != nil {
			t.Fatal(err)
		}
		for _, m := range config.Models {
			got := out.Models[m.Name]
			var sum int64
			for _, s := range got.By {
				sum += minor(s.Value)
			}
			if total := minor(got.Total.Value); total != want || m.Spec.Model != model.Participation && sum != want {
				t.Fatalf("%s: total %d, sum %d, want %d", m.Name, total, sum, want)
			}
			if !m.Spec.Model.IsAdditive() {
				continue
			}
			for i, c := range got.Conversions {
				sum := int64(0)
				for _, credit := range c.Credits {
					sum += minor(credit.Value)
				}
				if sum != values[i] {
					t.Fatalf("%s: the credits of %s sum to %d, want %d", m.Name, c.ID, sum, values[i])
				}
			}
		}
		csv := run(t, config, "csv", lines(t, journeys)...)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		shuffled := slices.Clone(journeys)
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		for _, d := range shuffled {
			rng.Shuffle(len(d.Touches), func(i, j int) { d.Touches[i], d.Touches[j] = d.Touches[j], d.Touches[i] })
		}
		if again := run(t, config, "csv", lines(t, shuffled)...); again != csv {
			t.Fatalf("in another order\n%s\nfirst\n%s", again, csv)
		}
	})
}

// FuzzAdd: any bytes are a journey or a fault with a line; what is a journey is
// shared without loss.
func FuzzAdd(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(all))
	f.Add([]byte(`{"id":"j","touches":null,"conversions":[{"id":"c","at":"2026-01-09T00:00:00Z","value":-7,"currency":"JPY","closed_at":"2026-01-01T00:00:00.5+01:00"}]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		w, err := twin.New(everything(model.KeyChannel))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(line); err != nil {
			if !strings.HasPrefix(err.Error(), "line 1: ") {
				t.Fatal(err)
			}
			return
		}
		var out strings.Builder
		if err := w.Write(&out, "json"); err != nil || !json.Valid([]byte(out.String())) {
			t.Fatalf("%v\n%s", err, out.String())
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	var touches []string
	for i := range 10 {
		touches = append(touches, fmt.Sprintf(`{"id":"t%d","at":"2026-01-%02dT10:00:00Z","channel":"channel %d","partner":"acme","campaign":"c","type":"visit"}`, i, i+1, i%4))
	}
	line := []byte(`{"id":"j","touches":[` + strings.Join(touches, ",") + `],"conversions":[{"id":"c","at":"2026-01-20T00:00:00Z","value":"100.00","currency":"USD"}]}`)
	config := everything(model.KeyChannel)
	config.Credits = false
	w, err := twin.New(config)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		if err := w.Add(line); err != nil {
			b.Fatal(err)
		}
	}
}
