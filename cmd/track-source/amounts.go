package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tracksource/internal/control"
	"tracksource/schemas/avro"
)

// amounts is one kind of money beside a contract, with the words of its commands.
type amounts struct {
	kind, name, short, columns, example string
}

func amountsCommands(stdout, stderr io.Writer) []*cobra.Command {
	var cmds []*cobra.Command
	for _, a := range []amounts{
		{control.Spend, "spend", "What was spent on a campaign", "day,payer,partner,channel,asset,amount,currency", "spend.csv"},
		{control.Target, "targets", "What a campaign is to reach", "day,partner,channel,asset,measure,amount,currency", "targets.csv"},
		{control.Cost, "costs", "What a campaign costs besides", "day,payer,partner,channel,asset,amount,currency", "costs.csv"},
	} {
		cmd := &cobra.Command{
			Use: a.name, Short: a.short, Args: noArgs,
			Long: a.short + ": data beside the contract, which attributes nothing.",
			RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		}
		cmd.AddCommand(a.importCommand(stdout, stderr), a.listCommand(stdout, stderr))
		cmds = append(cmds, cmd)
	}
	return cmds
}

func (a amounts) importCommand(stdout, stderr io.Writer) *cobra.Command {
	var f controlFlags
	var campaign string
	long := "import reads CSV with the columns " + a.columns + ", in any order.\n" +
		"A row of a day and names that were imported before replaces the amount, an empty amount takes it back;\n" +
		"what it was stays in the history. An empty partner, channel or asset stands for all together."
	if a.kind == control.Target {
		long += "\nThe day is the last of the period that the target is for; measure is one of\n" +
			strings.Join(control.Measures(), ", ") + ", the first where the column is empty.\n" +
			"quota is the money that sellers are to bring in the period, which pipeline coverage is held against;\n" +
			"reach is how many people are planned at the first milestone of the contract, without a currency."
	}
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Import amounts from a CSV file", Long: long,
		Example: "  track-source " + a.name + " import " + a.example + " --campaign ai-launch-tour --dry-run" + controlExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := oneFile(args)
			if err != nil {
				return err
			}
			if campaign == "" {
				return usageError{errors.New("--campaign is required")}
			}
			records, err := control.ParseAmounts(a.kind, campaign, data, time.Now().UTC())
			if err != nil {
				return fmt.Errorf("%s: nothing is imported:\n%w", args[0], err)
			}
			cfg, book, err := f.open(cmd.Context(), stderr)
			if err != nil {
				return err
			}
			if err := signatories(book, campaign, records); err != nil {
				return fmt.Errorf("%s: nothing is imported: %w", args[0], err)
			}
			return a.send(cmd.Context(), cfg, book, records, f.dryRun, stdout, stderr)
		},
	}
	f.bind(cmd)
	cmd.Flags().StringVar(&campaign, "campaign", "", "campaign that the amounts are of (required)")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be sent; send nothing")
	return cmd
}

// signatories holds partners and payers to the newest contract of the campaign.
func signatories(book *control.Book, campaign string, records []avro.AmountRecord) error {
	c, err := newestContract(book, campaign)
	if err != nil {
		return err
	}
	for i := range records {
		for _, partner := range []string{records[i].Partner, records[i].Payer} {
			if partner != "" && !c.IsPartner(partner) {
				return fmt.Errorf("%q is no partner of %s", partner, campaign)
			}
		}
	}
	return nil
}

// send sends the records that change what is in force.
func (a amounts) send(ctx context.Context, cfg control.Config, book *control.Book, records []avro.AmountRecord, dryRun bool, stdout, stderr io.Writer) error {
	var controls []avro.Control
	fresh, replaced, back := 0, 0, 0
	for i := range records {
		r := &records[i]
		was, exists := control.InForce(book.Amounts[control.KeyOfAmount(a.kind, r)])
		switch {
		case exists && was.Amount == r.Amount && (was.Currency == r.Currency || r.Amount == ""):
			continue
		case r.Amount == "" && !exists:
			continue
		case r.Amount == "":
			back++
		case exists:
			replaced++
		default:
			fresh++
		}
		controls = append(controls, avro.Control{Kind: a.kind, Amount: r})
	}
	if !dryRun {
		if err := sendControls(ctx, cfg, controls, stderr); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("%d rows: %d new, %d replaced, %d taken back, %d known already", len(records), fresh, replaced, back, len(records)-len(controls))
	if dryRun {
		text += "; nothing was sent"
	}
	_, err := fmt.Fprintln(stdout, text)
	return err
}

func (a amounts) listCommand(stdout, stderr io.Writer) *cobra.Command {
	var f controlFlags
	var campaign string
	var history bool
	cmd := &cobra.Command{
		Use: "list", Short: "Print what is in force, as CSV", Args: noArgs,
		Long:    "list prints what import takes; with --history all that was ever imported, with when, the oldest first.",
		Example: "  track-source " + a.name + " list --campaign ai-launch-tour" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if campaign == "" {
				return usageError{errors.New("--campaign is required")}
			}
			_, book, err := f.open(cmd.Context(), stderr)
			if err != nil {
				return err
			}
			return a.list(stdout, book, campaign, history)
		},
	}
	f.bind(cmd)
	cmd.Flags().StringVar(&campaign, "campaign", "", "campaign that the amounts are of (required)")
	cmd.Flags().BoolVar(&history, "history", false, "print replaced amounts and those taken back, too")
	return cmd
}

func (a amounts) list(w io.Writer, book *control.Book, campaign string, history bool) error {
	var rows []avro.AmountRecord
	for key, all := range book.Amounts {
		if key.Kind != a.kind || key.Campaign != campaign {
			continue
		}
		if history {
			rows = append(rows, all...)
		} else if r, ok := control.InForce(all); ok {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(x, y avro.AmountRecord) int {
		return cmp.Or(cmp.Compare(x.Day, y.Day), cmp.Compare(x.Payer, y.Payer), cmp.Compare(x.Partner, y.Partner), cmp.Compare(x.Channel, y.Channel),
			cmp.Compare(x.Asset, y.Asset), cmp.Compare(x.Measure, y.Measure), x.RecordedAt.Compare(y.RecordedAt))
	})
	header := strings.Split(a.columns, ",")
	if history {
		header = append(header, "recorded_at")
	}
	out := csv.NewWriter(w)
	if err := out.Write(header); err != nil {
		return err
	}
	for i := range rows {
		r := &rows[i]
		fields := map[string]string{
			"day": r.Day, "payer": r.Payer, "partner": r.Partner, "channel": r.Channel, "asset": r.Asset,
			"measure": r.Measure, "amount": r.Amount, "currency": r.Currency, "recorded_at": r.RecordedAt.UTC().Format(time.RFC3339Nano),
		}
		row := make([]string, len(header))
		for j, name := range header {
			row[j] = fields[name]
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
