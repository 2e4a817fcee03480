package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tracksource/internal/control"
	"tracksource/schemas/avro"
)

func accountsCommand(stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use: "accounts", Short: "The account map, which says what belongs to one account", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(accountsImportCommand(stdout, stderr))
	return cmd
}

func accountsImportCommand(stdout, stderr io.Writer) *cobra.Command {
	var f controlFlags
	var asOf string
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Import an account map",
		Long: "import reads CSV with the header account,domain or account,reporter,crm_account, or all four columns:\n" +
			"to which account a domain, or a company in one partner's CRM, belongs. What the map says goes before\n" +
			"every other evidence. A later map corrects an earlier one; no row can be taken back, only replaced.",
		Example: "  track-source accounts import accounts.csv" + controlExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := oneFile(args)
			if err != nil {
				return err
			}
			at := time.Now().UTC()
			if asOf != "" {
				if at, err = time.Parse(time.RFC3339, asOf); err != nil {
					return usageError{fmt.Errorf("--as-of %q is not a time such as 2026-03-01T00:00:00Z", asOf)}
				}
			}
			records, err := control.ParseAccounts(data, at)
			if err != nil {
				return fmt.Errorf("%s: nothing is imported:\n%w", args[0], err)
			}
			cfg, book, err := f.open(cmd.Context(), stderr)
			if err != nil {
				return err
			}
			var controls []avro.Control
			moved := 0
			for i := range records {
				r := &records[i]
				was, known := book.Accounts[control.Company{Domain: r.Domain, Reporter: r.Reporter, CRMAccount: r.CRMAccount}]
				switch {
				case known && was.Account == r.Account:
					continue
				case known && !r.At.After(was.At):
					return fmt.Errorf("a newer map of %s says otherwise: import as of a later time", was.At.UTC().Format(time.RFC3339))
				case known:
					moved++
				}
				controls = append(controls, avro.Control{Kind: control.Account, Account: r})
			}
			if !f.dryRun {
				if err := sendControls(cmd.Context(), cfg, controls, stderr); err != nil {
					return err
				}
			}
			text := fmt.Sprintf("%d rows: %d new, %d moved, %d known already", len(records), len(controls)-moved, moved, len(records)-len(controls))
			if f.dryRun {
				text += "; nothing was sent"
			}
			_, err = fmt.Fprintln(stdout, text)
			return err
		},
	}
	f.bind(cmd)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be sent; send nothing")
	cmd.Flags().StringVar(&asOf, "as-of", "", "when the map was made (now)")
	return cmd
}
