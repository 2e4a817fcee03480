package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tracksource/contract"
	"tracksource/internal/control"
	"tracksource/internal/follow"
	"tracksource/internal/line"
	"tracksource/money"
	"tracksource/report"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

func contractProposeCommand(stdout, stderr io.Writer) *cobra.Command {
	r := revising{stdout: stdout, stderr: stderr, make: control.Propose, proposed: true}
	cmd := &cobra.Command{
		Use: "propose FILE", Short: "Let a contract run as a shadow beside the agreed one",
		Long: "propose sends a contract as what the next revision of its campaign might be. Running services keep a\n" +
			"book of it beside the agreed one, of all that they hold and of what comes: marked in every row by its\n" +
			"name, which ends in ~proposed, and never added. It changes nothing that is agreed. A new proposal\n" +
			"replaces the older one of its campaign. What it changes is shown by contract compare.",
		Example: "  track-source contract propose proposal.yaml --previous 1 --by \"Revenue Operations\" --why \"deals take longer than 90 days\"" + controlExample,
		RunE:    func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), args) },
	}
	r.bind(cmd)
	return cmd
}

func contractWithdrawCommand(stdout, stderr io.Writer) *cobra.Command {
	var f controlFlags
	var campaign string
	var why reason
	cmd := &cobra.Command{
		Use: "withdraw", Short: "Take the proposal of a campaign back", Args: noArgs,
		Long: "withdraw ends what was proposed for a campaign. Running services take back every entry of its book,\n" +
			"and its rows go with them.",
		Example: "  track-source contract withdraw --campaign ai-launch-tour --by \"Revenue Operations\" --why \"it would credit nobody else\"" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required("campaign", campaign, "by", why.by, "why", why.why); err != nil {
				return err
			}
			cfg, book, proposal, err := f.proposal(cmd.Context(), campaign, stderr)
			if err != nil {
				return err
			}
			record := control.Withdraw(proposal, now())
			record.Contract.By, record.Contract.Why = why.by, why.why
			if err := book.Judge(&record); err != nil {
				return err
			}
			verb := "withdrawn"
			if f.dryRun {
				verb = "would be withdrawn"
			} else if err := sendJudged(cmd.Context(), cfg, record, stderr); err != nil {
				return err
			}
			_, err = fmt.Fprintf(stdout, "campaign %s: proposal of revision %d, contract %.12s, %s\n", campaign, proposal.Revision, proposal.Hash, verb)
			return err
		},
	}
	f.bind(cmd)
	cmd.Flags().StringVar(&campaign, "campaign", "", "campaign whose proposal it is (required)")
	cmd.Flags().StringVar(&why.by, "by", "", "who says so: an office such as \"Revenue Operations\", not a person (required)")
	cmd.Flags().StringVar(&why.why, "why", "", "the reason, which all signatories read (required)")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be sent; send nothing")
	return cmd
}

// proposal is what is proposed for a campaign, on the cluster of the flags.
func (f *controlFlags) proposal(ctx context.Context, campaign string, stderr io.Writer) (control.Config, *control.Book, avro.ContractRecord, error) {
	if campaign == "" {
		return control.Config{}, nil, avro.ContractRecord{}, usageError{errors.New("--campaign is required")}
	}
	cfg, book, err := f.open(ctx, stderr)
	if err != nil {
		return control.Config{}, nil, avro.ContractRecord{}, err
	}
	proposal, exists := book.Proposals[campaign]
	if !exists {
		return control.Config{}, nil, avro.ContractRecord{}, fmt.Errorf("nothing is proposed for campaign %s there", campaign)
	}
	return cfg, book, proposal, nil
}

func contractCompareCommand(stdout, stderr io.Writer) *cobra.Command {
	var f controlFlags
	var campaign, dimensions string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "compare", Short: "Show what a proposed contract would make of the numbers", Args: noArgs,
		Long: "compare reads the contributions of the agreed and of the proposed book and prints, for each measure\n" +
			"and model, how far the proposed numbers are from the agreed ones: the whole, and what differs by each\n" +
			"of the dimensions. The two are never added, and what partners influenced is told by partner alone,\n" +
			"since each has the whole of it. While services restate, numbers move: the metric\n" +
			"tracksource_sweep_active is then 1.",
		Example: "  track-source contract compare --campaign ai-launch-tour" + controlExample + "\n" +
			"  track-source contract compare --campaign ai-launch-tour --dimensions region,asset --json" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var dims []report.Dimension
			for name := range strings.SplitSeq(dimensions, ",") {
				if name != "" {
					dims = append(dims, report.Dimension(name))
				}
			}
			if _, err := report.Compare(report.Side{}, report.Side{}, dims...); err != nil {
				return usageError{fmt.Errorf("--dimensions: %w", err)}
			}
			cfg, book, proposal, err := f.proposal(cmd.Context(), campaign, stderr)
			if err != nil {
				return err
			}
			agreed, _ := book.Newest(campaign)
			c := comparison{Campaign: campaign, Agreed: versionOf(agreed), Proposed: versionOf(proposal), OnTopOf: proposal.Previous}
			if err := c.read(cmd.Context(), cfg, agreed, proposal, dims); err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(stdout)
				e.SetIndent("", "  ")
				return e.Encode(c)
			}
			return c.table(stdout)
		},
	}
	f.bind(cmd)
	cmd.Flags().StringVar(&campaign, "campaign", "", "campaign to compare (required)")
	cmd.Flags().StringVar(&dimensions, "dimensions", "partner,channel", "what to break the numbers down by, with commas between")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print all numbers as JSON, also those that are equal")
	return cmd
}

