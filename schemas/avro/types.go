package avro

import "time"

// Times of the types below are microseconds at the wire (milliseconds in
// [ContributionRow]): a time is truncated to that unit, and decodes in UTC. The
// zero time survives the round trip. A nil and an empty slice are the same at
// the wire; both decode as an empty slice. Kinds are open sets: a reader ignores
// or refuses the ones it does not know, it never fails to decode them.

// Observation is a fact about one identity, a message between identities or a
// broadcast: what ingest extracted from one native event, neither joined nor
// judged. Its Kafka key is Node.
type Observation struct {
	Kind            string       `avro:"kind"`             // fact, link, attach, detach, place, erase, total, decision or control
	Node            []byte       `avro:"node"`             // encoded identity the record belongs to; empty for control
	Reporter        string       `avro:"reporter"`         // partner that owns the feed
	Feed            string       `avro:"feed"`             // crm, map or analytics
	Source          string       `avro:"source"`           // native shape, such as salesforce
	EventID         string       `avro:"event_id"`         // unique within Reporter and Source
	OccurredAt      time.Time    `avro:"occurred_at"`      // by the source's clock
	MappingRevision int64        `avro:"mapping_revision"` // 0 is the built-in adapter
	Revision        int64        `avro:"revision"`         // of the source's own restatements; 0: never restated
	Retracted       bool         `avro:"retracted"`        // what the event said before is taken back
	Origin          *Origin      `avro:"origin"`           // nil for messages and broadcasts
	Touch           *TouchFacts  `avro:"touch"`
	Object          *ObjectFacts `avro:"object"`
	Links           []Link       `avro:"links"`
	Same            [][]byte     `avro:"same"`   // encoded identities of the node's level that are the same thing
	Attach          *Attach      `avro:"attach"` // for attach and detach
	Place           *Place       `avro:"place"`
	Total           *Total       `avro:"total"`
	Control         *Control     `avro:"control"`
	HashScheme      string       `avro:"hash_scheme"` // of an address in the event; empty where it has none
	Unmatchable     bool         `avro:"unmatchable"` // a ready-hashed address came without its domain or hashed in another way
}

// Origin is the place of a native event in its raw feed.
type Origin struct {
	Topic     string `avro:"topic"`
	Partition int32  `avro:"partition"`
	Offset    int64  `avro:"offset"`
}

// TouchFacts is what a source said about one touch. Empty text means absent.
type TouchFacts struct {
	Type        string `avro:"type"`  // visit, ad_click, email_click, form, download, registration, attendance or meeting
	Asset       string `avro:"asset"` // as the source names it
	UTMSource   string `avro:"utm_source"`
	UTMMedium   string `avro:"utm_medium"`
	UTMCampaign string `avro:"utm_campaign"`
	UTMTerm     string `avro:"utm_term"`
	UTMContent  string `avro:"utm_content"`
	ClickID     string `avro:"click_id"`     // the kind of identifier, such as gclid; never its value
	Referrer    string `avro:"referrer"`     // registrable domain
	CRMCampaign string `avro:"crm_campaign"` // campaign identifier of the reporter's system
	Status      string `avro:"status"`       // native status
	Session     string `avro:"session"`      // hash of the session
	Bot         bool   `avro:"bot"`          // known bot or internal traffic
}

// ObjectFacts is a full or partial update of one CRM object.
type ObjectFacts struct {
	Type       string    `avro:"type"`      // opportunity or account
	ID         string    `avro:"id"`        // in the reporter's CRM
	Order      int64     `avro:"order"`     // the source's total order of updates
	SubOrder   int64     `avro:"sub_order"` // order within one commit
	ModifiedAt time.Time `avro:"modified_at"`
	Deleted    bool      `avro:"deleted"`
	Fields     []Field   `avro:"fields"` // an absent field is unchanged
}

// Field is one field of a CRM object under its canonical name.
type Field struct {
	Name  string  `avro:"name"`
	Value *string `avro:"value"` // normalised text; nil when the source cleared the field
}

