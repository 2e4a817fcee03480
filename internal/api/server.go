package api

import (
	"cmp"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"tracksource/report"
)

// Changes says which version of the followed topics answers are of, and how stale
// that is. Both are safe for concurrent use.
type Changes interface {
	// Version counts changes, and returns a channel that is closed by the next one.
	Version() (uint64, <-chan struct{})
	// Behind is how far the topics are ahead, and why.
	Behind() (age time.Duration, why string)
}

// Config describes a Server. Changes, Log and Clock are required.
type Config struct {
	Changes Changes
	Page    fs.FS // index.html and what it loads, nil: no page
	// AccessFile names who is let in. Empty: everyone is operator, and only this
	// machine is served.
	AccessFile string
	// TLSCert and TLSKey are files in PEM; both or none.
	TLSCert, TLSKey string
	// PerSecond is how many requests a holder of a token may make; 0: 200.
	PerSecond int
	// Eager has the process collect its garbage eagerly until done is called, while a
	// package is put together, which uses more memory than all other answers; nil: as
	// always.
	Eager   func() (done func())
	Log     *slog.Logger
	Clock   func() time.Time
	Metrics *Metrics // nil: none
}

// Server answers over HTTP, and takes decisions. What it shows to whom, and whose
// decisions they are, the answers decide by the viewer that it finds.
type Server struct {
	cfg      Config
	access   *access
	sessions *sessions
	limits   *limiter
	answers  turns
	uploads  turns
	packages turns
	// decisions bounds those that are under way.
	decisions turns
	streams   *streams
	shelf     *shelf
	assets    map[string]asset
	routes    map[string][]*route // by path pattern
	// boot tells this process's versions from those of the one before it, which
	// counted from zero as well.
	boot  string
	gzips sync.Pool // of *gzip.Writer
	// foreign refuses what another site makes a browser send. See
	// https://pkg.go.dev/net/http#CrossOriginProtection.
	foreign *http.CrossOriginProtection
	handler http.Handler
}

// build makes a server of a table of routes.
func build(cfg Config, table []route) (*Server, error) {
	if cfg.Changes == nil || cfg.Log == nil || cfg.Clock == nil {
		return nil, errors.New("api: Config needs Changes, Log and Clock")
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	var boot [8]byte
	if _, err := rand.Read(boot[:]); err != nil {
		return nil, fmt.Errorf("draw boot id: %w", err)
	}
	s := &Server{
		cfg: cfg, sessions: newSessions(cfg.Clock), streams: newStreams(), shelf: newShelf(),
		limits:  newLimiter(cfg.Clock, cmp.Or(cfg.PerSecond, rateDefault)),
		answers: make(turns, answersMax), uploads: make(turns, uploadsMax), packages: make(turns, packagesMax), decisions: make(turns, decisionsMax),
		routes: map[string][]*route{}, boot: hex.EncodeToString(boot[:]), foreign: http.NewCrossOriginProtection(),
		gzips: sync.Pool{New: func() any { return gzip.NewWriter(nil) }},
	}
	var err error
	if s.access, err = openAccess(cfg.AccessFile, cfg.Clock, s.accessRead); err != nil {
		return nil, err
	}
	if s.assets, err = loadAssets(cfg.Page); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for i := range table {
		r := &table[i]
		s.routes[r.path] = append(s.routes[r.path], r)
	}
	for pattern, of := range s.routes {
		mux.Handle(pattern, s.methods(of))
	}
	mux.Handle("/", http.HandlerFunc(s.nothing))
	s.handler = s.guard(mux)
	return s, nil
}

// accessRead is told of every new look into the access file.
func (s *Server) accessRead(err error) {
	outcome := "ok"
	if err != nil {
		outcome = "failed"
		s.cfg.Log.Error("the access file cannot be used; who was let in before still is", "err", err)
	} else {
		s.cfg.Log.Info("access file read")
	}
	s.cfg.Metrics.access.WithLabelValues(outcome).Inc()
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

const (
	// policy lets the page load what this server serves, and nothing else from
	// nowhere.
	policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	// writeTimeout bounds the writing of one answer, or of one event of a stream.
	writeTimeout = 30 * time.Second
)

// guard sets what every answer has, and turns away what is not meant for this
// server.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		s.deadline(w)
		m := &measured{ResponseWriter: w}
		began := s.cfg.Clock()
		defer func() {
			if broken := recover(); broken != nil {
				if err, ok := broken.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(broken)
				}
				s.cfg.Log.ErrorContext(r.Context(), "request panicked", "route", r.Pattern, "panic", fmt.Sprint(broken), "stack", string(debug.Stack()))
				if m.status == 0 {
					s.problem(m, r, &Problem{Title: "Internal error", Status: http.StatusInternalServerError, Detail: "the answer could not be made; the log says why"})
				}
			}
			s.cfg.Metrics.answered(r.Pattern, m.status, s.cfg.Clock().Sub(began), h.Get("Content-Type") == typeStream)
		}()
		if s.access.open() && !loopbackHost(r.Host) {
			// A page of another site can point a name of its own at this machine; the
			// browser then takes this server for that site. The name gives it away.
			s.problem(m, r, &Problem{
				Title: "Misdirected", Status: http.StatusMisdirectedRequest,
				Detail: "without an access file this server answers only at localhost or a loopback address",
			})
			return
		}
		if r.URL.Path != path.Clean(r.URL.Path) {
			s.nothing(m, r) // the mux would lead to the clean path, and repeat it
			return
		}
		if err := s.foreign.Check(r); err != nil {
			s.problem(m, r, &Problem{Title: "Cross-origin request", Status: http.StatusForbidden, Detail: "another site may not send this"})
			return
		}
		next.ServeHTTP(m, r)
	})
}

