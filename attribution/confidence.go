package attribution

import (
	"math/bits"
	"strings"

	"tracksource/contract"
	"tracksource/identity"
	"tracksource/money"
)

// ConfidenceWhole is a confidence of one, in the parts that it is a whole number of.
const ConfidenceWhole = 1_000_000

// What is less than sure, in parts of ConfidenceWhole.
const (
	sureOfCompany     = 900_000 // that one CRM alone knows
	sureOfProvisional = 600_000 // an account that no company was found of
	sureOfNobody      = 700_000 // a touch of which nobody knows who it was
	sureOfSplit       = 500_000 // a touch that its reporters credit to several partners
	lostByDay         = 10_000  // for each day that a rate is older than its conversion
	lostByCross       = 10_000  // for a rate through a third currency
)

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

// knownAs is how sure it is whose journey it is.
func knownAs(j Journey) int {
	if j.Name != "" {
		return ConfidenceWhole
	}
	switch node, err := identity.Parse([]byte(j.Account)); {
	case err != nil || node.Provisional():
		return sureOfProvisional
	case node.AccountName() == "":
		return sureOfCompany
	}
	return ConfidenceWhole
}

// confidence is in an event, whose lines are made.
func (b *booker) confidence(e event, o outcome) Confidence {
	if o.sure.Identity == 0 {
		o.sure = b.sureness(e.business, o.path)
	}
	c := o.sure
	c.Currency, c.Spread = o.currency(), ConfidenceWhole
	if !IsSourced(e.measure) {
		c.Spread = b.spread(o.Conversion)
	}
	c.Overall = (c.Identity + c.Taxonomy + c.Currency + c.Agreement + c.Spread) / 5
	return c
}

// sureness is the confidence in the touches that share a moment.
func (b *booker) sureness(of *business, path []int) Confidence {
	c := Confidence{Identity: b.known, Taxonomy: ConfidenceWhole, Agreement: ConfidenceWhole}
	if n := len(path); n > 0 {
		people, known, agreed := 0, 0, 0
		for _, i := range path {
			s := &b.steps[i]
			people, known, agreed = people+s.sureWho(), known+s.knownFields(), agreed+s.agreed()
		}
		c.Identity = b.known * (people / n) / ConfidenceWhole
		c.Taxonomy = known * ConfidenceWhole / (3 * n)
		c.Agreement = agreed / n
	}
	if of != nil && of.doubted {
		c.Agreement /= 2
	}
	return c
}

func (s *step) sureWho() int {
	if len(s.people) == 0 {
		return sureOfNobody
	}
	return ConfidenceWhole
}

// knownFields is how many are known of channel, source and asset.
func (s *step) knownFields() int {
	n := 0
	if s.class.Channel != contract.ChannelUnassigned && s.class.Channel != contract.Unknown {
		n++
	}
	for _, text := range [...]string{s.class.Source, s.class.Asset} {
		if text != contract.Unknown && text != contract.None {
			n++
		}
	}
	return n
}

// agreed is how far its reporters agree on whom the touch is credited to.
func (s *step) agreed() int {
	switch {
	case s.class.Partner == contract.Held:
		return 0
	case len(s.partners) > 1:
		return sureOfSplit
	}
	return ConfidenceWhole
}

// currency is how sure the rate of a conversion is.
func (c *Conversion) currency() int {
	if c.Basis.Via == "" || c.Basis.Via == money.ViaSame {
		return ConfidenceWhole
	}
	sure := ConfidenceWhole - lostByDay*int(c.Day-c.Basis.RateDay)
	if strings.HasPrefix(c.Basis.Via, money.ViaCross) {
		sure -= lostByCross
	}
	return max(sure, 0)
}

// spread is how little the contract's models are apart: one less the largest part of
// the value that two of them credit to different partners.
func (b *booker) spread(c Conversion) int {
	models := len(b.contract.Specs)
	if models < 2 {
		return ConfidenceWhole
	}
	apart := make([]uint64, models*models) // of the first and the second model
	sums := make([]int64, models)
	for i, line := range c.Lines {
		for m, minor := range line.Minor {
			sums[m] += minor
		}
		if i+1 < len(c.Lines) && c.Lines[i+1].Partner == line.Partner {
			continue // lines of one partner are beside each other
		}
		for m := range sums {
			for n := range m {
				apart[m*models+n] += magnitude(sums[m] - sums[n])
			}
		}
		clear(sums)
	}
	var most uint64
	for _, minor := range apart {
		most = max(most, minor)
	}
	high, low := bits.Mul64(most, ConfidenceWhole)
	part, _ := bits.Div64(high, low, 2*magnitude(c.Value))
	return ConfidenceWhole - int(part)
}
