// Package governance judges what the signatories of a campaign say to its numbers:
// disputes, closed periods, approvals, signatures, acknowledgements, surveys, and
// guardrails held against their bounds. It knows what each of these means, who may
// say it, and which alerts follow.
//
// It is a fold: what was decided so far is a small value under each of a few keys,
// and a record is taken in, passed over or refused by these and by the contract
// alone. Whoever owns the order of the records keeps the values. The package must
// not know where they are kept, how records travel, or what time it is: now is what
// a record says.
package governance

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// Bounds of what a record says, in bytes.
const (
	NameMax  = 200  // of who says it, and of names and titles
	WhyMax   = 1000 // of the reason
	alertMax = 1000 // of the identifier of an alert
)

// Refusal is why a record is not taken in.
type Refusal struct{ reason error }

// Error implements error.
func (r *Refusal) Error() string { return r.reason.Error() }

// Unwrap returns the reason.
func (r *Refusal) Unwrap() error { return r.reason }

// Refuse makes a Refusal.
func Refuse(format string, args ...any) error { return &Refusal{fmt.Errorf(format, args...)} }

// Key names a value of what was decided. Of is the kind of value; the others are
// empty where a kind has no use for them.
type Key struct{ Of, Campaign, Name, Sub string }

// Change is a value that a record changes. A nil Value is deleted.
type Change struct {
	Key   Key
	Value []byte
}

// Now is what a record is judged by.
type Now struct {
	// Agreed is the newest revision of the campaign's contract, nil without one, and
	// Revision its number.
	Agreed   *contract.Contract
	Revision int64
	// Get returns the value under a key as the changes of the records before have
	// left it, nil for none. Its errors are returned as they are.
	Get func(Key) ([]byte, error)
}

// Outcome is what follows from a record that is not refused.
type Outcome struct {
	// Again is whether the record repeats what was taken in before: nothing follows.
	Again   bool
	Changes []Change
	// Alerts are raised, or settled as their State says.
	Alerts []avro.Alert
	// Dispute is what the record makes of a dispute, nil for another record.
	Dispute *Dispute
}

// Judge returns what follows from a dispute, a period, an approval, a signature, an
// acknowledgement, a survey or an evaluation. The error is a Refusal, or one of Get.
func Judge(now Now, c *avro.Control) (Outcome, error) {
	j := judge{now: now}
	var err error
	switch {
	case c.Dispute != nil:
		err = j.dispute(c.Dispute)
	case c.Period != nil:
		err = j.period(c.Period)
	case c.Approval != nil:
		err = j.approval(c.Approval)
	case c.Signature != nil:
		err = j.signature(c.Signature)
	case c.Acknowledgement != nil:
		err = j.acknowledgement(c.Acknowledgement)
	case c.Survey != nil:
		err = j.survey(c.Survey)
	case c.Evaluation != nil:
		err = j.evaluation(c.Evaluation)
	default:
		err = Refuse("kind %q is none that signatories decide", cut(c.Kind))
	}
	if err != nil {
		return Outcome{}, err
	}
	return j.out, nil
}

// Concerns returns whose campaign a record is and which partner says it, empty where
// it is of none. They are as the record has them.
func Concerns(c *avro.Control) (campaign, partner string) {
	switch {
	case c.Contract != nil:
		return c.Contract.Campaign, ""
	case c.Amount != nil:
		return c.Amount.Campaign, ""
	case c.Overlap != nil:
		return c.Overlap.Campaign, ""
	case c.Dispute != nil:
		return c.Dispute.Campaign, c.Dispute.Partner
	case c.Period != nil:
		return c.Period.Campaign, ""
	case c.Approval != nil:
		return c.Approval.Campaign, c.Approval.Partner
	case c.Signature != nil:
		return c.Signature.Campaign, c.Signature.Partner
	case c.Acknowledgement != nil:
		return c.Acknowledgement.Campaign, c.Acknowledgement.Partner
	case c.Survey != nil:
		return c.Survey.Campaign, c.Survey.Partner
	case c.Evaluation != nil:
		return c.Evaluation.Campaign, ""
	}
	return "", ""
}

