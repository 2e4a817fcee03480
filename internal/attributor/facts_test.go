package attributor_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"tracksource/attribution"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// known is what a book knows of a deal that two touches share.
func known(id string, revision int64) attribution.Facts {
	of := func(item string) attribution.ItemID {
		return attribution.ItemID{Reporter: "globex", Source: "ga4", Item: item}
	}
	return attribution.Facts{
		Contract: "ai-launch-tour", Revision: revision, Deal: attribution.ItemID{Reporter: "acme", Source: "salesforce", Item: "opportunity/" + id},
		State: "open", Stage: "Qualification", CreatedAt: day(10), Amount: "100", Currency: "EUR", Region: "emea",
		Stages:  []attribution.FactStage{{Stage: "Qualification", State: "open", At: day(10), EventID: "e"}},
		Sourced: attribution.Sourced{Partner: "globex", By: attribution.SourcedByTouch, Evidence: of("t1")},
		Measures: []attribution.FactMeasure{
			{
				Measure: attribution.MeasurePipelineCreated, Day: money.Day(20522), At: day(10), Value: 11000, Currency: "USD", Exponent: 2,
				Basis:   attribution.Basis{Amount: "100.00", Currency: "EUR", Rate: "1.1", RateDay: money.Day(20521), Via: money.ViaDirect},
				InScope: true, Path: []int{0, 1}, Influenced: []string{"acme", "globex"}, CoSell: []string{"acme"},
				Confidence: attribution.Confidence{Identity: 1, Taxonomy: 2, Currency: 3, Agreement: 4, Spread: 5, Overall: 3},
			},
			{Measure: attribution.MeasureRevenue, Held: attribution.HeldCloseDateMissing},
		},
		Touches: []attribution.FactTouch{
			{ID: of("t1"), At: day(2), Type: "visit", Channel: "Email", Partner: "globex", Campaign: "this", Person: "person/acme/p", Evidence: []attribution.ItemID{of("t1")}},
			{ID: of("t2"), At: day(3), Type: "visit", Channel: "Email", Partner: "acme", Campaign: "this", Evidence: []attribution.ItemID{of("t2"), of("t3")}},
		},
		Disputes: []attribution.FactDispute{
			{ID: "q1", Partner: "globex", About: attribution.DisputeSourcing, State: attribution.DisputeOpen, By: "desk", Why: "ours", OpenedAt: day(12), From: money.DayMin},
			{
				ID: "q2", Partner: "acme", About: attribution.DisputeCredit, Against: "globex", State: attribution.DisputeUpheld, To: "acme",
				OpenedAt: day(13), SettledBy: "board", SettledWhy: "theirs", SettledAt: day(14), From: money.Day(20522),
			},
		},
		Truncated: true,
	}
}

// TestFacts: what changed is told, what did not is not, what is gone is withdrawn,
// and accounts do not hide what others say.
func TestFacts(t *testing.T) {
	l := testLine(t)
	l.feed(agreement(1, 1))
	l.rest()
	later := known("d", 1)
	later.Stage = "Negotiation"
	const d, e = "ai-launch-tour acme/salesforce/opportunity/d on ", "ai-launch-tour acme/salesforce/opportunity/e on "
	steps := []struct {
		name    string
		account string
		facts   []attribution.Facts
		want    []string
	}{
		{"a deal", "a", []attribution.Facts{known("d", 1)}, []string{d + "a, revision 1"}},
		{"the same again", "a", []attribution.Facts{known("d", 1)}, nil},
		{"another stage", "a", []attribution.Facts{later}, []string{d + "a, revision 1"}},
		{"a second deal", "a", []attribution.Facts{later, known("e", 1)}, []string{e + "a, revision 1"}},
		{"a revision for other days", "a", []attribution.Facts{later, known("d", 2), known("e", 1)}, []string{d + "a, revision 2"}},
		{"in another order", "a", []attribution.Facts{known("e", 1), known("d", 2), later}, nil},
		{"another account has the deal before it left", "b", []attribution.Facts{later}, []string{d + "b, revision 1"}},
		{"it left", "a", []attribution.Facts{known("e", 1)}, []string{d + "a, revision 1 withdrawn", d + "a, revision 2 withdrawn"}},
		{"nothing is left", "a", nil, []string{e + "a, revision 1 withdrawn"}},
		{"and nothing again", "a", nil, nil},
	}
	for i, s := range steps {
		if got := l.tell(s.account, day(1+i), s.facts...); !slices.Equal(got, s.want) {
			t.Errorf("%s: told %q, want %q", s.name, got, s.want)
		}
		l.open()
	}
	if got := l.facts[d+"b, revision 1"]; len(l.facts) != 1 || got.Stage != "Negotiation" {
		t.Errorf("%d facts are left, of b %+v", len(l.facts), got)
	}
}

