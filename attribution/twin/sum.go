package twin

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"tracksource/money"
)

// sum is an amount in minor units and a number of conversions: whole ones, and
// parts of money.Whole below one.
type sum struct {
	minor int64
	whole int64
	parts uint64
}

type row struct {
	value string
	sum
}

// add counts more of a conversion. It refuses an amount that the sum cannot hold.
func (s *sum) add(minor int64, weight uint64) error {
	after := s.minor + minor
	if minor > 0 && after < s.minor || minor < 0 && after > s.minor {
		return &Fault{"value", "the sum of the values is beyond what can be counted"}
	}
	s.minor = after
	s.parts += weight
	if s.parts >= money.Whole {
		s.whole, s.parts = s.whole+1, s.parts-money.Whole
	}
	return nil
}

// sumOf takes the number of conversions as parts of money.Whole.
func sumOf(minor int64, parts *big.Int) sum {
	whole, rest := new(big.Int).DivMod(parts, new(big.Int).SetUint64(money.Whole), new(big.Int))
	return sum{minor: minor, whole: whole.Int64(), parts: rest.Uint64()}
}

// conversions shows the number with at most twelve decimals, half of the last
// rounded up, without zeros at the end.
func (s sum) conversions() string {
	const unit = money.Whole / 1_000_000_000_000
	whole, twelfth := s.whole, (s.parts+unit/2)/unit
	if twelfth == money.Whole/unit {
		whole, twelfth = whole+1, 0
	}
	text := strconv.FormatInt(whole, 10)
	if twelfth == 0 {
		return text
	}
	return text + "." + strings.TrimRight(fmt.Sprintf("%012d", twelfth), "0")
}

// weightText shows a weight as conversions are shown.
func weightText(weight uint64) string {
	return sum{whole: int64(weight / money.Whole), parts: weight % money.Whole}.conversions()
}
