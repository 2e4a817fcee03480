package answer

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tracksource/attribution"
	"tracksource/attribution/model"
	"tracksource/contract"
	"tracksource/internal/follow"
	"tracksource/money"
	"tracksource/report"
)

// packageDimensionsMax bounds the dimensions of a package's contributions: more make a
// group of nearly every row.
const packageDimensionsMax = 6

// instant reads the moment that a package is of: an instant, or a day, which is its end in
// the contract's zone, as far as that is over.
func (a *Answers) instant(v report.Viewer, q *Query, now time.Time) (time.Time, error) {
	if q.AsOf == "" {
		return now, &Error{Parameter: "as_of", Detail: "positions are of an instant: give it as well", Allowed: []string{}}
	}
	at, err := time.Parse(time.RFC3339, q.AsOf)
	if err != nil {
		day, wrong := money.ParseDay(q.AsOf)
		if wrong != nil {
			return now, &Error{Parameter: "as_of", Detail: "write an instant as 2026-01-31T18:00:00Z, or a day as 2026-01-31", Allowed: []string{}}
		}
		named := Query{}
		if named.Campaign, err = a.campaignNamed(v, q.Campaign); err != nil {
			return now, err
		}
		of, err := a.ask(v, &named)
		if err != nil {
			return now, err
		}
		// The last instant of the day: the first of the next one would be of that.
		if at = EndOfDay(day, of.campaign.Contract.Zone).Add(-time.Millisecond); day == of.today {
			at = now
		}
	}
	if at = at.UTC().Truncate(time.Millisecond); at.After(now) {
		return now, &Error{Parameter: "as_of", Detail: "that is to come", Allowed: []string{}}
	}
	return at, nil
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
	if err := out.readPackageModel(q.Model); err != nil {
		return nil, err
	}
	names := q.By
	if len(names) == 0 && out.isWhole() {
		names = []string{string(report.Partner)}
	}
	if out.dims, err = packageDimensions(names); err != nil {
		return nil, err
	}
	if err := out.readWhole(); err != nil {
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

// readPackageModel reads the model. One that gives the whole of a deal to several has no
// contributions that sum to totals.
func (p *packaging) readPackageModel(name string) error {
	c := p.campaign.Contract
	if name == "" || name == string(model.MultiTouch) {
		name = c.MultiTouch
	}
	var allowed []string
	for _, s := range report.Specs(c) {
		if s.Spec.Model != model.Participation {
			allowed = append(allowed, s.ID)
		}
		if s.ID == name {
			p.spec = s
		}
	}
	switch {
	case p.spec.ID == "":
		return &Error{Parameter: "model", Detail: fmt.Sprintf("there is no model %q; allowed lists those there are", name), Allowed: allowed}
	case !slices.Contains(allowed, name):
		return &Error{Parameter: "model", Detail: name + " gives the whole of a deal to several, so that its contributions do not sum to totals; every package compares it with the others; allowed lists those that a package is made of", Allowed: allowed}
	}
	if p.Model = name; p.isWhole() {
		p.Model = c.MultiTouch // of what it does not tell
	}
	return nil
}

// isWhole reports whether the model looks at whole journeys: it tells contributions by one
// dimension, and no days.
func (p *packaging) isWhole() bool { return p.spec.Spec.Model.IsGroup() }

// readWhole checks what a model of whole journeys is asked by. Who sees its own rows sees
// its own share of it.
func (p *packaging) readWhole() error {
	if !p.isWhole() {
		return nil
	}
	var allowed []string
	for _, d := range packageDimensionsAll() {
		if d.step == "" && (d.of == report.Partner || p.sight != report.SeesOwn) {
			allowed = append(allowed, d.name)
		}
	}
	if len(p.dims) != 1 || !slices.Contains(allowed, p.dims[0].name) {
		return &Error{Parameter: "by", Detail: p.spec.ID + " looks at whole journeys, and tells them by one dimension; allowed lists those there are", Allowed: allowed}
	}
	return nil
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
		{name: "partner", of: report.Partner},
		{name: "channel", of: report.Channel},
		{name: "asset", of: report.Asset},
		{name: "region", of: report.Region},
		{name: "segment", of: report.Segment},
		{name: dimensionCampaign, of: report.TouchCampaign},
		{name: "source", of: report.Source},
		{name: "day", of: report.Day, step: report.ByDay},
		{name: "week", of: report.Day, step: report.ByWeek},
		{name: "month", of: report.Day, step: report.ByMonth},
	}
}

// PackageDimensions returns the names of what contributions of a package can be told by,
// in the order in which they are listed.
func PackageDimensions() []string {
	var names []string
	for _, d := range packageDimensionsAll() {
		names = append(names, d.name)
	}
	return names
}

func packageDimensions(names []string) ([]packageDimension, error) {
	if len(names) == 0 {
		names = []string{"partner", "channel"}
	}
	all, allowed := packageDimensionsAll(), PackageDimensions()
	var dims []packageDimension
	for _, name := range names {
		at := slices.Index(allowed, name)
		switch {
		case at < 0:
			return nil, &Error{Parameter: "by", Detail: fmt.Sprintf("there is no dimension %q; allowed lists those there are", name), Allowed: allowed}
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
		if e := new(Error); errors.As(err, &e) && e.Parameter == "window" {
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

// campaignDays are the days of the campaign so far: as its contract has them, and from
// the first day with a row on where it does not say when it starts.
func (p *packaging) campaignDays() (report.Span, error) {
	c := p.campaign.Contract
	span := report.Span{From: p.today, To: p.today}
	if c.HasEnds {
		span.To = min(c.Ends, p.today)
	}
	if c.HasStarts {
		return report.Span{From: c.Starts, To: max(span.To, c.Starts)}, nil
	}
	days, known, err := p.daysWithRows()
	if err != nil {
		return report.Span{}, err
	}
	if known {
		span.From = days.From
	}
	span.From = min(span.From, span.To)
	return span, nil
}

// daysWithRows are the first and the last day of which there is a row that the viewer
// sees, false without any.
func (p *packaging) daysWithRows() (report.Span, bool, error) {
	ask := p.askFor(report.Day)
	ask.Within = nil
	var span report.Span
	known := false
	of := *p.asked // under the agreed model, which has rows of the same days
	of.Model, of.computed = p.campaign.Contract.MultiTouch, nil
	for _, name := range contributionMeasures() {
		f, err := of.figures(attribution.MeasureNamed(name), ask)
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
		Model: p.spec.ID, View: p.view,
	}
	for _, d := range p.dims {
		out.Dimensions = append(out.Dimensions, d.name)
	}
	out.ModelName = modelName(p.spec)
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
