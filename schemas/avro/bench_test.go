package avro_test

import (
	"context"
	"testing"

	"tracksource/schemas/avro"
)

func benchCodecs(b *testing.B) *avro.Codecs {
	b.Helper()
	codecs, err := avro.OpenCodecs(context.Background(), avro.NewMemory(), "tracksource")
	if err != nil {
		b.Fatal(err)
	}
	return codecs
}

// touchObservation is the common case: one touch, no broadcast.
func touchObservation() *avro.Observation {
	o := sampleObservation()
	o.Object, o.Attach, o.Place, o.Control = nil, nil, nil, nil
	return o
}

func benchEncode[T any](b *testing.B, codec *avro.Codec[T], v *T) {
	b.Helper()
	buf, err := codec.Append(nil, v)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if buf, err = codec.Append(buf[:0], v); err != nil {
			b.Fatal(err)
		}
	}
}

func benchDecode[T any](b *testing.B, codec *avro.Codec[T], v *T) {
	b.Helper()
	buf, err := codec.Append(nil, v)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	var out T
	for b.Loop() {
		if err := codec.Decode(buf, &out); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkObservationEncode(b *testing.B) {
	benchEncode(b, benchCodecs(b).Observation, touchObservation())
}

func BenchmarkObservationDecode(b *testing.B) {
	benchDecode(b, benchCodecs(b).Observation, touchObservation())
}

func BenchmarkCreditEntryEncode(b *testing.B) {
	benchEncode(b, benchCodecs(b).Credit, sampleCreditEntry())
}

func BenchmarkCreditEntryDecode(b *testing.B) {
	benchDecode(b, benchCodecs(b).Credit, sampleCreditEntry())
}

func BenchmarkForeignDecode(b *testing.B) {
	schema, err := avro.Load(avro.NameObservation)
	if err != nil {
		b.Fatal(err)
	}
	foreign, id := foreignOf(b, schema.Text, avro.ForeignConfig{})
	own, err := benchCodecs(b).Observation.Append(nil, touchObservation())
	if err != nil {
		b.Fatal(err)
	}
	payload := append(avro.AppendHeader(nil, id), own[avro.HeaderBytes:]...)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := foreign.DecodeForeign(context.Background(), payload); err != nil {
			b.Fatal(err)
		}
	}
}
