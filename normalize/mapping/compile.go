package mapping

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"go.yaml.in/yaml/v4"

	"tracksource/identity"
)

// Bounds of a document.
const (
	rulesMax  = 100
	lookupMax = 10_000
	nameMax   = 60
)

// rule takes some events.
type rule struct {
	name       string
	when       *value // kindBool; nil: every event
	split      []step // of the array whose elements are the events; nil: the event is one
	id, time   *value
	identities map[string]*value
	identified []string          // the names of identities, in their order
	touch      map[string]*value // nil: no touch
	objectType string            // empty: no object
	object     map[string]*value
	fields     []field
}

// field is one field of an object.
type field struct {
	name  string
	value *value
}

// identityKinds are the identities that an event may name.
func identityKinds() map[string]kind {
	return kinds("anonymous", "user", "marketing_lead", "lead", "contact", "email", "email_sha256", "email_domain", "phone", "phone_sha256",
		"account", "domain", "opportunity")
}

// touchKinds are the parts of a touch.
func touchKinds() map[string]kind {
	all := kinds("type", "asset", "url", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "click_id", "referrer",
		"crm_campaign", "status", "session")
	all["bot"] = kindBool
	return all
}

// kinds are those of parts that take text.
func kinds(names ...string) map[string]kind {
	all := map[string]kind{}
	for _, name := range names {
		all[name] = kindText
	}
	return all
}

// objectKind is that of the parts of an object beside its fields.
func objectKind(name string) kind {
	switch name {
	case "order", "sub_order":
		return kindInteger
	case "deleted":
		return kindBool
	}
	return kindText
}

// fieldKind is that of a field of an object, which is text unless it is known to
// be more.
func fieldKind(name string) kind {
	switch name {
	case "amount":
		return kindAmount
	case "currency":
		return kindCurrency
	case "close_date", "expires":
		return kindDay
	case "created_at", "first_responded_at", "converted_at", "approved_at":
		return kindTime
	case "is_closed", "is_won", "is_converted", "has_responded", "is_primary":
		return kindBool
	}
	return kindText
}

func objectTypes() []string {
	return []string{"opportunity", "account", "contact", "lead", "campaign_member", "contact_role", "deal_registration", "order"}
}

// compiler turns a document into a Mapping and gathers what is wrong with it.
type compiler struct {
	root     *yaml.Node
	env      *cel.Env
	problems []Problem
}

func newCompiler(data []byte) (*compiler, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, &Error{[]Problem{{Message: strings.TrimPrefix(err.Error(), "yaml: ")}}}
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, &Error{[]Problem{{Message: "the document is empty"}}}
	}
	env, err := environment()
	if err != nil {
		return nil, &Error{[]Problem{{Message: err.Error()}}}
	}
	k := &compiler{root: doc.Content[0], env: env}
	if n := alias(k.root); n != nil {
		return nil, &Error{[]Problem{{Line: n.Line, Message: "YAML anchors and aliases are not read; write the value out"}}}
	}
	return k, nil
}

// alias finds an anchor or an alias: with them a small document can be a large one.
func alias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return n
	}
	for _, c := range n.Content {
		if found := alias(c); found != nil {
			return found
		}
	}
	return nil
}

func (k *compiler) fail(n *yaml.Node, at, format string, args ...any) {
	line := 0
	if n != nil {
		line = n.Line
	}
	k.problems = append(k.problems, Problem{Line: line, Field: at, Message: fmt.Sprintf(format, args...)})
}

