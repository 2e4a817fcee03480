package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tracksource/contract"
	"tracksource/internal/control"
	"tracksource/internal/governance"
	"tracksource/schemas/avro"
)

func contractApproveCommand(stdout, stderr io.Writer) *cobra.Command {
	s := saying{stdout: stdout, stderr: stderr}
	var refuse bool
	cmd := &cobra.Command{
		Use: "approve FILE", Short: "Record what a partner says to a proposed contract",
		Long: "approve records that a partner approves of a proposal, or refuses it. FILE is the document that the\n" +
			"partner has read: if it is not what is proposed now, nothing is recorded. Once all have approved whose\n" +
			"approval is needed, contract apply puts the very same document in force.",
		Example: "  track-source contract approve proposal.yaml --as globex --by \"Partner Operations\" --why \"as agreed on 3 March\"" + controlExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := oneFile(args)
			if err != nil {
				return err
			}
			if err := required("as", s.as, "by", s.by, "why", s.why); err != nil {
				return err
			}
			c, err := contract.Parse(data)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			s.campaign = c.Campaign
			return s.approveRevision(cmd.Context(), data, refuse)
		},
	}
	s.bind(cmd, ofAPartner)
	cmd.Flags().BoolVar(&refuse, "refuse", false, "refuse it instead")
	return cmd
}

func (s *saying) approveRevision(ctx context.Context, document []byte, refuse bool) error {
	cfg, book, err := s.flags.open(ctx, s.stderr)
	if err != nil {
		return err
	}
	newest, _ := book.Newest(s.campaign)
	r := avro.ApprovalRecord{
		Campaign: s.campaign, Partner: s.as, Of: governance.OfRevision, Revision: newest.Revision + 1, Hash: control.Hash(document),
		Decision: approval(refuse), By: s.by, Why: s.why, At: now(),
	}
	c := avro.Control{Kind: control.Approval, Approval: &r}
	if err := s.decide(ctx, cfg, book, c, fmt.Sprintf("campaign %s: revision %d, contract %.12s, is %s by %s", r.Campaign, r.Revision, r.Hash, r.Decision, r.Partner)); err != nil || s.flags.dryRun {
		return err
	}
	if err := book.Take(&c); err != nil {
		return err
	}
	return sayMissing(s.stdout, book, s.campaign)
}

// sayMissing says whose approval a proposal still needs.
func sayMissing(w io.Writer, book *control.Book, campaign string) error {
	p, proposed, err := book.Proposed(campaign)
	if err != nil || !proposed || len(p.Approvers) == 0 {
		return err
	}
	silent, refused := p.Missing()
	text := "all have approved whose approval is needed: track-source contract apply puts it in force\n"
	switch {
	case len(refused) > 0:
		text = fmt.Sprintf("it is refused by %s, and cannot be put in force\n", strings.Join(refused, ", "))
	case len(silent) > 0:
		text = fmt.Sprintf("it needs the approval of %s: track-source contract approve records it\n", strings.Join(silent, ", "))
	}
	_, err = io.WriteString(w, text)
	return err
}

func contractShowCommand(stdout, stderr io.Writer) *cobra.Command {
	var f controlFlags
	var campaign string
	var document bool
	cmd := &cobra.Command{
		Use: "show", Short: "Print what is in force of a campaign, what is proposed, and who approves of it", Args: noArgs,
		Example: "  track-source contract show --campaign ai-launch-tour" + controlExample + "\n" +
			"  track-source contract show --campaign ai-launch-tour --document" + controlExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required("campaign", campaign); err != nil {
				return err
			}
			_, book, err := f.open(cmd.Context(), stderr)
			if err != nil {
				return err
			}
			newest, agreed := book.Newest(campaign)
			if _, proposed := book.Proposals[campaign]; !agreed && (document || !proposed) {
				return fmt.Errorf("campaign %s has no contract there", campaign)
			}
			if document {
				_, err := io.WriteString(stdout, newest.Document)
				return err
			}
			return showContract(stdout, book, campaign)
		},
	}
	f.bind(cmd)
	cmd.Flags().StringVar(&campaign, "campaign", "", "campaign whose contract it is (required)")
	cmd.Flags().BoolVar(&document, "document", false, "print the document in force and nothing else")
	return cmd
}

func showContract(w io.Writer, book *control.Book, campaign string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(cells ...string) { _, _ = fmt.Fprintln(t, strings.Join(cells, "\t")) } // Flush has the error
	if newest, agreed := book.Newest(campaign); agreed {
		line("in force", fmt.Sprintf("revision %d, contract %.12s", newest.Revision, newest.Hash), "since "+instant(newest.RecordedAt), said(newest.By, newest.Why))
	} else {
		line("in force", "nothing")
	}
	closed, some, err := book.ClosedUntil(campaign)
	if err != nil {
		return err
	}
	if some {
		line("closed", "until "+closed.String())
	}
	p, proposed, err := book.Proposed(campaign)
	if err != nil {
		return err
	}
	if proposed {
		proposal := book.Proposals[campaign]
		line("proposed", fmt.Sprintf("revision %d, contract %.12s", p.Revision, p.Hash), "since "+instant(proposal.RecordedAt), said(proposal.By, proposal.Why))
		for _, partner := range p.Approvers {
			line(approvalLine(book.Approvals[campaign], &p, partner)...)
		}
	}
	revisions := book.Contracts[campaign]
	for _, r := range slices.Backward(revisions[:max(len(revisions)-1, 0)]) {
		line("before", fmt.Sprintf("revision %d, contract %.12s", r.Revision, r.Hash), "since "+instant(r.RecordedAt), said(r.By, r.Why))
	}
	return t.Flush()
}

// approvalLine is the last word of a partner whose approval a proposal needs.
func approvalLine(words []avro.ApprovalRecord, p *governance.Proposal, partner string) []string {
	if p.Words[partner].Decision == "" {
		return []string{"  " + partner, "has said nothing yet"}
	}
	for _, r := range slices.Backward(words) {
		if r.Partner == partner && r.Of == governance.OfRevision && r.Revision == p.Revision && r.Hash == p.Hash {
			return []string{"  " + partner, r.Decision + " by " + r.By, instant(r.At) + ": " + r.Why}
		}
	}
	return []string{"  " + partner, p.Words[partner].Decision}
}
