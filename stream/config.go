package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	"github.com/twmb/franz-go/plugin/kprom"
)

// Conn says how to reach the brokers.
type Conn struct {
	Brokers []string // host:port, at least one
	TLS     *tls.Config
	SASL    *SASL

	// Dial replaces the network; tests cut and delay connections with it.
	Dial func(ctx context.Context, network, host string) (net.Conn, error)
}

// SASL is a user of the brokers. Formatting it shows no password.
type SASL struct {
	Mechanism string // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	User      string
	Password  string
}

// String names the mechanism and the user.
func (s SASL) String() string { return s.Mechanism + " user " + s.User }

// GoString is String.
func (s SASL) GoString() string { return s.String() }

func (s SASL) option() kgo.Opt {
	switch s.Mechanism {
	case "SCRAM-SHA-256":
		return kgo.SASL(scram.Auth{User: s.User, Pass: s.Password}.AsSha256Mechanism())
	case "SCRAM-SHA-512":
		return kgo.SASL(scram.Auth{User: s.User, Pass: s.Password}.AsSha512Mechanism())
	}
	return kgo.SASL(plain.Auth{User: s.User, Pass: s.Password}.AsMechanism())
}

func (c Conn) options() []kgo.Opt {
	opts := []kgo.Opt{kgo.SeedBrokers(c.Brokers...)}
	switch {
	case c.Dial != nil:
		opts = append(opts, kgo.Dialer(c.Dial))
	case c.TLS != nil:
		opts = append(opts, kgo.DialTLSConfig(c.TLS))
	}
	if c.SASL != nil {
		opts = append(opts, c.SASL.option())
	}
	return opts
}

// Point is a step of the protocol at which Config.At is called.
type Point string

// The points of one batch, in order, and those of a restore.
const (
	AfterPoll    Point = "after-poll"
	AfterProduce Point = "after-produce"
	AfterFlush   Point = "after-flush"
	AfterEnd     Point = "after-end"
	MidStore     Point = "mid-store" // one of several stores is committed
	AfterStore   Point = "after-store"
	AfterBarrier Point = "after-barrier"
	MidRestore   Point = "mid-restore"
)

// Points lists every Point, for tests that visit them all.
func Points() []Point {
	return []Point{AfterPoll, AfterProduce, AfterFlush, AfterEnd, MidStore, AfterStore, AfterBarrier, MidRestore}
}

// Config describes a Worker. Conn, Group, TransactionalID, Inputs and Log are
// required; a zero field takes the default named here.
type Config struct {
	Conn            Conn
	Group           string
	TransactionalID string // unique among live instances, the same after a restart
	Inputs          []Input
	Log             *slog.Logger
	Registerer      prometheus.Registerer // nil: no metrics are exported
	Clock           func() time.Time      // required: time.Now in a process

	CommitInterval time.Duration // longest wait for a fuller batch, 100ms
	BatchRecords   int           // most records of a transaction, 4000
	BatchBytes     int           // most input bytes of a transaction, 8 MiB
	MaxRecordBytes int           // largest record that is produced or fetched, 2 MiB

	// TransactionTimeout is the broker's bound on an open transaction, 15s. A
	// batch that has not been folded within a third of it is aborted and retried
	// in halves. It is at most SessionTimeout (20s), which is below
	// RebalanceTimeout (60s).
	TransactionTimeout time.Duration
	SessionTimeout     time.Duration
	RebalanceTimeout   time.Duration
	HeartbeatInterval  time.Duration // 2s

	// StoreAgeMax is the age from which a local store is not caught up but
	// rebuilt, because the changelog may have dropped tombstones that it needs:
	// half of the changelog's delete.retention.ms, 84h.
	StoreAgeMax time.Duration

	// Restores is how many partitions restore at once, 4.
	Restores int

	// At is called at each Point of the protocol. An error from it ends the
	// worker on the spot, as a crash would: nothing more is sent or stored. Tests
	// stand in for kill -9 with it, having cut Conn.Dial.
	At func(p Point, partition int32) error
}

func (c Config) withDefaults() (Config, error) {
	switch {
	case len(c.Conn.Brokers) == 0:
		return c, errors.New("stream: Config.Conn.Brokers is empty")
	case c.Group == "":
		return c, errors.New("stream: Config.Group is empty")
	case c.TransactionalID == "":
		return c, errors.New("stream: Config.TransactionalID is empty")
	case len(c.Inputs) == 0:
		return c, errors.New("stream: Config.Inputs is empty")
	case c.Log == nil:
		return c, errors.New("stream: Config.Log is nil")
	case c.Clock == nil:
		return c, errors.New("stream: Config.Clock is nil")
	}
	for _, in := range c.Inputs {
		if in.Topic == "" || in.New == nil || (in.Changelog == "") != (in.Stores == nil) {
			return c, fmt.Errorf("stream: input %q needs Topic and New, and Stores exactly when it has a Changelog", in.Topic)
		}
	}
	def(&c.CommitInterval, 100*time.Millisecond)
	def(&c.BatchRecords, 4000)
	def(&c.BatchBytes, 8<<20)
	def(&c.MaxRecordBytes, 2<<20)
	def(&c.TransactionTimeout, 15*time.Second)
	def(&c.SessionTimeout, 20*time.Second)
	def(&c.RebalanceTimeout, 60*time.Second)
	def(&c.HeartbeatInterval, 2*time.Second)
	def(&c.StoreAgeMax, 84*time.Hour)
	def(&c.Restores, 4)
	if c.At == nil {
		c.At = func(Point, int32) error { return nil }
	}
	if c.TransactionTimeout > c.SessionTimeout || c.SessionTimeout > c.RebalanceTimeout {
		return c, fmt.Errorf("stream: want transaction timeout %v <= session timeout %v <= rebalance timeout %v",
			c.TransactionTimeout, c.SessionTimeout, c.RebalanceTimeout)
	}
	return c, nil
}

