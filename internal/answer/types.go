package answer

import "time"

// Envelope is on top of every answer.
type Envelope struct {
	Campaign string  `json:"campaign"`
	Proposed bool    `json:"proposed"` // the book of a proposal, a shadow of the agreed one
	Version  uint64  `json:"version"`  // of what is followed; it rises with every change
	Behind   Behind  `json:"behind"`
	Window   *Window `json:"window,omitempty"`
	Model    string  `json:"model,omitempty"`
	View     string  `json:"view,omitempty"` // restated, as_known or adjustments; of answers about rows
	// AsOf is the time of the newest input in the answer; null without one.
	AsOf *time.Time `json:"as_of"`
	// Withheld is whether the visibility of the contract left something out.
	Withheld bool `json:"withheld"`
	// Restating lists currencies that rows still have while a contract that changed
	// its own is restated; they are in no value.
	Restating []string `json:"restating"`
}

// Behind says how stale an answer is.
type Behind struct {
	Seconds int64  `json:"seconds"` // 0: not at all
	Why     string `json:"why"`
}

// Window is the days that an answer looks at, both included; all has none.
type Window struct {
	Name string `json:"name"` // Nd, all or custom
	From string `json:"from"` // YYYY-MM-DD; empty for all
	To   string `json:"to"`
}

// ContractsAnswer lists the contracts that the viewer takes part in.
type ContractsAnswer struct {
	Envelope
	Viewer    ViewerAnswer      `json:"viewer"`
	Contracts []ContractSummary `json:"contracts"` // agreed ones first, then what is proposed
}

// ViewerAnswer says who asks.
type ViewerAnswer struct {
	Role    string `json:"role"`    // operator or partner
	Partner string `json:"partner"` // empty for the operator
}

// ContractAnswer is one contract with its document.
type ContractAnswer struct {
	Envelope
	Contract ContractSummary `json:"contract"`
	Document string          `json:"document"` // YAML
}

// ContractSummary is a contract and what can be asked of its book.
type ContractSummary struct {
	Campaign     string            `json:"campaign"`
	Name         string            `json:"name"`
	Proposed     bool              `json:"proposed"`
	Revision     int64             `json:"revision"`
	Hash         string            `json:"hash"`
	By           string            `json:"by"`  // who put the revision, or the proposal, forward; empty where nobody said
	Why          string            `json:"why"` // the reason
	Currency     string            `json:"currency"`
	Zone         string            `json:"zone"`
	LatenessDays int               `json:"lateness_days"`
	LookbackDays int               `json:"lookback_days"`
	Partners     []PartnerSummary  `json:"partners"`
	Models       []ModelSummary    `json:"models"`
	Measures     []MeasureSummary  `json:"measures"`
	Milestones   []string          `json:"milestones"`
	Dimensions   []string          `json:"dimensions"`
	Windows      []string          `json:"windows"`
	Revisions    []RevisionSummary `json:"revisions"` // of what is agreed, the oldest first
}

// PartnerSummary is a signatory.
type PartnerSummary struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Role       string `json:"role"`
	Visibility string `json:"visibility"`
}

// ModelSummary is a model that can be asked for.
type ModelSummary struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Agreed   bool   `json:"agreed"`    // what multi-touch means
	InLedger bool   `json:"in_ledger"` // only these have rows; the others are in models
}

// MeasureSummary is a measure of the book.
type MeasureSummary struct {
	ID       string   `json:"id"`
	Kind     string   `json:"kind"` // money or count
	Additive bool     `json:"additive"`
	Grain    []string `json:"grain"` // the dimensions that it has
}

// RevisionSummary is one revision of a contract.
type RevisionSummary struct {
	Revision   int64     `json:"revision"`
	Hash       string    `json:"hash"`
	RecordedAt time.Time `json:"recorded_at"`
	By         string    `json:"by"`       // who put it forward, an office; empty where nobody said
	Why        string    `json:"why"`      // the reason
	Withheld   bool      `json:"withheld"` // who and why are not told to who was no signatory of it
}

