package ingest

import (
	"time"

	"tracksource/schemas/avro"
)

// What became of a feed's events is told on a topic, a row for each feed and partition,
// in the transactions that change it. A busy partition changes it with every batch, so
// that a row is held for some time after it was told, and its last state is told once
// the partition has come to rest. Both are state: who takes the partition over tells
// what its former owner held back.
const (
	// TellEveryDefault is for people who look at a match rate, not for a chart of it.
	TellEveryDefault = 15 * time.Second
	// TellRestDefault is longer than a busy line pauses.
	TellRestDefault = time.Second
)

// told is what was told of the counts of a feed.
type told struct {
	At      int64 `json:"told,omitempty"`    // when, in milliseconds; 0: never
	Version int64 `json:"version,omitempty"` // of that row
	Behind  bool  `json:"behind,omitempty"`  // the counts have changed since
}

// Waiting implements stream.Waiter.
func (r *Resolver) Waiting() bool {
	if r.cfg.Feeds == "" {
		return false
	}
	for _, t := range r.told {
		if t.Behind {
			return true
		}
	}
	return false
}

// tellDue reports whether there are counts to be told by now. A clock that was ahead
// when they were told last, or when records came, holds nothing up.
func (r *Resolver) tellDue(now time.Time) bool {
	if r.cfg.Feeds == "" {
		return false
	}
	for _, t := range r.told {
		if r.open(t, now) {
			return true
		}
	}
	return false
}

// open reports whether counts are to be told by now: those that changed since they
// were, a while ago or at rest.
func (r *Resolver) open(t told, now time.Time) bool {
	return t.Behind && (passed(time.UnixMilli(t.At), now, r.cfg.TellEvery) || passed(r.input, now, r.cfg.TellRest))
}

func passed(from, now time.Time, d time.Duration) bool {
	since := now.Sub(from)
	return since >= d || since < 0
}

// tellFeeds notes which counts have changed, and tells those that are due.
func (r *Resolver) tellFeeds(now time.Time, out Emitter) error {
	if r.cfg.Feeds == "" {
		return nil
	}
	for feed := range r.changed {
		t := r.told[feed]
		t.Behind = true
		r.told[feed] = t
	}
	for feed, t := range r.told {
		if !r.open(t, now) {
			continue
		}
		t = told{At: now.UnixMilli(), Version: max(t.Version+1, r.first)}
		if err := r.tellFeed(feed, t, now, out); err != nil {
			return err
		}
		r.told[feed], r.changed[feed] = t, true
	}
	return nil
}

// tellFeed emits the row of a feed.
func (r *Resolver) tellFeed(feed FeedID, t told, now time.Time, out Emitter) error {
	key, err := r.cfg.Codecs.FeedKey.Append(nil, &avro.FeedKey{Feed: feed.Feed, Reporter: feed.Reporter, Partition: r.partition})
	if err != nil {
		return err
	}
	c := r.counts[feed]
	value, err := r.cfg.Codecs.FeedRow.Append(nil, &avro.FeedRow{
		Feed: feed.Feed, Reporter: feed.Reporter, Partition: r.partition,
		Accepted: c.Accepted, Duplicates: c.Duplicates, Late: c.Late, Collisions: c.Collisions, Restated: c.Restated, Superseded: c.Superseded,
		Suppressed: c.Suppressed, Unmatchable: c.Unmatchable, Touches: c.Touches, Unmatched: c.Unresolved,
		Version: t.Version, UpdatedAt: now.UTC().Truncate(time.Millisecond),
	})
	if err != nil {
		return err
	}
	out.Emit(r.cfg.Feeds, key, value)
	return nil
}
