package contract

import (
	_ "embed" // the list of sources
	"strings"

	"tracksource/identity"
)

// ga4SourcesText is Google's list of sources by category.
//
//go:embed data/ga4_sources.txt
var ga4SourcesText string

// ChannelRulesVersion names the built-in rules and their list of sources. A change
// of either is a new version.
const ChannelRulesVersion = "ga4 2026-01"

// builtinChannel groups a touch when no rule of the contract does. What tags say
// is grouped as Google Analytics 4 does by default. What that leaves unassigned is
// grouped by what web analytics lacks: mediums of a B2B campaign, click ids, the
// type of the touch, and then the referrer.
func builtinChannel(in TouchInput) (channel, rule string) {
	source, medium, campaign := fold(in.UTMSource), fold(in.UTMMedium), fold(in.UTMCampaign)
	paid := isPaid(medium) || in.Type == TypeAdClick
	if channel = ga4Channel(source, medium, campaign, paid); channel != "" {
		return channel, "GA4 " + channel
	}
	if channel = businessChannel(source, medium); channel != "" {
		return channel, "built-in medium"
	}
	if channel = clickChannel(fold(in.ClickID)); channel != "" {
		return channel, "built-in click id"
	}
	if channel = typeChannel(in.Type); channel != "" {
		return channel, "built-in type"
	}
	if meant(source) || meant(medium) {
		return ChannelUnassigned, "no rule for the tags"
	}
	if referrer := fold(in.Referrer); referrer != "" {
		return referrerChannel(referrer), "built-in referrer"
	}
	if meant(campaign) {
		return ChannelUnassigned, "a campaign tag without a source"
	}
	if in.Feed == FeedAnalytics {
		return ChannelDirect, "built-in direct"
	}
	// Only a web visit without a referrer was typed in; a form that another
	// system reports without one is merely unknown.
	return Unknown, "no tags, click id or referrer"
}

// meant reports whether a tag says anything: analytics tools write some words
// for its absence.
func meant(tag string) bool {
	switch tag {
	case "", "(direct)", "(none)", "(not set)", "direct", "none":
		return false
	}
	return true
}

// ga4Channel is Google's default channel group, in Google's order; empty for what
// it leaves unassigned. All three tags are in lower case. A touch that is a click
// on an advertisement is paid whatever its medium.
func ga4Channel(source, medium, campaign string, paid bool) string {
	if source == "(direct)" && (medium == "(none)" || medium == "(not set)") {
		return ChannelDirect
	}
	if strings.Contains(campaign, "cross-network") {
		return "Cross-network"
	}
	category := sourceCategory(source)
	shopping := category == categoryShopping || isShop(campaign)
	if paid {
		switch {
		case shopping:
			return "Paid Shopping"
		case category == categorySearch:
			return "Paid Search"
		case category == categorySocial:
			return "Paid Social"
		case category == categoryVideo:
			return "Paid Video"
		}
	}
	switch medium {
	case "display", "banner", "expandable", "interstitial", "cpm":
		return "Display"
	}
	if isPaid(medium) {
		return "Paid Other"
	}
	return ga4Organic(source, medium, category, shopping)
}

// ga4Organic is the rest of Google's rules, those behind the paid ones.
func ga4Organic(source, medium string, category category, shopping bool) string {
	switch medium {
	case "social", "social-network", "social-media", "sm", "social network", "social media":
		if !shopping {
			return "Organic Social"
		}
	}
	switch {
	case shopping:
		return "Organic Shopping"
	case category == categorySocial:
		return "Organic Social"
	case category == categoryVideo || strings.Contains(medium, "video"):
		return "Organic Video"
	case category == categorySearch || medium == "organic":
		return "Organic Search"
	case medium == "referral" || medium == "app" || medium == "link":
		return "Referral"
	case isEmail(source) || isEmail(medium):
		return "Email"
	case medium == "affiliate":
		return "Affiliates"
	case medium == "audio":
		return "Audio"
	case source == "sms" || medium == "sms":
		return "SMS"
	case strings.HasSuffix(medium, "push") || strings.Contains(medium, "mobile") || strings.Contains(medium, "notification") || source == "firebase":
		return "Mobile Push Notifications"
	}
	return ""
}

