package normalize

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tracksource/identity"
)

// object reads members of an object. What a member holds is never put into an
// error.
type object struct {
	v     Value
	named map[string]Value // instead of v: members that an adapter has put together
}

// member returns the member of that name; ok is false without one.
func (o object) member(name string) (v Value, ok bool) {
	if o.named != nil {
		v, ok = o.named[name]
		return v, ok
	}
	return o.v.member(name)
}

// at follows a path of members; the zero Value where there is none.
func (o object) at(path ...string) Value {
	v, _ := o.member(path[0])
	for _, p := range path[1:] {
		v, _ = v.member(p)
	}
	return v
}

func (o object) has(path ...string) bool { return !o.at(path...).isNull() }

func (o object) object(path ...string) object { return object{v: o.at(path...)} }

func (o object) list(path ...string) []Value {
	l, _ := o.at(path...).List()
	return l
}

// text reads a string, a number or a boolean as text, bounded and trimmed.
func (o object) text(path ...string) string { return asText(o.at(path...)) }

func asText(v Value) string {
	switch v.kind() {
	case kindText, kindNumber:
		return bounded(strings.TrimSpace(v.nodes[0].text))
	case kindBool:
		return v.nodes[0].text
	case kindNull, kindList, kindObject:
	}
	return ""
}

// bounded cuts a text at textMax, before the rune that would pass it, and
// drops control characters, which break logs and tables.
func bounded(s string) string {
	s = clip(s, textMax)
	if clean(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

// clip cuts a text before the rune that would pass so many bytes.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	s = s[:most]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

// clean reports whether a text has no control characters and is UTF-8.
func clean(s string) bool {
	seen := uint64(0)
	i := 0
	for ; i+8 <= len(s); i += 8 {
		x := eight(s, i)
		if bytesBelow(x, 0x20)|bytesEqual(x, 0x7f) != 0 {
			return false
		}
		seen |= x
	}
	for ; i < len(s); i++ {
		if s[i] < 0x20 || s[i] == 0x7f {
			return false
		}
		seen |= uint64(s[i])
	}
	return seen&byteHighs == 0 || utf8.ValidString(s)
}

// required is text that must be there.
func (o object) required(path ...string) (string, error) {
	s := o.text(path...)
	if s == "" {
		return "", problem(MissingField, "%s", strings.Join(path, "."))
	}
	return s, nil
}

// integer reads a whole number, given as one or as text.
func (o object) integer(path ...string) (int64, error) {
	s, err := o.required(path...)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, problem(BadField, "%s is not a whole number", strings.Join(path, "."))
	}
	return n, nil
}

// instant reads a time as text: RFC 3339, or one of the spellings near to it
// that sources use. A time without a zone is one in UTC.
func (o object) instant(path ...string) (time.Time, error) {
	s, err := o.required(path...)
	if err != nil {
		return time.Time{}, err
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", time.DateTime} {
		if at, err := time.Parse(layout, s); err == nil {
			return at, nil
		}
	}
	return time.Time{}, problem(BadTime, "%s is not an RFC 3339 time", strings.Join(path, "."))
}

// moment reads a time that is epoch milliseconds, as a number or as text, or
// text that instant reads.
func (o object) moment(path ...string) (time.Time, error) {
	if !o.has(path...) {
		return time.Time{}, problem(MissingField, "%s", strings.Join(path, "."))
	}
	if at, err := o.millis(path...); err == nil {
		return at, nil
	}
	at, err := o.instant(path...)
	if err != nil {
		return time.Time{}, problem(BadTime, "%s is neither epoch milliseconds nor RFC 3339", strings.Join(path, "."))
	}
	return at, nil
}

func momentOf(v Value) (time.Time, error) {
	return object{named: map[string]Value{"at": v}}.moment("at")
}

// millis and micros read epoch times. The bound keeps them inside of what a
// time can be written as.
func (o object) millis(path ...string) (time.Time, error) { return o.epoch(1000, path...) }
func (o object) micros(path ...string) (time.Time, error) { return o.epoch(1_000_000, path...) }

func (o object) epoch(perSecond int64, path ...string) (time.Time, error) {
	n, err := o.integer(path...)
	if err != nil {
		return time.Time{}, err
	}
	const lastSecond = 253_402_300_799 // 9999-12-31T23:59:59Z
	if n < 0 || n/perSecond > lastSecond {
		return time.Time{}, problem(BadTime, "%s is out of range", strings.Join(path, "."))
	}
	return time.Unix(n/perSecond, n%perSecond*(1_000_000_000/perSecond)).UTC(), nil
}

// setUTM fills in the campaign parameters and the kind of click id of a query.
// The first occurrence of a parameter wins, an empty one is absent.
func (t *Touch) setUTM(query string) {
	utmNames := [...]string{"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"}
	var utm [len(utmNames)]string
	clickIDs := [...]string{"gclid", "dclid", "msclkid", "fbclid", "li_fat_id", "ttclid"} // the first of them counts
	click := len(clickIDs)
	for query = strings.TrimPrefix(query, "?"); query != ""; {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		// What can be read is read: net/url, too, passes over a pair with a semicolon
		// and one whose escapes are none.
		name, err := url.QueryUnescape(name)
		if err != nil || strings.IndexByte(pair, ';') >= 0 {
			continue
		}
		i, kind := slices.Index(utmNames[:], name), slices.Index(clickIDs[:click], name)
		if kind < 0 && (i < 0 || utm[i] != "") {
			continue
		}
		if value, err = url.QueryUnescape(value); err != nil {
			continue
		}
		if !utf8.ValidString(value) {
			continue // bounded would make signs of replacement of it
		}
		if value = bounded(strings.TrimSpace(value)); value == "" {
			continue
		}
		if kind >= 0 {
			click = kind
		} else {
			utm[i] = value
		}
	}
	for i, to := range [...]*string{&t.UTMSource, &t.UTMMedium, &t.UTMCampaign, &t.UTMTerm, &t.UTMContent} {
		if *to != "" {
			continue
		}
		if *to = utm[i]; i < 2 {
			*to = strings.ToLower(*to)
		}
	}
	if t.ClickID == "" && click < len(clickIDs) {
		t.ClickID = clickIDs[click]
	}
}

// splitURL returns path and query of a page's address, which may be relative.
func splitURL(address string) (path, query string) {
	if _, path, query, ok := identity.SplitURL(address); ok {
		return path, query
	}
	u, err := url.Parse(address)
	if err != nil {
		path, query, _ = strings.Cut(address, "?")
		return path, query
	}
	return u.Path, u.RawQuery
}

// referrer returns the registrable domain of a referring page.
func referrer(address string) string {
	d, ok := identity.WebsiteDomain(address)
	if !ok {
		return ""
	}
	return d
}

// onSite reports whether a page's address is on the site of a registrable domain.
func onSite(address, domain string) bool {
	if host, _, _, ok := identity.SplitURL(address); ok && !strings.HasSuffix(strings.TrimSuffix(strings.ToLower(host), "."), domain) {
		return false // which needs no list of suffixes
	}
	return referrer(address) == domain
}
