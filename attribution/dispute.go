package attribution

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/money"
)

// Why a dispute has no effect, as Refusal.Code says it. They are kinds of alerts.
const (
	// RefusedUnmatched is of a deal that is none with a value here.
	RefusedUnmatched = "dispute_unmatched"
	// RefusedTwice was opened while another of the same deal and partner was open.
	RefusedTwice = "dispute_twice"
	// RefusedClosed is of conversions whose days were all closed when it was opened.
	RefusedClosed = "dispute_closed"
	// RefusedPartner is by a partner that the contract does not have.
	RefusedPartner = "dispute_partner"
)

// Refusal is a dispute that has no effect though it is open, or was upheld.
type Refusal struct {
	// Code is one of the Refused constants, Why the same in plain words.
	Code, Why string
	// Dispute is the id of the object, Deal the disputed deal's as text.
	Dispute ItemID
	Deal    string
	Partner string
}

// FactDispute is a dispute of a deal as it now stands.
type FactDispute struct {
	// ID is what its partner calls it, unique within the campaign.
	ID string
	// Partner to State and To are as Dispute has them, but for an open one's State.
	Partner, About, Against, State, To string
	By, Why                            string
	OpenedAt                           time.Time
	SettledBy, SettledWhy              string
	// SettledAt is zero while it is open.
	SettledAt time.Time
	// From is the first conversion day on which it acts, as the days before it were
	// closed when it was opened: [money.DayMin] for all, [money.DayMax] for none.
	From money.Day
}

// Credited is who gets what a touch of the deal credits a partner with, on a
// conversion day: the partner, unless disputes were upheld.
func (f *Facts) Credited(partner string, day money.Day) string {
	if len(f.Disputes) == 0 {
		return partner
	}
	var upheld []*FactDispute
	for i := range f.Disputes {
		upheld = append(upheld, &f.Disputes[i])
	}
	return settle(settlements(upheld), partner, day)
}

// Escrow is whether a line of the deal is in escrow: what a partner, after
// settlements, has of a measure on a conversion day.
func (f *Facts) Escrow(measure, partner string, day money.Day) string {
	about, against := DisputeCredit, partner
	if IsSourced(measure) {
		about, against = DisputeSourcing, ""
	}
	for i := range f.Disputes {
		if f.Disputes[i].holds(about, against, day) {
			return EscrowDisputed
		}
	}
	return EscrowNone
}

func (d *FactDispute) acts(day money.Day) bool { return day >= d.From }

// holds reports whether it keeps in escrow what is disputed of a conversion day.
func (d *FactDispute) holds(about, against string, day money.Day) bool {
	return d.State == DisputeOpen && d.About == about && d.Against == against && d.acts(day)
}

// hasEffect reports whether it is open or was upheld: the others change nothing.
func (d *FactDispute) hasEffect() bool { return d.State == DisputeOpen || d.State == DisputeUpheld }

// concerns reports whether it is about what a measure of money credits.
func (d *FactDispute) concerns(measure string) bool {
	switch measure {
	case MeasurePipelineCreated, MeasurePipelineOpen, MeasureRevenue:
		return d.About == DisputeCredit
	}
	return IsSourced(measure) && d.About == DisputeSourcing
}

// settlements leaves those of credit that were upheld, in the order in which they
// were, of one instant by id.
func settlements(disputes []*FactDispute) []*FactDispute {
	upheld := slices.DeleteFunc(disputes, func(d *FactDispute) bool { return d.State != DisputeUpheld || d.About != DisputeCredit })
	slices.SortStableFunc(upheld, compareSettled)
	return upheld
}

func compareSettled(a, b *FactDispute) int {
	return cmp.Or(a.SettledAt.Compare(b.SettledAt), strings.Compare(a.ID, b.ID))
}

// settle replaces a partner by one settlement after the other.
func settle(upheld []*FactDispute, partner string, day money.Day) string {
	for _, d := range upheld {
		if d.Against == partner && d.acts(day) {
			partner = d.To
		}
	}
	return partner
}

// dispute is one of a business, or of what may turn out to be one.
type dispute struct {
	FactDispute
	object ItemID
	deal   string
}

// listDisputes hands the disputes of the contract's campaign to the businesses that
// they are of, and notes those that it refuses.
func (b *booker) listDisputes(closings []Closing, j Journey) {
	if len(j.Disputes) == 0 {
		return
	}
	var list []dispute
	for _, d := range unique(j.Disputes, func(d *Dispute) ItemID { return d.ID }, func(d *Dispute) time.Time { return d.ModifiedAt }) {
		if fact, opened := d.fact(); opened && !d.Deleted && d.Campaign == b.contract.Campaign {
			list = append(list, dispute{fact, d.ID, d.Deal})
		}
	}
	slices.SortStableFunc(list, func(x, y dispute) int { return cmp.Or(x.OpenedAt.Compare(y.OpenedAt), strings.Compare(x.ID, y.ID)) })
	for _, d := range list {
		b.take(d, ClosedUntil(closings, d.OpenedAt).Add(1))
	}
	for i := range b.businesses {
		s := &b.businesses[i]
		for n := range s.disputes {
			s.settled = append(s.settled, &s.disputes[n].FactDispute)
		}
		s.settled = settlements(s.settled)
	}
}

