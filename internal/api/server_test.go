package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"tracksource/internal/answer"
	"tracksource/internal/api"
	"tracksource/report"
)

// tide is a version under test.
type tide struct {
	mu      sync.Mutex
	version uint64
	changed chan struct{}
	age     time.Duration
	why     string
}

func (t *tide) Version() (uint64, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	return t.version, t.changed
}

func (t *tide) Behind() (age time.Duration, why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.age, t.why
}

func (t *tide) rise() {
	t.Version()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.version++
	close(t.changed)
	t.changed = make(chan struct{})
}

func config(change ...func(*api.Config)) api.Config {
	cfg := api.Config{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Clock: time.Now}
	for _, fn := range change {
		fn(&cfg)
	}
	return cfg
}

// echo answers with the viewer and the question, which no real answer does.
type echo struct {
	Viewer report.Viewer `json:"viewer"`
	Query  answer.Query  `json:"query"`
	Bytes  int           `json:"bytes"`
}

func asking(path string, err error) api.Ask {
	return api.Ask{Path: path, Do: func(_ context.Context, v report.Viewer, q answer.Query, upload []byte) (any, error) {
		return echo{v, q, len(upload)}, err
	}}
}

func serve(t testing.TB, cfg api.Config, changes api.Changes, asks ...api.Ask) *api.Server {
	t.Helper()
	if asks == nil {
		upload := asking("/api/v1/upload", nil)
		upload.Method, upload.Body, upload.Max = http.MethodPost, "text/csv", 100
		asks = []api.Ask{asking("/api/v1/breakdown", nil), asking("/api/v1/contracts/{campaign}", nil), upload}
	}
	s, err := api.Made(cfg, changes, asks...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// do sends a request with headers given as name, value.
func do(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "localhost:8080"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func problem(t testing.TB, w *httptest.ResponseRecorder, status int) api.Problem {
	t.Helper()
	var p api.Problem
	if w.Code != status || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Fatalf("%d %s, want the problem %d: %s", w.Code, w.Header().Get("Content-Type"), status, w.Body)
	}
	conforms(t, "Problem", w.Body.Bytes())
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if p.Status != status || p.Title == "" || p.Detail == "" || p.Type != "about:blank" {
		t.Errorf("problem is %+v", p)
	}
	return p
}

func TestQuestion(t *testing.T) {
	s := serve(t, config(), &tide{})
	w := do(s, http.MethodGet, "/api/v1/breakdown?campaign=summit&measure=won&by=partner,channel&partner=acme&partner=blue&region=%C3%96st&from=2026-01-01&to=2026-01-31&limit=7", "")
	var got echo
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d, %v: %s", w.Code, err, w.Body)
	}
	want := answer.Query{
		Campaign: "summit", Measure: "won", By: []string{"partner", "channel"}, From: "2026-01-01", To: "2026-01-31", Limit: 7,
		Filter: map[string][]string{"partner": {"acme", "blue"}, "region": {"Öst"}}, Partner: "acme",
	}
	if !reflect.DeepEqual(got.Query, want) || !got.Viewer.Operator {
		t.Errorf("asked as %+v\n%+v, want\n%+v", got.Viewer, got.Query, want)
	}
	w = do(s, http.MethodGet, "/api/v1/contracts/summit~proposed", "")
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Query.Campaign != "summit~proposed" {
		t.Errorf("%v: the campaign of the path is %q", err, got.Query.Campaign)
	}
}

func TestProblems(t *testing.T) {
	upload := asking("/api/v1/upload", nil)
	upload.Method, upload.Body, upload.Max = http.MethodPost, "text/csv", 100
	s := serve(t, config(), &tide{}, asking("/api/v1/breakdown", nil), upload,
		asking("/api/v1/refused", fmt.Errorf("ask: %w", &answer.Error{Parameter: "campaign", Detail: "there is none", Allowed: []string{"summit"}})),
		asking("/api/v1/unknown", &answer.Error{Parameter: "opportunity", Detail: "there is none", Unknown: true}),
		asking("/api/v1/broken", errors.New("secret path")),
	)
	csv := []string{"Content-Type", "text/csv; charset=utf-8"}
	for name, c := range map[string]struct {
		method, target, body string
		headers              []string
		status               int
		parameter, allowed   string // one of allowed
	}{
		"unknown parameter":   {"GET", "/api/v1/breakdown?colour=%3Cscript%3E", "", nil, 400, "", "campaign"},
		"repeated parameter":  {"GET", "/api/v1/breakdown?model=linear&model=linear", "", nil, 400, "model", ""},
		"repeated too often":  {"GET", "/api/v1/breakdown?x=1" + strings.Repeat("&partner=a", 51), "", nil, 400, "", "partner"},
		"filter too often":    {"GET", "/api/v1/breakdown?partner=script" + strings.Repeat("&partner=a", 50), "", nil, 400, "partner", ""},
		"empty value":         {"GET", "/api/v1/breakdown?model=", "", nil, 400, "model", ""},
		"day":                 {"GET", "/api/v1/breakdown?from=2026-02-30", "", nil, 400, "from", ""},
		"limit":               {"GET", "/api/v1/breakdown?limit=5001", "", nil, 400, "limit", ""},
		"limit with a sign":   {"GET", "/api/v1/breakdown?limit=%2B5", "", nil, 400, "limit", ""},
		"limit of nothing":    {"GET", "/api/v1/breakdown?limit=0", "", nil, 400, "limit", ""},
		"repeated dimension":  {"GET", "/api/v1/breakdown?by=day,day", "", nil, 400, "by", ""},
		"empty dimension":     {"GET", "/api/v1/breakdown?by=day,", "", nil, 400, "by", ""},
		"bad escape":          {"GET", "/api/v1/breakdown?by=%zz", "", nil, 400, "", "by"},
		"semicolon":           {"GET", "/api/v1/breakdown?by=a;b=c", "", nil, 400, "", "by"},
		"control character":   {"GET", "/api/v1/breakdown?campaign=a%0Ascript", "", nil, 400, "campaign", ""},
		"not UTF-8":           {"GET", "/api/v1/breakdown?campaign=%ff", "", nil, 400, "campaign", ""},
		"long value":          {"GET", "/api/v1/breakdown?campaign=" + strings.Repeat("x", 513), "", nil, 400, "campaign", ""},
		"long query":          {"GET", "/api/v1/breakdown?campaign=" + strings.Repeat("x", 9000), "", nil, 400, "", "by"},
		"refused":             {"GET", "/api/v1/refused", "", nil, 400, "campaign", "summit"},
		"of what is not":      {"GET", "/api/v1/unknown", "", nil, 404, "opportunity", ""},
		"ours":                {"GET", "/api/v1/broken", "", nil, 500, "", ""},
		"events with query":   {"GET", "/api/v1/events?x=1", "", nil, 400, "", ""},
		"no such path":        {"GET", "/admin?script", "", nil, 404, "", "/api/v1/events"},
		"unclean path":        {"GET", "/api//v1/script", "", nil, 404, "", "/api/v1/events"},
		"dots in the path":    {"GET", "/assets/../script", "", nil, 404, "", "/"},
		"no such asset":       {"GET", "/assets/script.js", "", nil, 404, "", ""},
		"no page":             {"GET", "/", "", nil, 404, "", ""},
		"method":              {"POST", "/api/v1/breakdown", "", nil, 405, "", "HEAD"},
		"method of a page":    {"OPTIONS", "/", "", nil, 405, "", "GET"},
		"no type":             {"POST", "/api/v1/upload", "a", nil, 415, "", "text/csv"},
		"type":                {"POST", "/api/v1/upload", "a", []string{"Content-Type", "text/plain"}, 415, "", "text/csv"},
		"large":               {"POST", "/api/v1/upload", strings.Repeat("a", 101), csv, 413, "", ""},
		"another site":        {"POST", "/api/v1/upload", "a", append(csv, "Sec-Fetch-Site", "cross-site"), 403, "", ""},
		"another origin":      {"POST", "/api/v1/upload", "a", append(csv, "Origin", "https://script.example"), 403, "", ""},
		"session without any": {"POST", "/api/v1/session", `{"token":"x"}`, []string{"Content-Type", "application/json"}, 409, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := do(s, c.method, c.target, c.body, c.headers...)
			if strings.Contains(w.Body.String(), "script") || strings.Contains(w.Body.String(), "secret") {
				t.Errorf("what was asked, or what is ours, came back: %s", w.Body)
			}
			p := problem(t, w, c.status)
			if p.Parameter != c.parameter || c.allowed != "" && !slices.Contains(p.Allowed, c.allowed) {
				t.Errorf("problem is %+v, want %s with %s", p, c.parameter, c.allowed)
			}
			if c.status == http.StatusMethodNotAllowed && w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("allow is %q", w.Header().Get("Allow"))
			}
		})
	}
	if w := do(s, http.MethodPost, "/api/v1/upload", strings.Repeat("a", 100), append(csv, "Sec-Fetch-Site", "same-origin")...); w.Code != http.StatusOK {
		t.Errorf("a body of the greatest size gives %d: %s", w.Code, w.Body)
	}
}

