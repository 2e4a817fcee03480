package past

import (
	"context"
	"fmt"
	"sync"
	"time"

	"tracksource/deploy/kafka"
	"tracksource/internal/answer"
	"tracksource/internal/line"
	"tracksource/stream"
)

const (
	// newestRead is how many places of a partition are read for its newest record: more
	// than the markers of transactions that may be behind it.
	newestRead = 64
	// deadRead is how many places of each partition of dead letters are read for codes,
	// as of the present.
	deadRead = 2000
	// headerCode is the header of a dead letter that says why it is one.
	headerCode = "tracksource.code"
)

// lineThen is how the line stood at a time: what the feeds held by then. How far its
// consumers were is not kept anywhere.
type lineThen struct {
	cfg Config
	at  time.Time

	mu    sync.Mutex
	state *answer.LineState // guarded by mu; nil before it was asked for
}

// lineAt returns how the line stood at a time, nil for one that nobody knows.
func (p *Pasts) lineAt(at time.Time) answer.Line {
	if at.IsZero() {
		return nil
	}
	return &lineThen{cfg: p.cfg, at: at}
}

// State implements answer.Line.
func (l *lineThen) State(ctx context.Context) (*answer.LineState, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != nil {
		return l.state, nil
	}
	spec := l.cfg.Spec
	topics := append(spec.RawTopics(), spec.DeadLetterTopics()...)
	then, err := kafka.OffsetsAt(ctx, l.cfg.Kafka, l.at, topics...)
	if err != nil {
		return nil, err
	}
	starts, err := kafka.StartOffsets(ctx, l.cfg.Kafka, topics...)
	if err != nil {
		return nil, err
	}
	state := &answer.LineState{}
	for _, f := range spec.Feeds() {
		raw := spec.RawTopic(f.Kind, f.Partner)
		one := answer.FeedState{Feed: f, Topic: raw, Ends: then.Of(raw), Records: kafka.Offsets{raw: then[raw]}.Total(), Codes: map[string]int64{}}
		err := l.tail(ctx, raw, newestRead, then[raw], starts[raw], func(r *stream.Record) {
			if r.Timestamp.After(one.Newest) {
				one.Newest = r.Timestamp.UTC()
			}
		})
		if err != nil {
			return nil, err
		}
		dead := spec.DeadLetterTopic(f.Kind, f.Partner)
		if err := l.dead(ctx, &one, dead, then[dead], starts[dead]); err != nil {
			return nil, err
		}
		state.Feeds = append(state.Feeds, one)
	}
	l.state = state
	return state, nil
}

// dead notes the dead letters that there were and have not been deleted since. Where they
// are read to the last their number is known, else it is that of places.
func (l *lineThen) dead(ctx context.Context, to *answer.FeedState, topic string, then, starts map[int32]int64) error {
	var read int64
	err := l.tail(ctx, topic, deadRead, then, starts, func(r *stream.Record) {
		if code := r.Header(headerCode); code != nil { // else a note that one was replayed
			to.Codes[string(code)]++
			read++
		}
	})
	all := true
	for n, offset := range then {
		to.Dead += max(offset-starts[n], 0)
		all = all && offset-starts[n] <= deadRead
	}
	if all {
		to.Dead = read
	}
	return err
}

// tail reads the last places in front of positions.
func (l *lineThen) tail(ctx context.Context, topic string, most int64, ends, starts map[int32]int64, fn func(r *stream.Record)) error {
	spans := map[int32]stream.Span{}
	for n, end := range ends {
		spans[n] = stream.Span{From: max(starts[n], end-most), End: end}
	}
	err := stream.ReadSpans(ctx, line.StreamConn(l.cfg.Kafka), l.cfg.Log, topic, spans, func(records []stream.Record) error {
		for i := range records {
			fn(&records[i])
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("feeds as of %s: %w", moment(l.at), err)
	}
	return nil
}
