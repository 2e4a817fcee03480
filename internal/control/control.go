// Package control knows what operators decide and how it is said on the control
// topic: contract revisions, exchange rates, the horizon, the account map,
// overlapping deals, and money beside contracts; and how what signatories say of
// the numbers, which internal/governance judges, stands in it. The service that owns the topic
// judges records with it, tools write them with it, and so a tool can say
// beforehand what the service will refuse.
package control

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/internal/governance"
	"tracksource/money"
	"tracksource/normalize/mapping"
	"tracksource/schemas/avro"
)

// The kinds of control records.
const (
	Contract = "contract"
	Rate     = "rate"
	Horizon  = "horizon"
	Account  = "account"
	Erasure  = "erasure"
	Mapping  = "mapping"
	Spend    = "spend"
	Target   = "target"
	Cost     = "cost"
	Overlap  = "overlap"

	// What signatories say to the numbers.
	Dispute         = "dispute"
	Period          = "period"
	Approval        = "approval"
	Signature       = "signature"
	Acknowledgement = "acknowledgement"
	Survey          = "survey"
	Evaluation      = "evaluation"
)

// ErasureMax is how many identities one erasure names at most.
const ErasureMax = 10_000

// Refusal is why a record is not taken in.
type Refusal = governance.Refusal

func refuse(format string, args ...any) error { return governance.Refuse(format, args...) }

// Versioned names what has revisions: the contract of a campaign, the mapping of a
// feed.
type Versioned struct{ Kind, Name string }

// OfContract names the contract of a campaign.
func OfContract(campaign string) Versioned { return Versioned{Contract, campaign} }

// Standing is what of a Versioned is in force now.
type Standing struct {
	Revision int64 // the newest, 0 for none
	// Document is the text of the newest revision of a contract, and Proposal the
	// hash of what is proposed as the next one; empty for none, and of a mapping.
	Document, Proposal string
	// Agreed is Document as it is read, nil without one.
	Agreed *contract.Contract
}

// Past is what control said before a record, by which the record is judged. Its
// errors are returned as they are.
type Past interface {
	// Standing returns what is in force of what has revisions.
	Standing(of Versioned) (Standing, error)
	// Value returns what governance keeps under a key, nil for nothing.
	Value(key governance.Key) ([]byte, error)
}

// OfMapping names the mapping of a feed.
func OfMapping(partner, feed string) Versioned { return Versioned{Mapping, feed + "." + partner} }

// Revision returns what the record is a revision of, false for another record.
func Revision(c *avro.Control) (of Versioned, revision int64, ok bool) {
	switch {
	case c.Kind == Contract && c.Contract != nil:
		return OfContract(c.Contract.Campaign), c.Contract.Revision, true
	case c.Kind == Mapping && c.Mapping != nil:
		return OfMapping(c.Mapping.Partner, c.Mapping.Feed), c.Mapping.Revision, true
	}
	return Versioned{}, 0, false
}

// Judge returns what follows from a record, or a Refusal for one that must not be
// taken in. What follows of a record without signatories is nothing.
func Judge(c *avro.Control, past Past) (governance.Outcome, error) {
	none := governance.Outcome{}
	if of, _, ok := Revision(c); ok {
		now, err := past.Standing(of)
		if err != nil {
			return none, err
		}
		if of.Kind == Mapping {
			return none, judgeMapping(c.Mapping, now.Revision)
		}
		return judgeContract(c.Contract, now, past)
	}
	if isSaid(c) {
		return judgeSaid(c, past)
	}
	if c.Kind == Overlap && c.Overlap != nil {
		return none, judgeOverlap(c.Overlap, past)
	}
	var err error
	switch {
	case c.Kind == Rate && c.Rate != nil:
		err = judgeRate(c.Rate)
	case c.Kind == Horizon && c.Horizon != nil:
		_, err = money.ParseDay(c.Horizon.Day)
	case c.Kind == Account && c.Account != nil:
		_, _, err = AccountLink(c.Account)
	case c.Kind == Erasure && c.Erasure != nil:
		err = judgeErasure(c.Erasure)
	case isAmount(c.Kind) && c.Amount != nil:
		err = judgeAmount(c.Kind, c.Amount)
	default:
		return none, refuse("kind %q is unknown or has no record", c.Kind)
	}
	if err != nil {
		return none, refuse("%s: %w", c.Kind, err)
	}
	return none, nil
}

func judgeRate(r *avro.RateRecord) error {
	day, err := money.ParseDay(r.Day)
	if err == nil {
		err = new(money.Rates).Set(r.Base, r.Quote, day, r.Rate)
	}
	if err != nil {
		return fmt.Errorf("%s/%s: %w", cut(r.Base), cut(r.Quote), err)
	}
	return nil
}

func judgeMapping(r *avro.MappingRecord, last int64) error {
	name := r.Feed + "." + r.Partner
	if err := governance.Reasoned("mapping of "+cut(name), r.By, r.Why); err != nil {
		return err
	}
	if r.Revision != last+1 || r.Previous != last {
		return refuse("mapping of %s: revision %d on top of %d is stale, the newest is %d", name, r.Revision, r.Previous, last)
	}
	if Hash([]byte(r.Document)) != r.Hash {
		return refuse("mapping of %s: the document does not have the hash it came with", name)
	}
	if r.Document == "" {
		return nil // no longer mapped
	}
	m, err := mapping.Parse([]byte(r.Document))
	if err != nil {
		return refuse("mapping of %s: %w", name, err)
	}
	if m.Feed != r.Feed || m.Partner != r.Partner {
		return refuse("mapping of %s: the document is of %s.%s", name, m.Feed, m.Partner)
	}
	return nil
}

// Hash is how the text of a contract is named: SHA-256 in hexadecimal.
func Hash(document []byte) string {
	sum := sha256.Sum256(document)
	return hex.EncodeToString(sum[:])
}

// cut bounds what of a text is shown.
func cut(text string) string {
	const shown = 60
	if len(text) > shown {
		return strings.ToValidUTF8(text[:shown], "") + "..."
	}
	return text
}

// Remap makes the record of the next revision of a feed's mapping. An empty
// document ends it: the feed is then read by the native shapes alone.
func Remap(partner, feed string, document []byte, last int64, now time.Time) avro.Control {
	return avro.Control{Kind: Mapping, Mapping: &avro.MappingRecord{
		Partner: partner, Feed: feed, Revision: last + 1, Previous: last, Document: string(document), Hash: Hash(document), RecordedAt: now,
	}}
}