// TestPanic: a broken handler is an error of ours, in the log and nowhere else.
func TestPanic(t *testing.T) {
	var log bytes.Buffer
	s := serve(t, config(func(c *api.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) }), &tide{}, api.Ask{
		Path: "/api/v1/breakdown", Do: func(context.Context, report.Viewer, answer.Query, []byte) (any, error) { panic("secret") },
	})
	w := do(s, http.MethodGet, "/api/v1/breakdown", "")
	if strings.Contains(w.Body.String(), "secret") || !strings.Contains(log.String(), "secret") {
		t.Errorf("the answer is %s, the log %s", w.Body, &log)
	}
	problem(t, w, http.StatusInternalServerError)
}

// TestHost: without an access file, a name that another site has pointed at this
// machine is not answered.
func TestHost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:8080": true, "localhost.": true, "127.0.0.1:1": true, "127.1.2.3": true, "[::1]:8080": true, "[::1]": true, "::1": true,
		"[::ffff:127.0.0.1]:80": true,
		"":                      false, "evil.example": false, "evil.example:8080": false, "localhost.evil.example": false, "10.0.0.1": false, "127.0.0.1.evil.example": false, "0.0.0.0": false,
	} {
		if got := api.LoopbackHost(host); got != want {
			t.Errorf("%q is this machine: %t", host, got)
		}
	}
	path, tokens := accessFile(t, [2]string{"ann", ""})
	open, closed := serve(t, config(), &tide{}), serve(t, config(func(c *api.Config) { c.AccessFile = path }), &tide{})
	r := httptest.NewRequest(http.MethodGet, "http://evil.example/api/v1/breakdown", nil)
	r.Header.Set("Authorization", "Bearer "+tokens["ann"])
	for _, c := range []struct {
		s    *api.Server
		want int
	}{{open, http.StatusMisdirectedRequest}, {closed, http.StatusOK}} {
		w := httptest.NewRecorder()
		if c.s.ServeHTTP(w, r); w.Code != c.want {
			t.Errorf("another name is answered with %d, want %d", w.Code, c.want)
		}
	}
}

