// Package attributor is the tier that judges: it keeps the journey of every
// account of its partition, computes the books of all contracts over an account
// that changed, and posts the difference to the ledger, with its cause.
//
// It knows journey events, contracts, rates and ledger entries, and how they are
// laid out in state; it must not know feeds, raw records or how totals become
// rows. How a value is shared is attribution's, what a touch counts for is the
// contract's, how a batch becomes durable is stream's.
//
// # The ledger
//
// An entry is the net change of one conversion under one set of dimensions, with
// one number for each model; all entries of one conversion that one recompute
// made are a change, and share its id. The Kafka key of an entry is
// [ContributionKeyBytes], which has neither model nor currency, so that one
// reader sees all that can become one row. An entry's running is the total of
// that key in the entry's currency and exponent, from this source partition,
// after the entry.
//
// For each credits partition the entries of a source partition are numbered from
// 1 without a gap. Number 0 is the announcement of the generation, of kind
// generation: it retires what older generations of the source left in that
// partition. All credits partitions get it in the first transaction of a
// generation, also those that this life of the state never writes to again,
// because an older one may have.
//
// # Facts
//
// Beside the ledger stands what it follows from: for each contract, deal and
// revision that accounts for any of its measures the newest facts, in a compacted
// topic. The key has the account too, and so the source partition: a deal that
// moves is withdrawn under the old account by one task and told under the new one by
// another, in no order, and neither may hide the other. All keys of a deal are in
// one partition. A new generation is announced in every partition as in credits,
// under a key of its own: facts of older generations of that source count no
// longer, whether or not they were withdrawn.
//
// # Restatement
//
// A contract revision or a rate changes what is due to accounts that nothing
// happened to. A sweep then visits every account of the partition, some in each
// batch and Tick, in a circle: a rule that comes when the sweep is halfway round
// lets it go on and end where it was then, so that each account is visited after
// each rule, a burst of rules costs one round, and an endless stream of rules
// cannot keep the sweep from moving. An account that live events touch is
// recomputed under the newest rules at once.
//
// A program whose rules of a book are others than those by which the state was posted
// sweeps as well, from the first record that it gets.
//
// A revision with restate_from accounts for the conversion days from that on; a
// book has every revision that still accounts for any day.
//
// # Closed periods
//
// A closing is in every partition of journeys at one place of its order. What came
// before is booked by what was open before it, what comes after by what is open then:
// a change of a conversion on a closed day is booked on the first open one, and the
// entry says both days and by which closing. What is booked on a closed day stays as it
// is, until it is opened again. The sum over the days that something is booked on is the
// book as it is restated, of which a closing changes nothing.
//
// A sweep that is under way when a closing comes goes on behind it, and what it finds
// from then on is booked by what is open then. Whoever wants a late rate in a period
// waits for the end of the sweep before closing it.
//
// BUG(closings): a state that is built anew from journeys reads them in larger batches
// than it once did, so that a sweep can be further behind when a closing comes, and more
// of what it finds is booked behind it. The restated figures are the same, and so is a
// period together with its adjustments; what was known when is not.
//
// # Proposals
//
// What is proposed for a campaign has a book of its own beside the agreed one,
// named by contract.ProposalBook wherever a book is named. Both are computed from
// the same journeys and neither sees the other. A proposal that is withdrawn stays
// as a book without rules until a sweep has taken it back from every account. It is
// never closed: nobody has agreed to its figures, and all of it is taken back in the
// end from where it is booked.
package attributor

import (
	"errors"
	"log/slog"

	"tracksource/attribution"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// The kinds of journey events.
const (
	kindTouch   = "touch"
	kindObject  = "object"
	kindControl = "control"
)

// Why a journey event removes its item, where it did not move to another account.
const (
	reasonErasure    = "erasure"
	reasonRetraction = "retraction"
)

// The kinds of ledger entries and of facts.
const (
	KindEntry      = "entry"
	KindFacts      = "facts"
	KindGeneration = "generation"
)

// Causes of ledger entries. The set is open.
const (
	CauseNewConversion = "new_conversion"
	// CauseLateTouch is a touch that came after the conversion it changes.
	CauseLateTouch = "late_touch"
	CauseAmount    = "amount"
	CauseStage     = "stage"
	// CauseObject is any other edit of a deal or an account.
	CauseObject = "object"
	// CauseMove is a deal or touch that came from or went to another account.
	CauseMove     = "move"
	CauseDeletion = "deletion"
	// CauseErasure is that a person's touch was taken back, or their place in the
	// funnel, because they are to be forgotten.
	CauseErasure = "erasure"
	// CauseOverlap is that several reports became one touch, or deals of several CRMs
	// one business, or that somebody decided on that.
	CauseOverlap = "overlap"
	// CauseDispute is a step of a dispute of the deal.
	CauseDispute  = "dispute"
	CauseFX       = "fx"
	CauseContract = "contract"
)

// Kinds of alerts.
const (
	// AlertHeld is about a conversion that cannot be valued.
	AlertHeld = "conversion_held"
	// AlertDisagreement is about a touch that its reporters credit to different
	// partners.
	AlertDisagreement = "overlap_disagreement"
	// AlertSuspected is about a deal that may be the business of another CRM's.
	AlertSuspected = attribution.AlertOverlapSuspected
	// A dispute that the book refuses raises an alert of the kind that
	// attribution.Refusal names as its code.
)

// Topics are the names of the output topics.
type Topics struct{ Credits, Facts, Alerts string }

// Config describes a Processor. Codecs, Topics, CreditsPartitions, FactsPartitions
// and Log are required.
type Config struct {
	Codecs *avro.Codecs
	Topics Topics
	// CreditsPartitions is the number of partitions of the credits topic, which
	// never changes: it decides the sequence that an entry is part of.
	CreditsPartitions int32
	// FactsPartitions is the number of partitions of the facts topic, which never
	// changes either.
	FactsPartitions int32
	// SliceAccounts is how many accounts a sweep visits in one transaction at
	// most, 200.
	SliceAccounts int
	Metrics       *Metrics // nil: none
	Log           *slog.Logger
}

const sliceAccountsDefault = 200

func (c Config) check() error {
	switch {
	case c.Codecs == nil:
		return errors.New("attributor: Config.Codecs is missing")
	case c.Topics.Credits == "" || c.Topics.Facts == "" || c.Topics.Alerts == "":
		return errors.New("attributor: a name in Config.Topics is missing")
	case c.CreditsPartitions <= 0:
		return errors.New("attributor: Config.CreditsPartitions is missing")
	case c.FactsPartitions <= 0:
		return errors.New("attributor: Config.FactsPartitions is missing")
	case c.SliceAccounts < 0:
		return errors.New("attributor: Config.SliceAccounts is negative")
	case c.Log == nil:
		return errors.New("attributor: Config.Log is missing")
	}
	return nil
}

// Emitter is the part of a batch that stages outputs.
type Emitter interface {
	Emit(topic string, key, value []byte, headers ...stream.Header)
	EmitTo(topic string, partition int32, key, value []byte, headers ...stream.Header)
	Emitted() (records, bytes int)
}
