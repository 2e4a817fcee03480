package answer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/internal/control"
	"tracksource/internal/governance"
	"tracksource/money"
	"tracksource/report"
	"tracksource/schemas/avro"
)

// historyDays is how many evaluated days of a guardrail are told.
const historyDays = 30

// decided is what signatories said of one campaign. The lists are nobody's to change.
type decided struct {
	disputes    []governance.Dispute // in the order in which they were opened
	periods     []avro.PeriodRecord
	approvals   []avro.ApprovalRecord
	signatures  []avro.SignatureRecord
	surveys     []avro.SurveyRecord
	evaluations []avro.EvaluationRecord
	proposal    *governance.Proposal
	proposed    avro.ContractRecord // its record
	closed      string              // the last closed day
}

// decided reads what was said; histories only grow, so that they are shared.
func (a *Answers) decided(campaign string) (*decided, error) {
	out := &decided{}
	err := a.follow.Decided(func(b *control.Book) error {
		for id, d := range b.Disputes {
			if id.Campaign == campaign {
				out.disputes = append(out.disputes, d)
			}
		}
		out.periods, out.approvals, out.signatures = slices.Clip(b.Periods[campaign]), slices.Clip(b.Approvals[campaign]), slices.Clip(b.Signatures[campaign])
		out.surveys, out.evaluations = slices.Clip(b.Surveys[campaign]), slices.Clip(b.Evaluations[campaign])
		if p, found, err := b.Proposed(campaign); err != nil {
			return err
		} else if found {
			out.proposal, out.proposed = &p, b.Proposals[campaign]
		}
		day, closed, err := b.ClosedUntil(campaign)
		if closed {
			out.closed = day.String()
		}
		return err
	})
	slices.SortFunc(out.disputes, func(a, b governance.Dispute) int {
		return cmp.Or(a.OpenedAt.Compare(b.OpenedAt), strings.Compare(a.ID, b.ID))
	})
	return out, err
}

// Governance is how a campaign is governed and how it stands. Of the book of a proposal
// there are the approvals of the proposal alone: all else is the agreed campaign's.
func (a *Answers) Governance(_ context.Context, v report.Viewer, q Query) (GovernanceAnswer, error) {
	of, err := a.ask(v, &q)
	if err != nil {
		return GovernanceAnswer{}, err
	}
	campaign, _ := contract.CampaignOfBook(of.Campaign)
	said, err := a.decided(campaign)
	if err != nil {
		return GovernanceAnswer{}, err
	}
	c := of.campaign.Contract
	out := GovernanceAnswer{
		Guardrails: []GuardrailLine{}, Satisfaction: []SatisfactionLine{}, Periods: PeriodsLine{Steps: []PeriodStep{}}, Revisions: []RevisionSummary{}, Signatures: []SignatureLine{},
		Approvers: ApproversLine{Revision: list(c.Approvals.Revision), Package: list(c.Approvals.Package), Reopen: list(c.Approvals.Reopen)}, Escalation: escalationOf(c),
	}
	if said.proposal != nil && of.seesProposal(said.proposal) {
		out.Proposal = of.proposal(said)
	}
	if of.Proposed {
		out.Envelope = of.Envelope
		return out, nil
	}
	out.Guardrails = of.guardrails(said.evaluations)
	days, err := feedDays(c, said.evaluations)
	if err != nil {
		return GovernanceAnswer{}, err
	}
	out.SLA = slaOf(report.AdherenceOf(of.seenFeeds(days)))
	if out.Satisfaction, err = of.satisfaction(said, days); err != nil {
		return GovernanceAnswer{}, err
	}
	out.Periods = periodsOf(said)
	out.Reopening = of.reopening(said)
	for _, r := range slices.Backward(of.campaign.Revisions) {
		told := revisionOf(v, of.campaign, &r)
		out.Revisions, of.Withheld = append(out.Revisions, told), of.Withheld || told.Withheld
	}
	out.Signatures = of.signatures(said.signatures)
	out.Envelope = of.Envelope
	return out, nil
}

