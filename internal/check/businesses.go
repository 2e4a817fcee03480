package check

import (
	"cmp"
	"slices"
	"time"

	"tracksource/contract"
	"tracksource/money"
)

// business is a deal with the deals of other CRMs that are the same. The first
// speaks for all.
type business struct {
	deals  []object
	valued bool
	// doubted is whether a deal that has no value for that may be the same.
	doubted bool
}

func (s *business) own() *object { return &s.deals[0] }

func (s *business) id() string { return idText(s.own().key) }

func (s *business) isOrder() bool { return s.own().state.Type == "order" }

// says is the first word that any of the deals has for a field.
func (s *business) says(field string) string {
	for _, d := range s.deals {
		if text := d.field(field); text != "" {
			return text
		}
	}
	return ""
}

func (s *business) created() time.Time { return instant(s.says("created_at")) }

// ours is whether any of the deals is of the campaign.
func (s *business) ours(c *contract.Contract) bool {
	return slices.ContainsFunc(s.deals, func(d object) bool { return c.IsCampaign(d.field("campaign_id")) })
}

// has is whether a role or a registration is of one of the deals.
func (s *business) has(o object) bool {
	return slices.ContainsFunc(s.deals, func(d object) bool {
		return d.key.reporter == o.key.reporter && d.key.source == o.key.source && local(d.key) == o.field("opportunity_id")
	})
}

// isRecord is whether a deal is of the system of record.
func (p *page) isRecord(d *object) bool {
	return d.key.reporter == p.c.SystemOfRecord.Partner && d.key.source == p.c.SystemOfRecord.Source
}

// merge puts the deals of all CRMs together.
func (p *page) merge() (list []*business) {
	deals := p.of("opportunity", "order")
	rank := func(d *object) int {
		if p.isRecord(d) {
			return -1
		}
		return p.c.Precedence(d.key.reporter, d.key.source)
	}
	slices.SortStableFunc(deals, func(a, b object) int {
		return cmp.Or(cmp.Compare(rank(&a), rank(&b)), compareItem(a.key, b.key))
	})
next:
	for _, d := range deals {
		for _, s := range list {
			if s.valued && otherCRM(s.own(), &d) && p.same(s.own(), &d) {
				s.deals = append(s.deals, d)
				continue next
			}
		}
		s := &business{deals: []object{d}}
		counts := p.isRecord(&d) || p.c.Deals.Others == contract.DealsCount
		s.valued = counts && (p.isRecord(&d) || !p.suspected(list, s))
		for _, other := range list {
			other.doubted = other.doubted || counts && !s.valued && p.suspected([]*business{other}, s)
		}
		list = append(list, s)
	}
	return list
}

func otherCRM(a, b *object) bool {
	return a.key.reporter != b.key.reporter || a.key.source != b.key.source
}

// decided is the last word about two deals, if there is any.
func (p *page) decided(a, b *object) (same, decided bool) {
	var last *object
	for _, o := range p.of("overlap_decision") {
		one, other := o.field("deal"), o.field("other")
		pair := one == idText(a.key) && other == idText(b.key) || one == idText(b.key) && other == idText(a.key)
		if !pair || o.field("campaign") != p.c.Campaign {
			continue
		}
		if last == nil || !o.state.ModifiedAt.Before(last.state.ModifiedAt) {
			last = &o
		}
	}
	return last != nil && last.field("decision") == "same", last != nil
}

func (p *page) same(a, b *object) bool {
	if same, decided := p.decided(a, b); decided {
		return same
	}
	one, other := a.field("shared_id"), b.field("shared_id")
	return one != "" && (one == other || one == local(b.key)) || other != "" && other == local(a.key)
}

// suspected is whether a deal may be one of the businesses so far.
func (p *page) suspected(list []*business, s *business) bool {
	return slices.ContainsFunc(list, func(other *business) bool {
		one, two := instant(s.own().field("created_at")), instant(other.own().field("created_at"))
		if !other.valued || !otherCRM(other.own(), s.own()) || one.IsZero() || two.IsZero() {
			return false
		}
		_, decided := p.decided(other.own(), s.own())
		apart := int(p.c.Day(one)) - int(p.c.Day(two))
		return !decided && max(apart, -apart) <= p.c.Deals.SuspectDays
	})
}

// roles are the people with a role on the business.
func (p *page) roles(s *business) (people []string) {
	for _, o := range p.of("contact_role") {
		if who := cmp.Or(known(o.person), o.field("contact")); s.has(o) && who != "" {
			people = append(people, who)
		}
	}
	return people
}

// registered is the partner of the registration that sourced a business, and
// whether there is one.
func (p *page) registered(s *business) (partner string, found bool) {
	var best *object
	created := p.c.Day(s.created())
	for _, o := range p.of("deal_registration") {
		who, _ := p.c.PartnerNamed(cmp.Or(o.field("partner"), o.key.reporter))
		if !s.has(o) || !isApproved(o.field("status")) || !p.c.MayCredit(o.key.reporter, who) {
			continue
		}
		if expires, err := money.ParseDay(o.field("expires")); err == nil && expires < created {
			continue
		}
		if best == nil || earlier(approvedAt(&o), approvedAt(best)) {
			best, partner = &o, who
		}
	}
	return partner, best != nil
}

// approvedAt is when a registration was approved; of a day its beginning.
func approvedAt(o *object) time.Time {
	if day, err := time.Parse(time.DateOnly, o.field("approved_at")); err == nil {
		return day
	}
	return instant(o.field("approved_at"))
}

// earlier is whether a is before b; what is not known is behind all that is.
func earlier(a, b time.Time) bool {
	if a.IsZero() || b.IsZero() {
		return !a.IsZero() && b.IsZero()
	}
	return a.Before(b)
}
