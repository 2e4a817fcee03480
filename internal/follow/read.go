package follow

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"tracksource/schemas/avro"
	"tracksource/stream"
)

// nearMax is how many names of deals are told to who names none.
const nearMax = 5

// ReadDeal reads the facts of one deal of a book straight from their topic, for tools
// that follow nothing: nil without any, with the deals of the book whose names begin
// most like it.
func ReadDeal(ctx context.Context, conn stream.Conn, codecs *avro.Codecs, log *slog.Logger, topic, book, conversion string) (d *Deal, near []string, err error) {
	type place struct {
		account  string
		revision int64
		source   int32
	}
	parts, lives, others := map[place]avro.Facts{}, map[int32]int64{}, map[string]string{}
	err = stream.ReadTopic(ctx, conn, log, topic, func(r stream.Record) error {
		var k avro.FactsKey
		if codecs.FactsKey.Decode(r.Key, &k) != nil {
			return nil // left out by who follows as well
		}
		if k.Contract != "" && k.Contract != book {
			return nil
		}
		if k.Contract != "" && k.Conversion != conversion {
			// By key: a deal that has moved has one for each account, and is withdrawn
			// under the old one before or after it is told under the new.
			if r.Value != nil {
				others[string(r.Key)] = k.Conversion
			} else {
				delete(others, string(r.Key))
			}
			return nil
		}
		at := place{string(k.Account), k.Revision, k.SourcePartition}
		if r.Value == nil {
			delete(parts, at)
			return nil
		}
		var v avro.Facts
		if err := codecs.Facts.Decode(r.Value, &v); err != nil {
			return fmt.Errorf("facts %d@%d: %w", r.Partition, r.Offset, err)
		}
		if v.Kind == kindGeneration {
			lives[v.SourcePartition] = max(lives[v.SourcePartition], v.Generation)
		} else {
			parts[at] = v
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read facts: %w", err)
	}
	var list []avro.Facts
	for _, v := range parts {
		if v.Generation >= lives[v.SourcePartition] {
			list = append(list, v)
		}
	}
	if d, _, err = dealOf(list, new(names)); err != nil || d != nil {
		return d, nil, err
	}
	return nil, nearest(conversion, others), nil
}

// nearest are the names that begin most like one.
func nearest(to string, names map[string]string) []string {
	list := slices.SortedFunc(maps.Values(names), func(a, b string) int {
		return cmp.Or(cmp.Compare(common(b, to), common(a, to)), cmp.Compare(a, b))
	})
	list = slices.Compact(list)
	return list[:min(len(list), nearMax)]
}

// common is the length of what two texts begin with alike.
func common(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
