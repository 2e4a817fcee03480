package reporter_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tracksource/contract"
	"tracksource/internal/reporter"
	"tracksource/report"
	"tracksource/schemas/avro"
)

// shelf is a table of rows under test.
type shelf struct {
	mu   sync.Mutex
	rows []avro.ContributionRow
	err  error
	read int
}

func (s *shelf) put(t testing.TB, campaign, measure, model, day, partner, channel, currency string, minor int64) {
	t.Helper()
	r := avro.ContributionRow{
		Contract: campaign, Measure: measure, Model: model, Day: day, Partner: partner, Channel: channel,
		Currency: currency, AsOf: start,
	}
	exponent := 2
	if currency == "" {
		exponent = 6
	}
	if err := r.SetValue(minor, exponent); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = append(s.rows, r)
}

func (s *shelf) scan(fn func(avro.ContributionRow) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read++
	for _, r := range s.rows {
		if err := fn(r); err != nil {
			return err
		}
	}
	return s.err
}

func summit(t testing.TB) *shelf {
	s := &shelf{}
	s.put(t, "summit", "revenue", "linear", "2026-02-01", "acme", "Email", "EUR", 100050)
	s.put(t, "summit", "revenue", "linear", "2026-02-02", "acme", "Social", "EUR", 2500)
	s.put(t, "summit", "revenue", "linear", "2026-02-02", "blue", "Email", "EUR", 40000)
	s.put(t, "summit", "revenue", "linear", "2026-02-03", report.Unattributed, report.Unattributed, "EUR", 7)
	s.put(t, "summit", "revenue", "first-touch", "2026-02-01", "acme", "Email", "EUR", 142557)
	s.put(t, "summit", "won", "linear", "2026-02-01", "acme", "Email", "", 333333)
	s.put(t, "autumn", "revenue", "linear", "2026-02-01", "acme", "Email", "JPY", 100)
	return s
}

func server(t testing.TB, s *shelf, change func(*reporter.ServerConfig)) (http.Handler, *reporter.View) {
	t.Helper()
	v := reporter.NewView(s.scan)
	cfg := reporter.ServerConfig{View: v, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Clock: time.Now}
	if change != nil {
		change(&cfg)
	}
	h, err := reporter.Server(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h, v
}

func ask(t testing.TB, h http.Handler, method, target string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

func answer(t testing.TB, h http.Handler, target string) reporter.Answer {
	t.Helper()
	w := ask(t, h, http.MethodGet, target)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %d %s: %s", target, w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	var a reporter.Answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestContributions(t *testing.T) {
	s := summit(t)
	h, v := server(t, s, func(c *reporter.ServerConfig) { c.Campaigns = func() []string { return []string{"winter"} } })
	a := answer(t, h, "/api/contributions?campaign=summit")
	if a.Measure != "revenue" || a.Model != "linear" || a.Currency != "EUR" || a.Rows != 4 {
		t.Errorf("defaults are %s %s %s, %d rows", a.Measure, a.Model, a.Currency, a.Rows)
	}
	if a.Total != "1425.57" || a.Attributed != "1425.50" || a.Unattributed != "0.07" {
		t.Errorf("total %s, attributed %s, unattributed %s", a.Total, a.Attributed, a.Unattributed)
	}
	if len(a.Margins) != 2 || a.Margins[0].Groups[0].Key[0] != "acme" || a.Margins[0].Groups[0].Value != "1025.50" {
		t.Errorf("margins are %+v", a.Margins)
	}
	if want := []string{"autumn", "summit", "winter"}; !slices.Equal(a.Choices.Campaigns, want) {
		t.Errorf("campaigns are %v, want %v", a.Choices.Campaigns, want)
	}
	if want := []string{"linear", "first-touch"}; !slices.Equal(a.Choices.Models, want) {
		t.Errorf("models are %v, want %v", a.Choices.Models, want)
	}
	if a = answer(t, h, "/api/contributions?campaign=summit&measure=won&by=day"); a.Total != "0.333333" || a.Currency != "" || len(a.Margins) != 0 {
		t.Errorf("a count is %s %q", a.Total, a.Currency)
	}
	if a = answer(t, h, "/api/contributions"); a.Campaign != "autumn" || a.Total != "1" {
		t.Errorf("the first campaign is %s with %s, want autumn with 1", a.Campaign, a.Total)
	}
	if a = answer(t, h, "/api/contributions?campaign=winter"); a.Total != "0" || len(a.Groups) != 0 || a.AsOf != nil {
		t.Errorf("a campaign without rows gives %+v", a)
	}

	read := s.read
	answer(t, h, "/api/contributions?campaign=summit")
	if s.read != read {
		t.Errorf("an answer was computed again although nothing changed")
	}
	s.put(t, "summit", "revenue", "linear", "2026-02-04", "blue", "Email", "EUR", 1)
	s.put(t, "summit", "revenue", "linear", "2026-02-04", "blue", "Email", "USD", 900)
	v.Changed(nil)
	a = answer(t, h, "/api/contributions?campaign=summit")
	if a.Total != "1425.58" || !slices.Equal(a.Restating, []string{"USD"}) {
		t.Errorf("after a change the total is %s, restating %v", a.Total, a.Restating)
	}
}

func TestProblems(t *testing.T) {
	for name, c := range map[string]struct {
		method, target string
		status         int
		allowed        string // one of allowed
	}{
		"unknown parameter":  {"GET", "/api/contributions?colour=%3Cscript%3E", 400, "campaign"},
		"repeated parameter": {"GET", "/api/contributions?model=linear&model=linear", 400, "model"},
		"unknown campaign":   {"GET", "/api/contributions?campaign=%3Cscript%3E", 400, "summit"},
		"unknown measure":    {"GET", "/api/contributions?campaign=summit&measure=x", 400, "won"},
		"unknown model":      {"GET", "/api/contributions?campaign=summit&model=", 400, "first-touch"},
		"unknown dimension":  {"GET", "/api/contributions?by=partner,colour", 400, "channel"},
		"repeated dimension": {"GET", "/api/contributions?by=day,day", 400, "day"},
		"four dimensions":    {"GET", "/api/contributions?by=day,partner,channel,asset", 400, "day"},
		"bad escape":         {"GET", "/api/contributions?by=%zz", 400, "by"},
		"long query":         {"GET", "/api/contributions?by=" + strings.Repeat("x", 3000), 400, "by"},
		"events with query":  {"GET", "/api/events?x=1", 400, ""},
		"no status":          {"GET", "/api/status", 404, ""},
		"no such path":       {"GET", "/admin", 404, "/api/events"},
		"no such asset":      {"GET", "/assets/x.js", 404, ""},
		"index as asset":     {"POST", "/api/contributions", 405, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := server(t, summit(t), nil)
			w := ask(t, h, c.method, c.target)
			if w.Code != c.status || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Fatalf("%d %s, want %d and problem+json", w.Code, w.Header().Get("Content-Type"), c.status)
			}
			var p struct {
				Type, Title, Detail string
				Status              int
				Allowed             []string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Fatal(err)
			}
			if p.Status != c.status || p.Title == "" || p.Detail == "" || p.Type != "about:blank" {
				t.Errorf("problem is %+v", p)
			}
			if c.allowed != "" && !slices.Contains(p.Allowed, c.allowed) {
				t.Errorf("allowed is %v, want %s in it", p.Allowed, c.allowed)
			}
			if strings.Contains(w.Body.String(), "script") {
				t.Errorf("the query came back: %s", w.Body)
			}
		})
	}
}

