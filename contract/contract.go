// Package contract holds the agreed rules of one joint campaign: who takes
// part, which touches count, what campaign, channel, partner and asset a touch
// belongs to, what a CRM stage means, and the calendar and currency of the book.
//
// It knows the contract document and judges facts by it, purely: the same facts
// and the same document give the same answer on every machine. It must not know
// journeys, money values, storage or the wire, and it reads no clock.
// Everything that a contract decides is decided here, so that a new version of
// a document restates a book without the raw feeds.
package contract

import (
	"time"

	// The rules of time zones are part of the answer, so they travel with the
	// program and are not taken from whatever a machine has.
	_ "time/tzdata"

	"tracksource/attribution/model"
	"tracksource/money"
)

// Values that stand for what is not there. No identifier may begin with "(".
const (
	// Unknown is a dimension that the facts do not give.
	Unknown = "(unknown)"
	// None is the absence of a campaign or of a credited partner.
	None = "(none)"
	// This is the campaign of the contract itself, as Classification.Campaign.
	This = "this"
	// ChannelDirect is a visit with neither a tag nor a referrer.
	ChannelDirect = "Direct"
	// ChannelUnassigned is a touch whose tags match no rule.
	ChannelUnassigned = "Unassigned"
)

// Limits of a document.
const (
	// DocumentMax bounds a document, in bytes: a thousand assets with aliases
	// are a tenth of it, and it fits the broker's default record size.
	DocumentMax = 256 * 1024
	// ModelsMax bounds the ledger models, because every ledger entry carries
	// two numbers for each.
	ModelsMax = 6
	// LookbackMax and LatenessMax bound the windows, in days. The horizon of
	// the whole deployment is held back by their sum.
	LookbackMax = 1095
	LatenessMax = 365
	// MilestonesMax bounds the milestones of a funnel.
	MilestonesMax = 12
	// valueMax bounds a dimension value that comes from the facts, in bytes.
	valueMax = 100
)

// Role is what a partner is to the campaign.
type Role string

// The roles. A contract has exactly one host.
const (
	RoleHost    Role = "host"
	RolePartner Role = "partner"
)

// Visibility is what a partner may see of the book.
type Visibility string

// The visibilities, as the guarantees define them.
const (
	VisibilityOpen Visibility = "open"
	VisibilityOwn  Visibility = "own"
)

// Partner is a signatory.
type Partner struct {
	ID   string
	Name string
	Role Role
	// Currency is what its CRM means where it gives an amount and no currency.
	Currency   string
	Visibility Visibility
	// Hashed is whether the partner agreed to send addresses of people hashed.
	Hashed bool
}

// Window is the time that the contract looks at, in calendar days of its zone.
type Window struct {
	LookbackDays int
	LatenessDays int
	// HistoryFrom holds the horizon back to a day, if HasHistory.
	HistoryFrom money.Day
	HasHistory  bool
}

// Source is one kind of system of one partner, such as salesforce of acme.
type Source struct {
	Partner string
	Source  string
}

// Asset is a thing that touches happen on, under the names that feeds use.
type Asset struct {
	ID      string
	Aliases []string
	// Owner is the partner whose asset it is; empty if it is nobody's.
	Owner string
	// Expires is the last day on which a touch on it belongs to the campaign and
	// to its owner, if HasExpiry. Later touches still name it.
	Expires   money.Day
	HasExpiry bool
}

// Contract is a parsed and valid document. Its exported fields are read only.
// It is safe for concurrent use.
type Contract struct {
	// Campaign is the id of the joint campaign, which is the id of the contract.
	Campaign string
	Name     string
	// Starts and Ends are the first and the last day of the campaign, if HasStarts and
	// HasEnds. They bound what reports of the whole campaign look at, and nothing that is
	// attributed.
	Starts, Ends       money.Day
	HasStarts, HasEnds bool
	// Hash is the SHA-256 of the document, in hexadecimal.
	Hash string
	// Zone is where the days of the book begin and end.
	Zone *time.Location
	// Currency is what the book reports in, and Exponent the digits of its
	// minor unit.
	Currency string
	Exponent int
	Partners []Partner
	Window   Window
	// Models are the ids of the ledger models in their fixed order, and Specs what
	// each is: for every model there is one.
	Models []string
	Specs  []model.Spec
	// MultiTouch is the one of Models that the signatories agreed on.
	MultiTouch string
	// SystemOfRecord is the CRM whose deals are converted.
	SystemOfRecord Source
	// Milestones are what people and deals reach on their way, in order.
	Milestones []string
	Assets     []Asset
	Journey    Journey
	Overlap    Overlap
	Deals      Deals
	// RestateFrom is the first conversion day that the revision accounts for, if
	// HasRestateFrom; days before it stay with the revisions before it.
	RestateFrom    money.Day
	HasRestateFrom bool
	// RateAgeDays is for how many days a rate is carried forward.
	RateAgeDays int
	// SourcedDays is how long before creation an introduction counts.
	SourcedDays int
	// Guardrails are the bounds of what the signatories watch, in the order of
	// their names.
	Guardrails []Guardrail
	Escalation Escalation
	Approvals  Approvals

	rules rules
}

// rules are the compiled parts of a document that Classify and the like use.
type rules struct {
	partners     map[string]int // id to index in Partners
	touchTypes   map[string]bool
	statuses     []statusRule
	internal     map[string]bool
	precedence   []Source // Source may be empty: any of the partner
	utmCampaigns []pattern
	crmCampaigns map[string]bool
	matchAssets  map[string]bool
	assets       map[string]int // folded id or alias to index in Assets
	channels     []channelRule
	creditUTM    []creditRule
	creditCRM    map[string]string
	creditFeeds  map[string]string // "partner/feed" or "partner"
	mayCredit    map[string]map[string]bool
	stages       []stageRule
	regions      map[string]string
	segments     []segmentRule
}

// Day returns the calendar day of the instant in the contract's zone.
func (c *Contract) Day(at time.Time) money.Day { return money.DayOf(at, c.Zone) }

// IsPartner reports whether the id is a signatory.
func (c *Contract) IsPartner(id string) bool {
	_, found := c.rules.partners[id]
	return found
}

// PartnerCurrency returns the currency that the partner's CRM means where it
// names none; empty for who is no signatory.
func (c *Contract) PartnerCurrency(id string) string {
	if i, found := c.rules.partners[id]; found {
		return c.Partners[i].Currency
	}
	return ""
}

// IsCampaign reports whether a campaign id of a CRM belongs to this campaign.
func (c *Contract) IsCampaign(crmCampaign string) bool {
	return crmCampaign != "" && c.rules.crmCampaigns[fold(crmCampaign)]
}
