package avro_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"

	"tracksource/schemas/avro"
)

func compactJSON(t testing.TB, v any) []byte {
	t.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// foreignOf gives a decoder whose registry has the schema, and its id.
func foreignOf(t testing.TB, schema string, config avro.ForeignConfig) (*avro.Foreign, int) {
	t.Helper()
	reg := avro.NewMemory()
	id, err := reg.Register(context.Background(), "raw-value", schema)
	if err != nil {
		t.Fatal(err)
	}
	config.Registry = reg
	foreign, err := avro.NewForeign(config)
	if err != nil {
		t.Fatal(err)
	}
	return foreign, id
}

func varint(values ...int64) []byte {
	var out []byte
	for _, v := range values {
		out = binary.AppendVarint(out, v)
	}
	return out
}

func TestForeignValues(t *testing.T) {
	pad := func(b []byte, n int) []byte { return append(b, make([]byte, n-len(b))...) }
	long := func(logical string) string { return `{"type":"long","logicalType":"` + logical + `"}` }
	cases := []struct {
		name, schema string
		body         []byte
		want         string // JSON
	}{
		{"null", `"null"`, nil, `null`},
		{"boolean", `"boolean"`, []byte{1}, `true`},
		{"int", `"int"`, varint(math.MinInt32), `-2147483648`},
		{"long above 2^53", `"long"`, varint(9007199254740993), `9007199254740993`},
		{"double as money", `"double"`, binary.LittleEndian.AppendUint64(nil, math.Float64bits(125000.1)), `125000.1`},
		{"double is large", `"double"`, binary.LittleEndian.AppendUint64(nil, math.Float64bits(1e20)), `100000000000000000000`},
		{"float", `"float"`, binary.LittleEndian.AppendUint32(nil, math.Float32bits(0.1)), `0.1`},
		{"string", `"string"`, append(varint(3), "é!"...), `"é!"`},
		{"bytes", `"bytes"`, append(varint(2), 0xff, 0), `"/wA="`},
		{"fixed", `{"type":"fixed","name":"F","size":2}`, []byte{1, 2}, `"AQI="`},
		{"enum", `{"type":"enum","name":"E","symbols":["A","B"]}`, varint(1), `"B"`},
		{"array in two blocks", `{"type":"array","items":"int"}`, varint(1, 7, -1, 1, 8, 0), `[7,8]`},
		{"empty array", `{"type":"array","items":"int"}`, varint(0), `[]`},
		{"map", `{"type":"map","values":"boolean"}`, append(append(varint(1, 1), 'k'), 1, 0), `{"k":true}`},
		{"union of null", `["null","string"]`, varint(0), `null`},
		{"union of string", `["null","string"]`, append(varint(1, 1), 'x'), `"x"`},
		{"decimal", `{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`, append(varint(2), 0xfb, 0x2e), `"-12.34"`},
		{"decimal keeps its scale", `{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`, append(varint(1), 100), `"1.00"`},
		{"decimal in fixed", `{"type":"fixed","name":"D","size":8,"logicalType":"decimal","precision":9,"scale":0}`, pad(nil, 8), `"0"`},
		{"date", `{"type":"int","logicalType":"date"}`, varint(20254), `"2025-06-15"`},
		{"date before 1970", `{"type":"int","logicalType":"date"}`, varint(-1), `"1969-12-31"`},
		{"timestamp-millis", long("timestamp-millis"), varint(1_750_000_000_120), `"2025-06-15T15:06:40.12Z"`},
		{"timestamp-micros", long("timestamp-micros"), varint(1_750_000_000_000_001), `"2025-06-15T15:06:40.000001Z"`},
		{"timestamp-nanos", long("timestamp-nanos"), varint(1_750_000_000_000_000_001), `"2025-06-15T15:06:40.000000001Z"`},
		{"local-timestamp-millis", long("local-timestamp-millis"), varint(1_750_000_000_000), `"2025-06-15T15:06:40"`},
		{"time-micros", long("time-micros"), varint(86_399_999_999), `"23:59:59.999999"`},
		{"time-millis", `{"type":"int","logicalType":"time-millis"}`, varint(0), `"00:00:00"`},
		{"uuid in fixed", `{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}`, bytesOf(0xab, 16), `"abababab-abab-abab-abab-abababababab"`},
		{"unknown logical type", long("furlongs"), varint(3), `3`},
		{"logical type on the wrong type", `{"type":"string","logicalType":"date"}`, append(varint(1), 'x'), `"x"`},
		{
			"nested, namespaces, one type twice and before its definition",
			`{"type":"record","name":"a.Outer","fields":[
				{"name":"next","type":["null","Outer"]},
				{"name":"first","type":{"type":"record","name":"b.Inner","fields":[{"name":"v","type":["null","int","b.Kind"]},{"name":"k","type":{"type":"enum","name":"Kind","symbols":["X","Y"]}}]}},
				{"name":"more","type":{"type":"array","items":["b.Inner","b.Kind"]}}]}`,
			// next: null; first: {v: Kind Y, k: X}; more: [Kind X, {v: 5, k: Y}]
			varint(0, 2, 1, 0, 2, 1, 0, 0, 1, 5, 1, 0),
			`{"first":{"k":"X","v":"Y"},"more":["X",{"k":"Y","v":5}],"next":null}`,
		},
		{
			"a map whose key is a branch's name",
			`["null",{"type":"map","values":["null","string"]}]`,
			append(append(append(varint(1, 1, 6), "string"...), append(varint(1, 1), 'v')...), varint(0)...),
			`{"string":"v"}`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			foreign, id := foreignOf(t, c.schema, avro.ForeignConfig{})
			payload := append(avro.AppendHeader(nil, id), c.body...)
			got, _, err := foreign.DecodeForeign(t.Context(), payload)
			if err != nil {
				t.Fatal(err)
			}
			clear(payload) // nothing may alias it
			if text := string(compactJSON(t, got)); text != c.want {
				t.Errorf("got %s, want %s", text, c.want)
			}
			// What a JSON feed would give for the same facts.
			d := json.NewDecoder(strings.NewReader(c.want))
			d.UseNumber()
			var same any
			if err := d.Decode(&same); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(compactJSON(t, same), compactJSON(t, got)) {
				t.Errorf("JSON gives %#v, Avro %#v", same, got)
			}
		})
	}
}

