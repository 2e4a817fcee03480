package chaos_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"tracksource/deploy/kafka"
	"tracksource/schemas/avro"
)

// reader follows credits and contributions read_committed while the line works,
// as a BI tool does, and keeps what it saw.
type reader struct {
	codecs  *avro.Codecs
	spec    kafka.Spec
	cancel  context.CancelFunc
	done    chan struct{}
	mu      sync.Mutex
	seen    map[string]map[int32]int64 // guarded by mu; offsets behind the last record, by topic and partition
	credits map[int32][]entry          // by partition, in the order of offsets
	rows    []avro.ContributionRow
	last    map[avro.ContributionKey]int64 // version
	wrong   []string
}

type entry struct {
	offset int64
	avro.CreditEntry
}

func follow(t *testing.T, conn kafka.Conn, spec kafka.Spec, codecs *avro.Codecs) *reader {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(conn.Brokers...), kgo.ConsumeTopics(spec.Credits(), spec.Contributions()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &reader{
		codecs: codecs, spec: spec, cancel: cancel, done: make(chan struct{}), credits: map[int32][]entry{}, last: map[avro.ContributionKey]int64{},
		seen: map[string]map[int32]int64{spec.Credits(): {}, spec.Contributions(): {}},
	}
	go func() {
		defer close(r.done)
		defer cl.Close()
		for ctx.Err() == nil {
			cl.PollFetches(ctx).EachRecord(func(rec *kgo.Record) {
				r.take(rec)
				r.mu.Lock()
				defer r.mu.Unlock()
				r.seen[rec.Topic][rec.Partition] = rec.Offset + 1
			})
		}
	}()
	t.Cleanup(func() { cancel(); <-r.done })
	return r
}

func (r *reader) take(rec *kgo.Record) {
	place := fmt.Sprintf("%s/%d@%d", rec.Topic, rec.Partition, rec.Offset)
	if rec.Topic == r.spec.Credits() {
		var e avro.CreditEntry
		if err := r.codecs.Credit.Decode(rec.Value, &e); err != nil {
			r.wrong = append(r.wrong, fmt.Sprintf("%s: %v", place, err))
			return
		}
		list := r.credits[rec.Partition]
		if n := len(list); n > 0 && list[n-1].offset >= rec.Offset {
			r.wrong = append(r.wrong, place+" came twice")
			return
		}
		r.credits[rec.Partition] = append(list, entry{rec.Offset, e})
		return
	}
	if rec.Value == nil {
		return
	}
	var row avro.ContributionRow
	if err := r.codecs.ContributionRow.Decode(rec.Value, &row); err != nil {
		r.wrong = append(r.wrong, fmt.Sprintf("%s: %v", place, err))
		return
	}
	key := keyOf(&row)
	if row.Version <= r.last[key] {
		r.wrong = append(r.wrong, fmt.Sprintf("%s: %+v went from version %d to %d", place, key, r.last[key], row.Version))
	}
	r.last[key] = row.Version
	r.rows = append(r.rows, row)
}

// isAt reports whether the reader has come to the given ends of a topic.
func (r *reader) isAt(topic string, ends map[int32]int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, end := range ends {
		if r.seen[topic][p] < end {
			return false
		}
	}
	return true
}

func keyOf(r *avro.ContributionRow) avro.ContributionKey {
	return avro.ContributionKey{
		Contract: r.Contract, Measure: r.Measure, Model: r.Model, Day: r.Day, Partner: r.Partner, Channel: r.Channel, Asset: r.Asset,
		Region: r.Region, Segment: r.Segment, Source: r.Source, TouchCampaign: r.TouchCampaign,
	}
}

// said is what one source said last of a key.
type said struct {
	generation int64
	running    int64
}

// verify compares each row that was seen with the fold of its credits partition
// up to the offset that the row names, and returns how many were compared.
func (r *reader) verify(t *testing.T) int {
	t.Helper()
	r.cancel()
	<-r.done
	for _, w := range r.wrong[:min(len(r.wrong), 20)] {
		t.Errorf("reader: %s", w)
	}
	byPartition := map[int32][]avro.ContributionRow{}
	for _, row := range r.rows {
		byPartition[row.CreditsPartition] = append(byPartition[row.CreditsPartition], row)
	}
	compared, failed := 0, 0
	for p, rows := range byPartition {
		slices.SortStableFunc(rows, func(a, b avro.ContributionRow) int { return cmp.Compare(a.CreditsOffset, b.CreditsOffset) })
		latest := map[avro.ContributionKey]map[int32]said{}
		exponents := map[avro.ContributionKey]int{}
		list := r.credits[p]
		for i := range rows {
			row := &rows[i]
			for len(list) > 0 && list[0].offset <= row.CreditsOffset {
				fold(latest, exponents, &list[0])
				list = list[1:]
			}
			key := keyOf(row)
			var want int64
			for _, s := range latest[key] {
				want += s.running
			}
			got, err := row.ValueMinor(exponents[key])
			if compared++; err != nil || got != want {
				if failed++; failed <= 20 {
					t.Errorf("row %+v version %d says %d at credits %d@%d, the fold is %d: %v", key, row.Version, got, p, row.CreditsOffset, want, err)
				}
			}
		}
	}
	if failed > 20 {
		t.Errorf("and %d more rows differ", failed-20)
	}
	return compared
}

// fold takes one entry: the newest running total of the newest generation that a
// source gave of a key is what it holds.
func fold(latest map[avro.ContributionKey]map[int32]said, exponents map[avro.ContributionKey]int, e *entry) {
	if e.Kind != "entry" {
		return
	}
	for i, model := range e.Models {
		key := avro.ContributionKey{
			Contract: e.Contract, Measure: e.Measure, Model: model, Day: e.Day, Partner: e.Partner, Channel: e.Channel, Asset: e.Asset,
			Region: e.Region, Segment: e.Segment, Source: e.Source, TouchCampaign: e.TouchCampaign,
		}
		if latest[key] == nil {
			latest[key] = map[int32]said{}
		}
		if was := latest[key][e.SourcePartition]; e.Generation >= was.generation {
			latest[key][e.SourcePartition] = said{e.Generation, e.Running[i]}
		}
		exponents[key] = e.Exponent
	}
}