// ReportAnswer is the overview of a campaign.
type ReportAnswer struct {
	Envelope
	Tiles    []Tile        `json:"tiles"`
	Partners []PartnerLine `json:"partners"`
	Spend    Spend         `json:"spend"`
	Top      Top           `json:"top"`
	Escrow   []EscrowLine  `json:"escrow"`
}

// EscrowLine is what of a measure of money is disputed. It is part of the measure's
// total, and of what its partners are credited with.
type EscrowLine struct {
	Measure  string     `json:"measure"`
	Currency string     `json:"currency"`
	Total    *string    `json:"total"`    // null: withheld
	Partners []KeyValue `json:"partners"` // whose credit is disputed, the largest first
}

// Tile is one measure in the window, against the window before and against the target
// whose period the window's last day is in. A target is of its period: what is expected
// and reached is of the period up to that day, not of the window.
type Tile struct {
	Measure      string  `json:"measure"`
	Kind         string  `json:"kind"`
	Currency     string  `json:"currency"` // empty for counts
	Total        *string `json:"total"`    // null: withheld
	Attributed   *string `json:"attributed"`
	Unattributed *string `json:"unattributed"`
	Confidence   *string `json:"confidence"` // in the total, of one; null without a value
	Previous     *string `json:"previous"`   // total of as many days before; null for all
	Target       *string `json:"target"`
	TargetFrom   string  `json:"target_from"` // YYYY-MM-DD, empty without a target
	TargetTo     string  `json:"target_to"`
	Expected     *string `json:"expected"` // of the target, pro rata
	Reached      *string `json:"reached"`
	Progress     *string `json:"progress"` // reached over target
	Status       string  `json:"status"`   // ahead, on_track, behind or none
}

// PartnerLine is one partner of the overview. The keys of its values are measures:
// pipeline_created and revenue of what was sourced are pipeline_sourced and
// revenue_sourced, and so on.
type PartnerLine struct {
	Partner    string            `json:"partner"`
	Name       string            `json:"name"`
	Credited   map[string]string `json:"credited"`
	Sourced    map[string]string `json:"sourced"`
	Influenced map[string]string `json:"influenced"`
	CoSell     map[string]string `json:"co_sell"`
	Spend      string            `json:"spend"`
	Return     *string           `json:"return"` // credited revenue over spend; null without spend
	Share      map[string]string `json:"share"`  // of what is attributed
	// Confidence is in what is credited, by measure, of one.
	Confidence map[string]string `json:"confidence"`
}

// Spend is what was spent in the window, by currency.
type Spend struct {
	Total    string          `json:"total"`
	Currency string          `json:"currency"` // the contract's
	Others   []CurrencyTotal `json:"others"`
}

// CurrencyTotal is a sum in a currency of its own.
type CurrencyTotal struct {
	Currency string `json:"currency"`
	Total    string `json:"total"`
}

// Top are the largest groups of the measure asked.
type Top struct {
	Assets   []KeyValue `json:"assets"`
	Channels []KeyValue `json:"channels"`
	Segments []KeyValue `json:"segments"`
	Regions  []KeyValue `json:"regions"`
	Sources  []KeyValue `json:"sources"`
}

// KeyValue is a value of a dimension and what it has.
type KeyValue struct {
	Key        string  `json:"key"`
	Value      string  `json:"value"`
	Confidence *string `json:"confidence"` // in the value, of one; null without a value
}

// BreakdownAnswer is a measure by up to three dimensions.
type BreakdownAnswer struct {
	Envelope
	Measure      string   `json:"measure"`
	Kind         string   `json:"kind"`
	Currency     string   `json:"currency"`
	Total        *string  `json:"total"` // null: withheld, or not additive over what is asked
	Attributed   *string  `json:"attributed"`
	Unattributed *string  `json:"unattributed"`
	Confidence   *string  `json:"confidence"` // in the total, of one; null without a value
	Rows         int      `json:"rows"`
	By           []string `json:"by"`
	Groups       []Group  `json:"groups"` // largest first, then by key
	Margins      []Margin `json:"margins"`
	Next         *string  `json:"next"`
}

