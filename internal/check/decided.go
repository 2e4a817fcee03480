package check

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/identity"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// decided are the records of the control topic, judged again in their order: what all
// partitions must be told, and what deals.
type decided struct {
	campaigns map[string]*campaign
	disputes  map[disputeName]*said
	watches   map[watched]*watch
	notices   map[string]*notice // what people are told last, by the id of the alert
	totals    map[string]int64   // how far control totals may be off, at most, by partner
	passed    []decision         // that are broadcast
	refused   []decision
	steps     int // of disputes
}

// decision is a record of the control topic.
type decision struct {
	offset int64
	record *avro.Control
	why    error // it is refused
}

// campaign is what is in force of one.
type campaign struct {
	revision  int64
	contract  *contract.Contract // the newest; nil for none
	proposal  *avro.ContractRecord
	proposed  *contract.Contract // what that says
	approved  map[string]bool    // of the proposal, by partner: its last word
	closed    money.Day          // the last day
	decided   time.Time          // when that was said
	last      *avro.PeriodRecord // by which that was said
	reopening map[opening]bool   // as approved: the last word since the last closing
}

// opening is that days are opened again from one on, for one partner.
type opening struct {
	day     money.Day
	partner string
}

// disputeName is what a dispute is told by: the campaign names it too.
type disputeName struct{ campaign, id string }

func (n disputeName) String() string { return n.campaign + "/" + n.id }

// said is a dispute as control tells of it.
type said struct {
	partner string
	deal    avro.DealName
	opened  time.Time
	fields  map[string]string // of the object that it is on the deal's account
	origin  string            // where in a feed it was opened
	steps   []avro.DisputeRecord
}

func (s *said) open() bool { return s.fields["state"] == "" }

// decide judges the records of control; spoilt are the offsets of those that nobody can
// read.
func decide(records []At[avro.Control], spoilt []int64) *decided {
	d := &decided{
		campaigns: map[string]*campaign{}, disputes: map[disputeName]*said{}, watches: map[watched]*watch{},
		notices: map[string]*notice{}, totals: map[string]int64{},
	}
	refusal := func(offset int64) string { return fmt.Sprintf("control-refused/%d", offset) }
	for i := range records {
		r := decision{offset: records[i].Offset, record: &records[i].Value}
		again := d.again(r.record)
		var broadcast bool
		if broadcast, r.why = d.take(r.record); r.why != nil {
			if d.refused = append(d.refused, r); !again {
				d.notices[refusal(r.offset)] = d.refusal(r.record, r.offset)
			}
		} else if broadcast {
			d.passed = append(d.passed, r)
		}
	}
	for _, offset := range spoilt {
		d.notices[refusal(offset)] = d.refusal(nil, offset)
	}
	return d
}

// take judges a record by what was said before and takes it in.
func (d *decided) take(c *avro.Control) (broadcast bool, err error) {
	switch {
	case c.Contract != nil:
		err := d.of(c.Contract.Campaign).revise(c.Contract)
		if err == nil && !c.Contract.Proposed {
			d.tolerate(d.of(c.Contract.Campaign).contract)
		}
		return true, err
	case c.Rate != nil:
		day, err := money.ParseDay(c.Rate.Day)
		if err != nil {
			return false, err
		}
		return true, new(money.Rates).Set(c.Rate.Base, c.Rate.Quote, day, c.Rate.Rate)
	case c.Horizon != nil:
		_, err := money.ParseDay(c.Horizon.Day)
		return true, err
	case c.Period != nil:
		return true, d.of(c.Period.Campaign).period(c.Period)
	case c.Approval != nil:
		return false, d.of(c.Approval.Campaign).approve(c.Approval)
	case c.Dispute != nil:
		err := d.dispute(c.Dispute)
		if err == nil {
			is := d.disputes[disputeName{c.Dispute.Campaign, c.Dispute.ID}]
			is.steps = append(is.steps, words(c.Dispute))
			d.escalate(c.Dispute, is)
			d.steps++
		}
		return false, err
	case judgedElsewhere(c):
		return false, nil // nothing on observations or journeys follows from it that is judged here
	}
	return false, d.heard(c)
}

// tolerate notes how far a contract lets the control totals of its partners be off.
func (d *decided) tolerate(agreed *contract.Contract) {
	for _, p := range agreed.Partners {
		d.totals[p.ID] = max(d.totals[p.ID], agreed.Guardrail(contract.GuardControlTotals).Limit)
	}
}

