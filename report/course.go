package report

import (
	"iter"
	"slices"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/money"
)

// course is what findings look at of a deal. Days are calendar days of the contract's
// zone. There is one of each deal of a campaign, so that its texts are places among names
// and its lists are parts of large ones: see courseMaker.
type course struct {
	names                             *dictionary
	segment, region, sourced, channel uint32 // the channel is that of the first touch
	created, won                      money.Day
	isWon, isLost, isSized            bool
	// size is what the deal is worth in the contract's currency, in minor units, if isSized.
	exponent int32
	size     int64
	// lists are, one behind the other: the first days on which it came to each of the steps
	// of the funnel, noDay for none; the channels of all touches up to its creation, each
	// once, in order; and their assets.
	lists           []uint32
	steps, channels int32 // how many they are
}

// noDay is of a step that a deal did not come to: it is no day of a calendar.
const noDay = 1 << 31

// step is when the deal came to one of the steps of the funnel.
func (c *course) step(n int) reached {
	day := c.lists[n]
	return reached{money.Day(int32(day)), day != noDay}
}

// amount is what the deal is worth, nothing where that is not known.
func (c *course) amount() Value { return ValueOf(c.size, int(c.exponent)) }

// milestones are the steps of the funnel of deals, those that none comes to among them.
func (q *DealQuestion) milestones() []string {
	return append(append([]string{stepCreated}, q.Contract.Milestones...), string(contract.StateWon))
}

// courses are of the deals that are asked about and in the totals, of which it is known
// when they were created. Orders of a shop are no deals here.
func (q *DealQuestion) courses() []*course {
	if q.isKnown || q.Deals == nil {
		return q.found
	}
	var list []*course
	var maker courseMaker
	days, steps := CohortQuestion{Contract: q.Contract}, q.milestones()
	for d := range q.Deals {
		f := d.Newest()
		if f.Excluded != "" || f.Order || f.CreatedAt.IsZero() {
			continue
		}
		came := days.steps(d)
		if day := came[stepCreated]; day > q.Today || q.Within != nil && !q.Within.Holds(day) {
			continue
		}
		c := maker.next(d, steps, came)
		if _, m, ok := d.Measure(attribution.MeasurePipelineCreated); ok && m.Currency == q.Contract.Currency && m.Exponent == q.Contract.Exponent {
			c.size, c.exponent, c.isSized = m.Value, int32(m.Exponent), true
		}
		list = append(list, c)
	}
	return list
}

// courseMaker makes courses many at a time: each by itself, with texts and lists of its own,
// would take twice as much.
type courseMaker struct {
	names   dictionary
	courses []course // that are still to be made of a piece
	lists   []uint32 // the piece that lists are cut out of
	list    []uint32 // of the course that is made
	texts   []string // of the part of list that is made
}

const (
	coursesPiece = 1 << 10
	listsPiece   = 1 << 16
)

// next makes the course of a deal, which came to some of the steps on a day.
func (m *courseMaker) next(d *Deal, steps []string, came map[string]money.Day) *course {
	if len(m.courses) == 0 {
		m.courses = make([]course, coursesPiece)
	}
	c := &m.courses[0]
	m.courses = m.courses[1:]
	f := d.Newest()
	c.names, c.created = &m.names, came[stepCreated]
	c.segment, c.region, c.sourced = m.names.of(ofDeal(f, Segment)), m.names.of(ofDeal(f, Region)), m.names.of(f.Sourced.Partner)
	c.won, c.isWon = came[string(contract.StateWon)]
	_, _, c.isLost = d.Measure(attribution.MeasureLost)

	m.list = m.list[:0]
	for _, name := range steps {
		if day, ok := came[name]; ok {
			m.list = append(m.list, uint32(day))
		} else {
			m.list = append(m.list, noDay)
		}
	}
	c.steps = int32(len(steps))
	m.beginWith(c, d)
	if cap(m.lists)-len(m.lists) < len(m.list) {
		m.lists = make([]uint32, 0, max(listsPiece, len(m.list)))
	}
	from := len(m.lists)
	m.lists = append(m.lists, m.list...)
	c.lists = m.lists[from:len(m.lists):len(m.lists)]
	return c
}

// beginWith notes the touches that the deal's creation is credited to. Later ones are left
// out wherever deals are compared: a deal that takes longer meets more of them, so that
// what they go with follows from how it went.
func (m *courseMaker) beginWith(c *course, d *Deal) {
	c.channel = m.names.of(Unattributed)
	for _, name := range [...]string{attribution.MeasurePipelineCreated, attribution.MeasureOpportunities} {
		f, of, ok := d.Measure(name)
		if !ok {
			continue
		}
		if len(of.Path) > 0 {
			c.channel = m.names.of(f.Touches[of.Path[0]].Channel)
		}
		c.channels = m.touchedBy(f, of, func(t *attribution.FactTouch) string { return t.Channel })
		m.touchedBy(f, of, func(t *attribution.FactTouch) string { return t.Asset })
		return
	}
}

// touchedBy adds values of the touches of a measure to the list, each once, in order, and
// returns how many they are.
func (m *courseMaker) touchedBy(f *attribution.Facts, of *attribution.FactMeasure, value func(*attribution.FactTouch) string) int32 {
	m.texts = m.texts[:0]
	for _, place := range of.Path {
		m.texts = append(m.texts, value(&f.Touches[place]))
	}
	slices.Sort(m.texts)
	m.texts = slices.Compact(m.texts)
	for _, text := range m.texts {
		m.list = append(m.list, m.names.of(text))
	}
	return int32(len(m.texts))
}

// keys are the values of a dimension that a deal has by what it began with: one of
// segment, of asset and channel each once, in order.
func (c *course) keys(d Dimension) iter.Seq[string] {
	return func(yield func(string) bool) {
		switch d {
		case Segment:
			yield(c.text(c.segment))
			return
		case Region:
			yield(c.text(c.region))
			return
		case Partner:
			yield(c.text(c.sourced))
			return
		default:
		}
		var codes []uint32
		switch touched := c.lists[c.steps:]; d {
		case Channel:
			codes = touched[:c.channels]
		case Asset:
			codes = touched[c.channels:]
		default:
		}
		for _, code := range codes {
			if !yield(c.text(code)) {
				return
			}
		}
	}
}

// first is the one value of a dimension that a deal is counted under: its sourcing
// partner, its segment, the channel of its first touch.
func (c *course) first(d Dimension) string {
	switch d {
	case Partner:
		return c.text(c.sourced)
	case Segment:
		return c.text(c.segment)
	default:
	}
	return c.text(c.channel)
}

func (c *course) text(code uint32) string { return c.names.names[code] }
