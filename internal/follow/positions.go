package follow

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Positions are the next offsets of topics, by partition: what lies in front of them is
// known, what lies behind is not. With them what was known can be read again.
type Positions map[string][]int64

const (
	// positionsTextMax bounds the text of positions: four topics of a hundred
	// partitions, each with an offset of nineteen digits, are half of it.
	positionsTextMax = 16 << 10
	// positionsTopicsMax bounds their topics.
	positionsTopicsMax = 16
)

// String writes positions so that a URL takes them as they are, in one way only: the
// topics by name, as "topic:1,2,3~topic:4".
func (p Positions) String() string {
	var b strings.Builder
	for i, topic := range slices.Sorted(maps.Keys(p)) {
		if i > 0 {
			b.WriteByte('~')
		}
		b.WriteString(topic)
		b.WriteByte(':')
		for n, at := range p[topic] {
			if n > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strconv.FormatInt(at, 10))
		}
	}
	return b.String()
}

// ParsePositions reads what String writes, and nothing else. Empty text is none.
func ParsePositions(text string) (Positions, error) {
	out := Positions{}
	if text == "" {
		return out, nil
	}
	if len(text) > positionsTextMax {
		return nil, fmt.Errorf("positions of %d bytes, at most %d are read", len(text), positionsTextMax)
	}
	last := ""
	for part := range strings.SplitSeq(text, "~") {
		topic, offsets, ok := strings.Cut(part, ":")
		switch {
		case !ok || topic == "" || strings.ContainsFunc(topic, notOfTopic):
			return nil, fmt.Errorf("positions: %.80q is no topic:offset,offset", part)
		case topic <= last:
			return nil, fmt.Errorf("positions: topic %s is not behind %s: topics are in the order of their names, each once", topic, last)
		case len(out) == positionsTopicsMax:
			return nil, fmt.Errorf("positions of more than %d topics", positionsTopicsMax)
		}
		last = topic
		list := []int64{}
		if offsets == "" {
			out[topic] = list // nothing was read of it
			continue
		}
		for digits := range strings.SplitSeq(offsets, ",") {
			at, err := strconv.ParseInt(digits, 10, 64)
			if err != nil || at < 0 || strconv.FormatInt(at, 10) != digits {
				return nil, fmt.Errorf("positions: %.30q is no offset of topic %s", digits, topic)
			}
			list = append(list, at)
		}
		out[topic] = list
	}
	return out, nil
}

// notOfTopic reports whether Kafka has no topic with the letter in its name.
func notOfTopic(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
}

// ErrNotRead says that nothing is known yet of a topic, as in the first moments of a
// process without stores.
var ErrNotRead = errors.New("has not been read yet: ask again in a moment")

// Still calls fn at a moment in which everything that a package is made of stands still:
// rows, facts, decisions and alerts, but not the ledger. Where they stand is told to fn.
// Whatever fn asks is of that moment; others ask meanwhile as always. What comes in waits
// until fn returns, so that fn must have an end; and it must not call Still, nor may
// Still be called within Decided. Its wait is one write of each table at most.
func (f *Follow) Still(fn func(at Positions) error) error {
	tables := [...]*table{f.rows, f.facts, f.book, f.alerts}
	for _, t := range tables {
		t.changing.RLock()
	}
	defer func() {
		for _, t := range tables {
			t.changing.RUnlock()
		}
	}()
	at := Positions{}
	for _, t := range tables {
		next := t.next
		if t.followed != nil {
			if next = t.followed.Positions(); next == nil {
				return fmt.Errorf("topic %s %w", t.topic, ErrNotRead)
			}
		}
		at[t.topic] = slices.Clone(next)
	}
	return fn(at)
}

// Reached says where a Follow that is Offline stands, for what no record shows: offsets
// behind the last one that markers of transactions have, and partitions without records.
func (f *Follow) Reached(at Positions) {
	for _, t := range f.all {
		if next, ok := at[t.topic]; ok {
			t.changing.Lock()
			t.next = slices.Clone(next)
			t.changing.Unlock()
		}
	}
}
