package check

import (
	"cmp"
	"math/big"
	"slices"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/money"
)

// event is one measure of a deal or of a person.
type event struct {
	conversion, measure string
	business            *business // nil for a person's
	day                 money.Day
	// when.at is the last instant of a touch; zero where it is the end of the day.
	when     milestones
	open     bool // without a date that it needs: it looks at touches of all times
	held     bool // in no total: without a date or a value
	value    *big.Int
	rated    int64 // how sure the value in the contract's currency is, in millionths
	currency string
	exponent int
	// people are those whose touches share it, if only some do.
	people []string
	only   bool
}

// list makes the events of everything on the account.
func (p *page) list() (events []*event) {
	for _, s := range p.businesses {
		if !s.valued {
			continue
		}
		made := p.dealEvents(s)
		if s.isOrder() {
			made = p.orderEvents(s)
		}
		people := p.roles(s)
		only := p.c.Journey.Matching == contract.MatchExplicit || p.c.Journey.Matching == contract.MatchHybrid && len(people) > 0
		for _, e := range made {
			e.conversion, e.business, e.people, e.only = s.id(), s, people, only
			e.when.opportunity = s.created()
			e.when.lead = p.known(e)
		}
		events = append(events, made...)
	}
	return append(events, p.personEvents()...)
}

// known is when the first person whose touches share the event became a lead or a
// contact, if that is known to be not after the creation.
func (p *page) known(e *event) (first time.Time) {
	for _, o := range p.of("lead", "contact") {
		at := instant(o.field("created_at"))
		if at.IsZero() || e.only && !slices.Contains(e.people, known(o.person)) {
			continue
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	if first.After(e.when.opportunity) {
		return time.Time{}
	}
	return first
}

// count makes an event of value one at an instant.
func (p *page) count(measure string, at time.Time) *event {
	return &event{measure: measure, day: p.c.Day(at), when: milestones{at: at}, open: at.IsZero(), held: at.IsZero(), value: big.NewInt(1_000_000), rated: sureness, exponent: 6}
}

// amount makes of an event one of a deal's amount.
func (p *page) amount(e *event, s *business) *event {
	minor, rate, ok := p.worth(s.own(), e.day)
	e.rated = ratedBy(rate, e.day)
	e.value, e.currency, e.exponent = big.NewInt(minor), p.c.Currency, p.c.Exponent
	e.held = e.held || !ok
	return e
}

// closing makes an event of the close date, at an instant if that is known.
func (p *page) closing(measure string, s *business, at time.Time) *event {
	e := p.count(measure, at)
	on, err := money.ParseDay(s.says("close_date"))
	e.day, e.open, e.held = on, err != nil, err != nil
	return e
}

func (p *page) dealEvents(s *business) []*event {
	d, created := s.own(), s.created()
	judge := func(stage string, closed, won bool) contract.StageClass {
		return p.c.Stage(d.key.reporter, d.key.source, stage, closed, won)
	}
	now := judge(d.field("stage"), flag(d.field("is_closed")), flag(d.field("is_won"))).State
	events := []*event{
		p.count("opportunities", created),
		p.amount(p.count("pipeline_created", created), s),
		p.amount(p.count("pipeline_sourced", created), s),
	}
	if now == contract.StateOpen {
		events = append(events, p.amount(p.count("pipeline_open", created), s))
	}
	history := d.history()
	classes := make([]contract.StageClass, len(history))
	for i, h := range history {
		classes[i] = judge(h.Stage, h.IsClosed, h.IsWon)
	}
	first := func(reached func(contract.StageClass) bool) (at time.Time) {
		if i := slices.IndexFunc(classes, reached); i >= 0 {
			at = history[i].At
		}
		return at
	}
	if now == contract.StateWon {
		var won time.Time
		for i := len(history) - 1; i >= 0 && classes[i].State == contract.StateWon; i-- {
			won = history[i].At
		}
		revenue, sourced := p.amount(p.closing("revenue", s, won), s), p.amount(p.closing("revenue_sourced", s, won), s)
		revenue.when.closed, sourced.when.closed = won, won
		if created.IsZero() {
			sourced.open, sourced.held = true, true
		}
		events = append(events, revenue, sourced)
	}
	for _, state := range []contract.State{contract.StateWon, contract.StateLost} {
		at := first(func(c contract.StageClass) bool { return c.State == state })
		var e *event
		switch {
		case !at.IsZero():
			e = p.count(string(state), at)
		case now == state:
			e = p.closing(string(state), s, at)
		default:
			continue
		}
		if state == contract.StateWon {
			e.when.closed = at
		}
		events = append(events, e)
	}
	for _, m := range p.c.Milestones {
		if at := first(func(c contract.StageClass) bool { return c.Milestone == m }); !at.IsZero() {
			events = append(events, p.count(m, at))
		}
	}
	return events
}

// orderEvents are those of an order of a shop, which was won as it was placed.
func (p *page) orderEvents(s *business) []*event {
	placed := s.created()
	events := []*event{
		p.count("orders", placed),
		p.amount(p.count("revenue", placed), s),
		p.amount(p.count("revenue_sourced", placed), s),
	}
	for _, e := range events {
		e.when.closed = placed
	}
	return events
}

// worth is the amount in the contract's currency on the day and how it came to that,
// or false if there is no rate or no readable amount.
func (p *page) worth(d *object, day money.Day) (int64, money.Conversion, bool) {
	var rate money.Conversion
	text := d.field("amount")
	if text == "" {
		return 0, rate, true
	}
	currency := d.field("currency")
	if currency == "" {
		currency = p.c.PartnerCurrency(d.key.reporter)
	}
	original, err := money.Parse(text, currency)
	if err != nil {
		return 0, rate, false
	}
	for _, f := range d.state.Fields {
		if !strings.HasPrefix(f.Name, "refund:") || f.Value == nil {
			continue
		}
		refund, err := money.Parse(*f.Value, currency)
		if err != nil {
			return 0, rate, false
		}
		if original, err = original.Sub(refund); err != nil {
			return 0, rate, false
		}
	}
	amount, rate, err := p.rates.Convert(original, p.c.Currency, day, p.c.RateAgeDays)
	return amount.Minor, rate, err == nil
}

// personEvents are the first arrivals of people at milestones. Leads and contacts
// of one identity are one person.
func (p *page) personEvents() (events []*event) {
	type person struct {
		text  string
		known time.Time
		first map[string]time.Time // by milestone
	}
	people := map[string]*person{}
	for _, o := range p.of("lead", "contact") {
		id := cmp.Or(known(o.person), idText(o.key))
		who := people[id]
		if who == nil {
			who = &person{text: known(o.person), first: map[string]time.Time{}}
			people[id] = who
		}
		if at := instant(o.field("created_at")); earlier(at, who.known) {
			who.known = at
		}
		for _, s := range o.state.Stages {
			m, _ := p.c.PersonStage(o.state.Type, o.key.reporter, o.key.source, s.Stage)
			if m != "" && earlier(s.At, who.first[m]) {
				who.first[m] = s.At
			}
		}
	}
	for id, who := range people {
		for m, at := range who.first {
			e := p.count(m, at)
			e.conversion = "person:" + id
			if !who.known.After(at) {
				e.when.lead = who.known
			}
			if p.c.Journey.Matching == contract.MatchExplicit {
				e.people, e.only = []string{who.text}, true
			}
			events = append(events, e)
		}
	}
	return events
}

// isApproved is whether a registration was approved.
func isApproved(status string) bool {
	return slices.Contains([]string{"approved", "accepted", "active", "registered"}, strings.ToLower(strings.TrimSpace(status)))
}
