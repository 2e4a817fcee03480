package contract

import (
	"strconv"
	"strings"
)

// RatioWhole is one, in the parts that ratios are whole numbers of.
const RatioWhole = 1_000_000

// Unit is what a guardrail is measured in, and how its bounds are written.
type Unit string

// The units.
const (
	// UnitPercent is written 98% or 0.5% and held in parts of RatioWhole.
	UnitPercent Unit = "%"
	// UnitTimes is written 3x and held in parts of RatioWhole.
	UnitTimes Unit = "x"
	// UnitHours is written 24h.
	UnitHours Unit = "h"
	// UnitMonths is written 14mo and held in parts of RatioWhole.
	UnitMonths Unit = "mo"
)

// Guardrails, by name.
const (
	// GuardAccuracy bounds the reconciled value by the system of record's.
	GuardAccuracy = "accuracy"
	// GuardCACPayback bounds the months until gross margin has paid for a customer.
	GuardCACPayback = "cac_payback"
	// GuardCompleteness bounds the share of a feed's announced events that came.
	GuardCompleteness = "completeness"
	// GuardConfidence bounds the confidence of credits.
	GuardConfidence = "confidence"
	// GuardControlTotals bounds by how much what came may differ from what a
	// partner says it sent.
	GuardControlTotals = "control_totals"
	// GuardFreshness bounds how old the newest event of a feed may be.
	GuardFreshness = "freshness"
	// GuardPacing bounds the value to date by the target to date.
	GuardPacing = "pacing"
	// GuardPipelineCoverage bounds the pipeline added in a quarter by its quota.
	GuardPipelineCoverage = "pipeline_coverage"
	// GuardReach bounds by how much the audience reached may differ from the plan.
	GuardReach = "reach"
	// GuardWinRate bounds the deals won by the deals closed.
	GuardWinRate = "win_rate"
)

// Targets that are no measures of a book: what two guardrails are held against.
const (
	// TargetQuota is the pipeline of a quarter that its sellers are to bring, as money.
	TargetQuota = "quota"
	// TargetReach is how many people are planned at the first milestone.
	TargetReach = "reach"
)

// Guardrail is the bounds of one thing that is watched.
type Guardrail struct {
	Name string
	Unit Unit
	// AtMost is whether less is better.
	AtMost bool
	// Target is what is asked for, Limit what is not put up with; between the two
	// it is a warning.
	Target, Limit int64
}

// Band is a traffic light.
type Band string

// The bands.
const (
	BandGreen Band = "green"
	BandAmber Band = "amber"
	BandRed   Band = "red"
)

// Judge holds a value, in the guardrail's unit, against its bounds. The target
// itself is met and the limit itself is kept.
func (g Guardrail) Judge(value int64) Band {
	target, limit := g.Target, g.Limit
	if g.AtMost {
		value, target, limit = -value, -target, -limit
	}
	switch {
	case value >= target:
		return BandGreen
	case value >= limit:
		return BandAmber
	}
	return BandRed
}

// Bounds says what the guardrail asks for, with its bounds as the caller writes them:
// at least 25%, red under 20%.
func (g Guardrail) Bounds(target, limit string) string {
	if g.AtMost {
		return "at most " + target + ", red over " + limit
	}
	return "at least " + target + ", red under " + limit
}

// Guardrail returns the guardrail of that name; every contract has all.
func (c *Contract) Guardrail(name string) Guardrail {
	for _, g := range c.Guardrails {
		if g.Name == name {
			return g
		}
	}
	return Guardrail{Name: name}
}

// Rung is whom an alert goes to.
type Rung struct {
	Name string
	// Owner answers for it, Fallback when the owner does not; empty for who holds
	// the office of the name.
	Owner, Fallback string
}

