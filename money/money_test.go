package money_test

import (
	"errors"
	"math"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/money"
)

func TestParse(t *testing.T) {
	cases := []struct {
		name, text, currency string
		minor                int64
		err                  error
	}{
		{"cents", "1250.50", "USD", 125050, nil},
		{"no fraction", "3", "EUR", 300, nil},
		{"half to even, down", "0.125", "USD", 12, nil},
		{"half to even, up", "0.135", "USD", 14, nil},
		{"negative half to even", "-0.125", "USD", -12, nil},
		{"just over the half", "0.1250000001", "USD", 13, nil},
		{"yen has no minor unit", "12.5", "JPY", 12, nil},
		{"dinar has three digits", "1.2345", "BHD", 1234, nil},
		{"four digits", "1.00005", "CLF", 10000, nil},
		{"scientific", "1.25e+06", "USD", 125000000, nil},
		{"plus", "+7.1", "USD", 710, nil},
		{"the greatest", "10000000000000.00", "USD", money.MinorMax, nil},
		{"rounds down to the greatest", "10000000000000.005", "USD", money.MinorMax, nil},
		{"over the greatest", "10000000000000.01", "USD", 0, money.ErrAmount},
		{"under the least", "-10000000000000.01", "USD", 0, money.ErrAmount},
		{"NaN", "NaN", "USD", 0, money.ErrAmount},
		{"infinity", "Inf", "USD", 0, money.ErrAmount},
		{"huge exponent", "1e400", "USD", 0, money.ErrAmount},
		{"overflowing exponent", "1e99999999999", "USD", 0, money.ErrAmount},
		{"tiny exponent", "1e-400", "USD", 0, money.ErrAmount},
		{"too long", strings.Repeat("1", 65), "USD", 0, money.ErrAmount},
		{"empty", "", "USD", 0, money.ErrAmount},
		{"space", " 1", "USD", 0, money.ErrAmount},
		{"thousands", "1,000", "USD", 0, money.ErrAmount},
		{"two signs", "+-1", "USD", 0, money.ErrAmount},
		{"bare point", "1.", "USD", 0, money.ErrAmount},
		{"hexadecimal", "0x10", "USD", 0, money.ErrAmount},
		{"unknown currency", "1", "ABC", 0, money.ErrCurrency},
		{"lower case", "1", "usd", 0, money.ErrCurrency},
		{"no currency", "1", "", 0, money.ErrCurrency},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := money.Parse(c.text, c.currency)
			if !errors.Is(err, c.err) {
				t.Fatalf("Parse(%q, %q): error %v, want %v", c.text, c.currency, err, c.err)
			}
			if err == nil && (got.Minor != c.minor || got.Currency != c.currency) {
				t.Fatalf("Parse(%q, %q) = %+v, want %d", c.text, c.currency, got, c.minor)
			}
		})
	}
}

func TestFormat(t *testing.T) {
	cases := []struct {
		minor    int64
		exponent int
		want     string
	}{
		{0, 2, "0.00"},
		{-5, 2, "-0.05"},
		{123456, 2, "1234.56"},
		{12, 0, "12"},
		{1, 6, "0.000001"},
		{math.MinInt64, 2, "-92233720368547758.08"},
	}
	for _, c := range cases {
		if got := money.Format(c.minor, c.exponent); got != c.want {
			t.Errorf("Format(%d, %d) = %q, want %q", c.minor, c.exponent, got, c.want)
		}
	}
	if got := (money.Amount{Minor: 1230, Currency: "EUR"}).String(); got != "12.30 EUR" {
		t.Errorf("String = %q", got)
	}
}

// TestTable holds the embedded file to the shape that the search relies on.
func TestTable(t *testing.T) {
	data, err := os.ReadFile("iso4217.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(string(data), "\n"), "\n")
	previous := ""
	for i, line := range lines {
		line = strings.TrimSuffix(line, "\n")
		if len(line) != 5 || line[3] != ' ' || !strings.ContainsAny(line[4:], "0234") {
			t.Fatalf("line %d: %q is not like \"USD 2\"", i+1, line)
		}
		if line <= previous {
			t.Fatalf("line %d: %q is not after %q", i+1, line, previous)
		}
		previous = line
		got, err := money.Exponent(line[:3])
		if err != nil || got != int(line[4]-'0') {
			t.Fatalf("Exponent(%q) = %d, %v", line[:3], got, err)
		}
	}
	if len(lines) < 160 {
		t.Fatalf("only %d currencies", len(lines))
	}
	for code, want := range map[string]int{"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3, "CLF": 4, "ISK": 0, "HUF": 2, "XCG": 2} {
		if got, err := money.Exponent(code); err != nil || got != want {
			t.Errorf("Exponent(%s) = %d, %v, want %d", code, got, err, want)
		}
	}
}

func TestAllocate(t *testing.T) {
	third := money.Whole / 3
	cases := []struct {
		name    string
		total   int64
		weights []uint64
		want    []int64
	}{
		{"thirds of a dollar", 100, []uint64{third + 1, third, third}, []int64{34, 33, 33}},
		{"mirror", -100, []uint64{third + 1, third, third}, []int64{-34, -33, -33}},
		{"ties to the earlier", 1, []uint64{money.Whole / 2, money.Whole / 2}, []int64{1, 0}},
		{"larger remainder first", 1, []uint64{money.Whole / 5 * 2, money.Whole / 5 * 3}, []int64{0, 1}},
		{"one takes all", math.MinInt64, []uint64{0, money.Whole}, []int64{0, math.MinInt64}},
		{"zero", 0, []uint64{money.Whole}, []int64{0}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := money.Allocate(c.total, c.weights)
			for i := range c.want {
				if got[i] != c.want[i] {
					t.Fatalf("Allocate(%d, %v) = %v, want %v", c.total, c.weights, got, c.want)
				}
			}
		})
	}
}

