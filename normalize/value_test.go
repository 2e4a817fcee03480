package normalize_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"tracksource/normalize"
)

// TestTags: of a parameter that comes twice the first that says something counts,
// what is empty is absent, percent signs and plus signs are decoded, sources and
// mediums are in lower case, and what cannot be read spoils nothing of the rest.
func TestTags(t *testing.T) {
	tests := []struct{ name, url, want string }{
		{"all", "https://a.com/p?utm_source=News&utm_medium=E-Mail&utm_campaign=Spring&utm_term=t&utm_content=c", "news|e-mail|Spring|t|c||/p"},
		{"the first counts", "https://a.com/p?utm_source=one&utm_source=two", "one||||||/p"},
		{"an empty one does not", "https://a.com/p?utm_source=&utm_source=two&utm_medium=", "two||||||/p"},
		{"blanks are empty", "https://a.com/p?utm_source=%20+&utm_campaign=%20x%20", "||x||||/p"},
		{"percent", "https://a.com/p%2Fq?utm_campaign=a%26b%3Dc%20d+e&utm_term=%C3%A9", "||a&b=c d e|é|||/p/q"},
		{"broken percent", "https://a.com/p?utm_campaign=50%off&utm_source=ok", "ok||||||/p"},
		{"not UTF-8", "https://a.com/p?utm_campaign=%ff%fe&utm_source=ok", "ok||||||/p"},
		{"control characters", "https://a.com/p?utm_campaign=a%00b%0Ac", "||abc||||/p"},
		{"names are as they are written", "https://a.com/p?UTM_Source=x&utm_medium=cpc", "|cpc|||||/p"},
		{"click ids", "https://a.com/p?fbclid=x&gclid=y", "|||||gclid|/p"},
		{"an empty click id", "https://a.com/p?gclid=&msclkid=y", "|||||msclkid|/p"},
		{"behind the fragment is nothing", "https://a.com/p#utm_source=x", "||||||/p"},
		{"no address", "::?utm_source=x", "x||||||::"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var touch normalize.Touch
			touch.SetURL(tt.url)
			got := fmt.Sprintf("%s|%s|%s|%s|%s|%s|%s", touch.UTMSource, touch.UTMMedium, touch.UTMCampaign, touch.UTMTerm, touch.UTMContent, touch.ClickID, touch.Asset)
			if got != tt.want {
				t.Errorf("%s\nis   %s\nwant %s", tt.url, got, tt.want)
			}
		})
	}
}

// TestReferrerDomain: pages are their registrable domain, in the spelling of DNS.
func TestReferrerDomain(t *testing.T) {
	for in, want := range map[string]string{
		"https://www.Google.co.uk/search?q=x": "google.co.uk",
		"news.example.com":                    "example.com",
		"https://a.b.de:8443/":                "b.de",
		"https://user:pass@a.b.de/":           "", // nothing of it is looked at
		"android-app://com.slack":             "",
		"http://127.0.0.1/":                   "",
		"co.uk":                               "",
		"":                                    "",
	} {
		if got := normalize.ReferrerDomain(in); got != want {
			t.Errorf("ReferrerDomain(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestAmounts: amounts are decimals within the bounds of their currency, kept as
// they were written.
func TestAmounts(t *testing.T) {
	for _, tt := range []struct {
		in       any
		currency string
		ok       bool
	}{
		{json.Number("1250.50"), "EUR", true},
		{"1250.50", "eur", true},
		{json.Number("-3"), "USD", true},
		{json.Number("1e3"), "JPY", true},
		{json.Number("0.001"), "KWD", true},
		{json.Number("1000000000000"), "USD", true},
		{json.Number("100000000000000"), "USD", false}, // beyond what is summed
		{json.Number("1e400"), "USD", false},
		{"NaN", "USD", false},
		{"Infinity", "USD", false},
		{"1,250.50", "USD", false},
		{"0x10", "USD", false},
		{"", "USD", false},
		{true, "USD", false},
		{nil, "USD", false},
		{[]any{"1"}, "USD", false},
		{json.Number("1"), "BTC", false},
	} {
		got, err := normalize.Amount(tt.in, tt.currency)
		if (err == nil) != tt.ok || tt.ok && got != fmt.Sprint(tt.in) {
			t.Errorf("Amount(%v, %s) = %q, %v", tt.in, tt.currency, got, err)
		}
	}
}

// TestTimesInTheirZone: an event's own zone counts, and without one it is UTC.
func TestTimesInTheirZone(t *testing.T) {
	for in, want := range map[string]string{
		`"2026-01-16T23:32:19+02:00"`:     "2026-01-16T21:32:19Z",
		`"2026-01-16T23:32:19-0500"`:      "2026-01-17T04:32:19Z",
		`"2026-01-16 23:32:19.5 +01:00"`:  "bad_time",
		`"2026-01-16 23:32:19.5+01:00"`:   "2026-01-16T22:32:19.5Z",
		`"2026-01-16T23:32:19"`:           "2026-01-16T23:32:19Z",
		`"2026-01-16 23:32:19"`:           "2026-01-16T23:32:19Z",
		`"2026-01-16T23:32:19.123456789"`: "2026-01-16T23:32:19.123456Z",
		`"16.01.2026"`:                    "bad_time",
		`"2026-02-30T00:00:00Z"`:          "bad_time",
		`"1999-12-31T23:59:59Z"`:          "bad_time",
		`"2026-06-02T00:00:01Z"`:          "time_future",
		`1768606339`:                      "bad_time",
	} {
		events := normalize.Decode(source(t), []byte(`{"type":"page","messageId":"m","anonymousId":"a","timestamp":`+in+`}`))
		var got string
		if p := events[0].Problem; p != nil {
			got = string(p.Code)
		} else {
			got = events[0].Observations[0].OccurredAt.Format("2006-01-02T15:04:05.999999999Z07:00")
		}
		if got != want {
			t.Errorf("%s is %s, want %s", in, got, want)
		}
	}
}

// TestFieldsAreBounded: a field of an object is cut at a rune.
func TestFieldsAreBounded(t *testing.T) {
	payload := fmt.Sprintf(opportunity, "1767225600000", "1", `"USD"`)
	payload = strings.Replace(payload, `"Amount"`, `"StageName":"`+strings.Repeat("é", 1500)+`","Amount"`, 1)
	object := normalize.Decode(source(t), []byte(payload))[0].Observations[0].Object
	for _, f := range object.Fields {
		if f.Name == "stage" && *f.Value != strings.Repeat("é", 128) {
			t.Errorf("a stage of %d bytes", len(*f.Value))
		}
	}
	if len(object.Fields) != 3 {
		t.Errorf("%d fields, want amount, currency and stage", len(object.Fields))
	}
}
