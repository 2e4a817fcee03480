package normalize_test

import (
	"fmt"
	"strings"
	"testing"

	"tracksource/normalize"
)

// TestUnmatchable: a ready-hashed address has its domain and the agreed hash, else the
// event says so, in each shape that can bring one.
func TestUnmatchable(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	shapes := map[string]string{
		"segment":    `{"type":"identify","messageId":"m","userId":"u","timestamp":"2026-01-01T00:00:00Z","traits":{%s}}`,
		"hubspot":    `{"id":"17001","properties":{"lifecyclestage":"lead",%s},"createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-01-01T00:00:05Z","archived":false}`,
		"salesforce": `{"attributes":{"type":"Lead"},"Id":"00Q5g00000LeAdAEAV","SystemModstamp":"2026-01-01T00:00:00Z",%s}`,
	}
	names := map[string]*strings.Replacer{"salesforce": strings.NewReplacer(`"email"`, `"Email"`, `"hashed_email"`, `"Hashed_Email__c"`, `"email_domain"`, `"Email_Domain__c"`)}
	for _, tt := range []struct {
		name, traits string
		want         bool
	}{
		{"plain", `"email":"jane@bigco.com"`, false},
		{"no address", `"email":"n/a"`, false},
		{"hash with its domain", `"hashed_email":"` + hash + `","email_domain":"bigco.com"`, false},
		{"hash with a domain of free mail", `"hashed_email":"` + hash + `","email_domain":"gmail.com"`, false},
		{"hash without a domain", `"hashed_email":"` + hash + `"`, true},
		{"hash with what is no domain", `"hashed_email":"` + hash + `","email_domain":"n/a"`, true},
		{"hash of another scheme", `"hashed_email":"` + hash[:32] + `","email_domain":"bigco.com"`, true},
		{"hash where an address is", `"email":"` + hash + `"`, true},
		{"plain beside a hash without a domain", `"email":"jane@bigco.com","hashed_email":"` + hash + `"`, false},
	} {
		for shape, payload := range shapes {
			traits := tt.traits
			if r := names[shape]; r != nil {
				traits = r.Replace(traits)
			}
			events := normalize.Decode(source(t), fmt.Appendf(nil, payload, traits))
			if len(events) != 1 || len(events[0].Observations) == 0 {
				t.Fatalf("%s in %s: %+v", tt.name, shape, events)
			}
			if got := events[0].Observations[0].Unmatchable; got != tt.want {
				t.Errorf("%s in %s: unmatchable is %v, want %v", tt.name, shape, got, tt.want)
			}
			for _, o := range events[0].Observations[1:] {
				if o.Unmatchable {
					t.Errorf("%s in %s: the evidence behind the event says it again", tt.name, shape)
				}
			}
		}
	}
}
