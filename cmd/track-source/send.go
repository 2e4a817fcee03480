package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tracksource/deploy/kafka"
	"tracksource/internal/feedfile"
	"tracksource/internal/line"
	"tracksource/stream"
)

// sendPortion is how many events are acknowledged at once.
const sendPortion = 1000

func sendCommand(stdout, stderr io.Writer) *cobra.Command {
	var cluster clusterFlags
	var o feedfile.Options
	var dryRun bool
	cmd := &cobra.Command{
		Use: "send FILE...", Short: "Send events from files to a partner's feed",
		Long: "send reads native events from files, JSON lines (.ndjson, .jsonl), a JSON array (.json) or CSV with a\n" +
			"header (.csv), and sends each to the feed. - is the standard input. Rows of a Salesforce export are\n" +
			"recognised by their columns, or say with --type which object they are. What was sent before an error\n" +
			"may be sent again: events are known by their ids.",
		Example: "  track-source send events.ndjson --feed analytics.acme --bootstrap-servers 127.0.0.1:9092\n" +
			"  track-source send opps.csv --type Opportunity --feed crm.acme --bootstrap-servers 127.0.0.1:9092",
		RunE: func(cmd *cobra.Command, args []string) error {
			conn, spec, err := cluster.resolve()
			switch {
			case err != nil:
			case len(args) == 0:
				err = errors.New("name a file, or - for the standard input")
			case len(spec.Feeds()) != 1:
				err = errors.New("--feed is required: one feed, such as crm.acme")
			}
			if err != nil {
				return usageError{err}
			}
			feed := spec.Feeds()[0]
			s := sender{topic: spec.RawTopic(feed.Kind, feed.Partner), stderr: stderr}
			if !dryRun {
				if err := kafka.Verify(cmd.Context(), conn, spec, s.topic); err != nil {
					return err
				}
				log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
				if s.producer, err = stream.NewProducer(line.StreamConn(conn), log); err != nil {
					return err
				}
				defer s.producer.Close()
			}
			for _, name := range args {
				if err := s.file(cmd.Context(), name, o, cmd.InOrStdin()); err != nil {
					return fmt.Errorf("%s: %w; %d events were sent before", name, err, s.sent)
				}
			}
			verb := "sent to " + s.topic
			if dryRun {
				verb = "read; nothing was sent"
			}
			_, err = fmt.Fprintf(stdout, "%d events, %d bytes, %s\n", s.read, s.bytes, verb)
			return err
		},
	}
	cluster.bind(cmd)
	cmd.Flags().StringVar(&o.Format, "format", "", "format of the files: "+strings.Join(feedfile.Formats(), ", ")+" (by their names)")
	cmd.Flags().StringVar(&o.Type, "type", "", "Salesforce object that the rows of CSV files are, such as Opportunity (by their columns)")
	cmd.Flags().StringVar(&o.Key, "key", "", "member or column whose value keeps events in their order (Id of rows)")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "read the files; send nothing")
	return cmd
}

// sender sends the events of files to a topic.
type sender struct {
	topic       string
	producer    *stream.Producer // nil: nothing is sent
	stderr      io.Writer
	portion     []stream.Message
	read, sent  int
	bytes       int64
	lastSpokeAt time.Time
}

func (s *sender) file(ctx context.Context, name string, o feedfile.Options, stdin io.Reader) error {
	if o.Format == "" {
		if o.Format = feedfile.FormatOf(name); o.Format == "" {
			return errors.New("its name does not say its format: give --format")
		}
	}
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	err := feedfile.Read(in, o, func(e feedfile.Event) error {
		s.read++
		s.bytes += int64(len(e.Value))
		s.portion = append(s.portion, stream.Message{Topic: s.topic, Key: e.Key, Value: e.Value})
		if len(s.portion) < sendPortion {
			return nil
		}
		return s.flush(ctx)
	})
	// What was read before an error in the file is sent: the message counts it.
	return errors.Join(err, s.flush(ctx))
}

func (s *sender) flush(ctx context.Context) error {
	if s.producer == nil || len(s.portion) == 0 {
		s.portion = s.portion[:0]
		return nil
	}
	if err := s.producer.Send(ctx, s.portion...); err != nil {
		return err
	}
	s.sent += len(s.portion)
	s.portion = s.portion[:0]
	if now := time.Now(); now.Sub(s.lastSpokeAt) >= time.Second {
		s.lastSpokeAt = now
		_, _ = fmt.Fprintf(s.stderr, "sent %d events\n", s.sent)
	}
	return nil
}