// hook calls At and marks its error as a kill.
func (c Config) hook(p Point, partition int32) error {
	if err := c.At(p, partition); err != nil {
		return &killedError{err}
	}
	return nil
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// groupOptions are the client options of a consuming, transactional session.
func (c Config) groupOptions(m *metrics) []kgo.Opt {
	topics := make([]string, 0, len(c.Inputs))
	for _, in := range c.Inputs {
		topics = append(topics, in.Topic)
	}
	opts := append(c.Conn.options(),
		kgo.ClientID(c.TransactionalID),
		kgo.WithLogger(logAdapter{c.Log}),
		kgo.ConsumerGroup(c.Group),
		kgo.ConsumeTopics(topics...),
		kgo.TransactionalID(c.TransactionalID),
		// Rebalances wait until the polled batch is committed or aborted.
		kgo.BlockRebalanceOnPoll(),
		// Not kgo's default. Without it, records of aborted transactions are input.
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		// An offset out of range is data loss or a recreated topic: kgo would
		// rewind or skip silently, this fails the poll.
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.TransactionTimeout(c.TransactionTimeout),
		kgo.SessionTimeout(c.SessionTimeout),
		kgo.RebalanceTimeout(c.RebalanceTimeout),
		kgo.HeartbeatInterval(c.HeartbeatInterval),
		// A request that cannot get through for as long as a transaction may last
		// fails, the session ends and the next one starts afresh: the client's own
		// bound would keep a member stuck for half a minute and more.
		kgo.RetryTimeout(c.TransactionTimeout),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),         // the batch is flushed as a whole
		kgo.MaxBufferedRecords(1<<20), // a batch is bounded by BatchRecords; blocking here would dead-lock it
		kgo.ProducerBatchMaxBytes(int32(max(1<<20, c.MaxRecordBytes))),
		// Snappy costs a tenth of zstd's time for two thirds of its saving, and every
		// hop pays it twice.
		kgo.ProducerBatchCompression(kgo.SnappyCompression(), kgo.NoCompression()),
		kgo.RecordPartitioner(partitioner()),
		kgo.FetchMaxWait(250*time.Millisecond),
		kgo.FetchMaxBytes(int32(4*c.BatchBytes)),
		kgo.FetchMaxPartitionBytes(int32(max(1<<20, c.MaxRecordBytes))),
		kgo.MetadataMinAge(250*time.Millisecond),
	)
	if m != nil && m.client != nil {
		opts = append(opts, kgo.WithHooks(m.client))
	}
	return opts
}

// restoreOptions are the client options of one partition's restore: a plain
// producer for the barrier and a direct consumer behind it.
func (c Config) restoreOptions() []kgo.Opt {
	return append(c.Conn.options(),
		kgo.ClientID(c.TransactionalID+"-restore"),
		kgo.WithLogger(logAdapter{c.Log}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.RecordPartitioner(partitioner()),
		kgo.ProducerLinger(0),
		// A barrier that is written twice does no harm, while an idempotent producer
		// cannot give up a record in flight: with the brokers gone, a stop would wait
		// for it without end.
		kgo.DisableIdempotentWrite(),
		kgo.RecordDeliveryTimeout(c.TransactionTimeout),
		kgo.RetryTimeout(c.TransactionTimeout),
		kgo.FetchMaxWait(100*time.Millisecond),
		kgo.FetchMaxBytes(64<<20),
		kgo.FetchMaxPartitionBytes(16<<20),
		kgo.MetadataMinAge(250*time.Millisecond),
	)
}

// clientMetrics are franz-go's own metrics under the engine's prefix.
func clientMetrics(r prometheus.Registerer) *kprom.Metrics {
	return kprom.NewMetrics("tracksource_kafka", kprom.Registerer(r))
}

// logAdapter hands franz-go's warnings and errors to slog. Its info lines
// describe every transaction and are debug lines here.
type logAdapter struct{ log *slog.Logger }

func (a logAdapter) Level() kgo.LogLevel {
	if a.log.Enabled(context.Background(), slog.LevelDebug) {
		return kgo.LogLevelInfo
	}
	return kgo.LogLevelWarn
}

func (a logAdapter) Log(level kgo.LogLevel, msg string, kv ...any) {
	l := slog.LevelDebug
	switch level {
	case kgo.LogLevelError, kgo.LogLevelWarn:
		// A broken connection or a lost coordinator is retried by the client; what
		// is not retried reaches the engine as an error and is logged there.
		l = slog.LevelWarn
	case kgo.LogLevelInfo, kgo.LogLevelDebug, kgo.LogLevelNone:
	}
	a.log.Log(context.Background(), l, "kafka client", append([]any{"msg_text", msg}, kv...)...)
}
