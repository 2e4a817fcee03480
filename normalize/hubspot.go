package normalize

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"tracksource/identity"
)

const shapeHubspot = "hubspot"

func hubspotHookShape() shape {
	return shape{
		detect: func(o object) bool { return o.has("subscriptionType") && o.has("occurredAt") },
		read:   hubspotHook,
	}
}

func hubspotObjectShape() shape {
	return shape{
		detect: func(o object) bool {
			return o.at("properties").kind() == kindObject && o.has("id") && (o.has("updatedAt") || o.has("createdAt") || o.has("archived"))
		},
		read: func(src Source, o object) []Event { return single(hubspotObject(src, o)) },
	}
}

// hubspotTypes are the canonical types of HubSpot's objects, by name and by
// objectTypeId.
func hubspotType(name string) string {
	switch strings.ToLower(name) {
	case "deal", "deals", "0-3":
		return "opportunity"
	case "company", "companies", "0-2":
		return "account"
	case "contact", "contacts", "0-1":
		return "contact"
	}
	return ""
}

func hubspotNode(src Source, typ, id string) (identity.Node, error) {
	switch typ {
	case "opportunity":
		return identity.NewNode(identity.Object, src.Reporter, plainID(src, id))
	case "account":
		return companyNode(src, id)
	case "contact":
		return src.Pseudonyms.PersonNode(identity.Contact, identity.SchemeContact, src.Reporter, id)
	}
	return identity.Node{}, problem(UnknownShape, "HubSpot object of another type")
}

// hubspotHook normalises one event of a webhook batch,
// https://developers.hubspot.com/docs/api/webhooks. Events bring one property
// each and come in no order; occurredAt orders them. Their eventId is not
// unique, and an attempt repeats them, so that an event is known by what it says.
func hubspotHook(src Source, o object) []Event {
	subject, action, _ := strings.Cut(o.text("subscriptionType"), ".")
	if subject == "object" {
		subject = o.text("objectTypeId")
	}
	typ := hubspotType(subject)
	if typ == "" {
		return []Event{failed(problem(UnknownShape, "HubSpot object of another type"))}
	}
	at, err := o.moment("occurredAt")
	if err != nil {
		return []Event{failed(err)}
	}
	if at, err = occurred(src, at); err != nil {
		return []Event{failed(err)}
	}
	h := hubspotEvent{src: src, body: o, typ: typ, at: at}
	switch action {
	case "merge":
		return h.merge()
	case "associationChange":
		return single(h.association())
	case "creation", "deletion", "privacyDeletion", "restore", "propertyChange":
		return single(h.change(action))
	}
	return []Event{failed(problem(UnknownShape, "HubSpot subscription of another type"))}
}

type hubspotEvent struct {
	src  Source
	body object
	typ  string
	at   time.Time
}

// observe begins the observation of one object. The id is a pseudonym, since a
// property may be an address and a contact's id is a person's.
func (h *hubspotEvent) observe(id string, what ...string) (Observation, error) {
	node, err := hubspotNode(h.src, h.typ, id)
	if err != nil {
		return Observation{}, problem(BadField, "object id: %v", err)
	}
	said := append([]string{h.body.text("portalId"), h.body.text("subscriptionType"), h.typ, id, strconv.FormatInt(h.at.UnixMilli(), 10)}, what...)
	return Observation{
		Node: node, Shape: shapeHubspot, OccurredAt: h.at,
		EventID: h.src.Pseudonyms.Pseudonym(identity.SchemeEvent, h.src.Reporter, strings.Join(said, "\x00")),
	}, nil
}

// update is the object's part of an observation. Changes come before the state
// of a whole object at one instant: SubOrder 1 and 0, for the reason given at
// sfSubOrder.
func (h *hubspotEvent) update(obs *Observation, typ, id string) {
	obs.Object = &Object{Type: typ, ID: id, Order: h.at.UnixMilli(), SubOrder: 1, ModifiedAt: h.at}
}

func (h *hubspotEvent) change(action string) ([]Observation, error) {
	id, err := h.body.required("objectId")
	if err != nil {
		return nil, err
	}
	name, value := h.body.text("propertyName"), h.body.at("propertyValue")
	obs, err := h.observe(id, name, asText(value))
	if err != nil {
		return nil, err
	}
	h.update(&obs, h.typ, obs.Node.ID)
	switch action {
	case "deletion", "privacyDeletion":
		obs.Object.Deleted = true
	case "creation":
		obs.Object.set("created_at", h.at.Format(time.RFC3339Nano))
	case "propertyChange":
		if name == "" {
			return nil, problem(MissingField, "propertyName")
		}
		more, err := hubspotProperties(h.src, &obs, object{named: map[string]Value{name: value}})
		if len(obs.Object.Fields) == 0 {
			obs.Object = nil // a property that is not read
		}
		return append([]Observation{obs}, more...), err
	}
	return []Observation{obs}, nil
}

