package plan

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// How often plans of a campaign are completed, by the time between the last two.
const (
	cadenceFirst   = "first"
	cadenceSameDay = "several a day"
	cadenceDaily   = "daily"
	cadenceWeekly  = "weekly"
	cadenceMonthly = "monthly"
	cadenceRarer   = "rarer than monthly"
)

// cadenceOf names the time since the last plan, with some room: nobody is punctual.
func cadenceOf(last *Plan, now time.Time) string {
	const day = 24 * time.Hour
	switch d := now.Sub(last.TrackSource.CreatedAt); {
	case d < day*5/6:
		return cadenceSameDay
	case d < 4*day:
		return cadenceDaily
	case d < 14*day:
		return cadenceWeekly
	case d < 50*day:
		return cadenceMonthly
	}
	return cadenceRarer
}

// changesMax bounds the change log of one plan. What is left out is in the older plans.
const changesMax = 200

// Why something changed, where nobody has to be asked.
const (
	whyAsked   = "asked for by --"
	whyDefault = "the default: no flag asks for anything else"
	whyAgain   = "it is that of the manifest"
	whySeen    = "seen on the line"
)

// log writes what changed since the last plan in front of what that one logged. Told are
// the revisions that the package tells of, none before it has come.
func (p *Plan) log(past Past, at time.Time, told told) {
	b := &p.TrackSource
	var own []Change
	for _, n := range past.Notes {
		own = append(own, Change{Subject: "history", Key: n.PlanID, After: n.What, Why: n.Why})
	}
	b.ChangeLogLeftOut = 0
	var old []Change
	if last := past.Last; last != nil {
		if past.Edited {
			own = append(own, Change{
				Subject: "history", Key: last.PlanID, After: "edited_by_hand",
				Why: "its seal does not fit: somebody changed the file after it was completed, and what it says is held against this plan as it is",
			})
		}
		own = append(own, p.changes(last, told)...)
		old, b.ChangeLogLeftOut = last.TrackSource.ChangeLog, last.TrackSource.ChangeLogLeftOut
	} else {
		own = append(own, Change{Subject: "history", Key: p.PlanID, After: "first_plan", Why: "no completed plan of this campaign is in the directory"})
	}
	for i := range own {
		c := &own[i]
		c.PlanID, c.At, c.Since = p.PlanID, instant(at), b.Previous
		c.Key, c.Before, c.After, c.Why = clip(c.Key), clip(c.Before), clip(c.After), clip(c.Why)
	}
	all := append(append([]Change{}, own...), old...)
	n := min(len(all), changesMax)
	b.ChangeLog, b.ChangeLogLeftOut = all[:n], b.ChangeLogLeftOut+len(all)-n
}

// changes says in what the plan differs from the last: of one that is only planned, in
// what is asked for.
func (p *Plan) changes(last *Plan, told told) []Change {
	var out []Change
	b, before := &p.TrackSource, &last.TrackSource
	differ := func(subject, was, is, why string) {
		if was != is {
			out = append(out, Change{Subject: subject, Before: was, After: is, Why: why})
		}
	}
	q := b.Question
	now, was := b.Answered, before.Answered
	if was == nil {
		was = new(Answered)
	}
	if now == nil {
		now = &Answered{Window: or(q.Window, was.Window), Detail: or(q.Detail, was.Detail), Dimensions: q.Dimensions, Model: or(q.Model, was.Model), View: or(q.View, was.View)}
		if len(now.Dimensions) == 0 {
			now.Dimensions = was.Dimensions
		}
	}
	c := contracts{was: before.Campaign, is: b.Campaign, rules: told.contract.between(before.Campaign.Revision, b.Campaign.Revision), asked: q}
	model := q.asked("attribution-model")
	if q.agreedModel() && before.Question.agreedModel() && c.was.Contract != c.is.Contract {
		model = "the agreed model " + c.why("multi_touch", "models")
	}
	differ("model", was.Model, now.Model, model)
	differ("window", window(was), window(now), q.asked("window"))
	differ("dimensions", strings.Join(was.Dimensions, ","), strings.Join(now.Dimensions, ","), q.asked("dimensions"))
	differ("detail", was.Detail, now.Detail, q.asked("detail"))
	differ("view", was.View, now.View, q.asked("restated"))
	out = append(out, c.changes()...)
	differ("currency", before.Campaign.Currency, b.Campaign.Currency, c.why("currency"))
	differ("zone", before.Campaign.Zone, b.Campaign.Zone, c.why("zone"))
	differ("partners", strings.Join(before.Campaign.Partners, ","), strings.Join(b.Campaign.Partners, ","), c.why("partners"))
	out = append(out, sourceChanges(before.DataSources, b.DataSources, told.mappings, q)...)
	differ("cadence", before.Cadence, b.Cadence, "the last plan was begun "+before.CreatedAt.Format(time.RFC3339)+", this one "+b.CreatedAt.Format(time.RFC3339))
	return out
}

// asked is why the question is as it is, by the flag that says so.
func (q Question) asked(flag string) string {
	switch {
	case q.Again != "":
		return whyAgain
	case slices.Contains(q.Given, flag):
		return whyAsked + flag
	}
	return whyDefault
}

// window is the name of the window where it is of days up to today, which are others
// each time, and else its days.
func window(a *Answered) string {
	if a.Window == "custom" {
		return a.From + ".." + a.To
	}
	return a.Window
}

// agreedModel reports whether the question leaves the model to the contract.
func (q Question) agreedModel() bool { return q.Model == "" || q.Model == "multi-touch" }

// sourceChanges says which feeds came, went, moved to another topic, are read by another
// mapping or lost their limits.
func sourceChanges(before, after []DataSource, mappings map[string]rules, q Question) []Change {
	var out []Change
	for n := range after {
		s := after[n]
		i := slices.IndexFunc(before, func(o DataSource) bool { return o.Feed == s.Feed })
		if i < 0 {
			out = append(out, Change{Subject: "data_source", Key: s.Feed, After: s.Topic, Why: whySeen})
			out = append(out, remapped(nil, &s, mappings[s.Feed], q)...)
			continue
		}
		o := before[i]
		out = append(out, remapped(&o, &s, mappings[s.Feed], q)...)
		for _, d := range [][3]string{{o.Topic, s.Topic, whySeen}, {state(o), state(s), whySeen + ": " + measured(s)}} {
			if d[0] != d[1] {
				out = append(out, Change{Subject: "data_source", Key: s.Feed, Before: d[0], After: d[1], Why: d[2]})
			}
		}
	}
	for _, s := range before {
		if !slices.ContainsFunc(after, func(o DataSource) bool { return o.Feed == s.Feed }) {
			out = append(out, Change{Subject: "data_source", Key: s.Feed, Before: s.Topic, Why: "it is not seen on the line any more"})
		}
	}
	return out
}

// state is whether a feed can be relied on, in words.
func state(s DataSource) string {
	switch {
	case s.Fresh && s.Complete:
		return "fresh and complete"
	case s.Fresh:
		return "fresh, not complete"
	case s.Complete:
		return "not fresh, complete"
	}
	return "neither fresh nor complete"
}

// measured is by what a feed can be relied on, or not.
func measured(s DataSource) string {
	text := "it has no record"
	if s.AgeSeconds >= 0 {
		text = "its newest record was " + strconv.FormatInt(s.AgeSeconds, 10) + " s old"
	}
	text += ", at most " + strconv.FormatInt(s.LimitSeconds, 10) + " s are allowed"
	if s.Completeness != "" {
		text += ", and its completeness was " + s.Completeness
	}
	return text
}
