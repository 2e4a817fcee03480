package attribution

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"tracksource/attribution/model"
	"tracksource/contract"
	"tracksource/money"
)

// Book accounts for one journey under the rules, which are not empty: each
// revision for its conversion days, what has no day under the newest. A deal that
// cannot be valued is in Held and stops nothing else.
func Book(rules Rules, rates *money.Rates, j Journey) Result {
	newest := rules.Newest()
	result := Result{Contract: newest.Contract.Campaign, Revision: newest.Number, Models: newest.Contract.Models}
	for i, r := range rules {
		b := newBooker(r.Contract, rates, j)
		from, before := rules.days(i)
		b.each(j, func(f found) {
			switch {
			case f.held != nil && f.held.Day == 0 && i < len(rules)-1:
			case f.held != nil && f.held.Day != 0 && (f.held.Day < from || f.held.Day >= before):
			case f.held != nil:
				result.Held = append(result.Held, *f.held)
			case f.conversion.Day >= from && f.conversion.Day < before:
				f.conversion.Revision, f.conversion.Lines = r.Number, sumLines(f.credits)
				result.Conversions = append(result.Conversions, f.conversion)
			}
		})
	}
	return result
}

// Credit is the share of a conversion that one touch gets.
type Credit struct {
	// Touch is the touch; zero for unattributed value.
	Touch Touch
	// Class is what the contract made of it.
	Class      contract.Classification
	Dimensions Dimensions
	// Minor has one value for each of the contract's models.
	Minor []int64
}

// Explain computes one conversion again with the credit of every single touch,
// in order of time. It reports false if the book has no such conversion.
func Explain(rules Rules, rates *money.Rates, j Journey, conversion, measure string) (Conversion, []Credit, bool) {
	var result found
	ok := false
	for i, r := range rules {
		from, before := rules.days(i)
		newBooker(r.Contract, rates, j).each(j, func(f found) {
			if f.held == nil && f.conversion.ID == conversion && f.conversion.Measure == measure && f.conversion.Day >= from && f.conversion.Day < before {
				result, ok = f, true
				result.conversion.Revision = r.Number
			}
		})
	}
	result.conversion.Lines = sumLines(result.credits)
	return result.conversion, result.credits, ok
}

// step is a touch that counts, with what the contract makes of it.
type step struct {
	touch Touch
	class contract.Classification
	day   money.Day
}

type booker struct {
	contract *contract.Contract
	rates    *money.Rates
	// steps are in order of time, of equal times by id.
	steps    []step
	accounts []Account
}

// found is one conversion in scope: either held or valued and credited.
type found struct {
	conversion Conversion
	credits    []Credit
	held       *Held
}

func newBooker(c *contract.Contract, rates *money.Rates, j Journey) *booker {
	b := &booker{contract: c, rates: rates}
	touches := unique(j.Touches, func(t *Touch) ItemID { return t.ID }, func(t *Touch) time.Time { return t.At })
	members := unique(j.Members, func(m *Member) ItemID { return m.ID }, func(m *Member) time.Time { return m.ModifiedAt })
	for _, m := range members {
		touches = append(touches, m.touches()...)
	}
	spans := Spans(Rules{{Contract: c}}, j)
	for _, touch := range Select(touches, spans) {
		touch.Facts.At, touch.Facts.Account = touch.At, j.Name
		class := c.Classify(touch.Facts)
		if !class.Counts {
			continue
		}
		b.steps = append(b.steps, step{touch: touch, class: class, day: c.Day(touch.At)})
	}
	slices.SortFunc(b.steps, func(x, y step) int {
		return cmp.Or(x.touch.At.Compare(y.touch.At), x.touch.ID.Compare(y.touch.ID))
	})
	b.accounts = unique(j.Accounts, func(a *Account) ItemID { return a.ID }, func(a *Account) time.Time { return a.ModifiedAt })
	return b
}

// each calls visit for every conversion in scope, by deal and measure.
func (b *booker) each(j Journey, visit func(found)) {
	for _, deal := range b.deals(j) {
		for _, e := range events(b.contract, deal) {
			if f, inScope := b.conversion(deal, e); inScope {
				visit(f)
			}
		}
	}
}

// deals are those that have a value, in order of their ids.
func (b *booker) deals(j Journey) []Deal {
	record := b.contract.SystemOfRecord
	deals := unique(j.Deals, func(d *Deal) ItemID { return d.ID }, func(d *Deal) time.Time { return d.ModifiedAt })
	return slices.DeleteFunc(deals, func(d Deal) bool {
		// Deals of other systems speak of the same business: they are evidence.
		return d.Deleted || d.ID.Reporter != record.Partner || d.ID.Source != record.Source
	})
}

// conversion values and credits one event of a deal. It reports false for what
// the book does not account for: out of scope, or without a value.
func (b *booker) conversion(deal Deal, e event) (found, bool) {
	path := b.eligible(e)
	if !b.inScope(deal, path) {
		return found{}, false
	}
	c := Conversion{ID: deal.ID.String(), Measure: e.measure, Day: e.day, Value: CountUnit, Exponent: CountExponent}
	held := e.held
	if held == nil && e.money {
		held = b.value(deal, e, &c)
	}
	if held != nil {
		return found{held: &Held{Conversion: c.ID, Measure: c.Measure, Day: c.Day, Code: held.code, Supply: held.supply}}, true
	}
	if c.Value == 0 {
		return found{}, false
	}
	return found{conversion: c, credits: b.credits(deal, e, path, c.Value)}, true
}

