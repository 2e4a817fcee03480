package check

import (
	"cmp"
	"fmt"

	"tracksource/contract"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// booked holds an entry's day of booking against what was closed by then: it is the
// entry's own day, and where that is closed the first open one. What is proposed is
// never closed.
func (v *verifier) booked(l *lane, e *At[avro.CreditEntry]) {
	c := &e.Value
	place := fmt.Sprintf("ledger: entry at %d@%d of %s", e.Partition, e.Offset, keyText(keyOf(c, "")))
	campaign, proposed := contract.CampaignOfBook(c.Contract)
	until, known := v.closedBy(campaign, c.Closing)
	switch {
	case proposed && c.Closing != 0:
		v.problem("%s is booked by closing %d, and nothing that is proposed is closed", place, c.Closing)
		return
	case proposed:
	case !known:
		v.problem("%s is booked by closing %d, which is none of %s", place, c.Closing, campaign)
		return
	case c.Closing < l.closing[c.Contract]:
		v.problem("%s is booked by closing %d behind one by closing %d", place, c.Closing, l.closing[c.Contract])
	}
	if l.closing[c.Contract] = c.Closing; c.Booked != "" && c.Booked != c.Day {
		v.report.Adjusted++
	}
	if c.Escrow == escrowDisputed {
		v.report.Escrowed++
	}
	if least := v.closedBefore(c.SourcePartition, c.CauseEvent, campaign); c.Closing < least && !proposed {
		v.problem("%s is booked by closing %d, and event %q came behind closing %d", place, c.Closing, c.CauseEvent, least)
	}
	day, err := money.ParseDay(c.Day)
	if err != nil {
		v.problem("%s: %v", place, err)
		return
	}
	want := max(day, until+1)
	if booked := cmp.Or(c.Booked, c.Day); booked != want.String() {
		v.problem("%s is booked on %s, and by closing %d it belongs on %s", place, booked, c.Closing, want)
	}
}

// closedBy is the last day that is closed by a broadcast, false if it closes and opens
// nothing of the campaign. Number 0 is before all of them.
func (v *verifier) closedBy(campaign string, number int64) (until money.Day, known bool) {
	for _, c := range v.closings[campaign] {
		if c.number == number {
			return c.until, true
		}
	}
	return nothingClosed, number == 0
}

// seenAt is an event on one partition of journeys.
type seenAt struct {
	partition int32
	event     string
}

// closedBefore is the number of the last closing of a campaign in front of the first
// item that an event made on a partition of journeys; 0 for none.
func (v *verifier) closedBefore(partition int32, event, campaign string) (number int64) {
	first, found := v.firstSeen[seenAt{partition, event}]
	if !found {
		return 0
	}
	for _, c := range v.closings[campaign] {
		if c.offsets[partition] < first {
			number = c.number
		}
	}
	return number
}

// order notes where the events and the closings are on each partition of journeys,
// which are in the order of places.
func (v *verifier) order() {
	v.firstSeen = map[seenAt]int64{}
	for i := range v.in.Journeys {
		r := &v.in.Journeys[i]
		if at := (seenAt{r.Partition, r.Value.EventID}); r.Value.Kind != "control" {
			if _, found := v.firstSeen[at]; !found {
				v.firstSeen[at] = r.Offset
			}
			continue
		}
		if c := r.Value.Control; c != nil && c.Period != nil {
			for n := range v.closings[c.Period.Campaign] {
				if is := &v.closings[c.Period.Campaign][n]; is.number == c.Number {
					is.offsets[r.Partition] = r.Offset
				}
			}
		}
	}
}
