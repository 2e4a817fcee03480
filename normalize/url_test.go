package normalize_test

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"tracksource/normalize"
)

// TestParametersAsNetURL: the campaign parameters of a query are those that
// net/url reads: of each the first that is not empty.
func TestParametersAsNetURL(t *testing.T) {
	part := rapid.SampledFrom([]string{
		"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "gclid", "fbclid", "ttclid", "other",
		"=", "=", "=", "&", "&", "&", ";", "?", "%20", "%75", "%zz", "+", " ", "a", "B", "é", "%ff", "%00",
	})
	rapid.Check(t, func(t *rapid.T) {
		query := strings.Join(rapid.SliceOfN(part, 0, 30).Draw(t, "query"), "")
		values, _ := url.ParseQuery(strings.TrimPrefix(query, "?"))
		first := func(name string) string {
			for _, v := range values[name] {
				if text := normalize.Text(v); text != "" && utf8.ValidString(v) {
					return text
				}
			}
			return ""
		}
		want := normalize.Touch{
			UTMSource: strings.ToLower(first("utm_source")), UTMMedium: strings.ToLower(first("utm_medium")),
			UTMCampaign: first("utm_campaign"), UTMTerm: first("utm_term"), UTMContent: first("utm_content"),
		}
		for _, kind := range []string{"ttclid", "fbclid", "gclid"} {
			if first(kind) != "" {
				want.ClickID = kind
			}
		}
		var got normalize.Touch
		got.SetURL("https://acme.com/?" + query)
		got.Asset = ""
		if got != want {
			t.Fatalf("%q\ngives %+v\nwant  %+v", query, got, want)
		}
	})
}
