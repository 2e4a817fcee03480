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
	spans := Spans(rules, j)
	for i, r := range rules {
		b := newBooker(r, rates, j)
		b.read(j, spans)
		b.from, b.before = rules.days(i)
		b.newest = i == len(rules)-1
		b.book(&result)
	}
	return result
}

// book adds what the revision accounts for.
func (b *booker) book(result *Result) {
	outcomes := make([]outcome, len(b.events))
	for i, e := range b.events {
		o := b.outcome(e)
		outcomes[i] = o
		switch {
		case !o.ours || !o.inScope:
		case o.held != nil:
			result.Held = append(result.Held, Held{Conversion: e.conversion, Measure: e.measure, Day: o.Day, Code: o.held.code, Supply: o.held.supply})
		case o.Value != 0:
			o.Lines = sumLines(b.credits(e, o))
			result.Conversions = append(result.Conversions, o.Conversion)
		}
	}
	result.Facts = append(result.Facts, b.facts(outcomes)...)
	if b.newest {
		result.Disagreements = b.disagreements
		result.Suspicions = b.suspicions()
	}
}

// Explain computes one conversion again with the credit of every single touch,
// in order of time. It reports false if the book has no such conversion.
func Explain(rules Rules, rates *money.Rates, j Journey, conversion, measure string) (Conversion, []Credit, bool) {
	spans := Spans(rules, j)
	for i, r := range rules {
		b := newBooker(r, rates, j)
		b.from, b.before = rules.days(i)
		at := slices.IndexFunc(b.events, func(e event) bool { return e.conversion == conversion && e.measure == measure })
		if at < 0 {
			continue
		}
		b.read(j, spans)
		if o := b.outcome(b.events[at]); o.ours && o.inScope && o.held == nil && o.Value != 0 {
			credits := b.credits(b.events[at], o)
			o.Lines = sumLines(credits)
			return o.Conversion, credits, true
		}
	}
	return Conversion{}, nil, false
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

	accounts   []Account
	people     map[string][]Person
	businesses []business
	events     []event

	// steps are in order of time, of equal times by id; moments are when those
	// touches happened that were looked at, in order.
	steps         []step
	moments       []time.Time
	disagreements []Disagreement
}

// newBooker lists the events of the journey, without its touches.
func newBooker(r Revision, rates *money.Rates, j Journey) *booker {
	b := &booker{contract: r.Contract, revision: r.Number, rates: rates}
	b.accounts = unique(j.Accounts, func(a *Account) ItemID { return a.ID }, func(a *Account) time.Time { return a.ModifiedAt })
	b.people = listPeople(j)
	b.businesses = b.listBusinesses(j)
	b.events = b.listEvents()
	return b
}

// read takes the touches in that the spans look at.
func (b *booker) read(j Journey, spans []Span) {
	selected := Select(allTouches(j), spans)
	b.moments = make([]time.Time, len(selected))
	for i := range selected {
		b.moments[i] = selected[i].At
	}
	b.steps = b.touchpoints(j, selected)
	for i := range b.steps {
		b.disputed(&b.steps[i])
	}
	for i := range b.businesses {
		s := &b.businesses[i]
		s.sourced, s.sourcing = b.sourced(s)
	}
}

// outcome is what becomes of one event.
type outcome struct {
	Conversion
	path []*step
	// ours is whether the revision accounts for its day, inScope whether the book
	// does for the deal.
	ours, inScope, truncated bool
	held                     *heldFor
	// until is the last instant of a touch that shares it; zero for what is held.
	until time.Time
}

// outcome values one event and finds the touches that share it.
func (b *booker) outcome(e event) outcome {
	o := outcome{Conversion: Conversion{
		ID: e.conversion, Measure: e.measure, Day: e.day, Revision: b.revision, Value: CountUnit, Exponent: CountExponent,
	}}
	o.path, o.truncated = b.path(e)
	o.inScope = e.business != nil && b.inCampaign(e.business) ||
		slices.ContainsFunc(o.path, func(s *step) bool { return s.class.Campaign == contract.This })
	o.ours = b.from <= e.day && e.day < b.before
	if o.held = e.held; o.held != nil {
		o.Value, o.ours = 0, b.newest
		return o
	}
	o.until = b.span(e).To
	if e.money {
		o.held = b.value(e, &o.Conversion)
	}
	return o
}

// path returns the touches that share the event, in order of time: on or after the
// first of the window's calendar days, which are counted back from the conversion
// day, not after the cut-off, and of the right people. Of more than the contract
// lets share the newest do, the first, and those at milestones. An event that is
// held back has no day to count from; all touches stand in for its path.
func (b *booker) path(e event) (path []*step, truncated bool) {
	first := e.day.Add(1 - b.contract.Window.LookbackDays)
	for i := range b.steps {
		s := &b.steps[i]
		if e.held != nil || s.day >= first && e.cutoff.admits(s) && b.matches(e, s) {
			path = append(path, s)
		}
	}
	if e.held != nil {
		return path, false
	}
	most := b.contract.Journey.Touches
	if excess := len(path) - most; excess > 0 {
		kept := path[:1:1]
		for i := 1; i < excess; i++ {
			if slices.ContainsFunc(e.milestones(), func(at time.Time) bool {
				return !path[i].touch.At.After(at) && path[i+1].touch.At.After(at)
			}) {
				kept = append(kept, path[i])
			}
		}
		path = append(kept, path[max(excess, 1):]...)
	}
	return path, b.moreThan(most, b.span(e))
}

// moreThan reports whether there were more touches in the span than so many.
func (b *booker) moreThan(most int, s Span) bool {
	from, _ := slices.BinarySearchFunc(b.moments, s.From, time.Time.Compare)
	to, _ := slices.BinarySearchFunc(b.moments, s.To.Add(time.Microsecond), time.Time.Compare)
	return to-from > most
}

// matches reports whether touches of those people share the event.
func (b *booker) matches(e event, s *step) bool {
	switch {
	case e.business == nil:
		return b.contract.Journey.Matching != contract.MatchExplicit || slices.Contains(s.people, e.person)
	case b.explicit(e.business):
		return slices.ContainsFunc(s.people, func(person string) bool { return e.business.people[person] })
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
		Rate: how.Rate, RateDay: how.RateDay, Via: how.Via,
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
