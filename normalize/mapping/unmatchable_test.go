package mapping_test

import (
	"strings"
	"testing"
)

// TestUnmatchable: a ready-hashed address that brings no domain is said to be
// unmatchable, unless the event names the company in another way.
func TestUnmatchable(t *testing.T) {
	m := parse(t, `mapping: {partner: acme, feed: map, source: survey}
rules:
  - name: answer
    id: Id
    time: {path: At, format: unix-ms}
    identities: {email: Mail, email_sha256: Hash, email_domain: Domain, domain: Site, user: User}
    touch: {type: {const: form}}
`)
	hash := `"Hash":"` + strings.Repeat("ab", 32) + `"`
	for _, tt := range []struct {
		name, says string
		want       bool
	}{
		{"hash alone", hash, true},
		{"hash beside what is no domain", hash + `,"Domain":"n/a"`, true},
		{"hash with its domain", hash + `,"Domain":"bigco.com"`, false},
		{"hash with a domain of free mail", hash + `,"Domain":"gmail.com"`, false},
		{"hash and the company's site", hash + `,"Site":"https://www.bigco.com/"`, false},
		{"plain", `"Mail":"jane@bigco.com"`, false},
		{"plain where the hash should be", `"Hash":"jane@bigco.com"`, false},
		{"no address", `"User":"u"`, false},
	} {
		events := m.Apply(source(t), decode(t, []byte(`{"Id":"1","At":"1772960000000",`+tt.says+`}`)))
		if len(events) != 1 || len(events[0].Observations) == 0 {
			t.Fatalf("%s: %+v", tt.name, events)
		}
		if got := events[0].Observations[0].Unmatchable; got != tt.want {
			t.Errorf("%s: unmatchable is %v, want %v", tt.name, got, tt.want)
		}
	}
}
