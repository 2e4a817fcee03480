package report_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tracksource/report"
)

// proposals are what is proposed for yields and leaks, alerts left out.
func (s storyteller) proposals(yields []report.Yield, leaks []report.Leak) []report.Action {
	p := s.pkg()
	report.Tell(p, report.StoryInput{Contract: s.contract, Day: day(s, "2026-03-30"), Yields: yields, Leaks: leaks})
	return p.Actions
}

// TestShiftsOfNothing: where all channels win as much for their spend, and deals are worth
// what they are worth, a shift is proposed in one of twenty cases at most, and where one
// wins four times as much for it, in nineteen of twenty.
func TestShiftsOfNothing(t *testing.T) {
	s := newStoryteller(t)
	for _, c := range []struct {
		name string
		more int // how many times as much the first channel wins
	}{{"nothing planted", 1}, {"one channel is better", 4}} {
		t.Run(c.name, func(t *testing.T) {
			proposed, n := 0, draws()
			for seed := range n {
				rng := rand.New(rand.NewPCG(uint64(seed), 11))
				var yields []report.Yield
				for i, thousands := range []int64{20, 15, 10, 8, 5} {
					chances := int(thousands) * 20
					if i == 0 {
						chances *= c.more
					}
					won, revenue := 0, report.Value{}
					for range chances {
						if rng.IntN(10) == 0 {
							won++
							revenue = revenue.Add(report.ValueOf(size(rng.IntN(waveSizes)), 0))
						}
					}
					yields = append(yields, report.Yield{
						Subject: report.Subject{Dimension: "channel", Key: fmt.Sprint("channel ", i)}, Spend: report.ValueOf(1000*thousands, 0), Revenue: revenue, Won: won,
					})
				}
				for _, a := range s.proposals(yields, nil) {
					if a.Rule == report.ActionShift {
						proposed++
					}
				}
			}
			if c.more == 1 {
				atMostFive(t, proposed, n)
			} else if 20*proposed < 19*n {
				t.Errorf("proposed in %d of %d", proposed, n)
			}
		})
	}
}

// TestProposals: what is not proposed, and what is without a price.
func TestProposals(t *testing.T) {
	s := newStoryteller(t)
	leak := func(passed int, onward *big.Rat) []report.Leak {
		return []report.Leak{{Subject: report.Subject{Dimension: "channel", Key: "Email"}, From: "created", To: "won", Entered: 100, Passed: passed, Baseline: big.NewRat(3, 10), Onward: onward}}
	}
	for _, c := range []struct {
		name   string
		yields []report.Yield
		leaks  []report.Leak
		want   string
	}{
		{"one channel", []report.Yield{s.yield(report.Channel, "Events", "100", "100000", 100)}, nil, ""},
		{"a channel and an asset", []report.Yield{s.yield(report.Channel, "Events", "100", "100000", 100), s.yield(report.Asset, "guide", "100", "1", 1)}, nil, ""},
		{"nothing was spent", []report.Yield{s.yield(report.Channel, "Events", "100", "100000", 100), s.yield(report.Channel, "Email", "0", "1", 1)}, nil, ""},
		{
			"too few deals",
			[]report.Yield{s.yield(report.Channel, "Events", "100", "100000", 9), s.yield(report.Channel, "Email", "100", "1", 0)},
			nil,
			"Try with USD 10, a tenth of the spend on channel Email, whether channel Events returns more: USD 5,000 more revenue in as many days, half of what the returns of 1,000x and 0.01x come to, if they are more than chance: the deals won so far do not show it",
		},
		{
			"as many deals, one of them large",
			[]report.Yield{s.yield(report.Channel, "Events", "100", "900000", 20), s.yield(report.Channel, "Email", "100", "1000", 20)},
			nil,
			"Try with USD 10, a tenth of the spend on channel Email, whether channel Events returns more: USD 44,950 more revenue in as many days, half of what the returns of 9,000x and 10x come to, if they are more than chance: the deals won so far do not show it",
		},
		{"as good", []report.Yield{s.yield(report.Channel, "Events", "100", "1000", 20), s.yield(report.Channel, "Email", "100", "1000", 10)}, nil, ""},
		{
			"more deals",
			[]report.Yield{s.yield(report.Channel, "Events", "100", "1000", 30), s.yield(report.Channel, "Email", "100", "200", 5)},
			nil,
			"Move USD 20, a fifth of the spend, from channel Email to channel Events: USD 80 more revenue in as many days: half of what the returns of 10x and 2x come to, as money that is added returns less",
		},
		{"a leak", nil, leak(10, big.NewRat(1, 1)), "Find out why channel Email loses more between creation and won: 10% go on, of the others 30%: 10 more deals won of the next 100, half of the way to the others"},
		{"a leak that is none", nil, leak(30, nil), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, a := range s.proposals(c.yields, c.leaks) {
				got = append(got, a.Text+": "+a.Effect)
			}
			if text := strings.Join(got, "\n"); text != c.want {
				t.Errorf("got %q, want %q", text, c.want)
			}
		})
	}
}