// loopbackHost reports whether a Host header names this machine.
func loopbackHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if strings.EqualFold(strings.TrimSuffix(name, "."), "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"))
	return err == nil && addr.Unmap().IsLoopback()
}

// deadline gives the next write its time. A writer that has no deadlines, as in
// tests, goes without.
func (s *Server) deadline(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(s.cfg.Clock().Add(writeTimeout))
}

// methods answers at one path.
func (s *Server) methods(of []*route) http.Handler {
	var allow []string
	for _, r := range of {
		if allow = append(allow, r.method); r.method == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	slices.Sort(allow)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		i := slices.IndexFunc(of, func(route *route) bool { return route.method == method })
		if i < 0 {
			s.problem(w, r, &Problem{
				Title: "Method not allowed", Status: http.StatusMethodNotAllowed, Detail: "this endpoint takes the methods of allowed",
				Allowed: allow, header: [2]string{"Allow", strings.Join(allow, ", ")},
			})
			return
		}
		s.answer(w, r, of[i])
	})
}

// nothing answers where there is nothing.
func (s *Server) nothing(w http.ResponseWriter, r *http.Request) {
	var paths []string
	for pattern := range s.routes {
		paths = append(paths, strings.TrimSuffix(pattern, "{$}"))
	}
	slices.Sort(paths)
	s.problem(w, r, &Problem{Title: "Not found", Status: http.StatusNotFound, Detail: "there is nothing at this path; allowed lists what there is", Allowed: paths})
}

// answer lets a request in by its route's rules and answers it.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, route *route) {
	c := &call{route: route}
	holder, problem := s.identify(r)
	if problem != nil && route.who == signedIn {
		// Whoever guesses tokens is held to a rate as well, by where he is.
		if leave, over := s.limits.enter(remote(r)); over == nil {
			leave()
		} else {
			problem = over
		}
		s.problem(w, r, problem)
		return
	}
	name := remote(r)
	if problem == nil {
		c.holder, c.viewer, name = holder, holder.viewer(), "token "+holder.Name
	}
	if !route.file { // a file costs nothing, and a page asks for many
		leave, problem := s.limits.enter(name)
		if problem != nil {
			s.problem(w, r, problem)
			return
		}
		if route.stream {
			leave() // a stream is long; streams have a bound of their own
		} else {
			defer leave()
		}
	}
	if !route.hidden { // what a page's address says is the page's to read
		if c.values, problem = parseQuery(r.URL.RawQuery, route.parameters); problem != nil {
			s.problem(w, r, problem)
			return
		}
	}
	if problem = route.checkBody(r); problem != nil {
		s.problem(w, r, problem)
		return
	}
	if route.serve != nil {
		route.serve(s, w, r, c)
		return
	}
	s.ask(w, r, c)
}

// remote names who asks without a token: an address, or the network that one
// subscriber has of IPv6 addresses.
func remote(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return "address"
	}
	addr := at.Addr().Unmap()
	if addr.Is6() {
		if network, err := addr.WithZone("").Prefix(64); err == nil {
			return "address " + network.String()
		}
	}
	return "address " + addr.String()
}

