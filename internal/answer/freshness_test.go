package answer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tracksource/deploy/kafka"
	"tracksource/internal/answer"
	"tracksource/internal/control"
	"tracksource/internal/line"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// brokerWait is how long brokers are waited for that are there.
const brokerWait = 3 * time.Minute

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
	day := func(ago int) string { return time.Now().UTC().AddDate(0, 0, -ago).Format(time.DateOnly) }
	for _, a := range []avro.Alert{
		{Subject: "crm.acme/salesforce/" + day(1), Message: "10 said, 2 came", State: "open", Evidence: []string{"raw/0@7", "events 10 said 2 came", "USD 5.00 said 1.00 came"}},
		{Subject: "crm.acme/salesforce/" + day(2), Message: "agrees", State: "settled", Evidence: []string{"events 30 said 31 came"}},
		{Subject: "crm.acme/salesforce/" + day(40), Message: "long ago", State: "open", Evidence: []string{"events 1000 said 0 came"}},
		{Subject: "analytics.globex/ga4/" + day(3), Message: "agrees", State: "settled", Evidence: []string{"events 4 said 4 came"}},
	} {
		a.ID, a.Kind, a.RaisedAt = control.TotalID(a.Subject), control.AlertControlTotal, time.Now()
		value, err := r.codecs.Alert.Append(nil, &a)
		if err != nil {
			t.Fatal(err)
		}
		r.Emit(r.spec.Alerts(), []byte(a.ID), value)
	}
	for partition, row := range []avro.FeedRow{
		{Accepted: 1, Duplicates: 2, Late: 3, Suppressed: 4, Unmatchable: 5, Touches: 6, Unmatched: 1},
		{Accepted: 10, Duplicates: 20, Late: 30, Suppressed: 40, Unmatchable: 50, Touches: 1, Unmatched: 1},
	} {
		k := avro.FeedKey{Feed: "crm", Reporter: "acme", Partition: int32(partition)}
		row.Feed, row.Reporter, row.Partition = k.Feed, k.Reporter, k.Partition
		key, err1 := r.codecs.FeedKey.Append(nil, &k)
		value, err2 := r.codecs.FeedRow.Append(nil, &row)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		r.Emit(r.spec.FeedCounts(), key, value)
	}
	clock := func() time.Time { return time.Now().Add(time.Hour) }
	answers, err := answer.New(answer.Config{Follow: r.follow, Clock: clock, Line: answer.NewBroker(m.Conn(), r.spec, quiet, clock).Patient(brokerWait)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := answers.Freshness(ctx, operator, answer.Query{})
	if err != nil || len(got.Feeds) != 2 || len(got.Line) < 4 {
		t.Fatalf("%s, %v", show(t, got), err)
	}
	for _, f := range got.Feeds {
		if f.Partner == "globex" {
			if f.Accepted != nil || f.Touches != nil || f.MatchRate != nil {
				t.Errorf("of a feed that nothing is told of: %s", show(t, f))
			}
			if f.Records != "0" || f.LastEvent != nil || f.AgeSeconds != nil || f.DeadLetters != "0" || f.Completeness.State != "ok" || *f.Completeness.Share != "1.0000" {
				t.Errorf("a feed without records: %+v", f)
			}
			continue
		}
		if f.Records != "2" || f.AgeSeconds == nil || *f.AgeSeconds < 3590 || *f.AgeSeconds > 7200 || f.DeadLetters != "3" {
			t.Errorf("a feed with records: %s", show(t, f))
		}
		for i, n := range []*string{f.Accepted, f.Duplicates, f.Late, f.Suppressed, f.Unmatchable, f.Touches, f.Unmatched, f.MatchRate} {
			if want := []string{"11", "22", "33", "44", "55", "7", "2", "0.7143"}[i]; n == nil || *n != want {
				t.Errorf("count %d of %s, want %s", i, show(t, f), want)
			}
		}
		if c := f.Completeness; c.Share == nil || *c.Share != "0.8000" {
			t.Errorf("32 of 40 events came: %s", show(t, c))
		}
		if len(f.DeadCodes) != 2 || f.DeadCodes[0] != (answer.CodeCount{Code: "late", Count: "2"}) || f.Completeness.State != "short" || !strings.Contains(f.Completeness.Detail, "10 said") {
			t.Errorf("its dead letters and completeness: %s", show(t, f))
		}
	}
	if want := (answer.Counters{Raw: "2", Accepted: "11", Duplicates: "22", DeadLetters: "3", Unresolved: "2"}); got.Counters == nil || *got.Counters != want {
		t.Errorf("counters %s, want %+v", show(t, got.Counters), want)
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

// TestLineAtRest: what transactions of ours leave at the end of a partition is nothing
// that a group has not read.
func TestLineAtRest(t *testing.T) {
	spec, err := kafka.Load(kafka.ProfileLocal, kafka.Options{Feeds: []kafka.Feed{{Kind: "crm", Partner: "acme"}}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := kafka.StartMemory(kafka.MemoryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	if _, err := kafka.Apply(ctx, m.Conn(), spec); err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(m.Conn().Brokers...), kgo.TransactionalID("w"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	// read is a group's offsets behind the last record of each partition, where a
	// consumer commits them.
	read := kadm.Offsets{}
	write := func(topic string, perPartition int) {
		t.Helper()
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		ends, err := kafka.EndOffsets(ctx, m.Conn(), topic)
		if err != nil {
			t.Fatal(err)
		}
		var rs []*kgo.Record
		for p := range ends[topic] {
			for range perPartition {
				rs = append(rs, &kgo.Record{Topic: topic, Partition: p, Key: []byte("k"), Value: []byte("v")})
			}
		}
		if err := cl.ProduceSync(ctx, rs...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
		for _, r := range rs {
			read.AddOffset(topic, r.Partition, r.Offset+1, -1)
		}
	}
	// lag wants one topic's group to be behind by so much in each partition.
	lag := func(topic string, want int64) {
		t.Helper()
		want *= int64(len(read[topic]))
		// A broker that was never asked: the other one remembers for some seconds.
		state, err := answer.NewBroker(m.Conn(), spec, quiet, time.Now).Patient(brokerWait).State(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for i, g := range spec.Groups() {
			switch got := state.Groups[i]; {
			case got.Group != g.Name:
				t.Errorf("group %d is %s, want %s", i, got.Group, g.Name)
			case g.Topics[0] == topic && got.Lag != want, g.Topics[0] != topic && got.Lag != 0:
				t.Errorf("%s is behind by %d; %s should be by %d, all others not at all", g.Name, got.Lag, topic, want)
			}
		}
	}
	for _, g := range spec.Groups() {
		topic := g.Topics[0]
		read = kadm.Offsets{}
		write(topic, 2)
		lag(topic, 2) // nothing was committed yet
		if err := kadm.NewClient(cl).CommitAllOffsets(ctx, g.Name, read); err != nil {
			t.Fatal(err)
		}
		lag(topic, 0)
		write(topic, 1)
		write(topic, 1)
		lag(topic, 2) // of 4 places
		write(topic, 100)
		lag(topic, 106) // too many to be read: places, four of them of markers
		if err := kadm.NewClient(cl).CommitAllOffsets(ctx, g.Name, read); err != nil {
			t.Fatal(err)
		}
		lag(topic, 0)
	}
}

// noLine is a line whose brokers are away.
type noLine struct{}

func (noLine) State(context.Context) (*answer.LineState, error) {
	return nil, errors.New("no broker answers at secret:9092")
}