func (d *decided) of(name string) *campaign {
	if d.campaigns[name] == nil {
		d.campaigns[name] = &campaign{closed: nothingClosed, approved: map[string]bool{}, reopening: map[opening]bool{}}
	}
	return d.campaigns[name]
}

// revise judges a revision of the contract, a proposal of one and its withdrawal.
func (c *campaign) revise(r *avro.ContractRecord) error {
	if r.By+r.Why != "" { // older ones have no reason
		if err := reason(r.By, r.Why); err != nil {
			return err
		}
	}
	if r.Proposed && r.Document == "" {
		if c.proposal == nil || c.proposal.Hash != r.Hash {
			return errors.New("no such proposal stands")
		}
		c.proposal, c.proposed, c.approved = nil, nil, map[string]bool{}
		return nil
	}
	if sum := sha256.Sum256([]byte(r.Document)); r.Hash != hex.EncodeToString(sum[:]) {
		return errors.New("the document does not have its hash")
	}
	agreed, err := contract.Parse([]byte(r.Document))
	switch {
	case err != nil:
		return err
	case r.Revision != c.revision+1 || r.Previous != c.revision:
		return fmt.Errorf("revision %d on top of %d is stale", r.Revision, r.Previous)
	case agreed.Campaign != r.Campaign:
		return errors.New("the document is of another campaign")
	case c.contract != nil && agreed.HasRestateFrom && !alike(c.contract, agreed):
		return errors.New("restate_from, and days before it are in other units or models")
	}
	if r.Proposed {
		c.proposal, c.proposed, c.approved = r, agreed, map[string]bool{}
		return nil
	}
	approvers := slices.Clone(agreed.Approvals.Revision)
	if c.contract != nil {
		approvers = append(approvers, c.contract.Approvals.Revision...)
	}
	proposed := c.proposal != nil && c.proposal.Hash == r.Hash && c.proposal.Revision == r.Revision
	for _, partner := range approvers {
		if !proposed || !c.approved[partner] {
			return fmt.Errorf("%s has not approved it", partner)
		}
	}
	if c.revision, c.contract = r.Revision, agreed; c.proposal != nil && c.proposal.Hash == r.Hash {
		c.proposal, c.proposed, c.approved = nil, nil, map[string]bool{}
	}
	return nil
}

// alike is whether the totals of two contracts are made of the same.
func alike(a, b *contract.Contract) bool {
	return a.Zone.String() == b.Zone.String() && a.Currency == b.Currency && slices.Equal(a.Models, b.Models)
}

// period judges a closing or the opening of closed days again.
func (c *campaign) period(r *avro.PeriodRecord) error {
	day, err := money.ParseDay(r.Day)
	switch {
	case err != nil:
		return err
	case c.contract == nil:
		return errors.New("the campaign has no contract")
	}
	if err := office(r.By, r.Why, r.At); err != nil {
		return err
	}
	if r.At.Before(c.decided) {
		return fmt.Errorf("periods were decided on %s last", c.decided.UTC().Format(time.RFC3339))
	}
	switch r.Action {
	case "close":
		if day <= c.closed || day >= c.contract.Day(r.At) {
			return fmt.Errorf("closed is up to %s, and a day is closed when it is over", c.closed)
		}
	case "reopen":
		if day > c.closed {
			return fmt.Errorf("closed is up to %s only", c.closed)
		}
		for _, partner := range c.contract.Approvals.Reopen {
			if !c.reopening[opening{day, partner}] {
				return fmt.Errorf("%s has not approved that days from %s on are opened again", partner, day)
			}
		}
		day--
	default:
		return fmt.Errorf("action is %q", r.Action)
	}
	c.closed, c.decided, c.last, c.reopening = day, r.At, r, map[opening]bool{}
	return nil
}

