package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tracksource/contract"
	"tracksource/internal/control"
	"tracksource/schemas/avro"
)

func contractCommand(stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use: "contract", Short: "Check the contract of a campaign, and put it in force",
		Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(contractValidateCommand(stdout), contractDiffCommand(stdout, stderr), contractApplyCommand(stdout, stderr), contractSchemaCommand(stdout),
		contractProposeCommand(stdout, stderr), contractWithdrawCommand(stdout, stderr), contractCompareCommand(stdout, stderr),
		contractApproveCommand(stdout, stderr), contractShowCommand(stdout, stderr))
	return cmd
}

func contractValidateCommand(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use: "validate FILE", Short: "Check a contract without a cluster", Example: "  track-source contract validate ai-launch-tour.yaml",
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := oneFile(args)
			if err != nil {
				return err
			}
			c, err := contract.Parse(data)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			_, err = fmt.Fprintf(stdout, "%s: campaign %s, contract %.12s, is valid\n", args[0], c.Campaign, control.Hash(data))
			return err
		},
	}
}

func contractSchemaCommand(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of contracts, for editors", Args: noArgs, Example: "  track-source contract schema > contract.schema.json",
		RunE: func(*cobra.Command, []string) error {
			_, err := stdout.Write(contract.Schema())
			return err
		},
	}
}

func taxonomyCommand(stdout io.Writer) *cobra.Command {
	asCSV := false
	cmd := &cobra.Command{
		Use: "taxonomy FILE", Short: "Print what a contract makes of tags, assets and stages, for those who set them",
		Example: "  track-source taxonomy ai-launch-tour.yaml\n  track-source taxonomy ai-launch-tour.yaml --csv",
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := oneFile(args)
			if err != nil {
				return err
			}
			terms, err := contract.Taxonomy(data)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			text := contract.TaxonomyMarkdown(terms)
			if asCSV {
				if text, err = contract.TaxonomyCSV(terms); err != nil {
					return err
				}
			}
			_, err = io.WriteString(stdout, text)
			return err
		},
	}
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print CSV instead of Markdown")
	return cmd
}

func contractDiffCommand(stdout, stderr io.Writer) *cobra.Command {
	var f controlFlags
	cmd := &cobra.Command{
		Use: "diff [OLD] NEW", Short: "Say what differs between two contracts, and what that changes",
		Long: "diff compares two files, or a file with the revision that is in force on a cluster.",
		Example: "  track-source contract diff signed.yaml proposal.yaml\n" +
			"  track-source contract diff proposal.yaml" + controlExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return usageError{errors.New("name two files, or one and a cluster")}
			}
			newer, err := oneFile(args[len(args)-1:])
			if err != nil {
				return err
			}
			var older []byte
			if len(args) == 2 {
				older, err = oneFile(args[:1])
			} else {
				older, err = f.inForce(cmd.Context(), newer, stderr)
			}
			if err != nil {
				return err
			}
			changes, err := contract.Diff(older, newer)
			if err != nil {
				return err
			}
			c, err := contract.Parse(newer)
			if err != nil {
				return err
			}
			return sayChanges(stdout, changes, c)
		},
	}
	f.bind(cmd)
	return cmd
}

// inForce is the newest revision of the campaign of a document.
func (f *controlFlags) inForce(ctx context.Context, document []byte, stderr io.Writer) ([]byte, error) {
	c, err := contract.Parse(document)
	if err != nil {
		return nil, err
	}
	_, book, err := f.open(ctx, stderr)
	if err != nil {
		return nil, err
	}
	last, exists := book.Newest(c.Campaign)
	if !exists {
		return nil, fmt.Errorf("campaign %s has no contract there", c.Campaign)
	}
	return []byte(last.Document), nil
}

// sayChanges says what differs in the newer contract, and for which days it counts.
func sayChanges(w io.Writer, changes []contract.Change, newer *contract.Contract) error {
	if len(changes) == 0 {
		_, err := fmt.Fprintln(w, "no difference")
		return err
	}
	days := "accounts for all conversion days"
	if newer.HasRestateFrom {
		days = fmt.Sprintf("accounts for conversion days from %s on; those before it stay with the revisions before", newer.RestateFrom)
	}
	for _, c := range changes {
		if _, err := fmt.Fprintln(w, c); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, days)
	return err
}