func (k *compiler) sorted() []Problem {
	slices.SortStableFunc(k.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return k.problems
}

// member is a key of a YAML map with its value.
type member struct {
	key   string
	node  *yaml.Node
	where string
}

// members reads a map, of the keys given if there are any.
func (k *compiler) members(n *yaml.Node, where string, known ...string) []member {
	if n.Kind != yaml.MappingNode {
		k.fail(n, where, "want a map")
		return nil
	}
	var all []member
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		at := strings.TrimPrefix(where+"."+key, ".")
		switch {
		case slices.ContainsFunc(all, func(m member) bool { return m.key == key }):
			k.fail(n.Content[i], at, "comes twice")
		case len(known) > 0 && !slices.Contains(known, key):
			k.fail(n.Content[i], at, "is unknown; there are %s", strings.Join(known, ", "))
		default:
			all = append(all, member{key, n.Content[i+1], at})
		}
	}
	return all
}

// text reads a scalar that is not null.
func (k *compiler) text(n *yaml.Node, where string) (string, bool) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		k.fail(n, where, "want text")
		return "", false
	}
	return n.Value, true
}

func (k *compiler) compile() *Mapping {
	m := &Mapping{}
	var rules *yaml.Node
	head := false
	for _, x := range k.members(k.root, "", "mapping", "rules") {
		if x.key == "rules" {
			rules = x.node
			continue
		}
		head = true
		k.head(m, x)
	}
	if !head {
		k.fail(k.root, "mapping", "is missing: {partner: acme, feed: crm, source: name-of-the-schema}")
	}
	if rules == nil || rules.Kind != yaml.SequenceNode || len(rules.Content) == 0 || len(rules.Content) > rulesMax {
		k.fail(cmp.Or(rules, k.root), "rules", "want a list of 1 to %d rules", rulesMax)
		return m
	}
	for i, n := range rules.Content {
		r := k.rule(n, fmt.Sprintf("rules[%d]", i))
		if slices.ContainsFunc(m.rules, func(o *rule) bool { return o.name == r.name }) {
			k.fail(n, fmt.Sprintf("rules[%d].name", i), "%q comes twice", r.name)
		}
		m.rules = append(m.rules, r)
	}
	return m
}

func (k *compiler) head(m *Mapping, x member) {
	for _, y := range k.members(x.node, x.where, "partner", "feed", "source") {
		text, ok := k.text(y.node, y.where)
		if ok && !label(text) {
			k.fail(y.node, y.where, "%q is not lower case letters, digits and dashes", text)
		}
		switch y.key {
		case "partner":
			m.Partner = text
		case "feed":
			m.Feed = text
		case "source":
			m.Source = text
		}
	}
	for _, part := range []struct{ name, value string }{{"partner", m.Partner}, {"feed", m.Feed}, {"source", m.Source}} {
		if part.value == "" {
			k.fail(x.node, x.where+"."+part.name, "is missing")
		}
	}
	if slices.Contains([]string{"salesforce", "hubspot", "marketo", "ga4", "segment", "snowplow"}, m.Source) {
		k.fail(x.node, x.where+".source", "%q is the name of a built-in shape: choose another", m.Source)
	}
}

