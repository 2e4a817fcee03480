package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"tracksource/internal/answer"
	"tracksource/internal/api"
	"tracksource/report"
)

// TestShelf: what many ask is worked out once, for each viewer by itself; a change
// makes it new, an error is not kept, and who waits for somebody who leaves is
// answered all the same.
func TestShelf(t *testing.T) {
	path, tokens := accessFile(t, [2]string{"ann", ""}, [2]string{"acme-a", "acme"}, [2]string{"acme-b", "acme"}, [2]string{"blue", "blue"})
	synctest.Test(t, func(t *testing.T) {
		changes, begun := &tide{}, &atomic.Int64{}
		var gate chan struct{}
		var failing error
		s := serve(t, config(func(c *api.Config) { c.AccessFile = path }), changes, api.Ask{
			Path: "/api/v1/breakdown", Do: func(ctx context.Context, v report.Viewer, _ answer.Query, _ []byte) (any, error) {
				begun.Add(1)
				select {
				case <-gate:
					return v, failing
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			},
		})
		ask := func(ctx context.Context, name string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodGet, "/api/v1/breakdown", nil).WithContext(ctx)
			r.Header.Set("Authorization", "Bearer "+tokens[name])
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			return w
		}
		var asking sync.WaitGroup
		ten := func(want int64) {
			t.Helper()
			gate = make(chan struct{})
			before := begun.Load()
			for i := range 10 {
				name := []string{"acme-a", "acme-b", "ann", "blue"}[i%4]
				asking.Go(func() {
					w := ask(t.Context(), name)
					partner := map[string]string{"ann": "", "acme-a": "acme", "acme-b": "acme", "blue": "blue"}[name]
					if failing == nil && !strings.Contains(w.Body.String(), fmt.Sprintf(`"Partner":%q`, partner)) {
						t.Errorf("%s is given %s", name, w.Body)
					}
				})
			}
			synctest.Wait()
			close(gate)
			asking.Wait()
			if got := begun.Load() - before; got != want {
				t.Errorf("ten requests of three viewers were worked out %d times, want %d", got, want)
			}
		}
		ten(3)
		ten(0)
		changes.rise()
		ten(3)
		changes.rise()
		failing = errors.New("broken")
		ten(3)
		failing = nil
		ten(3)

		changes.rise()
		gate = make(chan struct{})
		ctx, leave := context.WithCancel(t.Context())
		asking.Go(func() { ask(ctx, "ann") })
		synctest.Wait()
		before := begun.Load()
		asking.Go(func() {
			if w := ask(t.Context(), "ann"); w.Code != http.StatusOK {
				t.Errorf("who waited gets %d", w.Code)
			}
		})
		synctest.Wait()
		leave()
		synctest.Wait()
		if begun.Load() != before+1 {
			t.Error("nobody took over")
		}
		close(gate)
		asking.Wait()
	})
}

// TestShelfIsBounded: answers that are large make room for each other.
func TestShelfIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("large answers take seconds under the race detector")
	}
	large := strings.Repeat("9", api.ShelfBytesMax/4)
	s := serve(t, config(), &tide{}, api.Ask{Path: "/api/v1/large", Do: func(context.Context, report.Viewer, answer.Query, []byte) (any, error) { return large, nil }})
	for i := range 8 {
		if w := do(s, http.MethodGet, fmt.Sprintf("/api/v1/large?limit=%d", i+1), ""); w.Code != http.StatusOK {
			t.Fatal(w.Code)
		}
	}
	n, bytes := s.Shelved()
	do(s, http.MethodGet, "/api/v1/large?limit=8", "", "Accept-Encoding", "gzip")
	if _, pressed := s.Shelved(); pressed <= bytes || pressed > bytes+len(large)/10 {
		t.Errorf("with one of them compressed they are %d bytes, before %d", pressed, bytes)
	}
	if n != 3 || bytes > api.ShelfBytesMax || bytes < 3*len(large) {
		t.Errorf("%d answers of %d bytes are kept", n, bytes)
	}
}
