package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"tracksource/schemas/avro"
)

func schemaCommand(stdout io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use: "schema", Short: "Compare Avro schemas", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(schemaDiffCommand(stdout))
	return cmd
}

func schemaDiffCommand(stdout io.Writer) *cobra.Command {
	var registry string
	cmd := &cobra.Command{
		Use: "diff OLD NEW", Short: "Say what differs between two Avro schemas, and which reads the other's data",
		Long: "diff compares two schemas field by field. Each is a file, or with --registry the number of a schema\n" +
			"there, as dead letters name it. Documentation, aliases and the order of fields do not differ.",
		Example: "  track-source schema diff deal-v1.avsc deal-v2.avsc\n" +
			"  track-source schema diff 17 deal-v2.avsc --registry http://127.0.0.1:8081",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageError{errors.New("name two schemas")}
			}
			older, err := schemaText(cmd.Context(), registry, args[0])
			if err != nil {
				return err
			}
			newer, err := schemaText(cmd.Context(), registry, args[1])
			if err != nil {
				return err
			}
			return diffSchemas(stdout, older, newer)
		},
	}
	cmd.Flags().StringVar(&registry, "registry", "", "URL of the schema registry that numbers are of")
	return cmd
}

// schemaText reads a schema by the name of its file or by its number.
func schemaText(ctx context.Context, registry, name string) (string, error) {
	id, err := strconv.Atoi(name)
	if registry == "" || err != nil {
		data, err := os.ReadFile(name)
		if err != nil {
			return "", usageError{err}
		}
		return string(data), nil
	}
	r, err := avro.NewHTTP(avro.HTTPConfig{URL: registry})
	if err != nil {
		return "", usageError{err}
	}
	text, err := r.Schema(ctx, id)
	if err != nil {
		return "", fmt.Errorf("schema %d: %w", id, err)
	}
	return text, nil
}

func diffSchemas(w io.Writer, older, newer string) error {
	changes, err := avro.Diff(older, newer)
	if err != nil {
		return err
	}
	var b strings.Builder
	if len(changes) == 0 {
		b.WriteString("no difference\n")
	}
	for _, c := range changes {
		fmt.Fprintln(&b, c)
	}
	for _, way := range []struct{ text, reader, writer string }{
		{"the new schema reads data of the old one", newer, older},
		{"the old schema reads data of the new one", older, newer},
	} {
		verdict := "yes"
		if err := avro.Reads(way.reader, way.writer); err != nil {
			verdict = "no, " + strings.TrimPrefix(err.Error(), avro.ErrIncompatible.Error()+": avro: incompatible ")
		}
		fmt.Fprintf(&b, "%s: %s\n", way.text, verdict)
	}
	_, err = io.WriteString(w, b.String())
	return err
}