// merge says that objects became one, which for deals also means that the
// others are no more: their amounts would count twice.
func (h *hubspotEvent) merge() []Event {
	primary, err := h.body.required("primaryObjectId")
	if err != nil {
		return []Event{failed(err)}
	}
	survivor := h.body.text("newObjectId")
	if survivor == "" {
		survivor = primary
	}
	gone := []string{primary}
	for _, v := range h.body.list("mergedObjectIds") {
		gone = append(gone, asText(v))
	}
	slices.Sort(gone)
	gone = slices.DeleteFunc(slices.Compact(gone), func(id string) bool { return id == survivor || id == "" })
	if err := atMost(len(gone), mergedMax, "merged objects"); err != nil {
		return []Event{failed(err)}
	}
	obs, err := h.observe(survivor, gone...)
	if err != nil {
		return []Event{failed(err)}
	}
	events := []Event{{}}
	for _, id := range gone {
		other, err := h.observe(id, "merged into", survivor)
		if err != nil {
			return []Event{failed(err)}
		}
		obs.Merged = append(obs.Merged, other.Node)
		if h.typ == "opportunity" {
			h.update(&other, h.typ, other.Node.ID)
			other.Object.Deleted = true
			events = append(events, Event{Observations: []Observation{other}})
		}
	}
	events[0].Observations = []Observation{obs}
	return events
}

// association reads that two objects belong together. A deal's contact is a
// role, as in other CRMs, and can be taken off again.
//
// BUG(hubspot): links cannot be taken back. What is removed from a company
// stays under it until it is associated with another one.
func (h *hubspotEvent) association() ([]Observation, error) {
	from, err := h.body.required("fromObjectId")
	if err != nil {
		return nil, err
	}
	to, err := h.body.required("toObjectId")
	if err != nil {
		return nil, err
	}
	removed := h.body.text("associationRemoved") == "true"
	a, b, _ := strings.Cut(strings.ToUpper(h.body.text("associationType")), "_TO_")
	one, two := hubspotType(a), hubspotType(b)
	// Each association is told from both of its ends; they are read the same way.
	rank := map[string]int{"contact": 1, "opportunity": 2, "account": 3}
	if rank[one] > rank[two] {
		one, two, from, to = two, one, to, from
	}
	if rank[one] == 0 || one == two {
		return nil, problem(UnknownShape, "HubSpot association of another type")
	}
	h.typ = one
	obs, err := h.observe(from, two, to, strconv.FormatBool(removed))
	if err != nil {
		return nil, err
	}
	parent, err := hubspotNode(h.src, two, to)
	if err != nil {
		return nil, problem(BadField, "toObjectId: %v", err)
	}
	obs.Links = []identity.Link{{Parent: parent, Evidence: identity.Record, At: h.at}}
	if one == "contact" && two == "opportunity" {
		contact := obs.Node
		obs.Links = append(obs.Links, identity.Link{Parent: contact, Evidence: identity.Record, At: h.at})
		obs.Node, err = h.src.Pseudonyms.PersonNode(identity.Member, identity.SchemeMember, h.src.Reporter, from+"\x00"+to)
		if err != nil {
			return nil, problem(BadField, "fromObjectId: %v", err)
		}
		h.update(&obs, "contact_role", obs.Node.ID)
		obs.Object.Deleted = removed
		obs.Object.set("opportunity_id", parent.ID)
		obs.Object.set("contact", contact.String())
	} else {
		h.update(&obs, one, obs.Node.ID)
		if removed {
			obs.Object.put("account_id", nil)
			obs.Links = nil
			return []Observation{obs}, nil
		}
		obs.Object.set("account_id", parent.ID)
	}
	return []Observation{obs}, nil
}

