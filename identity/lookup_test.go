package identity_test

import (
	"os"
	"strings"
	"testing"

	"tracksource/identity"
)

// TestLookup finds every line of the lists that are embedded anywhere, and nothing
// beside them.
func TestLookup(t *testing.T) {
	for _, name := range []string{"data/free_mail.txt", "data/hosted_sites.txt", "../contract/data/ga4_sources.txt"} {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		list, lines := string(raw), 0
		for line := range strings.Lines(list) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ",")
			if strings.HasPrefix(key, "#") {
				if _, found := identity.Lookup(list, key); found {
					t.Errorf("%s: the comment %q was found", name, key)
				}
				continue
			}
			lines++
			if got, found := identity.Lookup(list, key); !found || got != value {
				t.Errorf("%s: %q is %q, %v; want %q", name, key, got, found, value)
			}
			for _, beside := range []string{key + "0", key[:len(key)-1] + "\x01", "\x01" + key, line} {
				if _, found := identity.Lookup(list, beside); found {
					t.Errorf("%s: %q was found", name, beside)
				}
			}
		}
		if lines < 30 {
			t.Errorf("%s: %d lines", name, lines)
		}
	}
	for _, list := range []string{"", "\n", "a", "a\n", "a\nb", "b\n"} {
		for _, key := range []string{"", "\n", "a", "c"} {
			if _, found := identity.Lookup(list, key); found != (key == "a" && strings.HasPrefix(list, "a")) {
				t.Errorf("%q in %q: %v", key, list, found)
			}
		}
	}
}
