package attribution

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"tracksource/contract"
	"tracksource/money"
)

// Book accounts for one journey under the rules, which are not empty: each
// revision for its conversion days, what has no day under the newest. A deal that
// cannot be valued is in Held and stops nothing else.
func Book(rules Rules, rates *money.Rates, j Journey) Result {
	newest := rules.Newest()
	result := Result{Contract: newest.Contract.Campaign, Revision: newest.Number, Models: newest.Contract.Models}
	bookers := newBookers(rules, rates, j)
	spans := spansOf(bookers)
	for _, b := range bookers {
		b.read(j, spans)
		b.book(&result)
	}
	result.Refusals = bookers[len(bookers)-1].refused(result.Conversions)
	return result
}

// book adds what the revision accounts for.
func (b *booker) book(result *Result) {
	outcomes := make([]outcome, len(b.events))
	for i, e := range b.events {
		o := b.outcome(e)
		switch {
		case !o.ours || !o.inScope:
		case o.held != nil:
			result.Held = append(result.Held, Held{Conversion: e.conversion, Measure: e.measure, Day: o.Day, Code: o.held.code, Supply: o.held.supply})
		case o.Value != 0:
			o.Lines = b.lines(e, o)
			o.Confidence = b.confidence(e, o)
			result.Conversions = append(append(result.Conversions, o.Conversion), b.following(e, o)...)
		}
		outcomes[i] = o
	}
	result.Facts = append(result.Facts, b.facts(outcomes)...)
	if b.newest {
		result.Disagreements = b.disagreements
		result.Suspicions = b.suspicions()
	}
}

// Explain computes one conversion again with the credit of every single touch,
// in order of time, or of one that partners influenced with a touch for each of
// these. It reports false if the book has no such conversion.
func Explain(rules Rules, rates *money.Rates, j Journey, conversion, measure string) (Conversion, []Credit, bool) {
	bookers := newBookers(rules, rates, j)
	spans := spansOf(bookers)
	of := cmp.Or(follows(measure), measure)
	for _, b := range bookers {
		at := slices.IndexFunc(b.events, func(e event) bool { return e.conversion == conversion && e.measure == of })
		if at < 0 {
			continue
		}
		b.read(j, spans)
		if o := b.outcome(b.events[at]); o.ours && o.inScope && o.held == nil && o.Value != 0 {
			return b.explain(b.events[at], o, measure)
		}
	}
	return Conversion{}, nil, false
}

// explain is a conversion of the event, or of a measure that follows the event's,
// with its credits. It reports false where nobody is to be credited with one that
// follows.
func (b *booker) explain(e event, o outcome, measure string) (Conversion, []Credit, bool) {
	o.Lines = b.lines(e, o)
	o.Confidence = b.confidence(e, o)
	if measure == e.measure {
		return o.Conversion, b.credits(e, o), true
	}
	list := b.following(e, o)
	i := slices.IndexFunc(list, func(c Conversion) bool { return c.Measure == measure })
	if i < 0 {
		return Conversion{}, nil, false
	}
	return list[i], b.influences(list[i], e.business, o.shared), true
}

// booker is one revision over one journey.
type booker struct {
	contract *contract.Contract
	revision int64
	rates    *money.Rates
	// from and before bound its conversion days; newest is whether it accounts for
	// what has no day.
	from, before money.Day
	newest       bool

	// known is how sure it is whose journey this is.
	known      int
	accounts   []Account
	people     map[string][]Person
	businesses []business
	events     []event

	// steps are in order of time, of equal times by id; times are when those touches
	// happened that were looked at, in order.
	steps         []step
	times         []time.Time
	disagreements []Disagreement
	refusals      []Refusal
	shared        map[moment]*shared
	starts        map[money.Day]time.Time // of days in the contract's zone
}

// newBookers makes one for each revision, in their order.
func newBookers(rules Rules, rates *money.Rates, j Journey) []*booker {
	bookers := make([]*booker, len(rules))
	for i, r := range rules {
		b := newBooker(r, rates, j)
		b.from, b.before = rules.days(i)
		b.newest = i == len(rules)-1
		bookers[i] = b
	}
	return bookers
}

