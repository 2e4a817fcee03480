package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"log/slog"
	"strings"
	"sync"
)

// KeyBytesMin is the shortest key a deployment may use: with less, pseudonyms of
// guessable values such as e-mail addresses could be tried out.
const KeyBytesMin = 16

// pseudonymBytes is how much of the HMAC is kept. Among 10^10 people two share
// 16 bytes with a probability below 10^-18.
const pseudonymBytes = 16

// Scheme names what kind of value a pseudonym stands for, so that a user id and
// a lead id of the same spelling do not meet. The names are part of what is
// hashed: changing one changes every pseudonym under it.
type Scheme string

// The schemes.
const (
	SchemeEmail     Scheme = "email"
	SchemePhone     Scheme = "phone"
	SchemeUser      Scheme = "user"
	SchemeAnonymous Scheme = "anonymous"
	SchemeLead      Scheme = "lead"
	SchemeContact   Scheme = "contact"
	SchemeMember    Scheme = "member"
	SchemeSession   Scheme = "session"
	SchemeEvent     Scheme = "event"
)

// Pseudonymizer replaces identifiers of people by keyed hashes: HMAC-SHA-256
// under the deployment's key. Whoever has the key can test a guess, nobody else
// can. It is safe for concurrent use. Losing or changing the key breaks every
// join with earlier data.
type Pseudonymizer struct {
	// macs are of type *mac and ready to use: starting one costs as much as a
	// pseudonym.
	macs sync.Pool
}

// mac is a keyed hash and the memory for what goes in and comes out.
type mac struct {
	hash    hash.Hash
	in, out []byte
}

// NewPseudonymizer returns a pseudonymizer under a copy of key.
func NewPseudonymizer(key []byte) (*Pseudonymizer, error) {
	if len(key) < KeyBytesMin {
		return nil, fmt.Errorf("pseudonym key of %d bytes: supply at least %d random bytes", len(key), KeyBytesMin)
	}
	key = append([]byte(nil), key...)
	return &Pseudonymizer{macs: sync.Pool{New: func() any { return &mac{hash: hmac.New(sha256.New, key)} }}}, nil
}

// String hides the key from every formatted output.
func (p *Pseudonymizer) String() string { return "identity.Pseudonymizer" }

// GoString hides the key from %#v.
func (p *Pseudonymizer) GoString() string { return p.String() }

// LogValue hides the key from structured logs.
func (p *Pseudonymizer) LogValue() slog.Value { return slog.StringValue(p.String()) }

// Pseudonym returns the name that stands for value: 22 characters of unpadded
// base64url. Scope is the reporter whose numbering value belongs to, empty for
// what all reporters share. The caller normalises value first.
func (p *Pseudonymizer) Pseudonym(scheme Scheme, scope, value string) string {
	return p.pseudonym("", scheme, scope, value)
}

// pseudonym is Pseudonym behind a prefix.
func (p *Pseudonymizer) pseudonym(prefix string, scheme Scheme, scope, value string) string {
	m, ok := p.macs.Get().(*mac)
	if !ok {
		panic("identity: a pseudonymizer that NewPseudonymizer did not make")
	}
	defer p.macs.Put(m)
	m.in = m.in[:0]
	for _, part := range [...]string{string(scheme), scope, value} {
		// Lengths keep ("a", "bc") and ("ab", "c") apart.
		m.in = binary.BigEndian.AppendUint64(m.in, uint64(len(part)))
		m.in = append(m.in, part...)
	}
	m.hash.Reset()
	m.hash.Write(m.in) // a hash never fails to write
	m.out = m.hash.Sum(m.out[:0])
	m.in = base64.RawURLEncoding.AppendEncode(append(m.in[:0], prefix...), m.out[:pseudonymBytes])
	return string(m.in)
}

// HashScheme names how a shared identifier is normalised and hashed before it
// gets its pseudonym: SHA-256 of the trimmed, lower-case address, or of the
// digits of a phone number, in hexadecimal. It is what advertising platforms
// agreed on, so that ready-hashed values meet the plain ones.
const HashScheme = "sha256-lower-trim"

// EmailNode returns the shared node of an e-mail address; ok is false for what
// is not an address.
func (p *Pseudonymizer) EmailNode(address string) (node Node, ok bool) {
	a, ok := NormalizeEmail(address)
	if !ok {
		return Node{}, false
	}
	return p.hashedNode(SchemeEmail, hexSHA256(a)), true
}

// HashedEmailNode returns the node that [Pseudonymizer.EmailNode] returns for
// the address of which hexSHA256 is the hash under [HashScheme]; ok is false
// for what is not such a hash. A hash says nothing of a company: the caller
// brings the domain.
func (p *Pseudonymizer) HashedEmailNode(hexSHA256 string) (node Node, ok bool) {
	h, ok := hashText(hexSHA256)
	if !ok {
		return Node{}, false
	}
	return p.hashedNode(SchemeEmail, h), true
}

// PhoneNode returns the shared node of a phone number with its country prefix
// ("+49 30 1234", "0049 30 1234"), by its E.164 digits. A number without one is
// refused: it means another person in each country.
func (p *Pseudonymizer) PhoneNode(number string) (node Node, ok bool) {
	n, ok := NormalizePhone(number)
	if !ok {
		return Node{}, false
	}
	return p.hashedNode(SchemePhone, hexSHA256(n)), true
}

// HashedPhoneNode returns the node that [Pseudonymizer.PhoneNode] returns for
// the number of whose E.164 digits hexSHA256 is the hash.
func (p *Pseudonymizer) HashedPhoneNode(hexSHA256 string) (node Node, ok bool) {
	h, ok := hashText(hexSHA256)
	if !ok {
		return Node{}, false
	}
	return p.hashedNode(SchemePhone, h), true
}

// hashedNode returns the node of a hashed address or number. Both are of the
// level Email, which stands for addresses of all kinds; an address keeps the
// bare pseudonym, a number names its scheme.
func (p *Pseudonymizer) hashedNode(scheme Scheme, hash string) Node {
	prefix := ""
	if scheme != SchemeEmail {
		prefix = string(scheme) + ":"
	}
	return Node{Level: Email, ID: p.pseudonym(prefix, scheme, "", hash)}
}

func hexSHA256(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// hashText returns a SHA-256 in the lower case that is hashed on.
func hashText(s string) (string, bool) {
	h := strings.ToLower(strings.TrimSpace(s))
	b, err := hex.DecodeString(h)
	return h, err == nil && len(b) == sha256.Size
}

// PersonNode returns the node of somebody whom scope's system numbers as value
// under the scheme, at the given level.
func (p *Pseudonymizer) PersonNode(level Level, scheme Scheme, scope, value string) (Node, error) {
	return NewNode(level, scope, p.pseudonym(string(scheme)+":", scheme, scope, value))
}
