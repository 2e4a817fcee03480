package answer

import "time"

// ExplainAnswer is the chain from a number to the native events that made it: of one
// deal, or of one contribution.
type ExplainAnswer struct {
	Envelope
	Subject Subject `json:"subject"`
	// Deal, its measures, touches and entries are of the subject; of a contribution
	// and of a person there are only entries.
	Deal     *ExplainedDeal     `json:"deal"`
	Measures []ExplainedMeasure `json:"measures"`
	Touches  []ExplainedTouch   `json:"touches"` // in order of time
	// Lines hold what the facts come to against what the ledger has of them.
	Lines []ExplainedLine `json:"lines"`
	// Agrees is whether the two are the same everywhere, in what is withheld as well.
	Agrees bool `json:"agrees"`
	// Entries are those of the ledger, the oldest first; of a contribution the newest.
	Entries      []ExplainedEntry `json:"entries"`
	Contribution *ExplainedRow    `json:"contribution"`
	// Revisions are those of the contract that the measures and the entries told are under,
	// the oldest first.
	Revisions []RevisionSummary `json:"revisions"`
}

// Subject is what is explained.
type Subject struct {
	Kind string `json:"kind"` // opportunity, contribution or person
	ID   string `json:"id"`   // of the deal or the person, or the key of the row
}

// ExplainedDeal is a deal with its history.
type ExplainedDeal struct {
	Deal
	SourcedBy       string           `json:"sourced_by"`       // registration, touch or decision; empty for none
	SourcedEvidence *ItemLine        `json:"sourced_evidence"` // the registration, the touch or the settled dispute
	LeadAt          *time.Time       `json:"lead_at"`
	Stages          []ExplainedStage `json:"stages"`    // oldest first
	Merged          []ItemLine       `json:"merged"`    // of other CRMs, this business
	Suspected       []ItemLine       `json:"suspected"` // of other CRMs, may be
	Disputes        []DisputedLine   `json:"disputes"`  // in the order in which they were opened
}

// DisputedLine is a dispute of a deal that the book heeds. Who sees its own rows alone
// is told of those of others that there are, and how they ended.
type DisputedLine struct {
	ID         string     `json:"id"`
	Partner    string     `json:"partner"` // that disputes
	About      string     `json:"about"`   // sourcing or credit
	Against    string     `json:"against"` // whose credit; empty for sourcing
	State      string     `json:"state"`   // open, withdrawn, upheld or rejected
	To         string     `json:"to"`      // who got it, where it was upheld
	OpenedAt   time.Time  `json:"opened_at"`
	OpenedBy   string     `json:"opened_by"`
	Why        string     `json:"why"`
	SettledAt  *time.Time `json:"settled_at"` // null while it is open
	SettledBy  string     `json:"settled_by"`
	SettledWhy string     `json:"settled_why"`
	// From is the first day on which it acts, as those before it were closed when it was
	// opened; empty for all.
	From string `json:"from"`
}

// ExplainedStage is one step of a deal's history.
type ExplainedStage struct {
	Stage     string    `json:"stage"`
	State     string    `json:"state"`
	Milestone string    `json:"milestone"` // empty for none
	At        time.Time `json:"at"`
	EventID   string    `json:"event_id"`
}

// ItemLine is one thing that a partner reported.
type ItemLine struct {
	Reporter string `json:"reporter"`
	Source   string `json:"source"` // native shape
	Item     string `json:"item"`   // id of an event, or type/id of an object
}