// Group is one group; Key is in the order of By.
type Group struct {
	Key        []string `json:"key"`
	Value      string   `json:"value"`
	Confidence *string  `json:"confidence"` // in the value, of one; null without a value
}

// Margin is the breakdown by one dimension of several.
type Margin struct {
	Dimension string  `json:"dimension"`
	Groups    []Group `json:"groups"`
}

// ContributionsAnswer is rows as they are published.
type ContributionsAnswer struct {
	Envelope
	Rows []ContributionLine `json:"rows"`
	Next *string            `json:"next"`
}

// ContributionLine is one row.
type ContributionLine struct {
	Measure          string    `json:"measure"`
	Model            string    `json:"model"`
	Day              string    `json:"day"`
	Partner          string    `json:"partner"`
	Channel          string    `json:"channel"`
	Asset            string    `json:"asset"`
	Region           string    `json:"region"`
	Segment          string    `json:"segment"`
	Source           string    `json:"source"`
	TouchCampaign    string    `json:"touch_campaign"`
	Escrow           string    `json:"escrow"` // disputed or (none)
	Booked           string    `json:"booked"` // another than day where that was closed when the value changed
	Value            string    `json:"value"`
	ConfidentValue   string    `json:"confident_value"` // what of the value is certain
	Currency         string    `json:"currency"`
	Version          int64     `json:"version"`
	IsFinal          bool      `json:"is_final"`
	AsOf             time.Time `json:"as_of"`
	UpdatedAt        time.Time `json:"updated_at"`
	CreditsPartition int32     `json:"credits_partition"`
	CreditsOffset    int64     `json:"credits_offset"`
	Key              string    `json:"key"` // what explain takes, safe in a URL
}

// TimeseriesAnswer is a measure over time. All lists have one value for each start.
type TimeseriesAnswer struct {
	Envelope
	Measure  string   `json:"measure"`
	Currency string   `json:"currency"`
	Step     string   `json:"step"`
	Starts   []string `json:"starts"`
	Total    []string `json:"total"` // null: withheld, or not additive over what is asked
	Series   []Series `json:"series"`
	Target   []string `json:"target"` // what each step's part of the target is; null without one
}

// Series is one value of the dimension asked; (other) is what is not among the top.
type Series struct {
	Key    string   `json:"key"`
	Values []string `json:"values"`
}

// ConfidenceAnswer is how sure a measure is.
type ConfidenceAnswer struct {
	Envelope
	Measure        string  `json:"measure"`
	Kind           string  `json:"kind"`
	Currency       string  `json:"currency"` // empty for counts
	Total          *string `json:"total"`    // null: withheld
	ConfidentValue *string `json:"confident_value"`
	Confidence     *string `json:"confidence"` // confident_value over total
	// Joined is the confidence times the completeness of the least complete feed; null
	// where something is withheld.
	Joined   *string    `json:"joined"`
	Partners []KeyValue `json:"partners"`
	// Parts is what it is made of, weighted by the value of the deals; null without any.
	Parts *ConfidenceParts   `json:"parts"`
	Feeds []FeedCompleteness `json:"feeds"` // of which control totals are known
	Deals []DoubtedDeal      `json:"deals"` // the one with the most doubt first
	Next  *string            `json:"next"`
}

// FeedCompleteness is how much of a feed came.
type FeedCompleteness struct {
	Feed         string       `json:"feed"`
	Partner      string       `json:"partner"`
	Completeness Completeness `json:"completeness"`
}

// DoubtedDeal is what a deal has of the measure asked, and how sure that is.
type DoubtedDeal struct {
	ID           string          `json:"id"`
	Account      string          `json:"account"`
	Day          string          `json:"day"`
	Value        string          `json:"value"` // as far as the filter lets it pass
	Doubt        string          `json:"doubt"` // what of it is not certain
	Confidence   ConfidenceParts `json:"confidence"`
	OpenDisputes int             `json:"open_disputes"`
}

