package check_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/contract"
	"tracksource/contract/example"
	"tracksource/internal/check"
	"tracksource/internal/control"
	"tracksource/internal/governance"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// saying draws what signatories and an operator might say, right or wrong.
type saying struct {
	t         *rapid.T
	revision  int64
	agreed    *contract.Contract // the newest
	documents []string
	evaluated int  // days
	careful   bool // evaluations are as they should be
}

func (s *saying) pick(what string, of ...string) string { return rapid.SampledFrom(of).Draw(s.t, what) }

// document draws a contract, by its place so that what was drawn can be read.
func (s *saying) document() string {
	return s.documents[rapid.IntRange(0, len(s.documents)-1).Draw(s.t, "document")]
}

func (s *saying) at() time.Time {
	return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(-50, 50).Draw(s.t, "hours")) * time.Hour)
}

func (s *saying) partner() string { return s.pick("partner", "acme", "globex", "hooli", "") }

func (s *saying) day() string {
	return s.pick("day", "2026-02-26", "2026-02-27", "2026-02-28", "2026-03-02", "0001-01-01", "today")
}

func (s *saying) by() string { return s.pick("by", "Ops", "Ops", "Ops", "Ops", "", "ann@acme.com") }

func (s *saying) contract() avro.Control {
	c, err := control.Revise([]byte(s.document()), s.revision, s.at())
	if err != nil {
		s.t.Fatal(err)
	}
	switch s.pick("as", "agreed", "proposed", "withdrawn") {
	case "proposed":
		c.Contract.Proposed = true
	case "withdrawn":
		c = control.Withdraw(*c.Contract, s.at())
		c.Contract.Proposed = true
	}
	switch s.pick("reasoned", "no", "no", "yes", "badly") {
	case "yes":
		c.Contract.By, c.Contract.Why = "Legal", "as signed"
	case "badly":
		c.Contract.By, c.Contract.Why = s.by(), s.pick("why", "", " ", "as signed")
	}
	return c
}

func (s *saying) dispute() avro.Control {
	r := &avro.DisputeRecord{
		ID: s.pick("id", "d1", "d2", "d3"), Campaign: s.pick("campaign", example.Campaign, example.Campaign, "another"), Partner: s.partner(),
		Action: s.pick("action", "open", "withdraw", "resolve"), By: s.by(), Why: "ours", At: s.at(),
	}
	if r.Action == "open" || rapid.Bool().Draw(s.t, "names the deal") {
		r.Deal = avro.DealName{Reporter: "acme", Source: s.pick("source", "salesforce", "salesforce", "", "a/b"), ID: s.pick("deal", "006", "007")}
	}
	if r.Action == "open" {
		r.About, r.Against = s.pick("about", "sourcing", "credit", "credit", "weather"), s.pick("against", "", "acme", "globex", "(held)", "(none)")
	} else {
		r.Outcome, r.To = s.pick("outcome", "", "upheld", "rejected"), s.pick("to", "", "acme", "globex", "unsourced", "hooli")
	}
	return avro.Control{Kind: control.Dispute, Dispute: r}
}

func (s *saying) record() avro.Control {
	switch s.pick("kind", "contract", "dispute", "dispute", "dispute", "period", "approval", "evaluation", "evaluation", "evaluation", "word") {
	case "contract":
		return s.contract()
	case "dispute":
		return s.dispute()
	case "evaluation":
		return s.evaluation()
	case "word":
		return s.word()
	case "period":
		return avro.Control{Kind: control.Period, Period: &avro.PeriodRecord{
			Campaign: example.Campaign, Action: s.pick("action", "close", "reopen", "lock"), Day: s.day(), By: s.by(), Why: "quarter", At: s.at(),
		}}
	}
	r := &avro.ApprovalRecord{
		Campaign: example.Campaign, Partner: s.partner(), Of: s.pick("of", "revision", "reopen"), Decision: s.pick("decision", "approved", "approved", "refused"),
		By: s.by(), Why: "read", At: s.at(),
	}
	if r.Of == "reopen" {
		r.Day = s.day()
	} else {
		r.Revision, r.Hash = s.revision+1, control.Hash([]byte(s.document()))
	}
	return avro.Control{Kind: control.Approval, Approval: r}
}

// follow takes in what the book has in force.
func (s *saying) follow(book *control.Book) {
	newest, _ := book.Newest(example.Campaign)
	if s.revision = newest.Revision; s.revision == 0 {
		return
	}
	var err error
	if s.agreed, err = contract.Parse([]byte(newest.Document)); err != nil {
		s.t.Fatal(err)
	}
}

