package answer

import (
	"context"
	"slices"
	"strings"

	"tracksource/attribution"
	"tracksource/attribution/model"
	"tracksource/report"
)

// Models holds all models against each other, computed from the facts of deals by the
// code that keeps the ledger.
func (a *Answers) Models(ctx context.Context, v report.Viewer, q Query) (ModelsAnswer, error) {
	of, err := a.ask(v, &q)
	if err != nil {
		return ModelsAnswer{}, err
	}
	if err := of.readWindow(&q); err != nil {
		return ModelsAnswer{}, err
	}
	if err := of.readFilter(&q); err != nil {
		return ModelsAnswer{}, err
	}
	measure, err := one("measure", q.Measure, report.ModelMeasures())
	if err != nil {
		return ModelsAnswer{}, err
	}
	dims, err := by(q.By, 1, false)
	if err != nil {
		return ModelsAnswer{}, err
	}
	if len(dims) == 0 {
		dims = []report.Dimension{report.Partner}
	}
	if of.sight == report.SeesOwn && dims[0] != report.Partner {
		return ModelsAnswer{}, &Error{Parameter: "by", Detail: "you see your own share of each model: ask by partner", Allowed: []string{string(report.Partner)}}
	}
	deals, err := of.allDeals(ctx)
	if err != nil {
		return ModelsAnswer{}, err
	}
	out := ModelsAnswer{Measure: measure, By: string(dims[0]), Models: []ModelLine{}}
	ask := of.modelQuestion(measure, dims[0])
	out.Currency = ask.Currency
	specs := report.Specs(of.campaign.Contract)
	asks := make([]report.ModelAsk, len(specs))
	for i, s := range specs {
		asks[i] = of.modelAsk(ask, s)
	}
	results, err := report.Models(deals, asks)
	if err != nil {
		return ModelsAnswer{}, err
	}
	for i, r := range results {
		out.Models = append(out.Models, of.modelLine(r, specs[i], ask.Currency))
	}
	out.Envelope = of.Envelope
	return out, nil
}

// modelQuestion is how models are held against each other over a measure.
func (q *asked) modelQuestion(measure string, by report.Dimension) report.ModelQuestion {
	m := attribution.MeasureNamed(measure)
	ask := report.ModelQuestion{
		Measure: measure, Currency: q.currency(m), Exponent: q.campaign.Contract.Exponent, Within: q.window.Span, Any: q.any, By: by,
	}
	if m.Count {
		ask.Exponent = attribution.CountExponent
	}
	return ask
}

// specOf is what a model is under each revision of the contract.
func (q *asked) specOf(s report.NamedSpec) func(revision int64) model.Spec {
	return func(revision int64) model.Spec {
		c := q.campaign.At(revision)
		if i := slices.Index(c.Models, s.ID); s.InLedger && i >= 0 {
			return c.Specs[i]
		}
		return s.Spec
	}
}

// allDeals returns every deal: what is made of them is cut to the viewer later.
func (q *asked) allDeals(ctx context.Context) (report.Deals, error) {
	if q.held != nil {
		return q.held.packed.All(), nil
	}
	sight := q.sight
	q.sight = report.SeesAll
	defer func() { q.sight = sight }()
	deals := []report.Deal{}
	err := q.deals(ctx, func(d *report.Deal) error {
		deals = append(deals, *d)
		return nil
	})
	return report.Listed(deals), err
}

// What people should know of a model that is read otherwise than the others.
const (
	noteParticipation = "each value has the whole of every deal that it took part in, so that the values are not added"
	noteGroup         = "computed over all journeys together"
)

// modelAsk is a question of one model.
func (q *asked) modelAsk(ask report.ModelQuestion, s report.NamedSpec) report.ModelAsk {
	if key := model.Key(strings.TrimPrefix(string(ask.By), "touch_")); s.Spec.Model == model.Participation && slices.Contains(model.Keys(), key) {
		s.Spec.Key = key
	}
	return report.ModelAsk{ModelQuestion: ask, ID: s.ID, Key: s.Spec.Key, SpecOf: q.specOf(s)}
}

// modelLine writes what a model gives, in a currency, as its viewer may see it.
func (q *asked) modelLine(r report.ModelResult, s report.NamedSpec, currency string) ModelLine {
	line := ModelLine{
		ID: s.ID, Name: modelName(s), Agreed: s.ID == q.campaign.Contract.MultiTouch, Additive: s.Spec.Model != model.Participation,
		InLedger: s.InLedger, Note: r.Note, Groups: []ModelGroup{},
	}
	switch {
	case r.Note != "":
		return line
	case s.Spec.Model == model.Participation:
		line.Note = noteParticipation
	case s.Spec.Model.IsGroup():
		line.Note = noteGroup
	}
	attributed := r.Total.Sub(r.Unattributed)
	own := q.sight == report.SeesOwn
	for _, g := range r.Groups {
		if own && g.Key[0] != q.viewer.Partner {
			q.Withheld = true
			continue
		}
		share := ""
		if g.Key[0] != report.Unattributed {
			share, _ = report.Ratio(g.Value, attributed)
		}
		line.Groups = append(line.Groups, ModelGroup{g.Key[0], text(g.Value, currency), share})
	}
	if own && line.Additive && q.partnersIn(r.Groups) < report.PartnersMin {
		// A share of a total that it may not see would tell the total.
		q.Withheld = true
		for i := range line.Groups {
			line.Groups[i].Share = ""
		}
		return line
	}
	if line.Additive {
		line.Total, line.Unattributed = ref(text(r.Total, currency)), ref(text(r.Unattributed, currency))
	}
	return line
}

func (q *asked) partnersIn(groups []report.Group) int {
	n := 0
	for _, g := range groups {
		if q.campaign.Contract.IsPartner(g.Key[0]) {
			n++
		}
	}
	return n
}
