// Package line holds what the three tiers share beyond a process: how to reach
// Kafka and the registry, the topics that must be there, the codecs, the data
// directory and the workers that run together. It knows the parts and nothing
// of what they do with an event.
package line

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"tracksource/deploy/kafka"
	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/state"
	"tracksource/stream"
)

// Config says what a tier runs on. Kafka, Spec, Registry, DataDir, Log and
// Clock are required.
type Config struct {
	Kafka        kafka.Conn
	Spec         kafka.Spec
	Registry     avro.Registry
	DataDir      string // of this instance of this tier
	MemoryBudget int64  // bytes for its stores, 0 for the default of state
	Tables       int    // topics that are followed whole, each into a store of its own
	Log          *slog.Logger
	Metrics      prometheus.Registerer // nil: none
	Clock        func() time.Time

	// Tune changes the configuration of each worker before it starts: the flags'
	// timeouts, and in tests short ones and faults.
	Tune func(*stream.Config)
}

// Line is an open data directory and registry, ready to make workers.
type Line struct {
	Config
	Codecs   *avro.Codecs
	Dir      *state.Dir
	Instance string // identity of this instance, kept in the data directory

	lacking []string // topics that an older deployment does without
}

// openTimeout bounds a start: three questions to the brokers and some to the registry,
// each of which may be answered late.
const openTimeout = 45 * time.Second

// Has reports whether a topic that was needed is there: what came with a later version
// is missing until it is made and the service begins anew.
func (l *Line) Has(topic string) bool { return !slices.Contains(l.lacking, topic) }

// Open checks that the broker and the topics in need are as they must be,
// opens the codecs and takes the data directory. Its errors say what to do.
func Open(ctx context.Context, cfg Config, need ...string) (*Line, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if err := kafka.CheckBroker(ctx, cfg.Kafka); err != nil {
		return nil, err
	}
	lacking, err := kafka.Lacking(ctx, cfg.Kafka, cfg.Spec, need...)
	if err != nil {
		return nil, err
	}
	for _, topic := range lacking {
		cfg.Log.WarnContext(ctx, "topic is missing, going on without what it tells: make it and start again", "topic", topic, "command", cfg.Spec.ApplyCommand(cfg.Kafka))
		need = slices.DeleteFunc(slices.Clone(need), func(name string) bool { return name == topic })
	}
	if err := kafka.Verify(ctx, cfg.Kafka, cfg.Spec, need...); err != nil {
		return nil, err
	}
	codecs, err := avro.OpenCodecs(ctx, cfg.Registry, avro.Subjects(cfg.Spec.Prefix()))
	if err != nil {
		return nil, fmt.Errorf("open schemas: %w", err)
	}
	dir, err := state.OpenDir(state.Config{
		Path: cfg.DataDir, MemoryBudget: cfg.MemoryBudget, Log: cfg.Log, Registerer: cfg.Metrics, MaxOpen: maxStores + cfg.Tables,
	})
	if err != nil {
		return nil, err
	}
	instance, err := instanceID(cfg.DataDir)
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return &Line{Config: cfg, Codecs: codecs, Dir: dir, Instance: instance, lacking: lacking}, nil
}

// maxStores is how many stores one instance is expected to have open beside its
// tables: those of all partitions of a topic, and a few that are being handed over.
const maxStores = 15

// instanceID returns the identity that the instance keeps over restarts, so
// that its next transaction aborts what it left open.
func instanceID(path string) (string, error) {
	file := filepath.Join(path, "INSTANCE")
	b, err := os.ReadFile(file)
	if err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read instance id: %w", err)
	}
	var raw [6]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", fmt.Errorf("make instance id: %w", err)
	}
	id := hex.EncodeToString(raw[:])
	if err := os.WriteFile(file, []byte(id+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep instance id: %w", err)
	}
	return id, nil
}

// Group is the consumer group of a consumer, such as "resolve".
func (l *Line) Group(consumer string) string { return l.Spec.Prefix() + "." + consumer }

// Stream is how the engine reaches the brokers.
func (l *Line) Stream() stream.Conn { return StreamConn(l.Kafka) }

// StreamConn translates a connection for the engine.
func StreamConn(c kafka.Conn) stream.Conn {
	out := stream.Conn{Brokers: c.Brokers, TLS: c.TLS}
	if c.SASL != nil {
		out.SASL = &stream.SASL{Mechanism: c.SASL.Mechanism, User: c.SASL.User, Password: c.SASL.Password}
	}
	return out
}

// Worker makes the worker of a consumer.
func (l *Line) Worker(consumer string, inputs ...stream.Input) (*stream.Worker, error) {
	cfg := stream.Config{
		Conn: l.Stream(), Group: l.Group(consumer), TransactionalID: l.Group(consumer) + "-" + l.Instance,
		Inputs: inputs, Log: l.Log.With("consumer", consumer), Registerer: l.Metrics, Clock: l.Clock,
	}
	if l.Tune != nil {
		l.Tune(&cfg)
	}
	return stream.New(cfg)
}

// Stateful makes an input whose state is kept in stores named after name.
func (l *Line) Stateful(name, topic, changelog string, open func(stream.Assignment, task.KV) (stream.Processor, error)) stream.Input {
	return stream.Input{
		Topic: topic, Changelog: changelog, Stores: task.Stores(l.Dir, name),
		New: func(a stream.Assignment, s stream.Store) (stream.Processor, error) {
			kv, err := task.Of(s)
			if err != nil {
				return nil, err
			}
			return open(a, kv)
		},
	}
}

// Service is what one tier runs: workers, tables and whatever else, on one data
// directory.
type Service struct {
	Line    *Line
	Workers []*stream.Worker
	Tables  []*stream.Table

	// Parts run beside them until their context ends, such as an HTTP server.
	Parts []func(context.Context) error
}

// Run runs all parts until ctx ends or one fails, and waits for all of them. A
// disk that is nearly full is a failure.
func (s *Service) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.Line.Dir.Watch(ctx) })
	for _, w := range s.Workers {
		g.Go(func() error { return w.Run(ctx) })
	}
	for _, t := range s.Tables {
		g.Go(func() error { return t.Run(ctx) })
	}
	for _, part := range s.Parts {
		g.Go(func() error { return part(ctx) })
	}
	return g.Wait()
}

// Ready returns nil when every worker has its partitions restored and every
// table is read to its end, else what is missing.
func (s *Service) Ready() error {
	var errs []error
	for _, w := range s.Workers {
		errs = append(errs, w.Ready())
	}
	for _, t := range s.Tables {
		errs = append(errs, t.Ready())
	}
	return errors.Join(errs...)
}

// Status returns the state of all workers.
func (s *Service) Status() []stream.Status {
	out := make([]stream.Status, 0, len(s.Workers))
	for _, w := range s.Workers {
		out = append(out, w.Status())
	}
	return out
}

// Close closes the tables and the data directory, after Run has returned.
func (s *Service) Close() error {
	var errs []error
	for _, t := range s.Tables {
		errs = append(errs, t.Close())
	}
	return errors.Join(append(errs, s.Line.Dir.Close())...)
}
