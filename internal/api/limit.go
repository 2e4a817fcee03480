package api

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	// rateDefault is how many requests a second a holder may make in the long run,
	// and rateBurst how many seconds of it at once. A team may share one token, each
	// of its pages asks for all of its parts after each change, and what many ask is
	// worked out once.
	rateDefault = 200
	rateBurst   = 4
	// flightsMax bounds the requests of one holder that are under way, which bounds
	// the answers that wait for slow readers.
	flightsMax = 256
	// bucketsMax bounds the holders that are kept apart; those over it share one.
	bucketsMax = 4096

	// answersMax bounds the answers that are computed at once, answerWait how long
	// one waits for its turn, answerTimeout how long it may take.
	answersMax    = 16
	answerWait    = 5 * time.Second
	answerTimeout = 20 * time.Second
	// packagesMax bounds the packages that are put together at once, packageWait how long
	// one waits for its turn, packageTimeout how long it may take: each reads every deal
	// of a book.
	packagesMax    = 1
	packageWait    = 20 * time.Second
	packageTimeout = 3 * time.Minute
	// uploadsMax bounds the bodies that are taken in at once: each may be large.
	uploadsMax = 2
)

// bucket is what one holder may still do: a token bucket, and a bound on what is
// under way.
type bucket struct {
	requests int64 // in thousandths
	at       time.Time
	flights  int
}

// limiter holds each holder to its rate. It is safe for concurrent use.
type limiter struct {
	clock     func() time.Time
	perSecond int64

	mu      sync.Mutex
	buckets map[string]*bucket // guarded by mu
	swept   time.Time          // guarded by mu; when buckets were last looked through
}

func newLimiter(clock func() time.Time, perSecond int) *limiter {
	return &limiter{clock: clock, perSecond: int64(perSecond), buckets: map[string]*bucket{}}
}

func (l *limiter) full() int64 { return l.perSecond * rateBurst * 1000 }

// fill gives a bucket what has come since it was last looked at.
func (l *limiter) fill(b *bucket, now time.Time) {
	if since := now.Sub(b.at).Milliseconds(); since > 0 {
		b.requests = min(l.full(), b.requests+min(since, rateBurst*1000)*l.perSecond)
		b.at = now
	}
}

// enter lets a request of a holder in, whose leave is called once when it is
// through, or says why not.
func (l *limiter) enter(holder string) (leave func(), problem *Problem) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	b := l.bucket(holder, now)
	l.fill(b, now)
	switch {
	case b.flights >= flightsMax:
		return nil, tooMany(fmt.Sprintf("more than %d requests are under way", flightsMax), time.Second)
	case b.requests < 1000:
		short := time.Duration((1000-b.requests+l.perSecond-1)/l.perSecond) * time.Millisecond
		return nil, tooMany(fmt.Sprintf("more than %d requests a second", l.perSecond), short)
	}
	b.requests -= 1000
	b.flights++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		b.flights--
	}, nil
}

// bucket returns the bucket of a holder. The caller holds mu.
func (l *limiter) bucket(holder string, now time.Time) *bucket {
	if b := l.buckets[holder]; b != nil {
		return b
	}
	if len(l.buckets) >= bucketsMax && now.Sub(l.swept) >= time.Second {
		l.swept = now
		for name, b := range l.buckets {
			if l.fill(b, now); b.flights == 0 && b.requests == l.full() {
				delete(l.buckets, name) // as good as a new one
			}
		}
	}
	if len(l.buckets) >= bucketsMax {
		if holder = ""; l.buckets[holder] != nil {
			return l.buckets[holder]
		}
	}
	b := &bucket{requests: l.full(), at: now}
	l.buckets[holder] = b
	return b
}

func tooMany(detail string, retry time.Duration) *Problem {
	return &Problem{Title: "Too many requests", Status: http.StatusTooManyRequests, Detail: detail + "; ask again later", retryAfter: retry}
}

// turns bounds what is done at once.
type turns chan struct{}

// take waits for a turn, at most for wait; give gives it back.
func (t turns) take(ctx context.Context, wait time.Duration) (give func(), problem *Problem) {
	give = func() { <-t }
	select {
	case t <- struct{}{}:
		return give, nil
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	select {
	case t <- struct{}{}:
		return give, nil
	case <-ctx.Done():
		return nil, busy("too many answers are being worked out; ask again later", time.Second)
	}
}