// approve notes the word of a signatory on what stands. The word of one who is not asked
// changes nothing.
func (c *campaign) approve(r *avro.ApprovalRecord) error {
	if err := office(r.By, r.Why, r.At); err != nil {
		return err
	}
	if r.Decision != "approved" && r.Decision != "refused" {
		return fmt.Errorf("decision is %q", r.Decision)
	}
	switch r.Of {
	case "revision":
		if c.proposal == nil || c.proposal.Hash != r.Hash || c.proposal.Revision != r.Revision || r.Day != "" {
			return errors.New("no such proposal stands")
		}
		if !c.signed(r.Partner) && !partnerOf(c.proposed, r.Partner) {
			return fmt.Errorf("%s has signed neither what is agreed nor what is proposed", r.Partner)
		}
		c.approved[r.Partner] = r.Decision == "approved"
	case "reopen":
		day, err := money.ParseDay(r.Day)
		if err != nil {
			return err
		}
		if day > c.closed || !c.signed(r.Partner) || r.Revision != 0 || r.Hash != "" {
			return fmt.Errorf("closed is up to %s only, or %s has not signed, or it is about a revision", c.closed, r.Partner)
		}
		c.reopening[opening{day, r.Partner}] = r.Decision == "approved"
	default:
		return fmt.Errorf("an approval of %q", r.Of)
	}
	return nil
}

// signed is whether a partner has signed the newest revision.
func (c *campaign) signed(partner string) bool {
	return c.contract != nil && partnerOf(c.contract, partner)
}

func partnerOf(c *contract.Contract, partner string) bool {
	return slices.ContainsFunc(c.Partners, func(p contract.Partner) bool { return p.ID == partner })
}

// dispute judges one step of a dispute and adds it to what the deal is told.
func (d *decided) dispute(r *avro.DisputeRecord) error {
	if err := office(r.By, r.Why, r.At); err != nil {
		return err
	}
	at, name := r.At.UTC().Format(time.RFC3339Nano), disputeName{r.Campaign, r.ID}
	if r.Action == "open" {
		if err := d.mayOpen(r); err != nil {
			return err
		}
		d.disputes[name] = &said{partner: r.Partner, deal: r.Deal, opened: r.At, origin: r.Origin, fields: map[string]string{
			"campaign": r.Campaign, "deal": r.Deal.Reporter + "/" + r.Deal.Source + "/opportunity/" + r.Deal.ID, "partner": r.Partner,
			"about": r.About, "against": r.Against, "opened_at": at, "opened_by": r.By, "opened_why": r.Why,
		}}
		return nil
	}
	was := d.disputes[name]
	if was == nil || !was.open() {
		return errors.New("no such dispute is open")
	}
	state := map[string]string{"withdraw": "withdrawn", "resolve": r.Outcome}[r.Action]
	switch {
	case r.Deal != (avro.DealName{}) && r.Deal != was.deal, r.About != "" || r.Against != "", r.At.Before(was.opened):
		return errors.New("it is not what was opened")
	case r.Partner != was.partner && (r.Action == "withdraw" || r.Partner != ""), r.Action == "withdraw" && r.Outcome+r.To != "":
		return fmt.Errorf("it is a dispute of %s", was.partner)
	case r.Action == "resolve" && state != "upheld" && state != "rejected", state == "":
		return fmt.Errorf("action %q, outcome %q", r.Action, r.Outcome)
	case state == "upheld" && !d.mayGet(r.Campaign, was, r.To), state == "rejected" && r.To != "":
		return fmt.Errorf("%s in favour of %q", state, r.To)
	}
	maps.Copy(was.fields, map[string]string{"state": state, "to": r.To, "settled_at": at, "settled_by": r.By, "settled_why": r.Why})
	return nil
}

func (d *decided) mayOpen(r *avro.DisputeRecord) error {
	c := d.of(r.Campaign)
	if _, err := identity.NewNode(identity.Object, r.Deal.Reporter, r.Deal.ID); err != nil {
		return err
	}
	switch {
	case !c.signed(r.Partner):
		return fmt.Errorf("%s has not signed", r.Partner)
	case r.ID == "" || len(r.ID) > 200 || d.disputes[disputeName{r.Campaign, r.ID}] != nil:
		return errors.New("the id is none, or used")
	case r.Deal.Source == "" || len(r.Deal.Source) > 200 || strings.Contains(r.Deal.Source, "/") || r.Outcome+r.To != "":
		return errors.New("it names no deal, or an outcome")
	case r.About == aboutSourcing && r.Against != "":
		return errors.New("sourcing is disputed, and against somebody")
	case r.About == aboutCredit && (r.Against == r.Partner || !c.signed(r.Against) && r.Against != contract.None && r.Against != contract.Held):
		return fmt.Errorf("credit of %q is disputed", r.Against)
	case r.About != aboutSourcing && r.About != aboutCredit:
		return fmt.Errorf("it is about %q", r.About)
	}
	for name, other := range d.disputes {
		if other.open() && name.campaign == r.Campaign && other.partner == r.Partner && other.deal == r.Deal {
			return fmt.Errorf("dispute %s of the deal is open", name.id)
		}
	}
	return nil
}

