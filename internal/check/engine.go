package check

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"tracksource/deploy/kafka"
	"tracksource/internal/line"
	"tracksource/state"
	"tracksource/stream"
)

// Input of the engine's part: what brokers and changelogs say at rest.

// Transactions are the positions of one partition of a topic.
type Transactions struct {
	Committed, End int64 // equal when no transaction is open
}

// Chain is what one partition of a changelog says, and what the group that
// writes it says.
type Chain struct {
	Group, Input string // names of group and input topic
	stream.Chain
	Committed int64 // the group's position in the input, -1 without one
	InputEnd  int64
}

// engine verifies what does not depend on what records mean: no transaction is
// open, each changelog leads to its own last checkpoint, and each group stands
// where that checkpoint does.
func (v *verifier) engine() {
	for _, topic := range slices.Sorted(maps.Keys(v.in.Transactions)) {
		for p, t := range v.in.Transactions[topic] {
			if t.Committed != t.End {
				v.problem("%s/%d has an open transaction: readers see it up to %d of %d", topic, p, t.Committed, t.End)
			}
		}
	}
	for _, c := range v.in.Chains {
		v.report.Transactions += c.Sequence
		for _, p := range c.Problems {
			v.problem("changelog %s", p)
		}
		switch {
		case !c.Started && c.Committed > 0:
			v.problem("group %s stands at %d in %s/%d and its changelog has no checkpoint", c.Group, c.Committed, c.Input, c.Partition)
		case c.Started && c.Committed != c.Next:
			v.problem("group %s stands at %d in %s/%d, its changelog at %d", c.Group, c.Committed, c.Input, c.Partition, c.Next)
		case c.Next > c.InputEnd:
			v.problem("the changelog of group %s stands at %d in %s/%d, which ends at %d", c.Group, c.Next, c.Input, c.Partition, c.InputEnd)
		}
	}
}

// open reports whether any transaction is.
func open(topics map[string]map[int32]Transactions) bool {
	for _, partitions := range topics {
		for _, t := range partitions {
			if t.Committed != t.End {
				return true
			}
		}
	}
	return false
}

const (
	// openPatience is how long a transaction may stay open: markers are written
	// after the commit has been answered, and Kafka looks every ten seconds for those
	// of a process that was killed and is never seen again.
	openPatience = 30 * time.Second
	openEvery    = 100 * time.Millisecond
)

// positions asks for the ends of all topics that transactions write, again while
// one is open.
func positions(ctx context.Context, cfg Config) (map[string]map[int32]Transactions, error) {
	for waited := time.Duration(0); ; waited += openEvery {
		out, err := positionsNow(ctx, cfg)
		if err != nil || waited >= openPatience || !open(out) {
			return out, err
		}
		select {
		case <-time.After(openEvery):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func positionsNow(ctx context.Context, cfg Config) (map[string]map[int32]Transactions, error) {
	var topics []string
	for _, t := range cfg.Spec.Topics() {
		topics = append(topics, t.Name)
	}
	committed, err := kafka.CommittedOffsets(ctx, cfg.Kafka, topics...)
	if err != nil {
		return nil, err
	}
	ends, err := kafka.EndOffsets(ctx, cfg.Kafka, topics...)
	if err != nil {
		return nil, err
	}
	out := map[string]map[int32]Transactions{}
	for topic, partitions := range ends {
		out[topic] = map[int32]Transactions{}
		for p, end := range partitions {
			out[topic][p] = Transactions{Committed: committed[topic][p], End: end}
		}
	}
	return out, nil
}

// chains audits the changelogs.
func chains(ctx context.Context, cfg Config, ends map[string]map[int32]Transactions) ([]Chain, error) {
	var out []Chain
	for _, g := range cfg.Spec.Groups() {
		if g.Changelog == "" {
			continue
		}
		input := g.Topics[0]
		offsets, err := kafka.GroupOffsets(ctx, cfg.Kafka, g.Name)
		if err != nil {
			return nil, err
		}
		topic, _ := cfg.Spec.Topic(g.Changelog)
		list, err := stream.AuditChangelog(ctx, line.StreamConn(cfg.Kafka), cfg.Log, g.Changelog, topic.Partitions, state.Sum)
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			at, found := offsets[input][c.Partition]
			if !found {
				at = -1
			}
			out = append(out, Chain{Group: g.Name, Input: input, Chain: c, Committed: at, InputEnd: ends[input][c.Partition].End})
		}
	}
	return out, nil
}

// Moving says what of a line is still on its way, empty when all groups have
// consumed everything. Work that a partition has without input does not show.
func Moving(ctx context.Context, cfg Config) (string, error) {
	// In the order of the line: what a group hands to the next is then there when that
	// one is looked at. The other way round it is missed while it is on its way.
	for _, g := range cfg.Spec.Groups() {
		ok, err := stream.CaughtUp(ctx, line.StreamConn(cfg.Kafka), cfg.Log, g.Name, g.Topics...)
		if err != nil {
			return "", fmt.Errorf("look at group %s: %w", g.Name, err)
		}
		if !ok {
			return fmt.Sprintf("group %s has not consumed all of %v", g.Name, g.Topics), nil
		}
	}
	return "", nil
}
