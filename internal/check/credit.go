package check

import (
	"math/big"
	"slices"
	"strings"
	"time"

	"tracksource/attribution/model"
	"tracksource/contract"
	"tracksource/schemas/avro"
)

// sharers are the touches that share an event, in order of time.
func (p *page) sharers(e *event, steps []*step) (path []*step) {
	for _, s := range steps {
		if p.within(e, s.at) && e.concerns(s) {
			path = append(path, s)
		}
	}
	if len(path) <= p.c.Journey.Touches {
		return path
	}
	var some []*step
	for _, i := range kept(len(path), p.c.Journey.Touches, e.when, func(i int) time.Time { return path[i].at }) {
		some = append(some, path[i])
	}
	return some
}

// concerns is whether a touch is of one of the people whose touches share the
// event.
func (e *event) concerns(s *step) bool {
	return !e.only || s.person != "" && slices.Contains(e.people, s.person)
}

// enter books one event.
func (p *page) enter(e *event, steps []*step) {
	path := p.sharers(e, steps)
	ours := e.business != nil && e.business.ours(p.c)
	for _, s := range path {
		ours = ours || s.class.Campaign == contract.This
	}
	if !ours || e.value.Sign() == 0 {
		return
	}
	p.conversions++
	to := lines{}
	for m, id := range p.c.Models {
		add(p.due.shares, shareKey{p.name, p.root, e.conversion, e.measure, e.day.String(), id, e.currency, ""}, e.value)
		if isSourced(e.measure) {
			p.line(to, e, id, p.sourced(e, steps), e.value)
			continue
		}
		p.share(to, e, id, p.c.Specs[m], path)
	}
	sure := p.confidence(e, path, to)
	p.book.add(e, to, sure.overall)
	if e.business != nil {
		p.conclusion(e.business).sure[e.measure] = sure
	}
	p.followed(e, path, steps, sure.overall)
}

// isSourced is whether a measure goes whole to who sourced the deal.
func isSourced(measure string) bool { return strings.HasSuffix(measure, "_sourced") }

// lines are what one conversion comes to, under all models.
type lines map[amountKey]*big.Int

// line adds to one number of a conversion.
func (p *page) line(to lines, e *event, model string, k avro.ContributionKey, value *big.Int) {
	k.Contract, k.Measure, k.Model, k.Day = p.name, e.measure, model, e.day.String()
	k.Escrow = p.escrow(e, k.Partner)
	add(to, amountKey{k, e.currency, e.exponent}, value)
}

// add books a conversion in which there is so much confidence.
func (b *book) add(e *event, conversion lines, confidence int64) {
	for k, n := range conversion {
		share := shareKey{b.name, b.root, e.conversion, k.Measure, k.Day, k.Model, k.currency, ""}
		if perPartner(k.Measure) {
			share.partner = k.Partner
		}
		add(b.due.amounts, k, n)
		add(b.due.certain, k, certain(n, confidence))
		add(b.due.sure, share, certain(n, confidence))
	}
}

// share gives an event to the touches of its path.
func (p *page) share(to lines, e *event, id string, spec model.Spec, path []*step) {
	touches := make([]model.Touch, len(path))
	for i, s := range path {
		touches[i] = model.Touch{At: s.at, Channel: s.class.Channel, Partner: s.class.Partner, Campaign: s.class.Campaign, Asset: s.class.Asset, Type: s.class.Type}
	}
	of := weights(spec, touches, e.when)
	if of == nil {
		p.line(to, e, id, p.dimensions(e, nil), e.value)
		return
	}
	var keys []avro.ContributionKey
	var parts []*big.Int
	for i, s := range path {
		each, rest := new(big.Int).QuoRem(of[i], big.NewInt(int64(len(s.partners))), new(big.Int))
		for n, partner := range s.partners {
			k := p.dimensions(e, s)
			k.Partner = p.credited(e, partner)
			part := new(big.Int).Set(each)
			if int64(n) < rest.Int64() {
				part.Add(part, big.NewInt(1))
			}
			keys, parts = append(keys, k), append(parts, part)
		}
	}
	for i, part := range divide(e.value, parts) {
		p.line(to, e, id, keys[i], part)
	}
}

