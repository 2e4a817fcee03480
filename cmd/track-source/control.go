package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"tracksource/contract"
	"tracksource/deploy/kafka"
	"tracksource/internal/control"
	"tracksource/schemas/avro"
)

// controlFlags say where the control topic is.
type controlFlags struct {
	cluster  clusterFlags
	registry string
	dryRun   bool
}

const controlExample = " --bootstrap-servers 127.0.0.1:9092 --registry http://127.0.0.1:8081"

func (f *controlFlags) bind(cmd *cobra.Command) {
	f.cluster.bind(cmd)
	cmd.PersistentFlags().StringVar(&f.registry, "registry", "", "URL of the schema registry (required)")
}

// open connects, and reads what is decided.
func (f *controlFlags) open(ctx context.Context, stderr io.Writer) (control.Config, *control.Book, error) {
	conn, spec, err := f.cluster.resolve()
	if err == nil && f.registry == "" {
		err = errors.New("--registry is required, such as http://127.0.0.1:8081")
	}
	if err != nil {
		return control.Config{}, nil, usageError{err}
	}
	if err := kafka.Verify(ctx, conn, spec, spec.Control()); err != nil {
		return control.Config{}, nil, err
	}
	registry, err := avro.NewHTTP(avro.HTTPConfig{URL: f.registry})
	if err != nil {
		return control.Config{}, nil, usageError{err}
	}
	codecs, err := avro.OpenCodecs(ctx, registry, avro.Subjects(spec.Prefix()))
	if err != nil {
		return control.Config{}, nil, fmt.Errorf("open schemas: %w", err)
	}
	cfg := control.Config{Kafka: conn, Spec: spec, Codecs: codecs, Log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	book, err := control.Read(ctx, cfg)
	return cfg, book, err
}

// oneFile is the one argument of commands that read a file.
func oneFile(args []string) ([]byte, error) {
	if len(args) != 1 {
		return nil, usageError{errors.New("name one file")}
	}
	data, err := os.ReadFile(args[0])
	if err != nil {
		return nil, usageError{err}
	}
	return data, nil
}

func sendControls(ctx context.Context, cfg control.Config, controls []avro.Control, stderr io.Writer) error {
	return control.Send(ctx, cfg, controls, func(done, all int) {
		if all > 1 {
			_, _ = fmt.Fprintf(stderr, "sent %d of %d records\n", done, all)
		}
	})
}

// newestContract is the one in force of a campaign.
func newestContract(book *control.Book, campaign string) (*contract.Contract, error) {
	last, known := book.Newest(campaign)
	if !known {
		return nil, fmt.Errorf("campaign %s has no contract there", campaign)
	}
	return contract.Parse([]byte(last.Document))
}
