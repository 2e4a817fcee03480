package attribution

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/money"
)

// business is a deal with what all CRMs say of it. What its own CRM does not say
// is filled in from those merged into it, but for the amount: that is the own one
// or none.
type business struct {
	Deal
	// excluded is why it has no value of its own, one of the Excluded constants.
	excluded string
	merged   []Deal
	// suspected are deals of other CRMs that may be the same.
	suspected []ItemID
	// doubted is whether a deal in no total may be the same as this one.
	doubted bool
	current contract.StageClass
	// created is zero where nobody says it; lead is when the first person of the
	// account became known, not after created.
	created, lead time.Time
	// people are who has a role on it.
	people        map[string]bool
	registrations []Registration
	// sourced is who sourced it, sourcing the touch that did, if one did.
	sourced  Sourced
	sourcing *step
	// disputes are those that are not refused, in the order in which they were opened;
	// settled are those of credit that were upheld, in the order in which they were.
	disputes []dispute
	settled  []*FactDispute
}

// Suspicion is a deal that is in no total because it may be the business of
// another one.
type Suspicion struct{ Deal, Other ItemID }

// listBusinesses puts the deals of all CRMs together, in the order of their ids.
// Two deals of different CRMs are one if it was decided so, else if they share an
// id; the one that is believed more stays, which is the system of record's where
// it has one. Of two that were created close to each other and of which nothing is
// known the one believed less is suspected, until it is decided.
func (b *booker) listBusinesses(j Journey) []business {
	deals := unique(j.Deals, func(d *Deal) ItemID { return d.ID }, func(d *Deal) time.Time { return d.ModifiedAt })
	deals = slices.DeleteFunc(deals, func(d Deal) bool { return d.Deleted })
	slices.SortStableFunc(deals, func(x, y Deal) int { return cmp.Compare(b.trust(x.ID), b.trust(y.ID)) })
	decided := b.decisions(j)
	var list []business
	for _, d := range deals {
		if same := slices.IndexFunc(list, func(s business) bool { return s.excluded == "" && sameDeal(decided, s.Deal, d) }); same >= 0 {
			list[same].merged = append(list[same].merged, d)
			continue
		}
		s := business{Deal: d}
		if !b.isRecord(d.ID) {
			for _, other := range list {
				if other.excluded == "" && b.suspects(decided, other.Deal, d) {
					s.suspected = append(s.suspected, other.ID)
				}
			}
			switch {
			case b.contract.Deals.Others == contract.DealsEvidence:
				s.excluded = ExcludedEvidence
			case len(s.suspected) > 0:
				s.excluded = ExcludedSuspected
			}
		}
		list = append(list, s)
	}
	for i := range list {
		b.complete(&list[i], j)
		if list[i].excluded == ExcludedSuspected {
			doubt(list, list[i].suspected)
		}
	}
	slices.SortFunc(list, func(x, y business) int { return x.ID.Compare(y.ID) })
	return list
}

// doubt marks those that a suspected deal may be.
func doubt(list []business, suspected []ItemID) {
	for i := range list {
		if slices.Contains(suspected, list[i].ID) {
			list[i].doubted = true
		}
	}
}

// trust orders CRMs by how much they are believed about deals: the system of
// record first.
func (b *booker) trust(id ItemID) int {
	if b.isRecord(id) {
		return -1
	}
	return b.contract.Precedence(id.Reporter, id.Source)
}

func (b *booker) isRecord(id ItemID) bool { return id.system() == b.contract.SystemOfRecord }

// pair is two deals, as text, the lesser first.
type pair [2]string

func pairOf(a, b string) pair {
	if b < a {
		a, b = b, a
	}
	return pair{a, b}
}

// decisions are what was decided about pairs of deals, the latest of each.
func (b *booker) decisions(j Journey) map[pair]bool {
	all := unique(j.Decisions, func(d *Decision) ItemID { return d.ID }, func(d *Decision) time.Time { return d.ModifiedAt })
	slices.SortStableFunc(all, func(x, y Decision) int { return x.ModifiedAt.Compare(y.ModifiedAt) })
	decided := make(map[pair]bool)
	for _, d := range all {
		if d.Campaign == b.contract.Campaign && !d.Deleted {
			decided[pairOf(d.Deal, d.Other)] = d.Same
		}
	}
	return decided
}