// FunnelAnswer is how many came to each stage.
type FunnelAnswer struct {
	Envelope
	Basis  string        `json:"basis"` // what is counted, in words
	Stages []Stage       `json:"stages"`
	Groups []FunnelGroup `json:"groups"`
}

// Stage is one stage of the funnel. What is before it is null for the first, and
// where nobody came to the stage before.
type Stage struct {
	Stage        string  `json:"stage"`
	Measure      string  `json:"measure"`
	Count        string  `json:"count"`
	FromPrevious *string `json:"from_previous"`
	DropOff      *string `json:"drop_off"`
}

// FunnelGroup has one count for each stage.
type FunnelGroup struct {
	Key    string   `json:"key"`
	Counts []string `json:"counts"`
}

// CohortsAnswer is what became of the deals of each cohort, and how fast.
type CohortsAnswer struct {
	Envelope
	Kind     string     `json:"kind"`   // of cohorts, as the parameter cohort names it
	Months   bool       `json:"months"` // whether cohorts are months
	Cohorts  []Cohort   `json:"cohorts"`
	LeftOut  int        `json:"left_out"` // of cohorts: the oldest months, else the smallest
	Velocity []Velocity `json:"velocity"`
	Currency string     `json:"currency"` // of the cells' values; empty where they are counts
	// AmountsCurrency is that of what became of each cohort.
	AmountsCurrency string `json:"amounts_currency"`
}

// Cohort is the deals that began together, and what became of them. A figure is null
// without what it is made of.
type Cohort struct {
	Cohort        string       `json:"cohort"` // YYYY-MM of months
	Group         string       `json:"group"`  // of by; empty without
	Size          string       `json:"size"`
	Decided       string       `json:"decided"` // won or lost
	Won           string       `json:"won"`
	Lost          string       `json:"lost"`
	WinRate       *string      `json:"win_rate"`       // won over decided
	ContractValue *string      `json:"contract_value"` // revenue over deals with revenue
	Revenue       string       `json:"revenue"`
	MedianDays    *string      `json:"median_days"` // from created to won
	P90Days       *string      `json:"p90_days"`
	Pipeline      string       `json:"pipeline"` // created
	PipelineOpen  string       `json:"pipeline_open"`
	Coverage      *string      `json:"coverage"` // pipeline over the quota of the same days
	Cells         []CohortCell `json:"cells"`
}

// CohortCell is what had happened so many months later, all before it included.
type CohortCell struct {
	Age   int    `json:"age"` // months
	Of    string `json:"of"`  // deals that are as old
	Count string `json:"count"`
	Value string `json:"value"`
	Rate  string `json:"rate"` // the part of deals to which it happens by that age
}

// Velocity is how long deals took from one step to the next.
type Velocity struct {
	From       string  `json:"from"`
	To         string  `json:"to"`
	MedianDays *string `json:"median_days"` // null where none came that far
	P90Days    *string `json:"p90_days"`
	Count      string  `json:"count"`
}

// ModelsAnswer holds all models against each other.
type ModelsAnswer struct {
	Envelope
	Measure  string      `json:"measure"`
	By       string      `json:"by"`
	Currency string      `json:"currency"`
	Models   []ModelLine `json:"models"`
}

// ModelLine is what one model gives to whom.
type ModelLine struct {
	ID           string       `json:"id"`
	Name         string       `json:"name"`
	Agreed       bool         `json:"agreed"`
	Additive     bool         `json:"additive"`
	InLedger     bool         `json:"in_ledger"`
	Note         string       `json:"note"` // why it has no values, or how they are to be read
	Groups       []ModelGroup `json:"groups"`
	Total        *string      `json:"total"`
	Unattributed *string      `json:"unattributed"`
}

// ModelGroup is one group; Share is of what is attributed.
type ModelGroup struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	Share string `json:"share"`
}

