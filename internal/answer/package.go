package answer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tracksource/attribution"
	"tracksource/internal/follow"
	"tracksource/report"
)

// packaging is a package while it is put together, under the eyes of its viewer.
type packaging struct {
	*asked
	ctx  context.Context
	p    *report.Package
	dims []packageDimension
	spec report.NamedSpec    // of the model
	main attribution.Measure // that it is told by: see readMain

	said         *decided         // what signatories said
	figuresInAll []report.Figure  // none for who does not see them
	figuresOf    []partnerFigures // of each partner
	disputed     []DisputeLine    // the newest first
	open         []AlertLine      // the newest first
	spent        map[paidFor]report.Value
	quotas       []report.Target // that the coverage of cohorts is held against

	// What findings and the story are made from.
	paces     []report.PaceQuestion
	anomalous report.AnomalyQuestion
	known     *report.DealQuestion // see dealQuestion
	people    []report.StageCount
	credits   map[report.Dimension][2]report.Breakdown // of the main measure, and of revenue
	changed   report.ChangeQuestion
	story     report.StoryInput
	compared  comparison
	cohorts   *later[[]report.Table]
}

// Past reads again what was followed at an earlier moment. It is safe for concurrent use.
// An error that says to its asker what to do is an [*Error].
type Past interface {
	// Positions are where the topics stood at an instant that is over.
	Positions(ctx context.Context, at time.Time) (follow.Positions, error)
	// Read calls fn with what was followed at positions, and how the line in front of it
	// stood at the instant, nil where nobody knows. Neither is used once fn has returned.
	Read(ctx context.Context, positions follow.Positions, at time.Time, fn func(f *follow.Follow, line Line) error) error
}

// Package is everything that a reporting package shows, all of one moment: whatever is
// in it is computed from the same rows, facts and decisions, with one clock. That moment
// is now, an instant that is over, or the positions of a package that was made then,
// which comes out the same.
func (a *Answers) Package(ctx context.Context, v report.Viewer, q Query) (*report.Package, error) {
	now := a.cfg.Clock().UTC().Truncate(time.Second)
	if q.AsOf == "" && q.Positions == "" {
		return a.at(a.follow, a.cfg.Line, now).packageOf(ctx, v, &q)
	}
	at, err := a.instant(v, &q, now)
	if err != nil {
		return nil, err
	}
	positions, err := follow.ParsePositions(q.Positions)
	if err != nil {
		return nil, &Error{Parameter: "positions", Detail: err.Error(), Allowed: []string{}}
	}
	if a.cfg.Past == nil {
		return nil, &Error{Parameter: "as_of", Detail: "here nobody reads what was known at another time than now", Allowed: []string{}}
	}
	if q.Positions == "" {
		if positions, err = a.cfg.Past.Positions(ctx, at); err != nil {
			return nil, err
		}
	}
	var out *report.Package
	err = a.cfg.Past.Read(ctx, positions, at, func(f *follow.Follow, line Line) (err error) {
		then := a.at(f, line, at)
		if err := a.sightNow(v, then, &q); err != nil {
			return err
		}
		out, err = then.packageOf(ctx, v, &q)
		return err
	})
	return out, err
}

// at is the answers as they were given from what is followed, at an instant.
func (a *Answers) at(f *follow.Follow, line Line, now time.Time) *Answers {
	cfg := a.cfg
	cfg.Follow, cfg.Line, cfg.Clock = f, line, func() time.Time { return now }
	return &Answers{cfg: cfg, follow: f}
}

func (a *Answers) packageOf(ctx context.Context, v report.Viewer, q *Query) (*report.Package, error) {
	var of *packaging
	err := a.follow.Still(func(positions follow.Positions) (err error) {
		if of, err = a.askPackage(v, q); err != nil {
			return err
		}
		of.ctx = ctx
		of.begin(positions)
		if err := of.question(q); err != nil {
			return err
		}
		return of.read()
	})
	if err != nil {
		return nil, err
	}
	if err := of.tell(); err != nil {
		return nil, err
	}
	of.p.Withheld = of.Withheld
	of.listed()
	return of.p, of.p.Check()
}

// begin makes the package without what it answers.
func (p *packaging) begin(positions follow.Positions) {
	c := p.campaign.Contract
	p.p = &report.Package{
		Version: report.PackageVersion, Campaign: p.Campaign, Name: c.Name, Proposed: p.Proposed, Revision: p.campaign.Record.Revision,
		Contract: p.campaign.Record.Hash, Currency: c.Currency, Zone: c.Zone.String(), Partners: []report.Named{}, MadeFor: p.viewer.Partner,
		AsOf:  report.AsOf{Time: p.cfg.Clock(), Positions: map[string][]int64{}},
		Spine: []report.KPI{}, Drivers: []report.Insight{}, Risks: []report.Insight{}, Opportunities: []report.Insight{},
		Decisions: []report.Decision{}, Actions: []report.Action{}, Insights: []report.Insight{}, Tables: []report.Table{}, Method: []report.Note{},
		Observed: report.Observed{Feeds: []report.FeedQA{}},
	}
	for topic, next := range positions {
		p.p.AsOf.Positions[topic] = append([]int64{}, next...)
	}
	for _, partner := range c.Partners {
		p.p.Partners = append(p.p.Partners, report.Named{ID: partner.ID, Name: partner.Name})
	}
}