// list is names as an answer has them.
func list(names []string) []string { return append([]string{}, names...) }

func escalationOf(c *contract.Contract) EscalationLine {
	e := &c.Escalation
	out := EscalationLine{Board: RungLine(e.Board), Retries: e.Retries, ClimbDays: e.ClimbDays}
	for _, r := range e.Ladder {
		out.Ladder = append(out.Ladder, RungLine(r))
	}
	return out
}

// guardrails are what is watched with what was evaluated of it. Who sees its own rows
// alone sees the values of its own feeds and its own pacing, and of the others the
// bands.
func (q *asked) guardrails(evaluations []avro.EvaluationRecord) []GuardrailLine {
	c := q.campaign.Contract
	lines := []GuardrailLine{}
	for _, g := range c.Guardrails {
		histories := map[string][]*avro.EvaluationRecord{}
		for i := range evaluations {
			if e := &evaluations[i]; e.Guardrail == g.Name {
				histories[e.Subject] = append(histories[e.Subject], e)
			}
		}
		switch {
		case len(histories) == 0:
			histories[""] = nil
		case len(histories) > 1:
			delete(histories, "") // days on which it could not be read at all
		}
		for _, subject := range slices.Sorted(maps.Keys(histories)) {
			if partner := subjectPartner(subject); q.sight == report.SeesOwn && partner != "" && partner != q.viewer.Partner {
				q.Withheld = true
				continue
			}
			lines = append(lines, q.guardrail(g, subject, histories[subject]))
		}
	}
	return lines
}

// subjectPartner is the partner that a subject is of: the owner of a feed, or whom a
// target is of; empty for another subject.
func subjectPartner(subject string) string {
	if owner := governance.FeedOwner(subject); owner != "" {
		return owner
	}
	_, partner, _ := strings.Cut(subject, "/")
	return partner
}

func (q *asked) guardrail(g contract.Guardrail, subject string, history []*avro.EvaluationRecord) GuardrailLine {
	line := GuardrailLine{
		Guardrail: g.Name, Subject: subject, Unit: string(g.Unit), AtMost: g.AtMost, Target: g.Unit.Text(g.Target), Limit: g.Unit.Text(g.Limit),
		Evidence: []string{}, History: []EvaluationLine{},
	}
	withheld := q.sight == report.SeesOwn && subjectPartner(subject) == ""
	shown := func(e *avro.EvaluationRecord) *string {
		if e.Value == "" || withheld {
			return nil
		}
		return &e.Value
	}
	for _, e := range history[max(0, len(history)-historyDays):] {
		line.History = append(line.History, EvaluationLine{Day: e.Day, Band: e.Band, Value: shown(e)})
	}
	if len(history) == 0 {
		return line
	}
	e := history[len(history)-1]
	line.Day, line.Band, line.Attempts, line.Value = e.Day, e.Band, e.Attempts, shown(e)
	if owner := governance.FeedOwner(subject); withheld || owner != "" && owner != q.viewer.Partner && q.sight != report.SeesAll {
		q.Withheld = true // of a feed its owner alone is told more
	} else {
		line.Detail, line.Evidence = e.Detail, append(line.Evidence, e.Evidence...)
	}
	// A day without data leaves an alert as it is.
	for i := len(history) - 1; i >= 0; i-- {
		if band := contract.Band(history[i].Band); band != governance.NoData {
			if band != contract.BandGreen {
				line.Alert = ref(governance.GuardrailAlert(e.Campaign, g.Name, subject))
			}
			break
		}
	}
	return line
}

