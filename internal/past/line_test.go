package past_test

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tracksource/internal/answer"
	"tracksource/internal/follow"
)

// TestLineEnds: a feed says which topic it is and where each partition of it ended then.
func TestLineEnds(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := newRig(t, func() time.Time { return start.Add(time.Hour) })
	raw := r.spec.RawTopic("crm", "acme")
	for i := range 5 {
		at := start.Add(time.Duration(i) * time.Minute)
		r.write(&kgo.Record{Topic: raw, Partition: int32(i % 2), Timestamp: at, Value: []byte("x")}, r.row("a", 1, int64(i), at))
	}
	positions, err := r.pasts.Positions(t.Context(), start.Add(2*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	err = r.pasts.Read(t.Context(), positions, start.Add(2*time.Minute), func(_ *follow.Follow, l answer.Line) error {
		state, err := l.State(t.Context())
		if err != nil {
			return err
		}
		// Markers of transactions have places, too: the second record of a partition is
		// behind the marker of the first one's.
		if f := state.Feeds[0]; f.Topic != raw || len(f.Ends) < 2 || f.Ends[0] < 2 || f.Ends[1] < 1 || slices.Max(f.Ends[2:]) != 0 {
			t.Errorf("the feed is of %s, and ends at %v", f.Topic, f.Ends)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
