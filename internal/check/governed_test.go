package check_test

import (
	"slices"
	"strings"
	"testing"

	"tracksource/contract"
	"tracksource/internal/check"
	"tracksource/schemas/avro"
)

func disputing(id string) avro.Control {
	return avro.Control{Kind: "dispute", Dispute: &avro.DisputeRecord{
		ID: id, Campaign: "ai-launch-tour", Partner: "acme", Deal: avro.DealName{Reporter: "acme", Source: "salesforce", ID: "006"},
		Action: "open", About: "credit", Against: "globex", By: "alliances", Why: "the mail was ours", At: day(8),
	}}
}

func closing(number int64, action, last string, n int) avro.Control {
	return avro.Control{Kind: "period", Number: number, Period: &avro.PeriodRecord{
		Campaign: "ai-launch-tour", Action: action, Day: last, By: "finance", Why: "the tenth", At: day(n),
	}}
}

// The place of what a dispute moved: behind the entries of the world.
const cMoved = 15

// moved are the entries that put what globex is credited with into escrow, when the
// days up to the tenth were closed.
func moved(entries []avro.CreditEntry) (list []avro.CreditEntry) {
	for _, was := range entries {
		if was.Partner != "globex" || was.Measure == "pipeline_sourced" {
			continue
		}
		for _, sign := range []int64{-1, 1} {
			e := was
			e.Booked, e.Closing, e.ChangeID, e.EntryCount, e.Cause, e.CauseEvent = "2026-03-11", 3, "7-0-2", 12, "dispute", "dispute/1"
			e.Sequence = int64(cMoved + len(list))
			e.Delta, e.Confident = slices.Clone(was.Delta), slices.Clone(was.Confident)
			for m := range e.Delta {
				e.Delta[m], e.Confident[m] = sign*e.Delta[m], sign*e.Confident[m]
			}
			if e.Running = slices.Clone(e.Delta); sign > 0 {
				e.Escrow = "disputed"
			}
			list = append(list, e)
		}
	}
	return list
}

// governed is the world with a closed period and an open dispute behind it, of what was
// not closed when it was opened.
func governed() check.Input {
	in := world()
	dispute, period := disputing("d1"), closing(3, "close", "2026-03-10", 12)
	unnumbered := period
	unnumbered.Number = 0
	in.Control = append(in.Control, check.At[avro.Control]{Offset: 2, Value: unnumbered}, check.At[avro.Control]{Offset: 3, Value: dispute})
	in.Alerts = check.Notices(in.Control)

	object := check.Observation{Observation: avro.Observation{
		Kind: "decision", Node: deal, Reporter: "acme", Feed: "crm", Source: "salesforce", EventID: "dispute/1", OccurredAt: day(8),
		Object: &avro.ObjectFacts{Type: "dispute", ID: "ai-launch-tour/d1", Order: 1, ModifiedAt: day(8), Fields: []avro.Field{
			{Name: "about", Value: text("credit")},
			{Name: "against", Value: text("globex")},
			{Name: "campaign", Value: text("ai-launch-tour")},
			{Name: "deal", Value: text("acme/salesforce/opportunity/006")},
			{Name: "opened_at", Value: text("2026-03-08T15:00:00Z")},
			{Name: "opened_by", Value: text("alliances")},
			{Name: "opened_why", Value: text("the mail was ours")},
			{Name: "partner", Value: text("acme")},
		}},
	}}
	item := objectItem(object, domain, 1, avro.ObjectState{Type: "dispute", ID: "ai-launch-tour/d1", ModifiedAt: day(8), Fields: object.Object.Fields})
	for i, o := range []check.Observation{{Observation: avro.Observation{Kind: "control", Control: &period}}, object} {
		in.Observations = append(in.Observations, check.At[check.Observation]{Offset: int64(50 + i), Value: o})
	}
	for i, ev := range []avro.JourneyEvent{{Kind: "control", Control: &period}, item} {
		in.Journeys = append(in.Journeys, check.At[avro.JourneyEvent]{Offset: int64(50 + i), Value: ev})
	}

	entries := append(credits(), moved(credits())...)
	in.Credits, in.Rows = placed(entries), placed(rows(entries))
	in.PartnerRows = map[string][]check.At[check.Row]{"acme": placed(rows(entries)), "globex": placed(rows(entries)), "zeta": nil}
	in.Facts[1].Value.Facts.Disputes = []avro.FactsDispute{{
		ID: "d1", Partner: "acme", About: "credit", Against: "globex", State: "open", By: "alliances", Why: "the mail was ours", OpenedAt: day(8),
	}}
	return in
}

