package answer

import (
	"context"
	"slices"

	"tracksource/attribution/model"
	"tracksource/internal/follow"
	"tracksource/report"
	"tracksource/schemas/avro"
)

func viewerOf(v report.Viewer) ViewerAnswer {
	if v.Operator {
		return ViewerAnswer{Role: "operator"}
	}
	return ViewerAnswer{Role: "partner", Partner: v.Partner}
}

// Contracts lists the contracts that the viewer takes part in.
func (a *Answers) Contracts(_ context.Context, v report.Viewer, _ Query) (ContractsAnswer, error) {
	out := ContractsAnswer{Envelope: a.envelope(), Viewer: viewerOf(v), Contracts: []ContractSummary{}}
	list, err := a.visible(v)
	if err != nil {
		return out, err
	}
	for _, c := range list {
		out.Contracts = append(out.Contracts, summaryOf(v, c))
	}
	return out, nil
}

// Contract is one contract with its document.
func (a *Answers) Contract(_ context.Context, v report.Viewer, q Query) (ContractAnswer, error) {
	of, err := a.ask(v, &q)
	if err != nil {
		return ContractAnswer{}, err
	}
	return ContractAnswer{Envelope: of.Envelope, Contract: summaryOf(v, of.campaign), Document: of.campaign.Record.Document}, nil
}

func summaryOf(v report.Viewer, c *follow.Campaign) ContractSummary {
	of := c.Contract
	out := ContractSummary{
		Campaign: c.Book, Name: of.Name, Proposed: c.Proposed, Revision: c.Record.Revision, Hash: c.Record.Hash, By: c.Record.By, Why: c.Record.Why,
		Currency: of.Currency, Zone: of.Zone.String(), LatenessDays: of.Window.LatenessDays, LookbackDays: of.Window.LookbackDays,
		Partners: []PartnerSummary{}, Models: []ModelSummary{}, Measures: []MeasureSummary{},
		Milestones: append([]string{}, of.Milestones...), Dimensions: dimensions(true), Windows: report.Windows(), Revisions: []RevisionSummary{},
	}
	for _, p := range of.Partners {
		out.Partners = append(out.Partners, PartnerSummary{p.ID, p.Name, string(p.Role), string(p.Visibility)})
	}
	for _, s := range report.Specs(of) {
		out.Models = append(out.Models, ModelSummary{ID: s.ID, Name: modelName(s), Agreed: s.ID == of.MultiTouch, InLedger: s.InLedger})
	}
	for _, m := range measuresOf(c) {
		out.Measures = append(out.Measures, MeasureSummary{m.Name, kindOf(m), m.Additive(), slices.Clone(m.Grain)})
	}
	for i := range c.Revisions {
		out.Revisions = append(out.Revisions, revisionOf(v, c, &c.Revisions[i]))
	}
	return out
}

// revisionOf is a revision as a viewer is told of it. Why it was made is between those who
// signed it: who joins later, or is only proposed, is not told what the others had to
// settle before.
func revisionOf(v report.Viewer, c *follow.Campaign, r *avro.ContractRecord) RevisionSummary {
	out := RevisionSummary{Revision: r.Revision, Hash: r.Hash, RecordedAt: r.RecordedAt, By: r.By, Why: r.Why}
	if v.Of(c.At(r.Revision)) == report.SeesNothing {
		out.By, out.Why, out.Withheld = "", "", true
	}
	return out
}

// history is the revisions of a book, the oldest first. A proposal has the number of the
// revision that it would become, which in its book is its own.
func history(c *follow.Campaign) []avro.ContractRecord {
	if !c.Proposed {
		return c.Revisions
	}
	before := slices.DeleteFunc(slices.Clone(c.Revisions), func(r avro.ContractRecord) bool { return r.Revision >= c.Record.Revision })
	return append(before, c.Record)
}

// modelName is how a model is called in front of people.
func modelName(s report.NamedSpec) string {
	names := map[model.Name]string{
		model.FirstTouch: "First touch", model.LastTouch: "Last touch", model.LastNonDirect: "Last non-direct", model.Linear: "Linear",
		model.PositionBased: "Position based", model.JShaped: "J-shaped", model.InverseJ: "Inverse J", model.TimeDecay: "Time decay",
		model.UMilestones: "U by milestones", model.WShaped: "W-shaped", model.FullPath: "Full path", model.Custom: "Custom",
		model.Participation: "Participation", model.MarkovChain: "Markov chain", model.Shapley: "Shapley value",
	}
	name := names[s.Spec.Model]
	if s.ID != string(s.Spec.Model) {
		name += " (" + s.ID + ")"
	}
	return name
}
