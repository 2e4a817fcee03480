package attributor

import (
	"slices"
	"strconv"

	"tracksource/attribution"
	"tracksource/schemas/avro"
)

// cause says why the ledger of one conversion changes, and by what event: what
// happened to the deal itself goes first, then a new revision, then touches.
// Of several events of a batch the last one is named.
func (f *fold) cause(c *campaign, a *account, conversion string, before, after booked, swept *sweep) (cause, event string) {
	revised := "contract/" + c.id + "/" + strconv.FormatInt(c.revision, 10)
	if swept != nil {
		if before.version == c.version {
			return CauseFX, swept.rate
		}
		return CauseContract, revised
	}
	deal, touch, object := a.latest(conversion)
	if deal != nil {
		had, has := hasConversion(before.postings, conversion), hasConversion(after.postings, conversion)
		if cause := dealCause(deal, had, has); cause != "" {
			return cause, deal.after.EventID
		}
	}
	switch {
	case before.version != 0 && before.version != c.version:
		return CauseContract, revised
	case touch != nil:
		return touchCause(touch), touch.after.EventID
	case object != nil:
		return CauseObject, object.after.EventID
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
	case c.after.Removed || c.arrived():
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

func touchCause(c *change) string {
	if c.after.Removed || c.arrived() {
		return CauseMove
	}
	return CauseLateTouch
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
