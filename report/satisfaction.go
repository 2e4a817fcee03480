package report

import (
	"math/big"
	"slices"
	"time"

	"tracksource/contract"
	"tracksource/money"
)

// FeedDay is how one feed was found on one contract day.
type FeedDay struct {
	Feed string
	Day  money.Day
	// Fresh and Complete are the bands of freshness and completeness, empty where there
	// was no data.
	Fresh, Complete contract.Band
}

// Adherence is on how many of the days that were evaluated feeds were as agreed.
type Adherence struct{ Days, Kept int }

// AdherenceOf counts the days of feeds on which there was data. A day is kept if
// neither band of it is red: between target and limit people are warned, and what is
// agreed is kept.
func AdherenceOf(days []FeedDay) Adherence {
	var a Adherence
	for _, d := range days {
		if d.Fresh == "" && d.Complete == "" {
			continue
		}
		a.Days++
		if d.Fresh != contract.BandRed && d.Complete != contract.BandRed {
			a.Kept++
		}
	}
	return a
}

// Share is the part of the days that was kept, nil without any.
func (a Adherence) Share() *big.Rat {
	if a.Days == 0 {
		return nil
	}
	return big.NewRat(int64(a.Kept), int64(a.Days))
}

// DisputeCourse is what became of a dispute.
type DisputeCourse struct {
	Partner string
	// Settled is how, zero of Took and empty while it is open.
	Settled Settled
	Took    time.Duration
}

// Settled is how a dispute ended.
type Settled string

// How disputes end.
const (
	SettledWithdrawn Settled = "withdrawn"
	SettledUpheld    Settled = "upheld"
	SettledRejected  Settled = "rejected"
)

// SurveyScore is one answer of a partner, 0 to 10.
type SurveyScore struct {
	Day   money.Day
	Score Value
}

// Satisfaction is how content a partner can be, as far as it is measured.
type Satisfaction struct {
	Open, Settled, Withdrawn int // disputes that it opened
	// Median, by nearest rank, and Mean are the time until a dispute was resolved, and
	// Upheld the part that was upheld; without meaning where Settled is zero. What was
	// withdrawn was not resolved.
	Median   time.Duration
	Mean     time.Duration // truncated to seconds
	Upheld   *big.Rat
	Fresh    Adherence // of its feeds
	Surveys  int
	Newest   SurveyScore // of the last day; of several of a day the last said
	MeanMark *big.Rat    // of all scores; nil without any
}

// SatisfactionOf is that of one partner. Courses of others are passed over; surveys are
// its own in the order in which they were said.
func SatisfactionOf(partner string, courses []DisputeCourse, surveys []SurveyScore, days []FeedDay) Satisfaction {
	s := Satisfaction{Fresh: AdherenceOf(days), Surveys: len(surveys)}
	var took []time.Duration
	var upheld int64
	for _, c := range courses {
		switch {
		case c.Partner != partner:
		case c.Settled == "":
			s.Open++
		case c.Settled == SettledWithdrawn:
			s.Withdrawn++
		default:
			s.Settled++
			took = append(took, c.Took)
			if c.Settled == SettledUpheld {
				upheld++
			}
		}
	}
	if len(took) > 0 {
		slices.Sort(took)
		s.Median = took[nearestRankPlace(len(took), 50)]
		sum := new(big.Int)
		for _, d := range took {
			sum.Add(sum, big.NewInt(int64(d/time.Second)))
		}
		s.Mean = time.Duration(sum.Quo(sum, big.NewInt(int64(len(took)))).Int64()) * time.Second
		s.Upheld = big.NewRat(upheld, int64(len(took)))
	}
	var sum Value
	for i, m := range surveys {
		sum = sum.Add(m.Score)
		if i == 0 || m.Day >= s.Newest.Day {
			s.Newest = m
		}
	}
	if len(surveys) > 0 {
		s.MeanMark = new(big.Rat).Quo(sum.rat(), rat(len(surveys)))
	}
	return s
}
