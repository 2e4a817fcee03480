package check

import (
	"fmt"
	"math/big"
	"slices"

	"tracksource/schemas/avro"
)

// sumKey is what readers of the rows add up: one measure of a book under one model
// in one currency, of it the rows with one value of a dimension. The total has no
// dimension. A measure that each partner has whole is added up for each partner.
type sumKey struct {
	contract, measure, model, currency, partner string
	dimension, value                            string
}

func (k sumKey) String() string {
	text := fmt.Sprintf("%s %s %s", k.contract, k.measure, k.model)
	for _, more := range []string{k.currency, k.partner} {
		if more != "" {
			text += " " + more
		}
	}
	return text
}

// part is where the key's numbers are of one value of a dimension.
func (k sumKey) part(dimension, value string) sumKey {
	k.dimension, k.value = dimension, value
	return k
}

func sumOf(k amountKey) sumKey {
	s := sumKey{contract: k.Contract, measure: k.Measure, model: k.Model, currency: k.currency}
	if perPartner(k.Measure) {
		s.partner = k.Partner
	}
	return s
}

// dimensionsOf are the dimensions of a number, with their names.
func dimensionsOf(k avro.ContributionKey) [][2]string {
	return [][2]string{
		{"day", k.Day},
		{"partner", k.Partner},
		{"channel", k.Channel},
		{"asset", k.Asset},
		{"region", k.Region},
		{"segment", k.Segment},
		{"source", k.Source},
		{"touch campaign", k.TouchCampaign},
		{"escrow", k.Escrow},
		{"booked", k.Booked},
	}
}

// added adds numbers up by every dimension, and altogether.
func added(amounts map[amountKey]*big.Int) map[sumKey]*big.Int {
	out := map[sumKey]*big.Int{}
	for k, n := range amounts {
		whole := sumOf(k)
		add(out, whole, n)
		for _, d := range dimensionsOf(k.ContributionKey) {
			add(out, whole.part(d[0], d[1]), n)
		}
	}
	return out
}

// worth adds conversions up by day, and altogether.
func worth(shares map[shareKey]*big.Int) map[sumKey]*big.Int {
	out := map[sumKey]*big.Int{}
	for k, n := range shares {
		whole := sumKey{contract: k.contract, measure: k.measure, model: k.model, currency: k.currency, partner: k.partner}
		add(out, whole, n)
		add(out, whole.part("day", k.day), n)
	}
	return out
}

// snapshots holds what readers of the rows add up against the ledger and the
// conversions: by whichever dimension they are broken down the parts are those of the
// ledger, and what is attributed and what is not come to what the conversions are
// worth, altogether and each day. A measure that partners have whole is at its grain
// and added up for each.
func (v *verifier) snapshots(due, ledger, rows sums) {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, "snapshot: "+fmt.Sprintf(format, args...)) }
	for k := range rows.amounts {
		if why := misplaced(k.ContributionKey); why != "" {
			say("%s: %s", keyText(k.ContributionKey), why)
		}
	}
	shown, entries := added(rows.amounts), added(ledger.amounts)
	values, booked := worth(due.shares), worth(ledger.shares)
	all := both(both(shown, entries), both(values, booked))
	off := map[sumKey]bool{} // totals; their parts say no more
	for k := range all {
		if k.dimension != "" {
			continue
		}
		n, unattributed := or0(shown, k), or0(shown, k.part("partner", unattributedName))
		if byConversion, worth := or0(booked, k), or0(values, k); n.Cmp(byConversion) != 0 || n.Cmp(worth) != 0 {
			off[k] = true
			say("%s: %s attributed and %s unattributed, the entries by conversion come to %s and the conversions are worth %s",
				k, new(big.Int).Sub(n, unattributed), unattributed, byConversion, worth)
		}
	}
	for k := range all {
		if k.dimension == "" || off[k.part("", "")] {
			continue
		}
		n, want := or0(shown, k), or0(entries, k)
		if n.Cmp(want) != 0 {
			say("%s: the rows of %s %s sum to %s, the ledger to %s", k, k.dimension, k.value, n, want)
		}
		if worth := or0(values, k); k.dimension == "day" && n.Cmp(worth) != 0 {
			say("%s: the rows of %s sum to %s, its conversions are worth %s", k, k.value, n, worth)
		}
	}
	slices.Sort(wrong)
	for _, w := range wrong {
		v.problem("%s", w)
	}
}

func or0[K comparable](m map[K]*big.Int, k K) *big.Int {
	if n := m[k]; n != nil {
		return n
	}
	return new(big.Int)
}

// both has the keys of two maps.
func both[K comparable](a, b map[K]*big.Int) map[K]*big.Int {
	out := make(map[K]*big.Int, len(a))
	for _, m := range []map[K]*big.Int{a, b} {
		for k, n := range m {
			out[k] = n
		}
	}
	return out
}

// unattributedName is the partner, channel and asset of value that no touch preceded.
const unattributedName = "(unattributed)"

// misplaced is what a number says of itself that cannot be; empty for nothing.
func misplaced(k avro.ContributionKey) string {
	one := perPartner(k.Measure)
	for _, d := range dimensionsOf(k) {
		grain := d[0] == "day" || d[0] == "partner" || d[0] == "region" || d[0] == "segment" || d[0] == "escrow" || d[0] == "booked"
		if (d[1] == everything) != (one && !grain) {
			return fmt.Sprintf("%s %s is not the measure's grain", d[0], d[1])
		}
	}
	nobody := k.Partner == unattributedName
	switch {
	case one && nobody:
		return "what partners influence is somebody's"
	case nobody && (k.Channel != unattributedName || k.Asset != unattributedName):
		return "unattributed value has a channel or an asset"
	case nobody && k.Escrow != escrowNone:
		return "unattributed value is in escrow"
	case k.Escrow != escrowNone && k.Escrow != escrowDisputed:
		return fmt.Sprintf("escrow is %q", k.Escrow)
	}
	return ""
}