// sameDeal reports whether two deals of different CRMs are known to be one.
func sameDeal(decided map[pair]bool, a, d Deal) bool {
	if a.ID.system() == d.ID.system() {
		return false
	}
	if same, found := decided[pairOf(a.ID.String(), d.ID.String())]; found {
		return same
	}
	return a.SharedID != "" && (a.SharedID == d.SharedID || a.SharedID == d.ID.local()) ||
		d.SharedID != "" && d.SharedID == a.ID.local()
}

// suspects reports whether two deals of different CRMs, of which it was not
// decided that they differ, were created close to each other.
func (b *booker) suspects(decided map[pair]bool, a, d Deal) bool {
	if a.ID.system() == d.ID.system() {
		return false
	}
	if _, found := decided[pairOf(a.ID.String(), d.ID.String())]; found {
		return false
	}
	x, y := createdAt(a), createdAt(d)
	if x.IsZero() || y.IsZero() {
		return false
	}
	apart := b.contract.Day(x) - b.contract.Day(y)
	return max(apart, -apart) <= money.Day(b.contract.Deals.SuspectDays)
}

// createdAt is zero where the CRM does not say it.
func createdAt(d Deal) time.Time {
	at, err := time.Parse(time.RFC3339, d.CreatedAt)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

// complete adds to a deal what others say of it.
func (b *booker) complete(s *business, j Journey) {
	for _, d := range s.merged {
		s.CreatedAt = cmp.Or(s.CreatedAt, d.CreatedAt)
		s.CloseDate = cmp.Or(s.CloseDate, d.CloseDate)
		s.LeadSource = cmp.Or(s.LeadSource, d.LeadSource)
	}
	s.created = createdAt(s.Deal)
	s.current = b.contract.Stage(s.ID.Reporter, s.ID.Source, s.Stage, s.IsClosed, s.IsWon)
	roles := unique(j.Roles, func(r *Role) ItemID { return r.ID }, func(r *Role) time.Time { return r.ModifiedAt })
	for _, r := range roles {
		if !r.Deleted && r.Person != "" && s.is(r.ID, r.DealID) {
			if s.people == nil {
				s.people = make(map[string]bool)
			}
			s.people[r.Person] = true
		}
	}
	registrations := unique(j.Registrations, func(r *Registration) ItemID { return r.ID }, func(r *Registration) time.Time { return r.ModifiedAt })
	for _, r := range registrations {
		if !r.Deleted && s.is(r.ID, r.DealID) {
			s.registrations = append(s.registrations, r)
		}
	}
	if !s.created.IsZero() {
		for _, objects := range b.people {
			if at := earliestCreated(b.onDeal(s, objects), s.created); !at.IsZero() && (s.lead.IsZero() || at.Before(s.lead)) {
				s.lead = at
			}
		}
	}
}

// is reports whether an item speaks of this business by the id of a deal in the
// item's own system.
func (s *business) is(item ItemID, dealID string) bool {
	speaks := func(d *Deal) bool { return d.ID.system() == item.system() && d.ID.local() == dealID }
	return dealID != "" && (speaks(&s.Deal) || slices.ContainsFunc(s.merged, func(d Deal) bool { return speaks(&d) }))
}

// onDeal leaves of one person's objects those that count for the deal: all, or
// none, as the contract matches people to deals.
func (b *booker) onDeal(s *business, objects []Person) []Person {
	if !b.explicit(s) || s.people[objects[0].key()] {
		return objects
	}
	return nil
}

// explicit reports whether only touches of people with a role on the deal share it.
func (b *booker) explicit(s *business) bool {
	switch b.contract.Journey.Matching {
	case contract.MatchExplicit:
		return true
	case contract.MatchHybrid:
		return len(s.people) > 0
	case contract.MatchImplicit:
	}
	return false
}

// inCampaign reports whether a CRM says that the deal is of the contract's campaign.
func (b *booker) inCampaign(s *business) bool {
	return b.contract.IsCampaign(s.CampaignID) ||
		slices.ContainsFunc(s.merged, func(d Deal) bool { return b.contract.IsCampaign(d.CampaignID) })
}

// listPeople puts the leads and contacts that are one person together.
func listPeople(j Journey) map[string][]Person {
	people := make(map[string][]Person)
	for _, p := range unique(j.People, func(p *Person) ItemID { return p.ID }, func(p *Person) time.Time { return p.ModifiedAt }) {
		if !p.Deleted {
			people[p.key()] = append(people[p.key()], p)
		}
	}
	return people
}

// approved are the words of partner portals and CRMs for a registration that
// holds.
func approved(status string) bool {
	switch strings.ToLower(strings.TrimSpace(status)) {
	case "approved", "accepted", "active", "registered":
		return true
	}
	return false
}
