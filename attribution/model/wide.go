package model

import (
	"cmp"
	"math/bits"
)

// wide is an unsigned integer of 128 bits.
type wide struct{ high, low uint64 }

func (w wide) plus(n uint64) wide {
	low, carry := bits.Add64(w.low, n, 0)
	return wide{w.high + carry, low}
}

func (w wide) minus(v wide) wide {
	low, borrow := bits.Sub64(w.low, v.low, 0)
	high, _ := bits.Sub64(w.high, v.high, borrow)
	return wide{high, low}
}

func (w wide) compare(v wide) int {
	return cmp.Or(cmp.Compare(w.high, v.high), cmp.Compare(w.low, v.low))
}

// times is the product of a wide and n without its 65th and higher words, which
// the caller knows to be zero.
func (w wide) times(n uint64) wide {
	high, low := bits.Mul64(w.low, n)
	return wide{high + w.high*n, low}
}

// divide returns the quotient, which must fit 64 bits, and the remainder of w by
// v, which must not be zero.
func (w wide) divide(v wide) (uint64, wide) {
	if v.high == 0 {
		quotient, remainder := bits.Div64(w.high, w.low, v.low)
		return quotient, wide{0, remainder}
	}
	// The quotient of w/2 by the top 64 bits of v, scaled back, is the true one or
	// one more (Warren, Hacker's Delight, divlu of udivdi3); one less is then the
	// true one or one short.
	shift := uint(bits.LeadingZeros64(v.high))
	top := v.high<<shift | v.low>>1>>(63-shift)
	quotient, _ := bits.Div64(w.high>>1, w.high<<63|w.low>>1, top)
	quotient >>= 63 - shift
	if quotient > 0 {
		quotient--
	}
	remainder := w.minus(v.times(quotient))
	if remainder.compare(v) >= 0 {
		quotient, remainder = quotient+1, remainder.minus(v)
	}
	return quotient, remainder
}

// fraction multiplies two fractions of 2^128, rounded down.
func (w wide) fraction(v wide) wide {
	high, low := bits.Mul64(w.high, v.high)
	a, aLow := bits.Mul64(w.high, v.low)
	b, bLow := bits.Mul64(w.low, v.high)
	c, _ := bits.Mul64(w.low, v.low)
	sum, carry1 := bits.Add64(aLow, bLow, 0)
	_, carry2 := bits.Add64(sum, c, 0)
	low, carry3 := bits.Add64(low, a, carry1)
	high += carry3
	low, carry3 = bits.Add64(low, b, carry2)
	return wide{high + carry3, low}
}