// TestProposed: what is proposed is a book of its own, marked, behind all that is
// agreed, and in none of its numbers.
func TestProposed(t *testing.T) {
	s := summit(t)
	for _, row := range slices.Clone(s.rows) {
		row.Contract = contract.ProposalBook(row.Contract)
		s.rows = append(s.rows, row)
	}
	h, _ := server(t, s, nil)
	a := answer(t, h, "/api/contributions?measure=revenue&model=linear&campaign=summit")
	b := answer(t, h, "/api/contributions?measure=revenue&model=linear&campaign=summit~proposed")
	if a.Proposed || !b.Proposed || a.Total != "1425.57" || b.Total != a.Total || a.Rows != 4 {
		t.Errorf("agreed: %t, %s of %d rows; proposed: %t, %s", a.Proposed, a.Total, a.Rows, b.Proposed, b.Total)
	}
	if want := []string{"autumn", "summit", "autumn~proposed", "summit~proposed"}; !slices.Equal(a.Choices.Campaigns, want) {
		t.Errorf("campaigns are %v, want %v", a.Choices.Campaigns, want)
	}
}

func TestScanErrorIsNotTold(t *testing.T) {
	s := summit(t)
	s.err = errors.New("secret path")
	h, _ := server(t, s, nil)
	w := ask(t, h, http.MethodGet, "/api/contributions")
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestPageAndHeaders(t *testing.T) {
	h, _ := server(t, summit(t), func(c *reporter.ServerConfig) {
		c.Status = func(context.Context) (any, error) { return map[string]int{"raw": 3}, nil }
	})
	for target, contentType := range map[string]string{
		"/":                               "text/html; charset=utf-8",
		"/?campaign=%3Cscript%3Ealert(1)": "text/html; charset=utf-8",
		"/assets/page.js":                 "text/javascript; charset=utf-8",
		"/assets/page.css":                "text/css; charset=utf-8",
		"/assets/icon.svg":                "image/svg+xml",
		"/api/status":                     "application/json",
		"/api/contributions":              "application/json",
		"/nothing":                        "application/problem+json",
	} {
		w := ask(t, h, http.MethodGet, target)
		got := w.Header()
		if got.Get("Content-Type") != contentType {
			t.Errorf("%s: type %q, want %q", target, got.Get("Content-Type"), contentType)
		}
		csp := got.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", target, csp)
		}
		if got.Get("X-Content-Type-Options") != "nosniff" || got.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers %v", target, got)
		}
		if strings.Contains(w.Body.String(), "alert(1)") {
			t.Errorf("%s: the query reached the page", target)
		}
	}
	// The policy forbids what is inline, so nothing may be.
	page := ask(t, h, http.MethodGet, "/").Body.String()
	for _, inline := range []string{"<style", "style=", "onclick", "onload", "<script>", "http://", "https://"} {
		if strings.Contains(page, inline) {
			t.Errorf("the page has %s", inline)
		}
	}
	script := ask(t, h, http.MethodGet, "/assets/page.js")
	for _, unsafe := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("} {
		if strings.Contains(script.Body.String(), unsafe) {
			t.Errorf("the script uses %s", unsafe)
		}
	}
	again := httptest.NewRequest(http.MethodGet, "/assets/page.js", nil)
	again.Header.Set("If-None-Match", script.Header().Get("ETag"))
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, again); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("the same file again: %d, %d bytes", w.Code, w.Body.Len())
	}
}

