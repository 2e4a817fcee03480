package check

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/identity"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// attributed is what attribution makes of the same facts, in the words of the
// judge, and what it tells of each deal.
func attributed(rules []revision, closings []closing, rates *money.Rates, root string, a account) (sums, map[factsKey]*conclusion) {
	var revisions attribution.Rules
	var closed []attribution.Closing
	for _, c := range closings {
		closed = append(closed, attribution.Closing{Close: true, Day: c.until, At: c.at})
	}
	for _, r := range rules {
		revisions = revisions.Add(attribution.Revision{Number: r.number, Contract: r.contract, Closings: closed})
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
				k := amountKey{avro.ContributionKey{
					Contract: result.Contract, Measure: c.Measure, Model: model, Day: c.Day.String(), Partner: l.Partner, Channel: l.Channel, Asset: l.Asset,
					Region: l.Region, Segment: l.Segment, Source: l.Source, TouchCampaign: l.TouchCampaign, Escrow: l.Escrow,
				}, c.Currency, c.Exponent}
				add(have.amounts, k, big.NewInt(l.Minor[m]))
				add(have.certain, k, big.NewInt(c.Confidence.Of(l.Minor[m])))
			}
		}
	}
	return have, tells(result.Facts, root)
}

// tells is what facts say of disputes, and of confidence in what is booked.
func tells(facts []attribution.Facts, root string) map[factsKey]*conclusion {
	told := map[factsKey]*conclusion{}
	for _, f := range facts {
		c := &conclusion{sure: map[string]certainty{}}
		for _, d := range f.Disputes {
			said := avro.FactsDispute{
				ID: d.ID, Partner: d.Partner, About: d.About, Against: d.Against, State: d.State, To: d.To, By: d.By, Why: d.Why,
				OpenedAt: d.OpenedAt, SettledBy: d.SettledBy, SettledWhy: d.SettledWhy, SettledAt: maybe(d.SettledAt),
			}
			if d.From > money.DayMin {
				said.From = d.From.String()
			}
			c.disputes = append(c.disputes, disputeText(said))
		}
		for _, m := range f.Measures {
			if s := m.Confidence; m.InScope && m.Held == "" && m.Value != 0 {
				c.sure[m.Measure] = certainty{int64(s.Identity), int64(s.Taxonomy), int64(s.Currency), int64(s.Agreement), int64(s.Spread), int64(s.Overall)}
			}
		}
		told[factsKey{contract: f.Contract, conversion: f.Deal.String(), account: root, revision: f.Revision}] = c
	}
	return told
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
func differences(got, want sums, gotTold, wantTold map[factsKey]*conclusion) (list []string) {
	list = append(list, unequal(got.certain, want.certain, func(k amountKey) string { return "what is certain of " + keyText(k.ContributionKey) + " " + k.currency })...)
	for k, c := range gotTold {
		if is := wantTold[k]; is == nil || !slices.Equal(c.disputes, is.disputes) || !maps.Equal(c.sure, is.sure) {
			list = append(list, fmt.Sprintf("facts of %s: attribution %+v, judge %+v", k, c, is))
		}
	}
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
func factsText(rules []revision, closings []closing, a account) string {
	var out strings.Builder
	for _, c := range closings {
		fmt.Fprintf(&out, "closed until %s at %s\n", c.until, c.at.Format(time.RFC3339))
	}
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
	var roots []string
	for _, n := range []identity.Node{
		{Level: identity.Domain, ID: "bigco.com"}, {Level: identity.CRMAccount, Scope: "acme", ID: "001"}, {Level: identity.Email, ID: "1"}, {Level: identity.Imported, ID: "b1"},
	} {
		roots = append(roots, string(n.Bytes()))
	}
	seen := map[string]int{}
	one := func(t *rapid.T) {
		rules, closings, facts := drawRules(t), drawClosings(t), drawAccount(t)
		name := rapid.SampledFrom(roots).Draw(t, "account")
		want, told := newSums(), map[factsKey]*conclusion{}
		b := book{name: "tour", rules: left(rules), rates: rates, root: name, account: &facts, due: &want, told: told, closings: closings}
		b.all()
		got, gotTold := attributed(rules, closings, rates, name, facts)
		if list := differences(got, want, gotTold, told); len(list) > 0 {
			t.Fatalf("%s\n%s", factsText(rules, closings, facts), strings.Join(list[:min(len(list), 40)], "\n"))
		}
		for k := range want.shares {
			seen[k.measure]++
		}
		for k := range want.amounts {
			seen[k.Partner]++
			seen[k.Measure+" by "+k.Partner]++
		}
		for _, c := range told {
			seen["a dispute"] += len(c.disputes)
			for _, s := range c.sure {
				for part, n := range map[string]int64{"identity": s.identity, "taxonomy": s.taxonomy, "currency": s.currency, "agreement": s.agreement, "spread": s.spread} {
					if n > 0 && n < sureness {
						seen["some "+part]++
					}
				}
			}
		}
	}
	DrawUntil(t, 15, one, seen,
		"opportunities", "pipeline_created", "pipeline_open", "pipeline_sourced", "revenue", "revenue_sourced", "orders", "won", "lost", "MQL", "SQL",
		"opportunities_influenced", "pipeline_influenced", "pipeline_co_sell", "revenue_influenced", "revenue_co_sell",
		"acme", "globex", "(none)", "(unattributed)", "marketing-sourced", "unsourced",
		"a dispute",
		"some identity", "some taxonomy", "some currency", "some agreement", "some spread",
		"revenue_co_sell by acme", "revenue_co_sell by globex", "pipeline_co_sell by acme", "pipeline_co_sell by globex")
}

// quarrelled is an account with a deal that three partners touched, was created and won.
func quarrelled() account {
	field := func(name, text string) avro.Field { return avro.Field{Name: name, Value: &text} }
	deal := object{
		key: itemKey{reporter: "acme", source: "salesforce", item: "opportunity/0"}, feed: "crm",
		state: avro.ObjectState{
			Type: "opportunity", ID: "0", ModifiedAt: drawnStart.AddDate(0, 0, 12),
			Fields: []avro.Field{
				field("amount", "100.01"), field("campaign_id", "701tour"), field("close_date", "2026-03-12"), field("created_at", "2026-03-07T12:00:00Z"),
				field("is_closed", "true"), field("is_won", "true"), field("stage", "s"),
			},
			Stages: []avro.StageChange{{Stage: "Qualified", At: drawnStart.AddDate(0, 0, 9)}},
		},
	}
	var touches []touch
	for i, source := range []string{"globex", "acme", "", "globex", "initech"} {
		touches = append(touches, touch{
			key: itemKey{node: "a", reporter: "acme", source: "ga4", item: fmt.Sprint(i)}, feed: "analytics", at: drawnStart.AddDate(0, 0, 2*i),
			facts: &avro.TouchFacts{Type: "visit", UTMSource: source, UTMMedium: "email", UTMCampaign: "tour"},
		})
	}
	again := touches[0] // as another system saw it, which credits somebody else
	again.key.reporter, again.key.item = "globex", "again"
	again.at = again.at.Add(10 * time.Minute)
	again.facts = &avro.TouchFacts{Type: "visit", UTMSource: "acme", UTMMedium: "email", UTMCampaign: "tour"}
	return account{touches: append(touches, again), objects: []object{deal}}
}

// TestDisputesAgree: attribution and the judge agree on a deal with many disputes: which
// have an effect, in which order they settle, and what they leave alone.
func TestDisputesAgree(t *testing.T) {
	rates, root := drawnRates(t), string(identity.Node{Level: identity.Domain, ID: "bigco.com"}.Bytes())
	var rules [][]revision
	for _, disagreement := range []string{"split", "hold"} {
		c, err := contract.Parse([]byte(drawnContract + "overlap: {window: 30m, disagreement: " + disagreement + "}\n"))
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, []revision{{number: 1, contract: c}})
	}
	seen := map[string]int{}
	one := func(t *rapid.T) {
		rules := rapid.SampledFrom(rules).Draw(t, "disagreement")
		facts, closings := quarrelled(), drawClosings(t)
		for i, o := range rapid.SliceOfN(drawObject("dispute"), 1, 8).Draw(t, "disputes") {
			o.state.ID = fmt.Sprint("tour/", i)
			o.key.item = "dispute/" + o.state.ID
			facts.objects = append(facts.objects, o)
		}
		want, told := newSums(), map[factsKey]*conclusion{}
		b := book{name: "tour", rules: rules, rates: rates, root: root, account: &facts, due: &want, told: told, closings: closings}
		b.all()
		got, gotTold := attributed(rules, closings, rates, root, facts)
		if list := differences(got, want, gotTold, told); len(list) > 0 {
			t.Fatalf("%s\n%s", factsText(rules, closings, facts), strings.Join(list[:min(len(list), 40)], "\n"))
		}
		for k := range want.amounts {
			seen[k.Escrow+" "+k.Partner]++
			seen[k.Escrow+" "+k.Measure]++
		}
	}
	DrawUntil(t, 1, one, seen, "(none) (held)", "disputed (held)", "disputed acme", "disputed globex", "disputed pipeline_created", "disputed revenue_sourced", "disputed revenue_influenced")
}