// Link is evidence that the identity of an observation belongs under another.
type Link struct {
	Parent   []byte    `avro:"parent"`   // encoded identity
	Evidence int       `avro:"evidence"` // the higher wins; 32 bits at the wire
	At       time.Time `avro:"at"`
}

// Attach tells a parent that a child exists (kind attach) or left (detach).
type Attach struct {
	Child  []byte `avro:"child"`  // encoded identity
	Number int64  `avro:"number"` // the child's own counter; a lower one is ignored
}

// Place tells a child where it now belongs.
type Place struct {
	Parent []byte `avro:"parent"` // encoded identity of the sender
	Root   []byte `avro:"root"`   // encoded identity of the account
	Number int64  `avro:"number"` // the parent's own counter; a lower one is ignored
	Person []byte `avro:"person"` // encoded identity of the highest person; empty: none
}

// Total is what a partner says it sent on a day, or a question and an answer of how
// much of it came.
type Total struct {
	Step      string        `avro:"step"` // said, ask or answer
	Day       string        `avro:"day"`  // in UTC, YYYY-MM-DD
	Round     int64         `avro:"round"`
	Partition int32         `avro:"partition"` // that answers
	Count     int64         `avro:"count"`
	Sums      []CurrencySum `avro:"sums"`
}

// CurrencySum is a sum in minor units; no currency stands for amounts that came
// without one.
type CurrencySum struct {
	Currency string `avro:"currency"`
	Minor    int64  `avro:"minor"`
}

// JourneyEvent is one item of one account's journey as it now is. Its Kafka key
// is Account; a broadcast has no key and an explicit partition.
type JourneyEvent struct {
	Kind       string       `avro:"kind"`    // touch, object or control
	Account    []byte       `avro:"account"` // encoded identity of the root
	Node       []byte       `avro:"node"`    // encoded identity of the item itself
	Reporter   string       `avro:"reporter"`
	Feed       string       `avro:"feed"`
	Source     string       `avro:"source"`
	Item       string       `avro:"item"`      // event id of a touch, or "type/id" of an object
	Placement  int64        `avro:"placement"` // rises with every emission of the item; a lower one is ignored
	Removed    bool         `avro:"removed"`   // the item left this account or was deleted
	OccurredAt time.Time    `avro:"occurred_at"`
	EventID    string       `avro:"event_id"` // native event that caused this emission
	Touch      *TouchFacts  `avro:"touch"`
	Object     *ObjectState `avro:"object"`
	Control    *Control     `avro:"control"`
	Person     []byte       `avro:"person"` // encoded identity of whom the item belongs to; empty: nobody, or removed
	Reason     string       `avro:"reason"` // why it was removed: erasure or retraction; empty when it moved
}

// ObjectState is a CRM object folded from its updates.
type ObjectState struct {
	Type       string        `avro:"type"` // opportunity or account
	ID         string        `avro:"id"`   // in the reporter's CRM
	ModifiedAt time.Time     `avro:"modified_at"`
	Fields     []Field       `avro:"fields"` // all known fields
	Stages     []StageChange `avro:"stages"` // oldest first
	Deleted    bool          `avro:"deleted"`
}

// StageChange is one change of an opportunity's stage.
type StageChange struct {
	Stage    string    `avro:"stage"` // native stage entered
	IsClosed bool      `avro:"is_closed"`
	IsWon    bool      `avro:"is_won"`
	At       time.Time `avro:"at"`
	EventID  string    `avro:"event_id"` // native event that moved the stage
}

