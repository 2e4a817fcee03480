// Package mapping compiles what a partner says of its own schema, and applies it
// to events. It knows the document, paths into an event and expressions of CEL;
// what identities, touches and objects are it leaves to normalize. It keeps no
// state and does no input or output.
//
// A mapping is a YAML document for one feed of one partner. Each of its rules says
// which events it takes and where their parts are:
//
//	mapping: {partner: acme, feed: crm, source: dynamics}
//	rules:
//	  - name: opportunity
//	    when: {path: "@odata.type", equals: "#Microsoft.Dynamics.CRM.opportunity"}
//	    id: {cel: 'event.opportunityid + "/" + event.versionnumber'}
//	    time: modifiedon
//	    identities: {account: _parentaccountid_value}
//	    object:
//	      type: opportunity
//	      id: opportunityid
//	      fields:
//	        stage: {path: statuscode, lookup: {"1": Qualification, "3": Won}}
//	        amount: estimatedvalue
//	        currency: {const: EUR}
package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"tracksource/normalize"
)

// The codes of events that a mapping cannot use, beside those of normalize.
const (
	Failed normalize.Code = "mapping_failed" // an expression failed on the event
	Cost   normalize.Code = "mapping_cost"   // an expression cost too much on the event
)

// Mapping is a compiled document. It is safe for concurrent use.
type Mapping struct {
	Partner, Feed string
	Source        string // name of the schema, the shape of all observations
	Hash          string // SHA-256 of the document, in hexadecimal
	rules         []*rule
}

// Problem is one thing that is wrong with a document.
type Problem struct {
	Line    int    // from 1; 0 without a place
	Field   string // such as rules[0].object.fields.amount
	Message string
}

// String gives "line 4: rules[0].id: message".
func (p Problem) String() string {
	var parts []string
	if p.Line > 0 {
		parts = append(parts, fmt.Sprintf("line %d", p.Line))
	}
	if p.Field != "" {
		parts = append(parts, p.Field)
	}
	return strings.Join(append(parts, p.Message), ": ")
}

// Error is every problem of a document, by line.
type Error struct{ Problems []Problem }

// Error gives one problem on each line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return "mapping is not valid:\n  " + strings.Join(lines, "\n  ")
}

// BytesMax bounds a document.
const BytesMax = 256 << 10

// Parse compiles a document. The error is an *Error.
func Parse(data []byte) (*Mapping, error) {
	if len(data) > BytesMax {
		return nil, &Error{[]Problem{{Message: fmt.Sprintf("%d bytes, at most %d are read", len(data), BytesMax)}}}
	}
	k, err := newCompiler(data)
	if err != nil {
		return nil, err
	}
	m := k.compile()
	if len(k.problems) > 0 {
		return nil, &Error{k.sorted()}
	}
	sum := sha256.Sum256(data)
	m.Hash = hex.EncodeToString(sum[:])
	return m, nil
}

// Decode reads a JSON payload as normalize does, with its bounds, and applies the
// mapping to it.
func (m *Mapping) Decode(src normalize.Source, payload []byte) []normalize.Event {
	v, err := normalize.DecodeJSON(payload)
	if err != nil {
		return []normalize.Event{failed(err)}
	}
	return m.Apply(src, v)
}

// Apply maps a decoded event: maps, slices, strings, json.Number, bool and nil. An
// array holds an event in each element.
func (m *Mapping) Apply(src normalize.Source, event any) []normalize.Event {
	src = counted(src)
	if list, ok := event.([]any); ok {
		var all []normalize.Event
		for _, e := range list {
			all = append(all, m.one(src, e)...)
		}
		if len(all) == 0 {
			all = []normalize.Event{failed(normalize.Refuse(normalize.UnknownShape, "the array is empty"))}
		}
		return all
	}
	return m.one(src, event)
}

func (m *Mapping) one(src normalize.Source, event any) []normalize.Event {
	if all, taken := m.Take(src, event); taken {
		return all
	}
	if _, ok := event.(map[string]any); !ok {
		return []normalize.Event{failed(normalize.Refuse(normalize.UnknownShape, "an event is an object"))}
	}
	return []normalize.Event{failed(normalize.Refuse(normalize.UnknownShape, "no rule of the mapping takes it"))}
}

// Take maps one event, if any rule takes it.
func (m *Mapping) Take(src normalize.Source, event any) (all []normalize.Event, taken bool) {
	body, ok := event.(map[string]any)
	if !ok {
		return nil, false
	}
	src = counted(src)
	for _, r := range m.rules {
		all = append(all, r.apply(m, src, body)...)
	}
	return normalize.Scrubbed(src, all), len(all) > 0
}

// counted sees to it that what expressions cost is counted.
func counted(src normalize.Source) normalize.Source {
	if src.Cost == nil {
		src.Cost = new(uint64)
	}
	return src
}

func failed(err error) normalize.Event {
	var p *normalize.Problem
	if !errors.As(err, &p) {
		p = &normalize.Problem{Code: normalize.BadField, Message: err.Error()}
	}
	return normalize.Event{Problem: p}
}