// sourced is whom the whole of an event goes to that asks who sourced a deal.
func (p *page) sourced(e *event, steps []*step) avro.ContributionKey {
	name := func(partner string) string {
		switch partner {
		case p.c.Host():
			return contract.MarketingSourced
		case contract.None:
			return contract.Unsourced
		}
		return partner
	}
	k := p.dimensions(e, nil)
	if partner, found := p.decidedSource(e.business); found {
		k.Partner, k.Channel, k.Asset = name(partner), contract.Unknown, contract.Unknown
		return k
	}
	if partner, found := p.registered(e.business); found {
		k.Partner, k.Channel, k.Asset = name(partner), contract.Unknown, contract.Unknown
		return k
	}
	created := e.business.created()
	for _, s := range steps {
		if int(p.c.Day(created))-int(s.day) < p.c.SourcedDays && !s.at.After(created) && e.concerns(s) {
			k = p.dimensions(e, s)
			k.Partner = name(s.first)
			return k
		}
	}
	k.Partner = contract.Unsourced
	return k
}

// dimensions are those of the account and of a touch; nil for value that no touch
// preceded.
func (p *page) dimensions(e *event, s *step) avro.ContributionKey {
	k := avro.ContributionKey{
		Region:  p.c.Region(p.companySays(e, "country")),
		Segment: p.c.Segment(p.companySays(e, "industry"), p.companySays(e, "employees")),
		Partner: "(unattributed)", Channel: "(unattributed)", Asset: "(unattributed)", TouchCampaign: contract.None,
		Source: contract.Unknown,
	}
	if e.business != nil {
		k.Source = contract.SourceName(e.business.says("lead_source"))
	}
	if s == nil {
		return k
	}
	k.Partner, k.Channel, k.Asset, k.TouchCampaign = s.class.Partner, s.class.Channel, s.class.Asset, s.class.Campaign
	if s.class.Source != contract.Unknown {
		k.Source = s.class.Source
	}
	return k
}

// companySays is what the company says that is believed most of those that say
// something: by the CRM's precedence, then the deal's own, then the first by id.
func (p *page) companySays(e *event, field string) string {
	own := func(o object) bool {
		if e.business == nil {
			return false
		}
		d := e.business.own()
		return d.field("account_id") != "" && o.key.reporter == d.key.reporter && o.key.source == d.key.source && local(o.key) == d.field("account_id")
	}
	var best *object
	for _, o := range p.of("account") {
		if o.field(field) == "" {
			continue
		}
		if best == nil {
			best = &o
			continue
		}
		place, bestPlace := p.c.Precedence(o.key.reporter, o.key.source), p.c.Precedence(best.key.reporter, best.key.source)
		if place < bestPlace || place == bestPlace && own(o) && !own(*best) {
			best = &o
		}
	}
	if best == nil {
		return ""
	}
	return best.field(field)
}

// divide shares a value by largest remainder, of equal ones to the earlier; a
// negative value is the mirror of the positive one.
func divide(value *big.Int, weights []*big.Int) []*big.Int {
	size, left := new(big.Int).Abs(value), new(big.Int).Abs(value)
	parts, exact := make([]*big.Int, len(weights)), make([]*big.Rat, len(weights))
	for i, w := range weights {
		exact[i] = new(big.Rat).SetFrac(new(big.Int).Mul(size, w), big.NewInt(partsWhole))
		parts[i] = new(big.Int).Quo(exact[i].Num(), exact[i].Denom())
		exact[i].Sub(exact[i], new(big.Rat).SetInt(parts[i]))
		left.Sub(left, parts[i])
	}
	for ; left.Sign() > 0; left.Sub(left, big.NewInt(1)) {
		most := 0
		for i := range exact {
			if exact[i].Cmp(exact[most]) > 0 {
				most = i
			}
		}
		parts[most].Add(parts[most], big.NewInt(1))
		exact[most].SetInt64(-1)
	}
	if value.Sign() < 0 {
		for _, p := range parts {
			p.Neg(p)
		}
	}
	return parts
}
