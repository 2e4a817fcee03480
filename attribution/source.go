package attribution

import (
	"cmp"
	"time"

	"tracksource/contract"
	"tracksource/money"
)

// sourced decides who sourced a deal, and by which touch if by one: the partner
// of an approved registration that had not expired when the deal was created, of
// several the earliest; else whom the earliest touch in the contract's days before
// the creation is credited to.
func (b *booker) sourced(s *business) (Sourced, *step) {
	if r, partner := b.registration(s); r != nil {
		return Sourced{Partner: b.sourcingName(partner), By: SourcedByRegistration, Evidence: r.ID}, nil
	}
	if !s.created.IsZero() {
		day := b.contract.Day(s.created)
		first := day.Add(1 - b.contract.SourcedDays)
		for i := range b.steps {
			t := &b.steps[i]
			if t.day < first || t.at.After(s.created) || !b.matches(moment{business: s}, t) {
				continue
			}
			if t.class.Partner == contract.None {
				return Sourced{Partner: contract.Unsourced}, t
			}
			return Sourced{Partner: b.sourcingName(t.leading), By: SourcedByTouch, Evidence: t.touch.ID}, t
		}
	}
	return Sourced{Partner: contract.Unsourced}, nil
}

// sourcingName is what a partner is called among those who source.
func (b *booker) sourcingName(partner string) string {
	if partner == b.contract.Host() {
		return contract.MarketingSourced
	}
	return partner
}

// registration is the one that sources the deal, with its partner; nil if none does.
func (b *booker) registration(s *business) (best *Registration, partner string) {
	for i := range s.registrations {
		r := &s.registrations[i]
		who, _ := b.contract.PartnerNamed(cmp.Or(r.Partner, r.ID.Reporter))
		if !approved(r.Status) || !b.contract.MayCredit(r.ID.Reporter, who) {
			continue
		}
		if expires, err := money.ParseDay(r.Expires); err == nil && !s.created.IsZero() && expires < b.contract.Day(s.created) {
			continue
		}
		if best == nil || compareRegistrations(r, best) < 0 {
			best, partner = r, who
		}
	}
	return best, partner
}

// compareRegistrations puts the earlier approved first, one without an instant last.
func compareRegistrations(a, b *Registration) int {
	at := func(r *Registration) time.Time {
		for _, layout := range [...]string{time.RFC3339, time.DateOnly} {
			if at, err := time.Parse(layout, r.ApprovedAt); err == nil {
				return at
			}
		}
		return latest
	}
	return cmp.Or(at(a).Compare(at(b)), a.ID.Compare(b.ID))
}
