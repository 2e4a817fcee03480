package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tracksource/contract"
	"tracksource/internal/control"
	"tracksource/schemas/avro"
)

func overlapCommand(stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use: "overlap", Short: "Deals in two CRMs that may be one business", Args: noArgs,
		Long: "overlap lists the deals of one account in different CRMs that were created so close to each other that\n" +
			"they may be one business, and says which of them are. Until somebody decides, the deal outside of the\n" +
			"system of record counts for nothing.",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(overlapListCommand(stdout, stderr), overlapResolveCommand(stdout, stderr))
	return cmd
}

// overlapOpen is the status of a suspicion that nobody has decided.
const overlapOpen = "open"

func overlapListCommand(stdout, stderr io.Writer) *cobra.Command {
	var f controlFlags
	var campaign string
	var history bool
	cmd := &cobra.Command{
		Use: "list", Short: "Print suspected overlaps and what was decided, as CSV", Args: noArgs,
		Long: "list prints each pair of deals that is suspected or decided, with its status: open, same or different.\n" +
			"With --history it prints all decisions ever made instead, the oldest first.",
		Example: "  track-source overlap list --campaign ai-launch-tour" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if campaign == "" {
				return usageError{errors.New("--campaign is required")}
			}
			cfg, book, err := f.open(cmd.Context(), stderr)
			if err != nil {
				return err
			}
			c, err := newestContract(book, campaign)
			if err != nil {
				return err
			}
			if history {
				return overlapHistory(stdout, book, campaign)
			}
			return overlapList(cmd.Context(), stdout, cfg, book, c)
		},
	}
	f.bind(cmd)
	cmd.Flags().StringVar(&campaign, "campaign", "", "campaign whose book it is about (required)")
	cmd.Flags().BoolVar(&history, "history", false, "print every decision, replaced ones too")
	return cmd
}

func overlapList(ctx context.Context, w io.Writer, cfg control.Config, book *control.Book, c *contract.Contract) error {
	suspected, err := control.Suspicions(ctx, cfg, c.Campaign)
	if err != nil {
		return err
	}
	rows, raised := map[control.OverlapKey][]string{}, map[control.OverlapKey]string{}
	for _, s := range suspected { // of one pair the newest comes last
		if inRecord(c, s.Other) && !inRecord(c, s.Deal) {
			s.Deal, s.Other = s.Other, s.Deal
		}
		key := control.OverlapKey{Campaign: c.Campaign, Deal: s.Deal, Other: s.Other}
		if raised[key] = instant(s.At); s.Settled {
			delete(rows, key)
			continue
		}
		rows[key] = []string{overlapOpen, control.DealText(s.Deal), control.DealText(s.Other), raised[key], "", "", ""}
	}
	for key, all := range book.Overlaps {
		if key.Campaign != c.Campaign {
			continue
		}
		last := all[len(all)-1]
		rows[key] = []string{last.Decision, control.DealText(key.Deal), control.DealText(key.Other), raised[key], instant(last.At), last.By, last.Why}
	}
	var lines [][]string
	for _, row := range rows {
		lines = append(lines, row)
	}
	slices.SortFunc(lines, func(a, b []string) int { return slices.Compare(a[1:], b[1:]) })
	return printCSV(w, []string{"status", "deal", "other", "suspected_at", "decided_at", "by", "why"}, lines)
}

func overlapHistory(w io.Writer, book *control.Book, campaign string) error {
	var all []avro.OverlapRecord
	for key, records := range book.Overlaps {
		if key.Campaign == campaign {
			all = append(all, records...)
		}
	}
	slices.SortStableFunc(all, func(a, b avro.OverlapRecord) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(control.DealText(a.Deal), control.DealText(b.Deal)), cmp.Compare(control.DealText(a.Other), control.DealText(b.Other)))
	})
	var lines [][]string
	for i := range all {
		r := &all[i]
		lines = append(lines, []string{instant(r.At), r.Decision, control.DealText(r.Deal), control.DealText(r.Other), r.By, r.Why})
	}
	return printCSV(w, []string{"decided_at", "decision", "deal", "other", "by", "why"}, lines)
}

func instant(at time.Time) string { return at.UTC().Format(time.RFC3339) }

