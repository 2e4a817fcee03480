package report

import (
	"cmp"
	"math/big"
	"slices"
)

// A chance is the probability of something at least as far from what is expected,
// in either direction, where there is nothing to find: one number of 0 to 1, in exact
// arithmetic or in fixed point, so that every machine finds the same.

// chanceBits are those of the fixed point that tails are computed in. Chances down to
// 10^-40 keep more than twenty digits in it; no insight asks for more.
const chanceBits = 256

func chanceOne() *big.Int { return new(big.Int).Lsh(big.NewInt(1), chanceBits) }

// Fisher is the two-sided chance of Fisher's exact test for a table of two rows: of
// one group as many were counted yes and no, of the rest restYes and restNo. It is the
// sum over all tables with the same margins that are no likelier than the one seen,
// as R's fisher.test has it, with its tolerance of 10^-7 for equally likely ones.
// Negative numbers are taken for zero.
//
// R. A. Fisher, Statistical Methods for Research Workers, 1934, section 21.02. The
// probabilities follow from the likeliest table by the ratios of neighbours, so that
// the time is of the order of the standard deviation and not of the numbers.
func Fisher(yes, no, restYes, restNo int64) *big.Rat {
	yes, no, restYes, restNo = max(yes, 0), max(no, 0), max(restYes, 0), max(restNo, 0)
	group, rest, all := yes+no, restYes+restNo, yes+restYes
	low, high := max(0, all-rest), min(group, all)
	// The mode of the hypergeometric distribution.
	mode := new(big.Int).Mul(big.NewInt(group+1), big.NewInt(all+1))
	mode.Quo(mode, big.NewInt(group+rest+2))
	middle := min(max(mode.Int64(), low), high)

	total := chanceOne()
	weights := map[int64]*big.Int{middle: chanceOne()}
	walk := func(from, to, by int64, ratio func(k int64) (up, down *big.Int)) {
		w := weights[from]
		for k := from; k != to; k += by {
			up, down := ratio(k)
			w = new(big.Int).Quo(up.Mul(up, w), down)
			if w.Sign() == 0 {
				return // and all beyond are smaller still
			}
			weights[k+by] = w
			total.Add(total, w)
		}
	}
	pair := func(a, b int64) *big.Int { return new(big.Int).Mul(big.NewInt(a), big.NewInt(b)) }
	walk(middle, high, 1, func(k int64) (up, down *big.Int) {
		return pair(group-k, all-k), pair(k+1, rest-all+k+1)
	})
	walk(middle, low, -1, func(k int64) (up, down *big.Int) {
		return pair(k, rest-all+k), pair(group-k+1, all-k+1)
	})
	seen := weights[yes]
	if seen == nil {
		return new(big.Rat).SetFrac(big.NewInt(1), total) // less than can be told
	}
	const tolerance = 10_000_000
	limit := new(big.Int).Quo(seen, big.NewInt(tolerance))
	limit.Add(limit, seen)
	sum := new(big.Int)
	for _, w := range weights {
		if w.Cmp(limit) <= 0 {
			sum.Add(sum, w)
		}
	}
	return new(big.Rat).SetFrac(sum, total)
}

// rankExactMax is up to how many values the distribution of a sum of ranks is counted
// out. The number of ways to choose among 60 fits 64 bits, and the normal curve is good
// for more.
const rankExactMax = 50

// rankedValues are values in their order, of which groups are held against the rest.
type rankedValues struct {
	// twice are the values' ranks, times two, so that the mean rank of equal values is
	// a whole number.
	twice []int64
	// tied is the sum of t^3 - t over the groups of t equal values.
	tied *big.Int
}

func rankValues(values []int64) *rankedValues {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	r := &rankedValues{twice: make([]int64, len(values)), tied: new(big.Int)}
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		for _, place := range order[from:to] {
			r.twice[place] = int64(from + 1 + to) // first rank + last rank
		}
		t := big.NewInt(int64(to - from))
		cube := new(big.Int).Exp(t, big.NewInt(3), nil)
		r.tied.Add(r.tied, cube.Sub(cube, t))
		from = to
	}
	return r
}