func TestTokens(t *testing.T) {
	path, tokens := accessFile(t, [2]string{"ann", ""}, [2]string{"acme-board", "acme"})
	s := serve(t, config(func(c *api.Config) { c.AccessFile = path }), &tide{})
	for name, c := range map[string]struct {
		header string
		status int
		viewer report.Viewer
	}{
		"operator":       {"Bearer " + tokens["ann"], 200, report.Viewer{Operator: true}},
		"partner":        {"bearer " + tokens["acme-board"], 200, report.Viewer{Partner: "acme"}},
		"none":           {"", 401, report.Viewer{}},
		"wrong":          {"Bearer tsk_wrong", 401, report.Viewer{}},
		"empty":          {"Bearer ", 401, report.Viewer{}},
		"long":           {"Bearer " + strings.Repeat("x", 5000), 401, report.Viewer{}},
		"another scheme": {"Basic " + tokens["ann"], 401, report.Viewer{}},
		"no scheme":      {tokens["ann"], 401, report.Viewer{}},
	} {
		t.Run(name, func(t *testing.T) {
			var headers []string
			if c.header != "" {
				headers = []string{"Authorization", c.header}
			}
			w := do(s, http.MethodGet, "/api/v1/breakdown", "", headers...)
			if c.status != http.StatusOK {
				if w.Header().Get("WWW-Authenticate") == "" {
					t.Error("nothing says how to sign in")
				}
				problem(t, w, c.status)
				return
			}
			var got echo
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Viewer != c.viewer {
				t.Errorf("%v: seen as %+v, want %+v", err, got.Viewer, c.viewer)
			}
		})
	}
	for _, target := range []string{"/api/v1/openapi.json"} {
		if w := do(s, http.MethodGet, target, ""); w.Code != http.StatusOK {
			t.Errorf("%s is kept from who is not signed in: %d", target, w.Code)
		}
	}
	for _, target := range []string{"/api/v1/events", "/api/v1/contracts/summit"} {
		problem(t, do(s, http.MethodGet, target, ""), http.StatusUnauthorized)
	}
}

