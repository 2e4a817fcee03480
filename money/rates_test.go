package money_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tracksource/money"
)

func day(t *testing.T, text string) money.Day {
	t.Helper()
	d, err := money.ParseDay(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func ecb(t *testing.T) *money.Rates {
	t.Helper()
	rates := &money.Rates{}
	for _, line := range []string{
		"EUR USD 2026-03-02 1.1000", "EUR GBP 2026-03-02 0.8000", "EUR JPY 2026-03-02 160",
		"EUR USD 2026-03-03 1.2500", "USD CHF 2026-03-03 0.9",
	} {
		f := strings.Fields(line)
		if err := rates.Set(f[0], f[1], day(t, f[2]), f[3]); err != nil {
			t.Fatalf("Set %s: %v", line, err)
		}
	}
	return rates
}

func TestConvert(t *testing.T) {
	cases := []struct {
		name, amount, from, to, day, want, rate, rateDay, via string
	}{
		{"same", "10.01", "USD", "USD", "2020-01-01", "10.01", "1", "2020-01-01", money.ViaSame},
		{"direct", "10.00", "EUR", "USD", "2026-03-02", "11.00", "1.1", "2026-03-02", money.ViaDirect},
		{"inverse", "10.00", "USD", "EUR", "2026-03-03", "8.00", "0.8", "2026-03-03", money.ViaInverse},
		{"inverse is rounded as shown", "1.00", "USD", "EUR", "2026-03-02", "0.91", "0.909090909090909091", "2026-03-02", money.ViaInverse},
		{"cross", "11.00", "USD", "GBP", "2026-03-02", "8.00", "0.727272727272727273", "2026-03-02", money.ViaCross + "EUR"},
		{"cross of one day only", "11.00", "USD", "GBP", "2026-03-03", "8.00", "0.727272727272727273", "2026-03-02", money.ViaCross + "EUR"},
		{"cross through another base", "1.00", "EUR", "CHF", "2026-03-03", "1.12", "1.125", "2026-03-03", money.ViaCross + "USD"},
		{"to no minor unit", "1.23", "EUR", "JPY", "2026-03-02", "197", "160", "2026-03-02", money.ViaDirect},
		{"from no minor unit", "160", "JPY", "EUR", "2026-03-02", "1.00", "0.00625", "2026-03-02", money.ViaInverse},
		{"carried forward", "10.00", "EUR", "USD", "2026-03-10", "12.50", "1.25", "2026-03-03", money.ViaDirect},
		{"half to even", "0.02", "EUR", "USD", "2026-03-03", "0.02", "1.25", "2026-03-03", money.ViaDirect},
		{"negative", "-10.00", "EUR", "USD", "2026-03-02", "-11.00", "1.1", "2026-03-02", money.ViaDirect},
	}
	rates := ecb(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			amount, err := money.Parse(c.amount, c.from)
			if err != nil {
				t.Fatal(err)
			}
			got, how, err := rates.Convert(amount, c.to, day(t, c.day), money.RateAgeMax)
			if err != nil {
				t.Fatalf("Convert(%s, %s, %s): %v", amount, c.to, c.day, err)
			}
			if want := c.want + " " + c.to; got.String() != want || how.Rate != c.rate || how.RateDay.String() != c.rateDay || how.Via != c.via {
				t.Fatalf("Convert(%s, %s, %s) = %s by %+v (%s), want %s at %s of %s by %s",
					amount, c.to, c.day, got, how, how.RateDay, want, c.rate, c.rateDay, c.via)
			}
		})
	}
}

