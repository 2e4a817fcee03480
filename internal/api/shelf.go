package api

import (
	"context"
	"errors"
	"sync"
)

const (
	// shelfBytesMax and shelfMax bound the answers that are kept, compressed ones
	// included. A page asks for few, all pages of one viewer for the same.
	shelfBytesMax = 64 << 20
	shelfMax      = 1024
)

// shelf keeps answers by their tags, so that what many look at is worked out once
// for all of them: whoever asks while it is worked out waits for it. A tag names the
// viewer, so nobody is given another's. It is safe for concurrent use.
type shelf struct {
	mu    sync.Mutex
	of    map[string]*shelved // guarded by mu
	order []string            // guarded by mu; of those that are done, the oldest first
	bytes int                 // guarded by mu
}

// shelved is one answer. Before done is closed only its maker looks at it.
type shelved struct {
	done chan struct{}
	body []byte
	err  error

	pressing sync.Once
	pressed  []byte // body, compressed
}

func newShelf() *shelf { return &shelf{of: map[string]*shelved{}} }

// get returns the answer of a tag, made by work unless it is there or being made.
// An error is kept for those who wait for it alone; who waited for somebody who left
// makes it anew.
func (s *shelf) get(ctx context.Context, tag string, work func() ([]byte, error)) (*shelved, error) {
	for {
		s.mu.Lock()
		a := s.of[tag]
		if a == nil {
			a = &shelved{done: make(chan struct{})}
			s.of[tag] = a
			s.mu.Unlock()
			s.finish(tag, a, work)
			return a, a.err
		}
		s.mu.Unlock()
		select {
		case <-a.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !errors.Is(a.err, context.Canceled) {
			return a, a.err
		}
	}
}

// finish makes an answer; one whose making panics is finished as well.
func (s *shelf) finish(tag string, a *shelved, work func() ([]byte, error)) {
	a.err = errors.New("the answer was not finished")
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		close(a.done)
		if a.err != nil {
			delete(s.of, tag)
			return
		}
		s.order = append(s.order, tag)
		s.bytes += len(a.body)
		s.trim()
	}()
	a.body, a.err = work()
}

// trim drops the oldest answers until the bounds hold. The caller holds mu.
func (s *shelf) trim() {
	for len(s.order) > 0 && (s.bytes > shelfBytesMax || len(s.order) > shelfMax) {
		first := s.of[s.order[0]]
		s.bytes -= len(first.body) + len(first.pressed)
		delete(s.of, s.order[0])
		s.order = s.order[1:]
	}
}

// press returns the answer of a tag, compressed, which is done once.
func (s *shelf) press(tag string, a *shelved, compress func([]byte) []byte) []byte {
	a.pressing.Do(func() {
		pressed := compress(a.body)
		s.mu.Lock()
		defer s.mu.Unlock()
		a.pressed = pressed
		if s.of[tag] == a {
			s.bytes += len(pressed)
			s.trim()
		}
	})
	return a.pressed
}
