package contract

import (
	"strings"
	"time"
)

// Feeds, as the topic names say them.
const (
	FeedCRM       = "crm"
	FeedMAP       = "map"
	FeedAnalytics = "analytics"
)

// Touch types that decoders make.
const (
	TypeVisit        = "visit"
	TypeAdClick      = "ad_click"
	TypeEmailClick   = "email_click"
	TypeForm         = "form"
	TypeDownload     = "download"
	TypeRegistration = "registration"
	TypeAttendance   = "attendance"
	TypeMeeting      = "meeting"
)

// defaultTouchTypes counts what a person did, not what was sent to them.
var defaultTouchTypes = [...]string{
	TypeVisit, TypeAdClick, TypeEmailClick, TypeForm, TypeDownload, TypeRegistration, TypeAttendance, TypeMeeting,
}

// TouchInput is what Classify looks at: who reported it and what it carried.
// Absent facts are empty.
type TouchInput struct {
	// Reporter is the partner that owns the feed, Feed one of the feeds, Source
	// the native shape, such as ga4.
	Reporter, Feed, Source string
	// Type is one of the touch types; empty for the status of a campaign member,
	// of which the contract says what it is.
	Type  string
	Asset string
	// At is when it happened.
	At time.Time
	// Account is the domain of the account, or its name in the imported map;
	// empty for one that has neither.
	Account string

	UTMSource, UTMMedium, UTMCampaign, UTMTerm, UTMContent string

	// ClickID is the kind of click id, such as gclid, and not its value.
	ClickID string
	// Referrer is a registrable domain.
	Referrer string
	// CRMCampaign is a campaign id of the reporter's CRM.
	CRMCampaign string
	// Status is the campaign member's status.
	Status string
	// Bot is true for known robots and for what a source marks as internal.
	Bot bool
}

// Reasons why a touch does not count, as Classification.Excluded.
const (
	ExcludedBot      = "bot"
	ExcludedInternal = "internal"
	ExcludedReporter = "reporter_not_signatory"
	ExcludedType     = "type_not_counted"
)

// Classification is what the contract makes of one touch. Every field is set,
// for touches that do not count as well, so that they can be explained.
type Classification struct {
	// Counts is whether the touch may get credit; if not, Excluded says why.
	Counts   bool
	Excluded string
	// Type is the type of the touch, by its status where a rule or the common
	// names of statuses give one; empty for what is none.
	Type string
	// Campaign is This, the id of another campaign, or None.
	Campaign string
	// Channel is from the contract's rules first, then from the built-in ones.
	Channel string
	// Partner is the credited partner's id, or None.
	Partner string
	// Asset is the contract's id of the asset, else the name that the feed
	// gave, else Unknown.
	Asset string
	// Source is the normalised utm_source, or Unknown: the caller puts the CRM
	// lead source of the deal there, which a touch does not have.
	Source string
	// Rule says for each decision what made it, such as
	// "campaign: utm_campaign; channel: built-in email; partner: feed default".
	Rule string
}

// Classify judges one touch. It is pure: two calls with equal facts are equal.
func (c *Contract) Classify(in TouchInput) Classification {
	touchType, typeRule := c.touchType(in)
	in.Type = touchType
	excluded := c.excluded(in)
	asset := c.asset(in)
	campaign, campaignRule := c.campaign(in, asset)
	channel, channelRule := c.channel(in)
	partner, partnerRule := c.partner(in, asset)
	return Classification{
		Counts: excluded == "", Excluded: excluded, Type: touchType,
		Campaign: campaign, Channel: channel, Partner: partner,
		Asset:  or(asset.id, Unknown),
		Source: or(tag(in.UTMSource), Unknown),
		Rule:   typeRule + "campaign: " + campaignRule + "; channel: " + channelRule + "; partner: " + partnerRule,
	}
}

func (c *Contract) excluded(in TouchInput) string {
	switch {
	case in.Bot:
		return ExcludedBot
	case in.Account != "" && c.rules.internal[fold(in.Account)]:
		return ExcludedInternal
	case !c.IsPartner(in.Reporter):
		return ExcludedReporter
	case !c.rules.touchTypes[in.Type]:
		return ExcludedType
	}
	return ""
}

// assetClass is what a touch happened on.
type assetClass struct {
	id, owner string
	matches   bool // touches on it belong to the campaign
	expired   bool // it had an owner or a campaign until it expired
}

// asset finds what a touch happened on. A name that the contract does not list is
// shown as it is, so that it is seen to be missing.
func (c *Contract) asset(in TouchInput) assetClass {
	i, found := c.rules.assets[fold(in.Asset)]
	if !found {
		return assetClass{id: value(in.Asset)}
	}
	a := c.Assets[i]
	if a.HasExpiry && c.Day(in.At) > a.Expires {
		return assetClass{id: a.ID, expired: true}
	}
	return assetClass{id: a.ID, owner: a.Owner, matches: c.rules.matchAssets[a.ID]}
}

