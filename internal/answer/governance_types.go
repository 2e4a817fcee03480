package answer

import "time"

// GovernanceAnswer is how a campaign is governed, and how it stands: what is watched,
// who is content, what is closed and who agreed to what.
type GovernanceAnswer struct {
	Envelope
	Guardrails   []GuardrailLine    `json:"guardrails"` // by name, then subject
	SLA          SLALine            `json:"sla"`
	Satisfaction []SatisfactionLine `json:"satisfaction"` // in the contract's order
	Periods      PeriodsLine        `json:"periods"`
	Proposal     *ApprovalsLine     `json:"proposal"`   // of the revision that is proposed; null without one
	Reopening    *ApprovalsLine     `json:"reopening"`  // of opening a closed period again; null where nobody said anything to it
	Revisions    []RevisionSummary  `json:"revisions"`  // of the contract, the newest first
	Signatures   []SignatureLine    `json:"signatures"` // the newest first
	Approvers    ApproversLine      `json:"approvers"`
	Escalation   EscalationLine     `json:"escalation"`
}

// GuardrailLine is one thing that is watched, as it was last evaluated.
type GuardrailLine struct {
	Guardrail string `json:"guardrail"`
	Subject   string `json:"subject"` // a feed, or a measure; empty where there is one only
	Unit      string `json:"unit"`    // % x h or mo
	AtMost    bool   `json:"at_most"` // less is better
	Target    string `json:"target"`  // in the unit
	Limit     string `json:"limit"`
	Day       string `json:"day"`  // that was last evaluated, YYYY-MM-DD; empty before the first
	Band      string `json:"band"` // green, amber, red or no_data; empty before the first
	// Value is in the unit; null without data, and where it is withheld.
	Value    *string          `json:"value"`
	Detail   string           `json:"detail"`
	Evidence []string         `json:"evidence"`
	Attempts int              `json:"attempts"`
	Alert    *string          `json:"alert"`   // id of the open alert; null without one
	History  []EvaluationLine `json:"history"` // the last 30 evaluated days, the oldest first
}

// EvaluationLine is one day of a guardrail.
type EvaluationLine struct {
	Day   string  `json:"day"`
	Band  string  `json:"band"`
	Value *string `json:"value"`
}

// SLALine is how much of the time feeds were as new and as complete as agreed.
type SLALine struct {
	FeedDays  string  `json:"feed_days"` // that were evaluated
	Kept      string  `json:"kept"`
	Adherence *string `json:"adherence"` // kept over feed_days; null without any
}

// SatisfactionLine is how content one partner can be, as far as that is measured.
type SatisfactionLine struct {
	Partner   string `json:"partner"`
	Open      string `json:"open"`      // disputes
	Settled   string `json:"settled"`   // disputes that were resolved
	Withdrawn string `json:"withdrawn"` // disputes
	// MedianHours and MeanHours are the time until a dispute was resolved, UpheldShare
	// the part that was upheld; null where none was.
	MedianHours *string `json:"median_hours"`
	MeanHours   *string `json:"mean_hours"`
	UpheldShare *string `json:"upheld_share"`
	Freshness   SLALine `json:"freshness"` // of its feeds alone
	// Score is that of the newest survey, MeanScore of all; null without any.
	Score     *string `json:"score"`
	ScoreDay  string  `json:"score_day"` // YYYY-MM-DD
	MeanScore *string `json:"mean_score"`
	Surveys   string  `json:"surveys"`
}

// PeriodsLine is what is closed, and how it came to that.
type PeriodsLine struct {
	ClosedUntil string       `json:"closed_until"` // the last closed day, YYYY-MM-DD; empty: all is open
	Steps       []PeriodStep `json:"steps"`        // the newest first
}

// PeriodStep is one closing or reopening.
type PeriodStep struct {
	Action string    `json:"action"` // close or reopen
	Day    string    `json:"day"`
	By     string    `json:"by"`
	Why    string    `json:"why"`
	At     time.Time `json:"at"`
}

