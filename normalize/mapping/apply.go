package mapping

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tracksource/identity"
	"tracksource/normalize"
)

// event is what a rule works on.
type event struct {
	body    any
	celBody any // what expressions see; nil until one asks
	// inner and parent are what the body of an element of a split array is made of.
	inner  any
	parent *event
	cost   *uint64 // of all expressions on the record; nil: nobody counts
}

// plain makes what expressions see. That of a parent is made once for all of its
// elements: a long event with a long list would be copied for each of them.
func (e *event) plain() any {
	switch {
	case e.celBody != nil:
	case e.parent == nil:
		e.celBody = plain(e.body)
	default:
		members := map[string]any{parentMember: e.parent.plain()}
		inner, _ := e.inner.(map[string]any)
		for name, v := range inner {
			if name != parentMember {
				members[name] = plain(v)
			}
		}
		e.celBody = members
	}
	return e.celBody
}

// parentMember is under which name an element of a split array sees the event that
// it came in.
const parentMember = "parent"

// apply gives the events that the rule takes of one.
func (r *rule) apply(m *Mapping, src normalize.Source, body map[string]any) []normalize.Event {
	whole := &event{body: body, cost: src.Cost}
	if r.when != nil {
		takes, err := r.when.find(whole, "")
		if err != nil {
			return []normalize.Event{failed(err)}
		}
		if takes.text == nil || *takes.text != "true" {
			return nil
		}
	}
	if r.split == nil {
		return []normalize.Event{r.single(m, src, whole)}
	}
	if list, _ := at(body, r.split); !isList(list) {
		return []normalize.Event{failed(normalize.Refuse(normalize.BadField, "%s: there is no list to split", r.name))}
	}
	var all []normalize.Event
	for _, e := range r.elements(body, src.Cost) {
		all = append(all, r.single(m, src, e))
	}
	return all
}

func isList(v any) bool {
	_, ok := v.([]any)
	return ok
}

// elements are those of the list that the rule splits, each with the event that it
// came in as its parent.
func (r *rule) elements(body map[string]any, cost *uint64) []*event {
	list, _ := at(body, r.split)
	elements, _ := list.([]any)
	outer := map[string]any{}
	for name, v := range body {
		if name != r.split[0].name {
			outer[name] = v // without the list, which would be copied for each element
		}
	}
	parent := &event{body: outer}
	var all []*event
	for _, e := range elements {
		inner, ok := e.(map[string]any)
		if !ok {
			inner = map[string]any{"value": e}
		}
		part := maps.Clone(inner)
		part[parentMember] = outer
		all = append(all, &event{body: part, inner: inner, parent: parent, cost: cost})
	}
	return all
}

func (r *rule) single(m *Mapping, src normalize.Source, e *event) normalize.Event {
	obs, err := r.observe(m, src, e)
	if err != nil {
		return failed(err)
	}
	return normalize.Event{Observations: obs}
}

// observe makes the observations of one event.
func (r *rule) observe(m *Mapping, src normalize.Source, e *event) ([]normalize.Observation, error) {
	id, err := required(r.id, e)
	if err != nil {
		return nil, err
	}
	when, err := r.time.find(e, "")
	if err != nil {
		return nil, err
	}
	if when.text == nil {
		return nil, normalize.Refuse(normalize.MissingField, "%s", r.time.field)
	}
	occurred, err := normalize.Occurred(src, when.time)
	if err != nil {
		return nil, within(r.time.field, err)
	}
	w, err := r.who(src, e)
	if err != nil {
		return nil, err
	}
	// Rules have names of their own, so that what two of them make of one event
	// stays two.
	obs := normalize.Observation{Shape: m.Source, EventID: r.name + "/" + id, OccurredAt: occurred, Unmatchable: w.unmatchable}
	if r.objectType != "" {
		return r.observeObject(src, e, obs, w)
	}
	if obs.Node = w.lowest(); obs.Node.IsZero() {
		return nil, normalize.Refuse(normalize.MissingField, "%s: %v", r.name, errNobody)
	}
	if r.touch != nil {
		if obs.Touch, err = r.observeTouch(e); err != nil {
			return nil, err
		}
	}
	links, more := w.chain(obs.Node, m.Source, occurred)
	obs.Links, obs.HashScheme = links, w.hashScheme(obs.Node)
	return append([]normalize.Observation{obs}, more...), nil
}

