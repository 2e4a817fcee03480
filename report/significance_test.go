package report_test

import (
	"fmt"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"tracksource/report"
)

// near reports whether a chance is what a book prints of it, to its last digit.
func near(p *big.Rat, printed string) bool {
	want, ok := new(big.Rat).SetString(printed)
	if !ok {
		panic("not a number: " + printed)
	}
	off := new(big.Rat).Sub(p, want)
	// Half of the last of four digits is at most a two-thousandth of the number.
	return off.Abs(off).Cmp(want.Mul(want, big.NewRat(1, 1000))) <= 0
}

// TestFisher holds the test against values that others print: the examples of R's
// fisher.test, those of the page Fisher's exact test of Wikipedia, and tables whose
// chance can be told by counting.
func TestFisher(t *testing.T) {
	for _, c := range []struct {
		name                     string
		yes, no, restYes, restNo int64
		want                     string
	}{
		{"R, TeaTasting", 3, 1, 1, 3, "0.485714"},
		{"R, Convictions", 2, 15, 10, 3, "0.0005367241"},
		{"Wikipedia, studying", 1, 11, 9, 3, "0.002759456"},
		{"all of three and none of three", 3, 0, 0, 3, "0.1"},
		{"nothing in it", 0, 0, 5, 7, "1"},
		{"nobody says yes", 0, 8, 0, 9, "1"},
		{"the mode", 5, 5, 5, 5, "1"},
		{"negative is none", -4, 8, 0, 9, "1"},
	} {
		if got := report.Fisher(c.yes, c.no, c.restYes, c.restNo); !near(got, c.want) {
			t.Errorf("%s: Fisher(%d, %d, %d, %d) = %s, want %s", c.name, c.yes, c.no, c.restYes, c.restNo, got.FloatString(12), c.want)
		}
	}
}

// counted is Fisher's chance by whole numbers: the number of ways to draw each table.
func counted(yes, no, restYes, restNo int64) *big.Rat {
	group, rest, all := yes+no, restYes+restNo, yes+restYes
	ways := func(k int64) *big.Int {
		return new(big.Int).Mul(new(big.Int).Binomial(group, k), new(big.Int).Binomial(rest, all-k))
	}
	far, total := new(big.Int), new(big.Int)
	for k := max(0, all-rest); k <= min(group, all); k++ {
		total.Add(total, ways(k))
		if ways(k).Cmp(ways(yes)) <= 0 {
			far.Add(far, ways(k))
		}
	}
	return new(big.Rat).SetFrac(far, total)
}

// TestFisherCounted: in fixed point it is what counting all tables gives, to twelve
// digits, and who is called the group or what is called yes does not matter.
func TestFisherCounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := func(name string) int64 { return rapid.Int64Range(0, 60).Draw(t, name) }
		a, b, c, d := n("yes"), n("no"), n("rest yes"), n("rest no")
		want := counted(a, b, c, d)
		for _, got := range []*big.Rat{report.Fisher(a, b, c, d), report.Fisher(c, d, a, b), report.Fisher(b, a, d, c), report.Fisher(a, c, b, d)} {
			off := new(big.Rat).Sub(got, want)
			if off.Abs(off).Cmp(new(big.Rat).Mul(want, big.NewRat(1, 1_000_000_000_000))) > 0 {
				t.Fatalf("Fisher(%d, %d, %d, %d) = %s, counted %s", a, b, c, d, got.FloatString(18), want.FloatString(18))
			}
		}
	})
}

// TestFisherFar: of what is out of reach of the fixed point there is a chance yet, a
// small one.
func TestFisherFar(t *testing.T) {
	p := report.Fisher(50_000, 0, 0, 50_000)
	if p.Sign() <= 0 || p.Cmp(big.NewRat(1, 1_000_000_000_000_000_000)) > 0 {
		t.Errorf("chance %s", p.FloatString(80))
	}
}

// TestRankSum holds the test against values that R's pages print: wilcox.test of the
// permeability of membranes (W = 35, one-sided 0.1272, without ties the two-sided is
// twice that) and of the ozone of May and August in airquality (W = 127.5, 0.0001208).
func TestRankSum(t *testing.T) {
	term := []int64{80, 83, 189, 104, 145, 138, 191, 164, 73, 146}
	weeks := []int64{115, 88, 90, 74, 121}
	may := []int64{41, 36, 12, 18, 28, 23, 19, 8, 7, 16, 11, 14, 18, 14, 34, 6, 30, 11, 1, 11, 4, 32, 23, 45, 115, 37}
	august := []int64{39, 9, 16, 78, 35, 66, 122, 89, 110, 44, 28, 65, 22, 59, 23, 31, 44, 21, 9, 45, 168, 73, 76, 118, 84, 85}
	for _, c := range []struct {
		name        string
		group, rest []int64
		want        string
	}{
		{"R, placenta", term, weeks, "0.254412"},
		{"R, airquality", may, august, "0.0001208"},
		{"one of four apart", []int64{9}, []int64{1, 2, 3}, "0.5"},
		{"two and two", []int64{1, 2}, []int64{3, 4}, "0.333333333"},
		{"nothing but ties", []int64{5, 5}, []int64{5, 5, 5}, "1"},
		{"many, nothing but ties", slices.Repeat([]int64{5}, 40), slices.Repeat([]int64{5}, 40), "1"},
		{"nobody", nil, []int64{1, 2}, "1"},
	} {
		if got := report.RankSum(c.group, c.rest); !near(got, c.want) {
			t.Errorf("%s: %s, want %s", c.name, got.FloatString(12), c.want)
		}
	}
}

