package sim_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"tracksource/internal/control"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

const tour = "ai-launch-tour"

// saidAt is when most of what signatories say was said: behind all days of the sample,
// so that any of them can be closed.
func (s *story) saidAt(hours int) time.Time {
	return s.world.Start.AddDate(0, 0, 200).Add(time.Duration(hours) * time.Hour)
}

// disputed lets partners dispute deals, over the API and in a feed: sourcing and
// credits, before and behind what is closed, withdrawn, upheld and rejected, and some
// that nobody may open.
func (s *story) disputed() {
	objects, _ := s.said()
	deals := objects["Opportunity"][s.spec.RawTopic("crm", "acme")]
	slices.Sort(deals)
	for n, deal := range slices.Compact(deals) {
		if s.rng.IntN(3) == 0 {
			continue
		}
		name := avro.DealName{Reporter: "acme", Source: "salesforce", ID: deal}
		partner, other := "globex", "acme"
		if s.rng.IntN(2) == 0 {
			partner, other = other, partner
		}
		var steps []avro.Control
		for try := range 1 + s.rng.IntN(2) {
			open := avro.DisputeRecord{
				ID: fmt.Sprint(deal, "/", try), Campaign: tour, Partner: partner, Deal: name, Action: "open", About: "credit", Against: other,
				By: "alliances", Why: "it was ours", At: s.saidAt(s.rng.IntN(60) - 40),
			}
			if s.rng.IntN(3) == 0 {
				open.About, open.Against = "sourcing", ""
			}
			steps = append(steps, step(open))
			steps = append(steps, s.settlement(open)...)
		}
		s.sequences = append(s.sequences, steps)
		if n%3 == 0 { // one that stays open, of days that nobody had closed
			s.sequences = append(s.sequences, []avro.Control{step(avro.DisputeRecord{
				ID: deal + "/open", Campaign: tour, Partner: other, Deal: name, Action: "open", About: "sourcing", By: "alliances", Why: "we met them first", At: s.saidAt(-100),
			})})
		}
		if n%4 == 0 {
			s.disputeByFeed(deal, partner)
		}
	}
	for _, bad := range []avro.DisputeRecord{
		{ID: "bad", Campaign: tour, Partner: "zeta", Action: "open", About: "sourcing", By: "alliances", Why: "nobody knows them", At: s.saidAt(1)},
		{ID: "bad", Campaign: tour, Partner: "acme", Action: "withdraw", By: "alliances", Why: "there is none", At: s.saidAt(1)},
	} {
		s.sequences = append(s.sequences, []avro.Control{step(bad)})
	}
}

func step(r avro.DisputeRecord) avro.Control {
	return avro.Control{Kind: control.Dispute, Dispute: &r}
}

// settlement is what becomes of a dispute, if anything does; of one that is still open
// another one of the partner is refused.
func (s *story) settlement(open avro.DisputeRecord) []avro.Control {
	r := open
	r.About, r.Against, r.By, r.Why, r.At = "", "", "governance board", "seen", open.At.Add(time.Duration(s.rng.IntN(10))*time.Hour)
	switch s.rng.IntN(5) {
	case 0:
		r.Action = "withdraw"
	case 1:
		r.Action, r.Partner, r.Outcome = "resolve", "", "rejected"
	case 2, 3:
		r.Action, r.Partner, r.Outcome, r.To = "resolve", "", "upheld", open.Partner
	default:
		return nil
	}
	return []avro.Control{step(r)}
}

// disputeByFeed says a dispute in the CRM feed of a partner, sometimes twice, and
// sometimes takes it back there.
func (s *story) disputeByFeed(deal, partner string) {
	event := map[string]any{
		"type": "tracksource.dispute", "action": "open", "id": "feed-" + deal, "campaign": tour, "deal": "acme/salesforce/" + deal,
		"about": "sourcing", "by": "alliances", "why": "registered in January",
	}
	events := []map[string]any{event}
	if s.rng.IntN(2) == 0 {
		events = append(events, map[string]any{"type": "tracksource.dispute", "action": "withdraw", "id": "feed-" + deal, "campaign": tour, "by": "alliances", "why": "seen"})
	}
	if s.rng.IntN(2) == 0 {
		events = append(events, event)
	}
	for _, e := range events {
		m := stream.Message{Topic: s.spec.RawTopic("crm", partner), Key: []byte(deal), Value: s.encode(e)}
		s.events = slices.Insert(s.events, s.rng.IntN(len(s.events)), m)
	}
}

// closed closes days of the sample while its events come, opens some again, and tries
// what is refused.
func (s *story) closed() {
	day := func(n int) string { return s.world.Start.AddDate(0, 0, n).Format(time.DateOnly) }
	period := func(action, day string, hours int) avro.Control {
		return avro.Control{Kind: control.Period, Period: &avro.PeriodRecord{Campaign: tour, Action: action, Day: day, By: "finance", Why: "the books", At: s.saidAt(hours)}}
	}
	first := 5 + s.rng.IntN(15)
	again := day(first + 5)
	s.sequences = append(s.sequences, []avro.Control{
		period("close", day(first), 0),
		period("close", day(first), 1), // closed already
		period("close", day(first+15), 5),
		period("reopen", again, 6), // without a word, where one is needed
		{Kind: control.Approval, Approval: &avro.ApprovalRecord{
			Campaign: tour, Partner: "globex", Of: "reopen", Day: again, Decision: "approved", By: "finance", Why: "a late deal", At: s.saidAt(7),
		}},
		period("reopen", again, 8),
		period("close", day(first+30), 12),
		period("close", day(400), 13), // not over
	})
}

// interleaved is what the inputs let signatories say, each sequence in its order.
func (s *story) interleaved(rng *rand.Rand) (list []avro.Control) {
	left := slices.Clone(s.sequences)
	for len(left) > 0 {
		i := rng.IntN(len(left))
		list = append(list, left[i][0])
		if left[i] = left[i][1:]; len(left[i]) == 0 {
			left = slices.Delete(left, i, i+1)
		}
	}
	return list
}

// asks lets a contract ask globex for its approval of revisions and of days that are
// opened again.
var asks = []string{"\nwindow:", "\napprovals: {revision: [globex], reopen: [globex]}\nwindow:"}

// approve gives a revision the approval that its contract or the one in force asks for;
// before that it is sometimes tried without.
func (d *decisions) approve(revision avro.Control, text string) {
	if !strings.Contains(text+d.agreed, "\napprovals:") {
		return
	}
	proposal := *revision.Contract
	proposal.Proposed, proposal.RecordedAt = true, d.at()
	d.list = append(d.list, avro.Control{Kind: control.Contract, Contract: &proposal})
	word := func(decision string) {
		d.list = append(d.list, avro.Control{Kind: control.Approval, Approval: &avro.ApprovalRecord{
			Campaign: tour, Partner: "globex", Of: "revision", Revision: proposal.Revision, Hash: proposal.Hash, Decision: decision,
			By: "legal", Why: "read", At: d.at(),
		}})
	}
	switch d.rng.IntN(3) {
	case 0:
		d.list = append(d.list, revision)
		d.done["unapproved"]++
	case 1:
		word("refused")
		d.list = append(d.list, revision)
		d.done["unapproved"]++
	}
	word("approved")
	d.done["approved"]++
}