// required is text that an event must have.
func required(v *value, e *event) (string, error) {
	f, err := v.find(e, "")
	if err != nil {
		return "", err
	}
	if f.text == nil || *f.text == "" {
		return "", normalize.Refuse(normalize.MissingField, "%s", v.field)
	}
	return *f.text, nil
}

// optional is text that an event may have.
func optional(values map[string]*value, name string, e *event) (string, error) {
	v := values[name]
	if v == nil {
		return "", nil
	}
	f, err := v.find(e, "")
	if err != nil || f.text == nil {
		return "", err
	}
	return *f.text, nil
}

func (r *rule) observeTouch(e *event) (*normalize.Touch, error) {
	t := &normalize.Touch{}
	var firstErr error
	get := func(name string) string {
		text, err := optional(r.touch, name, e)
		if err != nil && firstErr == nil {
			firstErr = err
		}
		return text
	}
	t.Type, t.Asset = get("type"), get("asset")
	t.UTMSource, t.UTMMedium = strings.ToLower(get("utm_source")), strings.ToLower(get("utm_medium"))
	t.UTMCampaign, t.UTMTerm, t.UTMContent = get("utm_campaign"), get("utm_term"), get("utm_content")
	t.ClickID, t.Referrer = get("click_id"), normalize.ReferrerDomain(get("referrer"))
	t.CRMCampaign, t.Status, t.Session, t.Bot = get("crm_campaign"), get("status"), get("session"), get("bot") == "true"
	if address := get("url"); address != "" {
		t.SetURL(address)
	}
	if firstErr != nil {
		return nil, firstErr
	}
	if t.Type == "" {
		return nil, normalize.Refuse(normalize.MissingField, "%s", r.touch["type"].field)
	}
	return t, nil
}

func (r *rule) observeObject(src normalize.Source, e *event, obs normalize.Observation, w who) ([]normalize.Observation, error) {
	id, err := required(r.object["id"], e)
	if err != nil {
		return nil, err
	}
	if obs.Node, err = objectNode(src, r.objectType, id); err != nil {
		return nil, normalize.Refuse(normalize.BadField, "%s: %v", r.object["id"].field, err)
	}
	o := &normalize.Object{Type: r.objectType, ID: obs.Node.ID, Order: obs.OccurredAt.UnixMicro(), ModifiedAt: obs.OccurredAt}
	for _, place := range []struct {
		name string
		to   *int64
	}{{"order", &o.Order}, {"sub_order", &o.SubOrder}} {
		text, err := optional(r.object, place.name, e)
		if err != nil {
			return nil, err
		}
		if text == "" {
			continue
		}
		if *place.to, err = strconv.ParseInt(text, 10, 64); err != nil {
			return nil, normalize.Refuse(normalize.BadField, "%s: not a whole number", r.object[place.name].field)
		}
	}
	deleted, err := optional(r.object, "deleted", e)
	if err != nil {
		return nil, err
	}
	o.Deleted = deleted == "true"
	if err := r.observeFields(e, o); err != nil {
		return nil, err
	}
	obs.Object = o
	if r.objectType == "contact_role" || r.objectType == "deal_registration" {
		obs.Links = w.ofDeal(o, obs.OccurredAt)
		return []normalize.Observation{obs}, nil
	}
	links, more := w.above(obs.Node, obs.Shape, obs.OccurredAt)
	obs.Links, obs.HashScheme = links, w.hashScheme(identity.Node{})
	return append([]normalize.Observation{obs}, more...), nil
}

