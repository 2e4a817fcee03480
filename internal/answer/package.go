package answer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/internal/follow"
	"tracksource/money"
	"tracksource/report"
)

// packageDimensionsMax bounds the dimensions of a package's contributions: more make a
// group of nearly every row.
const packageDimensionsMax = 6

// packaging is a package while it is put together, under the eyes of its viewer.
type packaging struct {
	*asked
	ctx  context.Context
	p    *report.Package
	dims []packageDimension
}

// Package is everything that a reporting package shows, all of one moment: whatever is
// in it is computed from the same rows, facts and decisions, with one clock.
func (a *Answers) Package(ctx context.Context, v report.Viewer, q Query) (*report.Package, error) {
	return a.at(a.follow, a.cfg.Line, a.cfg.Clock()).packageOf(ctx, v, &q)
}

// at is the answers as they were given from what is followed, at an instant.
func (a *Answers) at(f *follow.Follow, line Line, now time.Time) *Answers {
	cfg := a.cfg
	cfg.Follow, cfg.Line, cfg.Clock = f, line, func() time.Time { return now }
	return &Answers{cfg: cfg, follow: f}
}

func (a *Answers) packageOf(ctx context.Context, v report.Viewer, q *Query) (*report.Package, error) {
	of, err := a.askPackage(v, q)
	if err != nil {
		return nil, err
	}
	c := of.campaign.Contract
	of.p = &report.Package{
		Version: report.PackageVersion, Campaign: of.Campaign, Name: c.Name, Proposed: of.Proposed, Revision: of.campaign.Record.Revision,
		Contract: of.campaign.Record.Hash, Currency: c.Currency, Zone: c.Zone.String(), Partners: []report.Named{}, MadeFor: v.Partner,
		AsOf:  report.AsOf{Time: a.cfg.Clock().UTC(), Positions: map[string][]int64{}},
		Spine: []report.KPI{}, Drivers: []report.Insight{}, Risks: []report.Insight{}, Opportunities: []report.Insight{},
		Decisions: []report.Decision{}, Actions: []report.Action{}, Insights: []report.Insight{}, Tables: []report.Table{}, Method: []report.Note{},
		Observed: report.Observed{Feeds: []report.FeedQA{}},
	}
	for _, p := range c.Partners {
		of.p.Partners = append(of.p.Partners, report.Named{ID: p.ID, Name: p.Name})
	}
	of.ctx = ctx
	if err := of.question(q); err != nil {
		return nil, err
	}
	if err := of.fill(); err != nil {
		return nil, err
	}
	of.p.Withheld, of.p.AsOf.Newest = of.Withheld, of.AsOf
	return of.p, of.p.Check()
}

