package attribution

import (
	"time"

	"tracksource/money"
)

// Why a deal is not a conversion of the book, as Facts.Excluded says it.
const (
	// ExcludedDeleted is a deal that its CRM deleted.
	ExcludedDeleted = "deleted"
	// ExcludedEvidence is a deal of another CRM than the system of record: it
	// speaks of business that the system of record has.
	ExcludedEvidence = "evidence"
	// ExcludedSuspected is a deal that may be the same business as one of another
	// CRM, until it is decided.
	ExcludedSuspected = "suspected_overlap"
	// ExcludedScope is a deal without a touch of the campaign.
	ExcludedScope = "out_of_scope"
)

// How the sourcing partner of a deal was found, as Sourced.By says it.
const (
	SourcedByRegistration = "registration"
	SourcedByTouch        = "touch"
)

// Who sourced a deal that no partner sourced.
const (
	// MarketingSourced is the host's own.
	MarketingSourced = "marketing-sourced"
	// Unsourced is nobody's.
	Unsourced = "unsourced"
)

// Sourced says who sourced a deal.
type Sourced struct {
	// Partner is a partner's id, MarketingSourced or Unsourced.
	Partner string
	// By is one of the SourcedBy constants, empty for Unsourced; Evidence is the
	// registration or the touch.
	By       string
	Evidence ItemID
}

// Facts is what is known of one deal under one contract, from which explanations,
// cohorts, distinct counts and all models are computed elsewhere.
type Facts struct {
	Contract string
	Revision int64
	// Deal is the deal's id; as text it is the Conversion of its ledger entries.
	Deal ItemID
	// Excluded is why the deal is in no total, empty for a deal that is. Its
	// measures are then what they would be.
	Excluded string
	// State, Stage and Milestone are where the deal is now.
	State, Stage, Milestone string
	// CreatedAt and LeadAt are zero where nobody says them. LeadAt is when the
	// first person of the account became a lead or a contact, not after CreatedAt.
	CreatedAt, LeadAt time.Time
	CloseDate         string
	// Amount is the CRM's own, as decimal text.
	Amount, Currency       string
	LeadSource, CampaignID string
	Region, Segment        string
	Stages                 []FactStage
	Sourced                Sourced
	// Merged are deals of other CRMs that are this business, Suspected those that
	// may be.
	Merged, Suspected []ItemID
	Measures          []FactMeasure
	// Touches are in order of time, of equal times by id: those that share any of
	// the measures.
	Touches []FactTouch
	// Truncated is whether the account has more touches than the contract's cap
	// lets share.
	Truncated bool
}

// FactStage is a step of a deal's history with what the contract makes of it.
type FactStage struct {
	Stage, State, Milestone string
	At                      time.Time
	EventID                 string
}

// FactMeasure is one conversion of a deal.
type FactMeasure struct {
	Measure string
	Day     money.Day
	// At is the last instant of a touch that shares it.
	At time.Time
	// Value is in units of 10^-Exponent of Currency, as Conversion has it; zero
	// for what is held.
	Value    int64
	Currency string
	Exponent int
	Basis    Basis
	Held     string // one of the Held codes, or empty
	// First and Last bound the touches that share it, in Touches: from First to
	// before Last.
	First, Last int
	// Influenced are the partners of these touches, CoSell those of them that did
	// not source the deal where a partner did; both in order.
	Influenced, CoSell []string
}

// FactTouch is a touch with what the contract makes of it.
type FactTouch struct {
	ID ItemID
	At time.Time
	// Type to Rule are the contract's judgement. Partner is one or more ids
	// joined with "+", between which the credit of the touch is split.
	Type, Channel, Partner, Asset, Source, Campaign, Rule string
	// Person is the identity of who it was, as far as it is known.
	Person string
	// Evidence are the reports that the touch is made of, the ID among them.
	Evidence []ItemID
}
