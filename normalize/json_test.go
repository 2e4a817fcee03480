package normalize_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"tracksource/internal/sample"
	"tracksource/normalize"
)

// stdlib reads one JSON value by encoding/json, of which the payload must be the
// whole.
func stdlib(payload []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

// sameAsStdlib holds the reader against encoding/json, but for its own bounds: no
// bytes that are not UTF-8, nothing large or deep.
func sameAsStdlib(t *testing.T, r *normalize.Reader, payload []byte) {
	t.Helper()
	got, err := r.Read(payload)
	want, wantErr := stdlib(payload)
	var p *normalize.Problem
	switch {
	case err != nil && !errors.As(err, &p):
		t.Fatalf("Read(%q): %v is no Problem", payload, err)
	case err != nil && (p.Code != normalize.Undecodable || p.Message == "not UTF-8"):
	case (err == nil) != (wantErr == nil):
		t.Fatalf("Read(%q): error %v, encoding/json %v", payload, err, wantErr)
	case err == nil && !reflect.DeepEqual(got.Native(), want):
		t.Fatalf("Read(%q) = %#v, encoding/json %#v", payload, got.Native(), want)
	case err == nil && !reflect.DeepEqual(normalize.ValueOf(want).Native(), want):
		t.Fatalf("ValueOf(%#v) = %#v", want, normalize.ValueOf(want).Native())
	}
}

// TestReader: what the grammar takes and what it does not, one after the other by
// one reader.
func TestReader(t *testing.T) {
	var r normalize.Reader
	for _, text := range []string{
		"", " ", "null", " true\t", "false", "nul", "truefalse", "[true false]", "\ufeff{}", "\x00",
		"0", "-0", "01", "-", "+1", "1.", ".5", "1.50", "1e5", "1E+05", "1e", "1e400", "-1.5e-7", "12345678901234567890", "0x1", "NaN", "Infinity",
		"[]", "[ ]", "[1]", "[1,]", "[,1]", "[1 2]", "[1", "[", "]", "[[],[[]]]", "[1]]",
		"{}", `{"a":1}`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1 "b":2}`, `{"a":1`, `{"":{"":[]}}`, `{"a":1,"b":2,"a":{"c":3}}`, `{1:2}`,
		`"`, `"a`, `"a\"`, `"eight bytes and more, and more"`, "\"a\nb\"", "\"1234567\x01\"", "\"\x7f\"", `"ünïcödé"`, `"12345678\"12345678\\"`,
		`"\"\\\/\b\f\n\r\t"`, `"\a"`, `"\u00e9\u20ac"`, `"\uD83D\uDE00"`, `"\ud83d"`, `"\ud83d\u0041"`, `"\ude00\ud83d"`, `"\ud83d\ud83d\ude00"`, `"\u12"`, `"\u12g4"`, `"\ud83d\u12g4"`, `"\`,
		`{"a":"b","c":["d",{"e":null}],"f":"\n"} `, `{} {}`, `{}x`,
		strings.Repeat("[", normalize.DepthMax) + strings.Repeat("]", normalize.DepthMax),
	} {
		sameAsStdlib(t, &r, []byte(text))
	}
	if _, err := r.Read([]byte(strings.Repeat("[", normalize.DepthMax))); err == nil {
		t.Error("an open list is read")
	}
}

func FuzzReader(f *testing.F) {
	for _, e := range sample.Generate(sample.Config{Events: 60}).Events {
		f.Add(e.Payload)
	}
	f.Add([]byte(`{"a":"\ud83d\ude00\u0041\/","b":[1,-0.5e+7,true,false,null],"a":{}}`))
	var r normalize.Reader // used again, as a feed does
	f.Fuzz(func(t *testing.T, payload []byte) { sameAsStdlib(t, &r, payload) })
}

// TestReaderKeepsNothing: a value that was read with a Reader shares no memory
// with the payload.
func TestReaderKeepsNothing(t *testing.T) {
	var r normalize.Reader
	payload := []byte(`{"name":"value"}`)
	v, err := r.Read(payload)
	if err != nil {
		t.Fatal(err)
	}
	copy(payload, strings.Repeat(" ", len(payload)))
	if got := v.Native(); !reflect.DeepEqual(got, map[string]any{"name": "value"}) {
		t.Errorf("after its bytes were written over, the value is %v", got)
	}
}
