package api

import (
	"bytes"
	"encoding/json"
	"net/http"

	"tracksource/internal/answer"
)

// signInBytesMax bounds the body of a sign-in.
const signInBytesMax = 4 << 10

// SignIn is what POST /api/v1/session takes.
type SignIn struct {
	Token string `json:"token"`
}

// cookieName is the name of the session's cookie. Under TLS the prefix binds it to
// this host and to TLS, see RFC 6265bis.
func cookieName(r *http.Request) string {
	if r.TLS != nil {
		return "__Host-track_source"
	}
	return "track_source"
}

func (s *Server) setCookie(w http.ResponseWriter, r *http.Request, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(r), Value: value, Path: "/", MaxAge: seconds,
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
}

// signIn turns a token into a session, so that a page need not keep the token.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request, c *call) {
	if s.access.open() {
		s.problem(w, r, &Problem{Title: "Nothing to sign in to", Status: http.StatusConflict, Detail: "there is no access file: everyone at this machine is operator"})
		return
	}
	b, err := readBody(http.MaxBytesReader(w, r.Body, c.route.bodyMax), c.route.bodyMax)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	var in SignIn
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil || dec.More() || in.Token == "" {
		s.problem(w, r, &Problem{Title: "Bad body", Status: http.StatusBadRequest, Detail: `the body must be {"token":"..."}`})
		return
	}
	h, ok := s.access.byToken(in.Token)
	if !ok {
		s.problem(w, r, unauthorized("the token is not one that is let in here"))
		return
	}
	s.endSession(r)
	id, err := s.sessions.begin(h)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.setCookie(w, r, id, int(sessionLife.Seconds()))
	b, err = json.Marshal(answer.ViewerAnswer{Role: h.Role, Partner: h.Partner})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.body(w, r, b, s.compress)
}

// SessionAnswer says who asks, and by what.
type SessionAnswer struct {
	answer.ViewerAnswer
	SignedIn bool `json:"signed_in"` // by a session, and not by a token or because everyone is let in
}

// session tells a page whether there is something to sign out of.
func (s *Server) session(w http.ResponseWriter, r *http.Request, c *call) {
	out := SessionAnswer{answer.ViewerAnswer{Role: c.holder.Role, Partner: c.holder.Partner}, !s.access.open() && r.Header.Get("Authorization") == ""}
	b, err := json.Marshal(out)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.body(w, r, b, s.compress)
}

// signOut ends the session of the request, if there is one.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request, _ *call) {
	s.endSession(r)
	s.setCookie(w, r, "", -1)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) endSession(r *http.Request) {
	if cookie, err := r.Cookie(cookieName(r)); err == nil {
		s.sessions.end(cookie.Value)
	}
}
