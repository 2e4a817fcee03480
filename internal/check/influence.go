package check

import (
	"strings"

	"tracksource/contract"
)

// everything is what a line of influence has where it is told apart by nothing.
const everything = "(all)"

// influence are the measures that follow each of three, with the partners that had a
// touch and with those of them that did not source the deal.
func influence(measure string) (influenced, coSell string) {
	switch measure {
	case "opportunities":
		return "opportunities_influenced", ""
	case "pipeline_created":
		return "pipeline_influenced", "pipeline_co_sell"
	case "revenue":
		return "revenue_influenced", "revenue_co_sell"
	}
	return "", ""
}

// perPartner is whether each partner has a measure's values whole, so that they are not
// added over partners.
func perPartner(measure string) bool {
	return strings.HasSuffix(measure, "_influenced") || strings.HasSuffix(measure, "_co_sell")
}

// followed books what follows an event.
func (p *page) followed(e *event, path, steps []*step, confidence int64) {
	influenced, coSell := influence(e.measure)
	if influenced == "" {
		return
	}
	partners := map[string]bool{}
	for _, s := range path {
		for _, partner := range s.partners {
			partner = p.credited(e, partner)
			partners[partner] = partner != contract.None && partner != contract.Held
		}
	}
	by := p.sourced(e, steps).Partner
	with, without := *e, *e
	with.measure, without.measure = influenced, coSell
	seen := map[string]bool{}
	for partner, is := range partners {
		own := partner == by || partner == p.c.Host() && by == contract.MarketingSourced
		if !is {
			continue
		}
		p.entire(&with, partner, confidence)
		seen[with.measure] = true
		if coSell != "" && by != contract.Unsourced && !own {
			p.entire(&without, partner, confidence)
			seen[without.measure] = true
		}
	}
	p.conversions += len(seen)
}

// entire books the whole of an event for one partner, under every model.
func (p *page) entire(e *event, partner string, confidence int64) {
	to := lines{}
	k := p.dimensions(e, nil)
	k.Partner, k.Channel, k.Asset, k.Source, k.TouchCampaign = partner, everything, everything, everything, everything
	for _, id := range p.c.Models {
		add(p.due.shares, shareKey{p.name, p.root, e.conversion, e.measure, e.day.String(), id, e.currency, partner}, e.value)
		p.line(to, e, id, k, e.value)
	}
	p.book.add(e, to, confidence)
}
