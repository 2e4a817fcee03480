package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tracksource/contract"
	"tracksource/deploy/kafka"
	"tracksource/internal/control"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// controlFlags say where the control topic is.
type controlFlags struct {
	cluster  clusterFlags
	registry string
	dryRun   bool
}

const controlExample = " --bootstrap-servers 127.0.0.1:9092 --registry http://127.0.0.1:8081"

func (f *controlFlags) bind(cmd *cobra.Command) {
	f.cluster.bind(cmd)
	cmd.PersistentFlags().StringVar(&f.registry, "registry", "", "URL of the schema registry (required)")
}

// open connects, and reads what is decided.
func (f *controlFlags) open(ctx context.Context, stderr io.Writer) (control.Config, *control.Book, error) {
	conn, spec, err := f.cluster.resolve()
	if err == nil && f.registry == "" {
		err = errors.New("--registry is required, such as http://127.0.0.1:8081")
	}
	if err != nil {
		return control.Config{}, nil, usageError{err}
	}
	if err := kafka.Verify(ctx, conn, spec, spec.Control()); err != nil {
		return control.Config{}, nil, err
	}
	registry, err := avro.NewHTTP(avro.HTTPConfig{URL: f.registry})
	if err != nil {
		return control.Config{}, nil, usageError{err}
	}
	codecs, err := avro.OpenCodecs(ctx, registry, avro.Subjects(spec.Prefix()))
	if err != nil {
		return control.Config{}, nil, fmt.Errorf("open schemas: %w", err)
	}
	cfg := control.Config{Kafka: conn, Spec: spec, Codecs: codecs, Log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	book, err := control.Read(ctx, cfg)
	return cfg, book, err
}

// oneFile is the one argument of commands that read a file.
func oneFile(args []string) ([]byte, error) {
	if len(args) != 1 {
		return nil, usageError{errors.New("name one file")}
	}
	data, err := os.ReadFile(args[0])
	if err != nil {
		return nil, usageError{err}
	}
	return data, nil
}

func sendControls(ctx context.Context, cfg control.Config, controls []avro.Control, stderr io.Writer) error {
	return control.Send(ctx, cfg, controls, func(done, all int) {
		if all > 1 {
			_, _ = fmt.Fprintf(stderr, "sent %d of %d records\n", done, all)
		}
	})
}

func contractCommand(stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use: "contract", Short: "Check the contract of a campaign, and put it in force",
		Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(contractValidateCommand(stdout), contractDiffCommand(stdout, stderr), contractApplyCommand(stdout, stderr), contractSchemaCommand(stdout))
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
			return sayChanges(stdout, changes)
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

func sayChanges(w io.Writer, changes []contract.Change) error {
	if len(changes) == 0 {
		_, err := fmt.Fprintln(w, "no difference")
		return err
	}
	for _, c := range changes {
		if _, err := fmt.Fprintln(w, c); err != nil {
			return err
		}
	}
	return nil
}

func contractApplyCommand(stdout, stderr io.Writer) *cobra.Command {
	var f controlFlags
	previous := int64(-1)
	cmd := &cobra.Command{
		Use: "apply FILE", Short: "Put the next revision of a contract in force",
		Long: "apply sends a contract as the next revision of its campaign. Running services take it at one place of\n" +
			"their order and restate what it changes. --previous names the revision that the author knew: when\n" +
			"another one has come meanwhile, nothing is sent.",
		Example: "  track-source contract apply ai-launch-tour.yaml --previous 1" + controlExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := oneFile(args)
			if err != nil {
				return err
			}
			c, err := contract.Parse(data)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			cfg, book, err := f.open(cmd.Context(), stderr)
			if err != nil {
				return err
			}
			last, exists := book.Newest(c.Campaign)
			switch {
			case exists && last.Hash == control.Hash(data):
				_, err := fmt.Fprintf(stdout, "campaign %s: revision %d is this contract already\n", c.Campaign, last.Revision)
				return err
			case exists && previous < 0:
				return usageError{fmt.Errorf("campaign %s has revision %d of %s: say that you know it with --previous %d", c.Campaign, last.Revision, last.RecordedAt.UTC().Format(time.DateTime), last.Revision)}
			case previous >= 0 && previous != last.Revision:
				return fmt.Errorf("campaign %s: the newest revision is %d, not %d: somebody else has changed the contract; bring both together", c.Campaign, last.Revision, previous)
			}
			record, err := control.Revise(data, last.Revision, time.Now())
			if err != nil {
				return err
			}
			if exists {
				changes, err := contract.Diff([]byte(last.Document), data)
				if err == nil {
					err = sayChanges(stdout, changes)
				}
				if err != nil {
					return err
				}
			}
			verb := "sent"
			if f.dryRun {
				verb = "would be sent"
			} else if err := sendControls(cmd.Context(), cfg, []avro.Control{record}, stderr); err != nil {
				return err
			}
			_, err = fmt.Fprintf(stdout, "campaign %s: revision %d, contract %.12s, %s\n", c.Campaign, last.Revision+1, record.Contract.Hash, verb)
			return err
		},
	}
	f.bind(cmd)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be sent; send nothing")
	cmd.Flags().Int64Var(&previous, "previous", -1, "revision that the author of the file knew, 0 for none")
	return cmd
}

func fxCommand(stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use: "fx", Short: "Exchange rates", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(fxImportCommand(stdout, stderr))
	return cmd
}

// rateDays is how far back rates are imported unless --from says otherwise.
const rateDays = 400

func fxImportCommand(stdout, stderr io.Writer) *cobra.Command {
	var f controlFlags
	var from, source string
	var currencies []string
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Import exchange rates, those of the European Central Bank or any others",
		Long: "import reads the reference rates of the European Central Bank as it publishes them, CSV or XML, of one\n" +
			"day or of all (https://www.ecb.europa.eu/stats/eurofxref), or CSV with the header base,quote,day,rate.\n" +
			"Rates that are known already are not sent. A pair without a rate of its own is computed across a third\n" +
			"currency of the same day, and a day without rates takes those of up to 7 days before it.",
		Example: "  track-source fx import eurofxref-hist.csv --from 2026-01-01" + controlExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := oneFile(args)
			if err != nil {
				return err
			}
			file, err := money.ParseRateFile(data)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			rates, err := chooseRates(file.Rates, from, currencies)
			if err != nil {
				return usageError{err}
			}
			cfg, book, err := f.open(cmd.Context(), stderr)
			if err != nil {
				return err
			}
			var controls []avro.Control
			corrected := 0
			for _, r := range rates {
				was, known := book.Rates[control.Pair{Base: r.Base, Quote: r.Quote, Day: r.Day}]
				if known && was == r.Text {
					continue
				}
				if known {
					corrected++
				}
				controls = append(controls, avro.Control{Kind: control.Rate, Rate: &avro.RateRecord{Base: r.Base, Quote: r.Quote, Day: r.Day.String(), Rate: r.Text, Source: source}})
			}
			if !f.dryRun {
				if err := sendControls(cmd.Context(), cfg, controls, stderr); err != nil {
					return err
				}
			}
			text := fmt.Sprintf("%d rates: %d new, %d corrected, %d known already", len(rates), len(controls)-corrected, corrected, len(rates)-len(controls))
			if len(file.Unknown) > 0 {
				text += "; left out, since they are no currencies today: " + strings.Join(file.Unknown, ", ")
			}
			if f.dryRun {
				text += "; nothing was sent"
			}
			_, err = fmt.Fprintln(stdout, text)
			return err
		},
	}
	f.bind(cmd)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be sent; send nothing")
	cmd.Flags().StringVar(&from, "from", "", fmt.Sprintf("first day, as YYYY-MM-DD (%d days before the newest)", rateDays))
	cmd.Flags().StringSliceVar(&currencies, "currency", nil, "only rates of these currencies, such as USD,GBP (all)")
	cmd.Flags().StringVar(&source, "source", "ECB", "who published the rates; it stands beside each number that one made")
	return cmd
}

// chooseRates leaves those from a day on, of some currencies.
func chooseRates(rates []money.Rate, from string, currencies []string) ([]money.Rate, error) {
	if len(rates) == 0 {
		return nil, errors.New("the file has no rates")
	}
	first := rates[len(rates)-1].Day - rateDays
	if from != "" {
		day, err := money.ParseDay(from)
		if err != nil {
			return nil, fmt.Errorf("--from: %w", err)
		}
		first = day
	}
	for _, code := range currencies {
		if _, err := money.Exponent(code); err != nil {
			return nil, fmt.Errorf("--currency: %w", err)
		}
	}
	return slices.DeleteFunc(rates, func(r money.Rate) bool {
		other := len(currencies) > 0 && !slices.Contains(currencies, r.Base) && !slices.Contains(currencies, r.Quote)
		return r.Day < first || other
	}), nil
}

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
