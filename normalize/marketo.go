package normalize

import (
	"maps"
	"slices"
	"strings"
	"time"

	"tracksource/identity"
)

const shapeMarketo = "marketo"

// Marketo's activity types that are read,
// https://developer.adobe.com/events/docs/guides/using/marketo/marketo-lead-activity-data-stream-setup.
// The others are taken in as evidence that something happened. A click on a link
// of a page (3) is one of them: the visit to the page was the touch.
const (
	marketoVisit          = 1
	marketoForm           = 2
	marketoClickMail      = 11
	marketoNewLead        = 12
	marketoChange         = 13
	marketoMerge          = 32
	marketoJoinDeal       = 34
	marketoLeaveDeal      = 35
	marketoUpdateDeal     = 36
	marketoClickSalesMail = 41
	marketoProgress       = 104
	marketoFacebookForm   = 131
	marketoLinkedInForm   = 147
)

// marketoPage normalises a page of the activities endpoint.
func marketoPage(src Source, o object) []Event {
	var events []Event
	for _, v := range o.list("result") {
		if v.kind() != kindObject {
			events = append(events, failed(problem(UnknownShape, "a Marketo activity is a JSON object")))
			continue
		}
		events = append(events, single(marketo(src, object{v: v}))...)
	}
	if len(events) == 0 {
		return []Event{failed(problem(UnknownShape, "the Marketo page has no activity"))}
	}
	return events
}

// marketoStream normalises an event of the Data Stream: an activity in the
// envelope of a CloudEvent, whose id stands in for that of the activity. The lead
// may come along with its address.
func marketoStream(src Source, o object) ([]Observation, error) {
	body := maps.Collect(o.at("data").Members())
	body["id"] = o.at("id")
	if id := o.at("data", "activityLogItemId"); !id.isNull() {
		body["id"] = id
	}
	return marketo(src, object{named: body})
}

// marketoActivity is an activity that is being read.
type marketoActivity struct {
	src        Source
	body, attr object
	at         time.Time
	lead       identity.Node
	obs        Observation
}

// marketo normalises one activity. Empty attributes are left out by Marketo,
// and campaign parameters are inside of the attribute "Query Parameters".
func marketo(src Source, o object) ([]Observation, error) {
	m := marketoActivity{src: src, body: o}
	lead, err := o.required("leadId")
	if err != nil {
		return nil, err
	}
	id := o.text("marketoGUID")
	if id == "" {
		if id, err = o.required("id"); err != nil {
			return nil, err
		}
	}
	kind, err := o.integer("activityTypeId")
	if err != nil {
		return nil, err
	}
	if m.at, err = o.instant("activityDate"); err != nil {
		return nil, err
	}
	if m.at, err = occurred(src, m.at); err != nil {
		return nil, err
	}
	if m.lead, err = m.leadNode(lead); err != nil {
		return nil, problem(BadField, "leadId")
	}
	m.attr = object{named: map[string]Value{}}
	for _, a := range o.list("attributes") {
		if a := (object{v: a}); a.v.kind() == kindObject {
			m.attr.named[a.text("name")] = a.at("value")
		}
	}
	m.obs = Observation{Node: m.lead, Shape: shapeMarketo, EventID: id, OccurredAt: m.at}
	return m.read(kind)
}

func (m *marketoActivity) leadNode(id string) (identity.Node, error) {
	return m.src.Pseudonyms.PersonNode(identity.Person, identity.SchemeLead, m.src.Reporter, id)
}

