package plan

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tracksource/report"
)

// Past is what earlier plans of the campaign tell.
type Past struct {
	// Last is the last completed one, nil without any, and Edited whether somebody
	// changed it after it was completed.
	Last   *Plan
	Edited bool
	Failed int // plans that failed since
	// Notes are of plans that nothing can be learnt from, the newest first.
	Notes []Note
}

// Note is why nothing is learnt from a plan.
type Note struct {
	PlanID string
	What   string // interrupted, unreadable, newer_version or left_out
	Why    string
}

// Done is what a run adds to the package that it made.
type Done struct {
	At        time.Time
	Directory string
	Manifest  string // hash
	Files     []string
	// Governance is of the same campaign, nil where the reporter could not be asked.
	Governance *Governance
}

// Governance is what plans take of the reporter's answer of that name, as JSON has it.
type Governance struct {
	SLA          Adherence      `json:"sla"`
	Satisfaction []Satisfaction `json:"satisfaction"`
	Signatures   []Signature    `json:"signatures"`
	Escalation   struct {
		Ladder []GovernanceRung `json:"ladder"`
		Board  GovernanceRung   `json:"board"`
	} `json:"escalation"`
}

// Satisfaction is how content one partner can be.
type Satisfaction struct {
	Partner     string  `json:"partner"`
	Open        string  `json:"open"`
	Settled     string  `json:"settled"`
	Withdrawn   string  `json:"withdrawn"`
	MedianHours *string `json:"median_hours"`
	Score       *string `json:"score"`
	ScoreDay    string  `json:"score_day"`
}

// Signature is what a partner said to a package.
type Signature struct {
	Partner  string    `json:"partner"`
	Hash     string    `json:"hash"`
	Title    string    `json:"title"`
	Decision string    `json:"decision"`
	By       string    `json:"by"`
	Why      string    `json:"why"`
	At       time.Time `json:"at"`
}

// Adherence is on how many days feeds were as agreed.
type Adherence struct {
	FeedDays string `json:"feed_days"`
	Kept     string `json:"kept"`
}

// GovernanceRung is one rung as the reporter tells it.
type GovernanceRung struct {
	Name     string `json:"name"`
	Owner    string `json:"owner"`
	Fallback string `json:"fallback"`
}

// New is the plan of a question, before any data is pulled. What the contract will say
// is taken from the last plan, and what no plan knows is left open.
func New(id string, q Question, past Past, now time.Time) *Plan {
	q = cleanQuestion(q)
	p := &Plan{PlanID: id, Status: Planned}
	b := &p.TrackSource
	*b = Block{
		Version: Version, CreatedAt: instant(now), UpdatedAt: instant(now), Question: q, FailedBefore: past.Failed,
		Campaign:    Campaign{Asked: q.Campaign, Partners: []string{}},
		DataSources: []DataSource{}, Attempts: []Attempt{}, Escalations: []Escalation{}, OpenAlerts: []Alert{}, Approvals: []Approval{},
	}
	p.ErrorHandling = errorHandling(playbookLadder())
	b.Cadence = cadenceFirst
	if last := past.Last; last != nil {
		b.Campaign = last.TrackSource.Campaign
		b.Campaign.Asked, b.Campaign.Partners = q.Campaign, slices.Clone(b.Campaign.Partners)
		b.Previous, b.Cadence = last.PlanID, cadenceOf(last, now)
		b.Approvals = slices.Clone(last.TrackSource.Approvals)
		for _, s := range last.TrackSource.DataSources {
			s.Source = last.PlanID
			b.DataSources = append(b.DataSources, s)
		}
		p.ErrorHandling = errorHandling(last.ErrorHandling.Escalation)
	}
	b.SuccessMetrics = pendingMetrics(past.Last)
	p.layOut()
	p.log(past, now, told{})
	return p
}

// Complete ends the plan with the package that was made. Past is that of the campaign
// that the package is of, which may be asked for by its name.
func (p *Plan) Complete(pkg *report.Package, done Done, past Past) {
	b := &p.TrackSource
	at := instant(done.At)
	p.Status, b.UpdatedAt, b.FinishedAt = Completed, at, &at
	b.Previous, b.FailedBefore, b.Cadence = "", past.Failed, cadenceFirst
	if past.Last != nil {
		b.Previous, b.Cadence = past.Last.PlanID, cadenceOf(past.Last, b.CreatedAt)
	}
	b.Campaign = campaignOf(b.Question.Campaign, pkg)
	b.Answered = answeredOf(pkg)
	told := toldBy(pkg)
	b.DataSources = sourcesOf(pkg, &told)
	b.SuccessMetrics = metricsOf(pkg, done.Governance)
	b.Approvals = approvalsOf(pkg, done.Governance)
	b.OpenAlerts, b.OpenAlertsLeftOut = alertsOf(pkg)
	b.Package = &Package{Directory: clip(done.Directory), Manifest: done.Manifest, Files: []string{}, Headline: clip(pkg.Headline)}
	for _, f := range done.Files {
		b.Package.Files = append(b.Package.Files, clip(f))
	}
	if done.Governance != nil && len(done.Governance.Escalation.Ladder) > 0 {
		p.ErrorHandling = errorHandling(ladderOf(done.Governance))
	}
	p.layOut()
	p.log(past, b.CreatedAt, told)
}

