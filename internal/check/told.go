package check

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"tracksource/money"
	"tracksource/schemas/avro"
)

// Fact is one record of the facts topic; a nil Facts is a withdrawal.
type Fact struct {
	Key   avro.FactsKey
	Facts *avro.Facts
}

// factsKey is a FactsKey that can be compared.
type factsKey struct {
	contract, conversion, account string
	revision                      int64
	source                        int32
}

func (k factsKey) String() string {
	return fmt.Sprintf("%s %s on %s, revision %d", k.contract, k.conversion, nodeText([]byte(k.account)), k.revision)
}

// ofDeal is whether both are of one deal on one account.
func (k factsKey) ofDeal(other factsKey) bool {
	return k.contract == other.contract && k.conversion == other.conversion && k.account == other.account
}

func (k factsKey) compare(other factsKey) int {
	return cmp.Or(cmp.Compare(k.contract, other.contract), cmp.Compare(k.conversion, other.conversion),
		cmp.Compare(k.account, other.account), cmp.Compare(k.revision, other.revision), cmp.Compare(k.source, other.source))
}

// conclusion is what the books come to of one deal under one revision besides its
// value: what facts say of it.
type conclusion struct {
	disputes []string
	sure     map[string]certainty // by measure, of what is booked
}

// conclude begins what is told of each deal.
func (p *page) conclude() {
	for _, s := range p.businesses {
		c := p.conclusion(s)
		for _, d := range p.disputes[s] {
			c.disputes = append(c.disputes, p.disputeText(d, s))
		}
	}
}

func (p *page) conclusion(s *business) *conclusion {
	k := factsKey{contract: p.name, conversion: s.id(), account: p.root, revision: p.revision}
	if p.told[k] == nil {
		p.told[k] = &conclusion{sure: map[string]certainty{}}
	}
	return p.told[k]
}

// disputeText is all of a dispute that facts say.
func (p *page) disputeText(d *dispute, s *business) string {
	from := d.closed + 1
	switch {
	case d.about != aboutSourcing:
	case p.beforeClose(d, s):
		from = money.DayMin
	default:
		from = money.DayMax // its days are closed, whenever it counts
	}
	said := avro.FactsDispute{
		ID: d.id, Partner: d.partner, About: d.about, Against: d.against, State: cmp.Or(d.state, "open"), To: d.to,
		By: d.object.field("opened_by"), Why: d.object.field("opened_why"), OpenedAt: d.opened,
		SettledBy: d.object.field("settled_by"), SettledWhy: d.object.field("settled_why"), SettledAt: maybe(d.settled),
	}
	if from > money.DayMin {
		said.From = from.String()
	}
	return disputeText(said)
}

