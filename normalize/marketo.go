package normalize

import (
	"strings"

	"tracksource/identity"
)

const shapeMarketo = "marketo"

// Marketo's activity types that are read,
// https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/activities.
// The others are taken in as evidence that something happened.
const (
	marketoVisit     = 1
	marketoForm      = 2
	marketoClick     = 3
	marketoClickMail = 11
	marketoNewLead   = 12
	marketoChange    = 13
	marketoProgress  = 104
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

// marketo normalises one activity. Empty attributes are left out by Marketo,
// and campaign parameters are inside of the attribute "Query Parameters".
func marketo(src Source, o object) ([]Observation, error) {
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
	at, err := o.instant("activityDate")
	if err != nil {
		return nil, err
	}
	if at, err = occurred(src, at); err != nil {
		return nil, err
	}
	node, err := src.Pseudonyms.PersonNode(identity.Person, identity.SchemeLead, src.Reporter, lead)
	if err != nil {
		return nil, problem(BadField, "leadId")
	}
	attr := object{named: map[string]Value{}}
	for _, a := range o.list("attributes") {
		if a := (object{v: a}); a.v.kind() == kindObject {
			attr.named[a.text("name")] = a.at("value")
		}
	}
	obs := Observation{Node: node, Shape: shapeMarketo, EventID: id, OccurredAt: at}
	var more []Observation
	switch kind {
	case marketoNewLead, marketoChange:
		address := attr.text("Email Address")
		if address == "" && strings.EqualFold(attr.text("Attribute Name"), "email") {
			address = attr.text("New Value")
		}
		if address == "" && strings.Contains(o.text("primaryAttributeValue"), "@") {
			address = o.text("primaryAttributeValue")
		}
		obs.Links, more = emailLinks(shapeMarketo, plainAddress(src, address), at)
	default:
		obs.Touch = marketoTouch(kind, o, attr)
	}
	return append([]Observation{obs}, more...), nil
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
	case marketoForm:
		t.Type = "form"
		if t.Asset == "" {
			t.Asset = o.text("primaryAttributeValue")
		}
	case marketoClick, marketoClickMail:
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
	t.Bot = isBot(attr.text("User Agent"))
	return t
}

func marketoShape() shape {
	return shape{
		detect: func(o object) bool { return o.has("activityTypeId") },
		read:   func(src Source, o object) []Event { return single(marketo(src, o)) },
	}
}

func marketoPageShape() shape {
	return shape{
		detect: func(o object) bool { return o.has("result") && o.has("requestId") },
		read:   marketoPage,
	}
}