// feedDays are the days of feeds that were evaluated, in order.
func feedDays(c *contract.Contract, evaluations []avro.EvaluationRecord) ([]report.FeedDay, error) {
	type place struct {
		feed string
		day  money.Day
	}
	days := map[place]*report.FeedDay{}
	for i := range evaluations {
		e := &evaluations[i]
		if e.Guardrail != contract.GuardFreshness && e.Guardrail != contract.GuardCompleteness || e.Band == string(governance.NoData) || !c.IsPartner(governance.FeedOwner(e.Subject)) {
			continue
		}
		day, err := money.ParseDay(e.Day)
		if err != nil {
			return nil, err
		}
		at := place{e.Subject, day}
		if days[at] == nil {
			days[at] = &report.FeedDay{Feed: e.Subject, Day: day}
		}
		if e.Guardrail == contract.GuardFreshness {
			days[at].Fresh = contract.Band(e.Band)
		} else {
			days[at].Complete = contract.Band(e.Band)
		}
	}
	out := make([]report.FeedDay, 0, len(days))
	for _, d := range days {
		out = append(out, *d)
	}
	slices.SortFunc(out, func(a, b report.FeedDay) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), strings.Compare(a.Feed, b.Feed))
	})
	return out, nil
}

// seenFeeds are the days of feeds that the viewer is told of: for who sees its own rows
// those of its own.
func (q *asked) seenFeeds(days []report.FeedDay) []report.FeedDay {
	if q.sight != report.SeesOwn {
		return days
	}
	return feedDaysOf(days, q.viewer.Partner)
}

func feedDaysOf(days []report.FeedDay, partner string) []report.FeedDay {
	var own []report.FeedDay
	for _, d := range days {
		if governance.FeedOwner(d.Feed) == partner {
			own = append(own, d)
		}
	}
	return own
}

func slaOf(a report.Adherence) SLALine {
	return SLALine{FeedDays: strconv.Itoa(a.Days), Kept: strconv.Itoa(a.Kept), Adherence: ratText(a.Share(), 4)}
}

// ratText writes a ratio with so many places, rounded half away from zero; nil for none.
func ratText(r *big.Rat, places int) *string {
	if r == nil {
		return nil
	}
	return ref(r.FloatString(places))
}

// satisfaction is that of the partners that the viewer is told of.
func (q *asked) satisfaction(said *decided, days []report.FeedDay) ([]SatisfactionLine, error) {
	list, err := q.satisfactions(said, days)
	lines := []SatisfactionLine{}
	for _, s := range list {
		lines = append(lines, satisfactionLine(s.Partner, s.Satisfaction))
	}
	return lines, err
}

func (q *asked) satisfactions(said *decided, days []report.FeedDay) ([]report.PartnerSatisfaction, error) {
	var courses []report.DisputeCourse
	for i := range said.disputes {
		d := &said.disputes[i]
		course := report.DisputeCourse{Partner: d.Partner}
		if !d.IsOpen() {
			course.Settled, course.Took = report.Settled(d.State), d.SettledAt.Sub(d.OpenedAt)
		}
		courses = append(courses, course)
	}
	var list []report.PartnerSatisfaction
	for _, p := range q.campaign.Contract.Partners {
		if q.sight == report.SeesOwn && p.ID != q.viewer.Partner {
			q.Withheld = true
			continue
		}
		var scores []report.SurveyScore
		for i := range said.surveys {
			r := &said.surveys[i]
			if r.Partner != p.ID {
				continue
			}
			day, err := money.ParseDay(r.Day)
			score, err2 := report.ParseValue(r.Score)
			if err := errors.Join(err, err2); err != nil {
				return nil, fmt.Errorf("survey of %s: %w", p.ID, err)
			}
			scores = append(scores, report.SurveyScore{Day: day, Score: score})
		}
		list = append(list, report.PartnerSatisfaction{Partner: p.ID, Satisfaction: report.SatisfactionOf(p.ID, courses, scores, feedDaysOf(days, p.ID))})
	}
	return list, nil
}

func satisfactionLine(partner string, s report.Satisfaction) SatisfactionLine {
	line := SatisfactionLine{
		Partner: partner, Open: strconv.Itoa(s.Open), Settled: strconv.Itoa(s.Settled), Withdrawn: strconv.Itoa(s.Withdrawn),
		UpheldShare: ratText(s.Upheld, 4), Freshness: slaOf(s.Fresh), MeanScore: ratText(s.MeanMark, 2), Surveys: strconv.Itoa(s.Surveys),
	}
	if s.Settled > 0 {
		line.MedianHours, line.MeanHours = hours(s.Median), hours(s.Mean)
	}
	if s.Surveys > 0 {
		line.Score, line.ScoreDay = ref(s.Newest.Score.Text(0)), s.Newest.Day.String()
	}
	return line
}