// TestRankSumCounted: with ties it is the part of all ways to choose the group whose
// sum of ranks is as far off, counted one by one; the order of values, which side is the
// group, and a larger unit do not matter.
func TestRankSumCounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 6), 2, 10).Draw(t, "values")
		n := rapid.IntRange(1, len(values)-1).Draw(t, "group")
		rank := func(v int64) int { // twice the mean rank
			below, same := 0, 0
			for _, w := range values {
				if w < v {
					below++
				} else if w == v {
					same++
				}
			}
			return 2*below + same + 1
		}
		seen, far, total := 0, 0, 0
		for _, v := range values[:n] {
			seen += rank(v)
		}
		middle := n * (len(values) + 1)
		for set := range 1 << len(values) {
			size, sum := 0, 0
			for i, v := range values {
				if set&(1<<i) != 0 {
					size, sum = size+1, sum+rank(v)
				}
			}
			if size == n {
				total++
				if max(sum-middle, middle-sum) >= max(seen-middle, middle-seen) {
					far++
				}
			}
		}
		want := big.NewRat(int64(far), int64(total))
		scaled := make([]int64, len(values))
		for i, v := range values {
			scaled[i] = 1000*v + 7
		}
		for _, got := range []*big.Rat{report.RankSum(values[:n], values[n:]), report.RankSum(values[n:], values[:n]), report.RankSum(scaled[:n], scaled[n:])} {
			if got.Cmp(want) != 0 {
				t.Fatalf("RankSum(%v, %v) = %s, counted %s", values[:n], values[n:], got, want)
			}
		}
	})
}

// TestRankSumNormal: with more values than are counted out the normal curve errs to the
// cautious side of counting: far out it has more, by less than half down to one in a
// thousand, and nowhere less by more than a fiftieth.
func TestRankSumNormal(t *testing.T) {
	const n = 26
	// ways[k][s] is how many groups of k of the ranks 1 to 2n have the sum s.
	ways := make([]map[int]int64, n+1)
	for k := range ways {
		ways[k] = map[int]int64{}
	}
	ways[0][0] = 1
	for rank := 1; rank <= 2*n; rank++ {
		for k := n; k > 0; k-- {
			for sum, w := range ways[k-1] {
				ways[k][sum+rank] += w
			}
		}
	}
	const middle = n * (2*n + 1) / 2
	total := new(big.Int).Binomial(2*n, n).Int64()
	for above := range n { // how many of the group are above all others
		var group, rest []int64
		sum := 0
		for rank := 1; rank <= 2*n; rank++ {
			if (rank%2 == 0 && rank <= 2*(n-above)) || rank > 2*n-above {
				group, sum = append(group, int64(rank)), sum+rank
			} else {
				rest = append(rest, int64(rank))
			}
		}
		far := int64(0)
		for s, w := range ways[n] {
			if max(s-middle, middle-s) >= max(sum-middle, middle-sum) {
				far += w
			}
		}
		want, got := big.NewRat(far, total), report.RankSum(group, rest)
		ratio := new(big.Rat).Quo(got, want)
		if ratio.Cmp(big.NewRat(98, 100)) < 0 || want.Cmp(big.NewRat(1, 1000)) > 0 && ratio.Cmp(big.NewRat(3, 2)) > 0 {
			t.Errorf("%d above all: %s, counted %s", above, got.FloatString(7), want.FloatString(7))
		}
	}
}

// TestHolm: the example of Holm's procedure that Wikipedia has, what is capped, what is
// kept in order, and that nothing given is changed.
func TestHolm(t *testing.T) {
	chances := []*big.Rat{big.NewRat(1, 100), big.NewRat(4, 100), big.NewRat(3, 100), big.NewRat(5, 1000), big.NewRat(9, 10)}
	got := report.Holm(chances)
	want := []string{"1/25", "9/100", "9/100", "1/40", "9/10"}
	for i := range got {
		if got[i].String() != want[i] {
			t.Errorf("of %s: %s, want %s", chances[i], got[i], want[i])
		}
	}
	if fmt.Sprint(chances[0], chances[3]) != "1/100 1/200" {
		t.Errorf("what was given is now %v", chances)
	}
	if len(report.Holm(nil)) != 0 {
		t.Error("of no tests there are chances")
	}
	rapid.Check(t, func(t *rapid.T) {
		var list []*big.Rat
		for _, n := range rapid.SliceOf(rapid.Int64Range(0, 1000)).Draw(t, "chances") {
			list = append(list, big.NewRat(n, 1000))
		}
		for i, p := range report.Holm(list) {
			most := new(big.Rat).Mul(list[i], big.NewRat(int64(len(list)), 1))
			if p.Cmp(list[i]) < 0 || p.Cmp(big.NewRat(1, 1)) > 0 || p.Cmp(most) > 0 && most.Cmp(big.NewRat(1, 1)) < 0 {
				t.Fatalf("%s of %v is %s", list[i], list, p)
			}
		}
	})
}

func BenchmarkFisher(b *testing.B) {
	for b.Loop() {
		report.Fisher(12_000, 38_000, 13_000, 37_000)
	}
}

func BenchmarkRankSum(b *testing.B) {
	values := make([]int64, 100_000)
	for i := range values {
		values[i] = int64(i*7919) % 30_011
	}
	for b.Loop() {
		report.RankSum(values[:40_000], values[40_000:])
	}
}
