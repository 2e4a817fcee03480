package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/deploy/kafka"
	"tracksource/internal/control"
	"tracksource/internal/follow"
	"tracksource/internal/governance"
	"tracksource/internal/line"
	"tracksource/report"
	"tracksource/schemas/avro"
)

func disputeCommand(stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use: "dispute", Short: "What partners do not agree with, and what became of it", Args: noArgs,
		Long: "dispute opens, withdraws and resolves disputes of who sourced a deal or of what a partner is credited\n" +
			"with. While one is open, what is disputed is in escrow: marked, and in every total as before. A partner\n" +
			"has one open dispute of a deal at a time.",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(disputeOpenCommand(stdout, stderr), disputeWithdrawCommand(stdout, stderr), disputeResolveCommand(stdout, stderr), disputeListCommand(stdout, stderr))
	return cmd
}

func disputeOpenCommand(stdout, stderr io.Writer) *cobra.Command {
	s := saying{stdout: stdout, stderr: stderr}
	var r avro.DisputeRecord
	var deal string
	cmd := &cobra.Command{
		Use: "open", Short: "Dispute who sourced a deal, or what a partner is credited with", Args: noArgs,
		Long: "open disputes, for a signatory, who sourced a deal (--about sourcing) or the credit that another has of\n" +
			"it (--about credit --against PARTNER; also (none) and (held)). The deal is named reporter/source/id. What\n" +
			"is in a closed period cannot be disputed until the period is opened again.",
		Example: "  track-source dispute open --campaign ai-launch-tour --as globex --deal acme/salesforce/0065g00000XyZabAAF --about sourcing \\\n" +
			"    --by \"Partner Operations\" --why \"registered on 2 March\"" + controlExample + "\n" +
			"  track-source dispute open --campaign ai-launch-tour --as globex --deal acme/salesforce/0065g00000XyZabAAF --about credit --against acme \\\n" +
			"    --by \"Partner Operations\" --why \"our webinar\"" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required("campaign", s.campaign, "as", s.as, "deal", deal, "about", r.About, "by", s.by, "why", s.why); err != nil {
				return err
			}
			if r.About != governance.AboutSourcing && r.About != governance.AboutCredit {
				return usageError{fmt.Errorf("--about %q; write %s or %s", r.About, governance.AboutSourcing, governance.AboutCredit)}
			}
			if (r.About == governance.AboutCredit) != (r.Against != "") {
				return usageError{errors.New("--against says whose credit is disputed: it belongs to --about credit, and to that alone")}
			}
			var err error
			if r.Deal, err = control.ParseDeal(deal); err != nil {
				return usageError{fmt.Errorf("--deal: %w", err)}
			}
			return s.openDispute(cmd.Context(), &r)
		},
	}
	s.bind(cmd, ofAPartner)
	s.bindCampaign(cmd)
	flags := cmd.Flags()
	flags.StringVar(&deal, "deal", "", "the deal, reporter/source/id (required)")
	flags.StringVar(&r.About, "about", "", "sourcing or credit (required)")
	flags.StringVar(&r.Against, "against", "", "partner whose credit is disputed")
	flags.StringVar(&r.ID, "id", "", "name of the dispute (by the partner, the deal and the time)")
	return cmd
}

func (s *saying) openDispute(ctx context.Context, r *avro.DisputeRecord) error {
	cfg, book, err := s.flags.open(ctx, s.stderr)
	if err != nil {
		return err
	}
	r.Campaign, r.Partner, r.Action, r.By, r.Why, r.At = s.campaign, s.as, governance.DisputeOpen, s.by, s.why, now()
	r.ID = cmp.Or(r.ID, s.as+"-"+r.Deal.ID+"-"+r.At.Format("20060102T150405.000000"))
	c := avro.Control{Kind: control.Dispute, Dispute: r}
	if err := book.Judge(&c); err != nil {
		return err // before the facts are read, which may be many
	}
	if err := disputable(ctx, cfg, book, r); err != nil {
		return err
	}
	return s.decide(ctx, cfg, book, c, fmt.Sprintf("dispute %s of %s", r.ID, control.DealText(r.Deal)))
}

