package governance_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/internal/governance"
	"tracksource/money"
	"tracksource/schemas/avro"
)

var at = time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)

// agreed is a history in which the contract of the tour stands.
func agreed(t *testing.T) *history {
	h := newHistory(t)
	h.contract([]string{"reopen=acme", "revision=acme"}, true)
	h.say("2026-03-01 approved acme revision")
	if h.contract(nil, false); h.agreed == nil {
		t.Fatal("no contract stands")
	}
	return h
}

// TestRefusals: what is not right is refused, and says why.
func TestRefusals(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	sign := func(change func(*avro.SignatureRecord)) avro.Control {
		r := &avro.SignatureRecord{Campaign: "tour", Partner: "globex", Hash: hash, Title: "March", Decision: "approved", By: "Finance", Why: "as seen", At: at}
		change(r)
		return avro.Control{Kind: "signature", Signature: r}
	}
	ack := func(change func(*avro.AcknowledgementRecord)) avro.Control {
		r := &avro.AcknowledgementRecord{Campaign: "tour", Partner: "globex", Alert: "x/y", By: "Ops", Why: "looking", At: at}
		change(r)
		return avro.Control{Kind: "acknowledgement", Acknowledgement: r}
	}
	survey := func(change func(*avro.SurveyRecord)) avro.Control {
		r := &avro.SurveyRecord{Campaign: "tour", Partner: "globex", Day: "2026-03-02", Score: "8.5", By: "Marketing", Why: "quarterly", At: at}
		change(r)
		return avro.Control{Kind: "survey", Survey: r}
	}
	eval := func(change func(*avro.EvaluationRecord)) avro.Control {
		r := &avro.EvaluationRecord{
			Campaign: "tour", Day: "2026-03-02", Guardrail: "accuracy", Revision: 1, Value: "97.5", Band: "amber", Target: "98%", Limit: "95%", Attempts: 1, At: at,
		}
		change(r)
		return avro.Control{Kind: "evaluation", Evaluation: r}
	}
	approve := func(change func(*avro.ApprovalRecord)) avro.Control {
		r := &avro.ApprovalRecord{Campaign: "tour", Partner: "acme", Of: "reopen", Day: "2026-02-01", Decision: "approved", By: "Ops", Why: "late rates", At: at}
		change(r)
		return avro.Control{Kind: "approval", Approval: r}
	}
	open := func(change func(*avro.DisputeRecord)) avro.Control {
		r := &avro.DisputeRecord{
			ID: "d", Campaign: "tour", Partner: "globex", Deal: avro.DealName{Reporter: "acme", Source: "salesforce", ID: "1"}, Action: "open", About: "sourcing",
			By: "Ops", Why: "we met them first", At: at,
		}
		change(r)
		return avro.Control{Kind: "dispute", Dispute: r}
	}
	closed := func(change func(*avro.PeriodRecord)) avro.Control {
		r := &avro.PeriodRecord{Campaign: "tour", Action: "close", Day: "2026-03-01", By: "Finance", Why: "quarter", At: at}
		change(r)
		return avro.Control{Kind: "period", Period: r}
	}
	for _, tt := range []struct {
		name   string
		record avro.Control
		want   string // empty: taken in
	}{
		{"a signature", sign(func(*avro.SignatureRecord) {}), ""},
		{"of nobody", sign(func(r *avro.SignatureRecord) { r.Partner = "hooli" }), `"hooli" is no signatory of tour`},
		{"of another hash", sign(func(r *avro.SignatureRecord) { r.Hash = strings.ToUpper(hash) }), "not the SHA-256"},
		{"of a short hash", sign(func(r *avro.SignatureRecord) { r.Hash = hash[:63] }), "not the SHA-256"},
		{"a third way", sign(func(r *avro.SignatureRecord) { r.Decision = "maybe" }), `"maybe"; write approved or disputed`},
		{"a long title", sign(func(r *avro.SignatureRecord) { r.Title = strings.Repeat("x", 201) }), "a title has at most 200 bytes"},
		{"by nobody", sign(func(r *avro.SignatureRecord) { r.By = " " }), "who says so, and why"},
		{"by a person", sign(func(r *avro.SignatureRecord) { r.By = "ann@acme.com" }), "an office"},
		{"for no reason", sign(func(r *avro.SignatureRecord) { r.Why = "" }), "who says so, and why"},
		{"for a long reason", sign(func(r *avro.SignatureRecord) { r.Why = strings.Repeat("x", 1001) }), "the reason 1000"},
		{"at no time", sign(func(r *avro.SignatureRecord) { r.At = time.Time{} }), "when it was said"},
		{"before all times", sign(func(r *avro.SignatureRecord) { r.At = time.UnixMicro(math.MinInt64) }), "when it was said"},
		{"behind all times", sign(func(r *avro.SignatureRecord) { r.At = time.UnixMicro(math.MaxInt64) }), "when it was said"},

		{"an acknowledgement", ack(func(*avro.AcknowledgementRecord) {}), ""},
		{"by the operator", ack(func(r *avro.AcknowledgementRecord) { r.Partner = "" }), ""},
		{"by the operator, of no campaign", ack(func(r *avro.AcknowledgementRecord) { r.Partner, r.Campaign = "", "" }), ""},
		{"by a partner, of no campaign", ack(func(r *avro.AcknowledgementRecord) { r.Campaign = "" }), "the operator's"},
		{"by another", ack(func(r *avro.AcknowledgementRecord) { r.Partner = "hooli" }), "no signatory"},
		{"of nothing", ack(func(r *avro.AcknowledgementRecord) { r.Alert = "" }), "the id of an alert"},

		{"a survey", survey(func(*avro.SurveyRecord) {}), ""},
		{"ten", survey(func(r *avro.SurveyRecord) { r.Score = "10.0" }), ""},
		{"more than ten", survey(func(r *avro.SurveyRecord) { r.Score = "10.1" }), "a score"},
		{"eleven", survey(func(r *avro.SurveyRecord) { r.Score = "11" }), "a score"},
		{"less than nothing", survey(func(r *avro.SurveyRecord) { r.Score = "-1" }), "a score"},
		{"too exact", survey(func(r *avro.SurveyRecord) { r.Score = "8.55" }), "a score"},
		{"half said", survey(func(r *avro.SurveyRecord) { r.Score = "8." }), "a score"},
		{"of tomorrow", survey(func(r *avro.SurveyRecord) { r.Day = "2026-03-03" }), "after 2026-03-02"},
		{"of no day", survey(func(r *avro.SurveyRecord) { r.Day = "March" }), "YYYY-MM-DD"},

		{"an evaluation", eval(func(*avro.EvaluationRecord) {}), ""},
		{"without data", eval(func(r *avro.EvaluationRecord) { r.Value, r.Band, r.Attempts = "", "no_data", 3 }), ""},
		{"a band that lies", eval(func(r *avro.EvaluationRecord) { r.Band = "green" }), `a value of "97.5" is amber and not "green"`},
		{"a band of nothing", eval(func(r *avro.EvaluationRecord) { r.Value = "" }), `a value of "" is no_data and not "amber"`},
		{"bounds that lie", eval(func(r *avro.EvaluationRecord) { r.Target = "97%" }), "the contract has 98% and 95%"},
		{"a stale revision", eval(func(r *avro.EvaluationRecord) { r.Revision = 2 }), "revision 2 are stale, the newest is 1"},
		{"no guardrail", eval(func(r *avro.EvaluationRecord) { r.Guardrail = "weather" }), `there is no guardrail "weather"`},
		{"no value", eval(func(r *avro.EvaluationRecord) { r.Value = "1e2" }), "a value of"},
		{"before all days", eval(func(r *avro.EvaluationRecord) { r.At = time.UnixMicro(math.MinInt64) }), "when it was made"},
		{"of a day to come", eval(func(r *avro.EvaluationRecord) { r.Day = "2026-03-03" }), "to come"},
		{"too many attempts", eval(func(r *avro.EvaluationRecord) { r.Attempts = 4 }), "4 attempts"},
		{"too much evidence", eval(func(r *avro.EvaluationRecord) { r.Evidence = make([]string, 21) }), "evidence"},

		{"of an approval", approve(func(*avro.ApprovalRecord) {}), "nothing of tour is closed"},
		{"of a coffee", approve(func(r *avro.ApprovalRecord) { r.Of = "coffee" }), `of "coffee"; write revision or reopen`},
		{"of a revision that is not proposed", approve(func(r *avro.ApprovalRecord) { r.Of, r.Day, r.Revision = "revision", "", 2 }), "nothing is proposed"},
		{"with a hash", approve(func(r *avro.ApprovalRecord) { r.Hash = hash }), "no revision and no hash"},

		{"a dispute", open(func(*avro.DisputeRecord) {}), ""},
		{"of no deal", open(func(r *avro.DisputeRecord) { r.Deal.ID = "" }), "names no deal"},
		{"without an id", open(func(r *avro.DisputeRecord) { r.ID = "" }), "an id has"},
		{"with a long id", open(func(r *avro.DisputeRecord) { r.ID = strings.Repeat("x", 201) }), "an id has"},
		{"settled at once", open(func(r *avro.DisputeRecord) { r.Outcome = "upheld" }), "an outcome is"},
		{"another action", open(func(r *avro.DisputeRecord) { r.Action = "win" }), `"win"; write open, withdraw or resolve`},

		{"a closing", closed(func(*avro.PeriodRecord) {}), ""},
		{"a closing of today", closed(func(r *avro.PeriodRecord) { r.Day = "2026-03-02" }), "2026-03-02 is not over"},
		{"another step", closed(func(r *avro.PeriodRecord) { r.Action = "lock" }), `"lock"; write close or reopen`},

		{"another kind", avro.Control{Kind: "coffee"}, "none that signatories decide"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := agreed(t)
			_, err := governance.Judge(h.now(), &tt.record)
			if tt.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			} else if tt.want != "" && (!governance.IsRefusal(err) || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want a refusal that says %q", err, tt.want)
			}
			now := h.now()
			broken := errors.New("disk")
			now.Get = func(governance.Key) ([]byte, error) { return nil, broken }
			if _, err := governance.Judge(now, &tt.record); tt.want == "" && !errors.Is(err, broken) {
				t.Errorf("error %v of a broken store", err)
			}
		})
	}
}