// evaluation holds one of few guardrails against its bounds on one of the next days.
func (s *saying) evaluation() avro.Control {
	r := &avro.EvaluationRecord{
		Campaign: example.Campaign, Revision: s.revision, Guardrail: s.pick("guardrail", "accuracy", "accuracy", "freshness", "weather"), Subject: s.pick("subject", "", "", "crm.acme"),
		Value: s.pick("value", "", "99", "96.5", "90", "90", "30", "60", "1.23456789"), Detail: s.pick("detail", "", "two feeds are late"), Evidence: []string{"row=1"}, Attempts: 1,
	}
	if s.careful {
		r.Guardrail, r.Value = s.pick("watched", "accuracy", "freshness"), s.pick("reading", "6", "99", "60", "99", "6", "30")
		r.Subject = map[string]string{"freshness": "crm.acme"}[r.Guardrail]
	}
	s.evaluated += rapid.SampledFrom([]int{1, 7, 1, 15, 0, -1}).Draw(s.t, "days")
	day := money.DayOf(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), time.UTC).Add(s.evaluated)
	r.Day, r.At = day.String(), time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC).AddDate(0, 0, s.evaluated)
	if s.agreed != nil {
		g := s.agreed.Guardrail(r.Guardrail)
		r.Target, r.Limit = g.Unit.Text(g.Target)+string(g.Unit), g.Unit.Text(g.Limit)+string(g.Unit)
		band, err := governance.Band(g, r.Value)
		if r.Band = string(band); err != nil {
			r.Band = "green"
		}
	}
	mistakes := []string{"none", "band", "revision", "bounds", "attempts", "day"}
	if s.careful {
		mistakes = mistakes[:1]
	}
	switch s.pick("mistake", mistakes...) {
	case "band":
		r.Band = s.pick("band", "green", "amber", "red", "no_data")
	case "revision":
		r.Revision++
	case "bounds":
		r.Target = "7%"
	case "attempts":
		r.Attempts = 4
	case "day":
		r.At = r.At.AddDate(0, 0, -2)
	}
	return avro.Control{Kind: control.Evaluation, Evaluation: r}
}

// word is what a partner says that changes no number.
func (s *saying) word() avro.Control {
	campaign := s.pick("campaign", example.Campaign, example.Campaign, "", "another")
	switch s.pick("word", "signature", "acknowledgement", "survey") {
	case "signature":
		return avro.Control{Kind: control.Signature, Signature: &avro.SignatureRecord{
			Campaign: campaign, Partner: s.partner(), Hash: s.pick("hash", strings.Repeat("0a", 32), strings.Repeat("0A", 32), "0a"), Title: "March",
			Decision: s.pick("decision", "approved", "disputed", "refused"), By: s.by(), Why: "read", At: s.at(),
		}}
	case "acknowledgement":
		return avro.Control{Kind: control.Acknowledgement, Acknowledgement: &avro.AcknowledgementRecord{
			Campaign: campaign, Partner: s.partner(), Alert: s.pick("alert", "", "dispute/x/1"), By: s.by(), Why: "mine", At: s.at(),
		}}
	}
	return avro.Control{Kind: control.Survey, Survey: &avro.SurveyRecord{
		Campaign: campaign, Partner: s.partner(), Day: s.day(), Score: s.pick("score", "0", "10", "10.0", "9.5", "10.5", "07", "7.", ".5", "11", ""), By: s.by(), Why: "asked", At: s.at(),
	}}
}

// TestJudgedAlike: the judge of this package and the one that the services and the
// tools share, which have no code in common, pass on the same records of control and
// leave disputes in the same states.
func TestJudgedAlike(t *testing.T) {
	documents := []string{
		string(example.AILaunchTour()),
		string(example.AILaunchTour()) + "\napprovals: {revision: [globex], reopen: [acme]}\n",
		string(example.AILaunchTour()) + "\napprovals: {reopen: [acme, globex]}\n",
	}
	rapid.Check(t, func(t *rapid.T) {
		s := &saying{t: t, documents: documents}
		book := control.NewBook()
		var records []check.At[avro.Control]
		var want []int64
		first, err := control.Revise([]byte(documents[0]), 0, s.at())
		if err != nil {
			t.Fatal(err)
		}
		for i := range int64(rapid.IntRange(2, 20).Draw(t, "records")) {
			c := first
			if i > 0 {
				c = s.record()
			}
			records = append(records, check.At[avro.Control]{Offset: i, Value: c})
			refused, periods := book.Refused, len(book.Periods[example.Campaign])
			if err := book.Take(&c); err != nil {
				t.Fatal(err)
			}
			if book.Refused == refused && (c.Contract != nil || len(book.Periods[example.Campaign]) > periods) {
				want = append(want, i)
			}
			s.follow(book)
		}
		passed, disputes := check.Decided(records)
		if !slices.Equal(passed, want) {
			t.Fatalf("passed on are %v, by the services %v", passed, want)
		}
		states := map[[2]string][2]string{}
		for id, d := range book.Disputes {
			state := d.State
			if d.IsOpen() {
				state = ""
			}
			states[[2]string{id.Campaign, id.ID}] = [2]string{state, d.To}
		}
		if !maps.Equal(disputes, states) {
			t.Fatalf("disputes are %v, by the services %v", disputes, states)
		}
	})
}
