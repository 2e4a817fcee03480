package model

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// These tests are inside the package: what is wrong in the last bits of an
// intermediate result would show in a weight once in a lifetime.

func drawWide(t *rapid.T, name string) wide {
	// Few words make carries and equal upper halves common.
	word := rapid.OneOf(rapid.SampledFrom([]uint64{0, 1, 1<<63 - 1, 1 << 63, 1<<64 - 2, 1<<64 - 1}), rapid.Uint64())
	return wide{word.Draw(t, name+" high"), word.Draw(t, name+" low")}
}

func (w wide) big() *big.Int {
	n := new(big.Int).SetUint64(w.high)
	return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(w.low))
}

func TestWide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, v := drawWide(t, "w"), drawWide(t, "v")
		product := new(big.Int).Mul(w.big(), v.big())
		if got, want := w.fraction(v).big(), product.Rsh(product, 128); got.Cmp(want) != 0 {
			t.Fatalf("%v times %v over 2^128: got %v, want %v", w, v, got, want)
		}
		if v == (wide{}) {
			return
		}
		want, remainder := new(big.Int).QuoRem(w.big(), v.big(), new(big.Int))
		if !want.IsUint64() {
			return
		}
		if got, rest := w.divide(v); got != want.Uint64() || rest.big().Cmp(remainder) != 0 {
			t.Fatalf("%v over %v: got %d and %v, want %v and %v", w, v, got, rest, want, remainder)
		}
	})
}

// TestRoots takes the square root of a half again and again, with 300 bits more
// than the table has.
func TestRoots(t *testing.T) {
	const bits = 428
	root := new(big.Int).Lsh(big.NewInt(1), bits-1)
	for k, got := range roots {
		root.Sqrt(root.Lsh(root, bits))
		if want := new(big.Int).Rsh(root, bits-128); got.big().Cmp(want) != 0 {
			t.Errorf("2^-(2^-%d) is %x, want %x", k+1, got.big(), want)
		}
	}
	if len(roots) != 64 {
		t.Errorf("%d roots", len(roots))
	}
}
