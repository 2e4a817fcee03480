package attribution_test

import (
	"fmt"
	"math/big"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/money"
)

// undisputed is a result without what only tells of disputes. Lines of one
// conversion that differ in nothing but the escrow there are none.
func undisputed(r attribution.Result) (plain attribution.Result, inEscrow int) {
	r.Conversions, r.Facts, r.Refusals = slices.Clone(r.Conversions), slices.Clone(r.Facts), nil
	for i := range r.Conversions {
		lines := slices.Clone(r.Conversions[i].Lines)
		for n := range lines {
			if lines[n].Escrow == attribution.EscrowDisputed {
				lines[n].Escrow = attribution.EscrowNone
				inEscrow++
			}
		}
		r.Conversions[i].Lines = lines
	}
	for i := range r.Facts {
		r.Facts[i].Disputes = nil
	}
	return r, inEscrow
}

// TestOpenDisputesChangeNoTotal: with disputes that are open the book is the one
// without any, in whatever way what they are about is labelled; with some that came to
// nothing it is that one to the letter.
func TestOpenDisputesChangeNoTotal(t *testing.T) {
	rates, some := someRates(t), contracts(t)
	inEscrow, mentioned := 0, 0
	one := func(t *rapid.T) {
		rules, given := some.Draw(t, "rules"), disputedFacts.Draw(t, "facts")
		want := attribution.Book(rules, rates, given.without().journey())
		got, held := undisputed(attribution.Book(rules, rates, given.disputes("state", "").journey()))
		if inEscrow += held; !reflect.DeepEqual(got, want) {
			t.Fatalf("with open disputes:\n%s\nwithout:\n%s", render(got), render(want))
		}
		for _, state := range []string{attribution.DisputeWithdrawn, attribution.DisputeRejected} {
			settled := attribution.Book(rules, rates, given.disputes("state", state).journey())
			for i := range settled.Facts {
				mentioned += len(settled.Facts[i].Disputes)
				settled.Facts[i].Disputes = nil
			}
			if !reflect.DeepEqual(settled, want) {
				t.Fatalf("with %s disputes:\n%s\nwithout:\n%s", state, render(settled), render(want))
			}
		}
	}
	drawUntil(t, 1, one, func() bool { return inEscrow > 0 && mentioned > 0 })
	if (inEscrow == 0 || mentioned == 0) && !testing.Short() { // which draws too few to count on it
		t.Fatalf("%d lines were in escrow, %d disputes in facts", inEscrow, mentioned)
	}
}

// lineKey is one line of a book.
type lineKey struct {
	conversion, measure string
	attribution.Dimensions
}

// linesOf are the lines of a book, after whom a change makes of their partners.
func linesOf(r attribution.Result, partner func(c attribution.Conversion, partner string) string) map[lineKey][]int64 {
	lines := map[lineKey][]int64{}
	for _, c := range r.Conversions {
		for _, l := range c.Lines {
			key := lineKey{c.ID, c.Measure, l.Dimensions}
			key.Partner = partner(c, l.Partner)
			sum := append([]int64(nil), lines[key]...)
			if sum == nil {
				sum = make([]int64, len(l.Minor))
			}
			for m, minor := range l.Minor {
				if sum[m] += minor; !attribution.IsAdditive(c.Measure) {
					sum[m] = minor // each partner has the whole, however many it was
				}
			}
			lines[key] = sum
		}
	}
	return lines
}

// TestUpheldCreditMovesThatCredit: of the deal, on the days that were open, what the
// one partner had the other has as well as its own, and nothing else is changed.
func TestUpheldCreditMovesThatCredit(t *testing.T) {
	rates, some := someRates(t), contracts(t)
	moved, kept := 0, 0
	one := func(t *rapid.T) {
		rules, given := some.Draw(t, "rules"), disputedFacts.Draw(t, "facts").without()
		deal := given.deal(t)
		fields := drawDispute(t, deal)
		opened, err := time.Parse(time.RFC3339, fields["opened_at"])
		if err != nil {
			t.Fatal(err)
		}
		against, to := fields["against"], text(t, "to", "acme", "globex")
		fields["campaign"], fields["partner"], fields["about"], fields["state"], fields["to"] = "tour", "globex", attribution.DisputeCredit, attribution.DisputeUpheld, to
		disputed := given
		disputed.objects = append(slices.Clone(given.objects), attribution.Object{
			ID: attribution.ItemID{Reporter: "acme", Source: "salesforce", Item: "dispute/tour/d"}, Type: contract.ObjectDispute, Fields: fields,
		})
		was, is := attribution.Book(rules, rates, given.journey()), attribution.Book(rules, rates, disputed.journey())
		open := attribution.ClosedUntil(rules[0].Closings, opened) + 1
		mergedInto := map[string]bool{deal: true}
		for _, f := range was.Facts {
			for _, m := range f.Merged {
				mergedInto[f.Deal.String()] = mergedInto[f.Deal.String()] || m.String() == deal
			}
		}
		additive := func(r attribution.Result) attribution.Result {
			r.Conversions = slices.DeleteFunc(slices.Clone(r.Conversions), func(c attribution.Conversion) bool { return !attribution.IsAdditive(c.Measure) })
			return r
		}
		want := linesOf(additive(was), func(c attribution.Conversion, partner string) string {
			if partner != against || !mergedInto[c.ID] || attribution.IsSourced(c.Measure) {
				return partner
			}
			if c.Day < open {
				kept++
				return partner
			}
			moved++
			return to
		})
		got := linesOf(additive(is), func(_ attribution.Conversion, partner string) string { return partner })
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s to %s of %s from %s on\nbefore:\n%s\nafter:\n%s", against, to, deal, open, render(was), render(is))
		}
		influencedAsCredited(t, is)
	}
	drawUntil(t, 5, one, func() bool { return moved > 0 && kept > 0 }) // a hundred draws a time
	if (moved == 0 || kept == 0) && !testing.Short() {                 // which draws too few to count on it
		t.Fatalf("%d lines moved, %d were closed", moved, kept)
	}
}

