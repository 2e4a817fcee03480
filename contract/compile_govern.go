package contract

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tracksource/identity"
	"tracksource/money"
)

func (k *compiler) statuses() {
	for i, s := range k.doc.Statuses {
		at := path{"statuses", i}
		if s.Partner != "" {
			k.partner(at.with("partner"), s.Partner)
		}
		rule := statusRule{
			partner: s.Partner, source: s.Source, status: k.pattern(at.with("status"), s.Status),
			touchType: s.Type, rule: fmt.Sprintf("statuses[%d]", i),
		}
		if s.Type == typeNone {
			rule.touchType = ""
		} else {
			k.touchType(at.with("type"), s.Type)
		}
		k.contract.rules.statuses = append(k.contract.rules.statuses, rule)
	}
}

// internal lists the accounts that are the signatories themselves.
func (k *compiler) internal() {
	k.contract.rules.internal = make(map[string]bool)
	for i, name := range k.doc.Internal {
		at := path{"internal", i}
		domain, ok := identity.RegistrableDomain(name)
		switch {
		case fold(name) == "":
			k.fail(at, "is empty")
		case ok && domain != fold(name):
			k.fail(at, "%q belongs to the account %q; write that", name, domain)
		case identity.FreeMail(fold(name)):
			k.fail(at, "%q is everybody's mail", name)
		}
		k.contract.rules.internal[fold(name)] = true
	}
}

func (k *compiler) milestones() {
	milestones := k.doc.Milestones
	if len(milestones) == 0 {
		milestones = []string{MilestoneInquiry, MilestoneMQL, MilestoneSAL, MilestoneSQL}
	}
	if len(milestones) > MilestonesMax {
		k.fail(path{"milestones"}, "%d milestones; at most %d", len(milestones), MilestonesMax)
	}
	seen := make(map[string]bool)
	for i, m := range milestones {
		k.name(path{"milestones", i}, m)
		k.once(path{"milestones", i}, seen, m)
		if slices.Contains(reservedMeasures(), fold(m)) {
			k.fail(path{"milestones", i}, "%q is a measure that every book has; name it otherwise", m)
		}
	}
	k.contract.Milestones = slices.Clone(milestones)
}

// precedence puts CRMs in the order in which they are believed about accounts: the
// system of record first, unless the document says otherwise.
func (k *compiler) precedence() {
	for i, text := range k.doc.Precedence {
		at := path{"precedence", i}
		partner, source, split := strings.Cut(text, "/")
		k.partner(at, partner)
		if split {
			k.id(at, source)
		}
		s := Source{Partner: partner, Source: source}
		if slices.Contains(k.contract.rules.precedence, s) {
			k.fail(at, "%q is written twice", text)
		}
		k.contract.rules.precedence = append(k.contract.rules.precedence, s)
	}
	k.contract.rules.precedence = append(k.contract.rules.precedence, k.contract.SystemOfRecord)
	for _, p := range k.contract.Partners {
		k.contract.rules.precedence = append(k.contract.rules.precedence, Source{Partner: p.ID})
	}
}

func (k *compiler) currencyPolicy() {
	k.contract.RateAgeDays = money.RateAgeMax
	if text := k.doc.CurrencyPolicy.RateMaxAge; text != "" {
		k.contract.RateAgeDays = k.days(path{"currency_policy", "rate_max_age"}, text, 0, money.RateAgeMax)
	}
}

func (k *compiler) guardrails() {
	for _, name := range sortedKeys(k.doc.Guardrails) {
		known := false
		for _, d := range guardrailDefaults[:] {
			known = known || d.Name == name
		}
		if !known {
			k.fail(path{"guardrails", name}, "there is no such guardrail")
		}
	}
	for _, d := range guardrailDefaults[:] {
		at, g := path{"guardrails", d.Name}, d.Guardrail
		said := k.doc.Guardrails[d.Name]
		g.Target = k.bound(at.with("target"), cmp.Or(said.Target, d.target), g.Unit)
		g.Limit = k.bound(at.with("limit"), cmp.Or(said.Limit, d.limit), g.Unit)
		if g.Target != g.Limit && g.Judge(g.Limit) == BandGreen {
			k.fail(at, "the limit %s is better than the target %s", cmp.Or(said.Limit, d.limit), cmp.Or(said.Target, d.target))
		}
		k.contract.Guardrails = append(k.contract.Guardrails, g)
	}
}

func (k *compiler) bound(at path, text string, unit Unit) int64 {
	n, ok := bound(text, unit)
	if !ok {
		example := map[Unit]string{UnitPercent: "98%", UnitTimes: "2.5x", UnitHours: "24h", UnitMonths: "14mo"}[unit]
		k.fail(at, "%q; write a bound such as %s", text, example)
	}
	return n
}

func (k *compiler) escalation() {
	e := Escalation{Retries: 2, ClimbDays: 14}
	doc := k.doc.Escalation
	at := path{"escalation"}
	for i, r := range doc.Ladder {
		k.name(at.with("ladder").with(i).with("rung"), r.Rung)
		e.Ladder = append(e.Ladder, Rung{Name: r.Rung, Owner: r.Owner, Fallback: r.Fallback})
	}
	if len(e.Ladder) == 0 {
		e.Ladder = []Rung{{Name: "Co-marketing Analytics Lead", Fallback: "Partner Marketer"}, {Name: "RevOps/Finance partners"}, {Name: "Exec sponsors"}}
	}
	e.Board = Rung{Name: cmp.Or(doc.Board.Rung, "Revenue/partner governance board"), Owner: doc.Board.Owner, Fallback: doc.Board.Fallback}
	k.name(at.with("board").with("rung"), e.Board.Name)
	if doc.Retries != nil {
		e.Retries = *doc.Retries
		if e.Retries < 0 || e.Retries > 2 {
			k.fail(at.with("retries"), "%d; write 0, 1 or 2", e.Retries)
		}
	}
	if doc.ClimbAfter != "" {
		e.ClimbDays = k.days(at.with("climb_after"), doc.ClimbAfter, 1, LookbackMax)
	}
	k.contract.Escalation = e
}

func (k *compiler) approvals() {
	a := k.doc.Approvals
	k.contract.Approvals = Approvals{
		Revision: k.approvers(path{"approvals", "revision"}, a.Revision),
		Package:  k.approvers(path{"approvals", "package"}, a.Package),
		Reopen:   k.approvers(path{"approvals", "reopen"}, a.Reopen),
	}
}

func (k *compiler) approvers(at path, ids []string) []string {
	for i, id := range ids {
		k.partner(at.with(i), id)
		if slices.Contains(ids[:i], id) {
			k.fail(at.with(i), "%q is written twice", id)
		}
	}
	return slices.Clone(ids)
}
