package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tracksource/deploy/kafka"
	"tracksource/identity"
	"tracksource/internal/control"
	"tracksource/internal/feedfile"
	"tracksource/normalize"
	"tracksource/normalize/mapping"
	"tracksource/schemas/avro"
)

func mappingCommand(stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use: "mapping", Short: "Read a partner's own schema", Args: noArgs,
		Long: "A mapping says where in a partner's own events the parts of a touch or of a CRM object are. test shows\n" +
			"offline what it makes of a file, apply puts it in force for the feed that it names and sends the feed\n" +
			"what it holds again, so that what older revisions said is replaced or taken back.",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(mappingTestCommand(stdout), mappingApplyCommand(stdout, stderr))
	return cmd
}

func parseMapping(path string) (*mapping.Mapping, []byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, usageError{err}
	}
	m, err := mapping.Parse(data)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, data, nil
}

func mappingApplyCommand(stdout, stderr io.Writer) *cobra.Command {
	var f controlFlags
	previous, replay := int64(-1), true
	cmd := &cobra.Command{
		Use: "apply FILE", Short: "Put a mapping in force, and read its feed again",
		Example: "  track-source mapping apply crm.yaml" + controlExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("name one file")}
			}
			m, data, err := parseMapping(args[0])
			if err != nil {
				return err
			}
			f.cluster.feeds = []string{m.Feed + "." + m.Partner}
			cfg, book, err := f.open(cmd.Context(), stderr)
			if err != nil {
				return err
			}
			record, known, err := nextMapping(book, m, data, previous)
			if err != nil {
				return err
			}
			raw := cfg.Spec.RawTopic(m.Feed, m.Partner)
			if err := kafka.Verify(cmd.Context(), cfg.Kafka, cfg.Spec, raw); err != nil {
				return err
			}
			verb := "is in force"
			if known {
				verb = "was in force already"
			} else if f.dryRun {
				verb = "would be in force"
			} else if err := sendControls(cmd.Context(), cfg, []avro.Control{record}, stderr); err != nil {
				return err
			}
			text := fmt.Sprintf("mapping of %s.%s: revision %d %s", m.Feed, m.Partner, record.Mapping.Revision, verb)
			if replay {
				n, err := control.ReplayRaw(cmd.Context(), cfg.Kafka, raw, f.dryRun, cfg.Log, func(done int) { _, _ = fmt.Fprintf(stderr, "sent %d records again\n", done) })
				if err != nil {
					return fmt.Errorf("the mapping %s, reading its feed again failed: %w; apply it once more", verb, err)
				}
				text += fmt.Sprintf("; %d records of the feed sent again", n)
				if f.dryRun {
					text = fmt.Sprintf("mapping of %s.%s: revision %d %s; %d records of the feed would be sent again", m.Feed, m.Partner, record.Mapping.Revision, verb, n)
				}
			}
			_, err = fmt.Fprintln(stdout, text)
			return err
		},
	}
	f.bind(cmd)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be done; do nothing")
	cmd.Flags().BoolVar(&replay, "replay", true, "send what the feed holds again")
	cmd.Flags().Int64Var(&previous, "previous", -1, "revision that the author of the file knew, 0 for none")
	return cmd
}

// nextMapping makes the record of the next revision; known says that the newest is
// this one.
func nextMapping(book *control.Book, m *mapping.Mapping, data []byte, previous int64) (c avro.Control, known bool, err error) {
	last, exists := book.NewestMapping(m.Partner, m.Feed)
	name := m.Feed + "." + m.Partner
	switch {
	case exists && last.Hash == control.Hash(data):
		return avro.Control{Kind: control.Mapping, Mapping: &last}, true, nil
	case exists && previous < 0:
		return c, false, usageError{fmt.Errorf("the mapping of %s has revision %d of %s: say that you know it with --previous %d", name, last.Revision, last.RecordedAt.UTC().Format(time.DateTime), last.Revision)}
	case previous >= 0 && previous != last.Revision:
		return c, false, fmt.Errorf("mapping of %s: the newest revision is %d, not %d: somebody else has changed it; bring both together", name, last.Revision, previous)
	}
	return control.Remap(m.Partner, m.Feed, data, last.Revision, time.Now()), false, nil
}

