package ingest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/contract/example"
	"tracksource/identity"
	"tracksource/internal/control"
	"tracksource/internal/ingest"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// tick lets every partition that has something to do by then do it.
func (l *line) tick(now time.Time) (ticked int) {
	l.now = now
	for p, r := range l.resolvers {
		if !r.Pending(now) {
			continue
		}
		ticked++
		if err := r.Fold(context.Background(), nil, now, l); err != nil {
			l.t.Fatalf("partition %d: %v", p, err)
		}
		r.Committed()
	}
	return ticked
}

func dealUpdate(n int, amount, currency string) avro.Observation {
	id := fmt.Sprintf("006%d", n)
	obs := avro.Observation{
		Kind: "fact", Node: node(identity.Object, "acme", id).Bytes(), Reporter: "acme", Feed: "crm", Source: "salesforce",
		EventID: "e" + id, OccurredAt: start,
		Object: &avro.ObjectFacts{Type: "opportunity", ID: id, Order: 1, ModifiedAt: start, Fields: []avro.Field{{Name: "amount", Value: &amount}}},
	}
	if currency != "" {
		obs.Object.Fields = append(obs.Object.Fields, avro.Field{Name: "currency", Value: &currency})
	}
	return obs
}

// control is a control total as its feed sends it on.
func controlTotal(t fatal, c *avro.Codecs, text string) avro.Observation {
	var out outbox
	f := &ingest.Feed{Codecs: c, ID: ingest.FeedID{Feed: "crm", Reporter: "acme"}, Observations: "observations", DeadLetters: "dead"}
	rec := stream.Record{Topic: "raw", Partition: 1, Offset: 2, Value: []byte(text), Timestamp: start}
	if err := f.Fold(context.Background(), []stream.Record{rec}, &out); err != nil || len(out.all) != 1 || out.all[0].topic != "observations" {
		t.Fatalf("%d outputs, %v", len(out.all), err)
	}
	var obs avro.Observation
	if err := c.Observation.Decode(out.all[0].value, &obs); err != nil {
		t.Fatalf("%v", err)
	}
	if string(out.all[0].key) != string(obs.Node) || obs.Kind != "total" || obs.Origin == nil {
		t.Fatalf("observation %+v", obs)
	}
	return obs
}

const thirty = `{"control_total": {"source": "salesforce", "day": "2026-03-01", "count": 30, "sums": {"USD": "2900.00", "": "100"}}}`

// TestControlTotals: what agrees is silent, in whatever order it comes and however
// often; what does not is asked for twice more and then told, once; what comes in
// between makes it agree.
func TestControlTotals(t *testing.T) {
	c := codecs(t)
	var events []avro.Observation
	for n := range 29 {
		events = append(events, dealUpdate(n, "100", "USD"))
	}
	events = append(events, dealUpdate(29, "100.00", ""))
	const missing = "control_total  acme crm.acme/salesforce/2026-03-01: salesforce of acme does not agree with what was said of 2026-03-01: " +
		"30 events said, 29 came; USD 2900.00 said, USD 2800.00 came. Send what is missing again: what is here already does not count twice"
	rapid.Check(t, func(t *rapid.T) {
		l := newLine(t, c)
		choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choose") }
		lost, late := rapid.Bool().Draw(t, "lost"), rapid.IntRange(0, 3).Draw(t, "late")
		sent := slices.Concat(events, events[5:9])
		if lost {
			sent = slices.Concat(events[1:], events[5:9])
		}
		sent = append(sent, controlTotal(t, c, thirty))
		for _, obs := range rapid.Permutation(sent).Draw(t, "order") {
			l.send(obs)
		}
		l.work(choose)
		for round := 1; round <= 3; round++ {
			if lost && late == round {
				l.send(events[0])
				l.work(choose)
			}
			due := start.Add(time.Duration(round) * ingest.RecheckAfter)
			l.tick(due.Add(-time.Minute)) // tells how its feeds stand
			if l.tick(due.Add(-time.Second)) != 0 {
				t.Fatalf("asked again too early")
			}
			l.tick(due)
			l.work(choose)
		}
		var want []string
		// The third round comes behind the last question.
		if lost && (late == 0 || late == 3) {
			want = []string{"control_total   acme crm"}
		}
		if len(l.messages) != len(want) {
			t.Fatalf("alerts %q, want %d", l.messages, len(want))
		}
		if len(want) > 0 && strings.Join(strings.Fields(l.messages[0]), " ") != strings.Join(strings.Fields(missing), " ") {
			t.Fatalf("alert %q\nwant  %q", l.messages[0], missing)
		}
		// What is sent again settles it on the day after, and that is the end of it.
		l.send(events[0])
		for range 2 {
			l.tick(l.now.AddDate(0, 0, 1))
			l.work(choose)
		}
		total, ok := control.TotalOf(&l.totals[len(l.totals)-1])
		severity := "info"
		if len(want) > 0 {
			severity = "warning" // whoever heard of it hears of its end
		}
		if last := l.totals[len(l.totals)-1]; !ok || last.State != "settled" || last.Severity != severity || last.ID != "control-total/crm.acme/salesforce/2026-03-01" ||
			fmt.Sprint(total) != "{crm.acme salesforce 2026-03-01 {30 30} map[:{100.00 100.00} USD:{2900.00 2900.00}]}" {
			t.Fatalf("told at last %+v, read as %+v", last, total)
		}
		if len(l.totals) != 1+len(want) {
			t.Fatalf("%d alerts about the total: %+v", len(l.totals), l.totals)
		}
		if l.tick(l.now.AddDate(1, 0, 0)) != 0 {
			t.Fatalf("a total that agrees is asked for again")
		}
	})
}

