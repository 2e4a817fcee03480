package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tracksource/internal/plans"
	"tracksource/report/plan"
)

func planCommand(stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use: "plan", Short: "Plans of reporting packages: what was set out to do, and what came of it", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(planListCommand(stdout, stderr), planChangesCommand(stdout, stderr), planValidateCommand(stdout), &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of plans", Args: noArgs, Example: "  track-source plan schema > plan.schema.json",
		RunE: func(*cobra.Command, []string) error {
			_, err := stdout.Write(plan.Schema())
			return err
		},
	})
	return cmd
}

// planFlags are those of commands that look at a directory of plans.
type planFlags struct {
	dir, campaign string
	stderr        io.Writer
}

func (f *planFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.dir, "plan-dir", plans.DirDefault, "`DIRECTORY` of plans")
	cmd.Flags().StringVar(&f.campaign, "campaign", "", "campaign by id or name (all)")
}

// entries are the plans of the campaign, the newest first. What cannot be read is told
// on stderr.
func (f *planFlags) entries() ([]plans.Entry, error) {
	if _, err := os.Stat(f.dir); err != nil {
		return nil, usageError{fmt.Errorf("--plan-dir: %w", err)}
	}
	dir, err := plans.Open(plans.Config{Path: f.dir, Now: now})
	if err != nil {
		return nil, err
	}
	all, left, err := dir.List()
	if err != nil {
		return nil, err
	}
	var out []plans.Entry
	for _, e := range all {
		switch {
		case e.Err != nil:
			_, _ = fmt.Fprintf(f.stderr, "%s: %s\n", e.Path, printable(e.Err.Error()))
		case f.campaign == "" || plans.Of(e.Plan.TrackSource.Campaign, f.campaign):
			out = append(out, e)
		}
	}
	if left > 0 {
		_, _ = fmt.Fprintf(f.stderr, "%d older plans were not looked at\n", left)
	}
	return out, nil
}

func planListCommand(stdout, stderr io.Writer) *cobra.Command {
	f := planFlags{stderr: stderr}
	cmd := &cobra.Command{
		Use: "list", Short: "Print plans and what was measured, as CSV, the newest first", Args: noArgs,
		Long: "list prints the plans of a directory. What is asked of a plan that is not completed is empty. A plan\n" +
			"that was changed after it was written is edited.",
		Example: "  track-source plan list --campaign ai-launch-tour",
		RunE: func(*cobra.Command, []string) error {
			entries, err := f.entries()
			if err != nil {
				return err
			}
			var lines [][]string
			for _, e := range entries {
				lines = append(lines, planLine(e))
			}
			return printCSV(stdout, []string{
				"plan", "status", "edited", "campaign", "window", "from", "to", "model", "revision", "confidence", "sla_adherence", "attempts", "changes", "escalated_to", "manifest",
			}, lines)
		},
	}
	f.bind(cmd)
	return cmd
}

func planLine(e plans.Entry) []string {
	p, b := e.Plan, &e.Plan.TrackSource
	window, from, to, model, manifest, rung := b.Question.Window, "", "", b.Question.Model, "", ""
	if a := b.Answered; a != nil {
		window, from, to, model = a.Window, a.From, a.To, a.Model
	}
	if b.Package != nil {
		manifest = b.Package.Manifest
	}
	if n := len(b.Escalations); n > 0 {
		rung = b.Escalations[n-1].Rung
	}
	changes := 0
	for _, c := range b.ChangeLog {
		if c.PlanID == p.PlanID {
			changes++
		}
	}
	campaign := b.Campaign.ID
	if campaign == "" {
		campaign = b.Campaign.Asked
	}
	return []string{
		p.PlanID, string(p.Status), strconv.FormatBool(e.Edited), campaign, window, from, to, model, strconv.FormatInt(b.Campaign.Revision, 10),
		p.Measured("attribution_confidence"), p.Measured("sla_adherence"), strconv.Itoa(len(b.Attempts)), strconv.Itoa(changes), rung, manifest,
	}
}

func planChangesCommand(stdout, stderr io.Writer) *cobra.Command {
	f := planFlags{stderr: stderr}
	cmd := &cobra.Command{
		Use: "changes", Short: "Print what changed from plan to plan and why, as CSV, the newest first", Args: noArgs,
		Long: "changes prints the change log of a campaign: models, windows, dimensions, the contract, data sources and\n" +
			"cadence, of completed plans; of others only what is odd about the directory.",
		Example: "  track-source plan changes --campaign ai-launch-tour",
		RunE: func(*cobra.Command, []string) error {
			if err := required("campaign", f.campaign); err != nil {
				return err
			}
			entries, err := f.entries()
			if err != nil {
				return err
			}
			var lines [][]string
			for _, e := range entries {
				for _, c := range e.Plan.TrackSource.ChangeLog {
					if c.PlanID == e.Plan.PlanID && (e.Plan.Status == plan.Completed || c.Subject == "history") {
						lines = append(lines, []string{c.At.Format(time.RFC3339), c.PlanID, c.Since, c.Subject, c.Key, c.Before, c.After, c.Why})
					}
				}
			}
			return printCSV(stdout, []string{"at", "plan", "since", "subject", "key", "before", "after", "why"}, lines)
		},
	}
	f.bind(cmd)
	return cmd
}

func planValidateCommand(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use: "validate FILE...", Short: "Hold plans against their JSON Schema, and say whether they were edited",
		Example: "  track-source plan validate .claude/plans/plan-20261126-120000.json",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("name a plan's file")}
			}
			schema, err := plans.NewSchema()
			if err != nil {
				return err
			}
			bad := 0
			for _, path := range args {
				verdict, err := validatePlan(schema, path)
				if err != nil {
					return err
				}
				if strings.HasPrefix(verdict, "invalid") {
					bad++
				}
				if _, err := fmt.Fprintf(stdout, "%s: %s\n", path, verdict); err != nil {
					return err
				}
			}
			if bad > 0 {
				return fmt.Errorf("%d of %d plans are not valid", bad, len(args))
			}
			return nil
		},
	}
}

func validatePlan(schema *plans.Schema, path string) (string, error) {
	text, err := plans.Read(path)
	if err != nil {
		return "", usageError{err}
	}
	if err := schema.Check(text); err != nil {
		return "invalid, " + err.Error(), nil
	}
	p, edited, err := plan.Decode(text)
	switch {
	case err != nil:
		return "invalid, " + err.Error(), nil
	case p.PlanID+".json" != filepath.Base(path):
		return "invalid, it is the plan " + p.PlanID, nil
	case edited:
		return "valid, edited by hand", nil
	}
	return "valid, as it was written", nil
}
