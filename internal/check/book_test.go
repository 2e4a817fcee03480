package check

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/identity"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// attributed is what attribution makes of the same facts, in the words of the
// judge.
func attributed(rules []revision, rates *money.Rates, root string, a account) sums {
	var revisions attribution.Rules
	for _, r := range rules {
		revisions = revisions.Add(attribution.Revision{Number: r.number, Contract: r.contract})
	}
	result := attribution.Book(revisions, rates, journeyOf(root, a))
	have := newSums()
	for _, c := range result.Conversions {
		for m, model := range result.Models {
			share := shareKey{result.Contract, root, c.ID, c.Measure, c.Day.String(), model, c.Currency, ""}
			if attribution.IsAdditive(c.Measure) {
				add(have.shares, share, big.NewInt(c.Value))
			}
			for _, l := range c.Lines {
				if share.partner = l.Partner; !attribution.IsAdditive(c.Measure) {
					add(have.shares, share, big.NewInt(l.Minor[m]))
				}
				add(have.amounts, amountKey{avro.ContributionKey{
					Contract: result.Contract, Measure: c.Measure, Model: model, Day: c.Day.String(), Partner: l.Partner, Channel: l.Channel, Asset: l.Asset,
					Region: l.Region, Segment: l.Segment, Source: l.Source, TouchCampaign: l.TouchCampaign, Escrow: escrowNone,
				}, c.Currency, c.Exponent}, big.NewInt(l.Minor[m]))
			}
		}
	}
	return have
}

func journeyOf(root string, a account) attribution.Journey {
	id := func(k itemKey) attribution.ItemID {
		return attribution.ItemID{Reporter: k.reporter, Source: k.source, Item: k.item}
	}
	j := attribution.Journey{Account: root}
	if n, err := identity.Parse([]byte(root)); err == nil {
		j.Name = n.AccountName()
	}
	for _, t := range a.touches {
		f := t.facts
		j.Touches = append(j.Touches, attribution.Touch{ID: id(t.key), At: t.at, Node: t.key.node, Person: known(t.person), Facts: contract.TouchInput{
			Reporter: t.key.reporter, Feed: t.feed, Source: t.key.source, Type: f.Type, Asset: f.Asset, UTMSource: f.UTMSource, UTMMedium: f.UTMMedium, UTMCampaign: f.UTMCampaign, Bot: f.Bot,
		}})
	}
	for _, o := range a.objects {
		fields := map[string]string{}
		for _, f := range o.state.Fields {
			fields[f.Name] = *f.Value
		}
		var stages []attribution.StageChange
		for _, s := range o.state.Stages {
			stages = append(stages, attribution.StageChange{Stage: s.Stage, IsClosed: s.IsClosed, IsWon: s.IsWon, At: s.At, EventID: s.EventID})
		}
		j.Add(attribution.Object{
			ID: id(o.key), Type: o.state.Type, Feed: o.feed, Person: known(o.person), ModifiedAt: o.state.ModifiedAt, Fields: fields, Stages: stages, Deleted: o.state.Deleted,
		})
	}
	return j
}

// differences are the numbers on which the two do not agree.
func differences(got, want sums) (list []string) {
	list = append(list, unequal(got.shares, want.shares, func(k shareKey) string {
		return fmt.Sprintf("value of %s %s %s under %s %s", k.conversion, k.what(), k.day, k.model, k.currency)
	})...)
	return append(list, unequal(got.amounts, want.amounts, func(k amountKey) string { return keyText(k.ContributionKey) + " " + k.currency })...)
}

func unequal[K comparable](got, want map[K]*big.Int, text func(K) string) (list []string) {
	keys := map[K]bool{}
	for k := range got {
		keys[k] = true
	}
	for k := range want {
		keys[k] = true
	}
	for k := range keys {
		a, b := new(big.Int), new(big.Int)
		if got[k] != nil {
			a = got[k]
		}
		if want[k] != nil {
			b = want[k]
		}
		if a.Cmp(b) != 0 {
			list = append(list, fmt.Sprintf("%s: attribution %s, judge %s", text(k), a, b))
		}
	}
	slices.Sort(list)
	return list
}

// factsText shows what was drawn.
func factsText(rules []revision, a account) string {
	var out strings.Builder
	for _, r := range rules {
		c := r.contract
		fmt.Fprintf(&out, "revision %d: %+v %+v %+v sourced %d", r.number, c.Journey, c.Overlap, c.Deals, c.SourcedDays)
		if c.HasRestateFrom {
			fmt.Fprintf(&out, " from %s", c.RestateFrom)
		}
		out.WriteString("\n")
	}
	for _, t := range a.touches {
		fmt.Fprintf(&out, "%s %s %s\n", idText(t.key), known(t.person), itemText(t.at, t.facts, nil))
	}
	for _, o := range a.objects {
		fmt.Fprintf(&out, "%s %s %s\n", idText(o.key), known(o.person), itemText(o.state.ModifiedAt, nil, &o.state))
	}
	return out.String()
}

// TestBooksAgree: attribution and the judge, which share no code but what a
// contract, a rate and an identity say, compute the same book.
func TestBooksAgree(t *testing.T) {
	rates := drawnRates(t)
	name := string(identity.Node{Level: identity.Domain, ID: "bigco.com"}.Bytes())
	seen := map[string]int{}
	one := func(t *rapid.T) {
		rules, facts := drawRules(t), drawAccount(t)
		want := newSums()
		b := book{name: "tour", rules: left(rules), rates: rates, root: name, account: &facts, due: &want, told: map[factsKey]*conclusion{}}
		b.all()
		got := attributed(rules, rates, name, facts)
		if list := differences(got, want); len(list) > 0 {
			t.Fatalf("%s\n%s", factsText(rules, facts), strings.Join(list[:min(len(list), 40)], "\n"))
		}
		for k := range want.shares {
			seen[k.measure]++
		}
		for k := range want.amounts {
			seen[k.Partner]++
			seen[k.Measure+" by "+k.Partner]++
		}
	}
	for range 20 { // of a hundred draws each
		rapid.Check(t, one)
	}
	for _, word := range []string{
		"opportunities", "pipeline_created", "pipeline_open", "pipeline_sourced", "revenue", "revenue_sourced", "orders", "won", "lost", "MQL", "SQL",
		"opportunities_influenced", "pipeline_influenced", "pipeline_co_sell", "revenue_influenced", "revenue_co_sell",
		"acme", "globex", "(none)", "(held)", "(unattributed)", "marketing-sourced", "unsourced",
		"revenue_co_sell by acme", "revenue_co_sell by globex", "pipeline_co_sell by acme", "pipeline_co_sell by globex",
	} {
		if seen[word] == 0 && !testing.Short() { // which draws too few to count on it
			t.Errorf("%s was never drawn; drawn were %v", word, slices.Sorted(maps.Keys(seen)))
		}
	}
}
