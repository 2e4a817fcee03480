package reporter

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

//go:embed web
var web embed.FS

const (
	// eventEvery is the least time between two change events of one client, so
	// that a busy table does not make every page ask without end.
	eventEvery = 250 * time.Millisecond
	// heartbeatEvery keeps proxies from closing a quiet stream, and finds clients
	// that are gone.
	heartbeatEvery = 15 * time.Second
	// streamsMax bounds the open event streams.
	streamsMax = 256
	// writeTimeout bounds one answer, or one event of a stream.
	writeTimeout = 30 * time.Second
)

// ServerConfig describes a Server. View, Log and Clock are required.
type ServerConfig struct {
	View      *View
	Log       *slog.Logger
	Clock     func() time.Time
	Campaigns func() []string                        // known beside those with rows; may be nil
	Status    func(ctx context.Context) (any, error) // what GET /api/status gives; may be nil
}

// server serves the page and what it asks for.
type server struct {
	cfg     ServerConfig
	streams chan struct{}
	assets  map[string]asset
}

// asset is one embedded file.
type asset struct {
	body        []byte
	contentType string
	etag        string
}

// Server returns the handler of the page, its assets and its API. It reads
// only; whoever can reach it sees all contributions, so it belongs behind
// whatever decides who may.
func Server(cfg ServerConfig) (http.Handler, error) {
	if cfg.View == nil || cfg.Log == nil || cfg.Clock == nil {
		return nil, errors.New("reporter: ServerConfig needs View, Log and Clock")
	}
	s := &server{cfg: cfg, streams: make(chan struct{}, streamsMax), assets: map[string]asset{}}
	if err := s.load(); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { s.asset(w, r, "index.html") })
	mux.HandleFunc("GET /assets/{name}", func(w http.ResponseWriter, r *http.Request) { s.asset(w, r, r.PathValue("name")) })
	mux.HandleFunc("GET /api/contributions", s.contributions)
	mux.HandleFunc("GET /api/events", s.events)
	mux.HandleFunc("GET /api/status", s.status)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			s.problem(w, r, http.StatusMethodNotAllowed, problem{Title: "Method not allowed", Detail: "this server is only read from"})
			return
		}
		s.problem(w, r, http.StatusNotFound, problem{
			Title: "Not found", Detail: "there is nothing at this path",
			Allowed: []string{"/", "/api/contributions", "/api/events", "/api/status"},
		})
	})
	return s.guard(mux), nil
}

// load reads the embedded files.
func (s *server) load() error {
	types := map[string]string{
		".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
		".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	}
	return fs.WalkDir(web, "web", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := web.ReadFile(path)
		if err != nil {
			return err
		}
		contentType, ok := types[path[strings.LastIndexByte(path, '.'):]]
		if !ok {
			return fmt.Errorf("embedded file %s has no content type", path)
		}
		sum := sha256.Sum256(body)
		s.assets[d.Name()] = asset{body, contentType, `"` + hex.EncodeToString(sum[:12]) + `"`}
		return nil
	})
}

// NewHTTPServer returns a server for h with the limits that a page on the open
// net needs. Requests end when ctx does, so that Shutdown does not wait for
// event streams. The handler sets its own write deadlines.
func NewHTTPServer(ctx context.Context, h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// shutdownTimeout bounds how long answers that are being written are waited for.
const shutdownTimeout = 5 * time.Second

// Serve serves h on l with the limits of NewHTTPServer until ctx ends, and
// closes l. It returns nil then.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	srv := NewHTTPServer(ctx, h, log)
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	err := srv.Serve(l)
	if ctx.Err() == nil {
		return fmt.Errorf("serve page on %s: %w", l.Addr(), err)
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := srv.Shutdown(drain); err != nil {
		return fmt.Errorf("stop page: %w", errors.Join(err, srv.Close()))
	}
	return nil
}

// guard sets what every answer has, and bounds it.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		s.deadline(w)
		next.ServeHTTP(w, r)
	})
}

// deadline gives the next write its time. A writer that has no deadlines, as in
// tests, goes without.
func (s *server) deadline(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(s.cfg.Clock().Add(writeTimeout))
}

