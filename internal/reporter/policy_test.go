package reporter_test

import (
	"bytes"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"tracksource/contract/example"
	"tracksource/internal/control"
	"tracksource/internal/reporter"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// TestPolicies: the newest revision that the service accepts is in force, once the
// topic was read to its end.
func TestPolicies(t *testing.T) {
	codecs := testCodecs(t)
	var log bytes.Buffer
	p := reporter.NewPolicies(codecs, map[string]string{"acme": "contributions.acme"}, slog.New(slog.NewTextHandler(&log, nil)))
	first := string(example.AILaunchTour())
	own := strings.Replace(first, "currency: USD, visibility: open", "currency: USD, visibility: own", 1)
	later := strings.Replace(own, "lateness: ", "lateness: 1", 1)
	if own == first || later == own {
		t.Fatal("the example has another form")
	}
	add := func(document string, last int64, change func(c *avro.Control)) {
		t.Helper()
		c, err := control.Revise([]byte(document), last, start)
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(&c)
		}
		value, err := codecs.Control.Append(nil, &c)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Add(stream.Record{Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	add(first, 0, nil)
	if got := p.Get(); got != nil {
		t.Errorf("before the end of the topic there are policies: %+v", got)
	}
	add(own, 1, nil)
	add(first, 1, nil) // refused: it is stale
	add(first, 2, func(c *avro.Control) { c.Contract.Proposed = true })
	add(first, 2, func(c *avro.Control) { c.Contract.Hash = "of another document" })
	if err := p.Add(stream.Record{Value: []byte("no record")}); err != nil {
		t.Error(err)
	}
	p.Release()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	lateness := p.Get()["ai-launch-tour"].LatenessDays
	want := map[string]reporter.Policy{"ai-launch-tour": {Revision: 2, Zone: zone, LatenessDays: lateness, Own: []string{"acme"}}}
	if got := p.Get(); !reflect.DeepEqual(got, want) || lateness == 0 {
		t.Errorf("policies %+v, want %+v", got, want)
	}
	before := p.Get()
	add(later, 2, nil)
	if got := p.Get()["ai-launch-tour"]; got.Revision != 3 || got.LatenessDays <= lateness || before["ai-launch-tour"].Revision != 2 {
		t.Errorf("policy %+v behind a new revision, the old one is %+v", got, before)
	}
	if n := strings.Count(log.String(), "partner=globex"); n != 1 {
		t.Errorf("the partner without a topic is named %d times, want once:\n%s", n, log.String())
	}
}
