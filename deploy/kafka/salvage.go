package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// salvageStall is how long a copy may go without a record before it is
	// given up: the data is on this machine, so silence means a torn partition.
	salvageStall = 20 * time.Second
	// salvageBatch bounds the records held in memory while copying.
	salvageBatch = 5000
)

// finishSwap brings the directory into one of its two steady states, with data
// or without, whatever moment of an earlier salvage was the last one:
//
//	copying          data is the torn original, salvage is incomplete: drop the copy
//	first rename     data is gone, retired and salvage exist: the copy is complete, finish
//	second rename    data is the copy, retired is left: drop it
func (e *Embedded) finishSwap() error {
	data, copied, retired := e.path(dataDirName), e.path(salvageDirName), e.path(retiredDirName)
	_, err := os.Stat(data)
	if errors.Is(err, fs.ErrNotExist) && isDir(retired) && isDir(copied) {
		if err := os.Rename(copied, data); err != nil {
			return fmt.Errorf("finish an earlier salvage: %w", err)
		}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look at the embedded broker's data: %w", err)
	}
	for _, dir := range []string{copied, retired} {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove what an earlier salvage left: %w", err)
		}
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// salvage copies what must outlive a crash out of the torn directory into a
// new one and swaps the two. Nothing serves on the broker's own port
// meanwhile, so no client can write into the side that is thrown away.
//
// The crash between each two steps: the mark "running" is still there, so the
// next start comes here again, after finishSwap has settled the directories.
func (e *Embedded) salvage(ctx context.Context) error {
	if !isDir(e.path(dataDirName)) {
		return nil // Killed before the broker wrote anything.
	}
	from, err := openData(e.path(dataDirName), 0)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := openData(e.path(salvageDirName), 0)
	if err != nil {
		return err
	}
	defer to.Close()
	copied, err := e.copyKept(ctx, from, to)
	if err != nil {
		return err
	}
	to.Close() // All on disk before the rename makes it the truth.
	from.Close()
	if err := os.Rename(e.path(dataDirName), e.path(retiredDirName)); err != nil {
		return fmt.Errorf("set the torn data aside: %w", err)
	}
	e.cfg.Log.InfoContext(ctx, "salvaged the embedded broker", "records", copied)
	return e.finishSwap()
}

// copyKept copies all raw topics of the prefix, also those of feeds that the
// Spec no longer holds, and control.
func (e *Embedded) copyKept(ctx context.Context, from, to *kfake.Cluster) (int64, error) {
	src, err := connTo(from).open()
	if err != nil {
		return 0, err
	}
	defer src.Close()
	dst, err := connTo(to).open()
	if err != nil {
		return 0, err
	}
	defer dst.Close()
	topics, err := src.ListTopics(ctx)
	if err != nil {
		return 0, fmt.Errorf("list the torn broker's topics: %w", err)
	}
	var total int64
	for _, name := range slices.Sorted(maps.Keys(topics)) {
		_, _, isRaw := e.cfg.Spec.ParseRawTopic(name)
		if !isRaw && name != e.cfg.Spec.Control() {
			continue
		}
		n, err := e.copyTopic(ctx, from, to, src, dst, name)
		if err != nil {
			return 0, fmt.Errorf("copy topic %s: %w", name, err)
		}
		total += n
	}
	return total, nil
}

// copyTopic makes the topic with the same partitions and copies each of them.
// While copying, the topic takes the records' own timestamps: the broker's
// time of the first append is what lateness is judged by.
func (e *Embedded) copyTopic(ctx context.Context, from, to *kfake.Cluster, src, dst *kadm.Client, name string) (int64, error) {
	have, err := describe(ctx, src, []Topic{{Name: name}})
	if err != nil {
		return 0, err
	}
	create := "CreateTime"
	if _, err := dst.CreateTopic(ctx, have[name].partitions, 1, map[string]*string{"message.timestamp.type": &create, "retention.ms": new("-1")}, name); err != nil {
		return 0, fmt.Errorf("create: %w", err)
	}
	ends, err := src.ListEndOffsets(ctx, name)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("find its end: %w", err)
	}
	var total int64
	for p := range have[name].partitions {
		end, _ := ends.Lookup(name, p)
		n, err := partition{topic: name, number: p, end: end.Offset}.copy(ctx, from, to)
		if err != nil {
			return 0, fmt.Errorf("partition %d: %w", p, err)
		}
		total += n
	}
	kept := have[name].config["message.timestamp.type"]
	if kept == "" || kept == create {
		return total, nil
	}
	responses, err := dst.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "message.timestamp.type", Value: &kept}}, name)
	if err == nil && len(responses) == 1 {
		err = responses[0].Err
	}
	if err != nil {
		return 0, fmt.Errorf("restore its timestamp type: %w", err)
	}
	return total, nil
}

