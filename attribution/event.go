package attribution

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/money"
)

// event is one thing about a deal or a person that a measure counts.
type event struct {
	conversion string
	measure    string
	money      bool
	held       *heldFor
	moment
}

// moment is when an event was and to whom: all that decides which touches share it,
// and how. Most events share it with others.
type moment struct {
	day    money.Day
	cutoff cutoff
	// business is the deal, nil for an event of a person.
	business *business
	person   string
	// lead, created and closed are the milestones that models look at; zero for
	// those that did not come before the event.
	lead, created, closed time.Time
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

func (k cutoff) admits(s *step) bool {
	if k.byDay {
		return s.day <= k.day
	}
	return !s.at.After(k.at)
}

// on sets the day and the cut-off of an event that happened at an instant.
func (e event) on(c *contract.Contract, instant time.Time) event {
	e.day, e.cutoff = c.Day(instant), cutoff{at: instant}
	return e
}

// listEvents lists what the journey contributes: by deal in the order of their ids,
// then by person in the order of theirs, of each in a fixed order of measures.
func (b *booker) listEvents() []event {
	var list []event
	for i := range b.businesses {
		s := &b.businesses[i]
		switch {
		case s.excluded != "":
		case s.Order:
			list = append(list, b.orderEvents(s)...)
		default:
			list = append(list, b.dealEvents(s)...)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(b.people)) {
		list = append(list, b.personEvents(key)...)
	}
	return list
}

// stages are the deal's history in order of time, with what the contract makes of
// each step.
func (b *booker) stages(d *Deal) ([]StageChange, []contract.StageClass) {
	steps := sortedStages(d.Stages)
	classes := make([]contract.StageClass, len(steps))
	for i, s := range steps {
		classes[i] = b.contract.Stage(d.ID.Reporter, d.ID.Source, s.Stage, s.IsClosed, s.IsWon)
	}
	return steps, classes
}

func sortedStages(stages []StageChange) []StageChange {
	sorted := slices.Clone(stages)
	slices.SortFunc(sorted, func(a, b StageChange) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.EventID, b.EventID), strings.Compare(a.Stage, b.Stage),
			compareBool(a.IsClosed, b.IsClosed), compareBool(a.IsWon, b.IsWon))
	})
	return sorted
}

func (b *booker) dealEvents(s *business) []event {
	steps, classes := b.stages(&s.Deal)
	base := event{conversion: s.ID.String(), moment: moment{business: s, lead: s.lead, created: s.created}}
	list := b.created(base)
	if s.current.State == contract.StateWon {
		list = append(list, b.revenue(base, steps, classes)...)
	}
	for _, arrival := range [...]struct {
		measure string
		state   contract.State
	}{{MeasureWon, contract.StateWon}, {MeasureLost, contract.StateLost}} {
		e := base
		e.measure = arrival.measure
		i := slices.IndexFunc(classes, func(c contract.StageClass) bool { return c.State == arrival.state })
		switch {
		case i >= 0:
			e = e.on(b.contract, steps[i].At)
			if arrival.state == contract.StateWon {
				e.closed = steps[i].At
			}
			list = append(list, e)
		case s.current.State == arrival.state:
			list = append(list, onCloseDate(e))
		}
	}
	for _, m := range b.contract.Milestones {
		if i := slices.IndexFunc(classes, func(c contract.StageClass) bool { return c.Milestone == m }); i >= 0 {
			e := base
			e.measure = m
			list = append(list, e.on(b.contract, steps[i].At))
		}
	}
	return list
}

// created lists the measures of the day of creation.
func (b *booker) created(base event) []event {
	s := base.business
	if s.created.IsZero() {
		base.held = &heldFor{HeldCreatedAtMissing, "supply the instant of creation of " + s.ID.String() + " as RFC 3339"}
	} else {
		base = base.on(b.contract, s.created)
	}
	opportunity, pipeline := base, base
	opportunity.measure = MeasureOpportunities
	pipeline.measure, pipeline.money = MeasurePipelineCreated, true
	list := []event{opportunity, pipeline}
	for _, more := range [...]string{MeasurePipelineOpen, MeasurePipelineSourced} {
		e := pipeline
		if e.measure = more; more != MeasurePipelineOpen || s.current.State == contract.StateOpen {
			list = append(list, e)
		}
	}
	return list
}

// revenue is on the CRM's close date; touches count up to the instant at which
// the deal became won for the last time, if the history shows it, else to the
// end of the close date.
func (b *booker) revenue(base event, steps []StageChange, classes []contract.StageClass) []event {
	base.measure, base.money = MeasureRevenue, true
	e := onCloseDate(base)
	won := len(classes)
	for won > 0 && classes[won-1].State == contract.StateWon {
		won--
	}
	if won < len(classes) {
		e.cutoff, e.closed = cutoff{at: steps[won].At}, steps[won].At
	}
	sourced := e
	sourced.measure = MeasureRevenueSourced
	if base.business.created.IsZero() && sourced.held == nil {
		sourced.held = &heldFor{HeldCreatedAtMissing, "supply the instant of creation of " + base.business.ID.String() + " as RFC 3339"}
	}
	return []event{e, sourced}
}

// onCloseDate dates an event by the CRM's close date.
func onCloseDate(e event) event {
	s := e.business
	day, err := money.ParseDay(s.CloseDate)
	if err != nil {
		e.held = &heldFor{HeldCloseDateMissing, "supply the close date of " + s.ID.String() + " as YYYY-MM-DD"}
		return e
	}
	e.day, e.cutoff = day, cutoff{day: day, byDay: true}
	return e
}

// orderEvents lists what an order contributes, at the instant it was placed.
func (b *booker) orderEvents(s *business) []event {
	base := event{conversion: s.ID.String(), moment: moment{business: s, lead: s.lead, created: s.created, closed: s.created}}
	if s.created.IsZero() {
		base.held = &heldFor{HeldCreatedAtMissing, "supply the instant at which " + s.ID.String() + " was placed as RFC 3339"}
	} else {
		base = base.on(b.contract, s.created)
	}
	order, revenue := base, base
	order.measure = MeasureOrders
	revenue.measure, revenue.money = MeasureRevenue, true
	sourced := revenue
	sourced.measure = MeasureRevenueSourced
	return []event{order, revenue, sourced}
}

// personEvents lists the first arrivals of a person at the contract's milestones,
// whichever of the objects that are that person shows them.
func (b *booker) personEvents(key string) []event {
	var list []event
	objects := b.people[key]
	for _, m := range b.contract.Milestones {
		var first time.Time
		for _, p := range objects {
			for _, s := range p.Stages {
				milestone, _ := b.contract.PersonStage(p.Object, p.ID.Reporter, p.ID.Source, s.Stage)
				if milestone == m && (first.IsZero() || s.At.Before(first)) {
					first = s.At
				}
			}
		}
		if !first.IsZero() {
			e := event{conversion: PersonID(key), measure: m, moment: moment{person: key, lead: earliestCreated(objects, first)}}
			list = append(list, e.on(b.contract, first))
		}
	}
	return list
}

// earliestCreated is when the first of the objects was created, not after until;
// zero for none.
func earliestCreated(objects []Person, until time.Time) time.Time {
	var first time.Time
	for _, p := range objects {
		at, err := time.Parse(time.RFC3339, p.CreatedAt)
		if err == nil && !at.After(until) && (first.IsZero() || at.Before(first)) {
			first = at.UTC()
		}
	}
	return first
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
