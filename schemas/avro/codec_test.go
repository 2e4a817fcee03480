package avro_test

import (
	"reflect"
	"testing"
	"time"

	"tracksource/schemas/avro"
)

func TestOpenCodecsInProcess(t *testing.T) {
	codecs, err := avro.OpenCodecs(t.Context(), avro.NewMemory(), "tracksource")
	if err != nil {
		t.Fatal(err)
	}
	when := time.UnixMicro(1_700_000_000_123_456).UTC()
	value := "12.50"
	want := avro.Observation{
		Kind: "fact", Node: []byte{1, 2}, EventID: "e", OccurredAt: when,
		Object:  &avro.ObjectFacts{Fields: []avro.Field{{Name: "amount", Value: &value}, {Name: "stage"}}},
		Links:   []avro.Link{{Parent: []byte{3}, Evidence: 7, At: when}},
		Control: &avro.Control{Contract: &avro.ContractRecord{Campaign: "c"}},
	}
	b, err := codecs.Observation.Append(nil, &want)
	if err != nil {
		t.Fatal(err)
	}
	var got avro.Observation
	if err := codecs.Observation.Decode(b, &got); err != nil {
		t.Fatal(err)
	}
	// Zero times come back in UTC.
	want.Object.ModifiedAt = want.Object.ModifiedAt.UTC()
	want.Control.Contract.RecordedAt = want.Control.Contract.RecordedAt.UTC()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	var row avro.ContributionRow
	if err := row.SetValue(-1250, 2); err != nil {
		t.Fatal(err)
	}
	b, err = codecs.ContributionRow.Append(nil, &row)
	if err != nil {
		t.Fatal(err)
	}
	var back avro.ContributionRow
	if err := codecs.ContributionRow.Decode(b, &back); err != nil {
		t.Fatal(err)
	}
	if text, err := back.ValueText(2); err != nil || text != "-12.50" {
		t.Errorf("value %q, %v", text, err)
	}
}
