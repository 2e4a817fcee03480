package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tracksource/internal/answer"
	"tracksource/report"
)

func reconcileCommand(stdout io.Writer) *cobra.Command {
	var f reporterFlags
	var crm string
	var asJSON bool
	var all int
	query := map[string]*string{}
	cmd := &cobra.Command{
		Use: "reconcile", Short: "Why a CRM says something else than the book", Args: noArgs,
		Long: "reconcile holds a CRM's export of deals against the book, deal by deal, and gives each difference one\n" +
			"reason; the reasons sum to the whole difference. The export is CSV with a header, as Salesforce's reports\n" +
			"and HubSpot's exports are; columns with other names are told by --columns. Amounts in other currencies\n" +
			"are converted by the contract's rates. Rows that cannot be used are named by their line.\n" +
			"A deal has the first of these reasons that holds: " + reasonNames() + ".",
		Example: "  track-source reconcile --crm opportunities.csv --measure revenue --from 2026-01-01 --to 2026-03-31\n" +
			"  track-source reconcile --crm deals.csv --reporter globex --columns id=Key,amount=Value --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if crm == "" {
				return usageError{errors.New("--crm is required: the file that the CRM exported")}
			}
			if all < 1 {
				return usageError{errors.New("--deals is at least 1")}
			}
			data, err := readExportFile(crm)
			if err != nil {
				return usageError{err}
			}
			asked := url.Values{}
			for name, text := range query {
				if *text != "" {
					asked.Set(name, *text)
				}
			}
			asked.Set("limit", fmt.Sprint(all))
			got, err := f.ask(cmd.Context(), "api/v1/reconcile", asked, data)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(stdout, got)
			}
			var a answer.ReconcileAnswer
			if err := json.Unmarshal(got, &a); err != nil {
				return fmt.Errorf("the answer is not one that this program knows: %w", err)
			}
			_, err = io.WriteString(stdout, reconciliationText(&a))
			return err
		},
	}
	f.bindAs(cmd, "reporter-url")
	cmd.Flags().StringVar(&crm, "crm", "", "file that the CRM exported (required)")
	for name, about := range map[string]string{
		"campaign": "campaign whose book is asked (the first agreed one)",
		"measure":  "one of " + strings.Join(report.ReconcileMeasures(), ", ") + " (revenue)",
		"window":   "days that are compared: Nd, the last N with today, or all (90d)",
		"from":     "first day, with --to and instead of --window",
		"to":       "last day, with --from and instead of --window",
		"reporter": "partner whose CRM it is (that of the system of record)",
		"columns":  "what columns are, as FIELD=NAME,... of " + fieldNames(),
	} {
		query[name] = cmd.Flags().String(name, "", about)
	}
	cmd.Flags().IntVar(&all, "deals", reconcileDeals, "how many deals are listed, the largest differences first")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print all of it as JSON")
	return cmd
}

// reconcileDeals is how many deals fit on a screen.
const reconcileDeals = 25

func reasonNames() string {
	var names []string
	for _, r := range report.Reasons() {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

func fieldNames() string {
	var names []string
	for _, f := range report.ExportFields() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

func readExportFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, report.ExportBytesMax+1))
	if err == nil && len(data) > report.ExportBytesMax {
		err = fmt.Errorf("%s has more than %d bytes: export fewer columns or a shorter time", path, report.ExportBytesMax)
	}
	if err == nil && len(data) == 0 {
		err = fmt.Errorf("%s is empty", path)
	}
	return data, err
}

// reconciliationText is a reconciliation for people.
func reconciliationText(a *answer.ReconcileAnswer) string {
	var b strings.Builder
	say := func(format string, args ...any) { b.WriteString(printable(fmt.Sprintf(format, args...)) + "\n") }
	b.WriteString(staleness(a.Envelope))
	days := "all days"
	if a.Window != nil && a.Window.From != "" {
		days = a.Window.From + " to " + a.Window.To
	}
	say("%s of %s, %s, in the CRM of %s", a.Measure, a.Campaign, days, a.Reporter)
	b.WriteString("\n")
	g := grid{right: map[int]bool{1: true}}
	g.row("here", a.Ours, a.Currency)
	g.row("in the export", a.Theirs, a.Currency)
	g.row("difference", a.Difference, a.Currency)
	for _, r := range a.Reasons {
		g.row("  "+strings.ReplaceAll(r.Reason, "_", " "), r.Amount, a.Currency, many(r.Deals, "deal"))
	}
	g.write(&b)
	b.WriteString("\n")
	say("the same on both sides: %s", many(a.Matched, "deal"))
	if a.Accuracy != nil {
		say("accuracy: %s %% of the export's value", *a.Accuracy)
	}
	for _, e := range a.Elsewhere {
		what := "of other CRMs"
		if e.What == report.ElsewhereOrders {
			what = "that are orders of a shop"
		}
		say("besides, the book has %s %s: %s %s", e.Amount, a.Currency, many(e.Deals, "deal"), what)
	}
	for _, s := range a.Unconverted {
		say("%s %s of the export have no rate and are in no sum", s.Total, s.Currency)
	}
	reconciledDeals(&b, a)
	unreadableRows(&b, a)
	return b.String()
}

func reconciledDeals(b *strings.Builder, a *answer.ReconcileAnswer) {
	if len(a.Deals) == 0 {
		return
	}
	b.WriteString("\n")
	g := grid{right: map[int]bool{1: true, 2: true, 3: true}}
	g.row("deal", "here", "export", "difference", "why")
	for _, d := range a.Deals {
		g.row(d.ID, d.Ours, d.Theirs, d.Difference, strings.ReplaceAll(d.Reason, "_", " "), d.Detail)
	}
	g.write(b)
	if a.Next != nil {
		b.WriteString("  and more, with smaller differences: --deals, or --json\n")
	}
}

func unreadableRows(b *strings.Builder, a *answer.ReconcileAnswer) {
	if len(a.Unreadable) == 0 {
		return
	}
	fmt.Fprintf(b, "\nnot used of the export: %s", printable(many(a.UnreadableRows, "row")))
	var sums []string
	for _, s := range a.UnreadableSums {
		if s.Currency != "" {
			sums = append(sums, s.Total+" "+s.Currency)
		}
	}
	if len(sums) > 0 {
		b.WriteString(", of " + printable(strings.Join(sums, ", ")) + " as far as it can be read")
	}
	b.WriteString("\n")
	g := grid{}
	for _, u := range a.Unreadable[:min(len(a.Unreadable), reconcileDeals)] {
		g.row(fmt.Sprintf("line %d", u.Line), u.ID, u.Amount, u.Why)
	}
	if len(a.Unreadable) > reconcileDeals {
		g.row("...")
	}
	g.write(b)
}
