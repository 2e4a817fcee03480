package check_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/contract/example"
	"tracksource/internal/check"
	"tracksource/internal/control"
	"tracksource/internal/ingest"
	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// teller is the service that owns control, and what it tells people.
type teller struct {
	codecs  *avro.Codecs
	service *ingest.Controller
	control []check.At[avro.Control]
	spoilt  []int64
	alerts  []check.At[avro.Alert]
}

func newTeller(codecs *avro.Codecs) *teller {
	return &teller{codecs: codecs, service: ingest.NewController(ingest.ControlConfig{
		Codecs: codecs, Observations: ingest.Broadcast{Topic: "observations", Partitions: 1}, Journeys: ingest.Broadcast{Topic: "journeys", Partitions: 1},
		Alerts: "alerts", Log: slog.New(slog.DiscardHandler),
	}, task.NewMemory())}
}

// Emit implements [ingest.Emitter].
func (l *teller) Emit(topic string, _, value []byte, _ ...stream.Header) {
	var a avro.Alert
	if topic != "alerts" {
		return
	}
	if err := l.codecs.Alert.Decode(value, &a); err != nil {
		panic(err)
	}
	l.alerts = append(l.alerts, check.At[avro.Alert]{Offset: int64(len(l.alerts)), Value: a})
}

// EmitTo implements [ingest.Emitter].
func (l *teller) EmitTo(string, int32, []byte, []byte, ...stream.Header) {}

// say puts a record on control; nil is one that nobody can read.
func (l *teller) say(c *avro.Control) error {
	offset := int64(len(l.control) + len(l.spoilt))
	value := []byte("what is this")
	if c == nil {
		l.spoilt = append(l.spoilt, offset)
	} else {
		b, err := l.codecs.Control.Append(nil, c)
		if err != nil {
			return err
		}
		var read avro.Control
		if err := l.codecs.Control.Decode(b, &read); err != nil {
			return err
		}
		value, l.control = b, append(l.control, check.At[avro.Control]{Offset: offset, Value: read})
	}
	return l.service.Fold(context.Background(), []stream.Record{{Topic: "control", Offset: offset, Value: value, Timestamp: day(28)}}, l)
}

func (l *teller) input() check.Input {
	return check.Input{Control: l.control, Spoilt: l.spoilt, Alerts: slices.Clone(l.alerts)}
}

// standing are the places of the newest alert of each id.
func standing(alerts []check.At[avro.Alert]) (places []int) {
	seen := map[string]bool{}
	for i := len(alerts) - 1; i >= 0; i-- {
		if id := alerts[i].Value.ID; !seen[id] {
			seen[id], places = true, append(places, i)
		}
	}
	return places
}

// tamper changes one thing that an alert says.
func tamper(t *rapid.T, a *avro.Alert) string {
	member := rapid.SampledFrom([]string{"kind", "severity", "state", "campaign", "partner", "rung", "owner", "fallback", "since", "deadline", "evidence", "id"}).Draw(t, "member")
	switch member {
	case "kind":
		a.Kind = "data_gap"
	case "severity":
		a.Severity = "info"
	case "state":
		a.State = map[string]string{"open": "settled", "settled": "open"}[a.State]
	case "campaign":
		a.Campaign += "-2"
	case "partner":
		a.Partner += "zeta"
	case "rung":
		a.Rung += "'s deputy"
	case "owner":
		a.Owner += "bob"
	case "fallback":
		a.Fallback += "bob"
	case "since":
		a.Since = "2026-01-01"
	case "deadline":
		a.Deadline = "2026-12-31"
	case "evidence":
		a.Evidence = append(slices.Clone(a.Evidence), "row=2")
	case "id":
		a.ID += "0"
	}
	return member
}

