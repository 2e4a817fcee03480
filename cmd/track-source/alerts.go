package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"tracksource/deploy/kafka"
	"tracksource/internal/control"
	"tracksource/internal/governance"
	"tracksource/internal/line"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

func alertsCommand(stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use: "alerts", Short: "What somebody should look at, and who does", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(alertsListCommand(stdout, stderr), alertsAckCommand(stdout, stderr))
	return cmd
}

func alertsListCommand(stdout, stderr io.Writer) *cobra.Command {
	var f controlFlags
	var campaign, kind string
	var all bool
	cmd := &cobra.Command{
		Use: "list", Short: "Print alerts as they stand and who has taken them on, as CSV", Args: noArgs,
		Example: "  track-source alerts list --campaign ai-launch-tour" + controlExample + "\n" +
			"  track-source alerts list --kind guardrail --all" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, book, err := f.open(cmd.Context(), stderr)
			if err != nil {
				return err
			}
			alerts, err := alertsOf(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			taken := map[string]avro.AcknowledgementRecord{}
			for _, records := range book.Acknowledgements {
				for _, r := range records {
					taken[r.Alert] = r
				}
			}
			var lines [][]string
			for i := range alerts {
				a := &alerts[i]
				if campaign != "" && a.Campaign != campaign || kind != "" && a.Kind != kind || !all && a.State == governance.AlertSettled {
					continue
				}
				lines = append(lines, []string{a.State, a.Severity, a.Kind, a.ID, a.Rung, a.Campaign, a.Partner, a.Subject, a.Since, a.Deadline, instant(a.RaisedAt), taken[a.ID].By, a.Message})
			}
			return printCSV(stdout, []string{"state", "severity", "kind", "id", "rung", "campaign", "partner", "subject", "since", "deadline", "raised_at", "taken_by", "message"}, lines)
		},
	}
	f.bind(cmd)
	cmd.Flags().StringVar(&campaign, "campaign", "", "campaign whose alerts they are (any, and of none)")
	cmd.Flags().StringVar(&kind, "kind", "", "kind of the alerts (any)")
	cmd.Flags().BoolVar(&all, "all", false, "print those that are settled too")
	return cmd
}

// alertsOf reads all alerts as they were raised last, the oldest first.
func alertsOf(ctx context.Context, cfg control.Config) ([]avro.Alert, error) {
	if err := kafka.Verify(ctx, cfg.Kafka, cfg.Spec, cfg.Spec.Alerts()); err != nil {
		return nil, err
	}
	found := map[string]avro.Alert{}
	err := stream.ReadTopic(ctx, line.StreamConn(cfg.Kafka), cfg.Log, cfg.Spec.Alerts(), func(r stream.Record) error {
		if r.Value == nil {
			delete(found, string(r.Key))
			return nil
		}
		var a avro.Alert
		if err := cfg.Codecs.Alert.Decode(r.Value, &a); err != nil {
			return fmt.Errorf("alert %d@%d: %w", r.Partition, r.Offset, err)
		}
		found[a.ID] = a
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	return slices.SortedFunc(maps.Values(found), func(a, b avro.Alert) int {
		return cmp.Or(a.RaisedAt.Compare(b.RaisedAt), cmp.Compare(a.ID, b.ID))
	}), nil
}

func alertsAckCommand(stdout, stderr io.Writer) *cobra.Command {
	s := saying{stdout: stdout, stderr: stderr}
	var id string
	cmd := &cobra.Command{
		Use: "ack", Short: "Record that somebody has taken an alert on", Args: noArgs,
		Long: "ack says who looks after an alert. That settles nothing: an alert climbs for as long as what it is about\n" +
			"persists.",
		Example: "  track-source alerts ack --id guardrail/ai-launch-tour/freshness/crm.acme --by \"Revenue Operations\" --why \"the connector is restarted\"" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required("id", id, "by", s.by, "why", s.why); err != nil {
				return err
			}
			cfg, book, err := s.flags.open(cmd.Context(), stderr)
			if err != nil {
				return err
			}
			alerts, err := alertsOf(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(alerts, func(a avro.Alert) bool { return a.ID == id })
			switch {
			case i < 0:
				return fmt.Errorf("there is no alert %.100q: track-source alerts list prints those that there are", id)
			case alerts[i].State == governance.AlertSettled:
				return fmt.Errorf("alert %s is settled already", id)
			case s.as != "" && alerts[i].Partner != "" && alerts[i].Partner != s.as:
				return fmt.Errorf("alert %s is of %s, and not %s's to take on", id, alerts[i].Partner, s.as)
			}
			r := avro.AcknowledgementRecord{Campaign: alerts[i].Campaign, Partner: s.as, Alert: id, By: s.by, Why: s.why, At: now()}
			return s.decide(cmd.Context(), cfg, book, avro.Control{Kind: control.Acknowledgement, Acknowledgement: &r}, fmt.Sprintf("alert %s is taken on by %s", id, s.by))
		},
	}
	s.bind(cmd, ofAnybody)
	cmd.Flags().StringVar(&id, "id", "", "the alert, as alerts list prints it (required)")
	return cmd
}