// influencedAsCredited: who influenced a measure are those whom the touches that share
// it are credited to after settlements.
func influencedAsCredited(t *rapid.T, r attribution.Result) {
	for _, f := range r.Facts {
		for _, m := range f.Measures {
			var want []string
			for _, place := range m.Path {
				for partner := range strings.SplitSeq(f.Touches[place].Partner, "+") {
					if partner = f.Credited(partner, m.Day); m.Held == "" && partner != contract.None && partner != contract.Held {
						want = append(want, partner)
					}
				}
			}
			slices.Sort(want)
			if want = slices.Compact(want); m.Held == "" && !slices.Equal(want, m.Influenced) {
				t.Fatalf("%s of %s is influenced by %v, credited are %v", m.Measure, f.Deal, m.Influenced, want)
			}
		}
	}
}

// TestUpheldSourcingMovesWhatIsSourced: both sourced measures go to who it was decided
// for, co-sell follows, and nothing else is changed.
func TestUpheldSourcingMovesWhatIsSourced(t *testing.T) {
	rates, some := someRates(t), contracts(t)
	moved := 0
	rapid.Check(t, func(t *rapid.T) {
		rules, given := some.Draw(t, "rules"), disputedFacts.Draw(t, "facts").without()
		for i := range rules {
			rules[i].Closings = nil
		}
		deal := given.deal(t)
		to := text(t, "to", "acme", "globex", contract.MarketingSourced, contract.Unsourced)
		name := map[string]string{"acme": contract.MarketingSourced}[to]
		if name == "" {
			name = to
		}
		disputed := given
		disputed.objects = append(slices.Clone(given.objects), attribution.Object{
			ID: attribution.ItemID{Reporter: "acme", Source: "salesforce", Item: "dispute/tour/d"}, Type: contract.ObjectDispute,
			Fields: map[string]string{
				"campaign": "tour", "deal": deal, "partner": "globex", "about": attribution.DisputeSourcing, "opened_at": "2026-03-06T12:00:00Z",
				"state": attribution.DisputeUpheld, "to": to, "settled_at": "2026-03-07T12:00:00Z",
			},
		})
		was, is := attribution.Book(rules, rates, given.journey()), attribution.Book(rules, rates, disputed.journey())
		decided := map[string]bool{}
		for _, f := range is.Facts {
			if len(f.Disputes) > 0 {
				decided[f.Deal.String()] = true
				if f.Sourced.Partner != name || f.Sourced.By != attribution.SourcedByDecision || f.Sourced.Evidence.Item != "dispute/tour/d" {
					t.Fatalf("%s to %s is sourced by %+v", f.Deal, to, f.Sourced)
				}
			}
		}
		touched := func(c attribution.Conversion) bool {
			return decided[c.ID] && (attribution.IsSourced(c.Measure) || strings.HasSuffix(c.Measure, "_co_sell"))
		}
		rest := func(r attribution.Result) (list []attribution.Conversion) {
			for _, c := range r.Conversions {
				if !touched(c) {
					list = append(list, c)
				}
			}
			return list
		}
		if !reflect.DeepEqual(rest(is), rest(was)) {
			t.Fatalf("%s to %s\nbefore:\n%s\nafter:\n%s", deal, to, render(was), render(is))
		}
		for _, c := range is.Conversions {
			if touched(c) && attribution.IsSourced(c.Measure) {
				moved++
				l := c.Lines[0]
				if len(c.Lines) != 1 || l.Partner != name || l.Channel != contract.Unknown || l.Asset != contract.Unknown || l.TouchCampaign != contract.None {
					t.Fatalf("%s to %s is credited to %+v", c.ID, to, c.Lines)
				}
			}
		}
	})
	if moved == 0 && !testing.Short() { // which draws too few to count on it
		t.Fatal("nothing was ever moved")
	}
}

