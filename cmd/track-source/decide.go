package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tracksource/internal/control"
	"tracksource/internal/line"
	"tracksource/report/render"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// saying is what commands have in common by which something is decided: of which
// campaign, who says so and why, and for which partner.
type saying struct {
	flags          controlFlags
	stdout, stderr io.Writer
	campaign       string
	as, by, why    string
}

// whose says what a command wants of the flag --as.
type whose int

const (
	ofNobody   whose = iota // there is no such flag
	ofAPartner              // required
	ofAnybody               // a partner, or the operator without it
)

func (s *saying) bind(cmd *cobra.Command, as whose) {
	s.flags.bind(cmd)
	f := cmd.Flags()
	f.StringVar(&s.by, "by", "", "who says so: an office such as \"Partner Operations\", not a person (required)")
	f.StringVar(&s.why, "why", "", "the reason (required)")
	f.BoolVar(&s.flags.dryRun, "dry-run", false, "say what would be sent; send nothing")
	switch as {
	case ofNobody:
	case ofAPartner:
		f.StringVar(&s.as, "as", "", "partner that says so (required)")
	case ofAnybody:
		f.StringVar(&s.as, "as", "", "partner that says so; left out it is the operator")
	}
}

func (s *saying) bindCampaign(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.campaign, "campaign", "", "campaign that it is about (required)")
}

// reason is who puts a revision forward, and why. Whoever reads the campaign's plans and
// packages later finds it beside what it changed.
type reason struct{ by, why string }

// bind has a first revision do without: it replaces nothing, and what sets a line up says
// what it sets up.
func (r *reason) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.by, "by", "", "who puts it forward: an office such as \"Revenue Operations\", not a person (required unless it is the first revision)")
	cmd.Flags().StringVar(&r.why, "why", "", "the reason, which all signatories read (required unless it is the first revision)")
}

// given refuses half a reason, and none where one is needed.
func (r *reason) given(needed bool) error {
	if !needed && r.by == "" && r.why == "" {
		return nil
	}
	return required("by", r.by, "why", r.why)
}

// said is the reason as people read it, of a record that may have none.
func said(by, why string) string {
	if by == "" && why == "" {
		return "no reason was given"
	}
	return printable(by) + ": " + printable(why)
}

// required refuses what is missing, named as a flag is: pairs of name and value.
func required(pairs ...string) error {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			return usageError{fmt.Errorf("--%s is required", pairs[i])}
		}
	}
	return nil
}

// now is when something is decided, as precisely as records have it.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// decide judges a record by what the topic says, sends it, and says what became of it.
func (s *saying) decide(ctx context.Context, cfg control.Config, book *control.Book, c avro.Control, what string) error {
	if err := book.Judge(&c); err != nil {
		return err
	}
	verb := "accepted"
	if s.flags.dryRun {
		verb = "nothing was sent"
	} else {
		if err := sendJudged(ctx, cfg, c, s.stderr); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(s.stdout, "%s; %s\n", what, verb)
	return err
}

// sendJudged sends a record and returns an error unless it was taken in.
func sendJudged(ctx context.Context, cfg control.Config, c avro.Control, stderr io.Writer) error {
	if err := sendControls(ctx, cfg, []avro.Control{c}, stderr); err != nil {
		return err
	}
	return verdict(ctx, cfg, &c)
}

// verdict reads what became of a record that was sent. Nobody else judges it
// differently: what is before it on the topic decides.
func verdict(ctx context.Context, cfg control.Config, c *avro.Control) error {
	sent, err := cfg.Codecs.Control.Append(nil, c)
	if err != nil {
		return err
	}
	book, found := control.NewBook(), false
	var refused error
	err = stream.ReadTopic(ctx, line.StreamConn(cfg.Kafka), cfg.Log, cfg.Spec.Control(), func(r stream.Record) error {
		if !found && bytes.Equal(r.Value, sent) {
			found, refused = true, book.Judge(c)
		}
		return book.Add(cfg.Codecs, r.Value)
	})
	switch {
	case err != nil:
		return fmt.Errorf("sent, but what became of it could not be read: %w", err)
	case refused != nil:
		return fmt.Errorf("somebody else has decided meanwhile: %w", refused)
	case !found:
		return errors.New("sent, but it is not on the topic")
	}
	return nil
}

// printCSV prints a list that people may open in a spreadsheet: what somebody wrote stays
// text there.
func printCSV(w io.Writer, header []string, lines [][]string) error {
	out := csv.NewWriter(w)
	if err := out.Write(header); err != nil {
		return err
	}
	for _, line := range lines {
		for i, text := range line {
			line[i] = render.CSVText(text)
		}
	}
	return out.WriteAll(lines) // which flushes
}