// TestSaidTwice: the very same said again leads to nothing, and another word does.
func TestSaidTwice(t *testing.T) {
	h := agreed(t)
	for i, tt := range []struct {
		score string
		again bool
	}{{"8", false}, {"8", true}, {"9", false}, {"8", false}} {
		outcome, err := governance.Judge(h.now(), &avro.Control{Kind: "survey", Survey: &avro.SurveyRecord{
			Campaign: "tour", Partner: "globex", Day: "2026-03-02", Score: tt.score, By: "Marketing", Why: "quarterly", At: at,
		}})
		if err != nil || outcome.Again != tt.again {
			t.Errorf("step %d: said before: %t, %v, want %t", i, outcome.Again, err, tt.again)
		}
		h.apply(outcome)
	}
}

// TestLadder: however evaluations come and repeat, an alert that is out is of the run
// that the evaluated days are in, it never stands lower than its days have brought it,
// and what is kept has none.
func TestLadder(t *testing.T) {
	rungs := []string{"Lead", "Finance", "Sponsors"}
	rapid.Check(t, func(r *rapid.T) {
		h := agreed(t)
		var out *avro.Alert
		first, last, red := 0, -1, false
		for range rapid.IntRange(1, 40).Draw(r, "evaluations") {
			day := max(0, last+rapid.IntRange(-2, 20).Draw(r, "days on"))
			value := rapid.SampledFrom([]string{"", "30", "22", "10"}).Draw(r, "value") // win_rate: green, amber, red
			start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, day)
			line := start.Format(time.DateOnly) + " eval win_rate " + value
			record := h.record(strings.Fields(line)[1:], money.DayOf(start, time.UTC), start.Add(15*time.Hour))
			outcome, err := governance.Judge(h.now(), &record)
			if err != nil {
				r.Fatal(err)
			}
			if outcome.Again != (day <= last) {
				r.Fatalf("day %d after %d: said before: %t", day, last, outcome.Again)
			}
			if outcome.Again {
				continue
			}
			h.apply(outcome)
			last = day
			for i := range outcome.Alerts {
				out = &outcome.Alerts[i]
			}
			switch value {
			case "10":
				if !red {
					first, red = day, true
				}
				want := rungs[min((day-first)/14, 2)]
				if out == nil || out.State != governance.AlertOpen || out.Rung != want {
					r.Fatalf("day %d, red since %d: %+v, want it on %s", day, first, out, want)
				}
			case "22":
				if red = false; out == nil || out.State != governance.AlertOpen || out.Rung != "Lead" || out.Severity != "warning" {
					r.Fatalf("day %d is amber: %+v", day, out)
				}
			case "30":
				if red = false; out != nil && out.State != governance.AlertSettled {
					r.Fatalf("day %d is green: %+v", day, out)
				}
			}
		}
	})
}