func mappingTestCommand(stdout io.Writer) *cobra.Command {
	var in string
	var explain bool
	var o feedfile.Options
	cmd := &cobra.Command{
		Use: "test FILE", Short: "Show what a mapping makes of a file of events, without a cluster",
		Long: "test reads events as send does, applies the mapping to each, and what none of its rules takes as a\n" +
			"native shape. It counts what would become of them; with --explain it shows each.",
		Example: "  track-source mapping test crm.yaml --in sample.ndjson --explain",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || in == "" {
				return usageError{errors.New("name one mapping, and with --in a file of events")}
			}
			m, _, err := parseMapping(args[0])
			if err != nil {
				return err
			}
			return testMapping(cmd.Context(), m, in, o, explain, stdout)
		},
	}
	cmd.Flags().StringVar(&in, "in", "", "file of events: .ndjson, .jsonl, .json or .csv (required)")
	cmd.Flags().BoolVar(&explain, "explain", false, "show what becomes of each event")
	cmd.Flags().StringVar(&o.Format, "format", "", "format of the file (by its name)")
	cmd.Flags().StringVar(&o.Type, "type", "", "Salesforce object that the rows of a CSV file are (by their columns)")
	return cmd
}

func testMapping(ctx context.Context, m *mapping.Mapping, in string, o feedfile.Options, explain bool, w io.Writer) error {
	if o.Format == "" {
		if o.Format = feedfile.FormatOf(in); o.Format == "" {
			return usageError{errors.New("the name of the file does not say its format: give --format")}
		}
	}
	file, err := os.Open(in)
	if err != nil {
		return usageError{err}
	}
	defer file.Close()
	// Nobody is to be found again by what a test shows.
	throwaway, err := identity.NewPseudonymizer([]byte("track-source mapping test, no secret"))
	if err != nil {
		return err
	}
	t := mappingTest{m: m, w: w, explain: explain, src: normalize.Source{Feed: m.Feed, Reporter: m.Partner, Pseudonyms: throwaway}, sum: map[string]int{}}
	err = feedfile.Read(file, o, func(e feedfile.Event) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return t.event(e)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	return t.total()
}

// mappingTest counts and shows what becomes of events.
type mappingTest struct {
	m       *mapping.Mapping
	src     normalize.Source
	w       io.Writer
	explain bool
	sum     map[string]int
}

func (t *mappingTest) event(e feedfile.Event) error {
	v, err := normalize.DecodeJSON(e.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", e.Line, err)
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, one := range list {
		events, mapped := t.m.Take(t.src, one)
		if !mapped {
			events = normalize.DecodeValue(t.src, one)
		}
		if err := t.show(e.Line, one, events, mapped); err != nil {
			return err
		}
	}
	return nil
}

// show counts events of one, and prints what became of it.
func (t *mappingTest) show(line int, one any, events []normalize.Event, mapped bool) error {
	x := t.m.Explain(one)
	by := "rules " + strings.Join(x.Rules, ", ")
	if !mapped {
		by = "no rule"
	}
	text := fmt.Sprintf("line %d: %s\n", line, by)
	for _, s := range x.Steps {
		text += fmt.Sprintf("  %-28s <- %s (%s) = %s\n", s.Rule+": "+s.Field, s.From, s.Found, s.Result)
	}
	if mapped && len(x.Unread) > 0 {
		text += "  not read: " + strings.Join(x.Unread, ", ") + "\n"
	}
	for _, ev := range events {
		if ev.Problem != nil {
			t.sum["dead letter "+string(ev.Problem.Code)]++
			text += fmt.Sprintf("  => dead letter, %s: %s\n", ev.Problem.Code, ev.Problem.Message)
			continue
		}
		o := ev.Observations[0]
		what := "evidence of an identity"
		switch {
		case o.Touch != nil:
			what = "touch " + o.Touch.Type
		case o.Object != nil:
			what = o.Object.Type
		}
		t.sum[o.Shape+" "+what]++
		text += fmt.Sprintf("  => %s %s of %s at %s\n", o.Shape, what, o.Node.Level, o.OccurredAt.UTC().Format(time.RFC3339))
	}
	if !t.explain {
		return nil
	}
	_, err := io.WriteString(t.w, text)
	return err
}

func (t *mappingTest) total() error {
	for _, what := range slices.Sorted(maps.Keys(t.sum)) {
		if _, err := fmt.Fprintf(t.w, "%6d %s\n", t.sum[what], what); err != nil {
			return err
		}
	}
	return nil
}