// Control is one decision that every partition sees at one place of its order.
// It is the value of the control topic and travels inside [Observation] and
// [JourneyEvent] as a broadcast.
type Control struct {
	Kind     string          `avro:"kind"`     // contract, rate, horizon, account, erasure, mapping, spend, target, cost, overlap, dispute, period, approval, signature, acknowledgement, survey or evaluation
	Number   int64           `avro:"number"`   // number of the broadcast; 0 in the control topic
	Contract *ContractRecord `avro:"contract"` // for kind contract
	Rate     *RateRecord     `avro:"rate"`     // for kind rate
	Horizon  *HorizonRecord  `avro:"horizon"`  // for kind horizon
	Account  *AccountRecord  `avro:"account"`  // for kind account
	Erasure  *ErasureRecord  `avro:"erasure"`  // for kind erasure
	Mapping  *MappingRecord  `avro:"mapping"`  // for kind mapping
	Amount   *AmountRecord   `avro:"amount"`   // for kinds spend, target and cost
	Overlap  *OverlapRecord  `avro:"overlap"`  // for kind overlap

	Dispute         *DisputeRecord         `avro:"dispute"`         // for kind dispute
	Period          *PeriodRecord          `avro:"period"`          // for kind period
	Approval        *ApprovalRecord        `avro:"approval"`        // for kind approval
	Signature       *SignatureRecord       `avro:"signature"`       // for kind signature
	Acknowledgement *AcknowledgementRecord `avro:"acknowledgement"` // for kind acknowledgement
	Survey          *SurveyRecord          `avro:"survey"`          // for kind survey
	Evaluation      *EvaluationRecord      `avro:"evaluation"`      // for kind evaluation
}

// DisputeRecord is one step of a partner's dispute of what a deal is credited with.
type DisputeRecord struct {
	ID       string    `avro:"id"` // chosen by who opens it
	Campaign string    `avro:"campaign"`
	Partner  string    `avro:"partner"` // that disputes
	Deal     DealName  `avro:"deal"`
	Action   string    `avro:"action"`  // open, withdraw or resolve
	About    string    `avro:"about"`   // sourcing or credit; only of open
	Against  string    `avro:"against"` // whose credit is disputed; empty for sourcing
	Outcome  string    `avro:"outcome"` // upheld or rejected; only of resolve
	To       string    `avro:"to"`      // who gets what was disputed, where it is upheld
	Origin   string    `avro:"origin"`  // topic/partition@offset of what came by a feed
	By       string    `avro:"by"`
	Why      string    `avro:"why"`
	At       time.Time `avro:"at"`
}

// PeriodRecord closes all days up to one, or opens those from one on again.
type PeriodRecord struct {
	Campaign string    `avro:"campaign"`
	Action   string    `avro:"action"` // close or reopen
	Day      string    `avro:"day"`    // YYYY-MM-DD: the last that is closed, or the first that is open again
	By       string    `avro:"by"`
	Why      string    `avro:"why"`
	At       time.Time `avro:"at"`
}

// ApprovalRecord is what one partner says to a proposed revision, or to opening a
// closed period again.
type ApprovalRecord struct {
	Campaign string    `avro:"campaign"`
	Partner  string    `avro:"partner"`
	Of       string    `avro:"of"`       // revision or reopen
	Revision int64     `avro:"revision"` // that is proposed; 0 for reopen
	Hash     string    `avro:"hash"`     // SHA-256 of the proposed document; empty for reopen
	Day      string    `avro:"day"`      // the first to be opened again, YYYY-MM-DD; empty for a revision
	Decision string    `avro:"decision"` // approved or refused
	By       string    `avro:"by"`
	Why      string    `avro:"why"`
	At       time.Time `avro:"at"`
}

// SignatureRecord is what one partner says to a reporting package.
type SignatureRecord struct {
	Campaign string    `avro:"campaign"`
	Partner  string    `avro:"partner"`
	Hash     string    `avro:"hash"`     // SHA-256 of the manifest, lower-case hexadecimal
	Title    string    `avro:"title"`    // what the package is of
	Decision string    `avro:"decision"` // approved or disputed
	By       string    `avro:"by"`
	Why      string    `avro:"why"`
	At       time.Time `avro:"at"`
}

// AcknowledgementRecord says that somebody has taken an alert on.
type AcknowledgementRecord struct {
	Campaign string    `avro:"campaign"` // empty for an alert of none
	Partner  string    `avro:"partner"`  // empty for the operator
	Alert    string    `avro:"alert"`    // its id
	By       string    `avro:"by"`
	Why      string    `avro:"why"`
	At       time.Time `avro:"at"`
}