// Fail ends the plan with why, and with whom that is escalated to: a rung higher for each
// plan of the campaign that was escalated since the last completed one. What the reporter
// refused or whoever asked took back is nobody else's matter.
func (p *Plan) Fail(cause error, now time.Time) {
	b := &p.TrackSource
	at := instant(now)
	p.Status, b.UpdatedAt, b.FinishedAt = Failed, at, &at
	b.Failure = &Failing{outcomeOf(cause), reason(cause)}
	if b.Failure.Outcome == Refused || b.Failure.Outcome == Cancelled {
		return
	}
	board := func(r Rung) bool { return r.Board }
	ladder := slices.DeleteFunc(slices.Clone(p.ErrorHandling.Escalation), board)
	if len(ladder) == 0 {
		ladder = slices.DeleteFunc(playbookLadder(), board)
	}
	n := min(b.FailedBefore, len(ladder)-1)
	r := ladder[n]
	fallback := r.Fallback
	if fallback == "" && n+1 < len(ladder) {
		fallback = ladder[n+1].Rung
	}
	b.Escalations = append(b.Escalations, Escalation{
		At: at, Rung: r.Rung, Owner: r.Owner, Fallback: fallback, Reason: b.Failure.Reason,
		Attempts: len(b.Attempts), Deadline: at.Add(escalationAnswer),
	})
}

// escalationAnswer is how long an owner has before the next run that fails goes to the
// rung above: a package is of a day, and so is its failure.
const escalationAnswer = 24 * time.Hour

// cleanQuestion makes what was asked fit for a plan.
func cleanQuestion(q Question) Question {
	for _, s := range []*string{&q.Campaign, &q.Window, &q.Detail, &q.Model, &q.View, &q.AsOf, &q.Again, &q.Reporter} {
		*s = clip(*s)
	}
	if u, err := url.Parse(q.Reporter); err == nil {
		u.User, u.RawQuery, u.Fragment = nil, "", ""
		q.Reporter = clip(u.String())
	} else {
		q.Reporter = "" // it may be anything, a token among it
	}
	q.Dimensions, q.Formats, q.Given = clipAll(q.Dimensions), clipAll(q.Formats), clipAll(q.Given)
	return q
}

func clipAll(list []string) []string {
	out := []string{}
	for _, s := range list {
		out = append(out, clip(s))
	}
	return out
}

func campaignOf(asked string, pkg *report.Package) Campaign {
	c := Campaign{
		Asked: asked, ID: clip(pkg.Campaign), Name: clip(pkg.Name), Revision: max(pkg.Revision, 0), Contract: hash(pkg.Contract),
		Currency: clip(pkg.Currency), Zone: clip(pkg.Zone), Partners: []string{},
	}
	for _, n := range pkg.Partners {
		c.Partners = append(c.Partners, clip(n.ID))
	}
	return c
}

func answeredOf(pkg *report.Package) *Answered {
	q := pkg.Question
	return &Answered{
		Window: clip(q.Window), From: day(q.From), To: day(q.To), Detail: clip(string(q.Detail)), Dimensions: clipAll(q.Dimensions),
		Model: clip(q.Model), View: clip(string(q.View)), AsOf: instant(pkg.AsOf.Time), Empty: clip(pkg.Empty),
		BehindSeconds: max(pkg.Observed.BehindSeconds, 0), BehindWhy: clip(pkg.Observed.BehindWhy),
	}
}

// The kinds of sources that campaigns have.
const (
	systemCRM       = "crm"
	systemMAP       = "map"
	systemAnalytics = "analytics"
	systemOther     = "other"
)