// observeFields reads the fields of an object. What the event does not have stays
// as it was; what is empty in it was cleared.
func (r *rule) observeFields(e *event, o *normalize.Object) error {
	currency := ""
	for _, f := range r.fields {
		if f.name != "currency" {
			continue
		}
		got, err := f.value.find(e, "")
		if err != nil {
			return err
		}
		if got.text != nil {
			currency = *got.text
		}
	}
	for _, f := range r.fields {
		got, err := f.value.find(e, currency)
		if err != nil {
			return err
		}
		if got.there {
			o.Put(f.name, got.text)
		}
	}
	return nil
}

func objectNode(src normalize.Source, objectType, id string) (identity.Node, error) {
	switch l := level(objectType); l {
	case identity.Contact:
		return src.Pseudonyms.PersonNode(l, identity.SchemeContact, src.Reporter, id)
	case identity.Lead:
		return src.Pseudonyms.PersonNode(l, identity.SchemeLead, src.Reporter, id)
	case identity.Member:
		return src.Pseudonyms.PersonNode(l, identity.SchemeMember, src.Reporter, id)
	default:
		return identity.NewNode(l, src.Reporter, normalize.PlainID(src, id))
	}
}

// who is the identities that an event names, lowest first.
type who struct {
	nodes   []identity.Node
	email   identity.Node
	company identity.Node // of the address
	// unmatchable is whether the address came ready-hashed and the event names no domain.
	unmatchable bool
}

// who reads the identities of an event.
func (r *rule) who(src normalize.Source, e *event) (w who, err error) {
	texts := map[string]string{}
	// In the order of their names: of two that fail the same one is told each time, and
	// what the record has cost by then is the same.
	for _, name := range r.identified {
		if texts[name], err = optional(r.identities, name, e); err != nil {
			return w, err
		}
	}
	refuse := func(name string) error {
		return normalize.Refuse(normalize.BadField, "%s: what it names is none", r.identities[name].field)
	}
	for _, person := range []struct {
		name   string
		level  identity.Level
		scheme identity.Scheme
	}{
		{"anonymous", identity.Anonymous, identity.SchemeAnonymous},
		{"user", identity.Person, identity.SchemeUser},
		{"marketing_lead", identity.Person, identity.SchemeLead},
		{"lead", identity.Lead, identity.SchemeLead},
		{"contact", identity.Contact, identity.SchemeContact},
	} {
		if texts[person.name] == "" {
			continue
		}
		n, err := src.Pseudonyms.PersonNode(person.level, person.scheme, src.Reporter, texts[person.name])
		if err != nil {
			return w, refuse(person.name)
		}
		w.nodes = append(w.nodes, n)
	}
	if err := w.address(src, texts, refuse); err != nil {
		return w, err
	}
	for _, record := range []struct {
		name  string
		level identity.Level
	}{{"account", identity.CRMAccount}, {"opportunity", identity.Object}} {
		if texts[record.name] == "" {
			continue
		}
		n, err := identity.NewNode(record.level, src.Reporter, normalize.PlainID(src, texts[record.name]))
		if err != nil {
			return w, refuse(record.name)
		}
		w.nodes = append(w.nodes, n)
	}
	if texts["domain"] != "" {
		if domain, ok := identity.WebsiteDomain(texts["domain"]); ok && !identity.FreeMail(domain) {
			if n, err := identity.DomainNode(domain); err == nil {
				w.nodes = append(w.nodes, n)
			}
		}
	}
	slices.SortFunc(w.nodes, func(a, b identity.Node) int { return int(a.Level) - int(b.Level) })
	return w, nil
}

