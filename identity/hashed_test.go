package identity_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"tracksource/identity"
)

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// TestReadyHashedMeetsPlain: who hashes before sending is the same person as
// who sends the address.
func TestReadyHashedMeetsPlain(t *testing.T) {
	p, err := identity.NewPseudonymizer(testKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ plain, hashed string }{
		{"Jo@Acme.com", "jo@acme.com"},
		{" Jo <jo@acme.com> ", "jo@acme.com"},
	} {
		plain, ok1 := p.EmailNode(c.plain)
		hashed, ok2 := p.HashedEmailNode(strings.ToUpper(hashOf(c.hashed)))
		if !ok1 || !ok2 || plain != hashed {
			t.Errorf("%q: plain %v %v, hashed %v %v", c.plain, plain, ok1, hashed, ok2)
		}
	}
	for _, number := range []string{"+49 30 123-4567", "0049(0)30/1234567", "+49301234567"} {
		plain, ok1 := p.PhoneNode(number)
		hashed, ok2 := p.HashedPhoneNode(hashOf("49301234567"))
		if !ok1 || !ok2 || plain != hashed {
			t.Errorf("%q: plain %v %v, hashed %v %v", number, plain, ok1, hashed, ok2)
		}
	}
	email, _ := p.HashedEmailNode(hashOf("x"))
	phone, _ := p.HashedPhoneNode(hashOf("x"))
	if email == phone {
		t.Error("an address and a number of one hash are one node")
	}
}

func TestHashedRefuses(t *testing.T) {
	p, err := identity.NewPseudonymizer(testKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []string{"", "jo@acme.com", strings.Repeat("a", 63), strings.Repeat("a", 66), strings.Repeat("g", 64)} {
		if n, ok := p.HashedEmailNode(h); ok {
			t.Errorf("HashedEmailNode(%q) = %v", h, n)
		}
		if n, ok := p.HashedPhoneNode(h); ok {
			t.Errorf("HashedPhoneNode(%q) = %v", h, n)
		}
	}
	for _, number := range []string{"", "030 1234567", "+0 30 1234567", "+49", "+49 30 CALL-US", "+1234567890123456"} {
		if n, ok := p.PhoneNode(number); ok {
			t.Errorf("PhoneNode(%q) = %v", number, n)
		}
	}
}