// TestFactsRecord: each fact is in the record, and what is not known is null.
func TestFactsRecord(t *testing.T) {
	l := testLine(t)
	l.feed(agreement(1, 1))
	l.tell("a", day(9), known("d", 1))
	var got avro.Facts
	for _, f := range l.facts {
		got = f
	}
	m, held := got.Measures[0], got.Measures[1]
	switch {
	case got.LeadAt != nil || !got.CreatedAt.Equal(day(10)) || !got.AsOf.Equal(day(9)):
		t.Errorf("times: %v, %v, %v", got.LeadAt, got.CreatedAt, got.AsOf)
	case got.Sourced.Partner != "globex" || got.Sourced.Evidence == nil || got.Sourced.Evidence.Item != "t1" || !got.Truncated:
		t.Errorf("sourced: %+v", got.Sourced)
	case m.Day != "2026-03-10" || m.Value != 11000 || m.Rate != "1.1" || m.RateDay != "2026-03-09" || m.RateVia != "direct" || len(m.Path) != 2 || len(m.CoSell) != 1:
		t.Errorf("measure: %+v", m)
	case held.Day != "" || held.At != nil || held.Held != "close_date_missing":
		t.Errorf("what is held: %+v", held)
	case got.Touches[0].Person != "person/acme/p" || len(got.Touches[0].Evidence) != 0 || len(got.Touches[1].Evidence) != 1 || got.Touches[1].Evidence[0].Item != "t3" || len(got.Rules) != 1:
		t.Errorf("touches: %+v", got.Touches)
	case m.Confidence != (avro.FactsConfidence{Identity: 1, Taxonomy: 2, Currency: 3, Agreement: 4, Spread: 5, Overall: 3}):
		t.Errorf("confidence: %+v", m.Confidence)
	}
	if len(got.Disputes) != 2 {
		t.Fatalf("disputes: %+v", got.Disputes)
	}
	if open := got.Disputes[0]; open.ID != "q1" || open.State != "open" || open.SettledAt != nil || open.From != "" || open.By != "desk" || !open.OpenedAt.Equal(day(12)) {
		t.Errorf("an open dispute: %+v", open)
	}
	if upheld := got.Disputes[1]; upheld.Against != "globex" || upheld.To != "acme" || upheld.From != "2026-03-10" || upheld.SettledBy != "board" || !upheld.SettledAt.Equal(day(14)) {
		t.Errorf("one that was upheld: %+v", upheld)
	}
}

// TestFactsGeneration: a new life of the state is announced in every partition,
// once, before anything is told.
func TestFactsGeneration(t *testing.T) {
	l := testLine(t)
	l.feed(agreement(1, 1))
	l.feed()
	var want []string
	for p := range factsPartitions {
		want = append(want, "generation announced in partition "+string(rune('0'+p)))
	}
	if !slices.Equal(l.told, want) {
		t.Errorf("told %q, want %q", l.told, want)
	}
}

// TestFactsAborted: facts of a batch that was dropped are told again.
func TestFactsAborted(t *testing.T) {
	l := testLine(t)
	l.feed(agreement(1, 1))
	if err := l.p.Tell("ai-launch-tour", []byte("a"), day(1), []attribution.Facts{known("d", 1)}, new(outputs)); err != nil {
		t.Fatal(err)
	}
	l.kv.discard()
	l.p.Aborted()
	if err := l.p.Fold(context.Background(), nil, new(outputs)); err != nil {
		t.Fatal(err)
	}
	if got := l.tell("a", day(1), known("d", 1)); len(got) != 1 || !strings.Contains(got[0], "opportunity/d") {
		t.Errorf("told %q", got)
	}
}
