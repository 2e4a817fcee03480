package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tracksource/internal/answer"
	"tracksource/internal/plans"
	"tracksource/money"
	"tracksource/report"
	"tracksource/report/render"
)

// reportExample is of the root and of report, which are the same command.
const reportExample = `--campaign "AI Launch Tour" --window 30d --detail full --dimensions partner,channel --attribution-model multi-touch
`

// reportFlags are the flags of a reporting package.
type reportFlags struct {
	reporterFlags
	stdout, stderr io.Writer

	campaign, window, detail, model string
	dimensions, formats             []string
	asOf, again, out, planDir       string
	restated, planOnly, open        bool
	json, progress, quiet           bool
	timeout                         time.Duration
	// wait waits between the tries of a pull; nil waits by the clock.
	wait     func(context.Context, time.Duration) error
	bytesMax int64 // of a package that is pulled
	// completing is how long the shell waits for names of campaigns.
	completing time.Duration
}

// questionFlags are the flags of what a package is about. A package that is made again
// has the answers to them in its manifest.
func questionFlags() []string {
	return []string{"campaign", "window", "detail", "dimensions", "attribution-model", "as-of", "restated", "format"}
}

// defaultOut is where packages go that are told no other place.
const defaultOut = "track-source-report"

func (f *reportFlags) bind(cmd *cobra.Command) {
	f.reporterFlags.bind(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.campaign, "campaign", "", "campaign, by its `ID` or its name (required)")
	flags.StringVar(&f.window, "window", "30d", "`DAYS` that it is about: Nd, the last N with today; campaign, those of the campaign; FROM..TO; or all")
	flags.StringVar(&f.detail, "detail", string(report.Full), "summary, or full: with deals, cohorts and the worksheet")
	flags.StringSliceVar(&f.dimensions, "dimensions", []string{"partner", "channel"}, "what contributions are split by: any of "+strings.Join(answer.PackageDimensions(), ", "))
	flags.StringVar(&f.model, "attribution-model", "", "first-touch, last-touch, multi-touch or the `NAME` of any model (the contract's agreed one)")
	flags.StringVar(&f.asOf, "as-of", "", "as it was known at this `TIME`: an instant such as 2026-03-31T18:00:00Z, or a day until its end in the contract's zone")
	flags.BoolVar(&f.restated, "restated", false, "with what changed closed periods later; without, as they were closed")
	flags.StringVar(&f.again, "again", "", "the package of this `MANIFEST` once more, from the same data")
	flags.StringVar(&f.out, "out", "", "`DIRECTORY` of the package (./"+defaultOut+"/CAMPAIGN-TIME)")
	flags.StringSliceVar(&f.formats, "format", formatNames(), "formats of the files")
	flags.BoolVar(&f.open, "open", false, "open the package's page in the browser")
	flags.StringVar(&f.planDir, "plan-dir", plans.DirDefault, "`DIRECTORY` of plans")
	flags.BoolVar(&f.planOnly, "plan-only", false, "write the plan and stop, for review")
	flags.BoolVar(&f.json, "json", false, "print what became of it as JSON")
	flags.BoolVar(&f.progress, "progress", false, "say on stderr what is being done, as on a terminal")
	flags.BoolVar(&f.quiet, "quiet", false, "do not, on a terminal either")
	flags.DurationVar(&f.timeout, "timeout", 0, "bound each try by this `TIME` (a minute for an answer, and longer when it is tried again)")
	f.complete(cmd)
}

func formatNames() []string {
	var names []string
	for _, f := range render.Formats() {
		names = append(names, string(f))
	}
	return names
}

func reportCommand(f *reportFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use: "report", Short: "Make the reporting package of a campaign: pages, tables, actions, and a manifest to sign", Args: noArgs,
		Long: "report asks a running reporter, or the demo, for the package of a campaign, checks that it is right to\n" +
			"the cent, and writes it: a page that opens offline, the executive summary, all tables as CSV and XLSX,\n" +
			"the whole as JSON, and the manifest whose hash partners sign. What it is going to do is written as a plan\n" +
			"before any data is pulled, and what became of it is written there too. A pull that fails, or whose\n" +
			"figures do not add up, is tried twice more. track-source with the same flags is the same.",
		Example: "  track-source report " + reportExample +
			"  track-source report --campaign ai-launch-tour --window campaign --open\n" +
			"  track-source report --campaign ai-launch-tour --window 2026-03-01..2026-03-31 --as-of 2026-04-02 --format html,csv --out march\n" +
			"  track-source report --campaign ai-launch-tour --plan-only\n" +
			"  track-source report --again march/manifest.json --out march-again",
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.bind(cmd)
	return cmd
}

// run makes the package.
func (f *reportFlags) run(cmd *cobra.Command) error {
	if f.again != "" {
		for _, name := range questionFlags() {
			if cmd.Flags().Changed(name) {
				return usageError{fmt.Errorf("--again has the question of its manifest: leave --%s out", name)}
			}
		}
	}
	asked, err := f.ask()
	if err != nil {
		return err
	}
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if slices.Contains(questionFlags(), flag.Name) {
			asked.given = append(asked.given, flag.Name)
		}
	})
	if f.open && !slices.Contains(asked.formats, render.HTML) {
		return usageError{errors.New("--open: the package has no page: add html to --format")}
	}
	if !f.planOnly {
		if _, _, err := f.who(); err != nil {
			return err
		}
	}
	if f.out != "" {
		if err := checkTarget(f.out); err != nil {
			return usageError{err}
		}
	}
	return f.plan(cmd.Context(), asked)
}

