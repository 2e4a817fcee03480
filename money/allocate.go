package money

import (
	"fmt"
	"math/bits"
	"slices"
)

// Whole is one, in the parts that weights are written in: a weight of Whole/4
// is a quarter.
const Whole uint64 = 1_000_000_000_000_000_000

// Allocate splits total into one part for each weight, by largest remainder:
// each part is first rounded towards zero, then what is left goes, one unit
// each, to the parts that lost most, of equals to the earlier. The parts always
// sum to total. A negative total gives the mirror of the positive one. The
// weights must sum to Whole exactly; Allocate panics if they do not, because
// weights are made by our own models and never read from outside.
//
// The method is Hamilton's, as for seats in a parliament; the arithmetic is 128
// bits wide, so it is exact for every int64.
func Allocate(total int64, weights []uint64) []int64 {
	mustSumToWhole(weights)
	parts := make([]int64, len(weights))
	remainders := make([]uint64, len(weights))
	size := magnitude(total)
	left := size
	for i, weight := range weights {
		// high < Whole because size <= 2^63 and weight <= Whole, so Div64 is safe.
		high, low := bits.Mul64(size, weight)
		quotient, remainder := bits.Div64(high, low, Whole)
		parts[i] = int64(quotient)
		remainders[i] = remainder
		left -= quotient
	}
	for _, i := range largestRemainders(remainders, left) {
		parts[i]++
	}
	if total < 0 {
		for i := range parts {
			parts[i] = -parts[i]
		}
	}
	return parts
}

// largestRemainders returns the indexes of the n largest remainders, of equals
// the earlier.
func largestRemainders(remainders []uint64, n uint64) []int {
	if n == 0 {
		return nil
	}
	order := make([]int, len(remainders))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case remainders[a] > remainders[b]:
			return -1
		case remainders[a] < remainders[b]:
			return 1
		}
		return 0
	})
	return order[:n]
}

func mustSumToWhole(weights []uint64) {
	var sum uint64
	for _, weight := range weights {
		// Both are at most Whole here, so their sum fits.
		if weight > Whole || sum+weight > Whole {
			panic(fmt.Sprintf("money: weights exceed the whole: %v", weights))
		}
		sum += weight
	}
	if sum != Whole {
		panic(fmt.Sprintf("money: weights sum to %d, not to %d: %v", sum, Whole, weights))
	}
}
