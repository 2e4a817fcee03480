package avro_test

import (
	"errors"
	"reflect"
	"testing"

	"tracksource/schemas/avro"
)

func TestDiff(t *testing.T) {
	const from = `{"type":"record","name":"Deal","namespace":"crm","doc":"old","fields":[
		{"name":"id","type":"string"},
		{"name":"stage","type":{"type":"enum","name":"Stage","symbols":["NEW","WON"]}},
		{"name":"before","type":["null","Stage"],"default":null},
		{"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
		{"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[{"name":"sku","type":"string"},{"name":"next","type":["null","Line"],"default":null}]}}},
		{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
		{"name":"gone","type":"int"}]}`
	const to = `{"type":"record","name":"Deal","namespace":"crm","doc":"new","fields":[
		{"name":"stage","type":{"type":"enum","name":"Stage","symbols":["NEW","WON","LOST"]}},
		{"name":"id","type":"string","doc":"moved"},
		{"name":"before","type":["null","Stage"],"default":null},
		{"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},
		{"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[{"name":"sku","type":["null","string"],"default":null},{"name":"next","type":["null","Line"],"default":null}]}}},
		{"name":"at","type":"long"},
		{"name":"tags","type":{"type":"map","values":"string"},"default":{}}]}`
	got, err := avro.Diff(from, to)
	if err != nil {
		t.Fatal(err)
	}
	want := []avro.Change{
		{Field: "amount", From: "bytes (decimal, precision 10, scale 2)", To: "bytes (decimal, precision 12, scale 2)"},
		{Field: "at", From: "long (timestamp-millis)", To: "long"},
		{Field: "gone", From: "int"},
		{Field: "lines[].sku", From: "string", To: "null or string, default null"},
		{Field: "stage", From: "enum crm.Stage [NEW WON]", To: "enum crm.Stage [NEW WON LOST]"},
		{Field: "tags", To: "map of string, default {}"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Diff =\n%v\nwant\n%v", got, want)
	}
	if same, err := avro.Diff(to, to); err != nil || len(same) > 0 {
		t.Errorf("a schema differs from itself: %v, %v", same, err)
	}
	if plain, err := avro.Diff(`"string"`, `"long"`); err != nil || len(plain) != 1 || plain[0].String() != "changed  (the schema): from string to long" {
		t.Errorf("Diff of plain types = %v, %v", plain, err)
	}
	if _, err := avro.Diff(from, `{"type":"record"}`); !errors.Is(err, avro.ErrSchema) {
		t.Errorf("Diff of what is no schema: %v, want ErrSchema", err)
	}
}

func FuzzDiff(f *testing.F) {
	f.Add(`"string"`, `["null",{"type":"array","items":"long"}]`)
	f.Add(`{"type":"record","name":"R","fields":[{"name":"a","type":["null","R"],"default":null}]}`, `{"type":"fixed","name":"F","size":4}`)
	f.Fuzz(func(t *testing.T, from, to string) {
		changes, err := avro.Diff(from, to)
		if err != nil {
			return
		}
		back, err := avro.Diff(to, from)
		if err != nil || len(back) != len(changes) {
			t.Errorf("%d changes one way, %d the other, %v", len(changes), len(back), err)
		}
	})
}