// TestRegister: alerts that are alike and many are one line, and what is more than fifty
// lines is said in one.
func TestRegister(t *testing.T) {
	s := newStoryteller(t)
	register := func(alerts ...report.StoryAlert) []report.Action {
		p := s.pkg()
		report.Tell(p, report.StoryInput{Contract: s.contract, Day: day(t, "2026-03-30"), Alerts: alerts})
		return p.Actions
	}
	alert := func(kind string, n int) report.StoryAlert {
		return report.StoryAlert{ID: fmt.Sprintf("%s/%02d", kind, n), Kind: kind, Severity: "warning", Subject: fmt.Sprint(n), Message: "Lost."}
	}
	var alerts []report.StoryAlert
	for i := range 53 {
		alerts = append(alerts, alert(fmt.Sprintf("kind%02d", i), i))
	}
	if a := register(alerts...); len(a) != 51 || a[50].Text != "Look at 3 more alerts, which the table of escalations lists" {
		t.Errorf("%d actions, the last one %q", len(a), a[len(a)-1].Text)
	}
	few := register(alert("gap", 1), alert("gap", 2), alert("gap", 3))
	if len(few) != 3 || few[2].Text != "Lost" || len(few[2].About) != 1 {
		t.Errorf("three alerts are %+v", few)
	}
	many := register(alert("gap", 1), alert("rate", 1), alert("gap", 2), alert("gap", 3), alert("gap", 4))
	if len(many) != 2 || many[0].Text != "Look at 4 alerts such as this, which the table of escalations lists: Lost" || many[0].About != nil || many[1].ID != "rate/01" {
		t.Errorf("four alike and another are %+v", many)
	}
}

// TestPaceProperties: the projection is within its range, is what was reached where no day
// is left, and a measure that brings the same every day is projected to bring it to the end.
func TestPaceProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		days := rapid.IntRange(1, 400).Draw(t, "days")
		period := report.Span{From: 20_000, To: report.Span{From: 20_000}.From.Add(days - 1)}
		daily := report.Daily{From: period.From, Values: make([]report.Value, days)}
		each := rapid.Int64Range(0, 1_000_000_00).Draw(t, "each")
		same := rapid.Bool().Draw(t, "same")
		for i := range daily.Values {
			if daily.Values[i] = report.ValueOf(each, 2); !same {
				daily.Values[i] = report.ValueOf(rapid.Int64Range(-1_000_00, 1_000_000_00).Draw(t, "value"), 2)
			}
		}
		goal := report.Goal{Period: period, Amount: report.ValueOf(rapid.Int64Range(1, 1_000_000_000).Draw(t, "goal"), 2)}
		on := period.From.Add(rapid.IntRange(-3, days+3).Draw(t, "on"))
		p := report.PaceOf(report.PaceQuestion{Measure: "revenue", Currency: "EUR", Places: 2, Goals: []report.Goal{goal}, Day: on, Daily: daily}, goal, report.OverPeriod)
		switch {
		case p.Low.Cmp(p.Projected) > 0 || p.Projected.Cmp(p.High) > 0:
			t.Fatalf("projected %s of %s to %s", p.Projected.Text(2), p.Low.Text(2), p.High.Text(2))
		case p.Begun != (on >= period.From) || p.Begun && p.Left != int(period.To-min(on, period.To)):
			t.Fatalf("on %s of %v it has begun: %v, with %d days left", on, period, p.Begun, p.Left)
		case p.Begun && p.Left == 0 && (p.Projected.Cmp(p.Reached) != 0 || p.Expected.Cmp(goal.Amount) != 0):
			t.Fatalf("projected %s, reached %s, expected %s of %s", p.Projected.Text(2), p.Reached.Text(2), p.Expected.Text(2), goal.Amount.Text(2))
		case p.Begun && same && p.Projected.Cmp(report.ValueOf(each*int64(days), 2)) != 0:
			t.Fatalf("%d days of %s are projected as %s", days, report.ValueOf(each, 2).Text(2), p.Projected.Text(2))
		}
	})
}
