package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tracksource/deploy/kafka"
	"tracksource/internal/control"
	"tracksource/normalize/mapping"
	"tracksource/schemas/avro"
)

func mappingCommand(stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use: "mapping", Short: "Read a partner's own schema", Args: noArgs,
		Long: "A mapping says where in a partner's own events the parts of a touch or of a CRM object are. test shows\n" +
			"offline what it makes of a file, apply puts it in force for the feed that it names and sends the feed\n" +
			"what it holds again, so that what older revisions said is replaced or taken back. list prints the\n" +
			"revisions of all feeds, with for whom and why each was made.",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(mappingTestCommand(stdout), mappingApplyCommand(stdout, stderr), mappingListCommand(stdout, stderr))
	return cmd
}

func mappingListCommand(stdout, stderr io.Writer) *cobra.Command {
	var f controlFlags
	cmd := &cobra.Command{
		Use: "list", Short: "Print the revisions of all mappings, as CSV, the newest of each feed first", Args: noArgs,
		Example: "  track-source mapping list" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, book, err := f.open(cmd.Context(), stderr)
			if err != nil {
				return err
			}
			var lines [][]string
			for _, of := range slices.SortedFunc(maps.Keys(book.Mappings), func(a, b control.Versioned) int { return strings.Compare(a.Name, b.Name) }) {
				for _, r := range slices.Backward(book.Mappings[of]) {
					ended := strconv.FormatBool(r.Document == "")
					lines = append(lines, []string{of.Name, strconv.FormatInt(r.Revision, 10), instant(r.RecordedAt), r.Hash, ended, r.By, r.Why})
				}
			}
			return printCSV(stdout, []string{"feed", "revision", "since", "hash", "ended", "by", "why"}, lines)
		},
	}
	f.bind(cmd)
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
	var why reason
	previous, replay := int64(-1), true
	cmd := &cobra.Command{
		Use: "apply FILE", Short: "Put a mapping in force, and read its feed again",
		Example: "  track-source mapping apply crm.yaml" + controlExample + "\n" +
			"  track-source mapping apply crm.yaml --previous 1 --by \"Marketing Operations\" --why \"the CRM's stages were renamed\"" + controlExample,
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
			if !known {
				if err := why.given(record.Mapping.Revision > 1); err != nil {
					return err
				}
				record.Mapping.By, record.Mapping.Why = why.by, why.why
				if err := book.Judge(&record); err != nil {
					return fmt.Errorf("%s: %w", args[0], err)
				}
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
	why.bind(cmd)
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
