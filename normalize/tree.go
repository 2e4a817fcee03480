package normalize

import (
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"
)

// Value is one value of a payload: what JSON knows, read or made of a decoded
// Avro record. The zero Value is one that is not there. Of members of one name
// the last counts, as most readers have it.
//
// It is a piece of a flat tree in the order of the text: the value's own node
// first, then all that is inside of it. A member is found by stepping over its
// siblings, which for the few members of an event costs less than building a map
// of them.
type Value struct{ nodes []node }

// node is one value with its name, if it is a member of an object.
type node struct {
	name, text string // text of a string, a number or a boolean
	size       int32  // nodes of the subtree, this one included
	kind       kind
}

type kind uint8

// The kinds of values; the zero kind is that of a value which is not there.
const (
	kindNull kind = 1 + iota
	kindBool
	kindNumber // as it was written: amounts must not pass through a float
	kindText
	kindList
	kindObject
)

func (v Value) kind() kind {
	if len(v.nodes) == 0 {
		return 0
	}
	return v.nodes[0].kind
}

// isNull reports whether the value is null or not there.
func (v Value) isNull() bool { return v.kind() <= kindNull }

// isBlank reports whether the value is text of nothing but white space.
func (v Value) isBlank() bool {
	return v.kind() == kindText && strings.TrimSpace(v.nodes[0].text) == ""
}

// composite reports whether the value is a list or an object.
func (v Value) composite() bool { return v.kind() >= kindList }

// children yields the elements of a list or the members of an object.
func (v Value) children() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if len(v.nodes) == 0 {
			return
		}
		for rest := v.nodes[1:]; len(rest) > 0; {
			n := rest[0].size
			if !yield(Value{rest[:n]}) {
				return
			}
			rest = rest[n:]
		}
	}
}

// member returns the last member of that name; ok is false without one.
func (v Value) member(name string) (found Value, ok bool) {
	if v.kind() != kindObject {
		return Value{}, false
	}
	for rest := v.nodes[1:]; len(rest) > 0; {
		n := rest[0].size
		if rest[0].name == name {
			found, ok = Value{rest[:n]}, true
		}
		rest = rest[n:]
	}
	return found, ok
}

// List returns the elements of a list; ok is false for what is none.
func (v Value) List() (elements []Value, ok bool) {
	if v.kind() != kindList {
		return nil, false
	}
	return slices.Collect(v.children()), true
}

// Members yields the names and values of an object's members as they were
// written; nothing for other values.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.kind() != kindObject {
			return
		}
		for child := range v.children() {
			if !yield(child.nodes[0].name, child) {
				return
			}
		}
	}
}

// Text returns the text of a string; ok is false for what is none.
func (v Value) Text() (text string, ok bool) {
	if v.kind() != kindText {
		return "", false
	}
	return v.nodes[0].text, true
}

// Native returns the value as maps, slices, strings, json.Number, bool and nil,
// which is what mappings and their expressions work on.
func (v Value) Native() any {
	switch v.kind() {
	case kindBool:
		return v.nodes[0].text == textTrue
	case kindNumber:
		return json.Number(v.nodes[0].text)
	case kindText:
		return v.nodes[0].text
	case kindList:
		list := []any{}
		for child := range v.children() {
			list = append(list, child.Native())
		}
		return list
	case kindObject:
		members := map[string]any{}
		for child := range v.children() {
			members[child.nodes[0].name] = child.Native()
		}
		return members
	case kindNull:
	}
	return nil
}

// ValueOf returns the value of what [Value.Native] returns, such as a decoded
// Avro record. What is of another type is not there.
func ValueOf(native any) Value { return Value{appendNative(nil, "", native)} }

func appendNative(nodes []node, name string, native any) []node {
	at := len(nodes)
	nodes = append(nodes, node{name: name})
	n := node{name: name}
	switch v := native.(type) {
	case nil:
		n.kind = kindNull
	case bool:
		n.kind, n.text = kindBool, boolText(v)
	case json.Number:
		n.kind, n.text = kindNumber, v.String()
	case string:
		n.kind, n.text = kindText, v
	case []any:
		n.kind = kindList
		for _, e := range v {
			nodes = appendNative(nodes, "", e)
		}
	case map[string]any:
		n.kind = kindObject
		for _, name := range slices.Sorted(maps.Keys(v)) {
			nodes = appendNative(nodes, name, v[name])
		}
	}
	n.size = int32(len(nodes) - at)
	nodes[at] = n
	return nodes
}

const (
	textTrue  = "true"
	textFalse = "false"
)

func boolText(b bool) string {
	if b {
		return textTrue
	}
	return textFalse
}
