// Package plan is what a run of a reporting package sets out to do, and what came of
// it: kept as a file of JSON, for whoever audits the numbers.
//
// It knows the fields that campaign teams' plans have, what Track Source adds to them,
// and what changed since the plan before. It must not know where plans are kept: times
// are arguments, and the same arguments give the same plan.
package plan

import (
	"time"

	"tracksource/report"
)

// Version is that of what Track Source adds to a plan, track_source.version.
const Version = 1

// Plan is one plan. Its fields but track_source and seal are those that campaign teams'
// plans have.
type Plan struct {
	PlanID            string          `json:"plan_id"` // plan-YYYYmmdd-HHMMSS in UTC, and -n of several in a second
	Objective         string          `json:"objective"`
	Complexity        string          `json:"complexity"`
	Strategy          string          `json:"strategy"`
	EstimatedDuration string          `json:"estimated_duration"` // ISO 8601
	EstimatedCost     string          `json:"estimated_cost"`     // in tokens of the agents that take the tasks on
	Stages            []Stage         `json:"stages"`
	Parallelization   Parallelization `json:"parallelization"`
	ContextPassing    ContextPassing  `json:"context_passing"`
	ErrorHandling     ErrorHandling   `json:"error_handling"`
	SuccessCriteria   []string        `json:"success_criteria"`
	Deliverables      []string        `json:"deliverables"`
	Status            Status          `json:"status"`
	TrackSource       Block           `json:"track_source"`
	// Seal is the hash of all the rest, empty before the plan is written. See [Encode].
	Seal string `json:"seal"`
}

// Status is how far a plan has come.
type Status string

// The statuses. One that stays planned or running was for review, or was killed.
const (
	Planned   Status = "planned"
	Running   Status = "running"
	Completed Status = "completed"
	Failed    Status = "failed"
)

// Stage is tasks that belong together.
type Stage struct {
	StageID   string `json:"stage_id"`
	Name      string `json:"name"`
	Execution string `json:"execution"` // sequential or parallel
	Tasks     []Task `json:"tasks"`
}

// Task is one thing to do.
type Task struct {
	TaskID          string   `json:"task_id"` // stage.number
	Agent           string   `json:"agent"`
	Purpose         string   `json:"purpose"`
	Input           string   `json:"input"`
	OutputVar       string   `json:"output_var"`
	Dependencies    []string `json:"dependencies"` // task ids
	ToolsRequired   []string `json:"tools_required"`
	EstimatedTokens int64    `json:"estimated_tokens"`
}

// Parallelization is what may be done at the same time.
type Parallelization struct {
	MaxConcurrent  int             `json:"max_concurrent"`
	ParallelGroups []ParallelGroup `json:"parallel_groups"`
}

// ParallelGroup is tasks that may be done at the same time, once others are done.
type ParallelGroup struct {
	GroupID string   `json:"group_id"`
	Tasks   []string `json:"tasks"`
	WaitFor []string `json:"wait_for"` // tasks
}

// ContextPassing is how one task's output becomes another's input.
type ContextPassing struct {
	Method            string `json:"method"`
	ArtifactsLocation string `json:"artifacts_location"`
}

// ErrorHandling is what happens when a pull or a reconciliation fails.
type ErrorHandling struct {
	RetryStrategy string `json:"retry_strategy"`
	MaxRetries    int    `json:"max_retries"`
	FallbackPlan  string `json:"fallback_plan"`
	Escalation    []Rung `json:"escalation"` // the ladder, then the board
}

// Rung is whom a failure goes to.
type Rung struct {
	Rung string `json:"rung"`
	// Owner and Fallback are empty for who holds the office of the rung's name.
	Owner    string `json:"owner"`
	Fallback string `json:"fallback"`
	Board    bool   `json:"board"` // the board, which the ladder does not lead to
	When     string `json:"when"`  // it is told
}

