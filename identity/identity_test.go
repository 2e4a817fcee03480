package identity_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/publicsuffix"
	"pgregory.net/rapid"

	"tracksource/identity"
)

var testKey = []byte("0123456789abcdef0123456789abcdef")

func anyNode(t *rapid.T) identity.Node {
	level := rapid.SampledFrom(identity.Levels()).Draw(t, "level")
	scope := ""
	switch level {
	case identity.Email, identity.Domain, identity.Imported:
	default:
		scope = rapid.StringMatching(`[a-z-]{1,3}`).Draw(t, "scope")
	}
	id := rapid.StringMatching(`[a-z:/.-]{1,4}`).Draw(t, "id")
	n, err := identity.NewNode(level, scope, id)
	if err != nil {
		t.Fatalf("NewNode(%v, %q, %q): %v", level, scope, id, err)
	}
	return n
}

func TestNodeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyNode(t), anyNode(t)
		got, err := identity.Parse(a.Bytes())
		if err != nil || got != a {
			t.Fatalf("Parse(%x) = %+v, %v; want %+v", a.Bytes(), got, err, a)
		}
		if (a == b) != bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Fatalf("%+v and %+v: equal nodes and equal bytes must agree", a, b)
		}
		if a.Level < b.Level && bytes.Compare(a.Bytes(), b.Bytes()) >= 0 {
			t.Fatalf("bytes of %+v must sort before those of %+v", a, b)
		}
		if a.Level == identity.Domain {
			return // arbitrary text is not a domain; the table below has real ones
		}
		if back, err := identity.ParseText(a.String()); err != nil || back != a {
			t.Fatalf("ParseText(%q) = %+v, %v; want %+v", a, back, err, a)
		}
	})
}

func TestNodeEncodingIsFixed(t *testing.T) {
	n := identity.Node{Level: identity.CRMAccount, Scope: "acme", ID: "0015"}
	if got, want := fmt.Sprintf("%x", n.Bytes()), "3c0461636d650430303135"; got != want {
		t.Errorf("Bytes() = %s, want %s: the encoding is the key of every store and topic", got, want)
	}
}

func TestDepthMax(t *testing.T) {
	if got := len(identity.Levels()) - 1; got != identity.DepthMax {
		t.Errorf("DepthMax = %d, but %d levels lie above the lowest", identity.DepthMax, got)
	}
	if !slices.IsSorted(identity.Levels()) {
		t.Errorf("Levels() = %v, want lowest first", identity.Levels())
	}
}

func TestNewNodeRefuses(t *testing.T) {
	for name, n := range map[string]identity.Node{
		"zero":              {},
		"unknown level":     {Level: 11, Scope: "a", ID: "x"},
		"domain with scope": {Level: identity.Domain, Scope: "a", ID: "x.com"},
		"person unscoped":   {Level: identity.Person, ID: "x"},
		"empty id":          {Level: identity.Person, Scope: "a"},
		"slash in scope":    {Level: identity.Person, Scope: "a/b", ID: "x"},
		"long id":           {Level: identity.Person, Scope: "a", ID: strings.Repeat("x", 256)},
		"long scope":        {Level: identity.Person, Scope: strings.Repeat("x", 65), ID: "x"},
		"control character": {Level: identity.Person, Scope: "a", ID: "x\ny"},
		"invalid UTF-8":     {Level: identity.Person, Scope: "a", ID: "\xff"},
	} {
		if _, err := identity.NewNode(n.Level, n.Scope, n.ID); !errors.Is(err, identity.ErrNode) {
			t.Errorf("%s: NewNode = %v, want ErrNode", name, err)
		}
	}
}

func TestNodeText(t *testing.T) {
	for _, c := range []struct {
		node identity.Node
		text string
	}{
		{identity.Node{Level: identity.Domain, ID: "acme.co.uk"}, "acme.co.uk"},
		{identity.Node{Level: identity.CRMAccount, Scope: "acme", ID: "0015g00000AbCdEAAV"}, "acme/0015g00000AbCdEAAV"},
		{identity.Node{Level: identity.CRMAccount, Scope: "globex", ID: "group/7"}, "globex/group/7"},
		{identity.Node{Level: identity.Imported, ID: "4711"}, "map:4711"},
		{identity.Node{Level: identity.Email, ID: "abc"}, "provisional:email//abc"},
		{identity.Node{Level: identity.Object, Scope: "acme", ID: "opportunity/006"}, "provisional:object/acme/opportunity/006"},
	} {
		if got := c.node.String(); got != c.text {
			t.Errorf("String(%+v) = %q, want %q", c.node, got, c.text)
		}
		if got, err := identity.ParseText(c.text); err != nil || got != c.node {
			t.Errorf("ParseText(%q) = %+v, %v; want %+v", c.text, got, err, c.node)
		}
	}
	for _, text := range []string{"", "acme", "www.acme.com", "ACME.com", "provisional:domain//acme.com", "provisional:person/acme", "map:", "/x"} {
		if got, err := identity.ParseText(text); err == nil {
			t.Errorf("ParseText(%q) = %+v, want an error", text, got)
		}
	}
}

