package normalize

import (
	"path"
	"strings"
	"time"

	"tracksource/identity"
)

const shapeSnowplow = "snowplow"

func snowplowShape() shape {
	return shape{
		detect: func(o object) bool { return o.has("event_id") && o.has("collector_tstamp") },
		read:   func(src Source, o object) []Event { return single(snowplow(src, o)) },
	}
}

// snowplow normalises an enriched event in the JSON of the analytics SDKs,
// https://docs.snowplow.io/docs/fundamentals/canonical-event. Trackers repeat an
// event_id for other content, which the fingerprint tells apart.
func snowplow(src Source, o object) ([]Observation, error) {
	id, err := o.required("event_id")
	if err != nil {
		return nil, err
	}
	if fingerprint := o.text("event_fingerprint"); fingerprint != "" {
		id += "/" + fingerprint
	}
	at, err := snowplowTime(o)
	if err != nil {
		return nil, err
	}
	if at, err = occurred(src, at); err != nil {
		return nil, err
	}
	v, err := readVisitor(src, o.text("user_id"), o.text("domain_userid"), o.text("network_userid"))
	if err != nil {
		return nil, err
	}
	obs := Observation{Node: v.lowest(), Shape: shapeSnowplow, EventID: id, OccurredAt: at, Links: v.links(at)}
	switch o.text("event_name") {
	case "transaction":
		return v.order(obs, orderFields{id: o.text("tr_orderid"), amount: o.at("tr_total"), currency: o.text("tr_currency")})
	default:
		obs.Touch = snowplowTouch(src, o)
	}
	return []Observation{obs}, nil
}

// snowplowTime prefers the time that the application set itself, then the one
// that Snowplow corrected for the device's clock.
func snowplowTime(o object) (time.Time, error) {
	for _, name := range [...]string{"true_tstamp", "derived_tstamp"} {
		if o.has(name) {
			return o.moment(name)
		}
	}
	return o.moment("collector_tstamp")
}

// snowplowTouch returns the touch of an event, nil for what is evidence only.
func snowplowTouch(src Source, o object) *Touch {
	t := &Touch{
		UTMSource: strings.ToLower(o.text("mkt_source")), UTMMedium: strings.ToLower(o.text("mkt_medium")),
		UTMCampaign: o.text("mkt_campaign"), UTMTerm: o.text("mkt_term"), UTMContent: o.text("mkt_content"),
		Bot: snowplowBot(o),
	}
	if o.text("mkt_clickid") != "" {
		t.ClickID = snowplowClick(o.text("mkt_network"))
	}
	page, query := splitURL(o.text("page_url"))
	if t.Asset = o.text("page_urlpath"); t.Asset == "" {
		t.Asset = page
	}
	// Enrichment has percent-decoded mkt_*; the query fills what it left out.
	t.setUTM(o.text("page_urlquery"))
	t.setUTM(query)
	if o.text("refr_medium") != "internal" {
		if t.Referrer = referrer(o.text("refr_urlhost")); t.Referrer == "" {
			t.Referrer = referrer(o.text("page_referrer"))
		}
		if own, ok := identity.WebsiteDomain(o.text("page_urlhost")); ok && own == t.Referrer {
			t.Referrer = ""
		}
	}
	if s := o.text("domain_sessionid"); s != "" {
		t.Session = src.Pseudonyms.Pseudonym(identity.SchemeSession, src.Reporter, s)
	}
	switch o.text("event_name") {
	case "page_view", "screen_view":
		if t.UTMSource == "" && t.UTMCampaign == "" && t.ClickID == "" && t.Referrer == "" {
			return nil
		}
		t.Type = "visit"
	case "submit_form":
		t.Type = "form"
		if form := snowplowSelf(o, "unstruct_event_com_snowplowanalytics_snowplow_submit_form_1").text("formId"); form != "" {
			t.Asset = form
		}
	case "link_click":
		target, _ := splitURL(snowplowSelf(o, "unstruct_event_com_snowplowanalytics_snowplow_link_click_1").text("targetUrl"))
		switch strings.ToLower(path.Ext(target)) {
		case ".pdf", ".docx", ".pptx", ".xlsx", ".zip", ".epub":
			t.Type, t.Asset = "download", target
		default:
			return nil
		}
	case "event": // a structured event, named by its action
		if t.Type = segmentTouchType(o.text("se_action")); t.Type == "" {
			return nil
		}
		if label := o.text("se_label"); label != "" {
			t.Asset = label
		}
	default:
		return nil
	}
	return t
}

// snowplowSelf returns the self-describing event or first context of a schema's
// major version, which names its column with the minor ones or without.
func snowplowSelf(o object, column string) object {
	for _, name := range [...]string{column, column + "_0_0", column + "_0_1"} {
		v := o.at(name)
		if list, ok := v.List(); ok && len(list) > 0 {
			return object{v: list[0]}
		}
		if v.kind() == kindObject {
			return object{v: v}
		}
	}
	return object{}
}

func snowplowClick(network string) string {
	switch strings.ToLower(network) {
	case "google":
		return "gclid"
	case "doubleclick":
		return "dclid"
	case "microsoft":
		return "msclkid"
	case "facebook":
		return "fbclid"
	}
	return strings.ToLower(network)
}

// snowplowBot believes the IAB's list of robots where the enrichment ran, and
// user agents.
func snowplowBot(o object) bool {
	return IsRobot(o.text("useragent")) || snowplowSelf(o, "contexts_com_iab_snowplow_spiders_and_robots_1").text("spiderOrRobot") == "true"
}
