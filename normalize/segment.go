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
	at, err := o.instant("timestamp")
	if err != nil {
		return nil, err
	}
	if at, err = occurred(src, at); err != nil {
		return nil, err
	}
	obs := Observation{Shape: shapeSegment, EventID: id, OccurredAt: at}
	var more []Observation
	var person identity.Node
	if user := o.text("userId"); user != "" {
		if person, err = src.Pseudonyms.PersonNode(identity.Person, identity.SchemeUser, src.Reporter, user); err != nil {
			return nil, problem(BadField, "userId")
		}
	}
	switch anon := o.text("anonymousId"); {
	case anon != "":
		if obs.Node, err = src.Pseudonyms.PersonNode(identity.Anonymous, identity.SchemeAnonymous, src.Reporter, anon); err != nil {
			return nil, problem(BadField, "anonymousId")
		}
		if !person.IsZero() {
			obs.Links = []identity.Link{{Parent: person, Evidence: identity.Login, At: at}}
		}
	case !person.IsZero():
		obs.Node = person
	default:
		return nil, problem(MissingField, "anonymousId or userId")
	}
	if up, companies := segmentEvidence(src, o, at, person); len(up) > 0 {
		if obs.Node == person {
			obs.Links = append(obs.Links, up...)
		} else {
			more = append(more, Observation{Node: person, Shape: shapeSegment, OccurredAt: at, Links: up})
		}
		more = append(more, companies...)
	}
	switch o.text("type") {
	case "track", "page", "screen":
		obs.Touch = segmentTouch(o)
	case "identify", "group", "alias":
	default:
		return nil, problem(UnknownShape, "Segment call of another type")
	}
	return append([]Observation{obs}, more...), nil
}

// segmentEvidence returns what traits and group say of the person: their
// address and their company in the reporter's own numbering.
func segmentEvidence(src Source, o object, at time.Time, person identity.Node) (up []identity.Link, more []Observation) {
	if person.IsZero() {
		return nil, nil
	}
	up, more = emailLinks(src, shapeSegment, readAddress(src, o.object("traits")), at)
	company := o.text("traits", "company", "id")
	if o.text("type") == "group" {
		company = o.text("groupId")
	}
	if company == "" {
		company = o.text("context", "groupId")
	}
	if company != "" {
		if n, err := identity.NewNode(identity.CRMAccount, src.Reporter, company); err == nil {
			up = append(up, identity.Link{Parent: n, Evidence: identity.Asserted, At: at})
		}
	}
	return up, more
}

// segmentTouch returns the touch of a page or track call, nil for what is
// evidence only: a page view is a touch when it brings a campaign or comes from
// elsewhere, which is how a session begins.
func segmentTouch(o object) *Touch {
	t := &Touch{
		UTMSource:   strings.ToLower(o.text("context", "campaign", "source")),
		UTMMedium:   strings.ToLower(o.text("context", "campaign", "medium")),
		UTMCampaign: o.text("context", "campaign", "name"),
		UTMTerm:     o.text("context", "campaign", "term"),
		UTMContent:  o.text("context", "campaign", "content"),
		Bot:         isBot(o.text("context", "userAgent")),
	}
	address := o.text("properties", "url")
	if address == "" {
		address = o.text("context", "page", "url")
	}
	path, query := splitURL(address)
	t.Asset = path
	t.setUTM(query)
	t.Referrer = referrer(o.text("properties", "referrer"))
	if t.Referrer == "" {
		t.Referrer = referrer(o.text("context", "page", "referrer"))
	}
	if own, ok := identity.WebsiteDomain(address); ok && own == t.Referrer {
		t.Referrer = "" // from one page to the next
	}
	if o.text("type") == "track" {
		if t.Type = segmentTouchType(o.text("event")); t.Type == "" {
			return nil
		}
		if name := o.text("properties", "asset"); name != "" {
			t.Asset = name
		}
		return t
	}
	if t.UTMSource == "" && t.UTMCampaign == "" && t.ClickID == "" && t.Referrer == "" {
		return nil
	}
	t.Type = "visit"
	return t
}

func segmentShape() shape {
	return shape{
		detect: func(o object) bool { return o.has("messageId") && o.has("type") },
		read:   func(src Source, o object) []Event { return single(segment(src, o)) },
	}
}
