package api

import (
	"context"
	"net"
	"net/http"
	"reflect"
	"slices"
	"time"

	"tracksource/internal/answer"
	"tracksource/report"
	"tracksource/stream"
)

// Ask is a question of a made-up route.
type Ask struct {
	Path   string
	Method string // GET without
	Body   string // its type
	Max    int64
	Large  bool
	Do     func(ctx context.Context, v report.Viewer, q answer.Query, upload []byte) (any, error)
}

// Made makes a server of made-up questions, which take the parameters of a
// breakdown.
func Made(cfg Config, changes Changes, asks ...Ask) (*Server, error) {
	table := own()
	for _, a := range asks {
		r := route{
			method: http.MethodGet, path: a.Path, tagged: true, ask: a.Do,
			parameters: slices.Concat(campaign(), model(), measure(), dimensions(), window(), filter(), paged()),
		}
		if a.Method != "" {
			r.method, r.tagged, r.body, r.bodyMax = a.Method, false, a.Body, a.Max
		}
		if a.Large {
			r = large(r)
		}
		table = append(table, r)
	}
	cfg.Changes = changes
	return build(cfg, table)
}

// Bare makes a server of the real table without anything to answer from.
func Bare(cfg Config, changes Changes) (*Server, error) {
	cfg.Changes = changes
	return build(cfg, slices.Concat(asks(nil), decisions(nil), own()))
}

// ParseQuery reads a query as the route of a breakdown does.
func ParseQuery(raw string) (map[string][]string, *Problem) {
	return parseQuery(raw, slices.Concat(campaign(), dimensions(), []parameter{{name: "must", must: true}, {name: "pick", kind: choice, choices: []string{"a", "b"}}}, window(), filter(), paged()))
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
	PackageWait                   = packageWait
	BucketsMax                    = bucketsMax
	ShelfBytesMax                 = shelfBytesMax
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

// Shelved are the answers that are kept, and their bytes.
func (s *Server) Shelved() (n, bytes int) {
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	return len(s.shelf.of), s.shelf.bytes
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

// On serves s on connections that ln hands out.
func (s *Server) On(ln net.Listener) *Listener { return &Listener{server: s, ln: ln} }

// Route is a row of the table.
type Route struct {
	Method, Path, Summary    string
	SignedIn, Tagged, Stream bool
	Decides                  bool
	Parameters               []Parameter
	Body                     string
	Upload, Answer           reflect.Type
}

// Parameter is one that a route takes.
type Parameter struct {
	Name, About, Kind string // Kind is text, day, number, list or choice
	Many, Must        bool
	Max               int
	Choices           []string
}

// Table is what the document tells of.
func Table() []Route {
	kinds := map[kind]string{text: "text", day: "day", number: "number", list: "list", choice: "choice"}
	var out []Route
	for _, r := range slices.Concat(asks(nil), decisions(nil), own()) {
		if r.hidden {
			continue
		}
		row := Route{Method: r.method, Path: r.path, Summary: r.summary, SignedIn: r.who == signedIn, Tagged: r.tagged, Stream: r.stream, Decides: r.decides, Body: r.body, Upload: r.upload, Answer: r.answer}
		for _, p := range r.parameters {
			row.Parameters = append(row.Parameters, Parameter{p.name, p.about, kinds[p.kind], p.many, p.must, p.max, p.choices})
		}
		out = append(out, row)
	}
	return out
}

// ValueBytesMax and RepeatMax bound the values of a parameter.
const ValueBytesMax, RepeatMax = valueBytesMax, repeatMax

// OwnsFirst is who evaluates.
func OwnsFirst(workers []stream.Status, ledger string) bool { return ownsFirst(workers, ledger) }