// TestForeignDecodesOurRecords reads our own records as a stranger would.
func TestForeignDecodesOurRecords(t *testing.T) {
	for _, s := range subjects(t) {
		schema, err := avro.Load(s.name)
		if err != nil {
			t.Fatal(err)
		}
		foreign, id := foreignOf(t, schema.Text, avro.ForeignConfig{})
		b, err := s.encode(nil, s.sample)
		if err != nil {
			t.Fatal(err)
		}
		got, name, err := foreign.DecodeForeign(t.Context(), append(avro.AppendHeader(nil, id), b[avro.HeaderBytes:]...))
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		golden(t, "foreign-"+s.name+".json", indented(t, got))
		if !strings.HasPrefix(name, "tracksource.v1.") {
			t.Errorf("%s: schema named %q", s.name, name)
		}
	}
}

func TestForeignErrors(t *testing.T) {
	const (
		array     = `{"type":"array","items":"long"}`
		nulls     = `{"type":"array","items":"null"}`
		recursive = `{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"]}]}`
		endless   = `{"type":"record","name":"R","fields":[{"name":"next","type":"R"}]}`
		decimal   = `{"type":"bytes","logicalType":"decimal","precision":3,"scale":2}`
		stamp     = `{"type":"long","logicalType":"timestamp-millis"}`
	)
	cases := []struct {
		name, schema string
		body         []byte
		want         error
	}{
		{"array bomb", array, []byte{0xfe, 0xff, 0xff, 0xff, 0x0f}, avro.ErrTooLarge},
		{"array bomb with a size", array, varint(-1<<31, 8), avro.ErrTooLarge},
		{"array of the smallest count", array, varint(math.MinInt64, 8), avro.ErrTooLarge},
		{"map bomb", `{"type":"map","values":"long"}`, []byte{0xfe, 0xff, 0xff, 0xff, 0x0f}, avro.ErrTooLarge},
		{"nulls in one block", nulls, varint(1<<20, 0), avro.ErrTooLarge},
		{"nulls in many blocks", nulls, bytes.Repeat(varint(1<<15), 100), avro.ErrTooLarge},
		{"string bomb", `"string"`, varint(math.MaxInt64), avro.ErrTruncated},
		{"string of negative length", `"string"`, varint(-1), avro.ErrMalformed},
		{"string that is not UTF-8", `"string"`, append(varint(1), 0xff), avro.ErrMalformed},
		{"deep", recursive, bytes.Repeat(varint(1), 1000), avro.ErrTooLarge},
		{"endless", endless, nil, avro.ErrTooLarge},
		{"branch too high", `["null","int"]`, varint(2), avro.ErrMalformed},
		{"branch negative", `["null","int"]`, varint(-1), avro.ErrMalformed},
		{"symbol too high", `{"type":"enum","name":"E","symbols":["A"]}`, varint(1), avro.ErrMalformed},
		{"int over 32 bits", `"int"`, varint(1 << 31), avro.ErrMalformed},
		{"long over 64 bits", `"long"`, bytesOf(0xff, 11), avro.ErrMalformed},
		{"boolean of 2", `"boolean"`, []byte{2}, avro.ErrMalformed},
		{"not a number", `"double"`, binary.LittleEndian.AppendUint64(nil, math.Float64bits(math.NaN())), avro.ErrMalformed},
		{"infinite", `"float"`, binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.Inf(1)))), avro.ErrMalformed},
		{"decimal of too many digits", decimal, append(varint(2), 0x03, 0xe8), avro.ErrMalformed},
		{"decimal of no bytes", decimal, varint(0), avro.ErrMalformed},
		{"decimal of a megabyte", decimal, append(varint(500_000), make([]byte, 500_000)...), avro.ErrMalformed},
		{"year 292 million", stamp, varint(math.MaxInt64), avro.ErrMalformed},
		{"year zero", stamp, varint(-62167219200001), avro.ErrMalformed},
		{"hour 24", `{"type":"int","logicalType":"time-millis"}`, varint(86_400_000), avro.ErrMalformed},
		{"block of another size", array, varint(-1, 5, 7, 0), avro.ErrMalformed},
		{"block of negative size", array, varint(-1, -1, 7, 0), avro.ErrMalformed},
		{"one key twice", `{"type":"map","values":"null"}`, append(append(varint(2, 1), 'k'), append(varint(1), 'k', 0)...), avro.ErrMalformed},
		{"no end of array", array, varint(1, 7), avro.ErrTruncated},
		{"nothing", `"int"`, nil, avro.ErrTruncated},
		{"a byte too many", `"int"`, []byte{2, 0}, avro.ErrTrailing},
		{"over the size limit", `"bytes"`, make([]byte, 1<<20), avro.ErrTooLarge},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			foreign, id := foreignOf(t, c.schema, avro.ForeignConfig{})
			var before, after runtime.MemStats
			payload := append(avro.AppendHeader(nil, id), c.body...)
			// The first decode compiles the schema; the second is measured.
			_, _, _ = foreign.DecodeForeign(t.Context(), payload)
			runtime.ReadMemStats(&before)
			got, _, err := foreign.DecodeForeign(t.Context(), payload)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
			if grew := after.TotalAlloc - before.TotalAlloc; grew > 1<<20 {
				t.Errorf("allocated %d bytes for a refusal", grew)
			}
		})
	}
}