// chance is that of the group of the places.
func (r *rankedValues) chance(places []int) *big.Rat {
	sum := int64(0)
	for _, p := range places {
		sum += r.twice[p]
	}
	n, all := int64(len(places)), int64(len(r.twice))
	// The sum expected is n (all+1) / 2, twice of it n (all+1).
	apart := sum - n*(all+1)
	if n == 0 || n == all || apart == 0 {
		return big.NewRat(1, 1)
	}
	if all <= rankExactMax {
		return r.counted(int(n), max(apart, -apart))
	}
	return r.normal(n, max(apart, -apart))
}

// counted is the part of all groups of n whose sum is at least as far from the
// expected one, counted by the sums that the first values can have.
func (r *rankedValues) counted(n int, apart int64) *big.Rat {
	most := int64(0)
	for _, t := range r.twice {
		most += t
	}
	ways := make([][]uint64, n+1)
	for i := range ways {
		ways[i] = make([]uint64, most+1)
	}
	ways[0][0] = 1
	for _, t := range r.twice {
		for i := n; i > 0; i-- {
			for s := most; s >= t; s-- {
				ways[i][s] += ways[i-1][s-t]
			}
		}
	}
	middle := int64(n) * int64(len(r.twice)+1)
	far, total := uint64(0), uint64(0)
	for s, w := range ways[n] {
		total += w
		if off := int64(s) - middle; off >= apart || -off >= apart {
			far += w
		}
	}
	return new(big.Rat).SetFrac(new(big.Int).SetUint64(far), new(big.Int).SetUint64(total))
}

// normal is the tail of the normal curve with the variance for ties and half a rank
// off for continuity, as R's wilcox.test has it: E. L. Lehmann, Nonparametrics, 1975,
// section 1.4.
func (r *rankedValues) normal(n, apart int64) *big.Rat {
	all := int64(len(r.twice))
	rest := all - n
	// The variance of the sum is n rest / 12 (all + 1 - tied / (all (all-1))). Of twice
	// the sum it is four times as much, and the correction one.
	pairs := new(big.Int).Mul(big.NewInt(all), big.NewInt(all-1))
	variance := new(big.Int).Mul(pairs, big.NewInt(all+1))
	variance.Sub(variance, r.tied)
	variance.Mul(variance, new(big.Int).Mul(big.NewInt(n), big.NewInt(rest)))
	if variance.Sign() == 0 {
		return big.NewRat(1, 1)
	}
	off := big.NewInt(max(apart-1, 0))
	square := new(big.Rat).SetFrac(new(big.Int).Mul(new(big.Int).Mul(off, off), new(big.Int).Mul(pairs, big.NewInt(3))), variance)
	return tails(square)
}

// RankSum is the two-sided chance of the rank-sum test of Wilcoxon, Mann and Whitney
// that the values of a group tend to be larger or smaller than those of the rest as
// they do. Up to 50 values together it is counted over all groups of that size, equal
// values sharing their mean rank; with more it is that of the normal curve.
//
// H. B. Mann, D. R. Whitney, On a test of whether one of two random variables is
// stochastically larger than the other, Annals of Mathematical Statistics 18, 1947.
func RankSum(group, rest []int64) *big.Rat {
	places := make([]int, len(group))
	for i := range places {
		places[i] = i
	}
	return rankValues(append(slices.Clone(group), rest...)).chance(places)
}

// tailSquareMax is the square of the most standard deviations that a tail is computed
// for; its chance of 10^-33 stands for all smaller ones.
const tailSquareMax = 144

