package governance

import (
	"strings"
	"time"

	"tracksource/money"
	"tracksource/schemas/avro"
)

// What is done to periods.
const (
	PeriodClose  = "close"
	PeriodReopen = "reopen"
)

// closing is what is closed of a campaign.
type closing struct {
	Until  string    `json:"until"`  // the last closed day; empty for none
	At     time.Time `json:"at"`     // of the last record
	Said   string    `json:"said"`   // content of the last record
	Number int64     `json:"number"` // of records so far
}

func periodKey(campaign string) Key { return Key{Of: "period", Campaign: campaign} }

// ClosedUntil returns the last closed day of a campaign, false if none is.
func ClosedUntil(get func(Key) ([]byte, error), campaign string) (money.Day, bool, error) {
	j := judge{now: Now{Get: get}}
	var c closing
	if _, err := j.load(periodKey(campaign), &c); err != nil || c.Until == "" {
		return 0, false, err
	}
	day, err := money.ParseDay(c.Until)
	return day, err == nil, err
}

func (j *judge) period(r *avro.PeriodRecord) error {
	if err := j.agreed("period", r.Campaign); err != nil {
		return err
	}
	if err := said("period", r.By, r.Why, r.At); err != nil {
		return err
	}
	day, err := dayFor("period", r.Day)
	if err != nil {
		return err
	}
	words := *r
	words.At = instant(r.At)
	name, err := content(words)
	if err != nil {
		return err
	}
	var c closing
	if _, err := j.load(periodKey(r.Campaign), &c); err != nil {
		return err
	}
	if c.Said == name {
		j.out.Again = true
		return nil
	}
	if words.At.Before(c.At) {
		return Refuse("period: it was said on %s, and periods were decided on %s last", words.At.Format(time.RFC3339), c.At.Format(time.RFC3339))
	}
	switch r.Action {
	case PeriodClose:
		if err := j.closePeriod(c, day, r); err != nil {
			return err
		}
		c.Until = day.String()
	case PeriodReopen:
		if err := j.reopenPeriod(c, r); err != nil {
			return err
		}
		if c.Until = ""; day > money.DayMin {
			c.Until = day.Add(-1).String()
		}
	default:
		return Refuse("period: %q; write %s or %s", cut(r.Action), PeriodClose, PeriodReopen)
	}
	c.At, c.Said = words.At, name
	c.Number++ // what was approved, was of the days as they were
	return j.store(periodKey(r.Campaign), c)
}

func (j *judge) closePeriod(c closing, day money.Day, r *avro.PeriodRecord) error {
	if c.Until != "" && r.Day <= c.Until {
		return Refuse("period: all days until %s are closed already, and so is %s", c.Until, r.Day)
	}
	if today := j.now.Agreed.Day(r.At); day >= today {
		return Refuse("period: %s is not over; the last day that can be closed is %s", r.Day, today.Add(-1))
	}
	return nil
}

func (j *judge) reopenPeriod(c closing, r *avro.PeriodRecord) error {
	switch {
	case c.Until == "":
		return Refuse("period: nothing of %s is closed", r.Campaign)
	case r.Day > c.Until:
		return Refuse("period: %s is open; all days until %s are closed", r.Day, c.Until)
	}
	missing, err := j.missingForReopen(c, r.Campaign, r.Day)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return Refuse("period: opening %s again needs the approval of %s", r.Day, strings.Join(missing, ", "))
	}
	return nil
}

// missingForReopen returns which partners have not approved that a day is opened
// again since the last record about periods, which c is.
func (j *judge) missingForReopen(c closing, campaign, day string) (missing []string, err error) {
	said, err := j.reopening(c, campaign, day)
	if err != nil {
		return nil, err
	}
	for _, partner := range j.now.Agreed.Approvals.Reopen {
		if said.Words[partner].Decision != Approved {
			missing = append(missing, partner)
		}
	}
	return missing, nil
}

// reopening is what was said to opening the days from one on again.
type reopening struct {
	Number int64           `json:"number"` // of the records about periods when it was said
	Words  map[string]Word `json:"words"`  // the last of each partner
}

func reopeningKey(campaign, day string) Key {
	return Key{Of: "reopening", Campaign: campaign, Name: day}
}

// reopening loads what was said since the last record about periods, which c is.
func (j *judge) reopening(c closing, campaign, day string) (reopening, error) {
	var said reopening
	if _, err := j.load(reopeningKey(campaign, day), &said); err != nil {
		return said, err
	}
	if said.Words == nil || said.Number != c.Number {
		said = reopening{Number: c.Number, Words: map[string]Word{}}
	}
	return said, nil
}

// MissingForReopen returns which partners have yet to approve that the days of a
// campaign are open again from one on.
func MissingForReopen(now Now, campaign string, from money.Day) ([]string, error) {
	j := judge{now: now}
	var c closing
	if _, err := j.load(periodKey(campaign), &c); err != nil || now.Agreed == nil {
		return nil, err
	}
	return j.missingForReopen(c, campaign, from.String())
}

func (j *judge) approveReopening(r *avro.ApprovalRecord, name string) error {
	if err := j.signatory("approval", r.Partner); err != nil {
		return err
	}
	if r.Revision != 0 || r.Hash != "" {
		return Refuse("approval: opening a period again has a day, no revision and no hash")
	}
	if _, err := dayFor("approval", r.Day); err != nil {
		return err
	}
	var c closing
	if _, err := j.load(periodKey(r.Campaign), &c); err != nil {
		return err
	}
	said, err := j.reopening(c, r.Campaign, r.Day)
	switch {
	case err != nil:
		return err
	case said.Words[r.Partner].Said == name:
		j.out.Again = true
		return nil
	case c.Until == "":
		return Refuse("approval: nothing of %s is closed", r.Campaign)
	case r.Day > c.Until:
		return Refuse("approval: %s is open; all days until %s are closed", r.Day, c.Until)
	}
	said.Words[r.Partner] = Word{Decision: r.Decision, Said: name}
	return j.store(reopeningKey(r.Campaign, r.Day), said)
}