// ExplainedMeasure is what a deal counts for, and who gets what of it.
type ExplainedMeasure struct {
	Measure          string `json:"measure"`
	Day              string `json:"day"` // empty if that is what is missing
	Value            string `json:"value"`
	Currency         string `json:"currency"`
	OriginalAmount   string `json:"original_amount"`
	OriginalCurrency string `json:"original_currency"`
	Rate             string `json:"rate"` // empty when none was applied
	RateDay          string `json:"rate_day"`
	RateVia          string `json:"rate_via"`
	Held             string `json:"held"` // why it is in no total; empty if it is
	InScope          bool   `json:"in_scope"`
	Truncated        bool   `json:"truncated"` // the account has more touches than may share it
	Revision         int64  `json:"revision"`
	// Confidence is in what is in a total; null for what is not.
	Confidence *ConfidenceParts `json:"confidence"`
	// Credits are by model, of a model in order of time. What no touch is credited
	// with has the touch 0.
	Credits    map[string][]ExplainedCredit `json:"credits"`
	Influenced []string                     `json:"influenced"`
	CoSell     []string                     `json:"co_sell"`
}

// ConfidenceParts is a confidence with what it is the mean of, each of one.
type ConfidenceParts struct {
	Overall   string `json:"overall"`
	Identity  string `json:"identity"`  // by what evidence the touches belong to the account
	Taxonomy  string `json:"taxonomy"`  // how much of the touches the contract could name
	Currency  string `json:"currency"`  // how sure the value in the contract's currency is
	Agreement string `json:"agreement"` // whether the reporters say the same
	Spread    string `json:"spread"`    // how alike the ledger models share it among partners
}

// ExplainedCredit is one partner's part of a touch.
type ExplainedCredit struct {
	Touch   int    `json:"touch"` // its n
	Partner string `json:"partner"`
	// Judged is whom the contract credits, where a dispute that was upheld handed the
	// credit on; else empty.
	Judged string `json:"judged"`
	Escrow string `json:"escrow"` // disputed while a dispute of it is open, else (none)
	Weight string `json:"weight"` // of one
	Amount string `json:"amount"`
}

// ExplainedTouch is a touch with what the contract makes of it. What another partner
// reported keeps partner, channel and day, and the rest of it is withheld.
type ExplainedTouch struct {
	N        int        `json:"n"`  // from 1
	At       string     `json:"at"` // RFC 3339; of one that is withheld the day
	Type     string     `json:"type"`
	Channel  string     `json:"channel"`
	Partner  string     `json:"partner"` // several with + between share it
	Asset    string     `json:"asset"`
	Source   string     `json:"source"`
	Campaign string     `json:"campaign"`
	Rule     string     `json:"rule"`     // what decided all of these
	Person   string     `json:"person"`   // a pseudonym
	Evidence []ItemLine `json:"evidence"` // the reports that it is made of; the first stands for it
	Withheld bool       `json:"withheld"`
}

// ExplainedLine is the part of a measure that falls on one set of dimensions, by
// model.
type ExplainedLine struct {
	Measure       string `json:"measure"`
	Day           string `json:"day"`
	Partner       string `json:"partner"`
	Channel       string `json:"channel"`
	Asset         string `json:"asset"`
	Region        string `json:"region"`
	Segment       string `json:"segment"`
	Source        string `json:"source"`
	TouchCampaign string `json:"touch_campaign"`
	Escrow        string `json:"escrow"`
	Currency      string `json:"currency"`
	// Computed is what follows from the facts, Ledger what the entries sum to.
	Computed map[string]string `json:"computed"`
	Ledger   map[string]string `json:"ledger"`
	Agrees   bool              `json:"agrees"`
}

// ExplainedEntry is one entry of the ledger.
type ExplainedEntry struct {
	CreditsPartition int32             `json:"credits_partition"`
	CreditsOffset    int64             `json:"credits_offset"`
	Conversion       string            `json:"conversion"`
	Measure          string            `json:"measure"`
	Day              string            `json:"day"`
	Partner          string            `json:"partner"`
	Channel          string            `json:"channel"`
	Asset            string            `json:"asset"`
	Escrow           string            `json:"escrow"`
	Booked           string            `json:"booked"` // another than day where that was closed
	Currency         string            `json:"currency"`
	Delta            map[string]string `json:"delta"`      // by model
	Running          map[string]string `json:"running"`    // all of the row from this source, after the entry
	Confidence       string            `json:"confidence"` // in the conversion after the entry, of one
	Cause            string            `json:"cause"`
	CauseEvent       string            `json:"cause_event"`
	ChangeID         string            `json:"change_id"`
	Revision         int64             `json:"revision"`
	Rate             string            `json:"rate"` // empty when none was applied
	AsOf             time.Time         `json:"as_of"`
}

