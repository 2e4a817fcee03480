package past

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tracksource/deploy/kafka"
	"tracksource/internal/answer"
	"tracksource/internal/follow"
	"tracksource/internal/line"
	"tracksource/state"
	"tracksource/stream"
)

const (
	// settle is how long ago a time has to be before the brokers are asked about it: a
	// record that is on its way to them is stamped by their clocks, which may be behind.
	settle = 5 * time.Second
	// clocks is by how much the clocks of brokers and services may differ.
	clocks = time.Minute
	// progressEvery is how often the reading of a past is logged.
	progressEvery = 5 * time.Second
)

// topics are what a past is read from.
func topics(s kafka.Spec) []string {
	return []string{s.Contributions(), s.Facts(), s.Control(), s.Alerts()}
}

// refused is an answer to positions that cannot be read, or to a time without any.
func refused(format string, args ...any) error {
	return &answer.Error{Parameter: "as_of", Detail: fmt.Sprintf(format, args...), Allowed: []string{}}
}

// moment writes a time that somebody may ask for.
func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Positions returns where the topics stood at a time: in front of what was written to them
// later. Of one that has only just passed it is asked a moment later. A time that is to
// come is an *answer.Error, as is one of which nothing is left.
func (p *Pasts) Positions(ctx context.Context, at time.Time) (follow.Positions, error) {
	now := p.cfg.Clock()
	if at.After(now) {
		return nil, refused("%s is not past: it is %s", moment(at), moment(now))
	}
	timer := time.NewTimer(max(settle-now.Sub(at), 0))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for %s to be past: %w", moment(at), ctx.Err())
	}
	list := topics(p.cfg.Spec)
	offsets, err := kafka.OffsetsAt(ctx, p.cfg.Kafka, at, list...)
	if err != nil {
		return nil, err
	}
	oldest, err := kafka.OldestTimes(ctx, p.cfg.Kafka, p.cfg.Spec.Contributions())
	if err != nil {
		return nil, err
	}
	if first, ok := oldest[p.cfg.Spec.Contributions()]; ok && first.After(at) {
		return nil, refused("there are no contributions from before %s: nothing had come, or they were made anew since", moment(first))
	}
	out := follow.Positions{}
	for topic := range offsets {
		out[topic] = offsets.Of(topic)
	}
	return out, nil
}

// check says why what was in front of positions cannot be read any more.
func (p *Pasts) check(ctx context.Context, positions follow.Positions) error {
	list := topics(p.cfg.Spec)
	if have, want := slices.Sorted(maps.Keys(positions)), slices.Sorted(slices.Values(list)); !slices.Equal(have, want) {
		return refused("positions are of the topics %q, and packages are made of %q", have, want)
	}
	starts, err := kafka.StartOffsets(ctx, p.cfg.Kafka, list...)
	if err != nil {
		return err
	}
	ends, err := kafka.EndOffsets(ctx, p.cfg.Kafka, list...)
	if err != nil {
		return err
	}
	for _, topic := range list {
		if len(positions[topic]) != len(ends[topic]) {
			return refused("positions are of %d partitions of %s, which has %d: it was made anew since", len(positions[topic]), topic, len(ends[topic]))
		}
		for n, offset := range positions[topic] {
			if err := p.there(topic, int32(n), offset, starts[topic][int32(n)], ends[topic][int32(n)]); err != nil {
				return err
			}
		}
	}
	return p.uncompacted(ctx, positions)
}

// there holds one position against the bounds of its partition.
func (p *Pasts) there(topic string, n int32, offset, start, end int64) error {
	place := fmt.Sprintf("%s/%d", topic, n)
	switch {
	case offset > end:
		return refused("%s ends at %d, in front of position %d: it was made anew since", place, end, offset)
	case topic == p.cfg.Spec.Alerts() && offset < start:
		return refused("%s begins at %d, behind position %d: alerts of then have been deleted by their retention", place, start, offset)
	case topic == p.cfg.Spec.Alerts():
		return nil // they are kept for a time; those that are older are in no answer of a new disk
	case topic == p.cfg.Spec.Control() && start > 0:
		return refused("%s begins at %d: decisions were deleted, and nothing can be read without them", place, start)
	case start > 0 && offset <= start:
		return refused("%s was emptied in front of offset %d, and nothing is left in front of position %d", place, start, offset)
	}
	return nil
}

