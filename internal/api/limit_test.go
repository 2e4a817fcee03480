package api_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tracksource/internal/answer"
	"tracksource/internal/api"
	"tracksource/internal/follow"
	"tracksource/internal/past"
	"tracksource/report"
)

// TestRate: a holder that asks too often is told when to come again, and takes
// nothing from another.
func TestRate(t *testing.T) {
	path, tokens := accessFile(t, [2]string{"ann", ""}, [2]string{"acme-board", "acme"})
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, config(func(c *api.Config) { c.AccessFile, c.PerSecond = path, 10 }), &tide{})
		ask := func(name string) *httptest.ResponseRecorder {
			return do(s, http.MethodGet, "/api/v1/breakdown", "", "Authorization", "Bearer "+tokens[name])
		}
		for i := range 40 { // the burst
			if w := ask("ann"); w.Code != http.StatusOK {
				t.Fatalf("request %d gives %d", i, w.Code)
			}
		}
		w := ask("ann")
		problem(t, w, http.StatusTooManyRequests)
		if w.Header().Get("Retry-After") != "1" {
			t.Errorf("come again in %q", w.Header().Get("Retry-After"))
		}
		if w := ask("acme-board"); w.Code != http.StatusOK {
			t.Errorf("another holder gets %d", w.Code)
		}
		time.Sleep(time.Second)
		got := 0
		for range 40 {
			if ask("ann").Code == http.StatusOK {
				got++
			}
		}
		if got != 10 {
			t.Errorf("a second later %d requests are let in, want 10", got)
		}
		for range 200 { // files are no questions
			if w := do(s, http.MethodGet, "/api/v1/openapi.json", "", "Authorization", "Bearer "+tokens["ann"]); w.Code != http.StatusOK {
				t.Fatalf("a file gives %d", w.Code)
			}
		}
		// Who guesses is held to it as well, wherever the guesses differ.
		codes := map[int]int{}
		for i := range 50 {
			codes[do(s, http.MethodGet, "/api/v1/breakdown", "", "Authorization", fmt.Sprintf("Bearer tsk_%d", i)).Code]++
		}
		if codes[http.StatusUnauthorized] != 40 || codes[http.StatusTooManyRequests] != 10 {
			t.Errorf("guesses give %v", codes)
		}
	})
}

// TestManyAddresses: callers without a token do not fill the memory.
func TestManyAddresses(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of requests take seconds under the race detector")
	}
	path, _ := accessFile(t, [2]string{"ann", ""})
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, config(func(c *api.Config) { c.AccessFile = path }), &tide{})
		call := func(i int) {
			r := httptest.NewRequest(http.MethodGet, "/api/v1/breakdown", nil)
			r.RemoteAddr = fmt.Sprintf("[2001:db8:%x:%x::1]:5000", i>>16, i&0xffff)
			s.ServeHTTP(httptest.NewRecorder(), r)
		}
		for range 100 { // one subscriber, from many addresses
			r := httptest.NewRequest(http.MethodGet, "/api/v1/breakdown", nil)
			r.RemoteAddr = fmt.Sprintf("[2001:db8:ffff:ffff::%x]:5000", rand.Uint32()&0xffff)
			s.ServeHTTP(httptest.NewRecorder(), r)
		}
		if n := s.Buckets(); n != 1 {
			t.Errorf("one subscriber is kept as %d", n)
		}
		for i := range 3 * api.BucketsMax {
			call(i)
		}
		if n := s.Buckets(); n > api.BucketsMax+1 {
			t.Errorf("%d callers are kept apart", n)
		}
		time.Sleep(time.Minute)
		call(100_000)
		if n := s.Buckets(); n > 2 {
			t.Errorf("%d callers are kept a minute later", n)
		}
	})
}

