package avro

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The Confluent wire format: one zero byte, the schema id as a big-endian
// 32-bit integer, then the Avro body.
// https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
const (
	wireMagic = 0
	// HeaderBytes is the length of the wire header.
	HeaderBytes = 5
)

// AppendHeader appends the wire header for a schema id to dst.
func AppendHeader(dst []byte, id int) []byte {
	dst = append(dst, wireMagic)
	return binary.BigEndian.AppendUint32(dst, uint32(id)) //nolint:gosec // NewCodec and registries admit 0..MaxInt32 only
}

// ParseHeader splits b into schema id and body; body aliases b. Bytes that are
// not in the wire format, or whose id no registry can have given, are [ErrMagic].
func ParseHeader(b []byte) (id int, body []byte, err error) {
	if len(b) < HeaderBytes {
		return 0, nil, fmt.Errorf("%w: %d bytes are shorter than the header", ErrMagic, len(b))
	}
	if b[0] != wireMagic {
		return 0, nil, fmt.Errorf("%w: first byte is 0x%02x, not 0x00", ErrMagic, b[0])
	}
	wide := binary.BigEndian.Uint32(b[1:HeaderBytes])
	if wide > math.MaxInt32 {
		return 0, nil, fmt.Errorf("%w: schema id %d is over the largest id of a registry", ErrMagic, wide)
	}
	return int(wide), b[HeaderBytes:], nil
}
