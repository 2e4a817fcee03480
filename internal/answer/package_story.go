package answer

import (
	"math/big"
	"slices"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/internal/governance"
	"tracksource/money"
	"tracksource/report"
	"tracksource/schemas/avro"
)

// readStory reads what the story is told from beside the tables, as far as the viewer
// may see it.
func (p *packaging) readStory() error {
	p.story.Contract, p.story.Day = p.campaign.Contract, p.today
	for _, part := range []func() error{p.storyMeasures, p.storyConfidence, p.storyGuarded, p.storySatisfaction, p.storyPending} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// storyMeasures are the measures over the window, against what targets expect of its days
// that are over.
func (p *packaging) storyMeasures() error {
	targets, err := p.targets()
	if err != nil {
		return err
	}
	names := append([]string{attribution.MeasureRevenue, attribution.MeasurePipelineCreated, attribution.MeasureOpportunities, attribution.MeasureWon}, p.campaign.Contract.Milestones...)
	for _, name := range names {
		m := attribution.MeasureNamed(name)
		one := report.StoryMeasure{Measure: name, Currency: p.currency(m)}
		f, err := p.figures(m, p.askFor())
		if err != nil {
			return err
		}
		one.Value = f.total
		if span, ok := p.window.Previous(); ok {
			ask := p.askFor()
			ask.Within = &span
			before, err := p.figures(m, ask)
			if err != nil {
				return err
			}
			one.Previous = before.total
		}
		if goals := report.GoalsOf(targets, name, one.Currency, ""); len(goals) > 0 && p.window.Span != nil && p.sight != report.SeesOwn {
			places := placesOf(one.Currency)
			over := report.Span{From: p.window.Span.From, To: max(min(p.window.Span.To, p.today), p.window.Span.From.Add(-1))}
			if target := report.In(goals, *p.window.Span, places); target.Sign() > 0 {
				one.Target, one.Expected = &target, ref(report.In(goals, over, places))
			}
		}
		p.story.Measures = append(p.story.Measures, one)
	}
	return nil
}

// storyConfidence is what of the attributed main measure is certain. Who sees its own rows
// alone does not know of all.
func (p *packaging) storyConfidence() error {
	if p.sight == report.SeesOwn {
		return nil
	}
	f, err := p.figures(p.main, p.askFor(report.Partner))
	if err != nil {
		return err
	}
	var all, certain report.Value
	for _, g := range f.Breakdown.Groups {
		if g.Key[0] != report.Unattributed {
			all, certain = all.Add(g.Value), certain.Add(g.Confident)
		}
	}
	if text, ok := report.Certainty(certain, all); ok {
		p.story.Confidence, _ = new(big.Rat).SetString(text)
	}
	return nil
}

// storyGuarded are the guardrails as they were last evaluated: of those whose values are
// not the viewer's to see there is nothing.
func (p *packaging) storyGuarded() error {
	histories := map[[2]string][]*avro.EvaluationRecord{}
	var order [][2]string
	for i := range p.said.evaluations {
		e := &p.said.evaluations[i]
		of := [2]string{e.Guardrail, e.Subject}
		if histories[of] == nil {
			order = append(order, of)
		}
		histories[of] = append(histories[of], e)
	}
	slices.SortFunc(order, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	for _, of := range order {
		if p.sight == report.SeesOwn && subjectPartner(of[1]) != p.viewer.Partner {
			p.Withheld = true
			continue
		}
		g, err := p.guardedOf(of, histories[of])
		if err != nil {
			return err
		}
		p.story.Guarded = append(p.story.Guarded, g)
	}
	return nil
}

func (p *packaging) guardedOf(of [2]string, history []*avro.EvaluationRecord) (report.Guarded, error) {
	last := history[len(history)-1]
	rail := p.campaign.Contract.Guardrail(of[0])
	g := report.Guarded{Reading: report.Reading{Guardrail: of[0], Subject: of[1]}}
	var err error
	if g.Day, err = money.ParseDay(last.Day); err != nil {
		return g, err
	}
	if owner := governance.FeedOwner(of[1]); owner == "" || owner == p.viewer.Partner || p.sight == report.SeesAll {
		g.Detail, g.Evidence = last.Detail, last.Evidence // of a feed its owner alone is told more
	}
	if g.Value, g.Known = rail.Unit.ParseValue(last.Value); !g.Known || last.Band == string(governance.NoData) {
		g.Known = false
		return g, nil
	}
	g.Band, g.Since = contract.Band(last.Band), g.Day
	for i := len(history) - 1; i >= 0; i-- {
		switch history[i].Band {
		case last.Band:
			if g.Since, err = money.ParseDay(history[i].Day); err != nil {
				return g, err
			}
		case string(governance.NoData): // a day without data ends no run
		default:
			return g, nil
		}
	}
	return g, nil
}

func (p *packaging) storySatisfaction() error {
	days, err := feedDays(p.campaign.Contract, p.said.evaluations)
	if err != nil {
		return err
	}
	p.story.Adherence = report.AdherenceOf(p.seenFeeds(days))
	if p.Proposed {
		return nil
	}
	p.story.Satisfaction, err = p.satisfactions(p.said, days)
	return err
}

// storyPending is what waits for the approval of partners.
func (p *packaging) storyPending() error {
	if p.Proposed {
		return nil
	}
	if of := p.said.proposal; of != nil && p.seesProposal(of) {
		silent, refused := of.Missing()
		p.story.Pending = append(p.story.Pending, report.Pending{Of: report.PendingRevision, What: count(of.Revision), Missing: silent, Refused: refused})
	}
	if of := p.reopening(p.said); of != nil && len(of.Missing) > 0 {
		one := report.Pending{Of: report.PendingReopening, What: of.Day}
		for _, partner := range of.Missing {
			refused := slices.ContainsFunc(of.Said, func(l ApprovalLine) bool { return l.Partner == partner && l.Decision == governance.Refused })
			if refused {
				one.Refused = append(one.Refused, partner)
			} else {
				one.Missing = append(one.Missing, partner)
			}
		}
		p.story.Pending = append(p.story.Pending, one)
	}
	if n := len(p.said.signatures); n > 0 {
		p.pendingSignature(p.said.signatures[n-1])
	}
	return nil
}

// pendingSignature is who has not signed the package that was signed last.
func (p *packaging) pendingSignature(last avro.SignatureRecord) {
	words := map[string]string{}
	first := last.At
	for i := range p.said.signatures {
		if s := &p.said.signatures[i]; s.Hash == last.Hash {
			words[s.Partner] = s.Decision
			if s.At.Before(first) {
				first = s.At
			}
		}
	}
	one := report.Pending{Of: report.PendingSignature, What: last.Title, Since: p.campaign.Contract.Day(first)}
	for _, partner := range p.campaign.Contract.Approvals.Package {
		switch words[partner] {
		case governance.Approved:
		case "":
			one.Missing = append(one.Missing, partner)
		default:
			one.Refused = append(one.Refused, partner)
		}
	}
	if len(one.Missing)+len(one.Refused) > 0 {
		p.story.Pending = append(p.story.Pending, one)
	}
}

// tellStory has the story told, when all that it is told from is known.
func (p *packaging) tellStory() error {
	in := &p.story
	in.Figures = p.figuresInAll
	for i := range p.disputed {
		d := &p.disputed[i]
		if d.State != governance.DisputeOpen {
			continue
		}
		one := report.StoryDispute{ID: d.ID, Partner: d.Partner, Deal: d.Deal, About: d.About, Against: d.Against, Opened: p.campaign.Contract.Day(d.OpenedAt)}
		if v, err := report.ParseValue(p.escrowOf(d)); err == nil {
			one.Escrow = &v
		}
		in.Disputes = append(in.Disputes, one)
	}
	board := p.campaign.Contract.Escalation.Board.Name
	for i := range p.open {
		a := &p.open[i]
		one := report.StoryAlert{
			ID: a.ID, Kind: a.Kind, Severity: a.Severity, Subject: a.Subject, Message: a.Message, Rung: a.Rung, Owner: a.Owner, Fallback: a.Fallback,
			Taken: takenBy(a), Board: a.Rung != "" && a.Rung == board,
		}
		one.Since, _ = money.ParseDay(a.Since) // none where it has none
		one.Deadline, _ = money.ParseDay(a.Deadline)
		in.Alerts = append(in.Alerts, one)
	}
	report.Tell(p.p, *in)
	return nil
}
