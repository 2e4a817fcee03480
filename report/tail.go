package report

import (
	"math/big"
)

// Probabilities far out in the tails of distributions, in fixed point: every machine has
// the same ones, and none is so small that it is lost in the sum of the others.

// The bits of fixed point numbers.
const (
	tailBits  = 192 // of probabilities: a chance below 2^-192 is no chance
	countBits = 16  // of means of counts, whose parts below that change no chance
)

// tail is a probability in 2^-tailBits.
type tail struct{ n *big.Int }

func (t tail) int() *big.Int {
	if t.n == nil {
		return new(big.Int)
	}
	return t.n
}

func (t tail) cmp(u tail) int { return t.int().Cmp(u.int()) }

// below reports whether it is less than one of so many.
func (t tail) below(of int64) bool {
	return new(big.Int).Mul(t.int(), big.NewInt(of)).BitLen() <= tailBits
}

// times is n times the chance, one at most.
func (t tail) times(n int) tail {
	v := new(big.Int).Mul(t.int(), big.NewInt(int64(n)))
	if one := new(big.Int).Lsh(big.NewInt(1), tailBits); v.Cmp(one) > 0 {
		return tail{one}
	}
	return tail{v}
}

// text is the chance with nine places, rounded up: a chance is never told as none.
func (t tail) text() string {
	n := new(big.Int).Mul(t.int(), big.NewInt(1_000_000_000))
	up := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), tailBits), big.NewInt(1))
	n.Rsh(n.Add(n, up), tailBits)
	if n.Sign() == 0 {
		n.SetInt64(1)
	}
	return Value{n}.Text(0)
}

// halved is two to the minus n.
func halved(n *big.Int) tail {
	if !n.IsInt64() || n.Int64() > tailBits {
		return tail{}
	}
	return tail{new(big.Int).Lsh(big.NewInt(1), tailBits-uint(max(n.Int64(), 0)))}
}

// binomialTail is the chance that a negative binomial count whose variance is twice its
// mean is at least, or at most, a number. The mean is in units of 2^-countBits. Its terms
// are (r)_k / k! / 2^(r+k) with r the mean; they are summed by the ratio of neighbours,
// (k+r) / 2(k+1), from the largest on in both directions until they are too small for the
// fixed point, and divided by their sum.
func binomialTail(mean, number *big.Int, atLeast bool) tail {
	mode := new(big.Int).Rsh(mean, countBits)
	if mode.Sign() > 0 {
		mode.Sub(mode, big.NewInt(1))
	}
	one := new(big.Int).Lsh(big.NewInt(1), 2*tailBits) // the largest term, as a start
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
	for k, term := new(big.Int).Set(mode), new(big.Int).Set(one); term.Sign() > 0; k.Add(k, step) {
		add(k, term)
		above, below := ratio(k)
		term.Quo(term.Mul(term, above), below)
	}
	k, term := new(big.Int).Set(mode), new(big.Int).Set(one)
	for k.Sign() > 0 && term.Sign() > 0 {
		k.Sub(k, step)
		above, below := ratio(k)
		if above.Sign() == 0 {
			break
		}
		term.Quo(term.Mul(term, below), above)
		add(k, term)
	}
	part.Lsh(part, tailBits)
	return tail{part.Quo(part, whole)}
}

// familyChance is how likely a campaign in which nothing happened has a finding of a rule,
// at most: one of so many.
const familyChance = 20

// stepDown corrects the chances of the tests of one family, the smallest first, of which
// there are as many more as tests says that are no smaller, and returns those that are
// found: Holm, A simple sequentially rejective multiple test procedure, Scandinavian
// Journal of Statistics 6 (1979).
func stepDown(chances []tail, tests int) []tail {
	var out []tail
	for i, c := range chances {
		adjusted := c.times(tests - i)
		if i > 0 && adjusted.cmp(out[i-1]) < 0 {
			adjusted = out[i-1]
		}
		if !adjusted.below(familyChance) {
			break
		}
		out = append(out, adjusted)
	}
	return out
}