func TestConvertRefuses(t *testing.T) {
	rates := ecb(t)
	cases := []struct {
		name   string
		amount money.Amount
		to     string
		day    string
		err    error
		text   string
	}{
		{"older than the carry", money.Amount{Minor: 1, Currency: "EUR"}, "USD", "2026-03-11", money.ErrNoRate, "supply EUR/USD"},
		{"before the first", money.Amount{Minor: 1, Currency: "EUR"}, "USD", "2026-03-01", money.ErrNoRate, "2026-03-01"},
		{"pair unknown", money.Amount{Minor: 1, Currency: "EUR"}, "SEK", "2026-03-02", money.ErrNoRate, "EUR to SEK"},
		{"currency unknown", money.Amount{Minor: 1, Currency: "EUR"}, "XXX", "2026-03-02", money.ErrCurrency, "XXX"},
		{"too much", money.Amount{Minor: money.MinorMax, Currency: "EUR"}, "USD", "2026-03-02", money.ErrAmount, "more than"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := rates.Convert(c.amount, c.to, day(t, c.day), money.RateAgeMax)
			if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("error %v, want %v with %q", err, c.err, c.text)
			}
		})
	}
	var none *money.Rates
	if _, _, err := none.Convert(money.Amount{Minor: 1, Currency: "EUR"}, "USD", 0, money.RateAgeMax); !errors.Is(err, money.ErrNoRate) {
		t.Fatalf("nil Rates: %v", err)
	}
}

func TestSetRefuses(t *testing.T) {
	var rates money.Rates
	for _, c := range []struct {
		base, quote, rate string
		err               error
	}{
		{"EUR", "USD", "0", money.ErrRate},
		{"EUR", "USD", "-1", money.ErrRate},
		{"EUR", "USD", "N/A", money.ErrRate},
		{"EUR", "USD", "1e13", money.ErrRate},
		{"EUR", "USD", "1e-13", money.ErrRate},
		{"EUR", "EUR", "1", money.ErrRate},
		{"EUR", "ZZZ", "1", money.ErrCurrency},
	} {
		if err := rates.Set(c.base, c.quote, 0, c.rate); !errors.Is(err, c.err) {
			t.Errorf("Set(%s, %s, %s): %v, want %v", c.base, c.quote, c.rate, err, c.err)
		}
	}
	if len(rates.Entries()) != 0 {
		t.Errorf("a refused rate was kept: %v", rates.Entries())
	}
}

func TestRatesFollowNoOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type entry struct {
			base, quote string
			day         money.Day
		}
		codes := []string{"EUR", "USD", "GBP", "JPY"}
		seen := map[entry]bool{}
		var entries []money.Rate
		for range rapid.IntRange(0, 20).Draw(t, "n") {
			e := entry{
				rapid.SampledFrom(codes).Draw(t, "base"), rapid.SampledFrom(codes).Draw(t, "quote"),
				money.Day(rapid.IntRange(0, 9).Draw(t, "day")),
			}
			if e.base == e.quote || seen[e] {
				continue
			}
			seen[e] = true
			text := rapid.StringMatching(`[1-9]\.[0-9]{4}`).Draw(t, "rate")
			entries = append(entries, money.Rate{Base: e.base, Quote: e.quote, Day: e.day, Text: text})
		}
		var a, b money.Rates
		for _, e := range entries {
			if err := a.Set(e.Base, e.Quote, e.Day, e.Text); err != nil {
				t.Fatal(err)
			}
		}
		seed := rapid.Uint64().Draw(t, "seed")
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
		for _, e := range entries {
			if err := b.Set(e.Base, e.Quote, e.Day, e.Text); err != nil {
				t.Fatal(err)
			}
		}
		amount := money.Amount{Minor: rapid.Int64Range(-1_000_000, 1_000_000).Draw(t, "minor"), Currency: rapid.SampledFrom(codes).Draw(t, "from")}
		to := rapid.SampledFrom(codes).Draw(t, "to")
		on := money.Day(rapid.IntRange(0, 20).Draw(t, "on"))
		x, howX, errX := a.Convert(amount, to, on, money.RateAgeMax)
		y, howY, errY := b.Convert(amount, to, on, money.RateAgeMax)
		if x != y || howX != howY || (errX == nil) != (errY == nil) {
			t.Fatalf("%s to %s on %s: %s %+v %v, reordered %s %+v %v", amount, to, on, x, howX, errX, y, howY, errY)
		}
	})
}
