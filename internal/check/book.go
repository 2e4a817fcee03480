package check

import (
	"cmp"
	"math/big"
	"slices"
	"strings"
	"time"

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

// shareKey is a conversion under one model, on one account; of a measure that each
// partner has whole, what one of them has.
type shareKey struct {
	contract, account, conversion, measure, day, model, currency, partner string
}

// what is the measure, of the partner if it is one's.
func (k shareKey) what() string {
	if k.partner == "" {
		return k.measure
	}
	return k.measure + " by " + k.partner
}

// sums are what is due, or what the ledger says. What is due has no day on which it
// is booked.
type sums struct {
	amounts map[amountKey]*big.Int
	certain map[amountKey]*big.Int // the amounts, weighted by confidence
	shares  map[shareKey]*big.Int
	sure    map[shareKey]*big.Int // what of the shares is certain
}

func newSums() sums {
	return sums{map[amountKey]*big.Int{}, map[amountKey]*big.Int{}, map[shareKey]*big.Int{}, map[shareKey]*big.Int{}}
}

// unbooked adds up what is booked on any day.
func unbooked(amounts map[amountKey]*big.Int) map[amountKey]*big.Int {
	all := map[amountKey]*big.Int{}
	for k, n := range amounts {
		k.Booked = ""
		add(all, k, n)
	}
	return all
}

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
	for name, revisions := range v.contracts {
		for root, acc := range v.accounts {
			b := &book{name: name, rules: left(revisions), rates: &v.rates, root: root, account: acc, due: &due, told: v.due}
			campaign, _ := contract.CampaignOfBook(name)
			b.closings = v.closings[campaign]
			b.all()
			v.report.Conversions += b.conversions
		}
	}
	return due
}

// book is one contract, in all its revisions, over one account. docs/book.md has
// the rules.
type book struct {
	name    string
	rules   []revision // those that account for any day, by number
	rates   *money.Rates
	root    string
	account *account
	due     *sums
	told    map[factsKey]*conclusion

	closings []closing // of the campaign, in the order of control

	objects     []object // those that are there, each once, by id
	reports     []touch  // all touches, each once, by time and then by id
	conversions int      // booked
}

// page is what one revision makes of the account.
type page struct {
	*book
	revision   int64
	c          *contract.Contract
	businesses []*business
	events     []*event
	disputes   map[*business][]*dispute // that are not refused, in the order in which they were opened
}

func (b *book) all() {
	for _, o := range newestOf(b.account.objects) {
		if !o.state.Deleted {
			b.objects = append(b.objects, o)
		}
	}
	b.reports = b.seen()
	pages := make([]*page, len(b.rules))
	for i, r := range b.rules {
		p := &page{book: b, revision: r.number, c: r.contract}
		p.businesses = p.merge()
		p.disputes = p.disputed()
		p.events = p.list()
		pages[i] = p
	}
	looked := b.lookedAt(pages)
	for i, p := range pages {
		p.conclude()
		steps := p.steps(looked)
		for _, e := range p.events {
			if !e.held && on(b.rules, e.day) == i {
				p.enter(e, steps)
			}
		}
	}
}

// of lists the objects of some types, by id.
func (b *book) of(types ...string) (list []object) {
	for _, o := range b.objects {
		if slices.Contains(types, o.state.Type) {
			list = append(list, o)
		}
	}
	return list
}

// flag reads a yes or no of a CRM.
func flag(text string) bool { return text == "true" }

func (o *object) field(name string) string {
	for _, f := range o.state.Fields {
		if f.Name == name && f.Value != nil {
			return *f.Value
		}
	}
	return ""
}

// history are the stages of an object in order of time.
func (o *object) history() []avro.StageChange {
	sorted := slices.Clone(o.state.Stages)
	slices.SortStableFunc(sorted, func(x, y avro.StageChange) int {
		return cmp.Or(x.At.Compare(y.At), strings.Compare(x.EventID, y.EventID))
	})
	return sorted
}

// instant reads a time of a CRM; zero for none.
func instant(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return at
}

// known is the text of somebody, by their encoded identity; empty for nobody and for
// who is only a browser or a number of one system.
func known(person string) string {
	n, err := identity.Parse([]byte(person))
	if err != nil || n.Level < identity.Email {
		return ""
	}
	return n.String()
}

func idText(k itemKey) string { return k.reporter + "/" + k.source + "/" + k.item }

// local is the id that the CRM itself has for an object.
func local(k itemKey) string {
	_, id, _ := strings.Cut(k.item, "/")
	return id
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