// DealsAnswer lists deals, the newest first.
type DealsAnswer struct {
	Envelope
	Deals []Deal  `json:"deals"`
	Next  *string `json:"next"`
}

// Deal is one deal of the system of record.
type Deal struct {
	ID        string        `json:"id"`
	Account   string        `json:"account"`
	State     string        `json:"state"`
	Stage     string        `json:"stage"`
	CreatedAt *time.Time    `json:"created_at"`
	CloseDate string        `json:"close_date"`
	Amount    string        `json:"amount"`
	Currency  string        `json:"currency"`
	Sourced   string        `json:"sourced"`
	Touches   int           `json:"touches"`
	Measures  []DealMeasure `json:"measures"`
	Excluded  string        `json:"excluded"` // why it is in no total; empty if it is
	// OpenDisputes is how many disputes of it are open.
	OpenDisputes int `json:"open_disputes"`
}

// DealMeasure is one measure of a deal that is in the totals.
type DealMeasure struct {
	Measure  string `json:"measure"`
	Day      string `json:"day"`
	Value    string `json:"value"`
	Currency string `json:"currency"`
}

// AlertsAnswer is what somebody should look at, the newest first, and what to do.
type AlertsAnswer struct {
	Envelope
	Alerts  []AlertLine `json:"alerts"`
	Actions []Action    `json:"actions"`
	Next    *string     `json:"next"`
}

// AlertLine is one alert.
type AlertLine struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	Severity string    `json:"severity"`
	Rung     string    `json:"rung"`     // whom it is with; empty where it has none
	Owner    string    `json:"owner"`    // who answers for the rung; empty for who holds its office
	Fallback string    `json:"fallback"` // who answers when the owner does not
	Since    string    `json:"since"`    // first contract day, YYYY-MM-DD; empty where it has none
	Deadline string    `json:"deadline"` // contract day before it climbs; empty where it does not
	State    string    `json:"state"`    // open or settled
	Partner  string    `json:"partner"`
	Subject  string    `json:"subject"`
	Message  string    `json:"message"`
	Evidence []string  `json:"evidence"`
	RaisedAt time.Time `json:"raised_at"`
	// Acknowledged is who took it on last; null: nobody. It stops no climbing.
	Acknowledged *Acknowledged `json:"acknowledged"`
}

// Acknowledged is who has taken an alert on.
type Acknowledged struct {
	Partner string    `json:"partner"` // empty for the operator
	By      string    `json:"by"`
	Why     string    `json:"why"`
	At      time.Time `json:"at"`
}

// Action is what would settle alerts of a kind.
type Action struct {
	Kind    string  `json:"kind"`
	What    string  `json:"what"`
	Why     string  `json:"why"`
	Command *string `json:"command"`
	Count   string  `json:"count"`
}

// FreshnessAnswer is how new what is known is.
type FreshnessAnswer struct {
	Envelope
	Feeds    []FeedLine  `json:"feeds"`
	Line     []GroupLine `json:"line"`
	Counters *Counters   `json:"counters"` // null where nothing is told of any feed, and for partners
}

// FeedLine is one feed of one partner.
type FeedLine struct {
	Feed         string       `json:"feed"`
	Partner      string       `json:"partner"`
	LastEvent    *time.Time   `json:"last_event"`
	AgeSeconds   *int64       `json:"age_seconds"`
	Records      string       `json:"records"`
	Lag          string       `json:"lag"`
	DeadLetters  string       `json:"dead_letters"`
	DeadCodes    []CodeCount  `json:"dead_codes"` // of the newest of them
	Completeness Completeness `json:"completeness"`
	// What became of its events, null where that is not told yet: touches and unmatched
	// are of now, the others of all that ever came.
	Accepted    *string `json:"accepted"`    // distinct events taken in
	Duplicates  *string `json:"duplicates"`  // the same event again
	Late        *string `json:"late"`        // older than the horizon
	Suppressed  *string `json:"suppressed"`  // of people who were erased
	Unmatchable *string `json:"unmatchable"` // accepted ones with a ready-hashed address without its domain or of another scheme
	Touches     *string `json:"touches"`     // of accepted events, that count now
	Unmatched   *string `json:"unmatched"`   // of these, whose account only stands in for one
	MatchRate   *string `json:"match_rate"`  // the part of the touches that are on a known account; null without touches
}

