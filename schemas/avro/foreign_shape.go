package avro

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	twmb "github.com/twmb/avro"
)

const (
	// foreignDigitsMax bounds a decimal's precision: writing n digits costs n².
	foreignDigitsMax = 256
	// foreignShapesMax bounds the types of one schema.
	foreignShapesMax = 1 << 16
)

// shape is a writer's schema as the steps of decode need it. Named types are
// shared, so that a recursive schema is a cycle of shapes.
type shape struct {
	kind     string // as Avro names it; record also stands for error
	name     string // made up, for records, enums and fixed
	fields   []shapeField
	items    *shape   // of arrays and maps
	branches []*shape // of unions
	symbols  []string // of enums
	size     int      // of fixed

	logical          string // one of those that plain knows, on the type it is defined for, else empty
	precision, scale int    // of decimals
}

type shapeField struct {
	name  string
	shape *shape
}

// parseShape gives the shape of a schema and the name of its outermost type.
func parseShape(text string) (*shape, string, error) {
	parsed, err := twmb.Parse(text)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrSchema, err)
	}
	b := shaper{named: make(map[string]*shape)}
	root := parsed.Root()
	// Two passes, because a type may be used before it is defined.
	if err := b.declare(root, ""); err != nil {
		return nil, "", err
	}
	out, err := b.build(root, "")
	if err != nil {
		return nil, "", err
	}
	name := out.kind
	if out.name != "" {
		name, _ = fullName(root)
	}
	return out, name, nil
}

// shaper builds shapes from the tree of a parsed schema.
type shaper struct {
	named map[string]*shape // by full name
	count int
}

// fullName gives the full name of a named type and the namespace within it.
func fullName(n *twmb.SchemaNode) (full, namespace string) {
	if at := strings.LastIndexByte(n.Name, '.'); at >= 0 {
		return n.Name, n.Name[:at]
	}
	// The parser has resolved the namespace: none means none, not the enclosing one.
	if n.Namespace == "" {
		return n.Name, ""
	}
	return n.Namespace + "." + n.Name, n.Namespace
}

func isNamed(kind string) bool {
	return kind == "record" || kind == "error" || kind == "enum" || kind == "fixed"
}

// declare gives each named type under n a shape, still empty.
func (b *shaper) declare(n *twmb.SchemaNode, namespace string) error {
	b.count++
	if b.count > foreignShapesMax {
		return fmt.Errorf("%w: more than %d types", ErrSchema, foreignShapesMax)
	}
	if isNamed(n.Type) {
		var full string
		full, namespace = fullName(n)
		b.named[full] = &shape{name: "t" + strconv.Itoa(len(b.named))}
	}
	return b.children(n, func(child *twmb.SchemaNode) error { return b.declare(child, namespace) })
}

func (b *shaper) children(n *twmb.SchemaNode, visit func(*twmb.SchemaNode) error) error {
	for i := range n.Fields {
		if err := visit(&n.Fields[i].Type); err != nil {
			return err
		}
	}
	for i := range n.Branches {
		if err := visit(&n.Branches[i]); err != nil {
			return err
		}
	}
	for _, child := range []*twmb.SchemaNode{n.Items, n.Values} {
		if child == nil {
			continue
		}
		if err := visit(child); err != nil {
			return err
		}
	}
	return nil
}

// build fills the shape of n in, and of all under it.
func (b *shaper) build(n *twmb.SchemaNode, namespace string) (*shape, error) {
	s := new(shape)
	switch {
	case isNamed(n.Type):
		var full string
		full, namespace = fullName(n)
		s = b.named[full]
	case !isPlainKind(n.Type):
		return b.refer(n.Type, namespace)
	}
	s.kind = n.Type
	if s.kind == "error" {
		s.kind = "record"
	}
	s.symbols, s.size = n.Symbols, n.Size
	if err := s.setLogical(n); err != nil {
		return nil, err
	}
	for i := range n.Fields {
		child, err := b.build(&n.Fields[i].Type, namespace)
		if err != nil {
			return nil, err
		}
		s.fields = append(s.fields, shapeField{n.Fields[i].Name, child})
	}
	for i := range n.Branches {
		child, err := b.build(&n.Branches[i], namespace)
		if err != nil {
			return nil, err
		}
		s.branches = append(s.branches, child)
	}
	for _, child := range []*twmb.SchemaNode{n.Items, n.Values} {
		if child == nil {
			continue
		}
		items, err := b.build(child, namespace)
		if err != nil {
			return nil, err
		}
		s.items = items
	}
	return s, nil
}

