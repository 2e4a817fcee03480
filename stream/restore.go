package stream

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Bounds of one atomic write during a restore. Checkpoints are coalesced up to
// them: a compacted changelog has a single checkpoint behind all of its state.
const (
	restoreChunkRecords = 2000
	restoreChunkBytes   = 1 << 20
	// progressEvery is how many changelog records pass between progress lines.
	progressEvery = 200_000
)

// restorer brings the store of one partition to the end of its changelog.
//
// Neither the log stable offset nor the high watermark can tell that end: the
// first stands before transactions that are prepared but whose marker has not
// reached the changelog, the second may lie behind a marker that no consumer
// ever sees. The restorer appends a barrier of its own and reads
// read_committed until the barrier comes back: everything older is decided
// and read by then, and a zombie's open transaction is waited for.
type restorer struct {
	cfg       Config
	in        Input
	partition int32
	log       *slog.Logger
	metrics   *metrics

	cl    *kgo.Client
	store Store
	meta  meta // as of the last Apply
	fresh bool // nothing is in the store

	pending map[string][]byte // changes since the last write to the store
	bytes   int
	chunked bool // some of them are already in the store without a checkpoint
	dirty   bool // pending or chunked changes without a checkpoint behind them
	read    int64
}

// errUnusable says that the local store must not be used: it is set aside and
// the restore starts from zero.
type errUnusable struct{ reason, detail string }

func (e errUnusable) Error() string { return e.reason + ": " + e.detail }

// restored is the outcome: an open store and where the task goes on.
type restored struct {
	store      Store
	meta       meta
	checkpoint bool // whether the changelog holds a checkpoint at all
}

// restoreStore restores the partition's store, setting an unusable one aside
// once. The caller closes the returned store.
func restoreStore(ctx context.Context, cfg Config, in Input, partition int32, log *slog.Logger, m *metrics) (restored, error) {
	cl, err := kgo.NewClient(cfg.restoreOptions()...)
	if err != nil {
		return restored{}, fmt.Errorf("open restore client: %w", err)
	}
	defer cl.Close()
	for try := 0; ; try++ {
		r := &restorer{cfg: cfg, in: in, partition: partition, log: log, metrics: m, cl: cl, pending: map[string][]byte{}}
		out, err := r.run(ctx)
		if err == nil {
			return out, nil
		}
		if r.store != nil {
			err = errors.Join(err, r.store.Close())
		}
		var unusable errUnusable
		if !errors.As(err, &unusable) || try > 0 {
			return restored{}, err
		}
		log.WarnContext(ctx, "local store set aside, rebuilding it from the changelog",
			"reason", unusable.reason, "detail", unusable.detail)
		if err := in.Stores.SetAside(partition, unusable.reason); err != nil {
			return restored{}, fmt.Errorf("set store aside: %w", err)
		}
	}
}

func (r *restorer) run(ctx context.Context) (restored, error) {
	c, err := fetchCluster(ctx, r.cl, r.in.Topic, r.in.Changelog)
	if err != nil {
		return restored{}, err
	}
	if c.partitions[r.in.Topic] != c.partitions[r.in.Changelog] {
		return restored{}, fmt.Errorf("%w: topic %s has %d partitions and its changelog %s has %d: they must be equal",
			ErrHalted, r.in.Topic, c.partitions[r.in.Topic], r.in.Changelog, c.partitions[r.in.Changelog])
	}
	if r.store, err = r.in.Stores.Open(r.partition); err != nil {
		return restored{}, fmt.Errorf("open store: %w", err)
	}
	start, err := listOffset(ctx, r.cl, r.in.Changelog, r.partition, logStart)
	if err != nil {
		return restored{}, err
	}
	end, err := listOffset(ctx, r.cl, r.in.Changelog, r.partition, logEnd)
	if err != nil {
		return restored{}, err
	}
	if err := r.loadMeta(c, start, end); err != nil {
		return restored{}, err
	}
	from := max(start, r.meta.Position)
	kind := "catch_up"
	if r.fresh {
		kind = "rebuild"
		if start == end {
			kind = "fresh"
		}
	}
	r.metrics.restores.WithLabelValues(kind).Inc()
	began := r.cfg.Clock()
	barrierOffset, nonce, err := r.appendBarrier(ctx)
	if err != nil {
		return restored{}, err
	}
	if err := r.cfg.hook(AfterBarrier, r.partition); err != nil {
		return restored{}, err
	}
	born, err := r.readTo(ctx, from, barrierOffset, nonce)
	if err != nil {
		return restored{}, err
	}
	if err := r.verify(); err != nil {
		return restored{}, err
	}
	had := r.meta.Checkpoint.Sequence > 0
	if r.meta.Checkpoint.Generation == 0 {
		r.meta.Checkpoint.Generation = born
	}
	r.log.InfoContext(ctx, "restored", "kind", kind, "records", r.read, "from", from,
		"sequence", r.meta.Checkpoint.Sequence, "next", r.meta.Checkpoint.Next, "keys", r.meta.Checkpoint.Keys,
		"took", r.cfg.Clock().Sub(began).Round(time.Millisecond).String())
	return restored{store: r.store, meta: r.meta, checkpoint: had}, nil
}