// SurveyRecord is how content one partner is with the campaign's numbers.
type SurveyRecord struct {
	Campaign string    `avro:"campaign"`
	Partner  string    `avro:"partner"`
	Day      string    `avro:"day"`   // YYYY-MM-DD in the contract's zone
	Score    string    `avro:"score"` // 0 to 10, exact decimal text
	By       string    `avro:"by"`
	Why      string    `avro:"why"`
	At       time.Time `avro:"at"`
}

// EvaluationRecord is one guardrail held against what a contract day ended with.
type EvaluationRecord struct {
	Campaign  string    `avro:"campaign"`
	Day       string    `avro:"day"` // YYYY-MM-DD in the contract's zone
	Guardrail string    `avro:"guardrail"`
	Subject   string    `avro:"subject"`  // a feed as crm.acme, or a measure; empty where there is one only
	Revision  int64     `avro:"revision"` // of the contract whose bounds were used
	Value     string    `avro:"value"`    // exact decimal text in the guardrail's unit; empty without the inputs
	Band      string    `avro:"band"`     // green, amber, red or no_data
	Target    string    `avro:"target"`   // as the contract writes it
	Limit     string    `avro:"limit"`    // as the contract writes it
	Detail    string    `avro:"detail"`   // what the value is made of, or what is missing
	Evidence  []string  `avro:"evidence"`
	Attempts  int       `avro:"attempts"` // more than 1 where reading or reconciling failed
	At        time.Time `avro:"at"`
}

// OverlapRecord says whether deals in two CRMs are one and the same business.
type OverlapRecord struct {
	Campaign string    `avro:"campaign"`
	Deal     DealName  `avro:"deal"`     // in the system of record
	Other    DealName  `avro:"other"`    // in the other CRM
	Decision string    `avro:"decision"` // same or different
	By       string    `avro:"by"`
	Why      string    `avro:"why"`
	At       time.Time `avro:"at"`
}

// DealName is a deal as one CRM numbers it.
type DealName struct {
	Reporter string `avro:"reporter"`
	Source   string `avro:"source"` // native shape, such as salesforce
	ID       string `avro:"id"`
}

// AmountRecord is what was spent, is aimed at, or costs otherwise on one day.
type AmountRecord struct {
	Campaign   string    `avro:"campaign"`
	Day        string    `avro:"day"`      // YYYY-MM-DD; of a target the last of its period
	Partner    string    `avro:"partner"`  // empty: all together
	Payer      string    `avro:"payer"`    // empty for a target
	Channel    string    `avro:"channel"`  // empty: all
	Asset      string    `avro:"asset"`    // empty: all
	Measure    string    `avro:"measure"`  // what a target is of; empty otherwise
	Amount     string    `avro:"amount"`   // exact decimal text; empty: taken back
	Currency   string    `avro:"currency"` // ISO 4217; empty for a measure that is counted
	RecordedAt time.Time `avro:"recorded_at"`
}

// MappingRecord is one revision of a feed's mapping.
type MappingRecord struct {
	Partner    string    `avro:"partner"`
	Feed       string    `avro:"feed"`
	Revision   int64     `avro:"revision"` // from 1
	Previous   int64     `avro:"previous"` // revision the author saw; 0 for the first
	Document   string    `avro:"document"` // YAML; empty: no longer mapped
	Hash       string    `avro:"hash"`     // SHA-256 of Document, lower-case hexadecimal
	RecordedAt time.Time `avro:"recorded_at"`
	By         string    `avro:"by"`  // the office that put it forward; empty where nobody said
	Why        string    `avro:"why"` // empty exactly where By is
}

// ErasureRecord is the order to forget people.
type ErasureRecord struct {
	Nodes [][]byte  `avro:"nodes"`
	At    time.Time `avro:"at"`
}