func contractApplyCommand(stdout, stderr io.Writer) *cobra.Command {
	r := revising{stdout: stdout, stderr: stderr, make: control.Revise}
	cmd := &cobra.Command{
		Use: "apply FILE", Short: "Put the next revision of a contract in force",
		Long: "apply sends a contract as the next revision of its campaign. Running services take it at one place of\n" +
			"their order and restate what it changes: all conversion days, or with restate_from those from that\n" +
			"day on, and then zone, currency and models must be as they were. --previous names the revision that\n" +
			"the author knew: when another one has come meanwhile, nothing is sent. What was proposed and is\n" +
			"applied unchanged is a proposal no longer. A contract that names approvals for its revisions, or follows\n" +
			"one that does, has to be proposed first and approved by each of them. Who changes what is in force says\n" +
			"for which office and why: contract show, packages and plans tell it.",
		Example: "  track-source contract apply ai-launch-tour.yaml" + controlExample + "\n" +
			"  track-source contract apply ai-launch-tour.yaml --previous 1 --by \"Revenue Operations\" --why \"as agreed on 3 March\"" + controlExample,
		RunE: func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), args) },
	}
	r.bind(cmd)
	return cmd
}

// revising is how a document becomes the next revision of its contract, or what is
// proposed as that.
type revising struct {
	stdout, stderr io.Writer
	flags          controlFlags
	reason         reason
	previous       int64
	proposed       bool
	make           func(document []byte, last int64, now time.Time) (avro.Control, error)
}

func (r *revising) bind(cmd *cobra.Command) {
	r.flags.bind(cmd)
	r.reason.bind(cmd)
	cmd.Flags().BoolVar(&r.flags.dryRun, "dry-run", false, "say what would be sent; send nothing")
	cmd.Flags().Int64Var(&r.previous, "previous", -1, "revision that the author of the file knew, 0 for none")
}

func (r *revising) run(ctx context.Context, args []string) error {
	data, err := oneFile(args)
	if err != nil {
		return err
	}
	c, err := contract.Parse(data)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	cfg, book, err := r.flags.open(ctx, r.stderr)
	if err != nil {
		return err
	}
	last, exists := book.Newest(c.Campaign)
	hash := control.Hash(data)
	switch {
	case exists && last.Hash == hash:
		return r.say("campaign %s: revision %d is this contract already\n", c.Campaign, last.Revision)
	case r.proposed && book.Proposals[c.Campaign].Hash == hash && book.Proposals[c.Campaign].Previous == last.Revision:
		return r.say("campaign %s: revision %d is proposed like this already\n", c.Campaign, last.Revision+1)
	case exists && r.previous < 0:
		return usageError{fmt.Errorf("campaign %s has revision %d of %s: say that you know it with --previous %d", c.Campaign, last.Revision, last.RecordedAt.UTC().Format(time.DateTime), last.Revision)}
	case r.previous >= 0 && r.previous != last.Revision:
		return fmt.Errorf("campaign %s: the newest revision is %d, not %d: somebody else has changed the contract; bring both together", c.Campaign, last.Revision, r.previous)
	}
	if err := r.reason.given(exists); err != nil {
		return err
	}
	record, err := r.make(data, last.Revision, now())
	if err != nil {
		return err
	}
	record.Contract.By, record.Contract.Why = r.reason.by, r.reason.why
	if err := book.Judge(&record); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if exists {
		changes, err := contract.Diff([]byte(last.Document), data)
		if err == nil {
			err = sayChanges(r.stdout, changes, c)
		}
		if err != nil {
			return err
		}
	}
	verb := "sent"
	if r.flags.dryRun {
		verb = "would be sent"
	} else if err := sendJudged(ctx, cfg, record, r.stderr); err != nil {
		return err
	}
	what := "revision"
	if r.proposed {
		what = "proposal of revision"
	}
	if err := r.say("campaign %s: %s %d, contract %.12s, %s\n", c.Campaign, what, last.Revision+1, hash, verb); err != nil || !r.proposed {
		return err
	}
	if err := book.Take(&record); err != nil {
		return err
	}
	return sayMissing(r.stdout, book, c.Campaign)
}

func (r *revising) say(format string, args ...any) error {
	_, err := fmt.Fprintf(r.stdout, format, args...)
	return err
}
