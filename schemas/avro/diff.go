package avro

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	twmb "github.com/twmb/avro"
)

// Change is one difference between two schemas.
type Change struct {
	Field string // path such as touch.utm_source; [] is an element, {} a value of a map
	From  string // its type, with the default; empty: it was not there
	To    string // empty: it is not there any more
}

// String is the change on one line.
func (c Change) String() string {
	field := c.Field
	if field == "" {
		field = "(the schema)"
	}
	switch {
	case c.From == "":
		return fmt.Sprintf("added    %s: %s", field, c.To)
	case c.To == "":
		return fmt.Sprintf("removed  %s: %s", field, c.From)
	}
	return fmt.Sprintf("changed  %s: from %s to %s", field, c.From, c.To)
}

// Diff lists what differs between two schemas, by path. The order of fields,
// documentation and aliases do not differ. Text that is not Avro is [ErrSchema].
func Diff(from, to string) ([]Change, error) {
	older, err := outline(from)
	if err != nil {
		return nil, fmt.Errorf("the first schema: %w", err)
	}
	newer, err := outline(to)
	if err != nil {
		return nil, fmt.Errorf("the second schema: %w", err)
	}
	var changes []Change
	for path, was := range older {
		if is := newer[path]; is != was {
			changes = append(changes, Change{path, was, is})
		}
	}
	for path, is := range newer {
		if _, known := older[path]; !known {
			changes = append(changes, Change{path, "", is})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Field, b.Field) })
	return changes, nil
}

// outline gives the type of every path of a schema.
func outline(text string) (map[string]string, error) {
	if _, err := twmb.Parse(text); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	var root any
	if err := json.Unmarshal([]byte(text), &root); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	o := outliner{paths: map[string]string{}, named: map[string]map[string]any{}}
	o.paths[""] = o.walk("", "", root)
	return o.paths, nil
}

type outliner struct {
	paths map[string]string
	named map[string]map[string]any // types by full name
}

// walk notes what is below a path and returns the type that is at it. A named
// type is noted where it is defined; elsewhere its name says all.
func (o *outliner) walk(path, space string, schema any) string {
	switch s := schema.(type) {
	case string:
		if full := qualified(s, space); o.named[full] != nil {
			return full
		}
		return s
	case []any:
		branches := make([]string, len(s))
		for i, branch := range s {
			branches[i] = o.walk(path, space, branch)
		}
		return strings.Join(branches, " or ")
	case map[string]any:
		return o.complex(path, space, s)
	}
	return fmt.Sprint(schema)
}

func (o *outliner) complex(path, space string, s map[string]any) string {
	kind, plain := s["type"].(string)
	if !plain {
		return o.walk(path, space, s["type"])
	}
	switch kind {
	case "array":
		return "array of " + o.walk(path+"[]", space, s["items"])
	case "map":
		return "map of " + o.walk(path+"{}", space, s["values"])
	case "record", "error", "enum", "fixed":
		return o.name(path, space, kind, s)
	}
	text := o.walk(path, space, kind)
	return text + o.logical(s)
}

// name notes a named type and returns it with what it is made of.
func (o *outliner) name(path, space, kind string, s map[string]any) string {
	name, _ := s["name"].(string)
	if own, ok := s["namespace"].(string); ok {
		space = own
	}
	full := qualified(name, space)
	if i := strings.LastIndex(full, "."); i >= 0 {
		space = full[:i]
	}
	o.named[full] = s
	switch kind {
	case "enum":
		symbols, _ := s["symbols"].([]any)
		return fmt.Sprintf("enum %s %v%s", full, symbols, byDefault(s))
	case "fixed":
		return fmt.Sprintf("fixed %s of %v bytes", full, s["size"]) + o.logical(s)
	}
	fields, _ := s["fields"].([]any)
	for _, f := range fields {
		field, _ := f.(map[string]any)
		at, _ := field["name"].(string)
		if path != "" {
			at = path + "." + at
		}
		o.paths[at] = o.walk(at, space, field["type"]) + byDefault(field)
	}
	return kind + " " + full
}

func (*outliner) logical(s map[string]any) string {
	switch s["logicalType"] {
	case nil:
		return ""
	case "decimal":
		scale := s["scale"]
		if scale == nil {
			scale = 0
		}
		return fmt.Sprintf(" (decimal, precision %v, scale %v)", s["precision"], scale)
	}
	return fmt.Sprintf(" (%v)", s["logicalType"])
}

func byDefault(s map[string]any) string {
	value, given := s["default"]
	if !given {
		return ""
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return ", default " + string(text)
}

func qualified(name, space string) string {
	if space == "" || strings.Contains(name, ".") {
		return name
	}
	return space + "." + name
}
