package attribution

import "math/bits"

// ConfidenceWhole is a confidence of one, in the parts that it is a whole number of.
const ConfidenceWhole = 1_000_000

// Confidence says how sure a conversion is, in parts of ConfidenceWhole. Overall is
// the mean of the others; docs/confidence.md defines them.
type Confidence struct {
	Identity, Taxonomy, Currency, Agreement, Spread int
	Overall                                         int
}

// Of is what of an amount is certain: the amount times Overall, rounded toward zero.
func (c Confidence) Of(minor int64) int64 {
	high, low := bits.Mul64(magnitude(minor), uint64(c.Overall))
	part, _ := bits.Div64(high, low, ConfidenceWhole)
	if minor < 0 {
		return -int64(part)
	}
	return int64(part)
}

func magnitude(minor int64) uint64 {
	if minor < 0 {
		return -uint64(minor)
	}
	return uint64(minor)
}