// slow is a question that takes until the gate opens, or its asker is gone.
func slow(path string, gate chan struct{}, begun *atomic.Int64) api.Ask {
	return api.Ask{Path: path, Do: func(ctx context.Context, _ report.Viewer, _ answer.Query, _ []byte) (any, error) {
		begun.Add(1)
		select {
		case <-gate:
			return "done", nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
}

// TestTurns: so many answers at once, others wait for a while, and then are told
// to come again. One that takes too long is given up.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate, begun := make(chan struct{}), &atomic.Int64{}
		s := serve(t, config(), &tide{}, slow("/api/v1/slow", gate, begun))
		var mu sync.Mutex
		codes := map[int]int{}
		var asking sync.WaitGroup
		asked := 0
		ask := func(n int) {
			for range n {
				asked++
				another := fmt.Sprintf("/api/v1/slow?limit=%d", asked)
				asking.Go(func() {
					w := do(s, http.MethodGet, another, "")
					mu.Lock()
					defer mu.Unlock()
					codes[w.Code]++
				})
			}
			synctest.Wait()
		}
		ask(api.AnswersMax + 3)
		if n := begun.Load(); n != api.AnswersMax {
			t.Errorf("%d answers at once, want %d", n, api.AnswersMax)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if codes[http.StatusServiceUnavailable] != 3 {
			t.Errorf("those over it got %v", codes)
		}
		ask(2)
		close(gate)
		asking.Wait()
		if codes[http.StatusOK] != api.AnswersMax+2 {
			t.Errorf("in the end %v", codes)
		}
		s = serve(t, config(), &tide{}, slow("/api/v1/slow", make(chan struct{}), begun))
		w := do(s, http.MethodGet, "/api/v1/slow", "")
		if p := problem(t, w, http.StatusServiceUnavailable); !strings.Contains(p.Detail, "too long") || w.Header().Get("Retry-After") != "5" {
			t.Errorf("%+v", p)
		}
	})
}

// TestPackageTurns: packages are put together one after the other, beside other answers;
// who waits too long is told to come again, and one has more time than other answers.
func TestPackageTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate, begun := make(chan struct{}), &atomic.Int64{}
		packages := slow("/api/v1/package", gate, begun)
		packages.Large = true
		s := serve(t, config(), &tide{}, packages, asking("/api/v1/breakdown", nil))
		codes := make(chan int, 2)
		var waiting sync.WaitGroup
		ask := func() {
			waiting.Go(func() { codes <- do(s, http.MethodGet, "/api/v1/package", "").Code })
			synctest.Wait()
		}
		ask()
		ask()
		if n := begun.Load(); n != 1 {
			t.Errorf("%d packages at once", n)
		}
		if w := do(s, http.MethodGet, "/api/v1/breakdown", ""); w.Code != http.StatusOK {
			t.Errorf("beside a package an answer is %d", w.Code)
		}
		time.Sleep(api.PackageWait + time.Second)
		synctest.Wait()
		if code := <-codes; code != http.StatusServiceUnavailable {
			t.Errorf("who waited got %d", code)
		}
		close(gate)
		if code := <-codes; code != http.StatusOK {
			t.Errorf("the first got %d, after longer than other answers may take", code)
		}
		waiting.Wait()
	})
}

// TestNotRead: a reporter that has not read a topic yet says to come again.
func TestNotRead(t *testing.T) {
	s := serve(t, config(), &tide{}, api.Ask{Path: "/api/v1/package", Large: true, Do: func(context.Context, report.Viewer, answer.Query, []byte) (any, error) {
		return nil, fmt.Errorf("topic tracksource.facts %w", follow.ErrNotRead)
	}})
	w := do(s, http.MethodGet, "/api/v1/package", "")
	if p := problem(t, w, http.StatusServiceUnavailable); !strings.Contains(p.Detail, "tracksource.facts") || w.Header().Get("Retry-After") != "1" {
		t.Errorf("%+v", p)
	}
}

// TestReading: who asks for an earlier moment that is being read is told how far that is,
// and when to come again.
func TestReading(t *testing.T) {
	s := serve(t, config(), &tide{}, asking("/api/v1/package", fmt.Errorf("ask: %w", &past.Busy{Records: 3, AtMost: 9})))
	w := do(s, http.MethodGet, "/api/v1/package", "")
	if p := problem(t, w, http.StatusServiceUnavailable); p.Reading == nil || *p.Reading != (api.Reading{Records: "3", AtMost: "9"}) || w.Header().Get("Retry-After") != "5" {
		t.Errorf("told %+v, come again in %q", p, w.Header().Get("Retry-After"))
	}
}

// TestFlights: one holder has a bound on what is under way.
func TestFlights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate, begun := make(chan struct{}), &atomic.Int64{}
		s := serve(t, config(), &tide{}, slow("/api/v1/slow", gate, begun), asking("/api/v1/breakdown", nil))
		var waiting sync.WaitGroup
		for range api.FlightsMax {
			waiting.Go(func() { do(s, http.MethodGet, "/api/v1/slow", "") })
		}
		synctest.Wait()
		problem(t, do(s, http.MethodGet, "/api/v1/breakdown", ""), http.StatusTooManyRequests)
		close(gate)
		waiting.Wait()
		if w := do(s, http.MethodGet, "/api/v1/breakdown", ""); w.Code != http.StatusOK {
			t.Errorf("afterwards %d", w.Code)
		}
	})
}