func overlapResolveCommand(stdout, stderr io.Writer) *cobra.Command {
	var f controlFlags
	var r avro.OverlapRecord
	var deal, other string
	cmd := &cobra.Command{
		Use: "resolve", Short: "Say whether two deals are one business", Args: noArgs,
		Long: "resolve decides: deals that are the same count once, as the one in the system of record; deals that are\n" +
			"different count as the contract says. A later decision on the same deals replaces an earlier one; all\n" +
			"are kept, with who made them, when and why. Deals are named as list does, reporter/source/id; --deal is\n" +
			"that of the system of record.",
		Example: "  track-source overlap resolve --campaign ai-launch-tour --deal acme/salesforce/0065g00000XyZabAAF --other globex/hubspot/4711 \\\n" +
			"    --as same --by ann --why \"one order form\"" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, flag := range []struct{ name, value string }{
				{"campaign", r.Campaign}, {"deal", deal}, {"other", other}, {"as", r.Decision}, {"by", r.By}, {"why", r.Why},
			} {
				if flag.value == "" {
					return usageError{fmt.Errorf("--%s is required", flag.name)}
				}
			}
			var err error
			if r.Deal, err = control.ParseDeal(deal); err != nil {
				return usageError{fmt.Errorf("--deal: %w", err)}
			}
			if r.Other, err = control.ParseDeal(other); err != nil {
				return usageError{fmt.Errorf("--other: %w", err)}
			}
			if r.Decision != control.OverlapSame && r.Decision != control.OverlapDifferent {
				return usageError{fmt.Errorf("--as %q; write %s or %s", r.Decision, control.OverlapSame, control.OverlapDifferent)}
			}
			cfg, book, err := f.open(cmd.Context(), stderr)
			if err != nil {
				return err
			}
			r.At = time.Now().UTC()
			return overlapResolve(cmd.Context(), cfg, book, &r, f.dryRun, stdout, stderr)
		},
	}
	f.bind(cmd)
	flags := cmd.Flags()
	flags.StringVar(&r.Campaign, "campaign", "", "campaign whose book it holds for (required)")
	flags.StringVar(&deal, "deal", "", "the deal in the system of record, reporter/source/id (required)")
	flags.StringVar(&other, "other", "", "the deal in the other CRM, reporter/source/id (required)")
	flags.StringVar(&r.Decision, "as", "", "same or different (required)")
	flags.StringVar(&r.By, "by", "", "who decides (required)")
	flags.StringVar(&r.Why, "why", "", "the reason (required)")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would be sent; send nothing")
	return cmd
}

func overlapResolve(ctx context.Context, cfg control.Config, book *control.Book, r *avro.OverlapRecord, dryRun bool, stdout, stderr io.Writer) error {
	c := avro.Control{Kind: control.Overlap, Overlap: r}
	if err := book.Judge(&c); err != nil {
		return err
	}
	if err := overlapDirection(book, r); err != nil {
		return err
	}
	what := fmt.Sprintf("%s and %s are %s", control.DealText(r.Deal), control.DealText(r.Other), r.Decision)
	if all := book.Overlaps[control.KeyOfOverlap(r)]; len(all) > 0 && all[len(all)-1].Decision == r.Decision {
		last := all[len(all)-1]
		_, err := fmt.Fprintf(stdout, "%s, as %s decided on %s; nothing was sent\n", what, last.By, instant(last.At))
		return err
	}
	if dryRun {
		_, err := fmt.Fprintf(stdout, "%s; nothing was sent\n", what)
		return err
	}
	if err := sendControls(ctx, cfg, []avro.Control{c}, stderr); err != nil {
		return err
	}
	_, err := fmt.Fprintf(stdout, "%s; sent\n", what)
	return err
}

// overlapDirection refuses a decision that would be told to the wrong deal: it belongs
// to the one in the system of record.
func overlapDirection(book *control.Book, r *avro.OverlapRecord) error {
	c, err := newestContract(book, r.Campaign)
	if err != nil {
		return err
	}
	if inRecord(c, r.Other) {
		return fmt.Errorf("%s is in the system of record of %s: name it by --deal, and the other one by --other", control.DealText(r.Other), r.Campaign)
	}
	return nil
}

func inRecord(c *contract.Contract, d avro.DealName) bool {
	return d.Reporter == c.SystemOfRecord.Partner && d.Source == c.SystemOfRecord.Source
}
