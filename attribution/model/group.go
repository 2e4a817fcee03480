package model

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"tracksource/money"
)

// PlayersMax bounds the values that a Chain looks at. Its shares are exact, which
// costs the cube of their number in integers that grow with it: a hundred take
// seconds, a thousand would take hours.
const PlayersMax = 100

// Part is what one value of a key gets.
type Part struct {
	Value string
	// Amount is a whole number of the unit that the method names.
	Amount *big.Int
}

// Chain is a Markov chain of order one over the steps of many journeys: from the
// start over values of a key to a conversion or to nothing. How often one step
// followed another is all that it keeps, so that its size does not grow with the
// journeys. The zero Chain is empty. It is not safe for concurrent use.
//
// The removal effect of a value is the part of the probability of a conversion
// that is lost if every step into the value leads to nothing instead (Anderl,
// Becker, von Wangenheim and Schumann, Mapping the customer journey, 2016; R package
// ChannelAttribution with order 1). It is computed and not simulated.
type Chain struct {
	players map[string]int
	names   []string
	// follow counts steps from one player to another, first and converted those
	// from the start and to a conversion, all those from a player.
	follow                map[[2]int]int64
	first, converted, all []int64
}

// Add counts one journey of these steps, which are not kept. A journey without
// steps says nothing of any value and is left out. The error says that there are
// more values than PlayersMax.
func (c *Chain) Add(steps []string, converted bool) error {
	if c.players == nil {
		c.players, c.follow = make(map[string]int), make(map[[2]int]int64)
	}
	before := -1
	for _, step := range steps {
		player, known := c.players[step]
		if !known {
			if len(c.names) == PlayersMax {
				return fmt.Errorf("markov looks at no more than %d values and there are more; leave it out, or choose a key with fewer", PlayersMax)
			}
			player = len(c.names)
			c.players[step] = player
			c.names = append(c.names, step)
			c.first, c.converted, c.all = append(c.first, 0), append(c.converted, 0), append(c.all, 0)
		}
		if before < 0 {
			c.first[player]++
		} else {
			c.follow[[2]int{before, player}]++
		}
		c.all[player]++
		before = player
	}
	if before >= 0 && converted {
		c.converted[before]++
	}
	return nil
}

// Shares returns the removal effect of each value over the sum of all, in parts
// of money.Whole that sum to it, ordered by value: rounded down, then by largest
// remainder, of equals to the first in order. It is nil if nothing converted.
func (c *Chain) Shares() []Part {
	order := make([]int, len(c.names))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(c.names[a], c.names[b]) })
	effects := c.effects(order)
	sum := new(big.Int)
	for _, e := range effects {
		sum.Add(sum, e)
	}
	if sum.Sign() == 0 {
		return nil
	}
	whole := new(big.Int).SetUint64(money.Whole)
	for _, e := range effects {
		e.Mul(e, whole)
	}
	parts := make([]Part, len(order))
	for i, amount := range integers(effects, sum) {
		parts[i] = Part{Value: c.names[order[i]], Amount: amount}
	}
	return parts
}

// effects returns the removal effects up to a factor that all share. Let A be the
// matrix of steps that leave each value less those that lead from it to another,
// s the steps from the start and r those to a conversion. Then by the theory of
// absorbing chains (Kemeny and Snell, Finite Markov Chains, ch. 3) the probability
// of coming to value c at all is proportional to (s adj A)_c / (adj A)_cc, that of
// a conversion from there to (adj A r)_c, and what is lost without c is their
// product. They are brought to one denominator, which is left out: to shorten
// fractions of so many digits would cost more than all the rest.
func (c *Chain) effects(order []int) []*big.Int {
	n := len(order)
	adjugate := c.adjugate(order)
	effects := make([]*big.Int, n)
	denominator := big.NewInt(1)
	for i := range adjugate {
		denominator.Mul(denominator, adjugate[i][i])
	}
	for i := range effects {
		reach, convert := new(big.Int), new(big.Int)
		for j := range effects {
			reach.Add(reach, new(big.Int).Mul(big.NewInt(c.first[order[j]]), adjugate[j][i]))
			convert.Add(convert, new(big.Int).Mul(adjugate[i][j], big.NewInt(c.converted[order[j]])))
		}
		effects[i] = new(big.Int).Quo(denominator, adjugate[i][i])
		effects[i].Mul(effects[i], reach.Mul(reach, convert))
	}
	return effects
}

