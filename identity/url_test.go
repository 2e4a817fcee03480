package identity_test

import (
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/publicsuffix"
	"pgregory.net/rapid"

	"tracksource/identity"
)

// drawUntil checks a property, and again up to a few hundred times until what is rare has
// come: how rare it is does not decide whether the test shows something. The few draws of
// -short promise nothing.
func drawUntil(t *testing.T, property func(*rapid.T), came func() bool) {
	t.Helper()
	const most = 200
	for n := 0; n < 1 || n < most && !testing.Short() && !came(); n++ {
		rapid.Check(t, property)
	}
}

// TestSplitURLAsNetURL: what SplitURL splits, net/url splits the same way.
func TestSplitURLAsNetURL(t *testing.T) {
	part := rapid.SampledFrom([]string{
		"/", "/", "?", "?", "#", ":", ":80", "@", "[::1]", "%41", "%zz", "%", " ", "\x00", "\x7f", "é", "a", "B.c", "-", "..", "webinar", "x=1&y=2", "*", "\\", "\"",
	})
	split := 0
	one := func(t *rapid.T) {
		address := rapid.SampledFrom([]string{"https://", "http://", "HTTP://", "//", "ftp://", ""}).Draw(t, "scheme") + rapid.SampledFrom([]string{"www.acme.com", "acme", "", "10.0.0.1", "acme.com:80"}).Draw(t, "host") +
			strings.Join(rapid.SliceOfN(part, 0, 8).Draw(t, "rest"), "")
		host, path, query, ok := identity.SplitURL(address)
		if !ok {
			return
		}
		split++
		u, err := url.Parse(address)
		if err != nil || u.User != nil || u.Host != host || u.Hostname() != host || u.Path != path || u.RawQuery != query {
			t.Fatalf("%q: host %q, path %q, query %q; net/url %#v, %v", address, host, path, query, u, err)
		}
	}
	drawUntil(t, one, func() bool { return split > 0 })
	if split == 0 && !testing.Short() { // which draws too few to count on it
		t.Error("no address was split")
	}
	if _, _, _, ok := identity.SplitURL("https://www.acme.com/webinar?utm_source=a%20b#top"); !ok {
		t.Error("an address as most look is left to net/url")
	}
}

// TestRegistrableDomainAsPublicSuffix: the part of a name in front of its suffix
// is the one that package publicsuffix gives.
func TestRegistrableDomainAsPublicSuffix(t *testing.T) {
	label := rapid.SampledFrom([]string{"acme", "www", "co", "uk", "com", "github", "io", "ck", "kobe", "jp", "city", "blogspot", "1", "10", "255", "x-y", "-x", "x-", "", "nonsense"})
	found := 0
	one := func(t *rapid.T) {
		host := strings.Join(rapid.SliceOfN(label, 1, 5).Draw(t, "labels"), ".")
		got, ok := identity.RegistrableDomain(host)
		if !ok {
			return
		}
		found++
		want, err := publicsuffix.EffectiveTLDPlusOne(strings.TrimSuffix(host, "."))
		if err != nil || got != want {
			t.Fatalf("%q is registered as %q, publicsuffix says %q, %v", host, got, want, err)
		}
	}
	drawUntil(t, one, func() bool { return found > 0 })
	if found == 0 && !testing.Short() { // which draws too few to count on it
		t.Error("no name has a registrable domain")
	}
	for _, address := range []string{"10.1.1.255", "1.1.1.1."} {
		if got, ok := identity.RegistrableDomain(address); ok {
			t.Errorf("address %s is registered as %s", address, got)
		}
	}
}
