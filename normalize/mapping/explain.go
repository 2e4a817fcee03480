package mapping

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tracksource/normalize"
)

// Step says where one part of a rule's result comes from.
type Step struct {
	Rule, Field string // such as opportunity, object.fields.amount
	From        string // the path, the constant or the expression
	Found       string // what the event has there: nothing, empty, text, number, ...
	Result      string // what it becomes; hidden for people
}

// Explanation says how a mapping reads one event.
type Explanation struct {
	Rules []string // that take it
	Steps []Step
	// Unread are the members of the event that no part of these rules names.
	Unread []string
}

// hidden stands for what a person is known by.
const hidden = "(pseudonym)"

// Explain says how the mapping reads one event. It shows no identifier of a person.
func (m *Mapping) Explain(payload any) Explanation {
	var x Explanation
	body, ok := payload.(map[string]any)
	if !ok {
		return x
	}
	read := map[string]bool{}
	for _, r := range m.rules {
		e := &event{body: body}
		if r.when != nil {
			r.when.reads(read)
			if takes, err := r.when.find(e, ""); err != nil || takes.text == nil || *takes.text != "true" {
				continue
			}
		}
		x.Rules = append(x.Rules, r.name)
		elements := []*event{e}
		if r.split != nil {
			read[r.split[0].name] = true
			elements = r.elements(body, nil)
		}
		for _, part := range elements {
			for _, v := range r.values() {
				v.reads(read)
				x.Steps = append(x.Steps, v.explain(r.name, part))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		if !read[name] {
			x.Unread = append(x.Unread, name)
		}
	}
	return x
}

// values are all parts of a rule, in an order of their own.
func (r *rule) values() []*value {
	all := []*value{r.id, r.time}
	for _, part := range []map[string]*value{r.identities, r.touch, r.object} {
		for _, name := range slices.Sorted(maps.Keys(part)) {
			all = append(all, part[name])
		}
	}
	for _, f := range r.fields {
		all = append(all, f.value)
	}
	return all
}

// reads notes the members of an event that a value names: the first of its path,
// or those whose names stand in its expression.
func (v *value) reads(read map[string]bool) {
	if len(v.path) > 0 {
		read[v.path[0].name] = true
	}
	if v.program == nil {
		return
	}
	for _, word := range strings.FieldsFunc(v.program.source, func(r rune) bool {
		return r != '_' && r != '@' && r != '$' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		read[word] = true
	}
}

func (v *value) explain(rule string, e *event) Step {
	_, place, _ := strings.Cut(v.field, "].")
	s := Step{Rule: rule, Field: place}
	personal := strings.HasPrefix(place, "identities.") && !slices.Contains([]string{"identities.account", "identities.domain", "identities.opportunity", "identities.email_domain"}, place)
	switch {
	case v.constant != nil:
		s.From, s.Found = fmt.Sprintf("const %q", *v.constant), "constant"
	case v.program != nil:
		s.From, s.Found = "cel "+v.program.source, "expression"
	default:
		s.From = pathText(v.path)
		raw, there := at(e.body, v.path)
		s.Found = describe(raw, there)
	}
	got, err := v.find(e, "")
	switch {
	case err != nil:
		p := failed(err).Problem
		s.Result = "refused, " + string(p.Code) + ": " + p.Message
	case !got.there:
		s.Result = "not said"
	case got.text == nil:
		s.Result = "empty"
	case personal:
		s.Result = hidden
	default:
		s.Result = normalize.Scrub(*got.text)
	}
	return s
}

func pathText(path []step) string {
	var b strings.Builder
	for i, s := range path {
		switch {
		case s.name == "":
			fmt.Fprintf(&b, "[%d]", s.index)
			continue
		case i > 0:
			b.WriteByte('.')
		}
		if strings.ContainsAny(s.name, ".[") {
			fmt.Fprintf(&b, "%q", s.name)
		} else {
			b.WriteString(s.name)
		}
	}
	return b.String()
}

func describe(raw any, there bool) string {
	switch v := raw.(type) {
	case nil:
		if there {
			return "null"
		}
		return "nothing"
	case string:
		if normalize.Text(v) == "" {
			return "empty text"
		}
		return "text"
	case json.Number, float64:
		return "number"
	case bool:
		return "boolean"
	case []any:
		return "list"
	}
	return "object"
}
