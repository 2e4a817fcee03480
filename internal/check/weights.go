package check

import (
	"math/big"
	"strings"
	"time"

	"tracksource/attribution/model"
)

// partsWhole is one, in the parts that weights are whole numbers of.
const partsWhole = 1_000_000_000_000_000_000

// milestones are when a deal reached what models look at; zero for never. at is
// the instant of the conversion.
type milestones struct{ at, lead, opportunity, closed time.Time }

// weights are the parts of each touch of a path, in order of time; nil if nobody
// gets credit. The rules are written down here again, as the fractions that people
// say them in; of attribution/model only the words are used.
func weights(spec model.Spec, path []model.Touch, when milestones) []*big.Int {
	left := remaining(spec, path, when.at)
	if len(left) == 0 {
		return nil
	}
	shares := fractions(spec, path, left, when)
	sum := new(big.Rat)
	for _, s := range shares {
		sum.Add(sum, s)
	}
	if sum.Sign() == 0 {
		return nil
	}
	all := make([]*big.Int, len(path))
	for i := range all {
		all[i] = new(big.Int)
	}
	missing := big.NewInt(partsWhole)
	lost := make([]*big.Rat, len(left))
	for i, place := range left {
		exact := new(big.Rat).Quo(shares[i], sum)
		exact.Mul(exact, new(big.Rat).SetInt64(partsWhole))
		all[place].Quo(exact.Num(), exact.Denom())
		lost[i] = exact.Sub(exact, new(big.Rat).SetInt(all[place]))
		missing.Sub(missing, all[place])
	}
	for ; missing.Sign() > 0; missing.Sub(missing, big.NewInt(1)) {
		most := 0
		for i := range lost {
			if lost[i].Cmp(lost[most]) > 0 {
				most = i
			}
		}
		all[left[most]].Add(all[left[most]], big.NewInt(1))
		lost[most] = big.NewRat(-1, 1)
	}
	return all
}

func valueOf(key model.Key, t model.Touch) string {
	return map[model.Key]string{
		"": t.Channel, "channel": t.Channel, "partner": t.Partner, "campaign": t.Campaign,
		"asset": t.Asset, "region": t.Region, "type": t.Type, "touch": t.ID,
	}[key]
}

// remaining lists the places of the touches that are not taken out.
func remaining(spec model.Spec, path []model.Touch, at time.Time) (left []int) {
touches:
	for i, t := range path {
		if spec.ConversionTouchExcluded && !at.IsZero() && t.At.Equal(at) {
			continue
		}
		for _, x := range spec.Exclude {
			if valueOf(x.Key, t) == x.Value {
				continue touches
			}
		}
		left = append(left, i)
	}
	for _, change := range spec.Transforms {
		left = transformed(change, left, func(place int) string { return valueOf(change.Key, path[place]) })
	}
	return left
}

func transformed(change model.Transform, left []int, value func(int) string) (kept []int) {
	last := -1 // the index of the last touch of another value than the transform's
	for i, place := range left {
		if value(place) != change.Value {
			last = i
		}
	}
	for i, place := range left {
		keep := true
		switch change.Name {
		case "exposure":
			keep = i == 0 || value(left[i-1]) != value(place)
		case "first":
			for _, before := range left[:i] {
				keep = keep && value(before) != value(place)
			}
		case "remove-if-last-and-not-all":
			keep = last < 0 || i <= last
		case "remove-if-not-all":
			keep = last < 0 || value(place) != change.Value
		case "trim":
			keep = len(left)-i <= change.Keep
		default:
		}
		if keep {
			kept = append(kept, place)
		}
	}
	return kept
}

// fractions are what the touches that are left get, up to a factor.
func fractions(spec model.Spec, path []model.Touch, left []int, when milestones) []*big.Rat {
	n := len(left)
	list := make([]*big.Rat, n)
	for i := range list {
		list[i] = new(big.Rat)
	}
	switch spec.Model {
	case "first-touch":
		list[0].SetInt64(1)
	case "last-touch":
		list[n-1].SetInt64(1)
	case "last-non-direct":
		direct, chosen := "Direct", n-1
		if spec.Direct != "" {
			direct = spec.Direct
		}
		for i, place := range left {
			if !strings.EqualFold(path[place].Channel, direct) {
				chosen = i
			}
		}
		list[chosen].SetInt64(1)
	case "linear":
		for i := range list {
			list[i].SetFrac64(1, int64(n))
		}
	case "position-based", "j-shaped", "inverse-j", "custom":
		if spec.Types == nil {
			byPosition(spec, list)
			break
		}
		for i, place := range left {
			for _, t := range spec.Types {
				if t.Type == path[place].Type {
					list[i].SetFrac64(int64(t.Weight), 1_000_000)
				}
			}
		}
	case "time-decay":
		halfLife := int64(7 * 24 * time.Hour)
		if spec.HalfLife != 0 {
			halfLife = int64(spec.HalfLife)
		}
		for i, place := range left {
			list[i] = powerOfHalf(int64(path[left[n-1]].At.Sub(path[place].At)), halfLife)
		}
	case "u-milestones", "w-shaped", "full-path":
		byMilestone(spec, path, left, when, list)
	default:
	}
	return list
}

