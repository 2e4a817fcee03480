package sim_test

import (
	"fmt"
	"maps"

	"tracksource/deploy/kafka"
	"tracksource/identity"
	"tracksource/internal/check"
	"tracksource/internal/line"
	"tracksource/report"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// feeds holds what is told of feeds against the events as the judge has counted them, and
// against the touches that journeys have: each on a known account or on one that only
// stands in for it.
func (r *rig) feeds(judged map[string]check.Feed) {
	r.t.Helper()
	told, sums := map[avro.FeedKey]report.FeedCounts{}, map[string]check.Feed{}
	last := map[avro.FeedKey]avro.FeedRow{}
	r.read(r.spec.FeedCounts(), func(rec *stream.Record) error {
		var k avro.FeedKey
		var row avro.FeedRow
		if err := r.codecs.FeedKey.Decode(rec.Key, &k); err != nil {
			return err
		}
		if err := r.codecs.FeedRow.Decode(rec.Value, &row); err != nil {
			return err
		}
		last[k] = row
		return nil
	})
	for k, row := range last {
		if row.Touches > 0 {
			told[k] = report.FeedCounts{Touches: row.Touches, Unmatched: row.Unmatched}
		}
		sum := sums[r.spec.RawTopic(k.Feed, k.Reporter)]
		sum.Accepted, sum.Duplicates, sum.Late = sum.Accepted+int(row.Accepted), sum.Duplicates+int(row.Duplicates), sum.Late+int(row.Late)
		sum.Restated, sum.Suppressed = sum.Restated+int(row.Restated+row.Superseded), sum.Suppressed+int(row.Suppressed)
		sums[r.spec.RawTopic(k.Feed, k.Reporter)] = sum
	}
	for topic, f := range judged {
		if want := (check.Feed{Accepted: f.Accepted, Duplicates: f.Duplicates, Late: f.Late, Restated: f.Restated, Suppressed: f.Suppressed}); sums[topic] != want {
			r.t.Errorf("of %s is told %+v, by its events %+v", topic, sums[topic], want)
		}
	}
	items := map[string]avro.JourneyEvent{}
	r.read(r.spec.Journeys(), func(rec *stream.Record) error {
		var ev avro.JourneyEvent
		if err := r.codecs.Journey.Decode(rec.Value, &ev); err != nil {
			return err
		}
		key := fmt.Sprintf("%x|%x|%s|%s|%s", ev.Account, ev.Node, ev.Reporter, ev.Source, ev.Item)
		if ev.Kind == "touch" && ev.Placement > items[key].Placement {
			items[key] = ev
		}
		return nil
	})
	want := map[avro.FeedKey]report.FeedCounts{}
	for _, ev := range items {
		if ev.Removed {
			continue
		}
		one := report.FeedCounts{Touches: 1}
		if n, err := identity.Parse(ev.Account); err != nil || n.Provisional() {
			one.Unmatched = 1
		}
		k := avro.FeedKey{Feed: ev.Feed, Reporter: ev.Reporter, Partition: stream.PartitionOf(ev.Node, r.spec.Partitions(kafka.KeyObservations))}
		want[k] = want[k].Add(one)
	}
	if !maps.Equal(told, want) {
		r.t.Errorf("of feeds is told %+v, journeys have %+v", told, want)
	}
}

func (r *rig) read(topic string, take func(*stream.Record) error) {
	r.t.Helper()
	if err := stream.ReadTopic(r.ctx, line.StreamConn(r.conn), r.log, topic, func(rec stream.Record) error { return take(&rec) }); err != nil {
		r.t.Fatalf("read %s: %v", topic, err)
	}
}
