package attribution

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/money"
)

// event is one thing about a deal that a measure counts.
type event struct {
	measure string
	money   bool
	day     money.Day
	cutoff  cutoff
	held    *heldFor
}

type heldFor struct{ code, supply string }

// cutoff is the last moment at which a touch still precedes the event: an
// instant, that instant included, or the end of a day. The end of a day is
// compared by day and never as an instant, which some zones do not have.
type cutoff struct {
	at    time.Time
	day   money.Day
	byDay bool
}

func (k cutoff) admits(s step) bool {
	if k.byDay {
		return s.day <= k.day
	}
	return !s.touch.At.After(k.at)
}

func at(c *contract.Contract, instant time.Time) (money.Day, cutoff) {
	return c.Day(instant), cutoff{at: instant}
}

// events lists what a deal contributes, in a fixed order of measures.
func events(c *contract.Contract, deal Deal) []event {
	stages := slices.Clone(deal.Stages)
	slices.SortFunc(stages, func(a, b StageChange) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.EventID, b.EventID), strings.Compare(a.Stage, b.Stage),
			compareBool(a.IsClosed, b.IsClosed), compareBool(a.IsWon, b.IsWon))
	})
	states := make([]contract.State, len(stages))
	for i, s := range stages {
		states[i] = c.Stage(deal.ID.Reporter, deal.ID.Source, s.Stage, s.IsClosed, s.IsWon).State
	}
	current := c.Stage(deal.ID.Reporter, deal.ID.Source, deal.Stage, deal.IsClosed, deal.IsWon).State

	list := created(c, deal, current)
	if current == contract.StateWon {
		list = append(list, revenue(c, deal, stages, states))
	}
	for _, arrival := range [...]struct {
		measure string
		state   contract.State
	}{{MeasureWon, contract.StateWon}, {MeasureLost, contract.StateLost}} {
		if i := slices.Index(states, arrival.state); i >= 0 {
			day, cut := at(c, stages[i].At)
			list = append(list, event{measure: arrival.measure, day: day, cutoff: cut})
		} else if current == arrival.state {
			list = append(list, onCloseDate(event{measure: arrival.measure}, deal))
		}
	}
	return list
}

// created lists the measures of the day of creation.
func created(c *contract.Contract, deal Deal, current contract.State) []event {
	base := event{}
	instant, err := time.Parse(time.RFC3339, deal.CreatedAt)
	if err != nil {
		base.held = &heldFor{HeldCreatedAtMissing, "supply the instant of creation of " + deal.ID.String() + " as RFC 3339"}
	} else {
		base.day, base.cutoff = at(c, instant)
	}
	opportunity, pipeline, open := base, base, base
	opportunity.measure = MeasureOpportunities
	pipeline.measure, pipeline.money = MeasurePipelineCreated, true
	open.measure, open.money = MeasurePipelineOpen, true
	if current == contract.StateOpen {
		return []event{opportunity, pipeline, open}
	}
	return []event{opportunity, pipeline}
}

// revenue is on the CRM's close date; touches count up to the instant at which
// the deal became won for the last time, if the history shows it, else to the
// end of the close date.
func revenue(c *contract.Contract, deal Deal, stages []StageChange, states []contract.State) event {
	e := onCloseDate(event{measure: MeasureRevenue, money: true}, deal)
	won := len(states)
	for won > 0 && states[won-1] == contract.StateWon {
		won--
	}
	if won < len(states) {
		_, e.cutoff = at(c, stages[won].At)
	}
	return e
}

func onCloseDate(e event, deal Deal) event {
	day, err := money.ParseDay(deal.CloseDate)
	if err != nil {
		e.held = &heldFor{HeldCloseDateMissing, "supply the close date of " + deal.ID.String() + " as YYYY-MM-DD"}
		return e
	}
	e.day, e.cutoff = day, cutoff{day: day, byDay: true}
	return e
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