// TestAccessFileChanges: a changed file is in force a second later, a broken one
// changes nothing, and who is no longer in it is out, sessions and all.
func TestAccessFileChanges(t *testing.T) {
	path, tokens := accessFile(t, [2]string{"ann", ""}, [2]string{"acme-board", "acme"})
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := serve(t, config(func(c *api.Config) {
			c.AccessFile, c.Log = path, slog.New(slog.NewTextHandler(&log, nil))
		}), &tide{})
		in := func(name string) int {
			return do(s, http.MethodGet, "/api/v1/breakdown", "", "Authorization", "Bearer "+tokens[name]).Code
		}
		cookie := signIn(t, s, tokens["acme-board"])
		write := func(text string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("[]")
		time.Sleep(time.Second)
		if in("ann") != 200 || in("acme-board") != 200 || !strings.Contains(log.String(), "who was let in before still is") {
			t.Errorf("a broken file let somebody out, or is not told: %s", &log)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			time.Sleep(time.Second)
			if in("ann") != 200 {
				t.Error("a missing file let somebody out")
			}
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 2 {
			t.Errorf("two things that happened are told %d times:\n%s", n, &log)
		}
		write(strings.SplitAfter(string(whole), "\n")[0])
		if in("acme-board") != 200 {
			t.Error("the file is looked at more than once a second")
		}
		time.Sleep(time.Second)
		if in("ann") != 200 || in("acme-board") != 401 {
			t.Errorf("who was taken out is still in")
		}
		if w := do(s, http.MethodGet, "/api/v1/breakdown", "", "Cookie", cookie); w.Code != http.StatusUnauthorized {
			t.Errorf("a session outlived its token: %d", w.Code)
		}
		write(string(whole))
		s.Reload()
		if in("acme-board") != 200 {
			t.Error("the file is not read again when asked to")
		}
		for _, token := range tokens {
			if strings.Contains(log.String(), token) {
				t.Error("a token is in the log")
			}
		}
	})
}

// signIn returns the cookie of a new session as a Cookie header.
func signIn(t testing.TB, s *api.Server, token string) string {
	t.Helper()
	w := do(s, http.MethodPost, "/api/v1/session", `{"token":"`+token+`"}`, "Content-Type", "application/json", "Sec-Fetch-Site", "same-origin")
	if w.Code != http.StatusOK {
		t.Fatalf("signing in gives %d: %s", w.Code, w.Body)
	}
	cookie := w.Result().Cookies()[0]
	return cookie.Name + "=" + cookie.Value
}

