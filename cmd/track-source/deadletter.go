package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"tracksource/deploy/kafka"
	"tracksource/identity"
	"tracksource/internal/deadletter"
	"tracksource/schemas/avro"
)

// letterFlags say which dead letters are meant.
type letterFlags struct {
	cluster  clusterFlags
	registry string
	codes    []string
	all      bool
	asJSON   bool
}

func deadletterCommand(stdout, stderr io.Writer) *cobra.Command {
	var f letterFlags
	cmd := &cobra.Command{
		Use:   "deadletter",
		Short: "List what feeds refused, say why, and send it again after a fix",
		Long: "What a feed cannot use is kept byte for byte as a dead letter, with a stable code that says why.\n" +
			"list counts them, explain says what one would be today, replay sends the records behind them to\n" +
			"their feed again. Events that were taken in at first are known by their ids, so that the totals\n" +
			"after a replay are what they had been if all had been right at once.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f.cluster.bind(cmd)
	cmd.PersistentFlags().StringVar(&f.registry, "registry", "", "URL of the schema registry (required)")
	cmd.PersistentFlags().BoolVar(&f.asJSON, "json", false, "print JSON")
	cmd.AddCommand(letterListCommand(&f, stdout, stderr), letterExplainCommand(&f, stdout, stderr), letterReplayCommand(&f, stdout, stderr))
	return cmd
}

const letterExample = " --bootstrap-servers 127.0.0.1:9092 --registry http://127.0.0.1:8081 --feed crm.acme"

func (f *letterFlags) choose(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.codes, "code", nil, "only letters with this code, such as bad_amount; may be repeated")
}

func (f *letterFlags) chosen(l *deadletter.Letter) bool {
	return len(f.codes) == 0 || slices.Contains(f.codes, l.Reason.Code)
}

// open reads the dead letters of the feeds that are named.
func (f *letterFlags) open(ctx context.Context, stderr io.Writer) (*deadletter.Box, error) {
	conn, spec, err := f.cluster.resolve()
	switch {
	case err != nil:
	case f.registry == "":
		err = errors.New("--registry is required, such as http://127.0.0.1:8081")
	case len(spec.Feeds()) == 0:
		err = errors.New("--feed is required: whose dead letters, such as crm.acme")
	}
	if err != nil {
		return nil, usageError{err}
	}
	if err := kafka.Ping(ctx, conn); err != nil {
		return nil, err
	}
	registry, err := avro.NewHTTP(avro.HTTPConfig{URL: f.registry})
	if err != nil {
		return nil, usageError{err}
	}
	return deadletter.Open(ctx, deadletter.Config{
		Kafka: conn, Spec: spec, Registry: registry,
		Log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
}

func letterListCommand(f *letterFlags, stdout, stderr io.Writer) *cobra.Command {
	var each bool
	cmd := &cobra.Command{
		Use: "list", Short: "Count dead letters by feed and code", Args: noArgs,
		Example: "  track-source deadletter list" + letterExample + "\n  track-source deadletter list --each --code bad_amount" + letterExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			box, err := f.open(cmd.Context(), stderr)
			if err != nil {
				return err
			}
			letters := slices.DeleteFunc(box.Letters, func(l deadletter.Letter) bool { return !f.chosen(&l) || l.Replayed && !f.all })
			switch {
			case f.asJSON:
				return printJSON(stdout, summaries(letters))
			case each:
				return printLetters(stdout, letters)
			}
			return printCounts(stdout, letters)
		},
	}
	f.choose(cmd)
	cmd.Flags().BoolVar(&each, "each", false, "print each letter")
	cmd.Flags().BoolVar(&f.all, "all", false, "with those that were sent again already")
	return cmd
}

// letterSummary is a letter without the bytes of its record, which may be
// somebody's data.
type letterSummary struct {
	ID       string    `json:"id"`
	Code     string    `json:"code"`
	Message  string    `json:"message"`
	Raw      string    `json:"raw"`
	FailedAt time.Time `json:"failed_at"`
	Replayed bool      `json:"replayed"`
}

func summary(l *deadletter.Letter) letterSummary {
	return letterSummary{
		ID: l.ID.String(), Code: l.Reason.Code, Message: l.Reason.Message, FailedAt: l.Reason.FailedAt.UTC(), Replayed: l.Replayed,
		Raw: fmt.Sprintf("%s/%d@%d", l.Reason.RawTopic, l.Reason.RawPartition, l.Reason.RawOffset),
	}
}

func summaries(letters []deadletter.Letter) []letterSummary {
	out := []letterSummary{}
	for i := range letters {
		out = append(out, summary(&letters[i]))
	}
	return out
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func printLetters(w io.Writer, letters []deadletter.Letter) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "letter\tcode\tarrived\twhy")
	for i := range letters {
		s := summary(&letters[i])
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", s.ID, s.Code, s.FailedAt.Format(time.RFC3339), s.Message)
	}
	return t.Flush()
}

func printCounts(w io.Writer, letters []deadletter.Letter) error {
	type kind struct{ feed, code string }
	counts, newest := map[kind]int{}, map[kind]time.Time{}
	for i := range letters {
		l := &letters[i]
		k := kind{l.ID.Feed.String(), l.Reason.Code}
		counts[k]++
		if l.Reason.FailedAt.After(newest[k]) {
			newest[k] = l.Reason.FailedAt
		}
	}
	if len(counts) == 0 {
		_, err := fmt.Fprintln(w, "no dead letters")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "feed\tcode\tletters\tnewest")
	kinds := slices.SortedFunc(maps.Keys(counts), func(a, b kind) int {
		return cmp.Or(strings.Compare(a.feed, b.feed), cmp.Compare(counts[b], counts[a]), strings.Compare(a.code, b.code))
	})
	for _, k := range kinds {
		_, _ = fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", k.feed, k.code, counts[k], newest[k].UTC().Format(time.RFC3339))
	}
	return t.Flush()
}