// uncompacted says whether compaction may have taken something that counted at positions.
// It takes a version when a newer one has been there for as long as versions are kept. So
// it took none that counted where nothing behind the position is older than that.
func (p *Pasts) uncompacted(ctx context.Context, positions follow.Positions) error {
	kept, err := kafka.Kept(ctx, p.cfg.Kafka, p.cfg.Spec.Contributions(), p.cfg.Spec.Facts())
	if err != nil {
		return err
	}
	for _, topic := range slices.Sorted(maps.Keys(kept)) {
		if kept[topic] == kafka.KeptForever {
			continue
		}
		since := p.cfg.Clock().Add(clocks - kept[topic])
		young, err := kafka.OffsetsAt(ctx, p.cfg.Kafka, since, topic)
		if err != nil {
			return err
		}
		for n, offset := range positions[topic] {
			if offset < young[topic][int32(n)] {
				return refused("%s keeps every version for %s only (min.compaction.lag.ms), and position %d of partition %d is older: a package can be made as of %s or later",
					topic, days(kept[topic]), offset, n, moment(since))
			}
		}
	}
	return nil
}

// days writes a duration of days as days.
func days(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}

// fill reads a past into a directory that it makes.
func (p *Pasts) fill(ctx context.Context, path string, at time.Time, positions follow.Positions) (*kept, error) {
	dir, err := state.OpenDir(state.Config{Path: path, MemoryBudget: memoryMax, MaxOpen: storesMax, Log: p.cfg.Log, Reserve: diskReserve})
	if err != nil {
		return nil, fmt.Errorf("make room for a past: %w", err)
	}
	f, err := follow.Offline(follow.Config{
		Codecs: p.cfg.Codecs, Spec: p.cfg.Spec, Log: p.cfg.Log, Clock: p.cfg.Clock, CubeBytes: cubeBytes, DealBytes: dealBytes, Past: true,
	}, dir)
	if err == nil {
		err = p.read(ctx, dir, f, at, positions)
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	f.Reached(positions)
	return &kept{follow: f, dir: dir}, nil
}

// read reads what lies in front of positions, each topic beside the others.
func (p *Pasts) read(ctx context.Context, dir *state.Dir, f *follow.Follow, at time.Time, positions follow.Positions) error {
	began := p.cfg.Clock()
	starts, err := kafka.StartOffsets(ctx, p.cfg.Kafka, topics(p.cfg.Spec)...)
	if err != nil {
		return err
	}
	left := &progress{log: p.cfg.Log, clock: p.cfg.Clock, logged: began}
	for topic, next := range positions {
		for n, offset := range next {
			left.places += max(offset-starts[topic][int32(n)], 0)
		}
	}
	p.watch(left)
	defer p.watch(nil)
	g, ctx := errgroup.WithContext(ctx)
	watched, stop := context.WithCancel(ctx)
	g.Go(func() error { return dir.Watch(watched) })
	var readers sync.WaitGroup
	for topic, next := range positions {
		spans := map[int32]stream.Span{}
		for n, offset := range next {
			spans[int32(n)] = stream.Span{From: starts[topic][int32(n)], End: offset}
		}
		readers.Add(1)
		g.Go(func() error {
			defer readers.Done()
			return stream.ReadSpans(ctx, line.StreamConn(p.cfg.Kafka), p.cfg.Log, topic, spans, func(records []stream.Record) error {
				if newest := records[len(records)-1].Timestamp; !at.IsZero() && newest.After(at.Add(clocks)) {
					return refused("%s has in front of its position what was written at %s: it was made anew since", topic, moment(newest))
				}
				left.read(ctx, records)
				return f.Take(topic, records...)
			})
		})
	}
	g.Go(func() error {
		readers.Wait()
		stop()
		return nil
	})
	if err := g.Wait(); err != nil {
		return fmt.Errorf("read a past: %w", err)
	}
	p.cfg.Log.InfoContext(ctx, "past read", "as_of", moment(at), "records", left.records, "took", p.cfg.Clock().Sub(began).Round(time.Millisecond).String())
	return nil
}

// progress is how far the reading of a past is.
type progress struct {
	log    *slog.Logger
	clock  func() time.Time
	places int64 // in front of the positions, those of markers among them

	mu      sync.Mutex
	records int64     // guarded by mu
	logged  time.Time // guarded by mu
}

// watch has those who wait told how far a reading is; nil once there is none.
func (p *Pasts) watch(reading *progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reading = reading
}

// soFar returns how many records were read, and of how many at most.
func (p *progress) soFar() (records, atMost int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.records, p.places
}

func (p *progress) read(ctx context.Context, records []stream.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.records += int64(len(records))
	if now := p.clock(); now.Sub(p.logged) >= progressEvery {
		p.logged = now
		p.log.InfoContext(ctx, "reading a past", "records", p.records, "at_most", p.places)
	}
}