func maybe(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

func disputeText(d avro.FactsDispute) string {
	at := func(t *time.Time) string {
		if t == nil {
			return "never"
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprintf("%s by %s about %s against %q of days from %q on, opened by %q at %s: %q; %s to %q by %q at %s: %q",
		d.ID, d.Partner, d.About, d.Against, d.From, d.By, at(&d.OpenedAt), d.Why, d.State, d.To, d.SettledBy, at(d.SettledAt), d.SettledWhy)
}

// toldOf holds what facts say of disputes and of confidence against the books.
func (v *verifier) toldOf(k factsKey, f *avro.Facts) {
	k.source = 0
	want := v.due[k]
	if want == nil {
		want = &conclusion{}
	}
	var disputes []string
	for _, d := range f.Disputes {
		disputes = append(disputes, disputeText(d))
	}
	if !slices.Equal(disputes, want.disputes) {
		v.problem("facts: %s: disputes are %q, and by the books %q", k, disputes, want.disputes)
	}
	for _, m := range f.Measures {
		if !m.InScope || m.Held != "" || m.Value == 0 {
			continue
		}
		c := m.Confidence
		got := certainty{int64(c.Identity), int64(c.Taxonomy), int64(c.Currency), int64(c.Agreement), int64(c.Spread), int64(c.Overall)}
		if want, booked := want.sure[m.Measure]; booked && got != want { // else its value is wrong
			v.problem("facts: %s: confidence in %s is %+v, and by the books %+v", k, m.Measure, got, want)
		}
	}
}

// told holds what the facts topic says at last against journeys and the ledger: the
// facts of every conversion on the ledger are there with its value, and no others.
func (v *verifier) told(ledger sums) {
	said := map[shareKey]int64{}
	standing := v.standing()
	for _, k := range slices.SortedFunc(maps.Keys(standing), factsKey.compare) {
		f := standing[k]
		v.report.Facts++
		if !v.holds(k) {
			v.problem("facts: %s: the account has no such deal", k)
		}
		v.toldOf(k, f)
		for i := range f.Measures {
			m := &f.Measures[i]
			if slices.ContainsFunc(m.Path, func(place int32) bool { return place < 0 || int(place) >= len(f.Touches) }) {
				v.problem("facts: %s: %s is shared by touches %v of %d", k, m.Measure, m.Path, len(f.Touches))
			}
			if !m.InScope || m.Held != "" || m.Value == 0 {
				continue
			}
			say(said, shareKey{contract: k.contract, account: k.account, conversion: k.conversion, measure: m.Measure, day: m.Day, currency: m.Currency}, m)
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(v.due), factsKey.compare) {
		want := v.due[k]
		if len(want.disputes) > 0 && !slices.ContainsFunc(slices.Collect(maps.Keys(standing)), func(said factsKey) bool { return said.ofDeal(k) }) {
			v.problem("facts: %s: nothing tells of disputes %q", k, want.disputes)
		}
	}
	v.toldValues(said, ledger)
}

// say adds what a measure says of its own value, and of those that follow it by its
// lists of partners.
func say(said map[shareKey]int64, k shareKey, m *avro.FactsMeasure) {
	said[k] += m.Value
	influenced, coSell := influence(m.Measure)
	for _, follows := range []struct {
		measure  string
		partners []string
	}{{influenced, m.Influenced}, {coSell, m.CoSell}} {
		for _, partner := range follows.partners {
			if k.measure, k.partner = follows.measure, partner; k.measure != "" {
				said[k] += m.Value
			}
		}
	}
}

// toldValues compares the values that facts say with what each ledger model comes
// to.
func (v *verifier) toldValues(said map[shareKey]int64, ledger sums) {
	booked := map[shareKey]bool{}
	var wrong []string
	for k, n := range ledger.shares {
		if n.Sign() == 0 || strings.HasPrefix(k.conversion, "person:") {
			continue // facts are of deals
		}
		model := k.model
		k.model = ""
		booked[k] = true
		if n.Cmp(big.NewInt(said[k])) != 0 {
			wrong = append(wrong, fmt.Sprintf("facts: %s of %s on %s, %s, is worth %d, on the ledger under %s %s of %s",
				k.what(), k.conversion, nodeText([]byte(k.account)), k.day, said[k], model, n, k.currency))
		}
	}
	for k, n := range said {
		if !booked[k] {
			wrong = append(wrong, fmt.Sprintf("facts: %s of %s on %s, %s, is worth %d of %s and is not on the ledger",
				k.what(), k.conversion, nodeText([]byte(k.account)), k.day, n, k.currency))
		}
	}
	slices.Sort(wrong)
	for _, w := range wrong {
		v.problem("%s", w)
	}
}

// standing folds the topic: the last record of each key counts, if it is of the
// newest generation of its source in its partition.
func (v *verifier) standing() map[factsKey]*avro.Facts {
	latest := map[factsKey]*avro.Facts{}
	partition := map[factsKey]int32{}
	homes := map[[2]string]int32{}
	announced := map[hop]int64{}
	for i := range v.in.Facts {
		r := &v.in.Facts[i]
		key := factsKey{r.Value.Key.Contract, r.Value.Key.Conversion, string(r.Value.Key.Account), r.Value.Key.Revision, r.Value.Key.SourcePartition}
		from := hop{key.source, r.Partition}
		f := r.Value.Facts
		if f != nil && f.Kind == "generation" {
			announced[from] = f.Generation
			continue
		}
		home := [2]string{key.contract, key.conversion}
		if p, found := homes[home]; found && p != r.Partition {
			v.problem("facts: %s %s are in partitions %d and %d", key.contract, key.conversion, p, r.Partition)
		}
		homes[home] = r.Partition
		switch {
		case f == nil:
			delete(latest, key)
			continue
		case f.Kind != "facts":
			v.problem("facts: the record at %d@%d is of kind %q", r.Partition, r.Offset, f.Kind)
			continue
		case key != factsKey{f.Contract, f.Conversion, string(f.Account), f.Revision, f.SourcePartition}:
			v.problem("facts: the record at %d@%d under the key of %s is of %s %s, revision %d", r.Partition, r.Offset, key, f.Contract, f.Conversion, f.Revision)
			continue
		case f.Generation < announced[from]:
			v.problem("facts: %s at %d@%d are of generation %d, announced is %d", key, r.Partition, r.Offset, f.Generation, announced[from])
			continue
		}
		latest[key], partition[key] = f, r.Partition
	}
	for key, f := range latest {
		switch generation := announced[hop{key.source, partition[key]}]; {
		case f.Generation < generation:
			delete(latest, key)
		case f.Generation > generation:
			v.problem("facts: %s are of generation %d, announced is %d", key, f.Generation, generation)
		}
	}
	return latest
}

// holds reports whether the account has the deal that the facts are of.
func (v *verifier) holds(k factsKey) bool {
	acc := v.accounts[k.account]
	return acc != nil && slices.ContainsFunc(acc.objects, func(o object) bool {
		return o.key.reporter+"/"+o.key.source+"/"+o.key.item == k.conversion
	})
}
