package governance

import (
	"fmt"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/schemas/avro"
)

// What is done to a dispute.
const (
	DisputeOpen     = "open"
	DisputeWithdraw = "withdraw"
	DisputeResolve  = "resolve"
)

// What a dispute is about.
const (
	AboutSourcing = "sourcing" // who sourced the deal
	AboutCredit   = "credit"   // what one partner is credited with
)

// What becomes of a dispute. DisputeOpen is its first state.
const (
	DisputeWithdrawn = "withdrawn"
	DisputeUpheld    = "upheld"
	DisputeRejected  = "rejected"
)

// AlertDispute is the kind of the alert about a dispute.
const AlertDispute = "dispute"

// The states of alerts.
const (
	AlertOpen    = "open"
	AlertSettled = "settled"
)

// The severities of alerts.
const (
	severityWarning  = "warning"
	severityError    = "error"
	severityCritical = "critical"
)

// Dispute is a dispute as it stands. Its times have microseconds.
type Dispute struct {
	ID       string        `json:"id"`
	Campaign string        `json:"campaign"`
	Partner  string        `json:"partner"` // that disputes
	Deal     avro.DealName `json:"deal"`
	About    string        `json:"about"`
	Against  string        `json:"against"` // whose credit it is; empty for sourcing

	Origin    string    `json:"origin"` // where it was opened in a feed; empty for another way
	OpenedAt  time.Time `json:"opened_at"`
	OpenedBy  string    `json:"opened_by"`
	OpenedWhy string    `json:"opened_why"`

	State      string    `json:"state"` // open, withdrawn, upheld or rejected
	To         string    `json:"to"`    // who gets what was disputed, where it is upheld
	SettledAt  time.Time `json:"settled_at"`
	SettledBy  string    `json:"settled_by"`
	SettledWhy string    `json:"settled_why"`

	// Said are the contents of the steps taken in, at most two.
	Said []string `json:"said"`
}

// IsOpen reports whether nothing has settled the dispute.
func (d *Dispute) IsOpen() bool { return d.State == DisputeOpen }

// DealText names the deal, reporter/source/id.
func (d *Dispute) DealText() string { return DealText(d.Deal) }

// DealText is a deal as people and alerts name it, reporter/source/id.
func DealText(d avro.DealName) string { return d.Reporter + "/" + d.Source + "/" + d.ID }

func disputeKey(campaign, id string) Key { return Key{Of: "dispute", Campaign: campaign, Name: id} }

// disputedKey has the id of the open dispute of a partner about a deal.
func disputedKey(d *Dispute) Key {
	return Key{Of: "disputed", Campaign: d.Campaign, Name: DealText(d.Deal), Sub: d.Partner}
}

func (j *judge) dispute(r *avro.DisputeRecord) error {
	if err := j.agreed("dispute", r.Campaign); err != nil {
		return err
	}
	if r.ID == "" || len(r.ID) > NameMax {
		return Refuse("dispute: an id has between 1 and %d bytes", NameMax)
	}
	if err := said("dispute "+cut(r.ID), r.By, r.Why, r.At); err != nil {
		return err
	}
	words := *r
	if words.At = instant(r.At); r.Origin != "" { // a feed that is sent again has other places and arrives later
		words.Origin, words.At = "", time.Time{}
	}
	name, err := content(words)
	if err != nil {
		return err
	}
	d := &Dispute{}
	known, err := j.load(disputeKey(r.Campaign, r.ID), d)
	if err != nil {
		return err
	}
	for _, said := range d.Said {
		if said == name {
			j.out.Again = true
			return nil
		}
	}
	switch {
	case r.Action == DisputeOpen && known:
		return Refuse("dispute %s: the id is used", cut(r.ID)) // by whom and about what is not the sender's to know
	case r.Action == DisputeOpen:
		d, err = j.openDispute(r)
	case r.Action != DisputeWithdraw && r.Action != DisputeResolve:
		return Refuse("dispute %s: %q; write %s, %s or %s", cut(r.ID), cut(r.Action), DisputeOpen, DisputeWithdraw, DisputeResolve)
	case !known:
		return Refuse("dispute %s: there is none of that id in %s", cut(r.ID), r.Campaign)
	default:
		err = j.settleDispute(d, r)
	}
	if err != nil {
		return err
	}
	d.Said = append(d.Said, name)
	j.out.Dispute = d
	j.out.Alerts = append(j.out.Alerts, j.disputeAlert(d))
	return j.store(disputeKey(d.Campaign, d.ID), d)
}