// AccountRecord is a row of the imported account map, about a domain or about a
// company in one reporter's CRM.
type AccountRecord struct {
	Account    string    `avro:"account"`
	Domain     string    `avro:"domain"`
	Reporter   string    `avro:"reporter"`
	CRMAccount string    `avro:"crm_account"`
	At         time.Time `avro:"at"`
}

// ContractRecord is one revision of a campaign contract.
type ContractRecord struct {
	Campaign   string    `avro:"campaign"`
	Revision   int64     `avro:"revision"` // from 1
	Previous   int64     `avro:"previous"` // revision the author saw; 0 for the first
	Document   string    `avro:"document"` // YAML
	Hash       string    `avro:"hash"`     // SHA-256 of Document, lower-case hexadecimal
	RecordedAt time.Time `avro:"recorded_at"`
	Proposed   bool      `avro:"proposed"` // not agreed; an empty Document withdraws the proposal that has the Hash
	By         string    `avro:"by"`       // the office that put it forward; empty where nobody said
	Why        string    `avro:"why"`      // empty exactly where By is
}

// RateRecord is the exchange rate of one currency pair on one day.
type RateRecord struct {
	Base   string `avro:"base"`  // ISO 4217
	Quote  string `avro:"quote"` // ISO 4217
	Day    string `avro:"day"`   // YYYY-MM-DD
	Rate   string `avro:"rate"`  // units of Quote for one of Base, exact decimal text
	Source string `avro:"source"`
}

// HorizonRecord is the day before which events are no longer accepted.
type HorizonRecord struct {
	Day string `avro:"day"` // YYYY-MM-DD
}

// CreditEntry is one entry of the ledger: the net change of one conversion's
// credit for one set of dimensions. Models, Delta and Running have one length.
type CreditEntry struct {
	Kind             string    `avro:"kind"`       // entry or generation
	Contract         string    `avro:"contract"`   // campaign whose book this is
	Revision         int64     `avro:"revision"`   // contract revision in force
	Account          []byte    `avro:"account"`    // encoded identity
	Conversion       string    `avro:"conversion"` // within the account
	Measure          string    `avro:"measure"`
	Day              string    `avro:"day"` // YYYY-MM-DD in the contract's zone
	Partner          string    `avro:"partner"`
	Channel          string    `avro:"channel"`
	Asset            string    `avro:"asset"`
	Region           string    `avro:"region"`
	Segment          string    `avro:"segment"`
	Source           string    `avro:"source"`
	TouchCampaign    string    `avro:"touch_campaign"`
	Escrow           string    `avro:"escrow"`            // disputed or (none)
	Booked           string    `avro:"booked"`            // YYYY-MM-DD: Day, or the first open one where that is closed; empty: Day
	Closing          int64     `avro:"closing"`           // number of the broadcast that says what is closed; 0 for none
	Currency         string    `avro:"currency"`          // ISO 4217; empty for counts
	Exponent         int       `avro:"exponent"`          // decimal places of a minor unit; 6 for counts
	Models           []string  `avro:"models"`            // in the contract's fixed order
	Delta            []int64   `avro:"delta"`             // minor units, for each model
	Running          []int64   `avro:"running"`           // minor units: the key's total from this source after the entry
	Confidence       int       `avro:"confidence"`        // in the conversion after the entry, in millionths
	Confident        []int64   `avro:"confident"`         // minor units: running, weighted by the confidence in each conversion
	Generation       int64     `avro:"generation"`        // a higher one retires the lower ones of its source
	SourcePartition  int32     `avro:"source_partition"`  // partition of journeys
	Sequence         int64     `avro:"sequence"`          // contiguous for (SourcePartition, credits partition)
	Cause            string    `avro:"cause"`             // such as late_touch
	CauseEvent       string    `avro:"cause_event"`       // native event
	ChangeID         string    `avro:"change_id"`         // shared by all entries of one change
	EntryCount       int       `avro:"entry_count"`       // entries of that change
	OriginalAmount   string    `avro:"original_amount"`   // exact decimal text; empty for counts
	OriginalCurrency string    `avro:"original_currency"` // ISO 4217; empty for counts
	Rate             string    `avro:"rate"`              // exact decimal text; empty when none applied
	RateDay          string    `avro:"rate_day"`          // YYYY-MM-DD; empty when none applied
	ReportingAmount  string    `avro:"reporting_amount"`  // the original at the rate, exact decimal text; empty for counts
	RateVia          string    `avro:"rate_via"`          // how the rate was found; empty for counts
	AsOf             time.Time `avro:"as_of"`             // Kafka time of the input that caused the change
}