// campaign decides whose campaign a touch was part of. A tag of another
// campaign does not outweigh a CRM campaign or an asset of this one: a webinar
// of ours stays ours whoever brought the visitor.
func (c *Contract) campaign(in TouchInput, asset assetClass) (campaign, rule string) {
	switch {
	case meant(fold(in.UTMCampaign)) && matchAny(c.rules.utmCampaigns, fold(in.UTMCampaign)):
		return This, "utm_campaign"
	case c.IsCampaign(in.CRMCampaign):
		return This, "crm_campaign"
	case asset.matches:
		return This, "asset"
	}
	if other := tag(in.UTMCampaign); other != "" && other != This {
		return other, "utm_campaign of another"
	}
	if other := value(in.CRMCampaign); other != "" && other != This {
		return other, "crm_campaign of another"
	}
	if asset.expired {
		return None, "no campaign, the asset expired"
	}
	return None, "no campaign"
}

// creditRule credits touches whose utm_source fits.
type creditRule struct {
	source  pattern
	partner string
	rule    string
}

// partner decides whom a touch is credited to: the UTM source, else the owner
// of the asset, else the CRM campaign, else the feed's default. A rule that
// names whom this reporter may not credit is passed over.
func (c *Contract) partner(in TouchInput, asset assetClass) (partner, rule string) {
	if source := fold(in.UTMSource); source != "" {
		for _, r := range c.rules.creditUTM {
			if r.source.match(source) && c.allowed(in.Reporter, r.partner) {
				return r.partner, r.rule
			}
		}
	}
	if asset.owner != "" && c.allowed(in.Reporter, asset.owner) {
		return asset.owner, "owner of the asset"
	}
	if in.CRMCampaign != "" {
		if partner, found := c.rules.creditCRM[fold(in.CRMCampaign)]; found && c.allowed(in.Reporter, partner) {
			return partner, "crm_campaign"
		}
	}
	for _, key := range [...]string{in.Reporter + "/" + in.Feed, in.Reporter} {
		if partner, found := c.rules.creditFeeds[key]; found && c.allowed(in.Reporter, partner) {
			return partner, "default of feed " + key
		}
	}
	if c.IsPartner(in.Reporter) && c.allowed(in.Reporter, in.Reporter) {
		return in.Reporter, "reporter of the feed"
	}
	return None, "nobody may be credited"
}

// allowed reports whether touches of the reporter may be credited to the
// partner. A reporter that the contract does not restrict may credit everyone
// who signed.
func (c *Contract) allowed(reporter, partner string) bool {
	if partner == None {
		return true
	}
	limits, restricted := c.rules.mayCredit[reporter]
	return !restricted || limits[partner]
}

// MayCredit reports whether what the reporter says may be credited to the partner,
// who has signed.
func (c *Contract) MayCredit(reporter, partner string) bool {
	return c.IsPartner(reporter) && c.IsPartner(partner) && c.allowed(reporter, partner)
}

// PartnerNamed returns the id of the signatory that a CRM calls so, by its id or its
// name, whatever the case.
func (c *Contract) PartnerNamed(text string) (id string, found bool) {
	for _, p := range c.Partners {
		if fold(text) == p.ID || fold(text) == fold(p.Name) {
			return p.ID, true
		}
	}
	return "", false
}

// Host is the id of the host.
func (c *Contract) Host() string {
	for _, p := range c.Partners {
		if p.Role == RoleHost {
			return p.ID
		}
	}
	return ""
}

// channelRule is one of the contract's rules; every condition that it has must
// hold, and a condition holds if one of its patterns fits.
type channelRule struct {
	channel    string
	rule       string
	conditions []condition
}

type condition struct {
	fact     func(TouchInput) string
	patterns []pattern
}

func (c *Contract) channel(in TouchInput) (channel, rule string) {
	for _, r := range c.rules.channels {
		if r.holds(in) {
			return r.channel, r.rule
		}
	}
	return builtinChannel(in)
}

func (r channelRule) holds(in TouchInput) bool {
	for _, condition := range r.conditions {
		fact := fold(condition.fact(in))
		if fact == "" || !matchAny(condition.patterns, fact) {
			return false
		}
	}
	return true
}

// SourceName normalises a CRM lead source as Classify does a utm_source, so
// that the two share one vocabulary; Unknown for none.
func SourceName(leadSource string) string { return or(tag(leadSource), Unknown) }

// tag returns a UTM value as a dimension, or "" where it says nothing.
func tag(text string) string {
	if text = fold(text); meant(text) {
		return value(text)
	}
	return ""
}

// or returns text, or the other where it is empty.
func or(text, other string) string {
	if strings.TrimSpace(text) == "" {
		return other
	}
	return text
}
