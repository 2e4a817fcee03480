package deadletter

import (
	"context"
	"fmt"
	"strconv"

	"tracksource/internal/ingest"
	"tracksource/internal/line"
	"tracksource/stream"
)

// ReplayOptions choose what is sent again.
type ReplayOptions struct {
	// Choose says which letters are meant; nil: all. Those that were sent again
	// already and those of late events are left alone in any case.
	Choose func(*Letter) bool
	// Force sends records, too, that would be refused again as they were, as far as
	// their bytes were kept.
	Force  bool
	DryRun bool
	// Progress is told after each portion how many of all records are done; may be nil.
	Progress func(done, all int)
}

// Replayed says what became of the letters that were chosen.
type Replayed struct {
	Letters  int            `json:"letters"`  // chosen ones
	Records  int            `json:"records"`  // raw records that were sent again, or would have been
	Mended   int            `json:"mended"`   // events in them that are refused no more
	Left     map[string]int `json:"left"`     // letters that would be refused again, by the code of today
	Late     int            `json:"late"`     // letters of late events
	Repeated int            `json:"repeated"` // letters that were sent again before
}

// portion is how many records are sent at once. A crash in between makes a later
// replay send one portion twice, which resolve knows by the events' ids.
const portion = 500

// Replay sends the raw records of letters to their feeds again, with their keys
// and their time, and notes so behind the letters. A record may hold several
// events: those which were taken in at first are duplicates now. So the totals
// are what they had been if all had been right at first.
func (b *Box) Replay(ctx context.Context, o ReplayOptions) (Replayed, error) {
	sum := Replayed{Left: map[string]int{}}
	records, err := b.plan(ctx, o, &sum)
	if err != nil || o.DryRun {
		return sum, err
	}
	p, err := stream.NewProducer(line.StreamConn(b.cfg.Kafka), b.cfg.Log)
	if err != nil {
		return sum, err
	}
	defer p.Close()
	for done := 0; done < len(records); {
		part := records[done:min(len(records), done+portion)]
		if err := b.send(ctx, p, part); err != nil {
			return sum, fmt.Errorf("after %d of %d records: %w", done, len(records), err)
		}
		if done += len(part); o.Progress != nil {
			o.Progress(done, len(records))
		}
	}
	return sum, nil
}

// record is a raw record to be sent again, with all its letters.
type record struct{ letters []*Letter }

func (b *Box) plan(ctx context.Context, o ReplayOptions, sum *Replayed) ([]*record, error) {
	byRaw := map[raw]*record{}
	var order []raw
	chosen := map[raw]int{}
	for i := range b.Letters {
		l := &b.Letters[i]
		meant := o.Choose == nil || o.Choose(l)
		if meant {
			sum.Letters++
		}
		switch {
		case l.Late():
			if meant {
				sum.Late++
			}
			continue
		case l.Replayed:
			if meant {
				sum.Repeated++
			}
			continue
		}
		at := l.raw()
		if byRaw[at] == nil {
			byRaw[at] = &record{}
			order = append(order, at)
		}
		byRaw[at].letters = append(byRaw[at].letters, l)
		if meant {
			chosen[at]++
		}
	}
	var records []*record
	for _, at := range order {
		r := byRaw[at]
		if chosen[at] == 0 {
			continue
		}
		t, err := b.Try(ctx, r.letters[0])
		if err != nil {
			return nil, err
		}
		mended := len(r.letters) - len(t.Problems)
		if mended <= 0 && (!o.Force || !r.letters[0].Kept()) {
			sum.Left[t.Problems[0].Code] += chosen[at]
			continue
		}
		sum.Records++
		sum.Mended += max(0, mended)
		records = append(records, r)
	}
	return records, nil
}

// send sends records, then the notes: the other way round a crash would lose
// them.
func (b *Box) send(ctx context.Context, p *stream.Producer, part []*record) error {
	var raws, notes []stream.Message
	for _, r := range part {
		first := r.letters[0]
		raws = append(raws, stream.Message{
			Topic: first.Reason.RawTopic, Key: first.Key, Value: first.Value,
			Headers: []stream.Header{
				{Key: ingest.HeaderReceived, Value: strconv.AppendInt(nil, first.Reason.FailedAt.UnixMicro(), 10)},
				{Key: ingest.HeaderOrigin, Value: []byte(first.raw().String())},
			},
		})
		for _, l := range r.letters {
			notes = append(notes, stream.Message{
				Topic: b.cfg.Spec.DeadLetterTopic(l.ID.Feed.Kind, l.ID.Feed.Partner), Partition: l.ID.Partition, Pinned: true, Key: l.Key,
				Headers: []stream.Header{{Key: headerReplayed, Value: strconv.AppendInt(nil, l.ID.Offset, 10)}},
			})
		}
	}
	if err := p.Send(ctx, raws...); err != nil {
		return err
	}
	if err := p.Send(ctx, notes...); err != nil {
		return err
	}
	for _, r := range part {
		for _, l := range r.letters {
			l.Replayed = true
		}
	}
	return nil
}
