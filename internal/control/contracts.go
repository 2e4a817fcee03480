package control

import (
	"slices"
	"time"

	"tracksource/contract"
	"tracksource/internal/governance"
	"tracksource/schemas/avro"
)

// judgeContract judges a revision, a proposal or the withdrawal of one; what follows
// from it is of its approvals.
func judgeContract(r *avro.ContractRecord, now Standing, past Past) (governance.Outcome, error) {
	if err := governance.Reasoned("contract "+cut(r.Campaign), r.By, r.Why); err != nil {
		return governance.Outcome{}, err
	}
	doc, err := checkContract(r, now)
	if err != nil {
		return governance.Outcome{}, err
	}
	return governance.Revise(governance.Now{Agreed: now.Agreed, Revision: now.Revision, Get: past.Value}, r, doc)
}

// checkContract returns the document of the record, nil for a withdrawal.
func checkContract(r *avro.ContractRecord, now Standing) (*contract.Contract, error) {
	what := "revision"
	if r.Proposed {
		what = "proposal of revision"
		if r.Document == "" {
			return nil, judgeWithdrawal(r, now)
		}
	}
	if r.Revision != now.Revision+1 || r.Previous != now.Revision {
		return nil, refuse("contract %s: %s %d on top of %d is stale, the newest is %d", r.Campaign, what, r.Revision, r.Previous, now.Revision)
	}
	if Hash([]byte(r.Document)) != r.Hash {
		return nil, refuse("contract %s: the document does not have the hash it came with", r.Campaign)
	}
	doc, err := contract.Parse([]byte(r.Document))
	if err != nil {
		return nil, refuse("contract %s: %w", r.Campaign, err)
	}
	if doc.Campaign != r.Campaign {
		return nil, refuse("contract %s: the document is of campaign %s", r.Campaign, doc.Campaign)
	}
	return doc, judgeRestateFrom(doc, now)
}

// judgeWithdrawal refuses to withdraw another proposal than the one that its
// author has seen.
func judgeWithdrawal(r *avro.ContractRecord, now Standing) error {
	switch now.Proposal {
	case r.Hash:
		return nil
	case "":
		return refuse("contract %s: there is no proposal to withdraw", r.Campaign)
	}
	return refuse("contract %s: proposal %.12s is not there to be withdrawn, another one is: %.12s", r.Campaign, r.Hash, now.Proposal)
}

// judgeRestateFrom refuses a revision for a part of the days that differs from the
// one of the other days in what totals are made of: a total over both would be half
// of one thing and half of another.
func judgeRestateFrom(doc *contract.Contract, now Standing) error {
	was := now.Agreed
	if !doc.HasRestateFrom || was == nil {
		return nil
	}
	const why = "contract %s: restate_from %s leaves the days before it to revision %d, so that %s must stay %v: it is %v; leave restate_from out or %[4]s as it was"
	switch {
	case was.Zone.String() != doc.Zone.String():
		return refuse(why, doc.Campaign, doc.RestateFrom, now.Revision, "zone", was.Zone, doc.Zone)
	case was.Currency != doc.Currency:
		return refuse(why, doc.Campaign, doc.RestateFrom, now.Revision, "currency", was.Currency, doc.Currency)
	case !slices.Equal(was.Models, doc.Models):
		return refuse(why, doc.Campaign, doc.RestateFrom, now.Revision, "models", was.Models, doc.Models)
	}
	return nil
}

// Revise makes the record of a contract's next revision. Who puts it forward, and why, is
// the caller's to set, as in all records of revisions.
func Revise(document []byte, last int64, now time.Time) (avro.Control, error) {
	doc, err := contract.Parse(document)
	if err != nil {
		return avro.Control{}, err
	}
	return avro.Control{Kind: Contract, Contract: &avro.ContractRecord{
		Campaign: doc.Campaign, Revision: last + 1, Previous: last, Document: string(document), Hash: Hash(document), RecordedAt: now,
	}}, nil
}

// Propose makes the record of what a contract's next revision might be. It
// replaces an older proposal of the campaign.
func Propose(document []byte, last int64, now time.Time) (avro.Control, error) {
	c, err := Revise(document, last, now)
	if err == nil {
		c.Contract.Proposed = true
	}
	return c, err
}

// Withdraw makes the record that ends a proposal. Why it was put forward is not why it
// is withdrawn.
func Withdraw(proposal avro.ContractRecord, now time.Time) avro.Control {
	proposal.Document, proposal.RecordedAt, proposal.By, proposal.Why = "", now, "", ""
	return avro.Control{Kind: Contract, Contract: &proposal}
}

// After is what is in force of a contract once the record, which was judged, is
// taken in, with a new document not read yet. A revision that was proposed is a
// proposal no longer.
func (s Standing) After(r *avro.ContractRecord) Standing {
	switch {
	case r.Proposed && r.Document == "":
		s.Proposal = ""
	case r.Proposed:
		s.Proposal = r.Hash
	default:
		s.Revision, s.Document, s.Agreed = r.Revision, r.Document, nil
		if s.Proposal == r.Hash {
			s.Proposal = ""
		}
	}
	return s
}