func byPosition(spec model.Spec, list []*big.Rat) {
	n := len(list)
	percent := func(s model.Share) *big.Rat { return big.NewRat(int64(s), 1_000_000) }
	first, middle, last := big.NewRat(2, 5), big.NewRat(1, 5), big.NewRat(2, 5)
	switch {
	case spec.Model == "j-shaped":
		first, last = big.NewRat(1, 5), big.NewRat(3, 5)
	case spec.Model == "inverse-j":
		first, last = big.NewRat(3, 5), big.NewRat(1, 5)
	case spec.Shares != nil:
		first, middle, last = percent(spec.Shares.First), percent(spec.Shares.Middle), percent(spec.Shares.Last)
	}
	amplitude := spec.Variant == "amplitude"
	if n == 2 && amplitude {
		half := new(big.Rat).Quo(middle, big.NewRat(2, 1))
		first.Add(first, half)
		last.Add(last, half)
	}
	if n == 1 || n == 2 && first.Sign() == 0 && last.Sign() == 0 {
		first, last = big.NewRat(1, 1), big.NewRat(1, 1)
	}
	list[n-1] = last
	list[0] = first
	for i := 1; i < n-1; i++ {
		list[i] = new(big.Rat).Quo(middle, big.NewRat(int64(n-2), 1))
	}
	if n != 4 || !amplitude {
		return
	}
	switch spec.Model {
	case "j-shaped":
		list[0], list[1], list[2], list[3] = big.NewRat(1, 10), big.NewRat(1, 10), big.NewRat(1, 5), big.NewRat(3, 5)
	case "inverse-j":
		list[0], list[1], list[2], list[3] = big.NewRat(3, 5), big.NewRat(1, 5), big.NewRat(1, 10), big.NewRat(1, 10)
	default:
	}
}

func byMilestone(spec model.Spec, path []model.Touch, left []int, when milestones, list []*big.Rat) {
	instants := map[model.Name][]time.Time{
		"u-milestones": {when.lead},
		"w-shaped":     {when.lead, when.opportunity},
		"full-path":    {when.lead, when.opportunity, when.closed},
	}[spec.Model]
	holders := []int{0}
	for _, instant := range instants {
		holder := -1
		for i, place := range left {
			if !instant.IsZero() && !path[place].At.After(instant) {
				holder = i
			}
		}
		if holder >= 0 {
			holders = append(holders, holder)
		}
	}
	latest, held := 0, map[int]bool{}
	for _, h := range holders {
		held[h] = true
		latest = max(latest, h)
	}
	var others []int
	for i := range left {
		if !held[i] && (spec.Rest != "between" || i < latest) {
			others = append(others, i)
		}
	}
	rest := big.NewRat(1, 10)
	if spec.Model == "u-milestones" || len(others) == 0 {
		rest = new(big.Rat)
	}
	each := new(big.Rat).Sub(big.NewRat(1, 1), rest)
	each.Quo(each, big.NewRat(int64(len(holders)), 1))
	for _, h := range holders {
		list[h].Add(list[h], each)
	}
	for _, o := range others {
		list[o].Quo(rest, big.NewRat(int64(len(others)), 1))
	}
}

// powerOfHalf is 2^-(age/halfLife) in whole parts, a half rounded up. It is e^-y,
// y = ln 2 age/halfLife, by the power series of both, with 100 digits.
func powerOfHalf(age, halfLife int64) *big.Rat {
	const bits = 340
	number := func(n int64) *big.Float { return new(big.Float).SetPrec(bits).SetInt64(n) }
	quotient := func(a, b *big.Float) *big.Float { return new(big.Float).SetPrec(bits).Quo(a, b) }
	product := func(a, b *big.Float) *big.Float { return new(big.Float).SetPrec(bits).Mul(a, b) }
	// ln 2 is the sum of 1/(k 2^k).
	ln2, power := number(0), number(1)
	for k := int64(1); k <= bits; k++ {
		power = quotient(power, number(2))
		ln2.Add(ln2, quotient(power, number(k)))
	}
	y := product(ln2, quotient(number(age%halfLife), number(halfLife)))
	value, term := number(1), number(1)
	for k := int64(1); k <= 80; k++ {
		term = quotient(product(term, y), number(-k))
		value.Add(value, term)
	}
	for range min(age/halfLife, 70) {
		value = quotient(value, number(2))
	}
	value = product(value, number(partsWhole))
	parts, _ := value.Add(value, big.NewFloat(0.5).SetPrec(bits)).Int(nil)
	return new(big.Rat).SetFrac(parts, big.NewInt(partsWhole))
}
