package answer

import (
	"context"

	"tracksource/deploy/kafka"
)

// Line says how the topics in front of what is followed stand. Its answers may be a
// few seconds old.
type Line interface {
	State(ctx context.Context) (LineState, error)
}

// LineState is how the line stands.
type LineState struct {
	Feeds  []FeedState
	Groups []GroupState
}

// FeedState is how one feed stands.
type FeedState struct {
	kafka.Feed
}

// GroupState is how far a consumer group is behind.
type GroupState struct {
	Group string
	Lag   int64
}
