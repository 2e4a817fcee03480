package model_test

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tracksource/attribution/model"
	"tracksource/money"
)

// walk is one journey: steps, and whether it converted.
type walk struct {
	steps     []string
	converted bool
}

func drawWalks(t *rapid.T) []walk {
	var walks []walk
	for range rapid.IntRange(1, 12).Draw(t, "journeys") {
		walks = append(walks, walk{
			steps:     rapid.SliceOfN(rapid.SampledFrom([]string{"A", "B", "C", "D"}), 0, 6).Draw(t, "steps"),
			converted: rapid.Bool().Draw(t, "converted"),
		})
	}
	return walks
}

// conversionRate is the probability that a walk from the start converts, if every
// step into removed leads to nothing. It solves the equations of the chain for
// every state by elimination in fractions.
func conversionRate(walks []walk, removed string) *big.Rat {
	counts := map[string]map[string]int64{}
	count := func(from, to string) {
		if counts[from] == nil {
			counts[from] = map[string]int64{}
		}
		counts[from][to]++
	}
	for _, w := range walks {
		if len(w.steps) == 0 {
			continue
		}
		at := "(start)"
		for _, step := range w.steps {
			count(at, step)
			at = step
		}
		end := "(null)"
		if w.converted {
			end = "(conversion)"
		}
		count(at, end)
	}
	states := slices.Sorted(maps.Keys(counts))
	place := map[string]int{}
	for i, s := range states {
		place[s] = i
	}
	// Row i: p_i - sum over j of P(i to j) p_j = P(i to conversion).
	n := len(states)
	rows := make([][]*big.Rat, n)
	for i, from := range states {
		rows[i] = make([]*big.Rat, n+1)
		for j := range rows[i] {
			rows[i][j] = new(big.Rat)
		}
		rows[i][i].SetInt64(1)
		var all int64
		for _, times := range counts[from] {
			all += times
		}
		for to, times := range counts[from] {
			p := big.NewRat(times, all)
			switch {
			case to == "(conversion)":
				rows[i][n].Add(rows[i][n], p)
			case to != "(null)" && to != removed:
				rows[i][place[to]].Sub(rows[i][place[to]], p)
			}
		}
	}
	for k := range n {
		for i := range n {
			if i == k {
				continue
			}
			f := new(big.Rat).Quo(rows[i][k], rows[k][k])
			for j := range rows[i] {
				rows[i][j].Sub(rows[i][j], new(big.Rat).Mul(f, rows[k][j]))
			}
		}
	}
	start, found := place["(start)"]
	if !found {
		return new(big.Rat)
	}
	return rows[start][n].Quo(rows[start][n], rows[start][start])
}

// apportioned rounds exact shares of the whole, with nothing of the package.
func apportioned(exact []*big.Rat, whole uint64) []string {
	floors, left := make([]*big.Int, len(exact)), new(big.Int).SetUint64(whole)
	for i, e := range exact {
		e.Mul(e, new(big.Rat).SetInt(new(big.Int).SetUint64(whole)))
		floors[i] = new(big.Int).Quo(e.Num(), e.Denom())
		left.Sub(left, floors[i])
		e.Sub(e, new(big.Rat).SetInt(floors[i]))
	}
	for ; left.Sign() > 0; left.Sub(left, big.NewInt(1)) {
		most := 0
		for i := range exact {
			if exact[i].Cmp(exact[most]) > 0 {
				most = i
			}
		}
		floors[most].Add(floors[most], big.NewInt(1))
		exact[most].SetInt64(-1)
	}
	var texts []string
	for _, f := range floors {
		texts = append(texts, f.String())
	}
	return texts
}

func shown(parts []model.Part) (values, amounts []string) {
	for _, p := range parts {
		values, amounts = append(values, p.Value), append(amounts, p.Amount.String())
	}
	return values, amounts
}

// TestMarkovExhaustively: the shares are those of chains solved once for each
// value that is taken away, in any order of journeys.
func TestMarkovExhaustively(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		walks := drawWalks(t)
		var chain model.Chain
		for _, w := range rapid.Permutation(walks).Draw(t, "order") {
			if err := chain.Add(w.steps, w.converted); err != nil {
				t.Fatal(err)
			}
		}
		seen := map[string]bool{}
		for _, w := range walks {
			for _, s := range w.steps {
				seen[s] = true
			}
		}
		rate := conversionRate(walks, "")
		values, amounts := shown(chain.Shares())
		if rate.Sign() == 0 {
			if values != nil {
				t.Fatalf("nothing converts and %v get %v", values, amounts)
			}
			return
		}
		names := slices.Sorted(maps.Keys(seen))
		effects, sum := make([]*big.Rat, len(names)), new(big.Rat)
		for i, name := range names {
			effects[i] = new(big.Rat).Sub(big.NewRat(1, 1), new(big.Rat).Quo(conversionRate(walks, name), rate))
			sum.Add(sum, effects[i])
		}
		for _, e := range effects {
			e.Quo(e, sum)
		}
		if want := apportioned(effects, money.Whole); !slices.Equal(values, names) || !slices.Equal(amounts, want) {
			t.Fatalf("%v: %v get %v, want %v", walks, values, amounts, want)
		}
	})
}

