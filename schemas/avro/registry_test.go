package avro_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"tracksource/schemas/avro"
)

const (
	pointV1  = `{"type":"record","name":"p.Point","fields":[{"name":"x","type":"long"}]}`
	pointV2  = `{"type":"record","name":"p.Point","fields":[{"name":"x","type":"long"},{"name":"y","type":"long","default":0}]}`
	pointBad = `{"type":"record","name":"p.Point","fields":[{"name":"x","type":"string"}]}`
)

// each runs a test on every kind of registry: what one promises, all keep.
func each(t *testing.T, test func(t *testing.T, reg avro.Registry)) {
	t.Helper()
	kinds := map[string]func(t *testing.T) avro.Registry{
		"memory": func(*testing.T) avro.Registry { return avro.NewMemory() },
		"file": func(t *testing.T) avro.Registry {
			reg, err := avro.OpenFile(filepath.Join(t.TempDir(), "registry.json"))
			if err != nil {
				t.Fatal(err)
			}
			return reg
		},
		"our handler over HTTP": func(t *testing.T) avro.Registry {
			return client(t, avro.HTTPConfig{URL: serve(t, avro.NewMemory())})
		},
		"srfake over HTTP": func(t *testing.T) avro.Registry {
			fake := srfake.New()
			t.Cleanup(fake.Close)
			return client(t, avro.HTTPConfig{URL: fake.URL()})
		},
	}
	for name, open := range kinds {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func serve(t *testing.T, reg *avro.Memory) string {
	t.Helper()
	server := httptest.NewServer(avro.Handler(reg))
	t.Cleanup(server.Close)
	return server.URL
}

func client(t *testing.T, config avro.HTTPConfig) *avro.HTTP {
	t.Helper()
	reg, err := avro.NewHTTP(config)
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

func TestRegistryRegisterAndLookup(t *testing.T) {
	each(t, func(t *testing.T, reg avro.Registry) {
		ctx := t.Context()
		if _, err := reg.Lookup(ctx, "a-value", pointV1); !errors.Is(err, avro.ErrNotFound) {
			t.Errorf("lookup before the subject exists: %v", err)
		}
		if _, err := reg.Schema(ctx, 99_999); !errors.Is(err, avro.ErrUnknownSchema) {
			t.Errorf("schema of an id that nobody gave: %v", err)
		}
		first, err := reg.Register(ctx, "a-value", pointV1)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := reg.Register(ctx, "a-value", pointV1); err != nil || again != first {
			t.Errorf("registered again: id %d, %v; want %d", again, err, first)
		}
		if elsewhere, err := reg.Register(ctx, "b-value", pointV1); err != nil || elsewhere != first {
			t.Errorf("in another subject: id %d, %v; want %d", elsewhere, err, first)
		}
		second, err := reg.Register(ctx, "a-value", pointV2)
		if err != nil || second == first {
			t.Fatalf("second version: id %d, %v", second, err)
		}
		for id, want := range map[int]string{first: pointV1, second: pointV2} {
			if got, err := reg.Schema(ctx, id); err != nil || got != want {
				t.Errorf("schema %d is %q, %v; want %q", id, got, err, want)
			}
		}
		if got, err := reg.Lookup(ctx, "a-value", pointV2); err != nil || got != second {
			t.Errorf("lookup: %d, %v; want %d", got, err, second)
		}
		if _, err := reg.Lookup(ctx, "b-value", pointV2); !errors.Is(err, avro.ErrNotFound) {
			t.Errorf("lookup in a subject that does not have it: %v", err)
		}
	})
}

func TestRegistryRefusesWhatIsNotAvro(t *testing.T) {
	reg := avro.NewMemory()
	for _, r := range []avro.Registry{reg, client(t, avro.HTTPConfig{URL: serve(t, reg)})} {
		if _, err := r.Register(t.Context(), "a-value", `{"type":"recrod"}`); !errors.Is(err, avro.ErrSchema) {
			t.Errorf("%T: %v", r, err)
		}
		if err := r.SetCompatibility(t.Context(), "a-value", "SOMETIMES"); !errors.Is(err, avro.ErrSchema) {
			t.Errorf("%T: %v", r, err)
		}
	}
}

// TestRegistryHoldsThePolicy does not run on srfake, which records the policy
// and checks nothing.
func TestRegistryHoldsThePolicy(t *testing.T) {
	mem := avro.NewMemory()
	for name, reg := range map[string]avro.Registry{"memory": avro.NewMemory(), "http": client(t, avro.HTTPConfig{URL: serve(t, mem)})} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if err := reg.SetCompatibility(ctx, "a-value", avro.FullTransitive); err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{pointV1, pointV2} {
				if _, err := reg.Register(ctx, "a-value", text); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := reg.Register(ctx, "a-value", pointBad); !errors.Is(err, avro.ErrIncompatible) {
				t.Errorf("a breaking schema: %v", err)
			}
			if err := reg.SetCompatibility(ctx, "a-value", avro.None); err != nil {
				t.Fatal(err)
			}
			if _, err := reg.Register(ctx, "a-value", pointBad); err != nil {
				t.Errorf("under NONE: %v", err)
			}
		})
	}
}

// TestOpenCodecs opens twice, as services do: the second time nothing is written.
func TestOpenCodecs(t *testing.T) {
	each(t, func(t *testing.T, reg avro.Registry) {
		first, err := avro.OpenCodecs(t.Context(), reg, "tracksource")
		if err != nil {
			t.Fatal(err)
		}
		second, err := avro.OpenCodecs(t.Context(), readOnly{reg}, "tracksource")
		if err != nil {
			t.Fatal(err)
		}
		b, err := first.Credit.Append(nil, sampleCreditEntry())
		if err != nil {
			t.Fatal(err)
		}
		var entry avro.CreditEntry
		if err := second.Credit.Decode(b, &entry); err != nil {
			t.Fatal(err)
		}
	})
}

// readOnly fails the test's caller by an error on any write.
type readOnly struct{ avro.Registry }

func (readOnly) Register(context.Context, string, string) (int, error) {
	return 0, errors.New("a write")
}

func (readOnly) SetCompatibility(context.Context, string, avro.Compatibility) error {
	return errors.New("a write")
}

func TestOpenCodecsSetsPolicies(t *testing.T) {
	mem := avro.NewMemory()
	if _, err := avro.OpenCodecs(t.Context(), mem, "demo"); err != nil {
		t.Fatal(err)
	}
	peer, err := sr.NewClient(sr.URLs(serve(t, mem)))
	if err != nil {
		t.Fatal(err)
	}
	s := avro.Subjects("demo")
	want := map[string]sr.CompatibilityLevel{
		s.Observation():     sr.CompatFullTransitive,
		s.Journey():         sr.CompatFullTransitive,
		s.Control():         sr.CompatFullTransitive,
		s.Credit():          sr.CompatFullTransitive,
		s.ContributionKey(): sr.CompatBackwardTransitive,
		s.ContributionRow(): sr.CompatBackwardTransitive,
		s.FactsKey():        sr.CompatBackwardTransitive,
		s.Facts():           sr.CompatBackwardTransitive,
		s.FeedKey():         sr.CompatBackwardTransitive,
		s.FeedRow():         sr.CompatBackwardTransitive,
		s.Alert():           sr.CompatBackwardTransitive,
		s.DeadLetter():      sr.CompatBackwardTransitive,
	}
	subjects, err := peer.Subjects(t.Context())
	if err != nil || len(subjects) != len(want) {
		t.Fatalf("subjects %v, %v", subjects, err)
	}
	for _, result := range peer.Compatibility(t.Context(), subjects...) {
		if result.Err != nil || result.Level != want[result.Subject] {
			t.Errorf("%s: %s, %v; want %s", result.Subject, result.Level, result.Err, want[result.Subject])
		}
	}
}

// TestIDsDoNotDependOnOrder starts "services" in two orders.
func TestIDsDoNotDependOnOrder(t *testing.T) {
	one, other := avro.NewMemory(), avro.NewMemory()
	names := avro.Names()
	ids := map[string]int{}
	for i, name := range names {
		schema, err := avro.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if ids[name], err = one.Register(t.Context(), name, schema.Text); err != nil {
			t.Fatal(err)
		}
		last := names[len(names)-1-i]
		schema, err = avro.Load(last)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Register(t.Context(), last, schema.Text); err != nil {
			t.Fatal(err)
		}
	}
	for name, id := range ids {
		schema, err := avro.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := other.Lookup(t.Context(), name, schema.Text); err != nil || got != id {
			t.Errorf("%s: id %d, %v; want %d", name, got, err, id)
		}
	}
}

func TestFileSurvivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.json")
	open := func() *avro.Memory {
		reg, err := avro.OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return reg
	}
	before := open()
	if err := before.SetCompatibility(t.Context(), "a-value", avro.FullTransitive); err != nil {
		t.Fatal(err)
	}
	first, err := before.Register(t.Context(), "a-value", pointV1)
	if err != nil {
		t.Fatal(err)
	}
	second, err := before.Register(t.Context(), "a-value", pointV2)
	if err != nil {
		t.Fatal(err)
	}
	after := open()
	for id, want := range map[int]string{first: pointV1, second: pointV2} {
		if got, err := after.Schema(t.Context(), id); err != nil || got != want {
			t.Errorf("schema %d: %q, %v", id, got, err)
		}
	}
	if _, err := after.Register(t.Context(), "a-value", pointBad); !errors.Is(err, avro.ErrIncompatible) {
		t.Errorf("the policy was forgotten: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("files %v, %v; want the registry's alone", left, err)
	}
}

// TestFileThatCannotBeWritten keeps the change out of memory too: an id that is
// not on disk must not reach a record.
func TestFileThatCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	reg, err := avro.OpenFile(filepath.Join(dir, "registry.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := reg.Register(t.Context(), "a-value", pointV1); err == nil {
		t.Error("registered without a disk")
	}
	if _, err := reg.Lookup(t.Context(), "a-value", pointV1); !errors.Is(err, avro.ErrNotFound) {
		t.Errorf("what was not saved is known: %v", err)
	}
}

func TestFileThatIsCorrupt(t *testing.T) {
	good := `{"format":1,"compatibility":"BACKWARD","versions":[` +
		`{"subject":"a","version":1,"id":7,"schema":"\"string\""},{"subject":"a","version":2,"id":8,"schema":"\"bytes\""}],"policies":[]}`
	edit := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	cases := map[string]string{
		"empty":              "",
		"cut":                good[:len(good)-20],
		"not ours":           `[]`,
		"newer format":       edit(`"format":1`, `"format":2`),
		"unknown policy":     edit(`BACKWARD`, `SOMETIMES`),
		"gap in versions":    edit(`"version":2`, `"version":3`),
		"id given twice":     edit(`"id":8`, `"id":7`),
		"schema with two":    edit(`\"bytes\"`, `\"string\"`),
		"id of zero":         edit(`"id":7`, `"id":0`),
		"schema is not Avro": edit(`\"bytes\"`, `\"bites\"`),
		"policy of a subject": edit(`"policies":[]`,
			`"policies":[{"subject":"a","compatibility":"X"}]`),
	}
	open := func(t *testing.T, content string) error {
		path := filepath.Join(t.TempDir(), "registry.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := avro.OpenFile(path)
		if kept, readErr := os.ReadFile(path); readErr != nil || string(kept) != content {
			t.Errorf("the file was changed: %q, %v", kept, readErr)
		}
		if err != nil && (!strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "move it away")) {
			t.Errorf("the error does not say what to do: %v", err)
		}
		return err
	}
	if err := open(t, good); err != nil {
		t.Fatalf("the good file: %v", err)
	}
	for name, content := range cases {
		t.Run(name, func(t *testing.T) {
			if open(t, content) == nil {
				t.Error("opened")
			}
		})
	}
}

// TestRegistryInParallel is for the race detector, and that no version is lost.
func TestRegistryInParallel(t *testing.T) {
	reg, err := avro.OpenFile(filepath.Join(t.TempDir(), "registry.json"))
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if _, err := avro.OpenCodecs(context.Background(), reg, "demo"); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

func TestHTTPErrors(t *testing.T) {
	reply := func(status int, body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	const nobody = "http://127.0.0.1:1" // no port that another test could be given
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(hanging.Close)
	cases := []struct {
		name, url string
		want      error
		says      string
	}{
		{"nobody listens", nobody, avro.ErrRegistry, "cannot reach schema registry at " + nobody + ": is --registry right?"},
		{"hangs", hanging.URL, avro.ErrRegistry, "cannot reach"},
		{"fails", reply(500, `{"error_code":50001,"message":"store"}`), avro.ErrRegistry, "answered 500"},
		{"busy", reply(429, ``), avro.ErrRegistry, "answered 429"},
		{"wrong password", reply(401, `{"error_code":401,"message":"no"}`), avro.ErrRegistryRefused, "password"},
		{"not allowed", reply(403, `no`), avro.ErrRegistryRefused, "password"},
		{"not a registry", reply(404, `404 page not found`), avro.ErrRegistryRefused, "--registry"},
		{"unknown id", reply(404, `{"error_code":40403,"message":"Schema not found"}`), avro.ErrUnknownSchema, "not found"},
		{"not JSON", reply(200, `<html>`), avro.ErrRegistry, "--registry"},
		{"not Avro", reply(200, `{"schemaType":"PROTOBUF","schema":"message X {}"}`), avro.ErrSchema, "PROTOBUF"},
		{"moved", reply(400, `{}`), avro.ErrRegistryRefused, "answered 400"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			timeout := 5 * time.Minute // for an answer that comes, however slow the machine is
			if c.url == hanging.URL {
				timeout = 300 * time.Millisecond
			}
			reg := client(t, avro.HTTPConfig{URL: c.url, Timeout: timeout})
			_, err := reg.Schema(t.Context(), 1)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v; want %v saying %q", err, c.want, c.says)
			}
		})
	}
}

func TestHTTPCredentials(t *testing.T) {
	fake := srfake.New(srfake.WithAuth("Basic dXNlcjpzM2NyZXQ=")) // user:s3cret
	t.Cleanup(fake.Close)
	inURL := strings.Replace(fake.URL(), "http://", "http://user:s3cret@", 1)
	for name, config := range map[string]avro.HTTPConfig{
		"fields": {URL: fake.URL(), User: "user", Password: "s3cret"},
		"URL":    {URL: inURL},
	} {
		if _, err := client(t, config).Register(t.Context(), "a-value", pointV1); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := client(t, avro.HTTPConfig{URL: fake.URL(), User: "user", Password: "wr0ng"}).Schema(t.Context(), 1)
	if !errors.Is(err, avro.ErrRegistryRefused) {
		t.Errorf("wrong password: %v", err)
	}
	fake.Close()
	for _, config := range []avro.HTTPConfig{{URL: inURL}, {URL: "://user:s3cret@x"}, {URL: "ftp://user:s3cret@x"}, {URL: ""}} {
		reg, err := avro.NewHTTP(config)
		if err == nil {
			_, err = reg.Schema(t.Context(), 1)
		}
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", config.URL, err)
		}
	}
}

func TestHTTPOverTLS(t *testing.T) {
	server := httptest.NewTLSServer(avro.Handler(avro.NewMemory()))
	t.Cleanup(server.Close)
	trusting := server.Client().Transport.(*http.Transport).TLSClientConfig
	if _, err := client(t, avro.HTTPConfig{URL: server.URL, TLS: trusting}).Register(t.Context(), "a-value", pointV1); err != nil {
		t.Error(err)
	}
	if _, err := client(t, avro.HTTPConfig{URL: server.URL}).Schema(t.Context(), 1); !errors.Is(err, avro.ErrRegistry) {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
}

// TestHTTPReferences reads a schema whose types are in other subjects, and
// decodes a record with it.
func TestHTTPReferences(t *testing.T) {
	fake := srfake.New()
	t.Cleanup(fake.Close)
	money := `{"type":"record","name":"m.Money","fields":[{"name":"minor","type":"long"}]}`
	if _, _, err := fake.RegisterSchema("money", sr.Schema{Schema: money, Type: sr.TypeAvro}); err != nil {
		t.Fatal(err)
	}
	id, _, err := fake.RegisterSchema("deal-value", sr.Schema{
		Schema:     `{"type":"record","name":"d.Deal","fields":[{"name":"amount","type":"m.Money"},{"name":"cost","type":"m.Money"}]}`,
		Type:       sr.TypeAvro,
		References: []sr.SchemaReference{{Name: "m.Money", Subject: "money", Version: 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := avro.NewForeign(avro.ForeignConfig{Registry: client(t, avro.HTTPConfig{URL: fake.URL()})})
	if err != nil {
		t.Fatal(err)
	}
	got, name, err := foreign.DecodeForeign(t.Context(), append(avro.AppendHeader(nil, id), 14, 16))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(compactJSON(t, got)); name != "d.Deal" || text != `{"amount":{"minor":7},"cost":{"minor":8}}` {
		t.Errorf("%s: %s", name, text)
	}
}

// TestHandlerWithTheClient walks the REST API with a client that is not ours.
func TestHandlerWithTheClient(t *testing.T) {
	ctx := t.Context()
	peer, err := sr.NewClient(sr.URLs(serve(t, avro.NewMemory())))
	if err != nil {
		t.Fatal(err)
	}
	one, err := peer.CreateSchema(ctx, "tracksource.raw.crm.acme-value", sr.Schema{Schema: pointV1})
	if err != nil || one.Version != 1 {
		t.Fatalf("%+v, %v", one, err)
	}
	two, err := peer.CreateSchema(ctx, one.Subject, sr.Schema{Schema: pointV2})
	if err != nil || two.Version != 2 {
		t.Fatalf("%+v, %v", two, err)
	}
	if latest, err := peer.SchemaByVersion(ctx, one.Subject, -1); err != nil || latest.ID != two.ID {
		t.Errorf("latest: %+v, %v", latest, err)
	}
	if text, err := peer.SchemaTextByVersion(ctx, one.Subject, 1); err != nil || text != pointV1 {
		t.Errorf("text by version: %q, %v", text, err)
	}
	if text, err := peer.SchemaTextByID(ctx, two.ID); err != nil || text != pointV2 {
		t.Errorf("text by id: %q, %v", text, err)
	}
	if found, err := peer.LookupSchema(ctx, one.Subject, sr.Schema{Schema: pointV2}); err != nil || found.Version != 2 {
		t.Errorf("lookup: %+v, %v", found, err)
	}
	if versions, err := peer.SubjectVersions(ctx, one.Subject); err != nil || len(versions) != 2 {
		t.Errorf("versions: %v, %v", versions, err)
	}
	if names, err := peer.SubjectsByID(ctx, one.ID); err != nil || len(names) != 1 || names[0] != one.Subject {
		t.Errorf("subjects of an id: %v, %v", names, err)
	}
	if types, err := peer.SupportedTypes(ctx); err != nil || len(types) != 1 {
		t.Errorf("types: %v, %v", types, err)
	}
	if check, err := peer.CheckCompatibility(ctx, one.Subject, -1, sr.Schema{Schema: pointBad}); err != nil || check.Is || len(check.Messages) == 0 {
		t.Errorf("compatibility of a breaking schema: %+v, %v", check, err)
	}
	if check, err := peer.CheckCompatibility(ctx, one.Subject, -2, sr.Schema{Schema: pointV2}); err != nil || !check.Is {
		t.Errorf("compatibility of a safe schema: %+v, %v", check, err)
	}
	if _, err := peer.CreateSchema(ctx, one.Subject, sr.Schema{Schema: pointBad}); !errors.Is(asSchemaError(err), sr.ErrIncompatibleSchema) {
		t.Errorf("a breaking schema: %v", err)
	}
	if _, err := peer.SchemaByVersion(ctx, "nobody", 1); !errors.Is(asSchemaError(err), sr.ErrSubjectNotFound) {
		t.Errorf("an unknown subject: %v", err)
	}
	if _, err := peer.SchemaByVersion(ctx, one.Subject, 9); !errors.Is(asSchemaError(err), sr.ErrVersionNotFound) {
		t.Errorf("an unknown version: %v", err)
	}
}

func asSchemaError(err error) error {
	var answer *sr.ResponseError
	if errors.As(err, &answer) && answer.SchemaError() != nil {
		return answer.SchemaError()
	}
	return err
}

func TestHandlerBadRequests(t *testing.T) {
	url := serve(t, avro.NewMemory())
	const media = "application/vnd.schemaregistry.v1+json"
	cases := []struct {
		name, method, path, media, body string
		want                            int
	}{
		{"form from a web page", "POST", "/subjects/a/versions", "text/plain", `{"schema":"\"string\""}`, 415},
		{"not JSON", "POST", "/subjects/a/versions", media, `{`, 422},
		{"no schema", "POST", "/subjects/a/versions", media, `{}`, 422},
		{"protobuf", "POST", "/subjects/a/versions", media, `{"schemaType":"PROTOBUF","schema":"x"}`, 422},
		{"references", "POST", "/subjects/a/versions", media, `{"schema":"\"string\"","references":[{}]}`, 422},
		{"too large", "POST", "/subjects/a/versions", media, `{"schema":"` + strings.Repeat("x", 3<<20) + `"}`, 413},
		{"id is a word", "GET", "/schemas/ids/x", "", ``, 404},
		{"version is a word", "GET", "/subjects/b/versions/x", "", ``, 422},
		{"unknown level", "PUT", "/config", media, `{"compatibility":"SOMETIMES"}`, 422},
		{"unknown path", "GET", "/metrics", "", ``, 404},
		{"delete", "DELETE", "/subjects/b", "", ``, 405},
	}
	response, err := http.Post(url+"/subjects/b/versions", media, strings.NewReader(`{"schema":"\"string\""}`))
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", response, err)
	}
	_ = response.Body.Close()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), c.method, url+c.path, bytes.NewReader([]byte(c.body)))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", c.media)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			body, _ := io.ReadAll(response.Body)
			if response.StatusCode != c.want {
				t.Errorf("status %d, want %d: %s", response.StatusCode, c.want, body)
			}
		})
	}
}

// TestClaimContributions: a topic that holds contributions has subjects of its own
// with the schemas, and the ids, of the one of all.
func TestClaimContributions(t *testing.T) {
	ctx, reg := t.Context(), avro.NewMemory()
	codecs, err := avro.OpenCodecs(ctx, reg, "ts")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := avro.ClaimContributions(ctx, reg, "ts.contributions.acme"); err != nil {
			t.Fatal(err)
		}
	}
	for subject, want := range map[string]int{
		"ts.contributions.acme-key": codecs.ContributionKey.ID(), "ts.contributions.acme-value": codecs.ContributionRow.ID(),
	} {
		schema := codecs.ContributionKey.Schema()
		if want == codecs.ContributionRow.ID() {
			schema = codecs.ContributionRow.Schema()
		}
		if id, err := reg.Lookup(ctx, subject, schema.Text); err != nil || id != want {
			t.Errorf("%s has id %d, %v; want %d", subject, id, err, want)
		}
	}
	if _, err := reg.Register(ctx, "ts.contributions.acme-value", pointV1); !errors.Is(err, avro.ErrIncompatible) {
		t.Errorf("another schema under the subject: %v", err)
	}
}