// CodeCount is a reason and how often it was one.
type CodeCount struct {
	Code  string `json:"code"`
	Count string `json:"count"`
}

// Completeness is whether a feed came as its partner says it was sent.
type Completeness struct {
	State  string  `json:"state"` // ok, short or unknown
	Detail string  `json:"detail"`
	Share  *string `json:"share"` // of the events that were said that came; null where nothing was said
}

// GroupLine is a consumer group of the line.
type GroupLine struct {
	Group string `json:"group"`
	Lag   string `json:"lag"`
}

// Counters is what the whole line did. Unresolved are touches whose account only stands
// in for one.
type Counters struct {
	Raw         string `json:"raw"`
	Accepted    string `json:"accepted"`
	Duplicates  string `json:"duplicates"`
	DeadLetters string `json:"dead_letters"`
	Unresolved  string `json:"unresolved"`
}

// Said is who says something, and why.
type Said struct {
	By  string `json:"by"`  // the name of an office, not of a person
	Why string `json:"why"` // the reason, for whoever audits it
}

// DisputeOpening is a partner's dispute of what a deal is credited with.
type DisputeOpening struct {
	ID      string `json:"id,omitempty"` // a name of the asker's own for it; left out: one is made
	Deal    string `json:"deal"`         // the id of a deal, whole or as its CRM has it
	About   string `json:"about"`        // sourcing: who sourced the deal; credit: what one partner is credited with
	Against string `json:"against"`      // whose credit is disputed, (none) and (held) among them; empty for sourcing
	Said
}

// DisputeOutcome is how a dispute is resolved.
type DisputeOutcome struct {
	Outcome string `json:"outcome"` // upheld or rejected
	To      string `json:"to"`      // who gets what was disputed, where it is upheld; else empty
	Said
}

// ApprovalWord is what a partner says to a proposed revision of the contract, or to
// opening a closed period again.
type ApprovalWord struct {
	Of       string `json:"of"`       // revision or reopen
	Revision int64  `json:"revision"` // the revision that is proposed; 0 for reopen
	Hash     string `json:"hash"`     // of the proposed document; empty for reopen
	Day      string `json:"day"`      // the first day to be opened again, YYYY-MM-DD; empty for a revision
	Decision string `json:"decision"` // approved or refused
	Said
}

// PeriodOrder closes all days up to one, or opens those from one on again.
type PeriodOrder struct {
	Action string `json:"action"` // close or reopen
	Day    string `json:"day"`    // the last day that is closed, or the first that is open again
	Said
}

// PackageWord is what a partner says to a reporting package.
type PackageWord struct {
	Hash     string `json:"hash"`     // SHA-256 of the package's manifest, in lower-case hexadecimal
	Title    string `json:"title"`    // what the package is of, as its manifest says it
	Decision string `json:"decision"` // approved or disputed
	Said
}

// AlertTaken is that somebody has taken an alert on.
type AlertTaken struct {
	Alert string `json:"alert"` // the id of the alert
	Said
}

// SurveyScore is how content a partner is with the campaign's numbers.
type SurveyScore struct {
	Day   string `json:"day,omitempty"` // left out: today in the contract's zone
	Score string `json:"score"`         // from 0 to 10, with at most one decimal place
	Said
}

// DecisionAnswer says what became of a decision that was written.
type DecisionAnswer struct {
	Envelope
	Kind  string `json:"kind"`  // dispute, period, approval, signature, acknowledgement or survey
	ID    string `json:"id"`    // of the dispute; of others a name for this answer
	State string `json:"state"` // accepted, or pending: written, and not judged yet
}