// TestControlTotalTolerance: contracts say how far apart the two may be, and on
// which rung the alert stands.
func TestControlTotalTolerance(t *testing.T) {
	c := codecs(t)
	text := strings.Replace(string(example.AILaunchTour()), "limit: 0.5%", "limit: 4%", 1)
	for _, tt := range []struct {
		count int
		alert string
	}{
		{30, ""}, {29, ""}, {27, "control_total Co-marketing Analytics Lead ai-launch-tour acme crm.acme/salesforce/2026-03-01"},
	} {
		l := newLine(t, c)
		for p := range int32(partitions) {
			b, err := c.Observation.Append(nil, &avro.Observation{Kind: "control", Control: &avro.Control{
				Kind: "contract", Contract: &avro.ContractRecord{Campaign: "ai-launch-tour", Revision: 1, Document: text},
			}})
			if err != nil {
				t.Fatal(err)
			}
			l.EmitTo("observations", p, nil, b)
		}
		for n := range tt.count {
			l.send(dealUpdate(n, "1", "USD"))
		}
		l.send(controlTotal(t, c, fmt.Sprintf(`{"control_total": {"source": "salesforce", "day": "2026-03-01", "count": 29, "sums": {"USD": %d}}}`, tt.count)))
		for round := range 4 {
			l.work(func(n int) int { return 0 })
			l.tick(start.Add(time.Duration(round) * ingest.RecheckAfter))
		}
		if got := strings.Join(l.messages, "\n"); (got == "") != (tt.alert == "") || !strings.HasPrefix(got, tt.alert) {
			t.Errorf("%d events: alerts %q, want %q", tt.count, got, tt.alert)
		}
	}
}

// TestControlTotalRestated: an update that is said anew counts with what it says
// now, one that is taken back not at all.
func TestControlTotalRestated(t *testing.T) {
	c := codecs(t)
	first, anew, gone := dealUpdate(1, "100", "USD"), dealUpdate(1, "70", "USD"), dealUpdate(2, "5", "USD")
	anew.MappingRevision = 1
	back := gone
	back.MappingRevision, back.Retracted, back.Object = 1, true, &avro.ObjectFacts{Type: "opportunity", ID: "0062", ModifiedAt: start}
	rapid.Check(t, func(t *rapid.T) {
		l := newLine(t, c)
		choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choose") }
		for _, obs := range rapid.Permutation([]avro.Observation{first, anew, gone, back, anew, gone}).Draw(t, "order") {
			l.send(obs)
		}
		l.work(choose)
		l.send(controlTotal(t, c, `{"control_total": {"source": "salesforce", "day": "2026-03-01", "count": 1, "sums": {"USD": 70}}}`))
		l.work(choose)
		for round := range 4 {
			l.tick(start.Add(time.Duration(round) * ingest.RecheckAfter))
			l.work(choose)
		}
		if len(l.messages) != 0 {
			t.Fatalf("alerts %q", l.messages)
		}
	})
}

// TestControlTotalStaysShort: what stays short is told once, is looked at for a month,
// and then left as it is; numbers that change are told again under the same id.
func TestControlTotalStaysShort(t *testing.T) {
	c := codecs(t)
	l := newLine(t, c)
	work := func() { l.work(func(int) int { return 0 }) }
	l.send(controlTotal(t, c, `{"control_total": {"source": "salesforce", "day": "2026-03-01", "count": 3, "sums": {"USD": "3.00"}}}`))
	work()
	for range 2 {
		l.tick(l.now.Add(ingest.RecheckAfter))
		work()
	}
	l.send(dealUpdate(1, "1", "USD"))
	work()
	days := 0
	for ; l.tick(l.now.AddDate(0, 0, 1)) > 0; days++ {
		work()
	}
	var told []string
	for _, a := range l.totals {
		total, ok := control.TotalOf(&a)
		told = append(told, strings.TrimSpace(fmt.Sprintln(a.ID, a.State, total.Count, ok)))
	}
	const id = "control-total/crm.acme/salesforce/2026-03-01"
	if want := []string{id + " open {3 0} true", id + " open {3 1} true"}; !slices.Equal(told, want) || days != 30 {
		t.Errorf("told %q on %d days, want %q on 30", told, days, want)
	}
}