// comparison is a proposed book held against the agreed one.
type comparison struct {
	Campaign string  `json:"campaign"`
	Agreed   version `json:"agreed"`
	Proposed version `json:"proposed"`
	// OnTopOf is the revision that its author knew; when it is not the agreed one
	// any more, the proposal shows what that would have become.
	OnTopOf     int64        `json:"on_top_of"`
	Differences []difference `json:"differences"`
}

type version struct {
	Revision int64  `json:"revision"` // 0: nothing is agreed
	Hash     string `json:"hash"`
}

func versionOf(r avro.ContractRecord) version { return version{r.Revision, r.Hash} }

// difference is one number. Agreed and Proposed are null where the contract has no
// such model or currency, and Change where one of them is.
type difference struct {
	Measure   string           `json:"measure"`
	Model     string           `json:"model"`
	Currency  string           `json:"currency"`  // empty for counts
	Dimension report.Dimension `json:"dimension"` // empty for the whole
	Key       string           `json:"key"`
	Agreed    *string          `json:"agreed"`
	Proposed  *string          `json:"proposed"`
	Change    *string          `json:"change"`
}

// read computes the differences of the contributions as they are now.
func (c *comparison) read(ctx context.Context, cfg control.Config, agreed, proposal avro.ContractRecord, dims []report.Dimension) error {
	rows, err := rowsOf(ctx, cfg, c.Campaign, contract.ProposalBook(c.Campaign))
	if err != nil {
		return err
	}
	var sides [2]report.Side
	for i, document := range []string{agreed.Document, proposal.Document} {
		if document == "" {
			continue // nothing is agreed yet
		}
		terms, err := contract.Parse([]byte(document))
		if err != nil {
			return err
		}
		sides[i] = report.Side{Models: terms.Models, Currency: terms.Currency}
	}
	sides[0].Rows, sides[1].Rows = rows[c.Campaign], rows[contract.ProposalBook(c.Campaign)]
	list, err := report.Compare(sides[0], sides[1], dims...)
	if err != nil {
		return err
	}
	c.Differences = make([]difference, len(list))
	for i := range list {
		d := &list[i]
		places := 0
		if d.Currency != "" {
			if places, err = money.Exponent(d.Currency); err != nil {
				return err
			}
		}
		text := func(v *report.Value) *string {
			if v == nil {
				return nil
			}
			t := v.Text(places)
			return &t
		}
		c.Differences[i] = difference{d.Measure, d.Model, d.Currency, d.By, d.Key, text(d.Agreed), text(d.Proposed), nil}
		if change, ok := d.Change(); ok {
			c.Differences[i].Change = text(&change)
		}
	}
	return nil
}

// rowsOf reads the contributions that stand of some books, by book.
func rowsOf(ctx context.Context, cfg control.Config, books ...string) (map[string]report.Rows, error) {
	standing := map[avro.ContributionKey]report.Row{}
	wanted := map[string]bool{}
	for _, b := range books {
		wanted[b] = true
	}
	err := stream.ReadTopic(ctx, line.StreamConn(cfg.Kafka), cfg.Log, cfg.Spec.Contributions(), func(r stream.Record) error {
		var key avro.ContributionKey
		if err := cfg.Codecs.ContributionKey.Decode(r.Key, &key); err != nil || !wanted[key.Contract] {
			return err
		}
		delete(standing, key)
		if r.Value == nil {
			return nil
		}
		var row avro.ContributionRow
		if err := cfg.Codecs.ContributionRow.Decode(r.Value, &row); err != nil || row.IsDeleted {
			return err
		}
		known, err := follow.RowOf(&row)
		standing[key] = known
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read contributions: %w", err)
	}
	rows := map[string]report.Rows{}
	for _, row := range standing {
		rows[row.Campaign] = append(rows[row.Campaign], row)
	}
	return rows, nil
}

// table prints the whole of everything and what differs of the parts.
func (c *comparison) table(w io.Writer) error {
	head := fmt.Sprintf("campaign %s: revision %d proposed, contract %.12s, beside ", c.Campaign, c.Proposed.Revision, c.Proposed.Hash)
	if c.Agreed.Revision == 0 {
		head += "nothing that is agreed\n"
	} else {
		head += fmt.Sprintf("revision %d agreed, contract %.12s\n", c.Agreed.Revision, c.Agreed.Hash)
	}
	if c.OnTopOf != c.Agreed.Revision {
		head += fmt.Sprintf("the proposal is on top of revision %d: propose it again on top of %d\n", c.OnTopOf, c.Agreed.Revision)
	}
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "MEASURE\tMODEL\tBY\tAGREED\tPROPOSED\tDIFFERENCE\t") // Flush has the error
	show := func(text *string) string {
		if text == nil {
			return "-"
		}
		return *text
	}
	for _, d := range c.Differences {
		by := "total"
		if d.Dimension != "" {
			if d.Change != nil && strings.Trim(*d.Change, "0.") == "" {
				continue
			}
			by = string(d.Dimension) + " " + d.Key
		}
		change := show(d.Change)
		if d.Change != nil && !strings.HasPrefix(change, "-") {
			change = "+" + change
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.Measure, d.Model, by, show(d.Agreed), show(d.Proposed), change, d.Currency)
	}
	return t.Flush()
}
