package contract

import "strings"

// proposalMark ends the name of a proposal's book. No id has a ~, so that no
// campaign is called so.
const proposalMark = "~proposed"

// ProposalBook names the book of what is proposed for a campaign, wherever the
// book of a contract is named by its campaign: in ledger entries, contributions
// and facts. It is a shadow of the agreed one and is never added to it.
func ProposalBook(campaign string) string { return campaign + proposalMark }

// CampaignOfBook returns the campaign whose book has the name, and whether it is
// the book of a proposal.
func CampaignOfBook(name string) (campaign string, proposed bool) {
	return strings.CutSuffix(name, proposalMark)
}
