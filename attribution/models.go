package attribution

import (
	"tracksource/contract"
	"tracksource/money"
)

// Weights returns the weight of each of n touches in order of time under a
// ledger model, as parts of money.Whole, which they sum to exactly. It is nil
// for n = 0 and for a model that it does not know; a parsed contract names only
// known ones.
func Weights(model string, n int) []uint64 {
	if n <= 0 {
		return nil
	}
	switch model {
	case contract.ModelFirstTouch:
		return single(n, 0)
	case contract.ModelLastTouch:
		return single(n, n-1)
	case contract.ModelLinear:
		weights := make([]uint64, n)
		spread(weights, money.Whole)
		return weights
	case contract.ModelPositionBased:
		return positionBased(n)
	}
	return nil
}

func single(n, at int) []uint64 {
	weights := make([]uint64, n)
	weights[at] = money.Whole
	return weights
}

// positionBased gives 40 % each to the first and the last touch and shares 20 %
// among those between; without any between, the two ends share the whole.
func positionBased(n int) []uint64 {
	weights := make([]uint64, n)
	if n <= 2 {
		spread(weights, money.Whole)
		return weights
	}
	end := money.Whole / 10 * 4
	weights[0], weights[n-1] = end, end
	spread(weights[1:n-1], money.Whole-2*end)
	return weights
}

// spread shares the parts equally; what cannot be shared goes to the earlier.
func spread(weights []uint64, parts uint64) {
	n := uint64(len(weights))
	each, rest := parts/n, parts%n
	for i := range weights {
		weights[i] = each
		if uint64(i) < rest {
			weights[i]++
		}
	}
}
