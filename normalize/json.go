package normalize

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// decodeJSON reads one JSON value as maps, slices, strings, json.Number, bool and
// nil. A number stays the text that it is: amounts must not pass through a float.
// Of members of one name the last counts, as most readers have it.
func decodeJSON(payload []byte) (any, error) {
	if len(payload) > BytesMax {
		return nil, problem(TooLarge, "%d bytes, at most %d are read", len(payload), BytesMax)
	}
	if !utf8.Valid(payload) {
		return nil, problem(Undecodable, "not UTF-8")
	}
	// Half of a surrogate pair is no reason to lose an event: it becomes U+FFFD.
	r := jsonReader{jsontext.NewDecoder(bytes.NewBuffer(payload), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
	v, err := r.value(0)
	if err != nil {
		return nil, r.problem(err)
	}
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, problem(Undecodable, "more than one JSON value")
	}
	return v, nil
}

type jsonReader struct{ dec *jsontext.Decoder }

func (r jsonReader) problem(err error) error {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return problem(Undecodable, "not JSON at byte %d", r.dec.InputOffset())
}

// value reads the next value, which depth arrays and objects are around.
func (r jsonReader) value(depth int) (any, error) {
	kind := r.dec.PeekKind()
	if kind != '{' && kind != '[' {
		return r.scalar()
	}
	if depth++; depth > DepthMax {
		return nil, problem(TooDeep, "nested deeper than %d", DepthMax)
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return nil, err
	}
	if kind == '[' {
		list := []any{}
		for r.dec.PeekKind() != ']' {
			v, err := r.value(depth)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := r.dec.ReadToken()
		return list, err
	}
	members := map[string]any{}
	for r.dec.PeekKind() != '}' {
		name, err := r.text()
		if err != nil {
			return nil, err
		}
		if members[name], err = r.value(depth); err != nil {
			return nil, err
		}
	}
	_, err := r.dec.ReadToken()
	return members, err
}

func (r jsonReader) text() (string, error) {
	t, err := r.dec.ReadToken()
	if err != nil {
		return "", err
	}
	return t.String(), nil
}

func (r jsonReader) scalar() (any, error) {
	t, err := r.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch t.Kind() { //nolint:exhaustive // of scalars only null is left
	case '"':
		return t.String(), nil
	case '0':
		return json.Number(t.String()), nil
	case 't', 'f':
		return t.Bool(), nil
	}
	return nil, nil
}
