package report

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// rankWonMin is how many deals must have been won of what is ranked by how fast they
// are: the median of fewer is the day of one of them.
const rankWonMin = 5

// rankTold is how many of the first and of the last are told.
const rankTold = 3

// RankQuestion is what the values of a dimension are put in order by.
type RankQuestion struct {
	DealQuestion
	Dimension Dimension // Asset, Channel or Segment
	// Measure is what Credit is of, by the dimension alone: revenue or pipeline_created
	// under the model of the package, in the contract's currency. Revenue is the same of
	// revenue.
	Measure         string
	Credit, Revenue Breakdown
	// Spend is what was spent on the values, in the contract's currency. What is not in
	// it is not known.
	Spend map[string]Value
}

// ranked is one value of the dimension.
type ranked struct {
	key              string
	credit, revenue  Value
	spend            Value
	isSpent          bool // more than nothing, and known
	deals, won, lost int
	days             []int     // from creation to won, in order
	places           [3]string // empty where it has none
}

// The orders of a ranking.
const (
	byCredit = iota
	byReturn
	byVelocity
)

// Rank puts the values of a dimension in order by credit, by return, which is revenue
// over spend, and by velocity, which is the median of the days from creation to won of
// the deals that began with them. The table has all of them, the one with the most
// credit first, of equal credit by key; the first and the last of each order are
// findings. They describe and test nothing.
func Rank(q RankQuestion) (Table, []Insight) {
	list := q.rows()
	var insights []Insight
	for order := byCredit; order <= byVelocity; order++ {
		sorted := q.inOrder(list, order)
		for i, r := range sorted {
			r.places[order] = fmt.Sprint(i + 1)
		}
		insights = append(insights, q.insights(sorted, order)...)
	}
	return q.table(list), insights
}

func (q *RankQuestion) rows() []*ranked {
	rows := map[string]*ranked{}
	row := func(key string) *ranked {
		if rows[key] == nil {
			rows[key] = &ranked{key: key}
		}
		return rows[key]
	}
	for _, g := range q.Credit.Groups {
		row(g.Key[0]).credit = g.Value
	}
	for _, g := range q.Revenue.Groups {
		row(g.Key[0]).revenue = g.Value
	}
	for key, v := range q.Spend {
		if v.Sign() > 0 {
			r := row(key)
			r.spend, r.isSpent = v, true
		}
	}
	courses := q.courses()
	for i := range courses {
		c := courses[i]
		for key := range c.keys(q.Dimension) {
			r := row(key)
			r.deals++
			switch {
			case c.isWon:
				r.won++
				if c.won >= c.created {
					r.days = append(r.days, int(c.won-c.created))
				}
			case c.isLost:
				r.lost++
			}
		}
	}
	list := make([]*ranked, 0, len(rows))
	for _, r := range rows {
		slices.Sort(r.days)
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *ranked) int {
		return cmp.Or(b.credit.Cmp(a.credit), cmp.Compare(a.key, b.key))
	})
	return list
}

// inOrder are those that have what the order is by, the best first, of equal ones in
// the order of the list.
func (q *RankQuestion) inOrder(list []*ranked, order int) []*ranked {
	var sorted []*ranked
	for _, r := range list {
		has := [...]bool{byCredit: r.credit.Sign() > 0, byReturn: r.isSpent, byVelocity: len(r.days) >= rankWonMin}
		if isNamed(r.key) && has[order] {
			sorted = append(sorted, r)
		}
	}
	slices.SortStableFunc(sorted, func(a, b *ranked) int {
		switch order {
		case byReturn:
			return b.perSpend().Cmp(a.perSpend())
		case byVelocity:
			return cmp.Compare(a.median(), b.median())
		}
		return b.credit.Cmp(a.credit)
	})
	return sorted
}

func (r *ranked) perSpend() *big.Rat { return new(big.Rat).Quo(r.revenue.rat(), r.spend.rat()) }

func (r *ranked) median() int { return nearestRank(r.days, 50) }

