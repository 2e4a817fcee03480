package report

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/money"
)

// persists is for how many days a breach goes on before it is one for a decision, and
// disputesMax how many disputes are told one by one.
const (
	persists    = 14
	disputesMax = 10
)

// modelApart is the part of everything from which on models are so far apart that the choice
// of one is worth a decision.
const modelApart = 4 // one of so many

// meeting is the first Thursday from a day on: partners meet on Thursdays, on data that
// were checked on Monday.
func meeting(from money.Day) money.Day {
	return from.Add((int(time.Thursday) - int(date(from).Weekday()) + 7) % 7)
}

// answers is who answers for a rung: its owner, else who holds its office.
func answers(r contract.Rung) string { return cmp.Or(r.Owner, r.Name) }

// rung is the one that a breach of so many days is on.
func (t *teller) rung(days int) contract.Rung {
	e := &t.in.Contract.Escalation
	return e.Ladder[min(max(days, 0)/max(e.ClimbDays, 1), len(e.Ladder)-1)]
}

// decisions are what only the signatories can settle, each with who answers for it, for
// the next meeting.
func (t *teller) decisions() []Decision {
	list := append([]Decision{}, t.disputed()...)
	for i := range t.in.Pending {
		list = append(list, t.pending(&t.in.Pending[i]))
	}
	list = append(list, t.boarded()...)
	list = append(list, t.persisting()...)
	if d, ok := t.model(); ok {
		list = append(list, d)
	}
	due := meeting(t.in.Day).String()
	for i := range list {
		list[i].Due = due
	}
	return list
}

func (t *teller) disputed() []Decision {
	disputes := t.in.Disputes
	board := answers(t.in.Contract.Escalation.Board)
	var list []Decision
	for i, d := range disputes {
		if i == disputesMax {
			list = append(list, Decision{
				Text:  "Resolve " + Counted(len(disputes)-i, "more dispute", "more disputes") + ", which the table of disputes lists",
				Owner: board, Why: "What they are about stays in escrow until then.",
			})
			break
		}
		about := "says that it sourced"
		if d.About != "sourcing" {
			about = "disputes what " + t.disputant(d.Against) + " is credited with of"
		}
		text := fmt.Sprintf("Resolve %s: %s %s", strings.TrimSpace("dispute "+d.ID), t.disputant(d.Partner), about)
		if d.Deal == "" {
			text += " a deal"
		} else {
			text += " deal " + d.Deal
		}
		why := "It has been open since " + d.Opened.String() + "."
		if d.Escrow != nil {
			why = fmt.Sprintf("%s has been in escrow since %s.", Money(*d.Escrow, t.in.Contract.Currency), d.Opened)
		}
		list = append(list, Decision{Text: text, Owner: board, Why: why})
	}
	return list
}

// disputant is what a partner of a dispute is called, who may be nobody's to know.
func (t *teller) disputant(id string) string {
	if id == "" || id == Other {
		return "another partner"
	}
	return partnerName(t.in.Contract, id)
}

func (t *teller) pending(p *Pending) Decision {
	waits := append(slices.Clone(p.Missing), p.Refused...)
	d := Decision{Owner: strings.Join(partnerNames(t.in.Contract, waits), ", ")}
	switch p.Of {
	case PendingRevision:
		d.Text = "Approve or refuse revision " + p.What + " of the contract"
	case PendingReopening:
		d.Text = "Approve or refuse to open the days from " + p.What + " on again"
	case PendingSignature:
		d.Text = "Sign or dispute the package " + p.What
	}
	var why []string
	if len(p.Missing) > 0 {
		why = append(why, "Not answered yet: "+t.names(p.Missing)+".")
	}
	if len(p.Refused) > 0 {
		why = append(why, "Refused: "+t.names(p.Refused)+".")
	}
	if p.Since != 0 {
		why = append(why, "Asked since "+p.Since.String()+".")
	}
	d.Why = strings.Join(why, " ")
	return d
}

// guardrailAlert is the alert that is out of a guardrail's subject, nil without one.
func (t *teller) guardrailAlert(g *Guarded) *StoryAlert {
	end := "/" + g.Guardrail
	if g.Subject != "" {
		end += "/" + g.Subject
	}
	i := slices.IndexFunc(t.in.Alerts, func(a StoryAlert) bool { return a.Kind == RuleGuardrail && strings.HasSuffix(a.ID, end) })
	if i < 0 {
		return nil
	}
	return &t.in.Alerts[i]
}

