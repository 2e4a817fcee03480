// Package demo runs the whole line in one process: a broker with its data in a
// directory (or a real Kafka), the registry, the three tiers, the sample feeds
// of two partners, and the page. It knows how the parts are put together for a
// first look; everything else it leaves to them.
package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tracksource/deploy/kafka"
	"tracksource/identity"
	"tracksource/internal/api"
	"tracksource/internal/attributor"
	"tracksource/internal/follow"
	"tracksource/internal/ingest"
	"tracksource/internal/line"
	"tracksource/internal/reporter"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// Config says how the demo runs. DataDir, HTTP, Events, Out and Log are
// required.
type Config struct {
	DataDir string // the broker's, the stores' and the registry's
	HTTP    string // host:port of the page; port 0 is a free one
	// AccessFile says who is let in to the page; empty: this machine.
	AccessFile string
	Brokers    []string // a real Kafka; empty: a broker of its own
	Registry   string   // URL of a real registry; empty: one of its own
	Events     int      // size of the sample
	Seed       uint64
	Start      time.Time // first day of the sample; zero: that of sample.Start with Once, else some weeks ago
	Once       bool      // feed, wait until all is through, print, return
	JSON       bool      // print JSON
	Out        io.Writer
	Log        *slog.Logger
	Clock      func() time.Time
	Own        *Own // instead of the sample; nil: the sample

	// Tune is handed to line.Config.
	Tune func(*stream.Config)
}

// Feeds are the feeds of the sample.
func Feeds() []kafka.Feed {
	var feeds []kafka.Feed
	for _, partner := range []string{"acme", "globex"} {
		for _, kind := range []string{ingest.ConsumerCRM, ingest.ConsumerMAP, ingest.ConsumerAnalytics} {
			feeds = append(feeds, kafka.Feed{Kind: kind, Partner: partner})
		}
	}
	return feeds
}

// demo is the running parts.
type demo struct {
	cfg      Config
	spec     kafka.Spec
	conn     kafka.Conn
	registry avro.Registry
	stats    *ingest.Stats
	services []*line.Service
	codecs   *avro.Codecs
	page     string   // URL; empty with Once
	close    []func() // in order of opening
}

// memoryBudget is what the stores of each of the demo's three tiers may use.
const memoryBudget = 192 << 20

// Run runs the demo until ctx ends, or, with Once, until the sample is through
// and printed.
func Run(ctx context.Context, cfg Config) (err error) {
	d := &demo{cfg: cfg, stats: ingest.NewStats()}
	defer func() {
		for i := len(d.close) - 1; i >= 0; i-- {
			d.close[i]()
		}
	}()
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w: give one that this user may write with --data-dir", err)
	}
	feeds := Feeds()
	if cfg.Own != nil {
		feeds = cfg.Own.Feeds()
	}
	if d.spec, err = kafka.Load(kafka.ProfileLocal, kafka.Options{Feeds: feeds}); err != nil {
		return err
	}
	if err := d.openBroker(ctx); err != nil {
		return err
	}
	if err := d.openRegistry(ctx); err != nil {
		return err
	}
	if err := d.openTiers(ctx); err != nil {
		return err
	}
	if d.page != "" {
		d.say("page:     %s\n", d.page)
	}
	return d.run(ctx)
}

// say prints for people; with JSON only the result is printed.
func (d *demo) say(format string, args ...any) {
	if !d.cfg.JSON {
		_, _ = fmt.Fprintf(d.cfg.Out, format, args...)
	}
}

// openBroker starts the embedded broker, or prepares the topics of a real one.
func (d *demo) openBroker(ctx context.Context) error {
	if len(d.cfg.Brokers) > 0 {
		d.conn = kafka.Conn{Brokers: d.cfg.Brokers}
		if err := kafka.CheckBroker(ctx, d.conn); err != nil {
			return err
		}
		if _, err := kafka.Apply(ctx, d.conn, d.spec); err != nil {
			return err
		}
		d.say("brokers:  %s\n", d.conn)
		return nil
	}
	b, err := kafka.StartEmbedded(ctx, kafka.EmbeddedConfig{Dir: filepath.Join(d.cfg.DataDir, "broker"), Spec: d.spec, Log: d.cfg.Log})
	if err != nil {
		return err
	}
	d.close = append(d.close, func() {
		if err := b.Close(); err != nil {
			d.cfg.Log.ErrorContext(ctx, "close broker", "err", err)
		}
	})
	d.conn = b.Conn()
	if !b.CleanStop() {
		d.say("The last run was not stopped cleanly: the raw feeds and control are kept, everything behind them is built again.\n")
	}
	d.say("brokers:  %s (embedded)\n", d.conn)
	return nil
}