// newBooker lists the events of the journey, without its touches.
func newBooker(r Revision, rates *money.Rates, j Journey) *booker {
	b := &booker{contract: r.Contract, revision: r.Number, rates: rates, known: knownAs(j), shared: make(map[moment]*shared), starts: make(map[money.Day]time.Time)}
	b.accounts = unique(j.Accounts, func(a *Account) ItemID { return a.ID }, func(a *Account) time.Time { return a.ModifiedAt })
	b.people = listPeople(j)
	b.businesses = b.listBusinesses(j)
	b.listDisputes(r.Closings, j)
	b.events = b.listEvents()
	return b
}

// read takes the touches in that the spans look at.
func (b *booker) read(j Journey, spans []Span) {
	selected := selectTouches(allTouches(j), spans)
	b.times = make([]time.Time, len(selected))
	for i, t := range selected {
		b.times[i] = t.At
	}
	b.steps = b.touchpoints(j, selected)
	for i := range b.steps {
		b.disputed(&b.steps[i])
	}
	for i := range b.businesses {
		s := &b.businesses[i]
		s.sourced, s.sourcing = b.sourced(s)
		b.decide(s)
	}
}

// outcome is what becomes of one event.
type outcome struct {
	Conversion
	*shared
	// ours is whether the revision accounts for its day.
	ours bool
	held *heldFor
	// until is the last instant of a touch that shares it; zero for what is held.
	until time.Time
}

// outcome values one event and finds the touches that share it.
func (b *booker) outcome(e event) outcome {
	o := outcome{Conversion: Conversion{
		ID: e.conversion, Measure: e.measure, Day: e.day, Revision: b.revision, Value: CountUnit, Exponent: CountExponent,
	}}
	if o.held = e.held; o.held != nil {
		// It has no day to count from; all touches stand in for its path.
		o.Value, o.ours = 0, b.newest
		o.shared = b.scoped(e.moment, &shared{path: b.places(func(*step) bool { return true }), day: money.DayMax})
		return o
	}
	o.shared, o.until = b.share(e.moment), b.span(e).To
	o.ours = b.from <= e.day && e.day < b.before
	if e.money {
		o.held = b.value(e, &o.Conversion)
	}
	return o
}

// shared is who shares the events of one moment.
type shared struct {
	// path are the places in steps of those who do, in order of time.
	path []int
	// day is the conversion day; without one it is behind all.
	day money.Day
	// inScope is whether the book accounts for it; truncated whether there were more
	// touches than the contract lets share.
	inScope, truncated bool
	// weights are those of the shares, of each model; nil where it credits nobody.
	// Each touch of the path has a share for each of its partners. They are made when
	// first asked for.
	weights [][]uint64
	shares  []share
	// dimensions are those of the shares, each once and in order; of a share, line is
	// its place. nobody is the one of what nobody is credited with.
	dimensions []Dimensions
	nobody     int
	// influenced and coSell are its partners, made when first asked for; judged is
	// whether they were.
	influenced, coSell []string
	judged             bool
	// sure is the confidence in the path, made when first asked for, which Identity
	// shows: it is never zero. Each event has a currency and a spread of its own.
	sure Confidence
}

// share is one partner's part of one touch.
type share struct {
	step    *step
	partner string
	line    int
}

func (b *booker) share(m moment) *shared {
	if b.shared[m] == nil {
		path, truncated := b.path(m)
		b.shared[m] = b.scoped(m, &shared{path: path, truncated: truncated, day: m.day})
	}
	return b.shared[m]
}

// scoped decides whether the book accounts for the moment: its deal is of the
// campaign, or a touch that shares it is.
func (b *booker) scoped(m moment, s *shared) *shared {
	s.inScope = m.business != nil && b.inCampaign(m.business) ||
		slices.ContainsFunc(s.path, func(i int) bool { return b.steps[i].class.Campaign == contract.This })
	return s
}