// everyone is the holder of all requests when there is no access file.
func everyone() holder { return holder{Grant: Grant{Name: RoleOperator, Role: RoleOperator}} }

// identify finds the holder of a request's token or session. A token that is
// wrong is not made good by a session.
func (s *Server) identify(r *http.Request) (holder, *Problem) {
	if s.access.open() {
		return everyone(), nil
	}
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if strings.EqualFold(scheme, "Bearer") {
			if h, ok := s.access.byToken(token); ok {
				return h, nil
			}
		}
		return holder{}, unauthorized("the token is not one that is let in here")
	}
	if cookie, err := r.Cookie(cookieName(r)); err == nil {
		if sum, ok := s.sessions.token(cookie.Value); ok {
			if h, ok := bySum(s.access.current(), sum); ok {
				return h, nil
			}
		}
		return holder{}, unauthorized("the session is over; sign in again")
	}
	return holder{}, unauthorized("send a token as Authorization: Bearer TOKEN, or sign in on the page")
}

// call is one request that was let in.
type call struct {
	route  *route
	holder holder
	viewer report.Viewer
	values values
}

// checkBody judges the type of the body that a route takes. Requests with those
// types cannot be made by a form of another site.
func (route *route) checkBody(r *http.Request) *Problem {
	if route.body == "" {
		return nil
	}
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || got != route.body {
		return &Problem{
			Title: "Unsupported media type", Status: http.StatusUnsupportedMediaType,
			Detail: "send a body of the type of allowed, named in Content-Type", Allowed: []string{route.body},
		}
	}
	return nil
}

// ask answers a question.
func (s *Server) ask(w http.ResponseWriter, r *http.Request, c *call) {
	if !c.route.tagged {
		b, err := s.work(w, r, c)
		if err != nil {
			s.failed(w, r, err)
			return
		}
		s.body(w, r, b, s.compress)
		return
	}
	// The version is read before the answer is worked out, so that an answer never
	// goes under a version that is newer than it.
	tag := s.tag(r, c)
	h := w.Header()
	h.Set("Cache-Control", "private, no-cache") // kept, and asked for again
	h.Set("Vary", "Authorization, Cookie, Accept-Encoding")
	h.Set("ETag", tag)
	if matches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	a, err := s.shelf.get(r.Context(), tag, func() ([]byte, error) { return s.work(w, r, c) })
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.body(w, r, a.body, func([]byte) []byte { return s.shelf.press(tag, a, s.compress) })
}

// work works an answer out, in its turn.
func (s *Server) work(w http.ResponseWriter, r *http.Request, c *call) ([]byte, error) {
	body := r.Body
	if c.route.bodyMax > 0 {
		give, problem := s.uploads.take(r.Context(), answerWait)
		if problem != nil {
			return nil, problem
		}
		defer give()
		body = http.MaxBytesReader(w, r.Body, c.route.bodyMax)
		_ = http.NewResponseController(w).SetReadDeadline(s.cfg.Clock().Add(uploadTimeout))
		s.deadline(w)
	}
	question := c.question(r)
	upload, err := readBody(body, c.route.bodyMax)
	if err != nil {
		return nil, err
	}
	of, wait, timeout := s.answers, answerWait, answerTimeout
	if c.route.large {
		of, wait, timeout = s.packages, packageWait, packageTimeout
		// A connection whose time to be read from is over ends the request as if its
		// client had left, and one whose time to be written to is over is closed.
		until := s.cfg.Clock().Add(wait + timeout + writeTimeout)
		_ = http.NewResponseController(w).SetReadDeadline(until)
		_ = http.NewResponseController(w).SetWriteDeadline(until)
	}
	give, problem := of.take(r.Context(), wait)
	if problem != nil {
		return nil, problem
	}
	defer give()
	if c.route.large && s.cfg.Eager != nil {
		defer s.cfg.Eager()()
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	got, err := c.route.ask(ctx, c.viewer, question, upload)
	if err != nil {
		if ctx.Err() != nil && r.Context().Err() == nil {
			return nil, busy("the answer took too long; ask for less, or again later", 5*time.Second)
		}
		return nil, err
	}
	b, err := json.Marshal(got)
	if err != nil {
		return nil, fmt.Errorf("write answer: %w", err)
	}
	return b, nil
}