func anyLink(t *rapid.T) identity.Link {
	return identity.Link{
		Parent:   anyNode(t),
		Evidence: rapid.SampledFrom([]identity.Evidence{identity.Asserted, identity.Login, identity.Record}).Draw(t, "evidence"),
		// Nanoseconds below the wire's unit must make no difference.
		At: time.Unix(0, int64(rapid.IntRange(0, 3000).Draw(t, "at"))),
	}
}

// TestBestIsOrderIndependent draws links from a small world, so that ties at
// every step of the order come up.
func TestBestIsOrderIndependent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		child := anyNode(t)
		links := rapid.SliceOfN(rapid.Custom(anyLink), 0, 8).Draw(t, "links")
		want, wantOK := identity.Best(child, links)

		shuffled := rapid.Permutation(links).Draw(t, "shuffled")
		shuffled = append(shuffled, shuffled...) // repetition changes nothing
		got, ok := identity.Best(child, shuffled)
		if ok != wantOK || got.Parent != want.Parent || got.Evidence != want.Evidence || got.At.UnixMicro() != want.At.UnixMicro() {
			t.Fatalf("Best of %v = %v, of the same shuffled = %v", links, want, got)
		}
		// One at a time, keeping only the best, is what the resolve task does.
		var kept []identity.Link
		for _, l := range shuffled {
			if best, ok := identity.Best(child, append(kept, l)); ok {
				kept = []identity.Link{best}
			}
		}
		if wantOK != (len(kept) == 1) || (wantOK && identity.Compare(kept[0], want) != 0) {
			t.Fatalf("folded one by one: %v, want %v", kept, want)
		}
		if wantOK && want.Parent.Level <= child.Level {
			t.Fatalf("Best(%v) chose %v, which is not above it", child, want)
		}
	})
}

func TestCompareIsATotalOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := anyLink(t), anyLink(t), anyLink(t)
		if identity.Compare(a, b) != -identity.Compare(b, a) {
			t.Fatalf("not antisymmetric: %v %v", a, b)
		}
		if identity.Compare(a, b) <= 0 && identity.Compare(b, c) <= 0 && identity.Compare(a, c) > 0 {
			t.Fatalf("not transitive: %v %v %v", a, b, c)
		}
		if identity.Compare(a, b) == 0 && a.Parent != b.Parent {
			t.Fatalf("different parents compare equal: %v %v", a, b)
		}
	})
}

func TestBestPrefers(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	person := identity.Node{Level: identity.Person, Scope: "acme", ID: "u"}
	crm := identity.Node{Level: identity.CRMAccount, Scope: "acme", ID: "001"}
	a := identity.Node{Level: identity.Domain, ID: "a.com"}
	b := identity.Node{Level: identity.Domain, ID: "b.com"}
	for _, c := range []struct {
		name  string
		links []identity.Link
		want  identity.Node
	}{
		{"higher level over stronger evidence", []identity.Link{{crm, identity.Record, at}, {a, identity.Asserted, at}}, a},
		{"stronger over later", []identity.Link{{a, identity.Address, at}, {b, identity.Asserted, at.Add(time.Hour)}}, a},
		{"later over earlier", []identity.Link{{a, identity.Address, at}, {b, identity.Address, at.Add(time.Second)}}, b},
		{"bytes break the tie", []identity.Link{{b, identity.Address, at}, {a, identity.Address, at}}, a},
		{"own level never", []identity.Link{{identity.Node{Level: identity.Person, Scope: "acme", ID: "w"}, identity.AccountMap, at}, {crm, identity.Inferred, at}}, crm},
	} {
		if got, ok := identity.Best(person, c.links); !ok || got.Parent != c.want {
			t.Errorf("%s: got %v %v, want %v", c.name, got.Parent, ok, c.want)
		}
	}
	email, contact := identity.Node{Level: identity.Email, ID: "e"}, identity.Node{Level: identity.Contact, Scope: "acme", ID: "003"}
	both := []identity.Link{{a, identity.Address, at}, {contact, identity.Record, at}}
	if got, ok := identity.Best(email, both); !ok || got.Parent != a {
		t.Errorf("an address belongs to %v, want its company", got.Parent)
	}
	if got, ok := identity.BestPerson(email, both); !ok || got.Parent != contact {
		t.Errorf("an address is %v, want its contact", got.Parent)
	}
	if got, ok := identity.BestPerson(identity.Node{Level: identity.Object, Scope: "acme", ID: "006"}, both); ok {
		t.Errorf("a deal is nobody, got %v", got)
	}
	if got, ok := identity.Best(a, []identity.Link{{crm, identity.AccountMap, at}}); ok {
		t.Errorf("a domain must not get a CRM account above it, got %v", got)
	}
}

