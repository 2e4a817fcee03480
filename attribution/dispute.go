package attribution

import (
	"cmp"
	"slices"
	"strings"
	"time"

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
	for _, d := range settlements(f.Disputes, DisputeCredit) {
		if d.Against == partner && d.acts(day) {
			partner = d.To
		}
	}
	return partner
}

// Escrow is whether a line of the deal is in escrow: what a partner, after
// settlements, has of a measure on a conversion day.
func (f *Facts) Escrow(measure, partner string, day money.Day) string {
	for i := range f.Disputes {
		if f.Disputes[i].holds(measure, partner, day) {
			return EscrowDisputed
		}
	}
	return EscrowNone
}

func (d *FactDispute) acts(day money.Day) bool { return day >= d.From }

// holds reports whether it is open and a line is what it disputes.
func (d *FactDispute) holds(measure, partner string, day money.Day) bool {
	switch {
	case d.State != DisputeOpen || !d.acts(day):
		return false
	case IsSourced(measure):
		return d.About == DisputeSourcing
	}
	return d.About == DisputeCredit && d.Against == partner
}

// settlements are the disputes about something that were upheld, in the order in
// which they were settled, of one instant by id.
func settlements(disputes []FactDispute, about string) []*FactDispute {
	var upheld []*FactDispute
	for i := range disputes {
		if d := &disputes[i]; d.State == DisputeUpheld && d.About == about {
			upheld = append(upheld, d)
		}
	}
	slices.SortStableFunc(upheld, func(a, b *FactDispute) int {
		return cmp.Or(a.SettledAt.Compare(b.SettledAt), strings.Compare(a.ID, b.ID))
	})
	return upheld
}
