package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tracksource/contract"
	"tracksource/internal/control"
	"tracksource/internal/gaps"
	"tracksource/internal/line"
	"tracksource/money"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// errGaps says that something is missing; the report has said what.
var errGaps = errors.New("something is missing before the campaign can be trusted")

func checkCommand(stdout, stderr io.Writer) *cobra.Command {
	var f controlFlags
	var campaign, now string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say what is missing before a campaign starts",
		Long: "check reads journeys and says what of the contract is not met: feeds that are silent, tags and\n" +
			"stages that it does not know, what it agrees on and nobody uses, deals that cannot be valued, and\n" +
			"how many touches of each feed are on an account. It changes nothing, holds all items in memory,\n" +
			"and ends with exit code 1 if something is missing.",
		Example: "  track-source check --campaign ai-launch-tour --feed crm.acme --feed map.acme" + controlExample,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at := time.Now()
			var err error
			if now != "" {
				if at, err = time.Parse(time.RFC3339, now); err != nil {
					return usageError{fmt.Errorf("--as-of: %w", err)}
				}
			}
			if campaign == "" {
				return usageError{errors.New("--campaign is required")}
			}
			cfg, book, err := f.open(cmd.Context(), stderr)
			if err != nil {
				return err
			}
			report, err := findGaps(cmd.Context(), cfg, book, campaign, at)
			if err != nil {
				return err
			}
			return sayGaps(stdout, report, asJSON)
		},
	}
	f.bind(cmd)
	cmd.Flags().StringVar(&campaign, "campaign", "", "campaign to look at (required)")
	cmd.Flags().StringVar(&now, "as-of", "", "instant from which freshness is counted back, RFC 3339 (default now)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

func findGaps(ctx context.Context, cfg control.Config, book *control.Book, campaign string, now time.Time) (gaps.Report, error) {
	last, known := book.Newest(campaign)
	if !known {
		return gaps.Report{}, fmt.Errorf("campaign %s has no contract there", campaign)
	}
	c, err := contract.Parse([]byte(last.Document))
	if err != nil {
		return gaps.Report{}, err
	}
	rates := &money.Rates{}
	for pair, text := range book.Rates {
		if err := rates.Set(pair.Base, pair.Quote, pair.Day, text); err != nil {
			return gaps.Report{}, err
		}
	}
	var feeds []gaps.Feed
	for _, feed := range cfg.Spec.Feeds() {
		if c.IsPartner(feed.Partner) {
			feeds = append(feeds, gaps.Feed{Feed: feed.Kind, Partner: feed.Partner})
		}
	}
	finder := gaps.New(gaps.Config{Contract: c, Document: []byte(last.Document), Rates: rates, Feeds: feeds, Now: now})
	err = stream.ReadTopic(ctx, line.StreamConn(cfg.Kafka), cfg.Log, cfg.Spec.Journeys(), func(r stream.Record) error {
		var ev avro.JourneyEvent
		if err := cfg.Codecs.Journey.Decode(r.Value, &ev); err != nil {
			return fmt.Errorf("journeys %d@%d: %w", r.Partition, r.Offset, err)
		}
		finder.Add(&ev)
		return nil
	})
	if err != nil {
		return gaps.Report{}, err
	}
	return finder.Report()
}

func sayGaps(stdout io.Writer, r gaps.Report, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			return err
		}
	} else if _, err := io.WriteString(stdout, gapsText(r)); err != nil {
		return err
	}
	if len(r.Gaps) > 0 {
		return errGaps
	}
	return nil
}

func gapsText(r gaps.Report) string {
	text := "campaign " + r.Campaign + "\n"
	for _, f := range r.Feeds {
		text += fmt.Sprintf("  %s.%s: %d items", f.Feed, f.Partner, f.Items)
		if f.Touches > 0 {
			text += fmt.Sprintf(", %d of %d touches on an account (%d %%)", f.Matched, f.Touches, f.Matched*100/f.Touches)
		}
		if !f.NewestAt.IsZero() {
			text += ", the newest of " + f.NewestAt.UTC().Format(time.RFC3339)
		}
		text += "\n"
	}
	kind := ""
	for _, g := range r.Gaps {
		if g.Kind != kind {
			kind = g.Kind
			text += kind + ": " + g.Mend + "\n"
		}
		if g.Count > 0 {
			text += fmt.Sprintf("%6d  %s\n", g.Count, g.What)
		} else {
			text += "        " + g.What + "\n"
		}
	}
	if len(r.Gaps) == 0 {
		text += "nothing is missing\n"
	}
	return text
}