// address reads e-mail addresses and phone numbers, plain or ready-hashed. What is
// no address is not an identity, and no reason to refuse the event; a plain one
// where a hash was agreed is hashed here.
func (w *who) address(src normalize.Source, texts map[string]string, refuse func(string) error) error {
	domain, plain := "", texts["email"]
	if plain == "" {
		plain = texts["email_sha256"]
	}
	if n, ok := src.EmailNode(plain); ok {
		w.email = n
		domain, _ = identity.EmailDomain(plain)
	} else if texts["email_sha256"] != "" {
		n, ok := src.Pseudonyms.HashedEmailNode(texts["email_sha256"])
		if !ok {
			return refuse("email_sha256")
		}
		w.email = n
		var brought bool
		domain, brought = identity.RegistrableDomain(texts["email_domain"])
		if _, named := identity.WebsiteDomain(texts["domain"]); !brought && !named {
			w.unmatchable = true
		}
	}
	if n, ok := src.PhoneNode(texts["phone"]); ok && w.email.IsZero() {
		w.email = n
	} else if texts["phone_sha256"] != "" && w.email.IsZero() {
		n, ok := src.Pseudonyms.HashedPhoneNode(texts["phone_sha256"])
		if !ok {
			return refuse("phone_sha256")
		}
		w.email = n
	}
	if !w.email.IsZero() {
		w.nodes = append(w.nodes, w.email)
	}
	if domain != "" && !identity.FreeMail(domain) {
		if n, err := identity.DomainNode(domain); err == nil {
			w.company = n
		}
	}
	return nil
}

// ofDeal links a contact's role on a deal, or a deal's registration, to the deal and to
// the contact that it names, and puts both into its fields. It belongs to the deal, and
// its person is the contact, whose account may be another.
func (w who) ofDeal(o *normalize.Object, when time.Time) (links []identity.Link) {
	for _, n := range w.nodes {
		switch text, id := n.String(), n.ID; n.Level {
		case identity.Contact:
			o.Put("contact", &text)
		case identity.Object:
			o.Put("opportunity_id", &id)
		default:
			continue
		}
		links = append(links, identity.Link{Parent: n, Evidence: identity.Record, At: when})
	}
	return links
}

func (w who) lowest() identity.Node {
	if len(w.nodes) == 0 {
		return identity.Node{}
	}
	return w.nodes[0]
}

// hashScheme is how an address was hashed, for the observation that has it.
func (w who) hashScheme(of identity.Node) string {
	if w.email.IsZero() || !of.IsZero() && of != w.email {
		return ""
	}
	return identity.HashScheme
}

// evidence of an identity for one above it: somebody who is known under two
// identifiers at once, and for companies what the event says of them.
func evidence(parent identity.Node) identity.Evidence {
	if parent.Level >= identity.Object {
		return identity.Asserted
	}
	return identity.Login
}

// chain links each identity to the next one above it, beginning with from, whose
// links it returns apart. An address belongs to the company of its domain.
func (w who) chain(from identity.Node, shape string, when time.Time) (first []identity.Link, more []normalize.Observation) {
	for i, n := range w.nodes {
		var links []identity.Link
		for _, parent := range w.nodes[i+1:] {
			if parent.Level > n.Level {
				links = append(links, identity.Link{Parent: parent, Evidence: evidence(parent), At: when})
				break
			}
		}
		if n == w.email && !w.company.IsZero() {
			links = append(links, identity.Link{Parent: w.company, Evidence: identity.Address, At: when})
		}
		switch {
		case n == from:
			first = links
		case len(links) > 0:
			more = append(more, normalize.Observation{Node: n, Shape: shape, OccurredAt: when, Links: links, HashScheme: w.hashScheme(n)})
		}
	}
	return first, more
}

// above links an object to the nearest identity above it by the record's own word,
// and those that name the same person below it to the object.
func (w who) above(node identity.Node, shape string, when time.Time) (links []identity.Link, more []normalize.Observation) {
	for _, parent := range w.nodes {
		if parent.Level > node.Level {
			links = append(links, identity.Link{Parent: parent, Evidence: identity.Record, At: when})
			break
		}
	}
	person := node.Level >= identity.Person && node.Level <= identity.Contact
	if person && !w.company.IsZero() {
		links = append(links, identity.Link{Parent: w.company, Evidence: identity.Address, At: when})
	}
	for _, n := range w.nodes {
		if !person || n.Level >= node.Level {
			continue
		}
		up := []identity.Link{{Parent: node, Evidence: identity.Record, At: when}}
		if n == w.email && !w.company.IsZero() {
			up = append(up, identity.Link{Parent: w.company, Evidence: identity.Address, At: when})
		}
		more = append(more, normalize.Observation{Node: n, Shape: shape, OccurredAt: when, Links: up, HashScheme: w.hashScheme(n)})
	}
	return links, more
}