func hours(d time.Duration) *string {
	return ratText(big.NewRat(int64(d/time.Second), int64(time.Hour/time.Second)), 1)
}

func periodsOf(said *decided) PeriodsLine {
	out := PeriodsLine{ClosedUntil: said.closed, Steps: []PeriodStep{}}
	for _, r := range slices.Backward(said.periods) {
		out.Steps = append(out.Steps, PeriodStep{r.Action, r.Day, r.By, r.Why, r.At})
	}
	return out
}

// seesProposal reports whether the viewer takes part in the agreed contract or in what
// is proposed.
func (q *asked) seesProposal(p *governance.Proposal) bool {
	return q.sight == report.SeesAll || slices.Contains(p.Partners, q.viewer.Partner) || !q.Proposed && slices.Contains(p.Approvers, q.viewer.Partner)
}

// proposal is what was said to the proposed revision.
func (q *asked) proposal(said *decided) *ApprovalsLine {
	p := said.proposal
	silent, refused := p.Missing()
	out := &ApprovalsLine{Revision: p.Revision, Hash: p.Hash, By: said.proposed.By, Why: said.proposed.Why, Required: list(p.Approvers), Missing: append(list(silent), refused...), Said: []ApprovalLine{}}
	slices.Sort(out.Missing)
	last := map[string]avro.ApprovalRecord{}
	for _, r := range said.approvals {
		if r.Of == governance.OfRevision && r.Revision == p.Revision && r.Hash == p.Hash {
			last[r.Partner] = r
		}
	}
	for _, partner := range slices.Sorted(maps.Keys(p.Words)) {
		out.Said = append(out.Said, q.approval(last[partner]))
	}
	return out
}

// reopening is what was said to opening a closed period again since the last record
// about periods: to the day that was named last.
func (q *asked) reopening(said *decided) *ApprovalsLine {
	var since time.Time
	if n := len(said.periods); n > 0 {
		since = said.periods[n-1].At
	}
	last, day := map[string]avro.ApprovalRecord{}, ""
	for _, r := range said.approvals {
		if r.Of == governance.OfReopen && r.At.After(since) {
			last[r.Partner], day = r, r.Day
		}
	}
	if day == "" || said.closed == "" {
		return nil
	}
	out := &ApprovalsLine{Day: day, Required: list(q.campaign.Contract.Approvals.Reopen), Missing: []string{}, Said: []ApprovalLine{}}
	for _, partner := range out.Required {
		if r, ok := last[partner]; !ok || r.Day != day || r.Decision != governance.Approved {
			out.Missing = append(out.Missing, partner)
		}
	}
	for _, partner := range slices.Sorted(maps.Keys(last)) {
		if last[partner].Day == day {
			out.Said = append(out.Said, q.approval(last[partner]))
		}
	}
	return out
}

// words are who said something and why: of others not for who sees its own alone.
func (q *asked) words(partner, by, why string) (string, string) {
	if q.sight == report.SeesOwn && partner != q.viewer.Partner {
		q.Withheld = true
		return "", ""
	}
	return by, why
}

func (q *asked) approval(r avro.ApprovalRecord) ApprovalLine {
	line := ApprovalLine{Partner: r.Partner, Decision: r.Decision, At: r.At}
	line.By, line.Why = q.words(r.Partner, r.By, r.Why)
	return line
}

func (q *asked) signatures(records []avro.SignatureRecord) []SignatureLine {
	lines := []SignatureLine{}
	for _, r := range slices.Backward(records) {
		line := SignatureLine{Partner: r.Partner, Hash: r.Hash, Title: r.Title, Decision: r.Decision, At: r.At}
		line.By, line.Why = q.words(r.Partner, r.By, r.Why)
		lines = append(lines, line)
	}
	return lines
}