func (s *server) asset(w http.ResponseWriter, r *http.Request, name string) {
	a, ok := s.assets[name]
	if !ok {
		s.problem(w, r, http.StatusNotFound, problem{Title: "Not found", Detail: "there is no such file"})
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", "no-cache") // asked for again, answered by 304
	h.Set("ETag", a.etag)
	if r.Header.Get("If-None-Match") == a.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	s.write(w, r, a.body)
}

func (s *server) contributions(w http.ResponseWriter, r *http.Request) {
	var known []string
	if s.cfg.Campaigns != nil {
		known = s.cfg.Campaigns()
	}
	choices, err := s.cfg.View.Choices(known)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	q, err := ParseQuery(r.URL.RawQuery, choices)
	if err != nil {
		s.refused(w, r, err)
		return
	}
	b, err := s.cfg.View.Ask(q, choices)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	s.write(w, r, b)
}

func (s *server) status(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Status == nil {
		s.problem(w, r, http.StatusNotFound, problem{Title: "Not found", Detail: "this reporter does not see the events of the other services"})
		return
	}
	if _, err := parseParameters(r.URL.RawQuery, nil); err != nil {
		s.refused(w, r, err)
		return
	}
	status, err := s.cfg.Status(r.Context())
	if err != nil {
		s.failed(w, r, err)
		return
	}
	b, err := json.Marshal(status)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	s.write(w, r, b)
}

// events streams a tick for every change of the rows: one at once, then at most
// four a second, with heartbeats while nothing changes. See
// https://html.spec.whatwg.org/multipage/server-sent-events.html.
func (s *server) events(w http.ResponseWriter, r *http.Request) {
	if _, err := parseParameters(r.URL.RawQuery, nil); err != nil {
		s.refused(w, r, err)
		return
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		w.Header().Set("Retry-After", "30")
		s.problem(w, r, http.StatusServiceUnavailable, problem{Title: "Too many streams", Detail: fmt.Sprintf("%d pages follow this server; try again later", streamsMax)})
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
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
		version, changed := s.cfg.View.Version()
		if !sent || version != last {
			if !s.send(w, fmt.Sprintf("event: change\ndata: {\"version\":%d}\n\n", version)) {
				return
			}
			sent, last = true, version
			select {
			case <-r.Context().Done():
				return
			case <-time.After(eventEvery):
			}
			continue
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		case <-heartbeat.C:
			if !s.send(w, ": heartbeat\n\n") {
				return
			}
		}
	}
}

// send writes a part of a stream and reports whether the client is still there.
func (s *server) send(w http.ResponseWriter, text string) bool {
	s.deadline(w)
	if _, err := w.Write([]byte(text)); err != nil {
		return false
	}
	return http.NewResponseController(w).Flush() == nil
}

// problem is an answer of RFC 9457.
type problem struct {
	Type      string   `json:"type"`
	Title     string   `json:"title"`
	Status    int      `json:"status"`
	Detail    string   `json:"detail"`
	Parameter string   `json:"parameter,omitempty"`
	Allowed   []string `json:"allowed,omitempty"`
}

func (s *server) refused(w http.ResponseWriter, r *http.Request, err error) {
	p := problem{Title: "Bad query", Detail: "the query cannot be read"}
	var q *QueryError
	if errors.As(err, &q) {
		p.Detail, p.Parameter, p.Allowed = q.Detail, q.Parameter, q.Allowed
	}
	s.problem(w, r, http.StatusBadRequest, p)
}

// failed answers for an error of ours, which the client is not told.
func (s *server) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the client is gone or the server stops
	}
	s.cfg.Log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "err", err)
	s.problem(w, r, http.StatusInternalServerError, problem{Title: "Internal error", Detail: "the answer could not be made; the log says why"})
}

func (s *server) problem(w http.ResponseWriter, r *http.Request, status int, p problem) {
	p.Type, p.Status = "about:blank", status
	b, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("reporter: a problem of text does not marshal: %v", err))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	s.write(w, r, b)
}

// write writes a body; an error means that the client is gone.
func (s *server) write(w http.ResponseWriter, r *http.Request, b []byte) {
	if r.Method != http.MethodHead {
		_, _ = w.Write(b)
	}
}