func isPlainKind(kind string) bool {
	switch kind {
	case "null", "boolean", "int", "long", "float", "double", "bytes", "string", "array", "map", "union":
		return true
	default:
		return false
	}
}

// refer gives the shape of a type that is named, not defined, here.
func (b *shaper) refer(name, namespace string) (*shape, error) {
	if !strings.Contains(name, ".") && namespace != "" {
		if s, ok := b.named[namespace+"."+name]; ok {
			return s, nil
		}
	}
	if s, ok := b.named[name]; ok {
		return s, nil
	}
	return nil, fmt.Errorf("%w: type %q is not defined", ErrSchema, name)
}

// setLogical keeps a logical type on the type that Avro defines it for; on
// another it means nothing, and an unknown one neither.
func (s *shape) setLogical(n *twmb.SchemaNode) error {
	switch n.LogicalType {
	case "decimal":
		if s.kind != "bytes" && s.kind != "fixed" {
			return nil
		}
		if n.Precision < 1 || n.Precision > foreignDigitsMax || n.Scale < 0 || n.Scale > n.Precision {
			return fmt.Errorf("%w: a decimal has a precision of 1 to %d and a scale within it", ErrSchema, foreignDigitsMax)
		}
		s.precision, s.scale = n.Precision, n.Scale
	case "date", "time-millis":
		if s.kind != "int" {
			return nil
		}
	case "time-micros", "timestamp-millis", "timestamp-micros", "timestamp-nanos",
		"local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos":
		if s.kind != "long" {
			return nil
		}
	case "uuid":
		if s.kind != "fixed" || s.size != uuidBytes {
			return nil // a uuid in a string is a string
		}
	default:
		return nil
	}
	s.logical = n.LogicalType
	return nil
}

// goavroText writes the shape as a schema without logical types and with names
// made up: goavro then gives plain values, and the branch of a union has a name
// that we know, whatever namespaces the writer played with.
func (s *shape) goavroText() (string, error) {
	text, err := json.Marshal(s.goavro(make(map[*shape]bool)))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrSchema, err)
	}
	return string(text), nil
}

func (s *shape) goavro(defined map[*shape]bool) any {
	if s.name != "" {
		if defined[s] {
			return s.name
		}
		defined[s] = true
	}
	switch s.kind {
	case "record":
		fields := make([]any, 0, len(s.fields))
		for _, f := range s.fields {
			fields = append(fields, map[string]any{"name": f.name, "type": f.shape.goavro(defined)})
		}
		return map[string]any{"type": "record", "name": s.name, "fields": fields}
	case "enum":
		return map[string]any{"type": "enum", "name": s.name, "symbols": s.symbols}
	case "fixed":
		return map[string]any{"type": "fixed", "name": s.name, "size": s.size}
	case "array":
		return map[string]any{"type": "array", "items": s.items.goavro(defined)}
	case "map":
		return map[string]any{"type": "map", "values": s.items.goavro(defined)}
	case "union":
		branches := make([]any, 0, len(s.branches))
		for _, b := range s.branches {
			branches = append(branches, b.goavro(defined))
		}
		return branches
	default:
		return s.kind
	}
}

// branchName is what goavro calls the shape as a branch of a union.
func (s *shape) branchName() string {
	if s.name != "" {
		return s.name
	}
	return s.kind
}