// ApprovalsLine is who said what to one thing that waits for approvals.
type ApprovalsLine struct {
	Revision int64          `json:"revision"` // 0 for a reopening
	Hash     string         `json:"hash"`     // of the proposal; empty for a reopening
	By       string         `json:"by"`       // who put the proposal forward; empty where nobody said, and for a reopening
	Why      string         `json:"why"`      // the reason of that
	Day      string         `json:"day"`      // the first to be opened again; empty for a revision
	Required []string       `json:"required"` // partners
	Missing  []string       `json:"missing"`  // of these, those that have not approved
	Said     []ApprovalLine `json:"said"`
}

// ApprovalLine is what one partner said.
type ApprovalLine struct {
	Partner  string    `json:"partner"`
	Decision string    `json:"decision"` // approved or refused
	By       string    `json:"by"`
	Why      string    `json:"why"`
	At       time.Time `json:"at"`
}

// SignatureLine is what one partner said to a reporting package.
type SignatureLine struct {
	Partner  string    `json:"partner"`
	Hash     string    `json:"hash"` // of the package's manifest
	Title    string    `json:"title"`
	Decision string    `json:"decision"` // approved or disputed
	By       string    `json:"by"`
	Why      string    `json:"why"`
	At       time.Time `json:"at"`
}

// ApproversLine is whose approval the contract asks for.
type ApproversLine struct {
	Revision []string `json:"revision"`
	Package  []string `json:"package"`
	Reopen   []string `json:"reopen"`
}

// EscalationLine is to whom alerts go.
type EscalationLine struct {
	Ladder    []RungLine `json:"ladder"`
	Board     RungLine   `json:"board"`
	Retries   int        `json:"retries"`
	ClimbDays int        `json:"climb_days"`
}

// RungLine is one step of the ladder.
type RungLine struct {
	Name     string `json:"name"`
	Owner    string `json:"owner"`
	Fallback string `json:"fallback"`
}

// DisputesAnswer lists disputes, the newest first.
type DisputesAnswer struct {
	Envelope
	Disputes []DisputeLine `json:"disputes"`
	Next     *string       `json:"next"`
}

// DisputeLine is one dispute as it now stands.
type DisputeLine struct {
	ID          string     `json:"id"`
	Partner     string     `json:"partner"` // that disputes
	Deal        string     `json:"deal"`    // as explain takes it
	About       string     `json:"about"`   // sourcing or credit
	Against     string     `json:"against"` // whose credit; empty for sourcing
	State       string     `json:"state"`   // open, withdrawn, upheld or rejected
	To          string     `json:"to"`      // who got it, where it was upheld
	OpenedAt    time.Time  `json:"opened_at"`
	OpenedBy    string     `json:"opened_by"`
	Why         string     `json:"why"`
	Origin      string     `json:"origin"` // place of what came by a feed; empty otherwise
	SettledAt   *time.Time `json:"settled_at"`
	SettledBy   string     `json:"settled_by"`
	SettledWhy  string     `json:"settled_why"`
	Escrow      []Escrow   `json:"escrow"`       // what of it is in escrow under the agreed model
	DealVisible bool       `json:"deal_visible"` // whether explain tells the viewer of the deal
}

// Escrow is what of one measure is in escrow.
type Escrow struct {
	Measure  string `json:"measure"`
	Value    string `json:"value"`
	Currency string `json:"currency"` // empty for counts
}

// KPIsAnswer is the key figures of a campaign.
type KPIsAnswer struct {
	Envelope
	Quarter  Window       `json:"quarter"` // to date, of what is by quarter
	KPIs     []KPILine    `json:"kpis"`
	Partners []KPIPartner `json:"partners"` // of the deals that each sourced
}

// KPIPartner is the key figures of one partner.
type KPIPartner struct {
	Partner string    `json:"partner"`
	KPIs    []KPILine `json:"kpis"`
}

// KPILine is one key figure with what it is made of.
type KPILine struct {
	KPI      string  `json:"kpi"`
	Unit     string  `json:"unit"`     // % x mo days or money
	Currency string  `json:"currency"` // of money
	Value    *string `json:"value"`    // null: no data
	Missing  string  `json:"missing"`  // what is missing where there is no value
	Detail   string  `json:"detail"`   // what it is made of
	Band     string  `json:"band"`     // by the contract's guardrail; empty where there is none
	Target   *string `json:"target"`   // of that guardrail, in the unit
	Limit    *string `json:"limit"`
}
