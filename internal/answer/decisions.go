package answer

import (
	"context"
	"errors"
	"strconv"
	"time"

	"tracksource/contract"
	"tracksource/internal/control"
	"tracksource/internal/follow"
	"tracksource/internal/governance"
	"tracksource/money"
	"tracksource/report"
	"tracksource/schemas/avro"
)

// OpenDispute disputes what a deal that the viewer is told of is credited with.
func (a *Answers) OpenDispute(ctx context.Context, v report.Viewer, q Query, d DisputeOpening) (DecisionAnswer, error) {
	of, partner, err := a.speaking(v, &q, d.Said, false)
	if err != nil {
		return DecisionAnswer{}, err
	}
	if err := word("about", d.About, governance.AboutSourcing, governance.AboutCredit); err != nil {
		return DecisionAnswer{}, err
	}
	deal, err := (&chain{asked: of}).dealNamed(ctx, d.Deal)
	if unknown := (*Error)(nil); errors.As(err, &unknown) {
		unknown.Parameter = "deal"
	}
	if err != nil {
		return DecisionAnswer{}, err
	}
	name, err := control.ParseDeal(deal.Newest().Deal.String())
	if err != nil {
		return DecisionAnswer{}, err
	}
	at := of.now()
	id := d.ID
	if id != "" {
		// What it is a dispute of is not told: it may be one that the viewer does not see.
		if _, used, err := of.dispute(id); err != nil {
			return DecisionAnswer{}, err
		} else if used {
			return DecisionAnswer{}, &Error{Parameter: "id", Detail: "the id is of another dispute", Refused: Conflict}
		}
	} else {
		id = idOf(of.Campaign, partner, control.DealText(name), d.About, d.Against, at.Format(time.RFC3339Nano))
	}
	if err := of.openStill(deal, d.About); err != nil {
		return DecisionAnswer{}, err
	}
	return of.decide(ctx, &avro.Control{Kind: control.Dispute, Dispute: &avro.DisputeRecord{
		ID: id, Campaign: of.Campaign, Partner: partner, Deal: name, Action: governance.DisputeOpen, About: d.About, Against: d.Against, By: d.By, Why: d.Why, At: at,
	}}, id)
}

// WithdrawDispute takes the viewer's own dispute back.
func (a *Answers) WithdrawDispute(ctx context.Context, v report.Viewer, q Query, s Said) (DecisionAnswer, error) {
	of, partner, err := a.speaking(v, &q, s, false)
	if err != nil {
		return DecisionAnswer{}, err
	}
	return of.settle(ctx, &avro.DisputeRecord{ID: q.Dispute, Partner: partner, Action: governance.DisputeWithdraw, By: s.By, Why: s.Why}, partner)
}

// ResolveDispute settles a dispute: it was right, and to whom what was disputed goes, or
// it was not.
func (a *Answers) ResolveDispute(ctx context.Context, v report.Viewer, q Query, d DisputeOutcome) (DecisionAnswer, error) {
	if err := operator(v); err != nil {
		return DecisionAnswer{}, err
	}
	of, err := a.askAgreed(v, &q)
	if err != nil {
		return DecisionAnswer{}, err
	}
	if err := said(d.Said); err != nil {
		return DecisionAnswer{}, err
	}
	if err := word("outcome", d.Outcome, governance.DisputeUpheld, governance.DisputeRejected); err != nil {
		return DecisionAnswer{}, err
	}
	return of.settle(ctx, &avro.DisputeRecord{ID: q.Dispute, Action: governance.DisputeResolve, Outcome: d.Outcome, To: d.To, By: d.By, Why: d.Why}, "")
}

// settle ends a dispute, of one partner alone where it is named: what others dispute is
// not there for it.
func (q *asked) settle(ctx context.Context, r *avro.DisputeRecord, partner string) (DecisionAnswer, error) {
	d, found, err := q.dispute(r.ID)
	if err != nil {
		return DecisionAnswer{}, err
	}
	if !found || partner != "" && d.Partner != partner {
		return DecisionAnswer{}, &Error{Parameter: "dispute", Detail: "there is no such dispute to settle", Unknown: true}
	}
	r.Campaign, r.Partner, r.Deal, r.At = d.Campaign, d.Partner, d.Deal, q.now()
	return q.decide(ctx, &avro.Control{Kind: control.Dispute, Dispute: r}, r.ID)
}

// dispute returns a dispute of the campaign as it stands.
func (q *asked) dispute(id string) (d governance.Dispute, found bool, err error) {
	err = q.follow.Decided(func(b *control.Book) error {
		d, found = b.Disputes[control.DisputeID{Campaign: q.Campaign, ID: id}]
		return nil
	})
	return d, found, err
}

// openStill refuses the dispute of a deal that a dispute would not act on: one that is
// in no total, and one of which all that is disputed is in a closed period.
func (q *asked) openStill(d *follow.Deal, about string) error {
	f := d.Newest()
	if f.Excluded != "" {
		return &Error{Parameter: "deal", Detail: "the deal is in no total: " + f.Excluded, Refused: Conflict}
	}
	var closed money.Day
	var some bool
	if err := q.follow.Decided(func(b *control.Book) (err error) {
		closed, some, err = b.ClosedUntil(q.Campaign)
		return err
	}); err != nil || !some {
		return err
	}
	if report.Disputable(&d.Deal, q.campaign.Contract, about == governance.AboutSourcing, closed) {
		return nil
	}
	return &Error{Parameter: "deal", Detail: "what is disputed is closed until " + closed.String() + ": the period has to be opened again first", Refused: Conflict}
}

