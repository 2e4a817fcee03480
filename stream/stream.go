// Package stream is the exactly-once engine: it owns Kafka. It knows records,
// transactions, partitions, changelogs and checkpoints; it knows nothing of
// marketing and nothing of how a store keeps its bytes.
//
// One input partition is one task, one changelog partition, one store and one
// goroutine. A batch of input becomes one Kafka transaction that holds the
// outputs, the changelog records, a checkpoint and the input offsets; only
// after Kafka has committed it is the store written. A store is therefore a
// cache of a committed prefix of its changelog, whatever crashes and wherever.
//
// The crash between each two steps of one batch:
//
//	poll                 nothing happened; the records are polled again
//	fold, produce        the transaction is open; it is aborted by the next
//	                     producer of the same transactional id or by its timeout
//	flush                the same
//	end                  unknown: the next owner's restore waits for the outcome,
//	                     since its barrier lies behind the open transaction
//	commit to the store  Kafka has it, the store does not: restore reads on from
//	                     the store's position
package stream

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Record is one consumed record. Its slices are valid until Process returns
// and must not be changed.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       []byte
	Value     []byte // nil is a tombstone
	Headers   []Header
	Timestamp time.Time // LogAppendTime or CreateTime, as the topic is configured
}

// Header is the value of the first header with the key, or nil.
func (r Record) Header(key string) []byte {
	for _, h := range r.Headers {
		if h.Key == key {
			return h.Value
		}
	}
	return nil
}

// Batch is what a Processor folds into one transaction: some records of one
// input partition, in offset order, or none on a Tick.
type Batch struct {
	Topic     string
	Partition int32
	Records   []Record

	// Now is the worker's clock, for throttles and progress only. Business time
	// comes from the records.
	Now time.Time

	out    []*kgo.Record
	bytes  int
	memory recordSlab // of what is produced
}

// Emit stages a record whose partition follows from its key by Kafka's murmur2
// hash, see PartitionOf. The batch keeps the slices until the transaction ends.
func (b *Batch) Emit(topic string, key, value []byte, headers ...Header) {
	b.emit(topic, partitionByKey, key, value, headers)
}

// EmitTo stages a record for a named partition.
func (b *Batch) EmitTo(topic string, partition int32, key, value []byte, headers ...Header) {
	b.emit(topic, partition, key, value, headers)
}

// Emitted returns how many records and bytes the batch has staged, so that a
// Processor working through a backlog in a Tick can stop at a bound.
func (b *Batch) Emitted() (records, bytes int) { return len(b.out), b.bytes }

func (b *Batch) emit(topic string, partition int32, key, value []byte, headers []Header) {
	r := b.memory.take()
	*r = kgo.Record{Topic: topic, Partition: partition, Key: key, Value: value}
	for _, h := range headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		b.bytes += len(h.Key) + len(h.Value)
	}
	b.out = append(b.out, r)
	b.bytes += len(key) + len(value)
}

// recordSlab is memory that the records of one transaction are cut from. The client
// keeps them until it has ended.
type recordSlab struct {
	free []kgo.Record
	size int // of what it was cut from last
}

// recordsMin and recordsMax are how many records are asked for at once: few for a
// batch of one, and twice as many each time.
const recordsMin, recordsMax = 4, 128

func (s *recordSlab) take() *kgo.Record {
	if len(s.free) == 0 {
		s.size = min(max(2*s.size, recordsMin), recordsMax)
		s.free = make([]kgo.Record, s.size)
	}
	r := &s.free[0]
	s.free = s.free[1:]
	return r
}

// Processor is the work of one input partition. One goroutine at a time calls
// it, from the end of restore until the partition is given up.
type Processor interface {
	// Process folds b into staged state and stages outputs with b.Emit. It
	// writes nothing durable. An error aborts the transaction: ErrTooBig has the
	// batch retried in halves, an error that wraps ErrTransient has it retried
	// after a pause, anything else stops the worker.
	Process(ctx context.Context, b *Batch) error

	// Pending reports whether there is work that needs no input (a restatement
	// slice, an expiry). The engine then calls Process with an empty batch, a
	// Tick, inside the same protocol.
	Pending(now time.Time) bool

	// Committed is called when the transaction is committed and the store holds
	// it; Aborted when it is not and the staged state is dropped, so that what
	// the Processor caches beside the store must be dropped too.
	Committed()
	Aborted()
}

