package main

import (
	"bytes"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tracksource/contract/example"
	"tracksource/deploy/kafka"
	"tracksource/internal/control"
	"tracksource/schemas/avro"
)

// TestLists: what somebody wrote is no formula to whoever opens a list in a spreadsheet.
func TestLists(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := printCSV(&out, []string{"by", "why", "score"}, [][]string{{"=HYPERLINK(A1)", "late, \"again\"", "-1.5"}}); err != nil {
		t.Fatal(err)
	}
	if want := "by,why,score\n'=HYPERLINK(A1),\"late, \"\"again\"\"\",-1.5\n"; out.String() != want {
		t.Errorf("%q, want %q", &out, want)
	}
}

// TestOvertaken: who decides by what the topic said a moment ago, and was overtaken, is
// told that the topic's order has refused it, and nothing of it is in force.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	broker, err := kafka.StartMemory(kafka.MemoryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	registry := httptest.NewServer(avro.Handler(avro.NewMemory()))
	defer registry.Close()
	spec, err := kafka.Load(kafka.ProfileLocal, kafka.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kafka.Apply(t.Context(), broker.Conn(), spec); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s := saying{stdout: &out, stderr: io.Discard, flags: controlFlags{registry: registry.URL}}
	s.flags.cluster.brokers, s.flags.cluster.prefix, s.flags.cluster.profile = broker.Conn().Brokers, kafka.PrefixDefault, kafka.ProfileLocal
	cfg, _, err := s.flags.open(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	agreed, err := control.Revise(example.AILaunchTour(), 0, now())
	if err != nil {
		t.Fatal(err)
	}
	if err := control.Send(t.Context(), cfg, []avro.Control{agreed}, nil); err != nil {
		t.Fatal(err)
	}
	before, err := control.Read(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	closing := func(day string) avro.Control {
		return avro.Control{Kind: control.Period, Period: &avro.PeriodRecord{
			Campaign: "ai-launch-tour", Action: "close", Day: day, By: "Finance", Why: "month end", At: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC),
		}}
	}
	if err := s.decide(t.Context(), cfg, before, closing("2026-03-31"), "first"); err != nil || out.String() != "first; accepted\n" {
		t.Fatalf("decide() = %v, says %s", err, &out)
	}
	out.Reset()
	err = s.decide(t.Context(), cfg, before, closing("2026-02-28"), "second")
	if err == nil || !strings.Contains(err.Error(), "somebody else has decided meanwhile: period: all days until 2026-03-31 are closed already") || out.Len() > 0 {
		t.Errorf("decide() = %v, says %s", err, &out)
	}
	after, err := control.Read(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if closed, _, err := after.ClosedUntil("ai-launch-tour"); err != nil || closed.String() != "2026-03-31" || after.Refused != 1 {
		t.Errorf("closed until %v with %d refused: %v", closed, after.Refused, err)
	}
}
