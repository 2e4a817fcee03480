package model

import (
	"math/bits"
	"slices"
	"strings"
	"time"

	"tracksource/money"
)

// Weights returns the weight of each touch of a path, in parts of money.Whole:
// zero for those that exclusions and transforms take out. Under an additive
// model they sum to the whole exactly. It is nil if nobody gets credit: no touch
// remains, or none that remains weighs anything. Participation gives the whole
// to the first touch of each value of its key. A model of many journeys has no
// weights of one path and gives nil.
//
// How a weight is rounded: a model gives each remaining touch a score, a whole
// number that is not rounded (but for TimeDecay's, which defines its own). The
// weight is the score over the sum of the scores, in parts, rounded down; the
// parts that are left go, one each, to the touches whose weights lost most by
// that, of equals to the earlier.
//
// The scores, of n remaining touches:
//   - FirstTouch, LastTouch, LastNonDirect: 1 for one touch.
//   - Linear: 1 each.
//   - PositionBased, JShaped, InverseJ, Custom with shares F, M and L in
//     millionths: one touch 1; two F and L (VariantAmplitude: 2F+M and 2L+M), or
//     1 and 1 if these are zero; more F(n-2), M each, L(n-2).
//   - TimeDecay: 2^-x, in parts of 10^18, half a part rounded up, where x is the
//     time between the touch and the last remaining one over the half-life. That
//     is 2^(-dt/h) but for a factor that all touches share.
//   - UMilestones, WShaped, FullPath: with m milestones that have a touch, r
//     touches that share the rest, and the rest's share R in millionths: a touch
//     of k milestones k(1,000,000-R)r, one of the rest R·m. With r or R zero: k.
//   - Custom with Types: the weight of the touch's type, in millionths.
func Weights(s Spec, p Path) []uint64 {
	kept := s.Remaining(p)
	if len(kept) == 0 {
		return nil
	}
	weights := make([]uint64, len(p.Touches))
	if s.Model == Participation {
		seen := make(map[string]bool, len(kept))
		for _, place := range kept {
			if value := s.Key.Of(&p.Touches[place]); !seen[value] {
				seen[value], weights[place] = true, money.Whole
			}
		}
		return weights
	}
	parts := apportion(s.scores(p, kept))
	if parts == nil {
		return nil
	}
	for i, place := range kept {
		weights[place] = parts[i]
	}
	return weights
}

// scores returns what the remaining touches count against each other; nil for a
// model that has none.
func (s Spec) scores(p Path, kept []int) []uint64 {
	n := len(kept)
	scores := make([]uint64, n)
	switch s.Model {
	case FirstTouch:
		scores[0] = 1
	case LastTouch:
		scores[n-1] = 1
	case LastNonDirect:
		scores[s.lastNonDirect(p, kept)] = 1
	case Linear:
		for i := range scores {
			scores[i] = 1
		}
	case PositionBased, JShaped, InverseJ:
		s.ends(scores, s.shares())
	case TimeDecay:
		s.decay(scores, p, kept)
	case UMilestones:
		s.milestones(scores, p, kept, 0, p.Lead)
	case WShaped:
		s.milestones(scores, p, kept, WholeShare/10, p.Lead, p.Opportunity)
	case FullPath:
		s.milestones(scores, p, kept, WholeShare/10, p.Lead, p.Opportunity, p.Closed)
	case Custom:
		if s.Shares != nil {
			s.ends(scores, *s.Shares)
			return scores
		}
		for i, place := range kept {
			for _, t := range s.Types {
				if t.Type == p.Touches[place].Type {
					scores[i] = uint64(t.Weight)
				}
			}
		}
	default:
		return nil
	}
	return scores
}

// lastNonDirect returns the index of the last touch of another channel, or of
// the last touch if there is none. Case does not matter.
func (s Spec) lastNonDirect(p Path, kept []int) int {
	direct := s.Direct
	if direct == "" {
		direct = DefaultDirect
	}
	for i := len(kept) - 1; i >= 0; i-- {
		if !strings.EqualFold(p.Touches[kept[i]].Channel, direct) {
			return i
		}
	}
	return len(kept) - 1
}