func label(text string) bool {
	return text != "" && len(text) <= nameMax && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

func (k *compiler) rule(n *yaml.Node, where string) *rule {
	r := &rule{}
	for _, x := range k.members(n, where, "name", "when", "split", "id", "time", "identities", "touch", "object") {
		switch x.key {
		case "name":
			if r.name, _ = k.text(x.node, x.where); !label(r.name) {
				k.fail(x.node, x.where, "want lower case letters, digits and dashes")
			}
		case "when":
			r.when = k.when(x)
		case "split":
			r.split = k.path(x)
		case "id":
			r.id = k.value(x, kindText)
		case "time":
			r.time = k.value(x, kindTime)
		case "identities":
			r.identities = k.values(x, identityKinds())
			r.identified = slices.Sorted(maps.Keys(r.identities))
		case "touch":
			r.touch = k.values(x, touchKinds())
		case "object":
			k.object(r, x)
		}
	}
	k.whole(r, n, where)
	return r
}

// whole refuses a rule without a part that it needs.
func (k *compiler) whole(r *rule, n *yaml.Node, where string) {
	if n.Kind != yaml.MappingNode {
		return
	}
	for _, part := range []struct {
		name  string
		there bool
	}{{"name", r.name != ""}, {"id", r.id != nil}, {"time", r.time != nil}} {
		if !part.there {
			k.fail(n, where+"."+part.name, "is missing")
		}
	}
	switch {
	case r.touch != nil && r.objectType != "":
		k.fail(n, where, "a rule is about a touch or about an object: write two rules")
	case r.touch != nil && r.touch["type"] == nil:
		k.fail(n, where+".touch.type", "is missing")
	}
	someone := false
	for name := range r.identities {
		someone = someone || name != "email_domain" && name != "opportunity"
	}
	if r.objectType == "" && !someone {
		k.fail(n, where+".identities", "is missing: whom is the event about?")
	}
	if r.objectType == "deal_registration" && r.identities["opportunity"] == nil {
		k.fail(n, where+".identities.opportunity", "is missing: which deal is registered?")
	}
	if r.identities["email_domain"] != nil && r.identities["email_sha256"] == nil {
		k.fail(n, where+".identities.email_domain", "belongs to email_sha256: an address has its own")
	}
}

// when reads a condition: an expression, or {path: a.b, equals: x}, or
// {path: a.b, in: [x, y]}.
func (k *compiler) when(x member) *value {
	if x.node.Kind == yaml.ScalarNode {
		return k.expression(x, kindBool, &value{field: x.where, kind: kindBool})
	}
	v := &value{field: x.where, kind: kindBool, lookup: map[string]string{}, otherwise: new("false")}
	for _, y := range k.members(x.node, x.where, "path", "equals", "in") {
		switch y.key {
		case "path":
			v.path = k.path(y)
		case "equals":
			if text, ok := k.text(y.node, y.where); ok {
				v.lookup[text] = "true"
			}
		case "in":
			if y.node.Kind != yaml.SequenceNode {
				k.fail(y.node, y.where, "want a list")
				continue
			}
			for _, e := range y.node.Content {
				if text, ok := k.text(e, y.where); ok {
					v.lookup[text] = "true"
				}
			}
		}
	}
	if v.path == nil || len(v.lookup) == 0 {
		k.fail(x.node, x.where, "want {path: a.b, equals: x}, {path: a.b, in: [x, y]} or an expression")
	}
	return v
}

func (k *compiler) object(r *rule, x member) {
	r.object = map[string]*value{}
	for _, y := range k.members(x.node, x.where, "type", "id", "order", "sub_order", "deleted", "fields") {
		switch y.key {
		case "type":
			if r.objectType, _ = k.text(y.node, y.where); !slices.Contains(objectTypes(), r.objectType) {
				k.fail(y.node, y.where, "%q is none of %s", r.objectType, strings.Join(objectTypes(), ", "))
			}
		case "fields":
			for _, z := range k.members(y.node, y.where) {
				if !label(z.key) {
					k.fail(z.node, z.where, "a field is named by lower case letters, digits and underscores")
				}
				r.fields = append(r.fields, field{z.key, k.value(z, fieldKind(z.key))})
			}
		default:
			r.object[y.key] = k.value(y, objectKind(y.key))
		}
	}
	slices.SortFunc(r.fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	if r.objectType == "" {
		k.fail(x.node, x.where+".type", "is missing")
	}
	if r.object["id"] == nil {
		k.fail(x.node, x.where+".id", "is missing")
	}
}

func (k *compiler) values(x member, kinds map[string]kind) map[string]*value {
	known := make([]string, 0, len(kinds))
	for name := range kinds {
		known = append(known, name)
	}
	slices.Sort(known)
	out := map[string]*value{}
	for _, y := range k.members(x.node, x.where, known...) {
		out[y.key] = k.value(y, kinds[y.key])
	}
	return out
}

// value reads where a part of an event is: a path, or a map that says more.
func (k *compiler) value(x member, want kind) *value {
	v := &value{field: x.where, kind: want, layout: formatRFC3339, zone: time.UTC}
	if x.node.Kind == yaml.ScalarNode {
		v.path = k.path(x)
		return v
	}
	sources := 0
	for _, y := range k.members(x.node, x.where, "path", "const", "cel", "lookup", "default", "format", "zone", "lower") {
		switch y.key {
		case "path":
			v.path = k.path(y)
			sources++
		case "const":
			if text, ok := k.text(y.node, y.where); ok {
				v.constant = &text
			}
			sources++
		case "cel":
			k.expression(y, want, v)
			sources++
		case "default":
			if text, ok := k.text(y.node, y.where); ok {
				v.otherwise = &text
			}
		case "lookup":
			v.lookup = k.lookup(y)
		case "lower":
			v.lower = y.node.Value == "true"
			if want != kindText || y.node.Tag != "!!bool" {
				k.fail(y.node, y.where, "want true or false, and a target that takes text")
			}
		case "format", "zone":
			k.timing(y, v)
		}
	}
	if sources != 1 {
		k.fail(x.node, x.where, "want one of path, const and cel")
	}
	k.constants(x, v)
	return v
}

// constants refuses what is written down and can never fit.
func (k *compiler) constants(x member, v *value) {
	var texts []string
	if v.constant != nil && v.lookup == nil {
		texts = append(texts, *v.constant)
	}
	if v.otherwise != nil {
		texts = append(texts, *v.otherwise)
	}
	for _, text := range v.lookup {
		texts = append(texts, text)
	}
	slices.Sort(texts)
	for _, text := range texts {
		if _, err := v.convert(text, ""); err != nil {
			k.fail(x.node, x.where, "%q is not %v", text, v.kind)
		}
	}
}

func (k *compiler) timing(y member, v *value) {
	text, ok := k.text(y.node, y.where)
	if !ok {
		return
	}
	if v.kind != kindTime {
		k.fail(y.node, y.where, "only a time has it")
		return
	}
	if y.key == "zone" {
		zone, err := time.LoadLocation(text)
		if err != nil || text == "" || text == "Local" {
			k.fail(y.node, y.where, "%q is not an IANA time zone; write one such as Europe/Berlin", text)
			return
		}
		v.zone = zone
		return
	}
	layout, ok := layoutOf(text)
	if !ok {
		k.fail(y.node, y.where, "%q is none of rfc3339, unix, unix-ms, unix-us, nor made of YYYY, MM, DD, hh, mm, ss, .fff, ZZ", text)
		return
	}
	v.layout = layout
}

func (k *compiler) path(x member) []step {
	text, ok := k.text(x.node, x.where)
	if !ok {
		return nil
	}
	steps, ok := parsePath(text)
	if !ok {
		k.fail(x.node, x.where, "%q is not a path such as a.b[0].c; a name with dots stands in double quotes", text)
	}
	return steps
}

func (k *compiler) expression(x member, want kind, v *value) *value {
	text, ok := k.text(x.node, x.where)
	if !ok {
		return v
	}
	p, err := newProgram(k.env, text, want)
	if err != nil {
		k.fail(x.node, x.where, "%v", err)
	}
	v.program = p
	return v
}

func (k *compiler) lookup(x member) map[string]string {
	out := map[string]string{}
	for _, y := range k.members(x.node, x.where) {
		if text, ok := k.text(y.node, y.where); ok {
			out[y.key] = text
		}
	}
	if len(out) > lookupMax {
		k.fail(x.node, x.where, "%d entries, at most %d are read", len(out), lookupMax)
	}
	return out
}

// errNobody says that an event is about nobody.
var errNobody = errors.New("none of its identities is there")

// level returns that of the node of an object's type.
func level(objectType string) identity.Level {
	switch objectType {
	case "opportunity":
		return identity.Object
	case "account":
		return identity.CRMAccount
	case "contact":
		return identity.Contact
	case "lead":
		return identity.Lead
	case "order":
		return identity.Order
	}
	return identity.Member
}
