package avro

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	twmb "github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
)

const (
	// requestTimeout bounds one request to a registry when HTTPConfig has none.
	requestTimeout = 5 * time.Second
	// referencesMax bounds the schemas that one schema may refer to, direct or not.
	referencesMax = 64
)

// HTTPConfig says how to reach a registry that speaks the Confluent REST API.
type HTTPConfig struct {
	// URL is the base address, http or https; it is the one field that must be
	// set. Credentials in it are taken when User is empty, and never shown.
	URL string
	// User and Password are sent as basic authentication when User is set.
	User, Password string
	// TLS is used for https; nil is Go's default with the system's roots.
	TLS *tls.Config
	// Timeout bounds one request; 0 is five seconds.
	Timeout time.Duration
}

// HTTP is a registry behind the Confluent REST API. It is safe for concurrent
// use and keeps no answers: see [Codec] and [Foreign] for that. A request is not
// repeated; the caller knows how long it may wait.
type HTTP struct {
	client *sr.Client
	shown  string // the URL without credentials, for errors
}

var _ Registry = (*HTTP)(nil)

// NewHTTP gives the client. It makes no request.
func NewHTTP(config HTTPConfig) (*HTTP, error) {
	base, err := url.Parse(config.URL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		// The parse error repeats the URL with its password, so it is not shown.
		return nil, errors.New("the schema registry's address is not a URL such as http://127.0.0.1:8081; is --registry right?")
	}
	if config.User == "" && base.User != nil {
		config.User = base.User.Username()
		config.Password, _ = base.User.Password()
	}
	base.User = nil
	if config.Timeout <= 0 {
		config.Timeout = requestTimeout
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // the standard library's own value
	transport.TLSClientConfig = config.TLS.Clone()
	options := []sr.ClientOpt{
		sr.URLs(base.String()),
		sr.UserAgent("track-source"),
		sr.LogLevel(sr.LogLevelNone), // errors are returned; whoever handles them logs them
		sr.HTTPClient(&http.Client{Timeout: config.Timeout, Transport: transport}),
	}
	if config.User != "" {
		options = append(options, sr.BasicAuth(config.User, config.Password))
	}
	client, err := sr.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("schema registry client for %s: %w", base, err)
	}
	return &HTTP{client: client, shown: base.String()}, nil
}

// Schema gives the text of an Avro schema by id, with the types it refers to in
// other subjects written out; or [ErrUnknownSchema]. A schema that is not Avro is
// [ErrSchema].
func (h *HTTP) Schema(ctx context.Context, id int) (string, error) {
	schema, err := h.client.SchemaByID(ctx, id)
	if err != nil {
		return "", h.explain(err, ErrUnknownSchema)
	}
	if schema.Type != sr.TypeAvro {
		return "", fmt.Errorf("%w: schema %d is %s, not AVRO", ErrSchema, id, schema.Type)
	}
	if len(schema.References) == 0 {
		return bounded(schema.Schema)
	}
	resolution := references{http: h, seen: make(map[sr.SchemaReference]bool)}
	if err := resolution.parse(ctx, schema.References); err != nil {
		return "", fmt.Errorf("references of schema %d: %w", id, err)
	}
	whole, err := resolution.cache.Parse(schema.Schema)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrSchema, err)
	}
	// The tree of a schema carries the definitions it refers to, and gives them
	// out where they are first used.
	root := whole.Root()
	alone, err := root.Schema()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrSchema, err)
	}
	return bounded(alone.String())
}

// references parses the schemas that a schema refers to, the deepest first.
type references struct {
	http  *HTTP
	seen  map[sr.SchemaReference]bool
	cache twmb.SchemaCache
}