// read makes what is read from the topics, which stand still meanwhile. What is behind
// the story is left out of a summary.
func (p *packaging) read() error {
	rows := p.loadRows()
	defer func() { <-rows.done }()
	loaded := func() error {
		_, err := rows.wait()
		return err
	}
	parts := []func() error{
		p.readDeals, loaded, p.readQuotas, p.readComputed, p.readMain, p.governed, p.emptiness,
		p.contributions, p.totals, p.partnerTable, p.adjustments, p.overTime, p.funnels, p.keyFigureTable,
		p.guardrailTable, p.confidenceTable, p.disputeTable, p.escalations, p.signatureTable, p.revisionTable, p.mappingTable, p.spendTable,
		p.readPaces, p.readSeries, p.readRanks, p.readChanges, p.readPeople, p.readStory,
	}
	if p.p.Question.Detail == report.Full {
		parts = append(parts, p.worksheet)
	}
	return p.each(parts)
}

// loadRows begins to read the rows of what is told by every package, while deals are read.
func (p *packaging) loadRows() *later[struct{}] {
	book, model := p.campaign.Book, p.Model
	if !p.spec.InLedger {
		model = p.campaign.Contract.MultiTouch
	}
	return start(func() (none struct{}, err error) {
		for _, name := range contributionMeasures() {
			if err := p.ctx.Err(); err != nil {
				return none, err
			}
			if _, err := p.follow.SumAll(book, name, model); err != nil {
				return none, err
			}
		}
		return none, nil
	})
}

// tell makes what follows from what was read. The story is told before the feeds are
// looked at: it must be the same when the package is made again, and how they stood
// cannot be seen again.
//
// What takes long and looks at nothing but deals is worked out meanwhile; where it stands in
// the package does not depend on when it is ready.
func (p *packaging) tell() error {
	full := p.p.Question.Detail == report.Full
	if err := p.compareModels(); err != nil {
		return err
	}
	defer func() { <-p.compared.results.done }()
	if full {
		p.followCohorts()
		defer func() { <-p.cohorts.done }()
	}
	parts := []func() error{p.pacing, p.anomalies, p.changes, p.dropOffs, p.outliers, p.modelTables, p.rank}
	if full {
		parts = append(parts, p.cohortTables, p.dealTable)
	}
	return p.each(append(parts, p.tellStory, p.method, p.observe))
}

func (p *packaging) each(parts []func() error) error {
	for _, part := range parts {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// rowSpec is the model that there are rows of: the one asked, or the agreed one beside a
// model of whole journeys, computed as well, so that both are of the same days.
func (p *packaging) rowSpec() report.NamedSpec {
	if !p.isWhole() {
		return p.spec
	}
	c := p.campaign.Contract
	return report.NamedSpec{ID: c.MultiTouch, Spec: c.Specs[slices.Index(c.Models, c.MultiTouch)], InLedger: true}
}

// readQuotas reads what the coverage of cohorts is held against. Who sees its own rows has
// no deals to hold against the quota of all.
func (p *packaging) readQuotas() error {
	var err error
	if p.sight != report.SeesOwn {
		p.quotas, err = p.targets()
	}
	return err
}

// readComputed makes the rows of a model that the ledger does not have.
func (p *packaging) readComputed() error {
	if p.spec.InLedger {
		return nil
	}
	all, err := p.allDeals(p.ctx)
	if err != nil {
		return err
	}
	p.computed, err = report.Computed(all, p.specOf(p.rowSpec()))
	return err
}

// emptiness says why there is nothing to report, where no row is of the window, and which
// days have rows.
func (p *packaging) emptiness() error {
	for _, name := range contributionMeasures() {
		f, err := p.figures(attribution.MeasureNamed(name), p.askFor())
		if err != nil {
			return err
		}
		if f.Breakdown.Rows > 0 {
			return nil
		}
	}
	days, known, err := p.daysWithRows()
	if err != nil {
		return err
	}
	p.p.Empty = "There are no contributions yet."
	if known {
		p.p.Empty = fmt.Sprintf("There are no contributions from %s to %s; there are some from %s to %s.", p.Window.From, p.Window.To, days.From, days.To)
	}
	return nil
}

// method says how the numbers came about.
func (p *packaging) method() error {
	c := p.campaign.Contract
	p.note("Attribution", p.p.Question.ModelName+" shares conversions among the touches before them, to the minor unit; what no eligible touch precedes is "+report.Unattributed+".")
	switch {
	case p.isWhole():
		p.note("Model", p.p.Question.ModelName+" is computed over all journeys together, from the facts of deals, each on the day that it is of, and gives the contributions. All else that is credited is by "+c.MultiTouch+", the agreed model.")
	case p.computed != nil:
		p.note("Model", "The ledger does not keep this model: its values are computed from the facts of deals, each on the day that it is of. Who sourced and influenced deals is the same under all models; what people reach is credited by "+c.MultiTouch+", the agreed one.")
	}
	view := "Values are told by the day that they are booked on, so that closed days stay as they were signed; what came later of them is in adjustments."
	if p.view == report.Restated {
		view = "Values are told by the day that they are of, with all that came to be known of it since."
	}
	p.note("Days", fmt.Sprintf("Days begin and end in %s. %s", p.p.Zone, view))
	p.note("Money", "All money is in "+p.p.Currency+", at the rate of the day that it is of.")
	p.note("Feeds", "A feed's completeness is the part that came of what its partner said it sent, and its match rate the part of its touches that are on a known account. A touch that is not is credited on an account that stands in for one, and moves once a link says whose it is. Confidence looks at what came, account by account; it cannot know what did not come.")
	if len(p.Restating) > 0 {
		p.note("Restating", "The book is being restated: values still in "+strings.Join(p.Restating, ", ")+" are in no total.")
	}
	if p.Withheld {
		p.note("Withheld", "The contract's visibility leaves something out for who this was made for.")
	}
	return nil
}
