package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tracksource/deploy/kafka"
	"tracksource/internal/check"
	"tracksource/schemas/avro"
)

// errBooks says that the books do not hold; the report has said why.
var errBooks = errors.New("what is published does not follow from the accepted facts")

func fsckCommand(stdout, stderr io.Writer) *cobra.Command {
	var f clusterFlags
	var registry string
	var asJSON bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "fsck",
		Short: "Compute the books again from the accepted facts and compare what is published",
		Long: "fsck reads all topics of the line, computes the books again in the most naive way, and compares\n" +
			"them with the ledger and the rows, to the minor unit. It also holds each changelog against its\n" +
			"own checkpoints and against the group's position, and looks for transactions without an end.\n" +
			"It changes nothing and holds all facts in memory.\n\n" +
			"The books begin with observations and the raw feeds. Where retention has cut these they begin\n" +
			"with the held journeys; fsck says which. The line must be at rest: fsck refuses while a group\n" +
			"has something to read, or waits for it with --wait.",
		Example: "  track-source fsck --bootstrap-servers 127.0.0.1:9092 --registry http://127.0.0.1:8081 --feed crm.acme --feed map.acme",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conn, spec, err := f.resolve()
			if err == nil && registry == "" {
				err = errors.New("--registry is required, such as http://127.0.0.1:8081")
			}
			if err != nil {
				return usageError{err}
			}
			return fsck(cmd.Context(), conn, spec, fsckOptions{registry: registry, wait: wait, asJSON: asJSON}, stdout, stderr)
		},
	}
	f.bind(cmd)
	cmd.Flags().StringVar(&registry, "registry", "", "URL of the schema registry (required)")
	cmd.Flags().DurationVar(&wait, "wait", 0, "wait as long for the line to come to rest, such as 5m")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

// fsckOptions are the flags of fsck that are its own.
type fsckOptions struct {
	registry string
	wait     time.Duration
	asJSON   bool
}

func fsck(ctx context.Context, conn kafka.Conn, spec kafka.Spec, o fsckOptions, stdout, stderr io.Writer) error {
	if err := kafka.Verify(ctx, conn, spec); err != nil {
		return err
	}
	reg, err := avro.NewHTTP(avro.HTTPConfig{URL: o.registry})
	if err != nil {
		return usageError{err}
	}
	codecs, err := avro.OpenCodecs(ctx, reg, avro.Subjects(spec.Prefix()))
	if err != nil {
		return fmt.Errorf("open schemas: %w", err)
	}
	cfg := check.Config{
		Kafka: conn, Spec: spec, Codecs: codecs, Log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Progress: func(topic string, records int) { _, _ = fmt.Fprintf(stderr, "read %s: %d records\n", topic, records) },
	}
	if err := rest(ctx, cfg, o.wait); err != nil {
		return err
	}
	report, err := check.Check(ctx, cfg)
	if err != nil {
		return err
	}
	if o.asJSON {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		err = enc.Encode(report)
	} else {
		err = say(stdout, report)
	}
	if err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	if report.ProblemCount > 0 {
		return errBooks
	}
	return nil
}

const (
	restEvery = time.Second
	// restCalm is how many looks in a row must find the same: a service may have
	// work without input, which no group shows.
	restCalm = 3
)

// rest returns when the line is at rest, or an error that says what moves when
// it is not after the given time.
func rest(ctx context.Context, cfg check.Config, wait time.Duration) error {
	end := time.Now().Add(wait)
	for calm, last := 0, int64(-1); ; {
		moving, err := check.Moving(ctx, cfg)
		if err != nil {
			return err
		}
		ends, err := kafka.EndOffsets(ctx, cfg.Kafka, cfg.Spec.Journeys(), cfg.Spec.Credits(), cfg.Spec.Facts(), cfg.Spec.Contributions())
		if err != nil {
			return err
		}
		calm++
		if now := ends.Total(); now != last {
			calm, last = 0, now
		}
		if moving == "" && (wait == 0 || calm >= restCalm) {
			return nil
		}
		if time.Now().After(end) {
			if moving == "" {
				moving = "its topics still grow"
			}
			return fmt.Errorf("%w: %s; stop the feeds, see that the services run, and give it time with --wait 5m", errMoving, moving)
		}
		select {
		case <-time.After(restEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// errMoving says that books cannot be checked now.
var errMoving = errors.New("the line is not at rest")

func say(w io.Writer, r check.Report) error {
	lines := []string{r.String()}
	for _, topic := range slices.Sorted(maps.Keys(r.Feeds)) {
		f := r.Feeds[topic]
		lines = append(lines, fmt.Sprintf("  %s: %d records, %d events = %d accepted + %d duplicates + %d restated + %d late + %d suppressed + %d dead letters + %d control totals + %d disputes",
			topic, f.Records, f.Events, f.Accepted, f.Duplicates, f.Restated, f.Late, f.Suppressed, f.DeadLetters, f.Totals, f.Disputes))
	}
	if r.Disputes+r.Closings > 0 {
		lines = append(lines, fmt.Sprintf("  %d disputes in %d steps, %d entries in escrow; %d closings and reopenings, %d entries booked behind closed days",
			r.Disputes, r.Steps, r.Escrowed, r.Closings, r.Adjusted))
	}
	if r.Alerts > 0 {
		lines = append(lines, fmt.Sprintf("  %d alerts held against what was said", r.Alerts))
	}
	base := "recomputed from observations, which are whole"
	if len(r.Cut) > 0 {
		base = "recomputed from the held journeys: retention has taken the beginning of " + strings.Join(r.Cut, ", ")
	}
	if r.ProblemCount == 0 {
		base += "; ledger, rows and recomputed books agree"
	}
	lines = append(lines, base)
	lines = append(lines, r.Problems...)
	if more := r.ProblemCount - len(r.Problems); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}
