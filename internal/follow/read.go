package follow

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
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
	parts, lives, others := map[place]avro.Facts{}, map[int32]int64{}, nearest{to: conversion}
	err = stream.ReadTopic(ctx, conn, log, topic, func(r stream.Record) error {
		var k avro.FactsKey
		if codecs.FactsKey.Decode(r.Key, &k) != nil {
			return nil // left out by who follows as well
		}
		if k.Contract != "" && k.Contract != book {
			return nil
		}
		if k.Contract != "" && k.Conversion != conversion {
			others.note(k.Conversion, r.Value != nil)
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
	return nil, others.names, nil
}

// nearest keeps the names that begin most like one.
type nearest struct {
	to    string
	names []string
}

func (n *nearest) note(name string, there bool) {
	i := slices.Index(n.names, name)
	switch {
	case !there && i >= 0:
		n.names = slices.Delete(n.names, i, i+1)
	case there && i < 0:
		n.names = append(n.names, name)
		slices.SortFunc(n.names, func(a, b string) int {
			return cmp.Or(cmp.Compare(common(b, n.to), common(a, n.to)), cmp.Compare(a, b))
		})
		n.names = n.names[:min(len(n.names), nearMax)]
	}
}

// common is the length of what two texts begin with alike.
func common(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