// FactsKey is the key of the facts topic. Records of one conversion share a
// partition.
type FactsKey struct {
	Contract        string `avro:"contract"` // empty for the announcement of a generation
	Conversion      string `avro:"conversion"`
	Account         []byte `avro:"account"` // encoded identity
	Revision        int64  `avro:"revision"`
	SourcePartition int32  `avro:"source_partition"` // partition of journeys, the only one that writes this key
}

// Facts is what is known of one opportunity under one contract.
type Facts struct {
	Kind            string         `avro:"kind"`             // facts or generation
	Generation      int64          `avro:"generation"`       // a higher one retires the lower ones of its source
	SourcePartition int32          `avro:"source_partition"` // partition of journeys
	Contract        string         `avro:"contract"`         // campaign whose book this is
	Revision        int64          `avro:"revision"`         // that judged the facts
	Account         []byte         `avro:"account"`          // encoded identity
	Conversion      string         `avro:"conversion"`       // as in ledger entries
	Excluded        string         `avro:"excluded"`         // why it is in no total; empty if it is
	Order           bool           `avro:"order"`            // of a shop
	State           string         `avro:"state"`
	Stage           string         `avro:"stage"` // native
	Milestone       string         `avro:"milestone"`
	CreatedAt       *time.Time     `avro:"created_at"`
	LeadAt          *time.Time     `avro:"lead_at"`
	CloseDate       string         `avro:"close_date"` // YYYY-MM-DD
	Amount          string         `avro:"amount"`     // exact decimal text
	Currency        string         `avro:"currency"`   // ISO 4217
	LeadSource      string         `avro:"lead_source"`
	CampaignID      string         `avro:"campaign_id"`
	Region          string         `avro:"region"`
	Segment         string         `avro:"segment"`
	Stages          []FactsStage   `avro:"stages"` // oldest first
	Sourced         FactsSourced   `avro:"sourced"`
	Merged          []FactsItem    `avro:"merged"`    // of other CRMs, this business
	Suspected       []FactsItem    `avro:"suspected"` // of other CRMs, may be
	Measures        []FactsMeasure `avro:"measures"`
	Rules           []string       `avro:"rules"`    // what decided the touches, each once
	Touches         []FactsTouch   `avro:"touches"`  // in order of time
	Disputes        []FactsDispute `avro:"disputes"` // in the order in which they were opened
	Truncated       bool           `avro:"truncated"`
	AsOf            time.Time      `avro:"as_of"` // Kafka time of the input that changed the facts
}

// FactsStage is one step of an opportunity's history.
type FactsStage struct {
	Stage     string    `avro:"stage"` // native
	State     string    `avro:"state"`
	Milestone string    `avro:"milestone"`
	At        time.Time `avro:"at"`
	EventID   string    `avro:"event_id"`
}

// FactsSourced says who sourced an opportunity.
type FactsSourced struct {
	Partner  string     `avro:"partner"` // or marketing-sourced, or unsourced
	By       string     `avro:"by"`      // registration or touch
	Evidence *FactsItem `avro:"evidence"`
}

// FactsItem is one fact that a partner reported.
type FactsItem struct {
	Reporter string `avro:"reporter"`
	Source   string `avro:"source"`
	Item     string `avro:"item"` // event id of a touch, or "type/id" of an object
}