func TestGoverned(t *testing.T) {
	r := check.Verify(governed())
	if err := r.Err(); err != nil || r.Disputes != 1 || r.Closings != 1 || r.Entries != 26 || r.Adjusted != 12 || r.Escrowed != 6 {
		t.Errorf("%d disputes, %d closings, %s: %v", r.Disputes, r.Closings, r, err)
	}
}

// eachRow changes the rows of all and of each partner.
func eachRow(in *check.Input, change func(k *avro.ContributionKey, r *avro.ContributionRow)) {
	for _, rows := range [][]check.At[check.Row]{in.Rows, in.PartnerRows["acme"], in.PartnerRows["globex"]} {
		for i := range rows {
			change(&rows[i].Value.Key, rows[i].Value.Row)
		}
	}
}

// TestGovernedTampered: what is wrong with disputes, confidence and bookings is found
// and named.
func TestGovernedTampered(t *testing.T) {
	first := func(in *check.Input) *avro.CreditEntry { return &in.Credits[cMoved].Value }
	for _, tt := range []struct {
		name   string
		tamper func(in *check.Input)
		want   string
	}{
		{"a change is booked on its closed day", func(in *check.Input) { first(in).Booked = "2026-03-05" }, "is booked on 2026-03-05, and by closing 3 it belongs on 2026-03-11"},
		{"a change is booked on a closed day", func(in *check.Input) { first(in).Booked = "2026-03-10" }, "booked on 2026-03-10, and by closing 3 it belongs on 2026-03-11"},
		{"a change is booked too late", func(in *check.Input) { first(in).Booked = "2026-03-12" }, "booked on 2026-03-12, and by closing 3 it belongs on 2026-03-11"},
		{"a closing that is none", func(in *check.Input) { first(in).Closing = 2 }, "is booked by closing 2, which is none of ai-launch-tour"},
		{"a closing of what is proposed", func(in *check.Input) { first(in).Contract = contract.ProposalBook("ai-launch-tour") }, "is booked by closing 3, and nothing that is proposed is closed"},
		{"what is proposed is booked elsewhere", func(in *check.Input) {
			e := first(in)
			e.Contract, e.Closing = contract.ProposalBook("ai-launch-tour"), 0
		}, "is booked on 2026-03-11, and by closing 0 it belongs on 2026-03-05"},
		{"a closing is overlooked", func(in *check.Input) {
			for i := range in.Credits[cMoved:] {
				e := &in.Credits[cMoved+i].Value
				e.Booked, e.Closing = e.Day, 0
			}
		}, `is booked by closing 0, and event "dispute/1" came behind closing 3`},
		{"a closing is forgotten again", func(in *check.Input) {
			e := first(in)
			e.Booked, e.Closing, e.CauseEvent = e.Day, 0, ""
			in.Credits[cMoved].Value, in.Credits[cMoved+1].Value = in.Credits[cMoved+1].Value, in.Credits[cMoved].Value
		}, "is booked by closing 0 behind one by closing 3"},
		{"a closing is known too early", func(in *check.Input) { in.Credits[1].Value.Closing = 3 }, "is booked on 2026-03-05, and by closing 3 it belongs on 2026-03-11"},
		{"a row is booked on another day", func(in *check.Input) {
			eachRow(in, func(k *avro.ContributionKey, r *avro.ContributionRow) {
				if k.Escrow == "disputed" {
					k.Booked, r.Booked = "2026-03-05", "2026-03-05"
				}
			})
		}, "disputed, on the books of 2026-03-05, in 10^-2 USD: ledger 0, rows 5001"},
		{"a confident total does not follow", func(in *check.Input) { first(in).Confident[0]++ }, "confidence: the ledger is sure of 703334  of opportunities of acme/salesforce/opportunity/006 on bigco.com, 2026-03-05, under first-touch, and by the confidence in it of 703333"},
		{"an entry is too confident", func(in *check.Input) {
			e := &in.Credits[cMoved+1].Value
			e.Confidence, e.Confident = 800_000, []int64{800_000, 0, 400_000}
		}, "what is certain of ai-launch-tour opportunities first-touch 2026-03-05 [globex | Email | (unknown) | EMEA | Mid-Market | globex | this] disputed in 10^-6 : ledger 800000, rows 703333, recomputed 703333"},
		{"a confident total is lost", func(in *check.Input) { in.Credits[cMoved].Value.Confident = nil }, "the ledger is sure of 1406666  of opportunities"},
		{"more than certain", func(in *check.Input) { first(in).Confidence = 1_000_001 }, "says a confidence of 1000001"},
		{"a row is too confident", func(in *check.Input) {
			eachRow(in, func(k *avro.ContributionKey, r *avro.ContributionRow) {
				if k.Measure == "pipeline_sourced" && k.Model == "linear" {
					if err := r.SetConfident(9999, 2); err != nil {
						t.Fatal(err)
					}
				}
			})
		}, "what is certain of ai-launch-tour pipeline_sourced linear 2026-03-05 [globex | Email | (unknown) | EMEA | Mid-Market | globex | this] in 10^-2 USD: ledger 9034, rows 9999, recomputed 9034"},
		{"facts are too confident", func(in *check.Input) { in.Facts[1].Value.Facts.Measures[1].Confidence.Overall++ }, "confidence in pipeline_created is"},
		{"nothing is in escrow", func(in *check.Input) {
			in.Credits = in.Credits[:cMoved]
			eachRow(in, func(k *avro.ContributionKey, r *avro.ContributionRow) {
				if r.Booked != r.Day {
					r.IsDeleted = true
				}
			})
		}, "[globex | Email | (unknown) | EMEA | Mid-Market | globex | this] disputed in 10^-6 : ledger 0, rows 0, recomputed 500000"},
		{"too much is in escrow", func(in *check.Input) {
			in.Credits[2].Value.Escrow = "disputed"
			eachRow(in, func(k *avro.ContributionKey, r *avro.ContributionRow) {
				if k.Measure == "opportunities" && k.Partner == "acme" {
					k.Escrow, r.Escrow = "disputed", "disputed"
				}
			})
		}, "[acme | Organic Social | (unknown) | EMEA | Mid-Market | acme | (none)] disputed in 10^-6 : ledger 500000, rows 500000, recomputed 0"},
		{"an escrow of its own kind", func(in *check.Input) { in.Rows[0].Value.Key.Escrow = "maybe" }, `escrow is "maybe"`},
		{"a dispute without its record", func(in *check.Input) { in.Control = drop(in.Control, 3) }, "dispute/ai-launch-tour/d1 of provisional:object/acme/006 follows from no record of control"},
		{"a dispute is lost", func(in *check.Input) {
			in.Observations, in.Journeys = in.Observations[:len(in.Observations)-1], in.Journeys[:len(in.Journeys)-1]
		}, "disputes: ai-launch-tour/d1 is on no account"},
		{"a dispute says something else", func(in *check.Input) {
			for _, fields := range [][]avro.Field{in.Observations[len(in.Observations)-1].Value.Object.Fields, in.Journeys[len(in.Journeys)-1].Value.Object.Fields} {
				fields[6].Value = text("nobody asked")
			}
		}, `"opened_why":"nobody asked"`},
		{"a dispute is of another deal", func(in *check.Input) { in.Control[3].Value.Dispute.Deal.ID = "007" }, "is not of its deal acme/salesforce/007"},
		{"a dispute is settled on the deal and not by control", func(in *check.Input) {
			settled := avro.Field{Name: "state", Value: text("rejected")}
			o, ev := in.Observations[len(in.Observations)-1].Value.Object, in.Journeys[len(in.Journeys)-1].Value.Object
			o.Fields, ev.Fields = append(slices.Clone(o.Fields), settled), append(slices.Clone(ev.Fields), settled)
		}, `"state":"rejected"`},
		{"a dispute in another's feed", func(in *check.Input) {
			in.Raw = append(in.Raw, check.Position{Topic: "tracksource.raw.crm.globex", Offset: 7})
			in.Control[3].Value.Dispute.Origin = "tracksource.raw.crm.globex/0@7"
		}, "was said in tracksource.raw.crm.globex/0@7, which is another's feed"},
		{"a dispute of a feed that is not there", func(in *check.Input) { in.Control[3].Value.Dispute.Origin = "tracksource.raw.crm.globex/0@7" }, "speak of raw record tracksource.raw.crm.globex/0@7, which is not there"},
		{"a dispute of a feed is said twice", func(in *check.Input) {
			in.Control[3].Value.Dispute.Origin = rawAcme + "/0@7"
			in.Control = append(in.Control, in.Control[3])
			in.DeadLetters = nil
		}, "dispute d1 of " + rawAcme + "/0@7 was said twice"},
		{"facts forget a dispute", func(in *check.Input) { in.Facts[1].Value.Facts.Disputes = nil }, "disputes are []"},
		{"facts have a dispute settled", func(in *check.Input) { in.Facts[1].Value.Facts.Disputes[0].State = "rejected" }, "facts: ai-launch-tour acme/salesforce/opportunity/006 on bigco.com, revision 1: disputes are"},
		{"no facts of a dispute", func(in *check.Input) { in.Facts = drop(in.Facts, 1) }, "nothing tells of disputes"},
		{"a period that nobody closed", func(in *check.Input) { in.Control = drop(in.Control, 2) }, "broadcast 3 of close ai-launch-tour 2026-03-10 follows from no record of control"},
		{"a period is closed for one partition only", func(in *check.Input) { in.Journeys = drop(in.Journeys, len(in.Journeys)-2) }, "journeys/0 has 2 broadcasts of 3"},
		{"a closing is not told", func(in *check.Input) {
			in.Control = append(in.Control, check.At[avro.Control]{Offset: 9, Value: closing(0, "close", "2026-03-12", 14)})
		}, "control's record 9, close ai-launch-tour 2026-03-12, was broadcast to nobody"},
		{"a day is closed that is not over", func(in *check.Input) { in.Control[2].Value.Period.At = day(10) }, "broadcast 3 of close ai-launch-tour 2026-03-10 is in force, and control's record 2 of it was to be refused"},
		{"a rate that is another", func(in *check.Input) {
			r := *in.Control[1].Value.Rate
			r.Rate = "2"
			in.Control[1].Value.Rate = &r
		}, "broadcast 2 of rate EUR/USD of 2026-03-05 = 1.1 is by control its record 1, rate EUR/USD of 2026-03-05 = 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := governed()
			tt.tamper(&in)
			if err := check.Verify(in).Err(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %q", err, tt.want)
			}
		})
	}
}