// shares are those of the models by position.
func (s Spec) shares() Shares {
	switch {
	case s.Model == JShaped:
		return Shares{First: 200_000, Middle: 200_000, Last: 600_000}
	case s.Model == InverseJ:
		return Shares{First: 600_000, Middle: 200_000, Last: 200_000}
	case s.Shares != nil:
		return *s.Shares
	}
	return Shares{First: 400_000, Middle: 200_000, Last: 400_000}
}

// ends scores by position.
func (s Spec) ends(scores []uint64, h Shares) {
	n := len(scores)
	first, middle, last := uint64(h.First), uint64(h.Middle), uint64(h.Last)
	amplitude := s.Variant == VariantAmplitude
	switch {
	case n == 1:
		scores[0] = 1
	case n == 2:
		if amplitude {
			first, last = 2*first+middle, 2*last+middle
		}
		if first+last == 0 {
			first, last = 1, 1
		}
		scores[0], scores[1] = first, last
	case n == 4 && amplitude && s.Model == JShaped:
		copy(scores, []uint64{1, 1, 2, 6})
	case n == 4 && amplitude && s.Model == InverseJ:
		copy(scores, []uint64{6, 2, 1, 1})
	default:
		between := uint64(n - 2)
		for i := range scores {
			scores[i] = middle
		}
		scores[0], scores[n-1] = first*between, last*between
	}
}

func (s Spec) decay(scores []uint64, p Path, kept []int) {
	halfLife := s.HalfLife
	if halfLife == 0 {
		halfLife = DefaultHalfLife
	}
	newest := p.Touches[kept[len(kept)-1]].At
	for i, place := range kept {
		scores[i] = halved(newest.Sub(p.Touches[place].At), halfLife)
	}
}

// milestones scores the first touch and the last touch up to each instant, which
// share alike, and gives the rest to the others. An instant that is zero, or
// that no touch precedes, has no milestone, so that the others share its part.
func (s Spec) milestones(scores []uint64, p Path, kept []int, rest Share, instants ...time.Time) {
	count, last := uint64(1), 0
	scores[0] = 1
	for _, instant := range instants {
		if instant.IsZero() {
			continue
		}
		// The first touch that is later than the instant ends those up to it.
		end, _ := slices.BinarySearchFunc(kept, instant, func(place int, instant time.Time) int {
			if p.Touches[place].At.After(instant) {
				return 1
			}
			return -1
		})
		if end == 0 {
			continue
		}
		scores[end-1]++
		count++
		last = max(last, end-1)
	}
	end := len(scores)
	if s.Rest == RestBetween {
		end = last + 1
	}
	others := uint64(0)
	for _, score := range scores[:end] {
		if score == 0 {
			others++
		}
	}
	if others == 0 || rest == 0 {
		return
	}
	for i := range scores {
		switch {
		case scores[i] > 0:
			scores[i] *= uint64(WholeShare-rest) * others
		case i < end:
			scores[i] = uint64(rest) * count
		}
	}
}

// apportion turns scores into parts that sum to the whole, by largest remainder;
// nil if all are zero. A score is at most 2^64 over money.Whole times the whole,
// so that the product stays within 128 bits.
func apportion(scores []uint64) []uint64 {
	var sum wide
	for _, score := range scores {
		sum = sum.plus(score)
	}
	if sum == (wide{}) {
		return nil
	}
	parts := make([]uint64, len(scores))
	lost := make([]wide, len(scores))
	left := money.Whole
	for i, score := range scores {
		high, low := bits.Mul64(score, money.Whole)
		parts[i], lost[i] = wide{high, low}.divide(sum)
		left -= parts[i]
	}
	if left == 0 {
		return parts
	}
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return lost[b].compare(lost[a]) })
	for _, i := range order[:left] {
		parts[i]++
	}
	return parts
}