// likely is a record, more often than not one that is taken in.
func (s *saying) likely(book *control.Book) avro.Control {
	if s.careful = s.pick("care", "much", "much", "much", "none") == "much"; !s.careful {
		return s.record()
	}
	r := avro.DisputeRecord{Campaign: example.Campaign, By: "Ops", Why: "it was ours.", At: day(8)}
	var open []string
	for id, d := range book.Disputes {
		if d.IsOpen() && id.Campaign == example.Campaign {
			open = append(open, id.ID)
		}
	}
	slices.Sort(open)
	switch what := s.pick("likely", "evaluation", "open", "settle", "evaluation", "evaluation"); {
	case what == "evaluation":
		return s.evaluation()
	case what == "open" || len(open) == 0:
		r.ID, r.Partner, r.Action, r.About = fmt.Sprint("e", len(book.Disputes)), s.pick("partner", "acme", "globex"), "open", "sourcing"
		r.Deal = avro.DealName{Reporter: "acme", Source: "salesforce", ID: fmt.Sprint("01", len(book.Disputes))}
	default:
		r.ID, r.Action, r.Outcome, r.To, r.At = s.pick("settled", open...), "resolve", "upheld", s.pick("to", "acme", "globex"), r.At.AddDate(0, 0, 30)
	}
	return avro.Control{Kind: control.Dispute, Dispute: &r}
}

// TestAlertsAlike: whatever signatories say, the alerts that the service raises are those
// that follow from control by the judge of this package, which shares no code with it;
// one that says anything else is found, and so is one that nobody was told.
func TestAlertsAlike(t *testing.T) {
	codecs, err := avro.OpenCodecs(t.Context(), avro.NewMemory(), "test")
	if err != nil {
		t.Fatal(err)
	}
	text := string(example.AILaunchTour())
	documents := []string{
		text,
		text + "\napprovals: {revision: [globex], reopen: [acme]}\n",
		strings.NewReplacer("climb_after: 14d", "climb_after: 5d", "rung: Exec sponsors", "rung: Exec sponsors, owner: CFO, fallback: CEO").Replace(text),
	}
	drawn := map[string]int{}
	one := func(t *rapid.T) {
		s, l, book := &saying{t: t, documents: documents}, newTeller(codecs), control.NewBook()
		first, err := control.Revise([]byte(s.document()), 0, s.at())
		if err != nil {
			t.Fatal(err)
		}
		for i := range rapid.IntRange(12, 30).Draw(t, "records") {
			c := &first
			switch {
			case i > 0 && rapid.IntRange(0, 30).Draw(t, "spoilt") == 7:
				c = nil
			case len(l.control) > 0 && rapid.IntRange(0, 9).Draw(t, "again") == 7:
				c = &l.control[rapid.IntRange(0, len(l.control)-1).Draw(t, "which")].Value
			case i > 0:
				next := s.likely(book)
				c = &next
			}
			if err := l.say(c); err != nil {
				t.Fatal(err)
			}
			if c == nil {
				continue
			}
			if err := book.Take(c); err != nil {
				t.Fatal(err)
			}
			s.follow(book)
		}
		problems, held := check.WrongAlerts(l.input())
		places := standing(l.alerts)
		if len(problems) > 0 || held != len(places) {
			t.Fatalf("%d alerts of %d are held: %q", held, len(places), problems)
		}
		for _, at := range places {
			a := &l.alerts[at].Value
			drawn[strings.Join([]string{a.Kind, a.Severity, a.State}, " ")]++
		}
		if len(places) == 0 {
			return
		}
		at := rapid.SampledFrom(places).Draw(t, "place")
		in := l.input()
		what := tamper(t, &in.Alerts[at].Value)
		if problems, _ := check.WrongAlerts(in); len(problems) == 0 {
			t.Fatalf("the %s of %+v is not what it was, and nothing is wrong", what, in.Alerts[at].Value)
		}
		in = l.input()
		id := in.Alerts[at].Value.ID
		in.Alerts = slices.DeleteFunc(in.Alerts, func(a check.At[avro.Alert]) bool { return a.Value.ID == id })
		if problems, _ := check.WrongAlerts(in); len(problems) != 1 || !strings.Contains(problems[0], "nobody was told") {
			t.Fatalf("%s was told to nobody: %q", id, problems)
		}
		in.AlertsCut = true
		if problems, _ := check.WrongAlerts(in); len(problems) != 0 {
			t.Fatalf("%s may have been told in what is gone: %q", id, problems)
		}
	}
	check.DrawUntil(t, 1, one, drawn,
		"dispute critical open", "dispute critical settled", "control_refused error open",
		"guardrail error open", "guardrail critical open", "guardrail error settled")
}