// loadMeta decides whether the local store may be used.
func (r *restorer) loadMeta(c cluster, start, end int64) error {
	want := meta{
		Format: formatVersion, Cluster: c.id, InputID: c.topicIDs[r.in.Topic],
		ChangelogID: c.topicIDs[r.in.Changelog], Partition: r.partition,
	}
	b, err := r.store.Meta()
	if err != nil {
		return errUnusable{"unreadable", err.Error()}
	}
	if b == nil {
		r.fresh, r.meta = true, want
		return nil
	}
	m, err := decodeMeta(b)
	switch age := r.cfg.Clock().Sub(time.UnixMilli(m.CommittedAt)); {
	case errors.Is(err, errNewer):
		return err
	case err != nil:
		return errUnusable{"unreadable", err.Error()}
	case m.Cluster != want.Cluster || m.InputID != want.InputID || m.ChangelogID != want.ChangelogID || m.Partition != want.Partition:
		return errUnusable{"foreign", fmt.Sprintf("it belongs to cluster %s, input %s, changelog %s, partition %d",
			m.Cluster, m.InputID, m.ChangelogID, m.Partition)}
	case m.Position > end:
		return errUnusable{"ahead", fmt.Sprintf("it stands at %d, the changelog ends at %d", m.Position, end)}
	case m.Position < start:
		return errUnusable{"behind", fmt.Sprintf("it stands at %d, the changelog starts at %d", m.Position, start)}
	case age > r.cfg.StoreAgeMax:
		return errUnusable{"aged", fmt.Sprintf("its last commit is %v old, the changelog may have dropped tombstones since", age.Round(time.Minute))}
	}
	r.meta = m
	return nil
}

func (r *restorer) appendBarrier(ctx context.Context) (int64, string, error) {
	nonce := fmt.Sprintf("%s/%d/%d", r.cfg.TransactionalID, r.partition, r.cfg.Clock().UnixNano())
	rec := &kgo.Record{
		Topic: r.in.Changelog, Partition: r.partition, Key: barrierKey,
		Value: encode(barrier{Nonce: nonce, Owner: r.cfg.TransactionalID}),
	}
	if err := r.cl.ProduceSync(ctx, rec).FirstErr(); err != nil {
		return 0, "", fmt.Errorf("append barrier to %s/%d: %w", r.in.Changelog, r.partition, err)
	}
	return rec.Offset, nonce, nil
}

// readTo applies the changelog from offset from until the own barrier comes
// back and returns the barrier's timestamp in milliseconds.
func (r *restorer) readTo(ctx context.Context, from, barrierOffset int64, nonce string) (int64, error) {
	topic := r.in.Changelog
	off := map[int32]kgo.Offset{r.partition: kgo.NewOffset().At(from).WithEpoch(-1)}
	r.cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: off})
	defer r.cl.RemoveConsumePartitions(map[string][]int32{topic: {r.partition}})
	r.metrics.restoring.Inc()
	defer r.metrics.restoring.Dec()
	left := r.metrics.restoreLeft.With(prometheus.Labels{"topic": topic, "partition": strconv.Itoa(int(r.partition))})
	defer left.Set(0)
	left.Set(float64(barrierOffset - from))
	next := from
	for {
		pollCtx, cancel := context.WithTimeout(ctx, 2*r.cfg.TransactionTimeout)
		fs := r.cl.PollRecords(pollCtx, restoreChunkRecords)
		cancel()
		if err := fs.Err0(); errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			// Any transaction of ours would be decided by now. To skip this one could
			// lose what is committed in it, so the restore waits and says so.
			r.log.WarnContext(ctx, "restore waits for a transaction that nobody ends", "changelog", topic, "offset", next,
				"hint", "find its producer with kafka-transactions.sh find-hanging")
			continue
		} else if err != nil {
			return 0, fmt.Errorf("read changelog %s/%d: %w", topic, r.partition, err)
		}
		for _, fe := range fs.Errors() {
			return 0, fmt.Errorf("read changelog %s/%d: %w", topic, r.partition, fe.Err)
		}
		for it := fs.RecordIter(); !it.Done(); {
			rec := it.Next()
			done, err := r.record(rec, nonce)
			if err != nil {
				return 0, err
			}
			if done {
				return rec.Timestamp.UnixMilli(), r.finish()
			}
			if rec.Offset > barrierOffset {
				return 0, fmt.Errorf("read changelog %s/%d: offset %d came before the own barrier at %d", topic, r.partition, rec.Offset, barrierOffset)
			}
			next = rec.Offset + 1
			left.Set(float64(barrierOffset - rec.Offset))
			if r.read++; r.read%progressEvery == 0 {
				r.log.InfoContext(ctx, "restoring", "records", r.read, "left", barrierOffset-rec.Offset)
			}
		}
		r.metrics.restoreRecords.Add(float64(fs.NumRecords()))
	}
}

