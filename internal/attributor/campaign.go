package attributor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// campaign is one book: of what a campaign agreed, or of what is proposed for it.
type campaign struct {
	id       string // of the book
	proposed bool
	// version tells the rules of the book from others that it had: the revision of
	// what is agreed, the number of the broadcast of what is proposed.
	version int64
	// revision is the newest revision of the rules; it outlives them.
	revision int64
	// rules are empty for a book that is being taken back.
	rules     attribution.Rules
	documents map[int64]string // of the rules, by revision
}

// at returns the revision that accounts for a conversion day.
func (c *campaign) at(day money.Day) int64 {
	if len(c.rules) == 0 {
		return c.revision
	}
	return c.rules.At(day).Number
}

// compute is a book over one journey; one that is being taken back is empty.
func (r *rules) compute(c *campaign, j attribution.Journey) attribution.Result {
	if len(c.rules) == 0 {
		return attribution.Result{Contract: c.id, Revision: c.revision}
	}
	result := attribution.Book(r.judged(c), &r.rates, j)
	result.Contract = c.id
	for i := range result.Facts {
		result.Facts[i].Contract = c.id
	}
	return result
}

// add puts a revision behind those that the book has.
func (c *campaign) add(number int64, document string) error {
	parsed, err := contract.Parse([]byte(document))
	if err != nil {
		return fmt.Errorf("contract %s revision %d: %w", c.id, number, err)
	}
	if name, _ := contract.CampaignOfBook(c.id); parsed.Campaign != name || number <= c.revision {
		return fmt.Errorf("revision %d of contract %s, behind %d, has a document of %s", number, c.id, c.revision, parsed.Campaign)
	}
	rules := c.rules.Add(attribution.Revision{Number: number, Contract: parsed})
	for _, r := range rules {
		if !slices.Equal(r.Contract.Models, parsed.Models) || r.Contract.Currency != parsed.Currency {
			return fmt.Errorf("revision %d of contract %s leaves days to revision %d, which has other models or another currency", number, c.id, r.Number)
		}
	}
	documents := map[int64]string{}
	for _, r := range rules {
		documents[r.Number] = c.documents[r.Number]
	}
	documents[number] = document
	c.rules, c.documents, c.revision = rules, documents, number
	return nil
}

// readRevision takes in a row of state: one of those of a book, in the order of
// their numbers.
func (r *rules) readRevision(book string, number int64, body []byte) error {
	v := reader{rest: body}
	version := v.varint()
	if v.err != nil {
		return v.err
	}
	i, found := r.find(book)
	if !found {
		_, proposed := contract.CampaignOfBook(book)
		r.campaigns = slices.Insert(r.campaigns, i, &campaign{id: book, proposed: proposed})
	}
	c := r.campaigns[i]
	c.version = version
	if len(v.rest) == 0 {
		c.revision = number
		return nil
	}
	return c.add(number, string(v.rest))
}

// applyContract puts a revision in force unless a newer one is, or begins, changes
// or ends a proposal.
func (f *fold) applyContract(ctx context.Context, number int64, r *avro.ContractRecord, at time.Time) error {
	if r.Proposed {
		return f.applyProposal(ctx, number, r, at)
	}
	next := &campaign{id: r.Campaign, version: r.Revision}
	if i, found := f.rules.find(r.Campaign); found {
		have := f.rules.campaigns[i]
		if r.Revision <= have.revision {
			return nil
		}
		next.rules, next.documents, next.revision = have.rules, have.documents, have.revision
	}
	if err := next.add(r.Revision, r.Document); err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	if err := f.replace(next); err != nil {
		return err
	}
	f.cfg.Log.InfoContext(ctx, "contract in force", "campaign", r.Campaign, "revision", r.Revision, "partition", f.source)
	// What is agreed as it was proposed is a proposal no longer.
	if i, found := f.rules.find(contract.ProposalBook(r.Campaign)); found {
		if p := f.rules.campaigns[i]; p.documents[p.revision] == r.Document {
			if err := f.withdraw(ctx, p, number); err != nil {
				return err
			}
		}
	}
	return f.restate(ctx, "", at)
}

// applyProposal keeps a book of the agreed revisions with the proposed one behind
// them, as they are now: what is agreed later does not change it.
func (f *fold) applyProposal(ctx context.Context, number int64, r *avro.ContractRecord, at time.Time) error {
	book := contract.ProposalBook(r.Campaign)
	if r.Document == "" {
		i, found := f.rules.find(book)
		if !found {
			return nil
		}
		if err := f.withdraw(ctx, f.rules.campaigns[i], number); err != nil {
			return err
		}
		return f.restate(ctx, "", at)
	}
	next := &campaign{id: book, proposed: true, version: number}
	if i, found := f.rules.find(r.Campaign); found {
		agreed := f.rules.campaigns[i]
		next.rules, next.documents, next.revision = agreed.rules, agreed.documents, agreed.revision
	}
	if err := next.add(r.Revision, r.Document); err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	if err := f.replace(next); err != nil {
		return err
	}
	f.cfg.Log.InfoContext(ctx, "contract proposed", "campaign", r.Campaign, "revision", r.Revision, "partition", f.source)
	return f.restate(ctx, "", at)
}

// withdraw has a proposal's book taken back. Its row goes with the end of the
// sweep that does so.
func (f *fold) withdraw(ctx context.Context, c *campaign, number int64) error {
	f.cfg.Log.InfoContext(ctx, "proposal withdrawn", "book", c.id, "revision", c.revision, "partition", f.source)
	return f.replace(&campaign{id: c.id, proposed: true, version: number, revision: c.revision})
}

// replace keeps a book in place of the one of its name.
func (f *fold) replace(next *campaign) error {
	i, found := f.rules.find(next.id)
	if found {
		if err := f.forget(f.rules.campaigns[i]); err != nil {
			return err
		}
		f.rules.campaigns[i] = next
	} else {
		f.rules.campaigns = slices.Insert(f.rules.campaigns, i, next)
	}
	for _, number := range next.numbers() {
		value := append(encodeNumber(next.version), next.documents[number]...)
		if err := f.kv.Put(revisionKey(next.id, number), value); err != nil {
			return err
		}
	}
	return nil
}

// forget deletes the rows of a book.
func (f *fold) forget(c *campaign) error {
	for _, number := range c.numbers() {
		if err := f.kv.Delete(revisionKey(c.id, number)); err != nil {
			return err
		}
	}
	return nil
}

// numbers are the revisions of which there are rows.
func (c *campaign) numbers() []int64 {
	if len(c.rules) == 0 {
		return []int64{c.revision}
	}
	numbers := make([]int64, len(c.rules))
	for i, r := range c.rules {
		numbers[i] = r.Number
	}
	return numbers
}

// bury forgets the books that a sweep has taken back from everybody.
func (f *fold) bury() error {
	for _, c := range f.rules.campaigns {
		if len(c.rules) == 0 {
			if err := f.forget(c); err != nil {
				return err
			}
		}
	}
	f.rules.campaigns = slices.DeleteFunc(f.rules.campaigns, func(c *campaign) bool { return len(c.rules) == 0 })
	return nil
}
