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

// StageClass is what the contract makes of a native stage.
type StageClass struct {
	State State
	// Milestone is the taxonomy's stage, such as SQL; empty if none is mapped.
	Milestone string
	// Rule says what decided.
	Rule string
}

type stageRule struct {
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
	for _, r := range c.rules.stages {
		if (r.partner != "" && r.partner != partner) || (r.source != "" && r.source != source) || !r.stage.match(name) {
			continue
		}
		class.Milestone, class.Rule = r.milestone, r.rule
		if r.state != "" {
			class.State = r.state
		}
		break
	}
	return class
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
