package report

import (
	"cmp"
	"math"
	"math/big"
	"slices"

	"tracksource/contract"
	"tracksource/money"
)

// StoryInput is what a package's story is told from, beside what is in the package: its
// insights and its question. All of it is what the viewer may see.
type StoryInput struct {
	Contract *contract.Contract
	// Day is the contract day that the package is as of: what is due is due behind it.
	Day money.Day
	// Measures are what the window has of revenue, pipeline_created, opportunities, won
	// and the contract's milestones, in any order.
	Measures []StoryMeasure
	// Paces are those of all partners together and of each one.
	Paces []Pace
	// Figures are the key figures of all partners together.
	Figures []Figure
	// Guarded are the guardrails as they were last evaluated.
	Guarded []Guarded
	// Confidence is what of the attributed revenue is certain, else of the pipeline; nil
	// where there is neither.
	Confidence   *big.Rat
	Adherence    Adherence // of all feeds
	Satisfaction []PartnerSatisfaction
	Disputes     []StoryDispute // that are open
	Pending      []Pending
	Alerts       []StoryAlert // that are open
	// Yields are what was spent on assets and channels and what they gave under the
	// package's model, of [RankQuestion.Yields], and Leaks those of [DropOffs].
	Yields []Yield
	Leaks  []Leak
}

// StoryMeasure is a measure over the window.
type StoryMeasure struct {
	Measure, Currency string // Currency is empty for counts
	// Value is nil where it is withheld, and Previous, of as many days before, also where
	// there are no such days.
	Value, Previous *Value
	// Target is what the targets ask for on all of the window's days, and Expected on
	// those up to the day of the story; nil without a target.
	Target, Expected *Value
}

// Aim sets what the goals ask for on the days of a window, of [GoalsOf].
func (m *StoryMeasure) Aim(goals []Goal, window Span, day money.Day, places int) {
	target, expected := In(goals, window, places), In(goals, Span{window.From, min(window.To, day)}, places)
	if target.Sign() > 0 {
		m.Target, m.Expected = &target, &expected
	}
}

// Guarded is how one guardrail stands.
type Guarded struct {
	Reading
	Day   money.Day     // that was evaluated
	Band  contract.Band // empty where there was no data
	Since money.Day     // first day of the run of that band
}

// PartnerSatisfaction is how content one partner can be.
type PartnerSatisfaction struct {
	Partner string
	Satisfaction
}

// StoryDispute is a dispute that is open.
type StoryDispute struct {
	ID, Partner, Deal string
	About, Against    string // sourcing or credit, and whose credit
	Opened            money.Day
	// Escrow is what of it is in escrow in the contract's currency: of revenue, else of
	// the pipeline; nil where that is not to be seen or not known.
	Escrow *Value
}

// PendingOf is what waits for approvals.
type PendingOf string

// What waits for approvals.
const (
	PendingRevision  PendingOf = "revision"
	PendingReopening PendingOf = "reopening"
	PendingSignature PendingOf = "signature" // of the package before this one
)

// Pending is what waits for the approval of partners.
type Pending struct {
	Of      PendingOf
	What    string   // the revision's number, the day, or the title of the package
	Missing []string // partners that have not approved
	Refused []string // partners that have refused
	Since   money.Day
}

// StoryAlert is an alert that is open.
type StoryAlert struct {
	ID, Kind, Severity, Subject, Message string
	Rung, Owner, Fallback                string
	Since                                money.Day // 0 where it has none
	Deadline                             money.Day // 0 where it does not climb
	Taken                                string    // by whom; empty: nobody
	Board                                bool      // it is with the board
}

// Yield is what was spent on an asset or a channel in the window, and what it gave.
type Yield struct {
	Subject
	Spend, Revenue Value
	Won            int // deals that began with it
}

// Leak is a step between stages on which deals of a partner, a channel or a segment are
// lost more often than those of the others.
type Leak struct {
	Subject
	From, To        string
	Entered, Passed int
	Baseline        *big.Rat // of the others: how many of one pass
	// Onward is how many of one deal that passed is won in the whole campaign, nil where
	// that is not known.
	Onward *big.Rat
}

// Yields are those of the values that something was spent on, by key.
func (q *RankQuestion) Yields() []Yield {
	var list []Yield
	for _, r := range q.rows() {
		if r.isSpent && isNamed(r.key) {
			list = append(list, Yield{Subject{string(q.Dimension), r.key}, r.spend, r.revenue, r.won})
		}
	}
	slices.SortFunc(list, func(a, b Yield) int { return cmp.Compare(a.Key, b.Key) })
	return list
}

// Tell fills the story of a package: Headline, Spine, Drivers, Risks, Opportunities,
// Decisions and Actions. Insights of the package are read and left as they are.
func Tell(p *Package, in StoryInput) {
	in.settle()
	t := &teller{p: p, in: &in}
	p.Spine = t.spine()
	p.Headline = t.headline()
	p.Drivers, p.Risks, p.Opportunities = t.drivers(), t.risks(), t.opportunities()
	p.Decisions = t.decisions()
	p.Actions = t.actions()
}

// settle puts the lists whose order the caller may not know into one, without changing the
// caller's.
func (in *StoryInput) settle() {
	in.Guarded = slices.SortedStableFunc(slices.Values(in.Guarded), func(a, b Guarded) int {
		return cmp.Or(cmp.Compare(a.Guardrail, b.Guardrail), cmp.Compare(a.Since, b.Since), cmp.Compare(a.Subject, b.Subject))
	})
	in.Disputes = slices.SortedStableFunc(slices.Values(in.Disputes), func(a, b StoryDispute) int {
		return cmp.Or(cmp.Compare(a.Opened, b.Opened), cmp.Compare(a.ID, b.ID))
	})
	severities := []string{"critical", "error", "warning", "info"}
	last := func(d money.Day) money.Day { // without a deadline, behind those with one
		if d == 0 {
			return math.MaxInt32
		}
		return d
	}
	in.Alerts = slices.SortedStableFunc(slices.Values(in.Alerts), func(a, b StoryAlert) int {
		return cmp.Or(
			cmp.Compare(slices.Index(severities, a.Severity), slices.Index(severities, b.Severity)),
			cmp.Compare(last(a.Deadline), last(b.Deadline)), cmp.Compare(a.ID, b.ID),
		)
	})
}

// teller tells the story of one package.
type teller struct {
	p  *Package
	in *StoryInput
}

// named is a subject in the middle of a sentence.
func (t *teller) named(s Subject) string { return named(t.in.Contract, s) }

// names are partners in a sentence, of many the first few and how many more.
func (t *teller) names(ids []string) string { return inWords(partnerNames(t.in.Contract, ids)) }