func TestSessions(t *testing.T) {
	path, tokens := accessFile(t, [2]string{"ann", ""}, [2]string{"acme-board", "acme"})
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, config(func(c *api.Config) { c.AccessFile, c.PerSecond = path, 100_000 }), &tide{})
		w := do(s, http.MethodPost, "/api/v1/session", `{"token":"`+tokens["acme-board"]+`"}`, "Content-Type", "application/json")
		if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusOK || got != `{"role":"partner","partner":"acme"}` {
			t.Fatalf("signing in gives %d: %s", w.Code, got)
		}
		header := w.Header().Get("Set-Cookie")
		for _, part := range []string{"track_source=", "Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=43200"} {
			if !strings.Contains(header, part) {
				t.Errorf("the cookie is %s, without %s", header, part)
			}
		}
		if strings.Contains(header, tokens["acme-board"]) {
			t.Error("the cookie is the token")
		}
		cookie := signIn(t, s, tokens["acme-board"])
		ask := func(cookie string) int { return do(s, http.MethodGet, "/api/v1/breakdown", "", "Cookie", cookie).Code }
		if ask(cookie) != 200 {
			t.Error("a session lets nobody in")
		}
		for _, by := range [][3]string{
			{"Cookie", cookie, `{"role":"partner","partner":"acme","signed_in":true}`},
			{"Authorization", "Bearer " + tokens["ann"], `{"role":"operator","partner":"","signed_in":false}`},
		} {
			if got := strings.TrimSpace(do(s, http.MethodGet, "/api/v1/session", "", by[0], by[1]).Body.String()); got != by[2] {
				t.Errorf("who asks by %s is %s, want %s", by[0], got, by[2])
			}
		}
		if code := do(s, http.MethodGet, "/api/v1/breakdown", "", "Cookie", cookie, "Authorization", "Bearer wrong").Code; code != 401 {
			t.Errorf("a wrong token beside a session gives %d", code)
		}
		problem(t, do(s, http.MethodDelete, "/api/v1/session", "", "Cookie", cookie, "Sec-Fetch-Site", "cross-site"), http.StatusForbidden)
		if ask(cookie) != 200 {
			t.Error("another site ended a session")
		}
		if w := do(s, http.MethodDelete, "/api/v1/session", "", "Cookie", cookie); w.Code != http.StatusNoContent || !strings.Contains(w.Header().Get("Set-Cookie"), "Max-Age=0") {
			t.Errorf("signing out gives %d, %s", w.Code, w.Header().Get("Set-Cookie"))
		}
		if ask(cookie) != 401 {
			t.Error("a session outlived its end")
		}
		cookie = signIn(t, s, tokens["acme-board"])
		time.Sleep(api.SessionLife - time.Second)
		if ask(cookie) != 200 {
			t.Error("a session ended early")
		}
		time.Sleep(time.Second)
		if ask(cookie) != 401 || ask("track_source="+strings.Repeat("x", 5000)) != 401 || ask("track_source=") != 401 {
			t.Error("a session did not end")
		}
		operator := signIn(t, s, tokens["ann"])
		for range api.SessionsOfOneMax + 10 {
			time.Sleep(time.Millisecond)
			cookie = signIn(t, s, tokens["acme-board"])
		}
		if n := s.Sessions(); n != api.SessionsOfOneMax+1 {
			t.Errorf("there are %d sessions, want %d of one token and one of another", n, api.SessionsOfOneMax)
		}
		if ask(operator) != 200 || ask(cookie) != 200 {
			t.Error("one token signed another out, or its newest session")
		}
		for _, body := range []string{"", "{}", `{"token":""}`, `{"token":"x","admin":true}`, `{"token":"x"}{}`, `{"token":5}`, "[]"} {
			problem(t, do(s, http.MethodPost, "/api/v1/session", body, "Content-Type", "application/json"), http.StatusBadRequest)
		}
		problem(t, do(s, http.MethodPost, "/api/v1/session", `{"token":"tsk_wrong"}`, "Content-Type", "application/json"), http.StatusUnauthorized)
		problem(t, do(s, http.MethodPost, "/api/v1/session", `{"token":"tsk_wrong"}`, "Content-Type", "text/plain"), http.StatusUnsupportedMediaType)
		problem(t, do(s, http.MethodPost, "/api/v1/session", strings.Repeat(" ", 5000), "Content-Type", "application/json"), http.StatusRequestEntityTooLarge)
	})
}

