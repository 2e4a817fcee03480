package attribution

import (
	"cmp"
	"slices"
	"time"

	"tracksource/money"
)

// Why a deal is not a conversion of the book, as Facts.Excluded says it.
const (
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
	// SourcedByDecision is a dispute that was upheld.
	SourcedByDecision = "decision"
)

// Sourced says who sourced a deal.
type Sourced struct {
	// Partner is a partner's id, contract.MarketingSourced or contract.Unsourced.
	Partner string
	// By is one of the SourcedBy constants, empty for Unsourced; Evidence is the
	// registration, the touch or the dispute.
	By       string
	Evidence ItemID
}

// Facts is what is known of one deal under one revision of a contract, from which
// explanations, cohorts, distinct counts and all models are computed elsewhere. A
// deal whose measures several revisions account for has facts under each.
type Facts struct {
	Contract string
	Revision int64
	// Deal is the deal's id; as text it is the Conversion of its ledger entries.
	Deal ItemID
	// Excluded is why the deal is in no total, empty for a deal that is. One that is
	// out of scope has the measures that it would have, others have none.
	Excluded string
	// Order is whether it is an order of a shop.
	Order bool
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
	// Disputes are those of the deal that the book does not refuse, in the order in
	// which they were opened.
	Disputes []FactDispute
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
	// Revision accounts for its day. InScope is whether the book does.
	Revision int64
	InScope  bool
	// Path are the places in Touches of those that share it.
	Path []int
	// Influenced are the partners of these touches, CoSell those of them that did
	// not source the deal where a partner did; both in order.
	Influenced, CoSell []string
	// Confidence is in what is booked; zero for what is not.
	Confidence Confidence
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

// suspicions are the deals that are in no total because they may be others.
func (b *booker) suspicions() []Suspicion {
	var list []Suspicion
	for i := range b.businesses {
		if s := &b.businesses[i]; s.excluded == ExcludedSuspected {
			list = append(list, Suspicion{Deal: s.ID, Other: s.suspected[0]})
		}
	}
	return list
}

// facts are of the deals whose measures the revision accounts for, in the order of
// their ids; of those without a measure under the newest.
func (b *booker) facts(outcomes []outcome) []Facts {
	var list []Facts
	for i := range b.businesses {
		s := &b.businesses[i]
		var mine []outcome
		for n, e := range b.events {
			if e.business == s && outcomes[n].ours {
				mine = append(mine, outcomes[n])
			}
		}
		if len(mine) > 0 || b.newest {
			list = append(list, b.dealFacts(s, mine))
		}
	}
	return list
}

func (b *booker) dealFacts(s *business, outcomes []outcome) Facts {
	f := b.stateFacts(s)
	shares := make([]bool, len(b.steps))
	inScope, count := false, 0
	for _, o := range outcomes {
		f.Truncated, inScope = f.Truncated || o.truncated, inScope || o.inScope
		for _, place := range o.path {
			if !shares[place] {
				shares[place] = true
				count++
			}
		}
	}
	if !inScope && f.Excluded == "" {
		f.Excluded = ExcludedScope
	}
	places := make([]int, len(b.steps))
	f.Touches = slices.Grow(f.Touches, count)
	for i := range b.steps {
		if places[i] = len(f.Touches); shares[i] {
			f.Touches = append(f.Touches, b.steps[i].fact())
		}
	}
	for _, o := range outcomes {
		f.Measures = append(f.Measures, b.measureFact(s, o, places))
	}
	return f
}

// stateFacts are the facts without measures and touches.
func (b *booker) stateFacts(s *business) Facts {
	base := b.accountDimensions(s)
	f := Facts{
		Contract: b.contract.Campaign, Revision: b.revision, Deal: s.ID, Excluded: s.excluded, Order: s.Order,
		State: string(s.current.State), Stage: s.Stage, Milestone: s.current.Milestone,
		CreatedAt: s.created, LeadAt: s.lead, CloseDate: s.CloseDate,
		Amount: s.Amount, Currency: cmp.Or(s.Currency, b.contract.PartnerCurrency(s.ID.Reporter)),
		LeadSource: s.LeadSource, CampaignID: s.CampaignID, Region: base.Region, Segment: base.Segment,
		Sourced: s.sourced, Suspected: s.suspected,
	}
	for _, d := range s.merged {
		f.Merged = append(f.Merged, d.ID)
	}
	for _, d := range s.disputes {
		f.Disputes = append(f.Disputes, d.FactDispute)
	}
	steps, classes := b.stages(&s.Deal)
	for i, step := range steps {
		f.Stages = append(f.Stages, FactStage{
			Stage: step.Stage, State: string(classes[i].State), Milestone: classes[i].Milestone, At: step.At, EventID: step.EventID,
		})
	}
	return f
}

// measureFact is one measure; places are where the steps are among the touches.
func (b *booker) measureFact(s *business, o outcome, places []int) FactMeasure {
	m := FactMeasure{
		Measure: o.Measure, Day: o.Day, At: o.until, Revision: o.Revision, InScope: o.inScope,
		Value: o.Value, Currency: o.Currency, Exponent: o.Exponent, Basis: o.Basis, Confidence: o.Confidence,
	}
	if o.held != nil {
		m.Held, m.Value = o.held.code, 0
	}
	for _, i := range o.path {
		m.Path = append(m.Path, places[i])
	}
	m.Influenced, m.CoSell = b.influence(s, o.shared)
	return m
}

func (s *step) fact() FactTouch {
	f := FactTouch{
		ID: s.touch.ID, At: s.at, Type: s.class.Type, Channel: s.class.Channel, Partner: s.class.Partner,
		Asset: s.class.Asset, Source: s.class.Source, Campaign: s.class.Campaign, Rule: s.class.Rule, Evidence: s.evidence,
	}
	if len(s.people) > 0 {
		f.Person = s.people[0]
	}
	return f
}
