package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tracksource/internal/control"
	"tracksource/internal/governance"
	"tracksource/report"
	"tracksource/schemas/avro"
)

func signCommand(stdout, stderr io.Writer) *cobra.Command {
	s := saying{stdout: stdout, stderr: stderr}
	var dir string
	var dispute bool
	cmd := &cobra.Command{
		Use: "sign", Short: "Record what a partner says to a reporting package", Args: noArgs,
		Long: "sign reads the manifest of a package, holds every file against it, and records that a partner approves\n" +
			"of the package, or with --dispute does not. What is recorded is the hash of the manifest: it stands for\n" +
			"every byte of the package, and of a package that was changed nothing is recorded.",
		Example: "  track-source sign --package march --as globex --by \"Partner Operations\" --why \"agrees with our CRM\"" + controlExample + "\n" +
			"  track-source sign --package march --as globex --dispute --by \"Partner Operations\" --why \"see dispute globex-17\"" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required("package", dir, "as", s.as, "by", s.by, "why", s.why); err != nil {
				return err
			}
			m, hash, err := report.ReadManifest(os.DirFS(dir))
			if err != nil {
				return fmt.Errorf("%s: %w", dir, err)
			}
			cfg, book, err := s.flags.open(cmd.Context(), stderr)
			if err != nil {
				return err
			}
			r := avro.SignatureRecord{Campaign: m.Campaign, Partner: s.as, Hash: hash, Title: m.Title, Decision: governance.Approved, By: s.by, Why: s.why, At: now()}
			if dispute {
				r.Decision = governance.Disputed
			}
			what := fmt.Sprintf("package %.12s of %s, %q with %d files, is %s by %s", hash, m.Campaign, m.Title, len(m.Files), r.Decision, r.Partner)
			return s.decide(cmd.Context(), cfg, book, avro.Control{Kind: control.Signature, Signature: &r}, what)
		},
	}
	s.bind(cmd, ofAPartner)
	cmd.Flags().StringVar(&dir, "package", "", "directory of the package (required)")
	cmd.Flags().BoolVar(&dispute, "dispute", false, "dispute the package instead")
	cmd.AddCommand(signListCommand(stdout, stderr))
	return cmd
}

func signListCommand(stdout, stderr io.Writer) *cobra.Command {
	var f controlFlags
	var campaign string
	cmd := &cobra.Command{
		Use: "list", Short: "Print who has said what to the packages of a campaign, as CSV", Args: noArgs,
		Long:    "list prints every word that was said to a package, the oldest first: of one partner to one package the\nlast counts.",
		Example: "  track-source sign list --campaign ai-launch-tour" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			book, err := f.bookOf(cmd.Context(), campaign, stderr)
			if err != nil {
				return err
			}
			var lines [][]string
			for _, r := range book.Signatures[campaign] {
				lines = append(lines, []string{r.Hash, r.Title, r.Partner, r.Decision, instant(r.At), r.By, r.Why})
			}
			return printCSV(stdout, []string{"package", "title", "partner", "decision", "at", "by", "why"}, lines)
		},
	}
	f.bind(cmd)
	cmd.Flags().StringVar(&campaign, "campaign", "", "campaign whose packages they are (required)")
	return cmd
}