// boarded are the breaches that are with the board.
func (t *teller) boarded() []Decision {
	var list []Decision
	for _, a := range t.in.Alerts {
		if a.Board && a.Kind == RuleGuardrail {
			list = append(list, Decision{Text: "Decide what follows from a breach: " + t.message(&a), Owner: cmp.Or(a.Owner, a.Rung), Why: "It was escalated to the board."})
		}
	}
	return list
}

// message is what an alert says, for the middle of a sentence. It was written with the ids
// that alerts are kept by, which people do not know guardrails and partners by.
func (t *teller) message(a *StoryAlert) string {
	text := sentence(a.Message)
	switch a.Kind {
	case RuleGuardrail:
		for i := range t.in.Contract.Guardrails {
			id := t.in.Contract.Guardrails[i].Name
			name := railName(id)
			if a.Subject != "" {
				id, name = id+" of "+a.Subject, name+" of "+t.subjectText(a.Subject)
			}
			if rest, ok := strings.CutPrefix(text, id+" "); ok {
				return name + " " + rest
			}
		}
	case "dispute":
		what, why, _ := strings.Cut(text, ": ") // why is as somebody wrote it
		words := strings.Split(what, " ")
		what = strings.Join(partnerNames(t.in.Contract, words), " ")
		if why == "" {
			return what
		}
		return what + ": " + why
	}
	return text
}

// sentence is a message without its full stop, for the middle of another one.
func sentence(text string) string { return strings.TrimSuffix(strings.TrimSpace(text), ".") }

// persisting are the breaches of more than two weeks that are not with the board, one for
// each guardrail.
func (t *teller) persisting() []Decision {
	var list []Decision
	var of []string // what the last decision is about
	last := ""
	for i := range t.in.Guarded {
		g := &t.in.Guarded[i]
		days := int(t.in.Day - g.Since)
		a := t.guardrailAlert(g)
		if g.Band != contract.BandRed || g.Since == 0 || days <= persists || a != nil && a.Board {
			continue
		}
		if g.Guardrail != last { // the longest breach of it, which says whose it is
			last, of = g.Guardrail, nil
			owner := answers(t.rung(days))
			if a != nil {
				owner = cmp.Or(a.Owner, a.Rung, owner)
			}
			rail := t.in.Contract.Guardrail(g.Guardrail)
			list = append(list, Decision{
				Owner: owner,
				Why:   fmt.Sprintf("It has been red for %s: %s, with a limit of %s.", Counted(days, "day", "days"), unitText(rail.Unit, g.Value), unitText(rail.Unit, rail.Limit)),
			})
		}
		if g.Subject != "" {
			of = append(of, t.subjectText(g.Subject))
		}
		text := railName(g.Guardrail)
		if len(of) > 0 {
			text += " of " + inWords(of)
		}
		list[len(list)-1].Text = "Agree how " + text + " comes back within its bounds"
	}
	return list
}

// model asks to confirm the agreed model where much hangs on it.
func (t *teller) model() (Decision, bool) {
	for _, in := range t.p.Insights {
		if in.Rule != RuleDisagreement {
			continue
		}
		spread, total := evidence(in, evidenceSpread), evidence(in, evidenceTotal)
		if total.Sign() <= 0 || new(big.Rat).Quo(spread.rat(), total.rat()).Cmp(big.NewRat(1, modelApart)) < 0 {
			continue
		}
		owner := answers(t.rung(0))
		if who := t.in.Contract.Approvals.Revision; len(who) > 0 {
			owner = strings.Join(partnerNames(t.in.Contract, who), ", ")
		}
		return Decision{
			Text:  fmt.Sprintf("Confirm %s as the agreed model, or propose another one", cmp.Or(t.p.Question.ModelName, t.p.Question.Model)),
			Owner: owner, Why: in.Text,
		}, true
	}
	return Decision{}, false
}

// evidence is the number of that name behind a finding, zero without it.
func evidence(in Insight, name string) Value {
	for _, e := range in.Evidence {
		if e.Name == name {
			if v, err := ParseValue(e.Value); err == nil {
				return v
			}
		}
	}
	return Value{}
}
