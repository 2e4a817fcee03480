package main

import (
	"cmp"
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

	"tracksource/contract"
	"tracksource/identity"
	"tracksource/internal/feedfile"
	"tracksource/normalize"
	"tracksource/normalize/mapping"
)

func mappingTestCommand(stdout io.Writer) *cobra.Command {
	var in, feed, partner, contractFile string
	var explain bool
	var o feedfile.Options
	cmd := &cobra.Command{
		Use: "test [MAPPING]", Short: "Show what becomes of a file of events, without a cluster",
		Long: "test reads events as send does, applies the mapping to each, and reads what none of its rules takes,\n" +
			"or everything where no mapping is named, as a native shape. It counts what would become of them; with\n" +
			"--contract also how the contract would classify them, and with --explain it shows each and why.",
		Example: "  track-source mapping test crm.yaml --in sample.ndjson --explain\n" +
			"  track-source mapping test --contract ai-launch-tour.yaml --feed crm --partner acme --in sample.ndjson --explain",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 || in == "" {
				return usageError{errors.New("name one mapping at most, and with --in a file of events")}
			}
			x := explainer{w: stdout, all: explain, sum: map[string]int{}, judged: map[string]int{}}
			if err := x.load(args, feed, partner, contractFile); err != nil {
				return err
			}
			return x.file(cmd.Context(), in, o)
		},
	}
	cmd.Flags().StringVar(&in, "in", "", "file of events: .ndjson, .jsonl, .json or .csv (required)")
	cmd.Flags().StringVar(&contractFile, "contract", "", "contract to classify by")
	cmd.Flags().StringVar(&feed, "feed", "", "feed of the events: crm, map or analytics (the mapping's)")
	cmd.Flags().StringVar(&partner, "partner", "", "partner whose feed it is (the mapping's)")
	cmd.Flags().BoolVar(&explain, "explain", false, "show what becomes of each event")
	cmd.Flags().StringVar(&o.Format, "format", "", "format of the file (by its name)")
	cmd.Flags().StringVar(&o.Type, "type", "", "Salesforce object that the rows of a CSV file are (by their columns)")
	return cmd
}

// explainer counts and shows what becomes of events of one feed.
type explainer struct {
	src      normalize.Source
	mapping  *mapping.Mapping   // nil: native shapes only
	contract *contract.Contract // nil: not classified
	w        io.Writer
	all      bool           // show each event
	sum      map[string]int // events by what became of them
	judged   map[string]int // touches and deals by what the contract makes of them
}

// load reads the mapping, if args name one, and the contract.
func (x *explainer) load(args []string, feed, partner, contractFile string) error {
	for _, path := range args {
		m, _, err := parseMapping(path)
		if err != nil {
			return err
		}
		if (feed != "" && feed != m.Feed) || (partner != "" && partner != m.Partner) {
			return usageError{fmt.Errorf("%s is for the feed %s of %s: leave --feed and --partner out", path, m.Feed, m.Partner)}
		}
		x.mapping, feed, partner = m, m.Feed, m.Partner
	}
	if partner == "" || !slices.Contains([]string{contract.FeedCRM, contract.FeedMAP, contract.FeedAnalytics}, feed) {
		return usageError{errors.New("without a mapping, say whose events they are: --feed crm, map or analytics, and --partner")}
	}
	if contractFile != "" {
		data, err := os.ReadFile(contractFile)
		if err != nil {
			return usageError{err}
		}
		if x.contract, err = contract.Parse(data); err != nil {
			return fmt.Errorf("%s:\n%w", contractFile, err)
		}
	}
	// Nobody is to be found again by what a test shows.
	throwaway, err := identity.NewPseudonymizer([]byte("track-source mapping test, no secret"))
	x.src = normalize.Source{Feed: feed, Reporter: partner, Pseudonyms: throwaway}
	return err
}