// disputable refuses the dispute of a deal on which it would not act: of no deal, of
// one that is in no total, and of what is closed.
func disputable(ctx context.Context, cfg control.Config, book *control.Book, r *avro.DisputeRecord) error {
	c, err := newestContract(book, r.Campaign)
	if err != nil {
		return err
	}
	if err := kafka.Verify(ctx, cfg.Kafka, cfg.Spec, cfg.Spec.Facts()); err != nil {
		return err
	}
	text := control.DealText(r.Deal)
	conversion := attribution.ItemID{Reporter: r.Deal.Reporter, Source: r.Deal.Source, Item: contract.ObjectOpportunity + "/" + r.Deal.ID}.String()
	d, near, err := follow.ReadDeal(ctx, line.StreamConn(cfg.Kafka), cfg.Codecs, cfg.Log, cfg.Spec.Facts(), r.Campaign, conversion)
	switch {
	case err != nil:
		return err
	case d == nil && len(near) == 0:
		return fmt.Errorf("deal %s is unknown, and %s has no deals yet", text, r.Campaign)
	case d == nil:
		return fmt.Errorf("deal %s is unknown in %s; there are such as %s", text, r.Campaign, strings.ReplaceAll(strings.Join(near, ", "), "/"+contract.ObjectOpportunity+"/", "/"))
	case d.Newest().Excluded != "":
		return fmt.Errorf("deal %s is in no total of %s: %s; dispute the deal that counts", text, r.Campaign, d.Newest().Excluded)
	}
	closed, some, err := book.ClosedUntil(r.Campaign)
	if err != nil || !some || report.Disputable(&d.Deal, c, r.About == governance.AboutSourcing, closed) {
		return err
	}
	return fmt.Errorf("what is disputed of deal %s is closed until %s: the period has to be opened again first, with track-source period reopen", text, closed)
}

func disputeWithdrawCommand(stdout, stderr io.Writer) *cobra.Command {
	s := saying{stdout: stdout, stderr: stderr}
	r := avro.DisputeRecord{Action: governance.DisputeWithdraw}
	cmd := &cobra.Command{
		Use: "withdraw", Short: "Take a dispute back, as the partner that opened it", Args: noArgs,
		Example: "  track-source dispute withdraw --campaign ai-launch-tour --id globex-17 --as globex --by \"Partner Operations\" --why \"our mistake\"" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required("campaign", s.campaign, "id", r.ID, "as", s.as, "by", s.by, "why", s.why); err != nil {
				return err
			}
			r.Partner = s.as
			return s.settleDispute(cmd.Context(), &r, governance.DisputeWithdrawn)
		},
	}
	s.bind(cmd, ofAPartner)
	s.bindCampaign(cmd)
	cmd.Flags().StringVar(&r.ID, "id", "", "name of the dispute, as dispute list prints it (required)")
	return cmd
}