// partition is one partition of the torn broker up to its end, exclusive.
type partition struct {
	topic  string
	number int32
	end    int64
}

// committed are the stretches of one producer's records that a commit marker
// closed: from the first record of the transaction to its marker, ascending.
type committed map[int64][][2]int64

// holds reports whether a transactional record was committed.
func (c committed) holds(r *kgo.Record) bool {
	spans := c[r.ProducerID]
	i, _ := slices.BinarySearchFunc(spans, r.Offset, func(s [2]int64, at int64) int { return cmp.Compare(s[1], at) })
	return i < len(spans) && spans[i][0] <= r.Offset
}

// copy appends the partition's records to the same partition of another
// broker, in order, and returns how many once they are acknowledged. Plain
// records are all kept; records of a transaction only if its commit marker is
// in the log. The torn broker's own idea of what was aborted is not asked,
// because its recovery is what is in doubt.
func (p partition) copy(ctx context.Context, from, to *kfake.Cluster) (int64, error) {
	decided := make(committed)
	open := make(map[int64]int64) // Producer to the first offset of its transaction.
	err := p.scan(ctx, from, func(records []*kgo.Record) error {
		for _, r := range records {
			first, isOpen := open[r.ProducerID]
			switch {
			case r.Attrs.IsControl():
				if isOpen && isCommit(r) {
					decided[r.ProducerID] = append(decided[r.ProducerID], [2]int64{first, r.Offset})
				}
				delete(open, r.ProducerID)
			case r.Attrs.IsTransactional() && !isOpen:
				open[r.ProducerID] = r.Offset
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	writer, err := kgo.NewClient(
		kgo.SeedBrokers(to.ListenAddrs()...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
	)
	if err != nil {
		return 0, fmt.Errorf("configure the writer: %w", err)
	}
	defer writer.Close()
	var copied int64
	err = p.scan(ctx, from, func(records []*kgo.Record) error {
		var batch []*kgo.Record
		for _, r := range records {
			if !r.Attrs.IsControl() && (!r.Attrs.IsTransactional() || decided.holds(r)) {
				batch = append(batch, &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: r.Timestamp})
			}
		}
		if err := writer.ProduceSync(ctx, batch...).FirstErr(); err != nil {
			return fmt.Errorf("append: %w", err)
		}
		copied += int64(len(batch))
		return nil
	})
	return copied, err
}

// isCommit reports whether a control record is a commit marker: its key is a
// version and a type, both int16, and the type is 1 (Kafka's message format).
func isCommit(r *kgo.Record) bool {
	return len(r.Key) >= 4 && r.Key[2] == 0 && r.Key[3] == 1
}

// scan hands every record of the partition to fn, control records and those of
// open and aborted transactions too, so that each offset is met and the end is
// certain to be seen.
func (p partition) scan(ctx context.Context, from *kfake.Cluster, fn func([]*kgo.Record) error) error {
	if p.end == 0 {
		return nil
	}
	reader, err := kgo.NewClient(
		kgo.SeedBrokers(from.ListenAddrs()...),
		kgo.FetchIsolationLevel(kgo.ReadUncommitted()),
		kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{p.topic: {p.number: kgo.NewOffset().AtStart()}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
	)
	if err != nil {
		return fmt.Errorf("configure the reader: %w", err)
	}
	defer reader.Close()
	for next := int64(0); next < p.end; {
		records, err := poll(ctx, reader)
		if err != nil {
			return fmt.Errorf("read from offset %d of %d: %w", next, p.end, err)
		}
		for _, r := range records {
			next = r.Offset + 1
		}
		if err := fn(records); err != nil {
			return err
		}
	}
	return nil
}

// poll waits for some records, or gives up after salvageStall.
func poll(ctx context.Context, reader *kgo.Client) ([]*kgo.Record, error) {
	pctx, cancel := context.WithTimeout(ctx, salvageStall)
	defer cancel()
	fetches := reader.PollRecords(pctx, salvageBatch)
	if err := fetches.Err(); err != nil {
		return nil, fmt.Errorf("poll: %w", err)
	}
	return fetches.Records(), nil
}
