package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tracksource/internal/control"
	"tracksource/money"
	"tracksource/schemas/avro"
)

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