// Block is what Track Source adds to a plan.
type Block struct {
	Version    int        `json:"version"`
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
	FinishedAt *time.Time `json:"finished_at"`
	// Previous is the id of the last completed plan of the campaign, empty without one.
	Previous        string       `json:"previous"`
	Campaign        Campaign     `json:"campaign"`
	Question        Question     `json:"question"`
	Answered        *Answered    `json:"answered"`
	DataSources     []DataSource `json:"data_sources"`
	DependencyGraph Graph        `json:"dependency_graph"`
	SuccessMetrics  []Metric     `json:"success_metrics"`
	Attempts        []Attempt    `json:"attempts"`
	Failure         *Failing     `json:"failure"` // why the plan failed; nil for all others
	Escalations     []Escalation `json:"escalations"`
	// OpenAlerts are those of the campaign as the package tells them, the newest first.
	OpenAlerts        []Alert `json:"open_alerts"`
	OpenAlertsLeftOut int     `json:"open_alerts_left_out"`
	// ChangeLog is what changed with this plan and the ones before it, the newest first.
	ChangeLog        []Change   `json:"change_log"`
	ChangeLogLeftOut int        `json:"change_log_left_out"` // older lines
	Cadence          string     `json:"cadence"`             // of completed plans
	FailedBefore     int        `json:"failed_before"`       // plans of this campaign since the last completed one
	Approvals        []Approval `json:"approvals"`           // of packages of this campaign, the newest first
	Package          *Package   `json:"package"`
}

// Campaign is the book that the plan is about. What the contract says of it is empty
// until the package has come.
type Campaign struct {
	Asked    string   `json:"asked"` // id or name, as it was asked for
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Revision int64    `json:"revision"`
	Contract string   `json:"contract"` // its hash
	Currency string   `json:"currency"`
	Zone     string   `json:"zone"`
	Partners []string `json:"partners"`
}

// Question is what was asked for. What is empty is left to the reporter.
type Question struct {
	Campaign   string   `json:"campaign"`   // id or name
	Window     string   `json:"window"`     // Nd, campaign, all or FROM..TO
	Detail     string   `json:"detail"`     // summary or full
	Dimensions []string `json:"dimensions"` // in the order asked for
	Model      string   `json:"attribution_model"`
	View       string   `json:"view"`  // as_known or restated
	AsOf       string   `json:"as_of"` // a time or a day; empty for now
	// Again is the hash of the manifest of the package that is made once more.
	Again    string   `json:"again"`
	Formats  []string `json:"formats"`
	Reporter string   `json:"reporter"` // URL, without what it keeps secret
	PlanOnly bool     `json:"plan_only"`
	// Given are the flags that somebody wrote, without dashes; the others are defaults.
	Given []string `json:"given"`
}

// Answered is the question with every default filled in, and of when the answer is.
type Answered struct {
	Window     string    `json:"window"`
	From       string    `json:"from"`
	To         string    `json:"to"`
	Detail     string    `json:"detail"`
	Dimensions []string  `json:"dimensions"`
	Model      string    `json:"attribution_model"`
	View       string    `json:"view"`
	AsOf       time.Time `json:"as_of"`
	Empty      string    `json:"empty"` // why there is nothing to report
	// BehindSeconds is how far the reporter was behind its topics, and BehindWhy in words.
	BehindSeconds int64  `json:"behind_seconds"`
	BehindWhy     string `json:"behind_why"`
}

// DataSource is one feed and how far it could be relied on. Before the data has come it
// is what the last plan knew.
type DataSource struct {
	Feed         string     `json:"feed"`
	System       string     `json:"system"` // crm, map, analytics or other
	Partner      string     `json:"partner"`
	Topic        string     `json:"topic"`
	Offsets      []int64    `json:"offsets"` // the next of each partition
	Records      int64      `json:"records"`
	Newest       *time.Time `json:"newest"`
	AgeSeconds   int64      `json:"age_seconds"` // -1 without a record
	LimitSeconds int64      `json:"limit_seconds"`
	Fresh        bool       `json:"fresh"`
	Completeness string     `json:"completeness"` // empty where nobody can tell
	Complete     bool       `json:"complete"`
	DeadLetters  int64      `json:"dead_letters"`
	// Counts say what became of its events, nil where nobody tells, and MatchRate which
	// part of its touches are on a known account, empty where nobody can tell.
	Counts    *report.FeedCounts `json:"counts"`
	MatchRate string             `json:"match_rate"`
	// Mapping is by what it is read, nil where nobody tells. Plans from before it lack it.
	Mapping *Mapping `json:"mapping"`
	// Source is observed, or the id of the plan that it is remembered from.
	Source string `json:"source"`
}