func TestAllocatePanicsOnBrokenWeights(t *testing.T) {
	for _, weights := range [][]uint64{nil, {money.Whole - 1}, {money.Whole, 1}, {math.MaxUint64, money.Whole + 1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Allocate(1, %v) did not panic", weights)
				}
			}()
			money.Allocate(1, weights)
		}()
	}
}

// weightsOf draws weights that sum to the whole.
func weightsOf(t *rapid.T) []uint64 {
	n := rapid.IntRange(1, 40).Draw(t, "n")
	weights := make([]uint64, n)
	left := money.Whole
	for i := range n - 1 {
		weights[i] = rapid.Uint64Range(0, left).Draw(t, "weight")
		left -= weights[i]
	}
	weights[n-1] = left
	return weights
}

func TestAllocateConserves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Int64().Draw(t, "total")
		weights := weightsOf(t)
		parts := money.Allocate(total, weights)
		sum := new(big.Int)
		for i, part := range parts {
			sum.Add(sum, big.NewInt(part))
			// Each part is within one unit of its exact share.
			exact := new(big.Rat).SetFrac(
				new(big.Int).Mul(big.NewInt(total), new(big.Int).SetUint64(weights[i])), new(big.Int).SetUint64(money.Whole))
			off := new(big.Rat).Sub(exact, new(big.Rat).SetInt64(part))
			if off.Abs(off).Cmp(big.NewRat(1, 1)) >= 0 {
				t.Fatalf("part %d of %d by %v is %d, exactly %s", i, total, weights, part, exact.FloatString(6))
			}
		}
		if sum.Cmp(big.NewInt(total)) != 0 {
			t.Fatalf("parts of %d by %v sum to %s: %v", total, weights, sum, parts)
		}
		if total == math.MinInt64 {
			return
		}
		for i, part := range money.Allocate(-total, weights) {
			if part != -parts[i] {
				t.Fatalf("not a mirror: %v against %v", part, parts[i])
			}
		}
	})
}

func TestDay(t *testing.T) {
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 4, 59, 59, 0, time.UTC)
	if got := money.DayOf(at, newYork).String(); got != "2026-02-28" {
		t.Errorf("DayOf = %s, want 2026-02-28", got)
	}
	if got := money.DayOf(at.Add(time.Second), newYork).String(); got != "2026-03-01" {
		t.Errorf("DayOf = %s, want 2026-03-01", got)
	}
	for text, want := range map[string]money.Day{
		"1970-01-01": 0, "1969-12-31": -1, "2026-02-28": 20512, "0001-01-01": money.DayMin, "9999-12-31": money.DayMax,
	} {
		if got, err := money.ParseDay(text); err != nil || got != want || got.String() != text {
			t.Errorf("ParseDay(%s) = %d %s, %v, want %d", text, got, got, err, want)
		}
	}
	for _, text := range []string{"", "2026-2-28", "2026-02-30", "2026-02-28T00:00:00Z", "0000-01-01", "20260228"} {
		if _, err := money.ParseDay(text); !errors.Is(err, money.ErrDay) {
			t.Errorf("ParseDay(%q): %v, want ErrDay", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"0", "-1.005", "1e3", "1e400", "NaN", "9999999999999.995", "0.5e-1"} {
		f.Add(text, "USD")
		f.Add(text, "JPY")
	}
	f.Fuzz(func(t *testing.T, text, currency string) {
		got, err := money.Parse(text, currency)
		if err != nil {
			return
		}
		exponent, err := money.Exponent(currency)
		if err != nil {
			t.Fatalf("accepted %q of unknown currency %q", text, currency)
		}
		want, ok := halfEven(text, exponent)
		if !ok || !want.IsInt64() || want.Int64() != got.Minor {
			t.Fatalf("Parse(%q, %s) = %d, want %s", text, currency, got.Minor, want)
		}
		again, err := money.Parse(money.Format(got.Minor, exponent), currency)
		if err != nil || again != got {
			t.Fatalf("Format and Parse of %+v give %+v, %v", got, again, err)
		}
	})
}

// halfEven rounds decimal text by rational arithmetic of the standard library,
// with no code of the package.
func halfEven(text string, exponent int) (*big.Int, bool) {
	exact, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, false
	}
	exact.Mul(exact, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(exponent)), nil)))
	floor, rest := new(big.Int).DivMod(exact.Num(), exact.Denom(), new(big.Int))
	rest.Lsh(rest, 1)
	if c := rest.Cmp(exact.Denom()); c > 0 || (c == 0 && floor.Bit(0) == 1) {
		floor.Add(floor, big.NewInt(1))
	}
	return floor, true
}

func FuzzParseDay(f *testing.F) {
	for _, text := range []string{"2026-02-28", "0001-01-01", "9999-12-31", "2026-13-01", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		day, err := money.ParseDay(text)
		if err == nil && day.String() != text {
			t.Fatalf("ParseDay(%q).String() = %q", text, day)
		}
	})
}
