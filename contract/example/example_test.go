package example_test

import (
	"bytes"
	"testing"
	"time"

	"tracksource/contract"
	"tracksource/contract/example"
)

// TestStarting: a campaign that begins on another day is as long and else the same.
func TestStarting(t *testing.T) {
	c, err := contract.Parse(example.AILaunchTour())
	if err != nil {
		t.Fatal(err)
	}
	moved, err := contract.Parse(example.Starting(time.Date(2026, 10, 17, 0, 0, 0, 0, time.UTC)))
	if err != nil {
		t.Fatal(err)
	}
	if moved.Starts.String() != "2026-10-17" || moved.Ends-moved.Starts != c.Ends-c.Starts || moved.Hash == c.Hash {
		t.Errorf("%s to %s, want the days of %s to %s from 2026-10-17 on", moved.Starts, moved.Ends, c.Starts, c.Ends)
	}
	start := time.Unix(int64(c.Starts)*24*60*60, 0).UTC()
	if same := example.Starting(start); !bytes.Equal(same, example.AILaunchTour()) {
		t.Error("a campaign that begins when it begins is another")
	}
}