// TestMarkovByHand is the example of three paths that ChannelAttribution's authors
// and many after them compute: C1 C2 C3 converts, C1 does not, C2 C3 does not.
func TestMarkovByHand(t *testing.T) {
	var chain model.Chain
	for _, w := range []walk{{[]string{"C1", "C2", "C3"}, true}, {[]string{"C1"}, false}, {[]string{"C2", "C3"}, false}} {
		if err := chain.Add(w.steps, w.converted); err != nil {
			t.Fatal(err)
		}
	}
	// P(conversion) is 1/3: start to C1 2/3, C1 to C2 1/2; start to C2 1/3; C3 to
	// conversion 1/2. Without C1: 1/3 x 1/2 = 1/6, so its effect is 1/2; without C2 or
	// C3 nothing converts.
	_, amounts := shown(chain.Shares())
	if got := strings.Join(amounts, " "); got != "200000000000000000 400000000000000000 400000000000000000" {
		t.Errorf("shares %s", got)
	}
}

func TestMarkovIsBounded(t *testing.T) {
	var chain model.Chain
	for i := range model.PlayersMax {
		if err := chain.Add([]string{fmt.Sprint(i)}, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := chain.Add([]string{"one too many"}, true); err == nil {
		t.Error("there is no bound")
	}
}

// TestShapleyExhaustively: each value gets its mean marginal part over all orders in
// which the values could come, of a game in which a set is worth what the journeys
// of no other values earned.
func TestShapleyExhaustively(t *testing.T) {
	players := []string{"A", "B", "C", "D"}
	orders := permutations(players)
	rapid.Check(t, func(t *rapid.T) {
		walks := drawWalks(t)
		scale := rapid.SampledFrom([]uint64{1, money.Whole}).Draw(t, "scale")
		var game model.Coalitions
		amounts := make([]int64, len(walks))
		total, least := big.NewInt(0), int64(-50)
		if rapid.Bool().Draw(t, "nothing is taken back") {
			least = 0
		}
		for i, w := range walks {
			amounts[i] = rapid.Int64Range(least, 1_000).Draw(t, "amount")
			game.Add(w.steps, amounts[i])
			if len(w.steps) > 0 {
				total.Add(total, big.NewInt(amounts[i]))
			}
		}
		worth := func(members []string) *big.Rat {
			sum := new(big.Rat)
			for i, w := range walks {
				if len(w.steps) > 0 && !slices.ContainsFunc(w.steps, func(s string) bool { return !slices.Contains(members, s) }) {
					sum.Add(sum, big.NewRat(amounts[i], 1))
				}
			}
			return sum
		}
		mean := map[string]*big.Rat{}
		for _, p := range players {
			mean[p] = new(big.Rat)
		}
		for _, order := range orders {
			for i, p := range order {
				mean[p].Add(mean[p], new(big.Rat).Sub(worth(order[:i+1]), worth(order[:i])))
			}
		}
		sum := new(big.Int)
		for _, part := range game.Split(scale) {
			exact := mean[part.Value].Quo(mean[part.Value], big.NewRat(int64(len(orders)), 1))
			exact.Mul(exact, new(big.Rat).SetInt(new(big.Int).SetUint64(scale)))
			off := new(big.Rat).Sub(exact, new(big.Rat).SetInt(part.Amount))
			if off.Cmp(big.NewRat(1, 1)) >= 0 || off.Cmp(big.NewRat(-1, 1)) <= 0 {
				t.Fatalf("%s gets %v, exactly %v", part.Value, part.Amount, exact)
			}
			if least == 0 && part.Amount.Sign() < 0 {
				t.Fatalf("%s gets %v", part.Value, part.Amount)
			}
			sum.Add(sum, part.Amount)
		}
		if want := total.Mul(total, new(big.Int).SetUint64(scale)); sum.Cmp(want) != 0 {
			t.Fatalf("the parts sum to %v, want %v", sum, want)
		}
	})
}

func permutations(list []string) (all [][]string) {
	if len(list) == 0 {
		return [][]string{{}}
	}
	for i, first := range list {
		rest := slices.Concat(list[:i], list[i+1:])
		for _, p := range permutations(rest) {
			all = append(all, append([]string{first}, p...))
		}
	}
	return all
}

func BenchmarkMarkov(b *testing.B) {
	for _, players := range []int{10, 30, model.PlayersMax} {
		b.Run(fmt.Sprint(players), func(b *testing.B) {
			var chain model.Chain
			for i := range 20_000 {
				var steps []string
				for s := range 1 + i%7 {
					steps = append(steps, fmt.Sprint((i*31+s*s*17)%players))
				}
				if err := chain.Add(steps, i%3 == 0); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				chain.Shares()
			}
		})
	}
}