// ExplainedRow is a contribution and the deals that make it up. Deals, Others and
// what is withheld sum to the value.
type ExplainedRow struct {
	ContributionLine
	// Sum is what the entries come to; it is the value unless the row is behind.
	Sum   string    `json:"sum"`
	Deals []DealSum `json:"deals"` // the largest first
	// Others is what more deals have than are listed, OtherDeals how many they are.
	Others     string `json:"others"`
	OtherDeals string `json:"other_deals"`
	// WithheldSum is what deals have that the viewer is not told of.
	WithheldSum string `json:"withheld_sum"`
}

// DealSum is what one conversion has of a row.
type DealSum struct {
	ID     string `json:"id"` // of a deal, or of a person as a pseudonym
	Amount string `json:"amount"`
}

// ReconcileAnswer is a CRM's export held against the book.
type ReconcileAnswer struct {
	Envelope
	Measure  string `json:"measure"`
	Currency string `json:"currency"`
	Reporter string `json:"reporter"` // whose CRM it is
	// Ours less Theirs is Difference, to which the reasons sum.
	Ours       string           `json:"ours"`
	Theirs     string           `json:"theirs"`
	Difference string           `json:"difference"`
	Reasons    []ReasonLine     `json:"reasons"`
	Deals      []ReconciledDeal `json:"deals"` // the largest first
	Matched    string           `json:"matched"`
	// Accuracy is the value of the deals that are worth the same on both sides over
	// Theirs, in percent, as the guardrail of that name has it; null where Theirs is nothing.
	Accuracy *string `json:"accuracy"`
	// Unreadable are rows that could not be used; what they are about is in none of
	// the sums above. So is Unconverted, what there is in currencies without a rate.
	Unreadable     []UnreadableLine `json:"unreadable"`
	UnreadableRows string           `json:"unreadable_rows"`
	UnreadableSums []CurrencyTotal  `json:"unreadable_sums"`
	Unconverted    []CurrencyTotal  `json:"unconverted"`
	// Elsewhere is what the book has besides Ours: no export of this CRM can have it.
	Elsewhere []ElsewhereLine   `json:"elsewhere"`
	Columns   map[string]string `json:"columns"` // of the export, by what they are read as
	Next      *string           `json:"next"`
}

// ReasonLine is all that one reason explains.
type ReasonLine struct {
	Reason string `json:"reason"`
	Deals  string `json:"deals"`
	Amount string `json:"amount"`
}

// ReconciledDeal is a deal of which the two sides do not say the same.
type ReconciledDeal struct {
	ID         string `json:"id"`
	Name       string `json:"name"` // in the export
	Line       int    `json:"line"` // in the export; 0 if it is not in it
	Ours       string `json:"ours"`
	Theirs     string `json:"theirs"`
	Difference string `json:"difference"`
	Reason     string `json:"reason"`
	Detail     string `json:"detail"`
	Other      string `json:"other"` // a deal of another CRM that has the value, or may have
}

// UnreadableLine is a row of the export that could not be used.
type UnreadableLine struct {
	Line   int    `json:"line"`
	ID     string `json:"id"`
	Why    string `json:"why"`
	Amount string `json:"amount"` // with its currency; empty if that is what is wrong
}

// ElsewhereLine is what the book has of other places than the CRM.
type ElsewhereLine struct {
	What   string `json:"what"` // orders, or other_crms
	Deals  string `json:"deals"`
	Amount string `json:"amount"`
}