// TestTags: an answer keeps its tag while nothing changes that it follows from,
// and is not worked out again.
func TestTags(t *testing.T) {
	path, tokens := accessFile(t, [2]string{"ann", ""}, [2]string{"acme-a", "acme"}, [2]string{"acme-b", "acme"})
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		changes := &tide{}
		s := serve(t, config(func(c *api.Config) { c.AccessFile = path }), changes, api.Ask{
			Path: "/api/v1/breakdown", Do: func(context.Context, report.Viewer, answer.Query, []byte) (any, error) {
				asked++
				return struct{}{}, nil
			},
		})
		get := func(name, query, tag string) (int, string) {
			t.Helper()
			w := do(s, http.MethodGet, "/api/v1/breakdown?"+query, "", "Authorization", "Bearer "+tokens[name], "If-None-Match", tag)
			if cache := w.Header().Get("Cache-Control"); cache != "private, no-cache" || !strings.Contains(w.Header().Get("Vary"), "Authorization, Cookie") {
				t.Errorf("kept as %q", cache)
			}
			if w.Code == http.StatusNotModified && w.Body.Len() > 0 {
				t.Error("304 with a body")
			}
			return w.Code, w.Header().Get("ETag")
		}
		code, tag := get("acme-a", "by=partner&partner=a&partner=b", "")
		if code != 200 || !strings.HasPrefix(tag, `W/"`) {
			t.Fatalf("%d, tag %s", code, tag)
		}
		for _, same := range [][2]string{{"acme-a", "partner=a&by=partner&partner=b"}, {"acme-b", "by=partner&partner=a&partner=b"}} {
			if code, _ := get(same[0], same[1], `"other", `+tag); code != http.StatusNotModified {
				t.Errorf("%v: %d", same, code)
			}
		}
		if asked != 1 {
			t.Errorf("worked out %d times", asked)
		}
		for _, other := range [][2]string{{"ann", "by=partner&partner=a&partner=b"}, {"acme-a", "by=partner&partner=a"}} {
			if code, got := get(other[0], other[1], tag); code != 200 || got == tag {
				t.Errorf("%v: %d, %s", other, code, got)
			}
		}
		for _, c := range []struct {
			what   string
			change func()
		}{
			{"a change", changes.rise},
			{"a new day somewhere", func() { time.Sleep(15 * time.Minute) }},
			{"falling behind", func() { changes.age, changes.why = 25*time.Second, "still reading" }},
			{"another reason", func() { changes.why = "broker unreachable" }},
			{"falling behind more", func() { changes.age = 35 * time.Second }},
			{"behind no more", func() { changes.age, changes.why = 0, "" }},
		} {
			_, before := get("acme-a", "", "")
			c.change()
			if code, after := get("acme-a", "", before); code != 200 || after == before {
				t.Errorf("%s leaves the tag: %d", c.what, code)
			}
		}
		again := serve(t, config(func(c *api.Config) { c.AccessFile = path }), changes, asking("/api/v1/breakdown", nil))
		_, tag = get("acme-a", "", "")
		if w := do(again, http.MethodGet, "/api/v1/breakdown", "", "Authorization", "Bearer "+tokens["acme-a"], "If-None-Match", tag); w.Code != 200 {
			t.Errorf("a tag of the process before is taken for one of this: %d", w.Code)
		}
	})
	for header, want := range map[string]bool{"": false, "*": true, `"a"`: true, `W/"a"`: true, `"b", W/"a"`: true, `"b"`: false, "a": false} {
		if got := api.Matches(header, `W/"a"`); got != want {
			t.Errorf("%q matches: %t", header, got)
		}
	}
}

