package contract

import "strings"

// builtinChannel groups a touch when no rule of the contract does. The order
// and the names follow the default channel groups that Google publishes for
// Analytics 4 (support.google.com/analytics/answer/9756891), narrowed to what
// a B2B campaign uses and widened by touch types that web analytics lacks:
// tags decide first, then click ids, then the type, then the referrer.
func builtinChannel(in TouchInput) (channel, rule string) {
	source, medium := fold(in.UTMSource), fold(in.UTMMedium)
	paid := isPaid(medium) || in.Type == TypeAdClick
	if channel, rule = taggedChannel(source, medium, paid); channel != "" {
		return channel, rule
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
	if meant(fold(in.UTMCampaign)) {
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

func taggedChannel(source, medium string, paid bool) (channel, rule string) {
	category := sourceCategory(source)
	if paid {
		switch category {
		case categorySearch:
			return "Paid Search", "built-in paid medium, search source"
		case categorySocial:
			return "Paid Social", "built-in paid medium, social source"
		case categoryVideo:
			return "Paid Video", "built-in paid medium, video source"
		case categoryOther:
		}
	}
	switch medium {
	case "display", "banner", "expandable", "interstitial", "cpm":
		return "Display", "built-in display medium"
	case "paid-search", "paid_search", "paidsearch":
		return "Paid Search", "built-in paid medium"
	case "paid-social", "paid_social", "paidsocial":
		return "Paid Social", "built-in paid medium"
	}
	if isPaid(medium) {
		return "Paid Other", "built-in paid medium"
	}
	switch medium {
	case "email", "e-mail", "e_mail", "e mail", "newsletter":
		return "Email", "built-in email medium"
	case "event", "events", "webinar", "conference", "tradeshow":
		return "Events", "built-in event medium"
	case "partner", "co-marketing", "comarketing":
		return "Partner", "built-in partner medium"
	case "social", "social-network", "social-media", "sm", "social network", "social media":
		return "Organic Social", "built-in social medium"
	case "affiliate":
		return "Affiliates", "built-in affiliate medium"
	case "audio":
		return "Audio", "built-in audio medium"
	case "sms":
		return "SMS", "built-in sms medium"
	}
	switch {
	case category == categorySocial:
		return "Organic Social", "built-in social source"
	case category == categoryVideo || strings.Contains(medium, "video"):
		return "Organic Video", "built-in video"
	case category == categorySearch || medium == "organic":
		return "Organic Search", "built-in search"
	case medium == "referral" || medium == "app" || medium == "link":
		return "Referral", "built-in referral medium"
	case source == "email" || source == "e-mail" || source == "newsletter":
		return "Email", "built-in email source"
	}
	return "", ""
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
)

// sourceCategory knows the large sources by the name or domain that tags and
// referrers use. A campaign with others names them in its channel rules.
func sourceCategory(source string) category {
	// A search engine has a domain for each country: google.de, google.co.uk.
	name, _, _ := strings.Cut(strings.TrimPrefix(source, "www."), ".")
	switch name {
	case "google", "bing", "yahoo", "duckduckgo", "baidu", "yandex", "ecosia", "qwant", "naver", "brave", "startpage", "sogou", "seznam":
		return categorySearch
	case "linkedin", "lnkd", "facebook", "fb", "instagram", "ig", "twitter", "x", "t", "reddit", "xing", "tiktok", "pinterest",
		"quora", "threads", "mastodon", "bsky", "bluesky", "weibo", "vk", "slideshare", "meetup":
		// "t.co" is Twitter's shortener; other names that begin so are not.
		if (name == "t" && source != "t.co") || (name == "x" && source != "x" && source != "x.com") {
			return categoryOther
		}
		return categorySocial
	case "youtube", "youtu", "vimeo", "wistia", "twitch", "dailymotion":
		return categoryVideo
	}
	return categoryOther
}
