package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log/slog"
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
	key []byte
}

// NewPseudonymizer returns a pseudonymizer under a copy of key.
func NewPseudonymizer(key []byte) (*Pseudonymizer, error) {
	if len(key) < KeyBytesMin {
		return nil, fmt.Errorf("pseudonym key of %d bytes: supply at least %d random bytes", len(key), KeyBytesMin)
	}
	return &Pseudonymizer{key: append([]byte(nil), key...)}, nil
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
	mac := hmac.New(sha256.New, p.key)
	var size [8]byte
	for _, part := range [...]string{string(scheme), scope, value} {
		// Lengths keep ("a", "bc") and ("ab", "c") apart. A hash never fails to write.
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		mac.Write(size[:])
		mac.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:pseudonymBytes])
}

// EmailNode returns the shared node of an e-mail address; ok is false for what
// is not an address.
func (p *Pseudonymizer) EmailNode(address string) (node Node, ok bool) {
	a, ok := NormalizeEmail(address)
	if !ok {
		return Node{}, false
	}
	return Node{Level: Email, ID: p.Pseudonym(SchemeEmail, "", a)}, true
}

// PersonNode returns the node of somebody whom scope's system numbers as value
// under the scheme, at the given level.
func (p *Pseudonymizer) PersonNode(level Level, scheme Scheme, scope, value string) (Node, error) {
	return NewNode(level, scope, string(scheme)+":"+p.Pseudonym(scheme, scope, value))
}