// eligible returns the touches that share the event: on or after the first of
// the window's calendar days, which are counted back from the conversion day,
// and not after the cut-off. An event that is held back has no day to count
// from; all touches stand in for its path.
func (b *booker) eligible(e event) []step {
	if e.held != nil {
		return b.steps
	}
	first := e.day.Add(1 - b.contract.Window.LookbackDays)
	var path []step
	for _, s := range b.steps {
		if s.day >= first && e.cutoff.admits(s) {
			path = append(path, s)
		}
	}
	return path
}

// inScope reports whether the event belongs to the book: its CRM campaign is
// the contract's, or an eligible touch is of this campaign.
func (b *booker) inScope(deal Deal, path []step) bool {
	return b.contract.IsCampaign(deal.CampaignID) ||
		slices.ContainsFunc(path, func(s step) bool { return s.class.Campaign == contract.This })
}

// value fills in the amount in the contract's currency at the rate of the
// conversion day. A deal without an amount is worth nothing yet.
func (b *booker) value(deal Deal, e event, c *Conversion) *heldFor {
	c.Value, c.Currency, c.Exponent = 0, b.contract.Currency, b.contract.Exponent
	if deal.Amount == "" {
		return nil
	}
	currency := cmp.Or(deal.Currency, b.contract.PartnerCurrency(deal.ID.Reporter))
	original, err := money.Parse(deal.Amount, currency)
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

// credits shares the value among the path under every model. Where a model finds
// nobody to credit, as it does in an empty path, a last credit without a touch has
// the value.
func (b *booker) credits(deal Deal, e event, path []step, value int64) []Credit {
	models := b.contract.Models
	base := b.accountDimensions(deal)
	base.Partner, base.Channel, base.Asset, base.TouchCampaign = Unattributed, Unattributed, Unattributed, contract.None
	credits := make([]Credit, len(path))
	for i, s := range path {
		d := base
		d.Partner, d.Channel, d.Asset, d.TouchCampaign = s.class.Partner, s.class.Channel, s.class.Asset, s.class.Campaign
		if s.class.Source != contract.Unknown {
			d.Source = s.class.Source
		}
		credits[i] = Credit{Touch: s.touch, Class: s.class, Dimensions: d, Minor: make([]int64, len(models))}
	}
	nobody := Credit{Dimensions: base, Minor: make([]int64, len(models))}
	touches := b.path(e, path)
	for m, spec := range b.contract.Specs {
		weights := model.Weights(spec, touches)
		if weights == nil {
			nobody.Minor[m] = value
			continue
		}
		for i, part := range money.Allocate(value, weights) {
			credits[i].Minor[m] = part
		}
	}
	if !isZero(nobody.Minor) {
		credits = append(credits, nobody)
	}
	return credits
}

// path is what models look at of the steps before an event.
func (b *booker) path(e event, steps []step) model.Path {
	p := model.Path{Touches: make([]model.Touch, len(steps)), At: e.cutoff.at}
	for i, s := range steps {
		p.Touches[i] = model.Touch{
			At: s.touch.At, Channel: s.class.Channel, Partner: s.class.Partner, Campaign: s.class.Campaign,
			Asset: s.class.Asset, Type: s.class.Type,
		}
	}
	return p
}

// accountDimensions returns the dimensions that do not depend on a touch.
// Country, industry and size are each taken from the first account that has
// them, by the contract's precedence of CRMs, and within a CRM the deal's own
// account first.
func (b *booker) accountDimensions(deal Deal) Dimensions {
	ordered := slices.Clone(b.accounts)
	others := func(a Account) int {
		if deal.AccountID != "" && a.ID == (ItemID{deal.ID.Reporter, deal.ID.Source, "account/" + deal.AccountID}) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(ordered, func(x, y Account) int {
		return cmp.Or(
			cmp.Compare(b.contract.Precedence(x.ID.Reporter, x.ID.Source), b.contract.Precedence(y.ID.Reporter, y.ID.Source)),
			cmp.Compare(others(x), others(y)))
	})
	var country, industry, employees string
	for _, a := range ordered {
		if a.Deleted {
			continue
		}
		country = cmp.Or(country, a.Country)
		industry = cmp.Or(industry, a.Industry)
		employees = cmp.Or(employees, a.Employees)
	}
	return Dimensions{
		Region: b.contract.Region(country), Segment: b.contract.Segment(industry, employees),
		Source: contract.SourceName(deal.LeadSource),
	}
}

// sumLines adds up credits of equal dimensions and drops lines of nothing.
func sumLines(credits []Credit) []Line {
	sums := make(map[Dimensions][]int64, len(credits))
	for _, credit := range credits {
		sum, found := sums[credit.Dimensions]
		if !found {
			sum = make([]int64, len(credit.Minor))
			sums[credit.Dimensions] = sum
		}
		for m, minor := range credit.Minor {
			sum[m] += minor
		}
	}
	lines := make([]Line, 0, len(sums))
	for _, d := range slices.SortedFunc(maps.Keys(sums), Dimensions.Compare) {
		if !isZero(sums[d]) {
			lines = append(lines, Line{Dimensions: d, Minor: sums[d]})
		}
	}
	return lines
}

func isZero(vector []int64) bool {
	for _, value := range vector {
		if value != 0 {
			return false
		}
	}
	return true
}
