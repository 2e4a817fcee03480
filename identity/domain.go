package identity

import (
	_ "embed"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// freeMailText lists providers whose addresses say nothing of an employer.
//
//go:embed data/free_mail.txt
var freeMailText string

// hostedText lists sites where companies keep a page instead of a website.
//
//go:embed data/hosted_sites.txt
var hostedText string

// hostBytesMax is the longest name of DNS (RFC 1035, 2.3.4).
const hostBytesMax = 253

// RegistrableDomain returns the part of a host name that somebody registered
// ("www.sales.acme.co.uk" gives "acme.co.uk"), by the public suffix list that is
// compiled in. It takes a bare host, with a port or a closing dot at most. ok is
// false for addresses, for single labels, for public suffixes themselves, for
// top-level domains that are not in the list (a typing error would become an
// account), and for names that are not ASCII: those must come in their punycode
// form.
func RegistrableDomain(host string) (domain string, ok bool) {
	h := strings.ToLower(strings.TrimSpace(host))
	if i := strings.LastIndexByte(h, ':'); i >= 0 && strings.Count(h, ":") == 1 {
		h = h[:i]
	}
	h = strings.TrimSuffix(h, ".")
	if len(h) > hostBytesMax || !hostName(h) {
		return "", false
	}
	// Of what looks like a host name only an IPv4 address can be one, and that ends
	// with a digit. Asking for each name costs as much as the suffix.
	if last := h[len(h)-1]; last >= '0' && last <= '9' {
		if _, err := netip.ParseAddr(h); err == nil {
			return "", false
		}
	}
	suffix, icann := publicsuffix.PublicSuffix(h)
	if !icann && !strings.Contains(suffix, ".") {
		return "", false
	}
	// What publicsuffix.EffectiveTLDPlusOne does, which would look for the suffix
	// once more: the suffix and the label in front of it.
	front := len(h) - len(suffix) - 1
	if front < 1 || h[front] != '.' {
		return "", false
	}
	return h[1+strings.LastIndexByte(h[:front], '.'):], true
}

// hostName reports whether h is two or more labels of letters, digits and inner
// hyphens, of 1 to 63 bytes each. Underscores are not allowed: no company is
// registered under one.
func hostName(h string) bool {
	labels, from := 1, 0 // from is where the label begins
	for i := range len(h) {
		switch c := h[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case c == '-':
			if i == from {
				return false
			}
		case c == '.':
			if !labelEnds(h, from, i) {
				return false
			}
			labels, from = labels+1, i+1
		default:
			return false
		}
	}
	return labels > 1 && labelEnds(h, from, len(h))
}

// labelEnds reports whether the label h[from:to] has a length that it may have
// and no hyphen at its end.
func labelEnds(h string, from, to int) bool {
	return to > from && to-from <= 63 && h[to-1] != '-'
}

// NormalizeEmail returns the address in the one spelling that is hashed: trimmed
// and in lower case, without a display name. Dots and plus tags stay: folding
// them is a rule of some providers, and a wrong one elsewhere. ok is false for
// what is not an address.
func NormalizeEmail(address string) (normal string, ok bool) {
	a := strings.ToLower(strings.TrimSpace(address))
	if i := strings.LastIndexByte(a, '<'); i >= 0 && strings.HasSuffix(a, ">") {
		a = a[i+1 : len(a)-1]
	}
	local, host, found := strings.Cut(a, "@")
	if !found || local == "" || len(local) > 64 || len(host) > hostBytesMax {
		return "", false
	}
	if !hostName(host) || strings.ContainsAny(local, " ,;<>()\"") || !printable(local) {
		return "", false
	}
	return a, true
}

// NormalizePhone returns the E.164 digits of a number that names its country, by
// a plus sign or by 00, without either; ok is false for other numbers. What
// people write between digits is left out.
func NormalizePhone(number string) (digits string, ok bool) {
	n := strings.TrimSpace(number)
	rest, ok := strings.CutPrefix(n, "+")
	if !ok {
		if rest, ok = strings.CutPrefix(n, "00"); !ok {
			return "", false
		}
	}
	// "+44 (0)20" writes the national zero that is dialled at home only.
	rest = strings.Replace(rest, "(0)", "", 1)
	var b strings.Builder
	for _, r := range rest {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case strings.ContainsRune(" -./()\u00a0", r):
		default:
			return "", false
		}
	}
	d := b.String()
	// E.164: at most 15 digits; no country code begins with zero.
	if len(d) < 7 || len(d) > 15 || d[0] == '0' {
		return "", false
	}
	return d, true
}

// EmailDomain returns the account domain of an e-mail address: its registrable
// domain, unless that belongs to a free-mail provider. ok is false where the
// address says nothing of a company.
func EmailDomain(address string) (domain string, ok bool) {
	a, ok := NormalizeEmail(address)
	if !ok {
		return "", false
	}
	_, host, _ := strings.Cut(a, "@")
	d, ok := RegistrableDomain(host)
	if !ok || FreeMail(d) {
		return "", false
	}
	return d, true
}

// WebsiteDomain returns the account domain of a website as people type it, with
// or without a scheme and a path. ok is false for free-mail providers and for
// sites on which many companies keep a page: they would become one account.
func WebsiteDomain(website string) (domain string, ok bool) {
	w := strings.TrimSpace(website)
	if w == "" {
		return "", false
	}
	if !strings.Contains(w, "://") {
		w = "https://" + strings.TrimPrefix(w, "//")
	}
	host, _, _, ok := SplitURL(w)
	if !ok {
		u, err := url.Parse(w)
		if err != nil || u.Host == "" || u.User != nil {
			return "", false
		}
		host = u.Hostname()
	}
	d, ok := RegistrableDomain(host)
	if !ok || FreeMail(d) || listed(hostedText, d) {
		return "", false
	}
	return d, true
}

// SplitURL returns host, path and query of a web address as net/url reads them,
// at a fraction of the cost, for what nearly all addresses look like: http or
// https, a host of letters, digits, dots and hyphens, no escapes outside of the
// query. Others are for net/url: ok is false.
func SplitURL(address string) (host, path, query string, ok bool) {
	rest, ok := strings.CutPrefix(address, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(address, "http://"); !ok {
			return "", "", "", false
		}
	}
	end := 0
	for ; end < len(rest); end++ {
		if c := rest[end]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' {
			break
		}
	}
	host, rest = rest[:end], rest[end:]
	if host == "" || rest != "" && rest[0] != '/' && rest[0] != '?' && rest[0] != '#' {
		return "", "", "", false
	}
	for i := range len(rest) {
		if c := rest[i]; c < 0x20 || c == 0x7f {
			return "", "", "", false
		}
	}
	rest, fragment, _ := strings.Cut(rest, "#")
	path, query, _ = strings.Cut(rest, "?")
	if strings.IndexByte(path, '%') >= 0 || strings.IndexByte(fragment, '%') >= 0 {
		return "", "", "", false
	}
	return host, path, query, true
}

// FreeMail reports whether a registrable domain belongs to a provider of
// personal mailboxes.
func FreeMail(domain string) bool { return listed(freeMailText, domain) }

// listed reports whether a domain is in an embedded list.
func listed(list, domain string) bool {
	_, found := Lookup(list, domain)
	return found
}

// DomainNode returns the node of a registrable domain.
func DomainNode(domain string) (Node, error) { return NewNode(Domain, "", domain) }
