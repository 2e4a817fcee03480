package plan

import "strconv"

// Who does what by the users' playbook.
const (
	agentLead     = "Co-marketing Analytics Lead"
	agentMarketer = "Partner Marketer"
	agentRevOps   = "RevOps/Finance partners"
	agentSponsors = "Exec sponsors"
	agentBoard    = "Revenue/partner governance board"
)

// playbookLadder is whom failures go to until the contract is known.
func playbookLadder() []Rung {
	return []Rung{{Rung: agentLead, Fallback: agentMarketer}, {Rung: agentRevOps}, {Rung: agentSponsors}, {Rung: agentBoard, Board: true}}
}

func ladderOf(g *Governance) []Rung {
	var out []Rung
	for _, r := range g.Escalation.Ladder {
		out = append(out, Rung{Rung: named(r.Name), Owner: clip(r.Owner), Fallback: clip(r.Fallback)})
	}
	if b := g.Escalation.Board; b.Name != "" {
		out = append(out, Rung{Rung: clip(b.Name), Owner: clip(b.Owner), Fallback: clip(b.Fallback), Board: true})
	}
	return out
}

func named(rung string) string {
	if rung = clip(rung); rung == "" {
		return agentLead
	}
	return rung
}

func errorHandling(ladder []Rung) ErrorHandling {
	e := ErrorHandling{
		RetryStrategy: "with-modification", MaxRetries: Retries,
		FallbackPlan: agentMarketer + " covers for " + agentLead + "; until a package is made again, the last one that was signed holds.",
	}
	first := true
	for _, r := range ladder {
		switch {
		case r.Board:
			r.When = "Accuracy is below its guardrail twice, or a partner disputes sourced pipeline."
		case first:
			r.When = "A pull or a reconciliation still fails after " + strconv.Itoa(Retries) + " retries."
		default:
			r.When = "The next plan of the campaign fails as well."
		}
		first = false
		e.Escalation = append(e.Escalation, r)
	}
	return e
}
