package avro

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	twmb "github.com/twmb/avro"
)

// Codec encodes and decodes one record type. It is safe for concurrent use.
type Codec[T any] struct {
	schema  Schema
	id      int
	writers *lookups[*twmb.Schema] // by id, resolved into schema; nil without a registry
}

// NewCodec gives a codec that writes schema under id and reads only that id.
// [OpenCodecs] gives ones that also read what other builds wrote.
func NewCodec[T any](schema Schema, id int) (*Codec[T], error) {
	if schema.parsed == nil {
		return nil, fmt.Errorf("new codec: %w: take the schema from Load", ErrSchema)
	}
	if id < 0 || id > math.MaxInt32 {
		return nil, fmt.Errorf("new codec of %s: %w: id %d is not within 0 and %d", schema.Name, ErrSchema, id, math.MaxInt32)
	}
	c := &Codec[T]{schema: schema, id: id}
	// A struct that does not fit its schema shows here, not at the first record.
	if _, err := c.Append(nil, new(T)); err != nil {
		return nil, fmt.Errorf("new codec: %w", err)
	}
	return c, nil
}

// Schema is what the codec writes.
func (c *Codec[T]) Schema() Schema { return c.schema }

// ID is the schema id the codec writes.
func (c *Codec[T]) ID() int { return c.id }

// Append appends v to dst in the Confluent wire format and returns the extended
// slice. On an error it returns dst unchanged.
func (c *Codec[T]) Append(dst []byte, v *T) ([]byte, error) {
	return c.body(dst, AppendHeader(dst, c.id), v)
}

// AppendBare appends v to dst for a value kept in state: one byte with the
// schema version, then the body. It has no schema id, because ids belong to a
// registry and a store must be readable without one.
func (c *Codec[T]) AppendBare(dst []byte, v *T) ([]byte, error) {
	return c.body(dst, append(dst, c.schema.Version), v)
}

// Bare returns what AppendBare writes for the value that Append wrote as wire.
func (c *Codec[T]) Bare(wire []byte) []byte {
	return append(append(make([]byte, 0, len(wire)), c.schema.Version), wire[HeaderBytes:]...)
}

func (c *Codec[T]) body(dst, headed []byte, v *T) ([]byte, error) {
	out, err := c.schema.parsed.AppendEncode(headed, v)
	if err != nil {
		return dst, fmt.Errorf("encode %s: %w: %w", c.schema.Name, ErrEncode, err)
	}
	return out, nil
}

// Decode reads a record in the Confluent wire format into v, whose former
// content is lost. Nothing in v aliases b. On an error v is zero.
//
// A schema id other than the codec's own is asked of the registry once, for at
// most [LookupTimeout], and resolved into the fields of T: the error is
// [ErrRegistry] when the registry could not be asked, and [ErrUnknownSchema] when
// it does not know the id.
func (c *Codec[T]) Decode(b []byte, v *T) error {
	*v = *new(T)
	return c.DecodeOver(b, v)
}

// DecodeOver is Decode for who reads many records into one, which another Decode or
// DecodeOver has filled: lists, and what is behind pointers, are written over where there
// is room. So of the record before it nothing stays but its texts.
func (c *Codec[T]) DecodeOver(b []byte, v *T) error {
	id, body, err := ParseHeader(b)
	if err != nil {
		*v = *new(T)
		return fmt.Errorf("decode %s: %w", c.schema.Name, err)
	}
	from := c.schema.plain
	if id != c.id {
		*v = *new(T) // what another build does not know must not be of the record before
		if from, err = c.writers.find(context.Background(), id); err != nil {
			return fmt.Errorf("decode %s: schema id %d: %w", c.schema.Name, id, err)
		}
	}
	return c.read(from, body, v)
}

// DecodeBare reads what [Codec.AppendBare] wrote, as Decode does. A value of
// another schema version is [ErrBareVersion].
func (c *Codec[T]) DecodeBare(b []byte, v *T) error {
	*v = *new(T)
	if len(b) == 0 {
		return fmt.Errorf("decode %s: %w: no version byte", c.schema.Name, ErrTruncated)
	}
	if b[0] != c.schema.Version {
		return fmt.Errorf("decode %s: %w: %d, this build reads %d", c.schema.Name, ErrBareVersion, b[0], c.schema.Version)
	}
	return c.read(c.schema.plain, b[1:], v)
}

func (c *Codec[T]) read(from *twmb.Schema, body []byte, v *T) error {
	rest, err := from.Decode(body, v)
	if err != nil {
		*v = *new(T)
		return fmt.Errorf("decode %s: %w", c.schema.Name, classify(err))
	}
	if len(rest) > 0 {
		*v = *new(T)
		return fmt.Errorf("decode %s: %w: %d of %d", c.schema.Name, ErrTrailing, len(rest), len(body))
	}
	return nil
}

// resolver gives what reads data of a writer's schema into the reader's.
func resolver(reader *twmb.Schema) func(text string) (*twmb.Schema, error) {
	return func(text string) (*twmb.Schema, error) {
		writer, err := twmb.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSchema, err)
		}
		resolved, err := twmb.Resolve(writer, reader)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSchema, err)
		}
		return resolved, nil
	}
}

// classify gives a decoding error of the library one of our types.
func classify(err error) error {
	var short *twmb.ShortBufferError
	if errors.As(err, &short) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %w", ErrTruncated, err)
	}
	return fmt.Errorf("%w: %w", ErrMalformed, err)
}