func sourcesOf(pkg *report.Package, told *told) []DataSource {
	out := []DataSource{}
	for _, f := range pkg.Observed.Feeds {
		s := DataSource{
			Feed: feedName(f), System: systemOther, Partner: clip(f.Partner), Topic: clip(f.Topic), Offsets: []int64{}, Records: max(f.Records, 0),
			AgeSeconds: max(f.AgeSeconds, -1), LimitSeconds: max(f.LimitSeconds, 0), Fresh: f.Fresh, Completeness: decimal(f.Completeness), Complete: f.Complete,
			DeadLetters: max(f.DeadLetters, 0), Source: sourceObserved,
		}
		if c := f.Counts; c != nil {
			s.Counts = &report.FeedCounts{
				Accepted: max(c.Accepted, 0), Duplicates: max(c.Duplicates, 0), Late: max(c.Late, 0), Suppressed: max(c.Suppressed, 0),
				Unmatchable: max(c.Unmatchable, 0), Touches: max(c.Touches, 0), Unmatched: max(c.Unmatched, 0),
			}
			s.MatchRate, _ = s.Counts.MatchRate()
		}
		s.Mapping = told.mapping(s.Feed)
		for _, o := range f.Offsets {
			s.Offsets = append(s.Offsets, max(o, 0))
		}
		if f.Newest != nil {
			at := instant(*f.Newest)
			s.Newest = &at
		}
		if kind, _, _ := strings.Cut(s.Feed, "."); kind == systemCRM || kind == systemMAP || kind == systemAnalytics {
			s.System = kind
		}
		out = append(out, s)
	}
	return out
}

// feedName names a feed among those of all partners, as topics do: its kind and whose.
func feedName(f report.FeedQA) string {
	name := or(f.Feed, systemOther)
	if f.Partner != "" && !strings.Contains(name, ".") {
		name += "." + f.Partner
	}
	return or(clip(name), systemOther)
}

// sourceObserved is the source of what was seen by this run.
const sourceObserved = "observed"

// approvalsMax bounds the signatures that a plan repeats; all of them are on control.
const approvalsMax = 100

func approvalsOf(pkg *report.Package, g *Governance) []Approval {
	out := []Approval{}
	if g != nil {
		for _, s := range g.Signatures {
			out = append(out, Approval{clip(s.Partner), clip(s.Decision), clip(s.By), instant(s.At), clip(s.Title), hash(s.Hash), clip(s.Why)})
		}
	} else if t := pkg.Table("signatures"); t != nil {
		for _, row := range t.Rows {
			at, err := time.Parse(time.RFC3339, cell(t, row, "at"))
			if err != nil {
				continue
			}
			out = append(out, Approval{
				cell(t, row, "partner"), cell(t, row, "decision"), cell(t, row, "by"), instant(at), cell(t, row, "title"), hash(cell(t, row, "hash")), cell(t, row, "why"),
			})
		}
	}
	out = slices.DeleteFunc(out, func(a Approval) bool {
		return a.Partner == "" || a.Manifest == "" || a.Decision != "approved" && a.Decision != "disputed"
	})
	slices.SortStableFunc(out, func(a, b Approval) int { return b.At.Compare(a.At) })
	return out[:min(len(out), approvalsMax)]
}

// alertsMax bounds the open alerts that a plan repeats; the package has more.
const alertsMax = 100

// alertsOf are the package's open alerts, and how many are left out.
func alertsOf(pkg *report.Package) ([]Alert, int) {
	out := []Alert{}
	t := pkg.Table("escalations")
	if t == nil {
		return out, 0
	}
	rows := t.Rows[:min(len(t.Rows), alertsMax)]
	for _, row := range rows {
		out = append(out, Alert{
			cell(t, row, "kind"), cell(t, row, "severity"), cell(t, row, "subject"), cell(t, row, "message"), cell(t, row, "rung"), cell(t, row, "owner"),
			cell(t, row, "fallback"), day(cell(t, row, "since")), day(cell(t, row, "deadline")), cell(t, row, "taken_by"),
		})
	}
	return out, len(t.Rows) - len(rows) + max(t.LeftOut, 0)
}

// cell is a value of a row, empty without the column.
func cell(t *report.Table, row []string, column string) string {
	if i := t.Column(column); i >= 0 && i < len(row) {
		return clip(row[i])
	}
	return ""
}

// ID is the id of a plan that is begun then, the n-th of its second.
func ID(begun time.Time, n int) string {
	id := begun.UTC().Format("plan-20060102-150405")
	if n > 1 {
		id += "-" + strconv.Itoa(n)
	}
	return id
}

// Moved is the plan under another id, because the file of this one is not to be written
// to any more.
func (p *Plan) Moved(id string, why Note) *Plan {
	b := &p.TrackSource
	for i := range b.ChangeLog {
		if b.ChangeLog[i].PlanID == p.PlanID {
			b.ChangeLog[i].PlanID = id
		}
	}
	b.ChangeLog = slices.Insert(b.ChangeLog, 0, Change{
		PlanID: id, At: b.UpdatedAt, Since: b.Previous, Subject: "history", Key: why.PlanID, After: why.What, Why: clip(why.Why),
	})
	p.PlanID = id
	return p
}

// Escalated is whether the plan failed and somebody was told, so that the rung above hears
// of it when it happens again.
func (p *Plan) Escalated() bool { return p.Status == Failed && len(p.TrackSource.Escalations) > 0 }
