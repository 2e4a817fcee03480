package report

import (
	"math/big"
	"testing"
)

// near reports whether a chance is an exact one to the places of the fixed point that the
// text of a chance could ever show.
func near(got, want *big.Rat) bool {
	d := new(big.Rat).Sub(got, want)
	return d.Abs(d).Cmp(new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 200))) < 0
}

// TestBinomialTail: with a whole mean r the terms are C(k+r-1, k) / 2^(k+r), of which the
// exact sums are taken. R's pnbinom(4, 3, 0.5) is 0.7734375.
func TestBinomialTail(t *testing.T) {
	for _, r := range []int64{1, 2, 3, 7, 40} {
		below := new(big.Rat)
		for k := range int64(120) {
			mean, number := big.NewInt(r<<countBits), big.NewInt(k)
			if got, want := binomialTail(mean, number, true), new(big.Rat).Sub(big.NewRat(1, 1), below); !near(got, want) {
				t.Fatalf("a mean of %d: at least %d has %s, want %s", r, k, got.FloatString(20), want.FloatString(20))
			}
			term := new(big.Rat).SetFrac(new(big.Int).Binomial(k+r-1, k), new(big.Int).Lsh(big.NewInt(1), uint(k+r)))
			below.Add(below, term)
			if got := binomialTail(mean, number, false); !near(got, below) {
				t.Fatalf("a mean of %d: at most %d has %s, want %s", r, k, got.FloatString(20), below.FloatString(20))
			}
			if r == 3 && k == 4 && below.Cmp(big.NewRat(7734375, 10000000)) != 0 {
				t.Errorf("at most 4 with a mean of 3 is %s", below)
			}
		}
	}
}

// TestBinomialTailOfNothing: a mean of almost nothing, and a number that no fixed point
// reaches, have a chance that is small and not none.
func TestBinomialTailOfNothing(t *testing.T) {
	if got := binomialTail(big.NewInt(1), big.NewInt(1), true); got.Sign() <= 0 || got.Cmp(big.NewRat(1, 1<<15)) > 0 {
		t.Errorf("one or more of 2^-16 has the chance %s", got.FloatString(20))
	}
	if got := binomialTail(new(big.Int), big.NewInt(0), false); got.Cmp(big.NewRat(1, 1)) != 0 {
		t.Errorf("nothing where nothing is expected has the chance %s", got)
	}
	if got := binomialTail(big.NewInt(1<<countBits), big.NewInt(100_000), true); got.Sign() <= 0 {
		t.Errorf("a hundred thousand where one is expected has the chance %s", got)
	}
	if got := halved(big.NewInt(1 << 40)); got.Sign() <= 0 {
		t.Errorf("nothing where much is expected has the chance %s", got)
	}
	if got := halved(big.NewInt(3)); got.Cmp(big.NewRat(1, 8)) != 0 {
		t.Errorf("two to the minus three is %s", got)
	}
}

// TestAtLeastOf: the exact sums of binomials; R's binom.test(8, 10, 0.5, "greater") has
// the chance 0.0546875.
func TestAtLeastOf(t *testing.T) {
	if got := atLeastOf(10, 8, big.NewRat(1, 2)); !near(got, big.NewRat(56, 1024)) {
		t.Errorf("8 of 10 with a half has %s", got.FloatString(20))
	}
	for _, p := range []*big.Rat{big.NewRat(1, 3), big.NewRat(9, 10), big.NewRat(1, 1000)} {
		q := new(big.Rat).Sub(big.NewRat(1, 1), p)
		const n = 25
		above := new(big.Rat)
		for k := n; k >= 0; k-- {
			term := new(big.Rat).SetInt(new(big.Int).Binomial(n, int64(k)))
			for i := range n {
				if i < k {
					term.Mul(term, p)
				} else {
					term.Mul(term, q)
				}
			}
			above.Add(above, term)
			if got := atLeastOf(n, k, p); !near(got, above) {
				t.Fatalf("%d of %d with %s has %s, want %s", k, n, p, got.FloatString(20), above.FloatString(20))
			}
		}
	}
	if got := atLeastOf(10, 3, big.NewRat(1, 1)); got.Cmp(big.NewRat(1, 1)) != 0 {
		t.Errorf("what is certain has the chance %s", got)
	}
}
