package follow

import (
	"fmt"

	"tracksource/deploy/kafka"
	"tracksource/report"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

func (f *Follow) projectFeed(r *stream.Record, put func(key, value []byte)) error {
	var k avro.FeedKey
	if err := f.cfg.Codecs.FeedKey.Decode(r.Key, &k); err != nil {
		return err
	}
	key := spaceFeed.Key().String(k.Feed).String(k.Reporter).Uint32(uint32(k.Partition))
	if r.Value == nil {
		put(key, nil)
		return nil
	}
	var row avro.FeedRow
	if err := f.cfg.Codecs.FeedRow.Decode(r.Value, &row); err != nil {
		return err
	}
	if row.IsDeleted {
		put(key, nil)
		return nil
	}
	put(key, spaceFeed.Value(r.Value))
	return nil
}

// FeedCounts says what became of the events of each feed. One that nothing was told of is
// not in it, and none is while their topic has not been read once to its end, or is not
// there: a part of the partitions would be taken for the whole.
func (f *Follow) FeedCounts() (map[kafka.Feed]report.FeedCounts, error) {
	if f.feeds.followed == nil && f.feeds.disk == nil || f.feeds.followed != nil && f.feeds.followed.Positions() == nil {
		return nil, nil
	}
	out := map[kafka.Feed]report.FeedCounts{}
	from, to := spaceFeed.Key().Range()
	err := f.feeds.scan(from, to, func(_, value []byte) (bool, error) {
		body, err := spaceFeed.Body(value)
		if err != nil {
			return false, err
		}
		var row avro.FeedRow
		if err := f.cfg.Codecs.FeedRow.Decode(body, &row); err != nil {
			return false, fmt.Errorf("counts of a feed in the table: %w", err)
		}
		feed := kafka.Feed{Kind: row.Feed, Partner: row.Reporter}
		out[feed] = out[feed].Add(report.FeedCounts{
			Accepted: row.Accepted, Duplicates: row.Duplicates, Late: row.Late, Suppressed: row.Suppressed, Unmatchable: row.Unmatchable,
			Touches: row.Touches, Unmatched: row.Unmatched,
		})
		return true, nil
	})
	return out, err
}
