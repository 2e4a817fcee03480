package kafka

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
)

const (
	// embeddedClusterPrefix begins the cluster id of every embedded broker, so
	// that Plan and Verify know one when they meet it.
	embeddedClusterPrefix = "tracksource-embedded-"
	// plainClusterID is what a kfake cluster calls itself when not told.
	plainClusterID = "kfake"
	// cleanerNever is the interval of the embedded broker's cleaner in
	// milliseconds: a hundred years, near the most that fits a time.Duration.
	cleanerNever = 100 * 365 * 24 * 3_600_000

	dataDirName    = "data"         // The broker's own files.
	salvageDirName = "data.salvage" // A copy being made; worthless until renamed.
	retiredDirName = "data.retired" // The torn original between two renames.
	runningName    = "running"      // Exists from start to clean close.
	portName       = "port.json"    // The chosen port, kept over restarts.
	lockName       = "lock"         // Held while the directory is in use.
)

// isEmbeddedCluster reports whether a cluster id is that of a kfake broker.
func isEmbeddedCluster(id string) bool {
	return id == plainClusterID || strings.HasPrefix(id, embeddedClusterPrefix)
}

// embedded is the topic as an embedded broker must have it: nothing is ever
// compacted or expired there, because kfake's cleaner ignores open
// transactions and forgets which records were aborted. Settings it does not
// know are left out.
func (t Topic) embedded() Topic {
	config := maps.Clone(t.Config)
	for _, key := range []string{
		"max.compaction.lag.ms", "min.compaction.lag.ms", "min.cleanable.dirty.ratio",
		"unclean.leader.election.enable", "retention.bytes", "delete.retention.ms", "segment.ms",
	} {
		delete(config, key)
	}
	config["cleanup.policy"] = "delete"
	config["retention.ms"] = "-1"
	config["min.insync.replicas"] = "1"
	t.Config = config
	t.Replication = 1
	return t
}

// EmbeddedConfig says where an embedded broker keeps its files. Dir is
// required.
type EmbeddedConfig struct {
	Dir  string       // Created if missing. One process at a time.
	Port int          // 0: the port of last time, else a free one that is remembered.
	Spec Spec         // Its topics are made, and its prefix says what to salvage.
	Log  *slog.Logger // slog.Default is not used; nil is silent.
}

// Embedded is a Kafka-compatible broker inside this process with its data in a
// directory. It is meant for the demo and for tests: it holds transactions,
// groups and fencing as Kafka does, but has one replica, never compacts, and
// survives kill -9 only with its inputs (see StartEmbedded). Methods may be
// called by several goroutines.
type Embedded struct {
	cfg   EmbeddedConfig
	port  int
	clean bool // Whether the run before this one ended with Close.
	lock  *dirLock

	mu      sync.Mutex     // Guards cluster and closed.
	cluster *kfake.Cluster // nil once closed, or when a reset failed half way.
	closed  bool
}

// StartEmbedded opens or makes the broker in cfg.Dir and applies cfg.Spec.
// When it returns, clients can connect to Conn.
//
// If the last run was not closed (kill -9, power), the broker's recovery may
// have torn transactions and lost producer state. Then the raw feeds and
// control are copied into a new broker directory before it serves, and all
// else starts empty under a new cluster id, so that every service sees that
// its state belongs to another cluster and builds it again from the inputs.
// CleanStop tells. What is kept is every record of those topics that was
// acknowledged, in the order of its partition, with its timestamp; offsets may
// differ, and a producer that never heard its acknowledgement may have written
// twice.
func StartEmbedded(ctx context.Context, cfg EmbeddedConfig) (*Embedded, error) {
	if cfg.Dir == "" {
		return nil, errors.New("embedded broker: Dir is missing")
	}
	if len(cfg.Spec.topics) == 0 {
		return nil, errors.New("embedded broker: Spec is missing: use Load")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the embedded broker's directory: %w", err)
	}
	lock, err := lockDir(filepath.Join(cfg.Dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("the embedded broker's directory %s is in use by another process: %w", cfg.Dir, err)
	}
	e := &Embedded{cfg: cfg, lock: lock}
	if err := e.start(ctx); err != nil {
		return nil, errors.Join(err, lock.release())
	}
	return e, nil
}

// start does everything behind the lock.
func (e *Embedded) start(ctx context.Context) error {
	var err error
	if e.port, err = e.choosePort(ctx); err != nil {
		return err
	}
	_, statErr := os.Stat(e.path(runningName))
	e.clean = errors.Is(statErr, fs.ErrNotExist)
	if err := e.finishSwap(); err != nil {
		return err
	}
	if !e.clean {
		e.cfg.Log.WarnContext(ctx, "the embedded broker was not closed: keeping raw feeds and control, rebuilding all else", "dir", e.cfg.Dir)
		if err := e.salvage(ctx); err != nil {
			return fmt.Errorf("salvage the embedded broker's directory %s (delete it to begin anew): %w", e.cfg.Dir, err)
		}
	}
	if err := os.WriteFile(e.path(runningName), []byte("removed by a clean close\n"), 0o600); err != nil {
		return fmt.Errorf("mark the embedded broker as running: %w", err)
	}
	return e.serve(ctx)
}

// serve opens the data directory on the remembered port and applies the Spec.
func (e *Embedded) serve(ctx context.Context) error {
	c, err := openData(e.path(dataDirName), e.port)
	if err != nil {
		return fmt.Errorf("start the embedded broker on 127.0.0.1:%d: %w", e.port, err)
	}
	if _, err := Apply(ctx, connTo(c), e.cfg.Spec); err != nil {
		c.Close()
		return fmt.Errorf("make the embedded broker's topics: %w", err)
	}
	e.mu.Lock()
	e.cluster = c
	e.mu.Unlock()
	return nil
}

// openData runs kfake on a directory. The cluster id of an existing directory
// stays; a new one gets its own.
func openData(dir string, port int) (*kfake.Cluster, error) {
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("choose a cluster id: %w", err)
	}
	c, err := kfake.NewCluster(
		kfake.Ports(port),
		kfake.ClusterID(embeddedClusterPrefix+hex.EncodeToString(id[:])),
		kfake.DataDir(dir),
		// The cleaner is the only thing in kfake that removes records, both by
		// compaction and by retention, and it does neither safely under
		// transactions. Topics are made without compaction too; this holds even
		// where somebody alters one.
		kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": strconv.Itoa(cleanerNever)}),
	)
	if err != nil {
		return nil, fmt.Errorf("open broker data: %w", err)
	}
	return c, nil
}

