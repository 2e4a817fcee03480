package avro_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tracksource/schemas/avro"
)

// fuzzDecode feeds any bytes to both decoders of a record: they give a record,
// which is then written and read back the same, or an error of this package.
func fuzzDecode(f *testing.F, name string) {
	f.Helper()
	for _, s := range subjects(f) {
		if s.name != name {
			continue
		}
		b, err := s.encode(nil, s.sample)
		if err != nil {
			f.Fatal(err)
		}
		bare, err := s.encodeBare(nil, s.sample)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
		f.Add(bare)
		f.Add([]byte{0, 0, 0x12, 0xd6, 0x87})
		f.Fuzz(func(t *testing.T, b []byte) {
			checkDecode(t, b, s.decode, func(v any) ([]byte, error) { return s.encode(nil, v) })
			checkDecode(t, b, s.decodeBare, func(v any) ([]byte, error) { return s.encodeBare(nil, v) })
		})
		return
	}
	f.Fatalf("no record %s", name)
}

func checkDecode(t *testing.T, b []byte, decode func([]byte) (any, error), encode func(any) ([]byte, error)) {
	t.Helper()
	v, err := decode(b)
	if err != nil {
		for _, typed := range []error{
			avro.ErrMagic, avro.ErrUnknownSchema, avro.ErrTruncated, avro.ErrTrailing, avro.ErrMalformed, avro.ErrBareVersion,
		} {
			if errors.Is(err, typed) {
				return
			}
		}
		t.Fatalf("an error without a type: %v", err)
	}
	// The same record may have several forms; the one we write is stable.
	once, err := encode(v)
	if err != nil {
		t.Fatalf("what decoded does not encode: %v", err)
	}
	again, err := decode(once)
	if err != nil {
		t.Fatalf("what we wrote does not decode: %v", err)
	}
	if twice, err := encode(again); err != nil || !bytes.Equal(once, twice) {
		t.Fatalf("%x became %x, %v", once, twice, err)
	}
}

func FuzzObservation(f *testing.F)     { fuzzDecode(f, avro.NameObservation) }
func FuzzJourneyEvent(f *testing.F)    { fuzzDecode(f, avro.NameJourneyEvent) }
func FuzzControl(f *testing.F)         { fuzzDecode(f, avro.NameControl) }
func FuzzContract(f *testing.F)        { fuzzDecode(f, avro.NameContract) }
func FuzzCreditEntry(f *testing.F)     { fuzzDecode(f, avro.NameCreditEntry) }
func FuzzContributionKey(f *testing.F) { fuzzDecode(f, avro.NameContributionKey) }
func FuzzContributionRow(f *testing.F) { fuzzDecode(f, avro.NameContributionRow) }
func FuzzAlert(f *testing.F)           { fuzzDecode(f, avro.NameAlert) }
func FuzzDeadLetter(f *testing.F)      { fuzzDecode(f, avro.NameDeadLetter) }
func FuzzFactsKey(f *testing.F)        { fuzzDecode(f, avro.NameFactsKey) }
func FuzzFacts(f *testing.F)           { fuzzDecode(f, avro.NameFacts) }
func FuzzFeedKey(f *testing.F)         { fuzzDecode(f, avro.NameFeedKey) }
func FuzzFeedRow(f *testing.F)         { fuzzDecode(f, avro.NameFeedRow) }

func FuzzHeader(f *testing.F) {
	f.Add([]byte{})
	f.Add(avro.AppendHeader(nil, 7))
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		id, body, err := avro.ParseHeader(b)
		if err != nil {
			if !errors.Is(err, avro.ErrMagic) {
				t.Fatal(err)
			}
			return
		}
		if back := append(avro.AppendHeader(nil, id), body...); !bytes.Equal(back, b) {
			t.Fatalf("%x became %x", b, back)
		}
	})
}

