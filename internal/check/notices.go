package check

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// notice is what people are to be told for something that control says.
type notice struct {
	kind, severity, state, campaign, partner, subject string
	rung, owner, fallback, since, deadline            string

	raised   time.Time // zero: when the broker took the record
	evidence []string
	words    []string // that the message has

	band contract.Band // of a guardrail
}

// judgedElsewhere is whether a record is of a kind whose refusal is not recomputed here.
func judgedElsewhere(c *avro.Control) bool {
	return c.Account != nil || c.Erasure != nil || c.Mapping != nil || c.Overlap != nil || c.Amount != nil
}

// heard judges what signatories say that no partition is told.
func (d *decided) heard(c *avro.Control) error {
	switch {
	case c.Signature != nil:
		r := c.Signature
		if len(r.Hash) != 64 || strings.Trim(r.Hash, "0123456789abcdef") != "" || len(r.Title) > 200 || r.Decision != "approved" && r.Decision != "disputed" {
			return errors.New("it signs nothing, or says nothing to it")
		}
		return d.from(r.Campaign, r.Partner, r.By, r.Why, r.At)
	case c.Acknowledgement != nil:
		r := c.Acknowledgement
		switch {
		case r.Alert == "" || len(r.Alert) > 1000:
			return errors.New("it is of no alert")
		case r.Campaign == "" && r.Partner != "":
			return errors.New("an alert of no campaign is taken on by a partner")
		case r.Campaign != "" && d.of(r.Campaign).contract == nil:
			return errors.New("the campaign has no contract")
		case r.Partner != "":
			return d.from(r.Campaign, r.Partner, r.By, r.Why, r.At)
		}
		return office(r.By, r.Why, r.At)
	case c.Survey != nil:
		return d.surveyed(c.Survey)
	case c.Evaluation != nil:
		return d.evaluated(c.Evaluation)
	}
	return errors.New("it says nothing")
}

// from is whether a signatory says something, and as it is to be said.
func (d *decided) from(campaign, partner, by, why string, at time.Time) error {
	if !d.of(campaign).signed(partner) {
		return fmt.Errorf("%s has not signed", partner)
	}
	return office(by, why, at)
}

func (d *decided) surveyed(r *avro.SurveyRecord) error {
	if err := d.from(r.Campaign, r.Partner, r.By, r.Why, r.At); err != nil {
		return err
	}
	day, err := money.ParseDay(r.Day)
	if err != nil {
		return err
	}
	whole, tenth, dotted := strings.Cut(r.Score, ".")
	score := slices.Index([]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}, whole)
	if score < 0 || dotted && (len(tenth) != 1 || strings.Trim(tenth, "0123456789") != "" || score == 10 && tenth != "0") {
		return fmt.Errorf("a score of %q", r.Score)
	}
	if day > d.of(r.Campaign).contract.Day(r.At) {
		return fmt.Errorf("%s is to come", day)
	}
	return nil
}

// watched is what is held against its bounds day by day.
type watched struct{ campaign, guardrail, subject string }

// watch is what was said of it so far.
type watch struct {
	seen money.Day // the last day, with data or without
	days []evaluatedDay
	told *notice // that is open
}

type evaluatedDay struct {
	day  money.Day
	band contract.Band
}