// read returns what an activity of the type says.
func (m *marketoActivity) read(kind int64) ([]Observation, error) {
	switch kind {
	case marketoMerge:
		return m.merge()
	case marketoJoinDeal, marketoLeaveDeal:
		return m.role(kind == marketoLeaveDeal)
	case marketoUpdateDeal:
		return m.deal()
	}
	address := m.body.text("lead", "email")
	switch kind {
	case marketoNewLead, marketoChange:
		if address == "" {
			address = m.attr.text("Email Address")
		}
		if address == "" && strings.EqualFold(m.attr.text("Attribute Name"), "email") {
			address = m.attr.text("New Value")
		}
		if address == "" && strings.Contains(m.body.text("primaryAttributeValue"), "@") {
			address = m.body.text("primaryAttributeValue")
		}
	default:
		m.obs.Touch = marketoTouch(kind, m.body, m.attr)
	}
	links, more := emailLinks(shapeMarketo, plainAddress(m.src, address), m.at)
	m.obs.Links = links
	return append([]Observation{m.obs}, more...), nil
}

// merge says that leads became one: the activity is on the one that stays and
// lists the others, as a list or as text.
func (m *marketoActivity) merge() ([]Observation, error) {
	ids := idList(m.attr.at("Merge IDs"))
	if len(ids) == 0 {
		return nil, problem(MissingField, "the attribute Merge IDs")
	}
	if err := atMost(len(ids), mergedMax, "merged leads"); err != nil {
		return nil, err
	}
	for _, id := range ids {
		other, err := m.leadNode(id)
		if err != nil {
			return nil, problem(BadField, "the attribute Merge IDs")
		}
		if other != m.lead {
			m.obs.Merged = append(m.obs.Merged, other)
		}
	}
	return []Observation{m.obs}, nil
}