func TestDomains(t *testing.T) {
	for _, c := range []struct {
		in, want string
		of       func(string) (string, bool)
	}{
		{"www.sales.acme.co.uk", "acme.co.uk", identity.RegistrableDomain},
		{"ACME.COM.", "acme.com", identity.RegistrableDomain},
		{"acme.com:8443", "acme.com", identity.RegistrableDomain},
		{"team.github.io", "team.github.io", identity.RegistrableDomain},
		{"github.io", "", identity.RegistrableDomain},
		{"co.uk", "", identity.RegistrableDomain},
		{"localhost", "", identity.RegistrableDomain},
		{"acme.con", "", identity.RegistrableDomain},
		{"10.0.0.1", "", identity.RegistrableDomain},
		{"[::1]:80", "", identity.RegistrableDomain},
		{"a..com", "", identity.RegistrableDomain},
		{"müller.de", "", identity.RegistrableDomain},
		{"xn--mller-kva.de", "xn--mller-kva.de", identity.RegistrableDomain},
		{strings.Repeat("a", 64) + ".com", "", identity.RegistrableDomain},
		{"Jo <Jo@Mail.Acme.com> ", "acme.com", identity.EmailDomain},
		{"jo@gmail.com", "", identity.EmailDomain},
		{"jo@yahoo.co.uk", "", identity.EmailDomain},
		{"jo@@acme.com", "", identity.EmailDomain},
		{"@acme.com", "", identity.EmailDomain},
		{"jo", "", identity.EmailDomain},
		{"https://www.acme.com/about?x=1", "acme.com", identity.WebsiteDomain},
		{"Acme.com/de", "acme.com", identity.WebsiteDomain},
		{"//acme.com", "acme.com", identity.WebsiteDomain},
		{"https://www.linkedin.com/company/acme", "", identity.WebsiteDomain},
		{"gmail.com", "", identity.WebsiteDomain},
		{"jo@acme.com", "", identity.WebsiteDomain},
		{"n/a", "", identity.WebsiteDomain},
		{"", "", identity.WebsiteDomain},
	} {
		got, ok := c.of(c.in)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%q: got %q %v, want %q", c.in, got, ok, c.want)
		}
	}
}

// TestListsAreWellFormed holds the embedded lists to what the lookup needs: one
// registrable domain a line, sorted, with a version.
func TestListsAreWellFormed(t *testing.T) {
	for _, name := range []string{"data/free_mail.txt", "data/hosted_sites.txt"} {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
		if len(lines) < 30 || !strings.HasPrefix(lines[1], "# version ") {
			t.Errorf("%s: %d lines, second %q; want a version there", name, len(lines), lines[1])
		}
		if !slices.IsSorted(lines[2:]) {
			t.Errorf("%s: not sorted", name)
		}
		for _, d := range lines[2:] {
			if e, err := publicsuffix.EffectiveTLDPlusOne(d); err != nil || e != d {
				t.Errorf("%s: %q is not a registrable domain (%q, %v)", name, d, e, err)
			}
		}
	}
}

