package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"tracksource/internal/demo"
)

func demoCommand(stdout, stderr io.Writer) *cobra.Command {
	var (
		cfg     = demo.Config{Out: stdout, Clock: time.Now}
		verbose bool
	)
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the whole line in one process on the sample feeds of two partners",
		Long: "demo runs a broker, a schema registry and the three tiers in one process, feeds them the\n" +
			"sample events of two partners and serves a page with their contributions. Ctrl-C drains it;\n" +
			"started again it goes on where it was.",
		Example: "  track-source demo\n" +
			"  track-source demo --once\n" +
			"  track-source demo --once --json --events 5000 --seed 7\n" +
			"  track-source demo --bootstrap-servers 127.0.0.1:9092",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkDemo(&cfg); err != nil {
				return usageError{err}
			}
			level := slog.LevelError
			if verbose {
				level = slog.LevelInfo
			}
			cfg.Log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
			return demo.Run(cmd.Context(), cfg)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.DataDir, "data-dir", defaultDataDir(), "directory of the demo's broker and state")
	flags.StringVar(&cfg.HTTP, "http", "127.0.0.1:8080", "serve the page at host:port; port 0 is a free one, its address is printed")
	flags.StringSliceVar(&cfg.Brokers, "bootstrap-servers", nil, "run on this Kafka instead of an embedded broker, as host:port,...")
	flags.StringVar(&cfg.Registry, "registry", "", "use this schema registry instead of an embedded one, as a URL")
	flags.IntVar(&cfg.Events, "events", 2000, "size of the sample")
	flags.Uint64Var(&cfg.Seed, "seed", 1, "seed of the sample")
	flags.BoolVar(&cfg.Once, "once", false, "feed the sample, wait until it is through, print the contributions and exit")
	flags.BoolVar(&cfg.JSON, "json", false, "with --once, print JSON")
	flags.BoolVarP(&verbose, "verbose", "v", false, "log what the tiers do")
	return cmd
}

func checkDemo(cfg *demo.Config) error {
	if _, _, err := net.SplitHostPort(cfg.HTTP); err != nil {
		return fmt.Errorf("--http %q is not host:port", cfg.HTTP)
	}
	switch {
	case cfg.JSON && !cfg.Once:
		return errors.New("--json needs --once")
	case cfg.Events < 1 || cfg.Events > eventsMax:
		return fmt.Errorf("--events must be between 1 and %d", eventsMax)
	case cfg.DataDir == "":
		return errors.New("--data-dir is required: this user has no cache directory")
	}
	return nil
}

// eventsMax bounds the sample, which is made in memory.
const eventsMax = 2_000_000

func defaultDataDir() string {
	base, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(base, "track-source", "demo")
}