func connTo(c *kfake.Cluster) Conn { return Conn{Brokers: c.ListenAddrs()} }

func (e *Embedded) path(name string) string { return filepath.Join(e.cfg.Dir, name) }

// choosePort takes the configured port, else the remembered one, else a free
// one, and remembers it: clients keep the address over restarts.
func (e *Embedded) choosePort(ctx context.Context) (int, error) {
	var kept struct {
		Port int `json:"port"`
	}
	text, err := os.ReadFile(e.path(portName))
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("read the embedded broker's port from %s (delete the file to choose a new one): %w", e.path(portName), err)
	}
	port := e.cfg.Port
	if port == 0 {
		port = kept.Port
	}
	var l net.Listener
	if port == 0 {
		l, err = ListenLasting(ctx)
	} else {
		l, err = listen(ctx, port)
	}
	if err != nil {
		return 0, fmt.Errorf("port %d of the embedded broker is taken: stop who uses it, or choose another port: %w", port, err)
	}
	addr, isTCP := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil || !isTCP {
		return 0, fmt.Errorf("release port %s: %w", l.Addr(), err)
	}
	if addr.Port == kept.Port {
		return addr.Port, nil
	}
	kept.Port = addr.Port
	text, err = json.Marshal(kept)
	if err == nil {
		err = os.WriteFile(e.path(portName), text, 0o600)
	}
	if err != nil {
		return 0, fmt.Errorf("remember the embedded broker's port: %w", err)
	}
	return addr.Port, nil
}

// Conn reaches the broker. It stays the same over restarts in one directory.
func (e *Embedded) Conn() Conn {
	return Conn{Brokers: []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(e.port))}}
}

// CleanStop reports whether the run before this one was closed. If not, only
// raw feeds and control were kept, and local state of services is worthless.
func (e *Embedded) CleanStop() bool { return e.clean }

// ResetInternal stops the broker, keeps the raw feeds and control and starts
// again with every other topic and group empty, under a new cluster id: what
// StartEmbedded does by itself after a run that was not closed. Clients are
// cut off and must be stopped before. If it fails the broker is down; starting
// it again repeats the work from where it was safe.
func (e *Embedded) ResetInternal(ctx context.Context) error {
	e.mu.Lock()
	c := e.cluster
	e.cluster = nil
	closed := e.closed
	e.mu.Unlock()
	if closed {
		return errors.New("reset the embedded broker: it is closed")
	}
	if c != nil {
		c.Close()
	}
	if err := e.finishSwap(); err != nil {
		return err
	}
	if err := e.salvage(ctx); err != nil {
		return fmt.Errorf("reset the embedded broker: %w", err)
	}
	return e.serve(ctx)
}

// Close stops the broker and marks the stop as clean once all is on disk.
// Close services first: their open transactions are aborted by their timeout
// only. Closing again does nothing.
func (e *Embedded) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	if e.cluster == nil {
		return e.lock.release() // A failed reset: the mark stays, so the next start salvages.
	}
	e.cluster.Close()
	e.cluster = nil
	var err error
	if rmErr := os.Remove(e.path(runningName)); rmErr != nil {
		err = fmt.Errorf("mark the embedded broker as cleanly closed: %w", rmErr)
	}
	return errors.Join(err, e.lock.release())
}

// MemoryConfig describes a broker without files. Its zero value is one broker.
type MemoryConfig struct {
	Brokers int         // 1 if zero.
	Options []kfake.Opt // For tests: SASL, ACLs, TLS and the like.
}

// Memory is an embedded cluster that forgets everything on Close. Cluster is
// exposed so that tests can inject faults; its Close is Memory's.
type Memory struct {
	Cluster *kfake.Cluster
}

// StartMemory runs an embedded cluster in memory. Like Embedded it never
// compacts and never expires.
func StartMemory(cfg MemoryConfig) (*Memory, error) {
	opts := append([]kfake.Opt{
		kfake.NumBrokers(max(cfg.Brokers, 1)),
		kfake.ClusterID(embeddedClusterPrefix + "memory"),
		kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": strconv.Itoa(cleanerNever)}),
	}, cfg.Options...)
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("start a broker in memory: %w", err)
	}
	return &Memory{Cluster: c}, nil
}

// Conn reaches the cluster.
func (m *Memory) Conn() Conn { return connTo(m.Cluster) }

// Close stops the cluster.
func (m *Memory) Close() { m.Cluster.Close() }
