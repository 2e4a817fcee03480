package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tracksource/contract"
	"tracksource/deploy/kafka"
	"tracksource/internal/api"
	"tracksource/internal/demo"
	"tracksource/internal/feedfile"
	"tracksource/money"
)

func demoCommand(stdout, stderr io.Writer) *cobra.Command {
	var (
		cfg     = demo.Config{Out: stdout, Clock: time.Now}
		own     ownFlags
		verbose bool
	)
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the whole line in one process on the sample feeds of two partners",
		Long: "demo runs a broker, a schema registry and the three tiers in one process, feeds them the\n" +
			"sample events of two partners and serves a page with their contributions. Ctrl-C drains it;\n" +
			"started again it goes on where it was.\n\n" +
			"With --contract and --feed it runs on files of one's own: native events as JSON lines or a JSON\n" +
			"array, or rows of a Salesforce export as CSV. A changed contract is put in force at the next start.",
		Example: "  track-source demo\n" +
			"  track-source demo --once\n" +
			"  track-source demo --once --json --events 5000 --seed 7\n" +
			"  track-source demo --bootstrap-servers 127.0.0.1:9092\n" +
			"  track-source demo --once --contract campaign.yaml --feed crm.acme=opps.csv --feed map.acme=leads.ndjson --rates eurofxref-hist.csv",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkDemo(&cfg); err != nil {
				return usageError{err}
			}
			if err := own.read(&cfg, cmd.Flags().Changed("data-dir")); err != nil {
				return err
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
	flags.StringVar(&cfg.AccessFile, "access-file", "", "let in to the page who holds a token of this file, which track-source token makes lines of; without it everyone at this machine is operator")
	flags.StringSliceVar(&cfg.Brokers, "bootstrap-servers", nil, "run on this Kafka instead of an embedded broker, as host:port,...")
	flags.StringVar(&cfg.Registry, "registry", "", "use this schema registry instead of an embedded one, as a URL")
	flags.IntVar(&cfg.Events, "events", 2000, "size of the sample")
	flags.Uint64Var(&cfg.Seed, "seed", 1, "seed of the sample")
	flags.BoolVar(&cfg.Once, "once", false, "feed the sample, wait until it is through, print the contributions and exit")
	flags.BoolVar(&cfg.JSON, "json", false, "with --once, print JSON")
	flags.StringVar(&own.contract, "contract", "", "run on one's own files under this contract")
	flags.StringArrayVar(&own.feeds, "feed", nil, "events of one's own, as feed=file, such as crm.acme=opps.csv; may be repeated")
	flags.StringVar(&own.rates, "rates", "", "exchange rates for one's own files, as fx import reads them")
	flags.BoolVarP(&verbose, "verbose", "v", false, "log what the tiers do")
	return cmd
}

func checkDemo(cfg *demo.Config) error {
	if err := api.CheckAddr(cfg.HTTP, cfg.AccessFile); err != nil {
		return err
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

// ownFlags name files to run on instead of the sample.
type ownFlags struct {
	contract, rates string
	feeds           []string
}

// read reads the files. They are not mixed with the sample: each campaign has a
// data directory of its own, unless one was given.
func (f ownFlags) read(cfg *demo.Config, dirGiven bool) error {
	if f.contract == "" && len(f.feeds) == 0 && f.rates == "" {
		return nil
	}
	if f.contract == "" || len(f.feeds) == 0 {
		return usageError{errors.New("--contract and --feed belong together: under which terms, and which events")}
	}
	own := &demo.Own{}
	var err error
	if own.Contract, err = os.ReadFile(f.contract); err != nil {
		return usageError{err}
	}
	terms, err := contract.Parse(own.Contract)
	if err != nil {
		return fmt.Errorf("%s: %w", f.contract, err)
	}
	if f.rates != "" {
		data, err := os.ReadFile(f.rates)
		if err != nil {
			return usageError{err}
		}
		file, err := money.ParseRateFile(data)
		if err != nil {
			return fmt.Errorf("%s: %w", f.rates, err)
		}
		own.Rates, err = chooseRates(file.Rates, "", nil)
		if err != nil {
			return fmt.Errorf("%s: %w", f.rates, err)
		}
	}
	for _, text := range f.feeds {
		file, err := readFeed(text)
		if err != nil {
			return err
		}
		own.Files = append(own.Files, file)
	}
	if cfg.Own = own; !dirGiven {
		cfg.DataDir = filepath.Join(filepath.Dir(cfg.DataDir), "campaign-"+terms.Campaign)
	}
	return nil
}

// readFeed reads the events of a --feed flag.
func readFeed(text string) (demo.File, error) {
	name, path, ok := strings.Cut(text, "=")
	if !ok {
		return demo.File{}, usageError{fmt.Errorf("--feed %q is not feed=file, such as crm.acme=opps.csv", text)}
	}
	feed, err := kafka.ParseFeed(name)
	if err != nil {
		return demo.File{}, usageError{fmt.Errorf("--feed: %w", err)}
	}
	format := feedfile.FormatOf(path)
	if format == "" {
		return demo.File{}, usageError{fmt.Errorf("--feed %s: the name of a file ends in .ndjson, .jsonl, .json or .csv", path)}
	}
	in, err := os.Open(path)
	if err != nil {
		return demo.File{}, usageError{err}
	}
	defer in.Close()
	file := demo.File{Feed: feed}
	err = feedfile.Read(in, feedfile.Options{Format: format}, func(e feedfile.Event) error {
		if file.Events = append(file.Events, e); len(file.Events) > eventsMax {
			return fmt.Errorf("more than %d events", eventsMax)
		}
		return nil
	})
	if err != nil {
		return demo.File{}, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
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
