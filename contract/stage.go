package contract

import (
	"strconv"
	"strings"
)

// State is what a deal is to the book.
type State string

// The states.
const (
	StateOpen State = "open"
	StateWon  State = "won"
	StateLost State = "lost"
)

// ObjectDecision is the type of the object by which a decision on overlapping deals
// reaches their account.
const ObjectDecision = "overlap_decision"

// ObjectDispute is the type of the object by which a dispute of a deal reaches its
// account.
const ObjectDispute = "dispute"

// Objects that have stages, as the types of CRM objects.
const (
	ObjectOpportunity = "opportunity"
	ObjectLead        = "lead"
	ObjectContact     = "contact"
)

// The milestones of a contract that declares none: what a person reaches before
// there is a deal.
const (
	MilestoneInquiry = "inquiry"
	MilestoneMQL     = "MQL"
	MilestoneSAL     = "SAL"
	MilestoneSQL     = "SQL"
)

// StageClass is what the contract makes of a native stage.
type StageClass struct {
	State State
	// Milestone is the taxonomy's stage, such as SQL; empty if none is mapped.
	Milestone string
	// Rule says what decided.
	Rule string
}

type stageRule struct {
	object          string
	partner, source string // empty: any
	stage           pattern
	state           State // empty: by the CRM's own flags
	milestone       string
	rule            string
}

// Stage judges a native stage of a deal: the contract's first rule for that
// partner, source and stage, else the CRM's own flags, else the two names that
// CRMs ship with.
func (c *Contract) Stage(partner, source, native string, isClosed, isWon bool) StageClass {
	name := fold(native)
	class := StageClass{State: stateByFlags(name, isClosed, isWon), Rule: "flags of the CRM"}
	if r, found := c.stageRule(ObjectOpportunity, partner, source, name); found {
		class.Milestone, class.Rule = r.milestone, r.rule
		if r.state != "" {
			class.State = r.state
		}
	}
	return class
}

// PersonStage judges a native stage of a lead or a contact: the milestone that the
// contract's first rule for that object, partner, source and stage gives, else the
// one of that very name, else none.
func (c *Contract) PersonStage(object, partner, source, native string) (milestone, rule string) {
	name := fold(native)
	if r, found := c.stageRule(object, partner, source, name); found {
		return r.milestone, r.rule
	}
	for _, m := range c.Milestones {
		if fold(m) == name {
			return m, "named like the milestone"
		}
	}
	return "", "no rule for the stage"
}

// MapsStage reports whether a rule of the contract takes the stage.
func (c *Contract) MapsStage(object, partner, source, native string) bool {
	_, found := c.stageRule(object, partner, source, fold(native))
	return found
}

func (c *Contract) stageRule(object, partner, source, name string) (stageRule, bool) {
	for _, r := range c.rules.stages {
		if r.object == object && (r.partner == "" || r.partner == partner) && (r.source == "" || r.source == source) && r.stage.match(name) {
			return r, true
		}
	}
	return stageRule{}, false
}

func stateByFlags(name string, isClosed, isWon bool) State {
	switch {
	case isWon:
		return StateWon
	case isClosed:
		return StateLost
	case name == "closed won" || name == "closedwon":
		return StateWon
	case name == "closed lost" || name == "closedlost":
		return StateLost
	}
	return StateOpen
}

// Region maps a country, as the CRM writes it, to a region of the contract;
// Unknown for none and for one that no region has.
func (c *Contract) Region(country string) string {
	if country = fold(country); country != "" {
		if region, found := c.rules.regions[country]; found {
			return region
		}
		if region, found := c.rules.regions["*"]; found {
			return region
		}
	}
	return Unknown
}

type segmentRule struct {
	segment                    string
	industries                 []pattern
	employeesMin, employeesMax int // employeesMax 0: no limit
	bySize                     bool
}

// Segment returns the first segment whose conditions the account meets, else
// Unknown. Employees is the number as text; grouping commas are allowed.
func (c *Contract) Segment(industry, employees string) string {
	industry = fold(industry)
	count, err := strconv.Atoi(strings.ReplaceAll(strings.TrimSpace(employees), ",", ""))
	sized := err == nil && count >= 0
	for _, r := range c.rules.segments {
		if len(r.industries) > 0 && (industry == "" || !matchAny(r.industries, industry)) {
			continue
		}
		if r.bySize && (!sized || count < r.employeesMin || (r.employeesMax > 0 && count > r.employeesMax)) {
			continue
		}
		return r.segment
	}
	return Unknown
}

// Precedence is how much a CRM is believed about an account: the lowest most. It
// is the place in the contract's list, behind which come the system of record and
// then the partners as they are listed.
func (c *Contract) Precedence(partner, source string) int {
	for i, s := range c.rules.precedence {
		if s.Partner == partner && (s.Source == "" || s.Source == source) {
			return i
		}
	}
	return len(c.rules.precedence)
}
