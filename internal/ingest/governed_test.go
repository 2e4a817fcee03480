package ingest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/contract"
	"tracksource/contract/example"
	"tracksource/internal/control"
	"tracksource/internal/governance"
	"tracksource/internal/ingest"
	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// governed is a book of tools and the service beside it, which is started anew each
// so many records, over what the one before has left.
type governed struct {
	t      *testing.T
	codecs *avro.Codecs
	book   *control.Book
	kv     *task.Memory
	offset int64

	service *ingest.Controller
	restart int64
}

func newGoverned(t *testing.T, codecs *avro.Codecs) *governed {
	return &governed{t: t, codecs: codecs, book: control.NewBook(), kv: task.NewMemory(), restart: 1}
}

// said is one output of the service in a word: an alert, a broadcast to one of the
// partitions of journeys, or an object that a deal is told of.
type said struct {
	codecs *avro.Codecs
	all    []string
	alerts []avro.Alert
	told   []avro.Observation
}

func (s *said) Emit(topic string, _, value []byte, _ ...stream.Header) {
	if topic == "alerts" {
		var a avro.Alert
		if err := s.codecs.Alert.Decode(value, &a); err != nil {
			panic(err)
		}
		s.alerts = append(s.alerts, a)
		s.all = append(s.all, a.State+" "+a.ID)
		return
	}
	var obs avro.Observation
	if err := s.codecs.Observation.Decode(value, &obs); err != nil {
		panic(err)
	}
	s.told = append(s.told, obs)
	s.all = append(s.all, fmt.Sprintf("told %s %s", obs.EventID, obs.Object.ID))
}

func (s *said) EmitTo(topic string, partition int32, _, value []byte, _ ...stream.Header) {
	var ev avro.JourneyEvent
	if topic != "journeys" || partition > 0 {
		return
	}
	if err := s.codecs.Journey.Decode(value, &ev); err != nil {
		panic(err)
	}
	s.all = append(s.all, fmt.Sprintf("broadcast %s %d", ev.Control.Kind, ev.Control.Number))
}

// fataler is a test, or a drawn one.
type fataler interface {
	Helper()
	Fatal(args ...any)
}

// give gives a record to both and tells whether each of them refused it.
func (g *governed) give(t fataler, c avro.Control) (out *said, byTools, byService bool) {
	t.Helper()
	m, err := control.Messages(g.codecs, "control", c)
	if err != nil {
		t.Fatal(err)
	}
	refused := g.book.Refused
	if err := g.book.Add(g.codecs, m[0].Value); err != nil {
		t.Fatal(err)
	}
	out = &said{codecs: g.codecs}
	if g.offset++; g.offset%g.restart == 0 || g.service == nil {
		g.service = ingest.NewController(ingest.ControlConfig{
			Codecs: g.codecs, Observations: ingest.Broadcast{Topic: "observations", Partitions: 2}, Journeys: ingest.Broadcast{Topic: "journeys", Partitions: 2},
			Alerts: "alerts", Log: quiet(),
		}, g.kv)
	}
	rec := stream.Record{Topic: "control", Offset: g.offset, Key: m[0].Key, Value: m[0].Value, Timestamp: start}
	if err := g.service.Fold(context.Background(), []stream.Record{rec}, out); err != nil {
		t.Fatal(err)
	}
	return out, g.book.Refused > refused, len(out.alerts) == 1 && out.alerts[0].Kind == "control_refused"
}

// take is give of a record that both must judge alike.
func (g *governed) take(c avro.Control) *said {
	g.t.Helper()
	out, byTools, byService := g.give(g.t, c)
	if byTools != byService {
		g.t.Errorf("refused by the tools: %t, by the service: %t: %v", byTools, byService, out.alerts)
	}
	return out
}

const tour = "ai-launch-tour"

// tourContract is the example's contract with lines of its own.
func tourContract(lines string) []byte {
	return append(example.AILaunchTour(), []byte("\n"+lines)...)
}