// fuzzSchema has every type of Avro, unions and recursion.
const fuzzSchema = `{"type":"record","name":"f.R","fields":[
	{"name":"u","type":["null","boolean","int","long","float","double","bytes","string",
		{"type":"enum","name":"E","symbols":["A","B"]},{"type":"fixed","name":"F","size":3},
		{"type":"array","items":["null","R"]},{"type":"map","values":["null","string","R"]}]},
	{"name":"n","type":{"type":"array","items":"null"}},
	{"name":"d","type":["null",{"type":"bytes","logicalType":"decimal","precision":20,"scale":4}]},
	{"name":"t","type":["null",{"type":"long","logicalType":"timestamp-micros"},{"type":"int","logicalType":"date"}]}]}`

func FuzzDecodeForeign(f *testing.F) {
	foreign, id := foreignOf(f, fuzzSchema, avro.ForeignConfig{BytesMax: 1 << 16})
	for _, body := range [][]byte{
		varint(0, 0, 0, 0),
		append(varint(7, 2), append([]byte("hi"), varint(3, 0, 1, 1, 9, 1, 1_750_000_000_000_000)...)...),
		varint(10, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0),
		{0x14, 0xfe, 0xff, 0xff, 0xff, 0x0f},
		append(varint(11, 1, 1), append([]byte("k"), varint(0, 0, 0, 0, 2, 20254)...)...),
	} {
		f.Add(append(avro.AppendHeader(nil, id), body...))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		native, _, err := foreign.DecodeForeign(context.Background(), payload)
		if err != nil {
			for _, typed := range []error{
				avro.ErrMagic, avro.ErrUnknownSchema, avro.ErrTruncated, avro.ErrTrailing, avro.ErrMalformed, avro.ErrTooLarge,
			} {
				if errors.Is(err, typed) {
					return
				}
			}
			t.Fatalf("an error without a type: %v", err)
		}
		if _, err := json.Marshal(native); err != nil {
			t.Fatalf("not JSON-like: %v", err)
		}
	})
}

// FuzzForeignSchema feeds any schema and any bytes: a partner writes both.
func FuzzForeignSchema(f *testing.F) {
	f.Add(fuzzSchema, varint(0, 0, 0, 0))
	f.Add(`"string"`, []byte{4, 'h', 'i'})
	f.Add(`{"type":"fixed","name":"F","size":0,"logicalType":"decimal","precision":1}`, []byte{})
	f.Add(`{"type":"record","name":"R","fields":[{"name":"next","type":"R"}]}`, []byte{})
	f.Add(`{"type":"record","name":"a.R","fields":[{"name":"x","type":{"type":"enum","name":"E","namespace":"","symbols":["A"]}},{"name":"y","type":["null","E"]}]}`, []byte{0, 2, 0})
	f.Fuzz(func(t *testing.T, schema string, body []byte) {
		reg := &counting{schema: func(context.Context, int) (string, error) { return schema, nil }}
		foreign, err := avro.NewForeign(avro.ForeignConfig{Registry: reg, BytesMax: 1 << 16})
		if err != nil {
			t.Fatal(err)
		}
		native, _, err := foreign.DecodeForeign(context.Background(), append(avro.AppendHeader(nil, 1), body...))
		if err != nil {
			return
		}
		if _, err := json.Marshal(native); err != nil {
			t.Fatalf("not JSON-like: %v", err)
		}
	})
}

func FuzzOpenFile(f *testing.F) {
	f.Add(`{"format":1,"compatibility":"BACKWARD","versions":[{"subject":"a","version":1,"id":7,"schema":"\"string\""}],"policies":[{"subject":"a","compatibility":"NONE"}]}`)
	f.Add(`{}`)
	f.Fuzz(func(t *testing.T, content string) {
		path := filepath.Join(t.TempDir(), "registry.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		reg, err := avro.OpenFile(path)
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Fatalf("the error does not name the file: %v", err)
			}
			return
		}
		if _, err := reg.Register(context.Background(), "fresh", `"string"`); err != nil && !errors.Is(err, avro.ErrIncompatible) {
			t.Fatalf("a file that opens does not take a schema: %v", err)
		}
		if _, err := avro.OpenFile(path); err != nil {
			t.Fatalf("what we saved does not open: %v", err)
		}
	})
}