// evaluated judges that a guardrail was held against its bounds on a day. Which value it
// had is no matter of control: it was worked out when the day was over.
func (d *decided) evaluated(r *avro.EvaluationRecord) error {
	c := d.of(r.Campaign)
	if c.contract == nil {
		return errors.New("the campaign has no contract")
	}
	day, err := money.ParseDay(r.Day)
	if err != nil {
		return err
	}
	g := c.contract.Guardrail(r.Guardrail)
	band := contract.Band("no_data")
	if r.Value != "" {
		value, ok := g.Unit.ParseValue(r.Value)
		if !ok {
			return fmt.Errorf("a value of %q", r.Value)
		}
		band = g.Judge(value)
	}
	switch year := r.At.UTC().Year(); {
	case g.Unit == "" || r.Band != string(band):
		return fmt.Errorf("%q of %q is %s and not %q", r.Value, r.Guardrail, band, r.Band)
	case r.Revision != c.revision || r.Target != g.Unit.Text(g.Target)+string(g.Unit) || r.Limit != g.Unit.Text(g.Limit)+string(g.Unit):
		return fmt.Errorf("bounds of revision %d, %s and %s, are not those in force", r.Revision, r.Target, r.Limit)
	case max(len(r.Subject), len(r.Target), len(r.Limit)) > 200 || len(r.Detail) > 2000 || len(r.Evidence) > 20 || r.Attempts < 1 || r.Attempts > 3:
		return errors.New("it says too much, or was tried too often")
	case year < 2000 || year > 9999 || day > c.contract.Day(r.At):
		return fmt.Errorf("it says of %s, and on %s", r.Day, r.At)
	}
	name := watched{r.Campaign, r.Guardrail, r.Subject}
	w := d.watches[name]
	if w == nil {
		w = &watch{seen: day - 1}
		d.watches[name] = w
	}
	if day <= w.seen {
		return nil // the first word on a day counts
	}
	if w.seen = day; r.Value != "" {
		w.days = append(w.days, evaluatedDay{day, band})
		d.warn(c, w, r, band)
	}
	return nil
}

// warn tells what follows from the days of a guardrail, the last of which r is.
func (d *decided) warn(c *campaign, w *watch, r *avro.EvaluationRecord, band contract.Band) {
	id := strings.TrimSuffix("guardrail/"+r.Campaign+"/"+r.Guardrail+"/"+r.Subject, "/")
	if band == contract.BandGreen {
		if w.told != nil {
			n := *w.told
			n.state, n.deadline, n.raised, n.evidence, n.words = "settled", "", r.At, r.Evidence, []string{r.Value, r.Target}
			d.notices[id], w.told = &n, nil
		}
		return
	}
	run := len(w.days) - 1 // the first day of this band in a row
	for run > 0 && w.days[run-1].band == band {
		run--
	}
	since := w.days[run].day
	n := &notice{
		kind: "guardrail", state: "open", campaign: r.Campaign, subject: r.Subject, since: since.String(), raised: r.At, evidence: r.Evidence, band: band,
		words: []string{string(band), r.Value, r.Target, r.Limit, r.Detail},
	}
	if feed, owner, _ := strings.Cut(r.Subject, "."); slices.Contains([]string{"crm", "map", "analytics"}, feed) {
		n.partner = owner
	}
	e := &c.contract.Escalation
	rung := e.Ladder[0]
	switch {
	case band != contract.BandRed:
		n.severity = "warning"
	case r.Guardrail == contract.GuardAccuracy && run < len(w.days)-1:
		rung, n.severity = e.Board, "critical"
	default:
		n.severity = "error"
		climbed := int(w.seen-since) / e.ClimbDays
		for i, higher := range e.Ladder[1:] {
			if i >= climbed {
				n.deadline = since.Add((i + 1) * e.ClimbDays).String() // the one above is told then
				break
			}
			rung, n.severity = higher, "critical"
		}
	}
	n.rung, n.owner, n.fallback = rung.Name, rung.Owner, rung.Fallback
	if was := w.told; was == nil || was.band != n.band || was.since != n.since || was.rung != n.rung || was.owner != n.owner ||
		was.fallback != n.fallback || was.deadline != n.deadline || was.severity != n.severity {
		d.notices[id], w.told = n, n
	}
}

// escalate tells the board of a dispute as it stands after a step.
func (d *decided) escalate(r *avro.DisputeRecord, is *said) {
	agreed := d.of(r.Campaign).contract
	board := agreed.Escalation.Board
	n := &notice{
		kind: "dispute", severity: "critical", state: "open", campaign: r.Campaign, subject: is.deal.Reporter + "/" + is.deal.Source + "/" + is.deal.ID,
		rung: board.Name, owner: board.Owner, fallback: board.Fallback, since: agreed.Day(is.opened).String(), raised: r.At, evidence: []string{r.ID},
		words: []string{is.partner, is.fields["against"], strings.TrimRight(r.Why, ".")},
	}
	if is.origin != "" {
		n.evidence = append(n.evidence, is.origin)
	}
	if !is.open() {
		n.state, n.words = "settled", append(n.words, is.fields["state"], r.To)
	}
	d.notices["dispute/"+r.Campaign+"/"+r.ID] = n
}

