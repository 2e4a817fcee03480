package contract

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// schemaNode is the part of JSON Schema that the contract's uses.
type schemaNode struct {
	Type                 string                 `json:"type"`
	Description          string                 `json:"description"`
	Properties           map[string]*schemaNode `json:"properties"`
	AdditionalProperties json.RawMessage        `json:"additionalProperties"`
	Items                *schemaNode            `json:"items"`
	Required             []string               `json:"required"`
	Enum                 []string               `json:"enum"`
	Pattern              string                 `json:"pattern"`
	AnyOf                []*schemaNode          `json:"anyOf"`
}

func readSchema(t *testing.T) *schemaNode {
	t.Helper()
	var s schemaNode
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	return &s
}

// TestSchemaHasEveryField: the schema and the parser know the same fields, of the
// same types, and each is described.
func TestSchemaHasEveryField(t *testing.T) {
	compareSchema(t, "", readSchema(t), reflect.TypeFor[document]())
}

func compareSchema(t *testing.T, at string, s *schemaNode, typ reflect.Type) {
	t.Helper()
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	want := map[reflect.Kind]string{reflect.Struct: "object", reflect.Map: "object", reflect.Slice: "array", reflect.String: "string", reflect.Int: "integer"}[typ.Kind()]
	// Of several forms, one is the parser's own; the others it reads into that.
	if form := slices.IndexFunc(s.AnyOf, func(form *schemaNode) bool { return form.Type == want }); form >= 0 {
		s = s.AnyOf[form]
	}
	if s.Type != want {
		t.Errorf("%s is a %q in the schema, a %v for the parser", at, s.Type, typ)
		return
	}
	switch typ.Kind() { //nolint:exhaustive // the others have no parts
	case reflect.Slice:
		compareSchema(t, at+"[]", s.Items, typ.Elem())
	case reflect.Map:
		var values schemaNode
		if err := json.Unmarshal(s.AdditionalProperties, &values); err != nil {
			t.Errorf("%s: %v", at, err)
			return
		}
		compareSchema(t, at+".*", &values, typ.Elem())
	case reflect.Struct:
		if string(s.AdditionalProperties) != "false" {
			t.Errorf("%s takes unknown fields", at)
		}
		var known []string
		for i := range typ.NumField() {
			name := typ.Field(i).Tag.Get("yaml")
			known = append(known, name)
			child := s.Properties[name]
			if child == nil {
				t.Errorf("the schema has no %s.%s", at, name)
				continue
			}
			if child.Description == "" {
				t.Errorf("%s.%s is not described", at, name)
			}
			compareSchema(t, at+"."+name, child, typ.Field(i).Type)
		}
		for name := range s.Properties {
			if !slices.Contains(known, name) {
				t.Errorf("the parser has no %s.%s", at, name)
			}
		}
		for _, name := range s.Required {
			if !slices.Contains(known, name) {
				t.Errorf("%s.%s is required and unknown", at, name)
			}
		}
	}
}

// TestSchemaTakesWhatIsValid: every valid document of the tests is valid by the
// schema, and what the schema refuses the parser refuses.
func TestSchemaTakesWhatIsValid(t *testing.T) {
	schema := readSchema(t)
	names, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, "example/ai-launch-tour.yaml") {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, bad := Parse(data)
		if faults := validate(t, schema, data); len(faults) > 0 && bad == nil {
			t.Errorf("%s is valid, and by the schema not: %v", name, faults)
		}
	}
	good, err := os.ReadFile("example/ai-launch-tour.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{"currency: USD ", "currency: usd "},
		{"role: host", "role: owner"},
		{"visibility: open", "visibility: all"},
		{"state: won", "state: gone"},
		{"zone:", "zones:"},
		{"employees_min: 1000", "employees_min: many"},
		{"lookback: 90d", "lookback: long"},
		{"days: 30", "days: [30]"},
		{"models: [first-touch", "models: [{model: linear, rest: some}"},
		{"models: [first-touch", "models: [{model: time-decay, half_life: -7d}"},
		{"models: [first-touch", "models: [{model: position-based, first: 0.4}"},
		{"models: [first-touch", "models: [{model: custom, types: {form: heavy}}"},
	} {
		doc := []byte(strings.Replace(string(good), change[0], change[1], 1))
		if string(doc) == string(good) {
			t.Fatalf("the example has no %q", change[0])
		}
		if _, err := Parse(doc); err == nil || len(validate(t, schema, doc)) == 0 {
			t.Errorf("%q: parser %v, schema %v; want both to refuse it", change[1], err, validate(t, schema, doc))
		}
	}
}

// validate holds a YAML document against the schema.
func validate(t *testing.T, s *schemaNode, data []byte) (faults []string) {
	t.Helper()
	var doc any
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return []string{err.Error()}
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return []string{err.Error()}
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	check(s, "", v, &faults)
	return faults
}

func check(s *schemaNode, at string, v any, faults *[]string) {
	if len(s.AnyOf) > 0 {
		var all []string
		for _, form := range s.AnyOf {
			var its []string
			if check(form, at, v, &its); len(its) == 0 {
				return
			}
			all = append(all, its...)
		}
		*faults = append(*faults, all...)
		return
	}
	switch v := v.(type) {
	case map[string]any:
		if s.Type != "object" {
			*faults = append(*faults, at+" is an object")
			return
		}
		var values schemaNode
		open := json.Unmarshal(s.AdditionalProperties, &values) == nil
		for name, member := range v {
			child := s.Properties[name]
			if child == nil && open {
				child = &values
			}
			if child == nil {
				*faults = append(*faults, at+"."+name+" is unknown")
				continue
			}
			check(child, at+"."+name, member, faults)
		}
		for _, name := range s.Required {
			if _, there := v[name]; !there {
				*faults = append(*faults, at+"."+name+" is missing")
			}
		}
	case []any:
		if s.Type != "array" {
			*faults = append(*faults, at+" is a list")
			return
		}
		for _, e := range v {
			check(s.Items, at+"[]", e, faults)
		}
	case string:
		if s.Type != "string" || len(s.Enum) > 0 && !slices.Contains(s.Enum, v) || s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(v) {
			*faults = append(*faults, at+" is "+v)
		}
	case float64:
		if s.Type != "integer" && s.Type != "number" {
			*faults = append(*faults, at+" is a number")
		}
	}
}