// Mapping is the revision of a feed's mapping that its partner's own events are read by.
type Mapping struct {
	Revision int64  `json:"revision"` // 0: it never had a mapping
	Hash     string `json:"hash"`     // empty where native shapes alone are read
}

// Graph is what the package depends on. Edges lead from what is needed to what needs it.
type Graph struct {
	Nodes []Node `json:"nodes"`
	Edges []Edge `json:"edges"`
}

// Node is one thing that others depend on, or that depends on others.
type Node struct {
	ID      string `json:"id"`
	Kind    string `json:"kind"` // feed, partner, merge, package or contract
	Label   string `json:"label"`
	Partner string `json:"partner"`
}

// Edge says that To needs From.
type Edge struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Metric is one measure of success. Value and Target are empty where there is none.
type Metric struct {
	Metric  string `json:"metric"`
	Subject string `json:"subject"` // a partner; empty for the campaign
	Unit    string `json:"unit"`    // share, count, hours or score
	Target  string `json:"target"`
	Value   string `json:"value"`
	State   string `json:"state"` // pending, met, missed, no_target or no_data
	Detail  string `json:"detail"`
}

// Attempt is one pull.
type Attempt struct {
	Number         int       `json:"attempt"` // from 1
	At             time.Time `json:"at"`
	FinishedAt     time.Time `json:"finished_at"`
	TimeoutSeconds int64     `json:"timeout_seconds"`
	Changed        string    `json:"changed"` // against the attempt before
	Outcome        Outcome   `json:"outcome"`
	Error          string    `json:"error"`
}

// Failing is how a plan failed.
type Failing struct {
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason"`
}

// Escalation is who was told of what was tried in vain.
type Escalation struct {
	At       time.Time `json:"at"`
	Rung     string    `json:"rung"`
	Owner    string    `json:"owner"`
	Fallback string    `json:"fallback"` // who covers for the owner
	Reason   string    `json:"reason"`
	Attempts int       `json:"attempts"`
	Deadline time.Time `json:"deadline"`
}

// Alert is what somebody was told of beside this plan, and on which rung it stands: what
// the board has to decide among it.
type Alert struct {
	Kind     string `json:"kind"`
	Severity string `json:"severity"`
	Subject  string `json:"subject"`
	Message  string `json:"message"`
	Rung     string `json:"rung"`
	Owner    string `json:"owner"`
	Fallback string `json:"fallback"`
	Since    string `json:"since"`    // YYYY-MM-DD
	Deadline string `json:"deadline"` // YYYY-MM-DD; empty without one
	TakenBy  string `json:"taken_by"`
}

// Change is one line of the change log.
type Change struct {
	PlanID  string    `json:"plan_id"` // that it changed with
	At      time.Time `json:"at"`
	Since   string    `json:"since"` // the plan that it is a change against
	Subject string    `json:"subject"`
	Key     string    `json:"key"` // a feed or a partner, where the subject has several
	Before  string    `json:"before"`
	After   string    `json:"after"`
	Why     string    `json:"why"`
}

// Approval is what a partner said to a package of the campaign.
type Approval struct {
	Partner  string    `json:"partner"`
	Decision string    `json:"decision"` // approved or disputed
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	Title    string    `json:"title"`
	Manifest string    `json:"manifest"` // its hash
	Why      string    `json:"why"`
}

// Package is what was made.
type Package struct {
	Directory string   `json:"directory"`
	Manifest  string   `json:"manifest"` // its hash, which partners sign
	Files     []string `json:"files"`
	Headline  string   `json:"headline"`
}