// FactsMeasure is one conversion of an opportunity.
type FactsMeasure struct {
	Measure          string     `avro:"measure"`
	Day              string     `avro:"day"` // YYYY-MM-DD in the contract's zone; empty if that is missing
	At               *time.Time `avro:"at"`  // last instant of a touch that shares it
	Value            int64      `avro:"value"`
	Currency         string     `avro:"currency"` // ISO 4217; empty for counts
	Exponent         int        `avro:"exponent"` // decimal places of a minor unit; 6 for counts
	OriginalAmount   string     `avro:"original_amount"`
	OriginalCurrency string     `avro:"original_currency"`
	Rate             string     `avro:"rate"`
	RateDay          string     `avro:"rate_day"`
	RateVia          string     `avro:"rate_via"`
	Held             string     `avro:"held"`     // why it is in no total; empty if it is
	InScope          bool       `avro:"in_scope"` // whether the book accounts for it
	Path             []int32    `avro:"path"`     // places in Touches of those that share it
	Influenced       []string   `avro:"influenced"`
	CoSell           []string   `avro:"co_sell"`

	Confidence FactsConfidence `avro:"confidence"`
}

// FactsConfidence is the confidence in one conversion and its parts, in millionths.
type FactsConfidence struct {
	Identity  int `avro:"identity"`
	Taxonomy  int `avro:"taxonomy"`
	Currency  int `avro:"currency"`
	Agreement int `avro:"agreement"`
	Spread    int `avro:"spread"`
	Overall   int `avro:"overall"`
}

// FactsDispute is a dispute of an opportunity as it now stands.
type FactsDispute struct {
	ID         string     `avro:"id"`
	Partner    string     `avro:"partner"`
	About      string     `avro:"about"`   // sourcing or credit
	Against    string     `avro:"against"` // empty for sourcing
	State      string     `avro:"state"`   // open, withdrawn, upheld or rejected
	To         string     `avro:"to"`      // who got it, where it was upheld
	By         string     `avro:"by"`
	Why        string     `avro:"why"`
	OpenedAt   time.Time  `avro:"opened_at"`
	SettledBy  string     `avro:"settled_by"`
	SettledWhy string     `avro:"settled_why"`
	SettledAt  *time.Time `avro:"settled_at"` // nil while it is open
	From       string     `avro:"from"`       // YYYY-MM-DD: first conversion day on which it acts; empty for all
}

// FactsTouch is a touch with what the contract makes of it.
type FactsTouch struct {
	ID       FactsItem   `avro:"id"`
	At       time.Time   `avro:"at"`
	Type     string      `avro:"type"`
	Channel  string      `avro:"channel"`
	Partner  string      `avro:"partner"` // several with + between share it
	Asset    string      `avro:"asset"`
	Source   string      `avro:"source"`
	Campaign string      `avro:"campaign"`
	Rule     int32       `avro:"rule"`     // place in Rules
	Person   string      `avro:"person"`   // pseudonym
	Evidence []FactsItem `avro:"evidence"` // reports besides its own
}

// FeedKey is the key of what one partition of observations counted of one feed.
type FeedKey struct {
	Feed      string `avro:"feed"`
	Reporter  string `avro:"reporter"`
	Partition int32  `avro:"partition"`
}

// FeedRow is what became of the native events of one feed in one partition of
// observations: flat, repeating its key. Its time has milliseconds.
type FeedRow struct {
	Feed        string    `avro:"feed"`
	Reporter    string    `avro:"reporter"`
	Partition   int32     `avro:"partition"`
	Accepted    int64     `avro:"accepted"`
	Duplicates  int64     `avro:"duplicates"`
	Late        int64     `avro:"late"`
	Collisions  int64     `avro:"collisions"`
	Restated    int64     `avro:"restated"`
	Superseded  int64     `avro:"superseded"`
	Suppressed  int64     `avro:"suppressed"`
	Unmatchable int64     `avro:"unmatchable"`
	Touches     int64     `avro:"touches"`   // of now
	Unmatched   int64     `avro:"unmatched"` // of now
	Version     int64     `avro:"version"`   // rises with every change
	IsDeleted   bool      `avro:"is_deleted"`
	UpdatedAt   time.Time `avro:"updated_at"`
}

