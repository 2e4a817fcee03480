package api_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tracksource/internal/api"
)

// pipe is a response whose writes are read while it goes on.
type pipe struct {
	http.ResponseWriter
	w *io.PipeWriter
}

func (p pipe) Write(b []byte) (int, error) { return p.w.Write(b) }
func (p pipe) Flush()                      {}

// streamed opens a stream and returns its lines, and a channel that is closed at its
// end.
func streamed(ctx context.Context, h http.Handler, headers ...string) (lines chan string, done chan struct{}) {
	reader, writer := io.Pipe()
	lines, done = make(chan string, 100), make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = writer.Close() }()
		r := httptest.NewRequest(http.MethodGet, "/api/v1/events", nil).WithContext(ctx)
		r.Host = "localhost"
		for i := 0; i < len(headers); i += 2 {
			r.Header.Add(headers[i], headers[i+1])
		}
		h.ServeHTTP(pipe{httptest.NewRecorder(), writer}, r)
	}()
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(reader); scanner.Scan(); {
			if text := scanner.Text(); text != "" {
				lines <- text
			}
		}
	}()
	return lines, done
}

// TestOneEventOfWhatComesTogether: facts, entries and rows of one event of the line
// are one change to a page, told as soon as the last of them is there.
func TestOneEventOfWhatComesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		changes := &tide{}
		ctx, cancel := context.WithCancel(t.Context())
		lines, done := streamed(ctx, serve(t, config(), changes))
		<-lines
		<-lines
		time.Sleep(time.Second)
		began := time.Now()
		for range 3 {
			changes.rise()
			time.Sleep(25 * time.Millisecond)
		}
		if got := []string{<-lines, <-lines}; got[1] != `data: {"version":3}` {
			t.Errorf("three changes gave %q first", got)
		}
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("they were told after %s", took)
		}
		cancel()
		<-done
	})
}

func TestEventsAreCoalescedAndEndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		changes := &tide{}
		ctx, cancel := context.WithCancel(t.Context())
		lines, done := streamed(ctx, serve(t, config(), changes))
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
			changes.rise()
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

// TestEventsEndWithTheToken: who is let in no more follows no more.
func TestEventsEndWithTheToken(t *testing.T) {
	path, tokens := accessFile(t, [2]string{"ann", ""}, [2]string{"acme-board", "acme"})
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, config(func(c *api.Config) { c.AccessFile = path }), &tide{})
		lines, done := streamed(t.Context(), s, "Authorization", "Bearer "+tokens["acme-board"])
		<-lines
		only, _ := accessFile(t, [2]string{"bob", ""})
		text, err := os.ReadFile(only)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		<-done
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("the stream went on for %s", took)
		}
	})
}

func TestStreamsAreBounded(t *testing.T) {
	path, tokens := accessFile(t, [2]string{"ann", ""}, [2]string{"bob", ""})
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, config(func(c *api.Config) { c.AccessFile, c.PerSecond = path, 1000 }), &tide{})
		ctx, cancel := context.WithCancel(t.Context())
		var ends sync.WaitGroup
		open := func(name string, n int) {
			for range n {
				_, done := streamed(ctx, s, "Authorization", "Bearer "+tokens[name])
				ends.Go(func() { <-done })
			}
			synctest.Wait()
		}
		open("ann", api.StreamsOfOneMax)
		w := do(s, http.MethodGet, "/api/v1/events", "", "Authorization", "Bearer "+tokens["ann"])
		problem(t, w, http.StatusServiceUnavailable)
		if w.Header().Get("Retry-After") != "30" {
			t.Errorf("come again in %q", w.Header().Get("Retry-After"))
		}
		if w := do(s, http.MethodHead, "/api/v1/events", "", "Authorization", "Bearer "+tokens["bob"]); w.Code != http.StatusOK {
			t.Errorf("another holder gets %d", w.Code)
		}
		cancel()
		ends.Wait()
		if w := do(s, http.MethodHead, "/api/v1/events", "", "Authorization", "Bearer "+tokens["ann"]); w.Code != http.StatusOK {
			t.Errorf("after all have ended %d", w.Code)
		}
	})
}
