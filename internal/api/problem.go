package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"tracksource/internal/answer"
	"tracksource/internal/follow"
	"tracksource/internal/past"
)

// Problem is an answer that is none, as RFC 9457 has it. It never repeats what was
// asked, but for the reason why a decision is refused.
type Problem struct {
	Type      string   `json:"type"`                // always about:blank: the status says what it is
	Title     string   `json:"title"`               // for people, the same for each of its kind
	Status    int      `json:"status"`              // the status of the response
	Detail    string   `json:"detail"`              // for people, what to do
	Parameter string   `json:"parameter,omitempty"` // at fault; absent when it is the whole
	Allowed   []string `json:"allowed,omitempty"`   // what there is to choose from
	Reading   *Reading `json:"reading,omitempty"`   // what goes on without its asker; absent when nothing does

	retryAfter time.Duration // more than 0: when to come again
	header     [2]string     // one more header, such as Allow
}

// Reading is how far a reporter is that reads an earlier moment: whoever asks the same
// again finds it further on.
type Reading struct {
	Records string `json:"records"` // that are read, of the moment that is being read now
	AtMost  string `json:"at_most"` // that there are; 0 while nobody knows
}

func (p *Problem) Error() string { return p.Detail }

func unauthorized(detail string) *Problem {
	return &Problem{
		Title: "Not signed in", Status: http.StatusUnauthorized, Detail: detail,
		header: [2]string{"WWW-Authenticate", `Bearer realm="track-source"`},
	}
}

func badParameter(name, detail string, allowed []string) *Problem {
	return &Problem{Title: "Bad query", Status: http.StatusBadRequest, Detail: detail, Parameter: name, Allowed: allowed}
}

func busy(detail string, retry time.Duration) *Problem {
	return &Problem{Title: "Busy", Status: http.StatusServiceUnavailable, Detail: detail, retryAfter: retry}
}

// pastRetry is when who asked for a past that is being read may ask again.
const pastRetry = 5 * time.Second

// problemOf turns an error of an answer into what its asker is told; ok is false
// for one of ours, which it is not told.
func problemOf(err error) (p *Problem, ok bool) {
	if errors.As(err, &p) {
		return p, true
	}
	var refused *answer.Error
	if errors.As(err, &refused) {
		p = badParameter(refused.Parameter, refused.Detail, refused.Allowed)
		if refused.Unknown {
			p.Title, p.Status = "Not found", http.StatusNotFound
		}
		switch refused.Refused {
		case answer.NotRefused:
		case answer.Forbidden:
			p.Title, p.Status = "Not yours to decide", http.StatusForbidden
		case answer.Unusable:
			p.Title, p.Status = "Bad decision", http.StatusUnprocessableEntity
		case answer.Conflict:
			p.Title, p.Status = "Refused", http.StatusConflict
		case answer.NotTaken:
			p.Title, p.Status = "No decisions", http.StatusNotImplemented
		}
		return p, true
	}
	if errors.Is(err, follow.ErrNotRead) {
		return busy(err.Error(), time.Second), true
	}
	var early *past.Busy
	if errors.As(err, &early) {
		p = busy(early.Error(), pastRetry)
		p.Reading = &Reading{strconv.FormatInt(early.Records, 10), strconv.FormatInt(early.AtMost, 10)}
		return p, true
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &Problem{
			Title: "Too large", Status: http.StatusRequestEntityTooLarge,
			Detail: fmt.Sprintf("the body has more than %d bytes", tooLarge.Limit),
		}, true
	}
	return nil, false
}

// problem answers with p.
func (s *Server) problem(w http.ResponseWriter, r *http.Request, p *Problem) {
	p.Type = "about:blank"
	b, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("api: a problem of text does not marshal: %v", err))
	}
	h := w.Header()
	for _, name := range []string{"ETag", "Content-Encoding"} {
		h.Del(name)
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	if p.header[0] != "" {
		h.Set(p.header[0], p.header[1])
	}
	if p.retryAfter > 0 {
		seconds := (p.retryAfter + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	s.deadline(w) // what came before may have used it up
	w.WriteHeader(p.Status)
	s.write(w, r, b)
}

// failed answers for an error.
func (s *Server) failed(w http.ResponseWriter, r *http.Request, err error) {
	if p, ok := problemOf(err); ok {
		if p.Parameter != "" && r.PathValue(p.Parameter) != "" {
			p.Title, p.Status = "Not found", http.StatusNotFound // it is part of the path
		}
		s.problem(w, r, p)
		return
	}
	if r.Context().Err() != nil {
		return // the client is gone or the server stops
	}
	s.cfg.Log.ErrorContext(r.Context(), "request failed", "route", r.Pattern, "err", err)
	s.problem(w, r, &Problem{Title: "Internal error", Status: http.StatusInternalServerError, Detail: "the answer could not be made; the log says why"})
}
