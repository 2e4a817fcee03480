package governance

import (
	"fmt"
	"slices"
	"strings"

	"tracksource/contract"
	"tracksource/schemas/avro"
)

// What is approved.
const (
	OfRevision = "revision"
	OfReopen   = "reopen"
)

// The words to a revision, a reopening or a package.
const (
	Approved = "approved"
	Refused  = "refused"  // of a revision or a reopening
	Disputed = "disputed" // of a package
)

// Proposal is a proposed revision and what was said to it.
type Proposal struct {
	Revision  int64    `json:"revision"`
	Hash      string   `json:"hash"`
	Partners  []string `json:"partners"`  // who would be signatories
	Approvers []string `json:"approvers"` // whose approval it needs, sorted
	// Words are the last of each partner.
	Words map[string]Word `json:"words"`
}

// Word is what a partner said to a proposal.
type Word struct {
	Decision string `json:"decision"`
	Said     string `json:"said"`
}

// Missing returns which of the approvers have not said a word, or have refused.
func (p *Proposal) Missing() (silent, refused []string) {
	for _, partner := range p.Approvers {
		switch p.Words[partner].Decision {
		case Approved:
		case Refused:
			refused = append(refused, partner)
		default:
			silent = append(silent, partner)
		}
	}
	return silent, refused
}

func proposalKey(campaign string) Key { return Key{Of: "proposal", Campaign: campaign} }

// Proposed returns what is proposed for a campaign and what was said to it, false
// without a proposal.
func Proposed(get func(Key) ([]byte, error), campaign string) (Proposal, bool, error) {
	j := judge{now: Now{Get: get}}
	var p Proposal
	found, err := j.load(proposalKey(campaign), &p)
	return p, found, err
}

// Revise returns what follows from a record of a contract that was judged in all but
// its approvals. doc is its document, nil for the withdrawal of a proposal.
func Revise(now Now, r *avro.ContractRecord, doc *contract.Contract) (Outcome, error) {
	j := judge{now: now}
	p, found, err := Proposed(now.Get, r.Campaign)
	if err != nil {
		return Outcome{}, err
	}
	same := found && p.Hash == r.Hash
	switch {
	case doc == nil:
		j.drop(proposalKey(r.Campaign))
		return j.out, nil
	case r.Proposed:
		err := j.store(proposalKey(r.Campaign), propose(now.Agreed, r, doc))
		return j.out, err
	}
	if !same || p.Revision != r.Revision {
		p = propose(now.Agreed, r, doc)
	}
	if silent, refused := p.Missing(); len(silent)+len(refused) > 0 {
		return Outcome{}, Refuse("contract %s: %s", r.Campaign, lacking(&p, silent, refused))
	}
	if same {
		j.drop(proposalKey(r.Campaign))
	}
	return j.out, nil
}

// lacking says what keeps a revision from being in force.
func lacking(p *Proposal, silent, refused []string) string {
	text := fmt.Sprintf("revision %d needs the approval of %s", p.Revision, strings.Join(p.Approvers, ", "))
	if len(silent) > 0 {
		text += "; not yet approved by " + strings.Join(silent, ", ")
	}
	if len(refused) > 0 {
		text += "; refused by " + strings.Join(refused, ", ")
	}
	return text + "; propose this very document and let them approve it"
}

func propose(agreed *contract.Contract, r *avro.ContractRecord, doc *contract.Contract) Proposal {
	p := Proposal{Revision: r.Revision, Hash: r.Hash, Approvers: slices.Clone(doc.Approvals.Revision), Words: map[string]Word{}}
	if agreed != nil {
		p.Approvers = append(p.Approvers, agreed.Approvals.Revision...)
	}
	slices.Sort(p.Approvers)
	p.Approvers = slices.Compact(p.Approvers)
	for _, partner := range doc.Partners {
		p.Partners = append(p.Partners, partner.ID)
	}
	return p
}

func (j *judge) approval(r *avro.ApprovalRecord) error {
	if err := said("approval", r.By, r.Why, r.At); err != nil {
		return err
	}
	if r.Decision != Approved && r.Decision != Refused {
		return Refuse("approval: %q; write %s or %s", cut(r.Decision), Approved, Refused)
	}
	words := *r
	words.At = instant(r.At)
	name, err := content(words)
	if err != nil {
		return err
	}
	switch r.Of {
	case OfRevision:
		return j.approveRevision(r, name)
	case OfReopen:
		if err := j.agreed("approval", r.Campaign); err != nil {
			return err
		}
		return j.approveReopening(r, name)
	}
	return Refuse("approval: of %q; write %s or %s", cut(r.Of), OfRevision, OfReopen)
}

func (j *judge) approveRevision(r *avro.ApprovalRecord, name string) error {
	p, found, err := Proposed(j.now.Get, r.Campaign)
	if err != nil {
		return err
	}
	switch {
	case r.Day != "":
		return Refuse("approval: a revision has no day")
	case !found:
		return Refuse("approval: nothing is proposed for %q; the newest revision is %d", cut(r.Campaign), j.now.Revision)
	case r.Revision != p.Revision || r.Hash != p.Hash:
		return Refuse("approval: revision %d (%.12s) is stale: what is proposed is revision %d (%.12s)", r.Revision, r.Hash, p.Revision, p.Hash)
	case !slices.Contains(p.Partners, r.Partner) && (j.now.Agreed == nil || !j.now.Agreed.IsPartner(r.Partner)):
		return Refuse("approval: %q is a signatory neither of %s nor of what is proposed", cut(r.Partner), r.Campaign)
	case p.Words[r.Partner].Said == name:
		j.out.Again = true
		return nil
	}
	if p.Words == nil {
		p.Words = map[string]Word{}
	}
	p.Words[r.Partner] = Word{Decision: r.Decision, Said: name}
	return j.store(proposalKey(r.Campaign), p)
}
