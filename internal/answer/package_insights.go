package answer

import (
	"slices"
	"strings"

	"tracksource/attribution"
	"tracksource/attribution/model"
	"tracksource/report"
)

// found puts findings into the package.
func (p *packaging) found(list []report.Insight) {
	p.p.Insights = append(p.p.Insights, list...)
}

// listed makes lists of what has none, since a list that is empty is written as one.
func (p *packaging) listed() {
	of := p.p
	for _, list := range []*[]report.Insight{&of.Insights, &of.Drivers, &of.Risks, &of.Opportunities} {
		*list = append([]report.Insight{}, *list...)
		for i := range *list {
			in := &(*list)[i]
			in.About, in.Evidence = append([]report.Subject{}, in.About...), append([]report.Evidence{}, in.Evidence...)
		}
	}
	of.Spine, of.Decisions, of.Actions = append([]report.KPI{}, of.Spine...), append([]report.Decision{}, of.Decisions...), append([]report.Action{}, of.Actions...)
	for i := range of.Actions {
		a := &of.Actions[i]
		a.About, a.Evidence = append([]report.Subject{}, a.About...), append([]report.Evidence{}, a.Evidence...)
	}
}

// rankedBy are the dimensions whose values are put in order.
func rankedBy() []report.Dimension {
	return []report.Dimension{report.Asset, report.Channel, report.Segment}
}

// readRanks reads what the values of each dimension are credited with.
func (p *packaging) readRanks() error {
	p.credits = map[report.Dimension][2]report.Breakdown{}
	for _, d := range rankedBy() {
		var of [2]report.Breakdown
		for i, m := range []attribution.Measure{p.main, attribution.MeasureNamed(attribution.MeasureRevenue)} {
			f, err := p.figures(m, p.askFor(d))
			if err != nil {
				return err
			}
			of[i] = f.Breakdown
		}
		p.credits[d] = of
	}
	return nil
}

// readPeople counts those who came to each stage, as whole people: by partner and channel
// under a model that credits one touch, by segment under any.
func (p *packaging) readPeople() error {
	if p.sight == report.SeesOwn {
		return nil // people of others are theirs alone
	}
	c := p.campaign.Contract
	one := slices.IndexFunc(c.Specs, func(s model.Spec) bool { return s.Model == model.FirstTouch || s.Model == model.LastTouch })
	name, computed := p.Model, p.computed
	defer func() { p.Model, p.computed = name, computed }()
	p.Model, p.computed = c.MultiTouch, nil
	dims := []report.Dimension{report.Segment}
	if one >= 0 {
		p.Model = c.Models[one]
		dims = []report.Dimension{report.Partner, report.Channel, report.Segment}
	}
	for _, stage := range append(slices.Clone(c.Milestones), attribution.MeasureOpportunities) {
		for _, d := range dims {
			f, err := p.figures(attribution.MeasureNamed(stage), p.askFor(d))
			if err != nil {
				return err
			}
			for _, g := range f.Breakdown.Groups {
				if n, ok := wholeOf(g.Value); ok {
					p.people = append(p.people, report.StageCount{Dimension: d, Key: g.Key[0], Stage: stage, Count: n})
				}
			}
		}
	}
	return nil
}

// wholeOf is a count without a part that somebody else has.
func wholeOf(v report.Value) (int64, bool) {
	text := v.Text(0)
	n := int64(0)
	for _, r := range text {
		if r < '0' || r > '9' {
			return 0, false
		}
		const most = 1 << 50
		if n = 10*n + int64(r-'0'); n > most {
			return 0, false
		}
	}
	return n, true
}

// dealQuestion is which deals findings are looked for in: of the whole campaign, as far as
// the viewer is told of them. Those of a window alone have not had their time.
func (p *packaging) dealQuestion() report.DealQuestion {
	if p.known == nil {
		p.known = ref(report.DealQuestion{Contract: p.campaign.Contract, Today: p.today, Deals: p.toldDeals()}.Known())
	}
	return *p.known
}

// rank puts the values of dimensions in order.
func (p *packaging) rank() error {
	for _, d := range rankedBy() {
		of := p.credits[d]
		spend := map[string]report.Value{}
		if d != report.Segment {
			spend = p.spentOn(d)
		}
		q := report.RankQuestion{DealQuestion: p.dealQuestion(), Dimension: d, Measure: p.main.Name, Credit: of[0], Revenue: of[1], Spend: spend}
		t, insights := report.Rank(q)
		p.add(t)
		p.found(insights)
		p.story.Yields = append(p.story.Yields, q.Yields()...)
	}
	p.known = nil // they are the last to look
	return nil
}

// dropOffs are where deals and people are lost on the way.
func (p *packaging) dropOffs() error {
	t, insights, leaks := report.DropOffs(p.dealQuestion(), p.people)
	p.add(t)
	p.found(insights)
	p.story.Leaks = leaks
	return nil
}

func (p *packaging) outliers() error {
	t, insights := report.Outliers(p.dealQuestion())
	p.add(t)
	p.found(insights)
	return nil
}

func (p *packaging) anomalies() error {
	if len(p.anomalous.Series) > 0 {
		p.found(report.Anomalies(p.anomalous))
	}
	return nil
}

