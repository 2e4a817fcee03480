package check

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/money"
)

// The escrow of a number.
const (
	escrowNone     = "(none)"
	escrowDisputed = "disputed"
)

// closing is one word on which days of a campaign are closed.
type closing struct {
	number  int64           // of its broadcast
	offsets map[int32]int64 // where that is on each partition of journeys
	until   money.Day       // the last day that is closed
	at      time.Time
}

// nothingClosed is behind no day.
const nothingClosed = money.DayMin - 1

// dispute is one of a business that the book does not refuse, as it now stands.
type dispute struct {
	id, partner, about, against, state, to string
	opened, settled                        time.Time // settled is zero while it is open
	closed                                 money.Day // the last day that was closed when it was opened
	object                                 object
}

const aboutSourcing, aboutCredit, disputeUpheld = "sourcing", "credit", "upheld"

func (d *dispute) open() bool { return d.state == "" }

// disputed lists the disputes of each business. One of a partner that has not signed,
// of what is no business with a value, or of a partner that has one open already has
// no effect.
func (p *page) disputed() map[*business][]*dispute {
	of := map[*business][]*dispute{}
	for _, o := range p.of("dispute") {
		d := &dispute{
			id: strings.TrimPrefix(o.state.ID, p.c.Campaign+"/"), partner: o.field("partner"), about: o.field("about"), against: o.field("against"),
			state: o.field("state"), to: o.field("to"), opened: instant(o.field("opened_at")), settled: instant(o.field("settled_at")), object: o,
		}
		signed := slices.ContainsFunc(p.c.Partners, func(partner contract.Partner) bool { return partner.ID == d.partner })
		if o.field("campaign") != p.c.Campaign || !signed || d.opened.IsZero() || d.about != aboutSourcing && d.about != aboutCredit {
			continue
		}
		d.closed = p.closedAt(d.opened)
		for _, s := range p.businesses {
			is := slices.ContainsFunc(s.deals, func(deal object) bool { return idText(deal.key) == o.field("deal") })
			if s.valued && is {
				of[s] = append(of[s], d)
			}
		}
	}
	for s, list := range of {
		slices.SortFunc(list, func(a, b *dispute) int { return cmp.Or(a.opened.Compare(b.opened), strings.Compare(a.id, b.id)) })
		var taken []*dispute
		for _, d := range list {
			if !slices.ContainsFunc(taken, func(was *dispute) bool { return was.partner == d.partner && was.openAt(d.opened) }) {
				taken = append(taken, d)
			}
		}
		of[s] = taken
	}
	return of
}

// openAt is whether one that was opened earlier was not settled before the instant.
func (d *dispute) openAt(at time.Time) bool { return d.open() || !at.After(d.settled) }

// closedAt is the last day that was closed at an instant.
func (b *book) closedAt(at time.Time) money.Day {
	until := nothingClosed
	for _, c := range b.closings {
		if !c.at.After(at) {
			until = c.until
		}
	}
	return until
}

// touches is whether the dispute of an event's business has an effect on it: what was
// closed when it was opened it leaves alone.
func (p *page) touches(d *dispute, e *event) bool {
	if d.about == aboutSourcing {
		return isSourced(e.measure) && p.beforeClose(d, e.business)
	}
	return !isSourced(e.measure) && e.day > d.closed
}

// beforeClose is whether the creation of a business was in no closed period when the
// dispute was opened.
func (p *page) beforeClose(d *dispute, s *business) bool {
	return s.created().IsZero() || p.c.Day(s.created()) > d.closed
}

// upheld lists the disputes of a business that were, in the order in which they were
// settled.
func (p *page) upheld(s *business, about string) (list []*dispute) {
	for _, d := range p.disputes[s] {
		if d.about == about && d.state == disputeUpheld {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b *dispute) int { return cmp.Or(a.settled.Compare(b.settled), strings.Compare(a.id, b.id)) })
	return list
}

// credited is who gets what an event would credit to a partner, once the disputes of
// its business are settled.
func (p *page) credited(e *event, partner string) string {
	for _, d := range p.upheld(e.business, aboutCredit) {
		if p.touches(d, e) && d.against == partner {
			partner = d.to
		}
	}
	return partner
}

// decidedSource is who sourced a business by the last dispute of it that was upheld,
// false if none was.
func (p *page) decidedSource(s *business) (partner string, found bool) {
	for _, d := range p.upheld(s, aboutSourcing) {
		if p.beforeClose(d, s) {
			partner, found = d.to, true
		}
	}
	return partner, found
}

// escrow is that of what an event credits to somebody.
func (p *page) escrow(e *event, partner string) string {
	for _, d := range p.disputes[e.business] {
		if d.open() && p.touches(d, e) && (d.about == aboutSourcing || d.against == partner) {
			return escrowDisputed
		}
	}
	return escrowNone
}