func disputeResolveCommand(stdout, stderr io.Writer) *cobra.Command {
	s := saying{stdout: stdout, stderr: stderr}
	r := avro.DisputeRecord{Action: governance.DisputeResolve}
	cmd := &cobra.Command{
		Use: "resolve", Short: "Record what the governance board has decided of a dispute", Args: noArgs,
		Long: "resolve ends a dispute. upheld: what was disputed goes to --to, a partner, or of a sourced deal also\n" +
			"marketing-sourced or unsourced. rejected: it stays where it was.",
		Example: "  track-source dispute resolve --campaign ai-launch-tour --id globex-17 --outcome upheld --to globex --by \"Governance board\" --why \"registration found\"" + controlExample + "\n" +
			"  track-source dispute resolve --campaign ai-launch-tour --id globex-17 --outcome rejected --by \"Governance board\" --why \"registered too late\"" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required("campaign", s.campaign, "id", r.ID, "outcome", r.Outcome, "by", s.by, "why", s.why); err != nil {
				return err
			}
			if r.Outcome != governance.DisputeUpheld && r.Outcome != governance.DisputeRejected {
				return usageError{fmt.Errorf("--outcome %q; write %s or %s", r.Outcome, governance.DisputeUpheld, governance.DisputeRejected)}
			}
			if (r.Outcome == governance.DisputeUpheld) != (r.To != "") {
				return usageError{errors.New("--to says who gets what was disputed: it belongs to --outcome upheld, and to that alone")}
			}
			return s.settleDispute(cmd.Context(), &r, r.Outcome)
		},
	}
	s.bind(cmd, ofNobody)
	s.bindCampaign(cmd)
	flags := cmd.Flags()
	flags.StringVar(&r.ID, "id", "", "name of the dispute, as dispute list prints it (required)")
	flags.StringVar(&r.Outcome, "outcome", "", "upheld or rejected (required)")
	flags.StringVar(&r.To, "to", "", "who gets what was disputed")
	return cmd
}

func (s *saying) settleDispute(ctx context.Context, r *avro.DisputeRecord, state string) error {
	cfg, book, err := s.flags.open(ctx, s.stderr)
	if err != nil {
		return err
	}
	r.Campaign, r.By, r.Why, r.At = s.campaign, s.by, s.why, now()
	d, known := book.Disputes[control.DisputeID{Campaign: s.campaign, ID: r.ID}]
	if known {
		r.Deal = d.Deal
		if r.Partner == "" {
			r.Partner = d.Partner
		}
	}
	return s.decide(ctx, cfg, book, avro.Control{Kind: control.Dispute, Dispute: r}, fmt.Sprintf("dispute %s of %s is %s", r.ID, d.DealText(), state))
}

func disputeListCommand(stdout, stderr io.Writer) *cobra.Command {
	var f controlFlags
	var campaign string
	var open bool
	cmd := &cobra.Command{
		Use: "list", Short: "Print the disputes of a campaign, as CSV", Args: noArgs,
		Example: "  track-source dispute list --campaign ai-launch-tour --open" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			book, err := f.bookOf(cmd.Context(), campaign, stderr)
			if err != nil {
				return err
			}
			var list []governance.Dispute
			for id, d := range book.Disputes {
				if id.Campaign == campaign && (d.IsOpen() || !open) {
					list = append(list, d)
				}
			}
			slices.SortFunc(list, func(a, b governance.Dispute) int {
				return cmp.Or(a.OpenedAt.Compare(b.OpenedAt), cmp.Compare(a.ID, b.ID))
			})
			var lines [][]string
			for i := range list {
				d := &list[i]
				settled := ""
				if !d.IsOpen() {
					settled = instant(d.SettledAt)
				}
				lines = append(lines, []string{d.State, d.ID, d.Partner, d.DealText(), d.About, d.Against, d.To, instant(d.OpenedAt), d.OpenedBy, d.OpenedWhy, settled, d.SettledBy, d.SettledWhy})
			}
			return printCSV(stdout, []string{"state", "id", "partner", "deal", "about", "against", "to", "opened_at", "opened_by", "opened_why", "settled_at", "settled_by", "settled_why"}, lines)
		},
	}
	f.bind(cmd)
	cmd.Flags().StringVar(&campaign, "campaign", "", "campaign whose disputes they are (required)")
	cmd.Flags().BoolVar(&open, "open", false, "print those alone that nothing has settled")
	return cmd
}

// bookOf is what is decided, where the campaign has a contract.
func (f *controlFlags) bookOf(ctx context.Context, campaign string, stderr io.Writer) (*control.Book, error) {
	if err := required("campaign", campaign); err != nil {
		return nil, err
	}
	_, book, err := f.open(ctx, stderr)
	if err != nil {
		return nil, err
	}
	_, err = newestContract(book, campaign)
	return book, err
}
