package report

import (
	"math/big"
)

// countBits are those of means of counts in fixed point: parts below them change no
// chance.
const countBits = 16

// chanceOf is a chance in fixed point, at least one of its units: none is told as nothing.
func chanceOf(n *big.Int) *big.Rat {
	if n.Sign() == 0 {
		n = big.NewInt(1)
	}
	return new(big.Rat).SetFrac(n, chanceOne())
}

// halved is the chance of two to the minus n.
func halved(n *big.Int) *big.Rat {
	if !n.IsInt64() || n.Int64() > chanceBits {
		return chanceOf(new(big.Int))
	}
	return chanceOf(new(big.Int).Rsh(chanceOne(), uint(max(n.Int64(), 0))))
}

// binomialTail is the chance that a negative binomial count whose variance is twice its
// mean is at least, or at most, a number. The mean is in units of 2^-countBits. Its terms
// are (r)_k / k! / 2^(r+k) with r the mean; they are summed by the ratio of neighbours,
// (k+r) / 2(k+1), from the largest on in both directions until they are too small for the
// fixed point, and divided by their sum.
func binomialTail(mean, number *big.Int, atLeast bool) *big.Rat {
	mode := new(big.Int).Rsh(mean, countBits)
	if mode.Sign() > 0 {
		mode.Sub(mode, big.NewInt(1))
	}
	whole, part := new(big.Int), new(big.Int)
	add := func(k, term *big.Int) {
		whole.Add(whole, term)
		if c := k.Cmp(number); c == 0 || c > 0 == atLeast {
			part.Add(part, term)
		}
	}
	ratio := func(k *big.Int) (above, below *big.Int) { // of k+1 to k
		above = new(big.Int).Lsh(k, countBits)
		below = new(big.Int).Add(k, big.NewInt(1))
		return above.Add(above, mean), below.Lsh(below, countBits+1)
	}
	step := big.NewInt(1)
	for k, term := new(big.Int).Set(mode), chanceOne(); term.Sign() > 0; k.Add(k, step) {
		add(k, term)
		above, below := ratio(k)
		term.Quo(term.Mul(term, above), below)
	}
	k, term := new(big.Int).Set(mode), chanceOne()
	for k.Sign() > 0 && term.Sign() > 0 {
		k.Sub(k, step)
		above, below := ratio(k)
		if above.Sign() == 0 {
			break
		}
		term.Quo(term.Mul(term, below), above)
		add(k, term)
	}
	part.Lsh(part, chanceBits)
	return chanceOf(part.Quo(part, whole))
}

// atLeastOf is the chance of at least k of n, each with the chance p: the binomial
// distribution, summed as binomialTail does.
func atLeastOf(n, k int, p *big.Rat) *big.Rat {
	part := new(big.Int).Mul(chanceOne(), p.Num())
	part.Quo(part, p.Denom())
	rest := new(big.Int).Sub(chanceOne(), part)
	if rest.Sign() <= 0 || part.Sign() <= 0 {
		return rat(1)
	}
	mode := int(new(big.Int).Rsh(new(big.Int).Mul(part, big.NewInt(int64(n+1))), chanceBits).Int64())
	mode = min(mode, n)
	whole, tail := new(big.Int), new(big.Int)
	add := func(i int, term *big.Int) {
		if whole.Add(whole, term); i >= k {
			tail.Add(tail, term)
		}
	}
	for i, term := mode, chanceOne(); i <= n && term.Sign() > 0; i++ {
		add(i, term)
		term.Mul(term, new(big.Int).Mul(part, big.NewInt(int64(n-i))))
		term.Quo(term, new(big.Int).Mul(rest, big.NewInt(int64(i+1))))
	}
	for i, term := mode, chanceOne(); i > 0 && term.Sign() > 0; {
		term.Mul(term, new(big.Int).Mul(rest, big.NewInt(int64(i))))
		term.Quo(term, new(big.Int).Mul(part, big.NewInt(int64(n-i+1))))
		i--
		add(i, term)
	}
	return new(big.Rat).SetFrac(tail, whole)
}

// corrected are the chances of the tests of one rule with all that were tested taken
// together, of which there are as many more as tests says that show nothing.
func corrected(chances []*big.Rat, tests int) []*big.Rat {
	n := len(chances)
	for len(chances) < tests {
		chances = append(chances, rat(1))
	}
	return Holm(chances)[:n]
}