// isEmail is Google's pattern email|e-mail|e_mail|e mail.
func isEmail(tag string) bool {
	return strings.Contains(tag, "email") || strings.Contains(tag, "e-mail") || strings.Contains(tag, "e_mail") || strings.Contains(tag, "e mail")
}

// isShop is Google's pattern ^(.*(([^a-df-z]|^)shop|shopping).*)$: an eshop and a
// my-shop are shops, a workshop is none.
func isShop(campaign string) bool {
	if strings.Contains(campaign, "shopping") {
		return true
	}
	for rest, before := campaign, byte(' '); ; {
		i := strings.Index(rest, "shop")
		if i < 0 {
			return false
		}
		if i > 0 {
			before = rest[i-1]
		}
		if before == 'e' || before < 'a' || before > 'z' {
			return true
		}
		before, rest = 'p', rest[i+len("shop"):]
	}
}

// businessChannel groups mediums that B2B campaigns use and Google does not know.
func businessChannel(source, medium string) string {
	switch medium {
	case "newsletter":
		return "Email"
	case "event", "events", "webinar", "conference", "tradeshow":
		return "Events"
	case "partner", "co-marketing", "comarketing":
		return "Partner"
	}
	if source == "newsletter" {
		return "Email"
	}
	return ""
}

// isPaid is Google's pattern ^(.*cp.*|ppc|retargeting|paid.*)$.
func isPaid(medium string) bool {
	return strings.Contains(medium, "cp") || medium == "ppc" || medium == "retargeting" || strings.HasPrefix(medium, "paid")
}

// clickChannel knows the click ids that only advertisements set. Facebook's
// fbclid is not one of them: it is on unpaid links too.
func clickChannel(kind string) string {
	switch kind {
	case "gclid", "gbraid", "wbraid", "msclkid":
		return "Paid Search"
	case "li_fat_id", "ttclid", "twclid":
		return "Paid Social"
	case "dclid":
		return "Display"
	case "fbclid":
		return "Organic Social"
	}
	return ""
}

func typeChannel(touchType string) string {
	switch touchType {
	case TypeEmailClick:
		return "Email"
	case TypeAdClick:
		return "Paid Other"
	case TypeRegistration, TypeAttendance:
		return "Events"
	case TypeMeeting:
		return "Meetings"
	}
	return ""
}

func referrerChannel(domain string) string {
	switch sourceCategory(domain) {
	case categorySearch:
		return "Organic Search"
	case categorySocial:
		return "Organic Social"
	case categoryVideo:
		return "Organic Video"
	case categoryShopping:
		return "Organic Shopping"
	case categoryOther:
	}
	return "Referral"
}

type category int

const (
	categoryOther category = iota
	categorySearch
	categorySocial
	categoryVideo
	categoryShopping
)

// sourceCategory finds a source in Google's list, by the name or domain that tags
// and referrers use.
func sourceCategory(source string) category {
	source = strings.TrimPrefix(source, "www.")
	switch name, _ := identity.Lookup(ga4SourcesText, source); name {
	case "search":
		return categorySearch
	case "social":
		return categorySocial
	case "video":
		return categoryVideo
	case "shopping":
		return categoryShopping
	}
	return countryDomain(source)
}

// countryDomain knows search engines by their domains of single countries, such as
// google.co.uk, of which Google's list has few, and sources that are younger than
// the list.
func countryDomain(source string) category {
	name, _, _ := strings.Cut(source, ".")
	switch name {
	case "google", "bing", "yahoo", "duckduckgo", "ecosia", "qwant", "startpage", "seznam":
		return categorySearch
	case "xing", "tiktok", "threads", "mastodon", "bsky", "bluesky":
		return categorySocial
	}
	switch source {
	case "x", "x.com":
		return categorySocial
	}
	return categoryOther
}