// ContributionKey is the key of one contribution row.
type ContributionKey struct {
	Contract      string `avro:"contract"`
	Measure       string `avro:"measure"`
	Model         string `avro:"model"`
	Day           string `avro:"day"` // YYYY-MM-DD in the contract's zone
	Partner       string `avro:"partner"`
	Channel       string `avro:"channel"`
	Asset         string `avro:"asset"`
	Region        string `avro:"region"`
	Segment       string `avro:"segment"`
	Source        string `avro:"source"`
	TouchCampaign string `avro:"touch_campaign"`
	Escrow        string `avro:"escrow"` // disputed or (none)
	Booked        string `avro:"booked"` // YYYY-MM-DD; empty: Day
}

// ContributionRow is one row for BI: flat, repeating its key. Its times have
// milliseconds.
type ContributionRow struct {
	Contract         string    `avro:"contract"`
	Measure          string    `avro:"measure"`
	Model            string    `avro:"model"`
	Day              string    `avro:"day"` // YYYY-MM-DD in the contract's zone
	Partner          string    `avro:"partner"`
	Channel          string    `avro:"channel"`
	Asset            string    `avro:"asset"`
	Region           string    `avro:"region"`
	Segment          string    `avro:"segment"`
	Source           string    `avro:"source"`
	TouchCampaign    string    `avro:"touch_campaign"`
	Escrow           string    `avro:"escrow"`          // disputed or (none)
	Booked           string    `avro:"booked"`          // YYYY-MM-DD; empty: Day
	Value            []byte    `avro:"value"`           // decimal(38,9): see SetValue and ValueText
	ConfidentValue   []byte    `avro:"confident_value"` // as Value: see SetConfident and ConfidentUnits
	Currency         string    `avro:"currency"`        // ISO 4217; empty for counts
	Version          int64     `avro:"version"`         // the higher one is the newer
	IsFinal          bool      `avro:"is_final"`
	IsDeleted        bool      `avro:"is_deleted"` // a tombstone follows
	UpdatedAt        time.Time `avro:"updated_at"`
	AsOf             time.Time `avro:"as_of"`             // Kafka time of the newest input in the row
	CreditsPartition int32     `avro:"credits_partition"` // read last for this row
	CreditsOffset    int64     `avro:"credits_offset"`    // of the newest entry in the row
}

// Alert is something that an operator or a partner should act on.
type Alert struct {
	ID       string    `avro:"id"` // the same alert raised again has the same one
	Kind     string    `avro:"kind"`
	Severity string    `avro:"severity"` // info, warning, error or critical
	Rung     string    `avro:"rung"`     // step of the escalation; empty when it has none
	Campaign string    `avro:"campaign"` // empty when none is concerned
	Partner  string    `avro:"partner"`  // empty when none is concerned
	Subject  string    `avro:"subject"`
	Message  string    `avro:"message"`
	Evidence []string  `avro:"evidence"` // identifiers of events, entries or rows
	RaisedAt time.Time `avro:"raised_at"`
	Owner    string    `avro:"owner"`    // on this rung; empty for who holds its office
	Fallback string    `avro:"fallback"` // when the owner does not answer
	Since    string    `avro:"since"`    // first contract day, YYYY-MM-DD; empty for none
	Deadline string    `avro:"deadline"` // contract day before it climbs a rung, YYYY-MM-DD; empty for none
	State    string    `avro:"state"`    // open or settled
}

// DeadLetter says why a raw record was refused. It travels in one header beside
// the original bytes and holds no personal data.
type DeadLetter struct {
	Code            string    `avro:"code"` // stable
	Message         string    `avro:"message"`
	Feed            string    `avro:"feed"`
	Reporter        string    `avro:"reporter"`
	RawTopic        string    `avro:"raw_topic"`
	RawPartition    int32     `avro:"raw_partition"`
	RawOffset       int64     `avro:"raw_offset"`
	MappingRevision int64     `avro:"mapping_revision"` // 0 is the built-in adapter
	FailedAt        time.Time `avro:"failed_at"`
}