// idList reads ids that stand in a list, or in a text with whatever between them.
func idList(v Value) []string {
	list, ok := v.List()
	if !ok {
		return strings.FieldsFunc(asText(v), func(r rune) bool { return r < '0' || r > '9' })
	}
	var ids []string
	for _, e := range list {
		if id := asText(e); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// dealNode returns the deal that an activity is about, in Marketo's own numbering.
func (m *marketoActivity) dealNode() (identity.Node, error) {
	id := m.attr.text("Oppty ID")
	if id == "" {
		id = m.body.text("primaryAttributeValueId")
	}
	if id == "" {
		return identity.Node{}, problem(MissingField, "the attribute Oppty ID")
	}
	node, err := identity.NewNode(identity.Object, m.src.Reporter, plainID(m.src, id))
	if err != nil {
		return identity.Node{}, problem(BadField, "the attribute Oppty ID: %v", err)
	}
	return node, nil
}

// role reads that a lead takes part in a deal, or no more, as CRMs say it of
// contacts.
func (m *marketoActivity) role(left bool) ([]Observation, error) {
	deal, err := m.dealNode()
	if err != nil {
		return nil, err
	}
	m.obs.Node, err = m.src.Pseudonyms.PersonNode(identity.Member, identity.SchemeMember, m.src.Reporter, m.lead.ID+"\x00"+deal.ID)
	if err != nil {
		return nil, problem(BadField, "leadId")
	}
	m.obs.Links = []identity.Link{{Parent: deal, Evidence: identity.Record, At: m.at}}
	m.object("contact_role", m.obs.Node.ID)
	m.obs.Object.Deleted = left
	m.obs.Object.set("opportunity_id", deal.ID)
	m.obs.Object.set("contact", m.lead.String())
	if role := m.attr.text("Role"); role != "" {
		m.obs.Object.set("role", role)
	}
	if primary, err := boolean(m.attr.at("Is Primary")); err == nil {
		m.obs.Object.set("is_primary", primary)
	}
	return []Observation{m.obs}, nil
}

func (m *marketoActivity) object(typ, id string) {
	m.obs.Object = &Object{Type: typ, ID: id, Order: m.at.UnixMilli(), ModifiedAt: m.at}
}

// deal reads which values of a deal have changed: one, or several in a text that
// holds JSON.
func (m *marketoActivity) deal() ([]Observation, error) {
	node, err := m.dealNode()
	if err != nil {
		return nil, err
	}
	m.obs.Node = node
	m.object("opportunity", node.ID)
	changed := m.attr.at("Data Value Changes")
	if text, ok := changed.Text(); ok {
		var r Reader
		changed, _ = r.Read([]byte(text)) // words that are no JSON say nothing
	}
	changes := maps.Collect(changed.Members())
	if name := m.attr.text("Attribute Name"); name != "" {
		changes = map[string]Value{name: m.attr.at("New Value")}
	}
	// Sorted: what is wrong first must not hang on the order of a map.
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		if err := m.change(name, changes[name]); err != nil {
			return nil, err
		}
	}
	if len(m.obs.Object.Fields) == 0 {
		m.obs.Object = nil // values that are not read
	}
	return []Observation{m.obs}, nil
}

// change sets the field that a change is of.
func (m *marketoActivity) change(name string, v Value) error {
	if both := (object{v: v}); v.kind() == kindObject {
		if v = both.at("New Value"); v.isNull() {
			v = both.at("newValue")
		}
	}
	var f sfField
	switch strings.ToLower(strings.ReplaceAll(name, " ", "")) {
	case "stage":
		f = sfField{name, "stage", plainText}
	case "amount":
		f = sfField{name, "amount", func(v Value) (string, error) { return amountText(v, "") }}
	case "closedate":
		f = sfField{name, "close_date", calendarDay}
	case "isclosed":
		f = sfField{name, "is_closed", boolean}
	case "iswon":
		f = sfField{name, "is_won", boolean}
	default:
		return nil
	}
	if v.isNull() || v.isBlank() {
		m.obs.Object.put(f.name, nil)
		return nil
	}
	text, err := f.read(v)
	if err != nil {
		return err
	}
	m.obs.Object.set(f.name, text)
	return nil
}

// marketoTouch returns the touch of an activity, nil for what is evidence only.
func marketoTouch(kind int64, o, attr object) *Touch {
	page, query := splitURL(attr.text("Webpage URL"))
	t := &Touch{Asset: page, Referrer: referrer(attr.text("Referrer URL"))}
	switch kind {
	case marketoVisit:
		// A later page view is no touch of its own; one that brings a campaign is
		// the first of a session.
		t.Type = "visit"
		if t.Asset == "" {
			t.Asset, query = splitURL(o.text("primaryAttributeValue"))
		}
	case marketoForm, marketoFacebookForm, marketoLinkedInForm:
		t.Type = "form"
		if t.Asset == "" {
			t.Asset = o.text("primaryAttributeValue")
		}
	case marketoClickMail, marketoClickSalesMail:
		t.Type = "email_click"
		t.Asset = o.text("primaryAttributeValue")
	case marketoProgress:
		t.Status, t.Asset = attr.text("New Status"), o.text("primaryAttributeValue")
		switch strings.ToLower(t.Status) {
		case "attended", "attended on-demand":
			t.Type = "attendance"
		case "registered":
			t.Type = "registration"
		default:
			return nil
		}
	default:
		return nil
	}
	t.setUTM(attr.text("Query Parameters"))
	t.setUTM(query)
	if kind == marketoVisit && t.UTMCampaign == "" && t.UTMSource == "" && t.ClickID == "" && t.Referrer == "" {
		return nil
	}
	t.Bot = IsRobot(attr.text("User Agent")) || attr.text("Is Bot Activity") == "true"
	return t
}

func marketoShape() shape {
	return shape{
		detect: func(o object) bool { return o.has("activityTypeId") },
		read:   func(src Source, o object) []Event { return single(marketo(src, o)) },
	}
}

func marketoStreamShape() shape {
	return shape{
		detect: func(o object) bool { return o.has("specversion") && o.has("data", "activityTypeId") },
		read:   func(src Source, o object) []Event { return single(marketoStream(src, o)) },
	}
}

func marketoPageShape() shape {
	return shape{
		detect: func(o object) bool { return o.has("result") && o.has("requestId") },
		read:   marketoPage,
	}
}
