package check

import (
	"cmp"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"tracksource/attribution/model"
	"tracksource/contract"
	"tracksource/identity"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// amountKey is what a number is published under.
type amountKey struct {
	avro.ContributionKey
	currency string
	exponent int
}

// shareKey is a conversion under one model, on one account.
type shareKey struct {
	contract, account, conversion, measure, day, model, currency string
}

// sums are what is due, or what the ledger says.
type sums struct {
	amounts map[amountKey]*big.Int
	shares  map[shareKey]*big.Int
}

func newSums() sums { return sums{map[amountKey]*big.Int{}, map[shareKey]*big.Int{}} }

func add[K comparable](m map[K]*big.Int, k K, n *big.Int) {
	if m[k] == nil {
		m[k] = new(big.Int)
	}
	m[k].Add(m[k], n)
}

// books computes every contract over every account. The shares it returns are
// the whole values of conversions, not what the parts came to.
func (v *verifier) books() sums {
	due := newSums()
	for _, a := range v.contracts {
		for root, acc := range v.accounts {
			b := &book{v: v, c: a.contract, root: root, account: acc, due: &due}
			b.all()
		}
	}
	return due
}

// book is one contract over one account.
type book struct {
	v       *verifier
	c       *contract.Contract
	root    string
	account *account
	due     *sums
	steps   []step
}

// step is a touch that counts.
type step struct {
	touch
	class contract.Classification
	day   money.Day
}

// conversion is one value of one measure of a deal.
type conversion struct {
	deal    object
	measure string
	day     money.Day
	money   bool
	until   time.Time // last instant of a touch; zero: the end of day
}

// state words of a deal.
func flag(text string) bool { return text == "true" }

func (o *object) field(name string) string {
	for _, f := range o.state.Fields {
		if f.Name == name && f.Value != nil {
			return *f.Value
		}
	}
	return ""
}

func (b *book) all() {
	b.walk()
	for _, o := range newestOf(b.account.objects) {
		record := b.c.SystemOfRecord
		if o.state.Type != "opportunity" || o.state.Deleted || o.key.reporter != record.Partner || o.key.source != record.Source {
			continue
		}
		for _, c := range b.conversions(o) {
			b.enter(c)
		}
	}
}

// walk lists the touches that count, by time and then by reporter, source and
// item. A touch that two identities of the account carry counts once.
func (b *book) walk() {
	newest := map[itemKey]touch{}
	for _, t := range b.account.touches {
		id := t.key
		id.node = ""
		if was, found := newest[id]; !found || t.at.After(was.at) || (t.at.Equal(was.at) && t.key.node > was.key.node) {
			newest[id] = t
		}
	}
	for _, t := range b.memberships() {
		newest[t.key] = t
	}
	name := ""
	if n, err := identity.Parse([]byte(b.root)); err == nil && (n.Level == identity.Domain || n.Level == identity.Imported) {
		name = n.ID
	}
	for _, t := range newest {
		f := t.facts
		class := b.c.Classify(contract.TouchInput{
			Reporter: t.key.reporter, Feed: t.feed, Source: t.key.source, Type: f.Type, Asset: f.Asset,
			UTMSource: f.UTMSource, UTMMedium: f.UTMMedium, UTMCampaign: f.UTMCampaign, UTMTerm: f.UTMTerm, UTMContent: f.UTMContent,
			ClickID: f.ClickID, Referrer: f.Referrer, CRMCampaign: f.CRMCampaign, Status: f.Status, Bot: f.Bot,
			At: t.at, Account: name,
		})
		if class.Counts {
			b.steps = append(b.steps, step{t, class, b.c.Day(t.at)})
		}
	}
	slices.SortFunc(b.steps, func(x, y step) int {
		return cmp.Or(x.at.Compare(y.at), compareItem(x.key, y.key))
	})
}

// memberships lists a touch for each status that a campaign member ever had, at
// the moment it had it first.
func (b *book) memberships() []touch {
	first := map[itemKey]touch{}
	for _, o := range newestOf(b.account.objects) {
		if o.state.Type != "campaign_member" || o.state.Deleted {
			continue
		}
		for _, s := range o.state.Stages {
			id := o.key
			id.node, id.item = "", o.key.item+"/"+strings.ToLower(strings.TrimSpace(s.Stage))
			was, found := first[id]
			if strings.TrimSpace(s.Stage) == "" || found && !s.At.Before(was.at) {
				continue
			}
			first[id] = touch{key: id, feed: "crm", at: s.At, facts: &avro.TouchFacts{CRMCampaign: o.field("campaign_id"), Status: s.Stage}}
		}
	}
	return slices.Collect(maps.Values(first))
}

func compareItem(a, b itemKey) int {
	return cmp.Or(strings.Compare(a.reporter, b.reporter), strings.Compare(a.source, b.source), strings.Compare(a.item, b.item))
}

// newestOf keeps of the objects of one id the one modified last, in the order of
// ids.
func newestOf(objects []object) []object {
	sorted := slices.Clone(objects)
	slices.SortFunc(sorted, func(a, b object) int {
		return cmp.Or(compareItem(a.key, b.key), b.state.ModifiedAt.Compare(a.state.ModifiedAt), strings.Compare(b.key.node, a.key.node))
	})
	return slices.CompactFunc(sorted, func(a, b object) bool { return compareItem(a.key, b.key) == 0 })
}

// conversions lists what a deal counts for now; what cannot be dated is left out.
func (b *book) conversions(o object) []conversion {
	judge := func(stage string, closed, won bool) contract.State {
		return b.c.Stage(o.key.reporter, o.key.source, stage, closed, won).State
	}
	now := judge(o.field("stage"), flag(o.field("is_closed")), flag(o.field("is_won")))
	history := slices.Clone(o.state.Stages)
	slices.SortStableFunc(history, func(x, y avro.StageChange) int {
		return cmp.Or(x.At.Compare(y.At), strings.Compare(x.EventID, y.EventID))
	})
	var list []conversion
	if created, err := time.Parse(time.RFC3339, o.field("created_at")); err == nil {
		on := b.c.Day(created)
		list = append(list, conversion{deal: o, measure: "opportunities", day: on, until: created},
			conversion{deal: o, measure: "pipeline_created", day: on, until: created, money: true})
		if now == contract.StateOpen {
			list = append(list, conversion{deal: o, measure: "pipeline_open", day: on, until: created, money: true})
		}
	}
	closing, err := money.ParseDay(o.field("close_date"))
	dated := err == nil
	if now == contract.StateWon && dated {
		c := conversion{deal: o, measure: "revenue", day: closing, money: true}
		for i := len(history) - 1; i >= 0 && judge(history[i].Stage, history[i].IsClosed, history[i].IsWon) == contract.StateWon; i-- {
			c.until = history[i].At
		}
		list = append(list, c)
	}
	for measure, state := range map[string]contract.State{"won": contract.StateWon, "lost": contract.StateLost} {
		first := slices.IndexFunc(history, func(s avro.StageChange) bool { return judge(s.Stage, s.IsClosed, s.IsWon) == state })
		switch {
		case first >= 0:
			at := history[first].At
			list = append(list, conversion{deal: o, measure: measure, day: b.c.Day(at), until: at})
		case now == state && dated:
			list = append(list, conversion{deal: o, measure: measure, day: closing})
		}
	}
	return list
}

// enter books one conversion: its value, shared among the touches before it.
func (b *book) enter(c conversion) {
	var path []step
	ours := b.c.IsCampaign(c.deal.field("campaign_id"))
	for _, s := range b.steps {
		before := s.day <= c.day
		if !c.until.IsZero() {
			before = !s.at.After(c.until)
		}
		// The window is the day of the conversion and those before it.
		if before && int(c.day)-int(s.day) < b.c.Window.LookbackDays {
			path = append(path, s)
			ours = ours || s.class.Campaign == contract.This
		}
	}
	value, currency, exponent := big.NewInt(1_000_000), "", 6
	if c.money {
		minor, ok := b.worth(c)
		if !ok {
			return
		}
		value, currency, exponent = big.NewInt(minor), b.c.Currency, b.c.Exponent
	}
	if !ours || value.Sign() == 0 {
		return
	}
	b.v.report.Conversions++
	name := c.deal.key.reporter + "/" + c.deal.key.source + "/" + c.deal.key.item
	touches := make([]model.Touch, len(path))
	for i, s := range path {
		touches[i] = model.Touch{
			At: s.at, Channel: s.class.Channel, Partner: s.class.Partner, Campaign: s.class.Campaign, Asset: s.class.Asset, Type: s.class.Type,
		}
	}
	for m, id := range b.c.Models {
		add(b.due.shares, shareKey{b.c.Campaign, b.root, name, c.measure, c.day.String(), id, currency}, value)
		key := amountKey{b.dimensions(c.deal, nil), currency, exponent}
		key.Contract, key.Measure, key.Model, key.Day = b.c.Campaign, c.measure, id, c.day.String()
		parts := weights(b.c.Specs[m], touches, milestones{at: c.until})
		if parts == nil {
			add(b.due.amounts, key, value)
			continue
		}
		for i, part := range divide(value, parts) {
			d := b.dimensions(c.deal, &path[i])
			d.Contract, d.Measure, d.Model, d.Day = key.Contract, key.Measure, key.Model, key.Day
			add(b.due.amounts, amountKey{d, currency, exponent}, part)
		}
	}
}

// worth is the amount in the contract's currency on the day, or false if there is
// no rate or no readable amount, which the attributor holds back.
func (b *book) worth(c conversion) (int64, bool) {
	text := c.deal.field("amount")
	if text == "" {
		return 0, true
	}
	currency := c.deal.field("currency")
	if currency == "" {
		currency = b.c.PartnerCurrency(c.deal.key.reporter)
	}
	original, err := money.Parse(text, currency)
	if err != nil {
		return 0, false
	}
	amount, _, err := b.v.rates.Convert(original, b.c.Currency, c.day, b.c.RateAgeDays)
	return amount.Minor, err == nil
}

// dimensions are those of the deal's account and of a touch; nil for value that
// no touch preceded.
func (b *book) dimensions(deal object, s *step) avro.ContributionKey {
	// The best of those that say something: by the CRM's precedence, then the deal's
	// own account, then the first by id.
	first := func(name string) string {
		var best *object
		rank := func(o *object) (int, bool) {
			own := deal.field("account_id") != "" && o.key.reporter == deal.key.reporter && o.key.source == deal.key.source &&
				o.key.item == "account/"+deal.field("account_id")
			return b.c.Precedence(o.key.reporter, o.key.source), own
		}
		for _, o := range newestOf(b.account.objects) {
			if o.state.Type != "account" || o.state.Deleted || o.field(name) == "" {
				continue
			}
			if best == nil {
				best = &o
				continue
			}
			place, own := rank(&o)
			bestPlace, bestOwn := rank(best)
			if place < bestPlace || place == bestPlace && own && !bestOwn {
				best = &o
			}
		}
		if best == nil {
			return ""
		}
		return best.field(name)
	}
	k := avro.ContributionKey{
		Region: b.c.Region(first("country")), Segment: b.c.Segment(first("industry"), first("employees")),
		Source: contract.SourceName(deal.field("lead_source")),
	}
	if s == nil {
		k.Partner, k.Channel, k.Asset, k.TouchCampaign = "(unattributed)", "(unattributed)", "(unattributed)", contract.None
		return k
	}
	k.Partner, k.Channel, k.Asset, k.TouchCampaign = s.class.Partner, s.class.Channel, s.class.Asset, s.class.Campaign
	if s.class.Source != contract.Unknown {
		k.Source = s.class.Source
	}
	return k
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