// TestGuardrailAlerts: a guardrail's alert climbs, goes to the board and is settled, and
// each step of it is what follows here.
func TestGuardrailAlerts(t *testing.T) {
	codecs, err := avro.OpenCodecs(t.Context(), avro.NewMemory(), "test")
	if err != nil {
		t.Fatal(err)
	}
	l := newTeller(codecs)
	agreed := agreement()
	if err := l.say(&agreed); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		guardrail, subject string
		day                int
		value, band        string
		want               string // of the alert that stands then
	}{
		{"freshness", "crm.acme", 1, "6", "green", ""},
		{"freshness", "crm.acme", 2, "30", "amber", "warning open Co-marketing Analytics Lead since 2026-03-02 until "},
		{"freshness", "crm.acme", 3, "60", "red", "error open Co-marketing Analytics Lead since 2026-03-03 until 2026-03-17"},
		{"freshness", "crm.acme", 10, "", "no_data", "error open Co-marketing Analytics Lead since 2026-03-03 until 2026-03-17"},
		{"freshness", "crm.acme", 17, "61", "red", "critical open RevOps/Finance partners since 2026-03-03 until 2026-03-31"},
		{"freshness", "crm.acme", 31, "62", "red", "critical open Exec sponsors since 2026-03-03 until "},
		{"freshness", "crm.acme", 59, "63", "red", "critical open Exec sponsors since 2026-03-03 until "},
		{"freshness", "crm.acme", 60, "5", "green", "critical settled Exec sponsors since 2026-03-03 until "},
		{"freshness", "crm.acme", 61, "6", "green", "critical settled Exec sponsors since 2026-03-03 until "},
		{"accuracy", "", 1, "90", "red", "error open Co-marketing Analytics Lead since 2026-03-01 until 2026-03-15"},
		{"accuracy", "", 1, "99", "green", "error open Co-marketing Analytics Lead since 2026-03-01 until 2026-03-15"}, // the first word of a day counts
		{"accuracy", "", 2, "91", "red", "critical open Revenue/partner governance board since 2026-03-01 until "},
		{"accuracy", "", 3, "96.5", "amber", "warning open Co-marketing Analytics Lead since 2026-03-03 until "},
		{"accuracy", "", 4, "99", "green", "warning settled Co-marketing Analytics Lead since 2026-03-03 until "},
	} {
		bounds := map[string][2]string{"freshness": {"24h", "48h"}, "accuracy": {"98%", "95%"}}[tt.guardrail]
		err := l.say(&avro.Control{Kind: control.Evaluation, Evaluation: &avro.EvaluationRecord{
			Campaign: example.Campaign, Revision: 1, Guardrail: tt.guardrail, Subject: tt.subject, Day: day(tt.day).Format(time.DateOnly), Value: tt.value, Band: tt.band,
			Target: bounds[0], Limit: bounds[1], Detail: "as of then", Evidence: []string{"row=1"}, Attempts: 1, At: day(tt.day + 1),
		}})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, at := range standing(l.alerts) {
			a := &l.alerts[at].Value
			if a.Kind != "guardrail" {
				t.Fatalf("day %d: %+v", tt.day, *a)
			}
			if a.Subject == tt.subject {
				got = fmt.Sprintf("%s %s %s since %s until %s", a.Severity, a.State, a.Rung, a.Since, a.Deadline)
			}
		}
		if problems, _ := check.WrongAlerts(l.input()); got != tt.want || len(problems) > 0 {
			t.Errorf("%s on day %d: the alert is %q, want %q; wrong: %q", tt.guardrail, tt.day, got, tt.want, problems)
		}
	}
}