// Escalation is how alerts climb.
type Escalation struct {
	// Ladder begins with the first rung.
	Ladder []Rung
	// Board decides what the ladder does not: disputes of sourced pipeline, and
	// accuracy under its guardrail twice.
	Board Rung
	// Retries is how often a failed pull or reconciliation is tried again.
	Retries int
	// ClimbDays is after how many days a breach that persists climbs a rung.
	ClimbDays int
}

// Approvals are whose approval is needed for what, as ids of partners.
type Approvals struct {
	// Revision is for a new revision of the contract, Package for a reporting
	// package, Reopen for opening a closed period again.
	Revision, Package, Reopen []string
}

// guardrailDefaults are the guardrails of the executive dashboard that campaign
// teams use, and those of the data behind it.
var guardrailDefaults = [...]struct {
	Guardrail
	target, limit string
}{
	{Guardrail{Name: GuardAccuracy, Unit: UnitPercent}, "98%", "95%"},
	{Guardrail{Name: GuardCACPayback, Unit: UnitMonths, AtMost: true}, "14mo", "16mo"},
	{Guardrail{Name: GuardCompleteness, Unit: UnitPercent}, "99%", "95%"},
	{Guardrail{Name: GuardConfidence, Unit: UnitPercent}, "80%", "60%"},
	{Guardrail{Name: GuardControlTotals, Unit: UnitPercent, AtMost: true}, "0%", "0.5%"},
	{Guardrail{Name: GuardFreshness, Unit: UnitHours, AtMost: true}, "24h", "48h"},
	{Guardrail{Name: GuardPacing, Unit: UnitPercent}, "100%", "90%"},
	{Guardrail{Name: GuardPipelineCoverage, Unit: UnitTimes}, "3x", "2.5x"},
	{Guardrail{Name: GuardReach, Unit: UnitPercent, AtMost: true}, "8%", "12%"},
	{Guardrail{Name: GuardWinRate, Unit: UnitPercent}, "25%", "20%"},
}

// bound reads a bound such as 0.5% or 24h.
func bound(text string, unit Unit) (int64, bool) {
	digits, found := strings.CutSuffix(text, string(unit))
	if !found {
		return 0, false
	}
	if unit == UnitHours {
		n, err := strconv.ParseInt(digits, 10, 32)
		return n, err == nil && n >= 0 && strconv.FormatInt(n, 10) == digits
	}
	scale := unit.scale()
	whole, part, _ := strings.Cut(digits, ".")
	if whole == "" || len(whole) > 6 || len(part) > scale || strings.Trim(whole+part, "0123456789") != "" || strings.HasSuffix(digits, ".") {
		return 0, false
	}
	n, err := strconv.ParseInt(whole+part+strings.Repeat("0", scale-len(part)), 10, 64)
	return n, err == nil
}

// Text writes a value of the unit as people and records have it, without the unit's
// sign: 98.5 of UnitPercent, 3.25 of UnitTimes, 26 of UnitHours.
func (u Unit) Text(value int64) string {
	scale := u.scale()
	digits := strconv.FormatInt(value, 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	whole, part := digits[:len(digits)-scale], strings.TrimRight(digits[len(digits)-scale:], "0")
	if part != "" {
		whole += "." + part
	}
	return sign + whole
}

// ParseValue reads what Text writes, false for anything else.
func (u Unit) ParseValue(text string) (int64, bool) {
	const digitsMax = 18
	scale := u.scale()
	digits, negative := strings.CutPrefix(text, "-")
	whole, part, pointed := strings.Cut(digits, ".")
	if whole == "" || pointed && part == "" || len(part) > scale || len(whole)+scale > digitsMax || strings.Trim(whole+part, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(whole+part+strings.Repeat("0", scale-len(part)), 10, 64)
	if negative {
		n = -n
	}
	return n, err == nil && u.Text(n) == text
}

// scale is how many decimal places a value of the unit is held with.
func (u Unit) scale() int {
	switch u {
	case UnitHours:
		return 0
	case UnitPercent:
		return 4
	case UnitTimes, UnitMonths:
	}
	return 6
}