// tails is the chance that a standard normal variable is at least as far from zero as
// the root of square, from Φ(z) = 1/2 + φ(z) (z + z³/3 + z⁵/(3·5) + …): G. Marsaglia,
// Evaluating the normal distribution, Journal of Statistical Software 11(4), 2004.
func tails(square *big.Rat) *big.Rat {
	if square.Cmp(big.NewRat(tailSquareMax, 1)) > 0 {
		square = big.NewRat(tailSquareMax, 1)
	}
	one := chanceOne()
	z2 := new(big.Int).Lsh(square.Num(), chanceBits)
	z2.Quo(z2, square.Denom())
	z := new(big.Int).Sqrt(new(big.Int).Lsh(z2, chanceBits))
	sum, term := new(big.Int), new(big.Int).Set(z)
	for i := int64(3); term.Sign() > 0; i += 2 {
		sum.Add(sum, term)
		term = times(term, z2)
		term.Quo(term, big.NewInt(i))
	}
	inside := times(sum, normalDensity(z2))
	// Twice the half that is left beyond z; rounding never makes it less than nothing.
	beyond := one.Sub(one, inside.Lsh(inside, 1))
	if beyond.Sign() <= 0 {
		beyond = big.NewInt(1)
	}
	return new(big.Rat).SetFrac(beyond, chanceOne())
}

// times is a product in fixed point, cut.
func times(a, b *big.Int) *big.Int {
	p := new(big.Int).Mul(a, b)
	return p.Rsh(p, chanceBits)
}

// normalDensity is e^(-z²/2) / √2π of z² in fixed point. The power is that of a 2^10th
// part, by its series, squared ten times.
func normalDensity(z2 *big.Int) *big.Int {
	const halvings = 10
	x := new(big.Int).Rsh(z2, halvings+1)
	power, term := chanceOne(), chanceOne()
	for i := int64(1); term.Sign() != 0; i++ {
		term = times(term, x)
		term.Quo(term, big.NewInt(i))
		if i%2 == 1 {
			power.Sub(power, term)
		} else {
			power.Add(power, term)
		}
	}
	for range halvings {
		power = times(power, power)
	}
	return times(power, rootOfTwoPiInverse())
}

// rootOfTwoPiInverse is 1/√2π to 80 decimal places, which are more than 2^-256: OEIS
// A231863.
func rootOfTwoPiInverse() *big.Int {
	const digits = "39894228040143267793994605993438186847585863116493465766592582967065792589930183"
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		panic("1/√2π is not a number: " + digits)
	}
	n.Lsh(n, chanceBits)
	return n.Quo(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(len(digits))), nil))
}

// Holm turns the chances of all tests of one rule into those that any of them is so
// small where there is nothing to find in any: the smallest times the number of tests,
// the next one times one less, and so on, none below the one before it, at most one.
// The order of the list is kept, nothing in it is changed.
//
// S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian
// Journal of Statistics 6, 1979. It asks nothing of how the tests depend on each other.
func Holm(chances []*big.Rat) []*big.Rat {
	order := make([]int, len(chances))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return chances[a].Cmp(chances[b]) })
	adjusted := make([]*big.Rat, len(chances))
	least, one := new(big.Rat), big.NewRat(1, 1)
	for i, place := range order {
		p := new(big.Rat).Mul(chances[place], rat(len(chances)-i))
		if p.Cmp(least) < 0 {
			p = least
		}
		if p.Cmp(one) > 0 {
			p = one
		}
		adjusted[place], least = p, p
	}
	return adjusted
}

// insightLevel is the most that the chance of any finding of a rule may be, in a
// campaign in which there is nothing of what the rule looks for.
func insightLevel() *big.Rat { return big.NewRat(5, 100) }

// chancePlaces are the decimal places of a chance as text.
const chancePlaces = 6

// chanceText is a chance rounded up, so that none is told as smaller than it is.
func chanceText(p *big.Rat) string {
	n := new(big.Int).Mul(p.Num(), new(big.Int).Exp(big.NewInt(10), big.NewInt(chancePlaces), nil))
	n, rest := n.QuoRem(n, p.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		n.Add(n, big.NewInt(1))
	}
	return ValueOf(n.Int64(), chancePlaces).Text(0)
}
