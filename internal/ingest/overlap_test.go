package ingest_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/contract"
	"tracksource/contract/example"
	"tracksource/identity"
	"tracksource/internal/control"
	"tracksource/internal/ingest"
	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// TestOverlapDecided: a decision on two deals is an object on the account of its deal,
// wherever that moves; of two about the same deals the later in control holds, in
// whatever order they meet the deal; one of an unknown campaign is refused.
func TestOverlapDecided(t *testing.T) {
	c := codecs(t)
	agreed, err := control.Revise(example.AILaunchTour(), 0, start)
	if err != nil {
		t.Fatal(err)
	}
	decide := func(campaign, decision, why string, at time.Time) avro.Control {
		return avro.Control{Kind: control.Overlap, Overlap: &avro.OverlapRecord{
			Campaign: campaign, Deal: avro.DealName{Reporter: "acme", Source: "salesforce", ID: "006"},
			Other: avro.DealName{Reporter: "globex", Source: "hubspot", ID: "7/7"}, Decision: decision, By: "ann", Why: why, At: at,
		}}
	}
	controls := []avro.Control{
		agreed, decide("ai-launch-tour", control.OverlapSame, "one order form", start.Add(time.Hour)),
		decide("tour", control.OverlapSame, "none", start), decide("ai-launch-tour", control.OverlapDifferent, "two sites", start),
	}
	var records []stream.Record
	for i := range controls {
		b, err := c.Control.Append(nil, &controls[i])
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, stream.Record{Topic: "control", Offset: int64(i), Value: b})
	}
	want := []string{"acme/1: acme/opportunity/006", "acme/1: acme/overlap_decision/ai-launch-tour/acme/salesforce/006/globex/hubspot/7/7"}
	const fields = "at=2026-03-01T12:00:00Z by=ann campaign=ai-launch-tour deal=acme/salesforce/opportunity/006 decision=different other=globex/hubspot/opportunity/7/7 why=two sites"
	rapid.Check(t, func(t *rapid.T) {
		l, told := newLine(t, c), &line{codecs: c, alerts: map[string]bool{}}
		judge := ingest.NewController(ingest.ControlConfig{
			Codecs: c, Observations: ingest.Broadcast{Topic: "observations", Partitions: partitions}, Journeys: ingest.Broadcast{Topic: "broadcasts", Partitions: 1}, Alerts: "alerts", Log: quiet(),
		}, task.NewMemory())
		if err := judge.Fold(context.Background(), records, told); err != nil {
			t.Fatal(err)
		}
		if !told.alerts["control-refused/2"] || len(told.alerts) != 1 {
			t.Fatalf("alerts %v, want one about the third record", told.alerts)
		}
		var decisions []avro.Observation
		for _, queue := range told.queues {
			for _, r := range queue {
				if r.Topic != "observations" {
					continue
				}
				var obs avro.Observation
				if err := c.Observation.Decode(r.Value, &obs); err != nil {
					t.Fatal(err)
				}
				if obs.Kind == "decision" {
					decisions = append(decisions, obs)
				}
			}
		}
		for _, ev := range l.meet(t, decisions, want, contract.ObjectDecision, fields) {
			if ev.Source != "salesforce" {
				t.Fatalf("of %s", ev.Source)
			}
		}
		if n := l.stats.Feeds()[ingest.FeedID{Feed: "crm", Reporter: "acme"}].Accepted; n != 1 {
			t.Fatalf("%d events were taken in, want the deal's alone", n)
		}
	})
}

// meet lets what was decided of a deal meet the deal, which belongs to a company, in any
// order. At rest there must be what is wanted, and the objects of a type, which are
// returned, have these fields.
func (l *line) meet(t *rapid.T, decided []avro.Observation, want []string, objectType, fields string) []avro.JourneyEvent {
	deal, company := node(identity.Object, "acme", "006"), node(identity.CRMAccount, "acme", "1")
	update := avro.Observation{
		Kind: "fact", Node: deal.Bytes(), Reporter: "acme", Feed: "crm", Source: "salesforce", EventID: "e", OccurredAt: start,
		Object: &avro.ObjectFacts{Type: "opportunity", ID: "006", ModifiedAt: start},
		Links:  []avro.Link{{Parent: company.Bytes(), Evidence: int(identity.Record), At: start}},
	}
	choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choose") }
	for _, obs := range rapid.Permutation(append(slices.Clone(decided), update)).Draw(t, "order") {
		l.send(obs)
		if rapid.Bool().Draw(t, "work now") {
			l.work(choose)
		}
	}
	l.work(choose)
	if got := l.placed(); !slices.Equal(got, want) {
		t.Fatalf("at rest:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var found []avro.JourneyEvent
	for _, ev := range l.items {
		if ev.Object == nil || ev.Object.Type != objectType {
			continue
		}
		var got []string
		for _, f := range ev.Object.Fields {
			got = append(got, f.Name+"="+*f.Value)
		}
		if s := strings.Join(got, " "); s != fields {
			t.Fatalf("fields %s\nwant   %s", s, fields)
		}
		found = append(found, ev)
	}
	return found
}