// mayGet is whether what was disputed can go to somebody.
func (d *decided) mayGet(campaign string, was *said, to string) bool {
	if was.fields["about"] == aboutSourcing && (to == contract.MarketingSourced || to == contract.Unsourced) {
		return true
	}
	return d.of(campaign).signed(to) && (was.fields["about"] == aboutSourcing || to != was.fields["against"])
}

// office is whether a record says who decided, and is no person's, why and when.
func office(by, why string, at time.Time) error {
	if at.UTC().Year() < 2000 || at.UTC().Year() > 9999 {
		return errors.New("it does not say when it was decided")
	}
	return reason(by, why)
}

func reason(by, why string) error {
	if strings.TrimSpace(by) == "" || strings.TrimSpace(why) == "" || len(by) > 200 || len(why) > 1000 || strings.Contains(by, "@") {
		return errors.New("it does not say who of which office decided, and why")
	}
	return nil
}

// follow holds what was broadcast against what control says: the records that are not
// refused, in their order and no others.
func (v *verifier) follow(all map[int64]*avro.Control, last int64) {
	v.decided = decide(v.in.Control, v.in.Spoilt)
	passed := v.decided.passed
	v.report.Steps, v.report.Refused = v.decided.steps, len(v.decided.refused)
	for n := range last {
		got := all[n+1]
		if got == nil || n < int64(len(passed)) && same(got, passed[n].record) {
			continue // one that is missing was named before
		}
		what := fmt.Sprintf("broadcast %d of %s", n+1, controlText(got))
		for _, r := range v.decided.refused {
			if same(got, r.record) {
				v.problem("%s is in force, and control's record %d of it was to be refused: %v", what, r.offset, r.why)
				return
			}
		}
		if n < int64(len(passed)) {
			v.problem("%s is by control its record %d, %s", what, passed[n].offset, controlText(passed[n].record))
		} else {
			v.problem("%s follows from no record of control", what)
		}
		return // all behind it are off by one
	}
	if int64(len(passed)) > last {
		v.problem("control's record %d, %s, was broadcast to nobody", passed[last].offset, controlText(passed[last].record))
	}
}

func same(a, b *avro.Control) bool {
	return controlText(a) == controlText(b) && (a.Contract == nil || a.Contract.Document == b.Contract.Document)
}

// placedDisputes holds the disputes on the accounts against those that control tells of: each
// is on the account of its deal, once, with all that was said of it.
func (v *verifier) placedDisputes() {
	found := map[disputeName]bool{}
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, "disputes: "+fmt.Sprintf(format, args...)) }
	for _, a := range v.accounts {
		for i := range a.objects {
			o := &a.objects[i]
			if o.state.Type != "dispute" {
				continue
			}
			campaign, id, _ := strings.Cut(o.state.ID, "/")
			is := v.decided.disputes[disputeName{campaign, id}]
			if is == nil {
				say("%s follows from no record of control", o.key)
				continue
			}
			found[disputeName{campaign, id}] = true
			deal := identity.Node{Level: identity.Object, Scope: is.deal.Reporter, ID: is.deal.ID}
			if o.key.node != string(deal.Bytes()) || o.key.reporter != is.deal.Reporter || o.key.source != is.deal.Source {
				say("%s is not of its deal %s/%s/%s", o.key, is.deal.Reporter, is.deal.Source, is.deal.ID)
			}
			fields := map[string]string{}
			for _, f := range o.state.Fields {
				fields[f.Name] = o.field(f.Name)
			}
			maps.DeleteFunc(fields, func(_, text string) bool { return text == "" })
			want := maps.Clone(is.fields)
			maps.DeleteFunc(want, func(_, text string) bool { return text == "" })
			if !maps.Equal(fields, want) {
				say("%s says %q, and control %q", o.key, fields, want)
			}
		}
	}
	for name := range v.decided.disputes {
		if v.report.Disputes++; !found[name] {
			say("%s is on no account", name)
		}
	}
	slices.Sort(wrong)
	for _, w := range wrong {
		v.problem("%s", w)
	}
}