// hubspotObject normalises a whole object as the CRM API and exports have it,
// https://developers.hubspot.com/docs/api/crm/deals.
func hubspotObject(src Source, o object) ([]Observation, error) {
	p := o.object("properties")
	typ := hubspotType(o.text("objectType"))
	if typ == "" {
		typ = hubspotType(o.text("objectTypeId"))
	}
	switch {
	case typ != "":
	case p.has("dealstage"), p.has("dealname"):
		typ = "opportunity"
	case p.has("email"), p.has("lifecyclestage") && !p.has("domain"):
		typ = "contact"
	case p.has("domain"), p.has("name"):
		typ = "account"
	}
	id, err := o.required("id")
	if err != nil {
		return nil, err
	}
	var at time.Time
	for _, path := range [][]string{{"updatedAt"}, {"properties", "hs_lastmodifieddate"}, {"properties", "lastmodifieddate"}, {"createdAt"}} {
		if o.has(path...) {
			if at, err = o.moment(path...); err != nil {
				return nil, err
			}
			break
		}
	}
	if at.IsZero() {
		return nil, problem(MissingField, "updatedAt")
	}
	if at, err = occurred(src, at); err != nil {
		return nil, err
	}
	node, err := hubspotNode(src, typ, id)
	if err != nil {
		return nil, err
	}
	obs := Observation{
		Node: node, Shape: shapeHubspot, OccurredAt: at,
		EventID: "object/" + typ + "/" + node.ID + "/" + strconv.FormatInt(at.UnixMilli(), 10),
		Object:  &Object{Type: typ, ID: node.ID, Order: at.UnixMilli(), ModifiedAt: at, Deleted: o.text("archived") == "true"},
	}
	more, err := hubspotProperties(src, &obs, p)
	return append([]Observation{obs}, more...), err
}

// hubspotFields are the properties that are read, by type. Values are text.
func hubspotFields(typ, currency string) []sfField {
	created := sfField{"createdate", "created_at", epochOrText}
	source := sfField{"hs_analytics_source", "lead_source", plainText}
	country := sfField{"country", "country", plainText}
	switch typ {
	case "opportunity":
		return []sfField{
			created, source,
			{"hs_analytics_source_data_1", "lead_source_detail", plainText},
			{"dealstage", "stage", plainText},
			{"pipeline", "pipeline", plainText},
			{"closedate", "close_date", calendarDay},
			{"deal_currency_code", "currency", currencyCode},
			{"hs_is_closed", "is_closed", boolean},
			{"hs_is_closed_won", "is_won", boolean},
			{"shared_id", "shared_id", plainText},
			{"amount", "amount", func(v Value) (string, error) { return amountText(v, currency) }},
		}
	case "account":
		return []sfField{
			created, country,
			{"domain", "website", plainText},
			{"website", "website", plainText},
			{"industry", "industry", plainText},
			{"numberofemployees", "employees", plainText},
		}
	}
	return []sfField{
		created, source, country,
		{"hs_analytics_source_data_1", "lead_source_detail", plainText},
		{"lifecyclestage", "stage", plainText},
		{"associatedcompanyid", "account_id", plainText},
	}
}

// hubspotProperties reads properties into the object, and what they are
// evidence of. An empty value is one that was cleared.
func hubspotProperties(src Source, obs *Observation, p object) ([]Observation, error) {
	for _, f := range hubspotFields(obs.Object.Type, p.text("deal_currency_code")) {
		v, ok := p.member(f.native)
		if !ok {
			continue
		}
		if v.isNull() || v.isBlank() {
			obs.Object.put(f.name, nil)
			continue
		}
		text, err := f.read(v)
		if err != nil {
			return nil, err
		}
		obs.Object.set(f.name, text)
	}
	if stage := p.text("dealstage"); obs.Object.Type == "opportunity" && stage != "" {
		hubspotClosed(obs.Object, stage)
	}
	switch obs.Object.Type {
	case "account":
		for _, name := range [...]string{"domain", "website"} {
			if domain, ok := identity.WebsiteDomain(p.text(name)); ok {
				obs.Links = append(obs.Links, domainLinks(domain, identity.Record, obs.OccurredAt)...)
				break
			}
		}
	case "contact":
		if id := p.text("associatedcompanyid"); id != "" {
			company, err := companyNode(src, id)
			if err != nil {
				return nil, problem(BadField, "associatedcompanyid: %v", err)
			}
			obs.Links = append(obs.Links, identity.Link{Parent: company, Evidence: identity.Record, At: obs.OccurredAt})
		}
		return obs.addAddress(readAddress(src, p)), nil
	}
	return nil, nil
}

// hubspotClosed says what the stages of the default pipeline mean, unless the
// object does itself. Those of other pipelines are numbers, which say nothing.
func hubspotClosed(o *Object, stage string) {
	closed, won := "true", "false"
	switch strings.ToLower(stage) {
	case "closedwon":
		won = "true"
	case "closedlost":
	case "appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "decisionmakerboughtin", "contractsent":
		closed = "false"
	default:
		return
	}
	o.set("is_closed", closed) // keeps what is there
	o.set("is_won", won)
}
