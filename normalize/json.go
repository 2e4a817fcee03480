package normalize

import (
	"math/bits"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Reader reads JSON payloads one after the other into memory of its own, which
// each payload uses again: a Value is good until the next Read. The zero Reader
// is ready; one goroutine uses it.
//
// It is a reader of our own because two thirds of the time of a decoder for any
// purpose went into what is of no use here: a token at a time, a map for each
// object, a copy for each text (docs/performance.md has the figures). It is
// strict, as RFC 8259 is; FuzzReader holds it against encoding/json.
type Reader struct {
	nodes []node

	text string // the payload; texts without escapes are parts of it
	at   int    // next byte of it
}

// nodesKept is how many nodes are kept for the next payload: some forty times
// what an event has. What a hostile one took beyond is given back.
const nodesKept = 1 << 12

// Read reads one JSON value. The error is a Problem.
func (r *Reader) Read(payload []byte) (Value, error) {
	if len(payload) > BytesMax {
		return Value{}, problem(TooLarge, "%d bytes, at most %d are read", len(payload), BytesMax)
	}
	if !utf8.Valid(payload) {
		return Value{}, problem(Undecodable, "not UTF-8")
	}
	if cap(r.nodes) > nodesKept {
		r.nodes = nil
	}
	r.nodes, r.text, r.at = r.nodes[:0], string(payload), 0
	if err := r.value("", 0); err != nil {
		return Value{}, err
	}
	if r.space(); r.at < len(r.text) {
		return Value{}, problem(Undecodable, "more than one JSON value")
	}
	return Value{r.nodes}, nil
}

func (r *Reader) broken() error { return problem(Undecodable, "not JSON at byte %d", r.at) }

// space skips white space and returns the byte behind it, 0 at the end: no
// value begins with one.
func (r *Reader) space() byte {
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// value reads the next value, which depth lists and objects are around.
func (r *Reader) value(name string, depth int) error {
	n := node{name: name, size: 1}
	var ok bool
	switch c := r.space(); c {
	case '{', '[':
		return r.composite(name, c, depth+1)
	case '"':
		n.kind = kindText
		n.text, ok = r.quoted()
	case 't':
		n.kind, n.text, ok = kindBool, textTrue, r.literal(textTrue)
	case 'f':
		n.kind, n.text, ok = kindBool, textFalse, r.literal(textFalse)
	case 'n':
		n.kind, ok = kindNull, r.literal("null")
	default:
		n.kind = kindNumber
		n.text, ok = r.number()
	}
	if !ok {
		return r.broken()
	}
	r.nodes = append(r.nodes, n)
	return nil
}

// composite reads the list or the object that begins here.
func (r *Reader) composite(name string, open byte, depth int) error {
	if depth > DepthMax {
		return problem(TooDeep, "nested deeper than %d", DepthMax)
	}
	n, end := node{name: name, kind: kindList}, byte(']')
	if open == '{' {
		n.kind, end = kindObject, '}'
	}
	from := len(r.nodes)
	r.nodes = append(r.nodes, n)
	r.at++
	for c := r.space(); c != end; c = r.space() {
		if len(r.nodes)-from > 1 {
			if c != ',' {
				return r.broken()
			}
			r.at++
			c = r.space()
		}
		member := ""
		if end == '}' {
			var ok bool
			if c != '"' {
				return r.broken()
			}
			if member, ok = r.quoted(); !ok || r.space() != ':' {
				return r.broken()
			}
			r.at++
		}
		if err := r.value(member, depth); err != nil {
			return err
		}
	}
	r.at++
	r.nodes[from].size = int32(len(r.nodes) - from)
	return nil
}

func (r *Reader) literal(word string) bool {
	if !strings.HasPrefix(r.text[r.at:], word) {
		return false
	}
	r.at += len(word)
	return true
}

// number reads a number as it is written.
func (r *Reader) number() (string, bool) {
	from := r.at
	if r.peek() == '-' {
		r.at++
	}
	if r.peek() == '0' {
		r.at++
	} else if !r.digits() {
		return "", false
	}
	if r.peek() == '.' {
		if r.at++; !r.digits() {
			return "", false
		}
	}
	if c := r.peek(); c == 'e' || c == 'E' {
		r.at++
		if c := r.peek(); c == '+' || c == '-' {
			r.at++
		}
		if !r.digits() {
			return "", false
		}
	}
	return r.text[from:r.at], true
}

func (r *Reader) peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

func (r *Reader) digits() bool {
	from := r.at
	for c := r.peek(); c >= '0' && c <= '9'; c = r.peek() {
		r.at++
	}
	return r.at > from
}

// quoted reads the text that begins here.
func (r *Reader) quoted() (string, bool) {
	r.at++
	from := r.at
	if r.at += plainBytes(r.text[from:]); r.peek() == '"' {
		r.at++
		return r.text[from : r.at-1], true
	}
	return r.escaped(from)
}

// plainBytes is how many bytes in front of s stand for themselves in a text: up
// to a quotation mark, a backslash or a control character.
func plainBytes(s string) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		x := eight(s, i)
		if found := bytesBelow(x, 0x20) | bytesEqual(x, '"') | bytesEqual(x, '\\'); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' {
			break
		}
	}
	return i
}