// places lists the steps that a condition holds for.
func (b *booker) places(holds func(*step) bool) []int {
	var path []int
	for i := range b.steps {
		if holds(&b.steps[i]) {
			path = append(path, i)
		}
	}
	return path
}

// path returns the touches that share the moment: on or after the first of the
// window's calendar days, which are counted back from its day, not after the
// cut-off, and of the right people. Of more than the contract lets share the newest
// do, the first, and those at milestones.
func (b *booker) path(m moment) (path []int, truncated bool) {
	first := m.day.Add(1 - b.contract.Window.LookbackDays)
	path = b.places(func(s *step) bool { return s.day >= first && m.cutoff.admits(s) && b.matches(m, s) })
	most := b.contract.Journey.Touches
	if excess := len(path) - most; excess > 0 {
		kept := path[:1:1]
		for i := 1; i < excess; i++ {
			at, next := b.steps[path[i]].at, b.steps[path[i+1]].at
			if slices.ContainsFunc(m.milestones(), func(milestone time.Time) bool { return !at.After(milestone) && next.After(milestone) }) {
				kept = append(kept, path[i])
			}
		}
		path = append(kept, path[max(excess, 1):]...)
	}
	return path, b.moreThan(most, b.spanOf(m))
}

// moreThan reports whether there were more touches in the span than so many.
func (b *booker) moreThan(most int, s Span) bool {
	from, _ := slices.BinarySearchFunc(b.times, s.From, time.Time.Compare)
	to, _ := slices.BinarySearchFunc(b.times, s.To.Add(time.Microsecond), time.Time.Compare)
	return to-from > most
}

// matches reports whether touches of those people share the moment.
func (b *booker) matches(m moment, s *step) bool {
	switch {
	case m.business == nil:
		return b.contract.Journey.Matching != contract.MatchExplicit || slices.Contains(s.people, m.person)
	case b.explicit(m.business):
		return slices.ContainsFunc(s.people, func(person string) bool { return m.business.people[person] })
	}
	return true
}

// value fills in the amount in the contract's currency at the rate of the
// conversion day. A deal without an amount is worth nothing yet.
func (b *booker) value(e event, c *Conversion) *heldFor {
	deal := e.business
	c.Value, c.Currency, c.Exponent = 0, b.contract.Currency, b.contract.Exponent
	if deal.Amount == "" {
		return nil
	}
	currency := cmp.Or(deal.Currency, b.contract.PartnerCurrency(deal.ID.Reporter))
	original, err := deal.net(currency)
	if err != nil {
		return heldBy(err)
	}
	amount, how, err := b.rates.Convert(original, b.contract.Currency, e.day, b.contract.RateAgeDays)
	if err != nil {
		return heldBy(err)
	}
	exponent, err := money.Exponent(currency)
	if err != nil {
		return heldBy(err)
	}
	c.Value = amount.Minor
	c.Basis = Basis{
		Amount: money.Format(original.Minor, exponent), Currency: currency,
		Rate: how.Rate, RateDay: how.RateDay, Via: how.Via, Reported: money.Format(amount.Minor, c.Exponent),
	}
	return nil
}

// net is the amount less all that went back.
func (d *Deal) net(currency string) (money.Amount, error) {
	net, err := money.Parse(d.Amount, currency)
	for _, text := range d.Refunds {
		if err != nil {
			break
		}
		var refund money.Amount
		if refund, err = money.Parse(text, currency); err == nil {
			net, err = net.Sub(refund)
		}
	}
	return net, err
}

// heldBy turns an error of money into the reason for holding back.
func heldBy(err error) *heldFor {
	code := HeldAmountInvalid
	switch {
	case errors.Is(err, money.ErrNoRate):
		code = HeldRateMissing
	case errors.Is(err, money.ErrCurrency):
		code = HeldCurrencyUnknown
	}
	return &heldFor{code: code, supply: err.Error()}
}
