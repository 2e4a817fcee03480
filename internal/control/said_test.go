package control_test

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"tracksource/contract/example"
	"tracksource/internal/control"
	"tracksource/schemas/avro"
)

// FuzzSaid: whatever stands in a record of what signatories decide, it is taken in or
// refused. An error of another kind would stop the topic for everybody.
func FuzzSaid(f *testing.F) {
	codecs, err := avro.OpenCodecs(context.Background(), avro.NewMemory(), "test")
	if err != nil {
		f.Fatal(err)
	}
	book := control.NewBook()
	agreed, err := control.Revise(example.AILaunchTour(), 0, at)
	if err != nil {
		f.Fatal(err)
	}
	if err := book.Take(&agreed); err != nil {
		f.Fatal(err)
	}
	const campaign = example.Campaign
	hash := strings.Repeat("0", 64)
	for _, c := range []avro.Control{
		{Kind: control.Dispute, Dispute: &avro.DisputeRecord{ID: "d", Campaign: campaign, Partner: "globex", Deal: avro.DealName{Reporter: "acme", Source: "salesforce", ID: "1"}, Action: "open", About: "credit", Against: "acme", By: "Ops", Why: "ours", At: at}},
		{Kind: control.Dispute, Dispute: &avro.DisputeRecord{ID: "d", Campaign: campaign, Action: "resolve", Outcome: "upheld", To: "globex", By: "Ops", Why: "ours", At: at}},
		{Kind: control.Period, Period: &avro.PeriodRecord{Campaign: campaign, Action: "close", Day: "2026-02-27", By: "Ops", Why: "month", At: at}},
		{Kind: control.Approval, Approval: &avro.ApprovalRecord{Campaign: campaign, Partner: "acme", Of: "reopen", Day: "2026-02-01", Decision: "approved", By: "Ops", Why: "late", At: at}},
		{Kind: control.Approval, Approval: &avro.ApprovalRecord{Campaign: campaign, Partner: "acme", Of: "revision", Revision: 2, Hash: hash, Decision: "refused", By: "Ops", Why: "late", At: at}},
		{Kind: control.Signature, Signature: &avro.SignatureRecord{Campaign: campaign, Partner: "acme", Hash: hash, Title: "March", Decision: "approved", By: "Ops", Why: "seen", At: at}},
		{Kind: control.Acknowledgement, Acknowledgement: &avro.AcknowledgementRecord{Campaign: campaign, Alert: "x", By: "Ops", Why: "looking", At: at}},
		{Kind: control.Survey, Survey: &avro.SurveyRecord{Campaign: campaign, Partner: "acme", Day: "2026-02-01", Score: "7.5", By: "Ops", Why: "asked", At: at}},
		{Kind: control.Evaluation, Evaluation: &avro.EvaluationRecord{Campaign: campaign, Day: "2026-02-01", Guardrail: "accuracy", Revision: 1, Value: "97", Band: "amber", Target: "98%", Limit: "95%", Attempts: 1, At: at}},
	} {
		b, err := json.Marshal(&c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, at.UnixMicro())
		f.Add(b, int64(math.MinInt64))
		f.Add(b, int64(math.MaxInt64))
	}
	f.Fuzz(func(t *testing.T, b []byte, micros int64) {
		var c avro.Control
		if json.Unmarshal(b, &c) != nil {
			return
		}
		stamp(&c, time.UnixMicro(micros))
		// What travels is what is judged.
		value, err := codecs.Control.Append(nil, &c)
		if err != nil {
			return
		}
		if _, err := control.Messages(codecs, "control", c); err != nil {
			t.Fatal(err)
		}
		if err := book.Add(codecs, value); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
	})
}

// stamp sets when a record was said, to what the wire can carry and JSON cannot.
func stamp(c *avro.Control, at time.Time) {
	switch {
	case c.Dispute != nil:
		c.Dispute.At = at
	case c.Period != nil:
		c.Period.At = at
	case c.Approval != nil:
		c.Approval.At = at
	case c.Signature != nil:
		c.Signature.At = at
	case c.Acknowledgement != nil:
		c.Acknowledgement.At = at
	case c.Survey != nil:
		c.Survey.At = at
	case c.Evaluation != nil:
		c.Evaluation.At = at
	}
}

// TestBookOfWhatIsSaid: a book has what was said as far as it was taken in, and what
// stands of it.
func TestBookOfWhatIsSaid(t *testing.T) {
	book := control.NewBook()
	document := append(example.AILaunchTour(), []byte("\napprovals: {revision: [acme, globex], reopen: [globex]}\n")...)
	agreed, err := control.Revise(document, 0, at)
	if err != nil {
		t.Fatal(err)
	}
	proposed := agreed
	record := *agreed.Contract
	record.Proposed = true
	proposed.Contract = &record
	approve := func(partner, decision string) avro.Control {
		return avro.Control{Kind: control.Approval, Approval: &avro.ApprovalRecord{
			Campaign: example.Campaign, Partner: partner, Of: "revision", Revision: 1, Hash: record.Hash, Decision: decision, By: "Legal", Why: "read", At: at,
		}}
	}
	take := func(c avro.Control, refused int) {
		t.Helper()
		if err := book.Take(&c); err != nil || book.Refused != refused {
			t.Fatalf("%d records refused, %v, want %d", book.Refused, err, refused)
		}
	}
	take(agreed, 1)
	take(proposed, 1)
	take(approve("acme", "approved"), 1)
	take(approve("globex", "refused"), 1)
	p, ok, err := book.Proposed(example.Campaign)
	silent, said := p.Missing()
	if err != nil || !ok || len(silent) != 0 || len(said) != 1 || said[0] != "globex" {
		t.Errorf("of %+v silent are %v and refused have %v: %v", p, silent, said, err)
	}
	take(approve("globex", "approved"), 1)
	take(agreed, 1)
	if _, ok, err := book.Proposed(example.Campaign); ok || err != nil {
		t.Errorf("what is agreed is proposed: %v", err)
	}
	take(avro.Control{Kind: control.Period, Period: &avro.PeriodRecord{Campaign: example.Campaign, Action: "close", Day: "2026-01-31", By: "Finance", Why: "month", At: at}}, 1)
	day, closed, err := book.ClosedUntil(example.Campaign)
	if err != nil || !closed || day.String() != "2026-01-31" {
		t.Errorf("closed until %v, %t, %v", day, closed, err)
	}
	missing, err := book.MissingForReopen(example.Campaign, day)
	if err != nil || len(missing) != 1 || missing[0] != "globex" {
		t.Errorf("to open it again the approval of %v is missing, %v", missing, err)
	}
	if len(book.Approvals[example.Campaign]) != 3 || len(book.Periods[example.Campaign]) != 1 {
		t.Errorf("approvals %v, periods %v", book.Approvals, book.Periods)
	}
}