func (q *RankQuestion) table(list []*ranked) Table {
	currency := q.Contract.Currency
	name := string(q.Dimension)
	t := Table{
		ID: "ranking_" + plural(q.Dimension), Title: "Ranking of " + plural(q.Dimension),
		Note: "Credit is of " + measureName(q.Measure) + ", return is revenue over spend. Deals are those that began with the " + name +
			", won of them the part of those closed, and days those from creation to won, the median. A place is given where there is enough to rank by.",
		Columns: []Column{
			{ID: name, Title: strings.ToUpper(name[:1]) + name[1:], Kind: TextColumn},
			{ID: "credit", Title: "Credit", Kind: MoneyColumn, Currency: currency},
			{ID: "spend", Title: "Spend", Kind: MoneyColumn, Currency: currency},
			{ID: "return", Title: "Return", Kind: RatioColumn},
			{ID: "deals", Title: "Deals", Kind: CountColumn},
			{ID: "won", Title: "Won", Kind: CountColumn},
			{ID: "win_rate", Title: "Win rate", Kind: RatioColumn},
			{ID: "median_days", Title: "Days to win", Kind: DaysColumn},
			{ID: "place_credit", Title: "Place by credit", Kind: CountColumn},
			{ID: "place_return", Title: "Place by return", Kind: CountColumn},
			{ID: "place_velocity", Title: "Place by velocity", Kind: CountColumn},
		},
	}
	for _, r := range list {
		row := []string{r.key, r.credit.Text(q.Contract.Exponent), "", "", fmt.Sprint(r.deals), fmt.Sprint(r.won), "", "", r.places[byCredit], r.places[byReturn], r.places[byVelocity]}
		if r.isSpent {
			row[2], row[3] = r.spend.Text(q.Contract.Exponent), ratioText(r.perSpend())
		}
		if r.won+r.lost > 0 {
			row[6] = ratioText(big.NewRat(int64(r.won), int64(r.won+r.lost)))
		}
		if len(r.days) > 0 {
			row[7] = fmt.Sprint(r.median())
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// insights are the first of an order and the last, none of which is told twice.
func (q *RankQuestion) insights(sorted []*ranked, order int) []Insight {
	if len(sorted) < 2 {
		return nil
	}
	top := sorted[:min(rankTold, (len(sorted)+1)/2)]
	for order == byReturn && len(top) > 0 && top[len(top)-1].revenue.Sign() <= 0 {
		top = top[:len(top)-1] // what returned nothing is the best of nothing
	}
	bottom := slices.Clone(sorted[max(len(top), len(sorted)-rankTold):])
	slices.Reverse(bottom)
	most := [...]string{byCredit: "most credit for " + measureName(q.Measure), byReturn: "highest return", byVelocity: "shortest way to won"}
	least := [...]string{byCredit: "least credit for " + measureName(q.Measure), byReturn: "lowest return", byVelocity: "longest way to won"}
	tone := Bad
	if order == byCredit {
		tone = Neutral // something always has the least, and may have cost nothing
	}
	worst := q.insight(RuleBottom, tone, least[order], bottom, order)
	if len(top) == 0 {
		return []Insight{worst}
	}
	return []Insight{q.insight(RuleTop, Good, most[order], top, order), worst}
}

func (q *RankQuestion) insight(rule string, tone Tone, what string, list []*ranked, order int) Insight {
	in := Insight{Rule: rule, Tone: tone}
	var parts []string
	var stake Value
	for _, r := range list {
		in.About = append(in.About, Subject{string(q.Dimension), r.key})
		switch order {
		case byCredit:
			part := fmt.Sprintf("%s with %s", r.key, Money(r.credit, q.Contract.Currency))
			in.Evidence = append(in.Evidence, moneyEvidence("credit of "+r.key, q.Contract, r.credit))
			if q.Credit.Total.Sign() > 0 { // it may not be, with corrections in it
				share := new(big.Rat).Quo(r.credit.rat(), q.Credit.Total.rat())
				part += ", " + Percent(share) + " of all"
				in.Evidence = append(in.Evidence, ratioEvidence("share of "+r.key, share))
			}
			parts = append(parts, part)
			stake = stake.Add(r.credit)
		case byReturn:
			parts = append(parts, fmt.Sprintf("%s with %s for %s spent, %s", r.key, Money(r.revenue, q.Contract.Currency), Money(r.spend, q.Contract.Currency), Times(r.perSpend())))
			in.Evidence = append(in.Evidence, moneyEvidence("revenue of "+r.key, q.Contract, r.revenue), moneyEvidence("spend on "+r.key, q.Contract, r.spend))
			stake = stake.Add(r.spend)
		case byVelocity:
			parts = append(parts, fmt.Sprintf("%s with a median of %s over %s won", r.key, Days(rat(r.median())), Counted(len(r.days), "deal", "deals")))
			in.Evidence = append(in.Evidence, daysEvidence("median days of "+r.key, r.median()), countEvidence("won deals of "+r.key, int64(len(r.days))))
		}
	}
	named := string(q.Dimension) + " with the "
	if len(list) > 1 {
		named = plural(q.Dimension) + " with the "
	}
	in.Text = "The " + named + what + ": " + strings.Join(parts, "; ") + "."
	if order != byVelocity {
		in.Stake = stake.Text(q.Contract.Exponent)
	}
	return in
}
