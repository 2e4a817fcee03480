package avro

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/linkedin/goavro/v2"
)

const (
	// foreignBytes is the size of a payload when ForeignConfig has none: the
	// default limit of a Kafka broker for one record.
	foreignBytes = 1 << 20
	// foreignBytesLimit is the most that ForeignConfig may ask for.
	foreignBytesLimit = 16 << 20
	// foreignDepth is the nesting when ForeignConfig has none. CRM and analytics
	// events nest less than ten deep.
	foreignDepth = 64
	// foreignDepthLimit is the most that ForeignConfig may ask for: decoding
	// recurses, and a stack that overflows ends the process.
	foreignDepthLimit = 512
	// blockItemsMax bounds what one block of an array or map may claim to hold.
	// goavro allocates by the claim, 16 bytes an item.
	blockItemsMax = 1 << 20
	// valuesFree and valuesPerByte bound the values in one payload. Almost every
	// value has a byte of its own; records and unions are one more above it. The
	// free part is for values without bytes, such as nulls.
	valuesFree    = 1 << 16
	valuesPerByte = 4
)

// ForeignConfig says where schemas come from and what a payload may cost.
type ForeignConfig struct {
	// Registry knows the schemas; it is the one field that must be set.
	Registry Registry
	// BytesMax bounds a payload with its header: 0 is 1 MiB, at most 16 MiB.
	BytesMax int
	// DepthMax bounds the nesting of values: 0 is 64, at most 512.
	DepthMax int
}

// Foreign decodes records of schemas that are not ours, by registry id, into
// plain values. It is safe for concurrent use.
type Foreign struct {
	bytesMax int
	depthMax int
	schemas  *lookups[*foreignSchema]
}

// foreignSchema is one writer's schema, made ready.
type foreignSchema struct {
	name  string
	shape *shape
	codec *goavro.Codec
}

// goavroBounds guards the bounds of goavro, which are variables of its package.
// They are set once in the life of the process, before the first codec exists,
// and this package alone uses goavro: so nothing reads them while they change.
var goavroBounds sync.Once //nolint:gochecknoglobals // goavro has one set of bounds for the process, so the guard is one too

// NewForeign gives the decoder. It makes no request.
func NewForeign(config ForeignConfig) (*Foreign, error) {
	if config.Registry == nil {
		return nil, errors.New("new foreign decoder: set ForeignConfig.Registry")
	}
	bytesMax, err := within("BytesMax", config.BytesMax, foreignBytes, foreignBytesLimit)
	if err != nil {
		return nil, err
	}
	depthMax, err := within("DepthMax", config.DepthMax, foreignDepth, foreignDepthLimit)
	if err != nil {
		return nil, err
	}
	goavroBounds.Do(func() {
		// The second line of defence: scan refuses first what is over these.
		goavro.MaxBlockCount = blockItemsMax
		goavro.MaxBlockSize = foreignBytesLimit
	})
	return &Foreign{bytesMax: bytesMax, depthMax: depthMax, schemas: newLookups(config.Registry, newForeignSchema)}, nil
}

func within(field string, value, zero, limit int) (int, error) {
	if value == 0 {
		return zero, nil
	}
	if value < 0 || value > limit {
		return 0, fmt.Errorf("new foreign decoder: ForeignConfig.%s is %d, not within 0 and %d", field, value, limit)
	}
	return value, nil
}

// DecodeForeign reads a record in the Confluent wire format by the schema that
// its id names. Native is what encoding/json with UseNumber gives for the same
// facts, so that Avro and JSON feeds are treated alike:
//
//	null                        nil
//	boolean                     bool
//	int, long, float, double    json.Number, exact or the shortest that reads back the same
//	string, enum, uuid          string
//	bytes, fixed                string, standard base64
//	decimal                     string, decimal text with the scale of the schema
//	date                        string, 2006-01-02
//	timestamp-millis, -micros, -nanos          string, RFC 3339 in UTC
//	local-timestamp-millis, -micros, -nanos    string, RFC 3339 without a zone
//	time-millis, -micros        string, 15:04:05 with fractions
//	array                       []any
//	map, record                 map[string]any
//	union                       the value of its branch, without a wrapper
//
// Schema is the full name of the writer's record, or the Avro type of a schema
// that is none. Nothing in native aliases payload.
//
// The registry is asked once for an id, for at most [LookupTimeout] and as ctx
// allows; only [ErrRegistry] and [ErrRegistryRefused] are worth another try. No
// error repeats a value of the payload: it may be personal data.
func (f *Foreign) DecodeForeign(ctx context.Context, payload []byte) (native any, schema string, err error) {
	if len(payload) > f.bytesMax {
		return nil, "", fmt.Errorf("decode foreign record: %w: %d bytes, at most %d", ErrTooLarge, len(payload), f.bytesMax)
	}
	id, body, err := ParseHeader(payload)
	if err != nil {
		return nil, "", fmt.Errorf("decode foreign record: %w", err)
	}
	found, err := f.schemas.find(ctx, id)
	if err != nil {
		return nil, "", fmt.Errorf("decode foreign record: schema id %d: %w", id, err)
	}
	native, err = found.decode(body, f.depthMax)
	if err != nil {
		return nil, found.name, fmt.Errorf("decode foreign record of schema %s: %w", found.name, err)
	}
	return native, found.name, nil
}

// decode goes over the bytes three times: scan proves that they are a value of
// the schema within the bounds, goavro reads it, plain makes it JSON-like. The
// scan comes first because goavro allocates by what the bytes claim, recurses as
// deep as they say and repeats map keys in its errors.
func (s *foreignSchema) decode(body []byte, depthMax int) (any, error) {
	check := scan{rest: body, values: valuesFree + valuesPerByte*len(body)}
	if err := check.value(s.shape, depthMax); err != nil {
		return nil, err
	}
	if len(check.rest) > 0 {
		return nil, fmt.Errorf("%w: %d of %d", ErrTrailing, len(check.rest), len(body))
	}
	native, rest, err := s.codec.NativeFromBinary(body)
	if err != nil {
		// What passes the scan fails here for a key that a map has twice.
		return nil, fmt.Errorf("%w: a map has one key twice", ErrMalformed)
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: %d of %d", ErrTrailing, len(rest), len(body))
	}
	return plain(s.shape, native)
}

// newForeignSchema makes a writer's schema ready. Its errors are ErrSchema.
func newForeignSchema(text string) (*foreignSchema, error) {
	root, name, err := parseShape(text)
	if err != nil {
		return nil, err
	}
	stripped, err := root.goavroText()
	if err != nil {
		return nil, err
	}
	codec, err := goavro.NewCodec(stripped)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	return &foreignSchema{name: name, shape: root, codec: codec}, nil
}