// adjugate eliminates without fractions (Bareiss, Sylvester's identity and
// multistep integer-preserving Gaussian elimination, 1968), in which every
// division is exact. Every journey ends, so A is a regular M-matrix: its leading
// minors are positive and no pivot is zero.
func (c *Chain) adjugate(order []int) [][]*big.Int {
	n := len(order)
	rows := make([][]*big.Int, n)
	for i := range rows {
		rows[i] = make([]*big.Int, 2*n)
		for j := range n {
			rows[i][j] = big.NewInt(-c.follow[[2]int{order[i], order[j]}])
			rows[i][n+j] = new(big.Int)
		}
		rows[i][i].Add(rows[i][i], big.NewInt(c.all[order[i]]))
	}
	before := big.NewInt(1)
	product := new(big.Int)
	for k := range n {
		pivot := rows[k][k]
		// The one of the unit matrix, as the steps so far have scaled it.
		rows[k][n+k].Set(before)
		for i := range n {
			if i == k {
				continue
			}
			factor := rows[i][k]
			// Columns up to k are done with, and those over n+k are still zero.
			for j := k + 1; j < n+k+1; j++ {
				entry := rows[i][j]
				entry.Mul(pivot, entry)
				entry.Sub(entry, product.Mul(factor, rows[k][j]))
				entry.Quo(entry, before)
			}
		}
		before = pivot
	}
	adjugate := make([][]*big.Int, n)
	for i := range rows {
		adjugate[i] = rows[i][n:]
	}
	return adjugate
}

// Coalitions is the game in which a set of values is worth what came by journeys
// of no other values, and each value gets its Shapley value. Since such a game is
// the sum of one for each set seen, in which only the whole set earns, the Shapley
// value is the sum of equal parts of what each set earned (Shapley, A value for
// n-person games, 1953; Zhao, Mahboobi and Bagheri, Shapley value methods for
// attribution modeling in online advertising, arXiv:1804.05327). So it is exact at
// any number of values, sums to what was earned and is never negative where
// nothing earned is. The reading that takes a set to be worth what its own
// journeys earned, and not those of its subsets, gives negative credit and is not
// taken.
//
// The zero Coalitions is empty. It is not safe for concurrent use.
type Coalitions struct {
	// earned is what sets of each size earned, by member.
	earned map[string]map[int]*big.Int
}

// Add counts what one journey earned with these values, in any order and repeated
// or not. A journey without values is left out.
func (c *Coalitions) Add(values []string, amount int64) {
	if c.earned == nil {
		c.earned = make(map[string]map[int]*big.Int)
	}
	distinct := slices.Compact(slices.Sorted(slices.Values(values)))
	if len(distinct) == 0 {
		return
	}
	n := big.NewInt(amount)
	for _, v := range distinct {
		if c.earned[v] == nil {
			c.earned[v] = make(map[int]*big.Int)
		}
		if c.earned[v][len(distinct)] == nil {
			c.earned[v][len(distinct)] = new(big.Int)
		}
		sum := c.earned[v][len(distinct)]
		sum.Add(sum, n)
	}
}

// Split returns the Shapley value of each value in units of 1/scale of what was
// added, ordered by value. The amounts sum to the total exactly: each is rounded
// down, then by largest remainder, of equals to the first in order.
func (c *Coalitions) Split(scale uint64) []Part {
	if len(c.earned) == 0 {
		return nil
	}
	unit := new(big.Int).SetUint64(scale)
	parts := make([]Part, 0, len(c.earned))
	for v := range c.earned {
		parts = append(parts, Part{Value: v})
	}
	slices.SortFunc(parts, func(a, b Part) int { return strings.Compare(a.Value, b.Value) })
	// The sizes' least common multiple makes whole numbers of all parts.
	common := big.NewInt(1)
	for _, sums := range c.earned {
		for size := range sums {
			n := big.NewInt(int64(size))
			common.Mul(common, n.Quo(n, new(big.Int).GCD(nil, nil, common, n)))
		}
	}
	scaled := make([]*big.Int, len(parts))
	for i := range parts {
		scaled[i] = new(big.Int)
		for size, sum := range c.earned[parts[i].Value] {
			part := new(big.Int).Quo(common, big.NewInt(int64(size)))
			scaled[i].Add(scaled[i], part.Mul(part, sum))
		}
		scaled[i].Mul(scaled[i], unit)
	}
	for i, amount := range integers(scaled, common) {
		parts[i].Amount = amount
	}
	return parts
}

// integers divides numbers by one over zero, which divides their sum. Each
// quotient is rounded down, and what is left goes, one each, to those that lost
// most, of equals to the earlier.
func integers(numbers []*big.Int, by *big.Int) []*big.Int {
	list, lost, order := make([]*big.Int, len(numbers)), make([]*big.Int, len(numbers)), make([]int, len(numbers))
	left := new(big.Int)
	for i, n := range numbers {
		order[i] = i
		// DivMod leaves a remainder that is not negative, so the quotient is below.
		list[i], lost[i] = new(big.Int).DivMod(n, by, new(big.Int))
		left.Add(left, lost[i])
	}
	left.Quo(left, by)
	slices.SortStableFunc(order, func(a, b int) int { return lost[b].Cmp(lost[a]) })
	one := big.NewInt(1)
	for _, i := range order[:left.Int64()] {
		list[i].Add(list[i], one)
	}
	return list
}