func (j *judge) openDispute(r *avro.DisputeRecord) (*Dispute, error) {
	what := "dispute " + cut(r.ID)
	if err := j.signatory(what, r.Partner); err != nil {
		return nil, err
	}
	switch {
	case r.Deal.Reporter == "" || r.Deal.Source == "" || r.Deal.ID == "":
		return nil, Refuse("%s: it names no deal", what)
	case r.Outcome != "" || r.To != "":
		return nil, Refuse("%s: an outcome is of the step that settles it", what)
	case r.About == AboutSourcing && r.Against != "":
		return nil, Refuse("%s: who sourced a deal is disputed against nobody: it is %q", what, cut(r.Against))
	case r.About == AboutCredit && r.Against == r.Partner:
		return nil, Refuse("%s: nobody disputes its own credit", what)
	case r.About == AboutCredit && !j.now.Agreed.IsPartner(r.Against) && r.Against != contract.None && r.Against != contract.Held:
		return nil, Refuse("%s: it is against %q; write a signatory of %s, %s or %s", what, cut(r.Against), r.Campaign, contract.None, contract.Held)
	case r.About != AboutSourcing && r.About != AboutCredit:
		return nil, Refuse("%s: it is about %q; write %s or %s", what, cut(r.About), AboutSourcing, AboutCredit)
	}
	d := &Dispute{
		ID: r.ID, Campaign: r.Campaign, Partner: r.Partner, Deal: r.Deal, About: r.About, Against: r.Against, Origin: r.Origin,
		OpenedAt: instant(r.At), OpenedBy: r.By, OpenedWhy: r.Why, State: DisputeOpen,
	}
	var other string
	if open, err := j.load(disputedKey(d), &other); err != nil {
		return nil, err
	} else if open {
		return nil, Refuse("%s: dispute %s of %s by %s is open: withdraw it first, or wait until it is resolved", what, cut(other), d.DealText(), d.Partner)
	}
	return d, j.store(disputedKey(d), d.ID)
}

func (j *judge) settleDispute(d *Dispute, r *avro.DisputeRecord) error {
	what := "dispute " + cut(r.ID)
	switch {
	case r.Action == DisputeWithdraw && r.Partner != d.Partner:
		return Refuse("%s: only who opened it can withdraw it", what)
	case !d.IsOpen():
		return Refuse("%s: it is %s since %s", what, d.State, d.SettledAt.Format(time.RFC3339))
	case r.Deal != (avro.DealName{}) && r.Deal != d.Deal:
		return Refuse("%s: it is about %s and not %s", what, d.DealText(), cut(DealText(r.Deal)))
	case r.About != "" || r.Against != "":
		return Refuse("%s: what it is about was said when it was opened", what)
	case instant(r.At).Before(d.OpenedAt):
		return Refuse("%s: it was opened on %s and cannot be settled before", what, d.OpenedAt.Format(time.RFC3339))
	case r.Action == DisputeWithdraw && (r.Outcome != "" || r.To != ""):
		return Refuse("%s: an outcome is of a resolution", what)
	case r.Action == DisputeResolve && r.Partner != "" && r.Partner != d.Partner:
		return Refuse("%s: it is of %s and not %q", what, d.Partner, cut(r.Partner))
	}
	if d.State = DisputeWithdrawn; r.Action == DisputeResolve {
		if err := j.outcome(d, r); err != nil {
			return err
		}
	}
	d.To, d.SettledAt, d.SettledBy, d.SettledWhy = r.To, instant(r.At), r.By, r.Why
	j.drop(disputedKey(d))
	return nil
}

// outcome checks what a resolution says and makes it the state of the dispute.
func (j *judge) outcome(d *Dispute, r *avro.DisputeRecord) error {
	what := "dispute " + cut(r.ID)
	switch d.State = r.Outcome; {
	case r.Outcome == DisputeRejected && r.To == "":
		return nil
	case r.Outcome == DisputeRejected:
		return Refuse("%s: what is rejected stays where it was and goes to nobody", what)
	case r.Outcome != DisputeUpheld:
		return Refuse("%s: the outcome is %q; write %s or %s", what, cut(r.Outcome), DisputeUpheld, DisputeRejected)
	case r.To == d.Against && d.About == AboutCredit:
		return Refuse("%s: the credit is of %s already", what, r.To)
	case j.now.Agreed.IsPartner(r.To):
		return nil
	case d.About == AboutSourcing && (r.To == contract.MarketingSourced || r.To == contract.Unsourced):
		return nil
	case d.About == AboutSourcing:
		return Refuse("%s: the deal goes to %q; write a signatory of %s, %s or %s", what, cut(r.To), d.Campaign, contract.MarketingSourced, contract.Unsourced)
	}
	return Refuse("%s: the credit goes to %q; write a signatory of %s", what, cut(r.To), d.Campaign)
}

// disputeAlert is what the governance board is told.
func (j *judge) disputeAlert(d *Dispute) avro.Alert {
	board := j.now.Agreed.Escalation.Board
	subject := "who sourced it"
	if d.About == AboutCredit {
		subject = "the credit of " + d.Against
	}
	a := avro.Alert{
		ID: "dispute/" + d.Campaign + "/" + d.ID, Kind: AlertDispute, Severity: severityCritical, Rung: board.Name, Campaign: d.Campaign, Subject: d.DealText(),
		Message:  fmt.Sprintf("%s disputes %s: %s; until it is settled the credit is in escrow", d.Partner, subject, strings.TrimRight(d.OpenedWhy, ".")),
		Evidence: []string{d.ID}, RaisedAt: d.OpenedAt,
		Owner: board.Owner, Fallback: board.Fallback, Since: j.now.Agreed.Day(d.OpenedAt).String(), State: AlertOpen,
	}
	if d.Origin != "" {
		a.Evidence = append(a.Evidence, d.Origin)
	}
	if d.IsOpen() {
		return a
	}
	a.State, a.RaisedAt = AlertSettled, d.SettledAt
	a.Message = fmt.Sprintf("the dispute of %s about %s is %s: %s", d.Partner, subject, d.State, d.SettledWhy)
	if d.To != "" {
		a.Message = fmt.Sprintf("the dispute of %s about %s is %s, it goes to %s: %s", d.Partner, subject, d.State, d.To, d.SettledWhy)
	}
	return a
}
