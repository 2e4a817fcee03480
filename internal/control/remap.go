package control

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"tracksource/deploy/kafka"
	"tracksource/internal/line"
	"tracksource/stream"
)

// The headers of a raw record that is sent again; package ingest reads them.
const (
	headerReceived = "tracksource.received"
	headerOrigin   = "tracksource.origin"
	headerRemapped = "tracksource.remapped"
)

// ReplayRaw sends what a raw feed holds to it again, for a new revision of its
// mapping: the feed reads each record by that and takes back what older ones said
// of it. Records that are copies of others that the feed still holds are left out.
// It returns how many were sent, or with dryRun would be; progress may be nil.
func ReplayRaw(ctx context.Context, conn kafka.Conn, topic string, dryRun bool, log *slog.Logger, progress func(done int)) (int, error) {
	const portion = 1000
	p, err := stream.NewProducer(line.StreamConn(conn), log)
	if err != nil {
		return 0, err
	}
	defer p.Close()
	offsets, err := kafka.StartOffsets(ctx, conn, topic)
	if err != nil {
		return 0, err
	}
	starts := offsets[topic]
	var part []stream.Message
	done := 0
	flush := func() error {
		if !dryRun && len(part) > 0 {
			if err := p.Send(ctx, part...); err != nil {
				return fmt.Errorf("after %d records: %w", done, err)
			}
		}
		if done += len(part); progress != nil {
			progress(done)
		}
		part = part[:0]
		return nil
	}
	err = stream.ReadTopic(ctx, line.StreamConn(conn), log, topic, func(r stream.Record) error {
		if copied(&r, topic, starts) {
			return nil
		}
		part = append(part, again(&r))
		if len(part) < portion {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	return done, err
}

// copied reports whether a record is a copy of one that the topic still holds.
func copied(r *stream.Record, topic string, starts map[int32]int64) bool {
	place, ok := strings.CutPrefix(string(r.Header(headerOrigin)), topic+"/")
	partition, offset, ok2 := strings.Cut(place, "@")
	if !ok || !ok2 {
		return false
	}
	at, err := strconv.ParseInt(partition, 10, 32)
	if err != nil {
		return false
	}
	o, err := strconv.ParseInt(offset, 10, 64)
	if err != nil {
		return false
	}
	start, there := starts[int32(at)]
	return there && o >= start
}

// again is the record as it is sent once more, with its first time of arrival.
func again(r *stream.Record) stream.Message {
	received, origin := r.Header(headerReceived), r.Header(headerOrigin)
	if received == nil {
		received = strconv.AppendInt(nil, r.Timestamp.UnixMicro(), 10)
	}
	if origin == nil {
		origin = fmt.Appendf(nil, "%s/%d@%d", r.Topic, r.Partition, r.Offset)
	}
	return stream.Message{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: []stream.Header{
		{Key: headerReceived, Value: received}, {Key: headerOrigin, Value: origin}, {Key: headerRemapped, Value: []byte("1")},
	}}
}
