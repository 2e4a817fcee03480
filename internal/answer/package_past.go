package answer

import (
	"slices"

	"tracksource/contract"
	"tracksource/internal/follow"
	"tracksource/report"
)

// sightNow refuses a package of the past to who was told more of the campaign then than
// now: what a newer contract has taken from a partner, its older revisions do not give
// back, whatever moment or positions are asked for.
func (a *Answers) sightNow(v report.Viewer, past *Answers, q *Query) error {
	if v.Operator {
		return nil
	}
	book, err := past.campaignNamed(v, q.Campaign)
	if err != nil {
		return err
	}
	then, err := past.ask(v, &Query{Campaign: book})
	if err != nil {
		return err
	}
	list, err := a.visible(v)
	if err != nil {
		return err
	}
	place := func(name string) int {
		return slices.IndexFunc(list, func(c *follow.Campaign) bool { return c.Book == name })
	}
	at := place(then.Campaign)
	if agreed, proposed := contract.CampaignOfBook(then.Campaign); at < 0 && proposed {
		at = place(agreed) // the proposal was withdrawn, or is agreed
	}
	if at < 0 {
		// As of a campaign that there never was.
		_, err := a.ask(v, &Query{Campaign: then.Campaign})
		return err
	}
	if v.Of(list[at].Contract) < then.sight {
		return &Error{
			Parameter: "as_of", Allowed: []string{},
			Detail: "the contract in force tells you less than the one of then: ask for the campaign as it is now, or the operator for the package of then",
		}
	}
	return nil
}