// Closer is a Processor that is told when the partition is given up. Close is the
// last call; the store may be another owner's already.
type Closer interface{ Close() }

// Waiter is a Processor that knows of work which will be pending later, without
// input. Its partition is not at rest, and PartitionStatus.Pending says so.
type Waiter interface{ Waiting() bool }

// Restorable is the part of a store that restore drives. All calls come from
// one goroutine.
type Restorable interface {
	// Meta returns the meta of the last Apply or Commit, nil for a new store.
	Meta() ([]byte, error)

	// Apply writes changes (a nil value deletes) and meta in one atomic step.
	// When it returns, a killed process finds all of it or nothing.
	Apply(changes iter.Seq2[[]byte, []byte], meta []byte) error

	// ApplyChunk writes changes of a checkpoint that is not complete yet. A store
	// that is opened between ApplyChunk and Apply is not usable and is set aside.
	ApplyChunk(changes iter.Seq2[[]byte, []byte]) error

	// Recompute returns the digest and the number of keys by a full scan.
	Recompute() (sum [16]byte, keys int64, err error)
}

// Staging is the part of a store that a batch drives: an overlay that Process
// fills and that one of Commit and Discard empties.
type Staging interface {
	// Staged yields the staged changes, each key once; a nil value deletes. A key is
	// valid until the next one is yielded.
	Staged() iter.Seq2[[]byte, []byte]

	// Fits returns an error that wraps ErrTooBig when the staged changes would not
	// fit into one Commit. It is asked before anything is produced.
	Fits() error

	// Digest returns the incremental digest and number of keys, staged changes
	// included.
	Digest() (sum [16]byte, keys int64)

	// Commit applies the staged changes and meta in one atomic step, like Apply.
	Commit(meta []byte) error

	// Discard drops the staged changes.
	Discard()
}

// Store is the local state of one input partition.
type Store interface {
	Restorable
	Staging
	Close() error
}

// Stores opens the stores of one input.
type Stores interface {
	// Open opens or creates the store of a partition. A store that cannot be read
	// is set aside, counted and replaced by an empty one, by the implementation.
	Open(partition int32) (Store, error)

	// SetAside puts the closed store of a partition out of the way, counts it
	// under reason and keeps it for a post-mortem.
	SetAside(partition int32, reason string) error
}

// Assignment is what a Processor is told about its partition.
type Assignment struct {
	Topic     string
	Partition int32

	// Generation names this life of the partition's state: the broker's time, in
	// milliseconds, of the barrier behind which the changelog was found empty. It
	// stays for as long as the changelog does, and rises when the state is rebuilt
	// from zero. Zero for a stateless input.
	Generation int64
}

// Input is a consumed topic and what is done with it.
type Input struct {
	Topic string

	// Changelog is the compacted topic that carries the state of this input, with
	// as many partitions as Topic. Empty: the input is stateless, Stores is nil
	// and New gets a nil Store.
	Changelog string
	Stores    Stores

	// New makes the Processor of an assigned partition once its store is restored.
	New func(a Assignment, s Store) (Processor, error)
}

var (
	// ErrTooBig says that a batch does not fit into one transaction. The engine
	// retries with half as many records.
	ErrTooBig = errors.New("batch too big for one transaction")

	// ErrTransient marks an error that may pass: the batch is aborted and tried
	// again after a pause.
	ErrTransient = errors.New("transient")

	// ErrHalted says that a partition cannot go on without an operator, because
	// going on could lose or double records.
	ErrHalted = errors.New("partition halted")

	// ErrFenced says that another live instance uses the same transactional id.
	ErrFenced = errors.New("fenced by another instance with the same transactional id")

	// ErrRefused says that the broker does not take the worker as it is
	// configured: a right is missing, a timeout is out of its range, or the group
	// belongs to another program. What is wrapped around it says what to do.
	ErrRefused = errors.New("refused by the broker")
)
