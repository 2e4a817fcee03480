package api_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"tracksource/internal/api"
)

func TestParseQuery(t *testing.T) {
	for raw, want := range map[string]string{ // the parameter at fault
		"":              "must",
		"must=1":        "",
		"must=1&pick=a": "",
		"must=1&cursor=" + strings.Repeat("a", 4096): "",
		"must=1&cursor=" + strings.Repeat("a", 4097): "cursor",
		"must=1&pick=c":         "pick",
		"must=1&by=a,b,c":       "",
		"must=1&by=a,,b":        "by",
		"must=1&by=b,a,b":       "by",
		"must=1&limit=5000":     "",
		"must=1&limit=1e3":      "limit",
		"must=1&limit=01":       "limit",
		"must=1&from=2026-1-1":  "from",
		"must=1&from=2026-01-0": "from",
		"must=1&to=2024-02-29":  "",
		"must=1&partner=%C2%85": "partner",
		"must=1&partner=a%20b":  "",
	} {
		_, problem := api.ParseQuery(raw)
		got := ""
		if problem != nil {
			got = problem.Parameter
		}
		if got != want {
			t.Errorf("%q: at fault is %q, want %q", raw, got, want)
		}
	}
}

func FuzzParseQuery(f *testing.F) {
	for _, s := range []string{"", "must=1", "must=1&by=a,b&partner=x&partner=y", "by=,", "campaign=%", "a=b;c=d", "must=1&limit=5&cursor=abc", "must=%00", "must=1&from=2026-01-01&to=2026-02-01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		values, problem := api.ParseQuery(raw)
		if problem != nil {
			if problem.Detail == "" || problem.Status != http.StatusBadRequest || values != nil {
				t.Fatalf("%q: %+v", raw, problem)
			}
			// What is wrong is told in our own words.
			if i := strings.IndexByte(raw, '='); i >= 0 && len(raw[i+1:]) > 8 && strings.Contains(problem.Detail, raw[i+1:]) {
				t.Fatalf("%q comes back: %s", raw, problem.Detail)
			}
			return
		}
		if len(values["must"]) != 1 {
			t.Fatalf("%q is read as %v", raw, values)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		q := api.Question(r, values)
		if q.Limit < 0 || q.Limit > 5000 || len(q.Filter) > 7 {
			t.Fatalf("%q is read as %+v", raw, q)
		}
		// What was read, written again, is the same question.
		again, problem := api.ParseQuery(url.Values(values).Encode())
		if problem != nil || !reflect.DeepEqual(api.Question(r, again), q) {
			t.Fatalf("%q is read as %+v, written again as %+v, %v", raw, q, again, problem)
		}
	})
}