// Eight bytes of a text are looked at as one number: Bit Twiddling Hacks,
// "Determine if a word has a byte less than n".
const (
	byteOnes  = 0x0101010101010101
	byteHighs = 0x8080808080808080
)

// eight returns the eight bytes of s that begin at i, the first one lowest.
func eight(s string, i int) uint64 {
	b := s[i : i+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// bytesBelow sets the highest bit of each byte that is below n, at most 128. A
// borrow may set that of a byte above one that is below, too: only the lowest bit
// that is set, and that there is none, can be relied on.
func bytesBelow(x, n uint64) uint64 { return (x - byteOnes*n) &^ x & byteHighs }

// bytesEqual is bytesBelow for the bytes that are c.
func bytesEqual(x, c uint64) uint64 { return bytesBelow(x^byteOnes*c, 1) }

// escaped reads on in a text that began at from and has something that is not
// plain at r.at.
func (r *Reader) escaped(from int) (string, bool) {
	b := append(make([]byte, 0, 2*(r.at-from)+16), r.text[from:r.at]...)
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case '"':
			r.at++
			return string(b), true
		case '\\':
			var ok bool
			if b, ok = r.escape(b); !ok {
				return "", false
			}
		default:
			n := plainBytes(r.text[r.at:])
			if n == 0 {
				return "", false // a control character
			}
			b = append(b, r.text[r.at:r.at+n]...)
			r.at += n
		}
	}
	return "", false
}

// escape appends what the escape that begins here stands for. Half of a
// surrogate pair is no reason to lose an event: it becomes U+FFFD.
func (r *Reader) escape(b []byte) ([]byte, bool) {
	if r.at++; r.at >= len(r.text) {
		return b, false
	}
	c := r.text[r.at]
	if c == 'u' {
		one, ok := hex4(r.text[r.at+1:])
		if !ok {
			return b, false
		}
		r.at += 5
		if utf16.IsSurrogate(one) && strings.HasPrefix(r.text[r.at:], `\u`) {
			two, _ := hex4(r.text[r.at+2:])
			if pair := utf16.DecodeRune(one, two); pair != utf8.RuneError {
				r.at += 6
				return utf8.AppendRune(b, pair), true
			}
		}
		return utf8.AppendRune(b, one), true
	}
	i := strings.IndexByte(`"\/bfnrt`, c)
	if i < 0 {
		return b, false
	}
	r.at++
	return append(b, "\"\\/\b\f\n\r\t"[i]), true
}

// hex4 reads the four hexadecimal digits of an escape.
func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	n := rune(0)
	for i := range 4 {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		n = n<<4 | rune(c)
	}
	return n, true
}
