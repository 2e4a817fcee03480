package avro

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// restContent is the media type of the Confluent REST API.
const restContent = "application/vnd.schemaregistry.v1+json"

// Error codes of the Confluent REST API.
// https://docs.confluent.io/platform/current/schema-registry/develop/api.html#errors
const (
	codeSubjectNotFound = 40401
	codeVersionNotFound = 40402
	codeSchemaNotFound  = 40403
	codeInvalidSchema   = 42201
	codeInvalidVersion  = 42202
	codeInvalidLevel    = 42203
	codeStore           = 50001
)

// Handler serves a registry in process in the part of the Confluent REST API
// that producers, consumers, connectors and BI tools use: schemas by id, subjects
// and versions, registration, lookup, compatibility checks and policies. Schemas
// are never deleted. It has no authentication: serve it on loopback alone.
func Handler(registry *Memory) http.Handler {
	h := handler{registry}
	mux := http.NewServeMux()
	for pattern, answer := range map[string]func(*http.Request) (any, error){
		"GET /{$}":                                                  func(*http.Request) (any, error) { return struct{}{}, nil },
		"GET /schemas/types":                                        func(*http.Request) (any, error) { return []string{"AVRO"}, nil },
		"GET /schemas/ids/{id}":                                     h.schemaByID,
		"GET /schemas/ids/{id}/schema":                              h.schemaTextByID,
		"GET /schemas/ids/{id}/subjects":                            h.subjectsOfID,
		"GET /schemas/ids/{id}/versions":                            h.versionsOfID,
		"GET /subjects":                                             h.subjects,
		"POST /subjects/{subject}":                                  h.lookup,
		"GET /subjects/{subject}/versions":                          h.versions,
		"POST /subjects/{subject}/versions":                         h.register,
		"GET /subjects/{subject}/versions/{version}":                h.version,
		"GET /subjects/{subject}/versions/{version}/schema":         h.versionText,
		"POST /compatibility/subjects/{subject}/versions":           h.check,
		"POST /compatibility/subjects/{subject}/versions/{version}": h.check,
		"GET /config":                                               h.config,
		"PUT /config":                                               h.setConfig,
		"GET /config/{subject}":                                     h.config,
		"PUT /config/{subject}":                                     h.setConfig,
		"GET /mode":                                                 func(*http.Request) (any, error) { return map[string]string{"mode": "READWRITE"}, nil },
	} {
		mux.Handle(pattern, respond(answer))
	}
	return mux
}

type handler struct{ registry *Memory }

// restError is an answer other than 200.
type restError struct {
	status  int
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

func (e *restError) Error() string { return e.Message }

func refuse(status, code int, format string, args ...any) error {
	return &restError{status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// rawText is an answer that is JSON already.
type rawText string

func respond(answer func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusOK
		body, err := guarded(w, r, answer)
		if err != nil {
			failure := restErrorOf(err)
			status, body = failure.status, failure
		}
		var out []byte
		if text, ok := body.(rawText); ok {
			out = []byte(text)
		} else if out, err = json.Marshal(body); err != nil {
			status, out = http.StatusInternalServerError, []byte(`{"error_code":50001,"message":"cannot express the answer"}`)
		}
		w.Header().Set("Content-Type", restContent)
		w.WriteHeader(status)
		_, _ = w.Write(out) // a client that went away is its own affair
	})
}

// guarded refuses bodies that are not JSON by their media type, as the Confluent
// registry does. It also keeps web pages out: a browser asks before it sends
// JSON to another site, and gets no leave here.
func guarded(w http.ResponseWriter, r *http.Request, answer func(*http.Request) (any, error)) (any, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if !strings.Contains(r.Header.Get("Content-Type"), "json") {
			return nil, refuse(http.StatusUnsupportedMediaType, http.StatusUnsupportedMediaType, "send Content-Type: %s", restContent)
		}
		// A schema travels as an escaped JSON string, at most twice its length in practice.
		r.Body = http.MaxBytesReader(w, r.Body, 2*schemaBytesMax)
	}
	return answer(r)
}

func restErrorOf(err error) *restError {
	var failure *restError
	switch {
	case errors.As(err, &failure):
		return failure
	case errors.Is(err, ErrIncompatible):
		return &restError{http.StatusConflict, http.StatusConflict, err.Error()}
	case errors.Is(err, ErrSchema), errors.Is(err, ErrTooLarge):
		return &restError{http.StatusUnprocessableEntity, codeInvalidSchema, err.Error()}
	case errors.Is(err, ErrUnknownSchema), errors.Is(err, ErrNotFound):
		return &restError{http.StatusNotFound, codeSchemaNotFound, err.Error()}
	default:
		return &restError{http.StatusInternalServerError, codeStore, err.Error()}
	}
}

func (h handler) schemaByID(r *http.Request) (any, error) {
	text, err := h.textOfID(r)
	return map[string]string{"schema": text}, err
}

func (h handler) schemaTextByID(r *http.Request) (any, error) {
	text, err := h.textOfID(r)
	return rawText(text), err
}

func (h handler) textOfID(r *http.Request) (string, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return "", refuse(http.StatusNotFound, codeSchemaNotFound, "the id is not a number")
	}
	return h.registry.Schema(r.Context(), id)
}

type subjectVersion struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

func (h handler) versionsOfID(r *http.Request) (any, error) {
	if _, err := h.textOfID(r); err != nil {
		return nil, err
	}
	id, _ := strconv.Atoi(r.PathValue("id")) // textOfID has parsed it
	found := []subjectVersion{}
	for _, v := range h.registry.snapshot().Versions {
		if v.ID == id {
			found = append(found, subjectVersion{v.Subject, v.Version})
		}
	}
	return found, nil
}