func TestPseudonyms(t *testing.T) {
	if _, err := identity.NewPseudonymizer(make([]byte, 15)); err == nil {
		t.Error("a key of 15 bytes was accepted")
	}
	p, err := identity.NewPseudonymizer(testKey)
	if err != nil {
		t.Fatal(err)
	}
	other, err := identity.NewPseudonymizer([]byte("another deployment's key"))
	if err != nil {
		t.Fatal(err)
	}
	base := p.Pseudonym("a", "bc", "d")
	if len(base) != 22 || base != p.Pseudonym("a", "bc", "d") {
		t.Errorf("Pseudonym = %q, want 22 characters, the same each time", base)
	}
	for name, got := range map[string]string{
		"shifted parts": p.Pseudonym("ab", "c", "d"), "shifted value": p.Pseudonym("a", "b", "cd"),
		"other value": p.Pseudonym("a", "bc", "e"), "other key": other.Pseudonym("a", "bc", "d"),
	} {
		if got == base {
			t.Errorf("%s: same pseudonym", name)
		}
	}
	a, ok1 := p.EmailNode("Jo@Acme.com")
	b, ok2 := p.EmailNode(" jo@acme.com ")
	if !ok1 || !ok2 || a != b || a.Level != identity.Email {
		t.Errorf("one address, two spellings: %v %v", a, b)
	}
	for _, out := range []string{fmt.Sprintf("%v %+v %#v %s", p, p, p, p), slog.AnyValue(p).Resolve().String()} {
		if strings.Contains(out, string(testKey)) || strings.Contains(out, "48 49 50") || strings.Contains(out, "0x30, 0x31") {
			t.Errorf("the key shows in %q", out)
		}
	}
}

// TestNoAddressInErrors feeds one address to everything that can refuse it.
func TestNoAddressInErrors(t *testing.T) {
	const canary = "canary.person@acme.com"
	var out []string
	_, err := identity.NewNode(identity.Person, "", canary)
	out = append(out, fmt.Sprint(err))
	_, err = identity.NewNode(identity.Person, canary+"/", canary)
	out = append(out, fmt.Sprint(err))
	_, err = identity.ParseText(canary)
	out = append(out, fmt.Sprint(err))
	_, err = identity.Parse([]byte(canary))
	out = append(out, fmt.Sprint(err))
	for _, o := range out {
		if o == "<nil>" || strings.Contains(o, "canary") {
			t.Errorf("want an error without the address, got %q", o)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(identity.Node{Level: identity.Domain, ID: "acme.com"}.Bytes())
	f.Add(identity.Node{Level: identity.Person, Scope: "acme", ID: "user:x"}.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := identity.Parse(b)
		if err != nil {
			if !errors.Is(err, identity.ErrNode) {
				t.Fatalf("error %v does not wrap ErrNode", err)
			}
			return
		}
		if !bytes.Equal(n.Bytes(), b) {
			t.Fatalf("%x parsed to %+v, which encodes to %x", b, n, n.Bytes())
		}
	})
}

func FuzzDomains(f *testing.F) {
	for _, s := range []string{"jo@acme.com", "https://www.acme.co.uk/x", "a.b:80", "[::1]", "Jo <a@b.de>", "//", "%zz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, of := range []func(string) (string, bool){identity.RegistrableDomain, identity.EmailDomain, identity.WebsiteDomain} {
			d, ok := of(s)
			if !ok {
				continue
			}
			if again, ok := identity.RegistrableDomain(d); !ok || again != d {
				t.Fatalf("%q gave %q, which is not registrable itself (%q)", s, d, again)
			}
			if _, err := identity.DomainNode(d); err != nil {
				t.Fatalf("%q gave %q: %v", s, d, err)
			}
		}
		if a, ok := identity.NormalizeEmail(s); ok {
			if again, ok := identity.NormalizeEmail(a); !ok || again != a {
				t.Fatalf("NormalizeEmail is not idempotent: %q, %q, %q", s, a, again)
			}
		}
	})
}

func TestRestoreSalesforceID(t *testing.T) {
	for id, want := range map[string]string{
		"0065g00000abcdeaav": "0065g00000AbCdEAAV", "0065G00000ABCDEAAV": "0065g00000AbCdEAAV", "0065g00000AbCdEAAV": "0065g00000AbCdEAAV",
		"0065g00000AbCdE": "0065g00000AbCdE", "0065g00000AbCdEAA!": "0065g00000AbCdEAA!", "0065g00000AbC-EAAV": "0065g00000AbC-EAAV",
		"123456789012345678": "123456789012345678", "0065g00000abcde555": "0065g00000abcde555", "": "",
	} {
		if got := identity.RestoreSalesforceID(id); got != want {
			t.Errorf("RestoreSalesforceID(%q) = %q, want %q", id, got, want)
		}
	}
}

func TestSalesforceID(t *testing.T) {
	for id, want := range map[string]string{
		"001A0000006Vm9r": "001A0000006Vm9rIAC", "001A0000006Vm9rIAC": "001A0000006Vm9rIAC", "": "", "AI Launch Tour!": "AI Launch Tour!", "not of fifteen": "not of fifteen",
	} {
		if got := identity.SalesforceID(id); got != want {
			t.Errorf("SalesforceID(%q) = %q, want %q", id, got, want)
		}
	}
}
