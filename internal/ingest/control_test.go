package ingest_test

import (
	"context"
	"strings"
	"testing"

	"tracksource/contract/example"
	"tracksource/internal/control"
	"tracksource/internal/ingest"
	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// broadcasts collects what the controller hands on.
type broadcasts struct {
	codecs  *avro.Codecs
	numbers []int64
	alerts  []string
}

func (o *broadcasts) Emit(_ string, _, value []byte, _ ...stream.Header) {
	var a avro.Alert
	if err := o.codecs.Alert.Decode(value, &a); err != nil {
		panic(err)
	}
	o.alerts = append(o.alerts, a.Message)
}

func (o *broadcasts) EmitTo(topic string, _ int32, _, value []byte, _ ...stream.Header) {
	var ev avro.JourneyEvent
	if topic != "journeys" {
		return
	}
	if err := o.codecs.Journey.Decode(value, &ev); err != nil {
		panic(err)
	}
	o.numbers = append(o.numbers, ev.Control.Number)
}

// TestProposals: the service and the tools take in the same of what is proposed,
// agreed and withdrawn, and refuse the rest with the same words.
func TestProposals(t *testing.T) {
	c := codecs(t)
	text := string(example.AILaunchTour())
	shorter := strings.Replace(text, "lookback: 90d", "lookback: 30d", 1)
	later := "restate_from: 2026-06-01\n" + shorter
	apply := func(text string, last int64) avro.Control {
		r, err := control.Revise([]byte(text), last, start)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	propose := func(text string, last int64) avro.Control {
		r, err := control.Propose([]byte(text), last, start)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	withdraw := func(c avro.Control) avro.Control { return control.Withdraw(*c.Contract, start) }
	steps := []struct {
		name   string
		record avro.Control
		want   string // of the refusal; empty: handed on
		after  string // hash of the proposal
	}{
		{"a withdrawal of nothing", withdraw(propose(text, 0)), "there is no proposal", ""},
		{"a proposal before any contract", propose(text, 0), "", control.Hash([]byte(text))},
		{"signed", apply(text, 0), "", ""},
		{"a proposal on top of nothing", propose(shorter, 0), "proposal of revision 1 on top of 0 is stale, the newest is 1", ""},
		{"a proposal", propose(shorter, 1), "", control.Hash([]byte(shorter))},
		{"another in its place", propose(later, 1), "", control.Hash([]byte(later))},
		{"a withdrawal of the one that was replaced", withdraw(propose(shorter, 1)), "another one is", control.Hash([]byte(later))},
		{"a withdrawal", withdraw(propose(later, 1)), "", ""},
		{"a withdrawal once more", withdraw(propose(later, 1)), "there is no proposal", ""},
		{"a proposal again", propose(later, 1), "", control.Hash([]byte(later))},
		{"another contract is agreed", apply(shorter, 1), "", control.Hash([]byte(later))},
		{"the proposal is agreed", apply(later, 2), "", ""},
		{
			"other models for some days", apply(strings.Replace(later, "models: [first-touch, last-touch, linear]", "models: [linear]", 1), 3),
			"restate_from 2026-06-01 leaves the days before it to revision 3, so that models must stay [first-touch last-touch linear]: it is [linear]", "",
		},
		{"another currency for some days", apply(strings.Replace(later, "\ncurrency: USD", "\ncurrency: EUR", 1), 3), "so that currency must stay USD: it is EUR", ""},
		{"another zone for some days, proposed", propose(strings.Replace(later, "zone: America/New_York", "zone: Europe/Berlin", 1), 3), "so that zone must stay", ""},
		{"other models for all days", apply(strings.Replace(text, "models: [first-touch, last-touch, linear]", "models: [linear]", 1), 3), "", ""},
	}
	book := control.NewBook()
	service := ingest.NewController(ingest.ControlConfig{
		Codecs: c, Observations: ingest.Broadcast{Topic: "observations", Partitions: 1}, Journeys: ingest.Broadcast{Topic: "journeys", Partitions: 1},
		Alerts: "alerts", Log: quiet(),
	}, task.NewMemory())
	for _, tt := range steps {
		record, err := control.Messages(c, "control", tt.record)
		if err != nil {
			t.Fatal(err)
		}
		refused := book.Refused
		if err := book.Add(c, record[0].Value); err != nil {
			t.Fatal(err)
		}
		out := &broadcasts{codecs: c}
		if err := service.Fold(context.Background(), []stream.Record{{Value: record[0].Value}}, out); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := strings.Join(out.alerts, "; "); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: refused by the service with %q, want %q", tt.name, got, tt.want)
		}
		if toolRefuses := book.Refused > refused; toolRefuses != (tt.want != "") || (len(out.numbers) == 1) == toolRefuses {
			t.Errorf("%s: refused by the tool: %t, want %t; broadcasts %v", tt.name, toolRefuses, tt.want != "", out.numbers)
		}
		if got := book.Proposals["ai-launch-tour"].Hash; got != tt.after {
			t.Errorf("%s: the proposal is %.12s, want %.12s", tt.name, got, tt.after)
		}
	}
	if newest, _ := book.Newest("ai-launch-tour"); newest.Revision != 4 {
		t.Errorf("the newest revision is %d, want 4", newest.Revision)
	}
}
