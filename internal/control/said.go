package control

import (
	"fmt"
	"time"

	"tracksource/contract"
	"tracksource/identity"
	"tracksource/internal/governance"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// DisputeID names a dispute: ids are a campaign's.
type DisputeID struct{ Campaign, ID string }

// isSaid reports whether a record is one that signatories decide.
func isSaid(c *avro.Control) bool {
	switch c.Kind {
	case Dispute:
		return c.Dispute != nil
	case Period:
		return c.Period != nil
	case Approval:
		return c.Approval != nil
	case Signature:
		return c.Signature != nil
	case Acknowledgement:
		return c.Acknowledgement != nil
	case Survey:
		return c.Survey != nil
	case Evaluation:
		return c.Evaluation != nil
	}
	return false
}

func judgeSaid(c *avro.Control, past Past) (governance.Outcome, error) {
	campaign, _ := governance.Concerns(c)
	now, err := past.Standing(OfContract(campaign))
	if err != nil {
		return governance.Outcome{}, err
	}
	if c.Dispute != nil && c.Dispute.Deal != (avro.DealName{}) {
		if _, err := DealNode(c.Dispute.Deal); err != nil {
			return governance.Outcome{}, refuse("dispute: %w", err)
		}
	}
	return governance.Judge(governance.Now{Agreed: now.Agreed, Revision: now.Revision, Get: past.Value}, c)
}

// note keeps what was taken in.
func (b *Book) note(c *avro.Control, outcome governance.Outcome) {
	campaign, _ := governance.Concerns(c)
	switch c.Kind {
	case Dispute:
		b.Disputes[DisputeID{campaign, outcome.Dispute.ID}] = *outcome.Dispute
	case Period:
		b.Periods[campaign] = append(b.Periods[campaign], *c.Period)
	case Approval:
		b.Approvals[campaign] = append(b.Approvals[campaign], *c.Approval)
	case Signature:
		b.Signatures[campaign] = append(b.Signatures[campaign], *c.Signature)
	case Acknowledgement:
		b.Acknowledgements[campaign] = append(b.Acknowledgements[campaign], *c.Acknowledgement)
	case Survey:
		b.Surveys[campaign] = append(b.Surveys[campaign], *c.Survey)
	case Evaluation:
		b.Evaluations[campaign] = append(b.Evaluations[campaign], *c.Evaluation)
	}
}

// ClosedUntil returns the last closed day of a campaign, false if none is.
func (b *Book) ClosedUntil(campaign string) (money.Day, bool, error) {
	return governance.ClosedUntil(past{b}.Value, campaign)
}

// Proposed returns what is proposed for a campaign, whose approval it needs and what
// they said, false without a proposal.
func (b *Book) Proposed(campaign string) (governance.Proposal, bool, error) {
	return governance.Proposed(past{b}.Value, campaign)
}

// MissingForReopen returns which partners have yet to approve that the days of a
// campaign are open again from one on.
func (b *Book) MissingForReopen(campaign string, from money.Day) ([]string, error) {
	now, err := past{b}.Standing(OfContract(campaign))
	if err != nil {
		return nil, err
	}
	return governance.MissingForReopen(governance.Now{Agreed: now.Agreed, Get: past{b}.Value}, campaign, from)
}

// Agreed keeps the newest contract of each campaign as it is read: records are judged
// by it far more often than it changes.
type Agreed map[string]agreed

type agreed struct {
	document string
	contract *contract.Contract
}

// Of returns the document of a campaign's contract as it is read, nil for an empty
// one.
func (a Agreed) Of(campaign, document string) (*contract.Contract, error) {
	if document == "" {
		return nil, nil
	}
	if known := a[campaign]; known.document == document {
		return known.contract, nil
	}
	doc, err := contract.Parse([]byte(document))
	if err != nil {
		return nil, fmt.Errorf("contract of %s: %w", campaign, err) // judged when it came
	}
	a[campaign] = agreed{document, doc}
	return doc, nil
}

// DisputeObject is a step of a dispute as an update of an object of the deal, and the
// node that it belongs to. Number is its place among all steps.
func DisputeObject(d *governance.Dispute, number int64) (identity.Node, *avro.ObjectFacts, error) {
	node, err := DealNode(d.Deal)
	if err != nil {
		return node, nil, err
	}
	o := &avro.ObjectFacts{Type: contract.ObjectDispute, ID: d.Campaign + "/" + d.ID, Order: number, ModifiedAt: d.OpenedAt}
	fields := [][2]string{
		{"about", d.About},
		{"against", d.Against},
		{"campaign", d.Campaign},
		{"deal", itemText(d.Deal)},
		{"opened_at", d.OpenedAt.Format(time.RFC3339Nano)},
		{"opened_by", d.OpenedBy},
		{"opened_why", d.OpenedWhy},
		{"partner", d.Partner},
	}
	if !d.IsOpen() {
		o.ModifiedAt = d.SettledAt
		fields = [][2]string{
			{"settled_at", d.SettledAt.Format(time.RFC3339Nano)},
			{"settled_by", d.SettledBy},
			{"settled_why", d.SettledWhy},
			{"state", d.State},
			{"to", d.To},
		}
	}
	for _, f := range fields {
		o.Fields = append(o.Fields, avro.Field{Name: f[0], Value: &f[1]})
	}
	return node, o, nil
}
