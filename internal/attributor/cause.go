package attributor

import (
	"slices"
	"strconv"
	"strings"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/schemas/avro"
)

// cause says why the ledger of one conversion changes, and by what event: what
// happened to the deal itself goes first, then a new revision, then touches. What
// another version of the rules of books changes is the contract's, as it is read now.
// Of several events of a batch the last one is named.
func (f *fold) cause(c *campaign, a *account, conversion string, before, after booked, swept *sweep) (cause, event string) {
	revised := "contract/" + c.id + "/" + strconv.FormatInt(c.revision, 10)
	if swept != nil {
		switch {
		case before.version != c.version || swept.rule == "":
			return CauseContract, revised
		case strings.HasPrefix(swept.rule, periodRule):
			return CauseDispute, swept.rule
		}
		return CauseFX, swept.rule
	}
	deal, touch, object := a.latest(conversion)
	if deal != nil {
		had, has := hasConversion(before.postings, conversion), hasConversion(after.postings, conversion)
		if cause := dealCause(deal, had, has); cause != "" {
			return cause, deal.after.EventID
		}
	}
	dispute := a.disputed(conversion)
	switch {
	case before.version != 0 && before.version != c.version:
		return CauseContract, revised
	case dispute != nil:
		return CauseDispute, dispute.after.EventID
	case touch != nil:
		return touchCause(touch, factsFor(a.facts, conversion)), touch.after.EventID
	case object != nil:
		return objectCause(object, factsFor(a.facts, conversion)), object.after.EventID
	case deal != nil:
		return CauseObject, deal.after.EventID
	}
	return CauseObject, ""
}

// latest returns what the batch did to the conversion's own deal, and the last
// of what it did to touches and to other objects; nil for nothing.
func (a *account) latest(conversion string) (deal, touch, object *change) {
	for i := range a.changes {
		c := &a.changes[i]
		of := &object
		switch {
		case itemID(c.after).String() == conversion:
			of = &deal
		case c.after.Kind == kindTouch:
			of = &touch
		}
		if *of == nil || c.order > (*of).order {
			*of = c
		}
	}
	return deal, touch, object
}

func hasConversion(postings []attribution.Posting, conversion string) bool {
	return slices.ContainsFunc(postings, func(p attribution.Posting) bool { return p.Conversion == conversion })
}

// arrived reports whether the item came from another account: the account had
// no or only a removed state of it, and it was placed before.
func (c *change) arrived() bool {
	return (c.was == absent && c.placement > 1) || c.was == left
}

// dealCause is empty when the batch left the deal as it was.
func dealCause(c *change, had, has bool) string {
	now := c.after.Object // nil in a tombstone
	switch {
	case c.after.Removed:
		return removalCause(c)
	case c.arrived():
		return CauseMove
	case now.Deleted:
		return CauseDeletion
	case !had && has:
		return CauseNewConversion
	case c.before == nil:
		return CauseNewConversion
	}
	was := c.before
	switch {
	case fieldsDiffer(was, now, "stage", "is_closed", "is_won") || !slices.EqualFunc(was.Stages, now.Stages, sameStage):
		return CauseStage
	case fieldsDiffer(was, now, "amount", "currency"):
		return CauseAmount
	case !slices.EqualFunc(was.Fields, now.Fields, sameField):
		return CauseObject
	}
	return ""
}

// removalCause is why an item is gone.
func removalCause(c *change) string {
	switch c.after.Reason {
	case reasonErasure:
		return CauseErasure
	case reasonRetraction:
		return CauseDeletion
	}
	return CauseMove
}

func touchCause(c *change, facts []attribution.Facts) string {
	switch id := itemID(c.after); {
	case c.after.Removed:
		return removalCause(c)
	case c.arrived():
		return CauseMove
	case slices.ContainsFunc(facts, func(f attribution.Facts) bool { return isOneOfSeveral(f.Touches, id) }):
		return CauseOverlap
	}
	return CauseLateTouch
}

// isOneOfSeveral reports whether one of the touches is made of that report and of
// others.
func isOneOfSeveral(touches []attribution.FactTouch, id attribution.ItemID) bool {
	return slices.ContainsFunc(touches, func(t attribution.FactTouch) bool {
		return len(t.Evidence) > 1 && slices.Contains(t.Evidence, id)
	})
}

// objectCause is the cause by an object that is not the conversion's own.
func objectCause(c *change, facts []attribution.Facts) string {
	if c.after.Removed && c.after.Reason != "" {
		return removalCause(c)
	}
	id := itemID(c.after)
	touched := func(f attribution.Facts) bool {
		return slices.Contains(f.Merged, id) || slices.Contains(f.Suspected, id)
	}
	if isDecision(c) || slices.ContainsFunc(facts, touched) {
		return CauseOverlap
	}
	return CauseObject
}

// isDecision reports whether the object says which deals are one business.
func isDecision(c *change) bool {
	return strings.HasPrefix(c.after.Item, contract.ObjectDecision+"/")
}

// disputed returns the last step in the batch of a dispute of the conversion's deal,
// or of one that is the same business; nil for none.
func (a *account) disputed(conversion string) *change {
	var last *change
	for i := range a.changes {
		c := &a.changes[i]
		if !strings.HasPrefix(c.after.Item, contract.ObjectDispute+"/") || last != nil && c.order < last.order {
			continue
		}
		o := c.after.Object
		if o == nil {
			o = c.before // it was taken back
		}
		if o != nil && isOf(factsFor(a.facts, conversion), conversion, fieldsOf(o)["deal"]) {
			last = c
		}
	}
	return last
}

// isOf reports whether a deal is the conversion's, or one of those merged into it.
func isOf(facts []attribution.Facts, conversion, deal string) bool {
	return deal == conversion || slices.ContainsFunc(facts, func(f attribution.Facts) bool {
		return slices.ContainsFunc(f.Merged, func(id attribution.ItemID) bool { return id.String() == deal })
	})
}

// factsFor are the facts of a conversion, one for each revision that accounts for
// any of its measures.
func factsFor(facts []attribution.Facts, conversion string) []attribution.Facts {
	var list []attribution.Facts
	for _, f := range facts {
		if f.Deal.String() == conversion {
			list = append(list, f)
		}
	}
	return list
}

func fieldsDiffer(was, now *avro.ObjectState, names ...string) bool {
	before, after := fieldsOf(was), fieldsOf(now)
	return slices.ContainsFunc(names, func(name string) bool { return before[name] != after[name] })
}

func sameStage(a, b avro.StageChange) bool {
	return a.Stage == b.Stage && a.IsClosed == b.IsClosed && a.IsWon == b.IsWon && a.At.Equal(b.At) && a.EventID == b.EventID
}

func sameField(a, b avro.Field) bool {
	return a.Name == b.Name && (a.Value == nil) == (b.Value == nil) && (a.Value == nil || *a.Value == *b.Value)
}
