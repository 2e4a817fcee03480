package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tracksource/internal/answer"
	"tracksource/internal/api"
	"tracksource/internal/follow"
	"tracksource/schemas/avro"
)

// post sends a decision as its holder, on top of the campaign of the tests.
func post(s http.Handler, token, path, body string) *httptest.ResponseRecorder {
	headers := []string{"Content-Type", "application/json"}
	if token != "" {
		headers = append(headers, "Authorization", "Bearer "+token)
	}
	return do(s, http.MethodPost, "/api/v1/"+path, body, headers...)
}

// decided is what an answer says of a decision.
func decided(t *testing.T, w *httptest.ResponseRecorder, status int) answer.DecisionAnswer {
	t.Helper()
	if w.Code != status {
		t.Fatalf("%d, want %d: %s", w.Code, status, w.Body)
	}
	conforms(t, "DecisionAnswer", w.Body.Bytes())
	var a answer.DecisionAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestDispute: a dispute is opened once, by a partner that sees the deal, withdrawn by
// that partner alone, and what it says of the others is nothing.
func TestDispute(t *testing.T) {
	path, tokens := accessFile(t, [2]string{"operator", ""}, [2]string{"open", "corp"}, [2]string{"own", "blue"})
	s := filled(t, func(c *api.Config) { c.AccessFile = path })
	first := decided(t, post(s, tokens["own"], "disputes", disputed("acme/salesforce/opportunity/D-shared", "credit", "corp")), http.StatusCreated)
	if first.State != answer.DecisionAccepted || first.Kind != "dispute" || len(first.ID) != 32 || first.Campaign != summit {
		t.Errorf("the answer is %+v", first)
	}
	for what, c := range map[string]struct {
		who, path, body string
		status          int
		says            string
	}{
		"twice":                        {"own", "disputes", disputed("D-shared", "sourcing", ""), 409, "withdraw it first"},
		"its own credit":               {"open", "disputes", disputed("D-shared", "credit", "corp"), 409, "nobody disputes its own credit"},
		"against a stranger":           {"open", "disputes", disputed("D-shared", "credit", "zeta"), 409, "write a signatory"},
		"an id that others have":       {"open", "disputes", `{"id":"made-by-acme",` + disputed("D-shared", "credit", "acme")[1:], 409, "of another dispute"},
		"a deal that there is not":     {"own", "disputes", disputed("D-sha", "credit", "corp"), 404, "no such deal"},
		"about nothing":                {"open", "disputes", disputed("D-shared", "weather", ""), 422, "no such about"},
		"by a person":                  {"open", "disputes", `{"deal":"D-shared","about":"sourcing","against":"","by":"ann@corp.example","why":"so"}`, 422, "office"},
		"without a reason":             {"open", "disputes", `{"deal":"D-shared","about":"sourcing","against":"","by":"RevOps","why":" "}`, 422, "why"},
		"of another":                   {"open", "disputes/" + first.ID + "/withdrawal", because, 404, "no such dispute"},
		"resolved by a partner":        {"own", "disputes/" + first.ID + "/resolution", `{"outcome":"rejected","to":"",` + because[1:], 403, "operator"},
		"resolved to nobody":           {"operator", "disputes/" + first.ID + "/resolution", `{"outcome":"upheld","to":"",` + because[1:], 409, "write a signatory"},
		"withdrawn for another":        {"operator", "disputes/" + first.ID + "/withdrawal?partner=corp", because, 404, "no such dispute"},
		"withdrawn by a stranger":      {"operator", "disputes/" + first.ID + "/withdrawal?partner=zeta", because, 422, "signatories"},
		"of a proposal that is no one": {"own", "disputes?campaign=summit~proposed", disputed("D-shared", "sourcing", ""), 400, "no such campaign"},
	} {
		p := problem(t, post(s, tokens[c.who], c.path, c.body), c.status)
		if c.says == "no such deal" && (p.Parameter != "deal" || len(p.Allowed) != 1) {
			t.Errorf("%s: %+v", what, p)
		}
		if !strings.Contains(p.Detail, c.says) || strings.Contains(p.Detail, "D-acme") {
			t.Errorf("%s: %s", what, p.Detail)
		}
	}
	decided(t, post(s, tokens["own"], "disputes/"+first.ID+"/withdrawal", because), http.StatusCreated)
	if p := problem(t, post(s, tokens["own"], "disputes/"+first.ID+"/withdrawal", `{"by":"Legal","why":"once more"}`), http.StatusConflict); !strings.Contains(p.Detail, "withdrawn since") {
		t.Errorf("withdrawn twice: %s", p.Detail)
	}
	second := decided(t, post(s, tokens["own"], "disputes", disputed("D-shared", "credit", "acme")), http.StatusCreated)
	decided(t, post(s, tokens["operator"], "disputes/"+second.ID+"/resolution", `{"outcome":"upheld","to":"blue",`+because[1:]), http.StatusCreated)
}

// TestDisputeOfWhatIsClosed: what a closed period has cannot be disputed, and what is
// still open of the same deal can.
func TestDisputeOfWhatIsClosed(t *testing.T) {
	s := filled(t)
	closing := func(day string) {
		decided(t, post(s, "", "periods", `{"action":"close","day":"`+day+`",`+because[1:]), http.StatusCreated)
	}
	closing("2026-02-18") // the deal was created on this day, and won on the tenth of March
	if p := problem(t, post(s, "", "disputes?partner=blue", disputed("D-shared", "sourcing", "")), http.StatusConflict); !strings.Contains(p.Detail, "closed until 2026-02-18") {
		t.Errorf("who sourced what is closed: %s", p.Detail)
	}
	decided(t, post(s, "", "disputes?partner=blue", disputed("D-shared", "credit", "corp")), http.StatusCreated)
	closing("2026-03-10")
	if p := problem(t, post(s, "", "disputes?partner=corp", disputed("D-shared", "credit", "blue")), http.StatusConflict); !strings.Contains(p.Detail, "opened again first") {
		t.Errorf("a credit that is closed: %s", p.Detail)
	}
	if p := problem(t, post(s, "", "periods", `{"action":"close","day":"2026-03-12",`+because[1:]), http.StatusConflict); !strings.Contains(p.Detail, "is not over") {
		t.Errorf("a day that is not over: %s", p.Detail)
	}
}

// TestStrictDecisions: a body says what it has to and nothing else, in JSON, of a
// bounded size, and no other site can have a browser send it.
func TestStrictDecisions(t *testing.T) {
	s := filled(t)
	for what, body := range map[string]string{
		"a member that there is not": `{"score":"8","partner":"blue",` + because[1:], "two objects": `{"score":"8",` + because[1:] + "{}",
		"a list": "[]", "a number for text": `{"score":8,` + because[1:], "nothing": "", "half an object": `{"score":"8"`,
	} {
		if p := problem(t, post(s, "", "surveys?partner=blue", body), http.StatusBadRequest); p.Title != "Bad body" {
			t.Errorf("%s: %+v", what, p)
		}
	}
	problem(t, post(s, "", "surveys?partner=blue", `{"score":"8","by":"x","why":"`+strings.Repeat("long ", 4000)+`"}`), http.StatusRequestEntityTooLarge)
	problem(t, do(s, http.MethodPost, "/api/v1/surveys?partner=blue", because, "Content-Type", "text/plain"), http.StatusUnsupportedMediaType)
	problem(t, do(s, http.MethodPost, "/api/v1/surveys?partner=blue", because, "Content-Type", "application/json", "Sec-Fetch-Site", "cross-site"), http.StatusForbidden)
	problem(t, post(s, "", "surveys?partner=blue", `{"score":"10.5",`+because[1:]), http.StatusConflict)
}

// TestVerdict: what became of a decision is told as far as it is known: refused by what
// came between, not known yet, not written, not taken here. Nothing of it is in the log.
func TestVerdict(t *testing.T) {
	const body = `{"score":"7.5","by":"Office of the secret","why":"the secret of it"}`
	closing := avro.Control{Kind: "period", Period: &avro.PeriodRecord{Campaign: summit, Action: "close", Day: "2026-03-11", By: "Controlling", Why: "so", At: noon().AddDate(0, 0, 2)}}
	var log bytes.Buffer
	var write func(context.Context, avro.Control) error
	var real func(context.Context, avro.Control) error
	served := func(w *world, f *follow.Follow) func(context.Context, avro.Control) error {
		real = w.decider(f)
		return func(ctx context.Context, c avro.Control) error { return write(ctx, c) }
	}
	s := filledBy(t, served, func(c *api.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })

	write = func(ctx context.Context, c avro.Control) error { // another closes more, first
		if err := real(ctx, closing); err != nil {
			return err
		}
		return real(ctx, c)
	}
	if p := problem(t, post(s, "", "periods", `{"action":"close","day":"2026-03-01",`+because[1:]), http.StatusConflict); !strings.Contains(p.Detail, "closed already") {
		t.Errorf("refused by what came between: %s", p.Detail)
	}
	ctx, leave := context.WithCancel(t.Context())
	write = func(context.Context, avro.Control) error { leave(); return nil } // nothing reads it
	r := httptest.NewRequest(http.MethodPost, "/api/v1/surveys?partner=blue", strings.NewReader(body)).WithContext(ctx)
	r.Host = "localhost"
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if a := decided(t, w, http.StatusAccepted); a.State != answer.DecisionPending {
		t.Errorf("not known yet: %+v", a)
	}
	write = func(context.Context, avro.Control) error { return errors.New("the broker is away") }
	if p := problem(t, post(s, "", "surveys?partner=blue", body), http.StatusServiceUnavailable); p.Title != "Not written" {
		t.Errorf("not written: %+v", p)
	}
	if !strings.Contains(log.String(), "the broker is away") || strings.Contains(log.String(), "secret") {
		t.Errorf("the log says %s", &log)
	}
	none := filledBy(t, func(*world, *follow.Follow) func(context.Context, avro.Control) error { return nil })
	problem(t, post(none, "", "surveys?partner=blue", body), http.StatusNotImplemented)
}

// TestPageOfDecisions: what is decided through a session is decided for the holder of
// its token.
func TestPageOfDecisions(t *testing.T) {
	path, tokens := accessFile(t, [2]string{"own", "blue"})
	var spoke string
	s := filledBy(t, func(w *world, f *follow.Follow) func(context.Context, avro.Control) error {
		write := w.decider(f)
		return func(ctx context.Context, c avro.Control) error { spoke = c.Survey.Partner; return write(ctx, c) }
	}, func(c *api.Config) { c.AccessFile = path })
	in := do(s, http.MethodPost, "/api/v1/session", `{"token":"`+tokens["own"]+`"}`, "Content-Type", "application/json")
	cookie := in.Result().Cookies()[0]
	headers := []string{"Content-Type", "application/json", "Cookie", cookie.Name + "=" + cookie.Value, "Sec-Fetch-Site", "same-origin"}
	decided(t, do(s, http.MethodPost, "/api/v1/surveys", `{"score":"9",`+because[1:], headers...), http.StatusCreated)
	if spoke != "blue" {
		t.Errorf("it was said by %q", spoke)
	}
	headers[len(headers)-1] = "same-site"
	problem(t, do(s, http.MethodPost, "/api/v1/surveys", `{"score":"9",`+because[1:], headers...), http.StatusForbidden)
}

// TestApproval: who is asked to approve a proposed revision says its word to the very
// document that stands, and so does a partner that only the proposal names, by its book.
func TestApproval(t *testing.T) {
	path, tokens := accessFile(t, [2]string{"open", "corp"}, [2]string{"stranger", "zeta"})
	document := terms(summit, partner("acme", "host", "open"), partner("blue", "partner", "own"), partner("corp", "partner", "open"), partner("zeta", "partner", "own")) +
		"approvals: {revision: [corp, zeta]}\n"
	sum := sha256.Sum256([]byte(document))
	standing := hex.EncodeToString(sum[:])
	s := filledBy(t, func(w *world, f *follow.Follow) func(context.Context, avro.Control) error {
		write := w.decider(f)
		if err := write(t.Context(), avro.Control{Kind: "contract", Contract: &avro.ContractRecord{
			Campaign: summit, Revision: 2, Previous: 1, Document: document, Hash: standing, Proposed: true, RecordedAt: noon(),
		}}); err != nil {
			t.Fatal(err)
		}
		return write
	}, func(c *api.Config) { c.AccessFile = path })
	word := func(hash string) string {
		return `{"of":"revision","revision":2,"hash":"` + hash + `","day":"","decision":"approved",` + because[1:]
	}
	if p := problem(t, post(s, tokens["open"], "approvals", word(hash)), http.StatusConflict); !strings.Contains(p.Detail, "stale") {
		t.Errorf("a document that does not stand: %s", p.Detail)
	}
	decided(t, post(s, tokens["open"], "approvals", word(standing)), http.StatusCreated)
	problem(t, post(s, tokens["stranger"], "approvals?campaign=summit", word(standing)), http.StatusBadRequest)
	decided(t, post(s, tokens["stranger"], "approvals?campaign=summit~proposed", word(standing)), http.StatusCreated)
	problem(t, post(s, tokens["stranger"], "surveys?campaign=summit~proposed", `{"score":"8",`+because[1:]), http.StatusUnprocessableEntity)
	if p := problem(t, post(s, tokens["open"], "approvals", `{"of":"reopen","revision":0,"hash":"","day":"2026-03-01","decision":"approved",`+because[1:]), http.StatusConflict); !strings.Contains(p.Detail, "nothing of summit is closed") {
		t.Errorf("opening what is open: %s", p.Detail)
	}
}