// fact is the dispute as facts have it. It reports false of one that was never
// opened.
func (d *Dispute) fact() (FactDispute, bool) {
	f := FactDispute{
		ID:      strings.TrimPrefix(d.ID.Item, contract.ObjectDispute+"/"+d.Campaign+"/"),
		Partner: d.Partner, About: d.About, Against: d.Against, State: cmp.Or(d.State, DisputeOpen), To: d.To,
		By: d.OpenedBy, Why: d.OpenedWhy, SettledBy: d.SettledBy, SettledWhy: d.SettledWhy,
	}
	var err error
	if f.OpenedAt, err = time.Parse(time.RFC3339, d.OpenedAt); err != nil {
		return f, false
	}
	if at, err := time.Parse(time.RFC3339, d.SettledAt); err == nil {
		f.SettledAt = at.UTC()
	}
	f.OpenedAt = f.OpenedAt.UTC()
	switch f.About {
	case DisputeSourcing:
		f.Against = ""
	case DisputeCredit:
	default:
		return f, false
	}
	return f, true
}

// take gives a dispute to its business, or refuses it. First is the first day that
// was open when it was opened.
func (b *booker) take(d dispute, first money.Day) {
	if !b.contract.IsPartner(d.Partner) {
		b.refuse(d, RefusedPartner, fmt.Sprintf("%s has not signed revision %d of %s", d.Partner, b.revision, b.contract.Campaign))
		return
	}
	at := slices.IndexFunc(b.businesses, func(s business) bool { return s.excluded == "" && s.isCalled(d.deal) })
	if at < 0 {
		b.refuse(d, RefusedUnmatched, "no deal "+d.deal+" has a value in this book")
		return
	}
	s := &b.businesses[at]
	for i := range s.disputes {
		if other := &s.disputes[i]; other.Partner == d.Partner && (other.SettledAt.IsZero() || !d.OpenedAt.After(other.SettledAt)) {
			b.refuse(d, RefusedTwice, fmt.Sprintf("dispute %s of %s about the same deal was open already", other.ID, d.Partner))
			return
		}
	}
	d.From = first
	if d.About == DisputeSourcing {
		// It is the day of the creation that counts, whatever the conversion's is.
		if d.From = money.DayMin; !s.created.IsZero() && b.contract.Day(s.created) < first {
			d.From = money.DayMax
		}
	}
	s.disputes = append(s.disputes, d)
}

// refuse notes a dispute that would have an effect.
func (b *booker) refuse(d dispute, code, why string) {
	if d.hasEffect() {
		b.refusals = append(b.refusals, Refusal{Code: code, Why: why, Dispute: d.object, Deal: d.deal, Partner: d.Partner})
	}
}

// refused are the disputes without an effect: those that were refused, and those that
// act on none of what is booked of their deals.
func (b *booker) refused(booked []Conversion) []Refusal {
	for i := range b.businesses {
		s := &b.businesses[i]
		for _, d := range s.disputes {
			concerned, acts := false, false
			for _, c := range booked {
				if d.concerns(c.Measure) && c.ID == s.ID.String() {
					concerned, acts = true, acts || d.acts(c.Day)
				}
			}
			if concerned && !acts {
				b.refuse(d, RefusedClosed, "every day on which the deal has a value was closed when the dispute was opened")
			}
		}
	}
	return b.refusals
}

// isCalled reports whether an id as text is the deal's, or that of one merged into it.
func (s *business) isCalled(deal string) bool {
	return s.ID.String() == deal || slices.ContainsFunc(s.merged, func(d Deal) bool { return d.ID.String() == deal })
}

// credited is who gets what a touch credits a partner with; of no business, the
// partner.
func (s *business) credited(partner string, day money.Day) string {
	if s == nil {
		return partner
	}
	return settle(s.settled, partner, day)
}

// escrow is whether what a partner is credited with is in escrow.
func (s *business) escrow(partner string, day money.Day) string {
	return s.held(DisputeCredit, partner, day)
}

// sourcingEscrow is whether what goes to who sourced the deal is in escrow. Those
// disputes act on every day, or on none.
func (s *business) sourcingEscrow() string { return s.held(DisputeSourcing, "", money.DayMin) }

func (s *business) held(about, against string, day money.Day) string {
	if s != nil && slices.ContainsFunc(s.disputes, func(d dispute) bool { return d.holds(about, against, day) }) {
		return EscrowDisputed
	}
	return EscrowNone
}

// decide changes who sourced the deal to whom the last dispute about it was decided
// for.
func (b *booker) decide(s *business) {
	var last *dispute
	for i := range s.disputes {
		d := &s.disputes[i]
		if d.About == DisputeSourcing && d.State == DisputeUpheld && d.acts(money.DayMin) && (last == nil || compareSettled(&last.FactDispute, &d.FactDispute) <= 0) {
			last = d
		}
	}
	if last != nil {
		s.sourced, s.sourcing = Sourced{Partner: b.sourcingName(last.To), By: SourcedByDecision, Evidence: last.object}, nil
	}
}
