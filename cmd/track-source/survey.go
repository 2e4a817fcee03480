package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tracksource/internal/control"
	"tracksource/money"
	"tracksource/schemas/avro"
)

func surveyCommand(stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use: "survey", Short: "How content partners are with the numbers", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(surveyRecordCommand(stdout, stderr), surveyListCommand(stdout, stderr))
	return cmd
}

func surveyRecordCommand(stdout, stderr io.Writer) *cobra.Command {
	s := saying{stdout: stdout, stderr: stderr}
	var r avro.SurveyRecord
	cmd := &cobra.Command{
		Use: "record", Short: "Record the score that a partner gives", Args: noArgs,
		Long:    "record keeps a score from 0 to 10, with one decimal place at most. A later one of the same day replaces it.",
		Example: "  track-source survey record --campaign ai-launch-tour --as globex --score 8.5 --by \"Partner Operations\" --why \"quarterly review\"" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required("campaign", s.campaign, "as", s.as, "score", r.Score, "by", s.by, "why", s.why); err != nil {
				return err
			}
			if r.Day != "" {
				if _, err := money.ParseDay(r.Day); err != nil {
					return usageError{fmt.Errorf("--day: %w", err)}
				}
			}
			cfg, book, err := s.flags.open(cmd.Context(), stderr)
			if err != nil {
				return err
			}
			c, err := newestContract(book, s.campaign)
			if err != nil {
				return err
			}
			r.Campaign, r.Partner, r.By, r.Why, r.At = s.campaign, s.as, s.by, s.why, now()
			if r.Day == "" {
				r.Day = c.Day(r.At).String()
			}
			return s.decide(cmd.Context(), cfg, book, avro.Control{Kind: control.Survey, Survey: &r}, fmt.Sprintf("%s gives %s on %s", r.Partner, r.Score, r.Day))
		},
	}
	s.bind(cmd, ofAPartner)
	s.bindCampaign(cmd)
	cmd.Flags().StringVar(&r.Score, "score", "", "0 to 10 (required)")
	cmd.Flags().StringVar(&r.Day, "day", "", "day of the answer, YYYY-MM-DD (today)")
	return cmd
}

func surveyListCommand(stdout, stderr io.Writer) *cobra.Command {
	var f controlFlags
	var campaign string
	cmd := &cobra.Command{
		Use: "list", Short: "Print the scores that partners gave, as CSV", Args: noArgs,
		Example: "  track-source survey list --campaign ai-launch-tour" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			book, err := f.bookOf(cmd.Context(), campaign, stderr)
			if err != nil {
				return err
			}
			var lines [][]string
			for _, r := range book.Surveys[campaign] {
				lines = append(lines, []string{r.Day, r.Partner, r.Score, instant(r.At), r.By, r.Why})
			}
			return printCSV(stdout, []string{"day", "partner", "score", "at", "by", "why"}, lines)
		},
	}
	f.bind(cmd)
	cmd.Flags().StringVar(&campaign, "campaign", "", "campaign that they are about (required)")
	return cmd
}
