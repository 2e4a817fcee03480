package api_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tracksource/internal/api"
	"tracksource/report"
)

var update = flag.Bool("update", false, "write the document anew")

const documentFile = "openapi.json"

// TestDocument: the document tells of every route, parameter and member of an
// answer, and of nothing else: it is made of the table and of the types.
func TestDocument(t *testing.T) {
	want, err := json.MarshalIndent(describe(t, api.Table()), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(documentFile, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(documentFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s does not tell of what there is; see what go test ./internal/api -run TestDocument -update changes", documentFile)
	}
}

// object is a JSON object of the document.
type object = map[string]any

// describer makes schemas of types, with what their comments say.
type describer struct {
	t        testing.TB
	comments map[string]string // by Type and Type.Field
	schemas  object
}

func describe(t testing.TB, table []api.Route) object {
	d := &describer{t: t, comments: map[string]string{}, schemas: object{}}
	d.read(".")
	d.read("../answer")
	d.read(reportDir)
	paths := object{}
	for _, r := range table {
		if paths[r.Path] == nil {
			paths[r.Path] = object{}
		}
		paths[r.Path].(object)[strings.ToLower(r.Method)] = d.operation(r)
	}
	d.schema(reflect.TypeFor[api.Problem]())
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Track Source", "version": "1",
			"description": "What a campaign's partners brought to it. Values of measures, counts and shares are exact decimal text, never numbers. " +
				"Who asks sees what the contract's visibility allows: a campaign in which a partner has no part does not exist for it.",
		},
		"servers": []any{object{"url": "/"}},
		"paths":   paths,
		"components": object{
			"schemas": d.schemas,
			"securitySchemes": object{
				"token":   object{"type": "http", "scheme": "bearer", "description": "A token of the access file."},
				"session": object{"type": "apiKey", "in": "cookie", "name": "track_source", "description": "What signing in sets; over TLS the name begins with __Host-."},
			},
			"responses": object{
				"Problem": object{
					"description": "What is wrong, as RFC 9457 has it. 401 asks for a token, 429 and 503 say in Retry-After when to come again.",
					"content":     object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/Problem"}}},
				},
				"NotModified": object{"description": "What If-None-Match names is still the answer."},
			},
		},
	}
}

// read takes in the comments of a package.
func (d *describer) read(dir string) {
	prefix := ""
	if dir == reportDir {
		prefix = "Package"
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), dir+"/"+f.Name(), nil, parser.ParseComments)
		if err != nil {
			d.t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			decl, ok := n.(*ast.GenDecl)
			if !ok || decl.Tok != token.TYPE {
				return true
			}
			for _, spec := range decl.Specs {
				typed := spec.(*ast.TypeSpec)
				name := named(prefix, typed.Name.Name)
				d.comments[name] = words(decl.Doc)
				if structure, ok := typed.Type.(*ast.StructType); ok {
					for _, field := range structure.Fields.List {
						for _, member := range field.Names {
							d.comments[name+"."+member.Name] = strings.TrimSpace(words(field.Doc) + " " + words(field.Comment))
						}
					}
				}
			}
			return true
		})
	}
}

// reportDir is where packages are defined. What they are made of is called by names that
// answers have as well, so that in the document each begins with Package.
const reportDir = "../../report"

func named(prefix, name string) string { return prefix + strings.TrimPrefix(name, prefix) }

// nameOf is the name of a type in the document.
func nameOf(of reflect.Type) string {
	if of.PkgPath() == reflect.TypeFor[report.Package]().PkgPath() {
		return named("Package", of.Name())
	}
	return of.Name()
}

func words(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }

func (d *describer) operation(r api.Route) object {
	op := object{"summary": r.Summary, "operationId": operationID(r)}
	op["security"] = []any{}
	if r.SignedIn {
		op["security"] = []any{object{"token": []any{}}, object{"session": []any{}}}
	}
	var parameters []any
	for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(r.Path, -1) {
		parameters = append(parameters, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, p := range r.Parameters {
		parameters = append(parameters, parameterOf(p))
	}
	if parameters != nil {
		op["parameters"] = parameters
	}
	if r.Body != "" {
		body := object{"type": "string"}
		if r.Upload != nil {
			body = d.schema(r.Upload)
		}
		op["requestBody"] = object{"required": true, "content": object{r.Body: object{"schema": body}}}
	}
	ok, status := object{"description": "The answer."}, "200"
	switch {
	case r.Stream:
		ok["content"] = object{"text/event-stream": object{"schema": object{"type": "string"}}}
	case r.Answer != nil:
		ok["content"] = object{"application/json": object{"schema": d.schema(r.Answer)}}
	case r.Method == http.MethodDelete:
		status = "204"
	default:
		ok["content"] = object{"application/json": object{"schema": object{"type": "object"}}}
	}
	if r.Decides {
		ok["description"], status = "It was accepted.", "201"
	}
	responses := object{status: ok, "default": object{"$ref": "#/components/responses/Problem"}}
	if r.Decides {
		responses["202"] = object{"description": "It is written, and what becomes of it is not known yet.", "content": ok["content"]}
	}
	if r.Tagged {
		ok["headers"] = object{"ETag": object{"description": "Stays while the answer does.", "schema": object{"type": "string"}}}
		responses["304"] = object{"$ref": "#/components/responses/NotModified"}
	}
	op["responses"] = responses
	return op
}

// operationID names an operation for who makes clients: getReport.
func operationID(r api.Route) string {
	id := strings.ToLower(r.Method)
	for part := range strings.FieldsFuncSeq(strings.TrimPrefix(r.Path, "/api/v1/"), func(c rune) bool { return c < 'a' || c > 'z' }) {
		if strings.Contains(r.Path, "{"+part+"}") {
			id += "Of"
		}
		id += strings.ToUpper(part[:1]) + part[1:]
	}
	return id
}

func parameterOf(p api.Parameter) object {
	out := object{"name": p.Name, "in": "query", "description": p.About, "required": p.Must}
	one := object{"type": "string", "minLength": 1, "maxLength": cmp.Or(p.Max, api.ValueBytesMax)}
	switch p.Kind {
	case "day":
		one = object{"type": "string", "format": "date"}
	case "number":
		one = object{"type": "integer", "minimum": 1, "maximum": p.Max}
	case "choice":
		one = object{"type": "string", "enum": p.Choices}
	case "list":
		out["style"], out["explode"] = "form", false
		one = object{"type": "array", "items": object{"type": "string"}, "uniqueItems": true}
	}
	if p.Many {
		out["style"], out["explode"] = "form", true
		one = object{"type": "array", "items": one, "maxItems": api.RepeatMax}
	}
	out["schema"] = one
	return out
}

// Members that are exact decimal text wherever they are, and days.
var (
	decimals = strings.Fields("value total attributed unattributed previous target expected progress spend share return count counts size rate values " +
		"records lag dead_letters raw accepted duplicates unresolved median_days p90_days from_previous drop_off ours theirs difference " +
		"credited sourced_value influenced_value co_sell_value delta running computed ledger weight sum others withheld_sum")
	days = strings.Fields("day Window.from Window.to starts close_date rate_day")
)

// schema is the schema of a type; that of a struct is kept under its name.
func (d *describer) schema(of reflect.Type) object {
	switch {
	case of == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case of.Kind() == reflect.Pointer:
		return nullable(d.schema(of.Elem()))
	case of.Kind() == reflect.Struct:
		name := nameOf(of)
		if _, known := d.schemas[name]; !known {
			d.schemas[name] = object{} // it may have itself as a member
			d.schemas[name] = d.structure(of)
		}
		return object{"$ref": "#/components/schemas/" + name}
	case of.Kind() == reflect.Slice:
		return object{"type": "array", "items": d.schema(of.Elem())}
	case of.Kind() == reflect.Map && of.Key().Kind() == reflect.String:
		return object{"type": "object", "additionalProperties": d.schema(of.Elem())}
	case of.Kind() == reflect.String:
		return object{"type": "string"}
	case of.Kind() == reflect.Bool:
		return object{"type": "boolean"}
	case of.Kind() >= reflect.Int && of.Kind() <= reflect.Uint64:
		return object{"type": "integer"}
	}
	d.t.Fatalf("%s has no place in an answer: values are text", of)
	return nil
}

func nullable(s object) object {
	if name, ok := s["type"].(string); ok {
		s["type"] = []any{name, "null"}
		return s
	}
	return object{"anyOf": []any{s, object{"type": "null"}}}
}

func (d *describer) structure(of reflect.Type) object {
	properties, required := object{}, []string{}
	d.members(of, properties, &required)
	out := object{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
	if text := d.comments[nameOf(of)]; text != "" {
		out["description"] = text
	}
	return out
}

// members puts the members of a struct, those of embedded ones among them.
func (d *describer) members(of reflect.Type, properties object, required *[]string) {
	for i := range of.NumField() {
		f := of.Field(i)
		if f.Anonymous {
			d.members(f.Type, properties, required)
			continue
		}
		if !f.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			d.t.Fatalf("%s.%s has no name in JSON", of.Name(), f.Name)
		}
		about := d.comments[nameOf(of)+"."+f.Name]
		s := d.schema(f.Type)
		leaf := s
		for leaf["items"] != nil || leaf["additionalProperties"] != nil {
			inner, ok := leaf["items"].(object)
			if !ok {
				inner, ok = leaf["additionalProperties"].(object)
			}
			if !ok {
				break
			}
			leaf = inner
		}
		kind := f.Type
		for kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice || kind.Kind() == reflect.Map {
			kind = kind.Elem()
		}
		if kind.Kind() == reflect.String && !strings.HasPrefix(nameOf(of), "Package") { // where kinds stand beside values
			empty := "?"
			if !strings.Contains(about, "empty") {
				empty = ""
			}
			switch {
			case slices.Contains(decimals, name):
				leaf["pattern"] = `^(-?[0-9]+(\.[0-9]+)?)` + empty + `$`
			case slices.Contains(days, name) || slices.Contains(days, of.Name()+"."+name):
				leaf["pattern"] = `^([0-9]{4}-[0-9]{2}-[0-9]{2})?$`
			}
		}
		if f.Type.Kind() == reflect.Slice && strings.Contains(about, "null") {
			s = nullable(s)
		}
		if about != "" {
			if rest, ok := strings.CutPrefix(about, f.Name+" "); ok {
				about = name + " " + rest
			}
			s["description"] = about
		}
		properties[name] = s
		if !strings.Contains(options, "omitempty") {
			*required = append(*required, name)
		}
	}
}

// TestDocumentIsServed: what is served is the file, it leads to what is there, and
// each endpoint takes the parameters that it tells of and no others.
func TestDocumentIsServed(t *testing.T) {
	s, err := api.Bare(config(), &tide{})
	if err != nil {
		t.Fatal(err)
	}
	w := do(s, http.MethodGet, "/api/v1/openapi.json", "")
	file, err := os.ReadFile(documentFile)
	if err != nil || !bytes.Equal(w.Body.Bytes(), file) || w.Header().Get("ETag") == "" {
		t.Fatalf("served are %d bytes, %v", w.Body.Len(), err)
	}
	var document struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Name, In string }
		}
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(file, &document); err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`"#/components/schemas/(\w+)"`).FindAllSubmatch(file, -1) {
		if document.Components.Schemas[string(m[1])] == nil {
			t.Errorf("there is no schema %s", m[1])
		}
	}
	rows := map[string]bool{}
	for _, r := range api.Table() {
		rows[strings.ToLower(r.Method)+" "+r.Path] = true
	}
	told := map[string]bool{}
	for path, methods := range document.Paths {
		for method, operation := range methods {
			told[method+" "+path] = true
			names := []string{}
			for _, p := range operation.Parameters {
				if p.In == "query" {
					names = append(names, p.Name)
				}
			}
			w := do(s, strings.ToUpper(method), strings.ReplaceAll(path, "{campaign}", "summit")+"?nonsense=1", "")
			if taken := problem(t, w, http.StatusBadRequest).Allowed; !slices.Equal(taken, names) && len(names)+len(taken) > 0 {
				t.Errorf("%s %s takes %v, documented are %v", method, path, taken, names)
			}
		}
	}
	if !maps.Equal(rows, told) {
		t.Errorf("routes %v\ndocumented %v", rows, told)
	}
}

// documented has the schemas of the document; it keeps those that it has compiled.
var documented = sync.OnceValues(func() (*jsonschema.Compiler, error) {
	file, err := os.ReadFile(documentFile)
	if err != nil {
		return nil, err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	return c, c.AddResource("openapi.json", document)
})

// conforms holds an answer to a schema of the document.
func conforms(t testing.TB, schema string, body []byte) {
	t.Helper()
	c, err := documented()
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("openapi.json#/components/schemas/" + schema)
	if err != nil {
		t.Fatal(err)
	}
	got, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if err := compiled.Validate(got); err != nil {
		t.Errorf("%.1000s\nis no %s: %v", body, schema, err)
	}
}