// fill makes the parts in their order.
func (p *packaging) fill() error {
	for _, part := range []func() error{p.contributions, p.totals, p.partnerTable} {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// askPackage reads the question.
func (a *Answers) askPackage(v report.Viewer, q *Query) (*packaging, error) {
	named := *q
	var err error
	if named.Campaign, err = a.campaignNamed(v, q.Campaign); err != nil {
		return nil, err
	}
	of, err := a.ask(v, &named)
	if err != nil {
		return nil, err
	}
	out := &packaging{asked: of}
	out.contractCurrency = true
	if named.View == "" {
		named.View = string(report.AsKnown) // closed periods stay as they were signed
	}
	if err := of.readPackageView(named.View); err != nil {
		return nil, err
	}
	if err := of.readModel(q); err != nil {
		return nil, err
	}
	if out.dims, err = packageDimensions(q.By); err != nil {
		return nil, err
	}
	return out, out.readPackageWindow(q)
}

// campaignNamed finds the book of a campaign by its id, or by its name in any case. An
// agreed campaign is meant before a proposal of it.
func (a *Answers) campaignNamed(v report.Viewer, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	list, err := a.visible(v)
	if err != nil {
		return "", err
	}
	var called []*follow.Campaign
	allowed := []string{}
	for _, c := range list {
		if c.Book == name {
			return c.Book, nil
		}
		if strings.EqualFold(c.Contract.Name, name) {
			called = append(called, c)
		}
		allowed = append(allowed, fmt.Sprintf("%s (%s)", c.Book, c.Contract.Name))
	}
	switch {
	case len(called) == 1, len(called) > 1 && !called[0].Proposed && called[1].Proposed: // agreed ones are first
		return called[0].Book, nil
	case len(called) > 1:
		return "", &Error{Parameter: "campaign", Detail: "several campaigns have that name; give the id of one", Allowed: allowed}
	case len(list) == 0:
		return "", &Error{Parameter: "campaign", Detail: "there is no contract yet that you take part in", Allowed: allowed}
	}
	return "", &Error{Parameter: "campaign", Detail: "there is no such campaign; allowed lists those there are, each with its name", Allowed: allowed}
}

// readPackageView reads which of the views of all days a package is of.
func (q *asked) readPackageView(name string) error {
	view, err := one("view", name, []string{string(report.AsKnown), string(report.Restated)})
	q.view, q.View = report.View(view), view
	return err
}

// packageDimension is what contributions of a package are told by.
type packageDimension struct {
	name string
	of   report.Dimension
	step report.Step // of days that are put together; empty for other dimensions
}

// dimensionCampaign is what people call the campaign that a touch belongs to.
const dimensionCampaign = "campaign"

// packageDimensionsAll returns what there is to choose from, in the order in which it is
// listed.
func packageDimensionsAll() []packageDimension {
	return []packageDimension{
		{name: "partner", of: report.Partner}, {name: "channel", of: report.Channel}, {name: "asset", of: report.Asset}, {name: "region", of: report.Region},
		{name: "segment", of: report.Segment}, {name: dimensionCampaign, of: report.TouchCampaign}, {name: "source", of: report.Source},
		{name: "day", of: report.Day, step: report.ByDay}, {name: "week", of: report.Day, step: report.ByWeek}, {name: "month", of: report.Day, step: report.ByMonth},
	}
}

func packageDimensions(names []string) ([]packageDimension, error) {
	if len(names) == 0 {
		names = []string{"partner", "channel"}
	}
	all := packageDimensionsAll()
	allowed := make([]string, len(all))
	for i, d := range all {
		allowed[i] = d.name
	}
	var dims []packageDimension
	for _, name := range names {
		at := slices.Index(allowed, name)
		switch {
		case at < 0:
			return nil, &Error{Parameter: "by", Detail: "there is no such dimension; allowed lists those there are", Allowed: allowed}
		case slices.Contains(dims, all[at]):
			return nil, &Error{Parameter: "by", Detail: "a dimension is named twice", Allowed: allowed}
		case len(dims) == packageDimensionsMax:
			return nil, &Error{Parameter: "by", Detail: fmt.Sprintf("more than %d dimensions", packageDimensionsMax), Allowed: allowed}
		}
		dims = append(dims, all[at])
	}
	return dims, nil
}

// rowDimensions are the dimensions of rows that the dimensions of the package are made of.
func rowDimensions(dims []packageDimension) []report.Dimension {
	var out []report.Dimension
	for _, d := range dims {
		if !slices.Contains(out, d.of) {
			out = append(out, d.of)
		}
	}
	return out
}

// WindowCampaign is the days of a campaign.
const WindowCampaign = "campaign"

// packageWindows lists the windows that people are offered.
func packageWindows() []string {
	return []string{"7d", "30d", "90d", WindowCampaign, report.WindowAll}
}

func (p *packaging) readPackageWindow(q *Query) error {
	if q.Window != WindowCampaign || q.From != "" || q.To != "" {
		err := p.readWindow(q)
		if e, ok := err.(*Error); ok && e.Parameter == "window" {
			return &Error{Parameter: "window", Detail: e.Detail + ", or campaign for the days of the campaign, or from and to", Allowed: packageWindows()}
		}
		return err
	}
	span, err := p.campaignDays()
	if err != nil {
		return err
	}
	p.window = report.Window{Name: WindowCampaign, Span: &span}
	p.Window = &Window{Name: WindowCampaign, From: span.From.String(), To: span.To.String()}
	return nil
}

// campaignDays are the days of the campaign so far: as its contract has them, else from
// the first day with a row on.
func (p *packaging) campaignDays() (report.Span, error) {
	days, known, err := p.daysWithRows()
	if err != nil {
		return report.Span{}, err
	}
	span := report.Span{From: p.today, To: p.today}
	if known {
		span.From = min(days.From, p.today)
	}
	return span, nil
}

// daysWithRows are the first and the last day of which there is a row that the viewer
// sees, false without any.
func (p *packaging) daysWithRows() (report.Span, bool, error) {
	ask := p.askFor(report.Day)
	ask.Within = nil
	var span report.Span
	known := false
	for _, name := range contributionMeasures() {
		f, err := p.figures(attribution.MeasureNamed(name), ask)
		if err != nil {
			return span, false, err
		}
		for _, g := range f.Breakdown.Groups {
			day, err := money.ParseDay(g.Key[0])
			if err != nil {
				return span, false, err
			}
			if !known {
				span, known = report.Span{From: day, To: day}, true
			}
			span.From, span.To = min(span.From, day), max(span.To, day)
		}
	}
	return span, known, nil
}

// question says in the package what it answers.
func (p *packaging) question(q *Query) error {
	var details []string
	for _, d := range report.Details() {
		details = append(details, string(d))
	}
	detail, err := one("detail", q.Detail, details)
	if err != nil {
		return err
	}
	out := report.PackageQuestion{
		Window: p.Window.Name, From: p.Window.From, To: p.Window.To, Detail: report.Detail(detail), Dimensions: []string{},
		Model: p.Model, View: p.view,
	}
	for _, d := range p.dims {
		out.Dimensions = append(out.Dimensions, d.name)
	}
	for _, s := range report.Specs(p.campaign.Contract) {
		if s.ID == p.Model {
			out.ModelName = modelName(s)
		}
	}
	p.p.Question = out
	p.p.Title = cmp.Or(p.campaign.Contract.Name, p.Campaign) + ", " + windowWords(&out)
	if _, proposed := contract.CampaignOfBook(p.Campaign); proposed {
		p.p.Title += ", as proposed"
	}
	return nil
}

// windowWords is the window of a package as its title says it.
func windowWords(q *report.PackageQuestion) string {
	if q.From == "" {
		return "all days"
	}
	return q.From + " to " + q.To
}
