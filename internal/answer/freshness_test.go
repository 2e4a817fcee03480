package answer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"tracksource/deploy/kafka"
	"tracksource/internal/answer"
	"tracksource/internal/line"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// TestFreshness asks a broker with two feeds, one of them with dead letters.
func TestFreshness(t *testing.T) {
	r := newRig(t, 0)
	m, err := kafka.StartMemory(kafka.MemoryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	if _, err := kafka.Apply(ctx, m.Conn(), r.spec); err != nil {
		t.Fatal(err)
	}
	p, err := stream.NewProducer(line.StreamConn(m.Conn()), quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	letter := func(headers ...stream.Header) stream.Message {
		return stream.Message{Topic: r.spec.DeadLetterTopic("crm", "acme"), Key: []byte("k"), Value: []byte("v"), Headers: headers}
	}
	code := func(code string) stream.Header { return stream.Header{Key: "tracksource.code", Value: []byte(code)} }
	if err := p.Send(ctx,
		stream.Message{Topic: r.spec.RawTopic("crm", "acme"), Key: []byte("k"), Value: []byte("1")},
		stream.Message{Topic: r.spec.RawTopic("crm", "acme"), Key: []byte("l"), Value: []byte("2")},
		letter(code("late")), letter(code("undecodable")), letter(code("late")), letter(stream.Header{Key: "tracksource.replayed", Value: []byte("0")}),
	); err != nil {
		t.Fatal(err)
	}
	alert, err := r.codecs.Alert.Append(nil, &avro.Alert{ID: "a", Kind: "control_total", Subject: "crm.acme/salesforce/2026-05-18", Message: "10 said, 2 came", RaisedAt: now})
	if err != nil {
		t.Fatal(err)
	}
	r.Emit(r.spec.Alerts(), []byte("a"), alert)
	clock := func() time.Time { return time.Now().Add(time.Hour) }
	answers, err := answer.New(answer.Config{Follow: r.follow, Clock: clock, Line: answer.NewBroker(m.Conn(), r.spec, quiet, clock)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := answers.Freshness(ctx, operator, answer.Query{})
	if err != nil || len(got.Feeds) != 2 || len(got.Line) < 4 {
		t.Fatalf("%s, %v", show(t, got), err)
	}
	for _, f := range got.Feeds {
		if f.Partner == "globex" {
			if f.Records != "0" || f.LastEvent != nil || f.AgeSeconds != nil || f.DeadLetters != "0" || f.Completeness.State != "unknown" {
				t.Errorf("a feed without records: %+v", f)
			}
			continue
		}
		if f.Records != "2" || f.AgeSeconds == nil || *f.AgeSeconds < 3590 || *f.AgeSeconds > 3700 || f.DeadLetters != "3" {
			t.Errorf("a feed with records: %s", show(t, f))
		}
		if len(f.DeadCodes) != 2 || f.DeadCodes[0] != (answer.CodeCount{Code: "late", Count: "2"}) || f.Completeness.State != "short" || !strings.Contains(f.Completeness.Detail, "10 said") {
			t.Errorf("its dead letters and completeness: %s", show(t, f))
		}
	}
	own, err := answers.Freshness(ctx, globex, answer.Query{})
	if err != nil || len(own.Feeds) != 1 || own.Feeds[0].Partner != "globex" || len(own.Line) != 0 || !own.Withheld {
		t.Errorf("to a partner: %s, %v", show(t, own), err)
	}
	away, err := answer.New(answer.Config{Follow: r.follow, Clock: clock, Line: noLine{}})
	if err != nil {
		t.Fatal(err)
	}
	for viewer, want := range map[bool]string{true: "secret:9092", false: "cannot be asked"} {
		v := globex
		v.Operator = viewer
		got, err := away.Freshness(ctx, v, answer.Query{})
		if err != nil || !strings.Contains(got.Behind.Why, want) || !viewer && strings.Contains(got.Behind.Why, "secret") {
			t.Errorf("without a broker: %+v, %v", got.Behind, err)
		}
	}
}

// noLine is a line whose brokers are away.
type noLine struct{}

func (noLine) State(context.Context) (*answer.LineState, error) {
	return nil, errors.New("no broker answers at secret:9092")
}