// record folds one changelog record and reports whether it is the own barrier.
func (r *restorer) record(rec *kgo.Record, nonce string) (bool, error) {
	if len(rec.Key) == 0 {
		return false, fmt.Errorf("%w: changelog %s/%d holds a foreign record without a key at offset %d", ErrHalted, rec.Topic, rec.Partition, rec.Offset)
	}
	if rec.Key[0] == keyState {
		r.pending[string(rec.Key[1:])] = rec.Value
		r.bytes += len(rec.Key) + len(rec.Value)
		r.dirty = true
		if len(r.pending) < restoreChunkRecords && r.bytes < restoreChunkBytes {
			return false, nil
		}
		r.chunked = true
		return false, r.write(func(changes iter.Seq2[[]byte, []byte]) error { return r.store.ApplyChunk(changes) })
	}
	switch string(rec.Key) {
	case string(barrierKey):
		var b barrier
		if err := strictJSON(rec.Value, &b); err != nil {
			return false, fmt.Errorf("%w: changelog %s/%d: unreadable barrier at offset %d: %w", ErrHalted, rec.Topic, rec.Partition, rec.Offset, err)
		}
		return b.Nonce == nonce, nil
	case string(checkpointKey):
		c, err := decodeCheckpoint(rec.Value)
		if err != nil {
			return false, fmt.Errorf("%w: changelog %s/%d at offset %d: %w", ErrHalted, rec.Topic, rec.Partition, rec.Offset, err)
		}
		if c.Sequence < r.meta.Checkpoint.Sequence || c.Next < r.meta.Checkpoint.Next {
			return false, errUnusable{"diverged", fmt.Sprintf("it holds transaction %d, the changelog behind it says %d", r.meta.Checkpoint.Sequence, c.Sequence)}
		}
		r.meta.Checkpoint = c
		r.meta.Position = rec.Offset + 1
		r.dirty = false
		if r.chunked || r.bytes >= restoreChunkBytes/2 || len(r.pending) >= restoreChunkRecords/2 {
			return false, r.apply()
		}
		return false, nil
	}
	return false, fmt.Errorf("%w: changelog %s/%d holds an unknown engine record %q at offset %d: %w",
		ErrHalted, rec.Topic, rec.Partition, rec.Key, rec.Offset, errNewer)
}

// finish writes what is behind the last checkpoint. A committed transaction
// ends in a checkpoint, so nothing may be left without one.
func (r *restorer) finish() error {
	if r.dirty {
		return fmt.Errorf("%w: changelog %s/%d holds changes without a checkpoint behind them: something else writes to it", ErrHalted, r.in.Changelog, r.partition)
	}
	if len(r.pending) == 0 && r.read == 0 {
		return nil
	}
	return r.apply()
}

// apply makes the pending changes and the checkpoint they lead to durable.
func (r *restorer) apply() error {
	if r.meta.Checkpoint.Sequence == 0 {
		return nil // only barriers so far: there is no position to keep
	}
	r.meta.CommittedAt = r.cfg.Clock().UnixMilli()
	apply := func(changes iter.Seq2[[]byte, []byte]) error { return r.store.Apply(changes, encode(r.meta)) }
	err := r.write(apply)
	if errors.Is(err, ErrTooBig) {
		// What a store takes at once depends on its memory. In chunks it takes any
		// number, and one that dies between them is set aside.
		if err = r.write(r.store.ApplyChunk); err == nil {
			err = r.write(apply) // only the checkpoint is left
		}
	}
	r.chunked = false
	return err
}

func (r *restorer) write(put func(iter.Seq2[[]byte, []byte]) error) error {
	changes := func(yield func(k, v []byte) bool) {
		for k, v := range maps.All(r.pending) {
			if !yield([]byte(k), v) {
				return
			}
		}
	}
	if err := put(changes); err != nil {
		return fmt.Errorf("write restored state: %w", err)
	}
	clear(r.pending)
	r.bytes = 0
	return r.cfg.hook(MidRestore, r.partition)
}

// verify holds the restored state against the checkpoint's digest: by the
// incremental one after a catch-up, by a full scan after a rebuild.
func (r *restorer) verify() error {
	c := r.meta.Checkpoint
	if c.Sequence == 0 {
		return nil
	}
	sum, keys := r.store.Digest()
	if r.fresh {
		var err error
		if sum, keys, err = r.store.Recompute(); err != nil {
			return fmt.Errorf("recompute digest: %w", err)
		}
	}
	if digestText(sum) == c.Digest && keys == c.Keys {
		return nil
	}
	detail := fmt.Sprintf("state has %d keys and digest %s, the checkpoint of transaction %d says %d and %s",
		keys, digestText(sum), c.Sequence, c.Keys, c.Digest)
	if r.fresh {
		return fmt.Errorf("%w: changelog %s/%d does not lead to its own checkpoint: %s", ErrHalted, r.in.Changelog, r.partition, detail)
	}
	return errUnusable{"digest", detail}
}