// again is whether a record repeats what was taken in: nothing follows, and it is not
// refused either.
func (d *decided) again(c *avro.Control) bool {
	switch {
	case c.Dispute != nil:
		is := d.disputes[disputeName{c.Dispute.Campaign, c.Dispute.ID}]
		return is != nil && slices.Contains(is.steps, words(c.Dispute))
	case c.Period != nil:
		last := d.of(c.Period.Campaign).last
		return last != nil && last.At.Equal(c.Period.At) && last.Action == c.Period.Action && last.Day == c.Period.Day && last.By == c.Period.By && last.Why == c.Period.Why
	}
	return false
}

// words is what a step of a dispute says. A feed that is sent again says it at another
// place and time.
func words(r *avro.DisputeRecord) avro.DisputeRecord {
	said := *r
	if said.At = r.At.UTC(); r.Origin != "" {
		said.Origin, said.At = "", time.Time{}
	}
	return said
}

// refusal is what the operators are told of a record that is refused.
func (d *decided) refusal(c *avro.Control, offset int64) *notice {
	n := &notice{kind: "control_refused", severity: "error", state: "open", evidence: []string{fmt.Sprintf("/0@%d", offset)}}
	if c == nil {
		return n
	}
	switch {
	case c.Contract != nil:
		n.campaign = c.Contract.Campaign
	case c.Dispute != nil:
		n.campaign, n.partner = c.Dispute.Campaign, c.Dispute.Partner
	case c.Period != nil:
		n.campaign = c.Period.Campaign
	case c.Approval != nil:
		n.campaign, n.partner = c.Approval.Campaign, c.Approval.Partner
	case c.Signature != nil:
		n.campaign, n.partner = c.Signature.Campaign, c.Signature.Partner
	case c.Acknowledgement != nil:
		n.campaign, n.partner = c.Acknowledgement.Campaign, c.Acknowledgement.Partner
	case c.Survey != nil:
		n.campaign, n.partner = c.Survey.Campaign, c.Survey.Partner
	case c.Evaluation != nil:
		n.campaign = c.Evaluation.Campaign
	}
	if d.campaigns[n.campaign] == nil || d.campaigns[n.campaign].revision == 0 {
		n.campaign = ""
	}
	return n
}

// differs lists what an alert does not say as it should.
func (n *notice) differs(a *avro.Alert) (list []string) {
	for _, f := range [][3]string{
		{"kind", a.Kind, n.kind},
		{"severity", a.Severity, n.severity},
		{"state", a.State, n.state},
		{"campaign", a.Campaign, n.campaign},
		{"partner", a.Partner, n.partner},
		{"rung", a.Rung, n.rung},
		{"owner", a.Owner, n.owner},
		{"fallback", a.Fallback, n.fallback},
		{"since", a.Since, n.since},
		{"deadline", a.Deadline, n.deadline},
	} {
		if f[1] != f[2] {
			list = append(list, fmt.Sprintf("%s is %q and should be %q", f[0], f[1], f[2]))
		}
	}
	if n.kind == "control_refused" { // its subject is a key, and its time that of the broker
		if len(a.Evidence) != 1 || !strings.HasSuffix(a.Evidence[0], n.evidence[0]) {
			list = append(list, fmt.Sprintf("evidence is %q and should be of %q", a.Evidence, n.evidence[0]))
		}
		return list
	}
	if a.Subject != n.subject {
		list = append(list, fmt.Sprintf("subject is %q and should be %q", a.Subject, n.subject))
	}
	if !slices.Equal(a.Evidence, n.evidence) {
		list = append(list, fmt.Sprintf("evidence is %q and should be %q", a.Evidence, n.evidence))
	}
	if !a.RaisedAt.Equal(n.raised) {
		list = append(list, fmt.Sprintf("it was raised at %s and should have been at %s", a.RaisedAt.UTC().Format(time.RFC3339Nano), n.raised.UTC().Format(time.RFC3339Nano)))
	}
	for _, w := range n.words {
		if !strings.Contains(a.Message, w) {
			list = append(list, fmt.Sprintf("its message %q does not say %q", a.Message, w))
		}
	}
	return list
}

// byID is the order of alerts in what is said of them.
func byID(a, b *avro.Alert) int { return cmp.Compare(a.ID, b.ID) }
