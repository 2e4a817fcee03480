package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"time"

	"tracksource/internal/answer"
	"tracksource/report"
)

const (
	// decisionBytesMax bounds the body of a decision: reasons have at most a thousand
	// bytes.
	decisionBytesMax = 16 << 10
	// decisionsMax bounds the decisions that are under way at once. They wait for their
	// verdict, and must not keep answers from being worked out meanwhile.
	decisionsMax = 32
	// decisionTimeout bounds how long one takes, with the wait for its verdict.
	decisionTimeout = 15 * time.Second
)

// decideFunc takes one decision of a viewer.
type decideFunc func(ctx context.Context, v report.Viewer, q answer.Query, body []byte) (answer.DecisionAnswer, error)

// decision is the route of one kind of decision, whose body is a B.
func decision[B any](path, summary string, fn func(context.Context, report.Viewer, answer.Query, B) (answer.DecisionAnswer, error), parameters ...[]parameter) route {
	take := func(ctx context.Context, v report.Viewer, q answer.Query, body []byte) (answer.DecisionAnswer, error) {
		var b B
		if problem := strictBody(body, &b); problem != nil {
			return answer.DecisionAnswer{}, problem
		}
		return fn(ctx, v, q, b)
	}
	return route{
		method: http.MethodPost, path: path, summary: summary, parameters: slices.Concat(parameters...), decides: true,
		body: typeJSON, bodyMax: decisionBytesMax, upload: reflect.TypeFor[B](), answer: reflect.TypeFor[answer.DecisionAnswer](),
		serve: func(s *Server, w http.ResponseWriter, r *http.Request, c *call) { s.decide(w, r, c, take) },
	}
}

// strictBody reads one JSON object with the members of its type alone.
func strictBody(body []byte, to any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err == nil {
		if _, err = dec.Token(); err == io.EOF {
			return nil
		}
	}
	return &Problem{Title: "Bad body", Status: http.StatusBadRequest, Detail: "the body must be one JSON object with the members that the document has, and no others"}
}

// spokenFor is the parameter by which the operator says for whom it decides.
func spokenFor() []parameter {
	return []parameter{{name: "partner", about: "The partner for whom the operator says it. A partner speaks for itself, and leaves it out."}}
}

// decisions are the routes by which signatories decide.
func decisions(a *answer.Answers) []route {
	return []route{
		decision("/api/v1/disputes", "Dispute who sourced a deal, or what a partner is credited with of it: what is disputed is in escrow until it is settled.", a.OpenDispute, campaign(), spokenFor()),
		decision("/api/v1/disputes/{dispute}/withdrawal", "Take your own dispute back.", a.WithdrawDispute, campaign(), spokenFor()),
		decision("/api/v1/disputes/{dispute}/resolution", "Settle a dispute. The operator's, for the governance board.", a.ResolveDispute, campaign()),
		decision("/api/v1/approvals", "Approve or refuse a proposed revision of the contract, or opening a closed period again.", a.Approve, campaign(), spokenFor()),
		decision("/api/v1/periods", "Close all days up to one, or open those from one on again. The operator's.", a.ClosePeriod, campaign()),
		decision("/api/v1/signatures", "Approve or dispute a reporting package.", a.Sign, campaign(), spokenFor()),
		decision("/api/v1/acknowledgements", "Take an alert on.", a.Acknowledge, campaign(), spokenFor()),
		decision("/api/v1/surveys", "Record how content a partner is with the numbers.", a.RecordSurvey, campaign(), spokenFor()),
	}
}

// decide takes a decision: 201 when it was accepted, 202 when it was written and it is
// not known yet what became of it. What is decided is in no log.
func (s *Server) decide(w http.ResponseWriter, r *http.Request, c *call, take decideFunc) {
	give, problem := s.decisions.take(r.Context(), answerWait)
	if problem != nil {
		s.problem(w, r, problem)
		return
	}
	defer give()
	question := c.question(r)
	body, err := readBody(http.MaxBytesReader(w, r.Body, c.route.bodyMax), c.route.bodyMax)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), decisionTimeout)
	defer cancel()
	out, err := take(ctx, c.viewer, question, body)
	if errors.Is(err, answer.ErrUnwritten) {
		s.cfg.Log.ErrorContext(r.Context(), "decision not written", "route", r.Pattern, "err", err)
		err = &Problem{
			Title: "Not written", Status: http.StatusServiceUnavailable,
			Detail: "the decision could not be written, and it is not known whether it was: look before you send it again",
		}
	}
	if err != nil {
		s.failed(w, r, err)
		return
	}
	b, err := json.Marshal(out)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	w.Header().Set("Content-Type", typeJSON)
	if out.State == answer.DecisionPending {
		w.WriteHeader(http.StatusAccepted)
	} else {
		w.WriteHeader(http.StatusCreated)
	}
	s.write(w, r, b)
}
