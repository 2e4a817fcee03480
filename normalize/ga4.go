package normalize

import (
	"strings"

	"tracksource/identity"
)

const shapeGA4 = "ga4"

// ga4 normalises a row of the BigQuery export,
// https://support.google.com/analytics/answer/7029846. Times are microseconds as
// text; parameters are keys with one value of several types. Rows have no id:
// what makes one is user, time, name and its place in its batch.
func ga4(src Source, o object) ([]Observation, error) {
	user, err := o.required("user_pseudo_id")
	if err != nil {
		return nil, err
	}
	name, err := o.required("event_name")
	if err != nil {
		return nil, err
	}
	at, err := o.micros("event_timestamp")
	if err != nil {
		return nil, err
	}
	if at, err = occurred(src, at); err != nil {
		return nil, err
	}
	node, err := src.Pseudonyms.PersonNode(identity.Anonymous, identity.SchemeAnonymous, src.Reporter, user)
	if err != nil {
		return nil, problem(BadField, "user_pseudo_id")
	}
	params := ga4Params(o)
	obs := Observation{
		Node: node, Shape: shapeGA4, OccurredAt: at,
		// Rows are stated anew for 72 hours; what arrives later is the better one.
		Revision: max(src.Received.UnixMicro(), 0),
		// The id names the user, so that it is a pseudonym as well.
		EventID: src.Pseudonyms.Pseudonym(identity.SchemeEvent, src.Reporter, strings.Join([]string{
			user, o.text("event_timestamp"), name, o.text("event_bundle_sequence_id"), o.text("batch_page_id"), o.text("batch_event_index"),
		}, "\x00")),
	}
	var more []Observation
	if id := o.text("user_id"); id != "" {
		person, err := src.Pseudonyms.PersonNode(identity.Person, identity.SchemeUser, src.Reporter, id)
		if err != nil {
			return nil, problem(BadField, "user_id")
		}
		obs.Links = []identity.Link{{Parent: person, Evidence: identity.Login, At: at}}
		if domain, ok := identity.RegistrableDomain(params.text("company_domain")); ok && !identity.FreeMail(domain) {
			if company, err := identity.DomainNode(domain); err == nil {
				more = append(more, Observation{
					Node: person, Shape: shapeGA4, OccurredAt: at,
					Links: []identity.Link{{Parent: company, Evidence: identity.Asserted, At: at}},
				})
			}
		}
	}
	if name == "purchase" || name == "refund" {
		v, err := readVisitor(src, o.text("user_id"), user)
		if err != nil {
			return nil, err
		}
		order, err := v.order(obs, ga4Order(o, params, name == "refund"))
		return append(order, more...), err
	}
	obs.Touch = ga4Touch(src, user, name, o, params)
	return append([]Observation{obs}, more...), nil
}

// ga4Order reads the order of a purchase or a refund: from the parameters, which
// have the currency that was paid in; a refund without a value is a full one.
func ga4Order(o, params object, refund bool) orderFields {
	f := orderFields{id: params.text("transaction_id"), amount: params.at("value"), currency: params.text("currency"), refund: refund}
	if f.id == "" {
		f.id = o.text("ecommerce", "transaction_id")
	}
	if f.amount.isNull() && refund {
		f.amount = o.at("ecommerce", "refund_value")
	}
	if f.amount.isNull() && !refund {
		f.amount = o.at("ecommerce", "purchase_revenue")
	}
	return f
}

func ga4Params(o object) object {
	params := map[string]Value{}
	for _, p := range o.list("event_params") {
		param := object{v: p}
		for _, kind := range [...]string{"string_value", "int_value", "double_value", "float_value"} {
			if v := param.at("value", kind); !v.isNull() {
				params[param.text("key")] = v
				break
			}
		}
	}
	return object{named: params}
}

// ga4Touch returns the touch of an event, nil for what is evidence only: a
// session touches once, by the event that GA4 sends at its start.
func ga4Touch(src Source, user, name string, o, params object) *Touch {
	t := &Touch{}
	switch name {
	case "session_start":
		t.Type = "visit"
	case "generate_lead", "form_submit":
		t.Type = "form"
	case "file_download":
		t.Type = "download"
	case "sign_up":
		t.Type = "registration"
	default:
		return nil
	}
	path, query := splitURL(params.text("page_location"))
	t.Asset = path
	if t.Type == "download" && params.text("file_name") != "" {
		t.Asset = params.text("file_name")
	}
	t.UTMSource = strings.ToLower(o.text("collected_traffic_source", "manual_source"))
	t.UTMMedium = strings.ToLower(o.text("collected_traffic_source", "manual_medium"))
	t.UTMCampaign = o.text("collected_traffic_source", "manual_campaign_name")
	t.UTMTerm, t.UTMContent = o.text("collected_traffic_source", "manual_term"), o.text("collected_traffic_source", "manual_content")
	for _, kind := range [...]string{"gclid", "dclid"} {
		if t.ClickID == "" && o.text("collected_traffic_source", kind) != "" {
			t.ClickID = kind
		}
	}
	// What the property's own filters would take out; the export has it all.
	switch params.text("traffic_type") {
	case "internal", "developer":
		t.Bot = true
	}
	t.Bot = t.Bot || params.text("debug_mode") == "1"
	t.setUTM(query)
	t.Referrer = referrer(params.text("page_referrer"))
	if s := params.text("ga_session_id"); s != "" {
		t.Session = src.Pseudonyms.Pseudonym(identity.SchemeSession, src.Reporter, user+"\x00"+s)
	}
	return t
}

func ga4Shape() shape {
	return shape{
		detect: func(o object) bool { return o.has("event_name") && o.has("event_timestamp") },
		read:   func(src Source, o object) []Event { return single(ga4(src, o)) },
	}
}
