package api

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	// eventEvery is the least time between two change events of one client, so
	// that a busy table does not make every page ask without end.
	eventEvery = 250 * time.Millisecond
	// eventGather is what a change after quiet is held for others to join it: one event
	// of the line changes facts, then the ledger, then rows. Said of the first of them,
	// a page would ask for what is not there yet, and hear of the last one only
	// eventEvery later.
	eventGather = 80 * time.Millisecond
	// heartbeatEvery keeps proxies from closing a quiet stream, and finds clients
	// that are gone, and holders that are let in no more.
	heartbeatEvery = 15 * time.Second
	// streamsMax bounds the open event streams, streamsOfOneMax those of one holder.
	streamsMax      = 512
	streamsOfOneMax = 128
)

// streams counts the open event streams. It is safe for concurrent use.
type streams struct {
	mu  sync.Mutex
	all int            // guarded by mu
	of  map[string]int // guarded by mu; by holder
}

func newStreams() *streams { return &streams{of: map[string]int{}} }

// open takes a place, which close gives back, or says why there is none.
func (s *streams) open(holder string) (closing func(), problem *Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.all >= streamsMax:
		return nil, busy(fmt.Sprintf("%d pages follow this server; try again later", streamsMax), 30*time.Second)
	case s.of[holder] >= streamsOfOneMax:
		return nil, busy(fmt.Sprintf("%d pages follow with this token; try again later", streamsOfOneMax), 30*time.Second)
	}
	s.all++
	s.of[holder]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.of[holder]--; s.of[holder] == 0 {
			delete(s.of, holder)
		}
	}, nil
}

// events streams a tick for every change: one at once, then at most four a second, each
// of all changes that came together, with heartbeats while nothing changes. See
// https://html.spec.whatwg.org/multipage/server-sent-events.html.
func (s *Server) events(w http.ResponseWriter, r *http.Request, c *call) {
	closing, problem := s.streams.open(c.holder.Name)
	if problem != nil {
		s.problem(w, r, problem)
		return
	}
	defer closing()
	s.cfg.Metrics.streams.Inc()
	defer s.cfg.Metrics.streams.Dec()
	w.Header().Set("Content-Type", typeStream)
	w.Header().Set("X-Accel-Buffering", "no")
	if r.Method == http.MethodHead {
		return
	}
	// The deadline for reading the request would else cancel the stream: net/http
	// goes on reading, to see whether the client is still there.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	heartbeat := time.NewTicker(heartbeatEvery)
	defer heartbeat.Stop()
	sent := false
	var last uint64
	for {
		version, changed := s.cfg.Changes.Version()
		if !sent || version != last {
			if !s.send(w, fmt.Sprintf("event: change\ndata: {\"version\":%d}\n\n", version)) {
				return
			}
			sent, last = true, version
			if !pause(r.Context(), eventEvery) {
				return
			}
			continue
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
			if !pause(r.Context(), eventGather) {
				return
			}
		case <-heartbeat.C:
			if _, problem := s.identify(r); problem != nil || !s.send(w, ": heartbeat\n\n") {
				return
			}
		}
	}
}

// pause reports whether the context lasts for so long.
func pause(ctx context.Context, wait time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}

// send writes a part of a stream and reports whether the client is still there.
func (s *Server) send(w http.ResponseWriter, text string) bool {
	s.deadline(w)
	if _, err := w.Write([]byte(text)); err != nil {
		return false
	}
	return http.NewResponseController(w).Flush() == nil
}
