package follow

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"

	"tracksource/contract"
	"tracksource/internal/control"
	"tracksource/money"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

func (f *Follow) projectDecision(r *stream.Record, put func(key, value []byte)) error {
	if r.Value == nil {
		return nil // nothing is taken back so: the service passes over it as well
	}
	put(spaceDecision.Key().Uint64(uint64(r.Offset)), spaceDecision.Value(r.Value))
	return nil
}

// decisions are what the control topic says, judged as the service judges it.
type decisions struct {
	mu     sync.Mutex
	stale  bool          // guarded by mu; the store has more than was taken in
	next   uint64        // guarded by mu; offset
	book   *control.Book // guarded by mu; nil before the first question
	parsed map[string]*contract.Contract
	list   []*Campaign  // guarded by mu; never changed, replaced
	heard  verdicts     // guarded by mu
	rates  *money.Rates // guarded by mu; nil until they are asked for, and when another was decided; never changed
}

func (d *decisions) empty() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.book, d.list, d.next, d.rates, d.heard = nil, nil, 0, nil, verdicts{}
}

func (f *Follow) decisionsChanged([]stream.Record) error {
	f.decisions.mu.Lock()
	defer f.decisions.mu.Unlock()
	f.decisions.stale = true
	return nil
}

// Decided calls fn with what control says as far as it is read. The book is fn's to
// read until it returns, and nobody's to change. Its mappings are without their documents.
func (f *Follow) Decided(fn func(b *control.Book) error) error {
	d := &f.decisions
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := f.catchUp(); err != nil {
		return err
	}
	return fn(d.book)
}

// Verdict is what became of a record that somebody wrote to control: known is false
// until it was read, refused nil for one that was taken in. The newest verdicts alone
// are kept.
func (f *Follow) Verdict(c *avro.Control) (refused error, known bool, err error) {
	b, err := f.cfg.Codecs.Control.Append(nil, c)
	if err != nil {
		return nil, false, fmt.Errorf("encode %s: %w", c.Kind, err)
	}
	d := &f.decisions
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := f.catchUp(); err != nil {
		return nil, false, err
	}
	refused, known = d.heard.of[sha256.Sum256(b)]
	return refused, known, nil
}

// verdictsMax bounds the verdicts that are kept: who wrote a record asks within
// seconds.
const verdictsMax = 4096

// verdicts are what became of records, by what their bytes hash to.
type verdicts struct {
	of    map[[sha256.Size]byte]error
	order [][sha256.Size]byte // a ring once it is full
	next  int
}

func (v *verdicts) note(record []byte, refused error) {
	if v.of == nil {
		v.of = map[[sha256.Size]byte]error{}
	}
	id := sha256.Sum256(record)
	if _, twice := v.of[id]; twice {
		return // the first one is what it came to
	}
	if v.of[id] = refused; len(v.order) < verdictsMax {
		v.order = append(v.order, id)
		return
	}
	delete(v.of, v.order[v.next])
	v.order[v.next] = id
	v.next = (v.next + 1) % verdictsMax
}

// Campaign is one book with its contract.
type Campaign struct {
	Book      string // the campaign's name; of a proposal contract.ProposalBook of it
	Proposed  bool
	Record    avro.ContractRecord // the newest revision, or the proposal
	Contract  *contract.Contract  // of Record
	Revisions []avro.ContractRecord

	of map[int64]*contract.Contract
}

// At returns the contract of a revision, the newest one for a revision that is not
// there: facts may come before the decision that they are under.
func (c *Campaign) At(revision int64) *contract.Contract {
	if of := c.of[revision]; of != nil {
		return of
	}
	return c.Contract
}

// Campaigns returns the books that there are: those agreed by name, then those
// proposed.
func (f *Follow) Campaigns() ([]*Campaign, error) {
	d := &f.decisions
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := f.catchUp(); err != nil {
		return nil, err
	}
	return d.list, nil
}

// Amounts returns what is in force of a kind of amount of a campaign, in the order of
// days and names.
func (f *Follow) Amounts(kind, campaign string) ([]avro.AmountRecord, error) {
	d := &f.decisions
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := f.catchUp(); err != nil {
		return nil, err
	}
	var list []avro.AmountRecord
	for key, history := range d.book.Amounts {
		if newest, ok := control.InForce(history); ok && key.Kind == kind && key.Campaign == campaign {
			list = append(list, newest)
		}
	}
	slices.SortFunc(list, func(a, b avro.AmountRecord) int {
		return cmp.Or(strings.Compare(a.Day, b.Day), strings.Compare(a.Measure, b.Measure), strings.Compare(a.Partner, b.Partner),
			strings.Compare(a.Payer, b.Payer), strings.Compare(a.Channel, b.Channel), strings.Compare(a.Asset, b.Asset))
	})
	return list, nil
}

