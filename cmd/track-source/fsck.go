package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"tracksource/deploy/kafka"
	"tracksource/internal/check"
	"tracksource/internal/line"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// errBooks says that the books do not hold; the report has said why.
var errBooks = errors.New("what is published does not follow from the accepted facts")

func fsckCommand(stdout, stderr io.Writer) *cobra.Command {
	var f clusterFlags
	var registry string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "fsck",
		Short: "Compute the books again from the accepted facts and compare what is published",
		Long: "fsck reads all topics of the line, computes the books again from the accepted facts in the\n" +
			"most naive way, and compares them with the ledger and the rows, to the minor unit. It changes\n" +
			"nothing. Run it while the line is at rest: what is on its way is reported as missing. It needs\n" +
			"observations as they were from the beginning, and holds all facts in memory.",
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
			return fsck(cmd.Context(), conn, spec, registry, asJSON, stdout, stderr)
		},
	}
	f.bind(cmd)
	cmd.Flags().StringVar(&registry, "registry", "", "URL of the schema registry (required)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

func fsck(ctx context.Context, conn kafka.Conn, spec kafka.Spec, registry string, asJSON bool, stdout, stderr io.Writer) error {
	if err := kafka.Verify(ctx, conn, spec); err != nil {
		return err
	}
	if err := whole(ctx, conn, spec); err != nil {
		return err
	}
	reg, err := avro.NewHTTP(avro.HTTPConfig{URL: registry})
	if err != nil {
		return usageError{err}
	}
	codecs, err := avro.OpenCodecs(ctx, reg, avro.Subjects(spec.Prefix()))
	if err != nil {
		return fmt.Errorf("open schemas: %w", err)
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	report, err := check.Check(ctx, check.Config{Read: topicReader(conn, log, stderr), Spec: spec, Codecs: codecs, Log: log})
	if err != nil {
		return err
	}
	if asJSON {
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

func say(w io.Writer, r check.Report) error {
	lines := []string{r.String()}
	if r.ProblemCount == 0 {
		lines = append(lines, "recomputed from observations: ledger, rows and recomputed books agree")
	}
	lines = append(lines, r.Problems...)
	if more := r.ProblemCount - len(r.Problems); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

// whole returns an error when retention has taken what the books begin with.
func whole(ctx context.Context, conn kafka.Conn, spec kafka.Spec) error {
	topics := append(spec.RawTopics(), spec.Observations(), spec.Journeys(), spec.Credits())
	starts, err := kafka.StartOffsets(ctx, conn, topics...)
	if err != nil {
		return err
	}
	if starts.Total() == 0 {
		return nil
	}
	var cut []string
	for _, topic := range topics {
		s, err := kafka.StartOffsets(ctx, conn, topic)
		if err != nil {
			return err
		}
		if s.Total() > 0 {
			cut = append(cut, topic)
		}
	}
	return fmt.Errorf("retention has taken the beginning of %s: the books can be computed again only from whole topics; "+
		"check a line whose retention covers its life, or keep these topics longer", strings.Join(cut, ", "))
}

// topicReader reads topics for the check and says on w which one.
func topicReader(conn kafka.Conn, log *slog.Logger, w io.Writer) check.Reader {
	return func(ctx context.Context, topic string, fn func(check.Record) error) error {
		n := 0
		err := stream.ReadTopic(ctx, line.StreamConn(conn), log, topic, func(r stream.Record) error {
			n++
			return fn(check.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Header: r.Header})
		})
		if err == nil {
			_, _ = fmt.Fprintf(w, "read %s: %d records\n", topic, n) // progress only
		}
		return err
	}
}