// TestTotalAlerts: an alert about a control total says what the partner said, and its
// state follows from its numbers.
func TestTotalAlerts(t *testing.T) {
	at := time.Date(2026, 3, 6, 4, 0, 0, 0, time.UTC)
	said := check.Observation{Observation: avro.Observation{
		Kind: "total", Feed: "crm", Reporter: "acme", Source: "salesforce", OccurredAt: at, Origin: &avro.Origin{Topic: rawAcme, Offset: 9},
		Total: &avro.Total{Step: "said", Day: "2026-03-05", Count: 1000, Sums: []avro.CurrencySum{{Currency: "USD", Minor: 1_000_00}, {Currency: "", Minor: 250}}},
	}}
	const of = "crm.acme/salesforce/2026-03-05"
	place := rawAcme + "/0@9"
	for _, tt := range []struct {
		name     string
		state    string
		evidence []string
		want     string // of the problem; empty: holds
	}{
		{"agrees", "settled", []string{place, "events 1000 said 1000 came", "- 2.50 said 2.50 came", "USD 1000.00 said 1000.00 came"}, ""},
		{"is off by what the contract allows", "settled", []string{place, "events 1000 said 995 came", "- 2.50 said 2.50 came", "USD 1000.00 said 1000.00 came"}, ""},
		{"is off", "open", []string{place, "events 1000 said 990 came", "- 2.50 said 2.50 came", "USD 1000.00 said 1000.00 came"}, ""},
		{"a sum is off that nobody spoke of", "open", []string{place, "events 1000 said 1000 came", "- 2.50 said 2.50 came", "EUR 0.00 said 7.00 came", "USD 1000.00 said 1000.00 came"}, ""},
		{"is settled and off", "settled", []string{place, "events 1000 said 994 came", "- 2.50 said 2.50 came", "USD 1000.00 said 1000.00 came"}, "no contract lets what came be so far"},
		{"a sum is settled and off", "settled", []string{place, "events 1000 said 1000 came", "- 2.50 said 2.50 came", "USD 1000.00 said 900.00 came"}, "no contract lets what came be so far"},
		{"is open and agrees", "open", []string{place, "events 1000 said 1000 came", "- 2.50 said 2.50 came", "USD 1000.00 said 1000.00 came"}, "what came is what was said"},
		{"another number than was said", "open", []string{place, "events 999 said 990 came", "- 2.50 said 2.50 came", "USD 1000.00 said 1000.00 came"}, "nobody said this total"},
		{"a sum is left out", "open", []string{place, "events 1000 said 990 came", "USD 1000.00 said 1000.00 came"}, "nobody said this total"},
		{"another sum than was said", "open", []string{place, "events 1000 said 990 came", "- 2.50 said 2.50 came", "USD 100.00 said 1000.00 came"}, "nobody said this total"},
		{"from another place", "open", []string{rawAcme + "/0@8", "events 1000 said 990 came", "- 2.50 said 2.50 came", "USD 1000.00 said 1000.00 came"}, "nobody said this total"},
		{"no numbers", "open", []string{place, "events many said few came"}, "its numbers of events"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := check.Input{
				Control: placed([]avro.Control{agreement()}), Observations: placed([]check.Observation{said}),
				Alerts: placed([]avro.Alert{{ID: "control-total/" + of, Kind: "control_total", State: tt.state, Partner: "acme", Subject: of, RaisedAt: at, Evidence: tt.evidence}}),
			}
			problems, held := check.WrongAlerts(in)
			if got := strings.Join(problems, "\n"); held != 1 || (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("%d alerts, got %s\nwant %q", held, got, tt.want)
			}
			in.Cut = []string{"observations"} // who said what cannot be known then
			if problems, _ := check.WrongAlerts(in); strings.Contains(fmt.Sprint(problems), "nobody said") {
				t.Errorf("with observations cut: %q", problems)
			}
		})
	}
}

// TestAlertTampered: the check of a whole system fails by a wrong alert.
func TestAlertTampered(t *testing.T) {
	if r := check.Verify(governed()); r.Err() != nil || r.Alerts != 1 {
		t.Fatalf("%d alerts: %v", r.Alerts, r.Err())
	}
	in := governed()
	in.Alerts[0].Value.State = "settled"
	if err := check.Verify(in).Err(); err == nil || !strings.Contains(err.Error(), `alert dispute/ai-launch-tour/d1: state is "settled" and should be "open"`) {
		t.Errorf("got %v", err)
	}
}
