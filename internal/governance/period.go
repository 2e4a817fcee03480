package governance

import (
	"maps"
	"slices"
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
	Until string    `json:"until"` // the last closed day; empty for none
	At    time.Time `json:"at"`    // of the last record
	Said  string    `json:"said"`  // content of the last record
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
		c.Until = day.Add(-1).String()
	default:
		return Refuse("period: %q; write %s or %s", cut(r.Action), PeriodClose, PeriodReopen)
	}
	c.At, c.Said = words.At, name
	j.drop(reopeningKey(r.Campaign)) // what was approved, was of the days as they were
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
	words := map[string]reopening{}
	if _, err := j.load(reopeningKey(r.Campaign), &words); err != nil {
		return err
	}
	var missing []string
	for _, partner := range j.now.Agreed.Approvals.Reopen {
		if w := words[partner]; w.Day != r.Day || w.Decision != Approved {
			missing = append(missing, partner)
		}
	}
	if len(missing) > 0 {
		return Refuse("period: opening %s again needs the approval of %s", r.Day, strings.Join(missing, ", "))
	}
	return nil
}

// reopening is a partner's last word to opening a period again, since the last
// record about periods.
type reopening struct {
	Day      string `json:"day"`
	Decision string `json:"decision"`
	Said     string `json:"said"`
}

func reopeningKey(campaign string) Key { return Key{Of: "reopening", Campaign: campaign} }

// MissingForReopen returns which partners have yet to approve that the days of a
// campaign are open again from one on.
func MissingForReopen(now Now, campaign string, from money.Day) ([]string, error) {
	j := judge{now: now}
	words := map[string]reopening{}
	if _, err := j.load(reopeningKey(campaign), &words); err != nil || now.Agreed == nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(now.Agreed.Approvals.Reopen), func(partner string) bool {
		w := words[partner]
		return w.Day == from.String() && w.Decision == Approved
	}), nil
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
	words := map[string]reopening{}
	if _, err := j.load(reopeningKey(r.Campaign), &words); err != nil {
		return err
	}
	switch {
	case words[r.Partner].Said == name:
		j.out.Again = true
		return nil
	case c.Until == "":
		return Refuse("approval: nothing of %s is closed", r.Campaign)
	case r.Day > c.Until:
		return Refuse("approval: %s is open; all days until %s are closed", r.Day, c.Until)
	}
	words = maps.Clone(words)
	words[r.Partner] = reopening{Day: r.Day, Decision: r.Decision, Said: name}
	return j.store(reopeningKey(r.Campaign), words)
}