// readChanges reads the main measure of the window and of as many days before, by what may
// have moved it, as far as the viewer sees it. Before all days, and before the
// campaign, there are none.
func (p *packaging) readChanges() error {
	currency := p.currency(p.main)
	p.changed = report.ChangeQuestion{Contract: p.campaign.Contract, Measure: p.main.Name, Currency: currency, Places: placesOf(currency)}
	before, ok := p.window.Previous()
	if !ok || p.p.Question.Window == WindowCampaign {
		return nil
	}
	own := ""
	if p.sight == report.SeesOwn {
		own = p.viewer.Partner
	}
	p.changed.Days = before.Days()
	for _, d := range []report.Dimension{report.Partner, report.Channel, report.Asset} {
		ask := p.askFor(d)
		now, err := p.figures(p.main, ask)
		if err != nil {
			return err
		}
		ask.Within = &before
		then, err := p.figures(p.main, ask)
		if err != nil {
			return err
		}
		if now.Currency == currency && then.Currency == currency { // one that is being restated is no change
			p.changed.Sides = append(p.changed.Sides, report.ChangeSides{Now: now.Breakdown, Before: then.Breakdown, Own: own})
		}
	}
	return nil
}

// changes are what moved the main measure.
func (p *packaging) changes() error {
	p.changed.Paces = p.story.Paces
	p.found(report.Changes(p.changed))
	return nil
}

// comparison is what all models give by each of some dimensions: those of the first model,
// then those of the second.
type comparison struct {
	specs   []report.NamedSpec
	dims    []report.Dimension
	results *later[[]report.ModelResult]
}

// compareModels begins to hold all models against each other, which takes as long as all
// other findings together.
func (p *packaging) compareModels() error {
	deals, err := p.allDeals(p.ctx)
	if err != nil {
		return err
	}
	of := &p.compared
	of.specs, of.dims = report.Specs(p.campaign.Contract), []report.Dimension{report.Partner}
	if p.sight != report.SeesOwn {
		of.dims = append(of.dims, report.Channel, report.Asset)
	}
	var asks []report.ModelAsk
	for _, s := range of.specs {
		for _, d := range of.dims {
			asks = append(asks, p.modelAsk(p.modelQuestion(p.main.Name, d), s))
		}
	}
	of.results = start(func() ([]report.ModelResult, error) { return report.Models(deals, asks) })
	return nil
}

// modelTables hold all models against each other.
func (p *packaging) modelTables() error {
	specs, dims := p.compared.specs, p.compared.dims
	results, err := p.compared.results.wait()
	if err != nil {
		return err
	}
	var lines []ModelLine
	shares := map[report.Dimension][]report.ModelShares{}
	for i, r := range results {
		s, d := specs[i/len(dims)], dims[i%len(dims)]
		if d == report.Partner {
			lines = append(lines, p.modelLine(r, s, p.currency(p.main)))
		}
		shares[d] = append(shares[d], report.ModelShares{Model: s.ID, Name: modelName(s), ModelResult: r})
	}
	p.modelTable(lines)
	if p.sight == report.SeesOwn {
		return nil // between which models others are moved is theirs
	}
	var apart []report.Disagreement
	for _, d := range dims {
		apart = append(apart, report.Disagreements(report.DisagreementQuestion{
			Measure: p.main.Name, Currency: p.currency(p.main), Places: placesOf(p.currency(p.main)), Dimension: d, Agreed: p.campaign.Contract.MultiTouch, Models: shares[d],
		})...)
	}
	p.add(report.DisagreementTable(apart, p.main.Name, p.currency(p.main)))
	p.found(report.TellDisagreements(p.campaign.Contract, apart))
	return nil
}

func (p *packaging) modelTable(lines []ModelLine) {
	var partners []string
	for _, l := range lines {
		for _, g := range l.Groups {
			if !slices.Contains(partners, g.Key) {
				partners = append(partners, g.Key)
			}
		}
	}
	slices.Sort(partners)
	t := report.Table{ID: "models", Title: "What other models say", Note: "Of " + strings.ReplaceAll(p.main.Name, "_", " ") + ", by partner, computed from the facts of deals, each deal on the day that it is of. Shares are of what is attributed."}
	shares := p.named("share_", p.main, partners)
	for i := range shares {
		shares[i].Kind, shares[i].Currency = report.RatioColumn, ""
	}
	t.Columns = slices.Concat(texts("model", "name"), shares, p.named("value_", p.main, partners), texts("note"))
	for _, l := range lines {
		row := make([]string, len(t.Columns))
		row[0], row[1], row[len(row)-1] = l.ID, l.Name, l.Note
		for _, g := range l.Groups {
			at := slices.Index(partners, g.Key)
			row[2+at], row[2+len(partners)+at] = g.Share, g.Value
		}
		t.Rows = append(t.Rows, row)
	}
	p.add(t)
}

// followCohorts begins to make the tables of cohorts. They are of all deals that the viewer
// is told of: few days say nothing of what becomes of deals.
func (p *packaging) followCohorts() {
	q := report.CohortQuestion{Today: p.today, Contract: p.campaign.Contract, Targets: p.quotas}
	told := p.toldDeals()
	p.cohorts = start(func() ([]report.Table, error) { return report.CohortTables(told, q), nil })
}

func (p *packaging) cohortTables() error {
	tables, err := p.cohorts.wait()
	for _, t := range tables {
		p.add(t)
	}
	return err
}