// Approve records what a partner says to a proposed revision, or to opening a closed
// period again. Who takes part in the proposal alone names its book.
func (a *Answers) Approve(ctx context.Context, v report.Viewer, q Query, d ApprovalWord) (DecisionAnswer, error) {
	of, err := a.ask(v, &q)
	if err != nil {
		return DecisionAnswer{}, err
	}
	partner, err := of.speaker(&q, d.Said, false)
	if err != nil {
		return DecisionAnswer{}, err
	}
	if err := word("of", d.Of, governance.OfRevision, governance.OfReopen); err != nil {
		return DecisionAnswer{}, err
	}
	if err := word("decision", d.Decision, governance.Approved, governance.Refused); err != nil {
		return DecisionAnswer{}, err
	}
	campaign, _ := contract.CampaignOfBook(of.Campaign)
	r := &avro.ApprovalRecord{
		Campaign: campaign, Partner: partner, Of: d.Of, Revision: d.Revision, Hash: d.Hash, Day: d.Day, Decision: d.Decision, By: d.By, Why: d.Why, At: of.now(),
	}
	return of.decide(ctx, &avro.Control{Kind: control.Approval, Approval: r}, idOf(control.Approval, campaign, partner, d.Of, strconv.FormatInt(d.Revision, 10), d.Day))
}

// ClosePeriod closes all days up to one, or opens those from one on again.
func (a *Answers) ClosePeriod(ctx context.Context, v report.Viewer, q Query, d PeriodOrder) (DecisionAnswer, error) {
	if err := operator(v); err != nil {
		return DecisionAnswer{}, err
	}
	of, err := a.askAgreed(v, &q)
	if err != nil {
		return DecisionAnswer{}, err
	}
	if err := said(d.Said); err != nil {
		return DecisionAnswer{}, err
	}
	if err := word("action", d.Action, governance.PeriodClose, governance.PeriodReopen); err != nil {
		return DecisionAnswer{}, err
	}
	if err := aDay(d.Day); err != nil {
		return DecisionAnswer{}, err
	}
	r := &avro.PeriodRecord{Campaign: of.Campaign, Action: d.Action, Day: d.Day, By: d.By, Why: d.Why, At: of.now()}
	return of.decide(ctx, &avro.Control{Kind: control.Period, Period: r}, idOf(control.Period, r.Campaign, r.Action, r.Day))
}

func aDay(text string) error {
	if _, err := money.ParseDay(text); err != nil {
		return unusable("day", "write a day as YYYY-MM-DD", nil)
	}
	return nil
}

// Sign records what a partner says to a reporting package.
func (a *Answers) Sign(ctx context.Context, v report.Viewer, q Query, d PackageWord) (DecisionAnswer, error) {
	of, partner, err := a.speaking(v, &q, d.Said, false)
	if err != nil {
		return DecisionAnswer{}, err
	}
	if err := word("decision", d.Decision, governance.Approved, governance.Disputed); err != nil {
		return DecisionAnswer{}, err
	}
	r := &avro.SignatureRecord{Campaign: of.Campaign, Partner: partner, Hash: d.Hash, Title: d.Title, Decision: d.Decision, By: d.By, Why: d.Why, At: of.now()}
	return of.decide(ctx, &avro.Control{Kind: control.Signature, Signature: r}, idOf(control.Signature, r.Campaign, partner, r.Hash))
}

// Acknowledge records that somebody has taken an alert on that the viewer sees.
func (a *Answers) Acknowledge(ctx context.Context, v report.Viewer, q Query, d AlertTaken) (DecisionAnswer, error) {
	of, partner, err := a.speaking(v, &q, d.Said, true)
	if err != nil {
		return DecisionAnswer{}, err
	}
	var found *avro.Alert
	err = a.follow.Alerts(nil, func(alert *avro.Alert, _ follow.AlertPlace) (bool, error) {
		if alert.ID == d.Alert && of.seesAlert(alert) {
			found = alert
		}
		return found == nil, ctx.Err()
	})
	if err != nil {
		return DecisionAnswer{}, err
	}
	if found == nil {
		return DecisionAnswer{}, &Error{Parameter: "alert", Detail: "there is no such alert here", Unknown: true}
	}
	r := &avro.AcknowledgementRecord{Campaign: found.Campaign, Partner: partner, Alert: found.ID, By: d.By, Why: d.Why, At: of.now()}
	return of.decide(ctx, &avro.Control{Kind: control.Acknowledgement, Acknowledgement: r}, idOf(control.Acknowledgement, r.Campaign, partner, r.Alert))
}

// RecordSurvey records how content a partner is with the campaign's numbers.
func (a *Answers) RecordSurvey(ctx context.Context, v report.Viewer, q Query, d SurveyScore) (DecisionAnswer, error) {
	of, partner, err := a.speaking(v, &q, d.Said, false)
	if err != nil {
		return DecisionAnswer{}, err
	}
	if d.Day == "" {
		d.Day = of.today.String()
	}
	if err := aDay(d.Day); err != nil {
		return DecisionAnswer{}, err
	}
	r := &avro.SurveyRecord{Campaign: of.Campaign, Partner: partner, Day: d.Day, Score: d.Score, By: d.By, Why: d.Why, At: of.now()}
	return of.decide(ctx, &avro.Control{Kind: control.Survey, Survey: r}, idOf(control.Survey, r.Campaign, partner, r.Day))
}