func (h handler) subjectsOfID(r *http.Request) (any, error) {
	found, err := h.versionsOfID(r)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, v := range found.([]subjectVersion) { //nolint:forcetypeassert // what versionsOfID gives
		names = append(names, v.Subject)
	}
	return names, nil
}

func (h handler) subjects(*http.Request) (any, error) {
	names := []string{}
	for _, v := range h.registry.snapshot().Versions {
		names = append(names, v.Subject)
	}
	return slices.Compact(names), nil // the versions are sorted by subject
}

// versionsOf gives the versions of the request's subject, or an error when it has none.
func (h handler) versionsOf(r *http.Request) ([]fileVersion, error) {
	name := r.PathValue("subject")
	var found []fileVersion
	for _, v := range h.registry.snapshot().Versions {
		if v.Subject == name {
			found = append(found, v)
		}
	}
	if len(found) == 0 {
		return nil, refuse(http.StatusNotFound, codeSubjectNotFound, "subject %q not found", name)
	}
	return found, nil
}

func (h handler) versions(r *http.Request) (any, error) {
	found, err := h.versionsOf(r)
	numbers := []int{}
	for _, v := range found {
		numbers = append(numbers, v.Version)
	}
	return numbers, err
}

func (h handler) version(r *http.Request) (any, error) { return h.one(r) }

func (h handler) versionText(r *http.Request) (any, error) {
	one, err := h.one(r)
	return rawText(one.Schema), err
}

// one gives the version that the request names by number, "latest" or -1.
func (h handler) one(r *http.Request) (fileVersion, error) {
	found, err := h.versionsOf(r)
	if err != nil {
		return fileVersion{}, err
	}
	text := r.PathValue("version")
	if text == "latest" || text == "-1" {
		return found[len(found)-1], nil
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < 1 {
		return fileVersion{}, refuse(http.StatusUnprocessableEntity, codeInvalidVersion, "a version is a number from 1, or latest")
	}
	if number > len(found) {
		return fileVersion{}, refuse(http.StatusNotFound, codeVersionNotFound, "version %d not found", number)
	}
	return found[number-1], nil
}

// posted reads the schema of a request's body.
func posted(r *http.Request) (string, error) {
	var body struct {
		Schema     string            `json:"schema"`
		Type       string            `json:"schemaType"`
		References []json.RawMessage `json:"references"`
	}
	if err := readJSON(r, &body); err != nil {
		return "", err
	}
	if body.Type != "" && body.Type != "AVRO" {
		return "", refuse(http.StatusUnprocessableEntity, codeInvalidSchema, "this registry holds AVRO alone")
	}
	if len(body.References) > 0 {
		return "", refuse(http.StatusUnprocessableEntity, codeInvalidSchema, "this registry takes self-contained schemas alone, without references")
	}
	return body.Schema, nil
}

func readJSON(r *http.Request, into any) error {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return refuse(http.StatusRequestEntityTooLarge, http.StatusRequestEntityTooLarge, "the request is too large or broke off")
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return refuse(http.StatusUnprocessableEntity, http.StatusUnprocessableEntity, "the request is not the JSON that is expected")
	}
	return nil
}

func (h handler) lookup(r *http.Request) (any, error) {
	text, err := posted(r)
	if err != nil {
		return nil, err
	}
	found, err := h.versionsOf(r)
	if err != nil {
		return nil, err
	}
	id, err := h.registry.Lookup(r.Context(), r.PathValue("subject"), text)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(found, func(v fileVersion) bool { return v.ID == id })
	if at < 0 { // registered between the two reads
		return nil, refuse(http.StatusNotFound, codeSchemaNotFound, "schema not found")
	}
	return found[at], nil
}

func (h handler) register(r *http.Request) (any, error) {
	text, err := posted(r)
	if err != nil {
		return nil, err
	}
	id, err := h.registry.Register(r.Context(), r.PathValue("subject"), text)
	return map[string]int{"id": id}, err
}

// check answers whether a schema could be registered, against one version or all.
func (h handler) check(r *http.Request) (any, error) {
	text, err := posted(r)
	if err != nil {
		return nil, err
	}
	level := h.registry.level(r.PathValue("subject"))
	found, err := h.versionsOf(r)
	if err != nil {
		return nil, err
	}
	if r.PathValue("version") != "" {
		one, err := h.one(r)
		if err != nil {
			return nil, err
		}
		found = []fileVersion{one}
	}
	older := make([]string, 0, len(found))
	for _, v := range found {
		older = append(older, v.Schema)
	}
	err = CheckCompatible(level, older, text)
	if err != nil && !errors.Is(err, ErrIncompatible) {
		return nil, err
	}
	messages := []string{}
	if err != nil {
		messages = append(messages, err.Error())
	}
	return map[string]any{"is_compatible": err == nil, "messages": messages}, nil
}

func (h handler) config(r *http.Request) (any, error) {
	return map[string]Compatibility{"compatibilityLevel": h.registry.level(r.PathValue("subject"))}, nil
}

func (h handler) setConfig(r *http.Request) (any, error) {
	var body struct {
		Compatibility Compatibility `json:"compatibility"`
	}
	if err := readJSON(r, &body); err != nil {
		return nil, err
	}
	if _, _, _, err := body.Compatibility.directions(); err != nil {
		return nil, refuse(http.StatusUnprocessableEntity, codeInvalidLevel, "%v", err)
	}
	return body, h.registry.SetCompatibility(r.Context(), r.PathValue("subject"), body.Compatibility)
}
