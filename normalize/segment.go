package normalize

import (
	"strings"
	"time"

	"tracksource/identity"
)

const shapeSegment = "segment"

// segmentTouchType returns the touch type of a track call, by what such calls
// are called in Segment's own specs and by most teams; empty for the others.
func segmentTouchType(event string) string {
	switch strings.ToLower(event) {
	case "form submitted", "lead submitted":
		return "form"
	case "signed up", "webinar registered":
		return "registration"
	case "webinar attended":
		return "attendance"
	case "file downloaded", "asset downloaded":
		return "download"
	case "email link clicked":
		return "email_click"
	case "demo booked", "meeting booked":
		return "meeting"
	}
	return ""
}

// segment normalises a Segment or RudderStack event,
// https://segment.com/docs/connections/spec. The identity is the lowest one that
// the event carries; a call that carries several links them.
func segment(src Source, o object) ([]Observation, error) {
	id, err := o.required("messageId")
	if err != nil {
		return nil, err
	}
	at, err := segmentTime(src, o)
	if err != nil {
		return nil, err
	}
	v, err := readVisitor(src, o.text("userId"), o.text("anonymousId"))
	if err != nil {
		return nil, err
	}
	obs := Observation{Node: v.lowest(), Shape: shapeSegment, EventID: id, OccurredAt: at, Links: v.links(at)}
	call := o.text("type")
	if call == "alias" {
		return v.alias(obs, o.text("previousId"))
	}
	person := v.person
	var more []Observation
	up, companies, unmatchable := segmentEvidence(src, o, at, person)
	obs.Unmatchable = unmatchable
	if len(up) > 0 {
		if obs.Node == person {
			obs.Links, more = append(obs.Links, up...), companies
		} else {
			more = append([]Observation{{Node: person, Shape: shapeSegment, OccurredAt: at, Links: up}}, companies...)
		}
	}
	switch call {
	case "track":
		if f, ok := segmentOrder(o); ok {
			up, err := v.order(obs, f)
			return append(up, more...), err
		}
		obs.Touch = segmentTouch(o)
	case "page", "screen":
		obs.Touch = segmentTouch(o)
	case "identify", "group":
	default:
		return nil, problem(UnknownShape, "Segment call of another type")
	}
	return append([]Observation{obs}, more...), nil
}

// segmentTime is when the call was made, by the device's clock put right by the
// library; where that is missing, the device's own; else the event's arrival.
func segmentTime(src Source, o object) (time.Time, error) {
	for _, name := range [...]string{"timestamp", "originalTimestamp"} {
		if o.has(name) {
			at, err := o.instant(name)
			if err != nil {
				return at, err
			}
			return occurred(src, at)
		}
	}
	if src.Received.IsZero() {
		return time.Time{}, problem(MissingField, "timestamp")
	}
	return occurred(src, src.Received)
}

// segmentTraits are those of an identify call, or those that any other call
// carries along. The traits of a group are its own.
func segmentTraits(o object) object {
	if o.text("type") == "identify" && o.has("traits") {
		return o.object("traits")
	}
	return o.object("context", "traits")
}

// segmentOrder reads the calls of Segment's e-commerce spec,
// https://segment.com/docs/connections/spec/ecommerce/v2.
func segmentOrder(o object) (orderFields, bool) {
	amount := [...]string{"revenue", "total", "value"}
	refund := false
	switch strings.ToLower(o.text("event")) {
	case "order completed":
	case "order refunded":
		refund, amount = true, [...]string{"total", "revenue", "value"}
	default:
		return orderFields{}, false
	}
	f := orderFields{id: o.text("properties", "order_id"), currency: o.text("properties", "currency"), refund: refund}
	for _, name := range amount {
		if f.amount = o.at("properties", name); !f.amount.isNull() {
			break
		}
	}
	return f, true
}

// alias says that a former id is the user: a visitor's that became one, or
// another number of the same user. The call does not say which it is, so both
// are said; the one that nobody has is never heard of again.
func (v visitor) alias(obs Observation, previous string) ([]Observation, error) {
	if previous == "" {
		return nil, problem(MissingField, "previousId")
	}
	if v.person.IsZero() {
		return nil, problem(MissingField, "userId")
	}
	former, err := readVisitor(v.src, previous, previous)
	if err != nil {
		return nil, err
	}
	obs.Node, obs.Links = v.person, nil
	if former.person != v.person {
		obs.Merged = []identity.Node{former.person}
	}
	visit := Observation{Node: former.anonymous, Shape: obs.Shape, OccurredAt: obs.OccurredAt, Links: []identity.Link{{Parent: v.person, Evidence: identity.Login, At: obs.OccurredAt}}}
	return []Observation{obs, visit}, nil
}

// segmentEvidence returns what traits and group say of the person: their
// address and their company in the reporter's own numbering.
func segmentEvidence(src Source, o object, at time.Time, person identity.Node) (up []identity.Link, more []Observation, unmatchable bool) {
	if person.IsZero() {
		return nil, nil, false
	}
	traits := segmentTraits(o)
	if !traits.v.isNull() {
		a := readAddress(src, traits)
		up, more = emailLinks(shapeSegment, a, at)
		unmatchable = a.unmatchable
	}
	company := traits.text("company", "id")
	if o.text("type") == "group" {
		company = o.text("groupId")
	}
	if company == "" {
		company = o.text("context", "groupId")
	}
	if company != "" {
		if n, err := companyNode(src, company); err == nil {
			up = append(up, identity.Link{Parent: n, Evidence: identity.Asserted, At: at})
		}
	}
	return up, more, unmatchable
}

// segmentTouch returns the touch of a page or track call, nil for what is
// evidence only: a page view is a touch when it brings a campaign or comes from
// elsewhere, which is how a session begins.
func segmentTouch(o object) *Touch {
	t := &Touch{Type: "visit"}
	track := o.text("type") == "track"
	if track {
		if t.Type = segmentTouchType(o.text("event")); t.Type == "" {
			return nil
		}
	}
	properties, context := o.object("properties"), o.object("context")
	campaign, page := context.object("campaign"), context.object("page")
	t.UTMSource, t.UTMMedium = strings.ToLower(campaign.text("source")), strings.ToLower(campaign.text("medium"))
	t.UTMCampaign, t.UTMTerm, t.UTMContent = campaign.text("name"), campaign.text("term"), campaign.text("content")
	t.Bot = IsRobot(context.text("userAgent"))
	address := properties.text("url")
	if address == "" {
		address = page.text("url")
	}
	path, query := splitURL(address)
	t.Asset = path
	t.setUTM(query)
	t.Referrer = referrer(properties.text("referrer"))
	if t.Referrer == "" {
		t.Referrer = referrer(page.text("referrer"))
	}
	if t.Referrer != "" && onSite(address, t.Referrer) {
		t.Referrer = "" // from one page to the next
	}
	if track {
		if name := properties.text("asset"); name != "" {
			t.Asset = name
		}
		return t
	}
	if t.UTMSource == "" && t.UTMCampaign == "" && t.ClickID == "" && t.Referrer == "" {
		return nil
	}
	return t
}

func segmentShape() shape {
	return shape{
		detect: func(o object) bool { return o.has("messageId") && o.has("type") },
		read:   func(src Source, o object) []Event { return single(segment(src, o)) },
	}
}
