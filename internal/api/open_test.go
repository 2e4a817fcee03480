package api_test

import (
	"testing"

	"tracksource/internal/api"
	"tracksource/stream"
)

// TestOwnsFirst: one instance evaluates: the one that has the first partition of the
// ledger, once it is restored.
func TestOwnsFirst(t *testing.T) {
	at := func(topic string, partition int32, phase string) []stream.Status {
		return []stream.Status{{}, {Partitions: []stream.PartitionStatus{{Topic: "ledger", Partition: 3, Phase: "ready"}, {Topic: topic, Partition: partition, Phase: phase}}}}
	}
	for _, tt := range []struct {
		workers []stream.Status
		want    bool
	}{
		{nil, false},
		{at("ledger", 0, "ready"), true},
		{at("ledger", 0, "restoring"), false},
		{at("ledger", 0, "halted"), false},
		{at("ledger", 1, "ready"), false},
		{at("journeys", 0, "ready"), false},
	} {
		if got := api.OwnsFirst(tt.workers, "ledger"); got != tt.want {
			t.Errorf("%+v: %t", tt.workers, got)
		}
	}
}