// TestBookPageExample computes what the page of rules shows of a dispute.
func TestBookPageExample(t *testing.T) {
	page, err := os.ReadFile("../docs/book.md")
	if err != nil {
		t.Fatal(err)
	}
	base, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("lookback: 10d", "lookback: 30d", "  - {id: globex", "  - {id: initech, currency: USD}\n  - {id: globex").Replace(string(base))
	c, err := contract.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	book := func(lines ...string) attribution.Result {
		var s script
		for _, line := range append([]string{
			"touch globex/ga4/1 2026-03-02T15:00:00Z type=visit utm_campaign=tour",
			"touch acme/ga4/2 2026-03-03T15:00:00Z type=visit utm_campaign=tour",
			"touch initech/ga4/3 2026-03-10T15:00:00Z type=visit utm_campaign=tour",
			"deal 1 amount=100.01 created_at=2026-03-05T15:00:00Z close_date=2026-03-20 is_closed=true is_won=true",
		}, lines...) {
			s.add(t, line)
		}
		return attribution.Book(s.under(c), &s.rates, s.journey)
	}
	const dispute = "dispute d deal=1 partner=initech about=credit against=acme opened_at=2026-03-21T15:00:00Z"
	const upheld = dispute + " state=upheld to=initech settled_at=2026-03-28T15:00:00Z"
	linear := func(r attribution.Result, measure, partner string) string {
		for _, conversion := range r.Conversions {
			for _, l := range conversion.Lines {
				if conversion.Measure == measure && l.Partner == partner {
					cell := " " + money.Format(l.Minor[slices.Index(r.Models, "linear")], conversion.Exponent)
					if l.Escrow == attribution.EscrowDisputed {
						cell += ", `disputed`"
					}
					return cell
				}
			}
		}
		return ""
	}
	for _, partner := range []string{"globex", "acme", "initech"} {
		row := "| " + partner + " |"
		for _, r := range []attribution.Result{book(), book(dispute), book(upheld)} {
			row += linear(r, attribution.MeasureRevenue, partner) + " |"
		}
		if !strings.Contains(string(page), row) {
			t.Errorf("the page has no row %q", row)
		}
	}
	closed := book("close 2026-03-10 2026-03-20T15:00:00Z", upheld)
	if got := linear(closed, attribution.MeasurePipelineCreated, "acme"); got != " 50.00" {
		t.Errorf("of what was closed acme has%s", got)
	}
	if got := linear(closed, attribution.MeasureRevenue, "acme"); got != "" {
		t.Errorf("of what was open acme has%s", got)
	}
}

func TestClosedUntil(t *testing.T) {
	closings := []attribution.Closing{
		{Close: true, Day: day(t, "2026-01-31"), At: instant(t, "2026-02-03T12:00:00Z")},
		{Close: true, Day: day(t, "2026-02-28"), At: instant(t, "2026-03-03T12:00:00Z")},
		{Day: day(t, "2026-02-10"), At: instant(t, "2026-03-05T12:00:00Z")},
	}
	for _, tt := range []struct{ at, want string }{
		{"2026-02-03T12:00:00Z", "2026-01-31"},
		{"2026-03-03T11:59:59Z", "2026-01-31"},
		{"2026-03-03T12:00:00Z", "2026-02-28"},
		{"2026-03-05T12:00:00Z", "2026-02-09"},
	} {
		if got := attribution.ClosedUntil(closings, instant(t, tt.at)); got.String() != tt.want {
			t.Errorf("at %s closed until %s, want %s", tt.at, got, tt.want)
		}
	}
	if got := attribution.ClosedUntil(closings, instant(t, "2026-02-03T11:59:59Z")); got >= day(t, "0001-01-01") {
		t.Errorf("before any closing closed until %s", got)
	}
}

// TestConfidentPart: what is certain of an amount is its share, rounded toward zero.
func TestConfidentPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := attribution.Confidence{Overall: rapid.IntRange(0, attribution.ConfidenceWhole).Draw(t, "overall")}
		minor := rapid.Int64().Draw(t, "minor")
		want := new(big.Int).Mul(big.NewInt(minor), big.NewInt(int64(c.Overall)))
		want.Quo(want, big.NewInt(attribution.ConfidenceWhole))
		if got := c.Of(minor); fmt.Sprint(got) != want.String() {
			t.Fatalf("%d of %d is %d, want %s", c.Overall, minor, got, want)
		}
	})
}