// pipe is a response whose writes are read while it goes on.
type pipe struct {
	http.ResponseWriter
	w *io.PipeWriter
}

func (p pipe) Write(b []byte) (int, error) { return p.w.Write(b) }
func (p pipe) Flush()                      {}

func TestEventsAreCoalescedAndEndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, v := server(t, summit(t), nil)
		ctx, cancel := context.WithCancel(t.Context())
		reader, writer := io.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() { _ = writer.Close() }()
			r := httptest.NewRequest(http.MethodGet, "/api/events", nil).WithContext(ctx)
			h.ServeHTTP(pipe{httptest.NewRecorder(), writer}, r)
		}()
		lines := make(chan string, 100)
		go func() {
			defer close(lines)
			for scanner := bufio.NewScanner(reader); scanner.Scan(); {
				if text := scanner.Text(); text != "" {
					lines <- text
				}
			}
		}()
		begin := time.Now()
		read := func(want string) {
			t.Helper()
			if got := <-lines; got != want {
				t.Fatalf("line %q after %s, want %q", got, time.Since(begin), want)
			}
		}
		read("event: change")
		read(`data: {"version":0}`)
		for range 50 { // half a second of changes is two or three events
			v.Changed(nil)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		var got []string
		for len(lines) > 0 {
			got = append(got, <-lines)
		}
		if len(got) < 4 || len(got) > 6 || got[len(got)-1] != `data: {"version":50}` {
			t.Fatalf("half a second of changes gave %q", got)
		}
		quiet := time.Now()
		read(": heartbeat")
		if waited := time.Since(quiet); waited > 15*time.Second {
			t.Errorf("a heartbeat after %s", waited)
		}
		cancel()
		<-done
		for range lines {
			t.Error("a line after the end")
		}
	})
}

// TestEventsOverTCP holds the whole server to it: real connections, and an end
// when the server's context ends.
func TestEventsOverTCP(t *testing.T) {
	h, v := server(t, summit(t), nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- reporter.Serve(ctx, l, h, slog.New(slog.NewTextHandler(io.Discard, nil))) }()
	resp, err := http.Get("http://" + l.Addr().String() + "/api/events")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("content type %s", got)
	}
	body := bufio.NewReader(resp.Body)
	for _, want := range []string{"event: change\n", "data: {\"version\":0}\n", "\n"} {
		if got, err := body.ReadString('\n'); got != want || err != nil {
			t.Fatalf("%q, %v, want %q", got, err, want)
		}
	}
	v.Changed(nil)
	if got, err := body.ReadString('\n'); got != "event: change\n" || err != nil {
		t.Fatalf("%q, %v after a change", got, err)
	}
	cancel()
	if _, err := io.ReadAll(body); err != nil {
		t.Errorf("the stream ended with %v", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the server ended with %v", err)
	}
}

func FuzzParseQuery(f *testing.F) {
	choices, err := reporter.NewView(summit(f).scan).Choices(nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"", "campaign=summit&by=partner,channel", "by=", "by=,", "campaign=%", "a=b;c=d", "model=linear&model=", "measure=won&campaign=summit"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := reporter.ParseQuery(raw, choices)
		var refused *reporter.QueryError
		if err != nil {
			if !errors.As(err, &refused) || refused.Detail == "" {
				t.Fatalf("%q: error %v is not a QueryError", raw, err)
			}
			return
		}
		if !slices.Contains(choices.Campaigns, q.Campaign) || len(q.By) == 0 || len(q.By) > 3 {
			t.Fatalf("%q is read as %+v", raw, q)
		}
		// What was read, written again, is the same question.
		by := make([]string, len(q.By))
		for i, d := range q.By {
			by[i] = string(d)
		}
		again, err := reporter.ParseQuery(url.Values{
			"campaign": {q.Campaign}, "measure": {q.Measure}, "model": {q.Model}, "by": {strings.Join(by, ",")},
		}.Encode(), choices)
		if err != nil || again.Campaign != q.Campaign || again.Measure != q.Measure || again.Model != q.Model || !slices.Equal(again.By, q.By) {
			t.Fatalf("%q is read as %+v, then as %+v, %v", raw, q, again, err)
		}
	})
}
