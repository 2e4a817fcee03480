package attribution

import "slices"

// Measures of a book. Those of pipeline and revenue are money in the contract's
// currency, the others counts, as are the contract's milestones by their names: the
// first arrival of a person or a deal. [Measures] is the table of them.
const (
	// MeasurePipelineCreated is the current amount on the day of creation, kept
	// when the deal is won or lost.
	MeasurePipelineCreated = "pipeline_created"
	// MeasurePipelineOpen is the same while the deal is open.
	MeasurePipelineOpen = "pipeline_open"
	// MeasureRevenue is the amount of a deal that is won, on the CRM's close date.
	MeasureRevenue = "revenue"
	// MeasurePipelineSourced and MeasureRevenueSourced are the amounts of the first
	// and the third, each credited whole to who sourced the deal.
	MeasurePipelineSourced = "pipeline_sourced"
	MeasureRevenueSourced  = "revenue_sourced"
	// MeasurePipelineInfluenced and MeasureRevenueInfluenced are the same amounts,
	// whole for each partner that has a touch among those that share them.
	MeasurePipelineInfluenced = "pipeline_influenced"
	MeasureRevenueInfluenced  = "revenue_influenced"
	// MeasurePipelineCoSell and MeasureRevenueCoSell are the same, for the partners
	// among these who did not source the deal where somebody did.
	MeasurePipelineCoSell = "pipeline_co_sell"
	MeasureRevenueCoSell  = "revenue_co_sell"
	// MeasureOrders counts the orders of a shop on the day they were placed.
	MeasureOrders = "orders"
	// MeasureOpportunities counts deals on the day of creation.
	MeasureOpportunities = "opportunities"
	// MeasureOpportunitiesInfluenced counts them for each partner that influenced
	// them.
	MeasureOpportunitiesInfluenced = "opportunities_influenced"
	// MeasureWon and MeasureLost count deals on the day they first arrived
	// there, whatever became of them later.
	MeasureWon  = "won"
	MeasureLost = "lost"
)

// Version numbers the rules of docs/book.md. It rises whenever the same facts,
// contract and rates come to another book than they did, so that who keeps what was
// posted knows to compute all of it anew.
const Version int64 = 2

// A count is shared out like money, so one is written with six decimals.
const (
	CountExponent       = 6
	CountUnit     int64 = 1_000_000
)

// The names of the dimensions, day included.
const (
	dimPartner       = "partner"
	dimChannel       = "channel"
	dimAsset         = "asset"
	dimRegion        = "region"
	dimSegment       = "segment"
	dimSource        = "source"
	dimTouchCampaign = "touch_campaign"
	dimEscrow        = "escrow"
	dimDay           = "day"
)

// Measure is what values of one name are, and what may be added of them.
type Measure struct {
	Name string
	// Count is whether it counts; else it is money in the contract's currency.
	Count bool
	// Of is the measure whose deals, days and values it has, for one that is kept at
	// a grain; empty for the others.
	Of string
	// Grain are the dimensions that its lines are told apart by, in the order of
	// Dimensions with the day last. In all others they are [All].
	Grain []string
	// Apart are those of the grain over which its values must not be added: a deal
	// is there whole for each. An additive measure has none.
	Apart []string
}

// Additive reports whether values may be added over every dimension.
func (m Measure) Additive() bool { return len(m.Apart) == 0 }

// Sums reports whether totals by these dimensions are sums of lines: the lines know
// all of them, and none is missing over which values must not be added. One that is
// narrowed to a single value is there as well.
func (m Measure) Sums(by ...string) bool {
	unknown := slices.ContainsFunc(by, func(d string) bool { return !slices.Contains(m.Grain, d) })
	missing := slices.ContainsFunc(m.Apart, func(d string) bool { return !slices.Contains(by, d) })
	return !unknown && !missing
}

// Measures returns the measures that every book has, in the order in which they are
// listed. Milestones of a contract come on top of them; see [MeasureNamed].
func Measures() []Measure {
	names := []string{
		MeasureRevenue, MeasureRevenueSourced, MeasureRevenueInfluenced, MeasureRevenueCoSell,
		MeasurePipelineCreated, MeasurePipelineOpen, MeasurePipelineSourced, MeasurePipelineInfluenced, MeasurePipelineCoSell,
		MeasureOpportunities, MeasureOpportunitiesInfluenced, MeasureWon, MeasureLost, MeasureOrders,
	}
	list := make([]Measure, len(names))
	for i, name := range names {
		list[i] = MeasureNamed(name)
	}
	return list
}

// MeasureNamed returns the measure of that name. One that is not in [Measures] is
// taken for a milestone, which is an additive count.
func MeasureNamed(name string) Measure {
	m := Measure{Name: name, Grain: []string{dimPartner, dimChannel, dimAsset, dimRegion, dimSegment, dimSource, dimTouchCampaign, dimEscrow, dimDay}}
	switch name {
	case MeasureRevenue, MeasureRevenueSourced, MeasurePipelineCreated, MeasurePipelineOpen, MeasurePipelineSourced:
		return m
	}
	if m.Of = follows(name); m.Of != "" {
		m.Grain, m.Apart = []string{dimPartner, dimRegion, dimSegment, dimEscrow, dimDay}, []string{dimPartner}
	}
	m.Count = m.Of == "" || m.Of == MeasureOpportunities
	return m
}

// IsAdditive is [Measure.Additive] of the measure of that name.
func IsAdditive(measure string) bool { return follows(measure) == "" }

// follows is the measure that one which is kept at a grain has the deals and values
// of; empty for the others.
func follows(measure string) string {
	switch measure {
	case MeasureOpportunitiesInfluenced:
		return MeasureOpportunities
	case MeasurePipelineInfluenced, MeasurePipelineCoSell:
		return MeasurePipelineCreated
	case MeasureRevenueInfluenced, MeasureRevenueCoSell:
		return MeasureRevenue
	}
	return ""
}

// followers are the measures that follow one, the influenced in front of the
// co-sold; an empty name is none.
func followers(measure string) [2]string {
	switch measure {
	case MeasureOpportunities:
		return [2]string{MeasureOpportunitiesInfluenced}
	case MeasurePipelineCreated:
		return [2]string{MeasurePipelineInfluenced, MeasurePipelineCoSell}
	case MeasureRevenue:
		return [2]string{MeasureRevenueInfluenced, MeasureRevenueCoSell}
	}
	return [2]string{}
}

// IsSourced reports whether a measure goes whole to who sourced the deal.
func IsSourced(measure string) bool {
	return measure == MeasurePipelineSourced || measure == MeasureRevenueSourced
}