// judge is one judgement.
type judge struct {
	now Now
	out Outcome
}

// load reads a value; found is false where there is none.
func (j *judge) load(k Key, to any) (found bool, err error) {
	b, err := j.now.Get(k)
	if err != nil || b == nil {
		return false, err
	}
	if err := json.Unmarshal(b, to); err != nil {
		return false, fmt.Errorf("read %s of %s: %w", k.Of, k.Campaign, err)
	}
	return true, nil
}

func (j *judge) store(k Key, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("keep %s of %s: %w", k.Of, k.Campaign, err)
	}
	j.out.Changes = append(j.out.Changes, Change{k, b})
	return nil
}

func (j *judge) drop(k Key) { j.out.Changes = append(j.out.Changes, Change{Key: k}) }

// once notes what was said under a key and reports whether the very same was said
// there last.
func (j *judge) once(k Key, content string) error {
	var last string
	if _, err := j.load(k, &last); err != nil {
		return err
	}
	if last == content {
		j.out.Again = true
		return nil
	}
	return j.store(k, content)
}

// agreed refuses what is said to a campaign without a contract.
func (j *judge) agreed(what, campaign string) error {
	if j.now.Agreed == nil {
		return Refuse("%s: campaign %q has no contract", what, cut(campaign))
	}
	return nil
}

// signatory refuses what somebody says who has not signed the contract.
func (j *judge) signatory(what, partner string) error {
	if !j.now.Agreed.IsPartner(partner) {
		return Refuse("%s: %q is no signatory of %s", what, cut(partner), j.now.Agreed.Campaign)
	}
	return nil
}

// said refuses a record that does not say who said it, why and when. Who is an
// office: an address would be of a person, and what is on control stays for ever.
func said(what, by, why string, at time.Time) error {
	if err := words(what, by, why); err != nil {
		return err
	}
	if !timely(at) {
		return Refuse("%s: it says when it was said", what)
	}
	return nil
}

// Reasoned refuses a revision whose reason is not as those of other decisions. One with
// neither is taken in: those from before there were reasons have none.
func Reasoned(what, by, why string) error {
	if by == "" && why == "" {
		return nil
	}
	return words(what, by, why)
}

func words(what, by, why string) error {
	switch {
	case strings.TrimSpace(by) == "" || strings.TrimSpace(why) == "":
		return Refuse("%s: it says who says so, and why", what)
	case len(by) > NameMax || len(why) > WhyMax:
		return Refuse("%s: who says so has at most %d bytes, and the reason %d", what, NameMax, WhyMax)
	case strings.Contains(by, "@"):
		return Refuse("%s: who says so is an office, such as Partner Operations, and no address", what)
	}
	return nil
}

// timely reports whether a record can have been said at an instant: what lies beyond
// is a unit mistaken, and not all of it can be written.
func timely(at time.Time) bool {
	year := at.UTC().Year()
	return year >= 2000 && year <= 9999
}

// dayFor reads a day of a record.
func dayFor(what, text string) (money.Day, error) {
	day, err := money.ParseDay(text)
	if err != nil {
		return 0, Refuse("%s: %w", what, err)
	}
	return day, nil
}

// content names what a record says.
func content(record any) (string, error) {
	b, err := json.Marshal(record)
	if err != nil {
		return "", fmt.Errorf("name a record by what it says: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// instant is a time as records carry it.
func instant(at time.Time) time.Time { return at.UTC().Truncate(time.Microsecond) }

func isHash(text string) bool {
	return len(text) == 2*sha256.Size && strings.Trim(text, "0123456789abcdef") == ""
}

// cut bounds what of a text is shown.
func cut(text string) string {
	const shown = 60
	if len(text) > shown {
		return strings.ToValidUTF8(text[:shown], "") + "..."
	}
	return text
}

// IsRefusal reports whether an error says why a record is not taken in, and not that
// something of our own failed.
func IsRefusal(err error) bool {
	var r *Refusal
	return errors.As(err, &r)
}