// asked is what a package is asked for.
type asked struct {
	campaign string
	question report.PackageQuestion // as it was asked: what was not is empty
	asOf     string
	formats  []render.Format
	again    *report.Manifest // nil: a new package
	hash     string           // of that manifest
	given    []string         // flags that somebody wrote
}

// ask reads the question from the flags or, of a package that is made again, from its
// manifest.
func (f *reportFlags) ask() (*asked, error) {
	if f.progress && f.quiet {
		return nil, usageError{errors.New("--progress and --quiet exclude each other")}
	}
	if f.timeout < 0 {
		return nil, usageError{errors.New("--timeout is not negative")}
	}
	if f.again != "" {
		return askAgain(f.again)
	}
	if strings.TrimSpace(f.campaign) == "" {
		return nil, usageError{errors.New("--campaign is required: its id, or its name in quotes; or --again with the manifest of a package")}
	}
	a := asked{campaign: f.campaign, asOf: f.asOf}
	q := report.PackageQuestion{Detail: report.Detail(f.detail), Dimensions: f.dimensions, Model: f.model, View: report.AsKnown}
	if f.restated {
		q.View = report.Restated
	}
	var err error
	if q.Window, q.From, q.To, err = readWindow(f.window); err != nil {
		return nil, usageError{fmt.Errorf("--window: %w", err)}
	}
	if !slices.Contains(report.Details(), q.Detail) {
		return nil, usageError{fmt.Errorf("--detail: %q is neither summary nor full", f.detail)}
	}
	if err := distinct(f.dimensions, answer.PackageDimensions()); err != nil {
		return nil, usageError{fmt.Errorf("--dimensions: %w", err)}
	}
	if err := distinct(f.formats, formatNames()); err != nil {
		return nil, usageError{fmt.Errorf("--format: %w", err)}
	}
	for _, known := range render.Formats() { // in one order, whatever the flag's
		if slices.Contains(f.formats, string(known)) {
			a.formats = append(a.formats, known)
		}
	}
	if a.asOf, err = readAsOf(f.asOf); err != nil {
		return nil, usageError{err}
	}
	a.question = q
	return &a, nil
}

// distinct wants names that there are, each once and at least one.
func distinct(names, known []string) error {
	if len(names) == 0 {
		return fmt.Errorf("name at least one of %s", strings.Join(known, ", "))
	}
	for i, n := range names {
		if !slices.Contains(known, n) {
			return fmt.Errorf("there is no %q; there is: %s", n, strings.Join(known, ", "))
		}
		if slices.Contains(names[:i], n) {
			return fmt.Errorf("%s is named twice", n)
		}
	}
	return nil
}

func readWindow(text string) (name, from, to string, err error) {
	if first, last, ok := strings.Cut(text, ".."); ok {
		w, err := report.ParseSpan(first, last)
		return w.Name, first, last, err
	}
	if text == answer.WindowCampaign {
		return text, "", "", nil
	}
	const anyDay = money.Day(0)
	if _, err := report.ParseWindow(text, anyDay); err != nil {
		return "", "", "", fmt.Errorf("%q is none: write 30d or any Nd up to %dd, campaign, FROM..TO as 2026-03-01..2026-03-31, or all", text, report.WindowDaysMax)
	}
	return text, "", "", nil
}

// readAsOf reads an instant, or a day, whose end the reporter knows.
func readAsOf(text string) (string, error) {
	if _, err := money.ParseDay(text); err == nil || text == "" {
		return text, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return "", fmt.Errorf("--as-of: %q is neither an instant such as 2026-03-31T18:00:00Z nor a day such as 2026-03-31", text)
	}
	return at.UTC().Format(time.RFC3339Nano), nil
}

// askAgain is the question of a manifest, which is named by its path or its directory.
func askAgain(path string) (*asked, error) {
	if at, err := os.Stat(path); err == nil && at.IsDir() {
		path = filepath.Join(path, report.ManifestName)
	}
	text, err := readBounded(path, report.ManifestBytesMax)
	if err != nil {
		return nil, usageError{fmt.Errorf("--again: %w", err)}
	}
	m, hash, err := report.ParseManifest(text)
	if err != nil {
		return nil, usageError{fmt.Errorf("--again: %s: %w", path, err)}
	}
	if m.Made == nil || len(m.Made.Positions) == 0 {
		return nil, usageError{fmt.Errorf("--again: %s does not say what its package was made from", path)}
	}
	a := asked{campaign: m.Campaign, question: m.Made.Question, asOf: m.AsOf.Format(time.RFC3339Nano), again: &m, hash: hash}
	for _, name := range m.Made.Formats {
		a.formats = append(a.formats, render.Format(name))
	}
	if err := distinct(m.Made.Formats, formatNames()); err != nil {
		return nil, usageError{fmt.Errorf("--again: %s: formats: %w", path, err)}
	}
	return &a, nil
}

// readBounded reads a file of at most that many bytes.
func readBounded(path string, bytesMax int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, bytesMax+1))
	if err == nil && int64(len(data)) > bytesMax {
		err = fmt.Errorf("%s has more than %d bytes", path, bytesMax)
	}
	return data, err
}

// warn tells what has to be known, whoever is there to read it.
func (f *reportFlags) warn(text string) { _, _ = fmt.Fprintln(f.stderr, printable(text)) }

// say tells what is being done, where somebody is there to read it.
func (f *reportFlags) say(format string, values ...any) {
	terminal := false
	if file, ok := f.stderr.(*os.File); ok {
		info, err := file.Stat()
		terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	if f.progress || terminal && !f.quiet {
		_, _ = fmt.Fprintf(f.stderr, format+"\n", values...)
	}
}