// TestGoavroHasBounds holds goavro itself, behind the scan, to bounds.
func TestGoavroHasBounds(t *testing.T) {
	foreignOf(t, `"int"`, avro.ForeignConfig{})
	codec, err := goavro.NewCodec(`{"type":"array","items":"long"}`)
	if err != nil {
		t.Fatal(err)
	}
	if goavro.MaxBlockCount > 1<<20 || goavro.MaxBlockSize > 1<<24 {
		t.Fatalf("bounds %d, %d", goavro.MaxBlockCount, goavro.MaxBlockSize)
	}
	if _, _, err := codec.NativeFromBinary([]byte{0xfe, 0xff, 0xff, 0xff, 0x0f}); err == nil {
		t.Error("goavro took the bomb")
	}
}

// TestForeignWithoutBytes bounds schemas that make work without bytes: each
// record here doubles the values of the one within it.
func TestForeignWithoutBytes(t *testing.T) {
	schema := `{"type":"record","name":"L0","fields":[]}`
	for i := 1; i < 40; i++ {
		name := "L" + strings.Repeat("x", i)
		inner := "L" + strings.Repeat("x", i-1)
		if i == 1 {
			inner = "L0"
		}
		schema = `{"type":"record","name":"` + name + `","fields":[{"name":"a","type":` + schema + `},{"name":"b","type":"` + inner + `"}]}`
	}
	foreign, id := foreignOf(t, schema, avro.ForeignConfig{})
	if _, _, err := foreign.DecodeForeign(t.Context(), avro.AppendHeader(nil, id)); !errors.Is(err, avro.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

func TestForeignSchemaErrors(t *testing.T) {
	texts := map[int]string{
		1: `{"type":"bytes","logicalType":"decimal","precision":100000,"scale":2}`,
		2: `nonsense`,
	}
	reg := &counting{schema: func(_ context.Context, id int) (string, error) {
		if text, ok := texts[id]; ok {
			return text, nil
		}
		if id == 3 {
			return "", avro.ErrRegistry
		}
		return "", avro.ErrUnknownSchema
	}}
	foreign, err := avro.NewForeign(avro.ForeignConfig{Registry: reg})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[int]error{1: avro.ErrSchema, 2: avro.ErrSchema, 3: avro.ErrRegistry, 4: avro.ErrUnknownSchema} {
		if _, _, err := foreign.DecodeForeign(t.Context(), avro.AppendHeader(nil, id)); !errors.Is(err, want) {
			t.Errorf("id %d: %v, want %v", id, err, want)
		}
	}
	if _, _, err := foreign.DecodeForeign(t.Context(), []byte(`{"id":1}`)); !errors.Is(err, avro.ErrMagic) {
		t.Errorf("JSON: %v", err)
	}
}

// TestForeignErrorsKeepSecrets puts an address everywhere a payload can hold
// text and breaks each in every place.
func TestForeignErrorsKeepSecrets(t *testing.T) {
	const secret = "jane@example.com"
	schema := `{"type":"record","name":"R","fields":[{"name":"m","type":{"type":"map","values":"string"}},{"name":"d","type":{"type":"long","logicalType":"timestamp-millis"}}]}`
	foreign, id := foreignOf(t, schema, avro.ForeignConfig{})
	pair := append(append(append(varint(16), secret...), varint(16)...), secret...)
	body := append(append(append(varint(2), pair...), pair...), varint(0, math.MaxInt64)...)
	payload := append(avro.AppendHeader(nil, id), body...)
	for n := range len(payload) + 1 {
		_, _, err := foreign.DecodeForeign(t.Context(), payload[:n])
		if err == nil {
			t.Fatalf("the first %d bytes decoded", n)
		}
		if strings.Contains(err.Error(), "jane") {
			t.Errorf("the error repeats the payload: %v", err)
		}
	}
}

func TestNewForeignConfig(t *testing.T) {
	reg := avro.NewMemory()
	for name, config := range map[string]avro.ForeignConfig{
		"no registry":     {},
		"negative size":   {Registry: reg, BytesMax: -1},
		"size over limit": {Registry: reg, BytesMax: 1 << 30},
		"depth over":      {Registry: reg, DepthMax: 10_000},
	} {
		if _, err := avro.NewForeign(config); err == nil || !strings.Contains(err.Error(), "ForeignConfig.") {
			t.Errorf("%s: %v", name, err)
		}
	}
	foreign, id := foreignOf(t, `"string"`, avro.ForeignConfig{BytesMax: 8, DepthMax: 1})
	if _, _, err := foreign.DecodeForeign(t.Context(), append(avro.AppendHeader(nil, id), 4, 'h', 'i')); err != nil {
		t.Error(err)
	}
	if _, _, err := foreign.DecodeForeign(t.Context(), append(avro.AppendHeader(nil, id), 6, 'h', 'i', '!')); !errors.Is(err, avro.ErrTooLarge) {
		t.Error(err)
	}
}