func TestCompressionAndHead(t *testing.T) {
	long := strings.Repeat("9", 5000)
	s := serve(t, config(), &tide{}, api.Ask{Path: "/api/v1/long", Do: func(context.Context, report.Viewer, answer.Query, []byte) (any, error) { return long, nil }},
		api.Ask{Path: "/api/v1/short", Do: func(context.Context, report.Viewer, answer.Query, []byte) (any, error) { return "9", nil }})
	for range 3 { // the compressor is used again
		w := do(s, http.MethodGet, "/api/v1/long", "", "Accept-Encoding", "br, gzip;q=0.5")
		if w.Header().Get("Content-Encoding") != "gzip" || w.Body.Len() > 500 {
			t.Fatalf("%d bytes, %v", w.Body.Len(), w.Header())
		}
		z, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(z); err != nil || string(b) != `"`+long+`"` {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
	}
	for target, header := range map[string]string{"/api/v1/long": "gzip;q=0", "/api/v1/short": "gzip", "/api/v1/long?limit=1": ""} {
		if w := do(s, http.MethodGet, target, "", "Accept-Encoding", header); w.Header().Get("Content-Encoding") != "" || w.Code != 200 {
			t.Errorf("%s with %q: %d %v", target, header, w.Code, w.Header())
		}
	}
	w := do(s, http.MethodHead, "/api/v1/long", "")
	if w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Length") != "5002" || w.Header().Get("ETag") == "" {
		t.Errorf("HEAD: %d, %d bytes, %v", w.Code, w.Body.Len(), w.Header())
	}
	for header, want := range map[string]bool{"": false, "gzip": true, "GZIP": true, "gzip;q=0": false, "gzip; q=0.0": false, "gzip; q=0.1": true, "deflate": false, "x-gzip": false} {
		if got := api.TakesGzip(header); got != want {
			t.Errorf("%q takes gzip: %t", header, got)
		}
	}
}

func TestPageAndHeaders(t *testing.T) {
	page := fstest.MapFS{
		"index.html":      {Data: []byte("<!doctype html><title>x</title>")},
		"app.js":          {Data: []byte("export const a = 1;" + strings.Repeat(" ", 2000))},
		"vendor/plot.css": {Data: []byte("a{}")},
		"vendor/LICENSE":  {Data: []byte("MIT")},
		"README.md":       {Data: []byte("notes")},
	}
	path, _ := accessFile(t, [2]string{"ann", ""})
	s := serve(t, config(func(c *api.Config) { c.Page, c.AccessFile = page, path }), &tide{})
	for target, want := range map[string]struct {
		code        int
		contentType string
	}{
		"/":                               {200, "text/html; charset=utf-8"},
		"/?campaign=%3Cscript%3Ealert(1)": {200, "text/html; charset=utf-8"},
		"/assets/app.js":                  {200, "text/javascript; charset=utf-8"},
		"/assets/vendor/plot.css":         {200, "text/css; charset=utf-8"},
		"/assets/vendor/LICENSE":          {404, "application/problem+json"},
		"/assets/README.md":               {404, "application/problem+json"},
		"/assets/":                        {404, "application/problem+json"},
		"/assets//api/v1/openapi.json":    {404, "application/problem+json"},
		"/api/v1/openapi.json":            {200, "application/json"},
		"/api/v1/breakdown":               {401, "application/problem+json"},
		"/nothing":                        {404, "application/problem+json"},
	} {
		w := do(s, http.MethodGet, target, "")
		got := w.Header()
		if w.Code != want.code || got.Get("Content-Type") != want.contentType {
			t.Errorf("%s: %d %q, want %v", target, w.Code, got.Get("Content-Type"), want)
		}
		csp := got.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", target, csp)
		}
		if got.Get("X-Content-Type-Options") != "nosniff" || got.Get("Referrer-Policy") != "no-referrer" || got.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: headers %v", target, got)
		}
		if strings.Contains(w.Body.String(), "alert(1)") {
			t.Errorf("%s: the query reached the page", target)
		}
	}
	script := do(s, http.MethodGet, "/assets/app.js", "", "Accept-Encoding", "gzip")
	if script.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("a file is not compressed: %v", script.Header())
	}
	if w := do(s, http.MethodGet, "/assets/app.js", "", "If-None-Match", script.Header().Get("ETag")); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("the same file again: %d, %d bytes", w.Code, w.Body.Len())
	}
	for name, files := range map[string]fstest.MapFS{"no index": {"app.js": {}}, "no type": {"index.html": {}, "a.exe": {}}} {
		if _, err := api.Made(config(func(c *api.Config) { c.Page = files }), &tide{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