func letterExplainCommand(f *letterFlags, stdout, stderr io.Writer) *cobra.Command {
	var payload bool
	cmd := &cobra.Command{
		Use: "explain LETTER", Short: "Say why an event was refused, and what it would be today",
		Example: "  track-source deadletter explain crm.acme/0@17" + letterExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("name one letter, such as crm.acme/0@17")}
			}
			id, err := deadletter.ParseID(args[0])
			if err != nil {
				return usageError{err}
			}
			box, err := f.open(cmd.Context(), stderr)
			if err != nil {
				return err
			}
			l, err := box.Find(id)
			if err != nil {
				return err
			}
			t, err := box.Try(cmd.Context(), l)
			if err != nil {
				return err
			}
			return explainLetter(stdout, l, t, payload)
		},
	}
	cmd.Flags().BoolVar(&payload, "payload", false, "print the record, which may hold personal data")
	return cmd
}

func explainLetter(w io.Writer, l *deadletter.Letter, t deadletter.Trial, payload bool) error {
	s := summary(l)
	lines := []string{
		"letter:   " + s.ID,
		"record:   " + s.Raw + ", arrived " + s.FailedAt.Format(time.RFC3339),
		"refused:  " + s.Code + ": " + s.Message,
	}
	if l.Replayed {
		lines = append(lines, "since:    its record was sent again")
	}
	switch {
	case l.Late():
		lines = append(lines, "today:    the same: no event older than the horizon is taken in, and its record was not kept")
	case !l.Kept():
		lines = append(lines, "today:    the same: its record was too long to be kept; it lies in the raw feed")
	case len(t.Problems) == 0:
		lines = append(lines, fmt.Sprintf("today:    its record would be taken in, %d events; track-source deadletter replay sends it again", len(t.Facts)))
	default:
		lines = append(lines, fmt.Sprintf("today:    its record holds %d events that would be taken in and %d that would be refused:", len(t.Facts), len(t.Problems)))
		for _, p := range t.Problems {
			lines = append(lines, "          "+p.Code+": "+p.Message)
		}
	}
	for i := range t.Facts {
		lines = append(lines, "          "+fact(&t.Facts[i]))
	}
	if payload {
		text := string(l.Value)
		if !utf8.Valid(l.Value) {
			text = fmt.Sprintf("%x", l.Value)
		}
		lines = append(lines, "payload:", text)
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

// fact says in a line what an event is, without its values.
func fact(o *avro.Observation) string {
	text := "evidence of an identity"
	switch {
	case o.Touch != nil:
		text = "touch, " + o.Touch.Type
	case o.Object != nil:
		var names []string
		for _, f := range o.Object.Fields {
			names = append(names, f.Name)
		}
		text = o.Object.Type + " with " + strings.Join(names, ", ")
	}
	level := "nobody"
	if n, err := identity.Parse(o.Node); err == nil {
		level = n.Level.String()
	}
	return fmt.Sprintf("%s event at %s: %s; on a node of level %s", o.Source, o.OccurredAt.UTC().Format(time.RFC3339), text, level)
}

func letterReplayCommand(f *letterFlags, stdout, stderr io.Writer) *cobra.Command {
	var o deadletter.ReplayOptions
	cmd := &cobra.Command{
		Use: "replay", Short: "Send the records of dead letters to their feeds again", Args: noArgs,
		Long: "replay reads each letter's record as the services of this version would and sends those again from\n" +
			"which more events would now be taken in. Letters that would come back as they are stay where they\n" +
			"are, and so do those of events that came too late.",
		Example: "  track-source deadletter replay --dry-run" + letterExample + "\n  track-source deadletter replay --code unknown_schema" + letterExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			box, err := f.open(cmd.Context(), stderr)
			if err != nil {
				return err
			}
			o.Choose = f.chosen
			o.Progress = func(done, all int) { _, _ = fmt.Fprintf(stderr, "sent %d of %d records\n", done, all) }
			sum, err := box.Replay(cmd.Context(), o)
			if err != nil {
				return err
			}
			if f.asJSON {
				return printJSON(stdout, sum)
			}
			return sayReplayed(stdout, sum, o.DryRun)
		},
	}
	f.choose(cmd)
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "say what would be sent; send nothing")
	cmd.Flags().BoolVar(&o.Force, "force", false, "send records, too, that would be refused again as they were")
	return cmd
}

func sayReplayed(w io.Writer, sum deadletter.Replayed, dry bool) error {
	sent := "sent again"
	if dry {
		sent = "would be sent again"
	}
	lines := []string{fmt.Sprintf("%d letters: %d records with %d mended events %s", sum.Letters, sum.Records, sum.Mended, sent)}
	for _, code := range slices.Sorted(maps.Keys(sum.Left)) {
		lines = append(lines, fmt.Sprintf("%d would be refused again: %s", sum.Left[code], code))
	}
	if sum.Late > 0 {
		lines = append(lines, fmt.Sprintf("%d came too late and stay out", sum.Late))
	}
	if sum.Repeated > 0 {
		lines = append(lines, fmt.Sprintf("%d were sent again before", sum.Repeated))
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}
