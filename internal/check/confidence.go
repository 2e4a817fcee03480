package check

import (
	"math/big"
	"slices"
	"strings"

	"tracksource/contract"
	"tracksource/identity"
	"tracksource/money"
)

// sureness is all there is of confidence: it is counted in millionths.
const sureness = 1_000_000

// certainty is the confidence in one conversion, by its parts.
type certainty struct{ identity, taxonomy, currency, agreement, spread, overall int64 }

// certain is the part of a value that is, without what is less than a minor unit.
func certain(value *big.Int, confidence int64) *big.Int {
	n := new(big.Int).Mul(value, big.NewInt(confidence))
	return n.Quo(n, big.NewInt(sureness))
}

// ratedBy is how sure a value is for the rate by which it was made: it loses a
// hundredth for each day that the rate is old, and one for a third currency.
func ratedBy(rate money.Conversion, day money.Day) int64 {
	if rate.Via == "" || rate.Via == money.ViaSame {
		return sureness
	}
	lost := int64(day-rate.RateDay) * 10_000
	if strings.HasPrefix(rate.Via, money.ViaCross) {
		lost += 10_000
	}
	return max(0, sureness-lost)
}

// confidence is that in an event which is booked, shared by the touches of the path
// as the lines say.
func (p *page) confidence(e *event, path []*step, to lines) certainty {
	c := certainty{identity: p.accountSure(), taxonomy: sureness, currency: e.rated, agreement: sureness, spread: sureness}
	var people, known, agreed int64
	for _, s := range path {
		people += 700_000
		if s.person != "" {
			people += 300_000
		}
		for _, is := range []bool{
			s.class.Channel != contract.Unknown && s.class.Channel != contract.ChannelUnassigned,
			s.class.Source != contract.Unknown && s.class.Source != contract.None,
			s.class.Asset != contract.Unknown && s.class.Asset != contract.None,
		} {
			if is {
				known++
			}
		}
		switch {
		case slices.Contains(s.partners, contract.Held):
		case len(s.partners) > 1:
			agreed += sureness / 2
		default:
			agreed += sureness
		}
	}
	if n := int64(len(path)); n > 0 {
		c.identity = c.identity * (people / n) / sureness
		c.taxonomy = known * sureness / (3 * n)
		c.agreement = agreed / n
	}
	if e.business != nil && e.business.doubted {
		c.agreement /= 2
	}
	if !isSourced(e.measure) {
		c.spread -= spread(p.c.Models, to, e.value)
	}
	c.overall = (c.identity + c.taxonomy + c.currency + c.agreement + c.spread) / 5
	return c
}

// accountSure is how sure it is that the account is one company.
func (p *page) accountSure() int64 {
	sure := map[identity.Level]int64{identity.Imported: sureness, identity.Domain: sureness, identity.CRMAccount: 900_000}
	n, err := identity.Parse([]byte(p.root))
	if err != nil || sure[n.Level] == 0 {
		return 600_000
	}
	return sure[n.Level]
}

// spread is the greatest part of a value on which two models do not agree, partner by
// partner.
func spread(models []string, to lines, value *big.Int) int64 {
	by := map[string]map[string]*big.Int{}
	for k, n := range to {
		if by[k.Model] == nil {
			by[k.Model] = map[string]*big.Int{}
		}
		add(by[k.Model], k.Partner, n)
	}
	most := new(big.Int)
	for i, one := range models {
		for _, other := range models[:i] {
			apart := new(big.Int)
			for partner := range both(by[one], by[other]) {
				n := new(big.Int).Sub(or0(by[one], partner), or0(by[other], partner))
				apart.Add(apart, n.Abs(n))
			}
			if apart.Cmp(most) > 0 {
				most = apart
			}
		}
	}
	twice := new(big.Int).Abs(value)
	twice.Mul(twice, big.NewInt(2))
	most.Mul(most, big.NewInt(sureness))
	return most.Quo(most, twice).Int64()
}
