package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tracksource/identity"
	"tracksource/internal/control"
	"tracksource/internal/daemon"
	"tracksource/schemas/avro"
)

func eraseCommand(stdout, stderr io.Writer) *cobra.Command {
	var f controlFlags
	var keyFile string
	cmd := &cobra.Command{
		Use: "erase FILE", Short: "Forget people: retract what they did, and take in nothing of them any more",
		Long: "erase reads who is to be forgotten, from a file or, as -, from the standard input, since a command line\n" +
			"is everybody's to read. Each line is a kind and a value:\n\n" +
			"  email a@b.com            phone +49 30 1234\n" +
			"  email-sha256 HASH        user acme/u-42\n" +
			"  contact acme/003...      lead acme/00Q...\n" +
			"  marketing-lead acme/77   anonymous acme/GA1.2.3\n\n" +
			"It finds all that belongs to them in the observations, such as their browsers and memberships, and\n" +
			"orders the line to take it off every account. Deals and companies stay. What comes of them later is\n" +
			"counted as suppressed. Raw feeds, observations and journeys keep pseudonyms and native events until\n" +
			"their retention ends.",
		Example: "  track-source erase people.txt --pseudonym-key-file key" + controlExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("name a file, or - for the standard input")}
			}
			if keyFile == "" {
				return usageError{errors.New("--pseudonym-key-file is required: the key of the deployment")}
			}
			subjects, err := readSubjects(args[0], keyFile, cmd.InOrStdin())
			if err != nil {
				return err
			}
			return erase(cmd.Context(), f, subjects, stdout, stderr)
		},
	}
	f.bind(cmd)
	cmd.Flags().StringVar(&keyFile, "pseudonym-key-file", "", "file with the deployment's key for pseudonyms (required)")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say how much would be erased; erase nothing")
	return cmd
}

func readSubjects(name, keyFile string, stdin io.Reader) ([]identity.Node, error) {
	key, err := daemon.ReadSecret(keyFile)
	if err != nil {
		return nil, usageError{fmt.Errorf("--pseudonym-key-file: %w", err)}
	}
	pseudonyms, err := identity.NewPseudonymizer([]byte(key.Reveal()))
	if err != nil {
		return nil, usageError{err}
	}
	const bytesMax = 1 << 20
	in := stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, usageError{err}
		}
		defer file.Close()
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, bytesMax+1))
	if err == nil && len(data) > bytesMax {
		err = fmt.Errorf("more than %d bytes: erase in portions", bytesMax)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	subjects, err := control.ParseSubjects(data, pseudonyms)
	if err != nil {
		return nil, fmt.Errorf("%s: nobody is erased:\n%w", name, err)
	}
	return subjects, nil
}

func erase(ctx context.Context, f controlFlags, subjects []identity.Node, stdout, stderr io.Writer) error {
	cfg, _, err := f.open(ctx, stderr)
	if err != nil {
		return err
	}
	all, seen, err := control.People(ctx, cfg, subjects)
	if err != nil {
		return err
	}
	var controls []avro.Control
	for part := range slices.Chunk(all, control.ErasureMax) {
		record := avro.ErasureRecord{At: time.Now()}
		for _, n := range part {
			record.Nodes = append(record.Nodes, n.Bytes())
		}
		controls = append(controls, avro.Control{Kind: control.Erasure, Erasure: &record})
	}
	ordered := "ordered to be erased"
	if f.dryRun {
		ordered = "would be ordered to be erased"
	} else if err := sendControls(ctx, cfg, controls, stderr); err != nil {
		return err
	}
	levels := map[string]int{}
	for _, n := range all {
		levels[n.Level.String()]++
	}
	text := fmt.Sprintf("%d of %d subjects are known; %d identities %s:", seen, len(subjects), len(all), ordered)
	for _, level := range slices.Sorted(maps.Keys(levels)) {
		text += fmt.Sprintf(" %d %s", levels[level], level)
	}
	if seen == 0 {
		text += "\nnobody of them occurs under this key: see that it is the deployment's; what is ordered holds for what comes of them"
	}
	_, err = fmt.Fprintln(stdout, text)
	return err
}
