package ingest

import (
	"strconv"
	"strings"

	"tracksource/normalize"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// The codes of dead letters beside those of normalize.
const (
	CodeLate          = "too_late"       // older than the horizon
	CodeUnknownSchema = "unknown_schema" // the registry has no such id, or not a schema
)

// CodeTooLarge is that of a record of which a dead letter may keep nothing but the
// place.
const CodeTooLarge = string(normalize.TooLarge)

// The headers of a dead letter. The first are those of Kafka Connect, so that
// its users' tools work here, too.
const (
	headerTopic     = "__connect.errors.topic"
	headerPartition = "__connect.errors.partition"
	headerOffset    = "__connect.errors.offset"
	headerStage     = "__connect.errors.stage"
	headerMessage   = "__connect.errors.exception.message"
	headerCode      = "tracksource.code"
)

// Bounds of what a dead letter repeats of a record that it does not keep.
const (
	letterKeyMax  = 1 << 10
	letterTextMax = 1 << 10
)

// cut shortens a reason, which may quote a schema, at a rune.
func cut(message string) string {
	if len(message) <= letterTextMax {
		return message
	}
	return strings.ToValidUTF8(message[:letterTextMax], "")
}

// HeaderEnvelope is the header with the Avro envelope of a dead letter.
const HeaderEnvelope = "tracksource.deadletter"

// deadLetterHeaders describes a dead letter to people, by text headers, and to
// tools, by one header with the Avro envelope.
func deadLetterHeaders(codecs *avro.Codecs, d *avro.DeadLetter) ([]stream.Header, error) {
	envelope, err := codecs.DeadLetter.Append(nil, d)
	if err != nil {
		return nil, err
	}
	return []stream.Header{
		{Key: headerTopic, Value: []byte(d.RawTopic)},
		{Key: headerPartition, Value: strconv.AppendInt(nil, int64(d.RawPartition), 10)},
		{Key: headerOffset, Value: strconv.AppendInt(nil, d.RawOffset, 10)},
		{Key: headerStage, Value: []byte("VALUE_CONVERTER")},
		{Key: headerMessage, Value: []byte(d.Message)},
		{Key: headerCode, Value: []byte(d.Code)},
		{Key: HeaderEnvelope, Value: envelope},
	}, nil
}