func dispute(id, partner, action string, change func(*avro.DisputeRecord)) avro.Control {
	r := &avro.DisputeRecord{
		ID: id, Campaign: tour, Partner: partner, Action: action, By: "Partner Operations", Why: "we met them first", At: start,
		Deal: avro.DealName{Reporter: "acme", Source: "salesforce", ID: "006"},
	}
	if change != nil {
		change(r)
	}
	return avro.Control{Kind: control.Dispute, Dispute: r}
}

// TestGoverned: what signatories say is taken in or refused by tools and by the
// service alike, which is started anew before each record; what is taken in is told
// once to whom it concerns, and what is said again to nobody.
func TestGoverned(t *testing.T) {
	g := newGoverned(t, codecs(t))
	revise := func(lines string, last int64, proposed bool) avro.Control {
		c, err := control.Revise(tourContract(lines), last, start)
		if err != nil {
			t.Fatal(err)
		}
		c.Contract.Proposed = proposed
		return c
	}
	const needs = "approvals: {revision: [globex], reopen: [acme, globex]}\n"
	hash := func(lines string) string { return control.Hash(tourContract(lines)) }
	approve := func(partner, of string, change func(*avro.ApprovalRecord)) avro.Control {
		r := &avro.ApprovalRecord{Campaign: tour, Partner: partner, Of: of, Decision: "approved", By: "Legal", Why: "read", At: start}
		change(r)
		return avro.Control{Kind: control.Approval, Approval: r}
	}
	period := func(action, day string, at time.Time) avro.Control {
		return avro.Control{Kind: control.Period, Period: &avro.PeriodRecord{Campaign: tour, Action: action, Day: day, By: "Finance", Why: "quarter", At: at}}
	}
	evaluate := func(day, value, band string) avro.Control {
		return avro.Control{Kind: control.Evaluation, Evaluation: &avro.EvaluationRecord{
			Campaign: tour, Day: day, Guardrail: "accuracy", Revision: 1, Value: value, Band: band, Target: "98%", Limit: "95%", Attempts: 1, At: start,
		}}
	}
	open := dispute("d1", "globex", "open", func(r *avro.DisputeRecord) { r.About = "sourcing" })
	upheld := dispute("d1", "", "resolve", func(r *avro.DisputeRecord) {
		r.Outcome, r.To, r.At, r.Deal = "upheld", "globex", start.Add(time.Hour), avro.DealName{}
	})
	byFeed := func(offset int, at time.Time) avro.Control {
		return dispute("d3", "globex", "open", func(r *avro.DisputeRecord) {
			r.About, r.At, r.Origin = "sourcing", at, fmt.Sprintf("raw/0@%d", offset)
		})
	}
	long := strings.Repeat("x", 300)
	for _, tt := range []struct {
		name   string
		record avro.Control
		want   string // what is told, or what a refusal says
	}{
		{"a dispute without a contract", open, "refused: campaign \"ai-launch-tour\" has no contract"},
		{"a first contract that needs approvals", revise(needs, 0, false), "refused: not yet approved by globex"},
		{"proposed", revise(needs, 0, true), "broadcast contract 1"},
		{"of another document", approve("globex", "revision", func(r *avro.ApprovalRecord) { r.Revision, r.Hash = 1, hash("") }), "refused: is stale: what is proposed is revision 1"},
		{"approved", approve("globex", "revision", func(r *avro.ApprovalRecord) { r.Revision, r.Hash = 1, hash(needs) }), ""},
		{"agreed", revise(needs, 0, false), "broadcast contract 2"},
		{"agreed again", revise(needs, 0, false), "refused: is stale"},

		{"a dispute", open, "open dispute/ai-launch-tour/d1, told dispute/1 ai-launch-tour/d1"},
		{"the dispute once more", open, ""},
		{"by who is none of them", dispute("d2", "hooli", "open", func(r *avro.DisputeRecord) { r.About = "sourcing" }), `refused: "hooli" is no signatory`},
		{"with a name that is too long", dispute("d2", long, "open", nil), "refused: is no signatory"},
		{"of a campaign that is none", dispute("d2", "globex", "open", func(r *avro.DisputeRecord) { r.Campaign = "x" }), `refused: campaign "x" has no contract`},
		{"of a deal with a source that is none", dispute("d2", "globex", "open", func(r *avro.DisputeRecord) { r.Deal.Source = "a/b" }), "refused: the source of a deal"},
		{"twice", dispute("d2", "globex", "open", func(r *avro.DisputeRecord) { r.About = "sourcing" }), "refused: dispute d1 of acme/salesforce/006 by globex is open"},
		{"resolved", upheld, "settled dispute/ai-launch-tour/d1, told dispute/2 ai-launch-tour/d1"},
		{"resolved again", upheld, ""},
		{"said the same by a feed", dispute("d1", "globex", "open", func(r *avro.DisputeRecord) { r.About, r.Origin = "sourcing", "raw/0@7" }), "refused: the id is used"},
		{"said by a feed", byFeed(7, start), "open dispute/ai-launch-tour/d3, told dispute/3 ai-launch-tour/d3"},
		{"said again by the feed", byFeed(9, start.Add(time.Hour)), ""},
		{"withdrawn too late", dispute("d1", "globex", "withdraw", nil), "refused: it is upheld"},

		{"a closing of today", period("close", "2026-03-01", start), "refused: 2026-03-01 is not over"},
		{"a closing", period("close", "2026-02-28", start), "broadcast period 3"},
		{"the closing once more", period("close", "2026-02-28", start), ""},
		{"a closing of what is closed", period("close", "2026-02-01", start), "refused: closed already"},
		{"a reopening that nobody approved", period("reopen", "2026-02-15", start), "refused: needs the approval of acme, globex"},
		{"an approval", approve("acme", "reopen", func(r *avro.ApprovalRecord) { r.Day = "2026-02-15" }), ""},
		{"of another day", approve("globex", "reopen", func(r *avro.ApprovalRecord) { r.Day = "2026-02-16" }), ""},
		{"a reopening that one approved", period("reopen", "2026-02-15", start), "refused: needs the approval of globex"},
		{"another approval", approve("globex", "reopen", func(r *avro.ApprovalRecord) { r.Day = "2026-02-15" }), ""},
		{"a reopening", period("reopen", "2026-02-15", start), "broadcast period 4"},

		{"an evaluation", evaluate("2026-02-20", "94", "red"), "open guardrail/ai-launch-tour/accuracy"},
		{"another of the day", evaluate("2026-02-20", "99", "green"), ""},
		{"one that lies", evaluate("2026-02-21", "94", "green"), "refused: is red and not"},
		{"the next", evaluate("2026-02-21", "94", "red"), "open guardrail/ai-launch-tour/accuracy"},
		{"and it is kept", evaluate("2026-02-22", "99", "green"), "settled guardrail/ai-launch-tour/accuracy"},

		{"a proposal", revise("", 1, true), "broadcast contract 5"},
		{"refused by who must approve", approve("globex", "revision", func(r *avro.ApprovalRecord) { r.Revision, r.Hash, r.Decision = 2, hash(""), "refused" }), ""},
		{"and so it is not agreed", revise("", 1, false), "refused: refused by globex"},
	} {
		out := g.take(tt.record)
		got := strings.Join(out.all, ", ")
		if reason, refused := strings.CutPrefix(tt.want, "refused: "); refused {
			if len(out.alerts) != 1 || !strings.HasPrefix(got, "open control-refused/") || !strings.Contains(out.alerts[0].Message, reason) {
				t.Errorf("%s: %v %v, want a refusal that says %q", tt.name, got, out.alerts, reason)
			}
			continue
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if day, closed, err := g.book.ClosedUntil(tour); err != nil || !closed || day.String() != "2026-02-14" {
		t.Errorf("closed until %v, %t, %v", day, closed, err)
	}
	d := g.book.Disputes[control.DisputeID{Campaign: tour, ID: "d1"}]
	if d.State != "upheld" || d.To != "globex" || len(g.book.Periods[tour]) != 2 || len(g.book.Evaluations[tour]) != 3 || len(g.book.Approvals[tour]) != 5 {
		t.Errorf("the book has %+v, %d periods, %d evaluations, %d approvals", d, len(g.book.Periods[tour]), len(g.book.Evaluations[tour]), len(g.book.Approvals[tour]))
	}
}

// TestRefusedConcerns: an alert about a record that was refused is the partner's whose
// record it was, and of its campaign, and neither of what no one is called.
func TestRefusedConcerns(t *testing.T) {
	g := newGoverned(t, codecs(t))
	c, err := control.Revise(example.AILaunchTour(), 0, start)
	if err != nil {
		t.Fatal(err)
	}
	g.take(c)
	for _, tt := range []struct{ campaign, partner, wantCampaign, wantPartner string }{
		{tour, "globex", tour, "globex"},
		{tour, "hooli", tour, "hooli"},
		{"another", "globex", "", "globex"},
		{tour, "GLOBEX <b>", tour, ""},
	} {
		out := g.take(dispute("d", tt.partner, "open", func(r *avro.DisputeRecord) { r.Campaign, r.About = tt.campaign, "weather" }))
		if len(out.alerts) != 1 || out.alerts[0].Campaign != tt.wantCampaign || out.alerts[0].Partner != tt.wantPartner || out.alerts[0].State != governance.AlertOpen {
			t.Errorf("a dispute of %q in %q: %+v", tt.partner, tt.campaign, out.alerts)
		}
	}
}

// TestDisputeTold: a dispute is an object on the account of its deal, wherever that
// moves, of which the steps are updates: in whatever order they meet the deal, what it
// is at rest is the same.
func TestDisputeTold(t *testing.T) {
	g := newGoverned(t, codecs(t))
	c, err := control.Revise(example.AILaunchTour(), 0, start)
	if err != nil {
		t.Fatal(err)
	}
	g.take(c)
	var steps []avro.Observation
	for _, record := range []avro.Control{
		dispute("d/1", "globex", "open", func(r *avro.DisputeRecord) { r.About, r.Against = "credit", "acme" }),
		dispute("d/1", "globex", "resolve", func(r *avro.DisputeRecord) {
			r.Outcome, r.To, r.At, r.Why = "upheld", "globex", start.Add(time.Hour), "the form says so"
		}),
	} {
		steps = append(steps, g.take(record).told...)
	}
	want := []string{"acme/1: acme/dispute/ai-launch-tour/d/1", "acme/1: acme/opportunity/006"}
	const fields = "about=credit against=acme campaign=ai-launch-tour deal=acme/salesforce/opportunity/006 opened_at=2026-03-01T12:00:00Z " +
		"opened_by=Partner Operations opened_why=we met them first partner=globex settled_at=2026-03-01T13:00:00Z settled_by=Partner Operations " +
		"settled_why=the form says so state=upheld to=globex"
	rapid.Check(t, func(t *rapid.T) {
		l := newLine(t, g.codecs)
		for _, ev := range l.meet(t, steps, want, contract.ObjectDispute, fields) {
			if !ev.Object.ModifiedAt.Equal(start.Add(time.Hour)) {
				t.Fatalf("at %v", ev.Object.ModifiedAt)
			}
		}
	})
}

// TestGovernedAlike: whatever is said in whatever order, tools and the service take in
// the same, and a service that is started anew goes on where the one before it was.
func TestGovernedAlike(t *testing.T) {
	codecs := codecs(t)
	rapid.Check(t, func(t *rapid.T) {
		pick := func(what string, of ...string) string { return rapid.SampledFrom(of).Draw(t, what) }
		partner := func() string { return pick("partner", "acme", "globex", "hooli", "") }
		at := func() time.Time {
			return start.Add(time.Duration(rapid.IntRange(-50, 50).Draw(t, "hours")) * time.Hour)
		}
		day := func() string { return pick("day", "2026-02-26", "2026-02-27", "2026-02-28", "2026-03-02") }
		documents := []string{"", "approvals: {revision: [globex], reopen: [acme]}\n"}
		revision, hashes := int64(1), []string{control.Hash(tourContract(documents[0])), control.Hash(tourContract(documents[1]))}
		g := newGoverned(nil, codecs)
		g.restart = 5
		first, err := control.Revise(tourContract(documents[0]), 0, start)
		if err != nil {
			t.Fatal(err)
		}
		g.give(t, first)
		for range rapid.IntRange(5, 30).Draw(t, "records") {
			var c avro.Control
			switch pick("kind", "contract", "dispute", "settle", "period", "approval", "evaluation") {
			case "contract":
				r, err := control.Revise(tourContract(pick("document", documents...)), revision, start)
				if err != nil {
					t.Fatal(err)
				}
				if c = r; rapid.Bool().Draw(t, "proposed") {
					c.Contract.Proposed = true
				}
			case "dispute":
				c = dispute(pick("id", "d1", "d2", "d3"), partner(), "open", func(r *avro.DisputeRecord) {
					r.About, r.Against, r.At = pick("about", "sourcing", "credit"), pick("against", "", "acme", "(held)"), at()
					r.Deal.ID = pick("deal", "006", "007")
				})
			case "settle":
				c = dispute(pick("id", "d1", "d2", "d3"), partner(), pick("step", "withdraw", "resolve"), func(r *avro.DisputeRecord) {
					r.Deal, r.At, r.Outcome, r.To = avro.DealName{}, at(), pick("outcome", "", "upheld", "rejected"), pick("to", "", "globex", "unsourced")
				})
			case "period":
				c = avro.Control{Kind: control.Period, Period: &avro.PeriodRecord{
					Campaign: tour, Action: pick("action", "close", "reopen"), Day: day(), By: "Finance", Why: "quarter", At: at(),
				}}
			case "approval":
				r := &avro.ApprovalRecord{Campaign: tour, Partner: partner(), Of: pick("of", "revision", "reopen"), Decision: pick("decision", "approved", "refused"), By: "Legal", Why: "read", At: at()}
				if r.Of == "reopen" {
					r.Day = day()
				} else {
					r.Revision, r.Hash = revision+1, pick("hash", hashes...)
				}
				c = avro.Control{Kind: control.Approval, Approval: r}
			case "evaluation":
				v := rapid.SampledFrom([][2]string{{"", "no_data"}, {"94", "red"}, {"97", "amber"}, {"99", "green"}, {"99", "red"}}).Draw(t, "value")
				c = avro.Control{Kind: control.Evaluation, Evaluation: &avro.EvaluationRecord{
					Campaign: tour, Day: day(), Guardrail: "accuracy", Revision: revision, Value: v[0], Band: v[1], Target: "98%", Limit: "95%", Attempts: 1, At: at().AddDate(0, 0, 7),
				}}
			}
			out, byTools, byService := g.give(t, c)
			if byTools != byService {
				t.Fatalf("refused by the tools: %t, by the service: %t: %v", byTools, byService, out.alerts)
			}
			newest, _ := g.book.Newest(tour)
			revision = newest.Revision
		}
		if d, closed, err := g.book.ClosedUntil(tour); err != nil || closed && len(g.book.Periods[tour]) == 0 {
			t.Fatalf("closed until %v, %v", d, err)
		}
	})
}
