package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"tracksource/internal/answer"
	"tracksource/report"
)

// Ask is a question of a made-up route.
type Ask struct {
	Path   string
	Method string // GET without
	Body   string // its type
	Max    int64
	Answer reflect.Type
	Do     func(ctx context.Context, v report.Viewer, q answer.Query, upload []byte) (any, error)
}

// Made makes a server of made-up questions, which take the parameters of a
// breakdown.
func Made(cfg Config, changes Changes, asks ...Ask) (*Server, error) {
	table := own()
	for _, a := range asks {
		r := get(a.Path, "made up", all([]parameter{campaign(), model(), measure("revenue"), {name: "by", kind: list}}, window(), filter(), paged()), a.Answer, a.Do)
		if a.Method != "" {
			r.method, r.tagged, r.body, r.bodyMax = a.Method, false, a.Body, a.Max
		}
		table = append(table, r)
	}
	return build(cfg, changes, table)
}

// ParseQuery reads a query as the route of a breakdown does.
func ParseQuery(raw string) (map[string][]string, *Problem) {
	return parseQuery(raw, all([]parameter{campaign(), {name: "by", kind: list}, {name: "must", must: true}, {name: "pick", kind: choice, choices: []string{"a", "b"}}}, window(), filter(), paged()))
}

// Question is what a query is read as.
func Question(r *http.Request, values map[string][]string) answer.Query {
	return (&call{values: values}).question(r)
}

// The bounds that tests look at.
const (
	SessionsMax, SessionsOfOneMax = sessionsMax, sessionsOfOneMax
	SessionLife                   = sessionLife
	StreamsMax, StreamsOfOneMax   = streamsMax, streamsOfOneMax
	FlightsMax, AnswersMax        = flightsMax, answersMax
	BucketsMax                    = bucketsMax
	HeaderTimeout                 = headerTimeout
)

// Sessions are those of a server.
func (s *Server) Sessions() int {
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	return len(s.sessions.of)
}

// Buckets are the holders that are kept apart.
func (s *Server) Buckets() int {
	s.limits.mu.Lock()
	defer s.limits.mu.Unlock()
	return len(s.limits.buckets)
}

// Reload reads the access file again.
func (s *Server) Reload() { s.access.reload() }

// TakesGzip, Matches and LoopbackHost read headers.
func TakesGzip(header string) bool    { return takesGzip(header) }
func Matches(header, tag string) bool { return matches(header, tag) }
func LoopbackHost(host string) bool   { return loopbackHost(host) }

// HTTPServer serves s with the limits that Serve sets. With a header time above 0
// that is how long a header, and all of a request, may take.
func (s *Server) HTTPServer(ctx context.Context, header time.Duration) *http.Server {
	srv := (&Listener{server: s}).httpServer(ctx)
	if header > 0 {
		srv.ReadHeaderTimeout, srv.ReadTimeout = header, header
	}
	return srv
}