// openRegistry opens the registry, and serves an embedded one to other tools.
func (d *demo) openRegistry(ctx context.Context) error {
	if d.cfg.Registry != "" {
		r, err := avro.NewHTTP(avro.HTTPConfig{URL: d.cfg.Registry})
		if err != nil {
			return err
		}
		d.registry = r
		d.say("registry: %s\n", d.cfg.Registry)
		return nil
	}
	mem, err := avro.OpenFile(filepath.Join(d.cfg.DataDir, "registry.json"))
	if err != nil {
		return err
	}
	d.registry = mem
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("serve registry: %w", err)
	}
	srv := &http.Server{Handler: avro.Handler(mem), ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(ln) // ends with Close
	}()
	d.close = append(d.close, func() {
		_ = srv.Close()
		<-done
	})
	d.say("registry: http://%s (embedded)\n", ln.Addr())
	return nil
}

// openTiers opens the three tiers, each with a data directory of its own.
func (d *demo) openTiers(ctx context.Context) error {
	key, err := pseudonymKey(filepath.Join(d.cfg.DataDir, "pseudonym.key"))
	if err != nil {
		return err
	}
	pseudonymizer, err := identity.NewPseudonymizer(key)
	if err != nil {
		return err
	}
	open := func(tier string, assemble func(*line.Line) (*line.Service, error)) error {
		tables := 0
		if tier == "reporter" {
			tables = len(follow.TopicsOf(d.spec))
		}
		l, err := line.Open(ctx, line.Config{
			Kafka: d.conn, Spec: d.spec, Registry: d.registry, DataDir: filepath.Join(d.cfg.DataDir, tier),
			MemoryBudget: memoryBudget, Tables: tables, Log: d.cfg.Log.With("tier", tier), Clock: d.cfg.Clock, Tune: d.cfg.Tune,
		})
		if err != nil {
			return err
		}
		svc, err := assemble(l)
		switch {
		case err != nil && svc != nil: // open, and of no use without the rest
			return errors.Join(err, svc.Close())
		case err != nil:
			return errors.Join(err, l.Dir.Close())
		}
		d.services = append(d.services, svc)
		d.close = append(d.close, func() {
			if err := svc.Close(); err != nil {
				d.cfg.Log.ErrorContext(ctx, "close tier", "tier", tier, "err", err)
			}
		})
		return nil
	}
	return errors.Join(
		open("ingest", func(l *line.Line) (*line.Service, error) {
			return ingest.Open(l, ingest.Config{Consumers: d.consumers(), Pseudonymizer: pseudonymizer, Stats: d.stats})
		}),
		open("attributor", attributor.Open),
		open("reporter", func(l *line.Line) (*line.Service, error) {
			d.codecs = l.Codecs
			svc, err := reporter.Open(ctx, l, reporter.Options{Throttle: reporter.ThrottleDefault})
			if err != nil || d.cfg.Once {
				return svc, err
			}
			d.page, err = api.Open(ctx, svc, api.Config{AccessFile: d.cfg.AccessFile}, d.cfg.HTTP)
			return svc, err
		}),
	)
}

// consumers are those that have something to read.
func (d *demo) consumers() []string {
	names := []string{ingest.ConsumerResolve, ingest.ConsumerControl}
	for _, f := range d.spec.Feeds() {
		if !slices.Contains(names, f.Kind) {
			names = append(names, f.Kind)
		}
	}
	return names
}

// pseudonymKey reads the demo's key, making one at the first start.
func pseudonymKey(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		var raw [32]byte
		if _, err := rand.Read(raw[:]); err != nil {
			return nil, fmt.Errorf("make pseudonym key: %w", err)
		}
		b = []byte(hex.EncodeToString(raw[:]) + "\n")
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("pseudonym key: %w", err)
	}
	return []byte(strings.TrimSpace(string(b))), nil
}

// run runs the tiers and the feeder until ctx ends or, with Once, all is through.
func (d *demo) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, gctx := errgroup.WithContext(ctx)
	for _, s := range d.services {
		g.Go(func() error { return s.Run(gctx) })
	}
	g.Go(func() error {
		err := d.feed(gctx)
		if err != nil || !d.cfg.Once {
			return ignoreStop(gctx, err)
		}
		if err := d.rest(gctx); err != nil {
			return ignoreStop(gctx, err)
		}
		defer cancel()
		return d.print(gctx)
	})
	return g.Wait()
}

// ignoreStop turns an error that only says that the demo was stopped into none.
func ignoreStop(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