// asking is a revision of the contract that accounts for days behind those of the
// world, and by which revisions and the opening of closed days need globex.
func asking(revision int64) avro.Control {
	return edited(revision, []string{"\nwindow:", "\nrestate_from: 2026-03-20\napprovals: {revision: [globex], reopen: [globex]}\nwindow:"})
}

func propose(c avro.Control) avro.Control {
	r := *c.Contract
	r.Proposed = true
	c.Contract = &r
	return c
}

func approval(of avro.Control, decision string) avro.Control {
	return avro.Control{Kind: "approval", Approval: &avro.ApprovalRecord{
		Campaign: "ai-launch-tour", Partner: "globex", Of: "revision", Revision: of.Contract.Revision, Hash: of.Contract.Hash,
		Decision: decision, By: "legal", Why: "read it", At: day(20),
	}}
}

func reopening(day0, decision string) avro.Control {
	return avro.Control{Kind: "approval", Approval: &avro.ApprovalRecord{
		Campaign: "ai-launch-tour", Partner: "globex", Of: "reopen", Day: day0, Decision: decision, By: "legal", Why: "a late deal", At: day(21),
	}}
}

// TestApprovals: what is broadcast has the approvals that it needs.
func TestApprovals(t *testing.T) {
	second, third := asking(2), asking(3)
	other := third
	record := *third.Contract
	record.Document = strings.Replace(record.Document, "name: AI Launch Tour", "name: AI Launch Tours", 1)
	record.Hash = hashOf(record.Document)
	other.Contract = &record
	agreed := []avro.Control{propose(second), approval(second, "approved"), second}
	closed := append(slices.Clone(agreed), closing(0, "close", "2026-03-19", 22))
	for _, tt := range []struct {
		name     string
		controls []avro.Control
		want     string // of the problem; empty: holds
	}{
		{"with all", agreed, ""},
		{"without a word", []avro.Control{propose(second), second}, "globex has not approved it"},
		{"without a proposal", []avro.Control{second}, "globex has not approved it"},
		{"refused", []avro.Control{propose(second), approval(second, "refused"), second}, "globex has not approved it"},
		{"refused first", []avro.Control{propose(second), approval(second, "refused"), approval(second, "approved"), second}, ""},
		{"approved first", []avro.Control{propose(second), approval(second, "approved"), approval(second, "refused"), second}, "globex has not approved it"},
		{"approved before it was proposed", []avro.Control{approval(second, "approved"), propose(second), second}, "globex has not approved it"},
		{"asked by the one in force", append(slices.Clone(agreed), edited(3, fromDay("2026-03-20"))), "globex has not approved it"},
		{"another one was approved", append(slices.Clone(agreed), propose(third), approval(third, "approved"), propose(other), other), "globex has not approved it"},
		{"closed", closed, ""},
		{"closed twice", append(slices.Clone(closed), closing(0, "close", "2026-03-19", 23)), "was to be refused: closed is up to 2026-03-19"},
		{"opened again", append(slices.Clone(closed), reopening("2026-03-18", "approved"), closing(0, "reopen", "2026-03-18", 23)), ""},
		{"opened again without a word", append(slices.Clone(closed), closing(0, "reopen", "2026-03-18", 23)), "globex has not approved that days from 2026-03-18 on are opened again"},
		{"opened again from another day on", append(slices.Clone(closed), reopening("2026-03-18", "approved"), closing(0, "reopen", "2026-03-17", 23)), "globex has not approved that days from 2026-03-17"},
		{"opened again by an older word", append(slices.Clone(agreed), reopening("2026-03-18", "approved"), closing(0, "close", "2026-03-19", 22), closing(0, "reopen", "2026-03-18", 23)), "globex has not approved that days"},
		{"closed before it was closed", append(slices.Clone(closed), closing(0, "close", "2026-03-20", 21)), "periods were decided on 2026-03-22"},
		{"proposed again once approved", []avro.Control{propose(second), approval(second, "approved"), propose(second), second}, "globex has not approved it"},
		{"opened again from one of two days", append(slices.Clone(closed), reopening("2026-03-18", "approved"), reopening("2026-03-17", "approved"), closing(0, "reopen", "2026-03-18", 23)), ""},
		{"opened again by a word taken back", append(slices.Clone(closed), reopening("2026-03-18", "approved"), reopening("2026-03-18", "refused"), closing(0, "reopen", "2026-03-18", 23)), "globex has not approved that days"},
		{"opened again that is open", append(slices.Clone(closed), reopening("2026-03-20", "approved"), closing(0, "reopen", "2026-03-20", 23)), "closed is up to 2026-03-19 only"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := check.Verify(decided(tt.controls...)).Err()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %q", err, tt.want)
			}
		})
	}
}

