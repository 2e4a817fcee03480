package contract

import "time"

// Who sourced what no partner sourced: the host, or nobody.
const (
	MarketingSourced = "marketing-sourced"
	Unsourced        = "unsourced"
)

// Matching is whose touches share a deal.
type Matching string

// The matchings.
const (
	// MatchImplicit takes the touches of the whole account.
	MatchImplicit Matching = "implicit"
	// MatchExplicit takes those of the people who have a role on the deal.
	MatchExplicit Matching = "explicit"
	// MatchHybrid is explicit for a deal with roles and implicit for one without.
	MatchHybrid Matching = "hybrid"
)

// Journey is what of an account's touches shares a conversion.
type Journey struct {
	Matching Matching
	// Touches is how many share one at most: the newest, besides the first and
	// those at milestones.
	Touches int
}

// Bounds of Journey.Touches. The facts of a deal name each of them, and are one record
// of Kafka.
const (
	TouchesDefault = 1000
	TouchesMax     = 1000
)

// Sameness is what makes people the same to the overlap of reporters.
type Sameness string

// The samenesses.
const (
	// SameAccount takes two people of one account for the same unless both are
	// known and differ.
	SameAccount Sameness = "account"
	// SamePerson wants both known and equal.
	SamePerson Sameness = "person"
)

// Disagreement is what becomes of a touch that reporters credit to different
// partners.
type Disagreement string

// The disagreements.
const (
	// DisagreementSplit shares the touch among them equally.
	DisagreementSplit Disagreement = "split"
	// DisagreementHold credits it to Held until the feeds agree.
	DisagreementHold Disagreement = "hold"
)

// Held is the credited partner of a touch about which reporters disagree, where
// the contract holds it.
const Held = "(held)"

// Overlap is when what two reporters saw is one touch.
type Overlap struct {
	// Window is how far apart they are at most; zero: nothing is one.
	Window       time.Duration
	By           Sameness
	Disagreement Disagreement
}

// overlapMax bounds Overlap.Window: further apart are two visits.
const overlapMax = 7 * 24 * time.Hour

// OtherDeals is what deals of CRMs other than the system of record are.
type OtherDeals string

// What they may be.
const (
	// DealsEvidence never have a value of their own.
	DealsEvidence OtherDeals = "evidence"
	// DealsCount are conversions too, unless they are the same business as another.
	DealsCount OtherDeals = "count"
)

// Deals is how deals of several CRMs meet.
type Deals struct {
	Others OtherDeals
	// SuspectDays is how many days apart two deals of one account in different
	// CRMs may be created to be suspected of being one; negative: none is.
	SuspectDays int
}

const suspectDaysDefault = 30