// catchUp takes in what the store has and the book does not. The caller holds the
// lock of the decisions.
func (f *Follow) catchUp() error {
	d := &f.decisions
	if d.book == nil {
		d.book, d.parsed, d.stale = control.NewBook(), map[string]*contract.Contract{}, true
	}
	if !d.stale {
		return nil
	}
	_, to := spaceDecision.Key().Range()
	revised := d.list == nil
	err := f.book.scan(spaceDecision.Key().Uint64(d.next), to, func(key, value []byte) (bool, error) {
		offset := spaceDecision.Parts(key).Uint64()
		body, err := spaceDecision.Body(value)
		if err != nil {
			return false, err
		}
		var c avro.Control
		if err := f.cfg.Codecs.Control.Decode(body, &c); err != nil {
			f.cfg.Log.ErrorContext(context.Background(), "decision left out", "offset", offset, "err", err)
			d.next = offset + 1
			return true, nil
		}
		if err := d.take(&c, body); err != nil {
			return false, fmt.Errorf("decision at offset %d: %w", offset, err)
		}
		revised = revised || c.Kind == control.Contract
		d.next = offset + 1
		return true, nil
	})
	if err != nil {
		return err
	}
	d.stale = false
	if !revised {
		return nil
	}
	return d.revise()
}

// take takes in the next record. Rates and accounts are many: of them rates alone are
// asked for, by few. The caller holds mu.
func (d *decisions) take(c *avro.Control, record []byte) error {
	switch {
	case c.Kind == control.Rate:
		d.rates = nil
		return nil
	case c.Kind == control.Mapping && c.Mapping != nil:
		return d.remap(c)
	case signed(c):
		d.heard.note(record, d.book.Judge(c))
	case !slices.Contains([]string{control.Contract, control.Spend, control.Target, control.Cost}, c.Kind):
		return nil
	}
	return d.book.Take(c)
}

// remap takes in a revision of a feed's mapping, and lets its document go: what is asked
// for is which revisions there are and why, and the documents of all feeds are many. The
// caller holds mu.
func (d *decisions) remap(c *avro.Control) error {
	if err := d.book.Take(c); err != nil {
		return err
	}
	if list := d.book.Mappings[control.OfMapping(c.Mapping.Partner, c.Mapping.Feed)]; len(list) > 0 {
		list[len(list)-1].Document = ""
	}
	return nil
}

// signed reports whether a record is what signatories decide, or what they watch came
// to.
func signed(c *avro.Control) bool {
	return c.Dispute != nil || c.Period != nil || c.Approval != nil || c.Signature != nil || c.Acknowledgement != nil || c.Survey != nil || c.Evaluation != nil
}

// revise makes the list of campaigns anew.
func (d *decisions) revise() error {
	list := []*Campaign{}
	for campaign, revisions := range d.book.Contracts {
		c, err := d.campaign(campaign, revisions, revisions[len(revisions)-1])
		if err != nil {
			return err
		}
		list = append(list, c)
	}
	for campaign, proposal := range d.book.Proposals {
		c, err := d.campaign(contract.ProposalBook(campaign), d.book.Contracts[campaign], proposal)
		if err != nil {
			return err
		}
		c.Proposed = true
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *Campaign) int {
		if a.Proposed != b.Proposed {
			if a.Proposed {
				return 1
			}
			return -1
		}
		return strings.Compare(a.Book, b.Book)
	})
	d.list = list
	return nil
}

func (d *decisions) campaign(book string, revisions []avro.ContractRecord, newest avro.ContractRecord) (*Campaign, error) {
	c := &Campaign{Book: book, Record: newest, Revisions: slices.Clone(revisions), of: map[int64]*contract.Contract{}}
	for _, r := range append(slices.Clone(revisions), newest) {
		parsed := d.parsed[r.Hash]
		if parsed == nil {
			var err error
			if parsed, err = contract.Parse([]byte(r.Document)); err != nil {
				return nil, fmt.Errorf("revision %d of contract %s: %w", r.Revision, book, err)
			}
			d.parsed[r.Hash] = parsed
		}
		c.of[r.Revision], c.Contract = parsed, parsed
	}
	return c, nil
}