// said is a step of the dispute of the tests, otherwise than it is there.
func said(change func(r *avro.DisputeRecord)) avro.Control {
	c := disputing("d1")
	change(c.Dispute)
	return c
}

// settle is a step that settles it.
func settle(action, outcome, to, partner string) avro.Control {
	return said(func(r *avro.DisputeRecord) {
		r.Action, r.Outcome, r.To, r.Partner, r.About, r.Against, r.At = action, outcome, to, partner, "", "", day(9)
	})
}

// TestDisputes: what control must refuse is on no account, and what it must not
// refuse is. The deal of this world is told of none.
func TestDisputes(t *testing.T) {
	const taken = "disputes: ai-launch-tour/d1 is on no account"
	open := disputing("d1")
	again, early := disputing("d2"), settle("withdraw", "", "", "acme")
	early.Dispute.At = day(7)
	for _, tt := range []struct {
		name     string
		controls []avro.Control
		want     string // the last problem; empty: holds
	}{
		{"opened", []avro.Control{open}, taken},
		{"of who sourced it", []avro.Control{said(func(r *avro.DisputeRecord) { r.About, r.Against = "sourcing", "" })}, taken},
		{"of what nobody is credited with", []avro.Control{said(func(r *avro.DisputeRecord) { r.Against = "(none)" })}, taken},
		{"of what is held", []avro.Control{said(func(r *avro.DisputeRecord) { r.Against = "(held)" })}, taken},
		{"twice", []avro.Control{open, again}, taken},
		{"again once settled", []avro.Control{open, settle("withdraw", "", "", "acme"), again}, "disputes: ai-launch-tour/d2 is on no account"},
		{"withdrawn by another", []avro.Control{open, settle("withdraw", "", "", "globex"), again}, taken},
		{"upheld", []avro.Control{open, settle("resolve", "upheld", "acme", ""), again}, "disputes: ai-launch-tour/d2 is on no account"},
		{"upheld in favour of a stranger", []avro.Control{open, settle("resolve", "upheld", "zeta", ""), again}, taken},
		{"upheld in favour of those who source", []avro.Control{open, settle("resolve", "upheld", "unsourced", ""), again}, taken},
		{"rejected in favour of somebody", []avro.Control{open, settle("resolve", "rejected", "acme", ""), again}, taken},
		{"upheld in favour of whom it is against", []avro.Control{open, settle("resolve", "upheld", "globex", ""), again}, taken},
		{"settled before it was opened", []avro.Control{open, early, again}, taken},
		{"settled somehow", []avro.Control{open, settle("resolve", "forgotten", "", ""), again}, taken},
		{"rejected", []avro.Control{open, settle("resolve", "rejected", "", ""), again}, "disputes: ai-launch-tour/d2 is on no account"},
		{"of a campaign without a contract", []avro.Control{said(func(r *avro.DisputeRecord) { r.Campaign = "tour" })}, ""},
		{"by who has not signed", []avro.Control{said(func(r *avro.DisputeRecord) { r.Partner = "zeta" })}, ""},
		{"against who has not signed", []avro.Control{said(func(r *avro.DisputeRecord) { r.Against = "zeta" })}, ""},
		{"against itself", []avro.Control{said(func(r *avro.DisputeRecord) { r.Against = "acme" })}, ""},
		{"of sourcing against somebody", []avro.Control{said(func(r *avro.DisputeRecord) { r.About = "sourcing" })}, ""},
		{"about something", []avro.Control{said(func(r *avro.DisputeRecord) { r.About = "the weather" })}, ""},
		{"of no deal", []avro.Control{said(func(r *avro.DisputeRecord) { r.Deal.ID = "" })}, ""},
		{"without an id", []avro.Control{said(func(r *avro.DisputeRecord) { r.ID = "" })}, ""},
		{"by a person", []avro.Control{said(func(r *avro.DisputeRecord) { r.By = "ann@acme.com" })}, ""},
		{"without a reason", []avro.Control{said(func(r *avro.DisputeRecord) { r.Why = " " })}, ""},
		{"settled that was never opened", []avro.Control{settle("withdraw", "", "", "acme")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := check.Verify(decided(tt.controls...))
			got := ""
			if n := len(r.Problems); n > 0 {
				got = r.Problems[n-1]
			}
			if got != tt.want {
				t.Errorf("got %v\nwant %q", r.Err(), tt.want)
			}
		})
	}
}
