package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"tracksource/internal/control"
	"tracksource/internal/governance"
	"tracksource/money"
	"tracksource/schemas/avro"
)

func periodCommand(stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use: "period", Short: "Which days of a campaign are closed", Args: noArgs,
		Long: "period closes days, and opens them again. What changes later of a closed day is booked on the first\n" +
			"open one and names the day that it belongs to; the restated view stays as if nothing was closed.",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(periodCloseCommand(stdout, stderr), periodReopenCommand(stdout, stderr), periodApproveCommand(stdout, stderr), periodListCommand(stdout, stderr))
	return cmd
}

func periodCloseCommand(stdout, stderr io.Writer) *cobra.Command {
	s := saying{stdout: stdout, stderr: stderr}
	r := avro.PeriodRecord{Action: governance.PeriodClose}
	cmd := &cobra.Command{
		Use: "close", Short: "Close all days up to one", Args: noArgs,
		Example: "  track-source period close --campaign ai-launch-tour --until 2026-03-31 --by \"Revenue Operations\" --why \"quarter end\"" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required("campaign", s.campaign, "until", r.Day, "by", s.by, "why", s.why); err != nil {
				return err
			}
			return s.period(cmd, r, "until", "all days of %s until %s are closed")
		},
	}
	s.bind(cmd, ofNobody)
	s.bindCampaign(cmd)
	cmd.Flags().StringVar(&r.Day, "until", "", "last day that is closed, YYYY-MM-DD (required)")
	return cmd
}

func periodReopenCommand(stdout, stderr io.Writer) *cobra.Command {
	s := saying{stdout: stdout, stderr: stderr}
	r := avro.PeriodRecord{Action: governance.PeriodReopen}
	cmd := &cobra.Command{
		Use: "reopen", Short: "Open the days from one on again", Args: noArgs,
		Long: "reopen opens closed days again, once every partner has approved it that the contract names under\n" +
			"approvals.reopen: see period approve.",
		Example: "  track-source period reopen --campaign ai-launch-tour --from 2026-03-01 --by \"Governance board\" --why \"dispute globex-17\"" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required("campaign", s.campaign, "from", r.Day, "by", s.by, "why", s.why); err != nil {
				return err
			}
			return s.period(cmd, r, "from", "all days of %s from %s on are open")
		},
	}
	s.bind(cmd, ofNobody)
	s.bindCampaign(cmd)
	cmd.Flags().StringVar(&r.Day, "from", "", "first day that is open again, YYYY-MM-DD (required)")
	return cmd
}

func (s *saying) period(cmd *cobra.Command, r avro.PeriodRecord, flag, what string) error {
	if _, err := money.ParseDay(r.Day); err != nil {
		return usageError{fmt.Errorf("--%s: %w", flag, err)}
	}
	cfg, book, err := s.flags.open(cmd.Context(), s.stderr)
	if err != nil {
		return err
	}
	r.Campaign, r.By, r.Why, r.At = s.campaign, s.by, s.why, now()
	return s.decide(cmd.Context(), cfg, book, avro.Control{Kind: control.Period, Period: &r}, fmt.Sprintf(what, r.Campaign, r.Day))
}

func periodApproveCommand(stdout, stderr io.Writer) *cobra.Command {
	s := saying{stdout: stdout, stderr: stderr}
	var from string
	var refuse bool
	cmd := &cobra.Command{
		Use: "approve", Short: "Record what a partner says to opening days again", Args: noArgs,
		Long:    "approve records the word of a signatory to opening the days from --from on again. Closing or opening\nanything later ends what was said before.",
		Example: "  track-source period approve --campaign ai-launch-tour --from 2026-03-01 --as globex --by \"Partner Operations\" --why \"dispute globex-17\"" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required("campaign", s.campaign, "from", from, "as", s.as, "by", s.by, "why", s.why); err != nil {
				return err
			}
			day, err := money.ParseDay(from)
			if err != nil {
				return usageError{fmt.Errorf("--from: %w", err)}
			}
			cfg, book, err := s.flags.open(cmd.Context(), s.stderr)
			if err != nil {
				return err
			}
			r := avro.ApprovalRecord{Campaign: s.campaign, Partner: s.as, Of: governance.OfReopen, Day: day.String(), Decision: approval(refuse), By: s.by, Why: s.why, At: now()}
			c := avro.Control{Kind: control.Approval, Approval: &r}
			if err := s.decide(cmd.Context(), cfg, book, c, fmt.Sprintf("opening %s again is %s by %s", r.Day, r.Decision, r.Partner)); err != nil || s.flags.dryRun {
				return err
			}
			if err := book.Take(&c); err != nil {
				return err
			}
			missing, err := book.MissingForReopen(s.campaign, day)
			if err == nil && len(missing) > 0 {
				_, err = fmt.Fprintf(stdout, "the approval of %s is missing\n", strings.Join(missing, ", "))
			}
			return err
		},
	}
	s.bind(cmd, ofAPartner)
	s.bindCampaign(cmd)
	cmd.Flags().StringVar(&from, "from", "", "first day that would be open again, YYYY-MM-DD (required)")
	cmd.Flags().BoolVar(&refuse, "refuse", false, "refuse it instead")
	return cmd
}

// approval is the word of an approval.
func approval(refuse bool) string {
	if refuse {
		return governance.Refused
	}
	return governance.Approved
}

func periodListCommand(stdout, stderr io.Writer) *cobra.Command {
	var f controlFlags
	var campaign string
	cmd := &cobra.Command{
		Use: "list", Short: "Print what was closed and opened again of a campaign, as CSV", Args: noArgs,
		Long:    "list prints each closing and reopening with the last day that was closed behind it, and what partners\nsaid to reopening, in the order of time.",
		Example: "  track-source period list --campaign ai-launch-tour" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			book, err := f.bookOf(cmd.Context(), campaign, stderr)
			if err != nil {
				return err
			}
			lines, err := periodLines(book, campaign)
			if err != nil {
				return err
			}
			return printCSV(stdout, []string{"what", "day", "closed_until", "partner", "at", "by", "why"}, lines)
		},
	}
	f.bind(cmd)
	cmd.Flags().StringVar(&campaign, "campaign", "", "campaign whose days they are (required)")
	return cmd
}

func periodLines(book *control.Book, campaign string) ([][]string, error) {
	var lines [][]string
	words := book.Approvals[campaign]
	word := func(r *avro.ApprovalRecord) {
		if r.Of == governance.OfReopen {
			lines = append(lines, []string{"reopen " + r.Decision, r.Day, "", r.Partner, instant(r.At), r.By, r.Why})
		}
	}
	for i := range book.Periods[campaign] {
		r := &book.Periods[campaign][i]
		for ; len(words) > 0 && words[0].At.Before(r.At); words = words[1:] {
			word(&words[0])
		}
		until, err := money.ParseDay(r.Day)
		if err != nil {
			return nil, errors.Join(errors.New("a period that was taken in has no day"), err)
		}
		if r.Action == governance.PeriodReopen {
			until = until.Add(-1)
		}
		lines = append(lines, []string{r.Action, r.Day, until.String(), "", instant(r.At), r.By, r.Why})
	}
	for i := range words {
		word(&words[i])
	}
	return lines, nil
}