func (x *explainer) file(ctx context.Context, in string, o feedfile.Options) error {
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
	err = feedfile.Read(file, o, func(e feedfile.Event) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return x.event(e)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	return x.total()
}

func (x *explainer) event(e feedfile.Event) error {
	var r normalize.Reader
	v, err := r.Read(e.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", e.Line, err)
	}
	list, ok := v.List()
	if !ok {
		list = []normalize.Value{v}
	}
	for _, one := range list {
		text := fmt.Sprintf("line %d: ", e.Line) + x.one(one)
		if !x.all {
			continue
		}
		if _, err := io.WriteString(x.w, text); err != nil {
			return err
		}
	}
	return nil
}

// one counts the events of a payload and says how they came about.
func (x *explainer) one(payload normalize.Value) string {
	switch total, err := normalize.ReadControlTotal(payload); {
	case err != nil:
		x.sum["dead letter of a control total"]++
		return fmt.Sprintf("a control total\n  => dead letter, %v\n", err)
	case total != nil:
		x.sum["control total"]++
		return fmt.Sprintf("a control total: %d events of %s on %s\n", total.Count, total.Source, total.Day)
	}
	switch step, err := normalize.ReadDispute(x.src, payload); {
	case err != nil:
		x.sum["dead letter of a dispute"]++
		return fmt.Sprintf("a dispute\n  => dead letter, %v\n", err)
	case step != nil:
		x.sum["dispute"]++
		return fmt.Sprintf("a dispute: %s %s in %s, %s\n", step.Action, step.ID, step.Campaign, cmp.Or(step.Deal, "of the deal that it was opened for"))
	}
	var events []normalize.Event
	mapped, text := false, "no rule\n"
	if x.mapping == nil {
		text = "native shape\n"
	} else if events, mapped = x.mapping.Take(x.src, payload.Native()); mapped {
		way := x.mapping.Explain(payload.Native())
		text = "rules " + strings.Join(way.Rules, ", ") + "\n"
		for _, s := range way.Steps {
			text += fmt.Sprintf("  %-28s <- %s (%s) = %s\n", s.Rule+": "+s.Field, s.From, s.Found, s.Result)
		}
		if len(way.Unread) > 0 {
			text += "  not read: " + strings.Join(way.Unread, ", ") + "\n"
		}
	}
	if !mapped {
		events = normalize.DecodeValue(x.src, payload)
	}
	for _, ev := range events {
		if ev.Problem != nil {
			x.sum["dead letter "+string(ev.Problem.Code)]++
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
		x.sum[o.Shape+" "+what]++
		text += fmt.Sprintf("  => %s %s of %s at %s\n", o.Shape, what, o.Node.Level, o.OccurredAt.UTC().Format(time.RFC3339))
		for _, o := range ev.Observations {
			text += x.judge(o)
		}
	}
	return text
}

// judge says what the contract makes of an observation.
func (x *explainer) judge(o normalize.Observation) string {
	switch {
	case x.contract == nil:
		return ""
	case o.Touch != nil:
		return x.judgeTouch(o)
	case o.Object == nil || o.Object.Deleted:
		return ""
	}
	fields := map[string]string{}
	for _, f := range o.Object.Fields {
		if f.Value != nil {
			fields[f.Name] = *f.Value
		}
	}
	switch o.Object.Type {
	case "opportunity":
		return x.judgeDeal(o, fields)
	case "account":
		region, segment := x.contract.Region(fields["country"]), x.contract.Segment(fields["industry"], fields["employees"])
		x.judged["accounts of region "+region+", segment "+segment]++
		return fmt.Sprintf("     region %s, segment %s\n", region, segment)
	case "campaign_member":
		switch {
		case fields["stage"] == "":
			return ""
		case fields["campaign_id"] == "":
			return "     the membership was told before, with its campaign\n"
		}
		return x.judgeInput(contract.TouchInput{
			Reporter: x.src.Reporter, Feed: x.src.Feed, Source: o.Shape, At: o.OccurredAt,
			Status: fields["stage"], CRMCampaign: fields["campaign_id"],
		})
	case contract.ObjectLead, contract.ObjectContact:
		return x.judgePerson(o, fields["stage"])
	}
	return ""
}

func (x *explainer) judgePerson(o normalize.Observation, stage string) string {
	if stage == "" {
		return ""
	}
	milestone, rule := x.contract.PersonStage(o.Object.Type, x.src.Reporter, o.Shape, stage)
	what := "milestone " + milestone
	if milestone == "" {
		what = "no milestone"
	}
	x.judged[fmt.Sprintf("%ss at stage %q: %s", o.Object.Type, stage, what)]++
	return fmt.Sprintf("     stage %q: %s, by %s\n", stage, what, rule)
}

func (x *explainer) judgeTouch(o normalize.Observation) string {
	t := o.Touch
	return x.judgeInput(contract.TouchInput{
		Reporter: x.src.Reporter, Feed: x.src.Feed, Source: o.Shape, Type: t.Type, Asset: t.Asset,
		UTMSource: t.UTMSource, UTMMedium: t.UTMMedium, UTMCampaign: t.UTMCampaign, UTMTerm: t.UTMTerm, UTMContent: t.UTMContent,
		ClickID: t.ClickID, Referrer: t.Referrer, CRMCampaign: t.CRMCampaign, Status: t.Status, Bot: t.Bot, At: o.OccurredAt,
	})
}

func (x *explainer) judgeInput(in contract.TouchInput) string {
	class := x.contract.Classify(in)
	if !class.Counts {
		x.judged["touches excluded: "+class.Excluded]++
		return fmt.Sprintf("     does not count: %s\n", class.Excluded)
	}
	campaign := class.Campaign
	if campaign == contract.This {
		campaign = x.contract.Campaign
	}
	x.judged[fmt.Sprintf("touches of campaign %s, channel %s, partner %s", campaign, class.Channel, class.Partner)]++
	return fmt.Sprintf("     %s of campaign %s, channel %s, partner %s, asset %s, source %s\n     by %s\n",
		class.Type, campaign, class.Channel, class.Partner, class.Asset, class.Source, class.Rule)
}

func (x *explainer) judgeDeal(o normalize.Observation, fields map[string]string) string {
	stage, text := fields["stage"], ""
	if stage != "" {
		class := x.contract.Stage(x.src.Reporter, o.Shape, stage, fields["is_closed"] == "true", fields["is_won"] == "true")
		milestone := "milestone " + class.Milestone
		if class.Milestone == "" {
			milestone = "no milestone"
		}
		x.judged[fmt.Sprintf("deals at stage %q: %s, %s", stage, class.State, milestone)]++
		text = fmt.Sprintf("     stage %q: %s, %s, by %s\n", stage, class.State, milestone, class.Rule)
	}
	if campaign := fields["campaign_id"]; campaign != "" && x.contract.IsCampaign(campaign) {
		x.judged["deals that name the campaign"]++
		text += "     its CRM campaign is this campaign\n"
	}
	return text
}

func (x *explainer) total() error {
	text := counted(x.sum)
	if x.contract != nil {
		text += "under the contract of " + x.contract.Campaign + ":\n" + counted(x.judged)
	}
	_, err := io.WriteString(x.w, text)
	return err
}

// counted prints a line for each of counts, in the order of names.
func counted(counts map[string]int) string {
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "%6d %s\n", counts[what], what)
	}
	return b.String()
}