func (r *references) parse(ctx context.Context, refs []sr.SchemaReference) error {
	for _, ref := range refs {
		if r.seen[ref] {
			continue
		}
		if len(r.seen) >= referencesMax {
			return fmt.Errorf("%w: more than %d references", ErrTooLarge, referencesMax)
		}
		r.seen[ref] = true
		schema, err := r.http.client.SchemaByVersion(ctx, ref.Subject, ref.Version)
		if err != nil {
			return fmt.Errorf("subject %q version %d: %w", ref.Subject, ref.Version, r.http.explain(err, ErrSchema))
		}
		if err := r.parse(ctx, schema.References); err != nil {
			return err
		}
		if _, err := r.cache.Parse(schema.Schema.Schema); err != nil {
			return fmt.Errorf("subject %q version %d: %w: %w", ref.Subject, ref.Version, ErrSchema, err)
		}
	}
	return nil
}

// Lookup gives the id of a schema in a subject, or [ErrNotFound].
func (h *HTTP) Lookup(ctx context.Context, subject, text string) (int, error) {
	found, err := h.client.LookupSchema(ctx, subject, sr.Schema{Schema: text, Type: sr.TypeAvro})
	if err != nil {
		return 0, fmt.Errorf("look up schema of subject %q: %w", subject, h.explain(err, ErrNotFound))
	}
	return found.ID, nil
}

// Register gives the id of a schema in a subject, adding it when it is not there.
func (h *HTTP) Register(ctx context.Context, subject, text string) (int, error) {
	id, err := h.client.RegisterSchema(ctx, subject, sr.Schema{Schema: text, Type: sr.TypeAvro}, -1, -1)
	if err != nil {
		return 0, fmt.Errorf("register schema of subject %q: %w", subject, h.explain(err, ErrNotFound))
	}
	return id, nil
}

// SetCompatibility sets the policy of a subject; the empty name is the global one.
func (h *HTTP) SetCompatibility(ctx context.Context, subject string, level Compatibility) error {
	var wanted sr.CompatibilityLevel
	if err := wanted.UnmarshalText([]byte(level)); err != nil {
		return fmt.Errorf("%w: %q is not a compatibility level", ErrSchema, level)
	}
	for _, result := range h.client.SetCompatibility(ctx, sr.SetCompatibility{Level: wanted}, subject) {
		if result.Err != nil {
			return fmt.Errorf("set compatibility of subject %q to %s: %w", subject, level, h.explain(result.Err, ErrNotFound))
		}
	}
	return nil
}

// explain gives an error of the client one of our types and says what to do.
// What a registry answers 404 to depends on the request: absent is its type.
func (h *HTTP) explain(err, absent error) error {
	var answer *sr.ResponseError
	if !errors.As(err, &answer) {
		return fmt.Errorf("%w: cannot reach schema registry at %s: is --registry right? %w", ErrRegistry, h.shown, err)
	}
	switch status := answer.StatusCode; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Errorf("%w: %s answered %d: are its user and password right, and may the user do this?", ErrRegistryRefused, h.shown, status)
	case status == http.StatusNotFound && answer.ErrorCode/100 == sr.ErrSubjectNotFound.Code/100:
		return fmt.Errorf("%w: %s: %w", absent, h.shown, answer)
	case status == http.StatusNotFound:
		return fmt.Errorf("%w: %s answered 404 as no schema registry does: is the path in --registry right?", ErrRegistryRefused, h.shown)
	case status == http.StatusConflict:
		return fmt.Errorf("%w: %s: %w", ErrIncompatible, h.shown, answer)
	case status == http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: %s: %w", ErrSchema, h.shown, answer)
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		return fmt.Errorf("%w: %s answered %d: %w", ErrRegistry, h.shown, status, answer)
	default:
		return fmt.Errorf("%w: %s answered %d: %w", ErrRegistryRefused, h.shown, status, answer)
	}
}

func bounded(text string) (string, error) {
	if len(text) > schemaBytesMax {
		return "", fmt.Errorf("%w: a schema has at most %d bytes", ErrTooLarge, schemaBytesMax)
	}
	return text, nil
}
