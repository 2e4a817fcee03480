package avro

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

// scan walks the binary form of a value and proves that it is one, without
// allocating for what the bytes claim.
type scan struct {
	rest   []byte
	values int // how many more values there may be
}

// value passes one value of the shape, with depth levels of nesting left.
func (c *scan) value(s *shape, depth int) error {
	if depth == 0 {
		return fmt.Errorf("%w: nested too deep", ErrTooLarge)
	}
	if c.values--; c.values < 0 {
		return fmt.Errorf("%w: more values than its bytes can hold", ErrTooLarge)
	}
	switch s.kind {
	case "null":
		return nil
	case "boolean":
		return c.boolean()
	case "int":
		return c.number(math.MinInt32, math.MaxInt32)
	case "long":
		return c.number(math.MinInt64, math.MaxInt64)
	case "float":
		return c.skip(4)
	case "double":
		return c.skip(8)
	case "fixed":
		return c.skip(int64(s.size))
	case "bytes":
		return c.bytes(s)
	case "string":
		return c.text()
	case "enum":
		return c.number(0, int64(len(s.symbols))-1)
	case "union":
		return c.union(s, depth)
	case "array", "map":
		return c.blocks(s, depth)
	case "record":
		for i := range s.fields {
			if err := c.value(s.fields[i].shape, depth-1); err != nil {
				return err
			}
		}
		return nil
	default:
		return fmt.Errorf("%w: unknown type %q", ErrSchema, s.kind)
	}
}

func (c *scan) skip(n int64) error {
	if n > int64(len(c.rest)) {
		return ErrTruncated
	}
	c.rest = c.rest[n:]
	return nil
}

func (c *scan) long() (int64, error) {
	v, n := binary.Varint(c.rest)
	if n == 0 {
		return 0, ErrTruncated
	}
	if n < 0 {
		return 0, fmt.Errorf("%w: a number over 64 bits", ErrMalformed)
	}
	c.rest = c.rest[n:]
	return v, nil
}

// number passes a zigzag integer that must lie within lowest and highest.
func (c *scan) number(lowest, highest int64) error {
	v, err := c.long()
	if err != nil {
		return err
	}
	if v < lowest || v > highest {
		return fmt.Errorf("%w: a number outside the range of its type", ErrMalformed)
	}
	return nil
}

func (c *scan) boolean() error {
	if len(c.rest) == 0 {
		return ErrTruncated
	}
	if c.rest[0] > 1 {
		return fmt.Errorf("%w: a boolean that is neither 0 nor 1", ErrMalformed)
	}
	c.rest = c.rest[1:]
	return nil
}

// sized passes a length and that many bytes, and gives them.
func (c *scan) sized() ([]byte, error) {
	n, err := c.long()
	if err != nil {
		return nil, err
	}
	if n < 0 {
		return nil, fmt.Errorf("%w: a negative length", ErrMalformed)
	}
	before := c.rest
	if err := c.skip(n); err != nil {
		return nil, err
	}
	return before[:n], nil
}

func (c *scan) bytes(s *shape) error {
	b, err := c.sized()
	if err != nil {
		return err
	}
	// A decimal digit needs less than four bits, so this admits all precisions.
	if s.logical == "decimal" && (len(b) == 0 || len(b) > foreignDigitsMax/2+1) {
		return fmt.Errorf("%w: a decimal of %d bytes", ErrMalformed, len(b))
	}
	return nil
}

func (c *scan) text() error {
	b, err := c.sized()
	if err != nil {
		return err
	}
	if !utf8.Valid(b) {
		return fmt.Errorf("%w: text that is not UTF-8", ErrMalformed)
	}
	return nil
}

func (c *scan) union(s *shape, depth int) error {
	branch, err := c.long()
	if err != nil {
		return err
	}
	if branch < 0 || branch >= int64(len(s.branches)) {
		return fmt.Errorf("%w: a branch that the union does not have", ErrMalformed)
	}
	return c.value(s.branches[branch], depth-1)
}

// blocks passes an array or a map: blocks of items, each led by their number,
// the last empty. A negative number is followed by the size of the block.
func (c *scan) blocks(s *shape, depth int) error {
	for {
		count, err := c.long()
		if err != nil || count == 0 {
			return err
		}
		sizeWanted := int64(-1)
		if count < 0 {
			if sizeWanted, err = c.long(); err != nil {
				return err
			}
			if sizeWanted < 0 {
				return fmt.Errorf("%w: a block of negative size", ErrMalformed)
			}
			count = -count // the smallest number stays negative
		}
		if count < 0 || count > blockItemsMax || count > int64(c.values) {
			return fmt.Errorf("%w: a block claims more items than its bytes can hold", ErrTooLarge)
		}
		before := len(c.rest)
		for range count {
			if err := c.item(s, depth); err != nil {
				return err
			}
		}
		if sizeWanted >= 0 && sizeWanted != int64(before-len(c.rest)) {
			return fmt.Errorf("%w: a block of another size than it says", ErrMalformed)
		}
	}
}

func (c *scan) item(s *shape, depth int) error {
	if s.kind == "map" {
		if err := c.text(); err != nil {
			return err
		}
	}
	return c.value(s.items, depth-1)
}
